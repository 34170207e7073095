// Remembers what the device printed since the first key of a line, to tell whether what was typed ever came back. It
// looks for the characters alone, wherever they were drawn; where they belong on screen is the line reader's business.
// What did not come back is taken for a secret, so every doubt here ends with text that is not stored.
import { WaitingOutput } from '../terminal/waiting-output.ts';

/** Output of one line that is kept; what is older cannot be the echo of its keys. Bytes. */
const MOST_KEPT = 16_384;

const SEQUENCES =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x20\x7f-\xa0]/g;

const bare = (text: string): string => text.normalize('NFC').replace(SEQUENCES, '');

/** The end of all that the device has printed; text is made of it only when somebody asks. */
export class EchoLog {
  readonly #kept = new WaitingOutput();
  #total = 0;

  saw(bytes: Buffer): void {
    this.#total += bytes.length;
    // Bulk output is nobody's echo: only its end is kept.
    const end = bytes.subarray(-MOST_KEPT);
    if (this.#kept.length + end.length > 2 * MOST_KEPT) this.#kept.keepLast(MOST_KEPT);
    this.#kept.add(end);
  }

  /** Watches from now on. */
  witness(): EchoWitness {
    return new EchoWitness(this, this.#total);
  }

  /** Bytes that were seen in all. */
  get total(): number {
    return this.#total;
  }

  /** What was printed since `from` bytes had been, as far as it is kept. */
  since(from: number): string {
    const wanted = Math.min(MOST_KEPT, this.#total - from);
    return wanted === 0 ? '' : this.#kept.data.subarray(-wanted).toString('utf8');
  }
}

export class EchoWitness {
  readonly #log: EchoLog;
  readonly #from: number;

  constructor(log: EchoLog, from: number) {
    this.#log = log;
    this.#from = from;
  }

  /** Nothing came since. */
  get silent(): boolean {
    return this.#log.total === this.#from;
  }

  /** The text came back in one piece. */
  holds(text: string): boolean {
    return bare(this.#log.since(this.#from)).includes(bare(text));
  }

  /** The characters came back in this order, with others between: editors draw a line in pieces. */
  holdsScattered(text: string): boolean {
    const seen = bare(this.#log.since(this.#from));
    let at = 0;
    for (const character of bare(text)) {
      const found = seen.indexOf(character, at);
      if (found === -1) return false;
      at = found + character.length;
    }
    return true;
  }
}
