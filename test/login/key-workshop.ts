// Makes keys, signatures and certificates for tests: keys by node:crypto, with a software stand-in for a FIDO2
// authenticator, and certificates and revocation lists by the real ssh-keygen.
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageWriter } from '../../proxy/transport/messages.ts';

export const SK_APPLICATION = 'ssh:';

export interface SecurityKeyUse {
  /** 0x01: touched; 0x04: user verified. */
  readonly flags: number;
  readonly counter: number;
}

export interface WorkshopKey {
  readonly type: string;
  readonly blob: Buffer;
  /** As in a .pub file. */
  readonly line: string;
  readonly privateKey: KeyObject;
  /** An SSH signature blob. `use` matters to security keys only. */
  sign(algorithm: string, data: Buffer, use?: SecurityKeyUse): Buffer;
}

export function sshStrings(...values: readonly (Buffer | string)[]): Buffer {
  const writer = new MessageWriter();
  for (const value of values) writer.string(value);
  return writer.build();
}

export function mpint(value: Buffer): Buffer {
  let start = 0;
  while (start < value.length && value[start] === 0) start++;
  const bare = value.subarray(start);
  return (bare[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bare]) : bare;
}

export function makeKey(type: string, rsaBits = 2048): WorkshopKey {
  const { blob, privateKey } = generate(type, rsaBits);
  return {
    type,
    blob,
    line: `${type} ${blob.toString('base64')} key-of-${type.replace(/[^a-z0-9-]/g, '-')}`,
    privateKey,
    sign: (algorithm, data, use = { flags: 1, counter: 1 }) => signature(algorithm, privateKey, data, use),
  };
}

const CURVES: Readonly<Record<string, { openssl: string; bytes: number; hash: string }>> = {
  nistp256: { openssl: 'P-256', bytes: 32, hash: 'sha256' },
  nistp384: { openssl: 'P-384', bytes: 48, hash: 'sha384' },
  nistp521: { openssl: 'P-521', bytes: 66, hash: 'sha512' },
};

function curveOf(name: string) {
  const curve = Object.entries(CURVES).find(([id]) => name.includes(id));
  if (curve === undefined) throw new Error(`no curve in ${name}`);
  return { id: curve[0], ...curve[1] };
}

function generate(type: string, rsaBits: number): { blob: Buffer; privateKey: KeyObject } {
  const application = type.startsWith('sk-') ? [SK_APPLICATION] : [];
  if (type.includes('ed25519')) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    return { privateKey, blob: sshStrings(type, field(publicKey, 'x'), ...application) };
  }
  if (type === 'ssh-rsa') {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: rsaBits });
    return { privateKey, blob: sshStrings(type, mpint(field(publicKey, 'e')), mpint(field(publicKey, 'n'))) };
  }
  const { id, openssl } = curveOf(type);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: openssl });
  const point = Buffer.concat([Buffer.from([4]), field(publicKey, 'x'), field(publicKey, 'y')]);
  return { privateKey, blob: sshStrings(type, id, point, ...application) };
}

function field(key: KeyObject, name: 'x' | 'y' | 'n' | 'e'): Buffer {
  return Buffer.from(key.export({ format: 'jwk' })[name] ?? '', 'base64url');
}

function sha256(data: Buffer | string): Buffer {
  return createHash('sha256').update(data).digest();
}

function signature(algorithm: string, key: KeyObject, data: Buffer, use: SecurityKeyUse): Buffer {
  const sk = algorithm.startsWith('sk-');
  const tail = new MessageWriter().byte(use.flags).uint32(use.counter).build();
  const signed = sk ? Buffer.concat([sha256(SK_APPLICATION), tail, sha256(data)]) : data;
  if (algorithm.includes('ed25519')) {
    return Buffer.concat([sshStrings(algorithm, sign(null, signed, key)), sk ? tail : Buffer.alloc(0)]);
  }
  if (algorithm === 'ssh-rsa') return sshStrings(algorithm, sign('sha1', data, key));
  if (algorithm.startsWith('rsa-sha2-')) {
    return sshStrings(algorithm, sign(algorithm === 'rsa-sha2-512' ? 'sha512' : 'sha256', data, key));
  }
  return Buffer.concat([sshStrings(algorithm, ecdsa(algorithm, key, signed)), sk ? tail : Buffer.alloc(0)]);
}

function ecdsa(algorithm: string, key: KeyObject, data: Buffer): Buffer {
  const { bytes, hash } = curveOf(algorithm);
  const raw = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  return sshStrings(mpint(raw.subarray(0, bytes)), mpint(raw.subarray(bytes)));
}

/** A signature as a browser makes it: over client data that holds the SSH data as its challenge. */
export function webauthnSignature(
  key: WorkshopKey,
  data: Buffer,
  change: { readonly origin?: string; readonly clientData?: string; readonly flags?: number } = {},
): Buffer {
  const origin = change.origin ?? 'https://gateway.example';
  const clientData =
    change.clientData ??
    `{"type":"webauthn.get","challenge":"${data.toString('base64url')}","origin":"${origin}","crossOrigin":false}`;
  const flags = change.flags ?? 1;
  const tail = new MessageWriter().byte(flags).uint32(7).build();
  const signed = Buffer.concat([sha256(SK_APPLICATION), tail, sha256(clientData)]);
  return Buffer.concat([
    sshStrings('webauthn-sk-ecdsa-sha2-nistp256@openssh.com', ecdsa('nistp256', key.privateKey, signed)),
    tail,
    sshStrings(origin, clientData, ''),
  ]);
}

/** A directory of its own, in which ssh-keygen works. */
export class Workshop implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-keys-'));
  #count = 0;

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  keygen(...args: readonly string[]): string {
    return execFileSync('ssh-keygen', args, { cwd: this.directory, encoding: 'utf8' });
  }

  /** Generates a key pair on disk, without a passphrase; answers the path of the private key. */
  generate(type: 'ed25519' | 'ecdsa' | 'rsa', bits?: number): string {
    this.#count++;
    const path = this.path(`id_${type}_${this.#count}`);
    const size = bits === undefined ? [] : ['-b', String(bits)];
    this.keygen('-q', '-t', type, ...size, '-N', '', '-C', `test ${type}`, '-f', path);
    return path;
  }

  publicLine(path: string): string {
    return readFileSync(`${path}.pub`, 'utf8').trim();
  }

  /** Certifies a public key line; answers the certificate's blob. `args` are further ones for `ssh-keygen -s`. */
  certify(authority: string, publicLine: string, ...args: readonly string[]): Buffer {
    this.#count++;
    const path = this.path(`cert_${this.#count}`);
    writeFileSync(`${path}.pub`, `${publicLine}\n`);
    this.keygen('-q', '-s', authority, ...args, `${path}.pub`);
    return blobOf(readFileSync(`${path}-cert.pub`, 'utf8'));
  }
}

/** The blob of a line of a .pub file. */
export function blobOf(line: string): Buffer {
  return Buffer.from(line.trim().split(' ')[1] ?? '', 'base64');
}
