// Questions on a frozen terminal: what counts as an answer, and what of the keys does not.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Question } from './ports.ts';
import { TerminalQuestions } from './terminal-questions.ts';

const both: readonly Question[] = [
  { name: 'password', text: 'Your password:' },
  { name: 'totp', text: 'Your one-time code:' },
];
const one: readonly Question[] = [{ name: 'password', text: 'Your password:' }];

const answer = (questions: readonly Question[], keys: string): Record<string, string> | undefined => {
  const asked = new TerminalQuestions(questions);
  asked.begin('why');
  const { answers } = asked.keys(Buffer.from(keys));
  return answers === undefined ? undefined : Object.fromEntries(answers);
};

describe('questions on a terminal', () => {
  it('take all answers, one line each, and show nothing of them', () => {
    const asked = new TerminalQuestions(both);
    expect(asked.begin('It must be.')).toContain('Your password: ');
    const first = asked.keys(Buffer.from('s3cret\r'));
    expect(first.answers).toBeUndefined();
    expect(first.text).toContain('Your one-time code: ');
    const second = asked.keys(Buffer.from('123456\r'));
    expect(second.text + first.text).not.toMatch(/s3cret|123456/);
    expect([...(second.answers ?? [])]).toEqual([
      ['password', 's3cret'],
      ['totp', '123456'],
    ]);
  });

  it('let an answer be corrected and begun again', () => {
    expect(answer(one, 'ab\x7fc\r')).toEqual({ password: 'ac' });
    expect(answer(one, 'aé\x7fc\r')).toEqual({ password: 'ac' });
    expect(answer(one, 'wrong\x15right\r')).toEqual({ password: 'right' });
    expect(answer(one, 'wrong\x03right\r')).toEqual({ password: 'right' });
    expect(answer(one, '\x7f\x7fok\r')).toEqual({ password: 'ok' });
  });

  it('swallow keys that are no text', () => {
    for (const noise of [
      '\x1b[A',
      '\x1bOA',
      '\x1b[<0;10;10M',
      '\x1b[M !!',
      '\x1b[200~',
      '\x1b]11;rgb:00/00\x07',
      '\x1b[15;2~',
      '\x1bx',
    ])
      expect(answer(one, `p${noise}w\r`), JSON.stringify(noise)).toEqual({ password: 'pw' });
  });

  it('take no keys while an answer is checked, and ask anew', () => {
    const asked = new TerminalQuestions(one);
    asked.begin('');
    asked.keys(Buffer.from('a\rleft over\r'));
    expect(asked.keys(Buffer.from('rm -rf /\r')).answers).toBeUndefined();
    expect(asked.again('That was not right.')).toContain('Your password:');
    expect([...(asked.keys(Buffer.from('b\r')).answers ?? [])]).toEqual([['password', 'b']]);
  });

  it('never show a byte that was typed, whatever is typed in whatever pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 20 }), (pieces) => {
        const asked = new TerminalQuestions(both);
        const begun = asked.begin('why');
        let shown = '';
        for (const piece of pieces) shown += asked.keys(piece).text;
        const left = shown
          .replaceAll('sallyport: Your password: ', '')
          .replaceAll('sallyport: Your one-time code: ', '');
        expect(begun).toContain('why');
        expect(left.replaceAll('\r\n', '')).toBe('');
      }),
    );
  });
});
