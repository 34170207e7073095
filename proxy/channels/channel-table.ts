// The channels and global requests of one SSH connection, above its transport: reads the messages of RFC 4254,
// keeps numbers and limits, and hands each message to the channel end that it is for. It serves both roles; what
// a channel is for, and whether it may be, is decided by whoever handles `open`.
import {
  EXTENDED_DATA_STDERR,
  encodeChannelClose,
  encodeChannelEof,
  encodeChannelFailure,
  encodeChannelOpen,
  encodeChannelOpenConfirmation,
  encodeChannelOpenFailure,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeChannelWindowAdjust,
  encodeGlobalRequest,
  encodeRequestFailure,
  encodeRequestSuccess,
  MESSAGE,
  OPEN_FAILURE,
  parseChannelBare,
  parseChannelData,
  parseChannelExtendedData,
  parseChannelOpen,
  parseChannelOpenConfirmation,
  parseChannelOpenFailure,
  parseChannelRequest,
  parseChannelWindowAdjust,
  parseGlobalRequest,
  parseRequestFailure,
  parseRequestSuccess,
  TransportError,
} from '../transport/messages.ts';
import { ChannelEnd, type EndWire } from './channel-end.ts';
import { PeerViolation } from './errors.ts';
import { plainText } from './terminal-text.ts';

/** The part of a transport that channels use. */
export interface PacketPort {
  /** False: above the high-water mark; `drained` of the table is called when it no longer is. */
  send(payload: Buffer): boolean;
  sendChannelData(recipient: number, data: Buffer): boolean;
  sendChannelExtendedData(recipient: number, code: number, data: Buffer): boolean;
  readonly pendingBytes: number;
  pause(): void;
  resume(): void;
}

export interface IncomingOpen {
  readonly type: string;
  readonly data: Buffer;
  /** Undefined when the connection is gone or the open was answered already. Attach handlers in the same turn. */
  accept(): ChannelEnd | undefined;
  refuse(reason: number, text: string): void;
}

export interface OpenHandlers {
  /** Attach handlers in the same turn. */
  confirmed(end: ChannelEnd): void;
  /** `text` is free of control characters. */
  refused(reason: number, text: string): void;
}

export interface GlobalReply {
  readonly wanted: boolean;
  succeed(data?: Buffer): void;
  fail(): void;
}

export interface TableHandlers {
  open(request: IncomingOpen): void;
  globalRequest(type: string, data: Buffer, reply: GlobalReply): void;
}

/** Channels open or being opened at once, by either side, on one connection, unless told. */
export const DEFAULT_CHANNEL_LIMIT = 64;
const MAX_GLOBAL_REQUESTS = 128;
const WIDE_CHANNELS = 4;
const WIDE_WINDOW = 2 * 1024 * 1024;
/** Channels beyond the first few get a smaller window, so that a connection's memory stays bounded. */
const NARROW_WINDOW = 256 * 1024;
const PACKET = 32 * 1024;
/** A peer that lets this much of what is owed to it pile up is not read from until it has taken some. */
const PAUSE_READING_AT = 4 * 1024 * 1024;

interface Opening {
  readonly budget: number;
  readonly handlers: OpenHandlers;
}

interface OwedReply {
  answer: Buffer | undefined;
}

export class ChannelTable {
  readonly #port: PacketPort;
  readonly #handlers: TableHandlers;
  readonly #limit: number;
  readonly #ends = new Map<number, ChannelEnd>();
  readonly #opening = new Map<number, Opening>();
  /** Opens of the peer that are not answered yet. */
  #unanswered = 0;
  #owed: OwedReply[] = [];
  /** Global requests of the peer that want no reply and are not dealt with yet. */
  #unsettled = 0;
  #awaited: { succeeded: (data: Buffer) => void; failed: () => void }[] = [];
  #writable = true;
  #paused = false;
  #lost = false;
  #turn = 0;
  readonly #wire: EndWire;

  constructor(port: PacketPort, handlers: TableHandlers, limit = DEFAULT_CHANNEL_LIMIT) {
    this.#port = port;
    this.#handlers = handlers;
    this.#limit = limit;
    this.#wire = this.#makeWire();
  }

  get openChannels(): number {
    return this.#ends.size;
  }

  /** Bytes that wait for the peer's windows or for its transport. */
  get queuedBytes(): number {
    let bytes = this.#port.pendingBytes;
    for (const end of this.#ends.values()) bytes += end.queuedBytes;
    return bytes;
  }

  /**
   * Takes a message of type 80 to 100. `borrowed`: one with data, whose bytes are used again after the call. Throws
   * TransportError for what no honest peer sends.
   */
  receive(payload: Buffer, borrowed = false): void {
    try {
      this.#receive(payload, borrowed);
    } catch (error) {
      if (!(error instanceof PeerViolation)) throw error;
      throw new TransportError('SP_PROTOCOL_VIOLATION', `${error.code}: ${error.message}`, { cause: error });
    }
    if (!this.#paused && this.#port.pendingBytes > PAUSE_READING_AT) {
      this.#paused = true;
      this.#writable = false;
      this.#port.pause();
    }
  }

  #receive(payload: Buffer, borrowed: boolean): void {
    switch (payload[0]) {
      case MESSAGE.CHANNEL_DATA: {
        const message = parseChannelData(payload);
        this.#end(message.recipient).receiveData(message.data, undefined, borrowed);
        break;
      }
      case MESSAGE.CHANNEL_EXTENDED_DATA: {
        const message = parseChannelExtendedData(payload);
        this.#end(message.recipient).receiveData(message.data, message.code, borrowed);
        break;
      }
      case MESSAGE.CHANNEL_WINDOW_ADJUST: {
        const message = parseChannelWindowAdjust(payload);
        this.#end(message.recipient).receiveWindowAdjust(message.bytes);
        break;
      }
      case MESSAGE.CHANNEL_REQUEST: {
        const message = parseChannelRequest(payload);
        this.#end(message.recipient).receiveRequest(message.type, message.wantReply, message.data);
        break;
      }
      case MESSAGE.CHANNEL_EOF:
        this.#end(parseChannelBare(payload).recipient).receiveEof();
        break;
      case MESSAGE.CHANNEL_CLOSE:
        this.#end(parseChannelBare(payload).recipient).receiveClose();
        break;
      case MESSAGE.CHANNEL_SUCCESS:
        this.#end(parseChannelBare(payload).recipient).receiveReply(true);
        break;
      case MESSAGE.CHANNEL_FAILURE:
        this.#end(parseChannelBare(payload).recipient).receiveReply(false);
        break;
      case MESSAGE.CHANNEL_OPEN:
        this.#receiveOpen(payload);
        break;
      case MESSAGE.CHANNEL_OPEN_CONFIRMATION:
        this.#receiveConfirmation(payload);
        break;
      case MESSAGE.CHANNEL_OPEN_FAILURE: {
        const message = parseChannelOpenFailure(payload);
        const opening = this.#takeOpening(message.recipient);
        opening.handlers.refused(message.reason, plainText(message.description));
        break;
      }
      case MESSAGE.GLOBAL_REQUEST:
        this.#receiveGlobalRequest(payload);
        break;
      case MESSAGE.REQUEST_SUCCESS:
        this.#takeAwaited().succeeded(parseRequestSuccess(payload));
        break;
      case MESSAGE.REQUEST_FAILURE:
        parseRequestFailure(payload);
        this.#takeAwaited().failed();
        break;
      default:
        throw new PeerViolation('SP_CHANNEL_OUT_OF_ORDER', `message ${payload[0]} after signing in`);
    }
  }

  /** The transport takes bulk data again. */
  drained(): void {
    if (this.#lost) return;
    this.#writable = true;
    if (this.#paused) {
      this.#paused = false;
      this.#port.resume();
    }
    // Whoever came first last time comes last now, so that one channel can't starve the others.
    const ends = [...this.#ends.values()];
    this.#turn = ends.length === 0 ? 0 : (this.#turn + 1) % ends.length;
    for (let index = 0; index < ends.length; index += 1) {
      if (!this.#writable) return;
      ends[(this.#turn + index) % ends.length]?.flush();
    }
  }

  /** Asks the peer for a channel. A connection that is gone or full refuses at once. */
  open(type: string, data: Buffer, handlers: OpenHandlers): void {
    if (this.#lost) {
      handlers.refused(OPEN_FAILURE.CONNECT_FAILED, 'the connection is closed');
      return;
    }
    if (this.#full) {
      handlers.refused(OPEN_FAILURE.RESOURCE_SHORTAGE, 'too many channels');
      return;
    }
    const localId = this.#freeId();
    const budget = this.#budget();
    this.#opening.set(localId, { budget, handlers });
    this.#send(
      encodeChannelOpen({ type, sender: localId, initialWindow: budget, maximumPacket: PACKET, data }),
    );
  }

  /** Sends a global request that wants a reply. `failed` also when the connection ends first. */
  request(type: string, data: Buffer, succeeded: (data: Buffer) => void, failed: () => void): void {
    if (this.#lost || this.#awaited.length >= MAX_GLOBAL_REQUESTS) {
      failed();
      return;
    }
    this.#awaited.push({ succeeded, failed });
    this.#send(encodeGlobalRequest(type, true, data));
  }

  /** Sends a global request that wants no reply. */
  announce(type: string, data: Buffer): void {
    if (!this.#lost) this.#send(encodeGlobalRequest(type, false, data));
  }

  /** The connection is gone: every channel is closed, every question answered with no. */
  lost(): void {
    if (this.#lost) return;
    this.#lost = true;
    const opening = [...this.#opening.values()];
    const awaited = this.#awaited;
    const ends = [...this.#ends.values()];
    this.#opening.clear();
    this.#awaited = [];
    this.#ends.clear();
    for (const one of opening) {
      one.handlers.refused(OPEN_FAILURE.CONNECT_FAILED, 'the connection is closed');
    }
    for (const one of awaited) one.failed();
    for (const end of ends) end.lost();
  }

  get #full(): boolean {
    return this.#ends.size + this.#opening.size + this.#unanswered >= this.#limit;
  }

  #receiveOpen(payload: Buffer): void {
    const message = parseChannelOpen(payload);
    const refuse = (reason: number, description: string): void => {
      if (this.#lost) return;
      this.#send(encodeChannelOpenFailure({ recipient: message.sender, reason, description }));
    };
    if (this.#full) {
      refuse(OPEN_FAILURE.RESOURCE_SHORTAGE, `at most ${this.#limit} channels are allowed`);
      return;
    }
    let answered = false;
    const answer = (): boolean => {
      if (answered) return false;
      answered = true;
      this.#unanswered -= 1;
      return !this.#lost;
    };
    this.#unanswered += 1;
    this.#handlers.open({
      type: message.type,
      data: message.data,
      accept: () => {
        if (!answer()) return undefined;
        const localId = this.#freeId();
        const budget = this.#budget();
        const end = new ChannelEnd({
          wire: this.#wire,
          localId,
          remoteId: message.sender,
          sendWindow: message.initialWindow,
          sendPacket: message.maximumPacket,
          budget,
          packetSize: PACKET,
        });
        this.#ends.set(localId, end);
        this.#send(
          encodeChannelOpenConfirmation({
            recipient: message.sender,
            sender: localId,
            initialWindow: budget,
            maximumPacket: PACKET,
          }),
        );
        return end;
      },
      refuse: (reason, text) => {
        if (answer()) refuse(reason, plainText(text));
      },
    });
  }

  #receiveConfirmation(payload: Buffer): void {
    const message = parseChannelOpenConfirmation(payload);
    const opening = this.#takeOpening(message.recipient);
    const end = new ChannelEnd({
      wire: this.#wire,
      localId: message.recipient,
      remoteId: message.sender,
      sendWindow: message.initialWindow,
      sendPacket: message.maximumPacket,
      budget: opening.budget,
      packetSize: PACKET,
    });
    this.#ends.set(message.recipient, end);
    opening.handlers.confirmed(end);
  }

  #receiveGlobalRequest(payload: Buffer): void {
    const message = parseGlobalRequest(payload);
    if (!message.wantReply) {
      // Nobody waits for an answer, but what has none yet is kept: a peer may not pile it up.
      if (this.#unsettled >= MAX_GLOBAL_REQUESTS) {
        throw new PeerViolation('SP_CHANNEL_FLOOD', 'too many global requests under way');
      }
      this.#unsettled += 1;
      let settled = false;
      const done = (): void => {
        if (!settled) this.#unsettled -= 1;
        settled = true;
      };
      this.#handlers.globalRequest(message.type, message.data, { wanted: false, succeed: done, fail: done });
      return;
    }
    if (this.#owed.length >= MAX_GLOBAL_REQUESTS) {
      throw new PeerViolation('SP_CHANNEL_FLOOD', 'too many global requests without an answer');
    }
    const owed: OwedReply = { answer: undefined };
    this.#owed.push(owed);
    const settle = (answer: Buffer): void => {
      if (owed.answer !== undefined) return;
      owed.answer = answer;
      this.#payReplies();
    };
    this.#handlers.globalRequest(message.type, message.data, {
      wanted: true,
      succeed: (data) => settle(encodeRequestSuccess(data)),
      fail: () => settle(encodeRequestFailure()),
    });
  }

  /** Global requests are answered in the order in which they came (RFC 4254 section 4). */
  #payReplies(): void {
    let paid = 0;
    for (const owed of this.#owed) {
      if (owed.answer === undefined) break;
      if (!this.#lost) this.#send(owed.answer);
      paid += 1;
    }
    if (paid > 0) this.#owed = this.#owed.slice(paid);
  }

  #end(localId: number): ChannelEnd {
    const end = this.#ends.get(localId);
    if (end === undefined) throw new PeerViolation('SP_CHANNEL_UNKNOWN', `no channel ${localId}`);
    return end;
  }

  #takeOpening(localId: number): Opening {
    const opening = this.#opening.get(localId);
    if (opening === undefined) {
      throw new PeerViolation('SP_CHANNEL_UNKNOWN', `no channel ${localId} is being opened`);
    }
    this.#opening.delete(localId);
    return opening;
  }

  #takeAwaited(): { succeeded: (data: Buffer) => void; failed: () => void } {
    const awaited = this.#awaited.shift();
    if (awaited === undefined) {
      throw new PeerViolation('SP_CHANNEL_OUT_OF_ORDER', 'answer to a global request that was not made');
    }
    return awaited;
  }

  #freeId(): number {
    let id = 0;
    while (this.#ends.has(id) || this.#opening.has(id)) id += 1;
    return id;
  }

  #budget(): number {
    return this.#ends.size + this.#opening.size < WIDE_CHANNELS ? WIDE_WINDOW : NARROW_WINDOW;
  }

  #send(payload: Buffer): void {
    if (!this.#port.send(payload)) this.#writable = false;
  }

  #makeWire(): EndWire {
    const table = this;
    return {
      get writable(): boolean {
        return table.#writable && !table.#lost;
      },
      data: (remoteId, stream, data) => {
        const more =
          stream === 'stdout'
            ? this.#port.sendChannelData(remoteId, data)
            : this.#port.sendChannelExtendedData(remoteId, EXTENDED_DATA_STDERR, data);
        if (!more) this.#writable = false;
      },
      windowAdjust: (remoteId, bytes) => this.#send(encodeChannelWindowAdjust(remoteId, bytes)),
      request: (remoteId, name, wantReply, body) =>
        this.#send(encodeChannelRequest({ recipient: remoteId, type: name, wantReply, data: body })),
      reply: (remoteId, ok) =>
        this.#send(ok ? encodeChannelSuccess(remoteId) : encodeChannelFailure(remoteId)),
      eof: (remoteId) => this.#send(encodeChannelEof(remoteId)),
      close: (remoteId) => this.#send(encodeChannelClose(remoteId)),
      forget: (localId) => {
        this.#ends.delete(localId);
      },
    };
  }
}
