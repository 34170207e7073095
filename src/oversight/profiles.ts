// What is usual for each user, kept in the store in a few kilobytes: one row with the sum of the history, one row for each
// day so that it can leave again, and counts over each group of peers. Clean sessions are learnt, one at a time; deciding
// reads one row. It decides nothing.
import type { Transaction } from 'kysely';
import { sql } from 'kysely';
import { CATEGORY_DIMENSIONS, type PastSession, SessionCounts } from '../behaviour/session-counts.ts';
import { dayOf, firstDay } from '../behaviour/session-history.ts';
import type { Peers } from '../behaviour/session-measure.ts';
import type { Schema, Store } from '../store/store.ts';

/** Days for which rows are kept, whatever the history is at the moment. */
const LONGEST_HISTORY = 1_000;
/** Values of a group of peers that are looked at, the most used first. */
const MOST_PEER_VALUES = 2_000;
/** How long a group's counts are used before they are read again. Milliseconds. */
const PEERS_FOR = 60_000;
const MOST_GROUPS = 1_000;

type Reader = Store['db'] | Transaction<Schema>;

export interface HistoryWindow {
  readonly now: number;
  readonly historyDays: number;
  readonly timeZone: string;
}

interface Loaded {
  readonly counts: SessionCounts;
  /** The first day of the history; what is older has been taken out. */
  readonly from: number;
}

const load = async (db: Reader, userId: string, window: HistoryWindow): Promise<Loaded> => {
  const from = firstDay(window.now, window.historyDays);
  const row = await db
    .selectFrom('behaviour_profiles')
    .select(['from_day', 'profile_json'])
    .where('user_id', '=', userId)
    .executeTakeFirst();
  if (row === undefined) return { counts: new SessionCounts(window.timeZone), from };
  const counts = SessionCounts.parse(row.profile_json, window.timeZone);
  if (counts === undefined || row.from_day > from) return { counts: await rebuilt(db, userId, window), from };
  if (row.from_day === from) return { counts, from };
  const old = await db
    .selectFrom('behaviour_days')
    .select('profile_json')
    .where('user_id', '=', userId)
    .where('day', '>=', row.from_day)
    .where('day', '<', from)
    .execute();
  for (const day of old) {
    const gone = SessionCounts.parse(day.profile_json, window.timeZone);
    if (gone !== undefined) counts.merge(gone, -1);
  }
  return { counts, from };
};

/** From the days, when the history has become longer than what the sum holds. */
const rebuilt = async (db: Reader, userId: string, window: HistoryWindow): Promise<SessionCounts> => {
  const counts = new SessionCounts(window.timeZone);
  const days = await db
    .selectFrom('behaviour_days')
    .select('profile_json')
    .where('user_id', '=', userId)
    .where('day', '>=', firstDay(window.now, window.historyDays))
    .orderBy('day')
    .execute();
  for (const day of days) {
    const more = SessionCounts.parse(day.profile_json, window.timeZone);
    if (more !== undefined) counts.merge(more, 1);
  }
  return counts;
};

/** What is usual for a user: one row is read, and the days that have left since it was written. */
export const readHabits = async (
  store: Store,
  userId: string,
  window: HistoryWindow,
): Promise<SessionCounts> => (await load(store.db, userId, window)).counts;

export interface Learner {
  readonly userId: string;
  /** The group that the user's sessions are compared with. */
  readonly peers: string;
}

/** Learns a clean session. Safe beside others that do the same for this user or their peers. */
export const learnSession = async (
  store: Store,
  { userId, peers }: Learner,
  session: PastSession,
  window: HistoryWindow,
): Promise<void> => {
  const day = dayOf(session.startedAt);
  await store.transaction(async (trx) => {
    const { counts, from } = await load(trx, userId, window);
    const row = await trx
      .selectFrom('behaviour_days')
      .select('profile_json')
      .where('user_id', '=', userId)
      .where('day', '=', day)
      .executeTakeFirst();
    const ofDay =
      row === undefined
        ? new SessionCounts(window.timeZone)
        : (SessionCounts.parse(row.profile_json, window.timeZone) ?? new SessionCounts(window.timeZone));
    ofDay.count(session);
    if (day >= from) counts.count(session);
    await trx
      .insertInto('behaviour_days')
      .values({ user_id: userId, day, profile_json: JSON.stringify(ofDay) })
      .onConflict((conflict) =>
        conflict.columns(['user_id', 'day']).doUpdateSet({ profile_json: JSON.stringify(ofDay) }),
      )
      .execute();
    const profile = {
      from_day: from,
      to_day: dayOf(window.now),
      profile_json: JSON.stringify(counts),
      updated_at: window.now,
    };
    await trx
      .insertInto('behaviour_profiles')
      .values({ user_id: userId, ...profile })
      .onConflict((conflict) => conflict.column('user_id').doUpdateSet(profile))
      .execute();
    await trx
      .deleteFrom('behaviour_days')
      .where('user_id', '=', userId)
      .where('day', '<', dayOf(window.now) - LONGEST_HISTORY)
      .execute();
  });
  for (const dimension of CATEGORY_DIMENSIONS) {
    await store.db
      .insertInto('peer_counts')
      .values({ peers, dimension, value: session[dimension], sessions: 1, last_day: day })
      .onConflict((conflict) =>
        conflict.columns(['peers', 'dimension', 'value']).doUpdateSet({
          sessions: sql<number>`peer_counts.sessions + 1`,
          last_day: day,
        }),
      )
      .execute();
  }
};

/** Counts over groups of peers, read once a minute at most. */
export class PeerGroups {
  readonly #store: Store;
  readonly #known = new Map<string, { readonly at: number; readonly peers: Promise<Peers> }>();

  constructor(store: Store) {
    this.#store = store;
  }

  of(group: string, window: HistoryWindow): Promise<Peers> {
    const known = this.#known.get(group);
    if (known !== undefined && window.now - known.at < PEERS_FOR && window.now >= known.at)
      return known.peers;
    if (this.#known.size >= MOST_GROUPS) this.#known.clear();
    const peers = this.#read(group, window);
    this.#known.set(group, { at: window.now, peers });
    peers.catch(() => this.#known.delete(group));
    return peers;
  }

  async #read(group: string, window: HistoryWindow): Promise<Peers> {
    const rows = await this.#store.db
      .selectFrom('peer_counts')
      .select(['dimension', 'value', 'sessions'])
      .where('peers', '=', group)
      .where('last_day', '>=', firstDay(window.now, window.historyDays))
      .orderBy('sessions', 'desc')
      .orderBy('value')
      .limit(MOST_PEER_VALUES)
      .execute();
    const of = (dimension: string): ReadonlyMap<string, number> =>
      new Map(rows.filter((row) => row.dimension === dimension).map((row) => [row.value, row.sessions]));
    return { target: of('target'), origin: of('origin'), credential: of('credential') };
  }
}
