// Rows that must not be lost, on PostgreSQL: what waits at the same time goes in one statement, so that a burst costs
// one commit. When a shared statement is refused, each caller's rows are tried alone, so that one can't harm others.
// A lost connection is told to everyone in the group and not retried: the rows may have been written.
import { StoreError } from '../errors.ts';

/** Inserts rows into a table in one statement. */
export type Insert = (table: string, rows: readonly object[]) => Promise<void>;

export interface AppenderLimits {
  /** Calls that may wait. */
  readonly queue: number;
  /** Rows in one statement. */
  readonly rows: number;
  /** Statements under way at once. */
  readonly flights: number;
}

interface Entry {
  readonly table: string;
  readonly rows: readonly object[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Columns decide which rows can share a statement. */
const shapeOf = (entry: Entry): string => `${entry.table}(${Object.keys(entry.rows[0] ?? {}).join()})`;

export class Appender {
  readonly #insert: Insert;
  readonly #limits: AppenderLimits;
  readonly #queue: Entry[] = [];
  #flights = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(insert: Insert, limits: AppenderLimits) {
    this.#insert = insert;
    this.#limits = limits;
  }

  append(table: string, rows: readonly object[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new StoreError('SP_STORE_CLOSED', 'the store is closed'));
      } else if (this.#queue.length >= this.#limits.queue) {
        reject(new StoreError('SP_STORE_BUSY', `${this.#limits.queue} writes are waiting already`));
      } else {
        this.#queue.push({ table, rows, resolve, reject });
        // A microtask later, so that what is asked in the same turn shares the statement.
        queueMicrotask(() => this.#launch());
      }
    });
  }

  /** Takes no more; resolves when all that was taken is done. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#flights > 0 || this.#queue.length > 0) await new Promise<void>((done) => this.#idle.push(done));
  }

  #launch(): void {
    while (this.#flights < this.#limits.flights && this.#queue.length > 0) {
      this.#flights += 1;
      void this.#fly(this.#take()).finally(() => {
        this.#flights -= 1;
        this.#launch();
        if (this.#flights === 0) for (const done of this.#idle.splice(0)) done();
      });
    }
  }

  #take(): Entry[] {
    const first = this.#queue.shift();
    if (first === undefined) return [];
    const group = [first];
    const shape = shapeOf(first);
    let rows = first.rows.length;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || shapeOf(next) !== shape || rows + next.rows.length > this.#limits.rows)
        return group;
      group.push(next);
      rows += next.rows.length;
      this.#queue.shift();
    }
  }

  async #fly(group: readonly Entry[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    try {
      await this.#insert(
        first.table,
        group.flatMap((entry) => entry.rows),
      );
      for (const entry of group) entry.resolve();
    } catch (error) {
      if (group.length === 1 || (error instanceof StoreError && error.code === 'SP_STORE_UNAVAILABLE')) {
        for (const entry of group) entry.reject(error);
        return;
      }
      for (const entry of group) {
        try {
          await this.#insert(entry.table, entry.rows);
          entry.resolve();
        } catch (own) {
          entry.reject(own);
        }
      }
    }
  }
}
