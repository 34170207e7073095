// Looks once after what is recorded, then ends: deletes what retention says is due, leaving tombstones, and takes new recordings into
// the search index. A process of its own, of lowest priority, so that neither costs a session anything. Of several that
// share a folder one works at a time.
import { mkdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { RecordingError, reasonOf } from '../../recordings/errors.ts';
import { loadSigner } from '../../recordings/keys.ts';
import { deleteRecording, dueRecordings } from '../../recordings/retention.ts';
import type { Config } from '../config/load.ts';
import { openStore } from '../store/store.ts';
import { createLog, type Log } from './log.ts';
import { noteRecordingAccess } from './recording-access.ts';
import {
  gatewayOpeners,
  openSearchIndex,
  recordingsFolder,
  retentionRules,
  signingKeyFile,
} from './recordings.ts';

/** Locked as long as this process lives, however it ends; undefined when another one works. */
const lock = (root: string): Database.Database | undefined => {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const file = new Database(join(root, 'keeper.lock'), { timeout: 0 });
  try {
    file.exec('BEGIN EXCLUSIVE');
    return file;
  } catch {
    file.close();
    return undefined;
  }
};

const prune = async (config: Config, log: Log): Promise<void> => {
  const rules = retentionRules(config, Date.now());
  if (rules.length === 0) return;
  const store = await openStore(config.store.url);
  try {
    const by = `gateway:${config.name}`;
    for (const rule of rules) {
      for await (const { id, path } of dueRecordings(recordingsFolder(config.recordings.url), rule)) {
        try {
          await noteRecordingAccess(store, 'deleted', id, by, { reason: 'retention' });
          await deleteRecording(path, await loadSigner(signingKeyFile(config)), {
            by,
            reason: 'retention',
            at: Date.now(),
          });
          using index = openSearchIndex(config);
          index.remove(id);
          log.info('recording.deleted', { session: id, reason: 'retention' });
        } catch (error) {
          log.error('recording.not-deleted', { session: id, error });
        }
      }
    }
  } finally {
    await store.close();
  }
};

const index = async (config: Config, log: Log, until: AbortSignal): Promise<void> => {
  using found = openSearchIndex(config);
  const taken = await found.update(recordingsFolder(config.recordings.url), gatewayOpeners(config), {
    until,
    unreadable: (session, reason) => log.warn('recording.not-indexed', { session, reason }),
  });
  if (taken > 0) log.debug('recording.indexed', { recordings: taken });
};

const keep = async (config: Config, log: Log, until: AbortSignal): Promise<void> => {
  const held = lock(recordingsFolder(config.recordings.url));
  if (held === undefined) return;
  try {
    await prune(config, log);
    if (!until.aborted) await index(config, log, until);
  } finally {
    held.close();
  }
};

setPriority(constants.priority.PRIORITY_LOW);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
const gone = new AbortController();
process.once('disconnect', () => gone.abort());
process.once('message', (message) => {
  const config: Config = JSON.parse(String(message));
  const log = createLog({ level: config.log.level, pretty: config.log.pretty });
  keep(config, log, gone.signal)
    .catch((error: unknown) => {
      const code = error instanceof RecordingError ? error.code : undefined;
      log.error('recording.keeper-failed', { code, problem: reasonOf(error) });
      process.exitCode = 1;
    })
    .finally(() => {
      log.flush();
      process.exit();
    });
});
