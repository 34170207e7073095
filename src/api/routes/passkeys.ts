// Passkeys: registering, listing and removing one's own, and signing in to the console with one.
import { z } from 'zod';
import type { PasskeysTable } from '../../store/steps/passkeys.ts';
import { recordAct } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { Passkeys } from '../passkeys.ts';
import { permissionsOf } from '../permissions.ts';
import { unknown } from '../problem.ts';
import { onlyPeople, requireProof } from '../proof.ts';
import { actorOf, plain, publicRoute, type Route, route } from '../route.ts';
import { asInstant, asInstantOrNull, instant, newName } from './shapes.ts';
import { who } from './sign-in.ts';

const passkey = z
  .object({
    id: z.string(),
    name: z.string(),
    /** The host that it is good for. */
    host: z.string(),
    createdAt: instant,
    seenAt: instant.nullable(),
  })
  .meta({ id: 'Passkey' });

const shown = (row: PasskeysTable): z.input<typeof passkey> => ({
  id: row.id,
  name: row.name,
  host: row.rp_id,
  createdAt: asInstant(row.created_at),
  seenAt: asInstantOrNull(row.seen_at),
});

const encoded = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[A-Za-z0-9_-]+$/, 'base64url');
const keyId = encoded(1_400);
/** Browsers may name ways that are not known yet: whoever gets them keeps them as they are (WebAuthn Level 3, 5.2.1). */
const transport = z
  .string()
  .max(32)
  .regex(/^[\w-]+$/, 'letters, digits, "_" and "-"');

/** As the browser's `PublicKeyCredential.toJSON()` gives it (WebAuthn Level 3, 5.1); what is not listed is not looked at. */
const common = {
  id: keyId,
  rawId: keyId,
  type: z.literal('public-key'),
  authenticatorAttachment: z.enum(['platform', 'cross-platform']).optional(),
} as const;

const registration = z
  .object({
    ...common,
    response: z.object({
      clientDataJSON: encoded(8_192),
      attestationObject: encoded(65_536),
      transports: z.array(transport).max(16).optional(),
    }),
  })
  .meta({ id: 'PasskeyRegistration' });

const assertion = z
  .object({
    ...common,
    response: z.object({
      clientDataJSON: encoded(8_192),
      authenticatorData: encoded(8_192),
      signature: encoded(8_192),
      userHandle: encoded(256).optional(),
    }),
  })
  .meta({ id: 'PasskeyAssertion' });

/** For `PublicKeyCredential.parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON`. */
const browserOptions = z.object({ options: z.record(z.string(), z.unknown()) });

export const passkeyRoutes = (parts: ApiParts): readonly Route[] => {
  const passkeys = new Passkeys(parts.store, parts.now);
  return [
    route({
      ...plain,
      method: 'GET',
      path: '/api/passkeys',
      tag: 'access',
      summary: 'One’s own passkeys',
      permission: 'self',
      result: z.object({ items: z.array(passkey) }),
      serve: async (_, principal) => ({
        body: { items: (await passkeys.list(principal.userId)).map(shown) },
      }),
    }),
    route({
      ...plain,
      method: 'POST',
      path: '/api/passkeys/options',
      tag: 'access',
      summary: 'Begin to register a passkey, with the password and the one-time code where one has one',
      permission: 'self',
      perMinute: 20,
      secretAnswer: true,
      body: z.strictObject({
        password: z.string().min(1).max(1_024).optional(),
        code: z.string().min(1).max(16).optional(),
      }),
      result: browserOptions,
      serve: async ({ body, asked }, principal) => {
        onlyPeople(principal);
        await requireProof(parts, principal, asked, body);
        return { body: { options: { ...(await passkeys.registrationOptions(principal, asked)) } } };
      },
    }),
    route({
      ...plain,
      method: 'POST',
      path: '/api/passkeys',
      tag: 'access',
      summary: 'Register the passkey that the browser has made',
      permission: 'self',
      perMinute: 20,
      body: z.strictObject({ name: newName, response: registration }),
      result: passkey,
      serve: async ({ body, asked }, principal) => {
        onlyPeople(principal);
        const { authenticatorAttachment: _, response, ...rest } = body.response;
        const { transports: told, ...answer } = response;
        const row = await passkeys.register(principal, asked, {
          name: body.name,
          response: {
            ...rest,
            clientExtensionResults: {},
            response: { ...answer, ...(told === undefined ? {} : { transports: told }) },
          },
        });
        await recordAct(parts.store, parts.now(), {
          actor: actorOf(principal),
          action: 'created',
          kind: 'passkey',
          name: principal.name,
          detail: { passkey: row.name, host: row.rp_id, from: asked.sourceAddress },
        });
        return { body: shown(row) };
      },
    }),
    route({
      ...plain,
      method: 'DELETE',
      path: '/api/passkeys/{id}',
      tag: 'access',
      summary: 'Remove one of one’s own passkeys',
      permission: 'self',
      params: z.object({ id: keyId }),
      result: z.object({ status: z.string() }),
      serve: async ({ params }, principal) => {
        onlyPeople(principal);
        if (!(await passkeys.remove(principal.userId, params.id))) throw unknown('such passkey of yours');
        await recordAct(parts.store, parts.now(), {
          actor: actorOf(principal),
          action: 'removed',
          kind: 'passkey',
          name: principal.name,
        });
        return { body: { status: 'removed' } };
      },
    }),
    publicRoute({
      ...plain,
      method: 'POST',
      path: '/api/sign-in/passkey/options',
      tag: 'access',
      summary: 'Begin to sign in with a passkey; names no user',
      perMinute: 60,
      secretAnswer: true,
      result: browserOptions,
      serve: async ({ asked }) => ({ body: { options: { ...(await passkeys.signInOptions(asked)) } } }),
    }),
    publicRoute({
      ...plain,
      method: 'POST',
      path: '/api/sign-in/passkey',
      tag: 'access',
      summary: 'Sign in with a passkey; sets the cookie',
      perMinute: 60,
      secretAnswer: true,
      body: z.strictObject({ response: assertion }),
      result: who,
      serve: async ({ body, asked }) => {
        const { authenticatorAttachment: _, response, ...rest } = body.response;
        const { userHandle, ...answer } = response;
        const given = {
          ...rest,
          clientExtensionResults: {},
          response: { ...answer, ...(userHandle === undefined ? {} : { userHandle }) },
        };
        const key = await passkeys.find(given);
        const { cookie, user } = await parts.access.signInByPasskey(key?.user_id, asked.sourceAddress, () =>
          passkeys.prove(key, asked, given),
        );
        await recordAct(parts.store, parts.now(), {
          actor: `console:${user.name}`,
          action: 'signed in',
          kind: 'console',
          name: user.name,
          detail: { from: asked.sourceAddress, passkey: key?.name ?? '' },
        });
        return {
          body: { name: user.name, roles: [...user.roles], permissions: [...permissionsOf(user.roles)] },
          cookie,
        };
      },
    }),
  ];
};
