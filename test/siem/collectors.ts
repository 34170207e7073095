// Real receivers on loopback: a syslog collector over TCP or TLS that can break off in the middle, an HTTP(S) receiver
// whose answers a test chooses, and an SMTP server that keeps what it is given.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTls } from 'node:tls';
import { SMTPServer } from 'smtp-server';

export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** A certificate for 127.0.0.1, signed by itself. */
export const makeCertificate = (folder: string, name: string): TlsFiles => {
  const key = join(folder, `${name}.key`);
  const certificate = join(folder, `${name}.crt`);
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-days', '2', '-subj', '/CN=collector', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  );
  return { ca: certificate, certificate, key };
};

const portOf = (server: Server): number => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
};

/** Takes octet-counted syslog messages. */
export class Collector implements AsyncDisposable {
  readonly messages: string[] = [];
  /** After so many more messages it takes no more, and dies with the rest unread; Infinity: never. */
  patience = Number.POSITIVE_INFINITY;
  /** How long it still holds the connection then, in milliseconds. */
  agony = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #heard: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(
    port: number,
    files?: { readonly key: Buffer; readonly cert: Buffer },
  ): Promise<Collector> {
    const server = files === undefined ? createTcp() : createTls(files);
    const collector = new Collector(server);
    server.on(files === undefined ? 'connection' : 'secureConnection', (socket: Socket) =>
      collector.#serve(socket),
    );
    server.on('tlsClientError', () => {});
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return collector;
  }

  get port(): number {
    return portOf(this.#server);
  }

  /** Resolves when `true` is answered; looks again at each message. */
  async until(found: () => boolean, milliseconds = 30_000): Promise<void> {
    const deadline = performance.now() + milliseconds;
    while (!found()) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`the collector has ${this.messages.length} messages only`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.min(left, 100));
      this.#heard.push(resolve);
      await promise;
      clearTimeout(timer);
    }
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let rest = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      for (;;) {
        const space = rest.indexOf(0x20);
        const length = space < 0 ? Number.NaN : Number(rest.toString('latin1', 0, space));
        if (!Number.isInteger(length) || rest.length < space + 1 + length) break;
        if (this.patience <= 0) {
          this.patience = Number.POSITIVE_INFINITY;
          socket.pause();
          setTimeout(() => socket.resetAndDestroy(), this.agony);
          return;
        }
        this.patience -= 1;
        this.messages.push(rest.toString('utf8', space + 1, space + 1 + length));
        rest = rest.subarray(space + 1 + length);
      }
      for (const heard of this.#heard.splice(0)) heard();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export interface Posted {
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
}

/** What to do with a request: answer it, or break off after having read it. */
export type Reaction = (posted: Posted, response: ServerResponse) => void;

export class Receiver implements AsyncDisposable {
  readonly posted: Posted[] = [];
  react: Reaction = (_, response) => response.writeHead(204).end();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async open(
    port: number,
    files?: { readonly key: Buffer; readonly cert: Buffer },
  ): Promise<Receiver> {
    const server = files === undefined ? createHttp() : createHttps(files);
    const receiver = new Receiver(server);
    server.on('request', (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (data: Buffer) => parts.push(data));
      request.on('end', () => {
        const posted = { body: Buffer.concat(parts), headers: request.headers };
        receiver.posted.push(posted);
        receiver.react(posted, response);
      });
    });
    server.on('tlsClientError', () => {});
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get port(): number {
    return portOf(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A real SMTP server that takes mail only over TLS, begun by STARTTLS, and from who signs in. */
export class SecureMailServer implements AsyncDisposable {
  readonly mails: string[] = [];
  /** How each came: the TLS version, and who had signed in. */
  readonly ways: { readonly tls: string; readonly user: string }[] = [];
  readonly #server: SMTPServer;
  #port = 0;

  private constructor(files: TlsFiles, { user, password }: { user: string; password: string }) {
    this.#server = new SMTPServer({
      key: readFileSync(files.key),
      cert: readFileSync(files.certificate),
      // Signing in is not offered before TLS; nothing is taken without it.
      allowInsecureAuth: false,
      authOptional: false,
      onAuth: (given, _session, done) => {
        if (given.username === user && given.password === password) done(null, { user });
        else done(new Error('who is that'));
      },
      onData: (stream, session, done) => {
        let text = '';
        stream.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8');
        });
        stream.on('end', () => {
          this.mails.push(text);
          this.ways.push({
            tls: session.tlsOptions === false ? 'none' : session.tlsOptions.version,
            user: String(session.user ?? ''),
          });
          done();
        });
      },
    });
    // A client that does not trust the certificate breaks off.
    this.#server.on('error', () => {});
  }

  static async open(
    files: TlsFiles,
    account: { readonly user: string; readonly password: string },
  ): Promise<SecureMailServer> {
    const mailServer = new SecureMailServer(files, account);
    const listening = mailServer.#server.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    mailServer.#port = portOf(listening);
    return mailServer;
  }

  get port(): number {
    return this.#port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Speaks as much SMTP as a mail needs. */
export class MailServer implements AsyncDisposable {
  readonly mails: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(port: number): Promise<MailServer> {
    const server = createTcp();
    const mailServer = new MailServer(server);
    server.on('connection', (socket) => {
      let inData = false;
      let text = '';
      socket.setEncoding('utf8');
      socket.on('error', () => {});
      socket.write('220 mail ready\r\n');
      socket.on('data', (chunk: string) => {
        text += chunk;
        for (;;) {
          const end = text.indexOf(inData ? '\r\n.\r\n' : '\r\n');
          if (end < 0) return;
          const line = text.slice(0, end);
          text = text.slice(end + (inData ? 5 : 2));
          if (inData) {
            mailServer.mails.push(line);
            inData = false;
            socket.write('250 taken\r\n');
          } else if (/^DATA/i.test(line)) {
            inData = true;
            socket.write('354 go on\r\n');
          } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
          else if (/^STARTTLS/i.test(line)) socket.write('502 not here\r\n');
          else socket.write('250 mail\r\n');
        }
      });
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return mailServer;
  }

  get port(): number {
    return portOf(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}
