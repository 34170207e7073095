// Reads the logical line that a line editor shows: from the end of its prompt, over wrapped rows, to the end of what
// was typed, without right prompts, suggestions and completion lists. It reads a screen and judges how far the
// screen can be trusted; it does not know what was typed (`reading.ts` puts the two together).
import { type Anchor, textOf, writtenEnd } from './prompt.ts';
import type { Cell, Row, ScreenView } from './screen.ts';

export type LineDoubt =
  /** The prompt was not where it had been, nor anywhere near the cursor. */
  | 'prompt-lost'
  /** The prompt was never known to be one. */
  | 'prompt-unverified'
  /** Several rows that do not wrap into each other. */
  | 'rows'
  /** Cells in the middle that nobody wrote. */
  | 'gap'
  /** The last row is full and what follows was not marked as its continuation. */
  | 'full-row'
  /** The editor shows only a part of the line. */
  | 'scrolled'
  /** Faint text that does not begin at the cursor. */
  | 'faint'
  | 'cursor-outside'
  /** `^X` on screen may be one control character or two characters. */
  | 'caret'
  /** A blank in the last column may be text, or fill the place that a wide character did not fit into. */
  | 'margin'
  | 'search';

export interface LineOnScreen {
  readonly text: string;
  /** With what was taken for a suggestion, when something was. */
  readonly withSuggestion: string | undefined;
  /** Other texts that look exactly the same (a blank that may only fill the margin before a wide character). */
  readonly variants: readonly string[];
  /** With the rows right below it, when it was asked for and something stands there. */
  readonly withBelow: string | undefined;
  /** UTF-16 offset of the cursor in `text`; -1 when it is not in the line. */
  readonly cursor: number;
  readonly anchor: Anchor;
  readonly doubts: readonly LineDoubt[];
}

/** How far above the cursor a prompt is looked for; a line longer than this many rows is refused anyway. */
const MAXIMUM_ROWS = 400;

const SEARCH = /^\((?:failed )?(?:reverse-|forward-)?i-search\)[`'](.*?)': /s;
/** zsh shows what it searches for in a row of its own below the line. */
const SEARCH_BELOW = /\n(?:failing )?(?:bck|fwd)-i-search: [^\n]*_\s*$/;
const SEARCH_PREFIX = /^\((?:failed )?(?:reverse-|forward-)?i-search\)[`']/;

function isFull(row: Row, next: Row | undefined): boolean {
  const last = row.cells[row.cells.length - 1];
  if (last === undefined) return false;
  if (last.text !== '' || last.width === 0) return true;
  // A wide character that did not fit leaves the last cell unwritten.
  return next?.cells[0]?.width === 2 && row.cells[row.cells.length - 2]?.text !== '';
}

/** Whether `next` continues `row`. */
function joins(row: Row, next: Row | undefined): boolean {
  if (next === undefined) return false;
  return next.wrapped || isFull(row, next);
}

function findAnchor(view: ScreenView, anchor: Anchor, prompts: readonly string[]): Anchor | undefined {
  const cursor = view.cursor;
  let lowest = Math.max(0, cursor.row - MAXIMUM_ROWS);
  if (anchor.prompt.trim() === '') {
    // A program reads here without a prompt: one above is that of the command that started it.
    if (anchor.row > cursor.row) return undefined;
    lowest = Math.max(lowest, anchor.row);
  }
  const wanted = [anchor.prompt, ...prompts].filter((prompt) => prompt.trim() !== '');
  for (let row = cursor.row; row >= lowest; row--) {
    const found = view.row(row);
    if (found === undefined) break;
    for (const prompt of wanted) {
      // A continuation row that happens to start like a short prompt is text.
      if (found.wrapped && row !== anchor.row && prompt.length < 5) continue;
      const width = widthOf(found.cells, prompt);
      if (width === undefined) continue;
      if (row === cursor.row && cursor.column < width) continue;
      return {
        row,
        column: width,
        prompt,
        right: anchor.right,
        verified: anchor.verified || prompt !== anchor.prompt,
        epoch: anchor.epoch,
      };
    }
  }
  return undefined;
}

/** How many columns `prompt` takes at the start of these cells; undefined when something else stands there. */
function widthOf(cells: readonly Cell[], prompt: string): number | undefined {
  let at = 0;
  let column = 0;
  while (at < prompt.length) {
    const cell = cells[column];
    if (cell === undefined) return undefined;
    column += 1;
    if (cell.width === 0) continue;
    const text = cell.text === '' ? ' ' : cell.text;
    if (!prompt.startsWith(text, at)) return undefined;
    at += text.length;
  }
  if (cells[column]?.width === 0) column += 1;
  return column;
}

interface Gathered {
  readonly cells: { readonly cell: Cell; readonly row: number; readonly column: number }[];
  /** Offsets in `cells` before which a new line starts. */
  readonly breaks: Set<number>;
  /** Offsets of blanks in the last column before a wide character. */
  readonly margins: Set<number>;
  readonly doubts: Set<LineDoubt>;
}

function gather(view: ScreenView, anchor: Anchor, lines: boolean): Gathered {
  const cursor = view.cursor;
  const gathered: Gathered = { cells: [], breaks: new Set(), margins: new Set(), doubts: new Set() };
  for (let y = anchor.row; y <= anchor.row + MAXIMUM_ROWS; y++) {
    const row = view.row(y);
    if (row === undefined) break;
    const next = view.row(y + 1);
    let last = writtenEnd(row.cells);
    const start = y === anchor.row ? anchor.column : 0;
    if (y === anchor.row && anchor.right !== '') last = withoutRight(row.cells, start, last, anchor.right);
    if (y === anchor.row && last >= view.columns - 2) last = beforeGap(row.cells, start, last);
    // The cursor may stand behind blanks that were never written (moved over, not typed).
    for (let x = start; x < last; x++) {
      const cell = row.cells[x];
      if (cell === undefined) break;
      if (cell.text === '' && cell.width === 1) gathered.doubts.add('gap');
      if (x === view.columns - 1 && cell.text === ' ' && next?.cells[0]?.width === 2) {
        gathered.margins.add(gathered.cells.length);
      }
      gathered.cells.push({ cell, row: y, column: x });
    }
    const continues = joins(row, next);
    if (continues && next !== undefined && !next.wrapped && y >= cursor.row) {
      // A full row with unmarked content below: a completion list, or a rewritten second half.
      if (writtenEnd(next.cells) === 0) break;
      gathered.doubts.add('full-row');
    }
    if (continues) {
      if (y >= cursor.row && next !== undefined && writtenEnd(next.cells) === 0) break;
      continue;
    }
    if (y >= cursor.row) {
      if (!lines || next === undefined || writtenEnd(next.cells) === 0) break;
    }
    gathered.breaks.add(gathered.cells.length);
    gathered.doubts.add('rows');
  }
  return gathered;
}

/** Text at the right edge behind cells that nobody wrote is a right prompt: editors write the blanks of a line. */
function beforeGap(cells: readonly Cell[], start: number, last: number): number {
  for (let column = last - 1; column > start; column--) {
    if (cells[column]?.text !== '' || cells[column]?.width !== 1) continue;
    if (cells[column - 1]?.text !== '' || cells[column - 1]?.width !== 1) continue;
    while (column > start && cells[column - 1]?.text === '' && cells[column - 1]?.width === 1) column -= 1;
    return column;
  }
  return last;
}

function withoutRight(cells: readonly Cell[], start: number, last: number, right: string): number {
  const row = textOf(cells, 0, last);
  if (!row.endsWith(right)) return last;
  let column = last;
  let rest = right.length;
  while (column > start && rest > 0) {
    column -= 1;
    const cell = cells[column];
    if (cell === undefined || cell.width === 0) continue;
    rest -= Math.max(1, cell.text.length);
  }
  // Only what stands behind a gap is a right prompt.
  let gap = column;
  while (gap > start && (cells[gap - 1]?.text === '' || cells[gap - 1]?.text === ' ')) gap -= 1;
  return gap < column || gap === start ? (gap < column ? gap : column) : last;
}

export interface ReadOptions {
  /** Other prompts that may have taken the place of the anchor's. */
  readonly prompts: readonly string[];
  /** The line is known to have several rows that do not wrap (pasted, or continued in the same editor). */
  readonly lines: boolean;
  /** Nobody but the editor has drawn on this screen: rows below may be its buffer too. */
  readonly below?: boolean;
  /** A key has started a search, and none is known to have ended it. */
  readonly searching?: boolean;
}

export function readLine(view: ScreenView, anchor: Anchor, options: ReadOptions): LineOnScreen {
  const cursor = view.cursor;
  const doubts = new Set<LineDoubt>();
  const search = readSearch(view, options.searching === true);
  if (search !== undefined) return { ...search, anchor };
  let found = findAnchor(view, anchor, options.prompts);
  if (found === undefined) {
    if (anchor.prompt.trim() !== '' || anchor.row > cursor.row) doubts.add('prompt-lost');
    found = anchor;
  }
  if (!found.verified) doubts.add('prompt-unverified');
  if (cursor.row < found.row || (cursor.row === found.row && cursor.column < found.column)) {
    doubts.add('cursor-outside');
  }
  const gathered = gather(view, found, options.lines);
  for (const doubt of gathered.doubts) doubts.add(doubt);
  const { text, offset, at } = compose(gathered, cursor.row, cursor.column, false);
  let line = text;
  const variants =
    gathered.margins.size === 0 ? [] : [compose(gathered, cursor.row, cursor.column, true).text];
  if (variants.length > 0) doubts.add('margin');
  let withSuggestion: string | undefined;
  const suggestion = suggestionStart(gathered, cursor.row, cursor.column);
  if (suggestion !== undefined) {
    withSuggestion = text;
    line = text.slice(0, at[suggestion.index] ?? text.length);
    if (!suggestion.atCursor) doubts.add('faint');
    if (line.trim() === '' && withSuggestion.trim() !== '') doubts.add('faint');
  }
  if (/\^[@-_?]/.test(line)) doubts.add('caret');
  if (looksScrolled(view, found, line)) doubts.add('scrolled');
  const below = options.below === true && !options.lines ? textWithBelow(view, found, text) : undefined;
  const withBelow =
    options.searching === true && below?.replace(SEARCH_BELOW, '').trimEnd() === text.trimEnd()
      ? undefined
      : below;
  return {
    text: line,
    withSuggestion,
    variants,
    withBelow,
    cursor: offset,
    anchor: found,
    doubts: [...doubts],
  };
}

/** The line with what stands in the rows right below it; undefined where those are empty. */
function textWithBelow(view: ScreenView, anchor: Anchor, text: string): string | undefined {
  const whole = compose(gather(view, anchor, true), view.cursor.row, view.cursor.column, false).text;
  return whole.trimEnd() === text.trimEnd() ? undefined : whole;
}

function compose(
  gathered: Gathered,
  row: number,
  column: number,
  margins: boolean,
): { text: string; offset: number; at: number[] } {
  let text = '';
  let offset = -1;
  const at: number[] = [];
  gathered.cells.forEach((entry, index) => {
    if (gathered.breaks.has(index)) text = `${text}\n`;
    at.push(text.length);
    if (offset === -1 && (entry.row > row || (entry.row === row && entry.column >= column)))
      offset = text.length;
    if (entry.cell.width === 0 || (!margins && gathered.margins.has(index))) return;
    text += entry.cell.text === '' ? ' ' : entry.cell.text;
  });
  if (offset === -1) offset = text.length;
  return { text, offset, at };
}

/** The index of the first cell of faint text that runs to the end of the line. */
function suggestionStart(
  gathered: Gathered,
  row: number,
  column: number,
): { readonly index: number; readonly atCursor: boolean } | undefined {
  const cells = gathered.cells;
  let first = cells.length;
  for (let index = cells.length - 1; index >= 0; index--) {
    const cell = cells[index]?.cell;
    if (cell === undefined) break;
    if (cell.faint || cell.width === 0) first = index;
    else if (cell.text !== ' ' && cell.text !== '') break;
    else if (first < cells.length) first = index;
  }
  while (first < cells.length && (cells[first]?.cell.text ?? '').trim() === '' && !cells[first]?.cell.faint)
    first += 1;
  if (first >= cells.length) return undefined;
  const entry = cells[first];
  if (entry === undefined) return undefined;
  const cursorIndex = cells.findIndex(
    (other) => other.row > row || (other.row === row && other.column >= column),
  );
  if (cursorIndex === -1) return undefined;
  if (cursorIndex === first) return { index: first, atCursor: true };
  if (cursorIndex > first) {
    // Faint text on both sides of the cursor: what stands before it was typed (a comment, a theme's colour).
    return { index: cursorIndex, atCursor: true };
  }
  return { index: first, atCursor: false };
}

/** ksh and mksh show a window of a long line and mark the edges that hide something. */
function looksScrolled(view: ScreenView, anchor: Anchor, text: string): boolean {
  const row = view.row(anchor.row);
  if (row === undefined) return false;
  const last = writtenEnd(row.cells);
  if (last < view.columns - 3) return false;
  const edge = textOf(row.cells, last - 1, last);
  if (!/[<>*+]/.test(edge)) return false;
  return !text.includes('\n') && view.row(anchor.row + 1)?.wrapped !== true;
}

const startsSearch = (row: Row): boolean => SEARCH_PREFIX.test(textOf(row.cells, 0, writtenEnd(row.cells)));

/** readline's incremental search takes the prompt's place; what follows its quotes is the line. */
function readSearch(view: ScreenView, searching: boolean): Omit<LineOnScreen, 'anchor'> | undefined {
  const cursor = view.cursor;
  let row = cursor.row;
  while (row > 0 && cursor.row - row < MAXIMUM_ROWS) {
    const current = view.row(row);
    const above = view.row(row - 1);
    if (current === undefined || above === undefined) break;
    // What is found may have several rows.
    if (!joins(above, current) && (!searching || startsSearch(current))) break;
    row -= 1;
  }
  const first = view.row(row);
  if (first === undefined || !startsSearch(first)) return undefined;
  const anchor: Anchor = { row, column: 0, prompt: '', right: '', verified: true, epoch: 0 };
  const { text } = compose(gather(view, anchor, false), cursor.row, cursor.column, false);
  const match = SEARCH.exec(text);
  if (match === null) return undefined;
  return {
    text: text.slice(match[0].length),
    withSuggestion: undefined,
    variants: [],
    withBelow: undefined,
    cursor: -1,
    doubts: ['search'],
  };
}
