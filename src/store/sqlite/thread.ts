// The thread in which SQLite runs, so that its waits for the disk never hold up the relaying of keystrokes. Two
// connections: one writes, one reads what is committed. It decides nothing: order, retries and limits are the main
// thread's (writer.ts). Durability: WAL with synchronous=FULL, which survives power cuts.
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { Answer, Failure, Outcome, Request, Statement, ThreadSettings } from './protocol.ts';

const port = parentPort;
if (port === null) throw new Error('this file runs in a worker thread');
const settings: ThreadSettings = workerData;

const failureOf = (error: unknown): Failure => ({
  code:
    typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
      ? error.code
      : '',
  message: error instanceof Error ? error.message : String(error),
});

interface Connection {
  readonly db: Database.Database;
  readonly prepared: Map<string, Database.Statement>;
}

const connect = (use: 'write' | 'read'): Connection => {
  const db = new Database(settings.path, { timeout: settings.busyTimeout });
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('trusted_schema = OFF');
  if (use === 'read') db.pragma('query_only = ON');
  return { db, prepared: new Map() };
};

const prepare = ({ db, prepared }: Connection, sql: string): Database.Statement => {
  const known = prepared.get(sql);
  if (known !== undefined) {
    prepared.delete(sql);
    prepared.set(sql, known);
    return known;
  }
  const statement = db.prepare(sql);
  prepared.set(sql, statement);
  if (prepared.size > settings.statementCache) {
    const oldest = prepared.keys().next();
    if (oldest.done === false) prepared.delete(oldest.value);
  }
  return statement;
};

const run = (connection: Connection, { sql, parameters }: Statement): Outcome => {
  const statement = prepare(connection, sql);
  if (!statement.reader) {
    return {
      kind: 'rows',
      result: { rows: [], changes: statement.run(...parameters).changes },
    };
  }
  const rows = statement.all(...parameters);
  return { kind: 'rows', result: { rows, changes: statement.readonly ? undefined : rows.length } };
};

const attempt = (connection: Connection, statement: Statement): Outcome => {
  try {
    return run(connection, statement);
  } catch (error) {
    return { kind: 'failed', failure: failureOf(error) };
  }
};

const rollBack = ({ db }: Connection): void => {
  // A full disk or an I/O error may have rolled back already.
  if (db.inTransaction) db.exec('ROLLBACK');
};

/** Undefined: SQLite gave the whole transaction up, nothing of it was done. */
const inOneTransaction = (
  connection: Connection,
  statements: readonly Statement[],
): readonly Outcome[] | undefined => {
  const outcomes: Outcome[] = [];
  run(connection, { sql: 'BEGIN IMMEDIATE', parameters: [] });
  for (const statement of statements) {
    run(connection, { sql: 'SAVEPOINT one', parameters: [] });
    const outcome = attempt(connection, statement);
    if (!connection.db.inTransaction) return undefined;
    if (outcome.kind === 'failed') run(connection, { sql: 'ROLLBACK TO one', parameters: [] });
    run(connection, { sql: 'RELEASE one', parameters: [] });
    outcomes.push(outcome);
  }
  run(connection, { sql: 'COMMIT', parameters: [] });
  return outcomes;
};

const batch = (connection: Connection, statements: readonly Statement[]): readonly Outcome[] => {
  if (statements.length > 1) {
    try {
      const outcomes = inOneTransaction(connection, statements);
      if (outcomes !== undefined) return outcomes;
    } catch (error) {
      rollBack(connection);
      if (failureOf(error).code.startsWith('SQLITE_BUSY')) throw error;
    }
  }
  // One alone, or the transaction came to nothing: each by itself, so that one that can't be written (no room for a
  // large row) doesn't take the others with it.
  return statements.map((statement) => {
    const outcome = attempt(connection, statement);
    rollBack(connection);
    return outcome;
  });
};

const writer = connect('write');
const reader = connect('read');

const answer = (request: Request): Answer => {
  const { id } = request;
  try {
    switch (request.kind) {
      case 'read':
        return { id, kind: 'one', outcome: attempt(reader, request.statement) };
      case 'batch':
        return { id, kind: 'batch', outcomes: batch(writer, request.statements) };
      case 'begin':
        return { id, kind: 'one', outcome: run(writer, { sql: 'BEGIN IMMEDIATE', parameters: [] }) };
      case 'within': {
        if (!writer.db.inTransaction) {
          const failure = { code: 'SQLITE_ABORT', message: 'the transaction has been rolled back' };
          return { id, kind: 'failed', failure };
        }
        return { id, kind: 'one', outcome: attempt(writer, request.statement) };
      }
      case 'commit': {
        if (!writer.db.inTransaction) {
          const failure = { code: 'SQLITE_ABORT', message: 'the transaction has been rolled back' };
          return { id, kind: 'failed', failure };
        }
        try {
          return { id, kind: 'one', outcome: run(writer, { sql: 'COMMIT', parameters: [] }) };
        } catch (error) {
          rollBack(writer);
          throw error;
        }
      }
      case 'rollback':
        rollBack(writer);
        return { id, kind: 'one', outcome: { kind: 'rows', result: { rows: [], changes: 0 } } };
      case 'close':
        rollBack(writer);
        reader.db.close();
        writer.db.close();
        return { id, kind: 'one', outcome: { kind: 'rows', result: { rows: [], changes: 0 } } };
    }
  } catch (error) {
    return { id, kind: 'failed', failure: failureOf(error) };
  }
};

port.on('message', (request: Request) => {
  port.postMessage(answer(request));
  if (request.kind === 'close') port.close();
});
