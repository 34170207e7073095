// Ratings as people look at them: everybody's, most suspicious first, one user's ledger, a mark of what was expected, and
// what other settings would have made of the past. For the command line and the API alike.
import { behaviourSettings } from '../behaviour/settings.ts';
import { type WhatIf, whatIf } from '../behaviour/what-if.ts';
import { DirectoryError } from '../directory/errors.ts';
import { readSettings, type SettingKey, type SettingValue } from '../directory/settings.ts';
import { shown } from '../directory/shown-text.ts';
import { newId } from '../store/id.ts';
import type { RatingLedgerTable, RatingsTable, SessionRisksTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { CommandHabits } from './command-habits.ts';
import { type DemandParts, takeFacts } from './demands.ts';
import { learnSession } from './profiles.ts';
import { recordFacts } from './ratings.ts';
import { readMeasurements } from './risk-records.ts';

const DAY = 86_400_000;
const AT_ONCE = 1_000;

export interface RatingView {
  readonly id: string;
  readonly name: string;
  readonly rating: number;
  /** At the last passed re-authentication, or at the beginning. */
  readonly reference: number;
  readonly lastAccess: number | undefined;
  readonly disabled: boolean;
  readonly counts: Pick<
    RatingsTable,
    'high_risk_sessions' | 'blocked_commands' | 'session_attempts' | 'view_attempts' | 'counted_since'
  >;
}

/** Days that have gone by since somebody last worked are settled first, so that what is shown is what is stored. */
const settleDays = async ({ store, settings, now }: DemandParts): Promise<void> => {
  const today = Math.floor(now() / DAY);
  const rows = await store.db
    .selectFrom('ratings')
    .select(['user_id', 'user_name'])
    .where('active_day', '<', today)
    .limit(AT_ONCE)
    .execute();
  for (const row of rows)
    await recordFacts(store, settings, { id: row.user_id, name: row.user_name }, { at: now() });
};

/** Every user, the lowest rating first. */
export const listRatings = async (parts: DemandParts, limit: number): Promise<readonly RatingView[]> => {
  await settleDays(parts);
  const initial = Math.round(parts.settings.initialRating * 100);
  const rows = await parts.store.db
    .selectFrom('users')
    .leftJoin('ratings', 'ratings.user_id', 'users.id')
    .select((e) => [
      'users.id',
      'users.name',
      'users.disabled_reason',
      'ratings.rating',
      'ratings.reference',
      'ratings.high_risk_sessions',
      'ratings.blocked_commands',
      'ratings.session_attempts',
      'ratings.view_attempts',
      'ratings.counted_since',
      e
        .selectFrom('sessions')
        .select((f) => f.fn.max('sessions.started_at').as('last'))
        .whereRef('sessions.user_name', '=', 'users.name')
        .as('last_access'),
    ])
    .orderBy((e) => e.fn.coalesce('ratings.rating', e.val(initial)))
    .orderBy('users.name')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    rating: (row.rating ?? initial) / 100,
    reference: (row.reference ?? initial) / 100,
    lastAccess: row.last_access === null ? undefined : Number(row.last_access),
    disabled: row.disabled_reason !== null,
    counts: {
      high_risk_sessions: row.high_risk_sessions ?? 0,
      blocked_commands: row.blocked_commands ?? 0,
      session_attempts: row.session_attempts ?? 0,
      view_attempts: row.view_attempts ?? 0,
      counted_since: row.counted_since ?? 0,
    },
  }));
};

/** One user's ledger, newest first. */
export const readLedger = async (
  parts: DemandParts,
  user: { readonly id: string; readonly name: string },
  filter: { readonly since?: number | undefined; readonly limit: number },
): Promise<readonly RatingLedgerTable[]> => {
  await recordFacts(parts.store, parts.settings, user, { at: parts.now() });
  let query = parts.store.db.selectFrom('rating_ledger').selectAll().where('user_id', '=', user.id);
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
  return query.orderBy('position', 'desc').limit(filter.limit).execute();
};

/**
 * Somebody looked into a suspicious session, or view or change of a credential, and says that it was expected: the rating
 * gets back what it lost, and it teaches what is usual. Throws DirectoryError: SP_NOT_FOUND, SP_INVALID.
 */
export const markExpected = async (
  parts: DemandParts,
  session: string,
  actor: string,
): Promise<{ readonly before: number; readonly after: number; readonly user: string }> => {
  const { store, now, settings } = parts;
  const rows = await store.db
    .selectFrom('session_risks')
    .selectAll()
    .where('session_id', '>=', session)
    .where('session_id', '<', `${session}~`)
    .limit(2)
    .execute();
  const [row] = rows;
  if (row === undefined && session.length >= 8) {
    const marked = await markViewExpected(parts, session, actor);
    if (marked !== undefined) return marked;
  }
  if (row === undefined || rows.length > 1 || session.length < 8)
    throw new DirectoryError(
      'SP_NOT_FOUND',
      `there is no session, view or change ${shown(session, 64)} that was suspicious, or more than one begins so`,
    );
  if (row.standing === 'open')
    throw new DirectoryError('SP_INVALID', 'that session still runs: mark it when it has ended');
  if (row.suspicious_at === null || row.standing === 'expected')
    throw new DirectoryError(
      'SP_INVALID',
      'there is nothing suspicious about that session, or it is marked already',
    );
  const user = { id: row.user_id, name: row.user_name };
  const { changes } = await takeFacts(parts, user, {
    at: now(),
    events: [{ kind: 'expected', id: newId(), at: now(), event: row.session_id }],
    actor,
  });
  const learnt = row.standing === 'identified';
  await store.db
    .updateTable('session_risks')
    .set({ standing: 'expected', updated_at: now() })
    .where('session_id', '=', row.session_id)
    .execute();
  if (!learnt) await learnFrom(parts, row);
  const change = changes.find(({ cause }) => cause === 'expected');
  const rating = await store.db
    .selectFrom('ratings')
    .select('rating')
    .where('user_id', '=', user.id)
    .executeTakeFirst();
  const stands = (rating?.rating ?? Math.round(settings.initialRating * 100)) / 100;
  return { before: change?.before ?? stands, after: change?.after ?? stands, user: user.name };
};

/** The same for a view or a change of a credential, found by what its rating lost; undefined: there is none. */
const markViewExpected = async (
  parts: DemandParts,
  id: string,
  actor: string,
): Promise<{ readonly before: number; readonly after: number; readonly user: string } | undefined> => {
  const { store, now } = parts;
  const rows = await store.db
    .selectFrom('rating_ledger')
    .select(['session_id as view', 'user_id as userId', 'user_name as userName'])
    .distinct()
    .where('cause', '=', 'suspicious-view')
    .where('session_id', '>=', id)
    .where('session_id', '<', `${id}~`)
    .limit(2)
    .execute();
  const [row] = rows;
  if (row === undefined || row.view === null || rows.length > 1) return undefined;
  const user = { id: row.userId, name: row.userName };
  const { changes } = await takeFacts(parts, user, {
    at: now(),
    events: [{ kind: 'expected', id: newId(), at: now(), event: row.view }],
    actor,
  });
  const change = changes.find(({ cause }) => cause === 'expected');
  if (change === undefined)
    throw new DirectoryError('SP_INVALID', 'it is marked already, or is too long ago to be taken back');
  // A view counts among what is usual from now on; a change by hand has no history to join.
  await store.db
    .updateTable('credential_views')
    .set({ suspicious: 0, code: 'expected' })
    .where('id', '=', row.view)
    .execute();
  return { before: change.before, after: change.after, user: user.name };
};

/** The session joins its user's history, with the commands that were typed in it. */
const learnFrom = async ({ store, settings, now }: DemandParts, row: SessionRisksTable): Promise<void> => {
  const person = await store.db
    .selectFrom('users')
    .select('department')
    .where('id', '=', row.user_id)
    .executeTakeFirst();
  const department = person?.department ?? null;
  await learnSession(
    store,
    { userId: row.user_id, peers: department === null ? 'everybody' : `department:${department}` },
    {
      startedAt: row.started_at,
      target: row.device_name,
      origin: row.source_address,
      credential: row.credential_name,
      duration: row.ended_at === null ? undefined : Math.max(0, (row.ended_at - row.started_at) / 1000),
      ...activityOf(row.activity_json),
    },
    { now: now(), historyDays: settings.historyDays, timeZone: settings.timeZone },
  );
  const words = await store.db
    .selectFrom('commands')
    .select('word')
    .where('session_id', '=', row.session_id)
    .where('channel_kind', 'in', ['shell', 'exec'])
    .where('hidden', '=', 0)
    .orderBy('at')
    .orderBy('id')
    .limit(5_000)
    .execute();
  await using habits = new CommandHabits(store, now);
  await habits.learn(
    row.user_id,
    words.map(({ word }) => word).filter((word) => word !== ''),
  );
};

const activityOf = (text: string): { readonly bytes?: number; readonly privileged?: boolean } => {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    let bytes = 0;
    if ('moved' in value && typeof value.moved === 'object' && value.moved !== null)
      for (const moved of Object.values(value.moved))
        bytes += Number(moved.bytesUp ?? 0) + Number(moved.bytesDown ?? 0);
    return { bytes, privileged: 'privilege' in value && value.privilege !== undefined };
  } catch {
    return {};
  }
};

/** Sessions since then, as other settings would have judged them; those that come out otherwise. */
export const askWhatIf = async (
  store: Store,
  since: number,
  changed: ReadonlyMap<SettingKey, SettingValue>,
): Promise<{ readonly looked: number; readonly different: readonly WhatIf[] }> => {
  const current = await readSettings(store.db);
  const rows = await store.db
    .selectFrom('session_risks')
    .selectAll()
    .where('started_at', '>=', since)
    .where('standing', '<>', 'void')
    .orderBy('started_at')
    .orderBy('session_id')
    .limit(MOST_SESSIONS)
    .execute();
  const different = whatIf(
    rows.map((row) => ({
      session: row.session_id,
      user: row.user_name,
      startedAt: row.started_at,
      measurements: readMeasurements(row.measured_json),
      historySessions: row.history_sessions,
      commandPoints: row.command_points,
      auditedCommands: row.audited_commands,
      blockedCommands: row.blocked_commands,
    })),
    behaviourSettings(current),
    behaviourSettings({ ...current, ...Object.fromEntries(changed) }),
  );
  return { looked: rows.length, different };
};

const MOST_SESSIONS = 100_000;
