// A client that says what it likes: the project's own packets and key exchange, and above them whatever message a test
// wants to send, in any order. It keeps no rule of the protocol for the gateway; waiting is for messages, never for time.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ChannelEnd } from '../../proxy/channels/channel-end.ts';
import { ChannelStream } from '../../proxy/channels/channel-stream.ts';
import { ChannelTable } from '../../proxy/channels/channel-table.ts';
import {
  encodeChannelOpen,
  encodeDirectTcpip,
  encodeInfoResponse,
  encodeServiceRequest,
  encodeUserauthKeyboardInteractive,
  encodeUserauthPublickeyQuery,
  encodeUserauthPublickeySigned,
  encodeUserauthPublickeySignedPart,
  MESSAGE,
  parseUserauthFailure,
  publickeySignatureInput,
  type TransportError,
} from '../../proxy/transport/messages.ts';
import { openTransport, type Transport, type TransportInfo } from '../../proxy/transport/transport.ts';
import type { SecurityKeyUse, WorkshopKey } from '../login/key-workshop.ts';

const WAIT = 20_000;
const CONNECTION = 'ssh-connection';

/** What a proof came to. `ended`: the gateway closed the connection instead of answering. */
export type Verdict = 'success' | 'partial' | 'failure' | 'ended';

export interface DialOptions {
  /** The address to come from, such as 127.0.0.2. */
  readonly from?: string;
  readonly identification?: string;
}

/** What a channel said until it closed. */
export interface ChannelResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly requests: readonly string[];
}

export class Attacker implements Disposable {
  readonly transport: Transport;
  readonly info: Promise<TransportInfo>;
  /** Resolves when the connection is gone, with why. */
  readonly closed: Promise<TransportError | undefined>;
  readonly stream: Duplex;
  /** Told of each channel that the gateway opens; it is refused. */
  opened: ((type: string) => void) | undefined;
  #gone = false;
  #messages: Buffer[] = [];
  #waiting: (() => void)[] = [];
  #table: ChannelTable | undefined;
  #serviceAsked = false;

  constructor(stream: Duplex, identification: string | undefined) {
    this.stream = stream;
    const info = Promise.withResolvers<TransportInfo>();
    const closed = Promise.withResolvers<TransportError | undefined>();
    this.info = info.promise;
    this.info.catch(() => {});
    this.closed = closed.promise;
    const tell = (): void => {
      for (const wake of this.#waiting.splice(0)) wake();
    };
    this.transport = openTransport(
      stream,
      { verifyHostKey: () => true, ...(identification === undefined ? {} : { identification }) },
      {
        ready: (ready) => info.resolve(ready),
        message: (payload) => {
          if (this.#table !== undefined && (payload[0] ?? 0) >= 80) {
            this.#table.receive(payload);
            return;
          }
          this.#messages.push(Buffer.from(payload));
          tell();
        },
        drain: () => this.#table?.drained(),
        closed: (error) => {
          this.#gone = true;
          this.#table?.lost();
          info.reject(error ?? new Error('closed'));
          closed.resolve(error);
          tell();
        },
      },
    );
  }

  static async dial(port: number, options: DialOptions = {}): Promise<Attacker> {
    const socket = connect({
      port,
      host: '127.0.0.1',
      ...(options.from === undefined ? {} : { localAddress: options.from }),
    });
    await once(socket, 'connect');
    const attacker = new Attacker(socket, options.identification);
    await attacker.info;
    return attacker;
  }

  [Symbol.dispose](): void {
    this.transport.destroy();
  }

  get gone(): boolean {
    return this.#gone;
  }

  send(payload: Buffer): void {
    this.transport.send(payload);
  }

  /** The next message of one of these types, others dropped; undefined when the connection is gone. */
  async next(...types: readonly number[]): Promise<Buffer | undefined> {
    const late = AbortSignal.timeout(WAIT);
    for (;;) {
      for (let message = this.#messages.shift(); message !== undefined; message = this.#messages.shift()) {
        if (types.includes(message[0] ?? 0)) return message;
      }
      if (this.#gone) return undefined;
      await new Promise<void>((resolve, reject) => {
        late.addEventListener('abort', () => reject(new Error(`none of the messages ${types} came`)), {
          once: true,
        });
        this.#waiting.push(resolve);
      });
    }
  }

  // ---- signing in

  /** Asks for the service, also again and again. */
  async askForService(): Promise<void> {
    this.#serviceAsked = true;
    this.send(encodeServiceRequest('ssh-userauth'));
    await this.next(MESSAGE.SERVICE_ACCEPT);
  }

  /** An unsigned offer. */
  async offer(name: string, algorithm: string, blob: Buffer): Promise<'acceptable' | 'refused' | 'ended'> {
    await this.#service();
    this.send(encodeUserauthPublickeyQuery(name, CONNECTION, algorithm, blob));
    const answer = await this.next(
      MESSAGE.USERAUTH_PK_OK,
      MESSAGE.USERAUTH_FAILURE,
      MESSAGE.USERAUTH_SUCCESS,
    );
    if (answer?.[0] === MESSAGE.USERAUTH_SUCCESS) throw new Error('an unsigned offer signed in');
    return answer === undefined ? 'ended' : answer[0] === MESSAGE.USERAUTH_PK_OK ? 'acceptable' : 'refused';
  }

  /** A signed request; what is signed and said can be changed apart from each other. */
  async sign(
    name: string,
    key: WorkshopKey,
    change: {
      readonly algorithm?: string;
      readonly blob?: Buffer;
      readonly signAs?: string;
      readonly sessionId?: Buffer;
      readonly signedName?: string;
      readonly use?: SecurityKeyUse;
    } = {},
  ): Promise<Verdict> {
    await this.#service();
    const signAs = change.signAs ?? (key.type === 'ssh-rsa' ? 'rsa-sha2-512' : key.type);
    const algorithm = change.algorithm ?? signAs;
    const blob = change.blob ?? key.blob;
    const said = encodeUserauthPublickeySignedPart(name, CONNECTION, algorithm, blob);
    const signed = encodeUserauthPublickeySignedPart(change.signedName ?? name, CONNECTION, algorithm, blob);
    const { sessionId } = await this.info;
    const input = publickeySignatureInput(change.sessionId ?? sessionId, signed);
    this.send(encodeUserauthPublickeySigned(said, key.sign(signAs, input, change.use)));
    return this.#verdict();
  }

  /** Answers one prompt of keyboard-interactive. */
  async answer(name: string, text: string): Promise<Verdict> {
    await this.#service();
    this.send(encodeUserauthKeyboardInteractive(name, CONNECTION));
    const asked = await this.next(MESSAGE.USERAUTH_INFO_REQUEST, MESSAGE.USERAUTH_FAILURE);
    if (asked === undefined) return 'ended';
    if (asked[0] === MESSAGE.USERAUTH_FAILURE) return 'failure';
    this.send(encodeInfoResponse([text]));
    return this.#verdict();
  }

  async #service(): Promise<void> {
    if (!this.#serviceAsked) await this.askForService();
  }

  async #verdict(): Promise<Verdict> {
    const answer = await this.next(
      MESSAGE.USERAUTH_SUCCESS,
      MESSAGE.USERAUTH_FAILURE,
      MESSAGE.USERAUTH_INFO_REQUEST,
    );
    if (answer === undefined) return 'ended';
    if (answer[0] === MESSAGE.USERAUTH_SUCCESS) return 'success';
    if (answer[0] === MESSAGE.USERAUTH_INFO_REQUEST) return 'partial';
    return parseUserauthFailure(answer).partialSuccess ? 'partial' : 'failure';
  }

  // ---- channels that keep the rules, for what a well-formed client may ask

  /** From here on messages of the connection protocol go to a table of channels. */
  get table(): ChannelTable {
    this.#table ??= new ChannelTable(this.transport, {
      open: (open) => {
        this.opened?.(open.type);
        open.refuse(1, 'not here');
      },
      globalRequest: (_type, _data, reply) => reply.fail(),
    });
    return this.#table;
  }

  /** The channel, or why there is none. */
  open(type: string, data: Buffer = Buffer.alloc(0)): Promise<ChannelEnd | string> {
    const { promise, resolve } = Promise.withResolvers<ChannelEnd | string>();
    this.table.open(type, data, {
      confirmed: (end) => {
        end.attach(QUIET);
        resolve(end);
      },
      refused: (reason, text) => resolve(`${reason} ${text}`),
    });
    return promise;
  }

  /** Opens a session channel, asks for these in turn, and waits for its close. The answers are in order. */
  async session(
    ...requests: readonly (readonly [name: string, body: Buffer])[]
  ): Promise<ChannelResult & { readonly answers: readonly boolean[] }> {
    const { promise, resolve } = Promise.withResolvers<ChannelResult>();
    const out = { stdout: '', stderr: '' };
    const names: string[] = [];
    const answers: boolean[] = [];
    this.table.open('session', Buffer.alloc(0), {
      confirmed: (end) => {
        const finish = (): void => resolve({ ...out, requests: names });
        end.attach({
          data: (data, stream) => {
            out[stream] += data.toString();
            end.replenish(0);
          },
          request: (name, _body, reply) => {
            names.push(name);
            reply.settle(false);
          },
          eof: () => {},
          closed: finish,
          flushed: () => {},
        });
        for (const [name, body] of requests) end.sendRequest(name, body, (ok) => answers.push(ok));
        end.sendEof();
      },
      refused: (_reason, text) => resolve({ stdout: '', stderr: text, requests: [] }),
    });
    const result = await promise;
    return { ...result, answers };
  }

  global(type: string, data: Buffer): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.table.request(
      type,
      data,
      () => resolve(true),
      () => resolve(false),
    );
    return promise;
  }

  /** Another connection inside a direct-tcpip channel, past its key exchange. */
  async jump(host: string, port = 22): Promise<Attacker> {
    const { promise, resolve, reject } = Promise.withResolvers<Attacker>();
    const origin = { originatorAddress: '127.0.0.1', originatorPort: 1 };
    this.table.open('direct-tcpip', encodeDirectTcpip({ host, port, ...origin }), {
      confirmed: (end) => resolve(new Attacker(new ChannelStream(end), undefined)),
      refused: (_reason, text) => reject(new Error(text)),
    });
    const inner = await promise;
    await inner.info;
    return inner;
  }
}

const QUIET = {
  data: () => {},
  request: (_name: string, _body: Buffer, reply: { settle(ok: boolean): void }) => reply.settle(false),
  eof: () => {},
  closed: () => {},
  flushed: () => {},
};

/** A channel open as bytes, with windows of the test's choosing. */
export const rawOpen = (type: string, data: Buffer, window = 2 ** 20, packet = 32_768, sender = 0): Buffer =>
  encodeChannelOpen({ type, sender, initialWindow: window, maximumPacket: packet, data });
