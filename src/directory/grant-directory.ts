// Answers who may reach what, from a snapshot of the directory that is read again only when its version has changed.
// Fails closed: while the store can't be asked, nobody is granted anything.
import type { Grants } from '../../proxy/login/ports.ts';
import { StoreError } from '../store/errors.ts';
import type { Store } from '../store/store.ts';
import type { Snapshot, SnapshotCredential, Who } from './grant-decision.ts';
import { decideAt, makeSnapshot, targetsAt } from './grant-decision.ts';
import { readGrants } from './grants.ts';
import { readSettings } from './settings.ts';
import { terminalReadingOf } from './terminal-reading.ts';

interface Versioned {
  readonly version: number;
  readonly snapshot: Snapshot;
  readonly contact: string;
}

const READ_ATTEMPTS = 8;
/** How soon after a change those are told who live on an earlier answer. Milliseconds. */
const LOOK_EVERY = 2_000;

const readVersion = async (store: Store): Promise<number> => {
  const row = await store.db
    .selectFrom('directory_state')
    .select('version')
    .where('id', '=', 1)
    .executeTakeFirst();
  return row?.version ?? 0;
};

const readSnapshot = async (store: Store): Promise<Versioned> => {
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
    const version = await readVersion(store);
    const [devices, tags, credentials, grants, settings] = await Promise.all([
      store.db
        .selectFrom('devices')
        .select(['id', 'name', 'host', 'port', 'os', 'shell_integration', 'side_channel'])
        .execute(),
      store.db.selectFrom('device_tags').selectAll().orderBy('tag').execute(),
      store.db
        .selectFrom('credentials')
        .select(['id', 'name', 'username', 'device_id', 'shell_integration', 'side_channel'])
        .execute(),
      readGrants(store.db),
      readSettings(store.db),
    ]);
    // Read in several steps: it is one version only when nothing changed meanwhile.
    if ((await readVersion(store)) !== version) continue;
    const tagsOf = Map.groupBy(tags, (row) => row.device_id);
    const credentialsOf = Map.groupBy(credentials, (row) => row.device_id);
    return {
      version,
      contact: settings.contact,
      snapshot: makeSnapshot(
        devices.map((device) => ({
          id: device.id,
          name: device.name,
          host: device.host,
          port: device.port,
          os: device.os ?? undefined,
          ...terminalReadingOf(device),
          tags: (tagsOf.get(device.id) ?? []).map((row) => row.tag),
          credentials: (credentialsOf.get(device.id) ?? []).map(
            ({ id, name, username, ...row }): SnapshotCredential => ({
              id,
              name,
              username,
              ...terminalReadingOf(row),
            }),
          ),
        })),
        grants,
      ),
    };
  }
  throw new StoreError('SP_STORE_BUSY', 'the directory kept changing while it was read');
};

const readWho = async (store: Store, userId: string): Promise<Who | undefined> => {
  const [user, groups] = await Promise.all([
    store.db
      .selectFrom('users')
      .select(['name', 'disabled_reason'])
      .where('id', '=', userId)
      .executeTakeFirst(),
    store.db.selectFrom('user_groups').select('group_name').where('user_id', '=', userId).execute(),
  ]);
  if (user === undefined || user.disabled_reason !== null) return undefined;
  return { name: user.name, groups: groups.map((row) => row.group_name) };
};

/**
 * Tells each watcher once soon after it came, and again whenever the directory's version is another one than that which
 * it was told of. One query each time, however many watch; none while nobody does. A failed look is made again.
 */
const createWatch = (store: Store): NonNullable<Grants['watch']> => {
  const told = new Map<() => void, number | undefined>();
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const version = await readVersion(store).catch(() => undefined);
    if (version !== undefined) {
      for (const [changed, before] of [...told]) {
        if (before === version || !told.has(changed)) continue;
        told.set(changed, version);
        changed();
      }
    }
    timer = undefined;
    lookLater();
  };
  const lookLater = (): void => {
    if (timer !== undefined || told.size === 0) return;
    timer = setTimeout(() => void look(), LOOK_EVERY);
    timer.unref();
  };
  return (changed, until) => {
    if (until.aborted) return;
    told.set(changed, undefined);
    until.addEventListener('abort', () => told.delete(changed), { once: true });
    lookLater();
  };
};

export const createGrants = (store: Store): Grants => {
  let current: Versioned | undefined;
  let reading: Promise<Versioned> | undefined;
  const fresh = async (): Promise<Versioned> => {
    const version = await readVersion(store);
    if (current?.version === version) return current;
    reading ??= readSnapshot(store).finally(() => {
      reading = undefined;
    });
    const read = await reading;
    if (current === undefined || read.version > current.version) current = read;
    // A reading that was under way already may be older than what this caller must see.
    return read.version >= version ? read : fresh();
  };
  return {
    watch: createWatch(store),
    targetsOf: async (userId, now) => {
      const [who, { snapshot }] = await Promise.all([readWho(store, userId), fresh()]);
      return who === undefined ? [] : targetsAt(snapshot, who, now.getTime());
    },
    decide: async (userId, account, device, now) => {
      const [who, { snapshot, contact }] = await Promise.all([readWho(store, userId), fresh()]);
      if (who === undefined) {
        return {
          kind: 'denied',
          code: 'not-granted',
          detail: `the user ${userId} is gone or disabled`,
          tell: `You may not open sessions. Ask ${contact}.`,
        };
      }
      return decideAt(snapshot, who, { account, device }, now.getTime(), contact);
    },
  };
};
