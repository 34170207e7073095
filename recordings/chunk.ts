// The bytes of a sealed recording: preamble, chunk heads, the tail's head. Pure: bytes in, bytes out; no keys, no files.
// docs/recording-format.md describes every byte of it; change both together. What is inside a body is format.ts's
// matter, who may open it that of keys.ts.
import { hash } from 'node:crypto';
import { RecordingError } from './errors.ts';

export const formatVersion = 1;

/** Not text, and broken by what turns line ends around: the idea of PNG's signature. */
const fileMagic = Buffer.from('\u0089SPREC\r\n', 'latin1');
const tailMagic = Buffer.from('\u0089SPTAIL\n', 'latin1');
export const chunkMagic = Buffer.from('SPCH', 'latin1');

/** Magic, version, two zero bytes, length of the header. */
export const preambleFixed = 16;
const largestHeader = 256 * 1024;

export const headLength = 112;
/** The part of a head that the body's authentication covers; the rest is known only when the chunk is placed. */
export const boundLength = 44;
export const signatureLength = 64;
/** State, head, signature: what stands before a body. */
export const frameLength = 1 + headLength + signatureLength;
export const tagLength = 16;
export const nonceLength = 12;
/** No body is longer; a reader need not hold more. */
export const largestBody = 64 * 1024 * 1024;
/** A seal's body always has this length, so that it is found from the end of the file. */
export const sealBodyLength = 512;
export const sealFrameLength = frameLength + sealBodyLength;

export const chunkKinds = ['events', 'index', 'seal'] as const;
export type ChunkKind = (typeof chunkKinds)[number];
const kindNumbers: Readonly<Record<ChunkKind, number>> = { events: 1, index: 2, seal: 3 };

export type Compression = 'none' | 'zstd';

/** Bodies are whole, or were redacted later under a statement of the gateway. */
export const stateWhole = 0;
export const stateRedacted = 1;

export interface ChunkHead {
  readonly kind: ChunkKind;
  readonly compression: Compression;
  readonly events: number;
  readonly bodyLength: number;
  /** Microseconds since the session's start. */
  readonly first: number;
  readonly last: number;
  readonly nonce: Buffer;
  /** The chunk's place, from 0. */
  readonly sequence: number;
  /** SHA-256 of the head before, or of the preamble. */
  readonly previous: Buffer;
  /** SHA-256 of the body as it is stored, encrypted. */
  readonly bodyHash: Buffer;
}

export function sha256(...parts: readonly Buffer[]): Buffer {
  return hash(
    'sha256',
    parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts),
    'buffer',
  );
}

export function encodePreamble(header: object): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const fixed = Buffer.alloc(preambleFixed);
  fileMagic.copy(fixed);
  fixed.writeUInt16BE(formatVersion, 8);
  fixed.writeUInt32BE(json.length, 12);
  return Buffer.concat([fixed, json]);
}

/** The length of the whole preamble, from its first 16 bytes. Throws SP_RECORDING_FORMAT. */
export function preambleLength(fixed: Buffer): number {
  if (fixed.length < preambleFixed || !fixed.subarray(0, 8).equals(fileMagic)) {
    throw new RecordingError('SP_RECORDING_FORMAT', 'this is not a recording');
  }
  if (fixed.readUInt16BE(8) !== formatVersion || fixed.readUInt16BE(10) !== 0) {
    throw new RecordingError('SP_RECORDING_FORMAT', `format ${fixed.readUInt16BE(8)} is not known here`);
  }
  const length = fixed.readUInt32BE(12);
  if (length > largestHeader) throw new RecordingError('SP_RECORDING_FORMAT', 'the header is too long');
  return preambleFixed + length;
}

/** A whole number below 2^53 in eight bytes; a BigInt for each would cost more than it says. */
function writeMoment(bytes: Buffer, moment: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(moment / 0x1_0000_0000), at);
  bytes.writeUInt32BE(moment % 0x1_0000_0000, at + 4);
}

/** The part of the head that is authenticated with the body, after the preamble's hash. */
export function encodeBound(head: Omit<ChunkHead, 'sequence' | 'previous' | 'bodyHash'>): Buffer {
  const bound = Buffer.alloc(boundLength);
  chunkMagic.copy(bound);
  bound[4] = kindNumbers[head.kind];
  bound[5] = head.compression === 'zstd' ? 1 : 0;
  bound.writeUInt32BE(head.events, 8);
  bound.writeUInt32BE(head.bodyLength, 12);
  writeMoment(bound, head.first, 16);
  writeMoment(bound, head.last, 24);
  head.nonce.copy(bound, 32);
  return bound;
}

export function encodeHead(bound: Buffer, sequence: number, previous: Buffer, bodyHash: Buffer): Buffer {
  const head = Buffer.alloc(headLength);
  bound.copy(head, 0, 0, boundLength);
  head.writeUInt32BE(sequence, 44);
  previous.copy(head, 48);
  bodyHash.copy(head, 80);
  return head;
}

/** Undefined for bytes that no writer puts there. */
export function decodeHead(bytes: Buffer): ChunkHead | undefined {
  if (bytes.length < headLength || !bytes.subarray(0, 4).equals(chunkMagic)) return undefined;
  const kind = chunkKinds.find((known) => kindNumbers[known] === bytes[4]);
  const compression = bytes[5] === 0 ? 'none' : bytes[5] === 1 ? 'zstd' : undefined;
  const bodyLength = bytes.readUInt32BE(12);
  const first = bytes.readBigUInt64BE(16);
  const last = bytes.readBigUInt64BE(24);
  if (kind === undefined || compression === undefined || bytes.readUInt16BE(6) !== 0) return undefined;
  if (bodyLength > largestBody || last > BigInt(Number.MAX_SAFE_INTEGER) || first > last) return undefined;
  if (kind === 'seal' && bodyLength !== sealBodyLength) return undefined;
  return {
    kind,
    compression,
    events: bytes.readUInt32BE(8),
    bodyLength,
    first: Number(first),
    last: Number(last),
    nonce: Buffer.from(bytes.subarray(32, 44)),
    sequence: bytes.readUInt32BE(44),
    previous: Buffer.from(bytes.subarray(48, 80)),
    bodyHash: Buffer.from(bytes.subarray(80, 112)),
  };
}

const signedDomain = Buffer.from('sallyport recording chunk v1\n');

/** What the gateway signs for a chunk. */
export function signedBytes(preambleHash: Buffer, headHash: Buffer): Buffer {
  return Buffer.concat([signedDomain, preambleHash, headHash]);
}

export const tailHeadLength = 56;

/** The head of a tail file: which recording, and which chunk of it the tail's events will be. */
export interface TailHead {
  readonly preambleHash: Buffer;
  readonly generation: number;
  /** The session's start, milliseconds since the epoch: tells the recording's folder. */
  readonly startedAt: number;
}

export function encodeTailHead(head: TailHead): Buffer {
  const bytes = Buffer.alloc(tailHeadLength);
  tailMagic.copy(bytes);
  head.preambleHash.copy(bytes, 8);
  bytes.writeUInt32BE(head.generation, 40);
  bytes.writeBigUInt64BE(BigInt(head.startedAt), 48);
  return bytes;
}

export function decodeTailHead(bytes: Buffer): TailHead | undefined {
  if (bytes.length < tailHeadLength || !bytes.subarray(0, 8).equals(tailMagic)) return undefined;
  const startedAt = bytes.readBigUInt64BE(48);
  if (startedAt > BigInt(8.64e15)) return undefined;
  return {
    preambleHash: Buffer.from(bytes.subarray(8, 40)),
    generation: bytes.readUInt32BE(40),
    startedAt: Number(startedAt),
  };
}

export interface SealStatement {
  /** Chunks before the seal, the index included. */
  readonly chunks: number;
  readonly events: number;
  /** Seconds. */
  readonly duration: number;
  readonly outcome: 'complete' | 'interrupted';
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly sealedAt: number;
  /** Where the index chunk begins; absent after a crash. */
  readonly index?: number;
}

export function encodeSeal(statement: SealStatement): Buffer {
  const json = JSON.stringify({
    ...statement,
    reason: statement.reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 128),
  });
  return Buffer.from(json.padEnd(sealBodyLength, ' '));
}

/** Undefined for what isn't a seal's statement. */
export function decodeSeal(body: Buffer): SealStatement | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof raw !== 'object' || raw === null) return undefined;
  const { chunks, events, duration, outcome, reason, sealedAt, index }: Readonly<Record<string, unknown>> = {
    ...raw,
  };
  if (typeof chunks !== 'number' || typeof events !== 'number' || typeof duration !== 'number')
    return undefined;
  if (outcome !== 'complete' && outcome !== 'interrupted') return undefined;
  if (typeof reason !== 'string' || typeof sealedAt !== 'number') return undefined;
  const plain = { chunks, events, duration, outcome, reason, sealedAt } as const;
  return typeof index === 'number' ? { ...plain, index } : plain;
}
