// The user's keys that have not been let through, in their order, and how many bytes they hold. Decides nothing about
// them.
import { type KeyToken, KeyTokenizer } from '../terminal/keys.ts';
import { ESCAPE_WAIT } from './timing.ts';

export class InputQueue {
  readonly #tokenizer = new KeyTokenizer();
  #tokens: KeyToken[] = [];
  #bytes = 0;
  #escapeAt = 0;

  /** Bytes that are kept, those of a key that is not complete included. */
  get keptBytes(): number {
    return this.#bytes + this.#tokenizer.pendingBytes;
  }

  /** Bytes of the keys that are in the queue. */
  get queuedBytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#tokens.length;
  }

  get first(): KeyToken | undefined {
    return this.#tokens[0];
  }

  /** The end of a paste has not come yet. */
  get pasting(): boolean {
    return this.#tokenizer.pasting;
  }

  /** When a key that may be complete must be taken as it is. */
  get flushAt(): number | undefined {
    return this.#tokenizer.waiting ? this.#escapeAt : undefined;
  }

  /** Cuts input into keys; they are not in the queue yet. */
  cut(bytes: Buffer, now: number): readonly KeyToken[] {
    const tokens = this.#tokenizer.push(bytes);
    if (this.#tokenizer.waiting) this.#escapeAt = now + ESCAPE_WAIT;
    return tokens;
  }

  /** The keys of what has waited long enough for its rest. */
  flush(now: number): readonly KeyToken[] {
    if (!this.#tokenizer.waiting || now < this.#escapeAt) return [];
    const tokens = this.#tokenizer.flush();
    if (this.#tokenizer.waiting) this.#escapeAt = now + ESCAPE_WAIT;
    return tokens;
  }

  push(token: KeyToken): void {
    this.#tokens.push(token);
    this.#bytes += token.bytes.length;
  }

  shift(): KeyToken | undefined {
    const token = this.#tokens.shift();
    if (token !== undefined) this.#bytes -= token.bytes.length;
    return token;
  }

  putBack(tokens: readonly KeyToken[]): void {
    this.#tokens.unshift(...tokens);
    for (const token of tokens) this.#bytes += token.bytes.length;
  }

  /** Takes everything up to and with the end of the paste whose start was taken before; undefined if it is not here. */
  restOfPaste(): readonly KeyToken[] | undefined {
    const end = this.#tokens.findIndex((token) => token.kind === 'paste-end');
    return end === -1 ? undefined : this.#splice(end + 1);
  }

  /** Ctrl-C while the user waits for a decision: it and everything before it is gone. */
  cancelled(): boolean {
    const at = this.#tokens.findIndex((token) => token.kind === 'control' && token.code === 0x03);
    if (at === -1) return false;
    this.#splice(at + 1);
    return true;
  }

  clear(): void {
    this.#tokens = [];
    this.#bytes = 0;
  }

  #splice(count: number): KeyToken[] {
    const tokens = this.#tokens.splice(0, count);
    for (const token of tokens) this.#bytes -= token.bytes.length;
    return tokens;
  }
}
