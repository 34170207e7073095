// What proving once more who one is needs from the rest of the gateway. Declared here, where it is used; src/oversight
// and src/audit fulfil it. No answer that a user gave leaves these calls except to be compared.

export interface Question {
  readonly name: 'password' | 'totp';
  /** Such as `Password:`; one line. */
  readonly text: string;
}

export type Answers = ReadonlyMap<Question['name'], string>;

export type IdentificationOutcome = 'passed' | 'failed' | 'timed-out';

/** Keys that sign where their owner is. Ends with its owner: what is asked then has no answer. */
export interface KeyAgent extends Disposable {
  /** Public keys and certificates, as they are sent; empty also when there is no answer. */
  identities(): Promise<readonly Buffer[]>;
  /** An SSH signature blob; undefined: the agent does not sign, or nobody touched the key in time. */
  sign(key: Buffer, data: Buffer): Promise<Buffer | undefined>;
}

/** `none`: no key of the user's signed. */
export type TouchResult = 'right' | 'wrong' | 'locked' | 'none';

/** A touch of a security key, as the proof in place of all answers. */
export interface TouchProof {
  /** One of the user's keys is a security key. */
  possible(): Promise<boolean>;
  /** Asks for a signature over something new that only a touched key makes. Counts failures as signing in does. */
  prove(agent: KeyAgent): Promise<TouchResult>;
}

/** One demand on a user, as it reaches a live session. */
export interface IdentificationRequest {
  /** Its row in the log of re-authentications. */
  readonly id: string;
  /** Why, for the person at the terminal; a part of a sentence. */
  readonly because: string;
  /** Whom to ask when it can't be answered. */
  readonly contact: string;
  /** Milliseconds. */
  readonly patience: number;
  /** Wrong answers that are one too many. */
  readonly tries: number;
  /** What the user is asked for, in order; empty: there is nothing to ask for. */
  questions(): Promise<readonly Question[]>;
  /** All answers together. Counts failures as signing in does. `locked`: not even looked at. */
  check(answers: Answers): Promise<'right' | 'wrong' | 'locked'>;
  /** Absent: no touch counts here. */
  readonly touch?: TouchProof;
  /** Called once, when it was decided here. `method` such as `password+totp` or `touch`. */
  decided(outcome: IdentificationOutcome, method: string): void;
}

/** What may be done to a live session by whoever watches how unusual it is. Calls are cheap and never block. */
export interface SessionControl {
  /** Holds the session until its user has proven who they are, here or elsewhere. */
  identify(request: IdentificationRequest): void;
  /** It was proven, or is no longer asked for: the session goes on. */
  identified(): void;
  end(reason: string, tell: string): void;
  tell(text: string): void;
}
