// The queue of each output, in the store: what of the event log it still has to send. One gateway process at a time holds
// an output. The event log is read again over the last minutes, since processes write side by side and an event may
// become visible after a newer one; what was sent stays known for as long. It sends nothing.
import { sql } from 'kysely';
import type { GatewayEvent, GatewayEventKind } from '../behaviour/events.ts';
import { readEvent } from '../behaviour/events.ts';
import type { Store } from '../store/store.ts';

/** Longer than any write to the event log may take, and than the clocks of gateways may differ. Milliseconds. */
const LATE = 180_000;
/** The watermark moves in steps: an output at rest writes nothing. */
const STEP = 60_000;
const FILL_AT_ONCE = 5_000;
const CHANGE_AT_ONCE = 400;

export type OverflowPolicy = 'drop-oldest' | 'drop-newest';

export interface Queued {
  readonly id: string;
  /** Undefined: a kind that this release does not know. */
  readonly event: GatewayEvent | undefined;
}

/** Below every id that is made at this moment or later. Ids are UUIDs of version 7: their first 48 bits are the time. */
export const idFrom = (at: number): string => {
  const hex = Math.max(0, Math.floor(at)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
};

/** True: this process sends for the output until `until`. A new output begins with what happens from now on. */
export const holdOutput = async (
  store: Store,
  output: string,
  { holder, now, until }: { readonly holder: string; readonly now: number; readonly until: number },
): Promise<boolean> => {
  await store.db
    .insertInto('siem_outputs')
    .values({
      output,
      watermark: idFrom(now),
      holder: '',
      held_until: 0,
      delivered: 0,
      lost: 0,
      last_error: '',
      last_error_at: null,
      last_delivered_at: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const held = await store.db
    .updateTable('siem_outputs')
    .set({ holder, held_until: until })
    .where('output', '=', output)
    .where((e) => e.or([e('holder', '=', holder), e('held_until', '<', now)]))
    .executeTakeFirst();
  return Number(held.numUpdatedRows) === 1;
};

/** Lets another process send at once. */
export const leaveOutput = async (store: Store, output: string, holder: string): Promise<void> => {
  await store.db
    .updateTable('siem_outputs')
    .set({ held_until: 0 })
    .where('output', '=', output)
    .where('holder', '=', holder)
    .execute();
};

/** Takes over what the event log has for the output. For its holder only. */
export const fillQueue = async (
  store: Store,
  output: string,
  kinds: readonly GatewayEventKind[] | undefined,
  now: number,
): Promise<void> => {
  const row = await store.db
    .selectFrom('siem_outputs')
    .select('watermark')
    .where('output', '=', output)
    .executeTakeFirst();
  const watermark = row?.watermark ?? idFrom(now);
  // Looking costs a read; only what is there is written.
  const fresh = await store.db
    .selectFrom('events')
    .leftJoin('siem_queue as known', (join) =>
      join.onRef('known.id', '=', 'events.id').on('known.output', '=', output),
    )
    .select('events.id')
    .where('events.id', '>', watermark)
    .where('known.id', 'is', null)
    .$if(kinds !== undefined, (narrowed) => narrowed.where('events.kind', 'in', [...(kinds ?? [])]))
    .limit(1)
    .executeTakeFirst();
  while (fresh !== undefined) {
    const result = await store.db
      .insertInto('siem_queue')
      .columns(['output', 'id', 'at', 'kind', 'event_json', 'state', 'reason'])
      .expression((e) => {
        const query = e
          .selectFrom('events')
          .leftJoin('siem_queue as known', (join) =>
            join.onRef('known.id', '=', 'events.id').on('known.output', '=', output),
          )
          .where('events.id', '>', watermark)
          .where('known.id', 'is', null)
          .$if(kinds !== undefined, (narrowed) => narrowed.where('events.kind', 'in', [...(kinds ?? [])]))
          .orderBy('events.id')
          .limit(FILL_AT_ONCE);
        return query.select([
          sql<string>`${output}`.as('output'),
          'events.id as id',
          'events.at as at',
          'events.kind as kind',
          'events.event_json as event_json',
          sql<'waiting'>`${'waiting'}`.as('state'),
          sql<string>`${''}`.as('reason'),
        ]);
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (Number(result.numInsertedOrUpdatedRows ?? 0) < FILL_AT_ONCE) break;
  }
  const settled = idFrom(now - LATE);
  if (idFrom(now - LATE - STEP) <= watermark) return;
  await store.db
    .deleteFrom('siem_queue')
    .where('output', '=', output)
    .where('state', '=', 'sent')
    .where('id', '<=', settled)
    .execute();
  await store.db
    .updateTable('siem_outputs')
    .set({ watermark: settled })
    .where('output', '=', output)
    .execute();
};

/** The oldest that wait, without those in `except`. */
export const readQueue = async (
  store: Store,
  output: string,
  limit: number,
  except: ReadonlySet<string>,
): Promise<readonly Queued[]> => {
  const waiting = await store.db
    .selectFrom('siem_queue')
    .select('id')
    .where('output', '=', output)
    .where('state', '=', 'waiting')
    .orderBy('id')
    .limit(limit + except.size)
    .execute();
  const ids = waiting.map((row) => row.id).filter((id) => !except.has(id));
  if (ids.length === 0) return [];
  const rows = await store.db
    .selectFrom('siem_queue')
    .select(['id', 'event_json'])
    .where('output', '=', output)
    .where('id', 'in', ids.slice(0, limit))
    .orderBy('id')
    .execute();
  return rows.map((row) => ({ id: row.id, event: readEvent(row.event_json) }));
};

/** `delivered`: how many of them were really sent; the rest was not wanted. */
export const markSent = async (
  store: Store,
  output: string,
  ids: readonly string[],
  { delivered, now }: { readonly delivered: number; readonly now: number },
): Promise<void> => {
  for (let from = 0; from < ids.length; from += CHANGE_AT_ONCE) {
    await store.db
      .updateTable('siem_queue')
      .set({ state: 'sent', event_json: '' })
      .where('output', '=', output)
      .where('id', 'in', ids.slice(from, from + CHANGE_AT_ONCE))
      .execute();
  }
  if (delivered === 0) return;
  await store.db
    .updateTable('siem_outputs')
    .set((e) => ({ delivered: e('delivered', '+', delivered), last_delivered_at: now, last_error: '' }))
    .where('output', '=', output)
    .execute();
};

/** The receiver will never take it: it is set aside, kept and shown, and holds nothing up. */
export const markRefused = async (
  store: Store,
  output: string,
  id: string,
  reason: string,
): Promise<void> => {
  await store.db
    .updateTable('siem_queue')
    .set({ state: 'refused', reason: reason.slice(0, 500) })
    .where('output', '=', output)
    .where('id', '=', id)
    .execute();
};

/** Sends again what was set aside; answers how many. */
export const retryRefused = async (store: Store, output: string): Promise<number> => {
  const result = await store.db
    .updateTable('siem_queue')
    .set({ state: 'waiting', reason: '' })
    .where('output', '=', output)
    .where('state', '=', 'refused')
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
};

export const noteFailure = async (
  store: Store,
  output: string,
  error: string,
  now: number,
): Promise<void> => {
  await store.db
    .updateTable('siem_outputs')
    .set({ last_error: error.toWellFormed().replaceAll('\0', '\ufffd').slice(0, 500), last_error_at: now })
    .where('output', '=', output)
    .execute();
};

/** Gives up what is beyond `limit`; answers how many events that were. They stay known, so that none comes in again. */
export const enforceLimit = async (
  store: Store,
  output: string,
  limit: number,
  policy: OverflowPolicy,
): Promise<number> => {
  const waiting = (order: 'asc' | 'desc') =>
    store.db
      .selectFrom('siem_queue')
      .select('id')
      .where('output', '=', output)
      .where('state', 'in', ['waiting', 'refused'])
      // What tells of a loss is neither lost with it nor the cause of another.
      .where('kind', '<>', 'output-overflowed')
      .orderBy('id', order)
      .offset(limit)
      .limit(1)
      .executeTakeFirst();
  const edge = await waiting(policy === 'drop-oldest' ? 'desc' : 'asc');
  if (edge === undefined) return 0;
  const result = await store.db
    .updateTable('siem_queue')
    .set({ state: 'sent', event_json: '' })
    .where('output', '=', output)
    .where('state', 'in', ['waiting', 'refused'])
    .where('id', policy === 'drop-oldest' ? '<=' : '>=', edge.id)
    .where('kind', '<>', 'output-overflowed')
    .executeTakeFirst();
  const lost = Number(result.numUpdatedRows);
  if (lost > 0) {
    await store.db
      .updateTable('siem_outputs')
      .set((e) => ({ lost: e('lost', '+', lost) }))
      .where('output', '=', output)
      .execute();
  }
  return lost;
};

export interface OutputStanding {
  readonly output: string;
  readonly waiting: number;
  readonly refused: number;
  readonly delivered: number;
  readonly lost: number;
  readonly oldestWaiting: number | undefined;
  readonly lastDelivered: number | undefined;
  readonly lastError: string;
  readonly lastErrorAt: number | undefined;
  readonly holder: string;
}

/** How each output stands, by name. */
export const listOutputs = async (store: Store): Promise<readonly OutputStanding[]> => {
  const outputs = await store.db.selectFrom('siem_outputs').selectAll().orderBy('output').execute();
  const counts = await store.db
    .selectFrom('siem_queue')
    .select((e) => [
      'output',
      'state',
      e.fn.countAll<number | string>().as('events'),
      e.fn.min('at').as('oldest'),
    ])
    .where('state', 'in', ['waiting', 'refused'])
    .groupBy(['output', 'state'])
    .execute();
  const countOf = (output: string, state: string) =>
    counts.find((row) => row.output === output && row.state === state);
  return outputs.map((row) => ({
    output: row.output,
    waiting: Number(countOf(row.output, 'waiting')?.events ?? 0),
    refused: Number(countOf(row.output, 'refused')?.events ?? 0),
    delivered: Number(row.delivered),
    lost: Number(row.lost),
    oldestWaiting: countOf(row.output, 'waiting')?.oldest ?? undefined,
    lastDelivered: row.last_delivered_at ?? undefined,
    lastError: row.last_error,
    lastErrorAt: row.last_error_at ?? undefined,
    holder: row.holder,
  }));
};

/** What receivers have refused, oldest first. */
export const listRefused = async (
  store: Store,
  output: string | undefined,
  limit: number,
): Promise<
  readonly {
    readonly output: string;
    readonly id: string;
    readonly at: number;
    readonly kind: string;
    readonly reason: string;
  }[]
> =>
  store.db
    .selectFrom('siem_queue')
    .select(['output', 'id', 'at', 'kind', 'reason'])
    .where('state', '=', 'refused')
    .$if(output !== undefined, (query) => query.where('output', '=', output ?? ''))
    .orderBy('output')
    .orderBy('id')
    .limit(limit)
    .execute();

/** Forgets an output that is configured no more, with what waited for it. */
export const forgetOutput = async (store: Store, output: string): Promise<boolean> => {
  await store.db.deleteFrom('siem_queue').where('output', '=', output).execute();
  const result = await store.db.deleteFrom('siem_outputs').where('output', '=', output).executeTakeFirst();
  return Number(result.numDeletedRows) === 1;
};
