// Canonical replay: the line on the device was taken back, and the gate types the approved text itself, compares it with
// the screen, and only then submits it, so that what runs is what was judged.
import { type Reading, shows } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import { lineOnScreen } from './line-start.ts';
import type { Judged, RetypePhase } from './phases.ts';
import { letGo, refuseUnread } from './releasing.ts';
import { RETYPE_BOUND } from './timing.ts';

const PASTE_START = Buffer.from('\x1b[200~');
const PASTE_END = Buffer.from('\x1b[201~');
const RETURN = Buffer.from('\r');

/**
 * What is typed anew in place of a line, if it can be: the line, or the whole command that it goes on, since taking a
 * line back gives up those before it as well.
 */
export function replayOf(state: GateState, reading: Reading): string | undefined {
  const { command, screen } = state;
  if (!command.goesOn) return canReplay(state, reading, reading.text) ? reading.text : undefined;
  // A secret is not typed again, and only a line editor takes several lines as one.
  if (command.secret || !screen.modes.editorOn) return undefined;
  const text = [...command.lines, reading.text].join('\n');
  return canReplay(state, reading, text) ? text : undefined;
}

function canReplay(state: GateState, reading: Reading, text: string): boolean {
  if (reading.doubts.includes('history-expansion')) return false;
  // What nobody has seen is not typed anew: it may have been given up.
  if (reading.doubts.includes('no-echo')) return false;
  // Rows that only the screen shows are output as long as the editor was not seen to draw them.
  if (reading.how === 'screen' && reading.text.includes('\n')) {
    const { keys, rowsDrawn } = state.line;
    if (!rowsDrawn || keys.completed || reading.doubts.includes('mismatch')) return false;
  }
  if (state.reader !== 'prompt' || reading.text.trim() === '') return false;
  // Whatever looks like a prompt: the device says that something else reads.
  if (state.fact.shellReads === false) return false;
  if (/[\x00-\x09\x0b-\x1f\x7f]/.test(text)) return false;
  return !text.includes('\n') || state.screen.modes.editorOn;
}

/** A clean prompt is there: types the text. */
export function retype(state: GateState, judged: Judged): void {
  const { line, out, screen, time } = state;
  const { text } = judged.reading;
  const bytes = Buffer.from(text);
  out.toDevice(screen.modes.editorOn ? Buffer.concat([PASTE_START, bytes, PASTE_END]) : bytes, 'gate');
  line.keys.insert(text);
  line.manyRows = text.includes('\n');
  time.sentKey();
  state.phase = { kind: 'retype', judged, since: time.now };
}

export function retyping(state: GateState, phase: RetypePhase): boolean {
  const { judged } = phase;
  const { text } = judged.reading;
  const line = lineOnScreen(state);
  const shown =
    shows(line.text, text) &&
    line.doubts.every((doubt) => doubt !== 'prompt-lost' && doubt !== 'cursor-outside');
  if (shown && state.time.silent >= 4) {
    state.out.outcome(judged.id, 'replayed', text);
    letGo(state, { ...judged, keyClass: 'submit' }, RETURN, 'gate');
    return true;
  }
  if (!state.time.isLate(phase.since, RETYPE_BOUND)) return false;
  refuseUnread(state, judged);
  return true;
}
