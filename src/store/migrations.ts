// The schema's history, oldest first; each step runs once, in a transaction, on SQLite and PostgreSQL alike. A new
// table is a new step at the end: steps that were released are never edited. Steps use literal names, never schema.ts,
// so that an old step means the same for ever.
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration, MigrationProvider } from 'kysely/migration';
import { auditQueue } from './steps/audit-queue.ts';
import { credentialWork } from './steps/credential-work.ts';
import { exceptionRequests } from './steps/exception-requests.ts';
import { findings } from './steps/findings.ts';
import { listOrders } from './steps/list-orders.ts';
import { nonInteractive } from './steps/non-interactive.ts';
import { outputs } from './steps/outputs.ts';
import { passkeys } from './steps/passkeys.ts';
import { terminalReading } from './steps/terminal-reading.ts';

/** Column types that mean the same on both stores. Text compares by bytes, so that orders and keysets agree. */
interface ColumnTypes {
  readonly text: ReturnType<typeof sql>;
  /** 64 bits; values stay within Number.MAX_SAFE_INTEGER. */
  readonly integer: 'bigint' | 'integer';
}

type Step = (db: Kysely<unknown>, types: ColumnTypes) => Promise<void>;

const directory: Step = async (db, { text, integer }) => {
  await db.schema
    .createTable('users')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('name', text, (c) => c.notNull().unique())
    .addColumn('password_hash', text)
    .addColumn('totp_sealed', text)
    .addColumn('roles_json', text, (c) => c.notNull())
    .addColumn('department', text)
    .addColumn('priority', text, (c) => c.notNull())
    .addColumn('authentication_json', text)
    .addColumn('disabled_reason', text)
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('user_keys')
    .addColumn('user_id', text, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('position', integer, (c) => c.notNull())
    .addColumn('line', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('user_keys_pk', ['user_id', 'position'])
    .execute();
  await db.schema
    .createTable('user_groups')
    .addColumn('user_id', text, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('group_name', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('user_groups_pk', ['user_id', 'group_name'])
    .execute();
  await db.schema
    .createTable('devices')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('name', text, (c) => c.notNull().unique())
    .addColumn('host', text, (c) => c.notNull())
    .addColumn('port', integer, (c) => c.notNull())
    .addColumn('os', text)
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('device_tags')
    .addColumn('device_id', text, (c) => c.notNull().references('devices.id').onDelete('cascade'))
    .addColumn('tag', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('device_tags_pk', ['device_id', 'tag'])
    .execute();
  await db.schema
    .createTable('device_host_keys')
    .addColumn('device_id', text, (c) => c.notNull().references('devices.id').onDelete('cascade'))
    .addColumn('position', integer, (c) => c.notNull())
    .addColumn('key_line', text, (c) => c.notNull())
    .addColumn('origin', text, (c) => c.notNull())
    .addColumn('pinned_at', integer, (c) => c.notNull())
    .addPrimaryKeyConstraint('device_host_keys_pk', ['device_id', 'position'])
    .execute();
  await db.schema
    .createTable('credentials')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('name', text, (c) => c.notNull().unique())
    .addColumn('device_id', text, (c) => c.notNull().references('devices.id').onDelete('cascade'))
    .addColumn('username', text, (c) => c.notNull())
    .addColumn('kind', text, (c) => c.notNull())
    .addColumn('password_sealed', text)
    .addColumn('private_key_sealed', text)
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('credentials_by_device').on('credentials').column('device_id').execute();
  await db.schema
    .createTable('grants')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('name', text, (c) => c.notNull().unique())
    .addColumn('channels_json', text, (c) => c.notNull())
    .addColumn('subsystems_json', text, (c) => c.notNull())
    .addColumn('times_json', text, (c) => c.notNull())
    .addColumn('recording', text, (c) => c.notNull())
    .addColumn('contact', text)
    .addColumn('any_credential', integer, (c) => c.notNull())
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('grant_members')
    .addColumn('grant_id', text, (c) => c.notNull().references('grants.id').onDelete('cascade'))
    .addColumn('kind', text, (c) => c.notNull())
    .addColumn('value', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('grant_members_pk', ['grant_id', 'kind', 'value'])
    .execute();
  await db.schema
    .createIndex('grant_members_by_value')
    .on('grant_members')
    .columns(['kind', 'value'])
    .execute();
  await db.schema
    .createTable('settings')
    .addColumn('key', text, (c) => c.primaryKey())
    .addColumn('value_json', text, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('directory_state')
    .addColumn('id', integer, (c) => c.primaryKey())
    .addColumn('version', integer, (c) => c.notNull())
    .execute();
  await sql`insert into directory_state (id, version) values (1, 1)`.execute(db);
};

const sessions: Step = async (db, { text, integer }) => {
  // No foreign keys: what happened stays, whatever becomes of the user or the device.
  await db.schema
    .createTable('sessions')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('device_id', text, (c) => c.notNull())
    .addColumn('device_name', text, (c) => c.notNull())
    .addColumn('device_host', text, (c) => c.notNull())
    .addColumn('device_port', integer, (c) => c.notNull())
    .addColumn('credential_id', text, (c) => c.notNull())
    .addColumn('credential_name', text, (c) => c.notNull())
    .addColumn('account', text, (c) => c.notNull())
    .addColumn('grant_id', text, (c) => c.notNull())
    .addColumn('grant_name', text, (c) => c.notNull())
    .addColumn('recording', text, (c) => c.notNull())
    .addColumn('source_address', text, (c) => c.notNull())
    .addColumn('source_port', integer, (c) => c.notNull())
    .addColumn('client_identification', text, (c) => c.notNull())
    .addColumn('authentication', text, (c) => c.notNull())
    .addColumn('via', text, (c) => c.notNull())
    .addColumn('gateway', text, (c) => c.notNull())
    .addColumn('started_at', integer, (c) => c.notNull())
    .addColumn('ended_at', integer)
    .addColumn('end_reason', text)
    .addColumn('bytes_from_client', integer)
    .addColumn('bytes_from_device', integer)
    .execute();
  await db.schema.createIndex('sessions_by_start').on('sessions').columns(['started_at', 'id']).execute();
  await db.schema
    .createIndex('sessions_by_user')
    .on('sessions')
    .columns(['user_name', 'started_at'])
    .execute();
  await db.schema
    .createIndex('sessions_by_device')
    .on('sessions')
    .columns(['device_name', 'started_at'])
    .execute();
  await sql`create index sessions_live on sessions (gateway) where ended_at is null`.execute(db);
  await db.schema
    .createTable('refusals')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('source_address', text, (c) => c.notNull())
    .addColumn('wanted', text, (c) => c.notNull())
    .addColumn('code', text, (c) => c.notNull())
    .addColumn('detail', text, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('refusals_by_time').on('refusals').columns(['at', 'id']).execute();
  await db.schema
    .createTable('login_failures')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('key', text, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('login_failures_by_key').on('login_failures').columns(['key', 'at']).execute();
  await db.schema.createIndex('login_failures_by_time').on('login_failures').column('at').execute();
  await db.schema
    .createTable('login_sources')
    .addColumn('user_id', text, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('address', text, (c) => c.notNull())
    .addColumn('last_at', integer, (c) => c.notNull())
    .addPrimaryKeyConstraint('login_sources_pk', ['user_id', 'address'])
    .execute();
  await db.schema
    .createTable('totp_steps')
    .addColumn('user_id', text, (c) => c.primaryKey().references('users.id').onDelete('cascade'))
    .addColumn('step', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('changes')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('actor', text, (c) => c.notNull())
    .addColumn('action', text, (c) => c.notNull())
    .addColumn('kind', text, (c) => c.notNull())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('before_json', text)
    .addColumn('after_json', text)
    .execute();
  await db.schema.createIndex('changes_by_time').on('changes').columns(['at', 'id']).execute();
};

const commands: Step = async (db, { text, integer }) => {
  // No foreign keys, as for sessions: what was done stays.
  await db.schema
    .createTable('commands')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('session_id', text, (c) => c.notNull())
    .addColumn('channel', integer, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('recording_offset', integer, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('device_id', text, (c) => c.notNull())
    .addColumn('device_name', text, (c) => c.notNull())
    .addColumn('credential_id', text, (c) => c.notNull())
    .addColumn('credential_name', text, (c) => c.notNull())
    .addColumn('account', text, (c) => c.notNull())
    .addColumn('source_address', text, (c) => c.notNull())
    .addColumn('channel_kind', text, (c) => c.notNull())
    .addColumn('context', text, (c) => c.notNull())
    .addColumn('typed', text, (c) => c.notNull())
    .addColumn('command', text, (c) => c.notNull())
    .addColumn('candidates_json', text, (c) => c.notNull())
    .addColumn('analysed_json', text, (c) => c.notNull())
    .addColumn('word', text, (c) => c.notNull())
    .addColumn('how_read', text, (c) => c.notNull())
    .addColumn('confidence', integer, (c) => c.notNull())
    .addColumn('hidden', integer, (c) => c.notNull())
    .addColumn('decision', text, (c) => c.notNull())
    .addColumn('outcome', text, (c) => c.notNull())
    .addColumn('outcome_detail', text, (c) => c.notNull())
    .addColumn('rules_json', text, (c) => c.notNull())
    .addColumn('criticality', text)
    .addColumn('points', integer, (c) => c.notNull())
    .addColumn('policy_version', text, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('commands_by_time').on('commands').columns(['at', 'id']).execute();
  for (const [name, column] of [
    ['commands_by_session', 'session_id'],
    ['commands_by_user', 'user_name'],
    ['commands_by_device', 'device_name'],
    ['commands_by_credential', 'credential_name'],
    ['commands_by_word', 'word'],
  ] as const) {
    await db.schema.createIndex(name).on('commands').columns([column, 'at', 'id']).execute();
  }
  await db.schema
    .createTable('command_rules')
    .addColumn('command_id', text, (c) => c.notNull())
    .addColumn('rule', text, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('session_id', text, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .addPrimaryKeyConstraint('command_rules_pk', ['command_id', 'rule'])
    .execute();
  await db.schema
    .createIndex('command_rules_by_user')
    .on('command_rules')
    .columns(['user_id', 'at', 'rule'])
    .execute();
  await db.schema
    .createTable('approvals')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('command_id', text, (c) => c.notNull())
    .addColumn('session_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('device_name', text, (c) => c.notNull())
    .addColumn('account', text, (c) => c.notNull())
    .addColumn('command', text, (c) => c.notNull())
    .addColumn('rule', text, (c) => c.notNull())
    .addColumn('asked_at', integer, (c) => c.notNull())
    .addColumn('expires_at', integer, (c) => c.notNull())
    .addColumn('state', text, (c) => c.notNull())
    .addColumn('decided_by', text)
    .addColumn('decided_at', integer)
    .execute();
  await db.schema.createIndex('approvals_by_time').on('approvals').columns(['asked_at', 'id']).execute();
  await db.schema.createIndex('approvals_by_session').on('approvals').columns(['session_id']).execute();
};

const behaviour: Step = async (db, { text, integer }) => {
  // No foreign keys to users or sessions: what happened stays, whatever becomes of them.
  await db.schema
    .createTable('events')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('kind', text, (c) => c.notNull())
    .addColumn('user_id', text)
    .addColumn('user_name', text)
    .addColumn('session_id', text)
    .addColumn('event_json', text, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('events_by_time').on('events').columns(['at', 'id']).execute();
  await db.schema.createIndex('events_by_user').on('events').columns(['user_id', 'at', 'id']).execute();
  await db.schema.createIndex('events_by_session').on('events').columns(['session_id', 'at', 'id']).execute();
  await db.schema
    .createTable('session_risks')
    .addColumn('session_id', text, (c) => c.primaryKey())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('device_name', text, (c) => c.notNull())
    .addColumn('credential_name', text, (c) => c.notNull())
    .addColumn('source_address', text, (c) => c.notNull())
    .addColumn('started_at', integer, (c) => c.notNull())
    .addColumn('ended_at', integer)
    .addColumn('score', integer, (c) => c.notNull())
    .addColumn('command_points', integer, (c) => c.notNull())
    .addColumn('audited_commands', integer, (c) => c.notNull())
    .addColumn('blocked_commands', integer, (c) => c.notNull())
    .addColumn('suspicious_at', integer)
    .addColumn('standing', text, (c) => c.notNull())
    .addColumn('submitted', integer, (c) => c.notNull())
    .addColumn('action', text, (c) => c.notNull())
    .addColumn('history_sessions', integer, (c) => c.notNull())
    .addColumn('measured_json', text, (c) => c.notNull())
    .addColumn('findings_json', text, (c) => c.notNull())
    .addColumn('activity_json', text, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('session_risks_by_user')
    .on('session_risks')
    .columns(['user_id', 'started_at'])
    .execute();
  await db.schema
    .createIndex('session_risks_by_time')
    .on('session_risks')
    .columns(['started_at', 'session_id'])
    .execute();
  await db.schema
    .createIndex('session_risks_by_suspicion')
    .on('session_risks')
    .columns(['suspicious_at'])
    .execute();
  await db.schema
    .createTable('behaviour_profiles')
    .addColumn('user_id', text, (c) => c.primaryKey())
    .addColumn('from_day', integer, (c) => c.notNull())
    .addColumn('to_day', integer, (c) => c.notNull())
    .addColumn('profile_json', text, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('behaviour_days')
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('day', integer, (c) => c.notNull())
    .addColumn('profile_json', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('behaviour_days_pk', ['user_id', 'day'])
    .execute();
  await db.schema
    .createTable('peer_counts')
    .addColumn('peers', text, (c) => c.notNull())
    .addColumn('dimension', text, (c) => c.notNull())
    .addColumn('value', text, (c) => c.notNull())
    .addColumn('sessions', integer, (c) => c.notNull())
    .addColumn('last_day', integer, (c) => c.notNull())
    .addPrimaryKeyConstraint('peer_counts_pk', ['peers', 'dimension', 'value'])
    .execute();
  await db.schema
    .createTable('command_profiles')
    .addColumn('user_id', text, (c) => c.primaryKey())
    .addColumn('profile_json', text, (c) => c.notNull())
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('ratings')
    .addColumn('user_id', text, (c) => c.primaryKey())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('initial', integer, (c) => c.notNull())
    .addColumn('rating', integer, (c) => c.notNull())
    .addColumn('reference', integer, (c) => c.notNull())
    .addColumn('position', integer, (c) => c.notNull())
    .addColumn('counted_since', integer, (c) => c.notNull())
    .addColumn('high_risk_sessions', integer, (c) => c.notNull())
    .addColumn('blocked_commands', integer, (c) => c.notNull())
    .addColumn('session_attempts', integer, (c) => c.notNull())
    .addColumn('view_attempts', integer, (c) => c.notNull())
    .addColumn('active_day', integer)
    .addColumn('suspicious_day', integer)
    .addColumn('updated_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('rating_ledger')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('position', integer, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('cause', text, (c) => c.notNull())
    .addColumn('event_json', text, (c) => c.notNull())
    .addColumn('session_id', text)
    .addColumn('second', integer)
    .addColumn('before', integer, (c) => c.notNull())
    .addColumn('after', integer, (c) => c.notNull())
    .addColumn('actor', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('rating_ledger_by_user')
    .on('rating_ledger')
    .unique()
    .columns(['user_id', 'position'])
    .execute();
  await db.schema.createIndex('rating_ledger_by_time').on('rating_ledger').columns(['at', 'id']).execute();
  await db.schema
    .createTable('reauthentications')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('user_id', text, (c) => c.notNull())
    .addColumn('user_name', text, (c) => c.notNull())
    .addColumn('trigger_name', text, (c) => c.notNull())
    .addColumn('detail', text, (c) => c.notNull())
    .addColumn('asked_by', text, (c) => c.notNull())
    .addColumn('asked_at', integer, (c) => c.notNull())
    .addColumn('session_id', text)
    .addColumn('outcome', text, (c) => c.notNull())
    .addColumn('decided_at', integer)
    .addColumn('decided_in', text)
    .addColumn('method', text)
    .execute();
  await db.schema
    .createIndex('reauthentications_by_time')
    .on('reauthentications')
    .columns(['asked_at', 'id'])
    .execute();
  await db.schema
    .createIndex('reauthentications_by_user')
    .on('reauthentications')
    .columns(['user_id', 'outcome'])
    .execute();
};

const api: Step = async (db, { text, integer }) => {
  await db.schema
    .createTable('api_sessions')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('secret_hash', text, (c) => c.notNull().unique())
    .addColumn('user_id', text, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('source_address', text, (c) => c.notNull())
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('seen_at', integer, (c) => c.notNull())
    .addColumn('expires_at', integer, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('api_sessions_by_user').on('api_sessions').column('user_id').execute();
  await db.schema
    .createTable('api_tokens')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('user_id', text, (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('secret_hash', text, (c) => c.notNull().unique())
    .addColumn('permissions_json', text, (c) => c.notNull())
    .addColumn('addresses_json', text, (c) => c.notNull())
    .addColumn('created_at', integer, (c) => c.notNull())
    .addColumn('expires_at', integer, (c) => c.notNull())
    .addColumn('seen_at', integer)
    .addUniqueConstraint('api_tokens_by_name', ['user_id', 'name'])
    .execute();
  await db.schema
    .createTable('api_requests')
    .addColumn('principal', text, (c) => c.notNull())
    .addColumn('key', text, (c) => c.notNull())
    .addColumn('request_hash', text, (c) => c.notNull())
    .addColumn('status', integer, (c) => c.notNull())
    .addColumn('body', text, (c) => c.notNull())
    .addColumn('at', integer, (c) => c.notNull())
    .addPrimaryKeyConstraint('api_requests_pk', ['principal', 'key'])
    .execute();
  await db.schema.createIndex('api_requests_by_time').on('api_requests').column('at').execute();
  await db.schema
    .createTable('api_setup')
    .addColumn('id', integer, (c) => c.primaryKey())
    .addColumn('secret_hash', text, (c) => c.notNull())
    .addColumn('expires_at', integer, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('policy_versions')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('at', integer, (c) => c.notNull())
    .addColumn('actor', text, (c) => c.notNull())
    .addColumn('file', text, (c) => c.notNull())
    .addColumn('text', text, (c) => c.notNull())
    .addColumn('note', text, (c) => c.notNull())
    .addColumn('set_version', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('policy_versions_by_file')
    .on('policy_versions')
    .columns(['file', 'at', 'id'])
    .execute();
  // The few that go on are found among the many that ended, newest first.
  await sql`create index sessions_open on sessions (started_at, id) where ended_at is null`.execute(db);
};

/** The names sort in the order in which they run. */
const STEPS: Readonly<Record<string, Step>> = {
  '0001-directory': directory,
  '0002-sessions': sessions,
  '0003-commands': commands,
  '0005-api': api,
  '0004-behaviour': behaviour,
  '0020-outputs': outputs,
  '0021-credential-work': credentialWork,
  '0022-audit-queue': auditQueue,
  '0023-findings': findings,
  '0024-terminal-reading': terminalReading,
  '0025-non-interactive': nonInteractive,
  '0026-exception-requests': exceptionRequests,
  '0026-list-orders': listOrders,
  '0027-passkeys': passkeys,
};

export const migrationsFor = (kind: 'sqlite' | 'postgres'): MigrationProvider => {
  const types: ColumnTypes =
    kind === 'sqlite'
      ? { text: sql`text`, integer: 'integer' }
      : { text: sql`text collate "C"`, integer: 'bigint' };
  const migrations: Record<string, Migration> = {};
  for (const [name, step] of Object.entries(STEPS)) {
    migrations[name] = { up: (db) => step(db, types) };
  }
  return { getMigrations: async () => migrations };
};
