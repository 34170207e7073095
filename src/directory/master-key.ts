// Where the vault's master keys come from: a file that its owner alone may read, or the environment. A file holds one
// key a line, 32 random bytes in base64; the first seals, the others only open what was sealed before a rotation.
// Nothing here seals anything.
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DirectoryError } from './errors.ts';

const KEY_BYTES = 32;
const LARGEST_FILE = 64 * 1024;
const MOST_KEYS = 64;

export interface MasterKey {
  /** Tells keys apart; says nothing about the key. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** The first seals. Never empty. */
export type MasterKeys = readonly [MasterKey, ...MasterKey[]];

const keyIdOf = (bytes: Buffer): string =>
  createHash('sha256').update('sallyport key id\0').update(bytes).digest('hex').slice(0, 16);

/** Throws SP_VAULT_KEY; the message never repeats the text. */
export const readMasterKeys = (text: string, source: string): MasterKeys => {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length > MOST_KEYS)
    throw new DirectoryError('SP_VAULT_KEY', `${source} holds more than ${MOST_KEYS} keys`);
  const keys = lines.map((line, index) => {
    const bytes = Buffer.from(line, 'base64');
    if (!/^[A-Za-z0-9+/]{43}=?$/.test(line) || bytes.length !== KEY_BYTES) {
      throw new DirectoryError('SP_VAULT_KEY', `key ${index + 1} in ${source} is not 32 bytes in base64`);
    }
    return { id: keyIdOf(bytes), bytes };
  });
  const [first, ...rest] = keys;
  if (first === undefined) throw new DirectoryError('SP_VAULT_KEY', `${source} holds no key`);
  return [first, ...rest];
};

/** Reads the file; undefined when there is none. Throws SP_VAULT_KEY when others could read or change it. */
export const readMasterKeyFile = (path: string): MasterKeys | undefined => {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return undefined;
    const reason = code === 'ELOOP' ? 'it is a symbolic link' : String(code);
    throw new DirectoryError('SP_VAULT_KEY', `the master key file ${path} can't be opened: ${reason}`, error);
  }
  try {
    // The file that was opened is the one that is checked.
    const stat = fstatSync(file);
    const own = process.geteuid?.();
    if (!stat.isFile())
      throw new DirectoryError('SP_VAULT_KEY', `the master key file ${path} is not a plain file`);
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw new DirectoryError(
        'SP_VAULT_KEY',
        `the master key file ${path} has mode ${mode}: others may use it. If nobody has, run: chmod 600 ${path}`,
      );
    }
    if (own !== undefined && own !== 0 && stat.uid !== own) {
      throw new DirectoryError('SP_VAULT_KEY', `the master key file ${path} belongs to another account`);
    }
    if (stat.size > LARGEST_FILE)
      throw new DirectoryError('SP_VAULT_KEY', `the master key file ${path} is too long`);
    return readMasterKeys(readFileSync(file, 'utf8'), path);
  } finally {
    closeSync(file);
  }
};

const newKeyLine = (): string => `${randomBytes(KEY_BYTES).toString('base64')}\n`;

/** Makes the file with one fresh key unless there is one already; of several that try at once, one wins. */
export const createMasterKeyFile = async (path: string): Promise<MasterKeys> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(newKeyLine());
    await handle.sync();
    await handle.close();
    // A link either makes the name or finds it taken: no reader ever sees half a file.
    await link(draft, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  } finally {
    await handle.close().catch(() => undefined);
    await rm(draft, { force: true });
  }
  const keys = readMasterKeyFile(path);
  if (keys === undefined) throw new DirectoryError('SP_VAULT_KEY', `the master key file ${path} vanished`);
  return keys;
};

/** Puts a fresh key first in the file; the older ones stay to open what they sealed. */
export const addMasterKey = (path: string): MasterKeys => {
  const keys = readMasterKeyFile(path);
  if (keys === undefined) throw new DirectoryError('SP_VAULT_KEY', `there is no master key file ${path}`);
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    const old = keys.map((key) => `${key.bytes.toString('base64')}\n`).join('');
    writeSync(file, newKeyLine() + old);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  const now = readMasterKeyFile(path);
  if (now === undefined) throw new DirectoryError('SP_VAULT_KEY', `the master key file ${path} vanished`);
  return now;
};
