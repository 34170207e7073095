// Sealed secrets open in their own place only, with their own key only; the key file is refused when others could read
// it, and made by one of many that start at the same time.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addMasterKey, createMasterKeyFile, readMasterKeyFile, readMasterKeys } from './master-key.ts';
import { openVault, type SealedPlace, vaultWith } from './vault.ts';

const keyText = (): string => randomBytes(32).toString('base64');
const place: SealedPlace = { purpose: 'device credential', id: 'c1', field: 'password' };

describe('the vault', () => {
  const vault = vaultWith(readMasterKeys(keyText(), 'the test'));

  it('opens what it sealed, and never seals twice alike', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const secret = Buffer.from(bytes);
        const [one, two] = [vault.seal(place, secret), vault.seal(place, secret)];
        expect(vault.open(place, one).equals(secret)).toBe(true);
        expect(one).not.toBe(two);
      }),
    );
  });

  it('refuses a sealed secret in any other place', () => {
    const sealed = vault.seal(place, Buffer.from('s3cret'));
    const others: SealedPlace[] = [
      { ...place, id: 'c2' },
      { ...place, field: 'privateKey' },
      { ...place, purpose: 'totp secret' },
      // Joined without care, these would be the same text as the right place.
      { ...place, id: 'c1","password' },
    ];
    for (const other of others) expect(() => vault.open(other, sealed)).toThrow(/does not open/);
  });

  it('refuses a sealed secret of which one bit was changed', () => {
    const sealed = vault.seal(place, Buffer.from('s3cret'));
    const [version, key, body = ''] = sealed.split('.');
    const bytes = Buffer.from(body, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const text = `${version}.${key}.${changed.toString('base64url')}`;
      expect(() => vault.open(place, text)).toThrow(expect.objectContaining({ code: 'SP_VAULT_OPEN' }));
    }
  });

  it.each(['', 's1', 's1.x', 's1.x.y.z', 's2.0000000000000000.AAAA', 's1.0000000000000000.AAAA'])(
    'refuses %j',
    (sealed) => {
      expect(() => vault.open(place, sealed)).toThrow(expect.objectContaining({ code: 'SP_VAULT_OPEN' }));
    },
  );

  it('never says what the secret or the key is', () => {
    const key = keyText();
    const other = vaultWith(readMasterKeys(key, 'the test'));
    const sealed = other.seal(place, Buffer.from('s3cret'));
    const failure = ((): string => {
      try {
        vault.open(place, sealed);
        return '';
      } catch (error) {
        return JSON.stringify(error, Object.getOwnPropertyNames(error));
      }
    })();
    expect(failure).toContain('SP_VAULT_OPEN');
    expect(failure).not.toContain('s3cret');
    expect(failure).not.toContain(key);
  });
});

describe('the master key file', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is made at the first start, for its owner alone, by one of many', async () => {
    const path = join(folder, 'new', 'master.key');
    const made = await Promise.all(Array.from({ length: 10 }, () => createMasterKeyFile(path)));
    expect(new Set(made.map(([key]) => key.id)).size).toBe(1);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readMasterKeyFile(path)?.[0].id).toBe(made[0]?.[0].id);
  });

  it.each([0o644, 0o640, 0o604, 0o620, 0o601])('is refused with mode %o', (mode) => {
    const path = join(folder, `mode-${mode}`);
    writeFileSync(path, keyText());
    chmodSync(path, mode);
    expect(() => readMasterKeyFile(path)).toThrow(/chmod 600/);
  });

  it('is refused as a symbolic link', async () => {
    const path = join(folder, 'real');
    await createMasterKeyFile(path);
    symlinkSync(path, join(folder, 'link'));
    expect(() => readMasterKeyFile(join(folder, 'link'))).toThrow(/symbolic link/);
  });

  it.each(['', 'short', `${'A'.repeat(44)}`, `${keyText()}x`, keyText().slice(0, 40)])(
    'is refused when it holds %j, which is not repeated',
    (text) => {
      const path = join(folder, 'wrong');
      writeFileSync(path, text, { mode: 0o600 });
      expect(() => readMasterKeyFile(path)).toThrow(expect.objectContaining({ code: 'SP_VAULT_KEY' }));
      if (text.length > 20) expect(() => readMasterKeyFile(path)).not.toThrow(text.slice(0, 20));
    },
  );

  it('is read again when another process has rotated it', async () => {
    const source = { file: join(folder, 'rotated'), secret: undefined };
    const running = await openVault(source);
    const old = running.seal(place, Buffer.from('old'));
    addMasterKey(source.file);
    const rotated = await openVault(source);
    expect(rotated.isStale(old)).toBe(true);
    const fresh = rotated.seal(place, Buffer.from('new'));
    expect(running.open(place, fresh).toString()).toBe('new');
    expect(rotated.open(place, old).toString()).toBe('old');
    expect(statSync(source.file).mode & 0o777).toBe(0o600);
    expect(readFileSync(source.file, 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('is neither read nor made when the key comes from the environment', async () => {
    const file = join(folder, 'absent');
    const [newer, older] = [keyText(), keyText()];
    const before = await openVault({ file, secret: older });
    const after = await openVault({ file, secret: `${newer},${older}` });
    expect(after.open(place, before.seal(place, Buffer.from('x'))).toString()).toBe('x');
    expect(readMasterKeyFile(file)).toBeUndefined();
  });
});
