// What users did over a stretch of time, added up for dashboards: everybody side by side, the time in buckets, one user with
// what they used most; and the graph of who reached what from where around a threat or a finding.
import { z } from 'zod';
import { behaviourSettings } from '../../behaviour/settings.ts';
import { readSettings } from '../../directory/settings.ts';
import { connectionsOf, EDGE_KINDS, NODE_KINDS } from '../../oversight/connections.ts';
import { userByName } from '../../oversight/demands.ts';
import {
  type PosturePoint,
  postureOfUsers,
  postureOverTime,
  type Span,
  type Use,
  type UserPosture,
  usesOf,
} from '../../oversight/posture.ts';
import { findFinding, findThreat } from '../../ueba/investigations.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem } from '../problem.ts';
import { plain, type Route, route } from '../route.ts';
import {
  asInstant,
  asInstantOrNull,
  idOf,
  instant,
  moment,
  named,
  pageOf,
  pageSorted,
  paging,
  sorted,
  word,
} from './shapes.ts';

const DAY = 86_400_000;
const WIDTHS = { hour: 3_600_000, day: DAY, week: 7 * DAY } as const;
const MOST_BUCKETS = 800;
const LONGEST_SPAN = 400 * DAY;
const USUAL_SPAN = 30 * DAY;

const tally = {
  sessions: z.number(),
  suspiciousSessions: z.number(),
  /** Of the sessions that were measured; null: none was. */
  highestRisk: z.number().nullable(),
  commands: z.number(),
  /** Met at least one rule. */
  auditedCommands: z.number(),
  /** Did not run because of a rule, or could not be read with certainty. */
  blockedCommands: z.number(),
  findings: z.number(),
  credentialViews: z.number(),
  /** Sessions that were not to be. */
  refusals: z.number(),
  bytesFromClient: z.number(),
  bytesFromDevice: z.number(),
} as const;

const posture = z
  .object({
    user: z.string(),
    ...tally,
    liveSessions: z.number(),
    threats: z.number(),
    rating: z.number(),
    /** Within the time. */
    ratingChange: z.number(),
    lastSession: instant.nullable(),
  })
  .meta({ id: 'UserPosture' });

const point = z
  .object({
    /** The start of the bucket. */
    at: instant,
    ...tally,
    /** At the bucket's end; null: not asked of one user, or nothing is known. */
    rating: z.number().nullable(),
  })
  .meta({ id: 'PosturePoint' });

const use = z
  .object({ of: z.string(), sessions: z.number(), suspiciousSessions: z.number(), last: instant })
  .meta({ id: 'Use' });

const graph = z
  .object({
    since: instant,
    until: instant,
    nodes: z.array(
      z.object({
        /** `kind:name` */
        id: z.string(),
        kind: z.enum(NODE_KINDS),
        name: z.string(),
        sessions: z.number(),
        suspiciousSessions: z.number(),
        /** Not used by this user in the ninety days before. */
        fresh: z.boolean(),
      }),
    ),
    edges: z.array(
      z.object({
        from: z.string(),
        to: z.string(),
        kind: z.enum(EDGE_KINDS),
        count: z.number(),
        suspicious: z.number(),
        first: instant,
        last: instant,
      }),
    ),
    /** There was more than is shown. */
    cut: z.boolean(),
  })
  .meta({ id: 'ConnectionGraph' });

const span = { since: moment.optional(), until: moment.optional() } as const;

/** The last thirty days where nothing is said. Throws SP_API_INVALID. */
const spanOf = (
  parts: ApiParts,
  query: { readonly since?: number | undefined; readonly until?: number | undefined },
): Span => {
  const until = query.until ?? parts.now() + 1;
  const since = query.since ?? until - USUAL_SPAN;
  if (since >= until || until - since > LONGEST_SPAN)
    throw new ApiProblem('SP_API_INVALID', 'the time is empty, or longer than 400 days', [
      { where: 'query.since', message: 'must be before `until`, by at most 400 days' },
    ]);
  return { since, until };
};

const shownPosture = (one: UserPosture): z.input<typeof posture> => ({
  ...one,
  highestRisk: one.highestRisk ?? null,
  lastSession: asInstantOrNull(one.lastSession),
});

const shownPoint = (one: PosturePoint): z.input<typeof point> => ({
  ...one,
  at: asInstant(one.at),
  highestRisk: one.highestRisk ?? null,
  rating: one.rating ?? null,
});

const shownUse = (one: Use): z.input<typeof use> => ({ ...one, last: asInstant(one.last) });

const SORTS = {
  sessions: (one: UserPosture) => one.sessions,
  suspicious: (one: UserPosture) => one.suspiciousSessions,
  risk: (one: UserPosture) => one.highestRisk ?? -1,
  commands: (one: UserPosture) => one.commands,
  blocked: (one: UserPosture) => one.blockedCommands,
  findings: (one: UserPosture) => one.findings,
  threats: (one: UserPosture) => one.threats,
  views: (one: UserPosture) => one.credentialViews,
  rating: (one: UserPosture) => Math.round(one.rating * 100),
  change: (one: UserPosture) => Math.round(one.ratingChange * 100),
} as const;

const usual = async (parts: ApiParts): Promise<number> =>
  behaviourSettings(await readSettings(parts.store.db)).initialRating;

const postureRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/posture',
    tag: 'posture',
    summary:
      'What each user did in a time (the last thirty days), added up; those with the highest risk first',
    permission: 'ratings.read',
    perMinute: 120,
    query: z.object({
      ...paging,
      ...span,
      ...sorted([
        'risk',
        'sessions',
        'suspicious',
        'commands',
        'blocked',
        'findings',
        'threats',
        'views',
        'rating',
        'change',
      ]),
      q: word.optional().meta({ description: 'Part of a name' }),
    }),
    result: pageOf(posture),
    serve: async ({ query }) => {
      const { q, sort } = query;
      const all = await postureOfUsers(parts.store, spanOf(parts, query), await usual(parts));
      const page = pageSorted(q === undefined ? all : all.filter(({ user }) => user.includes(q)), {
        ...query,
        numberOf: SORTS[sort],
        idOf: ({ user }) => user,
      });
      return { body: { items: page.items.map(shownPosture), next: page.next } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/posture-series',
    tag: 'posture',
    summary: 'What everybody or one user did, in buckets of time, oldest first',
    permission: 'ratings.read',
    perMinute: 240,
    query: z.object({
      ...span,
      user: word.optional(),
      bucket: z.enum(['hour', 'day', 'week']).default('day'),
      offset: z
        .string()
        .regex(/^-?(?:\d{1,2}|[1-7]\d\d|8[0-3]\d|840)$/, 'minutes east of UTC, at most 14 hours')
        .transform(Number)
        .optional()
        .meta({
          description: 'The viewer’s zone in minutes east of UTC, so that days begin at their midnight',
        }),
    }),
    result: z.object({ since: instant, until: instant, items: z.array(point) }),
    serve: async ({ query }) => {
      const time = spanOf(parts, query);
      const width = WIDTHS[query.bucket];
      if ((time.until - time.since) / width > MOST_BUCKETS)
        throw new ApiProblem(
          'SP_API_INVALID',
          `a series has at most ${MOST_BUCKETS} buckets: take wider ones`,
          [{ where: 'query.bucket', message: 'too narrow for this time' }],
        );
      const points = await postureOverTime(parts.store, time, {
        width,
        offset: (query.offset ?? 0) * 60_000,
        user: query.user,
      });
      return {
        body: { since: asInstant(time.since), until: asInstant(time.until), items: points.map(shownPoint) },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/users/{name}/posture',
    tag: 'posture',
    summary: 'What one user did in a time (the last thirty days), added up, with what they used most',
    permission: 'ratings.read',
    params: named,
    query: z.object(span),
    result: z.object({
      since: instant,
      until: instant,
      posture,
      devices: z.array(use),
      credentials: z.array(use),
      origins: z.array(use),
    }),
    serve: async ({ params, query }) => {
      const user = await userByName(parts.store, params.name);
      const time = spanOf(parts, query);
      const [mine, devices, credentials, origins] = await Promise.all([
        usual(parts).then((rating) => postureOfUsers(parts.store, time, rating, user.name)),
        usesOf(parts.store, user.name, time, 'device_name'),
        usesOf(parts.store, user.name, time, 'credential_name'),
        usesOf(parts.store, user.name, time, 'source_address'),
      ]);
      const [one] = mine;
      if (one === undefined) throw new TypeError('a user who was asked for has no posture');
      return {
        body: {
          since: asInstant(time.since),
          until: asInstant(time.until),
          posture: shownPosture(one),
          devices: devices.map(shownUse),
          credentials: credentials.map(shownUse),
          origins: origins.map(shownUse),
        },
      };
    },
  }),
];

const AROUND = DAY;
const NEW_WITHIN = 90 * DAY;

const graphRoutes = (parts: ApiParts): readonly Route[] =>
  (['threats', 'findings'] as const).map((kind) =>
    route({
      ...plain,
      method: 'GET',
      path: `/api/${kind}/{id}/graph`,
      tag: 'findings',
      summary: `Who reached what from where with what, from a day before the ${kind === 'threats' ? 'threat' : 'finding'} to a day after`,
      permission: 'findings.read',
      params: idOf,
      result: graph,
      serve: async ({ params }) => {
        const find = kind === 'threats' ? findThreat : findFinding;
        const row = await find(parts.store, params.id);
        const [since, until] = [row.first_at - AROUND, row.last_at + AROUND];
        const found = await connectionsOf(parts.store, {
          user: { id: row.user_id, name: row.user_name },
          since,
          until,
          before: NEW_WITHIN,
        });
        return {
          body: {
            since: asInstant(since),
            until: asInstant(until),
            nodes: [...found.nodes],
            edges: found.edges.map((edge) => ({
              ...edge,
              first: asInstant(edge.first),
              last: asInstant(edge.last),
            })),
            cut: found.cut,
          },
        };
      },
    }),
  );

export const postureAndGraphRoutes = (parts: ApiParts): readonly Route[] => [
  ...postureRoutes(parts),
  ...graphRoutes(parts),
];
