// The main thread's end of the SQLite thread: one request, one answer, each bounded in time. Starts the thread and
// notices its death. Knows nothing of transactions or order (writer.ts does).
import { Worker } from 'node:worker_threads';
import { StoreError, sqliteCode } from '../errors.ts';
import type { Answer, Failure, Outcome, Request, Rows, Statement, ThreadSettings } from './protocol.ts';

type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, 'id'> : never;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: StoreError) => void;
  readonly timer: NodeJS.Timeout;
}

export const toStoreError = (failure: Failure): StoreError =>
  new StoreError(
    sqliteCode(failure.code),
    `SQLite: ${failure.message}${failure.code === '' ? '' : ` (${failure.code})`}`,
  );

const rowsOf = (outcome: Outcome): Rows => {
  if (outcome.kind === 'failed') throw toStoreError(outcome.failure);
  return outcome.result;
};

/** Beside the source runs the source, in a build the build. */
const threadFile = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

export class SqliteThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #answerWithin: number;
  #next = 1;
  #dead: StoreError | undefined;

  constructor(settings: ThreadSettings, answerWithin: number) {
    this.#answerWithin = answerWithin;
    this.#worker = new Worker(threadFile, {
      workerData: settings,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      name: 'sallyport-sqlite',
    });
    this.#worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      if (waiting === undefined) return;
      this.#waiting.delete(answer.id);
      clearTimeout(waiting.timer);
      if (this.#waiting.size === 0) this.#worker.unref();
      waiting.resolve(answer);
    });
    this.#worker.on('error', (error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      const code =
        typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
          ? error.code
          : '';
      this.#die(new StoreError(code === '' ? 'SP_STORE_FAILED' : sqliteCode(code), `SQLite: ${text}`, error));
    });
    this.#worker.on('exit', () =>
      this.#die(new StoreError('SP_STORE_CLOSED', 'the SQLite thread has ended')),
    );
  }

  /** Number of requests that have no answer yet. */
  get unanswered(): number {
    return this.#waiting.size;
  }

  read(statement: Statement): Promise<Rows> {
    return this.#one({ kind: 'read', statement });
  }

  within(statement: Statement): Promise<Rows> {
    return this.#one({ kind: 'within', statement });
  }

  async turn(kind: 'begin' | 'commit' | 'rollback'): Promise<void> {
    await this.#one({ kind });
  }

  async batch(statements: readonly Statement[]): Promise<readonly Outcome[]> {
    const answer = await this.#ask({ kind: 'batch', statements });
    if (answer.kind === 'batch') return answer.outcomes;
    throw answer.kind === 'failed'
      ? toStoreError(answer.failure)
      : new StoreError('SP_STORE_FAILED', 'the SQLite thread gave the wrong kind of answer');
  }

  async close(): Promise<void> {
    if (this.#dead === undefined) {
      try {
        await this.#one({ kind: 'close' });
      } finally {
        this.#die(new StoreError('SP_STORE_CLOSED', 'the store is closed'));
        await this.#worker.terminate();
      }
    }
  }

  async #one(request: Unnumbered<Request>): Promise<Rows> {
    const answer = await this.#ask(request);
    if (answer.kind === 'one') return rowsOf(answer.outcome);
    throw answer.kind === 'failed'
      ? toStoreError(answer.failure)
      : new StoreError('SP_STORE_FAILED', 'the SQLite thread gave the wrong kind of answer');
  }

  #ask(request: Unnumbered<Request>): Promise<Answer> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(
          new StoreError(
            'SP_STORE_UNAVAILABLE',
            `SQLite gave no answer within ${this.#answerWithin} ms; a write may still happen`,
          ),
        );
      }, this.#answerWithin);
      this.#waiting.set(id, { resolve, reject, timer });
      // The thread keeps the process alive only while something is asked of it.
      this.#worker.ref();
      this.#worker.postMessage({ ...request, id });
    });
  }

  #die(error: StoreError): void {
    if (this.#dead !== undefined) return;
    this.#dead = error;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
    this.#waiting.clear();
  }
}
