// Programs that take the first keys of a line and leave the rest of it to the shell, at a prompt that they have imitated or
// without one, and prompts that hide where a line begins: what was judged is not what runs. Each attack must leave no
// canary behind, the log must say what was tried, and text that programs read as a whole must still reach them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../gateway/gateway-events.ts';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { PROMPT, type Shell, Stage, untilDone } from './stage.ts';

const able = isRoot && haveSshd && have('zsh', 'fish');
let stage: Stage;
let number = 0;
const canaryName = (): string => `k${++number}x`;

const EATERS: readonly { readonly shell: Shell; readonly program: string }[] = [
  { shell: 'bash', program: 'read -n1 x; sleep 3' },
  { shell: 'bash', program: 'head -c1; sleep 3' },
  { shell: 'zsh', program: 'read -k1 x; sleep 3' },
  { shell: 'dash', program: 'head -c1; sleep 3' },
];

/** What is typed, and how long after it more is: until the prompt that it imitates stands there. */
const FORGERS: readonly {
  readonly name: string;
  readonly shell: Shell;
  readonly lines: readonly string[];
}[] = [
  {
    name: 'the prompt',
    shell: 'bash',
    lines: ["printf 'ready> '; read -n1 x; sleep 3\r", 'qtouch CANARY\r'],
  },
  {
    name: 'the prompt, by the shell',
    shell: 'bash',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's.
    lines: ['printf %s "${PS1@P}"; read -n1 x; sleep 3\r', 'qtouch CANARY\r'],
  },
  {
    name: 'a line editor',
    shell: 'bash',
    lines: ["printf '\\e[?2004hready> '; read -n1 x; sleep 3\r", 'qtouch CANARY\r'],
  },
  {
    name: 'a line editor that draws anew what is going to be typed',
    shell: 'bash',
    lines: [
      `trap 'printf "\\r\\e[Kready> qtouch CANARY"' WINCH; printf '\\e[?2004hready> '; read -n1 x; sleep 4 & wait\r`,
      'qtouch CANARY\r',
    ],
  },
  {
    name: 'the first letter, in the next prompt',
    shell: 'bash',
    lines: ["PS1='ready> q'; printf 'ready> '; read -n1 x; printf '\\r'\r", 'q', 'touch CANARY\r'],
  },
  { name: 'the prompt', shell: 'zsh', lines: ["printf 'ready> '; read -k1 x; sleep 3\r", 'qtouch CANARY\r'] },
  {
    name: 'a line editor',
    shell: 'fish',
    lines: ["printf '\\e[?2004hready> '; head -c1; sleep 3\r", 'qtouch CANARY\r'],
  },
  {
    name: 'a line editor that takes pastes',
    shell: 'bash',
    lines: [
      "printf '\\e[?2004hready> '; head -c7 >notes; sleep 2\r",
      '\x1b[200~qtouch CANARY\necho b\n\x1b[201~',
    ],
  },
  {
    name: 'a prompt with a line behind it',
    shell: 'zsh',
    lines: ["PS1='other> '; print 'print -z touch CANARY' > notes; . ./notes; printf 'ready> \\r'\r", '\r'],
  },
  { name: 'the prompt', shell: 'dash', lines: ["printf 'ready> '; head -c1 >notes\r", 'qtouch CANARY\r'] },
];

describe.skipIf(!able)('a program that takes the first keys', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash', 'zsh', 'fish', 'dash']);
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

  for (const { name, shell, lines } of FORGERS) {
    it.concurrent(`behind an imitation of ${name} leaves none either (${shell})`, async ({ expect }) => {
      const canary = canaryName();
      using terminal = await stage.shell('alice', shell);
      for (const [index, line] of lines.entries()) {
        terminal.type(line.replaceAll('CANARY', canary));
        // The imitation is to stand there when the next keys come.
        if (index < lines.length - 1) await terminal.until(/[\r\nhl]ready> q?/);
      }
      // What was typed anew, whole, at a prompt that is one is no command.
      await terminal.until(/Not run\. Nothing proves|qtouch: command not found/, 30_000);
      await untilDone(terminal, `fin${canary}`);
      expect(stage.exists(shell, canary), 'the canary exists').toBe(false);
    });
  }

  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    it.concurrent(`is not thought to be where the shell reads a line that ends like a command (${shell})`, async () => {
      using terminal = await stage.shell('alice', shell);
      terminal.type('cd .\r');
      await terminal.until('ready> ');
      terminal.type('echo honest touch\r');
      await terminal.until(/(?:[\r\n]|\x1b\(B\x1b\[m)honest touch/, 20_000);
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
    const refused = rows.filter(({ outcome }) => outcome === 'refused');
    // Of one nothing was typed, and one could be made out before a prompt came: its line ran as a whole there.
    expect(refused.length).toBeGreaterThanOrEqual(EATERS.length + FORGERS.length - 2);
    for (const { detail, command, rules } of refused) {
      expect(detail).toContain(
        `its end "${command.slice(1).replaceAll('\n', ' ')}", which a shell could read, is not allowed`,
      );
      expect(rules).toEqual([]);
    }
  });
});
