// The tables, as the code sees them: one schema for SQLite and PostgreSQL. Times are integers, milliseconds since the
// epoch; flags are 0 or 1; `…_json` columns hold JSON text. Secrets are sealed before they come here.

export interface UsersTable {
  id: string;
  name: string;
  /** argon2id, PHC string form. */
  password_hash: string | null;
  totp_sealed: string | null;
  roles_json: string;
  department: string | null;
  priority: string;
  /** Sufficient combinations of methods; null: the default ones. */
  authentication_json: string | null;
  disabled_reason: string | null;
  created_at: number;
  updated_at: number;
}

export interface UserKeysTable {
  user_id: string;
  position: number;
  /** A line in the form of authorized_keys. */
  line: string;
}

export interface UserGroupsTable {
  user_id: string;
  group_name: string;
}

export interface DevicesTable {
  id: string;
  name: string;
  host: string;
  port: number;
  os: string | null;
  created_at: number;
  updated_at: number;
}

export interface DeviceTagsTable {
  device_id: string;
  tag: string;
}

export interface DeviceHostKeysTable {
  device_id: string;
  /** The primary key with device_id: a pin at first use takes position 0, so only one can win. */
  position: number;
  /** `type base64`. */
  key_line: string;
  origin: 'configured' | 'first-use';
  pinned_at: number;
}

export interface CredentialsTable {
  id: string;
  name: string;
  device_id: string;
  username: string;
  kind: 'password' | 'privateKey';
  password_sealed: string | null;
  private_key_sealed: string | null;
  created_at: number;
  updated_at: number;
}

export interface GrantsTable {
  id: string;
  name: string;
  channels_json: string;
  subsystems_json: string;
  times_json: string;
  recording: 'strict' | 'best-effort';
  contact: string | null;
  /** 1: every credential of the granted devices; 0: those named in the members. */
  any_credential: number;
  created_at: number;
  updated_at: number;
}

export interface GrantMembersTable {
  grant_id: string;
  kind: 'user' | 'group' | 'device' | 'tag' | 'credential';
  /** A name; for a device it may be a glob. */
  value: string;
}

export interface SettingsTable {
  key: string;
  value_json: string;
  updated_at: number;
}

/** One row whose version goes up with each change of users, devices, credentials or grants. */
export interface DirectoryStateTable {
  id: number;
  version: number;
}

export interface SessionsTable {
  id: string;
  user_id: string;
  user_name: string;
  device_id: string;
  device_name: string;
  device_host: string;
  device_port: number;
  credential_id: string;
  credential_name: string;
  account: string;
  grant_id: string;
  grant_name: string;
  recording: string;
  source_address: string;
  source_port: number;
  client_identification: string;
  authentication: string;
  via: string;
  /** Which gateway process holds it, so that what a crash left open can be closed. */
  gateway: string;
  started_at: number;
  ended_at: number | null;
  end_reason: string | null;
  bytes_from_client: number | null;
  bytes_from_device: number | null;
}

export interface RefusalsTable {
  id: string;
  at: number;
  user_name: string;
  source_address: string;
  wanted: string;
  code: string;
  detail: string;
}

export interface LoginFailuresTable {
  id: string;
  key: string;
  at: number;
}

export interface LoginSourcesTable {
  user_id: string;
  address: string;
  last_at: number;
}

export interface TotpStepsTable {
  user_id: string;
  step: number;
}

/** Who changed what, when. Never secrets: they appear as the word `changed`. */
export interface ChangesTable {
  id: string;
  at: number;
  actor: string;
  action: string;
  kind: string;
  name: string;
  before_json: string | null;
  after_json: string | null;
}

/** A command, an operation or a stretch of input that the gate has read and judged. */
export interface CommandsTable {
  id: string;
  session_id: string;
  channel: number;
  at: number;
  /** Milliseconds into the recording. */
  recording_offset: number;
  user_id: string;
  user_name: string;
  device_id: string;
  device_name: string;
  credential_id: string;
  credential_name: string;
  account: string;
  source_address: string;
  channel_kind: string;
  /** What read it: `shell`, `psql`, `vim`, … */
  context: string;
  /** The submitted line; empty when it was typed without echo. */
  typed: string;
  /** With the lines of the same command that came before it. */
  command: string;
  /** Other texts that the line may have been. */
  candidates_json: string;
  /** What it comes to: `{commands, opaque}`. */
  analysed_json: string;
  /** The name of the first command in it. */
  word: string;
  how_read: string;
  /** Thousandths. */
  confidence: number;
  /** 1: typed without echo, so its text is not here. */
  hidden: number;
  decision: string;
  outcome: string;
  outcome_detail: string;
  rules_json: string;
  criticality: string | null;
  points: number;
  policy_version: string;
}

/** Which rules a command met, to count occurrences. */
export interface CommandRulesTable {
  command_id: string;
  rule: string;
  user_id: string;
  session_id: string;
  at: number;
}

/** Commands that wait, or waited, for a second person. */
export interface ApprovalsTable {
  id: string;
  command_id: string;
  session_id: string;
  user_name: string;
  device_name: string;
  account: string;
  command: string;
  rule: string;
  asked_at: number;
  expires_at: number;
  state: string;
  decided_by: string | null;
  decided_at: number | null;
}

export interface Schema {
  users: UsersTable;
  user_keys: UserKeysTable;
  user_groups: UserGroupsTable;
  devices: DevicesTable;
  device_tags: DeviceTagsTable;
  device_host_keys: DeviceHostKeysTable;
  credentials: CredentialsTable;
  grants: GrantsTable;
  grant_members: GrantMembersTable;
  settings: SettingsTable;
  directory_state: DirectoryStateTable;
  sessions: SessionsTable;
  refusals: RefusalsTable;
  login_failures: LoginFailuresTable;
  login_sources: LoginSourcesTable;
  totp_steps: TotpStepsTable;
  changes: ChangesTable;
  commands: CommandsTable;
  command_rules: CommandRulesTable;
  approvals: ApprovalsTable;
}
