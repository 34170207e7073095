// The policy in force: loads the files of a folder and the packs that are asked for, and again whenever they change. A
// set with a problem is never used: the gateway does not start with one, and while it runs the last good set stays, which
// is also kept in the data folder for workers that start meanwhile. It judges nothing.
import { watch } from 'node:fs';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compilePolicy } from '../../policies/check.ts';
import { loadPolicies, packsDirectory } from '../../policies/load.ts';
import { PolicySet } from '../../policies/match.ts';
import type { PolicyProblem } from '../../policies/rules/parse.ts';
import type { Policies } from '../../proxy/audit/ports.ts';

export interface PolicySource {
  readonly folder: string;
  /** Names of packs that ship; `all` is every one. */
  readonly packs: readonly string[];
  /** Where the last good set is kept; undefined: nowhere. */
  readonly lastGood: string | undefined;
}

export class PolicyError extends Error {
  readonly code = 'SP_POLICY';
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(
      `the policy can't be used:\n${problems
        .slice(0, 50)
        .map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)
        .join('\n')}`,
    );
    this.name = 'PolicyError';
    this.problems = problems;
  }
}

interface Loaded {
  readonly set: PolicySet;
  readonly rules: number;
  readonly files: readonly string[];
  /** The folder is not there: there are no rules of one's own. */
  readonly folderMissing: boolean;
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

const packFiles = async (packs: readonly string[]): Promise<readonly string[]> => {
  const there = (await readdir(packsDirectory)).filter((name) => name.endsWith('.yaml')).sort();
  const unknown = packs.filter((pack) => pack !== 'all' && !there.includes(`${pack}.yaml`));
  if (unknown.length > 0) {
    throw new PolicyError(
      unknown.map((pack) => ({
        code: 'SP_POLICY_FILE',
        file: 'policyPacks',
        line: 1,
        column: 1,
        message: `there is no pack ${pack}; there are: ${there.map((name) => name.slice(0, -5)).join(', ')}`,
      })),
    );
  }
  return there
    .filter((name) => packs.includes('all') || packs.includes(name.slice(0, -5)))
    .map((name) => join(packsDirectory, name));
};

/** Throws PolicyError when anything is wrong with the files. */
export const loadPolicySource = async (source: PolicySource): Promise<Loaded> => {
  const folderMissing = !(await isFolder(source.folder));
  const paths = [...(await packFiles(source.packs)), ...(folderMissing ? [] : [source.folder])];
  const loaded = await loadPolicies(paths);
  if (loaded.problems.length > 0) throw new PolicyError(loaded.problems);
  return { set: loaded.set, rules: loaded.rules, files: loaded.files, folderMissing };
};

interface Kept {
  readonly texts: readonly { readonly file: string; readonly text: string }[];
}

const keep = async (path: string, { set, files }: Loaded): Promise<void> => {
  const texts = await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })));
  // Changed since they were loaded: the next load keeps them.
  if (compilePolicy(texts).set.version !== set.version) return;
  const kept: Kept = { texts };
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, JSON.stringify(kept), { mode: 0o600 });
  await rename(temporary, path);
};

const readKept = async (path: string): Promise<Loaded | undefined> => {
  try {
    const kept: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof kept !== 'object' || kept === null || !('texts' in kept) || !Array.isArray(kept.texts))
      return undefined;
    const texts = kept.texts.flatMap((entry: unknown) =>
      typeof entry === 'object' && entry !== null && 'file' in entry && 'text' in entry
        ? [{ file: String(entry.file), text: String(entry.text) }]
        : [],
    );
    const { set, problems, rules } = compilePolicy(texts);
    if (problems.length > 0) return undefined;
    return { set, rules, files: texts.map((entry) => entry.file), folderMissing: false };
  } catch {
    return undefined;
  }
};

export interface PolicyEvents {
  info(event: string, fields: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields: Readonly<Record<string, unknown>>): void;
  error(event: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Files that are written piece by piece are read when they have been still for so long. Milliseconds. */
const STILL = 200;
/** For folders whose changes the system doesn't tell. Milliseconds. */
const LOOK_EVERY = 2_000;

export class LivePolicies implements Policies, Disposable {
  #source: PolicySource;
  readonly #events: PolicyEvents;
  readonly #told = new Set<() => void>();
  readonly #stop = new AbortController();
  #current: PolicySet;
  #hadFolder: boolean;
  #seen = '';
  #still: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  #reloading: Promise<void> = Promise.resolve();

  private constructor(source: PolicySource, events: PolicyEvents, loaded: Loaded) {
    this.#source = source;
    this.#events = events;
    this.#current = loaded.set;
    this.#hadFolder = !loaded.folderMissing;
  }

  /** Throws PolicyError when the set can't be used and no last good one is kept. */
  static async open(source: PolicySource, events: PolicyEvents): Promise<LivePolicies> {
    let loaded: Loaded;
    try {
      loaded = await loadPolicySource(source);
      if (source.lastGood !== undefined) await keep(source.lastGood, loaded);
    } catch (error) {
      const kept =
        error instanceof PolicyError && source.lastGood !== undefined
          ? await readKept(source.lastGood)
          : undefined;
      if (kept === undefined) throw error;
      events.error('policy.rejected', { problems: problemsOf(error), stays: kept.set.version });
      loaded = kept;
    }
    const live = new LivePolicies(source, events, loaded);
    live.#tell(loaded);
    live.#seen = await live.#fingerprint();
    live.#watch();
    return live;
  }

  get current(): PolicySet {
    return this.#current;
  }

  onChange(told: () => void): () => void {
    this.#told.add(told);
    return () => this.#told.delete(told);
  }

  /** The configuration names another folder or other packs, or simply: read again. Never rejects. */
  reload(source: PolicySource = this.#source): Promise<void> {
    this.#source = source;
    this.#reloading = this.#reloading.then(() => this.#reloadNow());
    return this.#reloading;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    clearTimeout(this.#still);
    clearInterval(this.#look);
    this.#told.clear();
  }

  async #reloadNow(): Promise<void> {
    const source = this.#source;
    try {
      const loaded = await loadPolicySource(source);
      // Rules that vanish with their folder are more likely lost than given up.
      if (loaded.folderMissing && this.#hadFolder) {
        throw new PolicyError([
          { code: 'SP_POLICY_FILE', file: source.folder, line: 1, column: 1, message: 'the folder is gone' },
        ]);
      }
      this.#hadFolder = !loaded.folderMissing;
      if (loaded.set.version === this.#current.version) return;
      if (source.lastGood !== undefined) await keep(source.lastGood, loaded).catch(() => undefined);
      this.#current = loaded.set;
      this.#tell(loaded);
      for (const told of [...this.#told]) told();
    } catch (error) {
      this.#events.error('policy.rejected', { problems: problemsOf(error), stays: this.#current.version });
    }
  }

  #tell({ set, rules, files, folderMissing }: Loaded): void {
    this.#events.info('policy.loaded', { version: set.version, rules, files: files.length });
    if (folderMissing && rules === 0)
      this.#events.warn('policy.none', {
        folder: this.#source.folder,
        text: 'no rules: commands are logged',
      });
  }

  #watch(): void {
    this.#look = setInterval(() => void this.#changed(), LOOK_EVERY);
    this.#look.unref();
    try {
      const watcher = watch(this.#source.folder, { persistent: false, signal: this.#stop.signal }, () => {
        void this.#changed();
      });
      watcher.on('error', () => {});
    } catch {
      // The folder isn't there, or the system has no watches left: looking now and then is enough.
    }
  }

  async #changed(): Promise<void> {
    const seen = await this.#fingerprint();
    if (seen === this.#seen || this.#stop.signal.aborted) return;
    this.#seen = seen;
    clearTimeout(this.#still);
    this.#still = setTimeout(() => void this.#whenStill(seen), STILL);
  }

  async #whenStill(seen: string): Promise<void> {
    if ((await this.#fingerprint()) !== seen) {
      await this.#changed();
      return;
    }
    if (!this.#stop.signal.aborted) await this.reload();
  }

  async #fingerprint(): Promise<string> {
    try {
      const names = (await readdir(this.#source.folder)).filter((name) => /\.ya?ml$/.test(name)).sort();
      const states = await Promise.all(
        names.map(async (name) => {
          const { size, mtimeMs, ino } = await stat(join(this.#source.folder, name));
          return `${name} ${size} ${mtimeMs} ${ino}`;
        }),
      );
      return states.join('\n');
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    }
  }
}

const problemsOf = (error: unknown): readonly string[] =>
  error instanceof PolicyError
    ? error.problems
        .slice(0, 50)
        .map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)
    : [error instanceof Error ? error.message : String(error)];

/** For whoever judges without files. */
export const noPolicies: Policies = { current: PolicySet.empty(), onChange: () => () => {} };
