// What the scanner reports of a device's output, and where sequences begin and end as terminals see it.
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
