// When a grant holds: `mon-fri 08:00-18:00 Europe/Paris`. Pure; no clock of its own. The rule is what the clock on the
// wall in that zone shows: an hour that summer time skips never comes, one that it repeats counts both times, and a
// span over midnight belongs to the day on which it starts.

export interface Times {
  /** As it was written. */
  readonly text: string;
  readonly zone: string;
  readonly spans: readonly Span[];
  /** Monday is 0. */
  readonly days: ReadonlySet<number>;
}

/** Minutes since midnight; `to` is at most 24 h after `from`, so beyond 1,440 it means the next day. */
interface Span {
  readonly from: number;
  readonly to: number;
}

export type TimesAnswer =
  /** `until`: milliseconds since the epoch at which it first stops; undefined: not within the next eight days. */
  | { readonly kind: 'open'; readonly until: number | undefined }
  /** `from`: when it next opens; undefined: not within the next eight days. */
  | { readonly kind: 'closed'; readonly from: number | undefined };

export type TimesReading = { readonly times: Times } | { readonly problem: string };

const DAY_NAMES = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY = 1_440;
const MINUTE = 60_000;
const HORIZON_DAYS = 8;
const EXAMPLE = 'write it like "mon-fri 08:00-18:00 Europe/Paris"';

const formats = new Map<string, Intl.DateTimeFormat>();

const formatFor = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  // Zones are few; the bound keeps hostile input from growing this.
  if (formats.size < 1_000) formats.set(zone, format);
  return format;
};

const readDays = (text: string): ReadonlySet<number> | undefined => {
  const days = new Set<number>();
  if (text === 'daily') return new Set(DAY_NAMES.keys());
  for (const part of text.split(',')) {
    const [first, last, ...rest] = part.split('-');
    const from = DAY_NAMES.indexOf(first ?? '');
    const to = last === undefined ? from : DAY_NAMES.indexOf(last);
    if (from < 0 || to < 0 || rest.length > 0) return undefined;
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return days;
};

const readSpan = (text: string): Span | undefined => {
  const match = /^([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))$/.exec(text);
  if (match === null) return undefined;
  const from = Number(match[1]) * 60 + Number(match[2]);
  const to = Number(match[3] ?? match[5]) * 60 + Number(match[4] ?? match[6]);
  if (to === from) return undefined;
  return { from, to: to > from ? to : to + DAY };
};

/** Days, then spans, then an IANA zone: each may be left out (every day, all day, UTC), not all of them. */
export const readTimes = (text: string): TimesReading => {
  if (text.length > 300) return { problem: `too long; ${EXAMPLE}` };
  const words = text.trim().split(/\s+/);
  let days: ReadonlySet<number> | undefined;
  let spans: Span[] | undefined;
  let zone: string | undefined;
  for (const word of words) {
    if (word === '') return { problem: `empty; ${EXAMPLE}` };
    const asDays = readDays(word.toLowerCase());
    if (asDays !== undefined && days === undefined && spans === undefined && zone === undefined) {
      days = asDays;
    } else if (/^\d/.test(word) && spans === undefined && zone === undefined) {
      spans = [];
      for (const part of word.split(',')) {
        const span = readSpan(part);
        if (span === undefined) {
          return { problem: `"${part}" is not a span of time such as 08:00-18:00 or 22:00-06:00` };
        }
        spans.push(span);
      }
    } else if (zone === undefined && /^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(word)) {
      try {
        new Intl.DateTimeFormat('en-US', { timeZone: word });
      } catch {
        return { problem: `"${word}" is neither days (mon-fri) nor a time zone (Europe/Paris)` };
      }
      zone = word;
    } else {
      return { problem: `"${word}" is not understood; ${EXAMPLE}` };
    }
  }
  return {
    times: {
      text,
      zone: zone ?? 'UTC',
      days: days ?? new Set(DAY_NAMES.keys()),
      spans: spans ?? [{ from: 0, to: DAY }],
    },
  };
};

interface Wall {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** Minutes since midnight. */
  readonly minute: number;
  /** Milliseconds that the zone is ahead of UTC. */
  readonly offset: number;
}

const wallAt = (zone: string, at: number): Wall => {
  const second = Math.floor(at / 1_000) * 1_000;
  const fields: Record<string, number> = {};
  for (const part of formatFor(zone).formatToParts(second)) fields[part.type] = Number(part.value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second: seconds = 0 } = fields;
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, seconds);
  return { year, month, day, minute: hour * 60 + minute, offset: asUtc - second };
};

/** Monday is 0. */
const weekday = (wall: Wall): number =>
  (new Date(Date.UTC(wall.year, wall.month - 1, wall.day)).getUTCDay() + 6) % 7;

const isOpen = (times: Times, wall: Wall): boolean => {
  const today = weekday(wall);
  const yesterday = (today + 6) % 7;
  return times.spans.some(
    (span) =>
      (times.days.has(today) && wall.minute >= span.from && wall.minute < span.to) ||
      (times.days.has(yesterday) && wall.minute + DAY < span.to),
  );
};

/** Instants at which a wall clock in the zone may read this: none, one, or two when an hour is repeated. */
const instantsOf = (zone: string, asUtc: number): number[] => {
  const offsets = new Set([
    wallAt(zone, asUtc - DAY * MINUTE).offset,
    wallAt(zone, asUtc + DAY * MINUTE).offset,
  ]);
  const instants: number[] = [];
  for (const offset of offsets) {
    const instant = asUtc - offset;
    if (wallAt(zone, instant).offset === offset) instants.push(instant);
  }
  return instants;
};

/** When the zone's offset changes between two instants; undefined when it is the same at both ends. */
const changeBetween = (zone: string, from: number, to: number): number | undefined => {
  const before = wallAt(zone, from).offset;
  if (wallAt(zone, to).offset === before) return undefined;
  let low = from;
  let high = to;
  while (high - low > 1_000) {
    const middle = Math.floor((low + high) / 2_000) * 1_000;
    if (middle <= low) break;
    if (wallAt(zone, middle).offset === before) low = middle;
    else high = middle;
  }
  return high;
};

/** Every instant after `at`, in order, at which the answer could change. */
const boundaries = (times: Times, at: number): number[] => {
  const found = new Set<number>();
  const wall = wallAt(times.zone, at);
  const midnight = Date.UTC(wall.year, wall.month - 1, wall.day);
  for (let day = -1; day <= HORIZON_DAYS; day += 1) {
    const start = midnight + day * DAY * MINUTE;
    for (const span of times.spans) {
      for (const minute of [span.from, span.to]) {
        for (const instant of instantsOf(times.zone, start + minute * MINUTE)) found.add(instant);
      }
    }
    const change = changeBetween(times.zone, start - wall.offset, start - wall.offset + DAY * MINUTE);
    if (change !== undefined) found.add(change);
  }
  return [...found].filter((instant) => instant > at).sort((a, b) => a - b);
};

/** `at`: milliseconds since the epoch. */
export const timesAt = (times: Times, at: number): TimesAnswer => {
  const open = isOpen(times, wallAt(times.zone, at));
  const change = boundaries(times, at).find((instant) => isOpen(times, wallAt(times.zone, instant)) !== open);
  return open ? { kind: 'open', until: change } : { kind: 'closed', from: change };
};

/** Several together: open while any is. None at all: always open. */
export const anyTimesAt = (list: readonly Times[], at: number): TimesAnswer => {
  if (list.length === 0) return { kind: 'open', until: undefined };
  let until: number | undefined = at;
  let from: number | undefined;
  // Where one ends another may already run: follow them until a moment at which none does.
  for (let step = 0; step < 1_000; step += 1) {
    const now: number = until;
    const answers = list.map((times) => timesAt(times, now));
    const open = answers.filter((answer) => answer.kind === 'open');
    if (open.length === 0) {
      if (now > at) return { kind: 'open', until: now };
      for (const answer of answers) {
        if (
          answer.kind === 'closed' &&
          answer.from !== undefined &&
          (from === undefined || answer.from < from)
        ) {
          from = answer.from;
        }
      }
      return { kind: 'closed', from };
    }
    let furthest = now;
    for (const answer of open) {
      if (answer.until === undefined || answer.until > at + HORIZON_DAYS * DAY * MINUTE) {
        return { kind: 'open', until: undefined };
      }
      furthest = Math.max(furthest, answer.until);
    }
    until = furthest;
  }
  return { kind: 'open', until };
};

/** For people: `2026-03-29 08:00 Europe/Paris`. */
export const showInstant = (zone: string, at: number): string => {
  const wall = wallAt(zone, at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(wall.minute / 60))}:${two(wall.minute % 60)}`;
  return `${wall.year}-${two(wall.month)}-${two(wall.day)} ${clock} ${zone}`;
};
