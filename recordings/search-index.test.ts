// Search: commands and screen text are found with their second, by whoever may open them, and quickly among a million.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleKeys, sampleSession } from './sample-session.ts';
import { SearchIndex, searchKeyOf } from './search-index.ts';
import { FileRecordings } from './write.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-search-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { keys, opener } = sampleKeys();
const key = searchKeyOf(opener);

const record = async (id: string, user: string, work: readonly (readonly [string, string])[]) => {
  let now = 0;
  const recordings = new FileRecordings(folder, keys, { reserveBytes: 0, now: () => now });
  const session = sampleSession(id, { user: { id: user, name: user } });
  const recorder = await recordings.start(session);
  recorder.channelStarted(0, {
    kind: 'shell',
    detail: '',
    terminal: { type: 'xterm', columns: 80, rows: 24 },
  });
  for (const [command, shown] of work) {
    now += 10_000;
    recorder.marker(0, 'command', { command });
    now += 1000;
    recorder.output(0, Buffer.from(shown), 'stdout');
  }
  await recorder.close();
};

describe('the index', () => {
  it('finds commands and screen text with the second to jump to', async () => {
    await record('s1', 'alice', [
      ['ls -la /etc', 'total 4\r\n-rw-r--r-- root shad\u001b[1mow\u001b[0m\r\n'],
      ['cat "x" OR 1', '\u001b[2J\u001b[5;5Hdisk\u001b[6;5Hfailure imminent'],
    ]);
    await record('s2', 'bob', [['cat /etc/passwd', 'root:x\r\n']]);
    using index = new SearchIndex(join(folder, 'search.db'), key);
    expect(statSync(join(folder, 'search.db')).mode & 0o777).toBe(0o600);
    expect(await index.update(folder, [opener])).toBe(2);
    expect(await index.update(folder, [opener])).toBe(0);
    const find = (text: string, more = {}) =>
      index
        .search({ text, limit: 10, ...more })
        .map((hit) => `${hit.session} ${hit.kind} ${hit.second}: ${hit.text}`);
    expect(find('shadow')).toEqual(['s1 screen 11: -rw-r--r-- root shadow']);
    expect(find('failure immi')).toEqual(['s1 screen 22: failure imminent']);
    expect(find('/etc/pass')).toEqual(['s2 command 10: cat /etc/passwd']);
    expect(find('cat', { user: 'alice' })).toEqual(['s1 command 21: cat "x" OR 1']);
    expect(find('"x" OR 1)')).toEqual(['s1 command 21: cat "x" OR 1']);
    expect(find('root', { kind: 'command' })).toEqual([]);
    expect(find('   ')).toEqual([]);
    index.remove('s1');
    expect(find('shadow')).toEqual([]);
  });

  it('holds no word in clear, opens with its key alone, and is made anew with another', async () => {
    await record('s1', 'alice', [['rm --force Zwölffach', 'nothing to see\r\n']]);
    const path = join(folder, 'search.db');
    {
      using index = new SearchIndex(path, key);
      await index.update(folder, [opener]);
      expect(index.search({ text: 'zwolff', limit: 10 })).toHaveLength(1);
    }
    const bytes = ['', '-wal'].flatMap((end) => (existsSync(path + end) ? [readFileSync(path + end)] : []));
    const all = Buffer.concat(bytes).toString('latin1').toLowerCase();
    for (const word of ['force', 'zw', 'nothing', 'see']) expect(all).not.toContain(word);
    const other = sampleKeys().opener;
    using index = new SearchIndex(path, searchKeyOf(other));
    expect(index.search({ text: 'zwolff', limit: 10 })).toEqual([]);
    // Whoever can't open a recording can't index it.
    expect(await index.update(folder, [other])).toBe(0);
  });

  it('leaves nothing behind of an index that held text in clear', () => {
    const path = join(folder, 'search.db');
    const old = new Database(path);
    old.exec('CREATE VIRTUAL TABLE texts USING fts5(body)');
    old.exec('CREATE TABLE recordings (id TEXT)');
    old.prepare('INSERT INTO texts VALUES (?)').run('unforgettable password');
    old.close();
    new SearchIndex(path, key)[Symbol.dispose]();
    expect(readFileSync(path).includes('unforgettable')).toBe(false);
  });

  it('answers among many commands at once', () => {
    using index = new SearchIndex(join(folder, 'search.db'), key);
    const count = Number(process.env['SALLYPORT_TEST_COMMANDS'] ?? 20_000);
    const session = { user: 'alice', device: 'web1', credential: 'root', startedAt: 0 };
    for (let part = 0; part < 100; part += 1) {
      const lines = Array.from({ length: count / 100 }, (_, n) => ({
        second: n,
        kind: 'command',
        text: `systemctl restart unit-${part * (count / 100) + n} --now`,
      }));
      index.add({ ...session, id: `s${part}` }, lines);
    }
    const began = performance.now();
    expect(index.search({ text: `unit-${count - 7}`, limit: 10 })).toHaveLength(1);
    expect(index.search({ text: 'systemctl rest', kind: 'command', limit: 10 })).toHaveLength(10);
    expect(index.search({ text: `unit-${count / 2} systemctl`, user: 'alice', limit: 10 })).toHaveLength(1);
    const took = (performance.now() - began) / 3;
    if (process.env['SALLYPORT_TEST_COMMANDS'] !== undefined)
      console.log(`${count} commands: ${took} ms a search`);
    expect(took).toBeLessThan(1000);
  }, 600_000);
});
