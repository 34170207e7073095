// How one text differs from another, line by line, as a unified difference with three lines of context. Pure. Texts with
// too many lines for an exact answer are shown as replaced whole.

const CONTEXT = 3;
/** Cells of the table of common lines. */
const MOST_CELLS = 4_000_000;

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

const linesOf = (text: string): readonly string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** The longest common subsequence decides what stays. */
const aligned = (before: readonly string[], after: readonly string[]): readonly Line[] => {
  const removed = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: '-', text }));
  const added = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: '+', text }));
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail++;
  const a = before.slice(head, before.length - tail);
  const b = after.slice(head, after.length - tail);
  const same = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: ' ', text }));
  const start = same(before.slice(0, head));
  const end = same(before.slice(before.length - tail));
  if (a.length * b.length > MOST_CELLS) return [...start, ...removed(a), ...added(b), ...end];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] =
        a[i] === b[j]
          ? (common[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0);
  const middle: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      middle.push({ sign: ' ', text: a[i] ?? '' });
      i++;
      j++;
    } else if ((common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0)) {
      middle.push({ sign: '-', text: a[i] ?? '' });
      i++;
    } else {
      middle.push({ sign: '+', text: b[j] ?? '' });
      j++;
    }
  }
  return [...start, ...middle, ...removed(a.slice(i)), ...added(b.slice(j)), ...end];
};

/** Empty when the texts have the same lines. */
export const differenceOf = (before: string, after: string): string => {
  const lines = aligned(linesOf(before), linesOf(after));
  const changed = lines.flatMap((line, index) => (line.sign === ' ' ? [] : [index]));
  const out: string[] = [];
  let shownTo = 0;
  for (let next = 0; next < changed.length; ) {
    const first = Math.max(shownTo, (changed[next] ?? 0) - CONTEXT);
    let last = changed[next] ?? 0;
    while (next < changed.length && (changed[next] ?? 0) <= last + 2 * CONTEXT) {
      last = changed[next] ?? last;
      next++;
    }
    const end = Math.min(lines.length, last + CONTEXT + 1);
    const count = (from: number, to: number, without: '+' | '-'): number =>
      lines.slice(from, to).filter((line) => line.sign !== without).length;
    const range = (without: '+' | '-'): string => {
      const length = count(first, end, without);
      return `${count(0, first, without) + (length === 0 ? 0 : 1)},${length}`;
    };
    out.push(`@@ -${range('+')} +${range('-')} @@`);
    for (const line of lines.slice(first, end)) out.push(`${line.sign}${line.text}`);
    shownTo = end;
  }
  return out.length === 0 ? '' : `${out.join('\n')}\n`;
};
