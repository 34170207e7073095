// Checks one-time codes after RFC 6238: SHA-1, 30 seconds, 6 digits, one step to either side for clocks that differ.
// It answers which time step a code belongs to; that each step is accepted only once is `acceptTotpStep`'s to keep.
import { timingSafeEqual } from 'node:crypto';
import { HOTP, Secret } from 'otpauth';

const PERIOD_MS = 30_000;
const DIGITS = 6;
const STEPS_EITHER_SIDE = 1;
/** Six digits with room for the spaces and hyphens that people type between groups. */
const LONGEST_INPUT = 16;

/**
 * The time step (30 s since the epoch) that `code` is valid for at `nowMs`, or undefined. Takes the same time whichever
 * step matches. Spaces and hyphens between digits are ignored.
 */
export function totpStepOf(code: string, secret: Buffer, nowMs: number): number | undefined {
  const digits = code.length > LONGEST_INPUT ? '' : code.replace(/[\s-]/g, '');
  const wellFormed = /^[0-9]{6}$/.test(digits);
  const given = Buffer.from(wellFormed ? digits : '000000', 'latin1');
  const key = new Secret({ buffer: new Uint8Array(secret).buffer });
  const current = Math.floor(nowMs / PERIOD_MS);
  let match: number | undefined;
  for (let step = current - STEPS_EITHER_SIDE; step <= current + STEPS_EITHER_SIDE; step++) {
    if (step < 0) continue;
    const expected = Buffer.from(HOTP.generate({ secret: key, counter: step, digits: DIGITS }), 'latin1');
    if (timingSafeEqual(given, expected)) match = step;
  }
  return wellFormed ? match : undefined;
}
