// What commands work with: the configuration, the store and the vault, opened when needed and closed at the end.
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Transaction } from 'kysely';
import { parseAuthorizedKey } from '../../proxy/login/authorized-keys.ts';
import { hashPassword } from '../../proxy/login/password.ts';
import type { Config } from '../config/load.ts';
import { loadConfig } from '../config/load.ts';
import { type ApplyOptions, apply, showChange } from '../directory/apply.ts';
import type { Change, ChangeContext } from '../directory/changes.ts';
import type { SourceFile } from '../directory/document.ts';
import type { Vault } from '../directory/vault.ts';
import { openVault } from '../directory/vault.ts';
import type { Schema, Store } from '../store/store.ts';
import { openStore } from '../store/store.ts';
import { CliError, EXIT } from './exit.ts';

export interface ConfigOption {
  readonly config?: string;
}

export interface Workplace {
  readonly config: Config;
  readonly store: Store;
}

/** In whose name changes are logged. */
export const actor = (): string => {
  const name = process.getuid === undefined ? 'unknown' : userInfo().username;
  const behind = process.env['SUDO_USER'];
  return `cli:${name}${behind === undefined || behind === name ? '' : ` (${behind.slice(0, 64)})`}`;
};

/** Every name by which the person at this terminal is known to the machine: their own, sudo's, and the one they signed in with. */
export const peopleBehind = (): readonly string[] => {
  const names = [process.getuid === undefined ? 'unknown' : userInfo().username];
  const behind = process.env['SUDO_USER'];
  if (behind !== undefined) names.push(behind);
  try {
    // The kernel keeps it through su and sudo; nobody can change it.
    const id = readFileSync('/proc/self/loginuid', 'utf8').trim();
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.split(':')[2] === id);
    if (line !== undefined) names.push(line.split(':')[0] ?? '');
  } catch {
    // Not every system keeps it.
  }
  return [...new Set(names.filter((name) => name !== ''))];
};

export const withStore = async <T>(
  options: ConfigOption,
  work: (place: Workplace) => Promise<T>,
): Promise<T> => {
  const config = loadConfig({ file: options.config });
  const store = await openStore(config.store.url);
  try {
    return await work({ config, store });
  } finally {
    await store.close();
  }
};

export const withVault = async <T>(
  options: ConfigOption,
  work: (place: Workplace & { readonly vault: Vault }) => Promise<T>,
): Promise<T> =>
  withStore(options, async (place) => work({ ...place, vault: await openVault(place.config.masterKey) }));

/** One change of the directory, in a transaction of its own, printed. */
export const change = async (
  options: ConfigOption,
  work: (trx: Transaction<Schema>, context: ChangeContext) => Promise<Change>,
): Promise<Change> =>
  withVault(options, async ({ store, vault }) => {
    const made = await store.transaction((trx) => work(trx, { actor: actor(), now: Date.now(), vault }));
    process.stdout.write(`${showChange(made)[0] ?? ''}\n`);
    return made;
  });

export const applyFiles = (
  { store, vault }: Workplace & { readonly vault: Vault },
  files: readonly SourceFile[],
  how: Pick<ApplyOptions, 'dryRun' | 'prune'>,
): Promise<readonly Change[]> =>
  apply(files, {
    ...how,
    store,
    vault,
    actor: actor(),
    hashPassword,
    refuseKeyLine: (line) => {
      const read = parseAuthorizedKey(line);
      return read.kind === 'refused' ? read.reason : undefined;
    },
  });

const LARGEST_INPUT = 16 * 1024 * 1024;

/** `-` is standard input. */
export const readInput = (file: string): string => {
  try {
    const text = readFileSync(file === '-' ? 0 : file, 'utf8');
    if (text.length > LARGEST_INPUT) throw new CliError(EXIT.usage, `${file} is larger than 16 MiB`);
    return text;
  } catch (error) {
    if (error instanceof CliError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new CliError(EXIT.usage, `${file === '-' ? 'standard input' : file} can't be read (${code})`);
  }
};

/** The first line of standard input: secrets never stand on a command line, where every user of the machine sees them. */
export const readSecretLine = (): string => {
  const line = readInput('-').split(/\r?\n/)[0] ?? '';
  if (line === '') throw new CliError(EXIT.usage, 'no secret came on standard input');
  return line;
};
