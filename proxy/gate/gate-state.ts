// What the gate knows at a moment, shared by the files of its phases: the terminal as the device draws it, the line that
// is being typed, what runs, and the phase itself. It answers questions; what follows from the answers is decided in
// the file of each phase, and nothing is sent from here.
import type { Dialect, KeysModel } from '../terminal/keys-model.ts';
import { LazyScreen } from '../terminal/lazy-screen.ts';
import { type Anchor, PromptMemory } from '../terminal/prompt.ts';
import { Actions } from './actions.ts';
import { Contexts } from './contexts.ts';
import { EchoLog } from './echo-witness.ts';
import type { GateSettings, GateStart, SideFact, SubmitContext } from './gate-types.ts';
import { InputQueue } from './input-queue.ts';
import { Multiplexer } from './multiplexer.ts';
import type { Phase } from './phases.ts';
import { Timing } from './timing.ts';
import { Tried } from './tried.ts';
import { TypedLine } from './typed-line.ts';
import { UnfinishedCommand } from './unfinished-command.ts';

/** Programs that take the whole screen and read keys; known by the approved command, never by their output. */
const FULL_SCREEN =
  /^(?!.*[;&|`\n]|.*\$\()\s*(?:sudo\s+(?:-\S+\s+)*)?(?:\S*\/)?(?:vi|vim|nvim|view|vimdiff|nano|pico|emacs|mcedit|less|more|most|man|top|htop|btop|mc|lynx|w3m|mutt|tig|watch|journalctl|systemctl|git)(?:\s|$)/;

/** A program's name is shown, and may be as long as a command line. */
const MOST_PROGRAM = 1_000;

/** A line whose submit key was let go. */
export interface LetGo {
  readonly keys: KeysModel;
  readonly anchor: Anchor | undefined;
  readonly text: string;
  /** The keys that would make the shell report its line again. */
  readonly witness: Buffer | undefined;
}

export class GateState {
  settings: GateSettings;
  phase: Phase;
  columns: number;
  rows: number;
  readonly time: Timing;
  readonly screen: LazyScreen;
  readonly out: Actions;
  readonly input = new InputQueue();
  readonly prompts = new PromptMemory();
  readonly contexts = new Contexts();
  readonly echoes = new EchoLog();
  readonly line = new TypedLine(this.echoes.witness());
  readonly command = new UnfinishedCommand();
  readonly multiplexer: Multiplexer;
  readonly redraws = { rows: new Tried(), columns: new Tried() };
  /** Whether line editors here prove what they have when asked. */
  readonly proofs = new Tried();
  reader: SubmitContext['reader'] = 'program';
  program: string | undefined;
  dialect: Dialect | 'unknown' = 'unknown';
  /** What the shell itself, through its integration, has said that it is. */
  dialectTold: Dialect | undefined;
  fact: SideFact = { echo: undefined, foreground: undefined, shellReads: undefined };
  /** Something was let start here: whatever looks like a prompt since may be its doing. */
  started: boolean;
  /** Something was sent that may make the line editor stop reading; if not, its stopping is an alarm. */
  mayLeave = true;
  /** Pieces of the device's output that held a line feed. */
  feeds = 0;
  /**
   * Something may have been taken out of the line, and more than its echo came from the device since its first key: what
   * stands on screen may be anybody's.
   */
  get erasedBesideOutput(): boolean {
    const { line, screen } = this;
    if (!line.erased || line.drawnAnew) return false;
    return this.feeds !== line.begun.feeds || (screen.modes.editorOn && !line.begun.editor);
  }

  /** The keys do not tell what the line is, and its editor has not drawn it anew. */
  get keysUntold(): boolean {
    return this.line.keys.state.kind === 'unknown' && !this.line.drawnAnew;
  }

  /** The submit key that was let go also fetches the next line. */
  prefilled = false;
  /** The submit key that was let go is a sequence: a reader that does not know it takes its end for text. */
  maySpell = false;
  /** The line that was let go, while its editor may still take the submit key for a new row of it. */
  mayGoOn: LetGo | undefined;
  /** The keys that make the shell report its line, while it is known to answer. */
  witness: Buffer | undefined;
  #gaveScreenBack = false;
  #mark: { readonly row: number; readonly column: number; readonly epoch: number } | undefined;
  #nextId = 1;

  constructor(start: GateStart) {
    this.settings = start.settings;
    this.columns = start.columns;
    this.rows = start.rows;
    this.program = start.program;
    this.started = start.program !== undefined;
    this.multiplexer = new Multiplexer(start.program);
    this.time = new Timing(start.now, start.roundTrip);
    this.screen = new LazyScreen(start.columns, start.rows);
    this.out = new Actions(this.screen);
    this.phase = this.holds ? { kind: 'after', since: start.now, editorBack: false } : { kind: 'open' };
  }

  /** Submit keys are held. */
  get holds(): boolean {
    return this.settings.mode === 'enforce';
  }

  /** Keys outside the safe list are dropped. */
  get gatesKeys(): boolean {
    return this.holds && this.settings.gateKeys;
  }

  /** The shell has marked the end of its prompt here (OSC 133 or 633). */
  promptEndsHere(): void {
    const { row, column } = this.screen.cursor;
    this.#mark = { row, column, epoch: this.screen.skipped };
  }

  /** The column in this row where a mark says that the line starts. Any program can print one: it is only a hint. */
  markedIn(row: number): number | undefined {
    const mark = this.#mark;
    return mark?.row === row && mark.epoch === this.screen.skipped ? mark.column : undefined;
  }

  nextId(): number {
    return this.#nextId++;
  }

  /** A line editor that redraws when asked really reads; bracketed paste alone could be printed by anyone. */
  get editorProven(): boolean {
    return this.screen.modes.editorOn && this.redraws.rows.worked;
  }

  /** No line editor was ever seen here: the terminal's own line editing, or nearly as simple a one, reads. */
  get plain(): boolean {
    return (
      !this.screen.modes.everEditor &&
      !this.redraws.rows.worked &&
      !this.redraws.columns.worked &&
      this.line.keys.edits !== 'editing'
    );
  }

  /** A program that takes the whole screen was approved, and the screen is taken. */
  get fullScreen(): boolean {
    return this.screen.alternate && FULL_SCREEN.test(this.program ?? '');
  }

  /** A full-screen program that the user was allowed to start reads keys, not command lines. */
  get freeProgram(): boolean {
    return this.reader === 'program' && this.fullScreen;
  }

  /** A line editor, or a prompt that is known, reads as far as anybody can tell. */
  get promptReads(): boolean {
    if (this.reader === 'prompt') return true;
    const at = this.prompts.atCursor(this.screen);
    return at === 'known' || (at === 'alike' && this.plain);
  }

  /**
   * A program was reading when this line was begun. It may take as many keys of it as it likes, and a shell the others,
   * unless a line editor has come up since.
   */
  get endsMayRun(): boolean {
    const { line, screen } = this;
    if (!line.keys.touched || !line.begun.byProgram || this.freeProgram) return false;
    return !(screen.modes.editorOn && (this.reader === 'prompt' || line.drawnAnew));
  }

  /** What looks like a prompt reads the line, and something was let start before that may have made it look so. */
  get promptUnproven(): boolean {
    return this.started && !this.freeProgram && !this.endsMayRun;
  }

  /**
   * Such a program has had the screen since it was let start: it takes function keys and the like. Once it has given the
   * screen back, if only for a moment, a shell may be reading there.
   */
  get programTakesKeys(): boolean {
    return this.freeProgram && !this.#gaveScreenBack && this.prompts.atCursor(this.screen) !== 'known';
  }

  /**
   * A full-screen program was approved, and has given the screen back, or answers no key: it may be ending, and a shell
   * takes what it has not read.
   */
  get screenProgramEnds(): boolean {
    if (this.reader !== 'program' || this.screen.modes.editorOn) return false;
    if (!FULL_SCREEN.test(this.program ?? '')) return false;
    return this.screen.alternate ? this.line.echo.silent : this.#gaveScreenBack;
  }

  /** The alternate screen was left. */
  screenGivenBack(): void {
    this.#gaveScreenBack = true;
    this.multiplexer.screenGivenBack();
  }

  /**
   * A side channel, or the shell that has reported this very line, has said that fish reads; how its output looks says
   * nothing of the kind.
   */
  get isFish(): boolean {
    if (/^-?fish$/.test(this.fact.foreground ?? '')) return true;
    return this.dialectTold === 'fish' && this.line.report !== undefined;
  }

  runs(program: string): void {
    this.#gaveScreenBack = false;
    this.program = program.slice(0, MOST_PROGRAM);
    this.multiplexer.runs(this.program);
  }

  context(secret: boolean, masked = false): SubmitContext {
    return {
      reader: this.reader,
      dialect: this.dialect,
      alternateScreen: this.screen.alternate,
      program: this.fact.foreground ?? this.program,
      within: this.contexts.names,
      secret,
      masked,
      secretBefore: this.command.secret || this.line.kept.secret,
    };
  }

  waitForPrompt(): void {
    this.phase = { kind: 'after', since: this.time.now, editorBack: false };
  }

  end(code: string, tell: string): void {
    this.input.clear();
    this.phase = { kind: 'ended' };
    this.out.add({ kind: 'endChannel', code, tell });
  }
}
