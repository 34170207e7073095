import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calibrate, threshold, unlikeness, windowFor } from './command-sequence.ts';
import { CommandStatistics } from './command-statistics.ts';

/** A habit: a fixed cycle of commands, with an odd one every now and then. */
function habit(cycle: readonly string[], length: number, odd = 'date'): string[] {
  return Array.from({ length }, (_, i) => (i % 37 === 36 ? odd : (cycle[i % cycle.length] ?? odd)));
}

function learnt(commands: readonly string[], pairs?: number): CommandStatistics {
  const statistics = new CommandStatistics(pairs);
  statistics.learn(commands);
  return statistics;
}

const mine = habit(['vi', 'make', 'git', 'ls'], 3000);
const theirs = habit(['netscape', 'mail', 'cat', 'lpr'], 3000);

describe('unlikeness', () => {
  it("is below zero for the user's own commands and above for another's", () => {
    const own = learnt(mine);
    const others = learnt(theirs);
    expect(unlikeness(mine.slice(0, 100), own, others)).toBeLessThan(0);
    expect(unlikeness(theirs.slice(0, 100), own, others)).toBeGreaterThan(0);
  });

  it('sees the same commands in another order', () => {
    const own = learnt(mine);
    const others = learnt([...mine.slice(0, 1500).reverse(), ...mine.slice(1500).reverse()]);
    const straight = unlikeness(['vi', 'make', 'git', 'ls', 'vi'], own, others);
    const reversed = unlikeness(['ls', 'git', 'make', 'vi', 'ls'], own, others);
    expect(reversed).toBeGreaterThan(straight);
  });

  it('is finite whatever is typed, known or not', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 120 }), fc.array(fc.string()), (run, history) => {
        expect(Number.isFinite(unlikeness(run, learnt(history), learnt(run)))).toBe(true);
      }),
    );
  });
});

describe('threshold', () => {
  it('never calls an unknown habit unusual', () => {
    const short = calibrate(mine.slice(0, 1000), learnt(theirs));
    expect(threshold(short, 100, 0.97)).toBe(Number.POSITIVE_INFINITY);
  });

  it("lets the user's own later commands pass and stops another's", () => {
    const others = learnt(theirs);
    const limit = threshold(calibrate(mine, others), 100, 0.97);
    const own = learnt(mine);
    expect(unlikeness(habit(['vi', 'make', 'git', 'ls'], 100), own, others)).toBeLessThanOrEqual(limit);
    expect(unlikeness(theirs.slice(0, 100), own, others)).toBeGreaterThan(limit);
  });

  it('uses the longest window that is full', () => {
    expect([4, 5, 99, 100, 5000].map(windowFor)).toEqual([undefined, 5, 50, 100, 100]);
  });
});

describe('CommandStatistics', () => {
  it('keeps no more pairs than its limit, and the frequent ones', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 }).map(String), { maxLength: 2000 }), (commands) => {
        const statistics = new CommandStatistics(50);
        for (const command of commands) statistics.learn([command, 'ls', 'pwd']);
        expect(statistics.pairs).toBeLessThanOrEqual(55);
        if (commands.length > 0) expect(statistics.pair('ls', 'pwd')).toBe(commands.length);
      }),
    );
  });

  it("leaves exactly the other members when one member's commands are taken out", () => {
    const population = learnt(mine);
    population.learn(theirs);
    const others = population.without(learnt(mine));
    expect(others.count('vi')).toBe(0);
    expect(others.count('mail')).toBe(learnt(theirs).count('mail'));
    expect(others.pair('netscape', 'mail')).toBe(learnt(theirs).pair('netscape', 'mail'));
    expect(others.total).toBe(theirs.length);
  });
});
