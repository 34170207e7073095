// The register of sessions and of refusals: written durably before a session starts, read by auditors. Text that
// clients chose is cut to a bound. It neither starts nor ends anything.
import { type RawBuilder, sql } from 'kysely';
import type { SessionRegister } from '../../proxy/server/ports.ts';
import { newId } from '../store/id.ts';
import type { Page } from '../store/page.ts';
import { readPage } from '../store/page.ts';
import type { RefusalsTable, SessionsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { storable } from './shown-text.ts';

/** The store's topic on which orders for sessions of other gateways travel, as JSON `{session, order}`. */
export const SESSION_ORDERS = 'session-orders';

/** `gateway`: this process's name, so that what a crash leaves open can be found and closed. */
export const createSessionRegister = (store: Store, gateway: string): SessionRegister => ({
  newId,
  open: async ({ id, user, target, ...start }) => {
    await store.append('sessions', [
      {
        id,
        user_id: user.id,
        user_name: user.name,
        device_id: target.device.id,
        device_name: target.device.name,
        device_host: target.device.host,
        device_port: target.device.port,
        credential_id: target.credential.id,
        credential_name: target.credential.name,
        account: target.credential.username,
        grant_id: target.grant.id,
        grant_name: target.grant.name,
        recording: target.grant.recording,
        source_address: storable(start.sourceAddress, 64),
        source_port: start.sourcePort,
        client_identification: storable(start.clientIdentification, 255),
        authentication: storable(start.authentication, 64),
        via: start.via,
        gateway,
        started_at: start.startedAt,
        ended_at: null,
        end_reason: null,
        bytes_from_client: null,
        bytes_from_device: null,
      },
    ]);
  },
  close: async (id, end) => {
    await store.db
      .updateTable('sessions')
      .set({
        ended_at: end.endedAt,
        end_reason: storable(end.reason, 128),
        bytes_from_client: end.bytesFromClient,
        bytes_from_device: end.bytesFromDevice,
      })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .execute();
  },
  refused: async (event) => {
    await store.append('refusals', [
      {
        id: newId(),
        at: event.at,
        user_name: storable(event.user, 256),
        source_address: storable(event.sourceAddress, 64),
        wanted: storable(event.wanted, 256),
        code: storable(event.code, 64),
        detail: storable(event.detail, 1_024),
      },
    ]);
  },
});

/** Closes the sessions that processes of these names left open; answers how many. For whoever knows that they died. */
export const endAbandonedSessions = async (
  store: Store,
  {
    gateways,
    at,
    reason,
  }: { readonly gateways: readonly string[]; readonly at: number; readonly reason: string },
): Promise<number> => {
  if (gateways.length === 0) return 0;
  const result = await store.db
    .updateTable('sessions')
    .set({ ended_at: at, end_reason: storable(reason, 128) })
    .where('ended_at', 'is', null)
    .where('gateway', 'in', [...gateways])
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
};

/** The names of processes that have sessions open, as the register has it. */
export const gatewaysWithOpenSessions = async (store: Store): Promise<readonly string[]> => {
  const rows = await store.db
    .selectFrom('sessions')
    .select('gateway')
    .distinct()
    .where('ended_at', 'is', null)
    .orderBy('gateway')
    .execute();
  return rows.map((row) => row.gateway);
};

export interface SessionFilter {
  /** Started at or after, milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly user: string | undefined;
  readonly device: string | undefined;
  /** Started before. */
  readonly until?: number | undefined;
  readonly credential?: string | undefined;
  /** An id, or the beginning of one. */
  readonly session: string | undefined;
  readonly live: boolean;
  readonly limit: number;
  readonly after: string | undefined;
}

/** With how unusual it was; null: not measured. */
export type ListedSession = SessionsTable & {
  readonly risk: number | null;
  readonly suspicious_at: number | null;
};

export const SESSION_SORTS = ['started', 'risk', 'duration'] as const;
export type SessionSort = (typeof SESSION_SORTS)[number];

interface SessionOrder {
  /** `risk`: those that were measured. `duration`: those that have ended. */
  readonly sort?: SessionSort;
  readonly order?: 'asc' | 'desc';
}

/** So many are sorted about as soon as they are found among others along the index of an order. */
const FEW = 10_000;

/**
 * How to find sessions for a list that is not ordered by time: `narrow` finds them all by what narrows the list and sorts
 * them, `along` goes along the index of the order until the page is full. SQLite does not look at the values that are
 * asked for, so a short time and a long one would get the same plan, and one of them takes seconds among a million. PostgreSQL
 * has statistics, but goes along the index for a short time too.
 */
const wayTo = async (
  store: Store,
  { since, until, user, device, live }: SessionFilter,
): Promise<'narrow' | 'along' | 'as-planned'> => {
  const narrowed = live || [since, until, user, device].some((value) => value !== undefined);
  if (!narrowed) return 'as-planned';
  let query = store.db.selectFrom('sessions').select(sql.lit(1).as('one'));
  if (since !== undefined) query = query.where('started_at', '>=', since);
  if (until !== undefined) query = query.where('started_at', '<', until);
  if (user !== undefined) query = query.where('user_name', '=', user);
  if (device !== undefined) query = query.where('device_name', '=', device);
  if (live) query = query.where('ended_at', 'is', null);
  const { found } = await store.db
    .selectFrom(query.limit(FEW + 1).as('counted'))
    .select((e) => e.fn.countAll<number>().as('found'))
    .executeTakeFirstOrThrow();
  if (found <= FEW) return 'narrow';
  return store.kind === 'sqlite' ? 'along' : 'as-planned';
};

/** Newest first, where nothing else is said. */
export const listSessions = async (
  store: Store,
  { sort = 'started', order = 'desc', ...filter }: SessionFilter & SessionOrder,
): Promise<Page<ListedSession>> => {
  // What goes on has no length yet.
  if (sort === 'duration' && filter.live) return { rows: [], next: undefined };
  const way = sort === 'started' ? 'as-planned' : await wayTo(store, filter);
  // A `+` keeps either database from using an index on what stands behind it; PostgreSQL has none before text.
  const narrowing = <T>(column: string) =>
    way === 'along' ? sql<T>`+${sql.ref(column)}` : sql.ref<T>(column);
  const ordering = (value: RawBuilder<number>) => (way === 'narrow' ? sql<number>`+${value}` : value);
  let query = store.db
    .selectFrom('sessions')
    .leftJoin('session_risks', 'session_risks.session_id', 'sessions.id')
    .selectAll('sessions')
    .select(['session_risks.score as risk', 'session_risks.suspicious_at as suspicious_at']);
  if (filter.since !== undefined)
    query = query.where(narrowing<number>('sessions.started_at'), '>=', filter.since);
  if (filter.user !== undefined)
    query = query.where(narrowing<string>('sessions.user_name'), '=', filter.user);
  if (filter.device !== undefined)
    query = query.where(narrowing<string>('sessions.device_name'), '=', filter.device);
  if (filter.until !== undefined)
    query = query.where(narrowing<number>('sessions.started_at'), '<', filter.until);
  if (filter.credential !== undefined)
    query = query.where('sessions.credential_name', '=', filter.credential);
  if (filter.live) query = query.where('sessions.ended_at', 'is', null);
  if (filter.session !== undefined) {
    // `~` sorts after every character of an id.
    query = query.where('sessions.id', '>=', filter.session).where('sessions.id', '<', `${filter.session}~`);
  }
  const page = {
    id: 'sessions.id',
    order: order === 'desc' ? ('newest-first' as const) : ('oldest-first' as const),
    limit: filter.limit,
    after: filter.after,
  };
  switch (sort) {
    case 'started':
      return readPage(query, {
        ...page,
        time: 'sessions.started_at',
        positionOf: (row) => ({ time: row.started_at, id: row.id }),
      });
    case 'risk': {
      const score = ordering(sql.ref<number>('session_risks.score'));
      // True of every score, but of no null: the other side of the join may come first, along the index on scores.
      return readPage(query.where(score, '>', Number.MIN_SAFE_INTEGER), {
        ...page,
        id: 'session_risks.session_id',
        time: score,
        positionOf: (row) => ({ time: row.risk ?? 0, id: row.id }),
      });
    }
    case 'duration':
      return readPage(query.where('sessions.ended_at', 'is not', null), {
        ...page,
        time: ordering(sql<number>`(sessions.ended_at - sessions.started_at)`),
        positionOf: (row) => ({ time: (row.ended_at ?? row.started_at) - row.started_at, id: row.id }),
      });
  }
};

/** By its whole id, or a beginning that only one has (at least 8 characters). */
export const findSession = async (store: Store, id: string): Promise<SessionsTable | undefined> => {
  if (!/^[0-9a-f-]{8,36}$/.test(id)) return undefined;
  const rows = await store.db
    .selectFrom('sessions')
    .selectAll()
    .where('id', '>=', id)
    .where('id', '<', `${id}~`)
    .limit(2)
    .execute();
  return rows.length === 1 ? rows[0] : undefined;
};

/** Newest first. */
export const listRefusals = (
  store: Store,
  filter: {
    readonly since: number | undefined;
    readonly user: string | undefined;
    readonly limit: number;
    readonly after: string | undefined;
  },
): Promise<Page<RefusalsTable>> => {
  let query = store.db.selectFrom('refusals').selectAll();
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
  if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
  return readPage(query, {
    time: 'at',
    id: 'id',
    order: 'newest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row.at, id: row.id }),
  });
};
