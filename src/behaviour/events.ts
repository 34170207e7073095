// What happens in the gateway, as far as behaviour, findings and other systems care: one union of events, the same
// in every process, in the store and on the way out. Types and their reader only: writing them is the event log's job.
// No event holds a secret; text in it comes from users and devices and is made safe where it is shown.

export interface EventUser {
  readonly id: string;
  readonly name: string;
}

/** Where a session goes, and with what. */
export interface EventTarget {
  readonly device: { readonly id: string; readonly name: string };
  readonly credential: { readonly id: string; readonly name: string; readonly username: string };
}

/** A place in a session: its recording holds more. */
export interface EventPlace {
  readonly session: string;
  /** Seconds from the session's start, as in its recording; undefined: the whole session. */
  readonly second: number | undefined;
}

/** One point of a risk, with what is usual, what was seen, and what it weighs. */
export interface EventFinding {
  readonly dimension: string;
  readonly points: number;
  readonly usual: readonly { readonly value: string; readonly sessions: number }[];
  readonly seen: string;
  readonly measured: number;
  readonly limit: number;
}

interface Base {
  /** Time-ordered and unique: what receivers recognise a repetition by. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What makes a user prove once more who they are. */
export const IDENTIFICATION_TRIGGERS = [
  'ratingDrop',
  'highRiskSessions',
  'blockedCommands',
  'sessionAttemptsAtProhibitedTimes',
  'viewAttemptsAtProhibitedTimes',
  'unusualCommands',
  'administrator',
] as const;
export type IdentificationTrigger = (typeof IDENTIFICATION_TRIGGERS)[number];

export type SignInEvent = Base & {
  readonly kind: 'signed-in' | 'sign-in-failed';
  /** Undefined: nobody of that name, or not known. */
  readonly user: EventUser | undefined;
  /** The name as the client gave it. */
  readonly name: string;
  readonly sourceAddress: string;
  /** Such as `publickey`, `password+totp`; empty where nothing was proven. */
  readonly authentication: string;
  /** Why it failed: a stable code and text for the operator. */
  readonly code: string;
  readonly detail: string;
};

export type SessionStartedEvent = Base & {
  readonly kind: 'session-started';
  readonly session: string;
  readonly user: EventUser;
  readonly target: EventTarget;
  readonly grant: { readonly id: string; readonly name: string };
  readonly sourceAddress: string;
  readonly authentication: string;
  readonly clientIdentification: string;
  readonly via: string;
  readonly score: number;
  readonly findings: readonly EventFinding[];
};

/** There was no session, or it was ended before its device was dialled. */
export type SessionRefusedEvent = Base & {
  readonly kind: 'session-refused';
  readonly session: string | undefined;
  readonly user: EventUser | undefined;
  readonly name: string;
  readonly wanted: string;
  readonly sourceAddress: string;
  /** `prohibited-time`, `not-granted`, `unusual-session`, `identification-failed`, … */
  readonly code: string;
  readonly detail: string;
};

export type SessionEndedEvent = Base & {
  readonly kind: 'session-ended';
  readonly session: string;
  readonly user: EventUser;
  readonly target: EventTarget;
  readonly sourceAddress: string;
  readonly startedAt: number;
  /** The register's words; `ended-by-administrator`, `unusual-session`, … : ended by the gateway, not by its user. */
  readonly reason: string;
  readonly bytesFromClient: number;
  readonly bytesFromDevice: number;
  readonly score: number;
  readonly suspicious: boolean;
};

/** A command, or an operation of a file transfer or a forward: all that the gate has read and judged. */
export type CommandEvent = Base & {
  readonly kind: 'command';
  readonly session: string;
  readonly user: EventUser;
  readonly target: EventTarget;
  readonly sourceAddress: string;
  /** Its row in the log of audited commands. */
  readonly command: string;
  readonly channel: number;
  /** `shell`, `exec`, `sftp`, `scp`, `forward`, … */
  readonly channelKind: string;
  readonly second: number;
  /** As logged; empty when it was typed without echo. */
  readonly text: string;
  /** The name of the first command in it. */
  readonly word: string;
  readonly decision: string;
  readonly outcome: string;
  readonly rules: readonly { readonly rule: string; readonly action: string; readonly criticality: string }[];
  readonly points: number;
  /** It runs with another account's rights: `sudo`, `su`, a login as root. */
  readonly privileged: boolean;
};

/** What became of a command after it was logged: let through after a question, given up, declined. */
export type CommandSettledEvent = Base & {
  readonly kind: 'command-settled';
  readonly session: string;
  readonly user: EventUser;
  readonly command: string;
  readonly outcome: string;
  readonly detail: string;
};

/** Bytes that a session moved by transfers, commands without a terminal and forwards; told at its end and at steps. */
export type TransferEvent = Base & {
  readonly kind: 'transfer';
  readonly session: string;
  readonly user: EventUser;
  readonly target: EventTarget;
  readonly sourceAddress: string;
  readonly channelKind: 'sftp' | 'scp' | 'exec' | 'forward';
  readonly files: number;
  /** To the device, from the device. */
  readonly bytesUp: number;
  readonly bytesDown: number;
};

export type RiskChangedEvent = Base & {
  readonly kind: 'risk-changed';
  readonly session: string;
  readonly user: EventUser;
  readonly second: number;
  readonly before: number;
  readonly after: number;
  /** At or above the least suspicious score. */
  readonly suspicious: boolean;
  /** Put in the auditors' queue, by the settings. */
  readonly submitted: boolean;
  readonly findings: readonly EventFinding[];
};

export type IdentificationEvent = Base & {
  readonly kind:
    | 'identification-required'
    | 'identification-passed'
    | 'identification-failed'
    | 'identification-timed-out';
  /** The row in the log of re-authentications. */
  readonly identification: string;
  readonly user: EventUser;
  readonly trigger: IdentificationTrigger;
  /** The session in which it was asked or answered, where there is one. */
  readonly session: string | undefined;
  readonly sourceAddress: string | undefined;
  readonly detail: string;
};

export type CredentialViewedEvent = Base & {
  readonly kind: 'credential-viewed' | 'credential-view-refused';
  readonly user: EventUser;
  readonly target: EventTarget;
  readonly sourceAddress: string;
  readonly reason: string;
  /** `prohibited-time`, `not-granted`, …; empty: shown. */
  readonly code: string;
  readonly score: number;
  /** At or above the least suspicious score of that moment; absent in what an earlier release wrote. */
  readonly suspicious?: boolean;
  readonly findings: readonly EventFinding[];
};

export type CredentialChangedEvent = Base & {
  readonly kind: 'credential-changed';
  /** Undefined: the gateway rotated it by itself. */
  readonly user: EventUser | undefined;
  readonly target: EventTarget;
  readonly how: 'manual' | 'rotated' | 'rotation-failed';
  /** A manual change of what was rotated successfully shortly before. */
  readonly unusual: boolean;
  readonly detail: string;
};

export type RatingChangedEvent = Base & {
  readonly kind: 'rating-changed';
  readonly user: EventUser;
  readonly cause: string;
  readonly evidence: EventPlace | undefined;
  readonly before: number;
  readonly after: number;
};

export type UserDisabledEvent = Base & {
  readonly kind: 'user-disabled';
  readonly user: EventUser;
  readonly by: string;
  readonly reason: string;
};

export type SettingChangedEvent = Base & {
  readonly kind: 'setting-changed';
  readonly by: string;
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
};

/** A finding or a threat came up, went on, or was closed: an indicator to look into, never proof. */
export type FindingChangedEvent = Base & {
  readonly kind: 'finding-changed';
  /** Stays the same while it goes on. */
  readonly finding: string;
  readonly level: 'finding' | 'threat';
  /** The signal; for a threat its model. */
  readonly signal: string;
  readonly change: 'created' | 'updated' | 'closed';
  readonly user: EventUser;
  readonly severity: 'low' | 'medium' | 'high' | 'critical';
  /** 0–100. */
  readonly score: number;
  readonly title: string;
  readonly text: string;
  /** Ids of the events or sessions that it rests on. */
  readonly evidence: readonly string[];
};

/** A step in the life of an entry of the auditors' queue. */
export type AuditChangedEvent = Base & {
  readonly kind: 'audit-changed';
  readonly entry: string;
  /** Whose session or view is audited. */
  readonly user: EventUser;
  readonly subject: { readonly kind: 'session' | 'view'; readonly id: string };
  readonly step: 'submitted' | 'commented' | 'audited' | 'reopened';
  /** Empty: the gateway. */
  readonly auditor: string;
  readonly comment: string;
};

/** A user asked for an exception from what stopped a command of theirs, or it was decided. */
export type ExceptionChangedEvent = Base & {
  readonly kind: 'exception-changed';
  readonly request: string;
  /** Its row in the log of audited commands. */
  readonly command: string;
  readonly session: string;
  /** Who asked. */
  readonly user: EventUser;
  readonly device: string;
  /** The rule that stopped it; empty: none did. */
  readonly rule: string;
  readonly step: 'requested' | 'granted' | 'declined';
  /** Who asked, or who decided. */
  readonly by: string;
  /** The reason, or the comment. */
  readonly text: string;
};

/** The queue of an output was full and events were given up. */
export type OutputOverflowedEvent = Base & {
  readonly kind: 'output-overflowed';
  readonly output: string;
  readonly lost: number;
  readonly policy: 'drop-oldest' | 'drop-newest';
};

export type GatewayEvent =
  | SignInEvent
  | SessionStartedEvent
  | SessionRefusedEvent
  | SessionEndedEvent
  | CommandEvent
  | CommandSettledEvent
  | TransferEvent
  | RiskChangedEvent
  | IdentificationEvent
  | CredentialViewedEvent
  | CredentialChangedEvent
  | RatingChangedEvent
  | UserDisabledEvent
  | SettingChangedEvent
  | FindingChangedEvent
  | AuditChangedEvent
  | ExceptionChangedEvent
  | OutputOverflowedEvent;

export type GatewayEventKind = GatewayEvent['kind'];

/** The same event before it has its id and time. */
export type NewEvent = GatewayEvent extends infer E
  ? E extends GatewayEvent
    ? Omit<E, 'id' | 'at'> & { readonly at?: number }
    : never
  : never;

/** Whose event it is, and of which session: what events are found by. */
export function subjectOf(event: NewEvent | GatewayEvent): {
  readonly user: EventUser | undefined;
  readonly session: string | undefined;
} {
  return {
    user: 'user' in event ? event.user : undefined,
    session: 'session' in event ? event.session : undefined,
  };
}

const KINDS: ReadonlySet<string> = new Set<GatewayEventKind>([
  'signed-in',
  'sign-in-failed',
  'session-started',
  'session-refused',
  'session-ended',
  'command',
  'command-settled',
  'transfer',
  'risk-changed',
  'identification-required',
  'identification-passed',
  'identification-failed',
  'identification-timed-out',
  'credential-viewed',
  'credential-view-refused',
  'credential-changed',
  'rating-changed',
  'user-disabled',
  'setting-changed',
  'finding-changed',
  'audit-changed',
  'exception-changed',
  'output-overflowed',
]);

/** An event as it was written; undefined for text that is none, such as one of a newer release. */
export function readEvent(text: string): GatewayEvent | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What the event log has written is whole; only the kind may be one that this release does not know. */
function isEvent(value: unknown): value is GatewayEvent {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    KINDS.has(value.kind) &&
    'id' in value &&
    typeof value.id === 'string' &&
    'at' in value &&
    typeof value.at === 'number'
  );
}
