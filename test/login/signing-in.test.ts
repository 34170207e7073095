// Real clients sign in to the real transport and sign-in: every key type, certificates, passwords, codes, combinations,
// and what must not sign in.
import { writeFileSync } from 'node:fs';
import { HOTP, Secret } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAuthorities } from '../../proxy/login/key-offer.ts';
import { hashPassword } from '../../proxy/login/password.ts';
import { readRevocations } from '../../proxy/login/revocations.ts';
import { have, works } from '../harness/need.ts';
import { type RunOptions, type RunResult, run } from '../harness/run.ts';
import { startAgent } from './agent.ts';
import { blobOf, makeKey, Workshop } from './key-workshop.ts';
import { testUser } from './memory-directory.ts';
import { startTinyServer, type TinyServer } from './tiny-server.ts';

const workshop = new Workshop();
const SECRET = Buffer.from('12345678901234567890');
const HASH = await hashPassword('sesame');
const here = new URL('.', import.meta.url).pathname;

const authority = workshop.generate('ed25519');
const keys = {
  ed25519: workshop.generate('ed25519'),
  ecdsa256: workshop.generate('ecdsa', 256),
  ecdsa384: workshop.generate('ecdsa', 384),
  ecdsa521: workshop.generate('ecdsa', 521),
  rsa: workshop.generate('rsa', 2048),
};
const restricted = workshop.generate('ed25519');
const stranger = workshop.generate('ed25519');
const revokedKey = workshop.generate('ed25519');
const skEd25519 = makeKey('sk-ssh-ed25519@openssh.com');
const skEcdsa = makeKey('sk-ecdsa-sha2-nistp256@openssh.com');
const skVerified = makeKey('sk-ssh-ed25519@openssh.com');

let server: TinyServer;
beforeAll(async () => {
  const lines = Object.values(keys).map((path) => workshop.publicLine(path));
  const secrets = { passwordHash: HASH, totpSecret: SECRET };
  const restrictedLine = `restrict,command="uptime" ${workshop.publicLine(restricted)}`;
  server = await startTinyServer(
    workshop.path('host-keys'),
    [
      testUser('alice', {
        ...secrets,
        keys: [
          ...lines,
          restrictedLine,
          workshop.publicLine(revokedKey),
          skEd25519.line,
          skEcdsa.line,
          `verify-required ${skVerified.line}`,
        ],
        combinations: [['publickey'], ['password']],
      }),
      testUser('bob', { ...secrets, keys: lines, combinations: [['publickey', 'totp']] }),
      testUser('carol', {
        ...secrets,
        keys: [...lines, restrictedLine],
        combinations: [['publickey', 'password']],
      }),
      testUser('dave', { ...secrets, combinations: [['password', 'totp']] }),
      testUser('erin', {
        ...secrets,
        keys: lines,
        disabledReason: 'left',
        combinations: [['password'], ['publickey']],
      }),
    ],
    {
      authorities: () => readAuthorities(workshop.publicLine(authority)),
      revocations: () => readRevocations(Buffer.from(workshop.publicLine(revokedKey))),
    },
  );
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  workshop[Symbol.dispose]();
});

/** Past codes are used up, so each call takes a step that no earlier call took, within what is accepted. */
let lastStep = 0;
function freshCode(): string {
  const secret = new Secret({ buffer: new Uint8Array(SECRET).buffer });
  const now = Math.floor(Date.now() / 30_000);
  lastStep = Math.max(now - 1, lastStep + 1);
  return HOTP.generate({ secret, counter: lastStep });
}

function sshArguments(user: string, ...options: readonly string[]): string[] {
  const fixed = [
    'UserKnownHostsFile=/dev/null',
    'StrictHostKeyChecking=no',
    'LogLevel=ERROR',
    'IdentitiesOnly=yes',
  ];
  const all = [...fixed, ...options].flatMap((option) => ['-o', option]);
  return ['-F', 'none', ...all, '-p', String(server.port), '-l', user, '127.0.0.1', 'anything'];
}

function ssh(user: string, options: readonly string[], more: RunOptions = {}): Promise<RunResult> {
  const agent = options.some((option) => option.startsWith('IdentityAgent=')) ? [] : ['IdentityAgent=none'];
  return run('ssh', sshArguments(user, 'BatchMode=yes', ...agent, ...options), more);
}

const withKey = (path: string) => [`IdentityFile=${path}`, 'PreferredAuthentications=publickey'];

function shown(result: RunResult): { user?: string; authentication?: string } & Record<string, unknown> {
  if (result.code !== 0) return { failed: result.stderr.trim(), code: result.code };
  const line = result.stdout.split(/\r?\n/).find((text) => text.startsWith('{')) ?? '{}';
  return JSON.parse(line);
}

describe.skipIf(!have('ssh', 'ssh-keygen'))('OpenSSH', () => {
  it.each(Object.entries(keys))('signs in with a key of type %s', async (_, path) => {
    expect(shown(await ssh('alice@root@web1', withKey(path)))).toMatchObject({
      user: 'alice',
      authentication: 'publickey',
      wanted: { account: 'root', device: 'web1' },
    });
  });

  it.each(['rsa-sha2-256', 'rsa-sha2-512'])('signs in with RSA and %s', async (algorithm) => {
    const options = [...withKey(keys.rsa), `PubkeyAcceptedAlgorithms=${algorithm}`];
    expect(shown(await ssh('alice', options))).toMatchObject({ user: 'alice' });
  });

  it('does not sign in with RSA and SHA-1', async () => {
    const result = await ssh('alice', [...withKey(keys.rsa), 'PubkeyAcceptedAlgorithms=ssh-rsa']);
    expect(result.code).toBe(255);
  });

  it.each([
    ['ed25519', keys.ed25519],
    ['ecdsa', keys.ecdsa384],
    ['rsa', keys.rsa],
  ])('signs in with a certificate on a key of type %s', async (_, path) => {
    workshop.keygen(
      '-q',
      '-s',
      authority,
      '-I',
      'x',
      '-n',
      'frank',
      '-O',
      'no-port-forwarding',
      `${path}.pub`,
    );
    server.directory.users.set('frank', testUser('frank'));
    const options = [...withKey(path), `CertificateFile=${path}-cert.pub`];
    expect(shown(await ssh('frank', options))).toMatchObject({
      user: 'frank',
      authentication: 'certificate',
      restrictions: { portForwarding: false, pty: true },
    });
  });

  it.each([
    ['for other principals', ['-n', 'someone']],
    ['that has expired', ['-n', 'grace', '-V', '20200101:20200201']],
    ['for another network', ['-n', 'grace', '-O', 'source-address=198.51.100.0/24']],
    ['with an unknown critical option', ['-n', 'grace', '-O', 'critical:x@example.com']],
    ['from another authority', ['-n', 'grace', '-s', stranger]],
  ])('does not sign in with a certificate %s', async (_, args) => {
    const path = workshop.generate('ed25519');
    server.directory.users.set('grace', testUser('grace'));
    const signer = args.includes('-s') ? [] : ['-s', authority];
    workshop.keygen('-q', ...signer, '-I', 'x', ...args, `${path}.pub`);
    const result = await ssh('grace', [...withKey(path), `CertificateFile=${path}-cert.pub`]);
    expect(result.code).toBe(255);
    expect(result.stderr).toContain('Permission denied (publickey,password,keyboard-interactive)');
  });

  it('carries the restrictions of the key that signed', async () => {
    expect(shown(await ssh('alice', withKey(restricted)))).toMatchObject({
      restrictions: { pty: false, portForwarding: false, forcedCommand: 'uptime' },
    });
  });

  it.each([
    ['a key that is not listed', 'alice', stranger],
    ['a revoked key', 'alice', revokedKey],
    ['a key of a disabled user', 'erin', keys.ed25519],
    ['a key for an unknown user', 'nobody', keys.ed25519],
  ])('does not sign in with %s, and the answer is one and the same', async (_, user, path) => {
    const result = await ssh(user, withKey(path));
    expect(result.code).toBe(255);
    expect(result.stderr.trim()).toBe(
      `${user}@127.0.0.1: Permission denied (publickey,password,keyboard-interactive).`,
    );
  });

  it('tries the keys of an agent that holds many, beyond six', async () => {
    const path = workshop.path('many.sock');
    const many = Array.from({ length: 12 }, () => makeKey('ssh-ed25519'));
    await using _agent = await startAgent(
      path,
      [...many, skEd25519].map((key) => ({ blob: key.blob, sign: (data) => key.sign(key.type, data) })),
    );
    const options = [`IdentityAgent=${path}`, 'IdentitiesOnly=no', 'PreferredAuthentications=publickey'];
    const result = await run('ssh', [
      '-o',
      'IdentitiesOnly=no',
      ...sshArguments('alice', 'BatchMode=yes', ...options),
    ]);
    expect(shown(result)).toMatchObject({ user: 'alice' });
  });

  it.each([
    ['sk-ssh-ed25519, touched', skEd25519, 1, true],
    ['sk-ssh-ed25519, not touched', skEd25519, 0, false],
    ['sk-ecdsa, touched', skEcdsa, 1, true],
    ['sk-ecdsa, not touched', skEcdsa, 0, false],
    ['verify-required, verified', skVerified, 5, true],
    ['verify-required, touched only', skVerified, 1, false],
  ])('with a security key: %s', async (_, key, flags, signsIn) => {
    const path = workshop.path(`sk-${key.type.slice(0, 8)}-${flags}-${signsIn}.sock`);
    await using _agent = await startAgent(path, [
      { blob: key.blob, sign: (data) => key.sign(key.type, data, { flags, counter: 3 }) },
    ]);
    const options = [`IdentityAgent=${path}`, 'PreferredAuthentications=publickey'];
    const result = await run('ssh', [
      '-o',
      'IdentitiesOnly=no',
      ...sshArguments('alice', 'BatchMode=yes', ...options),
    ]);
    expect(result.code === 0).toBe(signsIn);
  });
});

describe.skipIf(!have('ssh', 'sshpass'))('sshpass', () => {
  const withPassword = (user: string, password: string, ...options: string[]) =>
    run('sshpass', ['-p', password, 'ssh', ...sshArguments(user, 'NumberOfPasswordPrompts=1', ...options)]);

  it.each(['password', 'keyboard-interactive'])('signs in with a password by %s', async (method) => {
    const result = await withPassword('alice', 'sesame', `PreferredAuthentications=${method}`);
    expect(shown(result)).toMatchObject({ user: 'alice', authentication: 'password' });
  });

  it('does not sign in with a wrong password, as a disabled user, or as nobody, at the cost of one check each', async () => {
    for (const [user, password] of [
      ['alice', 'wrong'],
      ['erin', 'sesame'],
      ['nobody', 'sesame'],
    ] as const) {
      const before = server.deps.passwords.verifications;
      const result = await withPassword(user, password, 'PreferredAuthentications=password');
      expect(result.code).toBe(255);
      expect(result.stderr).toContain('Permission denied (publickey,password,keyboard-interactive)');
      expect(server.deps.passwords.verifications - before).toBe(1);
    }
  });

  it('needs the key as well where the combination says so, and keeps what the key may do', async () => {
    const order = 'PreferredAuthentications=publickey,password';
    const alone = await withPassword('carol', 'sesame', 'PreferredAuthentications=password');
    expect(alone.code).not.toBe(0);
    const both = await withPassword('carol', 'sesame', `IdentityFile=${restricted}`, order);
    expect(shown(both)).toMatchObject({
      authentication: 'publickey+password',
      restrictions: { pty: false, forcedCommand: 'uptime' },
    });
  });
});

describe.skipIf(!have('ssh', 'expect'))('expect', () => {
  const interact = (user: string, code: string, ...options: string[]) =>
    run(
      'expect',
      [`${here}prompts.exp`, 'ssh', ...sshArguments(user, 'NumberOfPasswordPrompts=1', ...options)],
      {
        env: { PASSWORD: 'sesame', CODE: code },
        timeout: 40_000,
      },
    );

  it('signs in with a key and then a code, which works once', async () => {
    const code = freshCode();
    const first = await interact('bob', code, `IdentityFile=${keys.ed25519}`);
    expect(shown(first)).toMatchObject({ user: 'bob', authentication: 'publickey+totp' });
    const replay = await interact('bob', code, `IdentityFile=${keys.ed25519}`);
    expect(replay.code).toBe(255);
  });

  it('signs in with a password and a code asked for in turn', async () => {
    const result = await interact('dave', freshCode(), 'PreferredAuthentications=keyboard-interactive');
    expect(result.stdout).toMatch(/Password: [\s\S]*One-time code: /);
    expect(shown(result)).toMatchObject({ user: 'dave', authentication: 'password+totp' });
  });

  it('does not sign in with the key and a wrong code', async () => {
    const result = await interact('bob', '000000', `IdentityFile=${keys.ed25519}`);
    expect(result.code).toBe(255);
  });
});

const python = '/usr/bin/python3';

describe.skipIf(!works(python, '-c', 'import paramiko'))('Paramiko', () => {
  it('signs in on its third try, after a bad key and a bad password (D5)', async () => {
    const script = `${here}paramiko_second_try.py`;
    const result = await run(python, [
      script,
      '127.0.0.1',
      String(server.port),
      'alice',
      stranger,
      keys.ed25519,
    ]);
    expect(shown(result)).toMatchObject({ user: 'alice', authentication: 'publickey' });
  });
});

describe.skipIf(!works(python, '-W', 'ignore', '-c', 'import asyncssh'))('AsyncSSH', () => {
  it('signs in with a key and a code', async () => {
    const script = `${here}asyncssh_combination.py`;
    const args = [script, '127.0.0.1', String(server.port), 'bob', keys.rsa, 'sesame', freshCode()];
    expect(shown(await run(python, args))).toMatchObject({ user: 'bob', authentication: 'publickey+totp' });
  });
});

describe.skipIf(!have('dbclient', 'dropbearkey'))('dropbear', () => {
  it('signs in with a key of its own making', async () => {
    const path = workshop.path('dropbear');
    await run('dropbearkey', ['-t', 'ed25519', '-f', path]);
    const printed = await run('dropbearkey', ['-y', '-f', path]);
    const line = printed.stdout.split('\n').find((text) => text.startsWith('ssh-ed25519')) ?? '';
    expect(blobOf(line).length).toBeGreaterThan(0);
    server.directory.users.set('heidi', testUser('heidi', { keys: [line] }));
    const args = ['-y', '-y', '-i', path, '-p', String(server.port), '-l', 'heidi', '127.0.0.1', 'anything'];
    expect(shown(await run('dbclient', args))).toMatchObject({ user: 'heidi' });
  });
});

describe.skipIf(!have('plink', 'puttygen'))('plink', () => {
  it('signs in with a password', async () => {
    const file = workshop.path('password');
    writeFileSync(file, 'sesame');
    const printed = await run('ssh-keyscan', ['-p', String(server.port), '127.0.0.1']);
    const line = printed.stdout.split('\n').find((text) => text.includes('ssh-ed25519')) ?? '';
    const print = workshop.path('host.pub');
    writeFileSync(print, line.replace(/^\S+ /, ''));
    const hostKey = workshop.keygen('-lf', print).split(' ')[1] ?? '';
    const args = ['-batch', '-no-antispoof', '-hostkey', hostKey, '-P', String(server.port), '-pwfile', file];
    expect(shown(await run('plink', [...args, 'alice@127.0.0.1', 'anything']))).toMatchObject({
      user: 'alice',
      authentication: 'password',
    });
  });
});
