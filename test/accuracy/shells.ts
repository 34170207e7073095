// Starts each shell under test in a directory of its own, set up so that the shell itself writes down every command
// it is about to run. That record is the truth; nothing of the gateway takes part in it.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));

export interface ShellOptions {
  /** Lines for the shell's start-up file. */
  readonly rc?: string | undefined;
  /** A prompt, written as this shell's quoting wants it. */
  readonly ps1?: string | undefined;
}

export interface StartedShell {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Sent straight to the shell at the end, for those that write their history only then. */
  readonly farewell: string | undefined;
  truth(): readonly string[];
  remove(): void;
}

export interface ShellKind {
  readonly name: string;
  /** What scenario files call it. */
  readonly family: string;
  available(): boolean;
  start(options: ShellOptions): StartedShell;
}

function findProgram(...names: readonly string[]): string | undefined {
  for (const name of names) {
    for (const folder of ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']) {
      const path = join(folder, name);
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}

function workspace(): string {
  const directory = mkdtempSync(join(tmpdir(), 'accuracy-'));
  for (const name of ['alpha_file.txt', 'beta_one.txt', 'beta_two.txt', 'many.txt']) {
    writeFileSync(join(directory, name), `${name}\n`);
  }
  mkdirSync(join(directory, 'dir with space'));
  mkdirSync(join(directory, 'many'));
  for (let number = 1; number <= 150; number++) {
    writeFileSync(join(directory, 'many', `f${String(number).padStart(3, '0')}`), '');
  }
  return directory;
}

const readText = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

const nulSeparated = (path: string): string[] =>
  readText(path)
    .split('\0')
    .filter((entry) => entry !== '');

function environment(directory: string, more: Readonly<Record<string, string>>): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: directory,
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    USER: 'alice',
    LOGNAME: 'alice',
    EDITOR: 'true',
    ...more,
  };
}

function started(
  directory: string,
  file: string,
  args: readonly string[],
  truth: () => readonly string[],
  env: Readonly<Record<string, string>> = {},
  farewell?: string,
): StartedShell {
  return {
    file,
    args,
    env: environment(directory, env),
    directory,
    farewell,
    truth,
    remove: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
  };
}

function bashRc(directory: string, options: ShellOptions): string {
  const rc = join(directory, '.bashrc-test');
  writeFileSync(
    rc,
    [
      `PS1=${options.ps1 ?? "'alice@dev:\\w\\$ '"}`,
      'unset HISTFILE HISTCONTROL HISTTIMEFORMAT PROMPT_COMMAND',
      'shopt -s cmdhist lithist',
      `PS0='$(HISTTIMEFORMAT= history 1 >> "${directory}/truth"; printf "\\0" >> "${directory}/truth")'`,
      options.rc ?? '',
      '',
    ].join('\n'),
  );
  return rc;
}

const bashTruth = (directory: string): string[] =>
  nulSeparated(join(directory, 'truth')).map((entry) =>
    entry.replace(/^\s*\d+\*?\s\s?/, '').replace(/\n$/, ''),
  );

const bash: ShellKind = {
  name: 'bash',
  family: 'bash',
  available: () => findProgram('bash') !== undefined,
  start(options) {
    const directory = workspace();
    const rc = bashRc(directory, options);
    return started(
      directory,
      '/usr/bin/bash',
      ['--noprofile', '--rcfile', rc, '-i'],
      () => bashTruth(directory),
      {
        SHELL: '/bin/bash',
        INPUTRC: '/dev/null',
      },
    );
  },
};

function zshKind(name: string, extra: string): ShellKind {
  return {
    name,
    family: 'zsh',
    available: () =>
      findProgram('zsh') !== undefined &&
      (name !== 'zsh-suggest' || existsSync('/usr/share/zsh-autosuggestions/zsh-autosuggestions.zsh')),
    start(options) {
      const directory = workspace();
      writeFileSync(
        join(directory, '.zshrc'),
        [
          `PS1=${options.ps1 ?? "'alice@dev:%~%# '"}`,
          'HISTSIZE=1000; SAVEHIST=0; unset HISTFILE',
          `preexec() { print -rN -- "$1" >> "${directory}/truth" }`,
          extra,
          options.rc ?? '',
          '',
        ].join('\n'),
      );
      return started(directory, '/usr/bin/zsh', ['-d', '-i'], () => nulSeparated(join(directory, 'truth')), {
        ZDOTDIR: directory,
        SHELL: '/usr/bin/zsh',
      });
    },
  };
}

const fish: ShellKind = {
  name: 'fish',
  family: 'fish',
  available: () => findProgram('fish') !== undefined,
  start(options) {
    const directory = workspace();
    const config = join(directory, '.config', 'fish');
    mkdirSync(config, { recursive: true });
    writeFileSync(
      join(config, 'config.fish'),
      [
        'function fish_greeting; end',
        "function fish_prompt; printf 'alice@dev:%s> ' (prompt_pwd); end",
        `function __truth --on-event fish_preexec; printf '%s\\0' $argv[1] >> "${directory}/truth"; end`,
        options.rc ?? '',
        '',
      ].join('\n'),
    );
    return started(directory, '/usr/bin/fish', ['-i'], () => nulSeparated(join(directory, 'truth')), {
      SHELL: '/usr/bin/fish',
      XDG_CONFIG_HOME: join(directory, '.config'),
      XDG_DATA_HOME: join(directory, '.local'),
      XDG_RUNTIME_DIR: directory,
    });
  },
};

const PLAIN_PROMPT = "'alice@dev$ '";

const ksh: ShellKind = {
  name: 'ksh',
  family: 'ksh',
  available: () => findProgram('ksh93', 'ksh') !== undefined,
  start(options) {
    const directory = workspace();
    const rc = join(directory, '.kshrc');
    const history = join(directory, 'truth');
    writeFileSync(rc, `PS1=${options.ps1 ?? PLAIN_PROMPT}\nset -o emacs\n${options.rc ?? ''}\n`);
    return started(
      directory,
      findProgram('ksh93', 'ksh') ?? 'ksh',
      ['-i'],
      () =>
        readFileOrEmpty(history)
          .toString('utf8', 2)
          .split('\0')
          .map((entry) => entry.replace(/^\n+/, '').replace(/\n+$/, ''))
          .filter((entry) => entry !== '' && !entry.startsWith('\ufffd')),
      {
        ENV: rc,
        HISTFILE: history,
        HISTSIZE: '1000',
        EDITOR: 'emacs',
        VISUAL: 'emacs',
        SHELL: '/usr/bin/ksh93',
      },
    );
  },
};

const readFileOrEmpty = (path: string): Buffer => (existsSync(path) ? readFileSync(path) : Buffer.alloc(0));

/** mksh's history file: two bytes of magic, then 0xff, a four-byte number and the line, ended by NUL. */
function mkshHistory(path: string): string[] {
  const data = readFileOrEmpty(path);
  const entries: string[] = [];
  let at = 2;
  while (at + 5 < data.length) {
    if (data[at] !== 0xff) {
      at += 1;
      continue;
    }
    const end = data.indexOf(0, at + 5);
    const stop = end === -1 ? data.length : end;
    entries.push(data.toString('utf8', at + 5, stop));
    at = stop + 1;
  }
  return entries;
}

const mksh: ShellKind = {
  name: 'mksh',
  family: 'mksh',
  available: () => findProgram('mksh') !== undefined,
  start(options) {
    const directory = workspace();
    const rc = join(directory, '.mkshrc');
    const history = join(directory, 'truth');
    writeFileSync(
      rc,
      `PS1=${options.ps1 ?? PLAIN_PROMPT}\nset -o emacs\nHISTSIZE=500\nHISTFILE='${history}'\n${options.rc ?? ''}\n`,
    );
    return started(directory, findProgram('mksh') ?? 'mksh', ['-i'], () => mkshHistory(history), {
      ENV: rc,
      SHELL: '/bin/mksh',
    });
  },
};

/** Lines of tcsh's `history 1`, each event once: the hook fires for empty lines, too. */
function numbered(text: string): string[] {
  const events = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*(\d+)\s+\d+:\d+\s+(.*)$/.exec(line);
    if (match !== null) events.set(match[1] ?? '', match[2] ?? '');
  }
  return [...events.values()];
}

const tcsh: ShellKind = {
  name: 'tcsh',
  family: 'tcsh',
  available: () => findProgram('tcsh') !== undefined,
  start(options) {
    const directory = workspace();
    writeFileSync(
      join(directory, '.tcshrc'),
      [
        `set prompt=${options.ps1 ?? "'alice@dev% '"}`,
        'set history=500',
        'unset autologout',
        'unset savehist',
        options.rc ?? '',
        `alias postcmd 'history 1 >> "${directory}/truth"'`,
        '',
      ].join('\n'),
    );
    return started(directory, '/usr/bin/tcsh', ['-i'], () => numbered(readText(join(directory, 'truth'))), {
      SHELL: '/usr/bin/tcsh',
    });
  },
};

const busybox: ShellKind = {
  name: 'busybox',
  family: 'busybox',
  available: () => findProgram('busybox') !== undefined,
  start(options) {
    const directory = workspace();
    const rc = join(directory, '.ashrc');
    writeFileSync(
      rc,
      `PS1=${options.ps1 ?? PLAIN_PROMPT}\n${options.rc ?? ''}\nexec 2>>'${directory}/truth'\nset -v\n`,
    );
    return started(
      directory,
      findProgram('busybox') ?? 'busybox',
      ['ash', '-i'],
      () =>
        readText(join(directory, 'truth'))
          .split('\n')
          .filter(
            // Errors of programs land in the same file: "name: what went wrong".
            (line) => line.trim() !== '' && !/^(?:[\w./-]+: |Try |Usage: |BusyBox )/.test(line),
          ),
      { ENV: rc, SHELL: '/bin/busybox' },
    );
  },
};

let preload: string | undefined;

/** A library that writes down each line which a cooked-terminal shell reads; built once, where there is a compiler. */
function readPreload(): string | undefined {
  if (preload !== undefined) return preload === '' ? undefined : preload;
  const compiler = findProgram('cc', 'gcc');
  if (compiler === undefined) {
    preload = '';
    return undefined;
  }
  const directory = mkdtempSync(join(tmpdir(), 'accuracy-preload-'));
  const source = join(directory, 'read-log.c');
  writeFileSync(
    source,
    `#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
ssize_t read(int fd, void *buffer, size_t size) {
  static ssize_t (*real)(int, void *, size_t);
  if (!real) real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
  ssize_t got = real(fd, buffer, size);
  const char *path = getenv("READ_LOG");
  const char *pid = getenv("READ_LOG_PID");
  if (got > 0 && path && isatty(fd) && (!pid || atoi(pid) == getpid())) {
    int log = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (log >= 0) {
      ssize_t done = write(log, buffer, (size_t)got);
      (void)done;
      close(log);
    }
  }
  return got;
}
`,
  );
  const library = join(directory, 'read-log.so');
  try {
    execFileSync(compiler, ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
    preload = library;
  } catch {
    preload = '';
    return undefined;
  }
  return library;
}

const dash: ShellKind = {
  name: 'dash',
  family: 'dash',
  available: () => findProgram('dash') !== undefined && readPreload() !== undefined,
  start(options) {
    const directory = workspace();
    const rc = join(directory, '.dashrc');
    const log = join(directory, 'truth');
    writeFileSync(
      rc,
      `PS1=${options.ps1 ?? PLAIN_PROMPT}\n${options.rc ?? ''}\nunset LD_PRELOAD\nexport READ_LOG_PID=$$\n`,
    );
    return started(
      directory,
      '/usr/bin/dash',
      ['-i'],
      () =>
        readText(log)
          .split('\n')
          .filter((line) => line !== ''),
      { ENV: rc, LD_PRELOAD: readPreload() ?? '', READ_LOG: log, SHELL: '/bin/dash' },
    );
  },
};

const python: ShellKind = {
  name: 'python',
  family: 'python',
  available: () => existsSync('/usr/bin/python3'),
  start() {
    const directory = workspace();
    const rc = join(directory, 'startup.py');
    writeFileSync(
      rc,
      `import readline, sys
readline.parse_and_bind('tab: complete')
import rlcompleter
class _P:
    seen = 0
    def __init__(self, text): self.text = text
    def __str__(self):
        n = readline.get_current_history_length()
        while _P.seen < n:
            _P.seen += 1
            with open(${JSON.stringify(join(directory, 'truth'))}, 'a') as f:
                f.write((readline.get_history_item(_P.seen) or '') + '\\0')
        return self.text
sys.ps1 = _P('>>> ')
sys.ps2 = _P('... ')
`,
    );
    return started(
      directory,
      '/usr/bin/python3',
      ['-q', '-i'],
      () => nulSeparated(join(directory, 'truth')),
      { PYTHONSTARTUP: rc, INPUTRC: '/dev/null', PYTHON_BASIC_REPL: '1', PYTHONHISTFILE: '/dev/null' },
    );
  },
};

const NETWORK_DEVICE = join(HERE, 'network-device.ts');

const network: ShellKind = {
  name: 'network',
  family: 'network',
  available: () => true,
  start() {
    const directory = workspace();
    const truth = join(directory, 'truth');
    return started(
      directory,
      process.execPath,
      ['--disable-warning=ExperimentalWarning', NETWORK_DEVICE, truth],
      () => nulSeparated(truth),
    );
  },
};

/** A multiplexer that ends with its terminal: what it leaves running would stay for good. */
function multiplexed(name: 'tmux' | 'screen'): ShellKind {
  return {
    name,
    family: 'bash',
    available: () => findProgram(name) !== undefined,
    start(options) {
      const directory = workspace();
      const rc = bashRc(directory, options);
      const shell = join(directory, 'shell');
      writeFileSync(shell, `#!/bin/sh\nexec /usr/bin/bash --noprofile --rcfile '${rc}' -i\n`, {
        mode: 0o755,
      });
      const env = {
        SHELL: shell,
        INPUTRC: '/dev/null',
        TMUX_TMPDIR: directory,
        SCREENDIR: join(directory, 'S'),
      };
      mkdirSync(env.SCREENDIR, { mode: 0o700 });
      if (name === 'tmux') {
        const config = join(directory, 'tmux.conf');
        writeFileSync(
          config,
          `set -g status off\nset -g default-command '${shell}'\nset -g escape-time 10\nset -g destroy-unattached on\n`,
        );
        return started(
          directory,
          '/usr/bin/tmux',
          ['-S', join(directory, 'socket'), '-f', config, 'new-session'],
          () => bashTruth(directory),
          env,
        );
      }
      const config = join(directory, 'screenrc');
      writeFileSync(config, `startup_message off\nshell ${shell}\nvbell off\nautodetach off\n`);
      return started(
        directory,
        '/usr/bin/screen',
        ['-c', config, '-U', shell],
        () => bashTruth(directory),
        env,
      );
    },
  };
}

let cluster: { readonly directory: string } | undefined;

function run(command: string): void {
  const asPostgres = process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  const words = [...asPostgres, '/bin/sh', '-c', command];
  execFileSync(words[0] ?? 'sh', words.slice(1), { stdio: 'ignore', cwd: '/tmp' });
}

/** A private PostgreSQL server on a socket of its own; started once, ended with this process. */
function postgres(): string | undefined {
  if (cluster !== undefined) return cluster.directory === '' ? undefined : cluster.directory;
  try {
    const bin = execFileSync('/bin/sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin | tail -1'])
      .toString()
      .trim();
    const directory = mkdtempSync(join(tmpdir(), 'accuracy-postgres-'));
    execFileSync('chmod', ['777', directory]);
    run(`${bin}/initdb -D ${directory}/data -A trust -U alice --no-sync >/dev/null`);
    run(
      `${bin}/pg_ctl -D ${directory}/data -o "-c listen_addresses='' -c unix_socket_directories=${directory} -c fsync=off" -l ${directory}/log -w start`,
    );
    cluster = { directory };
    process.on('exit', () => {
      try {
        run(`${bin}/pg_ctl -D ${directory}/data -m immediate stop`);
        rmSync(directory, { recursive: true, force: true });
      } catch {
        // The server is gone already.
      }
    });
    return directory;
  } catch {
    cluster = { directory: '' };
    return undefined;
  }
}

const psql: ShellKind = {
  name: 'psql',
  family: 'psql',
  available: () => findProgram('psql') !== undefined && postgres() !== undefined,
  start() {
    const directory = workspace();
    const history = join(directory, 'truth');
    writeFileSync(join(directory, '.psqlrc'), `\\set HISTFILE ${history}\n\\set QUIET 1\n\\pset pager off\n`);
    return started(
      directory,
      findProgram('psql') ?? 'psql',
      ['-q', '-h', postgres() ?? '', '-U', 'alice', 'postgres'],
      () =>
        readText(history)
          .split('\n')
          .filter((line) => line !== '' && line !== '\\q')
          .map((line) => line.replaceAll('\x01', '\n')),
      { INPUTRC: '/dev/null' },
      '\x03\x15\\q\r',
    );
  },
};

let database: string | undefined;

/** A private MariaDB server on a socket of its own; started once, ended with this process. */
function mariadb(): string | undefined {
  if (database !== undefined) return database === '' ? undefined : database;
  const server = findProgram('mariadbd', 'mysqld');
  const install = findProgram('mariadb-install-db', 'mysql_install_db');
  if (server === undefined || install === undefined) {
    database = '';
    return undefined;
  }
  try {
    const directory = mkdtempSync(join(tmpdir(), 'accuracy-mariadb-'));
    const data = join(directory, 'data');
    const user = process.getuid?.() === 0 ? ['--user=root'] : [];
    execFileSync(install, [`--datadir=${data}`, '--auth-root-authentication-method=normal', ...user], {
      stdio: 'ignore',
    });
    const child = spawn(
      server,
      [
        `--datadir=${data}`,
        `--socket=${directory}/socket`,
        '--skip-networking',
        '--skip-grant-tables',
        ...user,
      ],
      { stdio: 'ignore' },
    );
    process.on('exit', () => {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    });
    execFileSync('/bin/sh', [
      '-c',
      `for i in $(seq 100); do [ -S ${directory}/socket ] && exit 0; sleep 0.1; done; exit 1`,
    ]);
    database = directory;
    return directory;
  } catch {
    database = '';
    return undefined;
  }
}

const mysql: ShellKind = {
  name: 'mysql',
  family: 'mysql',
  available: () => findProgram('mariadb', 'mysql') !== undefined && mariadb() !== undefined,
  start() {
    const directory = workspace();
    const history = join(directory, 'truth');
    return started(
      directory,
      findProgram('mariadb', 'mysql') ?? 'mysql',
      ['--no-defaults', '--silent', '--prompt=db> ', `--socket=${mariadb() ?? ''}/socket`],
      () =>
        readText(history)
          .split('\n')
          .map((line) =>
            line.replace(/\\(\d{3})/g, (_, digits: string) =>
              String.fromCharCode(Number.parseInt(digits, 8)),
            ),
          )
          .filter((line) => line !== '' && line !== '\\q' && !line.startsWith('_HiStOrY')),
      { MYSQL_HISTFILE: history, INPUTRC: '/dev/null' },
      '\x15\\q\r',
    );
  },
};

export const SHELLS: readonly ShellKind[] = [
  bash,
  zshKind('zsh', ''),
  zshKind(
    'zsh-suggest',
    "source /usr/share/zsh-autosuggestions/zsh-autosuggestions.zsh\nRPROMPT='[%h right]'",
  ),
  fish,
  dash,
  busybox,
  ksh,
  mksh,
  tcsh,
  python,
  psql,
  mysql,
  multiplexed('tmux'),
  multiplexed('screen'),
  network,
];
