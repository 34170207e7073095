// How long a key takes to come back: a pty, ssh in it, `cat` on a raw terminal at the other end.
import { spawn } from 'node:child_process';
import { typeAt } from '../test/harness/terminal.ts';
import type { Path } from './paths.ts';

/** Milliseconds for each of `count` keys, typed `gap` milliseconds apart. */
export async function measureEcho(path: Path, count: number, gap = 15): Promise<number[]> {
  const [file = 'ssh', ...args] = path.command('stty raw -echo; echo go; exec cat', { tty: true });
  using terminal = typeAt(file, args);
  await terminal.until(/go\r?\n/);
  const samples: number[] = [];
  for (let n = 0; n < count + 10; n += 1) {
    const key = String.fromCharCode(97 + (n % 26));
    const from = performance.now();
    terminal.type(key);
    await terminal.until(key);
    // The first keys warm the path up.
    if (n >= 10) samples.push(performance.now() - from);
    await new Promise((resolve) => setTimeout(resolve, gap * (0.5 + Math.random())));
  }
  return samples;
}

/** Downloads without end through the path until it is disposed of. */
export function downloadFlatOut(path: Path): Disposable {
  const [file = 'ssh', ...args] = path.command('cat /dev/zero');
  const child = spawn(file, args, { stdio: 'ignore' });
  return {
    [Symbol.dispose]() {
      child.kill('SIGKILL');
    },
  };
}
