// Who asks: signing in with the factors that the user has, the console's cookie, and tokens for programs. Secrets are
// random, shown once and kept as hashes; what a user may do is read anew for each request, so that a change of roles or
// a disabled user counts at once. What each permission allows is permissions.ts.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { askLock, DEFAULT_LOCKOUT, failureKeys, sourceNetwork } from '../../proxy/login/lockout.ts';
import type { PasswordChecker } from '../../proxy/login/password.ts';
import type { LoginDirectory, LoginFailures, LoginUser } from '../../proxy/login/ports.ts';
import { totpStepOf } from '../../proxy/login/totp.ts';
import type { Turns } from '../../proxy/login/turns.ts';
import { readStringList } from '../directory/stored-json.ts';
import { newId } from '../store/id.ts';
import type { ApiTokensTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { isPermission, type Permission, permissionsOf } from './permissions.ts';
import { ApiProblem } from './problem.ts';
import type { Principal } from './route.ts';

const IDLE = 30 * 60_000;
const LONGEST = 12 * 3_600_000;
/** How stale the moment of last use may be. */
const NOTE_EVERY = 30_000;
const MOST_SIGN_INS = 50;
const SECRET_BYTES = 32;
export const TOKEN_PREFIX = 'sallyport_';

export interface AccessParts {
  readonly store: Store;
  readonly login: LoginDirectory;
  readonly failures: LoginFailures;
  readonly passwords: PasswordChecker;
  readonly turns: Turns;
  readonly now: () => number;
}

export interface SignedIn {
  readonly cookie: string;
  readonly user: LoginUser;
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');

const same = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
};

/** Which of the user's combinations a browser can prove: those of password and code. */
const provable = (user: LoginUser): readonly (readonly string[])[] =>
  user.combinations.filter((combination) => combination.every((method) => method !== 'publickey'));

const FAILED = 'the name, the password or the code is wrong, or this user may not sign in here';

export class Access {
  readonly #parts: AccessParts;

  constructor(parts: AccessParts) {
    this.#parts = parts;
  }

  /**
   * Counted and locked exactly as signing in by ssh is. Throws ApiProblem. The same answer for a user who doesn't exist, a
   * wrong password and a wrong code.
   */
  async signIn(
    name: string,
    password: string,
    code: string | undefined,
    sourceAddress: string,
  ): Promise<SignedIn> {
    const { login, failures, passwords, turns, now } = this.#parts;
    const network = sourceNetwork(sourceAddress);
    using turn = await turns.take(network);
    if (turn === undefined) throw new ApiProblem('SP_API_TOO_MANY', 'too many sign-ins at once', [], 5);
    const user = await login.findUser(name);
    const at = now();
    const lock = await askLock(failures, name, user?.id, network, at, DEFAULT_LOCKOUT);
    if (lock.kind === 'locked') {
      const wait = Math.max(1, Math.ceil((lock.until - at) / 1000));
      throw new ApiProblem('SP_API_LOCKED', `try again in ${wait} seconds`, [], wait);
    }
    const keys = failureKeys(name, network);
    const fail = async (): Promise<never> => {
      await failures.record([keys.pair, keys.source, keys.user], at);
      throw new ApiProblem('SP_API_SIGN_IN_FAILED', FAILED);
    };
    const right = await passwords.check(password, user?.passwordHash);
    if (!right || user === undefined) return fail();
    const combinations = user.disabledReason === undefined ? provable(user) : [];
    if (combinations.length === 0) return fail();
    const withoutCode = combinations.some((combination) => !combination.includes('totp'));
    if (!withoutCode) {
      if (code === undefined) throw new ApiProblem('SP_API_CODE_NEEDED', 'send the one-time code as well');
      const secret = user.totpSecret;
      const step = secret === undefined ? undefined : totpStepOf(code, secret, at);
      if (step === undefined || !(await login.acceptTotpStep(user.id, step))) return fail();
    }
    await failures.clear([keys.pair]);
    await failures.rememberSource(user.id, network, at);
    return { cookie: await this.#open(user.id, sourceAddress, at), user };
  }

  /**
   * By a passkey, whose authenticator has verified its user: something that they have and know or are. Counted and locked as
   * any other sign-in; `prove` is asked when there is no lock. Only for users whom a browser could let in otherwise too.
   * Throws ApiProblem.
   */
  async signInByPasskey(
    userId: string | undefined,
    sourceAddress: string,
    prove: () => Promise<boolean>,
  ): Promise<SignedIn> {
    const { store, login, failures, turns, now } = this.#parts;
    const network = sourceNetwork(sourceAddress);
    using turn = await turns.take(network);
    if (turn === undefined) throw new ApiProblem('SP_API_TOO_MANY', 'too many sign-ins at once', [], 5);
    const owner = await store.db
      .selectFrom('users')
      .select('name')
      .where('id', '=', userId ?? '')
      .executeTakeFirst();
    const user = owner === undefined ? undefined : await login.findUser(owner.name);
    const name = owner?.name ?? '';
    const at = now();
    const lock = await askLock(failures, name, user?.id, network, at, DEFAULT_LOCKOUT);
    if (lock.kind === 'locked') {
      const wait = Math.max(1, Math.ceil((lock.until - at) / 1000));
      throw new ApiProblem('SP_API_LOCKED', `try again in ${wait} seconds`, [], wait);
    }
    const proven = await prove();
    const keys = failureKeys(name, network);
    if (!proven || user === undefined || user.disabledReason !== undefined || provable(user).length === 0) {
      await failures.record(owner === undefined ? [keys.source] : [keys.pair, keys.source, keys.user], at);
      throw new ApiProblem('SP_API_SIGN_IN_FAILED', 'this passkey is not known here, or does not prove it');
    }
    await failures.clear([keys.pair]);
    await failures.rememberSource(user.id, network, at);
    return { cookie: await this.#open(user.id, sourceAddress, at), user };
  }

  async #open(userId: string, sourceAddress: string, at: number): Promise<string> {
    const { store } = this.#parts;
    const secret = newSecret();
    await store.db.deleteFrom('api_sessions').where('expires_at', '<', at).execute();
    await store.db
      .insertInto('api_sessions')
      .values({
        id: newId(),
        secret_hash: hashOf(secret),
        user_id: userId,
        source_address: sourceAddress.slice(0, 64),
        created_at: at,
        seen_at: at,
        expires_at: at + LONGEST,
      })
      .execute();
    const surplus = await store.db
      .selectFrom('api_sessions')
      .select('id')
      .where('user_id', '=', userId)
      .orderBy('created_at', 'desc')
      .offset(MOST_SIGN_INS)
      .limit(1_000)
      .execute();
    for (const { id } of surplus) await store.db.deleteFrom('api_sessions').where('id', '=', id).execute();
    return secret;
  }

  async signOut(cookie: string): Promise<void> {
    await this.#parts.store.db.deleteFrom('api_sessions').where('secret_hash', '=', hashOf(cookie)).execute();
  }

  /** For a user whose factors have changed: whoever signed in with the old ones is out. Answers how many. */
  forgetSignIns(userName: string): Promise<number> {
    return this.#forget('api_sessions', userName);
  }

  forgetTokens(userName: string): Promise<number> {
    return this.#forget('api_tokens', userName);
  }

  forgetPasskeys(userName: string): Promise<number> {
    return this.#forget('passkeys', userName);
  }

  async #forget(table: 'api_sessions' | 'api_tokens' | 'passkeys', userName: string): Promise<number> {
    const result = await this.#parts.store.db
      .deleteFrom<'api_sessions' | 'api_tokens' | 'passkeys'>(table)
      .where('user_id', 'in', (query) => query.selectFrom('users').select('id').where('name', '=', userName))
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  }

  /** Undefined: nobody, or no longer. */
  async byCookie(cookie: string): Promise<Principal | undefined> {
    const { store, now } = this.#parts;
    if (cookie.length > 128) return undefined;
    const row = await store.db
      .selectFrom('api_sessions')
      .innerJoin('users', 'users.id', 'api_sessions.user_id')
      .select([
        'api_sessions.id as id',
        'api_sessions.seen_at as seen_at',
        'api_sessions.expires_at as expires_at',
        'api_sessions.secret_hash as secret_hash',
        'users.id as user_id',
        'users.name as name',
        'users.roles_json as roles_json',
        'users.disabled_reason as disabled_reason',
      ])
      .where('api_sessions.secret_hash', '=', hashOf(cookie))
      .executeTakeFirst();
    const at = now();
    if (row === undefined || !same(row.secret_hash, hashOf(cookie))) return undefined;
    if (row.disabled_reason !== null || row.expires_at <= at || row.seen_at + IDLE <= at) return undefined;
    if (row.seen_at + NOTE_EVERY < at)
      await store.db.updateTable('api_sessions').set({ seen_at: at }).where('id', '=', row.id).execute();
    const roles = readStringList(row.roles_json, 'a user’s roles');
    return {
      kind: 'console',
      id: row.id,
      userId: row.user_id,
      name: row.name,
      roles,
      permissions: permissionsOf(roles),
    };
  }

  /** Undefined: no such token, expired, from elsewhere, or its owner is gone or disabled. */
  async byToken(token: string, sourceAddress: string): Promise<Principal | undefined> {
    const { store, now } = this.#parts;
    if (!token.startsWith(TOKEN_PREFIX) || token.length > 128) return undefined;
    const hash = hashOf(token);
    const row = await store.db
      .selectFrom('api_tokens')
      .innerJoin('users', 'users.id', 'api_tokens.user_id')
      .selectAll('api_tokens')
      .select([
        'users.name as user_name',
        'users.roles_json as roles_json',
        'users.disabled_reason as disabled_reason',
      ])
      .where('api_tokens.secret_hash', '=', hash)
      .executeTakeFirst();
    const at = now();
    if (row === undefined || !same(row.secret_hash, hash)) return undefined;
    if (row.disabled_reason !== null || row.expires_at <= at) return undefined;
    if (!within(sourceAddress, readStringList(row.addresses_json, 'a token’s addresses'))) return undefined;
    if (row.seen_at === null || row.seen_at + NOTE_EVERY < at)
      await store.db.updateTable('api_tokens').set({ seen_at: at }).where('id', '=', row.id).execute();
    const roles = readStringList(row.roles_json, 'a user’s roles');
    const owners = permissionsOf(roles);
    const listed = readStringList(row.permissions_json, 'a token’s permissions').filter(isPermission);
    return {
      kind: 'token',
      id: row.id,
      userId: row.user_id,
      name: row.user_name,
      roles,
      permissions: new Set(listed.filter((permission) => owners.has(permission))),
    };
  }

  /** The token is answered once and never again. */
  async makeToken(
    owner: Principal,
    wanted: {
      readonly name: string;
      readonly permissions: readonly Permission[];
      readonly addresses: readonly string[];
      readonly expiresAt: number;
    },
  ): Promise<{ readonly secret: string; readonly row: ApiTokensTable }> {
    const secret = `${TOKEN_PREFIX}${newSecret()}`;
    const row: ApiTokensTable = {
      id: newId(),
      name: wanted.name,
      user_id: owner.userId,
      secret_hash: hashOf(secret),
      permissions_json: JSON.stringify(wanted.permissions),
      addresses_json: JSON.stringify(wanted.addresses),
      created_at: this.#parts.now(),
      expires_at: wanted.expiresAt,
      seen_at: null,
    };
    const made = await this.#parts.store.db
      .insertInto('api_tokens')
      .values(row)
      .onConflict((conflict) => conflict.columns(['user_id', 'name']).doNothing())
      .executeTakeFirst();
    if ((made.numInsertedOrUpdatedRows ?? 0n) === 0n)
      throw new ApiProblem('SP_API_EXISTS', `you have a token named ${wanted.name} already`);
    return { secret, row };
  }

  /** A link's secret, with which one administrator can be made. It replaces the one before. */
  async makeSetup(validFor: number): Promise<string> {
    const secret = newSecret();
    const values = { secret_hash: hashOf(secret), expires_at: this.#parts.now() + validFor };
    await this.#parts.store.db
      .insertInto('api_setup')
      .values({ id: 1, ...values })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
      .execute();
    return secret;
  }

  /** True once. */
  async takeSetup(secret: string): Promise<boolean> {
    const result = await this.#parts.store.db
      .deleteFrom('api_setup')
      .where('secret_hash', '=', hashOf(secret))
      .where('expires_at', '>', this.#parts.now())
      .executeTakeFirst();
    return result.numDeletedRows === 1n;
  }
}

/** Undefined: addresses and networks that can be compared with. Otherwise the word that is none. */
export const badAddress = (words: readonly string[]): string | undefined =>
  words.find((word) => !ipaddr.isValidCIDR(word) && !ipaddr.isValid(word));

const within = (address: string, allowed: readonly string[]): boolean => {
  if (allowed.length === 0) return true;
  if (!ipaddr.isValid(address)) return false;
  const from = ipaddr.process(address);
  return allowed.some((word) => {
    if (ipaddr.isValidCIDR(word)) {
      const [network, bits] = ipaddr.parseCIDR(word);
      return network.kind() === from.kind() && from.match(network, bits);
    }
    return ipaddr.isValid(word) && ipaddr.process(word).toString() === from.toString();
  });
};
