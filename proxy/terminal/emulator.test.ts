// A screen that was put away and brought back must be the one that was never put away.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Borrower, Emulator, EmulatorPool } from './emulator.ts';
import { Screen, type ScreenView } from './screen.ts';

function everything({ terminal }: Emulator): string {
  const buffer = terminal.buffer.active;
  const rows: string[] = [
    `${terminal.cols}x${terminal.rows} ${buffer.type} ${buffer.baseY} ${buffer.cursorX},${buffer.cursorY}`,
    JSON.stringify(terminal.modes),
  ];
  for (let y = 0; y < buffer.length; y += 1) {
    const line = buffer.getLine(y);
    let row = line?.isWrapped === true ? '+' : '|';
    for (let x = 0; x < terminal.cols; x += 1) {
      const cell = line?.getCell(x);
      if (cell === undefined || (cell.getChars() === '' && cell.isAttributeDefault())) row += '.';
      else
        row += `${cell.getChars()}/${cell.getWidth()}/${cell.getFgColor()}/${cell.getBgColor()}/${cell.isDim()}${cell.isBold()}${cell.isUnderline()} `;
    }
    rows.push(row);
  }
  return rows.join('\n');
}

const word = fc.string({ maxLength: 60 }).map((text) => text.replace(/[\x00-\x1f\x7f-\x9f]/g, ''));
const output = fc.oneof(
  { weight: 5, arbitrary: word },
  { weight: 5, arbitrary: word.map((text) => `${text}\r\n`) },
  { weight: 2, arbitrary: fc.constant('line\r\n'.repeat(70)) },
  {
    weight: 10,
    arbitrary: fc.constantFrom(
      ...[
        '\x1b[31;1m',
        '\x1b[0m',
        '\x1b[2m',
        '\x1b[48;5;240m',
        '\x1b[4:3m',
        '\x1b[58;5;1m',
        '\x1b[H',
        '\x1b[2J',
      ],
      ...[
        '\x1b[K',
        '\x1b[5;10r',
        '\x1b[r',
        '\x1b[?1049h',
        '\x1b[?1049l',
        '\x1b[?2004h',
        '\x1b[3A',
        '\x1b[7;70H',
      ],
      ...[
        '\b',
        '\t',
        '\x1bH',
        '\x1b[3g',
        '\x1b]0;title\x07',
        '\x1b7',
        '\x1b8',
        'żółw漢字',
        'e\u0301',
        '\x1bM',
      ],
      ...[
        '\x1b[?7l',
        '\x1b[?7h',
        '\x1b[4h',
        '\x1b[4l',
        '\x1b[20h',
        '\n',
        '\x1bc',
        '\x1b(0qqx',
        '\x1b(B',
        '\x0e',
      ],
      ...['\x0f', '\x1b)0', '\x1b[?6h', '\x1b[?6l', '\x1b[3b', '\x1b[2L', '\x1b[2@', '\x1b[?25l', '\x1b[?1h'],
      ...['\x1b[1"q', '\x1b[0"q', '\x1b[?2J', '\x1b[3', '\x1b]8;;http://a/\x07link\x1b]8;;\x07', '\xe6\xbc'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  },
);
const step = fc.oneof(
  { weight: 12, arbitrary: output.map((data) => ({ kind: 'write' as const, data })) },
  { weight: 6, arbitrary: fc.constant({ kind: 'away' as const }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 2, max: 120 }), fc.integer({ min: 2, max: 40 }))
      .map(([columns, rows]) => ({ kind: 'resize' as const, columns, rows })),
  },
);

test('putting away and bringing back in another emulator changes nothing, then or later', () => {
  let frozenEver = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      using steady = new Emulator(80, 24, 50);
      let moving = new Emulator(80, 24, 50);
      let other = new Emulator(30, 7, 3);
      for (const one of steps) {
        if (one.kind === 'write') {
          // Whatever an emulator drew for somebody else before must not shine through.
          other.write('\x1b[?1049h\x1b[45m\x1b[4h\x1b[2;5r\x1b(0somebody else\x1b7');
          const bytes =
            Buffer.from(one.data, 'latin1').length === one.data.length
              ? Buffer.from(one.data, 'latin1')
              : Buffer.from(one.data);
          steady.write(bytes);
          moving.write(bytes);
        } else if (one.kind === 'resize') {
          steady.resize(one.columns, one.rows);
          moving.resize(one.columns, one.rows);
        } else {
          const frozen = moving.freeze();
          if (frozen === undefined) continue;
          frozenEver += 1;
          other.thaw(frozen);
          [moving, other] = [other, moving];
        }
        expect(everything(moving) === everything(steady)).toBe(true);
      }
      moving[Symbol.dispose]();
      other[Symbol.dispose]();
    }),
    { numRuns: 150 },
  );
  expect(frozenEver).toBeGreaterThan(100);
});

test('lines of the alternate screen that are longer than a window made narrower come back as they were', () => {
  using emulator = new Emulator(80, 24, 50);
  using other = new Emulator(80, 24, 50);
  emulator.write('\x1b[?1049h0123456789');
  emulator.resize(4, 5);
  const frozen = emulator.freeze();
  if (frozen === undefined) throw new Error('not put away');
  other.thaw(frozen);
  other.resize(80, 24);
  expect(other.terminal.buffer.active.getLine(0)?.translateToString(true)).toBe('0123456789');
});

test('what a narrower window makes of the same lines does not depend on how many have gone', () => {
  using few = new Emulator(80, 5, 0);
  using many = new Emulator(80, 5, 0);
  const line = 'n2A>gZy4h&k/t|$*-MYu;7~2}RXi\r\n';
  few.write(line.repeat(4));
  many.write(line.repeat(7));
  expect(everything(few)).toBe(everything(many));
  few.resize(2, 5);
  many.resize(2, 5);
  expect(everything(few)).toBe(everything(many));
});

test('it does not matter where output is cut, not even in the middle of a character', () => {
  using whole = new Emulator(80, 24, 50);
  whole.write('a — b 漢 😀 c');
  for (const before of [0, 131_066]) {
    const text = Buffer.from(`${'\r'.repeat(before)}a — b 漢 😀 c`);
    for (let at = before; at <= text.length; at += 1) {
      using emulator = new Emulator(80, 24, 50);
      emulator.write(text.subarray(0, at));
      emulator.write(text.subarray(at));
      expect(everything(emulator)).toBe(everything(whole));
    }
  }
});

test('what stands in the middle of a sequence or character is not put away', () => {
  using emulator = new Emulator(80, 24, 50);
  emulator.write('a\x1b[3');
  expect(emulator.freeze()).toBeUndefined();
  emulator.write('1m');
  expect(emulator.freeze()?.cursor).toEqual({ row: 0, column: 1 });
  emulator.write(Buffer.from([0xe6, 0xbc]));
  expect(emulator.freeze()).toBeUndefined();
  emulator.write(Buffer.from([0xa2]));
  expect(emulator.freeze()?.cursor).toEqual({ row: 0, column: 2 });
});

test('only so many screens have an emulator, and those that lost it show the same', () => {
  const pool = new EmulatorPool(3);
  const taken: number[] = [];
  const borrowersSoFar: Borrower[] = [];
  const borrowers = Array.from({ length: 10 }, (_, index): Borrower => {
    const emulator = { current: undefined as Emulator | undefined };
    const borrower: Borrower = {
      giveUp: () => {
        taken.push(index);
        const given = emulator.current;
        emulator.current = undefined;
        return given;
      },
    };
    emulator.current = pool.borrow(borrower, 80, 24, 0);
    if (index === 4) pool.used(borrowersSoFar[2] ?? borrower);
    borrowersSoFar.push(borrower);
    return borrower;
  });
  expect(borrowers).toHaveLength(10);
  expect(pool.size).toBe(3);
  // The third was used after the fourth and fifth came.
  expect(taken.slice(0, 5)).toEqual([0, 1, 3, 4, 2]);
});

test('many screens at once each keep what was drawn on them', () => {
  const text = (view: ScreenView, row: number) =>
    (view.row(row)?.cells ?? [])
      .map((cell) => cell.text)
      .join('')
      .trim();
  const screens = Array.from({ length: 200 }, () => new Screen(80, 24, 20));
  for (let round = 0; round < 3; round += 1) {
    for (const [index, screen] of screens.entries()) screen.write(`round ${round} of ${index}\r\n`);
  }
  for (const [index, screen] of screens.entries()) {
    expect(screen.cursor).toEqual({ row: 3, column: 0 });
    for (let round = 0; round < 3; round += 1) expect(text(screen, round)).toBe(`round ${round} of ${index}`);
    screen[Symbol.dispose]();
    expect(screen.row(0)).toBeUndefined();
  }
});
