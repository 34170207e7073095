// The side channel with a real sshd: what is in the foreground and whether the terminal echoes is known, stands in the
// rows, keeps a password out of the log, and its end changes nothing but that.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { PROMPT, ReportingStage } from './reporting-stage.ts';

let stage: ReportingStage;

beforeAll(async () => {
  stage = await ReportingStage.open(['bash'], { sideChannel: true });
}, 240_000);

afterAll(() => stage[Symbol.asyncDispose]());

const happened = (code: string): Promise<unknown> =>
  eventually(code, () => logLines(stage.gateway).find((line) => line['code'] === code), 60_000);

test('tells what runs on the terminal, judges no less for it, and ends with the session', async () => {
  using terminal = stage.terminal('bash');
  await terminal.until(PROMPT, 60_000);
  await happened('SP_SIDE_CHANNEL_READY');
  terminal.type("cat; echo ba''ck\r");
  await terminal.until('\n', 60_000);
  terminal.type('to the cat\r');
  await terminal.until(/to the cat[\r\n]+to the cat/, 60_000);
  terminal.type('\x04');
  await terminal.until(/[\r\n]back[\r\n]/, 60_000);
  await terminal.until(PROMPT, 60_000);
  terminal.type("read -s word; echo re''ad\r");
  await terminal.until('\n', 60_000);
  terminal.type('hunter-two\r');
  await terminal.until(/[\r\n]read[\r\n]/, 60_000);
  await terminal.until(PROMPT, 60_000);
  terminal.type('touch canary\r');
  await terminal.until('Nobody touches anything here.', 60_000);
  expect(stage.exists('bash', 'canary')).toBe(false);
  terminal.type('exit\r');
  await terminal.ended(60_000);

  await stage.row('bash', /^exit/);
  const rows = await stage.rows('bash');
  expect(rows.find(({ command }) => command === 'to the cat')?.detail).toBe('cat is in the foreground');
  expect(rows.find(({ command }) => command === 'touch canary')).toMatchObject({
    outcome: 'blocked',
    detail: '',
  });
  expect(JSON.stringify(rows)).not.toContain('hunter-two');
}, 240_000);

test('that the device does not let run changes nothing', async () => {
  const { gateway } = stage;
  using terminal = stage.terminal('bash');
  await terminal.until(PROMPT, 60_000);
  await eventually(
    'a second side channel',
    () => logLines(gateway).filter((line) => line['code'] === 'SP_SIDE_CHANNEL_READY').length >= 2,
    60_000,
  );
  // It ends from the device's side, as whoever owns the account can make it.
  terminal.type("pkill -u $(id -u) -f 'while read -r q'; echo ki''lled\r");
  await terminal.until(/[\r\n]killed[\r\n]/, 60_000);
  await happened('SP_SIDE_CHANNEL_GONE');
  terminal.type('touch canary\r');
  await terminal.until('Nobody touches anything here.', 60_000);
  expect(stage.exists('bash', 'canary')).toBe(false);
}, 240_000);
