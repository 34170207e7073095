// Where attacks are tried: one gateway with rules that forbid `touch`, devices with real shells behind it, and a canary
// file for each attack that exists only if the command ran. alice is under rules by words; bob also under one that
// denies what can't be known in advance. Every attack is looked up in the audit log afterwards.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'ssh2';
import { expect } from 'vitest';
import { type Device, startDevice } from '../harness/device.ts';
import { Gateway } from '../harness/gateway.ts';
import { type KeyPair, makeKey } from '../harness/keys.ts';
import { Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';
import type { TypedTerminal } from '../harness/terminal.ts';

export type Shell = 'bash' | 'zsh' | 'fish' | 'dash';
export type Who = 'alice' | 'bob';

const RULES = `
name: canary
defaults: {contact: carol, criticality: high}
rules:
  - {name: counted, match: "mkfifo **", action: block, occurrences: 3}
  - {name: start-up, path: ["~/.bashrc", "~/.profile"], access: [write, delete, rename], action: block}
  - {name: inner ssh, forward: "ssh://*", action: block}
  - {name: touch, match: "touch **", action: block, message: Nobody touches anything here.}
  - {name: unknown, opaque: {action: block, reasons: [variable, substitution, eval, script, source, glob, stdin, function, grammar, length, depth]}, action: block, scope: {users: [bob]}}
`;

export const PROMPT = 'ready> ';

/** What `command list --json` says, as far as these tests look. */
export interface Row {
  readonly command: string;
  readonly typed: string;
  readonly candidates: readonly string[];
  readonly analysed: { readonly commands?: readonly { readonly text: string }[] };
  readonly outcome: string;
  readonly detail: string;
  readonly how: string;
  readonly decision: string;
  readonly policy: string;
  readonly kind: string;
  readonly rules: readonly { readonly rule: string }[];
}

const files: Record<Shell, Readonly<Record<string, string>>> = {
  bash: {
    '.bashrc': `PS1='${PROMPT}'; HISTFILE=~/.history; history -r\n`,
    '.bash_profile': '. ~/.bashrc\n',
  },
  zsh: {
    '.zshrc': `PS1='${PROMPT}'; HISTFILE=~/.history; HISTSIZE=100; setopt hist_verify; unsetopt hist_verify\n`,
  },
  fish: {
    '.config/fish/config.fish': `function fish_prompt; echo -n '${PROMPT}'; end\nfunction fish_greeting; end\nfunction fish_title; end\n`,
  },
  dash: { '.profile': `PS1='${PROMPT}'\n` },
};

export class Stage {
  readonly scratch: Scratch;
  readonly gateway: Gateway;
  readonly rules: string;
  readonly #devices: ReadonlyMap<Shell, Device>;
  readonly #keys: Readonly<Record<Who, KeyPair>>;
  readonly #kept = new Map<string, TypedTerminal>();
  readonly #tried: { readonly attack: string; readonly tried: RegExp }[] = [];

  private constructor(
    scratch: Scratch,
    gateway: Gateway,
    rules: string,
    devices: ReadonlyMap<Shell, Device>,
    keys: Readonly<Record<Who, KeyPair>>,
  ) {
    this.scratch = scratch;
    this.gateway = gateway;
    this.rules = rules;
    this.#devices = devices;
    this.#keys = keys;
  }

  static async open(shells: readonly Shell[]): Promise<Stage> {
    const scratch = new Scratch();
    try {
      const rules = scratch.path('rules');
      mkdirSync(rules);
      writeFileSync(join(rules, 'canary.yaml'), RULES);
      const devices = new Map<Shell, Device>();
      for (const shell of shells) {
        const path = shell === 'bash' || shell === 'dash' ? `/bin/${shell}` : `/usr/bin/${shell}`;
        // It would take any variable, so that what comes there is the gateway's doing.
        const device = await startDevice(scratch, { shell: path, config: ['AcceptEnv *'] });
        for (const [name, text] of Object.entries(files[shell])) {
          const file = join(device.account.home, name);
          mkdirSync(join(file, '..'), { recursive: true });
          writeFileSync(file, text);
        }
        execFileSync('chown', ['-R', device.account.name, device.account.home]);
        devices.set(shell, device);
      }
      const keys = { alice: makeKey(scratch.path('alice_key')), bob: makeKey(scratch.path('bob_key')) };
      const gateway = await Gateway.start(scratch, {
        directory: {
          users: Object.entries(keys).map(([name, key]) => ({
            name,
            keys: [key.publicKey],
            roles: ['engineer'],
          })),
          devices: [...devices].map(([name, { host, port, hostKey }]) => ({ name, host, port, hostKey })),
          credentials: [...devices].map(([name, device]) => ({
            name: `${name}-login`,
            device: name,
            username: device.account.name,
            privateKey: device.key.privateKey,
          })),
          grants: [
            {
              name: 'all',
              users: ['alice', 'bob'],
              devices: [...devices.keys()],
              channels: ['shell', 'exec', 'sftp', 'scp', 'forward'],
            },
          ],
        },
        config: { policies: rules, policyPacks: ['line-editor'] },
      });
      return new Stage(scratch, gateway, rules, devices, keys);
    } catch (error) {
      await scratch[Symbol.asyncDispose]();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const terminal of this.#kept.values()) terminal[Symbol.dispose]();
    return this.scratch[Symbol.asyncDispose]();
  }

  device(shell: Shell): Device {
    return this.#device(shell);
  }

  key(who: Who): KeyPair {
    return this.#keys[who];
  }

  home(shell: Shell): string {
    return this.#device(shell).account.home;
  }

  user(who: Who, shell: Shell): SshUser {
    const { account } = this.#device(shell);
    return new SshUser(
      this.gateway,
      `${who}@${account.name}@${shell}`,
      this.#keys[who],
      this.scratch.path('known_hosts'),
    );
  }

  /** A shell at its first prompt. */
  async shell(who: Who, shell: Shell, command: readonly string[] = []): Promise<TypedTerminal> {
    const terminal = this.user(who, shell).terminal(command);
    await terminal.until(PROMPT);
    return terminal;
  }

  exists(shell: Shell, canary: string): boolean {
    return existsSync(join(this.home(shell), canary));
  }

  /** A shell at a prompt, perhaps one that an earlier attack has left clean. */
  async borrow(who: Who, shell: Shell): Promise<TypedTerminal> {
    const key = `${who} ${shell}`;
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    return kept ?? (await this.shell(who, shell));
  }

  /** What `untilDone` said of it decides whether it may be used again. */
  giveBack(who: Who, shell: Shell, terminal: TypedTerminal, state: 'open' | 'ended'): void {
    if (state === 'ended' || this.#kept.has(`${who} ${shell}`)) terminal[Symbol.dispose]();
    else this.#kept.set(`${who} ${shell}`, terminal);
  }

  /** The log's newest rows first. */
  async log(...more: readonly string[]): Promise<readonly Row[]> {
    const result = await this.gateway.sallyport(['command', 'list', '--limit', '100000', '--json', ...more]);
    if (result.code !== 0) throw new Error(result.stderr);
    return result.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Row => JSON.parse(line));
  }

  /** Nothing ran. What was tried must be in the log, which `expectLogged` looks at once for all. */
  expectStopped(shell: Shell, canary: string, tried: RegExp): void {
    expect(this.exists(shell, canary), 'the canary exists').toBe(false);
    this.#tried.push({ attack: expect.getState().currentTestName ?? canary, tried });
  }

  /** Each attack that was tried so far is in the log as something that was stopped. */
  async expectLogged(): Promise<void> {
    const all = await this.log();
    const rows = all.filter((row) => STOPPED.has(row.outcome));
    const missing = this.#tried.filter(
      ({ tried }) =>
        !rows.some(({ command, candidates, analysed }) =>
          [command, ...candidates, ...(analysed.commands ?? []).map(({ text }) => text)].some((text) =>
            tried.test(text),
          ),
        ),
    );
    // What stands there instead, for whoever has to find out.
    const instead = (tried: RegExp): string => {
      const canary = /[a-z]\d+x?(?=\W*s?$)/.exec(tried.source)?.[0] ?? tried.source;
      return JSON.stringify(
        all
          .filter((row) => JSON.stringify(row).includes(canary))
          .map(({ outcome, command, candidates, detail }) => [outcome, command, candidates, detail])
          .slice(0, 4),
      ).slice(0, 2_000);
    };
    expect(missing.map(({ attack, tried }) => `${attack}: ${tried}, but ${instead(tried)}`)).toEqual([]);
    expect(this.#tried.length).toBeGreaterThan(0);
  }

  #device(shell: Shell): Device {
    const device = this.#devices.get(shell);
    if (device === undefined) throw new Error(`no device with ${shell}`);
    return device;
  }
}

const STOPPED: ReadonlySet<string> = new Set(['blocked', 'interrupted', 'refused', 'declined', 'cancelled']);

/** A person's own way to speak SSH, for what no client would send. */
export const rawClient = (stage: Stage, who: Who, shell: Shell): Promise<Client> =>
  new Promise((resolve, reject) => {
    const client = new Client();
    client.once('ready', () => resolve(client)).once('error', reject);
    client.connect({
      host: stage.gateway.host,
      port: stage.gateway.port,
      username: stage.user(who, shell).login,
      privateKey: stage.key(who).privateKey,
      readyTimeout: 30_000,
    });
  });

/** What a person sees when something was not let through, or that the session is over. */
const STOP = /Not run|could not be read|not pasted|\x07|Connection|closed|ends/;

/** Waits until the gateway has said something about what was typed. */
export const untilStopped = async (terminal: TypedTerminal): Promise<void> => {
  await Promise.race([terminal.until(STOP, 20_000), terminal.ended(20_000)]);
};

/** Proves that whatever was typed before has had its chance to run: a later command has. Or the session is over. */
export const untilDone = async (
  terminal: TypedTerminal,
  mark: string,
  patient = false,
): Promise<'open' | 'ended'> => {
  const ended = terminal.ended(30_000).then(() => 'ended' as const);
  ended.catch(() => undefined);
  for (let attempt = 0; attempt < 4; attempt += 1) {
    // Ctrl-C would give up what is still waiting.
    if (!patient || attempt > 0) terminal.type('\x03');
    terminal.type(`echo ${mark}-${attempt}\r`);
    const shown = terminal
      .until(new RegExp(`[\\r\\n](?:\\x1b(?:\\[[\\d;?]*[a-zA-Z]|\\(B))*${mark}-${attempt}`), 6_000)
      .then(() => 'open' as const);
    const outcome = await Promise.race([shown, ended]).catch(() => undefined);
    if (outcome !== undefined) return outcome;
  }
  throw new Error(`neither a prompt nor the end: ${JSON.stringify(terminal.shown.slice(-600))}`);
};
