// Programs that take the first keys of a line and leave the rest of it to the shell: what was judged is not what runs.
// Each attack must leave no canary behind, the log must say what was tried, and text that programs read as a whole must
// still reach them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { PROMPT, type Shell, Stage, untilDone } from './stage.ts';

const able = isRoot && haveSshd && have('zsh');
let stage: Stage;
let number = 0;
const canaryName = (): string => `k${++number}x`;

const EATERS: readonly { readonly shell: Shell; readonly program: string }[] = [
  { shell: 'bash', program: 'read -n1 x; sleep 3' },
  { shell: 'bash', program: 'head -c1; sleep 3' },
  { shell: 'zsh', program: 'read -k1 x; sleep 3' },
  { shell: 'dash', program: 'head -c1; sleep 3' },
];

describe.skipIf(!able)('a program that takes the first keys', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash', 'zsh', 'dash']);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const { shell, program } of EATERS) {
    it(`leaves no command to the shell: ${program} (${shell})`, async () => {
      const canary = canaryName();
      using terminal = await stage.shell('alice', shell);
      terminal.type(`${program}\r`);
      terminal.type(`qtouch ${canary}\r`);
      await terminal.until(/Not run\. Something else than a prompt reads here/, 20_000);
      await untilDone(terminal, `fin${canary}`);
      stage.expectStopped(shell, canary, new RegExp(`^qtouch ${canary}$`));
    });
  }

  it('gets lines of text that hold no such end, with quotes and all', async () => {
    using terminal = await stage.shell('alice', 'bash');
    const lines = ["Don't ask", 'what "it" (and that) is;', "it's `here` $and there"];
    terminal.type('cat > notes\r');
    terminal.type(`${lines.join('\r')}\r\x04`);
    await terminal.until(PROMPT);
    const notes = (): string => readFileSync(join(stage.home('bash'), 'notes'), 'utf8');
    await eventually('the text', () => notes() === `${lines.join('\n')}\n`, 20_000);
  });

  it('is in the log with the end that was not allowed', async () => {
    await stage.expectLogged();
    const rows = (await stage.log()).filter(({ command }) => command.startsWith('qtouch'));
    expect(rows.map(({ outcome }) => outcome)).toEqual(EATERS.map(() => 'refused'));
    for (const { detail, command, rules } of rows) {
      expect(detail).toContain(`its end "${command.slice(1)}", which a shell could read, is not allowed`);
      expect(rules).toEqual([]);
    }
  });
});
