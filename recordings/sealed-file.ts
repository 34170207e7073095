// Writes one sealed recording. Each event goes to the tail, encrypted, with a synchronous write before `append`
// returns: what the other side gets afterwards is recorded, and a killed process loses none of it. Tails are turned
// into compressed, signed chunks of the recording off the event loop. The first error is the last: everything up to
// there is sealed, in room that the recording's own file holds for it. What an event says is not known here.
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { constants, writeSync, writevSync } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { constants as zlib, zstdCompress, zstdDecompress } from 'node:zlib';
import {
  boundLength,
  type ChunkKind,
  type Compression,
  encodeBound,
  encodeHead,
  encodeSeal,
  encodeTailHead,
  frameLength,
  nonceLength,
  type SealStatement,
  sealBodyLength,
  sealFrameLength,
  sha256,
  signedBytes,
  stateWhole,
  tagLength,
  tailHeadLength,
} from './chunk.ts';
import { RecordingError, reasonOf } from './errors.ts';
import type { RecordingHeader } from './format.ts';
import { openBody, type Recipient, type Signer, sealBody, wrapSessionKey } from './keys.ts';
import type { RecentLines } from './live.ts';
import { chunkAt, openForReading, readExactly } from './open.ts';
import { recordingPath, tailPaths } from './places.ts';
import { buildPreamble, type EncodedPreamble } from './preamble.ts';
import type { Reserve } from './reserve.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What may wait for the disk before the file gives up. A relay that heeds `pendingBytes` never comes near it. */
const overrunBytes = 64 * 1024 * 1024;
/** At most this long after an event it is on the disk itself, not only with the kernel. Milliseconds. */
const syncInterval = 500;
/** Room is taken in pieces between these. Bytes. */
const smallestRoom = 4096;
const largestRoom = 64 * 1024;
/** What barely gets shorter is compressed faster: a thorough search finds nothing in it either. A share of its length. */
const barelyShorter = 0.6;
/** zlib gives back what it has in pieces of so much, with a turn of a thread for each. Bytes. */
const compressedPiece = 64 * 1024;
/** A tail that has grown beyond this is cut to nothing when its events are placed; a shorter one is written over. Bytes. */
const longestKeptTail = 1024 * 1024;
/** For whoever begins to watch. */
const recentChunks = 3;
/** What one entry of the index takes at most. Bytes. */
const indexEntry = 72;

/** What a chunk of `length` bytes takes in the file at most: zstd's own bound, a tag, and what stands before the body. */
function chunkRoom(length: number): number {
  return length + (length >>> 8) + 128 + tagLength + frameLength;
}

export interface SealedFileOptions {
  readonly signer: Signer;
  readonly recipients: readonly Recipient[];
  readonly reserve: Reserve;
  /** Bytes of events that make a chunk of the recording. */
  readonly chunkBytes: number;
  /** After so long what is there becomes a chunk however little it is. Milliseconds. */
  readonly chunkAge: number;
}

export interface SealedFileEvents {
  /** A chunk was written, so less is pending. */
  drained(): void;
  /** Called once; nothing is recorded afterwards. */
  failed(error: RecordingError): void;
}

/** Events that become one chunk. */
interface Batch {
  /**
   * The lines, one behind the other in blocks of its own: slices of the buffer pool would each keep a whole pool block
   * for as long as a chunk takes to fill.
   */
  readonly blocks: Buffer[];
  /** Bytes used of the last block. */
  used: number;
  events: number;
  bytes: number;
  first: number;
  last: number;
}

interface Tail {
  readonly handle: FileHandle;
  position: number;
  previous: Buffer;
  sequence: number;
}

type State = 'open' | 'failed' | 'closing' | 'sealed' | 'unsealed';

export class SealedFile {
  readonly path: string;
  readonly #header: RecordingHeader;
  readonly #preamble: Pick<EncodedPreamble, 'hash'>;
  readonly #sessionKey: KeyObject;
  readonly #main: FileHandle;
  readonly #tailPaths: readonly [string, string];
  readonly #tails: [Tail, Tail];
  readonly #options: SealedFileOptions;
  readonly #events: SealedFileEvents;
  #state: State = 'open';
  #reason = '';
  #position: number;
  /** Where the bytes end that the file holds, zeros behind `#position`: the room for sealing what is pending. */
  #room: number;
  #previous: Buffer;
  #sequence = 0;
  #written = 0;
  #indexAt: number | undefined;
  /** How long the last chunk was compressed, as a share of what it was before. */
  #shortened = 0;
  #lastAt = 0;
  #batch: Batch = emptyBatch();
  /** The batch that is being turned into a chunk. */
  #underway: Batch | undefined;
  #pump: Promise<void> | undefined;
  #sealing: Promise<void> | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  #chunks: (readonly [offset: number, first: number, last: number, events: number])[] = [];
  #marks: (readonly [at: number, kind: string])[] = [];

  private constructor(
    path: string,
    header: RecordingHeader,
    opened: {
      readonly main: FileHandle;
      readonly tails: readonly [FileHandle, FileHandle];
      readonly tailPaths: readonly [string, string];
      readonly preamble: EncodedPreamble;
      readonly sessionKey: Buffer;
    },
    options: SealedFileOptions,
    events: SealedFileEvents,
  ) {
    this.path = path;
    this.#header = header;
    this.#preamble = { hash: opened.preamble.hash };
    this.#sessionKey = createSecretKey(opened.sessionKey);
    this.#main = opened.main;
    this.#tailPaths = opened.tailPaths;
    this.#position = opened.preamble.bytes.length;
    this.#room = this.#position;
    this.#previous = opened.preamble.hash;
    const tail = (handle: FileHandle): Tail => ({
      handle,
      position: 0,
      previous: Buffer.alloc(32),
      sequence: 0,
    });
    this.#tails = [tail(opened.tails[0]), tail(opened.tails[1])];
    this.#options = options;
    this.#events = events;
  }

  /**
   * Creates the recording with its preamble, and its tail, durably (mode 0600, folders 0700). Fails when it is there
   * already: nothing is ever written over. Throws SP_RECORDING_OPEN and SP_RECORDING_ID.
   */
  static async create(
    root: string,
    header: RecordingHeader,
    options: SealedFileOptions,
    events: SealedFileEvents,
  ): Promise<SealedFile> {
    const { id, startedAt } = header.session;
    const path = recordingPath(root, id, startedAt);
    const paths = tailPaths(root, id);
    const opened: FileHandle[] = [];
    const create = async (name: string): Promise<FileHandle> => {
      const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
      const handle = await open(name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
      opened.push(handle);
      return handle;
    };
    try {
      await options.reserve.keep();
      const sessionKey = randomBytes(32);
      const wrapped = options.recipients.map((recipient) => wrapSessionKey(sessionKey, recipient));
      const preamble = buildPreamble(header, options.signer, wrapped);
      const madeDay = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const madeLive = await mkdir(dirname(paths[0]), { recursive: true, mode: 0o700 });
      const main = await create(path);
      await writeAll(main, preamble.bytes, 0);
      await main.datasync();
      await syncFolders(dirname(path), madeDay);
      const tails = [await create(paths[0]), await create(paths[1])] as const;
      const file = new SealedFile(
        path,
        header,
        { main, tails, tailPaths: paths, preamble, sessionKey },
        options,
        events,
      );
      file.#startTail();
      file.#makeRoom(0);
      await tails[0].datasync();
      await syncFolders(dirname(paths[0]), madeLive);
      return file;
    } catch (error) {
      for (const handle of opened) await handle.close().catch(() => undefined);
      // A recording that never began is no evidence. Only what this call made is taken away.
      if (opened.length > 0) await rm(path, { force: true }).catch(() => undefined);
      if (opened.length > 1) await rm(paths[0], { force: true }).catch(() => undefined);
      if (opened.length > 2) await rm(paths[1], { force: true }).catch(() => undefined);
      if (error instanceof RecordingError) throw error;
      throw new RecordingError('SP_RECORDING_OPEN', `cannot create ${path}: ${reasonOf(error)}`, error);
    }
  }

  /** Bytes of events that wait for being compressed, beyond what makes one chunk. */
  get pendingBytes(): number {
    const waiting = this.#batch.bytes + (this.#underway?.bytes ?? 0);
    return Math.max(0, waiting - 2 * this.#options.chunkBytes);
  }

  /** `at`: microseconds since the session's start, never less than before. `mark`: a place worth jumping to. */
  append(line: string, at: number, mark?: string): void {
    if (this.#state !== 'open') return;
    const content = Buffer.from(line);
    try {
      this.#makeRoom(content.length);
      this.#toTail(content, at);
    } catch (error) {
      this.#fail('SP_RECORDING_WRITE', `cannot record in ${this.path}: ${reasonOf(error)}`, error);
      return;
    }
    const batch = this.#batch;
    if (batch.events === 0) batch.first = at;
    addLine(batch, content);
    batch.last = at;
    this.#lastAt = at;
    if (mark !== undefined && this.#marks.length < 100_000) this.#marks.push([at, mark]);
    if (this.pendingBytes > overrunBytes) {
      this.#fail('SP_RECORDING_OVERRUN', `${this.path}: the disk does not keep up`);
      return;
    }
    this.#syncSoon();
    if (batch.bytes >= this.#options.chunkBytes) this.#consolidate();
    else if (this.#ageTimer === undefined) {
      this.#ageTimer = setTimeout(() => this.#consolidate(), this.#options.chunkAge);
      this.#ageTimer.unref();
    }
  }

  /** Microseconds since the session's start of the last event. */
  get lastAt(): number {
    return this.#lastAt;
  }

  /** The events of the last chunks and all behind them, up to the moment of this call. Rejects when the disk can't be read. */
  recent(): Promise<readonly RecentLines[]> {
    const pending = [this.#underway, this.#batch].flatMap((batch) =>
      batch === undefined || batch.events === 0
        ? []
        : [{ lines: textOf(batch).toString('utf8'), first: batch.first }],
    );
    const placed = this.#chunks
      .slice(-recentChunks)
      .map(async ([offset, first]) => ({ lines: await this.#chunkText(offset), first }));
    return Promise.all(placed).then((chunks) => [...chunks, ...pending]);
  }

  async #chunkText(offset: number): Promise<string> {
    await using handle = await openForReading(this.path);
    const chunk = await chunkAt(handle, offset, (await handle.stat()).size);
    if (chunk === undefined) throw new RecordingError('SP_RECORDING_FORMAT', `${this.path} has changed`);
    const body = await readExactly(handle, offset + frameLength, chunk.head.bodyLength);
    if (body === undefined) throw new RecordingError('SP_RECORDING_FORMAT', `${this.path} has changed`);
    const packed = openBody(this.#sessionKey, this.#preamble.hash, chunk.headBytes, body);
    return (await decompress(packed)).toString('utf8');
  }

  /** Writes what is pending, seals, closes. Idempotent, never rejects. */
  close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    this.#sealing ??= this.#seal('complete', 'closed');
    return this.#sealing;
  }

  get #slot(): 0 | 1 {
    return this.#generation % 2 === 0 ? 0 : 1;
  }

  /** The chunk that the current tail's events will be. */
  #generation = 0;

  #startTail(): void {
    const tail = this.#tails[this.#slot];
    const head = encodeTailHead({
      preambleHash: this.#preamble.hash,
      generation: this.#generation,
      startedAt: this.#header.session.startedAt,
    });
    writeAllSync(tail.handle.fd, head, 0);
    tail.position = tailHeadLength;
    tail.previous = sha256(head);
    tail.sequence = 0;
  }

  /**
   * Lets the file hold, as zeros, all that sealing it can take once `more` bytes are pending too. What is sealed is then
   * written over them: a disk that others have filled meanwhile has room for it. Throws what the disk says.
   */
  #makeRoom(more: number): void {
    const underway = this.#underway === undefined ? 0 : chunkRoom(this.#underway.bytes);
    const index = chunkRoom(64 + indexEntry * (this.#chunks.length + 2 + this.#marks.length + 1));
    const needed = this.#position + underway + chunkRoom(this.#batch.bytes + more) + index + sealFrameLength;
    if (needed <= this.#room) return;
    const step = Math.min(largestRoom, Math.max(smallestRoom, this.#batch.bytes));
    const length = Math.ceil((needed - this.#room) / step) * step;
    for (let done = 0; done < length; ) {
      const piece = zeros.subarray(0, Math.min(zeros.length, length - done));
      writeAllSync(this.#main.fd, piece, this.#room);
      this.#room += piece.length;
      done += piece.length;
    }
  }

  #toTail(content: Buffer, at: number): void {
    const tail = this.#tails[this.#slot];
    const about = { kind: 'events', compression: 'none', events: 1, first: at, last: at } as const;
    const { bound, body } = sealBody(this.#sessionKey, this.#preamble.hash, about, content);
    const head = encodeHead(bound, tail.sequence, tail.previous, sha256(body));
    const length = head.length + body.length;
    const written = writevSync(tail.handle.fd, [head, body], tail.position);
    if (written < length) {
      writeAllSync(tail.handle.fd, Buffer.concat([head, body]).subarray(written), tail.position + written);
    }
    tail.position += length;
    tail.sequence += 1;
    tail.previous = sha256(head);
  }

  #consolidate(): void {
    if (this.#state !== 'open' || this.#pump !== undefined || this.#batch.events === 0) return;
    clearTimeout(this.#ageTimer);
    this.#ageTimer = undefined;
    const batch = this.#batch;
    const old = this.#tails[this.#slot];
    this.#generation += 1;
    try {
      this.#startTail();
    } catch (error) {
      this.#generation -= 1;
      this.#fail(
        'SP_RECORDING_WRITE',
        `cannot write ${this.#tailPaths[this.#slot]}: ${reasonOf(error)}`,
        error,
      );
      return;
    }
    this.#batch = emptyBatch();
    this.#underway = batch;
    this.#pump = this.#place(batch, old).finally(() => {
      this.#pump = undefined;
      if (this.#state === 'open' && this.#batch.bytes >= this.#options.chunkBytes) this.#consolidate();
    });
  }

  async #place(batch: Batch, old: Tail): Promise<void> {
    try {
      await this.#writeBatch(batch);
      this.#underway = undefined;
      await this.#main.datasync();
      // Only now is the tail's content safe in the recording itself; what stands in it has a generation that is past.
      if (old.position > longestKeptTail) await old.handle.truncate(0);
    } catch (error) {
      this.#fail('SP_RECORDING_WRITE', `cannot write ${this.path}: ${reasonOf(error)}`, error);
      return;
    }
    this.#events.drained();
  }

  async #writeBatch(batch: Batch): Promise<void> {
    const text = textOf(batch);
    const level = this.#shortened > barelyShorter ? 1 : 3;
    const content = await compress(text, {
      chunkSize: compressedPiece,
      params: { [zlib.ZSTD_c_compressionLevel]: level },
    });
    this.#shortened = content.length / text.length;
    const { first, last, events } = batch;
    const offset = this.#position;
    await this.#writeSealed('events', { events, first, last }, content);
    this.#chunks.push([offset, first, last, events]);
    this.#written += events;
  }

  async #writeSealed(
    kind: ChunkKind,
    about: { readonly events: number; readonly first: number; readonly last: number },
    content: Buffer,
  ): Promise<void> {
    const compression: Compression = 'zstd';
    const sealed = sealBody(this.#sessionKey, this.#preamble.hash, { kind, compression, ...about }, content);
    await this.#writeChunk(sealed.bound, sealed.body);
  }

  async #writeChunk(bound: Buffer, body: Buffer): Promise<void> {
    const placed = placeChunk(this.#options.signer, this.#preamble.hash, {
      bound,
      body,
      sequence: this.#sequence,
      previous: this.#previous,
    });
    await writeAll(this.#main, placed.bytes, this.#position);
    this.#position += placed.bytes.length;
    this.#previous = placed.hash;
    this.#sequence += 1;
  }

  async #seal(outcome: SealStatement['outcome'], reason: string): Promise<void> {
    clearTimeout(this.#ageTimer);
    clearTimeout(this.#syncTimer);
    await this.#pump;
    // The pump may have met an error meanwhile; then what it had is still to be written.
    if (this.#reason !== '') this.#options.reserve.release();
    const failure = await this.#trySeal(outcome, reason);
    if (failure !== undefined) {
      // With the room that was kept for this it may work yet.
      this.#options.reserve.release();
      const again = await this.#trySeal(outcome, reason);
      if (again !== undefined) {
        // The tails stay: the next start recovers and seals.
        this.#state = 'unsealed';
        if (this.#reason === '') {
          this.#tell('SP_RECORDING_WRITE', `cannot seal ${this.path}: ${reasonOf(again)}`, again);
        }
      }
    }
    this.#underway = undefined;
    this.#batch = emptyBatch();
    for (const { handle } of this.#tails) await handle.close().catch(() => undefined);
    await this.#main.close().catch(() => undefined);
    if (this.#state === 'sealed') {
      for (const path of this.#tailPaths) await rm(path, { force: true }).catch(() => undefined);
    }
  }

  /** The error, when it did not work; may be called again. */
  async #trySeal(outcome: SealStatement['outcome'], reason: string): Promise<unknown> {
    const failed = this.#reason !== '';
    try {
      // What an error left half written is written over.
      const older = this.#underway;
      if (older !== undefined) {
        await this.#writeBatch(older);
        this.#underway = undefined;
      }
      if (this.#batch.events > 0) {
        await this.#writeBatch(this.#batch);
        this.#batch = emptyBatch();
      }
      if (this.#indexAt === undefined) {
        const index = this.#position;
        const at = { events: 0, first: this.#lastAt, last: this.#lastAt };
        const content = JSON.stringify({ chunks: this.#chunks, marks: this.#marks });
        await this.#writeSealed('index', at, await compress(Buffer.from(content)));
        this.#indexAt = index;
      }
      const statement = encodeSeal({
        chunks: this.#sequence,
        events: this.#written,
        duration: this.#lastAt / 1e6,
        outcome: failed ? 'interrupted' : outcome,
        reason: failed ? this.#reason : reason,
        sealedAt: Date.now(),
        index: this.#indexAt,
      });
      await this.#writeChunk(sealBound(this.#lastAt), statement);
      await this.#main.truncate(this.#position);
      await this.#main.sync();
      this.#state = 'sealed';
      return undefined;
    } catch (error) {
      return error ?? new Error('unknown');
    }
  }

  #syncSoon(): void {
    if (this.#syncTimer !== undefined) return;
    this.#syncTimer = setTimeout(() => {
      const { handle } = this.#tails[this.#slot];
      this.#syncTimer = undefined;
      handle.datasync().catch((error: unknown) => {
        // Sealing syncs by itself, and reports its own error.
        if (this.#state === 'open') {
          this.#fail('SP_RECORDING_WRITE', `cannot write ${this.path}: ${reasonOf(error)}`, error);
        }
      });
    }, syncInterval);
    this.#syncTimer.unref();
  }

  #fail(code: 'SP_RECORDING_WRITE' | 'SP_RECORDING_OVERRUN', message: string, cause?: unknown): void {
    if (this.#reason !== '') return;
    const full = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC';
    this.#reason = full ? 'disk-full' : code === 'SP_RECORDING_OVERRUN' ? 'overrun' : 'write-failed';
    const state = this.#state;
    if (state === 'open') this.#state = 'failed';
    this.#tell(code, message, cause);
    this.#sealing ??= this.#seal('interrupted', this.#reason);
  }

  #tell(code: 'SP_RECORDING_WRITE' | 'SP_RECORDING_OVERRUN', message: string, cause: unknown): void {
    this.#events.failed(new RecordingError(code, message, cause));
  }
}

const zeros = Buffer.alloc(largestRoom);

function emptyBatch(): Batch {
  return { blocks: [], used: 0, events: 0, bytes: 0, first: 0, last: 0 };
}

function textOf(batch: Batch): Buffer {
  return Buffer.concat(batch.blocks, batch.bytes);
}

const smallestBlock = 1024;
const largestBlock = 64 * 1024;

function addLine(batch: Batch, line: Buffer): void {
  let last = batch.blocks.at(-1);
  if (last === undefined || batch.used + line.length > last.length) {
    // What stays empty at the end of a block is cut off, for the blocks are joined as they are.
    if (last !== undefined) batch.blocks[batch.blocks.length - 1] = last.subarray(0, batch.used);
    const grown = Math.min(largestBlock, Math.max(smallestBlock, batch.bytes));
    last = Buffer.allocUnsafeSlow(Math.max(grown, line.length));
    batch.blocks.push(last);
    batch.used = 0;
  }
  line.copy(last, batch.used);
  batch.used += line.length;
  batch.events += 1;
  batch.bytes += line.length;
}

/** The first bytes of a seal's head: nothing in it is encrypted. */
export function sealBound(at: number): Buffer {
  return encodeBound({
    kind: 'seal',
    compression: 'none',
    events: 0,
    bodyLength: sealBodyLength,
    first: at,
    last: at,
    nonce: Buffer.alloc(nonceLength),
  });
}

export interface UnplacedChunk {
  readonly bound: Buffer;
  readonly body: Buffer;
  readonly sequence: number;
  readonly previous: Buffer;
}

/** A chunk as it stands in the file, signed, and the hash of its head. */
export function placeChunk(
  signer: Signer,
  preambleHash: Buffer,
  { bound, body, sequence, previous }: UnplacedChunk,
): { readonly bytes: Buffer; readonly hash: Buffer } {
  const head = encodeHead(bound.subarray(0, boundLength), sequence, previous, sha256(body));
  const hash = sha256(head);
  const signature = signer.sign(signedBytes(preambleHash, hash));
  return { bytes: Buffer.concat([Buffer.from([stateWhole]), head, signature, body]), hash };
}

function writeAllSync(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const written = writeSync(fd, bytes, done, bytes.length - done, position + done);
    if (written === 0) throw new Error('the disk took nothing');
    done += written;
  }
}

export async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new Error('the disk took nothing');
    done += bytesWritten;
  }
}

/** A new file survives a power cut only when the folders that name it do. */
async function syncFolders(folder: string, firstMade: string | undefined): Promise<void> {
  const stop = firstMade === undefined ? folder : dirname(firstMade);
  for (let at = folder; ; at = dirname(at)) {
    const handle = await open(at, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (at === stop || at === dirname(at)) return;
  }
}
