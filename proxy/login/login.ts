// Signs a user in over `ssh-userauth` (RFC 4252, 4256): keys and certificates, passwords, one-time codes, and the
// combinations of them that each user needs. Nothing counts but a signature that verified, a password that matched or
// a code that was fresh. Users who don't exist, are disabled, or lack a password or key get the same answers in the
// same time: the list of methods is the same for all until something is proven, each password try costs one argon2
// verification, and answers to failures come no sooner than a fixed floor.
// It opens nothing on the gateway or on a device: what a sign-in leads to is the connection's to decide.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import {
  encodeInfoRequest,
  encodePublickeyOk,
  encodeUserauthBanner,
  encodeUserauthFailure,
  encodeUserauthSuccess,
  parseInfoResponse,
  publickeySignatureInput,
  type UserauthMethod,
  type UserauthRequest,
} from '../transport/messages.ts';
import type { AuthorizedKey } from './authorized-keys.ts';
import { judgeOffer, verifyOffer } from './key-offer.ts';
import { askLock, failureKeys, type LockoutSettings, sourceNetwork } from './lockout.ts';
import { LoginError } from './login-errors.ts';
import { type LoginName, parseLoginName } from './login-name.ts';
import {
  type Login,
  type LoginTransport,
  type SignedIn,
  startService,
  type UserauthHandler,
} from './login-service.ts';
import { needsRehash, type PasswordChecker } from './password.ts';
import type { AuthenticationMethod, LoginDirectory, LoginFailures, LoginUser } from './ports.ts';
import { type Restrictions, UNRESTRICTED } from './restrictions.ts';
import type { Revocations } from './revocations.ts';
import { totpStepOf } from './totp.ts';
import type { Turns } from './turns.ts';

export interface LoginSettings {
  /** Sent once before the first answer; empty: none. */
  readonly banner: string;
  /** Failed proofs on one connection. */
  readonly tries: number;
  /** Requests on one connection, key offers included. */
  readonly requests: number;
  /** A failed proof is answered no sooner than this, in milliseconds; above the cost of an argon2 verification. */
  readonly failureFloorMs: number;
  /** A refused or accepted key offer is answered no sooner than this, in milliseconds. */
  readonly offerFloorMs: number;
  /** How long the directory may take for one answer, in milliseconds. */
  readonly directoryTimeoutMs: number;
  readonly lockout: LockoutSettings;
}

/** One per worker: its parts bound what all sign-ins together may cost. */
export interface LoginDependencies {
  readonly directory: LoginDirectory;
  readonly failures: LoginFailures;
  readonly passwords: PasswordChecker;
  readonly turns: Turns;
  /** Trusted to sign certificates for every user (`readAuthorities`). Asked at each offer, so that a reload counts. */
  readonly authorities: () => readonly AuthorizedKey[];
  readonly revocations: () => Revocations;
  readonly settings: LoginSettings;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of each proof that was tried, for the log; never of a secret. */
  readonly report: ((event: LoginTry) => void) | undefined;
}

export interface LoginTry {
  readonly method: AuthenticationMethod | 'certificate';
  readonly accepted: boolean;
  /** Printable; names no secret. */
  readonly detail: string;
}

/** The client as far as signing in is concerned: its address after any PROXY header. */
export interface LoginPeer {
  readonly address: string;
}

export const DEFAULT_LOGIN_SETTINGS: Omit<LoginSettings, 'lockout'> = {
  banner: '',
  tries: 6,
  requests: 60,
  failureFloorMs: 250,
  offerFloorMs: 10,
  directoryTimeoutMs: 10_000,
};

const PROMPTS = { password: 'Password: ', totp: 'One-time code: ' } as const;
/** What every client is told until it has proven something, whoever it claims to be. */
const METHODS = ['publickey', 'password', 'keyboard-interactive'];

type Guessable = 'password' | 'totp';

/** What keyboard-interactive waits for; `none`: nothing was asked. */
type Prompt = Guessable | 'none';

/** How a guess ended. Only `wrong` is counted against the source; the rest were not checked. */
type GuessVerdict = 'right' | 'wrong' | 'locked' | 'busy';

export function startLogin(deps: LoginDependencies, peer: LoginPeer, transport: LoginTransport): Login {
  return startService(transport, (send) => new LoginAttempt(deps, peer, transport.sessionId, send));
}

class LoginAttempt implements UserauthHandler {
  readonly #deps: LoginDependencies;
  readonly #peer: LoginPeer;
  readonly #sessionId: Buffer;
  readonly #send: (payload: Buffer) => void;
  readonly #network: string;
  #name: LoginName | undefined;
  #rawName = '';
  #user: LoginUser | undefined;
  #looked = false;
  /** In the order proven; each with the word that `authentication` uses for it. */
  readonly #proven = new Map<AuthenticationMethod, string>();
  #restrictions: Restrictions = UNRESTRICTED;
  #prompt: Prompt = 'none';
  #tries = 0;
  #requests = 0;
  #toldLock = false;

  constructor(deps: LoginDependencies, peer: LoginPeer, sessionId: Buffer, send: (payload: Buffer) => void) {
    this.#deps = deps;
    this.#peer = peer;
    this.#sessionId = sessionId;
    this.#send = send;
    this.#network = sourceNetwork(peer.address);
  }

  restarted(): void {
    this.#prompt = 'none';
  }

  async request({ user, method }: UserauthRequest): Promise<SignedIn | undefined> {
    // A new request abandons an exchange of prompts (RFC 4256 §3.1).
    this.#prompt = 'none';
    this.#requests++;
    if (this.#requests > this.#deps.settings.requests) {
      throw new LoginError(
        'SP_LOGIN_TOO_MANY_REQUESTS',
        `more than ${this.#deps.settings.requests} requests`,
      );
    }
    if (this.#name === undefined) {
      this.#name = parseLoginName(user);
      this.#rawName = user;
      this.#sendBanner(this.#deps.settings.banner);
    }
    return this.#method(method);
  }

  async response(payload: Buffer): Promise<SignedIn | undefined> {
    const prompt = this.#prompt;
    this.#prompt = 'none';
    const answers = parseInfoResponse(payload);
    const [answer] = answers;
    if (prompt === 'none') throw new LoginError('SP_LOGIN_PROTOCOL', 'an answer to no question');
    return this.#guess(prompt, answers.length === 1 && answer !== undefined ? answer : '', 'prompts');
  }

  async #method(method: UserauthMethod): Promise<SignedIn | undefined> {
    switch (method.kind) {
      case 'none':
      case 'other':
        this.#refuse();
        return undefined;
      case 'publickey':
        return this.#publickey(method);
      case 'password':
        // Passwords are changed elsewhere; a change request proves nothing.
        return this.#guess('password', method.newPassword === undefined ? method.password : '', 'message');
      case 'keyboard-interactive':
        this.#ask();
        return undefined;
    }
  }

  async #publickey(method: Extract<UserauthMethod, { kind: 'publickey' }>): Promise<SignedIn | undefined> {
    const started = performance.now();
    const user = await this.#mayProve('publickey');
    const offer = judgeOffer(method.algorithm, method.blob, user, {
      address: this.#peer.address,
      now: this.#deps.now(),
      authorities: this.#deps.authorities(),
      revocations: this.#deps.revocations(),
    });
    if (method.signature === undefined) {
      await this.#notBefore(started, this.#deps.settings.offerFloorMs);
      if (offer.kind === 'acceptable') this.#send(encodePublickeyOk(method.algorithm, method.blob));
      else this.#refuse();
      return undefined;
    }
    const signed = publickeySignatureInput(this.#sessionId, method.signedPart);
    const problem = offer.kind === 'acceptable' ? verifyOffer(offer, signed, method.signature) : offer.reason;
    if (problem !== undefined || offer.kind === 'refused') {
      this.#report('publickey', false, problem ?? '');
      await this.#failed(started);
      return undefined;
    }
    this.#report(offer.via, true, offer.description);
    // Restrictions are those of the key that signed last, and stay when other proofs follow.
    this.#restrictions = offer.restrictions;
    this.#proven.delete('publickey');
    return this.#accept('publickey', offer.via);
  }

  /** A password or a code. Lock-out, check and count happen within one turn, so that tries side by side can't slip through. */
  async #guess(
    method: Guessable,
    secret: string,
    asked: 'message' | 'prompts',
  ): Promise<SignedIn | undefined> {
    const started = performance.now();
    const user = await this.#mayProve(method);
    const verdict = await this.#judgeGuess(method, secret, user);
    const weak = verdict === 'right' && method === 'password' && needsRehash(user?.passwordHash ?? '');
    this.#report(
      method,
      verdict === 'right',
      weak ? 'right; its stored hash is weaker than new ones are' : verdict,
    );
    if (verdict !== 'right') {
      await this.#failed(started);
      return undefined;
    }
    return this.#accept(method, method, asked);
  }

  async #judgeGuess(method: Guessable, secret: string, user: LoginUser | undefined): Promise<GuessVerdict> {
    const { failures, settings, turns, now } = this.#deps;
    using turn = await turns.take(this.#network);
    if (turn === undefined) return 'busy';
    const userName = this.#userName();
    const lock = await this.#bounded(
      askLock(failures, userName, this.#user?.id, this.#network, now(), settings.lockout),
    );
    if (lock.kind === 'locked') {
      this.#tellLock(lock.until - now());
      return 'locked';
    }
    const right =
      method === 'password'
        ? await this.#deps.passwords.check(secret, user?.passwordHash)
        : await this.#codeIsFresh(secret, user);
    if (right) return 'right';
    const keys = failureKeys(userName, this.#network);
    await this.#bounded(failures.record([keys.pair, keys.source, keys.user], now()));
    return 'wrong';
  }

  async #codeIsFresh(code: string, user: LoginUser | undefined): Promise<boolean> {
    if (user?.totpSecret === undefined) return false;
    const step = totpStepOf(code, user.totpSecret, this.#deps.now());
    return step !== undefined && this.#bounded(this.#deps.directory.acceptTotpStep(user.id, step));
  }

  /** Something was proven: sign in, ask for what is missing, or say what may continue. */
  async #accept(
    method: AuthenticationMethod,
    word: string,
    asked: 'message' | 'prompts' = 'message',
  ): Promise<SignedIn | undefined> {
    this.#proven.set(method, word);
    const combinations = this.#user?.combinations ?? [];
    if (isComplete(combinations, this.#proven)) {
      const signedIn = await this.#finish();
      if (signedIn !== undefined) return signedIn;
      this.#proven.clear();
      this.#refuse();
      return undefined;
    }
    const missing = missingMethods(combinations, this.#proven);
    if (asked === 'prompts' && missing.includes('totp')) this.#askFor('totp');
    else this.#send(encodeUserauthFailure(continuing(missing), true));
    return undefined;
  }

  /** Looks the user up once more, since proofs take time: one who was disabled meanwhile doesn't get in. */
  async #finish(): Promise<SignedIn | undefined> {
    const { directory, failures, now } = this.#deps;
    const name = this.#name;
    if (name?.kind !== 'name') return undefined;
    const user = await this.#bounded(directory.findUser(name.user));
    const unchanged = user !== undefined && user.id === this.#user?.id && user.disabledReason === undefined;
    if (!unchanged || !isComplete(user.combinations, this.#proven)) return undefined;
    // Only a sign-in with a guessable proof clears what guessing counted: a key that signs in every minute from the
    // same network must not keep the count at zero for someone who guesses beside it.
    if (this.#proven.has('password') || this.#proven.has('totp')) {
      await this.#bounded(failures.clear([failureKeys(name.user, this.#network).pair]));
    }
    await this.#bounded(failures.rememberSource(user.id, this.#network, now()));
    this.#deps.turns.proven(this.#network);
    this.#send(encodeUserauthSuccess());
    return {
      kind: 'signed-in',
      user,
      authentication: [...this.#proven.values()].join('+'),
      wanted: { account: name.account, device: name.device },
      restrictions: this.#restrictions,
    };
  }

  /** Starts keyboard-interactive. Who has proven nothing is asked for a password, whoever it is. */
  #ask(): void {
    if (this.#proven.size === 0) {
      this.#askFor('password');
      return;
    }
    const missing = missingMethods(this.#user?.combinations ?? [], this.#proven);
    if (missing.includes('password')) this.#askFor('password');
    else if (missing.includes('totp')) this.#askFor('totp');
    else this.#refuse();
  }

  #askFor(prompt: Guessable): void {
    this.#prompt = prompt;
    this.#send(
      encodeInfoRequest({ name: '', instruction: '', prompts: [{ text: PROMPTS[prompt], echo: false }] }),
    );
  }

  /** The user, when there is one who may sign in and for whom this method is a part of any combination. */
  async #mayProve(method: AuthenticationMethod): Promise<LoginUser | undefined> {
    if (!this.#looked) {
      const name = this.#name;
      this.#user =
        name?.kind === 'name' ? await this.#bounded(this.#deps.directory.findUser(name.user)) : undefined;
      this.#looked = true;
    }
    const user = this.#user;
    if (user === undefined || user.disabledReason !== undefined) return undefined;
    return user.combinations.some((combination) => combination.includes(method)) ? user : undefined;
  }

  /** A proof failed: answered after the floor, and counted. */
  async #failed(started: number): Promise<void> {
    this.#tries++;
    await this.#notBefore(started, this.#deps.settings.failureFloorMs);
    if (this.#tries >= this.#deps.settings.tries) {
      throw new LoginError('SP_LOGIN_TOO_MANY_TRIES', `${this.#tries} failed tries`);
    }
    this.#refuse();
  }

  #refuse(): void {
    const proven = this.#proven.size > 0;
    const missing = proven ? missingMethods(this.#user?.combinations ?? [], this.#proven) : [];
    this.#send(encodeUserauthFailure(proven ? continuing(missing) : METHODS, false));
  }

  #userName(): string {
    return this.#name?.kind === 'name' ? this.#name.user : this.#rawName;
  }

  /** Told alike for names that exist and names that don't, since both are counted alike. */
  #tellLock(milliseconds: number): void {
    if (this.#toldLock) return;
    this.#toldLock = true;
    const minutes = Math.max(1, Math.ceil(milliseconds / 60_000));
    this.#sendBanner(
      `Too many failed sign-ins: passwords and codes are refused for about ${minutes} min. Keys still work.\n`,
    );
  }

  #sendBanner(text: string): void {
    if (text !== '') this.#send(encodeUserauthBanner(text.replace(/[^\P{C}\n\t]/gu, '?')));
  }

  #report(method: LoginTry['method'], accepted: boolean, detail: string): void {
    this.#deps.report?.({ method, accepted, detail });
  }

  async #notBefore(started: number, floorMs: number): Promise<void> {
    const left = floorMs - (performance.now() - started);
    if (left > 0) await delay(left, undefined, { ref: false });
  }

  async #bounded<T>(answer: Promise<T>): Promise<T> {
    const abort = new AbortController();
    const late = delay(this.#deps.settings.directoryTimeoutMs, undefined, {
      signal: abort.signal,
      ref: false,
    });
    try {
      return await Promise.race([
        answer,
        late.then(() => {
          throw new Error('the directory took too long');
        }),
      ]);
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'the directory failed';
      throw new LoginError('SP_LOGIN_UNAVAILABLE', detail, error);
    } finally {
      abort.abort();
      late.catch(() => {});
    }
  }
}

function isComplete(
  combinations: readonly (readonly AuthenticationMethod[])[],
  proven: ReadonlyMap<AuthenticationMethod, string>,
): boolean {
  return combinations.some(
    (combination) => combination.length > 0 && combination.every((method) => proven.has(method)),
  );
}

/** What is still missing from the combinations that build on all that is proven; from any, when none does. */
function missingMethods(
  combinations: readonly (readonly AuthenticationMethod[])[],
  proven: ReadonlyMap<AuthenticationMethod, string>,
): readonly AuthenticationMethod[] {
  const building = combinations.filter((combination) =>
    [...proven.keys()].every((one) => combination.includes(one)),
  );
  const from = building.length > 0 ? building : combinations;
  return [...new Set(from.flat())].filter((method) => !proven.has(method));
}

/** As the names of RFC 4252's methods. */
function continuing(missing: readonly AuthenticationMethod[]): readonly string[] {
  const names: string[] = [];
  if (missing.includes('publickey')) names.push('publickey');
  if (missing.includes('password')) names.push('password');
  if (missing.includes('password') || missing.includes('totp')) names.push('keyboard-interactive');
  return names;
}
