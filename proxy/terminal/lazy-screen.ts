// The screen without the cost of drawing everything: output waits unparsed until someone looks or a sequence that
// is not plain text comes, and of a long plain stretch only the end that can still be seen is drawn. What is seen
// is the same as if everything had been drawn (a property test holds it to that).
import { type OutputEvent, OutputScanner } from './modes.ts';
import { type Look, type Position, type Row, Screen, type ScreenView } from './screen.ts';
import { WaitingOutput } from './waiting-output.ts';

/** Plain output that would wait beyond this many bytes is cut down to its end. */
const CUT_ABOVE = 262_144;
/** More than this is cut down before it is drawn; less is drawn as quickly. */
const WORTH_CUTTING = 32_768;
/** So much of the end holds as many lines as can be seen, unless they are very long. */
const ENOUGH = 49_152;
/** Colours that a skipped stretch left on are replayed; more of them than this and nothing is skipped. */
const MAXIMUM_STYLES = 2_048;

const SGR = /\x1b\[[\d;:]*m/g;

export class LazyScreen implements ScreenView {
  readonly #screen: Screen;
  readonly #scanner = new OutputScanner();
  readonly #waiting = new WaitingOutput();
  #skipped = 0;

  constructor(columns: number, rows: number, scrollback = 200) {
    this.#screen = new Screen(columns, rows, scrollback);
  }

  [Symbol.dispose](): void {
    this.#waiting.clear();
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
   * has been taken, so that it may look at the cursor. Nothing of `data` is kept.
   */
  write(data: Buffer, onEvent?: (event: OutputEvent, rest: Buffer) => void): void {
    let from = 0;
    let plain = !this.#scanner.unfinished;
    const events = this.#scanner.scan(data);
    let lastOther = 0;
    for (const event of events) {
      plain = event.kind !== 'other' || !event.inside;
      if (event.kind === 'other') {
        lastOther = event.at;
        continue;
      }
      this.#drawWith(data.subarray(from, event.at));
      from = event.at;
      onEvent?.(event, data.subarray(from));
    }
    if (lastOther > from) {
      this.#drawWith(data.subarray(from, lastOther));
      from = lastOther;
    }
    const rest = from === 0 ? data : data.subarray(from);
    // What stands in a string is no text: none of it may wait.
    if (this.#scanner.inString) this.#drawWith(rest);
    else this.#take(rest, plain);
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

  /** What waits begins with text: in the middle of a sequence (`plain` is false) all is drawn. */
  #take(data: Buffer, plain: boolean): void {
    if (data.length === 0) return;
    if (this.#waiting.length + data.length > CUT_ABOVE && !this.#cut()) this.#drawAll();
    if (this.#waiting.length === 0 && !(plain && this.#screen.atRest)) this.#screen.write(data);
    else this.#waiting.add(data);
  }

  #draw(): void {
    if (this.#waiting.length > WORTH_CUTTING) this.#cut();
    this.#drawAll();
  }

  /** Draws what waits, and this, which may be more than text, line ends and colours. */
  #drawWith(data: Buffer): void {
    this.#draw();
    this.#screen.write(data);
  }

  #drawAll(): void {
    if (this.#waiting.length === 0) return;
    this.#screen.write(this.#waiting.data);
    this.#waiting.clear();
  }

  /**
   * Everything that waits is text, line ends and colours. Drops all but the last lines that can still be seen; false,
   * and nothing changed, where that can't be done.
   */
  #cut(): boolean {
    const { data } = this.#waiting;
    if (data.length === 0 || !this.#screen.scrollsWhole) return false;
    // The end of what waits is nearly always enough.
    const end = data.subarray(-ENOUGH);
    const kept = this.#keptOf(end, end.length === data.length) ?? this.#keptOf(data, true);
    if (kept === undefined) return false;
    // The skipped lines would have left the cursor at the start of the last row, below a full page.
    this.#screen.write(`${kept.styles}\x1b[${this.#screen.rows};1H`);
    this.#waiting.keepLast(kept.bytes);
    this.#skipped += 1;
    return true;
  }

  /** How long the last lines are that can still be seen, and the colours before them; undefined: nothing can be told or dropped. */
  #keptOf(data: Buffer, whole: boolean): { readonly styles: string; readonly bytes: number } | undefined {
    const cut = lineEnd(data, data.length, this.#screen.mostLines + 2, CARRIAGE_RETURN);
    // What is skipped must have moved the cursor to the last row by itself.
    if (cut <= 0 || lineEnd(data, cut, this.#screen.rows + 1, undefined) <= 0) return undefined;
    const styles = stylesAt(data, cut, whole);
    return styles === undefined ? undefined : { styles, bytes: data.length - cut };
  }
}

const ESC = 0x1b;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** Where the line end stands that is so many line ends before `from`, at its `before` if it has one; -1: there are fewer. */
function lineEnd(data: Buffer, from: number, count: number, before: number | undefined): number {
  let lines = 0;
  // Lines are short: a search for each takes ten times as long.
  for (let at = from - 1; at >= 0; at -= 1) {
    if (data[at] !== LINE_FEED) continue;
    if (before !== undefined) {
      if (data[at - 1] !== before) continue;
      at -= 1;
    }
    lines += 1;
    if (lines === count) return at;
  }
  return -1;
}

/** The colours that are in force there, as sequences; undefined: too many to tell, or set before what is here. */
function stylesAt(data: Buffer, end: number, whole: boolean): string | undefined {
  const skipped = data.subarray(0, end);
  const last = lastReset(skipped);
  if (last === -1 && !whole) return undefined;
  const styles = skipped.toString('latin1', Math.max(0, last)).match(SGR)?.join('') ?? '';
  return styles.length > MAXIMUM_STYLES ? undefined : styles;
}

/** Where the last sequence stands that takes all colours back; -1: there is none. */
function lastReset(data: Buffer): number {
  for (let at = data.lastIndexOf(ESC); at !== -1; at = at === 0 ? -1 : data.lastIndexOf(ESC, at - 1)) {
    if (data[at + 1] !== 0x5b) continue;
    if (data[at + 2] === 0x6d || (data[at + 2] === 0x30 && data[at + 3] === 0x6d)) return at;
  }
  return -1;
}
