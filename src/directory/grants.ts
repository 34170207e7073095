// Grants as they are kept: who (users, groups) may reach what (devices by name, glob or tag; some or all of their
// credentials), over which channels, when. What follows from them at a moment is grant-decision.ts.
import type { Kysely, Transaction } from 'kysely';
import type { ChannelKind } from '../../proxy/login/ports.ts';
import { newId } from '../store/id.ts';
import type { Schema, Store } from '../store/store.ts';
import type { Change, ChangeContext, Shown } from './changes.ts';
import { differences, recordChange } from './changes.ts';
import { DirectoryError } from './errors.ts';
import { allOf, oneOf, readStringList } from './stored-json.ts';
import { sortedSet } from './users.ts';

export const CHANNELS = [
  'shell',
  'exec',
  'sftp',
  'scp',
  'forward',
  'agent',
  'x11',
] as const satisfies readonly ChannelKind[];

export const RECORDINGS = ['strict', 'best-effort'] as const;
export const NON_INTERACTIVE = ['pause', 'end'] as const;

export interface GrantSpec {
  readonly name: string;
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** Names or globs. */
  readonly devices: readonly string[];
  readonly tags: readonly string[];
  /** Undefined: every credential of the devices. */
  readonly credentials: readonly string[] | undefined;
  readonly channels: readonly ChannelKind[];
  readonly subsystems: readonly string[];
  /** As times.ts reads them; none: always. */
  readonly times: readonly string[];
  readonly recording: 'strict' | 'best-effort';
  /** Whom a user asks who is turned away. */
  readonly contact: string | undefined;
  /** Its users may look at the credentials that it covers; absent: they may not. */
  readonly viewCredentials?: boolean;
  /** What becomes of transfers and commands without a terminal while their user is asked who they are; absent: `pause`. */
  readonly nonInteractive?: 'pause' | 'end';
}

export interface GrantView extends GrantSpec {
  readonly id: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

type Reader = Kysely<Schema> | Transaction<Schema>;

/** Undefined: all grants, by name. */
export const readGrants = async (db: Reader, name?: string): Promise<readonly GrantView[]> => {
  const rows = await db
    .selectFrom('grants')
    .selectAll()
    .$if(name !== undefined, (query) => query.where('name', '=', name ?? ''))
    .orderBy('name')
    .execute();
  const one = name === undefined ? undefined : (rows[0]?.id ?? '');
  const members = await db
    .selectFrom('grant_members')
    .selectAll()
    .$if(one !== undefined, (query) => query.where('grant_id', '=', one ?? ''))
    .orderBy('grant_id')
    .orderBy('kind')
    .orderBy('value')
    .execute();
  const membersOf = Map.groupBy(members, (member) => member.grant_id);
  return rows.map((row) => {
    const own = Map.groupBy(membersOf.get(row.id) ?? [], (member) => member.kind);
    const values = (kind: 'user' | 'group' | 'device' | 'tag' | 'credential'): readonly string[] =>
      (own.get(kind) ?? []).map((member) => member.value);
    return {
      id: row.id,
      name: row.name,
      users: values('user'),
      groups: values('group'),
      devices: values('device'),
      tags: values('tag'),
      credentials: row.any_credential === 1 ? undefined : values('credential'),
      channels: allOf(
        CHANNELS,
        readStringList(row.channels_json, 'a grant’s channels'),
        'a grant’s channels',
      ),
      subsystems: readStringList(row.subsystems_json, 'a grant’s subsystems'),
      times: readStringList(row.times_json, 'a grant’s times'),
      recording: oneOf(RECORDINGS, row.recording) ?? 'strict',
      contact: row.contact ?? undefined,
      viewCredentials: row.views === 1,
      nonInteractive: oneOf(NON_INTERACTIVE, row.non_interactive) ?? 'end',
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    };
  });
};

/** By name. */
export const listGrants = (store: Store): Promise<readonly GrantView[]> => readGrants(store.db);

export const findGrant = async (db: Reader, name: string): Promise<GrantView | undefined> =>
  (await readGrants(db, name))[0];

const normal = (spec: GrantSpec): GrantSpec => ({
  ...spec,
  users: sortedSet(spec.users),
  groups: sortedSet(spec.groups),
  devices: sortedSet(spec.devices),
  tags: sortedSet(spec.tags),
  credentials: spec.credentials === undefined ? undefined : sortedSet(spec.credentials),
  channels: CHANNELS.filter((channel) => spec.channels.includes(channel)),
  subsystems: sortedSet(spec.subsystems),
});

const shownGrant = (grant: GrantSpec): Shown => ({
  users: grant.users,
  groups: grant.groups,
  devices: grant.devices,
  tags: grant.tags,
  credentials:
    grant.credentials === undefined ? 'all' : grant.credentials.length === 0 ? 'none' : grant.credentials,
  channels: grant.channels,
  subsystems: grant.subsystems,
  times: grant.times,
  recording: grant.recording,
  contact: grant.contact,
  viewCredentials: grant.viewCredentials === true ? true : undefined,
  nonInteractive: grant.nonInteractive === 'end' ? 'end' : undefined,
});

export const putGrant = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  given: GrantSpec,
): Promise<Change> => {
  const spec = normal(given);
  const current = await findGrant(trx, spec.name);
  const id = current?.id ?? newId();
  const fields = differences(current === undefined ? {} : shownGrant(normal(current)), shownGrant(spec));
  const change = { kind: 'grant', name: spec.name, fields } as const;
  if (current !== undefined && fields.length === 0) return { ...change, action: 'unchanged' };
  const columns = {
    channels_json: JSON.stringify(spec.channels),
    subsystems_json: JSON.stringify(spec.subsystems),
    times_json: JSON.stringify(spec.times),
    recording: spec.recording,
    contact: spec.contact ?? null,
    any_credential: spec.credentials === undefined ? 1 : 0,
    views: spec.viewCredentials === true ? 1 : 0,
    non_interactive: spec.nonInteractive ?? 'pause',
    updated_at: context.now,
  };
  if (current === undefined) {
    await trx
      .insertInto('grants')
      .values({ ...columns, id, name: spec.name, created_at: context.now })
      .execute();
  } else {
    await trx.updateTable('grants').set(columns).where('id', '=', id).execute();
  }
  await trx.deleteFrom('grant_members').where('grant_id', '=', id).execute();
  const members = [
    ...spec.users.map((value) => ({ grant_id: id, kind: 'user' as const, value })),
    ...spec.groups.map((value) => ({ grant_id: id, kind: 'group' as const, value })),
    ...spec.devices.map((value) => ({ grant_id: id, kind: 'device' as const, value })),
    ...spec.tags.map((value) => ({ grant_id: id, kind: 'tag' as const, value })),
    ...(spec.credentials ?? []).map((value) => ({ grant_id: id, kind: 'credential' as const, value })),
  ];
  for (let from = 0; from < members.length; from += 500) {
    await trx
      .insertInto('grant_members')
      .values(members.slice(from, from + 500))
      .execute();
  }
  return recordChange(trx, context, { ...change, action: current === undefined ? 'created' : 'changed' });
};

/** Throws SP_NOT_FOUND. */
export const removeGrant = async (
  trx: Transaction<Schema>,
  context: ChangeContext,
  name: string,
): Promise<Change> => {
  const current = await findGrant(trx, name);
  if (current === undefined) throw new DirectoryError('SP_NOT_FOUND', `there is no grant ${name}`);
  await trx.deleteFrom('grants').where('id', '=', current.id).execute();
  const fields = differences(shownGrant(current), {});
  return recordChange(trx, context, { kind: 'grant', name, action: 'removed', fields });
};
