// Ways in which ordinary programs start a command that stands in an option or in a variable: tar's checkpoint actions,
// rsync's -e, git's pager, PROMPT_COMMAND. Tables only.

/** `code`: it names a file whose content is run, and is expanded first. `function`: its value is a function's body. */
export type CommandVariable = 'line' | 'prompt' | 'filter' | 'code' | 'function';

/** How a variable's value is run: as a line, as prompt text with substitutions, as a filter after `|`. */
export function commandVariables(name: string): CommandVariable | undefined {
  return name.startsWith('BASH_FUNC_') ? 'function' : variables.get(name);
}

const variables: ReadonlyMap<string, CommandVariable> = new Map<string, CommandVariable>([
  ...'PROMPT_COMMAND PAGER MANPAGER GIT_PAGER SYSTEMD_PAGER EDITOR VISUAL SUDO_EDITOR FCEDIT GIT_EDITOR SYSTEMD_EDITOR KUBE_EDITOR CRONTAB_EDITOR BROWSER GIT_SSH GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_ASKPASS GIT_PROXY_COMMAND RSYNC_RSH CVS_RSH SSH_ASKPASS SUDO_ASKPASS RESTIC_PASSWORD_COMMAND BORG_RSH BORG_PASSCOMMAND CRASHPAGER TAR_OPTIONS PSQL_EDITOR'
    .split(' ')
    .map((n): [string, 'line'] => [n, 'line']),
  ...'PS0 PS1 PS2 PS4 RPROMPT PROMPT'.split(' ').map((n): [string, 'prompt'] => [n, 'prompt']),
  ['LESSOPEN', 'filter'],
  ['LESSCLOSE', 'filter'],
  // A shell that starts expands these and reads the file that they name; so do interpreters with theirs.
  ...'BASH_ENV ENV ZDOTDIR PYTHONSTARTUP PERL5OPT RUBYOPT NODE_OPTIONS LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH INPUTRC'
    .split(' ')
    .map((n): [string, 'code'] => [n, 'code']),
]);

interface OptionLine {
  readonly option: string;
  readonly line: string;
}

interface Row {
  /** Options whose value, attached or next, is a command line. */
  readonly options?: readonly string[];
  /** Finds a command line inside any one word. */
  readonly pattern?: RegExp;
}

const rows: ReadonlyMap<string, Row> = new Map<string, Row>([
  [
    'tar',
    {
      options: [
        '-I',
        '--use-compress-program',
        '--to-command',
        '--rsh-command',
        '--info-script',
        '--new-volume-script',
        '-F',
      ],
      pattern: /^--checkpoint-action=exec=(.+)$/s,
    },
  ],
  [
    'gtar',
    {
      options: ['-I', '--use-compress-program', '--to-command', '--rsh-command', '-F'],
      pattern: /^--checkpoint-action=exec=(.+)$/s,
    },
  ],
  ['bsdtar', { options: ['--use-compress-program'] }],
  ['cpio', { options: ['--rsh-command'] }],
  ['rsync', { options: ['-e', '--rsh', '--rsync-path'] }],
  ['scp', { options: ['-S'], pattern: /^(?:-o)?\s*(?:proxycommand|localcommand)[\s=]+(.+)$/is }],
  ['sftp', { options: ['-S'], pattern: /^(?:-o)?\s*(?:proxycommand|localcommand)[\s=]+(.+)$/is }],
  ['sshfs', { pattern: /^(?:-o)?\s*ssh_command=(.+)$/is }],
  ['sshuttle', { options: ['-e', '--ssh-cmd'] }],
  [
    'git',
    {
      options: [
        '--exec',
        '--extcmd',
        '--open-files-in-pager',
        '--upload-pack',
        '--receive-pack',
        '--env-filter',
        '--tree-filter',
        '--index-filter',
        '--parent-filter',
        '--msg-filter',
        '--commit-filter',
        '--tag-name-filter',
      ],
      pattern:
        /^(?:(?:core\.pager|core\.editor|core\.sshcommand|core\.fsmonitor|alias\.[\w-]+|pager\.[\w-]+|diff\.external|sequence\.editor|credential\.helper|[\w-]+tool\.[\w.-]+\.cmd|filter\.[\w.-]+\.(?:clean|smudge|process)|uploadpack\.packobjectshook)=!?|!|ext::)(.+)$/is,
    },
  ],
  ['mapfile', { options: ['-C'] }],
  ['readarray', { options: ['-C'] }],
  ['compgen', { options: ['-C'] }],
  ['make', { options: ['--eval'] }],
  ['gmake', { options: ['--eval'] }],
  ['hg', { pattern: /^alias\.[\w-]+=!(.+)$/s }],
  ['man', { options: ['-P', '--pager', '-H', '--html'] }],
  ['split', { options: ['--filter'] }],
  ['zip', { options: ['-TT', '--unzip-command'] }],
  ['sort', { options: ['--compress-program'] }],
  ['tcpdump', { options: ['-z'] }],
  [
    'aria2c',
    {
      options: [
        '--on-download-complete',
        '--on-download-start',
        '--on-download-error',
        '--on-download-stop',
        '--on-bt-download-complete',
      ],
    },
  ],
  ['wget', { options: ['--use-askpass'] }],
  ['yt-dlp', { options: ['--exec', '--exec-before-download'] }],
  ['youtube-dl', { options: ['--exec'] }],
  ['fzf', { options: ['--preview'] }],
  ['pip', { options: ['--editor'] }],
  ['pip3', { options: ['--editor'] }],
  ['gcc', { options: ['-wrapper'] }],
  ['g++', { options: ['-wrapper'] }],
  ['cc', { options: ['-wrapper'] }],
  ['dhclient', { options: ['-sf'] }],
  [
    'openvpn',
    {
      options: [
        '--up',
        '--down',
        '--route-up',
        '--ipchange',
        '--client-connect',
        '--client-disconnect',
        '--tls-verify',
        '--auth-user-pass-verify',
      ],
    },
  ],
  [
    'certbot',
    {
      options: [
        '--pre-hook',
        '--post-hook',
        '--deploy-hook',
        '--renew-hook',
        '--manual-auth-hook',
        '--manual-cleanup-hook',
      ],
    },
  ],
  ['restic', { options: ['--password-command'] }],
  ['borg', { options: ['--rsh'] }],
  ['rpm', { options: ['--pipe'] }],
  ['socat', { pattern: /^(?:exec|system):["']?([^,"']+)/is }],
  ['ncat', { options: ['-e', '-c', '--exec', '--sh-exec'] }],
  ['nc', { options: ['-e', '-c'] }],
  ['nc.traditional', { options: ['-e', '-c'] }],
  ['netcat', { options: ['-e', '-c'] }],
  ['agetty', { options: ['-l', '--login-program'] }],
  ['getty', { options: ['-l'] }],
  ['pidstat', { options: ['-e'] }],
  ['plymouth', { pattern: /^--command=(.+)$/s }],
  ['enscript', { options: ['-I', '--filter'] }],
  ['perlbug', { options: ['-e'] }],
  ['xterm', { options: ['-e'] }],
  ['konsole', { options: ['-e'] }],
  ['gnome-terminal', { options: ['-e', '--command'] }],
  ['genie', { options: ['-c'] }],
  ['sysctl', { pattern: /^kernel\.core_pattern=\|(.+)$/s }],
  ['emulate', { options: ['-c'] }],
  ...['less', 'more', 'most'].map((name): [string, Row] => [name, { pattern: /^\+{1,2}!(.+)$/s }]),
  ['mail', { pattern: /^~!(.+)$/s }],
  ['mutt', { options: ['-e'] }],
]);

/** Command lines inside the options of one command; at most 8. */
export function commandOptionLines(name: string, argv: readonly string[]): readonly OptionLine[] {
  const row = rows.get(name) ?? (EDITORS.has(name) ? {} : undefined);
  if (row === undefined) return [];
  const out: OptionLine[] = name === 'git' ? gitLines(argv) : typedLines(name, argv);
  for (let i = 1; i < argv.length && out.length < 8; i++) {
    const a = argv[i] ?? '';
    for (const option of row.options ?? []) {
      const next = argv[i + 1];
      if (a === option && next !== undefined) out.push({ option, line: next });
      else if (option.startsWith('--') && a.startsWith(`${option}=`))
        out.push({ option, line: a.slice(option.length + 1) });
      else if (
        !option.startsWith('--') &&
        option.length === 2 &&
        a.startsWith(option) &&
        a.length > 2 &&
        /^[/.]|\s/.test(a.slice(2))
      )
        out.push({ option, line: a.slice(2) });
    }
    const m = row.pattern?.exec(a);
    if (m?.[1] !== undefined)
      out.push({ option: a.slice(0, 24), line: a.startsWith('ext::') ? m[1].replaceAll('% ', ' ') : m[1] });
  }
  return out;
}

/** Builtins of shells that put a line into the line editor, bind one to a key, or run one later. */
const EDITORS: ReadonlySet<string> = new Set(['print', 'commandline', 'zle', 'sched', 'bind', 'bindkey']);

const typedLines = (name: string, argv: readonly string[]): OptionLine[] => {
  const words = argv.slice(1);
  const operands = words.filter((word) => !word.startsWith('-'));
  const has = (letter: string): boolean =>
    words.some((word) => new RegExp(`^-[A-Za-z]*${letter}`).test(word));
  const whole = (option: string, line: string): OptionLine[] => (line === '' ? [] : [{ option, line }]);
  switch (name) {
    case 'print':
      return has('z') ? whole('-z', operands.join(' ')) : [];
    case 'commandline':
      return whole('', operands.join(' '));
    case 'zle':
      return has('U') ? whole('-U', operands.join(' ')) : [];
    case 'sched':
      return whole('', words.slice(1).join(' '));
    case 'bindkey':
      return has('s') ? whole('-s', keysAsLine(operands[1] ?? '')) : [];
    case 'bind':
      return operands.flatMap((word) => {
        const bound = /:\s*(?:"(.*)"|'(.*)'|(.*))\s*$/s.exec(word);
        return whole('', keysAsLine(bound?.[1] ?? bound?.[2] ?? bound?.[3] ?? '')).slice(0, 8);
      });
    default:
      return [];
  }
};

/** What keys of a macro type, as lines. */
const keysAsLine = (keys: string): string =>
  keys.replaceAll(/\\C-[mMjJ]|\\[rn]|\^[MJ]/g, '\n').replaceAll(/\\e./g, '');

/** git's sub-commands that take a command line: as all that follows, or behind one of their own options. */
const gitVerbs: Readonly<Record<string, { readonly rest?: string; readonly option?: string }>> = {
  bisect: { rest: 'run' },
  submodule: { rest: 'foreach' },
  rebase: { option: '-x' },
  difftool: { option: '-x' },
  grep: { option: '-O' },
  'fetch-pack': { option: '-u' },
  clone: { option: '-u' },
};

const gitLines = (argv: readonly string[]): OptionLine[] => {
  const at = argv.findIndex((word) => Object.hasOwn(gitVerbs, word));
  const { rest, option } = gitVerbs[argv[at] ?? ''] ?? {};
  if (rest !== undefined) {
    const from = argv.indexOf(rest, at);
    const words = argv.slice(from + 1).filter((word) => word !== '--recursive' && word !== '--quiet');
    return from > at && words.length > 0 ? [{ option: `${argv[at]} ${rest}`, line: words.join(' ') }] : [];
  }
  if (option === undefined) return [];
  const found = argv.findIndex((word, index) => index > at && word.startsWith(option));
  const value = argv[found]?.length === option.length ? argv[found + 1] : argv[found]?.slice(option.length);
  return found > 0 && value !== undefined && value !== '' ? [{ option, line: value }] : [];
};

/** Commands of terminal multiplexers that type text into another terminal, or run it beside. */
const MULTIPLEXED =
  /^(?:send(?:-keys?)?|run(?:-shell)?|neww|new-window|new(?:-session)?|splitw|split-window|respawn[pw]|respawn-(?:pane|window)|pipep|pipe-pane|if(?:-shell)?|setb|set-buffer|display-popup|popup|confirm(?:-before)?|command-prompt|bind(?:-key)?|set-hook|stuff|exec|eval|at)$/;
const KEY_WORDS: Readonly<Record<string, string>> = {
  Space: ' ',
  Enter: '\n',
  'C-m': '\n',
  'C-j': '\n',
  KPEnter: '\n',
};

/**
 * Lines that `tmux` or `screen` would run or type elsewhere, as far as their arguments tell: keys are put together, any
 * other text counts as a line of its own. At most 16.
 */
export function multiplexedLines(name: string, argv: readonly string[]): readonly string[] {
  if (name !== 'tmux' && name !== 'screen') return [];
  const lines: string[] = [];
  let verb: string | undefined;
  let words: string[] = [];
  const end = (): void => {
    if (verb === undefined || words.length === 0) return;
    if (/^(?:send|stuff|setb|set-buffer)/.test(verb)) {
      const keys = words.map((word) => KEY_WORDS[word] ?? word).join('');
      const typed = keys.replaceAll(/\^M|\\015|\\n|\r/g, '\n').trim();
      if (typed !== '') lines.push(typed);
    } else {
      lines.push(words.join(' '));
      for (const word of words) {
        if (!/\s/.test(word)) continue;
        lines.push(word);
        // A command of the multiplexer's own, in one word.
        const [first = '', ...rest] = word.trim().split(/\s+/);
        if (MULTIPLEXED.test(first)) lines.push(rest.join(' ').replace(/^(['"])(.*)\1$/s, '$2'));
      }
    }
  };
  let value = false;
  for (const word of argv.slice(1)) {
    if (value) {
      value = false;
      continue;
    }
    if (word === ';' || word === '\\;') {
      end();
      verb = undefined;
      words = [];
    } else if (verb === undefined) {
      if (MULTIPLEXED.test(word)) verb = word;
    } else if (words.length === 0 && /^-[a-zA-Z]+$/.test(word)) value = /[tsNbcFnxyep]$/.test(word);
    else words.push(word);
  }
  end();
  return lines.slice(0, 16);
}

/** Programs whose standard input holds commands behind `!`. */
export const readsBangs = (name: string): boolean =>
  /^(?:ed|red|dc|ftp|sftp|lftp|mail|mailx|telnet|cscope)$/.test(name);
