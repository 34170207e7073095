// The one error class of recordings. `code` is stable and documented; `message` is for the operator, `tell` may be
// shown to the person whose session it is. It deliberately carries no recorded content.

export type RecordingErrorCode =
  | 'SP_RECORDING_ID'
  | 'SP_RECORDING_OPEN'
  | 'SP_RECORDING_WRITE'
  | 'SP_RECORDING_OVERRUN'
  | 'SP_RECORDING_MISSING'
  | 'SP_RECORDING_FORMAT';

const tells: Readonly<Record<RecordingErrorCode, string>> = {
  SP_RECORDING_ID: 'There is no such recording.',
  SP_RECORDING_OPEN: 'This session cannot be recorded, so it does not start. Please tell the operators.',
  SP_RECORDING_WRITE: 'This session can no longer be recorded. Please tell the operators.',
  SP_RECORDING_OVERRUN: 'This session can no longer be recorded. Please tell the operators.',
  SP_RECORDING_MISSING: 'There is no such recording.',
  SP_RECORDING_FORMAT: 'The recording cannot be read.',
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
