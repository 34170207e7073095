// One user's posture as an auditor reads it: standing, rating and how it came to be, when and how long they work, from
// where, on which devices, and all that was suspicious. Reads the logs as they are; what it lists is bounded and newest first.
import { explain } from '../behaviour/explain.ts';
import { BIN_MINUTES, localTime } from '../behaviour/time-of-day.ts';
import { DirectoryError } from '../directory/errors.ts';
import { shown } from '../directory/shown-text.ts';
import { readEvents } from '../events/event-log.ts';
import type { Store } from '../store/store.ts';
import { type Span, type Use, usesOf } from './posture.ts';
import { readFindings } from './risk-records.ts';

export interface SuspiciousInteraction {
  readonly at: number;
  readonly kind: 'session' | 'view';
  readonly id: string;
  readonly what: string;
  readonly score: number;
  /** In words: one line for each point. */
  readonly findings: readonly string[];
}

export interface UserReport {
  readonly user: string;
  readonly id: string;
  /** Undefined: may sign in. */
  readonly disabledReason: string | undefined;
  readonly rating: number;
  /** Of their newest session of all: when, and from where. */
  readonly lastAccess: number | undefined;
  readonly lastAddress: string | undefined;
  readonly signIns: number;
  readonly sessions: number;
  /** Seconds that sessions which have ended took, together and each. */
  readonly secondsRecorded: number;
  readonly meanSeconds: number;
  /** The hour, in the zone of the settings, in which most sessions began. */
  readonly busiestHour: { readonly hour: number; readonly sessions: number } | undefined;
  readonly origins: readonly Use[];
  readonly devices: readonly Use[];
  readonly ratingChanges: readonly {
    readonly at: number;
    readonly cause: string;
    readonly before: number;
    readonly after: number;
  }[];
  readonly suspicious: readonly SuspiciousInteraction[];
}

/** Sessions that lengths and hours are taken from, the newest; what else is listed at most. */
const MOST_SESSIONS = 20_000;
const MOST_LISTED = 200;
const MOST_SIGN_INS = 5_000;
const PER_HOUR = 60 / BIN_MINUTES;

/** Throws DirectoryError: SP_NOT_FOUND. */
export const reportUser = async (
  store: Store,
  name: string,
  span: Span,
  settings: { readonly initialRating: number; readonly timeZone: string },
): Promise<UserReport> => {
  const { since, until } = span;
  const user = await store.db
    .selectFrom('users')
    .select(['id', 'name', 'disabled_reason'])
    .where('name', '=', name)
    .executeTakeFirst();
  if (user === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no user ${shown(name, 64)}`);
  const [standing, last, sessions, origins, devices, changes, risky, views, signIns] = await Promise.all([
    store.db.selectFrom('ratings').select('rating').where('user_id', '=', user.id).executeTakeFirst(),
    store.db
      .selectFrom('sessions')
      .select(['started_at', 'source_address'])
      .where('user_name', '=', name)
      .orderBy('started_at', 'desc')
      .limit(1)
      .executeTakeFirst(),
    store.db
      .selectFrom('sessions')
      .select(['started_at', 'ended_at'])
      .where('user_name', '=', name)
      .where('started_at', '>=', since)
      .where('started_at', '<', until)
      .orderBy('started_at', 'desc')
      .limit(MOST_SESSIONS)
      .execute(),
    usesOf(store, name, span, 'source_address'),
    usesOf(store, name, span, 'device_name'),
    store.db
      .selectFrom('rating_ledger')
      .select(['at', 'cause', 'before', 'after'])
      .where('user_id', '=', user.id)
      .where('at', '>=', since)
      .where('at', '<', until)
      .orderBy('position', 'desc')
      .limit(MOST_LISTED)
      .execute(),
    store.db
      .selectFrom('session_risks')
      .select(['session_id', 'started_at', 'device_name', 'score', 'findings_json'])
      .where('user_id', '=', user.id)
      .where('suspicious_at', 'is not', null)
      .where('started_at', '>=', since)
      .where('started_at', '<', until)
      .orderBy('started_at', 'desc')
      .limit(MOST_LISTED)
      .execute(),
    store.db
      .selectFrom('credential_views')
      .select(['id', 'at', 'credential_name', 'score', 'findings_json'])
      .where('user_id', '=', user.id)
      .where('suspicious', '=', 1)
      .where('at', '>=', since)
      .where('at', '<', until)
      .orderBy('at', 'desc')
      .limit(MOST_LISTED)
      .execute(),
    readEvents(store, {
      since,
      until,
      userId: user.id,
      kinds: ['signed-in'],
      limit: MOST_SIGN_INS,
      after: undefined,
    }),
  ]);
  const ended = sessions.flatMap(({ started_at, ended_at }) =>
    ended_at === null ? [] : [Math.max(0, ended_at - started_at) / 1000],
  );
  const seconds = Math.round(ended.reduce((sum, one) => sum + one, 0));
  return {
    user: user.name,
    id: user.id,
    disabledReason: user.disabled_reason ?? undefined,
    rating: standing === undefined ? settings.initialRating : standing.rating / 100,
    lastAccess: last?.started_at,
    lastAddress: last?.source_address,
    signIns: signIns.events.length,
    sessions: sessions.length,
    secondsRecorded: seconds,
    meanSeconds: ended.length === 0 ? 0 : Math.round(seconds / ended.length),
    busiestHour: busiest(sessions.map(({ started_at }) => localHour(started_at, settings.timeZone))),
    origins,
    devices,
    ratingChanges: changes.map(({ at, cause, before, after }) => ({
      at,
      cause,
      before: before / 100,
      after: after / 100,
    })),
    suspicious: [
      ...risky.map(
        (row): SuspiciousInteraction => ({
          at: row.started_at,
          kind: 'session',
          id: row.session_id,
          what: row.device_name,
          score: row.score,
          findings: explained(row.findings_json),
        }),
      ),
      ...views.map(
        (row): SuspiciousInteraction => ({
          at: row.at,
          kind: 'view',
          id: row.id,
          what: row.credential_name,
          score: row.score,
          findings: explained(row.findings_json),
        }),
      ),
    ].sort((a, b) => b.at - a.at),
  };
};

const localHour = (at: number, timeZone: string): number =>
  Math.floor(localTime(at, timeZone).bin / PER_HOUR);

const explained = (findings: string): readonly string[] =>
  readFindings(findings).map((finding) => explain(finding));

const busiest = (hours: readonly number[]): UserReport['busiestHour'] => {
  const counts = new Map<number, number>();
  for (const hour of hours) counts.set(hour, (counts.get(hour) ?? 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  return most === undefined ? undefined : { hour: most[0], sessions: most[1] };
};
