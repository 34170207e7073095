// Reads lists of revoked keys and certificates: OpenSSH's binary KRL (PROTOCOL.krl), or text with one entry a line:
//   a public key · `SHA256:…` (of a key, or of a whole certificate) · `serial N[-M] SHA256:…` · `id SHA256:… KEY ID`
// where the fingerprint after `serial` and `id` names the authority. A list that can't be read whole is an error: to
// go on with part of a revocation list would be to let revoked keys in.
import { createHash } from 'node:crypto';
import { BlobError, BlobReader, blobProblem } from './blob.ts';
import { fingerprint, readPublicKey } from './public-key.ts';

/** A certificate as far as revoking goes. */
export interface RevocableCertificate {
  readonly blob: Buffer;
  readonly key: { readonly blob: Buffer };
  readonly authority: { readonly blob: Buffer };
  readonly serial: bigint;
  readonly keyId: string;
}

export interface Revocations {
  keyRevoked(blob: Buffer): boolean;
  /** Why the certificate is revoked (by itself, its key, its authority, its serial or its key id), if it is. */
  certificateRevoked(certificate: RevocableCertificate): string | undefined;
}

export class RevocationsError extends Error {
  override readonly name = 'RevocationsError';
  readonly code = 'SP_LOGIN_REVOCATIONS';
}

const MAGIC = Buffer.from('SSHKRL\n\0', 'latin1');
const LARGEST_FILE = 64 * 1024 * 1024;
/** For entries that hold for every authority. */
const ANY_AUTHORITY = '*';

type Serials =
  | { readonly kind: 'range'; readonly first: bigint; readonly last: bigint }
  | { readonly kind: 'bitmap'; readonly offset: bigint; readonly bits: Buffer };

class Collected {
  readonly sha256 = new Set<string>();
  readonly sha1 = new Set<string>();
  readonly serials = new Map<string, { single: Set<bigint>; others: Serials[] }>();
  readonly keyIds = new Map<string, Set<string>>();

  serialsOf(authority: string) {
    const existing = this.serials.get(authority);
    if (existing !== undefined) return existing;
    const fresh = { single: new Set<bigint>(), others: [] };
    this.serials.set(authority, fresh);
    return fresh;
  }

  keyIdsOf(authority: string): Set<string> {
    const existing = this.keyIds.get(authority) ?? new Set<string>();
    this.keyIds.set(authority, existing);
    return existing;
  }
}

export const NOTHING_REVOKED: Revocations = asRevocations(new Collected());

/** Throws a RevocationsError that names the line, for text, when the list can't be read whole. */
export function readRevocations(data: Buffer): Revocations {
  if (data.length > LARGEST_FILE) throw new RevocationsError('the revocation list is larger than 64 MiB');
  const collected = new Collected();
  if (data.subarray(0, MAGIC.length).equals(MAGIC)) {
    try {
      readBinary(data, collected);
    } catch (error) {
      throw new RevocationsError(`the revocation list ${blobProblem(error)}`);
    }
  } else {
    readText(data.toString('utf8'), collected);
  }
  return asRevocations(collected);
}

function asRevocations(collected: Collected): Revocations {
  const keyRevoked = (blob: Buffer) =>
    collected.sha256.has(fingerprint(blob)) ||
    (collected.sha1.size > 0 && collected.sha1.has(createHash('sha1').update(blob).digest('hex')));
  return {
    keyRevoked,
    certificateRevoked(certificate) {
      if (keyRevoked(certificate.blob)) return 'the certificate is revoked';
      if (keyRevoked(certificate.key.blob)) return 'the key of the certificate is revoked';
      if (keyRevoked(certificate.authority.blob)) return 'the authority of the certificate is revoked';
      for (const authority of [fingerprint(certificate.authority.blob), ANY_AUTHORITY]) {
        const serials = collected.serials.get(authority);
        // Serial 0 is what authorities that keep no serials write: it names no certificate.
        if (serials !== undefined && certificate.serial !== 0n) {
          const hit =
            serials.single.has(certificate.serial) ||
            serials.others.some((range) => includesSerial(range, certificate.serial));
          if (hit) return 'the serial number of the certificate is revoked';
        }
        if (collected.keyIds.get(authority)?.has(certificate.keyId) === true) {
          return 'the key id of the certificate is revoked';
        }
      }
      return undefined;
    },
  };
}

function includesSerial(serials: Serials, serial: bigint): boolean {
  switch (serials.kind) {
    case 'range':
      return serial >= serials.first && serial <= serials.last;
    case 'bitmap': {
      if (serial < serials.offset) return false;
      const bit = serial - serials.offset;
      if (bit >= BigInt(serials.bits.length) * 8n) return false;
      const index = Number(bit);
      const byte = serials.bits[serials.bits.length - 1 - Math.floor(index / 8)] ?? 0;
      return ((byte >> (index % 8)) & 1) === 1;
    }
  }
}

const SECTION = { certificates: 1, keys: 2, sha1: 3, signature: 4, sha256: 5, extension: 255 } as const;
const CERTIFICATE_SECTION = { list: 0x20, range: 0x21, bitmap: 0x22, keyId: 0x23, extension: 0x39 } as const;

function readBinary(data: Buffer, into: Collected): void {
  const reader = new BlobReader(data, MAGIC.length);
  if (reader.uint32() !== 1) throw new BlobError('is of a format version that is not known');
  reader.uint64(); // the list's own version
  reader.uint64(); // when it was made
  reader.uint64(); // flags: none are defined
  reader.string(); // reserved
  reader.string(); // a comment
  while (reader.remaining > 0) {
    const kind = reader.byte();
    const section = new BlobReader(reader.string());
    switch (kind) {
      case SECTION.certificates:
        readCertificateSection(section, into);
        break;
      case SECTION.keys:
        while (section.remaining > 0) into.sha256.add(fingerprint(section.string()));
        break;
      case SECTION.sha1:
        while (section.remaining > 0) into.sha1.add(digest(section, 20).toString('hex'));
        break;
      case SECTION.sha256:
        while (section.remaining > 0) into.sha256.add(fingerprintOf(digest(section, 32)));
        break;
      case SECTION.signature:
        // The file's owner is trusted, as for text; signatures on lists serve those who fetch them.
        reader.string();
        break;
      case SECTION.extension:
        skipExtension(section);
        break;
      default:
        throw new BlobError(`holds a section of kind ${kind}, which is not known`);
    }
  }
}

function readCertificateSection(reader: BlobReader, into: Collected): void {
  const authorityBlob = reader.string();
  const authority = authorityBlob.length === 0 ? ANY_AUTHORITY : fingerprint(authorityBlob);
  reader.string(); // reserved
  while (reader.remaining > 0) {
    const kind = reader.byte();
    const section = new BlobReader(reader.string());
    const serials = into.serialsOf(authority);
    switch (kind) {
      case CERTIFICATE_SECTION.list:
        while (section.remaining > 0) serials.single.add(section.uint64());
        break;
      case CERTIFICATE_SECTION.range:
        serials.others.push({ kind: 'range', first: section.uint64(), last: section.uint64() });
        section.end();
        break;
      case CERTIFICATE_SECTION.bitmap:
        serials.others.push({
          kind: 'bitmap',
          offset: section.uint64(),
          bits: Buffer.from(section.positiveInteger()),
        });
        section.end();
        break;
      case CERTIFICATE_SECTION.keyId:
        while (section.remaining > 0) into.keyIdsOf(authority).add(section.text());
        break;
      case CERTIFICATE_SECTION.extension:
        skipExtension(section);
        break;
      default:
        throw new BlobError(`holds a certificate section of kind ${kind}, which is not known`);
    }
  }
}

function digest(reader: BlobReader, length: number): Buffer {
  const value = reader.string();
  if (value.length !== length) throw new BlobError('holds a fingerprint of the wrong length');
  return value;
}

function skipExtension(reader: BlobReader): void {
  reader.string();
  if (reader.boolean()) throw new BlobError('holds a critical extension that is not known');
}

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

function readText(text: string, into: Collected): void {
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const problem = readTextLine(line, into);
    if (problem !== undefined) throw new RevocationsError(`line ${index + 1}: ${problem}`);
  }
}

function readTextLine(line: string, into: Collected): string | undefined {
  const [word = '', second = '', third = ''] = line.split(/\s+/);
  if (FINGERPRINT.test(word)) {
    into.sha256.add(word);
    return undefined;
  }
  switch (word) {
    case 'serial': {
      const range = /^(\d{1,20})(?:-(\d{1,20}))?$/.exec(second);
      if (range?.[1] === undefined || !FINGERPRINT.test(third)) return 'wanted: serial N[-M] SHA256:…';
      const first = BigInt(range[1]);
      const last = range[2] === undefined ? first : BigInt(range[2]);
      if (last < first) return 'the last serial is below the first';
      into.serialsOf(third).others.push({ kind: 'range', first, last });
      return undefined;
    }
    case 'id': {
      const keyId = line.replace(/^id\s+\S+\s*/, '');
      if (!FINGERPRINT.test(second) || keyId === '') return 'wanted: id SHA256:… KEY ID';
      into.keyIdsOf(second).add(keyId);
      return undefined;
    }
    default:
      return readKeyLine(second, into);
  }
}

/** A key, or a certificate, as in a .pub file. Its type may be one that could not sign in anyway. */
function readKeyLine(base64: string, into: Collected): string | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return 'neither a key nor a fingerprint, serial or id';
  const blob = Buffer.from(base64, 'base64');
  try {
    const type = new BlobReader(blob).ascii();
    if (!type.includes('-cert-')) readPublicKey(blob);
  } catch (error) {
    return `the key ${blobProblem(error)}`;
  }
  into.sha256.add(fingerprint(blob));
  return undefined;
}

function fingerprintOf(hash: Buffer): string {
  return `SHA256:${hash.toString('base64').replace(/=+$/, '')}`;
}
