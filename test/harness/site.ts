// The site that most tests use: one device behind one gateway, alice with her key, and a grant for everything. Also a
// device that alice may not reach and one whose host key has changed, so that refusals are tested beside it.
// With SALLYPORT_TEST_DIRECT=1 alice goes straight to the device: what fails then fails for want of the test or the
// client, not of the gateway.
import { type Device, type DeviceOptions, startDevice } from './device.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import { type KeyPair, makeKey } from './keys.ts';
import { Scratch } from './scratch.ts';
import { SshUser } from './ssh.ts';

export const allChannels = ['shell', 'exec', 'sftp', 'scp', 'forward', 'agent', 'x11'] as const;

export const straight = process.env['SALLYPORT_TEST_DIRECT'] === '1';

export interface Site {
  readonly scratch: Scratch;
  readonly device: Device;
  /** Throws when the tests run without a gateway. */
  readonly gateway: Gateway;
  readonly key: KeyPair;
  /** Another key of alice's, for clients that know no Ed25519. */
  readonly rsaKey: KeyPair;
  /** alice at the device's account, through the gateway. */
  readonly alice: SshUser;
  /** The same account on the device itself, for comparison. */
  readonly direct: SshUser;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface SiteOptions {
  readonly device?: DeviceOptions;
  readonly gateway?: Partial<Omit<GatewayOptions, 'directory'>>;
  /** Adds to what is applied. */
  readonly directory?: (device: Device, key: KeyPair) => Readonly<Record<string, readonly unknown[]>>;
}

export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const scratch = new Scratch();
  try {
    const rsaKey = makeKey(scratch.path('alice_rsa_key'), 'rsa');
    const device = await startDevice(scratch, {
      ...options.device,
      ...(straight ? { keys: [rsaKey.publicKey] } : {}),
    });
    const key = makeKey(scratch.path('alice_key'));
    const other = makeKey(scratch.path('other_key'));
    const { host, port, hostKey, account } = device;
    const more = options.directory?.(device, key) ?? {};
    const base: Record<string, readonly unknown[]> = {
      users: [
        { name: 'alice', keys: [key.publicKey, rsaKey.publicKey], roles: ['engineer'] },
        { name: 'bob', keys: [other.publicKey], roles: ['engineer'] },
      ],
      devices: [
        { name: 'web1', host, port, hostKey },
        { name: 'vault1', host, port, hostKey },
        { name: 'moved1', host, port, hostKey: other.publicKey },
        { name: 'locked1', host, port, hostKey },
      ],
      credentials: [
        { name: 'web1-login', device: 'web1', username: account.name, privateKey: device.key.privateKey },
        { name: 'vault1-login', device: 'vault1', username: account.name, privateKey: device.key.privateKey },
        { name: 'moved1-login', device: 'moved1', username: account.name, privateKey: device.key.privateKey },
        { name: 'locked1-login', device: 'locked1', username: account.name, privateKey: other.privateKey },
      ],
      grants: [
        {
          name: 'web',
          users: ['alice'],
          devices: ['web1', 'moved1', 'locked1'],
          channels: [...allChannels],
          subsystems: ['upcase'],
        },
        { name: 'vault', users: ['bob'], devices: ['vault1'], channels: [...allChannels] },
      ],
    };
    const directory: Record<string, readonly unknown[]> = { ...base };
    for (const [kind, rows] of Object.entries(more)) directory[kind] = [...(base[kind] ?? []), ...rows];
    const gateway = straight ? undefined : await Gateway.start(scratch, { directory, ...options.gateway });
    const direct = new SshUser(device, account.name, device.key, scratch.path('known_hosts_direct'));
    return {
      scratch,
      device,
      get gateway() {
        if (gateway === undefined) throw new Error('this test needs the gateway');
        return gateway;
      },
      key,
      rsaKey,
      alice:
        gateway === undefined
          ? direct
          : new SshUser(gateway, `alice@${account.name}@web1`, key, scratch.path('known_hosts')),
      direct,
      [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
    };
  } catch (error) {
    await scratch[Symbol.asyncDispose]();
    throw error;
  }
}
