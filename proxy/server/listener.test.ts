import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Admission } from './admission.ts';
import {
  type AcceptedConnection,
  allowReading,
  ListenError,
  Listener,
  type ListenerRefusal,
} from './listener.ts';

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

interface Scene {
  readonly dial: (text: string) => Socket;
  readonly accepted: () => Promise<AcceptedConnection>;
  readonly refused: () => Promise<{ address: string; refusal: ListenerRefusal }>;
}

const scene = async (
  options: { from?: string[]; headerTimeout?: number; connections?: number } = {},
): Promise<Scene> => {
  const events = new EventEmitter();
  const queues = {
    accepted: [] as AcceptedConnection[],
    refused: [] as { address: string; refusal: ListenerRefusal }[],
  };
  const listener = new Listener({
    admission: new Admission({
      connections: options.connections ?? 100,
      perSource: 100,
      unauthenticated: 1000,
      unauthenticatedPerSource: 100,
      loginGraceSeconds: 10,
    }),
    proxiesFrom: options.from ?? [],
    headerTimeout: options.headerTimeout ?? 5000,
    headersWaiting: 3,
    now: () => performance.now(),
    onConnection: (connection) => {
      endings.push(() => void connection.socket.destroy());
      queues.accepted.push(connection);
      events.emit('accepted');
    },
    onRefused: (address, refusal) => {
      queues.refused.push({ address, refusal });
      events.emit('refused');
    },
    onError: (error) => {
      throw error;
    },
  });
  endings.push(() => listener[Symbol.dispose]());
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  const next = async <T>(queue: T[], name: string): Promise<T> => {
    if (queue.length === 0) await once(events, name);
    const item = queue.shift();
    if (item === undefined) throw new Error('nothing came');
    return item;
  };
  return {
    dial: (text) => {
      const socket = connect({ port, host: '127.0.0.1' });
      endings.push(() => void socket.destroy());
      socket.on('error', () => {});
      socket.resume();
      socket.write(text);
      return socket;
    },
    accepted: () => next(queues.accepted, 'accepted'),
    refused: () => next(queues.refused, 'refused'),
  };
};

test('an unlisted peer is handed on unread, even when it sends a PROXY header', async () => {
  const { dial, accepted } = await scene({ from: ['10.0.0.0/8'] });
  dial('PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222\r\nSSH-2.0-x\r\n');
  const connection = await accepted();
  expect(connection.sourceAddress).toBe('127.0.0.1');
  expect(connection.begun).toHaveLength(0);
  const [first] = await once(connection.socket.resume(), 'data');
  expect(String(first)).toMatch(/^PROXY TCP4/);
});

test('a listed peer speaks for its client, and nothing that the client said is lost', async () => {
  const { dial, accepted } = await scene({ from: ['127.0.0.0/8'] });
  const socket = dial('PROXY TCP4 203.0.113.9 192.0.2.1 543');
  await once(socket, 'connect');
  socket.write('21 2222\r\nSSH-2.0-x\r\n');
  const connection = await accepted();
  expect(connection).toMatchObject({ sourceAddress: '203.0.113.9', sourcePort: 54321 });
  socket.write('more');
  let heard = connection.begun.toString();
  allowReading(connection.socket).resume();
  while (!heard.endsWith('more')) heard += String((await once(connection.socket, 'data'))[0]);
  expect(heard).toBe('SSH-2.0-x\r\nmore');
});

test('after its header a connection is not read here any more: its bytes belong to whoever it is handed to', async () => {
  const { dial, accepted } = await scene({ from: ['127.0.0.0/8'] });
  const header = 'PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222\r\n';
  const socket = dial(header);
  const connection = await accepted();
  await new Promise<void>((resolve) => socket.write('SSH-2.0-x\r\n', () => resolve()));
  // Others are accepted meanwhile, so the bytes have had the time to come.
  for (let count = 0; count < 3; count++) {
    dial(header);
    await accepted();
  }
  expect(connection.begun).toHaveLength(0);
  expect(connection.socket.readableLength).toBe(0);
  allowReading(connection.socket).resume();
  expect(String((await once(connection.socket, 'data'))[0])).toBe('SSH-2.0-x\r\n');
});

test('a listed peer must send a header', async () => {
  const { dial, refused } = await scene({ from: ['127.0.0.1'] });
  const socket = dial('SSH-2.0-OpenSSH_10.0\r\n');
  expect(await refused()).toEqual({ address: '127.0.0.1', refusal: 'proxy-header' });
  await once(socket, 'close');
});

test('a silent listed peer is dropped in its own time, and delays nobody meanwhile', async () => {
  const { dial, accepted, refused } = await scene({ from: ['127.0.0.1'], headerTimeout: 300 });
  const silent = dial('PROXY ');
  dial('PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222\r\n');
  expect((await accepted()).sourceAddress).toBe('203.0.113.9');
  expect((await refused()).refusal).toBe('proxy-header-late');
  await once(silent, 'close');
});

test('only so many may be waiting for their header', async () => {
  const { dial, refused } = await scene({ from: ['127.0.0.1'] });
  for (let count = 0; count < 4; count++) dial('PROXY ');
  expect((await refused()).refusal).toBe('proxy-headers-waiting');
});

test('above its limit a connection is closed with a reason', async () => {
  const { dial, accepted, refused } = await scene({ connections: 1 });
  dial('');
  await accepted();
  const socket = dial('');
  const [text] = await once(socket, 'data');
  expect(String(text)).toContain('Too many connections');
  expect((await refused()).refusal).toBe('connections');
});

test('an address that is taken is an error with the address in it', async () => {
  const make = (): Listener =>
    new Listener({
      admission: new Admission({
        connections: 1,
        perSource: 1,
        unauthenticated: 1,
        unauthenticatedPerSource: 1,
        loginGraceSeconds: 1,
      }),
      proxiesFrom: [],
      headerTimeout: 1,
      headersWaiting: 1,
      now: () => 0,
      onConnection: () => {},
      onRefused: () => {},
      onError: () => {},
    });
  using first = make();
  using second = make();
  const { port } = await first.listen({ host: '127.0.0.1', port: 0 });
  await expect(second.listen({ host: '127.0.0.1', port })).rejects.toThrow(ListenError);
  await expect(second.listen({ host: '127.0.0.1', port })).rejects.toThrow(`127.0.0.1 port ${port}`);
});
