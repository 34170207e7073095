// Files for `apply`: every mistake is found at once, with its line and column, and no message repeats a secret.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { privateKeyProblem, readDocuments, showProblem } from './document.ts';

const read = (...texts: string[]) =>
  readDocuments(
    texts.map((text, index) => ({ name: `${index + 1}.yaml`, text })),
    { refuseKeyLine: (line) => (line.startsWith('ssh-') ? undefined : 'is no key') },
  );

const problemsOf = (...texts: string[]): readonly string[] => read(...texts).problems.map(showProblem);

describe('files that are right', () => {
  it('fill in what is left out', () => {
    const { wanted, problems } = read(
      'users: [{name: alice}]\ndevices: [{name: d, host: "[2001:db8::1]"}]\ngrants: [{name: g, users: [alice], devices: [d]}]',
    );
    expect(problems).toEqual([]);
    expect(wanted.users[0]?.spec).toMatchObject({
      roles: ['engineer'],
      priority: 'medium',
      keys: [],
      groups: [],
    });
    expect(wanted.devices[0]?.spec).toMatchObject({ host: '2001:db8::1', port: 22, hostKeys: undefined });
    expect(wanted.grants[0]?.spec).toMatchObject({
      channels: ['shell', 'exec', 'sftp', 'scp'],
      credentials: undefined,
      times: [],
      recording: 'strict',
    });
  });

  it('may be empty, or leave a list empty', () => {
    expect(problemsOf('', 'users:\ndevices: []\nsettings:\n', '# nothing\n')).toEqual([]);
  });

  it('may write times and host keys alone or as a list', () => {
    const { problems, wanted } = read(
      'grants:\n- {name: a, users: [x], tags: [t], times: "mon 08:00-09:00"}\n- {name: b, users: [x], tags: [t], times: ["mon 08:00-09:00", daily]}',
    );
    expect(problems).toEqual([]);
    expect(wanted.grants.map(({ spec }) => spec.times.length)).toEqual([1, 2]);
  });
});

describe('files that are wrong', () => {
  it.each([
    ['an unknown key', 'users:\n  - name: alice\n    pasword: x', '1.yaml:3:5: unknown key pasword'],
    [
      'an unknown list',
      'user: []',
      '1.yaml:1:1: unknown key user; known are users, devices, credentials, grants, settings',
    ],
    [
      'a wrong type',
      'devices:\n  - {name: d, host: h, port: "22"}',
      '1.yaml:2:30: port must be a whole number from 1 to 65535',
    ],
    [
      'a number for a word',
      'users: [{name: 12}]',
      '1.yaml:1:16: name must be text (put numbers and dates in quotes)',
    ],
    ['a missing key', 'devices: [{name: d}]', '1.yaml:1:11: host is missing'],
    ['no list', 'users: {name: alice}', '1.yaml:1:8: users must be a list'],
    ['no keys', 'users: [alice]', '1.yaml:1:9: must hold keys with values'],
    ['a key twice', 'users:\n  - name: a\n    name: b', '1.yaml:3:5: Map keys must be unique'],
    [
      'broken YAML',
      'users: [',
      '1.yaml:1:9: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['a name twice', 'users:\n  - name: a\n  - name: a', '1.yaml:3:11: user a is in 1.yaml:2 already'],
    [
      'a name like an option',
      'users: [{name: "-a"}]',
      '1.yaml:1:16: name may hold letters, digits, ".", "_", "+" and "-" only, and must not start with "-", "." or "+"',
    ],
    ['a key line', 'users: [{name: a, keys: ["ssh-x", "y"]}]', '1.yaml:1:35: keys[1] is no key'],
    [
      'a weak hash',
      'users: [{name: a, passwordHash: "$1$x"}]',
      '1.yaml:1:33: passwordHash must be an argon2id hash in PHC form: $argon2id$v=19$m=…,t=…,p=…$salt$hash',
    ],
    [
      'base32',
      'users: [{name: a, totp: "0189"}]',
      '1.yaml:1:25: totp must be base32 (letters A–Z and digits 2–7)',
    ],
    [
      'a code alone',
      'users: [{name: a, totp: JBSWY3DPEHPK3PXP, authentication: [[totp]]}]',
      '1.yaml:1:60: authentication[0] must hold publickey or password: a code alone is not enough',
    ],
    [
      'a password that is not set',
      'users: [{name: a, authentication: [[password]]}]',
      '1.yaml:1:36: authentication[0] asks for a password, but none is set',
    ],
    [
      'no secret',
      'credentials: [{name: c, device: d, username: u}]',
      '1.yaml:1:15: needs a password or a privateKey',
    ],
    ['nobody', 'grants: [{name: g, devices: [d]}]', '1.yaml:1:10: names nobody: needs users or groups'],
    [
      'nothing',
      'grants: [{name: g, users: [a]}]',
      '1.yaml:1:10: names no target: needs devices, tags or credentials',
    ],
    [
      'a channel',
      'grants: [{name: g, users: [a], devices: [d], channels: [shel]}]',
      '1.yaml:1:57: channels[0] must be one of shell, exec, sftp, scp, forward, agent, x11',
    ],
    [
      'a time',
      'grants: [{name: g, users: [a], devices: [d], times: "mon 9-5"}]',
      '1.yaml:1:53: times "9-5" is not a span of time such as 08:00-18:00 or 22:00-06:00',
    ],
    [
      'a host key',
      'devices: [{name: d, host: h, hostKey: "d ssh-ed25519 AAAA"}]',
      '1.yaml:1:39: hostKey must be TYPE BASE64, without the host name that stands before it in known_hosts',
    ],
    ['a setting', 'settings: {initialRatin: 5}', '1.yaml:1:12: unknown setting initialRatin'],
    [
      'a setting out of range',
      'settings:\n  session:\n    weights: {time: 4}',
      '1.yaml:3:21: session.weights.time must be a whole number from 0 to 3 (default: 3)',
    ],
  ])('are told of %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it('are told of everything at once, across files', () => {
    const problems = problemsOf(
      'users:\n  - {name: a, x: 1, y: 2}\n  - {name: b, priority: urgent}\n',
      'users: [{name: a}]\ndevices: [{name: d, host: "h h", port: 0}]\n',
    );
    expect(problems).toEqual([
      '1.yaml:2:15: unknown key x',
      '1.yaml:2:21: unknown key y',
      '1.yaml:3:25: priority must be one of critical, high, medium, low',
      '2.yaml:1:16: user a is in 1.yaml:2 already',
      '2.yaml:2:27: host must be a host name or an address',
      '2.yaml:2:40: port must be from 1 to 65535',
    ]);
  });

  it('never show a secret', () => {
    const problems = problemsOf(
      'users: [{name: a, password: [hunter2]}, {name: b, passwordHash: hunter2, totp: "hunter2 1"}]',
      'credentials: [{name: c, device: d, username: u, privateKey: hunter2, password: {hunter2: hunter2}}]',
      'credentials:\n  - {name: c, password: "hunter2}',
      'credentials:\n  - password: hunter2: hunter2',
    );
    expect(problems.length).toBeGreaterThan(5);
    expect(problems.join('\n')).not.toContain('hunter2');
  });

  it('are refused when aliases would make them huge', () => {
    const levels = Array.from(
      { length: 12 },
      (_, index) => `k${index + 1}: &k${index + 1} [${`*k${index},`.repeat(10)}]`,
    );
    const problems = problemsOf(`k0: &k0 [x]\n${levels.join('\n')}\n`);
    expect(problems).toContain('1.yaml:1:1: repeats itself by aliases too often');
  });
});

describe('private keys', () => {
  const made = (...args: string[]): string => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
    try {
      execFileSync('ssh-keygen', ['-q', ...args, '-f', join(folder, 'key')]);
      return readFileSync(join(folder, 'key'), 'utf8');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };

  it.each([['ed25519'], ['ecdsa'], ['rsa', '-b', '2048'], ['rsa', '-b', '2048', '-m', 'PEM']])(
    'are taken: %s %s %s',
    (type, ...more) => {
      expect(privateKeyProblem(made('-t', type, ...more, '-N', ''))).toBeUndefined();
    },
  );

  it('are refused with the reason when they can’t be used', () => {
    expect(privateKeyProblem(made('-t', 'ed25519', '-N', 'phrase'))).toMatch(/passphrase/);
    expect(
      privateKeyProblem('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6O0bRz4iVbmD0wOnGgkpRyrh3xYf6Yyh2vSvuYWBtD'),
    ).toMatch(/public key|not a private key/);
    const { privateKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    expect(privateKeyProblem(privateKey)).toMatch(/PKCS#8/);
    expect(privateKeyProblem('x')).toMatch(/not a private key/);
  });
});
