// What is remembered of a device's output, whatever becomes of the memory in which it came.
import { expect, test } from 'vitest';
import { EchoLog } from './echo-witness.ts';

/** Gives output as the relay does: in memory that is used again as soon as the call returns. */
function lend(log: EchoLog, text: string): void {
  const lent = Buffer.from(text);
  log.saw(lent);
  lent.fill(0x78);
}

test('what came back is known, though its memory is used again', () => {
  const log = new EchoLog();
  lend(log, 'before');
  const witness = log.witness();
  expect(witness.silent).toBe(true);
  for (const letter of 'uptime') lend(log, letter);
  expect(witness.silent).toBe(false);
  expect(witness.holds('uptime')).toBe(true);
  expect(witness.holds('before')).toBe(false);
});

test.each([1, 700, 4_095, 70_000])('of much output the end is kept, in pieces of %i bytes', (size) => {
  const log = new EchoLog();
  const witness = log.witness();
  const text = `${'early '.repeat(12_000)}the end`;
  for (let at = 0; at < text.length; at += size) lend(log, text.slice(at, at + size));
  expect(log.total).toBe(text.length);
  expect(log.since(0)).toBe(text.slice(-16_384));
  expect(witness.holds('the end')).toBe(true);
});
