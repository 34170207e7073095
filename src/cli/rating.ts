// `rating`: everybody's rating, one user's ledger, proof that it follows from what happened, marks of what was expected,
// and what other settings would have made of it.
import type { Command } from 'commander';
import { explain } from '../behaviour/explain.ts';
import { behaviourSettings } from '../behaviour/settings.ts';
import {
  isSettingKey,
  readSettings,
  readSettingValue,
  type SettingKey,
  type SettingValue,
  settingProblem,
} from '../directory/settings.ts';
import { shown } from '../directory/shown-text.ts';
import { createEventLog } from '../events/event-log.ts';
import { type DemandParts, userByName } from '../oversight/demands.ts';
import { askWhatIf, listRatings, markExpected, readLedger } from '../oversight/rating-views.ts';
import { recompute } from '../oversight/ratings.ts';
import type { Store } from '../store/store.ts';
import { actor, type ConfigOption, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, printList } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly limit: number;
  readonly since?: number;
}

interface WhatIfOptions extends ListOptions {
  readonly set: readonly string[];
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;
const LONGEST_DAYS = 86_400_000 * 90;

export const demandParts = async (store: Store): Promise<DemandParts> => ({
  store,
  events: createEventLog(store),
  settings: behaviourSettings(await readSettings(store.db)),
  now: Date.now,
});

const readChange = (text: string): readonly [SettingKey, SettingValue] => {
  const [key = '', value = ''] = text.split(/=(.*)/s);
  if (!isSettingKey(key)) throw new CliError(EXIT.usage, `there is no setting ${shown(key, 64)}`);
  const read = readSettingValue(key, value);
  const problem = read === undefined ? 'has another kind of value' : settingProblem(key, read);
  if (read === undefined || problem !== undefined) throw new CliError(EXIT.usage, `${key} ${problem}`);
  return [key, read];
};

export const registerRating = (program: Command): void => {
  const rating = program.command('rating').description('ratings: list, show, recompute, expected, what-if');
  rating
    .command('list')
    .description('every user with their rating, the most suspicious first')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 100_000), 1_000)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const rows = (await listRatings(await demandParts(store), options.limit)).map((view) => ({
          user: view.name,
          rating: view.rating,
          reference: view.reference,
          lastAccess: instant(view.lastAccess),
          disabled: view.disabled,
          highRiskSessions: view.counts.high_risk_sessions,
          blockedCommands: view.counts.blocked_commands,
          sessionAttempts: view.counts.session_attempts,
          viewAttempts: view.counts.view_attempts,
          id: view.id,
        }));
        printList(
          process.stdout,
          rows,
          ['user', 'rating', 'reference', 'lastAccess', 'disabled'],
          options.json === true,
        );
      }),
    );
  rating
    .command('show <user>')
    .description('the ledger of a user’s rating, newest first: cause, evidence, before, after')
    .option('--since <when>', 'since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--limit <count>', 'at most so many', wholeNumber(1, 10_000), 100)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((name: string, options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const user = await userByName(store, name);
        const ledger = await readLedger(await demandParts(store), user, {
          since: options.since,
          limit: options.limit,
        });
        const rows = ledger.map((row) => ({
          position: row.position,
          at: instant(row.at),
          cause: row.cause,
          before: row.before / 100,
          after: row.after / 100,
          session: row.session_id ?? undefined,
          second: row.second ?? undefined,
          actor: row.actor,
          user: row.user_name,
        }));
        printList(
          process.stdout,
          rows,
          ['position', 'at', 'cause', 'before', 'after', 'session', 'second', 'actor'],
          options.json === true,
        );
      }),
    );
  rating
    .command('recompute [user]')
    .description('folds the history again; ends with 1 when a rating does not follow from it')
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((name: string | undefined, options: ConfigOption & { readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        const ids =
          name === undefined
            ? (await store.db.selectFrom('ratings').select('user_id').orderBy('user_name').execute()).map(
                ({ user_id }) => user_id,
              )
            : [(await userByName(store, name)).id];
        const rows = [];
        for (const id of ids) {
          const again = await recompute(store, id);
          if (again === undefined) continue;
          rows.push({
            user: again.user.name,
            rows: again.rows,
            stored: again.stored,
            recomputed: again.rating,
            agrees: again.agrees,
            firstDifference: again.firstDifference,
          });
        }
        printList(
          process.stdout,
          rows,
          ['user', 'rows', 'stored', 'recomputed', 'agrees'],
          options.json === true,
        );
        if (rows.some(({ agrees }) => !agrees)) process.exitCode = EXIT.failed;
      }),
    );
  rating
    .command('expected <id>')
    .description(
      'a suspicious session, or view or change of a credential, was expected: the rating gets back what it lost, and it is learnt',
    )
    .option(...CONFIG)
    .action((session: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        const { before, after, user } = await markExpected(await demandParts(store), session, actor());
        process.stdout.write(`${shown(user, 64)}: ${before} → ${after}\n`);
      }),
    );
  rating
    .command('what-if')
    .description('who would have been refused, suspicious or asked under other settings')
    .requiredOption('--set <key=value...>', 'settings to try')
    .option('--since <when>', 'since: 2h, 7d, or a date (default: 90d)', (text) => readSince(text))
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((options: WhatIfOptions) =>
      withStore(options, async ({ store }) => {
        const since = options.since ?? Date.now() - LONGEST_DAYS;
        const changed = new Map(options.set.map(readChange));
        const { looked, different } = await askWhatIf(store, since, changed);
        const rows = different.map((one) => ({
          startedAt: instant(one.startedAt),
          user: one.user,
          session: one.session,
          before: outcomeOf(one.before.score, one.before.action, one.suspiciousBefore, one.askedBefore),
          after: outcomeOf(one.after.score, one.after.action, one.suspiciousAfter, one.askedAfter),
          findings: one.after.findings.map(explain),
        }));
        printList(
          process.stdout,
          rows,
          ['startedAt', 'user', 'session', 'before', 'after'],
          options.json === true,
        );
        if (options.json !== true)
          process.stdout.write(`${rows.length} of ${looked} sessions would have come out otherwise\n`);
      }),
    );
};

const outcomeOf = (
  score: number,
  action: string | undefined,
  suspicious: boolean,
  asked: string | undefined,
): string =>
  [
    `risk ${score}`,
    ...(suspicious ? ['suspicious'] : []),
    ...(action === undefined ? [] : [action]),
    ...(asked === undefined ? [] : [`asked (${asked})`]),
  ].join(', ');
