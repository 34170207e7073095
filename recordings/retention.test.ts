// Holds, tombstones, and which recordings are due.
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  deleteRecording,
  dueRecordings,
  hold,
  listTombstones,
  readTombstone,
  releaseHold,
} from './retention.ts';
import { sampleKeys, sampleSession } from './sample-session.ts';
import { FileRecordings } from './write.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-retention-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { keys, signer, verifier } = sampleKeys();
const record = async (id: string, startedAt: number, grant = 'web'): Promise<string> => {
  const sample = sampleSession(id, { startedAt });
  const target = { ...sample.target, grant: { id: grant, name: grant } };
  const recorder = await new FileRecordings(folder, keys, { reserveBytes: 0 }).start({ ...sample, target });
  await recorder.close();
  return recorder.path;
};
const deletion = { by: 'alice', reason: 'older than 90 days', at: 7 };

it('a deleted recording leaves a tombstone that the public key proves', async () => {
  const path = await record('s1', 86_400_000);
  await deleteRecording(path, signer, deletion);
  expect(existsSync(path)).toBe(false);
  expect(await readTombstone(path, verifier)).toMatchObject({
    session: 's1',
    user: 'alice',
    reason: 'older than 90 days',
    deletedAt: 7,
  });
  const file = path.replace('.sprec', '.deleted');
  writeFileSync(file, readFileSync(file, 'utf8').replace('90', '91'));
  expect(await readTombstone(path, verifier)).toBeUndefined();
});

it('a tombstone is the one of its recording: a copy of it vouches for no other', async () => {
  const [one, other] = [await record('s1', 86_400_000), await record('s2', 86_400_000)];
  await deleteRecording(one, signer, deletion);
  rmSync(other);
  copyFileSync(one.replace('.sprec', '.deleted'), other.replace('.sprec', '.deleted'));
  expect(await readTombstone(other, verifier)).toBeUndefined();
  const listed = [];
  for await (const { id, tombstone } of listTombstones(folder, verifier))
    listed.push([id, tombstone?.session]);
  expect(listed).toEqual([
    ['s2', undefined],
    ['s1', 's1'],
  ]);
});

it('two who delete a recording at once leave its tombstone', async () => {
  const path = await record('s1', 86_400_000);
  const done = await Promise.allSettled(
    Array.from({ length: 8 }, (_, at) => deleteRecording(path, signer, { ...deletion, at })),
  );
  expect(done.some(({ status }) => status === 'fulfilled')).toBe(true);
  expect(await readTombstone(path, verifier)).toMatchObject({ session: 's1' });
  expect(readdirSync(dirname(path))).toEqual(['s1.deleted']);
});

it('a held recording and one that still grows are not deleted', async () => {
  const path = await record('s1', 86_400_000);
  await hold(path, 'bob', 'case 7', 1);
  await hold(path, 'carol', 'case 8', 2);
  await expect(deleteRecording(path, signer, deletion)).rejects.toMatchObject({ code: 'SP_RECORDING_HELD' });
  await releaseHold(path);
  await deleteRecording(path, signer, deletion);
  const running = await new FileRecordings(folder, keys, { reserveBytes: 0 }).start(sampleSession('s2'));
  await expect(deleteRecording(running.path, signer, deletion)).rejects.toMatchObject({
    code: 'SP_RECORDING_HELD',
  });
  await running.close();
});

it('what is due follows age, size and grant, and spares what is held', async () => {
  const day = 86_400_000;
  const paths = [];
  for (let n = 1; n <= 4; n += 1) paths.push(await record(`s${n}`, n * day, n === 1 ? 'db' : 'web'));
  const due = async (rule: Parameters<typeof dueRecordings>[1]): Promise<string[]> => {
    const ids: string[] = [];
    for await (const { id } of dueRecordings(folder, rule)) ids.push(id);
    return ids;
  };
  expect(await due({ before: 3 * day })).toEqual(['s2', 's1']);
  expect(await due({ before: 3 * day, grant: 'db' })).toEqual(['s1']);
  const two = [paths[3], paths[2]].reduce((sum, path) => sum + statSync(path ?? '').size, 0);
  expect(await due({ bytes: two })).toEqual(['s2', 's1']);
  await hold(paths[0] ?? '', 'bob', 'case 7', 1);
  expect(await due({ bytes: two })).toEqual(['s2']);
  expect(await due({})).toEqual([]);
});
