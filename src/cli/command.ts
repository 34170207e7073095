// `command`: what was submitted, what it came to, what was decided and what became of it; and how often. What commands
// printed is in the recordings.
import { type Command, Option } from 'commander';
import {
  type CommandFilter,
  type CountedBy,
  countCommands,
  countedBy,
  listCommands,
} from '../audit/command-log.ts';
import type { CommandsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { type ConfigOption, withStore } from './context.ts';
import { instant, jsonLine, printList, type Row } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface CommandListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly since?: number;
  readonly user?: string;
  readonly device?: string;
  readonly credential?: string;
  readonly session?: string;
  readonly command?: string;
  readonly outcome?: string;
  readonly by?: CountedBy;
  readonly limit: number;
}

const LARGEST_PAGE = 1_000;

const read = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
};

/** The groups of users and the tags of devices as they are now; a command does not remember those of its time. */
const readBelonging = async (
  store: Store,
): Promise<{
  readonly groups: (userId: string) => readonly string[];
  readonly tags: (deviceId: string) => readonly string[];
}> => {
  const [groups, tags] = await Promise.all([
    store.db.selectFrom('user_groups').select(['user_id', 'group_name']).execute(),
    store.db.selectFrom('device_tags').select(['device_id', 'tag']).execute(),
  ]);
  const groupsOf = Map.groupBy(groups, (row) => row.user_id);
  const tagsOf = Map.groupBy(tags, (row) => row.device_id);
  return {
    groups: (userId) => (groupsOf.get(userId) ?? []).map((row) => row.group_name).sort(),
    tags: (deviceId) => (tagsOf.get(deviceId) ?? []).map((row) => row.tag).sort(),
  };
};

/** Everything that is stored, for programs. */
const whole = (
  row: CommandsTable,
  belonging: Awaited<ReturnType<typeof readBelonging>>,
): Readonly<Record<string, unknown>> => ({
  id: row.id,
  session: row.session_id,
  channel: row.channel,
  at: new Date(row.at).toISOString(),
  second: row.recording_offset / 1000,
  user: row.user_name,
  groups: belonging.groups(row.user_id),
  device: row.device_name,
  tags: belonging.tags(row.device_id),
  credential: row.credential_name,
  account: row.account,
  source: row.source_address,
  kind: row.channel_kind,
  context: row.context,
  typed: row.typed,
  command: row.command,
  candidates: read(row.candidates_json),
  analysed: read(row.analysed_json),
  word: row.word,
  how: row.how_read,
  confidence: row.confidence / 1000,
  hidden: row.hidden === 1,
  decision: row.decision,
  outcome: row.outcome,
  detail: row.outcome_detail,
  rules: read(row.rules_json),
  criticality: row.criticality,
  points: row.points,
  policy: row.policy_version,
});

const ruleNames = (json: string): readonly string[] => {
  const rules = read(json);
  if (!Array.isArray(rules)) return [];
  return rules.flatMap((rule: unknown) =>
    typeof rule === 'object' && rule !== null && 'rule' in rule ? [String(rule.rule)] : [],
  );
};

const short = (row: CommandsTable): Row => ({
  at: instant(row.at),
  user: row.user_name,
  device: row.device_name,
  account: row.account,
  kind: row.channel_kind,
  outcome: row.outcome,
  how: row.how_read,
  command: row.hidden === 1 ? '(typed without echo)' : row.command,
  rules: ruleNames(row.rules_json),
  session: row.session_id.slice(0, 13),
});

const readAll = async (
  store: Store,
  filter: CommandFilter,
  limit: number,
): Promise<readonly CommandsTable[]> => {
  const rows: CommandsTable[] = [];
  let after: string | undefined;
  do {
    const page = await listCommands(store, {
      ...filter,
      limit: Math.min(LARGEST_PAGE, limit - rows.length),
      after,
    });
    rows.push(...page.rows);
    after = page.next;
  } while (after !== undefined && rows.length < limit);
  return rows;
};

export const registerCommand = (program: Command): void => {
  const command = program.command('command').description('audited commands: what was submitted and judged');
  command
    .command('list')
    .description('commands, newest first; with --by how often each occurs')
    .option('--since <when>', 'submitted since: 2h, 7d, or a date such as 2030-01-31T08:00:00Z', (text) =>
      readSince(text),
    )
    .option('--user <name>')
    .option('--device <name>')
    .option('--credential <name>')
    .option('--session <id>', 'a session id, or the beginning of one')
    .option('--command <word>', 'the name of the first command, such as rm')
    .option('--outcome <outcome>', 'ran, blocked, interrupted, refused, declined, cancelled, asked or alarm')
    .addOption(new Option('--by <what>', 'count occurrences').choices([...countedBy]))
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000_000), 100)
    .option('--json', 'one JSON object a line')
    .option('--config <file>', 'configuration file (default: ./sallyport.yaml where there is one)')
    .action((options: CommandListOptions) =>
      withStore(options, async ({ store }) => {
        const filter: CommandFilter = {
          since: options.since,
          user: options.user,
          device: options.device,
          credential: options.credential,
          session: options.session,
          word: options.command,
          outcome: options.outcome,
        };
        if (options.by !== undefined) {
          const counts = await countCommands(store, options.by, { ...filter, limit: options.limit });
          const rows = counts.map(
            ({ of, first, last, ...counted }): Row => ({
              [options.by ?? 'of']: of,
              ...counted,
              first: instant(first),
              last: instant(last),
            }),
          );
          const heads = ['commands', 'audited', 'stopped', 'refused', 'points', 'sessions', 'users', 'last'];
          printList(process.stdout, rows, [options.by, ...heads], options.json === true);
          return;
        }
        const rows = await readAll(store, filter, options.limit);
        if (options.json === true) {
          const belonging = await readBelonging(store);
          for (const row of rows) process.stdout.write(jsonLine(whole(row, belonging)));
        } else {
          const heads = ['at', 'user', 'device', 'account', 'outcome', 'how', 'command', 'rules', 'session'];
          printList(process.stdout, rows.map(short), heads, false);
        }
      }),
    );
};
