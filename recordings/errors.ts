// The one error class of recordings. `code` is stable and documented; `message` is for the operator, `tell` may be
// shown to the person whose session it is. It deliberately carries no recorded content.

export type RecordingErrorCode =
  | 'SP_RECORDING_ID'
  | 'SP_RECORDING_OPEN'
  | 'SP_RECORDING_WRITE'
  | 'SP_RECORDING_OVERRUN'
  | 'SP_RECORDING_MISSING'
  | 'SP_RECORDING_FORMAT'
  | 'SP_RECORDING_KEY'
  | 'SP_RECORDING_LOCKED'
  | 'SP_RECORDING_HELD'
  | 'SP_RECORDING_PATTERN';

const noStart = 'This session cannot be recorded, so it does not start. Please tell the operators.';
const noMore = 'This session can no longer be recorded. Please tell the operators.';

const tells: Readonly<Record<RecordingErrorCode, string>> = {
  SP_RECORDING_ID: 'There is no such recording.',
  SP_RECORDING_OPEN: noStart,
  SP_RECORDING_WRITE: noMore,
  SP_RECORDING_OVERRUN: noMore,
  SP_RECORDING_MISSING: 'There is no such recording.',
  SP_RECORDING_FORMAT: 'The recording cannot be read.',
  SP_RECORDING_KEY: noStart,
  SP_RECORDING_LOCKED: 'The recording cannot be opened with the keys at hand.',
  SP_RECORDING_HELD: 'The recording is held and cannot be deleted.',
  SP_RECORDING_PATTERN: noStart,
};

export class RecordingError extends Error {
  override readonly name = 'RecordingError';
  readonly code: RecordingErrorCode;
  /** What the person at the terminal may be told. */
  readonly tell: string;

  constructor(code: RecordingErrorCode, message: string, cause?: unknown) {
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.tell = tells[code];
  }
}

/** An error's text without its class. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
