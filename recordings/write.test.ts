// Recordings on a real disk: where they lie, who may read them, that they can be found again, and what a full disk does.
import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecordingError } from './errors.ts';
import type { RecordedEvent } from './format.ts';
import { listRecordings } from './list.ts';
import { findRecording, readEnd, readEvents, readHeader } from './read.ts';
import { sampleSession } from './sample-session.ts';
import { FileRecordings } from './write.ts';

const run = promisify(execFile);
const terminal = { type: 'xterm', columns: 100, rows: 30 };

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sallyport-recordings-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function eventsOf(path: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of readEvents(path)) events.push(event);
  return events;
}

describe('a recording', () => {
  it('lies under its day, for its owner only, and exists with its header before the first byte', async () => {
    const recorder = await new FileRecordings(join(root, 'r')).start(sampleSession('s1'));
    const path = join(root, 'r/2026/05/03/s1.cast');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'r'))).mode & 0o777).toBe(0o700);
    expect((await readHeader(path)).session).toMatchObject({
      user: 'alice',
      device: 'web1',
      account: 'root',
    });
    expect(await readEnd(path)).toEqual({ kind: 'open' });
    await recorder.close();
    await recorder.close();
    expect(await readEnd(path)).toMatchObject({ kind: 'closed' });
  });

  it('gets the terminal of its first shell into the header without moving an event', async () => {
    const recorder = await new FileRecordings(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    recorder.output(0, Buffer.from('hello'), 'stdout');
    await recorder.close();
    expect((await readHeader(recorder.path)).terminal).toEqual({ columns: 100, rows: 30, type: 'xterm' });
    expect((await eventsOf(recorder.path)).filter((event) => event.code === 'o')).toHaveLength(1);
    const lines = (await readFile(recorder.path, 'utf8')).trimEnd().split('\n');
    for (const line of lines) JSON.parse(line);
  });

  it('is written while the session goes on', async () => {
    const recorder = await new FileRecordings(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    await new Promise<void>((resolve) => {
      recorder.onDrain = resolve;
      recorder.output(0, Buffer.from('on its way'), 'stdout');
    });
    expect(recorder.pendingBytes).toBe(0);
    expect(await readFile(recorder.path, 'utf8')).toContain('on its way');
    await recorder.close();
  });

  it('tells what is pending and when it has drained', async () => {
    const recorder = await new FileRecordings(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    const piece = Buffer.alloc(64 * 1024, 'y');
    for (let n = 0; n < 64; n += 1) recorder.output(0, piece, 'stdout');
    expect(recorder.pendingBytes).toBeGreaterThan(64 * piece.length);
    await new Promise<void>((resolve) => {
      recorder.onDrain = resolve;
    });
    expect(recorder.pendingBytes).toBeLessThan(32 * piece.length);
    await recorder.close();
  });

  it('fails instead of growing without end when nobody heeds what is pending', async () => {
    const recorder = await new FileRecordings(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    const errors: Error[] = [];
    recorder.onFailure = (error) => void errors.push(error);
    const piece = Buffer.alloc(1024 * 1024, 'y');
    for (let n = 0; n < 80; n += 1) recorder.output(0, piece, 'stdout');
    expect(errors.map((error) => (error instanceof RecordingError ? error.code : ''))).toEqual([
      'SP_RECORDING_OVERRUN',
    ]);
    expect(recorder.pendingBytes).toBe(0);
    await recorder.close();
  });

  it('is never written over', async () => {
    const recordings = new FileRecordings(root);
    const first = await recordings.start(sampleSession('s1'));
    await expect(recordings.start(sampleSession('s1'))).rejects.toMatchObject({ code: 'SP_RECORDING_OPEN' });
    await first.close();
  });

  it('has no id that leads out of its folder', async () => {
    const recordings = new FileRecordings(root);
    for (const id of ['../s1', 'a/b', '', '.', '-x', 'a\nb', 'x'.repeat(65)]) {
      await expect(recordings.start(sampleSession(id))).rejects.toMatchObject({ code: 'SP_RECORDING_ID' });
      await expect(findRecording(root, id)).rejects.toMatchObject({ code: 'SP_RECORDING_ID' });
    }
  });

  it('that cannot be created is told', async () => {
    await writeFile(join(root, 'file'), '');
    await expect(new FileRecordings(join(root, 'file')).start(sampleSession('s1'))).rejects.toMatchObject({
      code: 'SP_RECORDING_OPEN',
    });
  });

  it('that the disk refuses fails once, and closing still ends', async () => {
    // A limit on the size of files stands for a full disk: the same path, another error number.
    const script = `
      const { FileRecordings } = await import(${JSON.stringify(new URL('./write.ts', import.meta.url).href)});
      const { sampleSession } = await import(${JSON.stringify(new URL('./sample-session.ts', import.meta.url).href)});
      const recorder = await new FileRecordings(process.argv[1]).start(sampleSession('s1'));
      recorder.channelStarted(0, { kind: 'shell', detail: '', terminal: undefined });
      let failures = 0;
      const failed = new Promise((resolve) => { recorder.onFailure = (error) => { failures += 1; resolve(error.code); }; });
      for (let n = 0; n < 64; n += 1) recorder.output(0, Buffer.alloc(65536, 'x'), 'stdout');
      const code = await failed;
      await recorder.close();
      console.log(code, failures, recorder.pendingBytes);`;
    const { stdout } = await run('/bin/bash', [
      '-c',
      'trap "" XFSZ; ulimit -f 1024; exec "$0" --input-type=module -e "$1" "$2"',
      process.execPath,
      script,
      root,
    ]);
    expect(stdout.trim()).toBe('SP_RECORDING_WRITE 1 0');
  });
});

describe('reading', () => {
  it('stops before an event that a crash cut short', async () => {
    const recorder = await new FileRecordings(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    recorder.output(0, Buffer.from('first'), 'stdout');
    await recorder.close();
    const { size } = await stat(recorder.path);
    await truncate(recorder.path, size - 10);
    const codes = (await eventsOf(recorder.path)).map((event) =>
      event.code === 'c' ? event.word : event.code,
    );
    expect(codes).toEqual(['r', 'start', 'o', 'end']);
    expect(await readEnd(recorder.path)).toEqual({ kind: 'open' });
  });

  it('passes over comments and codes it does not know', async () => {
    const recorder = await new FileRecordings(root).start(sampleSession('s1'));
    await recorder.close();
    await appendFile(recorder.path, '# note\n[0.5, "z", "later"]\n');
    expect((await eventsOf(recorder.path)).at(-1)).toMatchObject({ code: 'other', name: 'z', data: 'later' });
  });

  it('refuses what is not a recording, and links', async () => {
    const path = join(root, 'x.cast');
    await writeFile(path, '{"version": 2}\n');
    await expect(readHeader(path)).rejects.toMatchObject({ code: 'SP_RECORDING_FORMAT' });
    await symlink('/etc/passwd', join(root, 'link.cast'));
    await expect(readHeader(join(root, 'link.cast'))).rejects.toMatchObject({ code: 'SP_RECORDING_MISSING' });
  });
});

describe('listing', () => {
  it('shows the newest first and filters by user, device, time and session', async () => {
    const recordings = new FileRecordings(root);
    const day = 86_400_000;
    const start = Date.UTC(2026, 0, 31, 12);
    for (const [index, name] of ['alice', 'bob', 'alice'].entries()) {
      const session = sampleSession(`s${index}`, {
        user: { id: name, name },
        startedAt: start + index * day,
      });
      await (await recordings.start(session)).close();
    }
    await writeFile(join(root, '2026/02/02/broken.cast'), 'no header');
    const ids = async (filter: Parameters<typeof listRecordings>[1]) => {
      const found: string[] = [];
      for await (const entry of listRecordings(root, filter)) found.push(`${entry.id} ${entry.kind}`);
      return found;
    };
    expect(await ids({})).toEqual(['s2 readable', 'broken unreadable', 's1 readable', 's0 readable']);
    expect(await ids({ user: 'alice' })).toEqual(['s2 readable', 's0 readable']);
    expect(await ids({ since: start + 1, user: 'alice' })).toEqual(['s2 readable']);
    expect(await ids({ session: 's1' })).toEqual(['s1 readable']);
    expect(await ids({ device: 'other' })).toEqual([]);
    expect(await findRecording(root, 's0')).toBe(join(root, '2026/01/31/s0.cast'));
    await expect(findRecording(root, 's9')).rejects.toMatchObject({ code: 'SP_RECORDING_MISSING' });
  });
});
