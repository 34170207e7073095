// Signing in and out, who one is, one's tokens, and the first administrator.
import { randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { z } from 'zod';
import { hashPassword } from '../../../proxy/login/password.ts';
import { readStringList } from '../../directory/stored-json.ts';
import { findUserView, putUser } from '../../directory/users.ts';
import type { ApiTokensTable } from '../../store/schema.ts';
import { badAddress } from '../access.ts';
import { recordAct } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { isPermission, PERMISSIONS, permissionsOf } from '../permissions.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { actorOf, plain, publicRoute, type Route, route } from '../route.ts';
import { asInstant, asInstantOrNull, idOf, instant, moment, newName } from './shapes.ts';

const password = z.string().min(1).max(1_024);
export const who = z
  .object({
    name: z.string(),
    roles: z.array(z.string()),
    permissions: z.array(z.enum(PERMISSIONS)),
  })
  .meta({ id: 'Who' });

const token = z
  .object({
    id: z.string(),
    name: z.string(),
    permissions: z.array(z.enum(PERMISSIONS)),
    addresses: z.array(z.string()),
    createdAt: instant,
    expiresAt: instant,
    seenAt: instant.nullable(),
  })
  .meta({ id: 'Token' });

const shownToken = (row: ApiTokensTable): z.input<typeof token> => ({
  id: row.id,
  name: row.name,
  permissions: readStringList(row.permissions_json, 'a token’s permissions').filter(isPermission),
  addresses: [...readStringList(row.addresses_json, 'a token’s addresses')],
  createdAt: asInstant(row.created_at),
  expiresAt: asInstant(row.expires_at),
  seenAt: asInstantOrNull(row.seen_at),
});

const LONGEST_TOKEN = 400 * 24 * 3_600_000;
const MOST_TOKENS = 100;

const signInRoutes = (parts: ApiParts): readonly Route[] => [
  publicRoute({
    ...plain,
    method: 'POST',
    path: '/api/sign-in',
    tag: 'access',
    summary: 'Sign in with the password, and the one-time code where the user has one; sets the cookie',
    perMinute: 60,
    secretAnswer: true,
    body: z.strictObject({
      name: z.string().min(1).max(256),
      password,
      code: z.string().min(1).max(16).optional(),
    }),
    result: who,
    serve: async ({ body, asked }) => {
      const { cookie, user } = await parts.access.signIn(
        body.name,
        body.password,
        body.code,
        asked.sourceAddress,
      );
      await recordAct(parts.store, parts.now(), {
        actor: `console:${user.name}`,
        action: 'signed in',
        kind: 'console',
        name: user.name,
        detail: { from: asked.sourceAddress },
      });
      return {
        body: { name: user.name, roles: [...user.roles], permissions: [...permissionsOf(user.roles)] },
        cookie,
      };
    },
  }),
  publicRoute({
    ...plain,
    method: 'POST',
    path: '/api/sign-out',
    tag: 'access',
    summary: 'Sign out; forgets the cookie',
    result: z.object({ status: z.string() }),
    serve: async ({ asked }, principal) => {
      if (asked.cookie !== undefined) await parts.access.signOut(asked.cookie);
      if (principal?.kind === 'console')
        await recordAct(parts.store, parts.now(), {
          actor: actorOf(principal),
          action: 'signed out',
          kind: 'console',
          name: principal.name,
        });
      return { body: { status: 'signed out' }, cookie: '' };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/me',
    tag: 'access',
    summary: 'Who one is, and what one may do',
    permission: 'signed-in',
    result: who,
    serve: async (_, principal) => ({
      body: { name: principal.name, roles: [...principal.roles], permissions: [...principal.permissions] },
    }),
  }),
  publicRoute({
    ...plain,
    method: 'POST',
    path: '/api/setup',
    tag: 'access',
    summary:
      'Make the first administrator with the secret of the link that the gateway left at its first start',
    perMinute: 10,
    secretAnswer: true,
    body: z.strictObject({
      secret: z.string().min(1).max(128),
      name: newName,
      password: z.string().min(12).max(1_024),
    }),
    result: z.object({
      name: z.string(),
      /** To be scanned or typed into an app, once. */
      totp: z.string(),
    }),
    serve: async ({ body }) => {
      if ((await findUserView(parts.store.db, body.name)) !== undefined)
        throw new ApiProblem('SP_API_EXISTS', 'there is a user of this name: choose another');
      const passwordHash = await hashPassword(body.password);
      if (!(await parts.access.takeSetup(body.secret)))
        throw new ApiProblem('SP_API_FORBIDDEN', 'this link was used, or its time is over');
      const totpSecret = randomBytes(20);
      await parts.store.transaction((trx) =>
        putUser(
          trx,
          { actor: 'console:setup', now: parts.now(), vault: parts.vault },
          {
            name: body.name,
            passwordHash,
            keys: [],
            totpSecret,
            roles: ['administrator'],
            groups: [],
            department: undefined,
            priority: 'high',
            authentication: undefined,
          },
        ),
      );
      const secret = new Secret({ buffer: new Uint8Array(totpSecret).buffer });
      const totp = new TOTP({ issuer: 'Sallyport', label: body.name, secret }).toString();
      return { body: { name: body.name, totp } };
    },
  }),
];

const tokenRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/tokens',
    tag: 'access',
    summary: 'One’s own tokens, without their secrets',
    permission: 'self',
    result: z.object({ items: z.array(token) }),
    serve: async (_, principal) => {
      const rows = await parts.store.db
        .selectFrom('api_tokens')
        .selectAll()
        .where('user_id', '=', principal.userId)
        .orderBy('name')
        .limit(MOST_TOKENS)
        .execute();
      return { body: { items: rows.map(shownToken) } };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/tokens',
    tag: 'access',
    summary: 'Make a token for a program; its secret is shown this once',
    permission: 'self',
    secretAnswer: true,
    body: z.strictObject({
      name: newName,
      permissions: z.array(z.enum(PERMISSIONS)).min(1).max(PERMISSIONS.length),
      addresses: z.array(z.string().max(64)).max(64).default([]),
      expiresAt: moment,
    }),
    result: z.object({ secret: z.string(), token }),
    serve: async ({ body }, principal) => {
      const missing = body.permissions.find((permission) => !principal.permissions.has(permission));
      if (missing !== undefined)
        throw new ApiProblem('SP_API_FORBIDDEN', `you don’t have the permission ${missing} yourself`);
      if (principal.kind === 'token')
        throw new ApiProblem('SP_API_FORBIDDEN', 'a token makes no tokens: sign in');
      if (badAddress(body.addresses) !== undefined)
        throw new ApiProblem('SP_API_INVALID', 'not an address', [
          { where: 'body.addresses', message: 'addresses, or networks such as 10.0.0.0/8' },
        ]);
      const at = parts.now();
      if (body.expiresAt <= at || body.expiresAt > at + LONGEST_TOKEN)
        throw new ApiProblem('SP_API_INVALID', 'a token lives up to 400 days from now', [
          { where: 'body.expiresAt', message: 'must be in the next 400 days' },
        ]);
      const mine = await parts.store.db
        .selectFrom('api_tokens')
        .select('id')
        .where('user_id', '=', principal.userId)
        .limit(MOST_TOKENS)
        .execute();
      if (mine.length >= MOST_TOKENS)
        throw new ApiProblem('SP_API_CONFLICT', `one has at most ${MOST_TOKENS} tokens`);
      const { secret, row } = await parts.access.makeToken(principal, body);
      await recordAct(parts.store, at, {
        actor: actorOf(principal),
        action: 'created',
        kind: 'token',
        name: row.name,
        detail: {
          permissions: body.permissions,
          addresses: body.addresses,
          expiresAt: asInstant(row.expires_at),
        },
      });
      return { body: { secret, token: shownToken(row) } };
    },
  }),
  route({
    ...plain,
    method: 'DELETE',
    path: '/api/tokens/{id}',
    tag: 'access',
    summary: 'Revoke one of one’s own tokens',
    permission: 'self',
    params: idOf,
    result: z.object({ status: z.string() }),
    serve: async ({ params }, principal) => {
      const row = await parts.store.db
        .selectFrom('api_tokens')
        .select(['id', 'name'])
        .where('id', '=', params.id)
        .where('user_id', '=', principal.userId)
        .executeTakeFirst();
      if (row === undefined) throw unknown('such token of yours');
      await recordAct(parts.store, parts.now(), {
        actor: actorOf(principal),
        action: 'revoked',
        kind: 'token',
        name: row.name,
      });
      await parts.store.db.deleteFrom('api_tokens').where('id', '=', row.id).execute();
      return { body: { status: 'revoked' } };
    },
  }),
];

export const accessRoutes = (parts: ApiParts): readonly Route[] => [
  ...signInRoutes(parts),
  ...tokenRoutes(parts),
];
