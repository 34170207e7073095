// How the gateway is: for those who watch over it, and for programs that measure.
import { z } from 'zod';
import { ControlError } from '../../gateway/control-client.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem } from '../problem.ts';
import { plain, publicRoute, type Route, route, streamRoute } from '../route.ts';
import { asInstant, instant } from './shapes.ts';

const health = z
  .object({
    state: z.enum(['starting', 'ready', 'draining']),
    version: z.string(),
    startedAt: instant,
    addresses: z.array(z.string()),
    connections: z.number(),
    unauthenticated: z.number(),
    sessions: z.number(),
    workers: z.array(
      z.object({
        state: z.enum(['starting', 'up', 'restarting']),
        connections: z.number(),
        restarts: z.number(),
      }),
    ),
  })
  .meta({ id: 'GatewayState' });

/** Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/ */
const metric = (name: string, help: string, type: 'gauge' | 'counter', value: number): string =>
  `# HELP sallyport_${name} ${help}\n# TYPE sallyport_${name} ${type}\nsallyport_${name} ${value}\n`;

const countOf = async (parts: ApiParts, since: number): Promise<ReadonlyMap<string, number>> => {
  const rows = await parts.store.db
    .selectFrom('commands')
    .select(['outcome', (e) => e.fn.countAll<number | string>().as('many')])
    .where('at', '>=', since)
    .groupBy('outcome')
    .execute();
  return new Map(rows.map((row) => [row.outcome, Number(row.many)]));
};

async function* metrics(parts: ApiParts): AsyncGenerator<string, void, undefined> {
  const now = await parts.gateway.health();
  yield metric('ready', 'Whether the gateway takes connections.', 'gauge', now.state === 'ready' ? 1 : 0);
  yield metric('connections', 'Connections that are open.', 'gauge', now.connections);
  yield metric('connections_unauthenticated', 'Of them, not signed in.', 'gauge', now.unauthenticated);
  yield metric('sessions', 'Sessions that are going on.', 'gauge', now.sessions);
  const restarts = now.workers.reduce((sum, worker) => sum + worker.restarts, 0);
  yield metric('worker_restarts_total', 'Workers that had to be started again.', 'counter', restarts);
  yield metric('start_time_seconds', 'When the gateway started.', 'gauge', now.startedAt / 1000);
  const lastHour = await countOf(parts, parts.now() - 3_600_000);
  yield '# HELP sallyport_commands_last_hour Audited commands of the last hour by outcome.\n';
  yield '# TYPE sallyport_commands_last_hour gauge\n';
  for (const [outcome, many] of lastHour)
    yield `sallyport_commands_last_hour{outcome="${outcome.replace(/[^a-z-]/g, '')}"} ${many}\n`;
}

export const systemRoutes = (parts: ApiParts): readonly Route[] => [
  publicRoute({
    ...plain,
    method: 'GET',
    path: '/api/health',
    tag: 'system',
    summary: 'Whether the API answers',
    result: z.object({ status: z.string() }),
    serve: async () => ({ body: { status: 'up' } }),
  }),
  publicRoute({
    ...plain,
    method: 'GET',
    path: '/api/ready',
    tag: 'system',
    summary: 'Whether the gateway takes connections; 503 while it does not',
    result: z.object({ status: z.string() }),
    serve: async () => {
      const { state } = await parts.gateway.health().catch((error: unknown) => {
        if (error instanceof ControlError)
          throw new ApiProblem('SP_API_UNAVAILABLE', 'the gateway does not answer');
        throw error;
      });
      if (state !== 'ready') throw new ApiProblem('SP_API_UNAVAILABLE', `the gateway is ${state}`);
      return { body: { status: 'ready' } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/gateway',
    tag: 'system',
    summary: 'The gateway’s state, connections and workers',
    permission: 'sessions.read',
    result: health,
    serve: async () => {
      const { pid: _, nativeCrypto: __, startedAt, workers, ...rest } = await parts.gateway.health();
      return {
        body: {
          ...rest,
          startedAt: asInstant(startedAt),
          workers: workers.map(({ state, connections, restarts }) => ({ state, connections, restarts })),
        },
      };
    },
  }),
  streamRoute({
    ...plain,
    method: 'GET',
    path: '/api/metrics',
    tag: 'system',
    summary: 'Measurements in the text format of Prometheus',
    permission: 'metrics.read',
    contentType: 'text/plain; version=0.0.4',
    serve: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', pieces: metrics(parts) }),
  }),
];
