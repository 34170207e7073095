// What the escape menu of a terminal needs from the rest of the gateway. Declared here, where it is used; src/gateway
// fulfils it. Everything in it is about the user whose terminal it is, and texts may hold anything: they are made safe
// where they are shown.

export type RequestState = 'open' | 'granted' | 'declined';

export interface OwnRating {
  /** 0 to 10. */
  readonly value: number;
  /** Newest first. */
  readonly changes: readonly {
    readonly at: number;
    readonly cause: string;
    readonly before: number;
    readonly after: number;
  }[];
}

/** A command that was not let run. */
export interface StoppedCommand {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly device: string;
  /** Empty when it was typed without echo. */
  readonly command: string;
  /** `blocked`, `refused`, … */
  readonly outcome: string;
  /** Why no rule was needed, or what was noted besides. */
  readonly detail: string;
  readonly rule:
    | {
        readonly name: string;
        readonly why: string;
        readonly message: string | undefined;
        readonly owner: string | undefined;
        /** Whom to ask. */
        readonly contact: string | undefined;
        /** False: the rules have changed since, and this one is no longer among them. */
        readonly inForce: boolean;
      }
    | undefined;
  /** What became of a request for an exception from it. */
  readonly asked: RequestState | undefined;
}

/** A request for an exception, as its user may see it. */
export interface OwnRequest {
  readonly id: string;
  readonly askedAt: number;
  readonly device: string;
  readonly command: string;
  readonly state: RequestState;
  readonly decidedBy: string;
  readonly comment: string;
}

export type AskOutcome =
  | { readonly kind: 'asked'; readonly id: string }
  /** It was asked for before. */
  | { readonly kind: 'again' }
  /** Too many requests of this user wait for a decision. */
  | { readonly kind: 'too-many' };

export interface Asker {
  readonly sessionId: string;
  readonly channel: number;
  readonly user: { readonly id: string; readonly name: string };
}

export interface EscapeDesk {
  /** The control character that opens the menu, 0 to 31; undefined: there is none. */
  readonly key: number | undefined;
  rating(who: Asker): Promise<OwnRating>;
  /** The last one of this session, else of the user's other sessions of late. */
  stopped(who: Asker): Promise<StoppedCommand | undefined>;
  /** Newest first; those shown count as read. */
  requests(who: Asker): Promise<readonly OwnRequest[]>;
  ask(who: Asker, command: string, reason: string): Promise<AskOutcome>;
  /** Decisions that the user has not been shown. */
  unread(who: Asker): Promise<readonly OwnRequest[]>;
  markRead(who: Asker, requests: readonly OwnRequest[]): Promise<void>;
  /** Notes in the recording what was done. Never throws. */
  note(who: Asker, what: 'opened' | 'closed' | 'rating' | 'why' | 'requests' | 'asked'): void;
  readonly log: { warn(fields: object, message: string): void };
}
