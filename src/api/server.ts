// The API over HTTP: finds out who asks, whether they may, and whether the request is right; serves the route; and answers
// in one form. It decides nothing about what a route does.
import { Readable } from 'node:stream';
import cookiePlugin from '@fastify/cookie';
import rateLimitPlugin from '@fastify/rate-limit';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type ConsoleFiles, serveConsole } from './console-files.ts';
import { Idempotency, requestHash } from './idempotency.ts';
import { describeApi } from './openapi.ts';
import type { ApiParts } from './parts.ts';
import { ApiProblem, INTERNAL, problemOf } from './problem.ts';
import type { Answer, Asked, Method, Principal, Route, StreamAnswer } from './route.ts';
import { routesOf } from './routes.ts';

export interface ServerOptions {
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  /** The built console; undefined: it is not there. */
  readonly console: ConsoleFiles | undefined;
  /** `none`: as many requests as anybody likes, for fuzzers; left out: as described. */
  readonly limits?: 'none';
}

const LARGEST_BODY = 2 * 1024 * 1024;
const LONGEST_REQUEST = 60_000;
const MOST_CONNECTIONS = 1_000;
const PER_MINUTE = 1_200;
/** Characters of a name in a path; a passkey's id has up to 1,364. */
const LONGEST_PARAMETER = 2_000;
/** A browser never adds it to another site's form or link; only our own page does. */
const OWN_HEADER = 'x-sallyport';

const securityHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

const single = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];

const versionIn = (header: string | undefined): string | undefined =>
  header
    ?.trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1');

/** Throws SP_API_CROSS_SITE for a request that another site made a browser send. */
const checkSite = (request: FastifyRequest): void => {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const site = single(request.headers['sec-fetch-site']);
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new ApiProblem('SP_API_CROSS_SITE', 'the console sends its requests from its own page');
  const { origin } = request.headers;
  if (origin === undefined) return;
  const host = URL.canParse(origin) ? new URL(origin).host : '';
  if (host !== request.headers.host)
    throw new ApiProblem('SP_API_CROSS_SITE', 'the origin is not this server');
};

class ApiServer {
  readonly #parts: ApiParts;
  readonly #options: ServerOptions;
  readonly #idempotency: Idempotency;

  constructor(parts: ApiParts, options: ServerOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#idempotency = new Idempotency(parts.store, parts.now);
  }

  get #cookieName(): string {
    return this.#options.tls === undefined ? 'sallyport' : '__Host-sallyport';
  }

  async principalOf(request: FastifyRequest): Promise<Principal | undefined> {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const token = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(authorization)?.[1] ?? '';
      const principal = await this.#parts.access.byToken(token, request.ip);
      if (principal === undefined) throw new ApiProblem('SP_API_SIGN_IN', 'this token is not valid here');
      return principal;
    }
    const cookie = request.cookies[this.#cookieName];
    return cookie === undefined ? undefined : this.#parts.access.byCookie(cookie);
  }

  async admitted(route: Route, request: FastifyRequest): Promise<Principal | undefined> {
    checkSite(request);
    const principal = await this.principalOf(request);
    if (route.permission === 'public') return principal;
    if (principal === undefined) throw new ApiProblem('SP_API_SIGN_IN', 'sign in, or send a token');
    const write = request.method !== 'GET' && request.method !== 'HEAD';
    if (write && principal.kind === 'console' && request.headers[OWN_HEADER] === undefined)
      throw new ApiProblem('SP_API_CROSS_SITE', `a write with a cookie carries the header ${OWN_HEADER}`);
    if (route.permission !== 'signed-in' && !principal.permissions.has(route.permission))
      throw new ApiProblem('SP_API_FORBIDDEN', `this needs the permission ${route.permission}`);
    return principal;
  }

  async serve(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const principal = await this.admitted(route, request);
    const gone = new AbortController();
    request.raw.once('close', () => {
      if (!reply.raw.writableFinished) gone.abort();
    });
    reply.raw.once('close', () => gone.abort());
    const asked: Asked = {
      sourceAddress: request.ip,
      host: request.headers.host?.slice(0, 300) ?? '',
      ifMatch: versionIn(request.headers['if-match']),
      cookie: request.cookies[this.#cookieName],
      userAgent: single(request.headers['user-agent'])?.slice(0, 256) ?? '',
      signal: gone.signal,
    };
    const raw = { params: request.params, query: request.query, body: request.body };
    const key = single(request.headers['idempotency-key']);
    if (principal === undefined || route.method === 'GET' || key === undefined) {
      const answer = await bounded(route.run(raw, asked, principal));
      return 'pieces' in answer ? stream(reply, answer, this.#parts) : this.#send(reply, request, answer);
    }
    return this.#once(route, request, reply, { key, principal, run: () => route.run(raw, asked, principal) });
  }

  async #once(
    route: Route,
    request: FastifyRequest,
    reply: FastifyReply,
    write: {
      readonly key: string;
      readonly principal: Principal;
      readonly run: () => Promise<Answer<unknown> | StreamAnswer>;
    },
  ): Promise<FastifyReply> {
    const { key, principal } = write;
    if (!/^[\x21-\x7e]{1,128}$/.test(key))
      throw new ApiProblem('SP_API_MALFORMED', 'an idempotency key has 1 to 128 printable characters');
    const owner = principal.userId;
    const kept = await this.#idempotency.begin(
      owner,
      key,
      requestHash(request.method, request.url, request.body),
    );
    if (kept !== undefined) {
      reply.header('idempotent-replayed', 'true');
      if (route.secretAnswer === true)
        throw new ApiProblem('SP_API_CONFLICT', 'this was done before, and its answer is shown once only');
      return reply.code(kept.status).type('application/json').send(kept.body);
    }
    try {
      const answer = await bounded(write.run());
      if ('pieces' in answer) throw new TypeError('a stream answers no write');
      await this.#idempotency.finish(owner, key, {
        status: 200,
        body: route.secretAnswer === true ? '' : JSON.stringify(answer.body),
      });
      return this.#send(reply, request, answer);
    } catch (error) {
      await this.#idempotency.abandon(owner, key);
      throw error;
    }
  }

  #send(reply: FastifyReply, request: FastifyRequest, answer: Answer<unknown>): FastifyReply {
    if (answer.cookie !== undefined) this.#setCookie(reply, answer.cookie);
    if (answer.etag !== undefined) {
      reply.header('etag', `"${answer.etag}"`);
      const known = (request.headers['if-none-match'] ?? '').split(',').map(versionIn);
      if (request.method === 'GET' && known.includes(answer.etag)) return reply.code(304).send();
    }
    return reply.type('application/json').send(JSON.stringify(answer.body));
  }

  #setCookie(reply: FastifyReply, secret: string): void {
    const secure = this.#options.tls !== undefined;
    const common = { path: '/', httpOnly: true, sameSite: 'strict', secure } as const;
    if (secret === '') reply.clearCookie(this.#cookieName, common);
    else reply.setCookie(this.#cookieName, secret, common);
  }

  fail(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const problem = problemOf(error) ?? ofHttp(error);
    if (problem === undefined)
      this.#parts.log.error('api.failed', { method: request.method, path: pathOf(request), error });
    const told = problem ?? INTERNAL;
    if (told.retryAfter !== undefined) reply.header('retry-after', String(told.retryAfter));
    return reply.code(told.status).type('application/problem+json').send(JSON.stringify(told.body));
  }
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';

const bounded = async <T>(work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ApiProblem('SP_API_UNAVAILABLE', 'the answer takes too long')),
      LONGEST_REQUEST,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** The first piece is waited for, so that what goes wrong before it is still told in order. */
const stream = async (reply: FastifyReply, answer: StreamAnswer, parts: ApiParts): Promise<FastifyReply> => {
  const pieces = answer.pieces[Symbol.asyncIterator]();
  const first = await bounded(pieces.next());
  async function* all(): AsyncGenerator<string | Buffer, void, undefined> {
    try {
      if (first.done === true) return;
      yield first.value;
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
    } catch (error) {
      parts.log.warn('api.stream-failed', { error });
      throw error;
    } finally {
      await pieces.return?.();
    }
  }
  if (answer.fileName !== undefined)
    reply.header('content-disposition', `attachment; filename="${answer.fileName.replace(/[^\w.-]/g, '_')}"`);
  const body = Readable.from(all(), { objectMode: false });
  reply.raw.once('close', () => body.destroy());
  body.on('error', () => reply.raw.destroy());
  return reply.type(answer.contentType).send(body);
};

/** What the HTTP library refuses by itself. */
const ofHttp = (error: unknown): ApiProblem | undefined => {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? String(error.code) : '';
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new ApiProblem('SP_API_MEDIA_TYPE', 'the body’s type is application/json');
  if (status === 413) return new ApiProblem('SP_API_TOO_LARGE', `a body has at most ${LARGEST_BODY} bytes`);
  if (status === 429) return new ApiProblem('SP_API_TOO_MANY', 'slow down', [], 60);
  return status >= 400 && status < 500
    ? new ApiProblem('SP_API_MALFORMED', 'the request can’t be read')
    : undefined;
};

/** `/api/users/{name}` → `/api/users/:name` */
const fastifyPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

const matches = (route: Route, path: string): boolean =>
  new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);

/** A path that stands as it is is not also one that varies by a name. */
const methodsAt = (routes: readonly Route[], path: string): readonly string[] => {
  const literal = routes.filter((route) => route.path === path);
  return (literal.length > 0 ? literal : routes.filter((route) => matches(route, path))).map(
    (route) => route.method,
  );
};

/** Methods that a path without names in it would get from one with names: they are none of its own. */
const shadowed = (routes: readonly Route[]): readonly { readonly method: Method; readonly path: string }[] =>
  [...new Set(routes.map(({ path }) => path))]
    .filter((path) => !path.includes('{'))
    .flatMap((path) => {
      const own = methodsAt(routes, path);
      const others = routes.filter((route) => route.path !== path && matches(route, path));
      return [...new Set(others.map(({ method }) => method))]
        .filter((method) => !own.includes(method))
        .map((method) => ({ method, path }));
    });

/** Ready to listen; the caller closes it. */
export const createServer = async (parts: ApiParts, options: ServerOptions): Promise<FastifyInstance> => {
  const server = fastify({
    bodyLimit: LARGEST_BODY,
    connectionTimeout: 0,
    requestTimeout: 30_000,
    keepAliveTimeout: 72_000,
    forceCloseConnections: true,
    return503OnClosing: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    // What it can't route at all: a path that is no text, or has a name too long.
    frameworkErrors: (error, request, reply) => void api.fail(error, request, reply),
    // Node's own type for `https` is wider than what a server without TLS has: both have the same routes.
    ...(options.tls === undefined
      ? {}
      : { https: { cert: options.tls.certificate, key: options.tls.key, minVersion: 'TLSv1.2' } }),
  });
  server.server.maxConnections = MOST_CONNECTIONS;
  const api = new ApiServer(parts, options);
  server.removeContentTypeParser('text/plain');
  await server.register(cookiePlugin);
  await server.register(rateLimitPlugin, {
    max: options.limits === 'none' ? Number.MAX_SAFE_INTEGER : PER_MINUTE,
    timeWindow: 60_000,
    cache: 10_000,
    keyGenerator: (request) => request.ip,
    errorResponseBuilder: (_, context) =>
      new ApiProblem('SP_API_TOO_MANY', 'slow down', [], Math.max(1, Math.ceil(context.ttl / 1000))),
  });
  server.addHook('onRequest', async (request, reply) => {
    for (const [name, value] of Object.entries(securityHeaders)) reply.header(name, value);
    if (options.tls !== undefined) reply.header('strict-transport-security', 'max-age=31536000');
    if (request.url.startsWith('/api/')) {
      reply.header('cache-control', 'no-store');
      reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    }
  });
  server.addHook('onResponse', async (request, reply) => {
    parts.log.debug('api.request', {
      method: request.method,
      path: pathOf(request),
      status: reply.statusCode,
      from: request.ip,
      milliseconds: Math.round(reply.elapsedTime),
    });
  });
  server.setErrorHandler((error, request, reply) => api.fail(error, request, reply));
  // The framework wants a body of it before it looks whether there is such a method here, which there never is.
  server.addHttpMethod('QUERY', { hasBody: false, overrideExisting: true });
  const routes = routesOf(parts);
  const description = JSON.stringify(describeApi(routes, parts.version));
  server.get('/api/openapi.json', async (_, reply) => reply.type('application/json').send(description));
  for (const route of routes)
    server.route({
      method: route.method,
      url: fastifyPath(route.path),
      handler: (request, reply) => api.serve(route, request, reply),
      ...(route.perMinute === undefined || options.limits === 'none'
        ? {}
        : { config: { rateLimit: { max: route.perMinute, timeWindow: 60_000 } } }),
    });
  if (options.console !== undefined) await serveConsole(server, options.console);
  const refuseMethod = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const methods = methodsAt(routes, pathOf(request)).join(', ');
    reply.header('allow', methods);
    return api.fail(new ApiProblem('SP_API_METHOD', `here are: ${methods}`), request, reply);
  };
  for (const { method, path } of shadowed(routes)) server.route({ method, url: path, handler: refuseMethod });
  server.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    if (methodsAt(routes, path).length > 0) return refuseMethod(request, reply);
    if (options.console !== undefined && request.method === 'GET' && !/^\/(api|assets)\//.test(path))
      return options.console.index(reply);
    return api.fail(new ApiProblem('SP_API_UNKNOWN', 'there is nothing at this address'), request, reply);
  });
  return server;
};
