// Many connections: sign-ins a second, and what an idle session costs the gateway in memory.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { run } from '../test/harness/run.ts';
import { endProcess } from '../test/harness/scratch.ts';
import type { Site } from '../test/harness/site.ts';
import type { SshUser } from '../test/harness/ssh.ts';

const program = new URL('./crowd-client.ts', import.meta.url).pathname;

const words = (user: SshUser) => [user.endpoint.host, String(user.endpoint.port), user.login, user.key.file];

/** Sign-ins (TCP, key exchange, public key) a second with eight at a time, by one client process. */
export async function measureSignIns(user: SshUser, seconds: number): Promise<number> {
  const { stdout, stderr } = await run(
    process.execPath,
    [program, 'sign-in', String(seconds), ...words(user)],
    {
      timeout: (seconds + 60) * 1000,
    },
  );
  const result: unknown = JSON.parse(stdout.trim() || 'null');
  if (typeof result !== 'object' || result === null || !('perSecond' in result)) throw new Error(stderr);
  return Number(result.perSecond);
}

export interface IdleCost {
  readonly sessions: number;
  /** Resident memory of all the gateway's processes, in bytes. */
  readonly before: number;
  readonly after: number;
}

/** Opens shells in terminals through the gateway and leaves them idle. */
export async function measureIdle(site: Site, count: number): Promise<IdleCost> {
  // What the first sessions load once is not a session's cost.
  const warm = await hold(site, 20);
  await warm.end();
  const before = await settled(site);
  const crowd = await hold(site, count);
  const after = await settled(site);
  await crowd.end();
  return { sessions: crowd.opened, before, after };
}

/** The memory once it no longer changes: what signing in needed for a moment is not an idle session's. */
async function settled(site: Site): Promise<number> {
  let last = site.gateway.memory();
  for (let n = 0; n < 15; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const now = site.gateway.memory();
    if (Math.abs(now - last) < last / 500) return now;
    last = now;
  }
  return last;
}

async function hold(site: Site, count: number): Promise<{ opened: number; end(): Promise<void> }> {
  const child = site.scratch.start(process.execPath, [program, 'hold', String(count), ...words(site.alice)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('no output');
  const [line] = await once(createInterface({ input: child.stdout }), 'line', {
    signal: AbortSignal.timeout(300_000),
  });
  const result: unknown = JSON.parse(String(line));
  if (typeof result !== 'object' || result === null || !('opened' in result)) throw new Error(String(line));
  if ('firstFailure' in result && result.firstFailure !== undefined) {
    process.stderr.write(`a session failed: ${String(result.firstFailure)}\n`);
  }
  return {
    opened: Number(result.opened),
    end: async () => {
      child.stdin?.end();
      await endProcess(child);
    },
  };
}
