// What people make of findings and threats: the status of an investigation with its case id and notes, findings called
// expected, and watch lists. Every step is kept with who took it.

import { DirectoryError } from '../directory/errors.ts';
import { shown, storable } from '../directory/shown-text.ts';
import type { EventLog } from '../events/event-log.ts';
import { newId } from '../store/id.ts';
import { type Page, readPage } from '../store/page.ts';
import type { FindingsTable, ThreatStepsTable, ThreatsTable } from '../store/steps/findings.ts';
import type { Store } from '../store/store.ts';

export const STATUSES = ['new', 'under-review', 'escalated', 'pending-hr', 'expected', 'closed'] as const;
export type Status = (typeof STATUSES)[number];

export interface InvestigationParts {
  readonly store: Store;
  readonly events: Pick<EventLog, 'append'>;
  readonly now: () => number;
}

/** Newest first, where nothing else is said. */
interface ListOrder {
  readonly sort?: 'time' | 'score';
  readonly order?: 'asc' | 'desc';
}

const pageOrder = ({ sort = 'time', order = 'desc' }: ListOrder) => {
  const column = sort === 'time' ? ('last_at' as const) : ('score' as const);
  return {
    time: column,
    id: 'id',
    order: order === 'desc' ? ('newest-first' as const) : ('oldest-first' as const),
    positionOf: (row: { readonly last_at: number; readonly score: number; readonly id: string }) => ({
      time: row[column],
      id: row.id,
    }),
  };
};

export interface FindingFilter extends ListOrder {
  readonly since: number | undefined;
  readonly user: string | undefined;
  readonly signal: string | undefined;
  readonly limit: number;
  readonly after: string | undefined;
}

export const listFindings = (store: Store, filter: FindingFilter): Promise<Page<FindingsTable>> => {
  let query = store.db.selectFrom('findings').selectAll();
  if (filter.since !== undefined) query = query.where('last_at', '>=', filter.since);
  if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
  if (filter.signal !== undefined) query = query.where('signal', '=', filter.signal);
  return readPage(query, { ...pageOrder(filter), limit: filter.limit, after: filter.after });
};

export interface ThreatFilter extends ListOrder {
  readonly since: number | undefined;
  readonly user: string | undefined;
  readonly status: Status | undefined;
  readonly limit: number;
  readonly after: string | undefined;
}

export const listThreats = (store: Store, filter: ThreatFilter): Promise<Page<ThreatsTable>> => {
  let query = store.db.selectFrom('threats').selectAll();
  if (filter.since !== undefined) query = query.where('last_at', '>=', filter.since);
  if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  return readPage(query, { ...pageOrder(filter), limit: filter.limit, after: filter.after });
};

const byId = async <Table extends 'findings' | 'threats'>(store: Store, table: Table, id: string) => {
  if (!/^[0-9a-f]{6,32}$/.test(id)) return undefined;
  const rows = await store.db
    .selectFrom<'findings' | 'threats'>(table)
    .select('id')
    .where('id', '>=', id)
    .where('id', '<', `${id}~`)
    .limit(2)
    .execute();
  return rows.length === 1 ? rows[0]?.id : undefined;
};

const missing = (what: string, id: string): DirectoryError =>
  new DirectoryError('SP_NOT_FOUND', `there is no ${what} ${shown(id, 64)}, or more than one begins so`);

/** By its id or the beginning of one. Throws SP_NOT_FOUND. */
export const findThreat = async (store: Store, id: string): Promise<ThreatsTable> => {
  const whole = await byId(store, 'threats', id);
  if (whole === undefined) throw missing('threat', id);
  return store.db.selectFrom('threats').selectAll().where('id', '=', whole).executeTakeFirstOrThrow();
};

/** By its id or the beginning of one. Throws SP_NOT_FOUND. */
export const findFinding = async (store: Store, id: string): Promise<FindingsTable> => {
  const whole = await byId(store, 'findings', id);
  if (whole === undefined) throw missing('finding', id);
  return store.db.selectFrom('findings').selectAll().where('id', '=', whole).executeTakeFirstOrThrow();
};

/** An auditor or administrator says that it was expected: threats are no longer made of it. */
export const expectFinding = async (
  { store, events, now }: InvestigationParts,
  { id, actor }: { readonly id: string; readonly actor: string },
): Promise<void> => {
  const row = await findFinding(store, id);
  await store.db
    .updateTable('findings')
    .set({ state: 'expected', updated_at: now() })
    .where('id', '=', row.id)
    .execute();
  await events.append([
    {
      kind: 'finding-changed',
      finding: row.id,
      level: 'finding',
      signal: row.signal,
      change: 'closed',
      user: { id: row.user_id, name: row.user_name },
      severity: 'low',
      score: row.score / 100,
      title: row.title,
      text: `called expected by ${actor}`,
      evidence: [],
    },
  ]);
};

export interface ThreatStep {
  readonly id: string;
  readonly actor: string;
  readonly status?: Status | undefined;
  /** At most 64 characters, as another system has it. */
  readonly caseId?: string | undefined;
  readonly assignee?: string | undefined;
  readonly note?: string | undefined;
}

/** Throws SP_NOT_FOUND, SP_INVALID. */
export const investigate = async (
  { store, events, now }: InvestigationParts,
  step: ThreatStep,
): Promise<ThreatsTable> => {
  const threat = await findThreat(store, step.id);
  if (step.caseId !== undefined && !/^[\p{L}\p{N}._/#-]{1,64}$/u.test(step.caseId))
    throw new DirectoryError('SP_INVALID', 'a case id has at most 64 letters, digits and . _ / # -');
  const note = storable(step.note ?? '', 2_000);
  const at = now();
  await store.transaction(async (trx) => {
    await trx
      .updateTable('threats')
      .set({
        ...(step.status === undefined ? {} : { status: step.status }),
        ...(step.caseId === undefined ? {} : { case_id: step.caseId }),
        ...(step.assignee === undefined ? {} : { assignee: storable(step.assignee, 128) }),
        updated_at: at,
      })
      .where('id', '=', threat.id)
      .execute();
    await trx
      .insertInto('threat_steps')
      .values({
        id: newId(),
        threat_id: threat.id,
        at,
        actor: step.actor,
        status: step.status ?? null,
        case_id: step.caseId ?? null,
        assignee: step.assignee ?? null,
        note,
      })
      .execute();
  });
  const after = await findThreat(store, threat.id);
  await events.append([
    {
      kind: 'finding-changed',
      finding: threat.id,
      level: 'threat',
      signal: threat.model,
      change: after.status === 'closed' || after.status === 'expected' ? 'closed' : 'updated',
      user: { id: threat.user_id, name: threat.user_name },
      severity: threat.severity === 'critical' || threat.severity === 'high' ? threat.severity : 'medium',
      score: threat.score / 100,
      title: threat.title,
      text: [step.status, step.caseId, note].filter((text) => text !== undefined && text !== '').join('; '),
      evidence: [],
    },
  ]);
  return after;
};

export const threatHistory = (store: Store, id: string): Promise<readonly ThreatStepsTable[]> =>
  store.db
    .selectFrom('threat_steps')
    .selectAll()
    .where('threat_id', '=', id)
    .orderBy('at')
    .orderBy('id')
    .execute();

export interface TimelineEntry {
  readonly at: number;
  readonly kind: string;
  readonly text: string;
  readonly session: string | undefined;
  /** Part of the threat. */
  readonly finding: boolean;
}

const DAY = 86_400_000;
const MOST_ENTRIES = 2_000;

/** What the user did around the threat, stitched from the event log, with its findings in their places. */
export const timelineOf = async (store: Store, threat: ThreatsTable): Promise<readonly TimelineEntry[]> => {
  const from = threat.first_at - DAY;
  const until = threat.last_at + DAY;
  const [events, findings] = await Promise.all([
    store.db
      .selectFrom('events')
      .select(['at', 'kind', 'session_id', 'event_json'])
      .where('user_id', '=', threat.user_id)
      .where('at', '>=', from)
      .where('at', '<=', until)
      .where('kind', 'in', [
        'session-started',
        'session-ended',
        'session-refused',
        'sign-in-failed',
        'risk-changed',
        'identification-required',
        'identification-passed',
        'identification-failed',
        'identification-timed-out',
        'credential-viewed',
        'credential-view-refused',
        'credential-changed',
        'transfer',
        'rating-changed',
      ])
      .orderBy('at')
      .limit(MOST_ENTRIES)
      .execute(),
    store.db
      .selectFrom('findings')
      .select(['id', 'first_at', 'signal', 'text'])
      .where('user_id', '=', threat.user_id)
      .where('first_at', '>=', from)
      .where('first_at', '<=', until)
      .execute(),
  ]);
  const own = new Set(readIds(threat.findings_json));
  return [
    ...events.map((row) => ({
      at: row.at,
      kind: row.kind,
      text: summary(row.event_json),
      session: row.session_id ?? undefined,
      finding: false,
    })),
    ...findings.map((row) => ({
      at: row.first_at,
      kind: `finding: ${row.signal}`,
      text: row.text,
      session: undefined,
      finding: own.has(row.id),
    })),
  ].sort((a, b) => a.at - b.at || (a.kind < b.kind ? -1 : 1));
};

const readIds = (json: string): readonly string[] => {
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
};

/** The words of an event that tell a person what it was. */
const summary = (json: string): string => {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) return '';
  const words: string[] = [];
  if (
    'target' in value &&
    typeof value.target === 'object' &&
    value.target !== null &&
    'device' in value.target
  ) {
    const { device } = value.target;
    if (typeof device === 'object' && device !== null && 'name' in device) words.push(String(device.name));
  }
  for (const [key, inner] of Object.entries(value))
    if (
      [
        'sourceAddress',
        'reason',
        'code',
        'trigger',
        'before',
        'after',
        'bytesUp',
        'bytesDown',
        'cause',
      ].includes(key) &&
      (typeof inner === 'string' || typeof inner === 'number') &&
      inner !== ''
    )
      words.push(`${key} ${inner}`);
  return shown(words.join(', '), 300);
};

export const watch = async (
  store: Store,
  {
    list,
    user,
    actor,
    note,
    now,
  }: {
    readonly list: string;
    readonly user: string;
    readonly actor: string;
    readonly note: string;
    readonly now: number;
  },
): Promise<void> => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(list))
    throw new DirectoryError(
      'SP_INVALID',
      'a watch list is named by a word of letters, digits, dots and dashes',
    );
  const known = await store.db.selectFrom('users').select('id').where('name', '=', user).executeTakeFirst();
  if (known === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no user ${shown(user, 64)}`);
  await store.db
    .insertInto('watch_lists')
    .values({ list, user_name: user, added_at: now, added_by: actor, note: storable(note, 500) })
    .onConflict((conflict) =>
      conflict.columns(['list', 'user_name']).doUpdateSet({ note: storable(note, 500) }),
    )
    .execute();
};

export const unwatch = async (store: Store, list: string, user: string): Promise<boolean> => {
  const result = await store.db
    .deleteFrom('watch_lists')
    .where('list', '=', list)
    .where('user_name', '=', user)
    .executeTakeFirst();
  return Number(result.numDeletedRows) === 1;
};

export const listWatched = (store: Store) =>
  store.db.selectFrom('watch_lists').selectAll().orderBy('list').orderBy('user_name').execute();
