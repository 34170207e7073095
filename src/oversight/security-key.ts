// A touch of a security key as the proof that its owner is there: a signature over something new, by a key that may sign
// the user in at this moment and from this address, made while the key was touched. The checks are those of signing in,
// failures are counted and locked as there; a key that waives touches when signing in is touched here all the same.
import { createHash, randomBytes } from 'node:crypto';
import type { KeyAgent, TouchResult } from '../../proxy/identification/ports.ts';
import { type AuthorizedKey, parseAuthorizedKey } from '../../proxy/login/authorized-keys.ts';
import { BlobReader, blobProblem, strings } from '../../proxy/login/blob.ts';
import { type AcceptableOffer, judgeOffer, verifyOffer } from '../../proxy/login/key-offer.ts';
import { askLock, failureKeys, type LockoutSettings, sourceNetwork } from '../../proxy/login/lockout.ts';
import type { LoginDirectory, LoginFailures, LoginUser } from '../../proxy/login/ports.ts';
import type { Revocations } from '../../proxy/login/revocations.ts';
import type { Turns } from '../../proxy/login/turns.ts';

export interface SecurityKeyProof {
  /** One of the user's keys is a security key. */
  possible(userName: string): Promise<boolean>;
  prove(
    asked: {
      readonly user: string;
      readonly sourceAddress: string;
      /** The demand and the session that it is asked in: a signature counts for nothing else. */
      readonly demand: string;
      readonly session: string;
    },
    agent: KeyAgent,
  ): Promise<TouchResult>;
}

export interface SecurityKeyParts {
  readonly directory: LoginDirectory;
  readonly failures: LoginFailures;
  readonly turns: Turns;
  readonly lockout: LockoutSettings;
  readonly now: () => number;
  readonly authorities: () => readonly AuthorizedKey[];
  readonly revocations: () => Revocations;
}

/** Keys that are asked for a touch, one after the other: nobody has more of them plugged in. */
const MOST_KEYS = 4;
const NAMESPACE = 'identification@sallyport';
const CHALLENGE_BYTES = 32;

const isSecurityKey = (type: string): boolean => type.startsWith('sk-');

export const createSecurityKeyProof = (parts: SecurityKeyParts): SecurityKeyProof => ({
  possible: async (userName) => {
    const user = await parts.directory.findUser(userName);
    if (user === undefined || user.disabledReason !== undefined) return false;
    return user.keys.some((line) => {
      const read = parseAuthorizedKey(line);
      // An authority's certificates may be of security keys, whatever it is itself.
      return read.kind === 'key' && (read.key.certificateAuthority || isSecurityKey(read.key.key.type));
    });
  },
  prove: async ({ user: userName, sourceAddress, demand, session }, agent) => {
    const network = sourceNetwork(sourceAddress);
    // Not while it is waited for a finger: that takes nothing of the gateway's.
    const locked = async (user: LoginUser): Promise<boolean> => {
      using turn = await parts.turns.take(network);
      if (turn === undefined) return true;
      const lock = await askLock(parts.failures, userName, user.id, network, parts.now(), parts.lockout);
      return lock.kind === 'locked';
    };
    const user = await parts.directory.findUser(userName);
    if (user === undefined || user.disabledReason !== undefined) return 'wrong';
    if (await locked(user)) return 'locked';
    const offers = offersOf(parts, user, sourceAddress, await agent.identities());
    for (const { blob, offer } of offers) {
      const data = dataToSign([user.id, demand, session], randomBytes(CHALLENGE_BYTES));
      const signature = await agent.sign(blob, data);
      if (signature === undefined) continue;
      // What was true before the touch may not be so after it.
      const now = await parts.directory.findUser(userName);
      const still = now === undefined ? [] : offersOf(parts, now, sourceAddress, [blob]);
      const problem = still[0] === undefined ? 'gone' : verifyOffer(offer, data, signature);
      if (problem === undefined) return (await locked(user)) ? 'locked' : 'right';
      const keys = failureKeys(userName, network);
      await parts.failures.record([keys.pair, keys.source, keys.user], parts.now());
      return 'wrong';
    }
    return 'none';
  },
});

/** Those security keys among `blobs` that may sign the user in, each with a touch asked for. */
const offersOf = (
  { authorities, revocations, now }: SecurityKeyParts,
  user: LoginUser,
  address: string,
  blobs: readonly Buffer[],
): readonly { readonly blob: Buffer; readonly offer: AcceptableOffer }[] => {
  if (user.disabledReason !== undefined) return [];
  const context = { address, now: now(), authorities: authorities(), revocations: revocations() };
  return blobs
    .flatMap((blob) => {
      const type = typeOf(blob);
      if (!isSecurityKey(type)) return [];
      const offer = judgeOffer(type, blob, user, context);
      return offer.kind === 'acceptable' && isSecurityKey(offer.key.type)
        ? [{ blob, offer: { ...offer, touchRequired: true } }]
        : [];
    })
    .slice(0, MOST_KEYS);
};

const typeOf = (blob: Buffer): string => {
  try {
    return new BlobReader(blob).ascii();
  } catch (error) {
    // Thrown on when it is anything but a blob that can't be read.
    blobProblem(error);
    return '';
  }
};

/**
 * What OpenSSH's PROTOCOL.sshsig signs, in a namespace of ours: agents that sign nothing but SSH's own for a key that
 * serves the web too know it, and it can never be taken for a sign-in.
 */
const dataToSign = (about: readonly string[], challenge: Buffer): Buffer => {
  const message = strings(...about, challenge);
  const digest = createHash('sha512').update(message).digest();
  return Buffer.concat([Buffer.from('SSHSIG'), strings(NAMESPACE, '', 'sha512', digest)]);
};
