// What judging commands needs from the rest of the gateway: rules, a durable log, counters, and ways to ask a second
// person or the user again. Declared here, where it is used; `src/audit` fulfils it.
import type { Action, Criticality, PolicySet } from '../../policies/match.ts';
import type { ReadHow } from '../terminal/reading.ts';

/** `request`: an exec request says the command itself. `input`: a line on the standard input of a shell. */
export type HowRead = ReadHow | 'request' | 'input';

/** What became of it. */
export type CommandOutcome =
  /** Let through. */
  | 'ran'
  | 'blocked'
  /** Blocked, and the session ended. */
  | 'interrupted'
  /** Could not be read with certainty, or is a key that could run something unread. */
  | 'refused'
  /** The user, or a second person, is asked. */
  | 'asked'
  /** The answer was no, wrong, or did not come. */
  | 'declined'
  /** Given up by the user while it was held. */
  | 'cancelled'
  /** Something ran that had not been judged: the session ends. */
  | 'alarm';

/** Who, where and since when: the same for every command of a channel. */
export interface CommandSource {
  readonly sessionId: string;
  readonly channel: number;
  readonly startedAt: number;
  readonly user: { readonly id: string; readonly name: string };
  readonly device: { readonly id: string; readonly name: string };
  readonly credential: { readonly id: string; readonly name: string; readonly username: string };
  readonly sourceAddress: string;
}

export interface LoggedRule {
  readonly rule: string;
  readonly action: Action;
  readonly criticality: Criticality;
  readonly points: number;
  readonly effective: boolean;
  readonly shadow: boolean;
  readonly occurrence: number;
  readonly why: string;
}

export interface AuditedCommand {
  readonly id: string;
  readonly source: CommandSource;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly channelKind: string;
  readonly context: string;
  readonly typed: string;
  readonly command: string;
  readonly candidates: readonly string[];
  readonly analysed: unknown;
  readonly word: string;
  readonly how: HowRead;
  /** 0 to 1. */
  readonly confidence: number;
  readonly hidden: boolean;
  readonly decision: Action | 'none';
  readonly outcome: CommandOutcome;
  readonly detail: string;
  readonly rules: readonly LoggedRule[];
  readonly points: number;
  readonly policyVersion: string;
}

export interface CommandLog {
  /** A new, time-ordered id. */
  newId(): string;
  /** Durable before it resolves: what can't be logged doesn't run. */
  append(command: AuditedCommand): Promise<void>;
  /** Notes what became of a command, durable before it resolves. `detail` is added to what was noted before. */
  settle(id: string, outcome: CommandOutcome, detail: string): Promise<void>;
  /** How often a user has met each rule since then, over all sessions. */
  occurrences(userId: string, since: number): Promise<ReadonlyMap<string, number>>;
}

export interface Policies {
  /** The rules in force at this moment. */
  readonly current: PolicySet;
  /** Calls back after each change; answers the function that stops it. */
  onChange(told: () => void): () => void;
}

export type ApprovalAnswer =
  | { readonly kind: 'approved'; readonly by: string }
  | { readonly kind: 'denied'; readonly by: string }
  | { readonly kind: 'expired' };

export interface Approvals {
  /** How long a command waits for a second person, in milliseconds. */
  readonly patience: number;
  /** Asks for a second person. `id` is what that person names; `answer` never rejects. */
  ask(
    command: AuditedCommand,
    rule: string,
  ): Promise<{
    readonly id: string;
    readonly answer: Promise<ApprovalAnswer>;
    readonly cancel: () => void;
  }>;
}

export interface Identification {
  /** What a user can be asked for; undefined when there is nothing. */
  questionFor(userName: string): Promise<string | undefined>;
  /** Counts failures as signing in does. `locked`: not even looked at. */
  check(userName: string, sourceAddress: string, answer: string): Promise<'right' | 'wrong' | 'locked'>;
}

export interface UserLock {
  /** Disables the user and ends every session of theirs. */
  disable(userName: string, reason: string): Promise<void>;
}

export interface AuditLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Takes out of rows what must not be stored. */
export interface RowRedaction {
  row(command: AuditedCommand): AuditedCommand;
  /** What is noted of a row later. */
  detail(text: string): string;
}

export interface AuditDeps {
  readonly policies: Policies;
  readonly log: CommandLog;
  /** Asked for as each channel opens. Absent: nothing is taken out. */
  readonly redaction?: () => RowRedaction | undefined;
  readonly approvals: Approvals;
  readonly identification: Identification;
  readonly userLock: UserLock;
  readonly events: AuditLogger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A monotonic clock in milliseconds. */
  readonly clock: () => number;
}
