// A simulated year of 500 people at work, and of the attacks among them; docs/ueba.md describes it. Deterministic by its
// seed. It knows nothing of how findings are made, and has what makes them hard: people who travel, who work at night or on
// call, who move large data by right, who are away for months, who change their department, and who start in the middle.
import type { Activity, Person, Place, Priority } from '../../src/ueba/activity.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** 2030-01-01, a Tuesday. */
export const START = Date.UTC(2030, 0, 1);
export const DAYS = 365;

export type AttackKind = 'compromised' | 'insider' | 'dormant' | 'shared';

export interface Attack {
  readonly kind: AttackKind;
  readonly variant: string;
  readonly user: string;
  readonly from: number;
  readonly until: number;
}

export interface Year {
  readonly people: readonly Person[];
  readonly activities: readonly Activity[];
  readonly attacks: readonly Attack[];
}

/** mulberry32. */
const randomBy = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
};

class Dice {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomBy(seed);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }

  pick<T>(list: readonly T[]): T {
    const item = list[Math.floor(this.next() * list.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  poisson(mean: number): number {
    if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = this.next(); product > limit; product *= this.next()) count += 1;
    return count;
  }

  /** Skewed to the first of the list, as use of machines is. */
  favourite<T>(list: readonly T[]): T {
    const index = Math.floor(list.length * this.next() ** 2.2);
    return list[Math.min(index, list.length - 1)] ?? this.pick(list);
  }
}

const city = (country: string, latitude: number, longitude: number): Omit<Place, 'network'> => ({
  country,
  latitude,
  longitude,
  precision: 'city',
  exempt: false,
});

const HOMES = [
  city('FR', 48.9, 2.4),
  city('FR', 45.8, 4.8),
  city('DE', 52.5, 13.4),
  city('GB', 51.5, -0.1),
  city('ES', 40.4, -3.7),
];
const TRIPS = [
  city('US', 40.7, -74),
  city('US', 37.8, -122.4),
  city('SG', 1.35, 103.8),
  city('IT', 45.5, 9.2),
  city('PL', 52.2, 21),
  city('CA', 43.7, -79.4),
];
const ATTACKERS = [
  city('RU', 55.8, 37.6),
  city('NG', 6.5, 3.4),
  city('VN', 21, 105.8),
  city('BR', -23.5, -46.6),
  city('KR', 37.6, 127),
  city('UA', 50.5, 30.5),
];

interface Profile {
  readonly person: Person;
  readonly home: Omit<Place, 'network'>;
  readonly networks: readonly string[];
  readonly start: number;
  readonly hours: number;
  readonly sessions: number;
  readonly targets: string[];
  readonly privileged: number;
  readonly bytes: number;
  readonly spread: number;
  readonly night: boolean;
  readonly onCall: boolean;
  readonly joins: number;
  readonly leaves: readonly (readonly [number, number])[];
  readonly trips: readonly {
    readonly from: number;
    readonly until: number;
    readonly place: Omit<Place, 'network'>;
  }[];
  readonly moves: number | undefined;
}

const DEPARTMENTS = [
  'platform',
  'web',
  'data',
  'network',
  'database',
  'support',
  'payments',
  'research',
  'build',
  'security',
];

const placeAt = (where: Omit<Place, 'network'>, network: string): Place => ({ ...where, network });

export const generate = (seed: number, users = 500): Year => {
  const dice = new Dice(seed);
  const pools = new Map(
    DEPARTMENTS.map((department) => [
      department,
      Array.from({ length: dice.whole(25, 80) }, (_, index) => `${department}-${index}`),
    ]),
  );
  const poolOf = (department: string): readonly string[] => pools.get(department) ?? [];
  const profiles = Array.from({ length: users }, (_, index): Profile => {
    const department = DEPARTMENTS[index % DEPARTMENTS.length] ?? 'platform';
    const pool = poolOf(department);
    const home = dice.pick(HOMES);
    const joins = dice.chance(0.08) ? dice.whole(20, 300) : 0;
    const priority: Priority = dice.chance(0.05)
      ? 'critical'
      : dice.chance(0.15)
        ? 'high'
        : dice.chance(0.6)
          ? 'medium'
          : 'low';
    const leaves: [number, number][] = [];
    for (let count = dice.whole(1, 3); count > 0; count -= 1) {
      const from = dice.whole(0, DAYS);
      leaves.push([from, from + dice.whole(5, 20)]);
    }
    // Away for months, and back: parents, sabbaticals.
    if (dice.chance(0.03)) {
      const from = dice.whole(40, 200);
      leaves.push([from, from + dice.whole(95, 150)]);
    }
    const trips = dice.chance(0.25)
      ? Array.from({ length: dice.whole(1, 3) }, () => {
          const from = dice.whole(10, DAYS - 10);
          return { from, until: from + dice.whole(2, 10), place: dice.pick(TRIPS) };
        })
      : [];
    const own = Array.from({ length: dice.whole(4, 18) }, () => dice.pick(pool));
    return {
      person: {
        id: `user-${index}`,
        name: `user-${index}`,
        department,
        priority,
        createdAt: START + joins * DAY,
      },
      home,
      networks: [`office-${home.latitude}`, `home-${index}`],
      start: Math.min(Math.max(9 + dice.normal() * 1.1, 6.2), 12),
      hours: dice.between(7.5, 9.5),
      sessions: dice.between(1.5, 7),
      targets: [...new Set(own)],
      privileged: department === 'support' ? dice.between(0, 1) : dice.between(0.5, 9),
      bytes:
        department === 'data' || department === 'research' ? dice.between(2e8, 4e9) : dice.between(2e6, 8e7),
      spread: dice.between(0.6, 1.1),
      night: dice.chance(0.05),
      onCall: dice.chance(0.15),
      joins,
      leaves,
      trips,
      moves: dice.chance(0.03) ? dice.whole(100, 300) : undefined,
    };
  });

  let activities: Activity[] = [];
  let evidence = 0;
  const id = (): string => {
    evidence += 1;
    return `e${evidence}`;
  };
  const session = (
    user: string,
    at: number,
    place: Place,
    target: string,
    {
      privileged,
      minutes,
      bytes,
      files,
      source,
    }: {
      readonly privileged: number;
      readonly minutes: number;
      readonly bytes: number;
      readonly files: number;
      readonly source: string;
    },
  ): void => {
    activities.push({
      kind: 'session',
      at,
      user,
      evidence: id(),
      source,
      place,
      target,
      privileged: false,
      endedAt: at + minutes * MINUTE,
    });
    for (let count = 0; count < privileged; count += 1)
      activities.push({
        kind: 'privileged',
        at: at + Math.floor(dice.next() * minutes * MINUTE),
        user,
        evidence: id(),
        target,
      });
    if (bytes > 0)
      activities.push({
        kind: 'transfer',
        at: at + Math.floor(minutes * MINUTE * 0.9),
        user,
        evidence: id(),
        bytes: Math.round(bytes),
        files,
      });
  };

  const workDay = (profile: Profile, day: number): void => {
    const { person } = profile;
    if (day < profile.joins) return;
    if (profile.leaves.some(([from, until]) => day >= from && day < until)) return;
    const midnight = START + day * DAY;
    const weekday = new Date(midnight).getUTCDay();
    const weekend = weekday === 0 || weekday === 6;
    const trip = profile.trips.find(({ from, until }) => day >= from && day < until);
    if (trip !== undefined && (day === trip.from || day === trip.until - 1)) return;
    const extra = profile.onCall && dice.chance(weekend ? 0.12 : 0.05);
    if (weekend && !profile.night && !extra && !dice.chance(0.015)) return;
    if (!weekend && dice.chance(0.06)) return;
    const pool = poolOf(
      profile.moves !== undefined && day >= profile.moves ? 'platform' : (person.department ?? ''),
    );
    if (profile.moves === day) {
      profile.targets.length = 0;
      for (let count = 0; count < 8; count += 1) profile.targets.push(dice.pick(pool));
    }
    const where = trip?.place ?? profile.home;
    // A café, a telephone: a network that nobody has seen before.
    const cafe = dice.chance(0.02) ? `cafe-${dice.whole(0, 2_000)}` : undefined;
    const network =
      cafe ?? (trip === undefined ? dice.pick(profile.networks) : `hotel-${dice.whole(0, 200)}`);
    const source = `${network}-address`;
    // A tunnel into the office: the address is the organisation's own.
    const tunnelled = trip !== undefined && dice.chance(0.5);
    const place: Place = tunnelled
      ? { ...placeAt(profile.home, 'egress'), exempt: true }
      : placeAt(where, network);
    const start = profile.night ? 21.5 + dice.normal() * 0.7 : profile.start + dice.normal() * 0.6;
    const shift = trip === undefined ? 0 : Math.round((profile.home.longitude - trip.place.longitude) / 15);
    const count = Math.max(1, dice.poisson(weekend && !profile.night ? 1.5 : profile.sessions));
    // Now and then a rollout touches much more than usual, by right.
    const rollout = dice.chance(0.002);
    const migration = dice.chance(0.0012);
    const devices = rollout ? dice.whole(8, 20) : count;
    const bytesToday =
      profile.bytes *
      Math.exp(profile.spread * dice.normal() - profile.spread ** 2 / 2) *
      (migration ? dice.between(4, 15) : 1);
    for (let index = 0; index < devices; index += 1) {
      const late = extra && index === 0 ? dice.between(12, 18) : dice.between(0, profile.hours);
      const at = Math.floor(midnight + (start + shift + late) * HOUR);
      let target = dice.favourite(profile.targets);
      if (rollout || dice.chance(0.03)) {
        target = dice.pick(pool);
        if (!profile.targets.includes(target) && profile.targets.length < 40) profile.targets.push(target);
      }
      session(person.id, at, place, target, {
        privileged: dice.poisson(profile.privileged / devices),
        minutes: dice.between(3, 90),
        bytes: dice.chance(0.6) ? bytesToday / devices : 0,
        files: dice.whole(1, 30),
        source,
      });
    }
    if (dice.chance(0.004))
      activities.push({
        kind: 're-authentication',
        at: midnight + 11 * HOUR,
        user: person.id,
        evidence: id(),
        passed: dice.chance(0.85),
      });
    if (dice.chance(0.004))
      activities.push({
        kind: 'suspicious-session',
        at: midnight + 12 * HOUR,
        user: person.id,
        evidence: id(),
        score: dice.whole(5, 7),
      });
  };

  const attacks: Attack[] = [];
  const taken = new Set<string>();
  const victim = (fits: (profile: Profile, day: number) => boolean): { profile: Profile; day: number } => {
    for (;;) {
      const profile = dice.pick(profiles);
      const day = dice.whole(110, DAYS - 25);
      const here = !profile.leaves.some(([from, until]) => day >= from - 1 && day < until + 1);
      if (taken.has(profile.person.id) || profile.joins > 0 || !here || !fits(profile, day)) continue;
      taken.add(profile.person.id);
      return { profile, day };
    }
  };
  const strange = (profile: Profile): string => {
    for (;;) {
      const target = dice.pick([...pools.values()].flat());
      if (!profile.targets.includes(target)) return target;
    }
  };
  const pending: (() => void)[] = [];

  for (let count = 0; count < 20; count += 1) {
    const { profile, day } = victim(() => true);
    const variant = ['far away, the owner at work', 'far away, slowly', 'near, at night'][count % 3] ?? '';
    const length = dice.whole(1, 3);
    attacks.push({
      kind: 'compromised',
      variant,
      user: profile.person.id,
      from: START + day * DAY,
      until: START + (day + length) * DAY,
    });
    pending.push(() => {
      const far = dice.pick(ATTACKERS);
      for (let step = 0; step < length; step += 1) {
        const midnight = START + (day + step) * DAY;
        const near = count % 3 === 2;
        const hour = count % 3 === 0 ? dice.between(10, 15) : dice.between(1, 4);
        const place = near ? placeAt(profile.home, `stranger-${count}`) : placeAt(far, `stranger-${count}`);
        for (let index = dice.whole(3, 10); index > 0; index -= 1)
          session(
            profile.person.id,
            Math.floor(midnight + (hour + dice.between(0, 1.5)) * HOUR),
            place,
            strange(profile),
            {
              privileged: dice.poisson(4),
              minutes: dice.between(2, 25),
              bytes: dice.chance(0.3) ? dice.between(1e6, 3e8) : 0,
              files: dice.whole(1, 20),
              source: `stranger-${count}-address`,
            },
          );
        if (dice.chance(0.4))
          activities.push({
            kind: 're-authentication',
            at: Math.floor(midnight + (hour + 0.3) * HOUR),
            user: profile.person.id,
            evidence: id(),
            passed: false,
          });
        if (dice.chance(0.5))
          activities.push({
            kind: 'suspicious-session',
            at: Math.floor(midnight + hour * HOUR),
            user: profile.person.id,
            evidence: id(),
            score: dice.whole(5, 9),
          });
      }
    });
  }
  for (let count = 0; count < 15; count += 1) {
    const { profile, day } = victim(() => true);
    const variant = ['all at once', 'a little more every day', 'in the evening'][count % 3] ?? '';
    const length = count % 3 === 1 ? 14 : dice.whole(1, 3);
    attacks.push({
      kind: 'insider',
      variant,
      user: profile.person.id,
      from: START + day * DAY,
      until: START + (day + length) * DAY,
    });
    pending.push(() => {
      for (let step = 0; step < length; step += 1) {
        const midnight = START + (day + step) * DAY;
        const hour = count % 3 === 2 ? dice.between(20, 23) : profile.start + dice.between(1, 6);
        const bytes =
          count % 3 === 1
            ? profile.bytes * dice.between(3, 5) + 3e8
            : profile.bytes * dice.between(6, 20) + dice.between(2e9, 2e10);
        session(
          profile.person.id,
          Math.floor(midnight + hour * HOUR),
          placeAt(profile.home, profile.networks[1] ?? ''),
          dice.favourite(profile.targets),
          {
            privileged: dice.poisson(1),
            minutes: dice.between(20, 120),
            bytes,
            files: dice.whole(20, 900),
            source: `${profile.networks[1]}-address`,
          },
        );
      }
    });
  }
  for (let count = 0; count < 10; count += 1) {
    const { profile, day } = victim((_, at) => at > 130);
    const quiet = day - dice.whole(95, 120);
    attacks.push({
      kind: 'dormant',
      variant: count % 2 === 0 ? 'far away' : 'near',
      user: profile.person.id,
      from: START + day * DAY,
      until: START + (day + 2) * DAY,
    });
    pending.push(() => {
      // The owner left; the account stayed.
      const gone = START + quiet * DAY;
      activities = activities.filter(({ user, at }) => user !== profile.person.id || at < gone);
      const place =
        count % 2 === 0
          ? placeAt(dice.pick(ATTACKERS), `stranger-d${count}`)
          : placeAt(profile.home, `stranger-d${count}`);
      for (let index = dice.whole(2, 5); index > 0; index -= 1)
        session(
          profile.person.id,
          Math.floor(START + day * DAY + dice.between(8, 20) * HOUR),
          place,
          dice.favourite(profile.targets),
          {
            privileged: dice.whole(2, 8),
            minutes: dice.between(3, 40),
            bytes: 0,
            files: 0,
            source: `stranger-d${count}-address`,
          },
        );
    });
  }
  for (let count = 0; count < 10; count += 1) {
    const { profile, day } = victim(() => true);
    attacks.push({
      kind: 'shared',
      variant: count % 2 === 0 ? 'another country' : 'the same country',
      user: profile.person.id,
      from: START + day * DAY,
      until: START + (day + 15) * DAY,
    });
    pending.push(() => {
      const other =
        count % 2 === 0
          ? dice.pick(HOMES.filter(({ country }) => country !== profile.home.country))
          : profile.home;
      const own = activities.filter(
        (activity) =>
          activity.kind === 'session' &&
          activity.user === profile.person.id &&
          activity.at >= START + day * DAY &&
          activity.at < START + (day + 15) * DAY,
      );
      for (const activity of own) {
        if (activity.kind !== 'session' || !dice.chance(0.4)) continue;
        session(
          profile.person.id,
          Math.floor(activity.at + dice.between(1, 5) * MINUTE),
          placeAt(other, `colleague-${count}`),
          dice.favourite(profile.targets),
          {
            privileged: dice.poisson(1),
            minutes: dice.between(10, 60),
            bytes: 0,
            files: 0,
            source: `colleague-${count}-address`,
          },
        );
      }
    });
  }

  for (let day = 0; day < DAYS; day += 1) for (const profile of profiles) workDay(profile, day);
  for (const inject of pending) inject();
  activities.sort((a, b) => a.at - b.at || (a.evidence < b.evidence ? -1 : 1));
  return { people: profiles.map(({ person }) => person), activities, attacks };
};
