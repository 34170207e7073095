// The files that a channel has open: what was read from and written to each, with the SHA-256 of the content where it
// went from the first byte to the last in order. Bounded in number. It says what was seen of a file, not what is on the
// device's disk afterwards.
import { createHash, type Hash } from 'node:crypto';

/** Files and folders open at once on one channel; OpenSSH's server allows fewer. */
export const MOST_HANDLES = 4_096;

/** Content that should be one file from its beginning. */
export class Content {
  #hash: Hash | undefined = createHash('sha256');
  #next = 0n;
  #bytes = 0;
  #fault: string | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  get next(): bigint {
    return this.#next;
  }

  /** `data` stands at this place of the file. */
  add(offset: bigint, data: Buffer): void {
    this.#bytes += data.length;
    if (this.#hash === undefined) return;
    if (offset !== this.#next) {
      this.spoil(offset > this.#next && this.#next === 0n ? 'not from the beginning' : 'out of order');
      return;
    }
    this.#next += BigInt(data.length);
    // In place: handing it to another thread costs a copy and a wake-up, on busy cores as much as the hash itself.
    this.#hash.update(data);
  }

  /** It is not, or not only, what was seen. The first reason stands. */
  spoil(why: string): void {
    this.#fault ??= why;
    this.#hash = undefined;
  }

  /** `sha256:…`, or why there is none. Ends the counting. */
  finish(): string {
    const hash = this.#hash;
    this.#hash = undefined;
    const bytes = this.#bytes;
    if (hash === undefined) return `${bytes} bytes partial: ${this.#fault ?? 'ended'}`;
    return `${bytes} bytes sha256:${hash.digest('hex')}`;
  }
}

export interface OpenFile {
  readonly path: string;
  readonly folder: boolean;
  readonly written: Content;
  readonly read: Content;
  /** The device has said that nothing follows what was read. */
  readToEnd: boolean;
  readonly writes: boolean;
  readonly reads: boolean;
  /** Nothing of an older content is left: what was written is the whole file. */
  exact: boolean;
}

export const openFile = (path: string, reads: boolean, writes: boolean, fresh: boolean): OpenFile => ({
  path,
  folder: false,
  written: new Content(),
  read: new Content(),
  readToEnd: false,
  writes,
  reads,
  exact: fresh,
});

export const openFolder = (path: string): OpenFile => ({
  ...openFile(path, false, false, false),
  folder: true,
});

/** Some clients write over what is there, and cut the rest off at the end. */
export const cutAt = (file: OpenFile, size: bigint | undefined): void => {
  if (size !== undefined && size === file.written.next) file.exact = true;
  else file.written.spoil('its length was changed');
};

/** What an auditor is told of a file that was closed; `cut`: it was not closed by the client. Undefined: nothing. */
export const summaryOf = (file: OpenFile, cut: string | undefined): string | undefined => {
  const parts: (readonly [string, Content])[] = [];
  if (file.writes || file.written.bytes > 0) {
    if (cut !== undefined) file.written.spoil(cut);
    else if (!file.exact) file.written.spoil('written over an older content');
    parts.push(['wrote', file.written]);
  }
  if (file.read.bytes > 0 || (file.reads && !file.writes)) {
    if (cut !== undefined) file.read.spoil(cut);
    if (!file.readToEnd) file.read.spoil('not to the end');
    parts.push(['read', file.read]);
  }
  if (parts.length === 0) return undefined;
  return parts.map(([did, content]) => `${did} ${content.finish()}`).join(', ');
};
