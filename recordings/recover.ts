// Completes the recordings of sessions that ended without closing theirs (a crash, a power cut): puts what their tails
// hold behind the last whole chunk, over what was half written, and seals them as interrupted. May be cut short itself. It needs the signing key only, so it
// works where the gateway may not open recordings. Only for sessions that surely run no more.
import { constants } from 'node:fs';
import { open, readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSeal, sha256 } from './chunk.ts';
import { RecordingError, reasonOf } from './errors.ts';
import type { Signer } from './keys.ts';
import { OpenedRecording } from './open.ts';
import { findRecording, idsWithTails, liveFolder, recordingPath, tailPaths } from './places.ts';
import { reserveName } from './reserve.ts';
import { placeChunk, sealBound, writeAll } from './sealed-file.ts';
import { readTails } from './tail.ts';

export interface RecoveryOptions {
  /** Only these sessions; without it every session that left a tail. */
  readonly sessions?: readonly string[];
  /** Stands in the seal: `gateway-crashed`. */
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type Recovered =
  | { readonly kind: 'sealed'; readonly id: string; readonly events: number }
  /** It was sealed already; only its tails were left over. */
  | { readonly kind: 'cleaned'; readonly id: string }
  /** There is a tail but no recording: the session never began. */
  | { readonly kind: 'empty'; readonly id: string }
  | { readonly kind: 'failed'; readonly id: string; readonly error: RecordingError };

export async function recoverRecordings(
  root: string,
  signer: Signer,
  options: RecoveryOptions,
): Promise<readonly Recovered[]> {
  const recovered: Recovered[] = [];
  for (const id of await idsWithTails(root)) {
    if (options.sessions !== undefined && !options.sessions.includes(id)) continue;
    try {
      recovered.push(await recoverOne(root, id, signer, options));
    } catch (error) {
      const known =
        error instanceof RecordingError
          ? error
          : new RecordingError('SP_RECORDING_WRITE', `cannot recover ${id}: ${reasonOf(error)}`, error);
      recovered.push({ kind: 'failed', id, error: known });
    }
  }
  await dropReserves(root);
  return recovered;
}

async function recoverOne(
  root: string,
  id: string,
  signer: Signer,
  { reason, now }: RecoveryOptions,
): Promise<Recovered> {
  const paths = tailPaths(root, id);
  const tails = await readTails(paths);
  const dropTails = async (): Promise<void> => {
    for (const path of paths) await rm(path, { force: true });
  };
  const startedAt = tails[0]?.head.startedAt;
  const path =
    startedAt === undefined
      ? await findRecording(root, id).catch(() => undefined)
      : recordingPath(root, id, startedAt);
  if (path === undefined) {
    // A crash amid the session's start: nothing was relayed yet.
    await dropTails();
    return { kind: 'empty', id };
  }
  await using recording = await OpenedRecording.open(path);
  if (recording.chunks.at(-1)?.head.kind === 'seal') {
    // The crash may have come before the room behind the seal was given back.
    await truncate(path, recording.end);
    await dropTails();
    return { kind: 'cleaned', id };
  }
  await using handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  const last = recording.chunks.at(-1);
  let position = recording.end;
  let sequence = recording.chunks.length;
  let previous = last === undefined ? recording.preambleHash : sha256(last.headBytes);
  let events = recording.chunks.reduce((sum, { head }) => sum + head.events, 0);
  let at = last?.head.last ?? 0;
  const put = async (bound: Buffer, body: Buffer): Promise<void> => {
    const placed = placeChunk(signer, recording.preambleHash, { bound, body, sequence, previous });
    await writeAll(handle, placed.bytes, position);
    position += placed.bytes.length;
    sequence += 1;
    previous = placed.hash;
  };
  // An index is written only when everything is in the recording itself.
  const complete = last?.head.kind === 'index';
  // Chunks that a recovery placed which was itself cut short; only those are uncompressed.
  const firstPlaced = recording.chunks.findIndex(({ head }) => head.compression === 'none');
  const consolidated = firstPlaced < 0 ? recording.chunks.length : firstPlaced;
  const placed = new Set(
    recording.chunks.slice(consolidated).map(({ head }) => head.bodyHash.toString('hex')),
  );
  for (const tail of complete ? [] : tails) {
    if (!tail.head.preambleHash.equals(recording.preambleHash)) continue;
    // Its events are in the recording already.
    if (tail.head.generation < consolidated) continue;
    for (const chunk of tail.chunks) {
      if (placed.has(sha256(chunk.body).toString('hex'))) continue;
      await put(chunk.head, chunk.body);
      events += chunk.events;
      at = Math.max(at, chunk.last);
    }
  }
  const seal = encodeSeal({
    chunks: sequence,
    events,
    duration: at / 1e6,
    outcome: 'interrupted',
    reason,
    sealedAt: now,
    ...(complete && last !== undefined ? { index: last.offset } : {}),
  });
  await put(sealBound(at), seal);
  await handle.truncate(position);
  await handle.sync();
  await dropTails();
  return { kind: 'sealed', id, events };
}

/** Room that processes kept which are gone. */
async function dropReserves(root: string): Promise<void> {
  for (const name of await readdir(liveFolder(root)).catch(() => [])) {
    const pid = reserveName.exec(name)?.[1];
    if (pid !== undefined && !runs(Number(pid))) await rm(join(liveFolder(root), name), { force: true });
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
