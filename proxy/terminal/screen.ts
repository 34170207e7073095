// The client's screen as the device draws it: an emulator behind a narrow interface that keeps what reading a line
// needs (cells never written against blanks, wrapped rows, faint text, the cursor). It answers no question of the
// device: the client's own terminal does.
import xterm from '@xterm/headless';

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

interface SynchronousCore {
  writeSync(data: Uint8Array | string): void;
}

function synchronousCore(terminal: object): SynchronousCore {
  if ('_core' in terminal && typeof terminal._core === 'object' && terminal._core !== null) {
    const core = terminal._core;
    if ('writeSync' in core && typeof core.writeSync === 'function') {
      const write = core.writeSync.bind(core);
      return { writeSync: (data) => void write(data) };
    }
  }
  throw new Error(
    'the terminal emulator has no synchronous write; its version must be the one that is pinned',
  );
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

export class Screen implements ScreenView {
  readonly #terminal: xterm.Terminal;
  readonly #core: SynchronousCore;

  constructor(columns: number, rows: number, scrollback: number) {
    this.#terminal = new xterm.Terminal({
      cols: Screen.bound(columns),
      rows: Screen.bound(rows),
      scrollback,
      allowProposedApi: true,
      logLevel: 'off',
    });
    this.#core = synchronousCore(this.#terminal);
  }

  /** Window sizes come from outside: 1 to 1,000 each. */
  static bound(size: number): number {
    return Number.isFinite(size) ? Math.min(1000, Math.max(2, Math.trunc(size))) : 80;
  }

  write(data: Buffer | string): void {
    this.#core.writeSync(data);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(Screen.bound(columns), Screen.bound(rows));
  }

  [Symbol.dispose](): void {
    this.#terminal.dispose();
  }

  get columns(): number {
    return this.#terminal.cols;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  get alternate(): boolean {
    return this.#terminal.buffer.active.type === 'alternate';
  }

  get top(): number {
    return this.#terminal.buffer.active.baseY;
  }

  get cursor(): Position {
    const buffer = this.#terminal.buffer.active;
    return { row: buffer.baseY + buffer.cursorY, column: buffer.cursorX };
  }

  row(row: number): Row | undefined {
    const line = this.#terminal.buffer.active.getLine(row);
    if (line === undefined) return undefined;
    const cells: Cell[] = [];
    const columns = this.#terminal.cols;
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
}
