// The header of a sealed recording: whose session it was, who signs, who may open. It is in clear, so that recordings
// can be listed without a key; what happened in the session is not in it.
import { encodePreamble, preambleFixed, sha256 } from './chunk.ts';
import { RecordingError } from './errors.ts';
import { type RecordingHeader, sessionFields } from './format.ts';
import type { Signer, WrappedKey } from './keys.ts';

export interface Preamble {
  readonly session: RecordingHeader['session'];
  readonly title: string;
  /** The id and the bytes (base64) of the key that signs. A verifier trusts a key that it was given, not this one. */
  readonly signer: { readonly id: string; readonly key: string };
  readonly recipients: readonly WrappedKey[];
}

export interface EncodedPreamble {
  readonly bytes: Buffer;
  /** Starts the chain of hashes. */
  readonly hash: Buffer;
}

export function buildPreamble(
  header: RecordingHeader,
  signer: Signer,
  recipients: readonly WrappedKey[],
): EncodedPreamble {
  const bytes = encodePreamble({
    session: header.session,
    title: header.title,
    signer: { id: signer.id, key: signer.raw.toString('base64') },
    cipher: 'aes-256-gcm',
    compression: 'zstd',
    recipients,
  });
  return { bytes, hash: sha256(bytes) };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Throws SP_RECORDING_FORMAT. */
export function readPreamble(bytes: Buffer): Preamble {
  let raw: Readonly<Record<string, unknown>>;
  try {
    raw = record(JSON.parse(bytes.toString('utf8', preambleFixed)));
  } catch (error) {
    throw new RecordingError('SP_RECORDING_FORMAT', 'the header is not JSON', error);
  }
  if (raw['cipher'] !== 'aes-256-gcm' || raw['compression'] !== 'zstd') {
    throw new RecordingError('SP_RECORDING_FORMAT', 'the cipher or the compression is not known here');
  }
  const signer = record(raw['signer']);
  const recipients: unknown = raw['recipients'];
  return {
    session: sessionFields(record(raw['session'])),
    title: text(raw['title']),
    signer: { id: text(signer['id']), key: text(signer['key']) },
    recipients: (Array.isArray(recipients) ? recipients : []).map((one: unknown) => {
      const copy = record(one);
      return { id: text(copy['id']), ephemeral: text(copy['ephemeral']), wrapped: text(copy['wrapped']) };
    }),
  };
}
