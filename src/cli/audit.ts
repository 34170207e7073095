// `audit`: the auditors' queue: what is there, comments, the audited mark, history, who gets what. In whose name is the
// operating system's user, or `--as`; the queue decides what that auditor may see and do.
import type { Command } from 'commander';
import {
  addDefaultAuditor,
  defaultAuditors,
  listDefaultAuditors,
  removeDefaultAuditor,
} from '../audit-queue/auditors.ts';
import {
  type AuditEntryView,
  type AuditQueueParts,
  admitSubmitted,
  assignEntry,
  auditDetail,
  commentEntry,
  listAuditEntries,
  markAudited,
  reopenEntry,
} from '../audit-queue/queue.ts';
import { shown } from '../directory/shown-text.ts';
import { createEventLog } from '../events/event-log.ts';
import type { Store } from '../store/store.ts';
import { actor, type ConfigOption, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, jsonLine, printList, printOne, type Row } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly auditor?: string;
  readonly audited?: boolean;
  readonly open?: boolean;
  readonly user?: string;
  readonly since?: number;
  readonly limit: number;
}

interface StepOptions extends ConfigOption {
  readonly as?: string;
  readonly comment?: string;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;
const AS = ['--as <auditor>', 'in whose name (default: yours)'] as const;
const JSON_OPTION = ['--json', 'one JSON object a line'] as const;

const partsOf = (store: Store): AuditQueueParts => ({ store, events: createEventLog(store), now: Date.now });

/** The one who sits at the terminal. */
const me = (): string => {
  const [, name = '', behind] = /^cli:([^ ]*)(?: \((.*)\))?$/.exec(actor()) ?? [];
  return behind ?? name;
};

const entryRow = (entry: AuditEntryView): Row => ({
  id: entry.id,
  submittedAt: instant(entry.submittedAt),
  kind: entry.kind,
  subject: entry.subject,
  user: entry.user,
  score: entry.score,
  reason: entry.reason,
  state: entry.state,
  auditedBy: entry.auditedBy,
  auditedAt: instant(entry.auditedAt),
});

const registerAuditors = (audit: Command): void => {
  const auditors = audit.command('auditors').description('who gets what is submitted: list, add, remove');
  auditors
    .command('list')
    .description('default auditors; with none named, everybody with the role')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ConfigOption & { readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        const named = await listDefaultAuditors(store);
        const rows =
          named.length > 0
            ? named.map(({ addedAt, ...row }) => ({ ...row, addedAt: instant(addedAt) }))
            : (await defaultAuditors(store.db)).map(({ name }) => ({
                name,
                active: true,
                addedBy: 'by role',
                addedAt: undefined,
              }));
        printList(process.stdout, rows, ['name', 'active', 'addedBy', 'addedAt'], options.json === true);
      }),
    );
  auditors
    .command('add <name>')
    .description('give this auditor what is submitted from now on')
    .option(...CONFIG)
    .action((name: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        const made = await addDefaultAuditor(store, name, { by: actor(), now: Date.now() });
        process.stdout.write(`${shown(name, 64)} ${made ? 'is a default auditor' : 'was one already'}\n`);
      }),
    );
  auditors
    .command('remove <name>')
    .description('give this auditor nothing new')
    .option(...CONFIG)
    .action((name: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        if (!(await removeDefaultAuditor(store, name)))
          throw new CliError(EXIT.notFound, `SP_NOT_FOUND: ${shown(name, 64)} is no default auditor`);
        process.stdout.write(`${shown(name, 64)} is no default auditor any more\n`);
      }),
    );
};

export const registerAudit = (program: Command): void => {
  const audit = program
    .command('audit')
    .description("the auditors' queue: list, show, comment, mark, reopen, assign, auditors");
  audit
    .command('list')
    .description('what is to be audited, newest first')
    .option('--auditor <name>', 'what this auditor was given')
    .option('--open', 'only what is not audited yet')
    .option('--audited', 'only what is audited')
    .option('--user <name>', 'of whom it is')
    .option('--since <when>', 'submitted since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000), 100)
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        await admitSubmitted(partsOf(store));
        const { rows } = await listAuditEntries(store, {
          auditor: options.auditor,
          state: options.open === true ? 'open' : options.audited === true ? 'audited' : undefined,
          user: options.user,
          since: options.since,
          limit: options.limit,
          after: undefined,
        });
        const columns = ['id', 'submittedAt', 'kind', 'user', 'score', 'reason', 'state', 'auditedBy'];
        printList(process.stdout, rows.map(entryRow), columns, options.json === true);
      }),
    );
  audit
    .command('show <id>')
    .description("an entry with its history; ID is the entry's or the session's, or the beginning of one")
    .option('--auditor <name>', 'as this auditor sees it')
    .option('--json', 'one JSON object')
    .option(...CONFIG)
    .action((id: string, options: ConfigOption & { readonly auditor?: string; readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        await admitSubmitted(partsOf(store));
        const { entry, auditors, history } = await auditDetail(store, id, options.auditor);
        const steps = history.map(({ at, ...step }) => ({ at: instant(at), ...step }));
        if (options.json === true) {
          process.stdout.write(jsonLine({ ...entryRow(entry), auditors, history: steps }));
          return;
        }
        printOne(process.stdout, { ...entryRow(entry), auditors }, false);
        process.stdout.write('\n');
        printList(process.stdout, steps, ['at', 'step', 'auditor', 'comment'], false);
      }),
    );
  audit
    .command('comment <id> <text>')
    .description('say something about it, in at most 500 characters')
    .option(...AS)
    .option(...CONFIG)
    .action((id: string, text: string, options: StepOptions) =>
      withStore(options, async ({ store }) => {
        await commentEntry(partsOf(store), { id, auditor: options.as ?? me(), comment: text });
        process.stdout.write('commented\n');
      }),
    );
  for (const [name, description, done, step] of [
    ['mark', 'mark it as audited', 'audited', markAudited],
    ['reopen', 'open it again', 'open again', reopenEntry],
  ] as const) {
    audit
      .command(`${name} <id>`)
      .description(description)
      .option('--comment <text>', 'in at most 500 characters')
      .option(...AS)
      .option(...CONFIG)
      .action((id: string, options: StepOptions) =>
        withStore(options, async ({ store }) => {
          await step(partsOf(store), { id, auditor: options.as ?? me(), comment: options.comment });
          process.stdout.write(`${done}\n`);
        }),
      );
  }
  audit
    .command('assign <id> <auditor>')
    .description('give it to one more auditor')
    .option(...CONFIG)
    .action((id: string, auditor: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        await assignEntry(partsOf(store), { id, auditor, by: actor() });
        process.stdout.write(`given to ${shown(auditor, 64)}\n`);
      }),
    );
  registerAuditors(audit);
};
