// A user's clean sessions of the last days, as running counts: which targets, origins and credentials, at what time
// of day, for how long. Sessions leave again when they grow older than the history; nothing else is remembered.
import { BINS, localTime } from './time-of-day.ts';

/** What is known of a session, as far as behaviour goes. Times are milliseconds since the epoch. */
export interface PastSession {
  readonly startedAt: number;
  readonly target: string;
  readonly origin: string;
  readonly credential: string;
  /** Seconds; undefined while it runs or when it was cut off. */
  readonly duration: number | undefined;
}

export type CategoryDimension = 'target' | 'origin' | 'credential';
export const CATEGORY_DIMENSIONS: readonly CategoryDimension[] = ['target', 'origin', 'credential'];

/** Durations are kept in bins of 2^(1/4), from one second on: within 19 % of the true value. */
const DURATION_BINS_PER_DOUBLING = 4;

const DAY = 86_400_000;

interface Day {
  readonly start: number;
  readonly sessions: PastSession[];
}

export class SessionHistory {
  readonly #days: Day[] = [];
  readonly #counts: Record<CategoryDimension, Map<string, number>> = {
    target: new Map(),
    origin: new Map(),
    credential: new Map(),
  };
  readonly #bins = new Float64Array(BINS);
  readonly #durations = new Map<number, number>();
  readonly #timeZone: string;
  #weekday = 0;
  #weekend = 0;

  /** `timeZone`: the user's, such as `Europe/Paris`; times of day are theirs. */
  constructor(timeZone: string) {
    this.#timeZone = timeZone;
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

  counts(dimension: CategoryDimension): ReadonlyMap<string, number> {
    return this.#counts[dimension];
  }

  get histogram(): Readonly<Float64Array> {
    return this.#bins;
  }

  get timeZone(): string {
    return this.#timeZone;
  }

  /** Finished sessions by duration: [seconds, sessions], ascending. */
  durations(): [seconds: number, sessions: number][] {
    return [...this.#durations]
      .map(([bin, sessions]): [number, number] => [2 ** (bin / DURATION_BINS_PER_DOUBLING), sessions])
      .sort((a, b) => a[0] - b[0]);
  }

  /** Adds a clean session. Sessions come in any order; a clock that stepped back does no harm. */
  add(session: PastSession): void {
    const start = Math.floor(session.startedAt / DAY) * DAY;
    let day = this.#days.findLast((candidate) => candidate.start === start);
    if (day === undefined) {
      day = { start, sessions: [] };
      this.#days.push(day);
    }
    day.sessions.push(session);
    this.#count(session, 1);
  }

  /** Forgets the sessions of days that ended `historyDays` or more before `now`. */
  forgetBefore(now: number, historyDays: number): void {
    const oldest = now - historyDays * DAY;
    for (let index = this.#days.length - 1; index >= 0; index -= 1) {
      const day = this.#days[index];
      if (day === undefined || day.start + DAY > oldest) continue;
      for (const session of day.sessions) this.#count(session, -1);
      this.#days.splice(index, 1);
    }
  }

  #count(session: PastSession, by: 1 | -1): void {
    for (const dimension of CATEGORY_DIMENSIONS) step(this.#counts[dimension], session[dimension], by);
    const { bin, weekend } = localTime(session.startedAt, this.#timeZone);
    this.#bins[bin] = (this.#bins[bin] ?? 0) + by;
    if (weekend) this.#weekend += by;
    else this.#weekday += by;
    if (session.duration !== undefined) step(this.#durations, durationBin(session.duration), by);
  }
}

function durationBin(seconds: number): number {
  return Math.round(Math.log2(Math.max(seconds, 1)) * DURATION_BINS_PER_DOUBLING);
}

function step<K>(counts: Map<K, number>, key: K, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
}
