// Starts, every minute, the process that looks after what is recorded (keeper-process.ts), one at a time, and ends it with
// the gateway. No session depends on it: one that fails is logged by itself, and the next comes a minute later.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/load.ts';
import type { Log } from './log.ts';

/** The same file, compiled or not. */
const entry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './keeper-process.ts' : './keeper-process.js', import.meta.url),
);

const FIRST_AFTER = 10_000;
const EVERY = 60_000;
/** An index that is built for the first time goes on the next time. */
const AT_MOST = 30 * 60_000;
const STOP_WITHIN = 5_000;

export class Keeper implements AsyncDisposable {
  readonly #config: () => Config;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #child: ChildProcess | undefined;
  #phase: 'off' | 'on' | 'stopped' = 'off';

  constructor(config: () => Config, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  start(): void {
    if (this.#phase !== 'off') return;
    this.#phase = 'on';
    this.#next(FIRST_AFTER);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#phase = 'stopped';
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      // It ends at the next recording when it hears that the gateway goes.
      if (child.connected) child.disconnect();
      timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN);
    });
    clearTimeout(timer);
  }

  #next(after: number): void {
    if (this.#phase !== 'on') return;
    this.#timer = setTimeout(() => this.#look(), after);
    this.#timer.unref();
  }

  #look(): void {
    const child = fork(entry, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: process.execArgv });
    this.#child = child;
    const bound = setTimeout(() => child.kill('SIGKILL'), AT_MOST);
    bound.unref();
    const over = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      clearTimeout(bound);
      this.#next(EVERY);
    };
    child.once('error', (error) => {
      this.#log.error('recording.keeper-failed', { error });
      over();
    });
    child.once('close', over);
    child.send(JSON.stringify(this.#config()), () => {});
  }
}
