// Rules that ask instead of refusing, through the whole gateway: the user confirms, proves who they are, or waits for a
// second person; rules that bite after several occurrences, and one that disables the user. And that nothing of a
// password comes into the log.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { haveSshd, isRoot } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import type { TypedTerminal } from '../harness/terminal.ts';

const PASSWORD = 'correct-horse-battery';
const RULES = `
name: asking
rules:
  - {name: confirmed, match: "mkdir **", action: confirm, message: Folders are looked at twice.}
  - {name: proven, match: "mkfifo **", action: reauthenticate}
  - {name: approved, match: "ln **", action: approve}
  - {name: third, match: "touch **", action: block, occurrences: 3}
  - {name: fatal, match: "chmod 777 **", action: interrupt, disableUser: true, scope: {users: [dora]}}
  - {name: asked file, path: "~/asked-*", access: write, action: confirm}
  - {name: shadowed, match: "rmdir **", action: block, shadow: true}
`;

interface Row {
  readonly command: string;
  readonly outcome: string;
  readonly detail: string;
  readonly rules: readonly { readonly rule: string; readonly shadow: boolean }[];
}

let site: Site;

describe.skipIf(!isRoot || !haveSshd)('rules that ask', () => {
  beforeAll(async () => {
    site = await openSite({
      directory: (_device, key) => ({
        users: [{ name: 'dora', keys: [key.publicKey], password: PASSWORD, roles: ['engineer'] }],
        grants: [{ name: 'dora', users: ['dora', 'bob'], devices: ['web1'], channels: ['shell', 'exec'] }],
      }),
    });
    const rules = join(site.gateway.folder, 'policies');
    mkdirSync(rules, { recursive: true });
    writeFileSync(join(rules, 'asking.yaml'), RULES);
    // Both workers: a session may come to either.
    const count = (text: string): number => site.gateway.log.split(text).length;
    for (let wait = 0; wait < 100 && count('"rules":7') < count('"event":"worker.up"'); wait += 1)
      await pause(200);
  });
  afterAll(() => site[Symbol.asyncDispose]());

  const open = async (user: string): Promise<TypedTerminal> => {
    const terminal = site.alice.as(`${user}@${site.device.account.name}@web1`).terminal();
    await terminal.until('device$ ');
    return terminal;
  };
  const rows = async (): Promise<readonly Row[]> => {
    const { stdout } = await site.gateway.sallyport(['command', 'list', '--json', '--limit', '1000']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Row => JSON.parse(line));
  };
  const outcomeOf = async (command: string): Promise<Row | undefined> =>
    (await rows()).find((row) => row.command === command);

  it('a command that is confirmed runs, one that is not does not', async () => {
    using terminal = await open('alice');
    terminal.type('mkdir yes; echo made\r');
    await terminal.until(/looked at twice[\s\S]*\[y\/N\]/);
    terminal.type('y\r');
    await terminal.until(/\nmade|\rmade/);
    terminal.type('mkdir no\r');
    await terminal.until('[y/N]');
    terminal.type('n\r');
    await terminal.until('did not confirm');
    await terminal.until('device$ ');
    expect(await outcomeOf('mkdir yes; echo made')).toMatchObject({ outcome: 'ran' });
    expect(await outcomeOf('mkdir no')).toMatchObject({ outcome: 'declined' });
  });

  it('a command runs when the user has proven who they are, and the password is nowhere', async () => {
    using terminal = await open('dora');
    terminal.type('mkfifo f; echo made\r');
    await terminal.until('Your password:');
    terminal.type('wrong-guess\r');
    await terminal.until('not right');
    terminal.type(`${PASSWORD}\r`);
    await terminal.until(/\nmade|\rmade/);
    expect(terminal.shown).not.toContain(PASSWORD);
    const list = await site.gateway.sallyport(['command', 'list', '--json']);
    expect(list.stdout).not.toContain(PASSWORD);
    expect(list.stdout).not.toContain('wrong-guess');
    expect(site.gateway.log).not.toContain(PASSWORD);
  });

  it('a command waits for a second person, who may also say no', async () => {
    using terminal = await open('alice');
    terminal.type('ln -s a approved-link; echo linked\r');
    const asked = /session approve ([0-9a-f-]{36})/.exec(
      await terminal.until(/session approve [0-9a-f-]{36}/),
    );
    const [waiting] = await site.gateway.rows('session', 'approvals');
    expect(waiting).toMatchObject({
      id: asked?.[1],
      user: 'alice',
      command: 'ln -s a approved-link; echo linked',
    });
    expect((await site.gateway.sallyport(['session', 'approve', asked?.[1] ?? ''])).code).toBe(0);
    await terminal.until(/\nlinked|\rlinked/);
    terminal.type('ln -s a denied-link\r');
    const again = /session approve ([0-9a-f-]{36})/.exec(
      await terminal.until(/session approve [0-9a-f-]{36}/),
    );
    expect((await site.gateway.sallyport(['session', 'deny', again?.[1] ?? ''])).code).toBe(0);
    await terminal.until('denied by');
    expect((await outcomeOf('ln -s a approved-link; echo linked'))?.detail).toMatch(/^approved by cli:/);
    expect((await outcomeOf('ln -s a denied-link'))?.outcome).toBe('declined');
  });

  it('where nobody can be asked the answer is no, with the reason, and the log says so', async () => {
    for (const more of [['-T'], ['-tt']]) {
      const result = await site.alice.ssh(['mkdir by-exec'], { more });
      expect(result.code).toBe(126);
      expect(result.stderr + result.stdout).toMatch(/interactive shell only/);
    }
    expect(await outcomeOf('mkdir by-exec')).toMatchObject({ outcome: 'declined' });
    const proven = await site.alice.ssh(['mkfifo by-exec-too']);
    expect(proven).toMatchObject({ code: 126, stdout: '' });
    const script = await site.alice.ssh(['bash'], { input: 'echo one\nmkdir by-input\necho two\n' });
    expect(script).toMatchObject({ code: 126, stdout: 'one\n' });
    expect(await outcomeOf('mkdir by-input')).toMatchObject({ outcome: 'declined' });
    const file = site.scratch.path('asked-file');
    writeFileSync(file, 'text');
    for (const copied of [
      await site.alice.sftp([`put ${file} asked-1`]),
      await site.alice.scp(['-O', file, site.alice.remote('asked-2')]),
    ]) {
      expect(copied.code).not.toBe(0);
      expect(copied.stderr).toMatch(/needs your confirmation.*do it in a shell.*asking\/asked file/);
    }
    for (const name of ['by-exec', 'by-exec-too', 'by-input', 'asked-1', 'asked-2']) {
      expect(existsSync(join(site.device.account.home, name)), name).toBe(false);
    }
  });

  it('an exec request waits for a second person, and both stand in its row', async () => {
    const waiting = site.alice.ssh(['ln -s a by-exec-link && echo linked'], { timeout: 60_000 });
    const found = await eventually('the command that waits', async () =>
      (await site.gateway.rows('session', 'approvals')).find((row) =>
        String(row['command']).includes('by-exec-link'),
      ),
    );
    expect((await site.gateway.sallyport(['session', 'approve', String(found['id'])])).code).toBe(0);
    expect(await waiting).toMatchObject({ code: 0, stdout: 'linked\n' });
    expect((await outcomeOf('ln -s a by-exec-link && echo linked'))?.detail).toMatch(/^approved by cli:/);
  });

  it('Ctrl-C gives up a command that waits', async () => {
    using terminal = await open('alice');
    terminal.type('ln -s a given-up\r');
    await terminal.until(/session approve [0-9a-f-]{36}/);
    terminal.type('\x03');
    await terminal.until('device$ ');
    await expect
      .poll(async () => (await outcomeOf('ln -s a given-up'))?.outcome, { timeout: 15_000 })
      .toBe('cancelled');
    expect(await site.gateway.rows('session', 'approvals')).toEqual([]);
  });

  it('a rule with occurrences bites at its third, over sessions', async () => {
    for (const number of [1, 2]) {
      using terminal = await open('alice');
      terminal.type(`touch t${number}; echo ok${number}\r`);
      await terminal.until(new RegExp(`[\\r\\n]ok${number}`));
    }
    using terminal = await open('alice');
    terminal.type('touch t3\r');
    await terminal.until('Not run');
    expect(await outcomeOf('touch t3')).toMatchObject({ outcome: 'blocked' });
  });

  it('a shadowed rule is only noted', async () => {
    const result = await site.alice.ssh(['rmdir nowhere || echo ran']);
    expect(result.stdout).toBe('ran\n');
    const row = await outcomeOf('rmdir nowhere || echo ran');
    expect(row).toMatchObject({ outcome: 'ran', rules: [{ rule: 'asking/shadowed', shadow: true }] });
  });

  it('occurrences are told by user and by command', async () => {
    const users = await site.gateway.rows('command', 'list', '--by', 'user');
    expect(users.find((row) => row['user'] === 'alice')).toMatchObject({ sessions: expect.any(Number) });
    const words = await site.gateway.rows('command', 'list', '--by', 'command');
    expect(words.map((row) => row['command'])).toEqual(expect.arrayContaining(['mkdir', 'ln', 'touch']));
  });

  it('a rule that disables the user ends every session of theirs, and they cannot come back', async () => {
    using other = await open('dora');
    using terminal = await open('dora');
    terminal.type('chmod 777 .\r');
    // The refusal of the line comes before the end that the whole user has come to.
    const refusal = await terminal.until('Not run');
    expect(refusal).not.toContain('withdrawn');
    await terminal.ended();
    await other.until('Your access has been withdrawn');
    await other.ended();
    const back = await site.alice.as(`dora@${site.device.account.name}@web1`).ssh(['true']);
    expect(back.code).toBe(255);
    expect(await outcomeOf('chmod 777 .')).toMatchObject({ outcome: 'interrupted' });
    const [dora] = (await site.gateway.rows('user', 'list')).filter((row) => row['name'] === 'dora');
    expect(JSON.stringify(dora)).toMatch(/asking\/fatal/);
  });
});
