// Proving once more who one is, in real SSH sessions: what asks for it, what the terminal shows meanwhile and afterwards,
// and what becomes of those who can't.
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, logged, logLines } from '../gateway/gateway-events.ts';
import { openSite, type Site } from '../harness/site.ts';
import { typeAt } from '../harness/terminal.ts';
import { startAgent } from '../login/agent.ts';
import { makeKey } from '../login/key-workshop.ts';
import { applyPerson, nextCode, PASSWORD, writePolicy } from './person.ts';

/** What became of something is written a moment after its user has been told. */
const STORED = { timeout: 20_000 };

let site: Site;

beforeAll(async () => {
  site = await openSite();
  writePolicy(site.gateway.folder);
  await logged(site.gateway, 'policy.loaded', 1);
  await applyPerson(site, { 'continuousIdentification.blockedCommands': 1 });
});
afterAll(() => site[Symbol.asyncDispose]());

const outcomes = async (): Promise<unknown[]> =>
  (await site.gateway.rows('reauthentication', 'list', '--user', 'alice')).map((row) => row['outcome']);

describe('a blocked command that is one too many', () => {
  it('freezes the terminal until its user has proven who they are, and then it is as it was', async () => {
    using terminal = site.alice.terminal();
    await terminal.until(/[$#] /);
    terminal.type('echo before-$((40+2))\r');
    await terminal.until('before-42');
    terminal.type('faller now\r');
    await terminal.until('Not run.');
    await terminal.until('Your password: ');
    terminal.type(`${PASSWORD}\r`);
    await terminal.until('Your one-time code: ');
    terminal.type(`${await nextCode()}\r`);
    await terminal.until('Thank you.');
    // The other screen is left, so that what was there shows again.
    await terminal.until('\x1b[?1049l');
    terminal.type('echo after-$((40+2))\r');
    await terminal.until('after-42');
    terminal.type('exit\r');
    await terminal.ended();
    await expect.poll(outcomes, STORED).toEqual(['passed']);
    await expect
      .poll(async () => (await site.gateway.rows('rating', 'show', 'alice'))[0], STORED)
      .toMatchObject({ cause: 're-authentication-passed' });
  });

  it('ends the session of whoever cannot, and asks at the next sign-in', async () => {
    using terminal = site.alice.terminal();
    await terminal.until(/[$#] /);
    terminal.type('faller again\r');
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await terminal.until('Your password: ');
      terminal.type('not this one\r');
      await terminal.until('Your one-time code: ');
      terminal.type('000000\r');
    }
    await terminal.until('could not be identified');
    expect((await terminal.ended()).code).not.toBe(0);
    await expect.poll(outcomes, STORED).toEqual(['waiting', 'failed', 'passed']);
    const refused = await site.alice.ssh(['true']);
    expect(refused.code).not.toBe(0);
    const words = site.alice
      .arguments(['-tt'])
      .map((word) => (word === 'BatchMode=yes' ? 'BatchMode=no' : word));
    using again = typeAt('ssh', words);
    await again.until('Password: ');
    again.type(`${PASSWORD}\r`);
    await again.until('One-time code: ');
    again.type(`${await nextCode()}\r`);
    await again.until(/[$#] /);
    again.type('exit\r');
    await again.ended();
    expect((await outcomes())[0]).toBe('passed');
    expect((await site.alice.ssh(['true'])).code).toBe(0);
  });
});

describe('an administrator who wants it', () => {
  it('holds a program that has the whole screen, and paints it again', async () => {
    using terminal = site.alice.terminal();
    await terminal.until(/[$#] /);
    terminal.type("printf 'line-%s\\n' 1 2 3 > /tmp/screen-$$; less -R /tmp/screen-$$; rm /tmp/screen-$$\r");
    await terminal.until('\x1b[?1049h');
    await terminal.until('line-3');
    await site.gateway.sallyport(['reauth', 'require', 'alice', '--reason', 'a test']);
    await terminal.until('an administrator asks for it');
    await terminal.until('Your password: ');
    terminal.type(`${PASSWORD}\r`);
    await terminal.until('Your one-time code: ');
    terminal.type(`${await nextCode()}\r`);
    await terminal.until('Thank you.');
    await terminal.until('line-3');
    terminal.type('q');
    await terminal.until(/[$#] /);
    terminal.type('exit\r');
    await terminal.ended();
  });

  it('makes a command without a terminal wait, and it goes on when that is waived', async () => {
    const flag = site.scratch.path('go');
    const waits = 'ssh.session-waits-for-identification';
    const before = logLines(site.gateway).filter((line) => line['event'] === waits).length;
    const running = site.alice.ssh([`echo one; while ! test -e ${flag}; do sleep 0.1; done; echo two`]);
    await eventually('the command runs', async () => {
      const rows = await site.gateway.rows('command', 'list', '--user', 'alice');
      return rows.some((row) => String(row['command']).includes('echo one'));
    });
    await site.gateway.sallyport(['reauth', 'require', 'alice']);
    await logged(site.gateway, waits, before);
    writeFileSync(flag, '');
    await site.gateway.sallyport(['reauth', 'waive', 'alice']);
    expect(await running).toMatchObject({ code: 0, stdout: 'one\ntwo\n' });
    await expect.poll(async () => (await outcomes())[0], STORED).toBe('waived');
  });
});

describe('a touch of a security key', () => {
  const key = makeKey('sk-ssh-ed25519@openssh.com');
  const touches = async (flags: number): Promise<AsyncDisposable & { readonly path: string }> => {
    const path = site.scratch.path(`touch-${flags}.sock`);
    const use = { flags, counter: 3 };
    const agent = await startAgent(path, [{ blob: key.blob, sign: (data) => key.sign(key.type, data, use) }]);
    return { path, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
  };
  /** alice signs in with her key in a file, and forwards the agent. */
  const forwarding = (path: string) =>
    typeAt(
      'ssh',
      site.alice
        .arguments(['-tt', '-A'])
        .map((word) => (word === 'IdentityAgent=none' ? `IdentityAgent=${path}` : word)),
    );

  it('proves who the user is through the agent that the client forwards, though the device gets none', async () => {
    await site.gateway.apply({
      users: [
        {
          name: 'alice',
          keys: [site.key.publicKey, site.rsaKey.publicKey, key.line],
          password: PASSWORD,
          authentication: [['publickey']],
          roles: ['engineer'],
        },
      ],
      grants: [{ name: 'web', users: ['alice'], devices: ['web1'], channels: ['shell', 'exec'] }],
    });
    await using agent = await touches(1);
    using terminal = forwarding(agent.path);
    await terminal.until(/[$#] /);
    await site.gateway.sallyport(['reauth', 'require', 'alice', '--reason', 'a test']);
    await terminal.until('Enter alone: touch your security key instead of answering.');
    await terminal.until('Your password: ');
    terminal.type('\r');
    await terminal.until('Touch your security key now.');
    await terminal.until('Thank you.');
    await terminal.until('\x1b[?1049l');
    terminal.type('echo "agent:$SSH_AUTH_SOCK:$((40+2))"\r');
    await terminal.until('agent::42');
    terminal.type('exit\r');
    await terminal.ended();
    await expect
      .poll(async () => (await site.gateway.rows('reauthentication', 'list', '--user', 'alice'))[0], STORED)
      .toMatchObject({ outcome: 'passed', method: 'touch' });
  });

  it('is wrong without the finger', async () => {
    await using agent = await touches(0);
    using terminal = forwarding(agent.path);
    await terminal.until(/[$#] /);
    await site.gateway.sallyport(['reauth', 'require', 'alice', '--reason', 'a test']);
    await terminal.until('Your password: ');
    terminal.type('\r');
    await terminal.until('That was not right.');
    await terminal.until('Your password: ');
    terminal.type(`${PASSWORD}\r`);
    await terminal.until('Thank you.');
    await terminal.until('\x1b[?1049l');
    terminal.type('exit\r');
    await terminal.ended();
  });
});

it('leaves ratings that follow from what happened', async () => {
  const rows = await site.gateway.rows('rating', 'recompute');
  expect(rows.map((row) => row['agrees'])).toEqual(rows.map(() => true));
  expect(rows.length).toBeGreaterThan(0);
});
