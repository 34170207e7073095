// What is typed where the device shows nothing: passwords that programs ask for, and commands typed blind. It is judged,
// and its text stands nowhere afterwards: not in the database or its log of writes, not in a recording, not in the log.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, startDevice } from './harness/device.ts';
import { Gateway } from './harness/gateway.ts';
import { type KeyPair, makeKey } from './harness/keys.ts';
import { have, haveSshd, isRoot } from './harness/need.ts';
import { Scratch } from './harness/scratch.ts';
import { SshUser } from './harness/ssh.ts';
import type { TypedTerminal } from './harness/terminal.ts';

const PROMPT = 'ready> ';
const RULES = `
name: no-touch
defaults: {contact: carol, criticality: high}
rules:
  - {name: touch, match: "touch **", action: block}
  - {name: word, regex: "xyzzy", action: log}
`;

/** A link that is half the latency away in each direction. */
const farAway = async (scratch: Scratch, port: number, latency: number): Promise<number> => {
  const passOn = (from: Socket, to: Socket) => {
    from.on('data', (data) => setTimeout(() => to.destroyed || to.write(data), latency / 2));
    from.on('close', () => setTimeout(() => to.destroy(), latency));
    from.on('error', () => to.destroy());
  };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.setNoDelay(true);
    far.setNoDelay(true);
    passOn(near, far);
    passOn(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scratch.atEnd(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
};

interface Row {
  readonly command: string;
  readonly typed: string;
  readonly hidden: boolean;
  readonly detail: string;
  readonly outcome: string;
  readonly rules: readonly { readonly rule: string }[];
}

const shells = ['bash', 'zsh'] as const;
let number = 0;
/** No word of a dictionary, and the name of a rule's pattern in it. */
const freshSecret = (): string => `qK7xyzzy${process.pid}Wd${++number}`;

/** Every mode takes minutes: the two on a near link are for `SALLYPORT_TEST_ALL=1`. */
const modes = [
  ['observed', 60],
  ['enforced', 60],
  ...(process.env['SALLYPORT_TEST_ALL'] === '1'
    ? ([['observed', 0] as const, ['enforced', 0] as const] as const)
    : []),
] as const;

describe.skipIf(!isRoot || !haveSshd).each(modes)('without echo, %s at %i ms,', (mode, latency) => {
  let scratch: Scratch;
  let gateway: Gateway;
  let key: KeyPair;
  const devices = new Map<string, Device>();
  const secrets: string[] = [];

  beforeAll(async () => {
    scratch = new Scratch();
    key = makeKey(scratch.path('alice_key'));
    const rules = scratch.path('rules');
    execFileSync('mkdir', ['-p', rules]);
    const text = mode === 'enforced' ? RULES : RULES.replace('action: block', 'action: log');
    writeFileSync(join(rules, 'rules.yaml'), text);
    const reached: { name: string; host: string; port: number; hostKey: string }[] = [];
    for (const shell of shells) {
      const device = await startDevice(scratch, { shell: `/bin/${shell}` });
      writeFileSync(
        join(device.account.home, shell === 'bash' ? '.bash_profile' : '.zshrc'),
        `PS1='${PROMPT}'\n`,
      );
      execFileSync('chown', ['-R', device.account.name, device.account.home]);
      devices.set(shell, device);
      const port = latency === 0 ? device.port : await farAway(scratch, device.port, latency);
      reached.push({ name: shell, host: device.host, port, hostKey: device.hostKey });
    }
    gateway = await Gateway.start(scratch, {
      directory: {
        users: [{ name: 'alice', keys: [key.publicKey], roles: ['engineer'] }],
        devices: reached,
        credentials: [...devices].map(([name, device]) => ({
          name: `${name}-login`,
          device: name,
          username: device.account.name,
          privateKey: device.key.privateKey,
        })),
        grants: [{ name: 'all', users: ['alice'], devices: [...shells], channels: ['shell', 'exec'] }],
      },
      config: { policies: rules },
    });
  });
  afterAll(() => scratch?.[Symbol.asyncDispose]());

  const deviceOf = (shell: string): Device => {
    const device = devices.get(shell);
    if (device === undefined) throw new Error(`no ${shell}`);
    return device;
  };
  const open = async (shell: string): Promise<TypedTerminal> => {
    const user = new SshUser(gateway, `alice@${shell}`, key, scratch.path('known_hosts'));
    const terminal = user.terminal();
    await terminal.until(PROMPT);
    return terminal;
  };
  const rows = async (): Promise<readonly Row[]> => {
    const { stdout } = await gateway.sallyport(['command', 'list', '--limit', '1000', '--json']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Row => JSON.parse(line));
  };

  const typings: readonly [string, (terminal: TypedTerminal, secret: string) => void][] = [
    ['in one chunk', (terminal, secret) => terminal.type(`${secret}\r`)],
    [
      'key by key, with a correction',
      (terminal, secret) => {
        for (const character of secret.slice(0, 6)) terminal.type(character);
        terminal.type('zz\x7f\x7f');
        for (const character of secret.slice(6)) terminal.type(character);
        terminal.type('\r');
      },
    ],
  ];

  /** Name, whether it is installed, whether it asks again after a wrong answer, and the command. */
  const prompts: readonly [string, boolean, boolean, (device: Device) => string][] = [
    ['read -s', true, false, () => "printf 'PIN password: '; read -rs p; echo"],
    ['read -s, no line feed', true, false, () => "printf 'PIN password: '; read -rs p"],
    [
      'getpass',
      have('python3'),
      false,
      () => `python3 -c 'import getpass; getpass.getpass("Key password: ")'`,
    ],
    ['sudo', have('sudo'), true, () => 'sudo -k true'],
    ['passwd', have('passwd'), false, () => 'passwd'],
    ['mysql -p', have('mysql'), false, () => 'mysql -p -h 127.0.0.1 -P 1'],
    [
      'ssh',
      true,
      true,
      ({ account, port }) =>
        `ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o PubkeyAuthentication=no -p ${port} ${account.name}@127.0.0.1`,
    ],
  ];

  describe.each(shells)('in %s', (shell) => {
    it.each(prompts.filter(([, able]) => able))('%s', async (_name, _able, asksAgain, command) => {
      using terminal = await open(shell);
      for (const [, type] of typings) {
        const secret = freshSecret();
        secrets.push(secret);
        terminal.type(`${command(deviceOf(shell))}\r`);
        await terminal.until(/[\r\n][^\r\n]*assword[^\r\n]*: ?/);
        type(terminal, secret);
        if (asksAgain) {
          await terminal.until(/[\r\n][^\r\n]*assword[^\r\n]*: ?/);
          terminal.type('\x03');
        }
        await terminal.until(PROMPT);
        const mark = `done-${number}`;
        terminal.type(`echo ${mark}\r`);
        await terminal.until(new RegExp(`[\\r\\n]${mark}`));
        await terminal.until(PROMPT);
      }
    });

    it('typed ahead of the prompt that asks', async () => {
      using terminal = await open(shell);
      const secret = freshSecret();
      secrets.push(secret);
      terminal.type('read -rs p; echo got-$' + '{#p}\r');
      await terminal.until(/p\}[^\n]*\n/);
      terminal.type(`${secret}\r`);
      await terminal.until(`got-${secret.length}`);
    });

    it('a command typed blind is judged', async () => {
      using terminal = await open(shell);
      const canary = freshSecret();
      secrets.push(canary);
      terminal.type('stty -echo\r');
      await terminal.until(PROMPT);
      // zsh's editor echoes by itself whatever the terminal is told.
      if (shell === 'bash') {
        terminal.type(`touch ${canary}\r`);
        if (mode === 'enforced') await terminal.until('Not run');
        await terminal.until(PROMPT);
        expect(existsSync(join(deviceOf(shell).account.home, canary))).toBe(mode === 'observed');
        const judged = (await rows()).filter((row) =>
          row.rules.some(({ rule }) => rule === 'no-touch/touch'),
        );
        expect(judged).toMatchObject([
          { hidden: true, command: '', detail: expect.stringMatching(/typed without echo: \d+ char/) },
        ]);
      }
    });
  });

  it('leaves the text nowhere, and the rest in the log', async () => {
    const logged = await rows();
    expect(logged.some(({ command }) => command.startsWith('echo done-'))).toBe(true);
    expect(logged.filter(({ command }) => command.startsWith('echo done-')).length).toBe(
      2 * shells.length * prompts.filter(([, able]) => able).length,
    );
    expect(logged.filter(({ hidden }) => hidden).length).toBeGreaterThanOrEqual(secrets.length - 2);
    expect(logged.filter(({ hidden, rules }) => hidden && rules.length > 0).length).toBeGreaterThan(0);
    const recorded = (await gateway.recordings()).map(({ text }) => text).join('');
    const everything = `${recorded}${gateway.log}${JSON.stringify(logged)}`;
    for (const secret of secrets) {
      expect(everything).not.toContain(secret);
      const found = execFileSync('sh', [
        '-c',
        'grep -rlaF -- "$1" "$2" || true',
        'sh',
        secret,
        gateway.folder,
      ]);
      expect(found.toString()).toBe('');
    }
    expect(everything).not.toContain('qK7xyz');
  });
});
