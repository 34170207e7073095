// What is usual for one user: the days of the last months on which they did anything, each as a few numbers. Days that
// ended in a serious finding are not learnt. Pure; it judges nothing.

/** One day of one user, in local time. */
export interface Day {
  readonly day: number;
  signIns: number;
  bytes: number;
  files: number;
  privileged: number;
  readonly hosts: Set<string>;
  readonly origins: Set<string>;
  readonly countries: Set<string>;
  readonly networks: Set<string>;
  /** Hours of the day of sign-ins and sessions, 0–24. */
  readonly hours: number[];
  weekend: boolean;
}

export const newDay = (day: number, weekend: boolean): Day => ({
  day,
  signIns: 0,
  bytes: 0,
  files: 0,
  privileged: 0,
  hosts: new Set(),
  origins: new Set(),
  countries: new Set(),
  networks: new Set(),
  hours: [],
  weekend,
});

export interface Spread {
  readonly mean: number;
  readonly deviation: number;
  readonly days: number;
}

const MOST_HOURS_A_DAY = 24;

export class Baseline {
  readonly #window: number;
  readonly #days: Day[] = [];
  readonly #targets = new Map<string, number>();
  readonly #origins = new Map<string, number>();
  readonly #countries = new Map<string, number>();
  readonly #networks = new Map<string, number>();
  readonly #together = new Map<string, number>();
  /** The last day on which there was anything, learnt or not. */
  lastActive: number | undefined;

  /** `window`: days of history. */
  constructor(window: number) {
    this.#window = window;
  }

  get days(): number {
    return this.#days.length;
  }

  /** Takes a finished day in. Days come in order. */
  learn(day: Day): void {
    day.hours.length = Math.min(day.hours.length, MOST_HOURS_A_DAY);
    this.#days.push(day);
    while (this.#days.length > 0 && (this.#days[0]?.day ?? 0) < day.day - this.#window) this.#days.shift();
    const bump = (map: Map<string, number>, values: Iterable<string>): void => {
      for (const value of values) map.set(value, day.day);
      if (map.size > 4_096)
        for (const [value, last] of map) if (last < day.day - this.#window) map.delete(value);
    };
    bump(this.#targets, day.hosts);
    bump(this.#origins, day.origins);
    bump(this.#countries, day.countries);
    bump(this.#networks, day.networks);
  }

  #known(map: ReadonlyMap<string, number>, value: string, day: number): boolean {
    const last = map.get(value);
    return last !== undefined && last >= day - this.#window;
  }

  knowsTarget(target: string, day: number): boolean {
    return this.#known(this.#targets, target, day);
  }

  knowsOrigin(origin: string, day: number): boolean {
    return this.#known(this.#origins, origin, day);
  }

  knowsCountry(country: string, day: number): boolean {
    return this.#known(this.#countries, country, day);
  }

  knowsNetwork(network: string, day: number): boolean {
    return this.#known(this.#networks, network, day);
  }

  /** The most on any day. */
  most(of: (day: Day) => number): number {
    let most = 0;
    for (const day of this.#days) most = Math.max(most, of(day));
    return most;
  }

  countries(day: number): readonly string[] {
    return [...this.#countries].filter(([, last]) => last >= day - this.#window).map(([country]) => country);
  }

  /** Days on which sessions from these two places ran side by side. */
  together(pair: string): number {
    return this.#together.get(pair) ?? 0;
  }

  noteTogether(pair: string): void {
    if (this.#together.size < 1_024 || this.#together.has(pair))
      this.#together.set(pair, this.together(pair) + 1);
  }

  /** Over active days; days without anything do not make a user's day smaller. */
  spread(of: (day: Day) => number): Spread {
    const days = this.#days.length;
    if (days === 0) return { mean: 0, deviation: 0, days: 0 };
    let sum = 0;
    for (const day of this.#days) sum += of(day);
    const mean = sum / days;
    let squares = 0;
    for (const day of this.#days) squares += (of(day) - mean) ** 2;
    return { mean, deviation: Math.sqrt(squares / days), days };
  }

  /** The share of active days that are weekend days. */
  weekendShare(): number {
    if (this.#days.length === 0) return 0;
    return this.#days.filter((day) => day.weekend).length / this.#days.length;
  }

  /** The user's hours as distances from the middle of their day (−12 to 12), so that midnight does not tear them apart. */
  hours(): { readonly middle: number; readonly offsets: readonly number[] } | undefined {
    let x = 0;
    let y = 0;
    let count = 0;
    for (const day of this.#days)
      for (const hour of day.hours) {
        x += Math.cos((hour * Math.PI) / 12);
        y += Math.sin((hour * Math.PI) / 12);
        count += 1;
      }
    if (count === 0) return undefined;
    const middle = ((Math.atan2(y, x) * 12) / Math.PI + 24) % 24;
    const offsets = this.#days.flatMap((day) => day.hours.map((hour) => offsetFrom(middle, hour)));
    return { middle, offsets: offsets.sort((a, b) => a - b) };
  }
}

/** From −12 to 12 hours. */
export const offsetFrom = (middle: number, hour: number): number => ((hour - middle + 36) % 24) - 12;
