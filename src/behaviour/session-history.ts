// A user's clean sessions of the last days: counts of each day, and their sum. A day's sessions leave the sum when
// they grow older than the history; nothing else is remembered. Days are those of UTC.
import {
  CATEGORY_DIMENSIONS,
  type CategoryDimension,
  type Habits,
  type PastSession,
  SessionCounts,
} from './session-counts.ts';

export { CATEGORY_DIMENSIONS, type CategoryDimension, type Habits, type PastSession };

const DAY = 86_400_000;

/** Days since the epoch. */
export function dayOf(at: number): number {
  return Math.floor(at / DAY);
}

/** The first day of a history that ends at `now`: sessions from before it no longer count. */
export function firstDay(now: number, historyDays: number): number {
  return dayOf(now - historyDays * DAY);
}

export class SessionHistory implements Habits {
  readonly #days = new Map<number, SessionCounts>();
  readonly #all: SessionCounts;

  /** `timeZone`: the user's, such as `Europe/Paris`; times of day are theirs. */
  constructor(timeZone: string) {
    this.#all = new SessionCounts(timeZone);
  }

  get sessions(): number {
    return this.#all.sessions;
  }

  get weekday(): number {
    return this.#all.weekday;
  }

  get weekend(): number {
    return this.#all.weekend;
  }

  get histogram(): Readonly<Float64Array> {
    return this.#all.histogram;
  }

  get privileges(): ReadonlyMap<string, number> {
    return this.#all.privileges;
  }

  get timeZone(): string {
    return this.#all.timeZone;
  }

  counts(dimension: CategoryDimension): ReadonlyMap<string, number> {
    return this.#all.counts(dimension);
  }

  durations(): [seconds: number, sessions: number][] {
    return this.#all.durations();
  }

  volumes(): [bytes: number, sessions: number][] {
    return this.#all.volumes();
  }

  /** Adds a clean session. Sessions come in any order; a clock that stepped back does no harm. */
  add(session: PastSession): void {
    const number = dayOf(session.startedAt);
    let day = this.#days.get(number);
    if (day === undefined) {
      day = new SessionCounts(this.timeZone);
      this.#days.set(number, day);
    }
    day.count(session);
    this.#all.count(session);
  }

  /** Forgets the sessions of days that ended `historyDays` or more before `now`. */
  forgetBefore(now: number, historyDays: number): void {
    const first = firstDay(now, historyDays);
    for (const [number, day] of [...this.#days]) {
      if (number >= first) continue;
      this.#all.merge(day, -1);
      this.#days.delete(number);
    }
  }
}
