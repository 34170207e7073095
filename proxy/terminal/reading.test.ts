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

test('a line in which zsh spells marks that take no column is what was typed', () => {
  const reading = read('echo 日本語 e<0301> <202e>abc; ls', true);
  expect(reading.text).toBe(TYPED);
  expect(reading.confidence).toBeGreaterThanOrEqual(CERTAIN);
  expect(read('echo 日本語 e<0301> <202d>abc; ls', true).confidence).toBeLessThan(CERTAIN);
});
