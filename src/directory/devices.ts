// Devices and the host keys pinned for them. A device without a configured host key keeps what it showed at first use;
// taking the key out of a file later does not unpin it (`device forget-host-key` does). Dialling is proxy/device's.
import type { Kysely, Transaction } from 'kysely';
import type { HostKeyPins } from '../../proxy/device/ports.ts';
import { newId } from '../store/id.ts';
import type { Schema, Store } from '../store/store.ts';
import type { Change, ChangeContext, Shown } from './changes.ts';
import { differences, recordChange } from './changes.ts';
import { DirectoryError } from './errors.ts';
import {
  shownReading,
  type TerminalReading,
  terminalReadingColumns,
  terminalReadingOf,
} from './terminal-reading.ts';
import { sortedSet } from './users.ts';

export interface DeviceSpec extends TerminalReading {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `type base64` each; undefined: whatever is pinned stays, or the first key seen is pinned. */
  readonly hostKeys: readonly string[] | undefined;
  readonly tags: readonly string[];
  readonly os: string | undefined;
}

export interface DeviceView extends TerminalReading {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly os: string | undefined;
  readonly hostKeys: readonly {
    readonly key: string;
    readonly origin: 'configured' | 'first-use';
    readonly pinnedAt: number;
  }[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

type Reader = Kysely<Schema> | Transaction<Schema>;

const readDevices = async (db: Reader, name: string | undefined): Promise<readonly DeviceView[]> => {
  const rows = await db
    .selectFrom('devices')
    .selectAll()
    .$if(name !== undefined, (query) => query.where('name', '=', name ?? ''))
    .orderBy('name')
    .execute();
  const one = name === undefined ? undefined : (rows[0]?.id ?? '');
  const tags = await db
    .selectFrom('device_tags')
    .selectAll()
    .$if(one !== undefined, (query) => query.where('device_id', '=', one ?? ''))
    .orderBy('device_id')
    .orderBy('tag')
    .execute();
  const keys = await db
    .selectFrom('device_host_keys')
    .selectAll()
    .$if(one !== undefined, (query) => query.where('device_id', '=', one ?? ''))
    .orderBy('device_id')
    .orderBy('position')
    .execute();
  const tagsOf = Map.groupBy(tags, (tag) => tag.device_id);
  const keysOf = Map.groupBy(keys, (key) => key.device_id);
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    host: row.host,
    port: row.port,
    tags: (tagsOf.get(row.id) ?? []).map((tag) => tag.tag),
    os: row.os ?? undefined,
    ...terminalReadingOf(row),
    hostKeys: (keysOf.get(row.id) ?? []).map((key) => ({
      key: key.key_line,
      origin: key.origin,
      pinnedAt: key.pinned_at,
    })),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }));
};

/** By name. */
export const listDevices = (store: Store): Promise<readonly DeviceView[]> => readDevices(store.db, undefined);

export const findDevice = async (db: Reader, name: string): Promise<DeviceView | undefined> =>
  (await readDevices(db, name))[0];

const shownDevice = (device: Omit<DeviceSpec, 'name'>): Shown => ({
  host: device.host,
  port: device.port,
  os: device.os,
  tags: device.tags,
  hostKey: device.hostKeys,
  ...shownReading(device),
});

export const putDevice = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  spec: DeviceSpec,
): Promise<Change> => {
  const current = await findDevice(trx, spec.name);
  const id = current?.id ?? newId();
  const pinned = current?.hostKeys.map((key) => key.key) ?? [];
  const hostKeys = spec.hostKeys ?? pinned;
  const tags = sortedSet(spec.tags);
  const was = current === undefined ? {} : shownDevice({ ...current, hostKeys: pinned });
  const fields = differences(was, shownDevice({ ...spec, tags, hostKeys }));
  const change = { kind: 'device', name: spec.name, fields } as const;
  if (current !== undefined && fields.length === 0) return { ...change, action: 'unchanged' };
  const columns = {
    host: spec.host,
    port: spec.port,
    os: spec.os ?? null,
    ...terminalReadingColumns(spec),
    updated_at: context.now,
  };
  if (current === undefined) {
    await trx
      .insertInto('devices')
      .values({ ...columns, id, name: spec.name, created_at: context.now })
      .execute();
  } else {
    await trx.updateTable('devices').set(columns).where('id', '=', id).execute();
  }
  await trx.deleteFrom('device_tags').where('device_id', '=', id).execute();
  if (tags.length > 0) {
    await trx
      .insertInto('device_tags')
      .values(tags.map((tag) => ({ device_id: id, tag })))
      .execute();
  }
  if (fields.some((field) => field.field === 'hostKey')) {
    await trx.deleteFrom('device_host_keys').where('device_id', '=', id).execute();
    await trx
      .insertInto('device_host_keys')
      .values(
        hostKeys.map((key_line, position) => ({
          device_id: id,
          position,
          key_line,
          origin: 'configured' as const,
          pinned_at: context.now,
        })),
      )
      .execute();
  }
  return recordChange(trx, context, { ...change, action: current === undefined ? 'created' : 'changed' });
};

/** The next connection pins anew. Throws SP_NOT_FOUND. */
export const forgetHostKeys = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  name: string,
): Promise<Change> => {
  const current = await findDevice(trx, name);
  if (current === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no device ${name}`);
  const fields = differences({ hostKey: current.hostKeys.map((key) => key.key) }, {});
  const change = { kind: 'device', name, fields } as const;
  if (fields.length === 0) return { ...change, action: 'unchanged' };
  await trx.deleteFrom('device_host_keys').where('device_id', '=', current.id).execute();
  return recordChange(trx, context, { ...change, action: 'changed' });
};

/** Takes its credentials with it, and its name out of every grant. Throws SP_NOT_FOUND. */
export const removeDevice = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  name: string,
): Promise<Change> => {
  const current = await findDevice(trx, name);
  if (current === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no device ${name}`);
  const credentials = await trx
    .selectFrom('credentials')
    .select('name')
    .where('device_id', '=', current.id)
    .orderBy('name')
    .execute();
  for (const credential of credentials) {
    await trx
      .deleteFrom('grant_members')
      .where('kind', '=', 'credential')
      .where('value', '=', credential.name)
      .execute();
  }
  await trx.deleteFrom('grant_members').where('kind', '=', 'device').where('value', '=', name).execute();
  await trx.deleteFrom('devices').where('id', '=', current.id).execute();
  const shown = shownDevice({ ...current, hostKeys: current.hostKeys.map((key) => key.key) });
  const fields = differences({ ...shown, credentials: credentials.map((row) => row.name) }, {});
  return recordChange(trx, context, { kind: 'device', name, action: 'removed', fields });
};

export const createHostKeyPins = (store: Store, clock: () => number = Date.now): HostKeyPins => {
  const pinnedKeys = async (deviceId: string): Promise<readonly string[]> => {
    const rows = await store.db
      .selectFrom('device_host_keys')
      .select('key_line')
      .where('device_id', '=', deviceId)
      .orderBy('position')
      .execute();
    return rows.map((row) => row.key_line);
  };
  return {
    pinnedKeys,
    pinFirst: async (deviceId, key) => {
      // Position 0 can be taken once, whoever comes at the same time.
      await store.db
        .insertInto('device_host_keys')
        .values({ device_id: deviceId, position: 0, key_line: key, origin: 'first-use', pinned_at: clock() })
        .onConflict((conflict) => conflict.columns(['device_id', 'position']).doNothing())
        .execute();
      return pinnedKeys(deviceId);
    },
  };
};
