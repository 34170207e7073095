// A witness of the line besides keys and screen: a shell with our integration, which reports the text of its line editor
// when it is asked. It is asked as the submit key is held; its answer comes behind the echo of everything before. Whose
// report it is, and that nobody forged it, is for the caller to know; here it only ever adds a text to be judged.
import { fuse, type Reading } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import { lineOnScreen } from './line-start.ts';
import type { Held, ReportPhase } from './phases.ts';
import { expansionKeys, suffixKeys } from './probing.ts';
import { doubted, expansionLeft } from './reading-doubts.ts';
import { ECHO_BOUND } from './timing.ts';

/** Asks the shell for the line; false when none is known to answer. */
export function askWitness(state: GateState, held: Held): boolean {
  const { witness, time, out } = state;
  if (witness === undefined || !state.screen.modes.editorOn) return false;
  out.toDevice(Buffer.concat([suffixKeys(state) ?? Buffer.alloc(0), witness]), 'gate');
  state.phase = { kind: 'report', held, since: time.now };
  return true;
}

/** The reading that the report makes; undefined when more was asked for. */
export function reportedLine(state: GateState, phase: ReportPhase, text: string): Reading | undefined {
  const { line, time, out, witness } = state;
  const expansion = expansionLeft(state, text) && !line.expanded ? expansionKeys(state) : undefined;
  if (expansion !== undefined && witness !== undefined) {
    line.expanded = true;
    line.keys.forget('history');
    out.toDevice(Buffer.concat([expansion, witness]), 'gate');
    state.phase = { ...phase, since: time.now };
    return undefined;
  }
  return doubted(state, withReport(state, text), []);
}

/** No report has come within its bound: the line is read without it. */
export function reportIsLate(state: GateState, phase: ReportPhase): boolean {
  return state.time.isLate(phase.since, ECHO_BOUND);
}

function withReport(state: GateState, text: string): Reading {
  const keys = state.line.keys.state;
  const others = fuse({
    screen: lineOnScreen(state),
    redrawn: undefined,
    keys,
    plain: state.plain,
    doubts: [],
  });
  return {
    text,
    candidates: [...new Set([text, ...others.candidates])],
    how: 'integrated',
    confidence: 1,
    doubts: keys.kind === 'known' && !keys.texts.includes(text) ? ['mismatch'] : [],
  };
}
