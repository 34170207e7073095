// Turns a rule's conditions into a test on one subject (a resolved command, the typed line, a file operation, a forward),
// and says by which words or texts the rule can be found, so that thousands of rules need not be tried on every line.

import ipaddr from 'ipaddr.js';
import { RE2JS } from 're2js';
import { type NamedFile, namedFiles } from '../analysis/files.ts';
import type { ResolvedCommand } from '../analysis/types.ts';
import { hasFlag } from './flags.ts';
import { globKeys, literalTexts, patternWords, type WordGlob, wordGlob } from './glob.ts';
import { requiredTexts } from './literals.ts';
import { pathGlob } from './path.ts';
import type { Access, Comparison, Conditions, When } from './schema.ts';

/** A transfer or a forward, judged like a command. */
export type Operation =
  | {
      readonly channel: 'sftp' | 'scp';
      readonly operation: Access;
      readonly path: string;
      /** The new name of a rename, the target of a link. */
      readonly target?: string | undefined;
    }
  | {
      readonly channel: 'forward';
      /** `unix:/path` for a socket, with port 0. */
      readonly address: string;
      readonly port: number;
      /** What is spoken inside, as far as it was recognised. */
      readonly protocol?: 'ssh' | undefined;
    };

export type Subject =
  | {
      readonly kind: 'command';
      readonly command: ResolvedCommand;
      readonly parent: ResolvedCommand | undefined;
      readonly user: string;
      files: readonly NamedFile[] | undefined;
    }
  | { readonly kind: 'typed'; readonly text: string }
  | { readonly kind: 'operation'; readonly operation: Operation };

/** `maybe`: what is not known of the subject could make it match. */
export type Verdict = 'no' | 'maybe' | 'yes';

/** How a rule can be found: by the name of a command, or by a text in lower case; undefined: only by trying it. */
export type Keys = readonly ({ readonly name: string } | { readonly text: string })[] | undefined;

export interface Compiled {
  test(subject: Subject): Verdict;
  readonly keys: Keys;
  /** The same for grammars in which words may be shortened: only what holds there too. */
  readonly looseKeys: Keys;
}

export class PatternError extends Error {
  /** Where below the rule: key and index. */
  readonly path: readonly (string | number)[];
  constructor(path: readonly (string | number)[], message: string) {
    super(message);
    this.path = path;
  }
}

function attempt<T>(path: readonly (string | number)[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new PatternError(path, error instanceof Error ? error.message : String(error));
  }
}

type Test = (subject: Subject) => Verdict;

const and = (tests: readonly Test[]): Test => {
  const [only] = tests;
  if (tests.length === 1 && only !== undefined) return only;
  return (subject) => {
    let out: Verdict = 'yes';
    for (const test of tests) {
      const v = test(subject);
      if (v === 'no') return 'no';
      if (v === 'maybe') out = 'maybe';
    }
    return out;
  };
};

const or = (tests: readonly Test[]): Test => {
  const [only] = tests;
  if (tests.length === 1 && only !== undefined) return only;
  return (subject) => {
    let out: Verdict = 'no';
    for (const test of tests) {
      const v = test(subject);
      if (v === 'yes') return 'yes';
      if (v === 'maybe') out = 'maybe';
    }
    return out;
  };
};

/** The best of several ways that all hold: few keys, names before texts. */
function bestKeys(all: readonly Keys[]): Keys {
  let best: Keys;
  const cost = (k: NonNullable<Keys>): number => k.length + (k.some((e) => 'text' in e) ? 8 : 0);
  for (const keys of all)
    if (keys !== undefined && (best === undefined || cost(keys) < cost(best))) best = keys;
  return best;
}

function unionKeys(all: readonly Keys[]): Keys {
  const out: ({ readonly name: string } | { readonly text: string })[] = [];
  for (const keys of all) {
    if (keys === undefined) return undefined;
    out.push(...keys);
  }
  return out.length > 2_000 ? undefined : out;
}

const textKeys = (texts: readonly string[] | undefined): Keys => texts?.map((text) => ({ text }));

/** Compiles conditions that must all hold of one subject. Throws PatternError. */
export function compileConditions(conditions: Conditions & { readonly when?: When | undefined }): Compiled {
  const tests: Test[] = [];
  const keys: Keys[] = [];
  const looseKeys: Keys[] = [];
  const found = (strict: Keys, loose: Keys = strict): void => {
    keys.push(strict);
    looseKeys.push(loose);
  };
  const withOptions = conditions.flags !== undefined || conditions.operand !== undefined;
  if (conditions.match !== undefined) {
    const all = conditions.match.map((m, i) => attempt(['match', i], () => compileMatch(m, withOptions)));
    const either = or(all.map((c) => c.test));
    const names = namesOf(unionKeys(all.map((c) => c.looseKeys)));
    tests.push(names === undefined ? either : (s) => (nameExcluded(names, s) ? 'no' : either(s)));
    found(unionKeys(all.map((c) => c.keys)), unionKeys(all.map((c) => c.looseKeys)));
  }
  if (conditions.flags !== undefined) tests.push(and(conditions.flags.map(flagTest)));
  if (conditions.without !== undefined) {
    const wanted = conditions.without.map(flagTest);
    tests.push((s) => (wanted.some((w) => w(s) === 'yes') ? 'no' : 'yes'));
  }
  if (conditions.operand !== undefined) {
    const all = conditions.operand.map((o, i) => attempt(['operand', i], () => operandGlobs(o)));
    tests.push(operandTest(all.flat()));
    const texts = all.flat().map((g) => g.required);
    found(texts.length > 0 && texts.every((t) => t.length >= 2) ? textKeys(texts) : undefined);
  }
  if (conditions.regex !== undefined) {
    const all = conditions.regex.map((r, i) => attempt(['regex', i], () => compileRegex(r)));
    tests.push((s) => (all.some((r) => regexHolds(r, s)) ? 'yes' : 'no'));
    found(unionKeys(conditions.regex.map((r) => textKeys(requiredTexts(r)))));
  }
  if (conditions.path !== undefined) {
    const globs = conditions.path.map((p, i) => attempt(['path', i], () => pathGlob(p)));
    const wanted = conditions.access;
    tests.push((s) => pathTest(s, (path) => globs.some((g) => g.test(path)), wanted));
    found(unionKeys(globs.map((g) => textKeys(g.required))));
  }
  if (conditions.forward !== undefined) {
    const all = conditions.forward.map((f, i) => attempt(['forward', i], () => forwardPattern(f)));
    tests.push((s) => {
      if (s.kind !== 'operation' || s.operation.channel !== 'forward') return 'no';
      const { address, port, protocol } = s.operation;
      return all.some((f) => f(address, port, protocol)) ? 'yes' : 'no';
    });
    found(undefined);
  }
  if (conditions.fedBy !== undefined) {
    const globs = conditions.fedBy.map((g, i) => attempt(['fedBy', i], () => wordGlob(g)));
    tests.push((s) =>
      s.kind === 'command' && s.command.fedBy.some((name) => globs.some((g) => g.test(name))) ? 'yes' : 'no',
    );
    const names = conditions.fedBy.map((g) => literalTexts(g));
    found(
      names.every((n) => n !== undefined)
        ? names
            .flat()
            .filter((n) => n !== undefined)
            .map((name) => ({ name }))
        : undefined,
    );
  }
  if (conditions.assigns !== undefined) {
    const globs = conditions.assigns.map((g, i) => attempt(['assigns', i], () => assignmentGlob(g)));
    tests.push((s) =>
      s.kind === 'command' && assignmentsOf(s.command).some((a) => globs.some((g) => g(a.name, a.text)))
        ? 'yes'
        : 'no',
    );
    found(
      unionKeys(
        conditions.assigns.map((g) =>
          globKeys(g.split('=')[0] ?? '')?.map((k) => ({
            text: ('literal' in k ? k.literal : k.contains).toLowerCase(),
          })),
        ),
      ),
    );
  }
  if (conditions.via !== undefined) {
    const globs = conditions.via.map((g, i) => attempt(['via', i], () => wordGlob(g)));
    tests.push((s) =>
      s.kind === 'command' && s.command.via.some((v) => globs.some((g) => g.test(v))) ? 'yes' : 'no',
    );
  }
  if (conditions.program !== undefined) {
    const globs = conditions.program.map((g, i) => attempt(['program', i], () => pathGlob(g)));
    tests.push((s) =>
      s.kind === 'command' && globs.some((g) => g.test(s.command.program ?? '')) ? 'yes' : 'no',
    );
    found(unionKeys(globs.map((g) => textKeys(g.required))));
  }
  if (conditions.alone === true)
    tests.push((s) =>
      s.kind === 'command' && !s.command.feeds && s.command.fedBy.length === 0 ? 'yes' : 'no',
    );
  if (conditions.when !== undefined) {
    const compiled = compileWhen(conditions.when, ['when']);
    // A negation holds of a bare text for no good reason: with one, only commands count.
    const negated = hasNegation(conditions.when);
    tests.push((s) => (s.kind === 'typed' && negated ? 'no' : compiled.test(s)));
    found(compiled.keys, compiled.looseKeys);
  }
  if (tests.length === 0) return { test: () => 'no', keys: [], looseKeys: [] };
  return { test: and(tests), keys: bestKeys(keys), looseKeys: bestKeys(looseKeys) };
}

function hasNegation(when: When): boolean {
  if ('all' in when) return when.all.some(hasNegation);
  if ('any' in when) return when.any.some(hasNegation);
  return 'not' in when || ('without' in when && when.without !== undefined);
}

function compileWhen(when: When, path: readonly (string | number)[]): Compiled {
  if ('all' in when) {
    const all = when.all.map((w, i) => compileWhen(w, [...path, 'all', i]));
    return {
      test: and(all.map((c) => c.test)),
      keys: bestKeys(all.map((c) => c.keys)),
      looseKeys: bestKeys(all.map((c) => c.looseKeys)),
    };
  }
  if ('any' in when) {
    const all = when.any.map((w, i) => compileWhen(w, [...path, 'any', i]));
    return {
      test: or(all.map((c) => c.test)),
      keys: unionKeys(all.map((c) => c.keys)),
      looseKeys: unionKeys(all.map((c) => c.looseKeys)),
    };
  }
  if ('not' in when) {
    const inner = compileWhen(when.not, [...path, 'not']);
    return { test: (s) => (inner.test(s) === 'yes' ? 'no' : 'yes'), keys: undefined, looseKeys: undefined };
  }
  if ('field' in when) return compileComparison(when, path);
  try {
    return compileConditions(when);
  } catch (error) {
    throw error instanceof PatternError ? new PatternError([...path, ...error.path], error.message) : error;
  }
}

// --- match

/** The names a rule is found by, when it is found by names only. */
function namesOf(keys: Keys): ReadonlySet<string> | undefined {
  if (keys === undefined) return undefined;
  const out = new Set<string>();
  for (const key of keys) {
    if (!('name' in key)) return undefined;
    out.add(key.name);
  }
  return out;
}

/** A quick no, before any pattern is tried. */
function nameExcluded(names: ReadonlySet<string>, s: Subject): boolean {
  if (s.kind !== 'command') return true;
  const c = s.command;
  return c.grammar !== 'network-cli' && c.unknown[0] !== 0 && !names.has(c.name.toLowerCase());
}

function compileMatch(pattern: string, withOptions: boolean): Compiled {
  const words = [...patternWords(pattern)];
  const first = words[0];
  if (first === undefined) throw new SyntaxError('an empty pattern');
  if (withOptions && words[words.length - 1] !== '**') words.push('**');
  const globs = words.map((w) => (w === '**' ? undefined : wordGlob(w)));
  const plain = globs.every((g, i) => i === 0 || g === undefined || !/^\\?-/.test(g.source));
  const head = globs[0];
  const byPath = head?.source.includes('/') === true;
  const needsSkip = plain && words.length > 1 && words.some((w, i) => i > 0 && w !== '**');
  const names = head === undefined ? undefined : literalTexts(head.source);
  const headNames =
    names === undefined ? undefined : new Set(names.map((n) => (n.split('/').pop() ?? n).toLowerCase()));
  const test: Test = (subject) => {
    if (subject.kind !== 'command') return 'no';
    const c = subject.command;
    if (c.argv.length === 0 || (headNames !== undefined && nameExcluded(headNames, subject))) return 'no';
    const whole = matchWords(globs, c, c.argv, c.absolute, byPath);
    if (whole !== 'no') return whole;
    // Options that the pattern doesn't name are passed over: `systemctl --now stop x` is `systemctl stop x`.
    if (needsSkip && c.argv.some((a, i) => i > 0 && a.startsWith('-'))) {
      const keep = c.argv.map((a, i) => i === 0 || !a.startsWith('-'));
      return matchWords(
        globs,
        c,
        c.argv.filter((_, i) => keep[i]),
        c.absolute.filter((_, i) => keep[i]),
        byPath,
      );
    }
    return 'no';
  };
  const texts = globs
    .map((g, i) => (g === undefined || i === 0 ? '' : g.required))
    .filter((t) => t.length >= 5)
    .sort((a, b) => b.length - a.length);
  const heads = head === undefined ? undefined : globKeys(head.source);
  const byHead: Keys = heads?.map((k) =>
    'literal' in k ? { name: (k.literal.split('/').pop() ?? '').toLowerCase() } : { text: k.contains },
  );
  // A long text among the other words tells rules on one command apart; shortened words would not hold it.
  const byText = texts[0] === undefined ? undefined : [{ text: texts[0] }];
  return { test, keys: byText ?? byHead, looseKeys: byHead };
}

function matchWords(
  globs: readonly (WordGlob | undefined)[],
  command: ResolvedCommand,
  argv: readonly string[],
  absolute: readonly (string | undefined)[],
  byPath: boolean,
): Verdict {
  const loose = command.grammar === 'network-cli' || command.grammar === 'sql';
  const fits = (glob: WordGlob, i: number): boolean => {
    const word = argv[i] ?? '';
    if (i === 0)
      return byPath
        ? glob.test(command.program ?? word)
        : glob.test(command.name) || (loose && looseFit(glob, command.name, command.grammar));
    if (glob.test(word)) return true;
    const path = absolute[i];
    if (path !== undefined && path !== word && glob.test(path)) return true;
    return loose && looseFit(glob, word, command.grammar);
  };
  if (sequence(globs, argv.length, fits)) return 'yes';
  if (command.unknown.length === 0) return 'no';
  // What isn't known may be any word, and where it may be several, any number of them.
  if (command.openEnded && globs[0] !== undefined && (command.unknown.includes(0) || fits(globs[0], 0)))
    return 'maybe';
  return sequence(globs, argv.length, (glob, i) => command.unknown.includes(i) || fits(glob, i))
    ? 'maybe'
    : 'no';
}

/** Device commands may be shortened (`conf t`), SQL is the same in any case. */
function looseFit(glob: WordGlob, word: string, grammar: string): boolean {
  const lower = word.toLowerCase();
  if (grammar === 'network-cli' && lower.length >= 2) {
    const texts = glob.literal === undefined ? literalTexts(glob.source) : [glob.literal];
    if (texts?.some((t) => t.toLowerCase().startsWith(lower)) === true) return true;
  }
  if (
    grammar === 'network-cli' &&
    lower.length === 1 &&
    glob.literal?.toLowerCase().startsWith(lower) === true
  )
    return true;
  return glob.test(lower) || glob.test(word.toUpperCase());
}

/** Words against globs where undefined (`**`) stands for any number of words. */
function sequence(
  globs: readonly (WordGlob | undefined)[],
  count: number,
  fits: (glob: WordGlob, i: number) => boolean,
): boolean {
  let g = 0;
  let i = 0;
  let starGlob = -1;
  let starAt = 0;
  for (;;) {
    if (g === globs.length) {
      if (i === count) return true;
    } else {
      const glob = globs[g];
      if (glob === undefined) {
        if (g === globs.length - 1) return true;
        starGlob = g++;
        starAt = i;
        continue;
      }
      if (i < count && fits(glob, i)) {
        i++;
        g++;
        continue;
      }
    }
    if (starGlob < 0 || starAt >= count) return false;
    i = ++starAt;
    g = starGlob + 1;
  }
}

// --- the other conditions

function flagTest(flag: string): Test {
  const choices = flag.split('|');
  return (s) => {
    if (s.kind !== 'command') return 'no';
    if (choices.some((c) => hasFlag(s.command.name, s.command.argv, c))) return 'yes';
    return s.command.openEnded || s.command.unknown.some((i) => i > 0) ? 'maybe' : 'no';
  };
}

const longestPlain = (pattern: string): string =>
  pattern
    .split(/[*?]|\[[^\]]*\]|\\/)
    .reduce((a, b) => (b.length > a.length ? b : a), '')
    .toLowerCase();

/** An operand pattern that begins with ~ stands for every home directory. */
function operandGlobs(pattern: string): readonly WordGlob[] {
  if (pattern !== '~' && !pattern.startsWith('~/')) return [wordGlob(pattern)];
  const glob = wordGlob(pattern.replace('~', '\\~'));
  const home = /^(?:~|\/root|\/(?:home|Users|export\/home)\/[^/]+)(?=\/|$)/;
  return [
    {
      source: pattern,
      literal: undefined,
      required: pattern.includes('{') ? '' : longestPlain(pattern.slice(1)),
      test: (text) => home.test(text) && glob.test(text.replace(home, '~')),
    },
  ];
}

function operandTest(globs: readonly WordGlob[]): Test {
  return (s) => {
    if (s.kind !== 'command') return 'no';
    const { argv, absolute, unknown } = s.command;
    let onlyOperands = false;
    for (let i = 1; i < argv.length; i++) {
      const word = argv[i] ?? '';
      if (!onlyOperands && word === '--') {
        onlyOperands = true;
        continue;
      }
      if (!onlyOperands && word.charCodeAt(0) === 45 && word.length > 1) continue;
      const path = absolute[i];
      for (const g of globs)
        if (g.test(word) || (path !== undefined && path !== word && g.test(path))) return 'yes';
    }
    return unknown.some((i) => i > 0) ? 'maybe' : 'no';
  };
}

function compileRegex(source: string): RE2JS {
  return RE2JS.compile(source, RE2JS.DOTALL);
}

/** Redirections as ` 2>>file`, so that expressions see them in one form. */
function redirectionText(c: ResolvedCommand): string {
  let out = '';
  for (const r of c.redirections)
    if (!r.operator.startsWith('<<')) out += ` ${r.descriptor ?? ''}${r.operator}${r.target}`;
  return out;
}

function regexHolds(regex: RE2JS, s: Subject): boolean {
  switch (s.kind) {
    case 'typed':
      return regex.test(s.text);
    case 'command': {
      const c = s.command;
      const redirections = redirectionText(c);
      if (regex.test(c.text + redirections)) return true;
      return c.program !== undefined && regex.test([c.name, ...c.argv.slice(1)].join(' ') + redirections);
    }
    case 'operation':
      return s.operation.channel !== 'forward' && regex.test(s.operation.path);
  }
}

function pathTest(
  s: Subject,
  fits: (path: string) => boolean,
  wanted: readonly Access[] | undefined,
): Verdict {
  switch (s.kind) {
    case 'typed':
      return 'no';
    case 'command': {
      s.files ??= namedFiles(s.command);
      for (const file of s.files) {
        if (
          wanted !== undefined &&
          !wanted.includes(file.use) &&
          !(file.use === 'delete' && wanted.includes('rename') && s.command.name === 'mv')
        )
          continue;
        if (fits(file.path)) return 'yes';
      }
      return s.command.unknown.some((i) => i > 0) ? 'maybe' : 'no';
    }
    case 'operation': {
      const o = s.operation;
      if (o.channel === 'forward') return 'no';
      // A rename deletes the old name and writes the new one.
      if (
        wanted === undefined ||
        wanted.includes(o.operation) ||
        (o.operation === 'rename' && wanted.includes('delete'))
      )
        if (fits(o.path)) return 'yes';
      if (
        o.target !== undefined &&
        (wanted === undefined || wanted.includes(o.operation) || wanted.includes('write'))
      )
        if (fits(o.target)) return 'yes';
      return 'no';
    }
  }
}

function assignmentGlob(pattern: string): (name: string, value: string | undefined) => boolean {
  const equals = pattern.indexOf('=');
  const nameGlob = wordGlob(equals < 0 ? pattern : pattern.slice(0, equals));
  if (equals < 0) return (name) => nameGlob.test(name);
  const valueGlob = wordGlob(pattern.slice(equals + 1));
  return (name, value) => nameGlob.test(name) && value !== undefined && valueGlob.test(value);
}

function assignmentsOf(
  c: ResolvedCommand,
): readonly { readonly name: string; readonly text: string | undefined }[] {
  if (!/^(export|declare|typeset|local|readonly|env|setenv|sudo|set)$/.test(c.name)) return c.assignments;
  const out: { readonly name: string; readonly text: string | undefined }[] = [...c.assignments];
  if ((c.name === 'setenv' || c.name === 'set') && c.argv[1] !== undefined)
    out.push({ name: c.argv[1], text: c.argv[2] });
  for (const word of c.argv.slice(1)) {
    const equals = word.indexOf('=');
    if (equals > 0 && /^[A-Za-z_]\w*$/.test(word.slice(0, equals)))
      out.push({ name: word.slice(0, equals), text: word.slice(equals + 1) });
  }
  return out;
}

type ForwardTest = (address: string, port: number, protocol?: 'ssh') => boolean;

/**
 * `10.0.0.0/8`, `10.0.0.0/8:5432`, `*.example.org:80`, `[::1]:22`, `*:3306`; `unix:/run/*.sock` for sockets;
 * `ssh://` before any of them: only once SSH is spoken inside.
 */
function forwardPattern(pattern: string): ForwardTest {
  if (pattern.startsWith('ssh://')) {
    const where = forwardPattern(pattern.slice('ssh://'.length));
    return (address, port, protocol) => protocol === 'ssh' && where(address, port);
  }
  if (pattern.startsWith('unix:')) {
    const path = pathGlob(pattern.slice('unix:'.length));
    return (address) => address.startsWith('unix:') && path.test(address.slice('unix:'.length));
  }
  const m =
    /^(?:\[([^\]]+)\]|([^:]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*(?:\/\d+)?))(?::(\d{1,5}(?:-\d{1,5})?|\*))?$/.exec(
      pattern,
    );
  const host = m?.[1] ?? m?.[2];
  if (m === null || host === undefined)
    throw new SyntaxError('expected an address, a network or a host glob, with or without :port');
  const [from, to] = m[3] === undefined || m[3] === '*' ? [0, 65_535] : m[3].split('-').map(Number);
  const portFits = (port: number): boolean => port >= (from ?? 0) && port <= (to ?? from ?? 65_535);
  if (host.includes('/')) {
    const [network, bits] = ipaddr.parseCIDR(host);
    return (address, port) => {
      if (!portFits(port) || !ipaddr.isValid(address)) return false;
      const a = ipaddr.process(address);
      return a.kind() === network.kind() && a.match(network, bits);
    };
  }
  if (ipaddr.isValid(host)) {
    const wanted = ipaddr.process(host).toNormalizedString();
    return (address, port) =>
      portFits(port) && ipaddr.isValid(address) && ipaddr.process(address).toNormalizedString() === wanted;
  }
  const glob = wordGlob(host.toLowerCase());
  return (address, port) => portFits(port) && glob.test(address.toLowerCase());
}

function compileComparison(c: Comparison, path: readonly (string | number)[]): Compiled {
  const lower = (list: readonly string[] | undefined): readonly string[] | undefined =>
    list?.map((t) => t.toLowerCase());
  const contains = lower(c.contains);
  const startsWith = lower(c.startsWith);
  const endsWith = lower(c.endsWith);
  const equals = lower(c.equals);
  const matches = c.matches?.map((m, i) => attempt([...path, 'matches', i], () => compileRegex(m)));
  const test: Test = (s) => {
    const value = fieldOf(c.field, s);
    if (value === undefined) return 'no';
    const text = value.toLowerCase();
    const holds =
      (contains === undefined || contains.some((t) => text.includes(t))) &&
      (startsWith === undefined || startsWith.some((t) => text.startsWith(t))) &&
      (endsWith === undefined || endsWith.some((t) => text.endsWith(t))) &&
      (equals === undefined || equals.includes(text)) &&
      (matches === undefined || matches.some((m) => m.test(value)));
    return holds ? 'yes' : 'no';
  };
  let keys: Keys;
  if (c.field === 'text') {
    const sets = [contains, startsWith, endsWith, equals].filter((l) => l !== undefined);
    const usable = sets.filter((l) => l.every((t) => t.trim().length >= 3));
    keys = bestKeys([
      ...usable.map((l) => textKeys(l.map((t) => t.trim()))),
      matches === undefined ? undefined : unionKeys((c.matches ?? []).map((m) => textKeys(requiredTexts(m)))),
    ]);
  } else if (c.field === 'program' || c.field === 'name') {
    const ends = endsWith ?? equals;
    if (ends?.every((t) => (c.field === 'name' ? endsWith === undefined : /\/[^/]+$/.test(t))) === true)
      keys = ends.map((t) => ({ name: t.slice(t.lastIndexOf('/') + 1) }));
  }
  return { test, keys, looseKeys: keys };
}

function fieldOf(field: Comparison['field'], s: Subject): string | undefined {
  if (s.kind !== 'command') return undefined;
  const program = (c: ResolvedCommand): string =>
    c.program?.startsWith('/') === true ? c.program : `/usr/bin/${c.name}`;
  switch (field) {
    case 'text':
      return s.command.text;
    case 'name':
      return s.command.name;
    case 'program':
      return s.command.argv.length === 0 ? undefined : program(s.command);
    case 'parentText':
      return s.parent?.text;
    case 'parentProgram':
      return s.parent === undefined ? undefined : program(s.parent);
    case 'directory':
      return s.command.directory;
    case 'user':
      return s.user;
  }
}
