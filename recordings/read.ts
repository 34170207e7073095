// Reads recordings back: the header, the events one by one in constant memory, and where a session's file is. A
// file that a crash cut short reads up to its last whole event. Nothing here renders or writes to a terminal.
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordingError } from './errors.ts';
import { parseEvent, parseHeader, type RecordedEvent, type RecordingHeader } from './format.ts';

/** Longest line accepted, in bytes; the writer's are far shorter. */
const maximumLine = 16 * 1024 * 1024;
const maximumHeader = 64 * 1024;
const tailBytes = 4096;

export type RecordingEnd =
  | { readonly kind: 'closed'; readonly seconds: number }
  /** Still being written, or cut short by a crash. */
  | { readonly kind: 'open' };

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    throw new RecordingError('SP_RECORDING_MISSING', `cannot open ${path}`, error);
  }
}

/** The header alone. Throws SP_RECORDING_MISSING or SP_RECORDING_FORMAT. */
export async function readHeader(path: string): Promise<RecordingHeader> {
  await using file = await openForReading(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(maximumHeader), 0, maximumHeader, 0);
  const end = buffer.subarray(0, bytesRead).indexOf(10);
  if (end < 0) throw new RecordingError('SP_RECORDING_FORMAT', `${path} has no header`);
  return parseHeader(buffer.toString('utf8', 0, end));
}

/** Whether the recording came to its proper end, from its last bytes alone. */
export async function readEnd(path: string): Promise<RecordingEnd> {
  await using file = await openForReading(path);
  const { size } = await file.stat();
  const from = Math.max(0, size - tailBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, from);
  const last = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').at(-1) ?? '';
  const found = /^\[[\d.]+, "c", "0 closed \{\\"duration\\":([\d.]+)\}"\]$/.exec(last);
  return found === null ? { kind: 'open' } : { kind: 'closed', seconds: Number(found[1]) };
}

/** The events in order. A last line without its newline is left out: the crash or the writer is amid it. */
export async function* readEvents(path: string): AsyncGenerator<RecordedEvent, void, undefined> {
  const file = await openForReading(path);
  const stream = createReadStream('', { fd: file, highWaterMark: 256 * 1024 });
  let rest: Buffer[] = [];
  let restBytes = 0;
  let headerSeen = false;
  let at = 0;
  for await (const piece of stream) {
    const chunk: Buffer = Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      rest.push(chunk.subarray(start, end));
      const line = Buffer.concat(rest).toString('utf8');
      rest = [];
      restBytes = 0;
      start = end + 1;
      if (!headerSeen) {
        parseHeader(line);
        headerSeen = true;
        continue;
      }
      const event = parseEvent(line, at);
      if (event === undefined) continue;
      at = event.at;
      yield event;
    }
    rest.push(chunk.subarray(start));
    restBytes += chunk.length - start;
    if (restBytes > maximumLine)
      throw new RecordingError('SP_RECORDING_FORMAT', `${path}: a line is too long`);
  }
}

const dayPart = /^\d{2,4}$/;
const fileName = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.cast$/;

/** The recordings of each day, newest day first; within a day by id, which orders by time, newest first. */
export async function* recordingFiles(
  root: string,
): AsyncGenerator<{ readonly id: string; readonly path: string; readonly day: string }, void, undefined> {
  for (const year of await folders(root)) {
    for (const month of await folders(join(root, year))) {
      for (const day of await folders(join(root, year, month))) {
        const folder = join(root, year, month, day);
        const names = (await readdir(folder)).sort().reverse();
        for (const name of names) {
          const id = fileName.exec(name)?.[1];
          if (id !== undefined) yield { id, path: join(folder, name), day: `${year}-${month}-${day}` };
        }
      }
    }
  }
}

async function folders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && dayPart.test(entry.name))
      .map((entry) => entry.name)
      .sort()
      .reverse();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** The file of a session. Throws SP_RECORDING_ID or SP_RECORDING_MISSING. */
export async function findRecording(root: string, id: string): Promise<string> {
  if (!fileName.test(`${id}.cast`)) {
    throw new RecordingError('SP_RECORDING_ID', 'a session id must be a plain word');
  }
  for (const year of await folders(root)) {
    for (const month of await folders(join(root, year))) {
      for (const day of await folders(join(root, year, month))) {
        const path = join(root, year, month, day, `${id}.cast`);
        const found = await lstat(path).then(
          (entry) => entry.isFile(),
          () => false,
        );
        if (found) return path;
      }
    }
  }
  throw new RecordingError('SP_RECORDING_MISSING', `no recording of session ${id}`);
}
