// Users' requests for exceptions from what stopped them: listed, shown, and decided by administrators. A decision is told to
// the user and changes no rule.
import { z } from 'zod';
import { ExceptionError } from '../../exceptions/errors.ts';
import {
  decideException,
  findException,
  LONGEST_EXCEPTION_TEXT,
  listExceptions,
} from '../../exceptions/requests.ts';
import type { ExceptionRequestsTable } from '../../store/steps/exception-requests.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem } from '../problem.ts';
import { actorOf, plain, type Route, route } from '../route.ts';
import {
  asInstant,
  asInstantOrNull,
  checkVersion,
  etagOf,
  instant,
  moment,
  pageOf,
  paging,
  word,
} from './shapes.ts';

const exception = z
  .object({
    id: z.string(),
    askedAt: instant,
    user: z.string(),
    session: z.string(),
    device: z.string(),
    account: z.string(),
    /** The id of the audited command. */
    commandId: z.string(),
    /** Empty: it was typed without echo. */
    command: z.string(),
    /** The rule that stopped it; empty: none did. */
    rule: z.string(),
    owner: z.string(),
    reason: z.string(),
    state: z.enum(['open', 'granted', 'declined']),
    decidedBy: z.string().nullable(),
    decidedAt: instant.nullable(),
    comment: z.string(),
  })
  .meta({ id: 'ExceptionRequest' });

const shown = (row: ExceptionRequestsTable): z.input<typeof exception> => ({
  id: row.id,
  askedAt: asInstant(row.asked_at),
  user: row.user_name,
  session: row.session_id,
  device: row.device_name,
  account: row.account,
  commandId: row.command_id,
  command: row.command,
  rule: row.rule,
  owner: row.owner,
  reason: row.reason,
  state: row.state,
  decidedBy: row.decided_by,
  decidedAt: asInstantOrNull(row.decided_at),
  comment: row.comment,
});

const served = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ExceptionError)) throw error;
    switch (error.code) {
      case 'SP_EXCEPTION_UNKNOWN':
        throw new ApiProblem('SP_API_UNKNOWN', error.tell);
      case 'SP_EXCEPTION_OWN':
        throw new ApiProblem('SP_API_FORBIDDEN', error.tell);
      case 'SP_EXCEPTION_STATE':
        throw new ApiProblem('SP_API_CONFLICT', error.tell);
      case 'SP_EXCEPTION_TEXT':
        throw new ApiProblem('SP_API_INVALID', error.tell);
    }
  }
};

const withId = z.object({ id: z.string().regex(/^[0-9a-f-]{36}$/, 'a request’s id') });

export const exceptionRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/exceptions',
    tag: 'exceptions',
    summary: 'Users’ requests for exceptions from what stopped them, newest first',
    permission: 'commands.read',
    query: z.object({
      ...paging,
      state: z.enum(['open', 'granted', 'declined']).optional(),
      user: word.optional(),
      since: moment.optional(),
    }),
    result: pageOf(exception),
    serve: async ({ query }) => {
      const { state, user, since, limit, after } = query;
      const page = await listExceptions(parts.store, { state, user, since, limit, after });
      return { body: { items: page.rows.map(shown), next: page.next ?? null } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/exceptions/{id}',
    tag: 'exceptions',
    summary: 'One request',
    permission: 'commands.read',
    params: withId,
    result: exception,
    serve: async ({ params }) => {
      const body = shown(await served(findException(parts.store, params.id)));
      return { body, etag: etagOf(body) };
    },
  }),
  ...(['grant', 'decline'] as const).map((what) =>
    route({
      ...plain,
      method: 'POST',
      path: `/api/exceptions/{id}/${what}`,
      tag: 'exceptions',
      summary:
        what === 'grant'
          ? 'Grant a request: the user is told, the rules are changed by whoever changes rules'
          : 'Decline a request: the user is told',
      permission: 'approvals.decide',
      versioned: true,
      params: withId,
      body: z.strictObject({
        comment: z
          .string()
          .min(1)
          .max(2 * LONGEST_EXCEPTION_TEXT),
      }),
      result: exception,
      serve: async ({ params, body, asked }, principal) => {
        // It is decided once; whoever names the version that they saw is held to it besides.
        if (asked.ifMatch !== undefined)
          checkVersion(asked, etagOf(shown(await served(findException(parts.store, params.id)))));
        const decided = shown(
          await served(
            decideException(parts, {
              id: params.id,
              grant: what === 'grant',
              comment: body.comment,
              decider: { id: principal.userId, name: principal.name },
              actor: actorOf(principal),
            }),
          ),
        );
        return { body: decided, etag: etagOf(decided) };
      },
    }),
  ),
];
