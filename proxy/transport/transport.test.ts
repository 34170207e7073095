// The transport against itself and against hand-made peers, over TCP. D numbers name defects of plain ssh2.
import { createECDH, createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import Protocol from 'ssh2/lib/protocol/Protocol.js';
import utils from 'ssh2/lib/protocol/utils.js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  clientSide,
  ECDSA_KEY,
  ED25519_KEY,
  endPair,
  HOST_KEYS,
  OTHER_ED25519_KEY,
  type Pair,
  pair,
  plainPacket,
  plainPayloads,
  RSA_KEY,
  serverSide,
  signedInPair,
  socketPair,
} from '../../test/transport/loopback.ts';
import { preferHostKeyTypes, SERVER_SIGNATURE_ALGORITHMS, SUPPORTED_ALGORITHMS } from './algorithms.ts';
import * as m from './messages.ts';
import { nativeCryptoLoaded } from './transport.ts';

const open: net.Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

async function sockets(): Promise<{ readonly near: net.Socket; readonly far: net.Socket }> {
  const both = await socketPair();
  open.push(both.near, both.far);
  return both;
}

/** Everything the socket brings until it ends. */
async function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

async function readUntil(socket: net.Socket, done: (bytes: Buffer) => boolean): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  const found = Promise.withResolvers<Buffer>();
  const take = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    if (done(bytes)) found.resolve(bytes);
  };
  socket.on('data', take);
  try {
    return await found.promise;
  } finally {
    socket.off('data', take);
  }
}

/** The name-lists of a server's KEXINIT, as an unauthenticated scanner sees them. */
async function offered(options: Parameters<typeof serverSide>[1] = {}): Promise<string[][]> {
  const { near, far } = await sockets();
  const server = serverSide(near, options);
  far.write('SSH-2.0-scanner\r\n');
  const bytes = await readUntil(far, (all) => plainPayloads(all.subarray(all.indexOf('\n') + 1)).length > 0);
  const [kexInit] = plainPayloads(bytes.subarray(bytes.indexOf('\n') + 1));
  server.transport.destroy();
  return lists(kexInit ?? Buffer.alloc(0));
}

function lists(kexInit: Buffer): string[][] {
  const reader = new m.MessageReader(kexInit, 17);
  return Array.from({ length: 10 }, () => reader.nameList());
}

function kexInit(
  kex: readonly string[],
  hostKey: readonly string[] = ['ssh-ed25519'],
  follows = false,
): Buffer {
  const writer = new m.MessageWriter()
    .byte(m.MESSAGE.KEXINIT)
    .raw(randomBytes(16))
    .nameList(kex)
    .nameList(hostKey);
  for (const names of ['aes256-gcm@openssh.com', 'hmac-sha2-256', 'none']) writer.string(names).string(names);
  return writer.string('').string('').boolean(follows).uint32(0).build();
}

describe('key exchange', () => {
  it.each(
    SUPPORTED_ALGORITHMS.kex.flatMap((kex) =>
      SUPPORTED_ALGORITHMS.hostKey
        .filter((name) => !/nistp(384|521)/.test(name))
        .map((hostKey) => ({ kex, hostKey })),
    ),
  )(
    'works with $kex and $hostKey in both roles, and again on rekeys from both sides',
    async ({ kex, hostKey }) => {
      const algorithms = { kex: [kex], hostKey: [hostKey] };
      const both = await signedInPair({ algorithms }, { algorithms });
      const [server, client] = [await both.server.ready, await both.client.ready];
      expect(client.algorithms).toEqual(server.algorithms);
      expect(client.algorithms).toMatchObject({ kex, hostKey });
      expect(client.sessionId).toEqual(server.sessionId);
      expect(client.hostKey).toEqual(server.hostKey);
      for (const side of [both.server, both.client, both.server]) {
        side.transport.rekey();
        both.client.transport.send(m.encodeGlobalRequest('one@example.com', false));
        both.server.transport.send(m.encodeGlobalRequest('two@example.com', false));
        expect(m.parseGlobalRequest(await both.server.message(80)).type).toBe('one@example.com');
        expect(m.parseGlobalRequest(await both.client.message(80)).type).toBe('two@example.com');
      }
      expect(both.client.transport.info?.sessionId).toEqual(client.sessionId);
      await endPair(both);
    },
  );

  it.each(
    SUPPORTED_ALGORITHMS.cipher.flatMap((cipher) =>
      (cipher.endsWith('-ctr') ? SUPPORTED_ALGORITHMS.mac : ['hmac-sha2-256']).map((mac) => ({
        cipher,
        mac,
      })),
    ),
  )('carries messages of every size with $cipher and $mac', async ({ cipher, mac }) => {
    const algorithms = { cipher: [cipher], mac: [mac] };
    const both = await signedInPair({ algorithms }, { algorithms });
    for (const size of [0, 1, 15, 16, 17, 255, 4_096, 32_768]) {
      const data = randomBytes(size);
      both.client.transport.sendChannelData(5, data);
      both.server.transport.sendChannelExtendedData(6, 1, data);
      expect(m.parseChannelData(await both.server.message(94))).toEqual({ recipient: 5, data });
      expect(m.parseChannelExtendedData(await both.client.message(95))).toEqual({
        recipient: 6,
        code: 1,
        data,
      });
    }
    await endPair(both);
  });

  it('prefers post-quantum key exchange and an authenticated cipher', async () => {
    const both = await pair();
    expect((await both.client.ready).algorithms).toMatchObject({
      kex: 'mlkem768x25519-sha256',
      cipherToServer: 'aes256-gcm@openssh.com',
      macToClient: '',
    });
    await endPair(both);
  });

  // D9, D14, D15, and SHA-1 with an RSA key loaded.
  it('offers only what is listed: no SHA-1, CBC, finite-field groups, compression, or group exchange', async () => {
    const all = await offered({ hostKeys: HOST_KEYS, algorithms: SUPPORTED_ALGORITHMS });
    expect(
      all.flat().filter((name) => /sha1|ssh-rsa|ssh-dss|cbc|diffie|group|zlib|md5|arcfour/.test(name)),
    ).toEqual([]);
    expect(all[0]).toEqual([...SUPPORTED_ALGORITHMS.kex, 'kex-strict-s-v00@openssh.com']);
    expect(all[6]).toEqual(['none']);
    expect(all[7]).toEqual(['none']);
    const byDefault = await offered({ hostKeys: HOST_KEYS });
    expect(byDefault[1]).toEqual(['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256']);
    expect(byDefault.flat().filter((name) => name.includes('nistp'))).toEqual([]);
  });

  it.each([
    ['SHA-1 signatures by an RSA host key', ['curve25519-sha256'], ['ssh-rsa']],
    ['a finite-field group', ['diffie-hellman-group14-sha256'], ['ssh-ed25519']],
    ['a pseudo-algorithm in place of a key exchange', ['kex-strict-s-v00@openssh.com'], ['ssh-ed25519']],
  ])('ends when the client can do no better than %s', async (_, kex, hostKey) => {
    const { near, far } = await sockets();
    const server = serverSide(near);
    far.resume();
    far.write('SSH-2.0-old\r\n');
    far.write(plainPacket(kexInit(kex, hostKey)));
    expect((await server.closed)?.code).toMatch(/SP_KEY_EXCHANGE_FAILED|SP_PROTOCOL_VIOLATION/);
  });

  it('refuses to start with an algorithm that is not supported, or without a usable host key', async () => {
    const { near } = await sockets();
    expect(() => serverSide(near, { algorithms: { cipher: ['aes256-cbc'] } })).toThrow(/aes256-cbc/);
    expect(() => serverSide(near, { algorithms: { hostKey: ['ssh-rsa'] } })).toThrow(/hostKey/);
    expect(() => serverSide(near, { hostKeys: [ECDSA_KEY] })).toThrow(/hostKey/);
  });

  // RFC 4253, section 7: the packet is dropped if and only if the guess was wrong. ssh2 drops a right guess, too.
  it.each([
    ['uses the packet that follows a right guess', ['ecdh-sha2-nistp256'], ['ssh-ed25519'], 1],
    ['drops it when the server prefers another key exchange', ['curve25519-sha256'], ['ssh-ed25519'], 2],
    ['drops it when the server prefers another host key', ['ecdh-sha2-nistp256'], ['rsa-sha2-512'], 2],
  ])('%s', async (_, first, firstHostKey, sends) => {
    const { near, far } = await sockets();
    const algorithms = {
      kex: [...first, 'ecdh-sha2-nistp256'],
      hostKey: [...firstHostKey, 'ssh-ed25519'],
    };
    const server = serverSide(near, { algorithms });
    const answers = readUntil(far, (all) => plainPayloads(all.subarray(all.indexOf('\n') + 1)).length >= 3);
    far.write('SSH-2.0-guesser\r\n');
    far.write(plainPacket(kexInit(['ecdh-sha2-nistp256', 'curve25519-sha256'], ['ssh-ed25519'], true)));
    const keys = createECDH('prime256v1');
    const init = plainPacket(new m.MessageWriter().byte(30).string(keys.generateKeys()).build());
    const wrong = plainPacket(new m.MessageWriter().byte(30).string('no key at all').build());
    if (sends === 2) far.write(wrong);
    far.write(init);
    const all = await Promise.race([answers, server.closed]);
    if (!Buffer.isBuffer(all)) throw all ?? new Error('closed');
    const types = plainPayloads(all.subarray(all.indexOf('\n') + 1)).map((payload) => payload[0]);
    expect(types).toEqual([m.MESSAGE.KEXINIT, 31, m.MESSAGE.NEWKEYS]);
    server.transport.destroy();
  });

  it('says loudly whether the native crypto is there', () => {
    expect(nativeCryptoLoaded()).toBe(true);
  });
});

describe('the host key', () => {
  it('is judged once, with its blob, before the owner may send anything', async () => {
    const seen: Buffer[] = [];
    const verdict = Promise.withResolvers<boolean>();
    const asked = Promise.withResolvers<void>();
    const both = await pair(
      {},
      {
        verifyHostKey: (blob) => {
          seen.push(blob);
          asked.resolve();
          return verdict.promise;
        },
      },
    );
    await asked.promise;
    expect(both.client.transport.info).toBeUndefined();
    verdict.resolve(true);
    await both.client.ready;
    expect(seen).toEqual([ED25519_KEY.blob]);
    await endPair(both);
  });

  it.each([
    ['answers no', () => false],
    ['answers no later', async () => false],
    ['fails', async () => Promise.reject(new m.TransportError('SP_HOST_KEY_REFUSED', 'changed'))],
  ])('ends the connection when the judge %s, and nothing was sent', async (_, verifyHostKey) => {
    const both = await pair({}, { verifyHostKey });
    both.client.transport.send(m.encodeServiceRequest('ssh-userauth'));
    expect((await both.client.closed)?.code).toBe('SP_HOST_KEY_REFUSED');
    expect((await both.server.closed)?.code).toBe('SP_PEER_DISCONNECTED');
    expect(both.server.messages).toEqual([]);
  });

  it('of a pinned type is asked for first', async () => {
    const hostKey = preferHostKeyTypes(['ssh-rsa']);
    expect(hostKey.slice(0, 3)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519']);
    const both = await pair({}, { algorithms: { hostKey } });
    expect((await both.client.ready).hostKey).toEqual(RSA_KEY.blob);
    await endPair(both);
  });

  it('must sign: a server that shows a key it does not hold is refused', async () => {
    const thief = { ...ED25519_KEY, blob: Buffer.from(ED25519_KEY.blob) };
    thief.blob.writeUInt8((thief.blob.at(-1) ?? 0) ^ 1, thief.blob.length - 1);
    let judged = false;
    const both = await pair(
      { hostKeys: [thief] },
      {
        verifyHostKey: () => {
          judged = true;
          return true;
        },
      },
    );
    expect((await both.client.closed)?.code).toBe('SP_KEY_EXCHANGE_FAILED');
    expect(judged).toBe(false);
  });

  it('must be of the type that was agreed on', async () => {
    const both = await pair({ hostKeys: [{ ...RSA_KEY, type: 'ssh-ed25519' }] });
    expect((await both.client.closed)?.code).toBe('SP_KEY_EXCHANGE_FAILED');
  });

  it('must stay the same over rekeys', async () => {
    const keys = [ED25519_KEY, OTHER_ED25519_KEY];
    const turning = {
      type: 'ssh-ed25519',
      line: '',
      get blob() {
        return (keys[0] ?? ED25519_KEY).blob;
      },
      sign: (data: Buffer) => (keys[0] ?? ED25519_KEY).sign(data),
    };
    const both = await signedInPair({ hostKeys: [turning] });
    keys.shift();
    both.server.transport.rekey();
    expect((await both.client.closed)?.code).toBe('SP_HOST_KEY_REFUSED');
  });
});

describe('EXT_INFO', () => {
  // D9: ssh2 leaves out a comma, and offers SHA-1.
  it('names every signature algorithm that users may sign with, and nothing with SHA-1', async () => {
    const both = await signedInPair();
    const value = both.client.transport.info?.peerExtensions.get('server-sig-algs')?.toString('latin1');
    expect(value?.split(',')).toEqual(SERVER_SIGNATURE_ALGORITHMS);
    for (const name of ['rsa-sha2-512', 'ecdsa-sha2-nistp521', 'sk-ssh-ed25519@openssh.com']) {
      expect(value?.split(',')).toContain(name);
    }
    expect(value?.split(',')).not.toContain('ssh-rsa');
    await endPair(both);
  });
});

describe('unknown messages', () => {
  // D9: ssh2 drops them in silence.
  it('are answered with UNIMPLEMENTED and their sequence number', async () => {
    const both = await signedInPair();
    // The client finds the question that an UNIMPLEMENTED belongs to by the sequence number.
    const answers: number[] = [];
    const peer = both.client;
    both.server.onMessage = () => both.server.transport.sendUnimplemented();
    peer.transport.send(m.encodeGlobalRequest('unknown@example.com', true));
    peer.transport.send(Buffer.from([200]));
    peer.transport.send(m.encodeGlobalRequest('again@example.com', true));
    for (let i = 0; i < 2; i += 1) answers.push((await peer.message(m.MESSAGE.REQUEST_FAILURE)).length);
    // Both questions got their answer although the packet between them was unknown, too.
    expect(answers).toEqual([1, 1]);
    await endPair(both);
  });
});

describe('what the RFCs forbid', () => {
  it('a message of the layers above before the first key exchange ends the connection', async () => {
    const { near, far } = await sockets();
    const server = serverSide(near);
    far.resume();
    far.write('SSH-2.0-x\r\n');
    far.write(plainPacket(m.encodeServiceRequest('ssh-userauth')));
    expect((await server.closed)?.code).toBe('SP_KEY_EXCHANGE_FAILED');
    expect(server.messages).toEqual([]);
  });

  // CVE-2023-48795: nothing may come before KEXINIT, nor between it and NEWKEYS, in the first exchange.
  it.each([
    ['before', (extra: Buffer, init: Buffer) => [extra, init]],
    ['after', (extra: Buffer, init: Buffer) => [init, extra]],
  ])('IGNORE %s KEXINIT ends the connection when strict key exchange was agreed on', async (_, order) => {
    const { near, far } = await sockets();
    const server = serverSide(near);
    far.resume();
    far.write('SSH-2.0-x\r\n');
    const init = kexInit(['curve25519-sha256', 'kex-strict-c-v00@openssh.com']);
    const ignore = new m.MessageWriter().byte(m.MESSAGE.IGNORE).string('x').build();
    for (const payload of order(ignore, init)) far.write(plainPacket(payload));
    expect((await server.closed)?.code).toBe('SP_KEY_EXCHANGE_FAILED');
  });

  it('a client holds a server to strict key exchange in the same way', async () => {
    const { near, far } = await sockets();
    const client = clientSide(far);
    near.resume();
    near.write('SSH-2.0-x\r\n');
    near.write(plainPacket(new m.MessageWriter().byte(m.MESSAGE.IGNORE).string('x').build()));
    near.write(plainPacket(kexInit(['curve25519-sha256', 'kex-strict-s-v00@openssh.com'])));
    expect((await client.closed)?.code).toBe('SP_KEY_EXCHANGE_FAILED');
  });

  it('a second key exchange before signing in ends the connection: it only burns our time', async () => {
    const both = await pair();
    await Promise.all([both.server.ready, both.client.ready]);
    both.client.transport.rekey();
    expect((await both.server.closed)?.code).toBe('SP_PROTOCOL_VIOLATION');
    await endPair(both);
  });

  it.each([
    ['data while its own key exchange is under way', Buffer.from([94, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['a service request while its own key exchange is under way', m.encodeServiceRequest('ssh-connection')],
    ['a second KEXINIT', kexInit(['curve25519-sha256'])],
  ])('a peer that sends %s is gone', async (_, forbidden) => {
    const { server, peer } = await plainPeer();
    peer.rekey();
    bypass(peer, forbidden);
    expect((await server.closed)?.code).toBe('SP_KEY_EXCHANGE_FAILED');
  });

  it('allows IGNORE and DEBUG in the middle of a later key exchange', async () => {
    const { server, peer } = await plainPeer();
    peer.rekey();
    bypass(peer, new m.MessageWriter().byte(m.MESSAGE.IGNORE).string('x').build());
    bypass(peer, new m.MessageWriter().byte(m.MESSAGE.DEBUG).boolean(false).string('x').string('').build());
    send(peer, m.encodeGlobalRequest('after@example.com', false));
    expect(m.parseGlobalRequest(await server.message(80)).type).toBe('after@example.com');
    server.transport.destroy();
  });

  it.each([21, 30, 31, 49])('message %i outside of a key exchange ends the connection', async (type) => {
    const both = await signedInPair();
    both.client.transport.send(Buffer.from([type]));
    expect((await both.server.closed)?.code).toBe('SP_PROTOCOL_VIOLATION');
    await endPair(both);
  });
});

/** A client made of ssh2's Protocol alone, past key exchange and sign-in, that can be made to misbehave. */
async function plainPeer(cipher = 'aes256-gcm@openssh.com', options: Parameters<typeof serverSide>[1] = {}) {
  const { near, far } = await sockets();
  const server = serverSide(near, options);
  const done = Promise.withResolvers<void>();
  const { default: kex } = await import('ssh2/lib/protocol/kex.js');
  const direction = { cipher: [cipher], mac: ['hmac-sha2-256'], compress: ['none'], lang: [] };
  const peer = new Protocol({
    server: false,
    ident: 'peer',
    offer: new kex.KexInit({
      kex: ['curve25519-sha256', 'kex-strict-c-v00@openssh.com'],
      serverHostKey: ['ssh-ed25519'],
      cs: direction,
      sc: direction,
    }),
    messageHandlers: { DISCONNECT: () => {} },
    onWrite: (bytes) => far.write(Buffer.from(bytes)),
    onError: () => {},
    onHeader: () => {},
    onHandshakeComplete: () => done.resolve(),
  });
  far.on('data', (chunk: Buffer) => {
    if (!far.destroyed) peer.parse(chunk, 0, chunk.length);
  });
  far.on('error', () => {});
  peer.start();
  await Promise.all([done.promise, server.ready]);
  server.transport.send(Buffer.from([52]));
  return { server, peer, far };
}

function send(peer: Protocol, payload: Buffer): void {
  const { write } = peer._packetRW;
  const packet = write.alloc(payload.length);
  packet.set(payload, write.allocStart);
  utils.sendPacket(peer, write.finalize(packet));
}

/** Sends although a key exchange forbids it. */
function bypass(peer: Protocol, payload: Buffer): void {
  const { write } = peer._packetRW;
  const packet = write.alloc(payload.length, true);
  packet.set(payload, write.allocStartKEX);
  utils.sendPacket(peer, write.finalize(packet, true), true);
}

describe('a hostile peer', () => {
  // ssh2 frees its native cipher when a key exchange fails and goes on decrypting the rest of the chunk with it: the
  // process crashes.
  it.each(SUPPORTED_ALGORITHMS.cipher)(
    'cannot crash the process with a bad rekey and more bytes behind it (%s)',
    async (cipher) => {
      const { server, peer, far } = await plainPeer(cipher);
      far.cork();
      bypass(peer, kexInit(['curve25519-sha256']).fill(0, 0, 0));
      bypass(peer, new m.MessageWriter().byte(30).string('not a point').build());
      for (let i = 0; i < 20; i += 1) bypass(peer, Buffer.alloc(500, 2));
      far.uncork();
      expect((await server.closed)?.code).toBe('SP_KEY_EXCHANGE_FAILED');
    },
  );

  it.each([
    ['a huge packet length', () => Buffer.from('7fffffff00000000', 'hex')],
    ['a packet length of zero', () => Buffer.alloc(16)],
    ['a negative packet length', () => Buffer.from('ffffffff00000000', 'hex')],
    ['padding that is longer than the packet', () => Buffer.from('0000000cff14000000000000000000ff', 'hex')],
    ['an empty KEXINIT', () => plainPacket(Buffer.from([20]))],
    ['a KEXINIT that is cut short', () => plainPacket(kexInit(['curve25519-sha256']).subarray(0, 60))],
  ])('that sends %s before any keys is gone', async (_, bytes) => {
    const { near, far } = await sockets();
    const server = serverSide(near);
    far.resume();
    far.write('SSH-2.0-x\r\n');
    far.write(bytes());
    expect(await server.closed).toBeInstanceOf(m.TransportError);
  });

  it('that changes one bit of an encrypted packet is gone', async () => {
    const both = await signedInPair();
    both.client.socket.write(randomBytes(64));
    expect((await both.server.closed)?.code).toBe('SP_PROTOCOL_VIOLATION');
    await endPair(both);
  });

  it('that never answers an unknown-message answer cannot fill our memory', async () => {
    const { server, peer, far } = await plainPeer(undefined, { pendingLimit: 256 * 1024 });
    far.pause();
    far.removeAllListeners('data');
    let ended = false;
    void server.closed.then(() => {
      ended = true;
    });
    // Asks for answers for as long as the server lives, at most 3 million times.
    for (let i = 0; i < 3_000_000 && !ended; i += 1) {
      send(peer, Buffer.from([200]));
      if (i % 500 === 0 && far.writableNeedDrain) await Promise.race([once(far, 'drain'), server.closed]);
      if (i % 2_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await server.closed)?.code).toBe('SP_SEND_OVERFLOW');
  }, 120_000);

  it.each([
    ['a parser', () => m.parseServiceRequest(Buffer.from([5])), 'SP_MALFORMED_MESSAGE'],
    ['a defect of ours', () => JSON.parse('{'), 'SP_TRANSPORT_INTERNAL'],
  ])('gets its connection ended by what %s throws, and no other', async (_, fails, code) => {
    const other = await signedInPair();
    const both = await signedInPair();
    both.server.onMessage = fails;
    both.client.transport.send(m.encodeGlobalRequest('x@example.com', false));
    expect((await both.server.closed)?.code).toBe(code);
    expect((await both.client.closed)?.peer).toBeDefined();
    other.client.transport.send(m.encodeGlobalRequest('x@example.com', false));
    await other.server.message(80);
    await endPair(other);
  });
});

describe('time', () => {
  it('is bounded for a client that says nothing, and for one that trickles', async () => {
    const silent = await sockets();
    const trickling = await sockets();
    const servers = [silent.near, trickling.near].map((near) => serverSide(near, { handshakeTimeout: 150 }));
    const trickle = setInterval(() => trickling.far.write('x'), 20);
    trickling.far.write('SSH-2.0-');
    for (const server of servers) expect((await server.closed)?.code).toBe('SP_HANDSHAKE_TIMEOUT');
    clearInterval(trickle);
  });

  it('is bounded for a client that stops in the middle of the key exchange', async () => {
    const { near, far } = await sockets();
    const server = serverSide(near, { handshakeTimeout: 150 });
    far.resume();
    far.write('SSH-2.0-x\r\n');
    far.write(plainPacket(kexInit(['curve25519-sha256'])));
    expect((await server.closed)?.code).toBe('SP_HANDSHAKE_TIMEOUT');
  });

  it('is bounded for a judge of host keys that never answers', async () => {
    const both = await pair(
      {},
      { handshakeTimeout: 150, verifyHostKey: () => new Promise<boolean>(() => {}) },
    );
    expect((await both.client.closed)?.code).toBe('SP_HANDSHAKE_TIMEOUT');
    await endPair(both);
  });

  it('is bounded for a peer that does not take part in a rekey', async () => {
    const { near, far } = await sockets();
    const client = clientSide(far, { handshakeTimeout: 200 });
    const server = serverSide(near);
    await Promise.all([client.ready, server.ready]);
    near.pause();
    near.removeAllListeners('data');
    client.transport.rekey();
    expect((await client.closed)?.code).toBe('SP_HANDSHAKE_TIMEOUT');
    server.transport.destroy();
  });
});

describe('keep-alive', () => {
  // D13: ssh2 leaves the socket half closed.
  it('destroys the stream of a peer that stopped answering', async () => {
    const both = await signedInPair({ keepalive: { interval: 30, count: 3 } });
    const closed = once(both.server.socket, 'close');
    both.client.socket.pause();
    both.client.socket.removeAllListeners('data');
    expect((await both.server.closed)?.code).toBe('SP_KEEPALIVE_TIMEOUT');
    await closed;
    expect(both.server.socket.destroyed).toBe(true);
    await endPair(both);
  });

  it('asks in silence, is satisfied by any answer, and keeps its answers to itself', async () => {
    const both = await signedInPair({ keepalive: { interval: 20, count: 2 } });
    const asked: Buffer[] = [];
    const enough = Promise.withResolvers<void>();
    both.client.onMessage = (payload) => {
      if (payload[0] !== m.MESSAGE.GLOBAL_REQUEST) return;
      asked.push(payload);
      both.client.transport.send(m.encodeRequestFailure());
      if (asked.length === 8) enough.resolve();
    };
    await enough.promise;
    expect(m.parseGlobalRequest(asked[0] ?? Buffer.alloc(0))).toMatchObject({
      type: 'keepalive@openssh.com',
      wantReply: true,
    });
    expect(both.server.messages).toEqual([]);
    await endPair(both);
  });

  it('gives the layer above its own answers, in order, also when questions of both are under way', async () => {
    const both = await signedInPair({ keepalive: { interval: 15, count: 50 } });
    const waiting: Buffer[] = [];
    const all = Promise.withResolvers<void>();
    both.client.onMessage = (payload) => {
      waiting.push(payload);
      const types = waiting.map((request) => m.parseGlobalRequest(request).type);
      if (types.filter((type) => type.startsWith('keepalive')).length === 2 && types.length >= 4)
        all.resolve();
      if (types.length === 1) both.server.transport.send(m.encodeGlobalRequest('second@example.com', true));
    };
    both.server.transport.send(m.encodeGlobalRequest('first@example.com', true));
    await all.promise;
    for (const request of waiting) {
      const { type } = m.parseGlobalRequest(request);
      both.client.transport.send(
        type.startsWith('keepalive') ? m.encodeRequestFailure() : m.encodeRequestSuccess(Buffer.from(type)),
      );
    }
    expect(m.parseRequestSuccess(await both.server.message(81)).toString()).toBe('first@example.com');
    expect(m.parseRequestSuccess(await both.server.message(81)).toString()).toBe('second@example.com');
    expect(both.server.messages).toEqual([]);
    await endPair(both);
  });

  it('says nothing before sign-in: peers would take it for a violation', async () => {
    const both = await pair({ keepalive: { interval: 5, count: 1 } });
    await Promise.all([both.server.ready, both.client.ready]);
    both.client.transport.send(m.encodeServiceRequest('ssh-userauth'));
    await both.server.message(5);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(both.client.messages).toEqual([]);
    await endPair(both);
  });
});

describe('what waits to be written', () => {
  // D2: ssh2 ignores what socket.write() answers, and a stalled reader costs gigabytes.
  it('is told honestly, and drain comes when it has gone', async () => {
    const both = await signedInPair({ highWaterMark: 100_000 });
    both.client.transport.pause();
    const block = randomBytes(32_768);
    let sent = 0;
    while (both.server.transport.sendChannelData(0, block)) {
      sent += 1;
      if (sent % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    sent += 1;
    const pending = both.server.transport.pendingBytes;
    expect(pending).toBeGreaterThan(100_000);
    expect(pending).toBeLessThan(100_000 + 40_000);
    const drained = new Promise<void>((resolve) => {
      both.server.onDrain = resolve;
    });
    both.client.transport.resume();
    await drained;
    expect(both.server.transport.pendingBytes).toBeLessThanOrEqual(50_000);
    for (let i = 0; i < sent; i += 1)
      expect(m.parseChannelData(await both.client.message(94)).data).toEqual(block);
    await endPair(both);
  });

  it('is bounded even when the layer above does not listen', async () => {
    const both = await signedInPair({ pendingLimit: 4 * 1024 * 1024 });
    both.client.transport.pause();
    for (let i = 0; i < 2_000; i += 1) both.server.transport.sendChannelData(0, Buffer.alloc(32_768));
    expect((await both.server.closed)?.code).toBe('SP_SEND_OVERFLOW');
    await endPair(both);
  });

  it('counts what a rekey holds back', async () => {
    const both = await signedInPair();
    both.server.transport.rekey();
    both.server.transport.send(m.encodeGlobalRequest('x@example.com', false, Buffer.alloc(10_000)));
    expect(both.server.transport.pendingBytes).toBeGreaterThan(10_000);
    await both.client.message(80);
    await endPair(both);
  });

  it('goes out together when it was written in one turn', async () => {
    const both = await signedInPair();
    let reads = 0;
    both.client.socket.on('data', () => {
      reads += 1;
    });
    for (let i = 0; i < 50; i += 1) both.server.transport.sendChannelData(0, Buffer.from('x'));
    for (let i = 0; i < 50; i += 1) await both.client.message(94);
    expect(reads).toBeLessThanOrEqual(2);
    await endPair(both);
  });
});

/** Streams `blocks` both ways with back-pressure and compares every byte. */
async function streamBothWays(
  both: Pair,
  blocks: number,
  during?: (received: number) => void,
): Promise<void> {
  const run = async (from: Pair['server'], to: Pair['server']): Promise<void> => {
    const sent = createHash('sha256');
    const received = createHash('sha256');
    const done = Promise.withResolvers<void>();
    let count = 0;
    let index = 0;
    const before = to.onMessage;
    to.onMessage = (payload) => {
      before?.(payload);
      to.messages.length = 0;
      received.update(m.parseChannelData(payload).data);
      count += 1;
      during?.(count);
      if (count === blocks) done.resolve();
    };
    const pump = (): void => {
      while (index < blocks) {
        const block = randomBytes(1 + ((index * 7_919) % 32_768));
        sent.update(block);
        index += 1;
        if (!from.transport.sendChannelData(0, block)) return;
      }
    };
    from.onDrain = pump;
    pump();
    await Promise.race([
      done.promise,
      to.closed.then((error) => Promise.reject(error ?? new Error('closed'))),
    ]);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
  };
  await Promise.all([run(both.server, both.client), run(both.client, both.server)]);
}

describe('rekeying', () => {
  it('forced every 256 KB from both sides leaves every byte as it was', async () => {
    const both = await signedInPair({ rekey: { bytes: 256 * 1024 } }, { rekey: { bytes: 256 * 1024 } });
    const before = both.client.transport.info?.sessionId;
    await streamBothWays(both, 600);
    expect(both.client.transport.info?.sessionId).toBe(before);
    await endPair(both);
  });

  it('at random moments, from either side, leaves every byte as it was', async () => {
    const both = await signedInPair();
    await streamBothWays(both, 400, (received) => {
      if (received % 37 === 0) both.server.transport.rekey();
      if (received % 53 === 0) both.client.transport.rekey();
    });
    await endPair(both);
  });

  it('comes by itself after its time', async () => {
    const both = await signedInPair({ rekey: { milliseconds: 40 } });
    const before = both.client.socket.bytesRead;
    while (both.client.socket.bytesRead < before + 1_000)
      await new Promise((resolve) => setImmediate(resolve));
    both.client.transport.send(m.encodeGlobalRequest('x@example.com', false));
    await both.server.message(80);
    await endPair(both);
  });

  // What waits for the new keys would wait for ever: the peer's part of the exchange comes over the paused stream.
  it('goes through while the owner has paused reading', async () => {
    const both = await signedInPair();
    both.server.transport.pause();
    both.server.transport.rekey();
    both.server.transport.send(m.encodeGlobalRequest('after@example.com', false));
    expect(m.parseGlobalRequest(await both.client.message(80)).type).toBe('after@example.com');
    await endPair(both);
  });
});

describe('fairness', () => {
  it('reads a flood in bounded portions, so that other connections get their turn', async () => {
    const both = await signedInPair();
    both.client.transport.pause();
    const total = 2_000_000;
    for (let sent = 0; sent < total; sent += 32_768)
      both.server.transport.sendChannelData(0, Buffer.alloc(32_768));
    // Until the kernel has taken what it takes.
    await new Promise((resolve) => setTimeout(resolve, 100));
    let received = 0;
    let inTurn = 0;
    let most = 0;
    const done = Promise.withResolvers<void>();
    both.client.onMessage = (payload) => {
      both.client.messages.length = 0;
      received += payload.length;
      inTurn += payload.length;
      most = Math.max(most, inTurn);
      if (received >= total) done.resolve();
    };
    const turn = (): void => {
      inTurn = 0;
      if (received < total) setImmediate(turn);
    };
    turn();
    both.client.transport.resume();
    await done.promise;
    expect(most).toBeLessThanOrEqual(160 * 1024);
    await endPair(both);
  });
});

describe('the end', () => {
  it('by disconnect reaches the peer with its reason, after everything that was sent before', async () => {
    const both = await signedInPair();
    for (let i = 0; i < 30; i += 1) both.server.transport.sendChannelData(0, Buffer.alloc(32_768, i));
    both.server.transport.disconnect(2, 'go away\x07');
    expect(both.server.transport.send(Buffer.from([80]))).toBe(true);
    const error = await both.client.closed;
    expect(error?.peer).toEqual({ reasonCode: 2, description: 'go away\uFFFD' });
    expect(both.client.messages).toHaveLength(30);
    expect(await both.server.closed).toBeUndefined();
  });

  it('by the application is no error on either side', async () => {
    const both = await signedInPair();
    both.client.transport.disconnect(11, 'disconnected by user');
    expect(await both.server.closed).toBeUndefined();
    expect(await both.client.closed).toBeUndefined();
  });

  it('comes within the limit although the peer reads nothing', async () => {
    const both = await signedInPair();
    both.client.socket.pause();
    both.client.socket.removeAllListeners('data');
    for (let i = 0; i < 200; i += 1) both.server.transport.sendChannelData(0, Buffer.alloc(32_768));
    const started = performance.now();
    both.server.transport.disconnect(11, 'bye');
    expect(await both.server.closed).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(3_000);
    await endPair(both);
  });

  it.each([
    ['the peer closes without a word', (both: Pair) => both.client.socket.end(), 'SP_PEER_CLOSED'],
    [
      'the peer resets the connection',
      (both: Pair) => both.client.socket.resetAndDestroy(),
      'SP_CONNECTION_LOST',
    ],
    [
      'the owner destroys it, twice',
      (both: Pair) => {
        both.server.transport.destroy();
        both.server.transport[Symbol.dispose]();
      },
      undefined,
    ],
  ])('is told once when %s', async (_, end, code) => {
    const both = await signedInPair();
    end(both);
    expect((await both.server.closed)?.code).toBe(code);
    await endPair(both);
    await new Promise((resolve) => setImmediate(resolve));
    expect(both.server.closedCalls).toBe(1);
    expect(both.client.closedCalls).toBe(1);
  });

  it('is told when the stream was gone before it came', async () => {
    const { near } = await sockets();
    near.destroy();
    const server = serverSide(near);
    expect((await server.closed)?.code).toBe('SP_CONNECTION_LOST');
  });

  it('of a stream that speaks HTTP is quiet: no SSH packets are sent to it', async () => {
    const { near, far } = await sockets();
    const server = serverSide(near);
    far.write('GET / HTTP/1.0\r\n\r\n');
    expect((await readAll(far)).toString('latin1')).toBe('SSH-2.0-OpenSSH_Sallyport\r\n');
    expect((await server.closed)?.code).toBe('SP_BAD_IDENTIFICATION');
  });
});

describe('identification', () => {
  // D4, through the whole transport: ssh2 closes the connection.
  it('in many segments is understood', async () => {
    const { near, far } = await sockets();
    const server = serverSide(near);
    for (const byte of 'SSH-2.0-slow typist\r\n') {
      far.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    far.write(plainPacket(kexInit(['curve25519-sha256'])));
    const sent = new m.MessageWriter().byte(30).string(randomBytes(32)).build();
    far.write(plainPacket(sent));
    const all = await readUntil(
      far,
      (bytes) => plainPayloads(bytes.subarray(bytes.indexOf('\n') + 1)).length >= 3,
    );
    const types = plainPayloads(all.subarray(all.indexOf('\n') + 1)).map((payload) => payload[0]);
    expect(types).toEqual([20, 31, 21]);
    server.transport.destroy();
  });

  // D12: OpenSSH sends eow@openssh.com only to peers that are named like this.
  it('begins with OpenSSH by default, and is configurable', async () => {
    const both = await pair({}, { identification: 'Custom_1.0 with comment' });
    const info = await both.client.ready;
    expect(info.remoteIdentification).toBe('SSH-2.0-OpenSSH_Sallyport');
    expect((await both.server.ready).remoteIdentification).toBe('SSH-2.0-Custom_1.0 with comment');
    expect(info.localIdentification).toBe('SSH-2.0-Custom_1.0 with comment');
    await endPair(both);
  });

  it.each(['', 'with\nnewline', 'a-b', 'x'.repeat(300)])(
    '%j is refused as an option',
    async (identification) => {
      const { near } = await sockets();
      expect(() => serverSide(near, { identification })).toThrow(RangeError);
    },
  );
});
