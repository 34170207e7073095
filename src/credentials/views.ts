// Looking at a credential's secret: only where a grant says that its user may, at its times, with a reason; judged by
// origin, credential and time against the user's earlier views; written down before the secret is opened, so that no
// look goes unrecorded. The secret is handed to the caller and kept nowhere.
import type { DeviceSecret } from '../../proxy/device/ports.ts';
import { submitForAudit } from '../audit-queue/queue.ts';
import type { EventTarget, EventUser } from '../behaviour/events.ts';
import { behaviourSettings } from '../behaviour/settings.ts';
import { createDeviceVault } from '../directory/credentials.ts';
import { DirectoryError } from '../directory/errors.ts';
import { decideAt, makeSnapshot } from '../directory/grant-decision.ts';
import { listGrants } from '../directory/grants.ts';
import { readSettings } from '../directory/settings.ts';
import { shown, storable } from '../directory/shown-text.ts';
import type { Vault } from '../directory/vault.ts';
import type { EventLog } from '../events/event-log.ts';
import { takeFacts } from '../oversight/demands.ts';
import { waitingReauthentications } from '../oversight/ratings.ts';
import { newId } from '../store/id.ts';
import { type Page, readPage } from '../store/page.ts';
import type { CredentialViewsTable } from '../store/steps/credential-work.ts';
import type { Store } from '../store/store.ts';
import { CredentialError } from './errors.ts';
import { admittedFindings } from './view-risk.ts';

export interface ViewParts {
  readonly store: Store;
  readonly vault: Vault;
  readonly events: EventLog;
  readonly now: () => number;
}

export interface ViewRequest {
  readonly credential: string;
  /** The user's name. */
  readonly user: string;
  /** 3 to 500 characters. */
  readonly reason: string;
  readonly sourceAddress: string;
  /**
   * `grant`: a grant with `viewCredentials` must cover the credential now. `operator`: whoever runs commands on the
   * gateway's own machine with its key; judged and recorded all the same.
   */
  readonly authority: 'grant' | 'operator';
}

export type ViewRefusal = 'not-granted' | 'prohibited-time' | 'identification-required' | 'user-disabled';

export type ViewOutcome =
  | {
      readonly kind: 'shown';
      readonly view: CredentialViewRecord;
      readonly secret: DeviceSecret;
    }
  | { readonly kind: 'refused'; readonly code: ViewRefusal; readonly tell: string };

export interface CredentialViewRecord {
  readonly id: string;
  readonly at: number;
  readonly user: string;
  readonly credential: string;
  readonly device: string;
  readonly account: string;
  readonly sourceAddress: string;
  readonly reason: string;
  readonly outcome: 'shown' | 'refused';
  readonly code: string;
  readonly score: number;
  readonly suspicious: boolean;
  readonly findings: unknown;
}

const recordOf = (row: CredentialViewsTable): CredentialViewRecord => ({
  id: row.id,
  at: row.at,
  user: row.user_name,
  credential: row.credential_name,
  device: row.device_name,
  account: row.account,
  sourceAddress: row.source_address,
  reason: row.reason,
  outcome: row.outcome,
  code: row.code,
  score: row.score,
  suspicious: row.suspicious === 1,
  findings: JSON.parse(row.findings_json),
});

const reasonOf = (text: string): string => {
  const reason = storable(text, 10_000).trim();
  const length = [...reason].length;
  if (length < 3) throw new CredentialError('SP_VIEW_REASON', 'say why you need to see it');
  if (length > 500)
    throw new CredentialError(
      'SP_VIEW_REASON',
      `a reason has at most 500 characters: this one has ${length}`,
    );
  return reason;
};

interface Asked {
  readonly user: EventUser;
  readonly groups: readonly string[];
  readonly disabled: boolean;
  readonly target: EventTarget;
  readonly device: { readonly host: string; readonly port: number; readonly tags: readonly string[] };
}

const readAsked = async ({ store }: ViewParts, request: ViewRequest): Promise<Asked> => {
  const credential = await store.db
    .selectFrom('credentials')
    .innerJoin('devices', 'devices.id', 'credentials.device_id')
    .select([
      'credentials.id as id',
      'credentials.name as name',
      'credentials.username as username',
      'devices.id as deviceId',
      'devices.name as device',
      'devices.host as host',
      'devices.port as port',
    ])
    .where('credentials.name', '=', request.credential)
    .executeTakeFirst();
  const user = await store.db
    .selectFrom('users')
    .select(['id', 'name', 'disabled_reason'])
    .where('name', '=', request.user)
    .executeTakeFirst();
  if (user === undefined && request.authority === 'grant')
    throw new DirectoryError('SP_NOT_FOUND', `there is no user ${shown(request.user, 64)}`);
  if (credential === undefined)
    throw new DirectoryError('SP_NOT_FOUND', `there is no credential ${shown(request.credential, 64)}`);
  const [groups, tags] = await Promise.all([
    store.db
      .selectFrom('user_groups')
      .select('group_name')
      .where('user_id', '=', user?.id ?? '')
      .execute(),
    store.db.selectFrom('device_tags').select('tag').where('device_id', '=', credential.deviceId).execute(),
  ]);
  return {
    user: { id: user?.id ?? `operator:${request.user}`, name: user?.name ?? request.user },
    groups: groups.map((row) => row.group_name),
    disabled: user !== undefined && user.disabled_reason !== null,
    target: {
      device: { id: credential.deviceId, name: credential.device },
      credential: { id: credential.id, name: credential.name, username: credential.username },
    },
    device: { host: credential.host, port: credential.port, tags: tags.map((row) => row.tag) },
  };
};

type Permission =
  | { readonly kind: 'granted' }
  | { readonly kind: 'refused'; readonly code: ViewRefusal; readonly detail: string; readonly tell: string };

/** Grants that let their users view, and no others, decide as they would on a session. */
const permissionFor = async (
  { store }: ViewParts,
  { user, groups, disabled, target, device }: Asked,
  at: number,
  contact: string,
): Promise<Permission> => {
  if (disabled)
    return {
      kind: 'refused',
      code: 'user-disabled',
      detail: 'the user is disabled',
      tell: `You may not look at credentials. Ask ${contact}.`,
    };
  const grants = (await listGrants(store)).filter((grant) => grant.viewCredentials === true);
  const snapshot = makeSnapshot(
    [{ ...target.device, ...device, os: undefined, credentials: [target.credential] }],
    grants,
  );
  const decision = decideAt(
    snapshot,
    { name: user.name, groups },
    { account: target.credential.name, device: target.device.name },
    at,
    contact,
  );
  if (decision.kind === 'granted') return { kind: 'granted' };
  return {
    kind: 'refused',
    code: decision.code === 'prohibited-time' ? 'prohibited-time' : 'not-granted',
    detail: decision.detail,
    tell: decision.tell,
  };
};

/**
 * Throws CredentialError SP_VIEW_REASON, DirectoryError SP_NOT_FOUND and SP_VAULT_OPEN, and StoreError: then nothing was
 * shown.
 */
export const viewCredential = async (parts: ViewParts, request: ViewRequest): Promise<ViewOutcome> => {
  const { store, vault, events } = parts;
  const reason = reasonOf(request.reason);
  const asked = await readAsked(parts, request);
  const flat = await readSettings(store.db);
  const settings = behaviourSettings(flat);
  const at = parts.now();
  const { user, target } = asked;
  const row: CredentialViewsTable = {
    id: newId(),
    at,
    user_id: user.id,
    user_name: user.name,
    credential_id: target.credential.id,
    credential_name: target.credential.name,
    device_id: target.device.id,
    device_name: target.device.name,
    account: target.credential.username,
    source_address: storable(request.sourceAddress, 64),
    reason,
    outcome: 'shown',
    code: '',
    score: 0,
    suspicious: 0,
    findings_json: '[]',
  };
  const known = asked.user.id.startsWith('operator:') === false;
  const demands = { store, events, settings, now: parts.now };
  const refuse = async (code: ViewRefusal, tell: string): Promise<ViewOutcome> => {
    await store.append('credential_views', [{ ...row, outcome: 'refused', code }]);
    await events.append([
      {
        kind: 'credential-view-refused',
        at,
        user,
        target,
        sourceAddress: row.source_address,
        reason,
        code,
        score: 0,
        findings: [],
      },
    ]);
    if (code === 'prohibited-time' && known) await takeFacts(demands, user, { at, viewAttempts: 1 });
    return { kind: 'refused', code, tell };
  };

  if (request.authority === 'grant') {
    const permission = await permissionFor(parts, asked, at, settings.contact);
    if (permission.kind === 'refused') return refuse(permission.code, permission.tell);
    const waiting = await waitingReauthentications(store, user.id);
    if (waiting.length > 0)
      return refuse(
        'identification-required',
        'You have to prove who you are before you look at credentials: sign in again, and you are asked for it.',
      );
  }

  const { score, findings } = await admittedFindings(store, user.id, row, flat, settings.timeZone);
  const suspicious = score >= settings.minimumSuspiciousScore;
  const shownRow: CredentialViewsTable = {
    ...row,
    score,
    suspicious: suspicious ? 1 : 0,
    findings_json: JSON.stringify(findings),
  };
  // Before the secret is opened: what can't be written down is not shown.
  await Promise.all([
    store.append('credential_views', [shownRow]),
    events.append([
      {
        kind: 'credential-viewed',
        at,
        user,
        target,
        sourceAddress: row.source_address,
        reason,
        code: '',
        score,
        suspicious,
        findings,
      },
    ]),
  ]);
  if (suspicious && known) {
    await takeFacts(demands, user, {
      at,
      active: true,
      events: [
        {
          kind: 'suspicious-view',
          id: row.id,
          at,
          score,
          evidence: { session: row.id, second: undefined },
        },
      ],
    });
    if (settings.submitHighRiskToAudit)
      await submitForAudit(
        { store, events, now: parts.now },
        {
          kind: 'view',
          subject: row.id,
          user,
          reason: `view of ${target.credential.name}: risk ${score}`,
          score,
        },
      );
  }
  const secret = await createDeviceVault(store, vault).secretOf(target.credential.id);
  return { kind: 'shown', view: recordOf(shownRow), secret };
};

export interface ViewFilter {
  readonly since: number | undefined;
  readonly user: string | undefined;
  readonly credential: string | undefined;
  readonly limit: number;
  readonly after: string | undefined;
}

/** Newest first; refused ones too. */
export const listViews = async (store: Store, filter: ViewFilter): Promise<Page<CredentialViewRecord>> => {
  let query = store.db.selectFrom('credential_views').selectAll();
  if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
  if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
  if (filter.credential !== undefined) query = query.where('credential_name', '=', filter.credential);
  const page = await readPage(query, {
    time: 'at',
    id: 'id',
    order: 'newest-first',
    limit: filter.limit,
    after: filter.after,
    positionOf: (row) => ({ time: row.at, id: row.id }),
  });
  return { rows: page.rows.map(recordOf), next: page.next };
};
