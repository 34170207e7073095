// The installation and the reports as a state machine, on a clock of the test's own; then the scripts themselves in the
// real shells on a pseudo-terminal.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node-pty';
import { describe, expect, test } from 'vitest';
import { type IntegrationAction, ShellIntegration } from './shell-integration.ts';
import type { IntegratedShell } from './shell-scripts.ts';

const BASH_PROMPT = '\x1b[?2004h$ ';

/** Secrets that can be told apart and foretold. */
const counting = (): ((digits: number) => string) => {
  let next = 0;
  return (digits) => {
    next += 1;
    return String(next).padStart(digits, '0');
  };
};

class Machine {
  readonly machine = new ShellIntegration({ now: 0, roundTrip: 0, secret: counting() });
  readonly token = '1'.padStart(24, '0');
  readonly greeting = '2'.padStart(24, '0');
  actions: IntegrationAction[] = [];
  now = 0;

  device(text: string): this {
    this.actions.push(...this.machine.fromDevice(Buffer.from(text), this.now));
    return this;
  }

  type(text: string): this {
    this.actions.push(...this.machine.fromClient(Buffer.from(text), this.now));
    return this;
  }

  wait(milliseconds: number): this {
    const until = this.now + milliseconds;
    for (let at = this.machine.wakeAt(); at !== undefined && at <= until; at = this.machine.wakeAt()) {
      this.now = Math.max(this.now, at);
      this.actions.push(...this.machine.timer(this.now));
    }
    this.now = until;
    return this;
  }

  says(text: string): string {
    return `\x1b]7770;${this.token};${text}\x07`;
  }

  installed(): this {
    this.device(BASH_PROMPT).wait(100);
    this.device(`typed text\x1b[?2004l\x1b]7770;${this.greeting};h\x07`);
    return this.device(`${this.says('p')}${BASH_PROMPT}`);
  }

  get shown(): string {
    return this.all('output');
  }

  get toDevice(): string {
    return this.all('toDevice');
  }

  get input(): string {
    return this.all('input');
  }

  get kinds(): string[] {
    return this.actions.map(({ kind }) => kind);
  }

  /** The challenge that would be answered now. */
  get challenge(): string {
    const last = this.actions.findLast((action) => action.kind === 'ready');
    return last?.kind === 'ready' ? last.ask.toString().slice(-16) : '';
  }

  all(kind: 'output' | 'toDevice' | 'input'): string {
    return this.actions.flatMap((action) => (action.kind === kind ? [action.bytes.toString()] : [])).join('');
  }
}

describe('installing', () => {
  test('shows one prompt and nothing of what was typed', () => {
    const machine = new Machine().device('welcome\r\n').installed();
    expect(machine.shown).toBe(`welcome\r\n${BASH_PROMPT}`);
    expect(machine.kinds).toContain('installed');
  });

  test('lets keys of the user wait, and loses none', () => {
    const machine = new Machine().device(BASH_PROMPT).type('l').wait(100).type('s\r');
    expect(machine.input).toBe('');
    machine.device(`\x1b]7770;${machine.greeting};h\x07`).device(machine.says('p'));
    expect(machine.input).toBe('ls\r');
    expect(machine.machine.keptBytes).toBe(0);
  });

  test('does not begin while something of the user is on the line, but at the next prompt', () => {
    const machine = new Machine().type('l').device(BASH_PROMPT).wait(1_000);
    expect(machine.toDevice).toBe('');
    expect(machine.shown).toBe(BASH_PROMPT);
    machine.type('s\r').device('\x1b[?2004l\r\nfile\r\n').device(BASH_PROMPT).wait(100);
    expect(machine.toDevice).not.toBe('');
  });

  test('does not begin where no line editor announces itself', () => {
    const machine = new Machine().device('$ ').wait(60_000).type('ls\r');
    expect(machine.toDevice).toBe('');
    expect(machine.input).toBe('ls\r');
  });

  test('that nobody answers is given up: everything is shown that was kept back, and every key goes through', () => {
    const machine = new Machine().device(BASH_PROMPT).wait(100).type('ls').device('?? no such thing\r\n$ ');
    machine.wait(60_000);
    expect(machine.kinds).toContain('unavailable');
    // What may still stand on the line is not hidden from the user, nor from whoever reads the screen.
    expect(machine.shown).toBe(`${BASH_PROMPT}?? no such thing\r\n$ `);
    expect(machine.input).toBe('ls');
    expect(machine.toDevice.endsWith('\x03\x03')).toBe(true);
    machine.device('later').type('x');
    expect(machine.shown.endsWith('$ later')).toBe(true);
    expect(machine.input).toBe('lsx');
  });

  test('a greeting that only echoes what was typed is none', () => {
    const machine = new Machine().device(BASH_PROMPT).wait(100);
    machine.device(machine.toDevice).device(`\\033]7770;${machine.greeting};h\\007`);
    expect(machine.machine.state).toBe('greeting');
  });
});

describe('a report', () => {
  test('answers the challenge that was asked, once', () => {
    const machine = new Machine().installed();
    const { challenge } = machine;
    machine.device(machine.says(`r;${challenge};7;ls%3b pwd`.replace(';7;', ';9;')));
    expect(machine.actions.at(-1)).toMatchObject({ kind: 'report', report: { text: 'ls; pwd' } });
    const before = machine.actions.length;
    machine.device(machine.says(`r;${challenge};2;rm`));
    expect(machine.kinds.slice(before)).toEqual([]);
  });

  test('with a challenge that nobody was asked is a forgery', () => {
    const machine = new Machine().installed();
    machine.device(machine.says('r;0123456789abcdef;2;ls'));
    expect(machine.kinds.at(-1)).toBe('forged');
  });

  test('that has lost something on its way is none', () => {
    const machine = new Machine().installed();
    machine.device(machine.says(`r;${machine.challenge};9;ls`));
    expect(machine.kinds).not.toContain('report');
  });

  test('never shows on the user’s side, whoever printed it', () => {
    const machine = new Machine().installed();
    const before = machine.shown;
    machine.device(`a${machine.says('r;0123456789abcdef;2;ls')}b`);
    expect(machine.shown).toBe(`${before}ab`);
  });
});

const SHELLS: Readonly<Record<IntegratedShell, readonly [string, readonly string[]]>> = {
  bash: ['/bin/bash', ['--noprofile', '--norc', '-i']],
  zsh: ['/usr/bin/zsh', ['-f', '-i']],
  fish: ['/usr/bin/fish', ['-i']],
};

/** A real shell with the state machine in front of it. */
class RealShell implements Disposable {
  readonly machine: ShellIntegration;
  readonly reports: { readonly text: string; readonly aliases: ReadonlyMap<string, string> }[] = [];
  readonly kinds: string[] = [];
  shown = '';
  ask: Buffer | undefined;
  allow: Buffer | undefined;
  readonly #terminal;
  readonly #home: string;
  #timer: NodeJS.Timeout | undefined;
  #told: () => void = () => {};

  constructor(shell: IntegratedShell) {
    this.#home = mkdtempSync(join(tmpdir(), 'integration-'));
    const [file, args] = SHELLS[shell];
    this.machine = new ShellIntegration({
      now: performance.now(),
      roundTrip: 1,
      secret: (digits) =>
        Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join(''),
    });
    this.#terminal = spawn(file, [...args], {
      cols: 80,
      rows: 24,
      cwd: this.#home,
      env: { PATH: '/usr/bin:/bin', HOME: this.#home, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' },
      encoding: null,
    });
    this.#terminal.onData((data: string | Buffer) =>
      this.#act(this.machine.fromDevice(Buffer.from(data), performance.now())),
    );
  }

  type(text: string | Buffer): void {
    this.#terminal.write(Buffer.from(text));
  }

  /** Asks for the line, and waits for the report. */
  async report(): Promise<string> {
    const before = this.reports.length;
    if (this.ask !== undefined) this.type(this.ask);
    await this.until('a report', () => this.reports.length > before);
    return this.reports.at(-1)?.text ?? '';
  }

  /** As the gate does when the line may run. */
  run(): void {
    this.type(Buffer.concat([this.allow ?? Buffer.alloc(0), Buffer.from('\r')]));
  }

  until(what: string, seen: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${what}: ${JSON.stringify(this.shown.slice(-400))} ${this.kinds.join()}`)),
        20_000,
      );
      this.#told = () => {
        if (!seen()) return;
        clearTimeout(timer);
        resolve();
      };
      this.#told();
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#terminal.kill('SIGKILL');
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  #act(actions: readonly IntegrationAction[]): void {
    for (const action of actions) {
      this.kinds.push(action.kind);
      if (action.kind === 'output') this.shown += action.bytes.toString();
      else if (action.kind === 'toDevice') this.type(action.bytes);
      else if (action.kind === 'ready') this.ask = action.ask;
      else if (action.kind === 'report') {
        this.reports.push(action.report);
        this.allow = action.report.keys.allow;
      }
    }
    clearTimeout(this.#timer);
    const at = this.machine.wakeAt();
    if (at !== undefined) {
      this.#timer = setTimeout(
        () => this.#act(this.machine.timer(performance.now())),
        Math.max(0, at - performance.now()),
      );
    }
    this.#told();
  }
}

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  describe.skipIf(!existsSync(SHELLS[shell][0]))(`a real ${shell}`, () => {
    const ready = async (real: RealShell): Promise<void> =>
      real.until('installation', () => real.kinds.includes('installed'));

    test('reports exactly what is on its line, whatever that is, and runs just that', async () => {
      using real = new RealShell(shell);
      await ready(real);
      for (const line of ['echo 100%; echo b', 'echo "a;b" é漢 \\t', 'echo "1\n2"']) {
        real.type(line.includes('\n') ? `\x1b[200~${line}\x1b[201~` : line);
        expect(await real.report()).toBe(line);
        const marks = real.kinds.filter((kind) => kind === 'ready').length;
        real.run();
        await real.until(
          'the next prompt',
          () => real.kinds.filter((kind) => kind === 'ready').length > marks,
        );
        real.shown = '';
      }
    }, 60_000);

    test('drops its line when that has changed since it was reported', async () => {
      using real = new RealShell(shell);
      await ready(real);
      real.type('echo safe');
      expect(await real.report()).toBe('echo safe');
      real.type('-not-judged');
      real.run();
      await real.until('a change, and the next prompt', () =>
        real.kinds.slice(real.kinds.indexOf('changed')).includes('ready'),
      );
      real.type('echo later');
      expect(await real.report()).toBe('echo later');
      expect(real.shown).not.toMatch(/\nsafe-not-judged/);
    }, 60_000);
  });
}

test.skipIf(!existsSync('/bin/bash'))(
  'history and aliases are told as they would run',
  async () => {
    using real = new RealShell('bash');
    await real.until('installation', () => real.kinds.includes('installed'));
    for (const line of ["alias q='ls -d'", 'echo once']) {
      real.type(line);
      await real.report();
      const marks = real.kinds.filter((kind) => kind === 'ready').length;
      real.run();
      await real.until('the next prompt', () => real.kinds.filter((kind) => kind === 'ready').length > marks);
    }
    real.type('q; !!');
    expect(await real.report()).toBe('q; echo once');
    real.type('\x15q /');
    await real.report();
    expect(real.reports.at(-1)?.aliases).toEqual(new Map([['q', 'ls -d']]));
  },
  60_000,
);
