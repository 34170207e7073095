// Attacks by the way in which a command is typed, pasted, recalled or finished: rows 1 to 9, 14, 16, 17, 24, 25, 28 and
// 30 of the list. Each must leave no canary behind, and the log must say what was tried.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { type Shell, Stage, untilDone, untilStopped } from './stage.ts';

/** What became of something is written a moment after its user has been told. */
const STORED = { timeout: 20_000 };

const able = isRoot && haveSshd && have('zsh', 'fish');
let stage: Stage;
let number = 0;

/** A canary of one's own for each attack. */
const canaryName = (): string => `c${++number}`;

interface Attack {
  readonly name: string;
  readonly shells?: readonly Shell[];
  /** The keys; several strings are sent one right after the other. */
  readonly keys: (canary: string) => readonly string[];
  /** What the shell's history holds before. */
  readonly history?: (canary: string) => readonly string[];
  readonly tried?: (canary: string) => RegExp;
  /** What must be seen before anything more is typed: Ctrl-C gives up what is typed ahead. */
  readonly seen?: RegExp;
}

const ALL: readonly Shell[] = ['bash', 'zsh', 'fish', 'dash'];
const touching = (canary: string): RegExp => new RegExp(`touch\\s.*${canary}`, 's');

const ATTACKS: readonly Attack[] = [
  { name: '1: typed, in one chunk with Return', shells: ALL, keys: (c) => [`touch ${c}\r`] },
  { name: '1: typed, then Return', shells: ALL, keys: (c) => [`touch ${c}`, '\r'] },
  { name: '2: three lines pasted as keys', shells: ALL, keys: (c) => [`echo a\rtouch ${c}\recho b\r`] },
  {
    name: '2: three lines pasted in brackets',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => [`\x1b[200~echo a\rtouch ${c}\recho b\x1b[201~`, '\r'],
  },
  {
    name: '3: the last letter and Return in one chunk before the echo',
    shells: ALL,
    keys: (c) => [`touch ${c.slice(0, -1)}`, `${c.slice(-1)}\r`],
  },
  { name: '4: a blank and Return before the echo', shells: ALL, keys: (c) => [`touch ${c}`, ' \r'] },
  {
    // Where an editor takes pastes, the second beginning is text; here it would have been a key.
    name: '2: a paste that begins twice',
    shells: ['dash'],
    keys: (c) => [`\x1b[200~\x1b[200~touch ${c}\n\x1b[201~`],
  },
  { name: '5: a lone line feed', shells: ALL, keys: (c) => [`touch ${c}\n`] },
  {
    name: '6: Ctrl-O on a recalled line',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    keys: () => ['\x1b[A', '\x0f'],
  },
  {
    name: '7: completion and a long tail',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => ['touc\t', ` ${'x'.repeat(100)} ${c}\r`],
  },
  {
    name: '8: a word across a read of 1,024 bytes',
    shells: ALL,
    keys: (c) => [`echo ${'x'.repeat(1022 - 7)}; touch ${c}\r`],
  },
  {
    name: '9: a recalled line wider than the screen',
    shells: ['bash', 'zsh'],
    history: (c) => [`echo ${'x'.repeat(200)}; touch ${c}`],
    keys: () => ['\x1b[A', '\r'],
  },
  {
    name: '9: recalled with two rows, and submitted from the first',
    shells: ['zsh'],
    history: (c) => ['echo a\\', `touch ${c}`],
    keys: () => ['\x1b[A', '\x1b[A', '\r'],
  },
  {
    name: '9: a typed line wider than the screen',
    shells: ALL,
    keys: (c) => [`echo ${'y'.repeat(300)}; touch ${c}`, '\r'],
  },
  {
    name: '14: continued on the next line',
    shells: ['bash', 'zsh', 'dash'],
    keys: (c) => ['to\\\r', `uch ${c}\r`],
  },
  {
    name: '14: a quote across lines',
    shells: ['bash', 'zsh', 'dash'],
    keys: (c) => ["echo '\r", `'; touch ${c}\r`],
  },
  { name: '14: quotes and backslashes in the word', shells: ALL, keys: (c) => [`t'ou'c"h" ${c}\r`] },
  {
    name: '17: found by incremental search',
    shells: ['bash'],
    history: (c) => [`touch ${c}`],
    keys: () => ['\x12', 'touch', '\r'],
  },
  { name: '17: !touch', shells: ['bash'], history: (c) => [`touch ${c}`], keys: () => ['!touch\r'] },
  {
    name: '17: !!:s/a/b/',
    shells: ['bash', 'zsh'],
    history: (c) => [`echo ${c}`],
    keys: () => ['!!:s/echo/touch/\r'],
  },
  {
    name: '17: ^a^b',
    shells: ['bash', 'zsh'],
    history: (c) => [`echo ${c}`],
    keys: () => ['^echo^touch^\r'],
  },
  {
    name: '28: Return as the kitty protocol sends it',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => [`touch ${c}`, '\x1b[13u', '\r'],
  },
  {
    name: '28: Return as modifyOtherKeys sends it',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => [`touch ${c}`, '\x1b[27;5;13~', '\r'],
  },
  {
    name: '28: focus and mouse in between',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => ['tou\x1b[I', `ch ${c}\x1b[O`, '\x1b[<0;3;3M', '\r'],
  },
  {
    name: '24: wide, combining and bidirectional characters',
    shells: ['bash', 'zsh', 'fish'],
    keys: (c) => [`echo 日本語 e\u0301 \u202eabc; touch ${c}`, '\r'],
  },
  {
    name: '24: a line of 4,000 columns',
    shells: ['bash', 'zsh'],
    keys: (c) => [`echo ${'z'.repeat(3_950)}; touch ${c}`, '\r'],
  },
  {
    name: '24: NUL and C1 bytes in the word',
    shells: ['bash', 'zsh'],
    keys: (c) => [`to\0uch ${c}`, '\x9b', '\r'],
  },
  {
    name: '25: typed ahead behind a slow command',
    shells: ['bash', 'zsh', 'dash'],
    seen: /Not run/,
    keys: (c) => ['sleep 0.6\r', `touch ${c}\r`],
  },
  {
    name: '25: many lines in one burst behind a slow command',
    shells: ['bash', 'zsh'],
    seen: /Not run/,
    keys: (c) => [`sleep 0.4\r${Array.from({ length: 20 }, (_, i) => `echo ${i}\r`).join('')}touch ${c}\r`],
  },
];

describe.skipIf(!able)('typed attacks', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash', 'zsh', 'fish', 'dash']);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const attack of ATTACKS) {
    for (const shell of attack.shells ?? ['bash']) {
      it(`${attack.name} (${shell})`, async () => {
        const canary = canaryName();
        const fresh = attack.history !== undefined;
        if (fresh) {
          const lines = attack.history?.(canary) ?? [];
          writeFileSync(join(stage.home(shell), '.history'), `${lines.join('\n')}\n`);
        }
        const terminal = await (fresh ? stage.shell('alice', shell) : stage.borrow('alice', shell));
        if (fresh && shell === 'zsh') {
          terminal.type('fc -R\r');
          await terminal.until('ready> ');
        }
        for (const keys of attack.keys(canary)) terminal.type(keys);
        if (attack.seen === undefined) await untilStopped(terminal);
        else await terminal.until(attack.seen, 30_000);
        stage.giveBack('alice', shell, terminal, await untilDone(terminal, `fin${canary}`));
        stage.expectStopped(shell, canary, attack.tried?.(canary) ?? touching(canary));
      });
    }
  }

  it('16: a background job that prints over the line', async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('(sleep 0.4; printf "\\rready> echo harmless\\n") &\r');
    await terminal.until('ready> ');
    terminal.type('touch ');
    await terminal.until('harmless\r\n');
    terminal.type(`${canary}\r`);
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('24: the window changes between typing and Return', async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type(`echo ${'w'.repeat(90)}; touch ${canary}`);
    terminal.resize(40, 20);
    terminal.resize(120, 30);
    terminal.type('\r');
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('30: ten thousand submits in one paste', { timeout: 240_000 }, async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type(`\x1b[200~${'true\r'.repeat(10_000)}touch ${canary}\r\x1b[201~\r`);
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    expect(stage.exists('bash', canary)).toBe(false);
    const rows = await stage.log('--outcome', 'blocked');
    expect(rows.some((row) => row.command.includes(`touch ${canary}`))).toBe(true);
  });

  it('30: a command line of one mebibyte', { timeout: 240_000 }, async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type(`\x1b[200~echo ${'m'.repeat(1_048_576)}; touch ${canary}\x1b[201~\r`);
    await terminal.until(/could not be read with certainty/, 60_000);
    expect(stage.exists('bash', canary)).toBe(false);
    // So long a line is not remembered; that it was refused is.
    await expect
      .poll(async () => (await stage.log('--outcome', 'refused'))[0]?.detail, STORED)
      .toMatch(/certainty/);
  });

  it('30: a recalled line of 60,000 characters', { timeout: 240_000 }, async () => {
    const canary = canaryName();
    writeFileSync(join(stage.home('bash'), '.history'), `echo ${'h'.repeat(60_000)}; touch ${canary}\n`);
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('\x1b[A\r');
    await terminal.until(/could not be read with certainty|is not allowed/, 60_000);
    expect(stage.exists('bash', canary)).toBe(false);
    await expect
      .poll(
        async () =>
          (await stage.log()).some(
            (row) => /^(?:refused|blocked)$/.test(row.outcome) && /h{1000}/.test(row.command),
          ),
        STORED,
      )
      .toBe(true);
  });

  it('are all in the log as what they were', async () => {
    await stage.expectLogged();
  });
});
