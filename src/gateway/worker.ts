// A worker's bookkeeping: its live connections and sessions, orders for them, goodbyes. It knows neither processes nor
// SSH: messages come in and go out by functions, and what serves a connection is given to it.
import type { Socket } from 'node:net';
import type { Orders, SessionOrder } from '../../proxy/server/ports.ts';
import type { Log } from './log.ts';
import type { LiveSession, ToSupervisor, ToWorker } from './messages.ts';
import { within } from './patience.ts';

export interface Peer {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** What a connection tells while it is served. */
export interface ConnectionHooks {
  onAuthenticated(): void;
  onSessionStarted(session: LiveSession): void;
  onSessionEnded(id: string): void;
}

/** One client connection that is being served. */
export interface ServedConnection {
  /** Resolves when the connection and its sessions are gone and their recordings closed. Never rejects. */
  readonly ended: Promise<void>;
  /** Shows the user a line, where there is a terminal to show it on. */
  tell(text: string): void;
  /** Ends the connection and its sessions, telling why. */
  end(reason: string, tell: string): void;
}

/** A session that is being watched; disposing ends the watch. */
export interface Watched extends Disposable {
  /** The watcher has taken so many characters. */
  read(characters: number): void;
}

export interface Composition {
  serve(socket: Socket, peer: Peer, orders: Orders, hooks: ConnectionHooks): ServedConnection;
  /** Shows a live session to `by`; undefined when it isn't here or isn't recorded. See recordings/live.ts. */
  watch(
    session: string,
    by: string,
    send: (lines: readonly string[]) => void,
    over: () => void,
  ): Watched | undefined;
  /** The configuration was read again. */
  reconfigure(config: string): void;
  /** Somebody else's message for the store's listeners. */
  hear(topic: string, payload: string): void;
  close(): Promise<void>;
}

interface Live {
  readonly served: ServedConnection;
  readonly socket: Socket;
  readonly sessions: Set<string>;
  authenticated: boolean;
}

interface Listening {
  readonly onOrder: (order: SessionOrder) => void;
}

/** Orders by session id; a session may have several listeners, such as the sessions' own and a login's. */
class LocalOrders implements Orders {
  readonly #bySession = new Map<string, Set<Listening>>();

  listen(
    sessionId: string,
    _userId: string,
    onOrder: (order: SessionOrder) => void,
    until: AbortSignal,
  ): void {
    if (until.aborted) return;
    const entry: Listening = { onOrder };
    const set = this.#bySession.get(sessionId) ?? new Set();
    this.#bySession.set(sessionId, set.add(entry));
    until.addEventListener(
      'abort',
      () => {
        set.delete(entry);
        if (set.size === 0 && this.#bySession.get(sessionId) === set) this.#bySession.delete(sessionId);
      },
      { once: true },
    );
  }

  give(sessionId: string, order: SessionOrder): boolean {
    const set = this.#bySession.get(sessionId);
    for (const { onOrder } of [...(set ?? [])]) onOrder(order);
    return set !== undefined;
  }
}

export class Worker {
  readonly #composition: Composition;
  readonly #log: Log;
  readonly #send: (message: ToSupervisor) => void;
  readonly #orders = new LocalOrders();
  readonly #live = new Map<number, Live>();
  readonly #watches = new Map<number, Watched>();
  #phase: 'serving' | 'draining' | 'stopped' = 'serving';

  constructor(composition: Composition, log: Log, send: (message: ToSupervisor) => void) {
    this.#composition = composition;
    this.#log = log;
    this.#send = send;
  }

  get connections(): number {
    return this.#live.size;
  }

  onMessage(message: ToWorker, socket: Socket | undefined): void {
    switch (message.kind) {
      case 'connection':
        // The client may be gone before its socket arrives; then there is none.
        if (socket === undefined) this.#send({ kind: 'ended', ticket: message.ticket });
        else this.#serve(message, socket);
        return;
      case 'order':
        if (!this.#orders.give(message.session, message.order))
          this.#log.warn('session.order-missed', { session: message.session, order: message.order.kind });
        return;
      case 'overdue':
        for (const ticket of message.tickets) this.#overdue(ticket);
        return;
      case 'drain':
        this.#phase = 'draining';
        for (const live of this.#live.values()) {
          if (live.sessions.size > 0) live.served.tell(message.tell);
          else live.served.end('gateway-stopped', message.tell);
        }
        return;
      case 'end-all':
        this.endAll(message.reason, message.tell);
        return;
      case 'configure':
        this.#composition.reconfigure(message.config);
        return;
      case 'notice':
        this.#composition.hear(message.topic, message.payload);
        return;
      case 'watch':
        this.#watch(message.watch, message.session, message.by);
        return;
      case 'watch-read':
        this.#watches.get(message.watch)?.read(message.characters);
        return;
      case 'watch-end':
        this.#watches.get(message.watch)?.[Symbol.dispose]();
        return;
      case 'ping':
        this.#send({ kind: 'pong', number: message.number });
        return;
      case 'stop':
        return;
      default:
        message satisfies never;
    }
  }

  endAll(reason: string, tell: string): void {
    for (const live of this.#live.values()) live.served.end(reason, tell);
  }

  /** Ends what is live, waits up to `patience` milliseconds for recordings to be closed, and closes the composition. */
  async stop(reason: string, tell: string, patience: number): Promise<void> {
    if (this.#phase === 'stopped') return;
    this.#phase = 'stopped';
    this.endAll(reason, tell);
    await within(patience, Promise.all([...this.#live.values()].map((live) => live.served.ended)));
    for (const live of this.#live.values()) live.socket.destroy();
    await within(patience, this.#composition.close());
  }

  #watch(watch: number, session: string, by: string): void {
    const send = (lines: readonly string[], over: boolean): void =>
      this.#send({ kind: 'watched', watch, lines: [...lines], over });
    const watched = this.#composition.watch(
      session,
      by,
      (lines) => send(lines, false),
      () => {
        this.#watches.delete(watch);
        send([], true);
      },
    );
    if (watched === undefined) send([], true);
    else this.#watches.set(watch, watched);
  }

  #serve(message: Extract<ToWorker, { kind: 'connection' }>, socket: Socket): void {
    const { ticket, sourceAddress, sourcePort, localAddress, localPort, begun } = message;
    socket.on('error', () => socket.destroy());
    socket.setNoDelay(true);
    if (begun !== '') socket.unshift(Buffer.from(begun, 'base64'));
    const sessions = new Set<string>();
    const hooks: ConnectionHooks = {
      onAuthenticated: () => {
        const live = this.#live.get(ticket);
        if (live !== undefined) live.authenticated = true;
        this.#send({ kind: 'authenticated', ticket });
      },
      onSessionStarted: (session) => {
        sessions.add(session.id);
        this.#send({ kind: 'session-started', session });
      },
      onSessionEnded: (id) => {
        if (sessions.delete(id)) this.#send({ kind: 'session-ended', id });
        if (sessions.size === 0 && this.#phase === 'draining')
          this.#live
            .get(ticket)
            ?.served.end('gateway-stopped', 'This gateway is going down for maintenance.');
      },
    };
    const peer = { sourceAddress, sourcePort, localAddress, localPort };
    const served = this.#composition.serve(socket, peer, this.#orders, hooks);
    this.#live.set(ticket, { served, socket, sessions, authenticated: false });
    void served.ended.finally(() => {
      this.#live.delete(ticket);
      for (const id of sessions) this.#send({ kind: 'session-ended', id });
      sessions.clear();
      socket.destroy();
      this.#send({ kind: 'ended', ticket });
    });
  }

  #overdue(ticket: number): void {
    const live = this.#live.get(ticket);
    if (live === undefined || live.authenticated) return;
    this.#log.debug('connection.overdue', { sourceAddress: live.socket.remoteAddress });
    live.served.end('login-grace', 'The time for signing in is over.');
    live.socket.destroySoon();
  }
}
