// One encrypted SSH transport over a stream: identification, key exchange, packets, rekeying, keep-alive, and an
// honest account of what waits to be written. It knows no user and no channel: messages of the layers above go up
// and come down as bytes. Whatever a peer does, and whatever throws inside, ends as one call of `closed`.
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import crypto from 'ssh2/lib/protocol/crypto.js';
import type { ProtocolHostKey } from 'ssh2/lib/protocol/Protocol.js';
import {
  type Algorithms,
  CLIENT_ALGORITHMS,
  checkAlgorithms,
  hostKeyAlgorithmsOf,
  SERVER_ALGORITHMS,
} from './algorithms.ts';
import { TransportError, type TransportErrorCode } from './errors.ts';
import { asksForReply, GlobalReplies, WAITING_LIMIT } from './global-replies.ts';
import type { HostKey } from './host-keys.ts';
import { IdentificationReader } from './identification.ts';
import {
  DISCONNECT_REASON,
  encodeGlobalRequest,
  encodeRequestFailure,
  MESSAGE,
  parseDisconnect,
  parseExtInfo,
} from './messages.ts';
import { Outbox } from './outbox.ts';
import { PacketLayer } from './packets.ts';
import { SHARED_READ, shareReads } from './shared-read.ts';

// Without the native addon chacha20-poly1305 needs a WebAssembly module, which loads asynchronously.
await crypto.init;

/**
 * OpenSSH's client tells the other side that its standard output is closed (`eow@openssh.com`) only when that
 * side's identification begins with `OpenSSH`; without it `ssh host yes | head` never ends. sshd does the same in
 * the other direction. So both roles say so by default, without claiming a version.
 */
export const DEFAULT_IDENTIFICATION = 'OpenSSH_Sallyport';

/** False: packets are encrypted in JavaScript, at a fraction of the speed. Say so loudly at start-up. */
export function nativeCryptoLoaded(): boolean {
  return crypto.bindingAvailable;
}

let received = 0;

/** Bytes that all transports of this process have received so far. */
export function bytesReceived(): number {
  return received;
}

export interface TransportInfo {
  readonly role: 'server' | 'client';
  /** The first exchange hash; stays over rekeys. */
  readonly sessionId: Buffer;
  readonly localIdentification: string;
  /** Without CR LF, e.g. `SSH-2.0-OpenSSH_9.2p1`. As the peer sent it: escape it before it reaches a terminal. */
  readonly remoteIdentification: string;
  readonly algorithms: {
    readonly kex: string;
    readonly hostKey: string;
    readonly cipherToServer: string;
    readonly cipherToClient: string;
    /** Empty with a cipher that authenticates by itself. */
    readonly macToServer: string;
    readonly macToClient: string;
  };
  /** Blob of the server's host key that was used. */
  readonly hostKey: Buffer;
  /** From EXT_INFO, e.g. `server-sig-algs`; may fill later. */
  readonly peerExtensions: ReadonlyMap<string, Buffer>;
}

export interface TransportHandlers {
  /** The first key exchange is done, and the host key is accepted. Not called on rekeys. */
  ready(info: TransportInfo): void;
  /**
   * A message of type 5, 6 or 50 to 127. It stays valid after the call. A TransportError thrown here (by a parser)
   * ends the connection as the peer's fault, anything else as ours.
   */
  message(payload: Buffer): void;
  /**
   * CHANNEL_DATA or CHANNEL_EXTENDED_DATA whose bytes are used again after the call; otherwise as message(). Absent:
   * message() gets a copy.
   */
  borrowed?(payload: Buffer): void;
  /** Less than half the high-water mark waits, after send() answered false. */
  drain(): void;
  /** Exactly once, asynchronously, whatever happened. Undefined: an ordinary end, from either side. */
  closed(error: TransportError | undefined): void;
}

export interface Transport extends Disposable {
  /** Undefined until `ready`. */
  readonly info: TransportInfo | undefined;
  /**
   * Queues or writes a message. False: the high-water mark is passed, wait for drain(). Dropped before `ready` and
   * after the end. The payload is copied.
   */
  send(payload: Buffer): boolean;
  /** CHANNEL_DATA, written straight into the packet. `data` must fit the peer's maximum packet size. */
  sendChannelData(recipient: number, data: Buffer): boolean;
  sendChannelExtendedData(recipient: number, code: number, data: Buffer): boolean;
  /** Answers the message that is being delivered with UNIMPLEMENTED (RFC 4253, section 11.4). */
  sendUnimplemented(): void;
  /** Bytes written by us and not yet taken by the kernel, with those that wait for a key exchange. */
  readonly pendingBytes: number;
  /**
   * Stops reading from the stream. Messages in what was read already still come, and so do those that precede the
   * peer's part of a key exchange, which must go on: the layer above bounds them by its windows.
   */
  pause(): void;
  resume(): void;
  rekey(): void;
  /** Sends DISCONNECT, flushes, ends; the stream is destroyed at the latest after 2 s. */
  disconnect(reasonCode: number, description: string): void;
  destroy(): void;
}

export interface TransportOptions {
  /** What follows `SSH-2.0-`: software version and, after a space, comments. DEFAULT_IDENTIFICATION if absent. */
  readonly identification?: string;
  /** In order of preference; each must be a part of SUPPORTED_ALGORITHMS. */
  readonly algorithms?: Partial<Algorithms>;
  /** When we ask for new keys, once signed in: after so many bytes in both directions, and after so long. */
  readonly rekey?: { readonly bytes?: number; readonly milliseconds?: number };
  /** Milliseconds for identification and key exchange, host key verification included; also for each rekey. */
  readonly handshakeTimeout?: number;
  /**
   * After each `interval` milliseconds of silence, once signed in, the peer is asked for a sign of life; after
   * `count` unanswered questions the stream is destroyed. Interval 0: never.
   */
  readonly keepalive?: { readonly interval: number; readonly count: number };
  /** send() answers false above it. */
  readonly highWaterMark?: number;
  /** The connection ends above it. */
  readonly pendingLimit?: number;
}

export interface ServerTransportOptions extends TransportOptions {
  /** At least one whose type the host key algorithms include. */
  readonly hostKeys: readonly HostKey[];
}

export interface ClientTransportOptions extends TransportOptions {
  /**
   * Called once, when the server has proved that it holds the key, before anything secret is sent. A later key
   * exchange must use the same key. `algorithms.hostKey` orders what is asked for: see preferHostKeyTypes.
   */
  verifyHostKey(blob: Buffer): boolean | Promise<boolean>;
}

const DEFAULT_REKEY_BYTES = 2 ** 30;
const DEFAULT_REKEY_MILLISECONDS = 3_600_000;
const DEFAULT_HANDSHAKE_TIMEOUT = 30_000;
const DEFAULT_KEEPALIVE = { interval: 30_000, count: 3 };
const DEFAULT_HIGH_WATER_MARK = 256 * 1024;
const DEFAULT_PENDING_LIMIT = 32 * 1024 * 1024;
/** How long a peer may take to read our last words. */
const ENDING_TIMEOUT = 2_000;
/** Bytes that libuv reads at once into a buffer of its own. */
const PLAIN_READ = 64 * 1024;
/** RFC 4344, section 3.1: new keys after 2^31 packets at the latest, however small. */
const REKEY_PACKETS = 2 ** 31;

const DISCONNECT_OF: Readonly<Record<TransportErrorCode, number>> = {
  SP_MALFORMED_MESSAGE: DISCONNECT_REASON.PROTOCOL_ERROR,
  SP_BAD_IDENTIFICATION: DISCONNECT_REASON.PROTOCOL_VERSION_NOT_SUPPORTED,
  SP_KEY_EXCHANGE_FAILED: DISCONNECT_REASON.KEY_EXCHANGE_FAILED,
  SP_HOST_KEY_REFUSED: DISCONNECT_REASON.HOST_KEY_NOT_VERIFIABLE,
  SP_HANDSHAKE_TIMEOUT: DISCONNECT_REASON.BY_APPLICATION,
  SP_PROTOCOL_VIOLATION: DISCONNECT_REASON.PROTOCOL_ERROR,
  SP_KEEPALIVE_TIMEOUT: DISCONNECT_REASON.CONNECTION_LOST,
  SP_PEER_DISCONNECTED: DISCONNECT_REASON.BY_APPLICATION,
  SP_PEER_CLOSED: DISCONNECT_REASON.CONNECTION_LOST,
  SP_CONNECTION_LOST: DISCONNECT_REASON.CONNECTION_LOST,
  SP_SEND_OVERFLOW: DISCONNECT_REASON.BY_APPLICATION,
  SP_TRANSPORT_INTERNAL: DISCONNECT_REASON.CONNECTION_LOST,
  SP_HOST_KEYS: DISCONNECT_REASON.KEY_EXCHANGE_FAILED,
};

type State =
  | { readonly kind: 'identifying'; readonly reader: IdentificationReader }
  /** The first key exchange. */
  | { readonly kind: 'exchanging' }
  /** Client: keys are in place, the owner judges the host key. */
  | { readonly kind: 'verifying' }
  | { readonly kind: 'ready'; readonly info: TransportInfo }
  /** Last words are on their way; what comes in is dropped. */
  | { readonly kind: 'ending'; readonly error: TransportError | undefined }
  | { readonly kind: 'closed' };

export function acceptTransport(
  stream: Duplex,
  options: ServerTransportOptions,
  handlers: TransportHandlers,
): Transport {
  return new StreamTransport(stream, { role: 'server', options }, handlers);
}

export function openTransport(
  stream: Duplex,
  options: ClientTransportOptions,
  handlers: TransportHandlers,
): Transport {
  return new StreamTransport(stream, { role: 'client', options }, handlers);
}

type Role =
  | { readonly role: 'server'; readonly options: ServerTransportOptions }
  | { readonly role: 'client'; readonly options: ClientTransportOptions };

class StreamTransport implements Transport {
  readonly #stream: Duplex;
  readonly #role: Role;
  readonly #handlers: TransportHandlers;
  readonly #outbox: Outbox;
  readonly #packets: PacketLayer;
  readonly #identification: string;
  readonly #highWaterMark: number;
  readonly #pendingLimit: number;
  readonly #handshakeTimeout: number;
  readonly #rekeyBytes: number;
  readonly #rekeyMilliseconds: number;
  readonly #keepalive: { readonly interval: number; readonly count: number };
  readonly #peerExtensions = new Map<string, Buffer>();
  readonly #replies = new GlobalReplies();
  readonly #hostKeys: Readonly<Record<string, HostKey>>;

  #state: State;
  #remoteIdentification = '';
  #hostKey: Buffer | undefined;
  #hostKeyChanged = false;
  /** USERAUTH_SUCCESS has passed: global requests and rekeys are in order from here on. */
  #signedIn = false;
  #pausedByOwner = false;
  #pausedForFairness = false;
  /** A read of so many bytes was cut off: libuv would go on reading, and nobody else would be served meanwhile. */
  readonly #fullRead: number;
  #wantsDrain = false;
  #bytesSinceExchange = 0;
  #packetsSinceExchange = 0;
  #heardSinceTick = false;
  #silentTicks = 0;
  #exchangeTimer: NodeJS.Timeout | undefined;
  #rekeyTimer: NodeJS.Timeout | undefined;
  #keepaliveTimer: NodeJS.Timeout | undefined;
  #endingTimer: NodeJS.Timeout | undefined;

  constructor(stream: Duplex, role: Role, handlers: TransportHandlers) {
    this.#stream = stream;
    this.#role = role;
    this.#handlers = handlers;
    const { options } = role;
    this.#identification = checkedIdentification(options.identification ?? DEFAULT_IDENTIFICATION);
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#pendingLimit = options.pendingLimit ?? DEFAULT_PENDING_LIMIT;
    this.#handshakeTimeout = options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT;
    this.#rekeyBytes = options.rekey?.bytes ?? DEFAULT_REKEY_BYTES;
    this.#rekeyMilliseconds = options.rekey?.milliseconds ?? DEFAULT_REKEY_MILLISECONDS;
    this.#keepalive = options.keepalive ?? DEFAULT_KEEPALIVE;

    const defaults = role.role === 'server' ? SERVER_ALGORITHMS : CLIENT_ALGORITHMS;
    const wanted: Algorithms = { ...defaults, ...options.algorithms };
    this.#hostKeys = role.role === 'server' ? byAlgorithm(role.options.hostKeys, wanted.hostKey) : {};
    const algorithms: Algorithms =
      role.role === 'server'
        ? { ...wanted, hostKey: wanted.hostKey.filter((name) => this.#hostKeys[name] !== undefined) }
        : wanted;
    checkAlgorithms(algorithms);

    this.#outbox = new Outbox(stream, () => this.#written());
    const common = { identification: this.#identification, algorithms };
    this.#packets = new PacketLayer(
      role.role === 'server'
        ? { ...common, role: 'server', hostKeys: protocolKeys(this.#hostKeys) }
        : { ...common, role: 'client', hostKey: (blob) => this.#sameHostKey(blob) },
      {
        room: (bytes) => this.#outbox.take(bytes),
        write: (bytes) => this.#write(bytes),
        payload: (payload, borrowed) => this.#receivePayload(payload, borrowed),
        exchanged: () => this.#exchanged(),
        failed: (error) => this.#fail(this.#hostKeyChanged ? hostKeyChanged() : error),
      },
    );
    this.#state = {
      kind: 'identifying',
      reader: new IdentificationReader(role.role === 'server' ? 'client' : 'server'),
    };

    // Packets are coalesced here; Nagle's algorithm would only hold the last one back until the peer's delayed ACK.
    if (stream instanceof Socket) stream.setNoDelay(true);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    const shared = stream instanceof Socket && shareReads(stream, (chunk) => this.#receiveBorrowed(chunk));
    this.#fullRead = shared ? SHARED_READ : PLAIN_READ;
    stream.on('end', () => this.#peerEnded());
    stream.on('error', (error: Error) => this.#lost(error));
    stream.on('close', () => this.#close(undefined));
    this.#startExchangeTimer();
    stream.resume();
    this.#packets.start();
    // A stream that died before it got here says nothing more.
    if (stream.destroyed)
      this.#close(new TransportError('SP_CONNECTION_LOST', 'the stream was closed already'));
  }

  // ---- what the owner calls

  get info(): TransportInfo | undefined {
    return this.#state.kind === 'ready' ? this.#state.info : undefined;
  }

  get pendingBytes(): number {
    return this.#outbox.pendingBytes + this.#packets.queuedBytes;
  }

  send(payload: Buffer): boolean {
    if (this.#state.kind !== 'ready') return true;
    const type = payload[0];
    if (type === MESSAGE.GLOBAL_REQUEST && asksForReply(payload)) {
      if (this.#replies.waiting >= WAITING_LIMIT) {
        this.#fail(new TransportError('SP_SEND_OVERFLOW', 'too many global requests wait for an answer'));
        return true;
      }
      this.#replies.asked('layer-above', this.#packets.nextSequence);
    }
    this.#packets.send(payload);
    if (type === MESSAGE.USERAUTH_SUCCESS && this.#role.role === 'server') this.#signIn();
    return this.#afterSend();
  }

  sendChannelData(recipient: number, data: Buffer): boolean {
    if (this.#state.kind !== 'ready') return true;
    this.#packets.sendData(recipient, undefined, data);
    return this.#afterSend();
  }

  sendChannelExtendedData(recipient: number, code: number, data: Buffer): boolean {
    if (this.#state.kind !== 'ready') return true;
    this.#packets.sendData(recipient, code, data);
    return this.#afterSend();
  }

  sendUnimplemented(): void {
    if (this.#state.kind !== 'ready' && this.#state.kind !== 'verifying') return;
    const payload = Buffer.allocUnsafe(5);
    payload[0] = MESSAGE.UNIMPLEMENTED;
    payload.writeUInt32BE(this.#packets.deliveredSequence, 1);
    this.#packets.send(payload);
    this.#afterSend();
  }

  pause(): void {
    this.#pausedByOwner = true;
    this.#applyPause();
  }

  resume(): void {
    this.#pausedByOwner = false;
    this.#applyPause();
  }

  rekey(): void {
    if (this.#state.kind !== 'ready' || this.#packets.exchanging) return;
    this.#packets.rekey();
    this.#startExchangeTimer();
    this.#applyPause();
  }

  disconnect(reasonCode: number, description: string): void {
    this.#end(reasonCode, description, undefined);
  }

  destroy(): void {
    this.#close(undefined);
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  // ---- what the stream brings

  #receiveBorrowed(chunk: Buffer): void {
    // Key exchanges keep parts of what they read.
    const lend = this.#state.kind === 'ready' && !this.#packets.exchanging && crypto.bindingAvailable;
    if (lend) this.#receive(chunk, true);
    else this.#receive(copyOf(chunk));
  }

  #receive(chunk: Buffer, borrowed = false): void {
    this.#heardSinceTick = true;
    this.#bytesSinceExchange += chunk.length;
    received += chunk.length;
    switch (this.#state.kind) {
      case 'identifying':
        this.#identify(this.#state.reader, chunk);
        break;
      case 'exchanging':
      case 'verifying':
      case 'ready':
        this.#packets.receive(chunk, borrowed);
        break;
      case 'ending':
      case 'closed':
        return;
    }
    this.#rekeyWhenDue();
    if (chunk.length >= this.#fullRead) this.#yieldToOthers();
  }

  #identify(reader: IdentificationReader, chunk: Buffer): void {
    let identified: ReturnType<IdentificationReader['take']>;
    try {
      identified = reader.take(chunk);
    } catch (error) {
      this.#fail(asTransportError(error));
      return;
    }
    if (identified === undefined) return;
    this.#remoteIdentification = identified.line.toString('latin1');
    this.#state = { kind: 'exchanging' };
    this.#packets.identified(identified.line);
    if (identified.rest.length > 0) this.#packets.receive(identified.rest);
  }

  /** Lets the event loop serve every other connection before this one is read again. */
  #yieldToOthers(): void {
    if (this.#pausedForFairness || this.#over()) return;
    this.#pausedForFairness = true;
    this.#applyPause();
    setImmediate(() => {
      this.#pausedForFairness = false;
      this.#applyPause();
    });
  }

  #applyPause(): void {
    if (this.#state.kind === 'closed') return;
    // A key exchange can't end unless it is read: what waits behind it would wait for ever.
    const held = this.#pausedByOwner && !this.#packets.exchanging && this.#state.kind !== 'ending';
    if (held || this.#pausedForFairness) this.#stream.pause();
    else if (this.#stream.isPaused()) this.#stream.resume();
  }

  #receivePayload(payload: Buffer, borrowed: boolean): boolean {
    const type = payload[0];
    this.#packetsSinceExchange += 1;
    try {
      if (!borrowed) this.#dispatch(type, payload);
      else if (this.#state.kind === 'ready' && isChannelData(type) && this.#handlers.borrowed !== undefined)
        this.#handlers.borrowed(payload);
      else this.#dispatch(type, copyOf(payload));
    } catch (error) {
      this.#fail(asTransportError(error));
    }
    return !this.#over();
  }

  #dispatch(type: number | undefined, payload: Buffer): void {
    switch (type) {
      case undefined:
        throw new TransportError('SP_PROTOCOL_VIOLATION', 'a packet without a message');
      case MESSAGE.DISCONNECT:
        this.#peerDisconnected(payload);
        return;
      case MESSAGE.IGNORE:
      case MESSAGE.DEBUG:
        return;
      case MESSAGE.UNIMPLEMENTED:
        if (payload.length >= 5) this.#notUnderstood(payload.readUInt32BE(1));
        return;
      case MESSAGE.EXT_INFO:
        for (const { name, value } of parseExtInfo(payload))
          this.#peerExtensions.set(name, Buffer.from(value));
        return;
      case MESSAGE.KEXINIT:
        this.#peerStartsExchange(payload);
        return;
      case MESSAGE.REQUEST_SUCCESS:
      case MESSAGE.REQUEST_FAILURE:
        if (this.#replies.answered() === 'layer-above') this.#deliver(payload);
        return;
      case MESSAGE.SERVICE_REQUEST:
      case MESSAGE.SERVICE_ACCEPT:
        this.#deliver(payload);
        return;
      default:
        if (type >= 50 && type < 128) {
          if (type === MESSAGE.USERAUTH_SUCCESS && this.#role.role === 'client') this.#signIn();
          this.#deliver(payload);
        } else if (type === MESSAGE.NEWKEYS || (type >= 30 && type < 50)) {
          throw new TransportError('SP_PROTOCOL_VIOLATION', `message ${type} outside of a key exchange`);
        } else {
          this.sendUnimplemented();
        }
    }
  }

  #deliver(payload: Buffer): void {
    switch (this.#state.kind) {
      case 'ready':
        this.#handlers.message(payload);
        return;
      case 'identifying':
      case 'exchanging':
      case 'verifying':
        throw new TransportError('SP_PROTOCOL_VIOLATION', `message ${payload[0]} before it may be sent`);
      case 'ending':
      case 'closed':
        return;
    }
  }

  #notUnderstood(sequence: number): void {
    if (this.#replies.notUnderstood(sequence) === 'layer-above') this.#deliver(encodeRequestFailure());
  }

  #peerDisconnected(payload: Buffer): void {
    const peer = parseDisconnect(payload);
    const ordinary = peer.reasonCode === DISCONNECT_REASON.BY_APPLICATION && this.#state.kind === 'ready';
    this.#close(
      ordinary
        ? undefined
        : new TransportError(
            'SP_PEER_DISCONNECTED',
            `the peer disconnected (${peer.reasonCode}): ${peer.description}`,
            { peer },
          ),
    );
  }

  #peerEnded(): void {
    this.#close(new TransportError('SP_PEER_CLOSED', 'the peer closed the connection without DISCONNECT'));
  }

  #lost(cause: Error): void {
    this.#close(
      new TransportError('SP_CONNECTION_LOST', `the connection was lost: ${cause.message}`, { cause }),
    );
  }

  // ---- key exchange

  #sameHostKey(blob: Buffer): boolean {
    this.#hostKeyChanged = this.#hostKey !== undefined && !this.#hostKey.equals(blob);
    this.#hostKey ??= Buffer.from(new Uint8Array(blob).buffer);
    return !this.#hostKeyChanged;
  }

  #peerStartsExchange(payload: Buffer): void {
    if (!this.#signedIn && !this.#packets.exchanging) {
      throw new TransportError('SP_PROTOCOL_VIOLATION', 'a second key exchange before signing in');
    }
    this.#packets.receiveKexInit(payload);
    if (!this.#over()) this.#startExchangeTimer();
  }

  #exchanged(): void {
    clearTimeout(this.#exchangeTimer);
    this.#exchangeTimer = undefined;
    this.#bytesSinceExchange = 0;
    this.#packetsSinceExchange = 0;
    switch (this.#state.kind) {
      case 'exchanging':
        this.#firstExchangeDone();
        return;
      case 'ready':
        this.#startRekeyTimer();
        this.#applyPause();
        return;
      case 'identifying':
      case 'verifying':
      case 'ending':
      case 'closed':
        return;
    }
  }

  #firstExchangeDone(): void {
    const { negotiated } = this.#packets;
    const hostKey =
      this.#role.role === 'server' ? this.#hostKeys[negotiated?.hostKey ?? '']?.blob : this.#hostKey;
    if (negotiated === undefined || hostKey === undefined) {
      this.#fail(new TransportError('SP_TRANSPORT_INTERNAL', 'the key exchange left no host key'));
      return;
    }
    const { sessionId, ...algorithms } = negotiated;
    const info: TransportInfo = {
      role: this.#role.role,
      sessionId,
      localIdentification: `SSH-2.0-${this.#identification}`,
      remoteIdentification: this.#remoteIdentification,
      algorithms,
      hostKey,
      peerExtensions: this.#peerExtensions,
    };
    if (this.#role.role === 'server') {
      this.#becomeReady(info);
      return;
    }
    this.#state = { kind: 'verifying' };
    this.#startExchangeTimer();
    this.#verify(this.#role.options, info);
  }

  #verify(options: ClientTransportOptions, info: TransportInfo): void {
    const refused = (error: unknown): void => {
      if (this.#state.kind === 'verifying') this.#fail(asTransportError(error));
    };
    try {
      const verdict = options.verifyHostKey(info.hostKey);
      if (typeof verdict === 'boolean') this.#judged(verdict, info);
      else verdict.then((trusted) => this.#judged(trusted, info)).catch(refused);
    } catch (error) {
      refused(error);
    }
  }

  #judged(trusted: boolean, info: TransportInfo): void {
    if (this.#state.kind !== 'verifying') return;
    clearTimeout(this.#exchangeTimer);
    this.#exchangeTimer = undefined;
    if (trusted === true) this.#becomeReady(info);
    else this.#fail(new TransportError('SP_HOST_KEY_REFUSED', "the server's host key is not trusted"));
  }

  #becomeReady(info: TransportInfo): void {
    this.#state = { kind: 'ready', info };
    this.#startRekeyTimer();
    this.#call(() => this.#handlers.ready(info));
  }

  #signIn(): void {
    if (this.#signedIn) return;
    this.#signedIn = true;
    if (this.#keepalive.interval > 0) {
      this.#keepaliveTimer = setInterval(() => this.#keepaliveTick(), this.#keepalive.interval);
      this.#keepaliveTimer.unref();
    }
  }

  #startExchangeTimer(): void {
    clearTimeout(this.#exchangeTimer);
    this.#exchangeTimer = setTimeout(() => {
      const error = new TransportError(
        'SP_HANDSHAKE_TIMEOUT',
        `the key exchange took longer than ${this.#handshakeTimeout} ms`,
      );
      this.#close(error);
    }, this.#handshakeTimeout);
    this.#exchangeTimer.unref();
  }

  #startRekeyTimer(): void {
    clearTimeout(this.#rekeyTimer);
    this.#rekeyTimer = setTimeout(() => {
      if (this.#signedIn) this.rekey();
      else this.#startRekeyTimer();
    }, this.#rekeyMilliseconds);
    this.#rekeyTimer.unref();
  }

  #rekeyWhenDue(): void {
    if (!this.#signedIn || this.#packets.exchanging) return;
    if (this.#bytesSinceExchange >= this.#rekeyBytes || this.#packetsSinceExchange >= REKEY_PACKETS)
      this.rekey();
  }

  // ---- keep-alive

  #keepaliveTick(): void {
    if (this.#state.kind !== 'ready') return;
    // What is not read can't be heard, and what waits for keys can't be told.
    const deaf = this.#pausedByOwner || this.#packets.exchanging;
    if (this.#heardSinceTick || deaf) {
      this.#heardSinceTick = false;
      this.#silentTicks = 0;
      return;
    }
    if (this.#silentTicks >= this.#keepalive.count) {
      this.#close(
        new TransportError(
          'SP_KEEPALIVE_TIMEOUT',
          `no answer to ${this.#keepalive.count} keep-alive questions, ${this.#keepalive.interval} ms apart`,
        ),
      );
      return;
    }
    this.#silentTicks += 1;
    if (this.#replies.waiting >= WAITING_LIMIT) return;
    this.#replies.asked('keepalive', this.#packets.nextSequence);
    this.#packets.send(encodeGlobalRequest('keepalive@openssh.com', true));
    this.#afterSend();
  }

  // ---- writing

  #write(bytes: Uint8Array): void {
    if (this.#state.kind === 'closed' || this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#bytesSinceExchange += bytes.length;
    this.#packetsSinceExchange += 1;
    this.#outbox.put(bytes);
  }

  #written(): void {
    if (!this.#wantsDrain || this.pendingBytes > this.#highWaterMark / 2) return;
    this.#wantsDrain = false;
    if (this.#state.kind === 'ready') this.#call(() => this.#handlers.drain());
  }

  #afterSend(): boolean {
    if (this.#over()) return true;
    const pending = this.pendingBytes;
    if (pending > this.#pendingLimit) {
      this.#close(new TransportError('SP_SEND_OVERFLOW', `${pending} bytes wait to be written`));
      return true;
    }
    this.#rekeyWhenDue();
    if (pending <= this.#highWaterMark) return true;
    this.#wantsDrain = true;
    return false;
  }

  // ---- the end

  /** Calls a handler: what it throws ends this connection and nothing else. */
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#fail(asTransportError(error));
    }
  }

  #over(): boolean {
    return this.#state.kind === 'ending' || this.#state.kind === 'closed';
  }

  #fail(error: TransportError): void {
    this.#end(DISCONNECT_OF[error.code], error.tell, error);
  }

  #end(reasonCode: number, description: string, error: TransportError | undefined): void {
    if (this.#over()) return;
    this.#packets.sendDisconnect(reasonCode, description);
    this.#packets.dispose();
    this.#state = { kind: 'ending', error };
    this.#stopTimers();
    this.#outbox.flush();
    this.#stream.end();
    this.#endingTimer = setTimeout(() => this.#close(error), ENDING_TIMEOUT);
    // What the peer still sends is read and dropped: a reset could destroy our last words before it reads them.
    this.#applyPause();
  }

  #close(error: TransportError | undefined): void {
    if (this.#state.kind === 'closed') return;
    const reported = this.#state.kind === 'ending' ? this.#state.error : error;
    this.#state = { kind: 'closed' };
    this.#packets.dispose();
    this.#stopTimers();
    this.#stream.destroy();
    process.nextTick(() => {
      try {
        this.#handlers.closed(reported);
      } catch (error) {
        // Nothing is left to end. Thrown on, it would end every other session of the process.
        process.emitWarning(asTransportError(error));
      }
    });
  }

  #stopTimers(): void {
    clearTimeout(this.#exchangeTimer);
    clearTimeout(this.#rekeyTimer);
    clearInterval(this.#keepaliveTimer);
    clearTimeout(this.#endingTimer);
  }
}

function checkedIdentification(identification: string): string {
  if (!/^[!-,.-~]+(?: [ -~]*)?$/.test(identification) || identification.length > 245) {
    throw new RangeError('the identification must be printable ASCII, short, and without "-" in its version');
  }
  return identification;
}

function byAlgorithm(keys: readonly HostKey[], wanted: readonly string[]): Readonly<Record<string, HostKey>> {
  const found: Record<string, HostKey> = {};
  for (const key of keys) {
    for (const name of hostKeyAlgorithmsOf(key.type)) if (wanted.includes(name)) found[name] ??= key;
  }
  return found;
}

function protocolKeys(keys: Readonly<Record<string, HostKey>>): Readonly<Record<string, ProtocolHostKey>> {
  return Object.fromEntries(
    Object.entries(keys).map(([name, key]) => [
      name,
      {
        type: key.type,
        getPublicSSH: () => key.blob,
        sign: (data: Buffer, hash?: string) => key.sign(data, rsaHash(hash)),
      },
    ]),
  );
}

function rsaHash(hash: string | undefined): 'sha256' | 'sha512' | undefined {
  return hash === 'sha256' || hash === 'sha512' ? hash : undefined;
}

function isChannelData(type: number | undefined): boolean {
  return type === MESSAGE.CHANNEL_DATA || type === MESSAGE.CHANNEL_EXTENDED_DATA;
}

/** In memory of its own: a part of the pool's block would keep the whole block. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function hostKeyChanged(): TransportError {
  return new TransportError('SP_HOST_KEY_REFUSED', 'the server changed its host key in a later key exchange');
}

function asTransportError(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TransportError('SP_TRANSPORT_INTERNAL', `unexpected: ${message}`, { cause: error });
}
