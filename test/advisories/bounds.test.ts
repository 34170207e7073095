// What one client can cost the gateway and everybody else: memory, time, sockets. Limits are measured on the running
// processes, with a bystander at work beside each attack.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeChannelData,
  encodeChannelOpen,
  encodeChannelRequest,
  encodeChannelWindowAdjust,
  encodeExec,
  encodeGlobalRequest,
  encodePtyRequest,
  encodeSignal,
  MESSAGE,
  parseChannelOpenConfirmation,
  parseChannelWindowAdjust,
} from '../../proxy/transport/messages.ts';
import { gatewayHealth } from '../../src/gateway/control-client.ts';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import { makeKey } from '../login/key-workshop.ts';
import { Attacker, rawOpen } from './attacker.ts';

const EMPTY = Buffer.alloc(0);
const MEBIBYTE = 2 ** 20;
const exec = (command: string): [string, Buffer] => ['exec', encodeExec(Buffer.from(command))];

describe.skipIf(!haveSshd)('one client', () => {
  const key = makeKey('ssh-ed25519');
  let site: Site;
  beforeAll(async () => {
    site = await openSite({
      // Attackers answer no keep-alives, and are to stay for what they do.
      gateway: { ssh: { workers: 1, keepaliveSeconds: 600 } },
      directory: () => ({
        users: [{ name: 'mallory', keys: [key.line], roles: ['engineer'] }],
        grants: [
          { name: 'mallory', users: ['mallory'], devices: ['web1'], channels: ['shell', 'exec', 'forward'] },
        ],
      }),
    });
    // What a process needs once is not what an attack costs.
    await site.alice.ssh(['head -c 20000000 /dev/zero | cat > /dev/null; echo warm']);
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  const mallory = async (name = 'mallory@web1'): Promise<Attacker> => {
    const attacker = await Attacker.dial(site.gateway.port);
    expect(await attacker.sign(name, key)).toBe('success');
    return attacker;
  };
  const othersWork = async (): Promise<void> => {
    expect(await site.alice.ssh(['echo fine'])).toMatchObject({ code: 0, stdout: 'fine\n' });
  };

  it.each([
    ['a packet length of 4 GB', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['a packet length of 0', Buffer.from([0, 0, 0, 0])],
    ['a packet that is all padding', Buffer.from([0, 0, 0, 12, 255, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['a megabyte without an end of line', Buffer.alloc(MEBIBYTE, 0x41)],
  ])('that sends %s is gone at once', async (_, bytes) => {
    const before = site.gateway.memory();
    const socket: Socket = connect(site.gateway.port, '127.0.0.1').on('error', () => {});
    await once(socket, 'connect');
    if (bytes.length < MEBIBYTE) socket.write('SSH-2.0-x\r\n');
    socket.write(bytes);
    socket.resume();
    if (!socket.destroyed) await once(socket, 'close');
    expect(site.gateway.memory() - before).toBeLessThan(20 * MEBIBYTE);
  });

  it.each<[string, (attacker: Attacker) => void]>([
    [
      'sends data behind an open that is not answered yet',
      (attacker) => {
        attacker.send(rawOpen('session', EMPTY));
        for (let n = 0; n < 200; n += 1) attacker.send(encodeChannelData(0, Buffer.alloc(32_000)));
      },
    ],
    [
      'grows a window beyond what a number can hold',
      (attacker) => {
        attacker.send(rawOpen('session', EMPTY, 0xffff_ffff));
        void attacker.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION).then(() => {
          attacker.send(encodeChannelWindowAdjust(0, 1));
        });
      },
    ],
    [
      'opens channels that allow packets of no bytes (defect D1)',
      (attacker) => attacker.send(rawOpen('session', EMPTY, 2 ** 20, 0)),
    ],
    [
      'opens a channel whose data is cut short',
      (attacker) => attacker.send(rawOpen('direct-tcpip', Buffer.from([0, 0, 0, 200]))),
    ],
  ])('that %s loses its connection', async (_, attack) => {
    const before = site.gateway.memory();
    using attacker = await mallory();
    attack(attacker);
    await attacker.closed;
    expect(site.gateway.memory() - before).toBeLessThan(50 * MEBIBYTE);
    await othersWork();
  });

  it('gets no more channels than the limit, each answered', async () => {
    using attacker = await mallory();
    for (let sender = 0; sender < 200; sender += 1) {
      attacker.send(
        encodeChannelOpen({ type: 'session', sender, initialWindow: 1, maximumPacket: 1_000, data: EMPTY }),
      );
    }
    let opened = 0;
    for (let n = 0; n < 200; n += 1) {
      const answer = await attacker.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION, MESSAGE.CHANNEL_OPEN_FAILURE);
      if (answer?.[0] === MESSAGE.CHANNEL_OPEN_CONFIRMATION) opened += 1;
    }
    expect(opened).toBeGreaterThan(0);
    expect(opened).toBeLessThanOrEqual(64);
  });

  /** Starts commands in channels of their own whose windows are as wide as can be; the gateway's numbers for them. */
  const commands = async (attacker: Attacker, count: number, command: string): Promise<number[]> => {
    const numbers: number[] = [];
    for (let sender = 0; sender < count; sender += 1) {
      attacker.send(rawOpen('session', EMPTY, 0xffff_ffff, 32_768, sender));
      const confirmed = await attacker.next(MESSAGE.CHANNEL_OPEN_CONFIRMATION);
      if (confirmed === undefined) throw new Error('no channel');
      const recipient = parseChannelOpenConfirmation(confirmed).sender;
      numbers.push(recipient);
      const data = encodeExec(Buffer.from(command));
      attacker.send(encodeChannelRequest({ recipient, type: 'exec', wantReply: true, data }));
      await attacker.next(MESSAGE.CHANNEL_SUCCESS);
    }
    return numbers;
  };

  it('that stops reading stops its device and costs less than 50 MB (defect D2)', async () => {
    const before = site.gateway.memory();
    using attacker = await mallory();
    // The windows stay wide open; it is the socket that nobody reads.
    await commands(attacker, 3, 'exec cat /dev/zero');
    await attacker.next(MESSAGE.CHANNEL_DATA);
    attacker.transport.pause();
    // Until the programs on the device wait: then everything between them and us is full.
    const switches = 'for p in $(pgrep -u "$(id -u)" -x cat); do grep -h ctxt /proc/$p/status; done';
    await eventually('the device stops', async () => {
      const { stdout } = await site.direct.ssh([`${switches}; echo then; sleep 0.5; ${switches}`]);
      const [first = '', second = ''] = stdout.split('then\n');
      return first !== '' && first === second;
    });
    expect(attacker.gone).toBe(false);
    expect(site.gateway.memory() - before).toBeLessThan(50 * MEBIBYTE);
    await othersWork();
  });

  it('that floods long requests cannot fill the memory while its device does not read', async () => {
    const before = site.gateway.memory();
    using attacker = await mallory();
    const data = encodeSignal('X'.repeat(30_000));
    let most = 0;
    // Where the gateway has had enough, it may end the connection at any time: that is the end of the flood.
    for (const recipient of await commands(attacker, 4, 'exec sleep 60')) {
      // More than the device's window: the rest waits in the gateway, and what follows it as well.
      let credit = 64;
      for (let sent = 0; sent < 96 && !attacker.gone; sent += 1) {
        while (credit < 1 && !attacker.gone) {
          // Fails where the connection is there and no window comes.
          const adjust = await attacker.next(MESSAGE.CHANNEL_WINDOW_ADJUST);
          if (adjust !== undefined) credit += Math.floor(parseChannelWindowAdjust(adjust).bytes / 32_768);
        }
        attacker.send(encodeChannelData(recipient, Buffer.alloc(32_768)));
        credit -= 1;
      }
      for (let n = 0; n < 1_000 && !attacker.gone; n += 1) {
        attacker.send(encodeChannelRequest({ recipient, type: 'signal', wantReply: false, data }));
        if (n % 50 !== 49) continue;
        // As fast as the gateway takes it: what waits here costs nobody but us.
        await eventually(
          'the gateway takes what was sent',
          () => attacker.gone || attacker.transport.pendingBytes < 4 * MEBIBYTE,
        );
        most = Math.max(most, site.gateway.memory());
      }
    }
    // An answer behind all of it, or the end: the gateway has seen everything.
    attacker.send(encodeGlobalRequest('question@example.com', true));
    await attacker.next(MESSAGE.REQUEST_FAILURE);
    expect(Math.max(most, site.gateway.memory()) - before).toBeLessThan(50 * MEBIBYTE);
    await othersWork();
  });

  it('with every kind of request in a shell gets an answer to each (defect D8)', async () => {
    using attacker = await mallory();
    const opened = await attacker.open('session');
    if (typeof opened === 'string') throw new Error(opened);
    const answers: string[] = [];
    const ask = (name: string, body: Buffer = EMPTY): void =>
      opened.sendRequest(name, body, (ok) => answers.push(`${name} ${ok}`));
    const size = { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 };
    ask('pty-req', encodePtyRequest({ terminal: 'xterm', ...size, modes: Buffer.from([0]) }));
    ask('shell');
    ask('winadj@putty.projects.tartarus.org');
    ask('env', Buffer.from('\0\0\0\x01A\0\0\0\x01b', 'latin1'));
    ask('break', Buffer.from([0, 0, 0, 0]));
    ask('signal', encodeSignal('WINCH'));
    ask('auth-agent-req@openssh.com');
    ask('shell');
    ask('keepalive@openssh.com');
    await eventually('all are answered', () => answers.length === 9);
    expect(answers.map((answer) => answer.split(' ')[0])).toEqual([
      'pty-req',
      'shell',
      'winadj@putty.projects.tartarus.org',
      'env',
      'break',
      'signal',
      'auth-agent-req@openssh.com',
      'shell',
      'keepalive@openssh.com',
    ]);
    expect(answers.slice(0, 4)).toEqual([
      'pty-req true',
      'shell true',
      'winadj@putty.projects.tartarus.org false',
      'env false',
    ]);
  });

  it('may ask for the service anew after a failure, as Paramiko does, up to a bound (defect D5)', async () => {
    using attacker = await Attacker.dial(site.gateway.port);
    const wrong = makeKey('ssh-ed25519');
    expect(await attacker.sign('mallory@web1', wrong)).toBe('failure');
    await attacker.askForService();
    expect(await attacker.sign('mallory@web1', key)).toBe('success');
    expect(await attacker.session(exec('echo in'))).toMatchObject({ stdout: 'in\n' });
    using tireless = await Attacker.dial(site.gateway.port);
    for (let n = 0; n < 200 && !tireless.gone; n += 1) await tireless.askForService();
    expect(tireless.gone).toBe(true);
  });

  it('that trickles bytes into 200 handshakes makes nobody wait', async () => {
    const slow: Socket[] = [];
    for (let n = 0; n < 200; n += 1) {
      const socket = connect(site.gateway.port, '127.0.0.1').on('error', () => {});
      slow.push(socket);
      socket.resume();
      socket.write('S');
    }
    let sent = 0;
    const trickle = setInterval(() => {
      for (const socket of slow) socket.write('SH-2.0-slow\r\n'[sent % 13] ?? 'x');
      sent += 1;
    }, 50);
    const begun = performance.now();
    await othersWork();
    expect(performance.now() - begun).toBeLessThan(10_000);
    clearInterval(trickle);
    for (const socket of slow) socket.destroy();
  });
});

describe.skipIf(!haveSshd)('changed handshakes and messages', () => {
  it('crash nothing, cause no error of ours, and disturb nobody', async () => {
    const key = makeKey('ssh-ed25519');
    await using site = await openSite({
      gateway: { ssh: { workers: 1 } },
      directory: () => ({
        users: [{ name: 'mallory', keys: [key.line], roles: ['engineer'] }],
        grants: [
          { name: 'm', users: ['mallory'], devices: ['web1'], channels: ['shell', 'exec', 'forward'] },
        ],
      }),
    });
    let state = 20_260_101;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const processes = site.gateway.processes();
    using terminal = site.alice.terminal();
    await terminal.until('$ ');

    // The way of a good client's first bytes, with some of them changed.
    const kexInit = Buffer.concat([
      Buffer.from('000001ac0914', 'hex'),
      Buffer.alloc(16, 9),
      Buffer.from('\0\0\0\x11curve25519-sha256\0\0\0\x0bssh-ed25519'.repeat(4), 'latin1'),
    ]);
    const start = Buffer.concat([Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'), kexInit, Buffer.alloc(300, 3)]);
    for (let n = 0; n < 400; n += 1) {
      const bytes = Buffer.from(start.subarray(0, 1 + random(start.length)));
      for (let change = random(8); change >= 0; change -= 1) bytes[random(bytes.length)] = random(256);
      const socket = connect(site.gateway.port, '127.0.0.1').on('error', () => {});
      socket.resume();
      socket.end(bytes);
      if (n % 20 === 19) await once(socket, 'close');
    }

    const openSession = rawOpen('session', EMPTY);
    const request = Buffer.concat([
      Buffer.from([MESSAGE.CHANNEL_REQUEST, 0, 0, 0, 0]),
      Buffer.from('\0\0\0\x04exec\x01\0\0\0\x04true', 'latin1'),
    ]);
    const bodies = [
      openSession,
      request,
      encodeChannelData(0, Buffer.from('x')),
      encodeChannelWindowAdjust(0, 9),
    ];
    let ended = 0;
    for (let connection = 0; connection < 60; connection += 1) {
      using attacker = await Attacker.dial(site.gateway.port);
      expect(await attacker.sign('mallory@web1', key)).toBe('success');
      attacker.send(openSession);
      for (let n = 0; n < 60 && !attacker.gone; n += 1) {
        const body = Buffer.from(bodies[random(bodies.length)] ?? openSession);
        for (let change = random(3); change >= 0; change -= 1) body[random(body.length)] = random(256);
        if (random(4) === 0) body[0] = 80 + random(48);
        attacker.send(body);
        if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      // An answer, or the end: the gateway has seen them.
      attacker.send(encodeGlobalRequest('question@example.com', true));
      await attacker.next(MESSAGE.REQUEST_FAILURE);
      if (attacker.gone) ended += 1;
    }
    expect(ended).toBeGreaterThan(5);

    terminal.type('echo n-$((41+1))\r');
    await terminal.until('n-42');
    expect(site.gateway.processes()).toEqual(processes);
    const lines = logLines(site.gateway);
    expect(lines.filter((line) => line['level'] === 'error' || line['level'] === 'fatal')).toEqual([]);
    expect(site.gateway.log).not.toContain('SP_TRANSPORT_INTERNAL');
  });
});

describe.skipIf(!haveSshd)('a client', () => {
  it('that falls silent is gone after its keep-alives, and its session with it (defect D13)', async () => {
    await using site = await openSite({ gateway: { ssh: { workers: 1, keepaliveSeconds: 1 } } });
    const health = () => gatewayHealth({ data: join(site.gateway.folder, 'data') });
    const client = site.scratch.start('ssh', site.alice.arguments(['-tt']), {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    client.stdout?.resume();
    await eventually('it is there', async () => (await health()).sessions === 1);
    client.kill('SIGSTOP');
    // A second a keep-alive here: a stopped client that nobody looks for would stay for as long as TCP holds it.
    await eventually(
      'it is gone',
      async () => {
        const now = await health();
        return now.sessions === 0 && now.connections === 0;
      },
      60_000,
    );
    client.kill('SIGKILL');
  });
});
