// Puts the API together from a configuration: store, vault, sign-in, the running gateway's control socket. Owns what it
// opens and closes it.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import ipaddr from 'ipaddr.js';
import { DEFAULT_LOCKOUT } from '../../proxy/login/lockout.ts';
import { createPasswordChecker } from '../../proxy/login/password.ts';
import { createTurns } from '../../proxy/login/turns.ts';
import type { Config } from '../config/load.ts';
import { formatSocketAddress } from '../config/units.ts';
import { createLoginDirectory } from '../directory/login-directory.ts';
import { createLoginFailures } from '../directory/login-failures.ts';
import { openVault } from '../directory/vault.ts';
import { createEventLog } from '../events/event-log.ts';
import {
  endSessionsOf,
  gatewayHealth,
  liveSessions,
  noticeGateway,
  sendOrder,
  watchSession,
} from '../gateway/control-client.ts';
import type { Log } from '../gateway/log.ts';
import type { Notices } from '../gateway/notices.ts';
import { createIdentifier } from '../oversight/identifier.ts';
import { openStore } from '../store/store.ts';
import { Access } from './access.ts';
import { openConsole } from './console-files.ts';
import { leaveSetupLink } from './first-administrator.ts';
import type { ApiParts } from './parts.ts';
import { createServer, type ServerOptions } from './server.ts';

export class AdminListenError extends Error {
  readonly code = 'SP_ADMIN_LISTEN';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AdminListenError';
  }
}

export interface OpenedApi extends AsyncDisposable {
  /** The configuration was read again: what of it holds without a new start is told from now on. */
  reconfigure(config: Config): void;
  /** `http://…` or `https://…`, ports as the system chose them. */
  readonly urls: readonly string[];
}

/** Beside the sources, and beside what is compiled from them. */
const consoleFolder = (): string =>
  fileURLToPath(
    new URL(
      import.meta.url.endsWith('.ts') ? '../../console/dist' : '../../../console/dist',
      import.meta.url,
    ),
  );

const isLoopback = (host: string | undefined): boolean =>
  host !== undefined &&
  (host === 'localhost' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback'));

const readTls = async ({ certificate, key }: Config['admin']): Promise<ServerOptions['tls']> => {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw new AdminListenError('admin.certificate and admin.key belong together');
  try {
    return { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
  } catch (error) {
    throw new AdminListenError('the certificate or its key can’t be read', { cause: error });
  }
};

export interface OpenedParts extends AsyncDisposable {
  readonly parts: ApiParts;
  reconfigure(config: Config): void;
}

interface Given {
  readonly log: Log;
  readonly notices: Notices;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Throws errors with an `SP_…` code for the store and the vault. */
export const openParts = async (config: Config, given: Given): Promise<OpenedParts> => {
  const now = given.now ?? Date.now;
  await using owned = new AsyncDisposableStack();
  const store = await openStore(config.store.url, { carrier: given.notices });
  owned.defer(() => store.close());
  const vault = await openVault(config.masterKey);
  const login = createLoginDirectory(store, vault);
  const proving = {
    failures: createLoginFailures(store),
    passwords: await createPasswordChecker(),
    turns: createTurns(),
    now,
  };
  const access = new Access({ store, login, ...proving });
  let { outputs } = config.siem;
  const parts: ApiParts = {
    config,
    outputs: () => outputs,
    store,
    vault,
    events: createEventLog(store),
    login,
    access,
    identifier: createIdentifier({ directory: login, lockout: DEFAULT_LOCKOUT, ...proving }),
    gateway: {
      health: () => gatewayHealth(config),
      live: () => liveSessions(config),
      order: (session, order) => sendOrder(config, session, order),
      endUser: (user, reason, tell) => endSessionsOf(config, user, reason, tell),
      notice: (topic, payload) => noticeGateway(config, topic, payload),
      watch: (session, by, until) => watchSession(config, session, by, until),
    },
    log: given.log,
    version: given.version,
    now,
  };
  const kept = owned.move();
  return {
    parts,
    reconfigure: (next) => {
      outputs = next.siem.outputs;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
};

/** Throws AdminListenError, and what openParts throws. */
export const openApi = async (config: Config, given: Given): Promise<OpenedApi> => {
  const tls = await readTls(config.admin);
  const open = config.admin.listen.find(({ host }) => !isLoopback(host));
  if (open !== undefined && tls === undefined)
    throw new AdminListenError(
      `admin.listen: ${formatSocketAddress(open)} is not loopback: set admin.certificate and admin.key`,
    );
  await using owned = new AsyncDisposableStack();
  const opened = owned.use(await openParts(config, given));
  const { parts } = opened;
  const files = await openConsole(consoleFolder());
  if (files === undefined)
    given.log.warn('admin.no-console', { text: 'the console is not built: npm run build:console' });
  const scheme = tls === undefined ? 'http' : 'https';
  const urls: string[] = [];
  for (const address of config.admin.listen) {
    const server = await createServer(parts, { tls, console: files });
    owned.defer(async () => {
      await server.close();
    });
    try {
      await server.listen({ host: address.host ?? '::', port: address.port });
    } catch (error) {
      throw new AdminListenError(`admin.listen: ${formatSocketAddress(address)} can’t be listened on`, {
        cause: error,
      });
    }
    for (const bound of server.addresses())
      if (typeof bound !== 'string')
        urls.push(`${scheme}://${formatSocketAddress({ host: bound.address, port: bound.port })}`);
  }
  await leaveSetupLink(parts, urls[0] ?? '');
  const kept = owned.move();
  return {
    urls,
    reconfigure: (next) => opened.reconfigure(next),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
};
