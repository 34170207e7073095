// ssh2's packet layer (key exchange, ciphers, framing) behind a narrow, guarded face. ssh2's own message handlers
// are bypassed: payloads of every type come to the owner. After a failure the layer is dead at once, but native
// ciphers are freed only when no call into them can be on the stack: ssh2 alone goes on decrypting with a freed one.
import kex from 'ssh2/lib/protocol/kex.js';
import Protocol, { type ProtocolHostKey } from 'ssh2/lib/protocol/Protocol.js';
import utils from 'ssh2/lib/protocol/utils.js';
import { type Algorithms, SERVER_SIGNATURE_ALGORITHMS } from './algorithms.ts';
import { TransportError } from './errors.ts';
import { encodeDisconnect, MESSAGE } from './messages.ts';

/** Larger payloads are never sent: peers may refuse packets of more than 35,000 bytes (RFC 4253, section 6.1). */
const PAYLOAD_LIMIT = 262_144;

export interface PacketEvents {
  /** Room for a packet, which comes back by `write` before more is asked for. Its contents are undefined. */
  room(bytes: number): Buffer;
  /** Bytes for the stream. */
  write(bytes: Uint8Array): void;
  /**
   * A payload that does not belong to a key exchange. `borrowed`: its bytes are used again after the call. False: stop,
   * nothing more may come.
   */
  payload(payload: Buffer, borrowed: boolean): boolean;
  /** A key exchange is done, the first one or a later one. */
  exchanged(): void;
  failed(error: TransportError): void;
}

interface Common {
  /** Software version and comments, without `SSH-2.0-`. */
  readonly identification: string;
  readonly algorithms: Algorithms;
}

export type PacketOptions =
  | (Common & { readonly role: 'server'; readonly hostKeys: Readonly<Record<string, ProtocolHostKey>> })
  /** False from `hostKey` ends the key exchange. Whether the server holds the key is checked after it. */
  | (Common & { readonly role: 'client'; hostKey(blob: Buffer): boolean });

export interface Negotiated {
  readonly sessionId: Buffer;
  readonly kex: string;
  readonly hostKey: string;
  readonly cipherToServer: string;
  readonly cipherToClient: string;
  readonly macToServer: string;
  readonly macToClient: string;
}

const STOP = Number.POSITIVE_INFINITY;
/** No packet that ssh2 accepts is longer. */
const GATHER = 35_000;
/** Smaller packets are gathered in buffers of their own. */
const GATHER_FROM = 8 * 1024;
/** Buffers for gathering that wait for their next use in this process. */
const SPARE_GATHERS = 16;
/** Of CHANNEL_DATA and CHANNEL_EXTENDED_DATA: type, recipient, (code,) length. */
const DATA_HEADER = 9;
const EXTENDED_DATA_HEADER = 13;

const spareGathers: Buffer[] = [];
/** Different offers that are kept for later connections. */
const KEPT_OFFERS = 64;

const offers = new Map<string, InstanceType<typeof kex.KexInit>>();

/** What is offered is the same for most connections, and ssh2 only reads it. */
function offerOf(lists: ConstructorParameters<typeof kex.KexInit>[0]): InstanceType<typeof kex.KexInit> {
  const key = JSON.stringify(lists);
  const known = offers.get(key);
  if (known !== undefined) return known;
  const offer = unpooled(() => new kex.KexInit(lists));
  if (offers.size < KEPT_OFFERS) offers.set(key, offer);
  return offer;
}

/**
 * Small buffers that are made here stand alone. What a key exchange leaves behind is kept as long as the connection,
 * and a few bytes of it would keep the whole of the pool's block that they are a part of.
 */
function unpooled<T>(make: () => T): T {
  const before = Buffer.poolSize;
  Buffer.poolSize = 0;
  try {
    return make();
  } finally {
    Buffer.poolSize = before;
  }
}

function alone(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

export class PacketLayer {
  readonly #protocol: Protocol;
  readonly #events: PacketEvents;
  #dead = false;
  #parsing = false;
  #queuedBytes = 0;
  /** What the packet that comes next, or is being delivered, is put together in, if that is to be used again. */
  #gathered: Buffer | undefined;
  /** The bytes that are being parsed belong to somebody else. */
  #borrowed: Buffer | undefined;
  readonly #room: (bytes: number) => Buffer;

  constructor(options: PacketOptions, events: PacketEvents) {
    this.#events = events;
    this.#room = (bytes) => events.room(bytes);
    const { cipher, mac } = options.algorithms;
    const direction = { cipher, mac, compress: ['none'], lang: [] };
    const strict =
      options.role === 'server'
        ? ['kex-strict-s-v00@openssh.com']
        : ['ext-info-c', 'kex-strict-c-v00@openssh.com'];
    const offer = offerOf({
      kex: [...options.algorithms.kex, ...strict],
      serverHostKey: options.algorithms.hostKey,
      cs: direction,
      sc: direction,
    });
    const settings: ConstructorParameters<typeof Protocol>[0] = {
      server: options.role === 'server',
      ident: options.identification,
      offer,
      ...(options.role === 'server'
        ? { hostKeys: options.hostKeys, serverSigAlgs: SERVER_SIGNATURE_ALGORITHMS.join(',') }
        : { hostVerifier: (blob) => options.hostKey(blob) }),
      messageHandlers: {
        // Reached during a key exchange only.
        DISCONNECT: (_, reasonCode, description) => {
          this.#deliver(encodeDisconnect(reasonCode, description));
        },
      },
      onWrite: (bytes) => {
        if (!this.#dead) events.write(bytes);
      },
      onHeader: () => {},
      onError: (error) => {
        this.#fail(
          error.level === 'handshake' ? 'SP_KEY_EXCHANGE_FAILED' : 'SP_PROTOCOL_VIOLATION',
          error.message,
          error,
        );
      },
      onHandshakeComplete: () => {
        this.#queuedBytes = 0;
        if (!this.#dead) events.exchanged();
      },
    };
    const protocol = unpooled(() => new Protocol(settings));
    this.#protocol = protocol;
    protocol._onPayload = (payload) => this.#deliver(payload);
    // ssh2 calls these two just before onError; the reason is sent and the ciphers are freed by our owner's orders.
    protocol.disconnect = () => {};
    protocol._destruct = () => {};
  }

  /** Sends our identification. */
  start(): void {
    this.#protocol.start();
  }

  /** The peer's identification line without CR LF; the key exchange begins. */
  identified(line: Buffer): void {
    // ssh2 decodes the line as text; the exchange hash needs the bytes as they came.
    const clean = Buffer.from('SSH-2.0-x\r\n', 'latin1');
    this.#guard(() => this.#protocol.parse(clean, 0, clean.length), line);
  }

  /**
   * Takes bytes from the stream; they are decrypted in place. `borrowed`: they are not ours after the call, which is no
   * way to begin a key exchange, nor without the native addon.
   */
  receive(chunk: Buffer, borrowed = false): void {
    this.#borrowed = borrowed ? chunk : undefined;
    this.#guard(() => this.#protocol.parse(chunk, 0, chunk.length));
    this.#borrowed = undefined;
  }

  /** Where a packet that comes in several chunks is put together. */
  readonly #gather = (bytes: number): Buffer => {
    if (bytes < GATHER_FROM || bytes > GATHER) return Buffer.allocUnsafe(bytes);
    this.#gathered = spareGathers.pop() ?? Buffer.allocUnsafeSlow(GATHER);
    return this.#gathered.subarray(0, bytes);
  };

  #guard(parse: () => void, identification?: Buffer): void {
    if (this.#dead) return;
    this.#parsing = true;
    if (this.#protocol._decipher !== undefined) this.#protocol._decipher._alloc = this.#gather;
    try {
      if (identification !== undefined || this.exchanging) unpooled(parse);
      else parse();
      if (identification !== undefined) this.#protocol._remoteIdentRaw = alone(identification);
    } catch (error) {
      this.#fail('SP_PROTOCOL_VIOLATION', error instanceof Error ? error.message : String(error), error);
    } finally {
      this.#parsing = false;
      if (this.#dead) this.#free();
    }
  }

  #deliver(payload: Buffer): number | undefined {
    if (this.#dead) return STOP;
    const gathered = this.#gathered;
    // A packet that came whole lies in the chunk, one that was gathered in a buffer of ours.
    const inGathered = gathered !== undefined && payload.buffer === gathered.buffer;
    const more = this.#events.payload(payload, inGathered || payload.buffer === this.#borrowed?.buffer);
    if (inGathered) {
      this.#gathered = undefined;
      if (spareGathers.length < SPARE_GATHERS) spareGathers.push(gathered);
    }
    return more && !this.#dead ? undefined : STOP;
  }

  #fail(code: 'SP_KEY_EXCHANGE_FAILED' | 'SP_PROTOCOL_VIOLATION', message: string, cause: unknown): void {
    if (this.#dead) return;
    this.#events.failed(new TransportError(code, message, { cause }));
  }

  /** True from our KEXINIT until the exchange is done; what is sent meanwhile waits. */
  get exchanging(): boolean {
    return this.#protocol._kexinit !== undefined;
  }

  /** Bytes that wait for the end of a key exchange. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Sequence number that the next packet will have, or undefined while packets wait for a key exchange. */
  get nextSequence(): number | undefined {
    return this.exchanging ? undefined : this.#protocol._cipher.outSeqno;
  }

  /** Sequence number of the packet that is being delivered. */
  get deliveredSequence(): number {
    return ((this.#protocol._decipher?.inSeqno ?? 1) - 1) >>> 0;
  }

  get negotiated(): Negotiated | undefined {
    const exchange = this.#protocol._kex;
    if (exchange?.sessionID === undefined) return undefined;
    const { negotiated } = exchange;
    return {
      sessionId: exchange.sessionID,
      kex: negotiated.kex,
      hostKey: negotiated.serverHostKey,
      cipherToServer: negotiated.cs.cipher,
      cipherToClient: negotiated.sc.cipher,
      macToServer: negotiated.cs.mac,
      macToClient: negotiated.sc.mac,
    };
  }

  send(payload: Buffer): void {
    const packet = this.#packet(payload.length);
    if (packet === undefined) return;
    packet.set(payload, this.#start);
    this.#finish(packet, payload.length);
  }

  /** CHANNEL_DATA, or CHANNEL_EXTENDED_DATA where there is a `code`; the data goes straight into the packet: one copy. */
  sendData(recipient: number, code: number | undefined, data: Buffer): void {
    const header = code === undefined ? DATA_HEADER : EXTENDED_DATA_HEADER;
    const packet = this.#packet(header + data.length);
    if (packet === undefined) return;
    let at = this.#start;
    packet[at] = code === undefined ? MESSAGE.CHANNEL_DATA : MESSAGE.CHANNEL_EXTENDED_DATA;
    at = packet.writeUInt32BE(recipient, at + 1);
    if (code !== undefined) at = packet.writeUInt32BE(code, at);
    at = packet.writeUInt32BE(data.length, at);
    packet.set(data, at);
    this.#finish(packet, header + data.length);
  }

  get #start(): number {
    return this.#protocol._packetRW.write.allocStart;
  }

  /** Undefined: nothing may be sent any more. */
  #packet(length: number): Buffer | undefined {
    if (this.#dead) return undefined;
    if (length > PAYLOAD_LIMIT) throw new RangeError(`a payload of ${length} bytes`);
    this.#protocol._cipher._alloc = this.#room;
    return this.#protocol._packetRW.write.alloc(length);
  }

  #finish(packet: Buffer, length: number): void {
    const { write } = this.#protocol._packetRW;
    if (!utils.sendPacket(this.#protocol, write.finalize(packet))) this.#queuedBytes += length;
  }

  /** Handles the peer's KEXINIT outside of a key exchange. */
  receiveKexInit(payload: Buffer): number | false | undefined {
    return kex.HANDLERS[20](this.#protocol, payload);
  }

  /** Starts a key exchange, unless one is under way. */
  rekey(): void {
    if (!this.#dead) this.#protocol.rekey();
  }

  /**
   * Sends DISCONNECT at once, even during a key exchange, except where neither the old keys nor the new ones would
   * be understood: between our NEWKEYS and the peer's.
   */
  sendDisconnect(reasonCode: number, description: string): void {
    if (this.#dead) return;
    const protocol = this.#protocol;
    if (protocol._remoteIdentRaw === undefined) return;
    if (protocol._kexinit !== undefined && protocol._kex?._sentNEWKEYS === true) return;
    const payload = encodeDisconnect(reasonCode, description);
    const { write } = protocol._packetRW;
    const at = write.allocStartKEX;
    const packet = write.alloc(payload.length, true);
    packet.set(payload, at);
    utils.sendPacket(protocol, write.finalize(packet, true), true);
  }

  /** Nothing is sent, delivered or reported any more. */
  dispose(): void {
    if (this.#dead) return;
    this.#dead = true;
    const protocol = this.#protocol;
    protocol._onPayload = () => STOP;
    if (protocol._decipher !== undefined) protocol._decipher._onPayload = () => STOP;
    protocol._queue = undefined;
    this.#queuedBytes = 0;
    if (!this.#parsing) this.#free();
  }

  #free(): void {
    Protocol.prototype._destruct?.call(this.#protocol);
  }
}
