// `config`: whether sallyport.yaml and the environment are right, and what they come to. Secrets in it are not shown.
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { type Config, loadConfig } from '../config/load.ts';
import type { ConfigOption } from './context.ts';
import { jsonLine } from './output.ts';

/** The password of a database URL goes; everything else helps to find mistakes. */
export const withoutPassword = (url: string): string => {
  if (!URL.canParse(url) || !/^postgres/.test(url)) return url;
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  if (parsed.searchParams.has('password')) parsed.searchParams.set('password', '***');
  return parsed.toString();
};

const shownConfig = (config: Config): Record<string, unknown> => ({
  ...config,
  store: { ...config.store, url: withoutPassword(config.store.url) },
  masterKey:
    config.masterKey.secret === undefined ? { file: config.masterKey.file } : { from: 'the environment' },
});

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

export const registerConfig = (program: Command): void => {
  const config = program.command('config').description('configuration: check, show');
  config
    .command('check')
    .description('say what is wrong, with line and column')
    .option(...CONFIG)
    .action((options: ConfigOption) => {
      const { file } = loadConfig({ file: options.config });
      process.stdout.write(`${file ?? 'no file, the defaults and the environment'}: fine\n`);
    });
  config
    .command('show')
    .description('every key with the value it comes to')
    .option('--json', 'one JSON object')
    .option(...CONFIG)
    .action((options: ConfigOption & { readonly json?: boolean }) => {
      const effective = shownConfig(loadConfig({ file: options.config }));
      process.stdout.write(options.json === true ? jsonLine(effective) : stringify(effective));
    });
};
