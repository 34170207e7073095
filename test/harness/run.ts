// Runs a program to its end and hands back everything it said. Bounded in time; a program that doesn't end is killed,
// and the result says so instead of throwing, so that a test shows what was seen.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

export interface RunOptions {
  readonly input?: string | Buffer;
  /** Leaves stdin open (never written) instead of giving it an end. */
  readonly holdInput?: boolean;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds; 30,000 unless told. */
  readonly timeout?: number;
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly output: Buffer;
  readonly timedOut: boolean;
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: 'pipe',
      // A group of its own: what the program started ends with it when time is up.
      detached: true,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, constants.signals.SIGKILL);
        } catch {
          child.kill('SIGKILL');
        }
      }
    }, options.timeout ?? 30_000);
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const output = Buffer.concat(out);
      resolve({
        code,
        signal,
        output,
        stdout: output.toString(),
        stderr: Buffer.concat(err).toString(),
        timedOut,
      });
    });
    if (options.holdInput !== true) child.stdin.end(options.input ?? '');
  });
}
