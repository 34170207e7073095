// What a route of the API is: its address, who may use it, the shapes of what goes in and out, and the function that serves
// it. One description makes the check of requests, the answer, and the OpenAPI document. It knows no HTTP library.
import { z } from 'zod';
import type { Permission } from './permissions.ts';
import { malformed } from './problem.ts';

/** Who asks. */
export interface Principal {
  readonly kind: 'console' | 'token';
  /** Of the sign-in or of the token. */
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
}

/** In whose name changes are logged. */
export const actorOf = (principal: Principal): string =>
  principal.kind === 'token' ? `api:${principal.name} (token)` : `console:${principal.name}`;

export interface Asked {
  readonly sourceAddress: string;
  /** `Host`: the name by which the caller reached this server, as the caller says. */
  readonly host: string;
  /** `If-Match`, without quotes. */
  readonly ifMatch: string | undefined;
  /** The secret of the sign-in's cookie. */
  readonly cookie: string | undefined;
  readonly userAgent: string;
  /** Aborted when the caller is gone. */
  readonly signal: AbortSignal;
}

export interface Answer<T> {
  readonly body: T;
  /** Names this state of what was read or changed. */
  readonly etag?: string;
  /** A cookie's secret to set; empty: to be forgotten. */
  readonly cookie?: string;
}

export interface StreamAnswer {
  readonly contentType: string;
  readonly pieces: AsyncIterable<string | Buffer>;
  /** For downloads. */
  readonly fileName?: string;
}

export const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const;
export type Method = (typeof methods)[number];

interface RouteBase {
  readonly method: Method;
  /** With `{name}` for what varies. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** `public`: anybody; `signed-in`: whoever is signed in. */
  readonly permission: Permission | 'public' | 'signed-in';
  /** The answer holds a secret that is shown once: it is not kept for a repeated request. */
  readonly secretAnswer?: boolean;
  /** A stricter limit than the common one: requests a minute and address. */
  readonly perMinute?: number;
  /** It takes `If-Match`. */
  readonly versioned?: boolean;
}

export interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

export interface Route extends RouteBase {
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType;
  readonly takesBody: boolean;
  readonly result: z.ZodType | undefined;
  /** Of a stream. */
  readonly contentType: string | undefined;
  run(raw: RawInput, asked: Asked, principal: Principal | undefined): Promise<Answer<unknown> | StreamAnswer>;
}

const none = z.object({});
const noBody = z.undefined();

/** To be spread into a route that varies by nothing and takes nothing; what follows it overrides. */
export const plain = { params: none, query: none, body: noBody } as const;

interface Shapes<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
}

interface Input<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
  readonly asked: Asked;
}

const read = <S extends z.ZodType>(
  schema: S,
  part: 'path' | 'query' | 'body',
  value: unknown,
): z.output<S> => {
  const result = schema.safeParse(value);
  if (!result.success) throw malformed(part, result.error);
  return result.data;
};

const readAll = <P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  shapes: Shapes<P, Q, B>,
  raw: RawInput,
  asked: Asked,
): Input<P, Q, B> => ({
  params: read(shapes.params, 'path', raw.params ?? {}),
  query: read(shapes.query, 'query', raw.query ?? {}),
  body: read(shapes.body, 'body', raw.body ?? undefined),
  asked,
});

const required = (principal: Principal | undefined): Principal => {
  if (principal === undefined) throw new TypeError('a route was served without a principal');
  return principal;
};

/** A route that anybody may use. */
export const publicRoute = <
  P extends z.ZodObject,
  Q extends z.ZodObject,
  B extends z.ZodType,
  R extends z.ZodType,
>(
  spec: Omit<RouteBase, 'permission'> &
    Shapes<P, Q, B> & {
      readonly result: R;
      readonly serve: (
        input: Input<P, Q, B>,
        principal: Principal | undefined,
      ) => Promise<Answer<z.input<R>>>;
    },
): Route => ({
  ...spec,
  permission: 'public',
  takesBody: !(spec.body instanceof z.ZodUndefined),
  contentType: undefined,
  run: async (raw, asked, principal) => {
    const answer = await spec.serve(readAll(spec, raw, asked), principal);
    return { ...answer, body: spec.result.parse(answer.body) };
  },
});

/** A route for those who may. What is answered is held against `result`: what is not in it never leaves. */
export const route = <P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, R extends z.ZodType>(
  spec: RouteBase & { readonly permission: Permission | 'signed-in' } & Shapes<P, Q, B> & {
      readonly result: R;
      readonly serve: (input: Input<P, Q, B>, principal: Principal) => Promise<Answer<z.input<R>>>;
    },
): Route => ({
  ...spec,
  takesBody: !(spec.body instanceof z.ZodUndefined),
  contentType: undefined,
  run: async (raw, asked, principal) => {
    const answer = await spec.serve(readAll(spec, raw, asked), required(principal));
    return { ...answer, body: spec.result.parse(answer.body) };
  },
});

/** A route that answers with a stream of text or bytes. */
export const streamRoute = <P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  spec: RouteBase & { readonly permission: Permission | 'signed-in' } & Shapes<P, Q, B> & {
      readonly contentType: string;
      readonly serve: (input: Input<P, Q, B>, principal: Principal) => Promise<StreamAnswer>;
    },
): Route => ({
  ...spec,
  takesBody: false,
  result: undefined,
  run: async (raw, asked, principal) => spec.serve(readAll(spec, raw, asked), required(principal)),
});
