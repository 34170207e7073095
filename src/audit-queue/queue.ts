// The auditors' queue: sessions and views that somebody should look at, given to the default auditors, with comments, a
// mark when it is done, and every step kept. An auditor sees what was given to them and never what they did themselves.
// Each step is an event as well.
import type { Transaction } from 'kysely';
import type { NewEvent } from '../behaviour/events.ts';
import { shown, storable } from '../directory/shown-text.ts';
import type { EventLog } from '../events/event-log.ts';
import { newId } from '../store/id.ts';
import { type Page, readPage } from '../store/page.ts';
import type { AuditEntriesTable, AuditStepsTable } from '../store/steps/audit-queue.ts';
import type { Schema, Store } from '../store/store.ts';
import { auditorNamed, defaultAuditors } from './auditors.ts';
import { AuditQueueError } from './errors.ts';

/** In characters, as a person counts them. */
export const LONGEST_COMMENT = 500;
const ADMIT_AT_ONCE = 500;

export interface AuditQueueParts {
  readonly store: Store;
  readonly events: Pick<EventLog, 'append'>;
  readonly now: () => number;
}

export interface Submission {
  readonly kind: 'session' | 'view';
  /** The session's or the view's id. */
  readonly subject: string;
  readonly user: { readonly id: string; readonly name: string };
  readonly reason: string;
  readonly score: number;
}

export interface AuditEntryView {
  readonly id: string;
  readonly kind: 'session' | 'view';
  readonly subject: string;
  readonly user: string;
  readonly submittedAt: number;
  readonly reason: string;
  readonly score: number;
  readonly state: 'open' | 'audited';
  readonly auditedBy: string | undefined;
  readonly auditedAt: number | undefined;
}

export interface AuditStepView {
  readonly at: number;
  /** Empty: the gateway. */
  readonly auditor: string;
  readonly step: AuditStepsTable['step'];
  readonly comment: string;
}

const viewOf = (row: AuditEntriesTable): AuditEntryView => ({
  id: row.id,
  kind: row.kind,
  subject: row.subject_id,
  user: row.user_name,
  submittedAt: row.submitted_at,
  reason: row.reason,
  score: row.score,
  state: row.state,
  auditedBy: row.audited_by ?? undefined,
  auditedAt: row.audited_at ?? undefined,
});

const noteStep = (
  trx: Transaction<Schema>,
  entry: string,
  step: {
    readonly at: number;
    readonly auditor: string;
    readonly step: AuditStepsTable['step'];
    readonly comment?: string;
  },
) =>
  trx
    .insertInto('audit_steps')
    .values({ id: newId(), entry_id: entry, comment: '', ...step })
    .execute();

const eventOf = (
  row: Pick<AuditEntriesTable, 'id' | 'kind' | 'subject_id' | 'user_id' | 'user_name'>,
  step: 'submitted' | 'commented' | 'audited' | 'reopened',
  auditor: string,
  comment: string,
): NewEvent => ({
  kind: 'audit-changed',
  entry: row.id,
  user: { id: row.user_id, name: row.user_name },
  subject: { kind: row.kind, id: row.subject_id },
  step,
  auditor,
  comment,
});

/** Puts it in the queues of the default auditors, once. False: it is there already. */
export const submitForAudit = async (
  { store, events, now }: AuditQueueParts,
  { kind, subject, user, reason, score }: Submission,
): Promise<boolean> => {
  const row: AuditEntriesTable = {
    id: newId(),
    kind,
    subject_id: subject,
    user_id: user.id,
    user_name: user.name,
    submitted_at: now(),
    reason: storable(reason, 500),
    score: Math.round(score),
    state: 'open',
    audited_by: null,
    audited_at: null,
  };
  const made = await store.transaction(async (trx) => {
    const inserted = await trx
      .insertInto('audit_entries')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (Number(inserted.numInsertedOrUpdatedRows ?? 0) === 0) return false;
    // What its only auditor did waits where administrators see it, until somebody else is given it.
    const auditors = (await defaultAuditors(trx)).filter(
      ({ id, name }) => id !== user.id && name !== user.name,
    );
    if (auditors.length > 0) {
      await trx
        .insertInto('audit_assignments')
        .values(auditors.map(({ name }) => ({ entry_id: row.id, auditor: name })))
        .execute();
    }
    await noteStep(trx, row.id, { at: row.submitted_at, auditor: '', step: 'submitted' });
    return true;
  });
  if (made) await events.append([eventOf(row, 'submitted', '', row.reason)]);
  return made;
};

/** Takes over what the sessions' risks say is to be audited; answers how many entries that made. */
export const admitSubmitted = async (parts: AuditQueueParts): Promise<number> => {
  const rows = await parts.store.db
    .selectFrom('session_risks')
    .leftJoin('audit_entries', (join) =>
      join
        .onRef('audit_entries.subject_id', '=', 'session_risks.session_id')
        .on('audit_entries.kind', '=', 'session'),
    )
    .select([
      'session_risks.session_id as session',
      'session_risks.user_id as userId',
      'session_risks.user_name as userName',
      'session_risks.score as score',
    ])
    .where('session_risks.submitted', '=', 1)
    .where('audit_entries.id', 'is', null)
    .orderBy('session_risks.started_at')
    .limit(ADMIT_AT_ONCE)
    .execute();
  let made = 0;
  for (const row of rows) {
    const submitted = await submitForAudit(parts, {
      kind: 'session',
      subject: row.session,
      user: { id: row.userId, name: row.userName },
      reason: `risk ${row.score}`,
      score: row.score,
    });
    if (submitted) made += 1;
  }
  return made;
};

export interface AuditFilter {
  /** What this auditor was given; undefined: everything, for administrators. */
  readonly auditor: string | undefined;
  readonly state: 'open' | 'audited' | undefined;
  readonly user: string | undefined;
  readonly since: number | undefined;
  readonly limit: number;
  readonly after: string | undefined;
  /** Newest first, where nothing else is said. */
  readonly sort?: 'submitted' | 'score';
  readonly order?: 'asc' | 'desc';
}

/** Newest first. */
export const listAuditEntries = async (store: Store, filter: AuditFilter): Promise<Page<AuditEntryView>> => {
  let query = store.db.selectFrom('audit_entries').selectAll();
  const { auditor, state, user, since } = filter;
  if (auditor !== undefined) {
    const known = await auditorNamed(store.db, auditor);
    query = query
      .where('user_name', '<>', known.name)
      .where('user_id', '<>', known.id)
      .where((e) =>
        e.exists(
          e
            .selectFrom('audit_assignments')
            .select('audit_assignments.entry_id')
            .whereRef('audit_assignments.entry_id', '=', 'audit_entries.id')
            .where('audit_assignments.auditor', '=', known.name),
        ),
      );
  }
  if (state !== undefined) query = query.where('state', '=', state);
  if (user !== undefined) query = query.where('user_name', '=', user);
  if (since !== undefined) query = query.where('submitted_at', '>=', since);
  const time = filter.sort === 'score' ? 'score' : 'submitted_at';
  const page = await readPage(query, {
    time,
    id: 'id',
    order: filter.order === 'asc' ? 'oldest-first' : 'newest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row[time], id: row.id }),
  });
  return { rows: page.rows.map(viewOf), next: page.next };
};

const unknown = (id: string): AuditQueueError =>
  new AuditQueueError('SP_AUDIT_UNKNOWN', `there is no entry ${shown(id, 64)} in this queue`);

/** By its whole id, the id of what it is about, or a beginning of either that only one has. */
const entryOf = async (trx: Transaction<Schema> | Store['db'], id: string): Promise<AuditEntriesTable> => {
  if (!/^[0-9a-f-]{8,36}$/.test(id)) throw unknown(id);
  const rows = await trx
    .selectFrom('audit_entries')
    .selectAll()
    .where((e) =>
      e.or([
        e.and([e('id', '>=', id), e('id', '<', `${id}~`)]),
        e.and([e('subject_id', '>=', id), e('subject_id', '<', `${id}~`)]),
      ]),
    )
    .limit(2)
    .execute();
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw unknown(id);
  return row;
};

/** The entry, for an auditor to whom it was given. Throws SP_AUDIT_OWN, SP_AUDIT_UNKNOWN. */
const entryFor = async (
  trx: Transaction<Schema> | Store['db'],
  id: string,
  auditorName: string,
): Promise<AuditEntriesTable> => {
  const auditor = await auditorNamed(trx, auditorName);
  const row = await entryOf(trx, id);
  if (row.user_id === auditor.id || row.user_name === auditor.name)
    throw new AuditQueueError('SP_AUDIT_OWN', 'nobody audits what they did themselves');
  const given = await trx
    .selectFrom('audit_assignments')
    .select('entry_id')
    .where('entry_id', '=', row.id)
    .where('auditor', '=', auditor.name)
    .executeTakeFirst();
  if (given === undefined) throw unknown(id);
  return row;
};

const commentOf = (text: string): string => {
  const comment = storable(text, 10_000).trim();
  const length = [...comment].length;
  if (length === 0) throw new AuditQueueError('SP_AUDIT_COMMENT', 'a comment must not be empty');
  if (length > LONGEST_COMMENT)
    throw new AuditQueueError(
      'SP_AUDIT_COMMENT',
      `a comment has at most ${LONGEST_COMMENT} characters: this one has ${length}`,
    );
  return comment;
};

export interface AuditDetail {
  readonly entry: AuditEntryView;
  readonly auditors: readonly string[];
  readonly history: readonly AuditStepView[];
}

/** With its history, oldest first. `auditor` undefined: for administrators. */
export const auditDetail = async (
  store: Store,
  id: string,
  auditor: string | undefined,
): Promise<AuditDetail> => {
  const row = auditor === undefined ? await entryOf(store.db, id) : await entryFor(store.db, id, auditor);
  const [steps, assigned] = await Promise.all([
    store.db
      .selectFrom('audit_steps')
      .select(['at', 'auditor', 'step', 'comment'])
      .where('entry_id', '=', row.id)
      .orderBy('at')
      .orderBy('id')
      .limit(1_000)
      .execute(),
    store.db
      .selectFrom('audit_assignments')
      .select('auditor')
      .where('entry_id', '=', row.id)
      .orderBy('auditor')
      .execute(),
  ]);
  return { entry: viewOf(row), auditors: assigned.map((one) => one.auditor), history: steps };
};

/** Also on what is audited already. */
export const commentEntry = async (
  { store, events, now }: AuditQueueParts,
  { id, auditor, comment: text }: { readonly id: string; readonly auditor: string; readonly comment: string },
): Promise<void> => {
  const comment = commentOf(text);
  const row = await store.transaction(async (trx) => {
    const found = await entryFor(trx, id, auditor);
    await noteStep(trx, found.id, { at: now(), auditor, step: 'commented', comment });
    return found;
  });
  await events.append([eventOf(row, 'commented', auditor, comment)]);
};

const turn = async (
  { store, events, now }: AuditQueueParts,
  {
    id,
    auditor,
    comment: text,
    to,
  }: {
    readonly id: string;
    readonly auditor: string;
    readonly comment: string | undefined;
    readonly to: 'audited' | 'open';
  },
): Promise<void> => {
  const comment = text === undefined ? '' : commentOf(text);
  const at = now();
  const step = to === 'audited' ? 'audited' : 'reopened';
  const row = await store.transaction(async (trx) => {
    const found = await entryFor(trx, id, auditor);
    const changed = await trx
      .updateTable('audit_entries')
      .set({
        state: to,
        audited_by: to === 'audited' ? auditor : null,
        audited_at: to === 'audited' ? at : null,
      })
      .where('id', '=', found.id)
      .where('state', '=', to === 'audited' ? 'open' : 'audited')
      .executeTakeFirst();
    if (Number(changed.numUpdatedRows) === 0) {
      throw new AuditQueueError(
        'SP_AUDIT_STATE',
        to === 'audited'
          ? `it is audited already, by ${found.audited_by ?? 'somebody'}`
          : 'it is open already',
      );
    }
    await noteStep(trx, found.id, { at, auditor, step, comment });
    return found;
  });
  await events.append([eventOf(row, step, auditor, comment)]);
};

/** Throws SP_AUDIT_STATE when somebody else was first. */
export const markAudited = (
  parts: AuditQueueParts,
  entry: { readonly id: string; readonly auditor: string; readonly comment: string | undefined },
): Promise<void> => turn(parts, { ...entry, to: 'audited' });

export const reopenEntry = (
  parts: AuditQueueParts,
  entry: { readonly id: string; readonly auditor: string; readonly comment: string | undefined },
): Promise<void> => turn(parts, { ...entry, to: 'open' });

/** Gives an entry to one more auditor, for administrators. Throws SP_AUDIT_OWN, SP_AUDIT_NO_AUDITOR. */
export const assignEntry = async (
  { store, now }: AuditQueueParts,
  { id, auditor, by }: { readonly id: string; readonly auditor: string; readonly by: string },
): Promise<void> =>
  store.transaction(async (trx) => {
    const known = await auditorNamed(trx, auditor);
    const row = await entryOf(trx, id);
    if (row.user_id === known.id || row.user_name === known.name)
      throw new AuditQueueError('SP_AUDIT_OWN', 'nobody audits what they did themselves');
    const result = await trx
      .insertInto('audit_assignments')
      .values({ entry_id: row.id, auditor: known.name })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (Number(result.numInsertedOrUpdatedRows ?? 0) === 0) return;
    await noteStep(trx, row.id, { at: now(), auditor: by, step: 'assigned', comment: known.name });
  });
