// Every change of the directory leaves a row: who, when, what, before and after. Secrets never appear in it: a changed
// one is the word ‹changed›. The same differences are what `apply` prints.
import type { Transaction } from 'kysely';
import { newId } from '../store/id.ts';
import type { Schema } from '../store/store.ts';
import type { Vault } from './vault.ts';

export type Kind = 'user' | 'device' | 'credential' | 'grant' | 'setting';

/** What a change is made with: in whose name, at which moment (milliseconds since the epoch), sealed by what. */
export interface ChangeContext {
  readonly actor: string;
  readonly now: number;
  readonly vault: Vault;
}

export interface FieldChange {
  readonly field: string;
  /** Undefined: not set. */
  readonly before: unknown;
  readonly after: unknown;
}

export interface Change {
  readonly kind: Kind;
  readonly name: string;
  readonly action: 'created' | 'changed' | 'unchanged' | 'removed';
  readonly fields: readonly FieldChange[];
}

/** Stand for secrets wherever they would appear. */
export const SECRET_SET = '‹set›';
export const SECRET_CHANGED = '‹changed›';

/** A thing as it may be shown: no secrets. Fields that are undefined or empty lists count as not set. */
export type Shown = Readonly<Record<string, unknown>>;

const isUnset = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

export const differences = (before: Shown, after: Shown): readonly FieldChange[] => {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields.flatMap((field) => {
    const was = isUnset(before[field]) ? undefined : before[field];
    const is = isUnset(after[field]) ? undefined : after[field];
    return JSON.stringify(was) === JSON.stringify(is) ? [] : [{ field, before: was, after: is }];
  });
};

const withFields = (fields: readonly FieldChange[], side: 'before' | 'after'): string =>
  JSON.stringify(Object.fromEntries(fields.map((field) => [field.field, field[side] ?? null])));

/** Writes the change's row, unless nothing changed, and makes every gateway reread the directory. */
export const recordChange = async (
  trx: Transaction<Schema>,
  context: Pick<ChangeContext, 'actor' | 'now'>,
  change: Change,
): Promise<Change> => {
  if (change.action === 'unchanged') return change;
  await trx
    .insertInto('changes')
    .values({
      id: newId(),
      at: context.now,
      actor: context.actor,
      action: change.action,
      kind: change.kind,
      name: change.name,
      before_json: change.action === 'created' ? null : withFields(change.fields, 'before'),
      after_json: change.action === 'removed' ? null : withFields(change.fields, 'after'),
    })
    .execute();
  await trx
    .updateTable('directory_state')
    .set((e) => ({ version: e('version', '+', 1) }))
    .where('id', '=', 1)
    .execute();
  return change;
};
