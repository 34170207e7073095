// How long a key takes to come back: a pty, ssh in it, `cat` on a raw terminal at the other end.
import { spawn } from 'node:child_process';
import { typeAt } from '../test/harness/terminal.ts';
import type { Path } from './paths.ts';

/** Milliseconds after which a download is under way. */
const UNDER_WAY = 2_000;

/** Keys that warm a path up: programs that compile what they run often do it in these. */
const WARM_UP = 1_000;

/** Milliseconds for each of `count` keys, typed about `gap` milliseconds apart; as many as warm a path up are not counted. */
export async function measureEcho(path: Path, count: number, gap = 15): Promise<number[]> {
  const [file = 'ssh', ...args] = path.command('stty raw -echo; echo go; exec cat', { tty: true });
  using terminal = typeAt(file, args);
  await terminal.until(/go\r?\n/);
  const samples: number[] = [];
  for (let n = -WARM_UP; n < count; n += 1) {
    const key = String.fromCharCode(97 + ((n + WARM_UP) % 26));
    const from = performance.now();
    terminal.type(key);
    await terminal.until(key);
    if (n < 0) continue;
    samples.push(performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, gap * (0.5 + Math.random())));
  }
  return samples;
}

/** Downloads without end through the path until it is disposed of; resolves when that has been going on for a while. */
export async function downloadFlatOut(path: Path): Promise<Disposable> {
  const [file = 'ssh', ...args] = path.command('cat /dev/zero');
  // Nobody reads here: the bench would be one more program that wants a processor.
  const child = spawn(file, args, { stdio: 'ignore' });
  await new Promise((resolve) => setTimeout(resolve, UNDER_WAY));
  if (child.exitCode !== null) throw new Error(`the download through ${path.name} ended at once`);
  return {
    [Symbol.dispose]() {
      child.kill('SIGKILL');
    },
  };
}
