// A directory and failure counters in memory, for tests of signing in alone: the same interfaces that the stores
// fulfil, with nothing behind them.
import type { LoginDirectory, LoginFailures, LoginUser } from '../../proxy/login/ports.ts';

export function testUser(name: string, change: Partial<LoginUser> = {}): LoginUser {
  return {
    id: `id-of-${name}`,
    name,
    passwordHash: undefined,
    keys: [],
    totpSecret: undefined,
    combinations: [['publickey']],
    roles: ['engineer'],
    groups: [],
    disabledReason: undefined,
    ...change,
  };
}

export class MemoryDirectory implements LoginDirectory {
  readonly users = new Map<string, LoginUser>();
  readonly #steps = new Map<string, number>();
  lookups = 0;

  constructor(...users: readonly LoginUser[]) {
    for (const user of users) this.users.set(user.name, user);
  }

  async findUser(name: string): Promise<LoginUser | undefined> {
    this.lookups++;
    return this.users.get(name);
  }

  async acceptTotpStep(userId: string, step: number): Promise<boolean> {
    if (step <= (this.#steps.get(userId) ?? -1)) return false;
    this.#steps.set(userId, step);
    return true;
  }
}

export class MemoryFailures implements LoginFailures {
  readonly failures = new Map<string, number[]>();
  readonly sources = new Set<string>();

  async recent(key: string, since: number): Promise<readonly number[]> {
    return (this.failures.get(key) ?? []).filter((at) => at >= since).slice(-1000);
  }

  async record(keys: readonly string[], at: number): Promise<void> {
    for (const key of keys) this.failures.set(key, [...(this.failures.get(key) ?? []), at]);
  }

  async clear(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.failures.delete(key);
  }

  async knownSource(userId: string, address: string): Promise<boolean> {
    return this.sources.has(`${userId} ${address}`);
  }

  async rememberSource(userId: string, address: string): Promise<void> {
    this.sources.add(`${userId} ${address}`);
  }
}
