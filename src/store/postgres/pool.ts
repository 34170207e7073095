import pg from 'pg';
import { fromPostgres, StoreError } from '../errors.ts';

export interface PoolLimits {
  readonly connections: number;
  /** Callers that may wait for a connection. */
  readonly waiting: number;
  /** Milliseconds for a connection to be made or to come free. */
  readonly connectWithin: number;
  /** Milliseconds for one statement. */
  readonly statement: number;
}

const INT8 = 20;

const safeInteger = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new StoreError('SP_STORE_FAILED', 'an integer beyond 2^53 in the database');
  return value;
};

/** Integers of 64 bits come as numbers, as they do from SQLite. */
export const connectionSettings = (url: string, limits: PoolLimits): pg.ClientConfig => ({
  connectionString: url,
  connectionTimeoutMillis: limits.connectWithin,
  statement_timeout: limits.statement,
  query_timeout: limits.statement + 5_000,
  idle_in_transaction_session_timeout: limits.statement,
  keepAlive: true,
  application_name: 'sallyport',
  types: {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === INT8 ? safeInteger : pg.types.getTypeParser(oid, format),
  },
});

/** One connection, held until it is released. */
export class Client {
  readonly #client: pg.PoolClient;
  readonly #deaf: () => void;

  constructor(client: pg.PoolClient) {
    this.#client = client;
    // While a connection is out, the pool doesn't listen to it: an unheard error event would end the process.
    this.#deaf = () => undefined;
    client.on('error', this.#deaf);
  }

  async query(sql: string, parameters: readonly unknown[]): Promise<pg.QueryResult> {
    try {
      return await this.#client.query(sql, [...parameters]);
    } catch (error) {
      throw fromPostgres(error);
    }
  }

  /** `broken`: don't give it to anyone else. */
  release(broken: boolean): void {
    this.#client.off('error', this.#deaf);
    this.#client.release(broken);
  }
}

export class Pool {
  readonly #pool: pg.Pool;
  readonly #limits: PoolLimits;

  constructor(url: string, limits: PoolLimits) {
    this.#limits = limits;
    this.#pool = new pg.Pool({
      ...connectionSettings(url, limits),
      max: limits.connections,
      idleTimeoutMillis: 60_000,
      allowExitOnIdle: true,
      // An answer must mean that the commit is on disk, even where the server's default says otherwise.
      onConnect: async (client) => {
        await client.query(
          "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
        );
      },
    });
    // An idle connection that the server closed: the pool drops it, the next caller gets a new one.
    this.#pool.on('error', () => undefined);
  }

  async connect(): Promise<Client> {
    if (this.#pool.ended || this.#pool.ending) throw new StoreError('SP_STORE_CLOSED', 'the store is closed');
    if (this.#pool.waitingCount >= this.#limits.waiting) {
      throw new StoreError('SP_STORE_BUSY', `${this.#limits.waiting} callers wait for a connection already`);
    }
    try {
      return new Client(await this.#pool.connect());
    } catch (error) {
      throw fromPostgres(error);
    }
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}
