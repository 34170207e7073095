// Packets on their way to a stream. In a transfer they lie one behind the other in large blocks, which go out whole,
// once a turn, and are used again: a buffer for each packet would keep the garbage collector busier than the ciphers.
// It neither encrypts nor bounds: the owner of the transport stops when too much is pending.
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/** Three of the largest packets that a transfer is made of. */
const BLOCK = 128 * 1024;
/** Smaller packets begin no block. */
const BLOCK_FROM = 8 * 1024;
/** Blocks that wait for their next use in this process: 2 MiB. */
const SPARE = 16;

const spare: Buffer[] = [];

export class Outbox {
  readonly #stream: Writable;
  readonly #written: () => void;
  /** A socket has given its bytes to the kernel when it says so; other streams may keep them for longer. */
  readonly #reuses: boolean;
  #block: Buffer | undefined;
  #used = 0;
  #unsent = 0;
  #scheduled = false;
  #corked = false;

  /** `written`: something that was pending is no longer. */
  constructor(stream: Writable, written: () => void) {
    this.#stream = stream;
    this.#written = written;
    this.#reuses = stream instanceof Socket;
  }

  /** Bytes that the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.#stream.writableLength + this.#unsent;
  }

  /** Room for one packet, to be put before room for another is taken. Its contents are undefined. */
  take(bytes: number): Buffer {
    if (this.#block !== undefined && this.#used + bytes > BLOCK) this.#send();
    if (this.#block === undefined) {
      if (!this.#reuses || bytes < BLOCK_FROM || bytes > BLOCK) return Buffer.allocUnsafe(bytes);
      this.#block = spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
      this.#used = 0;
    }
    return this.#block.subarray(this.#used, this.#used + bytes);
  }

  /** The packet is complete, in the room that was taken for it or elsewhere. */
  put(packet: Uint8Array): void {
    const block = this.#block;
    const here = block !== undefined && packet.buffer === block.buffer;
    if (here && packet.byteOffset === block.byteOffset + this.#used) {
      this.#used += packet.length;
      this.#unsent += packet.length;
    } else {
      this.#send();
      if (!this.#corked) {
        this.#corked = true;
        this.#stream.cork();
      }
      this.#stream.write(packet, this.#written);
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#flushScheduled);
  }

  /** Everything that was put in one turn goes out in one system call, or few. */
  flush(): void {
    this.#send();
    if (!this.#corked) return;
    this.#corked = false;
    this.#stream.uncork();
  }

  readonly #flushScheduled = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  #send(): void {
    const block = this.#block;
    if (block === undefined) return;
    const bytes = this.#used;
    this.#block = undefined;
    this.#unsent = 0;
    if (bytes === 0 || this.#stream.destroyed || this.#stream.writableEnded) {
      giveBack(block);
      return;
    }
    this.#stream.write(block.subarray(0, bytes), (error) => {
      // After an error nobody knows who still reads the block.
      if (error === null || error === undefined) giveBack(block);
      this.#written();
    });
  }
}

function giveBack(block: Buffer): void {
  if (spare.length < SPARE) spare.push(block);
}
