// sftp through its gate, with real clients against a real sshd: what a rule forbids leaves nothing behind, what it does
// not forbid arrives byte for byte, and the log says what was moved and what it was.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { have, haveSshd, works } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { Scratch } from '../harness/scratch.ts';
import { type FileStation, openFileStation } from './audited-station.ts';

const sum = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

describe.skipIf(!haveSshd)('sftp through its gate', () => {
  let scratch: Scratch;
  let files: FileStation;

  beforeAll(async () => {
    scratch = new Scratch();
    files = await openFileStation(scratch, 3_000_011);
  });
  afterAll(() => scratch?.[Symbol.asyncDispose]());
  beforeEach(() => {
    files.audit.clear();
    files.audit.fails = false;
    files.audit.approve = undefined;
    files.audit.rules('  []');
  });

  const canary = (name: string, text = 'canary'): string => {
    writeFileSync(`${files.home}/${name}`, text);
    return files.own(`${files.home}/${name}`);
  };

  const block = (path: string, more = ''): void =>
    files.audit.rules(`  - {name: no, path: "${path}", action: block, message: not here${more}}`);

  it('moves a big file both ways and logs size and hash', async () => {
    const back = scratch.path('back.bin');
    const result = await files.alice.sftp([`put ${files.local} big.bin`, `get big.bin ${back}`]);
    expect(result).toMatchObject({ code: 0 });
    expect(sum(readFileSync(back))).toBe(sum(files.data));
    const put = await files.audit.until((row) => row.word === 'put' && row.detail !== '', 'the upload');
    expect(put).toMatchObject({
      channelKind: 'sftp',
      command: `put ${files.home}/big.bin`,
      outcome: 'ran',
      decision: 'none',
      detail: `wrote ${files.data.length} bytes sha256:${sum(files.data)}`,
    });
    const got = await files.audit.until((row) => row.word === 'get' && row.detail !== '', 'the download');
    expect(got.detail).toBe(`read ${files.data.length} bytes sha256:${sum(files.data)}`);
  });

  it('a forbidden upload leaves no file, and says by which rule', async () => {
    block('~/secret/**');
    files.folder('secret');
    const result = await files.alice.sftp([`put ${files.local} secret/x`]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('rule test/no');
    expect(result.stderr).toContain('not here');
    expect(existsSync(`${files.home}/secret/x`)).toBe(false);
    expect(files.audit.of('put')).toMatchObject([
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
    const before = readFileSync(`${files.home}/.bashrc`, 'utf8');
    files.folder('x');
    const result = await files.alice.sftp([`put ${files.local} ${name.replace('HOME', files.home)}`]);
    expect(result.code).not.toBe(0);
    expect(readFileSync(`${files.home}/.bashrc`, 'utf8')).toBe(before);
    expect(files.audit.of('put')).toMatchObject([{ outcome: 'blocked' }]);
  });

  it('nor by renaming another file over it, in either kind of rename', async () => {
    block('~/.bashrc');
    const before = readFileSync(`${files.home}/.bashrc`, 'utf8');
    for (const command of ['rename', 'rename -l']) {
      canary('evil');
      const result = await files.alice.sftp([`${command} evil .bashrc`]);
      expect(result.code).not.toBe(0);
      expect(readFileSync(`${files.home}/.bashrc`, 'utf8')).toBe(before);
      expect(existsSync(`${files.home}/evil`)).toBe(true);
    }
    expect(files.audit.of('rename').map(({ outcome }) => outcome)).toEqual(['blocked', 'blocked']);
  });

  it('nor through a symbolic link, to the file or to its folder, made before', async () => {
    block('~/.bashrc', ', access: write');
    const before = readFileSync(`${files.home}/.bashrc`, 'utf8');
    symlinkSync(`${files.home}/.bashrc`, `${files.home}/harmless`);
    symlinkSync(files.home, `${files.home}/folder`);
    for (const name of ['harmless', 'folder/.bashrc', 'folder/folder/.bashrc']) {
      const result = await files.alice.sftp([`put ${files.local} ${name}`]);
      expect(result.code, name).not.toBe(0);
    }
    expect(readFileSync(`${files.home}/.bashrc`, 'utf8')).toBe(before);
  });

  it('nor by a link made over sftp', async () => {
    block('~/.bashrc', ', access: write');
    files.folder('x');
    const result = await files.alice.sftp([
      `-ln -s ../.bashrc ${files.home}/x/link1`,
      `-ln -s ${files.home}/.bashrc x/link2`,
    ]);
    expect(result).toMatchObject({ code: 0 });
    expect(files.audit.of('symlink').map(({ outcome }) => outcome)).toEqual(['blocked', 'blocked']);
    expect(existsSync(`${files.home}/x/link1`) || existsSync(`${files.home}/x/link2`)).toBe(false);
    const hard = await files.alice.sftp(['ln .bashrc hard']);
    expect(hard.code).not.toBe(0);
    expect(existsSync(`${files.home}/hard`)).toBe(false);
  });

  it('a forbidden removal keeps the file, and what follows goes on under the right numbers', async () => {
    const keep = canary('keep.txt');
    const free = canary('free.txt');
    block('**/keep.txt', ', access: delete');
    const result = await files.alice.sftp([
      '-rm keep.txt',
      'rm free.txt',
      'mkdir made',
      'rmdir made',
      'ls -l',
    ]);
    expect(result).toMatchObject({ code: 0 });
    expect(existsSync(keep)).toBe(true);
    expect(existsSync(free)).toBe(false);
    expect(files.audit.of('remove').map(({ outcome }) => outcome)).toEqual(['blocked', 'ran']);
    expect(files.audit.of('mkdir')).toMatchObject([{ command: `mkdir ${files.home}/made` }]);
  });

  it('an interrupt ends the session', async () => {
    canary('keep.txt');
    files.audit.rules('  - {name: stop, path: "**/keep.txt", access: delete, action: interrupt}');
    const result = await files.alice.sftp(['-rm keep.txt', `put ${files.local} after`]);
    expect(result.code).not.toBe(0);
    expect(existsSync(`${files.home}/keep.txt`)).toBe(true);
    expect(existsSync(`${files.home}/after`)).toBe(false);
    expect(files.audit.of('remove')).toMatchObject([{ outcome: 'interrupted' }]);
  });

  it('an approval by a second person lets it through, a refusal does not', async () => {
    files.audit.rules('  - {name: ask, path: "**/asked-*", access: write, action: approve}');
    files.audit.approve = async ({ command }) =>
      command.includes('asked-yes') ? { kind: 'approved', by: 'carol' } : { kind: 'denied', by: 'carol' };
    const result = await files.alice.sftp([`-put ${files.local} asked-no`, `put ${files.local} asked-yes`]);
    expect(result).toMatchObject({ code: 0 });
    expect(result.stderr).toContain('waits for a second person');
    expect(existsSync(`${files.home}/asked-no`)).toBe(false);
    expect(readFileSync(`${files.home}/asked-yes`).equals(files.data)).toBe(true);
    const yes = await files.audit.until(
      (row) => row.command.includes('asked-yes') && row.detail.includes('wrote'),
      'it',
    );
    expect(yes.detail).toContain('approved by carol');
    expect(files.audit.of('put')[0]).toMatchObject({ outcome: 'declined' });
  });

  it('a rule for log does not stop anything, and is in the log', async () => {
    files.audit.rules('  - {name: seen, path: "**/*.bin", access: read, action: log}');
    canary('x.bin');
    expect(await files.alice.sftp([`get x.bin ${scratch.path('x.bin')}`])).toMatchObject({ code: 0 });
    expect(files.audit.of('get')).toMatchObject([{ decision: 'log', rules: [{ rule: 'test/seen' }] }]);
  });

  it('what cannot be logged ends the session', async () => {
    files.audit.fails = true;
    const result = await files.alice.sftp([`put ${files.local} unlogged`, 'ls']);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('audit log cannot be written');
  });

  it('rules see a removed policy and a new one at once', async () => {
    block('**/one', ', access: write');
    const first = await files.alice.sftp([`-put ${files.local} one`]);
    expect(first.stderr).toContain('rule test/no');
    files.audit.rules('  []');
    expect(await files.alice.sftp([`put ${files.local} one`])).toMatchObject({ code: 0 });
  });

  it('many small files arrive', { timeout: 240_000 }, async () => {
    block('~/.bashrc');
    const count = Number(process.env['SALLYPORT_TEST_FILES'] ?? 2_000);
    const from = scratch.path('many');
    for (let folder = 0; folder < 10; folder += 1) {
      mkdirSync(`${from}/${folder}`, { recursive: true });
      for (let n = 0; n < count / 10; n += 1) writeFileSync(`${from}/${folder}/f${n}`, `${folder}-${n}`);
    }
    const began = performance.now();
    const put = await files.alice.sftp([`put -r ${from} many`], { timeout: 200_000 });
    expect(put).toMatchObject({ code: 0 });
    console.log(`${count} files in ${Math.round(performance.now() - began)} ms`);
    expect((await run('diff', ['-r', from, `${files.home}/many`])).code).toBe(0);
    expect(files.audit.of('put').length).toBe(count);
  });

  it.skipIf(!have('lftp'))('lftp is stopped and served alike', async () => {
    block('**/forbidden/**');
    files.folder('forbidden');
    const shell = files.alice.wrapper(scratch.path('lftp-ssh'));
    const script = (file: string) =>
      `set sftp:connect-program "${shell} -a -x"; set net:max-retries 1; set net:timeout 10; open sftp://${encodeURIComponent(files.alice.login)}:x@127.0.0.1; put ${files.local} -o ${file}; bye`;
    const bad = await run('lftp', ['-c', script('forbidden/x')]);
    expect(bad.code).not.toBe(0);
    expect(existsSync(`${files.home}/forbidden/x`)).toBe(false);
    const good = await run('lftp', ['-c', script('lftp.bin')]);
    expect(good).toMatchObject({ code: 0 });
    expect(readFileSync(`${files.home}/lftp.bin`).equals(files.data)).toBe(true);
  });

  it.skipIf(!works('/usr/bin/python3', '-c', 'import paramiko'))(
    'Paramiko gets the message of the rule',
    async () => {
      block('**/forbidden/**');
      files.folder('forbidden');
      const script = `
import paramiko, sys
t = paramiko.Transport(('127.0.0.1', ${files.station.port}))
t.connect(username='${files.alice.login}', pkey=paramiko.Ed25519Key.from_private_key_file('${files.key.file}'))
s = paramiko.SFTPClient.from_transport(t)
try:
    s.put('${files.local}', 'forbidden/p')
    print('put')
except PermissionError as e:
    print('denied', e)
except IOError as e:
    print('denied', e)
s.put('${files.local}', 'paramiko.bin')
s.get('paramiko.bin', '${scratch.path('paramiko.back')}')
s.posix_rename('paramiko.bin', 'paramiko2.bin')
print(s.stat('paramiko2.bin').st_size)
t.close()
`;
      const result = await run('/usr/bin/python3', ['-c', script]);
      expect(result.stderr).toBe('');
      expect(result.stdout).toContain('denied');
      expect(result.stdout).toContain(String(files.data.length));
      expect(readFileSync(scratch.path('paramiko.back')).equals(files.data)).toBe(true);
      expect(existsSync(`${files.home}/forbidden/p`)).toBe(false);
    },
  );
});
