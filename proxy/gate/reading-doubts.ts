// What casts doubt on a reading beyond screen and keys: history expansion that is left in the line, a program that reads
// in place of a shell, rows that an editor indents for show. Only ever lowers confidence.
import type { Doubt, Reading } from '../terminal/reading.ts';
import type { GateState } from './gate-state.ts';
import { lineFromMark } from './line-start.ts';

/** REPLs whose lines have no history expansion. */
const WITHOUT_EXPANSION = ['python', 'ipython', 'psql', 'mysql', 'mariadb', 'redis-cli', 'sqlite3'] as const;

export function doubted(state: GateState, reading: Reading, extra: readonly Doubt[]): Reading {
  const doubts = new Set<Doubt>([...reading.doubts, ...extra]);
  let confidence = reading.confidence;
  if (expansionLeft(state, reading.text)) {
    doubts.add('history-expansion');
    confidence = Math.min(confidence, 0.5);
  }
  if (state.reader === 'program') doubts.add('in-program');
  return { ...reading, confidence, doubts: [...doubts] };
}

export function expansionLeft(state: GateState, text: string): boolean {
  if (state.reader === 'program') return false;
  // Output alone does not make a fish: what looks like one may be a shell that expands.
  if (state.isFish) return false;
  if (state.contexts.inside(...WITHOUT_EXPANSION)) return false;
  const knowsQuotes = state.dialect === 'readline' || state.dialect === 'zsh' || state.dialect === 'fish';
  const open = knowsQuotes ? text.replace(/\\.|'[^']*'/g, '_') : text.replace(/\\./g, '_');
  if (/^\s*\^/.test(open)) return true;
  return knowsQuotes ? /!(?=[^\s=("])/.test(open) : /!(?=[^\s=(])/.test(open);
}

/** fish indents further rows of a buffer on screen only. */
export function withoutIndent(state: GateState, reading: Reading): Reading {
  if (state.dialect !== 'fish' || reading.how !== 'screen' || !reading.text.includes('\n')) return reading;
  const text = reading.text
    .split('\n')
    .map((row, index) => (index === 0 ? row : row.trim()))
    .join('\n');
  return { ...reading, text, candidates: [text, ...reading.candidates.filter((other) => other !== text)] };
}

/** More was typed than anything here remembers: what the screen shows is a part of it at best. */
export function withoutWhatIsForgotten(state: GateState, reading: Reading): Reading {
  const keys = state.line.keys.state;
  if (keys.kind === 'known' || keys.because !== 'too-long') return reading;
  return {
    ...reading,
    confidence: Math.min(reading.confidence, 0.3),
    doubts: [...reading.doubts, 'scrolled'],
  };
}

/** A shell's mark says that the line starts further left: what stands from there on is judged, too, and less is certain. */
export function withMark(state: GateState, reading: Reading): Reading {
  const marked = lineFromMark(state);
  if (marked === undefined || reading.candidates.includes(marked.text)) return reading;
  return {
    ...reading,
    candidates: [...reading.candidates, marked.text],
    confidence: Math.min(reading.confidence, 0.8),
    doubts: [...new Set<Doubt>([...reading.doubts, 'prompt-unverified'])],
  };
}
