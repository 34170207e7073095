// Reads the events of a recording with the keys of one who may open it, chunk by chunk in constant memory. A recording
// that still grows, or that a crash cut short, reads up to its last whole event. Nothing here renders or writes to a
// terminal, and nothing here proves that the recording is what was written (verify.ts does).
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { largestBody } from './chunk.ts';
import { RecordingError } from './errors.ts';
import { parseEvent, type RecordedEvent, shapeOf, type TerminalShape } from './format.ts';
import { type Opener, openBody, unwrapSessionKey } from './keys.ts';
import { OpenedRecording, type PlacedChunk } from './open.ts';
import { tailPaths } from './places.ts';
import { readTails } from './tail.ts';

const decompress = promisify(zstdDecompress);

export interface ReadOptions {
  /** Seconds: chunks that end well before are passed over, but for what tells channels and sizes. */
  readonly from?: number | undefined;
}

/** `path` of `ROOT/YYYY/MM/DD/ID.sprec` → its tails'. */
function tailsOf(path: string): readonly string[] {
  const root = dirname(dirname(dirname(dirname(path))));
  return tailPaths(root, basename(path, '.sprec'));
}

async function unpacked(content: Buffer, compression: 'none' | 'zstd'): Promise<string> {
  if (compression === 'none') return content.toString('utf8');
  try {
    return (await decompress(content, { maxOutputLength: 4 * largestBody })).toString('utf8');
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

/** Throws SP_RECORDING_LOCKED, SP_RECORDING_FORMAT and SP_RECORDING_MISSING. */
export async function* readEvents(
  path: string,
  openers: readonly Opener[],
  options: ReadOptions = {},
): AsyncGenerator<RecordedEvent, void, undefined> {
  // The tails come first: what moves from a tail to the recording meanwhile is then met twice, and passed over once.
  const tails = await readTails(tailsOf(path));
  await using recording = await OpenedRecording.open(path);
  const sessionKey = unwrapSessionKey(recording.preamble.recipients, openers);
  const chunks = recording.chunks.filter(({ head }) => head.kind === 'events');
  const from = options.from ?? 0;
  const start = from === 0 ? 0 : chunkBefore(chunks, from);
  const opening = chunks[0];
  if (start > 0 && opening !== undefined) {
    const lines = await chunkLines(recording, opening, sessionKey);
    for (const event of eventsIn(lines, opening.head.first)) if (tellsShape(event)) yield event;
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
