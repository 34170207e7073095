// Kysely on the store's own PostgreSQL pool, so that every error is the store's and a connection whose transaction
// could not be ended is never given to the next caller. No streaming: long results are read in pages.
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
import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { StoreError } from '../errors.ts';
import type { Client, Pool } from './pool.ts';

const WRITES = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

class Connection implements DatabaseConnection {
  readonly #client: Client;
  #broken = false;

  constructor(client: Client) {
    this.#client = client;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { command, rowCount, rows } = await this.#run(query.sql, query.parameters);
    return WRITES.has(command) ? { rows, numAffectedRows: BigInt(rowCount ?? 0) } : { rows };
  }

  async begin({ isolationLevel, accessMode }: TransactionSettings): Promise<void> {
    // Both come from Kysely's own short lists of words.
    const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`;
    await this.#run(`start transaction${level}${accessMode === undefined ? '' : ` ${accessMode}`}`, []);
  }

  async commit(): Promise<void> {
    const { command } = await this.#run('commit', []);
    if (command === 'ROLLBACK') {
      throw new StoreError(
        'SP_STORE_CONFLICT',
        'a statement of the transaction had failed: it was rolled back',
      );
    }
  }

  async rollback(): Promise<void> {
    try {
      await this.#run('rollback', []);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
  }

  release(): void {
    this.#client.release(this.#broken);
  }

  // biome-ignore lint/correctness/useYield: the interface wants a generator; streaming is refused.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new StoreError('SP_STORE_FAILED', 'results are read in pages here, not as a stream');
  }

  async #run(sql: string, parameters: readonly unknown[]) {
    try {
      return await this.#client.query(sql, parameters);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'SP_STORE_UNAVAILABLE') this.#broken = true;
      throw error;
    }
  }
}

const mustBeOurs = (connection: DatabaseConnection): Connection => {
  if (connection instanceof Connection) return connection;
  throw new StoreError('SP_STORE_FAILED', 'a connection of another driver');
};

class PoolDriver implements Driver {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return new Connection(await this.#pool.connect());
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    await mustBeOurs(connection).begin(settings);
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await mustBeOurs(connection).commit();
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await mustBeOurs(connection).rollback();
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    mustBeOurs(connection).release();
  }

  async destroy(): Promise<void> {
    await this.#pool.end();
  }
}

export class PoolDialect implements Dialect {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  createDriver(): Driver {
    return new PoolDriver(this.#pool);
  }

  createQueryCompiler(): QueryCompiler {
    return new PostgresQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new PostgresAdapter();
  }

  // biome-ignore lint/suspicious/noExplicitAny: Kysely's own signature.
  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new PostgresIntrospector(db);
  }
}
