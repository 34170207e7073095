// Devices that attack the gateway, its other users, or the person in front of the terminal. Whatever one of them does
// may end its own session and nothing else; text of its choosing reaches nobody raw but as the session's output.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HostKey, parseHostKey } from '../../proxy/transport/host-keys.ts';
import {
  encodeChannelData,
  encodeChannelOpen,
  encodeChannelOpenConfirmation,
  encodeChannelOpenFailure,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeChannelWindowAdjust,
  encodeDirectTcpip,
  encodeExec,
  encodeExitSignal,
  encodeForwardedTcpip,
  encodeGlobalRequest,
  encodeServiceAccept,
  encodeTcpipForward,
  encodeUserauthBanner,
  encodeUserauthFailure,
  encodeUserauthSuccess,
  encodeX11Open,
  MESSAGE,
  parseExitSignal,
} from '../../proxy/transport/messages.ts';
import { acceptTransport, type Transport } from '../../proxy/transport/transport.ts';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import { makeKey } from '../login/key-workshop.ts';
import { Attacker } from './attacker.ts';

const EMPTY = Buffer.alloc(0);
const ESCAPES = '\u001b]0;pwned\u0007\u001b[2J\u009b31mred\u202e';
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;
const ORIGIN = { originatorAddress: '127.0.0.1', originatorPort: 1 };
const exec = (command: string): [string, Buffer] => ['exec', encodeExec(Buffer.from(command))];

/** What the device says to each message above sign-in. */
type Script = (payload: Buffer, say: (payload: Buffer) => void, transport: Transport) => void;

/** Signs anybody in and then follows its script. */
class HostileDevice {
  readonly hostKey: HostKey = parseHostKey(
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  readonly server: Server;
  /** Messages of the gateway, above sign-in. */
  heard: Buffer[] = [];
  banner = '';
  /** Takes no credential, and counts those that it was offered. */
  refuses = false;
  offered = 0;
  script: Script = () => {};
  port = 0;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.server = createServer((socket) => this.#serve(socket));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    const transport = acceptTransport(
      socket,
      { hostKeys: [this.hostKey] },
      {
        ready: () => {},
        message: (payload) => {
          switch (payload[0]) {
            case MESSAGE.SERVICE_REQUEST:
              transport.send(encodeServiceAccept('ssh-userauth'));
              return;
            case MESSAGE.USERAUTH_REQUEST:
              if (this.banner !== '') transport.send(encodeUserauthBanner(this.banner));
              if (payload.includes('publickey')) this.offered += 1;
              if (payload.includes('publickey') && !this.refuses) transport.send(encodeUserauthSuccess());
              else transport.send(encodeUserauthFailure(['publickey'], false));
              return;
            default:
              this.heard.push(Buffer.from(payload));
              this.script(payload, (answer) => transport.send(answer), transport);
          }
        },
        drain: () => {},
        closed: () => {},
      },
    );
  }

  async open(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.port = address.port;
    return this;
  }

  close(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

const confirm = (window = 2 ** 20, packet = 32_768): Buffer =>
  encodeChannelOpenConfirmation({ recipient: 0, sender: 0, initialWindow: window, maximumPacket: packet });

describe.skipIf(!haveSshd)('a hostile device', () => {
  const key = makeKey('ssh-ed25519');
  let site: Site;
  let device: HostileDevice;
  let silent: Server;
  const held: Socket[] = [];

  beforeAll(async () => {
    device = await new HostileDevice().open();
    silent = createServer((socket) => {
      held.push(socket.on('error', () => {}));
    });
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const silentPort = address !== null && typeof address === 'object' ? address.port : 0;
    const hostKey = `ssh-ed25519 ${device.hostKey.blob.toString('base64')}`;
    site = await openSite({
      gateway: { ssh: { workers: 1 }, config: { device: { connectSeconds: 5, signInSeconds: 20 } } },
      directory: (real) => ({
        users: [{ name: 'victor', keys: [key.line], roles: ['engineer'] }],
        devices: [
          { name: 'evil1', host: '127.0.0.1', port: device.port, hostKey },
          { name: 'silent1', host: '127.0.0.1', port: silentPort, hostKey },
        ],
        credentials: ['evil1', 'silent1'].map((name) => ({
          name: `${name}-login`,
          device: name,
          username: 'root',
          privateKey: real.key.privateKey,
        })),
        grants: [
          {
            name: 'evil',
            users: ['victor'],
            devices: ['evil1', 'silent1'],
            channels: ['shell', 'exec', 'forward', 'agent', 'x11'],
          },
        ],
      }),
    });
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    device?.close();
    silent?.close();
    for (const socket of held) socket.destroy();
  });
  beforeEach(() => {
    device.heard = [];
    device.banner = '';
    device.script = () => {};
  });

  const victor = async (name = 'evil1'): Promise<Attacker> => {
    const attacker = await Attacker.dial(site.gateway.port);
    expect(await attacker.sign(`victor@${name}`, key)).toBe('success');
    return attacker;
  };
  /** Another user, in the same worker, notices nothing. */
  const othersWork = async (): Promise<void> => {
    const begun = performance.now();
    expect(await site.alice.ssh(['echo fine'])).toMatchObject({ code: 0, stdout: 'fine\n' });
    expect(performance.now() - begun).toBeLessThan(8_000);
  };
  const opens = (payload: Buffer): boolean => payload[0] === MESSAGE.CHANNEL_OPEN;
  const requests = (payload: Buffer): boolean => payload[0] === MESSAGE.CHANNEL_REQUEST;

  it.each([0, 1, 63])('that allows packets of %i bytes ends its session (defect D1)', async (packet) => {
    device.script = (payload, say) => {
      if (opens(payload)) say(confirm(2 ** 20, packet));
    };
    using attacker = await victor();
    await attacker.session(exec('cat'));
    await othersWork();
  });

  it.each<[string, (say: (payload: Buffer) => void) => void]>([
    [
      'sends beyond the window',
      (say) => {
        for (let n = 0; n < 600; n += 1) say(encodeChannelData(0, Buffer.alloc(32_768)));
      },
    ],
    [
      'grants more than a window can hold',
      (say) => {
        say(encodeChannelWindowAdjust(0, 0xffff_ffff));
        say(encodeChannelWindowAdjust(0, 0xffff_ffff));
      },
    ],
    ['sends to a channel that is not there', (say) => say(encodeChannelData(9, Buffer.from('x')))],
    ['answers what nobody asked', (say) => say(encodeChannelSuccess(9))],
    ['sends a packet beyond its maximum', (say) => say(encodeChannelData(0, Buffer.alloc(34_000)))],
    ['sends half a message', (say) => say(Buffer.from([MESSAGE.CHANNEL_DATA, 0, 0]))],
  ])('that %s loses its session and nothing else', async (_, attack) => {
    device.script = (payload, say) => {
      if (opens(payload)) say(confirm());
      if (requests(payload)) {
        attack(say);
      }
    };
    using attacker = await victor();
    // A client that takes nothing: what the device sends can go nowhere.
    const end = await attacker.open('session');
    if (typeof end !== 'string') end.sendRequest(...exec('x'));
    await attacker.closed;
    await othersWork();
  });

  it('that floods requests and opens of its own reaches neither the client nor an end of memory', async () => {
    let failures = 0;
    device.script = (payload, say) => {
      if (payload[0] === MESSAGE.CHANNEL_OPEN_FAILURE) failures += 1;
      if (!opens(payload)) return;
      const openings: readonly (readonly [string, Buffer])[] = [
        ['forwarded-tcpip', encodeForwardedTcpip({ address: '127.0.0.1', port: 22, ...ORIGIN })],
        ['auth-agent@openssh.com', EMPTY],
        ['x11', encodeX11Open(ORIGIN)],
        ['session', EMPTY],
        ['direct-tcpip', encodeDirectTcpip({ host: '127.0.0.1', port: 22, ...ORIGIN })],
        ['tun@openssh.com', EMPTY],
      ];
      for (let n = 0; n < 200; n += 1) {
        for (const [sender, [type, data]] of openings.entries()) {
          say(encodeChannelOpen({ type, sender, initialWindow: 1_000, maximumPacket: 1_000, data }));
        }
        say(encodeGlobalRequest('tcpip-forward', n % 2 === 0, encodeTcpipForward({ address: '', port: 0 })));
        say(encodeGlobalRequest('hostkeys-00@openssh.com', false, Buffer.alloc(1_000)));
      }
      say(confirm());
    };
    using attacker = await victor();
    let seen = 0;
    attacker.opened = () => {
      seen += 1;
    };
    expect(await attacker.open('session')).toBeTypeOf('object');
    await eventually('each is refused', () => failures === 1_200);
    expect(seen).toBe(0);
    await othersWork();
  });

  it('reaches nobody with escape sequences in what is not output', async () => {
    device.banner = ESCAPES;
    device.script = (payload, say) => {
      if (opens(payload)) say(encodeChannelOpenFailure({ recipient: 0, reason: 2, description: ESCAPES }));
    };
    using attacker = await victor();
    const refused = await attacker.session(exec('x'));
    expect(refused.stderr).toContain('pwned');
    expect(refused.stderr).not.toMatch(CONTROL);
    attacker[Symbol.dispose]();

    let message: Buffer | undefined;
    device.script = (payload, say, transport) => {
      if (opens(payload)) say(confirm());
      if (!requests(payload)) return;
      const exit = { signal: 'TERM', coreDumped: false, message: ESCAPES, language: ESCAPES };
      say(
        encodeChannelRequest({
          recipient: 0,
          type: 'exit-signal',
          wantReply: false,
          data: encodeExitSignal(exit),
        }),
      );
      transport.disconnect(2, ESCAPES);
    };
    using second = await victor();
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = await second.open('session');
    if (typeof end === 'string') throw new Error(end);
    end.attach({
      data: () => {},
      request: (name, body, reply) => {
        if (name === 'exit-signal') message = Buffer.from(body);
        reply.settle(false);
      },
      eof: () => {},
      closed: () => resolve(),
      flushed: () => {},
    });
    end.sendRequest(...exec('x'));
    await promise;
    const told = parseExitSignal(message ?? EMPTY);
    expect(told.message).toContain('pwned');
    expect(told.message).not.toMatch(CONTROL);

    await eventually('the end is logged', () =>
      logLines(site.gateway).some((line) => line['event'] === 'ssh.device-connection-ended'),
    );
    const listed = await site.gateway.sallyport(['session', 'list']);
    for (const text of [site.gateway.log, listed.stdout]) expect(text).not.toMatch(CONTROL);
  });

  it('that never answers lets a client pile up nothing meanwhile', async () => {
    const before = site.gateway.memory();
    using attacker = await victor('silent1');
    const request = encodeGlobalRequest(
      'tcpip-forward',
      false,
      encodeTcpipForward({ address: 'x'.repeat(1_000), port: 0 }),
    );
    const large = Buffer.concat([request, Buffer.alloc(0)]);
    for (let n = 0; n < 100_000 && !attacker.gone; n += 1) {
      attacker.send(large);
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await attacker.closed;
    expect(site.gateway.memory() - before).toBeLessThan(50 * 2 ** 20);
    await othersWork();
  });

  it('that refuses the credential is not asked again and again, whatever users do', async () => {
    device.refuses = true;
    device.offered = 0;
    using attacker = await victor();
    const first = await attacker.session(exec('x'));
    expect(first.stderr).toContain('did not accept the credential');
    for (let n = 0; n < 10; n += 1) {
      const again = await attacker.session(exec('x'));
      expect(again.stderr).toContain('has just refused the credential');
    }
    expect(device.offered).toBe(1);
    device.refuses = false;
    await othersWork();
  });

  it('that is not the device of the pinned key never sees the credential', async () => {
    await site.gateway.apply({
      devices: [{ name: 'evil2', host: '127.0.0.1', port: device.port, hostKey: site.device.hostKey }],
      credentials: [
        { name: 'evil2-login', device: 'evil2', username: 'root', privateKey: site.device.key.privateKey },
      ],
      grants: [{ name: 'evil2', users: ['victor'], devices: ['evil2'], channels: ['exec'] }],
    });
    using attacker = await victor('evil2');
    const seen = device.offered;
    const result = await attacker.session(exec('x'));
    expect(result.stderr).toContain('HOST KEY OF evil2 HAS CHANGED');
    expect(device.heard).toEqual([]);
    expect(device.offered).toBe(seen);
  });
});
