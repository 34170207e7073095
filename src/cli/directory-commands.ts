// `user`, `device`, `credential` and `grant`: looking at the directory and changing it one thing at a time. Adding goes
// the same way as `apply`, so both refuse the same things. Secrets are read from files or standard input, never shown.
import type { Command } from 'commander';
import { showChange } from '../directory/apply.ts';
import type { CredentialView } from '../directory/credentials.ts';
import { findCredential, listCredentials, removeCredential } from '../directory/credentials.ts';
import {
  type DeviceView,
  findDevice,
  forgetHostKeys,
  listDevices,
  removeDevice,
} from '../directory/devices.ts';
import type { Section } from '../directory/document.ts';
import { DirectoryError } from '../directory/errors.ts';
import { findGrant, type GrantView, listGrants, removeGrant } from '../directory/grants.ts';
import { shown } from '../directory/shown-text.ts';
import {
  combinationsOf,
  findUserView,
  listUsers,
  removeUser,
  setUserDisabled,
  type UserView,
} from '../directory/users.ts';
import {
  applyFiles,
  type ConfigOption,
  change,
  readInput,
  readSecretLine,
  withStore,
  withVault,
} from './context.ts';
import { registerCredentialWork } from './credential-view.ts';
import { CliError, EXIT } from './exit.ts';
import { instant, printList, printOne, type Row } from './output.ts';
import { endSessionsEverywhere } from './session-orders.ts';
import { wholeNumber } from './since.ts';

interface ListOptions extends ConfigOption {
  readonly json?: boolean;
}

const CONFIG = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;
const JSON_OPTION = ['--json', 'one JSON object a line'] as const;

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

const userRow = (user: UserView): Row => ({
  name: user.name,
  state: user.disabledReason === undefined ? 'enabled' : 'disabled',
  roles: user.roles,
  groups: user.groups,
  department: user.department,
  priority: user.priority,
  password: user.password,
  totp: user.totp,
  keys: user.keys,
  authentication: combinationsOf(user).map((methods) => methods.join('+')),
  disabledReason: user.disabledReason,
  id: user.id,
  createdAt: instant(user.createdAt),
  updatedAt: instant(user.updatedAt),
});

const deviceRow = (device: DeviceView): Row => ({
  name: device.name,
  host: device.host,
  port: device.port,
  tags: device.tags,
  os: device.os,
  shellIntegration: device.shellIntegration,
  sideChannel: device.sideChannel,
  hostKeys: device.hostKeys.map((key) => key.key),
  hostKeyOrigin: device.hostKeys[0]?.origin,
  id: device.id,
  createdAt: instant(device.createdAt),
  updatedAt: instant(device.updatedAt),
});

const credentialRow = (credential: CredentialView): Row => ({
  name: credential.name,
  device: credential.device,
  username: credential.username,
  kind: credential.kind,
  shellIntegration: credential.shellIntegration,
  sideChannel: credential.sideChannel,
  id: credential.id,
  createdAt: instant(credential.createdAt),
  updatedAt: instant(credential.updatedAt),
});

const grantRow = (grant: GrantView): Row => ({
  name: grant.name,
  users: grant.users,
  groups: grant.groups,
  devices: grant.devices,
  tags: grant.tags,
  credentials: grant.credentials ?? ['*'],
  channels: grant.channels,
  subsystems: grant.subsystems,
  times: grant.times,
  recording: grant.recording,
  contact: grant.contact,
  viewCredentials: grant.viewCredentials === true,
  nonInteractive: grant.nonInteractive ?? 'pause',
  id: grant.id,
  createdAt: instant(grant.createdAt),
  updatedAt: instant(grant.updatedAt),
});

const missing = (kind: string, name: string): DirectoryError =>
  new DirectoryError('SP_NOT_FOUND', `there is no ${kind} ${shown(name, 64)}`);

const PLACE = /^command line:\d+:\d+: /gm;

/** Adds one thing that must be new, by the rules of `apply`. */
const add = async (
  options: ConfigOption,
  section: Section,
  entry: { readonly name: string },
): Promise<void> =>
  withVault(options, async (place) => {
    const kind = section.slice(0, -1);
    const rows = await place.store.db
      .selectFrom(section)
      .select('name')
      .where('name', '=', entry.name)
      .execute();
    if (rows.length > 0)
      throw new DirectoryError('SP_EXISTS', `there is a ${kind} ${shown(entry.name, 64)} already`);
    // JSON is YAML: the entry goes through the same reader as a file.
    const file = { name: 'command line', text: JSON.stringify({ [section]: [entry] }) };
    const changes = await applyFiles(place, [file], { dryRun: false, prune: false }).catch(
      (error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'SP_APPLY') {
          throw new CliError(EXIT.usage, error.message.replace(PLACE, ''));
        }
        throw error;
      },
    );
    for (const made of changes) process.stdout.write(`${showChange(made)[0] ?? ''}\n`);
  });

/** Leaves out what was not given: absent and undefined differ in the reader. */
const given = (entries: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));

interface UserAddOptions extends ConfigOption {
  readonly role?: readonly string[];
  readonly group?: readonly string[];
  readonly key?: readonly string[];
  readonly keyFile?: readonly string[];
  readonly passwordStdin?: boolean;
  readonly totpFile?: string;
  readonly department?: string;
  readonly priority?: string;
}

const keyLines = (options: UserAddOptions): readonly string[] => [
  ...(options.key ?? []),
  ...(options.keyFile ?? []).flatMap((file) =>
    readInput(file)
      .split(/\r?\n/)
      .filter((line) => !/^\s*(#|$)/.test(line)),
  ),
];

const registerUser = (program: Command): void => {
  const user = program.command('user').description('users: list, show, add, disable, enable, remove');
  user
    .command('list')
    .description('all users, by name')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const rows = (await listUsers(store)).map(userRow);
        const columns = ['name', 'state', 'roles', 'groups', 'department', 'priority', 'authentication'];
        printList(process.stdout, rows, columns, options.json === true);
      }),
    );
  user
    .command('show <name>')
    .description('one user')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((name: string, options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const found = await findUserView(store.db, name);
        if (found === undefined) throw missing('user', name);
        printOne(process.stdout, userRow(found), options.json === true);
      }),
    );
  user
    .command('add <name>')
    .description('a new user')
    .option(
      '--role <role>',
      'engineer, administrator or auditor; may be repeated (default: engineer)',
      collect,
    )
    .option('--group <group>', 'may be repeated', collect)
    .option('--key <line>', 'a line of authorized_keys; may be repeated', collect)
    .option('--key-file <file>', 'a file of such lines; may be repeated', collect)
    .option('--password-stdin', 'read a password from standard input')
    .option('--totp-file <file>', 'read a TOTP secret in base32 from a file')
    .option('--department <name>')
    .option('--priority <priority>', 'critical, high, medium or low (default: medium)')
    .option(...CONFIG)
    .action((name: string, options: UserAddOptions) =>
      add(options, 'users', {
        name,
        ...given({
          roles: options.role,
          groups: options.group,
          keys: keyLines(options),
          password: options.passwordStdin === true ? readSecretLine() : undefined,
          totp: options.totpFile === undefined ? undefined : readInput(options.totpFile).trim(),
          department: options.department,
          priority: options.priority,
        }),
      }),
    );
  user
    .command('disable <name>')
    .description('no more sign-ins, and the end of the sessions that are open')
    .option('--reason <text>', 'for the log', 'disabled by an administrator')
    .option(...CONFIG)
    .action(async (name: string, options: ConfigOption & { readonly reason: string }) => {
      await change(options, (trx, context) =>
        setUserDisabled(trx, context, name, options.reason.slice(0, 200)),
      );
      await withStore(options, (place) => endSessionsEverywhere(place, name, 'user-disabled'));
    });
  user
    .command('enable <name>')
    .description('may sign in again')
    .option(...CONFIG)
    .action(async (name: string, options: ConfigOption) => {
      await change(options, (trx, context) => setUserDisabled(trx, context, name, undefined));
    });
  user
    .command('remove <name>')
    .description('forget the user, and end the sessions that are open; what was done stays in the log')
    .option(...CONFIG)
    .action(async (name: string, options: ConfigOption) => {
      await change(options, (trx, context) => removeUser(trx, context, name));
      await withStore(options, (place) => endSessionsEverywhere(place, name, 'user-removed'));
    });
};

interface DeviceAddOptions extends ConfigOption {
  readonly host: string;
  readonly port?: number;
  readonly hostKeyFile?: string;
  readonly tag?: readonly string[];
  readonly os?: string;
  readonly shellIntegration?: boolean;
  readonly sideChannel?: boolean;
}

const registerDevice = (program: Command): void => {
  const device = program.command('device').description('devices: list, show, add, remove, forget-host-key');
  device
    .command('list')
    .description('all devices, by name')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const rows = (await listDevices(store)).map(deviceRow);
        printList(
          process.stdout,
          rows,
          ['name', 'host', 'port', 'tags', 'os', 'hostKeyOrigin'],
          options.json === true,
        );
      }),
    );
  device
    .command('show <name>')
    .description('one device')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((name: string, options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const found = await findDevice(store.db, name);
        if (found === undefined) throw missing('device', name);
        printOne(process.stdout, deviceRow(found), options.json === true);
      }),
    );
  device
    .command('add <name>')
    .description('a new device')
    .requiredOption('--host <address>', 'host name or address')
    .option('--port <port>', 'default: 22', wholeNumber(1, 65_535))
    .option(
      '--host-key-file <file>',
      'public keys as in ssh_host_*_key.pub; without it the first one seen is pinned',
    )
    .option('--tag <tag>', 'may be repeated', collect)
    .option('--os <name>')
    .option('--shell-integration', 'make bash, zsh and fish report their lines')
    .option('--side-channel', 'ask on a second channel what runs on a terminal')
    .option(...CONFIG)
    .action((name: string, options: DeviceAddOptions) =>
      add(options, 'devices', {
        name,
        ...given({
          host: options.host,
          port: options.port,
          hostKey:
            options.hostKeyFile === undefined
              ? undefined
              : readInput(options.hostKeyFile)
                  .split(/\r?\n/)
                  .filter((line) => !/^\s*(#|$)/.test(line)),
          tags: options.tag,
          os: options.os,
          shellIntegration: options.shellIntegration,
          sideChannel: options.sideChannel,
        }),
      }),
    );
  device
    .command('remove <name>')
    .description('forget the device and its credentials')
    .option(...CONFIG)
    .action(async (name: string, options: ConfigOption) => {
      await change(options, (trx, context) => removeDevice(trx, context, name));
    });
  device
    .command('forget-host-key <name>')
    .description('pin anew at the next connection; only when you know why the key has changed')
    .option(...CONFIG)
    .action(async (name: string, options: ConfigOption) => {
      await change(options, (trx, context) => forgetHostKeys(trx, context, name));
    });
};

interface CredentialAddOptions extends ConfigOption {
  readonly device: string;
  readonly username: string;
  readonly passwordStdin?: boolean;
  readonly privateKeyFile?: string;
  readonly shellIntegration?: boolean;
  readonly sideChannel?: boolean;
}

const registerCredential = (program: Command): void => {
  const credential = program
    .command('credential')
    .description(
      'credentials of device accounts: list, show, add, remove, view, views, change, rotate, rotations',
    );
  registerCredentialWork(credential);
  credential
    .command('list')
    .description('all credentials, by name')
    .option('--device <name>', 'those of one device')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ListOptions & { readonly device?: string }) =>
      withStore(options, async ({ store }) => {
        const rows = (await listCredentials(store))
          .filter((entry) => options.device === undefined || entry.device === options.device)
          .map(credentialRow);
        printList(
          process.stdout,
          rows,
          ['name', 'device', 'username', 'kind', 'updatedAt'],
          options.json === true,
        );
      }),
    );
  credential
    .command('show <name>')
    .description('one credential, without its secret')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((name: string, options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const found = await findCredential(store.db, name);
        if (found === undefined) throw missing('credential', name);
        printOne(process.stdout, credentialRow(found), options.json === true);
      }),
    );
  credential
    .command('add <name>')
    .description('a new credential')
    .requiredOption('--device <name>')
    .requiredOption('--username <name>', 'the account on the device')
    .option('--password-stdin', 'read the password from standard input')
    .option('--private-key-file <file>', 'read a private key from a file')
    .option('--shell-integration', 'make bash, zsh and fish report their lines')
    .option('--no-shell-integration', 'whatever the device says')
    .option('--side-channel', 'ask on a second channel what runs on a terminal')
    .option('--no-side-channel', 'whatever the device says')
    .option(...CONFIG)
    .action((name: string, options: CredentialAddOptions) =>
      add(options, 'credentials', {
        name,
        ...given({
          device: options.device,
          username: options.username,
          password: options.passwordStdin === true ? readSecretLine() : undefined,
          privateKey: options.privateKeyFile === undefined ? undefined : readInput(options.privateKeyFile),
          shellIntegration: options.shellIntegration,
          sideChannel: options.sideChannel,
        }),
      }),
    );
  credential
    .command('remove <name>')
    .description('forget the credential; grants that named it alone then grant nothing')
    .option(...CONFIG)
    .action(async (name: string, options: ConfigOption) => {
      await change(options, (trx, context) => removeCredential(trx, context, name));
    });
};

const registerGrant = (program: Command): void => {
  const grant = program.command('grant').description('grants: list, show, remove; they are made with apply');
  grant
    .command('list')
    .description('all grants, by name')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const rows = (await listGrants(store)).map(grantRow);
        const columns = [
          'name',
          'users',
          'groups',
          'devices',
          'tags',
          'credentials',
          'channels',
          'times',
          'recording',
        ];
        printList(process.stdout, rows, columns, options.json === true);
      }),
    );
  grant
    .command('show <name>')
    .description('one grant')
    .option(...JSON_OPTION)
    .option(...CONFIG)
    .action((name: string, options: ListOptions) =>
      withStore(options, async ({ store }) => {
        const found = await findGrant(store.db, name);
        if (found === undefined) throw missing('grant', name);
        printOne(process.stdout, grantRow(found), options.json === true);
      }),
    );
  grant
    .command('remove <name>')
    .description('take the grant away; the sessions that live on it end within seconds')
    .option(...CONFIG)
    .action(async (name: string, options: ConfigOption) => {
      await change(options, (trx, context) => removeGrant(trx, context, name));
    });
};

export const registerDirectory = (program: Command): void => {
  registerUser(program);
  registerDevice(program);
  registerCredential(program);
  registerGrant(program);
};
