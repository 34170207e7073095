// Credentials of device accounts, sealed. Secrets leave here in one place only, secretOf, for a connection that is
// being made. Lists and differences never hold them.
import type { Kysely, Transaction } from 'kysely';
import type { DeviceSecret, DeviceVault } from '../../proxy/device/ports.ts';
import { newId } from '../store/id.ts';
import type { TerminalReadingColumns } from '../store/steps/terminal-reading.ts';
import type { Schema, Store } from '../store/store.ts';
import type { Change, ChangeContext, FieldChange } from './changes.ts';
import { differences, recordChange, SECRET_CHANGED, SECRET_SET } from './changes.ts';
import { DirectoryError } from './errors.ts';
import {
  shownReading,
  type TerminalReading,
  terminalReadingColumns,
  terminalReadingOf,
} from './terminal-reading.ts';
import { totpPlace } from './users.ts';
import type { SealedPlace, Vault } from './vault.ts';

export interface CredentialSpec extends TerminalReading {
  readonly name: string;
  /** The device's name. */
  readonly device: string;
  readonly username: string;
  /** At least one of the two; with both, the password is the account's own, for devices that ask for it after the key. */
  readonly password: string | undefined;
  /** PEM or OpenSSH form, without a passphrase: it is sealed anyway. */
  readonly privateKey: string | undefined;
}

export interface CredentialView extends TerminalReading {
  readonly id: string;
  readonly name: string;
  readonly device: string;
  readonly username: string;
  readonly kind: 'password' | 'privateKey';
  readonly createdAt: number;
  readonly updatedAt: number;
}

type Reader = Kysely<Schema> | Transaction<Schema>;

const readCredentials = (db: Reader) =>
  db
    .selectFrom('credentials')
    .innerJoin('devices', 'devices.id', 'credentials.device_id')
    .select([
      'credentials.id as id',
      'credentials.name as name',
      'devices.name as device',
      'credentials.username as username',
      'credentials.kind as kind',
      'credentials.created_at as createdAt',
      'credentials.updated_at as updatedAt',
      'credentials.shell_integration as shell_integration',
      'credentials.side_channel as side_channel',
    ]);

const viewOf = ({
  shell_integration,
  side_channel,
  ...row
}: Omit<CredentialView, keyof TerminalReading> & TerminalReadingColumns): CredentialView => ({
  ...row,
  ...terminalReadingOf({ shell_integration, side_channel }),
});

/** By name. */
export const listCredentials = async (store: Store): Promise<readonly CredentialView[]> =>
  (await readCredentials(store.db).orderBy('credentials.name').execute()).map(viewOf);

export const findCredential = async (db: Reader, name: string): Promise<CredentialView | undefined> => {
  const row = await readCredentials(db).where('credentials.name', '=', name).executeTakeFirst();
  return row === undefined ? undefined : viewOf(row);
};

/** Where a credential's secret is sealed. Versions of it that a rotation keeps have ids of their own. */
export const credentialPlace = (id: string, field: 'password' | 'privateKey'): SealedPlace => ({
  purpose: 'device credential',
  id,
  field,
});

const secretDiffers = (
  vault: Vault,
  where: SealedPlace,
  sealed: string | null,
  wanted: string | undefined,
): boolean => {
  if (sealed === null || wanted === undefined) return (sealed === null) !== (wanted === undefined);
  try {
    return vault.open(where, sealed).toString('utf8') !== wanted;
  } catch (error) {
    if (error instanceof DirectoryError && error.code === 'SP_VAULT_OPEN') return true;
    throw error;
  }
};

/** Throws SP_NOT_FOUND when the device isn't there. */
export const putCredential = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  spec: CredentialSpec,
): Promise<Change> => {
  const current = await trx
    .selectFrom('credentials')
    .innerJoin('devices', 'devices.id', 'credentials.device_id')
    .selectAll('credentials')
    .select('devices.name as device')
    .where('credentials.name', '=', spec.name)
    .executeTakeFirst();
  const device = await trx
    .selectFrom('devices')
    .select('id')
    .where('name', '=', spec.device)
    .executeTakeFirst();
  if (device === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no device ${spec.device}`);
  const id = current?.id ?? newId();
  const secrets = (['password', 'privateKey'] as const).map((field) => {
    const sealed = (field === 'password' ? current?.password_sealed : current?.private_key_sealed) ?? null;
    const wanted = spec[field];
    const differs = secretDiffers(context.vault, credentialPlace(id, field), sealed, wanted);
    const change: FieldChange = {
      field,
      before: sealed === null ? undefined : SECRET_SET,
      after: wanted === undefined ? undefined : sealed === null ? SECRET_SET : SECRET_CHANGED,
    };
    const next =
      wanted === undefined
        ? null
        : context.vault.seal(credentialPlace(id, field), Buffer.from(wanted, 'utf8'));
    return { changes: differs ? [change] : [], sealed: differs ? next : sealed };
  });
  const fields = [
    ...differences(
      current === undefined
        ? {}
        : {
            device: current.device,
            username: current.username,
            ...shownReading(terminalReadingOf(current)),
          },
      { device: spec.device, username: spec.username, ...shownReading(spec) },
    ),
    ...secrets.flatMap((secret) => secret.changes),
  ];
  const change = { kind: 'credential', name: spec.name, fields } as const;
  if (current !== undefined && fields.length === 0) return { ...change, action: 'unchanged' };
  const columns = {
    device_id: device.id,
    username: spec.username,
    kind: spec.privateKey === undefined ? ('password' as const) : ('privateKey' as const),
    password_sealed: secrets[0]?.sealed ?? null,
    private_key_sealed: secrets[1]?.sealed ?? null,
    ...terminalReadingColumns(spec),
    updated_at: context.now,
  };
  if (current === undefined) {
    await trx
      .insertInto('credentials')
      .values({ ...columns, id, name: spec.name, created_at: context.now })
      .execute();
  } else {
    await trx.updateTable('credentials').set(columns).where('id', '=', id).execute();
  }
  return recordChange(trx, context, { ...change, action: current === undefined ? 'created' : 'changed' });
};

/** Takes its name out of every grant; a grant that named it alone then grants nothing. Throws SP_NOT_FOUND. */
export const removeCredential = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  name: string,
): Promise<Change> => {
  const current = await findCredential(trx, name);
  if (current === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no credential ${name}`);
  await trx.deleteFrom('grant_members').where('kind', '=', 'credential').where('value', '=', name).execute();
  await trx.deleteFrom('credentials').where('id', '=', current.id).execute();
  const fields = [
    ...differences({ device: current.device, username: current.username }, {}),
    { field: current.kind, before: SECRET_SET, after: undefined },
  ];
  return recordChange(trx, context, { kind: 'credential', name, action: 'removed', fields });
};

export const createDeviceVault = (store: Store, vault: Vault): DeviceVault => ({
  secretOf: async (credentialId): Promise<DeviceSecret> => {
    const row = await store.db
      .selectFrom('credentials')
      .select(['password_sealed', 'private_key_sealed'])
      .where('id', '=', credentialId)
      .executeTakeFirst();
    if (row === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no credential ${credentialId}`);
    const open = (field: 'password' | 'privateKey', sealed: string | null): string | undefined =>
      sealed === null ? undefined : vault.open(credentialPlace(credentialId, field), sealed).toString('utf8');
    const password = open('password', row.password_sealed);
    const privateKey = open('privateKey', row.private_key_sealed);
    if (privateKey !== undefined) return { kind: 'privateKey', privateKey, password };
    if (password !== undefined) return { kind: 'password', password };
    throw new DirectoryError('SP_VAULT_OPEN', `the credential ${credentialId} holds no secret`);
  },
});

/** Seals again, with the current master key, everything that an older one sealed; answers how many values. */
export const resealAll = (store: Store, vault: Vault): Promise<number> =>
  store.transaction(async (trx) => {
    let count = 0;
    const again = (where: SealedPlace, sealed: string | null): string | null => {
      if (sealed === null || !vault.isStale(sealed)) return sealed;
      count += 1;
      return vault.seal(where, vault.open(where, sealed));
    };
    const credentials = await trx
      .selectFrom('credentials')
      .select(['id', 'password_sealed', 'private_key_sealed'])
      .execute();
    for (const row of credentials) {
      const password_sealed = again(credentialPlace(row.id, 'password'), row.password_sealed);
      const private_key_sealed = again(credentialPlace(row.id, 'privateKey'), row.private_key_sealed);
      if (password_sealed === row.password_sealed && private_key_sealed === row.private_key_sealed) continue;
      await trx
        .updateTable('credentials')
        .set({ password_sealed, private_key_sealed })
        .where('id', '=', row.id)
        .execute();
    }
    const rotations = await trx
      .selectFrom('credential_rotations')
      .select([
        'id',
        'next_password_sealed',
        'next_private_key_sealed',
        'previous_password_sealed',
        'previous_private_key_sealed',
      ])
      .where('state', 'in', ['prepared', 'sent', 'unverified'])
      .execute();
    for (const { id, ...row } of rotations) {
      await trx
        .updateTable('credential_rotations')
        .set({
          next_password_sealed: again(credentialPlace(`${id}/next`, 'password'), row.next_password_sealed),
          next_private_key_sealed: again(
            credentialPlace(`${id}/next`, 'privateKey'),
            row.next_private_key_sealed,
          ),
          previous_password_sealed: again(
            credentialPlace(`${id}/previous`, 'password'),
            row.previous_password_sealed,
          ),
          previous_private_key_sealed: again(
            credentialPlace(`${id}/previous`, 'privateKey'),
            row.previous_private_key_sealed,
          ),
        })
        .where('id', '=', id)
        .execute();
    }
    const users = await trx.selectFrom('users').select(['id', 'totp_sealed']).execute();
    for (const row of users) {
      const totp_sealed = again(totpPlace(row.id), row.totp_sealed);
      if (totp_sealed === row.totp_sealed) continue;
      await trx.updateTable('users').set({ totp_sealed }).where('id', '=', row.id).execute();
    }
    return count;
  });
