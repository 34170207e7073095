// Gives a device account a new secret, so that it is never locked out: the new one is sealed in the store before the
// device hears of it, the old one stays until the new one has opened the account, and where it isn't known what the device
// did, both stay sealed and are tried again later. Every step is in the store before it is taken.

import { DialError } from '../../proxy/device/errors.ts';
import type { DeviceSecret } from '../../proxy/device/ports.ts';
import type { Target } from '../../proxy/login/ports.ts';
import { recordChange, SECRET_CHANGED, SECRET_SET } from '../directory/changes.ts';
import { createDeviceVault, credentialPlace } from '../directory/credentials.ts';
import { DirectoryError } from '../directory/errors.ts';
import { shown, storable } from '../directory/shown-text.ts';
import type { Vault } from '../directory/vault.ts';
import type { EventLog } from '../events/event-log.ts';
import { newId } from '../store/id.ts';
import { type Page, readPage } from '../store/page.ts';
import type { CredentialRotationsTable } from '../store/steps/credential-work.ts';
import type { Store } from '../store/store.ts';
import { type DeviceAccess, proveSecret, runOnDevice } from './device-command.ts';
import { CredentialError } from './errors.ts';
import {
  fitsPasswordFile,
  keyAddition,
  keyRemoval,
  newKey,
  newPassword,
  type PasswordMethod,
  passwordChange,
  publicPartOf,
  SUDO_PROBE,
} from './new-secret.ts';

export interface RotationParts {
  readonly store: Store;
  readonly vault: Vault;
  readonly events: Pick<EventLog, 'append'>;
  readonly access: DeviceAccess;
  readonly now: () => number;
}

export interface RotationRequest {
  readonly credential: string;
  /** In whose name. */
  readonly actor: string;
  /** Another credential of the device that changes the account's password as its administrator. */
  readonly by?: string | undefined;
  /** Undefined: whichever fits. */
  readonly method?: PasswordMethod | undefined;
}

export type RotationOutcome =
  | { readonly kind: 'done'; readonly id: string; readonly detail: string }
  /** Nothing has changed: the old secret is proven to be the one. */
  | { readonly kind: 'failed'; readonly id: string; readonly detail: string }
  /** The device can't be asked which secret holds: both are kept. */
  | { readonly kind: 'unverified'; readonly id: string; readonly detail: string };

/** The beginning of the name in which rotations change credentials. */
export const ROTATION_ACTOR = 'rotation ';

const COMMAND_WITHIN = 60_000;
/** A rotation that has not gone on for so long was left by a process that is gone. */
const ABANDONED_AFTER = 10 * 60_000;
const UNDER_WAY = ['prepared', 'sent', 'unverified'] as const;

interface Account {
  readonly id: string;
  readonly name: string;
  readonly username: string;
  readonly kind: 'password' | 'privateKey';
  readonly target: Target;
}

const accountNamed = async (store: Store, name: string): Promise<Account> => {
  const row = await store.db
    .selectFrom('credentials')
    .innerJoin('devices', 'devices.id', 'credentials.device_id')
    .select([
      'credentials.id as id',
      'credentials.name as name',
      'credentials.username as username',
      'credentials.kind as kind',
      'devices.id as deviceId',
      'devices.name as device',
      'devices.host as host',
      'devices.port as port',
      'devices.os as os',
    ])
    .where('credentials.name', '=', name)
    .executeTakeFirst();
  if (row === undefined)
    throw new DirectoryError('SP_NOT_FOUND', `there is no credential ${shown(name, 64)}`);
  return {
    id: row.id,
    name: row.name,
    username: row.username,
    kind: row.kind,
    target: {
      device: {
        id: row.deviceId,
        name: row.device,
        host: row.host,
        port: row.port,
        tags: [],
        os: row.os ?? undefined,
      },
      credential: { id: row.id, name: row.name, username: row.username },
      grant: {
        id: '',
        name: '',
        channels: [],
        subsystems: [],
        recording: 'strict',
        endsAt: undefined,
      },
    },
  };
};

type Sealed = Pick<
  CredentialRotationsTable,
  | 'next_password_sealed'
  | 'next_private_key_sealed'
  | 'previous_password_sealed'
  | 'previous_private_key_sealed'
>;

const NOTHING_SEALED: Sealed = {
  next_password_sealed: null,
  next_private_key_sealed: null,
  previous_password_sealed: null,
  previous_private_key_sealed: null,
};

/** Versions of a secret are sealed under the rotation's id, each in a place of its own. */
const versionPlace = (rotation: string, version: 'next' | 'previous', field: 'password' | 'privateKey') =>
  credentialPlace(`${rotation}/${version}`, field);

const sealVersion = (vault: Vault, rotation: string, version: 'next' | 'previous', secret: DeviceSecret) => {
  const seal = (field: 'password' | 'privateKey', text: string | undefined): string | null =>
    text === undefined ? null : vault.seal(versionPlace(rotation, version, field), Buffer.from(text, 'utf8'));
  return {
    password: seal('password', secret.password),
    privateKey: seal('privateKey', secret.kind === 'privateKey' ? secret.privateKey : undefined),
  };
};

const openVersion = (
  vault: Vault,
  row: CredentialRotationsTable,
  version: 'next' | 'previous',
): DeviceSecret | undefined => {
  const open = (field: 'password' | 'privateKey', sealed: string | null): string | undefined =>
    sealed === null ? undefined : vault.open(versionPlace(row.id, version, field), sealed).toString('utf8');
  const next = version === 'next';
  const password = open('password', next ? row.next_password_sealed : row.previous_password_sealed);
  const privateKey = open('privateKey', next ? row.next_private_key_sealed : row.previous_private_key_sealed);
  if (privateKey !== undefined) return { kind: 'privateKey', privateKey, password };
  return password === undefined ? undefined : { kind: 'password', password };
};

/** Whether a secret opens the account: `unknown` where the device can't be asked. */
const opens = async (
  account: Account,
  secret: DeviceSecret,
  access: DeviceAccess,
): Promise<'yes' | 'no' | 'unknown'> => {
  try {
    await proveSecret(account.target, secret, access);
    return 'yes';
  } catch (error) {
    return error instanceof DialError && error.code === 'SP_DIAL_CREDENTIAL_REFUSED' ? 'no' : 'unknown';
  }
};

const setState = async (
  store: Store,
  id: string,
  state: CredentialRotationsTable['state'],
  detail: string,
  more: Partial<CredentialRotationsTable> = {},
): Promise<void> => {
  await store.db
    .updateTable('credential_rotations')
    .set({ state, detail: storable(detail, 500), ...more })
    .where('id', '=', id)
    .execute();
};

/** The new secret has opened the account: it takes the old one's place, in one transaction. */
const promote = async (
  { store, vault, now }: RotationParts,
  account: Account,
  row: CredentialRotationsTable,
  next: DeviceSecret,
  detail: string,
): Promise<void> => {
  const at = now();
  await store.transaction(async (trx) => {
    const seal = (field: 'password' | 'privateKey', text: string): string =>
      vault.seal(credentialPlace(account.id, field), Buffer.from(text, 'utf8'));
    await trx
      .updateTable('credentials')
      .set(
        next.kind === 'password'
          ? { password_sealed: seal('password', next.password), updated_at: at }
          : { private_key_sealed: seal('privateKey', next.privateKey), updated_at: at },
      )
      .where('id', '=', account.id)
      .execute();
    await trx
      .updateTable('credential_rotations')
      .set({ ...NOTHING_SEALED, state: 'done', detail: storable(detail, 500), finished_at: at })
      .where('id', '=', row.id)
      .execute();
    await recordChange(
      trx,
      { actor: `${ROTATION_ACTOR}(${row.actor})`, now: at },
      {
        kind: 'credential',
        name: account.name,
        action: 'changed',
        fields: [{ field: next.kind, before: SECRET_SET, after: SECRET_CHANGED }],
      },
    );
  });
};

const told = async (
  { events }: RotationParts,
  account: Account,
  outcome: RotationOutcome,
): Promise<RotationOutcome> => {
  const { device } = account.target;
  await events.append([
    {
      kind: 'credential-changed',
      user: undefined,
      target: {
        device: { id: device.id, name: device.name },
        credential: { id: account.id, name: account.name, username: account.username },
      },
      how: outcome.kind === 'done' ? 'rotated' : 'rotation-failed',
      unusual: false,
      detail: outcome.kind === 'done' ? outcome.detail : `${outcome.kind}: ${outcome.detail}`,
    },
  ]);
  return outcome;
};

/**
 * Finds out which of the two secrets holds, and puts the store in order. `certain`: the command on the device has come to
 * its end, so that what holds now will go on holding.
 */
const settle = async (
  parts: RotationParts,
  account: Account,
  row: CredentialRotationsTable,
  { certain, detail }: { readonly certain: boolean; readonly detail: string },
): Promise<RotationOutcome> => {
  const { store, vault, access, now } = parts;
  const next = openVersion(vault, row, 'next');
  const previous = openVersion(vault, row, 'previous');
  if (next === undefined || previous === undefined)
    throw new DirectoryError('SP_VAULT_OPEN', `the rotation ${row.id} holds no secrets`);
  const unverified = async (why: string): Promise<RotationOutcome> => {
    await setState(store, row.id, 'unverified', why);
    return { kind: 'unverified', id: row.id, detail: why };
  };
  switch (await opens(account, next, access)) {
    case 'yes': {
      const left = await dropOldKey(parts, account, previous, next);
      const done = [detail, left].filter((text) => text !== '').join('; ');
      await promote(parts, account, row, next, done);
      return { kind: 'done', id: row.id, detail: done };
    }
    case 'unknown':
      return unverified(`${detail}; the device can't be asked`);
    case 'no':
      break;
  }
  switch (await opens(account, previous, access)) {
    case 'yes':
      if (!certain) return unverified(`${detail}; the old secret still holds, and that may change`);
      await setState(store, row.id, 'failed', detail, { ...NOTHING_SEALED, finished_at: now() });
      return { kind: 'failed', id: row.id, detail };
    case 'unknown':
      return unverified(`${detail}; the device can't be asked`);
    case 'no':
      return unverified(`${detail}; the device takes neither secret`);
  }
};

/** What could not be tidied up; empty: all was. */
const dropOldKey = async (
  { access }: RotationParts,
  account: Account,
  previous: DeviceSecret,
  next: DeviceSecret,
): Promise<string> => {
  if (previous.kind !== 'privateKey' || next.kind !== 'privateKey') return '';
  try {
    const old = publicPartOf(previous.privateKey, previous.password);
    const change = keyRemoval(old.split(' ')[1] ?? '', publicPartOf(next.privateKey).split(' ')[1] ?? '');
    const { code } = await runOnDevice(account.target, next, { ...change, timeout: COMMAND_WITHIN }, access);
    return code === 0 ? '' : 'the old key still opens the account: it could not be taken out';
  } catch {
    return 'the old key may still open the account: it could not be taken out';
  }
};

interface Plan {
  readonly next: DeviceSecret;
  readonly method: string;
  readonly run: () => Promise<{ readonly code: number | undefined; readonly stderr: string }>;
}

/** Error output of passwd and chpasswd, for the operator; a secret that should stand in it is taken out. */
const saidBy = (stderr: string, secrets: readonly string[]): string =>
  shown(
    secrets
      .reduce((text, secret) => text.replaceAll(secret, '…'), stderr)
      .trim()
      .replaceAll(/\s+/g, ' '),
    300,
  );

const planFor = async (
  parts: RotationParts,
  account: Account,
  current: DeviceSecret,
  request: RotationRequest,
): Promise<Plan> => {
  const { store, vault, access } = parts;
  const on = async (
    who: Account,
    secret: DeviceSecret,
    change: { readonly command: string; readonly input: string },
  ) => runOnDevice(who.target, secret, { ...change, timeout: COMMAND_WITHIN }, access);
  if (current.kind === 'privateKey') {
    if (request.by !== undefined || request.method !== undefined)
      throw new CredentialError('SP_ROTATION_IMPOSSIBLE', `${account.name} is a key: it replaces itself`);
    const key = newKey(`sallyport-${account.name}`);
    return {
      next: { kind: 'privateKey', privateKey: key.privateKey, password: undefined },
      method: 'key',
      run: () => on(account, current, keyAddition(key.line)),
    };
  }
  if (!fitsPasswordFile(account.username))
    throw new CredentialError('SP_ROTATION_IMPOSSIBLE', 'the account’s name can’t stand in a password file');
  const next = newPassword();
  const words = { current: current.password, next };
  const by = request.by === undefined ? undefined : await accountNamed(store, request.by);
  if (by !== undefined && by.target.device.id !== account.target.device.id)
    throw new CredentialError('SP_ROTATION_IMPOSSIBLE', `${by.name} belongs to another device`);
  const actor = by ?? account;
  const secret = by === undefined ? current : await createDeviceVault(store, vault).secretOf(by.id);
  const sudoAsks = async (): Promise<boolean> =>
    (await on(actor, secret, { command: SUDO_PROBE, input: '' })).code !== 0;
  const { method, sudo } = await fittingMethod(actor, secret, request.method, by !== undefined, sudoAsks);
  if (method === 'passwd' && by !== undefined)
    throw new CredentialError('SP_ROTATION_IMPOSSIBLE', 'passwd changes its own account only');
  return {
    next: { kind: 'password', password: next },
    method,
    run: () => on(actor, secret, passwordChange(method, account.username, { ...words, sudo })),
  };
};

const fittingMethod = async (
  actor: Account,
  secret: DeviceSecret,
  wanted: PasswordMethod | undefined,
  forAnother: boolean,
  sudoAsks: () => Promise<boolean>,
): Promise<{ readonly method: PasswordMethod; readonly sudo: string | undefined }> => {
  const plain = (method: PasswordMethod) => ({ method, sudo: undefined });
  if (wanted === 'chpasswd' || wanted === 'passwd') return plain(wanted);
  if (wanted === undefined && actor.username === 'root') return plain('chpasswd');
  if (!(await sudoAsks())) return plain('sudo-chpasswd');
  if (wanted === undefined && !forAnother) return plain('passwd');
  // The password of a key that has one beside it is the account's too.
  return { method: 'sudo-chpasswd', sudo: secret.password };
};

/** Opens a rotation, unless one is under way. */
const begin = async (
  { store, vault, now }: RotationParts,
  account: Account,
  current: DeviceSecret,
  plan: Plan,
  actor: string,
): Promise<CredentialRotationsTable> => {
  const id = newId();
  const next = sealVersion(vault, id, 'next', plan.next);
  const previous = sealVersion(vault, id, 'previous', current);
  const row: CredentialRotationsTable = {
    id,
    credential_id: account.id,
    credential_name: account.name,
    device_name: account.target.device.name,
    actor,
    method: plan.method,
    state: 'prepared',
    detail: '',
    started_at: now(),
    finished_at: null,
    next_password_sealed: next.password,
    next_private_key_sealed: next.privateKey,
    previous_password_sealed: previous.password,
    previous_private_key_sealed: previous.privateKey,
  };
  await store.transaction(async (trx) => {
    const other = await trx
      .selectFrom('credential_rotations')
      .select('id')
      .where('credential_id', '=', account.id)
      .where('state', 'in', [...UNDER_WAY])
      .executeTakeFirst();
    if (other !== undefined)
      throw new CredentialError(
        'SP_ROTATION_UNDER_WAY',
        `a rotation of ${account.name} is under way, or its outcome is not known yet (${other.id})`,
      );
    await trx.insertInto('credential_rotations').values(row).execute();
  });
  return row;
};

/**
 * Changes the account on the device and proves the new secret. Throws CredentialError and DirectoryError when it could
 * not begin: then nothing has changed anywhere.
 */
export const rotateCredential = async (
  parts: RotationParts,
  request: RotationRequest,
): Promise<RotationOutcome> => {
  const { store, vault, access } = parts;
  const account = await accountNamed(store, request.credential);
  await resolveRotations(parts, account.id);
  const current = await createDeviceVault(store, vault).secretOf(account.id);
  // A secret that does not open the account now can't tell later whether the old one still holds.
  try {
    await proveSecret(account.target, current, access);
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    throw new CredentialError('SP_ROTATION_IMPOSSIBLE', `${account.name}: ${error.message}`, error);
  }
  const plan = await planFor(parts, account, current, request);
  const row = await begin(parts, account, current, plan, request.actor);
  await setState(store, row.id, 'sent', '');
  const secrets = [current.password ?? '', plan.next.kind === 'password' ? plan.next.password : ''].filter(
    (secret) => secret !== '',
  );
  let certain = true;
  let detail = plan.method;
  try {
    const { code, stderr } = await plan.run();
    if (code !== 0) detail = `${plan.method} ended with ${code ?? 'a signal'}: ${saidBy(stderr, secrets)}`;
  } catch (error) {
    // A refused sign-in has changed nothing; anything else may have.
    certain = error instanceof DialError;
    detail = `${plan.method}: ${shown(error instanceof Error ? error.message : String(error), 300)}`;
  }
  return told(parts, account, await settle(parts, account, row, { certain, detail }));
};

/** Settles rotations whose outcome was not known, of one credential or all; answers what became of them. */
export const resolveRotations = async (
  parts: RotationParts,
  credentialId?: string,
): Promise<readonly RotationOutcome[]> => {
  const { store, now } = parts;
  const rows = await store.db
    .selectFrom('credential_rotations')
    .selectAll()
    .where('state', 'in', [...UNDER_WAY])
    .$if(credentialId !== undefined, (query) => query.where('credential_id', '=', credentialId ?? ''))
    .orderBy('started_at')
    .limit(100)
    .execute();
  const outcomes: RotationOutcome[] = [];
  for (const row of rows) {
    const abandoned = now() - row.started_at > ABANDONED_AFTER;
    // One that goes on at this moment is not ours to judge.
    if (row.state !== 'unverified' && !abandoned) continue;
    const account = await accountNamed(store, row.credential_name).catch(() => undefined);
    if (account === undefined || account.id !== row.credential_id) {
      await setState(store, row.id, 'failed', 'the credential is gone', {
        ...NOTHING_SEALED,
        finished_at: now(),
      });
      continue;
    }
    if (row.state === 'prepared') {
      // The device never heard of it.
      await setState(store, row.id, 'failed', 'given up before the device was asked', {
        ...NOTHING_SEALED,
        finished_at: now(),
      });
      outcomes.push({ kind: 'failed', id: row.id, detail: 'given up before the device was asked' });
      continue;
    }
    const outcome = await settle(parts, account, row, { certain: abandoned, detail: row.method });
    if (outcome.kind !== 'unverified') await told(parts, account, outcome);
    outcomes.push(outcome);
  }
  return outcomes;
};

export interface RotationView {
  readonly id: string;
  readonly credential: string;
  readonly device: string;
  readonly actor: string;
  readonly method: string;
  readonly state: string;
  readonly detail: string;
  readonly startedAt: number;
  readonly finishedAt: number | undefined;
}

const rotationView = (row: CredentialRotationsTable): RotationView => ({
  id: row.id,
  credential: row.credential_name,
  device: row.device_name,
  actor: row.actor,
  method: row.method,
  state: row.state,
  detail: row.detail,
  startedAt: row.started_at,
  finishedAt: row.finished_at ?? undefined,
});

/** Newest first. */
export const pageRotations = async (
  store: Store,
  filter: {
    readonly credential?: string | undefined;
    readonly limit: number;
    readonly after: string | undefined;
  },
): Promise<Page<RotationView>> => {
  const { rows, next } = await readPage(
    store.db
      .selectFrom('credential_rotations')
      .selectAll()
      .$if(filter.credential !== undefined, (query) =>
        query.where('credential_name', '=', filter.credential ?? ''),
      ),
    {
      time: 'started_at',
      id: 'id',
      order: 'newest-first',
      limit: filter.limit,
      after: filter.after,
      positionOf: (row) => ({ time: row.started_at, id: row.id }),
    },
  );
  return { rows: rows.map(rotationView), next };
};

/** Newest first. */
export const listRotations = async (
  store: Store,
  filter: { readonly credential?: string | undefined; readonly limit: number },
): Promise<readonly RotationView[]> => (await pageRotations(store, { ...filter, after: undefined })).rows;
