// Standard input without a terminal: lines for a shell are judged as the shell reads them, command by command with their
// here-documents, and none is passed on before its verdict; programs for other interpreters can't be judged, so they are
// measured and hashed. It does not decide which of the two a command is: exec-gate.ts does.
import { createHash, type Hash } from 'node:crypto';
import { type ScriptReader, scriptReader } from '../../policies/analysis/script.ts';
import type { Analysis, Opacity, ShellState } from '../../policies/analysis/types.ts';
import type { ClientEvent, GateOutlet } from '../channels/gate-port.ts';
import { marked } from './audit-text.ts';
import type { Judge, Judged, Submission } from './judge.ts';

/** Of one unfinished command; a longer one can't be known before it runs. Bytes. */
const LONGEST_UNIT = 256 * 1024;
/** Commands that are judged at once; their rows share a commit. */
const AT_ONCE = 100;

/** One command as the shell takes it, with the bytes that spell it. */
interface Unit {
  readonly bytes: Buffer;
  readonly text: string;
  readonly analyses: readonly Analysis[];
  /** What follows is not for this shell to read. */
  readonly restIsOpaque: string | undefined;
}

type Phase =
  | { readonly kind: 'lines' }
  /** The rest belongs to a program that can't be judged. */
  | { readonly kind: 'opaque'; readonly hash: Hash; bytes: number; readonly reader: string }
  /** Something was not let through: what ran before it goes on to its end, and the shell gets no more. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'ended' };

export interface InputOptions {
  readonly judge: Judge;
  readonly outlet: GateOutlet;
  readonly kind: Submission['kind'];
  /** What the shell knows before its first line. */
  readonly state: ShellState;
  /** True: lines are passed on at once and only written down. */
  readonly observe: () => boolean;
}

export const opaqueInput = (text: string): Opacity => ({
  why: 'stdin',
  where: 'line',
  text: text.slice(0, 200),
  hint: undefined,
});

export class InputGate implements Disposable {
  readonly #options: InputOptions;
  readonly #reader: ScriptReader;
  readonly #units: Unit[] = [];
  #phase: Phase = { kind: 'lines' };
  /** Bytes of the line that has not ended. */
  #line: Buffer[] = [];
  #lineBytes = 0;
  /** Whole lines of a command that has not ended. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #unitBytes = 0;
  #end: ClientEvent | undefined;
  #working = false;

  constructor(options: InputOptions) {
    this.#options = options;
    this.#reader = scriptReader('posix-shell', options.state);
  }

  /** Everything from here on is for an interpreter that can't be judged. */
  static opaque(options: InputOptions, reader: string): InputGate {
    const gate = new InputGate(options);
    gate.#phase = { kind: 'opaque', hash: createHash('sha256'), bytes: 0, reader };
    return gate;
  }

  /** True once something was not let through: the channel's exit status is to say so. */
  get stopped(): boolean {
    return this.#phase.kind === 'stopped';
  }

  get keptBytes(): number {
    return this.#lineBytes + this.#pendingBytes + this.#unitBytes;
  }

  data(data: Buffer): void {
    switch (this.#phase.kind) {
      case 'ended':
      case 'stopped':
        this.#options.outlet.keptLess();
        return;
      case 'opaque':
        this.#phase.hash.update(data);
        this.#phase.bytes += data.length;
        this.#options.outlet.toDevice({ kind: 'data', data });
        return;
      case 'lines':
        this.#split(data);
        void this.#work();
    }
  }

  /** EOF, behind everything before it. */
  end(event: ClientEvent): void {
    if (this.#phase.kind === 'ended' || this.#phase.kind === 'stopped') return;
    this.#end = event;
    if (this.#phase.kind === 'lines') {
      if (this.#lineBytes > 0) this.#takeLine(this.#cutLine());
      const last = this.#reader.end();
      if (last !== undefined && this.#pendingBytes > 0) this.#takeUnit(last);
    }
    void this.#work();
  }

  [Symbol.dispose](): void {
    if (this.#phase.kind === 'opaque') void this.#noteOpaque(this.#phase);
    this.#phase = { kind: 'ended' };
    this.#units.length = 0;
    this.#line = [];
    this.#pending = [];
    this.#lineBytes = 0;
    this.#pendingBytes = 0;
    this.#unitBytes = 0;
  }

  #split(data: Buffer): void {
    let rest = data;
    for (let at = rest.indexOf(0x0a); at !== -1; at = rest.indexOf(0x0a)) {
      this.#line.push(rest.subarray(0, at + 1));
      this.#lineBytes += at + 1;
      this.#takeLine(this.#cutLine());
      rest = rest.subarray(at + 1);
    }
    if (rest.length > 0) {
      this.#line.push(rest);
      this.#lineBytes += rest.length;
    }
    if (this.#lineBytes + this.#pendingBytes > LONGEST_UNIT) this.#takeLine(this.#cutLine(), true);
  }

  #cutLine(): Buffer {
    const line = Buffer.concat(this.#line);
    this.#line = [];
    this.#lineBytes = 0;
    return line;
  }

  #takeLine(bytes: Buffer, cut = false): void {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    const text = bytes.toString('utf8');
    const complete = this.#reader.push(text.endsWith('\n') ? text.slice(0, -1) : text);
    if (complete !== undefined) this.#takeUnit(complete);
    else if (!this.#reader.pending) this.#takeUnit(undefined);
    else if (cut) {
      const whole = this.#reader.end();
      if (whole !== undefined)
        this.#takeUnit({ ...whole, opaque: [...whole.opaque, opaqueInput('a command that does not end')] });
    }
  }

  #takeUnit(analysis: Analysis | undefined): void {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#unitBytes += bytes.length;
    if (analysis === undefined) {
      // An empty line.
      this.#units.push({ bytes, text: '', analyses: [], restIsOpaque: undefined });
      return;
    }
    const text = bytes.toString('utf8').replace(/\n$/, '');
    const analyses: Analysis[] = [];
    const again = (other: string): void => {
      const reader = scriptReader('posix-shell', this.#reader.state);
      let last: Analysis | undefined;
      for (const line of other.split('\n')) last = reader.push(line) ?? last;
      last = reader.end() ?? last;
      if (last !== undefined) analyses.push(last);
    };
    const binary = /[\0\ufffd]/.test(text);
    const reader = interpreterOnInput(analysis);
    const opaque = [
      ...(binary ? [opaqueInput('input that is no text')] : []),
      ...(reader === undefined ? [] : [opaqueInput(`the input of ${reader}`)]),
    ];
    analyses.unshift(opaque.length > 0 ? { ...analysis, opaque: [...analysis.opaque, ...opaque] } : analysis);
    // Shells drop NUL bytes, and some take a carriage return for the end of a word.
    if (text.includes('\0')) again(text.replaceAll('\0', ''));
    if (text.includes('\r')) again(text.replaceAll('\r', ''));
    this.#units.push({ bytes, text, analyses, restIsOpaque: reader });
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      while (this.#units.length > 0 && this.#phase.kind === 'lines') await this.#turn();
      const phase: Phase = this.#phase;
      const end = this.#end;
      if (end === undefined || phase.kind === 'ended' || phase.kind === 'stopped') return;
      this.#end = undefined;
      if (phase.kind === 'opaque') await this.#noteOpaque(phase);
      this.#phase = { kind: 'ended' };
      this.#options.outlet.toDevice(end);
    } catch (error) {
      // Fail closed: what can't be judged does not go on.
      this[Symbol.dispose]();
      const detail = error instanceof Error ? error.message : String(error);
      this.#options.outlet.endSession(`gate-failed: ${detail}`, 'This input could not be judged.');
    } finally {
      this.#working = false;
    }
  }

  /** Judges what is there, and passes it on up to the first that may not run. */
  async #turn(): Promise<void> {
    const { judge, outlet, observe } = this.#options;
    const upTo = this.#units.findIndex((unit) => unit.restIsOpaque !== undefined) + 1;
    const units = this.#units.slice(0, Math.min(AT_ONCE, upTo === 0 ? AT_ONCE : upTo));
    const watching = observe();
    if (watching) for (const unit of units) this.#pass(unit);
    const submitted = units.filter(({ analyses }) => analyses.length > 0);
    const rulings = await judge.judgeAll(submitted.map((unit) => this.#submission(unit)));
    const judged = new Map(submitted.map((unit, index) => [unit, rulings[index]]));
    if (this.#phase.kind !== 'lines') return;
    this.#units.splice(0, units.length);
    let stopped: Judged | undefined;
    const behind: Judged[] = [];
    for (const unit of units) {
      const verdict = judged.get(unit);
      if (stopped !== undefined) {
        if (verdict?.ruling.kind === 'run') behind.push(verdict);
        continue;
      }
      if (watching) {
        if (verdict?.logged === false) stopped = verdict;
      } else if (verdict === undefined || verdict.ruling.kind === 'run') this.#pass(unit);
      else stopped = verdict;
    }
    if (stopped !== undefined) {
      await this.#stop(stopped);
      // They were judged together with what is stopped, and run no more than that does.
      for (const { entry } of behind)
        await judge.settle(entry, 'cancelled', 'a command before it was stopped');
      return;
    }
    const last = units.at(-1);
    if (last?.restIsOpaque !== undefined) this.#becomeOpaque(last.restIsOpaque);
    outlet.keptLess();
  }

  #pass(unit: Unit): void {
    this.#unitBytes -= unit.bytes.length;
    this.#options.outlet.toDevice({ kind: 'data', data: unit.bytes });
  }

  async #stop({ ruling, entry }: Judged): Promise<void> {
    const { judge, outlet } = this.#options;
    this[Symbol.dispose]();
    if (ruling.kind === 'run') {
      outlet.endSession('audit-log-failed', 'The audit log cannot be written, so this session ends.');
      return;
    }
    if (ruling.kind === 'confirm' || ruling.kind === 'reauthenticate' || ruling.kind === 'approve') {
      await judge.settle(entry, 'declined', 'nobody can be asked without a terminal');
    }
    const tell = `Not run, and nothing after it. ${ruling.notice}`;
    if (ruling.kind === 'interrupt') {
      outlet.endSession('interrupted-by-rule', tell);
      return;
    }
    this.#phase = { kind: 'stopped' };
    outlet.injectToClient(Buffer.from(`${marked(tell)}\n`), 'stderr');
    outlet.toDevice({ kind: 'eof' });
    outlet.keptLess();
  }

  #becomeOpaque(reader: string): void {
    const phase: Phase = { kind: 'opaque', hash: createHash('sha256'), bytes: 0, reader };
    const rest = [
      ...this.#units.splice(0).map((unit) => unit.bytes),
      ...this.#pending.splice(0),
      ...this.#line.splice(0),
    ];
    this.#unitBytes = 0;
    this.#pendingBytes = 0;
    this.#lineBytes = 0;
    this.#phase = phase;
    for (const bytes of rest) this.data(bytes);
  }

  #submission(unit: Unit): Submission {
    return {
      kind: this.#options.kind,
      context: 'shell',
      typed: unit.text,
      command: unit.text,
      candidates: [],
      analyses: unit.analyses,
      how: 'input',
      confidence: 1,
      hidden: false,
    };
  }

  /** What went to the interpreter, by size and hash. */
  async #noteOpaque({ hash, bytes, reader }: Extract<Phase, { kind: 'opaque' }>): Promise<void> {
    const { judge, kind } = this.#options;
    if (bytes === 0) return;
    const sha256 = hash.digest('hex');
    const text = `(input of ${reader}: ${bytes} bytes, SHA-256 ${sha256})`;
    await judge
      .note(
        {
          kind,
          context: reader,
          typed: '',
          command: text,
          candidates: [],
          analyses: [],
          how: 'input',
          confidence: 0,
          hidden: false,
          detail: `sha256:${sha256}`,
        },
        'ran',
      )
      .catch(() => undefined);
  }
}

const INTERPRETER =
  /^(?:python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|luajit|tclsh|wish|expect|osascript|Rscript|R|gdb|psql|mysql|mariadb|sqlite3?|redis-cli|mongo|mongosh|ed|ex|vi|vim|nvim|at|batch|crontab|csh|tcsh|fish|rc|es|nu|pwsh|xonsh|ssh|docker|podman|kubectl|nc|ncat|socat|make|awk|gawk|mawk|sed|dc|m4|lftp|sftp|ftp|telnet|ipython|bpython|julia|guile|emacs|erl|iex|elixir|ghci|scala|jshell|gnuplot|octave|script|newgrp|sg|unshare|nsenter|doas|runuser|pkexec|screen|tmux|xargs|parallel)[\d.]*$/;
/** Names of standard input as a file. */
const STANDARD_INPUT = /^(?:-|\/dev\/stdin|\/dev\/fd\/0|\/proc\/(?:self|thread-self)\/fd\/0)$/;
const SHELL = /^(?:sh|bash|dash|ash|ksh|ksh93|mksh|zsh|busybox|rbash|su|sudo)$/;

const takesItsInput = (command: Analysis['commands'][number]): boolean =>
  command.fedBy.length === 0 &&
  !command.background &&
  !command.deferred &&
  command.code === undefined &&
  !command.redirections.some(
    ({ operator, descriptor }) => operator.startsWith('<') && (descriptor ?? 0) === 0,
  );

/** The first program among these that would read a program of its own from standard input. */
export const interpreterOnInput = (analysis: Analysis): string | undefined =>
  analysis.commands.find((command) => {
    if (!INTERPRETER.test(command.name) || !takesItsInput(command)) return false;
    const words = command.argv.slice(1);
    const operands = words.filter((word) => !word.startsWith('-') || word === '-');
    if (programFromInput(words)) return true;
    switch (true) {
      case /^(?:script|newgrp|sg|unshare|nsenter|doas|runuser|pkexec|screen|tmux|xargs|parallel|ssh|docker|podman|kubectl|nc|ncat|socat|make|psql|mysql|mariadb|sqlite3?|redis-cli|mongo|mongosh|gdb|ed|ex|vi|vim|nvim)/.test(
        command.name,
      ):
        return (
          !words.some((word) => /^-(?:c|e|f)$|^--(?:command|file|execute)/.test(word)) &&
          !hasInner(analysis, command)
        );
      case /^(?:[gm]?awk|sed)$/.test(command.name):
        return false;
      case command.name === 'crontab' || command.name === 'at' || command.name === 'batch':
        return command.name !== 'crontab' || words.includes('-');
      default:
        return operands.length === 0 || STANDARD_INPUT.test(operands[0] ?? '');
    }
  })?.name;

/** True when a program is named that stands on standard input: `-f -`, `--file=/dev/stdin`. */
const programFromInput = (words: readonly string[]): boolean =>
  words.some(
    (word, at) =>
      (/^(?:-[a-zA-Z]*f|--(?:exec-)?file|--expression-file)$/.test(word) &&
        STANDARD_INPUT.test(words[at + 1] ?? '')) ||
      STANDARD_INPUT.test(/^(?:-f|--(?:exec-)?file=)(.+)$/.exec(word)?.[1] ?? ''),
  );

const hasInner = (analysis: Analysis, command: Analysis['commands'][number]): boolean => {
  const at = analysis.commands.indexOf(command);
  return analysis.commands.some((other) => other.parent === at);
};

/** Programs that hand on what they are given. */
const HANDS_ON =
  /^(?:cat|tee|dd|pv|head|tail|tr|sed|grep|sort|uniq|base64|xxd|gunzip|gzip|zcat|xz|openssl|timeout|nohup)$/;

/**
 * True when what comes on standard input may be run although no shell is named that reads it: handed on by other
 * programs (`cat | sh`), read as a file (`. /dev/stdin`), or by something whose name is not known (`$SHELL`).
 */
export const mayRunInput = (analysis: Analysis): boolean =>
  analysis.opaque.some(
    ({ why, where }) =>
      (where === 'command' && (why === 'variable' || why === 'substitution' || why === 'eval')) ||
      (where === 'line' && why === 'stdin'),
  ) ||
  analysis.commands.some(
    ({ name, argv, fedBy }) =>
      ((name === '.' || name === 'source') && STANDARD_INPUT.test(argv[1] ?? '')) ||
      (SHELL.test(name) && fedBy.length > 0 && fedBy.every((program) => HANDS_ON.test(program))) ||
      (SHELL.test(name) &&
        argv.slice(1).some((word) => STANDARD_INPUT.test(word) || /^\/dev\/fd\/\d+$/.test(word))),
  );

/** True when a shell among these commands would read its commands from standard input. */
export const shellOnInput = (analysis: Analysis): boolean =>
  analysis.commands.some((command, at) => {
    if (!SHELL.test(command.name) || !takesItsInput(command)) return false;
    const words = command.argv.slice(1);
    switch (command.name) {
      case 'sudo':
        return (
          words.some((word) => /^-[a-zA-Z]*[is]/.test(word)) &&
          !analysis.commands.some((c) => c.parent === at)
        );
      case 'su':
        return !words.some((word) => /^-[a-z]*c$|^--command/.test(word));
      case 'busybox':
        return /^(?:sh|ash|hush)$/.test(words[0] ?? '') && words.length === 1;
      default: {
        if (words.some((word) => /^-[a-zA-Z]*c$/.test(word))) return false;
        if (words.some((word) => /^-[a-zA-Z]*s/.test(word))) return true;
        const operands = operandsOf(words);
        return operands.length === 0 || STANDARD_INPUT.test(operands[0] ?? '');
      }
    }
  });

/** Words of a shell's command line that are no options; `-o` and `--rcfile` take the next one. */
const operandsOf = (words: readonly string[]): readonly string[] => {
  const operands: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (/^[-+][oO]$|^--(?:rcfile|init-file)$/.test(word)) at += 1;
    else if (!/^[-+]./.test(word)) operands.push(word);
  }
  return operands;
};
