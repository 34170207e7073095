// `session`: who was where, and orders to those who still are. What a session did is in its recording.
import type { Command } from 'commander';
import { explain } from '../behaviour/explain.ts';
import { findSession, listSessions, type SessionFilter } from '../directory/sessions.ts';
import { shown } from '../directory/shown-text.ts';
import type { Order } from '../gateway/control-client.ts';
import { risksOf, type SessionRiskView } from '../oversight/risk-records.ts';
import type { SessionsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { registerApprovals } from './approvals.ts';
import { type ConfigOption, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, printList, printOne, type Row } from './output.ts';
import { orderSession } from './session-orders.ts';
import { watchInTerminal } from './session-watch.ts';
import { readSince, wholeNumber } from './since.ts';

interface SessionListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly since?: number;
  readonly user?: string;
  readonly device?: string;
  readonly session?: string;
  readonly live?: boolean;
  readonly limit: number;
}

const LARGEST_PAGE = 1_000;

const sessionRow = (session: SessionsTable, risk: SessionRiskView | undefined): Row => ({
  id: session.id,
  user: session.user_name,
  device: session.device_name,
  account: session.account,
  credential: session.credential_name,
  grant: session.grant_name,
  source: session.source_address,
  sourcePort: session.source_port,
  client: session.client_identification,
  authentication: session.authentication,
  via: session.via,
  recording: session.recording,
  gateway: session.gateway,
  state: session.ended_at === null ? 'live' : 'ended',
  startedAt: instant(session.started_at),
  endedAt: instant(session.ended_at),
  endReason: session.end_reason ?? undefined,
  bytesFromClient: session.bytes_from_client ?? undefined,
  bytesFromDevice: session.bytes_from_device ?? undefined,
  host: session.device_host,
  port: session.device_port,
  userId: session.user_id,
  deviceId: session.device_id,
  credentialId: session.credential_id,
  grantId: session.grant_id,
  ...(risk === undefined ? {} : riskCells(risk)),
});

/** How unusual it was, with every point explained. */
const riskCells = (risk: SessionRiskView): Row => ({
  risk: risk.score,
  suspicious: risk.suspiciousAt !== undefined,
  suspiciousAt: instant(risk.suspiciousAt),
  standing: risk.standing,
  findings: risk.findings.map(explain),
  commandPoints: risk.commandPoints,
  auditedCommands: risk.auditedCommands,
  blockedCommands: risk.blockedCommands,
  submittedForAudit: risk.submitted,
  action: risk.action === '' ? undefined : risk.action,
  historySessions: risk.historySessions,
  activity: risk.activity,
});

const mustFind = async (store: Store, id: string): Promise<SessionsTable> => {
  const session = await findSession(store, id);
  if (session === undefined) {
    throw new CliError(
      EXIT.notFound,
      `SP_NOT_FOUND: there is no session ${shown(id, 64)}, or more than one begins so`,
    );
  }
  return session;
};

const readAll = async (store: Store, filter: SessionFilter): Promise<readonly SessionsTable[]> => {
  const rows: SessionsTable[] = [];
  let after: string | undefined;
  do {
    const limit = Math.min(LARGEST_PAGE, filter.limit - rows.length);
    const page = await listSessions(store, { ...filter, limit, after });
    rows.push(...page.rows);
    after = page.next;
  } while (after !== undefined && rows.length < filter.limit);
  return rows;
};

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

export const registerSession = (program: Command): void => {
  const session = program.command('session').description('sessions: list, show, watch, end, hold, release');
  session
    .command('list')
    .description('sessions, newest first')
    .option('--since <when>', 'started since: 2h, 7d, or a date such as 2030-01-31T08:00:00Z', (text) =>
      readSince(text),
    )
    .option('--user <name>')
    .option('--device <name>')
    .option('--session <id>', 'a session id, or the beginning of one')
    .option('--live', 'only those that have not ended')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000_000), 100)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((options: SessionListOptions) =>
      withStore(options, async ({ store }) => {
        const rows = await readAll(store, {
          since: options.since,
          user: options.user,
          device: options.device,
          session: options.session,
          live: options.live === true,
          limit: options.limit,
          after: undefined,
        });
        const columns = [
          'id',
          'user',
          'device',
          'account',
          'source',
          'startedAt',
          'endedAt',
          'endReason',
          'risk',
        ];
        const risks = await risksOf(
          store,
          rows.map(({ id }) => id),
        );
        const shownRows = rows.map((row) => sessionRow(row, risks.get(row.id)));
        printList(process.stdout, shownRows, columns, options.json === true);
      }),
    );
  session
    .command('show <id>')
    .description('one session')
    .option('--json', 'one JSON object')
    .option(...CONFIG)
    .action((id: string, options: ConfigOption & { readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        const found = await mustFind(store, id);
        const risk = (await risksOf(store, [found.id])).get(found.id);
        printOne(process.stdout, sessionRow(found, risk), options.json === true);
      }),
    );
  session
    .command('watch <id>')
    .description('look on at a live session; Ctrl-C stops')
    .option('--channel <number>', 'another channel than its terminal', wholeNumber(0, 1_000_000))
    .option('--json', 'every event of every channel, one JSON object a line')
    .option(...CONFIG)
    .action((id: string, options: ConfigOption & { readonly channel?: number; readonly json?: boolean }) =>
      withStore(options, async ({ config, store }) => {
        const { id: session } = await mustFind(store, id);
        await watchInTerminal(config, session, options);
      }),
    );
  registerApprovals(session);
  const order = (
    name: string,
    description: string,
    build: (options: { readonly reason?: string }) => Order,
    done: string,
  ): Command =>
    session
      .command(`${name} <id>`)
      .description(description)
      .option(...CONFIG)
      .action((id: string, options: ConfigOption & { readonly reason?: string }) =>
        withStore(options, async (place) => {
          const found = await mustFind(place.store, id);
          const went = await orderSession(place, found, build(options));
          process.stdout.write(
            went === 'delivered'
              ? `session ${found.id}: ${done}\n`
              : `session ${found.id}: passed on to its gateway\n`,
          );
        }),
      );
  order(
    'end',
    'end a live session',
    ({ reason }) => ({
      kind: 'end',
      reason: 'ended-by-administrator',
      tell: reason === undefined ? 'An administrator ended this session.' : shown(reason, 500),
    }),
    'told to end',
  ).option('--reason <text>', 'what its user is told');
  order('hold', 'hold the input of a live session', () => ({ kind: 'hold' }), 'its input is held');
  order('release', 'let the input of a held session go on', () => ({ kind: 'release' }), 'its input goes on');
};
