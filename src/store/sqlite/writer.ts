// The order of writes to SQLite in this process: statements that wait at the same time share one durable commit,
// transactions run one at a time between them, and another process's lock is waited for, but not for ever.
// Bounded: past the limit, newcomers are refused with SP_STORE_BUSY and nothing of theirs is written.
import { setTimeout as pause } from 'node:timers/promises';
import { StoreError } from '../errors.ts';
import type { SqliteThread } from './connection.ts';
import { toStoreError } from './connection.ts';
import type { Rows, Statement } from './protocol.ts';

export interface WriterLimits {
  /** Statements and transactions that may wait. */
  readonly queue: number;
  /** Statements that share one commit. */
  readonly batch: number;
  /** How long to wait for another process's lock, in milliseconds, all attempts together. */
  readonly lockWait: number;
  /** How long one transaction may last, in milliseconds. */
  readonly transaction: number;
}

type Entry =
  | {
      readonly kind: 'statement';
      readonly statement: Statement;
      readonly resolve: (rows: Rows) => void;
      readonly reject: (error: unknown) => void;
    }
  | {
      readonly kind: 'transaction';
      readonly resolve: (transaction: WriteTransaction) => void;
      readonly reject: (error: unknown) => void;
    };

type TransactionState = 'open' | 'ended' | 'expired';

/** An open write transaction. Its owner must end it; it is rolled back when it lasts too long. */
export class WriteTransaction {
  readonly #thread: SqliteThread;
  readonly #ended: () => void;
  readonly #timer: NodeJS.Timeout;
  #state: TransactionState = 'open';

  constructor(thread: SqliteThread, lastsAtMost: number, ended: () => void) {
    this.#thread = thread;
    this.#ended = ended;
    this.#timer = setTimeout(() => {
      if (this.#state !== 'open') return;
      this.#state = 'expired';
      thread.turn('rollback').then(ended, ended);
    }, lastsAtMost);
  }

  run(statement: Statement): Promise<Rows> {
    this.#mustBeOpen();
    return this.#thread.within(statement);
  }

  async commit(): Promise<void> {
    await this.#end('commit');
  }

  async rollback(): Promise<void> {
    if (this.#state === 'open') await this.#end('rollback');
  }

  async #end(how: 'commit' | 'rollback'): Promise<void> {
    this.#mustBeOpen();
    this.#state = 'ended';
    clearTimeout(this.#timer);
    try {
      await this.#thread.turn(how);
    } finally {
      this.#ended();
    }
  }

  #mustBeOpen(): void {
    switch (this.#state) {
      case 'open':
        return;
      case 'ended':
        throw new StoreError('SP_STORE_FAILED', 'the transaction has ended already');
      case 'expired':
        throw new StoreError('SP_STORE_BUSY', 'the transaction lasted too long and was rolled back');
    }
  }
}

export class SqliteWriter {
  readonly #thread: SqliteThread;
  readonly #limits: WriterLimits;
  readonly #queue: Entry[] = [];
  #state: 'idle' | 'working' | 'closed' = 'idle';
  #idle: (() => void)[] = [];

  constructor(thread: SqliteThread, limits: WriterLimits) {
    this.#thread = thread;
    this.#limits = limits;
  }

  /** Resolves after the commit that holds the statement. */
  write(statement: Statement): Promise<Rows> {
    return new Promise((resolve, reject) => this.#enter({ kind: 'statement', statement, resolve, reject }));
  }

  /** Resolves when it is this transaction's turn and the database is locked for it. */
  begin(): Promise<WriteTransaction> {
    return new Promise((resolve, reject) => this.#enter({ kind: 'transaction', resolve, reject }));
  }

  /** Takes no more; resolves when all that was taken is done. */
  async close(): Promise<void> {
    if (this.#state === 'working') await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#state = 'closed';
  }

  #enter(entry: Entry): void {
    if (this.#state === 'closed') {
      entry.reject(new StoreError('SP_STORE_CLOSED', 'the store is closed'));
      return;
    }
    if (this.#queue.length >= this.#limits.queue) {
      entry.reject(new StoreError('SP_STORE_BUSY', `${this.#limits.queue} writes are waiting already`));
      return;
    }
    this.#queue.push(entry);
    if (this.#state === 'idle') {
      this.#state = 'working';
      // A microtask later, so that what is asked in the same turn shares the first commit too.
      queueMicrotask(() => void this.#work());
    }
  }

  async #work(): Promise<void> {
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined) break;
      if (first.kind === 'transaction') {
        this.#queue.shift();
        await this.#transact(first);
      } else {
        await this.#commitTogether();
      }
    }
    this.#state = 'idle';
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #commitTogether(): Promise<void> {
    const entries: (Entry & { readonly kind: 'statement' })[] = [];
    for (;;) {
      const next = this.#queue[0];
      if (next?.kind !== 'statement' || entries.length >= this.#limits.batch) break;
      entries.push(next);
      this.#queue.shift();
    }
    const deadline = Date.now() + this.#limits.lockWait;
    let pending = entries;
    for (let attempt = 0; pending.length > 0; attempt += 1) {
      const late = Date.now() >= deadline;
      const locked: typeof entries = [];
      try {
        const outcomes = await this.#thread.batch(pending.map((entry) => entry.statement));
        pending.forEach((entry, index) => {
          const outcome = outcomes[index];
          if (outcome === undefined) {
            entry.reject(new StoreError('SP_STORE_FAILED', 'the SQLite thread left a statement unanswered'));
          } else if (outcome.kind === 'rows') {
            entry.resolve(outcome.result);
          } else {
            const error = toStoreError(outcome.failure);
            if (error.code === 'SP_STORE_BUSY' && !late) locked.push(entry);
            else entry.reject(error);
          }
        });
      } catch (error) {
        if (error instanceof StoreError && error.code === 'SP_STORE_BUSY' && !late) locked.push(...pending);
        else for (const entry of pending) entry.reject(error);
      }
      pending = locked;
      if (pending.length > 0) await this.#backOff(attempt);
    }
  }

  async #transact(entry: Entry & { readonly kind: 'transaction' }): Promise<void> {
    const deadline = Date.now() + this.#limits.lockWait;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#thread.turn('begin');
        break;
      } catch (error) {
        if (!(error instanceof StoreError && error.code === 'SP_STORE_BUSY') || Date.now() >= deadline) {
          entry.reject(error);
          return;
        }
        await this.#backOff(attempt);
      }
    }
    await new Promise<void>((ended) => {
      entry.resolve(new WriteTransaction(this.#thread, this.#limits.transaction, ended));
    });
  }

  /** Up to 50 ms with jitter, so that processes that wait for one lock don't step in time. */
  async #backOff(attempt: number): Promise<void> {
    await pause(1 + Math.random() * Math.min(50, 2 ** Math.min(attempt, 10)));
  }
}
