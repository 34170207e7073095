// A device: Debian's own sshd on a loopback port, with host keys and an account of its own. As root it gets a
// throw-away system user with a password; otherwise it serves the user who runs the tests, by key only.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type KeyPair, makeKey } from './keys.ts';
import { isRoot } from './need.ts';
import { freePort, lineOf, type Scratch } from './scratch.ts';

export interface Device {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** `type base64` of its Ed25519 host key. */
  readonly hostKey: string;
  readonly account: { readonly name: string; readonly password: string | undefined; readonly home: string };
  /** Opens the account. */
  readonly key: KeyPair;
  /** sshd's process. */
  readonly pid: number;
}

export interface DeviceOptions {
  /** Lines for sshd_config, before the defaults: sshd takes the first of a kind. */
  readonly config?: readonly string[];
  readonly shell?: string;
  /** Public keys beside its own that open the account. */
  readonly keys?: readonly string[];
  /** An account made before, for a second device that shares it. */
  readonly like?: Device;
}

/** Starts sshd; it ends, and its account goes, with the scratch. */
export async function startDevice(scratch: Scratch, options: DeviceOptions = {}): Promise<Device> {
  const folder = scratch.path(`device-${randomBytes(4).toString('hex')}`);
  mkdirSync(folder, { mode: 0o755 });
  chmodSync(scratch.folder, 0o755);
  const hostKey = makeKey(`${folder}/host_key`);
  const key = options.like?.key ?? makeKey(`${folder}/login_key`);
  const account = options.like?.account ?? makeAccount(scratch, folder, options.shell ?? '/bin/bash');
  writeFileSync(`${folder}/authorized_keys`, `${[key.publicKey, ...(options.keys ?? [])].join('\n')}\n`);
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${folder}/host_key`,
    ...(options.config ?? []),
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    `PasswordAuthentication ${account.password === undefined ? 'no' : 'yes'}`,
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'AllowAgentForwarding yes',
    'AllowTcpForwarding yes',
    'AllowStreamLocalForwarding yes',
    'GatewayPorts clientspecified',
    'X11Forwarding yes',
    'AcceptEnv LANG LC_* COLORTERM',
    'MaxStartups 10000',
    'MaxSessions 1000',
    'UseDNS no',
    'PrintMotd no',
    'PrintLastLog no',
    'LogLevel INFO',
    'Subsystem sftp /usr/lib/openssh/sftp-server',
    'Subsystem upcase /usr/bin/tr a-z A-Z',
  ];
  writeFileSync(`${folder}/sshd_config`, `${lines.join('\n')}\n`);
  if (isRoot) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = scratch.start('/usr/sbin/sshd', ['-D', '-e', '-f', `${folder}/sshd_config`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await lineOf(child, /Server listening on/, 10_000);
  if (child.pid === undefined) throw new Error('sshd has no process id');
  return { host: '127.0.0.1', port, hostKey: hostKey.publicKey, account, key, pid: child.pid };
}

function makeAccount(scratch: Scratch, folder: string, shell: string): Device['account'] {
  if (!isRoot) {
    const { username, homedir } = userInfo();
    return { name: username, password: undefined, home: homedir };
  }
  removeForgottenAccounts();
  const name = `sallyport-${randomBytes(4).toString('hex')}`;
  const password = randomBytes(12).toString('base64url');
  const home = `${folder}/home`;
  mkdirSync(home, { mode: 0o755 });
  execFileSync('useradd', ['--no-create-home', '--no-log-init', '--home-dir', home, '--shell', shell, name]);
  const remove = () => {
    try {
      execFileSync('userdel', ['--force', name], { stdio: 'ignore' });
    } catch {
      // It is gone already.
    }
  };
  scratch.atEnd(remove);
  process.once('exit', remove);
  execFileSync('chpasswd', { input: `${name}:${password}\n` });
  const uid = Number(execFileSync('id', ['-u', name]).toString());
  const gid = Number(execFileSync('id', ['-g', name]).toString());
  chownSync(home, uid, gid);
  // Prompts that a test can recognise, whatever the machine's defaults are.
  writeFileSync(`${home}/.bashrc`, "PS1='device$ '\n");
  writeFileSync(`${home}/.bash_profile`, '. ~/.bashrc\n');
  writeFileSync(`${home}/.hushlogin`, '');
  return { name, password, home };
}

/** Accounts of runs that were killed: their names are ours and their homes are gone. */
function removeForgottenAccounts(): void {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name = '', , , , , home = ''] = line.split(':');
    if (!/^sallyport-[0-9a-f]{8}$/.test(name) || existsSync(home)) continue;
    spawnSync('userdel', ['--force', name], { stdio: 'ignore' });
  }
}
