// Owns the listening sockets: accepts, asks listed balancers for their PROXY header, asks admission, and hands the
// connection on unread. It speaks no SSH, and nothing here waits for a peer without a bound of its own, so a slow or
// silent one delays nobody.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Admission, plainAddress, type Refusal } from './admission.ts';
import { LONGEST_HEADER, readProxyHeader } from './proxy-header.ts';

export interface ListenAddress {
  /** Undefined: every address of the machine. */
  readonly host: string | undefined;
  readonly port: number;
}

export interface AcceptedConnection {
  /** Paused; nothing of the client's has been read from it but `begun`. In this process, allowReading comes first. */
  readonly socket: Socket;
  /** The client's bytes that came in one segment with a PROXY header; else empty. */
  readonly begun: Buffer;
  /** To be told to admission when the user has signed in and when the connection ends. */
  readonly ticket: number;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export type ListenerRefusal = Refusal | 'proxy-header' | 'proxy-header-late' | 'proxy-headers-waiting';

export interface ListenerOptions {
  readonly admission: Admission;
  /** Addresses and networks (CIDR) whose connections must begin with a PROXY header. Nobody else's is read. */
  readonly proxiesFrom: readonly string[];
  /** Milliseconds for the whole header to arrive. */
  readonly headerTimeout: number;
  /** How many connections may be waiting for their header at once. */
  readonly headersWaiting: number;
  /** Milliseconds, from a clock that never goes back. */
  readonly now: () => number;
  readonly onConnection: (connection: AcceptedConnection) => void;
  readonly onRefused: (sourceAddress: string, refusal: ListenerRefusal, detail: string) => void;
  readonly onError: (error: Error) => void;
}

export class ListenError extends Error {
  readonly code = 'SP_LISTEN';

  constructor(address: ListenAddress, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`can't listen on ${address.host ?? '*'} port ${address.port}: ${reason}`, { cause });
    this.name = 'ListenError';
  }
}

type Network = ReturnType<typeof ipaddr.parseCIDR>;

const networkOf = (text: string): Network => {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
};

const isIn = (address: string, networks: readonly Network[]): boolean => {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
};

export class Listener implements Disposable {
  readonly #options: ListenerOptions;
  #networks: readonly Network[];
  readonly #servers: Server[] = [];
  readonly #waiting = new Set<Socket>();

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#networks = options.proxiesFrom.map(networkOf);
  }

  /** New connections from now on are judged by these networks. */
  setProxies(proxiesFrom: readonly string[]): void {
    this.#networks = proxiesFrom.map(networkOf);
  }

  /** Opens one more address. Throws ListenError; answers the address with the port that the system chose. */
  async listen(address: ListenAddress): Promise<ListenAddress> {
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(socket));
    server.on('error', (error) => this.#options.onError(error));
    try {
      server.listen({
        port: address.port,
        backlog: 4096,
        ...(address.host === undefined ? {} : { host: address.host }),
      });
      await once(server, 'listening');
    } catch (error) {
      server.close();
      throw new ListenError(address, error);
    }
    this.#servers.push(server);
    const bound = server.address();
    return {
      host: address.host,
      port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    };
  }

  /** Stops accepting at once; connections that were handed on are not touched, and not waited for. */
  [Symbol.dispose](): void {
    for (const server of this.#servers.splice(0)) server.close();
    for (const socket of this.#waiting) socket.destroy();
  }

  #accept(socket: Socket): void {
    // A peer that resets before it is handed on must not become an uncaught error.
    socket.on('error', () => socket.destroy());
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined) {
      socket.destroy();
      return;
    }
    const peer = { address: plainAddress(remoteAddress), port: remotePort };
    const local = { address: plainAddress(localAddress), port: localPort ?? 0 };
    if (isIn(peer.address, this.#networks)) this.#awaitHeader(socket, peer, local);
    else this.#admit(socket, peer, local, Buffer.alloc(0));
  }

  #admit(socket: Socket, source: Endpoint, local: Endpoint, begun: Buffer): void {
    const decision = this.#options.admission.admit(source.address, this.#options.now());
    if (decision.kind === 'refused') {
      this.#refuse(socket, source.address, decision.refusal, '');
      return;
    }
    this.#options.onConnection({
      socket,
      begun,
      ticket: decision.ticket,
      sourceAddress: source.address,
      sourcePort: source.port,
      localAddress: local.address,
      localPort: local.port,
    });
  }

  #refuse(socket: Socket, address: string, refusal: ListenerRefusal, detail: string): void {
    this.#options.onRefused(address, refusal, detail);
    // RFC 4253 section 4.2 lets a server say why before its identification line.
    if (refusal !== 'proxy-header' && refusal !== 'proxy-header-late' && socket.writable)
      socket.write('Too many connections; try again later.\r\n');
    socket.destroySoon();
  }

  #awaitHeader(socket: Socket, peer: Endpoint, local: Endpoint): void {
    if (this.#waiting.size >= this.#options.headersWaiting) {
      this.#refuse(socket, peer.address, 'proxy-headers-waiting', '');
      return;
    }
    this.#waiting.add(socket);
    let bytes = Buffer.alloc(0);
    const settle = (): void => {
      clearTimeout(timer);
      socket.removeListener('data', onData);
      socket.removeListener('end', onEnd);
      socket.removeListener('close', settle);
      stopReading(socket);
      this.#waiting.delete(socket);
    };
    const onEnd = (): void => {
      settle();
      // A balancer's health check connects and leaves; that is no refusal.
      if (bytes.length > 0)
        this.#options.onRefused(peer.address, 'proxy-header', 'the connection ended inside it');
      socket.destroy();
    };
    const onData = (data: Buffer): void => {
      bytes = Buffer.concat([bytes, data]);
      const header = readProxyHeader(bytes);
      switch (header.kind) {
        case 'incomplete':
          return;
        case 'invalid':
          settle();
          this.#refuse(socket, peer.address, 'proxy-header', header.why);
          return;
        case 'header': {
          settle();
          if (header.source === undefined) {
            // The balancer speaks for itself; it is its own source.
            this.#admit(socket, peer, local, bytes.subarray(header.length));
            return;
          }
          const source = { address: plainAddress(header.source.address), port: header.source.port };
          this.#admit(socket, source, local, bytes.subarray(header.length));
          return;
        }
        default:
          header satisfies never;
      }
    };
    const timer = setTimeout(() => {
      settle();
      this.#refuse(
        socket,
        peer.address,
        'proxy-header-late',
        `${bytes.length} of at most ${LONGEST_HEADER} bytes came`,
      );
    }, this.#options.headerTimeout);
    socket.on('data', onData);
    socket.once('end', onEnd);
    socket.once('close', settle);
    socket.resume();
  }
}

/**
 * pause() alone lets the stream go on filling its buffer, and what is in the buffer of this process is lost to the one
 * that the socket is handed to. So the handle is stopped, and the stream kept from starting it again.
 */
const stopReading = (socket: Socket): void => {
  socket.pause();
  socket._read = () => {};
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return;
  // Node has no public way to say so.
  const readStop: unknown = Reflect.get(handle, 'readStop');
  if (typeof readStop === 'function') Reflect.apply(readStop, handle, []);
  Reflect.set(handle, 'reading', false);
};

/** For whoever serves an accepted connection in the process that accepted it: lets the socket be read again. */
export const allowReading = (socket: Socket): Socket => {
  // The stream believes that it is reading, where stopReading kept it from it; then it would never ask again.
  if (Reflect.deleteProperty(socket, '_read') && socket.readableLength === 0) socket._read(0);
  return socket;
};

interface Endpoint {
  readonly address: string;
  readonly port: number;
}
