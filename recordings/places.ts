// Where recordings lie under their root: `YYYY/MM/DD/ID.sprec` for the recording (the day is in UTC), `live/ID.tail0`
// and `live/ID.tail1` for what a session has not yet put into it. Names only; nothing is opened here.
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordingError } from './errors.ts';

const sessionId = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const dayPart = /^\d{2,4}$/;
const fileName = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.sprec$/;
const deletedName = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.deleted$/;
const tailName = /^([A-Za-z0-9][A-Za-z0-9_-]{0,63})\.tail[01]$/;

function checkId(id: string): void {
  if (!sessionId.test(id)) throw new RecordingError('SP_RECORDING_ID', 'a session id must be a plain word');
}

/** The path of a session's recording; throws SP_RECORDING_ID for an id that isn't a plain word. */
export function recordingPath(root: string, id: string, startedAt: number): string {
  checkId(id);
  const day = new Date(startedAt).toISOString().slice(0, 10).split('-');
  return join(root, ...day, `${id}.sprec`);
}

export function liveFolder(root: string): string {
  return join(root, 'live');
}

export function tailPaths(root: string, id: string): readonly [string, string] {
  checkId(id);
  return [join(liveFolder(root), `${id}.tail0`), join(liveFolder(root), `${id}.tail1`)];
}

/** The ids of sessions that have tails: they run, or a crash ended them. */
export async function idsWithTails(root: string): Promise<readonly string[]> {
  const names = await readdir(liveFolder(root)).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return [...new Set(names.flatMap((name) => tailName.exec(name)?.[1] ?? []))];
}

export interface RecordingPlace {
  readonly id: string;
  readonly path: string;
  /** `YYYY-MM-DD` */
  readonly day: string;
}

/** The recordings of each day, newest day first; within a day by id, which orders by time, newest first. */
export async function* recordingFiles(root: string): AsyncGenerator<RecordingPlace, void, undefined> {
  for await (const { folder, day } of dayFolders(root)) {
    for (const name of (await readdir(folder)).sort().reverse()) {
      const id = fileName.exec(name)?.[1];
      if (id !== undefined) yield { id, path: join(folder, name), day };
    }
  }
}

/** What stands in the place of recordings that were deleted; those whose recording is still there are left out. */
export async function* tombstoneFiles(root: string): AsyncGenerator<RecordingPlace, void, undefined> {
  for await (const { folder, day } of dayFolders(root)) {
    const names = new Set(await readdir(folder));
    for (const name of [...names].sort().reverse()) {
      const id = deletedName.exec(name)?.[1];
      if (id !== undefined && !names.has(`${id}.sprec`)) yield { id, path: join(folder, name), day };
    }
  }
}

async function* dayFolders(
  root: string,
): AsyncGenerator<{ readonly folder: string; readonly day: string }, void, undefined> {
  for (const year of await folders(root)) {
    for (const month of await folders(join(root, year))) {
      for (const day of await folders(join(root, year, month))) {
        yield { folder: join(root, year, month, day), day: `${year}-${month}-${day}` };
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
    if (isMissing(error)) return [];
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The file of a session. Throws SP_RECORDING_ID or SP_RECORDING_MISSING. */
export async function findRecording(root: string, id: string): Promise<string> {
  checkId(id);
  for await (const { folder } of dayFolders(root)) {
    const path = join(folder, `${id}.sprec`);
    const found = await lstat(path).then(
      (entry) => entry.isFile(),
      () => false,
    );
    if (found) return path;
  }
  throw new RecordingError('SP_RECORDING_MISSING', `no recording of session ${id}`);
}
