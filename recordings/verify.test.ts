// Verification against whatever can be done to a file: each byte changed, each length cut, chunks moved, taken out,
// doubled, exchanged, signed by somebody else; and that a redaction leaves the rest proved.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeHead, frameLength, headLength, stateRedacted } from './chunk.ts';
import { sealBody, unwrapSessionKey } from './keys.ts';
import { listRecordings } from './list.ts';
import { OpenedRecording } from './open.ts';
import { encodeReplacement, redactionSignedBytes } from './redaction.ts';
import { sampleKeys, sampleSession } from './sample-session.ts';
import { bytesSource, type FindingKind, verifyFile, verifyRecording } from './verify.ts';
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

describe('another recording of the same gateway', () => {
  it('in the place of the one that is asked for is told as substituted, and is not listed as that one', async () => {
    const other = await record('s3', ['three'.repeat(10)]);
    const place = join(folder, 'elsewhere/2026/05/03/s1.sprec');
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(other, place);
    expect((await verifyFile(place, [verifier])).findings).toEqual([]);
    expect((await verifyFile(place, [verifier], 's1')).findings).toMatchObject([
      { kind: 'substituted', offset: 0 },
    ]);
    expect((await verifyFile(other, [verifier], 's3')).findings).toEqual([]);
    for await (const entry of listRecordings(join(folder, 'elsewhere')))
      expect(entry).toMatchObject({ id: 's1', kind: 'unreadable' });
  });

  it('lends it no part: whatever is put together from two of them is found', {
    timeout: 120_000,
  }, async () => {
    const other = readFileSync(await record('s4', ['uno'.repeat(10), 'dos'.repeat(10)]));
    const files = [bytes, other] as const;
    const ends = files.map((file, index) => {
      const chunks: number[] = [0, 8, 16, file.length];
      for (let at = file.readUInt32BE(12) + 16; at < file.length; ) {
        const head = decodeHead(file.subarray(at + 1, at + 1 + headLength));
        if (head === undefined) throw new Error(`file ${index} is not what it should be`);
        chunks.push(at, at + 1, at + 1 + headLength, at + frameLength);
        at += frameLength + head.bodyLength;
      }
      return chunks.sort((one, next) => one - next);
    });
    const place = fc.nat({ max: 1000 });
    const piece = fc.record({ file: fc.constantFrom(0, 1), from: place, to: place });
    const cut = ({ file, from, to }: { file: number; from: number; to: number }): Buffer => {
      const borders = ends[file] ?? [];
      const [a = 0, b = 0] = [from, to]
        .map((one) => borders[one % borders.length])
        .sort((x = 0, y = 0) => x - y);
      return files[file]?.subarray(a, b) ?? Buffer.alloc(0);
    };
    const edits = fc.oneof(
      // Pieces of both, one behind the other.
      fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => Buffer.concat(pieces.map(cut))),
      // One of them, with something put over, in, or taken out somewhere.
      fc.record({ piece, at: place, over: fc.boolean() }).map(({ piece: one, at, over }) => {
        const put = cut(one);
        const from = (ends[0] ?? [])[at % (ends[0]?.length ?? 1)] ?? 0;
        return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(over ? from + put.length : from)]);
      }),
    );
    await fc.assert(
      fc.asyncProperty(edits, async (made) => {
        const whole = files.some((file) => file.equals(made));
        expect((await verify(made)).length > 0).toBe(!whole);
      }),
      { numRuns: 1000 },
    );
  });

  it('is found by its header too: other recipients, or another session, are no longer what was signed', async () => {
    const from = bytes.subarray(16, borders[0]).toString();
    for (const header of [
      from.replace(/"ephemeral":"./, '"ephemeral":"_'),
      from.replace('"recipients":[', '"recipients":[{"id":"00","ephemeral":"","wrapped":""},'),
      from.replace('"user":"alice"', '"user":"bob"'),
      `${from} `,
    ]) {
      expect(header).not.toBe(from);
      const preamble = Buffer.concat([bytes.subarray(0, 16), Buffer.from(header)]);
      preamble.writeUInt32BE(Buffer.byteLength(header), 12);
      const [found] = await verify(Buffer.concat([preamble, bytes.subarray(borders[0])]));
      expect(found).toMatchObject({ kind: 'substituted', offset: 0 });
    }
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
