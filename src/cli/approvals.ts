// `session approve`, `deny` and `approvals`: the second person's side of commands that wait for one. It decides; the
// gate that holds the command hears of it through the store.
import type { Command } from 'commander';
import { APPROVALS, decideApproval, waitingApprovals } from '../audit/approvals.ts';
import { shown } from '../directory/shown-text.ts';
import { ControlError, noticeGateway } from '../gateway/control-client.ts';
import { actor, type ConfigOption, peopleBehind, type Workplace, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, printList } from './output.ts';

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

/** The gateway looks by itself every other second: an order that does not get through costs no more than that. */
const tell = async ({ config, store }: Workplace, id: string): Promise<void> => {
  if (store.kind === 'postgres') {
    await store.notify(APPROVALS, id);
    return;
  }
  try {
    await noticeGateway(config, APPROVALS, id);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
  }
};

const decide = async (place: Workplace, id: string, approve: boolean): Promise<void> => {
  const by = actor();
  const [userName = 'unknown', ...alsoKnownAs] = peopleBehind();
  const decision = await decideApproval(place.store, id, {
    approve,
    by,
    userName,
    alsoKnownAs,
    at: Date.now(),
  });
  switch (decision.kind) {
    case 'decided':
      await tell(place, decision.approval.id);
      process.stdout.write(
        `${approve ? 'approved' : 'denied'}: ${shown(decision.approval.command, 500)} (${decision.approval.user_name} on ${decision.approval.device_name})\n`,
      );
      return;
    case 'own':
      throw new CliError(EXIT.failed, 'nobody approves a command of their own');
    case 'ambiguous':
      throw new CliError(EXIT.usage, `more than one command waits by ${shown(id, 64)}: name the approval`);
    case 'unknown':
      throw new CliError(EXIT.notFound, `SP_NOT_FOUND: no command waits by ${shown(id, 64)}`);
  }
};

export const registerApprovals = (session: Command): void => {
  session
    .command('approvals')
    .description('commands that wait for a second person')
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((options: ConfigOption & { readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        const rows = (await waitingApprovals(store, Date.now())).map((row) => ({
          id: row.id,
          user: row.user_name,
          device: row.device_name,
          account: row.account,
          command: row.command,
          rule: row.rule,
          askedAt: instant(row.asked_at),
          expiresAt: instant(row.expires_at),
          session: row.session_id,
        }));
        const columns = ['id', 'user', 'device', 'account', 'command', 'rule', 'expiresAt'];
        printList(process.stdout, rows, columns, options.json === true);
      }),
    );
  for (const [name, approve, description] of [
    ['approve', true, 'let a command run that waits for a second person'],
    ['deny', false, 'refuse a command that waits for a second person'],
  ] as const) {
    session
      .command(`${name} <id>`)
      .description(`${description}; ID is the approval's or the session's`)
      .option(...CONFIG)
      .action((id: string, options: ConfigOption) =>
        withStore(options, (place) => decide(place, id, approve)),
      );
  }
};
