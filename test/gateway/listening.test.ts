// Who gets in, and who does not hold others up: PROXY headers, limits, silent and half-finished handshakes.
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayHealth } from '../../src/gateway/control-client.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import { eventually, logged, logLines } from './gateway-events.ts';

const place = (site: Site): { data: string } => ({ data: join(site.gateway.folder, 'data') });

const dial = (port: number, text: string | Buffer): Socket => {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(text);
  return socket;
};

/** ssh through a balancer of our own: a program that says `header` first. */
const through = (site: Site, header: Buffer): string[] => {
  const bytes = [...header].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  // Percent signs are ssh's own in a ProxyCommand; the header has none.
  return [
    '-o',
    `ProxyCommand=sh -c 'printf "${bytes.replaceAll('\\', '\\\\')}"; exec cat' | nc 127.0.0.1 ${site.gateway.port}`,
  ];
};

describe.skipIf(!haveSshd)('behind a balancer that is listed', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ gateway: { ssh: { workers: 1, proxyProtocol: { from: ['127.0.0.0/8'] } } } });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const sourceOf = async (header: Buffer): Promise<unknown> => {
    const before = logLines(site.gateway).filter((line) => line['event'] === 'session.started').length;
    const { stdout, stderr, code } = await site.alice.ssh(['echo through'], { more: through(site, header) });
    expect([stdout, code], stderr).toEqual(['through\n', 0]);
    return (await logged(site.gateway, 'session.started', before))['sourceAddress'];
  };

  it('knows the client by a version 1 header', async () => {
    expect(await sourceOf(Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222\r\n'))).toBe(
      '203.0.113.9',
    );
    expect(await sourceOf(Buffer.from('PROXY TCP6 2001:db8::7 2001:db8::1 54321 2222\r\n'))).toBe(
      '2001:db8::7',
    );
  });

  it('knows the client by a version 2 header', async () => {
    const header = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb007109c0000201d43108ae', 'hex');
    expect(await sourceOf(header)).toBe('203.0.113.9');
  });

  it('lists the client, not the balancer, among the sessions', async () => {
    const rows = await site.gateway.rows('session', 'list');
    expect(new Set(rows.map((row) => row['source']))).toEqual(new Set(['203.0.113.9', '2001:db8::7']));
  });

  it('takes nobody without a header', async () => {
    expect((await site.alice.ssh(['true'])).code).toBe(255);
    expect(await logged(site.gateway, 'connection.refused')).toMatchObject({ refusal: 'proxy-header' });
  });
});

describe.skipIf(!haveSshd)('with narrow limits', () => {
  let site: Site;
  const limits = {
    ...{ perSource: 6, unauthenticatedPerSource: 3, loginGraceSeconds: 12, handshakeSeconds: 8 },
    ...{ unusedSeconds: 4, channels: 1 },
  };
  beforeAll(async () => {
    site = await openSite({ gateway: { ssh: { workers: 1, limits } } });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it('never reads a PROXY header from a peer that is not listed', async () => {
    const header = 'PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222\r\n';
    const socket = dial(site.gateway.port, `${header}SSH-2.0-OpenSSH_10.0\r\n`);
    await once(socket.resume(), 'close');
    expect(site.gateway.log).not.toContain('203.0.113.9');
  });

  it('refuses a source that has too many handshakes open, and serves it again when they are over', async () => {
    await eventually('nobody is there', async () => (await gatewayHealth(place(site))).connections === 0);
    const sockets = Array.from({ length: 3 }, () => dial(site.gateway.port, 'SSH-2.0-half\r\n'));
    await eventually('three are open', async () => (await gatewayHealth(place(site))).unauthenticated === 3);
    const refused = await site.alice.ssh(['true']);
    expect(refused.code).toBe(255);
    await eventually('the refusal is logged', () =>
      logLines(site.gateway).some((line) => line['refusal'] === 'unauthenticated-per-source'),
    );
    await Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
    await eventually('none is open', async () => (await gatewayHealth(place(site))).unauthenticated === 0);
    expect((await site.alice.ssh(['true'])).code).toBe(0);
  });

  it('counts who has signed in no longer among those who have not', async () => {
    await using sessions = new AsyncDisposableStack();
    // One after the other: more than may be signing in, as many as may be there.
    for (let n = 0; n < 5; n += 1) {
      const terminal = sessions.use(site.alice.terminal());
      await terminal.until('device$ ');
    }
    expect(await gatewayHealth(place(site))).toMatchObject({
      connections: 5,
      unauthenticated: 0,
      sessions: 5,
    });
  });

  it('ends a connection on which nothing is opened, and none with a session', async () => {
    await eventually('nobody is there', async () => (await gatewayHealth(place(site))).connections === 0);
    const working = site.alice.ssh(['sleep 9; echo done']);
    const begun = performance.now();
    const unused = await site.alice.ssh([], { more: ['-N'] });
    expect(performance.now() - begun).toBeGreaterThan(3000);
    expect(unused.code).toBe(255);
    expect(await working).toMatchObject({ code: 0, stdout: 'done\n' });
  });

  it('refuses channels beyond the limit of a connection', async () => {
    await eventually('nobody is there', async () => (await gatewayHealth(place(site))).connections === 0);
    const path = site.scratch.path('shared');
    const more = ['-o', `ControlPath=${path}`, '-o', 'ControlMaster=auto'];
    const first = site.alice.ssh(['sleep 60'], { more });
    await eventually('it is shared', async () => existsSync(path));
    await eventually('its command runs', async () => (await gatewayHealth(place(site))).sessions === 1);
    const second = await site.alice.ssh(['echo through'], { more: ['-o', `ControlPath=${path}`] });
    // The client connects anew when the shared connection takes no more.
    expect(second.stderr).toMatch(/at most 1 channels|open failed|refused/);
    await site.alice.ssh([], { more: ['-o', `ControlPath=${path}`, '-O', 'exit'] });
    expect((await first).code).toBe(255);
  });

  it('closes a client that never finishes signing in', async () => {
    // Somebody who thinks about the password for longer than they may.
    const askpass = site.scratch.path('askpass');
    writeFileSync(askpass, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    const client = site.scratch.start(
      'ssh',
      [
        ...['-F', 'none', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
        ...['-o', 'PubkeyAuthentication=no', '-p', String(site.gateway.port), 'alice@127.0.0.1'],
      ],
      { stdio: 'ignore', env: { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' } },
    );
    await eventually('it is there', async () => (await gatewayHealth(place(site))).unauthenticated === 1);
    const begun = performance.now();
    await eventually('it is gone', async () => (await gatewayHealth(place(site))).unauthenticated === 0);
    expect(performance.now() - begun).toBeGreaterThan(5000);
    client.kill('SIGKILL');
  });
});

describe.skipIf(!haveSshd)('5,000 handshakes that stop half-way', () => {
  const count = 5000;
  it('are gone within the grace time while another user works on', async () => {
    const wide = {
      connections: 20_000,
      perSource: 20_000,
      unauthenticated: 20_000,
      unauthenticatedPerSource: 20_000,
    };
    await using site = await openSite({
      gateway: { ssh: { limits: { ...wide, loginGraceSeconds: 25, handshakeSeconds: 20 } } },
    });
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    let open = 0;
    const starts = ['', 'SSH-2.0-', 'SSH-2.0-half\r\n'];
    const sockets: Socket[] = [];
    for (let n = 0; n < count; n += 1) {
      const socket = dial(site.gateway.port, starts[n % starts.length] ?? '');
      sockets.push(socket);
      open += 1;
      socket.once('close', () => {
        open -= 1;
      });
      socket.resume();
      if (n % 250 === 249) await once(socket, 'connect');
    }
    // The grace time of the last begins here, however long it has taken to open so many.
    const begun = performance.now();
    // The kernel takes connections before the gateway does, and workers report now and then.
    await eventually(
      'most of them are there',
      async () => (await gatewayHealth(place(site))).unauthenticated > count / 2,
    );
    const slowest = { echo: 0 };
    for (let n = 0; open > 0 && performance.now() - begun < 50_000; n += 1) {
      const typed = performance.now();
      terminal.type(`echo n-$((${n}+1))\r`);
      await terminal.until(`n-${n + 1}\r`);
      slowest.echo = Math.max(slowest.echo, performance.now() - typed);
    }
    expect(open).toBe(0);
    const seconds = (performance.now() - begun) / 1000;
    console.log(
      `5,000 half handshakes: gone after ${seconds.toFixed(1)} s; slowest echo ${slowest.echo.toFixed(0)} ms`,
    );
    expect(seconds).toBeLessThan(35);
    expect(slowest.echo).toBeLessThan(2000);
    expect(
      await eventually(
        'none is counted',
        async () => (await gatewayHealth(place(site))).unauthenticated === 0,
      ),
    ).toBe(true);
    for (const socket of sockets) socket.destroy();
  });
});
