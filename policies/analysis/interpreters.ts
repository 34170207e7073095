// Programs that are given program text on their command line (`python -c`, `awk 'BEGIN{system(…)}'`, `vim -c ':!x'`), and
// a best-effort search of such text for the shell commands it starts. It reads string literals, not the languages: what
// it finds is real, what it doesn't find may still be there, so interpreted text always stays marked as such.

export interface InterpretedText {
  readonly language: string;
  /** Index in argv of the word that holds the text; -1 when it is glued to its option. */
  readonly index: number;
  readonly text: string;
}

interface InterpreterRow {
  readonly language: string;
  /** Options followed by program text, attached or as the next word. */
  readonly options: readonly string[];
  /** The first operand is program text unless one of `fileOptions` is given. */
  readonly operand?: boolean;
  readonly fileOptions?: readonly string[];
  /** Options that take a value which is not program text. */
  readonly valued?: string;
  /** Every operand may be program text. */
  readonly texts?: boolean;
}

const rows: readonly { readonly names: RegExp; readonly row: InterpreterRow }[] = [
  {
    names: /^(python|pypy)[0-9.]*$|^(i|b)python[0-9.]*$|^pyston/,
    row: { language: 'python', options: ['-c'], valued: 'WXm' },
  },
  { names: /^perl[0-9.]*$/, row: { language: 'perl', options: ['-e', '-E'] } },
  { names: /^(ruby|jruby|irb)[0-9.]*$/, row: { language: 'ruby', options: ['-e'] } },
  {
    names: /^(node|nodejs|bun)[0-9]*$/,
    row: { language: 'javascript', options: ['-e', '--eval', '-p', '--print', '-pe'] },
  },
  { names: /^deno$/, row: { language: 'javascript', options: ['eval'] } },
  {
    names: /^(php|hhvm)[0-9.]*(-cli)?$/,
    row: { language: 'php', options: ['-r', '--run', '-B', '-R', '-E'] },
  },
  { names: /^(lua|luajit|texlua)[0-9.-]*$/, row: { language: 'lua', options: ['-e'] } },
  {
    names: /^(gawk|mawk|nawk|awk|busybox-awk|original-awk)$/,
    row: {
      language: 'awk',
      options: ['-e', '--source'],
      operand: true,
      fileOptions: ['-f', '--file'],
      valued: 'Fvfi',
    },
  },
  {
    names: /^(g?sed)$/,
    row: {
      language: 'sed',
      options: ['-e', '--expression'],
      operand: true,
      fileOptions: ['-f', '--file'],
      valued: 'fl',
    },
  },
  {
    names: /^(vim?|nvim|view|rvim|vimdiff|rview|gvim|ex)$/,
    row: { language: 'vim', options: ['-c', '--cmd', '-S'] },
  },
  {
    names: /^emacs(client)?$/,
    row: { language: 'elisp', options: ['--eval', '-eval', '--execute', '-e', '-f'] },
  },
  {
    names: /^gdb$/,
    row: { language: 'gdb', options: ['-ex', '--ex', '-eval-command', '--eval-command', '-iex'] },
  },
  { names: /^dc$/, row: { language: 'gdb', options: ['-e', '--expression'] } },
  { names: /^(expect|tclsh|wish)[0-9.]*$/, row: { language: 'tcl', options: ['-c'] } },
  { names: /^(r|rscript)$/i, row: { language: 'r', options: ['-e'] } },
  {
    names:
      /^(octave(-cli)?|julia|guile|clisp|sbcl|ghc|ghci|runghc|erl|elixir|iex|groovy|jrunscript|jjs|scala|bpftrace|slsh|raku|swipl|gimp|puppet|rake|make|gmake|rpm|rpmdb|rpmquery|rpmverify|xonsh|nasm|m4|jshell|kotlin)$/,
    row: { language: 'program', options: ['-e', '-E', '--eval', '-eval', '-x', '-b', '-c', '--execute'] },
  },
  { names: /^psql$/, row: { language: 'sql', options: ['-c', '--command'] } },
  { names: /^(mysql|mariadb)$/, row: { language: 'sql', options: ['-e', '--execute'] } },
  { names: /^sqlite3?$/, row: { language: 'sql', options: ['-cmd', '--cmd'], texts: true } },
  { names: /^(mongo|mongosh)$/, row: { language: 'javascript', options: ['--eval'] } },
];

const rowCache = new Map<string, InterpreterRow | undefined>();

function rowOf(name: string): InterpreterRow | undefined {
  const cached = rowCache.get(name);
  if (cached !== undefined || rowCache.has(name)) return cached;
  const found = rows.find((r) => r.names.test(name))?.row;
  if (rowCache.size < 2_000) rowCache.set(name, found);
  return found;
}

/** The language that this program interprets, if it is an interpreter of one. */
export function interpretedLanguage(name: string): string | undefined {
  return rowOf(name)?.language;
}

/** The script file an interpreter is started with, when it is started with one. */
export function scriptOperand(name: string, argv: readonly string[]): string | undefined {
  const row = rowOf(name);
  if (
    row === undefined ||
    row.operand === true ||
    !/^(python|perl|ruby|javascript|php|lua|tcl|r)$/.test(row.language)
  )
    return undefined;
  for (let i = 1; i < argv.length; i++) {
    const a = argv[i] ?? '';
    if (a === '-' || a === '-m') return undefined;
    if (a.startsWith('-')) {
      if (row.valued?.includes(a.slice(-1)) === true && a.length === 2) i++;
      continue;
    }
    return row.options.includes(a) ? undefined : a;
  }
  return undefined;
}

/** Program texts on a command line. */
export function interpretedTexts(name: string, argv: readonly string[]): readonly InterpretedText[] {
  const row = rowOf(name);
  if (row === undefined) return [];
  const out: InterpretedText[] = [];
  let operandTaken = row.operand !== true;
  for (let i = 1; i < argv.length && out.length < 16; i++) {
    const a = argv[i] ?? '';
    if (row.language === 'vim' && a.startsWith('+') && a.length > 1) {
      out.push({ language: 'vim', index: i, text: a.slice(1) });
      continue;
    }
    if (a.startsWith('-') && a.length > 1) {
      if (
        row.fileOptions?.some(
          (o) => a === o || (o.length === 2 ? a.startsWith(o) : a.startsWith(`${o}=`)),
        ) === true
      )
        operandTaken = true;
      const option = row.options.find((o) => a === o);
      if (option !== undefined) {
        const next = argv[i + 1];
        if (next !== undefined) out.push({ language: row.language, index: i + 1, text: next });
        if (row.operand === true) operandTaken = true;
        i++;
        continue;
      }
      const attached = row.options.find((o) => (o.startsWith('--') ? a.startsWith(`${o}=`) : false));
      if (attached !== undefined) {
        out.push({ language: row.language, index: -1, text: a.slice(attached.length + 1) });
        continue;
      }
      // Clusters: perl -lne CODE, ruby -rsocket -e, python -Ic CODE, perl -e'CODE'.
      const letters = row.options
        .filter((o) => o.length === 2 && !o.startsWith('--'))
        .map((o) => o.charAt(1));
      if (!a.startsWith('--')) {
        const at = [...a].findIndex((c, k) => k > 0 && letters.includes(c));
        const head = at > 0 ? a.slice(1, at) : '';
        if (at > 0 && /^[a-zA-Z0-9]*$/.test(head) && !/[rIMmWXFv]/.test(head)) {
          if (at === a.length - 1) {
            const next = argv[i + 1];
            if (next !== undefined) out.push({ language: row.language, index: i + 1, text: next });
            if (row.operand === true) operandTaken = true;
            i++;
          } else if (row.language !== 'program' && row.language !== 'sed')
            out.push({ language: row.language, index: -1, text: a.slice(at + 1) });
          continue;
        }
      }
      if (a.length === 2 && row.valued?.includes(a.charAt(1)) === true) i++;
      continue;
    }
    if (row.options.includes(a)) {
      const next = argv[i + 1];
      if (next !== undefined) out.push({ language: row.language, index: i + 1, text: next });
      i++;
      continue;
    }
    if (!operandTaken || row.texts === true) {
      operandTaken = true;
      out.push({ language: row.language, index: i, text: a });
    }
  }
  return out;
}

export interface StartedCommand {
  /** A line for a shell, or a list of words. */
  readonly line: string | undefined;
  readonly argv: readonly string[] | undefined;
}

const starters =
  /^(system|popen|popen2|popen3|popen4|exec|execl|execle|execlp|execlpe|execv|execve|execvp|execvpe|spawn|spawnl|spawnlp|spawnv|spawnvp|spawnSync|execSync|execFile|execFileSync|shell_exec|passthru|proc_open|pcntl_exec|check_output|check_call|call|run|Popen|getoutput|getstatusoutput|create_subprocess_shell|create_subprocess_exec|qx|capture2|capture2e|capture3|ProcessBuilder|callCommand|readProcess|cmd|esyscmd|syscmd|shell|write18|execute|posix_spawn|callProcess|system2|unsafe_cmd|start_process|Syscall|StartProcess|Command)$/;

/** Shell commands that a program text starts, as far as its string literals tell. At most 32. */
export function startedCommands(language: string, text: string): readonly StartedCommand[] {
  switch (language) {
    case 'vim':
      return vimCommands(text);
    case 'sed':
      return sedCommands(text);
    case 'gdb':
      return lineCommands(text, /^\s*(?:!|shell\s+|pipe\s+)(.+)$/);
    case 'elisp':
      return [...lispCommands(text), ...literalCommands(language, text)];
    case 'tcl':
      return [...tclCommands(text), ...literalCommands(language, text)];
    case 'perl':
      return [...perlLists(text), ...literalCommands(language, text)];
    case 'sql':
      return sqlCommands(text);
    case 'program':
      // A makefile's recipes.
      return [
        ...lineCommands(text, /^(?:\t|[^\s:=]+:[^=;]*;)[@+-]*(.+)$/),
        ...literalCommands(language, text),
      ];
    default:
      return literalCommands(language, text);
  }
}

function lineCommands(text: string, pattern: RegExp): StartedCommand[] {
  const out: StartedCommand[] = [];
  for (const line of text.split('\n').slice(0, 256)) {
    const m = pattern.exec(line);
    if (m?.[1] !== undefined) out.push({ line: m[1], argv: undefined });
  }
  return out.concat(/^\s*(python|py)\b/.test(text) ? literalCommands('python', text) : []);
}

function vimCommands(text: string): readonly StartedCommand[] {
  const out: StartedCommand[] = [];
  const m =
    /(?:^|[|:\s])(?:\.|%|\d+(?:,\d+)?)?!\s*([^\s].*)$|\b(?:ter|term|terminal)\s+(.+)$|\b(?:r|read|w|write)\s*!\s*(.+)$/s.exec(
      text,
    );
  const found = m?.[1] ?? m?.[2] ?? m?.[3];
  if (found !== undefined) out.push({ line: found, argv: undefined });
  if (/^:?\s*sh(e|el|ell)?\s*$/.test(text)) out.push({ line: 'sh', argv: undefined });
  return [...out, ...literalCommands('vim', text)];
}

/** `(shell-command "…")`, `(call-process "prog" …)`. */
function lispCommands(text: string): readonly StartedCommand[] {
  const found = text.matchAll(
    /\((?:async-)?(?:shell-command(?:-to-string)?|call-process(?:-shell-command)?|start-process(?:-shell-command)?|process-lines|compile|system)\b([^()]*)/g,
  );
  return [...found].slice(0, 16).map(([, rest = '']) => ({
    line: [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)]
      .map(([, literal = '']) => unescapeLiteral(literal))
      .join(' '),
    argv: undefined,
  }));
}

/** expect's `spawn PROGRAM…` and `send "…"`, Tcl's `exec`. */
function tclCommands(text: string): readonly StartedCommand[] {
  return [
    ...text.matchAll(
      /\b(?:spawn|exec|send(?:_user)?)\s+(?:--?\w*\s+)*(?:"((?:[^"\\]|\\.)*)"|\{([^}]*)\}|([^;\n"]+))/g,
    ),
  ]
    .slice(0, 16)
    .map(([, literal, braces, bare]) => ({
      line: (literal === undefined ? (braces ?? bare ?? '') : unescapeLiteral(literal)).replaceAll(
        '\\r',
        '\n',
      ),
      argv: undefined,
    }));
}

/** perl's `exec qw(prog arg)`. */
function perlLists(text: string): readonly StartedCommand[] {
  const lists = text.matchAll(
    /\b(?:system|exec)\s*\(?\s*qw\s*(?:\(([^)]*)\)|\{([^}]*)\}|\[([^\]]*)\]|<([^>]*)>|([/|!])(.*?)\5)/g,
  );
  return [...lists].slice(0, 16).map(([, a, b, c, d, , e]) => ({
    line: undefined,
    argv: (a ?? b ?? c ?? d ?? e ?? '').trim().split(/\s+/),
  }));
}

function sedCommands(text: string): readonly StartedCommand[] {
  // GNU sed: `e COMMAND` at the start of a command, after an optional address; `s/…/COMMAND/e` runs what it made.
  const m = /^(?:\d+|\$|\/[^/]*\/)?\s*e\s+(.+)$/s.exec(text);
  const replaced = [
    ...text.matchAll(/s([/|,#:!@])(?:\\.|(?!\1).)*\1((?:\\.|(?!\1).)*)\1[a-zA-Z0-9]*e/g),
  ].slice(0, 8);
  return [
    ...(m?.[1] === undefined ? [] : [{ line: m[1], argv: undefined }]),
    ...replaced.map(([, , line = '']) => ({ line, argv: undefined })),
  ];
}

/** psql's and mysql's escapes to a shell, and server-side programs. */
export function sqlCommands(text: string): readonly StartedCommand[] {
  const out: StartedCommand[] = [];
  for (const line of text.split('\n').slice(0, 256)) {
    const bang =
      /\\!\s*(.+)$/.exec(line) ??
      /^\s*(?:\.shell|\.system|system)\s+(.+?);?\s*$/i.exec(line) ??
      /\\(?:o|g|w|gx)\s*\|\s*(.+)$/.exec(line);
    if (bang?.[1] !== undefined) out.push({ line: bang[1], argv: undefined });
    // Programs that show results or edit queries, set for later.
    const shower =
      /^\s*\\setenv\s+\w*(?:PAGER|EDITOR|VISUAL)\s+(.+)$/i.exec(line) ??
      /^\s*(?:pager|\\P)\s+(.+?);?\s*$/.exec(line);
    if (shower?.[1] !== undefined) out.push({ line: shower[1].replace(/^'(.*)'$/s, '$1'), argv: undefined });
    const program = /\bprogram\s+(?:E)?'((?:[^']|'')*)'/i.exec(line);
    if (program?.[1] !== undefined) out.push({ line: program[1].replaceAll("''", "'"), argv: undefined });
    const call = /\b(?:sys_exec|sys_eval|xp_cmdshell|load_extension)\s*\(?\s*'((?:[^']|'')*)'/i.exec(line);
    if (call?.[1] !== undefined) out.push({ line: call[1].replaceAll("''", "'"), argv: undefined });
  }
  return out;
}

/** One pass over the text: literals, and the name before the bracket or blank they stand in. Linear in its length. */
function literalCommands(language: string, text: string): readonly StartedCommand[] {
  const out: StartedCommand[] = [];
  const quotesRun =
    language === 'perl' || language === 'ruby' || language === 'php' || language === 'program';
  let word = '';
  let lastWord = '';
  let call: { name: string; depth: number; literals: string[]; list: boolean } | undefined;
  let depth = 0;
  const finish = (): void => {
    const done = call;
    call = undefined;
    if (done === undefined || done.literals.length === 0 || out.length >= 32) return;
    const first = done.literals[0] ?? '';
    if (
      done.list ||
      (done.literals.length > 1 &&
        /^(exec|spawn|execl|execv|execFile|pcntl|system|ProcessBuilder|Popen|run|Command|Syscall|StartProcess|posix_spawn|readProcess|callProcess|IO\.popen)/.test(
          done.name,
        ))
    ) {
      out.push({ line: undefined, argv: done.literals.slice(0, 64) });
      // The last of ["/bin/sh", "-c", "…"] is a line itself; the walker sees that from argv.
    } else out.push({ line: first, argv: undefined });
  };
  for (let i = 0; i < text.length && out.length < 32; i++) {
    const c = text.charAt(i);
    if (/[A-Za-z0-9_$]/.test(c)) {
      word += c;
      continue;
    }
    if (word !== '') {
      lastWord = word;
      word = '';
    }
    if (c === '"' || c === "'" || c === '`') {
      const end = closing(text, i);
      const literal = unescapeLiteral(text.slice(i + 1, end));
      if (c === '`' && quotesRun) out.push({ line: literal, argv: undefined });
      else if (call !== undefined) call.literals.push(literal);
      else if (
        starters.test(lastWord) &&
        /^\s*$/.test(text.slice(Math.max(0, i - 1), i).replace(/[A-Za-z0-9_]/g, ''))
      ) {
        // perl, ruby, lua and make call without brackets: system "…", exec '…'.
        out.push({ line: literal, argv: undefined });
      } else if (c === '`') {
        const inner = lastWord;
        if (inner === 'run') out.push({ line: literal, argv: undefined });
      } else if (/\|\s*$/.test(literal) || /^\s*\|/.test(literal)) {
        // perl's open(F,"cmd|"), awk's "cmd" | getline.
        if (language === 'perl' || language === 'ruby')
          out.push({ line: literal.replace(/^\s*\||\|\s*$/g, ''), argv: undefined });
      } else if (language === 'awk' && /^\s*\|\s*&?\s*getline/.test(text.slice(end + 1, end + 24))) {
        out.push({ line: literal, argv: undefined });
      } else if (language === 'awk' && /(?:^|[^|])\|\s*&?\s*$/.test(text.slice(Math.max(0, i - 4), i))) {
        out.push({ line: literal, argv: undefined });
      }
      i = end;
      lastWord = '';
      continue;
    }
    if (c === '(' || c === '{' || c === '[') {
      depth++;
      if (call === undefined && c !== '[' && starters.test(lastWord)) {
        if (c === '{' && lastWord !== 'qx' && lastWord !== 'write18') {
          lastWord = '';
          continue;
        }
        if (c === '{' || lastWord === 'esyscmd' || lastWord === 'syscmd' || lastWord === 'qx') {
          const shut = text.indexOf(c === '{' ? '}' : ')', i);
          const inner = text.slice(i + 1, shut < 0 ? text.length : shut).trim();
          if (!/^["'`]/.test(inner)) {
            out.push({ line: inner, argv: undefined });
            i = shut < 0 ? text.length : shut;
            depth--;
            lastWord = '';
            continue;
          }
        }
        call = { name: lastWord, depth, literals: [], list: false };
      } else if (call !== undefined && c === '[' && call.literals.length === 0) call.list = true;
      lastWord = '';
      continue;
    }
    if (c === ')' || c === '}' || c === ']') {
      if (call !== undefined && depth === call.depth) finish();
      depth = Math.max(0, depth - 1);
      lastWord = '';
      continue;
    }
    if (c === ',' && call !== undefined && call.literals.length === 0) {
      // The first argument is no literal: spawn(os.P_WAIT, "…") and the like still follow.
      continue;
    }
    if (c !== ' ' && c !== '\t') lastWord = '';
  }
  finish();
  return out;
}

function closing(text: string, start: number): number {
  const quote = text.charAt(start);
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '\\') i++;
    else if (c === quote) return i;
  }
  return text.length;
}

function unescapeLiteral(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[0-7]{3}|.)/gs, (_, e: string) => {
        if (e.length > 1)
          return String.fromCharCode(
            e[0] === 'x' || e[0] === 'u' ? Number.parseInt(e.slice(1), 16) : Number.parseInt(e, 8) & 255,
          );
        return e === 'n' ? '\n' : e === 't' ? '\t' : e;
      })
    : text;
}
