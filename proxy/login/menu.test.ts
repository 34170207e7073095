import xterm from '@xterm/headless';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth, shorten, wrap } from './display-width.ts';
import { Menu, type MenuOptions } from './menu.ts';

const ENTRIES = [
  { device: 'db1', account: 'postgres', detail: 'production' },
  { device: 'web1', account: 'deploy', detail: 'staging' },
  { device: 'web1', account: 'root', detail: 'staging' },
  { device: 'web2', account: 'root', detail: 'production' },
];
const MANY = Array.from({ length: 50 }, (_, i) => ({ device: `host${i}`, account: 'root', detail: '' }));

function menu(change: Partial<MenuOptions> = {}): Menu {
  return new Menu({
    title: 'Where to?',
    entries: ENTRIES,
    nothing: 'Nothing is granted to you. Ask your administrator.',
    columns: 40,
    rows: 10,
    ...change,
  });
}

const feed = (target: Menu, text: string) => target.feed(Buffer.from(text));

/** What a terminal of that size shows, and where its cursor is. */
async function screen(
  target: Menu,
  columns = 40,
  rows = 10,
): Promise<{ lines: string[]; cursor: [number, number] }> {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(target.open() + target.render(), resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: rows }, (_, row) =>
    (active.getLine(row)?.translateToString(true) ?? '').trimEnd(),
  );
  const cursor: [number, number] = [active.cursorX, active.cursorY];
  terminal.dispose();
  return { lines, cursor };
}

/** The device and account of the line that is marked. */
async function marked(target: Menu, columns = 40, rows = 10): Promise<string> {
  const { lines } = await screen(target, columns, rows);
  return (lines.find((line) => line.startsWith('> ')) ?? '').slice(2).replace(/\s+/g, ' ').trim();
}

describe('the menu', () => {
  it('shows title, search line, entries and what to press in 40 by 10', async () => {
    const { lines, cursor } = await screen(menu());
    expect(lines).toEqual([
      'Where to?',
      'Search:',
      '> db1   postgres  production',
      '  web1  deploy  staging',
      '  web1  root  staging',
      '  web2  root  production',
      '',
      '',
      '',
      '1/4 Enter opens, ^C leaves',
    ]);
    expect(cursor).toEqual([8, 1]);
  });

  it.each([
    ['arrows', '\u001b[B\u001b[B\u001b[A'],
    ['arrows in application mode', '\u001bOB\u001bOB\u001bOA'],
    ['arrows with a modifier', '\u001b[1;5B'],
    ['control keys', '\u000e\u000e\u0010'],
  ])('moves with %s', async (_, keys) => {
    const target = menu();
    feed(target, keys);
    expect(await marked(target)).toBe('web1 deploy staging');
  });

  it.each([
    ['\u001b[F', 'web2 root production'],
    ['\u001bOF', 'web2 root production'],
    ['\u001b[4~', 'web2 root production'],
    ['\u001b[8~\u001b[H', 'db1 postgres production'],
    ['\u001b[F\u001bOH', 'db1 postgres production'],
    ['\u001b[F\u001b[1~', 'db1 postgres production'],
    ['\u001b[F\u001b[7~', 'db1 postgres production'],
  ])('knows Home and End as %j', async (keys, line) => {
    const target = menu();
    feed(target, keys);
    expect(await marked(target)).toBe(line);
  });

  it('pages and stops at both ends', async () => {
    const target = menu({ entries: MANY });
    feed(target, '\u001b[6~');
    expect(await marked(target)).toBe('host7 root');
    feed(target, '\u001b[6~'.repeat(20));
    expect(await marked(target)).toBe('host49 root');
    feed(target, '\u001b[5~');
    expect(await marked(target)).toBe('host42 root');
    feed(target, '\u001b[5~'.repeat(20));
    expect(await marked(target)).toBe('host0 root');
  });

  it('understands keys that come byte by byte', async () => {
    const target = menu();
    for (const byte of Buffer.from('\u001b[B\u001bOB\u001b[1;2B')) target.feed(Buffer.from([byte]));
    expect(await marked(target)).toBe('web2 root production');
    for (const byte of Buffer.from('\u001b[Aé')) target.feed(Buffer.from([byte]));
    expect((await screen(target)).lines[1]).toBe('Search: é');
  });

  it('searches as one types, over device, account and detail, and every word counts', async () => {
    const target = menu();
    feed(target, 'ROOT stag');
    const { lines, cursor } = await screen(target);
    expect(lines.slice(1, 4)).toEqual(['Search: ROOT stag', '> web1  root  staging', '']);
    expect(cursor).toEqual([17, 1]);
    feed(target, '\u0017');
    expect((await screen(target)).lines[1]).toBe('Search: ROOT');
    feed(target, '\u007f\u0008');
    expect((await screen(target)).lines[1]).toBe('Search: ROO');
    feed(target, '\u0015zzz');
    expect((await screen(target)).lines[2]).toBe('  (nothing matches)');
    expect(feed(target, '\r')).toEqual([{ kind: 'changed' }]);
  });

  it('keeps the marked entry while the search still shows it', async () => {
    const target = menu();
    feed(target, '\u001b[B\u001b[B');
    feed(target, 'web');
    expect(await marked(target)).toBe('web1 root staging');
    feed(target, '\u0015');
    expect(await marked(target)).toBe('web1 root staging');
  });

  it('chooses with Enter by the index of the entries as given', () => {
    const target = menu();
    feed(target, 'web2');
    expect(feed(target, '\r')).toEqual([{ kind: 'chosen', index: 3 }]);
    expect(feed(target, '\r\u0003x')).toEqual([]);
    expect(feed(menu(), '\n')).toEqual([{ kind: 'chosen', index: 0 }]);
  });

  it.each(['\u0003', '\u0004', '\u001b\u001b', 'q'])('is left by %j', (keys) => {
    expect(feed(menu(), keys).at(-1)).toEqual({ kind: 'left' });
  });

  it('takes q for text once something is searched for', async () => {
    const target = menu();
    expect(feed(target, 'pq').at(-1)).toEqual({ kind: 'changed' });
    expect((await screen(target)).lines[1]).toBe('Search: pq');
  });

  it('is not left by an Esc and then an arrow', async () => {
    const target = menu();
    expect(feed(target, '\u001b')).toEqual([]);
    expect(feed(target, '\u001b[B')).toEqual([{ kind: 'changed' }]);
    expect(await marked(target)).toBe('web1 deploy staging');
  });

  it('drops keys and sequences that it does not know', async () => {
    const target = menu();
    feed(
      target,
      '\u001b[200~\u001b[15~\u001bOP\u001b[<0;10;10M\u001bx\u0001\u0000\u001b[999999999999999999999999B',
    );
    expect(await marked(target)).toBe('db1 postgres production');
    expect((await screen(target)).lines[1]).toBe('Search:');
  });

  it('fits any size, down to one cell, and after a resize', async () => {
    for (const [columns, rows] of [
      [1, 1],
      [2, 2],
      [10, 3],
      [20, 4],
      [200, 60],
    ] as const) {
      const target = menu({ entries: MANY });
      feed(target, '\u001b[F');
      target.resize(columns, rows);
      const { lines } = await screen(target, columns, rows);
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
      if (columns >= 10) expect(await marked(target, columns, rows)).toContain('host49');
    }
  });

  it('takes a size of zero for 80 by 24', async () => {
    const target = menu({ columns: 0, rows: 0 });
    expect((await screen(target, 80, 24)).lines[23]).toBe('1/4  Enter opens, Ctrl-C leaves, type to search');
  });

  it('keeps wide names in their columns', async () => {
    const target = menu({
      entries: [
        { device: '東京サーバー', account: 'root', detail: '' },
        { device: 'web', account: 'root', detail: '' },
        { device: '東京サーバー東京サーバー東京サーバー', account: '管理者', detail: '😀'.repeat(20) },
      ],
    });
    const { lines } = await screen(target);
    expect(lines.slice(2, 4).map((line) => displayWidth(line.slice(0, line.indexOf('root'))))).toEqual([
      23, 23,
    ]);
    expect(lines[4]).toContain('管理者');
    for (const line of lines) expect(displayWidth(line)).toBeLessThan(40);
  });

  it('never lets a name write to the terminal', () => {
    const evil = '\u001b]0;x\u0007\u001b[2J\u009b31m\r\n\u202eevil\ud800';
    const target = menu({
      title: evil,
      entries: [{ device: evil, account: evil, detail: evil }],
      nothing: evil,
    });
    for (const text of [target.render(), menu({ entries: [], nothing: evil }).render()]) {
      const own = text.replace(/\u001b\[[0-9;]*[HKJm]/g, '').replaceAll('\r\n', '');
      expect(own).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    }
  });

  it('says whom to ask when nothing is granted', async () => {
    const target = menu({ entries: [] });
    expect((await screen(target)).lines.slice(0, 4)).toEqual([
      'Nothing is granted to you. Ask your',
      'administrator.',
      'Press q or Ctrl-C to leave.',
      '',
    ]);
    expect(feed(target, '\r\u001b[B').at(-1)).toEqual({ kind: 'changed' });
    expect(feed(target, 'q')).toEqual([{ kind: 'left' }]);
  });

  it('gives the screen back as it was', async () => {
    const terminal = new xterm.Terminal({ cols: 40, rows: 10, allowProposedApi: true });
    const target = menu();
    const text = `before\r\n${target.open()}${target.render()}${target.close()}after`;
    await new Promise<void>((resolve) => terminal.write(text, resolve));
    const { active } = terminal.buffer;
    expect([0, 1, 2].map((row) => active.getLine(row)?.translateToString(true))).toEqual([
      'before',
      'after',
      '',
    ]);
    terminal.dispose();
  });

  it('never throws and stays in its bounds, whatever is typed', () => {
    const keys = fc.oneof(
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom('\u001b[B', '\u001b[5~', 'web', '\u007f', '\u001b').map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 40 }), fc.nat(100), fc.nat(40), (presses, columns, rows) => {
        const target = menu({ entries: MANY });
        for (const press of presses) {
          for (const event of target.feed(press)) {
            if (event.kind === 'chosen') expect(MANY[event.index]).toBeDefined();
          }
          target.resize(columns, rows);
          expect(target.render().length).toBeLessThan(10_000);
        }
      }),
    );
  });
});

describe('display width', () => {
  it.each([
    ['abc', 3],
    ['é', 1],
    ['é', 1],
    ['東', 2],
    ['😀', 2],
    ['한', 2],
    ['ｱ', 1],
    ['\u200b', 0],
  ])('of %j is %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it('is kept when a text is cut or wrapped', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(20), (text, cells) => {
        expect(displayWidth(shorten(text, cells))).toBeLessThanOrEqual(cells);
        for (const line of wrap(text, cells + 1)) expect(displayWidth(line)).toBeLessThanOrEqual(cells + 1);
      }),
    );
  });
});
