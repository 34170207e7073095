// The transport against other people's implementations: OpenSSH, dropbear and PuTTY as clients, sshd as the server,
// and ssh-audit as the scanner. The layers above are played by the few lines they need.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SUPPORTED_ALGORITHMS } from '../../proxy/transport/algorithms.ts';
import { type HostKey, loadHostKeys, parseHostKey } from '../../proxy/transport/host-keys.ts';
import * as m from '../../proxy/transport/messages.ts';
import {
  acceptTransport,
  openTransport,
  type ServerTransportOptions,
  type TransportInfo,
} from '../../proxy/transport/transport.ts';
import { freePort } from '../harness/scratch.ts';

const run = promisify(execFile);
const WINDOW = 2 ** 21;
let folder: string;
let hostKeys: readonly HostKey[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'transport-'));
  hostKeys = await loadHostKeys(path.join(folder, 'keys'));
});
afterAll(() => rm(folder, { recursive: true }));

/** An SSH server that signs everyone in and runs one command: it sends back what it gets, and exits with 7. */
async function echoServer(options: Partial<ServerTransportOptions> = {}) {
  const infos: TransportInfo[] = [];
  const errors: (m.TransportError | undefined)[] = [];
  const listener = net.createServer((socket) => {
    let peer = 0;
    const transport = acceptTransport(
      socket,
      { hostKeys, ...options },
      {
        ready: (info) => infos.push(info),
        message(payload) {
          switch (payload[0]) {
            case m.MESSAGE.SERVICE_REQUEST:
              transport.send(m.encodeServiceAccept(m.parseServiceRequest(payload).service));
              return;
            case m.MESSAGE.USERAUTH_REQUEST:
              transport.send(m.encodeUserauthSuccess());
              return;
            case m.MESSAGE.CHANNEL_OPEN:
              peer = m.parseChannelOpen(payload).sender;
              transport.send(
                m.encodeChannelOpenConfirmation({
                  recipient: peer,
                  sender: 0,
                  initialWindow: WINDOW,
                  maximumPacket: 32_768,
                }),
              );
              return;
            case m.MESSAGE.CHANNEL_REQUEST:
              if (m.parseChannelRequest(payload).wantReply) transport.send(m.encodeChannelSuccess(peer));
              return;
            case m.MESSAGE.CHANNEL_DATA: {
              const { data } = m.parseChannelData(payload);
              transport.sendChannelData(peer, data);
              transport.send(m.encodeChannelWindowAdjust(peer, data.length));
              return;
            }
            case m.MESSAGE.CHANNEL_EOF:
              transport.send(
                m.encodeChannelRequest({
                  recipient: peer,
                  type: 'exit-status',
                  wantReply: false,
                  data: m.encodeExitStatus(7),
                }),
              );
              transport.send(m.encodeChannelEof(peer));
              transport.send(m.encodeChannelClose(peer));
              return;
            default:
          }
        },
        drain() {},
        closed: (error) => errors.push(error),
      },
    );
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, infos, errors, [Symbol.dispose]: () => listener.close() };
}

/** Runs a client with this input; its output and exit code. */
async function client(
  command: string,
  args: readonly string[],
  input: Buffer | string,
): Promise<{ readonly output: Buffer; readonly errors: string; readonly code: number | null }> {
  const child = spawn(command, args, { stdio: 'pipe', timeout: 60_000 });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { output: Buffer.concat(output), errors: Buffer.concat(errors).toString(), code };
}

function ssh(port: number, ...options: readonly string[]): readonly string[] {
  return [
    ...['-F', 'none', '-T', '-p', String(port)],
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
    // The first value given counts.
    ...[...options, 'LogLevel=ERROR'].flatMap((option) => ['-o', option]),
    'alice@127.0.0.1',
    'echo',
  ];
}

describe("OpenSSH's client", () => {
  it.each(SUPPORTED_ALGORITHMS.kex.filter((name) => !name.startsWith('mlkem')))(
    'exchanges keys by %s',
    async (kex) => {
      using server = await echoServer({ algorithms: { kex: [kex] } });
      expect(await client('ssh', ssh(server.port), 'hello')).toMatchObject({
        output: Buffer.from('hello'),
        code: 7,
      });
      expect(server.infos[0]?.algorithms.kex).toBe(kex);
    },
  );

  it.each(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'])(
    'verifies an %s host key',
    async (hostKey) => {
      using server = await echoServer({ algorithms: { hostKey: [hostKey] } });
      const result = await client('ssh', ssh(server.port, `HostKeyAlgorithms=${hostKey}`), 'hello');
      expect(result).toMatchObject({ output: Buffer.from('hello'), code: 7 });
    },
  );

  it('cannot have SHA-1 signatures from an RSA host key, even when it insists', async () => {
    using server = await echoServer();
    const result = await client('ssh', ssh(server.port, 'HostKeyAlgorithms=ssh-rsa'), '');
    expect(result.code).toBe(255);
    await expect.poll(() => server.errors[0]?.code).toBe('SP_KEY_EXCHANGE_FAILED');
    expect(server.infos).toEqual([]);
  });

  const modes = SUPPORTED_ALGORITHMS.cipher.flatMap((cipher) =>
    (cipher.endsWith('256-ctr') ? SUPPORTED_ALGORITHMS.mac : ['hmac-sha2-256']).map((mac) => ({
      cipher,
      mac,
    })),
  );
  it.each(modes)(
    'moves 4 MB both ways with $cipher and $mac, keys renewed every 256 KB by both sides',
    async ({ cipher, mac }) => {
      using server = await echoServer({ rekey: { bytes: 256 * 1024 } });
      const data = Buffer.alloc(4 * 2 ** 20);
      for (let at = 0; at < data.length; at += 4) data.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
      const result = await client(
        'ssh',
        ssh(server.port, `Ciphers=${cipher}`, `MACs=${mac}`, 'RekeyLimit=256K'),
        data,
      );
      const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
      expect(result.errors).toBe('');
      expect(digest(result.output)).toBe(digest(data));
      expect(result.code).toBe(7);
      expect(server.infos[0]?.algorithms).toMatchObject({ cipherToServer: cipher });
    },
  );

  it('hears which signature algorithms count, and agrees on strict key exchange', async () => {
    using server = await echoServer();
    const { errors } = await client('ssh', ssh(server.port, 'LogLevel=DEBUG1'), 'x');
    expect(errors).toContain('rsa-sha2-512,');
    expect(errors).toMatch(/resetting (send|read) seqnr/);
  });
});

describe('other clients', () => {
  it('dropbear signs in and gets its bytes back', async () => {
    using server = await echoServer();
    const result = await client(
      'dbclient',
      ['-y', '-y', '-T', '-p', String(server.port), 'alice@127.0.0.1', 'echo'],
      'hello',
    );
    expect(result).toMatchObject({ output: Buffer.from('hello'), code: 7 });
  });

  it("PuTTY's plink signs in and gets its bytes back", async () => {
    using server = await echoServer();
    const ed25519 = hostKeys.find((key) => key.type === 'ssh-ed25519')?.blob ?? Buffer.alloc(0);
    const print = `SHA256:${createHash('sha256').update(ed25519).digest('base64').replace('=', '')}`;
    const args = ['-batch', '-T', '-hostkey', print, '-P', String(server.port), 'alice@127.0.0.1', 'echo'];
    expect(await client('plink', args, 'hello')).toMatchObject({ output: Buffer.from('hello'), code: 7 });
  });

  it('ssh-keyscan lists the host keys that are offered', async () => {
    using server = await echoServer();
    const { stdout } = await run('ssh-keyscan', ['-p', String(server.port), '127.0.0.1']);
    const lines = stdout.split('\n').map((line) => line.split(' ').slice(1).join(' '));
    for (const key of hostKeys) expect(lines.includes(key.line)).toBe(key.type !== 'ecdsa-sha2-nistp256');
  });

  it('ssh-audit finds nothing to fail on', async () => {
    using server = await echoServer();
    const audit = await client('ssh-audit', ['-n', '-j', '-p', String(server.port), '127.0.0.1'], '');
    expect(audit.output.toString()).toContain('chacha20-poly1305@openssh.com');
    const text = await client('ssh-audit', ['-n', '-p', String(server.port), '127.0.0.1'], '');
    expect(text.output.toString()).toContain('rsa-sha2-512 (3072-bit)');
    expect(text.output.toString()).not.toContain('[fail]');
  });
});

describe('sshd as the server', () => {
  let port: number;
  let hostKey: HostKey;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const key = path.join(folder, 'sshd_key');
    const user = path.join(folder, 'user_key');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', user]);
    hostKey = parseHostKey(await readFile(key, 'utf8'));
    // sshd wants its privilege separation folder when it runs as root.
    if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
    port = await freePort();
    const config = path.join(folder, 'sshd_config');
    await writeFile(
      config,
      `ListenAddress 127.0.0.1\nPort ${port}\nHostKey ${key}\nRekeyLimit 256K\nPidFile none\n`,
    );
    const daemon = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise<void>((resolve) => {
      daemon.stderr.on('data', (chunk: Buffer) => {
        if (chunk.includes('listening')) resolve();
      });
    });
    stop = async () => {
      daemon.kill();
      await once(daemon, 'close');
    };
  });
  afterAll(() => stop());

  it.each(SUPPORTED_ALGORITHMS.kex.filter((name) => !name.startsWith('mlkem')))(
    'exchanges keys by %s, proves its key, and tells its extensions',
    async (kex) => {
      const accepted = Promise.withResolvers<readonly [TransportInfo, Buffer]>();
      const transport = openTransport(
        net.connect(port, '127.0.0.1'),
        { verifyHostKey: (blob) => blob.equals(hostKey.blob), algorithms: { kex: [kex] } },
        {
          ready: () => transport.send(m.encodeServiceRequest('ssh-userauth')),
          message: (payload) => {
            if (transport.info !== undefined) accepted.resolve([transport.info, payload]);
          },
          drain() {},
          closed: (error) => accepted.reject(error ?? new Error('closed')),
        },
      );
      const [info, payload] = await accepted.promise;
      expect(m.parseServiceAccept(payload).service).toBe('ssh-userauth');
      expect(info.algorithms.kex).toBe(kex);
      expect(info.remoteIdentification).toMatch(/^SSH-2\.0-OpenSSH_/);
      expect(info.peerExtensions.get('server-sig-algs')?.toString()).toContain('rsa-sha2-512');
      transport.disconnect(11, 'done');
    },
  );
});
