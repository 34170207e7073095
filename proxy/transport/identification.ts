// Gathers the peer's identification line (RFC 4253, section 4.2), however its bytes are cut into segments, and
// whatever greeting a server sends before it. Pure: bytes in, a decision out. Time limits are the transport's.
import { printable, TransportError } from './errors.ts';

/** RFC 4253: 255 characters with CR LF. */
const LINE_LIMIT = 255;
/** What OpenSSH's client takes before a server's identification. */
const GREETING_LINES_LIMIT = 1_024;
const GREETING_LINE_LIMIT = 8_192;
const GREETING_LIMIT = 65_536;

const START = 'SSH-';
const IDENTIFICATION = /^SSH-(?:2\.0|1\.99)-[!-~]+(?: [^\0\r]*)?$/;

export class IdentificationReader {
  readonly #greetingAllowed: boolean;
  /** The line so far, without its newline. */
  readonly #line: Buffer;
  #length = 0;
  #greetingLines = 0;
  #greetingLength = 0;

  /** Greeting lines are allowed from a server only. */
  constructor(peer: 'server' | 'client') {
    this.#greetingAllowed = peer === 'server';
    this.#line = Buffer.allocUnsafe(this.#greetingAllowed ? GREETING_LINE_LIMIT : LINE_LIMIT);
  }

  /**
   * Takes a chunk. Undefined: more is needed. Otherwise the line as bytes, without CR LF, and what follows it.
   * Throws SP_BAD_IDENTIFICATION as soon as the bytes can't be an identification any more.
   */
  take(chunk: Buffer): { readonly line: Buffer; readonly rest: Buffer } | undefined {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(0x0a, from);
      this.#append(chunk.subarray(from, newline === -1 ? chunk.length : newline));
      if (newline === -1) return undefined;
      from = newline + 1;
      const line = this.#endLine();
      if (line !== undefined) return { line, rest: chunk.subarray(from) };
    }
  }

  #append(part: Buffer): void {
    if (this.#length + part.length > this.#line.length) throw bad('a line that is too long');
    this.#line.set(part, this.#length);
    this.#length += part.length;
    const start = this.#line.toString('latin1', 0, Math.min(this.#length, START.length));
    if (START.startsWith(start)) {
      if (this.#length > LINE_LIMIT - 1) throw bad('a line that is too long');
      return;
    }
    if (!this.#greetingAllowed) throw bad(`"${printable(this.#text(), 40)}" in place of an identification`);
    if (this.#greetingLength + this.#length > GREETING_LIMIT) throw bad('a greeting that is too long');
  }

  #endLine(): Buffer | undefined {
    if (this.#line[this.#length - 1] === 0x0d && this.#length > 0) this.#length -= 1;
    const text = this.#text();
    if (text.startsWith(START)) {
      if (!IDENTIFICATION.test(text)) throw bad(`"${printable(text, 80)}", which is not SSH 2.0`);
      return Buffer.from(this.#line.subarray(0, this.#length));
    }
    if (!this.#greetingAllowed) throw bad('an empty line in place of an identification');
    this.#greetingLines += 1;
    this.#greetingLength += this.#length + 1;
    if (this.#greetingLines > GREETING_LINES_LIMIT) throw bad('a greeting of too many lines');
    this.#length = 0;
    return undefined;
  }

  #text(): string {
    return this.#line.toString('latin1', 0, this.#length);
  }
}

function bad(what: string): TransportError {
  return new TransportError('SP_BAD_IDENTIFICATION', `the peer sent ${what}`);
}
