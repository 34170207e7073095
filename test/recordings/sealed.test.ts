// Sealed recordings seen by others: a reader that shares no code with ours, asciinema's own parser, and a disk that
// is full.
import { execFile, execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openerFromSecret, publicPem, signerFrom, verifierOf } from '../../recordings/keys.ts';
import { readHeader, readSeal } from '../../recordings/open.ts';
import { exportCast } from '../../recordings/play.ts';
import { readEvents, readShape } from '../../recordings/read.ts';
import { sampleSession } from '../../recordings/sample-session.ts';
import { verifyFile } from '../../recordings/verify.ts';
import { FileRecordings } from '../../recordings/write.ts';
import { isRoot, works } from '../harness/need.ts';

const run = promisify(execFile);
const reader = new URL('./read_recording.py', import.meta.url).pathname;
const signer = signerFrom(generateKeyPairSync('ed25519').privateKey);
const verifier = verifierOf(signer.raw);
const master = randomBytes(32);
const opener = openerFromSecret(master);
const keys = { signer: async () => signer, recipients: () => [opener] };
const terminal = { type: 'xterm', columns: 100, rows: 30 };

let folder = '';
let path = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-sealed-'));
  writeFileSync(join(folder, 'public.pem'), publicPem(verifier, 'ed25519'));
  writeFileSync(join(folder, 'master.key'), `${master.toString('base64')}\n`);
  const recordings = new FileRecordings(join(folder, 'r'), keys, { chunkBytes: 4000 });
  const recorder = await recordings.start(sampleSession('s1'));
  recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
  for (let n = 0; n < 300; n += 1) {
    recorder.output(0, Buffer.from(`line ${n} zwölf 漢字 \u001b[1m🙂\u001b[0m\r\n`), 'stdout');
    await new Promise((resolve) => setImmediate(resolve));
  }
  recorder.marker(0, 'command', { command: 'ls', outcome: 'ran' });
  recorder.exit(0, { kind: 'status', status: 0 });
  await recorder.close();
  recordings[Symbol.dispose]();
  path = recorder.path;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cast = async (version: 2 | 3): Promise<string> => {
  const shape = await readShape(path, [opener]);
  const lines: string[] = [];
  const events = readEvents(path, [opener]);
  for await (const line of exportCast(await readHeader(path), events, { version, shape })) lines.push(line);
  return lines.join('');
};

describe.skipIf(!works('python3', '-c', 'import cryptography') || !works('zstd', '--version'))(
  'a reader written after the documentation alone',
  () => {
    const read = (file: string) =>
      run('python3', [reader, file, join(folder, 'public.pem'), join(folder, 'master.key')]);

    it('proves a recording and reads the same events', async () => {
      const { stdout } = await read(path);
      const [head = '', ...lines] = stdout.trimEnd().split('\n');
      expect(JSON.parse(head)).toMatchObject({ session: { user: 'alice' }, seal: { outcome: 'complete' } });
      const outputs = lines
        .map((line): unknown => JSON.parse(line))
        .filter((e) => Array.isArray(e) && e[1] === 'o');
      expect(outputs).toHaveLength(300);
      expect(outputs[299]).toMatchObject([
        expect.anything(),
        'o',
        'line 299 zwölf 漢字 \u001b[1m🙂\u001b[0m\r\n',
      ]);
      expect(lines.length).toBe((await readSeal(path))?.events);
    });

    it('refuses changed bytes where we do', async () => {
      const bytes = readFileSync(path);
      for (let offset = 50; offset < bytes.length; offset += Math.ceil(bytes.length / 7)) {
        const changed = Buffer.from(bytes);
        changed[offset] = (changed[offset] ?? 0) ^ 4;
        const file = join(folder, 'changed.sprec');
        writeFileSync(file, changed);
        await expect(read(file)).rejects.toMatchObject({ code: expect.any(Number) });
        expect((await verifyFile(file, [verifier])).findings).not.toEqual([]);
      }
    });
  },
);

// Debian's package brings its own Python's module; version 2 of the format is what it reads.
const asciinema = `
import sys
sys.path.insert(0, '/usr/lib/python3/dist-packages')
from asciinema.asciicast import open_from_file
from asciinema import asciicast
with asciicast.open_from_url(sys.argv[1]) as cast:
    text = ''.join(event[2] for event in cast.stdout_events())
print(len(text), text.count('\\n'))
`;
const parser = [
  "import sys; sys.path.insert(0, '/usr/lib/python3/dist-packages'); import asciinema.asciicast",
];

describe('an export', () => {
  it.skipIf(!works('python3', '-c', ...parser))("is read by asciinema's own parser", async () => {
    const file = join(folder, 'two.cast');
    writeFileSync(file, await cast(2));
    const script = asciinema.replace('from asciinema.asciicast import open_from_file\n', '');
    const { stdout } = await run('python3', ['-c', script, file]);
    expect(stdout.trim().split(' ')[1]).toBe('300');
  });

  it('keeps to version 3: a header with its terminal, then intervals, known codes and text', async () => {
    const [head = '', ...lines] = (await cast(3)).trimEnd().split('\n');
    expect(JSON.parse(head)).toMatchObject({ version: 3, term: { cols: 100, rows: 30, type: 'xterm' } });
    for (const line of lines) {
      const event: unknown = JSON.parse(line);
      expect(event).toEqual([expect.any(Number), expect.stringMatching(/^[oirmx]$/), expect.any(String)]);
    }
    expect(lines.length).toBe(303);
  });
});

const disk = mkdtempSync(join(tmpdir(), 'sallyport-small-'));
const mounted = isRoot && works('mount', '-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'sallyport-test', disk);
afterAll(() => {
  if (mounted) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

const fillUp = (file: string): void => {
  for (;;) appendFileSync(file, Buffer.alloc(4096));
};

describe.skipIf(!mounted)('a full disk', () => {
  it('that others have filled still takes what is pending of every session, and their seals', async () => {
    mkdirSync(join(disk, 'full'), { mode: 0o700 });
    // Nothing is kept beside the recordings themselves.
    using recordings = new FileRecordings(join(disk, 'full'), keys, { reserveBytes: 0 });
    const recorders = await Promise.all(
      ['f1', 'f2', 'f3'].map(async (id) => recordings.start(sampleSession(id))),
    );
    const written = randomBytes(90_000).toString('base64');
    for (const recorder of recorders) {
      recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
      for (let at = 0; at < written.length; at += 5000)
        recorder.output(0, Buffer.from(written.slice(at, at + 5000)), 'stdout');
    }
    expect(() => fillUp(join(disk, 'filler'))).toThrow('ENOSPC');
    await Promise.all(recorders.map(async (recorder) => recorder.close()));
    for (const recorder of recorders) {
      expect((await verifyFile(recorder.path, [verifier])).findings).toEqual([]);
      let text = '';
      for await (const event of readEvents(recorder.path, [opener]))
        if (event.code === 'o') text += event.data;
      expect(text).toBe(written);
    }
    rmSync(join(disk, 'filler'));
    rmSync(join(disk, 'full'), { recursive: true });
  });

  it('fails at once, keeps what was recorded under a seal, and takes no new session', async () => {
    mkdirSync(join(disk, 'r'), { mode: 0o700 });
    using recordings = new FileRecordings(join(disk, 'r'), keys);
    const recorder = await recordings.start(sampleSession('s1'));
    const told: Error[] = [];
    recorder.onFailure = (error) => void told.push(error);
    recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
    const pieces: string[] = [];
    while (told.length === 0) {
      const piece = randomBytes(6000).toString('base64');
      recorder.output(0, Buffer.from(piece), 'stdout');
      if (told.length === 0) pieces.push(piece);
      await new Promise((resolve) => setImmediate(resolve));
      expect(pieces.length).toBeLessThan(2000);
    }
    await recorder.close();
    expect(told).toMatchObject([{ code: 'SP_RECORDING_WRITE' }]);
    expect((await verifyFile(recorder.path, [verifier])).findings).toEqual([]);
    expect(await readSeal(recorder.path)).toMatchObject({ outcome: 'interrupted', reason: 'disk-full' });
    let text = '';
    for await (const event of readEvents(recorder.path, [opener])) if (event.code === 'o') text += event.data;
    // An asynchronous write may meet the full disk first; then nothing that was taken is missing either.
    expect(text.startsWith(pieces.join(''))).toBe(true);
    // Sealing gave room back; whoever else fills the disk takes it.
    expect(() => fillUp(join(disk, 'other'))).toThrow('ENOSPC');
    await expect(recordings.start(sampleSession('s2'))).rejects.toMatchObject({ code: 'SP_RECORDING_OPEN' });
  });
});
