// What signing in needs from the rest of the gateway. Declared here, where it is used; `src/directory` fulfils it.
// Nothing here knows of databases, and no secret leaves these calls except to be compared.

/** One way of proving who you are. `certificate` counts as `publickey` where a user's combinations ask for one. */
export type AuthenticationMethod = 'publickey' | 'password' | 'totp';

/** A user as far as signing in is concerned. */
export interface LoginUser {
  readonly id: string;
  readonly name: string;
  /** argon2id in PHC string form; absent: the user has no password. */
  readonly passwordHash: string | undefined;
  /** Lines in the form of OpenSSH's authorized_keys, options included. */
  readonly keys: readonly string[];
  /** The shared TOTP secret, as bytes; absent: the user has no TOTP. */
  readonly totpSecret: Buffer | undefined;
  /** Each entry is one sufficient combination, in any order; never empty. */
  readonly combinations: readonly (readonly AuthenticationMethod[])[];
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** Absent: the user may sign in. */
  readonly disabledReason: string | undefined;
}

export interface LoginDirectory {
  /** Looks a user up by exact name. Undefined when there is none. */
  findUser(name: string): Promise<LoginUser | undefined>;
  /**
   * Accepts a TOTP time step once: true and remembered when `step` is greater than every step accepted before
   * for this user, false for a replay. Atomic across gateways.
   */
  acceptTotpStep(userId: string, step: number): Promise<boolean>;
}

/** Failed sign-ins, counted where every worker and gateway sees them. */
export interface LoginFailures {
  /** Failures for exactly this key since `since`, newest last, as milliseconds since the epoch; at most 1,000. */
  recent(key: string, since: number): Promise<readonly number[]>;
  record(keys: readonly string[], at: number): Promise<void>;
  clear(keys: readonly string[]): Promise<void>;
  /** True when the user has signed in from this source address before: a lock-out must not hit it. */
  knownSource(userId: string, address: string): Promise<boolean>;
  rememberSource(userId: string, address: string, at: number): Promise<void>;
}

/** What a grant may allow on a connection. Other subsystems are allowed by name. */
export type ChannelKind = 'shell' | 'exec' | 'sftp' | 'scp' | 'forward' | 'agent' | 'x11';

/** A device account that a user may reach, and on what terms. */
export interface Target {
  readonly device: {
    readonly id: string;
    readonly name: string;
    readonly host: string;
    readonly port: number;
    readonly tags: readonly string[];
    readonly os: string | undefined;
  };
  readonly credential: { readonly id: string; readonly name: string; readonly username: string };
  /** How lines of its terminals may be read besides by the screen. Absent: in no other way. */
  readonly reading?: { readonly shellIntegration: boolean; readonly sideChannel: boolean };
  readonly grant: {
    readonly id: string;
    readonly name: string;
    readonly channels: readonly ChannelKind[];
    /** Subsystems beside sftp that may be asked for, by exact name. */
    readonly subsystems: readonly string[];
    readonly recording: 'strict' | 'best-effort';
    /** What becomes of transfers and commands without a terminal while their user is asked who they are; absent: `pause`. */
    readonly nonInteractive?: 'pause' | 'end';
    /** Milliseconds since the epoch at which the grant's allowed time ends; absent: no limit. */
    readonly endsAt: number | undefined;
  };
}

export type TargetDecision =
  | { readonly kind: 'granted'; readonly target: Target }
  | {
      readonly kind: 'denied';
      readonly code: 'unknown' | 'not-granted' | 'prohibited-time' | 'ambiguous-account';
      /** For the log. */
      readonly detail: string;
      /** For the person at the terminal: why, and whom to ask. Never tells whether an ungranted device exists. */
      readonly tell: string;
    };

export interface Grants {
  /** Everything that the user may reach at `now`, sorted by device, then account. */
  targetsOf(userId: string, now: Date): Promise<readonly Target[]>;
  /** `account` is a credential's username or name; undefined: the only one there is, else ambiguous. */
  decide(userId: string, account: string | undefined, device: string, now: Date): Promise<TargetDecision>;
  /**
   * Calls back within seconds, and then whenever what is granted to anybody may have changed, until the signal is
   * aborted: whoever lives on an earlier answer asks again. Absent: nothing ever changes.
   */
  watch?(changed: () => void, until: AbortSignal): void;
}
