// Rotating a credential on its device, and what became of rotations. The new secret is in no answer: it is sealed before the
// device hears of it.
import { z } from 'zod';
import { PASSWORD_METHODS } from '../../credentials/new-secret.ts';
import { pageRotations, type RotationView } from '../../credentials/rotation.ts';
import { recordAct } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { Rotations } from '../rotations.ts';
import { actorOf, plain, type Route, route } from '../route.ts';
import { asInstant, asInstantOrNull, instant, named, pageOf, paging, word } from './shapes.ts';

const rotation = z
  .object({
    id: z.string(),
    credential: z.string(),
    device: z.string(),
    actor: z.string(),
    /** `chpasswd`, `sudo-chpasswd`, `passwd`, `key` */
    method: z.string(),
    /** `unverified`: it isn't known which secret holds; both are kept, and the device is asked again. */
    state: z.enum(['prepared', 'sent', 'done', 'failed', 'unverified']),
    detail: z.string(),
    startedAt: instant,
    finishedAt: instant.nullable(),
  })
  .meta({ id: 'Rotation' });

const states = rotation.shape.state;

const shown = (one: RotationView): z.input<typeof rotation> => ({
  ...one,
  state: states.parse(one.state),
  startedAt: asInstant(one.startedAt),
  finishedAt: asInstantOrNull(one.finishedAt),
});

export const rotationRoutes = (parts: ApiParts): readonly Route[] => {
  const rotations = new Rotations(parts);
  return [
    route({
      ...plain,
      method: 'GET',
      path: '/api/rotations',
      tag: 'directory',
      summary: 'Rotations of credentials and what became of them, newest first',
      permission: 'directory.read',
      query: z.object({ ...paging, credential: word.optional() }),
      result: pageOf(rotation),
      serve: async ({ query }) => {
        const { credential, limit, after } = query;
        const page = await pageRotations(parts.store, { credential, limit, after });
        return { body: { items: page.rows.map(shown), next: page.next ?? null } };
      },
    }),
    route({
      ...plain,
      method: 'POST',
      path: '/api/credentials/{name}/rotation',
      tag: 'directory',
      summary: 'Give the account a new secret on its device, and prove that it opens it',
      permission: 'directory.write',
      perMinute: 60,
      params: named,
      body: z.strictObject({
        /** Another credential of the device that changes the password as its administrator. */
        by: word.optional(),
        /** Left out: whichever fits. */
        method: z.enum(PASSWORD_METHODS).optional(),
      }),
      result: z.object({
        /** `running`: it takes longer; look at the rotations. */
        outcome: z.enum(['done', 'failed', 'unverified', 'running']),
        id: z.string().nullable(),
        detail: z.string(),
      }),
      serve: async ({ params, body }, principal) => {
        const actor = actorOf(principal);
        await recordAct(parts.store, parts.now(), {
          actor,
          action: 'rotation asked for',
          kind: 'credential',
          name: params.name,
          detail: { by: body.by ?? '', method: body.method ?? '' },
        });
        const outcome = await rotations.rotate({
          credential: params.name,
          actor,
          by: body.by,
          method: body.method,
        });
        return {
          body:
            outcome === undefined
              ? { outcome: 'running' as const, id: null, detail: '' }
              : { outcome: outcome.kind, id: outcome.id, detail: outcome.detail },
        };
      },
    }),
  ];
};
