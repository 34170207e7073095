// What the command line does with policies, without its printing and file reading: check, test a line, back-test over
// recorded commands. Pure.

import { analyse } from './analysis/analyse.ts';
import type { Analysis, Grammar } from './analysis/types.ts';
import { type Counters, type Decision, type Operation, PolicySet, type SessionContext } from './match.ts';
import { type ParsedRuleSet, type PolicyProblem, parseRuleSet } from './rules/parse.ts';
import { actions, type Example } from './rules/schema.ts';

export interface CompiledPolicy {
  /** Holds what compiled; only to be used when `problems` is empty. */
  readonly set: PolicySet;
  readonly problems: readonly PolicyProblem[];
  readonly rules: number;
  /** Embedded tests that ran. */
  readonly tests: number;
}

/** Compiles rule files' texts and runs their embedded tests. */
export function compilePolicy(
  texts: readonly { readonly file: string; readonly text: string }[],
): CompiledPolicy {
  const parsed = texts.map((t) => parseRuleSet(t.file, t.text));
  const problems = parsed.flatMap((p) => p.problems);
  const names = new Map<string, string>();
  for (const p of parsed) {
    if (p.source === undefined) continue;
    const other = names.get(p.source.name);
    if (other !== undefined)
      problems.push({
        code: 'SP_POLICY_SCHEMA',
        file: p.file,
        ...p.locate(['name']),
        message: `the rule set "${p.source.name}" is also in ${other}`,
      });
    names.set(p.source.name, p.file);
  }
  const compiled = PolicySet.compile(parsed, texts);
  problems.push(...compiled.problems);
  const failed = parsed.map((p) => runTests(p, compiled.set));
  problems.push(...failed.flatMap((f) => f.problems));
  return {
    set: compiled.set,
    problems,
    rules: compiled.set.size,
    tests: failed.reduce((n, f) => n + f.count, 0),
  };
}

function runTests(
  parsed: ParsedRuleSet,
  set: PolicySet,
): { readonly problems: readonly PolicyProblem[]; readonly count: number } {
  const problems: PolicyProblem[] = [];
  let count = 0;
  const source = parsed.source;
  source?.rules.forEach((rule, i) => {
    if ((rule.enabled ?? source.defaults?.enabled) === false) return;
    const id = `${source.name}/${rule.name}`;
    for (const kind of ['match', 'nomatch'] as const) {
      rule.test?.[kind]?.forEach((example, k) => {
        count++;
        if (set.ruleMatches(id, subjectOf(example)) === (kind === 'match')) return;
        const shown = typeof example === 'string' ? example : JSON.stringify(example);
        problems.push({
          code: 'SP_POLICY_TEST',
          file: parsed.file,
          ...parsed.locate(['rules', i, 'test', kind, k]),
          message: `rule "${rule.name}" ${kind === 'match' ? 'does not match' : 'matches'} ${shown.slice(0, 200)}`,
        });
      });
    }
  });
  return { problems, count };
}

function subjectOf(example: Example): Analysis | Operation {
  if (typeof example === 'string') return analyse(example);
  if ('line' in example) return analyse(example.line, { grammar: example.grammar });
  return example;
}

export interface LineReport {
  readonly analysis: Analysis;
  readonly decision: Decision;
  /** For people: what the line comes to, and what follows. */
  readonly text: string;
}

const noCounters: Counters = { occurrences: () => 0 };

/** Judges one line and explains it. */
export function testLine(
  set: PolicySet,
  line: string,
  context: SessionContext,
  grammar: Grammar = 'posix-shell',
): LineReport {
  const analysis = analyse(line, { grammar });
  const decision = set.decide(analysis, context, noCounters);
  return { analysis, decision, text: explain(analysis, decision) };
}

/** An analysis and a decision as lines of text. Control characters are made visible. */
export function explain(analysis: Analysis, decision: Decision): string {
  const out: string[] = [`line      ${visible(analysis.typed)}`];
  if (analysis.incomplete !== 'none')
    out.push(`          not complete: the shell waits for more (${analysis.incomplete})`);
  for (const c of analysis.commands) {
    const via = c.via.length === 0 ? '' : `   ← ${c.via.join(' ← ')}`;
    const text = c.text === '' ? c.assignments.map((a) => `${a.name}=${a.value ?? '?'}`).join(' ') : c.text;
    const redirections = c.redirections
      .map((r) => ` ${r.operator} ${r.operator.startsWith('<<') ? '…' : r.target}`)
      .join('');
    out.push(`runs      ${visible(text + redirections)}${visible(via)}${c.deferred ? '   (later)' : ''}`);
  }
  for (const o of analysis.opaque)
    out.push(
      `unknown   ${visible(o.text.slice(0, 100))} (${o.why}, ${o.where}${o.hint === undefined ? '' : `: ${visible(o.hint)}`})`,
    );
  for (const m of decision.matches) {
    const state = m.shadow ? ' (shadow)' : m.effective ? '' : ` (${m.occurrence} of ${m.occurrences})`;
    out.push(
      `rule      ${m.rule}: ${m.action}${state}, ${m.criticality}, ${m.points} points: ${visible(m.why)}`,
    );
    if (m.author !== undefined)
      out.push(
        `          by ${visible(m.author)}${m.license === undefined ? '' : `, ${visible(m.license)}`}`,
      );
  }
  out.push(
    `decision  ${decision.action}${decision.allowlistMiss ? ' (not on the allow-list)' : ''}, policy ${decision.policyVersion}`,
  );
  return out.join('\n');
}

function visible(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0);
    return code === 10 ? '⏎' : code === 9 ? ' ' : `\\u{${code.toString(16)}}`;
  });
}

/** A command from the audit log. */
export interface RecordedCommand {
  readonly line: string;
  readonly grammar?: Grammar | undefined;
  readonly context: SessionContext;
  /** What was done, where it is no command: files and forwards. */
  readonly operations?: readonly Operation[] | undefined;
  /** Whatever identifies it to the reader: a session, a moment. */
  readonly session?: string | undefined;
}

export interface BacktestHit {
  readonly session: string | undefined;
  readonly user: string;
  readonly device: string;
  readonly at: Date;
  readonly line: string;
  readonly rule: string;
  readonly action: string;
}

/** Which recorded commands are tried; what is left out is no condition. */
export interface BacktestFilter {
  /** Milliseconds since the epoch, the first inclusive. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly users?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly devices?: readonly string[] | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** By what hits are counted beside the rules. */
export const backtestKeys = ['user', 'group', 'device', 'tag', 'day'] as const;
export type BacktestKey = (typeof backtestKeys)[number];

export interface BacktestResult {
  readonly commands: number;
  readonly hits: number;
  /** By action, each command counted once by its most severe. */
  readonly byAction: ReadonlyMap<string, number>;
  readonly byRule: ReadonlyMap<string, { readonly hits: number; readonly users: ReadonlySet<string> }>;
  /** Of each user, group, device, tag or day: commands, and those that met a rule. A user may be in several groups. */
  readonly by: Readonly<
    Record<BacktestKey, ReadonlyMap<string, { readonly commands: number; readonly hits: number }>>
  >;
}

const among = (wanted: readonly string[] | undefined, found: readonly string[]): boolean =>
  wanted === undefined || wanted.some((name) => found.includes(name));

const fits = ({ context }: RecordedCommand, filter: BacktestFilter): boolean =>
  context.at.getTime() >= (filter.since ?? Number.NEGATIVE_INFINITY) &&
  context.at.getTime() < (filter.until ?? Number.POSITIVE_INFINITY) &&
  among(filter.users, [context.user]) &&
  among(filter.groups, context.groups) &&
  among(filter.devices, [context.device]) &&
  among(filter.tags, context.tags);

const keysOf = ({
  user,
  groups,
  device,
  tags,
  at,
}: SessionContext): Readonly<Record<BacktestKey, readonly string[]>> => ({
  user: [user],
  group: groups,
  device: [device],
  tag: tags,
  day: [Number.isNaN(at.getTime()) ? '' : at.toISOString().slice(0, 10)],
});

/** All matches of all that was done, and the most severe action. */
const decideRecorded = (
  set: PolicySet,
  recorded: RecordedCommand,
  counters: Counters,
): Pick<Decision, 'action' | 'matches'> => {
  const { operations, context, line, grammar } = recorded;
  if (operations === undefined) return set.decide(analyse(line, { grammar }), context, counters);
  const decisions = operations.map((operation) => set.decideOperation(operation, context, counters));
  const severity = ({ action }: Decision): number => (action === 'none' ? -1 : actions.indexOf(action));
  const [worst] = [...decisions].sort((a, b) => severity(b) - severity(a));
  const matches = new Map(
    decisions.flatMap((decision) => decision.matches.map((match) => [match.rule, match])),
  );
  return { action: worst?.action ?? 'none', matches: [...matches.values()] };
};

/** Runs a policy over recorded commands: whom it would have met. Counts occurrences as a live session would, per user. */
export async function backtest(
  set: PolicySet,
  commands: AsyncIterable<RecordedCommand> | Iterable<RecordedCommand>,
  onHit: (hit: BacktestHit) => void = () => {},
  filter: BacktestFilter = {},
): Promise<BacktestResult> {
  let total = 0;
  let hits = 0;
  const byAction = new Map<string, number>();
  const byRule = new Map<string, { hits: number; users: Set<string> }>();
  const counted = new Map<string, number>();
  const by: Record<BacktestKey, Map<string, { commands: number; hits: number }>> = {
    user: new Map(),
    group: new Map(),
    device: new Map(),
    tag: new Map(),
    day: new Map(),
  };
  const count = (context: SessionContext, hit: boolean): void => {
    const found = keysOf(context);
    for (const key of backtestKeys) {
      for (const value of found[key]) {
        const entry = by[key].get(value) ?? { commands: 0, hits: 0 };
        entry.commands++;
        if (hit) entry.hits++;
        by[key].set(value, entry);
      }
    }
  };
  for await (const c of commands) {
    if (!fits(c, filter)) continue;
    total++;
    const decision = decideRecorded(set, c, {
      occurrences: (rule) => counted.get(`${c.context.user}\n${rule}`) ?? 0,
    });
    count(c.context, decision.matches.length > 0);
    if (decision.matches.length === 0) continue;
    hits++;
    byAction.set(decision.action, (byAction.get(decision.action) ?? 0) + 1);
    for (const m of decision.matches) {
      const key = `${c.context.user}\n${m.rule}`;
      counted.set(key, (counted.get(key) ?? 0) + 1);
      const entry = byRule.get(m.rule) ?? { hits: 0, users: new Set<string>() };
      entry.hits++;
      entry.users.add(c.context.user);
      byRule.set(m.rule, entry);
      onHit({
        session: c.session,
        user: c.context.user,
        device: c.context.device,
        at: c.context.at,
        line: c.line,
        rule: m.rule,
        action: m.action,
      });
    }
  }
  return { commands: total, hits, byAction, byRule, by };
}
