// Reads OpenSSH user certificates (PROTOCOL.certkeys) and judges whether one may stand for a user: type, authority,
// validity, principals, critical options. What isn't understood is refused; what isn't granted by an extension is not
// allowed. The signature of the person who holds the certificate's key is login.ts's to check, after this.
import { printable } from '../transport/messages.ts';
import { BlobError, BlobReader, blobProblem, strings } from './blob.ts';
import { fingerprint, type PublicKey, readKeyFields, readPublicKey, verifySignature } from './public-key.ts';
import type { Restrictions } from './restrictions.ts';
import type { Revocations } from './revocations.ts';
import { type AddressRule, addressMatches, readBlockList } from './source-address.ts';

export interface Certificate {
  readonly blob: Buffer;
  /** The certified key, as a plain key. */
  readonly key: PublicKey;
  readonly authority: PublicKey;
  readonly serial: bigint;
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since the epoch: valid from `validAfter`, no longer at `validBefore`. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly criticalOptions: ReadonlyMap<string, Buffer>;
  readonly extensions: ReadonlyMap<string, Buffer>;
}

/** What a certificate that was accepted allows and asks for. */
export interface CertificateTerms {
  readonly restrictions: Restrictions;
  readonly touchRequired: boolean;
  readonly verifyRequired: boolean;
}

export type CertificateDecision =
  | { readonly kind: 'accepted'; readonly terms: CertificateTerms }
  | { readonly kind: 'refused'; readonly reason: string };

export interface CertificateQuestion {
  /** The certificate must hold one of these. */
  readonly principals: readonly string[];
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly revocations: Revocations;
}

const SUFFIX = '-cert-v01@openssh.com';
const USER_CERTIFICATE = 1;
const LONGEST_CERTIFICATE = 32_768;
const MOST_PRINCIPALS = 256;
const MOST_OPTIONS = 64;

/** The plain key type that a certificate's type name stands for; undefined for any other name. */
export function plainTypeOf(type: string): string | undefined {
  if (!type.endsWith(SUFFIX)) return undefined;
  const plain = type.slice(0, -SUFFIX.length);
  return plain.startsWith('sk-') || plain.startsWith('webauthn-sk-') ? `${plain}@openssh.com` : plain;
}

/**
 * Reads a certificate and verifies that its authority signed it. Throws a BlobError for anything else. An authority that
 * is itself a certificate is no plain key and is refused here.
 */
export function readCertificate(blob: Buffer): Certificate {
  if (blob.length > LONGEST_CERTIFICATE) throw new BlobError('is too long for a certificate');
  try {
    return readFields(Buffer.from(blob));
  } catch (error) {
    throw new BlobError(blobProblem(error));
  }
}

function readFields(blob: Buffer): Certificate {
  const reader = new BlobReader(blob);
  const plainType = plainTypeOf(reader.ascii());
  if (plainType === undefined) throw new BlobError('is no certificate');
  reader.string(); // the nonce
  const start = reader.position;
  const fields = readKeyFields(plainType, reader);
  const keyBlob = Buffer.concat([strings(plainType), blob.subarray(start, reader.position)]);
  const serial = reader.uint64();
  const kind = reader.uint32();
  const keyId = reader.text();
  const principals = readPrincipals(reader.string());
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const criticalOptions = readOptions(reader.string());
  const extensions = readOptions(reader.string());
  reader.string(); // reserved
  const authority = readPublicKey(reader.string());
  const signed = blob.subarray(0, reader.position);
  const signature = reader.string();
  reader.end();
  if (kind !== USER_CERTIFICATE) throw new BlobError('is not a user certificate');
  const verified = verifySignature(authority, undefined, signed, signature);
  if (verified.kind === 'invalid') throw new BlobError(`is not signed by its authority: ${verified.reason}`);
  if (verified.securityKey?.userPresent === false) {
    throw new BlobError('is signed by a security key that nobody touched');
  }
  const key: PublicKey = { ...fields, blob: keyBlob };
  return {
    blob,
    key,
    authority,
    serial,
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
  };
}

function readPrincipals(data: Buffer): string[] {
  const reader = new BlobReader(data);
  const principals: string[] = [];
  while (reader.remaining > 0) {
    if (principals.length >= MOST_PRINCIPALS) throw new BlobError('holds too many principals');
    principals.push(reader.text());
  }
  return principals;
}

function readOptions(data: Buffer): Map<string, Buffer> {
  const reader = new BlobReader(data);
  const options = new Map<string, Buffer>();
  while (reader.remaining > 0) {
    if (options.size >= MOST_OPTIONS) throw new BlobError('holds too many options');
    const name = reader.ascii();
    if (options.has(name)) throw new BlobError('holds an option twice');
    options.set(name, reader.string());
  }
  return options;
}

/** Whether this certificate may stand for the user now. That its authority is trusted is the caller's to know. */
export function judgeCertificate(
  certificate: Certificate,
  question: CertificateQuestion,
): CertificateDecision {
  const now = BigInt(Math.floor(question.now / 1000));
  if (now < certificate.validAfter) return refused('the certificate is not valid yet');
  if (now >= certificate.validBefore) return refused('the certificate has expired');
  if (certificate.principals.length === 0) return refused('the certificate names no principals');
  if (!certificate.principals.some((principal) => question.principals.includes(principal))) {
    return refused('the certificate is for other principals');
  }
  const revoked = question.revocations.certificateRevoked(certificate);
  if (revoked !== undefined) return refused(revoked);

  let forcedCommand: string | undefined;
  let verifyRequired = false;
  for (const [name, data] of certificate.criticalOptions) {
    switch (name) {
      case 'force-command': {
        forcedCommand = optionText(data);
        if (forcedCommand === undefined || forcedCommand === '') {
          return refused('the forced command can not be read');
        }
        break;
      }
      case 'source-address': {
        const rules: readonly AddressRule[] | undefined = readBlockList(optionText(data) ?? '');
        if (rules === undefined) return refused('the source addresses can not be read');
        if (!addressMatches(rules, question.address)) {
          return refused('the certificate does not hold for this source address');
        }
        break;
      }
      case 'verify-required':
        if (data.length > 0) return refused('verify-required can not be read');
        verifyRequired = true;
        break;
      default:
        return refused('the certificate holds a critical option that is not known');
    }
  }
  // An extension that isn't known grants nothing, and may be there.
  const granted = (name: string) => certificate.extensions.get(name)?.length === 0;
  return {
    kind: 'accepted',
    terms: {
      restrictions: {
        pty: granted('permit-pty'),
        portForwarding: granted('permit-port-forwarding'),
        agentForwarding: granted('permit-agent-forwarding'),
        x11Forwarding: granted('permit-X11-forwarding'),
        forcedCommand,
        permitOpen: undefined,
        permitListen: undefined,
      },
      touchRequired: !granted('no-touch-required'),
      verifyRequired,
    },
  };
}

/** For the log: which certificate it was. The key id is chosen by the authority, not by the user. */
export function describeCertificate(certificate: Certificate): string {
  const keyId = printable(certificate.keyId, 128);
  const authority = fingerprint(certificate.authority.blob);
  return `certificate "${keyId}" serial ${certificate.serial} authority ${authority}`;
}

/** An option's data is a string within the string. */
function optionText(data: Buffer): string | undefined {
  try {
    const reader = new BlobReader(data);
    const text = reader.text();
    reader.end();
    return text;
  } catch (error) {
    blobProblem(error);
    return undefined;
  }
}

function refused(reason: string): CertificateDecision {
  return { kind: 'refused', reason };
}
