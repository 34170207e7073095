// `finding`, `threat`, `watch` and `report ueba`: what findings say, what people make of them, and the weekly report.
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { readSettings } from '../directory/settings.ts';
import { shown } from '../directory/shown-text.ts';
import { createEventLog } from '../events/event-log.ts';
import type { FindingsTable, ThreatsTable } from '../store/steps/findings.ts';
import { importSignIns } from '../ueba/import.ts';
import {
  expectFinding,
  findThreat,
  investigate,
  listFindings,
  listThreats,
  listWatched,
  STATUSES,
  type Status,
  threatHistory,
  timelineOf,
  unwatch,
  watch,
} from '../ueba/investigations.ts';
import { openLocator } from '../ueba/locate.ts';
import { buildReport, reportHtml, reportText } from '../ueba/report.ts';
import { scan } from '../ueba/run.ts';
import { actor, type ConfigOption, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, jsonLine, printList, printOne, type Row } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly since?: number;
  readonly user?: string;
  readonly limit: number;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;
const JSON_OPTION = ['--json', 'one JSON object a line'] as const;
const LARGEST_IMPORT = 256 * 1024 * 1024;

const findingRow = (row: FindingsTable): Row => ({
  id: row.id,
  lastAt: instant(row.last_at),
  firstAt: instant(row.first_at),
  signal: row.signal,
  user: row.user_name,
  severity: row.severity,
  score: row.score / 100,
  state: row.state,
  text: row.text,
});

const threatRow = (row: ThreatsTable): Row => ({
  id: row.id,
  lastAt: instant(row.last_at),
  firstAt: instant(row.first_at),
  model: row.model,
  user: row.user_name,
  severity: row.severity,
  score: row.score / 100,
  status: row.status,
  case: row.case_id ?? undefined,
  assignee: row.assignee ?? undefined,
  text: row.text,
});

const listOptions = (command: Command): Command =>
  command
    .option('--since <when>', 'since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--user <name>')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000), 100)
    .option(...JSON_OPTION)
    .option(...CONFIG);

export const registerFinding = (program: Command): void => {
  const finding = program
    .command('finding')
    .description('findings: what does not fit a user; indicators, never proof');
  finding
    .command('scan')
    .description('look at the last days and keep what is found')
    .option('--days <count>', 'how far back', wholeNumber(1, 365), 90)
    .option('--json', 'one JSON object')
    .option(...CONFIG)
    .action((options: ConfigOption & { readonly days: number; readonly json?: boolean }) =>
      withStore(options, async ({ store, config }) => {
        const settings = await readSettings(store.db);
        const { locate, problems } = await openLocator(config.findings);
        for (const { database, problem } of problems)
          process.stderr.write(`${shown(database, 400)} can't be read: ${shown(problem, 200)}\n`);
        const result = await scan(
          {
            store,
            events: createEventLog(store),
            now: Date.now,
            timeZone: String(settings['session.timeZone']),
            locate,
          },
          { days: options.days },
        );
        printOne(process.stdout, { ...result }, options.json === true);
      }),
    );
  listOptions(finding.command('list').description('findings, newest first').option('--signal <name>')).action(
    (options: ListOptions & { readonly signal?: string }) =>
      withStore(options, async ({ store }) => {
        const { rows } = await listFindings(store, {
          since: options.since,
          user: options.user,
          signal: options.signal,
          limit: options.limit,
          after: undefined,
        });
        const columns = ['lastAt', 'signal', 'user', 'severity', 'score', 'state', 'text', 'id'];
        printList(process.stdout, rows.map(findingRow), columns, options.json === true);
      }),
  );
  finding
    .command('expected <id>')
    .description('say that it was expected: threats are no longer made of it')
    .option(...CONFIG)
    .action((id: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        await expectFinding({ store, events: createEventLog(store), now: Date.now }, { id, actor: actor() });
        process.stdout.write('expected\n');
      }),
    );
  finding
    .command('import <file>')
    .description('sign-ins of other systems, one JSON object a line; - is standard input')
    .option(...CONFIG)
    .action((file: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        const text = readFileSync(file === '-' ? 0 : file, 'utf8');
        if (text.length > LARGEST_IMPORT) throw new CliError(EXIT.usage, 'larger than 256 MiB: split it');
        const result = await importSignIns(store, text);
        process.stdout.write(
          `${result.imported} imported, ${result.known} known already, ${result.refused} refused\n`,
        );
        for (const { line, problem } of result.problems) process.stderr.write(`line ${line}: ${problem}\n`);
        if (result.refused > 0) process.exitCode = EXIT.usage;
      }),
    );
  registerThreat(program);
  registerWatch(program);
  registerReport(program);
};

const registerThreat = (program: Command): void => {
  const threat = program
    .command('threat')
    .description('threats: findings that belong together; list, show, set');
  listOptions(
    threat
      .command('list')
      .description('threats, newest first')
      .addOption(new Option('--status <status>').choices([...STATUSES])),
  ).action((options: ListOptions & { readonly status?: Status }) =>
    withStore(options, async ({ store }) => {
      const { rows } = await listThreats(store, {
        since: options.since,
        user: options.user,
        status: options.status,
        limit: options.limit,
        after: undefined,
      });
      const columns = ['lastAt', 'model', 'user', 'severity', 'score', 'status', 'case', 'id'];
      printList(process.stdout, rows.map(threatRow), columns, options.json === true);
    }),
  );
  threat
    .command('show <id>')
    .description('a threat with its timeline and the steps of its investigation')
    .option('--json', 'one JSON object')
    .option(...CONFIG)
    .action((id: string, options: ConfigOption & { readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        const row = await findThreat(store, id);
        const [timeline, history] = await Promise.all([timelineOf(store, row), threatHistory(store, row.id)]);
        const steps = history.map((step) => ({
          at: instant(step.at),
          actor: step.actor,
          status: step.status ?? undefined,
          case: step.case_id ?? undefined,
          assignee: step.assignee ?? undefined,
          note: step.note,
        }));
        const entries = timeline.map(({ at, ...entry }) => ({ at: instant(at), ...entry }));
        if (options.json === true) {
          process.stdout.write(jsonLine({ ...threatRow(row), timeline: entries, investigation: steps }));
          return;
        }
        printOne(process.stdout, threatRow(row), false);
        process.stdout.write('\nwhat happened around it\n');
        printList(process.stdout, entries, ['at', 'kind', 'text', 'session'], false);
        process.stdout.write('\ninvestigation\n');
        printList(process.stdout, steps, ['at', 'actor', 'status', 'case', 'assignee', 'note'], false);
        process.stdout.write('\nAn indicator to look into, not proof.\n');
      }),
    );
  threat
    .command('set <id>')
    .description('take a step of an investigation')
    .addOption(new Option('--status <status>').choices([...STATUSES]))
    .option('--case <id>', 'the id of the case in another system')
    .option('--assignee <name>')
    .option('--note <text>')
    .option(...CONFIG)
    .action(
      (
        id: string,
        options: ConfigOption & {
          readonly status?: Status;
          readonly case?: string;
          readonly assignee?: string;
          readonly note?: string;
        },
      ) =>
        withStore(options, async ({ store }) => {
          const { status, case: caseId, assignee, note } = options;
          if ([status, caseId, assignee, note].every((value) => value === undefined))
            throw new CliError(EXIT.usage, 'say what changes: --status, --case, --assignee or --note');
          const row = await investigate(
            { store, events: createEventLog(store), now: Date.now },
            { id, actor: actor(), status, caseId, assignee, note },
          );
          process.stdout.write(
            `${row.title}: ${row.status}${row.case_id === null ? '' : `, ${row.case_id}`}\n`,
          );
        }),
    );
};

const registerWatch = (program: Command): void => {
  const list = program.command('watch').description('watch lists: list, add, remove');
  list
    .command('list')
    .description('who is on which list')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ConfigOption & { readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        const rows = (await listWatched(store)).map((row) => ({
          list: row.list,
          user: row.user_name,
          note: row.note,
          addedAt: instant(row.added_at),
          addedBy: row.added_by,
        }));
        printList(
          process.stdout,
          rows,
          ['list', 'user', 'note', 'addedAt', 'addedBy'],
          options.json === true,
        );
      }),
    );
  list
    .command('add <list> <user>')
    .description('put a user on a list')
    .option('--note <text>', 'why', '')
    .option(...CONFIG)
    .action((name: string, user: string, options: ConfigOption & { readonly note: string }) =>
      withStore(options, async ({ store }) => {
        await watch(store, { list: name, user, actor: actor(), note: options.note, now: Date.now() });
        process.stdout.write(`${user} is on ${name}\n`);
      }),
    );
  list
    .command('remove <list> <user>')
    .description('take a user off a list')
    .option(...CONFIG)
    .action((name: string, user: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        if (!(await unwatch(store, name, user)))
          throw new CliError(EXIT.notFound, 'SP_NOT_FOUND: that user is not on that list');
        process.stdout.write(`${user} is off ${name}\n`);
      }),
    );
};

const registerReport = (program: Command): void => {
  const found = program.commands.find((command) => command.name() === 'report');
  const report = found ?? program.command('report').description('reports');
  report
    .command('ueba')
    .description('the weekly report on findings and threats')
    .option('--days <count>', 'its length', wholeNumber(1, 365), 7)
    .option('--html', 'as an HTML page')
    .option('--json', 'as one JSON object')
    .option(...CONFIG)
    .action(
      (options: ConfigOption & { readonly days: number; readonly html?: boolean; readonly json?: boolean }) =>
        withStore(options, async ({ store }) => {
          const made = await buildReport(store, { until: Date.now(), days: options.days });
          process.stdout.write(
            options.json === true
              ? jsonLine(made)
              : options.html === true
                ? reportHtml(made)
                : reportText(made),
          );
        }),
    );
};
