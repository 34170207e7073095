// Packets of all sizes through an Outbox into a real socket, and the sharing of reads at its other end.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { Outbox } from './outbox.ts';
import { shareReads } from './shared-read.ts';

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

async function socketPair(): Promise<{ here: Socket; there: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  const accepted = once(server, 'connection');
  const here = connect(address.port, '127.0.0.1');
  const [[there]] = (await Promise.all([accepted, once(here, 'connect')])) as [[Socket], unknown];
  server.close();
  open.push(here, there);
  return { here, there };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function put(outbox: Outbox, packet: Buffer): void {
  const room = outbox.take(packet.length);
  room.set(packet);
  outbox.put(room);
}

describe('an outbox and a shared read', () => {
  it('bring every byte in order, small packets and large ones, over reads that are paused now and then', async () => {
    const { here, there } = await socketPair();
    const received: Buffer[] = [];
    let bytes = 0;
    const shared = shareReads(there, (chunk) => {
      received.push(Buffer.from(chunk));
      chunk.fill(0xee);
      bytes += chunk.length;
      if (received.length % 3 !== 0) return;
      there.pause();
      setImmediate(() => there.resume());
    });
    // False here means that this Node has changed: shared-read.ts tells what it takes for granted.
    expect(shared).toBe(true);
    there.resume();
    const outbox = new Outbox(here, () => {});
    const sent: Buffer[] = [];
    for (let n = 0; n < 400; n += 1) {
      const packet = randomBytes([16, 33_000, 5_000, 9_000, 140_000, 1][n % 6] ?? 0);
      sent.push(packet);
      put(outbox, packet);
      if (n % 7 === 0) await turn();
    }
    const total = sent.reduce((sum, packet) => sum + packet.length, 0);
    while (bytes < total) await turn();
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
    const ended = once(there, 'end');
    here.end();
    await ended;
  });

  it('counts what the kernel has not taken, and tells when it has', async () => {
    const { here, there } = await socketPair();
    let told = 0;
    const outbox = new Outbox(here, () => {
      told += 1;
    });
    const packet = Buffer.alloc(33_000, 1);
    for (let n = 0; n < 500; n += 1) put(outbox, packet);
    expect(outbox.pendingBytes).toBeGreaterThan(packet.length);
    await turn();
    await turn();
    const stuck = outbox.pendingBytes;
    expect(stuck).toBeGreaterThan(0);
    there.resume();
    while (outbox.pendingBytes > 0) await turn();
    await turn();
    expect(told).toBeGreaterThan(1);
  });

  it('gives a packet whose room is not used back without a trace', async () => {
    const { here, there } = await socketPair();
    const chunks: Buffer[] = [];
    there.on('data', (chunk) => chunks.push(chunk)).resume();
    const outbox = new Outbox(here, () => {});
    outbox.take(20_000);
    put(outbox, Buffer.alloc(20_000, 7));
    outbox.put(Buffer.from('elsewhere'));
    outbox.flush();
    here.end();
    await once(there, 'end');
    expect(
      Buffer.concat(chunks).equals(Buffer.concat([Buffer.alloc(20_000, 7), Buffer.from('elsewhere')])),
    ).toBe(true);
  });

  it('never writes again to what another stream than a socket may keep', async () => {
    const kept: Buffer[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        kept.push(chunk);
        done();
      },
    });
    const outbox = new Outbox(stream, () => {});
    for (let n = 0; n < 20; n += 1) {
      put(outbox, Buffer.alloc(33_000, n));
      await turn();
    }
    expect(kept.map((chunk) => chunk[0])).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(kept.every((chunk) => chunk.length === 33_000)).toBe(true);
  });
});
