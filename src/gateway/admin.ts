// The API's process as the supervisor has it: started beside the workers, told what they are told, started again with a
// growing pause when it ends by itself. Users' sessions never depend on it: a gateway without its API goes on.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/load.ts';
import { type FromAdmin, readFromAdmin, type ToAdmin } from './admin-messages.ts';
import type { Log } from './log.ts';

export interface AdminOptions {
  readonly config: () => Config;
  readonly version: string;
  readonly log: Log;
  readonly onNotice: (topic: string, payload: string) => void;
}

/** The same file, compiled or not. */
const entry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../api/process.ts' : '../api/process.js', import.meta.url),
);

const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;
/** A process that lived this long starts with the shortest pause again. */
const PROVEN = 60_000;
const STOP_WITHIN = 5_000;

type Phase =
  | { readonly kind: 'off' }
  | { readonly kind: 'running'; readonly child: ChildProcess; readonly since: number }
  | { readonly kind: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'stopped' };

export class AdminProcess {
  readonly #options: AdminOptions;
  #phase: Phase = { kind: 'off' };
  #failures = 0;
  #urls: readonly string[] = [];
  #wakeSettled: (() => void)[] = [];

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  /** Where it listens; none while it does not. */
  get urls(): readonly string[] {
    return this.#urls;
  }

  /** Does nothing where the configuration names no address. */
  start(): void {
    if (this.#phase.kind === 'off' && this.#options.config().admin.listen.length > 0) this.#launch();
  }

  /** Resolves when it listens or can't for now, at the latest after `patience` milliseconds. */
  async settled(patience: number): Promise<void> {
    if (this.#phase.kind !== 'running' || this.#urls.length > 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wakeSettled.push(resolve);
      timer = setTimeout(resolve, patience);
    });
    clearTimeout(timer);
  }

  tell(message: ToAdmin): void {
    if (this.#phase.kind === 'running') send(this.#phase.child, message);
  }

  async stop(): Promise<void> {
    const phase = this.#phase;
    this.#phase = { kind: 'stopped' };
    if (phase.kind === 'waiting') clearTimeout(phase.timer);
    if (phase.kind !== 'running' || phase.child.exitCode !== null) return;
    const { child } = phase;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN);
      send(child, { kind: 'stop' });
    });
    clearTimeout(timer);
  }

  #launch(): void {
    const { config, version, log } = this.#options;
    const child = fork(entry, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const running: Phase = { kind: 'running', child, since: Date.now() };
    this.#phase = running;
    let over: 'no' | 'yes' = 'no';
    const gone = (how: string): void => {
      if (over === 'yes') return;
      over = 'yes';
      this.#urls = [];
      this.#settle();
      if (this.#phase !== running) return;
      this.#failures = Date.now() - running.since > PROVEN ? 1 : this.#failures + 1;
      const pause = Math.min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** Math.min(this.#failures - 1, 10));
      log.warn('admin.ended', { how, startsAgainInMs: pause });
      const timer = setTimeout(() => this.#launch(), pause);
      timer.unref();
      this.#phase = { kind: 'waiting', timer };
    };
    child.on('message', (message) => {
      try {
        this.#onMessage(readFromAdmin(message));
      } catch (error) {
        log.error('admin.message-not-understood', { error });
        child.kill('SIGKILL');
      }
    });
    child.once('close', (code, signal) => gone(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once('error', (error) => gone(error.message));
    send(child, { kind: 'configure', config: JSON.stringify(config()), version });
  }

  #onMessage(message: FromAdmin): void {
    switch (message.kind) {
      case 'up':
        this.#urls = message.urls;
        this.#options.log.always('admin.ready', {
          text: `console and API on ${message.urls.join(', ')}`,
          urls: message.urls,
        });
        this.#settle();
        return;
      case 'failed':
        this.#options.log.error('admin.not-started', { problem: message.problem });
        this.#settle();
        return;
      case 'notice':
        this.#options.onNotice(message.topic, message.payload);
        return;
      default:
        message satisfies never;
    }
  }

  #settle(): void {
    for (const wake of this.#wakeSettled.splice(0)) wake();
  }
}

const send = (child: ChildProcess, message: ToAdmin): void => {
  // A process that is going away is told nothing more.
  if (child.connected) child.send(message, () => {});
};
