// Recordings of a whole gateway: what a user saw is in them, and what a killed worker or a killed gateway leaves is
// completed, sealed as interrupted, listed so, and proved.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayHealth } from '../../src/gateway/control-client.ts';
import { eventually } from '../gateway/gateway-events.ts';
import { command } from '../harness/gateway.ts';
import { openSite, type Site } from '../harness/site.ts';

describe('the recording of a session', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ gateway: { ssh: { workers: 1 } } });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const recordings = () => site.gateway.rows('recording', 'list');
  const sealed = (state: string) =>
    eventually(`one that is ${state}`, async () =>
      (await recordings()).find((row) => row['state'] === state),
    );

  it('is complete, proved and holds what was shown and the commands', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    terminal.type('echo seen-$((40+2))\r');
    await terminal.until('seen-42');
    terminal.type('exit\r');
    await terminal.ended();
    const { id } = await sealed('complete');
    const proved = await site.gateway.sallyport(['recording', 'verify', String(id)]);
    expect(proved.stdout + proved.stderr).toContain('proved: alice@');
    expect(proved.code).toBe(0);
    const text = await site.gateway.sallyport(['recording', 'export', String(id), '--format', 'text']);
    expect(text.stdout).toContain('seen-42');
    const commands = await site.gateway.sallyport([
      'recording',
      'export',
      String(id),
      '--format',
      'commands',
    ]);
    expect(commands.stdout).toContain('echo seen-$((40+2))');
    const found = await site.gateway.sallyport(['recording', 'search', 'seen-42', '--json']);
    expect(found.stdout).toContain(String(id));
  });

  const crash = async (kill: () => void | Promise<void>, reason: string): Promise<void> => {
    // The test before this one may have killed the only worker.
    await eventually('the worker is up', async () =>
      (await gatewayHealth({ data: join(site.gateway.folder, 'data') })).workers.every(
        ({ state }) => state === 'up',
      ),
    );
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    terminal.type('echo last-$((40+3))\r');
    await terminal.until('last-43');
    await kill();
    await terminal.ended();
    const row = await eventually(reason, async () =>
      (await recordings()).find((one) => one['reason'] === reason),
    );
    expect(row).toMatchObject({ state: 'interrupted' });
    const id = String(row['id']);
    expect(await site.gateway.sallyport(['recording', 'verify', id])).toMatchObject({ code: 0 });
    const text = await site.gateway.sallyport(['recording', 'export', id, '--format', 'text']);
    expect(text.stdout).toContain('last-43');
  };

  it('whose worker is killed is completed at once', async () => {
    await crash(() => {
      const worker = site.gateway.processes().find((pid) => pid !== site.gateway.pid);
      if (worker === undefined) throw new Error('there is no worker');
      process.kill(worker, 'SIGKILL');
    }, 'worker-crashed');
  });

  it('whose gateway is killed is completed at the next start', async () => {
    await crash(() => {
      for (const pid of site.gateway.processes().reverse()) process.kill(pid, 'SIGKILL');
      site.scratch.start(command, ['serve', '--config', join(site.gateway.folder, 'sallyport.yaml')], {
        cwd: site.gateway.folder,
        stdio: 'ignore',
      });
    }, 'gateway-crashed');
  });
});
