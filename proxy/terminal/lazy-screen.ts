// The screen without the cost of drawing everything: output waits unparsed until someone looks or a sequence that
// is not plain text comes, and of a long plain stretch only the end that can still be seen is drawn. What is seen
// is the same as if everything had been drawn (a property test holds it to that).
import { type OutputEvent, OutputScanner } from './modes.ts';
import { type Look, type Position, type Row, Screen, type ScreenView } from './screen.ts';

/** Plain output beyond this many waiting bytes is cut down to its end. */
const CUT_ABOVE = 131_072;
/** Colours that a skipped stretch left on are replayed; more of them than this and nothing is skipped. */
const MAXIMUM_STYLES = 2_048;

const SGR = /\x1b\[[\d;:]*m/g;

export class LazyScreen implements ScreenView {
  readonly #screen: Screen;
  readonly #scanner = new OutputScanner();
  readonly #scrollback: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #skipped = 0;

  constructor(columns: number, rows: number, scrollback = 200) {
    this.#screen = new Screen(columns, rows, scrollback);
    this.#scrollback = scrollback;
  }

  [Symbol.dispose](): void {
    this.#waiting = [];
    this.#screen[Symbol.dispose]();
  }

  get modes(): OutputScanner {
    return this.#scanner;
  }

  /** Grows each time output was skipped: row numbers from before mean nothing then. */
  get skipped(): number {
    return this.#skipped;
  }

  /**
   * Takes output. `onEvent` is called for each mode change and mark at the moment when exactly the output up to it
   * has been taken, so that it may look at the cursor.
   */
  write(data: Buffer, onEvent?: (event: OutputEvent, rest: Buffer) => void): void {
    let from = 0;
    const events = this.#scanner.scan(data);
    let lastOther = 0;
    for (const event of events) {
      if (event.kind === 'other') {
        lastOther = event.at;
        continue;
      }
      this.#take(data.subarray(from, event.at));
      from = event.at;
      this.#draw();
      onEvent?.(event, data.subarray(from));
    }
    if (lastOther > from) {
      this.#take(data.subarray(from, lastOther));
      from = lastOther;
      this.#draw();
    }
    this.#take(data.subarray(from));
    if (this.#waitingBytes > CUT_ABOVE) this.#cut();
  }

  resize(columns: number, rows: number): void {
    this.#draw();
    this.#screen.resize(columns, rows);
  }

  get columns(): number {
    return this.#screen.columns;
  }

  get rows(): number {
    return this.#screen.rows;
  }

  get cursor(): Position {
    this.#draw();
    return this.#screen.cursor;
  }

  get alternate(): boolean {
    this.#draw();
    return this.#screen.alternate;
  }

  get top(): number {
    this.#draw();
    return this.#screen.top;
  }

  row(row: number): Row | undefined {
    this.#draw();
    return this.#screen.row(row);
  }

  /** Shows the emulator to `look`, which must not change it; undefined when the screen is gone. */
  picture<T>(look: Look<T>): T | undefined {
    this.#draw();
    return this.#screen.picture(look);
  }

  #take(data: Buffer): void {
    if (data.length === 0) return;
    this.#waiting.push(data);
    this.#waitingBytes += data.length;
  }

  #draw(): void {
    if (this.#waitingBytes === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const data of waiting) this.#screen.write(data);
  }

  /** Everything that waits is text, line ends and colours. Drops all but the last lines that can still be seen. */
  #cut(): void {
    const data =
      this.#waiting.length === 1 ? (this.#waiting[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#waiting);
    this.#waiting = [data];
    const keep = this.#screen.rows + this.#scrollback + 1;
    let cut = data.length;
    for (let lines = 0; lines <= keep; lines++) {
      cut = cut <= 0 ? -1 : data.lastIndexOf('\r\n', cut - 1, 'latin1');
      if (cut === -1) break;
    }
    let above = cut;
    for (let lines = 0; above > 0 && lines <= this.#screen.rows; lines++) {
      above = data.lastIndexOf(0x0a, above - 1);
    }
    if (cut <= 0 || above <= 0 || this.#scanner.margins) {
      this.#draw();
      return;
    }
    const styles = this.#styles(data.toString('latin1', 0, cut));
    if (styles === undefined) {
      this.#draw();
      return;
    }
    // The skipped lines would have left the cursor at the start of the last row, below a full page.
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#screen.write(`${styles}\x1b[${this.#screen.rows};1H`);
    this.#take(data.subarray(cut));
    this.#skipped += 1;
  }

  #styles(skipped: string): string | undefined {
    const last = Math.max(skipped.lastIndexOf('\x1b[m'), skipped.lastIndexOf('\x1b[0m'));
    const from = last === -1 ? 0 : last;
    const styles = skipped.slice(from).match(SGR)?.join('') ?? '';
    return styles.length > MAXIMUM_STYLES ? undefined : styles;
  }
}
