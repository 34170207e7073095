// The lazy screen must be indistinguishable from drawing everything, wherever somebody looks.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LazyScreen } from './lazy-screen.ts';
import { textOf, writtenEnd } from './prompt.ts';
import { Screen, type ScreenView } from './screen.ts';

/** `SALLYPORT_PROPERTY_TIMES=20`: so many times as many tries, each run with another seed. */
const TIMES = Math.max(1, Number(process.env['SALLYPORT_PROPERTY_TIMES'] ?? 1) || 1);

function picture(view: ScreenView): string {
  const rows: string[] = [`${view.cursor.column},${view.cursor.row},${view.top},${view.alternate}`];
  for (let y = 0; y < view.top + view.rows; y++) {
    const row = view.row(y);
    const cells = row?.cells ?? [];
    const faint = cells.map((cell) => (cell.faint ? 'f' : '.')).join('');
    rows.push(
      `${row?.wrapped === true ? '+' : '|'}${textOf(cells, 0, writtenEnd(cells))}|${writtenEnd(cells)}${faint.trimEnd()}`,
    );
  }
  return rows.join('\n');
}

/** Gives output as the relay does: in memory that is used again as soon as the call returns. */
function lend(screen: LazyScreen, data: Buffer): void {
  const lent = Buffer.from(data);
  screen.write(lent);
  lent.fill(0x1b);
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
      '\x1b[?6h',
      '\x1b[?47l',
      '\x1b[31',
      '\x1b]0;title',
      '\x1b]8;;http://a/\x07',
      '\x1bP',
      '\x1b_',
      '\x07',
      '\x1b\\',
      '\u009b2m',
      '\u009c',
      '— 👩‍👩‍👧',
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
          lend(lazy, data.subarray(at, at + chunk));
          full.write(data.subarray(at, at + chunk));
        }
        expect(picture(lazy)).toBe(picture(full));
      },
    ),
    { numRuns: 60 * TIMES, ...(TIMES === 1 ? { seed: 1 } : {}) },
  );
});

const LOOK = 'look';
/** More than is drawn without a cut, of lines that end with a line end. */
const BULK = `${'line '.repeat(9)}\r\n`.repeat(900);
const OTHER = `other\r\n`.repeat(450);

test.each<readonly [string, ...(string | Buffer)[]]>([
  ['a string that has not ended', '\x1bP1q', BULK],
  ['a string that begins behind much text', `${BULK}\x1b]0;title`, OTHER, '\x07behind'],
  ['a string that no bell ends', '\x1b_string\x07', BULK],
  ['a string that another sequence ends', `\x1b_${BULK}\u009b`],
  ['a string that a C1 control ends', '\x1b)0\x1b]0;title\u009c\x0e', BULK],
  ['margins of the other buffer', '\x1b[5;10r\x1b[?1049h\x1b[r\x1b[?1049l', BULK],
  ['margins that end behind it', '\x1b[5;10r', BULK, 'behind\x1b[r'],
  ['margins that a soft reset ends behind it', '\x1b[5;10r', BULK, 'behind\x1b[!p'],
  ['colours that a C1 control introduces', `\u009b2m${BULK}`],
  ['a control in the middle of a sequence', '\x1b[\n2m', BULK],
  ['a sequence behind half a character', Buffer.from([0xc2]), '\x1b[2m', BULK],
  ['a sequence that goes on behind a look', 'text\x1b[', LOOK, `2m${BULK}`],
  ['a character that is cut', BULK, Buffer.from([0xe2, 0x80]), Buffer.from([0x94, 0x41])],
  ['a line end in the middle of a sequence', `${BULK}\x1b(`, '\r\n'.repeat(100), '0lqqk'],
])('nobody can tell that much was skipped: %s', (_, ...pieces) => {
  using lazy = new LazyScreen(80, 24, 30);
  using full = new Screen(80, 24, 30);
  for (const one of pieces) {
    if (one === LOOK) expect(picture(lazy)).toBe(picture(full));
    else {
      lend(lazy, Buffer.from(one));
      full.write(Buffer.from(one));
    }
  }
  expect(picture(lazy)).toBe(picture(full));
});

test('nobody can tell that much was skipped: an alternate screen that keeps lines', () => {
  using lazy = new LazyScreen(80, 24, 0);
  using full = new Screen(80, 24, 0);
  for (const screen of [lazy, full]) {
    screen.write(Buffer.from('text'));
    screen.resize(9, 9);
    screen.write(Buffer.from(`\x1b[?1049h${'more\r\n'.repeat(10_000)}`));
  }
  expect(picture(lazy)).toBe(picture(full));
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
