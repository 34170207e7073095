// `policy`: checks rule files, shows what a line comes to under them, tries them on recorded commands, imports Sigma
// rules. Works on files alone; needs no gateway and no store.
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Command, Option } from 'commander';
import type { Grammar } from '../../policies/analysis/types.ts';
import {
  type BacktestHit,
  type BacktestKey,
  backtest,
  backtestKeys,
  type RecordedCommand,
  testLine,
} from '../../policies/check.ts';
import { type LoadedPolicy, loadPolicies, packsDirectory } from '../../policies/load.ts';
import type { Operation, SessionContext } from '../../policies/match.ts';
import type { Access } from '../../policies/rules/schema.ts';
import { type ImportedRule, importSigmaRule, sigmaPolicy } from '../../policies/sigma.ts';
import { shown } from '../directory/shown-text.ts';
import { CliError, EXIT } from './exit.ts';
import { jsonLine } from './output.ts';
import { readSince } from './since.ts';

const grammars = ['posix-shell', 'fish', 'csh', 'network-cli', 'sql', 'python'] as const;
const channels = ['shell', 'exec', 'sftp', 'scp', 'forward', 'agent', 'x11'] as const;
type Channel = (typeof channels)[number];

interface TestOptions {
  readonly line: string;
  readonly policies?: readonly string[];
  readonly user: string;
  readonly group?: readonly string[];
  readonly device: string;
  readonly tag?: readonly string[];
  readonly credential: string;
  readonly channel: Channel;
  readonly context?: string;
  readonly grammar: Grammar;
  readonly at?: string;
  readonly json?: boolean;
}

const out = (text: string): void => {
  process.stdout.write(text);
};

const problemText = (loaded: LoadedPolicy): string =>
  loaded.problems
    .map((p) => `${p.file}:${p.line}:${p.column}: ${p.code}: ${shown(p.message, 500)}`)
    .join('\n');

const load = async (paths: readonly string[] | undefined): Promise<LoadedPolicy> => {
  const loaded = await loadPolicies(paths ?? [packsDirectory]);
  if (loaded.problems.length > 0) throw new CliError(EXIT.usage, problemText(loaded));
  return loaded;
};

const check = async (paths: readonly string[], options: { readonly json?: boolean }): Promise<void> => {
  const loaded = await loadPolicies(paths);
  if (options.json === true) for (const problem of loaded.problems) out(jsonLine(problem));
  if (loaded.problems.length > 0) throw new CliError(EXIT.usage, problemText(loaded));
  const summary = {
    files: loaded.files.length,
    rules: loaded.rules,
    tests: loaded.tests,
    policy: loaded.set.version,
  };
  if (options.json === true) out(jsonLine(summary));
  else
    out(
      `${summary.files} files, ${summary.rules} rules, ${summary.tests} tests passed, policy ${summary.policy}\n`,
    );
};

const contextOf = (options: TestOptions): SessionContext => {
  const at = options.at === undefined ? new Date() : new Date(options.at);
  if (Number.isNaN(at.getTime()))
    throw new CliError(EXIT.usage, '--at takes a time such as 2030-01-31T08:00:00Z');
  return {
    user: options.user,
    groups: options.group ?? [],
    device: options.device,
    tags: options.tag ?? [],
    credential: options.credential,
    channel: options.channel,
    context: options.context,
    at,
  };
};

const test = async (options: TestOptions): Promise<void> => {
  const loaded = await load(options.policies);
  const report = testLine(loaded.set, options.line, contextOf(options), options.grammar);
  if (options.json !== true) {
    out(`${report.text}\n`);
    return;
  }
  const { commands, opaque, incomplete, truncated } = report.analysis;
  out(jsonLine({ typed: options.line, commands, opaque, incomplete, truncated, decision: report.decision }));
};

const field = (value: object, name: string): string | undefined => {
  const found: unknown = name in value ? Reflect.get(value, name) : undefined;
  return typeof found === 'string' ? found : undefined;
};

const words = (value: object, name: string): readonly string[] => {
  const found: unknown = name in value ? Reflect.get(value, name) : undefined;
  return Array.isArray(found) ? found.filter((entry: unknown) => typeof entry === 'string') : [];
};

/** What the words of file operations in the log do to their paths. */
const ACCESS: Readonly<Record<string, Access>> = {
  put: 'write',
  get: 'read',
  hash: 'read',
  copy: 'write',
  remove: 'delete',
  rmdir: 'delete',
  mkdir: 'write',
  rename: 'rename',
  symlink: 'write',
  hardlink: 'write',
  truncate: 'write',
  setstat: 'attributes',
  list: 'list',
  stat: 'list',
};

/** Operations on files and forwards, from what the log says of them; undefined: it is a command. */
const operationsOf = (value: object, kind: Channel): readonly Operation[] | undefined => {
  const analysed: unknown = 'analysed' in value ? value.analysed : undefined;
  if (typeof analysed !== 'object' || analysed === null) return undefined;
  const word = field(analysed, 'operation');
  if (word === undefined) return undefined;
  if (kind === 'sftp' || kind === 'scp') {
    const access = ACCESS[word];
    const [path = field(analysed, 'path'), to] = words(analysed, 'paths');
    if (access === undefined || path === undefined) return [];
    return [{ channel: kind, operation: access, path, ...(to === undefined ? {} : { to }) }];
  }
  const address = field(analysed, 'address');
  const port: unknown = 'port' in analysed ? analysed.port : undefined;
  if (address === undefined || typeof port !== 'number') return undefined;
  return [
    {
      channel: 'forward',
      address,
      port,
      ...(field(analysed, 'protocol') === 'ssh' ? { protocol: 'ssh' as const } : {}),
    },
  ];
};

/** Lines as `command list --json` prints them. */
async function* recorded(file: string): AsyncIterable<RecordedCommand> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new CliError(EXIT.usage, `${file}:${number}: not JSON`);
    }
    if (typeof value !== 'object' || value === null)
      throw new CliError(EXIT.usage, `${file}:${number}: not an object`);
    const text = field(value, 'command') ?? field(value, 'typed') ?? field(value, 'line');
    if (text === undefined) continue;
    const kind = field(value, 'kind');
    const wanted = field(value, 'grammar');
    const channel = channels.find((c) => c === kind) ?? 'shell';
    yield {
      line: text,
      grammar: grammars.find((g) => g === wanted),
      session: field(value, 'session'),
      operations: operationsOf(value, channel),
      context: {
        user: field(value, 'user') ?? '',
        groups: words(value, 'groups'),
        device: field(value, 'device') ?? '',
        tags: words(value, 'tags'),
        credential: field(value, 'credential') ?? '',
        channel,
        context: field(value, 'context'),
        at: new Date(field(value, 'at') ?? 0),
      },
    };
  }
}

const runBacktest = async (
  file: string,
  options: {
    readonly policies?: readonly string[];
    readonly json?: boolean;
    readonly summary?: boolean;
    readonly since?: number;
    readonly until?: number;
    readonly user?: readonly string[];
    readonly group?: readonly string[];
    readonly device?: readonly string[];
    readonly tag?: readonly string[];
    readonly by?: BacktestKey;
  },
): Promise<void> => {
  const loaded = await load(options.policies);
  const print = (hit: BacktestHit): void => {
    if (options.summary === true) return;
    if (options.json === true) out(jsonLine(hit));
    else
      out(
        `${hit.at.toISOString()}  ${shown(hit.user, 40)}  ${shown(hit.device, 40)}  ${hit.action}  ${hit.rule}  ${shown(hit.line, 120)}\n`,
      );
  };
  const result = await backtest(loaded.set, recorded(file), print, {
    since: options.since,
    until: options.until,
    users: options.user,
    groups: options.group,
    devices: options.device,
    tags: options.tag,
  });
  const counted = [...(options.by === undefined ? [] : result.by[options.by])].sort(
    (a, b) => b[1].hits - a[1].hits || (a[0] < b[0] ? -1 : 1),
  );
  const rules = [...result.byRule].sort((a, b) => b[1].hits - a[1].hits);
  if (options.json === true) {
    out(
      jsonLine({
        commands: result.commands,
        hits: result.hits,
        byAction: Object.fromEntries(result.byAction),
        rules: rules.map(([rule, r]) => ({ rule, hits: r.hits, users: [...r.users].sort() })),
        ...(options.by === undefined
          ? {}
          : { by: options.by, counts: counted.map(([of, counts]) => ({ of, ...counts })) }),
      }),
    );
    return;
  }
  out(`${result.commands} commands, ${result.hits} would have met a rule\n`);
  for (const [action, count] of result.byAction) out(`  ${action}: ${count}\n`);
  for (const [rule, r] of rules) out(`  ${String(r.hits).padStart(6)}  ${rule}  (${r.users.size} users)\n`);
  if (options.by !== undefined) out(`by ${options.by}, of so many commands:\n`);
  for (const [of, { hits, commands }] of counted)
    out(`  ${String(hits).padStart(6)}  ${shown(of, 80)}  (${commands})\n`);
};

async function* sigmaFiles(path: string, depth = 0): AsyncIterable<string> {
  if (!(await stat(path)).isDirectory()) {
    yield path;
    return;
  }
  if (depth > 8) return;
  for (const name of (await readdir(path)).sort()) {
    const inner = join(path, name);
    if ((await stat(inner)).isDirectory()) yield* sigmaFiles(inner, depth + 1);
    else if (/\.ya?ml$/.test(name)) yield inner;
  }
}

const importSigma = async (
  path: string,
  options: { readonly out: string; readonly name: string; readonly json?: boolean },
): Promise<void> => {
  const rules: ImportedRule[] = [];
  let seen = 0;
  for await (const file of sigmaFiles(path)) {
    seen++;
    const result = importSigmaRule(await readFile(file, 'utf8'));
    if (result.kind === 'imported') rules.push(result.rule);
    else if (options.json === true)
      out(jsonLine({ file: basename(file), title: result.title, reason: result.reason }));
    else out(`not imported: ${basename(file)}: ${shown(result.reason, 200)}\n`);
  }
  if (rules.length === 0) throw new CliError(EXIT.failed, `none of ${seen} files could be imported`);
  await mkdir(options.out, { recursive: true });
  const target = join(options.out, `${options.name}.yaml`);
  await writeFile(target, sigmaPolicy(options.name, rules));
  const loaded = await loadPolicies([target]);
  if (loaded.problems.length > 0) throw new CliError(EXIT.failed, problemText(loaded));
  if (options.json === true) out(jsonLine({ files: seen, imported: rules.length, written: target }));
  else out(`${rules.length} of ${seen} rules imported into ${target}\n`);
};

/** Adds `policy check|test|backtest|import-sigma`. */
export const registerPolicy = (program: Command): void => {
  const policy = program.command('policy').description('rules for commands: check, try and import them');
  policy
    .command('check')
    .description(
      'reads rule files or folders, compiles them and runs their tests; every mistake with line and column',
    )
    .argument('<path...>', 'files or folders')
    .option('--json', 'one object a line')
    .action(check);
  policy
    .command('test')
    .description('what a line comes to, and what the rules decide')
    .requiredOption('--line <text>', 'the line')
    .option('--policies <path...>', 'rule files or folders (default: the packs that ship)')
    .option('--user <name>', 'for whom', 'alice')
    .option('--group <name...>', 'groups of the user')
    .option('--device <name>', 'on which device', 'device')
    .option('--tag <name...>', 'tags of the device')
    .option('--credential <name>', 'as which credential', 'credential')
    .addOption(new Option('--channel <kind>', 'by which channel').choices(channels).default('shell'))
    .option('--context <name>', 'what reads the line, such as shell, psql, network-cli')
    .addOption(
      new Option('--grammar <name>', 'how the line is read').choices(grammars).default('posix-shell'),
    )
    .option('--at <time>', 'when (default: now)')
    .option('--json', 'as one object')
    .action(test);
  policy
    .command('backtest')
    .description(
      'tries rules on recorded commands, as `command list --json` prints them: whom they would have met',
    )
    .argument('<file>', 'a file of JSON lines, or - for standard input')
    .option('--policies <path...>', 'rule files or folders (default: the packs that ship)')
    .option('--since <when>', 'submitted since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--until <when>', 'submitted before', (text) => readSince(text))
    .option('--user <name...>', 'of these users only')
    .option('--group <name...>', 'of users in one of these groups only')
    .option('--device <name...>', 'on these devices only')
    .option('--tag <name...>', 'on devices with one of these tags only')
    .addOption(new Option('--by <what>', 'count hits by').choices([...backtestKeys]))
    .option('--summary', 'totals only')
    .option('--json', 'one object a line')
    .action(runBacktest);
  policy
    .command('import-sigma')
    .description('imports Sigma rules for Linux process creation as rules that log')
    .argument('<path>', 'a rule file or a folder of them')
    .requiredOption('--out <folder>', 'where the rule file is written')
    .option('--name <name>', 'name of the rule set', 'sigma')
    .option('--json', 'one object a line')
    .action(importSigma);
};
