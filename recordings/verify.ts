// Proves, or disproves, that a sealed recording is what the gateway wrote: every byte, in order, to its end. Needs the
// gateway's public key and nothing else: no other file, no network, no key that opens. It reads what may be hostile, so
// lengths are believed only under a valid signature. What it can't tell: who held the signing key.
import {
  type ChunkHead,
  chunkMagic,
  decodeHead,
  decodeSeal,
  frameLength,
  headLength,
  preambleFixed,
  preambleLength,
  type SealStatement,
  sha256,
  signedBytes,
  stateRedacted,
  stateWhole,
} from './chunk.ts';
import { RecordingError } from './errors.ts';
import { type Verifier, verifierOf } from './keys.ts';
import { openForReading, readExactly } from './open.ts';
import { type Preamble, readPreamble } from './preamble.ts';
import {
  type RedactionStatement,
  type Replacement,
  readReplacement,
  redactionLength,
  redactionSignedBytes,
} from './redaction.ts';

export type FindingKind =
  /** The end is missing: the file was cut, or the session still runs. */
  | 'truncated'
  /** Whole chunks stand in another order than they were written in, or twice. */
  | 'reordered'
  /** Bytes are there, but not those that were written. */
  | 'substituted'
  /** Something between the beginning and the end was taken out. */
  | 'gap'
  /** Bytes stand behind the seal. */
  | 'added'
  /** Signed throughout, but by another key than the one given. */
  | 'other-key';

export interface Finding {
  readonly kind: FindingKind;
  /** The first byte that is not vouched for, and the first one behind the part that is in doubt. */
  readonly offset: number;
  readonly end: number;
  readonly text: string;
}

export interface Verification {
  /** In the order of the file; none means proved. */
  readonly findings: readonly Finding[];
  readonly preamble: Preamble | undefined;
  readonly seal: SealStatement | undefined;
  readonly redactions: readonly RedactionStatement[];
  readonly chunks: number;
  readonly bytes: number;
}

export interface ByteSource {
  readonly size: number;
  /** Undefined when there are not so many bytes. */
  read(position: number, length: number): Promise<Buffer | undefined>;
}

export function bytesSource(bytes: Buffer): ByteSource {
  return {
    size: bytes.length,
    read: async (position, length) =>
      position + length > bytes.length ? undefined : bytes.subarray(position, position + length),
  };
}

/**
 * `session`: whose recording this has to be; without it any that is whole will do. Throws SP_RECORDING_MISSING.
 */
export async function verifyFile(
  path: string,
  verifiers: readonly Verifier[],
  session?: string,
): Promise<Verification> {
  await using handle = await openForReading(path);
  const { size } = await handle.stat();
  const source = { size, read: (at: number, length: number) => readExactly(handle, at, length) };
  const verified = await verifyRecording(source, verifiers);
  const found = verified.preamble?.session.id;
  if (session === undefined || found === undefined || found === session) return verified;
  const text = `this is the recording of session ${JSON.stringify(found.slice(0, 64))}, not of ${session}`;
  const other: Finding = { kind: 'substituted', offset: 0, end: size, text };
  return { ...verified, findings: [other, ...verified.findings] };
}

interface Frame {
  readonly offset: number;
  readonly state: number;
  readonly head: ChunkHead;
  readonly hash: Buffer;
}

type FrameReading =
  | { readonly kind: 'signed'; readonly frame: Frame }
  | { readonly kind: 'unsigned'; readonly headHash: Buffer; readonly head: ChunkHead | undefined }
  | { readonly kind: 'short' };

const scanned = 1024 * 1024;

export async function verifyRecording(
  source: ByteSource,
  verifiers: readonly Verifier[],
): Promise<Verification> {
  const walk = new Walk(source, verifiers);
  await walk.run();
  return walk.result();
}

class Walk {
  readonly #source: ByteSource;
  readonly #verifiers: readonly Verifier[];
  readonly #findings: Finding[] = [];
  readonly #redactions: RedactionStatement[] = [];
  readonly #frames: Frame[] = [];
  #preamble: Preamble | undefined;
  #preambleHash: Buffer = Buffer.alloc(0);
  #seal: SealStatement | undefined;

  constructor(source: ByteSource, verifiers: readonly Verifier[]) {
    this.#source = source;
    this.#verifiers = verifiers;
  }

  result(): Verification {
    return {
      findings: this.#findings.sort((one, other) => one.offset - other.offset),
      preamble: this.#preamble,
      seal: this.#seal,
      redactions: this.#redactions,
      chunks: this.#frames.length,
      bytes: this.#source.size,
    };
  }

  async run(): Promise<void> {
    const start = await this.#readPreamble();
    if (start === undefined) return;
    if (!(await this.#firstChunkFits(start))) return;
    await this.#readChunks(start);
    this.#judgeOrder();
    this.#judgeSeal();
  }

  #find(kind: FindingKind, offset: number, end: number, text: string): void {
    this.#findings.push({ kind, offset, end, text });
  }

  /** Where the first chunk stands. */
  async #readPreamble(): Promise<number | undefined> {
    const { size } = this.#source;
    const fixed = await this.#source.read(0, preambleFixed);
    if (fixed === undefined) {
      this.#find('truncated', size, size, 'the file ends before its header');
      return undefined;
    }
    let length: number;
    try {
      length = preambleLength(fixed);
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.#find('substituted', 0, preambleFixed, error.message);
      return undefined;
    }
    const bytes = await this.#source.read(0, length);
    if (bytes === undefined) {
      if ((await this.#findMagic(preambleFixed)) === undefined)
        this.#find('truncated', size, size, 'the file ends in its header');
      else this.#find('substituted', 8, preambleFixed, "the header's length was changed");
      return undefined;
    }
    try {
      this.#preamble = readPreamble(bytes);
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error;
      this.#find('substituted', 8, length, error.message);
      return undefined;
    }
    this.#preambleHash = sha256(bytes);
    return length;
  }

  /** Tells a changed header and a foreign key from a changed first chunk. */
  async #firstChunkFits(start: number): Promise<boolean> {
    const first = await this.#frameAt(start);
    if (first.kind !== 'unsigned') return true;
    const { signer } = this.#preamble ?? { signer: { id: '', key: '' } };
    const raw = Buffer.from(signer.key, 'base64');
    if (raw.length === 32 && this.#verifiers.every(({ id }) => id !== signer.id)) {
      const claimed = verifierOf(raw);
      if (claimed.id === signer.id && (await this.#frameAt(start, [claimed])).kind === 'signed') {
        this.#find(
          'other-key',
          0,
          this.#source.size,
          `signed with the key ${claimed.id}, not with the one given`,
        );
        return false;
      }
    }
    // Is there any chunk that the key signed for this header?
    if ((await this.#nextSigned(start + 1)) !== undefined) return true;
    if (
      first.head !== undefined &&
      first.head.sequence === 0 &&
      first.head.previous.equals(this.#preambleHash)
    ) {
      return true;
    }
    this.#find('substituted', 0, start, 'the header is not the one that was signed');
    return false;
  }

  async #frameAt(offset: number, verifiers = this.#verifiers): Promise<FrameReading> {
    const bytes = await this.#source.read(offset, frameLength);
    if (bytes === undefined) return { kind: 'short' };
    const headBytes = bytes.subarray(1, 1 + headLength);
    const head = decodeHead(headBytes);
    const hash = sha256(headBytes);
    const signature = bytes.subarray(1 + headLength);
    const signed = signedBytes(this.#preambleHash, hash);
    if (head === undefined || !verifiers.some((verifier) => verifier.verify(signed, signature))) {
      return { kind: 'unsigned', headHash: hash, head };
    }
    return { kind: 'signed', frame: { offset, state: bytes[0] ?? 0xff, head, hash } };
  }

  async #findMagic(from: number): Promise<number | undefined> {
    for (let at = from; at < this.#source.size; ) {
      const length = Math.min(scanned, this.#source.size - at);
      const bytes = await this.#source.read(at, length);
      if (bytes === undefined) return undefined;
      const found = bytes.indexOf(chunkMagic);
      if (found >= 0) return at + found;
      if (length < scanned) return undefined;
      at += length - (chunkMagic.length - 1);
    }
    return undefined;
  }

  /** The next chunk with a valid signature at or behind `from`. */
  async #nextSigned(from: number): Promise<Frame | undefined> {
    for (let at = from; ; ) {
      const magic = await this.#findMagic(at + 1);
      if (magic === undefined) return undefined;
      const reading = await this.#frameAt(magic - 1);
      if (reading.kind === 'signed') return reading.frame;
      at = magic;
    }
  }

  async #readChunks(start: number): Promise<void> {
    const { size } = this.#source;
    for (let offset = start; offset < size; ) {
      if (this.#frames.at(-1)?.head.kind === 'seal') {
        const more = await this.#nextSigned(offset);
        if (more?.offset !== offset) {
          this.#find('added', offset, more?.offset ?? size, 'bytes stand behind the seal');
          if (more === undefined) return;
          offset = more.offset;
        }
      }
      const reading = await this.#frameAt(offset);
      switch (reading.kind) {
        case 'short':
          this.#find(
            'truncated',
            size,
            size,
            `the file ends in the head of a chunk that begins at byte ${offset}`,
          );
          return;
        case 'unsigned': {
          const next = await this.#nextSigned(offset + 1);
          const end = next?.offset ?? size;
          if (next?.head.previous.equals(reading.headHash) === true) {
            this.#find(
              'substituted',
              offset + 1 + headLength,
              offset + frameLength,
              "a chunk's signature was changed",
            );
          } else {
            this.#find('substituted', offset, end, 'these bytes are no chunk that the gateway signed');
          }
          if (next === undefined) return;
          offset = next.offset;
          break;
        }
        case 'signed': {
          this.#frames.push(reading.frame);
          const next = await this.#readBody(reading.frame);
          if (next === undefined) return;
          offset = next;
        }
      }
    }
  }

  /** Where the next chunk stands; undefined when the file ends. */
  async #readBody(frame: Frame): Promise<number | undefined> {
    const { size } = this.#source;
    const from = frame.offset + frameLength;
    if (frame.state === stateRedacted) return this.#readRedaction(frame, from);
    const end = from + frame.head.bodyLength;
    if (frame.state !== stateWhole) {
      this.#find('substituted', frame.offset, frame.offset + 1, "a chunk's state is none that exists");
      return end;
    }
    const body = await this.#source.read(from, frame.head.bodyLength);
    if (body === undefined) {
      const inside = await this.#nextSigned(from);
      if (inside === undefined) {
        this.#find('truncated', size, size, `the file ends in the body of chunk ${frame.head.sequence}`);
        return undefined;
      }
      this.#find('gap', from, inside.offset, `bytes of chunk ${frame.head.sequence} are missing`);
      return inside.offset;
    }
    if (!sha256(body).equals(frame.head.bodyHash)) {
      const redaction = await this.#redactionAt(from);
      if (redaction !== undefined) {
        this.#find('substituted', frame.offset, frame.offset + 1, "a redacted chunk's state was changed");
        return from + redaction.length;
      }
      const inside = await this.#nextSigned(from);
      const cut = inside !== undefined && inside.offset < end;
      const stop = cut ? inside.offset : end;
      const what = `the body of chunk ${frame.head.sequence}`;
      if (cut) this.#find('gap', from, stop, `bytes of ${what} are missing`);
      else this.#find('substituted', from, stop, `${what} was changed`);
      return stop;
    }
    if (frame.head.kind === 'seal') this.#seal = decodeSeal(body);
    return end;
  }

  async #readRedaction(frame: Frame, from: number): Promise<number | undefined> {
    const { size } = this.#source;
    const bad = (offset: number, end: number): number => {
      this.#find('substituted', offset, end, `the redaction of chunk ${frame.head.sequence} is not signed`);
      return end;
    };
    const start = await this.#source.read(from, 8);
    const length = start === undefined ? undefined : redactionLength(start);
    if (length === undefined || from + length > size) {
      // A whole chunk whose state byte alone was changed reads on.
      const body = await this.#source.read(from, frame.head.bodyLength);
      if (body !== undefined && sha256(body).equals(frame.head.bodyHash)) {
        bad(frame.offset, frame.offset + 1);
        return from + frame.head.bodyLength;
      }
      const next = await this.#nextSigned(from);
      if (next === undefined) {
        if (length === undefined) bad(from, size);
        else
          this.#find(
            'truncated',
            size,
            size,
            `the file ends in the redaction of chunk ${frame.head.sequence}`,
          );
        return undefined;
      }
      return bad(from, next.offset);
    }
    const redaction = await this.#redactionAt(from);
    if (redaction === undefined) {
      const body = await this.#source.read(from, frame.head.bodyLength);
      if (body !== undefined && sha256(body).equals(frame.head.bodyHash)) {
        bad(frame.offset, frame.offset + 1);
        return from + frame.head.bodyLength;
      }
      return bad(from, from + length);
    }
    const { replacement } = redaction;
    const { statement } = replacement;
    const fits =
      statement.sequence === frame.head.sequence &&
      statement.body === frame.head.bodyHash.toString('hex') &&
      statement.replacement === sha256(replacement.bound, replacement.body).toString('hex');
    if (!fits) return bad(from, from + length);
    this.#redactions.push(statement);
    return from + length;
  }

  /** A redaction that the gateway signed. */
  async #redactionAt(
    from: number,
  ): Promise<{ readonly replacement: Replacement; readonly length: number } | undefined> {
    const start = await this.#source.read(from, 8);
    const length = start === undefined ? undefined : redactionLength(start);
    const bytes = length === undefined ? undefined : await this.#source.read(from, length);
    const replacement = bytes === undefined ? undefined : readReplacement(bytes);
    if (length === undefined || replacement === undefined) return undefined;
    const signed = redactionSignedBytes(this.#preambleHash, replacement.statementBytes);
    const right = this.#verifiers.some((verifier) => verifier.verify(signed, replacement.signature));
    return right ? { replacement, length } : undefined;
  }

  #judgeOrder(): void {
    const places = new Map<number, number>();
    for (const { head, offset } of this.#frames) places.set(head.sequence, offset);
    let expected = 0;
    let previous: Buffer = this.#preambleHash;
    for (const [index, frame] of this.#frames.entries()) {
      const { sequence } = frame.head;
      if (sequence < expected) {
        this.#find(
          'reordered',
          frame.offset,
          frame.offset + frameLength,
          `chunk ${sequence} stands behind chunk ${expected - 1}`,
        );
      } else {
        const missing = Array.from({ length: Math.min(sequence - expected, 1000) }, (_, n) => expected + n);
        const later = missing.filter((number) => places.has(number));
        const damaged = this.#findings.some(
          ({ kind, offset, end }) =>
            kind !== 'added' &&
            offset < frame.offset &&
            end >= frame.offset &&
            end > (this.#frames[index - 1]?.offset ?? 0),
        );
        if (later.length > 0) {
          this.#find(
            'reordered',
            frame.offset,
            frame.offset + frameLength,
            `chunk ${sequence} stands before chunk ${later[0]}`,
          );
        } else if (missing.length > (damaged ? 1 : 0)) {
          this.#find('gap', frame.offset, frame.offset, `chunks ${expected} to ${sequence - 1} are missing`);
        } else if (missing.length === 0 && !frame.head.previous.equals(previous)) {
          this.#find(
            'substituted',
            frame.offset,
            frame.offset + frameLength,
            `chunk ${sequence} does not follow the one before it`,
          );
        }
        expected = sequence + 1;
      }
      previous = frame.hash;
    }
  }

  #judgeSeal(): void {
    const { size } = this.#source;
    const last = this.#frames.findLast(({ head }) => head.kind === 'seal');
    if (last === undefined) {
      if (!this.#findings.some(({ kind }) => kind === 'truncated')) {
        this.#find(
          'truncated',
          size,
          size,
          'the seal is missing: the file was cut, or the session still runs',
        );
      }
      return;
    }
    const events = this.#frames.reduce(
      (sum, { head }) => sum + (head.kind === 'events' ? head.events : 0),
      0,
    );
    const { sequence } = last.head;
    if (this.#findings.length > 0) return;
    if (this.#seal === undefined || this.#seal.chunks !== sequence || this.#seal.events !== events) {
      this.#find('substituted', last.offset, size, 'the seal does not fit what it seals');
    }
  }
}
