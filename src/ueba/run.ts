// Scans the store for findings: reads what people did from the event log and from imported sign-ins, runs it through the
// analyst, and keeps findings and threats. Scanning again finds the same rows and changes only what went on. What is
// new or has grown becomes an event. Reading yields now and then, so that a scan holds nobody up.
import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import type { NewEvent } from '../behaviour/events.ts';
import { SETTINGS } from '../directory/settings.ts';
import type { EventLog } from '../events/event-log.ts';
import { readEvents } from '../events/event-log.ts';
import { newId } from '../store/id.ts';
import type { Store } from '../store/store.ts';
import type { Activity, Finding, Person } from './activity.ts';
import { type Place, PRIORITIES } from './activity.ts';
import { Analyst } from './analyst.ts';
import { type Locate, networkOf } from './locate.ts';
import { type Threat, threatsOf } from './threats.ts';
import { THRESHOLDS } from './thresholds.ts';

const DAY = 86_400_000;
const PAGE = 1_000;

export interface ScanParts {
  readonly store: Store;
  readonly events: Pick<EventLog, 'append'>;
  readonly now: () => number;
  readonly timeZone: string;
  /** Where an address is; undefined: not known. */
  readonly locate: Locate;
}

export interface ScanResult {
  readonly users: number;
  readonly baselined: number;
  readonly activities: number;
  readonly findings: number;
  readonly threats: number;
  readonly milliseconds: number;
}

/** Ids stay the same on every scan and say nothing. */
const idOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

export const readPeople = async (store: Store): Promise<readonly Person[]> => {
  const rows = await store.db
    .selectFrom('users')
    .select(['id', 'name', 'department', 'priority', 'created_at'])
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    department: row.department ?? undefined,
    priority: PRIORITIES.find((priority) => priority === row.priority) ?? 'medium',
    createdAt: row.created_at,
  }));
};

const PRIVILEGED_ACCOUNTS = new Set(['root', 'administrator', 'admin']);

/** What the event log and the imports have, in the order of time. */
export const readActivities = async function* (
  { store, locate }: Pick<ScanParts, 'store' | 'locate'>,
  { since, until }: { readonly since: number; readonly until: number },
): AsyncGenerator<Activity> {
  const people = await readPeople(store);
  const idByName = new Map(people.map(({ id, name }) => [name, id]));
  const ends = new Map<string, number>();
  const rows = await store.db
    .selectFrom('sessions')
    .select(['id', 'started_at', 'ended_at'])
    .where('started_at', '>=', since)
    .where('started_at', '<', until)
    .execute();
  for (const row of rows) ends.set(row.id, row.ended_at ?? until);
  const imported = importedSignIns(store, { since, until }, idByName, locate);
  let pending = await imported.next();
  let after: string | undefined;
  for (let more = true; more; ) {
    const page = await readEvents(store, {
      since,
      until,
      limit: PAGE,
      after,
      kinds: [
        'session-started',
        'transfer',
        'command',
        'risk-changed',
        'identification-failed',
        'identification-timed-out',
        'credential-viewed',
      ],
    });
    for (const event of page.events) {
      while (!pending.done && pending.value.at <= event.at) {
        yield pending.value;
        pending = await imported.next();
      }
      const base = { at: event.at, evidence: event.id };
      switch (event.kind) {
        case 'session-started':
          yield {
            ...base,
            kind: 'session',
            user: event.user.id,
            evidence: event.session,
            source: event.sourceAddress,
            place: locate(event.sourceAddress),
            target: event.target.device.name,
            privileged: PRIVILEGED_ACCOUNTS.has(event.target.credential.username.toLowerCase()),
            endedAt: ends.get(event.session) ?? event.at,
          };
          break;
        case 'transfer':
          yield {
            ...base,
            kind: 'transfer',
            user: event.user.id,
            evidence: event.session,
            bytes: event.bytesUp + event.bytesDown,
            files: event.files,
          };
          break;
        case 'command':
          if (event.privileged && event.outcome === 'ran')
            yield { ...base, kind: 'privileged', user: event.user.id, target: event.target.device.name };
          break;
        case 'risk-changed':
          if (event.suspicious)
            yield {
              ...base,
              kind: 'suspicious-session',
              user: event.user.id,
              evidence: event.session,
              score: event.after,
            };
          break;
        case 'identification-failed':
        case 'identification-timed-out':
          yield { ...base, kind: 're-authentication', user: event.user.id, passed: false };
          break;
        case 'credential-viewed':
          yield {
            ...base,
            kind: 'view',
            user: event.user.id,
            credential: event.target.credential.name,
            suspicious: event.suspicious ?? event.score >= SETTINGS.minimumSuspiciousScore.standard,
          };
          break;
        default:
          break;
      }
    }
    after = page.next;
    more = page.more;
    await breathe();
  }
  while (!pending.done) {
    yield pending.value;
    pending = await imported.next();
  }
};

const importedSignIns = async function* (
  store: Store,
  { since, until }: { readonly since: number; readonly until: number },
  idByName: ReadonlyMap<string, string>,
  locate: Locate,
): AsyncGenerator<Activity, undefined> {
  let last = { at: since - 1, id: '' };
  for (;;) {
    const rows = await store.db
      .selectFrom('external_sign_ins')
      .selectAll()
      .where('at', '<', until)
      .where((e) => e.or([e('at', '>', last.at), e.and([e('at', '=', last.at), e('id', '>', last.id)])]))
      .orderBy('at')
      .orderBy('id')
      .limit(PAGE)
      .execute();
    for (const row of rows) {
      const user = idByName.get(row.user_name);
      last = { at: row.at, id: row.id };
      if (user === undefined) continue;
      const known = locate(row.source_address);
      const place: Place | undefined =
        row.country !== null && row.latitude !== null && row.longitude !== null
          ? {
              country: row.country,
              latitude: row.latitude / 1_000,
              longitude: row.longitude / 1_000,
              precision: 'city',
              network: known?.network ?? networkOf(row.source_address),
              // Whoever says where it is means it.
              exempt: false,
            }
          : known;
      yield {
        kind: 'sign-in',
        at: row.at,
        user,
        evidence: row.id,
        source: row.source_address,
        place,
        system: row.system,
        succeeded: row.outcome === 'success',
      };
    }
    if (rows.length < PAGE) return undefined;
  }
};

/**
 * Looks at the last `days` (default 90), with as many before to know what is usual. Findings from before the period are
 * not kept: they only taught.
 */
export const scan = async (
  parts: ScanParts,
  { days = THRESHOLDS.historyDays }: { readonly days?: number } = {},
): Promise<ScanResult> => {
  const { store, now, timeZone } = parts;
  const began = performance.now();
  const until = now();
  const keepFrom = until - days * DAY;
  const since = keepFrom - (THRESHOLDS.historyDays + THRESHOLDS.dormantDays) * DAY;
  const people = await readPeople(store);
  const byId = new Map(people.map((person) => [person.id, person]));
  const analyst = new Analyst({ timeZone, people });
  for await (const activity of readActivities(parts, { since, until })) analyst.take(activity);
  const expected = await store.db
    .selectFrom('findings')
    .select('id')
    .where('state', '=', 'expected')
    .execute();
  const dismissed = new Set(expected.map(({ id }) => id));
  const found = analyst
    .finish()
    .filter(({ lastAt }) => lastAt >= keepFrom)
    .map((finding) => ({ ...finding, id: idOf(finding.id) }));
  const threats = threatsOf(
    found.filter(({ id }) => !dismissed.has(id)),
    byId,
  ).map((threat) => ({ ...threat, id: idOf(threat.id) }));
  const events: NewEvent[] = [];
  for (const finding of found) events.push(...(await keepFinding(parts, finding, byId)));
  for (const threat of threats) events.push(...(await keepThreat(parts, threat, byId)));
  for (let from = 0; from < events.length; from += 200)
    await parts.events.append(events.slice(from, from + 200));
  const result: ScanResult = {
    users: people.length,
    baselined: analyst.baselined,
    activities: analyst.activities,
    findings: found.length,
    threats: threats.length,
    milliseconds: Math.round(performance.now() - began),
  };
  await store.append('finding_scans', [
    {
      id: newId(),
      at: until,
      since_at: keepFrom,
      until_at: until,
      users: result.baselined,
      activities: result.activities,
      findings: result.findings,
      threats: result.threats,
      milliseconds: result.milliseconds,
    },
  ]);
  return result;
};

const hundredths = (score: number): number => Math.round(score * 100);

const keepFinding = async (
  { store, now }: ScanParts,
  finding: Finding,
  people: ReadonlyMap<string, Person>,
): Promise<readonly NewEvent[]> => {
  const person = people.get(finding.user);
  if (person === undefined) return [];
  const current = await store.db
    .selectFrom('findings')
    .select(['score', 'last_at', 'state'])
    .where('id', '=', finding.id)
    .executeTakeFirst();
  const changed = {
    last_at: finding.lastAt,
    severity: finding.severity,
    score: hundredths(finding.score),
    text: `${finding.seen}; usual: ${finding.usual}`,
    details_json: JSON.stringify({ seen: finding.seen, usual: finding.usual }),
    evidence_json: JSON.stringify(finding.evidence),
    updated_at: now(),
  };
  if (current === undefined) {
    const made = await store.db
      .insertInto('findings')
      .values({
        ...changed,
        id: finding.id,
        signal: finding.signal,
        user_id: person.id,
        user_name: person.name,
        first_at: finding.firstAt,
        title: `${finding.signal.replaceAll('-', ' ')}: ${person.name}`,
        state: 'open',
        created_at: now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    // Another gateway was first, and tells.
    if (Number(made.numInsertedOrUpdatedRows ?? 0) === 0) return [];
  } else if (current.score !== changed.score || current.last_at !== changed.last_at) {
    await store.db.updateTable('findings').set(changed).where('id', '=', finding.id).execute();
    if (current.score === changed.score) return [];
  } else return [];
  return [
    {
      kind: 'finding-changed',
      finding: finding.id,
      level: 'finding',
      signal: finding.signal,
      change: current === undefined ? 'created' : 'updated',
      user: { id: person.id, name: person.name },
      severity: finding.severity,
      score: finding.score,
      title: `${finding.signal.replaceAll('-', ' ')}: ${person.name}`,
      text: changed.text,
      evidence: finding.evidence,
    },
  ];
};

const keepThreat = async (
  { store, now }: ScanParts,
  threat: Threat,
  people: ReadonlyMap<string, Person>,
): Promise<readonly NewEvent[]> => {
  const person = people.get(threat.user);
  if (person === undefined) return [];
  const current = await store.db
    .selectFrom('threats')
    .select(['score', 'last_at', 'status'])
    .where('id', '=', threat.id)
    .executeTakeFirst();
  const changed = {
    last_at: threat.lastAt,
    severity: threat.severity,
    score: hundredths(threat.score),
    findings_json: JSON.stringify(threat.findings),
    updated_at: now(),
  };
  if (current === undefined) {
    const made = await store.db
      .insertInto('threats')
      .values({
        ...changed,
        id: threat.id,
        model: threat.model,
        user_id: person.id,
        user_name: person.name,
        first_at: threat.firstAt,
        title: threat.title,
        text: threat.text,
        status: 'new',
        case_id: null,
        assignee: null,
        created_at: now(),
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (Number(made.numInsertedOrUpdatedRows ?? 0) === 0) return [];
  } else if (current.score !== changed.score || current.last_at !== changed.last_at) {
    await store.db.updateTable('threats').set(changed).where('id', '=', threat.id).execute();
    if (current.score === changed.score) return [];
  } else return [];
  return [
    {
      kind: 'finding-changed',
      finding: threat.id,
      level: 'threat',
      signal: threat.model,
      change: current === undefined ? 'created' : 'updated',
      user: { id: person.id, name: person.name },
      severity: threat.severity,
      score: threat.score,
      title: threat.title,
      text: threat.text,
      evidence: threat.findings,
    },
  ];
};
