// What every test borrows from the machine and must give back: a temporary folder, free ports on loopback, processes.
// Whoever makes a Scratch disposes of it; processes end before the folder goes.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long a process may take to end by itself after SIGTERM. Milliseconds. */
const endWithin = 10_000;

/** Below it no connection that anybody opens takes a port for its own end (ip(7)). */
const outgoing = (): number => {
  const file = '/proc/sys/net/ipv4/ip_local_port_range';
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 32_768;
};

/** Free now, and free again for a server that starts anew there: nobody is given it by chance meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, Math.max(outgoing(), 12_000));
    const server = createServer();
    const listening = once(server, 'listening').then(() => true);
    server.listen(port, '127.0.0.1');
    if (!(await listening.catch(() => false))) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** The path of a Unix socket has at most 107 bytes (unix(7)), and the gateway's lies deep in the folder. */
const root = tmpdir().length <= 40 ? tmpdir() : '/tmp';

export class Scratch {
  readonly folder = mkdtempSync(join(root, 'sallyport-test-'));
  readonly #owned: ChildProcess[] = [];
  readonly #undo: (() => void | Promise<void>)[] = [];
  readonly #atExit = () => {
    for (const child of this.#owned) if (running(child)) child.kill('SIGKILL');
  };

  constructor() {
    process.once('exit', this.#atExit);
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Runs `undo` at the end, last added first. */
  atEnd(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  /** Starts a process that lives until the end. */
  start(command: string, args: readonly string[], options: Parameters<typeof spawn>[2] = {}): ChildProcess {
    const child = spawn(command, [...args], options);
    this.#owned.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo();
    await Promise.all(this.#owned.reverse().map((child) => endProcess(child)));
    process.off('exit', this.#atExit);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function running(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (!running(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const harder = setTimeout(() => child.kill('SIGKILL'), endWithin);
  await ended;
  clearTimeout(harder);
}

/** Resolves with the first line of output that matches; rejects with everything seen when the process ends or time is up. */
export function lineOf(child: ChildProcess, wanted: RegExp, milliseconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const finish = (act: () => void) => {
      clearTimeout(timer);
      child.stdout?.off('data', take);
      child.stderr?.off('data', take);
      child.off('exit', ended);
      child.stdout?.resume();
      child.stderr?.resume();
      act();
    };
    const take = (data: Buffer) => {
      seen += data.toString();
      const line = seen.split('\n').find((candidate) => wanted.test(candidate));
      if (line !== undefined) finish(() => resolve(line));
    };
    const ended = () => finish(() => reject(new Error(`ended before ${wanted} came:\n${seen}`)));
    const timer = setTimeout(
      () => finish(() => reject(new Error(`${wanted} did not come:\n${seen}`))),
      milliseconds,
    );
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.on('exit', ended);
  });
}
