// `recording hold`, `release`, `delete` and `prune`: how long recordings are kept. A deletion leaves a signed tombstone and
// takes the session out of the search index too. Nothing is deleted unless somebody, or a timer of theirs, says so.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { RecordingError } from '../../recordings/errors.ts';
import { loadSigner } from '../../recordings/keys.ts';
import { findRecording } from '../../recordings/places.ts';
import { deleteRecording, dueRecordings, hold, releaseHold } from '../../recordings/retention.ts';
import { SearchIndex } from '../../recordings/search-index.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { readBytes } from '../config/units.ts';
import { shown } from '../directory/shown-text.ts';
import { recordingsFolder, signingKeyFile } from '../gateway/recordings.ts';
import { actor, type ConfigOption } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { readSince } from './since.ts';

interface ReasonOption extends ConfigOption {
  readonly reason: string;
}

interface PruneOptions extends ReasonOption {
  readonly olderThan?: number;
  readonly over?: number;
  readonly grant?: string;
  readonly dryRun?: boolean;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

const readSize = (text: string): number => {
  const reading = readBytes(text);
  if ('problem' in reading) throw new CliError(EXIT.usage, reading.problem);
  return reading.value;
};

const pathOf = async (config: Config, id: string): Promise<string> => {
  try {
    return await findRecording(recordingsFolder(config.recordings.url), id);
  } catch (error) {
    if (error instanceof RecordingError) {
      throw new CliError(EXIT.notFound, `${error.code}: there is no recording of session ${shown(id, 64)}`);
    }
    throw error;
  }
};

const forget = (config: Config, session: string): void => {
  const file = join(config.data, 'search.db');
  if (!existsSync(file)) return;
  using index = new SearchIndex(file);
  index.remove(session);
};

const remove = async (config: Config, path: string, reason: string): Promise<void> => {
  const signer = await loadSigner(signingKeyFile(config));
  const { session } = await deleteRecording(path, signer, { by: actor(), reason, at: Date.now() });
  forget(config, session);
  process.stdout.write(`deleted ${shown(session, 64)}\n`);
};

export const registerKeeping = (recording: Command): void => {
  recording
    .command('hold <session>')
    .description('forbid its deletion')
    .requiredOption('--reason <text>', 'such as a case number')
    .option(...CONFIG)
    .action(async (id: string, options: ReasonOption) => {
      const path = await pathOf(loadConfig({ file: options.config }), id);
      await hold(path, actor(), options.reason.slice(0, 1000), Date.now());
    });
  recording
    .command('release <session>')
    .description('end a hold')
    .option(...CONFIG)
    .action(async (id: string, options: ConfigOption) =>
      releaseHold(await pathOf(loadConfig({ file: options.config }), id)),
    );
  recording
    .command('delete <session>')
    .description('delete it, leaving a signed tombstone')
    .requiredOption('--reason <text>')
    .option(...CONFIG)
    .action(async (id: string, options: ReasonOption) => {
      const config = loadConfig({ file: options.config });
      await remove(config, await pathOf(config, id), options.reason.slice(0, 1000));
    });
  recording
    .command('prune')
    .description('delete recordings by age or by size, except those that are held')
    .option('--older-than <age>', 'such as 90d', (text) => readSince(text))
    .option('--over <size>', 'the oldest ones, as long as all take more than this: 500GiB', readSize)
    .option('--grant <name>', 'only sessions under this grant')
    .option('--reason <text>', 'stands in the tombstones', 'retention')
    .option('--dry-run', 'only say what would go')
    .option(...CONFIG)
    .action(async (options: PruneOptions) => {
      if (options.olderThan === undefined && options.over === undefined) {
        throw new CliError(EXIT.usage, 'say --older-than, --over, or both');
      }
      const config = loadConfig({ file: options.config });
      const rule = { before: options.olderThan, bytes: options.over, grant: options.grant };
      for await (const { id, path } of dueRecordings(recordingsFolder(config.recordings.url), rule)) {
        if (options.dryRun === true) process.stdout.write(`would delete ${shown(id, 64)}\n`);
        else await remove(config, path, options.reason.slice(0, 1000));
      }
    });
};
