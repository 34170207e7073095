// What a recording notes beside what passes, through a whole gateway: files with sizes and hashes, forwards with addresses
// and bytes, holds, and what became of commands.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { openSite, type Site } from '../harness/site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite({ gateway: { ssh: { workers: 1 } } });
});
afterAll(() => site?.[Symbol.asyncDispose]());

type Mark = Readonly<Record<string, unknown>>;
const known = new Set<string>();
const marksOfNext = async (): Promise<Mark[]> => {
  const id = await eventually('a sealed recording', async () => {
    const rows = await site.gateway.rows('recording', 'list');
    const row = rows.find((one) => one['state'] === 'complete' && !known.has(String(one['id'])));
    return row === undefined ? undefined : String(row['id']);
  });
  known.add(id);
  const { stdout } = await site.gateway.sallyport(['recording', 'export', id, '--format', 'marks']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Mark => JSON.parse(line));
};

it('files with their names, sizes and hashes', async () => {
  const content = 'content of a file\n'.repeat(100);
  const local = site.scratch.path('local');
  writeFileSync(local, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const target = `${site.device.account.home}/there`;
  expect((await site.alice.sftp([`put ${local} ${target}`])).code).toBe(0);
  const marks = await marksOfNext();
  const [file] = marks.filter(({ kind, operation }) => kind === 'file' && operation === 'put');
  expect(file).toMatchObject({ paths: [target], decision: 'none', rules: [] });
  expect(marks).toContainEqual(
    expect.objectContaining({
      kind: 'outcome',
      of: 'file',
      id: file?.['id'],
      contents: [{ did: 'wrote', size: content.length, sha256 }],
    }),
  );
});

it('forwards with their addresses and bytes', async () => {
  const { host, port } = site.device;
  const ran = await site.alice.ssh([], { more: ['-W', `${host}:${port}`], input: 'SSH-2.0-nobody\r\n' });
  expect(ran.stdout).toContain('SSH-2.0-');
  const marks = await marksOfNext();
  const [forward] = marks.filter(({ kind }) => kind === 'forward');
  expect(forward).toMatchObject({ operation: 'forward', address: host, port });
  const outcome = marks.find(
    ({ kind, of, id }) => kind === 'outcome' && of === 'forward' && id === forward?.['id'],
  );
  expect(outcome).toMatchObject({ outcome: 'ran', bytesToDevice: 16, bytesFromDevice: expect.any(Number) });
});

it('that a session was held and went on', async () => {
  using terminal = site.alice.terminal();
  await terminal.until('device$ ');
  const [row] = await eventually('the session', async () => {
    const rows = await site.gateway.rows('session', 'list', '--live');
    return rows.length > 0 && rows;
  });
  const id = String(row?.['id']);
  await site.gateway.sallyport(['session', 'hold', id]);
  await terminal.until('on hold');
  await site.gateway.sallyport(['session', 'release', id]);
  await terminal.until('goes on');
  terminal.type('exit\r');
  await terminal.ended();
  const marks = await marksOfNext();
  const told = marks.map(({ kind }) => kind).filter((kind) => kind === 'hold' || kind === 'release');
  expect(told).toEqual(['hold', 'release']);
});
