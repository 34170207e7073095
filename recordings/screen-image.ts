// The screen of a recorded terminal at one moment, as text that paints it: for watchers who join late and for seeking. It
// follows the output through an emulator, which costs too much to run along with every session: feed it what matters
// when somebody asks. Scrollback, titles and the answers to queries are left out.
import xterm from '@xterm/headless';

/** Colours and styles of a cell, and of what is written next; what the emulator's attribute data has. */
interface Attributes {
  getFgColor(): number;
  getBgColor(): number;
  isFgRGB(): boolean;
  isBgRGB(): boolean;
  isFgPalette(): boolean;
  isBgPalette(): boolean;
  isBold(): number;
  isDim(): number;
  isItalic(): number;
  isUnderline(): number;
  isBlink(): number;
  isInverse(): number;
  isInvisible(): number;
  isStrikethrough(): number;
}

interface CoreBuffer {
  readonly scrollTop: number;
  readonly scrollBottom: number;
  readonly savedX: number;
  readonly savedY: number;
  readonly savedCurAttrData: Attributes;
}

/** What the emulator does not tell outside; its version is pinned, and `coreOf` checks that all of it is there. */
interface Core {
  readonly coreService: { readonly isCursorHidden: boolean };
  readonly _inputHandler: { readonly _curAttrData: Attributes };
  readonly _bufferService: { readonly buffers: { readonly normal: CoreBuffer; readonly alt: CoreBuffer } };
}

const hasCore = (value: object): value is { readonly _core: Core } => '_core' in value;

type Terminal = InstanceType<typeof xterm.Terminal>;

function coreOf(terminal: Terminal): Core {
  if (!hasCore(terminal)) throw new Error('the emulator has another form than expected');
  return terminal._core;
}

const largestSide = 1000;

const side = (value: number): number => Math.min(largestSide, Math.max(1, Math.trunc(value)));

export class ScreenImage {
  readonly #terminal: InstanceType<typeof xterm.Terminal>;

  /** Sizes are bounded to 1000. */
  constructor(columns: number, rows: number) {
    this.#terminal = new xterm.Terminal({
      cols: side(columns),
      rows: side(rows),
      scrollback: 0,
      allowProposedApi: true,
    });
    coreOf(this.#terminal);
  }

  get columns(): number {
    return this.#terminal.cols;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  /** Resolves when the emulator has taken it; it yields to other work meanwhile. */
  feed(text: string): Promise<void> {
    return new Promise((resolve) => this.#terminal.write(text, resolve));
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(side(columns), side(rows));
  }

  /** Text that paints this screen on a terminal of the same size, whatever that one showed before. */
  paint(): string {
    return paintTerminal(this.#terminal);
  }

  [Symbol.dispose](): void {
    this.#terminal.dispose();
  }
}

/** Text that paints what an emulator shows on a terminal of the same size, whatever that one showed before. */
export function paintTerminal(terminal: Terminal): string {
  const { buffer, modes } = terminal;
  const core = coreOf(terminal);
  const { normal, alt } = core._bufferService.buffers;
  const parts = ['\u001b[!p\u001b[?1049l', paintBuffer(terminal, buffer.normal, normal)];
  if (buffer.active.type === 'alternate') {
    parts.push('\u001b[?1049h', paintBuffer(terminal, buffer.alternate, alt));
  }
  const { cursorX, cursorY } = buffer.active;
  if (modes.insertMode) parts.push('\u001b[4h');
  if (!modes.wraparoundMode) parts.push('\u001b[?7l');
  // The cursor is placed before the origin moves.
  parts.push(`\u001b[${cursorY + 1};${Math.min(cursorX + 1, terminal.cols)}H`);
  parts.push(styleOf(core._inputHandler._curAttrData));
  if (core.coreService.isCursorHidden) parts.push('\u001b[?25l');
  return parts.join('');
}

function paintBuffer(terminal: Terminal, buffer: Terminal['buffer']['active'], core: CoreBuffer): string {
  const parts: string[] = ['\u001b[0m\u001b[r\u001b[2J'];
  const plain = '\u001b[0m';
  for (let row = 0; row < terminal.rows; row += 1) {
    const line = buffer.getLine(buffer.baseY + row);
    if (line === undefined) continue;
    let text = '';
    let style = plain;
    /** Up to where the line says something. */
    let said = 0;
    for (let column = 0; column < terminal.cols; column += 1) {
      const cell = line.getCell(column);
      if (cell === undefined || cell.getWidth() === 0) continue;
      const own = styleOf(cell);
      if (own !== style) text += own;
      style = own;
      const shown = cell.getChars();
      text += shown === '' ? ' ' : shown;
      if (shown.trim() !== '' || own !== plain) said = text.length;
    }
    if (said > 0) parts.push(`\u001b[${row + 1};1H${text.slice(0, said)}${plain}`);
  }
  const { scrollTop, scrollBottom } = core;
  if (scrollTop > 0 || scrollBottom < terminal.rows - 1) {
    parts.push(`\u001b[${scrollTop + 1};${scrollBottom + 1}r`);
  }
  // What a program has saved; on the normal screen, what leaving the other one goes back to.
  const { savedX, savedY, savedCurAttrData } = core;
  const row = Math.min(terminal.rows, Math.max(0, savedY - buffer.baseY) + 1);
  parts.push(`\u001b[${row};${Math.min(terminal.cols, savedX + 1)}H${styleOf(savedCurAttrData)}\u001b7`);
  return parts.join('');
}

function styleOf(cell: Attributes): string {
  const codes = ['0'];
  if (cell.isBold() !== 0) codes.push('1');
  if (cell.isDim() !== 0) codes.push('2');
  if (cell.isItalic() !== 0) codes.push('3');
  if (cell.isUnderline() !== 0) codes.push('4');
  if (cell.isBlink() !== 0) codes.push('5');
  if (cell.isInverse() !== 0) codes.push('7');
  if (cell.isInvisible() !== 0) codes.push('8');
  if (cell.isStrikethrough() !== 0) codes.push('9');
  if (cell.isFgRGB()) codes.push(rgb('38', cell.getFgColor()));
  else if (cell.isFgPalette()) codes.push(`38;5;${cell.getFgColor()}`);
  if (cell.isBgRGB()) codes.push(rgb('48', cell.getBgColor()));
  else if (cell.isBgPalette()) codes.push(`48;5;${cell.getBgColor()}`);
  return `\u001b[${codes.join(';')}m`;
}

function rgb(code: string, colour: number): string {
  return `${code};2;${(colour >> 16) & 255};${(colour >> 8) & 255};${colour & 255}`;
}
