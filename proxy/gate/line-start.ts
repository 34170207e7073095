// Where the line that is being typed starts on screen, and what it looks like from there. Notes the start at the first
// key; judges nothing.
import type { LazyScreen } from '../terminal/lazy-screen.ts';
import { type LineOnScreen, readLine } from '../terminal/line-reader.ts';
import { type Anchor, anchorAt, textOf, writtenEnd } from '../terminal/prompt.ts';
import type { GateState } from './gate-state.ts';
import { ANCHOR_SILENCE } from './timing.ts';

/** Notes where the line starts, if it is not known yet. */
export function noteLineStart(state: GateState): void {
  const { line, prompts, screen, time } = state;
  if (line.editorCameBack && prompts.atCursor(screen) === 'known') {
    // The keys before it went to a program that has ended, or are still on their way into this line: the editor
    // itself must say which.
    line.leave('doubtful');
    line.keys.forget('redrawn');
  }
  if (state.freeProgram && prompts.atCursor(screen) === 'known') {
    // The full-screen program is gone although the alternate screen is not.
    state.reader = 'prompt';
  }
  if (!line.kept.none && prompts.atCursor(screen) === 'known' && nothingBehind(state)) line.kept.promptBack();
  if (
    line.keys.touched &&
    prompts.atCursor(screen) === 'known' &&
    nothingBehind(state) &&
    time.mayAnswer(time.lastKey) &&
    time.isQuiet(time.lastKey, true)
  ) {
    // Nothing stands behind the prompt: what was typed went to a program, or is not shown.
    line.keys.mayBeEmpty();
    line.anchor = lineStartHere(state, true);
  }
  const quiet = time.silent >= ANCHOR_SILENCE;
  if (line.anchor !== undefined && (line.keys.touched || line.used)) return;
  const at = prompts.atCursor(screen);
  if (line.anchor !== undefined && at === 'no' && !quiet) return;
  if (line.anchor !== undefined && state.prefilled) return;
  line.anchor = lineStartHere(state, quiet || at === 'known');
}

/** Takes the cursor for the start of the line; a known prompt before it moves it back to that. */
export function lineStartHere(state: GateState, verified: boolean): Anchor {
  const { prompts, screen } = state;
  const { row, column } = screen.cursor;
  const agrees = state.markedIn(row) === column;
  const anchor = anchorAt(screen, screen.cursor, verified || agrees, screen.skipped);
  state.line.left = anchor.prompt;
  // A known prompt with more behind it: the line was filled in before the first key (print -z, ^O, push-line).
  if (prompts.known.some((prompt) => prompt.trim() !== '' && anchor.prompt.endsWith(prompt))) return anchor;
  const known = prompts.known
    .filter((prompt) => prompt.trim() !== '' && anchor.prompt !== prompt && anchor.prompt.startsWith(prompt))
    .sort((one, other) => other.length - one.length)[0];
  if (known === undefined) return anchor;
  state.line.keys.forget('redrawn');
  return { ...anchor, column: Math.min(anchor.column, known.length), prompt: known };
}

/**
 * What stood left of the cursor before the first key may be the prompt, or a shorter prompt that is known and text that
 * was filled in. Nothing tells which: the texts that these would be, for any of them that `candidates` leaves out.
 */
export function withOtherStarts(
  { line, prompts }: GateState,
  candidates: readonly string[],
): readonly string[] {
  const { anchor, left } = line;
  if (anchor === undefined || !left.startsWith(anchor.prompt)) return candidates;
  const cut = left.slice(anchor.prompt.length);
  const typed = candidates.filter((text) => text.startsWith(cut)).map((text) => text.slice(cut.length));
  const before = prompts.known
    .filter((prompt) => prompt.trim() !== '' && prompt !== left && left.startsWith(prompt))
    .map((prompt) => left.slice(prompt.length));
  if (cut === '' && before.length === 0) return candidates;
  return [
    ...new Set([...candidates, ...typed, ...before.flatMap((text) => typed.map((rest) => text + rest))]),
  ];
}

export function lineOnScreen(state: GateState): LineOnScreen {
  const { line, prompts, screen } = state;
  const start = line.anchor ?? anchorAt(screen, { row: screen.cursor.row, column: 0 }, false, screen.skipped);
  return readLine(screen, start, {
    prompts: prompts.known,
    lines: line.manyRows,
    searching: line.keys.searching,
  });
}

/**
 * The line as a mark of the shell would have it, where that starts further left than we think and the prompt is not
 * known: something may have stood there before the first key (filled in, or typed before the prompt came).
 */
export function lineFromMark(state: GateState): LineOnScreen | undefined {
  const { line, prompts, screen } = state;
  const { anchor } = line;
  if (anchor === undefined || prompts.known.includes(anchor.prompt)) return undefined;
  const column = state.markedIn(anchor.row);
  if (column === undefined || column >= anchor.column) return undefined;
  const start = anchorAt(screen, { row: anchor.row, column }, false, screen.skipped);
  return readLine(screen, { ...start, right: anchor.right }, { prompts: [], lines: line.manyRows });
}

/** Everything in the row of the cursor, and the rows that it continues: for when the noted start is another line's. */
export function rowOfCursor(state: GateState): LineOnScreen {
  const { prompts, screen } = state;
  let { row } = screen.cursor;
  while (row > 0 && screen.row(row)?.wrapped === true) row -= 1;
  const start = anchorAt(screen, { row, column: 0 }, false, screen.skipped);
  return readLine(screen, start, { prompts: prompts.known, lines: false });
}

/** The line as it was drawn on an empty screen; undefined when no prompt was drawn there. */
export function lineRedrawn(state: GateState, fresh: LazyScreen): LineOnScreen | undefined {
  const { anchor, keys, manyRows } = state.line;
  if (anchor === undefined || anchor.prompt.trim() === '') return undefined;
  const options = { prompts: state.prompts.known, lines: manyRows, below: true, searching: keys.searching };
  const line = readLine(fresh, { ...anchor, row: -1 }, options);
  if (line.doubts.includes('prompt-lost') || line.anchor.row < 0) return undefined;
  return line;
}

function nothingBehind(state: GateState): boolean {
  const { row, column } = state.screen.cursor;
  return writtenEnd(state.screen.row(row)?.cells ?? []) <= column;
}

/** What stands left of the cursor. */
export function leftOfCursor(state: GateState): string {
  const { row, column } = state.screen.cursor;
  return textOf(state.screen.row(row)?.cells ?? [], 0, column);
}
