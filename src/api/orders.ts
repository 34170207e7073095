// Orders to live sessions on behalf of whoever uses the API: to the gateway beside, and through the database to gateways
// elsewhere (PostgreSQL).
import { listSessions, SESSION_ORDERS } from '../directory/sessions.ts';
import { ControlError, type Order } from '../gateway/control-client.ts';
import type { ApiParts } from './parts.ts';

const MOST_SESSIONS = 1_000;
const WITHDRAWN = 'Your access has been withdrawn by an administrator.';

/** True when it reached the session here, or was passed on to the gateways elsewhere. */
export const orderSession = async (parts: ApiParts, session: string, order: Order): Promise<boolean> => {
  if (await parts.gateway.order(session, order)) return true;
  if (parts.store.kind === 'sqlite') return false;
  await parts.store.notify(SESSION_ORDERS, JSON.stringify({ session, order }));
  return true;
};

/** For users who may not go on. Where no gateway runs there is nothing to end. */
export const endEverywhere = async (parts: ApiParts, user: string, reason: string): Promise<void> => {
  try {
    await parts.gateway.endUser(user, reason, WITHDRAWN);
  } catch (error) {
    if (!(error instanceof ControlError && error.code === 'SP_NOT_RUNNING')) throw error;
  }
  if (parts.store.kind === 'sqlite') return;
  const { rows } = await listSessions(parts.store, {
    since: undefined,
    user,
    device: undefined,
    session: undefined,
    live: true,
    limit: MOST_SESSIONS,
    after: undefined,
  });
  const order: Order = { kind: 'end', reason, tell: WITHDRAWN };
  for (const row of rows)
    await parts.store.notify(SESSION_ORDERS, JSON.stringify({ session: row.id, order }));
};
