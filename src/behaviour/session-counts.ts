// Running counts over sessions: which targets, origins and credentials, at what time of day, for how long, how many
// bytes, with or without another account's rights. Counts of several days add up and can be taken apart again, and
// they are a few kilobytes as JSON. It knows no days and forgets nothing by itself: session-history.ts does.
import { BINS, localTime } from './time-of-day.ts';

/** What is known of a session, as far as behaviour goes. Times are milliseconds since the epoch. */
export interface PastSession {
  readonly startedAt: number;
  readonly target: string;
  readonly origin: string;
  readonly credential: string;
  /** Seconds; undefined while it runs or when it was cut off. */
  readonly duration: number | undefined;
  /** Moved by transfers, commands without a terminal and forwards; undefined: not known. */
  readonly bytes?: number | undefined;
  /** It used another account's rights: `sudo`, a login as root. */
  readonly privileged?: boolean | undefined;
}

export type CategoryDimension = 'target' | 'origin' | 'credential';
export const CATEGORY_DIMENSIONS: readonly CategoryDimension[] = ['target', 'origin', 'credential'];

export const PRIVILEGED = 'privileged';
export const PLAIN = 'plain';

/** Durations and volumes are kept in bins of 2^(1/4), from one on: within 19 % of the true value. */
const BINS_PER_DOUBLING = 4;
/** Distinct values that are remembered of a dimension; of more, the rarest are forgotten. */
const MOST_VALUES = 256;

/** What judging a session needs to know of those before it. */
export interface Habits {
  readonly sessions: number;
  readonly weekday: number;
  readonly weekend: number;
  readonly histogram: Readonly<Float64Array>;
  readonly privileges: ReadonlyMap<string, number>;
  counts(dimension: CategoryDimension): ReadonlyMap<string, number>;
  /** Finished sessions by duration: [seconds, sessions], ascending. */
  durations(): [seconds: number, sessions: number][];
  /** Sessions that moved anything, by bytes. */
  volumes(): [bytes: number, sessions: number][];
  /** Whose times of day these are. */
  readonly timeZone: string;
}

/** As it is stored: pairs of a value and its count. */
export interface StoredCounts {
  readonly target: readonly (readonly [string, number])[];
  readonly origin: readonly (readonly [string, number])[];
  readonly credential: readonly (readonly [string, number])[];
  readonly times: readonly (readonly [number, number])[];
  readonly durations: readonly (readonly [number, number])[];
  readonly volumes: readonly (readonly [number, number])[];
  readonly privileges: readonly (readonly [string, number])[];
  readonly weekday: number;
  readonly weekend: number;
}

export class SessionCounts implements Habits {
  readonly timeZone: string;
  readonly #counts: Record<CategoryDimension, Map<string, number>> = {
    target: new Map(),
    origin: new Map(),
    credential: new Map(),
  };
  readonly #bins = new Float64Array(BINS);
  readonly #durations = new Map<number, number>();
  readonly #volumes = new Map<number, number>();
  readonly #privileges = new Map<string, number>();
  #weekday = 0;
  #weekend = 0;

  /** `timeZone`: the users', such as `Europe/Paris`; times of day are theirs. */
  constructor(timeZone: string) {
    this.timeZone = timeZone;
  }

  get sessions(): number {
    return this.#weekday + this.#weekend;
  }

  get weekday(): number {
    return this.#weekday;
  }

  get weekend(): number {
    return this.#weekend;
  }

  get histogram(): Readonly<Float64Array> {
    return this.#bins;
  }

  get privileges(): ReadonlyMap<string, number> {
    return this.#privileges;
  }

  counts(dimension: CategoryDimension): ReadonlyMap<string, number> {
    return this.#counts[dimension];
  }

  durations(): [seconds: number, sessions: number][] {
    return spread(this.#durations);
  }

  volumes(): [bytes: number, sessions: number][] {
    return spread(this.#volumes);
  }

  /** Counts a session once more, or, with −1, once less. */
  count(session: PastSession, by: 1 | -1 = 1): void {
    for (const dimension of CATEGORY_DIMENSIONS) step(this.#counts[dimension], session[dimension], by);
    const { bin, weekend } = localTime(session.startedAt, this.timeZone);
    this.#bins[bin] = Math.max((this.#bins[bin] ?? 0) + by, 0);
    if (weekend) this.#weekend = Math.max(this.#weekend + by, 0);
    else this.#weekday = Math.max(this.#weekday + by, 0);
    if (session.duration !== undefined) step(this.#durations, sizeBin(session.duration), by);
    if (session.bytes !== undefined && session.bytes > 0) step(this.#volumes, sizeBin(session.bytes), by);
    if (session.privileged !== undefined) step(this.#privileges, session.privileged ? PRIVILEGED : PLAIN, by);
  }

  /** Adds what others have counted, or takes it out again. */
  merge(other: SessionCounts, by: 1 | -1): void {
    for (const dimension of CATEGORY_DIMENSIONS)
      for (const [value, count] of other.#counts[dimension]) step(this.#counts[dimension], value, by * count);
    for (let bin = 0; bin < BINS; bin += 1)
      this.#bins[bin] = Math.max((this.#bins[bin] ?? 0) + by * (other.#bins[bin] ?? 0), 0);
    for (const [bin, count] of other.#durations) step(this.#durations, bin, by * count);
    for (const [bin, count] of other.#volumes) step(this.#volumes, bin, by * count);
    for (const [word, count] of other.#privileges) step(this.#privileges, word, by * count);
    this.#weekday = Math.max(this.#weekday + by * other.#weekday, 0);
    this.#weekend = Math.max(this.#weekend + by * other.#weekend, 0);
  }

  toJSON(): StoredCounts {
    const times: [number, number][] = [];
    this.#bins.forEach((count, bin) => {
      if (count > 0) times.push([bin, count]);
    });
    return {
      target: [...this.#counts.target],
      origin: [...this.#counts.origin],
      credential: [...this.#counts.credential],
      times,
      durations: [...this.#durations],
      volumes: [...this.#volumes],
      privileges: [...this.#privileges],
      weekday: this.#weekday,
      weekend: this.#weekend,
    };
  }

  /** Of text that is no counts: undefined. */
  static parse(text: string, timeZone: string): SessionCounts | undefined {
    let stored: unknown;
    try {
      stored = JSON.parse(text);
    } catch {
      return undefined;
    }
    if (!isStored(stored)) return undefined;
    const counts = new SessionCounts(timeZone);
    for (const dimension of CATEGORY_DIMENSIONS)
      for (const [value, count] of stored[dimension]) counts.#counts[dimension].set(value, count);
    for (const [bin, count] of stored.times) if (bin >= 0 && bin < BINS) counts.#bins[bin] = count;
    for (const [bin, count] of stored.durations) counts.#durations.set(bin, count);
    for (const [bin, count] of stored.volumes) counts.#volumes.set(bin, count);
    for (const [word, count] of stored.privileges) counts.#privileges.set(word, count);
    counts.#weekday = stored.weekday;
    counts.#weekend = stored.weekend;
    return counts;
  }
}

const LISTS = ['target', 'origin', 'credential', 'times', 'durations', 'volumes', 'privileges'] as const;

function isStored(value: unknown): value is StoredCounts {
  if (typeof value !== 'object' || value === null) return false;
  const entries = new Map<string, unknown>(Object.entries(value));
  return (
    LISTS.every((list) => Array.isArray(entries.get(list))) &&
    typeof entries.get('weekday') === 'number' &&
    typeof entries.get('weekend') === 'number'
  );
}

function sizeBin(size: number): number {
  return Math.round(Math.log2(Math.max(size, 1)) * BINS_PER_DOUBLING);
}

function spread(bins: ReadonlyMap<number, number>): [size: number, sessions: number][] {
  return [...bins]
    .map(([bin, sessions]): [number, number] => [2 ** (bin / BINS_PER_DOUBLING), sessions])
    .sort((a, b) => a[0] - b[0]);
}

function step<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
  if (counts.size > MOST_VALUES) forgetRarest(counts, key);
}

/** Drops one of the rarest values, the oldest of them, but not the one that has just come. */
function forgetRarest<K>(counts: Map<K, number>, last: K): void {
  let rarest: K | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [key, count] of counts) {
    if (key === last || count >= least) continue;
    least = count;
    rarest = key;
  }
  if (rarest !== undefined) counts.delete(rarest);
}
