import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { blobOf, makeKey, Workshop } from '../../test/login/key-workshop.ts';
import { readCertificate } from './certificate.ts';
import { fingerprint } from './public-key.ts';
import { NOTHING_REVOKED, RevocationsError, readRevocations } from './revocations.ts';

const workshop = new Workshop();
afterAll(() => workshop[Symbol.dispose]());

const AUTHORITY = workshop.generate('ed25519');
const OTHER_AUTHORITY = workshop.generate('ecdsa');
const AUTHORITY_PRINT = fingerprint(blobOf(workshop.publicLine(AUTHORITY)));
const KEY = makeKey('ssh-ed25519');
const RSA = makeKey('ssh-rsa');

const certificate = (serial: number, keyId = 'an id', authority = AUTHORITY) =>
  readCertificate(workshop.certify(authority, KEY.line, '-I', keyId, '-n', 'alice', '-z', String(serial)));

/** As `ssh-keygen -k` makes it from its own specification. */
function binary(specification: string, ...args: readonly string[]): Buffer {
  const source = workshop.path('krl.txt');
  const target = workshop.path('krl.bin');
  writeFileSync(source, specification);
  workshop.keygen('-q', '-k', '-f', target, ...args, source);
  return readFileSync(target);
}

describe('a binary list by ssh-keygen', () => {
  it('revokes plain keys, by themselves and by either fingerprint', () => {
    for (const form of [KEY.line, `key: ${KEY.line}`, `sha256: ${KEY.line}`, `sha1: ${KEY.line}`]) {
      const revoked = readRevocations(binary(`${form}\n`));
      expect(revoked.keyRevoked(KEY.blob)).toBe(true);
      expect(revoked.keyRevoked(RSA.blob)).toBe(false);
      expect(revoked.certificateRevoked(certificate(1))).toContain('key of the certificate');
    }
  });

  it('revokes serials: one, a range, and scattered ones as a bitmap', () => {
    const scattered = Array.from({ length: 200 }, (_, i) => `serial: ${5000 + i * 3}`).join('\n');
    const specification = `serial: 7\nserial: 100-200\n${scattered}\n`;
    const revoked = readRevocations(binary(specification, '-s', `${AUTHORITY}.pub`));
    const hit = (serial: number) => revoked.certificateRevoked(certificate(serial)) !== undefined;
    expect([6, 7, 8, 99, 100, 150, 200, 201].map(hit)).toEqual([
      false,
      true,
      false,
      false,
      true,
      true,
      true,
      false,
    ]);
    expect([5000, 5001, 5003, 5597, 5598, 5600].map(hit)).toEqual([true, false, true, true, false, false]);
  });

  it('revokes serials and ids of its authority alone', () => {
    const revoked = readRevocations(binary('serial: 7\nid: lost laptop\n', '-s', `${AUTHORITY}.pub`));
    expect(revoked.certificateRevoked(certificate(9, 'lost laptop'))).toContain('key id');
    expect(revoked.certificateRevoked(certificate(7, 'x', OTHER_AUTHORITY))).toBeUndefined();
    expect(revoked.certificateRevoked(certificate(9, 'lost laptop', OTHER_AUTHORITY))).toBeUndefined();
  });

  it('that is cut short is refused whole', () => {
    const whole = binary(`${KEY.line}\n${RSA.line}\n`);
    for (let length = 8; length < whole.length; length += 7) {
      expect(() => readRevocations(whole.subarray(0, length))).toThrow(RevocationsError);
    }
  });

  it('with changed bytes throws one kind of error or is read', () => {
    const whole = binary(`serial: 1-9\nid: x\n`, '-s', `${AUTHORITY}.pub`);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(whole);
        changed[at] = value;
        try {
          readRevocations(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(RevocationsError);
        }
      }),
    );
  });
});

describe('a list in text', () => {
  it('revokes keys, fingerprints, serials and ids', () => {
    const text = `# lost\n\n${KEY.line}\n${fingerprint(RSA.blob)}\nserial 5-9 ${AUTHORITY_PRINT}\nid ${AUTHORITY_PRINT} lost laptop\n`;
    const revoked = readRevocations(Buffer.from(text));
    expect(revoked.keyRevoked(KEY.blob)).toBe(true);
    expect(revoked.keyRevoked(RSA.blob)).toBe(true);
    expect(revoked.keyRevoked(makeKey('ssh-ed25519').blob)).toBe(false);
  });

  it('revokes by serial and id only what the line names', () => {
    const revoked = readRevocations(
      Buffer.from(`serial 5-9 ${AUTHORITY_PRINT}\nid ${AUTHORITY_PRINT} lost laptop\n`),
    );
    expect(revoked.certificateRevoked(certificate(5))).toContain('serial');
    expect(revoked.certificateRevoked(certificate(10))).toBeUndefined();
    expect(revoked.certificateRevoked(certificate(10, 'lost laptop'))).toContain('key id');
    expect(revoked.certificateRevoked(certificate(5, 'x', OTHER_AUTHORITY))).toBeUndefined();
  });

  it('revokes all certificates of an authority by its key', () => {
    const revoked = readRevocations(Buffer.from(AUTHORITY_PRINT));
    expect(revoked.certificateRevoked(certificate(1))).toContain('authority');
  });

  it.each([
    'nonsense',
    'SHA256:short',
    'serial x',
    `serial 9-5 ${AUTHORITY_PRINT}`,
    `id ${AUTHORITY_PRINT}`,
    'ssh-ed25519 AAAA',
  ])('with a line such as %j is refused, and the line is named', (line) => {
    expect(() => readRevocations(Buffer.from(`# one\n${line}\n`))).toThrow(/^line 2: /);
  });
});

it('no list revokes nothing', () => {
  expect(NOTHING_REVOKED.keyRevoked(KEY.blob)).toBe(false);
  expect(NOTHING_REVOKED.certificateRevoked(certificate(1))).toBeUndefined();
});
