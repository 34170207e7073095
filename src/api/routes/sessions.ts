// Sessions: listed, shown, and ordered about while they go on; and commands that wait for a second person.
import { z } from 'zod';
import { APPROVALS, decideApproval, waitingApprovals } from '../../audit/approvals.ts';
import {
  findSession,
  type ListedSession,
  listRefusals,
  listSessions,
  SESSION_SORTS,
} from '../../directory/sessions.ts';
import { shown } from '../../directory/shown-text.ts';
import { ControlError, type LiveSession, type Order } from '../../gateway/control-client.ts';
import type { SessionsTable } from '../../store/schema.ts';
import { recordAct } from '../acts.ts';
import { orderSession } from '../orders.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { actorOf, type Principal, plain, type Route, route } from '../route.ts';
import {
  asInstant,
  asInstantOrNull,
  flag,
  instant,
  moment,
  pageOf,
  paging,
  sessionId,
  sorted,
  word,
} from './shapes.ts';

export const session = z
  .object({
    id: z.string(),
    user: z.string(),
    device: z.string(),
    host: z.string(),
    port: z.number(),
    credential: z.string(),
    account: z.string(),
    grant: z.string(),
    recording: z.string(),
    source: z.string(),
    client: z.string(),
    authentication: z.string(),
    via: z.string(),
    startedAt: instant,
    endedAt: instant.nullable(),
    endReason: z.string().nullable(),
    bytesFromClient: z.number().nullable(),
    bytesFromDevice: z.number().nullable(),
    live: z.boolean(),
    held: z.boolean(),
    /** How unusual it was; null: not measured, or not for the one who asks. */
    risk: z.number().nullable(),
    suspicious: z.boolean(),
  })
  .meta({ id: 'Session' });

export type ShownSession = z.input<typeof session>;

export const shownSession = (
  row: SessionsTable,
  live: LiveSession | undefined,
  measured?: Pick<ListedSession, 'risk' | 'suspicious_at'>,
): ShownSession => ({
  id: row.id,
  user: row.user_name,
  device: row.device_name,
  host: row.device_host,
  port: row.device_port,
  credential: row.credential_name,
  account: row.account,
  grant: row.grant_name,
  recording: row.recording,
  source: row.source_address,
  client: row.client_identification,
  authentication: row.authentication,
  via: row.via,
  startedAt: asInstant(row.started_at),
  endedAt: asInstantOrNull(row.ended_at),
  endReason: row.end_reason,
  bytesFromClient: row.bytes_from_client,
  bytesFromDevice: row.bytes_from_device,
  live: row.ended_at === null,
  held: live?.held ?? false,
  risk: measured?.risk ?? null,
  suspicious: (measured?.suspicious_at ?? null) !== null,
});

/** Without a gateway nothing is live; the list is shown all the same. */
export const liveById = async (parts: ApiParts): Promise<ReadonlyMap<string, LiveSession>> => {
  try {
    return new Map((await parts.gateway.live()).map((one) => [one.id, one]));
  } catch (error) {
    if (error instanceof ControlError) return new Map();
    throw error;
  }
};

const filters = {
  ...paging,
  since: moment.optional(),
  until: moment.optional(),
  user: word.optional(),
  device: word.optional(),
  credential: word.optional(),
  session: word.optional().meta({ description: 'An id, or the beginning of one' }),
  live: flag.optional(),
} as const;

const order = z.object({ status: z.string() });

const approval = z
  .object({
    id: z.string(),
    session: z.string(),
    user: z.string(),
    device: z.string(),
    account: z.string(),
    command: z.string(),
    rule: z.string(),
    askedAt: instant,
    expiresAt: instant,
  })
  .meta({ id: 'Approval' });

const refusal = z
  .object({
    id: z.string(),
    at: instant,
    user: z.string(),
    source: z.string(),
    wanted: z.string(),
    code: z.string(),
    detail: z.string(),
  })
  .meta({ id: 'Refusal' });

export const sessionOf = async (parts: ApiParts, id: string): Promise<SessionsTable> => {
  const row = await findSession(parts.store, id);
  if (row === undefined || row.id !== id) throw unknown('session of this id');
  return row;
};

const tell = (what: string, reason: string | undefined): string =>
  reason === undefined || reason === '' ? what : `${what} ${shown(reason, 500)}`;

const give = async (
  parts: ApiParts,
  principal: Principal,
  id: string,
  given: { readonly order: Order; readonly action: string; readonly reason: string | undefined },
): Promise<void> => {
  const row = await sessionOf(parts, id);
  if (row.ended_at !== null) throw new ApiProblem('SP_API_CONFLICT', 'the session has ended already');
  await recordAct(parts.store, parts.now(), {
    actor: actorOf(principal),
    action: given.action,
    kind: 'session',
    name: row.id,
    detail: { user: row.user_name, device: row.device_name, reason: given.reason ?? '' },
  });
  if (!(await orderSession(parts, row.id, given.order)))
    throw new ApiProblem('SP_API_CONFLICT', 'the session is not live in this gateway');
};

const withId = z.object({ id: sessionId });
const reason = z.strictObject({ reason: z.string().max(500).optional() });

export const sessionRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/sessions',
    tag: 'sessions',
    summary: 'Sessions, newest first; by risk those that were measured, by duration those that have ended',
    permission: 'sessions.read',
    query: z.object({ ...filters, ...sorted(SESSION_SORTS) }),
    result: pageOf(session),
    serve: async ({ query }) => {
      const { since, until, user, device, credential, live, limit, after } = query;
      const [page, now] = await Promise.all([
        listSessions(parts.store, {
          since,
          until,
          user,
          device,
          credential,
          session: query.session,
          live: live === true,
          limit,
          after,
          sort: query.sort,
          order: query.order,
        }),
        liveById(parts),
      ]);
      return {
        body: {
          items: page.rows.map((row) => shownSession(row, now.get(row.id), row)),
          next: page.next ?? null,
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/me/sessions',
    tag: 'sessions',
    summary: 'One’s own sessions, newest first',
    permission: 'self',
    query: z.object({ ...paging, since: moment.optional() }),
    result: pageOf(session),
    serve: async ({ query }, principal) => {
      const page = await listSessions(parts.store, {
        since: query.since,
        user: principal.name,
        device: undefined,
        session: undefined,
        live: false,
        limit: query.limit,
        after: query.after,
      });
      return {
        body: { items: page.rows.map((row) => shownSession(row, undefined)), next: page.next ?? null },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/sessions/{id}',
    tag: 'sessions',
    summary: 'One session',
    permission: 'sessions.read',
    params: withId,
    result: session,
    serve: async ({ params }) => {
      const row = await sessionOf(parts, params.id);
      const [live, measured] = await Promise.all([
        liveById(parts),
        parts.store.db
          .selectFrom('session_risks')
          .select(['score as risk', 'suspicious_at'])
          .where('session_id', '=', row.id)
          .executeTakeFirst(),
      ]);
      return { body: shownSession(row, live.get(row.id), measured) };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/sessions/{id}/hold',
    tag: 'sessions',
    summary: 'What the user types waits until the session is released',
    permission: 'sessions.order',
    params: withId,
    body: reason,
    result: order,
    serve: async ({ params, body }, principal) => {
      await give(parts, principal, params.id, {
        order: { kind: 'hold' },
        action: 'held',
        reason: body.reason,
      });
      return { body: { status: 'held' } };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/sessions/{id}/release',
    tag: 'sessions',
    summary: 'Let a held session go on',
    permission: 'sessions.order',
    params: withId,
    body: reason,
    result: order,
    serve: async ({ params, body }, principal) => {
      await give(parts, principal, params.id, {
        order: { kind: 'release' },
        action: 'released',
        reason: body.reason,
      });
      return { body: { status: 'released' } };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/sessions/{id}/end',
    tag: 'sessions',
    summary: 'End a session; the reason is told to its user',
    permission: 'sessions.order',
    params: withId,
    body: reason,
    result: order,
    serve: async ({ params, body }, principal) => {
      await give(parts, principal, params.id, {
        order: {
          kind: 'end',
          reason: 'ended-by-administrator',
          tell: tell('An administrator ended this session.', body.reason),
        },
        action: 'ended',
        reason: body.reason,
      });
      return { body: { status: 'ended' } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/refusals',
    tag: 'sessions',
    summary: 'Who was refused, and why; newest first',
    permission: 'sessions.read',
    query: z.object({ ...paging, since: moment.optional(), user: word.optional() }),
    result: pageOf(refusal),
    serve: async ({ query }) => {
      const { since, user, limit, after } = query;
      const page = await listRefusals(parts.store, { since, user, limit, after });
      return {
        body: {
          items: page.rows.map((row) => ({
            id: row.id,
            at: asInstant(row.at),
            user: row.user_name,
            source: row.source_address,
            wanted: row.wanted,
            code: row.code,
            detail: row.detail,
          })),
          next: page.next ?? null,
        },
      };
    },
  }),
  ...approvalRoutes(parts),
];

const decide = async (parts: ApiParts, principal: Principal, id: string, approve: boolean): Promise<void> => {
  const decision = await decideApproval(parts.store, id, {
    approve,
    by: actorOf(principal),
    userName: principal.name,
    userId: principal.userId,
    at: parts.now(),
  });
  switch (decision.kind) {
    case 'unknown':
    case 'ambiguous':
      throw unknown('command that waits under this id');
    case 'own':
      throw new ApiProblem('SP_API_FORBIDDEN', 'nobody decides on a command of their own');
    case 'decided':
      await recordAct(parts.store, parts.now(), {
        actor: actorOf(principal),
        action: approve ? 'approved' : 'denied',
        kind: 'command',
        name: decision.approval.command_id,
        detail: { user: decision.approval.user_name, device: decision.approval.device_name },
      });
  }
  // Whoever waits looks by itself now and then: a message that gets lost costs seconds.
  if (parts.store.kind === 'postgres') await parts.store.notify(APPROVALS, id);
  else
    await parts.gateway.notice(APPROVALS, id).catch((error: unknown) => {
      if (!(error instanceof ControlError)) throw error;
    });
};

const approvalRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/approvals',
    tag: 'sessions',
    summary: 'Commands that wait for a second person',
    permission: 'sessions.read',
    result: z.object({ items: z.array(approval) }),
    serve: async () => {
      const rows = await waitingApprovals(parts.store, parts.now());
      return {
        body: {
          items: rows.map((row) => ({
            id: row.id,
            session: row.session_id,
            user: row.user_name,
            device: row.device_name,
            account: row.account,
            command: row.command,
            rule: row.rule,
            askedAt: asInstant(row.asked_at),
            expiresAt: asInstant(row.expires_at),
          })),
        },
      };
    },
  }),
  ...(['approve', 'deny'] as const).map((word) =>
    route({
      ...plain,
      method: 'POST',
      path: `/api/approvals/{id}/${word}`,
      tag: 'sessions',
      summary: word === 'approve' ? 'Let a waiting command run' : 'Refuse a waiting command',
      permission: 'approvals.decide',
      params: z.object({ id: z.string().regex(/^[0-9a-f-]{36}$/, 'an approval’s id') }),
      result: order,
      serve: async ({ params }, principal) => {
        await decide(parts, principal, params.id, word === 'approve');
        return { body: { status: word === 'approve' ? 'approved' : 'denied' } };
      },
    }),
  ),
];
