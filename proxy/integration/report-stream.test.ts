// What the integrated shell says is taken out of the output wherever chunks begin and end, and nothing else is.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decoded, ReportStream, type StreamPiece } from './report-stream.ts';

const said = (text: string): string => `\x1b]7770;token;${text}\x07`;

const read = (stream: ReportStream, ...chunks: readonly (string | Buffer)[]): StreamPiece[] =>
  chunks.flatMap((chunk) => stream.push(Buffer.from(chunk)));

const outputOf = (pieces: readonly StreamPiece[]): string =>
  Buffer.concat(pieces.flatMap((piece) => (piece.kind === 'output' ? [piece.bytes] : []))).toString();

const saidIn = (pieces: readonly StreamPiece[]): string[] =>
  pieces.flatMap((piece) => (piece.kind === 'said' ? [piece.fields.join(';')] : []));

describe('the stream of a shell that reports', () => {
  test('is cut at its control strings, in order', () => {
    const pieces = read(new ReportStream('token'), `before${said('p')}between${said('r;1;2;ls')}after`);
    expect(pieces.map((piece) => (piece.kind === 'output' ? piece.bytes.toString() : piece.fields))).toEqual([
      'before',
      ['p'],
      'between',
      ['r', '1', '2', 'ls'],
      'after',
    ]);
  });

  test('passes control strings of others, and of another token', () => {
    const others = '\x1b]0;title\x07\x1b]7770;other;p\x07\x1b]7771;token;p\x07';
    const pieces = read(new ReportStream('token'), others);
    expect(outputOf(pieces)).toBe(others);
    expect(saidIn(pieces)).toEqual([]);
  });

  test('is the same however it is cut into chunks', () => {
    const whole = `a\x1b[1mb${said('p')}c\x1b]77${said('x;9')}d\x1b`;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 8 }), (cuts) => {
        const at = [0, ...cuts.toSorted((one, other) => one - other), whole.length];
        const chunks = at.slice(1).map((end, index) => whole.slice(at[index], end));
        const pieces = read(new ReportStream('token'), ...chunks, '.');
        expect(outputOf(pieces)).toBe('a\x1b[1mbc\x1b]77d\x1b.');
        expect(saidIn(pieces)).toEqual(['p', 'x;9']);
      }),
    );
  });

  test('keeps nothing back that has grown too long to be ours', () => {
    const stream = new ReportStream('token');
    const endless = `\x1b]7770;token;${'x'.repeat(300_000)}`;
    expect(outputOf(read(stream, endless))).toBe(endless);
    expect(saidIn(read(stream, said('p')))).toEqual(['p']);
  });
});

test('percent-encoding is undone for every text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(decoded(encodeURIComponent(text))).toBe(text);
    }),
    { numRuns: 50 },
  );
  expect(decoded('a%20b%e6%bc%a2')).toBe('a b漢');
  expect(decoded('100%')).toBe('100%');
  expect(decoded('%ff')).toBe('\ufffd');
});
