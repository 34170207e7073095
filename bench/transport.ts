// Speed of the transport alone: a server and a client process with a relay process between them that decrypts and
// encrypts again. Measures bulk MB/s for each cipher, and the latency of single bytes on another connection through
// the same relay while it streams flat out. `node bench/transport.ts [--megabytes N] [--ciphers A,B] [--json]`.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadHostKeys } from '../proxy/transport/host-keys.ts';
import { encodeServiceAccept, encodeServiceRequest, parseChannelData } from '../proxy/transport/messages.ts';
import {
  acceptTransport,
  nativeCryptoLoaded,
  openTransport,
  type Transport,
} from '../proxy/transport/transport.ts';

const { values } = parseArgs({
  options: {
    part: { type: 'string' },
    folder: { type: 'string' },
    port: { type: 'string' },
    cipher: { type: 'string', default: 'aes256-gcm@openssh.com' },
    ciphers: { type: 'string', default: 'aes256-gcm@openssh.com,chacha20-poly1305@openssh.com' },
    megabytes: { type: 'string', default: '512' },
    json: { type: 'boolean', default: false },
  },
});
const PACKET = 32_768;
const ECHOES = 200;
const total = Number(values.megabytes) * 2 ** 20;
const algorithms = { cipher: [values.cipher] };

/** Asks for bytes by its service name: `bulk` streams, `echo` returns what comes. */
async function server(): Promise<void> {
  const hostKeys = await loadHostKeys(String(values.folder));
  const block = Buffer.alloc(PACKET, 7);
  listen((socket) => {
    let left = 0;
    const pump = (): void => {
      while (left > 0) {
        left -= PACKET;
        if (!transport.sendChannelData(0, block)) return;
      }
    };
    const transport = acceptTransport(
      socket,
      { hostKeys, algorithms },
      {
        ready() {},
        message(payload) {
          if (payload[0] !== 5) transport.sendChannelData(0, parseChannelData(payload).data);
          else if (payload.includes('bulk')) {
            left = total;
            pump();
          } else transport.send(encodeServiceAccept('echo'));
        },
        drain: pump,
        closed() {},
      },
    );
  });
}

async function relay(): Promise<void> {
  const hostKeys = await loadHostKeys(String(values.folder));
  listen((socket) => {
    let device: Transport | undefined;
    const early: Buffer[] = [];
    const upstream = net.connect(Number(values.port), '127.0.0.1').setNoDelay(true);
    const pass = (
      from: () => Transport | undefined,
      to: () => Transport | undefined,
      payload: Buffer,
    ): void => {
      const target = to();
      if (target?.info === undefined) early.push(payload);
      else {
        const more =
          payload[0] === 94
            ? target.sendChannelData(0, parseChannelData(payload).data)
            : target.send(payload);
        if (!more) from()?.pause();
      }
    };
    const client: Transport = acceptTransport(
      socket,
      { hostKeys, algorithms },
      {
        ready() {},
        message: (payload) =>
          pass(
            () => client,
            () => device,
            payload,
          ),
        drain: () => device?.resume(),
        closed: () => device?.destroy(),
      },
    );
    device = openTransport(
      upstream,
      { verifyHostKey: () => true, algorithms },
      {
        ready: () => {
          for (const payload of early.splice(0))
            pass(
              () => client,
              () => device,
              payload,
            );
        },
        message: (payload) =>
          pass(
            () => device,
            () => client,
            payload,
          ),
        drain: () => client.resume(),
        closed: () => client.destroy(),
      },
    );
  });
}

function bulk(): void {
  let received = 0;
  let started = 0;
  const transport = dial({
    ready() {
      started = performance.now();
      transport.send(encodeServiceRequest('bulk'));
    },
    message(payload) {
      received += parseChannelData(payload).data.length;
      if (received < total) return;
      process.send?.({ megabytesPerSecond: total / 2 ** 20 / ((performance.now() - started) / 1_000) });
      transport.destroy();
    },
  });
}

function echo(): void {
  const delays: number[] = [];
  let sent = 0;
  const ask = (): void => {
    sent = performance.now();
    transport.sendChannelData(0, Buffer.from('x'));
  };
  const transport = dial({
    ready: () => transport.send(encodeServiceRequest('echo')),
    message(payload) {
      if (payload[0] === 6) {
        process.send?.('echoing');
        ask();
        return;
      }
      delays.push(performance.now() - sent);
      if (delays.length < ECHOES) {
        setTimeout(ask, 5);
        return;
      }
      delays.sort((a, b) => a - b);
      const at = (share: number): number => delays[Math.floor(delays.length * share)] ?? 0;
      process.send?.({ p50: at(0.5), p95: at(0.95), p99: at(0.99) });
      transport.destroy();
    },
  });
}

function dial(handlers: { ready(): void; message(payload: Buffer): void }): Transport {
  const socket = net.connect(Number(values.port), '127.0.0.1').setNoDelay(true);
  return openTransport(
    socket,
    { verifyHostKey: () => true, algorithms },
    { ...handlers, drain() {}, closed() {} },
  );
}

function listen(connected: (socket: net.Socket) => void): void {
  const listener = net.createServer((socket) => connected(socket.setNoDelay(true)));
  listener.listen(0, '127.0.0.1', () => {
    const address = listener.address();
    if (address !== null && typeof address !== 'string') process.send?.({ port: address.port });
  });
}

function start(
  part: string,
  folder: string,
  cipher: string,
  port = 0,
  megabytes = values.megabytes,
): ChildProcess {
  return fork(import.meta.filename, [
    ...['--part', part, '--folder', folder, '--cipher', cipher],
    ...['--port', String(port), '--megabytes', megabytes],
  ]);
}

function told(child: ChildProcess): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Record<string, number>));
    child.once('exit', (code) => reject(new Error(`a part ended (${code})`)));
  });
}

async function measure(cipher: string, folder: string): Promise<Record<string, number | string>> {
  const running: ChildProcess[] = [];
  const run = (...args: Parameters<typeof start>): ChildProcess => {
    const child = start(...args);
    running.push(child);
    return child;
  };
  try {
    const { port: devicePort } = await told(run('server', folder, cipher));
    const direct = await told(run('bulk', folder, cipher, devicePort));
    const { port } = await told(run('relay', folder, cipher, devicePort));
    const relayed = await told(run('bulk', folder, cipher, port));
    const quiet = run('echo', folder, cipher, port);
    await told(quiet);
    const idle = await told(quiet);
    run('bulk', folder, cipher, port, '65536');
    const typing = run('echo', folder, cipher, port);
    await told(typing);
    const busy = await told(typing);
    const number = (value: number | undefined, digits: number): number =>
      Number((value ?? 0).toFixed(digits));
    return {
      cipher,
      directMBps: number(direct['megabytesPerSecond'], 0),
      relayedMBps: number(relayed['megabytesPerSecond'], 0),
      idleEchoP50: number(idle['p50'], 2),
      idleEchoP99: number(idle['p99'], 2),
      busyEchoP50: number(busy['p50'], 2),
      busyEchoP95: number(busy['p95'], 2),
      busyEchoP99: number(busy['p99'], 2),
    };
  } finally {
    for (const child of running) child.kill();
  }
}

async function main(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'));
  try {
    await loadHostKeys(folder);
    if (!values.json) console.log(`native crypto: ${nativeCryptoLoaded() ? 'yes' : 'NO'}`);
    for (const cipher of values.ciphers.split(',')) {
      const result = await measure(cipher, folder);
      if (values.json) console.log(JSON.stringify(result));
      else console.table(result);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

switch (values.part) {
  case 'server':
    await server();
    break;
  case 'relay':
    await relay();
    break;
  case 'bulk':
    bulk();
    break;
  case 'echo':
    echo();
    break;
  default:
    await main();
}
