// Decides whether an offered key or certificate may sign in as a user, and on what terms; then whether a signature made
// with it is right. Pure. An offer that is acceptable proves nothing: only `verifyOffer` does (CVE-2024-45337).
// Both an unsigned and a signed request are judged here from scratch, so that no order of requests skips a check.
import { type AuthorizedKey, parseAuthorizedKey, parseAuthorizedKeysFile } from './authorized-keys.ts';
import { BlobReader, blobProblem } from './blob.ts';
import {
  type Certificate,
  describeCertificate,
  judgeCertificate,
  plainTypeOf,
  readCertificate,
} from './certificate.ts';
import {
  fingerprint,
  type PublicKey,
  readPublicKey,
  signatureAlgorithms,
  verifySignature,
} from './public-key.ts';
import { bothRestrictions, type Restrictions } from './restrictions.ts';
import type { Revocations } from './revocations.ts';
import { addressMatches } from './source-address.ts';

export interface AcceptableOffer {
  readonly kind: 'acceptable';
  readonly via: 'publickey' | 'certificate';
  readonly key: PublicKey;
  /** The algorithm that the signature itself must name. */
  readonly signatureAlgorithm: string;
  readonly touchRequired: boolean;
  readonly verifyRequired: boolean;
  readonly restrictions: Restrictions;
  /** For the log: the fingerprint, or which certificate. */
  readonly description: string;
}

export type OfferDecision = AcceptableOffer | { readonly kind: 'refused'; readonly reason: string };

export interface OfferContext {
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Authorities whose certificates may sign in any user whose name is among the principals. */
  readonly authorities: readonly AuthorizedKey[];
  readonly revocations: Revocations;
}

/** More keys than anyone has; a longer list is cut rather than parsed at an attacker's pace. */
const MOST_KEYS = 256;

/**
 * Reads the file of authorities that are trusted for every user: one public key a line, with authorized_keys options
 * if need be. Throws a SyntaxError that names the line for anything else.
 */
export function readAuthorities(text: string): readonly AuthorizedKey[] {
  const { keys, refused } = parseAuthorizedKeysFile(text);
  const [first] = refused;
  if (first !== undefined) throw new SyntaxError(`line ${first.line}: ${first.reason}`);
  if (keys.some((key) => key.principals !== undefined)) {
    throw new SyntaxError('principals= would let one certificate in as every user');
  }
  return keys;
}

/** `user` is undefined for one who doesn't exist or may not sign in: every offer is then refused. Never throws. */
export function judgeOffer(
  algorithm: string,
  blob: Buffer,
  user: { readonly name: string; readonly keys: readonly string[] } | undefined,
  context: OfferContext,
): OfferDecision {
  try {
    const type = new BlobReader(blob).ascii();
    const signatureAlgorithm = signatureAlgorithmOf(algorithm, type);
    if (signatureAlgorithm === undefined)
      return refused('the algorithm does not fit the key, or is not accepted');
    const lines = (user?.keys ?? []).slice(0, MOST_KEYS).flatMap((line) => {
      const read = parseAuthorizedKey(line);
      return read.kind === 'key' ? [read.key] : [];
    });
    if (plainTypeOf(type) === undefined) {
      return judgeKey(readPublicKey(blob), signatureAlgorithm, lines, context);
    }
    if (user === undefined) return refused('there is no such user');
    return judgeUserCertificate(readCertificate(blob), signatureAlgorithm, user.name, lines, context);
  } catch (error) {
    return refused(`the key ${blobProblem(error)}`);
  }
}

/** Whether `signature` was made by the offered key over `data`, with the touch and verification that are asked for. */
export function verifyOffer(offer: AcceptableOffer, data: Buffer, signature: Buffer): string | undefined {
  const verified = verifySignature(offer.key, offer.signatureAlgorithm, data, signature);
  if (verified.kind === 'invalid') return verified.reason;
  const { securityKey } = verified;
  if (securityKey === undefined)
    return offer.verifyRequired ? 'only a security key can verify its user' : undefined;
  if (offer.touchRequired && !securityKey.userPresent) return 'the security key was not touched';
  if (offer.verifyRequired && !securityKey.userVerified) return 'the security key did not verify its user';
  return undefined;
}

/** The algorithm of a request must fit the type in the blob; the answer is what the signature must name. */
function signatureAlgorithmOf(algorithm: string, blobType: string): string | undefined {
  const plainAlgorithm = plainTypeOf(algorithm);
  const plainType = plainTypeOf(blobType);
  if ((plainAlgorithm === undefined) !== (plainType === undefined)) return undefined;
  const wanted = plainAlgorithm ?? algorithm;
  return acceptedAlgorithms(plainType ?? blobType).includes(wanted) ? wanted : undefined;
}

function acceptedAlgorithms(type: string): readonly string[] {
  switch (type) {
    case 'ssh-ed25519':
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521':
    case 'ssh-rsa':
    case 'sk-ssh-ed25519@openssh.com':
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return signatureAlgorithms(type);
    default:
      return [];
  }
}

function judgeKey(
  key: PublicKey,
  signatureAlgorithm: string,
  lines: readonly AuthorizedKey[],
  context: OfferContext,
): OfferDecision {
  if (context.revocations.keyRevoked(key.blob)) return refused('the key is revoked');
  let reason = 'the key is not one of the user';
  for (const line of lines) {
    if (line.certificateAuthority || !line.key.blob.equals(key.blob)) continue;
    const problem = lineProblem(line, context);
    if (problem !== undefined) {
      reason = problem;
      continue;
    }
    return {
      kind: 'acceptable',
      via: 'publickey',
      key,
      signatureAlgorithm,
      touchRequired: line.touchRequired,
      verifyRequired: line.verifyRequired,
      restrictions: line.restrictions,
      description: `key ${fingerprint(key.blob)}`,
    };
  }
  return refused(reason);
}

function judgeUserCertificate(
  certificate: Certificate,
  signatureAlgorithm: string,
  userName: string,
  lines: readonly AuthorizedKey[],
  context: OfferContext,
): OfferDecision {
  const trusted = [
    ...context.authorities.map((line) => ({ line, everyUser: true })),
    ...lines.filter((line) => line.certificateAuthority).map((line) => ({ line, everyUser: false })),
  ].filter(({ line }) => line.key.blob.equals(certificate.authority.blob));
  let reason = 'the authority of the certificate is not trusted';
  for (const { line, everyUser } of trusted) {
    const problem = lineProblem(line, context);
    if (problem !== undefined) {
      reason = problem;
      continue;
    }
    const decision = judgeCertificate(certificate, {
      principals: line.principals ?? [userName],
      address: context.address,
      now: context.now,
      revocations: context.revocations,
    });
    if (decision.kind === 'refused') {
      reason = decision.reason;
      continue;
    }
    const { terms } = decision;
    const restrictions = bothRestrictions(line.restrictions, terms.restrictions);
    if (restrictions === undefined) {
      reason = 'the certificate and its authority force different commands';
      continue;
    }
    return {
      kind: 'acceptable',
      via: 'certificate',
      key: certificate.key,
      signatureAlgorithm,
      // In a user's own line, touch is waived only when the line waives it as well.
      touchRequired: terms.touchRequired || (!everyUser && line.touchRequired),
      verifyRequired: terms.verifyRequired || line.verifyRequired,
      restrictions,
      description: describeCertificate(certificate),
    };
  }
  return refused(reason);
}

function lineProblem(line: AuthorizedKey, context: OfferContext): string | undefined {
  if (line.expiresAt !== undefined && context.now >= line.expiresAt) return 'the key has expired';
  if (line.from !== undefined && !addressMatches(line.from, context.address)) {
    return 'the key may not be used from this address';
  }
  return undefined;
}

function refused(reason: string): OfferDecision {
  return { kind: 'refused', reason };
}
