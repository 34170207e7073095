import { expect, it } from 'vitest';
import { RefusedCredentials } from './refused-credentials.ts';

it('makes a refused credential wait longer each time, up to a minute, and no other one', () => {
  let now = 0;
  const refusals = new RefusedCredentials(() => now);
  expect(refusals.waitOf('c1')).toBe(0);
  const pauses: number[] = [];
  for (let n = 0; n < 6; n += 1) {
    refusals.refused('c1');
    const pause = refusals.waitOf('c1');
    pauses.push(pause);
    now += pause - 1;
    expect(refusals.waitOf('c1')).toBe(1);
    now += 1;
    expect(refusals.waitOf('c1')).toBe(0);
  }
  expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  expect(refusals.waitOf('c2')).toBe(0);
});

it('starts anew once the credential was accepted, or after quiet minutes', () => {
  let now = 0;
  const refusals = new RefusedCredentials(() => now);
  refusals.refused('c1');
  refusals.refused('c1');
  refusals.accepted('c1');
  expect(refusals.waitOf('c1')).toBe(0);
  refusals.refused('c1');
  expect(refusals.waitOf('c1')).toBe(5_000);
  now += 11 * 60_000;
  refusals.refused('c1');
  expect(refusals.waitOf('c1')).toBe(5_000);
});

it('remembers a bounded number, the oldest forgotten first', () => {
  const refusals = new RefusedCredentials(() => 0);
  for (let n = 0; n < 20_000; n += 1) refusals.refused(`c${n}`);
  expect(refusals.waitOf('c0')).toBe(0);
  expect(refusals.waitOf('c19999')).toBe(5_000);
});
