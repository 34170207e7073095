// Tables of findings, of the threats that they roll up into, of investigations, watch lists and imported sign-ins.
import type { SchemaStep } from './step.ts';

export interface FindingsTable {
  /** Follows from the signal, the user and the day: scanning again finds the same row. */
  id: string;
  signal: string;
  user_id: string;
  user_name: string;
  first_at: number;
  last_at: number;
  severity: string;
  /** Hundredths of a point. */
  score: number;
  title: string;
  text: string;
  details_json: string;
  evidence_json: string;
  state: 'open' | 'expected' | 'closed';
  created_at: number;
  updated_at: number;
}

export interface ThreatsTable {
  id: string;
  model: string;
  user_id: string;
  user_name: string;
  first_at: number;
  last_at: number;
  severity: string;
  /** Hundredths of a point. */
  score: number;
  title: string;
  text: string;
  findings_json: string;
  status: 'new' | 'under-review' | 'escalated' | 'pending-hr' | 'expected' | 'closed';
  case_id: string | null;
  assignee: string | null;
  created_at: number;
  updated_at: number;
}

export interface ThreatStepsTable {
  id: string;
  threat_id: string;
  at: number;
  actor: string;
  status: string | null;
  case_id: string | null;
  assignee: string | null;
  note: string;
}

export interface WatchListsTable {
  list: string;
  user_name: string;
  added_at: number;
  added_by: string;
  note: string;
}

export interface ExternalSignInsTable {
  id: string;
  at: number;
  user_name: string;
  source_address: string;
  country: string | null;
  /** Thousandths of a degree. */
  latitude: number | null;
  longitude: number | null;
  system: string;
  outcome: 'success' | 'failure';
}

export interface ScansTable {
  id: string;
  at: number;
  since_at: number;
  until_at: number;
  users: number;
  activities: number;
  findings: number;
  threats: number;
  milliseconds: number;
}

export interface FindingTables {
  findings: FindingsTable;
  threats: ThreatsTable;
  threat_steps: ThreatStepsTable;
  watch_lists: WatchListsTable;
  external_sign_ins: ExternalSignInsTable;
  finding_scans: ScansTable;
}

export const findings: SchemaStep = async (db, { text, integer }) => {
  await db.schema
    .createTable('findings')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('signal', text, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('first_at', integer, (c) => c.notNull())
    .addColumn('last_at', integer, (c) => c.notNull())
    .addColumn('severity', text, (c) => c.notNull())
    .addColumn('score', integer, (c) => c.notNull())
    .addColumn('title', text, (c) => c.notNull())
    .addColumn('text', text, (c) => c.notNull())
    .addColumn('details_json', text, (c) => c.notNull())
    .addColumn('evidence_json', text, (c) => c.notNull())
    .addColumn('state', text, (c) => c.notNull())
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('findings_by_time').on('findings').columns(['last_at', 'id']).execute();
  await db.schema
    .createIndex('findings_by_user')
    .on('findings')
    .columns(['user_name', 'last_at', 'id'])
    .execute();
  await db.schema
    .createTable('threats')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('model', text, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('first_at', integer, (c) => c.notNull())
    .addColumn('last_at', integer, (c) => c.notNull())
    .addColumn('severity', text, (c) => c.notNull())
    .addColumn('score', integer, (c) => c.notNull())
    .addColumn('title', text, (c) => c.notNull())
    .addColumn('text', text, (c) => c.notNull())
    .addColumn('findings_json', text, (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('case_id', text)
    .addColumn('assignee', text)
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('threats_by_time').on('threats').columns(['last_at', 'id']).execute();
  await db.schema
    .createIndex('threats_by_user')
    .on('threats')
    .columns(['user_name', 'last_at', 'id'])
    .execute();
  await db.schema
    .createTable('threat_steps')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('threat_id', text, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('actor', text, (c) => c.notNull())
    .addColumn('status', text)
    .addColumn('case_id', text)
    .addColumn('assignee', text)
    .addColumn('note', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('threat_steps_by_threat')
    .on('threat_steps')
    .columns(['threat_id', 'at', 'id'])
    .execute();
  await db.schema
    .createTable('watch_lists')
    .addColumn('list', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('added_at', integer, (c) => c.notNull())
    .addColumn('added_by', text, (c) => c.notNull())
    .addColumn('note', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('watch_lists_pk', ['list', 'user_name'])
    .execute();
  await db.schema
    .createTable('external_sign_ins')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('source_address', text, (c) => c.notNull())
    .addColumn('country', text)
    .addColumn('latitude', integer)
    .addColumn('longitude', integer)
    .addColumn('system', text, (c) => c.notNull())
    .addColumn('outcome', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('external_sign_ins_by_time')
    .on('external_sign_ins')
    .columns(['at', 'id'])
    .execute();
  await db.schema
    .createTable('finding_scans')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('since_at', integer, (c) => c.notNull())
    .addColumn('until_at', integer, (c) => c.notNull())
    .addColumn('users', integer, (c) => c.notNull())
    .addColumn('activities', integer, (c) => c.notNull())
    .addColumn('findings', integer, (c) => c.notNull())
    .addColumn('threats', integer, (c) => c.notNull())
    .addColumn('milliseconds', integer, (c) => c.notNull())
    .execute();
};
