// Many at once, and one that stops reading.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveSshd } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { openSite, type Site, straight } from '../harness/site.ts';

describe.skipIf(!haveSshd)('many at once', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it('200 sessions live at the same time, and each gets its own answer', async () => {
    // All wait for one file, so that all are there before any may end.
    const gate = `/tmp/sp-gate-${site.alice.endpoint.port}`;
    const count = 200;
    const sessions = Array.from({ length: count }, async (_, n) => {
      const command = `echo up-${n} >&2; touch ${gate}.${n}; while [ ! -e ${gate} ]; do sleep 0.5; done; echo ${n}; exit ${n % 100}`;
      return site.alice.ssh([command], { more: ['-o', 'ConnectTimeout=90'], timeout: 110_000 });
    });
    const opened = run(
      'sh',
      [
        '-c',
        `for i in $(seq 1000); do [ "$(ls ${gate}.* 2>/dev/null | wc -l)" = ${count} ] && break; sleep 0.1; done; touch ${gate}; ls ${gate}.* | wc -l`,
      ],
      { timeout: 110_000 },
    );
    const results = await Promise.all(sessions);
    expect((await opened).stdout.trim()).toBe(String(count));
    execFileSync('sh', ['-c', `rm -f ${gate} ${gate}.*`]);
    expect(results.map(({ stdout, code }) => [stdout, code])).toEqual(
      Array.from({ length: count }, (_, n) => [`${n}\n`, n % 100]),
    );
  }, 120_000);

  it.skipIf(straight)(
    'a reader that stops costs the gateway less than 50 MB, and its neighbour nothing',
    async () => {
      await site.alice.ssh(['true']);
      const before = site.gateway.memory();
      const stalled = spawn('ssh', [...site.alice.arguments(), 'cat /dev/zero'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      stalled.stdout.once('data', () => stalled.stdout.pause());
      await once(stalled.stdout, 'readable').catch(() => undefined);
      stalled.kill('SIGSTOP');
      // Other work passes the time that a leak would need.
      for (let n = 0; n < 10; n += 1) {
        const { stdout } = await site.alice.ssh(['head -c 20000000 /dev/zero | wc -c']);
        expect(stdout.trim()).toBe('20000000');
      }
      const after = site.gateway.memory();
      stalled.kill('SIGCONT');
      stalled.kill('SIGKILL');
      await once(stalled, 'exit');
      expect((after - before) / 1e6).toBeLessThan(50);
    },
  );
});
