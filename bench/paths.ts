// The ways to one device that are compared: straight, `ssh -J` through a plain sshd, ssh within ssh on that sshd, and the
// gateway. All on loopback, with the same client, account and device.
import { writeFileSync } from 'node:fs';
import { startDevice } from '../test/harness/device.ts';
import { run } from '../test/harness/run.ts';
import { openSite, type Site } from '../test/harness/site.ts';
import { SshUser } from '../test/harness/ssh.ts';

export const pathNames = ['direct', 'jump', 'nested', 'gateway'] as const;
export type PathName = (typeof pathNames)[number];

export interface Path {
  readonly name: PathName;
  /** The program and arguments that run a command on the device. `tty` asks for a terminal all the way. */
  command(remote: string, options?: { readonly cipher?: string; readonly tty?: boolean }): readonly string[];
}

export interface Paths {
  readonly site: Site;
  readonly all: readonly Path[];
}

const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

export async function openPaths(): Promise<Paths> {
  const site = await openSite({
    gateway: {
      ssh: { limits: { perSource: 10_000, unauthenticated: 10_000, unauthenticatedPerSource: 10_000 } },
    },
  });
  const jumpHost = await startDevice(site.scratch, { like: site.device });
  const { direct, alice } = site;
  const jump = new SshUser(jumpHost, jumpHost.account.name, jumpHost.key, direct.knownHosts);
  // Known beforehand, so that no first contact is measured and the inner ssh finds it.
  for (const user of [direct, alice, jump]) await user.ssh(['true']);
  const innerKey = `${site.device.account.home}/inner_key`;
  const innerHosts = `${site.device.account.home}/inner_hosts`;
  writeFileSync(innerKey, direct.key.privateKey, { mode: 0o600 });
  const { name } = site.device.account;
  await run('chown', [name, innerKey]);
  // OpenSSH 9.5 and later delay keys on purpose; that is not what is measured here.
  const obscure = await run('ssh', ['-G', '-o', 'ObscureKeystrokeTiming=no', 'x']);
  const plain = obscure.code === 0 ? ['-o', 'ObscureKeystrokeTiming=no'] : [];
  const flags = (options: { cipher?: string; tty?: boolean } = {}) => [
    ...plain,
    ...(options.cipher === undefined ? [] : ['-c', options.cipher]),
    options.tty === true ? '-tt' : '-T',
  ];
  const ssh = (user: SshUser, more: readonly string[]) => ['ssh', ...user.arguments(more)];
  const all: Path[] = [
    { name: 'direct', command: (remote, options) => [...ssh(direct, flags(options)), remote] },
    {
      name: 'jump',
      command: (remote, options) => {
        const cipher = options?.cipher === undefined ? [] : ['-c', options.cipher];
        const proxy = [
          'ssh',
          ...jump.options,
          ...cipher,
          '-p',
          String(jumpHost.port),
          '-W',
          '[%h]:%p',
          '-l',
          name,
          jumpHost.host,
        ];
        return [
          ...ssh(direct, [...flags(options), '-o', `ProxyCommand=${proxy.map(quote).join(' ')}`]),
          remote,
        ];
      },
    },
    {
      name: 'nested',
      command: (remote, options) => {
        const inner = [
          ...['ssh', '-F', 'none', '-i', innerKey, '-o', 'StrictHostKeyChecking=no', '-o', 'LogLevel=ERROR'],
          ...[
            '-o',
            `UserKnownHostsFile=${innerHosts}`,
            '-p',
            String(site.device.port),
            ...flags(options),
            '-l',
            name,
          ],
          ...[site.device.host, remote],
        ];
        return [...ssh(jump, flags(options)), inner.map(quote).join(' ')];
      },
    },
    { name: 'gateway', command: (remote, options) => [...ssh(alice, flags(options)), remote] },
  ];
  for (const path of all) {
    const [file = 'ssh', ...args] = path.command('echo up');
    const { stdout, stderr } = await run(file, args);
    if (stdout !== 'up\n') throw new Error(`${path.name} does not work: ${stderr}`);
  }
  return { site, all };
}
