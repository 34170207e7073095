// What happens to acknowledged rows when a writer is killed, the disk fills, the server goes away, or two processes
// write at once. Nothing acknowledged may be missing; every failure has a code that says what it was.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/store/id.ts';
import type { Message } from '../../src/store/messages.ts';
import type { RefusalsTable } from '../../src/store/schema.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { onBothStores } from './both-stores.ts';

const WRITER = fileURLToPath(new URL('./writer-process.ts', import.meta.url));

const refusal = (detail = ''): RefusalsTable => ({
  id: newId(),
  at: 1,
  user_name: 'alice',
  source_address: '',
  wanted: '',
  code: '',
  detail,
});

interface Writer {
  readonly process: ChildProcess;
  readonly acknowledged: string[];
  /** Resolves when so many are acknowledged. */
  reached(count: number): Promise<void>;
  readonly ended: Promise<unknown>;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
});

const startWriter = (url: string, label: string, most?: number): Writer => {
  const args = ['--disable-warning=ExperimentalWarning', WRITER, url, label];
  const child = spawn(process.execPath, most === undefined ? args : [...args, String(most)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const acknowledged: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (line === 'open') return;
    acknowledged.push(line);
    for (const { count, resolve } of waiting) if (acknowledged.length >= count) resolve();
  });
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  return {
    process: child,
    acknowledged,
    ended,
    reached: (count) => new Promise((resolve) => waiting.push({ count, resolve })),
  };
};

const storedIds = async (store: Store): Promise<ReadonlySet<string>> => {
  const rows = await store.db.selectFrom('refusals').select('id').execute();
  return new Set(rows.map((row) => row.id));
};

const missingFrom = (stored: ReadonlySet<string>, acknowledged: readonly string[]): readonly string[] =>
  acknowledged.filter((id) => !stored.has(id));

onBothStores('a store under faults', (bench) => {
  it('holds every acknowledged row after its writer was killed in mid-load', async () => {
    const url = await bench.newUrl();
    const writer = startWriter(url, 'killed');
    await writer.reached(500);
    writer.process.kill('SIGKILL');
    await writer.ended;
    const stored = await storedIds(await bench.open(url));
    // A line that was cut by the kill is no acknowledgement that anybody heard.
    const heard = writer.acknowledged.filter((id) => id.length === 36);
    expect(heard.length).toBeGreaterThanOrEqual(500);
    expect(missingFrom(stored, heard)).toEqual([]);
  });

  it('lets two processes write at once without losing or failing one', async () => {
    const url = await bench.newUrl();
    await bench.open(url);
    const writers = [startWriter(url, 'one', 400), startWriter(url, 'two', 400)];
    await Promise.all(writers.map((writer) => writer.ended));
    const stored = await storedIds(await bench.open(url));
    for (const writer of writers) {
      expect(writer.process.exitCode).toBe(0);
      expect(writer.acknowledged).toHaveLength(400);
      expect(missingFrom(stored, writer.acknowledged)).toEqual([]);
    }
    expect(stored.size).toBe(800);
  });

  if (bench.kind === 'postgres') {
    it('says that the server is away, and works again when it is back, with all that was acknowledged', async () => {
      const url = await bench.newUrl();
      const store = await bench.open(url, { connectWithin: 1_000 });
      const heard: Message[] = [];
      const gap = new Promise<void>((resolve) => {
        store.listen('topic', (message) => {
          heard.push(message);
          if (message.kind === 'gap') resolve();
        });
      });
      await store.listening();
      const kept = refusal();
      await store.append('refusals', [kept]);

      const acknowledged: string[] = [kept.id];
      let stop = false;
      const load = (async () => {
        while (!stop) {
          const row = refusal();
          await store.append('refusals', [row]).then(
            () => acknowledged.push(row.id),
            (error: unknown) => expect(error).toMatchObject({ code: 'SP_STORE_UNAVAILABLE' }),
          );
        }
      })();
      await bench.server().pause('crash');
      await expect(store.append('refusals', [refusal()])).rejects.toMatchObject({
        code: 'SP_STORE_UNAVAILABLE',
      });
      await expect(store.db.selectFrom('users').selectAll().execute()).rejects.toMatchObject({
        code: 'SP_STORE_UNAVAILABLE',
      });
      await expect(openStore(url, { connectWithin: 1_000 })).rejects.toMatchObject({
        code: 'SP_STORE_UNAVAILABLE',
      });
      stop = true;
      await load;
      await bench.server().resume();

      const after = refusal();
      await store.append('refusals', [after]);
      expect(missingFrom(await storedIds(store), [...acknowledged, after.id])).toEqual([]);
      // Whoever listens learns that something may have been missed, and hears again.
      await gap;
      const again = new Promise<void>((resolve) => {
        store.listen('topic', (message) => {
          if (message.kind === 'message' && message.payload === 'after') resolve();
        });
      });
      await store.notify('topic', 'after');
      await again;
      expect(heard).toContainEqual({ kind: 'message', payload: 'after' });
    });

    it('refuses a transaction whose connection was lost, and the next one gets another', async () => {
      const store = await bench.fresh();
      const lost = store.transaction(async (trx) => {
        await trx.insertInto('refusals').values(refusal()).execute();
        await store.db.executeQuery(
          sql`select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and state = 'idle in transaction'`.compile(store.db),
        );
        await trx.insertInto('refusals').values(refusal()).execute();
      });
      await expect(lost).rejects.toMatchObject({ code: 'SP_STORE_UNAVAILABLE' });
      await store.append('refusals', [refusal()]);
      expect((await storedIds(store)).size).toBe(1);
    });
  }

  if (bench.kind === 'sqlite') {
    it('waits for another process’s lock for a bounded time only', async () => {
      const url = await bench.newUrl();
      const [holder, waiter] = [await bench.open(url), await bench.open(url, { lockWait: 300 })];
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      let locked = (): void => undefined;
      const isLocked = new Promise<void>((resolve) => {
        locked = resolve;
      });
      const holding = holder.transaction(async (trx) => {
        await trx.insertInto('refusals').values(refusal()).execute();
        locked();
        await held;
      });
      await isLocked;
      await expect(waiter.append('refusals', [refusal()])).rejects.toMatchObject({ code: 'SP_STORE_BUSY' });
      // Reading goes on meanwhile.
      expect((await storedIds(waiter)).size).toBe(0);
      release();
      await holding;
      await waiter.append('refusals', [refusal()]);
      expect((await storedIds(waiter)).size).toBe(2);
    });

    it('says that there is no room, keeps what it has, and goes on when there is room again', async () => {
      const store = await bench.fresh();
      const small = refusal();
      await store.append('refusals', [small]);
      const pages = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
      await sql`pragma max_page_count = ${sql.lit((pages.rows[0]?.page_count ?? 0) + 4)}`.execute(store.db);
      // One that fits shares its commit with one that doesn't.
      const fits = refusal();
      const results = await Promise.allSettled([
        store.append('refusals', [fits]),
        store.append('refusals', [refusal('x'.repeat(1_000_000))]),
      ]);
      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
      expect(results[1]).toMatchObject({ reason: { code: 'SP_STORE_FULL' } });
      await sql`pragma max_page_count = 1000000`.execute(store.db);
      const later = refusal('x'.repeat(1_000_000));
      await store.append('refusals', [later]);
      expect(await storedIds(store)).toEqual(new Set([small.id, fits.id, later.id]));
    });
  }
});

const canMount = ((): boolean => {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();

describe.runIf(canMount)('SQLite on a disk that is full', () => {
  it('keeps every acknowledged row and says what is wrong', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
    try {
      const url = `sqlite:${join(folder, 'data', 'sallyport.db')}`;
      const store = await openStore(url);
      const acknowledged: string[] = [];
      const failures: unknown[] = [];
      for (let turn = 0; turn < 2_000 && failures.length < 5; turn += 1) {
        const row = refusal('x'.repeat(5_000));
        await store.append('refusals', [row]).then(
          () => acknowledged.push(row.id),
          (error: unknown) => failures.push(error),
        );
      }
      expect(acknowledged.length).toBeGreaterThan(10);
      expect(failures).toHaveLength(5);
      for (const failure of failures) expect(failure).toMatchObject({ code: 'SP_STORE_FULL' });
      await store.close();
      execFileSync('mount', ['-o', 'remount,size=16m', folder]);
      const again = await openStore(url);
      expect(missingFrom(await storedIds(again), acknowledged)).toEqual([]);
      await again.append('refusals', [refusal()]);
      await again.close();
    } finally {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
