// The risk of a session: which of its dimensions (target, origin, credential, time, and while it runs, duration) are
// unusual for this user, how many points each gives, and what is to be done. Every point explains itself.
// Pure: the same history and session always give the same answer. It neither stores nor acts.
import { bound, isUnusual, type Weighted, weightedQuantile } from './bound.ts';
import { ownSurprises as ownCategorySurprises, surprise } from './category.ts';
import {
  CATEGORY_DIMENSIONS,
  type CategoryDimension,
  type PastSession,
  type SessionHistory,
} from './session-history.ts';
import { dayKindSurprise, localTime, ownSurprises as ownTimeSurprises, surprises } from './time-of-day.ts';

export type Dimension = CategoryDimension | 'time' | 'duration';
export type RiskAction = 'blockSession' | 'blockSessionAndUser';

/** Keys and ranges are those of the system settings; all counts and points are whole numbers. */
export interface RiskSettings {
  /** 0–100 %. */
  readonly variationRate: number;
  /** 0–3 points each. */
  readonly weights: Readonly<Record<Dimension, number>>;
  readonly actions: Readonly<Record<Dimension, Readonly<Record<RiskAction, boolean>>>>;
}

/** Fewer past sessions than this: the user is judged by the peers alone, and nothing blocks. */
export const SESSIONS_TO_BLOCK = 8;

/** Bounds in bits for a user without history. */
const PEER_BOUNDS: Readonly<Record<CategoryDimension | 'time', number>> = {
  target: 6,
  origin: 6,
  credential: 6,
  time: 6,
};

export interface Finding {
  readonly dimension: Dimension;
  readonly points: number;
  /** What the user usually does, with counts, most frequent first. */
  readonly usual: readonly { readonly value: string; readonly sessions: number }[];
  readonly seen: string;
  /** How surprising it is and from where on it is unusual: bits, or seconds for a duration. */
  readonly measured: number;
  readonly limit: number;
}

export interface Risk {
  /** Sum of the points, 0–15. */
  readonly score: number;
  readonly findings: readonly Finding[];
  /** The most severe action that an unusual dimension asks for; undefined: none, or too little history to block. */
  readonly action: RiskAction | undefined;
  /** Past sessions that this was judged by. */
  readonly sessions: number;
}

const USUAL_VALUES = 3;

function usualValues(counts: ReadonlyMap<string, number>): Finding['usual'] {
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, USUAL_VALUES)
    .map(([value, sessions]) => ({ value, sessions }));
}

/** Judges a session before its device is dialled. `peers` are counts over the user's peer group. */
export function startRisk(
  session: Omit<PastSession, 'duration'>,
  history: SessionHistory,
  peers: Readonly<Record<CategoryDimension, ReadonlyMap<string, number>>>,
  settings: RiskSettings,
): Risk {
  const findings: Finding[] = [];
  for (const dimension of CATEGORY_DIMENSIONS) {
    const own = history.counts(dimension);
    const measured = surprise(own, peers[dimension], session[dimension]);
    const limit = bound(ownCategorySurprises(own, peers[dimension]), PEER_BOUNDS[dimension]);
    if (!isUnusual(measured, limit, settings.variationRate)) continue;
    const points = settings.weights[dimension];
    findings.push({
      dimension,
      points,
      usual: usualValues(own),
      seen: session[dimension],
      measured,
      limit,
    });
  }
  const time = unusualTime(session.startedAt, history, settings);
  if (time !== undefined) findings.push(time);
  return riskOf(findings, history.sessions, settings);
}

function unusualTime(at: number, history: SessionHistory, settings: RiskSettings): Finding | undefined {
  const { bin, weekend } = localTime(at, history.timeZone);
  const kind = dayKindSurprise(history.weekday, history.weekend, weekend);
  const measured = (surprises(history.histogram)[bin] ?? 0) + kind;
  const own: readonly Weighted[] = ownTimeSurprises(history.histogram);
  const limit = bound(own, PEER_BOUNDS.time);
  if (!isUnusual(measured, limit, settings.variationRate)) return undefined;
  return {
    dimension: 'time',
    points: settings.weights.time,
    usual: usualHours(history),
    seen: `${clock(bin)}${weekend ? ', weekend' : ''}`,
    measured,
    limit,
  };
}

function clock(bin: number): string {
  const minutes = bin * 5;
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function usualHours(history: SessionHistory): Finding['usual'] {
  const hours = new Map<string, number>();
  history.histogram.forEach((sessions, bin) => {
    if (sessions === 0) return;
    const hour = Math.floor(bin / 12);
    const label = `${clock(hour * 12)}–${clock(((hour + 1) % 24) * 12)}`;
    hours.set(label, (hours.get(label) ?? 0) + sessions);
  });
  return usualValues(hours);
}

/** Seconds with little history: nobody is unusual before this. */
const SHORTEST_UNUSUAL_DURATION = 60;
/** Spread of log-durations (natural log) that is assumed until the user's own is known. */
const PRIOR_LOG_SPREAD = 0.8;
const PRIOR_SESSIONS = 10;
/** 95th percentile of the standard normal distribution. */
const Z95 = 1.645;

/** The longest duration in seconds that is still usual for this user; Infinity without history. */
export function durationLimit(history: SessionHistory, variationRate: number): number {
  const durations = history.durations();
  const sessions = durations.reduce((sum, [, count]) => sum + count, 0);
  if (sessions === 0) return Number.POSITIVE_INFINITY;
  const mean = durations.reduce((sum, [value, count]) => sum + count * Math.log(value), 0) / sessions;
  const squares = durations.reduce((sum, [value, count]) => sum + count * (Math.log(value) - mean) ** 2, 0);
  // The user's own variance, shrunk towards the prior: many equal sessions don't make the next second unusual.
  const variance = (squares + PRIOR_SESSIONS * PRIOR_LOG_SPREAD ** 2) / (sessions + PRIOR_SESSIONS);
  const shrunk = Math.exp(mean + Z95 * Math.sqrt(variance));
  const quantile = weightedQuantile(durations, 0.95) ?? shrunk;
  const weight = sessions / (sessions + PRIOR_SESSIONS);
  const limit = Math.max(quantile * weight + shrunk * (1 - weight), SHORTEST_UNUSUAL_DURATION);
  return limit * (1 + variationRate / 100);
}

/** Adds the duration to a running session's risk: `seconds` since its start. Unchanged while it is usual. */
export function withDuration(
  risk: Risk,
  seconds: number,
  history: SessionHistory,
  settings: RiskSettings,
): Risk {
  const limit = durationLimit(history, settings.variationRate);
  if (seconds <= limit || risk.findings.some(({ dimension }) => dimension === 'duration')) return risk;
  const usual = weightedQuantile(history.durations(), 0.5) ?? 0;
  const finding: Finding = {
    dimension: 'duration',
    points: settings.weights.duration,
    usual: [{ value: `${Math.round(usual)} s`, sessions: history.sessions }],
    seen: `${Math.round(seconds)} s`,
    measured: seconds,
    limit,
  };
  return riskOf([...risk.findings, finding], risk.sessions, settings);
}

function riskOf(findings: readonly Finding[], sessions: number, settings: RiskSettings): Risk {
  const score = findings.reduce((sum, { points }) => sum + points, 0);
  const wants = (action: RiskAction): boolean =>
    findings.some(({ dimension }) => settings.actions[dimension][action]);
  let action: RiskAction | undefined;
  if (sessions >= SESSIONS_TO_BLOCK) {
    if (wants('blockSessionAndUser')) action = 'blockSessionAndUser';
    else if (wants('blockSession')) action = 'blockSession';
  }
  return { score, findings, action, sessions };
}
