// Sends syslog over TCP or TLS. Syslog confirms nothing: a batch counts as taken when the kernel has no unacknowledged
// byte left, and as delivered when the connection has stayed open for a while after that; otherwise it is sent again.
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { SyslogSettings } from '../config/outputs.ts';
import { unacknowledged } from './kernel-queue.ts';
import type { Producer } from './ocsf.ts';
import { type Outgoing, OutputError, type Sender, type Sent } from './sender.ts';
import { framed, syslogMessage } from './syslog-message.ts';

const CONNECT_WITHIN = 10_000;
/** For a batch to be acknowledged. */
const TAKEN_WITHIN = 20_000;
/** Where the kernel does not tell what is acknowledged. */
const UNTOLD_SETTLE = 2_000;

export interface SyslogTimes {
  /** See Sender.settle. */
  readonly settle: number;
}

const fileOf = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OutputError('SP_OUTPUT_FILE', `${path} can't be read`, { cause: error });
  }
};

interface Connection {
  readonly socket: Socket;
  /** Set once, when it is no use any more. */
  lost: OutputError | undefined;
}

export class SyslogSender implements Sender {
  readonly batch = 500;
  readonly settle: number;
  readonly #settings: SyslogSettings;
  readonly #producer: Producer;
  #connection: Connection | undefined;
  #losses = 0;

  constructor(settings: SyslogSettings, producer: Producer, times: SyslogTimes = { settle: 2_000 }) {
    this.#settings = settings;
    this.#producer = producer;
    this.settle = times.settle;
  }

  get losses(): number {
    return this.#losses;
  }

  async send(batch: readonly Outgoing[], signal: AbortSignal): Promise<Sent> {
    const connection = this.#connection ?? (await this.#connect(signal));
    const { facility } = this.#settings;
    const bytes = Buffer.concat(
      batch.map(({ event, text }) => framed(syslogMessage(event, this.#producer, { text, facility }))),
    );
    try {
      await this.#write(connection, bytes, signal);
      await this.#acknowledged(connection, signal);
    } catch (error) {
      this.#drop(connection);
      throw error;
    }
    return { kind: 'taken' };
  }

  [Symbol.dispose](): void {
    if (this.#connection !== undefined) this.#drop(this.#connection);
  }

  #drop(connection: Connection): void {
    connection.lost ??= new OutputError('SP_OUTPUT_UNREACHABLE', 'the connection was given up');
    connection.socket.destroy();
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#losses += 1;
  }

  #connect(signal: AbortSignal): Promise<Connection> {
    const { address, transport, tls } = this.#settings;
    const target = { host: address.host, port: address.port };
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    if (signal.aborted) {
      reject(new OutputError('SP_OUTPUT_UNREACHABLE', 'stopped'));
      return promise;
    }
    const socket: Socket =
      transport === 'tcp'
        ? connectTcp({ ...target, noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 })
        : connectTls({
            ...target,
            minVersion: 'TLSv1.2',
            rejectUnauthorized: true,
            // An address is checked against the certificate too, but is no server name (RFC 6066 3).
            servername: tls.serverName ?? (isIP(address.host) === 0 ? address.host : ''),
            ...(tls.ca === undefined ? {} : { ca: fileOf(tls.ca) }),
            ...(tls.certificate === undefined || tls.key === undefined
              ? {}
              : { cert: fileOf(tls.certificate), key: fileOf(tls.key) }),
          });
    const connection: Connection = { socket, lost: undefined };
    const where = `${address.host}:${address.port}`;
    const lost = (error: OutputError): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      connection.lost ??= error;
      reject(connection.lost);
      this.#drop(connection);
    };
    const onAbort = (): void => lost(new OutputError('SP_OUTPUT_UNREACHABLE', 'stopped'));
    const timer = setTimeout(
      () => lost(new OutputError('SP_OUTPUT_TIMEOUT', `${where} does not answer`)),
      CONNECT_WITHIN,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const ofTls = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(error.code ?? '');
      lost(
        new OutputError(
          ofTls ? 'SP_OUTPUT_TLS' : 'SP_OUTPUT_UNREACHABLE',
          `${where}: ${error.code ?? error.message}`,
          { cause: error },
        ),
      );
    });
    // Collectors say nothing; one that ends its side takes nothing any more.
    socket.on('end', () => lost(new OutputError('SP_OUTPUT_UNREACHABLE', `${where} closed the connection`)));
    socket.on('close', () =>
      lost(new OutputError('SP_OUTPUT_UNREACHABLE', `the connection to ${where} ended`)),
    );
    socket.resume();
    socket.once(transport === 'tcp' ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (transport === 'tls') socket.setKeepAlive(true, 15_000);
      this.#connection = connection;
      resolve(connection);
    });
    return promise;
  }

  #write(connection: Connection, bytes: Buffer, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new OutputError('SP_OUTPUT_TIMEOUT', 'the collector takes nothing')),
      TAKEN_WITHIN,
    );
    const onAbort = (): void => reject(new OutputError('SP_OUTPUT_UNREACHABLE', 'stopped'));
    signal.addEventListener('abort', onAbort, { once: true });
    connection.socket.write(bytes, (error) => {
      if (error === null || error === undefined) resolve();
      else
        reject(connection.lost ?? new OutputError('SP_OUTPUT_UNREACHABLE', error.message, { cause: error }));
    });
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  }

  async #acknowledged(connection: Connection, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + TAKEN_WITHIN;
    for (let wait = 5; ; wait = Math.min(wait * 2, 250)) {
      if (connection.lost !== undefined) throw connection.lost;
      const left = await unacknowledged(connection.socket);
      if (connection.lost !== undefined) throw connection.lost;
      if (left === 0) return;
      if (left === undefined) {
        await this.#wait(UNTOLD_SETTLE, signal);
        if (connection.lost !== undefined) throw connection.lost;
        return;
      }
      if (performance.now() > deadline)
        throw new OutputError('SP_OUTPUT_TIMEOUT', 'the collector acknowledges nothing');
      await this.#wait(wait, signal);
    }
  }

  async #wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    try {
      await pause(milliseconds, undefined, { signal });
    } catch (error) {
      throw new OutputError('SP_OUTPUT_UNREACHABLE', 'stopped', { cause: error });
    }
  }
}
