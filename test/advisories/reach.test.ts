// Ways of reaching more than what is granted: other kinds of channels, other accounts, the inside of a ProxyJump, a
// connection or a menu that outlives its grant. What counts is what the device or the target of a forward sees.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelEnd } from '../../proxy/channels/channel-end.ts';
import {
  encodeDirectStreamlocal,
  encodeDirectTcpip,
  encodeExec,
  encodeForwardedStreamlocal,
  encodeForwardedTcpip,
  encodePtyRequest,
  encodeServiceRequest,
  encodeStreamlocalForward,
  encodeSubsystem,
  encodeTcpipForward,
  encodeUserauthNone,
  encodeX11Open,
  encodeX11Request,
  MESSAGE,
} from '../../proxy/transport/messages.ts';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { type Device, startDevice } from '../harness/device.ts';
import { haveSshd, isRoot } from '../harness/need.ts';
import { allChannels, openSite, type Site } from '../harness/site.ts';
import { makeKey } from '../login/key-workshop.ts';
import { Attacker } from './attacker.ts';

const ORIGIN = { originatorAddress: '127.0.0.1', originatorPort: 1 };
const EMPTY = Buffer.alloc(0);
const exec = (command: string): [string, Buffer] => ['exec', encodeExec(Buffer.from(command))];
const shell: [string, Buffer] = ['shell', EMPTY];
const pty: [string, Buffer] = [
  'pty-req',
  encodePtyRequest({
    terminal: 'xterm',
    columns: 80,
    rows: 24,
    widthPixels: 0,
    heightPixels: 0,
    modes: Buffer.from([0]),
  }),
];

/** Everything that its connections said, and how many there were; says it back to them. */
class Listener {
  readonly server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;
  heard = '';
  port = 0;

  constructor() {
    this.server = createServer((socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('data', (data) => {
        this.heard += data.toString();
        socket.write(data);
      });
    });
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

describe.skipIf(!haveSshd)('reaching more than is granted', () => {
  const narrowKey = makeKey('ssh-ed25519');
  const limitedKey = makeKey('ssh-ed25519');
  const forcedKey = makeKey('ssh-ed25519');
  const freeKey = makeKey('ssh-ed25519');
  let site: Site;
  let inside: Listener;
  let elsewhere: Listener;
  let second: Device;

  beforeAll(async () => {
    inside = await new Listener().open();
    elsewhere = await new Listener().open();
    site = await openSite({
      gateway: { ssh: { workers: 1 } },
      directory: (device) => ({
        users: [
          { name: 'nina', keys: [narrowKey.line], roles: ['engineer'] },
          {
            name: 'kate',
            keys: [
              `no-pty,no-agent-forwarding,no-X11-forwarding,permitopen="127.0.0.1:${inside.port}",permitlisten="localhost:1" ${limitedKey.line}`,
            ],
            roles: ['engineer'],
          },
          { name: 'fred', keys: [`command="echo forced" ${forcedKey.line}`], roles: ['engineer'] },
          { name: 'grace', keys: [freeKey.line], roles: ['engineer'] },
          { name: 'heidi', keys: [freeKey.line], roles: ['engineer'] },
        ],
        credentials: [
          { name: 'web1-root', device: 'web1', username: 'root', privateKey: device.key.privateKey },
        ],
        grants: [
          {
            name: 'narrow',
            users: ['nina'],
            devices: ['web1'],
            credentials: ['web1-login'],
            channels: ['exec'],
          },
          {
            name: 'forward-as-root',
            users: ['nina'],
            devices: ['web1'],
            credentials: ['web1-root'],
            channels: ['forward'],
          },
          {
            name: 'wide',
            users: ['kate', 'fred'],
            devices: ['web1'],
            credentials: ['web1-login'],
            channels: [...allChannels],
            subsystems: ['upcase'],
          },
        ],
      }),
    });
    second = await startDevice(site.scratch, { like: site.device });
  });
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    inside?.close();
    elsewhere?.close();
  });

  const signIn = async (name: string, key = narrowKey): Promise<Attacker> => {
    const attacker = await Attacker.dial(site.gateway.port);
    expect(await attacker.sign(name, key)).toBe('success');
    return attacker;
  };
  /** The same target by the login name, and through a ProxyJump. */
  const ways = ['login name', 'jump'] as const;
  const at = async (way: (typeof ways)[number], user: string, account: string, key = narrowKey) => {
    if (way === 'login name') {
      const attacker = await signIn(`${user}@${account}@web1`, key);
      return { attacker, [Symbol.dispose]: () => attacker[Symbol.dispose]() };
    }
    const outer = await signIn(user, key);
    const attacker = await outer.jump('web1');
    attacker.send(encodeServiceRequest('ssh-userauth'));
    await attacker.next(MESSAGE.SERVICE_ACCEPT);
    attacker.send(encodeUserauthNone(account, 'ssh-connection'));
    expect(await attacker.next(MESSAGE.USERAUTH_SUCCESS)).toBeDefined();
    return { attacker, [Symbol.dispose]: () => outer[Symbol.dispose]() };
  };
  const direct = (port: number): Buffer => encodeDirectTcpip({ host: '127.0.0.1', port, ...ORIGIN });
  const account = () => site.device.account.name;

  describe.each(ways)('by %s', (way) => {
    it('a grant of commands gives commands and nothing else', async () => {
      using reached = await at(way, 'nina', account());
      const { attacker } = reached;
      expect(await attacker.session(exec('echo fine'))).toMatchObject({ stdout: 'fine\n' });
      const subsystem = (name: string): [string, Buffer] => ['subsystem', encodeSubsystem(name)];
      for (const asked of [
        shell,
        subsystem('sftp'),
        subsystem('upcase'),
        exec('scp -t /tmp'),
        subsystem('-x'),
      ]) {
        const result = await attacker.session(asked);
        expect(result.stdout, asked[0]).toBe('');
        expect(result.stderr, asked[0]).toContain('does not include');
      }
      const before = inside.connections;
      for (const [type, data] of [
        ['direct-tcpip', direct(inside.port)],
        ['direct-streamlocal@openssh.com', encodeDirectStreamlocal('/run/x.sock')],
        ['forwarded-tcpip', encodeForwardedTcpip({ address: '127.0.0.1', port: inside.port, ...ORIGIN })],
        ['forwarded-streamlocal@openssh.com', encodeForwardedStreamlocal('/run/x.sock')],
        ['auth-agent@openssh.com', EMPTY],
        ['x11', encodeX11Open(ORIGIN)],
        ['tun@openssh.com', Buffer.alloc(8)],
        ['session@openssh.com', EMPTY],
      ] as const) {
        expect(await attacker.open(type, data), type).toBeTypeOf('string');
      }
      expect(await attacker.global('tcpip-forward', encodeTcpipForward({ address: '', port: 0 }))).toBe(
        false,
      );
      expect(
        await attacker.global('streamlocal-forward@openssh.com', encodeStreamlocalForward('/tmp/x.sock')),
      ).toBe(false);
      const x11 = encodeX11Request({
        singleConnection: false,
        protocol: 'MIT-MAGIC-COOKIE-1',
        cookie: 'aa',
        screen: 0,
      });
      const { answers, stdout } = await attacker.session(
        ['auth-agent-req@openssh.com', EMPTY],
        ['x11-req', x11],
        exec('echo "[$SSH_AUTH_SOCK$DISPLAY]"'),
      );
      expect({ answers, stdout }).toEqual({ answers: [false, false, true], stdout: '[]\n' });
      expect(inside.connections).toBe(before);
    });

    it.skipIf(!isRoot)('forwards granted at one account are not there at another', async () => {
      const before = inside.connections;
      {
        using reached = await at(way, 'nina', 'root');
        expect(await reached.attacker.open('direct-tcpip', direct(inside.port))).toBeTypeOf('object');
        const result = await reached.attacker.session(exec('id'));
        expect(result).toMatchObject({ stdout: '', stderr: expect.stringContaining('does not include') });
      }
      await eventually('the forward arrives', () => inside.connections === before + 1);
      using reached = await at(way, 'nina', account());
      expect(await reached.attacker.open('direct-tcpip', direct(inside.port))).toMatch(/does not include/);
      expect(inside.connections).toBe(before + 1);
    });

    it('a key that names what it may reach reaches that alone, and no terminal, agent or display', async () => {
      using reached = await at(way, 'kate', account(), limitedKey);
      const { attacker } = reached;
      expect(await attacker.open('direct-tcpip', direct(inside.port))).toBeTypeOf('object');
      const before = elsewhere.connections;
      expect(await attacker.open('direct-tcpip', direct(elsewhere.port))).toMatch(/does not allow/);
      expect(
        await attacker.open('direct-streamlocal@openssh.com', encodeDirectStreamlocal('/run/docker.sock')),
      ).toMatch(/does not allow/);
      expect(
        await attacker.global('tcpip-forward', encodeTcpipForward({ address: 'localhost', port: 0 })),
      ).toBe(false);
      expect(
        await attacker.global('streamlocal-forward@openssh.com', encodeStreamlocalForward('/tmp/x.sock')),
      ).toBe(false);
      const x11 = encodeX11Request({
        singleConnection: false,
        protocol: 'MIT-MAGIC-COOKIE-1',
        cookie: 'aa',
        screen: 0,
      });
      const { answers, stdout } = await attacker.session(
        pty,
        ['auth-agent-req@openssh.com', EMPTY],
        ['x11-req', x11],
        exec('tty; echo "[$SSH_AUTH_SOCK$DISPLAY]"'),
      );
      expect({ answers, stdout }).toEqual({
        answers: [false, false, false, true],
        stdout: 'not a tty\n[]\n',
      });
      expect(elsewhere.connections).toBe(before);
    });

    it('a key that forces a command runs it whatever is asked for', async () => {
      using reached = await at(way, 'fred', account(), forcedKey);
      for (const asked of [
        exec('echo free'),
        shell,
        exec('scp -t /tmp'),
        ['subsystem', encodeSubsystem('sftp')] as const,
        ['subsystem', encodeSubsystem('upcase')] as const,
      ]) {
        expect(await reached.attacker.session(asked), asked[0]).toMatchObject({ stdout: 'forced\n' });
      }
    });
  });

  it('a connection without a device opens nothing on the gateway or behind it', async () => {
    using attacker = await signIn('nina');
    const before = inside.connections;
    const own = Number(site.gateway.port);
    for (const [type, data] of [
      ['direct-tcpip', direct(inside.port)],
      ['direct-tcpip', direct(own)],
      ['direct-tcpip', encodeDirectTcpip({ host: 'vault1', port: 22, ...ORIGIN })],
      ['direct-tcpip', encodeDirectTcpip({ host: 'web1\u001b[31m', port: 22, ...ORIGIN })],
      ['direct-streamlocal@openssh.com', encodeDirectStreamlocal(`${site.gateway.folder}/data/control.sock`)],
    ] as const) {
      expect(await attacker.open(type, data)).toBeTypeOf('string');
    }
    expect(await attacker.global('tcpip-forward', encodeTcpipForward({ address: '', port: 0 }))).toBe(false);
    expect(inside.connections).toBe(before);
    expect(site.gateway.log).not.toContain('\u001b');
  });

  it('a forward that was open before a hold carries nothing while it lasts', async () => {
    using reached = await at('login name', 'kate', account(), limitedKey);
    const { attacker } = reached;
    const opened = await attacker.open('direct-tcpip', direct(inside.port));
    if (typeof opened === 'string') throw new Error(opened);
    const end: ChannelEnd = opened;
    end.sendData(Buffer.from('before '), 'stdout');
    await eventually('it arrives', () => inside.heard.includes('before '));
    const [row] = await site.gateway.rows('session', 'list', '--user', 'kate', '--live');
    const id = String(row?.['id']);
    expect(await site.gateway.sallyport(['session', 'hold', id])).toMatchObject({ code: 0 });
    end.sendData(Buffer.from('meanwhile '), 'stdout');
    // An answer that comes behind the data: the gateway has it by now.
    expect(await attacker.global('question@example.com', EMPTY)).toBe(false);
    expect(inside.heard).not.toContain('meanwhile');
    expect(await site.gateway.sallyport(['session', 'release', id])).toMatchObject({ code: 0 });
    await eventually('it arrives', () => inside.heard.includes('meanwhile '));
  });

  it('keeps host keys under the device that showed them, also through a jump', async () => {
    await site.gateway.apply({
      devices: [
        { name: 'fresh1', host: '127.0.0.1', port: site.device.port },
        { name: 'fresh2', host: '127.0.0.1', port: second.port },
      ],
      credentials: ['fresh1', 'fresh2'].map((device) => ({
        name: `${device}-login`,
        device,
        username: account(),
        privateKey: site.device.key.privateKey,
      })),
      grants: [{ name: 'fresh', users: ['grace'], devices: ['fresh*'], channels: ['exec'] }],
    });
    using outer = await signIn('grace', freeKey);
    for (const device of ['fresh2', 'fresh1']) {
      const inner = await outer.jump(device);
      inner.send(encodeServiceRequest('ssh-userauth'));
      await inner.next(MESSAGE.SERVICE_ACCEPT);
      inner.send(encodeUserauthNone(account(), 'ssh-connection'));
      await inner.next(MESSAGE.USERAUTH_SUCCESS);
      expect(await inner.session(exec('echo here'))).toMatchObject({ stdout: 'here\n' });
    }
    const shown = async (name: string) => JSON.stringify(await site.gateway.rows('device', 'show', name));
    expect(await shown('fresh1')).toContain(site.device.hostKey);
    expect(await shown('fresh2')).toContain(second.hostKey);
    expect(await shown('fresh1')).not.toContain(second.hostKey);
  });

  describe('a grant that goes away', () => {
    const give = (users: string[], channels: string[] = ['shell', 'exec', 'forward']) =>
      site.gateway.apply({
        grants: [{ name: 'passing', users, devices: ['web1'], credentials: ['web1-login'], channels }],
      });
    const endOf = (user: string) =>
      eventually(`the end of ${user}'s session`, async () => {
        const rows = await site.gateway.rows('session', 'list', '--user', user);
        return rows.find((row) => row['endedAt'] !== undefined && row['endedAt'] !== null);
      });

    it('ends the sessions and the shared connections that live on it, and no others', async () => {
      await give(['heidi', 'grace']);
      using leaving = await signIn('heidi@web1', freeKey);
      using staying = await signIn('kate@web1', limitedKey);
      expect(await leaving.session(exec('echo in'))).toMatchObject({ stdout: 'in\n' });
      expect(await staying.session(exec('echo in'))).toMatchObject({ stdout: 'in\n' });
      await give(['grace']);
      await leaving.closed;
      expect(await endOf('heidi')).toMatchObject({ endReason: 'access-withdrawn' });
      expect(await staying.session(exec('echo still'))).toMatchObject({ stdout: 'still\n' });
    });

    it('ends a session that has more than is granted now', async () => {
      await give(['heidi']);
      using attacker = await signIn('heidi@web1', freeKey);
      expect(await attacker.open('direct-tcpip', direct(inside.port))).toBeTypeOf('object');
      await give(['heidi'], ['shell', 'exec']);
      await attacker.closed;
      await eventually('it says why', () =>
        logLines(site.gateway).some((line) => line['reason'] === 'access-narrowed'),
      );
    });

    it('is gone for who still looks at the menu', async () => {
      await give(['heidi']);
      using attacker = await signIn('heidi', freeKey);
      let shown = '';
      const closed = Promise.withResolvers<void>();
      const opened = await attacker.open('session');
      if (typeof opened === 'string') throw new Error(opened);
      opened.attach({
        data: (data) => {
          shown += data.toString();
        },
        request: (_name, _body, reply) => reply.settle(false),
        eof: () => {},
        closed: () => closed.resolve(),
        flushed: () => {},
      });
      opened.sendRequest(...pty);
      opened.sendRequest(...shell);
      await eventually('the menu', () => shown.includes('web1'));
      expect(await site.gateway.sallyport(['grant', 'remove', 'passing'])).toMatchObject({ code: 0 });
      opened.sendData(Buffer.from('\r'), 'stdout');
      await closed.promise;
      expect(shown).toContain('You have no access');
      expect(shown).not.toContain('device$');
    });
  });
});
