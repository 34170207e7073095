// SSH's data types (RFC 4251, section 5), read with bounds checks and written with one allocation. Nothing here
// knows a message; a reader throws SP_MALFORMED_MESSAGE at the first byte that is missing or left over.
import { isUtf8 } from 'node:buffer';
import { TransportError } from './errors.ts';

/** RFC 4251, section 6: names are printable US-ASCII, without whitespace and comma, of at most 64 characters. */
const NAME_LIMIT = 64;
/** Longest text taken where no smaller limit is given; a packet is about as long. */
const TEXT_LIMIT = 32_768;
/** Longest name-list: key exchange lists of real peers stay below 2 KiB. */
const LIST_LIMIT = 8_192;

export function malformed(what: string): TransportError {
  return new TransportError('SP_MALFORMED_MESSAGE', `malformed message: ${what}`);
}

export class MessageReader {
  readonly #buffer: Buffer;
  #position: number;

  constructor(buffer: Buffer, position = 0) {
    this.#buffer = buffer;
    this.#position = position;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#buffer.length - this.#position;
  }

  byte(): number {
    const value = this.#buffer[this.#position];
    if (value === undefined) throw malformed('a byte is missing');
    this.#position += 1;
    return value;
  }

  /** RFC 4251: everything but zero is true. */
  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    if (this.remaining < 4) throw malformed('a uint32 is cut short');
    const value = this.#buffer.readUInt32BE(this.#position);
    this.#position += 4;
    return value;
  }

  uint64(): bigint {
    if (this.remaining < 8) throw malformed('a uint64 is cut short');
    const value = this.#buffer.readBigUInt64BE(this.#position);
    this.#position += 8;
    return value;
  }

  /** A string as bytes: a view of the message, not a copy. */
  string(limit = Number.POSITIVE_INFINITY): Buffer {
    const length = this.uint32();
    if (length > this.remaining) throw malformed('a string is longer than its message');
    if (length > limit) throw malformed(`a string of ${length} bytes where at most ${limit} are allowed`);
    const start = this.#position;
    this.#position += length;
    return this.#buffer.subarray(start, this.#position);
  }

  /** A string that must be UTF-8. */
  text(limit = TEXT_LIMIT): string {
    const bytes = this.string(limit);
    if (!isUtf8(bytes)) throw malformed('text that is not UTF-8');
    return bytes.toString('utf8');
  }

  /** Text for people (prompts, banners, reasons): old devices send other encodings, so bad UTF-8 becomes U+FFFD. */
  looseText(limit = TEXT_LIMIT): string {
    return this.string(limit).toString('utf8');
  }

  /** A name: a method, a service, an algorithm, a request or channel type. */
  name(): string {
    const bytes = this.string(NAME_LIMIT);
    if (bytes.length === 0) throw malformed('an empty name');
    for (const byte of bytes) {
      if (byte <= 0x20 || byte >= 0x7f || byte === 0x2c) throw malformed('a name with a forbidden character');
    }
    return bytes.toString('latin1');
  }

  /** A comma-separated list of names; empty when the string is. */
  nameList(): string[] {
    const bytes = this.string(LIST_LIMIT);
    if (bytes.length === 0) return [];
    for (const byte of bytes) {
      if (byte <= 0x20 || byte >= 0x7f) throw malformed('a name-list with a forbidden character');
    }
    const names = bytes.toString('latin1').split(',');
    if (names.some((name) => name === '')) throw malformed('a name-list with an empty name');
    return names;
  }

  /** A TCP port sent as uint32. */
  port(): number {
    const value = this.uint32();
    if (value > 65_535) throw malformed(`port ${value}`);
    return value;
  }

  /** All that is left: a view. */
  rest(): Buffer {
    const start = this.#position;
    this.#position = this.#buffer.length;
    return this.#buffer.subarray(start);
  }

  /** Nothing may be left. */
  end(): void {
    if (this.remaining !== 0) throw malformed(`${this.remaining} bytes too many`);
  }
}

type Part = { readonly kind: 'byte' | 'uint32'; readonly value: number } | Buffer;

/** Collects the fields of a message; `build` allocates once. */
export class MessageWriter {
  readonly #parts: Part[] = [];
  #length = 0;

  byte(value: number): this {
    this.#parts.push({ kind: 'byte', value });
    this.#length += 1;
    return this;
  }

  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    this.#parts.push({ kind: 'uint32', value });
    this.#length += 4;
    return this;
  }

  string(value: Buffer | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    return this.uint32(bytes.length).raw(bytes);
  }

  nameList(names: readonly string[]): this {
    return this.string(names.join(','));
  }

  /** Bytes without a length before them. */
  raw(value: Buffer): this {
    this.#parts.push(value);
    this.#length += value.length;
    return this;
  }

  build(): Buffer {
    const out = Buffer.allocUnsafe(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      if (Buffer.isBuffer(part)) {
        out.set(part, at);
        at += part.length;
      } else if (part.kind === 'byte') {
        out[at] = part.value;
        at += 1;
      } else {
        at = out.writeUInt32BE(part.value, at);
      }
    }
    return out;
  }
}
