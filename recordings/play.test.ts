// Replay: its pauses, its choice of channel, and that a recorded device can't reach the watcher's terminal.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headerOf, parseEvent, type RecordedEvent } from './format.ts';
import { exportCast, exportMarks, exportText, type Frame, frames, type PlayOptions } from './play.ts';
import { sampleSession } from './sample-session.ts';
import { ScreenSafe } from './screen-safe.ts';

const events: RecordedEvent[] = [
  { at: 0, code: 'c', channel: 2, word: 'start', data: '{"kind":"shell","plain":true}' },
  { at: 0, code: 'r', columns: 80, rows: 24 },
  { at: 1, code: 'o', data: 'one' },
  { at: 2, code: 'c', channel: 3, word: 'start', data: '{"kind":"exec","plain":false}' },
  { at: 2, code: 'c', channel: 3, word: 'o', data: 'aside\n' },
  { at: 11, code: 'o', data: 'two' },
  { at: 12, code: 'x', data: '0' },
];

async function all(options: PlayOptions): Promise<Frame[]> {
  const list: Frame[] = [];
  for await (const frame of frames(events, options)) list.push(frame);
  return list;
}

describe('frames', () => {
  it('wait as long as the session did', async () => {
    expect(await all({})).toEqual([
      { wait: 1000, at: 1, text: 'one' },
      { wait: 10_000, at: 11, text: 'two' },
    ]);
  });

  it('are faster by the speed and never wait longer than the limit', async () => {
    expect((await all({ speed: 2, idleLimit: 3 })).map(({ wait }) => wait)).toEqual([500, 1500]);
  });

  it('before the start that was asked for come at once', async () => {
    expect((await all({ from: 10 })).map(({ wait }) => wait)).toEqual([0, 1000]);
  });

  it('show another channel when asked, by number for the plain one too', async () => {
    expect((await all({ channel: 3 })).map(({ text }) => text)).toEqual(['aside\r\n']);
    expect((await all({ channel: 2 })).map(({ text }) => text)).toEqual(['one', 'two']);
  });
});

describe('an export', () => {
  const shape = { columns: 80, rows: 24, type: 'xterm' };
  const header = headerOf(sampleSession('s1'));
  const cast = async (version: 2 | 3, from: readonly RecordedEvent[] = events): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of exportCast(header, from, { version, shape })) lines.push(line);
    return lines;
  };

  it('is plain asciicast of one channel', async () => {
    const lines = await cast(3);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      version: 3,
      term: { cols: 80, rows: 24, type: 'xterm' },
    });
    let at = 0;
    const exported = lines.slice(1).map((line) => {
      const event = parseEvent(line, at);
      at = event?.at ?? at;
      return event;
    });
    expect(exported).toEqual(events.filter((event) => event.code !== 'c'));
  });

  it('in version 2 has times since the start and no exit status', async () => {
    const lines = (await cast(2)).map((line): unknown => JSON.parse(line));
    expect(lines).toMatchObject([
      { version: 2, width: 80, height: 24, env: { TERM: 'xterm' } },
      [0, 'r', '80x24'],
      [1, 'o', 'one'],
      [11, 'o', 'two'],
    ]);
  });

  it('shows marks as markers, and lists them', async () => {
    const data = JSON.stringify({ kind: 'command', command: 'rm \u001b[2J x', outcome: 'blocked' });
    const marked: RecordedEvent[] = [...events, { at: 13, code: 'c', channel: 2, word: 'mark', data }];
    expect(JSON.parse((await cast(3, marked)).at(-1) ?? '')).toEqual([1, 'm', 'command rm  [2J x blocked']);
    const listed: string[] = [];
    for await (const line of exportMarks(marked, 'command')) listed.push(line);
    expect(listed.map((line): unknown => JSON.parse(line))).toEqual([
      { second: 13, channel: 2, kind: 'command', command: 'rm \u001b[2J x', outcome: 'blocked' },
    ]);
  });

  it('as text has no control sequences', async () => {
    const coloured: RecordedEvent[] = [
      { at: 0, code: 'o', data: '\u001b]0;t\u0007\u001b[1mhi\u001b[0m\r\nyou\u0007' },
    ];
    let text = '';
    for await (const piece of exportText(coloured)) text += piece;
    expect(text).toBe('hi\nyou');
  });
});

describe('text for a terminal', () => {
  const safe = (text: string) => new ScreenSafe().filter(text);

  it('keeps what draws', () => {
    for (const text of [
      'plain text\r\n\ttab\b',
      '\u001b[1;31mred\u001b[38;2;1;2;3mtrue\u001b[38:5:7mcolon\u001b[0m',
      '\u001b[H\u001b[2J\u001b[10;20H\u001b[K\u001b[5A\u001b[1;24r\u001b7\u001b8\u001bM',
      '\u001b[?1049h\u001b[?25l\u001b[?2026h\u001b[?7;25h\u001b[4 q\u001b(0lqk\u001b(B',
      'zwölf 漢字 🙂',
    ]) {
      expect(safe(text)).toBe(text);
    }
  });

  it('drops what asks, sets or reaches outside', () => {
    for (const text of [
      '\u001b]0;title\u0007',
      '\u001b]52;c;ZXZpbA==\u001b\\',
      '\u001b]8;;http://example.com\u001b\\',
      '\u001bP$qm\u001b\\',
      '\u001b_Gi=1;AAAA\u001b\\',
      '\u001b[c\u001b[>c\u001b[6n\u001b[?6n\u001b[x\u001b[>q\u001b[?u\u001b[18t\u001b[21t\u001b[5i\u001b[?1$p',
      '\u001b[?1000h\u001b[?2004h\u001b[>1u\u001b[?1006;25h',
      '\u001bZ\u0005\u0007',
      '\u009d0;title\u009c\u009bc\u0090x\u009c',
    ]) {
      expect(safe(text)).toBe('');
    }
  });

  it('comes out the same however it is cut, and never holds an unfinished sequence', () => {
    const piece = fc.constantFrom(
      '\u001b',
      '[',
      ']',
      '?',
      '1',
      ';',
      'h',
      'm',
      'c',
      '\u0007',
      '\\',
      'P',
      'a',
      '\u009b',
      '(',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 8 }), { maxLength: 8 }), (chunks) => {
        const whole = safe(chunks.flat().join(''));
        const filter = new ScreenSafe();
        expect(chunks.map((chunk) => filter.filter(chunk.join(''))).join('')).toBe(whole);
        expect(safe(whole)).toBe(whole);
      }),
    );
  });
});
