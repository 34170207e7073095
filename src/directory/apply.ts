// Makes the directory what the files say: all of it in one transaction or nothing. Reading is document.ts, writing each
// kind is its own module; here are the references between them, the order, and passwords. A second run changes nothing.
import { verify } from '@node-rs/argon2';
import type { Transaction } from 'kysely';
import type { Schema, Store } from '../store/store.ts';
import type { Change, ChangeContext } from './changes.ts';
import { putCredential, removeCredential } from './credentials.ts';
import { putDevice, removeDevice } from './devices.ts';
import type { DocumentChecks, Problem, Section, SourceFile, Wanted, WantedUser } from './document.ts';
import { readDocuments, showProblem } from './document.ts';
import type { GrantSpec } from './grants.ts';
import { putGrant, removeGrant } from './grants.ts';
import { putSetting, settingsConflict } from './settings.ts';
import { shown } from './shown-text.ts';
import { passwordHashesOf, putUser, removeUser } from './users.ts';
import type { Vault } from './vault.ts';

/** The files can't be applied; nothing was. Holds every problem, in the order of the files. */
export class ApplyError extends Error {
  readonly code = 'SP_APPLY';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(showProblem).join('\n'));
    this.name = 'ApplyError';
    this.problems = problems;
  }
}

export interface ApplyOptions extends DocumentChecks {
  readonly store: Store;
  readonly vault: Vault;
  /** As sign-ins expect hashes: argon2id in PHC form. */
  readonly hashPassword: (password: string) => Promise<string>;
  /** Whom the change log names. */
  readonly actor: string;
  /** Find the changes, make none. */
  readonly dryRun: boolean;
  /** Remove what the files don't name, of those kinds that they list at all. */
  readonly prune: boolean;
  readonly clock?: () => number;
  /** Run first in the transaction: what it throws is thrown, and nothing is changed. */
  readonly before?: (trx: Transaction<Schema>) => Promise<void>;
}

type Names = Readonly<Record<Section, ReadonlySet<string>>>;

const PASSWORDS_AT_ONCE = 2;

const namesIn = async (db: Store['db'] | Transaction<Schema>): Promise<Names> => {
  const namesOf = async (table: Section): Promise<ReadonlySet<string>> => {
    const rows = await db.selectFrom(table).select('name').execute();
    return new Set(rows.map((row) => row.name));
  };
  return {
    users: await namesOf('users'),
    devices: await namesOf('devices'),
    credentials: await namesOf('credentials'),
    grants: await namesOf('grants'),
  };
};

/** What there will be when the files have been applied. */
const namesAfter = (wanted: Wanted, existing: Names, prune: boolean): Names => {
  const after = (section: Section): ReadonlySet<string> =>
    prune && wanted.sections.has(section)
      ? wanted.names[section]
      : new Set([...existing[section], ...wanted.names[section]]);
  return {
    users: after('users'),
    devices: after('devices'),
    credentials: after('credentials'),
    grants: after('grants'),
  };
};

const danglingProblems = (wanted: Wanted, names: Names): readonly Problem[] =>
  wanted.references
    .filter(({ to, name }) => !names[to].has(name))
    .map(({ to, name, problem }) => problem(`there is no ${to.slice(0, -1)} ${shown(name, 64)}`));

const inFileOrder = (files: readonly SourceFile[], problems: readonly Problem[]): readonly Problem[] => {
  const order = new Map(files.map((file, index) => [file.name, index]));
  const rank = (problem: Problem): number => order.get(problem.file) ?? files.length;
  return problems.toSorted((a, b) => rank(a) - rank(b) || a.line - b.line || a.column - b.column);
};

/** The hash to store for each user with a password: the stored one when it is this password's already. */
const hashesFor = async (
  { store, hashPassword }: ApplyOptions,
  users: readonly WantedUser[],
): Promise<ReadonlyMap<string, string>> => {
  const withPassword = users.flatMap(({ name, password }) =>
    password === undefined ? [] : [{ name, password }],
  );
  const stored = await passwordHashesOf(
    store,
    withPassword.map((user) => user.name),
  );
  const hashes = new Map<string, string>();
  const next = withPassword.values();
  const work = async (): Promise<void> => {
    for (const { name, password } of next) {
      const known = stored.get(name);
      // A stored hash that can't be read is replaced.
      const same = known !== undefined && (await verify(known, password).catch(() => false));
      hashes.set(name, known !== undefined && same ? known : await hashPassword(password));
    }
  };
  await Promise.all(Array.from({ length: PASSWORDS_AT_ONCE }, work));
  return hashes;
};

/** A grant that names credentials alone means their devices; written out, so that removals never widen it. */
const withDevices = async (trx: Transaction<Schema>, grant: GrantSpec): Promise<GrantSpec> => {
  if (grant.devices.length > 0 || grant.tags.length > 0 || grant.credentials === undefined) return grant;
  const rows = await trx
    .selectFrom('credentials')
    .innerJoin('devices', 'devices.id', 'credentials.device_id')
    .select('devices.name as name')
    .where('credentials.name', 'in', [...grant.credentials])
    .execute();
  return { ...grant, devices: rows.map((row) => row.name) };
};

const pruneAll = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  wanted: Wanted,
  existing: Names,
): Promise<readonly Change[]> => {
  const changes: Change[] = [];
  const surplus = (section: Section): readonly string[] =>
    wanted.sections.has(section)
      ? [...existing[section]].filter((name) => !wanted.names[section].has(name)).sort()
      : [];
  for (const name of surplus('grants')) changes.push(await removeGrant(trx, context, name));
  for (const name of surplus('credentials')) changes.push(await removeCredential(trx, context, name));
  for (const name of surplus('devices')) changes.push(await removeDevice(trx, context, name));
  for (const name of surplus('users')) changes.push(await removeUser(trx, context, name));
  return changes;
};

class DryRun extends Error {
  readonly changes: readonly Change[];

  constructor(changes: readonly Change[]) {
    super('a dry run changes nothing');
    this.changes = changes;
  }
}

/** Answers every change, also what stayed as it was. Throws ApplyError with all problems; StoreError. */
export const apply = async (
  files: readonly SourceFile[],
  options: ApplyOptions,
): Promise<readonly Change[]> => {
  const { store, vault, actor, dryRun, prune, clock = Date.now } = options;
  const { wanted, problems } = readDocuments(files, options);
  const existing = await namesIn(store.db);
  const all = [...problems, ...danglingProblems(wanted, namesAfter(wanted, existing, prune))];
  if (all.length > 0) throw new ApplyError(inFileOrder(files, all));
  const hashes = await hashesFor(
    options,
    wanted.users.map((user) => user.spec),
  );
  const context: ChangeContext = { actor, now: clock(), vault };
  try {
    return await store.transaction(async (trx) => {
      await options.before?.(trx);
      const changes: Change[] = [];
      const now = await namesIn(trx);
      const dangling = danglingProblems(wanted, namesAfter(wanted, now, prune));
      if (dangling.length > 0) throw new ApplyError(inFileOrder(files, dangling));
      for (const { spec } of wanted.settings)
        changes.push(await putSetting(trx, context, spec.key, spec.value));
      for (const { spec } of wanted.users) {
        const { password: _, ...user } = spec;
        const passwordHash = hashes.get(spec.name) ?? spec.passwordHash;
        changes.push(await putUser(trx, context, { ...user, passwordHash }));
      }
      for (const { spec } of wanted.devices) changes.push(await putDevice(trx, context, spec));
      for (const { spec } of wanted.credentials) changes.push(await putCredential(trx, context, spec));
      for (const { spec } of wanted.grants)
        changes.push(await putGrant(trx, context, await withDevices(trx, spec)));
      if (prune) changes.push(...(await pruneAll(trx, context, wanted, now)));
      const [setting] = wanted.settings;
      const conflict = setting === undefined ? undefined : await settingsConflict(trx);
      if (setting !== undefined && conflict !== undefined)
        throw new ApplyError([setting.problemAt([], conflict)]);
      if (dryRun) throw new DryRun(changes);
      return changes;
    });
  } catch (error) {
    if (error instanceof DryRun) return error.changes;
    throw error;
  }
};

const showValue = (value: unknown): string => {
  if (value === undefined) return '–';
  if (Array.isArray(value)) return value.map((item) => showValue(item)).join(', ');
  return shown(typeof value === 'string' ? value : JSON.stringify(value), 120);
};

/** For people: a line for the thing, one for each field that changed. */
export const showChange = (change: Change): readonly string[] => [
  `${change.kind} ${shown(change.name, 128)}: ${change.action}`,
  ...change.fields.map(({ field, before, after }) =>
    change.action === 'created'
      ? `  ${field}: ${showValue(after)}`
      : change.action === 'removed'
        ? `  ${field}: ${showValue(before)}`
        : `  ${field}: ${showValue(before)} → ${showValue(after)}`,
  ),
];
