// What a command line comes to: every simple command it would run, and what could not be known.
// Types only; the rule language and the gate speak of commands in these terms. Nothing here judges anything.

/** Which grammar reads the line. */
export type Grammar = 'posix-shell' | 'fish' | 'csh' | 'network-cli' | 'sql' | 'python';

/** Why something can't be resolved without running it. */
export type OpacityReason =
  | 'variable'
  | 'substitution'
  | 'eval'
  | 'script'
  | 'source'
  | 'glob'
  | 'stdin'
  | 'interpreter'
  | 'function'
  | 'grammar'
  | 'length'
  | 'depth';

export interface Opacity {
  readonly why: OpacityReason;
  /** `command`: which program runs is unknown. `argument`: the program is known, a word of it is not. `line`: all of it. */
  readonly where: 'command' | 'argument' | 'line';
  /** The source text in question, at most 200 characters. */
  readonly text: string;
  /** A likely reading, for people; never relied on. */
  readonly hint: string | undefined;
}

export interface Redirection {
  readonly operator: string;
  readonly descriptor: number | undefined;
  /** File name, quotes removed; for a here-document its body, for a here-string its text. */
  readonly target: string;
  readonly known: boolean;
}

export interface AssignedVariable {
  readonly name: string;
  /** Undefined when the value can't be known. */
  readonly value: string | undefined;
  /** The value, or what can be said of it. */
  readonly text: string;
}

/** One simple command, as the operating system would get it. */
export interface ResolvedCommand {
  /** Quotes removed and expanded as far as known; a word that is not known stands as its source text. */
  readonly argv: readonly string[];
  /** Indexes into argv of the words that are not known. */
  readonly unknown: readonly number[];
  /** True where an unknown word may stand for none or several words. */
  readonly openEnded: boolean;
  /** The program's name without its directory. */
  readonly name: string;
  /** Normalised path of the program, where one was given. */
  readonly program: string | undefined;
  /** For each word of argv: its normalised absolute path where the word is one or the directory is known. */
  readonly absolute: readonly (string | undefined)[];
  /** argv joined by single spaces. */
  readonly text: string;
  /** What it runs through, outermost first: `sudo`, `xargs`, `$()`, `function f`, … */
  readonly via: readonly string[];
  /** Index in Analysis.commands of the command that starts this one; -1: the shell itself. */
  readonly parent: number;
  readonly depth: number;
  readonly redirections: readonly Redirection[];
  readonly assignments: readonly AssignedVariable[];
  /** Names of the commands whose output reaches it by pipe, here-string or substitution. */
  readonly fedBy: readonly string[];
  /** Its output goes to another command, by pipe or substitution. */
  readonly feeds: boolean;
  readonly background: boolean;
  /** Where it would run, when that is known. */
  readonly directory: string | undefined;
  /** Defined now, run later or perhaps never: a function's body, a trap, an alias, a prompt. */
  readonly deferred: boolean;
  /** Set when found inside a program text given to this interpreter. */
  readonly interpreted: string | undefined;
  /** Program text given to an interpreter (`-c`, `-e`, a here-document, a pipe). */
  readonly code: string | undefined;
  readonly grammar: Grammar;
  /** Where in Analysis.typed; for commands from decoded text, that of what they came from. */
  readonly span: { readonly start: number; readonly end: number };
}

export type Incomplete =
  | 'none'
  | 'continuation'
  | 'quote'
  | 'here-document'
  | 'substitution'
  | 'operator'
  | 'compound';

export interface Analysis {
  readonly typed: string;
  readonly grammar: Grammar;
  readonly commands: readonly ResolvedCommand[];
  readonly opaque: readonly Opacity[];
  /** Not `none`: the shell will ask for more lines before it runs anything of this. */
  readonly incomplete: Incomplete;
  /** The word that ends the open here-document, when that is what is open. */
  readonly hereDocument: { readonly delimiter: string; readonly stripTabs: boolean } | undefined;
  /** A bound was met: what lies beyond it is not in `commands`. */
  readonly truncated: boolean;
  /** What the shell knows after the line, to be passed with the next one. */
  readonly stateAfter: ShellState;
}

/** What earlier lines of a session left behind, as far as they could be read. Treat as immutable. */
export interface ShellState {
  readonly variables: ReadonlyMap<string, VariableValue>;
  readonly aliases: ReadonlyMap<string, string>;
  /** Source text of function bodies; several when it is not certain which one holds. */
  readonly functions: ReadonlyMap<string, readonly string[]>;
  /** Contents of small files written from known text, by path as given. */
  readonly files: ReadonlyMap<string, string>;
  /** Absolute directory, when known. */
  readonly directory: string | undefined;
  /** Something unreadable ran in this shell (`source`, `eval`): values may have changed unseen. */
  readonly tainted: boolean;
}

export interface VariableValue {
  /** Values it may hold, at most 8. */
  readonly candidates: readonly string[];
  /** False when it may hold something else too. */
  readonly complete: boolean;
}

export interface AnalyseOptions {
  readonly grammar?: Grammar | undefined;
  readonly state?: ShellState | undefined;
}

export const emptyShellState: ShellState = {
  variables: new Map(),
  aliases: new Map(),
  functions: new Map(),
  files: new Map(),
  directory: undefined,
  tainted: false,
};

/** Bounds that hold for every analysis, whatever the input. */
export const analysisLimits = {
  /** Characters of one line; longer ones are opaque. */
  line: 64 * 1024,
  /** Nesting of substitutions, `sh -c`, eval, functions, aliases. */
  depth: 10,
  commands: 256,
  /** Characters parsed in all, decoded text included. */
  parsed: 256 * 1024,
  /** Here-documents of one text: the grammar's work grows with their square. */
  hereDocuments: 128,
  /** Grammar nodes and words visited in all. */
  steps: 12_000,
  opacities: 64,
  fields: 512,
  /** Characters in the words of all commands together. */
  text: 512 * 1024,
} as const;
