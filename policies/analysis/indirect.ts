// Ways in which ordinary programs start a command that stands in an option or in a variable: tar's checkpoint actions,
// rsync's -e, git's pager, PROMPT_COMMAND. Tables only.

/** How a variable's value is run: as a line, as prompt text with substitutions, or as a filter after `|`. */
export function commandVariables(name: string): 'line' | 'prompt' | 'filter' | undefined {
  return variables.get(name);
}

const variables: ReadonlyMap<string, 'line' | 'prompt' | 'filter'> = new Map([
  ...'PROMPT_COMMAND PAGER MANPAGER GIT_PAGER SYSTEMD_PAGER EDITOR VISUAL SUDO_EDITOR FCEDIT GIT_EDITOR SYSTEMD_EDITOR KUBE_EDITOR CRONTAB_EDITOR BROWSER GIT_SSH GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_ASKPASS GIT_PROXY_COMMAND RSYNC_RSH CVS_RSH SSH_ASKPASS SUDO_ASKPASS RESTIC_PASSWORD_COMMAND BORG_RSH BORG_PASSCOMMAND CRASHPAGER TAR_OPTIONS PSQL_EDITOR'
    .split(' ')
    .map((n): [string, 'line'] => [n, 'line']),
  ...'PS0 PS1 PS2 PS4 RPROMPT PROMPT'.split(' ').map((n): [string, 'prompt'] => [n, 'prompt']),
  ['LESSOPEN', 'filter'],
  ['LESSCLOSE', 'filter'],
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
      pattern:
        /^(?:core\.pager|core\.editor|core\.sshcommand|core\.fsmonitor|alias\.[\w-]+|pager\.[\w-]+|diff\.external|sequence\.editor|credential\.helper)=!?(.+)$/is,
    },
  ],
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
  ['mail', { pattern: /^~!(.+)$/s }],
  ['mutt', { options: ['-e'] }],
]);

/** Command lines inside the options of one command; at most 8. */
export function commandOptionLines(name: string, argv: readonly string[]): readonly OptionLine[] {
  const row = rows.get(name);
  if (row === undefined) return [];
  const out: OptionLine[] = [];
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
        /^[/.\s]/.test(a.slice(2))
      )
        out.push({ option, line: a.slice(2) });
    }
    const m = row.pattern?.exec(a);
    if (m?.[1] !== undefined) out.push({ option: a.slice(0, 24), line: m[1] });
  }
  return out;
}
