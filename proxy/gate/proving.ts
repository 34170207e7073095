// Makes the line editor prove that it has the line that is held, all of it and nothing before it. Digits that nobody can
// guess (in vi's command mode they are only counts) are put in at its very beginning, the last one first, by keys that
// move within a line. Only who has read every
// key before them can show them there: the terminal's own echo shows keys where the cursor is and in their order, and
// what a program has prepared does not hold them. They are taken out again before anything is submitted.
import type { LineOnScreen } from '../terminal/line-reader.ts';
import type { GateState } from './gate-state.ts';
import { lineOnScreen } from './line-start.ts';
import type { ProvePhase } from './phases.ts';
import { PROOF_BOUND } from './timing.ts';

/** In the form that a terminal which echoes it raw does not take for a movement. */
const LEFT = '\x1bOD';
const RIGHT = '\x1bOC';
const ERASE = '\x7f';
/** Longer lines take too many keys to go to their beginning. */
const LONGEST = 16_384;

/** Whether this line can be asked for. An empty one only proves who reads. */
export function canProve(state: GateState, shown: LineOnScreen): boolean {
  const { line, proofs, screen, settings } = state;
  if (!settings.probes || line.viKeys || line.keys.quoting || !proofs.worthTrying) return false;
  if (shown.cursor < 0 || shown.text.length > LONGEST) return false;
  // What has the whole screen, and is no multiplexer, has no line: digits would go into somebody's text.
  if (screen.alternate && !state.multiplexer.hasScreen(state.fact.foreground)) return false;
  return screen.modes.editorOn || !screen.modes.everEditor;
}

export function startProof(
  state: GateState,
  what: ProvePhase['what'],
  digits: string,
  beyond: boolean,
): void {
  const stood = lineOnScreen(state);
  const back = Math.max(0, stood.cursor) + (beyond ? state.line.left.length : 0);
  state.out.toDevice(Buffer.from(`${LEFT.repeat(back)}${[...digits].join(LEFT)}`), 'gate');
  state.time.sentKey();
  const nonce = [...digits].reverse().join('');
  state.phase = { kind: 'prove', what, step: 'put-in', since: state.time.now, stood, nonce };
}

export function proved(state: GateState, phase: ProvePhase): 'waiting' | 'moved' | 'proven' | 'failed' {
  const { nonce, step, stood, since } = phase;
  const wanted = step === 'put-in' ? `${nonce}${stood.text}` : stood.text;
  const { time } = state;
  const shown = time.silent >= 4 && time.lastDevice >= since && stands(lineOnScreen(state), wanted, stood);
  if (!shown) {
    if (!time.isLate(since, PROOF_BOUND)) return 'waiting';
    state.proofs.note(false);
    return 'failed';
  }
  if (step === 'taken-out') {
    state.proofs.note(true);
    return 'proven';
  }
  state.out.toDevice(Buffer.from(`${RIGHT.repeat(nonce.length - 1)}${ERASE.repeat(nonce.length)}`), 'gate');
  time.sentKey();
  state.phase = { ...phase, step: 'taken-out', since: time.now };
  return 'moved';
}

function stands(line: LineOnScreen, wanted: string, stood: LineOnScreen): boolean {
  return line.text.trimEnd() === wanted.trimEnd() && line.anchor.prompt === stood.anchor.prompt;
}
