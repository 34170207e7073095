// The store's promises, the same on both databases: what was acknowledged is there, failures stay with their owner,
// limits refuse instead of growing, and pages neither shift nor repeat.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { newId } from '../../src/store/id.ts';
import type { Message } from '../../src/store/messages.ts';
import { readPage } from '../../src/store/page.ts';
import type { RefusalsTable } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { onBothStores } from './both-stores.ts';

const refusal = (at: number, id = newId()): RefusalsTable => ({
  id,
  at,
  user_name: 'alice',
  source_address: '192.0.2.1',
  wanted: 'root@web-1',
  code: 'not-granted',
  detail: '',
});

const count = async (store: Store): Promise<number> => {
  const row = await store.db
    .selectFrom('refusals')
    .select((e) => e.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(row.n);
};

onBothStores('the store', (bench) => {
  it('brings the schema up to date once, however many open it at the same time', async () => {
    const url = await bench.newUrl();
    const stores = await Promise.all(Array.from({ length: 5 }, () => bench.open(url)));
    for (const store of stores) expect(await count(store)).toBe(0);
    const again = await bench.open(url);
    expect(await count(again)).toBe(0);
  });

  it('refuses a database of a newer release', async () => {
    const url = await bench.newUrl();
    const store = await bench.open(url);
    await sql`insert into schema_steps (name, timestamp) values ('9999-later', '2030-01-01')`.execute(
      store.db,
    );
    await expect(bench.open(url)).rejects.toMatchObject({ code: 'SP_STORE_SCHEMA' });
  });

  it('shows appended rows to every connection when the promise resolves', async () => {
    const url = await bench.newUrl();
    const [one, two] = [await bench.open(url), await bench.open(url)];
    await Promise.all(Array.from({ length: 300 }, (_, at) => one.append('refusals', [refusal(at)])));
    expect(await count(two)).toBe(300);
  });

  it('keeps one bad row from harming those that share its commit', async () => {
    const store = await bench.fresh();
    const taken = refusal(1);
    await store.append('refusals', [taken]);
    const results = await Promise.allSettled([
      store.append('refusals', [refusal(2)]),
      store.append('refusals', [refusal(3), { ...refusal(4), id: taken.id }]),
      store.append('refusals', [refusal(5)]),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'SP_STORE_CONFLICT' } });
    const rows = await store.db.selectFrom('refusals').select('at').orderBy('at').execute();
    expect(rows.map((row) => row.at)).toEqual([1, 2, 5]);
  });

  it('refuses more than may wait, and writes none of what it refused', async () => {
    const store = await bench.fresh({ queue: 20 });
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, at) => store.append('refusals', [refusal(at)])),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const result of refused) expect(result).toMatchObject({ reason: { code: 'SP_STORE_BUSY' } });
    expect(await count(store)).toBe(100 - refused.length);
  });

  it('rolls a transaction back as a whole', async () => {
    const store = await bench.fresh();
    const attempt = store.transaction(async (trx) => {
      await trx.insertInto('refusals').values(refusal(1)).execute();
      throw new Error('second thoughts');
    });
    await expect(attempt).rejects.toThrow('second thoughts');
    expect(await count(store)).toBe(0);
    await store.append('refusals', [refusal(2)]);
    expect(await count(store)).toBe(1);
  });

  it('never loses an update between two processes that count up at once', async () => {
    const url = await bench.newUrl();
    const stores = [await bench.open(url), await bench.open(url)];
    const up = (store: Store): Promise<void> =>
      store.transaction(async (trx) => {
        const state = await trx.selectFrom('directory_state').select('version').executeTakeFirstOrThrow();
        await trx
          .updateTable('directory_state')
          .set({ version: state.version + 1 })
          .execute();
      });
    await Promise.all(
      stores.map(async (store) => {
        for (let turn = 0; turn < 20; turn += 1) await up(store);
      }),
    );
    const state = await stores[0]?.db.selectFrom('directory_state').select('version').executeTakeFirst();
    expect(state?.version).toBe(41);
  });

  it('answers integers of 64 bits as numbers', async () => {
    const store = await bench.fresh();
    await store.append('refusals', [refusal(Date.UTC(2286, 10, 20))]);
    const row = await store.db.selectFrom('refusals').select('at').executeTakeFirstOrThrow();
    expect(row.at).toBe(Date.UTC(2286, 10, 20));
  });

  it('tells how many rows a write changed', async () => {
    const store = await bench.fresh();
    await store.append('refusals', [refusal(1), refusal(2)]);
    const result = await store.db.deleteFrom('refusals').where('at', '=', 1).executeTakeFirst();
    expect(result.numDeletedRows).toBe(1n);
  });

  it('removes what belongs to a row with it', async () => {
    const store = await bench.fresh();
    const id = newId();
    await store.append('devices', [
      {
        id,
        name: 'web-1',
        host: '192.0.2.7',
        port: 22,
        os: null,
        shell_integration: null,
        side_channel: null,
        created_at: 1,
        updated_at: 1,
      },
    ]);
    await store.append('device_tags', [{ device_id: id, tag: 'web' }]);
    await store.db.deleteFrom('devices').where('id', '=', id).execute();
    expect(await store.db.selectFrom('device_tags').selectAll().execute()).toEqual([]);
  });

  it('pages without shifting or repeating while rows come in', async () => {
    const store = await bench.fresh();
    // Ten rows share each time, so that the id must decide.
    const rows = Array.from({ length: 100 }, (_, index) => refusal(Math.floor(index / 10)));
    await store.append('refusals', rows);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await readPage(store.db.selectFrom('refusals').selectAll(), {
        time: 'at',
        id: 'id',
        order: 'newest-first',
        limit: 7,
        after,
        positionOf: (row) => ({ time: row.at, id: row.id }),
      });
      seen.push(...page.rows.map((row) => row.id));
      after = page.next;
      await store.append('refusals', [refusal(1_000)]);
    } while (after !== undefined);
    expect(seen).toEqual(rows.map((row) => row.id).reverse());
  });

  it('refuses a cursor that it did not make', async () => {
    const store = await bench.fresh();
    const page = readPage(store.db.selectFrom('refusals').selectAll(), {
      time: 'at',
      id: 'id',
      order: 'newest-first',
      limit: 7,
      after: 'bm90IGEgY3Vyc29y',
      positionOf: (row) => ({ time: row.at, id: row.id }),
    });
    await expect(page).rejects.toMatchObject({ code: 'SP_STORE_CURSOR' });
  });

  it('carries messages to listeners of their topic only', async () => {
    const store = await bench.fresh();
    const heard: Message[] = [];
    const arrived = new Promise<void>((resolve) => {
      store.listen('orders', (message) => {
        heard.push(message);
        if (message.kind === 'message' && message.payload === 'last') resolve();
      });
    });
    await store.listening();
    await store.notify('other', 'not for us');
    await store.notify('orders', "it's; --");
    await store.notify('orders', 'last');
    await arrived;
    expect(heard).toEqual([
      { kind: 'message', payload: "it's; --" },
      { kind: 'message', payload: 'last' },
    ]);
  });

  it('finishes what it took before it closes, and takes no more', async () => {
    const url = await bench.newUrl();
    const store = await bench.open(url);
    const writes = Array.from({ length: 50 }, (_, at) => store.append('refusals', [refusal(at)]));
    await store.close();
    await Promise.all(writes);
    await expect(store.append('refusals', [refusal(99)])).rejects.toThrow();
    expect(await count(await bench.open(url))).toBe(50);
  });

  if (bench.kind === 'sqlite') {
    it('writes so that a power cut loses nothing', async () => {
      const store = await bench.fresh();
      // https://www.sqlite.org/pragma.html#pragma_synchronous: 2 is FULL.
      expect((await sql`pragma synchronous`.execute(store.db)).rows).toEqual([{ synchronous: 2 }]);
      expect((await sql`pragma journal_mode`.execute(store.db)).rows).toEqual([{ journal_mode: 'wal' }]);
    });

    it('makes its files readable by their owner alone', async () => {
      const url = await bench.newUrl();
      const store = await bench.open(url);
      await store.append('refusals', [refusal(1)]);
      const path = url.slice('sqlite:'.length);
      expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
      for (const file of [path, `${path}-wal`, `${path}-shm`])
        expect(statSync(file).mode & 0o777).toBe(0o600);
    });

    it('leaves the event loop free while it waits for the disk', async () => {
      const store = await bench.fresh();
      // Each turn of the loop counts one: a store that waited inside its call would leave none for the timer.
      let turns = 0;
      const timer = setInterval(() => {
        turns += 1;
      }, 1);

      for (let turn = 0; turn < 50; turn += 1) await store.append('refusals', [refusal(turn)]);
      clearInterval(timer);
      expect(turns).toBeGreaterThan(2);
    });
  }
});
