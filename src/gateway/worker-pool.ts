// Owns the workers: starts them, hands each connection to the least loaded one, notices when one dies or stops
// answering, and starts another after a growing pause. What a worker does with a connection, and what is to be said
// about a lost one, belongs to others.
import type { Socket } from 'node:net';
import type { AcceptedConnection } from '../../proxy/server/listener.ts';
import type { Log } from './log.ts';
import type { ToSupervisor, ToWorker } from './messages.ts';

export interface WorkerEvents {
  readonly onMessage: (message: ToSupervisor) => void;
  /** Once, when it is gone for whatever reason. */
  readonly onExit: (how: string) => void;
}

/** A running worker, be it a process or a part of this one. */
export interface WorkerHandle {
  readonly pid: number;
  /** `sent` is called when the socket, if any, is the worker's or lost. Never throws. */
  send(message: ToWorker, socket?: Socket, sent?: (error: Error | null) => void): void;
  /** Ends it without a chance to say anything. */
  kill(): void;
}

export type StartWorker = (index: number, events: WorkerEvents) => WorkerHandle;

interface Running {
  readonly handle: WorkerHandle;
  readonly since: number;
  readonly tickets: Set<number>;
  /** Sockets that are on their way to it. */
  readonly passing: Map<number, Socket>;
  /** Much is passing through it: who connects now is better off elsewhere. */
  transferring: boolean;
  pinged: number;
  ponged: number;
}

type Slot =
  | { readonly kind: 'starting'; readonly running: Running }
  | { readonly kind: 'up'; readonly running: Running }
  | { readonly kind: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'stopped' };

/** A worker through which much passes takes a new connection only when the others have so many more. */
const TRANSFER_WEIGHT = 32;

const loadOf = ({ tickets, transferring }: Running): number =>
  tickets.size + (transferring ? TRANSFER_WEIGHT : 0);

export interface WorkerPoolOptions {
  readonly count: number;
  readonly start: StartWorker;
  readonly log: Log;
  readonly onMessage: (index: number, message: ToSupervisor) => void;
  /** A worker is gone; these tickets were its connections. */
  readonly onLost: (index: number, pid: number, tickets: ReadonlySet<number>, expected: boolean) => void;
}

export class WorkerStartError extends Error {
  readonly code = 'SP_WORKER_START';

  constructor(message: string) {
    super(message);
    this.name = 'WorkerStartError';
  }
}

const START_TIMEOUT = 60_000;
const SHORTEST_PAUSE = 100;
const LONGEST_PAUSE = 30_000;
/** A worker that lived this long starts with the shortest pause again. */
const PROVEN = 60_000;
const PING_EVERY = 5000;
const UNANSWERED_PINGS = 6;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot[];
  readonly #restarts: number[];
  readonly #failures: number[];
  #phase: 'running' | 'stopping' = 'running';
  #pings: NodeJS.Timeout | undefined;
  #settleStart: ((error: Error | undefined) => void) | undefined;
  #wakeStopped: (() => void) | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, () => ({ kind: 'stopped' }));
    this.#restarts = this.#slots.map(() => 0);
    this.#failures = this.#slots.map(() => 0);
  }

  /** Resolves when every worker is up. Throws WorkerStartError when one can't start; the others are then killed. */
  async start(): Promise<void> {
    const up = new Promise<void>((resolve, reject) => {
      this.#settleStart = (error) => {
        this.#settleStart = undefined;
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      const timer = setTimeout(
        () => this.#settleStart?.(new WorkerStartError(`workers are not up after ${START_TIMEOUT / 1000} s`)),
        START_TIMEOUT,
      );
    });
    for (let index = 0; index < this.#slots.length; index++) this.#launch(index);
    try {
      await up;
    } catch (error) {
      this.kill();
      throw error;
    }
    this.#pings = setInterval(() => this.#ping(), PING_EVERY);
    this.#pings.unref();
  }

  /** Hands a connection to the least loaded worker. False when none is up; the socket is then still the caller's. */
  hand(connection: AcceptedConnection): boolean {
    let best: Running | undefined;
    for (const slot of this.#slots) {
      if (slot.kind !== 'up') continue;
      if (best === undefined || loadOf(slot.running) < loadOf(best)) best = slot.running;
    }
    if (best === undefined) return false;
    const { socket, ticket, begun, sourceAddress, sourcePort, localAddress, localPort } = connection;
    const running = best;
    running.tickets.add(ticket);
    running.passing.set(ticket, socket);
    const message: ToWorker = {
      kind: 'connection',
      ticket,
      sourceAddress,
      sourcePort,
      localAddress,
      localPort,
      begun: begun.toString('base64'),
    };
    running.handle.send(message, socket, (error) => {
      running.passing.delete(ticket);
      if (error === null || !running.tickets.delete(ticket)) return;
      socket.destroy();
      this.#options.onLost(-1, running.handle.pid, new Set([ticket]), true);
    });
    return true;
  }

  /** Says something to every worker that is up. */
  tellAll(message: ToWorker): void {
    for (const slot of this.#slots) if (slot.kind === 'up') slot.running.handle.send(message);
  }

  tell(index: number, message: ToWorker): boolean {
    const slot = this.#slots[index];
    if (slot?.kind !== 'up') return false;
    slot.running.handle.send(message);
    return true;
  }

  get health(): readonly {
    readonly pid: number;
    readonly state: 'starting' | 'up' | 'restarting';
    readonly connections: number;
    readonly restarts: number;
  }[] {
    return this.#slots.map((slot, index) => {
      const restarts = this.#restarts[index] ?? 0;
      switch (slot.kind) {
        case 'starting':
        case 'up':
          return {
            pid: slot.running.handle.pid,
            state: slot.kind,
            connections: slot.running.tickets.size,
            restarts,
          };
        case 'waiting':
        case 'stopped':
          return { pid: 0, state: 'restarting', connections: 0, restarts };
        default:
          return slot satisfies never;
      }
    });
  }

  /** Asks every worker to end and kills those that have not within `patience` milliseconds. */
  async stop(patience: number): Promise<void> {
    this.#phase = 'stopping';
    clearInterval(this.#pings);
    const gone = new Promise<void>((resolve) => {
      this.#wakeStopped = resolve;
    });
    for (const [index, slot] of this.#slots.entries()) {
      if (slot.kind === 'waiting') {
        clearTimeout(slot.timer);
        this.#slots[index] = { kind: 'stopped' };
      } else if (slot.kind !== 'stopped') slot.running.handle.send({ kind: 'stop' });
    }
    const timer = setTimeout(() => this.kill(), patience);
    this.#checkStopped();
    await gone;
    clearTimeout(timer);
  }

  /** Ends every worker at once. */
  kill(): void {
    this.#phase = 'stopping';
    clearInterval(this.#pings);
    for (const slot of this.#slots) {
      if (slot.kind === 'starting' || slot.kind === 'up') slot.running.handle.kill();
      else if (slot.kind === 'waiting') clearTimeout(slot.timer);
    }
  }

  #launch(index: number): void {
    let failure: string | undefined;
    const handle = this.#options.start(index, {
      onMessage: (message) => {
        switch (message.kind) {
          case 'up':
            this.#slots[index] = { kind: 'up', running };
            this.#options.log.info('worker.up', { worker: index, pid: handle.pid });
            if (this.#slots.every((slot) => slot.kind === 'up')) this.#settleStart?.(undefined);
            break;
          case 'failed':
            failure = message.problem;
            break;
          case 'ended':
            running.tickets.delete(message.ticket);
            break;
          case 'pong':
            running.ponged = message.number;
            return;
          case 'transferring':
            running.transferring = message.on;
            return;
          case 'authenticated':
          case 'session-started':
          case 'session-ended':
          case 'notice':
          case 'watched':
            break;
          default:
            message satisfies never;
        }
        this.#options.onMessage(index, message);
      },
      onExit: (how) => this.#lost(index, running, failure === undefined ? how : `${how}: ${failure}`),
    });
    const running: Running = {
      handle,
      since: performance.now(),
      tickets: new Set(),
      passing: new Map(),
      transferring: false,
      pinged: 0,
      ponged: 0,
    };
    this.#slots[index] = { kind: 'starting', running };
  }

  #lost(index: number, running: Running, how: string): void {
    for (const socket of running.passing.values()) socket.destroy();
    const expected = this.#phase === 'stopping';
    this.#options.onLost(index, running.handle.pid, running.tickets, expected);
    if (expected || this.#settleStart !== undefined) {
      this.#slots[index] = { kind: 'stopped' };
      if (!expected) this.#settleStart?.(new WorkerStartError(`worker ${index} can't start: ${how}`));
      this.#checkStopped();
      return;
    }
    const lived = performance.now() - running.since;
    const failures = lived > PROVEN ? 0 : (this.#failures[index] ?? 0);
    this.#failures[index] = failures + 1;
    this.#restarts[index] = (this.#restarts[index] ?? 0) + 1;
    const pause = Math.min(SHORTEST_PAUSE * 2 ** failures, LONGEST_PAUSE);
    this.#options.log.error('worker.crashed', {
      worker: index,
      pid: running.handle.pid,
      how,
      connections: running.tickets.size,
      restartInMilliseconds: pause,
    });
    this.#slots[index] = { kind: 'waiting', timer: setTimeout(() => this.#launch(index), pause) };
  }

  #ping(): void {
    for (const [index, slot] of this.#slots.entries()) {
      if (slot.kind !== 'up') continue;
      const { running } = slot;
      if (running.pinged - running.ponged >= UNANSWERED_PINGS) {
        this.#options.log.error('worker.unresponsive', { worker: index, pid: running.handle.pid });
        running.handle.kill();
        continue;
      }
      running.pinged += 1;
      running.handle.send({ kind: 'ping', number: running.pinged });
    }
  }

  #checkStopped(): void {
    if (this.#slots.every((slot) => slot.kind === 'stopped')) this.#wakeStopped?.();
  }
}
