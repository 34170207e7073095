// Watching a running session: who joins late sees the screen as it is, whoever reads slowly misses output and sees the
// screen anew, and the recording is the same as without.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type LiveEvent, readLiveEvent } from './live.ts';
import { sampleKeys, sampleSession } from './sample-session.ts';
import { ScreenImage } from './screen-image.ts';
import { verifyFile } from './verify.ts';
import { type FileRecorder, FileRecordings } from './write.ts';

const terminal = { type: 'xterm', columns: 60, rows: 12 };
const { keys, verifier } = sampleKeys();

let root = '';
let recordings: FileRecordings;
let recorder: FileRecorder;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sallyport-live-'));
  recordings = new FileRecordings(root, keys, { reserveBytes: 0, chunkBytes: 20_000 });
  recorder = await recordings.start(sampleSession('s1'));
});
afterEach(async () => {
  await recorder.close();
  expect((await verifyFile(recorder.path, [verifier])).findings).toEqual([]);
  await rm(root, { recursive: true });
});

class Watcher {
  readonly seen: LiveEvent[] = [];
  readonly #waiting = new Set<() => void>();
  /** What a terminal shows that was given every screen and output. */
  readonly image = new ScreenImage(terminal.columns, terminal.rows);
  #fed: Promise<void> = Promise.resolve();
  readonly watch;

  constructor(reads: boolean) {
    this.watch = recordings.watch('s1', (lines) => {
      for (const line of lines) {
        const event = readLiveEvent(line);
        if (event === undefined) throw new Error(`no event: ${line}`);
        this.seen.push(event);
        if (event.kind === 'screen' || event.kind === 'output')
          this.#fed = this.#fed.then(() => this.image.feed(event.text));
        if (reads) this.watch?.read(line.length);
      }
      for (const wake of this.#waiting) wake();
    });
  }

  async until(reached: (seen: readonly LiveEvent[]) => boolean): Promise<void> {
    while (!reached(this.seen)) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
    }
    await this.#fed;
  }

  get outputs(): string {
    return this.seen.map((event) => (event.kind === 'output' ? event.text : '')).join('');
  }
}

const wholeScreen = async (text: string): Promise<string> => {
  using image = new ScreenImage(terminal.columns, terminal.rows);
  await image.feed(text);
  return image.paint();
};

it('shows who joins late the screen as it is, across chunks, and then what comes', async () => {
  recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
  let all = '';
  const say = (text: string): void => {
    all += text;
    recorder.output(0, Buffer.from(text), 'stdout');
  };
  for (let n = 0; n < 1000; n += 1) {
    say(`line ${n} \u001b[3${n % 8}mcoloured\u001b[0m ${'x'.repeat(n % 40)}\r\n`);
    if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  say('\u001b[5;10r\u001b[7;1Hin a region\r\n\n\n\n');
  const watcher = new Watcher(true);
  say('said while the screen is painted\r\n');
  await watcher.until((seen) => seen.some(({ kind }) => kind === 'output'));
  say('said later\r\n');
  recorder.marker(0, 'command', { command: 'ls' });
  await watcher.until((seen) => seen.some(({ kind }) => kind === 'mark'));
  expect(watcher.seen.map(({ kind }) => kind)).toEqual(['start', 'screen', 'output', 'output', 'mark']);
  expect(watcher.seen[0]).toMatchObject({ channel: 0, description: { kind: 'shell', plain: true } });
  expect(watcher.outputs).toBe('said while the screen is painted\r\nsaid later\r\n');
  expect(watcher.image.paint()).toBe(await wholeScreen(all));
  await recorder.close();
  expect(watcher.seen.at(-1)).toMatchObject({ kind: 'closed' });
});

it('leaves output out for whoever does not read, and shows the screen anew to whoever reads again', async () => {
  recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
  const watcher = new Watcher(false);
  await watcher.until((seen) => seen.some(({ kind }) => kind === 'screen'));
  let all = '';
  for (let n = 0; n < 2000; n += 1) {
    const text = `${n} ${'y'.repeat(500)}\r\n`;
    all += text;
    recorder.output(0, Buffer.from(text), 'stdout');
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(watcher.outputs.length).toBeLessThan(300_000);
  watcher.watch?.read(1_000_000);
  await watcher.until((seen) => seen.filter(({ kind }) => kind === 'screen').length === 2);
  expect(watcher.seen.find(({ kind }) => kind === 'missed')).toMatchObject({
    characters: expect.any(Number),
  });
  expect(watcher.image.paint()).toBe(await wholeScreen(all));
});

it('tells of other channels and their ends, and nothing of sessions that do not run', async () => {
  recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
  const watcher = new Watcher(true);
  await watcher.until((seen) => seen.some(({ kind }) => kind === 'screen'));
  recorder.channelStarted(1, { kind: 'exec', detail: 'id', terminal: undefined });
  recorder.output(1, Buffer.from('uid=0\n'), 'stdout');
  recorder.exit(1, { kind: 'status', status: 0 });
  recorder.channelEnded(1);
  recorder.resize(0, 80, 20);
  await watcher.until((seen) => seen.some(({ kind }) => kind === 'size'));
  expect(watcher.seen.slice(2)).toMatchObject([
    { kind: 'start', channel: 1, description: { kind: 'exec', detail: 'id' } },
    { kind: 'output', channel: 1, text: 'uid=0\n' },
    { kind: 'note', channel: 1, word: 'exit', data: { status: 0 } },
    { kind: 'note', channel: 1, word: 'end' },
    { kind: 'size', channel: 0, columns: 80, rows: 20 },
  ]);
  watcher.watch?.[Symbol.dispose]();
  const count = watcher.seen.length;
  recorder.output(0, Buffer.from('unseen'), 'stdout');
  await new Promise((resolve) => setImmediate(resolve));
  expect(watcher.seen).toHaveLength(count);
  expect(recordings.watch('s2', () => undefined)).toBeUndefined();
});
