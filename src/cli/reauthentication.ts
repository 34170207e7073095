// `reauthentication`: the log of who had to prove once more who they are, and why; asking for it, and waiving it.
import type { Command } from 'commander';
import { shown } from '../directory/shown-text.ts';
import {
  decideDemand,
  IDENTIFICATION,
  listReauthentications,
  requireDemand,
  userByName,
} from '../oversight/demands.ts';
import { actor, type ConfigOption, withStore } from './context.ts';
import { tellGateways } from './notices.ts';
import { instant, printList } from './output.ts';
import { demandParts } from './rating.ts';
import { readSince, wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly user?: string;
  readonly since?: number;
  readonly outcome?: string;
  readonly limit: number;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

export const registerReauthentication = (program: Command): void => {
  const reauthentication = program
    .command('reauthentication')
    .alias('reauth')
    .description('proving once more who one is: list, require, waive');
  reauthentication
    .command('list')
    .description('the log of re-authentications, newest first')
    .option('--user <name>')
    .option('--since <when>', 'asked since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--outcome <word>', 'waiting, passed, failed, timed-out or waived')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000), 100)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const { rows } = await listReauthentications(store, { ...options, after: undefined });
        const shownRows = rows.map((row) => ({
          id: row.id,
          user: row.user_name,
          trigger: row.trigger_name,
          detail: row.detail,
          askedAt: instant(row.asked_at),
          askedBy: row.asked_by,
          outcome: row.outcome,
          decidedAt: instant(row.decided_at),
          decidedIn: row.decided_in ?? undefined,
          method: row.method ?? undefined,
          session: row.session_id ?? undefined,
        }));
        const columns = ['user', 'trigger', 'detail', 'askedAt', 'outcome', 'decidedAt', 'decidedIn'];
        printList(process.stdout, shownRows, columns, options.json === true);
      }),
    );
  reauthentication
    .command('require <user>')
    .description('at once in live sessions, else at the next sign-in')
    .option('--reason <text>', 'for the log', '')
    .option(...CONFIG)
    .action((name: string, options: ConfigOption & { readonly reason: string }) =>
      withStore(options, async (place) => {
        const user = await userByName(place.store, name);
        const parts = await demandParts(place.store);
        const demand = await requireDemand(parts, user, { actor: actor(), reason: options.reason });
        await tellGateways(place, IDENTIFICATION, JSON.stringify({ kind: 'required', user: user.id }));
        process.stdout.write(`${shown(user.name, 64)}: asked (${demand.id})\n`);
      }),
    );
  reauthentication
    .command('waive <user>')
    .description('what waits is no longer asked for')
    .option(...CONFIG)
    .action((name: string, options: ConfigOption) =>
      withStore(options, async (place) => {
        const user = await userByName(place.store, name);
        const done = await decideDemand(await demandParts(place.store), user, {
          outcome: 'waived',
          in: actor(),
          method: undefined,
          session: undefined,
          second: undefined,
          sourceAddress: undefined,
        });
        if (done)
          await tellGateways(place, IDENTIFICATION, JSON.stringify({ kind: 'waived', user: user.id }));
        process.stdout.write(`${shown(user.name, 64)}: ${done ? 'waived' : 'nothing was asked'}\n`);
      }),
    );
};
