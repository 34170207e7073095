import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionHistory } from './session-history.ts';
import { durationLimit, type RiskSettings, startRisk, withDuration } from './session-risk.ts';

const none = { blockSession: false, blockSessionAndUser: false };
const settings: RiskSettings = {
  variationRate: 10,
  weights: {
    target: 3,
    origin: 3,
    credential: 3,
    time: 3,
    duration: 3,
    commands: 3,
    volume: 3,
    privilege: 3,
  },
  actions: { target: none, origin: none, credential: none, time: none, duration: none },
};
const peers = {
  target: new Map([
    ['web1', 40],
    ['db1', 10],
  ]),
  origin: new Map([['10.0.0.5', 50]]),
  credential: new Map([['root', 50]]),
};
const DAY = 86_400_000;
const MONDAY = Date.UTC(2026, 0, 5);

/** Weekdays at about nine in the morning, web1, for ten minutes. */
function officeWorker(days: number, timeZone = 'UTC'): SessionHistory {
  const history = new SessionHistory(timeZone);
  for (let day = 0; day < days; day += 1) {
    const at = MONDAY + day * DAY + 9 * 3_600_000 + (day % 7) * 300_000;
    if (new Date(at).getUTCDay() % 6 === 0) continue;
    history.add({
      startedAt: at,
      target: 'web1',
      origin: '10.0.0.5',
      credential: 'root',
      duration: 600 + (day % 5) * 30,
    });
  }
  return history;
}

const usual = {
  startedAt: MONDAY + 91 * DAY + 9.2 * 3_600_000,
  target: 'web1',
  origin: '10.0.0.5',
  credential: 'root',
};

describe('startRisk', () => {
  it('finds nothing in what the user always does', () => {
    expect(startRisk(usual, officeWorker(90), peers, settings)).toMatchObject({ score: 0, findings: [] });
  });

  it.each([
    ['target', { target: 'db1' }],
    ['origin', { origin: '203.0.113.7' }],
    ['credential', { credential: 'oracle' }],
    ['time', { startedAt: usual.startedAt + 15 * 3_600_000 }],
  ] as const)('names an unusual %s, with what is usual and what was seen', (dimension, change) => {
    const risk = startRisk({ ...usual, ...change }, officeWorker(90), peers, settings);
    expect(risk.findings.map((finding) => finding.dimension)).toEqual([dimension]);
    expect(risk.score).toBe(3);
    expect(risk.findings[0]?.usual[0]?.sessions).toBeGreaterThan(0);
    expect(risk.findings[0]?.measured).toBeGreaterThan(risk.findings[0]?.limit ?? Number.POSITIVE_INFINITY);
  });

  it('takes no action below eight sessions of history, and the most severe one above', () => {
    const strict: RiskSettings = {
      ...settings,
      actions: {
        ...settings.actions,
        target: { blockSession: true, blockSessionAndUser: false },
        origin: { blockSession: true, blockSessionAndUser: true },
      },
    };
    const odd = { ...usual, target: 'never', origin: '203.0.113.7' };
    expect(startRisk(odd, officeWorker(5), peers, strict).action).toBeUndefined();
    expect(startRisk(odd, officeWorker(90), peers, strict).action).toBe('blockSessionAndUser');
    expect(startRisk({ ...usual, target: 'never' }, officeWorker(90), peers, strict).action).toBe(
      'blockSession',
    );
  });

  it('does not take midnight for an edge', () => {
    const history = new SessionHistory('UTC');
    for (let day = 0; day < 60; day += 1) {
      const minutes = ((day * 7) % 60) - 30;
      history.add({ ...usual, startedAt: MONDAY + day * DAY + minutes * 60_000, duration: 60 });
    }
    for (const minutes of [-25, 0, 25]) {
      const session = { ...usual, startedAt: MONDAY + 70 * DAY + minutes * 60_000 };
      expect(startRisk(session, history, peers, settings).findings).toEqual([]);
    }
  });

  it("keeps the user's own nine o'clock through a change to daylight saving time", () => {
    const history = new SessionHistory('Europe/Paris');
    // 09:00 in Paris is 08:00 UTC until 29 March 2026 and 07:00 UTC after it.
    for (let day = 0; day < 80; day += 1) {
      history.add({ ...usual, startedAt: MONDAY + day * DAY + 8 * 3_600_000, duration: 60 });
    }
    const summer = { ...usual, startedAt: Date.UTC(2026, 3, 1, 7) };
    expect(startRisk(summer, history, peers, settings).findings).toEqual([]);
  });

  it('forgets sessions that are older than the history', () => {
    const history = officeWorker(90);
    history.forgetBefore(MONDAY + 400 * DAY, 90);
    expect(history.sessions).toBe(0);
    expect(history.durations()).toEqual([]);
    expect([...history.histogram].some((count) => count !== 0)).toBe(false);
  });

  it('gives the same answer for the same history in any order', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            startedAt: fc.integer({ min: MONDAY, max: MONDAY + 90 * DAY }),
            target: fc.constantFrom('web1', 'db1', 'db2'),
            origin: fc.constantFrom('10.0.0.5', '10.0.0.6'),
            credential: fc.constantFrom('root', 'oracle'),
            duration: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
          }),
          { maxLength: 60 },
        ),
        (sessions) => {
          const forward = new SessionHistory('UTC');
          const backward = new SessionHistory('UTC');
          for (const session of sessions) forward.add(session);
          for (const session of sessions.toReversed()) backward.add(session);
          const one = startRisk(usual, forward, peers, settings);
          const other = startRisk(usual, backward, peers, settings);
          expect(other.score).toBe(one.score);
          expect(one.score).toBeGreaterThanOrEqual(0);
          expect(one.score).toBeLessThanOrEqual(12);
        },
      ),
    );
  });
});

describe('withDuration', () => {
  it('adds points once, when the session outlives the usual', () => {
    const history = officeWorker(90);
    const risk = startRisk(usual, history, peers, settings);
    expect(withDuration(risk, 700, history, settings).score).toBe(0);
    const long = withDuration(risk, 20_000, history, settings);
    expect(long.score).toBe(3);
    expect(withDuration(long, 30_000, history, settings).score).toBe(3);
  });

  it('allows some seconds more than many sessions of exactly the same length', () => {
    const history = new SessionHistory('UTC');
    for (let day = 0; day < 80; day += 1) {
      history.add({ ...usual, startedAt: MONDAY + day * DAY, duration: 300 });
    }
    expect(durationLimit(history, 10)).toBeGreaterThan(320);
    expect(durationLimit(history, 10)).toBeLessThan(1200);
  });

  it('calls no duration unusual before there is one to compare with', () => {
    expect(durationLimit(new SessionHistory('UTC'), 10)).toBe(Number.POSITIVE_INFINITY);
  });
});
