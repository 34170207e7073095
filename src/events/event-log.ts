// The event log over the store: what happened, durably, in an order that can be read on from. It is the one place that
// findings, ratings and outputs to other systems read; it decides nothing and sends nothing anywhere.
import type { GatewayEvent, GatewayEventKind, NewEvent } from '../behaviour/events.ts';
import { readEvent, subjectOf } from '../behaviour/events.ts';
import { newId } from '../store/id.ts';
import { encodeCursor, readPage } from '../store/page.ts';
import type { Store } from '../store/store.ts';

/** The store's topic on which the arrival of events is told, without them; `events` of the same instant share one. */
export const EVENTS = 'events';

export interface EventLog {
  /** Durable when it resolves: what is asked for at the same time shares a commit. Answers the events as written. */
  append(events: readonly NewEvent[]): Promise<readonly GatewayEvent[]>;
  /** Calls back for each event that this process has written, after it is durable. */
  onEvent(told: (event: GatewayEvent) => void): () => void;
}

/** Told at most so often that something is there. Milliseconds. */
const TELL_EVERY = 250;
/** The longest event that is kept whole, in characters. */
const LONGEST_EVENT = 256 * 1024;

const completed = (event: NewEvent, now: () => number): GatewayEvent => ({
  ...event,
  id: newId(),
  at: event.at ?? now(),
});

export const createEventLog = (store: Store, now: () => number = Date.now): EventLog => {
  const told = new Set<(event: GatewayEvent) => void>();
  let timer: NodeJS.Timeout | undefined;
  const tellOthers = (): void => {
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      // Whoever missed it looks by itself.
      store.notify(EVENTS, '').catch(() => undefined);
    }, TELL_EVERY);
    timer.unref();
  };
  return {
    append: async (events) => {
      const written = events.map((event) => completed(event, now));
      await store.append(
        'events',
        written.map((event) => {
          const { user, session } = subjectOf(event);
          return {
            id: event.id,
            at: event.at,
            kind: event.kind,
            user_id: user?.id ?? null,
            user_name: user?.name.toWellFormed().replaceAll('\0', '\ufffd') ?? null,
            session_id: session ?? null,
            event_json: eventText(event),
          };
        }),
      );
      for (const event of written) for (const one of [...told]) one(event);
      if (written.length > 0) tellOthers();
      return written;
    },
    onEvent: (callback) => {
      const own = (event: GatewayEvent): void => callback(event);
      told.add(own);
      return () => told.delete(own);
    },
  };
};

/** Well-formed text without NUL, which PostgreSQL takes; a command too long to be an event is cut. */
const eventText = (event: GatewayEvent): string => {
  const text = JSON.stringify(event);
  if (text.length <= LONGEST_EVENT) return text;
  return JSON.stringify(event.kind === 'command' ? { ...event, text: event.text.slice(0, 65_536) } : event);
};

export interface EventFilter {
  /** Milliseconds since the epoch, inclusive; undefined: from the beginning. */
  readonly since?: number | undefined;
  /** Exclusive. */
  readonly until?: number | undefined;
  readonly kinds?: readonly GatewayEventKind[] | undefined;
  readonly userId?: string | undefined;
  readonly session?: string | undefined;
  readonly limit: number;
  /** The cursor of a page before. */
  readonly after: string | undefined;
  readonly order?: 'oldest-first' | 'newest-first';
}

export interface EventPage {
  readonly events: readonly GatewayEvent[];
  /** To read on from, also when there is no more yet; undefined: nothing was read and nothing was before. */
  readonly next: string | undefined;
  readonly more: boolean;
}

/**
 * Ordered by time and id, oldest first unless told. Processes write side by side, so an event may become visible a
 * moment after one that is newer: whoever must miss none reads the last minute again and knows events by their ids.
 */
export const readEvents = async (store: Store, filter: EventFilter): Promise<EventPage> => {
  let query = store.db.selectFrom('events').select(['id', 'at', 'event_json']);
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
  if (filter.until !== undefined) query = query.where('at', '<', filter.until);
  if (filter.userId !== undefined) query = query.where('user_id', '=', filter.userId);
  if (filter.session !== undefined) query = query.where('session_id', '=', filter.session);
  if (filter.kinds !== undefined && filter.kinds.length > 0)
    query = query.where('kind', 'in', [...filter.kinds]);
  const { rows, next } = await readPage(query, {
    time: 'at',
    id: 'id',
    order: filter.order ?? 'oldest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row.at, id: row.id }),
  });
  const last = rows.at(-1);
  return {
    events: rows.flatMap((row) => readEvent(row.event_json) ?? []),
    next: last === undefined ? filter.after : encodeCursor({ time: last.at, id: last.id }),
    more: next !== undefined,
  };
};

/** Removes events from before `before`; answers how many. Whoever sends them elsewhere says how far that has come. */
export const forgetEvents = async (store: Store, before: number): Promise<number> => {
  const result = await store.db.deleteFrom('events').where('at', '<', before).executeTakeFirst();
  return Number(result.numDeletedRows);
};
