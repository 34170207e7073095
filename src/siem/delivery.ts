// Carries the queue of one output to its receiver: at least once, in the order of the event log, with pauses that grow
// while nobody takes anything. What was sent and not settled is sent again. It decides what an output wants; formats,
// connections and tables are elsewhere.
import type { GatewayEvent, NewEvent } from '../behaviour/events.ts';
import { OUTPUT_SEVERITIES, type OutputSettings } from '../config/outputs.ts';
import { newId } from '../store/id.ts';
import type { Store } from '../store/store.ts';
import { toCef } from './cef.ts';
import { severityOf } from './describe.ts';
import { toEcs } from './ecs.ts';
import { MailSender } from './mail-sender.ts';
import { type Producer, toOcsf } from './ocsf.ts';
import {
  enforceLimit,
  fillQueue,
  holdOutput,
  leaveOutput,
  markRefused,
  markSent,
  noteFailure,
  readQueue,
} from './queue.ts';
import { type Outgoing, OutputError, type Sender } from './sender.ts';
import { SyslogSender } from './syslog-sender.ts';
import { WebhookSender } from './webhook-sender.ts';

export interface DeliveryLog {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface DeliveryTimes {
  /** Between looks at the event log when nothing tells of events. */
  readonly look: number;
  /** How long an output is held without being renewed. */
  readonly hold: number;
  readonly firstPause: number;
  readonly longestPause: number;
  /** How often the queue is measured. */
  readonly measure: number;
  /** See Sender.settle; undefined: the sender's own. */
  readonly settle?: number;
}

export const DELIVERY_TIMES: DeliveryTimes = {
  look: 1_000,
  hold: 30_000,
  firstPause: 1_000,
  longestPause: 60_000,
  measure: 10_000,
};

export interface DeliveryDeps {
  readonly store: Store;
  readonly producer: Producer;
  readonly log: DeliveryLog;
  /** Writes to the event log: an overflow is an event of its own. */
  readonly append: (events: readonly NewEvent[]) => Promise<unknown>;
  readonly now: () => number;
  readonly times: DeliveryTimes;
}

/** Events that are sent and not settled yet, at most. */
const MOST_UNSETTLED = 5_000;

/** Whether an output wants an event. */
export const wants = (settings: OutputSettings, event: GatewayEvent): boolean => {
  if (settings.events !== undefined && !settings.events.includes(event.kind)) return false;
  if (event.kind === 'command' && settings.commands === 'audited' && event.rules.length === 0) {
    // Unread or refused lines are worth telling though no rule was met.
    if (event.outcome === 'ran') return false;
  }
  return OUTPUT_SEVERITIES.indexOf(severityOf(event)) >= OUTPUT_SEVERITIES.indexOf(settings.minimumSeverity);
};

/** The event in the output's format; a mail is written by its sender. */
export const textOf = (settings: OutputSettings, event: GatewayEvent, producer: Producer): string => {
  if (settings.kind === 'mail') return '';
  switch (settings.format) {
    case 'cef':
      return toCef(event, producer);
    case 'ocsf':
      return JSON.stringify(toOcsf(event, producer));
    case 'ecs':
      return JSON.stringify(toEcs(event, producer));
  }
};

export const senderOf = (
  settings: OutputSettings,
  { producer, times }: Pick<DeliveryDeps, 'producer' | 'times'>,
): Sender => {
  switch (settings.kind) {
    case 'syslog':
      return new SyslogSender(settings, producer, { settle: times.settle ?? 2_000 });
    case 'webhook':
      return new WebhookSender(settings);
    case 'mail':
      return new MailSender(settings, producer);
  }
};

interface Unsettled {
  readonly ids: readonly string[];
  readonly delivered: number;
  readonly at: number;
}

class Delivery {
  readonly #settings: OutputSettings;
  readonly #deps: DeliveryDeps;
  readonly #signal: AbortSignal;
  readonly #holder = newId();
  #sender: Sender | undefined;
  #unsettled: Unsettled[] = [];
  #losses = 0;
  #failures = 0;
  #batch: number | undefined;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #filledAt = Number.NEGATIVE_INFINITY;
  #heldUntil = 0;
  #told = true;
  #wake: (() => void) | undefined;

  constructor(settings: OutputSettings, deps: DeliveryDeps, signal: AbortSignal) {
    this.#settings = settings;
    this.#deps = deps;
    this.#signal = signal;
  }

  /** Something may have come in. */
  wake(): void {
    this.#told = true;
    this.#wake?.();
  }

  async run(): Promise<void> {
    const { store, log, times } = this.#deps;
    const output = this.#settings.name;
    try {
      while (!this.#signal.aborted) {
        try {
          const busy = await this.#turn();
          if (!busy) await this.#rest(times.look);
        } catch (error) {
          await this.#failed(error);
        }
      }
      await this.#settle(true).catch(() => undefined);
      await leaveOutput(store, output, this.#holder).catch(() => undefined);
    } catch (error) {
      log.error('output.stopped', { output, error });
    } finally {
      this.#sender?.[Symbol.dispose]();
    }
  }

  /** True: there is more to do at once. */
  async #turn(): Promise<boolean> {
    const { store, now, times, log } = this.#deps;
    const output = this.#settings.name;
    const at = now();
    // Renewed when a third of the time is gone.
    if (at + (times.hold * 2) / 3 > this.#heldUntil) {
      const until = at + times.hold;
      if (!(await holdOutput(store, output, { holder: this.#holder, now: at, until }))) {
        this.#unsettled = [];
        this.#heldUntil = 0;
        return false;
      }
      this.#heldUntil = until;
    }
    await this.#settle(false);
    if (this.#told || at - this.#filledAt >= times.look) {
      this.#told = false;
      this.#filledAt = at;
      await fillQueue(store, output, this.#settings.events, at);
    }
    if (at - this.#measuredAt >= times.measure) {
      this.#measuredAt = at;
      await this.#measure();
    }
    const inFlight = new Set(this.#unsettled.flatMap(({ ids }) => ids));
    if (inFlight.size >= MOST_UNSETTLED) return false;
    this.#sender ??= senderOf(this.#settings, this.#deps);
    const sender = this.#sender;
    const queued = await readQueue(store, output, this.#batch ?? sender.batch, inFlight);
    if (queued.length === 0) return false;
    const outgoing: Outgoing[] = [];
    for (const { id, event } of queued) {
      if (event !== undefined && wants(this.#settings, event))
        outgoing.push({ id, event, text: textOf(this.#settings, event, this.#deps.producer) });
    }
    const ids = queued.map(({ id }) => id);
    if (outgoing.length === 0) {
      await markSent(store, output, ids, { delivered: 0, now: at });
      return true;
    }
    const sent = await sender.send(outgoing, this.#signal);
    switch (sent.kind) {
      case 'taken':
        this.#unsettled.push({ ids, delivered: outgoing.length, at: performance.now() });
        if (sender.settle === 0) await this.#settle(true);
        if (this.#failures > 0) log.info('output.recovered', { output, failures: this.#failures });
        this.#failures = 0;
        this.#batch = this.#batch === undefined ? undefined : Math.min(this.#batch * 2, sender.batch);
        return true;
      case 'too-many':
        this.#batch = Math.max(1, Math.floor(outgoing.length / 2));
        return true;
      case 'refused':
        log.error('output.refused', { output, event: sent.id, reason: sent.reason });
        await markRefused(store, output, sent.id, sent.reason);
        return true;
      default:
        return sent satisfies never;
    }
  }

  /** Marks as sent what has stood the test of time; forgets what may be gone, so that it is sent again. */
  async #settle(all: boolean): Promise<void> {
    const sender = this.#sender;
    if (sender === undefined) return;
    if (sender.losses !== this.#losses) {
      this.#losses = sender.losses;
      this.#unsettled = [];
    }
    const due = performance.now() - sender.settle;
    while (this.#unsettled.length > 0) {
      const [first] = this.#unsettled;
      if (first === undefined || (first.at > due && !(all && sender.settle === 0))) return;
      await markSent(this.#deps.store, this.#settings.name, first.ids, {
        delivered: first.delivered,
        now: this.#deps.now(),
      });
      this.#unsettled.shift();
    }
  }

  async #measure(): Promise<void> {
    const { store, log, append } = this.#deps;
    const { name: output, queue } = this.#settings;
    const lost = await enforceLimit(store, output, queue.events, queue.overflow);
    if (lost === 0) return;
    log.error('output.overflowed', { output, lost, limit: queue.events, policy: queue.overflow });
    await append([{ kind: 'output-overflowed', output, lost, policy: queue.overflow }]);
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#signal.aborted) return;
    const { store, log, now, times } = this.#deps;
    const output = this.#settings.name;
    this.#failures += 1;
    this.#unsettled = [];
    this.#losses = this.#sender?.losses ?? 0;
    const known = error instanceof OutputError;
    const message = error instanceof Error ? error.message : String(error);
    const grown = Math.min(times.firstPause * 2 ** Math.min(this.#failures - 1, 20), times.longestPause);
    // Jitter, so that many gateways do not come back at once.
    const pause = Math.max((known ? error.wait : undefined) ?? 0, grown * (0.5 + Math.random() / 2));
    // Each doubling is worth a line; every try is not.
    if (Number.isInteger(Math.log2(this.#failures)))
      log.warn('output.failed', {
        output,
        failures: this.#failures,
        pauseSeconds: Math.round(pause / 100) / 10,
        ...(known ? { code: error.code, problem: message } : { error }),
      });
    await noteFailure(store, output, known ? `${error.code}: ${message}` : message, now()).catch(
      () => undefined,
    );
    await this.#measureQuietly();
    await this.#pause(pause);
  }

  /** A queue that can't be sent is filled and bounded all the same. */
  async #measureQuietly(): Promise<void> {
    const { store, now, times, log } = this.#deps;
    try {
      const at = now();
      if (at > this.#heldUntil) return;
      await fillQueue(store, this.#settings.name, this.#settings.events, at);
      if (at - this.#measuredAt < times.measure) return;
      this.#measuredAt = at;
      await this.#measure();
    } catch (error) {
      log.warn('output.queue-failed', { output: this.#settings.name, error });
    }
  }

  /** Until something comes in, or for so long. */
  #rest(milliseconds: number): Promise<void> {
    if (this.#told && this.#unsettled.length === 0) return Promise.resolve();
    return this.#sleep(Math.min(milliseconds, this.#unsettled.length > 0 ? 100 : milliseconds), true);
  }

  #pause(milliseconds: number): Promise<void> {
    return this.#sleep(milliseconds, false);
  }

  #sleep(milliseconds: number, wakeable: boolean): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    timer.unref();
    const onAbort = (): void => resolve();
    this.#signal.addEventListener('abort', onAbort, { once: true });
    if (wakeable) this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', onAbort);
      this.#wake = undefined;
    });
  }
}

export interface Outputs extends AsyncDisposable {
  /** Events were written. */
  wake(): void;
  /** Other outputs from now on; those that stay as they are go on undisturbed. */
  reconfigure(outputs: readonly OutputSettings[]): void;
}

interface Running {
  readonly settings: string;
  readonly delivery: Delivery;
  readonly end: AbortController;
  readonly ended: Promise<void>;
}

/** Every process of a gateway may run them: for each output one at a time sends. */
export const startOutputs = (outputs: readonly OutputSettings[], deps: DeliveryDeps): Outputs => {
  const running = new Map<string, Running>();
  const ending = new Set<Promise<void>>();
  const stop = (name: string, one: Running): void => {
    one.end.abort();
    running.delete(name);
    const gone: Promise<void> = one.ended.finally(() => ending.delete(gone));
    ending.add(gone);
  };
  const configure = (wanted: readonly OutputSettings[]): void => {
    for (const [name, one] of [...running]) {
      const next = wanted.find((output) => output.name === name);
      if (next === undefined || JSON.stringify(next) !== one.settings) stop(name, one);
    }
    for (const settings of wanted) {
      if (running.has(settings.name)) continue;
      const end = new AbortController();
      const delivery = new Delivery(settings, deps, end.signal);
      running.set(settings.name, {
        settings: JSON.stringify(settings),
        delivery,
        end,
        ended: delivery.run(),
      });
    }
  };
  configure(outputs);
  return {
    wake: () => {
      for (const { delivery } of running.values()) delivery.wake();
    },
    reconfigure: configure,
    [Symbol.asyncDispose]: async () => {
      for (const [name, one] of [...running]) stop(name, one);
      await Promise.all(ending);
    },
  };
};
