// Counts connections and says which new one may stay: in all, for each source, and before the user has signed in. Pure:
// the clock and chance come from outside, and it holds no socket. It does not close anything; it tells who is overdue.
import ipaddr from 'ipaddr.js';

export interface AdmissionLimits {
  /** Connections in all. */
  readonly connections: number;
  /** Connections from one source: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly perSource: number;
  /** Connections whose user has not signed in; from half of it on, a growing share of new ones is refused. */
  readonly unauthenticated: number;
  readonly unauthenticatedPerSource: number;
  /** Seconds from accept to a finished sign-in. */
  readonly loginGraceSeconds: number;
}

export type Refusal =
  | 'connections'
  | 'per-source'
  | 'unauthenticated'
  | 'unauthenticated-early'
  | 'unauthenticated-per-source';

export type Decision =
  | { readonly kind: 'admitted'; readonly ticket: number }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

interface SourceCount {
  all: number;
  unauthenticated: number;
}

interface Entry {
  readonly source: string;
  readonly deadline: number;
}

/** An address in one spelling: IPv4 inside IPv6 comes out as IPv4, zones are dropped. What is no address stays as it is. */
export const plainAddress = (address: string): string => {
  const bare = address.split('%', 1)[0] ?? '';
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : address;
};

/** What counts as one source: an IPv4 address; for IPv6 the /64 that a single host commonly owns. */
export const sourceOf = (address: string): string => {
  const plain = plainAddress(address);
  if (!ipaddr.IPv6.isValid(plain)) return plain;
  const network = ipaddr.IPv6.parse(plain).toByteArray().slice(0, 8);
  return `${ipaddr.fromByteArray([...network, 0, 0, 0, 0, 0, 0, 0, 0]).toString()}/64`;
};

export class Admission {
  #limits: AdmissionLimits;
  readonly #chance: () => number;
  #lastTicket = 0;
  readonly #sources = new Map<string, SourceCount>();
  /** Both in the order of admission, so the first unauthenticated ones are the first to be overdue. */
  readonly #unauthenticated = new Map<number, Entry>();
  readonly #authenticated = new Map<number, Entry>();

  /** `chance` answers a number in [0, 1). */
  constructor(limits: AdmissionLimits, chance: () => number = Math.random) {
    this.#limits = limits;
    this.#chance = chance;
  }

  /** New limits hold for new connections; none is closed. */
  setLimits(limits: AdmissionLimits): void {
    this.#limits = limits;
  }

  get connections(): number {
    return this.#unauthenticated.size + this.#authenticated.size;
  }

  get unauthenticated(): number {
    return this.#unauthenticated.size;
  }

  /** `now` in milliseconds, from any clock that never goes back. */
  admit(address: string, now: number): Decision {
    const source = sourceOf(address);
    const count = this.#sources.get(source) ?? { all: 0, unauthenticated: 0 };
    const refusal = this.#refusal(count);
    if (refusal !== undefined) return { kind: 'refused', refusal };
    count.all += 1;
    count.unauthenticated += 1;
    this.#sources.set(source, count);
    this.#lastTicket += 1;
    this.#unauthenticated.set(this.#lastTicket, {
      source,
      deadline: now + this.#limits.loginGraceSeconds * 1000,
    });
    return { kind: 'admitted', ticket: this.#lastTicket };
  }

  /** The user has signed in. False for a ticket that is unknown or was told already. */
  authenticated(ticket: number): boolean {
    const entry = this.#unauthenticated.get(ticket);
    if (entry === undefined) return false;
    this.#unauthenticated.delete(ticket);
    this.#authenticated.set(ticket, entry);
    const count = this.#sources.get(entry.source);
    if (count !== undefined) count.unauthenticated -= 1;
    return true;
  }

  /** The connection is gone. False for a ticket that is unknown or was told already. */
  ended(ticket: number): boolean {
    const waiting = this.#unauthenticated.get(ticket);
    const entry = waiting ?? this.#authenticated.get(ticket);
    if (entry === undefined) return false;
    this.#unauthenticated.delete(ticket);
    this.#authenticated.delete(ticket);
    const count = this.#sources.get(entry.source);
    if (count === undefined) return true;
    count.all -= 1;
    if (waiting !== undefined) count.unauthenticated -= 1;
    if (count.all === 0) this.#sources.delete(entry.source);
    return true;
  }

  /** Connections whose grace is over at `now`. They stay counted until they are told ended. */
  overdue(now: number): readonly number[] {
    const tickets: number[] = [];
    for (const [ticket, entry] of this.#unauthenticated) {
      // A reload may have shortened the grace, so a later entry can be due before an earlier one.
      if (entry.deadline <= now) tickets.push(ticket);
    }
    return tickets;
  }

  #refusal(count: SourceCount): Refusal | undefined {
    const limits = this.#limits;
    if (this.connections >= limits.connections) return 'connections';
    if (count.all >= limits.perSource) return 'per-source';
    if (count.unauthenticated >= limits.unauthenticatedPerSource) return 'unauthenticated-per-source';
    if (this.unauthenticated >= limits.unauthenticated) return 'unauthenticated';
    const start = limits.unauthenticated / 2;
    const over = this.unauthenticated - start;
    // As sshd's MaxStartups: the fuller, the likelier; so a flood from many sources can't shut everyone out.
    if (over >= 0 && limits.unauthenticated > 1 && this.#chance() < over / (limits.unauthenticated - start))
      return 'unauthenticated-early';
    return undefined;
  }
}
