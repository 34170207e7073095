// What the scanner reports of a device's output, and where sequences begin and end as terminals see it.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutputScanner } from './modes.ts';

function events(...pieces: (string | Buffer)[]): string[] {
  const scanner = new OutputScanner();
  return pieces.flatMap((piece) =>
    scanner
      .scan(Buffer.from(piece))
      .map((event) => `${event.kind === 'mark' ? `mark ${event.mark}` : event.kind}@${event.at}`),
  );
}

test('modes and marks are told with the offset behind them, also when they come in pieces', () => {
  expect(events('ab\x1b[?2004hcd\x1b]133;A\x07')).toEqual(['editor-on@10', 'mark A@20']);
  expect(events('\x1b[?20', '04l\x1b]633;B', '\x1b\\')).toEqual(['editor-off@3', 'mark B@2']);
});

test('text and colours are no events', () => {
  expect(events('text \x1b[31;1mżółw\x1b[0m\r\n\ttext\x07')).toEqual([]);
});

test.each<readonly [string, ...(string | Buffer)[]]>([
  ['behind half a character', Buffer.from('\xc2\x1b[?2004h', 'latin1')],
  ['behind two halves', Buffer.from('\xc2\xc2\x9b?2004h', 'latin1')],
  ['behind DEL in the middle of a sequence', '\x1b\x7f[?2004h'],
  ['introduced by a C1 control that breaks off a sequence', '\x1b[3\u009b?2004h'],
  ['introduced by a C1 control in the middle of a string', '\x1b]0;title\u009b?2004h'],
  ['behind a string that a C1 control ends', '\x1b]0;title\u009c\u009b?2004h'],
  ['behind a string that a sequence ends', '\x1b_string\x1b[?2004h'],
])('a mode is seen %s', (_, ...pieces) => {
  expect(events(...pieces).some((event) => event.startsWith('editor-on'))).toBe(true);
});

test('a bell ends the strings that it ends in a terminal, and no others', () => {
  const scanner = new OutputScanner();
  scanner.scan(Buffer.from('\x1b]0;title\x07'));
  expect(scanner.inString).toBe(false);
  scanner.scan(Buffer.from('\x1b_string\x07'));
  expect(scanner.inString).toBe(true);
  scanner.scan(Buffer.from('\x1b\\'));
  expect(scanner.inString).toBe(false);
});

test('a colour of three bytes at the end ends the scan, wherever it lies in memory', () => {
  for (let offset = 0; offset < 4; offset++) {
    for (let before = 0; before < 8; before++) {
      const memory = Buffer.from(`${' '.repeat(offset)}\x1b[1m${'x'.repeat(before)}\x1b[m`);
      expect(new OutputScanner().scan(memory.subarray(offset))).toEqual([]);
    }
  }
});

const token = fc.constantFrom(
  ...[
    '\x1b[1;32m',
    '\x1b[m',
    '\x1b[0m',
    '\x1b[K',
    '\x1b[?2004h',
    '\x1b[?1049l',
    '\x1b]133;A\x07',
    '\x1b]0;title\x1b\\',
    '\x1bc',
  ],
  ...[
    '\b',
    '\f',
    '\x18',
    '\x7f',
    '\u009b2m',
    '\u009b?2004l',
    '«',
    '\u00a0',
    'ż',
    '漢',
    '\r\n',
    'x',
    ' '.repeat(70),
  ],
  ...['\x1b', '\x1b[', '\x1b[3', ';'],
);
const output = fc.oneof(
  fc.array(token, { maxLength: 40 }).map((tokens) => Buffer.from(tokens.join(''))),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
);

test('what is told does not depend on how the output was cut, nor on where it lies in memory', () => {
  fc.assert(
    fc.property(
      fc.array(output, { maxLength: 4 }).map((parts) => Buffer.concat(parts)),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 2, max: 90 }),
      (data, offset, size) => {
        const told = (piece: number): string[] => {
          const scanner = new OutputScanner();
          const memory = Buffer.alloc(data.length + offset);
          data.copy(memory, offset);
          const found: string[] = [];
          for (let at = 0; at < data.length; at += piece) {
            const events = scanner.scan(
              memory.subarray(offset + at, offset + Math.min(data.length, at + piece)),
            );
            found.push(...events.map((event) => JSON.stringify({ ...event, at: at + event.at })));
          }
          return [...found, String(scanner.unfinished), String(scanner.inString)];
        };
        const byteByByte = told(1);
        expect(told(data.length)).toEqual(byteByByte);
        expect(told(size)).toEqual(byteByByte);
      },
    ),
    { numRuns: 2_000 },
  );
});
