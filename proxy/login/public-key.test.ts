import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { makeKey, mpint, sshStrings, Workshop, webauthnSignature } from '../../test/login/key-workshop.ts';
import { SERVER_SIGNATURE_ALGORITHMS } from '../transport/algorithms.ts';
import { BlobError } from './blob.ts';
import { fingerprint, readPublicKey, signatureAlgorithms, verifySignature } from './public-key.ts';

const workshop = new Workshop();
afterAll(() => workshop[Symbol.dispose]());

const DATA = Buffer.from('what is signed');
const KEYS = {
  'ssh-ed25519': makeKey('ssh-ed25519'),
  'ecdsa-sha2-nistp256': makeKey('ecdsa-sha2-nistp256'),
  'ecdsa-sha2-nistp384': makeKey('ecdsa-sha2-nistp384'),
  'ecdsa-sha2-nistp521': makeKey('ecdsa-sha2-nistp521'),
  'ssh-rsa': makeKey('ssh-rsa'),
  'sk-ssh-ed25519@openssh.com': makeKey('sk-ssh-ed25519@openssh.com'),
  'sk-ecdsa-sha2-nistp256@openssh.com': makeKey('sk-ecdsa-sha2-nistp256@openssh.com'),
};
const CASES = Object.values(KEYS).flatMap((key) =>
  signatureAlgorithms(readPublicKey(key.blob).type)
    .filter((algorithm) => !algorithm.startsWith('webauthn-'))
    .map((algorithm) => ({ key, algorithm, type: key.type })),
);

describe('a signature', () => {
  it.each(CASES)('$algorithm by $type is valid over its data only', ({ key, algorithm }) => {
    const publicKey = readPublicKey(key.blob);
    const signature = key.sign(algorithm, DATA);
    expect(verifySignature(publicKey, algorithm, DATA, signature).kind).toBe('valid');
    expect(verifySignature(publicKey, undefined, DATA, signature).kind).toBe('valid');
    expect(verifySignature(publicKey, algorithm, Buffer.from('other data'), signature).kind).toBe('invalid');
  });

  it.each(CASES)('$algorithm by another $type is not valid', ({ key, algorithm }) => {
    const other = readPublicKey(makeKey(key.type).blob);
    expect(verifySignature(other, algorithm, DATA, key.sign(algorithm, DATA)).kind).toBe('invalid');
  });

  it.each(CASES)('$algorithm with any one bit changed is not valid', ({ key, algorithm }) => {
    const publicKey = readPublicKey(key.blob);
    const signature = key.sign(algorithm, DATA);
    fc.assert(
      fc.property(fc.nat(signature.length * 8 - 1), (bit) => {
        const changed = Buffer.from(signature);
        const byte = Math.floor(bit / 8);
        changed[byte] = (changed[byte] ?? 0) ^ (1 << (bit % 8));
        expect(verifySignature(publicKey, algorithm, DATA, changed).kind).toBe('invalid');
      }),
      { numRuns: 60 },
    );
  });

  it('by RSA with SHA-1 is refused, whatever was agreed on', () => {
    const key = KEYS['ssh-rsa'];
    const publicKey = readPublicKey(key.blob);
    const signature = key.sign('ssh-rsa', DATA);
    expect(verifySignature(publicKey, 'ssh-rsa', DATA, signature).kind).toBe('invalid');
    expect(verifySignature(publicKey, undefined, DATA, signature).kind).toBe('invalid');
  });

  it('of another algorithm than agreed on is refused', () => {
    const key = KEYS['ssh-rsa'];
    const signature = key.sign('rsa-sha2-256', DATA);
    expect(verifySignature(readPublicKey(key.blob), 'rsa-sha2-512', DATA, signature).kind).toBe('invalid');
  });

  it('by RSA may lack its leading zero bytes', () => {
    const key = KEYS['ssh-rsa'];
    const publicKey = readPublicKey(key.blob);
    for (let i = 0; i < 5000; i++) {
      const data = Buffer.from(`try ${i}`);
      const raw = key.sign('rsa-sha2-256', data).subarray(-256);
      if (raw[0] !== 0) continue;
      const short = sshStrings('rsa-sha2-256', raw.subarray(1));
      expect(verifySignature(publicKey, 'rsa-sha2-256', data, short).kind).toBe('valid');
      return;
    }
    throw new Error('no signature with a leading zero was found');
  });

  it('never throws, whatever the bytes', () => {
    const types = Object.values(KEYS).map((key) => readPublicKey(key.blob));
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 300 }), (key, bytes) => {
        expect(verifySignature(key, undefined, DATA, Buffer.from(bytes)).kind).toBe('invalid');
      }),
    );
  });
});

describe('a security key', () => {
  it.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const)(
    '%s tells touch, verification and its counter',
    (type) => {
      const key = KEYS[type];
      const use = (flags: number) =>
        verifySignature(readPublicKey(key.blob), type, DATA, key.sign(type, DATA, { flags, counter: 42 }));
      expect(use(0)).toEqual({
        kind: 'valid',
        securityKey: { userPresent: false, userVerified: false, counter: 42 },
      });
      expect(use(1)).toMatchObject({ securityKey: { userPresent: true, userVerified: false } });
      expect(use(5)).toMatchObject({ securityKey: { userPresent: true, userVerified: true } });
    },
  );

  it.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const)(
    '%s signs its flags and its application too',
    (type) => {
      const key = KEYS[type];
      const signature = key.sign(type, DATA, { flags: 0, counter: 1 });
      const touched = Buffer.from(signature);
      touched[signature.length - 5] = 1;
      expect(verifySignature(readPublicKey(key.blob), type, DATA, touched).kind).toBe('invalid');
      const elsewhere = Buffer.from(key.blob);
      elsewhere[elsewhere.length - 1] = 0x2e;
      const other = readPublicKey(elsewhere);
      expect(verifySignature(other, type, DATA, key.sign(type, DATA)).kind).toBe('invalid');
    },
  );

  it('may sign through a browser, over client data for this challenge alone', () => {
    const key = KEYS['sk-ecdsa-sha2-nistp256@openssh.com'];
    const algorithm = 'webauthn-sk-ecdsa-sha2-nistp256@openssh.com';
    const verdict = (signature: Buffer) =>
      verifySignature(readPublicKey(key.blob), algorithm, DATA, signature).kind;
    expect(verdict(webauthnSignature(key, DATA))).toBe('valid');
    expect(verdict(webauthnSignature(key, Buffer.from('another challenge')))).toBe('invalid');
    expect(verdict(webauthnSignature(key, DATA, { flags: 0x81 }))).toBe('invalid');
    expect(verdict(webauthnSignature(key, DATA, { flags: 0x41 }))).toBe('invalid');
    expect(verdict(webauthnSignature(key, DATA, { origin: 'https://a","x":"' }))).toBe('invalid');
    const created = `{"type":"webauthn.create","challenge":"${DATA.toString('base64url')}","origin":"https://gateway.example"}`;
    expect(verdict(webauthnSignature(key, DATA, { clientData: created }))).toBe('invalid');
  });
});

describe('a public key', () => {
  it.each(Object.values(KEYS))('$type has the fingerprint that ssh-keygen prints', (key) => {
    const path = workshop.path('some.pub');
    writeFileSync(path, `${key.line}\n`);
    expect(workshop.keygen('-lf', path)).toContain(fingerprint(key.blob));
  });

  const rsaBlob = (exponent: Buffer, modulus: Buffer) =>
    sshStrings('ssh-rsa', mpint(exponent), mpint(modulus));
  const modulus = (bits: number) => {
    const n = Buffer.alloc(Math.ceil(bits / 8), 0xab);
    n[0] = 1 << ((bits - 1) % 8);
    return n;
  };
  const E = Buffer.from([1, 0, 1]);

  it('by RSA has 2,048 to 16,384 bits', () => {
    expect(readPublicKey(rsaBlob(E, modulus(2048))).scheme).toEqual({ kind: 'rsa', bits: 2048 });
    expect(readPublicKey(rsaBlob(E, modulus(16_384))).scheme).toEqual({ kind: 'rsa', bits: 16_384 });
    expect(() => readPublicKey(rsaBlob(E, modulus(2047)))).toThrow(BlobError);
    expect(() => readPublicKey(rsaBlob(E, modulus(16_385)))).toThrow(BlobError);
  });

  it.each([
    ['an RSA exponent of 1', rsaBlob(Buffer.from([1]), modulus(2048))],
    ['an even RSA exponent', rsaBlob(Buffer.from([4]), modulus(2048))],
    ['no RSA exponent', rsaBlob(Buffer.alloc(0), modulus(2048))],
    ['a huge RSA exponent', rsaBlob(Buffer.alloc(256, 0xff), modulus(2048))],
    ['a negative modulus', sshStrings('ssh-rsa', E, Buffer.alloc(256, 0xff))],
    ['a point off the curve', sshStrings('ecdsa-sha2-nistp256', 'nistp256', Buffer.alloc(65, 4))],
    ['another curve than its type', sshStrings('ecdsa-sha2-nistp256', 'nistp384', Buffer.alloc(97, 4))],
    ['a short Ed25519 key', sshStrings('ssh-ed25519', Buffer.alloc(31))],
    ['bytes after its end', Buffer.concat([KEYS['ssh-ed25519'].blob, Buffer.from([0])])],
    ['a security key without application', sshStrings('sk-ssh-ed25519@openssh.com', Buffer.alloc(32), '')],
    ['DSA', sshStrings('ssh-dss', Buffer.alloc(128, 1))],
    ['a length beyond its end', Buffer.from([0xff, 0xff, 0xff, 0xff, 1])],
    ['nothing', Buffer.alloc(0)],
  ])('with %s is refused', (_, blob) => {
    expect(() => readPublicKey(blob)).toThrow(BlobError);
  });

  it('that can not be read throws one kind of error, whatever the bytes', () => {
    const blobs = Object.values(KEYS).map((key) => key.blob);
    fc.assert(
      fc.property(
        fc.constantFrom(...blobs),
        fc.nat(400),
        fc.nat(255),
        fc.nat(400),
        (blob, at, value, cut) => {
          const changed = Buffer.from(blob);
          if (at < changed.length) changed[at] = value;
          try {
            readPublicKey(changed.subarray(0, cut));
          } catch (error) {
            expect(error).toBeInstanceOf(BlobError);
          }
        },
      ),
    );
  });
});

it('every algorithm that the gateway tells clients of is one that it verifies', () => {
  const plain = SERVER_SIGNATURE_ALGORITHMS.map((name) =>
    name.replace(/^(sk-.*)-cert-v01@openssh\.com$/, '$1@openssh.com').replace('-cert-v01@openssh.com', ''),
  );
  const verified = Object.values(KEYS).flatMap((key) => signatureAlgorithms(readPublicKey(key.blob).type));
  expect(plain.filter((name) => !verified.includes(name))).toEqual([]);
});
