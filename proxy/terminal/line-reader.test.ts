// Reading the line from small pictures of what editors draw.
import { describe, expect, test } from 'vitest';
import { LazyScreen } from './lazy-screen.ts';
import { readLine } from './line-reader.ts';
import { type Anchor, anchorAt } from './prompt.ts';

const PROMPT = 'alice@dev$ ';

function drawn(after: string, before = ''): { screen: LazyScreen; anchor: Anchor } {
  const screen = new LazyScreen(40, 10);
  screen.write(Buffer.from(`${before}${PROMPT}`));
  const anchor = anchorAt(screen, screen.cursor, true, 0);
  screen.write(Buffer.from(after));
  return { screen, anchor };
}

const read = (after: string, options: { lines?: boolean; before?: string } = {}) => {
  const { screen, anchor } = drawn(after, options.before);
  return readLine(screen, anchor, { prompts: [PROMPT], lines: options.lines ?? false });
};

describe('the line on the screen', () => {
  test('stands between the prompt and the last written cell', () => {
    expect(read('ls -l').text).toBe('ls -l');
  });

  test('goes on over wrapped rows', () => {
    const long = `echo ${'abcdefghi '.repeat(8)}end`;
    expect(read(long).text).toBe(long);
  });

  test('does not include a suggestion that starts at the cursor', () => {
    const line = read('echo r\x1b[90mm -rf secret\x1b[0m\x1b[14D');
    expect(line.text).toBe('echo r');
  });

  test('keeps faint text before the cursor', () => {
    expect(read('echo \x1b[90m# note\x1b[0m').text).toBe('echo # note');
  });

  test('does not include a right prompt that stood there before', () => {
    const screen = new LazyScreen(40, 10);
    screen.write(Buffer.from(`${PROMPT}\x1b[34G[right]\r\x1b[11C`));
    const anchor = anchorAt(screen, screen.cursor, true, 0);
    expect(anchor.right).toBe('[right]');
    screen.write(Buffer.from('ls'));
    expect(readLine(screen, anchor, { prompts: [], lines: false }).text).toBe('ls');
  });

  test('does not include a right prompt that came later', () => {
    expect(read('ls\x1b[34G[right]\r\x1b[13C').text).toBe('ls');
  });

  test('is found again when the screen was cleared', () => {
    expect(read(`echo one\x1b[H\x1b[2J${PROMPT}echo one`, { before: 'output\r\n'.repeat(5) }).text).toBe(
      'echo one',
    );
  });

  test('is the newest one below a completion list', () => {
    expect(read(`echo b\r\nbeta_one beta_two\r\n${PROMPT}echo beta_`).text).toBe('echo beta_');
  });

  test('of an incremental search is what follows the quotes', () => {
    const line = read("\r\x1b[K(reverse-i-search)`ne': echo needle\b\b\b\b\b\b");
    expect(line.text).toBe('echo needle');
    expect(line.doubts).toContain('search');
  });

  test('painted over by a program that moved the prompt away is doubted', () => {
    expect(read('\x1b[2J\x1b[Hharmless').doubts).toContain('prompt-lost');
  });

  test('joins over the margin that a wide character did not fit into', () => {
    const text = `${'x'.repeat(28)}漢字`;
    expect(read(text).text).toBe(text);
  });
});
