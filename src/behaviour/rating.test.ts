import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialState, ledger, lostSinceReference, type RatingEvent, rate } from './rating.ts';

const evidence = { session: 's1', second: 12 };
const suspicious = (id: string, score: number): RatingEvent => ({
  kind: 'suspicious-session',
  id,
  at: 1,
  score,
  evidence,
});

describe('rating', () => {
  it('loses two points for a session of the highest score, in proportion below', () => {
    expect(rate(initialState(5), suspicious('a', 15)).rating).toBe(3);
    expect(rate(initialState(5), suspicious('a', 6)).rating).toBe(4.2);
    expect(rate(initialState(5), suspicious('a', 99)).rating).toBe(3);
  });

  it('gets half of what was lost back by a passed re-authentication', () => {
    const fallen = rate(initialState(8), suspicious('a', 15));
    expect(lostSinceReference(fallen)).toBe(2);
    const back = rate(fallen, { kind: 're-authentication-passed', id: 'b', at: 2, evidence });
    expect(back.rating).toBe(7);
    expect(lostSinceReference(back)).toBe(0);
  });

  it('regains half of the way to 10 in fourteen clean days', () => {
    let state = initialState(4);
    for (let day = 0; day < 14; day += 1)
      state = rate(state, { kind: 'clean-day', id: String(day), at: day });
    expect(state.rating).toBeCloseTo(7, 1);
  });

  it('reaches 10 in the end and stays there', () => {
    let state = initialState(9);
    for (let day = 0; day < 400; day += 1)
      state = rate(state, { kind: 'clean-day', id: String(day), at: day });
    expect(state.rating).toBe(10);
  });

  it('counts an expected event as if it had never been, and says so in a row', () => {
    const { rows, state } = ledger(
      [suspicious('a', 15), suspicious('b', 6), { kind: 'expected', id: 'c', at: 3, event: 'a' }],
      5,
    );
    expect(state.rating).toBe(4.2);
    expect(rows.at(-1)).toMatchObject({ cause: 'expected', before: 2.2, after: 4.2 });
  });

  const event = fc.oneof(
    fc.record({
      kind: fc.constantFrom('suspicious-session' as const, 'suspicious-view' as const),
      id: fc.uuid(),
      at: fc.nat(),
      score: fc.integer({ min: -5, max: 40 }),
      evidence: fc.constant(evidence),
    }),
    fc.record({
      kind: fc.constantFrom(
        're-authentication-failed' as const,
        're-authentication-passed' as const,
        're-authentication-waived' as const,
      ),
      id: fc.uuid(),
      at: fc.nat(),
      evidence: fc.constant(evidence),
    }),
    fc.record({ kind: fc.constant('clean-day' as const), id: fc.uuid(), at: fc.nat() }),
  );

  it('stays within 0 and 10, joins each row to the next, and recomputes to the same rows', () => {
    fc.assert(
      fc.property(fc.array(event), fc.integer({ min: 0, max: 10 }), (events, start) => {
        const { rows, state } = ledger(events, start);
        let before = start;
        for (const row of rows) {
          expect(row.before).toBe(before);
          expect(row.after).toBeGreaterThanOrEqual(0);
          expect(row.after).toBeLessThanOrEqual(10);
          before = row.after;
        }
        expect(state.rating).toBe(before);
        expect(ledger(events, start)).toEqual({ rows, state });
      }),
    );
  });
});
