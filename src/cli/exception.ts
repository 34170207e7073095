// `exception list`, `grant` and `decline`: users' requests for exceptions from what stopped them. A decision is told to the
// user and changes no rule.
import { type Command, Option } from 'commander';
import { shown } from '../directory/shown-text.ts';
import { createEventLog } from '../events/event-log.ts';
import { decideException, listExceptions } from '../exceptions/requests.ts';
import { actor, type ConfigOption, peopleBehind, withStore } from './context.ts';
import { instant, printList } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly since?: number;
  readonly user?: string;
  readonly state?: 'open' | 'granted' | 'declined';
  readonly limit: number;
}

interface DecideOptions extends ConfigOption {
  readonly comment: string;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

export const registerException = (program: Command): void => {
  const exception = program
    .command('exception')
    .description('requests for exceptions from what stopped users');
  exception
    .command('list')
    .description('newest first')
    .option('--since <when>', 'since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--user <name>', 'by this user')
    .addOption(new Option('--state <state>', 'in this state').choices(['open', 'granted', 'declined']))
    .option('--limit <number>', 'at most this many', wholeNumber(1, 1_000), 100)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const { since, user, state, limit } = options;
        const { rows } = await listExceptions(store, { since, user, state, limit, after: undefined });
        const shownRows = rows.map((row) => ({
          id: row.id,
          askedAt: instant(row.asked_at),
          user: row.user_name,
          device: row.device_name,
          account: row.account,
          command: row.command,
          rule: row.rule,
          owner: row.owner,
          reason: row.reason,
          state: row.state,
          decidedBy: row.decided_by ?? undefined,
          decidedAt: row.decided_at === null ? undefined : instant(row.decided_at),
          comment: row.comment,
          session: row.session_id,
        }));
        const columns = ['id', 'askedAt', 'user', 'device', 'command', 'rule', 'state', 'reason'];
        printList(process.stdout, shownRows, columns, options.json === true);
      }),
    );
  for (const what of ['grant', 'decline'] as const) {
    exception
      .command(`${what} <id>`)
      .description(`${what} a request; its user is told`)
      .requiredOption('--comment <text>', 'for the user, at most 500 characters')
      .option(...CONFIG)
      .action((id: string, options: DecideOptions) =>
        withStore(options, async ({ store }) => {
          const [name = 'unknown', ...alsoKnownAs] = peopleBehind();
          const decided = await decideException(
            { store, events: createEventLog(store), now: Date.now },
            {
              id,
              grant: what === 'grant',
              comment: options.comment,
              decider: { name, alsoKnownAs },
              actor: actor(),
            },
          );
          process.stdout.write(
            `${decided.state}: ${shown(decided.command, 500)} (${shown(decided.user_name, 64)} on ${shown(decided.device_name, 64)})\n`,
          );
        }),
      );
  }
};
