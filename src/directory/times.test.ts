// Grant times against the days that break naive code: the nights on which summer time begins and ends, zones with
// half-hour changes, spans over midnight, and any moment at all (properties).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyTimesAt, readTimes, type Times, timesAt } from './times.ts';

const times = (text: string): Times => {
  const reading = readTimes(text);
  if ('problem' in reading) throw new Error(reading.problem);
  return reading.times;
};

const open = (text: string, instant: string): boolean =>
  timesAt(times(text), Date.parse(instant)).kind === 'open';

const untilOf = (text: string, instant: string): string | undefined => {
  const answer = timesAt(times(text), Date.parse(instant));
  if (answer.kind !== 'open' || answer.until === undefined) return undefined;
  return new Date(answer.until).toISOString();
};

const fromOf = (text: string, instant: string): string | undefined => {
  const answer = timesAt(times(text), Date.parse(instant));
  if (answer.kind !== 'closed' || answer.from === undefined) return undefined;
  return new Date(answer.from).toISOString();
};

describe('reading grant times', () => {
  it.each([
    'mon-fri 08:00-18:00 Europe/Paris',
    'mon,wed,fri 08:00-12:00,13:00-18:00 UTC',
    'sat-mon 22:00-06:00 America/New_York',
    'daily 00:00-24:00',
    'sun',
    '08:00-18:00',
    'Asia/Kolkata',
  ])('takes %s', (text) => {
    expect(readTimes(text)).toHaveProperty('times');
  });

  it.each([
    '',
    'mon-xyz 08:00-18:00',
    '8:00-18:00',
    '08:00-08:00',
    '08:00-25:00',
    '24:00-06:00',
    'mon 08:00-18:00 Mars/Olympus',
    '08:00-18:00 mon',
    'mon 08:00-18:00 UTC UTC',
    'mon\u001b[31m',
  ])('refuses %j with a reason', (text) => {
    expect(readTimes(text)).toHaveProperty('problem');
  });
});

describe('grant times', () => {
  const office = 'mon-fri 08:00-18:00 Europe/Paris';

  it('opens and closes with the clock on the wall, on both sides of a change of season', () => {
    // Winter: UTC+1. Summer begins on 2026-03-29: UTC+2.
    expect(open(office, '2026-03-27T06:59:59Z')).toBe(false);
    expect(open(office, '2026-03-27T07:00:00Z')).toBe(true);
    expect(open(office, '2026-03-30T05:59:59Z')).toBe(false);
    expect(open(office, '2026-03-30T06:00:00Z')).toBe(true);
    expect(untilOf(office, '2026-03-30T06:00:00Z')).toBe('2026-03-30T16:00:00.000Z');
    expect(fromOf(office, '2026-03-27T17:00:00Z')).toBe('2026-03-30T06:00:00.000Z');
  });

  it('keeps a night shift of the day on which it began', () => {
    const night = 'fri 22:00-06:00 Europe/Paris';
    expect(open(night, '2026-11-20T20:59:00Z')).toBe(false);
    expect(open(night, '2026-11-20T21:00:00Z')).toBe(true);
    expect(open(night, '2026-11-21T04:59:59Z')).toBe(true);
    expect(open(night, '2026-11-21T05:00:00Z')).toBe(false);
    // Saturday evening is not Friday's.
    expect(open(night, '2026-11-21T22:00:00Z')).toBe(false);
  });

  it('ends a night shift on time when the night is an hour shorter or longer', () => {
    const night = 'sat 22:00-06:00 Europe/Paris';
    expect(untilOf(night, '2026-03-28T21:00:00Z')).toBe('2026-03-29T04:00:00.000Z');
    expect(untilOf(night, '2026-10-24T20:00:00Z')).toBe('2026-10-25T05:00:00.000Z');
  });

  it('never opens in an hour that the clock skips', () => {
    const skipped = 'sun 02:00-03:00 Europe/Paris';
    expect(open(skipped, '2026-03-29T00:59:59Z')).toBe(false);
    expect(open(skipped, '2026-03-29T01:00:00Z')).toBe(false);
    expect(open(skipped, '2026-03-29T01:30:00Z')).toBe(false);
    expect(fromOf(skipped, '2026-03-29T00:00:00Z')).toBe('2026-04-05T00:00:00.000Z');
  });

  it('starts after the gap when its beginning is skipped, and ends at the gap when its end is', () => {
    expect(fromOf('sun 02:30-05:00 Europe/Paris', '2026-03-29T00:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
    expect(untilOf('sun 01:00-02:30 Europe/Paris', '2026-03-29T00:30:00Z')).toBe('2026-03-29T01:00:00.000Z');
  });

  it('opens twice when the hour comes twice', () => {
    const repeated = 'sun 02:00-02:30 Europe/Paris';
    expect(open(repeated, '2026-10-25T00:10:00Z')).toBe(true);
    expect(untilOf(repeated, '2026-10-25T00:10:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(fromOf(repeated, '2026-10-25T00:30:00Z')).toBe('2026-10-25T01:00:00.000Z');
    expect(open(repeated, '2026-10-25T01:10:00Z')).toBe(true);
    expect(open(repeated, '2026-10-25T01:30:00Z')).toBe(false);
  });

  it('knows a change of half an hour', () => {
    // Lord Howe: 02:00 becomes 02:30 on 2026-10-04, which is 15:30 UTC the day before.
    const howe = 'sun 01:00-04:00 Australia/Lord_Howe';
    expect(untilOf(howe, '2026-10-03T15:00:00Z')).toBe('2026-10-03T17:00:00.000Z');
  });

  it('has no end when every day is whole', () => {
    expect(timesAt(times('daily'), Date.parse('2026-03-29T00:00:00Z'))).toEqual({
      kind: 'open',
      until: undefined,
    });
  });

  it('follows several lists from one into the next', () => {
    const list = [times('mon 08:00-12:00 UTC'), times('mon 12:00-18:00 UTC'), times('tue 00:00-01:00 UTC')];
    const monday = Date.parse('2026-11-23T09:00:00Z');
    expect(anyTimesAt(list, monday)).toEqual({ kind: 'open', until: Date.parse('2026-11-23T18:00:00Z') });
    expect(anyTimesAt(list, Date.parse('2026-11-23T20:00:00Z'))).toEqual({
      kind: 'closed',
      from: Date.parse('2026-11-24T00:00:00Z'),
    });
    expect(anyTimesAt([], monday)).toEqual({ kind: 'open', until: undefined });
  });
});

describe('grant times at any moment', () => {
  const clock = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
  const dayName = fc.constantFrom('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun');
  const zone = fc.constantFrom(
    'Europe/Paris',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
    'Pacific/Chatham',
    'America/Sao_Paulo',
    'Africa/Casablanca',
    'UTC',
  );
  const text = fc
    .record({ days: fc.uniqueArray(dayName, { minLength: 1 }), from: clock, to: clock, zone })
    .filter(({ from, to }) => from !== to);
  // Around the changes of 2026 in the zones above, and anywhere in the year.
  const moment = fc.oneof(
    fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }),
    ...[
      '2026-03-29T01:00Z',
      '2026-10-25T01:00Z',
      '2026-03-08T07:00Z',
      '2026-11-01T06:00Z',
      '2026-04-04T15:00Z',
    ].map((change) =>
      fc.integer({ min: -10_800_000, max: 10_800_000 }).map((shift) => Date.parse(change) + shift),
    ),
  );

  /** What the wall clock says, by another road: the formatted text, compared as text. */
  const byTheWall = (
    { days, from, to, zone: timeZone }: { days: string[]; from: string; to: string; zone: string },
    at: number,
  ): boolean => {
    const show = (options: Intl.DateTimeFormatOptions, when: number): string =>
      new Intl.DateTimeFormat('en-GB', { timeZone, ...options }).format(when);
    const now = show({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, at);
    const today = show({ weekday: 'short' }, at).toLowerCase();
    const names = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    const yesterday = names[(names.indexOf(today) + 6) % 7] ?? '';
    if (from < to) return days.includes(today) && now >= from && now < to;
    return (days.includes(today) && now >= from) || (days.includes(yesterday) && now < to);
  };

  it('agrees with the clock on the wall', () => {
    fc.assert(
      fc.property(text, moment, (parts, at) => {
        const written = `${parts.days.join(',')} ${parts.from}-${parts.to} ${parts.zone}`;
        expect(timesAt(times(written), at).kind === 'open').toBe(byTheWall(parts, at));
      }),
      { numRuns: 2_000 },
    );
  });

  it('changes exactly when it says it will, and not before', () => {
    fc.assert(
      fc.property(text, moment, fc.double({ min: 0, max: 1, noNaN: true }), (parts, at, share) => {
        const written = times(`${parts.days.join(',')} ${parts.from}-${parts.to} ${parts.zone}`);
        const answer = timesAt(written, at);
        const change = answer.kind === 'open' ? answer.until : answer.from;
        if (change === undefined) return;
        expect(change).toBeGreaterThan(at);
        expect(timesAt(written, change).kind).not.toBe(answer.kind);
        expect(timesAt(written, change - 1).kind).toBe(answer.kind);
        const between = at + Math.floor((change - 1 - at) * share);
        expect(byTheWall(parts, between)).toBe(answer.kind === 'open');
      }),
      { numRuns: 500 },
    );
  });
});
