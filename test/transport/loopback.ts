// Two transports, or one transport and a raw socket, joined by real TCP on loopback, with what happened kept for
// tests to wait for. No sleeps: every wait is for an event.

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { type HostKey, parseHostKey } from '../../proxy/transport/host-keys.ts';
import type { TransportError } from '../../proxy/transport/messages.ts';
import {
  acceptTransport,
  type ClientTransportOptions,
  openTransport,
  type ServerTransportOptions,
  type Transport,
  type TransportHandlers,
  type TransportInfo,
} from '../../proxy/transport/transport.ts';

function pem(privateKey: ReturnType<typeof generateKeyPairSync>['privateKey']): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export const ED25519_KEY: HostKey = parseHostKey(pem(generateKeyPairSync('ed25519').privateKey));
export const OTHER_ED25519_KEY: HostKey = parseHostKey(pem(generateKeyPairSync('ed25519').privateKey));
export const ECDSA_KEY: HostKey = parseHostKey(
  pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
);
export const RSA_KEY: HostKey = parseHostKey(
  pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
);
export const HOST_KEYS: readonly HostKey[] = [ED25519_KEY, ECDSA_KEY, RSA_KEY];

/** One end: its transport, and promises for what it reports. */
export class Side {
  readonly socket: net.Socket;
  readonly transport: Transport;
  readonly messages: Buffer[] = [];
  readonly ready: Promise<TransportInfo>;
  /** Resolves with the error, or undefined. */
  readonly closed: Promise<TransportError | undefined>;
  closedCalls = 0;
  /** Called for each message after it is kept. */
  onMessage: ((payload: Buffer) => void) | undefined;
  onDrain: (() => void) | undefined;
  onReady: (() => void) | undefined;

  constructor(socket: net.Socket, open: (handlers: TransportHandlers) => Transport) {
    this.socket = socket;
    const ready = Promise.withResolvers<TransportInfo>();
    const closed = Promise.withResolvers<TransportError | undefined>();
    this.ready = ready.promise;
    this.closed = closed.promise;
    this.ready.catch(() => {});
    this.transport = open({
      ready: (info) => {
        this.onReady?.();
        ready.resolve(info);
      },
      message: (payload) => {
        this.messages.push(payload);
        this.onMessage?.(payload);
      },
      drain: () => this.onDrain?.(),
      closed: (error) => {
        this.closedCalls += 1;
        ready.reject(error ?? new Error('closed before ready'));
        closed.resolve(error);
      },
    });
  }

  /** The next message of this type that has not been taken; waits for it. */
  async message(type: number): Promise<Buffer> {
    for (;;) {
      const index = this.messages.findIndex((payload) => payload[0] === type);
      const [found] = index === -1 ? [] : this.messages.splice(index, 1);
      if (found !== undefined) return found;
      const came = Promise.withResolvers<void>();
      const before = this.onMessage;
      this.onMessage = (payload) => {
        before?.(payload);
        came.resolve();
      };
      await Promise.race([
        came.promise,
        this.closed.then((error) => {
          throw error ?? new Error('closed while waiting for a message');
        }),
      ]);
      this.onMessage = before;
    }
  }
}

export async function socketPair(): Promise<{ readonly near: net.Socket; readonly far: net.Socket }> {
  const listener = net.createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const far = net.connect(address.port, '127.0.0.1');
  const [near] = (await once(listener, 'connection')) as [net.Socket];
  listener.close();
  near.setNoDelay(true);
  far.setNoDelay(true);
  return { near, far };
}

export function serverSide(socket: net.Socket, options: Partial<ServerTransportOptions> = {}): Side {
  return new Side(socket, (handlers) =>
    acceptTransport(socket, { hostKeys: HOST_KEYS, ...options }, handlers),
  );
}

export function clientSide(socket: net.Socket, options: Partial<ClientTransportOptions> = {}): Side {
  return new Side(socket, (handlers) =>
    openTransport(socket, { verifyHostKey: () => true, ...options }, handlers),
  );
}

export interface Pair {
  readonly server: Side;
  readonly client: Side;
}

export async function pair(
  serverOptions: Partial<ServerTransportOptions> = {},
  clientOptions: Partial<ClientTransportOptions> = {},
): Promise<Pair> {
  const { near, far } = await socketPair();
  return { server: serverSide(near, serverOptions), client: clientSide(far, clientOptions) };
}

/** A pair past its first key exchange, and past USERAUTH_SUCCESS. */
export async function signedInPair(
  serverOptions: Partial<ServerTransportOptions> = {},
  clientOptions: Partial<ClientTransportOptions> = {},
): Promise<Pair> {
  const both = await pair(serverOptions, clientOptions);
  await Promise.all([both.server.ready, both.client.ready]);
  both.server.transport.send(Buffer.from([52]));
  await both.client.message(52);
  return both;
}

export async function endPair({ server, client }: Pair): Promise<void> {
  server.transport.destroy();
  client.transport.destroy();
  await Promise.all([server.closed, client.closed]);
}

/** A packet as it is sent before any keys: length, padding length, payload, padding. */
export function plainPacket(payload: Buffer): Buffer {
  const padding = 8 - ((5 + payload.length) % 8) + (8 - ((5 + payload.length) % 8) < 4 ? 8 : 0);
  const packet = Buffer.alloc(5 + payload.length + padding);
  packet.writeUInt32BE(1 + payload.length + padding, 0);
  packet[4] = padding;
  payload.copy(packet, 5);
  return packet;
}

/** The payloads of a stretch of plain packets; an incomplete last one is left out. */
export function plainPayloads(bytes: Buffer): Buffer[] {
  const payloads: Buffer[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (at + 4 + length > bytes.length) break;
    payloads.push(bytes.subarray(at + 5, at + 4 + length - (bytes[at + 4] ?? 0)));
    at += 4 + length;
  }
  return payloads;
}
