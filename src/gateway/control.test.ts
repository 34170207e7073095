import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { liveSessions, reloadGateway, sendOrder } from './control-client.ts';
import { ControlError, openControlServer } from './control-server.ts';
import type { ControlAnswer, ControlRequest } from './messages.ts';

const data = mkdtempSync(join(tmpdir(), 'sallyport-control-'));
afterAll(() => rmSync(data, { recursive: true }));

const heard: ControlRequest[] = [];
const serve = async (request: ControlRequest): Promise<ControlAnswer> => {
  heard.push(request);
  if (request.do === 'sessions') return { kind: 'sessions', sessions: [] };
  if (request.do === 'order') return { kind: 'delivered', sessions: 1 };
  return { kind: 'refused', code: 'config', text: 'sallyport.yaml:1:1: wrong' };
};

const raw = async (bytes: string): Promise<string> => {
  const socket = connect(join(data, 'control.sock'));
  socket.on('error', () => {});
  socket.write(bytes);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return String(answer);
};

test('answers its owner, and nobody else may open it', async () => {
  await using server = await openControlServer(data, serve);
  expect(statSync(server.path).mode & 0o777).toBe(0o600);
  expect(await liveSessions({ data })).toEqual([]);
  expect(await sendOrder({ data }, 's1', { kind: 'hold' })).toBe(true);
  expect(heard.at(-1)).toEqual({ do: 'order', session: 's1', order: { kind: 'hold' } });
});

test('what the gateway refuses comes out as its text', async () => {
  await using _server = await openControlServer(data, serve);
  await expect(reloadGateway({ data })).rejects.toThrow('sallyport.yaml:1:1: wrong');
});

test('what is no request is refused, and so is a line without an end', async () => {
  await using _server = await openControlServer(data, serve);
  expect(await raw('{"do":"anything"}\n')).toContain('not-understood');
  expect(await raw('{"do":"order","session":"s","order":{"kind":"hold"},"more":1}\n')).toContain(
    'not-understood',
  );
  expect(await raw('nonsense\n')).toContain('not-understood');
  expect(await raw('x'.repeat(20_000))).toContain('too-long');
});

test('requests of one connection are answered in order', async () => {
  await using _server = await openControlServer(data, serve);
  const socket = connect(join(data, 'control.sock'));
  socket.write('{"do":"sessions"}\n{"do":"order","session":"s","order":{"kind":"release"}}\n');
  let text = '';
  while (text.split('\n').length < 3) text += String((await once(socket, 'data'))[0]);
  socket.destroy();
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).kind),
  ).toEqual(['sessions', 'delivered']);
});

test('of gateways that start at the same time on what a crash left, one runs', async () => {
  for (let round = 0; round < 5; round += 1) {
    writeFileSync(join(data, 'control.sock'), '');
    const started = await Promise.allSettled(Array.from({ length: 4 }, () => openControlServer(data, serve)));
    const running = started.filter((one) => one.status === 'fulfilled');
    expect(running).toHaveLength(1);
    for (const one of started)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'SP_CONTROL_BUSY' });
    expect(await liveSessions({ data })).toEqual([]);
    for (const one of running) await one.value[Symbol.asyncDispose]();
  }
});

test('a process that is killed leaves no lock behind', async () => {
  const file = new URL('data-lock.ts', import.meta.url).href;
  const script = `import { lockData } from '${file}';
    process.send(lockData('${data}') !== undefined);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
  });
  const [locked] = await once(child, 'message');
  expect(locked).toBe(true);
  await expect(openControlServer(data, serve)).rejects.toMatchObject({ code: 'SP_CONTROL_BUSY' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await using _server = await openControlServer(data, serve);
});

test('a second gateway on the same folder is refused, and what a crash left is replaced', async () => {
  {
    await using _server = await openControlServer(data, serve);
    await expect(openControlServer(data, serve)).rejects.toMatchObject({ code: 'SP_CONTROL_BUSY' });
  }
  writeFileSync(join(data, 'control.sock'), '');
  chmodSync(join(data, 'control.sock'), 0o644);
  await using again = await openControlServer(data, serve);
  expect(await liveSessions({ data })).toEqual([]);
  expect(statSync(again.path).mode & 0o777).toBe(0o600);
});

test('without a gateway the client says so', async () => {
  const error = await liveSessions({ data: join(data, 'nowhere') }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ControlError);
  expect(error).toMatchObject({ code: 'SP_NOT_RUNNING' });
});
