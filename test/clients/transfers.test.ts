// Files through the gateway, both ways, byte for byte: scp in both protocols, sftp, rsync, git, sshfs, and bulk.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { have, haveSshd } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { openSite, type Site } from '../harness/site.ts';

/** Bytes of the bulk transfers; `npm run test:gigabyte` sets it to 1 GiB. */
const bulk = Number(process.env['SALLYPORT_TEST_BULK'] ?? 256 * 1024 * 1024);

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

describe.skipIf(!haveSshd)('files', () => {
  let site: Site;
  let local = '';
  let home = '';
  const data = randomBytes(5_000_011);
  beforeAll(async () => {
    site = await openSite();
    home = site.device.account.home;
    local = site.scratch.path('local file');
    writeFileSync(local, data);
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const back = () => site.scratch.path(`back-${randomBytes(4).toString('hex')}`);

  describe.each([
    ['scp', []],
    ['scp -O (the old protocol)', ['-O']],
  ])('%s', (_, flags) => {
    it('puts and gets a file with its times and mode', async () => {
      const to = back();
      const put = await site.alice.scp([...flags, '-p', local, site.alice.remote('/tmp/../tmp/sp-scp')]);
      expect(put).toMatchObject({ code: 0, stderr: '' });
      const got = await site.alice.scp([...flags, '-p', site.alice.remote('/tmp/sp-scp'), to]);
      expect(got).toMatchObject({ code: 0, stderr: '' });
      expect(readFileSync(to).equals(data)).toBe(true);
      await site.alice.ssh(['rm /tmp/sp-scp']);
    });

    it('copies a folder', async () => {
      const from = back();
      mkdirSync(`${from}/sub`, { recursive: true });
      for (let n = 0; n < 30; n += 1) writeFileSync(`${from}/sub/f${n}`, `${n}`);
      const to = back();
      await site.alice.scp([...flags, '-r', from, site.alice.remote(`${home}/tree-${flags.length}`)]);
      const got = await site.alice.scp([
        ...flags,
        '-r',
        site.alice.remote(`${home}/tree-${flags.length}`),
        to,
      ]);
      expect(got.code).toBe(0);
      const { code } = await run('diff', ['-r', from, to]);
      expect(code).toBe(0);
    });

    it('fails as it does without a gateway for a file that is not there', async () => {
      const { code, stderr } = await site.alice.scp([...flags, site.alice.remote('/no/such/file'), back()]);
      expect(code).not.toBe(0);
      expect(stderr).toContain('No such file');
    });
  });

  it('sftp does a batch', async () => {
    const to = back();
    const result = await site.alice.sftp([
      'mkdir sftp-batch',
      'cd sftp-batch',
      `put "${local}" first`,
      'rename first second',
      'chmod 640 second',
      'ls -l',
      `get second ${to}`,
      'rm second',
      'cd ..',
      'rmdir sftp-batch',
      'pwd',
    ]);
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(/-rw-r-----.*second/);
    expect(readFileSync(to).equals(data)).toBe(true);
  });

  it('sftp acts on the device, never on the gateway', async () => {
    writeFileSync(site.scratch.path('only-here'), 'x');
    const { code } = await site.alice.sftp([`get ${site.device.key.file} ${back()}`]);
    expect(code).not.toBe(0);
  });

  it.skipIf(!have('rsync'))('rsync sends and fetches a tree, and only what changed', async () => {
    const from = back();
    mkdirSync(from);
    for (let n = 0; n < 50; n += 1) writeFileSync(`${from}/f${n}`, randomBytes(20_000));
    const shell = site.alice.wrapper(site.scratch.path('rsync-ssh'));
    const target = `${site.alice.login}@${site.alice.endpoint.host}:tree-rsync/`;
    const sent = await run('rsync', ['-az', '-e', shell, `${from}/`, target]);
    expect(sent).toMatchObject({ code: 0 });
    const again = await run('rsync', ['-azi', '-e', shell, `${from}/`, target]);
    expect(again).toMatchObject({ code: 0, stdout: '' });
    const to = back();
    await run('rsync', ['-a', '-e', shell, target, to]);
    expect((await run('diff', ['-r', from, to])).code).toBe(0);
  });

  it.skipIf(!have('git'))('git pushes and clones', async () => {
    const shell = site.alice.wrapper(site.scratch.path('git-ssh'));
    const env = {
      GIT_SSH_COMMAND: shell,
      GIT_SSH_VARIANT: 'ssh',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'Alice',
      GIT_AUTHOR_EMAIL: 'alice@example.com',
      GIT_COMMITTER_NAME: 'Alice',
      GIT_COMMITTER_EMAIL: 'alice@example.com',
    };
    await site.alice.ssh(['git init -q --bare repository.git']);
    const work = back();
    mkdirSync(work);
    writeFileSync(`${work}/file`, data);
    const url = `${site.alice.login}@${site.alice.endpoint.host}:repository.git`;
    const pushed = await run(
      'sh',
      ['-ec', 'git init -q -b main; git add .; git commit -qm first; git push -q "$0" main', url],
      { cwd: work, env },
    );
    expect(pushed).toMatchObject({ code: 0 });
    const to = back();
    const cloned = await run('git', ['clone', '-q', '-b', 'main', url, to], { env });
    expect(cloned.code).toBe(0);
    expect(readFileSync(`${to}/file`).equals(data)).toBe(true);
  });

  it.skipIf(!have('sshfs', 'fusermount3') || !existsSync('/dev/fuse'))(
    'sshfs mounts the device',
    async () => {
      const mount = back();
      mkdirSync(mount);
      const shell = site.alice.wrapper(site.scratch.path('sshfs-ssh'));
      const { login, endpoint } = site.alice;
      const mounted = await run('sshfs', ['-o', `ssh_command=${shell}`, `${login}@${endpoint.host}:`, mount]);
      expect(mounted).toMatchObject({ code: 0 });
      try {
        writeFileSync(`${mount}/by-sshfs`, data);
        expect(readFileSync(`${mount}/by-sshfs`).equals(data)).toBe(true);
        expect((await site.alice.ssh(['stat -c %s by-sshfs'])).stdout).toBe(`${data.length}\n`);
      } finally {
        await run('fusermount3', ['-u', mount]);
      }
    },
  );

  describe(`${bulk >> 20} MiB`, () => {
    let big = '';
    let sum = '';
    beforeAll(async () => {
      big = site.scratch.path('big');
      await run('sh', ['-c', `head -c ${bulk} /dev/urandom >"$0"`, big], { timeout: 60_000 });
      sum = await sha256(big);
    });

    it('arrive whole by sftp, and come back whole', async () => {
      const to = back();
      const put = await site.alice.sftp([`put ${big} big`], { timeout: 110_000 });
      expect(put.code).toBe(0);
      expect((await site.alice.ssh(['sha256sum big'])).stdout.slice(0, 64)).toBe(sum);
      const got = await site.alice.sftp([`get big ${to}`, 'rm big'], { timeout: 110_000 });
      expect(got.code).toBe(0);
      expect(await sha256(to)).toBe(sum);
      await run('rm', [to]);
    }, 240_000);

    it('arrive whole through a pipe, and come back whole', async () => {
      const to = back();
      const ssh = ['ssh', ...site.alice.arguments()];
      const up = await run('sh', ['-c', '"$@" sha256sum <"$0"', big, ...ssh], { timeout: 110_000 });
      expect(up.stdout.slice(0, 64)).toBe(sum);
      const round = await run('sh', ['-c', '"$@" cat <"$0" >"$TO"', big, ...ssh], {
        timeout: 110_000,
        env: { TO: to },
      });
      expect(round.code).toBe(0);
      expect(await sha256(to)).toBe(sum);
    }, 240_000);
  });
});
