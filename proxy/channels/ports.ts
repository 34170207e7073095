// What relaying channels needs: a recorder for everything that passes. `recordings` fulfils it.

export type ExitOutcome =
  | { readonly kind: 'status'; readonly status: number }
  | {
      readonly kind: 'signal';
      readonly signal: string;
      readonly coreDumped: boolean;
      readonly message: string;
    }
  | { readonly kind: 'none' };

/** What a channel turned out to be, once its first request (or its open message) says so. */
export interface ChannelDescription {
  readonly kind:
    | 'shell'
    | 'exec'
    | 'subsystem'
    | 'direct-tcpip'
    | 'forwarded-tcpip'
    | 'streamlocal'
    | 'agent'
    | 'x11';
  /** The command, the subsystem's name, or `address:port`; empty for a shell. */
  readonly detail: string;
  /** Present when a terminal was asked for. */
  readonly terminal: { readonly type: string; readonly columns: number; readonly rows: number } | undefined;
}

/** Takes a session's events in the order in which they happen. Calls never block; they may be refused. */
export interface SessionRecorder {
  channelStarted(channel: number, description: ChannelDescription): void;
  /** Bytes from the user. `data` is valid during the call only. */
  input(channel: number, data: Buffer): void;
  /** Bytes from the device. `data` is valid during the call only. */
  output(channel: number, data: Buffer, stream: 'stdout' | 'stderr'): void;
  resize(channel: number, columns: number, rows: number): void;
  exit(channel: number, outcome: ExitOutcome): void;
  channelEnded(channel: number): void;
  /** Notes what is worth finding again: a file with its hash, a forward, a hold. `kind` is a word of a–z and dashes. */
  marker?(channel: number, kind: string, data: Readonly<Record<string, unknown>>): void;
  /** Bytes taken but not yet written. A relay stops granting window while this is above its limit. */
  readonly pendingBytes: number;
  /** Called each time pendingBytes has fallen to half of its former peak or below. */
  onDrain: (() => void) | undefined;
  /** Called once when recording can't go on; under `strict` the session must then end. */
  onFailure: ((error: Error) => void) | undefined;
  /** Writes what is pending and seals the file. Idempotent. */
  close(): Promise<void>;
}
