// What keys, signatures, certificates and revocation lists need beyond the data types that messages are made of:
// numbers in their one valid form, printable names, and an error that tells what is wrong with a key rather than with
// a message. Nothing is allocated by a length that a peer claims.
import { MessageReader, MessageWriter, TransportError } from '../transport/messages.ts';

/** Input that isn't of the form asked for. The message completes "the key …". */
export class BlobError extends Error {
  override readonly name = 'BlobError';
  readonly code = 'SP_LOGIN_BLOB';
}

export class BlobReader extends MessageReader {
  /** A string that must be printable ASCII, such as the name of an algorithm; may be empty. */
  ascii(): string {
    const value = this.string().toString('latin1');
    if (!/^[\x20-\x7e]*$/.test(value)) throw new BlobError('holds a name that is not printable ASCII');
    return value;
  }

  /** A non-negative mpint, without its leading zero byte. */
  positiveInteger(): Buffer {
    const value = this.string();
    const first = value[0] ?? 0;
    if (first >= 0x80) throw new BlobError('holds a negative number');
    if (value.length > 0 && first === 0 && (value[1] ?? 0) < 0x80) {
      throw new BlobError('holds a number with a needless leading zero');
    }
    return first === 0 ? value.subarray(1) : value;
  }
}

/** The error's text for a blob that can't be read; anything else is a defect and is thrown on. */
export function blobProblem(error: unknown): string {
  if (error instanceof BlobError) return error.message;
  if (error instanceof TransportError && error.code === 'SP_MALFORMED_MESSAGE')
    return 'is cut short or too long';
  throw error;
}

/** Strings, each with its length before it. */
export function strings(...values: readonly (Buffer | string)[]): Buffer {
  const writer = new MessageWriter();
  for (const value of values) writer.string(value);
  return writer.build();
}
