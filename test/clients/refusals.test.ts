// Who gets where, and what those are told who don't: forms of the login name, the menu, devices that are not granted,
// credentials and host keys that are wrong. And what is left of it: the list of sessions and the recordings.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { haveSshd } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { openSite, type Site, straight } from '../harness/site.ts';
import { typeAt } from '../harness/terminal.ts';

describe.skipIf(!haveSshd || straight)('reaching a device', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const account = () => site.device.account.name;

  it.each([
    ['alice@ACCOUNT@web1'],
    ['alice:ACCOUNT:web1'],
    ['alice%ACCOUNT%web1'],
    ['alice@web1-login@web1'],
    ['alice@web1'],
  ])('by the login name %s', async (form) => {
    const { stdout, stderr } = await site.alice.as(form.replace('ACCOUNT', account())).ssh(['id -un']);
    expect({ stdout, stderr }).toEqual({ stdout: `${account()}\n`, stderr: '' });
  });

  it('by the menu', async () => {
    using terminal = site.alice.as('alice').terminal();
    await terminal.until('web1', 10_000);
    terminal.type('web1');
    await terminal.until('web1');
    terminal.type('\r');
    await terminal.until('device$ ');
    terminal.type('id -un; exit\r');
    await terminal.until(`${account()}\r\n`);
    expect(await terminal.ended()).toMatchObject({ code: 0 });
  });

  it('is refused alike for a device that is not granted and one that does not exist', async () => {
    const vault = await site.alice.as(`alice@${account()}@vault1`).ssh(['id']);
    const nowhere = await site.alice.as(`alice@${account()}@nowhere`).ssh(['id']);
    expect(vault).toMatchObject({ code: 255, stdout: '' });
    expect(vault.stderr).not.toBe('');
    expect(vault.stderr.replaceAll('vault1', 'X')).toBe(nowhere.stderr.replaceAll('nowhere', 'X'));
  });

  it('is refused alike for a user without the right key and one who does not exist', async () => {
    const bob = await site.alice.as(`bob@${account()}@vault1`).ssh(['id']);
    const nobody = await site.alice.as(`nobody@${account()}@vault1`).ssh(['id']);
    expect(bob.code).toBe(255);
    expect(bob.stderr).toMatch(/Permission denied/);
    expect(bob.stderr.replaceAll('bob', 'X')).toBe(nobody.stderr.replaceAll('nobody', 'X'));
  });

  it('tells the user when the device does not take the credential, and not the secret', async () => {
    const { code, stdout, stderr } = await site.alice.as('alice@locked1').ssh(['id']);
    expect(code).toBe(255);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/credential|sign in|authenticat/i);
    expect(stderr).not.toContain('PRIVATE KEY');
  });

  it('refuses loudly a device whose host key has changed, and never signs in there', async () => {
    const { code, stdout, stderr } = await site.alice.as('alice@moved1').ssh(['id']);
    expect(code).toBe(255);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/host key/i);
    await eventually('the refusal is logged', () => /host.?key/i.test(site.gateway.log));
  });

  it('pins the host key at first use where none is given, and refuses another afterwards', async () => {
    const { account: login, port } = { account: account(), port: site.device.port };
    await site.gateway.apply({
      devices: [{ name: 'first1', host: '127.0.0.1', port }],
      credentials: [
        { name: 'first1-login', device: 'first1', username: login, privateKey: site.device.key.privateKey },
      ],
      grants: [{ name: 'first', users: ['alice'], devices: ['first1'], channels: ['exec'] }],
    });
    const first = await site.alice.as('alice@first1').ssh(['echo once']);
    expect(first).toMatchObject({ code: 0, stdout: 'once\n' });
    const { startDevice } = await import('../harness/device.ts');
    const impostor = await startDevice(site.scratch, { like: site.device });
    await site.gateway.apply({ devices: [{ name: 'first1', host: '127.0.0.1', port: impostor.port }] });
    const second = await site.alice.as('alice@first1').ssh(['echo twice']);
    expect(second).toMatchObject({ code: 255, stdout: '' });
    expect(second.stderr).toMatch(/host key/i);
  });

  it('allows only the channels of the grant', async () => {
    // The grant `first` of the test before has exec alone; another device would do as well.
    await site.gateway.apply({
      devices: [{ name: 'narrow1', host: '127.0.0.1', port: site.device.port, hostKey: site.device.hostKey }],
      credentials: [
        {
          name: 'narrow1-login',
          device: 'narrow1',
          username: account(),
          privateKey: site.device.key.privateKey,
        },
      ],
      grants: [{ name: 'narrow', users: ['alice'], devices: ['narrow1'], channels: ['exec'] }],
    });
    const narrow = site.alice.as('alice@narrow1');
    expect(await narrow.ssh(['echo fine'])).toMatchObject({ code: 0, stdout: 'fine\n' });
    const sftp = await narrow.sftp(['pwd']);
    expect(sftp.code).not.toBe(0);
    const shell = await narrow.ssh([], { more: ['-T'], input: 'echo shell\n' });
    expect(shell.stdout).not.toContain('shell');
    const scp = await narrow.ssh(['scp -t /tmp/sp-narrow'], { input: 'C0644 1 x\n' });
    expect(scp.code).not.toBe(0);
    const forward = await run('ssh', narrow.arguments(['-W', `127.0.0.1:${site.device.port}`]));
    expect(forward.stdout).not.toContain('SSH-2.0');
  });

  it('signs in by password, and asks again after a wrong one', async () => {
    await site.gateway.apply({
      users: [{ name: 'carol', password: 'a long Passphrase 7', roles: ['engineer'] }],
      grants: [{ name: 'carol', users: ['carol'], devices: ['web1'], channels: ['shell', 'exec'] }],
    });
    const options = ['-F', 'none', '-o', 'PubkeyAuthentication=no', '-o', 'StrictHostKeyChecking=no'];
    const files = ['-o', `UserKnownHostsFile=${site.alice.knownHosts}`, '-o', 'LogLevel=ERROR'];
    using terminal = typeAt('ssh', [
      ...options,
      ...files,
      '-p',
      String(site.gateway.port),
      '-l',
      'carol@web1',
      site.gateway.host,
      'echo welcome',
    ]);
    await terminal.until(/assword[^:]*: /);
    terminal.type('wrong\r');
    await terminal.until(/assword[^:]*: /, 30_000);
    terminal.type('a long Passphrase 7\r');
    await terminal.until('welcome');
    expect(await terminal.ended()).toMatchObject({ code: 0 });
  });

  it('leaves each session in the list and its recording on disk, without the password typed into it', async () => {
    const secret = 'Tr0ub4dor-and-3';
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    terminal.type('printf \'PIN: \'; read -rs p; echo; printf got-; printf %s "$p" | wc -c\r');
    await terminal.until('PIN: ');
    terminal.type(`${secret}\r`);
    await terminal.until(`got-${secret.length}`);
    terminal.type('exit\r');
    await terminal.ended();

    const rows = await site.gateway.rows('session', 'list', '--user', 'alice');
    expect(rows.length).toBeGreaterThan(0);
    const recordings = await site.gateway.recordings();
    expect(recordings.filter(({ shown }) => shown.includes(`got-${secret.length}`))).toHaveLength(1);
    expect(recordings.map(({ text }) => text).join('')).not.toContain(secret);
    // Without the secret in any of the gateway's files either: database, log, recordings.
    const found = execFileSync('sh', [
      '-c',
      `grep -rlF -- "$1" "$2" || true`,
      'sh',
      secret,
      site.gateway.folder,
    ]);
    expect(found.toString()).toBe('');
    const keys = execFileSync('sh', [
      '-c',
      `grep -rlF -- "$1" "$2/data" "$2/log" || true`,
      'sh',
      site.device.key.privateKey.split('\n')[2] ?? 'nothing',
      site.gateway.folder,
    ]);
    expect(keys.toString()).toBe('');
  });
});
