// Loads sallyport.yaml and the environment into one Config. Every error names its place: `sallyport.yaml:LINE:COL: …`,
// or the environment variable. Does not watch files and does not create anything: whoever owns a path makes it.
import { readFileSync, statSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { basename, dirname, isAbsolute, resolve } from 'node:path';
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { withAbsoluteFiles } from './outputs.ts';
import {
  environmentName,
  type KeyPath,
  keysWithin,
  type Settings,
  settingKeys,
  settingsSchema,
} from './schema.ts';

const LARGEST_FILE = 1024 * 1024;
export const DEFAULT_FILE = 'sallyport.yaml';

export interface Config extends Omit<Settings, 'name' | 'ssh' | 'store' | 'recordings' | 'masterKey'> {
  /** The file that was read, absolute; undefined when there was none and defaults apply. */
  readonly file: string | undefined;
  readonly name: string;
  readonly ssh: Omit<Settings['ssh'], 'workers'> & { readonly workers: number };
  readonly store: { readonly url: string };
  readonly recordings: Settings['recordings'] & { readonly url: string };
  /** `secret` comes from SALLYPORT_MASTER_KEY only and wins over the file. */
  readonly masterKey: { readonly file: string; readonly secret: string | undefined };
}

export interface ConfigProblem {
  /** `sallyport.yaml:3:7`, or the environment variable's name. */
  readonly where: string;
  readonly text: string;
}

export class ConfigError extends Error {
  readonly code = 'SP_CONFIG';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => `${problem.where}: ${problem.text}`).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type Plain = { [key: string]: unknown };

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `key:` without a value means the default. */
const withoutNulls = (value: unknown): unknown =>
  isPlain(value)
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([, inner]) => inner !== null)
          .map(([key, inner]) => [key, withoutNulls(inner)]),
      )
    : value;

const put = (into: Plain, key: KeyPath, value: string): void => {
  const [head, ...rest] = key;
  if (head === undefined) return;
  if (rest.length === 0) {
    into[head] = value;
    return;
  }
  const inner = into[head];
  const next = isPlain(inner) ? inner : {};
  into[head] = next;
  put(next, rest, value);
};

/** Edits between two words, at most `limit`; enough to suggest a key. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? Number.POSITIVE_INFINITY;
};

const suggestion = (word: string, at: KeyPath): string => {
  const short = word.slice(0, 64).toLowerCase();
  const inside = keysWithin(at).map((key) => ({ key, away: distance(short, key.toLowerCase()) }));
  const [best] = inside.sort((one, other) => one.away - other.away);
  if (best !== undefined && best.away <= Math.max(1, Math.floor(best.key.length / 3)))
    return `; did you mean ${best.key}?`;
  const elsewhere = settingKeys.find((key) => key.at(-1)?.toLowerCase() === short);
  if (elsewhere === undefined && inside.length === 0) return '';
  return elsewhere === undefined
    ? `; known here: ${keysWithin(at).join(', ')}`
    : `; did you mean ${elsewhere.join('.')}?`;
};

interface Source {
  readonly value: unknown;
  readonly place: (path: readonly PropertyKey[], ofKey: boolean) => string;
  readonly problems: readonly ConfigProblem[];
}

const emptySource = (label: string): Source => ({ value: {}, place: () => label, problems: [] });

const readSource = (text: string, label: string): Source => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${label}:${line}:${col}`;
  };
  const place = (path: readonly PropertyKey[], ofKey: boolean): string => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (ofKey || !isNode(node)) {
        const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
        const offset = keyOffset(parent, path[length - 1]);
        if (offset !== undefined) return at(offset);
      }
      if (isNode(node) && node.range) return at(node.range[0]);
    }
    return at(document.contents?.range?.[0] ?? 0);
  };
  const problems = document.errors.map((error) => ({ where: at(error.pos[0]), text: error.message }));
  return { value: problems.length > 0 ? {} : (document.toJS({ maxAliasCount: 50 }) ?? {}), place, problems };
};

const keyOffset = (parent: unknown, key: PropertyKey | undefined): number | undefined => {
  if (!isMap(parent)) return undefined;
  for (const { key: node } of parent.items) {
    if (isScalar(node) && node.value === key) return node.range?.[0];
  }
  return undefined;
};

const readFile = (file: string, required: boolean): string | undefined => {
  const label = basename(file);
  try {
    if (statSync(file).size > LARGEST_FILE)
      throw new ConfigError([{ where: label, text: 'larger than 1 MiB; this is not a configuration' }]);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    if (code === 'ENOENT' && !required) return undefined;
    throw new ConfigError([{ where: file, text: `can't be read (${code})` }]);
  }
};

export interface LoadOptions {
  /** The file to read; without it SALLYPORT_CONFIG, else ./sallyport.yaml where there is one. */
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** Throws ConfigError with every problem found. Paths in the result are absolute, relative ones seen from the file's folder. */
export const loadConfig = (options: LoadOptions = {}): Config => {
  const env = options.env ?? process.env;
  const cwd = options.cwd ?? process.cwd();
  const named = options.file ?? (env['SALLYPORT_CONFIG'] || undefined);
  const candidate = resolve(cwd, named ?? DEFAULT_FILE);
  const text = readFile(candidate, named !== undefined);
  const file = text === undefined ? undefined : candidate;
  const source = text === undefined ? emptySource(DEFAULT_FILE) : readSource(text, basename(candidate));
  if (source.problems.length > 0) throw new ConfigError(source.problems);

  const raw = withoutNulls(source.value);
  if (!isPlain(raw))
    throw new ConfigError([{ where: source.place([], false), text: 'must be keys with values' }]);
  const fromEnvironment = new Map<string, string>();
  for (const key of settingKeys) {
    const name = environmentName(key);
    const value = env[name];
    if (value === undefined || value === '') continue;
    fromEnvironment.set(key.join('.'), name);
    put(raw, key, value);
  }

  const result = settingsSchema.safeParse(raw);
  if (!result.success) {
    const problems = result.error.issues.flatMap((issue): ConfigProblem[] => {
      const path = issue.path.filter((part) => typeof part !== 'symbol');
      const words = path.map(String);
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => ({
          where: source.place([...path, key], true),
          text: `unknown key ${[...words, key].join('.')}${suggestion(key, words)}`,
        }));
      const variable = fromEnvironment.get(words.filter((word) => !/^\d+$/.test(word)).join('.'));
      return [{ where: variable ?? source.place(path, false), text: `${words.join('.')} ${issue.message}` }];
    });
    throw new ConfigError(problems);
  }

  const settings = result.data;
  const base = file === undefined ? cwd : dirname(file);
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(base, path));
  const data = absolute(settings.data);
  const maybe = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : absolute(path);
  return {
    ...settings,
    name: settings.name ?? hostname(),
    file,
    data,
    policies: absolute(settings.policies),
    admin: {
      ...settings.admin,
      certificate: maybe(settings.admin.certificate),
      key: maybe(settings.admin.key),
    },
    ssh: {
      ...settings.ssh,
      workers: settings.ssh.workers === 'cores' ? availableParallelism() : settings.ssh.workers,
      banner: maybe(settings.ssh.banner),
      trustedUserCAKeys: maybe(settings.ssh.trustedUserCAKeys),
      revokedKeys: maybe(settings.ssh.revokedKeys),
    },
    store: { url: settings.store.url ?? `sqlite:${resolve(data, 'sallyport.db')}` },
    recordings: {
      ...settings.recordings,
      url: settings.recordings.url ?? `file:${resolve(data, 'recordings')}`,
    },
    findings: { ...settings.findings, databases: settings.findings.databases.map(absolute) },
    siem: { outputs: settings.siem.outputs.map((output) => withAbsoluteFiles(output, absolute)) },
    masterKey: {
      file: maybe(settings.masterKey.file) ?? resolve(data, 'master.key'),
      secret: env['SALLYPORT_MASTER_KEY'] || undefined,
    },
  };
};
