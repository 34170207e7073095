// How unusual each session was, in the store: one row a session, kept up to date while it runs, with every point
// explained and everything measured, so that other settings can be tried on it later.
import { z } from 'zod';
import { type EventFinding, type NewEvent, readEvent } from '../behaviour/events.ts';
import { DIMENSIONS, type Measurement } from '../behaviour/session-measure.ts';
import type { Finding } from '../behaviour/session-risk.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Page } from '../store/page.ts';
import { readPage } from '../store/page.ts';
import type { SessionRisksTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

export type Standing =
  /** It runs. */
  | 'open'
  /** It was usual, and its user's history knows it. */
  | 'learnt'
  | 'suspicious'
  /** Suspicious, but its user proved who they are in it. */
  | 'identified'
  /** An auditor says that it was expected. */
  | 'expected'
  | 'refused'
  /** It never came to anything that could be learnt. */
  | 'void';

const usual = z.array(z.object({ value: z.string(), sessions: z.number() }));
const measurements = z.array(
  z.object({
    dimension: z.enum(DIMENSIONS),
    measured: z.number(),
    limit: z.number(),
    usual,
    seen: z.string(),
  }),
);
const findings = z.array(
  z.object({
    dimension: z.enum(DIMENSIONS),
    points: z.number(),
    usual,
    seen: z.string(),
    measured: z.number(),
    limit: z.number(),
  }),
);

const safely = <T>(schema: z.ZodType<T[]>, text: string): readonly T[] => {
  try {
    const read = schema.safeParse(JSON.parse(text));
    return read.success ? read.data : [];
  } catch {
    return [];
  }
};

export const readMeasurements = (text: string): readonly Measurement[] => safely(measurements, text);
export const readFindings = (text: string): readonly Finding[] => safely(findings, text);

export interface SessionRiskView {
  readonly session: string;
  readonly score: number;
  readonly commandPoints: number;
  readonly auditedCommands: number;
  readonly blockedCommands: number;
  readonly suspiciousAt: number | undefined;
  readonly standing: string;
  readonly submitted: boolean;
  readonly action: string;
  readonly historySessions: number;
  readonly findings: readonly Finding[];
  readonly activity: string;
}

export const viewOf = (row: SessionRisksTable): SessionRiskView => ({
  session: row.session_id,
  score: row.score,
  commandPoints: row.command_points,
  auditedCommands: row.audited_commands,
  blockedCommands: row.blocked_commands,
  suspiciousAt: row.suspicious_at ?? undefined,
  standing: row.standing,
  submitted: row.submitted === 1,
  action: row.action,
  historySessions: row.history_sessions,
  findings: readFindings(row.findings_json),
  activity: row.activity_json,
});

const AT_ONCE = 500;

/** By session; sessions from before behaviour was watched have none. */
export const risksOf = async (
  store: Store,
  sessions: readonly string[],
): Promise<ReadonlyMap<string, SessionRiskView>> => {
  const found = new Map<string, SessionRiskView>();
  for (let from = 0; from < sessions.length; from += AT_ONCE) {
    const rows = await store.db
      .selectFrom('session_risks')
      .selectAll()
      .where('session_id', 'in', sessions.slice(from, from + AT_ONCE))
      .execute();
    for (const row of rows) found.set(row.session_id, viewOf(row));
  }
  return found;
};

/** Newest first. */
export const listRisks = (
  store: Store,
  filter: {
    readonly user?: string | undefined;
    readonly since?: number | undefined;
    readonly suspicious?: boolean;
    readonly submitted?: boolean;
    readonly limit: number;
    readonly after: string | undefined;
  },
): Promise<Page<SessionRisksTable>> => {
  let query = store.db.selectFrom('session_risks').selectAll();
  if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
  if (filter.since !== undefined) query = query.where('started_at', '>=', filter.since);
  if (filter.suspicious === true) query = query.where('suspicious_at', 'is not', null);
  if (filter.submitted === true) query = query.where('submitted', '=', 1);
  return readPage(query, {
    time: 'started_at',
    id: 'session_id',
    order: 'newest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row.started_at, id: row.session_id }),
  });
};

export interface RiskPoint {
  readonly at: number;
  /** Seconds into the session. */
  readonly second: number;
  readonly before: number;
  readonly score: number;
  readonly suspicious: boolean;
  readonly findings: readonly EventFinding[];
}

const MOST_POINTS = 2_000;

/** How a session's risk went, oldest first, as long as the event log goes back. */
export const riskCurveOf = async (store: Store, session: string): Promise<readonly RiskPoint[]> => {
  const rows = await store.db
    .selectFrom('events')
    .select('event_json')
    .where('session_id', '=', session)
    .where('kind', 'in', ['session-started', 'risk-changed'])
    .orderBy('at')
    .orderBy('id')
    .limit(MOST_POINTS)
    .execute();
  return rows.flatMap(({ event_json: json }): readonly RiskPoint[] => {
    const event = readEvent(json);
    switch (event?.kind) {
      case 'session-started': {
        const { at, score, findings: found } = event;
        return [{ at, second: 0, before: 0, score, suspicious: false, findings: found }];
      }
      case 'risk-changed': {
        const { at, second, before, after: score, suspicious, findings: found } = event;
        return [{ at, second, before, score, suspicious, findings: found }];
      }
      default:
        return [];
    }
  });
};

/** Sessions that ended with the process that watched them: their rows are closed, and their ends are events too. */
export const closeLostRisks = async (store: Store, events: EventLog): Promise<void> => {
  const lost = await store.db
    .selectFrom('session_risks')
    .innerJoin('sessions', 'sessions.id', 'session_risks.session_id')
    .select([
      'session_risks.session_id',
      'session_risks.user_id',
      'session_risks.user_name',
      'session_risks.score',
      'session_risks.suspicious_at',
      'sessions.device_id',
      'sessions.device_name',
      'sessions.credential_id',
      'sessions.credential_name',
      'sessions.account',
      'sessions.source_address',
      'sessions.started_at',
      'sessions.ended_at',
      'sessions.end_reason',
    ])
    .where('session_risks.standing', '=', 'open')
    .where('sessions.end_reason', 'in', ['worker-crashed', 'gateway-crashed'])
    .limit(AT_ONCE)
    .execute();
  if (lost.length === 0) return;
  for (const row of lost) {
    await store.db
      .updateTable('session_risks')
      .set({ standing: row.suspicious_at === null ? 'void' : 'suspicious', ended_at: row.ended_at })
      .where('session_id', '=', row.session_id)
      .execute();
  }
  await events.append(
    lost.map(
      (row): NewEvent => ({
        kind: 'session-ended',
        at: row.ended_at ?? row.started_at,
        session: row.session_id,
        user: { id: row.user_id, name: row.user_name },
        target: {
          device: { id: row.device_id, name: row.device_name },
          credential: { id: row.credential_id, name: row.credential_name, username: row.account },
        },
        sourceAddress: row.source_address,
        startedAt: row.started_at,
        reason: row.end_reason ?? '',
        bytesFromClient: 0,
        bytesFromDevice: 0,
        score: row.score,
        suspicious: row.suspicious_at !== null,
      }),
    ),
  );
};
