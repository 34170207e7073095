// Types of the parts of ssh2 that the transport builds on. They are not public: the version is pinned, and the
// patch in patches/ is bound to it.

declare module 'ssh2/lib/protocol/Protocol.js' {
  import type KexInit from 'ssh2/lib/protocol/kex.js';

  export interface ProtocolHostKey {
    readonly type: string;
    getPublicSSH(): Buffer;
    sign(data: Buffer, hash?: string): Buffer | Error;
  }

  export interface NegotiatedDirection {
    readonly cipher: string;
    /** Empty with a cipher that authenticates by itself. */
    readonly mac: string;
  }

  export interface ProtocolConfig {
    readonly server: boolean;
    readonly hostKeys?: Readonly<Record<string, ProtocolHostKey>>;
    /** The identification line without `SSH-2.0-`. */
    readonly ident: string;
    readonly offer: InstanceType<KexInit['KexInit']>;
    /** From our patch: the value of EXT_INFO's server-sig-algs. */
    readonly serverSigAlgs?: string;
    readonly messageHandlers: {
      DISCONNECT(protocol: Protocol, reason: number, description: string): void;
    };
    onWrite(bytes: Uint8Array): void;
    onError(error: Error & { readonly level?: string }): void;
    onHeader(): void;
    onHandshakeComplete(): void;
    hostVerifier?(blob: Buffer): boolean;
  }

  export default class Protocol {
    constructor(config: ProtocolConfig);
    start(): void;
    parse(chunk: Buffer, from: number, to: number): void;
    rekey(): void;
    disconnect(reason: number): void;
    _destruct: ((reason?: string) => void) | undefined;
    _onPayload: (payload: Buffer) => number | false | undefined;
    _remoteIdentRaw: Buffer | undefined;
    /** Our KEXINIT; present from sending it until the exchange is done. */
    _kexinit: Buffer | undefined;
    /** Payloads that wait for the end of a key exchange. */
    _queue: Buffer[] | undefined;
    _kex:
      | {
          readonly sessionID: Buffer | undefined;
          readonly _sentNEWKEYS: boolean;
          readonly negotiated: {
            readonly kex: string;
            readonly serverHostKey: string;
            readonly cs: NegotiatedDirection;
            readonly sc: NegotiatedDirection;
          };
        }
      | undefined;
    /** `_alloc` is from our patch: where packets are made. The ciphers without the native addon don't look at it. */
    _cipher: { readonly outSeqno: number; _alloc?: (bytes: number) => Buffer };
    /** `_alloc` is from our patch: where a packet is put together that comes in several chunks. */
    _decipher:
      | {
          readonly inSeqno: number;
          _alloc?: (bytes: number) => Buffer;
          _onPayload: (payload: Buffer) => number | false | undefined;
        }
      | undefined;
    _packetRW: {
      readonly write: {
        /** Where the payload begins in what `alloc` returns. */
        readonly allocStart: number;
        readonly allocStartKEX: number;
        alloc(payloadLength: number, duringExchange?: boolean): Buffer;
        finalize(packet: Buffer, duringExchange?: boolean): Buffer;
      };
    };
  }
}

declare module 'ssh2/lib/protocol/kex.js' {
  import type Protocol from 'ssh2/lib/protocol/Protocol.js';

  interface Direction {
    readonly cipher: readonly string[];
    readonly mac: readonly string[];
    readonly compress: readonly string[];
    readonly lang: readonly string[];
  }

  interface Kex {
    KexInit: new (offer: {
      readonly kex: readonly string[];
      readonly serverHostKey: readonly string[];
      readonly cs: Direction;
      readonly sc: Direction;
    }) => { readonly totalSize: number };
    /** By message number; 20 is KEXINIT. */
    HANDLERS: {
      readonly 20: (protocol: Protocol, payload: Buffer) => number | false | undefined;
    };
  }

  const kex: Kex;
  export default kex;
}

declare module 'ssh2/lib/protocol/crypto.js' {
  const crypto: {
    readonly bindingAvailable: boolean;
    /** Settles when the fallback for chacha20-poly1305 without the native addon is ready. */
    readonly init: Promise<void>;
  };
  export default crypto;
}

declare module 'ssh2/lib/protocol/utils.js' {
  import type Protocol from 'ssh2/lib/protocol/Protocol.js';

  const utils: {
    /** Encrypts and writes, or queues while a key exchange is under way. */
    sendPacket(protocol: Protocol, packet: Buffer, bypassQueue?: boolean): boolean;
  };
  export default utils;
}
