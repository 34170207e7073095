// Clients other than OpenSSH's, each as its users would call it. A client that isn't installed is skipped by name.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../harness/keys.ts';
import { have, haveSshd, works } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { openSite, type Site } from '../harness/site.ts';

const python = '/usr/bin/python3';
const programs = new URL('./programs/', import.meta.url).pathname;
const canImport = (module: string) => have(python) && works(python, '-c', `import ${module}`);

describe.skipIf(!haveSshd)('clients', () => {
  let site: Site;
  let file = '';
  const data = randomBytes(2_000_003);
  beforeAll(async () => {
    site = await openSite();
    file = site.scratch.path('file');
    writeFileSync(file, data);
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  /** Host, port, login and key, as most programs here take them. */
  const target = () => {
    const { endpoint, login, key } = site.alice;
    return [endpoint.host, String(endpoint.port), login, key.file];
  };

  describe.skipIf(!have('plink', 'pscp', 'psftp', 'puttygen'))('PuTTY', () => {
    let options: string[] = [];
    beforeAll(async () => {
      const { host, port } = site.alice.endpoint;
      const ppk = site.scratch.path('alice.ppk');
      const made = await run('puttygen', [site.alice.key.file, '-O', 'private', '-o', ppk]);
      expect(made.code).toBe(0);
      const scanned = await run('sh', [
        '-c',
        `ssh-keyscan -p ${port} -t ed25519 ${host} 2>/dev/null | ssh-keygen -lf -`,
      ]);
      const fingerprint = scanned.stdout.split(' ')[1] ?? '';
      options = ['-batch', '-P', String(port), '-i', ppk, '-hostkey', fingerprint, '-l', site.alice.login];
    });
    const env = () => ({ HOME: site.scratch.folder });

    it('plink runs a command with stdin, errors and exit code', async () => {
      const command = 'cat; echo err >&2; exit 7';
      const result = await run('plink', ['-ssh', ...options, site.alice.endpoint.host, command], {
        input: 'in',
        env: env(),
      });
      expect(result).toMatchObject({ code: 7, stdout: 'in', stderr: 'err\n' });
    });

    it('plink keeps a large output whole', async () => {
      const result = await run(
        'plink',
        ['-ssh', ...options, site.alice.endpoint.host, 'head -c 20000000 /dev/zero'],
        { env: env() },
      );
      expect(result.output.length).toBe(20_000_000);
    });

    it.each([[['-scp']], [['-sftp']]])('pscp %s puts and gets a file', async (protocol) => {
      const to = site.scratch.path(`pscp${protocol[0]}`);
      const { host } = site.alice.endpoint;
      const put = await run('pscp', [...protocol, ...options, file, `${host}:by-pscp`], { env: env() });
      expect(put.code).toBe(0);
      const got = await run('pscp', [...protocol, ...options, `${host}:by-pscp`, to], { env: env() });
      expect(got.code).toBe(0);
      expect(readFileSync(to).equals(data)).toBe(true);
    });

    it('psftp does a batch', async () => {
      const to = site.scratch.path('psftp');
      const batch = site.scratch.path('psftp-batch');
      writeFileSync(batch, `put ${file} by-psftp\nget by-psftp ${to}\nrm by-psftp\nquit\n`);
      const result = await run('psftp', [...options, '-b', batch, site.alice.endpoint.host], { env: env() });
      expect(result.code).toBe(0);
      expect(readFileSync(to).equals(data)).toBe(true);
    });
  });

  it.skipIf(!have('dbclient', 'dropbearconvert') && !existsSync('/usr/lib/dropbear/dropbearconvert'))(
    'dropbear: dbclient runs a command and copies by scp',
    async () => {
      const key = site.scratch.path('dropbear-key');
      const convert = existsSync('/usr/lib/dropbear/dropbearconvert')
        ? '/usr/lib/dropbear/dropbearconvert'
        : 'dropbearconvert';
      expect((await run(convert, ['openssh', 'dropbear', site.alice.key.file, key])).code).toBe(0);
      const { host, port } = site.alice.endpoint;
      const options = ['-y', '-y', '-i', key, '-p', String(port)];
      const env = { HOME: site.scratch.folder };
      const result = await run(
        'dbclient',
        [...options, '-l', site.alice.login, host, 'cat; echo err >&2; exit 7'],
        {
          input: 'in',
          env,
        },
      );
      expect(result).toMatchObject({ code: 7, stdout: 'in' });
      expect(result.stderr).toContain('err\n');
      const large = await run(
        'dbclient',
        [...options, '-l', site.alice.login, host, 'head -c 20000000 /dev/zero'],
        {
          env,
        },
      );
      expect(large.output.length).toBe(20_000_000);
    },
  );

  it.skipIf(!canImport('paramiko'))(
    'Paramiko: commands, sftp, a shell, a second key on one connection',
    async () => {
      const wrong = makeKey(site.scratch.path('wrong_key'));
      const result = await run(python, [`${programs}paramiko_client.py`, ...target(), wrong.file], {
        timeout: 60_000,
      });
      expect(result).toMatchObject({ code: 0, stdout: 'exec\nsftp\nshell\nsecond key\n' });
    },
  );

  it.skipIf(!canImport('asyncssh'))(
    'AsyncSSH: commands, signals, twenty at once, a terminal, sftp',
    async () => {
      const result = await run(python, [`${programs}asyncssh_client.py`, ...target()], { timeout: 90_000 });
      expect(result).toMatchObject({ code: 0, stdout: 'exec\nsignal\nparallel\nterminal\nsftp\n' });
    },
  );

  it.skipIf(!canImport('fabric'))('Fabric: commands, a terminal, files', async () => {
    const result = await run(python, [`${programs}fabric_client.py`, ...target()], { timeout: 60_000 });
    expect(result).toMatchObject({ code: 0, stdout: 'fabric\n' });
  });

  it.skipIf(!have('gcc') || !existsSync('/usr/include/libssh/libssh.h'))(
    'libssh: a command and sftp',
    async () => {
      const program = site.scratch.path('libssh_client');
      const built = await run('gcc', ['-o', program, `${programs}libssh_client.c`, '-lssh']);
      expect(built).toMatchObject({ code: 0 });
      const result = await run(program, target(), { env: { HOME: site.scratch.folder } });
      expect(result).toMatchObject({ code: 0, stdout: 'exec in 7\nsftp 1638400\n' });
    },
  );

  it.skipIf(!works('/usr/bin/curl', '--version') || !works('sh', '-c', '/usr/bin/curl -V | grep -q sftp'))(
    'curl (libssh2): sftp and scp, both ways',
    async () => {
      const { endpoint, login, key } = site.alice;
      for (const scheme of ['sftp', 'scp']) {
        const url = `${scheme}://${endpoint.host}:${endpoint.port}${site.device.account.home}/by-curl-${scheme}`;
        const options = ['-sS', '-k', '-u', `${login}:`, '--key', key.file, '--pubkey', `${key.file}.pub`];
        const put = await run('/usr/bin/curl', [...options, '-T', file, url]);
        expect(put).toMatchObject({ code: 0, stderr: '' });
        const got = await run('/usr/bin/curl', [...options, url]);
        expect(got.output.equals(data)).toBe(true);
      }
    },
  );

  it.skipIf(!works('perl', '-MNet::SSH2', '-e', '1'))('Perl Net::SSH2: a command and sftp', async () => {
    const result = await run('perl', [`${programs}net_ssh2.pl`, ...target()]);
    expect(result).toMatchObject({ code: 0, stdout: 'exec in 7\nsftp 100000\n' });
  });

  it.skipIf(!works('perl', '-MNet::OpenSSH', '-e', '1'))(
    'Perl Net::OpenSSH: commands on one connection',
    async () => {
      const folder = site.scratch.path('ctl');
      mkdirSync(folder, { mode: 0o700 });
      const result = await run('perl', [
        `${programs}net_openssh.pl`,
        ...target(),
        site.alice.knownHosts,
        folder,
      ]);
      expect(result).toMatchObject({ code: 0, stdout: 'exec out\ncode 7\nboth in err\n' });
    },
  );

  const conch = ['conch3', 'conch'].find((name) => have(name));
  it.skipIf(conch === undefined)('Twisted conch: a command', async () => {
    const { endpoint, login, key } = site.alice;
    const known = site.scratch.path('known_hosts_conch');
    const { stdout } = await run('ssh-keyscan', ['-p', String(endpoint.port), endpoint.host]);
    // conch looks hosts up without their port.
    writeFileSync(known, stdout.replaceAll(`[${endpoint.host}]:${endpoint.port}`, endpoint.host));
    const result = await run(
      conch ?? '',
      [
        ...['-l', login, '-p', String(endpoint.port), '-i', key.file, '--known-hosts', known],
        ...['--noagent', '-T', endpoint.host, 'echo out; exit 7'],
      ],
      // conch drops what is still to come once its stdin ends.
      { env: { HOME: site.scratch.folder }, holdInput: true },
    );
    expect(result).toMatchObject({ code: 7, stdout: 'out\n' });
  });

  describe.skipIf(!have('ansible'))('Ansible', () => {
    it.each(['ssh', 'paramiko'])(
      'pings, copies and runs commands over %s',
      async (connection) => {
        const { endpoint, login, key } = site.alice;
        const folder = site.scratch.path(`ansible-${connection}`);
        mkdirSync(folder);
        const variables = [
          `ansible_host=${endpoint.host}`,
          `ansible_port=${endpoint.port}`,
          `ansible_user='${login}'`,
          `ansible_connection=${connection}`,
          `ansible_ssh_private_key_file=${key.file}`,
          'ansible_python_interpreter=/usr/bin/python3',
        ];
        writeFileSync(`${folder}/hosts`, `device ${variables.join(' ')}\n`);
        writeFileSync(
          `${folder}/ansible.cfg`,
          [
            '[defaults]',
            'host_key_checking=False',
            `local_tmp=${folder}/tmp`,
            '[ssh_connection]',
            `control_path_dir=${folder}/cp`,
            'ssh_args=-F none -o ControlMaster=auto -o ControlPersist=2s -o UserKnownHostsFile=/dev/null -o IdentityAgent=none',
            '[paramiko_connection]',
            'look_for_keys=False',
            'record_host_keys=False',
            'host_key_auto_add=True',
          ].join('\n'),
        );
        const env = { ANSIBLE_CONFIG: `${folder}/ansible.cfg`, HOME: folder, ANSIBLE_NOCOLOR: '1' };
        const module = (...args: string[]) =>
          run('ansible', ['-i', `${folder}/hosts`, 'device', ...args], { env, timeout: 90_000 });
        const ping = await module('-m', 'ping');
        expect(ping).toMatchObject({ code: 0, stdout: expect.stringContaining('"ping": "pong"') });
        const copied = await module(
          '-m',
          'copy',
          '-a',
          `src=${file} dest=${site.device.account.home}/by-ansible`,
        );
        expect(copied.code).toBe(0);
        const command = await module('-m', 'shell', '-a', 'sha256sum ~/by-ansible | cut -c1-64; exit 0');
        const sum = (await run('sha256sum', [file])).stdout.slice(0, 64);
        expect(command.stdout).toContain(sum);
      },
      200_000,
    );
  });

  it.skipIf(!have('lftp'))('lftp: mirrors a folder by sftp', async () => {
    const from = site.scratch.path('lftp-from');
    mkdirSync(from);
    for (let n = 0; n < 20; n += 1) writeFileSync(`${from}/f${n}`, randomBytes(10_000));
    const shell = site.alice.wrapper(site.scratch.path('lftp-ssh'));
    const to = site.scratch.path('lftp-to');
    const script = [
      `set sftp:connect-program "${shell} -a -x"`,
      `open -u ${site.alice.login}, sftp://${site.alice.endpoint.host}`,
      `mirror -R ${from} lftp-tree`,
      `mirror lftp-tree ${to}`,
      'bye',
    ].join('; ');
    const result = await run('lftp', ['-e', script], { env: { HOME: site.scratch.folder }, timeout: 60_000 });
    expect(result.code).toBe(0);
    expect((await run('diff', ['-r', from, to])).code).toBe(0);
  });

  it.skipIf(!have('expect'))('expect: a conversation', async () => {
    const result = await run('expect', [`${programs}shell.exp`, 'ssh', ...site.alice.arguments(['-tt'])]);
    expect(result).toMatchObject({ code: 0, stdout: 'greeted\ncode 3\n' });
  });

  it.skipIf(!have('autossh'))('autossh: a command', async () => {
    const result = await run('autossh', ['-M', '0', ...site.alice.arguments(), 'echo out; exit 7'], {
      env: { AUTOSSH_GATETIME: '0' },
    });
    expect(result.stdout).toBe('out\n');
  });

  it.skipIf(!have('pdsh'))('pdsh: a command', async () => {
    const { alice } = site;
    const args = [...alice.options, '-p', String(alice.endpoint.port), '-l%u', '%h'].join(' ');
    const result = await run(
      'pdsh',
      ['-R', 'ssh', '-l', alice.login, '-w', alice.endpoint.host, 'echo out'],
      {
        env: { PDSH_SSH_ARGS: args },
      },
    );
    expect(result).toMatchObject({ code: 0, stdout: `${alice.endpoint.host}: out\n` });
  });

  it.skipIf(!have('parallel-ssh'))('parallel-ssh: a command', async () => {
    const { alice } = site;
    const { host, port } = alice.endpoint;
    const result = await run('parallel-ssh', [
      ...['-i', '-H', `${host}:${port}`, '-l', alice.login, '-x', alice.options.join(' ')],
      'echo out; exit 0',
    ]);
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('out\n') });
  });

  it.skipIf(!have('ncat'))('ssh through ncat as its ProxyCommand', async () => {
    const { stdout } = await site.alice.ssh(['echo out'], { more: ['-o', 'ProxyCommand=ncat %h %p'] });
    expect(stdout).toBe('out\n');
  });
});

describe.skipIf(!haveSshd)('clients that know no Curve25519, once ssh.nistCurves is set', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite({ gateway: { ssh: { nistCurves: true } } });
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  it.skipIf(!works('ruby', '-e', "require 'net/ssh'"))('Ruby net-ssh: commands', async () => {
    const { endpoint, login } = site.alice;
    const target = [endpoint.host, String(endpoint.port), login, site.rsaKey.file];
    const result = await run('ruby', [`${programs}net_ssh.rb`, ...target]);
    expect(result).toMatchObject({ code: 0, stdout: 'exec in 7\nsecond again\n' });
  });

  it('ssh with the exchange, host key and user key on NIST curves alone', async () => {
    const { alice } = site;
    const more = ['-o', 'KexAlgorithms=ecdh-sha2-nistp256', '-o', 'HostKeyAlgorithms=ecdsa-sha2-nistp256'];
    const options = [...more, '-o', `UserKnownHostsFile=${site.scratch.path('known_hosts_nist')}`];
    const { stdout, stderr } = await run('ssh', [...options, ...alice.arguments(), 'echo fine']);
    expect({ stdout, stderr }).toEqual({ stdout: 'fine\n', stderr: '' });
  });
});
