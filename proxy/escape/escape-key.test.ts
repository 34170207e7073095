// When the escape's key is the gateway's: at the start of a line, alone, and typed.
import { describe, expect, it } from 'vitest';
import { isAlone, LineStart, nameOfKey } from './escape-key.ts';

const KEY = 29;
const freshAfter = (...pieces: readonly string[]): boolean => {
  const start = new LineStart();
  for (const piece of pieces) start.sent(Buffer.from(piece, 'latin1'));
  return start.fresh;
};

describe('the start of a line', () => {
  it('is where nothing was typed since a line was submitted or given up', () => {
    expect(freshAfter()).toBe(true);
    expect(freshAfter('ls')).toBe(false);
    expect(freshAfter('ls', '\r')).toBe(true);
    expect(freshAfter('ls\n')).toBe(true);
    expect(freshAfter('ls\x03')).toBe(true);
    expect(freshAfter('\x1b[13u')).toBe(true);
    expect(freshAfter('ls\r', '\x1b[A')).toBe(false);
    expect(freshAfter('ls', '\x7f\x7f')).toBe(false);
    expect(freshAfter('\x04')).toBe(false);
  });

  it('is not lost to what a terminal says by itself', () => {
    expect(freshAfter('ls\r', '\x1b[?62;22c', '\x1b[12;40R', '\x1b[I', '\x1b[<0;10;10M')).toBe(true);
    expect(freshAfter('ls\r', '\x1b]11;rgb:00/00/00\x07')).toBe(true);
    expect(freshAfter('ls\r', '\x1b[97;1:3u')).toBe(true);
  });

  it('is in no paste, and in no sequence that is unfinished', () => {
    expect(freshAfter('\x1b[200~')).toBe(false);
    expect(freshAfter('\x1b[200~', 'ls\r')).toBe(false);
    expect(freshAfter('\x1b[200~ls\r\x1b[201~')).toBe(false);
    expect(freshAfter('\x1b')).toBe(false);
    expect(freshAfter('\x1b[')).toBe(false);
  });
});

describe('the key', () => {
  it('is told alone, however the keyboard reports it', () => {
    expect(isAlone(Buffer.from('\x1d'), KEY)).toBe(true);
    expect(isAlone(Buffer.from('\x1b[93;5u'), KEY)).toBe(true);
    expect(isAlone(Buffer.from('\x1b[27;5;93~'), KEY)).toBe(true);
  });

  it('is not what comes with more, is released, or is another', () => {
    for (const keys of [
      '\x1d\x1d',
      'a\x1d',
      '\x1dls\r',
      '\r\x1d',
      '\x1b\x1d',
      '\x1b[93;5:3u',
      '\x1b[93u',
      '\x1b[93;7u',
      '\x1b[200~\x1d\x1b[201~',
      ']',
      '',
    ])
      expect(isAlone(Buffer.from(keys), KEY), JSON.stringify(keys)).toBe(false);
  });

  it('has the name that people know it by', () => {
    expect(nameOfKey(29)).toBe('^]');
    expect(nameOfKey(1)).toBe('^A');
    expect(nameOfKey(31)).toBe('^_');
  });
});
