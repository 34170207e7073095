import { hash } from '@node-rs/argon2';
import { describe, expect, it } from 'vitest';
import { createPasswordChecker, hashPassword, isUsableHash, needsRehash } from './password.ts';

describe('a password', () => {
  it('is right only against its own hash', async () => {
    const checker = await createPasswordChecker();
    const stored = await hashPassword('correct horse');
    expect(await checker.check('correct horse', stored)).toBe(true);
    expect(await checker.check('correct horsf', stored)).toBe(false);
  });

  it('costs one verification whether or not there is a hash, and whatever its length', async () => {
    const checker = await createPasswordChecker();
    const stored = await hashPassword('x');
    await checker.check('x', stored);
    expect(checker.verifications).toBe(1);
    expect(await checker.check('x', undefined)).toBe(false);
    expect(checker.verifications).toBe(2);
    expect(await checker.check('', stored)).toBe(false);
    expect(await checker.check('x'.repeat(100_000), stored)).toBe(false);
    expect(await checker.check('x', 'not a hash')).toBe(false);
    expect(checker.verifications).toBe(5);
  });

  it('does not match a one-byte stand-in when it is empty', async () => {
    const checker = await createPasswordChecker();
    const stored = await hash('\0', { algorithm: 2 });
    expect(await checker.check('', stored)).toBe(false);
  });

  it('is stored as argon2id at the current cost', async () => {
    const stored = await hashPassword('x');
    expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(needsRehash(stored)).toBe(false);
    expect(isUsableHash(stored)).toBe(true);
  });

  it('with a cheaper hash wants a new one; a hash of another kind or an absurd cost is not used', async () => {
    expect(needsRehash(await hash('x', { algorithm: 2, memoryCost: 8192, timeCost: 1 }))).toBe(true);
    expect(isUsableHash(await hash('x', { algorithm: 1, memoryCost: 8192, timeCost: 1 }))).toBe(false);
    expect(
      isUsableHash('$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAA'),
    ).toBe(false);
  });

  it('of no length, or too long, is not stored', async () => {
    await expect(hashPassword('')).rejects.toThrow(RangeError);
    await expect(hashPassword('x'.repeat(1025))).rejects.toThrow(RangeError);
  });
});
