// Two gateways with one PostgreSQL: what is changed or ordered at one is heard at the other at once, and each tells its
// own sessions apart. They share the database and the master key, and nothing else.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gateway } from '../harness/gateway.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import { SshUser } from '../harness/ssh.ts';
import { PostgresServer, postgresPrograms } from '../store/postgres.ts';

describe.skipIf(!haveSshd || postgresPrograms() === undefined)('two gateways with one database', () => {
  let server: PostgresServer;
  let site: Site;
  let second: Gateway;
  let aliceAtSecond: SshUser;

  beforeAll(async () => {
    server = await PostgresServer.start();
    const url = await server.database();
    const config = (name: string): Record<string, unknown> => ({ name, store: { url } });
    site = await openSite({ gateway: { config: config('first'), ssh: { workers: 1 } } });
    const keys = site.scratch.path('shared-key');
    mkdirSync(keys, { mode: 0o700 });
    const masterKey = join(keys, 'master.key');
    cpSync(join(site.gateway.folder, 'data', 'master.key'), masterKey);
    second = await Gateway.start(site.scratch, {
      directory: {},
      config: { ...config('second'), masterKey: { file: masterKey } },
      ssh: { workers: 1 },
    });
    aliceAtSecond = new SshUser(second, site.alice.login, site.key, site.scratch.path('known_hosts_second'));
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  it('lets a user in at either, by what was applied at one', async () => {
    const results = await Promise.all([site.alice.ssh(['echo', 'in']), aliceAtSecond.ssh(['echo', 'in'])]);
    expect(results.map(({ code, stdout }) => [code, stdout])).toEqual([
      [0, 'in\n'],
      [0, 'in\n'],
    ]);
    const rows = await second.rows('session', 'list');
    expect(new Set(rows.map((row) => String(row['gateway']).split('/')[0]))).toEqual(
      new Set(['first', 'second']),
    );
  });

  it('holds a session at one gateway until the other says that its user need not prove who they are', async () => {
    using shell = site.alice.terminal();
    await shell.until('device$ ');
    expect((await second.sallyport(['reauth', 'require', 'alice'])).code).toBe(0);
    await shell.until('an administrator asks for it');
    shell.type('echo held-$((40+2))\r');
    expect((await second.sallyport(['reauth', 'waive', 'alice'])).code).toBe(0);
    await shell.until('\x1b[?1049l');
    shell.type('echo free-$((40+2))\r');
    await shell.until('free-42');
    expect(shell.shown).not.toContain('held-42');
    shell.type('exit\r');
    await shell.ended();
  });

  it('ends a session at one gateway by an order given at the other', async () => {
    using shell = site.alice.terminal();
    await shell.until('device$ ');
    const [live] = await second.rows('session', 'list', '--live');
    const order = await second.sallyport(['session', 'end', String(live?.['id'])]);
    expect(order.stderr).toBe('');
    expect(order.code).toBe(0);
    expect((await shell.ended()).code).not.toBe(0);
    // The register is told once the recording is sealed.
    await expect
      .poll(() => site.gateway.rows('session', 'list', '--limit', '1'), { timeout: 20_000 })
      .toMatchObject([{ id: live?.['id'], state: 'ended' }]);
  });

  it('holds what is typed at one gateway until it is released at the other', async () => {
    using shell = aliceAtSecond.terminal();
    await shell.until('device$ ');
    const [live] = await site.gateway.rows('session', 'list', '--live');
    const id = String(live?.['id']);
    expect((await site.gateway.sallyport(['session', 'hold', id])).code).toBe(0);
    // What is typed before the hold has crossed would run at once: the typing begins when the user has been told.
    await shell.until(/held|hold/i);
    shell.type('echo wri""tten-while-held\r');
    await expect(shell.until('written-while-held', 3000)).rejects.toThrow('no');
    expect((await site.gateway.sallyport(['session', 'release', id])).code).toBe(0);
    await shell.until('written-while-held');
  });

  it('shuts a user out everywhere who is disabled at one', async () => {
    using shell = aliceAtSecond.terminal();
    await shell.until('device$ ');
    expect((await site.gateway.sallyport(['user', 'disable', 'alice'])).code).toBe(0);
    expect((await shell.ended()).code).not.toBe(0);
    expect((await aliceAtSecond.ssh(['true'])).code).toBe(255);
    expect((await site.gateway.sallyport(['user', 'enable', 'alice'])).code).toBe(0);
    expect((await aliceAtSecond.ssh(['true'])).code).toBe(0);
  });
});
