// What people did, as far as findings go: the one form into which sessions, transfers, commands, views,
// re-authentications and imported sign-ins are put. Types only.

/** Where an address is. */
export interface Place {
  readonly country: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly precision: 'city' | 'country';
  /** The network it belongs to, such as an autonomous system or a prefix. */
  readonly network: string;
  /** A private address, or one of the organisation's own ways out to the internet. */
  readonly exempt: boolean;
  /** Its country is known and no position: travel is not judged by it. */
  readonly unplaced?: true;
}

interface Base {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The user's id. */
  readonly user: string;
  /** What it rests on: an event, a session, an imported row. */
  readonly evidence: string;
}

export type Activity =
  | (Base & {
      readonly kind: 'sign-in';
      readonly source: string;
      readonly place: Place | undefined;
      readonly system: string;
      readonly succeeded: boolean;
    })
  | (Base & {
      readonly kind: 'session';
      readonly source: string;
      readonly place: Place | undefined;
      readonly target: string;
      /** Signed in as root or the like. */
      readonly privileged: boolean;
      readonly endedAt: number;
    })
  | (Base & { readonly kind: 'transfer'; readonly bytes: number; readonly files: number })
  | (Base & { readonly kind: 'privileged'; readonly target: string })
  | (Base & { readonly kind: 'view'; readonly credential: string; readonly suspicious: boolean })
  | (Base & { readonly kind: 're-authentication'; readonly passed: boolean })
  | (Base & { readonly kind: 'suspicious-session'; readonly score: number });

export const PRIORITIES = ['critical', 'high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly department: string | undefined;
  readonly priority: Priority;
  /** When the account was made; undefined: long ago. */
  readonly createdAt: number | undefined;
}

export const SIGNALS = [
  'login-baseline',
  'new-devices',
  'impossible-travel',
  'off-hours',
  'data-volume',
  'privilege-abuse',
  'dormant-account',
  'shared-account',
  'peer-group',
  'suspicious-session',
  'failed-re-authentication',
  'suspicious-view',
] as const;
export type Signal = (typeof SIGNALS)[number];

export type FindingSeverity = 'low' | 'medium' | 'high' | 'critical';

export interface Finding {
  /** Signal, user and day: the same history gives the same ids. */
  readonly id: string;
  readonly signal: Signal;
  readonly user: string;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly severity: FindingSeverity;
  /** 0–100. */
  readonly score: number;
  /** What was seen, in one sentence, and what is usual for this user. */
  readonly seen: string;
  readonly usual: string;
  readonly evidence: readonly string[];
}
