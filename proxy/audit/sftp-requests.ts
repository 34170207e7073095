// What a client's SFTP packet asks for, in the words of the rules: which paths are read, written, removed, renamed,
// linked, listed or changed. Pure: one packet in, its meaning out. Whatever is not known is said to be unknown; whether
// it may pass is the gate's to decide.
import type { Access } from '../../policies/rules/schema.ts';
import { Fields, FXP, type Whole } from './sftp-packets.ts';

/** How a path leads somewhere: `follow` through a last symbolic link, `name` acts on the name itself. */
export type Reach = 'follow' | 'name';

export interface PathUse {
  readonly path: Buffer;
  readonly access: readonly Access[];
  readonly reach: Reach;
  /** Another way to read one of the other paths. */
  readonly implied?: true;
}

export type SftpRequest =
  | {
      readonly kind: 'open';
      readonly path: Buffer;
      readonly access: readonly Access[];
      /** What was there before is gone: the bytes written are the whole file. */
      readonly fresh: boolean;
      readonly how: string;
    }
  | { readonly kind: 'opendir'; readonly path: Buffer }
  /** On paths. `quiet`: only looks at names and attributes. */
  | {
      readonly kind: 'paths';
      readonly word: string;
      readonly uses: readonly PathUse[];
      readonly quiet: boolean;
      readonly how: string;
    }
  | {
      readonly kind: 'rename';
      readonly from: Buffer;
      readonly to: Buffer;
      readonly how: string;
    }
  /** On an open file. */
  | {
      readonly kind: 'change';
      readonly word: string;
      readonly handle: string;
      readonly access: Access;
      /** The length that it is given. */
      readonly size: bigint | undefined;
      readonly how: string;
    }
  | { readonly kind: 'copy-data'; readonly from: string; readonly to: string }
  | { readonly kind: 'close'; readonly handle: string }
  | { readonly kind: 'read'; readonly handle: string; readonly offset: bigint }
  /** Changes nothing and shows no file's content. */
  | { readonly kind: 'harmless' }
  | { readonly kind: 'unknown'; readonly name: string }
  /** Would change what the following packets mean. */
  | { readonly kind: 'unsupported'; readonly name: string }
  | { readonly kind: 'malformed'; readonly why: string };

const HARMLESS_EXTENSIONS: ReadonlySet<string> = new Set([
  'statvfs@openssh.com',
  'fstatvfs@openssh.com',
  'fsync@openssh.com',
  'limits@openssh.com',
  'expand-path@openssh.com',
  'home-directory',
  'users-groups-by-id@openssh.com',
  'vendor-id',
  'space-available',
  'text-seek',
]);

const ATTR_SIZE = 0x1;
const ATTR_OWNER = 0x2;
const ATTR_PERMISSIONS = 0x4;
const ATTR_TIMES = 0x8;

const FLAG = { READ: 1, WRITE: 2, APPEND: 4, CREATE: 8, TRUNCATE: 16, EXCLUSIVE: 32 } as const;
const FLAG_NAMES = [
  [FLAG.READ, 'read'],
  [FLAG.WRITE, 'write'],
  [FLAG.APPEND, 'append'],
  [FLAG.CREATE, 'create'],
  [FLAG.TRUNCATE, 'truncate'],
  [FLAG.EXCLUSIVE, 'exclusive'],
] as const;

/** Versions 5 and 6: access masks as NFSv4 has them. */
const READS = 0x1 | 0x8 | 0x20;
const WRITES = 0x2 | 0x4 | 0x10 | 0x100 | 0x4_0000 | 0x8_0000;
const DELETES = 0x1_0000;
const DELETE_ON_CLOSE = 0x800;
const OPEN_EXISTING = 2;
const DISPOSITIONS = ['create-new', 'create-truncate', 'open', 'open-or-create', 'truncate'] as const;

/** `version`: the one that both sides agreed on. */
export const readRequest = (packet: Whole, version: number): SftpRequest => {
  const fields = new Fields(packet.body);
  const request = parse(packet.type, fields, version);
  if (fields.failed) return { kind: 'malformed', why: `a short packet of type ${packet.type}` };
  return request;
};

const parse = (type: number, fields: Fields, version: number): SftpRequest => {
  switch (type) {
    case FXP.OPEN:
      return version >= 5 ? openByMask(fields) : openByFlags(fields);
    case FXP.CLOSE:
      return { kind: 'close', handle: handleOf(fields) };
    case FXP.READ:
      return { kind: 'read', handle: handleOf(fields), offset: fields.uint64() };
    case FXP.OPENDIR:
      return { kind: 'opendir', path: fields.string() };
    case FXP.LSTAT:
    case FXP.STAT:
    case FXP.READLINK:
      return paths('stat', [{ path: fields.string(), access: ['list'], reach: 'name' }], '', true);
    case FXP.FSTAT:
    case FXP.READDIR:
    case FXP.BLOCK:
    case FXP.UNBLOCK:
    case FXP.REALPATH:
      return { kind: 'harmless' };
    case FXP.SETSTAT: {
      const path = fields.string();
      const { access, how } = attributes(fields, version);
      return paths(
        access === 'write' ? 'truncate' : 'setstat',
        [{ path, access: [access], reach: 'follow' }],
        how,
      );
    }
    case FXP.FSETSTAT: {
      const handle = handleOf(fields);
      const { access, size, how } = attributes(fields, version);
      return { kind: 'change', word: access === 'write' ? 'truncate' : 'setstat', handle, access, size, how };
    }
    case FXP.REMOVE:
      return paths('remove', [{ path: fields.string(), access: ['delete'], reach: 'name' }]);
    case FXP.MKDIR:
      return paths('mkdir', [{ path: fields.string(), access: ['write'], reach: 'name' }]);
    case FXP.RMDIR:
      return paths('rmdir', [{ path: fields.string(), access: ['delete'], reach: 'name' }]);
    case FXP.RENAME:
      return { kind: 'rename', from: fields.string(), to: fields.string(), how: '' };
    case FXP.SYMLINK:
      return symlink(fields.string(), fields.string());
    case FXP.LINK: {
      const to = fields.string();
      const from = fields.string();
      return fields.rest[0] === 1 ? symlink(from, to) : hardlink(from, to);
    }
    case FXP.EXTENDED:
      return extended(fields, version);
    default:
      return { kind: 'unknown', name: `packet type ${type}` };
  }
};

const handleOf = (fields: Fields): string => fields.string().toString('latin1');

const paths = (word: string, uses: readonly PathUse[], how = '', quiet = false): SftpRequest => ({
  kind: 'paths',
  word,
  uses,
  how,
  quiet,
});

/** Whoever makes another name for a file can read and write it by that name. */
const hardlink = (from: Buffer, to: Buffer): SftpRequest =>
  paths('hardlink', [
    { path: from, access: ['read', 'write'], reach: 'follow' },
    { path: to, access: ['write'], reach: 'name' },
  ]);

/** OpenSSH and the drafts disagree on the order, so that each name counts as the link and as what it leads to. */
const symlink = (one: Buffer, other: Buffer): SftpRequest => {
  const access = ['read', 'write'] as const;
  return paths('symlink', [
    { path: one, access, reach: 'name' },
    { path: other, access, reach: 'name' },
    ...[
      [one, other],
      [other, one],
    ].flatMap(([target, link]) => {
      const path = target === undefined || link === undefined ? undefined : beside(target, link);
      return path === undefined ? [] : [{ path, access, reach: 'name', implied: true } as const];
    }),
  ]);
};

/** A relative target is meant from the folder of its link. */
const beside = (target: Buffer, link: Buffer): Buffer | undefined => {
  const slash = link.lastIndexOf(0x2f);
  if (target[0] === 0x2f || slash < 0) return undefined;
  return Buffer.concat([link.subarray(0, slash + 1), target]);
};

const openByFlags = (fields: Fields): SftpRequest => {
  const path = fields.string();
  const flags = fields.uint32();
  const writes = (flags & (FLAG.WRITE | FLAG.APPEND | FLAG.CREATE | FLAG.TRUNCATE)) !== 0;
  const reads = (flags & FLAG.READ) !== 0 || !writes;
  return {
    kind: 'open',
    path,
    access: [...(reads ? (['read'] as const) : []), ...(writes ? (['write'] as const) : [])],
    fresh: (flags & (FLAG.TRUNCATE | FLAG.EXCLUSIVE)) !== 0 && writes && (flags & FLAG.APPEND) === 0,
    how: FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0)
      .map(([, name]) => name)
      .join(' '),
  };
};

const openByMask = (fields: Fields): SftpRequest => {
  const path = fields.string();
  const mask = fields.uint32();
  const flags = fields.uint32();
  const disposition = flags & 0x7;
  const writes = (mask & WRITES) !== 0 || disposition !== OPEN_EXISTING;
  const deletes = (mask & DELETES) !== 0 || (flags & DELETE_ON_CLOSE) !== 0;
  const reads = (mask & READS) !== 0 || !(writes || deletes);
  return {
    kind: 'open',
    path,
    access: [
      ...(reads ? (['read'] as const) : []),
      ...(writes ? (['write'] as const) : []),
      ...(deletes ? (['delete'] as const) : []),
    ],
    fresh: disposition === 0 || disposition === 1 || disposition === 4,
    how: DISPOSITIONS[disposition] ?? 'open',
  };
};

const attributes = (
  fields: Fields,
  version: number,
): { readonly access: Access; readonly size: bigint | undefined; readonly how: string } => {
  const flags = fields.uint32();
  const how: string[] = [];
  let size: bigint | undefined;
  if (version <= 3) {
    if ((flags & ATTR_SIZE) !== 0) {
      size = fields.uint64();
      how.push(`size=${size}`);
    }
    if ((flags & ATTR_OWNER) !== 0) how.push(`owner=${fields.uint32()}:${fields.uint32()}`);
    if ((flags & ATTR_PERMISSIONS) !== 0) how.push(`mode=${(fields.uint32() & 0o7777).toString(8)}`);
    if ((flags & ATTR_TIMES) !== 0) how.push('times');
  }
  return { access: (flags & ATTR_SIZE) !== 0 ? 'write' : 'attributes', size, how: how.join(' ') };
};

const extended = (fields: Fields, version: number): SftpRequest => {
  const name = fields.string().toString('latin1');
  switch (name) {
    case 'posix-rename@openssh.com':
      return { kind: 'rename', from: fields.string(), to: fields.string(), how: 'replacing' };
    case 'hardlink@openssh.com':
      return hardlink(fields.string(), fields.string());
    case 'lsetstat@openssh.com': {
      const path = fields.string();
      const { access, how } = attributes(fields, version);
      return paths('setstat', [{ path, access: [access], reach: 'name' }], how);
    }
    case 'copy-data': {
      const from = handleOf(fields);
      fields.uint64();
      fields.uint64();
      return { kind: 'copy-data', from, to: handleOf(fields) };
    }
    case 'copy-file':
      return paths('copy', [
        { path: fields.string(), access: ['read'], reach: 'follow' },
        { path: fields.string(), access: ['write'], reach: 'follow' },
      ]);
    case 'check-file':
    case 'check-file-name':
    case 'md5-hash':
    case 'sha256-hash':
      return paths('hash', [{ path: fields.string(), access: ['read'], reach: 'follow' }]);
    case 'check-file-handle':
    case 'md5-hash-handle':
      return { kind: 'harmless' };
    case 'version-select':
      return { kind: 'unsupported', name };
    default:
      return HARMLESS_EXTENSIONS.has(name)
        ? { kind: 'harmless' }
        : { kind: 'unknown', name: `extension ${name.slice(0, 64)}` };
  }
};
