// Changing the system settings, for the command line and the API alike: checked, in one transaction, each change in the
// log of changes and among the events, and every gateway told at once. What they mean is src/behaviour's business.
import type { NewEvent } from '../behaviour/events.ts';
import type { Change } from '../directory/changes.ts';
import { DirectoryError } from '../directory/errors.ts';
import {
  isSettingKey,
  putSetting,
  readSettings,
  SETTINGS,
  type SettingKey,
  type SettingValue,
  settingProblem,
  settingRange,
  settingsConflict,
} from '../directory/settings.ts';
import { shown } from '../directory/shown-text.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Page } from '../store/page.ts';
import { readPage } from '../store/page.ts';
import type { ChangesTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

/** The store's topic on which changes of settings are told; the payload is empty. */
export const SETTINGS_CHANGED = 'settings-changed';

export interface SettingView {
  readonly key: SettingKey;
  readonly value: SettingValue;
  readonly standard: SettingValue;
  /** What the key takes, in words. */
  readonly range: string;
}

export const listSettings = async (store: Store): Promise<readonly SettingView[]> => {
  const current = await readSettings(store.db);
  return Object.keys(SETTINGS)
    .filter(isSettingKey)
    .map((key) => ({
      key,
      value: current[key],
      standard: SETTINGS[key].standard,
      range: settingRange(key),
    }));
};

/**
 * Changes settings, all or none; undefined puts a default back. Every gateway is told. Throws DirectoryError:
 * SP_NOT_FOUND for an unknown key, SP_INVALID for a value out of range.
 */
export const changeSettings = async (
  { store, events }: { readonly store: Store; readonly events: EventLog },
  wanted: ReadonlyMap<string, SettingValue | undefined>,
  by: { readonly actor: string; readonly now: number },
): Promise<readonly Change[]> => {
  const checked = [...wanted].map(([key, value]): readonly [SettingKey, SettingValue | undefined] => {
    if (!isSettingKey(key)) throw new DirectoryError('SP_NOT_FOUND', `there is no setting ${shown(key, 64)}`);
    const problem = value === undefined ? undefined : settingProblem(key, value);
    if (problem !== undefined) throw new DirectoryError('SP_INVALID', `${key} ${problem}`);
    return [key, value];
  });
  const changes = await store.transaction(async (trx) => {
    const made: Change[] = [];
    for (const [key, value] of checked) made.push(await putSetting(trx, by, key, value));
    const conflict = await settingsConflict(trx);
    if (conflict !== undefined) throw new DirectoryError('SP_INVALID', conflict);
    return made;
  });
  await announceSettings({ store, events }, changes, by.actor);
  return changes;
};

/** What `apply` has changed of the settings goes among the events too, and every gateway is told. */
export const announceSettings = async (
  { store, events }: { readonly store: Store; readonly events: EventLog },
  changes: readonly Change[],
  actor: string,
): Promise<void> => {
  const made = changes.filter(({ kind, action }) => kind === 'setting' && action !== 'unchanged');
  if (made.length === 0) return;
  await events.append(
    made.map(
      ({ name, fields }): NewEvent => ({
        kind: 'setting-changed',
        by: actor,
        key: name,
        before: fields[0]?.before ?? null,
        after: fields[0]?.after ?? null,
      }),
    ),
  );
  await store.notify(SETTINGS_CHANGED, '');
};

/** Who changed which setting when, newest first. */
export const settingHistory = (
  store: Store,
  filter: {
    readonly key: string | undefined;
    readonly since: number | undefined;
    readonly limit: number;
    readonly after: string | undefined;
  },
): Promise<Page<ChangesTable>> => {
  let query = store.db.selectFrom('changes').selectAll().where('kind', '=', 'setting');
  if (filter.key !== undefined) query = query.where('name', '=', filter.key);
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
  return readPage(query, {
    time: 'at',
    id: 'id',
    order: 'newest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row.at, id: row.id }),
  });
};
