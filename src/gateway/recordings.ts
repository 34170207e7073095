// Which place for recordings a URL names. Only folders of this machine are known.
import { FileRecordings } from '../../recordings/write.ts';

export class RecordingsUrlError extends Error {
  readonly code = 'SP_RECORDINGS_URL';

  constructor(url: string) {
    const scheme = /^[a-z0-9+.-]{1,32}:/i.exec(url)?.[0] ?? 'it';
    super(`recordings.url: ${scheme} is not known here; write file:FOLDER`);
    this.name = 'RecordingsUrlError';
  }
}

/** The folder that `file:FOLDER` or `file:///FOLDER` names. Throws RecordingsUrlError. */
export const recordingsFolder = (url: string): string => {
  if (!url.startsWith('file:')) throw new RecordingsUrlError(url);
  const path = url.startsWith('file:///') ? url.slice('file://'.length) : url.slice('file:'.length);
  if (path === '') throw new RecordingsUrlError(url);
  return path;
};

export const recordingsFrom = (url: string): FileRecordings => new FileRecordings(recordingsFolder(url));
