// What users did over a stretch of time, added up: sessions and how unusual they were, commands and what became of them,
// findings, looks at credentials, refusals, the rating. Reads the logs as they are and keeps nothing of its own.
import { sql } from 'kysely';
import type { Store } from '../store/store.ts';

export interface Span {
  /** Milliseconds since the epoch; `until` is not part of it. */
  readonly since: number;
  readonly until: number;
}

export interface Tally {
  readonly sessions: number;
  readonly suspiciousSessions: number;
  /** Of the sessions that were measured; undefined: none was. */
  readonly highestRisk: number | undefined;
  readonly commands: number;
  /** Met at least one rule. */
  readonly auditedCommands: number;
  /** Did not run because of a rule, or could not be read with certainty. */
  readonly blockedCommands: number;
  readonly findings: number;
  readonly credentialViews: number;
  /** Sessions that were not to be. */
  readonly refusals: number;
  readonly bytesFromClient: number;
  readonly bytesFromDevice: number;
}

export interface UserPosture extends Tally {
  readonly user: string;
  readonly liveSessions: number;
  readonly threats: number;
  readonly rating: number;
  /** By how much the rating has changed within the time. */
  readonly ratingChange: number;
  /** The start of the newest session of the time. */
  readonly lastSession: number | undefined;
}

export interface PosturePoint extends Tally {
  /** The start of the bucket. */
  readonly at: number;
  /** At its end; undefined: not asked of one user, or nothing is known. */
  readonly rating: number | undefined;
}

/** How often somebody used something. */
export interface Use {
  readonly of: string;
  readonly sessions: number;
  readonly suspiciousSessions: number;
  readonly last: number;
}

const NOTHING: Tally = {
  sessions: 0,
  suspiciousSessions: 0,
  highestRisk: undefined,
  commands: 0,
  auditedCommands: 0,
  blockedCommands: 0,
  findings: 0,
  credentialViews: 0,
  refusals: 0,
  bytesFromClient: 0,
  bytesFromDevice: 0,
};

const STOPPED = ['blocked', 'interrupted', 'declined', 'refused'];
const MOST_USES = 50;
const MOST_LEDGER_ROWS = 20_000;

/** Either everybody by name, or the time in buckets. */
type Grouping = { readonly user: string | undefined } & (
  | { readonly by: 'user' }
  | {
      readonly by: 'time';
      /** Milliseconds. */
      readonly width: number;
      /** Of the viewer's zone, in milliseconds east of UTC, so that days begin at their midnight. */
      readonly offset: number;
    }
);

/** As the databases answer it; a sum of nothing is null. */
type Count = number | string | bigint;
const number = (count: Count | null): number => Number(count ?? 0);

/** The group that a row belongs to, as text: both stores then answer the same type. */
const groupOf = (grouping: Grouping, name: string, at: string) =>
  grouping.by === 'user'
    ? sql<string>`${sql.ref(name)}`
    : sql<string>`cast((${sql.ref(at)} + ${sql.lit(grouping.offset)}) / ${sql.lit(grouping.width)} as text)`;

interface Sessions {
  readonly live: number;
  readonly last: number | undefined;
}

class Tallies {
  readonly #store: Store;
  readonly #span: Span;
  readonly #grouping: Grouping;
  readonly found = new Map<string, Tally>();
  readonly sessions = new Map<string, Sessions>();

  constructor(store: Store, span: Span, grouping: Grouping) {
    this.#store = store;
    this.#span = span;
    this.#grouping = grouping;
  }

  async read(): Promise<void> {
    await Promise.all([
      this.#readSessions(),
      this.#readCommands(),
      this.#readCounts('findings', 'last_at', 'findings'),
      this.#readCounts('credential_views', 'at', 'credentialViews'),
      this.#readCounts('refusals', 'at', 'refusals'),
    ]);
  }

  #add(group: string, tally: Partial<Tally>): void {
    this.found.set(group, { ...NOTHING, ...this.found.get(group), ...tally });
  }

  async #readSessions(): Promise<void> {
    const { since, until } = this.#span;
    const { user } = this.#grouping;
    let query = this.#store.db
      .selectFrom('sessions')
      .leftJoin('session_risks', 'session_risks.session_id', 'sessions.id')
      .where('sessions.started_at', '>=', since)
      .where('sessions.started_at', '<', until);
    if (user !== undefined) query = query.where('sessions.user_name', '=', user);
    const group = groupOf(this.#grouping, 'sessions.user_name', 'sessions.started_at');
    const rows = await query
      .select((e) => [
        group.as('group'),
        e.fn.countAll<Count>().as('sessions'),
        e.fn.count<Count>('session_risks.suspicious_at').as('suspicious'),
        e.fn.max('session_risks.score').as('highest'),
        e.fn.sum<Count>('sessions.bytes_from_client').as('up'),
        e.fn.sum<Count>('sessions.bytes_from_device').as('down'),
        e.fn.count<Count>('sessions.ended_at').as('ended'),
        e.fn.max('sessions.started_at').as('last'),
      ])
      .groupBy(group)
      .execute();
    for (const row of rows) {
      this.#add(row.group, {
        sessions: number(row.sessions),
        suspiciousSessions: number(row.suspicious),
        highestRisk: row.highest === null ? undefined : Number(row.highest),
        bytesFromClient: number(row.up),
        bytesFromDevice: number(row.down),
      });
      this.sessions.set(row.group, {
        live: number(row.sessions) - number(row.ended),
        last: Number(row.last),
      });
    }
  }

  async #readCommands(): Promise<void> {
    const { since, until } = this.#span;
    const { user } = this.#grouping;
    let query = this.#store.db.selectFrom('commands').where('at', '>=', since).where('at', '<', until);
    if (user !== undefined) query = query.where('user_name', '=', user);
    const group = groupOf(this.#grouping, 'user_name', 'at');
    const rows = await query
      .select((e) => [
        group.as('group'),
        e.fn.countAll<Count>().as('commands'),
        e.fn.countAll<Count>().filterWhere('rules_json', '<>', '[]').as('audited'),
        e.fn.countAll<Count>().filterWhere('outcome', 'in', STOPPED).as('blocked'),
      ])
      .groupBy(group)
      .execute();
    for (const row of rows)
      this.#add(row.group, {
        commands: number(row.commands),
        auditedCommands: number(row.audited),
        blockedCommands: number(row.blocked),
      });
  }

  async #readCounts(
    table: 'findings' | 'credential_views' | 'refusals',
    at: 'at' | 'last_at',
    as: 'findings' | 'credentialViews' | 'refusals',
  ): Promise<void> {
    const { since, until } = this.#span;
    const { user } = this.#grouping;
    const group = groupOf(this.#grouping, 'user_name', at);
    const time = sql.ref<number>(at);
    let query = this.#store.db
      .selectFrom(sql<{ readonly user_name: string }>`${sql.table(table)}`.as('counted'))
      .where(time, '>=', since)
      .where(time, '<', until);
    if (user !== undefined) query = query.where('user_name', '=', user);
    // Whoever knocks may give any name: those of nobody are not counted.
    else query = query.where('user_name', 'in', (e) => e.selectFrom('users').select('users.name'));
    const rows = await query
      .select((e) => [group.as('group'), e.fn.countAll<Count>().as('many')])
      .groupBy(group)
      .execute();
    for (const row of rows) this.#add(row.group, { [as]: number(row.many) });
  }
}

/** Everybody for whom there is something in the time, by name; or one user, whether there is something or not. */
export const postureOfUsers = async (
  store: Store,
  span: Span,
  initialRating: number,
  user?: string,
): Promise<readonly UserPosture[]> => {
  const tallies = new Tallies(store, span, { by: 'user', user });
  const [ratings, moved, threats] = await Promise.all([
    store.db
      .selectFrom('ratings')
      .select(['user_name', 'rating'])
      .$if(user !== undefined, (query) => query.where('user_name', '=', user ?? ''))
      .execute(),
    store.db
      .selectFrom('rating_ledger')
      .select((e) => [
        'user_name',
        e.fn.sum<Count>('after').as('after'),
        e.fn.sum<Count>('before').as('before'),
      ])
      .where('at', '>=', span.since)
      .where('at', '<', span.until)
      .$if(user !== undefined, (query) => query.where('user_name', '=', user ?? ''))
      .groupBy('user_name')
      .execute(),
    store.db
      .selectFrom('threats')
      .select((e) => ['user_name', e.fn.countAll<Count>().as('many')])
      .where('last_at', '>=', span.since)
      .where('last_at', '<', span.until)
      .$if(user !== undefined, (query) => query.where('user_name', '=', user ?? ''))
      .groupBy('user_name')
      .execute(),
    tallies.read(),
  ]);
  const ratingOf = new Map(ratings.map((row) => [row.user_name, row.rating / 100]));
  const changeOf = new Map(
    moved.map((row) => [row.user_name, (number(row.after) - number(row.before)) / 100]),
  );
  const threatsOf = new Map(threats.map((row) => [row.user_name, number(row.many)]));
  const names =
    user === undefined
      ? new Set([...tallies.found.keys(), ...changeOf.keys(), ...threatsOf.keys()])
      : new Set([user]);
  return [...names].sort().map((name) => ({
    ...(tallies.found.get(name) ?? NOTHING),
    user: name,
    liveSessions: tallies.sessions.get(name)?.live ?? 0,
    lastSession: tallies.sessions.get(name)?.last,
    threats: threatsOf.get(name) ?? 0,
    rating: ratingOf.get(name) ?? initialRating,
    ratingChange: changeOf.get(name) ?? 0,
  }));
};

/** The rating at the end of each bucket, for one user. */
const ratingsOver = async (
  store: Store,
  user: string,
  span: Span,
): Promise<(until: number) => number | undefined> => {
  const rows = await store.db
    .selectFrom('rating_ledger')
    .select(['at', 'after'])
    .where('user_name', '=', user)
    .where('at', '<', span.until)
    .orderBy('position', 'desc')
    .limit(MOST_LEDGER_ROWS)
    .execute();
  return (until) => {
    const row = rows.find(({ at }) => at < until);
    return row === undefined ? undefined : row.after / 100;
  };
};

/** The time in buckets, oldest first, also those in which nothing was. `user` undefined: everybody together. */
export const postureOverTime = async (
  store: Store,
  span: Span,
  {
    width,
    offset,
    user,
  }: { readonly width: number; readonly offset: number; readonly user: string | undefined },
): Promise<readonly PosturePoint[]> => {
  const tallies = new Tallies(store, span, { by: 'time', width, offset, user });
  const [ratingAt] = await Promise.all([
    user === undefined ? () => undefined : ratingsOver(store, user, span),
    tallies.read(),
  ]);
  const first = Math.floor((span.since + offset) / width);
  const last = Math.floor((span.until - 1 + offset) / width);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const bucket = first + index;
    const at = bucket * width - offset;
    return {
      ...(tallies.found.get(String(bucket)) ?? NOTHING),
      at,
      rating: ratingAt(Math.min(at + width, span.until)),
    };
  });
};

/** What a user used most: devices, credentials, origins. */
export const usesOf = async (
  store: Store,
  user: string,
  span: Span,
  what: 'device_name' | 'credential_name' | 'source_address',
): Promise<readonly Use[]> => {
  const column = `sessions.${what}` as const;
  const rows = await store.db
    .selectFrom('sessions')
    .leftJoin('session_risks', 'session_risks.session_id', 'sessions.id')
    .where('sessions.user_name', '=', user)
    .where('sessions.started_at', '>=', span.since)
    .where('sessions.started_at', '<', span.until)
    .select((e) => [
      e.ref(column).as('of'),
      e.fn.countAll<Count>().as('sessions'),
      e.fn.count<Count>('session_risks.suspicious_at').as('suspicious'),
      e.fn.max('sessions.started_at').as('last'),
    ])
    .groupBy(column)
    .orderBy('sessions', 'desc')
    .orderBy(column)
    .limit(MOST_USES)
    .execute();
  return rows.map((row) => ({
    of: row.of,
    sessions: number(row.sessions),
    suspiciousSessions: number(row.suspicious),
    last: Number(row.last),
  }));
};
