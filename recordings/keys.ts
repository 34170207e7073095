// The keys of recordings: a session key for each recording, wrapped for every recipient; recipients' X25519 keys, of
// which the gateway's own is derived from the master key; and the Ed25519 key with which the gateway signs. Where the
// master key comes from is its owner's matter.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomFillSync,
  sign,
  verify,
} from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { boundLength, type ChunkHead, encodeBound, nonceLength, sha256, tagLength } from './chunk.ts';
import { RecordingError, reasonOf } from './errors.ts';

// RFC 8410: the DER that stands before the 32 bytes of such keys.
const x25519Private = Buffer.from('302e020100300506032b656e04220420', 'hex');
const x25519Public = Buffer.from('302a300506032b656e032100', 'hex');
const ed25519Public = Buffer.from('302a300506032b6570032100', 'hex');
const rawLength = 32;

/** Tells keys apart, says nothing about a private one. */
export function keyId(raw: Buffer): string {
  return sha256(raw).toString('hex').slice(0, 32);
}

function rawPublic(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-rawLength);
}

// ---- recipients

/** Whoever may open recordings, by the public key alone. */
export interface Recipient {
  readonly id: string;
  readonly raw: Buffer;
}

/** A recipient with the private key. */
export interface Opener extends Recipient {
  readonly privateKey: KeyObject;
}

function openerOf(privateKey: KeyObject): Opener {
  const raw = rawPublic(createPublicKey(privateKey));
  return { id: keyId(raw), raw, privateKey };
}

/** The gateway's own recipient: an X25519 key derived from 32 secret bytes. */
export function openerFromSecret(secret: Buffer): Opener {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'sallyport recording recipient v1', rawLength));
  return openerOf(
    createPrivateKey({ key: Buffer.concat([x25519Private, seed]), format: 'der', type: 'pkcs8' }),
  );
}

/** An auditor's private key in PEM, as `openssl genpkey -algorithm x25519` writes it. Throws SP_RECORDING_KEY. */
export function openerFromPem(pem: string): Opener {
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyType === 'x25519') return openerOf(privateKey);
  } catch (error) {
    throw new RecordingError('SP_RECORDING_KEY', 'this is not a private key in PEM', error);
  }
  throw new RecordingError('SP_RECORDING_KEY', 'this is not an X25519 key');
}

/** A public key: PEM, or the base64 of its 32 bytes. Throws SP_RECORDING_KEY. */
export function recipientFrom(text: string): Recipient {
  const raw = publicFrom(text, x25519Public, 'x25519');
  return { id: keyId(raw), raw };
}

function publicFrom(text: string, prefix: Buffer, type: string): Buffer {
  const trimmed = text.trim();
  try {
    const key = /^[A-Za-z0-9+/]{43}=?$/.test(trimmed)
      ? createPublicKey({
          key: Buffer.concat([prefix, Buffer.from(trimmed, 'base64')]),
          format: 'der',
          type: 'spki',
        })
      : createPublicKey(trimmed);
    if (key.asymmetricKeyType === type) return rawPublic(key);
  } catch (error) {
    throw new RecordingError('SP_RECORDING_KEY', `this is not an ${type} public key`, error);
  }
  throw new RecordingError('SP_RECORDING_KEY', `this is not an ${type} public key`);
}

/** One recipient's copy of a session key, as the header holds it; all in base64 but the id. */
export interface WrappedKey {
  readonly id: string;
  readonly ephemeral: string;
  readonly wrapped: string;
}

const wrapInfo = 'sallyport recording key v1';

function wrappingKey(shared: Buffer, ephemeral: Buffer, recipient: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', shared, Buffer.concat([ephemeral, recipient]), wrapInfo, rawLength));
}

// Each wrapping key is used once, so a constant nonce is safe.
const onceNonce = Buffer.alloc(nonceLength);

export function wrapSessionKey(sessionKey: Buffer, recipient: Recipient): WrappedKey {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const ephemeral = rawPublic(publicKey);
  const theirs = createPublicKey({
    key: Buffer.concat([x25519Public, recipient.raw]),
    format: 'der',
    type: 'spki',
  });
  const shared = diffieHellman({ privateKey, publicKey: theirs });
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(shared, ephemeral, recipient.raw), onceNonce);
  const wrapped = Buffer.concat([cipher.update(sessionKey), cipher.final(), cipher.getAuthTag()]);
  return { id: recipient.id, ephemeral: ephemeral.toString('base64'), wrapped: wrapped.toString('base64') };
}

/** Throws SP_RECORDING_LOCKED when none of the openers fits. */
export function unwrapSessionKey(wrapped: readonly WrappedKey[], openers: readonly Opener[]): Buffer {
  for (const copy of wrapped) {
    const opener = openers.find(({ id }) => id === copy.id);
    if (opener === undefined) continue;
    const ephemeral = Buffer.from(copy.ephemeral, 'base64');
    const bytes = Buffer.from(copy.wrapped, 'base64');
    if (ephemeral.length !== rawLength || bytes.length !== rawLength + tagLength) continue;
    try {
      const publicKey = createPublicKey({
        key: Buffer.concat([x25519Public, ephemeral]),
        format: 'der',
        type: 'spki',
      });
      const shared = diffieHellman({ privateKey: opener.privateKey, publicKey });
      const decipher = createDecipheriv('aes-256-gcm', wrappingKey(shared, ephemeral, opener.raw), onceNonce);
      decipher.setAuthTag(bytes.subarray(rawLength));
      return Buffer.concat([decipher.update(bytes.subarray(0, rawLength)), decipher.final()]);
    } catch {
      // The copy is damaged; another may not be.
    }
  }
  const ids = wrapped.map(({ id }) => id).join(', ');
  throw new RecordingError('SP_RECORDING_LOCKED', `the recording opens only with the key of: ${ids}`);
}

// ---- bodies

type UnplacedHead = Omit<ChunkHead, 'sequence' | 'previous' | 'bodyHash' | 'nonce' | 'bodyLength'>;

export interface SealedBody {
  /** The first bytes of the chunk's head. */
  readonly bound: Buffer;
  /** Ciphertext and tag. */
  readonly body: Buffer;
}

const nonces = Buffer.alloc(256 * nonceLength);
let nextNonce = nonces.length;

/** Random ones, drawn many at a time: one at a time they cost as much as what they are for. */
function freshNonce(): Buffer {
  if (nextNonce >= nonces.length) {
    randomFillSync(nonces);
    nextNonce = 0;
  }
  const nonce = Buffer.from(nonces.subarray(nextNonce, nextNonce + nonceLength));
  nextNonce += nonceLength;
  return nonce;
}

/** A key that is used often is quicker as a KeyObject. */
export function sealBody(
  sessionKey: Buffer | KeyObject,
  preambleHash: Buffer,
  head: UnplacedHead,
  content: Buffer,
): SealedBody {
  const nonce = freshNonce();
  const bound = encodeBound({ ...head, nonce, bodyLength: content.length + tagLength });
  const cipher = createCipheriv('aes-256-gcm', sessionKey, nonce);
  cipher.setAAD(Buffer.concat([preambleHash, bound]));
  const text = cipher.update(content);
  cipher.final();
  return { bound, body: Buffer.concat([text, cipher.getAuthTag()]) };
}

/** Throws SP_RECORDING_FORMAT when the body isn't what was sealed. `head`: at least its first 44 bytes. */
export function openBody(
  sessionKey: Buffer | KeyObject,
  preambleHash: Buffer,
  head: Buffer,
  body: Buffer,
): Buffer {
  try {
    const bound = head.subarray(0, boundLength);
    const decipher = createDecipheriv('aes-256-gcm', sessionKey, bound.subarray(boundLength - nonceLength));
    decipher.setAAD(Buffer.concat([preambleHash, bound]));
    decipher.setAuthTag(body.subarray(-tagLength));
    return Buffer.concat([decipher.update(body.subarray(0, -tagLength)), decipher.final()]);
  } catch (error) {
    throw new RecordingError('SP_RECORDING_FORMAT', 'a chunk does not open: its bytes were changed', error);
  }
}

// ---- signatures

export interface Signer {
  readonly id: string;
  readonly raw: Buffer;
  sign(data: Buffer): Buffer;
}

export interface Verifier {
  readonly id: string;
  readonly raw: Buffer;
  verify(data: Buffer, signature: Buffer): boolean;
}

export function signerFrom(privateKey: KeyObject): Signer {
  const raw = rawPublic(createPublicKey(privateKey));
  return { id: keyId(raw), raw, sign: (data) => sign(null, data, privateKey) };
}

/** PEM, or the base64 of the 32 bytes. Throws SP_RECORDING_KEY. */
export function verifierFrom(text: string): Verifier {
  return verifierOf(publicFrom(text, ed25519Public, 'ed25519'));
}

export function verifierOf(raw: Buffer): Verifier {
  const key = createPublicKey({ key: Buffer.concat([ed25519Public, raw]), format: 'der', type: 'spki' });
  return { id: keyId(raw), raw, verify: (data, signature) => verify(null, data, key, signature) };
}

export function publicPem(key: { readonly raw: Buffer }, type: 'ed25519' | 'x25519'): string {
  const prefix = type === 'ed25519' ? ed25519Public : x25519Public;
  const pem = createPublicKey({ key: Buffer.concat([prefix, key.raw]), format: 'der', type: 'spki' }).export({
    format: 'pem',
    type: 'spki',
  });
  return String(pem);
}

/** The gateway's signing key; undefined when there is no file. Throws SP_RECORDING_KEY. */
export async function readSigner(path: string): Promise<Signer | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new RecordingError('SP_RECORDING_KEY', `${path} can't be opened: ${reasonOf(error)}`, error);
  }
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      throw new RecordingError('SP_RECORDING_KEY', `others may read ${path}: its mode should be 0600`);
    }
    const privateKey = createPrivateKey(await handle.readFile('utf8'));
    if (privateKey.asymmetricKeyType !== 'ed25519') {
      throw new RecordingError('SP_RECORDING_KEY', `${path} holds no Ed25519 key`);
    }
    return signerFrom(privateKey);
  } catch (error) {
    if (error instanceof RecordingError) throw error;
    throw new RecordingError('SP_RECORDING_KEY', `${path} holds no private key`, error);
  } finally {
    await handle.close();
  }
}

/** The signing key in `path`, made at the first call; of several that try at once one wins. Throws SP_RECORDING_KEY. */
export async function loadSigner(path: string): Promise<Signer> {
  const there = await readSigner(path);
  if (there !== undefined) return there;
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(draft, 'wx', 0o600);
    try {
      const { privateKey } = generateKeyPairSync('ed25519');
      await handle.writeFile(String(privateKey.export({ format: 'pem', type: 'pkcs8' })));
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link either makes the name or finds it taken: no reader ever sees half a file.
    await link(draft, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  } catch (error) {
    throw new RecordingError('SP_RECORDING_KEY', `cannot make ${path}: ${reasonOf(error)}`, error);
  } finally {
    await rm(draft, { force: true });
  }
  const made = await readSigner(path);
  if (made === undefined) throw new RecordingError('SP_RECORDING_KEY', `${path} vanished`);
  return made;
}
