// Failed sign-ins and known sources, where every worker and gateway sees them. Bounded: what is older than a day goes,
// and a user keeps the most recent sources only. What follows from them is the lock-out's business.
import type { LoginFailures } from '../../proxy/login/ports.ts';
import { newId } from '../store/id.ts';
import type { Store } from '../store/store.ts';
import { storable } from './shown-text.ts';

const MOST_FAILURES = 1_000;
const MOST_SOURCES = 100;
const KEEP = 24 * 3_600_000;
const SWEEP_EVERY = 600_000;
const LONGEST_KEY = 512;

export const createLoginFailures = (store: Store): LoginFailures => {
  let sweptAt = 0;
  /** Old rows go in the background of a later write; a failed sweep is simply tried again. */
  const sweep = async (now: number): Promise<void> => {
    if (now - sweptAt < SWEEP_EVERY) return;
    sweptAt = now;
    await store.db
      .deleteFrom('login_failures')
      .where('at', '<', now - KEEP)
      .execute();
  };
  return {
    recent: async (key, since) => {
      const rows = await store.db
        .selectFrom('login_failures')
        .select('at')
        .where('key', '=', storable(key, LONGEST_KEY))
        .where('at', '>=', since)
        .orderBy('at', 'desc')
        .limit(MOST_FAILURES)
        .execute();
      return rows.map((row) => row.at).reverse();
    },
    record: async (keys, at) => {
      const rows = keys.map((key) => ({ id: newId(), key: storable(key, LONGEST_KEY), at }));
      await store.append('login_failures', rows);
      await sweep(at);
    },
    clear: async (keys) => {
      if (keys.length === 0) return;
      await store.db
        .deleteFrom('login_failures')
        .where(
          'key',
          'in',
          keys.map((key) => storable(key, LONGEST_KEY)),
        )
        .execute();
    },
    knownSource: async (userId, address) => {
      const row = await store.db
        .selectFrom('login_sources')
        .select('last_at')
        .where('user_id', '=', userId)
        .where('address', '=', storable(address, 64))
        .executeTakeFirst();
      return row !== undefined;
    },
    rememberSource: async (userId, address, at) => {
      await store.db
        .insertInto('login_sources')
        .values({ user_id: userId, address: storable(address, 64), last_at: at })
        .onConflict((conflict) => conflict.columns(['user_id', 'address']).doUpdateSet({ last_at: at }))
        .execute();
      const surplus = await store.db
        .selectFrom('login_sources')
        .select('last_at')
        .where('user_id', '=', userId)
        .orderBy('last_at', 'desc')
        .offset(MOST_SOURCES)
        .limit(1)
        .executeTakeFirst();
      if (surplus === undefined) return;
      await store.db
        .deleteFrom('login_sources')
        .where('user_id', '=', userId)
        .where('last_at', '<=', surplus.last_at)
        .execute();
    },
  };
};
