// Remembers what stood before the cursor when a line editor was ready, so that a prompt can be known again after the
// screen was cleared or redrawn. Knowing a prompt only ever helps to find the line; it never lets anything through.
import type { Cell, Position, ScreenView } from './screen.ts';

export interface Anchor {
  readonly row: number;
  readonly column: number;
  /** What stands left of the line in its first row. */
  readonly prompt: string;
  /** Text at the right edge of that row which was there before anything was typed. */
  readonly right: string;
  /** The row was known to be a prompt: by its text, by a line editor's sign of life, or by silence before a key. */
  readonly verified: boolean;
  /** The screen's `skipped` when this was noted. */
  readonly epoch: number;
}

const MAXIMUM_PROMPTS = 24;

export function textOf(cells: readonly Cell[], from: number, to: number): string {
  let text = '';
  for (let column = from; column < to; column++) {
    const cell = cells[column];
    if (cell === undefined) break;
    if (cell.width === 0) continue;
    text += cell.text === '' ? ' ' : cell.text;
  }
  return text;
}

/** The column behind the last written cell. */
export function writtenEnd(cells: readonly Cell[]): number {
  for (let column = cells.length - 1; column >= 0; column--) {
    const cell = cells[column];
    if (cell !== undefined && (cell.text !== '' || cell.width === 0)) return column + 1;
  }
  return 0;
}

export function anchorAt(view: ScreenView, position: Position, verified: boolean, epoch: number): Anchor {
  const cells = view.row(position.row)?.cells ?? [];
  // A prompt that ends in the last column leaves the cursor waiting to wrap: the line starts in the next row.
  if (position.column >= view.columns) {
    return { row: position.row + 1, column: 0, prompt: '', right: '', verified, epoch };
  }
  const prompt = textOf(cells, 0, position.column);
  const right = textOf(cells, position.column, writtenEnd(cells)).trim();
  return { row: position.row, column: position.column, prompt, right, verified, epoch };
}

/** How alike two prompts are beyond equality: the last word-like part and what follows it. */
function shapeOf(prompt: string): string {
  return /[^\p{L}\p{N}\s]+\s*$/u.exec(prompt)?.[0] ?? '';
}

export class PromptMemory {
  #prompts: string[] = [];
  #behind = '';

  get known(): readonly string[] {
    return this.#prompts;
  }

  learn(prompt: string): void {
    if (prompt.trim() === '' || prompt.length > 1000) return;
    const at = this.#prompts.indexOf(prompt);
    if (at !== -1) this.#prompts.splice(at, 1);
    this.#prompts.unshift(prompt);
    if (this.#prompts.length > MAXIMUM_PROMPTS) this.#prompts.pop();
  }

  /** An editor that has come up stands behind this text. What it does so twice running is its prompt. */
  editorBehind(text: string): void {
    if (text === this.#behind) this.learn(text);
    this.#behind = text;
  }

  /** Whether exactly a known prompt, or one of a known shape, stands left of the cursor, and nothing right of it. */
  atCursor(view: ScreenView): 'known' | 'alike' | 'no' {
    const { row, column } = view.cursor;
    const cells = view.row(row)?.cells ?? [];
    if (column === 0) return 'no';
    const left = textOf(cells, 0, column);
    if (this.#prompts.includes(left)) return 'known';
    if (this.#endsWithKnown(left)) return 'alike';
    const shape = shapeOf(left);
    if (shape !== '' && this.#prompts.some((prompt) => shapeOf(prompt) === shape)) return 'alike';
    return 'no';
  }

  /** A known prompt stands left of the cursor, whatever stands before that. */
  endsAtCursor(view: ScreenView): boolean {
    const { row, column } = view.cursor;
    const left = textOf(view.row(row)?.cells ?? [], 0, column);
    return this.#prompts.includes(left) || this.#endsWithKnown(left);
  }

  /** Some shells print the new prompt behind what was given up, without a new line. */
  #endsWithKnown(left: string): boolean {
    return this.#prompts.some((prompt) => prompt.trim().length > 2 && left.endsWith(prompt));
  }
}
