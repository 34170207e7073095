// Where recordings are written: one file a session under ROOT/YYYY/MM/DD/ID.cast. Joins the recorder (what is stored)
// and the file (how it gets to disk). Sealing, encryption and upload are not done here.
import { join } from 'node:path';
import { AppendFile } from './append-file.ts';
import { RecordingError } from './errors.ts';
import { encodeHeader, headerOf } from './format.ts';
import { defaultRecorderOptions, Recorder, type RecorderOptions } from './recorder.ts';
import type { RecordedChannel, RecordedOutcome, RecordedSession } from './session.ts';

/** At most this long after an event it is durable. Milliseconds. */
const syncInterval = 500;

const sessionId = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The path of a session's recording; throws SP_RECORDING_ID for an id that isn't a plain word. */
export function recordingPath(root: string, id: string, startedAt: number): string {
  if (!sessionId.test(id)) throw new RecordingError('SP_RECORDING_ID', 'a session id must be a plain word');
  const day = new Date(startedAt).toISOString().slice(0, 10).split('-');
  return join(root, ...day, `${id}.cast`);
}

export class FileRecordings {
  readonly #root: string;
  readonly #options: RecorderOptions;

  /** `root` is made when it is missing. */
  constructor(root: string, options: Partial<RecorderOptions> = {}) {
    this.#root = root;
    this.#options = { ...defaultRecorderOptions, ...options };
  }

  /** Resolves when the file is there, durably, with its header. Throws SP_RECORDING_OPEN. */
  async start(session: RecordedSession): Promise<FileRecorder> {
    const path = recordingPath(this.#root, session.id, session.startedAt);
    return FileRecorder.open(path, session, this.#options);
  }
}

type Failure =
  | { readonly kind: 'none' }
  | { readonly kind: 'untold'; readonly error: RecordingError }
  | { readonly kind: 'told' };

export class FileRecorder {
  readonly #file: AppendFile;
  readonly #recorder: Recorder;
  #failure: Failure = { kind: 'none' };
  #onFailure: ((error: Error) => void) | undefined;
  onDrain: (() => void) | undefined;

  private constructor(file: AppendFile, session: RecordedSession, options: RecorderOptions) {
    this.#file = file;
    this.#recorder = new Recorder(session, file, options);
  }

  static async open(path: string, session: RecordedSession, options: RecorderOptions): Promise<FileRecorder> {
    // The file can call back only after this function's caller has the recorder.
    const holder: { recorder?: FileRecorder } = {};
    const file = await AppendFile.create(path, encodeHeader(headerOf(session)), syncInterval, {
      drained: () => holder.recorder?.onDrain?.(),
      failed: (error) => holder.recorder?.fail(error),
    });
    const recorder = new FileRecorder(file, session, options);
    holder.recorder = recorder;
    return recorder;
  }

  get path(): string {
    return this.#file.path;
  }

  get pendingBytes(): number {
    return this.#file.pendingBytes;
  }

  get onFailure(): ((error: Error) => void) | undefined {
    return this.#onFailure;
  }

  /** A failure that came before anyone listened is told at once. */
  set onFailure(listener: ((error: Error) => void) | undefined) {
    this.#onFailure = listener;
    if (listener !== undefined && this.#failure.kind === 'untold') {
      const { error } = this.#failure;
      this.#failure = { kind: 'told' };
      listener(error);
    }
  }

  channelStarted(channel: number, description: RecordedChannel): void {
    this.#recorder.channelStarted(channel, description);
  }

  input(channel: number, data: Buffer): void {
    this.#recorder.input(channel, data);
  }

  output(channel: number, data: Buffer, stream: 'stdout' | 'stderr'): void {
    this.#recorder.output(channel, data, stream);
  }

  resize(channel: number, columns: number, rows: number): void {
    this.#recorder.resize(channel, columns, rows);
  }

  exit(channel: number, outcome: RecordedOutcome): void {
    this.#recorder.exit(channel, outcome);
  }

  channelEnded(channel: number): void {
    this.#recorder.channelEnded(channel);
  }

  /** Idempotent; never rejects: an error goes to `onFailure`. */
  close(): Promise<void> {
    this.#recorder.end();
    return this.#file.close();
  }

  private fail(error: RecordingError): void {
    if (this.#onFailure === undefined) {
      this.#failure = { kind: 'untold', error };
      return;
    }
    this.#failure = { kind: 'told' };
    this.#onFailure(error);
  }
}
