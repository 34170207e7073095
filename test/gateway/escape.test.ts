// The escape menu in real SSH sessions: where its key is the gateway's and where it is the device's, that the device gets
// nothing of it, and the way of a request for an exception from a terminal through the API back to its user.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiCaller, apiUrl } from '../api/caller.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import type { TypedTerminal } from '../harness/terminal.ts';
import { logged } from './gateway-events.ts';

const KEY = '\x1d';
const ENTER = '\x1b[?1049h';
const LEAVE = '\x1b[?1049l';
const password = (name: string): string => `${name}-has-a-password`;

const POLICY = `
name: escape
rules:
  - name: no falling
    match: "faller **"
    action: block
    owner: team rocks
    contact: rocks@example.org
    message: Falling is for stones.
    scope: {users: [alice]}
`;

describe.skipIf(!haveSshd)('the escape', () => {
  let site: Site;
  let carol: ApiCaller;
  let read = 0;

  beforeAll(async () => {
    site = await openSite({
      gateway: { admin: { listen: '127.0.0.1:0' } },
      directory: (_device, key) => ({
        users: [
          { name: 'carol', password: password('carol'), roles: ['administrator'] },
          { name: 'erin', keys: [key.publicKey], roles: ['engineer'] },
        ],
        grants: [{ name: 'free', users: ['erin'], devices: ['web1'], channels: ['shell'] }],
      }),
    });
    const folder = join(site.gateway.folder, 'policies');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'escape.yaml'), POLICY);
    await logged(site.gateway, 'policy.loaded', 1);
    carol = await ApiCaller.signIn(await apiUrl(site.gateway), 'carol', password('carol'));
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  /** erin is under no rule that stops anything, so that each of her keys reaches the device; alice is. */
  const atPrompt = async (name: 'alice' | 'erin' = 'erin'): Promise<TypedTerminal> => {
    const terminal = site.alice.as(`${name}@${site.device.account.name}@web1`).terminal();
    await terminal.until('device$ ');
    return terminal;
  };

  const leave = async (terminal: TypedTerminal): Promise<void> => {
    terminal.type('exit\r');
    await terminal.ended();
  };

  /** What a program on the device reads of what `type` does; it reads from the start of a line. */
  const readBy = async (terminal: TypedTerminal, type: () => Promise<void> | void): Promise<string> => {
    read += 1;
    const file = join(site.device.account.home, `read-${read}`);
    terminal.type(`echo reads-$((40+${read})); cat > ~/read-${read}; echo done-$((40+${read}))\r`);
    await terminal.until(`reads-${40 + read}`);
    await type();
    terminal.type('end\r\x04');
    await terminal.until(`done-${40 + read}`);
    await terminal.until('device$ ');
    return readFileSync(file, 'latin1');
  };

  it('opens at the start of a line, and the device gets none of it', async () => {
    using terminal = await atPrompt();
    const got = await readBy(terminal, async () => {
      terminal.type(KEY);
      await terminal.until(ENTER);
      await terminal.until('nothing you type reaches the device');
      terminal.type('r');
      await terminal.until('Your rating: 5.00 of 10');
      terminal.type('something else\r');
      terminal.type('q');
      await terminal.until(LEAVE);
    });
    expect(got).toBe('end\n');
    await leave(terminal);
  });

  it('shows afterwards what the device has said meanwhile', async () => {
    using terminal = await atPrompt();
    const go = join(site.device.account.home, 'go');
    terminal.type(
      `(until test -e ${go}; do sleep 0.1; done; echo late-$((40+2)); touch ${go}.said) & echo on-$((40+1))\r`,
    );
    await terminal.until('on-41');
    await terminal.until('device$ ');
    terminal.type(KEY);
    await terminal.until('q  back');
    writeFileSync(go, '');
    await expect.poll(() => existsSync(`${go}.said`), { timeout: 20_000 }).toBe(true);
    terminal.type('w');
    const before = await terminal.until('No command of yours was stopped of late.');
    expect(before).not.toContain('late-42');
    terminal.type('q');
    await terminal.until(LEAVE);
    await terminal.until('late-42');
    await leave(terminal);
  });

  it('is the device’s key within a line, pasted, and typed twice; and nothing that the device says opens it', async () => {
    using terminal = await atPrompt();
    const seen = terminal.shown.length;
    const within = await readBy(terminal, async () => {
      terminal.type('a');
      await terminal.until('a');
      terminal.type(KEY);
      await terminal.until('^]');
    });
    expect(within).toBe(`a${KEY}end\n`);
    expect(await readBy(terminal, () => terminal.type(`\x1b[200~${KEY}\x1b[201~`))).toContain(`${KEY}`);
    expect(await readBy(terminal, () => terminal.type(`one\r${KEY}\r`))).toBe(`one\n${KEY}\nend\n`);
    terminal.type("printf '\\035\\r\\n\\035said-%s\\n' $((40+2))\r");
    await terminal.until('said-42');
    expect(terminal.shown.slice(seen)).not.toContain('nothing you type reaches the device');
    const twice = await readBy(terminal, async () => {
      terminal.type(KEY);
      await terminal.until('q  back');
      terminal.type(KEY);
      await terminal.until(LEAVE);
      await terminal.until('^]');
    });
    expect(twice).toBe(`${KEY}end\n`);
    await leave(terminal);
  });

  it('leaves the alternate screen to the program that has it', async () => {
    using terminal = await atPrompt();
    terminal.type("printf '\\033[?1049h'; echo whole-$((40+2)); cat -v; printf '\\033[?1049l'\r");
    await terminal.until('whole-42');
    const seen = terminal.shown.length;
    terminal.type(KEY);
    await terminal.until('^]');
    terminal.type('\r');
    await terminal.until('^]');
    terminal.type('\x04');
    await terminal.until('device$ ');
    expect(terminal.shown.slice(seen)).not.toContain('nothing you type reaches the device');
    await leave(terminal);
  });

  it('says why a command was stopped, takes a request to the API, and its decision back', async () => {
    {
      using terminal = await atPrompt('alice');
      terminal.type('faller now\r');
      await terminal.until('Not run.');
      await terminal.until('device$ ');
      terminal.type(KEY);
      await terminal.until('q  back');
      terminal.type('w');
      for (const part of [
        'faller now',
        'escape/no falling',
        'Falling is for stones.',
        'team rocks',
        'rocks@example.org',
      ])
        await terminal.until(part);
      await terminal.until('q  back');
      terminal.type('e');
      await terminal.until('Why do you need it?');
      terminal.type('to see\x1b[2J it\x07 fall\r');
      await terminal.until('waits for an administrator');
      terminal.type('q');
      await terminal.until(LEAVE);
      await leave(terminal);
    }
    const [request, ...others] = await carol.items('/api/exceptions');
    expect(others).toEqual([]);
    expect(request).toMatchObject({
      user: 'alice',
      device: 'web1',
      command: 'faller now',
      rule: 'escape/no falling',
      owner: 'team rocks',
      reason: 'to see it fall',
      state: 'open',
    });
    const id = String(request?.['id']);
    expect(await site.gateway.rows('exception', 'list', '--state', 'open')).toMatchObject([
      { id, user: 'alice', reason: 'to see it fall' },
    ]);
    const nothing = await site.gateway.sallyport(['exception', 'grant', id, '--comment', '\x1b[2J']);
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('SP_EXCEPTION_TEXT')]);
    const path = `/api/exceptions/${id}/decline`;
    expect((await carol.ask('POST', path, { comment: 'Not before\u001b[31m noon.' })).status).toBe(422);
    expect((await carol.ask('POST', path, { comment: 'Not before noon.' })).status).toBe(200);
    const trail = await carol.items('/api/changes?kind=exception');
    expect(trail.map((row) => [row['actor'], row['action'], row['name']])).toEqual([
      ['console:carol', 'declined', id],
      ['user:alice', 'requested', id],
    ]);
    {
      using terminal = site.alice.terminal();
      const first = await terminal.until('device$ ');
      expect(first).toContain('Your request: faller now on web1 declined by carol: Not before noon.');
      terminal.type(KEY);
      await terminal.until('q  back');
      terminal.type('e');
      await terminal.until('declined by carol: Not before noon.');
      terminal.type('q');
      await terminal.until(LEAVE);
      await leave(terminal);
    }
    using again = site.alice.terminal();
    expect(await again.until('device$ ')).not.toContain('Your request');
    await leave(again);
    // Recordings hold that it was opened, and nothing of what was typed or shown there.
    let text = '';
    const missing = async (): Promise<readonly string[]> => {
      text = (await site.gateway.recordings()).map((one) => one.text).join('');
      return ['opened', 'rating', 'why', 'requests', 'asked', 'closed'].filter(
        (what) => !text.includes(`\\"kind\\":\\"escape\\",\\"what\\":\\"${what}\\"`),
      );
    };
    await expect.poll(missing, { timeout: 20_000 }).toEqual([]);
    expect(text).not.toContain('to see it');
    expect(text).not.toContain('Why do you need it?');
  });

  it('gives the terminal to whoever else needs it, and shows the device when the session ends', async () => {
    using terminal = await atPrompt();
    terminal.type(KEY);
    await terminal.until('q  back');
    await site.gateway.sallyport(['reauth', 'require', 'erin', '--reason', 'a test']);
    await terminal.until(LEAVE);
    await terminal.until('This session waits');
    await site.gateway.sallyport(['reauth', 'waive', 'erin']);
    await terminal.until(LEAVE);
    terminal.type('echo goes-$((40+2))\r');
    await terminal.until('goes-42');
    await terminal.until('device$ ');
    terminal.type(KEY);
    await terminal.until('q  back');
    const [live] = await site.gateway.rows('session', 'list', '--live', '--user', 'erin');
    await site.gateway.sallyport(['session', 'end', String(live?.['id'])]);
    await terminal.until(LEAVE);
    await terminal.until('ended');
    await terminal.ended();
  });

  it('is an ordinary key where it is switched off', async () => {
    appendFileSync(join(site.gateway.folder, 'sallyport.yaml'), '\nescape: {enabled: false}\n');
    process.kill(site.gateway.pid, 'SIGHUP');
    await logged(site.gateway, 'config.reloaded');
    using terminal = await atPrompt();
    const got = await readBy(terminal, async () => {
      terminal.type(KEY);
      await terminal.until('^]');
    });
    expect(got).toBe(`${KEY}end\n`);
    await leave(terminal);
  });
});
