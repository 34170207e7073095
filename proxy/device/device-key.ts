// A credential's private key in use: its public blob and signatures in SSH's form. Reads OpenSSH, PKCS#1, SEC1 and
// PKCS#8 files. No SHA-1. The key itself stays in here and node:crypto.
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import ssh2 from 'ssh2';
import { MessageWriter } from '../transport/messages.ts';

export interface DeviceKey {
  /** The public key's type, e.g. `ssh-rsa`. */
  readonly type: string;
  readonly blob: Buffer;
  /** Signature algorithms that this key can make, best first. */
  readonly algorithms: readonly string[];
  /** The signature in SSH's form: algorithm, then blob. */
  sign(algorithm: string, data: Buffer): Buffer;
}

const CURVES: Readonly<
  Record<string, { readonly name: string; readonly hash: string; readonly size: number }>
> = {
  'P-256': { name: 'nistp256', hash: 'sha256', size: 32 },
  'P-384': { name: 'nistp384', hash: 'sha384', size: 48 },
  'P-521': { name: 'nistp521', hash: 'sha512', size: 66 },
};

/** Throws an Error whose message holds nothing of the key. */
export function readDeviceKey(privateKey: string, password: string | undefined): DeviceKey {
  const key = readPrivateKey(privateKey, password);
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return ed25519Key(key);
    case 'ec':
      return ecdsaKey(key);
    case 'rsa':
      return rsaKey(key);
    default:
      throw new Error(`private keys of type ${key.asymmetricKeyType} are not supported`);
  }
}

function readPrivateKey(text: string, password: string | undefined): KeyObject {
  if (!text.includes('BEGIN OPENSSH PRIVATE KEY')) {
    try {
      return createPrivateKey({ key: text, ...(password === undefined ? {} : { passphrase: password }) });
    } catch {
      throw new Error('the private key cannot be read (format or password)');
    }
  }
  const parsed = ssh2.utils.parseKey(text, password);
  if (parsed instanceof Error) throw new Error('the private key cannot be read (format or password)');
  try {
    return createPrivateKey(parsed.getPrivatePEM());
  } catch {
    throw new Error('the private key cannot be read (format or password)');
  }
}

function field(key: KeyObject, name: 'x' | 'y' | 'n' | 'e'): Buffer {
  const value = key.export({ format: 'jwk' })[name];
  if (typeof value !== 'string') throw new Error('the private key is incomplete');
  return Buffer.from(value, 'base64url');
}

function signature(algorithm: string, bytes: Buffer): Buffer {
  return new MessageWriter().string(algorithm).string(bytes).build();
}

function ed25519Key(key: KeyObject): DeviceKey {
  return {
    type: 'ssh-ed25519',
    blob: new MessageWriter().string('ssh-ed25519').string(field(key, 'x')).build(),
    algorithms: ['ssh-ed25519'],
    sign: (algorithm, data) => signature(algorithm, sign(null, data, key)),
  };
}

function ecdsaKey(key: KeyObject): DeviceKey {
  const curve = CURVES[String(key.export({ format: 'jwk' }).crv)];
  if (curve === undefined) throw new Error('the curve of the private key is not supported');
  const type = `ecdsa-sha2-${curve.name}`;
  const point = Buffer.concat([Buffer.from([4]), field(key, 'x'), field(key, 'y')]);
  return {
    type,
    blob: new MessageWriter().string(type).string(curve.name).string(point).build(),
    algorithms: [type],
    sign: (algorithm, data) => {
      const pair = sign(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' });
      const inner = new MessageWriter()
        .string(mpint(pair.subarray(0, curve.size)))
        .string(mpint(pair.subarray(curve.size)))
        .build();
      return signature(algorithm, inner);
    },
  };
}

function rsaKey(key: KeyObject): DeviceKey {
  const blob = new MessageWriter()
    .string('ssh-rsa')
    .string(mpint(field(key, 'e')))
    .string(mpint(field(key, 'n')))
    .build();
  return {
    type: 'ssh-rsa',
    blob,
    algorithms: ['rsa-sha2-512', 'rsa-sha2-256'],
    sign: (algorithm, data) =>
      signature(algorithm, sign(algorithm === 'rsa-sha2-512' ? 'sha512' : 'sha256', data, key)),
  };
}

/** RFC 4251 section 5: no leading zeros, but one where the number would else be negative. */
function mpint(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  const stripped = bytes.subarray(start);
  const first = stripped[0];
  return first !== undefined && first >= 0x80 ? Buffer.concat([Buffer.from([0]), stripped]) : stripped;
}
