// A channel as a byte stream, for the SSH connection that runs inside a ProxyJump. Both ways are bounded: the peer
// gets more window only for what has been read, and a write completes when little enough is queued.
import { Duplex } from 'node:stream';
import type { ChannelEnd } from './channel-end.ts';
import { OrderedQueue } from './ordered-queue.ts';

const WRITE_BACKLOG = 256 * 1024;
const READ_PIECE = 64 * 1024;

export class ChannelStream extends Duplex {
  readonly #end: ChannelEnd;
  readonly #arrived = new OrderedQueue<'eof'>();
  #wanted = false;
  #writing: (() => void) | undefined;

  /** Attaches to `end`. */
  constructor(end: ChannelEnd) {
    super({ allowHalfOpen: true, emitClose: true, autoDestroy: true });
    this.#end = end;
    end.attach({
      data: (data, stream) => {
        if (stream === 'stdout' && !this.destroyed) this.#arrived.pushData('stdout', data);
        this.#deliver();
      },
      request: (_name, _body, reply) => reply.settle(false),
      eof: () => {
        this.#arrived.pushMark('eof');
        this.#deliver();
      },
      closed: () => {
        this.#arrived.pushMark('eof');
        this.#deliver();
        this.#wrote();
      },
      flushed: () => this.#wrote(),
    });
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#end.closing) {
      done(new Error('the channel is closed'));
      return;
    }
    this.#end.sendData(chunk, 'stdout');
    this.#writing = () => done();
    this.#wrote();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#end.sendEof();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#arrived.clear();
    this.#end.close();
    this.#writing = undefined;
    done(error);
  }

  #wrote(): void {
    const writing = this.#writing;
    if (writing === undefined || (this.#end.queuedBytes > WRITE_BACKLOG && !this.#end.closing)) return;
    this.#writing = undefined;
    writing();
  }

  #deliver(): void {
    while (this.#wanted && !this.destroyed) {
      const next = this.#arrived.take(READ_PIECE);
      if (next === undefined) break;
      this.#wanted = next.kind === 'data' ? this.push(next.data) : this.push(null);
    }
    this.#end.replenish(this.#arrived.bytes);
  }
}
