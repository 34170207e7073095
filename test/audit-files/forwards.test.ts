// Forwards through their gate, with real OpenSSH: what a rule forbids is never dialled, SSH inside is seen, and can be
// forbidden before either side has heard the other; everything is in the log with where it led and how much went.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Station } from '../channels/station.ts';
import { type Device, startDevice } from '../harness/device.ts';
import { type KeyPair, makeKey } from '../harness/keys.ts';
import { haveSshd } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { endProcess, freePort, lineOf, Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';
import { MemoryAudit, openAudited } from './audited-station.ts';

describe.skipIf(!haveSshd)('forwards through their gate', () => {
  let scratch: Scratch;
  let device: Device;
  let key: KeyPair;
  let station: Station;
  let alice: SshUser;
  let audit: MemoryAudit;
  let server: Server;
  let port = 0;
  /** Connections that the server behind the device has seen. */
  let dialled = 0;

  beforeAll(async () => {
    scratch = new Scratch();
    device = await startDevice(scratch);
    key = makeKey(scratch.path('alice_key'));
    audit = new MemoryAudit();
    station = await openAudited(scratch, device, key, audit, { subsystems: ['upcase'] });
    alice = new SshUser(station, `alice@${device.account.name}@web1`, key, scratch.path('known_hosts'));
    server = createServer({ allowHalfOpen: true }, (socket) => {
      dialled += 1;
      socket.on('data', (data) => socket.write(data.toString().toUpperCase()));
      socket.on('end', () => socket.end());
      socket.on('error', () => socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    port = address.port;
  });
  afterAll(async () => {
    server?.close();
    await scratch?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    audit.clear();
    audit.fails = false;
    audit.rules('  []');
    dialled = 0;
  });

  const through = (host: string, input = 'hello\n') =>
    run('ssh', alice.arguments(['-v', '-W', `${host}:${port}`]), { input });

  it('a forward is logged with where it led and what went each way', async () => {
    expect(await through('127.0.0.1')).toMatchObject({ code: 0, stdout: 'HELLO\n' });
    const row = await audit.until(({ word, detail }) => word === 'forward' && detail !== '', 'the forward');
    expect(row).toMatchObject({
      channelKind: 'forward',
      command: `forward 127.0.0.1:${port}`,
      outcome: 'ran',
    });
    expect(row.detail).toMatch(/^6 bytes to the device, 6 bytes from the device, \d+\.\d s$/);
  });

  it.each([
    ['a network', '127.0.0.0/8', '127.0.0.1'],
    ['a network and a port', '127.0.0.0/8:PORT', '127.0.0.1'],
    ['the name of the device itself', '127.0.0.0/8', 'localhost'],
    ['an address that means the device itself', '127.0.0.0/8', '0.0.0.0'],
    ['an address in another spelling', '127.0.0.0/8', '127.1'],
    ['an IPv4 address in IPv6', '127.0.0.0/8', '[::ffff:127.0.0.1]'],
    ['a name', 'local*', 'LOCALHOST'],
  ])('is not dialled when forbidden by %s', async (_, pattern, host) => {
    audit.rules(
      `  - {name: no, forward: "${pattern.replace('PORT', String(port))}", action: block, message: not there}`,
    );
    const result = await through(host);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/administratively prohibited.*rule test\/no/);
    expect(dialled).toBe(0);
    expect(audit.of('forward')).toMatchObject([{ outcome: 'blocked' }]);
  });

  it('another port than the forbidden one is', async () => {
    audit.rules(`  - {name: no, forward: "127.0.0.0/8:${port === 1 ? 2 : 1}", action: block}`);
    expect(await through('127.0.0.1')).toMatchObject({ code: 0 });
    expect(dialled).toBe(1);
  });

  it('what cannot be logged is not dialled', async () => {
    audit.fails = true;
    const result = await through('127.0.0.1');
    expect(result.code).not.toBe(0);
    expect(dialled).toBe(0);
  });

  it('an interrupt ends the session', async () => {
    audit.rules('  - {name: stop, forward: "127.0.0.0/8", action: interrupt}');
    const before = station.starts.length;
    expect((await through('127.0.0.1')).code).not.toBe(0);
    expect(dialled).toBe(0);
    expect((await station.ended(before)).reason).toBe('interrupted-by-rule');
  });

  it('SOCKS goes the same way', async () => {
    audit.rules('  - {name: no, forward: "*.forbidden.example", action: block}');
    const socks = await freePort();
    const child = spawn('ssh', alice.arguments(['-N', '-v', '-D', `127.0.0.1:${socks}`]), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      await lineOf(child, /Local forwarding listening/, 15_000);
      const get = (host: string) =>
        run('curl', [
          '-s',
          '-m',
          '5',
          '--http0.9',
          '-x',
          `socks5h://127.0.0.1:${socks}`,
          `http://${host}:${port}/`,
        ]);
      expect((await get('db.forbidden.example')).code).not.toBe(0);
      expect(audit.of('forward')).toMatchObject([{ outcome: 'blocked' }]);
      await get('127.0.0.1');
      expect(dialled).toBe(1);
    } finally {
      await endProcess(child);
    }
  });

  it('sockets are judged by path', async () => {
    audit.rules('  - {name: no, forward: "unix:/run/**/*.sock", action: block}');
    const local = scratch.path('local.sock');
    const child = spawn('ssh', alice.arguments(['-N', '-v', '-L', `${local}:/run/x/docker.sock`]), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      await lineOf(child, /Local forwarding listening/, 15_000);
      await run('curl', ['-s', '-m', '5', '--unix-socket', local, 'http://x/']);
      expect(audit.of('forward')).toMatchObject([
        { command: 'forward unix:/run/x/docker.sock', outcome: 'blocked' },
      ]);
    } finally {
      await endProcess(child);
    }
  });

  it('listening on the device is judged too, and what comes in through it', async () => {
    audit.rules('  - {name: no, forward: "0.0.0.0", action: block}');
    const bad = await run('ssh', [
      ...alice.arguments(['-v', '-o', 'ExitOnForwardFailure=yes', '-N', '-R', `0.0.0.0:0:127.0.0.1:${port}`]),
    ]);
    expect(bad.code).not.toBe(0);
    expect(audit.of('listen')).toMatchObject([{ outcome: 'blocked' }]);
    const child = spawn('ssh', alice.arguments(['-N', '-v', '-R', `127.0.0.1:0:127.0.0.1:${port}`]), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      const line = await lineOf(child, /Allocated port \d+/, 15_000);
      const there = /Allocated port (\d+)/.exec(line)?.[1];
      const said = await run('bash', [
        '-c',
        `exec 3<>/dev/tcp/127.0.0.1/${there}; printf 'back\\n' >&3; head -n 1 <&3`,
      ]);
      expect(said.stdout).toBe('BACK\n');
      await audit.until(({ word, detail }) => word === 'forwarded' && detail.startsWith('5 bytes'), 'it');
    } finally {
      await endProcess(child);
    }
  });

  describe('SSH inside', () => {
    const inner = (more: string[] = []) =>
      run('ssh', [
        '-o',
        `ProxyCommand=ssh ${alice.arguments().slice(0, -1).join(' ')} -W 127.0.0.1:${device.port} 127.0.0.1`,
        '-o',
        `UserKnownHostsFile=${scratch.path('known_hosts_inner')}`,
        ...[
          '-F',
          'none',
          '-i',
          device.key.file,
          '-o',
          'IdentitiesOnly=yes',
          '-o',
          'StrictHostKeyChecking=accept-new',
        ],
        ...['-o', 'BatchMode=yes', '-l', device.account.name, ...more, 'inner-host', 'echo inside'],
      ]);

    it('is flagged in the log as what cannot be read', async () => {
      expect(await inner()).toMatchObject({ code: 0, stdout: 'inside\n' });
      const row = await audit.until(({ word }) => word === 'inner-ssh', 'the SSH inside');
      expect(row).toMatchObject({
        command: `ssh inside: forward 127.0.0.1:${device.port}`,
        decision: 'none',
        analysed: { protocol: 'ssh', readable: false },
      });
    });

    it('can be forbidden, and is over before either side has heard the other', async () => {
      audit.rules('  - {name: no inner, forward: "ssh://*", action: block}');
      const result = await inner();
      expect(result.code).not.toBe(0);
      expect(result.stdout).toBe('');
      expect(audit.of('inner-ssh')).toMatchObject([
        { outcome: 'blocked', rules: [{ rule: 'test/no inner' }] },
      ]);
      const forward = await audit.until(
        ({ word, detail }) => word === 'forward' && detail !== '',
        'the forward',
      );
      expect(forward.detail).toMatch(/^0 bytes to the device, 0 bytes from the device/);
      // Forwards of other things go on.
      expect(await through('127.0.0.1')).toMatchObject({ code: 0, stdout: 'HELLO\n' });
    });

    it('is approved by a second person, and then works', async () => {
      audit.rules('  - {name: ask, forward: "ssh://127.0.0.0/8", action: approve}');
      audit.approve = async () => ({ kind: 'approved', by: 'carol' });
      expect(await inner()).toMatchObject({ code: 0, stdout: 'inside\n' });
    });
  });

  it('an agent is in the log, and can be forbidden', async () => {
    const agent = execFileSync('ssh-agent', ['-s']).toString();
    const socket = /SSH_AUTH_SOCK=([^;]+)/.exec(agent)?.[1] ?? '';
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent)?.[1]);
    try {
      execFileSync('ssh-add', ['-q', key.file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      const list = () =>
        run('ssh', [
          '-o',
          `IdentityAgent=${socket}`,
          '-o',
          'ForwardAgent=yes',
          ...alice.arguments(),
          'ssh-add -L',
        ]);
      expect((await list()).stdout).toContain(key.publicKey);
      await audit.until(({ word, detail }) => word === 'agent' && /^[1-9]/.test(detail), 'the agent');
      audit.rules('  - {name: no, forward: agent, action: block, scope: {channels: [agent]}}');
      expect((await list()).stdout).not.toContain(key.publicKey);
    } finally {
      process.kill(pid);
    }
  });

  it('another subsystem is in the log with its name and its bytes', async () => {
    const result = await alice.ssh(['upcase'], { more: ['-s'], input: 'abc' });
    expect(result).toMatchObject({ code: 0, stdout: 'ABC' });
    const row = await audit.until(({ detail }) => detail.startsWith('3 bytes to'), 'the subsystem');
    expect(row.command).toBe('subsystem upcase');
  });
});
