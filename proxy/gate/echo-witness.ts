// Remembers what the device printed since the first key of a line, to tell whether what was typed ever came back. It
// looks for the characters alone, wherever they were drawn; where they belong on screen is the line reader's business.
// What did not come back is taken for a secret, so every doubt here ends with text that is not stored.

/** Output of one line that is kept; what is older cannot be the echo of its keys. Characters. */
const MOST_KEPT = 16_384;

const SEQUENCES =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x20\x7f-\xa0]/g;

const bare = (text: string): string => text.normalize('NFC').replace(SEQUENCES, '');

export class EchoWitness {
  readonly #decoder = new TextDecoder();
  #seen = '';

  saw(bytes: Buffer): void {
    // Bulk output is nobody's echo: only its end is kept.
    const part = bytes.length > MOST_KEPT ? bytes.subarray(bytes.length - MOST_KEPT) : bytes;
    this.#seen = (this.#seen + this.#decoder.decode(part, { stream: true })).slice(-MOST_KEPT);
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
