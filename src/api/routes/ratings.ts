// How unusual sessions were and why, everybody's rating with its ledger, what other settings would have made of it, and
// who had to prove once more who they are.
import { z } from 'zod';
import { explain } from '../../behaviour/explain.ts';
import { behaviourSettings } from '../../behaviour/settings.ts';
import {
  isSettingKey,
  readSettings,
  type SettingKey,
  type SettingValue,
  settingProblem,
} from '../../directory/settings.ts';
import {
  becauseOf,
  type DemandParts,
  decideDemand,
  IDENTIFICATION,
  listReauthentications,
  requireDemand,
  userByName,
} from '../../oversight/demands.ts';
import {
  askWhatIf,
  listRatings,
  markExpected,
  type RatingView,
  readLedger,
} from '../../oversight/rating-views.ts';
import { recompute, waitingReauthentications } from '../../oversight/ratings.ts';
import { listRisks, risksOf, type SessionRiskView } from '../../oversight/risk-records.ts';
import { recordAct } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { answersOf, onlyPeople, requireProof } from '../proof.ts';
import { actorOf, plain, type Route, route } from '../route.ts';
import { tellGateways } from '../tell.ts';
import {
  asInstant,
  asInstantOrNull,
  flag,
  instant,
  limit,
  moment,
  named,
  pageOf,
  pageSorted,
  paging,
  sessionId,
  word,
} from './shapes.ts';

const rating = z
  .object({
    user: z.string(),
    rating: z.number(),
    /** At the last passed re-authentication, or at the beginning. */
    reference: z.number(),
    lastAccess: instant.nullable(),
    disabled: z.boolean(),
    highRiskSessions: z.number(),
    blockedCommands: z.number(),
    sessionAttempts: z.number(),
    viewAttempts: z.number(),
  })
  .meta({ id: 'Rating' });

const ledgerEntry = z
  .object({
    position: z.number(),
    at: instant,
    cause: z.string(),
    before: z.number(),
    after: z.number(),
    session: z.string().nullable(),
    second: z.number().nullable(),
    actor: z.string(),
  })
  .meta({ id: 'RatingChange' });

const risk = z
  .object({
    session: z.string(),
    user: z.string(),
    device: z.string(),
    startedAt: instant,
    score: z.number(),
    commandPoints: z.number(),
    auditedCommands: z.number(),
    blockedCommands: z.number(),
    suspiciousAt: instant.nullable(),
    standing: z.string(),
    submitted: z.boolean(),
    action: z.string(),
    /** In words: one line for each point. */
    findings: z.array(z.string()),
  })
  .meta({ id: 'SessionRisk' });

const reauthentication = z
  .object({
    id: z.string(),
    user: z.string(),
    trigger: z.string(),
    because: z.string(),
    askedBy: z.string(),
    askedAt: instant,
    session: z.string().nullable(),
    outcome: z.string(),
    decidedAt: instant.nullable(),
    decidedIn: z.string().nullable(),
    method: z.string().nullable(),
  })
  .meta({ id: 'Reauthentication' });

const demandParts = async (parts: ApiParts): Promise<DemandParts> => ({
  store: parts.store,
  events: parts.events,
  settings: behaviourSettings(await readSettings(parts.store.db)),
  now: parts.now,
});

const shownRisk = (
  view: SessionRiskView,
  row: { readonly user: string; readonly device: string; readonly startedAt: number },
): z.input<typeof risk> => ({
  session: view.session,
  user: row.user,
  device: row.device,
  startedAt: asInstant(row.startedAt),
  score: view.score,
  commandPoints: view.commandPoints,
  auditedCommands: view.auditedCommands,
  blockedCommands: view.blockedCommands,
  suspiciousAt: asInstantOrNull(view.suspiciousAt),
  standing: view.standing,
  submitted: view.submitted,
  action: view.action ?? '',
  findings: view.findings.map(explain),
});

const done = z.object({ status: z.string() });
const LONGEST_LOOK = 90 * 86_400_000;
const MOST_DIFFERENT = 500;

const MOST_USERS = 20_000;

const RATING_SORTS = {
  rating: (view: RatingView) => Math.round(view.rating * 100),
  drop: (view: RatingView) => Math.round((view.reference - view.rating) * 100),
  lastAccess: (view: RatingView) => view.lastAccess ?? 0,
  highRiskSessions: (view: RatingView) => view.counts.high_risk_sessions,
  blockedCommands: (view: RatingView) => view.counts.blocked_commands,
} as const;

const ratingRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/ratings',
    tag: 'ratings',
    summary: 'Every user’s rating, the most suspicious first',
    permission: 'ratings.read',
    query: z.object({
      ...paging,
      sort: z.enum(['rating', 'drop', 'lastAccess', 'highRiskSessions', 'blockedCommands']).default('rating'),
      order: z.enum(['asc', 'desc']).default('asc'),
      q: word.optional().meta({ description: 'Part of a name' }),
    }),
    result: pageOf(rating),
    serve: async ({ query }) => {
      const { q } = query;
      const all = await listRatings(await demandParts(parts), MOST_USERS);
      const page = pageSorted(q === undefined ? all : all.filter(({ name }) => name.includes(q)), {
        ...query,
        numberOf: RATING_SORTS[query.sort],
        idOf: ({ name }) => name,
      });
      return {
        body: {
          next: page.next,
          items: page.items.map((view) => ({
            user: view.name,
            rating: view.rating,
            reference: view.reference,
            lastAccess: asInstantOrNull(view.lastAccess),
            disabled: view.disabled,
            highRiskSessions: view.counts.high_risk_sessions,
            blockedCommands: view.counts.blocked_commands,
            sessionAttempts: view.counts.session_attempts,
            viewAttempts: view.counts.view_attempts,
          })),
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/ratings/{name}/ledger',
    tag: 'ratings',
    summary: 'What moved a user’s rating, newest first',
    permission: 'ratings.read',
    params: named,
    query: z.object({ limit, since: moment.optional() }),
    result: z.object({ items: z.array(ledgerEntry) }),
    serve: async ({ params, query }) => {
      const user = await userByName(parts.store, params.name);
      const rows = await readLedger(await demandParts(parts), user, query);
      return {
        body: {
          items: rows.map((row) => ({
            position: row.position,
            at: asInstant(row.at),
            cause: row.cause,
            before: row.before / 100,
            after: row.after / 100,
            session: row.session_id,
            second: row.second,
            actor: row.actor,
          })),
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/ratings/{name}/recompute',
    tag: 'ratings',
    summary: 'Fold a user’s history again, and tell whether the rating follows from it',
    permission: 'ratings.read',
    params: named,
    result: z.object({ rows: z.number(), stored: z.number(), recomputed: z.number(), agrees: z.boolean() }),
    serve: async ({ params }) => {
      const user = await userByName(parts.store, params.name);
      const again = await recompute(parts.store, user.id);
      if (again === undefined) throw unknown('rating of this user yet');
      return {
        body: { rows: again.rows, stored: again.stored, recomputed: again.rating, agrees: again.agrees },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/risks',
    tag: 'ratings',
    summary: 'How unusual sessions were, and why; newest first',
    permission: 'ratings.read',
    query: z.object({
      ...paging,
      since: moment.optional(),
      user: word.optional(),
      suspicious: flag.optional(),
      submitted: flag.optional(),
    }),
    result: pageOf(risk),
    serve: async ({ query }) => {
      const { since, user, suspicious, submitted } = query;
      const page = await listRisks(parts.store, {
        since,
        user,
        suspicious: suspicious === true,
        submitted: submitted === true,
        limit: query.limit,
        after: query.after,
      });
      const views = await risksOf(
        parts.store,
        page.rows.map((row) => row.session_id),
      );
      return {
        body: {
          items: page.rows.flatMap((row) => {
            const view = views.get(row.session_id);
            return view === undefined
              ? []
              : [
                  shownRisk(view, {
                    user: row.user_name,
                    device: row.device_name,
                    startedAt: row.started_at,
                  }),
                ];
          }),
          next: page.next ?? null,
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/sessions/{id}/risk',
    tag: 'ratings',
    summary: 'How unusual a session is, and why',
    permission: 'ratings.read',
    params: z.object({ id: sessionId }),
    result: risk,
    serve: async ({ params }) => {
      const view = (await risksOf(parts.store, [params.id])).get(params.id);
      const row = await parts.store.db
        .selectFrom('session_risks')
        .select(['user_name', 'device_name', 'started_at'])
        .where('session_id', '=', params.id)
        .executeTakeFirst();
      if (view === undefined || row === undefined) throw unknown('measure of this session');
      return {
        body: shownRisk(view, { user: row.user_name, device: row.device_name, startedAt: row.started_at }),
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/sessions/{id}/expected',
    tag: 'ratings',
    summary:
      'A suspicious session was expected: the rating gets back what it lost, and the session is learnt',
    permission: 'ratings.write',
    params: z.object({ id: sessionId }),
    result: z.object({ user: z.string(), before: z.number(), after: z.number() }),
    serve: async ({ params }, principal) => {
      const by = actorOf(principal);
      const { user, before, after } = await markExpected(await demandParts(parts), params.id, by);
      await recordAct(parts.store, parts.now(), {
        actor: by,
        action: 'marked expected',
        kind: 'session',
        name: params.id,
        detail: { user, before, after },
      });
      return { body: { user, before, after } };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/settings/what-if',
    tag: 'settings',
    summary: 'Which sessions other settings would have judged otherwise',
    permission: 'settings.read',
    perMinute: 30,
    body: z.strictObject({
      since: moment.optional(),
      values: z.record(z.string().max(128), z.union([z.number(), z.boolean(), z.string().max(1_000)])),
    }),
    result: z.object({
      looked: z.number(),
      different: z.number(),
      items: z.array(
        z.object({
          session: z.string(),
          user: z.string(),
          startedAt: instant,
          before: z.number(),
          after: z.number(),
          suspiciousBefore: z.boolean(),
          suspiciousAfter: z.boolean(),
          actionBefore: z.string(),
          actionAfter: z.string(),
          askedBefore: z.string().nullable(),
          askedAfter: z.string().nullable(),
        }),
      ),
    }),
    serve: async ({ body }) => {
      const changed = new Map<SettingKey, SettingValue>();
      for (const [key, value] of Object.entries(body.values)) {
        const problem = isSettingKey(key) ? settingProblem(key, value) : 'is not a setting';
        if (problem !== undefined || !isSettingKey(key))
          throw new ApiProblem('SP_API_INVALID', 'some values are not right', [
            { where: `body.values.${key}`, message: problem ?? 'is not a setting' },
          ]);
        changed.set(key, value);
      }
      const since = body.since ?? parts.now() - LONGEST_LOOK;
      const { looked, different } = await askWhatIf(parts.store, since, changed);
      return {
        body: {
          looked,
          different: different.length,
          items: different.slice(0, MOST_DIFFERENT).map((one) => ({
            session: one.session,
            user: one.user,
            startedAt: asInstant(one.startedAt),
            before: one.before.score,
            after: one.after.score,
            suspiciousBefore: one.suspiciousBefore,
            suspiciousAfter: one.suspiciousAfter,
            actionBefore: one.before.action ?? '',
            actionAfter: one.after.action ?? '',
            askedBefore: one.askedBefore ?? null,
            askedAfter: one.askedAfter ?? null,
          })),
        },
      };
    },
  }),
];

type DemandRow = Awaited<ReturnType<typeof waitingReauthentications>>[number];

const shownDemand = (row: DemandRow): z.input<typeof reauthentication> => ({
  id: row.id,
  user: row.user_name,
  trigger: row.trigger_name,
  because: becauseOf(row),
  askedBy: row.asked_by,
  askedAt: asInstant(row.asked_at),
  session: row.session_id,
  outcome: row.outcome,
  decidedAt: asInstantOrNull(row.decided_at),
  decidedIn: row.decided_in,
  method: row.method,
});

const ownRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/me/reauthentication',
    tag: 'ratings',
    summary: 'Whether one has to prove once more who one is, why, and by what',
    permission: 'self',
    result: z.object({
      waiting: z.array(reauthentication),
      /** All of them have to be answered together; none: there is nothing to prove it by here. */
      questions: z.array(z.enum(['password', 'totp'])),
    }),
    serve: async (_, principal) => {
      const waiting = await waitingReauthentications(parts.store, principal.userId);
      const questions = waiting.length === 0 ? [] : await parts.identifier.questions(principal.name);
      return {
        body: { waiting: waiting.map(shownDemand), questions: questions.map(({ name }) => name) },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/me/reauthentication',
    tag: 'ratings',
    summary: 'Prove once more who one is, by password and one-time code: held sessions go on',
    permission: 'self',
    perMinute: 20,
    body: z.strictObject({
      password: z.string().min(1).max(1_024).optional(),
      code: z.string().min(1).max(16).optional(),
    }),
    result: done,
    serve: async ({ body, asked }, principal) => {
      onlyPeople(principal);
      const [demand] = await waitingReauthentications(parts.store, principal.userId);
      if (demand === undefined) throw new ApiProblem('SP_API_CONFLICT', 'nothing is asked of you');
      const questions = await parts.identifier.questions(principal.name);
      const answers = answersOf(body);
      const missing = questions.filter(({ name }) => !answers.has(name));
      if (missing.length > 0)
        throw new ApiProblem(
          'SP_API_INVALID',
          'all that you are asked has to be answered together',
          missing.map(({ name }) => ({
            where: `body.${name === 'totp' ? 'code' : name}`,
            message: 'is asked for',
          })),
        );
      await requireProof(parts, principal, asked, body);
      const user = { id: principal.userId, name: principal.name };
      const method = questions.map(({ name }) => name).join('+');
      const by = actorOf(principal);
      const decided = await decideDemand(await demandParts(parts), user, {
        demand: demand.id,
        outcome: 'passed',
        in: by,
        method,
        session: undefined,
        second: undefined,
        sourceAddress: asked.sourceAddress,
      });
      if (!decided) throw new ApiProblem('SP_API_CONFLICT', 'nothing is asked of you any more');
      await recordAct(parts.store, parts.now(), {
        actor: by,
        action: 'passed re-authentication',
        kind: 'user',
        name: user.name,
        detail: { method, from: asked.sourceAddress },
      });
      await tellGateways(parts, IDENTIFICATION, JSON.stringify({ kind: 'passed', user: user.id }));
      return { body: { status: 'passed' } };
    },
  }),
];

const reauthenticationRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/reauthentications',
    tag: 'ratings',
    summary: 'Who had to prove once more who they are, and what came of it; newest first',
    permission: 'ratings.read',
    query: z.object({ ...paging, since: moment.optional(), user: word.optional(), outcome: word.optional() }),
    result: pageOf(reauthentication),
    serve: async ({ query }) => {
      const { since, user, outcome, after } = query;
      const page = await listReauthentications(parts.store, {
        since,
        user,
        outcome,
        limit: query.limit,
        after,
      });
      return {
        body: {
          items: page.rows.map(shownDemand),
          next: page.next ?? null,
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/users/{name}/reauthentication',
    tag: 'ratings',
    summary: 'Ask a user to prove who they are: at once in live sessions, else at the next sign-in',
    permission: 'ratings.write',
    params: named,
    body: z.strictObject({ reason: z.string().max(500).default('') }),
    result: done,
    serve: async ({ params, body }, principal) => {
      const user = await userByName(parts.store, params.name);
      const by = actorOf(principal);
      await requireDemand(await demandParts(parts), user, { actor: by, reason: body.reason });
      await recordAct(parts.store, parts.now(), {
        actor: by,
        action: 'required re-authentication',
        kind: 'user',
        name: user.name,
        detail: { reason: body.reason },
      });
      await tellGateways(parts, IDENTIFICATION, JSON.stringify({ kind: 'required', user: user.id }));
      return { body: { status: 'asked' } };
    },
  }),
  route({
    ...plain,
    method: 'DELETE',
    path: '/api/users/{name}/reauthentication',
    tag: 'ratings',
    summary: 'Waive what waits',
    permission: 'ratings.write',
    params: named,
    result: done,
    serve: async ({ params }, principal) => {
      const user = await userByName(parts.store, params.name);
      const by = actorOf(principal);
      if (user.name === principal.name)
        throw new ApiProblem('SP_API_FORBIDDEN', 'nobody waives what they are asked themselves');
      const waived = await decideDemand(await demandParts(parts), user, {
        outcome: 'waived',
        in: by,
        method: undefined,
        session: undefined,
        second: undefined,
        sourceAddress: undefined,
      });
      if (!waived) throw new ApiProblem('SP_API_CONFLICT', 'nothing waits for this user');
      await recordAct(parts.store, parts.now(), {
        actor: by,
        action: 'waived re-authentication',
        kind: 'user',
        name: user.name,
      });
      await tellGateways(parts, IDENTIFICATION, JSON.stringify({ kind: 'waived', user: user.id }));
      return { body: { status: 'waived' } };
    },
  }),
];

export const ratingsRoutes = (parts: ApiParts): readonly Route[] => [
  ...ratingRoutes(parts),
  ...ownRoutes(parts),
  ...reauthenticationRoutes(parts),
];
