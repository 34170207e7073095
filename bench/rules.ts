// Judges files of commands with the packs that ship: how many entries meet a rule, how many would be stopped, and what a
// line costs. `npm run -s bench:rules -- FILE… [--json] [--missed] [--hits] [--by-rule] [--rules N] [--repeat N]`.
// FILE: .jsonl (strings, or objects with `code`) or .txt, plain or .xz (needs the xz program). An entry of several lines
// is a script and is judged as the shell reads it. `--rules N` fills the policy up to N rules with others that never match.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { scriptReader } from '../policies/analysis/script.ts';
import type { Analysis } from '../policies/analysis/types.ts';
import { compilePolicy } from '../policies/check.ts';
import { loadPolicies, packsDirectory } from '../policies/load.ts';
import type { PolicySet, SessionContext } from '../policies/match.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    missed: { type: 'boolean', default: false },
    hits: { type: 'boolean', default: false },
    'by-rule': { type: 'boolean', default: false },
    rules: { type: 'string' },
    repeat: { type: 'string', default: '10' },
    policies: { type: 'string' },
  },
});

function textOf(file: string): string {
  if (!file.endsWith('.xz')) return readFileSync(file, 'utf8');
  return execFileSync('xz', ['-dc', '--', file], { encoding: 'utf8', maxBuffer: 1 << 30 });
}

function entriesOf(file: string): readonly string[] {
  const lines = textOf(file)
    .split('\n')
    .filter((l) => l.trim() !== '');
  if (!/\.jsonl(\.xz)?$/.test(file)) return lines;
  return lines.map((line) => {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'string') return value;
    if (typeof value === 'object' && value !== null) {
      for (const key of ['code', 'command', 'cmd', 'line'] as const) {
        const found: unknown = key in value ? Reflect.get(value, key) : undefined;
        if (typeof found === 'string') return found;
      }
    }
    throw new Error(`${file}: an entry without code`);
  });
}

/** Rules of every kind that no command here meets, to fill a policy up. */
function filler(count: number): { file: string; text: string } {
  const rules: string[] = [];
  for (let i = 0; i < count; i++) {
    const n = `zq${i.toString(36)}x`;
    const condition = [
      `match: "${n}ctl ** --force *"`,
      `match: "rm -rf /srv/${n}/**"`,
      `regex: "(?i)${n}[a-z]+ (start|stop) .*${n}$"`,
      `path: "/opt/${n}/**/*.key"`,
      `match: ["{${n}a,${n}b} **", "systemctl stop ${n}*"]`,
    ][i % 5];
    rules.push(`  - {name: filler ${i}, action: block, ${condition}}`);
  }
  return { file: 'filler.yaml', text: `name: filler\nrules:\n${rules.join('\n')}\n` };
}

const loaded = await loadPolicies([values.policies ?? packsDirectory]);
if (loaded.problems.length > 0) {
  for (const p of loaded.problems) console.error(`${p.file}:${p.line}:${p.column}: ${p.message}`);
  process.exit(1);
}
let policy: PolicySet = loaded.set;
const wanted = Number(values.rules ?? 0);
if (wanted > policy.size) {
  const texts = loaded.files.map((file) => ({ file, text: readFileSync(file, 'utf8') }));
  const filled = compilePolicy([...texts, filler(wanted - policy.size)]);
  if (filled.problems.length > 0) throw new Error(filled.problems[0]?.message);
  policy = filled.set;
}

const context: SessionContext = {
  user: 'alice',
  groups: [],
  device: 'web1',
  tags: [],
  credential: 'root',
  channel: 'shell',
  at: new Date(0),
};
const counters = { occurrences: () => 0 };
const rank = ['none', 'log', 'confirm', 'reauthenticate', 'approve', 'block', 'interrupt'];

interface Outcome {
  readonly action: string;
  readonly rules: readonly string[];
  readonly lines: number;
}

function judge(entry: string): Outcome {
  const reader = scriptReader('posix-shell');
  let action = 'none';
  let lines = 0;
  const rules = new Set<string>();
  const take = (analysis: Analysis | undefined): void => {
    if (analysis === undefined) return;
    lines++;
    const decision = policy.decide(analysis, context, counters);
    if (rank.indexOf(decision.action) > rank.indexOf(action)) action = decision.action;
    for (const m of decision.matches) rules.add(m.rule);
  };
  for (const line of entry.split('\n')) take(reader.push(line));
  take(reader.end());
  return { action, rules: [...rules], lines };
}

const table: Record<string, string | number>[] = [];
const total = { entries: 0, matched: 0, blocked: 0 };
let nanoseconds = 0;
let judgedLines = 0;
const byRule = new Map<string, number>();
for (const file of positionals) {
  const entries = entriesOf(file);
  for (const e of entries.slice(0, 500)) judge(e);
  // The best of several rounds for each slice: what the work costs, rather than what else the machine was doing.
  const outcomes: Outcome[] = [];
  let best = 0;
  for (let at = 0; at < entries.length; at += 20) {
    const slice = entries.slice(at, at + 20);
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < Math.max(1, Number(values.repeat)); round++) {
      const started = process.hrtime.bigint();
      const judged = slice.map(judge);
      least = Math.min(least, Number(process.hrtime.bigint() - started));
      if (round === 0) outcomes.push(...judged);
    }
    best += least;
  }
  const lines = outcomes.reduce((n, o) => n + o.lines, 0);
  const matched = outcomes.filter((o) => o.action !== 'none').length;
  const blocked = outcomes.filter((o) => o.action === 'block' || o.action === 'interrupt').length;
  const asked = outcomes.filter(
    (o) => o.action === 'confirm' || o.action === 'approve' || o.action === 'reauthenticate',
  ).length;
  outcomes.forEach((o, i) => {
    for (const r of o.rules) byRule.set(r, (byRule.get(r) ?? 0) + 1);
    if (values.missed && o.action === 'none') console.log(`- ${JSON.stringify(entries[i])}`);
    if (values.hits && o.action !== 'none')
      console.log(`+ ${o.action} [${o.rules.join(', ')}] ${JSON.stringify(entries[i])}`);
  });
  total.entries += entries.length;
  total.matched += matched;
  total.blocked += blocked;
  nanoseconds += best;
  judgedLines += lines;
  table.push({
    file: file.replace(/^.*\//, ''),
    entries: entries.length,
    matched,
    '%': Number(((100 * matched) / Math.max(1, entries.length)).toFixed(2)),
    blocked,
    asked,
    lines,
    'µs/line': Number((best / 1e3 / Math.max(1, lines)).toFixed(1)),
  });
}
if (values['by-rule'])
  for (const [rule, n] of [...byRule].sort((a, b) => b[1] - a[1]))
    console.log(`${String(n).padStart(6)}  ${rule}`);
if (!values.json) {
  console.table(table);
  console.log(`${policy.size} rules, policy ${policy.version}`);
}
console.log(
  JSON.stringify({
    ...total,
    microsecondsPerLine: Number((nanoseconds / 1e3 / Math.max(1, judgedLines)).toFixed(2)),
  }),
);
