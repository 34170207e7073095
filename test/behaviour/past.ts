// What is usual for people, put in the store before a test, and settings changed as the command line does it, without a
// process for each.
import { join } from 'node:path';
import type { PastSession } from '../../src/behaviour/session-counts.ts';
import type { SettingValue } from '../../src/directory/settings.ts';
import { createEventLog } from '../../src/events/event-log.ts';
import { noticeGateway } from '../../src/gateway/control-client.ts';
import { CommandHabits } from '../../src/oversight/command-habits.ts';
import { learnSession } from '../../src/oversight/profiles.ts';
import { changeSettings, SETTINGS_CHANGED } from '../../src/oversight/settings.ts';
import type { Store } from '../../src/store/store.ts';
import type { Gateway } from '../harness/gateway.ts';

const DAY = 86_400_000;

export interface Past {
  readonly user: string;
  /** Sessions, one a day and all alike. */
  readonly days: number;
  /** What is otherwise than at this hour, from an address of the office, on the device and account that tests use. */
  readonly session?: Partial<PastSession>;
  readonly peers?: string;
}

export const makePast = async (
  store: Store,
  { user, days, session = {}, peers = 'everybody' }: Past,
): Promise<void> => {
  const { id: userId } = await store.db
    .selectFrom('users')
    .select('id')
    .where('name', '=', user)
    .executeTakeFirstOrThrow();
  const now = Date.now();
  const usual: PastSession = {
    startedAt: now,
    target: 'web1',
    origin: '192.0.2.10',
    credential: 'web1-login',
    duration: 600,
    bytes: 0,
    privileged: false,
    ...session,
  };
  for (let day = 1; day <= days; day += 1) {
    const past = { ...usual, startedAt: usual.startedAt - (day % 80) * DAY };
    await learnSession(store, { userId, peers }, past, { now, historyDays: 90, timeZone: 'UTC' });
  }
};

/** A habit of typing: `own` again and again for this user, `theirs` for everybody else. */
export const makeTypingHabit = async (
  store: Store,
  user: string,
  { own, theirs }: { readonly own: readonly string[]; readonly theirs: readonly string[] },
): Promise<void> => {
  const run = (words: readonly string[], length: number): string[] =>
    Array.from({ length }, (_, index) => words[(index * 7 + (index >> 3)) % words.length] ?? '');
  const { id } = await store.db
    .selectFrom('users')
    .select('id')
    .where('name', '=', user)
    .executeTakeFirstOrThrow();
  await using everybody = new CommandHabits(store);
  await everybody.learn('somebody-else', run(theirs, 3_000));
  await everybody.learn(id, run(own, 3_000));
  await everybody.write();
};

export const changeLiveSettings = async (
  { store, gateway }: { readonly store: Store; readonly gateway: Gateway },
  settings: Readonly<Record<string, SettingValue>>,
): Promise<void> => {
  const events = createEventLog(store);
  await changeSettings({ store, events }, new Map(Object.entries(settings)), {
    actor: 'test',
    now: Date.now(),
  });
  await noticeGateway({ data: join(gateway.folder, 'data') }, SETTINGS_CHANGED, '');
};
