// Reads the events of a recording with the keys of one who may open it, chunk by chunk in constant memory. A recording
// that still grows, or that a crash cut short, reads up to its last whole event. Nothing here renders or writes to a
// terminal, and nothing here proves that the recording is what was written (verify.ts does).
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { largestBody } from './chunk.ts';
import { RecordingError } from './errors.ts';
import { parseEvent, type RecordedEvent, shapeOf, type TerminalShape } from './format.ts';
import { type Opener, openBody, unwrapSessionKey } from './keys.ts';
import { chunkAt, OpenedRecording, type PlacedChunk, readSeal } from './open.ts';
import { tailPaths } from './places.ts';
import { readTails } from './tail.ts';

const decompress = promisify(zstdDecompress);
/** What is decompressed at once, packed and unpacked. Bytes. */
const smallContent = 256 * 1024;
const largestSmall = 4 * 1024 * 1024;

export interface ReadOptions {
  /** Seconds: chunks that end well before are passed over, but for what tells channels and sizes. */
  readonly from?: number | undefined;
}

/** `path` of `ROOT/YYYY/MM/DD/ID.sprec` → its tails'. */
function tailsOf(path: string): readonly string[] {
  const root = dirname(dirname(dirname(dirname(path))));
  return tailPaths(root, basename(path, '.sprec'));
}

/** Undefined for what grows too much to be unpacked at once. */
function smallText(content: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(content, { maxOutputLength: largestSmall });
  } catch {
    return undefined;
  }
}

async function unpacked(content: Buffer, compression: 'none' | 'zstd'): Promise<string> {
  if (compression === 'none') return content.toString('utf8');
  try {
    // A chunk as writers make it takes a millisecond; another thread may be busy for longer.
    const plain = content.length <= smallContent ? smallText(content) : undefined;
    return (plain ?? (await decompress(content, { maxOutputLength: 4 * largestBody }))).toString('utf8');
  } catch (error) {
    throw new RecordingError('SP_RECORDING_FORMAT', 'a chunk does not decompress', error);
  }
}

/** The lines of one chunk. Throws SP_RECORDING_FORMAT when its bytes were changed. */
export async function chunkLines(
  recording: OpenedRecording,
  chunk: PlacedChunk,
  sessionKey: Buffer,
): Promise<string> {
  if (chunk.state === 'whole') {
    const body = await recording.body(chunk);
    const content = openBody(sessionKey, recording.preambleHash, chunk.headBytes, body);
    return unpacked(content, chunk.head.compression);
  }
  const replacement = await recording.replacement(chunk);
  if (replacement === undefined || replacement.body.length === 0) return '';
  const content = openBody(sessionKey, recording.preambleHash, replacement.bound, replacement.body);
  return unpacked(content, replacement.bound[5] === 1 ? 'zstd' : 'none');
}

/** The events in a chunk's text; the first happened at `first` microseconds. */
export function* eventsIn(lines: string, first: number): Generator<RecordedEvent, void, undefined> {
  let at: number | undefined;
  for (const line of lines.split('\n')) {
    const event = parseEvent(line, at ?? 0);
    if (event === undefined) continue;
    const placed = at === undefined ? { ...event, at: first / 1e6 } : event;
    at = placed.at;
    yield placed;
  }
}

/** What a player needs to know of the time before the one it starts at. */
function tellsShape(event: RecordedEvent): boolean {
  return event.code === 'r' || (event.code === 'c' && (event.word === 'start' || event.word === 'r'));
}

/** The chunk to start from so that the screen at `from` seconds comes out right: the one before that moment's. */
export function chunkBefore(chunks: readonly PlacedChunk[], from: number): number {
  const later = chunks.findIndex(({ head }) => head.last >= from * 1e6);
  return Math.max(0, (later < 0 ? chunks.length : later) - 1);
}

/** The lines in a chunk's text that tell shapes, without reading the others. */
function* shapesIn(lines: string, first: number): Generator<RecordedEvent, void, undefined> {
  for (const [line] of lines.matchAll(/^\[[\d.]+, "(?:r", "|c", "\d+ (?:start|r) ).*$/gm)) {
    const event = parseEvent(line, first / 1e6);
    if (event !== undefined && tellsShape(event)) yield event;
  }
}

/** Where the chunks stand, by the index; undefined where there is none (a crash, a running session) or it does not fit. */
async function indexed(
  recording: OpenedRecording,
  sessionKey: Buffer,
): Promise<readonly (readonly [offset: number, last: number])[] | undefined> {
  const { size } = await recording.handle.stat();
  const at = (await readSeal(recording.path))?.index;
  const chunk = at === undefined ? undefined : await chunkAt(recording.handle, at, size);
  if (chunk?.head.kind !== 'index') return undefined;
  const raw: unknown = JSON.parse(await chunkLines(recording, chunk, sessionKey));
  const list: unknown = typeof raw === 'object' && raw !== null && 'chunks' in raw ? raw.chunks : undefined;
  return (Array.isArray(list) ? list : []).flatMap((entry: unknown) => {
    const [offset, , last]: unknown[] = Array.isArray(entry) ? entry : [];
    return typeof offset === 'number' && typeof last === 'number' ? [[offset, last] as const] : [];
  });
}

/**
 * The events from the chunk on that `from` seconds need, found by the index: no other chunk is looked at but the first.
 * Answers false, and nothing, where the index does not help.
 */
async function* eventsFrom(
  recording: OpenedRecording,
  sessionKey: Buffer,
  from: number,
): AsyncGenerator<RecordedEvent, boolean, undefined> {
  const places = await indexed(recording, sessionKey);
  if (places === undefined || places.length === 0) return false;
  const later = places.findIndex(([, last]) => last >= from * 1e6);
  const start = Math.max(0, (later < 0 ? places.length : later) - 1);
  const { size } = await recording.handle.stat();
  let chunk = await chunkAt(recording.handle, places[start]?.[0] ?? 0, size);
  // A redaction moves what stands behind it.
  if (chunk?.head.kind !== 'events' || chunk.head.sequence !== start) return false;
  const opening = start === 0 ? undefined : await chunkAt(recording.handle, recording.end, size);
  if (opening !== undefined) {
    yield* shapesIn(await chunkLines(recording, opening, sessionKey), opening.head.first);
  }
  while (chunk?.head.kind === 'events') {
    yield* eventsIn(await chunkLines(recording, chunk, sessionKey), chunk.head.first);
    chunk = await chunkAt(recording.handle, chunk.offset + chunk.length, size);
  }
  return true;
}

/** Throws SP_RECORDING_LOCKED, SP_RECORDING_FORMAT and SP_RECORDING_MISSING. */
export async function* readEvents(
  path: string,
  openers: readonly Opener[],
  options: ReadOptions = {},
): AsyncGenerator<RecordedEvent, void, undefined> {
  const from = options.from ?? 0;
  if (from > 0) {
    await using head = await OpenedRecording.openHead(path);
    const key = unwrapSessionKey(head.preamble.recipients, openers);
    if (yield* eventsFrom(head, key, from)) return;
  }
  // The tails come first: what moves from a tail to the recording meanwhile is then met twice, and passed over once.
  const tails = await readTails(tailsOf(path));
  await using recording = await OpenedRecording.open(path);
  const sessionKey = unwrapSessionKey(recording.preamble.recipients, openers);
  const chunks = recording.chunks.filter(({ head }) => head.kind === 'events');
  const start = from === 0 ? 0 : chunkBefore(chunks, from);
  const opening = chunks[0];
  if (start > 0 && opening !== undefined) {
    yield* shapesIn(await chunkLines(recording, opening, sessionKey), opening.head.first);
  }
  for (const chunk of chunks.slice(start)) {
    yield* eventsIn(await chunkLines(recording, chunk, sessionKey), chunk.head.first);
  }
  for (const tail of tails) {
    if (!tail.head.preambleHash.equals(recording.preambleHash)) continue;
    if (tail.head.generation < recording.chunks.length) continue;
    for (const chunk of tail.chunks) {
      const content = openBody(sessionKey, recording.preambleHash, chunk.head, chunk.body);
      yield* eventsIn(content.toString('utf8'), chunk.first);
    }
  }
}

/** Events looked at for a terminal before there is none. */
const shapeWithin = 1000;

/** The terminal of the plain channel, or of the channel asked for; 80 × 24 where none has one. */
export async function readShape(
  path: string,
  openers: readonly Opener[],
  channel?: number,
): Promise<TerminalShape> {
  let left = shapeWithin;
  for await (const event of readEvents(path, openers)) {
    left -= 1;
    if (left === 0) break;
    if (event.code !== 'c' || event.word !== 'start') continue;
    if (channel !== undefined && event.channel !== channel) continue;
    const shape = shapeOf(event.data);
    if (shape !== undefined) return shape;
  }
  return { columns: 80, rows: 24, type: undefined };
}

/** A moment worth jumping to. */
export interface Mark {
  /** Seconds. */
  readonly at: number;
  readonly kind: string;
}

/** The marks of the index; none when a crash left no index. */
export async function readMarks(path: string, openers: readonly Opener[]): Promise<readonly Mark[]> {
  await using recording = await OpenedRecording.open(path);
  const index = recording.chunks.findLast(({ head }) => head.kind === 'index');
  if (index === undefined) return [];
  const sessionKey = unwrapSessionKey(recording.preamble.recipients, openers);
  const raw: unknown = JSON.parse(await chunkLines(recording, index, sessionKey));
  const marks: unknown = typeof raw === 'object' && raw !== null && 'marks' in raw ? raw.marks : undefined;
  return (Array.isArray(marks) ? marks : []).flatMap((mark: unknown): Mark[] => {
    if (!Array.isArray(mark)) return [];
    const [at, kind]: unknown[] = mark;
    return typeof at === 'number' && typeof kind === 'string' ? [{ at: at / 1e6, kind }] : [];
  });
}
