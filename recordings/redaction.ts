// A chunk that was redacted after its recording was sealed: its body is gone, and in its place stand a statement that
// the gateway signed (who, when, why, which body) and, sealed anew, the events that may stay. The chunk's head and
// signature stay as they were, so the proof of all other chunks holds. Pure: bytes in, bytes out.
import { boundLength, largestBody, sha256, signatureLength } from './chunk.ts';

export interface RedactionStatement {
  readonly sequence: number;
  /** SHA-256 of the body that was there, hex. */
  readonly body: string;
  /** SHA-256 of what stands there now, hex: the bound part of its head and its body. */
  readonly replacement: string;
  readonly by: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The statement of a redaction before this one, as it was. */
  readonly earlier?: string | undefined;
}

export interface Replacement {
  readonly statementBytes: Buffer;
  readonly signature: Buffer;
  readonly statement: RedactionStatement;
  readonly bound: Buffer;
  readonly body: Buffer;
}

const lengths = 8;
const largestStatement = 64 * 1024;
const domain = Buffer.from('sallyport recording redaction v1\n');

/** Bytes of the whole replacement, from its first eight. */
export function redactionLength(start: Buffer): number | undefined {
  if (start.length < lengths) return undefined;
  const statement = start.readUInt32BE(0);
  const body = start.readUInt32BE(4);
  if (statement > largestStatement || body > largestBody) return undefined;
  return lengths + statement + signatureLength + boundLength + body;
}

export function redactionSignedBytes(preambleHash: Buffer, statement: Buffer): Buffer {
  return Buffer.concat([domain, preambleHash, statement]);
}

export function encodeReplacement(
  statement: Omit<RedactionStatement, 'replacement'>,
  bound: Buffer,
  body: Buffer,
  sign: (statementBytes: Buffer) => Buffer,
): Buffer {
  const replacement = sha256(bound, body).toString('hex');
  const statementBytes = Buffer.from(JSON.stringify({ ...statement, replacement }));
  const start = Buffer.alloc(lengths);
  start.writeUInt32BE(statementBytes.length, 0);
  start.writeUInt32BE(body.length, 4);
  return Buffer.concat([start, statementBytes, sign(statementBytes), bound, body]);
}

/** Undefined for bytes that no redaction writes. */
export function readReplacement(bytes: Buffer): Replacement | undefined {
  if (redactionLength(bytes) !== bytes.length) return undefined;
  const end = lengths + bytes.readUInt32BE(0);
  const statementBytes = bytes.subarray(lengths, end);
  const bound = bytes.subarray(end + signatureLength, end + signatureLength + boundLength);
  const body = bytes.subarray(end + signatureLength + boundLength);
  let raw: unknown;
  try {
    raw = JSON.parse(statementBytes.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof raw !== 'object' || raw === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...raw };
  const { sequence, at, by, reason, replacement, earlier } = fields;
  const original = fields['body'];
  if (typeof sequence !== 'number' || typeof at !== 'number' || typeof by !== 'string') return undefined;
  if (typeof reason !== 'string' || typeof original !== 'string' || typeof replacement !== 'string')
    return undefined;
  return {
    statementBytes,
    signature: bytes.subarray(end, end + signatureLength),
    statement: {
      sequence,
      at,
      by,
      reason,
      replacement,
      body: original,
      ...(typeof earlier === 'string' ? { earlier } : {}),
    },
    bound,
    body,
  };
}
