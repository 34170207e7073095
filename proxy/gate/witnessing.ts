// A witness of the line besides keys and screen: a shell with our integration, which reports the text of its line editor
// when it is asked. It is asked as the submit key is held; its answer comes behind the echo of everything before. Its
// user can make it lie, so it never counts for more than the keys do: what makes a line certain is still the screen.
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { CERTAIN, type Doubt, fuse, type Reading } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import type { Held, ReportPhase } from './phases.ts';
import { expansionKeys, suffixKeys } from './probing.ts';
import { expansionLeft } from './reading-doubts.ts';
import { REPORT_BOUND } from './timing.ts';

export interface Reported {
  readonly text: string;
  /** Makes the shell drop its line if it is another one by now; sent right before the submit key. */
  readonly allow: Buffer | undefined;
}

/** What one look at the line has shown. */
export interface Shown {
  readonly screen: LineOnScreen;
  /** The same line as the editor drew it anew, if it did. */
  readonly redrawn: LineOnScreen | undefined;
  readonly doubts: readonly Doubt[];
}

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
  const expansion =
    expansionLeft(state, reported.text) && !line.expanded ? expansionKeys(state) : undefined;
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

/** The screen shows the text that was reported. */
export function reportShown(state: GateState, screen: LineOnScreen): boolean {
  const { report } = state.line;
  return report !== undefined && confirms({ screen, redrawn: undefined, doubts: [] }, report.text);
}

/** What all the witnesses say together. */
export function weighed(state: GateState, shown: Shown): Reading {
  const keys = state.line.keys.state;
  const reading = fuse({ ...shown, keys, plain: state.plain });
  const { report } = state.line;
  if (report === undefined) return reading;
  return withReport(reading, shown, report.text, keys.kind === 'known' && keys.texts.includes(report.text));
}

/**
 * Puts the report beside a reading. All the texts are judged, so that the strictest counts. It is certain where a fresh
 * drawing by the editor shows it, or where screen and keys both say the same; else it waits for such a drawing.
 */
export function withReport(reading: Reading, shown: Shown, text: string, typed: boolean): Reading {
  const candidates = [...new Set([text, ...reading.candidates])];
  if (!confirms(shown, text)) {
    return {
      text,
      candidates,
      how: 'integrated',
      confidence: Math.min(reading.confidence, 0.6),
      doubts: [...new Set<Doubt>([...reading.doubts, 'mismatch'])],
    };
  }
  const certain = typed || shown.redrawn !== undefined;
  const doubts = reading.doubts.filter((doubt) => doubt !== 'mismatch' && doubt !== 'no-echo');
  return { text, candidates, how: 'integrated', confidence: certain ? 0.99 : 0.85, doubts };
}

function confirms({ screen, redrawn, doubts }: Shown, text: string): boolean {
  const keys = { kind: 'known', texts: [text], cursors: [text.length] } as const;
  const { confidence, how } = fuse({ screen, redrawn, keys, plain: false, doubts });
  return how === 'exact' && confidence >= CERTAIN;
}
