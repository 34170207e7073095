// The settings that administrators tune: each key's range and default in one table, from which reading, writing and
// checking all follow. Keys are dotted paths; in YAML they may be nested. What they do is up to src/behaviour.
import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import type { Schema } from '../store/store.ts';
import type { Change, ChangeContext } from './changes.ts';
import { differences, recordChange } from './changes.ts';

type Rule =
  | {
      readonly type: 'integer' | 'number';
      readonly minimum: number;
      readonly maximum: number;
      readonly standard: number;
    }
  | { readonly type: 'flag'; readonly standard: boolean }
  | { readonly type: 'text'; readonly longest: number; readonly standard: string }
  /** A zone of the IANA database, such as `Europe/Paris`. */
  | { readonly type: 'timeZone'; readonly standard: string };

const integer = (minimum: number, maximum: number, standard: number) =>
  ({ type: 'integer', minimum, maximum, standard }) as const;
const number = (minimum: number, maximum: number, standard: number) =>
  ({ type: 'number', minimum, maximum, standard }) as const;
const flag = { type: 'flag', standard: false } as const;

/** Days, percent, points and counts, as behaviour defines them. */
export const SETTINGS = {
  contact: { type: 'text', longest: 200, standard: 'your administrator' },
  minimumSuspiciousScore: integer(1, 15, 5),
  initialRating: number(0, 10, 5),
  'session.historyDays': integer(1, 1_000, 90),
  'session.variationRate': number(0, 100, 10),
  'session.submitHighRiskToAudit': flag,
  'session.timeZone': { type: 'timeZone', standard: 'UTC' },
  'session.weights.target': integer(0, 3, 3),
  'session.weights.origin': integer(0, 3, 3),
  'session.weights.credential': integer(0, 3, 3),
  'session.weights.time': integer(0, 3, 3),
  'session.weights.duration': integer(0, 3, 3),
  'session.weights.commands': integer(0, 3, 3),
  'session.weights.volume': integer(0, 3, 3),
  'session.weights.privilege': integer(0, 3, 3),
  'view.historyDays': integer(1, 1_000, 90),
  'view.variationRate': number(0, 100, 10),
  'view.weights.origin': integer(0, 3, 0),
  'view.weights.credential': integer(0, 3, 3),
  'view.weights.time': integer(0, 3, 0),
  'view.weights.passwordChange': integer(0, 3, 3),
  'actions.duration.blockSession': flag,
  'actions.duration.blockSessionAndUser': flag,
  'actions.time.blockSession': flag,
  'actions.time.blockSessionAndUser': flag,
  'actions.origin.blockSession': flag,
  'actions.origin.blockSessionAndUser': flag,
  'actions.target.blockSession': flag,
  'actions.target.blockSessionAndUser': flag,
  'actions.credential.blockSession': flag,
  'actions.credential.blockSessionAndUser': flag,
  'actions.commands.reauthenticate': flag,
  'actions.commands.submitToAudit': flag,
  'continuousIdentification.ratingDrop': number(0, 10, 0),
  'continuousIdentification.highRiskSessions': integer(0, 1_000, 0),
  'continuousIdentification.blockedCommands': integer(0, 1_000, 0),
  'continuousIdentification.sessionAttemptsAtProhibitedTimes': integer(0, 1_000, 0),
  'continuousIdentification.viewAttemptsAtProhibitedTimes': integer(0, 1_000, 0),
  'continuousIdentification.patienceSeconds': integer(30, 3_600, 300),
  'continuousIdentification.tries': integer(1, 10, 3),
} as const satisfies Readonly<Record<string, Rule>>;

export type SettingKey = keyof typeof SETTINGS;
export type SettingValue = number | boolean | string;

type ValueOf<R extends Rule> = R extends { readonly type: 'flag' }
  ? boolean
  : R extends { readonly type: 'text' | 'timeZone' }
    ? string
    : number;

export type Settings = { readonly [Key in SettingKey]: ValueOf<(typeof SETTINGS)[Key]> };

export const isSettingKey = (key: string): key is SettingKey => Object.hasOwn(SETTINGS, key);

/** True when longer keys begin with this one: in YAML it holds keys, not a value. */
export const isSettingGroup = (prefix: string): boolean =>
  Object.keys(SETTINGS).some((key) => key.startsWith(`${prefix}.`));

const schemaFor = (rule: Rule): z.ZodType<SettingValue> => {
  switch (rule.type) {
    case 'flag':
      return z.boolean('must be true or false');
    case 'text':
      return z
        .string('must be text')
        .min(1, 'must be text')
        .max(rule.longest, `must have at most ${rule.longest} characters`)
        .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'must not hold control characters');
    case 'timeZone':
      return z
        .string('must be a time zone')
        .max(64, 'must be a time zone')
        .refine(isTimeZone, 'must be a time zone such as Europe/Paris');
    case 'integer':
    case 'number': {
      const problem = `must be ${rule.type === 'integer' ? 'a whole number' : 'a number'} from ${rule.minimum} to ${rule.maximum}`;
      const number = z.number(problem).min(rule.minimum, problem).max(rule.maximum, problem);
      return rule.type === 'integer' ? number.refine(Number.isInteger, problem) : number;
    }
  }
};

const isTimeZone = (zone: string): boolean => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
};

const keys: readonly SettingKey[] = Object.keys(SETTINGS).filter(isSettingKey);

const schemas: ReadonlyMap<SettingKey, z.ZodType<SettingValue>> = new Map(
  keys.map((key) => [key, schemaFor(SETTINGS[key])]),
);

/** What one key takes; undefined for a key that there is not. */
export const settingSchema = (key: string): z.ZodType<SettingValue> | undefined =>
  isSettingKey(key) ? schemas.get(key) : undefined;

/** Several changes at once, as the API takes them: null puts the default back. */
export const settingChangesSchema = z.strictObject(
  Object.fromEntries(
    [...schemas].map(([key, schema]): [string, z.ZodType] => [key, schema.nullable().optional()]),
  ),
);

/** Undefined: the value is right. Otherwise what it should be. */
export const settingProblem = (key: SettingKey, value: unknown): string | undefined => {
  const result = schemas.get(key)?.safeParse(value);
  return result?.success === true ? undefined : (result?.error.issues[0]?.message ?? 'is no setting');
};

/** What a key takes, in words, such as `1–15` or `true or false`. */
export const settingRange = (key: SettingKey): string => {
  const rule: Rule = SETTINGS[key];
  switch (rule.type) {
    case 'flag':
      return 'true or false';
    case 'text':
      return 'text';
    case 'timeZone':
      return 'a time zone';
    case 'integer':
    case 'number':
      return `${rule.minimum}–${rule.maximum}`;
  }
};

/** Reads a value from a command line: numbers and flags as such. Undefined: it is none of this key's kind. */
export const readSettingValue = (key: SettingKey, text: string): SettingValue | undefined => {
  switch (SETTINGS[key].type) {
    case 'flag':
      return text === 'true' || text === 'yes' ? true : text === 'false' || text === 'no' ? false : undefined;
    case 'integer':
    case 'number':
      return /^-?\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : undefined;
    case 'text':
    case 'timeZone':
      return text;
  }
};

type Reader = Kysely<Schema> | Transaction<Schema>;

const readStored = async (db: Reader): Promise<ReadonlyMap<string, unknown>> => {
  const rows = await db.selectFrom('settings').select(['key', 'value_json']).execute();
  return new Map(rows.map((row): [string, unknown] => [row.key, JSON.parse(row.value_json)]));
};

/** Every key, with its default where nothing (or nothing valid any more) is stored. */
export const readSettings = async (db: Reader): Promise<Settings> => {
  const stored = await readStored(db);
  const pick = <Key extends SettingKey>(key: Key): unknown => {
    const value = stored.get(key);
    return value !== undefined && settingProblem(key, value) === undefined ? value : SETTINGS[key].standard;
  };
  const entries = keys.map((key) => [key, pick(key)] as const);
  return assembled(Object.fromEntries(entries));
};

const assembled = (values: Record<string, unknown>): Settings => {
  const isComplete = (candidate: Record<string, unknown>): candidate is Record<string, unknown> & Settings =>
    Object.keys(SETTINGS).every(
      (key) => isSettingKey(key) && settingProblem(key, candidate[key]) === undefined,
    );
  if (!isComplete(values)) throw new TypeError('the table of settings has a default outside its own range');
  return values;
};

/** `undefined` puts the default back. The value must have been checked. */
export const putSetting = async (
  trx: Transaction<Schema>,
  context: Pick<ChangeContext, 'actor' | 'now'>,
  key: SettingKey,
  value: SettingValue | undefined,
): Promise<Change> => {
  const before = (await readStored(trx)).get(key) ?? SETTINGS[key].standard;
  const after = value ?? SETTINGS[key].standard;
  const fields = differences({ value: before }, { value: after });
  const change = { kind: 'setting', name: key, fields } as const;
  if (fields.length === 0) return { ...change, action: 'unchanged' };
  await trx.deleteFrom('settings').where('key', '=', key).execute();
  if (value !== undefined) {
    await trx
      .insertInto('settings')
      .values({ key, value_json: JSON.stringify(value), updated_at: context.now })
      .execute();
  }
  return recordChange(trx, context, { ...change, action: 'changed' });
};

/** What is wrong with the settings together, as they are in this transaction; undefined: nothing. */
export const settingsConflict = async (trx: Transaction<Schema>): Promise<string | undefined> => {
  const settings = await readSettings(trx);
  if (!settings['session.submitHighRiskToAudit']) return undefined;
  const users = await trx
    .selectFrom('users')
    .select('roles_json')
    .where('disabled_reason', 'is', null)
    .where('roles_json', 'like', '%"auditor"%')
    .limit(1)
    .execute();
  return users.length > 0
    ? undefined
    : 'session.submitHighRiskToAudit needs at least one user with the role auditor';
};
