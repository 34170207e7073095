// The end of recordings: a legal hold that forbids deletion, deletion that leaves a signed tombstone, and which recordings
// are due by age or by size. Decides nothing by itself about when it runs. A tombstone says that there was a recording,
// whose, and why it is gone; like the seal it is proved by the gateway's public key.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { RecordingError } from './errors.ts';
import type { Signer, Verifier } from './keys.ts';
import { type ListedRecording, listRecordings } from './list.ts';
import { readHeader, readSeal } from './open.ts';
import { isMissing, tombstoneFiles } from './places.ts';

export interface Tombstone {
  readonly session: string;
  readonly user: string;
  readonly device: string;
  readonly startedAt: number;
  readonly by: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly deletedAt: number;
}

const domain = Buffer.from('sallyport recording tombstone v1\n');
const holdOf = (path: string): string => path.replace(/\.sprec$/, '.hold');
const tombstoneOf = (path: string): string => path.replace(/\.sprec$/, '.deleted');

async function put(path: string, text: string): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const handle = await open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}

export async function isHeld(path: string): Promise<boolean> {
  return (await textOf(holdOf(path))) !== undefined;
}

/** Forbids deletion. Idempotent: the first hold stays. */
export async function hold(path: string, by: string, reason: string, at: number): Promise<void> {
  await readHeader(path);
  if (!(await isHeld(path))) await put(holdOf(path), `${JSON.stringify({ by, reason, at })}\n`);
}

export async function releaseHold(path: string): Promise<void> {
  await rm(holdOf(path), { force: true });
}

export interface Deletion {
  readonly by: string;
  readonly reason: string;
  readonly at: number;
}

/** Throws SP_RECORDING_HELD for a recording that is held or whose session still runs. */
export async function deleteRecording(path: string, signer: Signer, deletion: Deletion): Promise<Tombstone> {
  const { session } = await readHeader(path);
  if (await isHeld(path)) throw new RecordingError('SP_RECORDING_HELD', `${session.id} is under a hold`);
  if ((await readSeal(path)) === undefined) {
    throw new RecordingError(
      'SP_RECORDING_HELD',
      `${session.id} is not sealed: its session runs, or it was cut`,
    );
  }
  const tombstone: Tombstone = {
    session: session.id,
    user: session.user,
    device: session.device,
    startedAt: session.startedAt,
    by: deletion.by,
    reason: deletion.reason,
    deletedAt: deletion.at,
  };
  const text = JSON.stringify(tombstone);
  const signature = signer.sign(Buffer.concat([domain, Buffer.from(text)])).toString('base64');
  // The tombstone stands before the recording goes. One that stood already is of a deletion that a crash cut short; it stands
  // until the new one takes its place, for somebody else may be deleting the recording now.
  const draft = `${tombstoneOf(path)}.${randomBytes(6).toString('hex')}`;
  try {
    await put(draft, `${text}\n${signature}\n`);
    await rename(draft, tombstoneOf(path));
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  await rm(path, { force: true });
  return tombstone;
}

/**
 * Undefined for a tombstone that isn't there, that the key did not sign, or that is another recording's. `path` is the
 * recording's.
 */
export async function readTombstone(path: string, verifier: Verifier): Promise<Tombstone | undefined> {
  return tombstoneIn((await textOf(tombstoneOf(path))) ?? '', basename(path, '.sprec'), verifier);
}

export interface ListedTombstone {
  readonly id: string;
  readonly path: string;
  /** Undefined: the key did not sign it for this session. */
  readonly tombstone: Tombstone | undefined;
}

/** What was deleted and should have left a tombstone, newest day first. Recordings that a crash kept are passed over. */
export async function* listTombstones(
  root: string,
  verifier: Verifier,
): AsyncGenerator<ListedTombstone, void, undefined> {
  for await (const { id, path } of tombstoneFiles(root)) {
    const text = await textOf(path);
    if (text !== undefined) yield { id, path, tombstone: tombstoneIn(text, id, verifier) };
  }
}

function tombstoneIn(content: string, id: string, verifier: Verifier): Tombstone | undefined {
  const [text = '', signature = ''] = content.split('\n');
  const right = verifier.verify(Buffer.concat([domain, Buffer.from(text)]), Buffer.from(signature, 'base64'));
  if (!right) return undefined;
  const raw: Readonly<Record<string, unknown>> = JSON.parse(text);
  const word = (key: string): string => String(raw[key] ?? '');
  if (word('session') !== id) return undefined;
  return {
    session: word('session'),
    user: word('user'),
    device: word('device'),
    startedAt: Number(raw['startedAt']),
    by: word('by'),
    reason: word('reason'),
    deletedAt: Number(raw['deletedAt']),
  };
}

export interface RetentionRule {
  /** Started before this moment (milliseconds since the epoch): due. */
  readonly before?: number | undefined;
  /** The newest ones may take so many bytes together; older ones are due. */
  readonly bytes?: number | undefined;
  /** Only sessions under this grant. */
  readonly grant?: string | undefined;
  /** Not sessions under these. */
  readonly exceptGrants?: readonly string[] | undefined;
}

type Readable = Extract<ListedRecording, { readonly kind: 'readable' }>;

/** What a rule wants gone: sealed, not held, newest first. */
export async function* dueRecordings(
  root: string,
  rule: RetentionRule,
): AsyncGenerator<Readable, void, undefined> {
  let bytes = 0;
  for await (const entry of listRecordings(root)) {
    if (entry.kind === 'unreadable') continue;
    if (rule.grant !== undefined && entry.header.session.grant !== rule.grant) continue;
    if (rule.exceptGrants?.includes(entry.header.session.grant) === true) continue;
    bytes += entry.bytes;
    const old = rule.before !== undefined && entry.header.session.startedAt < rule.before;
    const over = rule.bytes !== undefined && bytes > rule.bytes;
    if (!(old || over) || entry.seal === undefined || (await isHeld(entry.path))) continue;
    yield entry;
  }
}
