// The client's screen as the device draws it: an emulator behind a narrow interface that keeps what reading a line
// needs (cells never written against blanks, wrapped rows, faint text, the cursor). It answers no question of the
// device: the client's own terminal does.
import type xterm from '@xterm/headless';
import { type Borrower, type Emulator, EmulatorPool, type FrozenScreen } from './emulator.ts';

export interface Cell {
  /** The character with what combines with it; empty when the cell was never written or was erased. */
  readonly text: string;
  /** 0 for the second half of a wide character. */
  readonly width: number;
  /** Dim or grey: how suggestions that were not typed are shown. */
  readonly faint: boolean;
}

export interface Row {
  readonly cells: readonly Cell[];
  /** This row continues the one above. */
  readonly wrapped: boolean;
}

export interface Position {
  readonly row: number;
  readonly column: number;
}

/** Looks at an emulator, and leaves it as it is. */
export type Look<T> = (terminal: xterm.Terminal) => T;

/** What reading needs of a screen; rows are counted from the top of what is kept. */
export interface ScreenView {
  readonly columns: number;
  readonly rows: number;
  readonly cursor: Position;
  readonly alternate: boolean;
  /** The first row of the visible part. */
  readonly top: number;
  row(row: number): Row | undefined;
}

/** Whether a palette or true colour is a grey that stands back from normal text. */
function isGreyPalette(color: number): boolean {
  return color === 8 || (color >= 236 && color <= 247);
}

function isGreyRgb(color: number): boolean {
  const red = (color >> 16) & 0xff;
  const green = (color >> 8) & 0xff;
  const blue = color & 0xff;
  const most = Math.max(red, green, blue);
  return most - Math.min(red, green, blue) <= 12 && most >= 0x30 && most <= 0xb0;
}

const UNWRITTEN: Cell = { text: '', width: 1, faint: false };

/** Of all screens of the process, this many keep an emulator, those that something happened on last. */
const MOST_EMULATORS = 64;
const emulators = new EmulatorPool(MOST_EMULATORS);

/** `blank`: nothing was drawn yet. `away`: drawn, and put away until something happens. */
type State =
  | { readonly kind: 'blank' }
  | { readonly kind: 'live'; readonly emulator: Emulator }
  | { readonly kind: 'away'; readonly frozen: FrozenScreen }
  | { readonly kind: 'disposed' };

export class Screen implements ScreenView, Borrower {
  readonly #scrollback: number;
  #columns: number;
  #rows: number;
  #state: State = { kind: 'blank' };

  constructor(columns: number, rows: number, scrollback: number) {
    this.#columns = Screen.bound(columns);
    this.#rows = Screen.bound(rows);
    this.#scrollback = scrollback;
  }

  /** Window sizes come from outside: 1 to 1,000 each. */
  static bound(size: number): number {
    return Number.isFinite(size) ? Math.min(1000, Math.max(2, Math.trunc(size))) : 80;
  }

  write(data: Buffer | string): void {
    this.#live()?.write(data);
  }

  resize(columns: number, rows: number): void {
    this.#columns = Screen.bound(columns);
    this.#rows = Screen.bound(rows);
    if (this.#state.kind !== 'blank') this.#live()?.resize(this.#columns, this.#rows);
  }

  [Symbol.dispose](): void {
    if (this.#state.kind === 'live') emulators.giveBack(this, this.#state.emulator);
    this.#state = { kind: 'disposed' };
  }

  giveUp(): Emulator | undefined {
    if (this.#state.kind !== 'live') return undefined;
    const { emulator } = this.#state;
    const frozen = emulator.freeze();
    if (frozen === undefined) return undefined;
    this.#state = { kind: 'away', frozen };
    return emulator;
  }

  get columns(): number {
    return this.#columns;
  }

  get rows(): number {
    return this.#rows;
  }

  /** What was drawn ends in the middle of no sequence and no character. */
  get atRest(): boolean {
    return this.#state.kind !== 'live' || this.#state.emulator.atRest;
  }

  /** How many lines are kept at most, those that can be seen included. */
  get mostLines(): number {
    return this.#live()?.mostLines ?? 0;
  }

  /** No margins are in force. */
  get scrollsWhole(): boolean {
    return this.#live()?.scrollsWhole === true;
  }

  get alternate(): boolean {
    if (this.#state.kind === 'away') return this.#state.frozen.alternate;
    return this.#terminal?.buffer.active.type === 'alternate';
  }

  get top(): number {
    if (this.#state.kind === 'away') return this.#state.frozen.top;
    return this.#terminal?.buffer.active.baseY ?? 0;
  }

  get cursor(): Position {
    if (this.#state.kind === 'away') return this.#state.frozen.cursor;
    const buffer = this.#terminal?.buffer.active;
    return { row: (buffer?.baseY ?? 0) + (buffer?.cursorY ?? 0), column: buffer?.cursorX ?? 0 };
  }

  row(row: number): Row | undefined {
    const line = this.#terminal?.buffer.active.getLine(row);
    if (line === undefined) return undefined;
    const cells: Cell[] = [];
    const columns = this.#columns;
    for (let column = 0; column < columns; column++) {
      const cell = line.getCell(column);
      if (cell === undefined) {
        cells.push(UNWRITTEN);
        continue;
      }
      const text = cell.getChars();
      const width = cell.getWidth();
      if (text === '' && width === 1) {
        cells.push(UNWRITTEN);
        continue;
      }
      const faint =
        cell.isDim() !== 0 ||
        (cell.isFgPalette() && isGreyPalette(cell.getFgColor())) ||
        (cell.isFgRGB() && isGreyRgb(cell.getFgColor()));
      cells.push({ text, width, faint });
    }
    return { cells, wrapped: line.isWrapped };
  }

  picture<T>(look: Look<T>): T | undefined {
    const terminal = this.#terminal;
    return terminal === undefined ? undefined : look(terminal);
  }

  get #terminal(): xterm.Terminal | undefined {
    return this.#live()?.terminal;
  }

  /** The emulator, brought back if need be. A disposed screen draws and shows nothing. */
  #live(): Emulator | undefined {
    const state = this.#state;
    switch (state.kind) {
      case 'live':
        emulators.used(this);
        return state.emulator;
      case 'blank':
      case 'away': {
        const emulator = emulators.borrow(this, this.#columns, this.#rows, this.#scrollback);
        if (state.kind === 'away') emulator.thaw(state.frozen);
        else emulator.clear(this.#columns, this.#rows, this.#scrollback);
        this.#state = { kind: 'live', emulator };
        return emulator;
      }
      case 'disposed':
        return undefined;
    }
  }
}
