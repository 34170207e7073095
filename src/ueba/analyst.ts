// Reads activities in the order of time and tells findings: each signal of the playbook, against the user's own baseline
// and against their peers. A pure, deterministic machine: the same activities give the same findings, whether they come
// at once or day by day. It looks nothing up and stores nothing.

import { localTime } from '../behaviour/time-of-day.ts';
import { distance, impossibleTravel, type Origin } from '../behaviour/travel.ts';
import type { Activity, Finding, FindingSeverity, Person, Place, Signal } from './activity.ts';
import { Baseline, type Day, newDay, offsetFrom } from './baseline.ts';
import { THRESHOLDS } from './thresholds.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const QUARTER = HOUR / 4;

export interface AnalystOptions {
  /** Whose hours and days these are, such as `Europe/Paris`. */
  readonly timeZone: string;
  readonly people: readonly Person[];
}

interface Live {
  readonly place: string;
  readonly source: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly evidence: string;
}

interface Watched {
  readonly person: Person;
  readonly baseline: Baseline;
  today: Day;
  readonly drafts: Map<Signal, Draft>;
  last: (Origin & { readonly source: string; readonly evidence: string }) | undefined;
  lastAt: number | undefined;
  /** Set when a dormant account came back. */
  awakeAt: number | undefined;
  dormantFor: number;
  live: Live[];
  newTargets: number;
  readonly evidence: Map<'bytes' | 'privileged' | 'signIns' | 'targets', string[]>;
}

interface Draft {
  firstAt: number;
  lastAt: number;
  severity: FindingSeverity;
  score: number;
  seen: string;
  usual: string;
  readonly evidence: Set<string>;
}

const SEVERITIES: readonly FindingSeverity[] = ['low', 'medium', 'high', 'critical'];
const worse = (a: FindingSeverity, b: FindingSeverity): FindingSeverity =>
  SEVERITIES.indexOf(a) >= SEVERITIES.indexOf(b) ? a : b;

const MOST_EVIDENCE = 50;
const clamp = (score: number): number => Math.max(0, Math.min(100, Math.round(score * 10) / 10));

const inBytes = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
const hourText = (hour: number): string => {
  const minutes = Math.round(((hour + 24) % 24) * 60);
  return `${String(Math.floor(minutes / 60) % 24).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
};

/** Per department: recent days of its people, as sums, to compare one day with. */
class Peers {
  readonly #days: {
    readonly day: number;
    readonly values: Map<string, readonly [number, number, number]>;
  }[] = [];

  note(day: number, user: string, values: readonly [number, number, number]): void {
    const last = this.#days.at(-1);
    if (last?.day === day) last.values.set(user, values);
    else this.#days.push({ day, values: new Map([[user, values]]) });
    while (this.#days.length > 30) this.#days.shift();
  }

  /** Mean and deviation over the others' active days, and how many people that are. */
  spread(index: 0 | 1 | 2, except: string): { mean: number; deviation: number; people: number } {
    let count = 0;
    let sum = 0;
    let squares = 0;
    const people = new Set<string>();
    for (const { values } of this.#days)
      for (const [user, value] of values) {
        if (user === except) continue;
        people.add(user);
        count += 1;
        sum += value[index];
        squares += value[index] ** 2;
      }
    if (count === 0) return { mean: 0, deviation: 0, people: 0 };
    const mean = sum / count;
    return { mean, deviation: Math.sqrt(Math.max(squares / count - mean ** 2, 0)), people: people.size };
  }
}

export class Analyst {
  readonly #timeZone: string;
  readonly #watched = new Map<string, Watched>();
  readonly #peers = new Map<string, Peers>();
  readonly #findings: Finding[] = [];
  #day = Number.NEGATIVE_INFINITY;
  #active = new Set<Watched>();
  #activities = 0;

  constructor({ timeZone, people }: AnalystOptions) {
    this.#timeZone = timeZone;
    for (const person of people)
      this.#watched.set(person.id, {
        person,
        baseline: new Baseline(THRESHOLDS.historyDays),
        today: newDay(0, false),
        drafts: new Map(),
        last: undefined,
        lastAt: person.createdAt,
        awakeAt: undefined,
        dormantFor: 0,
        live: [],
        newTargets: 0,
        evidence: new Map(),
      });
  }

  get activities(): number {
    return this.#activities;
  }

  /** People with enough history to be judged by. */
  get baselined(): number {
    let count = 0;
    for (const { baseline } of this.#watched.values()) if (baseline.days >= THRESHOLDS.leastDays) count += 1;
    return count;
  }

  /** Activities come in the order of time; of those about nobody known, nothing is made. */
  take(activity: Activity): void {
    const watched = this.#watched.get(activity.user);
    if (watched === undefined) return;
    this.#activities += 1;
    const { hour, day, weekend } = this.#local(activity.at);
    if (day > this.#day) {
      this.#endDays();
      this.#day = day;
    }
    if (!this.#active.has(watched)) {
      watched.today = newDay(day, weekend);
      watched.newTargets = 0;
      watched.evidence.clear();
      this.#active.add(watched);
    }
    this.#noteAbsence(watched, activity.at);
    switch (activity.kind) {
      case 'sign-in':
        if (!activity.succeeded) break;
        this.#arrive(watched, activity, hour, weekend);
        break;
      case 'session':
        this.#arrive(watched, activity, hour, weekend);
        this.#visit(watched, activity);
        if (activity.privileged) this.#privileged(watched, activity.at, activity.target, activity.evidence);
        this.#besideOthers(watched, activity);
        break;
      case 'transfer':
        watched.today.bytes += activity.bytes;
        watched.today.files += activity.files;
        this.#keep(watched, 'bytes', activity.evidence);
        break;
      case 'privileged':
        this.#privileged(watched, activity.at, activity.target, activity.evidence);
        break;
      case 'view':
        if (activity.suspicious)
          this.#draft(watched, 'suspicious-view', activity, {
            severity: 'medium',
            score: 30,
            seen: `an unusual look at the credential ${activity.credential}`,
            usual: 'credentials, times and origins seen before',
          });
        break;
      case 're-authentication':
        if (!activity.passed)
          this.#draft(watched, 'failed-re-authentication', activity, {
            severity: 'medium',
            score: 35,
            seen: 'a re-authentication failed',
            usual: 'users prove who they are when they are asked',
          });
        break;
      case 'suspicious-session':
        this.#draft(watched, 'suspicious-session', activity, {
          severity: 'medium',
          score: Math.min(20 + activity.score * 2, 50),
          seen: `a session of risk ${activity.score}`,
          usual: 'sessions below the suspicious score',
        });
        break;
      default:
        activity satisfies never;
    }
    watched.lastAt = Math.max(watched.lastAt ?? 0, activity.at);
  }

  /** Findings so far, in order; the current day counts as over. */
  finish(): readonly Finding[] {
    this.#endDays();
    return this.#findings;
  }

  /** Zones differ from UTC by quarters of an hour, so one look serves a quarter; activities come in order. */
  #local(at: number): { readonly hour: number; readonly day: number; readonly weekend: boolean } {
    const quarter = Math.floor(at / QUARTER);
    if (this.#quarter?.number !== quarter) {
      const { bin, weekend } = localTime(quarter * QUARTER, this.#timeZone);
      const hour = bin / 12;
      // Local midnight is 14 hours before to 12 hours after that of UTC; the sum keeps one zone's days apart all year.
      const day = Math.floor(((quarter * QUARTER) / HOUR - hour + 13) / 24 + 1e-6);
      this.#quarter = { number: quarter, hour, day, weekend };
    }
    const { hour, day, weekend } = this.#quarter;
    return { hour: hour + (at - quarter * QUARTER) / HOUR, day, weekend };
  }
  #quarter:
    | { readonly number: number; readonly hour: number; readonly day: number; readonly weekend: boolean }
    | undefined;

  #noteAbsence(watched: Watched, at: number): void {
    const away = watched.lastAt === undefined ? 0 : at - watched.lastAt;
    if (away >= THRESHOLDS.dormantDays * DAY) {
      watched.awakeAt = at;
      watched.dormantFor = away;
    }
  }

  #arrive(
    watched: Watched,
    activity: Extract<Activity, { readonly kind: 'sign-in' | 'session' }>,
    hour: number,
    weekend: boolean,
  ): void {
    const { today, baseline } = watched;
    today.signIns += 1;
    today.hours.push(hour);
    today.origins.add(activity.source);
    this.#keep(watched, 'signIns', activity.evidence);
    this.#offHours(watched, activity, hour, weekend);
    const { place } = activity;
    if (place === undefined || place.exempt) return;
    if (baseline.days >= THRESHOLDS.leastDays) {
      const country = !baseline.knowsCountry(place.country, today.day);
      const origin = !baseline.knowsNetwork(place.network, today.day);
      if (country || origin)
        this.#draft(watched, 'login-baseline', activity, {
          severity: country ? 'medium' : 'low',
          score: (country ? 30 : 0) + (origin ? 15 : 0),
          seen: `a sign-in from ${place.country}, ${place.network}`,
          usual: `${baseline.countries(today.day).join(', ') || 'no country yet'}; ${origin ? 'other networks' : 'this network'}`,
        });
    }
    today.networks.add(place.network);
    today.countries.add(place.country);
    if (place.unplaced !== true) this.#travel(watched, activity, place);
  }

  #travel(
    watched: Watched,
    activity: Extract<Activity, { readonly kind: 'sign-in' | 'session' }>,
    place: Place,
  ): void {
    const here: Origin = {
      at: activity.at,
      latitude: place.latitude,
      longitude: place.longitude,
      precision: place.precision,
      country: place.country,
      // Only whether it is the same network counts.
      asn: numberOf(place.network),
      exempt: place.exempt,
    };
    const { last } = watched;
    if (last !== undefined) {
      const journey = impossibleTravel(last, here);
      if (journey !== undefined) {
        this.#draft(watched, 'impossible-travel', activity, {
          severity: place.precision === 'city' ? 'critical' : 'high',
          score: place.precision === 'city' ? 80 : 70,
          seen: `${last.country} and ${place.country}, ${Math.round(distance(last, here))} km apart, within ${Math.round((here.at - last.at) / 60_000)} min`,
          usual: 'origins that a person can get to in time',
        });
        this.#evidence(watched, 'impossible-travel', last.evidence);
      }
    }
    watched.last = { ...here, source: activity.source, evidence: activity.evidence };
  }

  #offHours(
    watched: Watched,
    activity: Extract<Activity, { readonly kind: 'sign-in' | 'session' }>,
    hour: number,
    weekend: boolean,
  ): void {
    const { workFrom, workUntil } = THRESHOLDS;
    const early = hour < workFrom || hour >= workUntil;
    if ((!early && !weekend) || watched.baseline.days < THRESHOLDS.leastDays) return;
    const hours = watched.baseline.hours();
    if (hours === undefined) return;
    const { middle, offsets } = hours;
    const mean = offsets.reduce((sum, offset) => sum + offset, 0) / offsets.length;
    const deviation = Math.sqrt(
      offsets.reduce((sum, offset) => sum + (offset - mean) ** 2, 0) / offsets.length,
    );
    const late =
      (offsets[Math.min(offsets.length - 1, Math.floor(offsets.length * 0.95))] ?? 0) + THRESHOLDS.lateHours;
    const soon = mean - Math.max(THRESHOLDS.earlyDeviations * deviation, 1);
    const offset = offsetFrom(middle, hour);
    const beyond = offset > late || offset < soon;
    const weekendUnusual = weekend && watched.baseline.weekendShare() < THRESHOLDS.weekendShare;
    if (!(early && beyond) && !(weekendUnusual && (early || beyond))) return;
    const before = watched.drafts.get('off-hours')?.score ?? 0;
    this.#draft(watched, 'off-hours', activity, {
      severity: 'low',
      score: Math.min(Math.max(before + 4, early ? 25 : 20), 40),
      seen: `work at ${hourText(hour)}${weekend ? ' on a weekend' : ''}`,
      usual: `${hourText(middle + soon)}–${hourText(middle + late)}`,
    });
  }

  #visit(watched: Watched, activity: Extract<Activity, { readonly kind: 'session' }>): void {
    const { today, baseline } = watched;
    if (today.hosts.has(activity.target)) return;
    today.hosts.add(activity.target);
    if (baseline.days < THRESHOLDS.leastDays || baseline.knowsTarget(activity.target, today.day)) return;
    watched.newTargets += 1;
    this.#keep(watched, 'targets', activity.evidence);
  }

  #privileged(watched: Watched, at: number, target: string, evidence: string): void {
    watched.today.privileged += 1;
    this.#keep(watched, 'privileged', evidence);
    const { awakeAt } = watched;
    if (awakeAt === undefined || at - awakeAt > THRESHOLDS.dormantHours * HOUR) return;
    this.#draft(
      watched,
      'dormant-account',
      { at, evidence },
      {
        severity: 'high',
        score: 75,
        seen: `privileged work on ${target}`,
        usual: `nothing for ${Math.floor(watched.dormantFor / DAY)} days`,
      },
    );
  }

  #besideOthers(watched: Watched, activity: Extract<Activity, { readonly kind: 'session' }>): void {
    const { place } = activity;
    watched.live = watched.live.filter((other) => other.endedAt > activity.at);
    if (place === undefined) return;
    const key = `${place.country} ${place.network}`;
    const overlap = THRESHOLDS.overlapSeconds * 1_000;
    for (const other of watched.live) {
      if (other.place === key) continue;
      if (Math.min(other.endedAt, activity.endedAt) - activity.at < overlap) continue;
      const pair = [other.place, key].sort().join(' | ');
      const known = watched.baseline.together(pair);
      const days = watched.today.day;
      // A habit, such as an office line beside a tunnel, is none to tell of; nor is it one after a single day.
      if (known < THRESHOLDS.togetherDays || !this.#quiet(place, other)) {
        const abroad = other.place.split(' ')[0] !== place.country;
        this.#draft(watched, 'shared-account', activity, {
          severity: abroad ? 'high' : 'medium',
          score: abroad ? 65 : 50,
          seen: `live from ${other.source} and ${activity.source} at once (${other.place}, ${key})`,
          usual: known === 0 ? 'one place at a time' : `both at once on ${known} days of all`,
        });
        this.#evidence(watched, 'shared-account', other.evidence);
      }
      this.#noted.set(`${watched.person.id} ${pair} ${days}`, watched);
    }
    watched.live.push({
      place: key,
      source: activity.source,
      startedAt: activity.at,
      endedAt: activity.endedAt,
      evidence: activity.evidence,
    });
    if (watched.live.length > 200) watched.live.shift();
  }

  /** Pairs of places of this day, each counted once. */
  readonly #noted = new Map<string, Watched>();

  /** Two places in one country may become a habit; two countries at once never do. */
  #quiet(place: Place, other: Live): boolean {
    return place.exempt || other.place.split(' ')[0] === place.country;
  }

  #endDays(): void {
    for (const watched of this.#active) this.#judgeDay(watched);
    // After everybody was judged: nobody's day is compared with itself, and the order of people does not matter.
    for (const watched of this.#active) this.#learnDay(watched);
    for (const [key, watched] of this.#noted) {
      const pair = key.slice(watched.person.id.length + 1, key.lastIndexOf(' '));
      watched.baseline.noteTogether(pair);
    }
    this.#noted.clear();
    this.#active = new Set();
  }

  #judgeDay(watched: Watched): void {
    const { today, baseline } = watched;
    const at = watched.lastAt ?? 0;
    if (baseline.days >= THRESHOLDS.leastDays) {
      this.#volume(watched, at);
      this.#privilege(watched, at);
      this.#manySignIns(watched, at);
      if (watched.newTargets >= THRESHOLDS.newTargets)
        this.#draft(
          watched,
          'new-devices',
          { at, evidence: '' },
          {
            severity: 'low',
            score: Math.min(15 + watched.newTargets * 5, 50),
            seen: `${watched.newTargets} devices never used before in one day`,
            usual: `${baseline.spread((day) => day.hosts.size).mean.toFixed(1)} devices a day`,
          },
          watched.evidence.get('targets'),
        );
    }
    this.#amongPeers(watched, at);
    const findings = [...watched.drafts].map(([signal, draft]): Finding => {
      const { evidence, ...rest } = draft;
      return {
        id: `${signal}:${watched.person.id}:${today.day}`,
        signal,
        user: watched.person.id,
        ...rest,
        score: clamp(draft.score),
        evidence: [...evidence].slice(0, MOST_EVIDENCE),
      };
    });
    this.#findings.push(...findings.sort((a, b) => a.firstAt - b.firstAt || (a.id < b.id ? -1 : 1)));
  }

  #volume(watched: Watched, at: number): void {
    const { today, baseline } = watched;
    const measure = (value: number, of: (day: Day) => number, floor: number) => {
      const { mean, deviation } = baseline.spread(of);
      const spread = Math.max(deviation, mean * THRESHOLDS.deviationFloor, floor / 5);
      // Amounts a day spread over powers of ten: what is far out on a plain scale must be so on a logarithmic one too.
      const logs = baseline.spread((day) => Math.log(of(day) + floor / 10));
      const logSpread = Math.max(logs.deviation, THRESHOLDS.logDeviationFloor);
      return {
        mean,
        z: value < floor ? 0 : (value - mean) / spread,
        logZ: value < floor ? 0 : (Math.log(value + floor / 10) - logs.mean) / logSpread,
        record: value > THRESHOLDS.recordRatio * baseline.most(of),
      };
    };
    const bytes = measure(today.bytes, (day) => day.bytes, THRESHOLDS.bytesFloor);
    const files = measure(today.files, (day) => day.files, THRESHOLDS.filesFloor);
    const far = (z: number, logZ: number): boolean =>
      [bytes, files].some((one) => one.record && one.z > z && one.logZ > logZ);
    // An amount that this user moves now and then is none to tell of, however large.
    const unusual = bytes.record && bytes.z > THRESHOLDS.volumeHigh && bytes.logZ > THRESHOLDS.logHigh;
    const huge = unusual && today.bytes > THRESHOLDS.bytesCritical;
    const large = unusual && today.bytes > THRESHOLDS.bytesHigh;
    const weighty = today.bytes >= THRESHOLDS.bytesWeighty || today.files >= THRESHOLDS.filesWeighty;
    const critical = (weighty && far(THRESHOLDS.volumeCritical, THRESHOLDS.logCritical)) || huge;
    if (!critical && !large && !far(THRESHOLDS.volumeHigh, THRESHOLDS.logHigh)) return;
    const z = Math.max(bytes.z, files.z);
    this.#draft(
      watched,
      'data-volume',
      { at, evidence: '' },
      {
        severity: critical ? 'critical' : 'high',
        score: critical ? Math.min(65 + z, 90) : 50,
        seen: `${inBytes(today.bytes)} in ${today.files} files, z = ${z.toFixed(1)}`,
        usual: `${inBytes(bytes.mean)} in ${Math.round(files.mean)} files a day`,
      },
      watched.evidence.get('bytes'),
    );
  }

  #privilege(watched: Watched, at: number): void {
    const { today, baseline } = watched;
    const hosts = baseline.spread((day) => day.hosts.size);
    const events = baseline.spread((day) => day.privileged);
    const usualHosts = Math.max(hosts.mean, 1);
    const usualEvents = Math.max(events.mean, 1);
    const beyond = (
      value: number,
      ratio: number,
      floor: number,
      spread: { mean: number; deviation: number },
    ) =>
      value >= floor &&
      value > ratio * Math.max(spread.mean, 1) &&
      value > spread.mean + 4 * Math.max(spread.deviation, Math.sqrt(Math.max(spread.mean, 0.5)));
    const manyHosts = beyond(today.hosts.size, THRESHOLDS.hostsRatio, THRESHOLDS.hostsFloor, hosts);
    const manyEvents = beyond(today.privileged, THRESHOLDS.eventsRatio, THRESHOLDS.eventsFloor, events);
    if (!manyHosts && !manyEvents) return;
    const score = (today.hosts.size / usualHosts) * 30 + (today.privileged / usualEvents) * 20;
    this.#draft(
      watched,
      'privilege-abuse',
      { at, evidence: '' },
      {
        severity: manyHosts && manyEvents ? 'high' : 'medium',
        // One of the two alone is often a rollout.
        score: Math.min(score, manyHosts && manyEvents ? 90 : 60),
        seen: `${today.hosts.size} devices and ${today.privileged} privileged commands in one day`,
        usual: `${hosts.mean.toFixed(1)} devices and ${events.mean.toFixed(1)} privileged commands`,
      },
      watched.evidence.get(manyEvents ? 'privileged' : 'targets'),
    );
  }

  #manySignIns(watched: Watched, at: number): void {
    const { today, baseline } = watched;
    const { mean, deviation } = baseline.spread((day) => day.signIns);
    const limit = mean + THRESHOLDS.signInDeviations * Math.max(deviation, Math.sqrt(Math.max(mean, 1)));
    if (today.signIns < THRESHOLDS.signInFloor || today.signIns <= limit) return;
    this.#draft(
      watched,
      'login-baseline',
      { at, evidence: '' },
      {
        severity: 'low',
        score: 20,
        seen: `${today.signIns} sign-ins in one day`,
        usual: `${mean.toFixed(1)} a day`,
      },
      watched.evidence.get('signIns'),
    );
  }

  #amongPeers(watched: Watched, at: number): void {
    const { today, baseline, person } = watched;
    if (person.department === undefined || baseline.days < THRESHOLDS.leastDays) return;
    const peers = this.#peers.get(person.department);
    if (peers === undefined) return;
    const kinds = [
      ['bytes', today.bytes, (day: Day) => day.bytes, THRESHOLDS.bytesFloor, 'bytes'],
      ['devices', today.hosts.size, (day: Day) => day.hosts.size, THRESHOLDS.hostsFloor, 'targets'],
      [
        'privileged commands',
        today.privileged,
        (day: Day) => day.privileged,
        THRESHOLDS.eventsFloor,
        'privileged',
      ],
    ] as const;
    kinds.forEach(([name, value, of, floor, evidence], index) => {
      if (value < floor || (index !== 0 && index !== 1 && index !== 2)) return;
      const { mean, deviation, people } = peers.spread(index, person.id);
      if (people < THRESHOLDS.leastPeers) return;
      const own = baseline.spread(of);
      if (value <= mean + THRESHOLDS.peerDeviations * Math.max(deviation, mean / 2, floor / 5)) return;
      if (value <= own.mean * THRESHOLDS.peerOwnRatio) return;
      const text = (amount: number): string => (name === 'bytes' ? inBytes(amount) : amount.toFixed(1));
      this.#draft(
        watched,
        'peer-group',
        { at, evidence: '' },
        {
          severity: 'medium',
          score: 30,
          seen: `${text(value)} ${name === 'bytes' ? 'moved' : name} in one day`,
          usual: `${text(mean)} among ${people} people of ${person.department}`,
        },
        watched.evidence.get(evidence),
      );
    });
  }

  #learnDay(watched: Watched): void {
    const { today, baseline, person } = watched;
    baseline.lastActive = today.day;
    const serious = [...watched.drafts.values()].some(({ score }) => score >= THRESHOLDS.unlearnt);
    watched.drafts.clear();
    if (serious) return;
    baseline.learn(today);
    if (person.department === undefined) return;
    const peers = this.#peers.get(person.department) ?? new Peers();
    this.#peers.set(person.department, peers);
    peers.note(today.day, person.id, [today.bytes, today.hosts.size, today.privileged]);
  }

  #keep(watched: Watched, kind: 'bytes' | 'privileged' | 'signIns' | 'targets', evidence: string): void {
    const kept = watched.evidence.get(kind) ?? [];
    if (kept.length < MOST_EVIDENCE) kept.push(evidence);
    watched.evidence.set(kind, kept);
  }

  #evidence(watched: Watched, signal: Signal, evidence: string): void {
    watched.drafts.get(signal)?.evidence.add(evidence);
  }

  /** One finding a signal, user and day: the worst of them speaks. */
  #draft(
    watched: Watched,
    signal: Signal,
    from: { readonly at: number; readonly evidence: string },
    said: Pick<Finding, 'severity' | 'score' | 'seen' | 'usual'>,
    more: readonly string[] = [],
  ): void {
    const evidence = [...more, ...(from.evidence === '' ? [] : [from.evidence])];
    const before = watched.drafts.get(signal);
    if (before === undefined) {
      watched.drafts.set(signal, {
        firstAt: from.at,
        lastAt: from.at,
        ...said,
        evidence: new Set(evidence),
      });
      return;
    }
    before.lastAt = Math.max(before.lastAt, from.at);
    for (const id of evidence) before.evidence.add(id);
    if (said.score >= before.score) {
      before.seen = said.seen;
      before.usual = said.usual;
      before.score = said.score;
    }
    before.severity = worse(before.severity, said.severity);
  }
}

/** A network's name as a number, for comparing only. */
const numberOf = (network: string): number => {
  let hash = 0;
  for (const character of network) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) | 0;
  return hash;
};

/** All at once, for those who have everything. */
export const analyse = (
  activities: Iterable<Activity>,
  options: AnalystOptions,
): { readonly findings: readonly Finding[]; readonly baselined: number; readonly activities: number } => {
  const analyst = new Analyst(options);
  for (const activity of activities) analyst.take(activity);
  const findings = analyst.finish();
  return { findings, baselined: analyst.baselined, activities: analyst.activities };
};
