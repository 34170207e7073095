// What the gateway's main thread and the SQLite thread say to each other. Types only.

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export type Request =
  /** On the reading connection: sees what is committed. */
  | { readonly id: number; readonly kind: 'read'; readonly statement: Statement }
  /** All in one durable transaction, each behind a savepoint of its own. Answered after the commit. */
  | { readonly id: number; readonly kind: 'batch'; readonly statements: readonly Statement[] }
  | { readonly id: number; readonly kind: 'begin' }
  /** Inside the transaction that `begin` opened. */
  | { readonly id: number; readonly kind: 'within'; readonly statement: Statement }
  | { readonly id: number; readonly kind: 'commit' }
  | { readonly id: number; readonly kind: 'rollback' }
  | { readonly id: number; readonly kind: 'close' };

export interface Failure {
  /** SQLite's extended result code by name, such as `SQLITE_FULL`. */
  readonly code: string;
  readonly message: string;
}

export interface Rows {
  readonly rows: readonly unknown[];
  /** Undefined for statements that only read. */
  readonly changes: number | undefined;
}

export type Outcome =
  | { readonly kind: 'rows'; readonly result: Rows }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type Answer =
  | { readonly id: number; readonly kind: 'one'; readonly outcome: Outcome }
  | { readonly id: number; readonly kind: 'batch'; readonly outcomes: readonly Outcome[] }
  /** Nothing of the request was done. */
  | { readonly id: number; readonly kind: 'failed'; readonly failure: Failure };

export interface ThreadSettings {
  readonly path: string;
  /** How long one attempt waits for another process's write, in milliseconds. */
  readonly busyTimeout: number;
  /** Prepared statements kept for reuse. */
  readonly statementCache: number;
}
