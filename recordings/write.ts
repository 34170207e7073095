// What the data plane records with: one sealed file a session under ROOT/YYYY/MM/DD/ID.sprec. Joins the recorder (what
// is stored) and the file (how it gets to disk), and finds a running session's recorder again for whoever has something
// to note in it. Upload to other storage is not done here.
import { RecordingError, reasonOf } from './errors.ts';
import { headerOf } from './format.ts';
import type { Recipient, Signer } from './keys.ts';
import { type LiveChannel, LiveWatch, type RecentLines } from './live.ts';
import { defaultRecorderOptions, Recorder, type RecorderOptions, type RecorderSink } from './recorder.ts';
import type { RedactionRules } from './redaction-rules.ts';
import { Reserve } from './reserve.ts';
import { SealedFile, type SealedFileOptions } from './sealed-file.ts';
import type { RecordedChannel, RecordedOutcome, RecordedSession } from './session.ts';

/** Asked for at each session's start, so that a missing key stops sessions and not the gateway. */
export interface RecordingKeys {
  /** Throws SP_RECORDING_KEY. */
  signer(): Promise<Signer>;
  /** Whoever may open; at least one. Throws SP_RECORDING_KEY. */
  recipients(): readonly Recipient[];
  /** What is taken out of a session's text; absent: nothing. */
  redaction?(): RedactionRules | undefined;
}

export interface RecordingsOptions extends RecorderOptions {
  /** Bytes of events in one chunk: more compress better, fewer are found faster. */
  readonly chunkBytes: number;
  /** Milliseconds after which events become a chunk however few they are. */
  readonly chunkAge: number;
  /** Bytes kept free on the disk, so that sessions can be sealed when it is full. */
  readonly reserveBytes: number;
}

export const defaultRecordingsOptions: RecordingsOptions = {
  ...defaultRecorderOptions,
  chunkBytes: 128 * 1024,
  chunkAge: 15 * 60 * 1000,
  reserveBytes: 8 * 1024 * 1024,
};

/** A session's recorder starts soon after the session; a clock that says otherwise isn't believed. Milliseconds. */
const longestLag = 600_000;

export class FileRecordings {
  readonly #root: string;
  readonly #keys: RecordingKeys;
  readonly #options: RecordingsOptions;
  readonly #reserve: Reserve;
  readonly #running = new Map<string, FileRecorder>();

  /** `root` is made when it is missing. */
  constructor(root: string, keys: RecordingKeys, options: Partial<RecordingsOptions> = {}) {
    this.#root = root;
    this.#keys = keys;
    this.#options = { ...defaultRecordingsOptions, ...options };
    this.#reserve = new Reserve(root, this.#options.reserveBytes);
  }

  /** Resolves when the file is there, durably, with its header. Throws SP_RECORDING_OPEN and SP_RECORDING_KEY. */
  async start(session: RecordedSession): Promise<FileRecorder> {
    const { chunkBytes, chunkAge } = this.#options;
    const recipients = this.#keys.recipients();
    if (recipients.length === 0) {
      throw new RecordingError('SP_RECORDING_KEY', 'there is nobody who may open recordings');
    }
    const files = {
      signer: await this.#keys.signer(),
      recipients,
      reserve: this.#reserve,
      chunkBytes,
      chunkAge,
    };
    const options = { ...this.#options, redaction: this.#keys.redaction?.() ?? this.#options.redaction };
    const recorder = await FileRecorder.open(this.#root, session, files, options, () =>
      this.#running.delete(session.id),
    );
    this.#running.set(session.id, recorder);
    return recorder;
  }

  /** Notes something in the recording of a session that runs here; false when none does. */
  mark(session: string, channel: number, kind: string, data: Readonly<Record<string, unknown>>): boolean {
    const recorder = this.#running.get(session);
    recorder?.marker(channel, kind, data);
    return recorder !== undefined;
  }

  /** A note for a session is on its way: its recording is not closed before the answered function is called, or 2 s. */
  expect(session: string): () => void {
    return this.#running.get(session)?.expect() ?? (() => {});
  }

  /**
   * Watches a session that runs here; undefined when none does. `send` gets lines of JSON (see LiveEvent), and whoever
   * takes them says so with `read`: a slow watcher misses output, the session does not wait. `over`: nothing more comes.
   */
  watch(
    session: string,
    send: (lines: readonly string[]) => void,
    over: () => void = () => {},
  ): LiveWatch | undefined {
    return this.#running.get(session)?.watch(send, over);
  }

  /** Gives up the room kept on the disk; for the end of the process. */
  [Symbol.dispose](): void {
    try {
      this.#reserve.release();
    } catch (error) {
      throw new RecordingError('SP_RECORDING_WRITE', `cannot give room back: ${reasonOf(error)}`, error);
    }
  }
}

/** For notes that are on their way when a session ends. Milliseconds. */
const longestWait = 2000;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function pause(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, bound]);
  clearTimeout(timer);
}

type Failure =
  | { readonly kind: 'none' }
  | { readonly kind: 'untold'; readonly error: RecordingError }
  | { readonly kind: 'told' };

export class FileRecorder {
  readonly #file: SealedFile;
  readonly #recorder: Recorder;
  readonly #closed: () => void;
  readonly #watches: Set<LiveWatch>;
  #failure: Failure = { kind: 'none' };
  #onFailure: ((error: Error) => void) | undefined;
  readonly #expected = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;
  onDrain: (() => void) | undefined;

  private constructor(file: SealedFile, recorder: Recorder, watches: Set<LiveWatch>, closed: () => void) {
    this.#file = file;
    this.#recorder = recorder;
    this.#watches = watches;
    this.#closed = closed;
  }

  static async open(
    root: string,
    session: RecordedSession,
    files: SealedFileOptions,
    options: RecorderOptions,
    closed: () => void,
  ): Promise<FileRecorder> {
    // The file can call back only after this function's caller has the recorder.
    const holder: { recorder?: FileRecorder } = {};
    const file = await SealedFile.create(root, headerOf(session), files, {
      drained: () => holder.recorder?.onDrain?.(),
      failed: (error) => holder.recorder?.fail(error),
    });
    const passed = Date.now() - session.startedAt;
    const lag = passed >= 0 && passed <= longestLag ? passed : 0;
    const watches = new Set<LiveWatch>();
    const sink: RecorderSink = {
      append: (line, at, mark) => {
        file.append(line, at, mark);
        for (const watch of watches) watch.take(line, at);
      },
    };
    const recorder = new FileRecorder(file, new Recorder(sink, options, lag), watches, closed);
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

  marker(channel: number, kind: string, data: Readonly<Record<string, unknown>>): void {
    this.#recorder.marker(channel, kind, data);
  }

  channels(): readonly LiveChannel[] {
    return this.#recorder.channels();
  }

  recent(): Promise<readonly RecentLines[]> {
    return this.#file.recent();
  }

  get lastAt(): number {
    return this.#file.lastAt;
  }

  /** Its end is whoever watches' to say: dispose of it. */
  watch(send: (lines: readonly string[]) => void, over: () => void): LiveWatch {
    const watch = new LiveWatch(this, send, () => {
      this.#watches.delete(watch);
      over();
    });
    this.#watches.add(watch);
    return watch;
  }

  /** Something is to be noted soon: closing waits for it, until the answered function is called. */
  expect(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#expected.add(promise);
    return () => {
      this.#expected.delete(promise);
      resolve();
    };
  }

  /** Idempotent; never rejects: an error goes to `onFailure`. Channels that end in this turn may still be noted. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await turn();
    if (this.#expected.size > 0) await pause(longestWait, Promise.all(this.#expected));
    this.#recorder.end();
    for (const watch of [...this.#watches]) watch.end();
    this.#closed();
    await this.#file.close();
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
