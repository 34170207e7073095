// Programs that run another program: which part of their command line is the inner command. Tables first, then the few
// with a syntax of their own (find, xargs, su, ssh, docker, …). Says what would be run; analysing that is the walker's job.

import { type OptionTable, skipOptions } from './options.ts';

/** A word of a command: its text, whether it is certain, and whether it may stand for none or several words. */
export interface ArgumentWord {
  readonly text: string;
  readonly known: boolean;
  readonly several: boolean;
}

export type Inner =
  /** A program with its words, started without a shell. */
  | { readonly kind: 'argv'; readonly words: readonly ArgumentWord[]; readonly via: string }
  /** Text that a shell reads. */
  | {
      readonly kind: 'line';
      readonly text: string;
      readonly known: boolean;
      readonly via: string;
      readonly positional: readonly string[];
      readonly remote: boolean;
    }
  /** A shell that reads its commands from standard input, if anything feeds it. */
  | { readonly kind: 'stdin'; readonly via: string; readonly crontab: boolean }
  /** A shell that reads a file. */
  | { readonly kind: 'script'; readonly path: string; readonly via: string };

const known = (text: string): ArgumentWord => ({ text, known: true, several: false });

/** Wrappers whose inner command is simply what follows their options. */
const plainWrappers: ReadonlyMap<string, OptionTable> = new Map<string, OptionTable>([
  [
    'sudo',
    {
      short: 'ugpCchrtTUDRa',
      long: [
        'user',
        'group',
        'prompt',
        'close-from',
        'host',
        'role',
        'type',
        'command-timeout',
        'other-user',
        'chdir',
        'chroot',
        'login-class',
      ],
      assignments: true,
    },
  ],
  ['doas', { short: 'aCu' }],
  ['env', { short: 'uCa', long: ['unset', 'chdir', 'argv0'], assignments: true }],
  ['nohup', {}],
  ['setsid', {}],
  ['nice', { short: 'n', long: ['adjustment'] }],
  ['ionice', { short: 'cnpPu', long: ['class', 'classdata', 'pid', 'pgid', 'uid'] }],
  ['chrt', { short: 'TPD', long: ['sched-runtime', 'sched-period', 'sched-deadline'], operands: 1 }],
  ['taskset', { short: '', operands: 1 }],
  ['stdbuf', { short: 'ioe', long: ['input', 'output', 'error'] }],
  ['timeout', { short: 'ks', long: ['kill-after', 'signal'], operands: 1 }],
  ['gtimeout', { short: 'ks', long: ['kill-after', 'signal'], operands: 1 }],
  ['time', { short: 'fo', long: ['format', 'output'] }],
  ['command', {}],
  ['builtin', {}],
  ['exec', { short: 'a' }],
  ['noglob', {}],
  ['nocorrect', {}],
  ['coproc', {}],
  // zsh's.
  ['-', {}],
  ['repeat', { operands: 1 }],
  // The dynamic loader, called by its name.
  ['ld.so', { long: ['library-path', 'preload', 'audit', 'argv0', 'inhibit-rpath', 'glibc-hwcaps-mask'] }],
  ['strace', { short: 'aeEIoOpPsSuUXb', long: ['trace', 'output', 'user', 'env', 'attach', 'string-limit'] }],
  ['ltrace', { short: 'aAeDFlnopsuwx' }],
  ['gdbserver', { operands: 1 }],
  ['valgrind', {}],
  ['chroot', { long: ['userspec', 'groups'], operands: 1 }],
  ['nsenter', { short: 'tSG', long: ['target', 'setuid', 'setgid'] }],
  ['unshare', { short: 'RSGw', long: ['root', 'setuid', 'setgid', 'wd'] }],
  [
    'systemd-run',
    {
      short: 'pMHuE',
      long: [
        'unit',
        'property',
        'description',
        'slice',
        'uid',
        'gid',
        'nice',
        'setenv',
        'machine',
        'host',
        'service-type',
        'working-directory',
        'on-active',
        'on-boot',
        'on-calendar',
        'on-startup',
        'on-unit-active',
        'timer-property',
      ],
    },
  ],
  ['systemd-inhibit', { long: ['what', 'who', 'why', 'mode'] }],
  [
    'setpriv',
    {
      long: [
        'reuid',
        'regid',
        'groups',
        'ruid',
        'euid',
        'rgid',
        'egid',
        'inh-caps',
        'ambient-caps',
        'bounding-set',
        'securebits',
        'pdeathsig',
        'selinux-label',
        'apparmor-profile',
      ],
    },
  ],
  ['pkexec', { long: ['user'] }],
  ['gosu', { operands: 1 }],
  ['su-exec', { operands: 1 }],
  ['setuidgid', { operands: 1 }],
  ['softlimit', { short: 'madstlpofcr' }],
  ['chpst', { short: 'uUbenmdopfct/' }],
  ['prlimit', { short: 'p' }],
  ['setarch', { operands: 1 }],
  ['linux32', {}],
  ['linux64', {}],
  ['i386', {}],
  ['x86_64', {}],
  [
    'numactl',
    {
      short: 'CNmipl',
      long: ['cpunodebind', 'physcpubind', 'membind', 'interleave', 'preferred', 'localalloc'],
    },
  ],
  ['cgexec', { short: 'g' }],
  ['choom', { short: 'np' }],
  ['cpulimit', { short: 'lpeP', long: ['limit', 'pid', 'exe', 'path'] }],
  ['unbuffer', {}],
  ['rlwrap', { short: 'abcCDefHilmPpqsStwz' }],
  ['dbus-run-session', { long: ['config-file', 'dbus-daemon'] }],
  ['dbus-launch', {}],
  ['ssh-agent', { short: 'aEPtO' }],
  ['xvfb-run', { short: 'enfps' }],
  ['fakeroot', { short: 'lsibd' }],
  ['fakechroot', {}],
  ['firejail', {}],
  ['proot', { short: 'rbqwRSk' }],
  ['torify', {}],
  ['torsocks', { short: 'uap' }],
  ['tsocks', {}],
  ['proxychains', { short: 'f' }],
  ['proxychains4', { short: 'f' }],
  ['eatmydata', {}],
  ['catchsegv', {}],
  ['chronic', {}],
  ['daemonize', { short: 'acepuol' }],
  [
    'start-stop-daemon',
    {
      short: 'xnpudcgkNPIRr',
      long: ['exec', 'name', 'pidfile', 'user', 'chuid', 'group', 'chdir', 'startas'],
    },
  ],
  ['logsave', { operands: 1 }],
  ['openvt', { short: 'c' }],
  ['setlock', { operands: 1 }],
  ['multitime', { short: 'nIirsbf' }],
  ['sshpass', { short: 'fdpP' }],
  ['aa-exec', { short: 'pnd', long: ['profile', 'namespace'] }],
  ['runcon', { short: 'turl', operands: 1 }],
  ['caffeinate', { short: 'tw' }],
  ['arch', {}],
  ['dotenv', { short: 'f' }],
  ['npx', { short: 'pc' }],
]);

/** Wrappers whose first operand is a sub-command: `bundle exec CMD`, `ip netns exec NAME CMD`. */
const subcommandWrappers: readonly {
  readonly program: string;
  readonly words: readonly string[];
  readonly table: OptionTable;
}[] = [
  { program: 'ip', words: ['netns', 'exec'], table: { operands: 1 } },
  { program: 'ip', words: ['vrf', 'exec'], table: { operands: 1 } },
  { program: 'bundle', words: ['exec'], table: {} },
  { program: 'cabal', words: ['exec'], table: {} },
  { program: 'npm', words: ['exec'], table: {} },
  { program: 'poetry', words: ['run'], table: {} },
  { program: 'pipenv', words: ['run'], table: {} },
  { program: 'uv', words: ['run'], table: {} },
  { program: 'conda', words: ['run'], table: { short: 'np' } },
  { program: 'rustup', words: ['run'], table: { operands: 1 } },
  { program: 'perf', words: ['stat'], table: { short: 'eaprCo' } },
  { program: 'perf', words: ['record'], table: { short: 'eaprCoF' } },
  { program: 'machinectl', words: ['shell'], table: { operands: 1 } },
  { program: 'pct', words: ['exec'], table: { operands: 1 } },
  { program: 'lxc', words: ['exec'], table: { operands: 1, long: ['env', 'cwd', 'user', 'group', 'mode'] } },
  {
    program: 'incus',
    words: ['exec'],
    table: { operands: 1, long: ['env', 'cwd', 'user', 'group', 'mode'] },
  },
  { program: 'direnv', words: ['exec'], table: { operands: 1 } },
  { program: 'tmux', words: ['new-session'], table: { short: 'cFfnstxyeF' } },
  { program: 'tmux', words: ['new'], table: { short: 'cFfnstxyeF' } },
  { program: 'tmux', words: ['new-window'], table: { short: 'ceFntS' } },
  { program: 'tmux', words: ['split-window'], table: { short: 'ceFlptS' } },
  { program: 'tmux', words: ['run-shell'], table: { short: 'cdt' } },
  { program: 'tmux', words: ['respawn-pane'], table: { short: 'cet' } },
];

const containerExec: OptionTable = {
  short: 'euw',
  long: ['env', 'user', 'workdir', 'env-file', 'detach-keys'],
  operands: 1,
};
const containerRun: OptionTable = {
  short: 'aceghlmpuvw',
  long: [
    'name',
    'volume',
    'env',
    'user',
    'workdir',
    'network',
    'net',
    'publish',
    'entrypoint',
    'mount',
    'hostname',
    'label',
    'memory',
    'cpus',
    'pid',
    'ipc',
    'uts',
    'userns',
    'cap-add',
    'cap-drop',
    'device',
    'security-opt',
    'restart',
    'add-host',
    'dns',
    'env-file',
    'platform',
    'pull',
    'shm-size',
    'tmpfs',
    'ulimit',
    'volumes-from',
    'gpus',
    'log-driver',
    'log-opt',
    'ip',
    'link',
    'expose',
    'stop-signal',
    'runtime',
    'cgroupns',
    'group-add',
  ],
  operands: 1,
};
const kubectlTable: OptionTable = {
  short: 'cnfs',
  long: [
    'container',
    'namespace',
    'context',
    'kubeconfig',
    'cluster',
    'user',
    'server',
    'token',
    'filename',
    'pod-running-timeout',
  ],
};
const sshTable: OptionTable = { short: 'BbcDEeFIiJLlmOopPQRSWw', operands: 1 };

const shells: ReadonlySet<string> = new Set(
  'sh bash dash zsh ksh ksh93 mksh lksh pdksh oksh rksh ash yash posh osh rbash rzsh fish csh tcsh elvish sash rc es hush nu xonsh pwsh'.split(
    ' ',
  ),
);

/** Names of programs that are command shells. */
export function isShell(name: string): boolean {
  return shells.has(name) || /^(ba|da|z|k)sh-?\d/.test(name);
}

const texts = (words: readonly ArgumentWord[]): string[] => words.map((w) => w.text);

function joined(words: readonly ArgumentWord[]): { text: string; known: boolean } {
  return { text: texts(words).join(' '), known: words.every((w) => w.known) };
}

function line(words: readonly ArgumentWord[], via: string, remote = false): Inner[] {
  if (words.length === 0) return [];
  const all = joined(words);
  return [{ kind: 'line', text: all.text, known: all.known, via, positional: [], remote }];
}

function argv(words: readonly ArgumentWord[], via: string): Inner[] {
  return words.length === 0 ? [] : [{ kind: 'argv', words, via }];
}

/**
 * What the command would start, one entry for each. `stdin` is what is known to reach its standard input.
 * An empty answer: it is not a wrapper, or it starts nothing.
 */
export function unwrap(
  name: string,
  words: readonly ArgumentWord[],
  stdin: string | undefined,
): readonly Inner[] {
  const args = texts(words);
  if (isShell(name)) return shell(name, words, args);
  switch (name) {
    case 'sudo':
    case 'doas':
      return sudo(name, words, args);
    case 'env':
      return env(words, args);
    case 'command':
      return args[1] === '-v' || args[1] === '-V'
        ? []
        : argv(words.slice(skipOptions(args, 1, {}).next), name);
    case 'su':
    case 'runuser':
      return su(name, words, args);
    case 'sg':
      return sg(words, args);
    case 'eval':
      return line(words.slice(args[1] === '--' ? 2 : 1), 'eval');
    case 'xargs':
    case 'gxargs':
      return xargs(words, args, stdin);
    case 'find':
    case 'gfind':
      return find(words, args);
    case 'fd':
    case 'fdfind':
      return fd(words, args);
    case 'busybox':
    case 'toybox':
      return argv(words.slice(skipOptions(args, 1, {}).next), name);
    case 'watch':
      return watch(words, args);
    case 'script':
      return script(words, args);
    case 'flock':
      return flock(words, args);
    case 'parallel':
      return parallel(words, args, stdin);
    case 'ssh':
    case 'autossh':
    case 'rsh':
    case 'slogin':
      return ssh(name, words, args);
    case 'docker':
    case 'podman':
    case 'nerdctl':
      return container(name, words, args);
    case 'kubectl':
    case 'oc':
    case 'k3s':
      return kubectl(name, words, args);
    case 'vagrant':
      return args[1] === 'ssh' ? optionLine(words, args, ['-c', '--command'], 'vagrant ssh') : [];
    case 'at':
    case 'batch':
      return args.some((a) => /^-[a-zA-Z]*[lrdcb]/.test(a)) || args.includes('-f')
        ? []
        : [{ kind: 'stdin', via: name, crontab: false }];
    case 'crontab':
      return args.includes('-') || (args.length === 1 && stdin !== undefined)
        ? [{ kind: 'stdin', via: name, crontab: true }]
        : [];
    case 'start-stop-daemon':
      return startStopDaemon(words, args);
    case 'capsh':
      return capsh(words, args);
    case 'trap':
      return trap(words, args);
    case 'source':
    case '.':
      return words[1] === undefined ? [] : [{ kind: 'script', path: words[1].text, via: 'source' }];
    case 'hyperfine':
      return words
        .slice(
          skipOptions(args, 1, {
            short: 'wmMrpcsuni',
            long: [
              'warmup',
              'runs',
              'prepare',
              'cleanup',
              'setup',
              'export-json',
              'export-markdown',
              'shell',
            ],
          }).next,
        )
        .flatMap((w) => line([w], name));
    case 'entr':
      return argv(words.slice(skipOptions(args, 1, {}).next), name);
    case 'mosh':
      return argv(
        words.slice(
          skipOptions(args, 1, { short: 'p', long: ['ssh', 'server', 'port', 'client'], operands: 1 }).next,
        ),
        name,
      );
    case 'chroot': {
      const inner = words.slice(skipOptions(args, 1, plainWrappers.get('chroot') ?? {}).next);
      return argv(inner.length === 0 ? [known('/bin/sh')] : inner, name);
    }
    case 'screen':
      return argv(words.slice(skipOptions(args, 1, { short: 'cehprsStTx', singleDash: false }).next), name);
  }
  const table = plainWrappers.get(
    /^ld(?:64|-linux[\w.-]*|-musl[\w.-]*|-[\d.]+)?\.so[\d.]*$/.test(name) ? 'ld.so' : name,
  );
  if (table !== undefined) {
    // Scheduling classes are written as numbers behind one dash: nice -10 CMD.
    const start = name === 'nice' && /^-\d+$/.test(args[1] ?? '') ? 2 : 1;
    return argv(words.slice(skipOptions(args, start, table).next), name);
  }
  for (const entry of subcommandWrappers) {
    if (entry.program !== name) continue;
    const at = args.findIndex((a, i) => i > 0 && a === entry.words[0]);
    if (at < 1 || at > 6 || entry.words.some((w, i) => args[at + i] !== w)) continue;
    const next = skipOptions(args, at + entry.words.length, entry.table).next;
    const inner = words.slice(next);
    const via = [name, ...entry.words].join(' ');
    // One word with blanks in it is a line for a shell (tmux new-session 'cmd args').
    return inner.length === 1 && /\s/.test(inner[0]?.text ?? '') ? line(inner, via) : argv(inner, via);
  }
  return [];
}

/** True for programs that this module may take apart; lets the caller skip the rest at once. */
export function mayWrap(name: string): boolean {
  return special.has(name) || plainWrappers.has(name) || name.startsWith('ld') || isShell(name);
}

const special: ReadonlySet<string> = new Set([
  ...'su runuser sg eval xargs gxargs find gfind fd fdfind busybox toybox watch script flock parallel ssh autossh rsh slogin'.split(
    ' ',
  ),
  ...'docker podman nerdctl kubectl oc k3s vagrant at batch crontab capsh trap source . hyperfine entr mosh screen'.split(
    ' ',
  ),
  ...subcommandWrappers.map((w) => w.program),
]);

function sudo(name: string, words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const skipped = skipOptions(args, 1, plainWrappers.get(name) ?? {});
  const inner = words.slice(skipped.next);
  if (skipped.options.has('e') || skipped.options.has('edit'))
    return argv([known('sudoedit'), ...inner], name);
  if (
    inner.length === 0 &&
    (skipped.options.has('s') ||
      skipped.options.has('i') ||
      skipped.options.has('shell') ||
      skipped.options.has('login'))
  ) {
    return [{ kind: 'stdin', via: name, crontab: false }];
  }
  return argv(inner, name);
}

function env(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  // -S splits one word as a shell would (env -S 'rm -rf /').
  const at = args.findIndex((a) => /^-[a-zA-Z0]*S|^--split-string/.test(a));
  if (at > 0) {
    const word = args[at] ?? '';
    const attached = word.startsWith('--')
      ? word.slice(word.indexOf('=') + 1 || word.length)
      : word.slice(word.indexOf('S') + 1);
    const split =
      attached === ''
        ? words.slice(at + 1)
        : [{ ...(words[at] ?? known('')), text: attached }, ...words.slice(at + 1)];
    return line(split, 'env');
  }
  return argv(words.slice(skipOptions(args, 1, plainWrappers.get('env') ?? {}).next), 'env');
}

function su(name: string, words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const out: Inner[] = [];
  for (let i = 1; i < args.length; i++) {
    const a = args[i] ?? '';
    const attached = /^--(?:session-)?command=(.*)$/s.exec(a);
    const word = words[i];
    if (attached !== null && word !== undefined) {
      out.push(...line([{ ...word, text: attached[1] ?? '' }], name));
    } else if (/^-[a-zA-Z]*c$/.test(a) || a === '--command' || a === '--session-command') {
      const value = words[i + 1];
      if (value !== undefined) out.push(...line([value], name));
      i++;
    } else if (name === 'runuser' && (a === '-u' || a === '--user')) {
      return argv(
        words.slice(
          skipOptions(args, 1, { short: 'ugGsw', long: ['user', 'group', 'supp-group', 'shell'] }).next,
        ),
        name,
      );
    }
  }
  return out.length > 0 ? out : [{ kind: 'stdin', via: name, crontab: false }];
}

function sg(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const at = args.indexOf('-c');
  return at > 0 ? line(words.slice(at + 1), 'sg') : line(words.slice(2), 'sg');
}

const shellOptions: OptionTable = { short: 'Oo', long: ['rcfile', 'init-file'] };

function shell(name: string, words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  let i = 1;
  let command = false;
  let fromStdin = false;
  const started: Inner[] = [];
  for (; i < args.length; i++) {
    const a = args[i] ?? '';
    if (a === '--' || a === '-') {
      i++;
      break;
    }
    if (!/^[-+]./.test(a)) break;
    if (a.startsWith('--')) {
      const attached = /^--(?:command|init-command)=(.*)$/s.exec(a);
      const word = words[i];
      if (attached !== null && word !== undefined) return line([{ ...word, text: attached[1] ?? '' }], name);
      if (a === '--command' || a === '--init-command') command = true;
      else if (shellOptions.long?.includes(a.slice(2)) === true) {
        i++;
        const file = args[i];
        // What it reads before its first prompt.
        if (file !== undefined) started.push({ kind: 'script', path: file, via: name });
      }
      continue;
    }
    if (a.startsWith('-')) {
      // pwsh spells it -Command, -EncodedCommand.
      if (name === 'pwsh' && /^-(c|command)$/i.test(a)) command = true;
      else if (/^-[a-zA-Z]*c/.test(a)) command = true;
      if (/^-[a-zA-Z]*s/.test(a)) fromStdin = true;
      if (name === 'fish' && /^-C/.test(a)) command = true;
    }
    if (/[oO]$/.test(a)) i++;
  }
  const rest = words.slice(i);
  if (command) {
    const text = rest[0];
    if (text === undefined) return started;
    return [
      ...started,
      {
        kind: 'line',
        text: text.text,
        known: text.known,
        via: name,
        positional: texts(rest.slice(1)),
        remote: false,
      },
    ];
  }
  const file = rest[0];
  if (file === undefined || fromStdin || file.text === '/dev/stdin' || file.text === '/dev/fd/0') {
    return [...started, { kind: 'stdin', via: name, crontab: false }];
  }
  return [...started, { kind: 'script', path: file.text, via: name }];
}

function xargs(
  words: readonly ArgumentWord[],
  args: readonly string[],
  stdin: string | undefined,
): readonly Inner[] {
  const skipped = skipOptions(args, 1, {
    short: 'adEILnPs',
    long: ['arg-file', 'delimiter', 'max-lines', 'max-args', 'max-procs', 'max-chars'],
  });
  const inner = words.slice(skipped.next);
  if (inner.length === 0) return [];
  const replace =
    skipped.options.get('I') ??
    (skipped.options.has('i') || skipped.options.has('replace')
      ? skipped.options.get('replace') || '{}'
      : undefined);
  const fed =
    stdin !== undefined && !skipped.options.has('a') && !skipped.options.has('arg-file') ? stdin : undefined;
  const items =
    fed?.trim() === ''
      ? []
      : fed
          ?.trim()
          .split(replace === undefined ? /\s+/ : /\n/)
          .slice(0, 64);
  if (replace !== undefined) {
    const values = items ?? [undefined];
    return values.slice(0, 8).flatMap((value) =>
      argv(
        inner.map((w) =>
          w.text.includes(replace)
            ? value === undefined
              ? { ...w, known: false }
              : { ...w, text: w.text.split(replace).join(value) }
            : w,
        ),
        'xargs',
      ),
    );
  }
  const fedWords: ArgumentWord[] =
    items === undefined ? [{ text: '{}', known: false, several: true }] : items.map(known);
  return argv([...inner, ...fedWords], 'xargs');
}

const findFilters =
  /^-(name|iname|path|ipath|wholename|regex|iregex|type|size|mtime|mmin|atime|amin|ctime|cmin|newer\w*|user|group|perm|empty|maxdepth|links|inum|uid|gid|nouser|nogroup|executable|readable|writable|prune|samefile|lname|fstype)$/;

function find(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const out: Inner[] = [];
  let first = 1;
  while (/^-([HLP]|O\d|D)$/.test(args[first] ?? '')) first += args[first] === '-D' ? 2 : 1;
  let last = first;
  while (last < args.length && !/^[-(!),]/.test(args[last] ?? '')) last++;
  const roots = last > first ? words.slice(first, last) : [known('.')];
  const filtered = args.some((a) => findFilters.test(a));
  const found: readonly ArgumentWord[] = filtered ? [{ text: '{}', known: false, several: true }] : roots;
  for (let i = last; i < args.length; i++) {
    const a = args[i] ?? '';
    if (a === '-delete') {
      out.push({
        kind: 'argv',
        words: [known('rm'), known(filtered ? '-f' : '-rf'), ...found],
        via: 'find -delete',
      });
    } else if (/^-(exec|execdir|ok|okdir)$/.test(a)) {
      let end = i + 1;
      while (end < args.length && args[end] !== ';' && !(args[end] === '+' && args[end - 1] === '{}')) end++;
      const inner = words
        .slice(i + 1, end)
        .flatMap((w) => (w.text === '{}' ? found : w.text.includes('{}') ? [{ ...w, known: false }] : [w]));
      out.push(...argv(inner, `find ${a}`));
      i = end;
    }
  }
  return out;
}

function fd(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const at = args.findIndex((a) => /^(-x|-X|--exec|--exec-batch)$/.test(a));
  if (at < 0) return [];
  const inner = words.slice(at + 1).map((w) => (w.text.includes('{') ? { ...w, known: false } : w));
  return argv([...inner, { text: '{}', known: false, several: true }], 'fd');
}

function watch(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const skipped = skipOptions(args, 1, { short: 'nq', long: ['interval', 'equexit'] });
  const inner = words.slice(skipped.next);
  return skipped.options.has('x') || skipped.options.has('exec')
    ? argv(inner, 'watch')
    : line(inner, 'watch');
}

function script(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const option = optionLine(words, args, ['-c', '--command'], 'script');
  if (option.length > 0) return option;
  const clustered = args.findIndex((a) => /^-[a-zA-Z]*c$/.test(a));
  if (clustered > 0 && words[clustered + 1] !== undefined)
    return line(words.slice(clustered + 1, clustered + 2), 'script');
  // BSD's form: script [options] file command…
  const skipped = skipOptions(args, 1, { short: 'tTEmoBIO', operands: 1 });
  const inner = words.slice(skipped.next);
  return inner.length > 0 ? argv(inner, 'script') : [{ kind: 'stdin', via: 'script', crontab: false }];
}

function optionLine(
  words: readonly ArgumentWord[],
  args: readonly string[],
  names: readonly string[],
  via: string,
): Inner[] {
  for (let i = 1; i < args.length; i++) {
    const a = args[i] ?? '';
    const word = words[i];
    if (word === undefined) break;
    for (const name of names) {
      if (a === name) {
        const value = words[i + 1];
        return value === undefined ? [] : line([value], via);
      }
      if (name.startsWith('--') && a.startsWith(`${name}=`))
        return line([{ ...word, text: a.slice(name.length + 1) }], via);
    }
  }
  return [];
}

function flock(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const skipped = skipOptions(args, 1, {
    short: 'wE',
    long: ['timeout', 'wait', 'conflict-exit-code'],
    operands: 1,
  });
  const rest = words.slice(skipped.next);
  const first = rest[0]?.text;
  if (first === '-c' || first === '--command') return line(rest.slice(1, 2), 'flock');
  if (skipped.options.has('c') || skipped.options.has('command')) return line(rest.slice(0, 1), 'flock');
  return argv(rest, 'flock');
}

function parallel(
  words: readonly ArgumentWord[],
  args: readonly string[],
  stdin: string | undefined,
): readonly Inner[] {
  const skipped = skipOptions(args, 1, {
    short: 'jPISNnLdaCE',
    long: [
      'jobs',
      'max-procs',
      'sshlogin',
      'joblog',
      'delay',
      'timeout',
      'retries',
      'arg-file',
      'delimiter',
      'colsep',
      'results',
      'workdir',
      'basefile',
      'tempdir',
      'tagstring',
    ],
  });
  let end = skipped.next;
  while (end < args.length && !/^:{3,4}\+?$/.test(args[end] ?? '')) end++;
  const template = words.slice(skipped.next, end);
  const from =
    args[end] === ':::' ? words.slice(end + 1).filter((w) => !/^:{3,4}\+?$/.test(w.text)) : undefined;
  const items: readonly ArgumentWord[] | undefined =
    from ??
    (end >= args.length && stdin !== undefined
      ? stdin.trim().split('\n').slice(0, 16).map(known)
      : undefined);
  if (template.length === 0) {
    return items === undefined
      ? [{ kind: 'stdin', via: 'parallel', crontab: false }]
      : items.slice(0, 16).flatMap((w) => line([w], 'parallel'));
  }
  const holds = template.some((w) => /\{[^}]*\}/.test(w.text));
  const values: readonly (ArgumentWord | undefined)[] =
    items === undefined ? [undefined] : items.slice(0, 16);
  return values.flatMap((value) => {
    const filled = template.map((w) =>
      /\{[^}]*\}/.test(w.text)
        ? value === undefined
          ? { ...w, known: false }
          : { ...w, text: w.text.replace(/\{[^}]*\}/g, () => value.text) }
        : w,
    );
    return line(
      holds ? filled : [...filled, value ?? { text: '{}', known: false, several: true }],
      'parallel',
    );
  });
}

function ssh(name: string, words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const out: Inner[] = [];
  args.forEach((a, i) => {
    const text = a === '-o' ? (args[i + 1] ?? '') : a.startsWith('-o') ? a.slice(2) : '';
    const m = /^\s*(proxycommand|localcommand|knownhostscommand)[\s=]+(.*)$/is.exec(text);
    const word = words[a === '-o' ? i + 1 : i];
    if (m !== null && word !== undefined)
      out.push(...line([{ ...word, text: m[2] ?? '' }], `${name} ${(m[1] ?? '').toLowerCase()}`));
  });
  const skipped = skipOptions(args, 1, sshTable);
  // Options may follow the host as well.
  const again = skipOptions(args, skipped.next, { ...sshTable, operands: 0 });
  const inner = words.slice(again.next);
  if (inner.length > 0) out.push(...line(inner, name, true));
  else if (!skipped.options.has('N')) out.push({ kind: 'stdin', via: name, crontab: false });
  return out;
}

function container(name: string, words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  let at = skipOptions(args, 1, { short: 'cHl', long: ['config', 'context', 'host', 'log-level'] }).next;
  if (args[at] === 'container' || args[at] === 'compose')
    at = skipOptions(args, at + 1, { short: 'fp', long: ['file', 'project-name', 'profile'] }).next;
  const verb = args[at];
  if (verb !== 'exec' && verb !== 'run') return [];
  const skipped = skipOptions(args, at + 1, verb === 'exec' ? containerExec : containerRun);
  const entry = skipped.options.get('entrypoint');
  const inner = words.slice(skipped.next);
  return argv(entry === undefined || entry === '' ? inner : [known(entry), ...inner], `${name} ${verb}`);
}

function kubectl(name: string, words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const start = name === 'k3s' ? (args[1] === 'kubectl' ? 2 : args.length) : 1;
  const at = skipOptions(args, start, kubectlTable).next;
  const verb = args[at];
  if (verb !== 'exec' && verb !== 'run' && verb !== 'debug') return [];
  const dashes = args.indexOf('--', at);
  if (dashes > 0) return argv(words.slice(dashes + 1), `${name} ${verb}`);
  if (verb !== 'exec') return [];
  const pod = skipOptions(args, at + 1, { ...kubectlTable, operands: 1 });
  return argv(words.slice(pod.next), `${name} exec`);
}

function startStopDaemon(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const skipped = skipOptions(args, 1, plainWrappers.get('start-stop-daemon') ?? {});
  const program =
    skipped.options.get('exec') ??
    skipped.options.get('x') ??
    skipped.options.get('startas') ??
    skipped.options.get('a');
  return program === undefined || program === ''
    ? []
    : argv([known(program), ...words.slice(skipped.next)], 'start-stop-daemon');
}

function capsh(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const at = args.findIndex((a) => a === '--' || a === '==');
  return at < 0 ? [] : argv([known('/bin/bash'), ...words.slice(at + 1)], 'capsh');
}

function trap(words: readonly ArgumentWord[], args: readonly string[]): readonly Inner[] {
  const at = args[1] === '--' ? 2 : 1;
  const text = words[at];
  if (text === undefined || args.length <= at + 1 || text.text === '' || text.text.startsWith('-')) return [];
  return line([text], 'trap');
}
