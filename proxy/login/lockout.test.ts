import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LOCKOUT, decideLock, failureKeys, lockedUntil, sourceNetwork } from './lockout.ts';

const S = DEFAULT_LOCKOUT;
const MINUTE = 60_000;
const at = (...minutes: number[]) => minutes.map((minute) => 1_000_000_000 + minute * MINUTE);
const none: readonly number[] = [];

describe('a lock', () => {
  it('comes with the fifth failure in ten minutes, not with the fourth', () => {
    expect(lockedUntil(at(0, 1, 2, 3), 5, S)).toBe(0);
    expect(lockedUntil(at(0, 1, 2, 3, 4), 5, S)).toBe((at(4)[0] ?? 0) + S.firstLockMs);
  });

  it('does not come from failures spread over more than the window', () => {
    expect(lockedUntil(at(0, 3, 6, 9, 12, 15, 18, 21, 24), 5, S)).toBe(0);
  });

  it('doubles with each failure after it and stays under fifteen minutes', () => {
    const lengths: number[] = [];
    let failures = at(0, 0, 0, 0, 0);
    for (let i = 0; i < 8; i++) {
      const until = lockedUntil(failures, 5, S);
      lengths.push(until - (failures.at(-1) ?? 0));
      failures = [...failures, until + 1];
    }
    expect(lengths.map((ms) => ms / 1000)).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
  });

  it('is forgotten after a quiet window', () => {
    const failures = [...at(0, 0, 0, 0, 0), ...at(11)];
    expect(lockedUntil(failures, 5, S)).toBeLessThan(at(1)[0] ?? 0);
  });

  it('never lasts longer than its bound after the last failure, whatever the history', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000_000), { maxLength: 200 }), (times) => {
        const failures = times.toSorted((a, b) => a - b);
        expect(lockedUntil(failures, 5, S)).toBeLessThanOrEqual((failures.at(-1) ?? 0) + S.longestLockMs);
      }),
    );
  });
});

describe('an attacker', () => {
  const many = Array.from({ length: 500 }, (_, i) => 1_000_000_000 + i * 1000);
  const now = (many.at(-1) ?? 0) + 1;

  it('locks the pair that fails', () => {
    expect(decideLock({ pair: many, source: none, user: none }, true, now, S)).toMatchObject({ by: 'pair' });
  });

  it('elsewhere does not lock the owner out of a source that the owner has signed in from', () => {
    expect(decideLock({ pair: none, source: many, user: many }, true, now, S)).toEqual({ kind: 'open' });
  });

  it('who spreads guesses over sources, or over users, is stopped', () => {
    expect(decideLock({ pair: none, source: none, user: many }, false, now, S)).toMatchObject({ by: 'user' });
    expect(decideLock({ pair: none, source: many, user: none }, false, now, S)).toMatchObject({
      by: 'source',
    });
  });
});

describe('a source', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['not an address', 'unknown'],
  ])('%s counts as %s', (address, network) => {
    expect(sourceNetwork(address)).toBe(network);
  });

  it('and a user make a key of bounded length that does not hold the name', () => {
    const keys = failureKeys('hunter2'.repeat(50), '192.0.2.7');
    for (const key of Object.values(keys)) {
      expect(key.length).toBeLessThan(40);
      expect(key).not.toContain('hunter2');
    }
    expect(failureKeys('a', 'b').pair).not.toBe(failureKeys('b', 'a').pair);
  });
});
