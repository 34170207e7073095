// A session's risk as it goes on: what raises it, what does not, and that the same events always give the same risk.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommandProfile } from './command-profile.ts';
import { unlikeness } from './command-sequence.ts';
import { CommandStatistics, WithoutMember } from './command-statistics.ts';
import { LiveRisk } from './live-risk.ts';
import { SessionCounts } from './session-counts.ts';
import { measureStart, NO_PEERS } from './session-measure.ts';
import { type RiskSettings, riskOf } from './session-risk.ts';
import { behaviourSettings } from './settings.ts';
import { whatIf } from './what-if.ts';

const DAY = 86_400_000;
const MONDAY = Date.UTC(2026, 0, 5, 9);
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

const habits = (sessions: number, privileged = false): SessionCounts => {
  const counts = new SessionCounts('UTC');
  for (let day = 0; day < sessions; day += 1)
    counts.count({
      startedAt: MONDAY + day * 7 * DAY,
      target: 'web1',
      origin: '10.0.0.5',
      credential: 'deploy',
      duration: 600,
      bytes: 0,
      privileged,
    });
  return counts;
};

const start = (known: SessionCounts) =>
  measureStart(
    { startedAt: MONDAY + 700 * DAY, target: 'web1', origin: '10.0.0.5', credential: 'deploy' },
    known,
    NO_PEERS,
  );

const quiet = { points: 0, words: [], privilege: undefined };

describe('the risk of a session that goes on', () => {
  it('rises by the points of the rules that its commands meet', () => {
    const live = new LiveRisk(start(habits(40)), habits(40), settings);
    expect(live.risk.score).toBe(0);
    live.command({ ...quiet, points: 4 });
    live.command(quiet);
    expect(live.command({ ...quiet, points: 2 })).toMatchObject({
      score: 6,
      commandPoints: 6,
      dimensionPoints: 0,
    });
  });

  it('rises once by what it moves and by how long it lasts, and tells what is usual', () => {
    const live = new LiveRisk(start(habits(40)), habits(40), settings);
    expect(live.progress(500_000, 500).score).toBe(0);
    expect(live.progress(5_000_000, 500).findings).toMatchObject([
      { dimension: 'volume', points: 3, seen: '4.8 MiB', usual: [{ value: 'nothing moved', sessions: 40 }] },
    ]);
    expect(live.progress(9_000_000, 100_000).score).toBe(6);
    expect(live.progress(99_000_000, 200_000).score).toBe(6);
  });

  it('rises by rights that its user does not usually take, and not by those that they do', () => {
    const seldom = new LiveRisk(start(habits(40)), habits(40), settings);
    expect(seldom.command({ ...quiet, privilege: 'sudo' }).findings).toMatchObject([
      { dimension: 'privilege', seen: 'sudo', usual: [{ value: 'plain', sessions: 40 }] },
    ]);
    expect(seldom.command({ ...quiet, privilege: 'su' }).score).toBe(3);
    const often = new LiveRisk(start(habits(40, true)), habits(40, true), settings);
    expect(often.command({ ...quiet, privilege: 'sudo' }).score).toBe(0);
    const unknown = new LiveRisk(start(habits(3)), habits(3), settings);
    expect(unknown.command({ ...quiet, privilege: 'sudo' }).score).toBe(0);
  });

  it('is judged anew when the settings change, by what was measured', () => {
    const live = new LiveRisk(start(habits(40)), habits(40), settings);
    live.progress(5_000_000, 100);
    expect(live.settings({ ...settings, weights: { ...settings.weights, volume: 1 } }).score).toBe(1);
    expect(live.settings({ ...settings, weights: { ...settings.weights, volume: 0 } }).score).toBe(0);
  });

  it('is the same for the same events, and what was measured gives it again', () => {
    const event = fc.oneof(
      fc.record({
        points: fc.integer({ min: -2, max: 9 }),
        words: fc.array(fc.constantFrom('ls', 'cd', 'vi', 'nc'), { maxLength: 3 }),
        privilege: fc.option(fc.constant('sudo'), { nil: undefined }),
      }),
      fc.tuple(fc.nat(1e9), fc.nat(1e6)),
    );
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const play = (): LiveRisk => {
          const live = new LiveRisk(start(habits(40)), habits(40), settings);
          for (const one of events) {
            if ('points' in one) live.command(one);
            else live.progress(...one);
          }
          return live;
        };
        const live = play();
        expect(play().risk).toEqual(live.risk);
        const again = riskOf(live.measurements, live.risk.sessions, settings, live.risk.commandPoints);
        expect(again).toEqual(live.risk);
      }),
    );
  });
});

describe('what is typed', () => {
  const own = ['cd', 'ls', 'vi', 'make', 'git'];
  const theirs = ['ps', 'top', 'kill', 'df', 'mount'];
  const run = (words: readonly string[], length: number, seed = 1): string[] =>
    Array.from({ length }, (_, index) => words[(index * 7 + (index >> 3) * seed) % words.length] ?? 'ls');
  const everybody = new CommandStatistics();
  for (let user = 0; user < 20; user += 1) everybody.learn(run(theirs, 500, user));
  const profile = new CommandProfile();
  profile.learn(run(own, 6_000, 3), new WithoutMember(everybody, profile.statistics));
  const others = new WithoutMember(everybody, profile.statistics);

  it('is unusual when somebody else types, and not when the user does', () => {
    const mine = new LiveRisk(start(habits(40)), habits(40), settings);
    mine.compareWith(profile, others);
    for (const word of run(own, 60, 3)) mine.command({ ...quiet, words: [word] });
    expect(mine.risk.findings).toEqual([]);
    const another = new LiveRisk(start(habits(40)), habits(40), settings);
    another.compareWith(profile, others);
    for (const word of run(theirs, 60, 3)) another.command({ ...quiet, words: [word] });
    expect(another.risk.findings).toMatchObject([{ dimension: 'commands', points: 3 }]);
  });

  it('is very unusual beyond nearly all that the user ever typed, and looked at afresh once they have proven who they are', () => {
    const live = new LiveRisk(start(habits(40)), habits(40), settings);
    live.compareWith(profile, others);
    expect(live.typing).toBe('usual');
    for (const word of run(theirs, 60, 3)) live.command({ ...quiet, words: [word] });
    expect(live.typing).toBe('very-unusual');
    live.proven();
    expect(live.typing).toBe('usual');
    for (const word of run(own, 60, 3)) live.command({ ...quiet, words: [word] });
    expect(live.typing).toBe('usual');
    // What was found stays found.
    expect(live.risk.findings).toMatchObject([{ dimension: 'commands', points: 3 }]);
    for (const word of run(theirs, 60, 3)) live.command({ ...quiet, words: [word] });
    expect(live.typing).toBe('very-unusual');
  });

  it('has an outer limit that is never below the inner one', async () => {
    const { SequenceWatch } = await import('./command-profile.ts');
    const watch = new SequenceWatch(profile, others);
    for (const word of [...run(own, 150, 3), ...run(theirs, 150, 3)]) {
      const score = watch.push(word);
      if (score !== undefined) expect(score.outerLimit).toBeGreaterThanOrEqual(score.limit);
    }
  });

  it('counts also when the habit is known only later', () => {
    const live = new LiveRisk(start(habits(40)), habits(40), settings);
    for (const word of run(theirs, 60, 3)) live.command({ ...quiet, words: [word] });
    expect(live.risk.score).toBe(0);
    expect(live.compareWith(profile, others).score).toBe(3);
  });

  it('is scored command by command as a whole run would be', async () => {
    const { SequenceWatch } = await import('./command-profile.ts');
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...own, ...theirs, 'new'), { minLength: 1, maxLength: 260 }),
        (words) => {
          const watch = new SequenceWatch(profile, others);
          const scores = words.map((word) => watch.push(word));
          const last = scores.at(-1);
          if (last === undefined) {
            expect(words.length).toBeLessThan(5);
            return;
          }
          expect(last.score).toBeCloseTo(
            unlikeness(words.slice(-last.window), profile.statistics, others),
            8,
          );
        },
      ),
    );
  });

  it('makes the same profile again from what is stored, small enough for every user', () => {
    const text = JSON.stringify(profile);
    expect(text.length).toBeLessThan(64 * 1024);
    const again = CommandProfile.parse(text);
    expect(JSON.stringify(again)).toBe(text);
    expect(again.threshold(20)).toBeCloseTo(profile.threshold(20), 3);
    expect(CommandProfile.parse('no profile').threshold(20)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('other settings for what has happened', () => {
  const standard = {
    minimumSuspiciousScore: 5,
    initialRating: 5,
    contact: 'somebody',
    'session.historyDays': 90,
    'session.variationRate': 10,
    'session.timeZone': 'UTC',
    'continuousIdentification.ratingDrop': 0,
    'continuousIdentification.highRiskSessions': 0,
    'continuousIdentification.blockedCommands': 0,
    'continuousIdentification.sessionAttemptsAtProhibitedTimes': 0,
    'continuousIdentification.viewAttemptsAtProhibitedTimes': 0,
    'continuousIdentification.patienceSeconds': 300,
    'continuousIdentification.tries': 3,
    ...Object.fromEntries(Object.keys(settings.weights).map((key) => [`session.weights.${key}`, 3])),
  };

  it('tell who would have been refused and who would have been asked', () => {
    const odd = measureStart(
      { startedAt: MONDAY + 700 * DAY, target: 'never-seen', origin: '203.0.113.9', credential: 'deploy' },
      habits(40),
      NO_PEERS,
    );
    const past = {
      session: 's1',
      user: 'alice',
      startedAt: 1,
      measurements: odd,
      historySessions: 40,
      commandPoints: 0,
      auditedCommands: 0,
      blockedCommands: 0,
    };
    const now = behaviourSettings(standard);
    expect(whatIf([past], now, now)).toEqual([]);
    const stricter = behaviourSettings({
      ...standard,
      'actions.target.blockSession': true,
      'continuousIdentification.ratingDrop': 0.5,
    });
    expect(whatIf([past], now, stricter)).toMatchObject([
      {
        suspiciousBefore: true,
        askedBefore: undefined,
        askedAfter: 'ratingDrop',
        after: { action: 'blockSession' },
      },
    ]);
    const typed = {
      dimension: 'commands',
      measured: 2,
      limit: 1,
      usual: [],
      seen: 'other commands',
    } as const;
    const asking = behaviourSettings({ ...standard, 'actions.commands.reauthenticate': true });
    expect(whatIf([{ ...past, measurements: [typed] }], now, asking)).toMatchObject([
      { askedBefore: undefined, askedAfter: 'unusualCommands' },
    ]);
    const milder = behaviourSettings({ ...standard, 'session.weights.origin': 0 });
    expect(whatIf([past], now, milder)).toMatchObject([{ suspiciousBefore: true, suspiciousAfter: false }]);
  });
});
