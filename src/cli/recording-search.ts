// `recording search`: commands and screen text over all recordings, with the second to jump to. It brings the index up to
// date first, with what the gateway has not indexed by itself yet.
import { type Command, Option } from 'commander';
import { openerFromPem } from '../../recordings/keys.ts';
import { SearchIndex, searchKeyOf } from '../../recordings/search-index.ts';
import { loadConfig } from '../config/load.ts';
import { shown } from '../directory/shown-text.ts';
import { gatewayOpeners, recordingsFolder, searchIndexFile } from '../gateway/recordings.ts';
import { type ConfigOption, readInput } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, printList, type Row } from './output.ts';
import { readSince, wholeNumber } from './since.ts';

interface SearchOptions extends ConfigOption {
  readonly kind?: 'command' | 'screen';
  readonly user?: string;
  readonly device?: string;
  readonly credential?: string;
  readonly since?: number;
  readonly limit: number;
  readonly key?: string;
  readonly index?: string;
  readonly update: boolean;
  readonly json?: boolean;
}

export const registerSearch = (recording: Command): void => {
  recording
    .command('search [words...]')
    .description('commands and screen text, newest first; without words it only brings the index up to date')
    .addOption(new Option('--kind <kind>', 'commands only, or screens only').choices(['command', 'screen']))
    .option('--user <name>')
    .option('--device <name>')
    .option('--credential <name>')
    .option(
      '--since <when>',
      'sessions started since: 2h, 7d, or a date such as 2030-01-31T08:00:00Z',
      (text) => readSince(text),
    )
    .option('--limit <count>', 'at most so many', wholeNumber(1, 100_000), 50)
    .option('--key <file>', "an auditor's private X25519 key in PEM, in place of the gateway's")
    .option('--index <file>', 'the index (default: search.db in the data folder)')
    .option('--no-update', 'search what is indexed already')
    .option('--json', 'one JSON object a line')
    .option('--config <file>', 'configuration file (default: ./sallyport.yaml where there is one)')
    .action(async (words: readonly string[], options: SearchOptions) => {
      const config = loadConfig({ file: options.config });
      const openers =
        options.key === undefined ? gatewayOpeners(config) : [openerFromPem(readInput(options.key))];
      const [own] = openers;
      if (own === undefined) throw new CliError(EXIT.notFound, 'there is no master key');
      if (options.key !== undefined && options.index === undefined) {
        throw new CliError(EXIT.usage, "say --index: the gateway's own index has its own key");
      }
      using index = new SearchIndex(options.index ?? searchIndexFile(config), searchKeyOf(own));
      const unreadable = (session: string, reason: string): void => {
        process.stderr.write(`${shown(`not indexed: ${session}: ${reason}`, 500)}\n`);
      };
      const root = recordingsFolder(config.recordings.url);
      if (options.update) await index.update(root, openers, { unreadable });
      const { kind, user, device, credential, since, limit } = options;
      const hits = index.search({ text: words.join(' '), kind, user, device, credential, since, limit });
      const rows = hits.map(
        (hit): Row => ({
          session: hit.session,
          second: Math.floor(hit.second * 1000) / 1000,
          startedAt: instant(hit.startedAt),
          user: hit.user,
          device: hit.device,
          kind: hit.kind,
          text: hit.text,
        }),
      );
      const columns = ['session', 'second', 'startedAt', 'user', 'device', 'kind', 'text'];
      printList(process.stdout, rows, columns, options.json === true);
    });
};
