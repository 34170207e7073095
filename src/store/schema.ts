// The tables, as the code sees them: one schema for SQLite and PostgreSQL. Times are integers, milliseconds since the
// epoch; flags are 0 or 1; `…_json` columns hold JSON text. Secrets are sealed before they come here.
import type { AuditQueueTables } from './steps/audit-queue.ts';
import type { CredentialWorkTables } from './steps/credential-work.ts';
import type { ExceptionTables } from './steps/exception-requests.ts';
import type { FindingTables } from './steps/findings.ts';
import type { OutputTables } from './steps/outputs.ts';
import type { PasskeyTables } from './steps/passkeys.ts';
import type { TerminalReadingColumns } from './steps/terminal-reading.ts';

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

export interface DevicesTable extends TerminalReadingColumns {
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

export interface CredentialsTable extends TerminalReadingColumns {
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
  /** 1: its users may look at the credentials that it covers. */
  views: number;
  /** What becomes of channels without a terminal while their user is asked who they are. */
  non_interactive: 'pause' | 'end';
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

/** What happened, for findings and for other systems. Rows are only ever added, and leave when they are old. */
export interface EventsTable {
  id: string;
  at: number;
  kind: string;
  user_id: string | null;
  user_name: string | null;
  session_id: string | null;
  /** The whole event. */
  event_json: string;
}

/** How unusual a session was, and why: one row a session, kept up to date while it runs. */
export interface SessionRisksTable {
  session_id: string;
  user_id: string;
  user_name: string;
  device_name: string;
  credential_name: string;
  source_address: string;
  started_at: number;
  ended_at: number | null;
  score: number;
  /** Points of audited commands, part of the score. */
  command_points: number;
  audited_commands: number;
  blocked_commands: number;
  /** When it became suspicious. */
  suspicious_at: number | null;
  /** `open`, `learnt`, `suspicious`, `identified`, `expected`, `refused`. */
  standing: string;
  /** 1: for the auditors' queue. */
  submitted: number;
  /** What followed: `blockSession`, `blockSessionAndUser`, `identification`, or empty. */
  action: string;
  /** Past sessions that it was judged by. */
  history_sessions: number;
  /** Every dimension as it was measured, also what was usual: what another setting would have made of it. */
  measured_json: string;
  findings_json: string;
  /** Bytes by kind of channel, privilege, and the like. */
  activity_json: string;
  updated_at: number;
}

/** A user's clean sessions of the history, summed up. */
export interface BehaviourProfilesTable {
  user_id: string;
  /** The oldest and the newest day in it, in days since the epoch. */
  from_day: number;
  to_day: number;
  profile_json: string;
  updated_at: number;
}

/** A user's clean sessions of one day, so that they can leave the profile when they are old. */
export interface BehaviourDaysTable {
  user_id: string;
  day: number;
  profile_json: string;
}

/** How often the members of a group of users have used each target, origin and credential. */
export interface PeerCountsTable {
  peers: string;
  dimension: string;
  value: string;
  sessions: number;
  last_day: number;
}

/** Habits of typing: one row a user, and one for everybody. */
export interface CommandProfilesTable {
  user_id: string;
  profile_json: string;
  updated_at: number;
}

/** Where each user's rating stands, in hundredths, and what has been counted since they last proved who they are. */
export interface RatingsTable {
  user_id: string;
  user_name: string;
  initial: number;
  rating: number;
  reference: number;
  /** The position of the newest row in the ledger. */
  position: number;
  /** When counting began: the last passed re-authentication, or the first event. */
  counted_since: number;
  high_risk_sessions: number;
  blocked_commands: number;
  session_attempts: number;
  view_attempts: number;
  /** The last day on which the user worked, and the last one on which something suspicious happened. */
  active_day: number | null;
  suspicious_day: number | null;
  updated_at: number;
}

/** Every change of every rating, in order; ratings are hundredths. */
export interface RatingLedgerTable {
  id: string;
  user_id: string;
  user_name: string;
  position: number;
  at: number;
  cause: string;
  event_json: string;
  session_id: string | null;
  second: number | null;
  before: number;
  after: number;
  /** Who said so, for a mark as expected. */
  actor: string;
}

/** The log of re-authentications: asked, and what came of it. */
export interface ReauthenticationsTable {
  id: string;
  user_id: string;
  user_name: string;
  trigger_name: string;
  detail: string;
  asked_by: string;
  asked_at: number;
  /** The session that gave rise to it. */
  session_id: string | null;
  /** `waiting`, `passed`, `failed`, `timed-out`, `waived`. */
  outcome: string;
  decided_at: number | null;
  /** Where and how it was decided: a session's id, `sign-in`, `api`, `cli`. */
  decided_in: string | null;
  method: string | null;
}

/** Who is signed in to the console. */
export interface ApiSessionsTable {
  id: string;
  /** SHA-256 of the cookie's secret, base64url. */
  secret_hash: string;
  user_id: string;
  source_address: string;
  created_at: number;
  seen_at: number;
  expires_at: number;
}

/** What programs use the API with. */
export interface ApiTokensTable {
  id: string;
  name: string;
  user_id: string;
  /** SHA-256 of the secret, base64url. */
  secret_hash: string;
  permissions_json: string;
  /** Addresses and networks it may come from; none: any. */
  addresses_json: string;
  created_at: number;
  expires_at: number;
  seen_at: number | null;
}

/** Writes that were made under an idempotency key, and what was answered. */
export interface ApiRequestsTable {
  principal: string;
  key: string;
  request_hash: string;
  /** 0 while the request runs. */
  status: number;
  body: string;
  at: number;
}

/** The link with which the first administrator is made; at most one row. */
export interface ApiSetupTable {
  id: number;
  secret_hash: string;
  expires_at: number;
}

/** Each text that a rule file was published with through the API. */
export interface PolicyVersionsTable {
  id: string;
  at: number;
  actor: string;
  file: string;
  text: string;
  note: string;
  /** The content hash of the whole set with this text in it. */
  set_version: string;
}

export interface Schema
  extends OutputTables,
    CredentialWorkTables,
    AuditQueueTables,
    ExceptionTables,
    FindingTables,
    PasskeyTables {
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
  events: EventsTable;
  session_risks: SessionRisksTable;
  behaviour_profiles: BehaviourProfilesTable;
  behaviour_days: BehaviourDaysTable;
  peer_counts: PeerCountsTable;
  command_profiles: CommandProfilesTable;
  ratings: RatingsTable;
  rating_ledger: RatingLedgerTable;
  reauthentications: ReauthenticationsTable;
  api_sessions: ApiSessionsTable;
  api_tokens: ApiTokensTable;
  api_requests: ApiRequestsTable;
  api_setup: ApiSetupTable;
  policy_versions: PolicyVersionsTable;
}
