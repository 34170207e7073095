// Walks the grammar's tree and follows every way in which one command starts another, keeping what a shell would know on
// the way (variables, aliases, functions, the directory, small files). All work is counted; when a bound is met the rest
// is marked opaque. Nothing is executed, and no value is trusted further than it was seen to be set.

import {
  type ArithmeticExpression,
  type CommandNode,
  forEachChild,
  type HereDoc,
  type ParsedScript,
  type PipelineNode,
  parse,
  type Redirection as RedirectionNode,
  type Statement,
  type SyntaxNode,
} from 'unbash';
import { commandOptionLines, commandVariables, multiplexedLines, readsBangs } from './indirect.ts';
import {
  interpretedLanguage,
  interpretedTexts,
  scriptOperand,
  sqlCommands,
  startedCommands,
} from './interpreters.ts';
import { printf, staticOutput } from './output.ts';
import { absolutePath, basename, normalisePath } from './paths.ts';
import { plainCommands } from './tokens.ts';
import {
  type AssignedVariable,
  analysisLimits,
  emptyShellState,
  type Grammar,
  type Incomplete,
  type Opacity,
  type OpacityReason,
  type Redirection,
  type ResolvedCommand,
  type ShellState,
  type VariableValue,
} from './types.ts';
import { type ExpansionSource, expandBody, expandValue, expandWord, type Field } from './words.ts';
import { type ArgumentWord, type Inner, mayWrap, unwrap } from './wrappers.ts';

/** Where in the nesting a command stands. */
interface Place {
  readonly via: readonly string[];
  readonly parent: number;
  readonly depth: number;
  readonly background: boolean;
  readonly feeds: boolean;
  readonly deferred: boolean;
  readonly interpreted: string | undefined;
  /** Runs only if something else went well or badly: what it sets may not be set. */
  readonly conditional: boolean;
  /** Known text on standard input. */
  readonly stdin: string | undefined;
  /** Something feeds standard input. */
  readonly piped: boolean;
  readonly fed: readonly string[];
  /** Set inside decoded or nested text, where positions in the typed line mean nothing. */
  readonly span: { readonly start: number; readonly end: number } | undefined;
  /** The text that positions of the current tree index. */
  readonly source: string;
  /** $1, $2, …; undefined: not known. */
  readonly positional: readonly string[] | undefined;
}

interface Scope {
  variables: Map<string, VariableValue>;
  aliases: Map<string, string>;
  functions: Map<string, readonly string[]>;
  files: Map<string, string>;
  directory: string | undefined;
  tainted: boolean;
}

/** Values that nearly every session has; used as likely readings and never taken as certain. */
const usualVariables: ReadonlyMap<string, string> = new Map([
  ['SHELL', '/bin/bash'],
  ['BASH', '/bin/bash'],
  ['0', 'bash'],
  ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ['PS4', '+ '],
]);

/** Programs that a pattern in command position (`/bin/r?`) is tried on, to name what it may be. */
const patternCandidates =
  'rm dd mkfs shred wipefs sh bash dash zsh ksh python python3 perl ruby nc ncat socat curl wget cat chmod chown chattr useradd usermod userdel passwd visudo crontab insmod modprobe rmmod iptables reboot shutdown halt poweroff kill killall pkill systemctl mount umount fdisk parted mv cp ln tee sudo su ssh scp base64 xxd tar find xargs env'.split(
    ' ',
  );

export class Walker {
  readonly commands: ResolvedCommand[] = [];
  readonly opaque: Opacity[] = [];
  incomplete: Incomplete = 'none';
  hereDocument: { readonly delimiter: string; readonly stripTabs: boolean } | undefined;
  truncated = false;
  private steps = 0;
  private parsed = 0;
  private textTotal = 0;
  private scope: Scope;
  private readonly grammar: Grammar;
  private readonly activeNames = new Set<string>();
  private readonly substitutes = new Map<
    string,
    { readonly text: string | undefined; readonly fed: readonly string[] }
  >();
  /** Which candidate of a variable with several is being read, and which such variables were met. */
  private choice = new Map<string, number>();
  private ambiguous = new Set<string>();
  private emptyUnknown = false;
  private place: Place;

  constructor(grammar: Grammar, state: ShellState) {
    this.grammar = grammar;
    this.scope = {
      variables: new Map(state.variables),
      aliases: new Map(state.aliases),
      functions: new Map(state.functions),
      files: new Map(state.files),
      directory: state.directory,
      tainted: state.tainted,
    };
    this.place = {
      via: [],
      parent: -1,
      depth: 0,
      background: false,
      feeds: false,
      deferred: false,
      interpreted: undefined,
      conditional: false,
      stdin: undefined,
      piped: false,
      fed: [],
      span: undefined,
      source: '',
      positional: [],
    };
  }

  state(): ShellState {
    const s = this.scope;
    return s.variables.size + s.aliases.size + s.functions.size + s.files.size === 0 &&
      s.directory === undefined &&
      !s.tainted
      ? emptyShellState
      : s;
  }

  /** Analyses text that this shell reads: the line itself. */
  line(text: string): void {
    this.place = { ...this.place, source: text };
    const script = parse(text);
    this.parsed += text.length;
    this.note(script, text);
    this.script(script, this.place);
  }

  // --- bounds and marks

  private step(): boolean {
    this.steps++;
    if (this.steps <= analysisLimits.steps && this.commands.length < analysisLimits.commands) return true;
    if (!this.truncated) {
      this.truncated = true;
      this.mark('length', 'line', '', undefined);
    }
    return false;
  }

  mark(why: OpacityReason, where: Opacity['where'], text: string, hint: string | undefined): void {
    if (this.opaque.length >= analysisLimits.opacities) return;
    const short = text.slice(0, 200);
    if (this.opaque.some((o) => o.why === why && o.where === where && o.text === short)) return;
    this.opaque.push({ why, where, text: short, hint });
  }

  /** Errors of the grammar: either the line goes on, or the shell's reading may differ from ours. */
  private note(script: ParsedScript, text: string): void {
    if (script.errors === undefined || script.errors.length === 0) return;
    const second = { ...this.place, via: [...this.place.via, 'second reading'] };
    // zsh's short forms: `for i (a b) COMMAND`, `if [[ … ]] COMMAND`.
    const short = /^\s*(?:for|foreach|if|while|until|repeat|select)\b.*?(?:\)|\]\])\s+(.+)$/s.exec(text);
    if (short?.[1] !== undefined) this.plain(short[1], second, false);
    const kind = incompleteKind(script, text);
    if (kind !== 'none') {
      if (this.incomplete === 'none') this.incomplete = kind;
      return;
    }
    this.mark('grammar', 'line', text, script.errors[0]?.message);
    this.plain(text, second, false);
  }

  /** Commands by the plain reading, for what the grammar could not take. */
  plain(text: string, place: Place, parens: boolean): void {
    if (!this.enter(place)) return;
    for (const command of plainCommands(text, parens)) {
      if (!this.step()) return;
      const words = command.words.map((w, i) => ({
        text: w,
        known: command.known[i] ?? true,
        several: command.known[i] === false,
        glob: false,
        why: command.known[i] === false ? ('variable' as const) : undefined,
      }));
      for (const inner of command.substitutions)
        this.plain(inner, { ...place, depth: place.depth + 1, via: [...place.via, '()'] }, parens);
      const redirections = command.redirections.map((r) => ({
        operator: r.operator,
        descriptor: undefined,
        target: r.target,
        known: true,
      }));
      this.run(words, { ...place, piped: command.piped || place.piped }, redirections, [], {
        start: 0,
        end: Math.min(text.length, this.place.source.length),
      });
    }
  }

  private enter(place: Place): boolean {
    if (place.depth <= analysisLimits.depth) return true;
    this.truncated = true;
    this.mark('depth', 'line', place.via.join(' '), undefined);
    return false;
  }

  // --- tree

  private script(script: ParsedScript, place: Place): string | undefined {
    return this.enter(place) ? this.statements(script.commands, place) : undefined;
  }

  private statements(list: readonly Statement[], place: Place): string | undefined {
    let output: string | undefined = '';
    for (const statement of list) {
      if (!this.step()) return undefined;
      const background = statement.background === true;
      const out = background
        ? this.isolated(() => this.node(statement.command, { ...place, background: true }))
        : this.node(statement.command, place);
      output = output === undefined || out === undefined ? undefined : output + out;
    }
    return output;
  }

  /** Runs `work` with a copy of what the shell knows: a subshell's changes end with it. */
  private isolated<T>(work: () => T): T {
    const outer = this.scope;
    this.scope = {
      ...outer,
      variables: new Map(outer.variables),
      aliases: new Map(outer.aliases),
      functions: new Map(outer.functions),
    };
    try {
      return work();
    } finally {
      this.scope = outer;
    }
  }

  private node(node: PipelineNode | Statement['command'], place: Place): string | undefined {
    if (!this.step()) return undefined;
    switch (node.type) {
      case 'Command':
        return this.command(node, place);
      case 'AndOr': {
        let output = this.node(node.commands[0] ?? emptyCommand, place);
        for (const next of node.commands.slice(1)) {
          const out = this.node(next, { ...place, conditional: true });
          output = output === undefined || out === undefined ? undefined : output + out;
        }
        return output;
      }
      case 'Pipeline':
        return this.pipeline(node.commands, place);
      case 'Redirected': {
        const redirections = this.redirections(node.redirects, place);
        const fed = this.feed(redirections, place);
        this.bare(redirections, place, node);
        const output = this.node(node.command, fed);
        return this.written(output, redirections, fed);
      }
      case 'Subshell':
        return this.isolated(() => this.statements(node.body.commands, place));
      case 'BraceGroup':
        return this.statements(node.body.commands, place);
      case 'If':
        this.statements(node.clause.commands, place);
        this.statements(node.then.commands, { ...place, conditional: true });
        for (const e of node.elif) {
          this.statements(e.clause.commands, { ...place, conditional: true });
          this.statements(e.then.commands, { ...place, conditional: true });
        }
        if (node.else !== undefined) this.statements(node.else.commands, { ...place, conditional: true });
        return undefined;
      case 'For':
      case 'Select': {
        const fields = (node.wordlist ?? []).flatMap((w) => expandWord(w, this.expansion(place)));
        if (node.wordlist !== undefined) {
          for (const f of fields.slice(0, 8))
            this.runsLater(node.name.value, f.known ? f.text : undefined, place);
          this.scope.variables.set(node.name.value, {
            candidates: [...new Set(fields.filter((f) => f.known && !f.glob).map((f) => f.text))].slice(0, 8),
            complete: node.type === 'For' && fields.length <= 8 && fields.every((f) => f.known && !f.glob),
          });
        }
        this.loop(() => this.statements(node.body.commands, { ...place, conditional: true }));
        return undefined;
      }
      case 'While':
        this.loop(() => {
          this.statements(node.clause.commands, place);
          this.statements(node.body.commands, { ...place, conditional: true });
        });
        return undefined;
      case 'ArithmeticFor':
        for (const part of [node.initialize, node.test, node.update]) this.expression(part, place);
        this.loop(() => this.statements(node.body.commands, { ...place, conditional: true }));
        return undefined;
      case 'Case':
        expandWord(node.word, this.expansion(place));
        for (const item of node.items) {
          for (const p of item.pattern) expandWord(p, this.expansion(place));
          this.statements(item.body.commands, { ...place, conditional: true });
        }
        return undefined;
      case 'TestCommand':
      case 'ArithmeticCommand':
        this.substitutions(node, place);
        return '';
      case 'Function': {
        const body = place.source.slice(node.body.pos, node.body.end);
        const name = node.name.value;
        const before = place.conditional ? (this.scope.functions.get(name) ?? []) : [];
        if (this.scope.functions.size < 256) this.scope.functions.set(name, [...before, body].slice(-4));
        this.isolated(() =>
          node.body.type === 'CompoundList'
            ? this.statements(node.body.commands, {
                ...place,
                deferred: true,
                positional: undefined,
                via: [...place.via, `function ${name}`],
              })
            : this.node(node.body, {
                ...place,
                deferred: true,
                positional: undefined,
                via: [...place.via, `function ${name}`],
              }),
        );
        return '';
      }
      case 'Coproc': {
        const body = node.body;
        return body.type === 'CompoundList'
          ? this.statements(body.commands, place)
          : // Whatever is written to it comes from this shell, later.
            this.node(body, { ...place, background: true, piped: true });
      }
    }
  }

  /** A loop's body may use what its own end sets: walked again when it changed a variable. */
  private loop(work: () => void): void {
    const before = snapshot(this.scope);
    const first = this.commands.length;
    work();
    if (snapshot(this.scope) === before) return;
    const seen = new Set(this.commands.slice(first).map((c) => c.text));
    const mark = this.commands.length;
    work();
    // Parents are indexes: only a tail that repeats in full may be dropped.
    if (this.commands.slice(mark).every((c) => seen.has(c.text))) this.commands.length = mark;
  }

  private pipeline(nodes: readonly CommandNode[], place: Place): string | undefined {
    let stdin = place.stdin;
    let piped = place.piped;
    let fed: readonly string[] = place.fed;
    let output: string | undefined;
    nodes.forEach((node, i) => {
      const from = this.commands.length;
      const here: Place = { ...place, stdin, piped, fed, feeds: place.feeds || i < nodes.length - 1 };
      // Only a pipeline of one shares the shell's variables (zsh and ksh run the last part in the shell: keep its effects possible).
      output = i === nodes.length - 1 ? this.node(node, here) : this.isolated(() => this.node(node, here));
      stdin = output;
      piped = true;
      fed = [...new Set([...fed, ...this.commands.slice(from).map((c) => c.name)])].slice(0, 16);
    });
    return output;
  }

  private expression(expression: ArithmeticExpression | undefined, place: Place): void {
    if (expression !== undefined) this.substitutions(expression, place);
  }

  /** Command substitutions anywhere below a node that is not a command itself. */
  private substitutions(node: SyntaxNode, place: Place): void {
    if (!this.step()) return;
    if (node.type === 'Word') {
      for (const { text, known } of expandWord(node, this.expansion(place))) {
        // Quoted here, and expanded all the same where it is taken for an expression.
        if (known && /\$\(|`/.test(text))
          for (const inner of substitutionsIn(text))
            this.later(inner, { ...place, depth: place.depth + 1 }, '[[ ]]', place.deferred);
      }
      return;
    }
    if (
      node.type === 'CommandExpansion' ||
      node.type === 'ArithmeticCommandExpansion' ||
      node.type === 'ProcessSubstitution'
    ) {
      this.substituted(node.script, node.text, place, '$()');
      return;
    }
    forEachChild(node, (child) => this.substitutions(child, place));
  }

  // --- one command

  private command(node: Extract<CommandNode, { type: 'Command' }>, place: Place): string | undefined {
    const span = place.span ?? { start: node.pos, end: node.end };
    const first = this.commands.length;
    const redirections = node.redirects.length === 0 ? [] : this.redirections(node.redirects, place);
    const here = redirections.length === 0 ? place : this.feed(redirections, place);

    const assignments: AssignedVariable[] = [];
    for (const item of node.prefix) {
      if (item.type !== 'Assignment') continue;
      assignments.push(...this.assignment(item, here));
    }
    if (node.name === undefined) {
      for (const a of assignments) this.set(a.name, a.value, place.conditional);
      if (redirections.length > 0 || assignments.length > 0)
        this.emit([], here, redirections, assignments, span);
      for (const a of assignments) this.commandVariable(a, here, span);
      return this.written('', redirections, here);
    }
    this.choice = new Map();
    this.ambiguous = new Set();
    const expand = (): Field[] => {
      const fields: Field[] = [];
      if (node.name !== undefined) fields.push(...expandWord(node.name, this.expansion(here)));
      for (const arg of node.args) {
        if (fields.length > analysisLimits.fields) {
          this.truncated = true;
          this.mark('length', 'argument', '', undefined);
          break;
        }
        if (arg.type === 'Word') fields.push(...expandWord(arg, this.expansion(here)));
        else {
          // NAME=value after export, declare, env and the like.
          for (const a of this.assignment(arg, here)) {
            fields.push({
              text: `${a.name}=${a.value ?? arg.text.slice(a.name.length + 1)}`,
              known: a.value !== undefined,
              several: false,
              glob: false,
              why: a.value === undefined ? 'variable' : undefined,
            });
          }
        }
      }
      return fields;
    };
    const fields = expand();
    const choices = [...this.ambiguous];
    // What substitutions in its words started also reaches it.
    const fromWords = this.commands.slice(first).map((c) => c.name);
    const fedPlace =
      fromWords.length === 0
        ? here
        : { ...here, fed: [...new Set([...here.fed, ...fromWords])].slice(0, 16) };
    const literalName =
      node.name.parts === undefined && node.name.text === node.name.value ? node.name.value : undefined;

    let output = this.run(fields, fedPlace, redirections, assignments, span, literalName);
    if (choices.length > 0) {
      output = undefined;
      const counts = choices.map((c) => this.scope.variables.get(c)?.candidates.length ?? 1);
      const total = Math.min(
        8,
        counts.reduce((a, b) => a * b, 1),
      );
      for (let k = 1; k < total; k++) {
        let rest = k;
        this.choice = new Map(
          choices.map((c, i) => {
            const n = counts[i] ?? 1;
            const at = rest % n;
            rest = Math.floor(rest / n);
            return [c, at];
          }),
        );
        this.run(expand(), fedPlace, redirections, assignments, span);
      }
      this.choice = new Map();
    }
    const head = fields[0];
    if (head !== undefined && !head.known && head.why === 'variable') {
      // A variable that was never set leaves nothing behind: `$x rm -rf /` runs rm.
      this.emptyUnknown = true;
      const reduced = expand().filter((f) => f.text !== '');
      this.emptyUnknown = false;
      if (reduced.length > 0 && reduced[0]?.known === true && reduced[0].text !== head.text)
        this.run(reduced, fedPlace, redirections, assignments, span);
    }
    return this.written(output, redirections, fedPlace);
  }

  /** A compound command's redirections as a command of their own, so that what they write is seen. */
  private bare(
    redirections: readonly Redirection[],
    place: Place,
    node: { readonly pos: number; readonly end: number },
  ): void {
    if (redirections.length > 0)
      this.emit([], place, redirections, [], place.span ?? { start: node.pos, end: node.end });
  }

  /** Everything that one argv comes to: itself, and whatever it starts. Answers its output when that is known. */
  private run(
    fields: readonly (ArgumentWord & { readonly glob?: boolean; readonly why?: Field['why'] })[],
    place: Place,
    redirections: readonly Redirection[],
    assignments: readonly AssignedVariable[],
    span: { readonly start: number; readonly end: number },
    literalName?: string,
  ): string | undefined {
    if (!this.step() || !this.enter(place)) return undefined;
    const head = fields[0];
    if (head === undefined) {
      this.emit([], place, redirections, assignments, span);
      return '';
    }
    const name = basename(head.text);
    for (const a of assignments) this.commandVariable(a, place, span);
    const aliasText = literalName === undefined ? undefined : this.scope.aliases.get(literalName);
    const index = this.emit(fields, place, redirections, assignments, span);

    if (!head.known)
      this.mark(head.why === 'substitution' ? 'substitution' : 'variable', 'command', head.text, undefined);
    else if (head.glob === true) this.globbedName(fields, head.text, place, redirections, assignments, span);
    for (const f of fields.slice(1))
      if (!f.known && f.text !== '{}') this.mark(f.why ?? 'variable', 'argument', f.text, undefined);

    const below: Place = { ...place, parent: index, depth: place.depth + 1, span };
    if (
      aliasText !== undefined &&
      literalName !== undefined &&
      !this.activeNames.has(`alias ${literalName}`)
    ) {
      const rest = fields
        .slice(1)
        .map((f) => (/^[\w./:@%+=,~*?-]+$/.test(f.text) ? f.text : `'${f.text.replaceAll("'", "'\\''")}'`));
      this.guarded(`alias ${literalName}`, () =>
        this.text([aliasText, ...rest].join(' '), {
          ...below,
          via: [...place.via, `alias ${literalName}`],
          depth: place.depth + 1,
        }),
      );
    }
    const bodies = this.scope.functions.get(name);
    if (bodies !== undefined && !head.text.includes('/')) {
      const known = fields.slice(1).every((f) => f.known);
      for (const body of bodies) {
        this.guarded(`function ${name}`, () =>
          this.text(body, {
            ...below,
            via: [...place.via, `function ${name}`],
            positional: known ? fields.slice(1).map((f) => f.text) : undefined,
          }),
        );
      }
      return undefined;
    }
    const argv = fields.map((f) => f.text);
    const allKnown = fields.every((f) => f.known);
    if (name === 'exec' && argv.length === 1) this.takesOver(redirections);
    const builtin = this.builtin(name, fields, argv, place, below);
    this.hiddenText(name, fields, place, below);
    const language = interpretedLanguage(name);
    if (language !== undefined) this.interpreter(name, language, argv, fields, place, below);
    let output: string | undefined;
    if (mayWrap(name)) {
      const inners = unwrap(name, fields, place.stdin);
      for (const inner of inners) output = this.inner(inner, place, below, redirections);
      if (inners.length !== 1) output = undefined;
    }
    for (const text of commandOptionLines(name, argv)) {
      this.later(text.line, below, `${name} ${text.option}`, place.deferred);
    }
    for (const line of multiplexedLines(name, argv)) this.later(line, below, name, place.deferred);
    if (readsBangs(name) && place.stdin !== undefined) {
      for (const line of place.stdin.split('\n').slice(0, 64)) {
        const bang = line.indexOf('!');
        if (bang !== -1) this.later(line.slice(bang + 1), below, name, place.deferred);
      }
    }
    if (builtin !== undefined) return builtin;
    if (
      name === 'which' ||
      (name === 'command' && argv[1] === '-v') ||
      (name === 'type' && /^-[pP]$/.test(argv[1] ?? ''))
    ) {
      const target = argv[argv.length - 1];
      if (allKnown && target !== undefined && argv.length > 1 && /^[\w.+-]+$/.test(target))
        return `${target}\n`;
    }
    if (output !== undefined) return output;
    if (!allKnown) return undefined;
    if (name === 'cat' && argv.length === 2) {
      const file = this.scope.files.get(argv[1] ?? '');
      if (file !== undefined) return file;
    }
    return staticOutput(argv, name, place.piped || place.stdin !== undefined ? place.stdin : undefined);
  }

  /** A pattern names the program: known ones that it fits are tried, and the rest stays unknown. */
  private globbedName(
    fields: readonly ArgumentWord[],
    pattern: string,
    place: Place,
    redirections: readonly Redirection[],
    assignments: readonly AssignedVariable[],
    span: { readonly start: number; readonly end: number },
  ): void {
    const all = patternCandidates.filter((c) => fitsPattern(basename(pattern), c));
    // A pattern that fits everything tells nothing.
    const fits = all.length > 8 ? [] : all;
    this.mark('glob', 'command', pattern, fits.length === 0 ? undefined : fits.slice(0, 5).join(', '));
    for (const candidate of fits) {
      this.run(
        [{ text: candidate, known: true, several: false }, ...fields.slice(1)],
        { ...place, via: [...place.via, `pattern ${pattern.slice(0, 40)}`], depth: place.depth + 1 },
        redirections,
        assignments,
        span,
      );
    }
  }

  private inner(
    inner: Inner,
    place: Place,
    below: Place,
    redirections: readonly Redirection[],
  ): string | undefined {
    const via = [...place.via, inner.via];
    switch (inner.kind) {
      case 'argv':
        return this.run(
          inner.words,
          { ...below, via },
          redirections.filter((r) => r.operator !== '<<' && r.operator !== '<<<'),
          [],
          below.span ?? { start: 0, end: 0 },
        );
      case 'line': {
        if (!inner.known)
          this.mark(inner.via === 'eval' ? 'eval' : 'variable', 'command', inner.text, undefined);
        if (inner.via === 'eval') {
          if (!inner.known) this.scope.tainted = true;
          return this.text(inner.text, { ...below, via });
        }
        if (inner.via === 'trap') {
          this.isolated(() => this.text(inner.text, { ...below, via, deferred: true }));
          return '';
        }
        return this.isolated(() => {
          if (inner.remote) this.scope = { ...fresh(this.scope), directory: undefined };
          const [zero] = inner.positional;
          if (zero !== undefined) this.set('0', zero, false);
          return this.text(inner.text, { ...below, via, positional: inner.positional.slice(1) }, inner.via);
        });
      }
      case 'stdin': {
        if (place.stdin !== undefined) {
          const text = inner.crontab ? crontabCommands(place.stdin) : place.stdin;
          this.isolated(() =>
            this.text(
              text,
              { ...below, via, stdin: undefined, piped: false, deferred: place.deferred || inner.crontab },
              inner.via,
            ),
          );
        } else if (place.piped) this.mark('stdin', 'line', via.join(' '), place.fed.join(', ') || undefined);
        return undefined;
      }
      case 'script': {
        const substitute = this.substitutes.get(inner.path);
        const text =
          substitute?.text ??
          this.scope.files.get(inner.path) ??
          this.scope.files.get(inner.path.replace(/^\.\//, ''));
        const sourced = inner.via === 'source';
        if (text === undefined) {
          this.mark(
            sourced ? 'source' : 'script',
            'line',
            inner.path,
            substitute?.fed.join(', ') || undefined,
          );
          if (sourced) this.scope.tainted = true;
          return undefined;
        }
        if (sourced) this.text(text, { ...below, via });
        else this.isolated(() => this.text(text, { ...below, via, stdin: undefined, piped: false }));
        return undefined;
      }
    }
  }

  /** Parses and walks text that a shell reads in turn. */
  private text(text: string, place: Place, shell?: string): string | undefined {
    if (!this.enter(place)) return undefined;
    this.parsed += text.length;
    if (text.length > analysisLimits.line || this.parsed > analysisLimits.parsed) {
      this.truncated = true;
      this.mark('length', 'line', text, undefined);
      return undefined;
    }
    if (shell === 'fish') {
      this.fish(text, place);
      return undefined;
    }
    const script = parse(text);
    if (script.errors !== undefined && script.errors.length > 0) {
      this.mark('grammar', 'line', text, script.errors[0]?.message);
      this.plain(text, { ...place, depth: place.depth + 1 }, false);
    }
    return this.script(script, { ...place, source: text });
  }

  /** Text that some program runs: in a shell of its own, perhaps later. */
  private later(text: string, below: Place, via: string, deferred: boolean): void {
    this.isolated(() =>
      this.text(text, { ...below, via: [...below.via, via], deferred, stdin: undefined, piped: false }),
    );
  }

  /** `exec < file`: the shell reads its next commands from there. */
  private takesOver(redirections: readonly Redirection[]): void {
    for (const { operator, descriptor, target } of redirections) {
      if ((descriptor ?? 0) !== 0 || !/^(?:<|<>|<&)$/.test(operator) || target === '/dev/tty') continue;
      this.mark('script', 'line', target, 'exec');
    }
  }

  /**
   * Commands in what looks like text: substitutions in quoted words that a builtin takes for arithmetic or for the name
   * of a variable (`test -v 'a[$(id)]'`), and in zsh's glob qualifiers (`*(e:id:)`).
   */
  private hiddenText(name: string, fields: readonly ArgumentWord[], place: Place, below: Place): void {
    const evaluates = EVALUATING.test(name);
    for (const { text, known } of fields.slice(1)) {
      if (evaluates && known && /\$\(|`/.test(text)) {
        for (const inner of substitutionsIn(text))
          this.later(inner, below, `${name} subscript`, place.deferred);
      }
      const qualifier = text.includes('(')
        ? /\([^()]*e([:{[<|+,@])([^:}\]>|+,@]+)/.exec(text)?.[2]
        : undefined;
      if (qualifier !== undefined)
        this.later(qualifier.replace(/^(['"])(.*)\1$/s, '$2'), below, 'glob qualifier', place.deferred);
    }
    // zsh runs what `=name` is the path of; `env NAME=value` sets variables that a program may run.
    const head = fields[0]?.text ?? '';
    if (head.length > 1 && head.startsWith('=')) {
      this.run(
        [{ text: head.slice(1), known: true, several: false }, ...fields.slice(1)],
        { ...below, via: [...place.via, '='] },
        [],
        [],
        below.span ?? { start: 0, end: 0 },
      );
    }
    if (name === 'env' || name === 'sudo' || name === 'doas') {
      for (const { text, known } of fields.slice(1)) {
        const equals = text.indexOf('=');
        if (!known || equals < 1 || !/^[A-Za-z_][\w%]*$/.test(text.slice(0, equals).replace(/%%$|\(\)$/, '')))
          continue;
        const value = text.slice(equals + 1);
        this.commandVariable(
          { name: text.slice(0, equals), value, text: value },
          below,
          below.span ?? { start: 0, end: 0 },
        );
      }
    }
  }

  private guarded(key: string, work: () => void): void {
    if (this.activeNames.has(key)) return;
    this.activeNames.add(key);
    try {
      work();
    } finally {
      this.activeNames.delete(key);
    }
  }

  // --- builtins that change what the shell knows

  private builtin(
    name: string,
    fields: readonly ArgumentWord[],
    argv: readonly string[],
    place: Place,
    below: Place,
  ): string | undefined {
    switch (name) {
      case 'cd':
      case 'pushd': {
        const target = fields.slice(1).find((f) => !/^-[LPe@]$/.test(f.text) && f.text !== '--');
        if (place.conditional && this.scope.directory !== undefined) this.scope.directory = undefined;
        else
          this.scope.directory =
            target === undefined
              ? '~'
              : target.known && target.text !== '-'
                ? absolutePath(target.text, this.scope.directory)
                : undefined;
        return '';
      }
      case 'popd':
        this.scope.directory = undefined;
        return '';
      case 'export':
      case 'declare':
      case 'typeset':
      case 'local':
      case 'readonly':
      case 'setenv':
        if (name === 'setenv')
          this.set(
            argv[1] ?? '',
            fields[2]?.known === false ? undefined : (argv[2] ?? ''),
            place.conditional,
          );
        else {
          for (const f of fields.slice(1)) {
            const equals = f.text.indexOf('=');
            if (equals > 0 && /^[A-Za-z_]\w*$/.test(f.text.slice(0, equals))) {
              this.set(
                f.text.slice(0, equals),
                f.known ? f.text.slice(equals + 1) : undefined,
                place.conditional,
              );
              this.commandVariable(
                {
                  name: f.text.slice(0, equals),
                  value: f.known ? f.text.slice(equals + 1) : undefined,
                  text: f.text.slice(equals + 1),
                },
                below,
                below.span ?? { start: 0, end: 0 },
              );
            }
          }
        }
        return '';
      case 'unset':
        for (const a of argv.slice(1)) {
          if (!place.conditional) {
            this.scope.functions.delete(a);
            this.scope.variables.set(a, { candidates: [''], complete: true });
          } else this.set(a, undefined, true);
        }
        return '';
      case 'read':
      case 'mapfile':
      case 'readarray':
      case 'getopts':
      case 'vared': {
        const text = place.stdin?.split('\n')[0];
        const names = argv.slice(1).filter((a) => /^[A-Za-z_]\w*$/.test(a));
        names.forEach((n) => {
          // What is edited may stay as it was.
          const mayStay = place.conditional || name === 'vared';
          this.set(n, names.length === 1 && name === 'read' ? text : undefined, mayStay);
          this.runsLater(n, names.length === 1 ? (name === 'read' ? text : place.stdin) : undefined, place);
        });
        if (names.length === 0) this.set('REPLY', text, place.conditional);
        return '';
      }
      case 'printf':
        if (argv[1] === '-v' && argv[2] !== undefined) {
          const value = fields.every((f) => f.known) ? printf(argv.slice(3)) : undefined;
          this.set(argv[2], value, place.conditional);
          this.commandVariable(
            { name: argv[2], value, text: value ?? '' },
            below,
            below.span ?? { start: 0, end: 0 },
          );
          return '';
        }
        return undefined;
      case 'set':
        if (this.grammar === 'fish') return undefined;
        if (argv[1] === '--' || (argv[1] !== undefined && !/^[-+]/.test(argv[1]))) {
          const values = fields.slice(argv[1] === '--' ? 2 : 1);
          if (this.grammar === 'csh') {
            this.cshSet(argv.slice(1), fields.slice(1), place.conditional);
            return '';
          }
          this.setPositional(values.every((f) => f.known) ? values.map((f) => f.text) : undefined);
        }
        return '';
      case 'alias':
        this.alias(fields.slice(1), place, below);
        return '';
      case 'unalias':
        for (const a of argv.slice(1)) if (!place.conditional) this.scope.aliases.delete(a);
        if (argv[1] === '-a' && !place.conditional) this.scope.aliases.clear();
        return '';
      case 'hash':
        // hash -p /bin/rm ls: the name ls now runs rm; in zsh, hash ls=/bin/rm.
        if (argv[1] === '-p' && argv[2] !== undefined && argv[3] !== undefined)
          this.alias([{ text: `${argv[3]}=${argv[2]}`, known: true, several: false }], place, below);
        else this.alias(fields.slice(1), place, below);
        return '';
      case 'abbr': {
        // fish puts the text in place of the word when the line is submitted.
        const words = fields.slice(1).filter(({ text }) => !/^-/.test(text));
        const [word, ...rest] = words;
        if (word !== undefined && rest.length > 0) {
          const text = rest.map((field) => field.text).join(' ');
          this.alias(
            [{ text: `${word.text}=${text}`, known: rest.every((f) => f.known), several: false }],
            place,
            below,
          );
        }
        return '';
      }
      case 'enable':
        if (/^-[a-z]*f/.test(argv[1] ?? '')) this.mark('script', 'line', argv[2] ?? '', name);
        return '';
      case 'bind': {
        const at = argv.findIndex((a) => /^-[a-z]*x$/.test(a));
        const m = /:\s*(.+)$/s.exec(argv[at + 1] ?? '');
        if (at > 0 && m?.[1] !== undefined) {
          const inner = m[1].replace(/^"(.*)"$/s, '$1');
          this.isolated(() => this.text(inner, { ...below, via: [...place.via, 'bind -x'], deferred: true }));
        }
        return '';
      }
      case 'complete': {
        const at = argv.indexOf('-C');
        const text = argv[at + 1];
        if (at > 0 && text !== undefined)
          this.isolated(() =>
            this.text(text, { ...below, via: [...place.via, 'complete -C'], deferred: true }),
          );
        return '';
      }
      default:
        return undefined;
    }
  }

  private positional: readonly string[] | undefined | 'from-place' = 'from-place';

  private setPositional(values: readonly string[] | undefined): void {
    this.positional = values;
  }

  private cshSet(args: readonly string[], fields: readonly ArgumentWord[], conditional: boolean): void {
    const joined = args.join(' ');
    const m = /^([A-Za-z_]\w*)\s*=\s*(.*)$/s.exec(joined);
    if (m?.[1] !== undefined)
      this.set(
        m[1],
        fields.every((f) => f.known) ? (m[2] ?? '').replace(/^\(\s*(.*?)\s*\)$/s, '$1') : undefined,
        conditional,
      );
  }

  private alias(fields: readonly ArgumentWord[], place: Place, below: Place): void {
    const define = (name: string, text: string, known: boolean): void => {
      if (!known) {
        this.mark('function', 'command', `alias ${name}`, undefined);
        return;
      }
      if (this.scope.aliases.size < 256 && text.length <= 4_096) this.scope.aliases.set(name, text);
      this.guarded(`alias ${name}`, () =>
        this.isolated(() =>
          this.text(text, { ...below, via: [...place.via, `alias ${name}`], deferred: true }),
        ),
      );
    };
    const first = fields[0];
    if (
      this.grammar !== 'posix-shell' &&
      first !== undefined &&
      !first.text.includes('=') &&
      fields.length > 1
    ) {
      define(
        first.text,
        fields
          .slice(1)
          .map((f) => f.text)
          .join(' '),
        fields.every((f) => f.known),
      );
      return;
    }
    for (const f of fields) {
      const equals = f.text.indexOf('=');
      if (equals > 0) define(f.text.slice(0, equals), f.text.slice(equals + 1), f.known);
    }
  }

  /** Variables whose value some program runs: PAGER, PROMPT_COMMAND, GIT_SSH_COMMAND, … */
  private commandVariable(
    a: AssignedVariable,
    place: Place,
    span: { readonly start: number; readonly end: number },
  ): void {
    const kind = commandVariables(a.name.replace(/\[.*\]$/s, ''));
    if (kind === undefined && a.value !== undefined && /\$\(|`/.test(a.value)) {
      // Quoted now, but an eval, an arithmetic expression or a prompt may expand it later.
      for (const inner of substitutionsIn(a.value))
        this.later(inner, { ...place, depth: place.depth + 1 }, `${a.name}=`, true);
    }
    if (kind === 'code' && a.value !== '') this.mark('script', 'line', a.text, a.name);
    if (kind === undefined || a.value === undefined || a.value === '') return;
    const text =
      kind === 'prompt' || kind === 'code'
        ? substitutionsIn(a.value).join('\n')
        : kind === 'filter'
          ? a.value.replace(/^\|+-?/, '')
          : kind === 'function'
            ? a.value.replace(/^\s*\(\)\s*/, '')
            : a.value;
    if (text === '') return;
    this.guarded(`variable ${a.name}`, () =>
      this.isolated(() =>
        this.text(text, {
          ...place,
          span,
          depth: place.depth + 1,
          via: [...place.via, `${a.name}=`],
          deferred: true,
          stdin: undefined,
          piped: false,
        }),
      ),
    );
  }

  /** A variable that programs run was set in another way than by an assignment of its own. */
  private runsLater(name: string, value: string | undefined, place: Place): void {
    if (commandVariables(name.replace(/\[.*\]$/s, '')) === undefined) return;
    if (value === undefined) this.mark('variable', 'line', name, undefined);
    else this.commandVariable({ name, value, text: value }, place, place.span ?? { start: 0, end: 0 });
  }

  private assignment(
    node: Extract<SyntaxNode, { type: 'Assignment' }>,
    place: Place,
  ): readonly AssignedVariable[] {
    const source = this.expansion(place);
    // A subscript is expanded whatever becomes of the value.
    if (node.index !== undefined) this.substitutions(node.index, place);
    if (node.value.type === 'ArrayValue') {
      const out: AssignedVariable[] = [];
      node.value.elements.slice(0, 64).forEach((w, i) => {
        const v = expandValue(w, source);
        if (i === 0) out.push({ name: node.name, value: v.known ? v.text : undefined, text: v.text });
        else this.runsLater(node.name, v.known ? v.text : undefined, place);
        this.set(`${node.name}[${i}]`, v.known ? v.text : undefined, place.conditional);
      });
      this.set(
        `${node.name}[@]`,
        out.length > 0
          ? node.value.elements
              .map((w) => expandValue(w, source))
              .map((v) => v.text)
              .join(' ')
          : '',
        place.conditional,
      );
      return out;
    }
    const v = expandValue(node.value, source);
    const name = node.index === undefined ? node.name : `${node.name}[${node.index.value}]`;
    if (node.append === true) {
      const before = this.lookup(name);
      // What stood there before is judged where it was set.
      if (before.text === undefined) this.runsLater(name, v.known ? v.text : undefined, place);
      return [
        {
          name,
          value: v.known && before.text !== undefined ? before.text + v.text : undefined,
          text: (before.text ?? '') + v.text,
        },
      ];
    }
    return [{ name, value: v.known ? v.text : undefined, text: v.text }];
  }

  private set(name: string, value: string | undefined, conditional: boolean): void {
    if (this.scope.variables.size >= 512 && !this.scope.variables.has(name)) {
      this.scope.tainted = true;
      return;
    }
    const before = conditional ? this.scope.variables.get(name) : undefined;
    const usable = value !== undefined && value.length <= 8_192;
    const candidates = [...new Set([...(before?.candidates ?? []), ...(usable ? [value] : [])])].slice(0, 8);
    this.scope.variables.set(name, {
      candidates,
      complete: usable && (!conditional || before?.complete === true),
    });
  }

  private lookup(name: string): { readonly text: string | undefined; readonly certain: boolean } {
    const value = this.scope.variables.get(name);
    if (value === undefined) {
      if (name === 'HOME' && !this.scope.tainted) return { text: '~', certain: true };
      if (name === 'PWD' && this.scope.directory !== undefined)
        return { text: this.scope.directory, certain: true };
      if (this.emptyUnknown) return { text: '', certain: true };
      return { text: usualVariables.get(name), certain: false };
    }
    if (value.candidates.length > 1) this.ambiguous.add(name);
    const text = value.candidates[this.choice.get(name) ?? 0] ?? (this.emptyUnknown ? '' : undefined);
    return { text, certain: text !== undefined && value.complete && !this.scope.tainted };
  }

  private expansion(place: Place): ExpansionSource {
    return {
      variable: (name) => this.lookup(name),
      positional: () =>
        this.positional === 'from-place' || place.depth > 0 ? place.positional : this.positional,
      substitution: (script, text) => this.substituted(script, text, place, '$()'),
      processSubstitution: (script, text) => {
        const from = this.commands.length;
        const output = this.substituted(script, text, place, text.startsWith('>') ? '>()' : '<()');
        const file = `/dev/fd/${63 - this.substitutes.size}`;
        if (this.substitutes.size < 32)
          this.substitutes.set(file, { text: output, fed: this.commands.slice(from).map((c) => c.name) });
        return file;
      },
      assign: (name, value) => {
        this.set(name, value, place.conditional);
        this.runsLater(name, value, place);
      },
      arithmetic: (expression) => this.substitutions(expression, place),
      step: () => this.step(),
    };
  }

  private substituted(
    script: ParsedScript | undefined,
    text: string,
    place: Place,
    via: string,
  ): string | undefined {
    if (script === undefined || !this.step()) return undefined;
    if (script.errors !== undefined && script.errors.length > 0) {
      if (this.incomplete === 'none' && place.depth === 0 && incompleteKind(script, text) !== 'none')
        this.incomplete = 'substitution';
      this.mark('grammar', 'line', text, script.errors[0]?.message);
    }
    const choice = this.choice;
    const output = this.isolated(() =>
      this.script(script, {
        ...place,
        via: [...place.via, via],
        depth: place.depth + 1,
        stdin: via === '$()' ? place.stdin : undefined,
        piped: false,
        fed: [],
        feeds: !via.startsWith('>'),
        source: script.source ?? place.source,
        span:
          script.source === undefined ? place.span : (place.span ?? { start: 0, end: place.source.length }),
      }),
    );
    this.choice = choice;
    return output;
  }

  // --- redirections

  private redirections(nodes: readonly RedirectionNode[], place: Place): readonly Redirection[] {
    return nodes.map((node) => {
      const descriptor = node.descriptor?.type === 'FileDescriptor' ? node.descriptor.value : undefined;
      if (node.type === 'HereDoc')
        return { operator: node.operator, descriptor, ...this.hereDoc(node, place) };
      const value =
        node.target === undefined
          ? { text: '', known: false }
          : expandValue(node.target, this.expansion(place));
      return { operator: node.operator, descriptor, target: value.text, known: value.known };
    });
  }

  private hereDoc(node: HereDoc, place: Place): { readonly target: string; readonly known: boolean } {
    if (node.closing === undefined && place.depth === 0) {
      this.incomplete = 'here-document';
      this.hereDocument ??= { delimiter: node.delimiter?.value ?? '', stripTabs: node.operator === '<<-' };
    }
    const quoted = node.delimiter?.quoted === true;
    const body =
      quoted || node.body.parts === undefined
        ? { text: node.body.text, known: true }
        : expandBody(node.body.parts, this.expansion(place));
    return {
      target: node.operator === '<<-' ? body.text.replace(/^\t+/gm, '') : body.text,
      known: body.known,
    };
  }

  /** Standard input as redirections set it. */
  private feed(redirections: readonly Redirection[], place: Place): Place {
    let out = place;
    for (const r of redirections) {
      if (r.descriptor !== undefined && r.descriptor !== 0) continue;
      if (r.operator === '<<' || r.operator === '<<-') out = { ...out, stdin: r.target, piped: true };
      else if (r.operator === '<<<')
        out = { ...out, stdin: r.known ? `${r.target}\n` : undefined, piped: true };
      else if (r.operator === '<' || r.operator === '<>') {
        const substitute = this.substitutes.get(r.target);
        const text = substitute?.text ?? this.scope.files.get(r.target);
        out = {
          ...out,
          stdin: text,
          piped: r.target !== '/dev/tty',
          fed: substitute === undefined ? out.fed : [...out.fed, ...substitute.fed].slice(0, 16),
        };
      } else if (r.operator === '<&') out = { ...out, stdin: undefined };
    }
    return out;
  }

  /** Remembers small files written from known text, and says what is left on standard output. */
  private written(
    output: string | undefined,
    redirections: readonly Redirection[],
    place: Place,
  ): string | undefined {
    let rest = output;
    for (const r of redirections) {
      const stdout = r.descriptor === undefined || r.descriptor === 1;
      if (!stdout || !/^(>|>>|>\||&>|&>>|<>)$/.test(r.operator)) {
        if (r.operator === '>&' && stdout && !/^[0-9-]+$/.test(r.target)) rest = '';
        continue;
      }
      if (r.known && r.target !== '' && !r.target.startsWith('/dev/')) {
        const before = r.operator.endsWith('>>') ? (this.scope.files.get(r.target) ?? '') : '';
        const text = rest === undefined ? undefined : before + rest;
        const files = new Map(this.scope.files);
        if (text === undefined || text.length > 8_192 || files.size >= 64 || place.conditional)
          files.delete(r.target);
        else files.set(r.target, text);
        this.scope.files = files;
      }
      rest = '';
    }
    return rest;
  }

  // --- interpreters

  private interpreter(
    name: string,
    language: string,
    argv: readonly string[],
    fields: readonly ArgumentWord[],
    place: Place,
    below: Place,
  ): void {
    const texts = interpretedTexts(name, argv);
    const index = below.parent;
    const codes: string[] = [];
    for (const t of texts) {
      codes.push(t.text);
      if (t.index >= 0 && fields[t.index]?.known === false) this.mark('interpreter', 'command', t.text, name);
      this.program(t.language, t.text, name, below);
    }
    if (texts.length === 0 && place.stdin !== undefined && language !== 'awk' && language !== 'sed') {
      codes.push(place.stdin);
      this.program(language, place.stdin, name, below);
    } else if (texts.length === 0) {
      const file = scriptOperand(name, argv);
      const content =
        file === undefined ? undefined : (this.substitutes.get(file)?.text ?? this.scope.files.get(file));
      if (content !== undefined) {
        codes.push(content);
        this.program(language, content, name, below);
      } else if (file !== undefined) this.mark('script', 'line', file, name);
      else if (place.piped && !/^(awk|sed|vim|sql)$/.test(language) && argv.length <= 2)
        this.mark('stdin', 'line', name, place.fed.join(', ') || undefined);
    }
    const command = this.commands[index];
    if (codes.length > 0 && command !== undefined) {
      this.commands[index] = { ...command, code: codes.join('\n').slice(0, analysisLimits.line) };
      if (!/^(awk|sed|sql)$/.test(language)) this.mark('interpreter', 'argument', codes.join('\n'), name);
    }
  }

  private program(language: string, text: string, name: string, below: Place): void {
    this.parsed += text.length;
    if (this.parsed > analysisLimits.parsed) return;
    const place: Place = {
      ...below,
      via: [...below.via, `${name} program`],
      interpreted: language,
      stdin: undefined,
      piped: false,
    };
    for (const started of language === 'sql' ? sqlCommands(text) : startedCommands(language, text)) {
      if (!this.step()) return;
      this.isolated(() => {
        if (started.argv !== undefined) {
          this.run(
            started.argv.map((t) => ({ text: t, known: true, several: false })),
            place,
            [],
            [],
            below.span ?? { start: 0, end: 0 },
          );
        } else if (started.line !== undefined) this.text(started.line, place);
      });
    }
  }

  /** Program text that is not a shell's: a REPL's line. */
  foreign(language: string, text: string): void {
    const span = { start: 0, end: text.length };
    this.place = { ...this.place, source: text, span };
    this.program(language, text, language, { ...this.place, via: [], depth: 1 });
  }

  /** A command with its words given: network devices, SQL. */
  words(words: readonly string[], span: { readonly start: number; readonly end: number }): void {
    this.run(
      words.map((t) => ({ text: t, known: true, several: false })),
      { ...this.place, span },
      [],
      [],
      span,
    );
  }

  /** Emits words without following what they start. */
  bareWords(
    words: readonly string[],
    span: { readonly start: number; readonly end: number },
    piped: readonly string[],
  ): void {
    this.emit(
      words.map((t) => ({ text: t, known: true, several: false })),
      { ...this.place, span, fed: piped },
      [],
      [],
      span,
    );
  }

  // --- fish

  private static readonly fishKeywords = new Set([
    'if',
    'while',
    'and',
    'or',
    'not',
    'begin',
    'else',
    'end',
    'builtin',
    'command',
    'time',
    'exec',
    '!',
  ]);

  /** fish's own grammar: `(cmd)` substitutes, `and`/`or`/`not` are words, `set` assigns, blocks end with `end`. */
  fish(text: string, from?: Place): void {
    const place = from ?? this.place;
    if (from === undefined) this.place = { ...this.place, source: text };
    if (!this.enter(place)) return;
    let fed: readonly string[] = place.fed;
    let stdin: string | undefined = place.stdin;
    const span = place.span ?? { start: 0, end: text.length };
    for (const command of plainCommands(text, true)) {
      if (!this.step()) return;
      const before = this.commands.length;
      const outputs = command.substitutions.map((inner) =>
        this.fishOutput(inner, {
          ...place,
          depth: place.depth + 1,
          via: [...place.via, '()'],
          stdin: undefined,
          piped: false,
          fed: [],
        }),
      );
      const substituted = this.commands.slice(before).map((c) => c.name);
      let words = command.words.flatMap((w, i) =>
        this.fishWord(w, command.known[i] ?? true, command.substitutions, outputs),
      );
      while (words[0] !== undefined && Walker.fishKeywords.has(words[0].text) && words.length > 1)
        words = words.slice(1);
      if (!command.piped) {
        fed = place.fed;
        stdin = place.stdin;
      }
      const from2 = this.commands.length;
      const head = words[0]?.text;
      let output: string | undefined;
      if (head === 'set') this.fishSet(words.slice(1));
      else if (head === 'for' || head === 'function' || head === 'switch' || head === 'case') {
        const at = words.findIndex((w) => w.text === 'in');
        if (head === 'for' && at === 2 && words[1] !== undefined)
          this.scope.variables.set(words[1].text, {
            candidates: words
              .slice(3)
              .filter((w) => w.known)
              .map((w) => w.text)
              .slice(0, 8),
            complete: false,
          });
      } else if (words.length > 0 && head !== 'end') {
        const redirections = command.redirections.map((r) => ({
          operator: r.operator.replace('?', ''),
          descriptor: undefined,
          target: r.target,
          known: true,
        }));
        output = this.run(
          words,
          {
            ...place,
            piped: command.piped || place.piped,
            stdin,
            fed: [...new Set([...fed, ...substituted])].slice(0, 16),
          },
          redirections,
          [],
          span,
          head,
        );
        output = this.written(output, redirections, place);
      }
      stdin = output;
      fed = [...new Set([...fed, ...this.commands.slice(from2).map((c) => c.name)])].slice(0, 16);
    }
  }

  private fishOutput(text: string, place: Place): string | undefined {
    const commands = plainCommands(text, true);
    const before = this.commands.length;
    this.fish(text, place);
    const only = commands.every((c) => c.known.every(Boolean));
    if (!only) return undefined;
    let out: string | undefined;
    for (const c of commands)
      out = staticOutput(c.words, basename(c.words[0] ?? ''), c.piped ? out : undefined);
    return this.commands.length > before ? out : undefined;
  }

  private fishWord(
    text: string,
    known: boolean,
    substitutions: readonly string[],
    outputs: readonly (string | undefined)[],
  ): readonly (ArgumentWord & { why?: Field['why'] })[] {
    if (known) {
      if (text.startsWith('{') && text.endsWith('}') && text.includes(','))
        return text
          .slice(1, -1)
          .split(',')
          .map((t) => ({ text: t, known: true, several: false }));
      return [{ text, known: true, several: false }];
    }
    let out = text;
    let certain = true;
    substitutions.forEach((s, i) => {
      const value = outputs[i];
      for (const form of [`$(${s})`, `(${s})`]) {
        if (!out.includes(form)) continue;
        if (value === undefined) certain = false;
        else out = out.replace(form, () => value.replace(/\n+$/, ''));
      }
    });
    out = out.replace(/\$([A-Za-z_]\w*)/g, (whole, name: string) => {
      const v = this.lookup(name);
      if (v.text === undefined) certain = false;
      else if (!v.certain) certain = false;
      return v.text ?? whole;
    });
    return [{ text: out, known: certain, several: !certain, why: certain ? undefined : 'variable' }];
  }

  private fishSet(words: readonly ArgumentWord[]): void {
    const operands = words.filter((w) => !/^-/.test(w.text));
    const name = operands[0]?.text;
    if (name === undefined) return;
    const values = operands.slice(1);
    this.set(name, values.every((v) => v.known) ? values.map((v) => v.text).join(' ') : undefined, false);
  }

  // --- result

  private emit(
    fields: readonly ArgumentWord[],
    place: Place,
    redirections: readonly Redirection[],
    assignments: readonly AssignedVariable[],
    span: { readonly start: number; readonly end: number },
  ): number {
    let argv = fields.map((f) => f.text);
    let size = 0;
    for (const a of argv) size += a.length;
    if (this.textTotal + size > analysisLimits.text) {
      this.truncated = true;
      this.mark('length', 'argument', '', undefined);
      argv = argv.slice(0, 1);
    }
    this.textTotal += size;
    const head = argv[0] ?? '';
    const unknown: number[] = [];
    let openEnded = false;
    fields.forEach((f, i) => {
      if (f.known) return;
      unknown.push(i);
      if (f.several) openEnded = true;
    });
    const directory = this.scope.directory;
    const absolute = argv.map((a, i) =>
      i === 0 || fields[i]?.known === false ? undefined : absolutePath(a, directory),
    );
    this.commands.push({
      argv,
      unknown,
      openEnded,
      name: basename(head),
      program: head.includes('/') ? (absolutePath(head, directory) ?? normalisePath(head)) : undefined,
      absolute,
      text: argv.join(' '),
      via: place.via,
      parent: place.parent,
      depth: place.depth,
      redirections,
      assignments,
      fedBy: place.fed,
      feeds: place.feeds,
      background: place.background,
      directory,
      deferred: place.deferred,
      interpreted: place.interpreted,
      code: undefined,
      grammar: this.grammar,
      span: place.span ?? span,
    });
    return this.commands.length - 1;
  }
}

/** Builtins that expand what stands in a subscript or an expression once more, quoted or not. */
const EVALUATING =
  /^(?:let|declare|typeset|local|export|readonly|integer|float|test|\[|printf|read|unset|mapfile|readarray|getopts|wait|vared|compgen|complete|\(\()$/;

/** The texts of `$(…)` and backquotes in a text, outermost only; at most 8. */
const substitutionsIn = (text: string): readonly string[] => {
  const found: string[] = [];
  for (let at = 0; at < text.length && found.length < 8; at++) {
    if (text[at] === '`') {
      const end = text.indexOf('`', at + 1);
      found.push(text.slice(at + 1, end < 0 ? text.length : end));
      at = end < 0 ? text.length : end;
    } else if (text[at] === '$' && text[at + 1] === '(' && text[at + 2] !== '(') {
      let depth = 1;
      let end = at + 2;
      for (; end < text.length && depth > 0; end++)
        depth += text[end] === '(' ? 1 : text[end] === ')' ? -1 : 0;
      found.push(text.slice(at + 2, depth === 0 ? end - 1 : end));
      at = end - 1;
    }
  }
  return found;
};

const emptyCommand: Extract<CommandNode, { type: 'Command' }> = {
  type: 'Command',
  pos: 0,
  end: 0,
  name: undefined,
  prefix: [],
  suffix: [],
  args: [],
  redirects: [],
};

function fresh(scope: Scope): Scope {
  return {
    ...scope,
    variables: new Map(),
    aliases: new Map(),
    functions: new Map(),
    files: new Map(),
    tainted: false,
  };
}

function snapshot(scope: Scope): string {
  let out = `${scope.aliases.size},${scope.functions.size};`;
  for (const [k, v] of scope.variables) out += `${k}=${v.candidates.join('\u0001')}${v.complete ? '' : '?'};`;
  return out;
}

/** Whether the errors mean that the shell waits for more. */
export function incompleteKind(script: ParsedScript, text: string): Incomplete {
  const end = text.trimEnd().length;
  for (const error of script.errors ?? []) {
    const m = error.message;
    if (m.startsWith('unterminated')) return /quote|string/.test(m) ? 'quote' : 'substitution';
    if (error.pos >= end - 3 || /to close/.test(m)) {
      if (/expected command after '(\||&&|\|\||\|&)'/.test(m)) return 'operator';
      if (/to close|expected command (after|in)|expected '(do|then|\{|in)'/.test(m)) return 'compound';
    }
  }
  return 'none';
}

/** The commands of crontab lines, one a line. */
function crontabCommands(text: string): string {
  return text
    .split('\n')
    .map((l) => /^\s*(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)$/.exec(l)?.[1] ?? '')
    .filter((l) => l !== '')
    .join('\n');
}

function fitsPattern(pattern: string, name: string): boolean {
  let out = '';
  for (let i = 0; i < pattern.length && i < 64; i++) {
    const c = pattern.charAt(i);
    if (c === '*') out += out.endsWith('.*') ? '' : '.*';
    else if (c === '?') out += '.';
    else if (c === '[') {
      const end = pattern.indexOf(']', i + 2);
      if (end < 0) return false;
      const body = pattern
        .slice(i + 1, end)
        .replace(/[\\\]]/g, '\\$&')
        .replace(/^!/, '^');
      out += `[${body}]`;
      i = end;
    } else out += c.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  }
  // Names are at most a dozen letters, so even an adversarial pattern costs nothing.
  try {
    return new RegExp(`^${out}$`).test(name);
  } catch {
    return false;
  }
}
