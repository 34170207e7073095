// Passkeys (WebAuthn): made by whoever is signed in and has just proven it again, and good for signing in without a name, a
// password or a code, since the authenticator has verified its user. A key is bound to the host that it was made for.
// Challenges are random, kept here, good once and for minutes. What a sign-in then is, is Access's.
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { PasskeysTable } from '../store/steps/passkeys.ts';
import type { Store } from '../store/store.ts';
import { ApiProblem } from './problem.ts';

const CHALLENGE_LIVES = 5 * 60_000;
/** Challenges that are out, of everybody together. */
const MOST_CHALLENGES = 10_000;
const MOST_PASSKEYS = 20;

/** How the page was reached: its host, as the browser said. */
export interface Site {
  /** `HOST[:PORT]` */
  readonly host: string;
}

export interface Owner {
  readonly userId: string;
  readonly name: string;
}

const clientData = z.object({ challenge: z.string().min(16).max(200) });

const challengeIn = (clientDataJSON: string): string => {
  try {
    const text = Buffer.from(clientDataJSON, 'base64url').toString('utf8');
    return clientData.parse(JSON.parse(text)).challenge;
  } catch {
    throw new ApiProblem('SP_API_INVALID', 'the authenticator’s answer can’t be read');
  }
};

/** Throws SP_API_CONFLICT at an address: browsers make passkeys for names only. */
const rpIdOf = ({ host }: Site): string => {
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
  if (name === '' || name.startsWith('[') || ipaddr.isValid(name))
    throw new ApiProblem(
      'SP_API_CONFLICT',
      'passkeys need a name: open the console by its name, not by an address',
    );
  return name;
};

/** Browsers offer passkeys on secure pages only: with TLS, here or in a proxy before us, or on this very machine. */
const originsOf = ({ host }: Site, rpId: string): string[] => [
  `https://${host}`,
  ...(rpId === 'localhost' ? [`http://${host}`] : []),
];

export class Passkeys {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  list(userId: string): Promise<readonly PasskeysTable[]> {
    return this.#store.db
      .selectFrom('passkeys')
      .selectAll()
      .where('user_id', '=', userId)
      .orderBy('name')
      .limit(MOST_PASSKEYS)
      .execute();
  }

  async remove(userId: string, id: string): Promise<boolean> {
    const result = await this.#store.db
      .deleteFrom('passkeys')
      .where('user_id', '=', userId)
      .where('id', '=', id)
      .executeTakeFirst();
    return result.numDeletedRows === 1n;
  }

  async registrationOptions(owner: Owner, site: Site) {
    const rpID = rpIdOf(site);
    const mine = await this.list(owner.userId);
    if (mine.length >= MOST_PASSKEYS)
      throw new ApiProblem('SP_API_CONFLICT', `one has at most ${MOST_PASSKEYS} passkeys`);
    const options = await generateRegistrationOptions({
      rpName: 'Sallyport',
      rpID,
      userName: owner.name,
      userID: new Uint8Array(Buffer.from(owner.userId, 'utf8')),
      attestationType: 'none',
      excludeCredentials: mine.map(({ id }) => ({ id })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      timeout: CHALLENGE_LIVES,
    });
    await this.#keep(options.challenge, 'register', owner.userId);
    return options;
  }

  async register(
    owner: Owner,
    site: Site,
    given: { readonly name: string; readonly response: RegistrationResponseJSON },
  ): Promise<PasskeysTable> {
    const rpID = rpIdOf(site);
    const challenge = challengeIn(given.response.response.clientDataJSON);
    if (!(await this.#take(challenge, 'register', owner.userId)))
      throw new ApiProblem('SP_API_NOT_PROVEN', 'this was not asked, was answered already, or took too long');
    const verified = await verifyRegistrationResponse({
      response: given.response,
      expectedChallenge: challenge,
      expectedOrigin: originsOf(site, rpID),
      expectedRPID: rpID,
      requireUserVerification: true,
    }).catch(() => undefined);
    if (verified?.verified !== true)
      throw new ApiProblem('SP_API_NOT_PROVEN', 'the authenticator’s answer does not prove it');
    const { credential } = verified.registrationInfo;
    const row: PasskeysTable = {
      id: credential.id,
      user_id: owner.userId,
      name: given.name,
      rp_id: rpID,
      public_key: Buffer.from(credential.publicKey).toString('base64url'),
      counter: credential.counter,
      transports_json: JSON.stringify(credential.transports ?? []),
      created_at: this.#now(),
      seen_at: null,
    };
    const made = await this.#store.db
      .insertInto('passkeys')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (made.numInsertedOrUpdatedRows !== 1n)
      throw new ApiProblem('SP_API_EXISTS', 'there is a passkey of this name, or this one is registered');
    return row;
  }

  /** For anybody: it names no user. */
  async signInOptions(site: Site) {
    const options = await generateAuthenticationOptions({
      rpID: rpIdOf(site),
      userVerification: 'required',
      timeout: CHALLENGE_LIVES,
    });
    await this.#keep(options.challenge, 'sign-in', null);
    return options;
  }

  /** Whose passkey it names; the proof is looked at by `prove`. */
  find(response: AuthenticationResponseJSON): Promise<PasskeysTable | undefined> {
    return this.#store.db.selectFrom('passkeys').selectAll().where('id', '=', response.id).executeTakeFirst();
  }

  /** False: not proven. The challenge is spent either way. */
  async prove(
    key: PasskeysTable | undefined,
    site: Site,
    response: AuthenticationResponseJSON,
  ): Promise<boolean> {
    const challenge = challengeIn(response.response.clientDataJSON);
    const fresh = await this.#take(challenge, 'sign-in', null);
    if (key === undefined || !fresh || rpIdOf(site) !== key.rp_id) return false;
    const verified = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: originsOf(site, key.rp_id),
      expectedRPID: key.rp_id,
      requireUserVerification: true,
      credential: {
        id: key.id,
        publicKey: new Uint8Array(Buffer.from(key.public_key, 'base64url')),
        counter: key.counter,
      },
    }).catch(() => undefined);
    if (verified?.verified !== true) return false;
    const { newCounter } = verified.authenticationInfo;
    // Two answers with the same count: one of them comes from a copy.
    const noted = await this.#store.db
      .updateTable('passkeys')
      .set({ counter: newCounter, seen_at: this.#now() })
      .where('id', '=', key.id)
      .where('counter', '=', key.counter)
      .executeTakeFirst();
    return noted.numUpdatedRows === 1n;
  }

  async #keep(challenge: string, purpose: 'register' | 'sign-in', userId: string | null): Promise<void> {
    const at = this.#now();
    const { db } = this.#store;
    await db.deleteFrom('passkey_challenges').where('expires_at', '<=', at).execute();
    const out = await db
      .selectFrom('passkey_challenges')
      .select((e) => e.fn.countAll<number | string>().as('many'))
      .executeTakeFirstOrThrow();
    if (Number(out.many) >= MOST_CHALLENGES)
      throw new ApiProblem('SP_API_TOO_MANY', 'too many sign-ins are under way', [], 60);
    await db
      .insertInto('passkey_challenges')
      .values({ challenge, purpose, user_id: userId, expires_at: at + CHALLENGE_LIVES })
      .execute();
  }

  /** True once. */
  async #take(challenge: string, purpose: 'register' | 'sign-in', userId: string | null): Promise<boolean> {
    const result = await this.#store.db
      .deleteFrom('passkey_challenges')
      .where('challenge', '=', challenge)
      .where('purpose', '=', purpose)
      .where('user_id', userId === null ? 'is' : '=', userId)
      .where('expires_at', '>', this.#now())
      .executeTakeFirst();
    return result.numDeletedRows === 1n;
  }
}
