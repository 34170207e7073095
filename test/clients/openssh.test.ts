// OpenSSH's ssh through the gateway: commands, shells, terminals, ends of streams, exit codes and signals, re-keying.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { haveSshd } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { openSite, type Site, straight } from '../harness/site.ts';

describe.skipIf(!haveSshd)('ssh', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  describe('runs a command', () => {
    it('with its output, errors and exit code', async () => {
      const result = await site.alice.ssh(['echo out; echo err >&2; exit 7']);
      expect(result).toMatchObject({ code: 7, stdout: 'out\n', stderr: 'err\n' });
    });

    it('as the account of the credential, with arguments untouched', async () => {
      const { stdout } = await site.alice.ssh(['id -un; printf "[%s]" "a  b" \'$HOME\' "é"']);
      expect(stdout).toBe(`${site.device.account.name}\n[a  b][$HOME][é]`);
    });

    it('with all of stdin, and its end', async () => {
      const input = randomBytes(3_000_000);
      const { stdout } = await site.alice.ssh(['sha256sum; echo after-eof'], { input });
      expect(stdout).toBe(`${createHash('sha256').update(input).digest('hex')}  -\nafter-eof\n`);
    });

    it('whose output goes on after stdin has ended', async () => {
      const { stdout, code } = await site.alice.ssh(['cat; echo one; exec 1>&-; exit 3'], { input: 'in\n' });
      expect({ stdout, code }).toEqual({ stdout: 'in\none\n', code: 3 });
    });

    it('that closes its output early while stdin goes on', async () => {
      const { stdout, code, timedOut } = await run('sh', [
        '-c',
        'yes | "$@" "head -n 1"',
        'sh',
        'ssh',
        ...site.alice.arguments(),
      ]);
      expect({ stdout, code, timedOut }).toEqual({ stdout: 'y\n', code: 0, timedOut: false });
    });

    it('without stdin (-n)', async () => {
      const { stdout, timedOut } = await site.alice.ssh(['cat; echo done'], {
        more: ['-n'],
        holdInput: true,
      });
      expect({ stdout, timedOut }).toEqual({ stdout: 'done\n', timedOut: false });
    });

    it('with 20 MB of errors, none lost', async () => {
      const { stderr, code } = await site.alice.ssh(['head -c 20000000 /dev/zero | tr "\\0" e >&2; exit 4']);
      expect(stderr.length).toBe(20_000_000);
      expect(/^e*$/.test(stderr)).toBe(true);
      expect(code).toBe(4);
    });

    it('with 8 MB on output and errors at once', async () => {
      const flood = 'head -c 8000000 /dev/zero';
      const { stdout, stderr } = await site.alice.ssh([`${flood} & ${flood} >&2; wait`]);
      expect([stdout.length, stderr.length]).toEqual([8_000_000, 8_000_000]);
    });

    it('that is killed: the client is told the signal', async () => {
      const { code, stderr } = await site.alice.ssh(['kill -9 $$'], { more: ['-v'] });
      expect(code).toBe(255);
      expect(stderr).toMatch(/client_input_channel_req: channel \d+ rtype exit-signal/);
    });

    it('with a variable whose name is allowed, and not with another', async () => {
      const { stdout } = await site.alice.ssh(['echo "[$LC_TEST][$SECRET_TEST]"'], {
        more: ['-o', 'SendEnv=LC_TEST', '-o', 'SendEnv=SECRET_TEST'],
        env: { LC_TEST: 'yes', SECRET_TEST: 'no' },
      });
      expect(stdout).toBe('[yes][]\n');
    });

    it('named as a subsystem', async () => {
      const { stdout } = await site.alice.ssh(['upcase'], { more: ['-s'], input: 'quiet\n' });
      expect(stdout).toBe('QUIET\n');
    }, 40_000);
  });

  describe('gives a shell', () => {
    it('in a terminal, of the right kind and size, resized in mid-session', async () => {
      using terminal = site.alice.terminal();
      await terminal.until('device$ ');
      terminal.type('stty size; echo "$TERM"; tty >/dev/null && echo is-a-tty\r');
      await terminal.until('24 80\r\nxterm-256color\r\nis-a-tty\r\n');
      await terminal.until('device$ ');
      terminal.resize(132, 50);
      terminal.type('until [ "$(stty size)" = "50 132" ]; do read -t 0.1 x; done; echo resized-"$COLUMNS"\r');
      await terminal.until('resized-132\r\n');
      terminal.type('exit 5\r');
      expect(await terminal.ended()).toMatchObject({ code: 5 });
    });

    it('with the terminal modes of the client', async () => {
      const { alice } = site;
      const script = 'stty -F /dev/tty intr ^B; exec "$@"';
      const { typeAt } = await import('../harness/terminal.ts');
      using terminal = typeAt('sh', ['-c', script, 'sh', 'ssh', ...alice.arguments(['-tt']), 'stty -a']);
      expect(await terminal.until(/intr = [^;]+;/)).toMatch(/intr = \^B;$/);
      await terminal.ended();
    });

    it('where Ctrl-C interrupts, Ctrl-Z stops, and typing ahead is kept', async () => {
      using terminal = site.alice.terminal();
      await terminal.until('device$ ');
      terminal.type('echo begun; sleep 60\r');
      await terminal.until('begun\r\n');
      terminal.type('\u0003');
      await terminal.until('device$ ');
      terminal.type('echo ahead-1\recho ahead-2\rexit\r');
      await terminal.until(/[\r\n]ahead-1\r\n/);
      await terminal.until(/[\r\n]ahead-2\r\n/);
      await terminal.ended();
    });

    it('without a terminal, that reads a script from stdin (-T)', async () => {
      const input = 'x=1\nif test -t 0; then echo tty; else echo pipe; fi\ncat <<END\nhere $x\nEND\nexit 6\n';
      const result = await site.alice.ssh([], { more: ['-T'], input });
      expect(result).toMatchObject({ code: 6, stdout: 'pipe\nhere 1\n' });
    });

    it('that keeps its output in order and whole', async () => {
      using terminal = site.alice.terminal();
      await terminal.until('device$ ');
      terminal.type('echo; seq 1 20000; echo sum-$((40+2))\r');
      const shown = await terminal.until('sum-42\r\n', 30_000);
      const numbers = shown.split('\r\n').filter((line) => /^\d+$/.test(line));
      expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, n) => String(n + 1)));
      terminal.type('exit\r');
      await terminal.ended();
    });
  });

  it('holds a connection without a command (-N)', async () => {
    const socket = site.scratch.path('n.sock');
    const child = site.scratch.start('ssh', site.alice.arguments(['-N', '-M', '-S', socket]), {
      stdio: 'ignore',
    });
    const check = await run('sh', [
      '-c',
      `for i in $(seq 100); do ssh -S ${socket} -O check x 2>&1 && exit 0; sleep 0.1; done; exit 1`,
    ]);
    expect(check.stdout).toContain('Master running');
    await run('ssh', ['-S', socket, '-O', 'exit', 'x']);
    if (child.exitCode === null) await once(child, 'exit');
  });

  it('shares one connection between many sessions (ControlMaster)', async () => {
    const socket = site.scratch.path('m.sock');
    const master = await site.alice.ssh([], { more: ['-M', '-S', socket, '-f', '-N'] });
    expect(master.code).toBe(0);
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        run('ssh', [
          '-F',
          'none',
          '-S',
          socket,
          '-l',
          site.alice.login,
          site.alice.endpoint.host,
          `echo ${n}; exit ${n}`,
        ]),
      ),
    );
    expect(results.map(({ stdout, code }) => [stdout, code])).toEqual(
      Array.from({ length: 8 }, (_, n) => [`${n}\n`, n]),
    );
    const { code } = await run('ssh', ['-S', socket, '-O', 'exit', 'x']);
    expect(code).toBe(0);
  });

  it('keeps every byte while keys are exchanged again each 256 KB, both ways', async () => {
    const file = site.scratch.path('rekey');
    const data = randomBytes(6 * 1024 * 1024);
    writeFileSync(file, data);
    const { output, stderr, code } = await run(
      'sh',
      ['-c', '"$@" cat <"$0"', file, 'ssh', ...site.alice.arguments(['-v', '-o', 'RekeyLimit=256K'])],
      { timeout: 90_000 },
    );
    expect(code).toBe(0);
    expect(stderr.match(/rekeying in progress|SSH2_MSG_KEXINIT sent/g)?.length).toBeGreaterThan(20);
    expect(createHash('sha256').update(output).digest('hex')).toBe(
      createHash('sha256').update(data).digest('hex'),
    );
  }, 100_000);

  it.each([
    'chacha20-poly1305@openssh.com',
    'aes256-gcm@openssh.com',
    'aes128-gcm@openssh.com',
    'aes256-ctr',
  ])('works with %s', async (cipher) => {
    const { stdout } = await site.alice.ssh(['echo fine'], { more: ['-c', cipher] });
    expect(stdout).toBe('fine\n');
  });

  it('leaves nothing of the secret in sight of the user', async () => {
    const { stdout } = await site.alice.ssh(['env; cat /proc/$PPID/environ 2>/dev/null'], {});
    expect(stdout).not.toContain('PRIVATE KEY');
    expect(existsSync(site.device.key.file)).toBe(true);
  });
});

describe.skipIf(!haveSshd || straight)('ssh-keyscan', () => {
  it('finds the kinds of host keys that are offered', async () => {
    await using site = await openSite();
    const { stdout } = await run('ssh-keyscan', [
      '-T',
      '10',
      '-p',
      String(site.gateway.port),
      site.gateway.host,
    ]);
    const kinds = stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ')[1])
      .sort();
    expect(kinds).toEqual(['ssh-ed25519', 'ssh-rsa']);
  });
});
