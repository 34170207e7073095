// Makes the OpenAPI 3.1 document from the routes: the shapes that requests are held against are the ones that are
// described. Pure.
import { z } from 'zod';
import { PROBLEM_CODES } from './problem.ts';
import type { Route } from './route.ts';

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** References point into the document's components. */
const rewritten = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(rewritten);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== '$defs' && key !== '$schema' && key !== 'id')
      .map(([key, inner]) =>
        key === '$ref' && typeof inner === 'string'
          ? [key, inner.replace('#/$defs/', '#/components/schemas/')]
          : key === 'properties' && isRecord(inner)
            ? // A property may be called `id`.
              [
                key,
                Object.fromEntries(Object.entries(inner).map(([name, shape]) => [name, rewritten(shape)])),
              ]
            : [key, rewritten(inner)],
      ),
  );
};

class Components {
  readonly schemas: Record<string, unknown> = {};

  of(schema: z.ZodType, io: 'input' | 'output'): unknown {
    const whole: unknown = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-2020-12' });
    if (!isRecord(whole)) return {};
    const definitions = whole['$defs'];
    if (isRecord(definitions))
      for (const [name, definition] of Object.entries(definitions))
        this.schemas[name] = rewritten(definition);
    const name = schema.meta()?.id;
    if (name === undefined) return rewritten(whole);
    // A shape that refers to itself stands among the definitions already.
    if (!('$ref' in whole)) this.schemas[name] = rewritten(whole);
    return { $ref: `#/components/schemas/${name}` };
  }
}

const problemSchema: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: PROBLEM_CODES },
    detail: { type: 'string' },
    faults: {
      type: 'array',
      items: {
        type: 'object',
        required: ['where', 'message'],
        properties: { where: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

const parametersOf = (components: Components, route: Route): readonly Json[] => {
  const of = (where: 'path' | 'query', shape: z.ZodObject): readonly Json[] =>
    Object.entries(shape.shape).map(([name, schema]) => {
      const optional = schema instanceof z.ZodType && schema.safeParse(undefined).success;
      return {
        name,
        in: where,
        required: where === 'path' || !optional,
        schema: schema instanceof z.ZodType ? components.of(schema, 'input') : {},
      };
    });
  const write = route.method !== 'GET';
  const keyed = write && route.permission !== 'public';
  return [
    ...of('path', route.params),
    ...of('query', route.query),
    ...(route.versioned === true
      ? [{ name: 'If-Match', in: 'header', required: false, schema: { type: 'string' } }]
      : []),
    ...(keyed
      ? [
          {
            name: 'Idempotency-Key',
            in: 'header',
            required: false,
            schema: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[\\x21-\\x7e]+$' },
          },
        ]
      : []),
  ];
};

const operationOf = (components: Components, route: Route): Json => ({
  operationId: operationName(route),
  tags: [route.tag],
  summary: route.summary,
  description:
    route.permission === 'public'
      ? 'For everybody.'
      : route.permission === 'signed-in'
        ? 'For whoever is signed in.'
        : `Needs the permission \`${route.permission}\`.`,
  parameters: parametersOf(components, route),
  ...(route.takesBody
    ? {
        requestBody: {
          required: true,
          content: { 'application/json': { schema: components.of(route.body, 'input') } },
        },
      }
    : {}),
  security: route.permission === 'public' ? [] : [{ cookie: [] }, { token: [] }],
  responses: {
    '200': {
      description: 'Done',
      content:
        route.result === undefined
          ? { [route.contentType ?? 'text/plain']: { schema: { type: 'string' } } }
          : { 'application/json': { schema: components.of(route.result, 'output') } },
    },
    default: { $ref: '#/components/responses/Problem' },
  },
});

/** `GET /api/users/{name}` → `getUsersName`. */
const operationName = (route: Route): string =>
  route.method.toLowerCase() +
  route.path
    .replace(/^\/api\//, '')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

export const describeApi = (routes: readonly Route[], version: string): Json => {
  const components = new Components();
  components.schemas['Problem'] = problemSchema;
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const operations = paths[route.path] ?? {};
    operations[route.method.toLowerCase()] = operationOf(components, route);
    paths[route.path] = operations;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport',
      version,
      description:
        'The gateway’s administration. Times are ISO 8601 in UTC. Errors are RFC 9457 problem details.',
    },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(components.schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      responses: {
        Problem: {
          description: 'It was refused, or failed: problem details (RFC 9457) with a stable code',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        cookie: { type: 'apiKey', in: 'cookie', name: 'sallyport' },
        token: { type: 'http', scheme: 'bearer' },
      },
    },
  };
};
