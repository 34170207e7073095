// Plays one scripted interaction: a person's keys, a link with latency and jitter, the gate, another link, a real
// shell on a pseudo-terminal. Collects what the gate read and what it let through. The person's side sees only what a
// person would see.
import { type IPty, spawn } from 'node-pty';
import { Gate } from '../../proxy/gate/gate.ts';
import type { GateAction, GateSettings, VerdictRequest } from '../../proxy/gate/gate-types.ts';
import { type IntegrationAction, ShellIntegration } from '../../proxy/integration/shell-integration.ts';
import { REPORT_NUMBER } from '../../proxy/integration/shell-scripts.ts';
import { Screen } from '../../proxy/terminal/screen.ts';
import type { Random } from './random.ts';
import type { Scenario, Step } from './scenario.ts';
import type { ShellKind } from './shells.ts';

export interface Played {
  readonly truth: readonly string[];
  readonly requests: readonly VerdictRequest[];
  /** Texts that were approved and let through, in order. */
  readonly approved: readonly string[];
  readonly outcomes: readonly string[];
  readonly alarms: readonly string[];
  /** Carriage returns and line feeds that reached the device: no shell can have run more lines. */
  readonly submits: number;
  readonly ended: string | undefined;
  readonly transcript: string;
}

export interface PlayOptions {
  readonly latency: number;
  readonly settings: GateSettings;
  readonly random: Random;
  readonly trace: boolean;
  /** The shell is made to report its line. */
  readonly integration?: boolean;
}

const now = (): number => performance.now();
const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Delivers in order, each message after its own delay. */
class Link {
  readonly #delay: () => number;
  readonly #waiting: { readonly due: number; readonly deliver: () => void }[] = [];
  #last = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(delay: () => number) {
    this.#delay = delay;
  }

  send(deliver: () => void): void {
    this.#last = Math.max(this.#last, now() + this.#delay());
    this.#waiting.push({ due: this.#last, deliver });
    if (this.#waiting.length === 1) this.#arrive();
  }

  #arrive(): void {
    if (this.#timer !== undefined) return;
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined) return;
      const rest = first.due - now();
      if (rest > 0.2) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#arrive();
        }, rest);
        return;
      }
      this.#waiting.shift();
      first.deliver();
    }
  }
}

/** Splits a script's text into what one key press sends. */
function keysOf(text: string): string[] {
  return text.match(/\x1b\[[\d;?]*[A-Za-z~]|\x1bO[A-Za-z]|\x1b[^\x1b]|[\s\S]/gu) ?? [];
}

export async function play(shell: ShellKind, scenario: Scenario, options: PlayOptions): Promise<Played> {
  const random = options.random;
  const started = shell.start({ rc: scenario.opt?.rc, ps1: scenario.ps1?.[shell.family] });
  let columns = 80;
  let rows = 24;
  const client = new Screen(columns, rows, 200);
  const half = options.latency / 2;
  const jittered = (base: number) => () => (base === 0 ? 0 : base * (0.85 + 0.4 * random.next()));
  const toGate = new Link(jittered(half / 4));
  const toDevice = new Link(jittered(half));
  const toGateBack = new Link(jittered(half));
  const toClient = new Link(jittered(half / 4));
  const requests: VerdictRequest[] = [];
  const approved: string[] = [];
  const outcomes: string[] = [];
  const alarms: string[] = [];
  const trace: string[] = [];
  let submits = 0;
  let ended: string | undefined;
  let lastSeen = now();
  let seen = 0;
  let timer: NodeJS.Timeout | undefined;
  const began = now();
  const note = (what: string, data: string): void => {
    if (options.trace)
      trace.push(`${(now() - began).toFixed(0).padStart(6)} ${what} ${JSON.stringify(data)}`);
  };
  // As sshd does for a client that asks for it: the terminal's own line editing counts characters, not bytes.
  const terminal: IPty = spawn(
    '/bin/sh',
    ['-c', 'stty iutf8; exec "$0" "$@"', started.file, ...started.args],
    {
      cols: columns,
      rows,
      cwd: started.directory,
      env: started.env,
      encoding: null,
    },
  );
  let alive = true;
  terminal.onExit(() => {
    alive = false;
  });
  const gate = new Gate({
    columns,
    rows,
    settings: options.settings,
    roundTrip: options.latency,
    now: now(),
  });

  const integration =
    options.integration === true
      ? new ShellIntegration({
          now: now(),
          roundTrip: options.latency,
          secret: (digits) => random.hex(digits),
        })
      : undefined;
  let integrationTimer: NodeJS.Timeout | undefined;

  const carryOut = (actions: readonly GateAction[]): void => {
    for (const action of actions) {
      switch (action.kind) {
        case 'toDevice':
          note(action.origin === 'gate' ? 'GATE→dev' : 'user→dev', action.bytes.toString());
          for (const byte of action.bytes) if (byte === 0x0d || byte === 0x0a) submits += 1;
          toDevice.send(() => {
            if (alive) terminal.write(action.bytes);
          });
          break;
        case 'toClient':
          if (action.origin === 'gate') note('GATE→cli', action.bytes.toString());
          toClient.send(() => {
            lastSeen = now();
            seen += action.bytes.length;
            client.write(action.bytes);
            // As every terminal does when it is asked where the cursor is.
            if (action.bytes.includes('\x1b[6n')) {
              const { row, column } = client.cursor;
              press(`\x1b[${row - client.top + 1};${Math.min(columns, column + 1)}R`);
            }
          });
          break;
        case 'resizeDevice': {
          const { columns: c, rows: r } = action;
          note('resize', `${c}x${r}`);
          toDevice.send(() => {
            if (alive) terminal.resize(c, r);
          });
          break;
        }
        case 'requestVerdict': {
          requests.push(action.request);
          note(
            'verdict?',
            `${action.request.reading.text} | ${action.request.reading.how} ${action.request.reading.confidence} ${action.request.reading.doubts.join(',')} held ${action.request.heldFor.toFixed(0)}`,
          );
          const id = action.request.id;
          if (action.request.what === 'paste') {
            for (const text of action.request.reading.candidates) approved.push(text);
          }
          queueMicrotask(() => carryOut(gate.verdict(id, { kind: 'release' }, now())));
          break;
        }
        case 'observed':
          requests.push(action.request);
          note(
            'observed',
            `${action.request.reading.text} | ${action.request.reading.how} ${action.request.reading.confidence} ${action.request.reading.doubts.join(',')}`,
          );
          break;
        case 'outcome':
          outcomes.push(`${action.outcome}: ${action.text}`);
          if (action.outcome === 'released' || action.outcome === 'replayed') approved.push(action.text);
          note('outcome', `${action.outcome} ${action.text}`);
          break;
        case 'answered':
          break;
        case 'refusedKey':
          note('refused', action.bytes.toString());
          break;
        case 'alarm':
          alarms.push(action.alarm);
          note('alarm', action.alarm);
          break;
        case 'timer':
          clearTimeout(timer);
          timer = setTimeout(() => carryOut(gate.timer(now())), Math.max(0, action.at - now()));
          break;
        case 'endChannel':
          ended = action.code;
          note('end', action.code);
          break;
      }
    }
  };

  const integrate = (reporter: ShellIntegration, actions: readonly IntegrationAction[]): void => {
    for (const action of actions) {
      switch (action.kind) {
        case 'output':
          carryOut(gate.deviceData(action.bytes, now()));
          break;
        case 'input':
          carryOut(gate.clientData(action.bytes, now()));
          break;
        case 'toDevice':
          note('INTEGRATION→dev', action.bytes.toString());
          toDevice.send(() => {
            if (alive) terminal.write(action.bytes);
          });
          break;
        case 'ready':
          gate.witnessReady(action.ask);
          break;
        case 'report':
          carryOut(gate.reported(action.report.text, now(), action.report.keys));
          break;
        case 'installed':
          gate.editorIs(action.shell === 'bash' ? 'readline' : action.shell);
          note(action.kind, action.shell);
          break;
        case 'unavailable':
        case 'changed':
        case 'forged':
          note(action.kind, '');
          alarms.push(action.kind);
          break;
      }
    }
    clearTimeout(integrationTimer);
    const at = reporter.wakeAt();
    if (at === undefined) return;
    integrationTimer = setTimeout(() => integrate(reporter, reporter.timer(now())), Math.max(0, at - now()));
  };

  terminal.onData((data: string | Buffer) => {
    const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data);
    toGateBack.send(() => {
      note('dev', bytes.toString());
      if (integration === undefined) carryOut(gate.deviceData(bytes, now()));
      else integrate(integration, integration.fromDevice(bytes, now()));
    });
  });

  const press = (text: string): void => {
    const bytes = Buffer.from(text);
    toGate.send(() => {
      if (integration === undefined) carryOut(gate.clientData(bytes, now()));
      else integrate(integration, integration.fromClient(bytes, now()));
    });
  };
  /** Waits until nothing has been shown for a while: what a person takes for "it is ready". */
  const idle = async (from: number, longest = 6000): Promise<void> => {
    const until = now() + longest;
    const silence = 130 + 2.6 * options.latency;
    while (now() < until && alive && ended === undefined) {
      const quiet = now() - Math.max(lastSeen, from);
      const installing =
        integration !== undefined && !['installed', 'unavailable'].includes(integration.state);
      if (quiet >= silence && gate.phase === 'open' && !installing) return;
      if (quiet >= silence + 1600 + 3 * options.latency) return;
      await sleep(15);
    }
  };
  const type = async (text: string, wait: boolean): Promise<void> => {
    for (const key of keysOf(text)) {
      if (!alive || ended !== undefined) return;
      const before = seen;
      press(key);
      if (wait && (key === '\r' || key === '\n')) {
        const from = now();
        while (seen === before && now() - from < 400 + 3 * options.latency) await sleep(5);
        await idle(now());
      } else await sleep(6);
    }
  };
  const perform = async (step: Step): Promise<void> => {
    if (typeof step === 'string') {
      if (step.startsWith('@margin') || step === '@cjkmargin') {
        const room = columns - client.cursor.column - 'echo '.length;
        if (step === '@cjkmargin') await type(`echo ${'x'.repeat(Math.max(1, room - 1))}漢字\r`, true);
        else await type(`echo ${'m'.repeat(Math.max(1, room + (step === '@margin1' ? 1 : 0)))}\r`, true);
      } else if (step === '@bg') await type('(sleep 0.4; echo background job) &\r', true);
      else if (step === '@readpw') await type('read -s pw\r', false);
      else if (step.startsWith('@nowait ')) await type(step.slice(8), false);
      else await type(step, true);
      return;
    }
    if ('b' in step) press(step.b);
    else if ('w' in step) await sleep(step.w);
    else if ('i' in step) await idle(now());
    else {
      [columns, rows] = step.rs;
      client.resize(columns, rows);
      toGate.send(() => carryOut(gate.resize(columns, rows, now())));
    }
  };

  try {
    const from = now();
    while (seen === 0 && now() - from < 5000) await sleep(10);
    await idle(now());
    for (const step of scenario.steps) {
      if (!alive || ended !== undefined) break;
      await perform(step);
      if (now() - began > (scenario.deadline ?? 60_000)) break;
    }
    await idle(now(), 3000 + 4 * options.latency);
    if (started.farewell !== undefined && alive) {
      terminal.write(started.farewell);
      for (let i = 0; i < 100 && alive; i++) await sleep(20);
    }
  } finally {
    clearTimeout(timer);
    clearTimeout(integrationTimer);
    if (alive) {
      try {
        terminal.kill('SIGHUP');
        await sleep(30);
        if (alive) terminal.kill('SIGKILL');
      } catch {
        // It ended in between.
      }
    }
    gate[Symbol.dispose]();
    client[Symbol.dispose]();
  }
  // What makes the shell report its line is accepted there as well; it is nobody's command.
  const truth = started
    .truth()
    .filter((text) => integration === undefined || !text.includes(`]${REPORT_NUMBER};`));
  started.remove();
  return { truth, requests, approved, outcomes, alarms, submits, ended, transcript: trace.join('\n') };
}
