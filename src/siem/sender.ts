// What an output can do: take a batch and say what became of it. One implementation a kind of receiver; none of them
// knows of queues or retries.
import type { GatewayEvent } from '../behaviour/events.ts';

export interface Outgoing {
  readonly id: string;
  readonly event: GatewayEvent;
  /** In the output's format, one line. */
  readonly text: string;
}

export type Sent =
  /** The receiver has all of it, as far as it can tell. */
  | { readonly kind: 'taken' }
  /** It will never take this one; nothing is known of the others. */
  | { readonly kind: 'refused'; readonly id: string; readonly reason: string }
  /** It takes fewer at once. */
  | { readonly kind: 'too-many' };

export interface Sender extends Disposable {
  /** Events at once, at most. */
  readonly batch: number;
  /**
   * How long a connection must stay open after a batch before it counts as delivered, in milliseconds: for receivers
   * that confirm nothing. 0: `taken` is a confirmation.
   */
  readonly settle: number;
  /** Goes up whenever what was `taken` but not settled may be gone. */
  readonly losses: number;
  /** Throws OutputError. At least one event. */
  send(batch: readonly Outgoing[], signal: AbortSignal): Promise<Sent>;
}

export type OutputErrorCode =
  /** Nobody is there, or the connection broke. */
  | 'SP_OUTPUT_UNREACHABLE'
  /** It is not who it should be, or no secure connection came about. */
  | 'SP_OUTPUT_TLS'
  /** It said no, for now. */
  | 'SP_OUTPUT_REJECTED'
  /** It did not answer in time. */
  | 'SP_OUTPUT_TIMEOUT'
  /** A file that the configuration names can't be read. */
  | 'SP_OUTPUT_FILE';

export class OutputError extends Error {
  override readonly name = 'OutputError';
  readonly code: OutputErrorCode;
  /** For administrators who look at the outputs; it holds no secret. */
  readonly tell: string;
  /** How long the receiver asks to be left alone, in milliseconds. */
  readonly wait: number | undefined;

  constructor(
    code: OutputErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly wait?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.tell = message;
    this.wait = options.wait;
  }
}
