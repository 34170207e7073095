// What keys alone say; and that the model admits what it cannot know.
import { describe, expect, test } from 'vitest';
import { KeyTokenizer } from './keys.ts';
import { KeysModel } from './keys-model.ts';

const after = (input: string): KeysModel => {
  const tokenizer = new KeyTokenizer();
  const model = new KeysModel();
  for (const token of [...tokenizer.push(Buffer.from(input)), ...tokenizer.flush()]) model.apply(token);
  return model;
};
const texts = (input: string): readonly string[] => {
  const state = after(input).state;
  return state.kind === 'known' ? state.texts : [`unknown: ${state.because}`];
};

describe('the keys model', () => {
  test.each([
    ['typing', 'echo hi', 'echo hi'],
    ['backspace', 'eckho\x7f\x7f\x7fho', 'echo'],
    ['insertion at the start', 'b\x01a', 'ab'],
    ['arrows', 'ac\x1b[Db', 'abc'],
    ['kill and yank', 'one\x01\x0bx \x19', 'x one'],
    ['a quoted control character', 'a\x16\x01b', 'a\x01b'],
    ['a bracketed paste', '\x1b[200~a\rb\x1b[201~', 'a\nb'],
    ['combining characters', 'e\u0301\x7fx', 'x'],
  ])('knows %s', (_name, input, expected) => {
    expect(texts(input)).toContain(expected);
  });

  test.each([
    ['\x1b[A', 'history'],
    ['cat al\t', 'completion'],
    ['\x12ne', 'search'],
    ['x\x1b', 'vi'],
    ['\x18\x05', 'key'],
    ['ech\x1b[C', 'key'],
    ['ech\x05', 'key'],
  ])('admits not to know after %j', (input, because) => {
    expect(texts(input)).toEqual([`unknown: ${because}`]);
  });

  test.each([
    ['cat al\t', true],
    ['cat al\t\t', true],
    ['\x1b[A\t', false],
    ['cat al\t\x12', false],
    ['cat al', false],
  ])('says whether completions are all that it does not know after %j', (input, only) => {
    expect(after(input).onlyCompleted).toBe(only);
  });

  test('where editors disagree it keeps every possibility', () => {
    expect(new Set(texts('one two\x1b[D\x15'))).toEqual(new Set(['o', '']));
  });

  test('a question mark may be a help key', () => {
    expect(new Set(texts('show ?x'))).toEqual(new Set(['show ?x', 'show x']));
  });

  test('a line that may have been given up is there, or is not, however often that is said', () => {
    const model = new KeysModel();
    model.insert('ls');
    for (let i = 0; i < 40; i++) model.mayBeEmpty();
    expect(model.state).toMatchObject({ kind: 'known', texts: ['ls', ''] });
    for (let i = 0; i < 40; i++) {
      model.insert('x');
      model.mayBeEmpty();
    }
    expect(model.state).toMatchObject({ kind: 'unknown', because: 'key' });
  });

  test('does not grow without bound', () => {
    const model = new KeysModel();
    for (let i = 0; i < 300; i++) model.insert('x'.repeat(1000));
    expect(model.state).toMatchObject({ kind: 'unknown', because: 'too-long' });
  });
});
