// Output that waits until somebody looks, in one buffer of its own: what comes may lie in memory that is used again, and
// a buffer for each piece would only be garbage. It does not bound itself: its owner drops what is too old.

const FIRST_SIZE = 1_024;
/** More room than this is not kept once nothing waits. */
const MOST_IDLE = 4_096;
const NOTHING = Buffer.alloc(0);

export class WaitingOutput {
  #buffer = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What waits. Valid until something is added or dropped. */
  get data(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  add(data: Buffer): void {
    const length = this.#length + data.length;
    if (length > this.#buffer.length) {
      let size = Math.max(FIRST_SIZE, this.#buffer.length);
      while (size < length) size *= 2;
      const larger = Buffer.allocUnsafeSlow(size);
      this.data.copy(larger);
      this.#buffer = larger;
    }
    data.copy(this.#buffer, this.#length);
    this.#length = length;
  }

  /** Drops all but so many bytes at the end. */
  keepLast(bytes: number): void {
    if (bytes >= this.#length) return;
    this.#buffer.copyWithin(0, this.#length - bytes, this.#length);
    this.#length = bytes;
  }

  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > MOST_IDLE) this.#buffer = NOTHING;
  }
}
