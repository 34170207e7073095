// Runs one set of tests on SQLite and on PostgreSQL. Each test opens stores on a database of its own; what it opens
// is closed after it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import type { Store, StoreOptions } from '../../src/store/store.ts';
import { openStore } from '../../src/store/store.ts';
import { PostgresServer } from './postgres.ts';

export interface Bench {
  readonly kind: 'sqlite' | 'postgres';
  /** A new, empty database. */
  newUrl(): Promise<string>;
  /** Opens a store that is closed after the test. */
  open(url: string, options?: StoreOptions): Promise<Store>;
  /** A store on a new database. */
  fresh(options?: StoreOptions): Promise<Store>;
  /** The server, for tests that stop it; throws for SQLite. */
  server(): PostgresServer;
}

export const onBothStores = (name: string, tests: (bench: Bench) => void): void => {
  for (const kind of ['sqlite', 'postgres'] as const) {
    describe(`${name} on ${kind}`, () => {
      let server: PostgresServer | undefined;
      let folder = '';
      let count = 0;
      const opened: Store[] = [];

      beforeAll(async () => {
        if (kind === 'postgres') server = await PostgresServer.start();
        else folder = await mkdtemp(join(tmpdir(), 'sallyport-store-'));
      });
      afterEach(async () => {
        for (const store of opened.splice(0)) await store.close();
      });
      afterAll(async () => {
        await server?.stop();
        if (folder !== '') await rm(folder, { recursive: true, force: true });
      });

      const newUrl = async (): Promise<string> => {
        if (server !== undefined) return server.database();
        count += 1;
        return `sqlite:${join(folder, String(count), 'sallyport.db')}`;
      };
      const open = async (url: string, options?: StoreOptions): Promise<Store> => {
        const store = await openStore(url, options);
        opened.push(store);
        return store;
      };
      tests({
        kind,
        newUrl,
        open,
        fresh: async (options) => open(await newUrl(), options),
        server: () => {
          if (server === undefined) throw new Error('SQLite has no server');
          return server;
        },
      });
    });
  }
};
