// Remembers what the device printed since the first key of a line, to tell whether what was typed ever came back. It
// looks for the characters alone, wherever they were drawn; where they belong on screen is the line reader's business.
// What did not come back is taken for a secret, so every doubt here ends with text that is not stored.

/** Output of one line that is kept; what is older cannot be the echo of its keys. Bytes. */
const MOST_KEPT = 16_384;
const MOST_PARTS = 256;

const SEQUENCES =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x20\x7f-\xa0]/g;

const bare = (text: string): string => text.normalize('NFC').replace(SEQUENCES, '');

export class EchoWitness {
  /** What was seen, oldest first; text is made of it only when somebody asks. */
  #parts: Buffer[] = [];
  #bytes = 0;

  saw(bytes: Buffer): void {
    if (bytes.length >= MOST_KEPT) {
      // Bulk output is nobody's echo: only its end is kept.
      this.#parts = [bytes.subarray(-MOST_KEPT)];
      this.#bytes = MOST_KEPT;
      return;
    }
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes < 4 * MOST_KEPT && this.#parts.length < MOST_PARTS) return;
    const kept = Buffer.concat(this.#parts).subarray(-MOST_KEPT);
    this.#parts = [Buffer.from(kept)];
    this.#bytes = kept.length;
  }

  get #seen(): string {
    const all = Buffer.concat(this.#parts).subarray(-MOST_KEPT);
    this.#parts = [all];
    this.#bytes = all.length;
    return all.toString('utf8');
  }

  /** The text came back in one piece. */
  holds(text: string): boolean {
    return bare(this.#seen).includes(bare(text));
  }

  /** The characters came back in this order, with others between: editors draw a line in pieces. */
  holdsScattered(text: string): boolean {
    const seen = bare(this.#seen);
    let at = 0;
    for (const character of bare(text)) {
      const found = seen.indexOf(character, at);
      if (found === -1) return false;
      at = found + character.length;
    }
    return true;
  }
}
