// Kysely on the SQLite thread. Selects outside a transaction read what is committed; every other statement outside a
// transaction goes to the writer and so shares durable commits; a transaction holds the writer until it ends.
import type {
  CompiledQuery,
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
  QueryResult,
  TransactionSettings,
} from 'kysely';
import { SelectQueryNode, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { StoreError } from '../errors.ts';
import type { SqliteThread } from './connection.ts';
import type { Rows } from './protocol.ts';
import type { SqliteWriter, WriteTransaction } from './writer.ts';

class Connection implements DatabaseConnection {
  readonly #thread: SqliteThread;
  readonly #writer: SqliteWriter;
  readonly #readsWaiting: number;
  #transaction: WriteTransaction | undefined;

  constructor(thread: SqliteThread, writer: SqliteWriter, readsWaiting: number) {
    this.#thread = thread;
    this.#writer = writer;
    this.#readsWaiting = readsWaiting;
  }

  async begin(): Promise<void> {
    this.#transaction = await this.#writer.begin();
  }

  async commit(): Promise<void> {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    await transaction?.commit();
  }

  async rollback(): Promise<void> {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    await transaction?.rollback();
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#run(query);
    const result = { rows: rows as R[] };
    return changes === undefined ? result : { ...result, numAffectedRows: BigInt(changes) };
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator; streaming is refused.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new StoreError('SP_STORE_FAILED', 'results are read in pages here, not as a stream');
  }

  #run(query: CompiledQuery): Promise<Rows> {
    const statement = { sql: query.sql, parameters: query.parameters };
    if (this.#transaction !== undefined) return this.#transaction.run(statement);
    if (!SelectQueryNode.is(query.query)) return this.#writer.write(statement);
    if (this.#thread.unanswered >= this.#readsWaiting) {
      throw new StoreError('SP_STORE_BUSY', `${this.#readsWaiting} reads are waiting already`);
    }
    return this.#thread.read(statement);
  }
}

const mustBeOurs = (connection: DatabaseConnection): Connection => {
  if (connection instanceof Connection) return connection;
  throw new StoreError('SP_STORE_FAILED', 'a connection of another driver');
};

class ThreadDriver implements Driver {
  readonly #thread: SqliteThread;
  readonly #writer: SqliteWriter;
  readonly #readsWaiting: number;

  constructor(thread: SqliteThread, writer: SqliteWriter, readsWaiting: number) {
    this.#thread = thread;
    this.#writer = writer;
    this.#readsWaiting = readsWaiting;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return new Connection(this.#thread, this.#writer, this.#readsWaiting);
  }

  /** Every transaction here is serializable; other levels are therefore met too. */
  async beginTransaction(connection: DatabaseConnection, _settings: TransactionSettings): Promise<void> {
    await mustBeOurs(connection).begin();
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await mustBeOurs(connection).commit();
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await mustBeOurs(connection).rollback();
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    // A no-op unless the transaction's owner forgot it.
    await mustBeOurs(connection).rollback();
  }

  async destroy(): Promise<void> {
    await this.#writer.close();
    await this.#thread.close();
  }
}

/** SQLite rolls schema changes back like any others; with the lock taken at `begin`, migrations can't run twice. */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }

  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

export class SqliteThreadDialect implements Dialect {
  readonly #thread: SqliteThread;
  readonly #writer: SqliteWriter;
  readonly #readsWaiting: number;

  constructor(thread: SqliteThread, writer: SqliteWriter, readsWaiting: number) {
    this.#thread = thread;
    this.#writer = writer;
    this.#readsWaiting = readsWaiting;
  }

  createDriver(): Driver {
    return new ThreadDriver(this.#thread, this.#writer, this.#readsWaiting);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new Adapter();
  }

  // biome-ignore lint/suspicious/noExplicitAny: Kysely's own signature.
  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}
