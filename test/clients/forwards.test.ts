// Forwards, jumps and the agent, as OpenSSH's client asks for them.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { have, haveSshd } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { freePort } from '../harness/scratch.ts';
import { openSite, type Site, straight } from '../harness/site.ts';

/** Answers each connection with what it sent, in capitals, once it has ended its side. */
async function shout(): Promise<{ port: number; close(): void }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    text(socket).then(
      (said) => socket.end(said.toUpperCase()),
      () => undefined,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, close: () => server.close() };
}

async function say(socket: Socket, words: string): Promise<string> {
  socket.on('error', () => undefined);
  socket.end(words);
  return text(socket);
}

describe.skipIf(!haveSshd)('forwards', () => {
  let site: Site;
  let service: { port: number; close(): void };
  beforeAll(async () => {
    site = await openSite();
    service = await shout();
  });
  afterAll(async () => {
    service?.close();
    await site?.[Symbol.asyncDispose]();
  });

  /** A connection in the background with these options; ends with `close`. */
  async function background(more: readonly string[]): Promise<() => Promise<void>> {
    const socket = site.scratch.path(`c${Math.random().toString(36).slice(2, 8)}`);
    const options = ['-M', '-S', socket, '-f', '-N', '-o', 'ExitOnForwardFailure=yes', ...more];
    // -f leaves a process that holds stderr; it must not hold this test.
    const { code, stderr } = await run('sh', [
      '-c',
      '"$@" 2>"$0.err" >/dev/null; s=$?; cat "$0.err" >&2; exit $s',
      socket,
      'ssh',
      ...site.alice.arguments(options),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return async () => {
      await run('ssh', ['-S', socket, '-O', 'exit', 'x']);
    };
  }

  it('-L carries both ways, with a half-close, many at once', async () => {
    const port = await freePort();
    const close = await background(['-L', `127.0.0.1:${port}:127.0.0.1:${service.port}`]);
    const words = Array.from({ length: 20 }, (_, n) => `hello ${n} `.repeat(2000));
    const answers = await Promise.all(words.map((word) => say(connect(port, '127.0.0.1'), word)));
    expect(answers).toEqual(words.map((word) => word.toUpperCase()));
    await close();
  });

  it('-L to a port where nobody listens ends that connection alone', async () => {
    const [port, dead] = [await freePort(), await freePort()];
    const close = await background(['-L', `127.0.0.1:${port}:127.0.0.1:${dead}`]);
    expect(await say(connect(port, '127.0.0.1'), 'x').catch(() => '')).toBe('');
    expect((await site.alice.ssh(['echo alive'])).stdout).toBe('alive\n');
    await close();
  });

  it('-R listens on the device, on a port of its choice too', async () => {
    const port = await freePort();
    const close = await background(['-R', `127.0.0.1:${port}:127.0.0.1:${service.port}`]);
    expect(await say(connect(port, '127.0.0.1'), 'back')).toBe('BACK');
    await close();
    const { stderr, stdout } = await site.alice.ssh(['sleep 0.5; echo ok'], {
      more: ['-v', '-R', `127.0.0.1:0:127.0.0.1:${service.port}`],
    });
    expect(stdout).toBe('ok\n');
    expect(stderr).toMatch(/Allocated port \d+ for remote forward/);
  });

  it('-R ends on request, while the connection lives on', async () => {
    const port = await freePort();
    const socket = site.scratch.path('r-cancel');
    const more = [
      '-M',
      '-S',
      socket,
      '-f',
      '-N',
      '-o',
      'ExitOnForwardFailure=yes',
      '-R',
      `127.0.0.1:${port}:127.0.0.1:${service.port}`,
    ];
    await run('sh', ['-c', '"$@" >/dev/null 2>&1', 'sh', 'ssh', ...site.alice.arguments(more)]);
    expect(await say(connect(port, '127.0.0.1'), 'a')).toBe('A');
    const forward = `127.0.0.1:${port}:127.0.0.1:${service.port}`;
    const cancelled = await run('ssh', ['-S', socket, '-O', 'cancel', '-R', forward, 'x']);
    expect(cancelled.code).toBe(0);
    // The client doesn't wait for the answer to its request, so the port may take a connection or two yet.
    const gone = `for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null || exit 0; sleep 0.1; done; exit 1`;
    expect((await run('bash', ['-c', gone])).code).toBe(0);
    const alive = await run('ssh', [
      '-S',
      socket,
      '-l',
      site.alice.login,
      site.alice.endpoint.host,
      'echo on',
    ]);
    expect(alive.stdout).toBe('on\n');
    await run('ssh', ['-S', socket, '-O', 'exit', 'x']);
  });

  it.skipIf(!have('curl', '/usr/bin/python3'))('-D serves as a SOCKS proxy', async () => {
    const [port, web] = [await freePort(), await freePort()];
    const server = site.scratch.start(
      '/usr/bin/python3',
      ['-m', 'http.server', '--bind', '127.0.0.1', String(web)],
      {
        stdio: 'ignore',
        cwd: site.scratch.folder,
      },
    );
    const close = await background(['-D', `127.0.0.1:${port}`]);
    const { stdout, stderr } = await run('curl', [
      '-s',
      '--retry-connrefused',
      '--retry',
      '20',
      '--retry-all-errors',
      '--retry-delay',
      '1',
      '--socks5-hostname',
      `127.0.0.1:${port}`,
      `http://127.0.0.1:${web}/`,
    ]);
    expect({ stdout, stderr }).toMatchObject({ stdout: expect.stringContaining('Directory listing') });
    server.kill();
    await close();
  });

  it('-W carries stdin and stdout to an address', async () => {
    const { stdout } = await run('ssh', site.alice.arguments(['-W', `127.0.0.1:${service.port}`]), {
      input: 'through',
    });
    expect(stdout).toBe('THROUGH');
  });

  it('-L and -R carry UNIX sockets', async () => {
    const port = await freePort();
    const path = `/tmp/sp-${port}.sock`;
    rmSync(path, { force: true });
    const closeRemote = await background(['-R', `${path}:127.0.0.1:${service.port}`]);
    const closeLocal = await background(['-L', `127.0.0.1:${port}:${path}`]);
    expect(await say(connect(port, '127.0.0.1'), 'socket')).toBe('SOCKET');
    await closeLocal();
    await closeRemote();
  });

  it('-A lets the device use the agent, and only with -A (defect D11)', async () => {
    const socket = site.scratch.path('agent');
    site.scratch.start('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    await run('sh', ['-c', `for i in $(seq 50); do [ -S ${socket} ] && exit; sleep 0.1; done`]);
    const env = { SSH_AUTH_SOCK: socket };
    execFileSync('ssh-add', ['-q', site.key.file], { env: { ...process.env, ...env } });
    const agent = ['-o', `IdentityAgent=${socket}`];
    const options = site.alice.arguments().filter((word) => word !== '-o' && word !== 'IdentityAgent=none');
    const words = options.flatMap((word) => (/^[A-Z]\w+=/.test(word) ? ['-o', word] : [word]));
    const listed = await run('ssh', [...agent, '-A', ...words, 'ssh-add -L'], { env });
    expect(listed.stdout).toContain(site.key.publicKey.split(' ')[1]);
    const without = await run('ssh', [...agent, ...words, 'ssh-add -L'], { env });
    expect(without.stdout).not.toContain('ssh-ed25519');
  });

  it.skipIf(!have('xauth'))('-X shows the device a display', async () => {
    const { stdout, stderr } = await site.alice.ssh(['echo "[$DISPLAY]"; xauth list | wc -l'], {
      more: ['-X', '-o', 'ForwardX11Trusted=yes', '-o', `XAuthLocation=/usr/bin/xauth`],
      env: { DISPLAY: '127.0.0.1:99' },
    });
    expect({ stdout, stderr }).toMatchObject({
      stdout: expect.stringMatching(/^\[(localhost|127\.0\.0\.1):\d+\.0\]\n1\n$/),
    });
  });
});

describe.skipIf(!haveSshd || straight)('ssh -J through the gateway', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  /** ssh's arguments: the jump needs options of its own, which `-J` takes from a configuration file. */
  function jump(device: string, more: readonly string[] = []): string[] {
    const { alice, gateway, device: target } = site;
    const options = alice.options
      .slice(2)
      .map((word) => `'${word}'`)
      .join(' ');
    const proxy = `ssh -F none ${options} -p ${gateway.port} -l alice -W '[%h]:%p' ${gateway.host}`;
    return [...alice.options, '-o', `ProxyCommand=${proxy}`, ...more, '-l', target.account.name, device];
  }

  it('opens a device by its name, with the exit code', async () => {
    const result = await run('ssh', [...jump('web1'), 'id -un; exit 9']);
    expect(result).toMatchObject({ code: 9, stdout: `${site.device.account.name}\n` });
  });

  it('works with -J itself and a configuration file', async () => {
    const { writeFileSync } = await import('node:fs');
    const file = site.scratch.path('ssh_config');
    const { alice, gateway, device } = site;
    writeFileSync(
      file,
      [
        'Host *',
        `  IdentityFile ${alice.key.file}`,
        '  IdentitiesOnly yes',
        '  BatchMode yes',
        '  StrictHostKeyChecking accept-new',
        `  UserKnownHostsFile ${alice.knownHosts}`,
      ].join('\n'),
    );
    const result = await run(
      'ssh',
      [
        '-F',
        file,
        '-J',
        `alice@${gateway.host}:${gateway.port}`,
        `${device.account.name}@web1`,
        'cat; echo jumped',
      ],
      { input: 'in\n' },
    );
    expect(result).toMatchObject({ code: 0, stdout: 'in\njumped\n' });
  });

  it('shows the gateway, not the device, as the inner server', async () => {
    const { stdout, stderr } = await run('ssh', [...jump('web1', ['-v']), 'true']);
    expect(stdout + stderr).not.toContain(site.device.hostKey.split(' ')[1]);
    const rows = await site.gateway.rows('session', 'list');
    expect(rows.length).toBeGreaterThan(0);
  });

  it('refuses a device that is not granted, without telling whether it exists', async () => {
    const granted = await run('ssh', [...jump('vault1'), 'true']);
    const unknown = await run('ssh', [...jump('nowhere9'), 'true']);
    expect(granted.code).toBe(255);
    expect(unknown.code).toBe(255);
    expect(granted.stderr.replaceAll('vault1', 'X')).toBe(unknown.stderr.replaceAll('nowhere9', 'X'));
  });

  it('refuses any other port and address', async () => {
    const { code } = await run(
      'ssh',
      site.alice.as('alice').arguments(['-W', `127.0.0.1:${site.device.port}`]),
    );
    expect(code).not.toBe(0);
  });

  it('carries sftp and scp', async () => {
    const file = site.scratch.path('by-jump');
    execFileSync('sh', ['-c', `head -c 3000000 /dev/urandom > ${file}`]);
    const proxy = jump('web1').slice(0, -3);
    const target = `${site.device.account.name}@web1`;
    const put = await run('scp', [...proxy, file, `${target}:by-jump`]);
    expect(put).toMatchObject({ code: 0 });
    const got = await run('scp', [...proxy, `${target}:by-jump`, `${file}.back`]);
    expect(got).toMatchObject({ code: 0 });
    expect((await run('cmp', [file, `${file}.back`])).code).toBe(0);
  });
});
