// Orders to live sessions from the command line: through the control socket of the gateway on this machine, and through
// the database to gateways elsewhere when there are some (PostgreSQL).
import { listSessions, SESSION_ORDERS } from '../directory/sessions.ts';
import { ControlError, endSessionsOf, type Order, sendOrder } from '../gateway/control-client.ts';
import type { SessionsTable } from '../store/schema.ts';
import type { Workplace } from './context.ts';
import { CliError, EXIT } from './exit.ts';

/** Undefined: no gateway runs on this data folder. */
const unlessNotRunning = async <T>(work: Promise<T>): Promise<T | undefined> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ControlError && error.code === 'SP_NOT_RUNNING') return undefined;
    throw error;
  }
};

/** How the order went out. Throws ControlError (SP_NOT_RUNNING) or CliError when it could not. */
export const orderSession = async (
  { config, store }: Workplace,
  session: SessionsTable,
  order: Order,
): Promise<'delivered' | 'passed on'> => {
  if (session.ended_at !== null) {
    throw new CliError(
      EXIT.failed,
      `the session ${session.id} has ended already (${session.end_reason ?? 'no reason'})`,
    );
  }
  if (store.kind === 'postgres') {
    const here = await unlessNotRunning(sendOrder(config, session.id, order));
    if (here === true) return 'delivered';
    await store.notify(SESSION_ORDERS, JSON.stringify({ session: session.id, order }));
    return 'passed on';
  }
  if (await sendOrder(config, session.id, order)) return 'delivered';
  throw new CliError(EXIT.failed, `the session ${session.id} is not live in the gateway that runs here`);
};

const MOST_SESSIONS = 1_000;

/** For users who may not go on. Where no gateway runs there is nothing to end. */
export const endSessionsEverywhere = async (
  { config, store }: Workplace,
  user: string,
  reason: string,
): Promise<void> => {
  const tell = 'Your access has been withdrawn by an administrator.';
  await unlessNotRunning(endSessionsOf(config, user, reason, tell));
  if (store.kind === 'sqlite') return;
  const { rows } = await listSessions(store, {
    since: undefined,
    user,
    device: undefined,
    session: undefined,
    live: true,
    limit: MOST_SESSIONS,
    after: undefined,
  });
  for (const row of rows) {
    await store.notify(
      SESSION_ORDERS,
      JSON.stringify({ session: row.id, order: { kind: 'end', reason, tell } }),
    );
  }
};
