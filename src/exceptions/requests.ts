// Requests for exceptions: a user asks about one of their own commands that was stopped, an administrator decides once,
// and the user is told. A decision informs; what may run is changed by changing the rules, and by nothing here. Each step
// is in the trail and an event as well.
import type { Transaction } from 'kysely';
import { folded } from '../audit/approvals.ts';
import type { NewEvent } from '../behaviour/events.ts';
import { storable } from '../directory/shown-text.ts';
import type { EventLog } from '../events/event-log.ts';
import { newId } from '../store/id.ts';
import { type Page, readPage } from '../store/page.ts';
import type { CommandsTable } from '../store/schema.ts';
import type { ExceptionRequestsTable } from '../store/steps/exception-requests.ts';
import type { Schema, Store } from '../store/store.ts';
import { ExceptionError } from './errors.ts';

/** Of a reason or a comment, in characters as people count them. */
export const LONGEST_EXCEPTION_TEXT = 500;
/** Requests of one user that may wait for a decision. */
const MOST_OPEN = 20;
const LONGEST_COMMAND = 16_384;
const LONGEST_NAME = 400;
const MOST_UNREAD = 20;
/** What became of a command that was not let run. */
const STOPPED = ['blocked', 'interrupted', 'refused', 'declined'] as const;

export interface ExceptionParts {
  readonly store: Store;
  readonly events: Pick<EventLog, 'append'>;
  readonly now: () => number;
}

interface Person {
  readonly id: string;
  readonly name: string;
}

/** Throws SP_EXCEPTION_TEXT. */
const textOf = (what: 'reason' | 'comment', text: string): string => {
  const trimmed = text.trim();
  const length = [...trimmed].length;
  if (length === 0) throw new ExceptionError('SP_EXCEPTION_TEXT', `a ${what} must not be empty`);
  if (length > LONGEST_EXCEPTION_TEXT)
    throw new ExceptionError(
      'SP_EXCEPTION_TEXT',
      `a ${what} has at most ${LONGEST_EXCEPTION_TEXT} characters: this one has ${length}`,
    );
  if (/\p{Cc}/u.test(trimmed) || !trimmed.isWellFormed())
    throw new ExceptionError('SP_EXCEPTION_TEXT', `a ${what} must not hold control characters`);
  return trimmed;
};

const eventOf = (
  row: ExceptionRequestsTable,
  step: 'requested' | 'granted' | 'declined',
  by: string,
  text: string,
): NewEvent => ({
  kind: 'exception-changed',
  request: row.id,
  command: row.command_id,
  session: row.session_id,
  user: { id: row.user_id, name: row.user_name },
  device: row.device_name,
  rule: row.rule,
  step,
  by,
  text,
});

const trailRow = (
  at: number,
  actor: string,
  action: 'requested' | 'granted' | 'declined',
  row: ExceptionRequestsTable,
  text: string,
) => ({
  id: newId(),
  at,
  actor: actor.slice(0, 256),
  action,
  kind: 'exception',
  name: row.id,
  before_json: null,
  after_json: JSON.stringify({
    user: row.user_name,
    device: row.device_name,
    command: row.command_id,
    rule: row.rule,
    [action === 'requested' ? 'reason' : 'comment']: text,
  }),
});

/**
 * The newest command of this user that was not let run: of this session, else of any since then. Undefined: there is none.
 */
export const lastStopped = async (
  store: Store,
  { user, session, since }: { readonly user: Person; readonly session: string; readonly since: number },
): Promise<CommandsTable | undefined> => {
  const newest = store.db
    .selectFrom('commands')
    .selectAll()
    .where('user_id', '=', user.id)
    .where('outcome', 'in', STOPPED)
    .where('at', '>=', since)
    // A key that was refused is no command, and hides none.
    .where((e) => e.or([e('word', '<>', ''), e('hidden', '=', 1), e('rules_json', '<>', '[]')]))
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(1);
  return (
    (await newest.where('session_id', '=', session).executeTakeFirst()) ??
    (await newest.where('user_name', '=', user.name).executeTakeFirst())
  );
};

export type AskedException =
  | { readonly kind: 'asked'; readonly request: ExceptionRequestsTable }
  | { readonly kind: 'again' }
  | { readonly kind: 'too-many' };

/** Throws SP_EXCEPTION_UNKNOWN for a command that is not this user's or was not stopped, SP_EXCEPTION_TEXT. */
export const askException = async (
  { store, events, now }: ExceptionParts,
  asked: {
    readonly user: Person;
    readonly command: string;
    readonly reason: string;
    /** Whose rule stopped it, where that is known. */
    readonly ownerOf: (rule: string) => string;
  },
): Promise<AskedException> => {
  const reason = textOf('reason', asked.reason);
  const outcome = await store.transaction(async (trx): Promise<AskedException> => {
    const command = await trx
      .selectFrom('commands')
      .selectAll()
      .where('id', '=', asked.command)
      .where('user_id', '=', asked.user.id)
      .where('outcome', 'in', STOPPED)
      .executeTakeFirst();
    if (command === undefined)
      throw new ExceptionError('SP_EXCEPTION_UNKNOWN', 'there is no such command of yours that was stopped');
    const before = await trx
      .selectFrom('exception_requests')
      .select('id')
      .where('command_id', '=', command.id)
      .executeTakeFirst();
    if (before !== undefined) return { kind: 'again' };
    const { open } = await trx
      .selectFrom('exception_requests')
      .select((e) => e.fn.countAll<number | string>().as('open'))
      .where('user_id', '=', asked.user.id)
      .where('state', '=', 'open')
      .executeTakeFirstOrThrow();
    if (Number(open) >= MOST_OPEN) return { kind: 'too-many' };
    const rule = decidingRule(command)?.rule ?? '';
    const request: ExceptionRequestsTable = {
      id: newId(),
      command_id: command.id,
      session_id: command.session_id,
      user_id: asked.user.id,
      user_name: asked.user.name,
      device_name: command.device_name,
      account: command.account,
      command: storable(command.command, LONGEST_COMMAND),
      rule: storable(rule, LONGEST_NAME),
      owner: storable(rule === '' ? '' : asked.ownerOf(rule), LONGEST_NAME),
      reason,
      asked_at: now(),
      state: 'open',
      decided_by: null,
      decided_at: null,
      comment: '',
      read_at: null,
    };
    await trx.insertInto('exception_requests').values(request).execute();
    await trx
      .insertInto('changes')
      .values(trailRow(request.asked_at, `user:${asked.user.name}`, 'requested', request, reason))
      .execute();
    return { kind: 'asked', request };
  });
  if (outcome.kind === 'asked')
    await events.append([eventOf(outcome.request, 'requested', asked.user.name, reason)]);
  return outcome;
};

/** By its whole id, or a beginning of it that only one has. Throws SP_EXCEPTION_UNKNOWN. */
const requestNamed = async (
  db: Store['db'] | Transaction<Schema>,
  id: string,
): Promise<ExceptionRequestsTable> => {
  const rows = /^[0-9a-f-]{8,36}$/.test(id)
    ? await db
        .selectFrom('exception_requests')
        .selectAll()
        .where('id', '>=', id)
        // `~` sorts after every character of an id.
        .where('id', '<', `${id}~`)
        .limit(2)
        .execute()
    : [];
  const [row] = rows;
  if (row === undefined || rows.length > 1)
    throw new ExceptionError('SP_EXCEPTION_UNKNOWN', 'there is no such request');
  return row;
};

/** Once, by anybody but the one who asked. Throws SP_EXCEPTION_UNKNOWN, _OWN, _STATE, _TEXT. */
export const decideException = async (
  { store, events, now }: ExceptionParts,
  decision: {
    readonly id: string;
    readonly grant: boolean;
    readonly comment: string;
    readonly decider: {
      readonly name: string;
      /** Of the user in the directory, where it is known. */
      readonly id?: string | undefined;
      /** Whom else the same person goes by. */
      readonly alsoKnownAs?: readonly string[];
    };
    /** In whose name it stands in the trail. */
    readonly actor: string;
  },
): Promise<ExceptionRequestsTable> => {
  const comment = textOf('comment', decision.comment);
  const state = decision.grant ? 'granted' : 'declined';
  const row = await store.transaction(async (trx) => {
    const found = await requestNamed(trx, decision.id);
    const { id, name, alsoKnownAs = [] } = decision.decider;
    const asker = folded(found.user_name);
    if (found.user_id === id || [name, ...alsoKnownAs].some((one) => folded(one) === asker))
      throw new ExceptionError('SP_EXCEPTION_OWN', 'nobody decides their own request');
    if (found.state !== 'open')
      throw new ExceptionError('SP_EXCEPTION_STATE', `it is ${found.state} already`);
    const decided: ExceptionRequestsTable = {
      ...found,
      state,
      decided_by: decision.decider.name,
      decided_at: now(),
      comment,
    };
    const changed = await trx
      .updateTable('exception_requests')
      .set({ state, decided_by: decided.decided_by, decided_at: decided.decided_at, comment })
      .where('id', '=', found.id)
      .where('state', '=', 'open')
      .executeTakeFirst();
    if (Number(changed.numUpdatedRows) === 0)
      throw new ExceptionError('SP_EXCEPTION_STATE', 'it is decided already');
    await trx
      .insertInto('changes')
      .values(trailRow(decided.decided_at ?? 0, decision.actor, state, decided, comment))
      .execute();
    return decided;
  });
  await events.append([eventOf(row, state, decision.decider.name, comment)]);
  return row;
};

export interface ExceptionFilter {
  readonly state: ExceptionRequestsTable['state'] | undefined;
  readonly user: string | undefined;
  readonly since: number | undefined;
  readonly limit: number;
  readonly after: string | undefined;
}

/** Newest first. */
export const listExceptions = (
  store: Store,
  { state, user, since, limit, after }: ExceptionFilter,
): Promise<Page<ExceptionRequestsTable>> => {
  let query = store.db.selectFrom('exception_requests').selectAll();
  if (state !== undefined) query = query.where('state', '=', state);
  if (user !== undefined) query = query.where('user_name', '=', user);
  if (since !== undefined) query = query.where('asked_at', '>=', since);
  return readPage(query, {
    time: 'asked_at',
    id: 'id',
    order: 'newest-first',
    limit,
    after,
    positionOf: (row) => ({ time: row.asked_at, id: row.id }),
  });
};

/** Throws SP_EXCEPTION_UNKNOWN. */
export const findException = (store: Store, id: string): Promise<ExceptionRequestsTable> =>
  requestNamed(store.db, id);

/** One user's, newest first. */
export const requestsOf = (
  store: Store,
  user: string,
  limit: number,
): Promise<readonly ExceptionRequestsTable[]> =>
  store.db
    .selectFrom('exception_requests')
    .selectAll()
    .where('user_id', '=', user)
    .orderBy('asked_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();

/** What became of the request about this command; undefined: nobody asked. */
export const stateOfRequest = async (
  store: Store,
  command: string,
): Promise<ExceptionRequestsTable['state'] | undefined> => {
  const row = await store.db
    .selectFrom('exception_requests')
    .select('state')
    .where('command_id', '=', command)
    .executeTakeFirst();
  return row?.state;
};

/** Decisions that their user has not been shown, newest first. */
export const unreadDecisions = (store: Store, user: string): Promise<readonly ExceptionRequestsTable[]> =>
  store.db
    .selectFrom('exception_requests')
    .selectAll()
    .where('user_id', '=', user)
    .where('state', '<>', 'open')
    .where('read_at', 'is', null)
    .orderBy('asked_at', 'desc')
    .orderBy('id', 'desc')
    .limit(MOST_UNREAD)
    .execute();

/** Only decisions: what is still open has not been read. */
export const markDecisionsRead = async (
  store: Store,
  { user, ids, at }: { readonly user: string; readonly ids: readonly string[]; readonly at: number },
): Promise<void> => {
  if (ids.length === 0) return;
  await store.db
    .updateTable('exception_requests')
    .set({ read_at: at })
    .where('user_id', '=', user)
    .where('id', 'in', ids)
    .where('state', '<>', 'open')
    .where('read_at', 'is', null)
    .execute();
};

export interface DecidingRule {
  readonly rule: string;
  readonly why: string;
}

/** The rule that decided, as it was logged; undefined: none did. */
export const decidingRule = (command: Pick<CommandsTable, 'rules_json'>): DecidingRule | undefined => {
  const rules = listOf(command.rules_json).flatMap((value) => {
    if (typeof value !== 'object' || value === null) return [];
    const { rule, why, action, effective } = { rule: '', why: '', action: '', effective: false, ...value };
    return typeof rule === 'string' && effective === true && action !== 'log'
      ? [{ rule, why: `${why}` }]
      : [];
  });
  return rules[0];
};

const listOf = (json: string): readonly unknown[] => {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
};
