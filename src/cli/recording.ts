// `recording`: lists recordings, shows, plays, exports and verifies them, and prints the key that they are verified with.
// What a recorded device wrote is made safe for this terminal first; an exported file is as recorded.

import { once } from 'node:events';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { constants, copyFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { RecordingError } from '../../recordings/errors.ts';
import {
  type Opener,
  openerFromPem,
  publicPem,
  readSigner,
  type Verifier,
  verifierFrom,
  verifierOf,
} from '../../recordings/keys.ts';
import { type ListedRecording, listRecordings, type RecordingFilter } from '../../recordings/list.ts';
import { readHeader } from '../../recordings/open.ts';
import { findRecording, idsWithTails } from '../../recordings/places.ts';
import { exportCast, exportMarks, exportText, frames } from '../../recordings/play.ts';
import { readEvents, readMarks, readShape } from '../../recordings/read.ts';
import { listTombstones } from '../../recordings/retention.ts';
import { type Finding, type FindingKind, type Verification, verifyFile } from '../../recordings/verify.ts';
import type { Config } from '../config/load.ts';
import { loadConfig } from '../config/load.ts';
import { shown } from '../directory/shown-text.ts';
import {
  gatewayOpeners,
  recordingRecipients,
  recordingsFolder,
  signingKeyFile,
} from '../gateway/recordings.ts';
import { type ConfigOption, readInput } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, jsonLine, printList, printOne, type Row } from './output.ts';
import { registerKeeping } from './recording-keep.ts';
import { Player, playerKeys } from './recording-player.ts';
import { registerSearch } from './recording-search.ts';
import { positiveNumber, readSince, wholeNumber } from './since.ts';

interface RecordingListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly since?: number;
  readonly user?: string;
  readonly device?: string;
  readonly session?: string;
  readonly deleted: boolean;
  readonly limit: number;
}

interface KeyOption extends ConfigOption {
  readonly key?: string;
}

interface PlayCommandOptions extends KeyOption {
  readonly speed?: number;
  readonly idle?: number;
  readonly from?: number;
  readonly command?: number;
  readonly step?: boolean;
  readonly channel?: number;
}

const exportFormats = ['cast', 'cast2', 'text', 'commands', 'marks', 'sealed'] as const;

interface ExportCommandOptions extends KeyOption {
  readonly output?: string;
  readonly channel?: number;
  readonly format: (typeof exportFormats)[number];
}

interface VerifyCommandOptions extends ConfigOption {
  readonly publicKey?: string;
  readonly json?: boolean;
}

/** What `verify` ends with, by the first finding. Documented in docs/command-line.md. */
const VERDICT_EXIT: Readonly<Record<FindingKind, number>> = {
  truncated: 10,
  reordered: 11,
  substituted: 12,
  gap: 13,
  added: 14,
  'other-key': 15,
};

const configOf = (options: ConfigOption): Config => loadConfig({ file: options.config });

const rootOf = (config: Config): string => recordingsFolder(config.recordings.url);

type RecordingState = 'running' | 'open' | 'complete' | 'interrupted';

const stateOf = (
  recording: Extract<ListedRecording, { kind: 'readable' }>,
  withTails: ReadonlySet<string>,
): RecordingState => {
  if (recording.seal !== undefined) return recording.seal.outcome;
  // Without a seal and without tails, somebody cut the file.
  return withTails.has(recording.id) ? 'running' : 'open';
};

const recordingRow = (recording: ListedRecording, withTails: ReadonlySet<string>): Row =>
  recording.kind === 'readable'
    ? {
        id: recording.id,
        user: recording.header.session.user,
        device: recording.header.session.device,
        account: recording.header.session.account,
        startedAt: instant(recording.header.session.startedAt),
        seconds: recording.seal === undefined ? undefined : Math.round(recording.seal.duration * 1000) / 1000,
        state: stateOf(recording, withTails),
        reason: recording.seal?.reason,
        bytes: recording.bytes,
        path: recording.path,
      }
    : { id: recording.id, state: `unreadable: ${recording.code}`, path: recording.path };

/** Tombstones that fit the filter; one that the gateway's key did not sign is shown as such unless the filter is about its content. */
const deletedRows = async (
  root: string,
  verifier: Verifier,
  filter: RecordingFilter,
  limit: number,
): Promise<readonly Row[]> => {
  const rows: Row[] = [];
  const { since = 0, user, device, session } = filter;
  for await (const { id, path, tombstone } of listTombstones(root, verifier)) {
    if (rows.length >= limit) break;
    if (session !== undefined && session !== id) continue;
    if (tombstone === undefined) {
      if (user === undefined && device === undefined)
        rows.push({ id, state: 'deleted, not signed by this gateway', path });
      continue;
    }
    if (tombstone.startedAt < since) continue;
    if ((user ?? tombstone.user) !== tombstone.user || (device ?? tombstone.device) !== tombstone.device)
      continue;
    rows.push({
      id,
      user: tombstone.user,
      device: tombstone.device,
      startedAt: instant(tombstone.startedAt),
      state: 'deleted',
      reason: tombstone.reason,
      deletedBy: tombstone.by,
      deletedAt: instant(tombstone.deletedAt),
      path,
    });
  }
  return rows;
};

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** A session's recording, or a file that was named. */
const find = async (root: () => string, id: string): Promise<string> => {
  if ((id.includes('/') || id.endsWith('.sprec')) && isFile(id)) return id;
  try {
    return await findRecording(root(), id);
  } catch (error) {
    if (
      error instanceof RecordingError &&
      (error.code === 'SP_RECORDING_MISSING' || error.code === 'SP_RECORDING_ID')
    ) {
      throw new CliError(EXIT.notFound, `${error.code}: there is no recording of session ${shown(id, 64)}`);
    }
    throw error;
  }
};

/** The auditor's own key where one is given, else the gateway's. */
const openersFor = (options: KeyOption): readonly Opener[] =>
  options.key === undefined ? gatewayOpeners(configOf(options)) : [openerFromPem(readInput(options.key))];

/** Resolves when the sink has taken the text, so that a slow one is not flooded. */
const write = async (sink: NodeJS.WritableStream, text: string | Buffer): Promise<void> => {
  if (!sink.write(text)) await once(sink, 'drain');
};

const play = async (path: string, options: PlayCommandOptions): Promise<void> => {
  const openers = openersFor(options);
  const shape = await readShape(path, openers, options.channel);
  const { stdout, stdin, stderr } = process;
  if (stdout.isTTY === true && (stdout.columns < shape.columns || stdout.rows < shape.rows)) {
    stderr.write(`The recording has ${shape.columns} × ${shape.rows}, more than this terminal.\n`);
  }
  if (stdout.isTTY === true && stdin.isTTY === true) stderr.write(`${playerKeys}\n`);
  let from = options.from;
  if (options.command !== undefined) {
    const commands = (await readMarks(path, openers)).filter(({ kind }) => kind === 'command');
    const wanted = commands[options.command - 1];
    if (wanted === undefined) {
      throw new CliError(EXIT.notFound, `there are ${commands.length} commands in this recording`);
    }
    from = wanted.at;
  }
  const player = new Player(stdout, stdin, { speed: options.speed ?? 1, step: options.step === true });
  const pace = { idleLimit: options.idle, from, channel: options.channel };
  await player.play(frames(readEvents(path, openers, { from }), pace));
};

const exported = async function* (
  path: string,
  options: ExportCommandOptions,
): AsyncGenerator<string | Buffer, void, undefined> {
  if (options.format === 'sealed') {
    for await (const piece of createReadStream(path)) yield Buffer.from(piece);
    return;
  }
  const openers = openersFor(options);
  const events = readEvents(path, openers);
  switch (options.format) {
    case 'cast':
    case 'cast2': {
      const [header, shape] = [await readHeader(path), await readShape(path, openers, options.channel)];
      const version = options.format === 'cast' ? 3 : 2;
      yield* exportCast(header, events, { version, shape, channel: options.channel });
      return;
    }
    case 'text':
      yield* exportText(events, options.channel);
      return;
    case 'commands':
      yield* exportMarks(events, 'command');
      return;
    case 'marks':
      yield* exportMarks(events);
      return;
    default:
      options.format satisfies never;
  }
};

const exportTo = async (path: string, options: ExportCommandOptions): Promise<void> => {
  // A file that is there already is not overwritten: it may be evidence.
  if (options.format === 'sealed' && options.output !== undefined) {
    await copyFile(path, options.output, constants.COPYFILE_EXCL);
    return;
  }
  const { output } = options;
  const file = output === undefined ? undefined : createWriteStream(output, { flags: 'wx', mode: 0o600 });
  if (file !== undefined) await once(file, 'open');
  const sink = file ?? process.stdout;
  for await (const piece of exported(path, options)) await write(sink, piece);
  if (file !== undefined) {
    file.end();
    await once(file, 'finish');
  }
};

const signingVerifier = async (config: Config): Promise<Verifier> => {
  const signer = await readSigner(signingKeyFile(config));
  if (signer === undefined) {
    throw new CliError(
      EXIT.notFound,
      'this gateway has no signing key yet: it makes one with its first session',
    );
  }
  return verifierOf(signer.raw);
};

const verdictLine = (finding: Finding): string =>
  `${finding.kind} at byte ${finding.offset}${
    finding.end > finding.offset ? ` (in doubt up to byte ${finding.end})` : ''
  }: ${finding.text}`;

const printVerification = (path: string, verification: Verification, json: boolean): void => {
  const { findings, seal, preamble, redactions, chunks, bytes } = verification;
  if (json) {
    const session = preamble?.session;
    process.stdout.write(
      jsonLine({ path, proved: findings.length === 0, findings, seal, session, redactions, chunks, bytes }),
    );
    return;
  }
  for (const finding of findings) process.stdout.write(`${shown(verdictLine(finding), 1000)}\n`);
  for (const { sequence, at, by, reason } of redactions) {
    const when = instant(at) ?? '';
    process.stdout.write(`${shown(`chunk ${sequence} was redacted on ${when} by ${by}: ${reason}`, 1000)}\n`);
  }
  if (findings.length === 0 && seal !== undefined && preamble !== undefined) {
    const { user, account, device } = preamble.session;
    const ended = seal.outcome === 'complete' ? 'complete' : `interrupted (${seal.reason})`;
    const what = `${seal.events} events in ${chunks} chunks, ${seal.duration} s, ${ended}`;
    process.stdout.write(`${shown(`proved: ${user}@${account}@${device}: ${what}`, 1000)}\n`);
  }
};

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;
const KEY = ['--key <file>', "an auditor's private X25519 key in PEM, in place of the gateway's"] as const;

/** Seconds, or `h:mm:ss`. */
const readSecond = (text: string): number => {
  const parts = /^(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d{1,6}(?:\.\d{1,6})?)$/.exec(text);
  if (parts === null) return positiveNumber(text);
  const [, hours = '0', minutes = '0', seconds = '0'] = parts;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
};

export const registerRecording = (program: Command): void => {
  const recording = program
    .command('recording')
    .description(
      'recordings: list, play, export, verify, search, hold, delete, redact, and the key that proves them',
    );
  recording
    .command('list')
    .description('recordings, newest first')
    .option('--since <when>', 'started since: 2h, 7d, or a date such as 2030-01-31T08:00:00Z', (text) =>
      readSince(text),
    )
    .option('--user <name>')
    .option('--device <name>')
    .option('--session <id>')
    .option('--no-deleted', 'leave out what was deleted, which comes last')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000_000), 100)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action(async (options: RecordingListOptions) => {
      const rows: Row[] = [];
      const { since, user, device, session } = options;
      const root = rootOf(configOf(options));
      const withTails = new Set(await idsWithTails(root));
      for await (const entry of listRecordings(root, { since, user, device, session })) {
        rows.push(recordingRow(entry, withTails));
        if (rows.length >= options.limit) break;
      }
      const signer = await readSigner(signingKeyFile(configOf(options)));
      if (signer !== undefined && options.deleted) {
        const filter = { since, user, device, session };
        rows.push(...(await deletedRows(root, verifierOf(signer.raw), filter, options.limit - rows.length)));
      }
      const columns = ['id', 'user', 'device', 'account', 'startedAt', 'seconds', 'state', 'bytes'];
      printList(process.stdout, rows, columns, options.json === true);
    });
  recording
    .command('show <session>')
    .description('what the header and the seal say; `verify` proves it')
    .option('--json', 'as one JSON object')
    .option(...CONFIG)
    .action(async (id: string, options: ConfigOption & { readonly json?: boolean }) => {
      const root = rootOf(configOf(options));
      const path = await find(() => root, id);
      const withTails = new Set(await idsWithTails(root));
      const { session, signer, recipients } = await readHeader(path);
      for await (const entry of listRecordings(root, { session: session.id })) {
        const row = {
          ...recordingRow(entry, withTails),
          ...session,
          startedAt: instant(session.startedAt),
          signedBy: signer.id,
          opensWith: recipients.map((recipient) => recipient.id),
        };
        printOne(process.stdout, row, options.json === true);
      }
    });
  recording
    .command('play <session>')
    .description('replay in this terminal; Ctrl-C stops')
    .option('--speed <factor>', 'such as 2 or 0.5', positiveNumber)
    .option('--idle <seconds>', 'cut pauses to so long', positiveNumber)
    .option('--from <time>', 'start so far into the session: seconds, or h:mm:ss', readSecond)
    .option('--command <number>', 'start at the session’s so-manieth command', wholeNumber(1, 1_000_000))
    .option('--step', 'pause at each command')
    .option('--channel <number>', 'one channel of the session', wholeNumber(0, 1_000_000))
    .option(...KEY)
    .option(...CONFIG)
    .action(async (id: string, options: PlayCommandOptions) =>
      play(await find(() => rootOf(configOf(options)), id), options),
    );
  recording
    .command('export <session>')
    .description('for other players and programs, or as the sealed file itself')
    .addOption(
      new Option(
        '--format <format>',
        'asciicast v3, v2, plain text, commands or all marks as JSON lines, sealed',
      )
        .choices([...exportFormats])
        .default('cast'),
    )
    .option('-o, --output <file>', 'a new file; without it standard output')
    .option('--channel <number>', 'one channel of the session', wholeNumber(0, 1_000_000))
    .option(...KEY)
    .option(...CONFIG)
    .action(async (id: string, options: ExportCommandOptions) =>
      exportTo(await find(() => rootOf(configOf(options)), id), options),
    );
  recording
    .command('verify <session-or-file>')
    .description('prove that a recording is whole and unchanged; needs the public key only')
    .option('--public-key <file>', "the gateway's public key in PEM (default: this gateway's)")
    .option('--json', 'as one JSON object')
    .option(...CONFIG)
    .action(async (id: string, options: VerifyCommandOptions) => {
      const path = await find(() => rootOf(configOf(options)), id);
      const verifier =
        options.publicKey === undefined
          ? await signingVerifier(configOf(options))
          : verifierFrom(readInput(options.publicKey));
      // A session that was named must be the one in the file; a file that was named may be anybody's.
      const verification = await verifyFile(path, [verifier], path === id ? undefined : id);
      printVerification(path, verification, options.json === true);
      const [first] = verification.findings;
      if (first !== undefined) process.exitCode = VERDICT_EXIT[first.kind];
    });
  recording
    .command('key')
    .description('the public key that proves recordings, and who may open new ones')
    .option('--json', 'as one JSON object')
    .option(...CONFIG)
    .action(async (options: ConfigOption & { readonly json?: boolean }) => {
      const config = configOf(options);
      const verifier = await signingVerifier(config);
      const recipients = recordingRecipients(config);
      if (options.json !== true) {
        process.stdout.write(publicPem(verifier, 'ed25519'));
        return;
      }
      process.stdout.write(
        jsonLine({
          signing: { id: verifier.id, key: publicPem(verifier, 'ed25519') },
          recipients: recipients.map(({ id, raw }) => ({ id, key: raw.toString('base64') })),
        }),
      );
    });
  registerSearch(recording);
  registerKeeping(recording);
};
