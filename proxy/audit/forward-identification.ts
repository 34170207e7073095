// Watches the beginning of one direction of a forward for the line with which SSH starts (RFC 4253 section 4.2). What is
// seen is only that somebody speaks SSH inside; what they say there is encrypted and stays unread. SSH inside TLS or inside
// any other wrapping is not recognised. Pure.

/** A server may say other lines first, and a proxy its own protocol; further in it is content. Bytes. */
const WATCHED = 64 * 1024;
const LONGEST_START = 16;
const IDENTIFICATION = /(?:^|[^\x20-\x7e])SSH-(?:2\.0|1\.\d{1,2})-/;

export class IdentificationWatch {
  #seen = 0;
  #tail = '';

  /** True once, with the bytes that make the line's beginning complete. */
  push(data: Buffer): boolean {
    if (this.#seen >= WATCHED) return false;
    // Behind the beginning of the stream anything printable in front means that it is text about SSH.
    const text = this.#tail + data.toString('latin1', 0, WATCHED);
    const found = IDENTIFICATION.test(
      this.#seen === 0 || this.#tail.length < LONGEST_START ? text : ` ${text}`,
    );
    this.#seen = found ? WATCHED : this.#seen + data.length;
    this.#tail = text.slice(-LONGEST_START);
    return found;
  }
}
