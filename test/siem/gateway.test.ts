// A whole gateway with a collector: what happens in it arrives, also what happened while nobody listened, and `siem list`
// tells how it stands.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { Gateway } from '../harness/gateway.ts';
import { freePort, Scratch } from '../harness/scratch.ts';
import { Collector } from './collectors.ts';

it('tells a collector what was done while it was down, and points at what is wrong in the configuration', async () => {
  await using scratch = new Scratch();
  const port = await freePort();
  const outputs = [
    { name: 'soc', kind: 'syslog', transport: 'tcp', format: 'ocsf', address: `127.0.0.1:${port}` },
  ];
  const gateway = await Gateway.start(scratch, {
    directory: { users: [{ name: 'alice', password: 'a good long password', roles: ['administrator'] }] },
    config: { siem: { outputs } },
    ssh: { workers: 1 },
  });
  await eventually('the output is known', async () =>
    (await gateway.rows('siem', 'list')).find(
      (row) => row['lastError'] !== undefined || row['waiting'] === 0,
    ),
  );
  const set = await gateway.sallyport(['setting', 'set', 'minimumSuspiciousScore', '6']);
  expect(set.stderr).toBe('');
  await using collector = await Collector.open(port);
  await collector.until(() => collector.messages.some((message) => message.includes('setting-changed')));
  await eventually('it counts as delivered', async () =>
    (await gateway.rows('siem', 'list')).find((row) => Number(row['delivered']) > 0 && row['waiting'] === 0),
  );

  const file = join(gateway.folder, 'broken.yaml');
  writeFileSync(
    file,
    [
      'siem:',
      '  outputs:',
      '    - name: soc',
      '      kind: syslog',
      '      adress: "collector:6514"',
      '    - {name: soc, kind: webhook, url: "http://example.net/"}',
      '    - {name: x, kind: pigeon}',
    ].join('\n'),
  );
  const broken = await gateway.sallyport(['siem', 'list', '--config', file]);
  expect(broken.code).toBe(2);
  expect(broken.stderr).toContain('broken.yaml:5:7: unknown key siem.outputs.0.adress');
  expect(broken.stderr).toContain('broken.yaml:3:7: siem.outputs.0.address ');
  expect(broken.stderr).toContain('broken.yaml:6:39: siem.outputs.1.url must be https://');
  expect(broken.stderr).toContain(
    'broken.yaml:7:23: siem.outputs.2.kind must be one of syslog, webhook, mail',
  );
});
