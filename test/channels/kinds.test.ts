// Every kind of channel through the gateway: forwards both ways, SOCKS, -W, ProxyJump, agent, sftp, both scp
// protocols, several sessions on one connection; and each of them refused, with a reason, where the grant has it not.
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, startDevice } from '../harness/device.ts';
import { type KeyPair, makeKey } from '../harness/keys.ts';
import { run } from '../harness/run.ts';
import { endProcess, freePort, lineOf, Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';
import { Station } from './station.ts';

let scratch: Scratch;
let device: Device;
let key: KeyPair;
let station: Station;
let alice: SshUser;
/** A station whose grant allows a shell and nothing else. */
let narrow: Station;
let limited: SshUser;

beforeAll(async () => {
  scratch = new Scratch();
  device = await startDevice(scratch);
  key = makeKey(scratch.path('alice_key'));
  station = await Station.open(scratch, device, key, { subsystems: ['upcase'] });
  narrow = await Station.open(scratch, device, key, { channels: ['shell'] });
  const login = `alice@${device.account.name}@web1`;
  alice = new SshUser(station, login, key, scratch.path('known_hosts'));
  limited = new SshUser(narrow, login, key, scratch.path('known_hosts_narrow'));
});
afterAll(() => scratch[Symbol.asyncDispose]());

function sum(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** A server that sends back, in capitals, what it is sent, and ends when the other side has. */
async function capitals(until: 'end' | 'first' = 'end'): Promise<{ port: number; close: () => void }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (data) => {
      socket.write(data.toString().toUpperCase());
      if (until === 'first') socket.end();
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, close: () => server.close() };
}

async function say(port: number, text: string): Promise<string> {
  const result = await run('bash', [
    '-c',
    `exec 3<>/dev/tcp/127.0.0.1/${port}; printf '%s\\n' '${text}' >&3; head -n 1 <&3`,
  ]);
  return result.stdout.trim();
}

/** `ssh -v` in the background until `ready` shows, for the time of `work`. */
async function during(
  user: SshUser,
  more: string[],
  ready: RegExp,
  work: () => Promise<void>,
): Promise<void> {
  const child = spawn('ssh', user.arguments(['-N', '-v', ...more]), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await lineOf(child, ready, 15_000);
    await work();
  } finally {
    await endProcess(child);
  }
}

describe('forwards', () => {
  it('-L reaches what the device reaches', async () => {
    const server = await capitals();
    const port = await freePort();
    await during(
      alice,
      ['-L', `127.0.0.1:${port}:127.0.0.1:${server.port}`],
      /Local forwarding listening/,
      async () => {
        const answers = await Promise.all(['one', 'two', 'three'].map((word) => say(port, word)));
        expect(answers).toEqual(['ONE', 'TWO', 'THREE']);
      },
    );
    server.close();
  });

  it('-R brings the device back to the client, also on a port that the device chooses', async () => {
    const server = await capitals();
    const child = spawn('ssh', alice.arguments(['-N', '-v', '-R', `127.0.0.1:0:127.0.0.1:${server.port}`]), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      const line = await lineOf(child, /Allocated port \d+/, 15_000);
      const port = Number(/Allocated port (\d+)/.exec(line)?.[1]);
      expect(await say(port, 'back')).toBe('BACK');
    } finally {
      await endProcess(child);
      server.close();
    }
  });

  it('-D works as a SOCKS proxy', async () => {
    const server = await capitals('first');
    const port = await freePort();
    await during(alice, ['-D', `127.0.0.1:${port}`], /Local forwarding listening/, async () => {
      const result = await run(
        'curl',
        [
          '-s',
          '--http0.9',
          '-m',
          '5',
          '--socks5-hostname',
          `127.0.0.1:${port}`,
          `telnet://127.0.0.1:${server.port}`,
        ],
        { input: 'word\n' },
      );
      expect(result.stdout).toBe('WORD\n');
    });
    server.close();
  });

  it('-W carries one connection, half-closed by the client', async () => {
    const server = await capitals();
    const result = await run('ssh', alice.arguments(['-W', `127.0.0.1:${server.port}`]), {
      input: 'through\n',
    });
    expect(result).toMatchObject({ code: 0, stdout: 'THROUGH\n' });
    server.close();
  });

  it('a Unix socket works both ways', async () => {
    const here = scratch.path('here.sock');
    const there = `${device.account.home}/there.sock`;
    const server = await capitals('first');
    await during(alice, ['-R', `${there}:127.0.0.1:${server.port}`], /remote forward success/, async () => {
      await during(alice, ['-L', `${here}:${there}`], /Local forwarding listening/, async () => {
        const result = await run('curl', [
          '-s',
          '--http0.9',
          '-m',
          '5',
          '--unix-socket',
          here,
          'http://x/abc',
        ]);
        expect(result.stdout).toContain('GET /ABC');
      });
    });
    server.close();
  });

  it('to a port that nobody listens on fail with the reason of the device', async () => {
    const port = await freePort();
    const result = await run('ssh', alice.arguments(['-v', '-W', `127.0.0.1:${port}`]));
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/open failed: connect failed: Connection refused/);
  });
});

describe('ProxyJump', () => {
  function jump(host: string, account = device.account.name): string[] {
    const proxy = `ssh -v ${alice.options.join(' ')} -p ${station.port} -l alice -W %h:%p 127.0.0.1`;
    return [
      '-o',
      `UserKnownHostsFile=${scratch.path('known_hosts_inner')}`,
      ...alice.options,
      '-o',
      `ProxyCommand=${proxy}`,
      '-p',
      String(device.port),
      '-l',
      account,
      host,
    ];
  }

  it('is terminated by the gateway, which records the session inside', async () => {
    const before = station.starts.length;
    const result = await run('ssh', [...jump('web1'), 'echo inside; exit 3']);
    expect(result).toMatchObject({ code: 3, stdout: 'inside\n' });
    expect(station.starts[before]).toMatchObject({ via: 'jump', user: { name: 'alice' } });
    expect(station.recorders[before]?.text('output')).toBe('inside\n');
    await station.ended(before);
    const inner = readFileSync(scratch.path('known_hosts_inner'), 'utf8');
    expect(inner).not.toContain(device.hostKey);
  });

  it('also takes the address of the device', async () => {
    expect(await run('ssh', [...jump('127.0.0.1'), 'echo by address'])).toMatchObject({
      stdout: 'by address\n',
    });
  });

  it('carries megabytes both ways unchanged', async () => {
    const data = randomBytes(16_000_000);
    const result = await run('ssh', [...jump('web1'), 'cat'], { input: data });
    expect(sum(result.output)).toBe(sum(data));
  });

  it('to anything else is refused with a reason, and noted', async () => {
    const result = await run('ssh', jump('elsewhere'));
    expect(result.code).toBe(255);
    expect(result.stderr).toContain('is not a device that you may reach');
    expect(station.refusals.at(-1)).toMatchObject({ user: 'alice', code: 'not-granted' });
  });
});

describe('files', () => {
  const data = randomBytes(3_000_000);

  it.each([
    ['sftp protocol', []],
    ['old protocol', ['-O']],
  ])('scp by %s brings them there and back', async (_name, more) => {
    const local = scratch.path('up.bin');
    writeFileSync(local, data);
    expect(await alice.scp([...more, local, alice.remote('up.bin')])).toMatchObject({ code: 0, stderr: '' });
    expect(await alice.scp([...more, alice.remote('up.bin'), scratch.path('down.bin')])).toMatchObject({
      code: 0,
    });
    expect(sum(readFileSync(scratch.path('down.bin')))).toBe(sum(data));
  });

  it('sftp does', async () => {
    const local = scratch.path('sftp.bin');
    writeFileSync(local, data);
    const result = await alice.sftp([
      `put ${local} s.bin`,
      `get s.bin ${scratch.path('sftp-back.bin')}`,
      'ls',
    ]);
    expect(result).toMatchObject({ code: 0 });
    expect(sum(readFileSync(scratch.path('sftp-back.bin')))).toBe(sum(data));
  });

  it('a subsystem that the grant names works, another does not', async () => {
    expect(await alice.ssh(['upcase'], { more: ['-s'], input: 'abc' })).toMatchObject({
      code: 0,
      stdout: 'ABC',
    });
    const other = await alice.ssh(['netconf'], { more: ['-s'] });
    expect(other.code).toBe(255);
    expect(other.stderr).toContain('does not include the subsystem "netconf"');
  });
});

describe('several sessions on one connection', () => {
  it('share it, each with its own status', async () => {
    const socket = scratch.path('mux');
    const control = ['-o', `ControlPath=${socket}`];
    const before = station.starts.length;
    await during(
      alice,
      ['-M', ...control],
      /Entering interactive session|multiplexing control connection/,
      async () => {
        const results = await Promise.all(
          [1, 2, 3, 4, 5].map((status) => alice.ssh([`echo ${status}; exit ${status}`], { more: control })),
        );
        expect(results.map((result) => [result.code, result.stdout])).toEqual(
          [1, 2, 3, 4, 5].map((status) => [status, `${status}\n`]),
        );
        expect(station.starts.length).toBe(before + 1);
        expect(station.recorders.at(-1)?.events.filter((event) => event.kind === 'started').length).toBe(5);
      },
    );
    expect((await station.ended(before)).reason).toBe('client-closed');
  });
});

describe('an agent', () => {
  it('is reachable from the device', async () => {
    const agent = execFileSync('ssh-agent', ['-s']).toString();
    const socket = /SSH_AUTH_SOCK=([^;]+)/.exec(agent)?.[1] ?? '';
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent)?.[1]);
    try {
      execFileSync('ssh-add', ['-q', key.file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      const options = ['-o', `IdentityAgent=${socket}`, '-o', 'ForwardAgent=yes'];
      const result = await run('ssh', [...options, ...alice.arguments(), 'ssh-add -L']);
      expect(result.stdout).toContain(key.publicKey);
    } finally {
      process.kill(pid);
    }
  });
});

describe('what a grant does not include', () => {
  it.each([
    ['a command', async () => limited.ssh(['id']), /does not include running commands/],
    [
      'scp',
      async () => limited.scp(['-O', key.file, limited.remote('x')]),
      /does not include copying files with scp/,
    ],
    ['sftp', async () => limited.sftp(['ls']), /does not include sftp/],
    [
      'a forward',
      async () => run('ssh', limited.arguments(['-v', '-W', '127.0.0.1:1'])),
      /does not include forwarding/,
    ],
  ])('%s is refused with a reason', async (_name, attempt, reason) => {
    const before = narrow.refusals.length;
    const result = await attempt();
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(reason);
    expect(narrow.refusals.length).toBeGreaterThan(before);
  });

  it('an agent or a remote forward is not there', async () => {
    const result = await limited.ssh([], {
      more: ['-A', '-v', '-R', '127.0.0.1:0:127.0.0.1:1', '-T'],
      input: 'echo sock=$SSH_AUTH_SOCK.\n',
    });
    expect(result.stdout).toContain('sock=.');
    expect(result.stderr).toMatch(/remote port forwarding failed/);
  });

  it('a device without a grant is refused before anything is dialled', async () => {
    const before = station.starts.length;
    const result = await alice.as('alice@root@db9').ssh(['id']);
    expect(result).toMatchObject({ code: 255, stdout: '' });
    expect(result.stderr).toContain('You may not reach db9. Ask carol');
    expect(station.starts.length).toBe(before);
  });
});
