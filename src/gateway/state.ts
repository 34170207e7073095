// What the supervisor keeps in the store: it brings the schema up to date before any worker comes, makes the secrets of
// a first start, closes in the register what a crash left open, and passes orders on to other gateways.

import { loadHostKeys } from '../../proxy/transport/host-keys.ts';
import { loadPolicySource, type PolicySource } from '../audit/policies.ts';
import type { Config } from '../config/load.ts';
import { endAbandonedSessions, gatewaysWithOpenSessions, SESSION_ORDERS } from '../directory/sessions.ts';
import { openVault } from '../directory/vault.ts';
import { createEventLog } from '../events/event-log.ts';
import { closeLostRisks } from '../oversight/risk-records.ts';
import { openStore } from '../store/store.ts';
import { type Duties, startDuties } from './duties.ts';
import type { Log } from './log.ts';
import type { LiveSession, Order } from './messages.ts';
import { readForwardedOrder } from './messages.ts';
import type { Notices } from './notices.ts';
import { within } from './patience.ts';
import { noteRecordingAccess } from './recording-access.ts';
import { recordingsFolder, recordingsFrom, recoverFrom } from './recordings.ts';

/** Milliseconds that closing the sessions of lost workers may take when the gateway ends. */
const LAST_CLOSING = 5_000;

export interface GatewayState extends AsyncDisposable {
  /** Closes what a former run of this gateway left open. Only for whoever owns the data folder's control socket. */
  recover(): Promise<void>;
  /** Closes the sessions of a worker that is gone. */
  closeLost(sessions: readonly LiveSession[], workerPid: number): Promise<void>;
  forward(session: string, order: Order): Promise<void>;
  /** The configuration was read again. */
  reconfigure(config: Config): void;
  /** Durable before it resolves: who watched whose session. */
  noteWatch(session: LiveSession, by: string): Promise<void>;
  onForwarded(take: (session: string, order: Order) => void): void;
}

export const hostKeyFolder = (config: Pick<Config, 'data'>): string => `${config.data}/host-keys`;

/** Where the rules are. A worker that starts while they are broken takes the last good ones. */
export const policySource = (config: Pick<Config, 'data' | 'policies' | 'policyPacks'>): PolicySource => ({
  folder: config.policies,
  packs: config.policyPacks,
  lastGood: `${config.data}/policies.last-good.json`,
});

/** What a worker calls itself in the register. */
export const workerName = (gateway: string, pid: number): string => `${gateway}/${pid}`;

/** Throws errors with an `SP_…` code when the store, the master key or the host keys can't be used. */
export const openState = async (
  config: Config,
  notices: Notices,
  log: Log,
  version: string,
): Promise<GatewayState> => {
  recordingsFolder(config.recordings.url);
  recordingsFrom(config);
  const store = await openStore(config.store.url, { carrier: notices });
  try {
    await openVault(config.masterKey);
    await loadHostKeys(hostKeyFolder(config));
    // A gateway does not start with rules that can't be used.
    await loadPolicySource(policySource(config));
  } catch (error) {
    await store.close();
    throw error;
  }
  const end = async (gateways: readonly string[], reason: string): Promise<void> => {
    const ended = await endAbandonedSessions(store, { gateways, at: Date.now(), reason });
    if (ended > 0) log.warn('session.lost', { sessions: ended, reason });
    await closeLostRisks(store, createEventLog(store));
  };
  const seal = async (reason: string, sessions?: readonly string[]): Promise<void> => {
    for (const recording of await recoverFrom(config, reason, sessions)) {
      if (recording.kind === 'failed') log.error('recording.not-recovered', { ...recording });
      else log.warn('recording.recovered', { ...recording, reason });
    }
  };
  /** Sessions of lost workers that are being closed. */
  const closing = new Set<Promise<void>>();
  let duties: Duties | undefined;
  return {
    recover: async () => {
      const open = await gatewaysWithOpenSessions(store);
      await end(
        open.filter((name) => name.startsWith(`${config.name}/`)),
        'gateway-crashed',
      );
      await seal('gateway-crashed');
      duties = startDuties({ config, store, log, version });
    },
    reconfigure: (next) => duties?.reconfigure(next),
    closeLost: (sessions, workerPid) => {
      const work = (async () => {
        await end([workerName(config.name, workerPid)], 'worker-crashed');
        await seal(
          'worker-crashed',
          sessions.map(({ id }) => id),
        );
      })();
      closing.add(work);
      return work.finally(() => closing.delete(work));
    },
    forward: async (session, order) => {
      // SQLite belongs to one gateway: there is nobody else to tell.
      if (store.kind === 'postgres') await store.notify(SESSION_ORDERS, JSON.stringify({ session, order }));
    },
    noteWatch: (session, by) => noteRecordingAccess(store, 'watched', session.id, by, { user: session.user }),
    onForwarded: (take) => {
      store.listen(SESSION_ORDERS, (message) => {
        if (message.kind === 'gap') return;
        const forwarded = readForwardedOrder(message.payload);
        if (forwarded !== undefined) take(forwarded.session, forwarded.order);
      });
    },
    [Symbol.asyncDispose]: async () => {
      await duties?.[Symbol.asyncDispose]();
      // What could not be closed is closed at the next start.
      await within(LAST_CLOSING, Promise.allSettled(closing));
      await store.close();
    },
  };
};
