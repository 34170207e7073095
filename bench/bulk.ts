// How fast bytes go through a path. The client's own start and sign-in are measured too, and taken off.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { median } from './measure.ts';
import type { Path } from './paths.ts';

const shellTime = async (script: string, words: readonly string[]): Promise<number> => {
  const from = performance.now();
  const child = spawn('sh', ['-c', script, 'sh', ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000);
  const [code] = await once(child, 'exit');
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${words[0]} ended with ${String(code)}`);
  return (performance.now() - from) / 1000;
};

/** Processor seconds that the processes have used so far; those that are gone count nothing. */
export function processorSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks / 100;
}

/**
 * Megabytes (10⁶) a second, median of `rounds`; the rounds of all paths are interleaved, so that load hits all alike. One
 * round before them warms the paths up and is not counted.
 */
export async function measureBulk(
  paths: readonly Path[],
  cipher: string,
  direction: 'down' | 'up',
  bytes: number,
  rounds: number,
  /** Called before each transfer; what it answers is called after it. */
  meter?: (path: string) => () => void,
): Promise<Map<string, number>> {
  const samples = new Map<string, number[]>(paths.map((path) => [path.name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const path of paths) {
      const idle = await shellTime('"$@" >/dev/null </dev/null', path.command('true', { cipher }));
      const remote = direction === 'down' ? `head -c ${bytes} /dev/zero` : 'cat >/dev/null';
      const script =
        direction === 'down' ? '"$@" >/dev/null </dev/null' : `head -c ${bytes} /dev/zero | "$@" >/dev/null`;
      const done = round < 0 ? undefined : meter?.(path.name);
      const taken = await shellTime(script, path.command(remote, { cipher }));
      done?.();
      if (round < 0) continue;
      samples.get(path.name)?.push(bytes / 1e6 / Math.max(0.001, taken - idle));
    }
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]));
}
