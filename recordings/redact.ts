// Takes text out of a recording that is sealed already. Each chunk that holds some of it gets a new body, sealed anew,
// and a statement signed by the gateway: who, when, why, and which body was there. Heads and signatures stay, so the proof
// of everything else holds, and a verifier lists what was redacted. The file is written anew and put in place at once.
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { stateRedacted } from './chunk.ts';
import { RecordingError, reasonOf } from './errors.ts';
import { type Opener, type Signer, sealBody, unwrapSessionKey } from './keys.ts';
import { OpenedRecording, type PlacedChunk, readExactly } from './open.ts';
import { chunkLines } from './read.ts';
import { encodeReplacement, redactionSignedBytes } from './redaction.ts';
import type { RedactingStream, RedactionRules } from './redaction-rules.ts';
import { isHeld } from './retention.ts';

const compress = promisify(zstdCompress);

export interface Redaction {
  readonly rules: RedactionRules;
  readonly by: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The text of a recording is held in memory meanwhile. Characters. */
const longestText = 1024 * 1024 * 1024;

/** Where a screen goes on elsewhere: what stands before and behind is not one text. */
const breaks = /(?<=\n|\u001b\[[\d;]{0,16}[Hf])/;

/** One event of a chunk, with its text in the parts that lines are made of. */
interface Line {
  readonly interval: unknown;
  readonly code: string;
  /** `CHANNEL WORD `; empty for events of the plain channel. */
  readonly prefix: string;
  parts: string[];
  changed: boolean;
}

const channelText = /^(\d{1,10} (o|e|i|mark|start) )([\s\S]*)$/;

function readLine(line: string): Line | undefined {
  const raw: unknown = JSON.parse(line);
  if (!Array.isArray(raw)) return undefined;
  const [interval, code, data]: unknown[] = raw;
  if (typeof code !== 'string' || typeof data !== 'string') return undefined;
  const found = code === 'c' ? channelText.exec(data) : undefined;
  const [prefix, text] = found ? [found[1] ?? '', found[3] ?? ''] : ['', data];
  const output = code === 'o' || (found && (found[2] === 'o' || found[2] === 'e'));
  return { interval, code, prefix, parts: output ? text.split(breaks) : [text], changed: false };
}

/** Takes what rules match out of the texts of one stream after another, whatever events they came in. */
class Cutter {
  readonly #rules: RedactionRules;
  readonly #streams = new Map<string, { readonly rules: RedactingStream; readonly line: [Line, number][] }>();

  constructor(rules: RedactionRules) {
    this.#rules = rules;
  }

  take(line: Line): void {
    const word = /^\d+ ([a-z]+) $/.exec(line.prefix)?.[1];
    if (line.code === 'o' || word === 'o' || word === 'e') this.#output(line);
    else if (line.code === 'i' || word === 'i') this.#replace(line, this.#rules.redact(line.parts[0] ?? ''));
    else if (word === 'mark' || word === 'start') {
      const told: unknown = JSON.parse(line.parts[0] ?? '');
      this.#replace(line, JSON.stringify(this.#rules.redactWithin(told)));
    }
  }

  #replace(line: Line, text: string): void {
    if (text === line.parts[0]) return;
    line.parts = [text];
    line.changed = true;
  }

  #output(line: Line): void {
    const name = line.prefix;
    const stream = this.#streams.get(name) ?? { rules: this.#rules.stream(), line: [] };
    this.#streams.set(name, stream);
    for (const [index, part] of line.parts.entries()) {
      stream.line.push([line, index]);
      if (endsLine.test(part)) this.#complete(stream);
    }
  }

  finish(): void {
    for (const stream of this.#streams.values()) this.#complete(stream);
  }

  /** The text that came in pieces comes out, if it is changed, in the last of them. */
  #complete(stream: { readonly rules: RedactingStream; readonly line: [Line, number][] }): void {
    const pieces = stream.line.splice(0);
    const text = pieces.map(([line, index]) => line.parts[index] ?? '').join('');
    const kept = stream.rules.feed(text) + stream.rules.flush();
    if (kept === text) return;
    for (const [place, [line, index]] of pieces.entries()) {
      const part = place === pieces.length - 1 ? kept : '';
      if (part === line.parts[index]) continue;
      line.parts[index] = part;
      line.changed = true;
    }
  }
}

const endsLine = /(?:\n|\u001b\[[\d;]{0,16}[Hf])$/;

const textOf = ({ interval, code, prefix, parts }: Line): string =>
  `[${typeof interval === 'number' ? interval.toFixed(6) : '0'}, ${JSON.stringify(code)}, ${JSON.stringify(prefix + parts.join(''))}]\n`;

/**
 * Answers how many chunks it changed; 0: nothing matched, and the file is as it was. `path` is of a sealed recording
 * that `openers` open and `signer` signed. Throws SP_RECORDING_HELD, _LOCKED, _KEY, _FORMAT and _WRITE.
 */
export async function redactRecording(
  path: string,
  signer: Signer,
  openers: readonly Opener[],
  redaction: Redaction,
): Promise<number> {
  if (await isHeld(path)) throw new RecordingError('SP_RECORDING_HELD', `${path} is under a hold`);
  await using recording = await OpenedRecording.open(path);
  if (recording.chunks.at(-1)?.head.kind !== 'seal') {
    throw new RecordingError('SP_RECORDING_HELD', `${path} is not sealed: its session runs, or it was cut`);
  }
  if (recording.preamble.signer.id !== signer.id) {
    throw new RecordingError('SP_RECORDING_KEY', `${path} was signed with another key than this gateway's`);
  }
  const sessionKey = unwrapSessionKey(recording.preamble.recipients, openers);
  const chunks = new Map<PlacedChunk, readonly Line[]>();
  const cutter = new Cutter(redaction.rules);
  let length = 0;
  for (const chunk of recording.chunks) {
    if (chunk.head.kind !== 'events') continue;
    const text = await chunkLines(recording, chunk, sessionKey);
    length += text.length;
    if (length > longestText) throw new RecordingError('SP_RECORDING_FORMAT', `${path} is too long`);
    const lines = text.split('\n').flatMap((line) => (line === '' ? [] : (readLine(line) ?? [])));
    for (const line of lines) cutter.take(line);
    chunks.set(chunk, lines);
  }
  cutter.finish();
  const changed = [...chunks].filter(([, lines]) => lines.some((line) => line.changed));
  if (changed.length === 0) return 0;
  const replaced = new Map<PlacedChunk, Buffer>();
  for (const [chunk, lines] of changed) {
    replaced.set(chunk, await replacementOf(recording, chunk, lines, { sessionKey, signer, redaction }));
  }
  await writeAnew(recording, replaced);
  return changed.length;
}

async function replacementOf(
  recording: OpenedRecording,
  chunk: PlacedChunk,
  lines: readonly Line[],
  about: { readonly sessionKey: Buffer; readonly signer: Signer; readonly redaction: Redaction },
): Promise<Buffer> {
  const { head } = chunk;
  const content = await compress(Buffer.from(lines.map(textOf).join('')));
  const sealed = sealBody(
    about.sessionKey,
    recording.preambleHash,
    { kind: 'events', compression: 'zstd', events: lines.length, first: head.first, last: head.last },
    content,
  );
  const earlier = chunk.state === 'redacted' ? await recording.replacement(chunk) : undefined;
  const { by, reason, at } = about.redaction;
  const statement = {
    sequence: head.sequence,
    body: head.bodyHash.toString('hex'),
    by: by.slice(0, 256),
    reason: reason.slice(0, 1000),
    at,
    // What was said at a redaction before, and signed then.
    ...(earlier === undefined
      ? {}
      : { earlier: earlier.statementBytes.toString('utf8').slice(0, 32 * 1024) }),
  };
  return encodeReplacement(statement, sealed.bound, sealed.body, (bytes) =>
    about.signer.sign(redactionSignedBytes(recording.preambleHash, bytes)),
  );
}

async function writeAnew(
  recording: OpenedRecording,
  replaced: ReadonlyMap<PlacedChunk, Buffer>,
): Promise<void> {
  const { path, handle } = recording;
  const draft = `${path}.redacting`;
  // One that a crash left.
  await rm(draft, { force: true });
  try {
    const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
    const { mode } = await stat(path);
    await using target = await open(draft, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, mode & 0o777);
    await copy(handle, target, 0, recording.chunks[0]?.offset ?? 0);
    for (const chunk of recording.chunks) {
      const body = replaced.get(chunk);
      if (body === undefined) await copy(handle, target, chunk.offset, chunk.length);
      else
        await target.writeFile(
          Buffer.concat([Buffer.from([stateRedacted]), chunk.headBytes, chunk.signature, body]),
        );
    }
    await target.sync();
    await rename(draft, path);
    await using folder = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.sync();
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw new RecordingError('SP_RECORDING_WRITE', `cannot redact ${path}: ${reasonOf(error)}`, error);
  }
}

const piece = 1024 * 1024;

async function copy(from: FileHandle, to: FileHandle, offset: number, length: number): Promise<void> {
  for (let done = 0; done < length; done += piece) {
    const bytes = await readExactly(from, offset + done, Math.min(piece, length - done));
    if (bytes === undefined) throw new Error('the recording ends too early');
    await to.writeFile(bytes);
  }
}
