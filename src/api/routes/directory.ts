// Users, devices, credentials and grants: listed, shown, put as a whole and removed. What is put is read exactly as `apply`
// reads a file with that one thing in it. Secrets go in and never come out: left out they stay, null takes them away.
import type { Transaction } from 'kysely';
import { z } from 'zod';
import { parseAuthorizedKey } from '../../../proxy/login/authorized-keys.ts';
import { hashPassword } from '../../../proxy/login/password.ts';
import { apply } from '../../directory/apply.ts';
import type { Change, ChangeContext } from '../../directory/changes.ts';
import {
  createDeviceVault,
  findCredential,
  listCredentials,
  removeCredential,
} from '../../directory/credentials.ts';
import { findDevice, forgetHostKeys, listDevices, removeDevice } from '../../directory/devices.ts';
import {
  CHANNELS,
  findGrant,
  listGrants,
  NON_INTERACTIVE,
  RECORDINGS,
  removeGrant,
} from '../../directory/grants.ts';
import type { TerminalReading } from '../../directory/terminal-reading.ts';
import {
  findUserView,
  listUsers,
  METHODS,
  PRIORITIES,
  ROLES,
  removeUser,
  setUserDisabled,
} from '../../directory/users.ts';
import type { Schema } from '../../store/store.ts';
import { recordAct } from '../acts.ts';
import { endEverywhere } from '../orders.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { type Asked, actorOf, type Principal, plain, type Route, route } from '../route.ts';
import {
  asInstant,
  checkVersion,
  etagOf,
  instant,
  named,
  pageByName,
  pageOf,
  paging,
  word,
} from './shapes.ts';

const words = (longest = 1_024) => z.array(z.string().max(longest)).max(10_000);
const times = { createdAt: instant, updatedAt: instant } as const;

const user = z
  .object({
    name: z.string(),
    roles: z.array(z.enum(ROLES)),
    groups: z.array(z.string()),
    department: z.string().nullable(),
    priority: z.enum(PRIORITIES),
    keys: z.array(z.string()),
    password: z.boolean(),
    totp: z.boolean(),
    authentication: z.array(z.array(z.enum(METHODS))).nullable(),
    disabledReason: z.string().nullable(),
    ...times,
  })
  .meta({ id: 'User' });

/** How lines of a terminal may be read besides by the screen; null: nothing is said here. */
const reading = { shellIntegration: z.boolean().nullable(), sideChannel: z.boolean().nullable() };
/** Left out: stays. Null: nothing is said here. */
const readingInput = {
  shellIntegration: z.boolean().nullable().optional(),
  sideChannel: z.boolean().nullable().optional(),
};

const device = z
  .object({
    name: z.string(),
    host: z.string(),
    port: z.number(),
    os: z.string().nullable(),
    tags: z.array(z.string()),
    hostKeys: z.array(
      z.object({ key: z.string(), origin: z.enum(['configured', 'first-use']), pinnedAt: instant }),
    ),
    ...reading,
    ...times,
  })
  .meta({ id: 'Device' });

const credential = z
  .object({
    name: z.string(),
    device: z.string(),
    username: z.string(),
    kind: z.enum(['password', 'privateKey']),
    ...reading,
    ...times,
  })
  .meta({ id: 'Credential' });

const grant = z
  .object({
    name: z.string(),
    users: z.array(z.string()),
    groups: z.array(z.string()),
    devices: z.array(z.string()),
    tags: z.array(z.string()),
    credentials: z.array(z.string()).nullable(),
    channels: z.array(z.enum(CHANNELS)),
    subsystems: z.array(z.string()),
    times: z.array(z.string()),
    recording: z.enum(RECORDINGS),
    contact: z.string().nullable(),
    viewCredentials: z.boolean(),
    nonInteractive: z.enum(NON_INTERACTIVE),
    ...times,
  })
  .meta({ id: 'Grant' });

const stamped = <T extends { readonly createdAt: number; readonly updatedAt: number }>(view: T) => ({
  ...view,
  createdAt: asInstant(view.createdAt),
  updatedAt: asInstant(view.updatedAt),
});

type Reader = Parameters<typeof findUserView>[0];

const shownUser = async (db: Reader, name: string): Promise<z.input<typeof user> | undefined> => {
  const found = await findUserView(db, name);
  return found === undefined ? undefined : userOf(found);
};

const userOf = (found: NonNullable<Awaited<ReturnType<typeof findUserView>>>): z.input<typeof user> => ({
  ...stamped(found),
  keys: [...found.keys],
  roles: [...found.roles],
  groups: [...found.groups],
  department: found.department ?? null,
  authentication: found.authentication?.map((methods) => [...methods]) ?? null,
  disabledReason: found.disabledReason ?? null,
});

const readingOf = ({
  shellIntegration,
  sideChannel,
}: TerminalReading): z.input<z.ZodObject<typeof reading>> => ({
  shellIntegration: shellIntegration ?? null,
  sideChannel: sideChannel ?? null,
});

/** What is asked for; what is left out stays as it was. */
const wantedReading = (
  wanted: z.output<z.ZodObject<typeof readingInput>>,
  before: TerminalReading | undefined,
): TerminalReading => ({
  shellIntegration:
    (wanted.shellIntegration === undefined ? before?.shellIntegration : wanted.shellIntegration) ?? undefined,
  sideChannel: (wanted.sideChannel === undefined ? before?.sideChannel : wanted.sideChannel) ?? undefined,
});

const deviceOf = (found: NonNullable<Awaited<ReturnType<typeof findDevice>>>): z.input<typeof device> => ({
  ...stamped(found),
  os: found.os ?? null,
  tags: [...found.tags],
  hostKeys: found.hostKeys.map((key) => ({ ...key, pinnedAt: asInstant(key.pinnedAt) })),
  ...readingOf(found),
});

const credentialOf = (
  found: NonNullable<Awaited<ReturnType<typeof findCredential>>>,
): z.input<typeof credential> => ({ ...stamped(found), ...readingOf(found) });

const grantOf = (found: NonNullable<Awaited<ReturnType<typeof findGrant>>>): z.input<typeof grant> => ({
  ...stamped(found),
  users: [...found.users],
  groups: [...found.groups],
  devices: [...found.devices],
  tags: [...found.tags],
  credentials: found.credentials === undefined ? null : [...found.credentials],
  channels: [...found.channels],
  subsystems: [...found.subsystems],
  times: [...found.times],
  contact: found.contact ?? null,
  viewCredentials: found.viewCredentials ?? false,
  nonInteractive: found.nonInteractive ?? 'pause',
});

const userInput = z
  .strictObject({
    /** Left out: stays. Null: none. */
    password: z.string().min(1).max(1_024).nullable().optional(),
    /** Base32. Left out: stays. Null: none. */
    totp: z.string().max(512).nullable().optional(),
    keys: z.array(z.string().max(16_384)).max(1_000).default([]),
    roles: z.array(z.enum(ROLES)).max(3).default(['engineer']),
    groups: words(128).default([]),
    department: z.string().max(128).nullable().default(null),
    priority: z.enum(PRIORITIES).default('medium'),
    authentication: z
      .array(z.array(z.enum(METHODS)).max(3))
      .max(16)
      .nullable()
      .default(null),
  })
  .meta({ id: 'UserInput' });

const deviceInput = z
  .strictObject({
    host: z.string().max(255),
    port: z.int().min(1).max(65_535).default(22),
    os: z.string().max(128).nullable().default(null),
    tags: words(128).default([]),
    /** `type base64` each; left out: whatever is pinned stays, or the first key seen is pinned. */
    hostKeys: z.array(z.string().max(16_384)).min(1).max(16).optional(),
    ...readingInput,
  })
  .meta({ id: 'DeviceInput' });

const credentialInput = z
  .strictObject({
    device: z.string().max(1_024),
    username: z.string().max(1_024),
    /** Left out, both of them: the secret stays. */
    password: z.string().min(1).max(16_384).optional(),
    privateKey: z.string().min(1).max(65_536).optional(),
    ...readingInput,
  })
  .meta({ id: 'CredentialInput' });

const grantInput = z
  .strictObject({
    users: words().default([]),
    groups: words(128).default([]),
    devices: words().default([]),
    tags: words(128).default([]),
    credentials: words().nullable().default(null),
    channels: z.array(z.enum(CHANNELS)).max(CHANNELS.length).default(['shell', 'exec', 'sftp', 'scp']),
    subsystems: words(64).default([]),
    times: words(300).default([]),
    recording: z.enum(RECORDINGS).default('strict'),
    contact: z.string().max(200).nullable().default(null),
    /** Its users may look at the credentials that it covers. */
    viewCredentials: z.boolean().default(false),
    /** What becomes of transfers while their user is asked who they are. */
    nonInteractive: z.enum(NON_INTERACTIVE).default('pause'),
  })
  .meta({ id: 'GrantInput' });

const withoutNulls = (value: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined));

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const base32 = (bytes: Buffer): string => {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((group) => BASE32.charAt(Number.parseInt(group.padEnd(5, '0'), 2)))
    .join('');
};

class DirectoryWrites {
  readonly #parts: ApiParts;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** One thing, read as `apply` reads it, unless its state is not the one that the caller means. */
  async put(
    section: 'users' | 'devices' | 'credentials' | 'grants',
    thing: Readonly<Record<string, unknown>>,
    principal: Principal,
    before: (trx: Transaction<Schema>) => Promise<void>,
  ): Promise<void> {
    const { store, vault, now } = this.#parts;
    const text = JSON.stringify({ [section]: [withoutNulls(thing)] });
    await apply([{ name: 'body', text }], {
      store,
      vault,
      actor: actorOf(principal),
      dryRun: false,
      prune: false,
      hashPassword,
      clock: now,
      before,
      refuseKeyLine: (line) => {
        const read = parseAuthorizedKey(line);
        return read.kind === 'refused' ? read.reason : undefined;
      },
    });
  }

  change(
    principal: Principal,
    work: (trx: Transaction<Schema>, context: ChangeContext) => Promise<Change>,
  ): Promise<Change> {
    const { store, vault, now } = this.#parts;
    return store.transaction((trx) => work(trx, { actor: actorOf(principal), now: now(), vault }));
  }

  /** The secrets that a user has, in the form in which `apply` takes them. */
  async secretsOf(
    name: string,
    wanted: { readonly password?: string | null | undefined; readonly totp?: string | null | undefined },
  ): Promise<Readonly<Record<string, unknown>>> {
    const found = await this.#parts.login.findUser(name);
    const kept = found?.totpSecret === undefined ? null : base32(found.totpSecret);
    return {
      ...(wanted.password === undefined
        ? { passwordHash: found?.passwordHash }
        : { password: wanted.password }),
      totp: wanted.totp === undefined ? kept : wanted.totp,
    };
  }
}

const stateOf = (shown: unknown): string | undefined => (shown === undefined ? undefined : etagOf(shown));

const guard =
  (asked: Asked, read: (trx: Transaction<Schema>) => Promise<unknown>) =>
  async (trx: Transaction<Schema>): Promise<void> =>
    checkVersion(asked, stateOf(await read(trx)));

const found = <T>(thing: T | undefined, what: string): T => {
  if (thing === undefined) throw unknown(what);
  return thing;
};

const search = { ...paging, q: word.optional().meta({ description: 'Part of a name' }) } as const;
const matching = <T extends { readonly name: string }>(all: readonly T[], q: string | undefined) =>
  q === undefined ? all : all.filter((one) => one.name.includes(q));

const removed = z.object({ status: z.string() });

/** What the routes of one thing need to know of its kind. */
interface Kind<S extends z.ZodType> {
  readonly path: string;
  readonly what: string;
  readonly shape: S;
  readonly read: (db: Reader, name: string) => Promise<z.input<S> | undefined>;
}

const oneRoute = <S extends z.ZodType>(parts: ApiParts, kind: Kind<S>, summary: string): Route =>
  route({
    ...plain,
    method: 'GET',
    path: kind.path,
    tag: 'directory',
    summary,
    permission: 'directory.read',
    params: named,
    result: kind.shape,
    serve: async ({ params }) => {
      const body = found(await kind.read(parts.store.db, params.name), kind.what);
      return { body, etag: etagOf(body) };
    },
  });

const removalRoute = <S extends z.ZodType>(
  writes: DirectoryWrites,
  kind: Kind<S>,
  summary: string,
  remove: (trx: Transaction<Schema>, context: ChangeContext, name: string) => Promise<Change>,
): Route =>
  route({
    ...plain,
    method: 'DELETE',
    path: kind.path,
    tag: 'directory',
    summary,
    permission: 'directory.write',
    versioned: true,
    params: named,
    result: removed,
    serve: async ({ params, asked }, principal) => {
      await writes.change(principal, async (trx, context) => {
        await guardRemoval(asked, () => kind.read(trx, params.name), kind.what);
        return remove(trx, context, params.name);
      });
      return { body: { status: 'removed' } };
    },
  });

const userKind: Kind<typeof user> = {
  path: '/api/users/{name}',
  what: 'user of this name',
  shape: user,
  read: shownUser,
};

const userRoutes = (parts: ApiParts, writes: DirectoryWrites): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/users',
    tag: 'directory',
    summary: 'Users, by name',
    permission: 'directory.read',
    query: z.object({ ...search, role: z.enum(ROLES).optional(), group: word.optional() }),
    result: pageOf(user),
    serve: async ({ query }) => {
      const all = matching(await listUsers(parts.store), query.q).filter(
        (one) =>
          (query.role === undefined || one.roles.includes(query.role)) &&
          (query.group === undefined || one.groups.includes(query.group)),
      );
      const page = pageByName(all, query);
      return { body: { items: page.items.map(userOf), next: page.next } };
    },
  }),
  oneRoute(parts, userKind, 'One user'),
  route({
    ...plain,
    method: 'PUT',
    path: '/api/users/{name}',
    tag: 'directory',
    summary: 'Make or change a user',
    permission: 'directory.write',
    versioned: true,
    params: named,
    body: userInput,
    result: user,
    serve: async ({ params, body, asked }, principal) => {
      const { password, totp, ...rest } = body;
      const secrets = await writes.secretsOf(params.name, { password, totp });
      await writes.put(
        'users',
        { name: params.name, ...rest, ...secrets },
        principal,
        guard(asked, (trx) => shownUser(trx, params.name)),
      );
      const shown = found(await shownUser(parts.store.db, params.name), 'user of this name');
      if (password !== undefined || totp !== undefined) await parts.access.forgetSignIns(params.name);
      return { body: shown, etag: etagOf(shown) };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/users/{name}/disable',
    tag: 'directory',
    summary: 'No more sign-ins; what the user has open ends',
    permission: 'directory.write',
    params: named,
    body: z.strictObject({ reason: z.string().min(1).max(200) }),
    result: user,
    serve: async ({ params, body }, principal) => {
      if (params.name === principal.name)
        throw new ApiProblem('SP_API_CONFLICT', 'nobody disables themselves');
      await writes.change(principal, (trx, context) =>
        setUserDisabled(trx, context, params.name, body.reason),
      );
      await endEverywhere(parts, params.name, 'user-disabled');
      return { body: found(await shownUser(parts.store.db, params.name), 'user of this name') };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/users/{name}/end-sign-ins',
    tag: 'directory',
    summary: 'End every sign-in to the console; tokens and passkeys too where that is asked for',
    permission: 'directory.write',
    params: named,
    body: z.strictObject({ tokens: z.boolean().default(false), passkeys: z.boolean().default(false) }),
    result: z.object({ signIns: z.number(), tokens: z.number(), passkeys: z.number() }),
    serve: async ({ params, body }, principal) => {
      found(await findUserView(parts.store.db, params.name), 'user of this name');
      await recordAct(parts.store, parts.now(), {
        actor: actorOf(principal),
        action: 'signed out',
        kind: 'user',
        name: params.name,
        detail: { tokens: body.tokens, passkeys: body.passkeys },
      });
      const signIns = await parts.access.forgetSignIns(params.name);
      const tokens = body.tokens ? await parts.access.forgetTokens(params.name) : 0;
      const passkeys = body.passkeys ? await parts.access.forgetPasskeys(params.name) : 0;
      return { body: { signIns, tokens, passkeys } };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/users/{name}/enable',
    tag: 'directory',
    summary: 'May sign in again',
    permission: 'directory.write',
    params: named,
    result: user,
    serve: async ({ params }, principal) => {
      await writes.change(principal, (trx, context) => setUserDisabled(trx, context, params.name, undefined));
      return { body: found(await shownUser(parts.store.db, params.name), 'user of this name') };
    },
  }),
  route({
    ...plain,
    method: 'DELETE',
    path: '/api/users/{name}',
    tag: 'directory',
    summary: 'Forget a user; what they have open ends, what they did stays in the log',
    permission: 'directory.write',
    versioned: true,
    params: named,
    result: removed,
    serve: async ({ params, asked }, principal) => {
      if (params.name === principal.name)
        throw new ApiProblem('SP_API_CONFLICT', 'nobody removes themselves');
      await writes.change(principal, async (trx, context) => {
        await guardRemoval(asked, () => shownUser(trx, params.name), 'user of this name');
        return removeUser(trx, context, params.name);
      });
      await endEverywhere(parts, params.name, 'user-removed');
      return { body: { status: 'removed' } };
    },
  }),
];

const guardRemoval = async (asked: Asked, read: () => Promise<unknown>, what: string): Promise<void> => {
  const shown = await read();
  if (shown === undefined) throw unknown(what);
  checkVersion(asked, etagOf(shown));
};

const shownDevice = async (db: Reader, name: string): Promise<z.input<typeof device> | undefined> => {
  const one = await findDevice(db, name);
  return one === undefined ? undefined : deviceOf(one);
};

const deviceKind: Kind<typeof device> = {
  path: '/api/devices/{name}',
  what: 'device of this name',
  shape: device,
  read: shownDevice,
};

const deviceRoutes = (parts: ApiParts, writes: DirectoryWrites): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/devices',
    tag: 'directory',
    summary: 'Devices, by name',
    permission: 'directory.read',
    query: z.object({ ...search, tag: word.optional() }),
    result: pageOf(device),
    serve: async ({ query }) => {
      const all = matching(await listDevices(parts.store), query.q).filter(
        (one) => query.tag === undefined || one.tags.includes(query.tag),
      );
      const page = pageByName(all, query);
      return { body: { items: page.items.map(deviceOf), next: page.next } };
    },
  }),
  oneRoute(parts, deviceKind, 'One device'),
  route({
    ...plain,
    method: 'PUT',
    path: '/api/devices/{name}',
    tag: 'directory',
    summary: 'Make or change a device',
    permission: 'directory.write',
    versioned: true,
    params: named,
    body: deviceInput,
    result: device,
    serve: async ({ params, body, asked }, principal) => {
      const { hostKeys, ...rest } = body;
      const before = await findDevice(parts.store.db, params.name);
      await writes.put(
        'devices',
        { name: params.name, ...rest, ...wantedReading(body, before), hostKey: hostKeys },
        principal,
        guard(asked, (trx) => shownDevice(trx, params.name)),
      );
      const shown = found(await shownDevice(parts.store.db, params.name), 'device of this name');
      return { body: shown, etag: etagOf(shown) };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/devices/{name}/forget-host-keys',
    tag: 'directory',
    summary: 'Pin anew at the next connection; only when one knows why the key has changed',
    permission: 'directory.write',
    params: named,
    result: device,
    serve: async ({ params }, principal) => {
      await writes.change(principal, (trx, context) => forgetHostKeys(trx, context, params.name));
      return { body: found(await shownDevice(parts.store.db, params.name), 'device of this name') };
    },
  }),
  removalRoute(writes, deviceKind, 'Forget a device and its credentials', removeDevice),
];

const shownCredential = async (db: Reader, name: string): Promise<z.input<typeof credential> | undefined> => {
  const one = await findCredential(db, name);
  return one === undefined ? undefined : credentialOf(one);
};

const credentialKind: Kind<typeof credential> = {
  path: '/api/credentials/{name}',
  what: 'credential of this name',
  shape: credential,
  read: shownCredential,
};

const credentialRoutes = (parts: ApiParts, writes: DirectoryWrites): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/credentials',
    tag: 'directory',
    summary: 'Credentials, by name, without their secrets',
    permission: 'directory.read',
    query: z.object({ ...search, device: word.optional() }),
    result: pageOf(credential),
    serve: async ({ query }) => {
      const all = matching(await listCredentials(parts.store), query.q).filter(
        (one) => query.device === undefined || one.device === query.device,
      );
      const page = pageByName(all, query);
      return { body: { items: page.items.map(credentialOf), next: page.next } };
    },
  }),
  oneRoute(parts, credentialKind, 'One credential, without its secret'),
  route({
    ...plain,
    method: 'PUT',
    path: '/api/credentials/{name}',
    tag: 'directory',
    summary: 'Make or change a credential; it is sealed at once',
    permission: 'directory.write',
    versioned: true,
    params: named,
    body: credentialInput,
    result: credential,
    serve: async ({ params, body, asked }, principal) => {
      const existing = await findCredential(parts.store.db, params.name);
      const keeps = body.password === undefined && body.privateKey === undefined;
      const secret =
        existing === undefined || !keeps
          ? {}
          : await createDeviceVault(parts.store, parts.vault).secretOf(existing.id);
      const { kind: _, ...kept } = { kind: undefined, ...secret };
      await writes.put(
        'credentials',
        { name: params.name, ...body, ...wantedReading(body, existing), ...kept },
        principal,
        guard(asked, (trx) => shownCredential(trx, params.name)),
      );
      const shown = found(await shownCredential(parts.store.db, params.name), 'credential of this name');
      return { body: shown, etag: etagOf(shown) };
    },
  }),
  removalRoute(writes, credentialKind, 'Forget a credential', removeCredential),
];

const shownGrant = async (db: Reader, name: string): Promise<z.input<typeof grant> | undefined> => {
  const one = await findGrant(db, name);
  return one === undefined ? undefined : grantOf(one);
};

const grantKind: Kind<typeof grant> = {
  path: '/api/grants/{name}',
  what: 'grant of this name',
  shape: grant,
  read: shownGrant,
};

const grantRoutes = (parts: ApiParts, writes: DirectoryWrites): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/grants',
    tag: 'directory',
    summary: 'Grants, by name',
    permission: 'directory.read',
    query: z.object({ ...search, user: word.optional(), device: word.optional() }),
    result: pageOf(grant),
    serve: async ({ query }) => {
      const all = matching(await listGrants(parts.store), query.q).filter(
        (one) =>
          (query.user === undefined || one.users.includes(query.user)) &&
          (query.device === undefined || one.devices.includes(query.device)),
      );
      const page = pageByName(all, query);
      return { body: { items: page.items.map(grantOf), next: page.next } };
    },
  }),
  oneRoute(parts, grantKind, 'One grant'),
  route({
    ...plain,
    method: 'PUT',
    path: '/api/grants/{name}',
    tag: 'directory',
    summary: 'Make or change a grant',
    permission: 'directory.write',
    versioned: true,
    params: named,
    body: grantInput,
    result: grant,
    serve: async ({ params, body, asked }, principal) => {
      await writes.put(
        'grants',
        { name: params.name, ...body },
        principal,
        guard(asked, (trx) => shownGrant(trx, params.name)),
      );
      const shown = found(await shownGrant(parts.store.db, params.name), 'grant of this name');
      return { body: shown, etag: etagOf(shown) };
    },
  }),
  removalRoute(writes, grantKind, 'Withdraw a grant', removeGrant),
];

export const directoryRoutes = (parts: ApiParts): readonly Route[] => {
  const writes = new DirectoryWrites(parts);
  return [
    ...userRoutes(parts, writes),
    ...deviceRoutes(parts, writes),
    ...credentialRoutes(parts, writes),
    ...grantRoutes(parts, writes),
  ];
};
