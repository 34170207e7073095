// Where shell integration and the side channel are tried: one gateway, devices with bash, zsh and fish behind it that are
// set to be integrated, and alice under rules that block, ask or only log. What she sees, what ran and what stands in the
// log are three different things; the tests look at each.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { type Device, startDevice } from '../harness/device.ts';
import { Gateway } from '../harness/gateway.ts';
import { makeKey } from '../harness/keys.ts';
import { Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';
import type { TypedTerminal } from '../harness/terminal.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
/** `free`: the device with bash once more, under no rule. */
export type Where = Shell | 'free';

const RULES = `
name: reporting
rules:
  - {name: touch, match: "touch **", action: block, message: Nobody touches anything here., scope: {devices: [bash, zsh, fish]}}
  - {name: make, match: "mkdir **", action: confirm, scope: {devices: [bash, zsh, fish]}}
`;

export const PROMPT = 'ready> ';

const files: Record<Shell, Readonly<Record<string, string>>> = {
  bash: {
    '.bashrc': `PS1='${PROMPT}'; HISTFILE=~/.history; alias toucher='touch'\n`,
    '.bash_profile': '. ~/.bashrc\n',
  },
  // Writes each line to its history at once, as many people have it.
  zsh: {
    '.zshrc': `PS1='${PROMPT}'; HISTFILE=~/.history; HISTSIZE=100; SAVEHIST=100; setopt inc_append_history; alias toucher='touch'\n`,
  },
  fish: {
    '.config/fish/config.fish': `function fish_prompt; echo -n '${PROMPT}'; end\nfunction fish_greeting; end\n`,
  },
};

export interface Row {
  readonly command: string;
  readonly candidates: readonly unknown[];
  readonly how: string;
  readonly confidence: number;
  readonly outcome: string;
  readonly detail: string;
}

export class ReportingStage {
  readonly gateway: Gateway;
  readonly #scratch: Scratch;
  readonly #devices: ReadonlyMap<Where, Device>;
  readonly #user: SshUser;

  private constructor(
    gateway: Gateway,
    scratch: Scratch,
    devices: ReadonlyMap<Where, Device>,
    user: SshUser,
  ) {
    this.gateway = gateway;
    this.#scratch = scratch;
    this.#devices = devices;
    this.#user = user;
  }

  static async open(
    shells: readonly Shell[],
    reading: Readonly<Record<string, boolean>>,
  ): Promise<ReportingStage> {
    const scratch = new Scratch();
    try {
      const rules = scratch.path('rules');
      mkdirSync(rules);
      writeFileSync(join(rules, 'reporting.yaml'), RULES);
      const devices = new Map<Where, Device>();
      for (const shell of shells) {
        const device = await startDevice(scratch, {
          shell: shell === 'bash' ? '/bin/bash' : `/usr/bin/${shell}`,
        });
        for (const [name, text] of Object.entries(files[shell])) {
          const file = join(device.account.home, name);
          mkdirSync(join(file, '..'), { recursive: true });
          writeFileSync(file, text);
        }
        execFileSync('chown', ['-R', device.account.name, device.account.home]);
        devices.set(shell, device);
        if (shell === 'bash') devices.set('free', device);
      }
      const key = makeKey(scratch.path('alice_key'));
      const gateway = await Gateway.start(scratch, {
        directory: {
          users: [{ name: 'alice', keys: [key.publicKey], roles: ['engineer'] }],
          devices: [...devices].map(([name, { host, port, hostKey }]) => ({
            name,
            host,
            port,
            hostKey,
            ...reading,
          })),
          credentials: [...devices].map(([name, device]) => ({
            name: `${name}-login`,
            device: name,
            username: device.account.name,
            privateKey: device.key.privateKey,
          })),
          grants: [
            { name: 'all', users: ['alice'], devices: [...devices.keys()], channels: ['shell', 'exec'] },
          ],
        },
        config: { policies: rules },
      });
      const user = new SshUser(gateway, 'alice', key, scratch.path('known_hosts'));
      return new ReportingStage(gateway, scratch, devices, user);
    } catch (error) {
      await scratch[Symbol.asyncDispose]();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scratch[Symbol.asyncDispose]();
  }

  home(shell: Shell): string {
    const device = this.#devices.get(shell);
    if (device === undefined) throw new Error(`no device with ${shell}`);
    return device.account.home;
  }

  /** A shell that has said that it will report its lines; the prompt may still be on its way. */
  async integrated(shell: Where): Promise<TypedTerminal> {
    const before = logLines(this.gateway).filter(({ code }) => code === 'SP_INTEGRATION_INSTALLED').length;
    const terminal = this.terminal(shell);
    await eventually(
      'shell integration',
      () => logLines(this.gateway).filter(({ code }) => code === 'SP_INTEGRATION_INSTALLED').length > before,
    );
    await terminal.until(PROMPT);
    return terminal;
  }

  terminal(shell: Where): TypedTerminal {
    const device = this.#devices.get(shell);
    return this.#user.as(`alice@${device?.account.name}@${shell}`).terminal([]);
  }

  /** What was logged on this device, the oldest first. */
  async rows(shell: Where): Promise<Row[]> {
    const rows = await this.gateway.rows('command', 'list', '--device', shell, '--limit', '1000');
    return rows.map(asRow).reverse();
  }

  /** The row of a command, once it is there. */
  async row(shell: Where, wanted: RegExp): Promise<Row> {
    let rows: readonly Row[] = [];
    return eventually(`a row for ${wanted}`, async () => {
      rows = await this.rows(shell);
      return rows.find(({ command }) => wanted.test(command));
    }).catch((error: unknown) => {
      throw new Error(`there is only ${JSON.stringify(rows)}`, { cause: error });
    });
  }

  event(code: string): Promise<unknown> {
    return eventually(`the event ${code}`, () =>
      logLines(this.gateway).find((line) => line['code'] === code),
    );
  }

  exists(shell: Shell, name: string): boolean {
    return existsSync(join(this.home(shell), name));
  }

  /** Files below the account's home that hold this text. */
  holding(shell: Shell, text: string): string[] {
    const found: string[] = [];
    const look = (folder: string): void => {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        if (statSync(path).isDirectory()) look(path);
        else if (readFileSync(path, 'latin1').includes(text)) found.push(path);
      }
    };
    look(this.home(shell));
    return found;
  }
}

const asRow = (row: Readonly<Record<string, unknown>>): Row => ({
  command: String(row['command']),
  candidates: Array.isArray(row['candidates']) ? row['candidates'] : [],
  how: String(row['how']),
  confidence: Number(row['confidence']),
  outcome: String(row['outcome']),
  detail: String(row['detail']),
});
