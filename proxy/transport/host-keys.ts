// The gateway's own host keys: made at first start, loaded at every later one, refused when others could read or
// replace them. One file for each type, in OpenSSH's format, with its public half beside it for administrators.
// Certificates and passphrases are not supported.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import ssh2 from 'ssh2';
import { TransportError } from './errors.ts';
import { MessageReader, MessageWriter } from './wire.ts';

/** A private key that a server transport signs key exchanges with. The secret does not leave it. */
export interface HostKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, …, or `ssh-rsa` (which signs as rsa-sha2-512 or -256 only). */
  readonly type: string;
  /** The public key as it goes over the wire. */
  readonly blob: Buffer;
  /** `type base64`, as in known_hosts. */
  readonly line: string;
  /** Signs with the named hash; without one, with the hash that belongs to the type. */
  sign(data: Buffer, hash?: 'sha256' | 'sha512'): Buffer;
}

const FILES = [
  { name: 'ssh_host_ed25519_key', type: 'ssh-ed25519' },
  { name: 'ssh_host_ecdsa_key', type: 'ecdsa-sha2-nistp256' },
  { name: 'ssh_host_rsa_key', type: 'ssh-rsa' },
] as const;

const RSA_BITS = 3_072;
const RSA_MINIMUM_BITS = 2_048;
const FILE_LIMIT = 65_536;
const ECDSA_HASH: Readonly<Record<string, string>> = {
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
};

/**
 * Loads every `ssh_host_*_key` in the folder; makes the folder (0700) and a full set of keys (0600) when it holds
 * none. Throws SP_HOST_KEYS when the folder or a key is readable or writable by others, or is no usable key.
 */
export async function loadHostKeys(folder: string): Promise<readonly HostKey[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseOpenModes(folder, await stat(folder));
  const present = await hostKeyFiles(folder);
  if (present.length === 0) {
    for (const file of FILES) await make(path.join(folder, file.name), file.type);
  }
  const keys: HostKey[] = [];
  for (const name of await hostKeyFiles(folder)) keys.push(await load(path.join(folder, name)));
  return keys;
}

async function hostKeyFiles(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => /^ssh_host_[a-z0-9]+_key$/.test(name)).sort();
}

/** Parses a private key in OpenSSH's format, PKCS#8, PKCS#1 or SEC 1. Throws SP_HOST_KEYS. */
export function parseHostKey(text: string, from = 'the host key'): HostKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pemOf(text));
  } catch (cause) {
    throw new TransportError('SP_HOST_KEYS', `${from} is not a private key without a passphrase`, { cause });
  }
  return hostKey(key, from);
}

function pemOf(text: string): string {
  if (!text.includes('BEGIN OPENSSH PRIVATE KEY')) return text;
  const parsed = ssh2.utils.parseKey(text.trim());
  if (parsed instanceof Error) throw parsed;
  return parsed.getPrivatePEM();
}

function hostKey(key: KeyObject, from: string): HostKey {
  const { type, blob } = publicPart(key, from);
  return {
    type,
    blob,
    line: `${type} ${blob.toString('base64')}`,
    sign: (data, hash) => sign(hash ?? ECDSA_HASH[type] ?? null, data, key),
  };
}

function publicPart(key: KeyObject, from: string): { readonly type: string; readonly blob: Buffer } {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return encoded('ssh-ed25519', (writer) => writer.string(decoded(jwk.x)));
    case 'ec': {
      const curve = { 'P-256': 'nistp256', 'P-384': 'nistp384', 'P-521': 'nistp521' }[jwk.crv ?? ''];
      if (curve === undefined) break;
      const point = Buffer.concat([Buffer.from([4]), decoded(jwk.x), decoded(jwk.y)]);
      return encoded(`ecdsa-sha2-${curve}`, (writer) => writer.string(curve).string(point));
    }
    case 'rsa': {
      const modulus = decoded(jwk.n);
      if (modulus.length * 8 < RSA_MINIMUM_BITS) {
        throw new TransportError('SP_HOST_KEYS', `${from} has fewer than ${RSA_MINIMUM_BITS} bits`);
      }
      return encoded('ssh-rsa', (writer) => writer.string(mpint(decoded(jwk.e))).string(mpint(modulus)));
    }
    default:
      break;
  }
  throw new TransportError('SP_HOST_KEYS', `${from} is neither Ed25519, ECDSA nor RSA`);
}

function encoded(
  type: string,
  fields: (writer: MessageWriter) => MessageWriter,
): { readonly type: string; readonly blob: Buffer } {
  return { type, blob: fields(new MessageWriter().string(type)).build() };
}

function decoded(field: string | undefined): Buffer {
  return Buffer.from(field ?? '', 'base64url');
}

/** RFC 4251: two's complement, so a leading one bit gets a zero byte before it; no other leading zeros. */
function mpint(bytes: Buffer): Buffer {
  let from = 0;
  while (from < bytes.length && bytes[from] === 0) from += 1;
  const lean = bytes.subarray(from);
  return (lean[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), lean]) : lean;
}

async function refuseOpenModes(
  what: string,
  entry: { readonly mode: number; readonly uid: number },
): Promise<void> {
  const mode = entry.mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const octal = `0${mode.toString(8)}`;
    const right = (entry.mode & constants.S_IFMT) === constants.S_IFDIR ? '700' : '600';
    throw new TransportError(
      'SP_HOST_KEYS',
      `${what} is open to others (mode ${octal}): run chmod ${right} ${what}, and make new keys if others had access`,
    );
  }
  const me = process.getuid?.();
  if (me !== undefined && entry.uid !== me && entry.uid !== 0) {
    throw new TransportError(
      'SP_HOST_KEYS',
      `${what} belongs to user id ${entry.uid}, not to the gateway's (${me})`,
    );
  }
}

async function load(file: string): Promise<HostKey> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw new TransportError('SP_HOST_KEYS', `${file} can't be opened: ${String(cause)}`, { cause });
  }
  try {
    const entry = await handle.stat();
    if (!entry.isFile() || entry.size > FILE_LIMIT) {
      throw new TransportError('SP_HOST_KEYS', `${file} is not a host key file`);
    }
    await refuseOpenModes(file, entry);
    return parseHostKey(await handle.readFile('utf8'), file);
  } finally {
    await handle.close();
  }
}

/** Writes beside and renames, so that a crash never leaves half a key. */
async function make(file: string, type: (typeof FILES)[number]['type']): Promise<void> {
  const { privateKey } = generate(type);
  const { blob } = publicPart(privateKey, file);
  const temporary = `${file}.${process.pid}.new`;
  await rm(temporary, { force: true });
  await writeFile(temporary, openSshPrivateKey(privateKey, blob), { mode: 0o600, flag: 'wx', flush: true });
  await chmod(temporary, 0o600);
  await writeFile(`${file}.pub`, `${type} ${blob.toString('base64')} sallyport\n`, { mode: 0o644 });
  await rename(temporary, file);
}

function generate(type: (typeof FILES)[number]['type']): { readonly privateKey: KeyObject } {
  switch (type) {
    case 'ssh-ed25519':
      return generateKeyPairSync('ed25519');
    case 'ecdsa-sha2-nistp256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ssh-rsa':
      return generateKeyPairSync('rsa', { modulusLength: RSA_BITS });
  }
}

/** OpenSSH's PROTOCOL.key, without a passphrase. */
function openSshPrivateKey(key: KeyObject, blob: Buffer): string {
  const jwk = key.export({ format: 'jwk' });
  const check = randomBytes(4);
  const secret = new MessageWriter().raw(check).raw(check);
  const type = new MessageReader(blob).name();
  if (type === 'ssh-rsa') {
    secret.string(type);
    for (const field of [jwk.n, jwk.e, jwk.d, jwk.qi, jwk.p, jwk.q]) secret.string(mpint(decoded(field)));
  } else if (type === 'ssh-ed25519') {
    secret.raw(blob).string(Buffer.concat([decoded(jwk.d), decoded(jwk.x)]));
  } else {
    secret.raw(blob).string(mpint(decoded(jwk.d)));
  }
  const plain = secret.string('sallyport').build();
  const padding = Buffer.from(Array.from({ length: (8 - (plain.length % 8)) % 8 }, (_, index) => index + 1));
  const whole = new MessageWriter()
    .raw(Buffer.from('openssh-key-v1\0', 'latin1'))
    .string('none')
    .string('none')
    .string('')
    .uint32(1)
    .string(blob)
    .string(Buffer.concat([plain, padding]))
    .build();
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
