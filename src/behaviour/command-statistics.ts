// Counts of commands and of which command follows which: one user's habit, or a whole population's.
// Bounded: rare pairs are forgotten first. It keeps command names only, never arguments, and decides nothing.

/** Most pairs kept for one user; about 32 bytes each, so a profile stays below 64 KiB. */
export const PROFILE_PAIRS = 1000;

interface Successors {
  total: number;
  readonly counts: Map<string, number>;
}

export class CommandStatistics {
  readonly #counts = new Map<string, number>();
  readonly #successors = new Map<string, Successors>();
  readonly #pairLimit: number;
  #total = 0;
  #pairs = 0;

  /** `pairLimit`: most distinct pairs kept; Infinity for a population that many users share. */
  constructor(pairLimit: number = Number.POSITIVE_INFINITY) {
    this.#pairLimit = pairLimit;
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
