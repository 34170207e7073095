// Demands that users prove once more who they are, and what ratings become: written to the store, among the events, and
// told to every gateway. For live sessions, the command line and the API alike.
import type { EventUser, IdentificationTrigger, NewEvent } from '../behaviour/events.ts';
import { triggerText } from '../behaviour/identification-triggers.ts';
import type { BehaviourSettings } from '../behaviour/settings.ts';
import { DirectoryError } from '../directory/errors.ts';
import { shown } from '../directory/shown-text.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Page } from '../store/page.ts';
import { readPage } from '../store/page.ts';
import type { ReauthenticationsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import {
  type Decision,
  decideReauthentication,
  isTrigger,
  type RatingFacts,
  type RatingOutcome,
  recordFacts,
  requireReauthentication,
} from './ratings.ts';

/** The store's topic on which demands on users and their ends travel, as JSON `{kind, user}`. */
export const IDENTIFICATION = 'identification';

export interface DemandParts {
  readonly store: Store;
  readonly events: EventLog;
  readonly settings: BehaviourSettings;
  readonly now: () => number;
}

export const triggerOf = (demand: ReauthenticationsTable): IdentificationTrigger =>
  isTrigger(demand.trigger_name) ? demand.trigger_name : 'administrator';

/** Why, for the person who is asked; a part of a sentence. */
export const becauseOf = (demand: ReauthenticationsTable): string =>
  triggerText(triggerOf(demand), Number(demand.detail) || 0);

const demandEvent = (demand: ReauthenticationsTable, user: EventUser): NewEvent => ({
  kind: 'identification-required',
  identification: demand.id,
  user,
  trigger: triggerOf(demand),
  session: demand.session_id ?? undefined,
  sourceAddress: undefined,
  detail: demand.detail,
});

const tell = async (
  { store, events }: DemandParts,
  user: EventUser,
  { changes, asked }: Pick<RatingOutcome, 'changes' | 'asked'>,
): Promise<void> => {
  const written: NewEvent[] = changes.map(({ cause, before, after, session, second }) => ({
    kind: 'rating-changed',
    user,
    cause,
    evidence: session === undefined ? undefined : { session, second },
    before,
    after,
  }));
  if (asked !== undefined) written.push(demandEvent(asked, user));
  if (written.length > 0) await events.append(written);
  if (asked !== undefined)
    await store.notify(IDENTIFICATION, JSON.stringify({ kind: 'required', user: user.id }));
};

/** Takes what happened into a user's rating; asks for a re-authentication when that is due. */
export const takeFacts = async (
  parts: DemandParts,
  user: EventUser,
  facts: RatingFacts,
): Promise<RatingOutcome> => {
  const outcome = await recordFacts(parts.store, parts.settings, user, facts);
  await tell(parts, user, outcome);
  return outcome;
};

export interface DemandDecision extends Omit<Decision, 'at'> {
  readonly sourceAddress: string | undefined;
}

/** Ends what waits for a user, and tells every gateway. False: nothing waited. */
export const decideDemand = async (
  parts: DemandParts,
  user: EventUser,
  decision: DemandDecision,
): Promise<boolean> => {
  const decided = await decideReauthentication(parts.store, parts.settings, user, {
    ...decision,
    at: parts.now(),
  });
  const [first] = decided.decided;
  if (first === undefined) return false;
  await tell(parts, user, decided);
  if (decision.outcome !== 'waived') {
    await parts.events.append([
      {
        kind: `identification-${decision.outcome}`,
        identification: first.id,
        user,
        trigger: triggerOf(first),
        session: decision.session,
        sourceAddress: decision.sourceAddress,
        detail: decision.method ?? '',
      },
    ]);
  }
  await parts.store.notify(IDENTIFICATION, JSON.stringify({ kind: decision.outcome, user: user.id }));
  return true;
};

/** Throws DirectoryError: SP_NOT_FOUND. */
export const userByName = async (store: Store, name: string): Promise<EventUser> => {
  const user = await store.db
    .selectFrom('users')
    .select(['id', 'name'])
    .where('name', '=', name)
    .executeTakeFirst();
  if (user === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no user ${shown(name, 64)}`);
  return user;
};

/** An administrator wants a user to prove who they are: at once in live sessions, else at the next sign-in. */
export const requireDemand = async (
  parts: DemandParts,
  user: EventUser,
  by: { readonly actor: string; readonly reason: string },
): Promise<ReauthenticationsTable> => {
  const demand = await requireReauthentication(parts.store, user, {
    by: by.actor,
    at: parts.now(),
    reason: by.reason,
  });
  await tell(parts, user, { changes: [], asked: demand });
  return demand;
};

/** What is typed in a session is unlike its user's habit: they have to prove who they are, at once. */
export const demandForTyping = async (
  parts: DemandParts,
  user: EventUser,
  typed: { readonly session: string; readonly reason: string },
): Promise<void> => {
  const demand = await requireReauthentication(parts.store, user, {
    by: '',
    at: parts.now(),
    trigger: 'unusualCommands',
    ...typed,
  });
  await tell(parts, user, { changes: [], asked: demand });
};

/** The log of re-authentications, newest first. */
export const listReauthentications = (
  store: Store,
  filter: {
    readonly user?: string | undefined;
    readonly since?: number | undefined;
    readonly outcome?: string | undefined;
    readonly limit: number;
    readonly after: string | undefined;
  },
): Promise<Page<ReauthenticationsTable>> => {
  let query = store.db.selectFrom('reauthentications').selectAll();
  if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
  if (filter.since !== undefined) query = query.where('asked_at', '>=', filter.since);
  if (filter.outcome !== undefined) query = query.where('outcome', '=', filter.outcome);
  return readPage(query, {
    time: 'asked_at',
    id: 'id',
    order: 'newest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row.asked_at, id: row.id }),
  });
};
