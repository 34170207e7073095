// What a recording has to know of a session and its channels. The shapes are declared here, where they are used, and
// kept structurally equal to those of the data plane, so that neither folder imports the other.

/** Who used which device, from where, since when. */
export interface RecordedSession {
  readonly id: string;
  readonly user: { readonly id: string; readonly name: string };
  readonly target: {
    readonly device: {
      readonly id: string;
      readonly name: string;
      readonly host: string;
      readonly port: number;
    };
    readonly credential: { readonly id: string; readonly name: string; readonly username: string };
    readonly grant: { readonly id: string; readonly name: string };
  };
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly clientIdentification: string;
  readonly authentication: string;
  readonly via: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export type RecordedChannelKind =
  | 'shell'
  | 'exec'
  | 'subsystem'
  | 'direct-tcpip'
  | 'forwarded-tcpip'
  | 'streamlocal'
  | 'agent'
  | 'x11';

export interface RecordedChannel {
  readonly kind: RecordedChannelKind;
  /** The command, the subsystem's name, or `address:port`; empty for a shell. */
  readonly detail: string;
  readonly terminal: { readonly type: string; readonly columns: number; readonly rows: number } | undefined;
}

export type RecordedOutcome =
  | { readonly kind: 'status'; readonly status: number }
  | {
      readonly kind: 'signal';
      readonly signal: string;
      readonly coreDumped: boolean;
      readonly message: string;
    }
  | { readonly kind: 'none' };
