// Where recordings are kept, who signs them and who may open them, from the configuration. Only folders of this machine
// are known.

import { join } from 'node:path';
import { RecordingError } from '../../recordings/errors.ts';
import {
  loadSigner,
  type Opener,
  openerFromSecret,
  type Recipient,
  recipientFrom,
} from '../../recordings/keys.ts';
import { type Recovered, recoverRecordings } from '../../recordings/recover.ts';
import { RedactionRules } from '../../recordings/redaction-rules.ts';
import type { RetentionRule } from '../../recordings/retention.ts';
import { SearchIndex, searchKeyOf } from '../../recordings/search-index.ts';
import { FileRecordings } from '../../recordings/write.ts';
import type { Config } from '../config/load.ts';
import { readMasterKeyFile, readMasterKeys } from '../directory/master-key.ts';

export class RecordingsUrlError extends Error {
  readonly code = 'SP_RECORDINGS_URL';

  constructor(url: string) {
    const scheme = /^[a-z0-9+.-]{1,32}:/i.exec(url)?.[0] ?? 'it';
    super(`recordings.url: ${scheme} is not known here; write file:FOLDER`);
    this.name = 'RecordingsUrlError';
  }
}

/** What of the configuration recordings need. */
export type RecordingsConfig = Pick<Config, 'data' | 'recordings' | 'masterKey'>;

/** The folder that `file:FOLDER` or `file:///FOLDER` names. Throws RecordingsUrlError. */
export const recordingsFolder = (url: string): string => {
  if (!url.startsWith('file:')) throw new RecordingsUrlError(url);
  const path = url.startsWith('file:///') ? url.slice('file://'.length) : url.slice('file:'.length);
  if (path === '') throw new RecordingsUrlError(url);
  return path;
};

/** The private key that signs recordings, made at first need. */
export const signingKeyFile = (config: Pick<Config, 'data'>): string => join(config.data, 'recording.key');

/** The gateway's own keys to recordings: the first is a recipient, older ones open what was sealed for them. */
export const gatewayOpeners = ({ masterKey }: Pick<Config, 'masterKey'>): readonly Opener[] => {
  const keys =
    masterKey.secret === undefined
      ? readMasterKeyFile(masterKey.file)
      : readMasterKeys(masterKey.secret.replaceAll(',', '\n'), 'the environment');
  return (keys ?? []).map(({ bytes }) => openerFromSecret(bytes));
};

/** Who may open new recordings: `gateway` in the list stands for the gateway itself. Throws SP_RECORDING_KEY. */
export const recordingRecipients = (config: RecordingsConfig): readonly Recipient[] =>
  config.recordings.recipients.map((word) => {
    if (word !== 'gateway') return recipientFrom(word);
    const [own] = gatewayOpeners(config);
    if (own === undefined) throw new RecordingError('SP_RECORDING_KEY', 'there is no master key');
    return own;
  });

/** What is taken out of recordings; undefined: nothing. Throws SP_RECORDING_PATTERN. */
export const redactionOf = (config: RecordingsConfig): RedactionRules | undefined =>
  config.recordings.redact.length === 0 ? undefined : new RedactionRules(config.recordings.redact);

/**
 * `redaction` is asked for as each session starts. Throws SP_RECORDING_KEY for recipients that are no keys, and
 * SP_RECORDING_PATTERN.
 */
export const recordingsFrom = (
  config: RecordingsConfig,
  redaction: () => RedactionRules | undefined = () => redactionOf(config),
): FileRecordings => {
  for (const word of config.recordings.recipients) if (word !== 'gateway') recipientFrom(word);
  redactionOf(config);
  return new FileRecordings(recordingsFolder(config.recordings.url), {
    signer: () => loadSigner(signingKeyFile(config)),
    recipients: () => recordingRecipients(config),
    redaction,
  });
};

/** Seals what sessions left open that run no more: all of them, or those named. */
export const recoverFrom = async (
  config: RecordingsConfig,
  reason: string,
  sessions?: readonly string[],
): Promise<readonly Recovered[]> =>
  recoverRecordings(recordingsFolder(config.recordings.url), await loadSigner(signingKeyFile(config)), {
    reason,
    now: Date.now(),
    ...(sessions === undefined ? {} : { sessions }),
  });

/** What retention wants gone at this moment (milliseconds since the epoch). */
export const retentionRules = ({ recordings }: RecordingsConfig, now: number): readonly RetentionRule[] => {
  const named = recordings.retention.flatMap(({ grant }) => grant ?? []);
  return recordings.retention.map(({ grant, olderThan, over }) => ({
    before: olderThan === undefined ? undefined : now - olderThan * 1000,
    bytes: over,
    ...(grant === undefined ? { exceptGrants: named } : { grant }),
  }));
};

/** The index of the gateway's own searches; made when missing. Throws SP_RECORDING_KEY without a master key. */
export const openSearchIndex = (config: Pick<Config, 'data' | 'masterKey'>): SearchIndex => {
  const [own] = gatewayOpeners(config);
  if (own === undefined) throw new RecordingError('SP_RECORDING_KEY', 'there is no master key');
  return new SearchIndex(searchIndexFile(config), searchKeyOf(own));
};

export const searchIndexFile = (config: Pick<Config, 'data'>): string => join(config.data, 'search.db');

export { notedInRecordings } from './recording-notes.ts';
