// The risk of a session: which of what was measured is unusual under the settings, how many points each gives, the
// points of its audited commands, and what is to be done. Every point explains itself. Pure: the same measurements and
// settings always give the same answer. It neither measures, stores nor acts.
import { isUnusual } from './bound.ts';
import type { Habits, PastSession } from './session-counts.ts';
import {
  ACTION_DIMENSIONS,
  type ActionDimension,
  type Dimension,
  durationLimit,
  type Measurement,
  measureDuration,
  measureStart,
  type Peers,
  type Usual,
} from './session-measure.ts';

export { type Dimension, durationLimit };
export type RiskAction = 'blockSession' | 'blockSessionAndUser';

/** Keys and ranges are those of the system settings; all counts and points are whole numbers. */
export interface RiskSettings {
  /** 0–100 %. */
  readonly variationRate: number;
  /** 0–3 points each. */
  readonly weights: Readonly<Record<Dimension, number>>;
  readonly actions: Readonly<Record<ActionDimension, Readonly<Record<RiskAction, boolean>>>>;
}

/** Fewer past sessions than this: the user is judged by the peers alone, and nothing blocks. */
export const SESSIONS_TO_BLOCK = 8;

export interface Finding {
  readonly dimension: Dimension;
  readonly points: number;
  readonly usual: Usual;
  readonly seen: string;
  /** How unusual it is and from where on that is so: bits, seconds, bytes or nats. */
  readonly measured: number;
  readonly limit: number;
}

export interface Risk {
  /** The points of the dimensions and of audited commands. */
  readonly score: number;
  /** Of the dimensions alone: 0–15 for the five of the settings, 3 more for each of the others. */
  readonly dimensionPoints: number;
  readonly commandPoints: number;
  readonly findings: readonly Finding[];
  /** The most severe action that an unusual dimension asks for; undefined: none, or too little history to block. */
  readonly action: RiskAction | undefined;
  /** Past sessions that this was judged by. */
  readonly sessions: number;
}

/** What several measurements come to. Of one dimension, the last measurement counts. */
export function riskOf(
  measurements: readonly Measurement[],
  sessions: number,
  settings: RiskSettings,
  commandPoints = 0,
): Risk {
  const last = new Map(measurements.map((measurement) => [measurement.dimension, measurement]));
  const unusual = [...last.values()].filter((measurement) =>
    isUnusualUnder(measurement, settings.variationRate),
  );
  const findings = unusual
    // A login as root that is unusual by its credential is not counted once more by its rights.
    .filter(
      ({ dimension, seen }) =>
        dimension !== 'privilege' ||
        !unusual.some((other) => other.dimension === 'credential' && other.seen === seen),
    )
    .map(
      ({ dimension, measured, limit, usual, seen }): Finding => ({
        dimension,
        points: settings.weights[dimension],
        usual,
        seen,
        measured,
        limit: tolerated(dimension, limit, settings.variationRate),
      }),
    );
  const dimensionPoints = findings.reduce((sum, { points }) => sum + points, 0);
  return {
    score: dimensionPoints + commandPoints,
    dimensionPoints,
    commandPoints,
    findings,
    action: sessions >= SESSIONS_TO_BLOCK ? actionOf(findings, settings) : undefined,
    sessions,
  };
}

/** A threshold on commands is a quantile of the user's own; on everything else the variation rate is allowed beyond. */
function isUnusualUnder({ dimension, measured, limit }: Measurement, variationRate: number): boolean {
  return dimension === 'commands' ? measured > limit : isUnusual(measured, limit, variationRate);
}

function tolerated(dimension: Dimension, limit: number, variationRate: number): number {
  return dimension === 'commands' ? limit : Math.max(limit, 0) * (1 + variationRate / 100);
}

function actionOf(findings: readonly Finding[], settings: RiskSettings): RiskAction | undefined {
  const wants = (action: RiskAction): boolean =>
    findings.some(({ dimension }) => isActionDimension(dimension) && settings.actions[dimension][action]);
  if (wants('blockSessionAndUser')) return 'blockSessionAndUser';
  return wants('blockSession') ? 'blockSession' : undefined;
}

function isActionDimension(dimension: Dimension): dimension is ActionDimension {
  return ACTION_DIMENSIONS.some((one) => one === dimension);
}

/** Judges a session before its device is dialled. `peers` are counts over the user's peer group. */
export function startRisk(
  session: Omit<PastSession, 'duration'>,
  habits: Habits,
  peers: Peers,
  settings: RiskSettings,
): Risk {
  return riskOf(measureStart(session, habits, peers), habits.sessions, settings);
}

/** Adds the duration to a running session's risk: `seconds` since its start. Unchanged while it is usual. */
export function withDuration(risk: Risk, seconds: number, habits: Habits, settings: RiskSettings): Risk {
  if (risk.findings.some(({ dimension }) => dimension === 'duration')) return risk;
  const measured = measureDuration(seconds, habits);
  if (measured === undefined) return risk;
  const { findings } = riskOf([measured], risk.sessions, settings);
  if (findings.length === 0) return risk;
  const all = [...risk.findings, ...findings];
  const dimensionPoints = all.reduce((sum, { points }) => sum + points, 0);
  return {
    ...risk,
    score: dimensionPoints + risk.commandPoints,
    dimensionPoints,
    findings: all,
    action: risk.sessions >= SESSIONS_TO_BLOCK ? actionOf(all, settings) : undefined,
  };
}
