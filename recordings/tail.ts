// Reads tails: what a running session, or one that a crash ended, has not yet put into its recording. A tail is a chain
// of its own; what follows the first byte that doesn't fit is what the crash cut. Needs no key.
import { readFile } from 'node:fs/promises';
import { decodeHead, decodeTailHead, headLength, sha256, type TailHead, tailHeadLength } from './chunk.ts';
import { isMissing } from './places.ts';

export interface TailChunk {
  readonly head: Buffer;
  readonly body: Buffer;
  readonly first: number;
  readonly last: number;
  readonly events: number;
}

export interface TailContent {
  readonly head: TailHead;
  readonly chunks: readonly TailChunk[];
}

/** Undefined when the tail holds nothing, not even its head. */
export function parseTail(bytes: Buffer): TailContent | undefined {
  const head = decodeTailHead(bytes);
  if (head === undefined) return undefined;
  const chunks: TailChunk[] = [];
  let previous = sha256(bytes.subarray(0, tailHeadLength));
  for (let offset = tailHeadLength; ; ) {
    const headBytes = bytes.subarray(offset, offset + headLength);
    const found = decodeHead(headBytes);
    if (found === undefined || found.kind !== 'events') break;
    const body = bytes.subarray(offset + headLength, offset + headLength + found.bodyLength);
    const fits =
      found.sequence === chunks.length &&
      found.previous.equals(previous) &&
      body.length === found.bodyLength &&
      sha256(body).equals(found.bodyHash);
    if (!fits) break;
    const { first, last, events } = found;
    chunks.push({ head: headBytes, body, first, last, events });
    previous = sha256(headBytes);
    offset += headLength + found.bodyLength;
  }
  return { head, chunks };
}

/** The tails of one recording, oldest first. */
export async function readTails(paths: readonly string[]): Promise<readonly TailContent[]> {
  const found: TailContent[] = [];
  for (const path of paths) {
    const bytes = await readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    const tail = bytes === undefined ? undefined : parseTail(bytes);
    if (tail !== undefined) found.push(tail);
  }
  return found.sort((one, other) => one.head.generation - other.head.generation);
}
