// sftp through its gate, with real clients against a real sshd: what a rule forbids leaves nothing behind, what it does
// not forbid arrives byte for byte, and the log says what was moved and what it was.
import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Station } from '../channels/station.ts';
import { type Device, startDevice } from '../harness/device.ts';
import { type KeyPair, makeKey } from '../harness/keys.ts';
import { have, haveSshd, works } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { Scratch } from '../harness/scratch.ts';
import { SshUser } from '../harness/ssh.ts';
import { MemoryAudit, openAudited } from './audited-station.ts';

const sum = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

describe.skipIf(!haveSshd)('sftp through its gate', () => {
  let scratch: Scratch;
  let device: Device;
  let key: KeyPair;
  let station: Station;
  let alice: SshUser;
  let audit: MemoryAudit;
  let home = '';
  const data = randomBytes(3_000_011);
  let local = '';

  beforeAll(async () => {
    scratch = new Scratch();
    device = await startDevice(scratch);
    home = device.account.home;
    own(`${home}/.bashrc`);
    key = makeKey(scratch.path('alice_key'));
    audit = new MemoryAudit();
    station = await openAudited(scratch, device, key, audit);
    alice = new SshUser(station, `alice@${device.account.name}@web1`, key, scratch.path('known_hosts'));
    local = scratch.path('local.bin');
    writeFileSync(local, data);
  });
  afterAll(() => scratch?.[Symbol.asyncDispose]());
  beforeEach(() => {
    audit.clear();
    audit.fails = false;
    audit.approve = undefined;
    audit.rules('  []');
  });

  /** What stands on the device belongs to the account: only the gate keeps it from being changed. */
  const own = (path: string): string => {
    const { uid, gid } = statSync(home);
    chownSync(path, uid, gid);
    return path;
  };
  const canary = (name: string, text = 'canary'): string => {
    writeFileSync(`${home}/${name}`, text);
    return own(`${home}/${name}`);
  };
  const folder = (name: string): string => {
    mkdirSync(`${home}/${name}`, { recursive: true });
    return own(`${home}/${name}`);
  };

  const block = (path: string, more = ''): void =>
    audit.rules(`  - {name: no, path: "${path}", action: block, message: not here${more}}`);

  it('moves a big file both ways and logs size and hash', async () => {
    const back = scratch.path('back.bin');
    const result = await alice.sftp([`put ${local} big.bin`, `get big.bin ${back}`]);
    expect(result).toMatchObject({ code: 0 });
    expect(sum(readFileSync(back))).toBe(sum(data));
    const put = await audit.until((row) => row.word === 'put' && row.detail !== '', 'the upload');
    expect(put).toMatchObject({
      channelKind: 'sftp',
      command: `put ${home}/big.bin`,
      outcome: 'ran',
      decision: 'none',
      detail: `wrote ${data.length} bytes sha256:${sum(data)}`,
    });
    const got = await audit.until((row) => row.word === 'get' && row.detail !== '', 'the download');
    expect(got.detail).toBe(`read ${data.length} bytes sha256:${sum(data)}`);
  });

  it('a forbidden upload leaves no file, and says by which rule', async () => {
    block('~/secret/**');
    folder('secret');
    const result = await alice.sftp([`put ${local} secret/x`]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('rule test/no');
    expect(result.stderr).toContain('not here');
    expect(existsSync(`${home}/secret/x`)).toBe(false);
    expect(audit.of('put')).toMatchObject([
      { outcome: 'blocked', decision: 'block', rules: [{ rule: 'test/no' }] },
    ]);
  });

  it.each([
    ['as it stands', '.bashrc'],
    ['by its whole path', 'HOME/.bashrc'],
    ['with dots', './x/.././/.bashrc'],
    ['with doubled slashes', '//HOME//.//.bashrc'],
  ])('a start-up file is not replaced: %s', async (_, name) => {
    block('~/.bashrc', ', access: write');
    const before = readFileSync(`${home}/.bashrc`, 'utf8');
    folder('x');
    const result = await alice.sftp([`put ${local} ${name.replace('HOME', home)}`]);
    expect(result.code).not.toBe(0);
    expect(readFileSync(`${home}/.bashrc`, 'utf8')).toBe(before);
    expect(audit.of('put')).toMatchObject([{ outcome: 'blocked' }]);
  });

  it('nor by renaming another file over it, in either kind of rename', async () => {
    block('~/.bashrc');
    const before = readFileSync(`${home}/.bashrc`, 'utf8');
    for (const command of ['rename', 'rename -l']) {
      canary('evil');
      const result = await alice.sftp([`${command} evil .bashrc`]);
      expect(result.code).not.toBe(0);
      expect(readFileSync(`${home}/.bashrc`, 'utf8')).toBe(before);
      expect(existsSync(`${home}/evil`)).toBe(true);
    }
    expect(audit.of('rename').map(({ outcome }) => outcome)).toEqual(['blocked', 'blocked']);
  });

  it('nor through a symbolic link, to the file or to its folder, made before', async () => {
    block('~/.bashrc', ', access: write');
    const before = readFileSync(`${home}/.bashrc`, 'utf8');
    symlinkSync(`${home}/.bashrc`, `${home}/harmless`);
    symlinkSync(home, `${home}/folder`);
    for (const name of ['harmless', 'folder/.bashrc', 'folder/folder/.bashrc']) {
      const result = await alice.sftp([`put ${local} ${name}`]);
      expect(result.code, name).not.toBe(0);
    }
    expect(readFileSync(`${home}/.bashrc`, 'utf8')).toBe(before);
  });

  it('nor by a link made over sftp', async () => {
    block('~/.bashrc', ', access: write');
    folder('x');
    const result = await alice.sftp([`-ln -s ../.bashrc ${home}/x/link1`, `-ln -s ${home}/.bashrc x/link2`]);
    expect(result).toMatchObject({ code: 0 });
    expect(audit.of('symlink').map(({ outcome }) => outcome)).toEqual(['blocked', 'blocked']);
    expect(existsSync(`${home}/x/link1`) || existsSync(`${home}/x/link2`)).toBe(false);
    const hard = await alice.sftp(['ln .bashrc hard']);
    expect(hard.code).not.toBe(0);
    expect(existsSync(`${home}/hard`)).toBe(false);
  });

  it('a forbidden removal keeps the file, and what follows goes on under the right numbers', async () => {
    const keep = canary('keep.txt');
    const free = canary('free.txt');
    block('**/keep.txt', ', access: delete');
    const result = await alice.sftp(['-rm keep.txt', 'rm free.txt', 'mkdir made', 'rmdir made', 'ls -l']);
    expect(result).toMatchObject({ code: 0 });
    expect(existsSync(keep)).toBe(true);
    expect(existsSync(free)).toBe(false);
    expect(audit.of('remove').map(({ outcome }) => outcome)).toEqual(['blocked', 'ran']);
    expect(audit.of('mkdir')).toMatchObject([{ command: `mkdir ${home}/made` }]);
  });

  it('an interrupt ends the session', async () => {
    canary('keep.txt');
    audit.rules('  - {name: stop, path: "**/keep.txt", access: delete, action: interrupt}');
    const result = await alice.sftp(['-rm keep.txt', `put ${local} after`]);
    expect(result.code).not.toBe(0);
    expect(existsSync(`${home}/keep.txt`)).toBe(true);
    expect(existsSync(`${home}/after`)).toBe(false);
    expect(audit.of('remove')).toMatchObject([{ outcome: 'interrupted' }]);
  });

  it('an approval by a second person lets it through, a refusal does not', async () => {
    audit.rules('  - {name: ask, path: "**/asked-*", access: write, action: approve}');
    audit.approve = async ({ command }) =>
      command.includes('asked-yes') ? { kind: 'approved', by: 'carol' } : { kind: 'denied', by: 'carol' };
    const result = await alice.sftp([`-put ${local} asked-no`, `put ${local} asked-yes`]);
    expect(result).toMatchObject({ code: 0 });
    expect(result.stderr).toContain('waits for a second person');
    expect(existsSync(`${home}/asked-no`)).toBe(false);
    expect(readFileSync(`${home}/asked-yes`).equals(data)).toBe(true);
    const yes = await audit.until(
      (row) => row.command.includes('asked-yes') && row.detail.includes('wrote'),
      'it',
    );
    expect(yes.detail).toContain('approved by carol');
    expect(audit.of('put')[0]).toMatchObject({ outcome: 'declined' });
  });

  it('a rule for log does not stop anything, and is in the log', async () => {
    audit.rules('  - {name: seen, path: "**/*.bin", access: read, action: log}');
    canary('x.bin');
    expect(await alice.sftp([`get x.bin ${scratch.path('x.bin')}`])).toMatchObject({ code: 0 });
    expect(audit.of('get')).toMatchObject([{ decision: 'log', rules: [{ rule: 'test/seen' }] }]);
  });

  it('what cannot be logged ends the session', async () => {
    audit.fails = true;
    const result = await alice.sftp([`put ${local} unlogged`, 'ls']);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('audit log cannot be written');
  });

  it('rules see a removed policy and a new one at once', async () => {
    block('**/one', ', access: write');
    const first = await alice.sftp([`-put ${local} one`]);
    expect(first.stderr).toContain('rule test/no');
    audit.rules('  []');
    expect(await alice.sftp([`put ${local} one`])).toMatchObject({ code: 0 });
  });

  it('10,000 small files arrive', { timeout: 240_000 }, async () => {
    block('~/.bashrc');
    const count = Number(process.env['SALLYPORT_TEST_FILES'] ?? 10_000);
    const from = scratch.path('many');
    for (let folder = 0; folder < 10; folder += 1) {
      mkdirSync(`${from}/${folder}`, { recursive: true });
      for (let n = 0; n < count / 10; n += 1) writeFileSync(`${from}/${folder}/f${n}`, `${folder}-${n}`);
    }
    const began = performance.now();
    const put = await alice.sftp([`put -r ${from} many`], { timeout: 200_000 });
    expect(put).toMatchObject({ code: 0 });
    console.log(`${count} files in ${Math.round(performance.now() - began)} ms`);
    expect((await run('diff', ['-r', from, `${home}/many`])).code).toBe(0);
    expect(audit.of('put').length).toBe(count);
  });

  it.skipIf(!have('lftp'))('lftp is stopped and served alike', async () => {
    block('**/forbidden/**');
    folder('forbidden');
    const shell = alice.wrapper(scratch.path('lftp-ssh'));
    const script = (file: string) =>
      `set sftp:connect-program "${shell} -a -x"; set net:max-retries 1; set net:timeout 10; open sftp://${encodeURIComponent(alice.login)}:x@127.0.0.1; put ${local} -o ${file}; bye`;
    const bad = await run('lftp', ['-c', script('forbidden/x')]);
    expect(bad.code).not.toBe(0);
    expect(existsSync(`${home}/forbidden/x`)).toBe(false);
    const good = await run('lftp', ['-c', script('lftp.bin')]);
    expect(good).toMatchObject({ code: 0 });
    expect(readFileSync(`${home}/lftp.bin`).equals(data)).toBe(true);
  });

  it.skipIf(!works('/usr/bin/python3', '-c', 'import paramiko'))(
    'Paramiko gets the message of the rule',
    async () => {
      block('**/forbidden/**');
      folder('forbidden');
      const script = `
import paramiko, sys
t = paramiko.Transport(('127.0.0.1', ${station.port}))
t.connect(username='${alice.login}', pkey=paramiko.Ed25519Key.from_private_key_file('${key.file}'))
s = paramiko.SFTPClient.from_transport(t)
try:
    s.put('${local}', 'forbidden/p')
    print('put')
except PermissionError as e:
    print('denied', e)
except IOError as e:
    print('denied', e)
s.put('${local}', 'paramiko.bin')
s.get('paramiko.bin', '${scratch.path('paramiko.back')}')
s.posix_rename('paramiko.bin', 'paramiko2.bin')
print(s.stat('paramiko2.bin').st_size)
t.close()
`;
      const result = await run('/usr/bin/python3', ['-c', script]);
      expect(result.stderr).toBe('');
      expect(result.stdout).toContain('denied');
      expect(result.stdout).toContain(String(data.length));
      expect(readFileSync(scratch.path('paramiko.back')).equals(data)).toBe(true);
      expect(existsSync(`${home}/forbidden/p`)).toBe(false);
    },
  );
});
