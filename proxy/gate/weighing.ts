// Weighs what screen, keys and, where there is one, the shell's own report say of a line. The shell's user can make it
// lie, so its report never counts for more than the keys do: what makes a line certain is still the screen.
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { CERTAIN, type Doubt, fuse, type Reading } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';

/** What one look at the line has shown. */
export interface Shown {
  readonly screen: LineOnScreen;
  /** The same line as the editor drew it anew, if it did. */
  readonly redrawn: LineOnScreen | undefined;
  readonly doubts: readonly Doubt[];
}

/** The screen shows the text that was reported. */
export function reportShown(state: GateState, screen: LineOnScreen): boolean {
  const { report } = state.line;
  return report !== undefined && confirms({ screen, redrawn: undefined, doubts: [] }, report.text);
}

/** What all the witnesses say together. */
export function weighed(state: GateState, shown: Shown): Reading {
  const keys = state.line.keys.state;
  const reading = fuse({ ...shown, keys, plain: state.plain, listBelow: state.line.keys.onlyCompleted });
  const { report } = state.line;
  if (report === undefined) return reading;
  return withReport(reading, shown, report.text, keys.kind === 'known' && keys.texts.includes(report.text));
}

/**
 * Puts the report beside a reading. All the texts are judged, so that the strictest counts. It is certain where a fresh
 * drawing by the editor shows it, or where the screen does and nothing else is asked for (`enough`).
 */
export function withReport(reading: Reading, shown: Shown, text: string, enough: boolean): Reading {
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
  const certain = enough || shown.redrawn !== undefined;
  const doubts = reading.doubts.filter((doubt) => doubt !== 'mismatch' && doubt !== 'no-echo');
  return { text, candidates, how: 'integrated', confidence: certain ? 0.99 : 0.85, doubts };
}

function confirms({ screen, redrawn, doubts }: Shown, text: string): boolean {
  const keys = { kind: 'known', texts: [text], cursors: [text.length] } as const;
  const { confidence, how } = fuse({ screen, redrawn, keys, plain: false, doubts });
  return how === 'exact' && confidence >= CERTAIN;
}
