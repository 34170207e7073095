// The sftp subsystem of the demo's device: enough of version 3 (draft-ietf-secsh-filexfer-02) for sftp, scp and file
// managers, as the person who started the demo. Handles are bounded. Not part of the gateway.
import { constants, type Stats } from 'node:fs';
import {
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  utimes,
} from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import ssh2, { type Attributes, type FileEntry, type SFTPWrapper } from 'ssh2';

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;
const MOST_HANDLES = 256;
const LARGEST_READ = 256 * 1024;
const ENTRIES_AT_ONCE = 100;

type Handle =
  | { readonly kind: 'file'; readonly file: FileHandle; readonly append: boolean }
  | { readonly kind: 'folder'; readonly path: string; readonly names: string[] };

const attributesOf = (stats: Stats): Attributes => ({
  mode: stats.mode,
  uid: stats.uid,
  gid: stats.gid,
  size: stats.size,
  atime: Math.floor(stats.atimeMs / 1000),
  mtime: Math.floor(stats.mtimeMs / 1000),
});

/** The protocol's bits as those of open(2). */
const openFlags = (bits: number): number => {
  const reads = (bits & OPEN_MODE.READ) !== 0;
  const writes = (bits & OPEN_MODE.WRITE) !== 0;
  return (
    (reads && writes ? constants.O_RDWR : writes ? constants.O_WRONLY : constants.O_RDONLY) |
    ((bits & OPEN_MODE.APPEND) !== 0 ? constants.O_APPEND : 0) |
    ((bits & OPEN_MODE.CREAT) !== 0 ? constants.O_CREAT : 0) |
    ((bits & OPEN_MODE.TRUNC) !== 0 ? constants.O_TRUNC : 0) |
    ((bits & OPEN_MODE.EXCL) !== 0 ? constants.O_EXCL : 0)
  );
};

const KINDS: readonly (readonly [number, string])[] = [
  [0o040000, 'd'],
  [0o120000, 'l'],
  [0o100000, '-'],
];

/** As `ls -l` writes it; what interactive clients show. */
const longName = (name: string, stats: Stats): string => {
  const kind = KINDS.find(([bits]) => (stats.mode & 0o170000) === bits)?.[1] ?? '?';
  const bits = Array.from('rwxrwxrwx', (letter, index) =>
    (stats.mode >> (8 - index)) & 1 ? letter : '-',
  ).join('');
  const time = stats.mtime.toISOString().slice(0, 16).replace('T', ' ');
  return `${kind}${bits} ${String(stats.nlink).padStart(3)} ${String(stats.uid).padEnd(8)} ${String(stats.gid).padEnd(8)} ${String(stats.size).padStart(10)} ${time} ${name}`;
};

const statusOf = (error: unknown): number => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return STATUS_CODE.NO_SUCH_FILE;
  if (code === 'EACCES' || code === 'EPERM') return STATUS_CODE.PERMISSION_DENIED;
  return STATUS_CODE.FAILURE;
};

/** Serves one sftp channel; relative paths start at `home`. */
export const serveFiles = (sftp: SFTPWrapper, home: string): void => {
  const handles = new Map<number, Handle>();
  let lastHandle = 0;
  const at = (path: string): string => resolve(home, path);

  const keep = (handle: Handle): Buffer => {
    lastHandle += 1;
    handles.set(lastHandle, handle);
    const name = Buffer.alloc(4);
    name.writeUInt32BE(lastHandle);
    return name;
  };
  const find = (name: Buffer): Handle | undefined =>
    name.length === 4 ? handles.get(name.readUInt32BE(0)) : undefined;
  const fileOf = (name: Buffer): { readonly file: FileHandle; readonly append: boolean } => {
    const handle = find(name);
    if (handle?.kind !== 'file') throw new Error('not an open file');
    return handle;
  };

  let last: Promise<unknown> = Promise.resolve();
  /** Every request gets exactly one answer, in the order of the requests: some clients stumble over others. */
  const answer = (id: number, work: () => Promise<(() => void) | undefined>): void => {
    last = last.then(work).then(
      (reply) => (reply === undefined ? sftp.status(id, STATUS_CODE.OK) : reply()),
      (error: unknown) => sftp.status(id, statusOf(error), error instanceof Error ? error.message : 'failed'),
    );
  };
  const nothing = async (work: Promise<unknown>): Promise<undefined> => {
    await work;
    return undefined;
  };
  const change = async (path: string, attributes: Partial<Attributes>): Promise<void> => {
    if (attributes.size !== undefined) await truncate(path, attributes.size);
    if (attributes.mode !== undefined) await chmod(path, attributes.mode & 0o7777);
    if (attributes.mtime !== undefined)
      await utimes(path, attributes.atime ?? attributes.mtime, attributes.mtime);
  };

  sftp.on('OPEN', (id, name, flags, attributes: Partial<Attributes>) =>
    answer(id, async () => {
      if (handles.size >= MOST_HANDLES) throw new Error('too many open files');
      const file = await open(at(name), openFlags(flags), attributes.mode ?? 0o644);
      const handle = keep({ kind: 'file', file, append: (flags & OPEN_MODE.APPEND) !== 0 });
      return () => sftp.handle(id, handle);
    }),
  );
  sftp.on('READ', (id, name, offset, length) =>
    answer(id, async () => {
      const { bytesRead, buffer } = await fileOf(name).file.read({
        buffer: Buffer.allocUnsafe(Math.min(length, LARGEST_READ)),
        position: offset,
      });
      return bytesRead === 0
        ? () => sftp.status(id, STATUS_CODE.EOF)
        : () => sftp.data(id, buffer.subarray(0, bytesRead));
    }),
  );
  sftp.on('WRITE', (id, name, offset, data) => {
    // The library reuses its buffer after this call.
    const copy = Buffer.from(data);
    answer(id, async () => {
      const { file, append } = fileOf(name);
      return nothing(append ? file.appendFile(copy) : file.write(copy, 0, copy.length, offset));
    });
  });
  sftp.on('CLOSE', (id, name) =>
    answer(id, async () => {
      const handle = find(name);
      if (handle === undefined) throw new Error('not open');
      handles.delete(name.readUInt32BE(0));
      return nothing(handle.kind === 'file' ? handle.file.close() : Promise.resolve());
    }),
  );
  sftp.on('OPENDIR', (id, path) =>
    answer(id, async () => {
      if (handles.size >= MOST_HANDLES) throw new Error('too many open folders');
      const names = ['.', '..', ...(await readdir(at(path)))];
      const handle = keep({ kind: 'folder', path: at(path), names });
      return () => sftp.handle(id, handle);
    }),
  );
  sftp.on('READDIR', (id, name) =>
    answer(id, async () => {
      const handle = find(name);
      if (handle?.kind !== 'folder') throw new Error('not an open folder');
      const entries: FileEntry[] = [];
      for (const filename of handle.names.splice(0, ENTRIES_AT_ONCE)) {
        // A file may be gone since the folder was read.
        const stats = await lstat(resolve(handle.path, filename)).catch(() => undefined);
        if (stats !== undefined)
          entries.push({ filename, longname: longName(filename, stats), attrs: attributesOf(stats) });
      }
      return entries.length === 0 ? () => sftp.status(id, STATUS_CODE.EOF) : () => sftp.name(id, entries);
    }),
  );
  const describe = (id: number, stats: Promise<Stats>): void =>
    answer(id, async () => {
      const attributes = attributesOf(await stats);
      return () => sftp.attrs(id, attributes);
    });
  sftp.on('STAT', (id, path) => describe(id, stat(at(path))));
  sftp.on('LSTAT', (id, path) => describe(id, lstat(at(path))));
  sftp.on('FSTAT', (id, name) =>
    answer(id, async () => {
      const attributes = attributesOf(await fileOf(name).file.stat());
      return () => sftp.attrs(id, attributes);
    }),
  );
  sftp.on('SETSTAT', (id, path, attributes) => answer(id, () => nothing(change(at(path), attributes))));
  sftp.on('FSETSTAT', (id, name, attributes: Partial<Attributes>) =>
    answer(id, async () => {
      const { file } = fileOf(name);
      if (attributes.size !== undefined) await file.truncate(attributes.size);
      if (attributes.mode !== undefined) await file.chmod(attributes.mode & 0o7777);
      if (attributes.mtime !== undefined)
        await file.utimes(attributes.atime ?? attributes.mtime, attributes.mtime);
      return undefined;
    }),
  );
  const answerPath = (id: number, path: () => Promise<string>): void =>
    answer(id, async () => {
      const filename = await path();
      const attrs = { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 };
      return () => sftp.name(id, [{ filename, longname: basename(filename), attrs }]);
    });
  sftp.on('REALPATH', (id, path) =>
    // What is not there yet still has an absolute name.
    answerPath(id, () => realpath(at(path)).catch(() => at(path))),
  );
  sftp.on('READLINK', (id, path) => answerPath(id, () => readlink(at(path))));
  sftp.on('SYMLINK', (id, target, link) => answer(id, () => nothing(symlink(target, at(link)))));
  sftp.on('REMOVE', (id, path) => answer(id, () => nothing(rm(at(path)))));
  sftp.on('MKDIR', (id, path, attributes: Partial<Attributes>) =>
    answer(id, () => nothing(mkdir(at(path), attributes.mode ?? 0o755))),
  );
  sftp.on('RMDIR', (id, path) => answer(id, () => nothing(rmdir(at(path)))));
  sftp.on('RENAME', (id, from, to) =>
    answer(id, async () => {
      // Version 3 says that an existing target is an error.
      if ((await lstat(at(to)).catch(() => undefined)) !== undefined) throw new Error('the target exists');
      return nothing(rename(at(from), at(to)));
    }),
  );
  // The client has said all; without an exit status scp takes it for a failure, and without an end it waits. The library
  // has no public way to say the status of this subsystem.
  sftp.on('end', () => {
    const { id } = Reflect.get(sftp, 'outgoing');
    Reflect.get(sftp, '_protocol').exitStatus(id, 0);
    sftp.end();
  });
  sftp.on('close', () => {
    for (const handle of handles.values())
      if (handle.kind === 'file') void handle.file.close().catch(() => {});
    handles.clear();
  });
};
