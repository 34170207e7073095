// Imports Sigma rules (Linux, process creation) as rules with action `log`, their author, id and licence kept with each
// match. What the rule language can't say is reported with the reason, never guessed. Holds no Sigma rule itself.

import { parse, stringify } from 'yaml';
import type { Comparison, When } from './rules/schema.ts';

export interface ImportedRule {
  readonly name: string;
  readonly description: string | undefined;
  readonly action: 'log';
  readonly criticality: 'low' | 'medium' | 'high';
  readonly author: string | undefined;
  readonly license: string;
  readonly references: readonly string[];
  readonly tags: readonly string[];
  readonly when: When;
}

export type SigmaResult =
  | { readonly kind: 'imported'; readonly rule: ImportedRule }
  | { readonly kind: 'unsupported'; readonly title: string; readonly reason: string };

const licence = 'Detection Rule License 1.1';

class Unsupported extends Error {}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;

/** Imports one Sigma rule's YAML text. */
export function importSigmaRule(text: string): SigmaResult {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 20 });
  } catch (error) {
    return {
      kind: 'unsupported',
      title: '',
      reason: `not YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`,
    };
  }
  const title = isRecord(value) ? (textOf(value['title']) ?? 'without a title') : 'without a title';
  try {
    if (!isRecord(value)) throw new Unsupported('not a rule');
    return { kind: 'imported', rule: convert(value, title) };
  } catch (error) {
    if (error instanceof Unsupported) return { kind: 'unsupported', title, reason: error.message };
    throw error;
  }
}

function convert(value: Record<string, unknown>, title: string): ImportedRule {
  const source = value['logsource'];
  if (!isRecord(source)) throw new Unsupported('no log source');
  if (source['category'] !== 'process_creation')
    throw new Unsupported(
      `log source ${textOf(source['category']) ?? textOf(source['service']) ?? 'unknown'}: only process_creation is seen in a command line`,
    );
  if (source['product'] !== 'linux' && source['product'] !== 'macos' && source['product'] !== undefined)
    throw new Unsupported(`product ${textOf(source['product']) ?? ''}`);
  const detection = value['detection'];
  if (!isRecord(detection)) throw new Unsupported('no detection');
  const conditionValue = detection['condition'];
  const conditions = Array.isArray(conditionValue) ? conditionValue : [conditionValue];
  if ('timeframe' in detection) throw new Unsupported('timeframe');
  const trees = conditions.map((c) => {
    const text = textOf(c);
    if (text === undefined) throw new Unsupported('no condition');
    return new ConditionReader(text, detection).read();
  });
  const [only] = trees;
  const level = textOf(value['level']);
  const id = textOf(value['id']);
  const references = Array.isArray(value['references'])
    ? value['references'].map(textOf).filter((t) => t !== undefined)
    : [];
  const tags = Array.isArray(value['tags']) ? value['tags'].map(textOf).filter((t) => t !== undefined) : [];
  return {
    name: `${title
      .replace(/[^a-zA-Z0-9 ._:/+,'-]/g, ' ')
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, 70)} ${(id ?? '').slice(0, 36)}`
      .trim()
      .replace(/^[^a-zA-Z0-9]+/, ''),
    description: textOf(value['description'])?.trim().slice(0, 2_000),
    action: 'log',
    criticality: level === 'critical' || level === 'high' ? 'high' : level === 'medium' ? 'medium' : 'low',
    author: textOf(value['author'])?.slice(0, 500),
    license: licence,
    references: [...(id === undefined ? [] : [`sigma:${id}`]), ...references]
      .map((r) => r.slice(0, 500))
      .slice(0, 50),
    tags: tags.map((t) => t.slice(0, 100)).slice(0, 50),
    when: only !== undefined && trees.length === 1 ? only : { any: trees },
  };
}

// --- condition: and, or, not, brackets, `1 of x*`, `all of them`

class ConditionReader {
  private readonly tokens: readonly string[];
  private at = 0;
  private readonly detection: Record<string, unknown>;

  constructor(text: string, detection: Record<string, unknown>) {
    this.tokens = text.match(/\(|\)|[^\s()]+/g) ?? [];
    this.detection = detection;
    if (text.includes('|')) throw new Unsupported('aggregation in the condition');
  }

  read(): When {
    const out = this.or(0);
    if (this.at < this.tokens.length)
      throw new Unsupported(`condition not understood at "${this.tokens[this.at] ?? ''}"`);
    return out;
  }

  private word(): string | undefined {
    return this.tokens[this.at]?.toLowerCase();
  }

  private or(depth: number): When {
    if (depth > 20) throw new Unsupported('condition nested too deep');
    const parts = [this.and(depth)];
    while (this.word() === 'or') {
      this.at++;
      parts.push(this.and(depth));
    }
    return joined('any', parts);
  }

  private and(depth: number): When {
    const parts = [this.not(depth)];
    while (this.word() === 'and') {
      this.at++;
      parts.push(this.not(depth));
    }
    return joined('all', parts);
  }

  private not(depth: number): When {
    if (this.word() === 'not') {
      this.at++;
      return { not: this.not(depth + 1) };
    }
    if (this.tokens[this.at] === '(') {
      this.at++;
      const inner = this.or(depth + 1);
      if (this.tokens[this.at++] !== ')') throw new Unsupported('a bracket that is not closed');
      return inner;
    }
    const word = this.tokens[this.at++];
    if (word === undefined) throw new Unsupported('condition ends too soon');
    if ((word === '1' || word === 'all' || word === 'any') && this.word() === 'of') {
      this.at++;
      const pattern = this.tokens[this.at++] ?? '';
      const names = this.names(pattern);
      if (names.length === 0) throw new Unsupported(`nothing is named ${pattern}`);
      return joined(
        word === 'all' ? 'all' : 'any',
        names.map((n) => selection(this.detection[n], n)),
      );
    }
    if (!(word in this.detection)) throw new Unsupported(`no selection named ${word}`);
    return selection(this.detection[word], word);
  }

  private names(pattern: string): readonly string[] {
    const names = Object.keys(this.detection).filter((n) => n !== 'condition');
    if (pattern === 'them') return names.filter((n) => !n.startsWith('_'));
    const star = pattern.indexOf('*');
    return star < 0
      ? names.filter((n) => n === pattern)
      : names.filter((n) => n.startsWith(pattern.slice(0, star)) && n.endsWith(pattern.slice(star + 1)));
  }
}

function joined(kind: 'all' | 'any', parts: readonly When[]): When {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return kind === 'all' ? { all: parts } : { any: parts };
}

// --- selections

function selection(value: unknown, name: string): When {
  if (Array.isArray(value)) {
    // Maps in a list are alternatives; texts in a list are keywords.
    return joined(
      'any',
      value.map((item: unknown) => (isRecord(item) ? selection(item, name) : keyword(item, name))),
    );
  }
  if (isRecord(value))
    return joined(
      'all',
      Object.entries(value).map(([key, v]) => field(key, v)),
    );
  return keyword(value, name);
}

function keyword(value: unknown, name: string): When {
  const text = textOf(value);
  if (text === undefined) throw new Unsupported(`selection ${name} is empty`);
  return comparison('text', 'contains', text);
}

const fields: Readonly<Record<string, Comparison['field']>> = {
  CommandLine: 'text',
  Image: 'program',
  ParentImage: 'parentProgram',
  ParentCommandLine: 'parentText',
  CurrentDirectory: 'directory',
  User: 'user',
};

function field(key: string, value: unknown): When {
  const [name = '', ...modifiers] = key.split('|');
  const target = fields[name];
  if (target === undefined) throw new Unsupported(`field ${name}: not known from a command line`);
  let how: 'contains' | 'startsWith' | 'endsWith' | 'equals' | 'matches' = 'equals';
  let all = false;
  let windash = false;
  for (const m of modifiers) {
    if (m === 'contains') how = 'contains';
    else if (m === 'startswith') how = 'startsWith';
    else if (m === 'endswith') how = 'endsWith';
    else if (m === 're') how = 'matches';
    else if (m === 'all') all = true;
    else if (m === 'windash') windash = true;
    else if (m === 'i' && how === 'matches') continue;
    else throw new Unsupported(`modifier ${m}`);
  }
  if (value === null || value === '')
    throw new Unsupported(`${name} must be empty: a command line always has one`);
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const texts = values.map((v) => {
    const text = textOf(v);
    if (text === undefined) throw new Unsupported(`${name} holds something that is no text`);
    return text;
  });
  const spelled = windash ? texts.flatMap((t) => [t, t.replace(/(^|\s)-/, '$1/')]) : texts;
  const insensitive = modifiers.includes('i');
  const parts = spelled.map((t) =>
    comparison(target, how, how === 'matches' && insensitive ? `(?i)${t}` : t),
  );
  if (all) return joined('all', parts);
  // Plain texts of one kind go into one comparison.
  const merged = how === 'matches' ? undefined : mergeable(parts, how);
  return merged ?? joined('any', parts);
}

function mergeable(
  parts: readonly When[],
  how: 'contains' | 'startsWith' | 'endsWith' | 'equals',
): When | undefined {
  const texts: string[] = [];
  let target: Comparison['field'] | undefined;
  for (const part of parts) {
    if (!('field' in part)) return undefined;
    const list = part[how];
    if (list === undefined) return undefined;
    target = part.field;
    texts.push(...list);
  }
  return target === undefined ? undefined : comparisonOf(target, how, texts);
}

function comparisonOf(
  target: Comparison['field'],
  how: 'contains' | 'startsWith' | 'endsWith' | 'equals' | 'matches',
  texts: readonly string[],
): Comparison {
  return { field: target, [how]: texts };
}

/** One value; Sigma's wildcards `*` and `?` become an expression, its escaped ones text. */
function comparison(
  target: Comparison['field'],
  how: 'contains' | 'startsWith' | 'endsWith' | 'equals' | 'matches',
  text: string,
): When {
  if (how === 'matches') {
    if (/\(\?[=!<]|\\[1-9]/.test(text))
      throw new Unsupported('an expression with look-around or back-references');
    return comparisonOf(target, 'matches', [text]);
  }
  let wild = false;
  let plain = '';
  let expression = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '\\' && /[*?\\]/.test(text.charAt(i + 1))) {
      plain += text.charAt(++i);
      expression += escapeExpression(text.charAt(i));
    } else if (c === '*' || c === '?') {
      wild = true;
      expression += c === '*' ? '.*' : '.';
    } else {
      plain += c;
      expression += escapeExpression(c);
    }
  }
  if (!wild) return comparisonOf(target, how, [plain]);
  const anchored = `(?i)${how === 'contains' || how === 'endsWith' ? '' : '^'}${expression}${how === 'contains' || how === 'startsWith' ? '' : '$'}`;
  return comparisonOf(target, 'matches', [anchored]);
}

const escapeExpression = (c: string): string => c.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Rules as the text of one policy file. Names are made unique. */
export function sigmaPolicy(name: string, rules: readonly ImportedRule[]): string {
  const seen = new Set<string>();
  const unique = rules.map((r) => {
    let n = r.name;
    for (let i = 2; seen.has(n); i++) n = `${r.name} ${i}`;
    seen.add(n);
    return { ...r, name: n };
  });
  return stringify(
    { name, description: 'Imported from Sigma; each match shows its author', rules: unique },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}
