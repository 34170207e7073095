// How surprising a time of day is for a user: von Mises kernels on the circle of 24 hours, so that midnight is no
// edge, with weekdays and weekends told apart. Works on a histogram of the user's local time, not on sessions.

/** Minutes in one bin of the histogram. */
export const BIN_MINUTES = 5;
/** Bins in a day. */
export const BINS = (24 * 60) / BIN_MINUTES;

/** Sessions in each bin of the day, BINS numbers. */
export type DayHistogram = Readonly<Float64Array>;

export interface LocalTime {
  /** 0 to BINS − 1. */
  readonly bin: number;
  readonly weekend: boolean;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/**
 * The time of day and kind of day at `at` (milliseconds since the epoch) in a time zone such as `Europe/Paris`.
 * Throws a RangeError for a zone that does not exist.
 */
export function localTime(at: number, timeZone: string): LocalTime {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formatters.set(timeZone, formatter);
  }
  let hour = 0;
  let minute = 0;
  let weekend = false;
  for (const { type, value } of formatter.formatToParts(at)) {
    if (type === 'hour') hour = Number(value);
    else if (type === 'minute') minute = Number(value);
    else if (type === 'weekday') weekend = value === 'Sat' || value === 'Sun';
  }
  return { bin: Math.floor((hour * 60 + minute) / BIN_MINUTES), weekend };
}

/** How narrow a kernel is: the more sessions are known, the narrower (κ of the von Mises density). */
function concentration(sessions: number): number {
  if (sessions < 10) return 4;
  return sessions < 20 ? 8 : 16;
}

const kernels = new Map<number, Float64Array>();

/** Density per hour of a von Mises kernel at each distance in bins. */
function kernel(kappa: number): Float64Array {
  const known = kernels.get(kappa);
  if (known !== undefined) return known;
  const values = new Float64Array(BINS);
  let sum = 0;
  for (let bin = 0; bin < BINS; bin += 1) {
    const value = Math.exp(kappa * (Math.cos((2 * Math.PI * bin) / BINS) - 1));
    values[bin] = value;
    sum += value;
  }
  const hours = BIN_MINUTES / 60;
  for (let bin = 0; bin < BINS; bin += 1) values[bin] = (values[bin] ?? 0) / (sum * hours);
  kernels.set(kappa, values);
  return values;
}

/**
 * Surprise in bits of each bin of the day: `5 − log2(24·p)` with `p = (Σ kernels + 2/24) / (n + 2)` per hour.
 * 5 bits is a user of whom nothing is known; a usual hour is below, an hour never used above.
 */
export function surprises(histogram: DayHistogram): Float64Array {
  return surprisesWithout(histogram, 0);
}

/** The same with one session at each bin left out of it: what the user's own sessions would have been taken for. */
export function ownSurprises(histogram: DayHistogram): [surprise: number, sessions: number][] {
  const values = surprisesWithout(histogram, 1);
  const own: [number, number][] = [];
  histogram.forEach((sessions, bin) => {
    if (sessions > 0) own.push([values[bin] ?? 0, sessions]);
  });
  return own;
}

function surprisesWithout(histogram: DayHistogram, leftOut: 0 | 1): Float64Array {
  let sessions = 0;
  for (const count of histogram) sessions += count;
  const density = kernel(concentration(sessions));
  const sums = new Float64Array(BINS);
  histogram.forEach((count, from) => {
    if (count === 0) return;
    for (let bin = 0; bin < BINS; bin += 1) {
      sums[bin] = (sums[bin] ?? 0) + count * (density[Math.abs(bin - from)] ?? 0);
    }
  });
  const peak = density[0] ?? 0;
  const total = Math.max(sessions - leftOut, 0) + 2;
  return sums.map((sum) => 5 - Math.log2((24 * (Math.max(sum - leftOut * peak, 0) + 2 / 24)) / total));
}

/**
 * Extra surprise in bits of a weekend or a weekday: −log2 of its share among the user's sessions against its share
 * of the week, smoothed by one week (a Beta prior).
 */
export function dayKindSurprise(weekdaySessions: number, weekendSessions: number, weekend: boolean): number {
  const expected = weekend ? 2 / 7 : 5 / 7;
  const count = weekend ? weekendSessions : weekdaySessions;
  const share = (count + 7 * expected) / (weekdaySessions + weekendSessions + 7);
  return -Math.log2(share / expected);
}
