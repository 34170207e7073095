// Attacks by what a line means or what it starts: rows 10 to 13, 15, 18 to 22, 26 and 29 of the list. alice is stopped by
// rules on words; where the meaning of a line can't be known, bob is stopped by the rule that denies what is not known.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import type { TypedTerminal } from '../harness/terminal.ts';
import { PROMPT, Stage, untilDone, untilStopped, type Who } from './stage.ts';

const able = isRoot && haveSshd;
let stage: Stage;
let number = 0;
const canaryName = (): string => `d${++number}`;

const touching = (canary: string): RegExp => new RegExp(`touch.*${canary}`, 's');

/** Types each line at a prompt; the last one is the attack. */
const attack = async (
  who: Who,
  lines: readonly string[],
  canary: string,
  tried: RegExp = touching(canary),
): Promise<void> => {
  const terminal = await stage.borrow(who, 'bash');
  stage.giveBack(who, 'bash', terminal, await typeLines(terminal, lines, canary));
  stage.expectStopped('bash', canary, tried);
};

const typeLines = async (
  terminal: TypedTerminal,
  lines: readonly string[],
  canary: string,
): Promise<'open' | 'ended'> => {
  for (const [index, line] of lines.slice(0, -1).entries()) {
    terminal.type(`${line}\r`);
    terminal.type(`echo next${canary}-${index}\r`);
    await terminal.until(new RegExp(`[\\r\\n]next${canary}-${index}`));
    await terminal.until(PROMPT);
  }
  terminal.type(`${lines.at(-1)}\r`);
  await untilStopped(terminal);
  return untilDone(terminal, `fin${canary}`);
};

describe.skipIf(!able)('attacks by meaning', () => {
  beforeAll(async () => {
    stage = await Stage.open(['bash']);
    writeFileSync(join(stage.home('bash'), 'empty.txt'), 'nothing\n');
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  const words: readonly [string, (canary: string) => readonly string[]][] = [
    ['20: an alias', (c) => [`alias harmless='touch ${c}'`]],
    ['20: a function', (c) => [`f() { touch ${c}; }`]],
    ['20: a variable', (c) => ['t=touch', `$t ${c}`]],
    ['20: eval', (c) => [`eval touch ${c}`]],
    ["20: $'…'", (c) => [`$'\\x74ouch' ${c}`]],
    ['20: quotes inside the word', (c) => [`t''ou"c"h ${c}`]],
    ['20: a backslash', (c) => [`\\touch ${c}`]],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's.
    ['20: ${IFS}', (c) => [`touch\${IFS}${c}`]],
    ['20: braces', (c) => [`{touch,${c}}`]],
    ['20: a substitution', (c) => [`$(echo touch) ${c}`]],
    ['20: base64 into sh', (c) => [`echo ${Buffer.from(`touch ${c}`).toString('base64')} | base64 -d | sh`]],
    ['20: printf into sh', (c) => [`printf '\\164\\157\\165\\143\\150 ${c}' | sh`]],
    ['21: env', (c) => [`env A=1 touch ${c}`]],
    ['21: nohup', (c) => [`nohup touch ${c}`]],
    ['21: timeout', (c) => [`timeout 5 touch ${c}`]],
    ['21: xargs', (c) => [`echo ${c} | xargs touch`]],
    ['21: find -exec', (c) => [`find . -maxdepth 0 -exec touch ${c} \\;`]],
    ['21: sh -c', (c) => [`sh -c "touch ${c}"`]],
    ['21: busybox', (c) => [`busybox touch ${c}`]],
    ['21: command', (c) => [`command touch ${c}`]],
    ['21: builtin', (c) => [`builtin command touch ${c}`]],
    ['21: nice', (c) => [`nice -n 5 touch ${c}`]],
    ['21: setsid', (c) => [`setsid touch ${c}`]],
    ['21: script -c', (c) => [`script -c 'touch ${c}' /dev/null`]],
    ['21: watch', (c) => [`watch -n 1 touch ${c}`]],
    ['21: ssh to another host', (c) => [`ssh other.example touch ${c}`]],
    ['21: docker exec', (c) => [`docker exec box touch ${c}`]],
    ['21: sudo', (c) => [`sudo -u root touch ${c}`]],
    ['21: exec', (c) => [`exec touch ${c}`]],
    ['22: python -c', (c) => [`python3 -c 'import os; os.system("touch ${c}")'`]],
    ['22: perl -e', (c) => [`perl -e 'system("touch ${c}")'`]],
    ['22: awk', (c) => [`awk 'BEGIN{system("touch ${c}")}'`]],
    ['22: vim -c', (c) => [`vim -c ':!touch ${c}' -c ':q'`]],
    ['10: a program pretends to fill the screen', (c) => ["printf '\\033[?1049h\\033[5;5H'", `touch ${c}`]],
    ['11: a fake ZMODEM header', (c) => ["printf '**\\030B00000000000000\\r\\212\\021'", `touch ${c}`]],
    [
      '26: the prompt is imitated and the cursor moved',
      (c) => [`printf '\\r${PROMPT}echo harmless\\033[s\\n\\033[u'`, `touch ${c}`],
    ],
    [
      '26: OSC 133 marks printed by a program',
      (c) => [`printf '\\033]133;C\\007\\033]133;A\\007${PROMPT}\\033]133;B\\007'`, `touch ${c}`],
    ],
    ['15: a here-document into sh', (c) => ['sh <<E', `touch ${c}`, 'E']],
  ];
  for (const [name, lines] of words) {
    it(name, async () => {
      const canary = canaryName();
      if (name.startsWith('15')) {
        using terminal = await stage.shell('alice', 'bash');
        for (const line of lines(canary)) terminal.type(`${line}\r`);
        await untilStopped(terminal);
        await untilDone(terminal, `fin${canary}`);
        stage.expectStopped('bash', canary, touching(canary));
      } else if (/^(?:10|11|26)|exec$/.test(name)) {
        using terminal = await stage.shell('alice', 'bash');
        await typeLines(terminal, lines(canary), canary);
        stage.expectStopped('bash', canary, touching(canary));
      } else await attack('alice', lines(canary), canary);
    });
  }

  const unknown: readonly [string, (canary: string) => readonly string[]][] = [
    ['20: a glob for the program', (c) => [`/usr/bin/tou?h ${c}`]],
    ['20: a variable from outside', (c) => ['read -r t < ~/word', `$t ${c}`]],
    ['20: eval of a file', (c) => [`eval "$(cat ~/word) ${c}"`]],
    ['20: a downloaded script', (c) => [`cat ~/script | sh -s ${c}`]],
    ['23: a script that was put there before', (c) => [`sh ~/script ${c}`]],
  ];
  for (const [name, lines] of unknown) {
    it(`${name}, where the unknown is denied`, async () => {
      const canary = canaryName();
      writeFileSync(join(stage.home('bash'), 'word'), 'touch\n');
      writeFileSync(join(stage.home('bash'), 'script'), 'touch "$1"\n');
      await attack('bob', lines(canary), canary, new RegExp(escaped(lines(canary).at(-1) ?? '')));
    });
  }

  it('12: vi mode, the cursor at the beginning, Return', async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('set -o vi\r');
    await terminal.until(PROMPT);
    terminal.type(`touch ${canary}`);
    terminal.type('\x1b');
    terminal.type('0');
    terminal.type('\r');
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('13: ^U taken away, then a shell without an editor', async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type("stty kill undef; PS1='ready> ' sh\r");
    await terminal.until(/Not run|ready> $/);
    terminal.type(`touch ${canary}\r`);
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('18: a key bound to a command, and one bound to accept the line', async () => {
    for (const line of [(c: string) => `bind -x '"\\C-t":touch ${c}'`, () => `bind '"\\C-t":accept-line'`]) {
      const canary = canaryName();
      using terminal = await stage.shell('alice', 'bash');
      terminal.type(`${line(canary)}\r`);
      await untilStopped(terminal);
      terminal.type(`touch ${canary}`);
      terminal.type('\x14');
      await untilDone(terminal, 'fin');
      stage.expectStopped('bash', canary, /^bind /);
    }
  });

  it('18: Ctrl-X Ctrl-E opens no editor', async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type(`touch ${canary}`);
    terminal.type('\x18');
    terminal.type('\x05');
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, /key \^X/);
  });

  it('18: fc is judged by what it would run', async () => {
    const canary = canaryName();
    await attack('bob', [`echo ${canary}`, 'fc -s echo=touch'], canary, /^fc /);
  });

  it('19: typed blind', async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('stty -echo\r');
    await terminal.until(/Not run|ready> /);
    terminal.type(`touch ${canary}`);
    terminal.type('\x01');
    terminal.type('\r');
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, /touch|stty/);
  });

  it.skipIf(!have('vim'))("22: an editor's !", async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('vim -u NONE empty.txt\r');
    await terminal.until('nothing');
    terminal.type(`:!touch ${canary}\r`);
    await untilStopped(terminal);
    terminal.type(':q!\r');
    await terminal.until(PROMPT);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it.skipIf(!have('less'))("22: a pager's !", async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('less empty.txt\r');
    await terminal.until('nothing');
    terminal.type(`!touch ${canary}\r`);
    await untilStopped(terminal);
    // It draws its screen again when its own command is given up, and loses keys until then.
    await terminal.until('(END)');
    terminal.type('q');
    await terminal.until(PROMPT);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it.skipIf(!have('python3'))('22: os.system in python', async () => {
    const canary = canaryName();
    using terminal = await stage.shell('alice', 'bash');
    terminal.type('python3 -q\r');
    await terminal.until('>>> ');
    terminal.type('import os\r');
    await terminal.until('>>> ');
    terminal.type(`os.system("touch ${canary}")\r`);
    await untilStopped(terminal);
    await terminal.until('>>> ');
    terminal.type('exit()\r');
    await terminal.until(PROMPT);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, touching(canary));
  });

  it('29: the rules change between typing and Return', async () => {
    using terminal = await stage.shell('alice', 'bash');
    const canary = canaryName();
    terminal.type(`mkdir ${canary}`);
    await terminal.until(canary);
    const before = rulesOfWorkers(stage);
    expect(before.size).toBeGreaterThan(0);
    writeFileSync(
      join(stage.rules, 'later.yaml'),
      'name: later\nrules:\n  - {name: mkdir, match: "mkdir **", action: block}\n',
    );
    const result = await stage.gateway.sallyport(['reload']);
    expect(result.code).toBe(0);
    // Each worker looks for itself.
    await eventually('every worker has the new rule', () =>
      [...rulesOfWorkers(stage)].every(([worker, rules]) => rules > (before.get(worker) ?? rules)),
    );
    terminal.type('\r');
    await untilStopped(terminal);
    await untilDone(terminal, 'fin');
    stage.expectStopped('bash', canary, new RegExp(`mkdir ${canary}`));
    const [row] = (await stage.log('--outcome', 'blocked')).filter((entry) =>
      entry.command.startsWith('mkdir'),
    );
    const earlier = (await stage.log()).find((entry) => entry.command.startsWith('touch'));
    expect(row?.policy).not.toBe(earlier?.policy);
  });

  it('are all in the log as what they were', async () => {
    await stage.expectLogged();
  });
});

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** How many rules each worker has said that it has. */
const rulesOfWorkers = (stage: Stage): Map<unknown, number> =>
  new Map(
    logLines(stage.gateway)
      .filter(({ event, worker }) => event === 'policy.loaded' && worker !== undefined)
      .map(({ worker, rules }) => [worker, Number(rules)]),
  );
