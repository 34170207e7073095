// Findings, the threats that they roll up into, what people make of them, and the weekly report. A finding is an indicator
// to look into, never proof.
import { z } from 'zod';
import type { FindingsTable, ThreatsTable } from '../../store/steps/findings.ts';
import {
  expectFinding,
  findThreat,
  type InvestigationParts,
  investigate,
  listFindings,
  listThreats,
  STATUSES,
  threatHistory,
  timelineOf,
} from '../../ueba/investigations.ts';
import { buildReport, reportText } from '../../ueba/report.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem } from '../problem.ts';
import { actorOf, plain, type Route, route, streamRoute } from '../route.ts';
import { asInstant, idOf, instant, moment, pageOf, paging, sorted, word } from './shapes.ts';

const finding = z
  .object({
    id: z.string(),
    signal: z.string(),
    user: z.string(),
    firstAt: instant,
    lastAt: instant,
    severity: z.string(),
    score: z.number(),
    title: z.string(),
    text: z.string(),
    state: z.enum(['open', 'expected', 'closed']),
  })
  .meta({ id: 'Finding' });

const threat = z
  .object({
    id: z.string(),
    model: z.string(),
    user: z.string(),
    firstAt: instant,
    lastAt: instant,
    severity: z.string(),
    score: z.number(),
    title: z.string(),
    text: z.string(),
    status: z.enum(STATUSES),
    caseId: z.string().nullable(),
    assignee: z.string().nullable(),
  })
  .meta({ id: 'Threat' });

const investigation = z
  .object({
    threat,
    timeline: z.array(
      z.object({
        at: instant,
        kind: z.string(),
        text: z.string(),
        session: z.string().nullable(),
        /** Part of the threat. */
        finding: z.boolean(),
      }),
    ),
    history: z.array(
      z.object({
        at: instant,
        actor: z.string(),
        status: z.string().nullable(),
        caseId: z.string().nullable(),
        assignee: z.string().nullable(),
        note: z.string(),
      }),
    ),
  })
  .meta({ id: 'Investigation' });

const shownFinding = (row: FindingsTable): z.input<typeof finding> => ({
  id: row.id,
  signal: row.signal,
  user: row.user_name,
  firstAt: asInstant(row.first_at),
  lastAt: asInstant(row.last_at),
  severity: row.severity,
  score: row.score / 100,
  title: row.title,
  text: row.text,
  state: row.state,
});

const shownThreat = (row: ThreatsTable): z.input<typeof threat> => ({
  id: row.id,
  model: row.model,
  user: row.user_name,
  firstAt: asInstant(row.first_at),
  lastAt: asInstant(row.last_at),
  severity: row.severity,
  score: row.score / 100,
  title: row.title,
  text: row.text,
  status: row.status,
  caseId: row.case_id,
  assignee: row.assignee,
});

const shownInvestigation = async (parts: ApiParts, id: string): Promise<z.input<typeof investigation>> => {
  const row = await findThreat(parts.store, id);
  const [timeline, history] = await Promise.all([
    timelineOf(parts.store, row),
    threatHistory(parts.store, row.id),
  ]);
  return {
    threat: shownThreat(row),
    timeline: timeline.map((one) => ({ ...one, at: asInstant(one.at), session: one.session ?? null })),
    history: history.map((step) => ({
      at: asInstant(step.at),
      actor: step.actor,
      status: step.status,
      caseId: step.case_id,
      assignee: step.assignee,
      note: step.note,
    })),
  };
};

const investigating = (parts: ApiParts): InvestigationParts => ({
  store: parts.store,
  events: parts.events,
  now: parts.now,
});

const DAYS = 7;

async function* reported(parts: ApiParts): AsyncGenerator<string, void, undefined> {
  yield reportText(await buildReport(parts.store, { until: parts.now(), days: DAYS }));
}

export const findingRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/findings',
    tag: 'findings',
    summary: 'What does not fit a user, newest first',
    permission: 'findings.read',
    query: z.object({
      ...paging,
      ...sorted(['time', 'score']),
      since: moment.optional(),
      user: word.optional(),
      signal: word.optional(),
    }),
    result: pageOf(finding),
    serve: async ({ query }) => {
      const { since, user, signal, limit, after, sort, order } = query;
      const page = await listFindings(parts.store, { since, user, signal, limit, after, sort, order });
      return { body: { items: page.rows.map(shownFinding), next: page.next ?? null } };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/findings/{id}/expected',
    tag: 'findings',
    summary: 'It was expected: no more threats are made of it',
    permission: 'findings.write',
    params: idOf,
    result: z.object({ status: z.string() }),
    serve: async ({ params }, principal) => {
      await expectFinding(investigating(parts), { id: params.id, actor: actorOf(principal) });
      return { body: { status: 'expected' } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/threats',
    tag: 'findings',
    summary: 'What findings add up to, newest first',
    permission: 'findings.read',
    query: z.object({
      ...paging,
      ...sorted(['time', 'score']),
      since: moment.optional(),
      user: word.optional(),
      status: z.enum(STATUSES).optional(),
    }),
    result: pageOf(threat),
    serve: async ({ query }) => {
      const { since, user, status, limit, after, sort, order } = query;
      const page = await listThreats(parts.store, { since, user, status, limit, after, sort, order });
      return { body: { items: page.rows.map(shownThreat), next: page.next ?? null } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/threats/{id}',
    tag: 'findings',
    summary: 'A threat, what its user did around it, and what people made of it',
    permission: 'findings.read',
    params: idOf,
    result: investigation,
    serve: async ({ params }) => ({ body: await shownInvestigation(parts, params.id) }),
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/threats/{id}/steps',
    tag: 'findings',
    summary: 'Give a threat a status, a case, somebody to look into it, or a note',
    permission: 'findings.write',
    params: idOf,
    body: z.strictObject({
      status: z.enum(STATUSES).optional(),
      caseId: z.string().min(1).max(64).optional(),
      assignee: word.max(128).optional(),
      note: z.string().min(1).max(2_000).optional(),
    }),
    result: investigation,
    serve: async ({ params, body }, principal) => {
      if (Object.keys(body).length === 0) throw new ApiProblem('SP_API_INVALID', 'say what is to change');
      const found = await findThreat(parts.store, params.id);
      if (found.user_name === principal.name)
        throw new ApiProblem('SP_API_FORBIDDEN', 'nobody looks into what they did themselves');
      await investigate(investigating(parts), { ...body, id: found.id, actor: actorOf(principal) });
      return { body: await shownInvestigation(parts, found.id) };
    },
  }),
  streamRoute({
    ...plain,
    method: 'GET',
    path: '/api/reports/behaviour',
    tag: 'findings',
    summary: 'The report on the last seven days',
    permission: 'findings.read',
    contentType: 'text/plain',
    serve: async () => ({ contentType: 'text/plain; charset=utf-8', pieces: reported(parts) }),
  }),
];
