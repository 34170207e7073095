// What may be reading the lines of one terminal: the shell, and the interpreters, editors and pagers that were let start
// in it. A line is analysed for every reader that it may reach, for nothing on a terminal tells for certain when one of
// them has ended: a program's output can imitate any prompt. Forgets nothing until the channel ends.
import { analyse } from '../../policies/analysis/analyse.ts';
import type { Analysis, Grammar, ResolvedCommand, ShellState } from '../../policies/analysis/types.ts';
import { emptyShellState } from '../../policies/analysis/types.ts';

type Kind =
  | 'python'
  | 'psql'
  | 'mysql'
  | 'sql'
  | 'ruby'
  | 'node'
  | 'perl'
  | 'lua'
  | 'php'
  | 'editor'
  | 'pager'
  | 'debugger'
  | 'files';

interface Program {
  readonly kind: Kind;
  readonly name: RegExp;
  /** Options and operands with which it reads no lines. */
  readonly busy: 'operand' | 'command-option' | 'never';
}

const PROGRAMS: readonly Program[] = [
  { kind: 'python', name: /^(?:i|b)?(?:python|pypy)[\d.]*$/, busy: 'operand' },
  { kind: 'psql', name: /^(?:psql|pgcli)$/, busy: 'command-option' },
  { kind: 'mysql', name: /^(?:mysql|mariadb|mycli)$/, busy: 'command-option' },
  { kind: 'sql', name: /^(?:sqlite3?|sqlplus|isql|clickhouse-client|duckdb)$/, busy: 'never' },
  { kind: 'ruby', name: /^(?:irb|pry)[\d.]*$/, busy: 'never' },
  { kind: 'node', name: /^(?:node|nodejs|deno|bun)\d*$/, busy: 'operand' },
  { kind: 'perl', name: /^perl[\d.]*$/, busy: 'never' },
  { kind: 'lua', name: /^(?:lua|luajit)[\d.]*$/, busy: 'operand' },
  { kind: 'php', name: /^php[\d.]*$/, busy: 'operand' },
  {
    kind: 'editor',
    name: /^(?:vi|vim|nvim|view|vimdiff|rvim|ex|ed|emacs|nano|pico|joe|mcedit|visudo|vipw|crontab|sudoedit|git)$/,
    busy: 'never',
  },
  {
    kind: 'pager',
    name: /^(?:less|more|most|man|journalctl|systemctl|git|bat|zless|info|watch|top|htop)$/,
    busy: 'never',
  },
  { kind: 'debugger', name: /^(?:gdb|lldb|pdb|rdb)$/, busy: 'never' },
  { kind: 'files', name: /^(?:ftp|sftp|lftp|tftp|smbclient|telnet)$/, busy: 'never' },
];

/** Programs that would run the text as theirs, to find the commands in it. */
const SPELLED: Partial<Record<Kind, readonly [string, string]>> = {
  ruby: ['ruby', '-e'],
  node: ['node', '-e'],
  perl: ['perl', '-e'],
  lua: ['lua', '-e'],
  php: ['php', '-r'],
};

const reads = (command: ResolvedCommand, { busy }: Program): boolean => {
  const words = command.argv.slice(1);
  switch (busy) {
    case 'never':
      return true;
    case 'operand':
      return (
        command.code === undefined && words.every((word) => /^-(?![cm]|.*[ce]$)/.test(word) || word === '-')
      );
    case 'command-option':
      return !words.some((word) => /^(?:-c|-f|-e|--command|--file|--execute)(?:=|$)/.test(word));
  }
};

/** The interpreters, editors and pagers among these commands that would read lines from the terminal. */
export const readersStarted = (analysis: Analysis): readonly Kind[] =>
  analysis.commands.flatMap((command) =>
    command.background || command.deferred || command.fedBy.length > 0
      ? []
      : PROGRAMS.filter((program) => program.name.test(command.name) && reads(command, program)).map(
          (program) => program.kind,
        ),
  );

/** A program by this name may read lines, or take program text as an argument. */
export const mayInterpret = (name: string): boolean => PROGRAMS.some((program) => program.name.test(name));

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** What of an analysis still counts when another grammar is the likelier one. */
const secondary = (analysis: Analysis): Analysis => ({
  ...analysis,
  opaque: analysis.opaque.filter(
    ({ why, where }) =>
      where === 'command' &&
      (why === 'variable' || why === 'substitution' || why === 'eval' || why === 'stdin'),
  ),
});

const networkSystem = /\b(?:ios|nx-?os|junos|eos|ios-?xr|routeros|fortios|panos|vyos|comware|vrp|asa)\b/i;

/** True for devices with a command line of their own instead of a shell. */
export const isNetworkDevice = (os: string | undefined): boolean =>
  os !== undefined && (networkSystem.test(os) || /network|switch|router|firewall/i.test(os));

export class Readers {
  readonly #base: Grammar;
  readonly #entered: Kind[] = [];
  #left = true;

  constructor(os: string | undefined) {
    this.#base = isNetworkDevice(os) ? 'network-cli' : 'posix-shell';
  }

  /** What probably reads now, in the words of a rule's `contexts`. */
  get name(): string {
    const last = this.#entered.at(-1);
    if (last !== undefined && !this.#left) return last;
    return this.#base === 'network-cli' ? 'network' : 'shell';
  }

  /** Commands were let through: what they start may read the next lines. */
  started(analysis: Analysis): void {
    for (const kind of readersStarted(analysis)) this.#enter(kind);
  }

  /** The device says that this program is in the foreground: it may read lines besides what is believed to. */
  mayRead(name: string): void {
    const program = PROGRAMS.find((one) => one.name.test(name));
    if (program !== undefined && !this.#entered.includes(program.kind)) this.#entered.unshift(program.kind);
  }

  /** The user did something that ends programs: they may have ended. */
  perhapsLeft(): void {
    this.#left = true;
  }

  /**
   * Every reading of `text`, the likeliest first. `dialect`: what the line editor looks like. `program`: a program
   * that was started is known to read.
   */
  analyse(text: string, state: ShellState, dialect: string, program: boolean): readonly Analysis[] {
    const shell = withHistory(analyse(text, { grammar: this.#base, state }));
    const found: Analysis[] = [];
    // What the device shows makes it look like fish, so nothing may get lost by believing it.
    if (dialect === 'fish') found.push(analyse(text, { grammar: 'fish', state }));
    const inside = this.#entered.flatMap((kind) => this.#inside(kind, text));
    if (this.#entered.length > 0 && (program || !this.#left)) {
      return [...inside, ...found.map(secondary), secondary(shell)];
    }
    return [...found, found.length > 0 ? secondary(shell) : shell, ...inside.map(secondary)];
  }

  #enter(kind: Kind): void {
    this.#left = false;
    const at = this.#entered.indexOf(kind);
    if (at !== -1) this.#entered.splice(at, 1);
    this.#entered.push(kind);
  }

  #inside(kind: Kind, text: string): readonly Analysis[] {
    switch (kind) {
      case 'python':
        return [analyse(text, { grammar: 'python' })];
      case 'psql':
      case 'mysql':
      case 'sql':
        return [analyse(text, { grammar: 'sql' })];
      case 'ruby':
      case 'node':
      case 'perl':
      case 'lua':
      case 'php': {
        const [name, option] = SPELLED[kind] ?? ['', ''];
        return [{ ...analyse(`${name} ${option} ${quoted(text)}`), typed: text }];
      }
      case 'editor':
      case 'pager':
      case 'debugger':
      case 'files':
        return escapes(text);
    }
  }
}

/** `fc` and its relatives run lines of the history, changed ones too, that nobody can see here. */
const withHistory = (analysis: Analysis): Analysis => {
  const again = analysis.commands.find(
    ({ name, argv }) =>
      ((name === 'fc' || name === 'hist') && !argv.some((word) => /^-[a-z]*l/.test(word))) ||
      (name === 'r' && argv.some((word) => word.includes('='))),
  );
  if (again === undefined) return analysis;
  return {
    ...analysis,
    opaque: [
      ...analysis.opaque,
      { why: 'eval', where: 'line', text: again.text.slice(0, 200), hint: undefined },
    ],
  };
};

/** Commands behind `!` in editors and pagers, and in the calls that editors' scripts have for them. */
const escapes = (text: string): readonly Analysis[] => {
  const found: Analysis[] = [];
  const bang = text.indexOf('!');
  if (bang !== -1) found.push({ ...analyse(text.slice(bang + 1).replace(/^!/, '')), typed: text });
  const colon = text.lastIndexOf(':');
  const line = colon === -1 ? text : text.slice(colon);
  if (/\bsystem|\bterm|\bshell\b|\bpy|\blua|\bperl|\bruby/.test(line)) {
    found.push({ ...analyse(`vim -c ${quoted(line)}`), typed: text });
    const shell = /^\W*(?:shell|sh|terminal|term)\s+(.+)$/.exec(line);
    if (shell?.[1] !== undefined) found.push({ ...analyse(shell[1]), typed: text });
  }
  return found.length > 0 ? found : [nothing(text)];
};

const nothing = (text: string): Analysis => ({
  typed: text,
  grammar: 'posix-shell',
  commands: [],
  opaque: [],
  incomplete: 'none',
  hereDocument: undefined,
  truncated: false,
  stateAfter: emptyShellState,
});
