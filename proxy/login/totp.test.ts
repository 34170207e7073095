import { describe, expect, it } from 'vitest';
import { totpStepOf } from './totp.ts';

// RFC 6238, appendix B, SHA-1, cut to six digits.
const SECRET = Buffer.from('12345678901234567890', 'ascii');
const VECTORS: readonly [number, string][] = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
];

describe('a one-time code', () => {
  it.each(VECTORS)('at %i s is the one that RFC 6238 lists', (seconds, code) => {
    expect(totpStepOf(code, SECRET, seconds * 1000)).toBe(Math.floor(seconds / 30));
  });

  it('is accepted one step early or late, and not two', () => {
    const step = Math.floor(1_234_567_890 / 30);
    const at = (offset: number) => totpStepOf('005924', SECRET, (step + offset) * 30_000);
    expect([-2, -1, 0, 1, 2].map(at)).toEqual([undefined, step, step, step, undefined]);
  });

  it.each(['005 924', ' 005924 ', '00-59-24'])('may be typed in groups: %j', (code) => {
    expect(totpStepOf(code, SECRET, 1_234_567_890_000)).toBeDefined();
  });

  it.each(['', '00592', '0059240', 'abcdef', '005924\0', '٠٠٥٩٢٤', '0'.repeat(100_000)])(
    'of another form is refused',
    (code) => {
      expect(totpStepOf(code, SECRET, 1_234_567_890_000)).toBeUndefined();
    },
  );
});
