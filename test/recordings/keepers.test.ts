// What looks after recordings, started by several gateways at once on one folder and one store: each recording that is
// due is deleted once, noted once, and leaves its tombstone; while one works the others leave everything alone.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSigner, verifierOf } from '../../recordings/keys.ts';
import { listRecordings } from '../../recordings/list.ts';
import { listTombstones } from '../../recordings/retention.ts';
import { sampleSession } from '../../recordings/sample-session.ts';
import { type Config, loadConfig } from '../../src/config/load.ts';
import { createMasterKeyFile } from '../../src/directory/master-key.ts';
import { recordingsFolder, recordingsFrom, signingKeyFile } from '../../src/gateway/recordings.ts';
import { openStore } from '../../src/store/store.ts';
import { Scratch } from '../harness/scratch.ts';
import { PostgresServer, postgresPrograms } from '../store/postgres.ts';

const entry = fileURLToPath(new URL('../../src/gateway/keeper-process.ts', import.meta.url));
const due = Array.from({ length: 12 }, (_, n) => `due${n}`);

/** Runs it once, as a gateway does every minute; answers what it logged. */
const keeper = async (config: Config): Promise<{ readonly code: number | null; readonly log: string }> => {
  const child = fork(entry, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: process.execArgv });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      log += data.toString();
    });
  const closed = once(child, 'close');
  child.send(JSON.stringify(config));
  const [code]: unknown[] = await closed;
  return { code: typeof code === 'number' ? code : null, log };
};

const count = (text: string, word: string): number => text.split(word).length - 1;

const stores = postgresPrograms() === undefined ? ['sqlite'] : ['sqlite', 'postgresql'];
describe.each(stores)('several gateways on one folder, with %s', (kind) => {
  let server: PostgresServer | undefined;
  let scratch: Scratch;
  let config: Config;

  beforeAll(async () => {
    if (kind === 'postgresql') server = await PostgresServer.start();
    scratch = new Scratch();
    const file = scratch.path('sallyport.yaml');
    const data = scratch.path('data');
    mkdirSync(data, { mode: 0o700 });
    const url = server === undefined ? `sqlite:${join(data, 'sallyport.db')}` : await server.database();
    writeFileSync(
      file,
      JSON.stringify({ data, store: { url }, recordings: { retention: [{ olderThan: '30d' }] } }),
    );
    config = loadConfig({ file, env: {} });
    await createMasterKeyFile(config.masterKey.file);
    await (await openStore(url)).close();
    using recordings = recordingsFrom(config);
    for (const id of [...due, 'young']) {
      const startedAt = id === 'young' ? Date.now() : Date.now() - 40 * 86_400_000;
      const recorder = await recordings.start(sampleSession(id, { startedAt }));
      await recorder.close();
    }
  });
  afterAll(async () => {
    await scratch?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  const kept = async (): Promise<string[]> => {
    const ids: string[] = [];
    for await (const { id } of listRecordings(recordingsFolder(config.recordings.url))) ids.push(id);
    return ids.sort();
  };
  const noted = async (): Promise<string[]> => {
    const store = await openStore(config.store.url);
    try {
      const rows = await store.db
        .selectFrom('changes')
        .select('name')
        .where('kind', '=', 'recording')
        .where('action', '=', 'deleted')
        .execute();
      return rows.map(({ name }) => name).sort();
    } finally {
      await store.close();
    }
  };

  it('one that works keeps the others away; then each recording that is due goes once', async () => {
    const folder = recordingsFolder(config.recordings.url);
    const other = new Database(join(folder, 'keeper.lock'));
    other.exec('BEGIN EXCLUSIVE');
    expect(await keeper(config)).toMatchObject({ code: 0, log: '' });
    expect(await kept()).toHaveLength(due.length + 1);
    expect(await noted()).toEqual([]);
    // As when its process ends, however that ends.
    other.close();

    const done = await Promise.all([keeper(config), keeper(config)]);
    expect(done.map(({ code }) => code)).toEqual([0, 0]);
    const log = done.map((one) => one.log).join('');
    expect(count(log, '"event":"recording.deleted"'), log).toBe(due.length);
    expect(count(log, '"event":"recording.not-deleted"'), log).toBe(0);
    expect(await kept()).toEqual(['young']);
    expect(await noted()).toEqual([...due].sort());
    const signer = await readSigner(signingKeyFile(config));
    if (signer === undefined) throw new Error('no key');
    const stones: unknown[] = [];
    for await (const { tombstone } of listTombstones(folder, verifierOf(signer.raw)))
      stones.push(tombstone?.session);
    expect(stones.sort()).toEqual([...due].sort());
  });
});
