// Seals secrets before they are stored: AES-256-GCM under a key of its own for each purpose (HKDF-SHA256 of the master
// key, RFC 5869), a random 96-bit nonce each time, and the row's identity as associated data, so that a sealed value
// opens in its own row and field only. Form: `s1.KEYID.BASE64URL(nonce ‖ ciphertext ‖ tag)`. It stores nothing.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { DirectoryError } from './errors.ts';
import type { MasterKey, MasterKeys } from './master-key.ts';
import { createMasterKeyFile, readMasterKeyFile, readMasterKeys } from './master-key.ts';

export type SealPurpose = 'device credential' | 'totp secret';

/** Which row and field a secret belongs to. */
export interface SealedPlace {
  readonly purpose: SealPurpose;
  readonly id: string;
  readonly field: 'password' | 'privateKey' | 'totp';
}

export interface Vault {
  seal(place: SealedPlace, secret: Buffer): string;
  /** Throws SP_VAULT_OPEN. */
  open(place: SealedPlace, sealed: string): Buffer;
  /** True when an older master key sealed it. */
  isStale(sealed: string): boolean;
}

const VERSION = 's1';
const NONCE = 12;
const TAG = 16;

const associatedData = (place: SealedPlace, keyId: string): Buffer =>
  Buffer.from(JSON.stringify(['sallyport', VERSION, keyId, place.purpose, place.id, place.field]));

class KeyedVault implements Vault {
  #keys: MasterKeys;
  readonly #reread: () => MasterKeys | undefined;
  readonly #subkeys = new Map<string, Buffer>();

  constructor(keys: MasterKeys, reread: () => MasterKeys | undefined) {
    this.#keys = keys;
    this.#reread = reread;
  }

  seal(place: SealedPlace, secret: Buffer): string {
    const [key] = this.#keys;
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.#subkey(key, place.purpose), nonce, {
      authTagLength: TAG,
    });
    cipher.setAAD(associatedData(place, key.id));
    const sealed = Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
    return `${VERSION}.${key.id}.${sealed.toString('base64url')}`;
  }

  open(place: SealedPlace, sealed: string): Buffer {
    const [version, keyId, body, ...rest] = sealed.split('.');
    if (version !== VERSION || keyId === undefined || body === undefined || rest.length > 0) {
      throw new DirectoryError('SP_VAULT_OPEN', `the ${place.field} of ${place.id} is not a sealed secret`);
    }
    const key = this.#find(keyId);
    if (key === undefined) {
      throw new DirectoryError(
        'SP_VAULT_OPEN',
        `the ${place.field} of ${place.id} was sealed with master key ${keyId}, which is not here`,
      );
    }
    const bytes = Buffer.from(body, 'base64url');
    if (bytes.length < NONCE + TAG) {
      throw new DirectoryError('SP_VAULT_OPEN', `the ${place.field} of ${place.id} is cut short`);
    }
    const nonce = bytes.subarray(0, NONCE);
    const tag = bytes.subarray(bytes.length - TAG);
    const decipher = createDecipheriv('aes-256-gcm', this.#subkey(key, place.purpose), nonce, {
      authTagLength: TAG,
    });
    decipher.setAAD(associatedData(place, key.id));
    decipher.setAuthTag(tag);
    try {
      return Buffer.concat([decipher.update(bytes.subarray(NONCE, bytes.length - TAG)), decipher.final()]);
    } catch (error) {
      throw new DirectoryError(
        'SP_VAULT_OPEN',
        `the ${place.field} of ${place.id} does not open: it was changed or belongs to another row`,
        error,
      );
    }
  }

  isStale(sealed: string): boolean {
    return sealed.split('.')[1] !== this.#keys[0].id;
  }

  #find(id: string): MasterKey | undefined {
    const known = this.#keys.find((key) => key.id === id);
    if (known !== undefined) return known;
    // Another process may have rotated since the file was read.
    const now = this.#reread();
    if (now === undefined) return undefined;
    this.#keys = now;
    return now.find((key) => key.id === id);
  }

  #subkey(key: MasterKey, purpose: SealPurpose): Buffer {
    const name = `${key.id} ${purpose}`;
    const known = this.#subkeys.get(name);
    if (known !== undefined) return known;
    const subkey = Buffer.from(hkdfSync('sha256', key.bytes, Buffer.alloc(0), `sallyport v1 ${purpose}`, 32));
    this.#subkeys.set(name, subkey);
    return subkey;
  }
}

export interface VaultSource {
  readonly file: string;
  /** From the environment: wins over the file, which is then neither read nor made. */
  readonly secret: string | undefined;
}

/** Makes the key file at the first start. Throws SP_VAULT_KEY. */
export const openVault = async ({ file, secret }: VaultSource): Promise<Vault> => {
  if (secret !== undefined) {
    // Newlines don't survive in every environment: commas separate keys as well.
    const keys = readMasterKeys(secret.replaceAll(',', '\n'), 'the environment');
    return new KeyedVault(keys, () => undefined);
  }
  const keys = readMasterKeyFile(file) ?? (await createMasterKeyFile(file));
  return new KeyedVault(keys, () => readMasterKeyFile(file));
};

/** For tests and for the demo, which keep nothing. */
export const vaultWith = (keys: MasterKeys): Vault => new KeyedVault(keys, () => undefined);
