// Attacks that go round a shell's prompt: row 23 (commands, shells without a prompt, scripts on standard input, files) and
// row 27 (multiplexers inside) of the list; and the ways in which a rule asks instead of refusing.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { PROMPT, Stage, untilDone, untilStopped } from './stage.ts';

const able = isRoot && haveSshd;
let stage: Stage;
let number = 0;
const canaryName = (): string => `e${++number}`;
const touching = (canary: string): RegExp => new RegExp(`touch.*${canary}`, 's');

describe.skipIf(!able)('attacks on other channels', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash']);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  it('23: an exec request is refused with 126 and the reason on its error stream', async () => {
    const canary = canaryName();
    const result = await stage.user('alice', 'bash').ssh([`touch ${canary}`]);
    expect(result.code).toBe(126);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(/Not run.*rule canary\/touch/);
    expect(result.stderr).toMatch(/carol/);
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('23: an exec request with a terminal', async () => {
    const canary = canaryName();
    using terminal = stage.user('alice', 'bash').terminal([`env touch ${canary}`]);
    await terminal.until('Not run');
    expect((await terminal.ended()).code).toBe(126);
    stage.expectStopped('bash', canary, touching(canary));
  });

  it("23: ssh -t host 'bash -l'", async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash', ['bash -l']);
    terminal.type(`touch ${canary}\r`);
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  for (const command of [[], ['bash'], ['sh -s'], ['exec bash -l']]) {
    it(`23: a script on the standard input of ${command[0] ?? 'a shell without a terminal'}`, async () => {
      const canary = canaryName();
      const result = await stage.user('alice', 'bash').ssh(command, {
        input: `echo one\ncat <<'E'\ntouch this-is-text\nE\nif true; then\n  touch ${canary}\nfi\necho two\n`,
        more: ['-T'],
      });
      expect(result.stdout).toBe('one\ntouch this-is-text\n');
      expect(result.stderr).toMatch(/Not run, and nothing after it/);
      expect(result.code).toBe(126);
      stage.expectStopped('bash', canary, touching(canary));
    });
  }

  it('23: a script on standard input runs whole when nothing speaks against it', async () => {
    const lines = Array.from({ length: 500 }, (_, index) => `echo ${index}\n`).join('');
    const result = await stage
      .user('alice', 'bash')
      .ssh(['bash'], { input: `${lines}cat <<E\n$((1 + 1))\nE\nexit 3` });
    expect(result.code).toBe(3);
    expect(result.stdout.split('\n').slice(-3)).toEqual(['499', '2', '']);
  });

  it('23: NUL bytes that the shell drops', async () => {
    const canary = canaryName();
    const result = await stage
      .user('alice', 'bash')
      .ssh(['bash'], { input: Buffer.from(`to\0uch ${canary}\n`) });
    expect(result.code).not.toBe(0);
    stage.expectStopped('bash', canary, /to.?uch/);
  });

  it('23: input of an interpreter is denied where the unknown is, else measured and hashed', async () => {
    const canary = canaryName();
    const program = `open("${canary}", "w")\n`;
    const denied = await stage.user('bob', 'bash').ssh(['python3', '-'], { input: program });
    expect(denied.code).toBe(126);
    stage.expectStopped('bash', canary, /python3/);
    const let_ = await stage.user('alice', 'bash').ssh(['python3', '-'], { input: 'print("seen")\n' });
    expect(let_.stdout).toBe('seen\n');
    const rows = await stage.log();
    expect(rows.some((row) => /input of python3: 14 bytes, SHA-256 [0-9a-f]{64}/.test(row.command))).toBe(
      true,
    );
  });

  it('23: a shell that an interpreter is started in gets no more than is judged', async () => {
    const canary = canaryName();
    const result = await stage
      .user('bob', 'bash')
      .ssh(['bash'], { input: `echo one\npython3\nimport os\nos.system("touch ${canary}")\n` });
    expect(result.stdout).toBe('one\n');
    stage.expectStopped('bash', canary, /python3/);
  });

  it('23: a file put there by sftp and run', async () => {
    const canary = canaryName();
    const file = stage.scratch.path('script.sh');
    writeFileSync(file, `touch ${canary}\n`);
    await stage.user('bob', 'bash').sftp([`put ${file} script.sh`]);
    const result = await stage.user('bob', 'bash').ssh(['sh script.sh']);
    expect(result.code).toBe(126);
    stage.expectStopped('bash', canary, /sh script\.sh/);
  });

  it.skipIf(!have('tmux'))('27: a multiplexer inside', async () => {
    const canary = canaryName();
    writeFileSync(join(stage.home('bash'), '.tmux.conf'), 'set -g status off\n');
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('tmux -f ~/.tmux.conf new -s inner\r');
    await terminal.until(PROMPT);
    terminal.type(`touch ${canary}\r`);
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    expect(stage.exists('bash', canary)).toBe(false);
    terminal.type('tmux kill-server\r');
    await terminal.until('exited');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('are all in the log as what they were', async () => {
    await stage.expectLogged();
  });
});
