// What screen and keys say together of a line that the editor does not draw as it was typed.
import { describe, expect, test } from 'vitest';
import type { LineOnScreen } from './line-reader.ts';
import { CERTAIN, fuse, visible } from './reading.ts';

const TYPED = 'echo 日本語 e\u0301 \u202eabc; ls';
const byte = '<ffffffff>';

const line = (text: string): LineOnScreen => ({
  text,
  withSuggestion: undefined,
  variants: [],
  withBelow: undefined,
  cursor: text.length,
  anchor: { row: 0, column: 2, prompt: '% ', right: '', verified: true, epoch: 0 },
  doubts: [],
});

const read = (text: string, redrawn: boolean) =>
  fuse({
    screen: line(text),
    redrawn: redrawn ? line(text) : undefined,
    keys: { kind: 'known', texts: [TYPED], cursors: [TYPED.length] },
    plain: false,
    doubts: [],
  });

describe('a line in which zsh spells each byte that its locale does not know', () => {
  const shown = (abc: string): string =>
    `echo ${byte.repeat(9)} e${byte.repeat(2)} ${byte.repeat(3)}${abc}; ls`;

  test.each([true, false])('is what was typed (redrawn: %s)', (redrawn) => {
    const reading = read(shown('abc'), redrawn);
    expect(reading.text).toBe(TYPED);
    expect(reading.confidence).toBeGreaterThanOrEqual(CERTAIN);
    expect(visible(line(shown('abc')), TYPED)).toBe(true);
  });

  test.each([shown('abd'), shown(`${byte}abc`), shown('')])('is not certain with other text: %s', (text) => {
    const reading = read(text, true);
    expect(reading.confidence).toBeLessThan(CERTAIN);
    expect(reading.candidates).toContain(TYPED);
    expect(visible(line(text), TYPED)).toBe(false);
  });
});

test('a line that its editor has not drawn yet is named by its keys, and not certain', () => {
  const reading = fuse({
    screen: line(''),
    redrawn: line(''),
    keys: { kind: 'known', texts: ['echo after less'], cursors: [15] },
    plain: false,
    doubts: [],
  });
  expect(reading.text).toBe('echo after less');
  expect(reading.how).toBe('keys');
  expect(reading.confidence).toBeLessThan(0.5);
});

describe('a buffer of several rows whose cursor stands in the first', () => {
  const recalled = { kind: 'unknown', because: 'history', tail: '' } as const;
  const drawn = { ...line('echo "one'), withBelow: 'echo "one\ntwo"' };

  test('is read with the rows below, and not for certain: they may be a list', () => {
    const reading = fuse({
      screen: line('echo "one'),
      redrawn: drawn,
      keys: recalled,
      plain: false,
      doubts: [],
    });
    expect(reading.text).toBe('echo "one\ntwo"');
    expect(reading.candidates).toContain('echo "one');
    expect(reading.confidence).toBeLessThan(CERTAIN);
    expect(reading.doubts).toContain('rows');
  });

  test('is read without them, and judged with them, where only completions were asked for', () => {
    const keys = { kind: 'unknown', because: 'completion', tail: '' } as const;
    const shown = { screen: line('echo "one'), redrawn: drawn, keys, plain: false, doubts: [] };
    const reading = fuse({ ...shown, listBelow: true });
    expect(reading.text).toBe('echo "one');
    expect(reading.confidence).toBeGreaterThanOrEqual(CERTAIN);
    expect(reading.candidates).toContain('echo "one\ntwo"');
  });

  test('is judged with them where keys and first row agree', () => {
    const keys = { kind: 'known', texts: ['echo "one'], cursors: [9] } as const;
    const reading = fuse({ screen: line('echo "one'), redrawn: drawn, keys, plain: false, doubts: [] });
    expect(reading.confidence).toBeGreaterThanOrEqual(CERTAIN);
    expect(reading.candidates).toContain('echo "one\ntwo"');
  });
});

test('a line in which zsh spells marks that take no column is what was typed', () => {
  const reading = read('echo 日本語 e<0301> <202e>abc; ls', true);
  expect(reading.text).toBe(TYPED);
  expect(reading.confidence).toBeGreaterThanOrEqual(CERTAIN);
  expect(read('echo 日本語 e<0301> <202d>abc; ls', true).confidence).toBeLessThan(CERTAIN);
});
