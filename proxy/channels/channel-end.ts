// One end of a channel: what one peer and the gateway have agreed about it. It keeps the two windows, splits what
// is sent into packets, keeps data, requests, EOF and CLOSE in order, and answers requests in the order in which
// they came (RFC 4254 section 4). It knows nothing of the channel on the other side; the relay pairs two of them.
import { PeerViolation } from './errors.ts';
import { OrderedQueue, type Stream } from './ordered-queue.ts';

/** How an end reaches its peer: encoded messages, and whether bulk data may be written at this moment. */
export interface EndWire {
  readonly writable: boolean;
  data(remoteId: number, stream: Stream, data: Buffer): void;
  windowAdjust(remoteId: number, bytes: number): void;
  request(remoteId: number, name: string, wantReply: boolean, body: Buffer): void;
  reply(remoteId: number, ok: boolean): void;
  eof(remoteId: number): void;
  close(remoteId: number): void;
  /** Both sides have closed: the number is free. */
  forget(localId: number): void;
}

/** The answer owed to a request; settled once, later calls and requests that want no reply are no-ops. */
export interface ReplySlot {
  readonly wanted: boolean;
  settle(ok: boolean): void;
}

export interface EndHandlers {
  data(data: Buffer, stream: Stream): void;
  /** As data(), with bytes that are used again after the call. Absent: data() gets a copy. */
  borrowed?(data: Buffer, stream: Stream): void;
  request(name: string, body: Buffer, reply: ReplySlot): void;
  eof(): void;
  /** The peer has closed, or its connection is gone. Called once. CLOSE is answered right after it. */
  closed(): void;
  /**
   * Present: the owner answers the peer's CLOSE itself. An OpenSSH client that has nothing more to read or write
   * closes before it has the exit status, and still takes it until the answer to its CLOSE has come.
   */
  readonly answersClose?: true;
  /** Queued bytes have left. */
  flushed(): void;
}

/** Requests and other marks that may wait in one queue; no client that behaves comes near. */
export const MAX_QUEUED_MARKS = 1024;
/** Data of one packet towards a peer, whatever larger size it allows. */
const MAX_SEND_PACKET = 32 * 1024;
const UINT32_MAX = 0xffff_ffff;
const EXTENDED_STDERR = 1;

interface OutgoingRequest {
  readonly kind: 'request';
  readonly name: string;
  readonly body: Buffer;
  readonly answered: ((ok: boolean) => void) | undefined;
}
type Mark = OutgoingRequest | { readonly kind: 'eof' } | { readonly kind: 'close' };

interface Owed {
  answer: boolean | undefined;
}

type Direction = 'open' | 'eof' | 'closed';

export class ChannelEnd {
  readonly localId: number;
  /** What the peer may have in flight or waiting on our side, in bytes. */
  readonly budget: number;
  /** The largest data packet that the peer may send, in bytes. */
  readonly packetSize: number;

  readonly #wire: EndWire;
  #remoteId: number;
  #sendWindow: number;
  #sendPacket: number;
  #receiveWindow: number;
  #handlers: EndHandlers | undefined;
  #incoming: Direction = 'open';
  #outgoing: Direction = 'open';
  /** What has been asked to be sent, which may still be queued. */
  #accepted: Direction = 'open';
  readonly #queue = new OrderedQueue<Mark>();
  #owed: Owed[] = [];
  #awaited: ((ok: boolean) => void)[] = [];
  #flushing = false;

  constructor(options: {
    readonly wire: EndWire;
    readonly localId: number;
    readonly remoteId: number;
    readonly sendWindow: number;
    readonly sendPacket: number;
    readonly budget: number;
    readonly packetSize: number;
  }) {
    this.#wire = options.wire;
    this.localId = options.localId;
    this.#remoteId = options.remoteId;
    this.#sendWindow = options.sendWindow;
    this.#sendPacket = Math.min(options.sendPacket, MAX_SEND_PACKET);
    this.budget = options.budget;
    this.packetSize = options.packetSize;
    this.#receiveWindow = options.budget;
  }

  /** Nothing is delivered before handlers are attached: whoever makes an end attaches them in the same turn. */
  attach(handlers: EndHandlers): void {
    this.#handlers = handlers;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  get receiveWindow(): number {
    return this.#receiveWindow;
  }

  /** True once nothing more can be sent: CLOSE is queued or sent, or the connection is gone. */
  get closing(): boolean {
    return this.#accepted === 'closed';
  }

  get peerClosed(): boolean {
    return this.#incoming === 'closed';
  }

  // ---- towards the peer

  /** `borrowed`: what can't be sent at once is copied. */
  sendData(data: Buffer, stream: Stream, borrowed = false): void {
    if (this.#accepted !== 'open' || this.#incoming === 'closed' || data.length === 0) return;
    if (this.#queue.empty) {
      const sent = this.#sendNow(data, stream);
      if (sent === data.length) return;
      this.#enqueue(data.subarray(sent), stream, borrowed);
    } else {
      this.#enqueue(data, stream, borrowed);
      this.flush();
    }
  }

  #enqueue(data: Buffer, stream: Stream, borrowed: boolean): void {
    if (borrowed) this.#queue.pushCopy(stream, data);
    else this.#queue.pushData(stream, data);
  }

  /** Sends a request behind everything that is queued. `answered` present: a reply is wanted. */
  sendRequest(name: string, body: Buffer, answered?: (ok: boolean) => void): void {
    if (this.#accepted === 'closed') {
      answered?.(false);
      return;
    }
    this.#push({ kind: 'request', name, body, answered });
  }

  /** Sends a request that wants no reply ahead of queued data: for what must not wait behind a full window. */
  sendUrgentRequest(name: string, body: Buffer): void {
    if (this.#outgoing === 'closed') return;
    this.#wire.request(this.#remoteId, name, false, body);
  }

  sendEof(): void {
    if (this.#accepted !== 'open') return;
    this.#accepted = 'eof';
    this.#push({ kind: 'eof' });
  }

  /** Sends CLOSE behind everything that is queued. */
  close(): void {
    if (this.#accepted === 'closed') return;
    this.#accepted = 'closed';
    this.#push({ kind: 'close' });
  }

  /** Drops what is queued and closes at once. */
  abort(): void {
    this.#queue.clear();
    if (this.#outgoing === 'closed') return;
    this.#accepted = 'closed';
    this.#sendClose();
  }

  /**
   * Grants the peer what its budget leaves over: `kept` are the bytes that came from it and have not yet been
   * passed on. Grants go out in useful sizes, not for every packet: each is a packet too, and wakes the peer.
   */
  replenish(kept: number): void {
    if (this.#incoming !== 'open' || this.#outgoing === 'closed') return;
    const grant = this.budget - this.#receiveWindow - kept;
    if (grant < Math.min(this.budget / 2, Math.max(3 * this.packetSize, this.budget / 8))) return;
    this.#receiveWindow += grant;
    this.#wire.windowAdjust(this.#remoteId, grant);
  }

  /** Sends what windows and the transport allow. */
  flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    const before = this.#queue.bytes;
    try {
      for (;;) {
        const next = this.#queue.next;
        if (next === undefined) break;
        if (next === 'data') {
          if (this.#sendWindow === 0 || !this.#wire.writable) break;
          const piece = this.#queue.take(Math.min(this.#sendWindow, this.#sendPacket));
          if (piece?.kind === 'data') this.#sendNow(piece.data, piece.stream);
        } else {
          const taken = this.#queue.take(1);
          if (taken?.kind === 'mark') this.#sendMark(taken.mark);
        }
      }
    } finally {
      this.#flushing = false;
    }
    if (this.#queue.bytes < before) this.#handlers?.flushed();
  }

  // ---- from the peer; called by the table that owns this end

  receiveData(data: Buffer, extendedCode: number | undefined, borrowed = false): void {
    if (this.#incoming !== 'open') {
      throw new PeerViolation('SP_CHANNEL_OUT_OF_ORDER', `data after ${this.#incoming}`);
    }
    if (data.length > this.packetSize) {
      throw new PeerViolation(
        'SP_CHANNEL_PACKET_TOO_LARGE',
        `packet of ${data.length} bytes, limit ${this.packetSize}`,
      );
    }
    if (data.length > this.#receiveWindow) {
      throw new PeerViolation(
        'SP_CHANNEL_WINDOW_OVERRUN',
        `${data.length} bytes into a window of ${this.#receiveWindow}`,
      );
    }
    this.#receiveWindow -= data.length;
    if (data.length === 0) return;
    // Other codes mean nothing to either side; their bytes come back with the next grant.
    if (extendedCode !== undefined && extendedCode !== EXTENDED_STDERR) return;
    const handlers = this.#handlers;
    const stream = extendedCode === undefined ? 'stdout' : 'stderr';
    if (!borrowed) handlers?.data(data, stream);
    else if (handlers?.borrowed === undefined) handlers?.data(copyOf(data), stream);
    else handlers.borrowed(data, stream);
  }

  receiveWindowAdjust(bytes: number): void {
    const window = this.#sendWindow + bytes;
    if (window > UINT32_MAX) {
      throw new PeerViolation('SP_CHANNEL_WINDOW_OVERRUN', 'window grows beyond 2^32-1');
    }
    this.#sendWindow = window;
    this.flush();
  }

  receiveRequest(name: string, wantReply: boolean, body: Buffer): void {
    if (this.#incoming === 'closed') {
      throw new PeerViolation('SP_CHANNEL_OUT_OF_ORDER', 'request after close');
    }
    if (!wantReply) {
      this.#handlers?.request(name, body, { wanted: false, settle: () => {} });
      return;
    }
    if (this.#owed.length >= MAX_QUEUED_MARKS) {
      throw new PeerViolation('SP_CHANNEL_FLOOD', 'too many requests without an answer');
    }
    const owed: Owed = { answer: undefined };
    this.#owed.push(owed);
    const settle = (ok: boolean): void => {
      if (owed.answer !== undefined) return;
      owed.answer = ok;
      this.#payReplies();
    };
    if (this.#handlers === undefined) settle(false);
    else this.#handlers.request(name, body, { wanted: true, settle });
  }

  receiveReply(ok: boolean): void {
    const answered = this.#awaited.shift();
    if (answered === undefined) {
      throw new PeerViolation('SP_CHANNEL_OUT_OF_ORDER', 'reply to nothing');
    }
    answered(ok);
  }

  receiveEof(): void {
    // OpenSSH never repeats EOF; one that is repeated says nothing new.
    if (this.#incoming !== 'open') return;
    this.#incoming = 'eof';
    this.#handlers?.eof();
  }

  receiveClose(): void {
    if (this.#incoming === 'closed') {
      throw new PeerViolation('SP_CHANNEL_OUT_OF_ORDER', 'closed twice');
    }
    this.#incoming = 'closed';
    // The peer takes no more data; what else is queued for it keeps its order.
    this.#queue.dropData();
    this.#failAwaited();
    const forgotten = this.#outgoing === 'closed';
    this.flush();
    this.#handlers?.closed();
    if (forgotten) this.#wire.forget(this.localId);
    else if (this.#handlers?.answersClose !== true) this.close();
  }

  /** The connection is gone: nothing is sent any more. */
  lost(): void {
    this.#queue.clear();
    this.#accepted = 'closed';
    this.#outgoing = 'closed';
    this.#failAwaited();
    if (this.#incoming === 'closed') return;
    this.#incoming = 'closed';
    this.#handlers?.closed();
  }

  #push(mark: Mark): void {
    if (this.#queue.marks >= MAX_QUEUED_MARKS && mark.kind === 'request') {
      mark.answered?.(false);
      return;
    }
    this.#queue.pushMark(mark);
    this.flush();
  }

  /** Sends as much as the window and the transport take at this moment; answers the number of bytes. */
  #sendNow(data: Buffer, stream: Stream): number {
    let sent = 0;
    while (sent < data.length && this.#sendWindow > 0 && this.#wire.writable) {
      const length = Math.min(data.length - sent, this.#sendWindow, this.#sendPacket);
      this.#sendWindow -= length;
      this.#wire.data(this.#remoteId, stream, data.subarray(sent, sent + length));
      sent += length;
    }
    return sent;
  }

  #sendMark(mark: Mark): void {
    switch (mark.kind) {
      case 'request':
        if (mark.answered !== undefined) this.#awaited.push(mark.answered);
        this.#wire.request(this.#remoteId, mark.name, mark.answered !== undefined, mark.body);
        return;
      case 'eof':
        this.#outgoing = 'eof';
        this.#wire.eof(this.#remoteId);
        return;
      case 'close':
        this.#sendClose();
        return;
    }
  }

  #sendClose(): void {
    if (this.#outgoing === 'closed') return;
    this.#settleOwed();
    this.#outgoing = 'closed';
    this.#wire.close(this.#remoteId);
    if (this.#incoming === 'closed') this.#wire.forget(this.localId);
  }

  #payReplies(): void {
    let paid = 0;
    for (const owed of this.#owed) {
      if (owed.answer === undefined) break;
      if (this.#outgoing !== 'closed') this.#wire.reply(this.#remoteId, owed.answer);
      paid += 1;
    }
    if (paid > 0) this.#owed = this.#owed.slice(paid);
  }

  /** A peer that still waits for answers gets them before CLOSE. */
  #settleOwed(): void {
    for (const owed of this.#owed) owed.answer ??= false;
    this.#payReplies();
  }

  #failAwaited(): void {
    const awaited = this.#awaited;
    this.#awaited = [];
    for (const answered of awaited) answered(false);
  }
}

/** In memory of its own, so that what is kept keeps nothing else. */
export function copyOf(data: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(data.length);
  data.copy(copy);
  return copy;
}
