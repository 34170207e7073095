// Who audits: the default auditors, or as long as there is none, everybody with the role. A name counts only while its
// user is there, enabled, and an auditor; so what is submitted finds somebody as long as there is any auditor.
import type { Kysely, Transaction } from 'kysely';
import { shown } from '../directory/shown-text.ts';
import { readStringList } from '../directory/stored-json.ts';
import type { Schema, Store } from '../store/store.ts';
import { AuditQueueError } from './errors.ts';

type Reader = Kysely<Schema> | Transaction<Schema>;

export interface Auditor {
  readonly id: string;
  readonly name: string;
}

const readAuditors = async (db: Reader): Promise<readonly Auditor[]> => {
  const users = await db
    .selectFrom('users')
    .select(['id', 'name', 'roles_json'])
    .where('disabled_reason', 'is', null)
    .orderBy('name')
    .execute();
  return users
    .filter((user) => readStringList(user.roles_json, 'a user’s roles').includes('auditor'))
    .map(({ id, name }) => ({ id, name }));
};

/** Throws SP_AUDIT_NO_AUDITOR. */
export const auditorNamed = async (db: Reader, name: string): Promise<Auditor> => {
  const found = (await readAuditors(db)).find((auditor) => auditor.name === name);
  if (found !== undefined) return found;
  throw new AuditQueueError('SP_AUDIT_NO_AUDITOR', `${shown(name, 64)} is not an auditor`);
};

/** Those who get what is submitted, by name. */
export const defaultAuditors = async (db: Reader): Promise<readonly Auditor[]> => {
  const named = await db.selectFrom('default_auditors').select('user_name').execute();
  const all = await readAuditors(db);
  const names = new Set(named.map((row) => row.user_name));
  const defaults = all.filter(({ name }) => names.has(name));
  return defaults.length > 0 ? defaults : all;
};

export interface DefaultAuditorView {
  readonly name: string;
  readonly addedAt: number;
  readonly addedBy: string;
  /** False: disabled, gone, or not an auditor any more; gets nothing. */
  readonly active: boolean;
}

export const listDefaultAuditors = async (store: Store): Promise<readonly DefaultAuditorView[]> => {
  const rows = await store.db.selectFrom('default_auditors').selectAll().orderBy('user_name').execute();
  const active = new Set((await readAuditors(store.db)).map(({ name }) => name));
  return rows.map((row) => ({
    name: row.user_name,
    addedAt: row.added_at,
    addedBy: row.added_by,
    active: active.has(row.user_name),
  }));
};

/** Throws SP_AUDIT_NO_AUDITOR. False: was one already. */
export const addDefaultAuditor = (
  store: Store,
  name: string,
  { by, now }: { readonly by: string; readonly now: number },
): Promise<boolean> =>
  store.transaction(async (trx) => {
    await auditorNamed(trx, name);
    const result = await trx
      .insertInto('default_auditors')
      .values({ user_name: name, added_at: now, added_by: by })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    return Number(result.numInsertedOrUpdatedRows ?? 0) === 1;
  });

/** False: was none. */
export const removeDefaultAuditor = async (store: Store, name: string): Promise<boolean> => {
  const result = await store.db
    .deleteFrom('default_auditors')
    .where('user_name', '=', name)
    .executeTakeFirst();
  return Number(result.numDeletedRows) === 1;
};

/**
 * Names all of them at once. `before` is given those that are named until then, inside the transaction, and may throw.
 * Throws SP_AUDIT_NO_AUDITOR: then nothing has changed.
 */
export const setDefaultAuditors = (
  store: Store,
  names: readonly string[],
  {
    by,
    now,
    before,
  }: {
    readonly by: string;
    readonly now: number;
    readonly before: (named: readonly string[]) => void;
  },
): Promise<{ readonly added: readonly string[]; readonly removed: readonly string[] }> =>
  store.transaction(async (trx) => {
    const rows = await trx.selectFrom('default_auditors').select('user_name').orderBy('user_name').execute();
    const named = rows.map((row) => row.user_name);
    before(named);
    const wanted = [...new Set(names)];
    const added = wanted.filter((name) => !named.includes(name));
    const removed = named.filter((name) => !wanted.includes(name));
    for (const name of added) {
      await auditorNamed(trx, name);
      await trx
        .insertInto('default_auditors')
        .values({ user_name: name, added_at: now, added_by: by })
        .execute();
    }
    if (removed.length > 0)
      await trx.deleteFrom('default_auditors').where('user_name', 'in', removed).execute();
    return { added, removed };
  });
