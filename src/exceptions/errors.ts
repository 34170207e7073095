// What requests for exceptions refuse. Messages name nothing of what a request holds.

export type ExceptionErrorCode =
  | 'SP_EXCEPTION_UNKNOWN'
  /** Nobody decides their own request. */
  | 'SP_EXCEPTION_OWN'
  /** It is decided already. */
  | 'SP_EXCEPTION_STATE'
  /** A reason or comment that is empty, longer than 500 characters, or holds control characters. */
  | 'SP_EXCEPTION_TEXT';

export class ExceptionError extends Error {
  override readonly name = 'ExceptionError';
  readonly code: ExceptionErrorCode;
  /** What whoever asks or decides may be told. */
  readonly tell: string;

  constructor(code: ExceptionErrorCode, message: string) {
    super(message);
    this.code = code;
    this.tell = message;
  }
}
