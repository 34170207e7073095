// `setting`: the system settings, their ranges and defaults, changing one, and who changed what. What they do is told in
// docs/behaviour.md.
import type { Command } from 'commander';
import { showChange } from '../directory/apply.ts';
import {
  isSettingKey,
  readSettingValue,
  SETTINGS,
  type SettingValue,
  settingRange,
} from '../directory/settings.ts';
import { shown } from '../directory/shown-text.ts';
import { createEventLog } from '../events/event-log.ts';
import { changeSettings, listSettings, SETTINGS_CHANGED, settingHistory } from '../oversight/settings.ts';
import { actor, type ConfigOption, type Workplace, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { tellGateways } from './notices.ts';
import { instant, printList } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly changed?: boolean;
}

interface HistoryOptions extends ConfigOption {
  readonly json?: boolean;
  readonly since?: number;
  readonly limit: number;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

const valueIn = (json: string | null): string => {
  if (json === null) return '';
  const parsed: unknown = JSON.parse(json);
  const value = typeof parsed === 'object' && parsed !== null && 'value' in parsed ? parsed.value : undefined;
  return value === undefined || value === null ? '' : String(value);
};

const put = async (place: Workplace, key: string, value: SettingValue | undefined): Promise<void> => {
  const { store } = place;
  const events = createEventLog(store);
  const changes = await changeSettings({ store, events }, new Map([[key, value]]), {
    actor: actor(),
    now: Date.now(),
  });
  await tellGateways(place, SETTINGS_CHANGED, '');
  for (const change of changes) process.stdout.write(`${showChange(change).join('\n')}\n`);
};

export const registerSetting = (program: Command): void => {
  const setting = program.command('setting').description('system settings: list, set, unset, history');
  setting
    .command('list')
    .description('every setting with its value, default and range')
    .option('--changed', 'only those that differ from their default')
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const rows = (await listSettings(store))
          .filter(({ value, standard }) => options.changed !== true || value !== standard)
          .map(({ key, value, standard, range }) => ({ key, value, default: standard, range }));
        printList(process.stdout, rows, ['key', 'value', 'default', 'range'], options.json === true);
      }),
    );
  setting
    .command('set <key> <value>')
    .description('change a setting; it takes effect at once')
    .option(...CONFIG)
    .action((key: string, text: string, options: ConfigOption) =>
      withStore(options, async (place) => {
        if (!isSettingKey(key))
          throw new CliError(EXIT.notFound, `SP_NOT_FOUND: there is no setting ${shown(key, 64)}`);
        const value = readSettingValue(key, text);
        if (value === undefined) {
          throw new CliError(
            EXIT.usage,
            `SP_INVALID: ${key} takes ${settingRange(key)} (default: ${SETTINGS[key].standard})`,
          );
        }
        await put(place, key, value);
      }),
    );
  setting
    .command('unset <key>')
    .description('put the default of a setting back')
    .option(...CONFIG)
    .action((key: string, options: ConfigOption) =>
      withStore(options, (place) => put(place, key, undefined)),
    );
  setting
    .command('history [key]')
    .description('who changed which setting, newest first')
    .option('--since <when>', 'since: 2h, 7d, or a date', (text) => readSince(text))
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000), 100)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action((key: string | undefined, options: HistoryOptions) =>
      withStore(options, async ({ store }) => {
        const { rows } = await settingHistory(store, {
          key,
          since: options.since,
          limit: options.limit,
          after: undefined,
        });
        const shownRows = rows.map((row) => ({
          at: instant(row.at),
          actor: row.actor,
          key: row.name,
          before: valueIn(row.before_json),
          after: valueIn(row.after_json),
        }));
        printList(
          process.stdout,
          shownRows,
          ['at', 'actor', 'key', 'before', 'after'],
          options.json === true,
        );
      }),
    );
};
