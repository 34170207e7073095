// A policy file's text to a rule set: YAML, schema, patterns and embedded tests. Every error is reported at once, each
// with line and column. Reads no files.

import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { compileConditions, PatternError } from './compile.ts';
import { type RuleSetSource, ruleSchema, ruleSetSchema } from './schema.ts';

export interface PolicyProblem {
  readonly code:
    | 'SP_POLICY_SYNTAX'
    | 'SP_POLICY_SCHEMA'
    | 'SP_POLICY_PATTERN'
    | 'SP_POLICY_TEST'
    | 'SP_POLICY_FILE';
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface ParsedRuleSet {
  readonly file: string;
  readonly source: RuleSetSource | undefined;
  readonly problems: readonly PolicyProblem[];
  /** Line and column of what stands at a path below the root, or of the nearest thing above it. */
  locate(path: readonly (string | number)[]): { readonly line: number; readonly column: number };
}

/** Parses one policy file. */
export function parseRuleSet(file: string, text: string): ParsedRuleSet {
  const counter = new LineCounter();
  // Aliases could multiply a small file into a huge one; policies don't need many.
  const document = parseDocument(text, {
    lineCounter: counter,
    uniqueKeys: true,
    prettyErrors: false,
    strict: true,
  });
  const locate: Locate = (path, key) => {
    const at = keyOffset(document, path, key) ?? offsetOf(document, path);
    const pos = counter.linePos(at);
    return { line: Math.max(1, pos.line), column: Math.max(1, pos.col) };
  };
  const problems: PolicyProblem[] = document.errors.map((error) => {
    const pos = counter.linePos(error.pos[0]);
    return {
      code: 'SP_POLICY_SYNTAX',
      file,
      line: pos.line,
      column: pos.col,
      message: error.message.split('\n')[0] ?? 'not YAML',
    };
  });
  if (problems.length > 0) return { file, source: undefined, problems, locate };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return {
      file,
      source: undefined,
      problems: [
        {
          code: 'SP_POLICY_SYNTAX',
          file,
          line: 1,
          column: 1,
          message: error instanceof Error ? error.message : 'not readable',
        },
      ],
      locate,
    };
  }
  const parsed = ruleSetSchema.safeParse(value);
  if (parsed.success) return { file, source: parsed.data, problems, locate };
  // Rules that are well formed are compiled all the same, so that mistakes in patterns show in the same run.
  problems.push(...patternProblems(file, value, locate));
  for (const issue of parsed.error.issues) problems.push(...describe(issue, file, locate));
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return { file, source: undefined, problems, locate };
}

function patternProblems(file: string, value: unknown, locate: Locate): PolicyProblem[] {
  const rules: unknown =
    typeof value === 'object' && value !== null && 'rules' in value ? value.rules : undefined;
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((one: unknown, i): PolicyProblem[] => {
    const rule = ruleSchema.safeParse(one);
    if (!rule.success) return [];
    try {
      compileConditions(rule.data);
      return [];
    } catch (error) {
      const path = ['rules', i, ...(error instanceof PatternError ? error.path : [])];
      const message = error instanceof Error ? error.message : String(error);
      return [{ code: 'SP_POLICY_PATTERN', file, ...locate(path), message }];
    }
  });
}

/** Position of a value, or of one of its keys. */
type Locate = (path: readonly (string | number)[], key?: string) => { line: number; column: number };

function describe(issue: z.core.$ZodIssue, file: string, locate: Locate): PolicyProblem[] {
  const path = issue.path.filter((p): p is string | number => typeof p !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      code: 'SP_POLICY_SCHEMA',
      file,
      ...locate(path, key),
      message: `${where(path)}unknown key "${key}"`,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The branch that came closest says best what is wrong.
    const branches = issue.errors.map((e) => e.filter((i) => i.code !== 'invalid_type' || i.path.length > 0));
    const best = branches
      .filter((b) => b.length > 0)
      .sort((a, b) => deepest(b) - deepest(a) || a.length - b.length)[0]?.[0];
    if (best !== undefined) return describe({ ...best, path: [...issue.path, ...best.path] }, file, locate);
  }
  return [{ code: 'SP_POLICY_SCHEMA', file, ...locate(path), message: `${where(path)}${issue.message}` }];
}

const deepest = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(...issues.map((i) => i.path.length));

const where = (path: readonly (string | number)[]): string =>
  path.length === 0
    ? ''
    : `${path
        .map((p) => (typeof p === 'number' ? `[${p}]` : `.${p}`))
        .join('')
        .replace(/^\./, '')}: `;

function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = rangeOf(node);
    if (range !== undefined) return range;
  }
  return 0;
}

function rangeOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined;
  const range = node.range;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined;
}

function keyOffset(
  document: Document,
  path: readonly (string | number)[],
  key: string | undefined,
): number | undefined {
  if (key === undefined) return undefined;
  const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isMap(node)) return undefined;
  const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
  return rangeOf(pair?.key);
}
