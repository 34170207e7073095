// Lists recordings without reading them whole: the header and the last line of each file are enough. Newest first,
// one at a time, so that a caller may stop early.
import { stat } from 'node:fs/promises';
import { RecordingError } from './errors.ts';
import type { RecordingHeader } from './format.ts';
import { type RecordingEnd, readEnd, readHeader, recordingFiles } from './read.ts';

export interface RecordingFilter {
  /** Milliseconds since the epoch; sessions that started before are left out. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly user?: string | undefined;
  readonly device?: string | undefined;
  readonly session?: string | undefined;
}

export type ListedRecording =
  | {
      readonly kind: 'readable';
      readonly id: string;
      readonly path: string;
      readonly bytes: number;
      readonly header: RecordingHeader;
      readonly end: RecordingEnd;
    }
  | { readonly kind: 'unreadable'; readonly id: string; readonly path: string; readonly code: string };

/** Unreadable files are listed as such unless a filter on their content leaves them out. */
export async function* listRecordings(
  root: string,
  filter: RecordingFilter = {},
): AsyncGenerator<ListedRecording, void, undefined> {
  const firstDay = filter.since === undefined ? '' : new Date(filter.since).toISOString().slice(0, 10);
  for await (const { id, path, day } of recordingFiles(root)) {
    if (day < firstDay) return;
    if (filter.session !== undefined && filter.session !== id) continue;
    const entry = await describe(id, path);
    if (wanted(entry, filter)) yield entry;
  }
}

async function describe(id: string, path: string): Promise<ListedRecording> {
  try {
    const [header, end, { size }] = await Promise.all([readHeader(path), readEnd(path), stat(path)]);
    return { kind: 'readable', id, path, bytes: size, header, end };
  } catch (error) {
    const code = error instanceof RecordingError ? error.code : 'SP_RECORDING_FORMAT';
    return { kind: 'unreadable', id, path, code };
  }
}

function wanted(entry: ListedRecording, filter: RecordingFilter): boolean {
  if (entry.kind === 'unreadable') return filter.user === undefined && filter.device === undefined;
  const { session } = entry.header;
  return (
    (filter.since === undefined || session.startedAt >= filter.since) &&
    (filter.until === undefined || session.startedAt <= filter.until) &&
    (filter.user === undefined || session.user === filter.user) &&
    (filter.device === undefined || session.device === filter.device)
  );
}
