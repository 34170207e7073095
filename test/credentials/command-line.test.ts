// The commands on credentials, findings and audits as people type them, on a store without a gateway.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { command } from '../harness/gateway.ts';
import { run } from '../harness/run.ts';
import { Scratch } from '../harness/scratch.ts';

it('shows a secret only where it is asked for, tells who looked, and reports', async () => {
  await using scratch = new Scratch();
  const config = scratch.path('sallyport.yaml');
  writeFileSync(config, stringify({ data: scratch.path('data') }));
  const site = scratch.path('site.yaml');
  writeFileSync(
    site,
    stringify({
      users: [{ name: 'alice' }, { name: 'carol', roles: ['auditor'] }],
      devices: [{ name: 'web1', host: '192.0.2.1' }],
      credentials: [{ name: 'web1-root', device: 'web1', username: 'root', password: 'sesame-open' }],
      grants: [{ name: 'work', users: ['alice'], devices: ['web1'] }],
    }),
  );
  const sallyport = (...args: readonly string[]) =>
    run(command, [...args, '--config', config], { timeout: 60_000 });
  expect((await sallyport('apply', '-f', site)).code).toBe(0);

  const bare = await sallyport('credential', 'view', 'web1-root', '--reason', 'ticket 42');
  expect([bare.code, bare.stdout]).toEqual([2, '']);
  const asked = await sallyport('credential', 'view', 'web1-root', '--reason', 'ticket 42', '--json');
  expect(JSON.parse(asked.stdout)).toMatchObject({ account: 'root', password: 'sesame-open' });
  const refused = await sallyport(
    ...['credential', 'view', 'web1-root', '--reason', 'ticket 43', '--json', '--as', 'alice'],
  );
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toContain('not-granted');
  const views = await sallyport('credential', 'views', '--json');
  const rows = views.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['refused', 'ticket 43'],
    ['shown', 'ticket 42'],
  ]);
  expect(views.stdout).not.toContain('sesame');

  const changed = await run(command, ['credential', 'change', 'web1-root', '--config', config], {
    input: 'another-one\n',
    timeout: 60_000,
  });
  expect([changed.code, changed.stdout]).toEqual([0, expect.not.stringContaining('another-one')]);
  expect((await sallyport('audit', 'auditors', 'add', 'alice')).stderr).toContain('SP_AUDIT_NO_AUDITOR');
  expect((await sallyport('audit', 'list', '--auditor', 'carol')).code).toBe(0);
  expect((await sallyport('finding', 'scan', '--json')).code).toBe(0);
  const report = await sallyport('report', 'ueba');
  expect(report.stdout).toContain('never proof');
}, 300_000);
