// Appends text to one file in order, off the event loop: what is handed over is gathered, written in large pieces,
// and made durable on a timer and at the end. It knows nothing of recordings' content and never retries: the first
// error is the last, because a file with a hole is no evidence.
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RecordingError } from './errors.ts';

/** What may wait for the disk before the file gives up. A relay that heeds `pendingBytes` never comes near it. */
const overrunBytes = 64 * 1024 * 1024;

export interface AppendFileEvents {
  /** Pending bytes fell to half of their former peak or below. */
  drained(): void;
  /** Called once; nothing is written afterwards. */
  failed(error: RecordingError): void;
}

type State = 'open' | 'closing' | 'closed' | 'failed';

export class AppendFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #events: AppendFileEvents;
  readonly #syncInterval: number;
  #state: State = 'open';
  #chunks: string[] = [];
  #pending = 0;
  #peak = 0;
  #headAgain: string | undefined;
  #position = 0;
  #pump: Promise<void> | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  private constructor(path: string, handle: FileHandle, syncInterval: number, events: AppendFileEvents) {
    this.path = path;
    this.#handle = handle;
    this.#syncInterval = syncInterval;
    this.#events = events;
  }

  /**
   * Creates the file (mode 0600, folders 0700) with `head` in it, durably. Fails when it is there already: nothing
   * is ever written over. `syncInterval` in milliseconds.
   */
  static async create(
    path: string,
    head: string,
    syncInterval: number,
    events: AppendFileEvents,
  ): Promise<AppendFile> {
    let handle: FileHandle | undefined;
    try {
      const made = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
      handle = await open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
      const file = new AppendFile(path, handle, syncInterval, events);
      const bytes = Buffer.from(head);
      await file.#write(bytes, 0);
      file.#position = bytes.length;
      await handle.datasync();
      await syncFolders(dirname(path), made);
      return file;
    } catch (error) {
      await handle?.close().catch(() => undefined);
      throw new RecordingError('SP_RECORDING_OPEN', `cannot create ${path}: ${reason(error)}`, error);
    }
  }

  /** Bytes handed over and not yet written. */
  get pendingBytes(): number {
    return this.#pending;
  }

  get #failed(): boolean {
    return this.#state === 'failed';
  }

  append(text: string): void {
    if (this.#state !== 'open') return;
    const bytes = Buffer.byteLength(text);
    this.#chunks.push(text);
    this.#pending += bytes;
    if (this.#pending > this.#peak) this.#peak = this.#pending;
    if (this.#pending > overrunBytes) {
      this.#fail(new RecordingError('SP_RECORDING_OVERRUN', `${this.path}: the disk does not keep up`));
      return;
    }
    this.#start();
  }

  /** Replaces the first bytes of the file by text of the same length. */
  rewriteHead(head: string): void {
    if (this.#state !== 'open') return;
    this.#headAgain = head;
    this.#start();
  }

  /** Writes what is pending, makes it durable and closes. Idempotent; an error goes to `failed`. */
  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    clearTimeout(this.#syncTimer);
    await this.#pump;
    try {
      if (this.#state === 'closing') await this.#handle.sync();
    } catch (error) {
      this.#fail(writeError(this.path, error));
    }
    await this.#handle.close().catch(() => undefined);
    if (this.#state === 'closing') this.#state = 'closed';
  }

  #start(): void {
    this.#pump ??= this.#writeAll().finally(() => {
      this.#pump = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    // One turn later, so that everything of this turn of the event loop goes out in one piece.
    await new Promise<void>((resolve) => setImmediate(resolve));
    try {
      while ((this.#chunks.length > 0 || this.#headAgain !== undefined) && !this.#failed) {
        const head = this.#headAgain;
        this.#headAgain = undefined;
        if (head !== undefined) await this.#write(Buffer.from(head), 0);
        const bytes = Buffer.from(this.#chunks.join(''));
        this.#chunks = [];
        await this.#write(bytes, this.#position);
        if (this.#failed) return;
        this.#position += bytes.length;
        this.#pending -= bytes.length;
        this.#syncSoon();
        if (this.#pending <= this.#peak / 2) {
          this.#peak = this.#pending;
          this.#events.drained();
        }
      }
    } catch (error) {
      this.#fail(writeError(this.path, error));
    }
  }

  async #write(bytes: Buffer, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      if (bytesWritten === 0) throw new Error('the disk took nothing');
      done += bytesWritten;
    }
  }

  #syncSoon(): void {
    if (this.#syncTimer !== undefined || this.#state !== 'open') return;
    this.#syncTimer = setTimeout(() => {
      this.#handle.datasync().then(
        () => {
          this.#syncTimer = undefined;
          if (this.#pending > 0) this.#syncSoon();
        },
        (error: unknown) => {
          // Closing syncs by itself, and reports its own error.
          if (this.#state === 'open') this.#fail(writeError(this.path, error));
        },
      );
    }, this.#syncInterval);
    this.#syncTimer.unref();
  }

  #fail(error: RecordingError): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#chunks = [];
    this.#pending = 0;
    clearTimeout(this.#syncTimer);
    this.#events.failed(error);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function writeError(path: string, error: unknown): RecordingError {
  return new RecordingError('SP_RECORDING_WRITE', `cannot write ${path}: ${reason(error)}`, error);
}

/** A new file survives a power cut only when the folders that name it do. */
async function syncFolders(folder: string, firstMade: string | undefined): Promise<void> {
  const stop = firstMade === undefined ? folder : dirname(firstMade);
  for (let at = folder; ; at = dirname(at)) {
    const handle = await open(at, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (at === stop || at === dirname(at)) return;
  }
}
