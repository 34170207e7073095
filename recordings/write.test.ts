// Recordings on a real disk: where they lie, who may read and open them, that they can be found again, what a full disk
// does, and what is left when the process is killed.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecordingError } from './errors.ts';
import type { RecordedEvent } from './format.ts';
import { type Opener, openerFromSecret } from './keys.ts';
import { listRecordings } from './list.ts';
import { readHeader, readSeal } from './open.ts';
import { findRecording } from './places.ts';
import { readEvents, readMarks, readShape } from './read.ts';
import { recoverRecordings } from './recover.ts';
import { sampleKeys, sampleSession } from './sample-session.ts';
import { verifyFile } from './verify.ts';
import { FileRecordings, type RecordingsOptions } from './write.ts';

const run = promisify(execFile);
const terminal = { type: 'xterm', columns: 100, rows: 30 };
const { keys, signer, verifier, opener } = sampleKeys();

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sallyport-recordings-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

const recordingsIn = (folder: string, options: Partial<RecordingsOptions> = {}) =>
  new FileRecordings(folder, keys, { reserveBytes: 0, ...options });

async function eventsOf(
  path: string,
  from?: number,
  who: readonly Opener[] = [opener],
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of readEvents(path, who, { from })) events.push(event);
  return events;
}

async function shownIn(path: string): Promise<string> {
  return (await eventsOf(path)).map((event) => (event.code === 'o' ? event.data : '')).join('');
}

async function findings(path: string): Promise<string[]> {
  return (await verifyFile(path, [verifier])).findings.map(({ kind }) => kind);
}

describe('a recording', () => {
  it('lies under its day, for its owner only, and exists with its header before the first byte', async () => {
    const recorder = await recordingsIn(join(root, 'r')).start(sampleSession('s1'));
    const path = join(root, 'r/2026/05/03/s1.sprec');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'r'))).mode & 0o777).toBe(0o700);
    expect((await readHeader(path)).session).toMatchObject({
      user: 'alice',
      device: 'web1',
      account: 'root',
    });
    expect(await readSeal(path)).toBeUndefined();
    await recorder.close();
    await recorder.close();
    expect(await readSeal(path)).toMatchObject({ outcome: 'complete', reason: 'closed', chunks: 2 });
    expect(await findings(path)).toEqual([]);
    expect(await readdir(join(root, 'r/live'))).toEqual([]);
  });

  it('tells the terminal of its first shell, and its marks', async () => {
    const recordings = recordingsIn(root);
    const recorder = await recordings.start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    recorder.output(0, Buffer.from('hello'), 'stdout');
    expect(recordings.mark('s1', 0, 'command', { command: 'ls' })).toBe(true);
    await recorder.close();
    expect(recordings.mark('s1', 0, 'command', { command: 'ls' })).toBe(false);
    expect(await readShape(recorder.path, [opener])).toEqual({ columns: 100, rows: 30, type: 'xterm' });
    expect((await eventsOf(recorder.path)).filter((event) => event.code === 'o')).toHaveLength(1);
    expect((await readMarks(recorder.path, [opener])).map(({ kind }) => kind)).toEqual(['command']);
  });

  it('can be read while the session goes on, from the tail, and is in clear nowhere', async () => {
    const recorder = await recordingsIn(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    recorder.output(0, Buffer.from('on its way'), 'stdout');
    expect(await shownIn(recorder.path)).toBe('on its way');
    expect((await readFile(join(root, 'live/s1.tail0'))).includes('on its way')).toBe(false);
    await recorder.close();
    expect((await readFile(recorder.path)).includes('on its way')).toBe(false);
  });

  it('opens for its recipients alone, of whom the gateway need not be one', async () => {
    const [one, two, other] = [1, 2, 3].map((n) => openerFromSecret(Buffer.alloc(32, n)));
    if (one === undefined || two === undefined || other === undefined) throw new Error('no keys');
    const recordings = new FileRecordings(
      root,
      { ...keys, recipients: () => [one, two] },
      { reserveBytes: 0 },
    );
    const recorder = await recordings.start(sampleSession('s1'));
    await recorder.close();
    expect(await eventsOf(recorder.path, 0, [one])).toHaveLength(1);
    expect(await eventsOf(recorder.path, 0, [other, two])).toHaveLength(1);
    await expect(eventsOf(recorder.path, 0, [other, opener])).rejects.toMatchObject({
      code: 'SP_RECORDING_LOCKED',
    });
    expect(await findings(recorder.path)).toEqual([]);
  });

  it('comes out as it went in, however chunks fall, from any moment on', async () => {
    let n = 0;
    const property = fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 50, max: 3000 }),
      async (texts, chunkBytes) => {
        n += 1;
        const recorder = await recordingsIn(root, { chunkBytes }).start(sampleSession(`p${n}`));
        recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
        for (const text of texts) {
          recorder.output(0, Buffer.from(text), 'stdout');
          if (text.length % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await recorder.close();
        expect(await shownIn(recorder.path)).toBe(Buffer.from(texts.join('')).toString());
        expect(await findings(recorder.path)).toEqual([]);
        const all = await eventsOf(recorder.path);
        const middle = all[Math.floor(all.length / 2)]?.at ?? 0;
        const rest = all.filter(({ at }) => at > middle);
        const late = (await eventsOf(recorder.path, middle)).filter(({ at }) => at > middle);
        expect(late).toEqual(rest);
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });

  it('tells what is pending and when it has drained', async () => {
    const recorder = await recordingsIn(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    const piece = Buffer.alloc(64 * 1024, 'y');
    for (let n = 0; n < 64; n += 1) recorder.output(0, piece, 'stdout');
    expect(recorder.pendingBytes).toBeGreaterThan(32 * piece.length);
    while (recorder.pendingBytes > 0) {
      await new Promise<void>((resolve) => {
        recorder.onDrain = resolve;
      });
    }
    await recorder.close();
    expect((await shownIn(recorder.path)).length).toBe(64 * piece.length);
  });

  it('fails instead of growing without end when nobody heeds what is pending, and is sealed up to there', async () => {
    const recorder = await recordingsIn(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    const errors: Error[] = [];
    recorder.onFailure = (error) => void errors.push(error);
    const piece = Buffer.alloc(1024 * 1024, 'y');
    for (let n = 0; n < 80; n += 1) recorder.output(0, piece, 'stdout');
    expect(errors.map((error) => (error instanceof RecordingError ? error.code : ''))).toEqual([
      'SP_RECORDING_OVERRUN',
    ]);
    await recorder.close();
    expect(recorder.pendingBytes).toBe(0);
    expect(await readSeal(recorder.path)).toMatchObject({ outcome: 'interrupted', reason: 'overrun' });
    expect(await findings(recorder.path)).toEqual([]);
  });

  it('is never written over', async () => {
    const recordings = recordingsIn(root);
    const first = await recordings.start(sampleSession('s1'));
    await expect(recordings.start(sampleSession('s1'))).rejects.toMatchObject({ code: 'SP_RECORDING_OPEN' });
    await first.close();
    expect(await findings(first.path)).toEqual([]);
  });

  it('has no id that leads out of its folder', async () => {
    const recordings = recordingsIn(root);
    for (const id of ['../s1', 'a/b', '', '.', '-x', 'a\nb', 'x'.repeat(65)]) {
      await expect(recordings.start(sampleSession(id))).rejects.toMatchObject({ code: 'SP_RECORDING_ID' });
      await expect(findRecording(root, id)).rejects.toMatchObject({ code: 'SP_RECORDING_ID' });
    }
  });

  it('that cannot be created, signed or opened by anybody does not begin', async () => {
    await writeFile(join(root, 'file'), '');
    await expect(recordingsIn(join(root, 'file')).start(sampleSession('s1'))).rejects.toMatchObject({
      code: 'SP_RECORDING_OPEN',
    });
    const nobody = new FileRecordings(root, { ...keys, recipients: () => [] });
    await expect(nobody.start(sampleSession('s1'))).rejects.toMatchObject({ code: 'SP_RECORDING_KEY' });
    expect(await readdir(root)).toEqual(['file']);
  });

  it('that the disk refuses fails once and at once, and what was recorded is sealed', async () => {
    // A limit on the size of files stands for a full disk: the same path, another error number.
    const module = (name: string) => JSON.stringify(new URL(`./${name}.ts`, import.meta.url).href);
    const script = `
      const { FileRecordings } = await import(${module('write')});
      const { sampleKeys, sampleSession } = await import(${module('sample-session')});
      const { verifyFile } = await import(${module('verify')});
      const { readSeal } = await import(${module('open')});
      const { keys, verifier } = sampleKeys();
      const recorder = await new FileRecordings(process.argv[1], keys, { reserveBytes: 1000 }).start(sampleSession('s1'));
      recorder.channelStarted(0, { kind: 'shell', detail: '', terminal: undefined });
      const codes = [];
      recorder.onFailure = (error) => codes.push(error.code);
      let n = 0;
      for (; n < 64 && codes.length === 0; n += 1) recorder.output(0, Buffer.alloc(65536, 'x'), 'stdout');
      await recorder.close();
      const { findings } = await verifyFile(recorder.path, [verifier]);
      const seal = await readSeal(recorder.path);
      console.log(codes.join(), n, seal.outcome, seal.reason, seal.events, findings.length, recorder.pendingBytes);`;
    const { stdout } = await run('/bin/bash', [
      '-c',
      'trap "" XFSZ; ulimit -f 1024; exec "$0" --input-type=module -e "$1" "$2"',
      process.execPath,
      script,
      root,
    ]);
    // The recording holds room for all that is pending: the start's event and 14 pieces of 64 KiB stay below the limit.
    expect(stdout.trim()).toBe('SP_RECORDING_WRITE 15 interrupted write-failed 15 0 0');
  });
});

/** The script that is killed is a process of its own; more rounds take longer. */
const rounds = Number(process.env['SALLYPORT_TEST_KILLS'] ?? 10);

describe('recovery', () => {
  const recover = () => recoverRecordings(root, signer, { reason: 'gateway-crashed', now: 0 });

  it('loses nothing that was recorded when the process is killed at any moment', {
    timeout: 120_000 + rounds * 6_000,
  }, async () => {
    const module = (name: string) => JSON.stringify(new URL(`./${name}.ts`, import.meta.url).href);
    const script = `
      import { writeSync } from 'node:fs';
      const { FileRecordings } = await import(${module('write')});
      const { sampleSession } = await import(${module('sample-session')});
      const { openerFromSecret, signerFrom } = await import(${module('keys')});
      const { createPrivateKey } = await import('node:crypto');
      const keys = { signer: async () => signerFrom(createPrivateKey(process.argv[3])), recipients: () => [openerFromSecret(Buffer.alloc(32, 9))] };
      const recordings = new FileRecordings(process.argv[1], keys, { reserveBytes: 0, chunkBytes: 20000 });
      const recorder = await recordings.start(sampleSession(process.argv[2]));
      recorder.channelStarted(0, { kind: 'shell', detail: '', terminal: { type: 'xterm', columns: 80, rows: 24 } });
      for (let n = 0; ; n += 1) {
        recorder.output(0, Buffer.from('line ' + n + ' ' + 'z'.repeat(n % 300) + '\\n'), 'stdout');
        writeSync(1, n + '\\n');
        if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }`;
    const { generateKeyPairSync } = await import('node:crypto');
    const { signerFrom, verifierOf } = await import('./keys.ts');
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = String(privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const own = signerFrom(privateKey);
    for (let round = 0; round < rounds; round += 1) {
      const id = `k${round}`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, root, id, pem]);
      const target = 1 + Math.floor(Math.random() * 3000);
      let acknowledged = -1;
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged = Number(line);
        if (acknowledged === target) child.kill('SIGKILL');
      }
      const outcome = await recoverRecordings(root, own, { reason: 'gateway-crashed', now: 0 });
      expect(outcome).toMatchObject([{ kind: 'sealed', id }]);
      const path = await findRecording(root, id);
      expect((await verifyFile(path, [verifierOf(own.raw)])).findings).toEqual([]);
      expect(await readSeal(path)).toMatchObject({ outcome: 'interrupted', reason: 'gateway-crashed' });
      const events = await eventsOf(path, 0, [openerFromSecret(Buffer.alloc(32, 9))]);
      const numbers = events.flatMap((event) =>
        event.code === 'o' ? [Number(event.data.split(' ')[1])] : [],
      );
      expect(numbers).toEqual(numbers.map((_, index) => index));
      expect(numbers.length).toBeGreaterThan(acknowledged);
      expect(await readdir(join(root, 'live'))).toEqual([]);
    }
  });

  it('keeps every whole event whatever byte the tail and the recording are cut at', async () => {
    const recorder = await recordingsIn(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    for (let n = 0; n < 3; n += 1) recorder.output(0, Buffer.from(`${n}`), 'stdout');
    const tail = await readFile(join(root, 'live/s1.tail0'));
    const main = await readFile(recorder.path);
    await recorder.close();
    for (let length = 1; length <= tail.length; length += length < 56 ? 11 : 3) {
      await writeFile(join(root, 'live/s1.tail0'), tail.subarray(0, length));
      await writeFile(recorder.path, Buffer.concat([main, Buffer.alloc(length % 3, 1)]));
      const [outcome] = await recover();
      expect(outcome).toMatchObject({ kind: 'sealed' });
      expect(await findings(recorder.path)).toEqual([]);
    }
    await writeFile(join(root, 'live/s1.tail0'), tail);
    await writeFile(recorder.path, main);
    await recover();
    expect(await shownIn(recorder.path)).toBe('012');
    // A recovery that is killed at any byte is completed by the next one.
    const recovered = await readFile(recorder.path);
    for (let length = main.indexOf(Buffer.alloc(600)); length <= recovered.length; length += 97) {
      await writeFile(join(root, 'live/s1.tail0'), tail);
      await writeFile(recorder.path, Buffer.concat([recovered.subarray(0, length), main.subarray(length)]));
      await recover();
      expect(await shownIn(recorder.path)).toBe('012');
      expect(await findings(recorder.path)).toEqual([]);
    }
  });

  it('takes a tail once, whether its chunk got into the recording or not', async () => {
    const recorder = await recordingsIn(root, { chunkBytes: 1000 }).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    recorder.output(0, Buffer.from('a'.repeat(600)), 'stdout');
    const tail = await readFile(join(root, 'live/s1.tail0'));
    const drained = new Promise<void>((resolve) => {
      recorder.onDrain = resolve;
    });
    recorder.output(0, Buffer.from('b'.repeat(600)), 'stdout');
    await drained;
    recorder.output(0, Buffer.from('c'), 'stdout');
    const main = await readFile(recorder.path);
    const second = await readFile(join(root, 'live/s1.tail1'));
    await recorder.close();
    // As after a crash between the chunk and the emptying of its tail.
    await writeFile(recorder.path, main);
    await writeFile(join(root, 'live/s1.tail0'), tail);
    await writeFile(join(root, 'live/s1.tail1'), second);
    expect(await shownIn(recorder.path)).toBe(`${'a'.repeat(600)}${'b'.repeat(600)}c`);
    await recover();
    expect(await shownIn(recorder.path)).toBe(`${'a'.repeat(600)}${'b'.repeat(600)}c`);
    expect(await findings(recorder.path)).toEqual([]);
  });

  it('leaves sealed recordings as they are, and other sessions alone', async () => {
    const one = await recordingsIn(root).start(sampleSession('s1'));
    const two = await recordingsIn(root).start(sampleSession('s2'));
    const only = await recoverRecordings(root, signer, {
      sessions: ['s2'],
      reason: 'worker-crashed',
      now: 0,
    });
    expect(only).toMatchObject([{ kind: 'sealed', id: 's2' }]);
    await one.close();
    expect(await readSeal(one.path)).toMatchObject({ outcome: 'complete' });
    expect(await recover()).toEqual([]);
    void two;
  });
});

describe('reading', () => {
  it('refuses what is not a recording, changed bytes, and links', async () => {
    const path = join(root, 'x.sprec');
    await writeFile(path, '{"version": 2}\n');
    await expect(readHeader(path)).rejects.toMatchObject({ code: 'SP_RECORDING_FORMAT' });
    await symlink('/etc/passwd', join(root, 'link.sprec'));
    await expect(readHeader(join(root, 'link.sprec'))).rejects.toMatchObject({
      code: 'SP_RECORDING_MISSING',
    });
    const recorder = await recordingsIn(root).start(sampleSession('s1'));
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    await recorder.close();
    const bytes = await readFile(recorder.path);
    const preamble = 16 + bytes.readUInt32BE(12);
    bytes[preamble + 177 + 5] = (bytes[preamble + 177 + 5] ?? 0) ^ 1;
    await writeFile(recorder.path, bytes);
    await expect(eventsOf(recorder.path)).rejects.toMatchObject({ code: 'SP_RECORDING_FORMAT' });
    await truncate(recorder.path, 100);
    await expect(eventsOf(recorder.path)).rejects.toMatchObject({ code: 'SP_RECORDING_FORMAT' });
  });
});

describe('listing', () => {
  it('shows the newest first and filters by user, device, time and session', async () => {
    const recordings = recordingsIn(root);
    const day = 86_400_000;
    const start = Date.UTC(2026, 0, 31, 12);
    for (const [index, name] of ['alice', 'bob', 'alice'].entries()) {
      const session = sampleSession(`s${index}`, {
        user: { id: name, name },
        startedAt: start + index * day,
      });
      await (await recordings.start(session)).close();
    }
    await writeFile(join(root, '2026/02/02/broken.sprec'), 'no header');
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
    expect(await findRecording(root, 's0')).toBe(join(root, '2026/01/31/s0.sprec'));
    await expect(findRecording(root, 's9')).rejects.toMatchObject({ code: 'SP_RECORDING_MISSING' });
  });
});
