// Where connections go. Workers are functions here: what a process is has no part in it.
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createLog } from './log.ts';
import type { ToWorker } from './messages.ts';
import { type WorkerEvents, WorkerPool } from './worker-pool.ts';

async function startPool() {
  const events: WorkerEvents[] = [];
  const given: number[] = [];
  const pool = new WorkerPool({
    count: 2,
    start: (index, told) => {
      events[index] = told;
      setImmediate(() => told.onMessage({ kind: 'up', nativeCrypto: true }));
      return {
        pid: index + 1,
        send: (message: ToWorker) => {
          if (message.kind === 'connection') given.push(index);
          if (message.kind === 'stop') setImmediate(() => told.onExit('stopped'));
        },
        kill: () => told.onExit('killed'),
      };
    },
    log: createLog({ level: 'fatal', pretty: false }),
    onMessage: () => {},
    onLost: () => {},
  });
  await pool.start();
  let ticket = 0;
  const connect = (): number | undefined => {
    ticket += 1;
    const peer = { sourceAddress: '192.0.2.1', sourcePort: 1, localAddress: '192.0.2.2', localPort: 22 };
    pool.hand({ ...peer, ticket, begun: Buffer.alloc(0), socket: new Socket() });
    return given.at(-1);
  };
  return { pool, events, connect };
}

test('connections go to the worker with the fewest, but not to one that is busy with a transfer', async () => {
  const { pool, events, connect } = await startPool();
  expect([connect(), connect(), connect(), connect()]).toEqual([0, 1, 0, 1]);
  events[0]?.onMessage({ kind: 'transferring', on: true });
  expect([connect(), connect(), connect()]).toEqual([1, 1, 1]);
  events[0]?.onMessage({ kind: 'transferring', on: false });
  expect([connect(), connect(), connect()]).toEqual([0, 0, 0]);
  await pool.stop(1000);
});

test('a transfer does not push everybody else onto one worker', async () => {
  const { pool, events, connect } = await startPool();
  events[0]?.onMessage({ kind: 'transferring', on: true });
  const given = Array.from({ length: 100 }, connect);
  expect(given.filter((index) => index === 0)).toHaveLength(34);
  await pool.stop(1000);
});
