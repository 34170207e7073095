// `siem`: how the outputs to other systems stand, what receivers have refused for good, sending that again, and forgetting
// an output that is configured no more. What is sent where stands in sallyport.yaml.
import type { Command } from 'commander';
import { shown } from '../directory/shown-text.ts';
import { forgetOutput, listOutputs, listRefused, retryRefused } from '../siem/queue.ts';
import { type ConfigOption, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, printList } from './output.ts';
import { wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;
const JSON_OPTION = ['--json', 'one JSON object a line'] as const;

export const registerSiem = (program: Command): void => {
  const siem = program.command('siem').description('outputs to other systems: list, refused, retry, forget');
  siem
    .command('list')
    .description('outputs, with what waits, what was delivered and what was lost')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ config, store }) => {
        const standing = await listOutputs(store);
        const known = new Map(config.siem.outputs.map((output) => [output.name, output]));
        const names = [...new Set([...known.keys(), ...standing.map(({ output }) => output)])].sort();
        const rows = names.map((name) => {
          const settings = known.get(name);
          const stands = standing.find(({ output }) => output === name);
          return {
            name,
            kind: settings?.kind ?? 'not configured',
            format: settings === undefined || settings.kind === 'mail' ? undefined : settings.format,
            waiting: stands?.waiting ?? 0,
            refused: stands?.refused ?? 0,
            delivered: stands?.delivered ?? 0,
            lost: stands?.lost ?? 0,
            oldestWaiting: instant(stands?.oldestWaiting),
            lastDelivered: instant(stands?.lastDelivered),
            lastError: stands?.lastError === '' ? undefined : stands?.lastError,
            lastErrorAt: instant(stands?.lastErrorAt),
          };
        });
        const columns = ['name', 'kind', 'format', 'waiting', 'refused', 'delivered', 'lost', 'lastError'];
        printList(process.stdout, rows, columns, options.json === true);
      }),
    );
  siem
    .command('refused [output]')
    .description('events that a receiver will never take, and why')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 100_000), 100)
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((output: string | undefined, options: ListOptions & { readonly limit: number }) =>
      withStore(options, async ({ store }) => {
        const rows = (await listRefused(store, output, options.limit)).map(({ at, ...row }) => ({
          at: instant(at),
          ...row,
        }));
        printList(process.stdout, rows, ['at', 'output', 'kind', 'reason', 'id'], options.json === true);
      }),
    );
  siem
    .command('retry <output>')
    .description('send again what was refused')
    .option(...CONFIG)
    .action((output: string, options: ConfigOption) =>
      withStore(options, async ({ store }) => {
        const count = await retryRefused(store, output);
        process.stdout.write(`${count} events wait again for ${shown(output, 64)}\n`);
      }),
    );
  siem
    .command('forget <output>')
    .description('forget an output that is configured no more, with what waits for it')
    .option(...CONFIG)
    .action((output: string, options: ConfigOption) =>
      withStore(options, async ({ config, store }) => {
        if (config.siem.outputs.some(({ name }) => name === output))
          throw new CliError(EXIT.usage, `${output} is in the configuration: take it out first`);
        if (!(await forgetOutput(store, output)))
          throw new CliError(EXIT.notFound, `SP_NOT_FOUND: there is no output ${shown(output, 64)}`);
        process.stdout.write(`forgotten: ${output}\n`);
      }),
    );
};
