// Counts of commands and of which command follows which: one user's habit, or a whole population's.
// Bounded: rare pairs are forgotten first. It keeps command names only, never arguments, and decides nothing.

/** Most pairs kept for one user; about 32 bytes each, so a profile stays below 64 KiB. */
export const PROFILE_PAIRS = 1000;

/** Most distinct commands kept for one user. */
export const PROFILE_COMMANDS = 600;

/** What the likelihood of commands is computed from. */
export interface CommandCounts {
  readonly total: number;
  readonly distinct: number;
  count(command: string): number;
  following(previous: string): { readonly total: number; readonly distinct: number };
  pair(previous: string, command: string): number;
}

/** As it is stored. */
export interface StoredStatistics {
  readonly counts: readonly (readonly [string, number])[];
  readonly pairs: readonly (readonly [string, string, number])[];
}

interface Successors {
  total: number;
  readonly counts: Map<string, number>;
}

export class CommandStatistics implements CommandCounts {
  readonly #counts = new Map<string, number>();
  readonly #successors = new Map<string, Successors>();
  readonly #pairLimit: number;
  readonly #commandLimit: number;
  #total = 0;
  #pairs = 0;

  /** Most distinct pairs and commands kept; Infinity for a population that many users share. */
  constructor(pairLimit: number = Number.POSITIVE_INFINITY, commandLimit: number = Number.POSITIVE_INFINITY) {
    this.#pairLimit = pairLimit;
    this.#commandLimit = commandLimit;
  }

  /** All commands learnt, repetitions included. */
  get total(): number {
    return this.#total;
  }

  /** Distinct commands learnt. */
  get distinct(): number {
    return this.#counts.size;
  }

  /** Distinct pairs kept. */
  get pairs(): number {
    return this.#pairs;
  }

  count(command: string): number {
    return this.#counts.get(command) ?? 0;
  }

  /** How often anything, and how many different commands, followed `previous`. */
  following(previous: string): { readonly total: number; readonly distinct: number } {
    const successors = this.#successors.get(previous);
    return successors === undefined
      ? { total: 0, distinct: 0 }
      : { total: successors.total, distinct: successors.counts.size };
  }

  pair(previous: string, command: string): number {
    return this.#successors.get(previous)?.counts.get(command) ?? 0;
  }

  /** Learns commands in their order; `previous` is the command that came right before them, if any. */
  learn(commands: readonly string[], previous?: string): void {
    let before = previous;
    for (const command of commands) {
      this.#counts.set(command, this.count(command) + 1);
      this.#total += 1;
      if (before !== undefined) this.#addPair(before, command, 1);
      before = command;
    }
    if (this.#pairs > this.#pairLimit * 1.1) this.#forgetRarePairs();
    if (this.#counts.size > this.#commandLimit * 1.1) this.#forgetRareCommands();
  }

  /** The commands that followed `previous`, with how often. */
  successors(previous: string): ReadonlyMap<string, number> {
    return this.#successors.get(previous)?.counts ?? NONE;
  }

  toJSON(): StoredStatistics {
    const pairs: [string, string, number][] = [];
    for (const [previous, { counts }] of this.#successors)
      for (const [command, count] of counts) pairs.push([previous, command, count]);
    return { counts: [...this.#counts], pairs };
  }

  /** Takes over what `toJSON` gave. */
  restore({ counts, pairs }: StoredStatistics): this {
    for (const [command, count] of counts) {
      this.#counts.set(command, this.count(command) + count);
      this.#total += count;
    }
    for (const [previous, command, count] of pairs) this.#addPair(previous, command, count);
    return this;
  }

  /** What is left of this population when one member's own commands are taken out of it. */
  without(member: CommandStatistics): CommandStatistics {
    const rest = new CommandStatistics();
    for (const [command, count] of this.#counts) {
      const left = count - member.count(command);
      if (left <= 0) continue;
      rest.#counts.set(command, left);
      rest.#total += left;
    }
    for (const [previous, successors] of this.#successors) {
      for (const [command, count] of successors.counts) {
        const left = count - member.pair(previous, command);
        if (left > 0) rest.#addPair(previous, command, left);
      }
    }
    return rest;
  }

  #addPair(previous: string, command: string, times: number): void {
    let successors = this.#successors.get(previous);
    if (successors === undefined) {
      successors = { total: 0, counts: new Map() };
      this.#successors.set(previous, successors);
    }
    const count = successors.counts.get(command);
    if (count === undefined) this.#pairs += 1;
    successors.counts.set(command, (count ?? 0) + times);
    successors.total += times;
  }

  #forgetRareCommands(): void {
    const rarest = [...this.#counts].sort((a, b) => a[1] - b[1]);
    for (const [command, count] of rarest.slice(0, this.#counts.size - this.#commandLimit)) {
      this.#counts.delete(command);
      this.#total -= count;
    }
  }

  #forgetRarePairs(): void {
    const all: { previous: string; command: string; count: number }[] = [];
    for (const [previous, { counts }] of this.#successors) {
      for (const [command, count] of counts) all.push({ previous, command, count });
    }
    // The sort is stable and maps keep the order of insertion: among equals the oldest go first.
    all.sort((a, b) => a.count - b.count);
    for (const { previous, command, count } of all.slice(0, this.#pairs - this.#pairLimit)) {
      const successors = this.#successors.get(previous);
      if (successors === undefined) continue;
      successors.counts.delete(command);
      successors.total -= count;
      this.#pairs -= 1;
      if (successors.counts.size === 0) this.#successors.delete(previous);
    }
  }
}

const NONE: ReadonlyMap<string, number> = new Map();

/** A population without one of its members, computed where it is asked for: nothing is copied. */
export class WithoutMember implements CommandCounts {
  readonly #all: CommandCounts;
  readonly #member: CommandStatistics;

  constructor(all: CommandCounts, member: CommandStatistics) {
    this.#all = all;
    this.#member = member;
  }

  get total(): number {
    return Math.max(this.#all.total - this.#member.total, 0);
  }

  get distinct(): number {
    return this.#all.distinct;
  }

  count(command: string): number {
    return Math.max(this.#all.count(command) - this.#member.count(command), 0);
  }

  pair(previous: string, command: string): number {
    return Math.max(this.#all.pair(previous, command) - this.#member.pair(previous, command), 0);
  }

  following(previous: string): { readonly total: number; readonly distinct: number } {
    const { total, distinct } = this.#all.following(previous);
    const own = this.#member.following(previous);
    let alone = 0;
    for (const [command, count] of this.#member.successors(previous))
      if (this.#all.pair(previous, command) <= count) alone += 1;
    return { total: Math.max(total - own.total, 0), distinct: Math.max(distinct - alone, 0) };
  }
}
