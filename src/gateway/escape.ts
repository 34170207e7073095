// Serves the menu that users open on their own terminals: their rating, why a command of theirs was stopped, and their
// requests for exceptions. It reads what is stored and the rules in force, and lets nothing run.
import type { Policies } from '../../proxy/audit/ports.ts';
import type { Asker, EscapeDesk, OwnRating, OwnRequest, StoppedCommand } from '../../proxy/escape/ports.ts';
import { behaviourSettings } from '../behaviour/settings.ts';
import type { Settings } from '../config/schema.ts';
import { readSettings } from '../directory/settings.ts';
import type { EventLog } from '../events/event-log.ts';
import {
  askException,
  decidingRule,
  lastStopped,
  markDecisionsRead,
  requestsOf,
  stateOfRequest,
  unreadDecisions,
} from '../exceptions/requests.ts';
import { readLedger } from '../oversight/rating-views.ts';
import type { ExceptionRequestsTable } from '../store/steps/exception-requests.ts';
import type { Store } from '../store/store.ts';

export interface EscapeParts {
  readonly store: Store;
  readonly events: EventLog;
  readonly policies: Policies;
  readonly settings: () => Settings['escape'];
  readonly mark: (
    session: string,
    channel: number,
    kind: string,
    data: Readonly<Record<string, unknown>>,
  ) => unknown;
  readonly log: EscapeDesk['log'];
  readonly now: () => number;
}

/** How far back a command that was stopped is looked for when this session has none. Milliseconds. */
const OF_LATE = 24 * 3_600_000;
const MOST_CHANGES = 8;
const MOST_REQUESTS = 5;

/** The control character of `^]`. */
const codeOf = (key: string): number => key.charCodeAt(1) - 64;

const ownRequest = (row: ExceptionRequestsTable): OwnRequest => ({
  id: row.id,
  askedAt: row.asked_at,
  device: row.device_name,
  command: row.command,
  state: row.state,
  decidedBy: row.decided_by ?? '',
  comment: row.comment,
});

const ratingOf = async ({ store, events, now }: EscapeParts, user: Asker['user']): Promise<OwnRating> => {
  const settings = behaviourSettings(await readSettings(store.db));
  const ledger = await readLedger({ store, events, settings, now }, user, { limit: MOST_CHANGES });
  const row = await store.db
    .selectFrom('ratings')
    .select('rating')
    .where('user_id', '=', user.id)
    .executeTakeFirst();
  return {
    value: row === undefined ? settings.initialRating : row.rating / 100,
    changes: ledger.map(({ at, cause, before, after }) => ({
      at,
      cause,
      before: before / 100,
      after: after / 100,
    })),
  };
};

const stoppedBy = async (
  { store, policies, now }: EscapeParts,
  { user, sessionId }: Asker,
): Promise<StoppedCommand | undefined> => {
  const row = await lastStopped(store, { user, session: sessionId, since: now() - OF_LATE });
  if (row === undefined) return undefined;
  const deciding = decidingRule(row);
  const about = deciding === undefined ? undefined : policies.current.about(deciding.rule);
  return {
    id: row.id,
    at: row.at,
    device: row.device_name,
    command: row.command,
    outcome: row.outcome,
    detail: row.outcome_detail,
    rule:
      deciding === undefined
        ? undefined
        : {
            name: deciding.rule,
            why: deciding.why,
            message: about?.message,
            owner: about?.owner,
            contact: about?.contact,
            inForce: about !== undefined,
          },
    asked: await stateOfRequest(store, row.id),
  };
};

export const createEscapeDesk = (parts: EscapeParts): EscapeDesk => {
  const { store, events, policies, now, mark } = parts;
  const markRead = (who: Asker, requests: readonly OwnRequest[]): Promise<void> =>
    markDecisionsRead(store, {
      user: who.user.id,
      ids: requests.filter(({ state }) => state !== 'open').map(({ id }) => id),
      at: now(),
    });
  return {
    get key() {
      const { enabled, key } = parts.settings();
      return enabled ? codeOf(key) : undefined;
    },
    rating: ({ user }) => ratingOf(parts, user),
    stopped: (who) => stoppedBy(parts, who),
    requests: async (who) => {
      const requests = (await requestsOf(store, who.user.id, MOST_REQUESTS)).map(ownRequest);
      await markRead(who, requests);
      return requests;
    },
    ask: async ({ user }, command, reason) => {
      const asked = await askException(
        { store, events, now },
        {
          user,
          command,
          reason,
          ownerOf: (rule) => {
            const about = policies.current.about(rule);
            return about?.owner ?? about?.contact ?? '';
          },
        },
      );
      return asked.kind === 'asked' ? { kind: 'asked', id: asked.request.id } : asked;
    },
    unread: async ({ user }) => (await unreadDecisions(store, user.id)).map(ownRequest),
    markRead,
    note: ({ sessionId, channel }, what) => {
      mark(sessionId, channel, 'escape', { what });
    },
    log: parts.log,
  };
};
