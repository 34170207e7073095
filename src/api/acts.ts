// The trail of what administrators and auditors do through the API beyond changing the directory (which leaves its own
// rows): orders, publications, signing in, and every viewing of a recording. Written before the answer goes out.
import { storable } from '../directory/shown-text.ts';
import { newId } from '../store/id.ts';
import type { Page } from '../store/page.ts';
import { readPage } from '../store/page.ts';
import type { ChangesTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

export interface Act {
  readonly actor: string;
  /** Such as `viewed`, `ended`, `published`. */
  readonly action: string;
  readonly kind: string;
  /** Of what it was done to. */
  readonly name: string;
  /** Never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

export const recordAct = async (store: Store, at: number, act: Act): Promise<void> => {
  await store.append('changes', [
    {
      id: newId(),
      at,
      actor: storable(act.actor, 256),
      action: act.action,
      kind: act.kind,
      name: storable(act.name, 256),
      before_json: null,
      after_json: act.detail === undefined ? null : JSON.stringify(act.detail),
    },
  ]);
};

export interface ChangeFilter {
  readonly since: number | undefined;
  readonly until: number | undefined;
  readonly actor: string | undefined;
  readonly kind: string | undefined;
  readonly action: string | undefined;
  readonly name: string | undefined;
  /** Newest first, where nothing else is said. */
  readonly order?: 'asc' | 'desc';
  readonly limit: number;
  readonly after: string | undefined;
}

export const listChanges = (store: Store, filter: ChangeFilter): Promise<Page<ChangesTable>> => {
  let query = store.db.selectFrom('changes').selectAll();
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
  if (filter.until !== undefined) query = query.where('at', '<', filter.until);
  if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor);
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.action !== undefined) query = query.where('action', '=', filter.action);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  return readPage(query, {
    time: 'at',
    id: 'id',
    order: filter.order === 'asc' ? 'oldest-first' : 'newest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row.at, id: row.id }),
  });
};
