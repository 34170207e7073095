// Attacks on the reading of a line that are not on the list: editors' lesser keys, pastes cut in two, terminals that
// answer what nobody asked, shells' own ways to run something else than what was typed, and multiplexers. Each must leave
// no canary behind, and the log must say what was tried.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { PROMPT, type Shell, Stage, untilDone, untilStopped } from './stage.ts';

const able = isRoot && haveSshd && have('zsh', 'fish');
let stage: Stage;
let number = 0;
const canaryName = (): string => `f${++number}x`;
/** Whether ESC is a key or the beginning of one is a matter of time. */
const PAUSE = 'pause';
const touching = (canary: string): RegExp => new RegExp(`touch\\s.*${canary}`, 's');

interface Attack {
  readonly name: string;
  readonly shells: readonly Shell[];
  /** Lines that are typed at a prompt before, each with its Return. */
  readonly before?: (canary: string) => readonly string[];
  /** The keys; several strings are sent one right after the other. */
  readonly keys: (canary: string) => readonly string[];
  readonly history?: (canary: string) => readonly string[];
  readonly tried?: (canary: string) => RegExp;
  /** What must be seen before anything more is typed: Ctrl-C gives up what still waits. */
  readonly seen?: RegExp;
  /** Nothing is said about it: it is enough that nothing ran. */
  readonly silent?: true;
  /** What it leaves behind is no prompt that another attack could use. */
  readonly fresh?: true;
}

const ATTACKS: readonly Attack[] = [
  {
    name: 'letters transposed',
    shells: ['bash', 'zsh'],
    keys: (c) => [`otuch ${c}`, '\x01', '\x06', '\x14', '\x05', '\r'],
  },
  {
    name: 'the case changed',
    shells: ['bash', 'zsh'],
    keys: (c) => [`TOUCH ${c}`, '\x01', '\x1bl', '\x05', '\r'],
  },
  {
    name: 'killed, and put back on another line',
    shells: ['bash', 'zsh'],
    keys: (c) => [`touch ${c}`, '\x15', 'echo hi\r', '\x19', '\r'],
  },
  { name: 'undone', shells: ['bash', 'zsh'], keys: (c) => [`touch ${c}`, '\x15', '\x1f', '\r'] },
  {
    name: 'the last argument of the line before',
    shells: ['bash', 'zsh'],
    before: () => ['echo touch'],
    keys: (c) => ['\x1b.', ` ${c}`, '\r'],
  },
  {
    name: 'a line feed that was quoted into the line',
    seen: /Not run|closed/,
    tried: () => /touch|echo a/,
    shells: ['bash', 'zsh', 'dash'],
    keys: (c) => ['echo a', '\x16', '\n', `touch ${c}`, '\r'],
  },
  {
    name: 'a Return that was quoted into the line',
    seen: /Not run|could not be read|closed/,
    tried: () => /touch|echo a/,
    shells: ['bash', 'zsh', 'dash'],
    keys: (c) => ['echo a;', '\x16', '\r', `touch ${c}`, '\r'],
  },
  {
    name: 'recalled in vi mode',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    before: () => ['set -o vi'],
    keys: () => ['\x1b', PAUSE, 'kk', '\r'],
    fresh: true,
  },
  {
    name: 'searched for in vi mode',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    before: () => ['set -o vi'],
    keys: () => ['\x1b', PAUSE, '/touch\r', PAUSE, '\r'],
    silent: true,
    fresh: true,
  },
  {
    name: 'a search that ends with a line feed',
    shells: ['bash', 'zsh'],
    history: (c) => [`touch ${c}`],
    keys: () => ['\x12', 'touch', '\n'],
    fresh: true,
  },
  {
    name: 'a paste whose marks come in pieces',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => ['\x1b[20', `0~touch ${c}\n`, '\x1b[20', '1~', '\r'],
  },
  {
    name: 'an end of a paste within the end of a paste',
    seen: /Not run|could not be read/,
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => [`\x1b[200~echo a\x1b[20\x1b[201~1~`, `\ntouch ${c}\r`],
  },
  {
    name: 'letters within a mouse report',
    shells: ['bash', 'zsh'],
    keys: (c) => ['\x1b[Mtou', `ch ${c}`, '\r'],
    tried: (c) => new RegExp(c),
  },
  {
    name: "letters within the terminal's own answers",
    shells: ['bash', 'zsh'],
    keys: (c) => ['\x1b[?t', '\x1b[?o', '\x1b[?u', '\x1b[?c', '\x1b[?h', ` ${c}`, '\r'],
    tried: (c) => new RegExp(c),
  },
  {
    name: 'Ctrl-J as a keyboard protocol reports it',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => [`touch ${c}`, '\x1b[106;5u', '\r'],
  },
  {
    name: 'typed while the output is stopped',
    shells: ['bash', 'zsh'],
    keys: (c) => ['\x13', `touch ${c}\r`, '\x11', '\r'],
    tried: (c) => new RegExp(c),
  },
  {
    name: 'recalled ahead, behind a slow command',
    shells: ['bash', 'zsh'],
    history: (c) => [`touch ${c}`],
    keys: () => ['sleep 2\r', '\x1b[A\x1b[A', '\r'],
    silent: true,
    fresh: true,
  },
  {
    name: 'typed behind a prompt that no longer shows',
    seen: /Not run|could not be read|closed/,
    shells: ['bash'],
    before: () => ['exec 2>/dev/null'],
    keys: (c) => [`touch ${c}\r`],
    // Without an echo it counts as a secret, and the log does not tell it.
    silent: true,
    fresh: true,
  },
  {
    name: 'recalled behind a prompt that no longer shows',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    keys: () => ['exec 2>/dev/null\r', '\x1b[A\x1b[A', '\r'],
    silent: true,
    fresh: true,
  },
  {
    name: 'a prompt that makes a comment of what is read, under a false full-screen program',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    before: () => ["git() { printf '\\033[?1049h'; PS1='# '; }"],
    keys: () => ['git\r', '\x1b[A\x1b[A\x1b[A', '\r'],
    fresh: true,
  },
  {
    name: 'a prompt that has grown by what makes a comment of the line',
    shells: ['bash', 'zsh'],
    keys: (c) => ["PS1='ready> # '\r", `touch ${c}\r`],
    fresh: true,
  },
  {
    name: 'recalled behind such a prompt',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    keys: () => ["PS1='ready> echo '\r", '\x1b[A\x1b[A', '\r'],
    fresh: true,
  },
  {
    name: 'lines for source',
    shells: ['bash', 'zsh'],
    keys: (c) => ['source /dev/stdin\r', `touch ${c}\r`],
    fresh: true,
  },
  {
    name: 'a script written by a here-document',
    shells: ['bash', 'zsh', 'dash'],
    keys: (c) => ['cat > f.sh <<E\r', `touch ${c}\r`, 'E\r', 'sh f.sh\r'],
    fresh: true,
  },
  {
    name: 'another character for history',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    keys: () => ["histchars='@^#'\r", '@touch\r'],
    tried: () => /histchars/,
    fresh: true,
  },
  {
    name: 'a command corrected by the shell',
    shells: ['zsh'],
    keys: (c) => ['setopt correct\r', `tuoch ${c}\r`, 'y'],
    tried: () => /setopt correct/,
    fresh: true,
  },
  {
    name: 'keys from a settings file',
    shells: ['bash'],
    before: () => [`printf '"\\C-t": accept-line\\n' > rc`],
    keys: (c) => ['INPUTRC=rc bash\r', `touch ${c}`, '\x14'],
    tried: () => /INPUTRC/,
    fresh: true,
  },
  { name: 'an abbreviation', shells: ['fish'], keys: (c) => [`abbr -a xx touch ${c}\r`, 'xx\r'] },
  { name: 'a path that zsh finds', shells: ['zsh'], keys: (c) => [`=touch ${c}\r`] },
  { name: 'a loop in short', shells: ['zsh'], keys: (c) => [`for i (1) touch ${c}\r`] },
  { name: 'an alias for a suffix', shells: ['zsh'], keys: (c) => [`alias -s txt='touch ${c}'\r`] },
  {
    name: 'a glob that runs something',
    shells: ['zsh'],
    keys: (c) => [`echo *(e:'touch ${c}':)\r`],
  },
  {
    name: 'completion within a substitution',
    shells: ['bash', 'zsh'],
    keys: (c) => [`echo $(touch ${c}) \t`],
    tried: () => /key \^I/,
  },
  {
    name: 'a macro of keys',
    shells: ['bash'],
    keys: (c) => ['\x18(', `touch ${c}`, '\x18)', '\x18e', '\r'],
  },
  {
    name: 'run when a trap fires',
    shells: ['bash', 'zsh', 'dash'],
    keys: (c) => [`trap 'touch ${c}' EXIT\r`],
  },
  { name: 'run before each prompt', shells: ['bash'], keys: (c) => [`PROMPT_COMMAND='touch ${c}'\r`] },
  { name: 'run by the prompt itself', shells: ['bash'], keys: (c) => [`PS1='$(touch ${c})ready> '\r`] },
  { name: 'a co-process', shells: ['bash', 'zsh'], keys: (c) => [`coproc touch ${c}\r`] },
  { name: 'a quoted subscript', shells: ['bash'], keys: (c) => [`test -v 'a[$(touch ${c})]'\r`] },
  {
    name: 'a value expanded as a prompt',
    shells: ['bash'],
    keys: (c) => [`x='$(touch ${c})'; echo "\${x@P}"\r`],
  },
  {
    name: 'another name for the program',
    shells: ['bash', 'zsh'],
    keys: (c) => [`hash -p /usr/bin/touch ll; ll ${c}\r`],
  },
  {
    name: 'the dynamic loader',
    shells: ['bash'],
    keys: (c) => [`/lib64/ld-linux-x86-64.so.2 /usr/bin/touch ${c}\r`],
  },
  {
    name: 'a line of 70,000 characters',
    shells: ['bash'],
    keys: (c) => [`echo ${'k'.repeat(70_000)}; touch ${c}\r`],
    tried: () => /k{100}/,
    fresh: true,
  },
];

describe.skipIf(!able)('attacks on lines', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash', 'zsh', 'fish', 'dash']);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const attack of ATTACKS) {
    for (const shell of attack.shells) {
      it(`${attack.name} (${shell})`, async () => {
        const canary = canaryName();
        const own = attack.history !== undefined || attack.fresh === true;
        if (attack.history !== undefined)
          writeFileSync(join(stage.home(shell), '.history'), `${attack.history(canary).join('\n')}\n`);
        const terminal = await (own ? stage.shell('alice', shell) : stage.borrow('alice', shell));
        if (attack.history !== undefined && shell === 'zsh') {
          terminal.type('fc -R\r');
          await terminal.until(PROMPT);
        }
        for (const line of attack.before?.(canary) ?? []) {
          terminal.type(`${line}\r`);
          await terminal.until(PROMPT).catch(() => undefined);
        }
        for (const keys of attack.keys(canary)) {
          if (keys === PAUSE) await pause(200);
          else terminal.type(keys);
        }
        if (attack.seen !== undefined) await terminal.until(attack.seen, 30_000);
        else if (attack.silent !== true) await untilStopped(terminal);
        const state = await untilDone(terminal, `fin${canary}`, attack.silent === true).catch(
          () => 'ended' as const,
        );
        if (own) terminal[Symbol.dispose]();
        else stage.giveBack('alice', shell, terminal, state);
        if (attack.silent === true) expect(stage.exists(shell, canary)).toBe(false);
        else stage.expectStopped(shell, canary, attack.tried?.(canary) ?? touching(canary));
      });
    }
  }

  it('are all in the log as what they were', async () => {
    await stage.expectLogged();
  });
});
