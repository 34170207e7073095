// Compares what was read with what ran. Truth entries may span several submitted lines; they are aligned so that one
// missed line does not make all that follow look wrong.
import type { Reading } from '../../proxy/terminal/reading.ts';

export interface Counts {
  commands: number;
  exact: number;
  uncertain: number;
  silentlyWrong: number;
  unapprovedRan: number;
}

/** Stands for a command that left no reading at all. */
export const NOTHING = '(nothing was read)';

export interface Difference {
  readonly kind: 'uncertain' | 'silently-wrong' | 'unapproved' | 'refused';
  readonly truth: string;
  readonly read: string;
  readonly detail: string;
}

/** What was read, as the log has it: `hidden` when its text is not stored because it was typed without echo. */
export interface ReadLine extends Reading {
  readonly hidden?: boolean;
}

export interface CompareOptions {
  /** The shell's own record is rebuilt from its words: blanks say nothing. */
  readonly loose: boolean;
  /** The shell's record leaves out a line that equals the one before. */
  readonly repeatsDropped: boolean;
}

/** Blanks at the end of a line, and the editor's own indentation of further rows, are not part of a command. */
export function normal(text: string, loose: boolean): string {
  if (loose) return text.replace(/\s+/g, '').normalize('NFC');
  return text
    .split('\n')
    .map((line, index) => (index === 0 ? line.trimEnd() : line.trim()))
    .filter((line) => line !== '')
    .join('\n')
    .replace(/^\s+/, '')
    .normalize('NFC');
}

function withoutRepeats(list: readonly string[]): string[] {
  return list.filter((entry, index) => index === 0 || entry !== list[index - 1]);
}

const SPAN = 24;

export function compareReadings(
  truthEntries: readonly string[],
  readings: readonly ReadLine[],
  options: CompareOptions,
): { counts: Omit<Counts, 'unapprovedRan'>; differences: Difference[] } {
  let truth = truthEntries.map((entry) => normal(entry, options.loose)).filter((entry) => entry !== '');
  let reads = readings
    .map((reading) => ({ reading, text: normal(reading.text, options.loose) }))
    .filter((read) => read.text !== '');
  if (options.repeatsDropped) {
    truth = withoutRepeats(truth);
    reads = reads.filter((read, index) => index === 0 || read.text !== reads[index - 1]?.text);
  }
  const cost: number[][] = Array.from({ length: truth.length + 1 }, () =>
    new Array<number>(reads.length + 1).fill(Number.POSITIVE_INFINITY),
  );
  const from: { t: number; r: number; match: boolean }[][] = Array.from({ length: truth.length + 1 }, () =>
    Array.from({ length: reads.length + 1 }, () => ({ t: 0, r: 0, match: false })),
  );
  const first = cost[0];
  if (first !== undefined) first[0] = 0;
  for (let t = 0; t <= truth.length; t++) {
    for (let r = 0; r <= reads.length; r++) {
      const here = cost[t]?.[r] ?? Number.POSITIVE_INFINITY;
      if (here === Number.POSITIVE_INFINITY) continue;
      const offer = (nt: number, nr: number, price: number, match: boolean): void => {
        const row = cost[nt];
        const origins = from[nt];
        if (row === undefined || origins === undefined || nr > reads.length) return;
        if (here + price < (row[nr] ?? 0)) {
          row[nr] = here + price;
          origins[nr] = { t, r, match };
        }
      };
      const entry = truth[t];
      const read = reads[r];
      if (read !== undefined) offer(t, r + 1, 0.05, false);
      if (entry === undefined) continue;
      offer(t + 1, r, 1.1, false);
      if (read === undefined) continue;
      if (entry === read.text) {
        offer(t + 1, r + 1, 0, true);
        continue;
      }
      offer(t + 1, r + 1, 1, false);
      let joined = '';
      for (let span = 1; span <= SPAN && r + span <= reads.length; span++) {
        const next = reads[r + span - 1]?.text ?? '';
        joined = joined === '' ? next : `${joined}${options.loose ? '' : '\n'}${next}`;
        if (joined.length > entry.length) break;
        if (joined === entry) offer(t + 1, r + span, 0, true);
      }
    }
  }
  const counts = { commands: truth.length, exact: 0, uncertain: 0, silentlyWrong: 0 };
  const differences: Difference[] = [];
  let t = truth.length;
  let r = reads.length;
  while (t > 0 || r > 0) {
    const origin = from[t]?.[r];
    if (origin === undefined) break;
    if (origin.t < t) {
      const read = origin.r < r ? reads[origin.r]?.reading : undefined;
      if (origin.match && read?.hidden !== true) counts.exact += 1;
      else {
        const flagged = read !== undefined && (read.confidence < 0.9 || read.hidden === true);
        if (flagged) counts.uncertain += 1;
        else counts.silentlyWrong += 1;
        differences.push({
          kind: flagged ? 'uncertain' : 'silently-wrong',
          truth: truth[origin.t] ?? '',
          read: read?.text ?? NOTHING,
          detail:
            read === undefined
              ? ''
              : `${read.how} ${read.confidence} ${read.doubts.join(',')}${read.hidden === true ? ' hidden' : ''}`,
        });
      }
    }
    t = origin.t;
    r = origin.r;
  }
  return { counts, differences: differences.reverse() };
}

/** Commands that the shell ran although no approved line, or run of approved lines, says exactly that. */
export function unapproved(
  truthEntries: readonly string[],
  approvedTexts: readonly string[],
  options: CompareOptions,
): string[] {
  const approved = approvedTexts.map((text) => normal(text, options.loose)).filter((text) => text !== '');
  const allowed = new Set(approved);
  return truthEntries.filter((entry) => {
    const text = normal(entry, options.loose);
    if (text === '' || allowed.has(text)) return false;
    for (let start = 0; start < approved.length; start++) {
      let joined = '';
      for (let span = 0; span < SPAN && start + span < approved.length; span++) {
        const next = approved[start + span] ?? '';
        joined = joined === '' ? next : `${joined}${options.loose ? '' : '\n'}${next}`;
        if (joined === text) return false;
        if (joined.length > text.length) break;
      }
    }
    return true;
  });
}
