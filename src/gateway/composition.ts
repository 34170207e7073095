// Puts one worker's parts together: store, directory, recordings, login, transport. The one place that knows them all;
// it decides nothing itself beyond which part serves which interface.
import { readFileSync } from 'node:fs';
import { createAuditGates } from '../../proxy/audit/gates.ts';
import { RefusedCredentials } from '../../proxy/device/refused-credentials.ts';
import { escapableGates } from '../../proxy/escape/escape-gate.ts';
import { readAuthorities } from '../../proxy/login/key-offer.ts';
import { DEFAULT_LOCKOUT } from '../../proxy/login/lockout.ts';
import {
  DEFAULT_LOGIN_SETTINGS,
  type LoginDependencies,
  type LoginSettings,
} from '../../proxy/login/login.ts';
import { createPasswordChecker } from '../../proxy/login/password.ts';
import { NOTHING_REVOKED, readRevocations } from '../../proxy/login/revocations.ts';
import { createTurns } from '../../proxy/login/turns.ts';
import { serveConnection } from '../../proxy/server/connection.ts';
import {
  type ConnectionDeps,
  type ConnectionSettings,
  DEFAULT_CONNECTION_SETTINGS,
} from '../../proxy/server/connection-ports.ts';
import type { SessionRegister } from '../../proxy/server/ports.ts';
import { SERVER_ALGORITHMS, SUPPORTED_ALGORITHMS } from '../../proxy/transport/algorithms.ts';
import { loadHostKeys } from '../../proxy/transport/host-keys.ts';
import type { ServerTransportOptions } from '../../proxy/transport/transport.ts';
import type { RedactionRules } from '../../recordings/redaction-rules.ts';
import { createApprovals } from '../audit/approvals.ts';
import { createCommandLog } from '../audit/command-log.ts';
import { createIdentification } from '../audit/identification.ts';
import { LivePolicies } from '../audit/policies.ts';
import { createUserLock, USER_DISABLED } from '../audit/user-lock.ts';
import type { Config } from '../config/load.ts';
import { openDirectory } from '../directory/directory.ts';
import { openVault } from '../directory/vault.ts';
import { demandingDirectory } from '../oversight/identifier.ts';
import { overseenRegister, overseenUserLock } from '../oversight/oversight.ts';
import { waitingReauthentications } from '../oversight/ratings.ts';
import { openStore } from '../store/store.ts';
import { openBehaviour, overseenCommands, overseenGates } from './behaviour.ts';
import { commandRedaction } from './command-redaction.ts';
import { createEscapeDesk } from './escape.ts';
import type { Log } from './log.ts';
import { createNotices } from './notices.ts';
import { notedInRecordings, recordingsFrom, redactionOf } from './recordings.ts';
import { hostKeyFolder, policySource, workerName } from './state.ts';
import type { Composition, ConnectionHooks } from './worker.ts';

export interface CompositionContext {
  readonly log: Log;
  /** Names this worker in the register of sessions, with the gateway's name. */
  readonly workerPid: number;
  /** Passes a store's message to the supervisor, who tells every process. */
  readonly sendNotice: (topic: string, payload: string) => void;
}

/** What of the configuration a reload may change, read from its files. */
interface Live {
  readonly settings: LoginSettings;
  readonly authorities: LoginDependencies['authorities'];
  readonly revocations: LoginDependencies['revocations'];
  readonly connection: ConnectionSettings;
  readonly transport: Omit<ServerTransportOptions, 'hostKeys'>;
  /** For sessions that start from now on. */
  readonly redaction: RedactionRules | undefined;
  readonly escape: Config['escape'];
}

export class KeyFileError extends Error {
  readonly code = 'SP_KEY_FILE';

  constructor(key: string, file: string, cause: unknown) {
    super(`${key}: ${file} can't be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'KeyFileError';
  }
}

/** Reads a file that a key of the configuration names; what is wrong with it is an error with the key's name. */
const fromFile = <T>(key: string, file: string | undefined, otherwise: T, read: (data: Buffer) => T): T => {
  if (file === undefined) return otherwise;
  try {
    return read(readFileSync(file));
  } catch (error) {
    throw new KeyFileError(key, file, error);
  }
};

const keepalive = (seconds: number): { interval: number; count: number } => ({
  interval: seconds * 1000,
  count: 3,
});

const liveOf = (config: Config): Live => {
  const { ssh, device } = config;
  const banner = fromFile('ssh.banner', ssh.banner, '', (data) => data.toString('utf8'));
  const authorities = fromFile('ssh.trustedUserCAKeys', ssh.trustedUserCAKeys, [], (data) =>
    readAuthorities(data.toString('utf8')),
  );
  const revocations = fromFile('ssh.revokedKeys', ssh.revokedKeys, NOTHING_REVOKED, readRevocations);
  return {
    settings: {
      ...DEFAULT_LOGIN_SETTINGS,
      lockout: DEFAULT_LOCKOUT,
      banner,
      tries: ssh.limits.authenticationAttempts,
    },
    authorities: () => authorities,
    revocations: () => revocations,
    connection: {
      ...DEFAULT_CONNECTION_SETTINGS,
      loginGrace: ssh.limits.loginGraceSeconds * 1000,
      idle: ssh.idleSeconds * 1000,
      unused: ssh.limits.unusedSeconds * 1000,
      channels: ssh.limits.channels,
      dial: {
        connect: device.connectSeconds * 1000,
        handshake: device.signInSeconds * 1000,
        signIn: device.signInSeconds * 1000,
      },
      deviceKeepalive: keepalive(device.keepaliveSeconds),
      environment: { allowed: ssh.acceptEnv },
    },
    transport: {
      identification: ssh.identification,
      algorithms: ssh.nistCurves ? SUPPORTED_ALGORITHMS : SERVER_ALGORITHMS,
      rekey: { bytes: ssh.rekeyBytes },
      handshakeTimeout: ssh.limits.handshakeSeconds * 1000,
      keepalive: keepalive(ssh.keepaliveSeconds),
    },
    redaction: redactionOf(config),
    escape: config.escape,
  };
};

/** The words that the data plane says to its log, as stable event names. */
const eventName = (message: string): string => `ssh.${message.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;

/** Throws errors with an `SP_…` code. */
export const compose = async (config: Config, context: CompositionContext): Promise<Composition> => {
  const { log } = context;
  let live = liveOf(config);
  const hostKeys = await loadHostKeys(hostKeyFolder(config));
  const notices = createNotices(context.sendNotice);
  const store = await openStore(config.store.url, { carrier: notices });
  const directory = await openDirectory({
    store,
    masterKey: config.masterKey,
    gateway: workerName(config.name, context.workerPid),
  });
  const recordings = recordingsFrom(config, () => live.redaction);
  const passwords = await createPasswordChecker();
  const turns = createTurns();
  const refusals = new RefusedCredentials();
  const dataPlaneLog = {
    info: (fields: object, message: string) => log.info(eventName(message), { ...fields }),
    warn: (fields: object, message: string) => log.warn(eventName(message), { ...fields }),
  };

  const identification = {
    directory: directory.login,
    failures: directory.failures,
    passwords,
    turns,
    lockout: DEFAULT_LOCKOUT,
    now: Date.now,
    authorities: () => live.authorities(),
    revocations: () => live.revocations(),
  };
  const userLock = createUserLock(store, await openVault(config.masterKey));
  const behaviour = await openBehaviour({
    store,
    identification,
    userLock,
    log,
    mark: (session, channel, kind, data) => recordings.mark(session, channel, kind, data),
  });
  const { oversight } = behaviour;
  const loginDirectory = demandingDirectory(directory.login, async (userId) => {
    const waiting = await waitingReauthentications(store, userId);
    return waiting.length > 0;
  });

  const policies = await LivePolicies.open(policySource(config), log);
  const gates = createAuditGates({
    policies,
    log: overseenCommands(notedInRecordings(createCommandLog(store), recordings), behaviour),
    redaction: () => commandRedaction(live.redaction),
    approvals: createApprovals(store),
    identification: createIdentification(identification),
    userLock: overseenUserLock(userLock, { store, events: behaviour.events }),
    events: dataPlaneLog,
    now: Date.now,
    clock: () => performance.now(),
  });
  const escapeDesk = createEscapeDesk({
    store,
    events: behaviour.events,
    policies,
    settings: () => live.escape,
    mark: (session, channel, kind, data) => recordings.mark(session, channel, kind, data),
    log: dataPlaneLog,
    now: Date.now,
  });
  store.listen(USER_DISABLED, (message) => {
    if (message.kind === 'message')
      gates.endSessionsOf(message.payload, 'user-disabled', 'Your access has been withdrawn.');
  });

  const depsFor = (orders: ConnectionDeps['orders'], hooks: ConnectionHooks): ConnectionDeps => ({
    transport: { ...live.transport, hostKeys },
    login: {
      directory: loginDirectory,
      failures: directory.failures,
      passwords,
      turns,
      authorities: () => live.authorities(),
      revocations: () => live.revocations(),
      settings: live.settings,
      now: Date.now,
      report: (event) => log.debug('login.tried', { ...event }),
    },
    grants: directory.grants,
    vault: directory.vault,
    pins: directory.pins,
    register: telling(
      overseenRegister(directory.register, oversight, { store, events: behaviour.events, log }),
      hooks,
      log,
    ),
    recordings,
    orders,
    gates: escapableGates(overseenGates(gates, oversight), escapeDesk),
    oversight,
    log: dataPlaneLog,
    settings: live.connection,
    refusals,
    now: Date.now,
    onSignedIn: ({ user, authentication, sourceAddress }) => {
      hooks.onAuthenticated();
      void oversight.signedIn(user, authentication, sourceAddress);
    },
  });

  return {
    serve: (socket, peer, orders, hooks) => {
      const source = { address: peer.sourceAddress, port: peer.sourcePort };
      const connection = serveConnection(socket, source, depsFor(orders, hooks));
      return {
        ended: connection.done,
        tell: (text) => connection.tell(text),
        end: (reason, tell) => connection.end(reason, tell),
      };
    },
    reconfigure: (text) => {
      const next: Config = JSON.parse(text);
      try {
        live = liveOf(next);
        log.setLevel(next.log.level);
        void policies.reload(policySource(next));
      } catch (error) {
        log.error('config.rejected', { error });
      }
    },
    watch: (session, by, send, over) => {
      const watched = recordings.watch(session, send, over);
      // The recording tells who looked on.
      if (watched !== undefined) recordings.mark(session, 0, 'watched', { by });
      return watched;
    },
    hear: (topic, payload) => notices.hear(topic, payload),
    close: async () => {
      policies[Symbol.dispose]();
      await oversight[Symbol.asyncDispose]();
      recordings[Symbol.dispose]();
      await store.close();
    },
  };
};

/** The register, with the supervisor told of what is live. */
const telling = (register: SessionRegister, hooks: ConnectionHooks, log: Log): SessionRegister => ({
  newId: () => register.newId(),
  open: async (start) => {
    await register.open(start);
    const { id, user, target, sourceAddress, via, startedAt } = start;
    const session = {
      id,
      user: user.name,
      userId: user.id,
      device: target.device.name,
      account: target.credential.username,
      sourceAddress,
      via,
      startedAt,
    };
    hooks.onSessionStarted(session);
    log.info('session.started', {
      ...session,
      authentication: start.authentication,
      grant: target.grant.name,
    });
  },
  close: async (id, end) => {
    hooks.onSessionEnded(id);
    log.info('session.ended', { id, ...end });
    await register.close(id, end);
  },
  refused: (event) => {
    log.info('access.refused', { ...event });
    return register.refused(event);
  },
});
