// Each signal on small histories written by hand, beside what must not be one: midnight, other time zones, a clock change,
// habits, travellers.
import { describe, expect, it } from 'vitest';
import type { Activity, Finding, Person, Place } from './activity.ts';
import { Analyst, analyse } from './analyst.ts';
import { threatsOf, topRisks } from './threats.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
/** A Monday. */
const MONDAY = Date.UTC(2030, 0, 7);

const person = (id: string, more: Partial<Person> = {}): Person => ({
  id,
  name: id,
  department: 'ops',
  priority: 'medium',
  createdAt: undefined,
  ...more,
});
const place = (country: string, latitude: number, longitude: number, network: string): Place => ({
  country,
  latitude,
  longitude,
  precision: 'city',
  network,
  exempt: false,
});
const paris = place('FR', 48.9, 2.4, 'office');
const tokyo = place('JP', 35.7, 139.7, 'hotel');

let count = 0;
const session = (
  at: number,
  more: Partial<Extract<Activity, { kind: 'session' }>> = {},
): Extract<Activity, { kind: 'session' }> => {
  count += 1;
  return {
    kind: 'session',
    at,
    user: 'alice',
    evidence: `session-${count}`,
    source: '192.0.2.1',
    place: paris,
    target: 'web1',
    privileged: false,
    endedAt: at + HOUR / 2,
    ...more,
  };
};
const transfer = (at: number, bytes: number, user = 'alice'): Activity => {
  count += 1;
  return { kind: 'transfer', at, user, evidence: `transfer-${count}`, bytes, files: 3 };
};

/** Weekdays of work at the same hours. */
const habit = (days: number, of: (midnight: number) => readonly Activity[]): Activity[] =>
  Array.from({ length: days }, (_, index) => MONDAY + index * DAY)
    .filter((midnight) => ![0, 6].includes(new Date(midnight).getUTCDay()))
    .flatMap((midnight) => [...of(midnight)]);
const office = (midnight: number): readonly Activity[] => [
  session(midnight + 9 * HOUR),
  session(midnight + 14 * HOUR, { target: 'web2' }),
  transfer(midnight + 15 * HOUR, 20e6 + (midnight % 7) * 1e6),
];

const findingsOf = (
  activities: readonly Activity[],
  timeZone = 'UTC',
  people: readonly Person[] = [person('alice')],
): readonly Finding[] =>
  analyse(
    activities.toSorted((a, b) => a.at - b.at),
    { timeZone, people },
  ).findings;
const signalsOf = (findings: readonly Finding[]): readonly string[] => findings.map(({ signal }) => signal);

const later = MONDAY + 42 * DAY;

describe('findings', () => {
  it('are none for a life of habit', () => {
    expect(findingsOf(habit(120, office))).toEqual([]);
  });

  it('tell of travel that nobody can make, and not of travel that somebody can', () => {
    const base = habit(40, office);
    const fast = findingsOf([
      ...base,
      session(later + 9 * HOUR),
      session(later + 11 * HOUR, { place: tokyo }),
    ]);
    expect(fast.find(({ signal }) => signal === 'impossible-travel')).toMatchObject({ severity: 'critical' });
    const slow = findingsOf([
      ...base,
      session(later + 9 * HOUR),
      session(later + 33 * HOUR, { place: tokyo }),
    ]);
    expect(signalsOf(slow)).not.toContain('impossible-travel');
    expect(signalsOf(slow)).toContain('login-baseline');
    const tunnel = findingsOf([
      ...base,
      session(later + 9 * HOUR),
      session(later + 10 * HOUR, { place: { ...tokyo, exempt: true } }),
    ]);
    expect(signalsOf(tunnel)).toEqual([]);
  });

  it('tell of work at night, but not of somebody who always works across midnight', () => {
    const atThree = [...habit(40, office), session(later + 3 * HOUR)];
    expect(signalsOf(findingsOf(atThree))).toEqual(['off-hours']);
    const nights = habit(60, (midnight) => [
      session(midnight + 23 * HOUR),
      session(midnight + 23.9 * HOUR),
      session(midnight + 24.5 * HOUR),
    ]);
    expect(findingsOf(nights)).toEqual([]);
    // The same instants are an afternoon elsewhere.
    const afternoon = habit(40, (midnight) => [session(midnight + 3 * HOUR)]);
    expect(findingsOf([...afternoon, session(later + 3 * HOUR)], 'Asia/Tokyo')).toEqual([]);
  });

  it('do not stumble over the change of the clocks', () => {
    // 08:00 in Paris, before and after the last Sunday of March.
    const through = habit(120, (midnight) => [
      session(midnight + (midnight < Date.UTC(2030, 2, 31) ? 7 : 6) * HOUR),
    ]);
    expect(findingsOf(through, 'Europe/Paris')).toEqual([]);
  });

  it('tell of data beyond what the user ever moved, and not of what others call much', () => {
    const base = habit(40, office);
    const much = findingsOf([...base, session(later + 9 * HOUR), transfer(later + 10 * HOUR, 12e9)]);
    expect(much).toMatchObject([{ signal: 'data-volume', severity: 'critical' }]);
    expect(much[0]?.evidence.length).toBeGreaterThan(0);
    const heavy = habit(60, (midnight) => [
      session(midnight + 9 * HOUR),
      transfer(midnight + 10 * HOUR, 12e9 + ((midnight / DAY) % 5) * 1e9),
    ]);
    expect(findingsOf(heavy)).toEqual([]);
  });

  it('tell of many devices and privileged commands in one day', () => {
    const base = habit(40, (midnight) => [
      ...office(midnight),
      { kind: 'privileged', at: midnight + 9.2 * HOUR, user: 'alice', evidence: 'p', target: 'web1' },
    ]);
    const spree = Array.from({ length: 14 }, (_, index): Activity[] => [
      session(later + (9 + index / 10) * HOUR, { target: `db${index}` }),
      {
        kind: 'privileged',
        at: later + (9.05 + index / 10) * HOUR,
        user: 'alice',
        evidence: 'q',
        target: `db${index}`,
      },
    ]).flat();
    const found = findingsOf([...base, ...spree]);
    expect(signalsOf(found)).toEqual(expect.arrayContaining(['privilege-abuse', 'new-devices']));
    expect(found.find(({ signal }) => signal === 'privilege-abuse')?.severity).toBe('high');
  });

  it('tell of privileged work on an account that slept, and not of its owner who comes back to read', () => {
    const base = habit(40, office);
    const back = later + 120 * DAY;
    expect(signalsOf(findingsOf([...base, session(back + 9 * HOUR)]))).not.toContain('dormant-account');
    const asRoot = findingsOf([...base, session(back + 9 * HOUR, { privileged: true })]);
    expect(asRoot.find(({ signal }) => signal === 'dormant-account')).toMatchObject({ severity: 'high' });
  });

  it('tell of an account that is live from two places at once, until that is a habit within one country', () => {
    const home = place('FR', 48.9, 2.4, 'home');
    const both = (midnight: number) => [
      session(midnight + 9 * HOUR, { endedAt: midnight + 12 * HOUR }),
      session(midnight + 10 * HOUR, { place: home, source: '198.51.100.7', endedAt: midnight + 11 * HOUR }),
    ];
    const days = habit(14, both);
    const found = findingsOf(days);
    expect(signalsOf(found).filter((signal) => signal === 'shared-account')).toHaveLength(3);
    const abroad = habit(14, (midnight) => [
      session(midnight + 9 * HOUR, { endedAt: midnight + 12 * HOUR }),
      session(midnight + 10 * HOUR, { place: tokyo, endedAt: midnight + 11 * HOUR }),
    ]);
    expect(
      signalsOf(findingsOf(abroad)).filter((signal) => signal === 'shared-account').length,
    ).toBeGreaterThan(5);
  });

  it('compare a user with the others of the department', () => {
    const people = ['alice', 'bob', 'carol', 'u4', 'u5', 'u6', 'u7'].map((id) => person(id));
    const base = people.flatMap(({ id }) =>
      habit(40, (midnight) => [
        session(midnight + 9 * HOUR, { user: id }),
        transfer(midnight + 10 * HOUR, 50e6, id),
      ]),
    );
    const found = findingsOf(
      [...base, session(later + 9 * HOUR), transfer(later + 10 * HOUR, 3e9)],
      'UTC',
      people,
    );
    expect(found.find(({ signal }) => signal === 'peer-group')).toMatchObject({ user: 'alice' });
  });

  it('come out the same day by day and at once, in whatever order people stand', () => {
    const activities = [
      ...habit(40, office),
      session(later + 3 * HOUR, { place: tokyo }),
      transfer(later + 4 * HOUR, 9e9),
    ].sort((a, b) => a.at - b.at);
    const people = [person('bob'), person('alice')];
    const whole = analyse(activities, { timeZone: 'UTC', people }).findings;
    const analyst = new Analyst({ timeZone: 'UTC', people: people.toReversed() });
    for (const activity of activities) analyst.take(activity);
    expect(analyst.finish()).toEqual(whole);
    expect(whole.length).toBeGreaterThan(1);
  });

  it('survive a clock that steps back', () => {
    const activities = [
      ...habit(40, office),
      session(later + 9 * HOUR),
      session(later + 8 * HOUR),
      session(later - 30 * HOUR),
    ];
    const analyst = new Analyst({ timeZone: 'UTC', people: [person('alice')] });
    for (const activity of activities) analyst.take(activity);
    expect(() => analyst.finish()).not.toThrow();
  });
});

describe('threats and risk', () => {
  const finding = (signal: Finding['signal'], score: number, more: Partial<Finding> = {}): Finding => ({
    id: `${signal}-${score}-${more.firstAt ?? MONDAY}`,
    signal,
    user: 'alice',
    firstAt: MONDAY,
    lastAt: MONDAY,
    severity: 'medium',
    score,
    seen: '',
    usual: '',
    evidence: [],
    ...more,
  });
  const people = new Map([
    ['alice', person('alice', { priority: 'critical' })],
    ['bob', person('bob', { priority: 'low' })],
  ]);
  const modelsOf = (...findings: readonly Finding[]): readonly string[] =>
    threatsOf(findings, people).map(({ model }) => model);

  it('need more than one weak sign, and name the model', () => {
    expect(modelsOf(finding('off-hours', 40))).toEqual([]);
    // A traveller in another time zone.
    expect(modelsOf(finding('login-baseline', 45), finding('off-hours', 40))).toEqual([]);
    expect(modelsOf(finding('login-baseline', 45), finding('new-devices', 45))).toEqual([
      'compromised account',
    ]);
    expect(modelsOf(finding('impossible-travel', 80))).toEqual(['compromised account']);
    expect(modelsOf(finding('data-volume', 45), finding('peer-group', 30))).toEqual([]);
    expect(modelsOf(finding('data-volume', 45), finding('off-hours', 30))).toEqual(['insider data theft']);
    expect(modelsOf(finding('privilege-abuse', 90))).toEqual(['privilege escalation']);
    expect(modelsOf(finding('shared-account', 50))).toEqual(['shared account']);
    expect(modelsOf(finding('dormant-account', 75))).toEqual(['dormant account']);
  });

  it('keep stories apart that have nothing to do with each other', () => {
    const first = finding('shared-account', 50);
    const much = finding('shared-account', 50, { firstAt: MONDAY + 30 * DAY, lastAt: MONDAY + 30 * DAY });
    expect(threatsOf([first, much], people)).toHaveLength(2);
    const soon = finding('shared-account', 50, { firstAt: MONDAY + 3 * DAY, lastAt: MONDAY + 3 * DAY });
    const [one, ...others] = threatsOf([first, soon], people);
    expect(others).toEqual([]);
    // It grows, and its id stays.
    expect(one?.id).toBe(threatsOf([first], people)[0]?.id);
  });

  it('weigh a user’s signals by their priority', () => {
    const top = topRisks(
      [
        finding('off-hours', 40),
        finding('off-hours', 20),
        finding('data-volume', 45),
        finding('data-volume', 45, { user: 'bob' }),
      ],
      people,
    );
    expect(top.map(({ name, risk, anomalies }) => [name, risk, anomalies])).toEqual([
      ['alice', 170, 3],
      ['bob', 36, 1],
    ]);
  });
});
