// The rule files of the policies folder and of the packs that are asked for: read, compiled with a draft among them,
// published one at a time. A text is kept in the history before its file is replaced, so that there is no rule in force
// that nobody is named for. Whoever judges rereads the folder by itself.
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type CompiledPolicy, compilePolicy } from '../../policies/check.ts';
import { packsDirectory } from '../../policies/load.ts';
import { newId } from '../store/id.ts';
import { type Page, readPage } from '../store/page.ts';
import type { PolicyVersionsTable } from '../store/schema.ts';
import { recordAct } from './acts.ts';
import { differenceOf } from './difference.ts';
import type { ApiParts } from './parts.ts';
import { ApiProblem } from './problem.ts';
import { etagOf } from './routes/shapes.ts';

const LARGEST_FILE = 8 * 1024 * 1024;
const MOST_FILES = 1_000;

export const RULE_FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.ya?ml$/;

export interface PolicyFile {
  readonly file: string;
  readonly origin: 'folder' | 'pack';
  readonly text: string;
  readonly etag: string;
}

export interface Draft {
  readonly file: string;
  readonly text: string;
}

export interface Publication extends Draft {
  readonly note: string;
  readonly actor: string;
}

/** By `compilePolicy`'s problems. */
const refuse = (compiled: CompiledPolicy): void => {
  if (compiled.problems.length === 0) return;
  throw new ApiProblem(
    'SP_API_INVALID',
    'the rules can’t be used',
    compiled.problems
      .slice(0, 50)
      .map(({ file, line, column, message }) => ({ where: `${file}:${line}:${column}`, message })),
  );
};

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

export class PolicyFiles {
  readonly #parts: ApiParts;
  /** One publication at a time: each is checked against what the one before left. */
  #last: Promise<unknown> = Promise.resolve();
  #compiled: { readonly key: string; readonly result: CompiledPolicy } | undefined;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  async list(): Promise<readonly PolicyFile[]> {
    const { policies, policyPacks } = this.#parts.config;
    const packs = (await readdir(packsDirectory))
      .filter((name) => name.endsWith('.yaml'))
      .filter((name) => policyPacks.includes('all') || policyPacks.includes(basename(name, '.yaml')))
      .sort();
    const own = await readdir(policies).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const files: PolicyFile[] = [];
    const take = async (folder: string, file: string, origin: PolicyFile['origin']): Promise<void> => {
      const path = join(folder, file);
      if ((await stat(path)).size > LARGEST_FILE || files.length >= MOST_FILES) return;
      const text = await readFile(path, 'utf8');
      files.push({ file, origin, text, etag: etagOf(text) });
    };
    for (const file of packs) await take(packsDirectory, file, 'pack');
    for (const file of own.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort())
      await take(policies, file, 'folder');
    return files;
  }

  async find(file: string): Promise<PolicyFile | undefined> {
    const all = await this.list();
    return (
      all.find((one) => one.file === file && one.origin === 'folder') ?? all.find((one) => one.file === file)
    );
  }

  /** The whole set, with a draft in the place of the folder's file of that name. */
  async compile(draft?: Draft): Promise<CompiledPolicy> {
    const files = await this.list();
    const texts = files
      .filter((one) => draft === undefined || one.origin === 'pack' || one.file !== draft.file)
      .map(({ file, origin, text }) => ({ file: origin === 'pack' ? `packs/${file}` : file, text }));
    if (draft !== undefined) texts.push({ file: draft.file, text: draft.text });
    const key = etagOf(texts);
    if (this.#compiled?.key !== key) this.#compiled = { key, result: compilePolicy(texts) };
    return this.#compiled.result;
  }

  /** Throws SP_API_INVALID with every mistake, and whatever `check` throws for the file's present etag. */
  publish(publication: Publication, check: (current: string | undefined) => void): Promise<PolicyFile> {
    return this.#inTurn(async () => {
      const { file, text, note, actor } = publication;
      const before = (await this.list()).find((one) => one.file === file && one.origin === 'folder');
      check(before?.etag);
      const compiled = await this.compile(publication);
      refuse(compiled);
      if (before !== undefined) await this.#keepForeign(before);
      await this.#keep({ file, text, note, actor, set_version: compiled.set.version });
      await this.#write(file, text);
      await this.#told(actor, 'published', file, { note, version: compiled.set.version });
      return { file, origin: 'folder', text, etag: etagOf(text) };
    });
  }

  withdraw(file: string, actor: string, check: (current: string | undefined) => void): Promise<void> {
    return this.#inTurn(async () => {
      const before = (await this.list()).find((one) => one.file === file && one.origin === 'folder');
      check(before?.etag);
      if (before !== undefined) await this.#keepForeign(before);
      await this.#told(actor, 'withdrawn', file, {});
      await rm(join(this.#parts.config.policies, file));
    });
  }

  versions(
    file: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<Page<PolicyVersionsTable>> {
    return readPage(this.#parts.store.db.selectFrom('policy_versions').selectAll().where('file', '=', file), {
      time: 'at',
      id: 'id',
      order: 'newest-first',
      limit: page.limit,
      after: page.after,
      positionOf: (row) => ({ time: row.at, id: row.id }),
    });
  }

  version(file: string, id: string): Promise<PolicyVersionsTable | undefined> {
    return this.#parts.store.db
      .selectFrom('policy_versions')
      .selectAll()
      .where('file', '=', file)
      .where('id', '=', id)
      .executeTakeFirst();
  }

  /** From what is in force to the text of that version. */
  async differenceToNow(version: PolicyVersionsTable): Promise<string> {
    const now = await this.find(version.file);
    return differenceOf(now?.origin === 'folder' ? now.text : '', version.text);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #keep(version: Omit<PolicyVersionsTable, 'id' | 'at'>): Promise<void> {
    await this.#parts.store.append('policy_versions', [{ id: newId(), at: this.#parts.now(), ...version }]);
  }

  /** A text that came into the folder without us is kept before it is replaced, so that it can be restored. */
  async #keepForeign(before: PolicyFile): Promise<void> {
    const [latest] = (await this.versions(before.file, { limit: 1 })).rows;
    if (latest?.text === before.text) return;
    const compiled = await this.compile();
    await this.#keep({
      file: before.file,
      text: before.text,
      note: 'found in the folder',
      actor: 'folder',
      set_version: compiled.set.version,
    });
  }

  async #write(file: string, text: string): Promise<void> {
    const { policies } = this.#parts.config;
    // Hidden from whoever reads the folder until it is whole.
    const temporary = join(policies, `.${file}.${process.pid}.new`);
    try {
      await writeFile(temporary, text, { mode: 0o640 });
      await rename(temporary, join(policies, file));
    } catch (error) {
      await rm(temporary, { force: true });
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
      throw new ApiProblem('SP_API_CONFLICT', `the policies folder can’t be written (${code})`);
    }
  }

  #told(
    actor: string,
    action: string,
    name: string,
    detail: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    return recordAct(this.#parts.store, this.#parts.now(), { actor, action, kind: 'policy', name, detail });
  }
}
