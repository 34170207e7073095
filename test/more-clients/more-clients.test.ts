// Clients that need more than Debian's usual packages: `npm run test:more-clients` installs them and runs this.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../harness/keys.ts';
import { have, haveSshd, works } from '../harness/need.ts';
import { run } from '../harness/run.ts';
import { openSite, type Site } from '../harness/site.ts';

const here = new URL('./programs/', import.meta.url).pathname;
const programs = new URL('../clients/programs/', import.meta.url).pathname;
const python = '/usr/bin/python3';
const venv = join(process.env['SALLYPORT_TEST_VENV'] ?? '/nonexistent', 'bin/python');

describe.skipIf(!haveSshd)('more clients', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const target = () => {
    const { endpoint, login, key } = site.alice;
    return [endpoint.host, String(endpoint.port), login, key.file];
  };
  const rsaTarget = () => [...target().slice(0, 3), site.rsaKey.file];

  it.skipIf(!have('go') || !works('test', '-d', '/usr/share/gocode/src/golang.org/x/crypto/ssh'))(
    'Go x/crypto: a command, a signal, a terminal with modes',
    async () => {
      const program = site.scratch.path('go-client');
      const env = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: site.scratch.path('go-cache') };
      const built = await run('go', ['build', '-o', program, `${here}client.go`], { env, timeout: 110_000 });
      expect(built).toMatchObject({ code: 0 });
      const result = await run(program, target());
      expect(result).toMatchObject({
        code: 0,
        stdout: 'exec in 7\nsignal true\nterminal "30 100\\r\\n1\\r\\n"\n',
      });
    },
  );

  describe.skipIf(!have('java', 'mvn'))('Java', () => {
    let classPath = '';
    beforeAll(async () => {
      const file = site.scratch.path('class-path');
      const args = [
        '-q',
        '-B',
        '-f',
        `${here}pom.xml`,
        'dependency:build-classpath',
        `-Dmdep.outputFile=${file}`,
      ];
      const result = await run('mvn', args, { timeout: 110_000 });
      expect(result.code).toBe(0);
      classPath = readFileSync(file, 'utf8').trim();
    });

    it('JSch (the maintained fork): a command and sftp', async () => {
      const result = await run('java', ['-cp', classPath, `${here}JschClient.java`, ...rsaTarget()], {
        timeout: 60_000,
      });
      expect(result).toMatchObject({ code: 0, stdout: 'exec in 7\nsftp 1000000\n' });
    });

    it('sshj: a command and sftp', async () => {
      const result = await run('java', ['-cp', classPath, `${here}SshjClient.java`, ...target()], {
        timeout: 60_000,
      });
      expect(result).toMatchObject({ code: 0, stdout: 'exec in 7\nsftp 1000000\n' });
    });
  });

  it.skipIf(!have('erlc', 'erl'))('Erlang ssh: a command', async () => {
    const folder = site.scratch.path('erlang');
    mkdirSync(folder);
    copyFileSync(site.alice.key.file, `${folder}/id_ed25519`);
    expect(await run('erlc', ['-o', folder, `${here}client.erl`])).toMatchObject({ code: 0 });
    const [host, port, login] = target();
    const words = [host, port, login, folder].map((word) => JSON.stringify(word)).join(',');
    const result = await run('erl', ['-noshell', '-pa', folder, '-eval', `client:main([${words}]).`], {
      env: { HOME: folder },
    });
    expect(result).toMatchObject({ code: 0, stdout: expect.stringMatching(/exec in 7\n$/) });
  });

  it.skipIf(!works('php', '-r', 'exit(function_exists("ssh2_connect") ? 0 : 1);'))(
    'PHP ssh2: a command and sftp',
    async () => {
      const result = await run('php', [`${here}client.php`, ...target()]);
      expect(result).toMatchObject({ code: 0, stdout: 'exec out\nsftp 100000\n' });
    },
  );

  it.skipIf(!have('rclone'))('rclone: copies a folder both ways', async () => {
    const from = site.scratch.path('rclone-from');
    mkdirSync(from);
    for (let n = 0; n < 20; n += 1) writeFileSync(`${from}/f${n}`, `${n}`.repeat(1000));
    const to = site.scratch.path('rclone-to');
    const { endpoint, login, key } = site.alice;
    const config = site.scratch.path('rclone.conf');
    writeFileSync(
      config,
      `[device]\ntype = sftp\nhost = ${endpoint.host}\nport = ${endpoint.port}\nuser = ${login}\nkey_file = ${key.file}\n`,
    );
    const up = await run('rclone', ['--config', config, 'copy', from, 'device:rclone-tree']);
    expect(up).toMatchObject({ code: 0 });
    const down = await run('rclone', ['--config', config, 'copy', 'device:rclone-tree', to]);
    expect(down).toMatchObject({ code: 0 });
    expect((await run('diff', ['-r', from, to])).code).toBe(0);
  });

  it.skipIf(!works(python, '-c', 'import netmiko'))('Netmiko: a command', async () => {
    const result = await run(python, [`${here}netmiko_client.py`, ...rsaTarget()], { timeout: 60_000 });
    expect(result).toMatchObject({ code: 0, stdout: 'netmiko 42\n' });
  });

  it.skipIf(!have(venv))('the newest AsyncSSH', async () => {
    const result = await run(venv, [`${programs}asyncssh_client.py`, ...target()], { timeout: 90_000 });
    expect(result).toMatchObject({ code: 0, stdout: 'exec\nsignal\nparallel\nterminal\nsftp\n' });
  });

  it.skipIf(!have(venv))('the newest Paramiko', async () => {
    const wrong = makeKey(site.scratch.path('wrong_key'));
    const result = await run(venv, [`${programs}paramiko_client.py`, ...target(), wrong.file], {
      timeout: 60_000,
    });
    expect(result).toMatchObject({ code: 0, stdout: 'exec\nsftp\nshell\nsecond key\n' });
  });

  it.skipIf(!have('nmap'))('nmap sees an SSH server', async () => {
    const { host, port } = site.alice.endpoint;
    const { stdout } = await run('nmap', ['-sV', '-p', String(port), host], { timeout: 60_000 });
    expect(stdout).toMatch(/open\s+ssh/);
  });

  it('npm ssh2: a command and a shell', async () => {
    const { endpoint, login, key } = site.alice;
    const client = new Client();
    await new Promise<void>((resolve, reject) => {
      client.once('ready', resolve);
      client.once('error', reject);
      client.connect({
        ...{ host: endpoint.host, port: endpoint.port },
        username: login,
        privateKey: key.privateKey,
      });
    });
    const seen = await new Promise<string>((resolve, reject) => {
      client.exec('cat; exit 7', (error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        let text = '';
        channel.on('data', (data: Buffer) => {
          text += data.toString();
        });
        channel.on('exit', (code: number) => {
          text += ` ${code}`;
        });
        channel.on('close', () => resolve(text));
        channel.end('in');
      });
    });
    expect(seen).toBe('in 7');
    client.end();
  });
});
