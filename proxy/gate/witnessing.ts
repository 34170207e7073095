// Asks a witness of the line besides keys and screen: a shell with our integration, which reports the text of its line
// editor. It is asked as the submit key is held; its answer comes behind the echo of everything before. What the report
// is worth is not decided here.
import type { GateState } from './gate-state.ts';
import type { Held, ReportPhase } from './phases.ts';
import { expansionKeys, suffixKeys } from './probing.ts';
import { expansionLeft } from './reading-doubts.ts';
import type { Reported } from './typed-line.ts';

/** How long a shell may take to report its line, plus two round trips. Milliseconds. */
const REPORT_BOUND = 800;

/** Asks the shell for the line; false when none is known to answer. */
export function askWitness(state: GateState, held: Held): boolean {
  const { witness, time, out, line } = state;
  line.report = undefined;
  if (witness === undefined || !state.screen.modes.editorOn) return false;
  // A key that makes the editor take the next one literally would put ours into the line.
  if (line.keys.quoting) return false;
  out.toDevice(Buffer.concat([suffixKeys(state) ?? Buffer.alloc(0), witness]), 'gate');
  state.phase = { kind: 'report', held, since: time.now };
  return true;
}

/** The shell has answered: the line settles as ever, with its text known to look for. */
export function reportedLine(state: GateState, phase: ReportPhase, reported: Reported): void {
  const { line, time, out, witness } = state;
  const expansion = expansionLeft(state, reported.text) && !line.expanded ? expansionKeys(state) : undefined;
  if (expansion !== undefined && witness !== undefined) {
    line.expanded = true;
    line.keys.forget('history');
    out.toDevice(Buffer.concat([expansion, witness]), 'gate');
    state.phase = { ...phase, since: time.now };
    return;
  }
  line.report = reported;
  state.phase = { kind: 'settle', held: phase.held, from: time.now };
}

/** No report has come within its bound: the line is read without it. */
export function reportIsLate(state: GateState, phase: ReportPhase): boolean {
  return state.time.isLate(phase.since, REPORT_BOUND);
}
