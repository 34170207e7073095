// Tables of what is done with credentials beside opening devices: who looked at one and why, and rotations with both
// versions sealed until the new one is proven.
import type { SchemaStep } from './step.ts';

export interface CredentialViewsTable {
  id: string;
  at: number;
  user_id: string;
  user_name: string;
  credential_id: string;
  credential_name: string;
  device_id: string;
  device_name: string;
  account: string;
  source_address: string;
  reason: string;
  outcome: 'shown' | 'refused';
  /** Why it was refused; empty otherwise. */
  code: string;
  score: number;
  suspicious: number;
  findings_json: string;
}

export interface CredentialRotationsTable {
  id: string;
  credential_id: string;
  credential_name: string;
  device_name: string;
  actor: string;
  /** `chpasswd`, `passwd`, `key`, … */
  method: string;
  state: 'prepared' | 'sent' | 'done' | 'failed' | 'unverified';
  detail: string;
  started_at: number;
  finished_at: number | null;
  /** Sealed under this row's id; null when it is not needed any more. */
  next_password_sealed: string | null;
  next_private_key_sealed: string | null;
  previous_password_sealed: string | null;
  previous_private_key_sealed: string | null;
}

/** Changes of credentials that have become events. */
export interface CredentialNoticesTable {
  change_id: string;
  at: number;
}

export interface CredentialWorkTables {
  credential_notices: CredentialNoticesTable;
  credential_views: CredentialViewsTable;
  credential_rotations: CredentialRotationsTable;
}

export const credentialWork: SchemaStep = async (db, { text, integer }) => {
  await db.schema
    .createTable('credential_views')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('credential_id', text, (c) => c.notNull())
    .addColumn('credential_name', text, (c) => c.notNull())
    .addColumn('device_id', text, (c) => c.notNull())
    .addColumn('device_name', text, (c) => c.notNull())
    .addColumn('account', text, (c) => c.notNull())
    .addColumn('source_address', text, (c) => c.notNull())
    .addColumn('reason', text, (c) => c.notNull())
    .addColumn('outcome', text, (c) => c.notNull())
    .addColumn('code', text, (c) => c.notNull())
    .addColumn('score', integer, (c) => c.notNull())
    .addColumn('suspicious', integer, (c) => c.notNull())
    .addColumn('findings_json', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('credential_views_by_time')
    .on('credential_views')
    .columns(['at', 'id'])
    .execute();
  await db.schema
    .createIndex('credential_views_by_user')
    .on('credential_views')
    .columns(['user_id', 'at'])
    .execute();
  await db.schema
    .createTable('credential_rotations')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('credential_id', text, (c) => c.notNull())
    .addColumn('credential_name', text, (c) => c.notNull())
    .addColumn('device_name', text, (c) => c.notNull())
    .addColumn('actor', text, (c) => c.notNull())
    .addColumn('method', text, (c) => c.notNull())
    .addColumn('state', text, (c) => c.notNull())
    .addColumn('detail', text, (c) => c.notNull())
    .addColumn('started_at', integer, (c) => c.notNull())
    .addColumn('finished_at', integer)
    .addColumn('next_password_sealed', text)
    .addColumn('next_private_key_sealed', text)
    .addColumn('previous_password_sealed', text)
    .addColumn('previous_private_key_sealed', text)
    .execute();
  await db.schema
    .createIndex('credential_rotations_by_credential')
    .on('credential_rotations')
    .columns(['credential_id', 'started_at'])
    .execute();
  await db.schema
    .createIndex('credential_rotations_by_state')
    .on('credential_rotations')
    .columns(['state', 'started_at'])
    .execute();
  await db.schema
    .createTable('credential_notices')
    .addColumn('change_id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .execute();
  // Whoever may open a device with a credential may look at it only where a grant says so.
  await db.schema
    .alterTable('grants')
    .addColumn('views', integer, (c) => c.notNull().defaultTo(0))
    .execute();
};
