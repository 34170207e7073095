// How unlike a user's own habit a run of commands is, compared with what other users type, and from which score on
// that is unusual for this very user. Pure: the same commands always give the same scores.
// It reads command names in order; what the commands do is the business of `policies`.
import { type CommandCounts, CommandStatistics as Statistics } from './command-statistics.ts';

/** Weight of a command that nobody was ever seen to type, in counts. */
const ALPHA = 0.01;
/** Absolute discount of the pair model: the share of each seen pair that is given to unseen ones. */
const DISCOUNT = 0.7;
/** Window lengths, in commands, that have a threshold of their own. */
export const WINDOWS = [5, 10, 20, 50, 100] as const;
export type Window = (typeof WINDOWS)[number];
/** Commands that a user must have typed before their own windows are trusted for a threshold. */
export const WARM_UP = 1000;
/** Commands between two windows that are scored for a threshold. */
export const STRIDE = 20;

/**
 * Mean log-likelihood ratio, in nats a command, of "someone else typed this" against "this user typed it":
 * a naive-Bayes ratio of single commands plus an absolute-discount ratio of pairs that backs off to it.
 * Above 0 the commands look more like other users'. 0 for an empty run.
 */
export function unlikeness(commands: readonly string[], own: CommandCounts, others: CommandCounts): number {
  if (commands.length === 0) return 0;
  let singles = 0;
  let pairs = 0;
  let previous: string | undefined;
  for (const command of commands) {
    const term = termOf(command, previous, own, others);
    singles += term.single;
    pairs += term.pair;
    previous = command;
  }
  return singles / commands.length + pairs / Math.max(1, commands.length - 1);
}

/** What one command adds to the sums of a run: by itself, and as what comes after `previous` (0 without one). */
export function termOf(
  command: string,
  previous: string | undefined,
  own: CommandCounts,
  others: CommandCounts,
): { readonly single: number; readonly pair: number } {
  const vocabulary = Math.max(own.distinct, others.distinct) + 1;
  const theirs = share(others, command, vocabulary);
  const mine = share(own, command, vocabulary);
  return {
    single: Math.log(theirs / mine),
    pair:
      previous === undefined
        ? 0
        : Math.log(shareAfter(others, previous, command, theirs) / shareAfter(own, previous, command, mine)),
  };
}

function share(of: CommandCounts, command: string, vocabulary: number): number {
  return (of.count(command) + ALPHA) / (of.total + ALPHA * vocabulary);
}

function shareAfter(of: CommandCounts, previous: string, command: string, backOff: number): number {
  const { total, distinct } = of.following(previous);
  if (total === 0) return backOff;
  const seen = Math.max(of.pair(previous, command) - DISCOUNT, 0);
  return (seen + DISCOUNT * distinct * backOff) / total;
}

/** For each window length, the scores of a user's own past windows in ascending order. */
export type Calibration = ReadonlyMap<Window, Float64Array>;

/**
 * Walks through a user's own history as it happened, scoring each window by what was known before it, so that the
 * scores hold the user's own drift. Windows of the first 1,000 commands only teach.
 */
export function calibrate(history: readonly string[], others: CommandCounts): Calibration {
  const past = new Statistics();
  past.learn(history.slice(0, WARM_UP));
  const scores = new Map<Window, number[]>(WINDOWS.map((window) => [window, []]));
  for (let at = WARM_UP; at < history.length; at += STRIDE) {
    for (const window of WINDOWS) {
      if (at + window > history.length) continue;
      scores.get(window)?.push(unlikeness(history.slice(at, at + window), past, others));
    }
    past.learn(history.slice(at, at + STRIDE), history[at - 1]);
  }
  return new Map([...scores].map(([window, values]) => [window, Float64Array.from(values).sort()]));
}

/**
 * The score that a share `quantile` (0–1) of the user's own past windows of this length stayed at or below.
 * Infinity while nothing has been learnt: an unknown habit is never unusual.
 */
export function threshold(calibration: Calibration, window: Window, quantile: number): number {
  const values = calibration.get(window);
  if (values === undefined || values.length === 0) return Number.POSITIVE_INFINITY;
  const position = quantile * (values.length - 1);
  const low = values[Math.floor(position)] ?? Number.POSITIVE_INFINITY;
  const high = values[Math.ceil(position)] ?? low;
  return low + (high - low) * (position - Math.floor(position));
}

/** The longest window that a run of `commands` commands fills; undefined below five. */
export function windowFor(commands: number): Window | undefined {
  return WINDOWS.findLast((window) => window <= commands);
}
