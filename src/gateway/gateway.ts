// Runs a whole gateway from a Config until a signal says otherwise: the supervisor, its workers, and what has to be
// there before the first of them: the data folder and the store's schema.
import { readFileSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import type { Config } from '../config/load.ts';
import { AdminProcess } from './admin.ts';
import { forkWorkers } from './forked-worker.ts';
import { inProcessWorkers } from './in-process-worker.ts';
import { Keeper } from './keeper.ts';
import { createLog, type Log } from './log.ts';
import { createNotices } from './notices.ts';
import { openState } from './state.ts';
import { Supervisor } from './supervisor.ts';

export interface GatewayRun {
  readonly config: Config;
  readonly log?: Log;
  /** Reads the configuration again, for SIGHUP; throws ConfigError. */
  readonly reread: () => Config;
  /** Aborted: drain and end. */
  readonly until: AbortSignal;
  /** Aborted: end now. */
  readonly urgently?: AbortSignal;
  /** `admin` tells where the console is, once it has settled. */
  readonly onReady?: (supervisor: Supervisor, admin: AdminProcess) => void;
}

export class DataFolderError extends Error {
  readonly code = 'SP_DATA_FOLDER';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DataFolderError';
  }
}

export const version = (): string => {
  // Two folders up from the source, three from what is compiled.
  for (const place of ['../../package.json', '../../../package.json']) {
    try {
      const about: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (typeof about === 'object' && about !== null && 'version' in about) return String(about.version);
    } catch {
      // It is at the other place.
    }
  }
  return 'unknown';
};

const prepareData = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { mode, uid } = await stat(folder);
    if ((mode & 0o022) !== 0)
      throw new DataFolderError(`${folder} can be written by others: its mode should be 0700`);
    if (process.getuid !== undefined && uid !== process.getuid())
      throw new DataFolderError(`${folder} belongs to another user: run the gateway as its owner`);
  } catch (error) {
    if (error instanceof DataFolderError) throw error;
    throw new DataFolderError(
      `the data folder can't be used: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
};

/** Resolves when the gateway has ended in order. Throws errors with an `SP_…` code when it can't start. */
export const runGateway = async (run: GatewayRun): Promise<void> => {
  const { config } = run;
  const log = run.log ?? createLog(config.log);
  await prepareData(config.data);
  const workers = Math.max(config.ssh.workers, 1);
  let supervisor: Supervisor | undefined;
  const current = (): Config => supervisor?.config ?? config;
  const notices = createNotices((topic, payload) => supervisor?.notice(topic, payload));
  await using state = await openState(config, notices, log, version());
  const admin = new AdminProcess({
    config: current,
    version: version(),
    log,
    onNotice: (topic, payload) => supervisor?.notice(topic, payload),
  });
  supervisor = new Supervisor({
    admin,
    config,
    log,
    version: version(),
    workers,
    start: config.ssh.workers === 0 ? inProcessWorkers(current, log) : forkWorkers(current, log),
    reread: () => {
      const next = run.reread();
      state.reconfigure(next);
      return next;
    },
    recover: () => state.recover(),
    closeLost: (sessions, pid) => state.closeLost(sessions, pid),
    forward: (session, order) => state.forward(session, order),
    noteWatch: (session, by) => state.noteWatch(session, by),
    notices,
  });
  const running = supervisor;
  await using keeper = new Keeper(current, log);
  state.onForwarded((session, order) => running.order(session, order));
  run.urgently?.addEventListener('abort', () => running.endNow(), { once: true });
  await running.run(run.until, () => {
    keeper.start();
    run.onReady?.(running, admin);
  });
  log.flush();
};
