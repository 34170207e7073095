// Shell integration through the whole gateway, with a real sshd and real shells: what runs was reported, judged and allowed,
// nobody sees how, and nothing of it is left on the device.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { PROMPT, ReportingStage, type Shell } from './reporting-stage.ts';

const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];
let stage: ReportingStage;

beforeAll(async () => {
  stage = await ReportingStage.open(SHELLS, { shellIntegration: true });
}, 240_000);

afterAll(() => stage[Symbol.asyncDispose]());

describe.each(SHELLS)('in %s', (shell) => {
  test('lines are reported, judged and run or stopped, and the user sees nothing of it', async () => {
    using terminal = await stage.integrated(shell);
    terminal.type(`echo one-''${shell}\r`);
    await terminal.until(`one-${shell}\r\n`);
    await terminal.until(PROMPT);

    terminal.type('touch canary\r');
    await terminal.until('Nobody touches anything here.');
    await terminal.until(PROMPT);
    expect(stage.exists(shell, 'canary')).toBe(false);

    terminal.type('mkdir made\r');
    await terminal.until('[y/N]');
    terminal.type('y\r');
    await eventually('what was confirmed', () => stage.exists(shell, 'made'));

    await terminal.until(PROMPT);
    terminal.type('mkdir given-up\r');
    await terminal.until('[y/N]');
    terminal.type('\x03');
    await terminal.until(PROMPT);
    expect(stage.exists(shell, 'given-up')).toBe(false);

    terminal.type('exit 7\r');
    expect((await terminal.ended()).code).toBe(7);
    expect(terminal.shown).not.toMatch(/7770|__sp/);
    await stage.row(shell, /^exit 7/);
    expect(await stage.rows(shell)).toMatchObject([
      { command: `echo one-''${shell}`, how: 'integrated', outcome: 'ran', detail: '' },
      { command: 'touch canary', how: 'integrated', outcome: 'blocked' },
      { command: 'mkdir made', how: 'integrated', outcome: 'ran' },
      { command: 'mkdir given-up', how: 'integrated', outcome: 'cancelled' },
      { command: 'exit 7', how: 'integrated', outcome: 'ran' },
    ]);
    expect(stage.holding(shell, '__sp')).toEqual([]);
    expect(stage.holding(shell, '7770')).toEqual([]);
  }, 180_000);
});

test('where no rule holds lines they are reported as well, and nothing waits for that', async () => {
  using terminal = await stage.integrated('free');
  terminal.type("echo one-''two\r");
  await terminal.until('one-two\r\n');
  await terminal.until(PROMPT);
  // Typed ahead of its prompt: nobody can be asked for it.
  terminal.type("sleep 0.5\recho three-''four\r");
  await terminal.until('three-four\r\n');
  await stage.row('free', /^echo three/);
  expect(await stage.rows('free')).toMatchObject([
    { command: "echo one-''two", how: 'integrated', outcome: 'ran' },
    { command: 'sleep 0.5', how: 'integrated' },
    { command: "echo three-''four", detail: 'not reported by the shell' },
  ]);
}, 240_000);
