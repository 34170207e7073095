// A line editor seems to have stopped reading although nothing approved was submitted. That is an alarm: a key may have
// run something unread. But a multiplexer that draws its screen anew switches bracketed paste off and on again as well,
// as it does when it goes. Those are told from an editor that has left by what stands on screen before and after;
// meanwhile nothing is let through, and every doubt ends with the alarm.
import { agreed } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import { lineOnScreen } from './line-start.ts';
import type { Held, LeftPhase } from './phases.ts';
import { LEFT_BOUND } from './timing.ts';

/** Moves the cursor, sets margins, colours and modes, or asks the terminal what it is: nothing is drawn. */
const DRAWS_NOTHING = /^(?:\x1b(?:\[[>?]?[\d;]*[Hcfhlmqr]|\([0B]|[=>]))*$/;
/** The beginning of such a sequence, at the end of what has come. */
const UNFINISHED = /\x1b(?:\[[>?]?[\d;]*|\()?$/;
const MOST_BETWEEN = 1_024;

/** Bracketed paste was switched off while a line was being typed, or its submit key was held. */
export function editorLeft(state: GateState, held: Held | undefined): void {
  const { multiplexer, screen, time } = state;
  const known = multiplexer.hasScreen(state.fact.foreground);
  if (known && multiplexer.mayShowAnother(time.now, time.roundTrip)) {
    // What it shows next may be a terminal where no line editor reads.
    state.mayLeave = true;
    return;
  }
  const stood = lineStands(state) || (known && !state.line.used);
  if (!stood && !known) {
    alarm(state);
    return;
  }
  const { row, column } = screen.cursor;
  state.phase = {
    kind: 'left',
    held,
    since: time.now,
    known,
    stood: stood ? { row, column } : undefined,
    text: lineOnScreen(state).text,
    between: '',
    editorBack: false,
  };
}

/** Output came, up to the next mode change at most, while this is open. */
export function wroteMeanwhile(state: GateState, phase: LeftPhase, bytes: Buffer): void {
  if (phase.stood === undefined || phase.editorBack) return;
  phase.between = `${phase.between}${bytes.toString('latin1')}`.slice(0, MOST_BETWEEN);
  const whole = phase.between.replace(UNFINISHED, '');
  if (whole.length < MOST_BETWEEN && DRAWS_NOTHING.test(whole)) return;
  phase.stood = undefined;
  if (!phase.known) leaves(state, phase);
}

/** Bracketed paste is on again. */
export function editorReads(state: GateState, phase: LeftPhase): void {
  const { multiplexer, screen, time } = state;
  const { row, column } = screen.cursor;
  if (phase.stood?.row === row && phase.stood.column === column) {
    // No line was submitted: that moves the cursor to another row at least.
    goOn(state, phase);
    return;
  }
  if (phase.known && multiplexer.mayDrawAnew(time.now, time.roundTrip)) phase.editorBack = true;
  else leaves(state, phase);
}

/** The alternate screen was given back: a multiplexer is gone, by no key of this user's. */
export function multiplexerGone(state: GateState, phase: LeftPhase): void {
  if (!phase.known) return;
  state.mayLeave = true;
  goOn(state, phase);
}

/** Waits, bounded, for what tells the two apart. */
export function leftWaits(state: GateState, phase: LeftPhase): boolean {
  const { time } = state;
  if (phase.editorBack && time.silent >= 30 && drawnAnew(state, phase)) {
    goOn(state, phase);
    return true;
  }
  if (!time.isLate(phase.since, LEFT_BOUND)) return false;
  leaves(state, phase);
  return true;
}

/** The cursor is in the line that is being typed. */
function lineStands(state: GateState): boolean {
  if (state.prompts.atCursor(state.screen) === 'known') return true;
  if (state.line.anchor === undefined) return false;
  const { doubts } = lineOnScreen(state);
  return !doubts.some((doubt) => doubt === 'prompt-lost' || doubt === 'cursor-outside' || doubt === 'rows');
}

function drawnAnew(state: GateState, phase: LeftPhase): boolean {
  if (!lineStands(state)) return false;
  const line = lineOnScreen(state);
  return line.text === phase.text || agreed(line, state.line.keys.state) !== undefined;
}

function goOn(state: GateState, { held }: LeftPhase): void {
  state.phase = held === undefined ? { kind: 'open' } : { kind: 'settle', held, from: state.time.now };
}

function leaves(state: GateState, phase: LeftPhase): void {
  goOn(state, phase);
  alarm(state);
}

function alarm(state: GateState): void {
  state.out.alarm(
    'SP_GATE_EDITOR_LEFT',
    'the line editor stopped reading although nothing approved was submitted',
  );
}
