// The gateway's first process: listens, admits, hands connections to workers, keeps count of what is live, obeys
// signals and the control socket. It speaks no SSH and holds no session, so that it has little reason to fail.

import { Admission } from '../../proxy/server/admission.ts';
import { type AcceptedConnection, Listener } from '../../proxy/server/listener.ts';
import type { Config } from '../config/load.ts';
import { formatSocketAddress } from '../config/units.ts';
import { openControlServer } from './control-server.ts';
import type { Log } from './log.ts';
import type { ControlAnswer, ControlRequest, Health, LiveSession, Order, ToSupervisor } from './messages.ts';
import type { Notices } from './notices.ts';
import { changedKeys, type ReloadOutcome } from './reload.ts';
import { createTally } from './tally.ts';
import { Watches, type Watching } from './watch.ts';
import { type StartWorker, WorkerPool } from './worker-pool.ts';

/** The API's process as far as the supervisor goes. */
export interface SupervisedAdmin {
  start(): void;
  stop(): Promise<void>;
  tell(
    message:
      | { readonly kind: 'notice'; readonly topic: string; readonly payload: string }
      | { readonly kind: 'reconfigure'; readonly config: string },
  ): void;
  readonly urls: readonly string[];
}

export interface SupervisorOptions {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  readonly start: StartWorker;
  readonly workers: number;
  /** Reads the configuration again; throws ConfigError. */
  readonly reread: () => Config;
  /** What a former run left open is closed; called when it is sure that no other gateway runs on the data folder. */
  readonly recover: () => Promise<void>;
  /** Sessions that a worker took with it when it died: closes them in the store. */
  readonly closeLost: (sessions: readonly LiveSession[], workerPid: number) => Promise<void>;
  /** Notes durably that somebody watches a session; what can't be noted isn't shown. */
  readonly noteWatch: (session: LiveSession, by: string) => Promise<void>;
  /** This process's part of the store's messages, when it needs one. */
  readonly notices: Notices;
  /** The API's process, where there is one. */
  readonly admin?: SupervisedAdmin;
  /** Tells other gateways of an order for a session that is not here. */
  readonly forward: (session: string, order: Order) => Promise<void>;
}

type Phase = 'starting' | 'ready' | 'draining' | 'ended';

const DRAINING = 'This gateway is going down for maintenance. Please finish what you are doing';
const ENDING = 'This gateway is going down for maintenance; the session ends here.';
const SWEEP_EVERY = 250;
/** For ended sessions to say goodbye and close their recordings. */
const LAST_WORDS = 5000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #startedAt = Date.now();
  readonly #admission: Admission;
  readonly #listener: Listener;
  readonly #pool: WorkerPool;
  readonly #sessions = new Map<string, LiveSession & { readonly worker: number }>();
  readonly #watches: Watches;
  readonly #tally: ReturnType<typeof createTally>;
  #config: Config;
  #phase: Phase = 'starting';
  #addresses: readonly string[] = [];
  #nativeCrypto = true;
  #wakeEmpty: (() => void) | undefined;
  #endNow: (() => void) | undefined;
  readonly #urgent: Promise<void>;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#config = options.config;
    this.#urgent = new Promise((resolve) => {
      this.#endNow = resolve;
    });
    this.#admission = new Admission(options.config.ssh.limits);
    this.#tally = createTally(10_000, (event, fields) => this.#log.warn(event, fields));
    this.#listener = new Listener({
      admission: this.#admission,
      proxiesFrom: options.config.ssh.proxyProtocol.from,
      headerTimeout: options.config.ssh.limits.handshakeSeconds * 1000,
      headersWaiting: options.config.ssh.limits.unauthenticated,
      now: () => performance.now(),
      onConnection: (connection) => this.#hand(connection),
      onRefused: (sourceAddress, refusal, detail) =>
        this.#tally.count('connection.refused', refusal, { sourceAddress, refusal, detail }),
      onError: (error) => this.#log.error('listener.failed', { error }),
    });
    this.#pool = new WorkerPool({
      count: options.workers,
      start: options.start,
      log: options.log,
      onMessage: (worker, message) => this.#onMessage(worker, message),
      onLost: (worker, pid, tickets, expected) => this.#onLost(worker, pid, tickets, expected),
    });
    this.#watches = new Watches((worker, message) => this.#pool.tell(worker, message));
  }

  /** Addresses that are listened on, ports as the system chose them. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /**
   * Runs until it is told to end. Throws ControlError, WorkerStartError or ListenError when it can't start. Resolves
   * when every session has ended and every worker is gone.
   */
  async run(until: AbortSignal, onReady: () => void = () => {}): Promise<void> {
    await using control = await openControlServer(this.#config.data, (request) => this.#serve(request));
    await this.#options.recover();
    // Beside the workers' start; what becomes of it never holds them up.
    this.#options.admin?.start();
    await this.#pool.start();
    const sweep = setInterval(() => this.#sweep(), SWEEP_EVERY);
    try {
      const addresses: string[] = [];
      for (const address of this.#config.ssh.listen)
        addresses.push(formatSocketAddress(await this.#listener.listen(address)));
      this.#addresses = addresses;
      this.#phase = 'ready';
      this.#log.always('gateway.ready', {
        text: `ready on ${addresses.join(', ')}`,
        addresses,
        workers: this.#options.workers,
        control: control.path,
        pid: process.pid,
      });
      onReady();
      await this.#told(until);
      await this.#drain();
    } finally {
      this.#phase = 'ended';
      clearInterval(sweep);
      this.#listener[Symbol.dispose]();
      this.#tally[Symbol.dispose]();
      await Promise.all([this.#pool.stop(LAST_WORDS), this.#options.admin?.stop()]);
    }
    this.#log.info('gateway.ended', { uptimeSeconds: Math.round((Date.now() - this.#startedAt) / 1000) });
  }

  /** Ends all sessions at once instead of waiting for them. */
  endNow(): void {
    this.#endNow?.();
  }

  /** As SIGTERM. */
  drain(): void {
    this.#wakeTold?.();
  }
  #wakeTold: (() => void) | undefined;

  /** Reads the configuration again. What is wrong with it is logged and told, and the old one stays. */
  reload(): ReloadOutcome {
    try {
      const next = this.#options.reread();
      const needRestart = changedKeys(this.#config, next);
      this.#config = next;
      this.#log.setLevel(next.log.level);
      this.#admission.setLimits(next.ssh.limits);
      this.#listener.setProxies(next.ssh.proxyProtocol.from);
      const config = JSON.stringify(next);
      this.#pool.tellAll({ kind: 'configure', config });
      this.#options.admin?.tell({ kind: 'reconfigure', config });
      this.#log.info('config.reloaded', { file: next.file, needRestart });
      return { kind: 'reloaded', needRestart };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#log.error('config.rejected', { problem });
      return { kind: 'rejected', problem };
    }
  }

  /** The configuration that holds now; for a worker that is started again. */
  get config(): Config {
    return this.#config;
  }

  #told(until: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeTold = resolve;
      if (until.aborted) resolve();
      until.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async #drain(): Promise<void> {
    this.#phase = 'draining';
    this.#listener[Symbol.dispose]();
    const seconds = this.#config.drainSeconds;
    this.#log.info('gateway.draining', { sessions: this.#sessions.size, seconds });
    this.#pool.tellAll({ kind: 'drain', tell: `${DRAINING}: it ends in ${inWords(seconds)}.` });
    await this.#empty(seconds * 1000);
    if (this.#admission.connections === 0) return;
    this.#log.warn('gateway.ending-sessions', { sessions: this.#sessions.size });
    this.#pool.tellAll({ kind: 'end-all', reason: 'gateway-stopped', tell: ENDING });
    await this.#empty(LAST_WORDS, false);
  }

  /** Resolves when no connection is left, after `patience` milliseconds, or when the end is urgent. */
  async #empty(patience: number, interruptible = true): Promise<void> {
    if (this.#admission.connections === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => {
        this.#wakeEmpty = resolve;
      }),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience);
      }),
      ...(interruptible ? [this.#urgent] : []),
    ]);
    clearTimeout(timer);
    this.#wakeEmpty = undefined;
  }

  #hand(connection: AcceptedConnection): void {
    if (this.#pool.hand(connection)) return;
    connection.socket.destroy();
    this.#admission.ended(connection.ticket);
    this.#tally.count('connection.refused', 'no-worker', {
      sourceAddress: connection.sourceAddress,
      refusal: 'no-worker',
    });
  }

  #onMessage(worker: number, message: ToSupervisor): void {
    switch (message.kind) {
      case 'up':
        this.#nativeCrypto = message.nativeCrypto;
        if (!message.nativeCrypto)
          this.#log.warn('crypto.native-missing', {
            worker,
            text: "ssh2's native crypto did not load: everything works, but bulk transfers are up to half as fast. Rebuild it with: npm rebuild ssh2",
          });
        return;
      case 'authenticated':
        this.#admission.authenticated(message.ticket);
        return;
      case 'ended':
        this.#ended(message.ticket);
        return;
      case 'session-started':
        this.#sessions.set(message.session.id, { ...message.session, worker });
        return;
      case 'session-ended':
        this.#sessions.delete(message.id);
        return;
      case 'notice':
        this.#notice(message.topic, message.payload);
        return;
      case 'watched':
        this.#watches.hear(message.watch, message.lines, message.over);
        return;
      case 'failed':
      case 'pong':
      case 'transferring':
        return;
      default:
        message satisfies never;
    }
  }

  #ended(ticket: number): void {
    this.#admission.ended(ticket);
    if (this.#admission.connections === 0) this.#wakeEmpty?.();
  }

  #onLost(worker: number, pid: number, tickets: ReadonlySet<number>, expected: boolean): void {
    for (const ticket of tickets) this.#ended(ticket);
    if (worker < 0) return;
    this.#watches.lost(worker);
    const lost = [...this.#sessions.values()].filter((session) => session.worker === worker);
    for (const session of lost) this.#sessions.delete(session.id);
    if (expected && lost.length === 0) return;
    this.#options.closeLost(lost, pid).catch((error: unknown) => {
      this.#log.error('session.lost-not-closed', { worker, error });
    });
  }

  #sweep(): void {
    const tickets = this.#admission.overdue(performance.now());
    if (tickets.length > 0) this.#pool.tellAll({ kind: 'overdue', tickets });
  }

  /** Tells every process of this gateway. */
  #notice(topic: string, payload: string): void {
    this.#options.notices.hear(topic, payload);
    this.#pool.tellAll({ kind: 'notice', topic, payload });
    this.#options.admin?.tell({ kind: 'notice', topic, payload });
  }

  /** For the store of this process; see notices.ts. */
  readonly notice = (topic: string, payload: string): void => this.#notice(topic, payload);

  /** Gives an order to a session of this gateway; false when there is none of that id. */
  order(id: string, order: Order): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined) return false;
    this.#log.info('session.ordered', { session: id, order: order.kind, user: session.user });
    if (order.kind !== 'end') this.#sessions.set(id, { ...session, held: order.kind === 'hold' });
    return this.#pool.tell(session.worker, { kind: 'order', session: id, order });
  }

  /**
   * Shows a live session of this gateway to `by`, whose right to see it the caller has checked: lines of JSON, each a
   * LiveEvent (recordings/live.ts). Undefined when there is no such session here, or too many watch. Rejects when it
   * can't be noted.
   */
  async watch(id: string, by: string): Promise<Watching | undefined> {
    const session = this.#sessions.get(id);
    if (session === undefined) return undefined;
    await this.#options.noteWatch(session, by);
    this.#log.info('session.watched', { session: id, user: session.user, by });
    return this.#watches.open(session.worker, id, by);
  }

  get health(): Health {
    return {
      state: this.#phase === 'ended' ? 'draining' : this.#phase,
      version: this.#options.version,
      pid: process.pid,
      startedAt: this.#startedAt,
      addresses: [...this.#addresses],
      connections: this.#admission.connections,
      unauthenticated: this.#admission.unauthenticated,
      sessions: this.#sessions.size,
      nativeCrypto: this.#nativeCrypto,
      workers: [...this.#pool.health],
    };
  }

  async #serve(request: ControlRequest): Promise<ControlAnswer | Watching> {
    switch (request.do) {
      case 'health':
        return { kind: 'health', health: this.health };
      case 'sessions':
        return {
          kind: 'sessions',
          sessions: [...this.#sessions.values()].map(({ worker: _, ...session }) => session),
        };
      case 'order': {
        if (this.order(request.session, request.order)) return { kind: 'delivered', sessions: 1 };
        await this.#options.forward(request.session, request.order);
        return { kind: 'delivered', sessions: 0 };
      }
      case 'end-user': {
        const theirs = [...this.#sessions.values()].filter((session) => session.user === request.user);
        const order: Order = { kind: 'end', reason: request.reason, tell: request.tell };
        return {
          kind: 'delivered',
          sessions: theirs.filter((session) => this.order(session.id, order)).length,
        };
      }
      case 'notice':
        this.#notice(request.topic, request.payload);
        return { kind: 'delivered', sessions: 0 };
      case 'watch':
        return (
          (await this.watch(request.session, request.by)) ?? {
            kind: 'refused',
            code: 'not-live',
            text: 'the session is not live in the gateway that runs here, or too many watch',
          }
        );
      case 'reload': {
        const outcome = this.reload();
        return outcome.kind === 'reloaded'
          ? { kind: 'reloaded', needRestart: [...outcome.needRestart] }
          : { kind: 'refused', code: 'config', text: outcome.problem };
      }
      case 'drain':
        this.drain();
        return { kind: 'draining' };
      default:
        return request satisfies never;
    }
  }
}

const inWords = (seconds: number): string =>
  seconds < 120 ? `${Math.round(seconds)} seconds` : `${Math.round(seconds / 60)} minutes`;
