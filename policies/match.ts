// A compiled policy: judges what an analysis found, or a file operation, or a forward, for one session's context. Pure:
// counters and the clock come in, a decision goes out. Rules are found by command word and by required texts, so cost
// hardly grows with their number.

import { createHash } from 'node:crypto';
import micromatch from 'micromatch';
import { absolutePath } from './analysis/paths.ts';
import type { Analysis, OpacityReason, ResolvedCommand } from './analysis/types.ts';
import {
  type Compiled,
  compileConditions,
  type Keys,
  type Operation,
  PatternError,
  type Subject,
} from './rules/compile.ts';
import type { ParsedRuleSet, PolicyProblem } from './rules/parse.ts';
import { type Action, actions, type RuleSetSource, type RuleSource, type Scope } from './rules/schema.ts';
import { type TimeWindow, timeWindow } from './rules/times.ts';

export type { Action, Operation };
export type Criticality = 'low' | 'medium' | 'high';

/** Whom and what a session is; decides which rules apply. */
export interface SessionContext {
  readonly user: string;
  readonly groups: readonly string[];
  readonly device: string;
  readonly tags: readonly string[];
  readonly credential: string;
  readonly channel: 'shell' | 'exec' | 'sftp' | 'scp' | 'forward' | 'agent' | 'x11';
  /** What reads the line, in the terminal's words: `shell`, `psql`, `python`, `editor`, …; free text. */
  readonly context?: string | undefined;
  readonly at: Date;
}

/** How often each rule has matched before, for `occurrences`; by rule id. Whose count it is, the caller decides. */
export interface Counters {
  occurrences(rule: string): number;
}

export interface RuleMatch {
  /** `rule set/rule`. */
  readonly rule: string;
  readonly description: string | undefined;
  readonly action: Action;
  readonly criticality: Criticality;
  readonly points: number;
  readonly shadow: boolean;
  /** False while shadowed, or while fewer than `occurrences` have been counted. */
  readonly effective: boolean;
  /** This one included. */
  readonly occurrence: number;
  readonly occurrences: number;
  readonly disableUser: boolean;
  /** Index in Analysis.commands; undefined: the line as a whole, or an operation. */
  readonly command: number | undefined;
  readonly why: string;
  readonly message: string | undefined;
  readonly contact: string | undefined;
  readonly author: string | undefined;
  readonly license: string | undefined;
  readonly references: readonly string[];
}

export interface Decision {
  readonly action: Action | 'none';
  /** Every rule that matched, the one that decided first. */
  readonly matches: readonly RuleMatch[];
  /** Points of the effective matches, each rule once. */
  readonly points: number;
  readonly disableUser: boolean;
  /** Content hash of the policy that decided. */
  readonly policyVersion: string;
  /** An allow-list applies and something of the line is not on it. */
  readonly allowlistMiss: boolean;
}

/** What people may know of a rule. */
export interface AboutRule {
  readonly message: string | undefined;
  readonly owner: string | undefined;
  /** Whom to ask. */
  readonly contact: string | undefined;
}

/** What could happen to this session under these rules; lets the gate skip holding where nothing can. */
export interface Applicability {
  readonly any: boolean;
  /** Some rule could keep a command from running, or make it wait. */
  readonly holding: boolean;
  readonly allowlist: boolean;
  /** Some rule says what opaque lines mean. */
  readonly opaque: boolean;
}

const severity: Readonly<Record<Action | 'none', number>> = Object.assign(
  { none: 0 },
  ...actions.map((a, i) => ({ [a]: i + 1 })),
);
const defaultPoints: Readonly<Record<Criticality, number>> = { low: 1, medium: 3, high: 5 };
/** What `opaque: ACTION` covers when no reasons are named: commands hidden, rather than programs whose inside is unseen. */
const hidingReasons: readonly OpacityReason[] = [
  'variable',
  'substitution',
  'eval',
  'glob',
  'stdin',
  'function',
  'grammar',
  'length',
  'depth',
];

interface CompiledRule {
  readonly id: string;
  readonly source: RuleSource;
  readonly compiled: Compiled;
  readonly action: Action;
  readonly criticality: Criticality;
  readonly points: number;
  readonly shadow: boolean;
  readonly occurrences: number;
  readonly disableUser: boolean;
  readonly opaque: { readonly action: Action; readonly reasons: readonly OpacityReason[] } | undefined;
  readonly scope: CompiledScope;
  readonly allow: boolean;
  readonly set: number;
  readonly conditions: boolean;
}

interface CompiledSet {
  readonly source: RuleSetSource;
  readonly scope: CompiledScope;
  readonly allowRules: readonly number[];
}

interface CompiledScope {
  applies(context: SessionContext, grammar: string | undefined, withTime: boolean): boolean;
}

// --- scope

function nameTest(
  patterns: readonly string[] | undefined,
): ((names: readonly string[]) => boolean) | undefined {
  if (patterns === undefined) return undefined;
  const tests = patterns.map((p) =>
    /[*?[\]{}()!]/.test(p)
      ? micromatch.matcher(p, { dot: true, nonegate: true, noextglob: true })
      : (name: string) => name === p,
  );
  return (names) => names.some((n) => tests.some((t) => t(n.slice(0, 256))));
}

function compileScope(scopes: readonly (Scope | undefined)[]): CompiledScope {
  const tests: ((context: SessionContext, grammar: string | undefined, withTime: boolean) => boolean)[] = [];
  for (const scope of scopes) {
    if (scope === undefined) continue;
    const users = nameTest(scope.users);
    const groups = nameTest(scope.groups);
    const devices = nameTest(scope.devices);
    const tags = nameTest(scope.tags);
    const credentials = nameTest(scope.credentials);
    const contexts = nameTest(scope.contexts);
    const windows: readonly TimeWindow[] | undefined = scope.times?.map(timeWindow);
    // People are named by user or by group, machines by name or by tag: either will do.
    if (users !== undefined || groups !== undefined)
      tests.push((c) => users?.([c.user]) === true || groups?.(c.groups) === true);
    if (devices !== undefined || tags !== undefined)
      tests.push((c) => devices?.([c.device]) === true || tags?.(c.tags) === true);
    if (credentials !== undefined) tests.push((c) => credentials([c.credential]));
    if (scope.channels !== undefined) {
      const channels: readonly string[] = scope.channels;
      tests.push((c) => channels.includes(c.channel));
    }
    if (contexts !== undefined)
      tests.push((c, g) => contexts([c.context ?? 'shell', ...(g === undefined ? [] : [g])]));
    if (windows !== undefined)
      tests.push((c, _, withTime) => !withTime || windows.some((w) => w.contains(c.at)));
    if (scope.except !== undefined) {
      const except = scope.except;
      const not = [
        nameTest(except.users),
        nameTest(except.groups),
        nameTest(except.devices),
        nameTest(except.tags),
        nameTest(except.credentials),
      ];
      tests.push(
        (c) =>
          !(
            not[0]?.([c.user]) ||
            not[1]?.(c.groups) ||
            not[2]?.([c.device]) ||
            not[3]?.(c.tags) ||
            not[4]?.([c.credential])
          ),
      );
    }
  }
  return { applies: (c, g, t) => tests.every((test) => test(c, g, t)) };
}

// --- index

/** Texts in lower case → rules, by one run of `width` characters of each text. */
class TextIndex {
  private readonly byGram = new Map<number, { readonly text: string; readonly rule: number }[]>();
  private readonly present = new Uint8Array(1 << 16);
  private readonly width: 2 | 3;

  constructor(width: 2 | 3) {
    this.width = width;
  }

  private gram(text: string, at: number): number {
    const two = text.charCodeAt(at) * 31 + text.charCodeAt(at + 1);
    return (this.width === 2 ? two : two * 31 + text.charCodeAt(at + 2)) & 0xffff;
  }

  add(text: string, rule: number): void {
    let best = this.gram(text, 0);
    let fewest = Number.POSITIVE_INFINITY;
    for (let i = 0; i + this.width <= text.length; i++) {
      const gram = this.gram(text, i);
      const count = this.byGram.get(gram)?.length ?? 0;
      if (count < fewest) {
        fewest = count;
        best = gram;
      }
    }
    const list = this.byGram.get(best) ?? [];
    list.push({ text, rule });
    this.byGram.set(best, list);
    this.present[best] = 1;
  }

  find(haystack: string, found: (rule: number) => void): void {
    if (this.byGram.size === 0) return;
    const { present, width } = this;
    const seen = new Set<number>();
    const last = haystack.length - width;
    for (let i = 0; i <= last; i++) {
      const two = haystack.charCodeAt(i) * 31 + haystack.charCodeAt(i + 1);
      const gram = (width === 2 ? two : two * 31 + haystack.charCodeAt(i + 2)) & 0xffff;
      if (present[gram] === 0 || seen.has(gram)) continue;
      seen.add(gram);
      for (const entry of this.byGram.get(gram) ?? []) if (haystack.includes(entry.text)) found(entry.rule);
    }
  }
}

/** Which rules a line could meet, by command words and by texts. */
class RuleIndex {
  private readonly byName = new Map<string, number[]>();
  private readonly byText = new TextIndex(3);
  private readonly byShortText = new TextIndex(2);
  private readonly always: number[] = [];
  private sorted: readonly string[] | undefined;

  add(keys: Keys, rule: number): void {
    if (keys === undefined) {
      this.always.push(rule);
      return;
    }
    for (const key of keys) {
      if ('name' in key) {
        const name = key.name.toLowerCase();
        const list = this.byName.get(name);
        if (list === undefined) this.byName.set(name, [rule]);
        else list.push(rule);
      } else if (key.text.length >= 3) this.byText.add(key.text, rule);
      else this.byShortText.add(key.text, rule);
    }
  }

  /** `shortened`: a name stands for every name it begins. */
  find(names: readonly string[], shortened: boolean, haystack: string, found: (rule: number) => void): void {
    for (const rule of this.always) found(rule);
    for (const name of names) {
      for (const rule of this.byName.get(name) ?? []) found(rule);
      if (shortened && name !== '')
        for (const full of this.namesFrom(name)) for (const rule of this.byName.get(full) ?? []) found(rule);
    }
    this.byText.find(haystack, found);
    this.byShortText.find(haystack, found);
  }

  /** Some rule asks for a command of this name. */
  names(name: string): boolean {
    return this.byName.has(name.toLowerCase());
  }

  private namesFrom(prefix: string): readonly string[] {
    this.sorted ??= [...this.byName.keys()].sort();
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sorted[middle] ?? '') < prefix) low = middle + 1;
      else high = middle;
    }
    const out: string[] = [];
    for (let i = low; i < this.sorted.length && this.sorted[i]?.startsWith(prefix) === true; i++)
      out.push(this.sorted[i] ?? '');
    return out;
  }
}

/** Rules ready to judge. Immutable; make a new one to change it. */
export class PolicySet {
  /** First 16 hexadecimal digits of the SHA-256 of the rule files' contents. */
  readonly version: string;
  private readonly rules: readonly CompiledRule[];
  private readonly sets: readonly CompiledSet[];
  private readonly index = new RuleIndex();
  /** For grammars with shortened words. */
  private readonly looseIndex = new RuleIndex();
  private readonly opaqueRules: readonly number[];
  private readonly stamps: Int32Array;
  private stamp = 0;

  private constructor(rules: readonly CompiledRule[], sets: readonly CompiledSet[], version: string) {
    this.rules = rules;
    this.sets = sets;
    this.version = version;
    this.stamps = new Int32Array(rules.length);
    rules.forEach((rule, i) => {
      if (!rule.conditions) return;
      this.index.add(rule.compiled.keys, i);
      this.looseIndex.add(rule.compiled.looseKeys, i);
    });
    this.opaqueRules = rules.flatMap((r, i) => (r.opaque === undefined ? [] : [i]));
  }

  /** A policy without rules: everything runs. */
  static empty(): PolicySet {
    return new PolicySet([], [], versionOf([]));
  }

  /** Compiles parsed rule sets. Problems of patterns are placed; the set holds whatever compiled. */
  static compile(
    parsed: readonly ParsedRuleSet[],
    texts: readonly { readonly file: string; readonly text: string }[],
  ): { readonly set: PolicySet; readonly problems: readonly PolicyProblem[] } {
    const problems: PolicyProblem[] = [];
    const rules: CompiledRule[] = [];
    const sets: CompiledSet[] = [];
    for (const one of parsed) {
      const source = one.source;
      if (source === undefined) continue;
      const setIndex = sets.length;
      const allow = source.mode === 'allowlist';
      const allowRules: number[] = [];
      const fault = (path: readonly (string | number)[], error: unknown): void => {
        problems.push({
          code: 'SP_POLICY_PATTERN',
          file: one.file,
          ...one.locate(path),
          message: error instanceof Error ? error.message : String(error),
        });
      };
      const scopeOf = (
        scopes: readonly (Scope | undefined)[],
        path: readonly (string | number)[],
      ): CompiledScope => {
        try {
          return compileScope(scopes);
        } catch (error) {
          fault(path, error);
          return { applies: () => true };
        }
      };
      source.rules.forEach((rule, i) => {
        const d = source.defaults;
        if ((rule.enabled ?? d?.enabled) === false) return;
        let compiled: Compiled;
        try {
          compiled = compileConditions(rule);
        } catch (error) {
          fault(['rules', i, ...(error instanceof PatternError ? error.path : [])], error);
          return;
        }
        const opaque = rule.opaque ?? d?.opaque;
        const criticality = rule.criticality ?? d?.criticality ?? 'medium';
        const conditions = compiled.keys === undefined || compiled.keys.length > 0;
        if (allow) allowRules.push(rules.length);
        rules.push({
          id: `${source.name}/${rule.name}`,
          source: rule,
          compiled,
          action: rule.action ?? d?.action ?? 'log',
          criticality,
          points: rule.points ?? d?.points ?? (allow ? 0 : defaultPoints[criticality]),
          shadow: rule.shadow ?? d?.shadow ?? false,
          occurrences: rule.occurrences ?? d?.occurrences ?? 1,
          disableUser: rule.disableUser ?? d?.disableUser ?? false,
          opaque:
            opaque === undefined
              ? undefined
              : { action: opaque.action, reasons: opaque.reasons ?? hidingReasons },
          scope: scopeOf([source.scope, d?.scope, rule.scope], ['rules', i, 'scope']),
          allow,
          set: setIndex,
          conditions,
        });
      });
      sets.push({ source, scope: scopeOf([source.scope], ['scope']), allowRules });
    }
    return { set: new PolicySet(rules, sets, versionOf(texts)), problems };
  }

  /** How many rules are active. */
  get size(): number {
    return this.rules.length;
  }

  /** Some rule speaks of a command by this name, whomever the rule is for. */
  speaksOf(name: string): boolean {
    return this.index.names(name);
  }

  /** What a rule says to whom it stops, and whose it is; undefined: there is no such rule. */
  about(rule: string): AboutRule | undefined {
    const found = this.rules.find(({ id }) => id === rule);
    if (found !== undefined) {
      const r = found.source;
      const d = this.sets[found.set]?.source.defaults;
      return {
        message: r.message ?? d?.message,
        owner: r.owner ?? d?.owner,
        contact: r.contact ?? d?.contact ?? r.owner ?? d?.owner,
      };
    }
    const set = this.sets.find(
      ({ source }) => source.mode === 'allowlist' && `${source.name}/others` === rule,
    );
    if (set === undefined) return undefined;
    const { others, defaults: d } = set.source;
    return { message: others?.message, owner: d?.owner, contact: others?.contact ?? d?.contact ?? d?.owner };
  }

  /** Judges a line, as analysed. */
  decide(analysis: Analysis, context: SessionContext, counters: Counters): Decision {
    const subjects = this.subjectsOf(analysis, context);
    const matches = this.matchesOf(subjects, analysis, context, counters);
    const miss = this.allowlistMatches(subjects, analysis, context, matches);
    return this.conclude([...matches, ...miss], miss.length > 0);
  }

  /** Judges a file operation or a forward. */
  decideOperation(operation: Operation, context: SessionContext, counters: Counters): Decision {
    const subject: Subject = { kind: 'operation', operation };
    const found: RuleMatch[] = [];
    this.stamp++;
    const tryRule = (i: number): void => {
      const rule = this.rules[i];
      if (rule === undefined || this.stamps[i] === this.stamp) return;
      this.stamps[i] = this.stamp;
      if (rule.compiled.test(subject) !== 'yes' || !rule.scope.applies(context, undefined, true)) return;
      if (rule.allow && rule.action === 'log') found.push(allowMatch(rule));
      else found.push(this.matchOf(rule, undefined, describeOperation(operation), rule.action, counters));
    };
    const text =
      operation.channel === 'forward' ? '' : `${operation.path}\n${operation.target ?? ''}`.toLowerCase();
    this.index.find([], false, text, tryRule);
    const miss: RuleMatch[] = [];
    this.sets.forEach((set, s) => {
      if (set.source.mode !== 'allowlist' || !set.scope.applies(context, undefined, true)) return;
      if (
        set.allowRules.some(
          (i) => this.rules[i] !== undefined && found.some((m) => m.rule === this.rules[i]?.id),
        )
      )
        return;
      miss.push(this.missMatch(s, undefined, describeOperation(operation)));
    });
    return this.conclude([...found, ...miss], miss.length > 0);
  }

  /** Judges several readings of one line, of which any may be what runs: the most severe decision, all matches. */
  decideCandidates(candidates: readonly Analysis[], context: SessionContext, counters: Counters): Decision {
    const decisions = candidates.map((c) => this.decide(c, context, counters));
    const seen = new Set<string>();
    const matches: RuleMatch[] = [];
    for (const decision of decisions) {
      for (const match of decision.matches) {
        if (seen.has(match.rule)) continue;
        seen.add(match.rule);
        matches.push(match);
      }
    }
    return this.conclude(
      matches,
      decisions.some((d) => d.allowlistMiss),
    );
  }

  /** What rules could do in such a session, whatever is typed and whenever. */
  appliesTo(context: SessionContext): Applicability {
    let any = false;
    let holding = false;
    let opaque = false;
    let allowlist = false;
    for (const set of this.sets) {
      if (set.source.mode !== 'allowlist' || !set.scope.applies(context, undefined, false)) continue;
      allowlist = true;
      any = true;
      if ((set.source.others?.action ?? 'block') !== 'log') holding = true;
    }
    for (const rule of this.rules) {
      if (rule.allow || (holding && opaque && any)) continue;
      // Contexts and grammars come and go within a session: a rule for one of them may apply at any time.
      if (
        !rule.scope.applies(context, undefined, false) &&
        rule.source.scope?.contexts === undefined &&
        this.sets[rule.set]?.source.scope?.contexts === undefined
      )
        continue;
      any = true;
      const severe = Math.max(
        severity[rule.action],
        rule.opaque === undefined ? 0 : severity[rule.opaque.action],
      );
      if (!rule.shadow && severe > severity.log) holding = true;
      if (rule.opaque !== undefined) opaque = true;
    }
    return { any, holding, allowlist, opaque };
  }

  /** Whether one rule, alone and without scope, matches; for embedded tests. */
  ruleMatches(id: string, subject: Analysis | Operation): boolean {
    const rule = this.rules.find((r) => r.id === id);
    if (rule === undefined) return false;
    if ('channel' in subject) return rule.compiled.test({ kind: 'operation', operation: subject }) === 'yes';
    return (
      this.subjectsOf(subject, undefined).some((s) => rule.conditions && rule.compiled.test(s) === 'yes') ||
      opacityVerdict(rule, subject, this.subjectsOf(subject, undefined)) !== undefined
    );
  }

  // --- matching

  private subjectsOf(analysis: Analysis, context: SessionContext | undefined): readonly Subject[] {
    // A line that is one plain command need not be read twice.
    const first = analysis.commands[0];
    const same = analysis.commands.length === 1 && first?.text === analysis.typed;
    const out: Subject[] = [{ kind: 'typed', text: same ? '' : analysis.typed }];
    for (const command of analysis.commands) {
      out.push({
        kind: 'command',
        command,
        parent: analysis.commands[command.parent],
        user: context?.user ?? '',
        files: undefined,
      });
    }
    return out;
  }

  private matchesOf(
    subjects: readonly Subject[],
    analysis: Analysis,
    context: SessionContext,
    counters: Counters,
  ): RuleMatch[] {
    const out: RuleMatch[] = [];
    if (this.rules.length === 0) return out;
    this.stamp++;
    const tryRule = (i: number): void => {
      const rule = this.rules[i];
      if (rule === undefined || this.stamps[i] === this.stamp) return;
      this.stamps[i] = this.stamp;
      if (!rule.scope.applies(context, analysis.grammar, true)) return;
      for (let s = 0; s < subjects.length; s++) {
        const subject = subjects[s];
        if (subject === undefined || rule.compiled.test(subject) !== 'yes') continue;
        const command = subject.kind === 'command' ? subject.command : undefined;
        out.push(
          rule.allow && rule.action === 'log'
            ? allowMatch(rule, s - 1)
            : this.matchOf(
                rule,
                command === undefined ? undefined : s - 1,
                describeCommand(command, analysis),
                rule.action,
                counters,
              ),
        );
        // An allow-list needs every command that its rules cover; others need one reason.
        if (!rule.allow) return;
      }
    };
    const names = new Set<string>();
    for (const command of analysis.commands) {
      names.add(command.name.toLowerCase());
      for (const fed of command.fedBy) names.add(fed.toLowerCase());
    }
    const loose = analysis.grammar === 'network-cli';
    (loose ? this.looseIndex : this.index).find([...names], loose, haystackOf(analysis), tryRule);
    if (analysis.opaque.length > 0 || analysis.truncated) {
      const matched = new Set(out.map((m) => m.rule));
      for (const i of this.opaqueRules) {
        const rule = this.rules[i];
        if (
          rule?.opaque === undefined ||
          matched.has(rule.id) ||
          !rule.scope.applies(context, analysis.grammar, true)
        )
          continue;
        const why = opacityVerdict(rule, analysis, subjects);
        if (why !== undefined) out.push(this.matchOf(rule, undefined, why, rule.opaque.action, counters));
      }
    }
    return out;
  }

  private allowlistMatches(
    subjects: readonly Subject[],
    analysis: Analysis,
    context: SessionContext,
    matches: readonly RuleMatch[],
  ): RuleMatch[] {
    const out: RuleMatch[] = [];
    this.sets.forEach((set, s) => {
      if (set.source.mode !== 'allowlist' || !set.scope.applies(context, analysis.grammar, true)) return;
      const hidden = analysis.opaque.find((o) => o.where !== 'argument');
      if (hidden !== undefined || analysis.truncated) {
        out.push(
          this.missMatch(
            s,
            undefined,
            `"${(hidden?.text ?? analysis.typed).slice(0, 80)}" can't be known in advance (${hidden?.why ?? 'length'})`,
          ),
        );
        return;
      }
      const covered = new Set<number>();
      for (const i of set.allowRules) {
        const rule = this.rules[i];
        if (rule === undefined || !matches.some((m) => m.rule === rule.id)) continue;
        subjects.forEach((subject, k) => {
          if (subject.kind !== 'command' || rule.compiled.test(subject) !== 'yes') return;
          if (!sideEffectsAllowed(rule, subject.command)) return;
          covered.add(k - 1);
          this.coverInner(rule, k - 1, analysis, covered);
        });
      }
      analysis.commands.forEach((command, k) => {
        if (covered.has(k) || out.length > 0) return;
        out.push(
          this.missMatch(
            s,
            k,
            `"${(command.text === '' ? analysis.typed : command.text).slice(0, 80)}" is not on the list`,
          ),
        );
      });
    });
    return out;
  }

  /** `sudo systemctl restart *` lists the inner systemctl too, because its pattern spells that word out. */
  private coverInner(rule: CompiledRule, at: number, analysis: Analysis, covered: Set<number>): void {
    const words = new Set((rule.source.match ?? []).flatMap((m) => m.split(/\s+/).slice(1)));
    analysis.commands.forEach((command, k) => {
      if (command.parent === at && words.has(command.name) && sideEffectsAllowed(rule, command)) {
        covered.add(k);
        this.coverInner(rule, k, analysis, covered);
      }
    });
  }

  private missMatch(set: number, command: number | undefined, why: string): RuleMatch {
    const source = this.sets[set]?.source;
    const criticality = source?.others?.criticality ?? 'medium';
    return {
      rule: `${source?.name ?? ''}/others`,
      description: 'not on the allow-list',
      action: source?.others?.action ?? 'block',
      criticality,
      points: source?.others?.points ?? defaultPoints[criticality],
      shadow: source?.defaults?.shadow ?? false,
      effective: source?.defaults?.shadow !== true,
      occurrence: 1,
      occurrences: 1,
      disableUser: false,
      command,
      why,
      message: source?.others?.message,
      contact: source?.others?.contact ?? source?.defaults?.contact ?? source?.defaults?.owner,
      author: undefined,
      license: undefined,
      references: [],
    };
  }

  private matchOf(
    rule: CompiledRule,
    command: number | undefined,
    why: string,
    action: Action,
    counters: Counters,
  ): RuleMatch {
    const occurrence = counters.occurrences(rule.id) + 1;
    const d = this.sets[rule.set]?.source.defaults;
    const r = rule.source;
    return {
      rule: rule.id,
      description: r.description ?? d?.description,
      action,
      criticality: rule.criticality,
      points: rule.points,
      shadow: rule.shadow,
      effective: !rule.shadow && occurrence >= rule.occurrences,
      occurrence,
      occurrences: rule.occurrences,
      disableUser: rule.disableUser,
      command,
      why,
      message: r.message ?? d?.message,
      contact: r.contact ?? d?.contact ?? r.owner ?? d?.owner,
      author: r.author ?? d?.author,
      license: r.license ?? d?.license,
      references: r.references ?? d?.references ?? [],
    };
  }

  private conclude(all: readonly RuleMatch[], allowlistMiss: boolean): Decision {
    const matches = all.filter((m) => m.why !== '');
    // Before its occurrences are reached, and in shadow, a rule is only noted.
    const weight = (m: RuleMatch): number => (m.effective ? severity[m.action] : m.shadow ? 0 : severity.log);
    const sorted = [...matches].sort(
      (a, b) => weight(b) - weight(a) || severity[b.action] - severity[a.action],
    );
    const top = sorted[0];
    const action = top === undefined || weight(top) === 0 ? 'none' : top.effective ? top.action : 'log';
    let points = 0;
    for (const m of sorted) if (!m.shadow) points += m.points;
    const stopped = action === 'block' || action === 'interrupt';
    return {
      action,
      matches: sorted,
      points,
      disableUser:
        stopped &&
        sorted.some(
          (m) => m.effective && m.disableUser && (m.action === 'block' || m.action === 'interrupt'),
        ),
      policyVersion: this.version,
      allowlistMiss,
    };
  }
}

/** A listed command: it counts as covered, and is no finding of its own. */
function allowMatch(rule: CompiledRule, command?: number): RuleMatch {
  return {
    rule: rule.id,
    description: undefined,
    action: 'log',
    criticality: 'low',
    points: 0,
    shadow: false,
    effective: true,
    occurrence: 0,
    occurrences: 1,
    disableUser: false,
    command,
    why: '',
    message: undefined,
    contact: undefined,
    author: undefined,
    license: undefined,
    references: [],
  };
}

/** Writing to files and setting variables is more than running a listed command. */
function sideEffectsAllowed(rule: CompiledRule, command: ResolvedCommand): boolean {
  if (command.assignments.length > 0 && rule.source.assigns === undefined) return false;
  if (rule.source.redirections === true) return true;
  return command.redirections.every(
    (r) =>
      r.operator === '<' ||
      r.operator.startsWith('<<') ||
      (r.operator.endsWith('&') && /^[0-9-]+$/.test(r.target)) ||
      /^\/dev\/(null|stdout|stderr|tty)$/.test(r.target),
  );
}

function opacityVerdict(
  rule: CompiledRule,
  analysis: Analysis,
  subjects: readonly Subject[],
): string | undefined {
  const opaque = rule.opaque;
  if (opaque === undefined) return undefined;
  const hidden = analysis.opaque.find((o) => o.where !== 'argument' && opaque.reasons.includes(o.why));
  if (hidden !== undefined)
    return `"${hidden.text.slice(0, 80)}" can't be known in advance (${hidden.why}${hidden.hint === undefined ? '' : `: ${hidden.hint.slice(0, 80)}`})`;
  if (rule.source.match === undefined && rule.source.operand === undefined) return undefined;
  if (!opaque.reasons.some((r) => r === 'variable' || r === 'substitution')) return undefined;
  for (const subject of subjects) {
    if (
      subject.kind === 'command' &&
      subject.command.unknown.length > 0 &&
      rule.compiled.test(subject) === 'maybe'
    ) {
      return `"${subject.command.text.slice(0, 80)}" holds words that can't be known in advance`;
    }
  }
  return undefined;
}

function describeCommand(command: ResolvedCommand | undefined, analysis: Analysis): string {
  if (command === undefined) return `the line "${analysis.typed.slice(0, 120)}"`;
  const via = command.via.length === 0 ? '' : ` (through ${command.via.join(', ').slice(0, 80)})`;
  const deferred = command.deferred ? ', defined for later' : '';
  const text =
    command.text === ''
      ? command.redirections.map((r) => `${r.operator} ${r.target.slice(0, 80)}`).join(' ') ||
        command.assignments.map((a) => `${a.name}=${a.value ?? '…'}`).join(' ')
      : command.text;
  return `"${text.slice(0, 120)}"${via}${deferred}`;
}

function describeOperation(operation: Operation): string {
  return operation.channel === 'forward'
    ? `forward to ${operation.address}:${operation.port}`
    : `${operation.channel} ${operation.operation} of "${operation.path.slice(0, 120)}"`;
}

/** Everything a required text may stand in, in lower case. */
function haystackOf(analysis: Analysis): string {
  let out = analysis.typed;
  // Doubled slashes and dots are resolved before paths are compared.
  if (/\/[/.]/.test(out)) out += `\n${out.replace(/\/(?:\.?\/)+/g, '/')}`;
  const add = (text: string | undefined): void => {
    if (text !== undefined && text !== '' && !analysis.typed.includes(text)) out += `\n${text}`;
  };
  for (const c of analysis.commands) {
    add(c.text);
    add(c.program);
    for (const path of c.absolute) add(path);
    for (const r of c.redirections) {
      add(r.target);
      add(absolutePath(r.target, c.directory));
    }
    for (const a of c.assignments) add(a.name);
    add(c.code);
  }
  return out.toLowerCase();
}

function versionOf(texts: readonly { readonly file: string; readonly text: string }[]): string {
  const hash = createHash('sha256');
  for (const t of [...texts].sort((a, b) => (a.file < b.file ? -1 : 1))) {
    // Lengths in between keep two files from posing as one.
    hash.update(`${t.text.length}:`);
    hash.update(t.text);
  }
  return hash.digest('hex').slice(0, 16);
}
