// What the demo has to show: two devices with accounts of their own, four users, grants between them and a sample policy,
// with fresh random secrets each time. It writes into the data folder that the demo made, and nowhere else.
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashPassword } from '../../proxy/login/password.ts';
import type { Config } from '../config/load.ts';
import { putCredential } from '../directory/credentials.ts';
import { putDevice } from '../directory/devices.ts';
import { putGrant } from '../directory/grants.ts';
import { putUser, type Role } from '../directory/users.ts';
import { openVault } from '../directory/vault.ts';
import { openStore } from '../store/store.ts';
import { type DemoAccount, type DemoDevice, startDemoDevice } from './demo-device.ts';
import { demoPolicy } from './demo-policy.ts';

export interface DemoUser {
  readonly name: string;
  readonly password: string;
  /** Undefined: the password is enough. */
  readonly totp: Buffer | undefined;
  readonly role: Role;
}

export interface DemoSite extends AsyncDisposable {
  readonly users: Readonly<Record<'alice' | 'bob' | 'carol' | 'dave', DemoUser>>;
  readonly devices: readonly { readonly name: string; readonly accounts: readonly string[] }[];
  readonly terminals: DemoDevice['terminals'];
}

/** Easy to read out and to type: no letters that look alike. Some 62 bits. */
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const word = (length: number): string =>
  Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)] ?? 'x').join('');
const password = (): string => `${word(4)}-${word(4)}-${word(4)}`;

const makeHome = (folder: string, account: string, device: string): string => {
  const home = join(folder, 'homes', `${account}-${device}`);
  mkdirSync(join(home, 'notes'), { recursive: true, mode: 0o700 });
  // The prompt says where one is; everything else is the shell's own.
  writeFileSync(
    join(home, '.bash_profile'),
    `PS1='${account}@${device}:\\w${account === 'root' ? '#' : '$'} '\n`,
  );
  writeFileSync(
    join(home, 'notes', 'welcome.txt'),
    `This is ${device}, a device of the demo. You signed in to it as ${account}, with a password that\nonly the gateway knows. Whatever you do here is recorded.\n`,
  );
  return home;
};

interface Plan {
  readonly name: string;
  readonly accounts: readonly string[];
  readonly tags: readonly string[];
}

const PLANS: readonly Plan[] = [
  { name: 'web1', accounts: ['deploy', 'root'], tags: ['web'] },
  { name: 'db1', accounts: ['postgres'], tags: ['database'] },
];

/** Starts the devices and fills the directory of `config.data`. */
export const openDemoSite = async (config: Config): Promise<DemoSite> => {
  const users = {
    alice: { name: 'alice', password: password(), totp: undefined, role: 'engineer' },
    bob: { name: 'bob', password: password(), totp: randomBytes(20), role: 'engineer' },
    carol: { name: 'carol', password: password(), totp: undefined, role: 'auditor' },
    dave: { name: 'dave', password: password(), totp: undefined, role: 'administrator' },
  } as const satisfies Record<string, DemoUser>;

  mkdirSync(config.policies, { recursive: true, mode: 0o700 });
  writeFileSync(join(config.policies, demoPolicy.file), demoPolicy.text, { mode: 0o600 });

  await using started = new AsyncDisposableStack();
  const devices: { plan: Plan; device: DemoDevice; accounts: readonly DemoAccount[] }[] = [];
  for (const plan of PLANS) {
    const accounts = plan.accounts.map((username) => ({
      username,
      password: randomBytes(24).toString('base64url'),
      home: makeHome(config.data, username, plan.name),
    }));
    const device = started.use(await startDemoDevice({ name: plan.name, accounts }));
    devices.push({ plan, device, accounts });
  }

  const vault = await openVault(config.masterKey);
  const store = await openStore(config.store.url);
  try {
    const hashes = new Map<string, string>();
    for (const user of Object.values(users)) hashes.set(user.name, await hashPassword(user.password));
    await store.transaction(async (trx) => {
      const context = { actor: 'demo', now: Date.now(), vault };
      for (const user of Object.values(users))
        await putUser(trx, context, {
          name: user.name,
          passwordHash: hashes.get(user.name),
          keys: [],
          totpSecret: user.totp,
          roles: [user.role],
          groups: [],
          department: undefined,
          priority: 'medium',
          authentication: undefined,
        });
      for (const { plan, device, accounts } of devices) {
        await putDevice(trx, context, {
          name: plan.name,
          host: '127.0.0.1',
          port: device.port,
          hostKeys: [device.hostKey],
          tags: plan.tags,
          os: 'linux',
        });
        for (const { username, password: secret } of accounts)
          await putCredential(trx, context, {
            name: `${username}-${plan.name}`,
            device: plan.name,
            username,
            password: secret,
            privateKey: undefined,
          });
      }
      const grant = {
        groups: [],
        tags: [],
        subsystems: [],
        times: [],
        recording: 'strict',
        contact: 'carol',
      } as const;
      await putGrant(trx, context, {
        ...grant,
        name: 'alice-everywhere',
        users: ['alice'],
        devices: ['web1', 'db1'],
        credentials: undefined,
        channels: ['shell', 'exec', 'sftp', 'scp', 'forward'],
      });
      await putGrant(trx, context, {
        ...grant,
        name: 'bob-web',
        users: ['bob'],
        devices: ['web1'],
        credentials: ['deploy-web1'],
        channels: ['shell', 'exec', 'sftp', 'scp'],
      });
    });
  } finally {
    await store.close();
  }
  const owned = started.move();
  return {
    users,
    devices: PLANS.map(({ name, accounts }) => ({ name, accounts })),
    terminals: devices[0]?.device.terminals ?? 'pipes',
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
