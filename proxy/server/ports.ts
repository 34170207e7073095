// What a connection needs from the rest of the gateway besides login, device and channels: the register of
// sessions, the recorder for each, and orders that come from outside while it runs.
import type { SessionRecorder } from '../channels/ports.ts';
import type { SessionControl } from '../identification/ports.ts';
import type { LoginUser, Target } from '../login/ports.ts';

/** One user's use of one device over one client connection; its channels (shells, commands, transfers) are parts of it. */
export interface SessionStart {
  readonly id: string;
  readonly user: Pick<LoginUser, 'id' | 'name'>;
  readonly target: Target;
  /** The client's address, after any PROXY header. */
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly clientIdentification: string;
  /** How the user signed in, e.g. `publickey`, `password+totp`, `certificate`. */
  readonly authentication: string;
  /** `jump` when the session runs inside a ProxyJump channel. */
  readonly via: 'login-name' | 'menu' | 'jump';
  readonly startedAt: number;
}

export interface SessionEnd {
  readonly endedAt: number;
  /** Why it ended, in the project's words: `client-closed`, `device-closed`, `ended-by-administrator`, `recording-failed`, … */
  readonly reason: string;
  readonly bytesFromClient: number;
  readonly bytesFromDevice: number;
}

export interface SessionRegister {
  /** A new, time-ordered session id. */
  newId(): string;
  /** Durable before it resolves: a session that can't be registered doesn't start. */
  open(start: SessionStart): Promise<void>;
  close(id: string, end: SessionEnd): Promise<void>;
  /** A refusal or failure before there was a session, for the log that auditors read. */
  refused(event: {
    readonly at: number;
    readonly user: string;
    readonly sourceAddress: string;
    readonly wanted: string;
    readonly code: string;
    readonly detail: string;
  }): Promise<void>;
}

export interface Recordings {
  /** Opens the recording of a session; it must exist before the first byte is relayed. */
  start(session: SessionStart): Promise<SessionRecorder>;
}

/** Orders that reach a live session from outside. */
export type SessionOrder =
  | { readonly kind: 'end'; readonly reason: string; readonly tell: string }
  | { readonly kind: 'hold' }
  | { readonly kind: 'release' };

export interface Orders {
  /** Calls back for every order meant for this session until the signal is aborted. */
  listen(sessionId: string, userId: string, onOrder: (order: SessionOrder) => void, until: AbortSignal): void;
}

/** What came of judging a session before its device is dialled. */
export type OversightVerdict =
  | { readonly kind: 'go' }
  | { readonly kind: 'refuse'; readonly code: string; readonly detail: string; readonly tell: string };

/** Watches how unusual sessions are. */
export interface SessionOversight {
  /** Asked once for each session, when it is registered and nothing was dialled. What fails refuses the session. */
  begin(start: SessionStart, control: SessionControl): Promise<OversightVerdict>;
}
