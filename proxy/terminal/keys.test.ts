// The tokeniser's promises: nothing is lost, chunking changes nothing that matters, Enter is known in every encoding.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isEnter, type KeyToken, KeyTokenizer } from './keys.ts';

const tokens = (...chunks: string[]): KeyToken[] => {
  const tokenizer = new KeyTokenizer();
  const out: KeyToken[] = [];
  for (const chunk of chunks) out.push(...tokenizer.push(Buffer.from(chunk)));
  out.push(...tokenizer.flush());
  return out;
};

const bytesOf = (list: readonly KeyToken[]): Buffer => Buffer.concat(list.map((token) => token.bytes));

describe('key tokens', () => {
  test('every byte ends up in exactly one token, however the input is cut', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          '\x1b[M',
          '\x1b[[',
          '\r',
          '\n',
          '\x1bP',
          '\x1b[200~',
          '\x1b[201~',
          '\x1b',
          '\x1b[A',
          '\x1bOM',
          '\x1b[13;5u',
          '\x1b[27;2;13~',
          'żó',
          '🚀',
          '\x1b]0;',
          '\x07',
        )
        .map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (chunks) => {
        const tokenizer = new KeyTokenizer();
        const out: KeyToken[] = [];
        for (const chunk of chunks) {
          out.push(...tokenizer.push(chunk));
          expect(tokenizer.pendingBytes).toBeLessThanOrEqual(300);
        }
        for (let i = 0; i < 400 && tokenizer.waiting; i++) out.push(...tokenizer.flush());
        expect(bytesOf(out).equals(Buffer.concat(chunks))).toBe(true);
        expect(out.every((token) => token.bytes.length > 0)).toBe(true);
        // No submit key may hide inside a token that is not one.
        for (const token of out) {
          if (isEnter(token) || token.kind === 'paste-text') continue;
          expect(token.bytes.includes(0x0d) || token.bytes.includes(0x0a)).toBe(false);
        }
      }),
    );
  });

  test('a submit key is found in a mouse report that is cut short', () => {
    const tokenizer = new KeyTokenizer();
    const out = tokenizer.push(Buffer.from('\x1b[M\r'));
    for (let i = 0; i < 10 && tokenizer.waiting; i++) out.push(...tokenizer.flush());
    expect(out.map((token) => token.bytes.toString('latin1'))).toEqual(['\x1b[M', '\r']);
    expect(out.filter(isEnter)).toHaveLength(1);
  });

  test.each([
    ['carriage return', '\r'],
    ['line feed', '\n'],
    ['keypad', '\x1bOM'],
    ['kitty', '\x1b[13u'],
    ['kitty with control', '\x1b[13;5u'],
    ['kitty keypad', '\x1b[57414u'],
    ['kitty ctrl-m', '\x1b[109;5u'],
    ['kitty ctrl-j', '\x1b[106;5u'],
    ['modifyOtherKeys', '\x1b[27;2;13~'],
    ['modifyOtherKeys ctrl-m', '\x1b[27;5;109~'],
    ['Meta-Enter', '\x1b\r'],
  ])('Enter by %s is one token that is known as Enter', (_name, text) => {
    const list = tokens(text);
    expect(list).toHaveLength(1);
    expect(list.every(isEnter)).toBe(true);
  });

  test('a character split over chunks is text, not two invalid bytes', () => {
    const rocket = Buffer.from('🚀');
    const tokenizer = new KeyTokenizer();
    expect(tokenizer.push(rocket.subarray(0, 2))).toEqual([]);
    expect(tokenizer.push(rocket.subarray(2))).toMatchObject([{ kind: 'text', text: '🚀' }]);
  });

  test('a submit key inside a mouse report or a console key is still a submit key', () => {
    expect(tokens('\x1b[M\r  ').filter(isEnter)).toHaveLength(1);
    expect(tokens('\x1b[[\r').filter(isEnter)).toHaveLength(1);
  });

  test('C1 controls are invalid in either form', () => {
    expect(tokens('\u008d')[0]?.kind).toBe('invalid');
    const tokenizer = new KeyTokenizer();
    expect(tokenizer.push(Buffer.from([0x8d]))[0]?.kind).toBe('invalid');
  });

  test('a lone ESC waits until the caller flushes it', () => {
    const tokenizer = new KeyTokenizer();
    expect(tokenizer.push(Buffer.from('\x1b'))).toEqual([]);
    expect(tokenizer.waiting).toBe(true);
    expect(tokenizer.flush()).toMatchObject([{ kind: 'escape' }]);
  });

  test('a paste keeps its newlines to itself and its end mark may be split', () => {
    const list = tokens('\x1b[200~a\nb', '\x1b[20', '1~\r');
    expect(list.map((token) => token.kind)).toEqual(['paste-start', 'paste-text', 'paste-end', 'control']);
    expect(list[1]?.bytes.toString()).toBe('a\nb');
  });

  test('reports, mouse and focus are not keys', () => {
    expect(
      tokens('\x1b[?62;c', '\x1b[<0;1;1M', '\x1b[I', '\x1b[12;40R', '\x1b]11;rgb:0/0/0\x07').map(
        (t) => t.kind,
      ),
    ).toEqual(['report', 'mouse', 'focus', 'report', 'report']);
  });
});
