// What looking at credentials and changing them refuses. Messages name credentials and devices, never a secret.

export type CredentialErrorCode =
  /** No reason was given, or a very long one. */
  | 'SP_VIEW_REASON'
  /** The new secret is empty, too long, or holds what no password may. */
  | 'SP_CREDENTIAL_SECRET'
  /** Another rotation of the credential is under way, or one whose outcome is not known yet. */
  | 'SP_ROTATION_UNDER_WAY'
  /** The credential can't be rotated this way. */
  | 'SP_ROTATION_IMPOSSIBLE'
  /** A command on the device could not be run to its end. */
  | 'SP_DEVICE_COMMAND';

export class CredentialError extends Error {
  override readonly name = 'CredentialError';
  readonly code: CredentialErrorCode;
  /** What the person who asked may be told. */
  readonly tell: string;

  constructor(code: CredentialErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.tell = message;
  }
}
