// Changes of a credential by hand: setting a new secret in the vault, and noticing, from the log of changes, those of a
// credential that the gateway itself has rotated a short while ago. Whoever made them and by whatever way, they become
// events once; an unusual one tells administrators at once, through the log and the outputs.
import { submitForAudit } from '../audit-queue/queue.ts';
import type { EventTarget, EventUser } from '../behaviour/events.ts';
import { type BehaviourSettings, behaviourSettings } from '../behaviour/settings.ts';
import type { Change } from '../directory/changes.ts';
import { createDeviceVault, findCredential, putCredential } from '../directory/credentials.ts';
import { DirectoryError } from '../directory/errors.ts';
import { readSettings } from '../directory/settings.ts';
import { shown } from '../directory/shown-text.ts';
import type { Vault } from '../directory/vault.ts';
import type { EventLog } from '../events/event-log.ts';
import { takeFacts } from '../oversight/demands.ts';
import type { Store } from '../store/store.ts';
import { CredentialError } from './errors.ts';
import { publicPartOf } from './new-secret.ts';
import { ROTATION_ACTOR } from './rotation.ts';
import { changeFindings } from './view-risk.ts';

const DAY = 86_400_000;
/** For so long after a rotation a change by hand is unusual. */
export const RECENT_ROTATION = 30 * DAY;
/** Changes from before this are not news. */
const LOOK_BACK = 7 * DAY;
const AT_ONCE = 200;
const LONGEST_SECRET = 64 * 1_024;

export interface ChangeParts {
  readonly store: Store;
  readonly vault: Vault;
  readonly events: EventLog;
  readonly now: () => number;
}

export type NewSecret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'privateKey'; readonly privateKey: string };

const check = (secret: NewSecret): void => {
  const text = secret.kind === 'password' ? secret.password : secret.privateKey;
  if (text === '' || text.length > LONGEST_SECRET)
    throw new CredentialError('SP_CREDENTIAL_SECRET', 'the new secret is empty or too long');
  if (secret.kind === 'password' && /[\0\r\n]/.test(text))
    throw new CredentialError('SP_CREDENTIAL_SECRET', 'a password holds no line ends');
  if (secret.kind === 'privateKey') {
    try {
      publicPartOf(text);
    } catch (error) {
      throw new CredentialError(
        'SP_CREDENTIAL_SECRET',
        'the private key can’t be read, or has a passphrase',
        error,
      );
    }
  }
};

/**
 * Puts another secret in the vault; the device is not asked. Throws SP_NOT_FOUND, SP_CREDENTIAL_SECRET. The change is
 * logged, and becomes an event.
 */
export const changeCredential = async (
  parts: ChangeParts,
  {
    credential: name,
    secret,
    actor,
  }: { readonly credential: string; readonly secret: NewSecret; readonly actor: string },
): Promise<Change> => {
  check(secret);
  const { store, vault, now } = parts;
  const current = await findCredential(store.db, name);
  if (current === undefined)
    throw new DirectoryError('SP_NOT_FOUND', `there is no credential ${shown(name, 64)}`);
  const before = await createDeviceVault(store, vault).secretOf(current.id);
  // What is not changed stays: a key may have a password beside it.
  const kept = {
    password: before.password,
    privateKey: before.kind === 'privateKey' ? before.privateKey : undefined,
  };
  const change = await store.transaction((trx) =>
    putCredential(
      trx,
      { actor, now: now(), vault },
      {
        name: current.name,
        device: current.device,
        username: current.username,
        password: secret.kind === 'password' ? secret.password : kept.password,
        privateKey: secret.kind === 'privateKey' ? secret.privateKey : kept.privateKey,
      },
    ),
  );
  await noticeManualChanges(parts);
  return change;
};

const userOf = async (store: Store, actor: string): Promise<EventUser> => {
  // `cli:root (alice)` is alice behind sudo; `api:alice` is alice.
  const name = /\(([^()]+)\)$/.exec(actor)?.[1] ?? actor.replace(/^[a-z]+:/, '');
  const user = await store.db
    .selectFrom('users')
    .select(['id', 'name'])
    .where('name', '=', name)
    .executeTakeFirst();
  return user ?? { id: '', name: actor };
};

const secretChanged = (afterJson: string | null): boolean => {
  if (afterJson === null) return false;
  const after: unknown = JSON.parse(afterJson);
  return typeof after === 'object' && after !== null && ('password' in after || 'privateKey' in after);
};

export interface NoticedChange {
  readonly credential: string;
  readonly actor: string;
  readonly unusual: boolean;
}

/** Looks at the log of changes for what nobody was told of yet; answers what it found. Safe beside others who do the same. */
export const noticeManualChanges = async ({
  store,
  events,
  now,
}: Omit<ChangeParts, 'vault'>): Promise<readonly NoticedChange[]> => {
  const rows = await store.db
    .selectFrom('changes')
    .leftJoin('credential_notices', 'credential_notices.change_id', 'changes.id')
    .select([
      'changes.id as id',
      'changes.at as at',
      'changes.actor as actor',
      'changes.action as action',
      'changes.name as name',
      'changes.after_json as afterJson',
    ])
    .where('changes.kind', '=', 'credential')
    .where('changes.at', '>=', now() - LOOK_BACK)
    .where('credential_notices.change_id', 'is', null)
    .orderBy('changes.at')
    .limit(AT_ONCE)
    .execute();
  const noticed: NoticedChange[] = [];
  for (const row of rows) {
    const counts =
      row.action === 'changed' && !row.actor.startsWith(ROTATION_ACTOR) && secretChanged(row.afterJson);
    const target = counts ? await targetOf(store, row.name) : undefined;
    // Told first, noted then: whoever falls over in between lets it be told twice, never not at all.
    const note = async (): Promise<boolean> => {
      const made = await store.db
        .insertInto('credential_notices')
        .values({ change_id: row.id, at: now() })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return Number(made.numInsertedOrUpdatedRows ?? 0) > 0;
    };
    if (target === undefined) {
      await note();
      continue;
    }
    const rotatedAt = await lastRotation(store, target.credential.id, row.at);
    const user = await userOf(store, row.actor);
    const change = { id: row.id, at: row.at, user, target };
    const unusual = rotatedAt === undefined ? undefined : await judge(store, change, rotatedAt);
    await events.append([
      {
        kind: 'credential-changed',
        at: row.at,
        user,
        target,
        how: 'manual',
        unusual: unusual !== undefined,
        detail: unusual?.detail ?? '',
      },
    ]);
    // Of several who notice it at the same time, one takes it into the rating.
    if ((await note()) && unusual !== undefined) await count({ store, events, now }, change, unusual);
    noticed.push({ credential: row.name, actor: row.actor, unusual: unusual !== undefined });
  }
  return noticed;
};

interface ManualChange {
  readonly id: string;
  readonly at: number;
  readonly user: EventUser;
  readonly target: EventTarget;
}

interface UnusualChange {
  readonly score: number;
  readonly settings: BehaviourSettings;
  readonly detail: string;
}

const judge = async (store: Store, change: ManualChange, rotatedAt: number): Promise<UnusualChange> => {
  const flat = await readSettings(store.db);
  const { at, user, target } = change;
  const about = { at, credential: target.credential.name, rotatedAt };
  const { score, findings } = await changeFindings(store, user.id, about, flat);
  const reasons = findings.map(({ dimension, seen, points }) => `${dimension}: ${seen} (+${points})`);
  return {
    score,
    settings: behaviourSettings(flat),
    detail: `rotated by the gateway at ${new Date(rotatedAt).toISOString()}, changed by hand after that; risk ${score}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`,
  };
};

/** As of a view: one that is suspicious costs rating, and goes to the auditors where the settings say so. */
const count = async (
  parts: Omit<ChangeParts, 'vault'>,
  { id, user, target }: ManualChange,
  { score, settings, detail }: UnusualChange,
): Promise<void> => {
  const { store, events, now } = parts;
  if (score < settings.minimumSuspiciousScore || user.id === '') return;
  const at = now();
  await takeFacts({ store, events, settings, now }, user, {
    at,
    events: [{ kind: 'suspicious-view', id, at, score, evidence: { session: id, second: undefined } }],
  });
  if (settings.submitHighRiskToAudit)
    await submitForAudit(
      { store, events, now },
      { kind: 'view', subject: id, user, reason: `change of ${target.credential.name}: ${detail}`, score },
    );
};

const targetOf = async (store: Store, name: string): Promise<EventTarget | undefined> => {
  const row = await store.db
    .selectFrom('credentials')
    .innerJoin('devices', 'devices.id', 'credentials.device_id')
    .select([
      'credentials.id as id',
      'credentials.username as username',
      'devices.id as deviceId',
      'devices.name as device',
    ])
    .where('credentials.name', '=', name)
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : {
        device: { id: row.deviceId, name: row.device },
        credential: { id: row.id, name, username: row.username },
      };
};

const lastRotation = async (
  store: Store,
  credentialId: string,
  before: number,
): Promise<number | undefined> => {
  const row = await store.db
    .selectFrom('credential_rotations')
    .select('finished_at')
    .where('credential_id', '=', credentialId)
    .where('state', '=', 'done')
    .where('finished_at', '<=', before)
    .where('finished_at', '>=', before - RECENT_ROTATION)
    .orderBy('finished_at', 'desc')
    .executeTakeFirst();
  return row?.finished_at ?? undefined;
};
