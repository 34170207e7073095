// What counts as typed without echo, and what as asked for as a secret.
import { describe, expect, test } from 'vitest';
import type { KeysState } from '../terminal/keys-model.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { EchoLog, type EchoWitness } from './echo-witness.ts';
import { isMasked, neverShown, showsEnd } from './secrets.ts';

const line = (text: string, prompt = 'alice@dev% '): LineOnScreen => ({
  text,
  withSuggestion: undefined,
  variants: [],
  withBelow: undefined,
  cursor: text.length,
  anchor: { row: 0, column: prompt.length, prompt, right: '', verified: true, epoch: 0 },
  doubts: [],
});
const typed = (...texts: string[]): KeysState => ({
  kind: 'known',
  texts,
  cursors: texts.map((text) => text.length),
});
const echo = (output: string): EchoWitness => {
  const log = new EchoLog();
  log.saw(Buffer.from('before'));
  const witness = log.witness();
  log.saw(Buffer.from(output));
  return witness;
};

describe('text', () => {
  test.each([
    ['that came back in one piece', 'other', 'x', 'hunter2', 'x hunter2 y', false],
    ['that came back in pieces', 'other', 'x', 'hunter2', 'hun\x1b[Kter2', false],
    ['that came back with other text between', 'other', 'x', 'hunter2', 'hun and ter2', true],
    ['that an editor drew with other text between', 'editor', 'x', 'hunter2', 'hun and ter2', false],
    [
      'of a line that was edited into another one',
      'edited',
      'tail',
      '"a b" tail',
      '"a b" ex\x1b[Ktail',
      false,
    ],
    ['that was edited where nothing is shown', 'edited', '', 'hunter2', 'hun and ter2', true],
    ['that was edited behind a mask', 'edited', '*******', 'hunter2', 'hun and ter2', true],
    [
      'that an editor spelled in its own way',
      'editor',
      'echo <65e5> <202e>abc; ls',
      'echo 日 \u202eabc; ls',
      'echo <65e5> <202e>abc; ls',
      false,
    ],
    ['beyond ASCII behind a mask', 'editor', '*******', 'пароль*', '*******', true],
    ['beyond ASCII of which nothing stands on the line', 'editor', 'tail', 'пароль1', '1 tail', true],
    ['that never came back', 'edited', 'tail', 'hunter2', 'tail', true],
  ] as const)('%s', (_name, by, shown, keys, output, never) => {
    expect(neverShown(line(shown), typed(keys), echo(output), by)).toBe(never);
  });
});

describe('the end of what was typed', () => {
  test.each([
    ['is shown', 'alice@dev% ', 'echo hi', 'qecho hi', true],
    ['is not what stands there', 'alice@dev% ', 'echo ho', 'qecho hi', false],
    ['is not shown where nothing is', 'alice@dev% ', '', 'hunter2', false],
    ['is no mask', 'alice@dev% ', '**', 'hunter**', false],
    ['is no single character', 'alice@dev% ', '2', 'hunter2', false],
    ['is no answer to a question for a secret', 'Password: ', 'er2', 'hunter2', false],
  ])('%s', (_name, prompt, shown, keys, expected) => {
    expect(showsEnd(line(shown, prompt), typed(keys))).toBe(expected);
  });
});

describe('a secret is asked for', () => {
  test.each([
    ['Enter encryption key: ', '', true],
    ['Enter same key again: ', '', true],
    ['[sudo] password for alice: ', '', true],
    ['Enter passphrase for /home/alice/.ssh/id: ', '', true],
    ['Verification code: ', '', true],
    ['anything ', '*******', true],
    ['anything ', '•••••••', true],
    ['anything ', '****', false],
    [':', '', false],
    ['keyboard: ', '', false],
    ['alice@passbook:~$ ', '', false],
  ])('by %j and %j: %s', (prompt, text, masked) => {
    expect(isMasked(line(text, prompt), typed('hunter2'))).toBe(masked);
  });
});
