// Attacks that go round a terminal's lines and are not on the list: commands hidden by length and depth, scripts for
// shells that are not named, servers started by other doors, requests that no client sends, terminal modes that translate
// keys, races of channels, and SSH inside a forward (row 27). Each must leave no canary behind.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client, ClientChannel } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { type RunResult, run } from '../harness/run.ts';
import { endProcess, freePort, lineOf } from '../harness/scratch.ts';
import { rawClient, type Shell, Stage } from './stage.ts';

const able = isRoot && haveSshd;
let stage: Stage;
let number = 0;
const canaryName = (): string => `g${++number}x`;
const touching = (canary: string): RegExp => new RegExp(`touch.*${canary}`, 's');

/** Everything that a channel says until it is closed. */
const said = (channel: ClientChannel): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    channel.on('data', (data: Buffer) => {
      text += data.toString();
    });
    channel.stderr.on('data', (data: Buffer) => {
      text += data.toString();
    });
    channel.once('close', () => resolve(text));
  });

describe.skipIf(!able)('attacks around lines', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash', 'dash']);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  const exec = (
    command: string,
    input?: string | Buffer,
    more: readonly string[] = ['-T'],
  ): Promise<RunResult> =>
    stage.user('alice', 'bash').ssh([command], { more, ...(input === undefined ? {} : { input }) });

  const commands: readonly [string, (canary: string) => string][] = [
    ['line ends in a command', (c) => `echo a\ntouch ${c}\necho b`],
    ['a continued word in a command', (c) => `tou\\\nch ${c}`],
    ['a command behind 30,000 characters', (c) => `echo ${'x'.repeat(30_000)}; touch ${c}`],
    [
      'a command below many shells',
      (c) => {
        let line = `touch ${c}`;
        for (let depth = 0; depth < 12; depth += 1) line = `sh -c ${JSON.stringify(line)}`;
        return line.length < 100_000
          ? line
          : `eval eval eval eval eval eval eval eval eval eval eval eval touch ${c}`;
      },
    ],
    ['git with a helper', (c) => `git clone 'ext::touch% ${c}' x`],
    ['rsync with a path of its own', (c) => `rsync --rsync-path='touch ${c}' a b:`],
    ['ssh with a local command', (c) => `ssh -o PermitLocalCommand=yes -o LocalCommand='touch ${c}' host`],
    ['at, cron and systemd', (c) => `echo 'touch ${c}' | at now; systemd-run touch ${c}`],
    ['a function in the environment', (c) => `env 'BASH_FUNC_ls%%=() { touch ${c}; }' bash -c ls`],
    ['a traced prompt', (c) => `env SHELLOPTS=xtrace PS4='$(touch ${c})' bash -c :`],
    ['keys for a multiplexer', (c) => `tmux new-session -d; tmux send-keys 'touch ${c}' Enter`],
  ];
  for (const [name, command] of commands) {
    it(name, async () => {
      const canary = canaryName();
      const result = await exec(command(canary));
      expect(result.code).toBe(126);
      stage.expectStopped('bash', canary, name.includes('many') ? /touch/ : touching(canary));
    });
  }

  const readers = [
    'cat | sh',
    '. /dev/stdin',
    '"$SHELL"',
    'bash /dev/fd/0',
    'cat | tee /dev/null | bash',
    'eval "$(cat)"',
  ];
  for (const command of readers) {
    it(`a script on the standard input of ${command}`, async () => {
      const canary = canaryName();
      const result = await exec(command, `echo one\ntouch ${canary}\necho two\n`);
      expect(result.stdout).not.toContain('two');
      expect(result.stderr).toContain('Not run');
      stage.expectStopped('bash', canary, touching(canary));
    });
  }

  it('a variable that was sent with the session', async () => {
    const canary = canaryName();
    const result = await run('ssh', [
      ...stage.user('alice', 'bash').arguments(['-T', '-o', 'SetEnv=LC_TOOL=touch']),
      `$LC_TOOL ${canary}`,
    ]);
    expect(result.code).toBe(126);
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('variables that make shells and programs run something do not reach the device', async () => {
    const names =
      'BASH_ENV ENV PROMPT_COMMAND PS1 PS4 SHELLOPTS BASHOPTS LD_PRELOAD PATH IFS GIT_SSH_COMMAND PAGER'.split(
        ' ',
      );
    const client = await rawClient(stage, 'alice', 'bash');
    try {
      const env = Object.fromEntries(names.map((name) => [name, 'sent-by-the-client']));
      const channel = await new Promise<ClientChannel>((resolve, reject) =>
        client.exec('env', { env: { ...env, LC_ALL: 'C' } }, (error, opened) =>
          error ? reject(error) : resolve(opened),
        ),
      );
      const text = await said(channel);
      expect(text).toContain('LC_ALL=C');
      expect(text).not.toContain('sent-by-the-client');
    } finally {
      client.end();
    }
    const rows = await stage.log();
    expect(rows.find(({ command }) => command === 'env')?.analysed).toMatchObject({
      environment: { LC_ALL: 'C' },
    });
  });

  it('a server of sftp that is started as a command is judged by path', async () => {
    const user = stage.user('alice', 'bash');
    const before = readFileSync(join(stage.home('bash'), '.bashrc'), 'utf8');
    const file = stage.scratch.path('evil');
    writeFileSync(file, 'echo owned\n');
    const batch = (server: string) =>
      run(
        'sftp',
        [
          ...user.options,
          '-s',
          server,
          '-P',
          String(user.endpoint.port),
          '-b',
          '-',
          `${user.login}@${user.endpoint.host}`,
        ],
        {
          input: `-put ${file} .bashrc\nput ${file} fine\n`,
        },
      );
    for (const server of ['/usr/lib/openssh/sftp-server', 'env A=b /usr/lib/openssh/sftp-server']) {
      const result = await batch(server);
      expect(result.stderr).toContain('start-up');
      expect(readFileSync(join(stage.home('bash'), '.bashrc'), 'utf8')).toBe(before);
      expect(existsSync(join(stage.home('bash'), 'fine'))).toBe(true);
    }
  });

  it('a start-up file that is copied over, by either protocol', async () => {
    const user = stage.user('alice', 'bash');
    const before = readFileSync(join(stage.home('bash'), '.bashrc'), 'utf8');
    const file = stage.scratch.path('evil');
    writeFileSync(file, 'echo owned\n');
    for (const flags of [['-O'], []]) {
      expect((await user.scp([...flags, file, user.remote('.bashrc')])).code).not.toBe(0);
    }
    expect(readFileSync(join(stage.home('bash'), '.bashrc'), 'utf8')).toBe(before);
  });

  it('a server of scp in a disguise, and one that is given crafted names', async () => {
    const before = readFileSync(join(stage.home('bash'), '.bashrc'), 'utf8');
    const records = (name: string) => `C0644 11 ${name}\necho owned\n\0`;
    for (const command of ['exec scp -t .', 'env scp -t .', 'sh -c "scp -t ."']) {
      expect((await exec(command, records('.bashrc'))).code, command).toBe(126);
    }
    for (const name of ['.bashrc', '../.bashrc', './.bashrc', 'x/../.bashrc', '.bashrc\0x']) {
      await exec('scp -t .', records(name));
      expect(readFileSync(join(stage.home('bash'), '.bashrc'), 'utf8'), name).toBe(before);
    }
  });

  it('names of subsystems that are none', async () => {
    for (const name of ['SFTP', 'sftp ', ' sftp', 'sftp\n', 'sftp;id', '/usr/lib/openssh/sftp-server', '']) {
      const client = await rawClient(stage, 'alice', 'bash');
      const outcome = await new Promise<string>((resolve) => {
        // A name that is none may end the connection.
        client.once('close', () => resolve('refused'));
        client.subsys(name, (error, channel) => {
          if (error) resolve('refused');
          else void said(channel).then(resolve);
        });
      });
      client.end();
      expect(outcome, JSON.stringify(name)).toMatch(/refused|does not include/);
    }
  });

  it('many at once do not get past a rule that counts', async () => {
    const client = await rawClient(stage, 'alice', 'bash');
    const others = await rawClient(stage, 'alice', 'bash');
    const open = (from: Client, index: number) =>
      new Promise<void>((resolve) => {
        from.exec(`mkfifo pipe-${index}`, (error, channel) => {
          if (error) resolve();
          else void said(channel).then(() => resolve());
        });
      });
    try {
      await Promise.all(
        Array.from({ length: 12 }, (_, index) => open(index % 2 === 0 ? client : others, index)),
      );
    } finally {
      client.end();
      others.end();
    }
    const made = readdirSync(stage.home('bash')).filter((name) => name.startsWith('pipe-'));
    expect(made.length).toBeLessThan(3);
  });

  describe('terminal modes that make another text of what is typed', () => {
    /** Types at a shell with these modes, then proves that the keys have had their chance. */
    const typed = async (
      shell: Shell,
      modes: Record<string, number>,
      keys: (canary: string) => readonly string[],
    ) => {
      const canary = canaryName();
      const client = await rawClient(stage, 'alice', shell);
      try {
        const channel = await new Promise<ClientChannel>((resolve, reject) =>
          client.shell({ term: 'xterm', rows: 24, cols: 80, modes }, (error, opened) =>
            error ? reject(error) : resolve(opened),
          ),
        );
        let text = '';
        let closed = false;
        channel.on('data', (data: Buffer) => {
          text += data.toString('latin1');
        });
        channel.once('close', () => {
          closed = true;
        });
        const until = (wanted: RegExp) =>
          expect
            .poll(() => closed || wanted.test(text), { timeout: 20_000, interval: 20 })
            .toBe(true)
            .catch(() => expect(text).toBe(String(wanted)));
        await until(/ready> $/);
        for (const line of keys(canary)) {
          channel.write(line);
          const from = text.length;
          await expect
            .poll(() => closed || text.length > from, { timeout: 3_000 })
            .toBe(true)
            .catch(() => undefined);
        }
        channel.write('\x03');
        channel.write(`echo fin$((1+1))\r`);
        // Without an echo nothing is certain, so that this is refused as well; and as long as no prompt is known, what was
        // typed before ^C is judged with it.
        await until(/fin2|FIN2|Not run\. "touch [\s\S]*ready> $|(?:could not be read[\s\S]*){2}/);
        expect(readdirSync(stage.home(shell)).filter((name) => name.toLowerCase().includes(canary))).toEqual(
          [],
        );
      } finally {
        client.end();
      }
    };

    for (const shell of ['bash', 'dash'] as const) {
      it(`capitals that become small letters, and look like capitals (${shell})`, () =>
        typed(shell, { IUCLC: 1, OLCUC: 1 }, (c) => [`TOUCH ${c.toUpperCase()}\r`]));
      it(`a letter that becomes a line feed (${shell})`, () =>
        typed(shell, { ISTRIP: 1 }, (c) => [`touch ${c};#\u010a`]));
      it(`a Return that is dropped (${shell})`, () =>
        typed(shell, { IGNCR: 1 }, (c) => ['tou\r', `ch ${c}\n`]));
    }
    it('a letter that erases the one before, unseen', () =>
      typed('dash', { VERASE: 0x58, ECHO: 0 }, (c) => ['PS1=\r', `tozXuch ${c}\r`]));
    it('a letter that ends the line', () =>
      typed('dash', { VEOL: 0x58, VEOL2: 0x59, VEOF: 0x5a }, (c) => [`touch ${c}\\Z`, 'X', 'Y', 'Z']));
  });

  describe('27: SSH inside a forward', () => {
    const inner = (canary: string, options: readonly string[], target = 'inner-host', port = '22') =>
      run('ssh', [
        ...[
          '-F',
          'none',
          '-i',
          stage.device('bash').key.file,
          '-o',
          'IdentitiesOnly=yes',
          '-o',
          'IdentityAgent=none',
        ],
        ...[
          '-o',
          'BatchMode=yes',
          '-o',
          'StrictHostKeyChecking=no',
          '-o',
          'UserKnownHostsFile=/dev/null',
          '-o',
          'ConnectTimeout=10',
        ],
        ...['-p', port, '-l', stage.device('bash').account.name, ...options, target, `touch ${canary}`],
      ]);
    const outer = (more: readonly string[]) => stage.user('alice', 'bash').arguments(more);
    const device = () => `127.0.0.1:${stage.device('bash').port}`;
    const refusedRow = async () =>
      expect
        .poll(
          async () =>
            (await stage.log('--outcome', 'blocked')).some(({ command }) =>
              command.includes(`ssh inside: forward ${device()}`),
            ),
          {
            timeout: 15_000,
          },
        )
        .toBe(true);

    it('by -W', async () => {
      const canary = canaryName();
      const words = outer(['-W', device()]);
      const result = await inner(canary, [
        '-o',
        `ProxyCommand=ssh ${words.map((word) => `'${word}'`).join(' ')}`,
      ]);
      expect(result.code).not.toBe(0);
      expect(stage.exists('bash', canary)).toBe(false);
      await refusedRow();
    });

    it('by -L, by -D, and by a forward added to a shared connection', async () => {
      const [local, socks, later] = [await freePort(), await freePort(), await freePort()];
      const control = stage.scratch.path('control');
      const child = spawn(
        'ssh',
        outer(['-N', '-v', '-M', '-S', control, '-L', `${local}:${device()}`, '-D', `127.0.0.1:${socks}`]),
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      try {
        await lineOf(child, /Entering interactive session|pledge: /, 20_000);
        await run('ssh', ['-F', 'none', '-S', control, '-O', 'forward', '-L', `${later}:${device()}`, 'any']);
        const [host = '', port = ''] = device().split(':');
        for (const options of [
          { options: [], target: '127.0.0.1', port: String(local) },
          { options: [], target: '127.0.0.1', port: String(later) },
          ...(have('ncat')
            ? [
                {
                  options: [
                    '-o',
                    `ProxyCommand=ncat --proxy 127.0.0.1:${socks} --proxy-type socks5 ${host} ${port}`,
                  ],
                  target: 'inner-host',
                  port: '22',
                },
              ]
            : []),
        ]) {
          const canary = canaryName();
          expect((await inner(canary, options.options, options.target, options.port)).code).not.toBe(0);
          expect(stage.exists('bash', canary)).toBe(false);
        }
      } finally {
        await endProcess(child);
      }
    });

    it('by ProxyJump, where the gateway reads what is inside', async () => {
      const canary = canaryName();
      const user = stage.user('alice', 'bash');
      const words = user.as('alice').arguments(['-W', '%h:%p']);
      const result = await run('ssh', [
        ...[
          '-F',
          'none',
          '-i',
          stage.key('alice').file,
          '-o',
          'IdentitiesOnly=yes',
          '-o',
          'IdentityAgent=none',
          '-o',
          'BatchMode=yes',
        ],
        ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
        ...[
          '-o',
          `ProxyCommand=ssh ${words.map((word) => `'${word}'`).join(' ')}`,
          '-l',
          stage.device('bash').account.name,
          'bash',
          `touch ${canary}`,
        ],
      ]);
      expect(result.code).toBe(126);
      stage.expectStopped('bash', canary, touching(canary));
    });

    it('by a tunnel device', async () => {
      const result = await run(
        'ssh',
        outer(['-v', '-o', 'ExitOnForwardFailure=yes', '-N', '-w', 'any:any']),
        { timeout: 8_000 },
      );
      expect(result.timedOut).toBe(false);
      expect(result.code).not.toBe(0);
    });
  });

  it('are all in the log as what they were', async () => {
    await stage.expectLogged();
  });
});
