// Paths of file operations, as rules see them: as sent, absolute without `.`, `..` and doubled slashes, and under `~`
// where they lie in the account's home. Text alone: symbolic links are resolved by asking the device (sftp-gate.ts),
// where that can be done at all.
import type { Access } from '../../policies/rules/schema.ts';
import type { Asked } from './operations.ts';

/** Longer paths are refused: no system takes them, and rules look no further. Bytes. */
export const LONGEST_PATH = 4_095;

/** Absolute, with `.`, `..`, and doubled slashes resolved as text. `home` is absolute, or `~` when it is not known. */
export const absolutePath = (path: string, home: string): string => {
  const drive = /^[A-Za-z]:[\\/]/.test(path);
  const rooted = path.startsWith('/') || drive;
  const parts: string[] = [];
  for (const part of `${rooted ? '' : `${home}/`}${path}`.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    // Above a home that isn't known is somewhere that isn't known.
    else if (parts.length > 0 && parts.at(-1) !== '~') parts.pop();
  }
  const text = parts.join('/');
  return !rooted && home === '~' ? text : `/${text}`;
};

export interface Spellings {
  /** The likeliest: absolute where the home is known. */
  readonly absolute: string;
  readonly others: readonly string[];
}

/** Every text by which rules may know the path. `resolved`: where the device says that it leads. */
export const spellings = (sent: string, home: string | undefined, resolved?: string): Spellings => {
  const known = home ?? '~';
  const textual = absolutePath(sent, known);
  const absolute = resolved === undefined ? textual : absolutePath(resolved, known);
  const others = new Set<string>([textual, sent]);
  for (const path of [textual, absolute]) {
    if (home !== undefined && home !== '/' && path.startsWith(`${home}/`))
      others.add(`~${path.slice(home.length)}`);
  }
  if (sent.includes('\\')) {
    // Devices with Windows take both.
    others.add(absolutePath(sent.replaceAll('\\', '/'), known));
  }
  others.delete(absolute);
  others.delete('');
  return { absolute, others: [...others] };
};

/** The parent's path and the last name, for operations that act on a name and don't follow it. */
export const splitName = (path: Buffer): { readonly parent: Buffer; readonly name: string } | undefined => {
  let end = path.length;
  while (end > 1 && path[end - 1] === 0x2f) end -= 1;
  const slash = path.lastIndexOf(0x2f, end - 1);
  const name = path.subarray(slash + 1, end).toString('utf8');
  if (name === '' || name === '.' || name === '..' || name === '/') return undefined;
  const parent = slash < 0 ? Buffer.from('.') : path.subarray(0, Math.max(1, slash));
  return { parent, name };
};

/** What is asked of the rules for one path, or for two of a rename, a link or a copy. */
export const askedOf = (
  channel: 'sftp' | 'scp',
  operation: Access,
  path: Spellings,
  target?: Spellings,
): Asked => {
  const spelled = (p: string, t: string | undefined) =>
    ({ channel, operation, path: p, ...(t === undefined ? {} : { target: t }) }) as const;
  return {
    operation: spelled(path.absolute, target?.absolute),
    also: [
      ...path.others.map((other) => spelled(other, target?.absolute)),
      ...(target?.others ?? []).map((other) => spelled(path.absolute, other)),
    ],
  };
};
