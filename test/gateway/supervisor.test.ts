// The supervisor and its workers: what happens when one dies, when the gateway drains, and when the configuration changes.
import { lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  drainGateway,
  gatewayHealth,
  liveSessions,
  reloadGateway,
  sendOrder,
} from '../../src/gateway/control-client.ts';
import { command } from '../harness/gateway.ts';
import { haveSshd } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { openSite, type Site } from '../harness/site.ts';
import { eventually, logged, logLines } from './gateway-events.ts';

const place = (site: Site): { data: string } => ({ data: join(site.gateway.folder, 'data') });

describe.skipIf(!haveSshd)('a gateway with two workers', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ gateway: { ssh: { workers: 2 } } });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it('says that it is ready, with its addresses, when every worker is up', async () => {
    await logged(site.gateway, 'gateway.ready');
    const ready = logLines(site.gateway).findIndex((line) => line['event'] === 'gateway.ready');
    const lines = logLines(site.gateway).slice(0, ready + 1);
    expect(lines.filter((line) => line['event'] === 'worker.up')).toHaveLength(2);
    expect(lines.at(-1)).toMatchObject({ addresses: [`127.0.0.1:${site.gateway.port}`], level: 'info' });
    expect(String(lines.at(-1)?.['msg'])).toContain('ready');
    const health = await gatewayHealth(place(site));
    expect(health).toMatchObject({ state: 'ready', nativeCrypto: true, pid: site.gateway.pid });
    expect(new Set(health.workers.map((worker) => worker.pid)).size).toBe(2);
  });

  it('keeps what it stores from others', () => {
    const { data } = place(site);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(lstatSync(join(data, 'control.sock')).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, 'master.key')).mode & 0o777).toBe(0o600);
    expect(statSync(join(data, 'sallyport.db')).mode & 0o077).toBe(0);
  });

  it('refuses to start twice on the same data', async () => {
    const result = await run(command, ['serve', '--config', join(site.gateway.folder, 'sallyport.yaml')], {
      env: { SALLYPORT_SSH_LISTEN: '127.0.0.1:0' },
    });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('SP_CONTROL_BUSY');
    expect((await gatewayHealth(place(site))).state).toBe('ready');
  });

  it('spreads connections over its workers', async () => {
    using one = site.alice.terminal();
    await one.until('device$ ');
    using other = site.alice.terminal();
    await other.until('device$ ');
    const { workers } = await gatewayHealth(place(site));
    expect(workers.map((worker) => worker.connections)).toEqual([1, 1]);
  });

  it('loses only the sessions of a worker that is killed, says so in the register, and starts another', async () => {
    await eventually('no connection', async () => (await gatewayHealth(place(site))).connections === 0);
    const started = async (): Promise<{ id: string; terminal: ReturnType<typeof site.alice.terminal> }> => {
      const before = new Set((await liveSessions(place(site))).map((session) => session.id));
      const terminal = site.alice.terminal();
      await terminal.until('device$ ');
      const session = (await liveSessions(place(site))).find(({ id }) => !before.has(id));
      if (session === undefined) throw new Error('the session is not live');
      return { id: session.id, terminal };
    };
    const first = await started();
    const { workers } = await gatewayHealth(place(site));
    const victim = workers.find((worker) => worker.connections === 1);
    const second = await started();
    if (victim === undefined) throw new Error('no worker has the connection');

    process.kill(victim.pid, 'SIGKILL');
    expect((await first.terminal.ended()).code).toBe(255);
    await logged(site.gateway, 'worker.crashed');
    const health = await eventually('a new worker', async () => {
      const now = await gatewayHealth(place(site));
      return now.workers.every((worker) => worker.state === 'up') ? now : undefined;
    });
    expect(health.workers.map((worker) => worker.pid)).not.toContain(victim.pid);
    expect(health.workers.map((worker) => worker.restarts).sort()).toEqual([0, 1]);

    second.terminal.type('echo still-$((40+2))\r');
    await second.terminal.until('still-42');
    const rows = await eventually('the register', async () => {
      const list = await site.gateway.rows('session', 'list');
      return list.some((row) => JSON.stringify(row).includes('worker-crashed')) ? list : undefined;
    });
    const of = (id: string): string => JSON.stringify(rows.find((row) => JSON.stringify(row).includes(id)));
    expect(of(first.id)).toContain('worker-crashed');
    expect(of(second.id)).not.toContain('worker-crashed');

    const { stdout } = await site.alice.ssh(['echo again']);
    expect(stdout).toBe('again\n');
    second.terminal[Symbol.dispose]();
  });

  it('ends a session that an administrator ends, and tells its user', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    const session = await eventually('the session', async () =>
      (await liveSessions(place(site))).find(({ user }) => user === 'alice'),
    );
    const order = {
      kind: 'end',
      reason: 'ended-by-administrator',
      tell: 'carol ended this session',
    } as const;
    expect(await sendOrder(place(site), session.id, order)).toBe(true);
    await terminal.until('carol ended this session');
    await terminal.ended();
    // A session that is over takes no orders.
    await eventually('the session is gone', async () => !(await sendOrder(place(site), session.id, order)));
  });

  it('holds and releases what a user types', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    const [session] = await liveSessions(place(site));
    if (session === undefined) throw new Error('no session is live');
    expect(await sendOrder(place(site), session.id, { kind: 'hold' })).toBe(true);
    expect(await sendOrder(place(site), session.id, { kind: 'release' })).toBe(true);
    terminal.type('echo free-$((40+2))\r');
    await terminal.until('free-42');
  });

  it('takes a changed configuration, and keeps the old one when the new one is wrong', async () => {
    const file = join(site.gateway.folder, 'sallyport.yaml');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, `${before}\nbanana: true\n`);
    process.kill(site.gateway.pid, 'SIGHUP');
    expect(JSON.stringify(await logged(site.gateway, 'config.rejected'))).toContain('unknown key banana');
    await expect(reloadGateway(place(site))).rejects.toThrow('unknown key banana');

    await eventually('nobody is there', async () => (await gatewayHealth(place(site))).connections === 0);
    // One connection is allowed, and it is taken: the second is refused; after the next reload it is not.
    writeFileSync(file, before.replace('ssh:', 'ssh:\n  rekeyBytes: 1MiB\n  limits: {connections: 1}'));
    expect(await reloadGateway(place(site))).toEqual(['ssh.rekeyBytes']);
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    expect((await site.alice.ssh(['true'])).code).toBe(255);
    await logged(site.gateway, 'connection.refused');
    writeFileSync(file, before);
    process.kill(site.gateway.pid, 'SIGHUP');
    await logged(site.gateway, 'config.reloaded', 1);
    expect((await site.alice.ssh(['true'])).code).toBe(0);
  });
});

describe.skipIf(!haveSshd)('a gateway that is told to end', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ gateway: { config: { drainSeconds: 60 }, ssh: { workers: 2 } } });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it('tells its users, takes nobody new, waits for the sessions, and ends by itself', async () => {
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    await drainGateway(place(site));
    await terminal.until('going down for maintenance');
    expect((await site.alice.ssh(['true'])).code).toBe(255);
    terminal.type('echo still-$((40+2))\r');
    await terminal.until('still-42');
    terminal.type('exit 3\r');
    expect((await terminal.ended()).code).toBe(3);
    await logged(site.gateway, 'gateway.ended');
    await eventually('the process is gone', () => {
      try {
        process.kill(site.gateway.pid, 0);
        return undefined;
      } catch {
        return true;
      }
    });
    const rows = await site.gateway.rows('session', 'list');
    expect(JSON.stringify(rows)).not.toContain('gateway-stopped');
  });
});

describe.skipIf(!haveSshd)('a gateway whose users do not leave', () => {
  it('ends their sessions at the end of the time, and says why', async () => {
    await using site = await openSite({ gateway: { config: { drainSeconds: 1 }, ssh: { workers: 1 } } });
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    process.kill(site.gateway.pid, 'SIGTERM');
    await terminal.until('going down for maintenance');
    await terminal.until('the session ends here');
    await terminal.ended();
    await logged(site.gateway, 'gateway.ended');
    expect(JSON.stringify(await site.gateway.rows('session', 'list'))).toContain('gateway-stopped');
  });

  it('ends at once when it is told twice', async () => {
    await using site = await openSite({ gateway: { config: { drainSeconds: 600 }, ssh: { workers: 1 } } });
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    process.kill(site.gateway.pid, 'SIGTERM');
    await logged(site.gateway, 'gateway.draining');
    process.kill(site.gateway.pid, 'SIGTERM');
    await terminal.ended();
    await logged(site.gateway, 'gateway.ended');
  });

  it('leaves nothing open in the register when it is killed, once it runs again', async () => {
    await using site = await openSite({ gateway: { ssh: { workers: 1 } } });
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    for (const pid of site.gateway.processes().reverse()) process.kill(pid, 'SIGKILL');
    await terminal.ended();
    const again = site.scratch.start(
      command,
      ['serve', '--config', join(site.gateway.folder, 'sallyport.yaml')],
      {
        cwd: site.gateway.folder,
        stdio: 'ignore',
      },
    );
    await eventually('ready again', async () => {
      const health = await gatewayHealth(place(site)).catch(() => undefined);
      return health?.state === 'ready';
    });
    expect(JSON.stringify(await site.gateway.rows('session', 'list'))).toContain('gateway-crashed');
    again.kill('SIGTERM');
  });
});

describe('serve', () => {
  it('tells what is wrong with the configuration, with its place, and ends with 2', async () => {
    const result = await run(command, ['serve', '--config', '/nonexistent.yaml']);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain("/nonexistent.yaml: can't be read (ENOENT)");
  });
});
