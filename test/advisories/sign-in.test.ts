// Ways of getting in without, or with more than, what was proven: each a weakness that some SSH server or gateway has
// had. Everything goes through the running gateway; what counts is what the device does in the end.
import { writeFileSync } from 'node:fs';
import { HOTP, Secret } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeExec,
  encodePtyRequest,
  encodeSubsystem,
  MessageWriter,
} from '../../proxy/transport/messages.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import { makeKey, sshStrings, Workshop, type WorkshopKey } from '../login/key-workshop.ts';
import { Attacker, rawOpen } from './attacker.ts';

const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const code = (): string =>
  HOTP.generate({
    secret: Secret.fromBase32(SECRET),
    counter: Math.floor(Date.now() / 30_000),
    digits: 6,
  });

const exec = (command: string): [string, Buffer] => ['exec', encodeExec(Buffer.from(command))];

describe.skipIf(!haveSshd)('signing in', () => {
  const workshop = new Workshop();
  const key = makeKey('ssh-ed25519');
  const other = makeKey('ssh-ed25519');
  const stranger = makeKey('ssh-ed25519');
  const rsa = makeKey('ssh-rsa');
  const sk = makeKey('sk-ssh-ed25519@openssh.com');
  const skFree = makeKey('sk-ecdsa-sha2-nistp256@openssh.com');
  const skPin = makeKey('sk-ssh-ed25519@openssh.com');
  const userKey = makeKey('ssh-ed25519');
  let authority = '';
  let authorityKey: WorkshopKey['line'] = '';
  let site: Site;

  beforeAll(async () => {
    authority = workshop.generate('ed25519');
    authorityKey = workshop.publicLine(authority);
    const authorities = workshop.path('user_ca.pub');
    writeFileSync(authorities, `${authorityKey}\n`);
    const both = { totp: SECRET, authentication: [['publickey', 'totp']], roles: ['engineer'] };
    const names = ['step1', 'step2', 'step3', 'step4'];
    site = await openSite({
      gateway: { ssh: { trustedUserCAKeys: authorities, workers: 1 } },
      directory: () => ({
        users: [
          // A secret of the same text, but for each user steps are counted apart.
          ...names.map((name) => ({
            name,
            keys: [`restrict,command="echo forced" ${key.line}`, other.line],
            ...both,
          })),
          { name: 'plain', keys: [key.line, rsa.line], roles: ['engineer'] },
          {
            name: 'touch',
            keys: [sk.line, `no-touch-required ${skFree.line}`, `verify-required ${skPin.line}`],
            roles: ['engineer'],
          },
          { name: 'carol', keys: [], roles: ['engineer'] },
        ],
        grants: [
          {
            name: 'everyone',
            users: [...names, 'plain', 'touch', 'carol'],
            devices: ['web1'],
            channels: ['shell', 'exec', 'sftp', 'forward'],
          },
        ],
      }),
    });
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    workshop[Symbol.dispose]();
  });

  const dial = (from?: string) => Attacker.dial(site.gateway.port, from === undefined ? {} : { from });
  const sessions = () => site.gateway.rows('session', 'list');

  describe('an offer of a key without a signature', () => {
    it('proves nothing: what follows it as if signed in ends the connection', async () => {
      const before = (await sessions()).length;
      using attacker = await dial();
      expect(await attacker.offer('plain@web1', key.type, key.blob)).toBe('acceptable');
      attacker.send(rawOpen('session', Buffer.alloc(0)));
      await attacker.closed;
      expect(await sessions()).toHaveLength(before);
    });

    it('proves nothing where a code is asked for as well: the right code alone does not sign in', async () => {
      using attacker = await dial();
      expect(await attacker.offer('step1@web1', other.type, other.blob)).toBe('acceptable');
      expect(await attacker.answer('step1@web1', code())).toBe('failure');
    });

    it('of another key between the steps changes neither the proof nor what it allows', async () => {
      using attacker = await dial();
      expect(await attacker.sign('step2@web1', key)).toBe('partial');
      expect(await attacker.offer('step2@web1', other.type, other.blob)).toBe('acceptable');
      expect(await attacker.offer('step2@web1', stranger.type, stranger.blob)).toBe('refused');
      expect(await attacker.answer('step2@web1', code())).toBe('success');
      expect(await attacker.session(exec('echo free'))).toMatchObject({ stdout: 'forced\n' });
    });
  });

  it('with two keys in turn allows what the one that signed last does', async () => {
    {
      using attacker = await dial();
      expect(await attacker.sign('step3@web1', other)).toBe('partial');
      expect(await attacker.sign('step3@web1', key)).toBe('partial');
      expect(await attacker.answer('step3@web1', code())).toBe('success');
      expect(await attacker.session(exec('echo free'))).toMatchObject({ stdout: 'forced\n' });
    }
    using attacker = await dial();
    expect(await attacker.sign('step4@web1', key)).toBe('partial');
    expect(await attacker.sign('step4@web1', other)).toBe('partial');
    expect(await attacker.answer('step4@web1', code())).toBe('success');
    expect(await attacker.session(exec('echo free'))).toMatchObject({ stdout: 'free\n' });
  });

  it('with a key that signed wrongly after a right one still needs the code, and keeps the right one', async () => {
    using attacker = await dial();
    expect(await attacker.sign('step1@web1', key)).toBe('partial');
    expect(await attacker.sign('step1@web1', other, { sessionId: Buffer.alloc(32) })).toBe('failure');
    expect(await attacker.answer('step1@web1', code())).toBe('success');
    expect(await attacker.session(exec('echo free'))).toMatchObject({ stdout: 'forced\n' });
  });

  it.each([
    ['of another connection', { sessionId: Buffer.alloc(32, 7) }],
    ['for another user', { signedName: 'alice@web1' }],
    ['by a key that is not the one shown', { blob: other.blob }],
  ])('with a signature %s fails', async (_, change) => {
    using attacker = await dial();
    expect(await attacker.sign('plain@web1', key, change)).toBe('failure');
  });

  it('with the signature that another connection accepted fails', async () => {
    using first = await dial();
    const { sessionId } = await first.info;
    expect(await first.sign('plain@web1', key)).toBe('success');
    using second = await dial();
    expect(await second.sign('plain@web1', key, { sessionId })).toBe('failure');
  });

  it('as one user after proving something as another ends the connection', async () => {
    using attacker = await dial();
    expect(await attacker.sign('step2@web1', key)).toBe('partial');
    expect(await attacker.sign('plain@web1', stranger)).toBe('ended');
  });

  it('with a SHA-1 signature of the right RSA key fails (defect D10)', async () => {
    using attacker = await dial();
    expect(await attacker.sign('plain@web1', rsa, { algorithm: 'ssh-rsa', signAs: 'ssh-rsa' })).toBe(
      'failure',
    );
    expect(await attacker.sign('plain@web1', rsa, { algorithm: 'rsa-sha2-512', signAs: 'ssh-rsa' })).toBe(
      'failure',
    );
    expect(await attacker.sign('plain@web1', rsa)).toBe('success');
  });

  it('with a huge RSA key is refused at once, while another user works', async () => {
    const huge = sshStrings(
      'ssh-rsa',
      Buffer.from([1, 0, 1]),
      Buffer.concat([Buffer.alloc(1), Buffer.alloc(30_000, 0xff)]),
    );
    using attacker = await dial();
    const begun = performance.now();
    for (let n = 0; n < 20; n += 1) {
      expect(await attacker.offer('plain@web1', 'rsa-sha2-512', huge)).toBe('refused');
    }
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await site.alice.ssh(['echo fine'])).toMatchObject({ stdout: 'fine\n' });
  });

  describe('with a security key', () => {
    const use = (flags: number) => ({ use: { flags, counter: 5 } });
    it('needs the touch, unless the line waives it', async () => {
      using attacker = await dial();
      expect(await attacker.sign('touch@web1', sk, use(0))).toBe('failure');
      expect(await attacker.sign('touch@web1', sk, use(1))).toBe('success');
      using another = await dial();
      expect(await another.sign('touch@web1', skFree, use(0))).toBe('success');
    });

    it('needs the verification of its user where the line asks for it', async () => {
      using attacker = await dial();
      expect(await attacker.sign('touch@web1', skPin, use(1))).toBe('failure');
      expect(await attacker.sign('touch@web1', skPin, use(4))).toBe('failure');
      expect(await attacker.sign('touch@web1', skPin, use(5))).toBe('success');
    });
  });

  describe('with a certificate', () => {
    const certify = (...args: string[]): Buffer => workshop.certify(authority, userKey.line, ...args);
    const type = 'ssh-ed25519-cert-v01@openssh.com';
    const signed = async (blob: Buffer, from?: string) => {
      const attacker = await dial(from);
      const verdict = await attacker.sign('carol@web1', userKey, { algorithm: type, blob });
      return { attacker, verdict };
    };
    const basic = ['-I', 'carol', '-n', 'carol', '-V', '+1h'];

    it('of the authority works', async () => {
      const { attacker, verdict } = await signed(certify(...basic));
      using _ = attacker;
      expect(verdict).toBe('success');
      expect(await attacker.session(exec('echo in'))).toMatchObject({ stdout: 'in\n' });
    });

    it.each([
      ['for another user', ['-I', 'x', '-n', 'alice', '-V', '+1h']],
      ['for nobody in particular', ['-I', 'x', '-V', '+1h']],
      ['that has expired', ['-I', 'x', '-n', 'carol', '-V', '20200101:20200102']],
      ['that is not valid yet', ['-I', 'x', '-n', 'carol', '-V', '+1h:+2h']],
      ['for hosts', ['-h', '-I', 'x', '-n', 'carol', '-V', '+1h']],
      ['with a critical option that nobody knows', [...basic, '-O', 'critical:dance@example.com=on']],
      ['for other addresses', [...basic, '-O', 'source-address=192.0.2.0/24']],
    ])('%s fails', async (_, args) => {
      const { attacker, verdict } = await signed(certify(...args));
      using held = attacker;
      expect(verdict).toBe('failure');
      expect(await held.offer('carol@web1', type, certify(...args))).toBe('refused');
    });

    it('for one address fails from another, offered before or not', async () => {
      const blob = certify(...basic, '-O', 'source-address=127.0.0.1/32');
      const here = await signed(blob, '127.0.0.1');
      using _a = here.attacker;
      expect(here.verdict).toBe('success');
      const there = await signed(blob, '127.0.0.2');
      using held = there.attacker;
      expect(there.verdict).toBe('failure');
      using offered = await dial('127.0.0.2');
      expect(await offered.offer('carol@web1', type, blob)).toBe('refused');
      expect(await offered.sign('carol@web1', userKey, { algorithm: type, blob })).toBe('failure');
      expect(held.gone).toBe(false);
    });

    it('whose authority is itself a certificate fails (CVE-2025-49825)', async () => {
      // Someone with a certificate of the authority signs another with it, and names the certificate as the signer.
      const mine = makeKey('ssh-ed25519');
      const certified = workshop.certify(authority, mine.line, '-I', 'x', '-n', 'carol', '-V', '+1h');
      const writer = new MessageWriter();
      const body = writer
        .string(type)
        .string(Buffer.alloc(32, 1))
        .string(userKey.blob.subarray(userKey.blob.length - 32))
        .raw(Buffer.alloc(8))
        .uint32(1)
        .string('carol')
        .string(sshStrings('carol'))
        .raw(Buffer.alloc(8))
        .raw(Buffer.alloc(8, 0xff))
        .string('')
        .string('')
        .string('')
        .string(certified)
        .build();
      const blob = Buffer.concat([body, sshStrings(mine.sign('ssh-ed25519', body))]);
      const { attacker, verdict } = await signed(blob);
      using _ = attacker;
      expect(verdict).toBe('failure');
      // The same with the signer's plain key, which nobody trusts: only the chain could have let it in.
      const plain = Buffer.concat([
        body.subarray(0, body.length - certified.length - 4),
        sshStrings(mine.blob),
      ]);
      const second = Buffer.concat([plain, sshStrings(mine.sign('ssh-ed25519', plain))]);
      const again = await signed(second);
      using held = again.attacker;
      expect(again.verdict).toBe('failure');
      expect(held.gone).toBe(false);
    });

    it('that forces a command runs it whatever is asked for, without a terminal it does not permit', async () => {
      const blob = certify(...basic, '-O', 'clear', '-O', 'force-command=echo forced');
      const { attacker, verdict } = await signed(blob);
      using _ = attacker;
      expect(verdict).toBe('success');
      const pty: [string, Buffer] = [
        'pty-req',
        encodePtyRequest({
          terminal: 'xterm',
          columns: 80,
          rows: 24,
          widthPixels: 0,
          heightPixels: 0,
          modes: Buffer.from([0]),
        }),
      ];
      expect(await attacker.session(exec('echo free'))).toMatchObject({ stdout: 'forced\n' });
      expect(await attacker.session(['subsystem', encodeSubsystem('sftp')])).toMatchObject({
        stdout: 'forced\n',
      });
      const shell = await attacker.session(pty, ['shell', Buffer.alloc(0)]);
      expect(shell).toMatchObject({ stdout: 'forced\n', answers: [false, true] });
    });
  });

  it('names that look like options, hold percent signs, line feeds or escapes get the answers of unknown users', async () => {
    const names = [
      '-oProxyCommand=touch /tmp/x',
      'alice@-oProxyCommand=x@web1',
      'alice@root@-web1',
      'alice%h',
      'alice%n%p@web1',
      'alice\nroot@web1',
      'alice@ro\u001b]0;pwned\u0007ot@web1',
      'alice\u001b[2J@web1',
      'alice\u202e@web1',
      'alice\u0000@web1',
      '../../etc@web1',
      'x'.repeat(400),
    ];
    for (const name of names) {
      using attacker = await dial();
      expect(await attacker.offer(name, key.type, key.blob), JSON.stringify(name)).toBe('refused');
      expect(await attacker.sign(name, key), JSON.stringify(name)).toBe('failure');
    }
    expect(await site.alice.ssh(['echo fine'])).toMatchObject({ stdout: 'fine\n' });
    // Neither what is logged nor what lists show holds one character that steers a terminal.
    const listed = await site.gateway.sallyport(['session', 'list']);
    for (const text of [site.gateway.log, listed.stdout]) {
      expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });
});
