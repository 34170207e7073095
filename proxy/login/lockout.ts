// Decides from past failures whether a password or a one-time code may be tried now. Pure: times in, decision out.
//
// Whoever can fail on purpose must not be able to shut the owner out, so:
// - failures are counted for (user, source network): /32 for IPv4, /64 for IPv6, which is what one customer holds. An
//   attacker elsewhere locks only the attacker's own pair;
// - a count over all sources of a user, and a count over all users of a source, stop guessing that is spread out; they
//   bind only pairs that have never signed in before, so neither the owner's office nor the owner's home is hit;
// - a lock is bounded (15 minutes) and a try made while locked is neither checked nor counted: it can't be prolonged;
// - keys and certificates can't be guessed: they aren't counted and no lock stops them.
// Names are hashed into the counters' keys, existing users or not: counting tells nothing, and a password that was typed
// as a user name is not stored.
import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type { LoginFailures } from './ports.ts';

export interface LockoutSettings {
  /** Failures within `windowMs` that lock a (user, source) pair. */
  readonly pairFailures: number;
  /** The same over all users from one source, for pairs that never signed in. */
  readonly sourceFailures: number;
  /** The same over all sources of one user, for pairs that never signed in. */
  readonly userFailures: number;
  readonly windowMs: number;
  /** Length of the first lock; each failure after it doubles the next, up to `longestLockMs`. */
  readonly firstLockMs: number;
  readonly longestLockMs: number;
}

export const DEFAULT_LOCKOUT: LockoutSettings = {
  pairFailures: 5,
  sourceFailures: 30,
  userFailures: 30,
  windowMs: 10 * 60_000,
  firstLockMs: 30_000,
  longestLockMs: 15 * 60_000,
};

export type LockDecision =
  | { readonly kind: 'open' }
  | { readonly kind: 'locked'; readonly by: 'pair' | 'source' | 'user'; readonly until: number };

export interface FailureKeys {
  readonly pair: string;
  readonly source: string;
  readonly user: string;
}

/** The network that a source address counts as: the address for IPv4, its /64 for IPv6, in one canonical form. */
export function sourceNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  const bytes = parsed.toByteArray();
  return `${ipaddr.fromByteArray([...bytes.slice(0, 8), ...new Array<number>(8).fill(0)]).toString()}/64`;
}

export function failureKeys(userName: string, network: string): FailureKeys {
  const digest = (...parts: string[]) =>
    createHash('sha256').update(parts.join('\0')).digest('base64url').slice(0, 27);
  return {
    pair: `pair:${digest(userName, network)}`,
    source: `source:${digest(network)}`,
    user: `user:${digest(userName)}`,
  };
}

/** When the lock that these failures (milliseconds, oldest first) add up to ends; 0 when they lock nothing. */
export function lockedUntil(
  failures: readonly number[],
  threshold: number,
  settings: LockoutSettings,
): number {
  let recent: number[] = [];
  let locks = 0;
  let until = 0;
  for (const at of failures) {
    if (locks > 0 && at > until + settings.windowMs) {
      locks = 0;
      recent = [];
    }
    recent = recent.filter((earlier) => earlier > at - settings.windowMs);
    recent.push(at);
    if (locks === 0 && recent.length < threshold) continue;
    locks++;
    // 2 ** 30 is far above any bound and keeps the number finite.
    const length = settings.firstLockMs * 2 ** Math.min(locks - 1, 30);
    until = Math.max(until, at + Math.min(length, settings.longestLockMs));
  }
  return until;
}

/** How far back failures matter: a lock, and a quiet window after it, for a run of them. */
export function memoryMs(settings: LockoutSettings): number {
  return 8 * (settings.longestLockMs + settings.windowMs);
}

export function decideLock(
  failures: {
    readonly pair: readonly number[];
    readonly source: readonly number[];
    readonly user: readonly number[];
  },
  knownSource: boolean,
  now: number,
  settings: LockoutSettings,
): LockDecision {
  const pair = lockedUntil(failures.pair, settings.pairFailures, settings);
  if (pair > now) return { kind: 'locked', by: 'pair', until: pair };
  if (knownSource) return { kind: 'open' };
  const source = lockedUntil(failures.source, settings.sourceFailures, settings);
  if (source > now) return { kind: 'locked', by: 'source', until: source };
  const user = lockedUntil(failures.user, settings.userFailures, settings);
  if (user > now) return { kind: 'locked', by: 'user', until: user };
  return { kind: 'open' };
}

/** Reads the counters and decides. `userId` is undefined for a user who doesn't exist; `network` as `sourceNetwork` says. */
export async function askLock(
  store: LoginFailures,
  userName: string,
  userId: string | undefined,
  network: string,
  now: number,
  settings: LockoutSettings,
): Promise<LockDecision> {
  const keys = failureKeys(userName, network);
  const since = now - memoryMs(settings);
  const [pair, source, user, known] = await Promise.all([
    store.recent(keys.pair, since),
    store.recent(keys.source, since),
    store.recent(keys.user, since),
    // A made-up id keeps the look-ups the same for a user who doesn't exist.
    store.knownSource(userId ?? 'none', network),
  ]);
  return decideLock({ pair, source, user }, known && userId !== undefined, now, settings);
}
