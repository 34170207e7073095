// How far a session is from what its user usually does, dimension by dimension: measured against the history and the
// peers, whatever the settings are. What is unusual, what it costs and what follows is session-risk.ts's to say, so that
// other settings can be tried on what was measured.
import { bound, type Weighted, weightedQuantile } from './bound.ts';
import { ownSurprises as ownCategorySurprises, surprise } from './category.ts';
import {
  CATEGORY_DIMENSIONS,
  type CategoryDimension,
  type Habits,
  type PastSession,
  PLAIN,
  PRIVILEGED,
} from './session-counts.ts';
import { dayKindSurprise, localTime, ownSurprises as ownTimeSurprises, surprises } from './time-of-day.ts';

/** Those that are known before the device is dialled. */
export const START_DIMENSIONS = ['target', 'origin', 'credential', 'time'] as const;
/** Those that have actions of their own. */
export const ACTION_DIMENSIONS = [...START_DIMENSIONS, 'duration'] as const;
export const DIMENSIONS = [...ACTION_DIMENSIONS, 'commands', 'volume', 'privilege'] as const;
export type Dimension = (typeof DIMENSIONS)[number];
export type ActionDimension = (typeof ACTION_DIMENSIONS)[number];

/** What a user usually does, with counts, most frequent first. */
export type Usual = readonly { readonly value: string; readonly sessions: number }[];

export interface Measurement {
  readonly dimension: Dimension;
  /** How unusual it is, and from where on that is so before any tolerance: bits, seconds, bytes, or nats a command. */
  readonly measured: number;
  readonly limit: number;
  readonly usual: Usual;
  readonly seen: string;
}

/** Bits for a user without history. */
const PEER_BOUND = 6;
const USUAL_VALUES = 3;

export type Peers = Readonly<Record<CategoryDimension, ReadonlyMap<string, number>>>;

export const NO_PEERS: Peers = { target: new Map(), origin: new Map(), credential: new Map() };

/** Target, origin, credential and time. `peers` are counts over the user's peer group. */
export function measureStart(
  session: Omit<PastSession, 'duration' | 'bytes' | 'privileged'>,
  habits: Habits,
  peers: Peers,
): readonly Measurement[] {
  const categories = CATEGORY_DIMENSIONS.map((dimension): Measurement => {
    const own = habits.counts(dimension);
    return {
      dimension,
      measured: surprise(own, peers[dimension], session[dimension]),
      limit: bound(ownCategorySurprises(own, peers[dimension]), PEER_BOUND),
      usual: usualValues(own),
      seen: session[dimension],
    };
  });
  return [...categories, measureTime(session.startedAt, habits)];
}

function measureTime(at: number, habits: Habits): Measurement {
  const { bin, weekend } = localTime(at, habits.timeZone);
  const kind = dayKindSurprise(habits.weekday, habits.weekend, weekend);
  const own: readonly Weighted[] = ownTimeSurprises(habits.histogram);
  return {
    dimension: 'time',
    measured: (surprises(habits.histogram)[bin] ?? 0) + kind,
    limit: bound(own, PEER_BOUND),
    usual: usualHours(habits),
    seen: `${clock(bin)}${weekend ? ', weekend' : ''}`,
  };
}

/** Undefined: nobody knows yet how long this user's sessions are. */
export function measureDuration(seconds: number, habits: Habits): Measurement | undefined {
  const limit = sizeLimit(habits.durations(), SHORTEST_UNUSUAL_DURATION);
  if (limit === undefined) return undefined;
  const usual = weightedQuantile(habits.durations(), 0.5) ?? 0;
  return {
    dimension: 'duration',
    measured: seconds,
    limit,
    usual: [{ value: `${Math.round(usual)} s`, sessions: sumOf(habits.durations()) }],
    seen: `${Math.round(seconds)} s`,
  };
}

/** Bytes that this session has moved. Undefined: nobody knows yet how much this user's sessions move. */
export function measureVolume(bytes: number, habits: Habits): Measurement | undefined {
  const volumes = habits.volumes();
  const limit = sizeLimit(volumes, LEAST_UNUSUAL_VOLUME) ?? LEAST_UNUSUAL_VOLUME;
  if (habits.sessions === 0) return undefined;
  const moved = sumOf(volumes);
  const usual = weightedQuantile(volumes, 0.5) ?? 0;
  return {
    dimension: 'volume',
    measured: bytes,
    limit,
    usual: [
      { value: 'nothing moved', sessions: Math.max(habits.sessions - moved, 0) },
      { value: `about ${inBytes(usual)}`, sessions: moved },
    ].filter(({ sessions }) => sessions > 0),
    seen: inBytes(bytes),
  };
}

/** The first use of another account's rights in a session. Undefined: nobody knows yet whether that is usual. */
export function measurePrivilege(habits: Habits, how: string): Measurement | undefined {
  const own = habits.privileges;
  if (sumOf([...own]) === 0) return undefined;
  return {
    dimension: 'privilege',
    measured: surprise(own, EVEN, PRIVILEGED),
    limit: bound(ownCategorySurprises(own, EVEN), PRIVILEGE_BOUND),
    usual: usualValues(own),
    seen: how,
  };
}

/** Without a history both are as likely. */
const EVEN: ReadonlyMap<string, number> = new Map([
  [PLAIN, 1],
  [PRIVILEGED, 1],
]);
/** With two values only, surprises are small: three bits are one session in eight. */
const PRIVILEGE_BOUND = 3;

function usualValues(counts: ReadonlyMap<string, number>): Usual {
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, USUAL_VALUES)
    .map(([value, sessions]) => ({ value, sessions }));
}

function clock(bin: number): string {
  const minutes = bin * 5;
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function usualHours(habits: Habits): Usual {
  const hours = new Map<string, number>();
  habits.histogram.forEach((sessions, bin) => {
    if (sessions === 0) return;
    const hour = Math.floor(bin / 12);
    const label = `${clock(hour * 12)}–${clock(((hour + 1) % 24) * 12)}`;
    hours.set(label, (hours.get(label) ?? 0) + sessions);
  });
  return usualValues(hours);
}

/** Seconds with little history: nobody is unusual before this. */
const SHORTEST_UNUSUAL_DURATION = 60;
/** Bytes below which no session moves much: what a few pages of output or a key exchange come to. */
const LEAST_UNUSUAL_VOLUME = 1024 * 1024;
/** Spread of log-sizes (natural log) that is assumed until the user's own is known. */
const PRIOR_LOG_SPREAD = 0.8;
const PRIOR_SESSIONS = 10;
/** 95th percentile of the standard normal distribution. */
const Z95 = 1.645;

/** The largest size that is still usual; undefined without history. */
export function sizeLimit(sizes: readonly Weighted[], least: number): number | undefined {
  const sessions = sumOf(sizes);
  if (sessions === 0) return undefined;
  const mean = sizes.reduce((sum, [value, count]) => sum + count * Math.log(value), 0) / sessions;
  const squares = sizes.reduce((sum, [value, count]) => sum + count * (Math.log(value) - mean) ** 2, 0);
  // The user's own variance, shrunk towards the prior: many equal sessions don't make the next second unusual.
  const variance = (squares + PRIOR_SESSIONS * PRIOR_LOG_SPREAD ** 2) / (sessions + PRIOR_SESSIONS);
  const shrunk = Math.exp(mean + Z95 * Math.sqrt(variance));
  const quantile = weightedQuantile(sizes, 0.95) ?? shrunk;
  const weight = sessions / (sessions + PRIOR_SESSIONS);
  return Math.max(quantile * weight + shrunk * (1 - weight), least);
}

/** The longest duration in seconds that is still usual for this user; Infinity without history. */
export function durationLimit(habits: Habits, variationRate: number): number {
  const limit = sizeLimit(habits.durations(), SHORTEST_UNUSUAL_DURATION);
  return limit === undefined ? Number.POSITIVE_INFINITY : limit * (1 + variationRate / 100);
}

function sumOf(values: readonly (readonly [unknown, number])[]): number {
  return values.reduce((sum, [, count]) => sum + count, 0);
}

function inBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}
