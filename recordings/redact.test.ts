// A later redaction: what matched is gone for good, everything else is there and proved, and who did it is told.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openerFromSecret } from './keys.ts';
import { readEvents, readMarks } from './read.ts';
import { redactRecording } from './redact.ts';
import { RedactionRules } from './redaction-rules.ts';
import { hold } from './retention.ts';
import { sampleKeys, sampleSession } from './sample-session.ts';
import { verifyFile } from './verify.ts';
import { FileRecordings } from './write.ts';

const { keys, signer, verifier, opener } = sampleKeys();
const terminal = { type: 'xterm', columns: 80, rows: 24 };
const rules = new RedactionRules([{ name: 'secret', pattern: 'hunter[0-9]' }]);
const by = { by: 'cli:carol', reason: 'case 7', at: 1234 };

let root = '';
let path = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sallyport-redact-'));
  const recordings = new FileRecordings(root, keys, { reserveBytes: 0, chunkBytes: 2000 });
  const recorder = await recordings.start(sampleSession('s1'));
  path = recorder.path;
  recorder.channelStarted(0, { kind: 'shell', detail: '', terminal });
  for (let n = 0; n < 400; n += 1) {
    recorder.output(0, Buffer.from(`line ${n}\r\n`), 'stdout');
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (n === 200) {
      for (const key of 'echo hunter2 said') {
        recorder.input(0, Buffer.from(key));
        recorder.output(0, Buffer.from(key), 'stdout');
      }
      recorder.input(0, Buffer.from('\r'));
      recorder.marker(0, 'command', { command: 'echo hunter2 said' });
      recorder.output(0, Buffer.from('\r\nhunter2 said\r\n'), 'stdout');
    }
  }
  await recorder.close();
});
afterEach(() => rm(root, { recursive: true }));

async function textOf(): Promise<string> {
  const events: unknown[] = [];
  for await (const event of readEvents(path, [opener])) events.push(event);
  return JSON.stringify(events);
}

async function shown(): Promise<string> {
  let text = '';
  for await (const event of readEvents(path, [opener])) if (event.code === 'o') text += event.data;
  return text;
}

it('takes out what matches, key by key or at once, and the rest stays and is proved', async () => {
  const before = await shown();
  const changed = await redactRecording(path, signer, [opener], { rules, ...by });
  expect(changed).toBeGreaterThan(0);
  expect(await shown()).toBe(before.replaceAll('hunter2', '[redacted secret]'));
  expect(await textOf()).not.toContain('hunter');
  expect((await readMarks(path, [opener])).map(({ kind }) => kind)).toEqual(['command']);
  const { findings, redactions, chunks } = await verifyFile(path, [verifier]);
  expect(findings).toEqual([]);
  expect(redactions).toHaveLength(changed);
  expect(redactions[0]).toMatchObject(by);
  expect(changed).toBeLessThan(chunks / 2);
  // The index still tells where the chunks stood before; a seek does not need it.
  const all: number[] = [];
  for await (const event of readEvents(path, [opener])) all.push(event.at);
  const last = all.at(-1) ?? 0;
  for (const from of [last / 3, last / 2, last]) {
    const later: number[] = [];
    for await (const event of readEvents(path, [opener], { from }))
      if (event.at >= from) later.push(event.at);
    expect(later).toEqual(all.filter((at) => at >= from));
  }
});

it('can be done again, and keeps what was said the first time', async () => {
  await redactRecording(path, signer, [opener], { rules, ...by });
  const more = new RedactionRules([{ name: 'more', pattern: 'redacted secret' }]);
  expect(
    await redactRecording(path, signer, [opener], { rules: more, ...by, reason: 'case 8' }),
  ).toBeGreaterThan(0);
  const { findings, redactions } = await verifyFile(path, [verifier]);
  expect(findings).toEqual([]);
  expect(redactions.map(({ reason }) => reason)).toContain('case 8');
  expect(redactions.some(({ earlier }) => earlier?.includes('case 7'))).toBe(true);
});

it('catches every change of a redacted recording, as of any other', async () => {
  await redactRecording(path, signer, [opener], { rules, ...by });
  const bytes = await readFile(path);
  for (let offset = 3; offset < bytes.length; offset += 29) {
    const copy = Buffer.from(bytes);
    copy[offset] = (copy[offset] ?? 0) ^ 8;
    await writeFile(path, copy);
    expect((await verifyFile(path, [verifier])).findings, `byte ${offset}`).not.toEqual([]);
  }
});

it('leaves a recording alone that holds nothing of it, is held, or that it can not open or sign for', async () => {
  const bytes = await readFile(path);
  const nothing = new RedactionRules([{ name: 'x', pattern: 'not there' }]);
  expect(await redactRecording(path, signer, [opener], { rules: nothing, ...by })).toBe(0);
  const other = openerFromSecret(Buffer.alloc(32, 7));
  await expect(redactRecording(path, signer, [other], { rules, ...by })).rejects.toMatchObject({
    code: 'SP_RECORDING_LOCKED',
  });
  await expect(redactRecording(path, sampleKeys().signer, [opener], { rules, ...by })).rejects.toMatchObject({
    code: 'SP_RECORDING_KEY',
  });
  await hold(path, 'carol', 'case 9', 1);
  await expect(redactRecording(path, signer, [opener], { rules, ...by })).rejects.toMatchObject({
    code: 'SP_RECORDING_HELD',
  });
  expect((await readFile(path)).equals(bytes)).toBe(true);
});
