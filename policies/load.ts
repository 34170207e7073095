// The thin edge of policies: reads files and folders of YAML, compiles them, runs their embedded tests. All problems are
// reported at once; a policy with problems is not to be used, and whoever holds the one before keeps it.

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type CompiledPolicy, compilePolicy } from './check.ts';
import type { PolicyProblem } from './rules/parse.ts';

const MAX_FILE = 8 * 1024 * 1024;
const MAX_FILES = 1_000;

export interface LoadedPolicy extends CompiledPolicy {
  /** The files that were read, in order. */
  readonly files: readonly string[];
}

/** The folder of the packs that ship. */
export const packsDirectory: string = new URL('./packs/', import.meta.url).pathname;

/** Loads every `.yaml` and `.yml` file of the given files and folders; folders are not descended into. */
export async function loadPolicies(paths: readonly string[]): Promise<LoadedPolicy> {
  const problems: PolicyProblem[] = [];
  const fault = (file: string, message: string): void => {
    problems.push({ code: 'SP_POLICY_FILE', file, line: 1, column: 1, message });
  };
  const files: string[] = [];
  for (const path of paths) {
    try {
      if ((await stat(path)).isDirectory()) {
        const names = (await readdir(path)).filter((n) => /\.ya?ml$/.test(n) && !n.startsWith('.'));
        for (const name of names.sort()) files.push(join(path, name));
      } else files.push(path);
    } catch (error) {
      fault(path, error instanceof Error ? error.message : 'not readable');
    }
  }
  if (files.length > MAX_FILES) fault(paths[0] ?? '', `more than ${MAX_FILES} files`);
  const texts: { file: string; text: string }[] = [];
  for (const file of files.slice(0, MAX_FILES)) {
    try {
      if ((await stat(file)).size > MAX_FILE) {
        fault(file, 'larger than 8 MiB');
        continue;
      }
      texts.push({ file, text: await readFile(file, 'utf8') });
    } catch (error) {
      fault(file, error instanceof Error ? error.message : `${basename(file)} is not readable`);
    }
  }
  const compiled = compilePolicy(texts);
  return {
    set: compiled.set,
    problems: [...problems, ...compiled.problems],
    rules: compiled.rules,
    tests: compiled.tests,
    files,
  };
}
