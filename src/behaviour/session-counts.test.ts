// Counts over sessions: what is added can be taken away again, what is stored comes back, and no clock upsets them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionCounts } from './session-counts.ts';
import { SessionHistory } from './session-history.ts';
import { BINS, localTime } from './time-of-day.ts';

const ZONES = [
  'UTC',
  'Europe/Paris',
  'America/St_Johns',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Australia/Lord_Howe',
];
const DAY = 86_400_000;

const session = fc.record({
  // From 2024, a leap year, to 2028, another one.
  startedAt: fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2028, 11, 31) }),
  target: fc.constantFrom('web1', 'web2', 'db1'),
  origin: fc.constantFrom('10.0.0.1', '2001:db8::1'),
  credential: fc.constantFrom('root', 'deploy'),
  duration: fc.option(fc.integer({ min: -5, max: 1e7 }), { nil: undefined }),
  bytes: fc.option(fc.integer({ min: -5, max: 1e12 }), { nil: undefined }),
  privileged: fc.option(fc.boolean(), { nil: undefined }),
});

const counted = (sessions: readonly Parameters<SessionCounts['count']>[0][], zone = 'UTC'): SessionCounts => {
  const counts = new SessionCounts(zone);
  for (const one of sessions) counts.count(one);
  return counts;
};

const sorted = (counts: SessionCounts): unknown =>
  Object.fromEntries(
    Object.entries(counts.toJSON()).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map((pair) => JSON.stringify(pair)).sort() : value,
    ]),
  );

describe('counts over sessions', () => {
  it('come back from what is stored', () => {
    fc.assert(
      fc.property(fc.array(session), fc.constantFrom(...ZONES), (sessions, zone) => {
        const counts = counted(sessions, zone);
        const again = SessionCounts.parse(JSON.stringify(counts), zone);
        expect(again && sorted(again)).toEqual(sorted(counts));
      }),
    );
    for (const text of ['', '{}', '[]', 'null', '{"target":1}'])
      expect(SessionCounts.parse(text, 'UTC'), text).toBeUndefined();
  });

  it('add up, and are what they were when the same is taken away again', () => {
    fc.assert(
      fc.property(fc.array(session), fc.array(session), (some, more) => {
        const sum = counted(some);
        sum.merge(counted(more), 1);
        expect(sorted(sum)).toEqual(sorted(counted([...some, ...more])));
        sum.merge(counted(more), -1);
        expect(sorted(sum)).toEqual(sorted(counted(some)));
      }),
    );
  });

  it('stay bounded, whatever comes, and keep what is frequent', () => {
    const counts = new SessionCounts('UTC');
    for (let index = 0; index < 3_000; index += 1) {
      const origin = index % 3 === 0 ? 'office' : `address-${index}`;
      counts.count({ startedAt: index, target: 't', origin, credential: 'c', duration: 1 });
    }
    expect(counts.counts('origin').size).toBeLessThanOrEqual(256);
    expect(counts.counts('origin').get('office')).toBe(1_000);
    expect(JSON.stringify(counts).length).toBeLessThan(16 * 1024);
  });

  it('forget by days, also when the clock steps back in between', () => {
    fc.assert(
      fc.property(fc.array(session), fc.array(fc.integer({ min: -400, max: 400 })), (sessions, steps) => {
        const history = new SessionHistory('Europe/Paris');
        let now = Date.UTC(2026, 2, 28);
        for (const [index, one] of sessions.entries()) {
          now += (steps[index] ?? 1) * DAY;
          history.add(one);
          history.forgetBefore(now, 90);
          expect(history.sessions).toBeGreaterThanOrEqual(0);
          expect([...history.histogram].every((count) => count >= 0)).toBe(true);
        }
        history.forgetBefore(Date.UTC(2040, 0, 1), 90);
        expect(history.sessions).toBe(0);
        expect([...history.histogram].some((count) => count !== 0)).toBe(false);
      }),
    );
  });
});

describe('the time of day', () => {
  it('is that of the zone at any instant, also when the clock is put forward or back', () => {
    const near = (at: number) => fc.integer({ min: at - 3 * 3_600_000, max: at + 3 * 3_600_000 });
    const instant = fc.oneof(
      fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2028, 11, 31) }),
      near(Date.UTC(2026, 2, 29, 1)),
      near(Date.UTC(2026, 9, 25, 1)),
      near(Date.UTC(2028, 1, 29)),
      near(Date.UTC(2026, 3, 4, 15)),
    );
    fc.assert(
      fc.property(instant, fc.constantFrom(...ZONES), (at, zone) => {
        const { bin, weekend } = localTime(at, zone);
        const shown = new Date(at).toLocaleString('en-US', {
          timeZone: zone,
          hourCycle: 'h23',
          weekday: 'short',
          hour: '2-digit',
          minute: '2-digit',
        });
        const [, day = '', hour = '', minute = ''] = /(\w{3}).*?(\d{2}):(\d{2})/.exec(shown) ?? [];
        expect(bin).toBe(Math.floor((Number(hour) * 60 + Number(minute)) / 5));
        expect(bin).toBeLessThan(BINS);
        expect(weekend).toBe(day === 'Sat' || day === 'Sun');
      }),
    );
  });
});
