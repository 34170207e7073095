// Tables of the auditors' queue: what is to be looked at, by whom, and every step that was taken.
import { sql } from 'kysely';
import type { SchemaStep } from './step.ts';

export interface DefaultAuditorsTable {
  user_name: string;
  added_at: number;
  added_by: string;
}

export interface AuditEntriesTable {
  id: string;
  kind: 'session' | 'view';
  /** The session's or the view's id. */
  subject_id: string;
  user_id: string;
  user_name: string;
  submitted_at: number;
  reason: string;
  score: number;
  state: 'open' | 'audited';
  audited_by: string | null;
  audited_at: number | null;
}

export interface AuditAssignmentsTable {
  entry_id: string;
  auditor: string;
}

export interface AuditStepsTable {
  id: string;
  entry_id: string;
  at: number;
  /** Empty: the gateway. */
  auditor: string;
  step: 'submitted' | 'commented' | 'audited' | 'reopened' | 'assigned';
  comment: string;
}

export interface AuditQueueTables {
  default_auditors: DefaultAuditorsTable;
  audit_entries: AuditEntriesTable;
  audit_assignments: AuditAssignmentsTable;
  audit_steps: AuditStepsTable;
}

export const auditQueue: SchemaStep = async (db, { text, integer }) => {
  await db.schema
    .createTable('default_auditors')
    .addColumn('user_name', text, (c) => c.primaryKey())
    .addColumn('added_at', integer, (c) => c.notNull())
    .addColumn('added_by', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('audit_entries')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('kind', text, (c) => c.notNull())
    .addColumn('subject_id', text, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('submitted_at', integer, (c) => c.notNull())
    .addColumn('reason', text, (c) => c.notNull())
    .addColumn('score', integer, (c) => c.notNull())
    .addColumn('state', text, (c) => c.notNull())
    .addColumn('audited_by', text)
    .addColumn('audited_at', integer)
    .addUniqueConstraint('audit_entries_subject', ['kind', 'subject_id'])
    .execute();
  await db.schema
    .createIndex('audit_entries_by_time')
    .on('audit_entries')
    .columns(['submitted_at', 'id'])
    .execute();
  await db.schema
    .createTable('audit_assignments')
    .addColumn('entry_id', text, (c) => c.notNull())
    .addColumn('auditor', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('audit_assignments_pk', ['auditor', 'entry_id'])
    .execute();
  await db.schema
    .createIndex('audit_assignments_by_entry')
    .on('audit_assignments')
    .column('entry_id')
    .execute();
  await db.schema
    .createTable('audit_steps')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('entry_id', text, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('auditor', text, (c) => c.notNull())
    .addColumn('step', text, (c) => c.notNull())
    .addColumn('comment', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('audit_steps_by_entry')
    .on('audit_steps')
    .columns(['entry_id', 'at', 'id'])
    .execute();
  // Looked at every other second: what is to be audited is a few rows among very many.
  await sql`create index session_risks_submitted on session_risks (started_at) where submitted = 1`.execute(
    db,
  );
};
