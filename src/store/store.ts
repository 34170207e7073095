// Opens the store that a URL names and brings its schema up to date. Above this file nothing knows which database it
// is. The store knows no domain: what rows mean is for those who read and write them.
import { chmod, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { databaseCodeOf, messageOf, StoreError } from './errors.ts';
import type { Message, MessageCarrier } from './messages.ts';
import { withinThisProcess } from './messages.ts';
import { migrationsFor } from './migrations.ts';
import { Appender } from './postgres/appender.ts';
import { PoolDialect } from './postgres/dialect.ts';
import { PostgresMessages } from './postgres/listener.ts';
import { connectionSettings, Pool } from './postgres/pool.ts';
import type { Schema } from './schema.ts';
import { SqliteThread } from './sqlite/connection.ts';
import { SqliteThreadDialect } from './sqlite/dialect.ts';
import { SqliteWriter } from './sqlite/writer.ts';
import { readStoreUrl } from './url.ts';

export type { Schema } from './schema.ts';

type Row<Table extends keyof Schema> = Schema[Table];

export interface Store {
  readonly kind: 'sqlite' | 'postgres';
  readonly db: Kysely<Schema>;
  /**
   * Runs `work` in one serializable transaction; what it resolves to comes after the commit. It is run again when
   * another transaction was in the way, so it must not have effects beyond the database. At most 30 s.
   */
  transaction<T>(work: (trx: Transaction<Schema>) => Promise<T>): Promise<T>;
  /**
   * Inserts rows, all or none, and resolves when they are on disk. What waits at the same time shares one commit.
   * At most 500 rows a call.
   */
  append<Table extends keyof Schema>(table: Table, rows: readonly Row<Table>[]): Promise<void>;
  notify(topic: string, payload: string): Promise<void>;
  /** Answers the function that stops listening. See messages.ts for what a gap means. */
  listen(topic: string, onMessage: (message: Message) => void): () => void;
  /** Resolves when what `listen` asked for is being heard. At once where no connection is needed. */
  listening(): Promise<void>;
  /** Finishes what was taken, takes no more. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Carries messages between processes for SQLite; without it they stay in this process. PostgreSQL has its own. */
  readonly carrier?: MessageCarrier;
  /** Calls that may wait, for writes and for reads each. */
  readonly queue?: number;
  /** PostgreSQL connections. */
  readonly connections?: number;
  /** How long to wait for another process's lock on SQLite, in milliseconds. */
  readonly lockWait?: number;
  /** PostgreSQL: how long to wait for a connection, in milliseconds. */
  readonly connectWithin?: number;
}

const LARGEST_APPEND = 500;
const STATEMENT_LIMIT = 30_000;
const TRANSACTION_ATTEMPTS = 12;

const migrate = async (db: Kysely<Schema>, kind: 'sqlite' | 'postgres'): Promise<void> => {
  const migrator = new Migrator({
    db,
    provider: migrationsFor(kind),
    migrationTableName: 'schema_steps',
    migrationLockTableName: 'schema_lock',
  });
  // The usual case takes no lock: many processes open the store at the same time.
  const known = await migrator.getMigrations().catch(() => undefined);
  const pending = known === undefined || known.some((migration) => migration.executedAt === undefined);
  const foreign =
    known !== undefined &&
    !pending &&
    (await hasForeignSteps(
      db,
      known.map((step) => step.name),
    ));
  if (foreign) {
    throw new StoreError(
      'SP_STORE_SCHEMA',
      'the database belongs to a newer release of Sallyport: run that one',
    );
  }
  if (!pending) return;
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  if (error instanceof StoreError && error.code !== 'SP_STORE_FAILED' && error.code !== 'SP_STORE_CONFLICT')
    throw error;
  throw new StoreError(
    'SP_STORE_SCHEMA',
    `the schema could not be brought up to date: ${messageOf(error)}`,
    error,
  );
};

const hasForeignSteps = async (db: Kysely<Schema>, known: readonly string[]): Promise<boolean> => {
  const rows = await db
    .withTables<{ schema_steps: { name: string } }>()
    .selectFrom('schema_steps')
    .select('name')
    .execute();
  return rows.some((row) => !known.includes(row.name));
};

const transactionOn =
  (db: Kysely<Schema>): Store['transaction'] =>
  async (work) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await db.transaction().setIsolationLevel('serializable').execute(work);
      } catch (error) {
        const code = error instanceof StoreError ? databaseCodeOf(error.cause) : '';
        if (!(code === '40001' || code === '40P01') || attempt >= TRANSACTION_ATTEMPTS) throw error;
        await pause(Math.random() * 5 * 2 ** Math.min(attempt, 6));
      }
    }
  };

/** What the store has been asked to do and has not yet done: closing waits for it. */
class UnderWay {
  readonly #work = new Set<Promise<unknown>>();
  #closed = false;

  async run<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('SP_STORE_CLOSED', 'the store is closed');
    const work = start();
    this.#work.add(work);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#work);
  }
}

const checkRows = (table: string, rows: readonly unknown[]): void => {
  if (rows.length > LARGEST_APPEND) {
    throw new StoreError('SP_STORE_FAILED', `at most ${LARGEST_APPEND} rows at once go into ${table}`);
  }
};

/** The file is made first, so that it and what SQLite puts beside it are readable by their owner alone. */
const prepareFile = async (path: string): Promise<void> => {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, 'a', 0o600);
    await handle.close();
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
  } catch (error) {
    const code = databaseCodeOf(error) === 'ENOSPC' ? 'SP_STORE_FULL' : 'SP_STORE_UNAVAILABLE';
    throw new StoreError(code, `the database file can't be used: ${messageOf(error)}`, error);
  }
};

const openSqlite = async (path: string, options: StoreOptions): Promise<Store> => {
  await prepareFile(path);
  const queue = options.queue ?? 10_000;
  const thread = new SqliteThread({ path, busyTimeout: 200, statementCache: 200 }, STATEMENT_LIMIT);
  const writer = new SqliteWriter(thread, {
    queue,
    batch: 256,
    lockWait: options.lockWait ?? 10_000,
    transaction: STATEMENT_LIMIT,
  });
  const db = new Kysely<Schema>({ dialect: new SqliteThreadDialect(thread, writer, queue) });
  const carrier = options.carrier ?? withinThisProcess();
  try {
    await migrate(db, 'sqlite');
  } catch (error) {
    await thread.close().catch(() => undefined);
    throw error;
  }
  const underWay = new UnderWay();
  const transact = transactionOn(db);
  return {
    kind: 'sqlite',
    db,
    transaction: (work) => underWay.run(() => transact(work)),
    append: (table, rows) =>
      underWay.run(async () => {
        checkRows(table, rows);
        if (rows.length > 0) await insertInto(db, table, rows);
      }),
    notify: (topic, payload) => carrier.notify(topic, payload),
    listen: (topic, onMessage) => carrier.listen(topic, onMessage),
    listening: async () => undefined,
    close: async () => {
      await underWay.close();
      await db.destroy();
    },
  };
};

const insertInto = async (db: Kysely<Schema>, table: string, rows: readonly object[]): Promise<void> => {
  // The rows were typed by `append`; the table's name is one of the schema's.
  await db
    .withTables<Record<string, Record<string, unknown>>>()
    .insertInto(table)
    .values(rows.map((row) => ({ ...row })))
    .execute();
};

const openPostgres = async (url: string, options: StoreOptions): Promise<Store> => {
  const limits = {
    connections: options.connections ?? 8,
    waiting: options.queue ?? 1_000,
    connectWithin: options.connectWithin ?? 5_000,
    statement: STATEMENT_LIMIT,
  };
  const pool = new Pool(url, limits);
  const db = new Kysely<Schema>({ dialect: new PoolDialect(pool) });
  const appender = new Appender((table, rows) => insertInto(db, table, rows), {
    queue: options.queue ?? 10_000,
    rows: LARGEST_APPEND,
    flights: 2,
  });
  const messages = new PostgresMessages(connectionSettings(url, limits), async (text, parameters) => {
    const client = await pool.connect();
    try {
      await client.query(text, parameters);
    } finally {
      client.release(false);
    }
  });
  try {
    await migrate(db, 'postgres');
  } catch (error) {
    await db.destroy().catch(() => undefined);
    throw error;
  }
  const underWay = new UnderWay();
  const transact = transactionOn(db);
  return {
    kind: 'postgres',
    db,
    transaction: (work) => underWay.run(() => transact(work)),
    append: (table, rows) =>
      underWay.run(async () => {
        checkRows(table, rows);
        if (rows.length > 0) await appender.append(table, rows);
      }),
    notify: (topic, payload) => messages.notify(topic, payload),
    listen: (topic, onMessage) => messages.listen(topic, onMessage),
    listening: () => messages.listening(),
    close: async () => {
      await underWay.close();
      await appender.close();
      await messages.close();
      await db.destroy();
    },
  };
};

/** Throws StoreError: SP_STORE_URL, SP_STORE_UNAVAILABLE, SP_STORE_SCHEMA, SP_STORE_FULL. */
export const openStore = async (url: string, options: StoreOptions = {}): Promise<Store> => {
  const location = readStoreUrl(url);
  switch (location.kind) {
    case 'sqlite':
      return openSqlite(location.path, options);
    case 'postgres':
      return openPostgres(location.url, options);
  }
};
