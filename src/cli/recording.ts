// `recording`: lists recordings, plays them in this terminal and exports them as plain asciicast. What a recorded device
// wrote is made safe for this terminal first; an exported file is as recorded.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { RecordingError } from '../../recordings/errors.ts';
import { type ListedRecording, listRecordings } from '../../recordings/list.ts';
import { exportCast, frames } from '../../recordings/play.ts';
import { findRecording, readEvents, readHeader } from '../../recordings/read.ts';
import { loadConfig } from '../config/load.ts';
import { shown } from '../directory/shown-text.ts';
import { recordingsFolder } from '../gateway/recordings.ts';
import type { ConfigOption } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, printList, type Row } from './output.ts';
import { positiveNumber, readSince, wholeNumber } from './since.ts';

interface RecordingListOptions extends ConfigOption {
  readonly json?: boolean;
  readonly since?: number;
  readonly user?: string;
  readonly device?: string;
  readonly session?: string;
  readonly limit: number;
}

interface PlayCommandOptions extends ConfigOption {
  readonly speed?: number;
  readonly idle?: number;
  readonly from?: number;
  readonly channel?: number;
}

const rootOf = (options: ConfigOption): string =>
  recordingsFolder(loadConfig({ file: options.config }).recordings.url);

const recordingRow = (recording: ListedRecording): Row =>
  recording.kind === 'readable'
    ? {
        id: recording.id,
        user: recording.header.session.user,
        device: recording.header.session.device,
        account: recording.header.session.account,
        startedAt: instant(recording.header.session.startedAt),
        seconds: recording.end.kind === 'closed' ? recording.end.seconds : undefined,
        state: recording.end.kind === 'closed' ? 'complete' : 'open',
        bytes: recording.bytes,
        path: recording.path,
      }
    : { id: recording.id, state: `unreadable: ${recording.code}`, path: recording.path };

const find = async (root: string, id: string): Promise<string> => {
  try {
    return await findRecording(root, id);
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

const LONGEST_PAUSE = 3_600_000;

/** Resolves when the terminal has taken the text, so that a slow one is not flooded. */
const write = async (sink: NodeJS.WritableStream, text: string): Promise<void> => {
  if (!sink.write(text)) await once(sink, 'drain');
};

const play = async (path: string, options: PlayCommandOptions): Promise<void> => {
  const header = await readHeader(path);
  const shape = header.terminal;
  if (
    process.stdout.isTTY === true &&
    (process.stdout.columns < shape.columns || process.stdout.rows < shape.rows)
  ) {
    process.stderr.write(`The recording has ${shape.columns} × ${shape.rows}, more than this terminal.\n`);
  }
  const stop = new AbortController();
  const stopped = (): void => stop.abort();
  process.once('SIGINT', stopped);
  try {
    const pace = {
      speed: options.speed,
      idleLimit: options.idle,
      from: options.from,
      channel: options.channel,
    };
    for await (const frame of frames(readEvents(path), pace)) {
      if (frame.wait > 0) {
        await pause(Math.min(frame.wait, LONGEST_PAUSE), undefined, { signal: stop.signal }).catch(
          () => undefined,
        );
      }
      if (stop.signal.aborted) return;
      await write(process.stdout, frame.text);
    }
  } finally {
    process.removeListener('SIGINT', stopped);
    // Colours and the like end with the recording.
    if (process.stdout.isTTY === true) process.stdout.write('\x1b[0m\x1b[?25h\n');
  }
};

const exportTo = async (
  path: string,
  output: string | undefined,
  channel: number | undefined,
): Promise<void> => {
  const header = await readHeader(path);
  // A file that is there already is not overwritten: it may be evidence.
  const file = output === undefined ? undefined : createWriteStream(output, { flags: 'wx', mode: 0o600 });
  if (file !== undefined) await once(file, 'open');
  const sink = file ?? process.stdout;
  for await (const line of exportCast(header, readEvents(path), channel)) await write(sink, line);
  if (file !== undefined) {
    file.end();
    await once(file, 'finish');
  }
};

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

export const registerRecording = (program: Command): void => {
  const recording = program.command('recording').description('recordings: list, play, export');
  recording
    .command('list')
    .description('recordings, newest first')
    .option('--since <when>', 'started since: 2h, 7d, or a date such as 2030-01-31T08:00:00Z', (text) =>
      readSince(text),
    )
    .option('--user <name>')
    .option('--device <name>')
    .option('--session <id>')
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1_000_000), 100)
    .option('--json', 'one JSON object a line')
    .option(...CONFIG)
    .action(async (options: RecordingListOptions) => {
      const rows: Row[] = [];
      const { since, user, device, session } = options;
      for await (const entry of listRecordings(rootOf(options), { since, user, device, session })) {
        rows.push(recordingRow(entry));
        if (rows.length >= options.limit) break;
      }
      const columns = ['id', 'user', 'device', 'account', 'startedAt', 'seconds', 'state', 'bytes'];
      printList(process.stdout, rows, columns, options.json === true);
    });
  recording
    .command('play <session>')
    .description('replay in this terminal; Ctrl-C stops')
    .option('--speed <factor>', 'such as 2 or 0.5', positiveNumber)
    .option('--idle <seconds>', 'cut pauses to so long', positiveNumber)
    .option('--from <seconds>', 'start so far into the session', positiveNumber)
    .option('--channel <number>', 'one channel of the session', wholeNumber(0, 1_000_000))
    .option(...CONFIG)
    .action(async (id: string, options: PlayCommandOptions) =>
      play(await find(rootOf(options), id), options),
    );
  recording
    .command('export <session>')
    .description('asciicast v3, for other players')
    .option('-o, --output <file>', 'a new file; without it standard output')
    .option('--channel <number>', 'one channel of the session', wholeNumber(0, 1_000_000))
    .option(...CONFIG)
    .action(
      async (id: string, options: ConfigOption & { readonly output?: string; readonly channel?: number }) =>
        exportTo(await find(rootOf(options), id), options.output, options.channel),
    );
};
