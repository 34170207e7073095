// Users: what is known of them, changed as a whole by `apply` and piece by piece by the command line. Passwords come
// here as hashes; TOTP secrets are sealed on their way in. Signing in is login-directory.ts.
import type { Kysely, Transaction } from 'kysely';
import type { AuthenticationMethod } from '../../proxy/login/ports.ts';
import { newId } from '../store/id.ts';
import type { Schema, Store } from '../store/store.ts';
import type { Change, ChangeContext, Shown } from './changes.ts';
import { differences, recordChange, SECRET_CHANGED, SECRET_SET } from './changes.ts';
import { DirectoryError } from './errors.ts';
import { allOf, oneOf, readListOfLists, readStringList } from './stored-json.ts';
import type { SealedPlace } from './vault.ts';

export const ROLES = ['engineer', 'administrator', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

export const PRIORITIES = ['critical', 'high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const METHODS = ['publickey', 'password', 'totp'] as const satisfies readonly AuthenticationMethod[];

/** A user as an administrator wants it. What is absent is absent, not left as it was. */
export interface UserSpec {
  readonly name: string;
  /** argon2id, PHC string form. */
  readonly passwordHash: string | undefined;
  /** Lines in the form of authorized_keys. */
  readonly keys: readonly string[];
  readonly totpSecret: Buffer | undefined;
  readonly roles: readonly Role[];
  readonly groups: readonly string[];
  readonly department: string | undefined;
  readonly priority: Priority;
  /** Sufficient combinations; undefined: the default ones (combinationsOf). */
  readonly authentication: readonly (readonly AuthenticationMethod[])[] | undefined;
}

/** A user as it may be shown. */
export interface UserView {
  readonly id: string;
  readonly name: string;
  readonly password: boolean;
  readonly keys: readonly string[];
  readonly totp: boolean;
  readonly roles: readonly Role[];
  readonly groups: readonly string[];
  readonly department: string | undefined;
  readonly priority: Priority;
  readonly authentication: readonly (readonly AuthenticationMethod[])[] | undefined;
  readonly disabledReason: string | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The first factor may be a key or a password; where a TOTP secret is set, its code is asked for as well. */
export const combinationsOf = (user: {
  readonly authentication: readonly (readonly AuthenticationMethod[])[] | undefined;
  readonly password: boolean;
  readonly totp: boolean;
}): readonly (readonly AuthenticationMethod[])[] => {
  if (user.authentication !== undefined && user.authentication.length > 0) return user.authentication;
  // A key is always among them: a certificate counts as one and belongs to no list.
  const first: AuthenticationMethod[] = user.password ? ['publickey', 'password'] : ['publickey'];
  return first.map((method) => (user.totp ? [method, 'totp'] : [method]));
};

export const totpPlace = (userId: string): SealedPlace => ({
  purpose: 'totp secret',
  id: userId,
  field: 'totp',
});

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const sortedSet = (words: readonly string[]): readonly string[] =>
  [...new Set(words)].sort(byCodeUnits);

type Reader = Kysely<Schema> | Transaction<Schema>;

interface StoredUser {
  readonly view: UserView;
  readonly passwordHash: string | null;
  readonly totpSealed: string | null;
}

/** Undefined: all users, by name. */
const readUsers = async (
  db: Reader,
  names: readonly string[] | undefined,
): Promise<readonly StoredUser[]> => {
  const rows = await db
    .selectFrom('users')
    .selectAll()
    .$if(names !== undefined, (query) => query.where('name', 'in', [...(names ?? [])]))
    .orderBy('name')
    .execute();
  const one = rows.length === 1 ? rows[0]?.id : undefined;
  const keys = await db
    .selectFrom('user_keys')
    .selectAll()
    .$if(one !== undefined, (query) => query.where('user_id', '=', one ?? ''))
    .orderBy('user_id')
    .orderBy('position')
    .execute();
  const groups = await db
    .selectFrom('user_groups')
    .selectAll()
    .$if(one !== undefined, (query) => query.where('user_id', '=', one ?? ''))
    .orderBy('user_id')
    .orderBy('group_name')
    .execute();
  const keysOf = Map.groupBy(keys, (key) => key.user_id);
  const groupsOf = Map.groupBy(groups, (group) => group.user_id);
  return rows.map((row) => ({
    passwordHash: row.password_hash,
    totpSealed: row.totp_sealed,
    view: {
      id: row.id,
      name: row.name,
      password: row.password_hash !== null,
      keys: (keysOf.get(row.id) ?? []).map((key) => key.line),
      totp: row.totp_sealed !== null,
      roles: allOf(ROLES, readStringList(row.roles_json, 'a user’s roles'), 'a user’s roles'),
      groups: (groupsOf.get(row.id) ?? []).map((group) => group.group_name),
      department: row.department ?? undefined,
      priority: oneOf(PRIORITIES, row.priority) ?? 'medium',
      authentication:
        row.authentication_json === null
          ? undefined
          : readListOfLists(row.authentication_json, 'a user’s combinations').map((list) =>
              allOf(METHODS, list, 'a user’s combinations'),
            ),
      disabledReason: row.disabled_reason ?? undefined,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    },
  }));
};

/** By name. */
export const listUsers = async (store: Store): Promise<readonly UserView[]> =>
  (await readUsers(store.db, undefined)).map((user) => user.view);

export const findUserView = async (db: Reader, name: string): Promise<UserView | undefined> =>
  (await readUsers(db, [name]))[0]?.view;

/** The stored hashes of these users, so that a password can be compared before a transaction begins. */
export const passwordHashesOf = async (
  store: Store,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> => {
  if (names.length === 0) return new Map();
  const wanted = new Set(names);
  const rows = await store.db.selectFrom('users').select(['name', 'password_hash']).execute();
  return new Map(
    rows.flatMap((row): [string, string][] =>
      row.password_hash !== null && wanted.has(row.name) ? [[row.name, row.password_hash]] : [],
    ),
  );
};

const shownUser = (user: {
  readonly keys: readonly string[];
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly department: string | undefined;
  readonly priority: string;
  readonly authentication: readonly (readonly string[])[] | undefined;
}): Shown => ({
  keys: user.keys,
  roles: user.roles,
  groups: user.groups,
  department: user.department,
  priority: user.priority,
  authentication: user.authentication,
});

const secretChange = (
  field: string,
  before: boolean,
  after: boolean,
  changed: boolean,
): readonly {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}[] =>
  changed
    ? [
        {
          field,
          before: before ? SECRET_SET : undefined,
          after: after ? (before ? SECRET_CHANGED : SECRET_SET) : undefined,
        },
      ]
    : [];

/** True when the sealed secret is not this one; one that can't be opened is not this one either. */
const totpDiffers = (
  context: ChangeContext,
  userId: string,
  sealed: string | null,
  wanted: Buffer | undefined,
): boolean => {
  if (sealed === null || wanted === undefined) return (sealed === null) !== (wanted === undefined);
  try {
    return !context.vault.open(totpPlace(userId), sealed).equals(wanted);
  } catch (error) {
    if (error instanceof DirectoryError && error.code === 'SP_VAULT_OPEN') return true;
    throw error;
  }
};

const replaceLists = async (trx: Transaction<Schema>, userId: string, spec: UserSpec): Promise<void> => {
  await trx.deleteFrom('user_keys').where('user_id', '=', userId).execute();
  await trx.deleteFrom('user_groups').where('user_id', '=', userId).execute();
  if (spec.keys.length > 0) {
    await trx
      .insertInto('user_keys')
      .values(spec.keys.map((line, position) => ({ user_id: userId, position, line })))
      .execute();
  }
  const groups = sortedSet(spec.groups);
  if (groups.length > 0) {
    await trx
      .insertInto('user_groups')
      .values(groups.map((group_name) => ({ user_id: userId, group_name })))
      .execute();
  }
};

/** Makes the user what the specification says. Being disabled is not part of it and stays as it is. */
export const putUser = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  spec: UserSpec,
): Promise<Change> => {
  const current = (await readUsers(trx, [spec.name]))[0];
  const id = current?.view.id ?? newId();
  const wanted = { ...spec, groups: sortedSet(spec.groups), roles: sortedSet(spec.roles) };
  const was: Shown =
    current === undefined ? {} : shownUser({ ...current.view, roles: sortedSet(current.view.roles) });
  const passwordDiffers = (current?.passwordHash ?? undefined) !== spec.passwordHash;
  const codeDiffers = totpDiffers(context, id, current?.totpSealed ?? null, spec.totpSecret);
  const fields = [
    ...secretChange(
      'password',
      current?.view.password ?? false,
      spec.passwordHash !== undefined,
      passwordDiffers,
    ),
    ...secretChange('totp', current?.view.totp ?? false, spec.totpSecret !== undefined, codeDiffers),
    ...differences(was, shownUser(wanted)),
  ];
  const change = { kind: 'user', name: spec.name, fields } as const;
  if (current !== undefined && fields.length === 0) return { ...change, action: 'unchanged' };
  const columns = {
    password_hash: spec.passwordHash ?? null,
    totp_sealed: codeDiffers
      ? spec.totpSecret === undefined
        ? null
        : context.vault.seal(totpPlace(id), spec.totpSecret)
      : (current?.totpSealed ?? null),
    roles_json: JSON.stringify(wanted.roles),
    department: spec.department ?? null,
    priority: spec.priority,
    authentication_json: spec.authentication === undefined ? null : JSON.stringify(spec.authentication),
    updated_at: context.now,
  };
  if (current === undefined) {
    await trx
      .insertInto('users')
      .values({ ...columns, id, name: spec.name, disabled_reason: null, created_at: context.now })
      .execute();
  } else {
    await trx.updateTable('users').set(columns).where('id', '=', id).execute();
    // Whoever signed in to the console with the old factors is out. Tokens are secrets of their own, and stay.
    if (passwordDiffers || codeDiffers)
      await trx.deleteFrom('api_sessions').where('user_id', '=', id).execute();
  }
  await replaceLists(trx, id, spec);
  return recordChange(trx, context, { ...change, action: current === undefined ? 'created' : 'changed' });
};

/** `reason` undefined: may sign in again. Throws SP_NOT_FOUND. */
export const setUserDisabled = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  name: string,
  reason: string | undefined,
): Promise<Change> => {
  const current = await findUserView(trx, name);
  if (current === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no user ${name}`);
  const fields = differences({ disabled: current.disabledReason }, { disabled: reason });
  const change = { kind: 'user', name, fields } as const;
  if (fields.length === 0) return { ...change, action: 'unchanged' };
  await trx
    .updateTable('users')
    .set({ disabled_reason: reason ?? null, updated_at: context.now })
    .where('id', '=', current.id)
    .execute();
  return recordChange(trx, context, { ...change, action: 'changed' });
};

/** Also takes the name out of every grant, so that a later user of the same name inherits nothing. */
export const removeUser = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  name: string,
): Promise<Change> => {
  const current = (await readUsers(trx, [name]))[0];
  if (current === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no user ${name}`);
  await trx.deleteFrom('grant_members').where('kind', '=', 'user').where('value', '=', name).execute();
  await trx.deleteFrom('users').where('id', '=', current.view.id).execute();
  const fields = [
    ...secretChange('password', current.view.password, false, current.view.password),
    ...secretChange('totp', current.view.totp, false, current.view.totp),
    ...differences(shownUser(current.view), {}),
  ];
  return recordChange(trx, context, { kind: 'user', name, action: 'removed', fields });
};
