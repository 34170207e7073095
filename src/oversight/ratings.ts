// Ratings over the store: what happened to a user goes through the pure rating into the ledger, in one transaction with
// what is counted towards proving once more who they are. Rows of the ledger are never changed; recomputing folds its
// events again and must come to the same.
import type { Transaction } from 'kysely';
import { z } from 'zod';
import type { EventUser, IdentificationTrigger } from '../behaviour/events.ts';
import { dueTrigger } from '../behaviour/identification-triggers.ts';
import { ledger, lostSinceReference, type RatingEvent, type RatingState, rate } from '../behaviour/rating.ts';
import { dayOf } from '../behaviour/session-history.ts';
import type { BehaviourSettings } from '../behaviour/settings.ts';
import { newId } from '../store/id.ts';
import type { RatingLedgerTable, RatingsTable, ReauthenticationsTable } from '../store/schema.ts';
import type { Schema, Store } from '../store/store.ts';

const DAY = 86_400_000;

/** What happened to a user, as far as the rating and the triggers go. */
export interface RatingFacts {
  readonly at: number;
  readonly events?: readonly RatingEvent[];
  /** The user worked. */
  readonly active?: boolean;
  readonly highRiskSessions?: number;
  readonly blockedCommands?: number;
  readonly sessionAttempts?: number;
  readonly viewAttempts?: number;
  /** Whom the ledger names, for marks as expected. */
  readonly actor?: string;
  /** The session that gives rise to it. */
  readonly session?: string | undefined;
}

export interface RatingChange {
  readonly cause: RatingEvent['kind'];
  readonly before: number;
  readonly after: number;
  readonly session: string | undefined;
  readonly second: number | undefined;
}

export interface RatingOutcome {
  readonly rating: number;
  readonly changes: readonly RatingChange[];
  /** Newly asked for; what waits already is not told again. */
  readonly asked: ReauthenticationsTable | undefined;
}

export const hundredths = (rating: number): number => Math.round(rating * 100);
const whole = (stored: number): number => stored / 100;

const newRow = (user: EventUser, settings: BehaviourSettings, at: number): RatingsTable => ({
  user_id: user.id,
  user_name: user.name,
  initial: hundredths(settings.initialRating),
  rating: hundredths(settings.initialRating),
  reference: hundredths(settings.initialRating),
  position: 0,
  counted_since: at,
  high_risk_sessions: 0,
  blocked_commands: 0,
  session_attempts: 0,
  view_attempts: 0,
  active_day: null,
  suspicious_day: null,
  updated_at: at,
});

const evidence = z.object({ session: z.string(), second: z.number().optional() });
const ratingEvent = z.union([
  z.object({
    kind: z.enum(['suspicious-session', 'suspicious-view']),
    id: z.string(),
    at: z.number(),
    score: z.number(),
    counted: z.number().optional(),
    evidence,
  }),
  z.object({
    kind: z.enum(['re-authentication-passed', 're-authentication-failed', 're-authentication-waived']),
    id: z.string(),
    at: z.number(),
    evidence,
  }),
  z.object({ kind: z.literal('clean-day'), id: z.string(), at: z.number() }),
  z.object({ kind: z.literal('expected'), id: z.string(), at: z.number(), event: z.string() }),
]);

const readRatingEvent = (text: string): RatingEvent => {
  const read = ratingEvent.parse(JSON.parse(text));
  switch (read.kind) {
    case 'suspicious-session':
    case 'suspicious-view': {
      const { counted, evidence: where, ...rest } = read;
      return {
        ...rest,
        evidence: { session: where.session, second: where.second },
        ...(counted === undefined ? {} : { counted }),
      };
    }
    case 're-authentication-passed':
    case 're-authentication-failed':
    case 're-authentication-waived':
      return { ...read, evidence: { session: read.evidence.session, second: read.evidence.second } };
    case 'clean-day':
    case 'expected':
      return read;
  }
};

const eventsOf = async (
  trx: Transaction<Schema> | Store['db'],
  userId: string,
): Promise<readonly RatingLedgerTable[]> =>
  trx.selectFrom('rating_ledger').selectAll().where('user_id', '=', userId).orderBy('position').execute();

/** A day on which the user worked and nothing was suspicious ends when they work again, or when somebody looks. */
const cleanDay = (row: RatingsTable, at: number): RatingEvent | undefined => {
  const day = row.active_day;
  if (day === null || dayOf(at) <= day || row.suspicious_day === day) return undefined;
  return { kind: 'clean-day', id: `clean:${row.user_id}:${day}`, at: (day + 1) * DAY - 1 };
};

const isSuspicious = ({ kind }: RatingEvent): boolean =>
  kind === 'suspicious-session' || kind === 'suspicious-view';

interface Folded {
  readonly row: RatingsTable;
  readonly changes: readonly RatingChange[];
}

const fold = async (trx: Transaction<Schema>, before: RatingsTable, facts: RatingFacts): Promise<Folded> => {
  let row = before;
  const settled = cleanDay(row, facts.at);
  const events = [...(settled === undefined ? [] : [settled]), ...(facts.events ?? [])];
  const changes: RatingChange[] = [];
  for (const event of events) {
    const state: RatingState = { rating: whole(row.rating), reference: whole(row.reference) };
    let next = rate(state, event);
    if (event.kind === 'expected') {
      const history = (await eventsOf(trx, row.user_id)).map(({ event_json }) => readRatingEvent(event_json));
      const { rows, state: after } = ledger([...history, event], whole(row.initial));
      // Nothing of that name stands: there is nothing to take out.
      if (rows.at(-1)?.event !== event.id) continue;
      next = after;
    }
    const unchanged = hundredths(next.rating) === row.rating && event.kind === 'clean-day';
    row = {
      ...row,
      rating: hundredths(next.rating),
      reference: hundredths(next.reference),
      position: unchanged ? row.position : row.position + 1,
      ...(isSuspicious(event) ? { suspicious_day: dayOf(event.at) } : {}),
      ...(event.kind === 're-authentication-passed' || event.kind === 're-authentication-waived'
        ? countsFrom(event.at)
        : {}),
    };
    if (unchanged) continue;
    const where = 'evidence' in event ? event.evidence : undefined;
    await trx
      .insertInto('rating_ledger')
      .values({
        id: newId(),
        user_id: row.user_id,
        user_name: row.user_name,
        position: row.position,
        at: event.at,
        cause: event.kind,
        event_json: JSON.stringify(event),
        session_id: where?.session ?? null,
        second: where?.second ?? null,
        before: hundredths(state.rating),
        after: row.rating,
        actor: facts.actor ?? 'gateway',
      })
      .execute();
    changes.push({
      cause: event.kind,
      before: state.rating,
      after: next.rating,
      session: where?.session,
      second: where?.second,
    });
  }
  return {
    row: {
      ...row,
      active_day: activeDay(row, facts, settled !== undefined),
      high_risk_sessions: row.high_risk_sessions + (facts.highRiskSessions ?? 0),
      blocked_commands: row.blocked_commands + (facts.blockedCommands ?? 0),
      session_attempts: row.session_attempts + (facts.sessionAttempts ?? 0),
      view_attempts: row.view_attempts + (facts.viewAttempts ?? 0),
      updated_at: facts.at,
    },
    changes,
  };
};

/** Which day is still to be settled. A clock that stepped back settles nothing twice. */
const activeDay = (row: RatingsTable, facts: RatingFacts, settled: boolean): number | null => {
  const today = dayOf(facts.at);
  const open = settled || (row.active_day !== null && row.active_day < today) ? null : row.active_day;
  if (facts.active !== true) return open;
  return Math.max(open ?? today, today);
};

const countsFrom = (at: number) =>
  ({
    counted_since: at,
    high_risk_sessions: 0,
    blocked_commands: 0,
    session_attempts: 0,
    view_attempts: 0,
  }) as const;

const waitingOf = (
  trx: Transaction<Schema> | Store['db'],
  userId: string,
): Promise<ReauthenticationsTable[]> =>
  trx
    .selectFrom('reauthentications')
    .selectAll()
    .where('user_id', '=', userId)
    .where('outcome', '=', 'waiting')
    .orderBy('asked_at')
    .orderBy('id')
    .execute();

const ask = async (
  trx: Transaction<Schema>,
  user: EventUser,
  wanted: {
    readonly trigger: IdentificationTrigger;
    readonly detail: string;
    readonly by: string;
    readonly at: number;
    readonly session: string | undefined;
  },
): Promise<ReauthenticationsTable> => {
  const row: ReauthenticationsTable = {
    id: newId(),
    user_id: user.id,
    user_name: user.name,
    trigger_name: wanted.trigger,
    detail: wanted.detail,
    asked_by: wanted.by,
    asked_at: wanted.at,
    session_id: wanted.session ?? null,
    outcome: 'waiting',
    decided_at: null,
    decided_in: null,
    method: null,
  };
  await trx.insertInto('reauthentications').values(row).execute();
  return row;
};

const save = async (trx: Transaction<Schema>, row: RatingsTable): Promise<void> => {
  const { user_id, initial: _, ...changed } = row;
  await trx
    .insertInto('ratings')
    .values(row)
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(changed))
    .execute();
};

const readRow = async (
  trx: Transaction<Schema>,
  user: EventUser,
  settings: BehaviourSettings,
  at: number,
): Promise<RatingsTable> => {
  const row = await trx.selectFrom('ratings').selectAll().where('user_id', '=', user.id).executeTakeFirst();
  return row === undefined ? newRow(user, settings, at) : { ...row, user_name: user.name };
};

/** Takes what happened into the rating, and asks for a re-authentication when one of the counts is full. */
export const recordFacts = (
  store: Store,
  settings: BehaviourSettings,
  user: EventUser,
  facts: RatingFacts,
): Promise<RatingOutcome> =>
  store.transaction(async (trx) => {
    const before = await readRow(trx, user, settings, facts.at);
    const { row, changes } = await fold(trx, before, facts);
    await save(trx, row);
    const due = dueTrigger(countsOf(row), settings.identification);
    const waits = due === undefined ? [] : await waitingOf(trx, user.id);
    const asked =
      due === undefined || waits.length > 0
        ? undefined
        : await ask(trx, user, {
            trigger: due.trigger,
            detail: String(due.count),
            by: 'gateway',
            at: facts.at,
            session: facts.session,
          });
    return { rating: whole(row.rating), changes, asked };
  });

const countsOf = (row: RatingsTable) => ({
  ratingLost: lostSinceReference({ rating: whole(row.rating), reference: whole(row.reference) }),
  highRiskSessions: row.high_risk_sessions,
  blockedCommands: row.blocked_commands,
  sessionAttempts: row.session_attempts,
  viewAttempts: row.view_attempts,
});

/** An administrator, or what is typed, wants a user to prove who they are; asked once, however often it is wanted. */
export const requireReauthentication = (
  store: Store,
  user: EventUser,
  wanted: {
    readonly by: string;
    readonly at: number;
    readonly reason: string;
    readonly trigger?: Extract<IdentificationTrigger, 'administrator' | 'unusualCommands'>;
    readonly session?: string;
  },
): Promise<ReauthenticationsTable> =>
  store.transaction(async (trx) => {
    const [waits] = await waitingOf(trx, user.id);
    return (
      waits ??
      ask(trx, user, {
        trigger: wanted.trigger ?? 'administrator',
        detail: wanted.reason.slice(0, 500),
        by: wanted.by,
        at: wanted.at,
        session: wanted.session,
      })
    );
  });

export interface Decision {
  /** What was asked; undefined: whatever waits. One that is decided already is not decided again, nor is its successor. */
  readonly demand?: string | undefined;
  readonly outcome: 'passed' | 'failed' | 'timed-out' | 'waived';
  readonly at: number;
  /** A session's id, `sign-in`, or who decided. */
  readonly in: string;
  /** How it was proven, such as `password+totp`. */
  readonly method: string | undefined;
  readonly session: string | undefined;
  /** Seconds into that session. */
  readonly second: number | undefined;
}

export interface Decided extends RatingOutcome {
  /** What was decided by this; none: somebody else had decided it. */
  readonly decided: readonly ReauthenticationsTable[];
}

/** Decides what waits for a user, once. One that failed is asked for again: the user still has to prove who they are. */
export const decideReauthentication = (
  store: Store,
  settings: BehaviourSettings,
  user: EventUser,
  decision: Decision,
): Promise<Decided> =>
  store.transaction(async (trx) => {
    const waits = await waitingOf(trx, user.id);
    const row = await readRow(trx, user, settings, decision.at);
    const { demand } = decision;
    if (waits.length === 0 || (demand !== undefined && !waits.some(({ id }) => id === demand)))
      return { rating: whole(row.rating), changes: [], asked: undefined, decided: [] };
    await trx
      .updateTable('reauthentications')
      .set({
        outcome: decision.outcome,
        decided_at: decision.at,
        decided_in: decision.in.slice(0, 128),
        method: decision.method ?? null,
      })
      .where('user_id', '=', user.id)
      .where('outcome', '=', 'waiting')
      .execute();
    const [first] = waits;
    const id = first?.id ?? newId();
    const where = { session: decision.session ?? decision.in, second: decision.second };
    const folded = await fold(trx, row, {
      at: decision.at,
      events: [{ kind: causeOf(decision.outcome), id, at: decision.at, evidence: where }],
    });
    await save(trx, folded.row);
    const failed = decision.outcome === 'failed' || decision.outcome === 'timed-out';
    if (failed && first !== undefined) {
      await ask(trx, user, {
        trigger: isTrigger(first.trigger_name) ? first.trigger_name : 'administrator',
        detail: first.detail,
        by: first.asked_by,
        at: decision.at,
        session: undefined,
      });
    }
    return {
      rating: whole(folded.row.rating),
      changes: folded.changes,
      asked: undefined,
      decided: waits.map((wait) => ({ ...wait, outcome: decision.outcome, decided_at: decision.at })),
    };
  });

const causeOf = (outcome: Decision['outcome']) => {
  switch (outcome) {
    case 'passed':
      return 're-authentication-passed';
    case 'waived':
      return 're-authentication-waived';
    case 'failed':
    case 'timed-out':
      return 're-authentication-failed';
  }
};

const TRIGGERS: ReadonlySet<string> = new Set<IdentificationTrigger>([
  'ratingDrop',
  'highRiskSessions',
  'blockedCommands',
  'sessionAttemptsAtProhibitedTimes',
  'viewAttemptsAtProhibitedTimes',
  'unusualCommands',
  'administrator',
]);

export const isTrigger = (word: string): word is IdentificationTrigger => TRIGGERS.has(word);

/** What waits for a user, oldest first. */
export const waitingReauthentications = (
  store: Store,
  userId: string,
): Promise<readonly ReauthenticationsTable[]> => waitingOf(store.db, userId);

export interface Recomputed {
  readonly user: EventUser;
  readonly rows: number;
  /** What the events come to. */
  readonly rating: number;
  /** What is stored. */
  readonly stored: number;
  readonly agrees: boolean;
  /** The first row that does not follow from the events before it. */
  readonly firstDifference: number | undefined;
}

/** Folds the ledger's events again, from the initial rating on. */
export const recompute = async (store: Store, userId: string): Promise<Recomputed | undefined> => {
  const row = await store.db
    .selectFrom('ratings')
    .selectAll()
    .where('user_id', '=', userId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const stored = await eventsOf(store.db, userId);
  const { rows, state } = ledger(
    stored.map(({ event_json }) => readRatingEvent(event_json)),
    whole(row.initial),
  );
  const differs = stored.find((one, index) => {
    const again = rows[index];
    return (
      again === undefined ||
      one.position !== index + 1 ||
      hundredths(again.before) !== one.before ||
      hundredths(again.after) !== one.after
    );
  });
  return {
    user: { id: row.user_id, name: row.user_name },
    rows: stored.length,
    rating: state.rating,
    stored: whole(row.rating),
    agrees: differs === undefined && rows.length === stored.length && hundredths(state.rating) === row.rating,
    firstDifference: differs?.position,
  };
};
