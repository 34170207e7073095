// One user's use of one device: registered durably, recorded, and only then dialled. It owns the connection to the
// device, the recorder and the channel pairs, obeys orders from outside, and ends all of them in order, once.
// What the client's connection is, and how the target was chosen, is not its business.
import { setTimeout as delay } from 'node:timers/promises';
import { openAside } from '../channels/aside.ts';
import type { ChannelEnd } from '../channels/channel-end.ts';
import { ChannelPair, type PairSession } from '../channels/channel-pair.ts';
import type { IncomingOpen } from '../channels/channel-table.ts';
import { ChannelTable, type GlobalReply } from '../channels/channel-table.ts';
import type { ChannelStart, GateContext } from '../channels/gate-port.ts';
import { permissionToListen, permissionToStart } from '../channels/permission.ts';
import type { ChannelDescription, SessionRecorder } from '../channels/ports.ts';
import { type CollectedSetup, SessionChannel } from '../channels/session-channel.ts';
import { tellAndClose, tellOnStart } from '../channels/told-channel.ts';
import { type DeviceHandlers, dialDevice } from '../device/dial.ts';
import { DialError } from '../device/errors.ts';
import { ClientAgent } from '../identification/agent.ts';
import { Identification } from '../identification/identification.ts';
import type { IdentificationRequest, SessionControl } from '../identification/ports.ts';
import type { SignedIn } from '../login/login-service.ts';
import type { Target, TargetDecision } from '../login/ports.ts';
import {
  DISCONNECT_REASON,
  OPEN_FAILURE,
  parseDirectStreamlocal,
  parseDirectTcpip,
  parseForwardedPort,
  parseForwardedStreamlocal,
  parseForwardedTcpip,
  parseNothing,
  parseStreamlocalForward,
  parseTcpipForward,
  parseX11Open,
  type TransportError,
} from '../transport/messages.ts';
import type { Transport } from '../transport/transport.ts';
import { within } from './bounded.ts';
import type { ConnectionDeps } from './connection-ports.ts';
import { NoRecorder } from './no-recorder.ts';
import type { OversightVerdict, SessionOrder, SessionStart } from './ports.ts';

/** The client's side of a session. */
export interface SessionClient {
  readonly table: ChannelTable;
  readonly signedIn: Pick<SignedIn, 'user' | 'authentication' | 'restrictions'>;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly identification: string;
  /** The session has ended; what was queued for the client's channels may still be on its way. */
  sessionEnded(session: DeviceSession, reason: string, tell: string): void;
}

export interface SessionSummary {
  readonly id: string;
  readonly user: string;
  readonly device: string;
  readonly account: string;
  readonly sourceAddress: string;
  readonly via: SessionStart['via'];
  readonly startedAt: number;
  readonly state: 'starting' | 'live' | 'held' | 'ended';
  readonly channels: readonly ChannelDescription[];
  readonly bytesFromClient: number;
  readonly bytesFromDevice: number;
}

/** A client's channel that was open before there was a device. */
export interface ChannelHandOver {
  readonly end: ChannelEnd;
  /** Called once, in the turn in which the device's channel takes over. */
  readonly collected: () => CollectedSetup;
}

/** What came of starting. */
export type StartOutcome =
  | { readonly kind: 'live' }
  | { readonly kind: 'failed'; readonly code: string; readonly tell: string };

type State =
  | { readonly kind: 'starting' }
  | { readonly kind: 'live'; readonly transport: Transport; readonly table: ChannelTable }
  | { readonly kind: 'ended'; readonly reason: string; readonly tell: string };

const RECORDER_LIMIT = 4 * 1024 * 1024;
/** Node's timers take no more than this. */
const LONGEST_TIMER = 2_147_000_000;
/** Milliseconds until a grant is asked for again when it could not be. */
const CONFIRM_RETRY = 5_000;
const MAX_FORWARDS = 64;
/** Opens and global requests that wait while a session is held. */
const MAX_WAITING = 256;
const EMPTY = Buffer.alloc(0);

export class DeviceSession implements PairSession {
  readonly target: Target;
  readonly id: string;
  /** Settles once; never rejects. */
  readonly started: Promise<StartOutcome>;
  /** Settles when everything is closed and the register knows; never rejects. */
  readonly finished: Promise<void>;

  readonly #deps: ConnectionDeps;
  readonly #client: SessionClient;
  readonly #start: SessionStart;
  readonly #stop = new AbortController();
  readonly #pairs = new Map<ChannelPair, ChannelDescription | undefined>();
  /** Remote forwards in force, as `address:port` or `unix:path`. */
  readonly #forwards = new Set<string>();
  readonly #deviceMayOpen = new Set<'agent' | 'x11'>();
  /** The client would take channels to its agent. */
  #agentOffered = false;
  /** What the client opened or asked for while the session was held; bounded. */
  #waiting: (() => void)[] = [];
  readonly #finished = Promise.withResolvers<void>();
  readonly #control: SessionControl = {
    identify: (request) => this.#identify(request),
    identified: () => this.#identified(),
    end: (reason, tell) => this.end(reason, tell),
    tell: (text) => this.tell(text),
  };
  #recorder: SessionRecorder = new NoRecorder();
  #state: State = { kind: 'starting' };
  /** By an order from outside. */
  #onHold = false;
  /** Goes on until the user has proven who they are. */
  #identification: Identification | undefined;
  #registered = false;
  #nextChannel = 0;
  #bytesFromClient = 0;
  #bytesFromDevice = 0;
  #lastActivity: number;
  /** Milliseconds to the device and back. */
  #roundTrip: number | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #grantTimer: NodeJS.Timeout | undefined;
  /** When the rights that the session lives on end; the directory may change it. */
  #endsAt: number | undefined;
  #confirming = false;
  #confirmAgain = false;

  constructor(deps: ConnectionDeps, client: SessionClient, target: Target, via: SessionStart['via']) {
    this.#deps = deps;
    this.#client = client;
    this.target = target;
    this.#endsAt = target.grant.endsAt;
    this.id = deps.register.newId();
    const now = deps.now();
    this.#lastActivity = now;
    this.#start = {
      id: this.id,
      user: { id: client.signedIn.user.id, name: client.signedIn.user.name },
      target,
      sourceAddress: client.sourceAddress,
      sourcePort: client.sourcePort,
      clientIdentification: client.identification,
      authentication: client.signedIn.authentication,
      via,
      startedAt: now,
    };
    this.finished = this.#finished.promise;
    this.started = this.#begin();
  }

  get summary(): SessionSummary {
    return {
      id: this.id,
      user: this.#start.user.name,
      device: this.target.device.name,
      account: this.target.credential.username,
      sourceAddress: this.#start.sourceAddress,
      via: this.#start.via,
      startedAt: this.#start.startedAt,
      state: this.#state.kind === 'live' && this.#held ? 'held' : this.#state.kind,
      channels: [...this.#pairs.values()].filter((description) => description !== undefined),
      bytesFromClient: this.#bytesFromClient,
      bytesFromDevice: this.#bytesFromDevice,
    };
  }

  get ended(): boolean {
    return this.#state.kind === 'ended';
  }

  // ---- what pairs need

  get recorder(): SessionRecorder {
    return this.#recorder;
  }

  get held(): boolean {
    return this.#held;
  }

  /** While only its user is asked who they are, a session may get the terminal that they are asked on. */
  get setupHeld(): boolean {
    return this.#onHold;
  }

  get #held(): boolean {
    return this.#onHold || this.#identification !== undefined;
  }

  get recorderBehind(): boolean {
    return this.#recorder.pendingBytes > RECORDER_LIMIT;
  }

  countFromClient(bytes: number): void {
    this.#bytesFromClient += bytes;
    this.#lastActivity = this.#deps.now();
  }

  countFromDevice(bytes: number): void {
    this.#bytesFromDevice += bytes;
    this.#lastActivity = this.#deps.now();
  }

  pairEnded(pair: ChannelPair): void {
    this.#pairs.delete(pair);
  }

  pairStarted(pair: ChannelPair, description: ChannelDescription): void {
    if (this.#pairs.has(pair)) this.#pairs.set(pair, description);
    this.#askOn(pair);
  }

  /** Shows text on the interactive channels. */
  tell(text: string): void {
    for (const pair of this.#pairs.keys()) pair.notice(text);
  }

  /** Ends the session. The user is told on every channel; `reason` is for the register. Idempotent. */
  end(reason: string, tell: string): void {
    if (this.#state.kind === 'ended') return;
    const before = this.#state;
    this.#state = { kind: 'ended', reason, tell };
    clearInterval(this.#idleTimer);
    clearTimeout(this.#grantTimer);
    this.#stop.abort();
    this.#identified();
    for (const pair of [...this.#pairs.keys()]) pair.end(tell);
    if (before.kind === 'live') {
      before.transport.disconnect(DISCONNECT_REASON.BY_APPLICATION, 'session ended');
      before.table.lost();
    }
    this.#goOn();
    this.#client.sessionEnded(this, reason, tell);
    // A session that is still starting is finished by its start, which sees the new state.
    if (before.kind === 'live') void this.#finish(reason);
  }

  // ---- channels that the client opens

  /** `asked` is the client's open, or its channel that is open already, with what it asked for there. */
  openSession(asked: IncomingOpen | ChannelHandOver): void {
    const setup = 'end' in asked ? asked : undefined;
    const open = 'end' in asked ? undefined : asked;
    if (this.#onHold && this.#postponed(() => this.openSession(asked))) return;
    const live = this.#liveOr(() => {
      if (setup !== undefined) {
        tellAndClose(setup.end, this.#endedTell(), true);
        return;
      }
      const end = open?.accept();
      if (end !== undefined) tellOnStart(end, this.#endedTell());
    });
    if (live === undefined) return;
    const askedAt = performance.now();
    live.table.open('session', EMPTY, {
      confirmed: (device) => {
        // An answer by the device's sshd itself, with nothing started yet: as near to the way alone as can be.
        this.#roundTrip = Math.min(this.#roundTrip ?? Number.POSITIVE_INFINITY, performance.now() - askedAt);
        const client = setup?.end ?? open?.accept();
        if (client === undefined || client.closing) {
          device.attach(DISCARD);
          device.close();
          return;
        }
        const channel = new SessionChannel({
          client,
          device,
          session: this,
          gates: this.#deps.gates,
          channel: this.#channelNumber(),
          target: this.target,
          restrictions: this.#client.signedIn.restrictions,
          environment: this.#deps.settings.environment,
          context: this.#gateContext(),
          refused: (wanted, code, detail) => this.#refused(wanted, code, detail),
          agentOffered: () => {
            this.#agentOffered = true;
          },
          allowed: (what) => this.#deviceMayOpen.add(what),
        });
        this.#pairs.set(channel.pair, undefined);
        if (setup !== undefined) channel.replay(setup.collected());
      },
      refused: (reason, text) => {
        if (setup === undefined) open?.refuse(reason, text);
        else tellAndClose(setup.end, `The device refused the session: ${text}`, true);
      },
    });
  }

  /** direct-tcpip and direct-streamlocal. Throws TransportError for a malformed open. */
  openForward(open: IncomingOpen): void {
    if (this.#postponed(() => this.openForward(open))) return;
    const start: ChannelStart =
      open.type === 'direct-tcpip'
        ? { kind: 'direct-tcpip', ...address(parseDirectTcpip(open.data)) }
        : { kind: 'streamlocal', path: parseDirectStreamlocal(open.data).path, openedBy: 'client' };
    const live = this.#liveOr(() => open.refuse(OPEN_FAILURE.CONNECT_FAILED, this.#endedTell()));
    if (live === undefined) return;
    const permission = permissionToStart(this.target, this.#client.signedIn.restrictions, start);
    if (permission.kind === 'denied') {
      this.#refused(detailOf(start), 'not-granted', permission.detail);
      open.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, permission.tell);
      return;
    }
    const channel = this.#channelNumber();
    this.#admitted(start, 'open', channel, {
      pass: () => {
        const still = this.#liveOr(() => open.refuse(OPEN_FAILURE.CONNECT_FAILED, this.#endedTell()));
        still?.table.open(open.type, open.data, {
          confirmed: (device) => this.#pairUp(open.accept(), device, start, channel),
          refused: (reason, text) => open.refuse(reason, text),
        });
      },
      refuse: (tell) => open.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, tell),
    });
  }

  /** tcpip-forward and its relatives. Throws TransportError for a malformed request. */
  globalRequest(type: string, data: Buffer, reply: GlobalReply): void {
    if (this.#postponed(() => this.globalRequest(type, data, reply))) return;
    const live = this.#liveOr(() => reply.fail());
    if (live === undefined) return;
    switch (type) {
      case 'tcpip-forward': {
        const wanted = parseTcpipForward(data);
        this.#forward(live.table, type, data, reply, {
          wanted: `tcpip-forward ${wanted.address}:${wanted.port}`,
          address: wanted.address,
          port: wanted.port,
          start: { kind: 'forwarded-tcpip', address: wanted.address, port: wanted.port },
          key: (answer) =>
            `${wanted.address}:${wanted.port === 0 ? parseForwardedPort(answer) : wanted.port}`,
        });
        return;
      }
      case 'streamlocal-forward@openssh.com': {
        const { path } = parseStreamlocalForward(data);
        this.#forward(live.table, type, data, reply, {
          wanted: `streamlocal-forward ${path}`,
          address: path,
          port: 0,
          start: { kind: 'streamlocal', path, openedBy: 'device' },
          key: () => `unix:${path}`,
        });
        return;
      }
      case 'cancel-tcpip-forward': {
        const { address: host, port } = parseTcpipForward(data);
        this.#cancelForward(live.table, type, data, reply, `${host}:${port}`);
        return;
      }
      case 'cancel-streamlocal-forward@openssh.com':
        this.#cancelForward(live.table, type, data, reply, `unix:${parseStreamlocalForward(data).path}`);
        return;
      default:
        reply.fail();
    }
  }

  // ---- starting

  async #begin(): Promise<StartOutcome> {
    const deps = this.#deps;
    const limit = deps.settings.storeTimeout;
    // Before others can know of the session: what they order from then on must reach it.
    deps.orders.listen(this.id, this.#start.user.id, (order) => this.#obey(order), this.#stop.signal);
    try {
      await within(limit, 'registering the session', deps.register.open(this.#start));
      this.#registered = true;
    } catch (error) {
      return this.#failedToStart(
        'not-registered',
        error,
        'The gateway cannot register sessions at the moment, so none can start. Try again later.',
      );
    }
    if (this.ended) return this.#gaveUp();
    const refusal = await this.#judged(limit);
    if (this.ended) return this.#gaveUp();
    if (refusal !== undefined) return this.#failedToStart(refusal.code, refusal.detail, refusal.tell);
    try {
      await this.#startRecorder(limit);
    } catch (error) {
      return this.#failedToStart(
        'recording-failed',
        error,
        'This session cannot be recorded at the moment, so it cannot start. Ask your administrator.',
      );
    }
    if (this.ended) return this.#gaveUp();
    this.#watchGrant();
    deps.grants.watch?.(() => void this.#confirmGrant(), this.#stop.signal);
    try {
      await dialDevice(
        this.target,
        {
          vault: deps.vault,
          pins: deps.pins,
          log: deps.log,
          timeouts: deps.settings.dial,
          keepalive: deps.settings.deviceKeepalive,
          identification: deps.settings.deviceIdentification,
          refusals: deps.refusals,
        },
        this.#stop.signal,
        (transport) => this.#signedIn(transport),
      );
    } catch (error) {
      if (this.ended) return this.#gaveUp();
      const dial = error instanceof DialError ? error : undefined;
      return this.#failedToStart(
        dial?.code ?? 'dial-failed',
        error,
        dial?.tell ?? `The device ${this.target.device.name} cannot be reached.`,
      );
    }
    return this.ended ? this.#gaveUp() : { kind: 'live' };
  }

  /** How unusual the session is, before anything is dialled. Undefined: it may start. */
  async #judged(limit: number): Promise<Extract<OversightVerdict, { kind: 'refuse' }> | undefined> {
    const { oversight } = this.#deps;
    if (oversight === undefined) return undefined;
    try {
      const verdict = await within(limit, 'judging the session', oversight.begin(this.#start, this.#control));
      return verdict.kind === 'go' ? undefined : verdict;
    } catch (error) {
      return {
        kind: 'refuse',
        code: 'not-judged',
        detail: text(error),
        tell: 'The gateway cannot judge sessions at the moment, so none can start. Try again later.',
      };
    }
  }

  async #startRecorder(limit: number): Promise<void> {
    const strict = this.target.grant.recording === 'strict';
    try {
      this.#recorder = await within(
        limit,
        'starting the recording',
        this.#deps.recordings.start(this.#start),
      );
    } catch (error) {
      if (strict) throw error;
      this.#deps.log.warn({ session: this.id, error: text(error) }, 'session runs without a recording');
      return;
    }
    this.#recorder.onDrain = () => {
      if (this.recorderBehind) return;
      for (const pair of this.#pairs.keys()) pair.resume();
    };
    this.#recorder.onFailure = (error) => {
      this.#deps.log.warn({ session: this.id, error: error.message }, 'recording failed');
      if (strict) {
        this.end(
          'recording-failed',
          'This session can no longer be recorded and was ended. Ask your administrator.',
        );
      }
    };
  }

  #signedIn(transport: Transport): DeviceHandlers {
    const handlers = {
      open: (open: IncomingOpen) => this.#deviceOpens(open),
      globalRequest: (_type: string, _data: Buffer, reply: GlobalReply) => reply.fail(),
    };
    const table = new ChannelTable(transport, handlers, this.#deps.settings.channels);
    if (this.#state.kind === 'starting') {
      this.#state = { kind: 'live', transport, table };
      this.#watchIdle();
    } else transport.destroy();
    return {
      borrowed: (payload) => table.receive(payload, true),
      message: (payload) => {
        const type = payload[0] ?? 0;
        if (type >= 80 && type <= 100) table.receive(payload);
        else if (type > 100) transport.sendUnimplemented();
      },
      drain: () => table.drained(),
      closed: (error) => this.#deviceGone(table, error),
    };
  }

  #deviceGone(table: ChannelTable, error: TransportError | undefined): void {
    if (this.#state.kind !== 'live') return;
    if (error !== undefined) {
      this.#deps.log.info(
        { session: this.id, code: error.code, detail: error.message },
        'device connection ended',
      );
    }
    this.#identified();
    // Its channels close behind what is queued for the client; those that still run say why.
    this.tell(`The connection to ${this.target.device.name} was closed.`);
    table.lost();
    this.#state = { kind: 'ended', reason: 'device-closed', tell: '' };
    clearInterval(this.#idleTimer);
    clearTimeout(this.#grantTimer);
    this.#stop.abort();
    this.#goOn();
    this.#client.sessionEnded(
      this,
      'device-closed',
      `The connection to ${this.target.device.name} was closed.`,
    );
    void this.#finish('device-closed');
  }

  #failedToStart(code: string, error: unknown, tell: string): StartOutcome {
    if (this.#state.kind === 'starting') this.#state = { kind: 'ended', reason: code, tell };
    clearTimeout(this.#grantTimer);
    this.#stop.abort();
    this.#deps.log.warn(
      {
        session: this.id,
        user: this.#start.user.name,
        device: this.target.device.name,
        code,
        detail: text(error),
      },
      'session did not start',
    );
    this.#refused(`${this.target.credential.username}@${this.target.device.name}`, code, text(error));
    void this.#finish(code);
    return { kind: 'failed', code, tell };
  }

  #gaveUp(): StartOutcome {
    const { reason, tell } = this.#state.kind === 'ended' ? this.#state : { reason: 'ended', tell: '' };
    void this.#finish(reason);
    return { kind: 'failed', code: reason, tell };
  }

  /** Seals the recording, then tells the register. */
  async #finish(reason: string): Promise<void> {
    const limit = this.#deps.settings.storeTimeout;
    const recorder = this.#recorder;
    // Channels that close only now have nothing more to say.
    this.#recorder = new NoRecorder();
    try {
      await within(limit, 'sealing the recording', recorder.close());
    } catch (error) {
      this.#deps.log.warn({ session: this.id, error: text(error) }, 'recording was not sealed');
    }
    if (this.#registered) {
      try {
        await within(
          limit,
          'closing the session',
          this.#deps.register.close(this.id, {
            endedAt: this.#deps.now(),
            reason,
            bytesFromClient: this.#bytesFromClient,
            bytesFromDevice: this.#bytesFromDevice,
          }),
        );
      } catch (error) {
        this.#deps.log.warn({ session: this.id, error: text(error) }, 'end of session was not registered');
      }
    }
    this.#finished.resolve();
  }

  // ---- orders and clocks

  #obey(order: SessionOrder): void {
    switch (order.kind) {
      case 'end':
        this.end(order.reason, order.tell);
        return;
      case 'hold':
        if (this.#onHold) return;
        this.tell('This session is on hold. Nothing you type is delivered until it is released.');
        this.#onHold = true;
        this.#recorder.marker?.(0, 'hold', {});
        return;
      case 'release':
        if (!this.#onHold) return;
        this.#onHold = false;
        this.#recorder.marker?.(0, 'release', {});
        this.tell('This session goes on.');
        if (!this.#held) this.#resume();
        return;
    }
  }

  #resume(): void {
    for (const pair of this.#pairs.keys()) pair.resume();
    this.#goOn();
  }

  #identify(request: IdentificationRequest): void {
    if (this.ended || this.#identification !== undefined) return;
    const { nonInteractive } = this.target.grant;
    this.#deps.log.info({ session: this.id, identification: request.id }, 'session waits for identification');
    const session = this;
    this.#identification = new Identification(request, {
      get offered() {
        return session.#agentOffered;
      },
      open: () => new ClientAgent(session.#client.table),
    });
    for (const pair of this.#pairs.keys()) this.#askOn(pair);
    // Nobody can be asked where there is no terminal: it pauses until they are asked elsewhere, or ends.
    if (nonInteractive === 'end' && !this.#identification.asks) {
      this.end('identification-required', 'You have to prove who you are: sign in again.');
    }
  }

  #askOn(pair: ChannelPair): void {
    const identification = this.#identification;
    const terminal = identification === undefined ? undefined : pair.seize(identification.keys);
    if (terminal !== undefined) identification?.add(terminal);
  }

  #identified(): void {
    const identification = this.#identification;
    if (identification === undefined) return;
    identification[Symbol.dispose]();
    this.#identification = undefined;
    if (!this.ended && !this.#held) this.#resume();
  }

  /** Nothing new reaches the device while the session is held; it is done when that is over, either way. */
  #postponed(work: () => void): boolean {
    if (!this.#held || this.#state.kind !== 'live') return false;
    if (this.#waiting.length >= MAX_WAITING) {
      this.end('too-many-requests', 'Too much was asked for while this session was on hold.');
      return true;
    }
    this.#waiting.push(work);
    return true;
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) {
      try {
        work();
      } catch (error) {
        this.#deps.log.info({ session: this.id, detail: text(error) }, 'malformed request dropped');
      }
    }
  }

  /** The directory may have changed: access that is withdrawn or narrowed ends the session. */
  async #confirmGrant(): Promise<void> {
    this.#confirmAgain = true;
    if (this.#confirming) return;
    this.#confirming = true;
    while (this.#confirmAgain && !this.ended) {
      this.#confirmAgain = false;
      await this.#confirmOnce();
    }
    this.#confirming = false;
  }

  async #confirmOnce(): Promise<void> {
    const { device, credential, grant } = this.target;
    let decision: TargetDecision;
    try {
      decision = await within(
        this.#deps.settings.storeTimeout,
        'asking for the grant',
        this.#deps.grants.decide(
          this.#start.user.id,
          credential.name,
          device.name,
          new Date(this.#deps.now()),
        ),
      );
    } catch (error) {
      // Nobody new gets in meanwhile; who is in is not thrown out because the store is away.
      this.#deps.log.warn({ session: this.id, error: text(error) }, 'grant cannot be confirmed');
      await delay(CONFIRM_RETRY, undefined, { ref: false });
      this.#confirmAgain = true;
      return;
    }
    if (this.ended) return;
    const now = decision.kind === 'granted' ? decision.target : undefined;
    if (now === undefined || now.device.id !== device.id || now.credential.id !== credential.id) {
      this.end('access-withdrawn', 'Your access has been withdrawn by an administrator.');
      return;
    }
    const lost =
      grant.channels.some((channel) => !now.grant.channels.includes(channel)) ||
      grant.subsystems.some((subsystem) => !now.grant.subsystems.includes(subsystem)) ||
      (grant.recording === 'best-effort' && now.grant.recording === 'strict');
    if (lost) {
      this.end('access-narrowed', 'Your access has been changed by an administrator. Please connect again.');
      return;
    }
    this.#endsAt = now.grant.endsAt;
    this.#watchGrant();
  }

  #watchGrant(): void {
    clearTimeout(this.#grantTimer);
    const endsAt = this.#endsAt;
    if (endsAt === undefined) return;
    const left = endsAt - this.#deps.now();
    this.#grantTimer = setTimeout(
      () => {
        if (this.#deps.now() < endsAt) this.#watchGrant();
        else this.end('grant-time-over', 'The time for which this access is granted is over.');
      },
      Math.min(Math.max(left, 0), LONGEST_TIMER),
    );
  }

  #watchIdle(): void {
    const { idle } = this.#deps.settings;
    if (idle === 0) return;
    this.#idleTimer = setInterval(
      () => {
        if (this.#deps.now() - this.#lastActivity < idle) return;
        this.end('idle', 'This session was idle for too long.');
      },
      Math.max(1_000, Math.min(idle / 4, 60_000)),
    );
  }

  // ---- channels that the device opens

  #deviceOpens(open: IncomingOpen): void {
    const refuse = (text: string): void => open.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, text);
    const start = this.#askedByDevice(open);
    if (start === undefined) {
      refuse('not asked for');
      return;
    }
    const permission = permissionToStart(this.target, this.#client.signedIn.restrictions, start);
    if (permission.kind === 'denied') {
      refuse('not allowed');
      return;
    }
    if (this.#held) {
      refuse('the session is on hold');
      return;
    }
    this.#client.table.open(open.type, open.data, {
      confirmed: (client) => {
        const device = open.accept();
        if (device === undefined) {
          client.attach(DISCARD);
          client.close();
        } else this.#pairUp(client, device, start);
      },
      refused: (reason, text) => open.refuse(reason, text),
    });
  }

  /** Undefined: nobody on the client's side asked for such a channel. */
  #askedByDevice(open: IncomingOpen): ChannelStart | undefined {
    switch (open.type) {
      case 'auth-agent@openssh.com':
        parseNothing(open.data);
        return this.#deviceMayOpen.has('agent') ? { kind: 'agent' } : undefined;
      case 'x11':
        parseX11Open(open.data);
        return this.#deviceMayOpen.has('x11') ? { kind: 'x11' } : undefined;
      case 'forwarded-tcpip': {
        const { address: host, port } = parseForwardedTcpip(open.data);
        return this.#forwards.has(`${host}:${port}`)
          ? { kind: 'forwarded-tcpip', address: host, port }
          : undefined;
      }
      case 'forwarded-streamlocal@openssh.com': {
        const { path } = parseForwardedStreamlocal(open.data);
        return this.#forwards.has(`unix:${path}`)
          ? { kind: 'streamlocal', path, openedBy: 'device' }
          : undefined;
      }
      default:
        return undefined;
    }
  }

  // ---- pairs

  #pairUp(
    client: ChannelEnd | undefined,
    device: ChannelEnd,
    start: ChannelStart,
    channel = this.#channelNumber(),
  ): void {
    if (client === undefined) {
      device.attach(DISCARD);
      device.close();
      return;
    }
    const pair = new ChannelPair({
      client,
      device,
      session: this,
      gates: this.#deps.gates,
      channel,
      setup: undefined,
    });
    this.#pairs.set(pair, undefined);
    if (this.ended) {
      pair.end('');
      return;
    }
    pair.start({
      context: {
        ...this.#gateContext(),
        channel: pair.channel,
        environment: new Map(),
        terminal: undefined,
      },
      start,
      description: { kind: start.kind, detail: detailOf(start), terminal: undefined },
      launch: () => {},
      refused: (verdict) => this.#refused(detailOf(start), verdict.code, verdict.detail),
    });
  }

  #forward(
    table: ChannelTable,
    type: string,
    data: Buffer,
    reply: GlobalReply,
    wanted: {
      wanted: string;
      address: string;
      port: number;
      start: ChannelStart;
      key: (answer: Buffer) => string;
    },
  ): void {
    const { restrictions } = this.#client.signedIn;
    const permission = permissionToListen(this.target, restrictions, wanted.address, wanted.port);
    if (permission.kind === 'denied' || this.#forwards.size >= MAX_FORWARDS) {
      const detail = permission.kind === 'denied' ? permission.detail : 'too many forwards';
      this.#refused(wanted.wanted, 'not-granted', detail);
      if (permission.kind === 'denied') this.tell(permission.tell);
      reply.fail();
      return;
    }
    this.#admitted(wanted.start, 'listen', this.#channelNumber(), {
      pass: () =>
        table.request(
          type,
          data,
          (answer) => {
            this.#forwards.add(wanted.key(answer));
            reply.succeed(answer);
          },
          () => reply.fail(),
        ),
      refuse: (tell) => {
        this.tell(tell);
        reply.fail();
      },
    });
  }

  /** Asks the gates about a forward before the device hears of it. */
  #admitted(
    start: ChannelStart,
    what: 'open' | 'listen',
    channel: number,
    then: { readonly pass: () => void; readonly refuse: (tell: string) => void },
  ): void {
    const { gates } = this.#deps;
    if (gates.admit === undefined) {
      then.pass();
      return;
    }
    const context = { ...this.#gateContext(), channel, environment: new Map(), terminal: undefined };
    gates.admit(context, start, what).then(
      (admission) => {
        switch (admission.kind) {
          case 'pass':
            if (!this.#postponed(then.pass)) then.pass();
            return;
          case 'refuse':
            this.#refused(detailOf(start), admission.code, admission.detail);
            then.refuse(admission.tell);
            return;
          case 'end':
            then.refuse(admission.tell);
            this.end(admission.reason, admission.tell);
            return;
        }
      },
      (error: unknown) => {
        this.#refused(detailOf(start), 'gate-failed', text(error));
        then.refuse('It could not be judged.');
      },
    );
  }

  #cancelForward(table: ChannelTable, type: string, data: Buffer, reply: GlobalReply, key: string): void {
    if (!this.#forwards.has(key)) {
      reply.fail();
      return;
    }
    table.request(
      type,
      data,
      (answer) => {
        this.#forwards.delete(key);
        reply.succeed(answer);
      },
      () => reply.fail(),
    );
  }

  #liveOr(otherwise: () => void): Extract<State, { kind: 'live' }> | undefined {
    if (this.#state.kind === 'live') return this.#state;
    otherwise();
    return undefined;
  }

  #endedTell(): string {
    const tell = this.#state.kind === 'ended' ? this.#state.tell : '';
    return tell === '' ? 'This session has ended.' : tell;
  }

  #channelNumber(): number {
    this.#nextChannel += 1;
    return this.#nextChannel - 1;
  }

  #gateContext(): Omit<GateContext, 'channel' | 'environment' | 'terminal'> {
    const { device, credential, grant } = this.target;
    return {
      sessionId: this.id,
      startedAt: this.#start.startedAt,
      user: { ...this.#start.user, groups: this.#client.signedIn.user.groups },
      device: { id: device.id, name: device.name, tags: device.tags, os: device.os },
      credential: { id: credential.id, name: credential.name, username: credential.username },
      grant: { id: grant.id, name: grant.name, recording: grant.recording },
      sourceAddress: this.#start.sourceAddress,
      roundTrip: this.#roundTrip,
      reading: this.target.reading,
      aside: (command, handlers) => openAside(this.#deviceTable(), command, handlers),
    };
  }

  #deviceTable(): Pick<ChannelTable, 'open'> {
    return this.#state.kind === 'live' ? this.#state.table : NO_TABLE;
  }

  #refused(wanted: string, code: string, detail: string): void {
    const event = {
      at: this.#deps.now(),
      user: this.#start.user.name,
      sourceAddress: this.#start.sourceAddress,
      wanted,
      code,
      detail,
    };
    this.#deps.log.info({ session: this.id, ...event }, 'refused');
    within(this.#deps.settings.storeTimeout, 'noting a refusal', this.#deps.register.refused(event)).catch(
      (error: unknown) =>
        this.#deps.log.warn({ session: this.id, error: text(error) }, 'refusal was not registered'),
    );
  }
}

const NO_TABLE: Pick<ChannelTable, 'open'> = {
  open: (_type, _data, handlers) => handlers.refused(OPEN_FAILURE.CONNECT_FAILED, 'the connection is closed'),
};

const DISCARD = {
  data: () => {},
  request: (_name: string, _body: Buffer, reply: { settle(ok: boolean): void }) => reply.settle(false),
  eof: () => {},
  closed: () => {},
  flushed: () => {},
};

function address(direct: { readonly host: string; readonly port: number }): {
  readonly address: string;
  readonly port: number;
} {
  return { address: direct.host, port: direct.port };
}

function detailOf(start: ChannelStart): string {
  switch (start.kind) {
    case 'direct-tcpip':
    case 'forwarded-tcpip':
      return `${start.address}:${start.port}`;
    case 'streamlocal':
      return start.path;
    case 'exec':
      return start.command.toString('utf8');
    case 'subsystem':
      return start.name;
    case 'shell':
    case 'agent':
    case 'x11':
      return '';
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
