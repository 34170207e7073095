// Measures what behaviour costs: the decision at a session's start with 10,000 users and 100,000 past sessions of the
// one who connects, one more command in a session, and what is kept of a user. Prints one line a figure with its bound;
// ends with 1 when one is missed. The history is made up, with a fixed seed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { CommandProfile, SequenceWatch } from '../src/behaviour/command-profile.ts';
import { CommandStatistics, WithoutMember } from '../src/behaviour/command-statistics.ts';
import { LiveRisk } from '../src/behaviour/live-risk.ts';
import { SessionCounts } from '../src/behaviour/session-counts.ts';
import { dayOf, firstDay } from '../src/behaviour/session-history.ts';
import { measureStart } from '../src/behaviour/session-measure.ts';
import { riskOf } from '../src/behaviour/session-risk.ts';
import { behaviourSettings } from '../src/behaviour/settings.ts';
import { readSettings } from '../src/directory/settings.ts';
import { PeerGroups, readHabits } from '../src/oversight/profiles.ts';
import { waitingReauthentications } from '../src/oversight/ratings.ts';
import { openStore } from '../src/store/store.ts';

const USERS = 10_000;
const SESSIONS = 100_000;
const DAYS = 90;
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 15, 9, 30);

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
const seeded = (seed: number) => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};
const random = seeded(7);
const some = (count: number): number => Math.floor(count * random() ** 2);

const figures: { name: string; value: number; limit: number; unit: string }[] = [];
const figure = (name: string, value: number, limit: number, unit: string): void => {
  figures.push({ name, value, limit, unit });
  console.log(`${value <= limit ? 'ok  ' : 'MISS'} ${name}: ${value.toFixed(3)} ${unit} (at most ${limit})`);
};
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;

const session = (day: number) => ({
  startedAt: NOW - day * DAY + (random() - 0.5) * 8 * 3_600_000,
  target: `server-${some(200)}`,
  origin: `10.0.${some(8)}.${some(30)}`,
  credential: `account-${some(40)}`,
  duration: 30 + 3_000 * random() ** 3,
  bytes: random() < 0.3 ? 1e6 * random() : 0,
  privileged: random() < 0.2,
});

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-behaviour-'));
try {
  const store = await openStore(`sqlite:${join(folder, 'db')}`);
  const settings = behaviourSettings(await readSettings(store.db));
  const window = { now: NOW, historyDays: settings.historyDays, timeZone: settings.timeZone };
  const profileOf = (sessions: number): { all: SessionCounts; days: Map<number, SessionCounts> } => {
    const all = new SessionCounts('UTC');
    const days = new Map<number, SessionCounts>();
    for (let index = 0; index < sessions; index += 1) {
      const past = session(index % DAYS);
      all.count(past);
      const day = days.get(dayOf(past.startedAt)) ?? new SessionCounts('UTC');
      day.count(past);
      days.set(dayOf(past.startedAt), day);
    }
    return { all, days };
  };
  const put = async (userId: string, { all }: ReturnType<typeof profileOf>): Promise<void> => {
    await store.append('behaviour_profiles', [
      {
        user_id: userId,
        from_day: firstDay(NOW, settings.historyDays),
        to_day: dayOf(NOW),
        profile_json: JSON.stringify(all),
        updated_at: NOW,
      },
    ]);
  };
  const small = Array.from({ length: 20 }, () => profileOf(60));
  for (let from = 0; from < USERS; from += 500) {
    await store.append(
      'behaviour_profiles',
      Array.from({ length: 500 }, (_, index) => ({
        user_id: `user-${from + index}`,
        from_day: firstDay(NOW, settings.historyDays),
        to_day: dayOf(NOW),
        profile_json: JSON.stringify(small[(from + index) % small.length]?.all),
        updated_at: NOW,
      })),
    );
    await store.append(
      'users',
      Array.from({ length: 500 }, (_, index) => ({
        id: `user-${from + index}`,
        name: `user-${from + index}`,
        password_hash: null,
        totp_sealed: null,
        roles_json: '[]',
        department: null,
        priority: 'medium',
        authentication_json: null,
        disabled_reason: null,
        created_at: NOW,
        updated_at: NOW,
      })),
    );
  }
  const busy = profileOf(SESSIONS);
  await put('busy', busy);
  const peers = new PeerGroups(store);
  const decide = async (userId: string): Promise<number> => {
    const began = performance.now();
    const [habits, , group] = await Promise.all([
      readHabits(store, userId, window),
      waitingReauthentications(store, userId),
      peers.of('everybody', window),
    ]);
    riskOf(measureStart(session(0), habits, group), habits.sessions, settings.risk);
    return performance.now() - began;
  };
  for (let warm = 0; warm < 300; warm += 1) await decide(`user-${warm}`);
  const ofBusy: number[] = [];
  const ofOthers: number[] = [];
  for (let turn = 0; turn < 500; turn += 1) {
    ofBusy.push(await decide('busy'));
    ofOthers.push(await decide(`user-${some(USERS)}`));
  }
  figure('start decision, median, 100,000 sessions', quantile(ofBusy, 0.5), 2, 'ms');
  figure('start decision, 95 %, 100,000 sessions', quantile(ofBusy, 0.95), 4, 'ms');
  figure('start decision, median, 60 sessions', quantile(ofOthers, 0.5), 2, 'ms');
  const kept = JSON.stringify(busy.all).length;
  figure('sessions of a user, as kept', kept / 1024, 16, 'KiB');
  await store.close();

  const everybody = new CommandStatistics(20_000, 5_000);
  const typed = (): string => `command-${some(400)}`;
  for (let user = 0; user < 50; user += 1) everybody.learn(Array.from({ length: 2_000 }, typed));
  const profile = new CommandProfile();
  const others = new WithoutMember(everybody, profile.statistics);
  profile.learn(Array.from({ length: 15_000 }, typed), others);
  const watch = new SequenceWatch(profile, others);
  const commands = Array.from({ length: 200_000 }, typed);
  for (const command of commands.slice(0, 20_000)) watch.push(command);
  let began = performance.now();
  for (const command of commands) watch.push(command);
  figure('score of one command', ((performance.now() - began) * 1000) / commands.length, 50, 'µs');
  const live = new LiveRisk(
    measureStart(session(0), busy.all, { target: new Map(), origin: new Map(), credential: new Map() }),
    busy.all,
    settings.risk,
  );
  live.compareWith(profile, others);
  began = performance.now();
  for (const command of commands.slice(0, 20_000))
    live.command({ points: 0, words: [command], privilege: undefined });
  figure('risk after one command', ((performance.now() - began) * 1000) / 20_000, 50, 'µs');
  figure('habits of a user, as kept', (JSON.stringify(profile).length + kept) / 1024, 64, 'KiB');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (figures.some(({ value, limit }) => value > limit)) process.exitCode = 1;
