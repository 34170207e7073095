// Outputs to other systems: how they are set up and how each stands, a test event, what receivers refused for good, and
// forgetting one that is configured no more. What is sent where stands in sallyport.yaml; secrets stay in their files, and
// neither they nor the files' names are told.
import { z } from 'zod';
import { OUTPUT_EVENTS, OUTPUT_SEVERITIES, type OutputSettings } from '../../config/outputs.ts';
import { formatSocketAddress } from '../../config/units.ts';
import {
  forgetOutput,
  listOutputs,
  listRefused,
  type OutputStanding,
  retryRefused,
} from '../../siem/queue.ts';
import { tryOutput } from '../../siem/trial.ts';
import { recordAct } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { actorOf, type Principal, plain, type Route, route } from '../route.ts';
import { asInstant, asInstantOrNull, instant, limit } from './shapes.ts';

const output = z
  .object({
    name: z.string(),
    /** False: only what waits for it is left. */
    configured: z.boolean(),
    kind: z.enum(['syslog', 'webhook', 'mail']).nullable(),
    format: z.string().nullable(),
    /** Host and port, or the URL without what may be secret in it. */
    destination: z.string().nullable(),
    /** `tls`, `tcp`, `https`, `http`, `starttls`, `none` */
    transport: z.string().nullable(),
    /** Null: every kind. */
    events: z.array(z.enum(OUTPUT_EVENTS)).nullable(),
    commands: z.enum(['audited', 'all']).nullable(),
    minimumSeverity: z.enum(OUTPUT_SEVERITIES).nullable(),
    /** Events that may wait. */
    queueLimit: z.number().nullable(),
    overflow: z.enum(['drop-oldest', 'drop-newest']).nullable(),
    waiting: z.number(),
    refused: z.number(),
    delivered: z.number(),
    lost: z.number(),
    oldestWaiting: instant.nullable(),
    lastDelivered: instant.nullable(),
    /** The last try failed with it; null: it went well. */
    lastError: z.string().nullable(),
    lastErrorAt: instant.nullable(),
  })
  .meta({ id: 'Output' });

const TEST_WITHIN = 20_000;
const name = z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'an output’s name') });

const destinationOf = (
  settings: OutputSettings,
): { readonly destination: string; readonly transport: string } => {
  switch (settings.kind) {
    case 'syslog':
      return { destination: formatSocketAddress(settings.address), transport: settings.transport };
    case 'webhook': {
      // A query often holds a key.
      const { protocol, origin, pathname } = new URL(settings.url);
      return { destination: `${origin}${pathname}`, transport: protocol.slice(0, -1) };
    }
    case 'mail':
      return { destination: formatSocketAddress(settings.server), transport: settings.security };
  }
};

const shownSettings = (settings: OutputSettings | undefined) =>
  settings === undefined
    ? {
        kind: null,
        format: null,
        destination: null,
        transport: null,
        events: null,
        commands: null,
        minimumSeverity: null,
        queueLimit: null,
        overflow: null,
      }
    : {
        kind: settings.kind,
        format: settings.kind === 'mail' ? null : settings.format,
        ...destinationOf(settings),
        events: settings.events === undefined ? null : [...settings.events],
        commands: settings.commands,
        minimumSeverity: settings.minimumSeverity,
        queueLimit: settings.queue.events,
        overflow: settings.queue.overflow,
      };

const shownOutput = (
  named: string,
  settings: OutputSettings | undefined,
  stands: OutputStanding | undefined,
): z.input<typeof output> => ({
  name: named,
  configured: settings !== undefined,
  ...shownSettings(settings),
  waiting: stands?.waiting ?? 0,
  refused: stands?.refused ?? 0,
  delivered: stands?.delivered ?? 0,
  lost: stands?.lost ?? 0,
  oldestWaiting: asInstantOrNull(stands?.oldestWaiting),
  lastDelivered: asInstantOrNull(stands?.lastDelivered),
  lastError: stands === undefined || stands.lastError === '' ? null : stands.lastError,
  lastErrorAt: asInstantOrNull(stands?.lastErrorAt),
});

const everyOutput = async (parts: ApiParts): Promise<readonly z.input<typeof output>[]> => {
  const standing = new Map((await listOutputs(parts.store)).map((one) => [one.output, one]));
  const configured = new Map(parts.outputs().map((one) => [one.name, one]));
  return [...new Set([...configured.keys(), ...standing.keys()])]
    .sort()
    .map((one) => shownOutput(one, configured.get(one), standing.get(one)));
};

const outputNamed = async (parts: ApiParts, named: string): Promise<z.input<typeof output>> => {
  const found = (await everyOutput(parts)).find((one) => one.name === named);
  if (found === undefined) throw unknown('output of this name');
  return found;
};

const told = (parts: ApiParts, principal: Principal, action: string, named: string, detail: object) =>
  recordAct(parts.store, parts.now(), {
    actor: actorOf(principal),
    action,
    kind: 'output',
    name: named,
    detail: { ...detail },
  });

export const outputRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/outputs',
    tag: 'outputs',
    summary: 'Outputs to other systems by name, with what waits, was delivered, refused and lost',
    permission: 'settings.read',
    result: z.object({ items: z.array(output) }),
    serve: async () => ({ body: { items: [...(await everyOutput(parts))] } }),
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/outputs/{name}',
    tag: 'outputs',
    summary: 'One output',
    permission: 'settings.read',
    params: name,
    result: output,
    serve: async ({ params }) => ({ body: await outputNamed(parts, params.name) }),
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/outputs/{name}/refused',
    tag: 'outputs',
    summary: 'Events that the receiver will never take, and why; oldest first',
    permission: 'settings.read',
    params: name,
    query: z.object({ limit }),
    result: z.object({
      items: z.array(z.object({ id: z.string(), at: instant, kind: z.string(), reason: z.string() })),
    }),
    serve: async ({ params, query }) => {
      const { name: named } = await outputNamed(parts, params.name);
      const rows = await listRefused(parts.store, named, query.limit);
      return {
        body: {
          items: rows.map(({ id, at, kind, reason }) => ({ id, at: asInstant(at), kind, reason })),
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/outputs/{name}/test',
    tag: 'outputs',
    summary: 'Send the receiver one event that says it is a test, past the queue',
    permission: 'exports.write',
    perMinute: 20,
    params: name,
    result: z.object({
      taken: z.boolean(),
      /** Why not: `SP_OUTPUT_…`, or `refused`. */
      code: z.string().nullable(),
      detail: z.string(),
      milliseconds: z.number(),
    }),
    serve: async ({ params, asked }, principal) => {
      const settings = parts.outputs().find((one) => one.name === params.name);
      if (settings === undefined) throw unknown('output of this name in the configuration');
      await told(parts, principal, 'tested', settings.name, {});
      const began = performance.now();
      const trial = await tryOutput(
        settings,
        {
          producer: { gateway: parts.config.name, version: parts.version },
          by: actorOf(principal),
          now: parts.now(),
        },
        AbortSignal.any([asked.signal, AbortSignal.timeout(TEST_WITHIN)]),
      );
      const milliseconds = Math.round(performance.now() - began);
      return {
        body:
          trial.kind === 'taken'
            ? { taken: true, code: null, detail: '', milliseconds }
            : { taken: false, code: trial.code, detail: trial.detail, milliseconds },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/outputs/{name}/retry',
    tag: 'outputs',
    summary: 'Send again what the receiver refused',
    permission: 'exports.write',
    params: name,
    result: z.object({ waiting: z.number() }),
    serve: async ({ params }, principal) => {
      const { name: named } = await outputNamed(parts, params.name);
      await told(parts, principal, 'retried', named, {});
      return { body: { waiting: await retryRefused(parts.store, named) } };
    },
  }),
  route({
    ...plain,
    method: 'DELETE',
    path: '/api/outputs/{name}',
    tag: 'outputs',
    summary: 'Forget an output that is configured no more, with what waits for it',
    permission: 'exports.write',
    params: name,
    result: z.object({ status: z.string() }),
    serve: async ({ params }, principal) => {
      const found = await outputNamed(parts, params.name);
      if (found.configured)
        throw new ApiProblem('SP_API_CONFLICT', 'it is in sallyport.yaml: take it out there first');
      await told(parts, principal, 'forgotten', found.name, { waiting: found.waiting });
      await forgetOutput(parts.store, found.name);
      return { body: { status: 'forgotten' } };
    },
  }),
];
