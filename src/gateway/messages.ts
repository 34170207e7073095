// What the supervisor and its workers tell each other, and what the control socket carries: shapes and their checks.
// Pure. Both sides are ours, but a message that is not understood is an error here and nowhere else.
import { z } from 'zod';

const order = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('end'), reason: z.string().max(256), tell: z.string().max(1024) }),
  z.object({ kind: z.literal('hold') }),
  z.object({ kind: z.literal('release') }),
]);

/** An order for one live session. */
export type Order = z.output<typeof order>;

const forwardedOrder = z.object({ session: z.string().max(128), order });

/** An order from another gateway; undefined when it is not one. */
export const readForwardedOrder = (
  payload: string,
): { readonly session: string; readonly order: Order } | undefined => {
  try {
    return forwardedOrder.parse(JSON.parse(payload));
  } catch {
    return undefined;
  }
};

const liveSession = z.object({
  id: z.string(),
  user: z.string(),
  userId: z.string(),
  device: z.string(),
  account: z.string(),
  sourceAddress: z.string(),
  via: z.string(),
  startedAt: z.number(),
  /** An administrator keeps what the user types from the device. */
  held: z.boolean().optional(),
});

/** A session that is going on, as the supervisor and the command line see it. Times in milliseconds since the epoch. */
export type LiveSession = z.output<typeof liveSession>;

/** To a worker. A `connection` comes with the socket itself. */
export type ToWorker =
  | {
      readonly kind: 'connection';
      readonly ticket: number;
      readonly sourceAddress: string;
      readonly sourcePort: number;
      readonly localAddress: string;
      readonly localPort: number;
      /** Bytes already read from the client, base64. */
      readonly begun: string;
    }
  | { readonly kind: 'order'; readonly session: string; readonly order: Order }
  /** The grace of these connections is over. */
  | { readonly kind: 'overdue'; readonly tickets: readonly number[] }
  /** Users are told; connections without a session end now. */
  | { readonly kind: 'drain'; readonly tell: string }
  /** Every connection ends, its users told why. */
  | { readonly kind: 'end-all'; readonly reason: string; readonly tell: string }
  /** The whole Config, as JSON. */
  | { readonly kind: 'configure'; readonly config: string }
  /** A store's message for every process of this gateway. */
  | { readonly kind: 'notice'; readonly topic: string; readonly payload: string }
  /** Somebody begins to watch a session; see watch.ts. */
  | { readonly kind: 'watch'; readonly watch: number; readonly session: string; readonly by: string }
  /** The watcher has taken so many characters. */
  | { readonly kind: 'watch-read'; readonly watch: number; readonly characters: number }
  | { readonly kind: 'watch-end'; readonly watch: number }
  | { readonly kind: 'ping'; readonly number: number }
  | { readonly kind: 'stop' };

const toWorker = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('connection'),
    ticket: z.number(),
    sourceAddress: z.string(),
    sourcePort: z.number(),
    localAddress: z.string(),
    localPort: z.number(),
    begun: z.string(),
  }),
  z.object({ kind: z.literal('order'), session: z.string(), order }),
  z.object({ kind: z.literal('overdue'), tickets: z.array(z.number()) }),
  z.object({ kind: z.literal('drain'), tell: z.string() }),
  z.object({ kind: z.literal('end-all'), reason: z.string(), tell: z.string() }),
  z.object({ kind: z.literal('configure'), config: z.string() }),
  z.object({ kind: z.literal('notice'), topic: z.string(), payload: z.string() }),
  z.object({ kind: z.literal('watch'), watch: z.number(), session: z.string(), by: z.string() }),
  z.object({ kind: z.literal('watch-read'), watch: z.number(), characters: z.number() }),
  z.object({ kind: z.literal('watch-end'), watch: z.number() }),
  z.object({ kind: z.literal('ping'), number: z.number() }),
  z.object({ kind: z.literal('stop') }),
]);

export const readToWorker = (message: unknown): ToWorker => toWorker.parse(message);

const toSupervisor = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('up'), nativeCrypto: z.boolean() }),
  /** The worker can't start; it ends after this. */
  z.object({ kind: z.literal('failed'), problem: z.string() }),
  z.object({ kind: z.literal('authenticated'), ticket: z.number() }),
  z.object({ kind: z.literal('ended'), ticket: z.number() }),
  z.object({ kind: z.literal('session-started'), session: liveSession }),
  z.object({ kind: z.literal('session-ended'), id: z.string() }),
  z.object({ kind: z.literal('notice'), topic: z.string(), payload: z.string() }),
  z.object({ kind: z.literal('pong'), number: z.number() }),
  /** Lines of a watch, each an event as JSON; `over`: the last ones. */
  z.object({ kind: z.literal('watched'), watch: z.number(), lines: z.array(z.string()), over: z.boolean() }),
  /** Much is passing through the worker, or no longer. */
  z.object({ kind: z.literal('transferring'), on: z.boolean() }),
]);

/** From a worker. */
export type ToSupervisor = z.output<typeof toSupervisor>;

export const readToSupervisor = (message: unknown): ToSupervisor => toSupervisor.parse(message);

const controlRequest = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('health') }),
  z.strictObject({ do: z.literal('sessions') }),
  z.strictObject({ do: z.literal('order'), session: z.string().min(1).max(128), order }),
  z.strictObject({
    do: z.literal('end-user'),
    user: z.string().min(1).max(256),
    reason: z.string().max(256),
    tell: z.string().max(1024),
  }),
  z.strictObject({ do: z.literal('notice'), topic: z.string().max(256), payload: z.string().max(8000) }),
  /** Answered by `watching`, then the events of the session, one a line, until it is over or the asker goes. */
  z.strictObject({
    do: z.literal('watch'),
    session: z.string().min(1).max(128),
    by: z.string().min(1).max(256),
  }),
  z.strictObject({ do: z.literal('reload') }),
  z.strictObject({ do: z.literal('drain') }),
]);

export type ControlRequest = z.output<typeof controlRequest>;

const workerHealth = z.object({
  pid: z.number(),
  state: z.enum(['starting', 'up', 'restarting']),
  connections: z.number(),
  restarts: z.number(),
});

const health = z.object({
  state: z.enum(['starting', 'ready', 'draining']),
  version: z.string(),
  pid: z.number(),
  startedAt: z.number(),
  addresses: z.array(z.string()),
  connections: z.number(),
  unauthenticated: z.number(),
  sessions: z.number(),
  nativeCrypto: z.boolean(),
  workers: z.array(workerHealth),
});

export type Health = z.output<typeof health>;

const controlAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('health'), health }),
  z.object({ kind: z.literal('sessions'), sessions: z.array(liveSession) }),
  /** `sessions`: how many live sessions of this gateway the order reached. */
  z.object({ kind: z.literal('delivered'), sessions: z.number() }),
  z.object({ kind: z.literal('reloaded'), needRestart: z.array(z.string()) }),
  z.object({ kind: z.literal('draining') }),
  z.object({ kind: z.literal('watching') }),
  z.object({ kind: z.literal('refused'), code: z.string(), text: z.string() }),
]);

export type ControlAnswer = z.output<typeof controlAnswer>;

export const readControlRequest = (message: unknown): ControlRequest | undefined => {
  const result = controlRequest.safeParse(message);
  return result.success ? result.data : undefined;
};

export const readControlAnswer = (message: unknown): ControlAnswer => controlAnswer.parse(message);
