import { expect, test } from 'vitest';
import { createLog, type Log, type LogOptions } from './log.ts';

const collected = (options: Partial<LogOptions> = {}): { log: Log; lines: string[] } => {
  const lines: string[] = [];
  const log = createLog({
    level: 'info',
    pretty: false,
    ...options,
    sink: { write: (line) => lines.push(line) },
  });
  return { log, lines };
};

test('an event is one JSON line with a level, a time and a stable name', () => {
  const { log, lines } = collected();
  log.info('session.started', { session: 'x1', text: 'alice on web1' });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'info',
    event: 'session.started',
    session: 'x1',
    msg: 'alice on web1',
    time: expect.stringMatching(/^\d{4}-/),
  });
});

test('secrets do not reach the log, however deep, nor in a URL', () => {
  const { log, lines } = collected();
  log.info('store.opened', {
    password: 'hunter2',
    nested: { privateKey: 'hunter2', list: [{ totpSecret: 'hunter2' }] },
    url: 'postgres://sallyport:hunter2@db/x',
    raw: Buffer.from('hunter2'),
    error: new Error('connect postgres://sallyport:hunter2@db/x failed'),
  });
  expect(lines.join('')).not.toContain('hunter2');
  expect(lines.join('')).toContain('postgres://sallyport:[redacted]@db/x');
});

test.each([false, true])('escape sequences from a user never come out raw (pretty: %s)', (pretty) => {
  const { log, lines } = collected({ pretty });
  const nasty = 'a\u001b]0;owned\u0007\r\n{"event":"forged"}\u202e\u009b1m';
  log.warn('login.refused', { user: nasty, text: nasty, [nasty]: 1, error: new Error(nasty) });
  const output = lines.join('');
  // pino-pretty itself ends its one line with a newline; nothing else may be a control character.
  expect(output.replace(/\n$/, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
});

test('the level is a floor that can change, and what is waited for is written regardless', () => {
  const { log, lines } = collected({ level: 'error' });
  log.info('quiet');
  expect(lines).toHaveLength(0);
  log.always('gateway.ready');
  expect(lines).toHaveLength(1);
  log.info('quiet');
  expect(lines).toHaveLength(1);
  log.setLevel('info');
  log.info('heard');
  expect(lines).toHaveLength(2);
});

test('fields of a derived log are on each of its lines', () => {
  const { log, lines } = collected();
  log.with({ worker: 1, password: 'hunter2' }).info('a');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ worker: 1, password: '[redacted]' });
});

test('long and deep values are cut', () => {
  const { log, lines } = collected();
  let deep: unknown = 'end';
  for (let level = 0; level < 100; level++) deep = { deep };
  log.info('a', { long: 'x'.repeat(1_000_000), deep, many: Array.from({ length: 1_000_000 }, () => 1) });
  expect(lines.join('').length).toBeLessThan(10_000);
});
