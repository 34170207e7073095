// Room on the disk that is given up when the disk is full, so that the sessions which then end can still be sealed. One
// file a process, in the folder of live recordings. It does not watch the disk; whoever meets an error releases it.
import { randomFillSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordingError, reasonOf } from './errors.ts';
import { liveFolder } from './places.ts';

export const reserveName = /^reserve-(\d{1,10})$/;

/** Of a small disk no more than this part is kept. */
const largestShare = 1 / 6;
/** A disk that was full takes new sessions again when so much of it is free, or half of it where that is less. Bytes. */
const freeAgain = 256 * 1024 * 1024;

export class Reserve {
  readonly #root: string;
  readonly #path: string;
  readonly #bytes: number;
  #state: 'absent' | 'kept' | 'given up' = 'absent';
  #making: Promise<void> | undefined;

  constructor(root: string, bytes: number) {
    this.#root = root;
    this.#path = join(liveFolder(root), `reserve-${process.pid}`);
    this.#bytes = bytes;
  }

  /** Throws SP_RECORDING_OPEN when the disk has no room: then no session should start either. */
  async keep(): Promise<void> {
    if (this.#state === 'kept' || this.#bytes === 0) return;
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  /** Gives the room up; at once, because what comes next needs it. */
  release(): void {
    if (this.#state !== 'kept') return;
    this.#state = 'given up';
    rmSync(this.#path, { force: true });
  }

  async #make(): Promise<void> {
    try {
      await mkdir(liveFolder(this.#root), { recursive: true, mode: 0o700 });
      const { bsize, blocks, bavail } = await statfs(liveFolder(this.#root));
      if (this.#state === 'given up' && bavail * bsize < Math.min(freeAgain, (blocks * bsize) / 2)) {
        throw new Error('the disk was full and has little room yet');
      }
      const bytes = Math.min(this.#bytes, Math.floor(blocks * bsize * largestShare));
      const handle = await open(this.#path, 'w', 0o600);
      try {
        // Random, because some file systems keep no room for zeros.
        await handle.writeFile(randomFillSync(Buffer.alloc(bytes)));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      this.#state = 'kept';
    } catch (error) {
      await rm(this.#path, { force: true }).catch(() => undefined);
      throw new RecordingError('SP_RECORDING_OPEN', `no room to seal recordings: ${reasonOf(error)}`, error);
    }
  }
}
