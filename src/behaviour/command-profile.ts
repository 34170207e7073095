// A user's habit of typing, kept up to date session by session: counts of commands and pairs, and the scores that their
// own past windows had, from which follows what is unusual for them. Some 50 KB at most, and the same commands in the
// same order always make the same profile. SequenceWatch follows one session's commands at a constant cost each.
import {
  type Calibration,
  STRIDE,
  termOf,
  threshold,
  unlikeness,
  WARM_UP,
  WINDOWS,
  type Window,
  windowFor,
} from './command-sequence.ts';
import {
  type CommandCounts,
  CommandStatistics,
  PROFILE_COMMANDS,
  PROFILE_PAIRS,
  type StoredStatistics,
} from './command-statistics.ts';

/** Scores kept for each window length: those of some 5,000 commands. */
const MOST_SCORES = 250;
const LONGEST_WINDOW = 100;
/** Of a command's name, in characters. */
const LONGEST_NAME = 64;
/** The share of a user's own windows that stay at or below what asks for attention. */
export const UNUSUAL_QUANTILE = 0.97;
/** The same, for what somebody has to look at. */
export const VERY_UNUSUAL_QUANTILE = 0.995;

export class CommandProfile {
  readonly statistics: CommandStatistics = new CommandStatistics(PROFILE_PAIRS, PROFILE_COMMANDS);
  readonly #scores = new Map<Window, number[]>(WINDOWS.map((window) => [window, []]));
  /** Typed, but not learnt yet: the next windows to be scored by what was known before them. */
  #pending: string[] = [];
  #last: string | undefined;
  #learnt = 0;

  /** Commands that the habit rests on. */
  get commands(): number {
    return this.#learnt + this.#pending.length;
  }

  /** Takes a clean session's commands. `others` is what everybody else types. */
  learn(commands: readonly string[], others: CommandCounts): void {
    for (const command of commands) {
      this.#pending.push(command.slice(0, LONGEST_NAME));
      if (this.#pending.length >= LONGEST_WINDOW) this.#step(others);
    }
  }

  /** From which score on a window of this length is unusual; Infinity while too little is known. */
  threshold(window: Window, quantile: number = UNUSUAL_QUANTILE): number {
    const calibration: Calibration = new Map([
      [window, Float64Array.from(this.#scores.get(window) ?? []).sort()],
    ]);
    return threshold(calibration, window, quantile);
  }

  /** The commands that the user types most, with how often. */
  usual(most: number): readonly { readonly value: string; readonly sessions: number }[] {
    return [...this.statistics.toJSON().counts]
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, most)
      .map(([value, sessions]) => ({ value, sessions }));
  }

  toJSON(): object {
    return {
      ...this.statistics.toJSON(),
      scores: WINDOWS.map((window) =>
        (this.#scores.get(window) ?? []).map((score) => Number(score.toFixed(4))),
      ),
      pending: this.#pending,
      last: this.#last,
      learnt: this.#learnt,
    };
  }

  /** Of text that is no profile: an empty one, which finds nothing unusual. */
  static parse(text: string): CommandProfile {
    const profile = new CommandProfile();
    const stored = readStored(text);
    if (stored === undefined) return profile;
    profile.statistics.restore(stored);
    WINDOWS.forEach((window, index) => {
      profile.#scores.set(window, [...(stored.scores[index] ?? [])]);
    });
    profile.#pending = [...stored.pending];
    profile.#last = stored.last;
    profile.#learnt = stored.learnt;
    return profile;
  }

  #step(others: CommandCounts): void {
    if (this.#learnt >= WARM_UP) {
      for (const window of WINDOWS) {
        const scores = this.#scores.get(window);
        scores?.push(unlikeness(this.#pending.slice(0, window), this.statistics, others));
        if (scores !== undefined && scores.length > MOST_SCORES) scores.shift();
      }
    }
    const learnt = this.#pending.splice(0, STRIDE);
    this.statistics.learn(learnt, this.#last);
    this.#learnt += learnt.length;
    this.#last = learnt.at(-1) ?? this.#last;
  }
}

interface StoredProfile extends StoredStatistics {
  readonly scores: readonly (readonly number[])[];
  readonly pending: readonly string[];
  readonly last: string | undefined;
  readonly learnt: number;
}

function readStored(text: string): StoredProfile | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isStored(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isStored(value: unknown): value is StoredProfile {
  if (typeof value !== 'object' || value === null) return false;
  const entries = new Map<string, unknown>(Object.entries(value));
  return (
    ['counts', 'pairs', 'scores', 'pending'].every((list) => Array.isArray(entries.get(list))) &&
    typeof entries.get('learnt') === 'number'
  );
}

/** How unlike the user's habit the last commands of a session are. */
export interface SequenceScore {
  readonly window: Window;
  /** Nats a command; above 0 they look more like other people's. */
  readonly score: number;
  /** From where on that is unusual for this user; never below 0. */
  readonly limit: number;
  /** From where on it is very unusual; never below `limit`. */
  readonly outerLimit: number;
  /** The window has just been filled, or moved by a stride: only then it is judged, as those were that made the limit. */
  readonly judged: boolean;
}

/** Follows one session: each command costs the same, however long the session is. */
export class SequenceWatch {
  readonly #profile: CommandProfile;
  readonly #others: CommandCounts;
  readonly #limits = new Map<Window, { readonly limit: number; readonly outer: number }>();
  /** Terms of the last hundred commands, in a ring. */
  readonly #singles = new Float64Array(LONGEST_WINDOW);
  readonly #pairs = new Float64Array(LONGEST_WINDOW);
  #seen = 0;
  #previous: string | undefined;

  constructor(profile: CommandProfile, others: CommandCounts) {
    this.#profile = profile;
    this.#others = others;
    for (const window of WINDOWS) {
      const limit = Math.max(profile.threshold(window), 0);
      const outer = Math.max(profile.threshold(window, VERY_UNUSUAL_QUANTILE), limit);
      this.#limits.set(window, { limit, outer });
    }
  }

  /** The score of the longest full window that ends with this command; undefined below five commands. */
  push(command: string): SequenceScore | undefined {
    const name = command.slice(0, LONGEST_NAME);
    const { single, pair } = termOf(name, this.#previous, this.#profile.statistics, this.#others);
    const at = this.#seen % LONGEST_WINDOW;
    this.#singles[at] = single;
    this.#pairs[at] = pair;
    this.#previous = name;
    this.#seen += 1;
    const window = windowFor(Math.min(this.#seen, LONGEST_WINDOW));
    if (window === undefined) return undefined;
    let singles = 0;
    let pairs = 0;
    for (let back = 0; back < window; back += 1) {
      const index = (this.#seen - 1 - back) % LONGEST_WINDOW;
      singles += this.#singles[index] ?? 0;
      // The first command of a window has nothing before it.
      if (back < window - 1) pairs += this.#pairs[index] ?? 0;
    }
    const limits = this.#limits.get(window);
    return {
      window,
      score: singles / window + pairs / Math.max(1, window - 1),
      limit: limits?.limit ?? Number.POSITIVE_INFINITY,
      outerLimit: limits?.outer ?? Number.POSITIVE_INFINITY,
      judged: this.#seen === window || (this.#seen > LONGEST_WINDOW && this.#seen % STRIDE === 0),
    };
  }
}
