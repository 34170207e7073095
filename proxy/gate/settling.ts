// Waits, bounded, until the echo of everything before a held submit key is back, so that the screen shows the line that
// the key would submit. What is read then, and whether that is enough, is not decided here.
import type { KeysState } from '../terminal/keys-model.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { type Doubt, shows } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import { lineOnScreen } from './line-start.ts';
import type { SettlePhase } from './phases.ts';
import { ECHO_BOUND, PROMPT_ECHO_BOUND, REST_BOUND, SETTLE_BOUND } from './timing.ts';
import { reportShown } from './weighing.ts';

/** Doubts about where the line stands, or what it means: it is back all the same. */
const SAYS_NOTHING_OF_ECHO: ReadonlySet<Doubt> = new Set(['gap', 'caret', 'rows', 'prompt-unverified']);

export interface Settled {
  readonly line: LineOnScreen;
  readonly doubts: readonly Doubt[];
}

/** The line as it stands when nothing more is coming; undefined while it may be. */
export function settled(state: GateState, phase: SettlePhase): Settled | undefined {
  const { time } = state;
  const keys = state.line.keys.state;
  const line = lineOnScreen(state);
  if (reportShown(state, line)) return { line, doubts: [] };
  if (keys.kind === 'known' && echoCanBeTold(state) && showsAllTyped(line, keys)) return { line, doubts: [] };
  // A busy device: what is shown so far is only the beginning, or nothing has answered the last key yet.
  const coming = stillComing(state, keys, line);
  const bound = coming ? echoBound(state, line) : SETTLE_BOUND;
  const late = time.isLate(phase.from, Math.max(bound, SETTLE_BOUND));
  const slow = state.line.slow || keys.kind === 'unknown';
  if (!late && !time.isQuiet(time.lastKey, slow)) return undefined;
  if (!late && coming && !time.isLate(time.lastKey, bound)) return undefined;
  return { line, doubts: late && time.silent < 20 ? ['unsettled'] : [] };
}

function echoBound(state: GateState, line: LineOnScreen): number {
  if (state.screenProgramEnds) return REST_BOUND;
  if (state.line.keys.edits !== 'editing' && line.text.trim().length > 1) return REST_BOUND;
  return state.reader === 'prompt' ? PROMPT_ECHO_BOUND : ECHO_BOUND;
}

/** The screen shows a text of the keys, and the cursor where it must be for that. */
function showsAllTyped(line: LineOnScreen, keys: Extract<KeysState, { kind: 'known' }>): boolean {
  if (!line.doubts.every((doubt) => SAYS_NOTHING_OF_ECHO.has(doubt))) return false;
  const index = keys.texts.findIndex((text) => shows(line.text, text));
  const cursor = keys.cursors[index];
  if (index === -1 || cursor === undefined) return false;
  const atEnd = cursor === keys.texts[index]?.length;
  return (atEnd && line.cursor >= line.text.trimEnd().length) || line.cursor === cursor;
}

/** Whether a screen that shows the keys' text can only be showing the end of what was typed. */
function echoCanBeTold(state: GateState): boolean {
  const { time } = state;
  switch (state.line.keys.edits) {
    case 'typing':
      return true;
    case 'erasing':
      return time.mayAnswer(time.lastKey);
    case 'editing':
      return time.isQuiet(time.lastKey, false);
  }
}

function stillComing(state: GateState, keys: KeysState, line: LineOnScreen): boolean {
  if (keys.kind === 'known') {
    const seen = line.text.trimEnd();
    if (keys.texts.some((text) => text.startsWith(seen) && text.trimEnd() !== seen)) return true;
    // An editor has come up behind a program that took the first keys: it draws what was typed ahead.
    if (state.reader !== 'program' || !state.screen.modes.editorOn || seen.length < 2) return false;
    return keys.texts.some((text) => text.includes(seen) && !text.trimEnd().endsWith(seen));
  }
  return !state.time.mayAnswer(state.time.lastKey);
}
