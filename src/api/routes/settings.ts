// The settings that administrators tune, each with its range and default; and the trail of who changed what.
import { z } from 'zod';
import { apply } from '../../directory/apply.ts';
import {
  isSettingKey,
  readSettings,
  SETTINGS,
  type SettingKey,
  settingProblem,
} from '../../directory/settings.ts';
import { announceSettings } from '../../oversight/settings.ts';
import { listChanges } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { actorOf, plain, type Route, route } from '../route.ts';
import { SETTING_TEXTS } from '../setting-texts.ts';
import { asInstant, checkVersion, etagOf, instant, moment, pageOf, paging, word } from './shapes.ts';

const value = z.union([z.number(), z.boolean(), z.string()]);

const setting = z
  .object({
    key: z.string(),
    /** What it means, in a sentence. */
    text: z.string(),
    value,
    standard: value,
    type: z.string(),
    minimum: z.number().nullable(),
    maximum: z.number().nullable(),
  })
  .meta({ id: 'Setting' });

const shown = (key: SettingKey, current: number | boolean | string): z.input<typeof setting> => {
  const rule: object = SETTINGS[key];
  const number = (name: string): number | null => {
    const found: unknown = name in rule ? Reflect.get(rule, name) : undefined;
    return typeof found === 'number' ? found : null;
  };
  return {
    key,
    text: SETTING_TEXTS[key],
    value: current,
    standard: SETTINGS[key].standard,
    type: SETTINGS[key].type,
    minimum: number('minimum'),
    maximum: number('maximum'),
  };
};

const change = z
  .object({
    id: z.string(),
    at: instant,
    actor: z.string(),
    action: z.string(),
    kind: z.string(),
    name: z.string(),
    before: z.record(z.string(), z.unknown()).nullable(),
    after: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ id: 'Change' });

const asRecord = (json: string | null): Record<string, unknown> | null => {
  if (json === null) return null;
  const read: unknown = JSON.parse(json);
  return typeof read === 'object' && read !== null ? { ...read } : null;
};

export const settingRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/settings',
    tag: 'settings',
    summary: 'Every setting, with its default and its range',
    permission: 'settings.read',
    result: z.object({ items: z.array(setting) }),
    serve: async () => {
      const settings = await readSettings(parts.store.db);
      const keys = Object.keys(SETTINGS).filter(isSettingKey);
      return {
        body: { items: keys.map((key) => shown(key, settings[key])) },
        etag: etagOf(settings),
      };
    },
  }),
  route({
    ...plain,
    method: 'PUT',
    path: '/api/settings',
    tag: 'settings',
    summary: 'Change settings, all or none; null puts a default back',
    permission: 'settings.write',
    versioned: true,
    body: z.strictObject({
      values: z.record(
        z.string().max(128),
        z.union([z.number(), z.boolean(), z.string().max(1_000), z.null()]),
      ),
    }),
    result: z.object({ items: z.array(setting) }),
    serve: async ({ body, asked }, principal) => {
      const faults = Object.entries(body.values).flatMap(([key, wanted]) => {
        const problem = !isSettingKey(key)
          ? 'is not a setting'
          : wanted === null
            ? undefined
            : settingProblem(key, wanted);
        return problem === undefined ? [] : [{ where: `body.values.${key}`, message: problem }];
      });
      if (faults.length > 0) throw new ApiProblem('SP_API_INVALID', 'some values are not right', faults);
      const changes = await apply([{ name: 'body', text: JSON.stringify({ settings: body.values }) }], {
        store: parts.store,
        vault: parts.vault,
        actor: actorOf(principal),
        dryRun: false,
        prune: false,
        hashPassword: async () => '',
        refuseKeyLine: () => undefined,
        clock: parts.now,
        before: async (trx) => checkVersion(asked, etagOf(await readSettings(trx))),
      });
      await announceSettings(parts, changes, actorOf(principal));
      const settings = await readSettings(parts.store.db);
      const keys = Object.keys(SETTINGS).filter(isSettingKey);
      return { body: { items: keys.map((key) => shown(key, settings[key])) }, etag: etagOf(settings) };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/settings/{key}',
    tag: 'settings',
    summary: 'One setting',
    permission: 'settings.read',
    params: z.object({ key: word }),
    result: setting,
    serve: async ({ params }) => {
      if (!isSettingKey(params.key)) throw unknown('setting of this name');
      return { body: shown(params.key, (await readSettings(parts.store.db))[params.key]) };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/changes',
    tag: 'audit',
    summary: 'Who changed, ordered or viewed what; newest first',
    permission: 'changes.read',
    query: z.object({
      ...paging,
      order: z.enum(['desc', 'asc']).default('desc'),
      since: moment.optional(),
      until: moment.optional(),
      actor: word.optional(),
      kind: word.optional(),
      action: word.optional(),
      name: word.optional(),
    }),
    result: pageOf(change),
    serve: async ({ query }) => {
      const { since, until, actor, kind, action, name, order, limit, after } = query;
      const page = await listChanges(parts.store, {
        since,
        until,
        actor,
        kind,
        action,
        name,
        order,
        limit,
        after,
      });
      return {
        body: {
          items: page.rows.map((row) => ({
            id: row.id,
            at: asInstant(row.at),
            actor: row.actor,
            action: row.action,
            kind: row.kind,
            name: row.name,
            before: asRecord(row.before_json),
            after: asRecord(row.after_json),
          })),
          next: page.next ?? null,
        },
      };
    },
  }),
];
