// What a user may try who wants a report to say something else than what runs: each through the whole gateway, each with a
// canary that a blocked command would create. None may run, and each must be in the log for what it was.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import type { TypedTerminal } from '../harness/terminal.ts';
import { PROMPT, ReportingStage } from './reporting-stage.ts';

let stage: ReportingStage;

beforeAll(async () => {
  stage = await ReportingStage.open(['bash', 'zsh'], { shellIntegration: true });
}, 240_000);

afterAll(() => stage[Symbol.asyncDispose]());

/** Types a line, and waits for a word that only its output can hold. */
const lets = async (terminal: TypedTerminal, line: string, done: string): Promise<void> => {
  terminal.type(`${line}; echo ${done.slice(0, 2)}''${done.slice(2)}\r`);
  await terminal.until(new RegExp(`[\\r\\n]${done}[\\r\\n]`), 60_000);
  await terminal.until(PROMPT, 60_000);
};

const STOP = /Not run|could not be read|closed|ends/;

const attempt = async (terminal: TypedTerminal, line: string): Promise<void> => {
  terminal.type(line);
  await Promise.race([terminal.until(STOP, 60_000), terminal.ended(60_000)]);
};

test('a program that prints what the shell would say is not believed, with the right token neither', async () => {
  using terminal = await stage.integrated('bash');
  const forged = String.raw`printf '\033]7770;%s;r;0123456789abcdef;2;ls\007' "$__sp_t"`;
  await lets(terminal, `${forged} > forged; cat forged`, 'printed');
  await stage.event('SP_INTEGRATION_FORGED');
  // While the line is typed and submitted, a job prints it again and again.
  await lets(terminal, '{ (for i in 1 2 3 4 5 6 7 8; do sleep 0.1; cat forged; done) & }', 'begun');
  await attempt(terminal, 'touch canary-printed\r');
  expect(stage.exists('bash', 'canary-printed')).toBe(false);
  const row = await stage.row('bash', /touch canary-printed/);
  expect(row.outcome).toMatch(/blocked|refused/);
}, 240_000);

test('a shell that was made to lie is judged by what the screen shows', async () => {
  using terminal = await stage.integrated('bash');
  await lets(
    terminal,
    String.raw`__sp_r() { IFS= read -rsN 16 c </dev/tty; printf '\033]7770;%s;r;%s;2;ls\007' "$__sp_t" "$c" >/dev/tty; }`,
    'redefined',
  );
  await attempt(terminal, 'touch canary-lied\r');
  expect(stage.exists('bash', 'canary-lied')).toBe(false);
  const rows = await eventually('the row of the lie', async () => {
    const found = await stage.rows('bash');
    return found.some(({ candidates }) => candidates.includes('touch canary-lied')) ? found : undefined;
  });
  const row = rows.find(({ candidates }) => candidates.includes('touch canary-lied'));
  expect(row).toMatchObject({
    command: 'ls',
    outcome: 'blocked',
    detail: 'the screen does not show what the shell reported',
  });
}, 240_000);

test('a shell that was made silent is read by the screen, and its rows say so', async () => {
  using terminal = await stage.integrated('zsh');
  await lets(terminal, 'zle -D __sp_r', 'silenced');
  await attempt(terminal, 'touch canary-silent\r');
  expect(stage.exists('zsh', 'canary-silent')).toBe(false);
  const row = await stage.row('zsh', /touch canary-silent/);
  expect(row.outcome).toMatch(/blocked|refused/);
  expect(row.how).not.toBe('integrated');
  expect(row.detail).toContain('not reported by the shell');
}, 240_000);

test('a shell within the shell is read by the screen, and its rows say so', async () => {
  using terminal = await stage.integrated('bash');
  terminal.type('bash --norc\r');
  await terminal.until('bash-', 60_000);
  await attempt(terminal, 'touch canary-nested\r');
  expect(stage.exists('bash', 'canary-nested')).toBe(false);
  const row = await stage.row('bash', /touch canary-nested/);
  expect(row).toMatchObject({ outcome: 'blocked', detail: 'not reported by the shell' });
  expect(row.how).not.toBe('integrated');
}, 240_000);

test('an alias from a start-up file is judged by what it stands for', async () => {
  using terminal = await stage.integrated('zsh');
  await attempt(terminal, 'toucher canary-alias\r');
  expect(stage.exists('zsh', 'canary-alias')).toBe(false);
  expect(await stage.row('zsh', /toucher canary-alias/)).toMatchObject({
    how: 'integrated',
    outcome: 'blocked',
  });
}, 240_000);
