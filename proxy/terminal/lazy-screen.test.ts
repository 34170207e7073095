// The lazy screen must be indistinguishable from drawing everything, wherever somebody looks.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LazyScreen } from './lazy-screen.ts';
import { textOf, writtenEnd } from './prompt.ts';
import { Screen, type ScreenView } from './screen.ts';

function picture(view: ScreenView): string {
  const rows: string[] = [`${view.cursor.column},${view.cursor.row - view.top},${view.alternate}`];
  for (let y = view.top; y < view.top + view.rows; y++) {
    const row = view.row(y);
    const cells = row?.cells ?? [];
    const faint = cells.map((cell) => (cell.faint ? 'f' : '.')).join('');
    rows.push(
      `${row?.wrapped === true ? '+' : '|'}${textOf(cells, 0, writtenEnd(cells))}|${writtenEnd(cells)}${faint.trimEnd()}`,
    );
  }
  return rows.join('\n');
}

const word = fc.string({ maxLength: 60 }).map((text) => text.replace(/[\x00-\x1f\x7f-\x9f]/g, ''));
const piece = fc.oneof(
  { weight: 6, arbitrary: word.map((text) => `${text}\r\n`) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(word, fc.integer({ min: 1, max: 3000 }))
      .map(([text, times]) => `${text} line\r\n`.repeat(times)),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '\x1b[31m',
      '\x1b[0m',
      '\x1b[2m',
      '\x1b[H',
      '\x1b[2J',
      '\x1b[K',
      '\x1b[5;10r',
      '\x1b[r',
      '\x1b[?1049h',
      '\x1b[?1049l',
      '\x1b[?2004h',
      '\x1b[3A',
      '\b',
      '\t',
      '\x1b]0;title\x07',
      '\x1b7',
      '\x1b8',
      'żółw漢字',
      '\x1bM',
      '\x1b[?7l',
      '\x1b[4h',
      '\x1bc',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  },
);

test('what is seen equals what drawing everything shows, at every prompt', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: 1, max: 70_000 }),
      (pieces, chunk) => {
        using lazy = new LazyScreen(80, 24, 30);
        using full = new Screen(80, 24, 30);
        const data = Buffer.from(`${pieces.join('')}\r\nalice@dev$ `);
        for (let at = 0; at < data.length; at += chunk) {
          lazy.write(data.subarray(at, at + chunk));
          full.write(data.subarray(at, at + chunk));
        }
        expect(picture(lazy)).toBe(picture(full));
      },
    ),
    { numRuns: 60 },
  );
});

test('bulk output is mostly not drawn', () => {
  using lazy = new LazyScreen(80, 24, 30);
  const line = Buffer.from(`${'x'.repeat(70)}\r\n`.repeat(900));
  for (let i = 0; i < 40; i++) lazy.write(line);
  expect(lazy.skipped).toBeGreaterThan(5);
  expect(lazy.cursor.column).toBe(0);
});

test('events come at the moment when exactly the output before them stands on the screen', () => {
  using lazy = new LazyScreen(80, 24);
  const columns: number[] = [];
  lazy.write(Buffer.from('abc\x1b[?2004hdefg\x1b[?2004l'), () => columns.push(lazy.cursor.column));
  expect(columns).toEqual([3, 7]);
});
