// Why a device could not be reached or signed in to. `message` is for the operator; `tell` is for the person at the
// terminal. Neither ever holds a secret, and text that a device chose is made printable before it gets in here.

export type DialErrorCode =
  /** The device's name does not resolve. */
  | 'SP_DIAL_UNRESOLVED'
  /** Nothing listens there, or the network says no. */
  | 'SP_DIAL_REFUSED'
  | 'SP_DIAL_TIMEOUT'
  /** What listens there does not complete an SSH handshake with us. */
  | 'SP_DIAL_HANDSHAKE'
  /** The device shows another host key than the pinned one. */
  | 'SP_DIAL_HOST_KEY_CHANGED'
  /** The device does not accept the credential. */
  | 'SP_DIAL_CREDENTIAL_REFUSED'
  /** The device has refused the credential a moment ago; it is not offered again yet. */
  | 'SP_DIAL_CREDENTIAL_PAUSED'
  /** The credential's secret cannot be opened or read. */
  | 'SP_DIAL_CREDENTIAL_UNUSABLE'
  /** The device went away while it was being signed in to. */
  | 'SP_DIAL_LOST'
  /** The user or the gateway gave up first. */
  | 'SP_DIAL_CANCELLED';

export class DialError extends Error {
  override readonly name = 'DialError';
  readonly code: DialErrorCode;
  readonly tell: string;

  constructor(code: DialErrorCode, message: string, tell: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.tell = tell;
  }
}
