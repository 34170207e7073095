// Seeded fuzzing of the transport: handshakes with bytes changed on their way, and messages that only a peer that
// has signed in can send. Nothing may throw past the transport, every connection must end exactly once, nothing may
// be reported as a defect of ours, and a bystander's connection must go on working.
// `node test/fuzz/transport.ts [--seed N] [--handshakes N] [--messages N]`; 8,000 and 40,000 by default.
import { type Duplex, duplexPair } from 'node:stream';
import { parseArgs } from 'node:util';
import * as m from '../../proxy/transport/messages.ts';
import { acceptTransport, openTransport, type Transport } from '../../proxy/transport/transport.ts';
import { HOST_KEYS } from '../transport/loopback.ts';

export interface FuzzResult {
  /** How the connections ended: error code (or `ordinary`) to count. */
  readonly ends: Readonly<Record<string, number>>;
  readonly handshakesDone: number;
  readonly messagesDelivered: number;
  readonly bystanderAnswers: number;
}

/** A small generator with a 32-bit seed (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  const at = random(bytes.length + 1);
  const length = 1 + random(8);
  switch (random(7)) {
    case 0: {
      const changed = Buffer.from(bytes);
      if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << random(8));
      return changed;
    }
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, random(256)), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return bytes.subarray(0, at);
    case 4: {
      const from = random(bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + 64), bytes.subarray(at)]);
    }
    case 5: {
      const changed = Buffer.from(bytes);
      const extremes = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 35_000, 262_145];
      if (at + 4 <= changed.length) changed.writeUInt32BE(extremes[random(extremes.length)] ?? 0, at);
      return changed;
    }
    default: {
      const changed = Buffer.from(bytes);
      for (let i = at; i < Math.min(changed.length, at + length); i += 1) changed[i] = random(256);
      return changed;
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Counts calls of `closed`, and remembers how it ended. */
class End {
  calls = 0;
  readonly closed: Promise<string>;
  readonly report: (error: m.TransportError | undefined) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.closed = promise;
    this.report = (error) => {
      this.calls += 1;
      if (error?.code === 'SP_TRANSPORT_INTERNAL') console.error(error);
      resolve(error?.code ?? 'ordinary');
    };
  }
}

/** A connection that must not notice anything: asks and gets an answer. */
async function bystander(): Promise<{ ask(): Promise<void>; end(): void }> {
  const [near, far] = duplexPair();
  let answered: (() => void) | undefined;
  const server: Transport = acceptTransport(
    near,
    { hostKeys: HOST_KEYS },
    {
      ready() {},
      message: () => server.send(m.encodeRequestSuccess()),
      drain() {},
      closed() {},
    },
  );
  const ready = Promise.withResolvers<void>();
  const client = openTransport(
    far,
    { verifyHostKey: () => true },
    {
      ready: () => ready.resolve(),
      message: () => answered?.(),
      drain() {},
      closed: () => ready.reject(new Error('the bystander lost its connection')),
    },
  );
  await ready.promise;
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error('the bystander got no answer within 5 s')), 5_000);
        answered = () => {
          clearTimeout(late);
          resolve();
        };
        client.send(m.encodeGlobalRequest('question@example.com', true));
      }),
    end: () => {
      client.destroy();
      server.destroy();
    },
  };
}

const ALGORITHM_SETS = ['mlkem768x25519-sha256', 'curve25519-sha256', 'ecdh-sha2-nistp256'].flatMap((kex) =>
  ['aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes128-ctr'].map((cipher) => ({
    kex: [kex],
    cipher: [cipher],
  })),
);

/** One handshake, with some of what one side sends changed on its way. */
async function handshake(random: (below: number) => number): Promise<readonly [string[], boolean]> {
  const [serverEnd, serverWire] = duplexPair();
  const [clientEnd, clientWire] = duplexPair();
  const algorithms = ALGORITHM_SETS[random(ALGORITHM_SETS.length)] ?? {};
  const ends = [new End(), new End()] as const;
  let done = false;
  const server = acceptTransport(
    serverEnd,
    { hostKeys: HOST_KEYS, algorithms },
    {
      ready() {},
      message: (payload) => server.send(payload),
      drain() {},
      closed: ends[0].report,
    },
  );
  const client = openTransport(
    clientEnd,
    { verifyHostKey: () => true, algorithms },
    {
      ready: () => {
        done = true;
        client.send(m.encodeServiceRequest('ssh-userauth'));
      },
      message: () => client.rekey(),
      drain() {},
      closed: ends[1].report,
    },
  );
  const victim = random(2) === 0 ? serverWire : clientWire;
  const target = random(12);
  let chunks = 0;
  let quiet = 0;
  const pass = (from: Duplex, to: Duplex): void => {
    from.on('data', (chunk: Buffer) => {
      quiet = 0;
      let bytes: Buffer = Buffer.from(chunk);
      if (to === victim) {
        if (chunks === target || random(12) === 0) bytes = mutate(bytes, random);
        chunks += 1;
      }
      const cut = random(3) === 0 ? random(bytes.length + 1) : bytes.length;
      if (cut > 0) to.write(bytes.subarray(0, cut));
      if (cut < bytes.length) to.write(bytes.subarray(cut));
    });
    from.on('end', () => to.end());
    from.on('error', () => {});
  };
  pass(serverWire, clientWire);
  pass(clientWire, serverWire);
  while (quiet < 4) {
    quiet += 1;
    await turn();
  }
  server.destroy();
  client.destroy();
  const codes = await Promise.all(ends.map((end) => end.closed));
  await turn();
  for (const end of ends) if (end.calls !== 1) throw new Error(`closed was called ${end.calls} times`);
  return [codes, done];
}

const PARSERS: Readonly<Record<number, (payload: Buffer) => unknown>> = {
  5: m.parseServiceRequest,
  6: m.parseServiceAccept,
  50: m.parseUserauthRequest,
  51: m.parseUserauthFailure,
  53: m.parseUserauthBanner,
  60: m.parseInfoRequest,
  61: m.parseInfoResponse,
  80: m.parseGlobalRequest,
  90: m.parseChannelOpen,
  91: m.parseChannelOpenConfirmation,
  92: m.parseChannelOpenFailure,
  93: m.parseChannelWindowAdjust,
  94: m.parseChannelData,
  95: m.parseChannelExtendedData,
  96: m.parseChannelBare,
  97: m.parseChannelBare,
  98: m.parseChannelRequest,
  99: m.parseChannelBare,
  100: m.parseChannelBare,
};

const size = { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 };
const CORPUS: readonly Buffer[] = [
  m.encodeServiceRequest('ssh-connection'),
  m.encodeUserauthPublickeyQuery('alice', 'ssh-connection', 'ssh-ed25519', Buffer.alloc(51, 1)),
  m.encodeUserauthPassword('alice', 'ssh-connection', 'secret'),
  m.encodeUserauthKeyboardInteractive('alice', 'ssh-connection', ['pam']),
  m.encodeUserauthFailure(['publickey'], false),
  m.encodeInfoResponse(['1', '2']),
  m.encodeGlobalRequest('tcpip-forward', true, m.encodeTcpipForward({ address: '', port: 0 })),
  m.encodeGlobalRequest('keepalive@openssh.com', true),
  m.encodeRequestSuccess(m.encodeForwardedPort(4_000)),
  m.encodeRequestFailure(),
  m.encodeChannelOpen({ type: 'session', sender: 1, initialWindow: 2 ** 21, maximumPacket: 32_768 }),
  m.encodeChannelOpenConfirmation({ recipient: 0, sender: 0, initialWindow: 0, maximumPacket: 64 }),
  m.encodeChannelOpenFailure({ recipient: 0, reason: 1, description: 'no' }),
  m.encodeChannelWindowAdjust(0, 2 ** 31),
  m.encodeChannelData(0, Buffer.alloc(300, 7)),
  m.encodeChannelExtendedData(0, 1, Buffer.from('err')),
  m.encodeChannelEof(0),
  m.encodeChannelClose(0),
  m.encodeChannelSuccess(0),
  m.encodeChannelRequest({
    recipient: 0,
    type: 'pty-req',
    wantReply: true,
    data: m.encodePtyRequest({ ...size, terminal: 'xterm', modes: m.encodeTerminalModes(new Map([[1, 3]])) }),
  }),
  m.encodeChannelRequest({
    recipient: 0,
    type: 'exec',
    wantReply: true,
    data: m.encodeExec(Buffer.from('id')),
  }),
  m.encodeExtInfo([{ name: 'server-sig-algs', value: Buffer.from('ssh-ed25519') }]),
  new m.MessageWriter().byte(m.MESSAGE.IGNORE).string('x').build(),
  new m.MessageWriter().byte(m.MESSAGE.DEBUG).boolean(true).string('x').string('').build(),
  new m.MessageWriter().byte(m.MESSAGE.UNIMPLEMENTED).uint32(3).build(),
  Buffer.from([192]),
];
/** These end the connection even when unchanged, so they come seldom. */
const DEADLY: readonly Buffer[] = [
  m.encodeDisconnect(11, 'bye'),
  Buffer.concat([Buffer.from([20]), Buffer.alloc(16), Buffer.alloc(45)]),
  Buffer.from([21]),
  new m.MessageWriter().byte(30).string(Buffer.alloc(32, 9)).build(),
];

/** One signed-in connection that sends until it is ended or `count` messages are sent; answers how many it sent. */
async function conversation(
  random: (below: number) => number,
  count: number,
  delivered: () => void,
): Promise<readonly [string, number]> {
  const [near, far] = duplexPair();
  const ends = [new End(), new End()] as const;
  const ready = Promise.withResolvers<void>();
  const server = acceptTransport(
    near,
    { hostKeys: HOST_KEYS, algorithms: { kex: ['curve25519-sha256'] } },
    {
      ready() {},
      message: (payload) => {
        if (payload[0] === 50 && payload.length === 1) server.send(m.encodeUserauthSuccess());
        delivered();
        try {
          const parse = PARSERS[payload[0] ?? 0];
          if (parse === undefined) server.sendUnimplemented();
          else parse(payload);
        } catch (error) {
          // The connection goes on, so that more of it is tried; a defect must not pass for a malformed message.
          if (!(error instanceof m.TransportError)) throw error;
        }
      },
      drain() {},
      closed: ends[0].report,
    },
  );
  const client = openTransport(
    far,
    { verifyHostKey: () => true, keepalive: { interval: 0, count: 0 } },
    {
      ready: () => client.send(Buffer.from([50])),
      message: (payload) => {
        if (payload[0] === 52) ready.resolve();
      },
      drain() {},
      closed: ends[1].report,
    },
  );
  await ready.promise;
  let sent = 0;
  while (sent < count && ends[0].calls === 0 && ends[1].calls === 0) {
    for (let i = 0; i < 8 && sent < count; i += 1) {
      const from = random(60) === 0 ? DEADLY : CORPUS;
      const message = from[random(from.length)] ?? Buffer.alloc(1);
      const payload = random(8) === 0 ? message : mutate(message, random);
      sent += 1;
      if (random(200) === 0) server.rekey();
      client.send(payload);
    }
    await turn();
  }
  client.destroy();
  server.destroy();
  const [code] = await Promise.all(ends.map((end) => end.closed));
  await turn();
  for (const end of ends) if (end.calls !== 1) throw new Error(`closed was called ${end.calls} times`);
  return [code ?? '', sent];
}

export async function fuzz(seed: number, handshakes: number, messages: number): Promise<FuzzResult> {
  const random = generator(seed);
  const ends: Record<string, number> = {};
  const other = await bystander();
  let bystanderAnswers = 0;
  let handshakesDone = 0;
  let messagesDelivered = 0;
  const count = (code: string): void => {
    ends[code] = (ends[code] ?? 0) + 1;
  };
  for (let i = 0; i < handshakes; i += 1) {
    const [codes, done] = await handshake(random);
    for (const code of codes) count(code);
    if (done) handshakesDone += 1;
    if (i % 50 === 0) {
      await other.ask();
      bystanderAnswers += 1;
    }
  }
  for (let sent = 0; sent < messages; ) {
    const [code, more] = await conversation(random, messages - sent, () => {
      messagesDelivered += 1;
    });
    count(code);
    sent += more;
    await other.ask();
    bystanderAnswers += 1;
  }
  other.end();
  return { ends, handshakesDone, messagesDelivered, bystanderAnswers };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      handshakes: { type: 'string', default: '8000' },
      messages: { type: 'string', default: '40000' },
    },
  });
  const started = performance.now();
  const result = await fuzz(Number(values.seed), Number(values.handshakes), Number(values.messages));
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(1));
  console.log(JSON.stringify({ seed: Number(values.seed), seconds, ...result }));
}
