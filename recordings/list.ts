// Lists recordings without reading them whole: the header and the seal of each file are enough, and no key is needed.
// Newest first, one at a time, so that a caller may stop early. What it tells is not proved (verify.ts does).
import { stat } from 'node:fs/promises';
import type { SealStatement } from './chunk.ts';
import { RecordingError } from './errors.ts';
import { readHeader, readSeal } from './open.ts';
import { recordingFiles } from './places.ts';
import type { Preamble } from './preamble.ts';

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
      readonly header: Preamble;
      /** Undefined while the session runs, and until a crash's recording is recovered. */
      readonly seal: SealStatement | undefined;
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
    const [header, seal, { size }] = await Promise.all([readHeader(path), readSeal(path), stat(path)]);
    // Another session's recording in the place of this one.
    if (header.session.id !== id) return { kind: 'unreadable', id, path, code: 'SP_RECORDING_ID' };
    return { kind: 'readable', id, path, bytes: size, header, seal };
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
