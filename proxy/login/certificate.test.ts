import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { makeKey, sshStrings, Workshop, type WorkshopKey } from '../../test/login/key-workshop.ts';
import { MessageWriter } from '../transport/messages.ts';
import { BlobError } from './blob.ts';
import { type CertificateQuestion, judgeCertificate, readCertificate } from './certificate.ts';
import { NOTHING_REVOKED } from './revocations.ts';

const workshop = new Workshop();
afterAll(() => workshop[Symbol.dispose]());

const AUTHORITY = workshop.generate('ed25519');
const USER = makeKey('ssh-ed25519');
const NOW = Date.UTC(2030, 5, 1);
const ALICE: CertificateQuestion = {
  principals: ['alice'],
  address: '192.0.2.7',
  now: NOW,
  revocations: NOTHING_REVOKED,
};

/** By ssh-keygen, for alice, valid for the years round NOW unless other arguments say so. */
function certify(...args: readonly string[]): Buffer {
  const validity = args.includes('-V') ? [] : ['-V', '20300101000000Z:20310101000000Z'];
  const principals = args.includes('-n') ? [] : ['-n', 'alice'];
  return workshop.certify(AUTHORITY, USER.line, '-I', 'test id', ...principals, ...validity, ...args);
}

function judge(blob: Buffer, change: Partial<CertificateQuestion> = {}) {
  return judgeCertificate(readCertificate(blob), { ...ALICE, ...change });
}

interface Parts {
  readonly kind?: number;
  readonly principals?: readonly string[];
  readonly critical?: Buffer;
  readonly extensions?: Buffer;
  readonly authorityBlob?: Buffer;
  readonly sign?: (data: Buffer) => Buffer;
}

/** A certificate that ssh-keygen would not make. */
function forge(authority: WorkshopKey, parts: Parts = {}): Buffer {
  const fields = USER.blob.subarray(4 + 'ssh-ed25519'.length);
  const body = new MessageWriter()
    .string('ssh-ed25519-cert-v01@openssh.com')
    .string(Buffer.alloc(32, 7))
    .raw(fields)
    .raw(Buffer.alloc(8))
    .uint32(parts.kind ?? 1)
    .string('forged')
    .string(sshStrings(...(parts.principals ?? ['alice'])))
    .raw(Buffer.alloc(8))
    .raw(Buffer.alloc(8, 0xff))
    .string(parts.critical ?? '')
    .string(parts.extensions ?? '')
    .string('')
    .string(parts.authorityBlob ?? authority.blob)
    .build();
  const sign = parts.sign ?? ((data: Buffer) => authority.sign(authority.type, data));
  return Buffer.concat([body, sshStrings(sign(body))]);
}

describe('a user certificate', () => {
  it('by ssh-keygen is accepted for its principal, with what its extensions grant', () => {
    expect(judge(certify())).toEqual({
      kind: 'accepted',
      terms: {
        restrictions: {
          pty: true,
          portForwarding: true,
          agentForwarding: true,
          x11Forwarding: true,
          forcedCommand: undefined,
          permitOpen: undefined,
          permitListen: undefined,
        },
        touchRequired: true,
        verifyRequired: false,
      },
    });
  });

  it.each([
    ['ed25519', 'ed25519', undefined],
    ['ecdsa', 'ecdsa', 384],
    ['rsa', 'rsa', 2048],
  ] as const)('may be signed by an authority of type %s', (_, type, bits) => {
    const authority = workshop.generate(type, bits);
    for (const keyType of ['ssh-ed25519', 'ecdsa-sha2-nistp521', 'ssh-rsa', 'sk-ssh-ed25519@openssh.com']) {
      const blob = workshop.certify(authority, makeKey(keyType).line, '-I', 'x', '-n', 'alice');
      expect(readCertificate(blob).key.type).toBe(keyType);
    }
  });

  it('holds the very key that was certified', () => {
    expect(readCertificate(certify()).key.blob).toEqual(USER.blob);
    const sk = makeKey('sk-ecdsa-sha2-nistp256@openssh.com');
    expect(readCertificate(workshop.certify(AUTHORITY, sk.line, '-I', 'x')).key.blob).toEqual(sk.blob);
  });

  it('with cleared options allows only what is granted again', () => {
    const decision = judge(certify('-O', 'clear', '-O', 'permit-pty'));
    expect(decision).toMatchObject({
      terms: {
        restrictions: { pty: true, portForwarding: false, agentForwarding: false, x11Forwarding: false },
      },
    });
  });

  it('carries a forced command, the waived touch and the wanted verification', () => {
    const decision = judge(
      certify('-O', 'force-command=uptime -p', '-O', 'no-touch-required', '-O', 'verify-required'),
    );
    expect(decision).toMatchObject({
      terms: { restrictions: { forcedCommand: 'uptime -p' }, touchRequired: false, verifyRequired: true },
    });
  });

  it('is bound to its source addresses', () => {
    const blob = certify('-O', 'source-address=192.0.2.0/24,2001:db8::/32');
    const from = (address: string) => judge(blob, { address }).kind;
    expect(['192.0.2.200', '2001:db8::9', '192.0.3.1', '::1', 'nonsense'].map(from)).toEqual([
      'accepted',
      'accepted',
      'refused',
      'refused',
      'refused',
    ]);
  });

  it.each([
    ['before its validity', ['-V', '20300701000000Z:20310101000000Z'], 'not valid yet'],
    ['after its validity', ['-V', '20290101000000Z:20300101000000Z'], 'expired'],
    ['for other principals', ['-n', 'bob,carol'], 'other principals'],
  ])('%s is refused', (_, args, reason) => {
    expect(judge(certify(...args))).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining(reason),
    });
  });

  it('ends with the second that its validity names', () => {
    const blob = certify('-V', '20300101000000Z:20300601000000Z');
    expect(judge(blob, { now: NOW - 1 }).kind).toBe('accepted');
    expect(judge(blob, { now: NOW }).kind).toBe('refused');
  });

  it('without principals is refused, though OpenSSH can make one', () => {
    const blob = workshop.certify(AUTHORITY, USER.line, '-I', 'x');
    expect(judge(blob)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('no principals') });
  });

  it('for hosts is refused', () => {
    expect(() => readCertificate(certify('-h'))).toThrow('not a user certificate');
  });

  it('with a critical option that is not known is refused', () => {
    expect(judge(certify('-O', 'critical:new-rule@example.com=x'))).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('critical option'),
    });
  });

  it('with an extension that is not known is accepted, and gains nothing by it', () => {
    expect(judge(certify('-O', 'clear', '-O', 'extension:permit-all@example.com'))).toMatchObject({
      kind: 'accepted',
      terms: { restrictions: { pty: false } },
    });
  });

  it.each([
    ['a forced command that is no string', sshStrings('force-command', 'x')],
    ['an empty forced command', sshStrings('force-command', sshStrings(''))],
    ['an empty source list', sshStrings('source-address', sshStrings(''))],
    ['a source list with host bits', sshStrings('source-address', sshStrings('192.0.2.7/24'))],
    ['a negated source', sshStrings('source-address', sshStrings('!192.0.2.7'))],
    ['data in verify-required', sshStrings('verify-required', 'x')],
  ])('with %s is refused', (_, critical) => {
    expect(judge(forge(makeKey('ssh-ed25519'), { critical })).kind).toBe('refused');
  });
});

describe('the authority of a certificate', () => {
  it('must have signed it', () => {
    const authority = makeKey('ssh-ed25519');
    expect(readCertificate(forge(authority)).keyId).toBe('forged');
    const other = makeKey('ssh-ed25519');
    const sign = (data: Buffer) => other.sign('ssh-ed25519', data);
    expect(() => readCertificate(forge(authority, { sign }))).toThrow('not signed by its authority');
  });

  it('may not be a certificate itself, though the key in it signed (CVE-2025-49825)', () => {
    const authority = makeKey('ssh-ed25519');
    const asCertificate = workshop.certify(AUTHORITY, authority.line, '-I', 'x', '-n', 'alice');
    expect(() => readCertificate(forge(authority, { authorityBlob: asCertificate }))).toThrow(BlobError);
  });

  it('may not sign with SHA-1', () => {
    const authority = makeKey('ssh-rsa');
    expect(
      readCertificate(forge(authority, { sign: (data) => authority.sign('rsa-sha2-256', data) })).keyId,
    ).toBe('forged');
    const sign = (data: Buffer) => authority.sign('ssh-rsa', data);
    expect(() => readCertificate(forge(authority, { sign }))).toThrow('not signed by its authority');
  });

  it('on a security key must have been touched', () => {
    const authority = makeKey('sk-ssh-ed25519@openssh.com');
    expect(readCertificate(forge(authority)).keyId).toBe('forged');
    const sign = (data: Buffer) => authority.sign(authority.type, data, { flags: 0, counter: 1 });
    expect(() => readCertificate(forge(authority, { sign }))).toThrow('nobody touched');
  });
});

describe('a certificate that is not one', () => {
  const authority = makeKey('ssh-ed25519');

  it.each([
    ['of kind 3', forge(authority, { kind: 3 })],
    [
      'with an option twice',
      forge(authority, { critical: sshStrings('verify-required', '', 'verify-required', '') }),
    ],
    ['with too many principals', forge(authority, { principals: new Array<string>(257).fill('alice') })],
    ['with bytes after it', Buffer.concat([forge(authority), Buffer.from([0])])],
    ['too long', Buffer.alloc(40_000)],
    ['but a plain key', USER.blob],
  ])('%s is refused', (_, blob) => {
    expect(() => readCertificate(blob)).toThrow(BlobError);
  });

  it('but a real one with any byte changed or cut off throws one kind of error', () => {
    const real = certify('-O', 'source-address=192.0.2.0/24');
    fc.assert(
      fc.property(
        fc.nat(real.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, mask, cut) => {
          const changed = Buffer.from(real);
          changed[at] = (changed[at] ?? 0) ^ mask;
          expect(() => readCertificate(cut ? real.subarray(0, at) : changed)).toThrow(BlobError);
        },
      ),
      { numRuns: 300 },
    );
  });
});
