// Verification against whatever can be done to a file: each byte changed, each length cut, chunks moved, taken out,
// doubled, exchanged, signed by somebody else; and that a redaction leaves the rest proved.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frameLength, stateRedacted } from './chunk.ts';
import { sealBody, unwrapSessionKey } from './keys.ts';
import { OpenedRecording } from './open.ts';
import { encodeReplacement, redactionSignedBytes } from './redaction.ts';
import { sampleKeys, sampleSession } from './sample-session.ts';
import { bytesSource, type FindingKind, verifyRecording } from './verify.ts';
import { FileRecordings } from './write.ts';

const { keys, signer, verifier, opener } = sampleKeys();
let folder = '';
let bytes = Buffer.alloc(0);
/** Where the chunks begin, and the end. */
let borders: readonly number[] = [];
let path = '';

const record = async (id: string, texts: readonly string[]): Promise<string> => {
  const recordings = new FileRecordings(folder, keys, { reserveBytes: 0, chunkBytes: 40 });
  const recorder = await recordings.start(sampleSession(id));
  recorder.channelStarted(0, { kind: 'exec', detail: 'x', terminal: undefined });
  for (const text of texts) {
    const drained = new Promise<void>((resolve) => {
      recorder.onDrain = resolve;
    });
    recorder.output(0, Buffer.from(text), 'stdout');
    await drained;
  }
  await recorder.close();
  return recorder.path;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-verify-'));
  path = await record('s1', ['one'.repeat(10), 'two'.repeat(10), 'three'.repeat(10)]);
  bytes = readFileSync(path);
  await using recording = await OpenedRecording.open(path);
  borders = [...recording.chunks.map(({ offset }) => offset), bytes.length];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const verify = async (changed: Buffer, verifiers = [verifier]) =>
  (await verifyRecording(bytesSource(changed), verifiers)).findings;

const first = async (changed: Buffer): Promise<[FindingKind | undefined, number | undefined]> => {
  const [found] = await verify(changed);
  return [found?.kind, found?.offset];
};

/** The file made of these parts: -1 is the preamble, others are chunks. */
const parts = (...numbers: readonly number[]): Buffer =>
  Buffer.concat(
    numbers.map((number) =>
      number < 0 ? bytes.subarray(0, borders[0]) : bytes.subarray(borders[number], borders[number + 1]),
    ),
  );

it('proves a recording as it was written', async () => {
  expect(await verify(bytes)).toEqual([]);
  expect(borders.length).toBeGreaterThan(5);
});

it('finds each changed byte, at or before that byte, and the part in doubt holds it', {
  timeout: 120_000,
}, async () => {
  for (let offset = 0; offset < bytes.length; offset += 1) {
    const changed = Buffer.from(bytes);
    changed[offset] = (changed[offset] ?? 0) ^ (1 << (offset % 8));
    const [found] = await verify(changed);
    if (found === undefined) throw new Error(`byte ${offset} was changed and nothing found`);
    expect(found.kind, `byte ${offset}`).toBe('substituted');
    expect(found.offset).toBeLessThanOrEqual(offset);
    expect(found.end).toBeGreaterThan(offset);
  }
});

it('finds each length that the file can be cut to, as a cut at its end', { timeout: 120_000 }, async () => {
  for (let length = 0; length < bytes.length; length += 1) {
    const [kind, offset] = await first(bytes.subarray(0, length));
    expect([kind, offset], `cut to ${length}`).toEqual(['truncated', length]);
  }
});

describe('chunks', () => {
  it('that change places are told as reordered', async () => {
    expect(await first(parts(-1, 0, 2, 1, 3, 4, 5))).toEqual(['reordered', borders[1]]);
    expect(await first(parts(-1, 1, 0, 2, 3, 4, 5))).toEqual(['reordered', borders[0]]);
    expect(await first(parts(-1, 0, 1, 1, 2, 3, 4, 5))).toEqual(['reordered', borders[2]]);
  });

  it('that are taken out are told as a gap', async () => {
    expect(await first(parts(-1, 0, 2, 3, 4, 5))).toEqual(['gap', borders[1]]);
    expect(await first(parts(-1, 1, 2, 3, 4, 5))).toEqual(['gap', borders[0]]);
    expect(await first(parts(-1, 0, 5))).toEqual(['gap', borders[1]]);
    const [, one = 0] = borders;
    const cut = Buffer.concat([
      bytes.subarray(0, one + frameLength + 3),
      bytes.subarray(one + frameLength + 9),
    ]);
    expect(await first(cut)).toEqual(['gap', one + frameLength]);
  });

  it('of another recording of the same gateway are told as substituted', async () => {
    const other = readFileSync(await record('s2', ['one'.repeat(10), 'two'.repeat(10), 'three'.repeat(10)]));
    await using recording = await OpenedRecording.open(join(folder, '2026/05/03/s2.sprec'));
    const [, from = 0, to = 0] = recording.chunks.map(({ offset }) => offset);
    const mixed = Buffer.concat([parts(-1, 0), other.subarray(from, to), parts(2, 3, 4, 5)]);
    expect(await first(mixed)).toEqual(['substituted', borders[1]]);
  });

  it('behind the seal, and other bytes there, are told as added', async () => {
    expect(await first(Buffer.concat([bytes, Buffer.from('x')]))).toEqual(['added', bytes.length]);
    expect(await first(Buffer.concat([bytes, Buffer.alloc(300)]))).toEqual(['added', bytes.length]);
  });
});

it('tells a key that did not sign from bytes that were changed', async () => {
  expect((await verify(bytes, [sampleKeys().verifier])).map(({ kind }) => kind)).toEqual(['other-key']);
});

it('proves the rest of a redacted recording, and who redacted what; a changed redaction is found', async () => {
  await using recording = await OpenedRecording.open(path);
  const [, chunk] = recording.chunks;
  if (chunk === undefined) throw new Error('no chunk');
  const sessionKey = unwrapSessionKey(recording.preamble.recipients, [opener]);
  const { first: at, last } = chunk.head;
  const sealed = sealBody(
    sessionKey,
    recording.preambleHash,
    { kind: 'events', compression: 'none', events: 1, first: at, last },
    Buffer.from('[0.1, "c", "0 o (redacted)"]\n'),
  );
  const statement = {
    sequence: chunk.head.sequence,
    body: chunk.head.bodyHash.toString('hex'),
    by: 'alice',
    reason: 'a password was shown',
    at: 5,
  };
  const replacement = encodeReplacement(statement, sealed.bound, sealed.body, (text) =>
    signer.sign(redactionSignedBytes(recording.preambleHash, text)),
  );
  const head = bytes.subarray(chunk.offset + 1, chunk.offset + frameLength);
  const redacted = Buffer.concat([
    bytes.subarray(0, chunk.offset),
    Buffer.from([stateRedacted]),
    head,
    replacement,
    bytes.subarray(chunk.offset + chunk.length),
  ]);
  const verification = await verifyRecording(bytesSource(redacted), [verifier]);
  expect(verification.findings).toEqual([]);
  expect(verification.redactions).toMatchObject([{ by: 'alice', reason: 'a password was shown' }]);
  const end = chunk.offset + frameLength + replacement.length;
  for (let offset = chunk.offset; offset < end; offset += 1) {
    const changed = Buffer.from(redacted);
    changed[offset] = (changed[offset] ?? 0) ^ 1;
    const [found] = await verify(changed);
    expect(found?.kind, `byte ${offset}`).toBe('substituted');
    expect(found?.offset).toBeLessThanOrEqual(offset);
  }
});
