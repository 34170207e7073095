// What recording costs: a keystroke's echo, bulk output of a terminal and of a transfer, and, for a synthetic session of
// ten hours, the file's size beside `zstd -3` of its plain asciicast and the time to reach any moment. It measures the recorder
// alone, on this machine's disk; the whole gateway's speed is bench/relay.ts's matter.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openerFromSecret, signerFrom, verifierOf } from '../recordings/keys.ts';
import { readHeader } from '../recordings/open.ts';
import { exportCast } from '../recordings/play.ts';
import { readEvents, readShape } from '../recordings/read.ts';
import { sampleSession } from '../recordings/sample-session.ts';
import { verifyFile } from '../recordings/verify.ts';
import { FileRecordings } from '../recordings/write.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const signer = signerFrom(generateKeyPairSync('ed25519').privateKey);
const opener = openerFromSecret(randomBytes(32));
let clock = 0;
const keys = { signer: async () => signer, recipients: () => [opener] };
const recordings = new FileRecordings(folder, keys, { now: () => clock });
const terminal = { type: 'xterm-256color', columns: 120, rows: 40 };
const shell = { kind: 'shell', detail: '', terminal } as const;
const transfer = { kind: 'subsystem', detail: 'sftp', terminal: undefined } as const;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const say = (name: string, value: number, unit: string): void =>
  console.log(`${name.padEnd(52)} ${value.toFixed(value < 10 ? 3 : 1).padStart(10)} ${unit}`);

const middle = (list: readonly number[], part: number): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length * part)] ?? 0;

async function echo(): Promise<void> {
  const recorder = await recordings.start(sampleSession('echo'));
  recorder.channelStarted(0, shell);
  const times: number[] = [];
  const cpu = spent();
  for (let n = 0; n < 20_000; n += 1) {
    const key = Buffer.from(n % 40 === 39 ? '\r' : 'k');
    const before = performance.now();
    recorder.input(0, key);
    recorder.output(0, n % 40 === 39 ? Buffer.from('\r\n$ ') : key, 'stdout');
    times.push((performance.now() - before) * 1000);
    if (n % 10 === 0) await turn();
  }
  await recorder.close();
  say('a key and its echo, processor time', (spent() - cpu) / 20, 'µs');
  say('a key and its echo, median', middle(times, 0.5), 'µs');
  say('a key and its echo, 99 of 100', middle(times, 0.99), 'µs');
}

const words =
  'the quick brown fox build main.c warning error ok drwxr-xr-x root Jan 12 /usr/lib/x86_64 [ 42%]'.split(
    ' ',
  );
// Mulberry32: the same session at each run.
let seed = 1;
const random = (below: number): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
};
/** Milliseconds of processor time of this thread: what else runs on the machine doesn't count. */
const spent = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
const line = (): string => {
  let text = '';
  for (let n = 3 + random(12); n > 0; n -= 1)
    text += `${words[random(words.length)] ?? ''}${random(5) === 0 ? random(100_000) : ''} `;
  return `${random(6) === 0 ? `\u001b[3${random(8)}m${text}\u001b[0m` : text}\r\n`;
};

async function bulk(name: string, id: string, channel: typeof shell | typeof transfer): Promise<void> {
  const piece = Buffer.from(
    Array.from({ length: 800 }, line)
      .join('')
      .slice(0, 32 * 1024),
  );
  const recorder = await recordings.start(sampleSession(id));
  recorder.channelStarted(0, channel);
  const pieces = 4096;
  let inCalls = 0;
  const began = performance.now();
  for (let n = 0; n < pieces; n += 1) {
    const before = spent();
    recorder.output(0, piece, 'stdout');
    inCalls += spent() - before;
    if (n % 4 === 0) await turn();
    while (recorder.pendingBytes > 4 * 1024 * 1024) {
      await new Promise<void>((resolve) => {
        recorder.onDrain = resolve;
      });
    }
  }
  await recorder.close();
  const megabytes = (pieces * piece.length) / 1e6;
  say(`${name}: the data plane's thread`, inCalls / megabytes, 'ms/MB');
  say(`${name}: as fast as it can`, megabytes / ((performance.now() - began) / 1000), 'MB/s');
}

async function tenHours(): Promise<void> {
  const recorder = await recordings.start(sampleSession('long'));
  recorder.channelStarted(0, shell);
  const start = clock;
  let events = 0;
  while (clock - start < 36_000_000) {
    const command = line()
      .slice(0, 30)
      .replace(/[^a-z /]/g, '');
    for (const key of command) {
      clock += 60 + random(200);
      recorder.input(0, Buffer.from(key));
      recorder.output(0, Buffer.from(key), 'stdout');
    }
    recorder.input(0, Buffer.from('\r'));
    recorder.marker(0, 'command', { command, outcome: 'ran' });
    recorder.output(0, Buffer.from('\r\n'), 'stdout');
    for (let n = random(30); n > 0; n -= 1) {
      clock += random(50);
      recorder.output(0, Buffer.from(Array.from({ length: 1 + random(12) }, line).join('')), 'stdout');
    }
    recorder.output(0, Buffer.from('\u001b[1;32malice@web1\u001b[0m:~$ '), 'stdout');
    clock += random(20_000);
    events += 1;
    await turn();
  }
  await recorder.close();
  const { path } = recorder;
  const cast: string[] = [];
  const shape = await readShape(path, [opener]);
  for await (const text of exportCast(await readHeader(path), readEvents(path, [opener]), {
    version: 3,
    shape,
  }))
    cast.push(text);
  const plain = join(folder, 'plain.cast');
  writeFileSync(plain, cast.join(''));
  const zstd = execFileSync('zstd', ['-3', '-q', '-c', plain], { maxBuffer: 1 << 30 }).length;
  const sealed = statSync(path).size;
  say('ten hours: commands', events, '');
  say('ten hours: plain asciicast', statSync(plain).size / 1e6, 'MB');
  say('ten hours: sealed recording', sealed / 1e6, 'MB');
  say('ten hours: sealed beside zstd -3 of the cast', sealed / zstd, '×');
  const seeks: number[] = [];
  const seekTimes: number[] = [];
  for (let n = 0; n < 30; n += 1) {
    const from = random(36_000);
    const before = performance.now();
    const cpu = spent();
    for await (const event of readEvents(path, [opener], { from })) if (event.at >= from) break;
    seeks.push(performance.now() - before);
    seekTimes.push(spent() - cpu);
  }
  say('ten hours: to a moment, median', middle(seeks, 0.5), 'ms');
  say('ten hours: to a moment, processor time, median', middle(seekTimes, 0.5), 'ms');
  say('ten hours: to a moment, slowest of 30', Math.max(...seeks), 'ms');
  const before = performance.now();
  const { findings } = await verifyFile(path, [verifierOf(signer.raw)]);
  if (findings.length > 0) throw new Error('the recording is not what was written');
  say('ten hours: verified in', performance.now() - before, 'ms');
}

try {
  await echo();
  await bulk('terminal output', 'terminal', shell);
  await bulk('transfer', 'transfer', transfer);
  await tenHours();
} finally {
  recordings[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
}
