// Reads SSH public keys and verifies their signatures: Ed25519, ECDSA on the NIST curves, RSA with SHA-2, and FIDO2
// security keys (`sk-…`, PROTOCOL.u2f of OpenSSH). SHA-1 signatures (`ssh-rsa`) are refused for every use.
// It knows neither certificates nor who may sign in; a certificate's type is not a key type here, which is what keeps
// a certificate from being a certificate's authority (CVE-2025-49825).
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { MessageWriter } from '../transport/messages.ts';
import { BlobError, BlobReader, blobProblem } from './blob.ts';

export type KeyType =
  | 'ssh-ed25519'
  | 'ecdsa-sha2-nistp256'
  | 'ecdsa-sha2-nistp384'
  | 'ecdsa-sha2-nistp521'
  | 'ssh-rsa'
  | 'sk-ssh-ed25519@openssh.com'
  | 'sk-ecdsa-sha2-nistp256@openssh.com';

type Scheme =
  | { readonly kind: 'ed25519' }
  | { readonly kind: 'ecdsa'; readonly curve: Curve }
  | { readonly kind: 'rsa'; readonly bits: number }
  | { readonly kind: 'sk-ed25519'; readonly application: Buffer }
  | { readonly kind: 'sk-ecdsa'; readonly curve: Curve; readonly application: Buffer };

export interface PublicKey {
  readonly type: KeyType;
  /** The key as it is sent and stored. */
  readonly blob: Buffer;
  readonly scheme: Scheme;
  readonly key: KeyObject;
}

interface Curve {
  readonly name: string;
  readonly jwk: string;
  readonly bytes: number;
  readonly hash: string;
}

const CURVES: Readonly<Record<string, Curve>> = {
  nistp256: { name: 'nistp256', jwk: 'P-256', bytes: 32, hash: 'sha256' },
  nistp384: { name: 'nistp384', jwk: 'P-384', bytes: 48, hash: 'sha384' },
  nistp521: { name: 'nistp521', jwk: 'P-521', bytes: 66, hash: 'sha512' },
};

const FEWEST_RSA_BITS = 2048;
const MOST_RSA_BITS = 16_384;
/** Public exponents beyond 32 bits serve nobody and make each verification dear. */
const LONGEST_RSA_EXPONENT_BYTES = 4;
const LONGEST_KEY_BLOB = 8192;
const LONGEST_SIGNATURE_BLOB = 8192;
const LONGEST_APPLICATION = 256;

/** What a security key says beside its signature. */
export interface SecurityKeyEvidence {
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  readonly counter: number;
}

export type Verification =
  | { readonly kind: 'valid'; readonly securityKey: SecurityKeyEvidence | undefined }
  | { readonly kind: 'invalid'; readonly reason: string };

/** `SHA256:…` as ssh-keygen prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** Reads a public key blob. Throws a BlobError for anything that isn't a key of an accepted type and size. */
export function readPublicKey(blob: Buffer): PublicKey {
  if (blob.length > LONGEST_KEY_BLOB) throw new BlobError('is too long for a public key');
  try {
    const reader = new BlobReader(blob);
    const type = reader.ascii();
    const read = readKeyFields(type, reader);
    reader.end();
    // A copy: the caller's buffer may be a view of a packet.
    return { ...read, blob: Buffer.from(blob) };
  } catch (error) {
    throw new BlobError(blobProblem(error));
  }
}

/** Reads the fields that follow a key's type, in plain keys and in certificates alike. */
export function readKeyFields(type: string, reader: BlobReader): Omit<PublicKey, 'blob'> {
  switch (type) {
    case 'ssh-ed25519':
      return { type, scheme: { kind: 'ed25519' }, key: ed25519(reader) };
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521': {
      const curve = curveNamed(type.slice('ecdsa-sha2-'.length));
      return { type, scheme: { kind: 'ecdsa', curve }, key: point(curve, reader) };
    }
    case 'ssh-rsa': {
      const { key, bits } = rsa(reader);
      return { type, scheme: { kind: 'rsa', bits }, key };
    }
    case 'sk-ssh-ed25519@openssh.com': {
      const key = ed25519(reader);
      return { type, scheme: { kind: 'sk-ed25519', application: application(reader) }, key };
    }
    case 'sk-ecdsa-sha2-nistp256@openssh.com': {
      const curve = curveNamed('nistp256');
      const key = point(curve, reader);
      return { type, scheme: { kind: 'sk-ecdsa', curve, application: application(reader) }, key };
    }
    default:
      throw new BlobError('is of a type that is not accepted');
  }
}

/** The signature algorithms that fit a key type (RFC 8332 for RSA); anything else is refused. */
export function signatureAlgorithms(type: KeyType): readonly string[] {
  switch (type) {
    case 'ssh-rsa':
      return ['rsa-sha2-512', 'rsa-sha2-256'];
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return [type, 'webauthn-sk-ecdsa-sha2-nistp256@openssh.com'];
    default:
      return [type];
  }
}

/**
 * Verifies `signature` (an SSH signature blob) over `data`. `algorithm` is the one agreed on beforehand; undefined where the
 * signature alone names it, as in certificates. Never throws.
 */
export function verifySignature(
  key: Omit<PublicKey, 'blob'>,
  algorithm: string | undefined,
  data: Buffer,
  signature: Buffer,
): Verification {
  try {
    if (signature.length > LONGEST_SIGNATURE_BLOB) return invalid('the signature is too long');
    const reader = new BlobReader(signature);
    const named = reader.ascii();
    if (algorithm !== undefined && named !== algorithm)
      return invalid('the signature is of another algorithm');
    if (!signatureAlgorithms(key.type).includes(named)) {
      return invalid('the signature algorithm does not fit the key');
    }
    return verifyNamed(key, named, data, reader);
  } catch (error) {
    return invalid(`the signature ${blobProblem(error)}`);
  }
}

function verifyNamed(
  key: Omit<PublicKey, 'blob'>,
  named: string,
  data: Buffer,
  reader: BlobReader,
): Verification {
  const { scheme } = key;
  switch (scheme.kind) {
    case 'ed25519': {
      const raw = reader.string();
      reader.end();
      return verdict(raw.length === 64 && verify(null, data, key.key, raw), undefined);
    }
    case 'ecdsa': {
      const raw = ecdsaSignature(reader.string(), scheme.curve);
      reader.end();
      return verdict(verifyEcdsa(key.key, scheme.curve, data, raw), undefined);
    }
    case 'rsa': {
      const raw = reader.string();
      reader.end();
      const length = Math.ceil(scheme.bits / 8);
      if (raw.length > length) return invalid('the signature is longer than the modulus');
      // Some clients drop leading zero bytes of the signature, which RFC 8332 §3 allows for.
      const padded = Buffer.concat([Buffer.alloc(length - raw.length), raw]);
      const hash = named === 'rsa-sha2-512' ? 'sha512' : 'sha256';
      return verdict(verify(hash, data, key.key, padded), undefined);
    }
    case 'sk-ed25519': {
      const raw = reader.string();
      const { evidence, signed } = securityKeyData(reader, scheme.application, sha256(data));
      reader.end();
      return verdict(raw.length === 64 && verify(null, signed, key.key, raw), evidence);
    }
    case 'sk-ecdsa': {
      const raw = ecdsaSignature(reader.string(), scheme.curve);
      const webauthn = named.startsWith('webauthn-');
      const { evidence, signed } = webauthn
        ? webauthnData(reader, scheme.application, data)
        : securityKeyData(reader, scheme.application, sha256(data));
      reader.end();
      return verdict(verifyEcdsa(key.key, scheme.curve, signed, raw), evidence);
    }
  }
}

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const ATTESTED_DATA = 0x40;
const EXTENSION_DATA = 0x80;

function securityKeyData(reader: BlobReader, application: Buffer, messageHash: Buffer, extensions?: Buffer) {
  const flags = reader.byte();
  const counter = reader.uint32();
  return evidenceOf(flags, counter, application, messageHash, extensions ?? Buffer.alloc(0));
}

function evidenceOf(flags: number, counter: number, app: Buffer, messageHash: Buffer, extensions: Buffer) {
  const evidence: SecurityKeyEvidence = {
    userPresent: (flags & USER_PRESENT) !== 0,
    userVerified: (flags & USER_VERIFIED) !== 0,
    counter,
  };
  const signed = new MessageWriter()
    .raw(sha256(app))
    .byte(flags)
    .uint32(counter)
    .raw(extensions)
    .raw(messageHash)
    .build();
  return { evidence, signed };
}

/**
 * A signature made through a browser: the authenticator signs the hash of the browser's client data, which must open in
 * exactly this form and hold the SSH data as its challenge (PROTOCOL.u2f, "webauthn signatures").
 */
function webauthnData(reader: BlobReader, application: Buffer, data: Buffer) {
  const flags = reader.byte();
  const counter = reader.uint32();
  const origin = reader.ascii();
  const clientData = reader.string();
  const extensions = reader.string();
  if (/["\\]/.test(origin)) throw new BlobError('names an origin that holds a quote or a backslash');
  const challenge = data.toString('base64url');
  const opening = `{"type":"webauthn.get","challenge":"${challenge}","origin":"${origin}"`;
  const actual = clientData.subarray(0, Buffer.byteLength(opening)).toString('utf8');
  const next = clientData[Buffer.byteLength(opening)];
  const continues = next === 0x2c || next === 0x7d;
  if (actual !== opening || !continues) throw new BlobError('holds client data for something else');
  if ((flags & ATTESTED_DATA) !== 0 || ((flags & EXTENSION_DATA) !== 0) !== extensions.length > 0) {
    throw new BlobError('has extension data that its flags do not tell');
  }
  return evidenceOf(flags, counter, application, sha256(clientData), extensions);
}

function ed25519(reader: BlobReader): KeyObject {
  const raw = reader.string();
  if (raw.length !== 32) throw new BlobError('is an Ed25519 key of the wrong length');
  return jwk({ kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') });
}

function curveNamed(name: string): Curve {
  const curve = CURVES[name];
  if (curve === undefined) throw new BlobError('is on a curve that is not accepted');
  return curve;
}

function point(curve: Curve, reader: BlobReader): KeyObject {
  if (reader.ascii() !== curve.name) throw new BlobError('names another curve than its type');
  const raw = reader.string();
  if (raw.length !== 1 + 2 * curve.bytes || raw[0] !== 0x04) {
    throw new BlobError('holds a point of the wrong form');
  }
  const x = raw.subarray(1, 1 + curve.bytes).toString('base64url');
  const y = raw.subarray(1 + curve.bytes).toString('base64url');
  return jwk({ kty: 'EC', crv: curve.jwk, x, y });
}

function rsa(reader: BlobReader): { key: KeyObject; bits: number } {
  const exponent = reader.positiveInteger();
  const modulus = reader.positiveInteger();
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  if (bits < FEWEST_RSA_BITS) throw new BlobError(`is an RSA key of less than ${FEWEST_RSA_BITS} bits`);
  if (bits > MOST_RSA_BITS) throw new BlobError(`is an RSA key of more than ${MOST_RSA_BITS} bits`);
  const odd = ((exponent.at(-1) ?? 0) & 1) === 1;
  const one = exponent.length === 1 && exponent[0] === 1;
  if (!odd || one || exponent.length > LONGEST_RSA_EXPONENT_BYTES) {
    throw new BlobError('is an RSA key with an unusable exponent');
  }
  const key = jwk({ kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') });
  return { key, bits };
}

function application(reader: BlobReader): Buffer {
  const value = reader.string();
  if (value.length === 0 || value.length > LONGEST_APPLICATION) {
    throw new BlobError('is a security key with an application of the wrong length');
  }
  return Buffer.from(value);
}

function jwk(key: Record<string, string>): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    throw new BlobError('holds a public key that is not valid');
  }
}

/** r and s (RFC 5656 §3.1.2) as the fixed-length pair that node:crypto takes. */
function ecdsaSignature(blob: Buffer, curve: Curve): Buffer {
  const reader = new BlobReader(blob);
  const r = reader.positiveInteger();
  const s = reader.positiveInteger();
  reader.end();
  if (r.length > curve.bytes || s.length > curve.bytes)
    throw new BlobError('holds a number that is too long');
  const raw = Buffer.alloc(2 * curve.bytes);
  r.copy(raw, curve.bytes - r.length);
  s.copy(raw, 2 * curve.bytes - s.length);
  return raw;
}

function verifyEcdsa(key: KeyObject, curve: Curve, data: Buffer, raw: Buffer): boolean {
  return verify(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' }, raw);
}

function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

function verdict(matches: boolean, securityKey: SecurityKeyEvidence | undefined): Verification {
  return matches ? { kind: 'valid', securityKey } : invalid('the signature does not match');
}

function invalid(reason: string): Verification {
  return { kind: 'invalid', reason };
}
