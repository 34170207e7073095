// What a gateway does by itself with what is recorded: deletes what retention says is due, except what is held, leaves
// signed tombstones, and takes the rest into the search index.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hold } from '../../recordings/retention.ts';
import { sampleSession } from '../../recordings/sample-session.ts';
import { loadConfig } from '../../src/config/load.ts';
import { recordingsFrom } from '../../src/gateway/recordings.ts';
import { eventually, logged, logLines } from '../gateway/gateway-events.ts';
import { openSite, type Site } from '../harness/site.ts';

const day = 86_400_000;
let site: Site;
beforeAll(async () => {
  site = await openSite({
    gateway: {
      ssh: { workers: 0 },
      config: { recordings: { retention: [{ grant: 'web', olderThan: '30d' }, { olderThan: '90d' }] } },
    },
  });
  const recordings = recordingsFrom(
    loadConfig({ file: join(site.gateway.folder, 'sallyport.yaml'), env: {} }),
  );
  const record = async (id: string, grant: string, days: number): Promise<string> => {
    const target = { ...sampleSession(id).target, grant: { id: grant, name: grant } };
    const startedAt = Date.now() - days * day;
    const recorder = await recordings.start(sampleSession(id, { target, startedAt }));
    recorder.channelStarted(0, { kind: 'exec', detail: 'cat notes', terminal: undefined });
    recorder.output(0, Buffer.from(`notes of ${id}\n`), 'stdout');
    await recorder.close();
    return recorder.path;
  };
  await record('due', 'web', 40);
  await record('young', 'web', 20);
  await record('other', 'db', 40);
  await hold(await record('held', 'web', 50), 'carol', 'case 7', Date.now());
  recordings[Symbol.dispose]();
});
afterAll(() => site?.[Symbol.asyncDispose]());

it('deletes what is due and nothing else, says so, and indexes what stays', async () => {
  expect(await logged(site.gateway, 'recording.deleted')).toMatchObject({ session: 'due' });
  const rows = await site.gateway.rows('recording', 'list');
  const states = rows.map(({ id, state }) => `${String(id)} ${String(state)}`).sort();
  expect(states).toEqual(['due deleted', 'held complete', 'other complete', 'young complete']);
  expect(rows.find(({ id }) => id === 'due')).toMatchObject({ user: 'alice', reason: 'retention' });
  const found = await eventually('what stays in the index', async () => {
    const { stdout } = await site.gateway.sallyport([
      'recording',
      'search',
      'notes',
      '--no-update',
      '--json',
    ]);
    return stdout.includes('young') && stdout;
  });
  expect(found).toContain('"session":"other"');
  expect(found).not.toContain('"session":"due"');
  expect(logLines(site.gateway).filter(({ event }) => event === 'recording.keeper-failed')).toEqual([]);
});
