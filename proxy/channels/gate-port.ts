// The one point through which everything between a user and a device passes. A gate sees each event of a channel
// before the other side does, may keep it as long as it likes (the bytes it keeps count against the sender's
// window), pass it on changed, swallow it, add bytes of its own, or end the channel or the session.
// It knows nothing of windows, packets or transports; the relay knows nothing of commands or rules.
import type { ChannelDescription, ExitOutcome } from './ports.ts';

/** What a channel is asked to be. For forwards and agents the asking side may be the device. */
export type ChannelStart =
  | { readonly kind: 'shell' }
  | { readonly kind: 'exec'; readonly command: Buffer }
  | { readonly kind: 'subsystem'; readonly name: string }
  | { readonly kind: 'direct-tcpip'; readonly address: string; readonly port: number }
  | { readonly kind: 'forwarded-tcpip'; readonly address: string; readonly port: number }
  | { readonly kind: 'streamlocal'; readonly path: string; readonly openedBy: 'client' | 'device' }
  | { readonly kind: 'agent' }
  | { readonly kind: 'x11' };

export type StartVerdict =
  | { readonly kind: 'pass' }
  /** Runs another command instead of the one asked for. Valid for `exec` and `shell`; the device gets an exec request. */
  | { readonly kind: 'replace'; readonly command: Buffer }
  /** Nothing reaches the device. `code` and `detail` are for the log, `tell` for the person at the terminal. */
  | {
      readonly kind: 'refuse';
      readonly code: string;
      readonly detail: string;
      readonly tell: string;
      /** The exit status that the client gets; 255 unless told. */
      readonly status?: number;
    };

/**
 * A channel request of the client that came after the start (`window-change`, `signal`, `break`, `xon-xoff`).
 * Whoever does not pass it on calls `refuse`, so that a client which waits for an answer gets one.
 */
export interface PassedRequest {
  readonly name: string;
  readonly body: Buffer;
  readonly size: { readonly columns: number; readonly rows: number } | undefined;
  readonly refuse: () => void;
}

/** In the order in which the client sent them. `closed` is the last one. */
export type ClientEvent =
  | { readonly kind: 'data'; readonly data: Buffer }
  | { readonly kind: 'request'; readonly request: PassedRequest }
  | { readonly kind: 'eof' }
  | { readonly kind: 'closed' };

/** In the order in which the device sent them. `closed` is the last one. */
export type DeviceEvent =
  | { readonly kind: 'data'; readonly data: Buffer; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'exit'; readonly outcome: ExitOutcome }
  | { readonly kind: 'eof' }
  | { readonly kind: 'closed' };

/** What a gate may do to its channel. Calls are cheap and never block; after `closed` they do nothing. */
export interface GateOutlet {
  /** An administrator holds the session: what is passed on now reaches the device when it is released. */
  readonly held: boolean;
  /** Passes an event on. Events leave in the order of these calls. A gate that keeps order calls it in order. */
  toDevice(event: ClientEvent): void;
  toClient(event: DeviceEvent): void;
  /** Bytes that the user did not type. They are not recorded as the user's input. */
  injectToDevice(data: Buffer): void;
  /** Bytes that the device did not send. They are recorded as output, for they are part of what the user saw. */
  injectToClient(data: Buffer, stream: 'stdout' | 'stderr'): void;
  /** The gate keeps fewer bytes than before without having passed them on: windows may open again. */
  keptLess(): void;
  /** Ends this channel: `tell` reaches the user, the device's side is closed, the exit status is 255. */
  endChannel(reason: string, tell: string): void;
  /** Ends the whole session. */
  endSession(reason: string, tell: string): void;
}

/** The terminal as the client asked for it, modes raw as RFC 4254 section 8 encodes them. */
export interface RequestedTerminal {
  readonly type: string;
  readonly columns: number;
  readonly rows: number;
  readonly modes: Buffer;
}

export interface GateContext {
  readonly sessionId: string;
  /** The number under which this channel's events are recorded; unique in the session. */
  readonly channel: number;
  /** When the session began, milliseconds since the epoch: its recording counts from there. */
  readonly startedAt: number;
  readonly user: { readonly id: string; readonly name: string; readonly groups: readonly string[] };
  readonly device: {
    readonly id: string;
    readonly name: string;
    readonly tags: readonly string[];
    readonly os: string | undefined;
  };
  readonly credential: { readonly id: string; readonly name: string; readonly username: string };
  readonly grant: {
    readonly id: string;
    readonly name: string;
    /** `strict`: nothing is done that is not written down first. Absent: strict. */
    readonly recording?: 'strict' | 'best-effort';
  };
  readonly sourceAddress: string;
  /** Milliseconds to the device and back, as measured when the channel was opened; undefined: not measured. */
  readonly roundTrip?: number | undefined;
  /** Environment that was passed to the device before the start, by name. */
  readonly environment: ReadonlyMap<string, string>;
  readonly terminal: RequestedTerminal | undefined;
  /** How lines of the terminal may be read besides by the screen. Absent: in no other way. */
  readonly reading?: { readonly shellIntegration: boolean; readonly sideChannel: boolean } | undefined;
  /** Opens a channel of the gate's own on the same device connection. Absent: there can be none. */
  readonly aside?: OpenAside | undefined;
}

/** A command of the gate's own beside the user's channel. The user has no end of it, and nothing of theirs goes there. */
export interface Aside extends Disposable {
  write(data: Buffer): void;
}

export interface AsideHandlers {
  readonly data: (data: Buffer) => void;
  /** Called once, later than `open` itself, unless the gate has ended it: refused, ended, or too much waits for it. */
  readonly closed: () => void;
}

export type OpenAside = (command: Buffer, handlers: AsideHandlers) => Aside;

/** What a terminal shows at this moment. */
export interface TerminalPicture {
  /** A program has the whole screen; what is shown beside it is lost. */
  readonly alternate: boolean;
  /** Text that paints it, whatever is shown; costs what the screen costs to draw. */
  paint(): string;
}

export interface ChannelGate extends Disposable {
  /** Called once, first. Nothing else is delivered before it has answered. */
  start(request: ChannelStart): StartVerdict | Promise<StartVerdict>;
  fromClient(event: ClientEvent): void;
  fromDevice(event: DeviceEvent): void;
  /** Events flow: the channel has started, or a session that was held goes on. */
  goOn?(): void;
  /** Asked before what the client typed is recorded and delivered. True: it was meant for the gateway itself. */
  takes?(data: Buffer): boolean;
  /** A terminal that the gate has taken from its device shows it again: somebody else needs it, or the channel ends. */
  giveBack?(): void;
  /** What the terminal shows, where the gate knows. */
  readonly picture?: TerminalPicture | undefined;
  /** Bytes that the gate keeps at this moment and will pass on or drop later. */
  readonly keptFromClient: number;
  readonly keptFromDevice: number;
  /**
   * True: data from that side may lie in memory that is used again after the call. What is passed on of it within the call
   * is that Buffer or a part of it; what is kept, or looked at later, is a copy. Absent: no.
   */
  readonly passesFromClient?: boolean;
  readonly passesFromDevice?: boolean;
}

/** `end`: the session ends. */
export type Admission =
  | { readonly kind: 'pass' }
  | Extract<StartVerdict, { kind: 'refuse' }>
  | { readonly kind: 'end'; readonly reason: string; readonly tell: string };

export interface GateFactory {
  open(context: GateContext, outlet: GateOutlet): ChannelGate;
  /** Whether lines of such a session's terminals may be held, so that the gate must know the terminal's ways. Absent: no. */
  holdsLines?(context: Omit<GateContext, 'channel' | 'environment' | 'terminal'>): boolean;
  /**
   * Asked before a client's forward is opened, or listened for, on the device: what is refused is not dialled there. The
   * gate of the channel that follows is given the same `start`. Absent: its own start is all.
   */
  admit?(context: GateContext, start: ChannelStart, what: 'open' | 'listen'): Promise<Admission>;
}

/** A gate that passes everything and keeps nothing. */
export const openGates: GateFactory = {
  open: (_context, outlet) => ({
    start: () => ({ kind: 'pass' }),
    fromClient: (event) => outlet.toDevice(event),
    fromDevice: (event) => outlet.toClient(event),
    keptFromClient: 0,
    keptFromDevice: 0,
    passesFromClient: true,
    passesFromDevice: true,
    [Symbol.dispose]: () => {},
  }),
};

export type { ChannelDescription };
