// Opens a sealed recording for reading: its header and the heads of its chunks, by position, in constant memory. It
// trusts nothing it has not to (verify.ts proves), and needs no key; read.ts opens bodies.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import {
  type ChunkHead,
  decodeHead,
  decodeSeal,
  frameLength,
  headLength,
  preambleFixed,
  preambleLength,
  type SealStatement,
  sealBodyLength,
  sealFrameLength,
  sha256,
  stateRedacted,
  stateWhole,
} from './chunk.ts';
import { RecordingError, reasonOf } from './errors.ts';
import { type Preamble, readPreamble } from './preamble.ts';
import { type Replacement, readReplacement, redactionLength } from './redaction.ts';

/** Chunks of one recording; a writer stays far below. */
const maximumChunks = 1_000_000;

export interface PlacedChunk {
  /** Of the state byte. */
  readonly offset: number;
  readonly head: ChunkHead;
  readonly headBytes: Buffer;
  readonly signature: Buffer;
  readonly state: 'whole' | 'redacted';
  /** Bytes from the state byte to the next chunk. */
  readonly length: number;
}

export async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    throw new RecordingError('SP_RECORDING_MISSING', `cannot open ${path}: ${reasonOf(error)}`, error);
  }
}

export async function readExactly(
  handle: FileHandle,
  position: number,
  length: number,
): Promise<Buffer | undefined> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return buffer;
}

export interface OpenedPreamble {
  readonly preamble: Preamble;
  readonly hash: Buffer;
  readonly length: number;
}

async function preambleOf(handle: FileHandle, path: string): Promise<OpenedPreamble> {
  const fixed = await readExactly(handle, 0, preambleFixed);
  if (fixed === undefined) throw new RecordingError('SP_RECORDING_FORMAT', `${path} has no header`);
  const length = preambleLength(fixed);
  const bytes = await readExactly(handle, 0, length);
  if (bytes === undefined) throw new RecordingError('SP_RECORDING_FORMAT', `${path} ends in its header`);
  return { preamble: readPreamble(bytes), hash: sha256(bytes), length };
}

/** The header alone. Throws SP_RECORDING_MISSING or SP_RECORDING_FORMAT. */
export async function readHeader(path: string): Promise<Preamble> {
  await using handle = await openForReading(path);
  return (await preambleOf(handle, path)).preamble;
}

/** What the last bytes say, unproved; undefined when no seal stands there. */
export async function readSeal(path: string): Promise<SealStatement | undefined> {
  await using handle = await openForReading(path);
  const { size } = await handle.stat();
  if (size < sealFrameLength) return undefined;
  const frame = await readExactly(handle, size - sealFrameLength, sealFrameLength);
  if (frame === undefined || decodeHead(frame.subarray(1, 1 + headLength))?.kind !== 'seal') return undefined;
  return decodeSeal(frame.subarray(frameLength, frameLength + sealBodyLength));
}

export class OpenedRecording {
  readonly path: string;
  readonly handle: FileHandle;
  readonly preamble: Preamble;
  readonly preambleHash: Buffer;
  readonly chunks: readonly PlacedChunk[];
  /** Where the last whole chunk ends. */
  readonly end: number;

  private constructor(
    path: string,
    handle: FileHandle,
    { preamble, hash }: OpenedPreamble,
    chunks: readonly PlacedChunk[],
    end: number,
  ) {
    this.path = path;
    this.handle = handle;
    this.preamble = preamble;
    this.preambleHash = hash;
    this.chunks = chunks;
    this.end = end;
  }

  /** Stops before the first chunk that isn't whole. Throws SP_RECORDING_MISSING or SP_RECORDING_FORMAT. */
  static async open(path: string): Promise<OpenedRecording> {
    const handle = await openForReading(path);
    try {
      const preamble = await preambleOf(handle, path);
      const { size } = await handle.stat();
      const chunks: PlacedChunk[] = [];
      let offset = preamble.length;
      while (chunks.length < maximumChunks) {
        const chunk = await chunkAt(handle, offset, size);
        if (chunk === undefined) break;
        chunks.push(chunk);
        offset += chunk.length;
      }
      // Room for what comes stands behind what is there: a chunk that is being written may have its length already.
      const last = chunks.at(-1);
      if (last !== undefined && !(await isWhole(handle, last))) {
        chunks.pop();
        offset = last.offset;
      }
      return new OpenedRecording(path, handle, preamble, chunks, offset);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Without looking at any chunk: `chunks` is empty, and `end` is where the first one stands. */
  static async openHead(path: string): Promise<OpenedRecording> {
    const handle = await openForReading(path);
    try {
      const preamble = await preambleOf(handle, path);
      return new OpenedRecording(path, handle, preamble, [], preamble.length);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async body(chunk: PlacedChunk): Promise<Buffer> {
    const body = await readExactly(this.handle, chunk.offset + frameLength, chunk.head.bodyLength);
    if (body === undefined) throw new RecordingError('SP_RECORDING_FORMAT', `${this.path} ends in a chunk`);
    return body;
  }

  /** What stands in a redacted chunk's place. */
  async replacement(chunk: PlacedChunk): Promise<Replacement | undefined> {
    const bytes = await readExactly(this.handle, chunk.offset + frameLength, chunk.length - frameLength);
    return bytes === undefined ? undefined : readReplacement(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }
}

async function isWhole(handle: FileHandle, chunk: PlacedChunk): Promise<boolean> {
  if (chunk.state === 'redacted') return true;
  const body = await readExactly(handle, chunk.offset + frameLength, chunk.head.bodyLength);
  return body !== undefined && sha256(body).equals(chunk.head.bodyHash);
}

/** Undefined when no whole chunk stands there. */
export async function chunkAt(
  handle: FileHandle,
  offset: number,
  size: number,
): Promise<PlacedChunk | undefined> {
  if (offset + frameLength > size) return undefined;
  const frame = await readExactly(handle, offset, frameLength);
  if (frame === undefined) return undefined;
  const headBytes = Buffer.from(frame.subarray(1, 1 + headLength));
  const head = decodeHead(headBytes);
  if (head === undefined) return undefined;
  const placed = { offset, head, headBytes, signature: Buffer.from(frame.subarray(1 + headLength)) };
  if (frame[0] === stateWhole) {
    const length = frameLength + head.bodyLength;
    return offset + length > size ? undefined : { ...placed, state: 'whole', length };
  }
  if (frame[0] !== stateRedacted) return undefined;
  const statement = await readExactly(handle, offset + frameLength, Math.min(8, size - offset - frameLength));
  const rest = statement === undefined ? undefined : redactionLength(statement);
  if (rest === undefined || offset + frameLength + rest > size) return undefined;
  return { ...placed, state: 'redacted', length: frameLength + rest };
}
