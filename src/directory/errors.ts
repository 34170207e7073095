// What the directory refuses, in one vocabulary. Messages name users, devices and credentials, never secrets.

export type DirectoryErrorCode =
  /** The master key is missing, malformed, or readable by others. */
  | 'SP_VAULT_KEY'
  /** A sealed secret was changed, moved to another row, or sealed by a key that isn't here. */
  | 'SP_VAULT_OPEN'
  /** There is no user, device, credential, grant or session of that name. */
  | 'SP_NOT_FOUND'
  /** The name is taken. */
  | 'SP_EXISTS'
  /** A value that can't be right; the message says which and why. */
  | 'SP_INVALID';

const TELL: Readonly<Record<DirectoryErrorCode, string>> = {
  SP_VAULT_KEY: 'The gateway cannot open its vault. Please tell your administrator.',
  SP_VAULT_OPEN: 'The gateway cannot open the credential of this device. Please tell your administrator.',
  SP_NOT_FOUND: 'There is no such thing here.',
  SP_EXISTS: 'This name is taken.',
  SP_INVALID: 'The gateway was given something that it does not understand. Please tell your administrator.',
};

export class DirectoryError extends Error {
  readonly code: DirectoryErrorCode;
  /** What the person at the terminal may be told. */
  readonly tell: string;

  constructor(code: DirectoryErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DirectoryError';
    this.code = code;
    this.tell = TELL[code];
  }
}
