// `report user NAME`: one user's posture, as text or as one JSON object. Reading it is src/oversight's; this prints.
import type { Command } from 'commander';
import { readSettings } from '../directory/settings.ts';
import { reportUser, type UserReport } from '../oversight/user-report.ts';
import { type ConfigOption, withStore } from './context.ts';
import { instant, jsonLine, printOne, table } from './output.ts';
import { wholeNumber } from './since.ts';

const DAY = 86_400_000;

const two = (hour: number): string => `${String(hour % 24).padStart(2, '0')}:00`;

const printText = (report: UserReport, days: number): void => {
  const { busiestHour } = report;
  printOne(
    process.stdout,
    {
      user: report.user,
      status: report.disabledReason === undefined ? 'enabled' : `disabled: ${report.disabledReason}`,
      rating: report.rating,
      lastAccess: instant(report.lastAccess),
      lastAddress: report.lastAddress,
      days,
      signIns: report.signIns,
      sessions: report.sessions,
      hoursRecorded: Math.round(report.secondsRecorded / 36) / 100,
      meanSeconds: report.meanSeconds,
      busiestHour:
        busiestHour === undefined
          ? undefined
          : `${two(busiestHour.hour)} to ${two(busiestHour.hour + 1)} (${busiestHour.sessions} sessions)`,
    },
    false,
  );
  const section = (title: string, rows: readonly Parameters<typeof table>[0][number][]): void => {
    const [first] = rows;
    process.stdout.write(`\n${title}\n`);
    process.stdout.write(first === undefined ? 'none\n' : table(rows, Object.keys(first)));
  };
  const uses = (list: UserReport['origins']) =>
    list.map(({ of, sessions, suspiciousSessions, last }) => ({
      of,
      sessions,
      suspicious: suspiciousSessions,
      last: instant(last),
    }));
  section('Origins', uses(report.origins));
  section('Devices', uses(report.devices));
  section(
    'Rating, newest first',
    report.ratingChanges.map(({ at, cause, before, after }) => ({ at: instant(at), cause, before, after })),
  );
  section(
    'Suspicious, newest first: indicators to look into, never proof',
    report.suspicious.map(({ at, kind, id, what, score, findings }) => ({
      at: instant(at),
      kind,
      what,
      score,
      id,
      why: findings,
    })),
  );
};

export const registerUserReport = (program: Command): void => {
  const found = program.commands.find((command) => command.name() === 'report');
  const report = found ?? program.command('report').description('reports');
  report
    .command('user <name>')
    .description('one user: rating, hours, origins, devices, and all that was suspicious')
    .option('--days <count>', 'how far back', wholeNumber(1, 1_000), 90)
    .option('--json', 'as one JSON object')
    .option('--config <file>', 'configuration file (default: ./sallyport.yaml where there is one)')
    .action((name: string, options: ConfigOption & { readonly days: number; readonly json?: boolean }) =>
      withStore(options, async ({ store }) => {
        const settings = await readSettings(store.db);
        const until = Date.now();
        const made = await reportUser(
          store,
          name,
          { since: until - options.days * DAY, until },
          { initialRating: settings.initialRating, timeZone: settings['session.timeZone'] },
        );
        if (options.json !== true) {
          printText(made, options.days);
          return;
        }
        const at = <T extends { readonly at: number }>(one: T) => ({ ...one, at: instant(one.at) });
        const use = <T extends { readonly last: number }>(one: T) => ({ ...one, last: instant(one.last) });
        process.stdout.write(
          jsonLine({
            ...made,
            lastAccess: instant(made.lastAccess),
            origins: made.origins.map(use),
            devices: made.devices.map(use),
            ratingChanges: made.ratingChanges.map(at),
            suspicious: made.suspicious.map(at),
          }),
        );
      }),
    );
};
