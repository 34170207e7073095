// One client connection from accept to end: key exchange, sign-in, choice of target, and the sessions that follow.
// It routes what the client opens to the session it is for, or to the menu, or into a ProxyJump, whose inner SSH
// connection is another of these. It relays nothing itself and holds no rule about who may do what.
import type { Duplex } from 'node:stream';
import { ChannelStream } from '../channels/channel-stream.ts';
import { ChannelTable, type GlobalReply, type IncomingOpen } from '../channels/channel-table.ts';
import { tellOnStart } from '../channels/told-channel.ts';
import { startJumpLogin } from '../login/jump-login.ts';
import { startLogin } from '../login/login.ts';
import type { Login, LoginOutcome, SignedIn } from '../login/login-service.ts';
import type { Target } from '../login/ports.ts';
import {
  DISCONNECT_REASON,
  OPEN_FAILURE,
  parseDirectTcpip,
  parseNothing,
  TransportError,
} from '../transport/messages.ts';
import { acceptTransport, type Transport, type TransportInfo } from '../transport/transport.ts';
import { within } from './bounded.ts';
import { matchJump } from './connection-jump.ts';
import { openMenu } from './connection-menu.ts';
import type { ConnectionDeps } from './connection-ports.ts';
import { DeviceSession, type SessionClient, type SessionSummary } from './connection-session.ts';
import type { SessionStart } from './ports.ts';

export interface ConnectionPeer {
  /** The client's address, after any PROXY header. */
  readonly address: string;
  readonly port: number;
}

export interface Connection extends Disposable {
  /** Settles when the connection is gone and its sessions are sealed and closed; never rejects. */
  readonly done: Promise<void>;
  /** The name of the user, once signed in. */
  readonly user: string | undefined;
  readonly sessions: readonly SessionSummary[];
  /** Shows text on every interactive shell. */
  tell(text: string): void;
  /** Ends the connection and its sessions. `tell` is shown to the user, `reason` goes to the register. */
  end(reason: string, tell: string): void;
}

/** Where a connection comes from: the network, or the inside of a ProxyJump of somebody who is signed in. */
type Origin =
  | { readonly kind: 'network' }
  | { readonly kind: 'jump'; readonly outer: SignedIn; readonly device: string };

type State =
  | { readonly kind: 'handshake' }
  | { readonly kind: 'login'; readonly login: Login }
  | { readonly kind: 'signed-in'; readonly signedIn: SignedIn; readonly table: ChannelTable }
  /** What is queued for the client gets a moment to leave. */
  | { readonly kind: 'lingering'; readonly table: ChannelTable }
  | { readonly kind: 'closed' };

type Chosen =
  | { readonly kind: 'session'; readonly session: DeviceSession }
  | { readonly kind: 'refused'; readonly tell: string };

const NO_TARGET =
  'Name the device that you want: ssh USER@ACCOUNT@DEVICE@GATEWAY, or sign in with a terminal for a menu.';
const MAX_INNER_CONNECTIONS = 16;

/** Serves one client on `stream` (a socket, or anything that behaves like one) and owns it from here on. */
export function serveConnection(stream: Duplex, peer: ConnectionPeer, deps: ConnectionDeps): Connection {
  return new ClientConnection(stream, peer, deps, { kind: 'network' });
}

class ClientConnection implements Connection {
  readonly done: Promise<void>;
  readonly #peer: ConnectionPeer;
  readonly #deps: ConnectionDeps;
  readonly #origin: Origin;
  readonly #transport: Transport;
  readonly #done = Promise.withResolvers<void>();
  readonly #sessions = new Set<DeviceSession>();
  readonly #unfinished = new Set<Promise<void>>();
  readonly #inner = new Set<ClientConnection>();
  /** The session that further channels belong to: the one of the login name, or the first that the menu opened. */
  #primary: DeviceSession | undefined;
  #choosing: Promise<Chosen> | undefined;
  #state: State = { kind: 'handshake' };
  #identification = '';
  #noMoreSessions = false;
  #grace: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #unused: NodeJS.Timeout | undefined;
  /** When the last session or inner connection ended, or the connection began; on performance.now()'s clock. */
  #usedAt = performance.now();
  /** Why the connection ends, for the register; what comes first counts. */
  #endReason: string | undefined;

  constructor(stream: Duplex, peer: ConnectionPeer, deps: ConnectionDeps, origin: Origin) {
    this.#peer = peer;
    this.#deps = deps;
    this.#origin = origin;
    this.done = this.#done.promise;
    this.#grace = setTimeout(() => this.#graceOver(), deps.settings.loginGrace);
    this.#transport = acceptTransport(stream, deps.transport, {
      ready: (info) => this.#ready(info),
      message: (payload) => this.#message(payload),
      borrowed: (payload) => {
        if (this.#table === undefined) this.#message(payload);
        else this.#table.receive(payload, true);
      },
      drain: () => this.#table?.drained(),
      closed: (error) => this.#closed(error),
    });
  }

  get user(): string | undefined {
    return this.#state.kind === 'signed-in' ? this.#state.signedIn.user.name : undefined;
  }

  get sessions(): readonly SessionSummary[] {
    return [
      ...[...this.#sessions].map((session) => session.summary),
      ...[...this.#inner].flatMap((inner) => inner.sessions),
    ];
  }

  tell(text: string): void {
    for (const session of this.#sessions) session.tell(text);
    for (const inner of this.#inner) inner.tell(text);
  }

  end(reason: string, tell: string): void {
    this.#endReason ??= reason;
    for (const inner of [...this.#inner]) inner.end(reason, tell);
    for (const session of [...this.#sessions]) session.end(reason, tell);
    this.#startLinger(tell === '' ? reason : tell);
  }

  [Symbol.dispose](): void {
    this.#transport.destroy();
  }

  get #table(): ChannelTable | undefined {
    return 'table' in this.#state ? this.#state.table : undefined;
  }

  // ---- signing in

  #ready(info: TransportInfo): void {
    this.#identification = info.remoteIdentification;
    const transport = {
      sessionId: info.sessionId,
      send: (payload: Buffer) => this.#transport.send(payload),
      disconnect: (reason: number, text: string) => this.#transport.disconnect(reason, text),
    };
    const login =
      this.#origin.kind === 'network'
        ? startLogin(this.#deps.login, { address: this.#peer.address }, transport)
        : startJumpLogin({ outer: this.#origin.outer, device: this.#origin.device }, transport);
    this.#state = { kind: 'login', login };
    void login.outcome.then((outcome) => this.#loggedIn(outcome));
  }

  #loggedIn(outcome: LoginOutcome): void {
    clearTimeout(this.#grace);
    if (this.#state.kind !== 'login') return;
    if (outcome.kind === 'failed') {
      this.#deps.log.info(
        { source: this.#peer.address, name: outcome.name, code: outcome.code, detail: outcome.detail },
        'sign-in failed',
      );
      this.#note(outcome.name, 'sign-in', outcome.code, outcome.detail);
      return;
    }
    const handlers = {
      open: (open: IncomingOpen) => this.#open(open),
      globalRequest: (type: string, data: Buffer, reply: GlobalReply) =>
        this.#globalRequest(type, data, reply),
    };
    const table = new ChannelTable(this.#transport, handlers, this.#deps.settings.channels);
    this.#state = { kind: 'signed-in', signedIn: outcome, table };
    this.#watchUse(this.#deps.settings.unused);
    if (this.#origin.kind === 'network') {
      this.#deps.onSignedIn?.({
        user: { id: outcome.user.id, name: outcome.user.name },
        authentication: outcome.authentication,
        sourceAddress: this.#peer.address,
      });
    }
    this.#deps.log.info(
      {
        source: this.#peer.address,
        user: outcome.user.name,
        authentication: outcome.authentication,
        via: this.#origin.kind,
      },
      'signed in',
    );
  }

  /** A connection that nothing is done with takes one of its source's places: it ends after a while. */
  #watchUse(after: number): void {
    if (this.#deps.settings.unused === 0) return;
    this.#unused = setTimeout(() => {
      const unusedFor = this.#inUse ? 0 : performance.now() - this.#usedAt;
      const left = this.#deps.settings.unused - unusedFor;
      if (left > 0) this.#watchUse(left);
      else this.#startLinger('This connection has had no session for too long.');
    }, after);
    this.#unused.unref();
  }

  get #inUse(): boolean {
    return this.#sessions.size > 0 || this.#inner.size > 0;
  }

  #graceOver(): void {
    this.#deps.log.info({ source: this.#peer.address }, 'sign-in took too long');
    if (this.#state.kind === 'login') this.#state.login.dispose();
    this.#transport.disconnect(DISCONNECT_REASON.BY_APPLICATION, 'signing in took too long');
  }

  #message(payload: Buffer): void {
    const type = payload[0] ?? 0;
    switch (this.#state.kind) {
      case 'login':
        if (type < 80) this.#state.login.message(payload);
        else throw new TransportError('SP_PROTOCOL_VIOLATION', `message ${type} before signing in`);
        return;
      case 'signed-in':
      case 'lingering':
        if (type >= 80 && type <= 100) this.#state.table.receive(payload);
        // RFC 4252 section 5.1: requests to sign in after success are ignored.
        else if (type < 50 || type > 100) this.#transport.sendUnimplemented();
        return;
      case 'handshake':
      case 'closed':
        return;
    }
  }

  // ---- what the client asks for

  #open(open: IncomingOpen): void {
    if (this.#state.kind !== 'signed-in') {
      open.refuse(OPEN_FAILURE.CONNECT_FAILED, 'the connection is ending');
      return;
    }
    const { signedIn } = this.#state;
    switch (open.type) {
      case 'session':
        parseNothing(open.data);
        if (this.#noMoreSessions) {
          open.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, 'no more sessions, as the client asked');
        } else if (this.#hasTarget(signedIn)) {
          this.#withSession(
            (session) => session.openSession(open),
            (tell) => told(open, tell),
          );
        } else {
          openMenu(open, {
            targets: () =>
              within(
                this.#deps.settings.storeTimeout,
                'asking for targets',
                this.#deps.grants.targetsOf(signedIn.user.id, new Date(this.#deps.now())),
              ),
            choose: (target) => this.#startListed(signedIn, target),
            noTarget: NO_TARGET,
            noPty: !signedIn.restrictions.pty,
          });
        }
        return;
      case 'direct-tcpip': {
        const wanted = parseDirectTcpip(open.data);
        if (this.#hasTarget(signedIn)) this.#forward(open);
        else this.#jump(open, signedIn, wanted.host, wanted.port);
        return;
      }
      case 'direct-streamlocal@openssh.com':
        if (this.#hasTarget(signedIn)) this.#forward(open);
        else open.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, NO_TARGET);
        return;
      default:
        open.refuse(OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE, 'this kind of channel is not supported');
    }
  }

  #forward(open: IncomingOpen): void {
    this.#withSession(
      (session) => session.openForward(open),
      (tell) => open.refuse(OPEN_FAILURE.CONNECT_FAILED, tell),
    );
  }

  #globalRequest(type: string, data: Buffer, reply: GlobalReply): void {
    switch (type) {
      case 'no-more-sessions@openssh.com':
        parseNothing(data);
        this.#noMoreSessions = true;
        reply.succeed();
        return;
      case 'tcpip-forward':
      case 'cancel-tcpip-forward':
      case 'streamlocal-forward@openssh.com':
      case 'cancel-streamlocal-forward@openssh.com':
        if (this.#state.kind !== 'signed-in' || !this.#hasTarget(this.#state.signedIn)) {
          reply.fail();
          return;
        }
        this.#withSession(
          (session) => session.globalRequest(type, data, reply),
          () => reply.fail(),
        );
        return;
      default:
        reply.fail();
    }
  }

  #hasTarget(signedIn: SignedIn): boolean {
    return this.#primary !== undefined || signedIn.wanted.device !== undefined;
  }

  /** Runs `then` with the session that is chosen, once it is live; before that the device is dialled. */
  #withSession(then: (session: DeviceSession) => void, refused: (tell: string) => void): void {
    const primary = this.#primary;
    if (primary !== undefined) {
      then(primary);
      return;
    }
    this.#choosing ??= this.#choose();
    this.#choosing.then((chosen) => {
      // What a client sent malformed ends its connection here as it does in the turn in which it came.
      this.#guarded(() => {
        if (chosen.kind === 'session') then(chosen.session);
        else refused(chosen.tell);
      });
    });
  }

  async #choose(): Promise<Chosen> {
    const chosen = await this.#chooseOnce();
    this.#choosing = undefined;
    return chosen;
  }

  async #chooseOnce(): Promise<Chosen> {
    if (this.#state.kind !== 'signed-in') return { kind: 'refused', tell: 'The connection is ending.' };
    const { signedIn } = this.#state;
    const { account, device } = signedIn.wanted;
    if (this.#primary !== undefined) return { kind: 'session', session: this.#primary };
    if (device === undefined) return { kind: 'refused', tell: NO_TARGET };
    const wanted = account === undefined ? device : `${account}@${device}`;
    try {
      const decision = await within(
        this.#deps.settings.storeTimeout,
        'asking for the grant',
        this.#deps.grants.decide(signedIn.user.id, account, device, new Date(this.#deps.now())),
      );
      if (decision.kind === 'denied') {
        this.#note(signedIn.user.name, wanted, decision.code, decision.detail);
        return { kind: 'refused', tell: decision.tell };
      }
      const via = this.#origin.kind === 'jump' ? 'jump' : 'login-name';
      const started = await this.#startSession(signedIn, decision.target, via);
      return typeof started === 'string'
        ? { kind: 'refused', tell: started }
        : { kind: 'session', session: started };
    } catch (error) {
      this.#deps.log.warn({ user: signedIn.user.name, wanted, error: text(error) }, 'grants cannot be asked');
      return {
        kind: 'refused',
        tell: 'The gateway cannot check your access at the moment. Try again later.',
      };
    }
  }

  /** What the menu listed may be long ago: whether it is still granted, and on what terms, is asked again. */
  async #startListed(signedIn: SignedIn, listed: Target): Promise<DeviceSession | string> {
    const wanted = `${listed.credential.username}@${listed.device.name}`;
    try {
      const decision = await within(
        this.#deps.settings.storeTimeout,
        'asking for the grant',
        this.#deps.grants.decide(
          signedIn.user.id,
          listed.credential.name,
          listed.device.name,
          new Date(this.#deps.now()),
        ),
      );
      if (decision.kind === 'granted') return await this.#startSession(signedIn, decision.target, 'menu');
      this.#note(signedIn.user.name, wanted, decision.code, decision.detail);
      return decision.tell;
    } catch (error) {
      this.#deps.log.warn({ user: signedIn.user.name, wanted, error: text(error) }, 'grants cannot be asked');
      return 'The gateway cannot check your access at the moment. Try again later.';
    }
  }

  /** Answers the live session, or what to tell the user. */
  async #startSession(
    signedIn: SignedIn,
    target: Target,
    via: SessionStart['via'],
  ): Promise<DeviceSession | string> {
    if (this.#state.kind !== 'signed-in') return 'The connection is ending.';
    const client: SessionClient = {
      table: this.#state.table,
      signedIn,
      sourceAddress: this.#peer.address,
      sourcePort: this.#peer.port,
      identification: this.#identification,
      sessionEnded: (session, reason, tell) => this.#sessionEnded(session, reason, tell),
    };
    const session = new DeviceSession(this.#deps, client, target, via);
    this.#sessions.add(session);
    const finished = session.finished.then(() => {
      this.#unfinished.delete(finished);
      this.#sessions.delete(session);
      this.#usedAt = performance.now();
    });
    this.#unfinished.add(finished);
    const outcome = await session.started;
    if (outcome.kind === 'failed') return outcome.tell;
    this.#primary ??= session;
    return session;
  }

  /** A connection has nothing more to do when the session that it was for is over. */
  #sessionEnded(session: DeviceSession, reason: string, tell: string): void {
    if (this.#primary !== session) return;
    this.#endReason ??= reason;
    this.#startLinger(tell === '' ? 'the session has ended' : tell);
  }

  // ---- ProxyJump

  #jump(open: IncomingOpen, signedIn: SignedIn, host: string, port: number): void {
    const refuse = (tell: string): void => {
      open.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, tell);
      this.#note(signedIn.user.name, `${host}:${port}`, 'not-granted', 'direct-tcpip without a target');
    };
    if (this.#inner.size >= MAX_INNER_CONNECTIONS) {
      open.refuse(OPEN_FAILURE.RESOURCE_SHORTAGE, 'too many connections inside this one');
      return;
    }
    within(
      this.#deps.settings.storeTimeout,
      'asking for targets',
      this.#deps.grants.targetsOf(signedIn.user.id, new Date(this.#deps.now())),
    ).then(
      (targets) => {
        const match = matchJump(targets, host, port);
        switch (match.kind) {
          case 'device':
            this.#serveInner(open, signedIn, match.name);
            return;
          case 'ambiguous':
            refuse(`several devices have that address: ${match.names.join(', ')}; use a name`);
            return;
          case 'none':
            refuse(
              `${host}:${port} is not a device that you may reach through this gateway; ask your administrator`,
            );
            return;
        }
      },
      (error: unknown) => {
        this.#deps.log.warn({ user: signedIn.user.name, error: text(error) }, 'grants cannot be asked');
        open.refuse(OPEN_FAILURE.CONNECT_FAILED, 'the gateway cannot check your access at the moment');
      },
    );
  }

  #serveInner(open: IncomingOpen, outer: SignedIn, device: string): void {
    const end = this.#state.kind === 'signed-in' ? open.accept() : undefined;
    if (end === undefined) return;
    const inner = new ClientConnection(new ChannelStream(end), this.#peer, this.#deps, {
      kind: 'jump',
      outer,
      device,
    });
    this.#inner.add(inner);
    void inner.done.then(() => {
      this.#inner.delete(inner);
      this.#usedAt = performance.now();
    });
  }

  // ---- the end

  /** Lets what is queued for the client leave, then disconnects; bounded. */
  #startLinger(tell: string): void {
    if (this.#state.kind === 'lingering' || this.#state.kind === 'closed') return;
    if (this.#state.kind !== 'signed-in') {
      this.#transport.disconnect(DISCONNECT_REASON.BY_APPLICATION, tell);
      return;
    }
    const { table } = this.#state;
    this.#state = { kind: 'lingering', table };
    let deadline = this.#deps.now() + this.#deps.settings.linger;
    let queued = table.queuedBytes;
    const look = (): void => {
      if (this.#state.kind !== 'lingering') return;
      // A slow client that still takes what the device had said gets the time for it.
      if (table.queuedBytes < queued) deadline = this.#deps.now() + this.#deps.settings.linger;
      queued = table.queuedBytes;
      if (table.openChannels === 0 || this.#deps.now() >= deadline) {
        this.#transport.disconnect(DISCONNECT_REASON.BY_APPLICATION, tell);
        return;
      }
      this.#linger = setTimeout(look, LINGER_LOOK);
    };
    look();
  }

  #closed(error: TransportError | undefined): void {
    clearTimeout(this.#grace);
    clearTimeout(this.#linger);
    clearTimeout(this.#unused);
    const before = this.#state;
    this.#state = { kind: 'closed' };
    if (before.kind === 'login') before.login.dispose();
    if (before.kind === 'login' || before.kind === 'handshake') {
      this.#deps.log.info(
        { source: this.#peer.address, code: error?.code, detail: error?.message },
        'connection ended before signing in',
      );
    }
    const reason = this.#endReason ?? (error === undefined ? 'client-closed' : reasonOf(error));
    if (before.kind === 'signed-in' || before.kind === 'lingering') before.table.lost();
    for (const inner of this.#inner) inner[Symbol.dispose]();
    for (const session of [...this.#sessions]) session.end(reason, '');
    void Promise.allSettled([...this.#unfinished, ...[...this.#inner].map((inner) => inner.done)]).then(() =>
      this.#done.resolve(),
    );
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#deps.log.info({ source: this.#peer.address, detail: text(error) }, 'client broke the protocol');
      this.#transport.disconnect(DISCONNECT_REASON.PROTOCOL_ERROR, 'malformed message');
    }
  }

  #note(user: string, wanted: string, code: string, detail: string): void {
    const event = { at: this.#deps.now(), user, sourceAddress: this.#peer.address, wanted, code, detail };
    within(this.#deps.settings.storeTimeout, 'noting a refusal', this.#deps.register.refused(event)).catch(
      (error: unknown) => this.#deps.log.warn({ error: text(error) }, 'refusal was not registered'),
    );
  }
}

const LINGER_LOOK = 20;

function told(open: IncomingOpen, tell: string): void {
  const end = open.accept();
  if (end !== undefined) tellOnStart(end, tell);
}

function reasonOf(error: TransportError): string {
  switch (error.code) {
    case 'SP_PEER_CLOSED':
    case 'SP_PEER_DISCONNECTED':
      return 'client-closed';
    case 'SP_CONNECTION_LOST':
      return 'client-lost';
    case 'SP_KEEPALIVE_TIMEOUT':
      return 'client-silent';
    default:
      return error.code;
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
