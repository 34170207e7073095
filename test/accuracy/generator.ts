// Makes interactions from a seed: typing, editing keys, history, completion, pastes, wraps, interrupts, searches, as a
// person at a terminal mixes them. The same seed always gives the same interaction.
import { Random } from './random.ts';
import type { Scenario, Step } from './scenario.ts';

const WORDS = [
  'alpha',
  'beta',
  'gamma',
  'delta',
  'one',
  'two',
  'three',
  'x',
  'y-z',
  'a.b',
  'path/to',
  '--flag',
  '-n',
  'k=v',
  'żółw',
  'naïve',
];
const PLAIN = WORDS.filter((word) => /^[\x20-\x7e]+$/.test(word));

interface Abilities {
  readonly editing: boolean;
  readonly history: boolean;
  readonly completion: boolean;
  readonly search: boolean;
  readonly paste: boolean;
  readonly bang: boolean;
  readonly words: boolean;
  readonly multi: boolean;
}

const NONE: Abilities = {
  editing: false,
  history: false,
  completion: false,
  search: false,
  paste: false,
  bang: false,
  words: false,
  multi: false,
};
const ALL: Abilities = {
  editing: true,
  history: true,
  completion: true,
  search: true,
  paste: true,
  bang: true,
  words: true,
  multi: true,
};

const ABILITIES: Readonly<Record<string, Abilities>> = {
  bash: ALL,
  zsh: ALL,
  fish: { ...ALL, search: false, bang: false, multi: false },
  ksh: { ...NONE, editing: true, history: true, words: true, multi: true },
  mksh: { ...NONE, editing: true, history: true, words: true, multi: true },
  tcsh: { ...NONE, editing: true, history: true, completion: true, words: true },
  busybox: { ...NONE, editing: true, history: true, completion: true, multi: true },
  dash: { ...NONE, multi: true },
  python: { ...NONE, editing: true, history: true, words: true },
  mysql: { ...NONE, editing: true, history: true, words: true },
  psql: { ...NONE, editing: true, history: true, search: true, words: true },
  network: { ...NONE, editing: true, history: true, completion: true },
};

function command(random: Random, family: string): string {
  const words =
    family === 'tcsh' || family === 'network' || family === 'ksh' || family === 'mksh' ? PLAIN : WORDS;
  const some = (most: number): string =>
    Array.from({ length: 1 + random.below(most) }, () => random.pick(words, 'x')).join(' ');
  if (family === 'python') {
    return random.pick(
      [
        `v = ${random.below(1000)}`,
        `print("${some(4)}")`,
        `len("${some(3)}") + ${random.below(99)}`,
        `[i for i in range(${random.below(9)})]`,
      ],
      'v = 1',
    );
  }
  if (family === 'psql' || family === 'mysql') {
    return random.pick(
      [
        `select ${random.below(1000)};`,
        `select '${some(4)}';`,
        `select ${random.below(9)} as a, '${some(2)}' as b;`,
      ],
      'select 1;',
    );
  }
  if (family === 'network') {
    return random.pick(
      [
        'show version',
        `show interface ${random.below(48)}`,
        `description ${some(4)}`,
        `ping 10.0.0.${random.below(250)}`,
      ],
      'show version',
    );
  }
  return random.pick(
    [
      `echo ${some(6)}`,
      `echo "${some(4)}"`,
      `echo '${some(3)}' | cat`,
      `true && echo ${some(3)}`,
      `echo ${some(2)} > /dev/null; echo ${some(2)}`,
      'ls',
      'pwd',
      `: ${some(8)}`,
      `echo ${some(20)} ${some(20)}`,
    ],
    'pwd',
  );
}

export function generate(family: string, seed: number): Scenario {
  const random = new Random(seed);
  const can = ABILITIES[family] ?? NONE;
  const steps: Step[] = [];
  const interrupted: string[] = [];
  const rounds = 3 + random.below(4);
  const key = (text: string, most: number): string => text.repeat(1 + random.below(most));
  const settle = (): void => {
    if (random.chance(0.5)) steps.push({ i: 1 });
    else if (random.next() < 0.5) steps.push({ w: 20 + random.below(200) });
  };
  const enter = (): void => void steps.push('\r');
  steps.push(`${command(random, family)}\r`);
  for (let round = 0; round < rounds; round++) {
    const line = command(random, family);
    const kind = random.below(16);
    if (kind <= 2) steps.push(`${line}\r`);
    else if (kind === 3) steps.push({ b: `${line}\r` }, { i: 1 });
    else if (kind === 4) {
      const lines = Array.from({ length: 2 + random.below(3) }, () => command(random, family));
      steps.push({ b: `${lines.join('\r')}\r` }, { i: 1 }, { w: 300 }, { i: 1 });
    } else if (kind === 5) {
      steps.push(`${line.slice(0, 4)}zz\x7f\x7f${line.slice(4)}qq\x7f\x7f\r`);
    } else if (kind === 6 && can.editing) {
      steps.push(
        line,
        `\x01${family === 'python' || family === 'psql' || family === 'mysql' ? ' ' : family === 'network' ? '' : ': '}\x05`,
      );
      settle();
      enter();
    } else if (kind === 7 && can.editing) {
      steps.push(`${line}${key('\x1b[D', 6)}`);
      if (random.chance(0.5)) steps.push('i');
      if (random.chance(0.5)) steps.push(`\x1b[C`);
      settle();
      if (random.chance(0.3)) steps.push('\x0b');
      if (family === 'python' || family === 'psql' || family === 'mysql')
        steps.push({ i: 1 }, '\x03', { w: 200 });
      else enter();
    } else if (kind === 8 && can.history) {
      const ups = 1 + random.below(3);
      steps.push('\x1b[A'.repeat(ups));
      settle();
      if (random.chance(0.3)) steps.push('\x1b[B');
      if (random.chance(0.4) && family !== 'python' && family !== 'psql' && family !== 'mysql')
        steps.push(' more');
      settle();
      enter();
      steps.push({ i: 1 });
    } else if (kind === 9 && can.history) {
      steps.push({ b: '\x1b[A\r' }, { i: 1 });
    } else if (kind === 10 && can.completion) {
      if (family === 'network') steps.push('sho\t', { i: 1 }, 'ver\t', { i: 1 }, '\r');
      else
        steps.push(
          random.pick(['cat alp\t', 'echo beta_o\t', 'ls dir\t', 'echo many/f00\t\t'], 'cat alp\t'),
          ...(random.chance(0.7) ? [{ i: 1 }] : []),
          '\r',
          { i: 1 },
        );
    } else if (kind === 11 && can.search) {
      steps.push('\x12', random.pick(['e', 'ec', 'al', 'se', 'o'], 'e'), { i: 1 });
      if (random.chance(0.5)) steps.push('\x05', { i: 1 });
      steps.push('\r', { i: 1 });
    } else if (kind === 12) {
      steps.push(line, { w: 40 + random.below(120) }, '\x03', { w: 250 }, { i: 1 });
      interrupted.push(line);
    } else if (kind === 13 && can.paste) {
      steps.push({ b: `\x1b[200~${line}\x1b[201~` });
      settle();
      enter();
    } else if (kind === 14 && can.words) {
      steps.push(`${line} extra`, '\x17', 'tail');
      if (family === 'python' || family === 'psql' || family === 'mysql')
        steps.push({ i: 1 }, '\x03', { w: 200 });
      else enter();
    } else if (kind === 15 && can.multi) {
      steps.push(`echo "${random.pick(PLAIN, 'x')}\r`, { i: 1 }, `${random.pick(PLAIN, 'y')}"\r`);
    } else if (can.bang && random.chance(0.5)) {
      steps.push(random.pick(['!!\r', 'echo !$\r', '!ec\r'], '!!\r'));
    } else {
      steps.push(line, '\x15', `${command(random, family)}\r`);
    }
  }
  return {
    id: `random-${seed}`,
    cls: 'random',
    sh: [family],
    steps,
    interrupted,
    ...(family === 'python' ? { line: 1 } : {}),
  };
}
