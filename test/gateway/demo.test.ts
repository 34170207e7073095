// The demo as somebody tries it: start it, read the screen, type what it says.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command } from '../harness/gateway.ts';
import { type RunResult, run } from '../harness/run.ts';
import { freePort, Scratch } from '../harness/scratch.ts';
import { type TypedTerminal, typeAt } from '../harness/terminal.ts';

describe('sallyport demo', () => {
  const scratch = new Scratch();
  const known = scratch.path('ssh_config');
  let port = 0;
  let demo: TypedTerminal;
  const passwords = new Map<string, string>();
  beforeAll(async () => {
    port = await freePort();
    demo = typeAt(
      command,
      ['demo', '--port', String(port), '--console-port', '0', '--data', scratch.path('demo')],
      {
        columns: 80,
        rows: 24,
      },
    );
    const screen = await demo.until('Ctrl-C ends the demo.', 60_000);
    for (const [, name, password] of screen.matchAll(/^ {2}(\w+) +([a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}) /gm))
      passwords.set(name ?? '', password ?? '');
    writeFileSync(
      known,
      `Host *\n StrictHostKeyChecking accept-new\n UserKnownHostsFile ${scratch.path('known')}\n`,
    );
  });
  afterAll(async () => {
    demo?.[Symbol.dispose]();
    await scratch[Symbol.asyncDispose]();
  });

  const as = (user: string, program: string, args: readonly string[], input = ''): Promise<RunResult> => {
    const ask = scratch.path(`ask-${user}`);
    writeFileSync(ask, `#!/bin/sh\necho '${passwords.get(user)}'\n`, { mode: 0o700 });
    return run(program, ['-F', known, ...args], {
      input,
      env: { SSH_ASKPASS: ask, SSH_ASKPASS_REQUIRE: 'force' },
    });
  };
  const target = (login: string): string[] => ['-p', String(port), `${login}@127.0.0.1`];

  it('fits on one screen and names four users', () => {
    const lines = demo.shown.trim().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    // The folder is this test's own, and may have any length.
    const fixed = lines.filter((line) => !line.includes('export SALLYPORT_DATA='));
    expect(fixed.length).toBe(lines.length - 1);
    expect(Math.max(...fixed.map((line) => line.trimEnd().length))).toBeLessThanOrEqual(80);
    expect([...passwords.keys()]).toEqual(['alice', 'bob', 'carol', 'dave']);
    expect(new Set(passwords.values()).size).toBe(4);
  });

  it('runs a command on a device, with its exit status', async () => {
    const result = await as('alice', 'ssh', [...target('alice@deploy@web1'), 'echo "$USER"; pwd; exit 7']);
    expect(result.stdout).toMatch(/^deploy\n.*deploy-web1\n$/);
    expect(result.code).toBe(7);
  });

  it('is reached through ProxyJump', async () => {
    const result = await as('alice', 'ssh', [
      '-J',
      `alice@127.0.0.1:${port}`,
      'postgres@db1',
      'echo "$USER"',
    ]);
    expect(result.stdout, result.stderr).toBe('postgres\n');
  });

  it('takes and gives files, by sftp and by scp', async () => {
    const file = scratch.path('file');
    writeFileSync(file, Buffer.alloc(3_000_000, 'sally'));
    const remote = 'alice@deploy@web1@127.0.0.1:';
    const up = await as('alice', 'scp', ['-P', String(port), file, `${remote}copy`]);
    expect(up.code, up.stderr).toBe(0);
    const down = await as('alice', 'scp', ['-P', String(port), `${remote}copy`, scratch.path('back')]);
    expect(down.code, down.stderr).toBe(0);
    expect(readFileSync(scratch.path('back')).equals(readFileSync(file))).toBe(true);
    const script = 'mkdir there\nrename copy there/copy\nls there\nrm there/copy\nrmdir there\n';
    const session = await as('alice', 'sftp', ['-P', String(port), remote.slice(0, -1)], script);
    expect(session.code, session.stderr).toBe(0);
    expect(session.stdout).toContain('there/copy');
  });

  it('shows bob a code that works once', async () => {
    demo.type('\r');
    const code = /(\d{6})/.exec(await demo.until(/one-time code: \d{6}/))?.[1];
    expect(code).toHaveLength(new TOTP().digits);
    using terminal = typeAt('ssh', ['-F', known, ...target('bob@deploy@web1')]);
    await terminal.until('Password:');
    terminal.type(`${passwords.get('bob')}\r`);
    await terminal.until('One-time code:');
    terminal.type(`${code}\r`);
    await terminal.until('deploy@web1:~$ ');
    terminal.resize(101, 37);
    terminal.type('stty size; exit 5\r');
    await terminal.until('37 101');
    expect((await terminal.ended()).code).toBe(5);
  });

  it('keeps bob from what is not his, and carol from everything', async () => {
    using terminal = typeAt('ssh', ['-F', known, ...target('carol')]);
    await terminal.until('Password:');
    terminal.type(`${passwords.get('carol')}\r`);
    await terminal.until('Nothing is granted to you');
  });

  it('never shows the devices’ own passwords', async () => {
    expect(readFileSync(scratch.path('demo', 'gateway.log'), 'utf8')).not.toMatch(
      /password":"(?!\[redacted)/,
    );
    for (const password of passwords.values())
      expect(readFileSync(scratch.path('demo', 'gateway.log'), 'utf8')).not.toContain(password);
  });

  it('ends with Ctrl-C, and leaves no socket behind', async () => {
    demo.type('\u0003');
    await demo.until('The demo has ended.');
    expect(await demo.ended()).toEqual({ code: 0, signal: 0 });
    expect(existsSync(scratch.path('demo', 'control.sock'))).toBe(false);
  });
});
