// `recording hold`, `release`, `delete`, `prune` and `redact`: how long recordings, and what is in them, are kept. A
// deletion leaves a signed tombstone, a redaction a signed statement; both take the session out of the search index, and
// each of these stands in the log of changes before it is done.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { RecordingError } from '../../recordings/errors.ts';
import { loadSigner, openerFromPem } from '../../recordings/keys.ts';
import { findRecording } from '../../recordings/places.ts';
import { redactRecording } from '../../recordings/redact.ts';
import { RedactionRules } from '../../recordings/redaction-rules.ts';
import { deleteRecording, dueRecordings, hold, releaseHold } from '../../recordings/retention.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { readBytes } from '../config/units.ts';
import { shown } from '../directory/shown-text.ts';
import { noteRecordingAccess } from '../gateway/recording-access.ts';
import {
  gatewayOpeners,
  openSearchIndex,
  recordingsFolder,
  searchIndexFile,
  signingKeyFile,
} from '../gateway/recordings.ts';
import { actor, type ConfigOption, readInput, type Workplace, withStore } from './context.ts';
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

interface RedactOptions extends ReasonOption {
  readonly pattern: readonly string[];
  readonly name: string;
  readonly key?: string;
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
  if (!existsSync(searchIndexFile(config))) return;
  using index = openSearchIndex(config);
  index.remove(session);
};

/** Ids are plain words, which `pathOf` has checked. */
const sessionOf = (path: string): string => basename(path, '.sprec');

const remove = async ({ config, store }: Workplace, path: string, reason: string): Promise<void> => {
  const signer = await loadSigner(signingKeyFile(config));
  await noteRecordingAccess(store, 'deleted', sessionOf(path), actor(), { reason });
  const { session } = await deleteRecording(path, signer, { by: actor(), reason, at: Date.now() });
  forget(config, session);
  process.stdout.write(`deleted ${shown(session, 64)}\n`);
};

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

const redact = async ({ config, store }: Workplace, id: string, options: RedactOptions): Promise<void> => {
  const path = await pathOf(config, id);
  const rules = new RedactionRules(options.pattern.map((pattern) => ({ name: options.name, pattern })));
  const openers =
    options.key === undefined ? gatewayOpeners(config) : [openerFromPem(readInput(options.key))];
  const signer = await loadSigner(signingKeyFile(config));
  const reason = options.reason.slice(0, 1000);
  // Not the pattern: it may well be the secret.
  await noteRecordingAccess(store, 'redacted', sessionOf(path), actor(), { reason });
  const at = Date.now();
  const chunks = await redactRecording(path, signer, openers, { rules, by: actor(), reason, at });
  if (chunks === 0) {
    process.stdout.write('nothing in it matches\n');
    return;
  }
  forget(config, sessionOf(path));
  process.stdout.write(
    `redacted ${chunks} ${chunks === 1 ? 'chunk' : 'chunks'} of ${shown(sessionOf(path), 64)}\n`,
  );
};

export const registerKeeping = (recording: Command): void => {
  recording
    .command('hold <session>')
    .description('forbid its deletion')
    .requiredOption('--reason <text>', 'such as a case number')
    .option(...CONFIG)
    .action((id: string, options: ReasonOption) =>
      withStore(options, async ({ config, store }) => {
        const path = await pathOf(config, id);
        const reason = options.reason.slice(0, 1000);
        await noteRecordingAccess(store, 'held', sessionOf(path), actor(), { reason });
        await hold(path, actor(), reason, Date.now());
      }),
    );
  recording
    .command('release <session>')
    .description('end a hold')
    .option(...CONFIG)
    .action((id: string, options: ConfigOption) =>
      withStore(options, async ({ config, store }) => {
        const path = await pathOf(config, id);
        await noteRecordingAccess(store, 'released', sessionOf(path), actor(), {});
        await releaseHold(path);
      }),
    );
  recording
    .command('delete <session>')
    .description('delete it, leaving a signed tombstone')
    .requiredOption('--reason <text>')
    .option(...CONFIG)
    .action((id: string, options: ReasonOption) =>
      withStore(options, async (place) =>
        remove(place, await pathOf(place.config, id), options.reason.slice(0, 1000)),
      ),
    );
  recording
    .command('redact <session>')
    .description('take text out of a sealed recording for good; the proof of the rest holds')
    .requiredOption('--pattern <expression>', 'what goes (RE2); may be given again', collect, [])
    .option('--name <word>', 'stands in its place', 'redacted')
    .requiredOption('--reason <text>')
    .option('--key <file>', "an auditor's private X25519 key in PEM, in place of the gateway's")
    .option(...CONFIG)
    .action((id: string, options: RedactOptions) =>
      withStore(options, (place) => redact(place, id, options)),
    );
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
      const rule = { before: options.olderThan, bytes: options.over, grant: options.grant };
      const due = (config: Config) => dueRecordings(recordingsFolder(config.recordings.url), rule);
      if (options.dryRun === true) {
        for await (const { id } of due(loadConfig({ file: options.config })))
          process.stdout.write(`would delete ${shown(id, 64)}\n`);
        return;
      }
      await withStore(options, async (place) => {
        for await (const { path } of due(place.config))
          await remove(place, path, options.reason.slice(0, 1000));
      });
    });
};
