// The gate of one interactive channel: holds each submit key until the line it submits has been read and judged, and
// lets through only what was approved. A pure state machine: bytes, window sizes, verdicts and the clock go in,
// actions come out. It knows no rules and no sockets, and it never lets the device's output loosen what it does.

import { type KeyToken, KeyTokenizer } from '../terminal/keys.ts';
import { type Dialect, KeysModel, type KeysState } from '../terminal/keys-model.ts';
import { LazyScreen } from '../terminal/lazy-screen.ts';
import { type LineOnScreen, readLine } from '../terminal/line-reader.ts';
import type { OutputEvent } from '../terminal/modes.ts';
import { type Anchor, anchorAt, PromptMemory, textOf, writtenEnd } from '../terminal/prompt.ts';
import { agreed, CERTAIN, type Doubt, fuse, type Reading, shows, visible } from '../terminal/reading.ts';
import { Contexts } from './contexts.ts';
import { isUnfinished } from './continuation.ts';
import { EchoWitness } from './echo-witness.ts';
import type {
  GateAction,
  GateAlarm,
  GateSettings,
  Outcome,
  SideFact,
  SubmitContext,
  VerdictAnswer,
  VerdictRequest,
} from './gate-types.ts';
import { classify, type KeyClass } from './key-classes.ts';

/** Input that is kept while something is held; beyond it the channel ends rather than grows. */
const MAXIMUM_KEPT = 2_097_152;
/** A line whose echo never settles is read as it stands after this long, plus two round trips. */
const SETTLE_BOUND = 1_000;
/** How long the echo of the last key may be under way while nothing else happens, plus two round trips. */
const ECHO_BOUND = 350;
/** After a release, input waits for the prompt at most this long, plus two round trips. */
const PROMPT_BOUND = 1_200;
const ERASE_BOUND = 1_500;
const VERDICT_BOUND = 60_000;
const ASK_BOUND = 120_000;
/** Silence that makes the next key the first one behind a prompt. */
const ANCHOR_SILENCE = 120;
/** How long a lone ESC may be the beginning of a key. */
const ESCAPE_WAIT = 50;
/** Lines of one unfinished command that are kept for the judge. */
const MAXIMUM_PRECEDING = 200;

/** Lines in observe mode whose reading may be due. */
const MAXIMUM_OBSERVED = 1_000;

/** A window wide enough for any line that is worth reading. */
const WIDE = 900;

const BELL = Buffer.from('\x07');
const INTERRUPT = Buffer.from('\x03');
const KILL_LINE = Buffer.from('\x15');
const RETURN = Buffer.from('\r');
const PASTE_START = Buffer.from('\x1b[200~');
const PASTE_END = Buffer.from('\x1b[201~');

interface Held {
  readonly token: KeyToken;
  readonly keyClass: KeyClass;
  readonly since: number;
}

interface Judged extends Held {
  readonly id: number;
  readonly reading: Reading;
  readonly secret: boolean;
}

type Phase =
  /** Input flows. */
  | { readonly kind: 'open' }
  /** A submit key waits for the echo of what was typed before it. */
  | { readonly kind: 'settle'; readonly held: Held; readonly from: number }
  /** The line editor was asked to redraw its line. */
  | {
      readonly kind: 'redraw';
      readonly held: Held;
      readonly step: 'grow' | 'shrink';
      /** `columns`: editors that scroll sideways show everything in a window wide enough. */
      readonly way: 'rows' | 'columns';
      readonly since: number;
      readonly fresh: LazyScreen;
      readonly passive: LineOnScreen;
      answered: boolean;
    }
  /** The line editor was asked to expand history, or to end a search. */
  | {
      readonly kind: 'expand';
      readonly held: Held;
      readonly since: number;
      readonly what: 'history' | 'search' | 'suffix';
    }
  | { readonly kind: 'judge'; readonly judged: Judged; readonly until: number }
  /** A paste with line ends waits for its verdict. */
  | {
      readonly kind: 'judge-paste';
      readonly id: number;
      readonly tokens: readonly KeyToken[];
      readonly since: number;
    }
  | {
      readonly kind: 'ask';
      readonly judged: Judged;
      readonly since: number;
      readonly echo: boolean;
      answer: string;
    }
  /** The line was taken back; a clean prompt must be seen. */
  | {
      readonly kind: 'erase';
      readonly since: number;
      readonly then: 'prompt' | 'replay' | 'end';
      readonly judged: Judged | undefined;
      readonly notice: string;
      editorBack: boolean;
    }
  /** The approved text was typed by the gate and must be seen. */
  | { readonly kind: 'retype'; readonly judged: Judged; readonly since: number }
  /** Something was let through: what follows waits for the prompt. */
  | { readonly kind: 'after'; readonly since: number; editorBack: boolean }
  | { readonly kind: 'ended' };

/** Whether a way of making the editor redraw works here; given up after two misses until it is seen to work. */
class Tried {
  #worked = false;
  #misses = 0;

  get worked(): boolean {
    return this.#worked;
  }

  get worthTrying(): boolean {
    return this.#worked || this.#misses < 2;
  }

  note(worked: boolean): void {
    if (worked) this.#worked = true;
    else this.#misses += 1;
  }
}

interface Observed {
  readonly token: KeyToken;
  readonly keys: KeysModel;
  readonly echo: EchoWitness;
  /** A line editor was reading when it was submitted. */
  readonly editor: boolean;
  readonly reader: SubmitContext['reader'];
  readonly at: number;
}

export interface GateStart {
  readonly columns: number;
  readonly rows: number;
  readonly settings: GateSettings;
  /** Milliseconds from the gateway to the device and back, as the transport measured it. */
  readonly roundTrip: number;
  readonly now: number;
  /** What already runs on the terminal when it is not a shell: the command that was let start. */
  readonly program?: string;
}

export class Gate {
  #settings: GateSettings;
  #phase: Phase = { kind: 'open' };
  #columns: number;
  #rows: number;
  #roundTrip: number;
  readonly #tokenizer = new KeyTokenizer();
  readonly #screen: LazyScreen;
  readonly #prompts = new PromptMemory();
  readonly #contexts = new Contexts();
  #keys = new KeysModel();
  #queue: KeyToken[] = [];
  #keptBytes = 0;
  #actions: GateAction[] = [];
  #anchor: Anchor | undefined;
  #now: number;
  #lastDevice: number;
  #lastKey: number;
  #slowKeys = false;
  #escapeAt = 0;
  #nextId = 1;
  #reader: 'prompt' | 'program' = 'program';
  #program: string | undefined;
  #preceding: string[] = [];
  #secretBefore = false;
  #echo = new EchoWitness();
  /** How the editor told that the observed line has left; it tells so twice. */
  #leftBy: 'feed' | 'off' | undefined;
  #dialect: Dialect | 'unknown' = 'unknown';
  #mayLeave = true;
  #viKeys = false;
  #prefilled = false;
  readonly #redrawn = { rows: new Tried(), columns: new Tried() };
  #observed: Observed[] = [];
  #fact: SideFact = { echo: undefined, foreground: undefined, shellReads: undefined };
  #rowsInEditor = false;
  #expanded = false;
  #lineUsedKeys = false;
  #suffixSettled = false;
  /** The line that was let go while its editor has not said that it stopped reading. */
  #kept:
    | {
        readonly keys: KeysModel;
        readonly anchor: Anchor | undefined;
        readonly text: string;
        readonly row: number;
      }
    | undefined;
  #resumed = false;
  /** A line editor came up after keys had gone to a program. */
  #editorCameBack = false;
  /** The prompt of the first line of an unfinished command, and how often it came back since. */
  #firstPrompt: string | undefined;
  #samePrompts = 0;

  constructor(start: GateStart) {
    this.#settings = start.settings;
    this.#columns = start.columns;
    this.#rows = start.rows;
    this.#roundTrip = Math.max(0, start.roundTrip);
    this.#program = start.program;
    this.#now = start.now;
    this.#lastDevice = start.now;
    this.#lastKey = start.now;
    this.#screen = new LazyScreen(start.columns, start.rows);
    this.#phase =
      start.settings.mode === 'enforce'
        ? { kind: 'after', since: start.now, editorBack: false }
        : { kind: 'open' };
  }

  [Symbol.dispose](): void {
    if (this.#phase.kind === 'redraw') this.#phase.fresh[Symbol.dispose]();
    this.#phase = { kind: 'ended' };
    this.#queue = [];
    this.#keptBytes = 0;
    this.#screen[Symbol.dispose]();
  }

  /** Bytes that the user sent and that are kept here. */
  get keptBytes(): number {
    return this.#keptBytes + this.#tokenizer.pendingBytes;
  }

  get phase(): Phase['kind'] {
    return this.#phase.kind;
  }

  /** Changes what is enforced while the session runs. What is held stays held and is judged by the new settings. */
  configure(settings: GateSettings): void {
    this.#settings = settings;
  }

  setRoundTrip(milliseconds: number): void {
    if (Number.isFinite(milliseconds)) this.#roundTrip = Math.min(5_000, Math.max(0, milliseconds));
  }

  sideFact(fact: SideFact, now: number): GateAction[] {
    this.#now = now;
    this.#fact = fact;
    return this.#run();
  }

  clientData(bytes: Buffer, now: number): GateAction[] {
    this.#now = now;
    if (this.#phase.kind === 'ended') return [];
    this.#accept(this.#tokenizer.push(bytes));
    if (this.#tokenizer.waiting) this.#escapeAt = now + ESCAPE_WAIT;
    return this.#run();
  }

  deviceData(bytes: Buffer, now: number): GateAction[] {
    this.#now = now;
    if (this.#phase.kind === 'ended') return [];
    if (!(this.#phase.kind === 'redraw' && this.#phase.way === 'columns' && this.#phase.step === 'grow')) {
      this.#actions.push({ kind: 'toClient', bytes, origin: 'device' });
    }
    this.#lastDevice = now;
    this.#noticeDialect(bytes);
    this.#echo.saw(bytes);
    for (const observed of this.#observed) observed.echo.saw(bytes);
    this.#draw(bytes);
    return this.#run();
  }

  resize(columns: number, rows: number, now: number): GateAction[] {
    this.#now = now;
    this.#columns = columns;
    this.#rows = rows;
    this.#screen.resize(columns, rows);
    this.#slowKeys = true;
    this.#lastKey = Math.max(this.#lastKey, now);
    this.#actions.push({ kind: 'resizeDevice', columns, rows });
    return this.#run();
  }

  timer(now: number): GateAction[] {
    this.#now = now;
    return this.#run();
  }

  verdict(id: number, answer: VerdictAnswer, now: number): GateAction[] {
    this.#now = now;
    const phase = this.#phase;
    switch (phase.kind) {
      case 'judge':
      case 'ask':
        if (phase.judged.id === id) this.#answer(phase.judged, answer);
        break;
      case 'judge-paste':
        if (phase.id === id) this.#answerPaste(phase, answer);
        break;
      case 'open':
      case 'settle':
      case 'redraw':
      case 'expand':
      case 'erase':
      case 'retype':
      case 'after':
      case 'ended':
        break;
    }
    return this.#run();
  }

  // ── input ────────────────────────────────────────────────────────────────────────────────────────────────────

  #accept(tokens: readonly KeyToken[]): void {
    for (const token of tokens) {
      if (this.#phase.kind === 'after' && this.#passesAtOnce(token)) continue;
      this.#queue.push(token);
      this.#keptBytes += token.bytes.length;
    }
    if (this.#keptBytes > MAXIMUM_KEPT) {
      this.#alarm('SP_GATE_INPUT_LIMIT', `${this.#keptBytes} bytes of input were waiting`);
      this.#end('SP_GATE_INPUT_LIMIT', 'Too much input was waiting for a command to end.');
    }
  }

  /** While something runs: interrupts and the terminal's own answers do not wait behind typed-ahead text. */
  #passesAtOnce(token: KeyToken): boolean {
    const keyClass = classify(token);
    if (keyClass === 'silent' && this.#queue.length === 0) {
      this.#toDevice(token.bytes, 'user');
      return true;
    }
    if (keyClass === 'interrupt') {
      // The device's tty would throw typed-ahead input away as well.
      this.#queue = [];
      this.#keptBytes = 0;
      this.#interrupt(token);
      return true;
    }
    return false;
  }

  #run(): GateAction[] {
    for (let turn = 0; turn < 100_000; turn++) {
      if (!this.#step()) break;
    }
    const at = this.#wakeAt();
    if (at !== undefined) this.#actions.push({ kind: 'timer', at });
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** One move of the machine; false when nothing more can happen now. */
  #step(): boolean {
    if (this.#tokenizer.waiting && this.#now >= this.#escapeAt) {
      this.#accept(this.#tokenizer.flush());
      if (this.#tokenizer.waiting) this.#escapeAt = this.#now + ESCAPE_WAIT;
    }
    const phase = this.#phase;
    switch (phase.kind) {
      case 'ended':
        return false;
      case 'open': {
        this.#forgottenByProgram();
        const token = this.#queue.shift();
        if (token === undefined) return false;
        this.#keptBytes -= token.bytes.length;
        this.#handle(token);
        return true;
      }
      case 'settle':
        return this.#settle(phase);
      case 'redraw':
        return this.#redraw(phase);
      case 'expand':
        return this.#afterExpand(phase);
      case 'judge':
        if (this.#cancelled()) {
          this.#outcome(phase.judged.id, 'cancelled', phase.judged.reading.text);
          this.#erase(phase.judged, 'prompt', '');
          return true;
        }
        if (this.#now >= phase.until) {
          this.#alarm('SP_GATE_VERDICT_LATE', 'no verdict came in time');
          this.#answer(phase.judged, {
            kind: 'block',
            notice: 'No decision came in time; the command was not run.',
          });
          return true;
        }
        return false;
      case 'judge-paste':
        if (this.#now - phase.since >= VERDICT_BOUND) {
          this.#answerPaste(phase, {
            kind: 'block',
            notice: 'No decision came in time; nothing was pasted.',
          });
          return true;
        }
        return false;
      case 'ask':
        return this.#asking(phase);
      case 'erase':
        return this.#erasing(phase);
      case 'retype':
        return this.#retyping(phase);
      case 'after':
        return this.#waiting(phase);
    }
  }

  #wakeAt(): number | undefined {
    const times: number[] = [];
    if (this.#tokenizer.waiting) times.push(this.#escapeAt);
    const phase = this.#phase;
    switch (phase.kind) {
      case 'open': {
        const since = this.#observed[0]?.at;
        if (since !== undefined && this.#reader === 'prompt') times.push(since + this.#observedBound());
        break;
      }
      case 'ended':
        break;
      case 'settle':
      case 'expand':
      case 'redraw':
      case 'erase':
      case 'retype':
      case 'after':
        times.push(this.#now + 8);
        break;
      case 'judge':
        times.push(phase.until);
        break;
      case 'judge-paste':
        times.push(phase.since + VERDICT_BOUND);
        break;
      case 'ask':
        times.push(phase.since + ASK_BOUND);
        break;
    }
    return times.length === 0 ? undefined : Math.max(this.#now + 1, Math.min(...times));
  }

  /** Ctrl-C while the user waits for a decision. */
  #cancelled(): boolean {
    const at = this.#queue.findIndex((token) => token.kind === 'control' && token.code === 0x03);
    if (at === -1) return false;
    this.#drop(at + 1);
    return true;
  }

  #drop(count: number): void {
    for (const token of this.#queue.splice(0, count)) this.#keptBytes -= token.bytes.length;
  }

  #handle(token: KeyToken): void {
    if (token.kind === 'paste-start') {
      this.#paste(token);
      return;
    }
    if (this.#settings.mode === 'enforce' && (token.kind === 'paste-text' || token.kind === 'paste-end')) {
      // Outside of a paste that was judged as one, text is keys.
      if (token.kind === 'paste-text') this.#pasteAsKeys(token.bytes);
      return;
    }
    const keyClass = classify(token);
    const gate = this.#settings.mode === 'enforce' && this.#settings.gateKeys;
    switch (keyClass) {
      case 'silent':
        this.#toDevice(token.bytes, 'user');
        return;
      case 'submit':
      case 'submit-and-next':
        if (keyClass === 'submit-and-next' && token.kind === 'meta' && this.#dialect !== 'zsh' && !gate) {
          this.#forward(token);
          return;
        }
        this.#submit(token, keyClass);
        return;
      case 'end-of-file':
        // On a line without an editor ^D hands over what was typed so far.
        if (gate && !this.#editorProven() && !this.#keys.empty) {
          this.#submit(token, 'submit');
          return;
        }
        if (this.#keys.empty) this.#mayLeave = true;
        this.#forward(token);
        return;
      case 'interrupt':
        this.#interrupt(token);
        return;
      case 'completion':
        if (gate && this.#holdsSubstitution()) {
          this.#refuseKey(token, 'completion could run what stands in $( ), backticks or <( )');
          return;
        }
        this.#slowKeys = true;
        this.#forward(token);
        return;
      case 'dangerous':
        if (gate) {
          this.#refuseKey(token, 'this key could run something unread');
          return;
        }
        this.#slowKeys = true;
        this.#forward(token);
        return;
      case 'escape':
        this.#viKeys = true;
        this.#slowKeys = true;
        this.#forward(token);
        return;
      case 'history':
      case 'search':
      case 'paste':
        this.#slowKeys = true;
        this.#forward(token);
        return;
      case 'text':
        if (gate && this.#viKeys && token.kind === 'text' && /[v#@]/.test(token.text)) {
          this.#refuseKey(token, 'after ESC this key could run something unread');
          return;
        }
        this.#forward(token);
        return;
      case 'edit':
        this.#forward(token);
        return;
    }
  }

  /** A line editor that redraws when asked really reads; bracketed paste alone could be printed by anyone. */
  #editorProven(): boolean {
    return this.#screen.modes.editorOn && this.#redrawn.rows.worked;
  }

  #refuseKey(token: KeyToken, because: string): void {
    this.#actions.push({ kind: 'refusedKey', bytes: token.bytes, because });
    this.#toClient(BELL);
  }

  #forward(token: KeyToken): void {
    this.#anchorNow();
    if (!this.#keys.touched) this.#echo = new EchoWitness();
    this.#toDevice(token.bytes, 'user');
    this.#keys.apply(token);
    this.#lastKey = this.#now;
    this.#lineUsedKeys = true;
  }

  #interrupt(token: KeyToken): void {
    this.#mayLeave = true;
    this.#kept = undefined;
    this.#toDevice(token.bytes, 'user');
    this.#newLine();
    this.#finished();
    if (this.#settings.mode === 'enforce') {
      this.#phase = { kind: 'after', since: this.#now, editorBack: false };
    }
  }

  /** The command that was being put together over several lines is at its end, or given up. */
  #finished(): void {
    this.#preceding = [];
    this.#secretBefore = false;
  }

  #newLine(): void {
    this.#keys.reset();
    this.#anchor = undefined;
    this.#slowKeys = false;
    this.#viKeys = false;
    this.#rowsInEditor = false;
    this.#expanded = false;
    this.#suffixSettled = false;
    this.#lineUsedKeys = false;
    this.#resumed = false;
    this.#editorCameBack = false;
  }

  #holdsSubstitution(): boolean {
    const state = this.#keys.state;
    const texts = state.kind === 'known' ? [...state.texts] : [];
    texts.push(this.#read().text);
    return texts.some((text) => /\$\(|`|<\(|>\(|=\(/.test(text));
  }

  #paste(start: KeyToken): void {
    const end = this.#queue.findIndex((token) => token.kind === 'paste-end');
    if (end === -1) {
      // The rest has not come yet; keep the start until it has.
      if (this.#tokenizer.pasting && this.#settings.mode === 'enforce') {
        this.#queue.unshift(start);
        this.#keptBytes += start.bytes.length;
        this.#phase = { kind: 'after', since: this.#now, editorBack: false };
        return;
      }
      // A beginning without an end begins nothing.
      if (this.#settings.mode === 'enforce') return;
      this.#slowKeys = true;
      this.#forward(start);
      return;
    }
    const tokens = [start, ...this.#queue.slice(0, end + 1)];
    this.#drop(end + 1);
    const content = Buffer.concat(
      tokens.filter((token) => token.kind === 'paste-text').map((token) => token.bytes),
    );
    if (this.#settings.mode === 'enforce' && !this.#screen.modes.editorOn) {
      this.#pasteAsKeys(content);
      return;
    }
    const gated = this.#settings.mode === 'enforce' && this.#settings.gateKeys;
    if (gated && /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(content.toString('latin1'))) {
      this.#refuseKey(start, 'a paste may not hold control characters');
      return;
    }
    const lines = /[\r\n]/.test(content.toString('latin1'));
    if (lines && this.#settings.mode === 'enforce' && this.#settings.gateKeys) {
      const id = this.#nextId++;
      const before = this.#keys.state;
      const typed = before.kind === 'known' ? (before.texts[0] ?? '') : this.#read().text;
      const text = content.toString('utf8').replace(/\r\n?/g, '\n');
      const joined = `${typed}${text}`;
      this.#phase = { kind: 'judge-paste', id, tokens, since: this.#now };
      this.#actions.push({
        kind: 'requestVerdict',
        request: {
          id,
          what: 'paste',
          reading: {
            text: joined,
            candidates: [...new Set([joined, text, ...text.split('\n')])].slice(0, 10_000),
            how: 'keys',
            confidence: 1,
            doubts: [],
          },
          preceding: [...this.#preceding],
          context: this.#context(false),
          at: this.#now,
          heldFor: 0,
        },
      });
      return;
    }
    this.#passPaste(tokens);
  }

  /** No line editor takes the paste as one text: each line end in it submits. */
  #pasteAsKeys(content: Buffer): void {
    const tokenizer = new KeyTokenizer();
    // A paste within a paste is none: its marks would make keys of it that nobody judges.
    const tokens = [...tokenizer.push(withoutMarks(content)), ...tokenizer.flush()];
    this.#queue.unshift(...tokens);
    for (const token of tokens) this.#keptBytes += token.bytes.length;
  }

  #passPaste(tokens: readonly KeyToken[]): void {
    this.#slowKeys = true;
    for (const token of tokens) {
      this.#forward(token);
      if (token.kind === 'paste-text' && /[\r\n]/.test(token.bytes.toString('latin1')))
        this.#rowsInEditor = true;
    }
  }

  #answerPaste(phase: Extract<Phase, { kind: 'judge-paste' }>, answer: VerdictAnswer): void {
    this.#phase = { kind: 'open' };
    switch (answer.kind) {
      case 'release':
        this.#outcome(phase.id, 'released', '');
        this.#passPaste(phase.tokens);
        return;
      case 'block':
      case 'wait':
      case 'ask':
        this.#outcome(phase.id, 'blocked', '');
        this.#notify(
          answer.kind === 'block'
            ? answer.notice
            : 'A paste with line ends needs a decision that cannot be asked for here.',
        );
        this.#erase(undefined, 'prompt', '');
        return;
      case 'interrupt':
        this.#outcome(phase.id, 'blocked', '');
        this.#notify(answer.notice);
        this.#erase(undefined, 'end', answer.notice);
        return;
    }
  }

  // ── submitting ───────────────────────────────────────────────────────────────────────────────────────────────

  #submit(token: KeyToken, keyClass: KeyClass): void {
    this.#anchorNow();
    if (this.#settings.mode === 'observe') {
      this.#observed.push({
        token,
        keys: this.#keys,
        echo: this.#echo,
        editor: this.#screen.modes.editorOn,
        reader: this.#reader,
        at: this.#now,
      });
      if (this.#observed.length > MAXIMUM_OBSERVED) this.#observed.shift();
      this.#keys = new KeysModel();
      this.#echo = new EchoWitness();
      this.#reader = 'program';
      this.#mayLeave = true;
      this.#toDevice(token.bytes, 'user');
      this.#lastKey = this.#now;
      return;
    }
    this.#phase = { kind: 'settle', held: { token, keyClass, since: this.#now }, from: this.#now };
  }

  /** Notes where the line starts, if it is not known yet. */
  #anchorNow(): void {
    if (this.#editorCameBack && this.#prompts.atCursor(this.#screen) === 'known') {
      // The keys before it went to a program that has ended, or are still on their way into this line: the editor
      // itself must say which.
      this.#newLine();
      this.#keys.forget('redrawn');
    }
    if (
      this.#reader === 'program' &&
      this.#freeProgram() &&
      this.#prompts.atCursor(this.#screen) === 'known'
    ) {
      // The full-screen program is gone although the alternate screen is not.
      this.#reader = 'prompt';
    }
    const quiet = this.#now - this.#lastDevice >= ANCHOR_SILENCE;
    if (this.#anchor !== undefined && (this.#keys.touched || this.#lineUsedKeys)) return;
    const at = this.#prompts.atCursor(this.#screen);
    if (this.#anchor !== undefined && at === 'no' && !quiet) return;
    if (this.#anchor !== undefined && this.#prefilled) return;
    this.#anchor = this.#anchorHere(quiet || at === 'known');
  }

  #anchorHere(verified: boolean): Anchor {
    const anchor = anchorAt(this.#screen, this.#screen.cursor, verified, this.#screen.skipped);
    // A known prompt with more behind it: the line was filled in before the first key (print -z, ^O, push-line).
    if (this.#prompts.known.some((prompt) => prompt.trim() !== '' && anchor.prompt.endsWith(prompt)))
      return anchor;
    const known = this.#prompts.known
      .filter(
        (prompt) => prompt.trim() !== '' && anchor.prompt !== prompt && anchor.prompt.startsWith(prompt),
      )
      .sort((one, other) => other.length - one.length)[0];
    if (known === undefined) return anchor;
    this.#keys.forget('redrawn');
    return { ...anchor, column: Math.min(anchor.column, known.length), prompt: known };
  }

  #read(view: LazyScreen = this.#screen, anchor: Anchor | undefined = this.#anchor): LineOnScreen {
    const start =
      anchor ??
      anchorAt(this.#screen, { row: this.#screen.cursor.row, column: 0 }, false, this.#screen.skipped);
    return readLine(view, start, { prompts: this.#prompts.known, lines: this.#rowsInEditor });
  }

  #quiet(slow: boolean): number {
    const base = Math.max(30, 1.6 * this.#roundTrip + 12);
    return slow ? Math.max(90, base + 50) : base;
  }

  #isQuiet(since: number, slow: boolean): boolean {
    const device = Math.max(slow ? 40 : 20, 0.4 * this.#roundTrip);
    return this.#now - since >= this.#quiet(slow) && this.#now - this.#lastDevice >= device;
  }

  #settle(phase: Extract<Phase, { kind: 'settle' }>): boolean {
    const state = this.#keys.state;
    const line = this.#read();
    const bound = this.#now - phase.from >= SETTLE_BOUND + 2 * this.#roundTrip;
    if (
      state.kind === 'known' &&
      this.#echoCanBeTold() &&
      line.doubts.every((doubt) => doubt === 'gap' || doubt === 'caret' || doubt === 'rows')
    ) {
      const index = state.texts.findIndex((text) => shows(line.text, text));
      const cursor = state.cursors[index];
      if (index !== -1 && cursor !== undefined) {
        const atEnd = cursor === state.texts[index]?.length;
        if ((atEnd && line.cursor >= line.text.trimEnd().length) || line.cursor === cursor) {
          this.#settled(phase.held, line, []);
          return true;
        }
      }
    }
    const slow = this.#slowKeys || state.kind === 'unknown';
    if (!bound && !this.#isQuiet(this.#lastKey, slow)) return false;
    // A busy device: what is shown so far is only the beginning, or nothing has answered the last key yet.
    const patient = this.#now - this.#lastKey < ECHO_BOUND + 2 * this.#roundTrip;
    if (!bound && patient && this.#stillComing(state, line)) return false;
    this.#settled(phase.held, line, bound && this.#now - this.#lastDevice < 20 ? ['unsettled'] : []);
    return true;
  }

  /** Whether a screen that shows the keys' text can only be showing the end of what was typed. */
  #echoCanBeTold(): boolean {
    switch (this.#keys.edits) {
      case 'typing':
        return true;
      case 'erasing':
        return this.#lastDevice >= this.#lastKey + 0.8 * this.#roundTrip;
      case 'editing':
        return this.#isQuiet(this.#lastKey, false);
    }
  }

  #stillComing(state: KeysState, line: LineOnScreen): boolean {
    if (state.kind === 'known') {
      const seen = line.text.trimEnd();
      return state.texts.some((text) => text !== '' && text.startsWith(seen));
    }
    return this.#lastDevice < this.#lastKey + 0.8 * this.#roundTrip;
  }

  #settled(held: Held, line: LineOnScreen, extra: readonly Doubt[]): void {
    const reading = fuse({
      screen: line,
      redrawn: undefined,
      keys: this.#keys.state,
      plain: this.#plain(),
      doubts: extra,
    });
    const canProbe = this.#settings.probes && this.#canProbe();
    if (reading.doubts.includes('search') && canProbe && !this.#expanded && !this.#viKeys) {
      this.#expanded = true;
      this.#toDevice(Buffer.from('\x05'), 'gate');
      this.#keys.forget('search');
      this.#phase = { kind: 'expand', held, since: this.#now, what: 'search' };
      return;
    }
    if (this.#expansionLeft(reading.text) && !this.#expanded) {
      const probe = this.#expansionKeys();
      if (canProbe && probe !== undefined) {
        this.#expanded = true;
        this.#toDevice(probe, 'gate');
        this.#phase = { kind: 'expand', held, since: this.#now, what: 'history' };
        return;
      }
    }
    if (canProbe && this.#suffixMayGo()) {
      this.#suffixSettled = true;
      this.#toDevice(Buffer.from('\x05'), 'gate');
      this.#phase = { kind: 'expand', held, since: this.#now, what: 'suffix' };
      return;
    }
    const way = canProbe ? this.#redrawWay(reading) : undefined;
    if (way !== undefined) {
      this.#startRedraw(held, line, way);
      return;
    }
    this.#judge(held, this.#doubtful(reading, extra));
  }

  #plain(): boolean {
    return (
      !this.#screen.modes.everEditor &&
      !this.#redrawn.rows.worked &&
      !this.#redrawn.columns.worked &&
      this.#keys.edits !== 'editing'
    );
  }

  #doubtful(reading: Reading, extra: readonly Doubt[]): Reading {
    const doubts = new Set<Doubt>([...reading.doubts, ...extra]);
    let confidence = reading.confidence;
    if (this.#expansionLeft(reading.text)) {
      doubts.add('history-expansion');
      confidence = Math.min(confidence, 0.5);
    }
    if (this.#reader === 'program') doubts.add('in-program');
    return { ...reading, confidence, doubts: [...doubts] };
  }

  #expansionLeft(text: string): boolean {
    if (this.#dialect === 'fish') return false;
    if (
      this.#reader === 'program' ||
      this.#contexts.inside('python', 'ipython', 'psql', 'mysql', 'mariadb', 'redis-cli', 'sqlite3')
    ) {
      return false;
    }
    const knowsQuotes = this.#dialect === 'readline' || this.#dialect === 'zsh';
    const open = knowsQuotes ? text.replace(/\\.|'[^']*'/g, '_') : text.replace(/\\./g, '_');
    if (/^\s*\^/.test(open)) return true;
    return knowsQuotes ? /!(?=[^\s=("])/.test(open) : /!(?=[^\s=(])/.test(open);
  }

  #expansionKeys(): Buffer | undefined {
    if (this.#viKeys || !this.#screen.modes.editorOn) return undefined;
    switch (this.#dialect) {
      case 'readline':
        return Buffer.from('\x1b^');
      case 'zsh':
        return Buffer.from('\x1b!');
      case 'fish':
      case 'other-editor':
      case 'tty':
      case 'unknown':
        return undefined;
    }
  }

  #afterExpand(phase: Extract<Phase, { kind: 'expand' }>): boolean {
    const waited = this.#now - phase.since;
    const answered = this.#lastDevice >= phase.since + 0.8 * this.#roundTrip;
    if (!answered && waited < ECHO_BOUND + 2 * this.#roundTrip) return false;
    if (!this.#isQuiet(phase.since, true) && waited < SETTLE_BOUND + 2 * this.#roundTrip) return false;
    const line = this.#read();
    const agree = agreed(line, this.#keys.state);
    if (agree === undefined) this.#keys.forget('redrawn');
    const reading = fuse({
      screen: line,
      redrawn: undefined,
      keys: this.#keys.state,
      plain: this.#plain(),
      doubts: [],
    });
    const way = this.#redrawWay(reading);
    if (way !== undefined) {
      this.#startRedraw(phase.held, line, way);
      return true;
    }
    this.#judge(phase.held, this.#doubtful(reading, []));
    return true;
  }

  /** Asking for a redraw is safe only where a line editor reads. */
  #canProbe(): boolean {
    return this.#screen.modes.editorOn || this.#reader === 'prompt';
  }

  /** Which redraw would tell more about this reading, if any. */
  #redrawWay(reading: Reading): 'rows' | 'columns' | undefined {
    if (reading.confidence >= CERTAIN) return undefined;
    const scrolled =
      reading.doubts.includes('scrolled') || reading.doubts.includes('prompt-lost') || reading.how === 'keys';
    if (this.#redrawn.rows.worthTrying && !(scrolled && !this.#screen.modes.everEditor)) return 'rows';
    return this.#mayWiden() ? 'columns' : undefined;
  }

  /** Editors that announce themselves wrap long lines; only the others scroll sideways. */
  #mayWiden(): boolean {
    return this.#redrawn.columns.worthTrying && !this.#screen.modes.everEditor;
  }

  /** zsh takes back the slash or blank that a completion added when the next key submits. */
  #suffixMayGo(): boolean {
    const state = this.#keys.state;
    return (
      this.#dialect === 'zsh' &&
      !this.#viKeys &&
      !this.#suffixSettled &&
      state.kind === 'unknown' &&
      state.because === 'completion'
    );
  }

  #startRedraw(held: Held, passive: LineOnScreen, way: 'rows' | 'columns'): void {
    const columns = way === 'columns' ? WIDE : this.#columns;
    // Some editors fill the last column as well: the drawing needs room behind it.
    const fresh = new LazyScreen(way === 'columns' ? WIDE + 50 : columns, this.#rows, 50);
    const { row, column } = this.#screen.cursor;
    fresh.write(Buffer.from(`\x1b[${row - this.#screen.top + 1};${column + 1}H`));
    const rows = way === 'rows' ? this.#rows + 1 : this.#rows;
    this.#actions.push({ kind: 'resizeDevice', columns, rows });
    this.#phase = {
      kind: 'redraw',
      held,
      step: 'grow',
      way,
      since: this.#now,
      fresh,
      passive,
      answered: false,
    };
  }

  #redraw(phase: Extract<Phase, { kind: 'redraw' }>): boolean {
    const waited = this.#now - phase.since;
    const silent = this.#now - this.#lastDevice;
    const patience = 1.6 * this.#roundTrip + (phase.step === 'grow' ? 40 : 60);
    const done = phase.answered
      ? silent >= Math.max(15, 0.4 * this.#roundTrip) && waited >= this.#roundTrip
      : waited >= patience;
    if (!done && waited < SETTLE_BOUND) return false;
    if (phase.step === 'grow') {
      this.#actions.push({ kind: 'resizeDevice', columns: this.#columns, rows: this.#rows });
      this.#phase = { ...phase, step: 'shrink', since: this.#now, answered: false };
      return true;
    }
    const redrawn = this.#readFresh(phase.fresh);
    phase.fresh[Symbol.dispose]();
    this.#redrawn[phase.way].note(redrawn !== undefined);
    const line = this.#read();
    const reading = fuse({
      // The screen may have changed under the first reading.
      screen: redrawn === undefined ? line : phase.passive,
      redrawn,
      keys: this.#keys.state,
      plain: this.#plain(),
      doubts: redrawn === undefined && this.#redrawn[phase.way].worthTrying ? ['not-redrawn'] : [],
    });
    if (phase.way === 'rows' && redrawn === undefined && reading.confidence < CERTAIN && this.#mayWiden()) {
      this.#startRedraw(phase.held, line, 'columns');
      return true;
    }
    this.#judge(phase.held, this.#doubtful(reading, []));
    return true;
  }

  /** The line as it was drawn on an empty screen; undefined when no prompt was drawn there. */
  #readFresh(fresh: LazyScreen): LineOnScreen | undefined {
    const anchor = this.#anchor;
    if (anchor === undefined || anchor.prompt.trim() === '') return undefined;
    const line = readLine(
      fresh,
      { ...anchor, row: -1 },
      { prompts: this.#prompts.known, lines: this.#rowsInEditor },
    );
    if (line.doubts.includes('prompt-lost') || line.anchor.row < 0) return undefined;
    return line;
  }

  #context(secret: boolean): SubmitContext {
    return {
      reader: this.#reader,
      dialect: this.#dialect,
      alternateScreen: this.#screen.alternate,
      program: this.#fact.foreground ?? this.#program,
      within: this.#contexts.names,
      secret,
      secretBefore: this.#secretBefore,
    };
  }

  /**
   * Whether what was typed never came back from the device: not on the line, and not anywhere else. Editors draw in
   * ways of their own, so for them a trace of it is enough; anything else echoes in one piece or not at all.
   */
  #unseen(line: LineOnScreen, keys: KeysState, echo: EchoWitness, editor: boolean): boolean {
    if (keys.kind !== 'known') return false;
    const typed = keys.texts.filter((text) => text.trim() !== '');
    if (typed.length === 0 || typed.some((text) => visible(line, text))) return false;
    return !typed.some((text) => (editor ? echo.holdsScattered(text) : echo.holds(text)));
  }

  /** fish indents further rows of a buffer on screen only. */
  #withoutIndent(reading: Reading): Reading {
    if (this.#dialect !== 'fish' || reading.how !== 'screen' || !reading.text.includes('\n')) return reading;
    const text = reading.text
      .split('\n')
      .map((row, index) => (index === 0 ? row : row.trim()))
      .join('\n');
    return { ...reading, text, candidates: [text, ...reading.candidates.filter((other) => other !== text)] };
  }

  #judge(held: Held, found: Reading): void {
    const keys = this.#keys.state;
    const seen = this.#withoutIndent(found);
    // More was typed than anything here remembers: what the screen shows is a part of it at best.
    const reading: Reading =
      keys.kind === 'unknown' && keys.because === 'too-long'
        ? { ...seen, confidence: Math.min(seen.confidence, 0.3), doubts: [...seen.doubts, 'scrolled'] }
        : seen;
    const id = this.#nextId++;
    const secret =
      (reading.confidence < CERTAIN || reading.text.trim() === '') &&
      this.#unseen(this.#read(), this.#keys.state, this.#echo, this.#screen.modes.editorOn);
    const judged: Judged = { ...held, id, reading, secret };
    const empty =
      reading.confidence >= CERTAIN &&
      // Only keys tell that there is nothing: what was recalled or completed may be out of sight.
      keys.kind === 'known' &&
      reading.candidates.every((text) => text.trim() === '') &&
      this.#preceding.length === 0;
    const request: VerdictRequest = {
      id,
      what: 'line',
      reading,
      preceding: [...this.#preceding],
      context: this.#context(secret),
      at: this.#now,
      heldFor: this.#now - held.since,
    };
    if (empty) {
      this.#release(judged);
      return;
    }
    this.#phase = { kind: 'judge', judged, until: this.#now + VERDICT_BOUND };
    this.#actions.push({ kind: 'requestVerdict', request });
  }

  #answer(judged: Judged, answer: VerdictAnswer): void {
    switch (answer.kind) {
      case 'release':
        this.#approved(judged);
        return;
      case 'block':
        this.#outcome(judged.id, 'blocked', judged.reading.text);
        this.#notify(answer.notice);
        this.#erase(judged, 'prompt', '');
        return;
      case 'interrupt':
        this.#outcome(judged.id, 'blocked', judged.reading.text);
        this.#notify(answer.notice);
        this.#erase(judged, 'end', answer.notice);
        return;
      case 'wait':
        this.#notify(answer.notice);
        this.#phase = { kind: 'judge', judged, until: Math.max(this.#now, answer.until) };
        return;
      case 'ask':
        this.#below();
        this.#toClient(Buffer.from(`${plain(answer.question)} `));
        this.#phase = { kind: 'ask', judged, since: this.#now, echo: answer.echo, answer: '' };
        return;
    }
  }

  #approved(judged: Judged): void {
    const certain = judged.reading.confidence >= CERTAIN;
    // Nothing but the keys can tell what a program was given without echo.
    const secret =
      judged.secret &&
      judged.reading.doubts.includes('no-echo') &&
      this.#reader === 'program' &&
      !this.#screen.modes.editorOn;
    const replay =
      this.#settings.replay === 'always' || (this.#settings.replay === 'uncertain' && !certain && !secret);
    if (replay && this.#canReplay(judged.reading)) {
      this.#erase(judged, 'replay', '');
      return;
    }
    if (certain || secret || this.#settings.uncertain === 'allow' || this.#freeProgram()) {
      this.#release(judged);
      return;
    }
    this.#refuseUnread(judged);
  }

  #refuseUnread(judged: Judged): void {
    this.#outcome(judged.id, 'unverifiable', judged.reading.text);
    this.#notify(
      'This line could not be read with certainty, so it was not run. Please type it again in full.',
    );
    this.#erase(judged, 'prompt', '');
  }

  /** A full-screen program that the user was allowed to start reads keys, not command lines. */
  #freeProgram(): boolean {
    return this.#reader === 'program' && this.#screen.alternate && FULL_SCREEN.test(this.#program ?? '');
  }

  #canReplay(reading: Reading): boolean {
    const text = reading.text;
    if (reading.doubts.includes('history-expansion')) return false;
    if (this.#reader !== 'prompt' || text.trim() === '') return false;
    if (this.#preceding.length > 0 && this.#samePrompts === 0) return false;
    if (/[\x00-\x09\x0b-\x1f\x7f]/.test(text)) return false;
    if (text.includes('\n') && !this.#screen.modes.editorOn) return false;
    return true;
  }

  #release(judged: Judged): void {
    this.#outcome(judged.id, 'released', judged.reading.text);
    this.#letGo(judged, judged.token.bytes, 'user');
  }

  #letGo(judged: Judged, bytes: Buffer, origin: 'user' | 'gate'): void {
    if (this.#anchor?.verified === true && judged.reading.confidence >= CERTAIN) {
      this.#prompts.learn(this.#anchor.prompt);
    }
    const text = judged.reading.text;
    if (text.trim() !== '' || this.#preceding.length > 0) {
      this.#preceding.push(text);
      if (judged.secret) this.#secretBefore = true;
      if (this.#preceding.length === 1) {
        this.#firstPrompt = this.#anchor?.prompt;
        this.#samePrompts = 0;
      }
      if (
        this.#dialect === 'fish' ||
        this.#preceding.length > MAXIMUM_PRECEDING ||
        !isUnfinished(this.#preceding.join('\n'))
      ) {
        if (!this.#secretBefore && (this.#reader === 'prompt' || this.#screen.modes.editorOn)) {
          this.#program = this.#preceding.join('\n').slice(0, 1000);
          this.#contexts.released(this.#program, this.#anchor?.prompt ?? '');
        }
        this.#finished();
      }
    }
    this.#mayLeave = true;
    this.#prefilled = judged.keyClass === 'submit-and-next';
    this.#kept =
      // Others say so when they stop reading, and a multiplexer in between may leave that out.
      (this.#dialect === 'fish' || (this.#dialect === 'zsh' && judged.token.kind === 'meta')) &&
      this.#screen.modes.editorOn &&
      judged.keyClass === 'submit'
        ? { keys: this.#keys, anchor: this.#anchor, text, row: this.#screen.cursor.row }
        : undefined;
    this.#toDevice(bytes, origin);
    this.#keys = new KeysModel();
    this.#newLine();
    this.#reader = 'program';
    this.#lastKey = this.#now;
    this.#phase = { kind: 'after', since: this.#now, editorBack: false };
  }

  // ── after a release ──────────────────────────────────────────────────────────────────────────────────────────

  #waiting(phase: Extract<Phase, { kind: 'after' }>): boolean {
    if (this.#resume(phase)) return true;
    const pasting = this.#queue[0]?.kind === 'paste-start' && this.#tokenizer.pasting;
    const ready = this.#promptReady(phase.since, phase.editorBack);
    const bound = this.#now - phase.since >= PROMPT_BOUND + 2 * this.#roundTrip;
    if (ready) {
      this.#reader = 'prompt';
      if (phase.editorBack) this.#mayLeave = false;
      this.#notePrompt();
      if (!this.#lineUsedKeys) this.#anchor = this.#anchorHere(true);
      if (this.#prefilled) this.#keys.forget('history');
    } else if (!bound) return false;
    if (pasting && !(this.#now - phase.since >= 10_000)) {
      return false;
    }
    this.#phase = { kind: 'open' };
    return true;
  }

  /** When the first prompt keeps coming back, the command was finished whatever its text looks like. */
  #notePrompt(): void {
    const at = this.#screen.cursor;
    this.#contexts.promptSeen(textOf(this.#screen.row(at.row)?.cells ?? [], 0, at.column));
    if (this.#preceding.length === 0 || this.#firstPrompt === undefined) return;
    const { row, column } = this.#screen.cursor;
    if (textOf(this.#screen.row(row)?.cells ?? [], 0, column) !== this.#firstPrompt) return;
    this.#samePrompts += 1;
    if (this.#samePrompts >= 2) this.#finished();
  }

  /** The editor took the submit key as a new row of the same buffer: the line goes on. */
  #resume(phase: Extract<Phase, { kind: 'after' }>): boolean {
    const kept = this.#kept;
    if (kept === undefined || phase.editorBack || !this.#screen.modes.editorOn) return false;
    const silent = this.#now - this.#lastDevice;
    const waited = this.#now - phase.since;
    if (waited < Math.max(150, 1.6 * this.#roundTrip + 90) || silent < 30 || this.#lastDevice < phase.since)
      return false;
    this.#kept = undefined;
    this.#keys = kept.keys;
    this.#keys.insert('\n');
    this.#anchor = kept.anchor;
    this.#rowsInEditor = true;
    this.#lineUsedKeys = true;
    this.#resumed = true;
    this.#reader = 'prompt';
    // The whole buffer is read again at the next submit key.
    if (this.#preceding[this.#preceding.length - 1] === kept.text) this.#preceding.pop();
    this.#phase = { kind: 'open' };
    return true;
  }

  #promptReady(since: number, editorBack: boolean): boolean {
    const silent = this.#now - this.#lastDevice;
    const waited = this.#now - since;
    // Looking at the screen draws it: not while output streams.
    if (this.#lastDevice < since || silent < 6) return false;
    const at = this.#prompts.atCursor(this.#screen);
    if (editorBack) return silent >= (at === 'known' ? 6 : 25);
    // A full-screen program draws all sorts of things: only a prompt that is known says that it has gone.
    if (this.#screen.alternate && FULL_SCREEN.test(this.#program ?? ''))
      return at === 'known' && silent >= 60;
    if (this.#dialect === 'zsh' || this.#dialect === 'fish') {
      // These editors always announce themselves; a prompt without that is a program's.
      return at === 'known' && silent >= 250 && waited >= this.#roundTrip;
    }
    if (this.#screen.modes.everEditor) return at === 'known' && silent >= 60 && waited >= this.#roundTrip;
    if (waited < 0.8 * this.#roundTrip) return false;
    if (at === 'known') return silent >= 12;
    if (at === 'alike') return silent >= 80;
    // What came so far may still be the echo of what was typed before.
    if (waited < 1.4 * this.#roundTrip + ANCHOR_SILENCE) return false;
    return this.#prompts.known.length === 0 && silent >= ANCHOR_SILENCE && this.#screen.cursor.column > 0;
  }

  // ── taking a line back, typing it anew ───────────────────────────────────────────────────────────────────────

  #erase(judged: Judged | undefined, then: 'prompt' | 'replay' | 'end', notice: string): void {
    if (this.#freeProgram() && then === 'prompt') {
      // Nothing was submitted. The program gives up what stands in its own command line, as a person would make it.
      this.#toDevice(INTERRUPT, 'gate');
      this.#newLine();
      this.#phase = { kind: 'open' };
      return;
    }
    this.#mayLeave = true;
    this.#kept = undefined;
    this.#toDevice(this.#settings.erase === 'interrupt' ? INTERRUPT : KILL_LINE, 'gate');
    this.#finished();
    this.#keys.reset();
    this.#prefilled = false;
    this.#lineUsedKeys = false;
    this.#phase = { kind: 'erase', since: this.#now, then, judged, notice, editorBack: false };
  }

  #erasing(phase: Extract<Phase, { kind: 'erase' }>): boolean {
    const clean = this.#cleanPrompt(phase);
    const late = this.#now - phase.since >= ERASE_BOUND + 2 * this.#roundTrip;
    if (!clean && !late) return false;
    if (phase.then === 'end') {
      this.#end('SP_GATE_INTERRUPTED', phase.notice);
      return true;
    }
    if (!clean) {
      this.#alarm('SP_GATE_ERASE_UNVERIFIED', 'no clean prompt was seen after the line was taken back');
      if (phase.judged !== undefined && phase.then === 'replay') {
        this.#outcome(phase.judged.id, 'unverifiable', phase.judged.reading.text);
      }
      this.#end(
        'SP_GATE_ERASE_UNVERIFIED',
        'The refused line could not be taken back safely, so this terminal is closed.',
      );
      return true;
    }
    this.#newLine();
    this.#reader = 'prompt';
    this.#anchor = this.#anchorHere(true);
    if (phase.then === 'prompt' || phase.judged === undefined) {
      this.#phase = { kind: 'open' };
      return true;
    }
    const text = phase.judged.reading.text;
    if (this.#screen.modes.editorOn) {
      this.#toDevice(Buffer.concat([PASTE_START, Buffer.from(text), PASTE_END]), 'gate');
    } else this.#toDevice(Buffer.from(text), 'gate');
    this.#keys.insert(text);
    this.#rowsInEditor = text.includes('\n');
    this.#lastKey = this.#now;
    this.#phase = { kind: 'retype', judged: phase.judged, since: this.#now };
    return true;
  }

  #cleanPrompt(phase: Extract<Phase, { kind: 'erase' }>): boolean {
    const silent = this.#now - this.#lastDevice;
    if (this.#lastDevice < phase.since || this.#now - phase.since < 0.8 * this.#roundTrip) return false;
    if (silent < 8) return false;
    if (this.#settings.erase === 'kill-line') {
      return silent >= 40 && this.#read().text.trim() === '';
    }
    const at = this.#prompts.atCursor(this.#screen);
    if (phase.editorBack) return silent >= (at === 'known' ? 10 : 30);
    if (at === 'known') return silent >= 30;
    if (at === 'alike') return silent >= 120;
    // A prompt that is not known yet: the same text as before the line, on a new row.
    return silent >= 150 && this.#anchor !== undefined && this.#sameAsAnchor();
  }

  #sameAsAnchor(): boolean {
    const { row, column } = this.#screen.cursor;
    const left = textOf(this.#screen.row(row)?.cells ?? [], 0, column);
    const prompt = this.#anchor?.prompt ?? '';
    return prompt.trim() !== '' && left.endsWith(prompt.slice(-8));
  }

  #retyping(phase: Extract<Phase, { kind: 'retype' }>): boolean {
    const line = this.#read();
    const text = phase.judged.reading.text;
    const silent = this.#now - this.#lastDevice;
    const shown =
      shows(line.text, text) &&
      line.doubts.every((doubt) => doubt !== 'prompt-lost' && doubt !== 'cursor-outside');
    if (shown && silent >= 4) {
      this.#outcome(phase.judged.id, 'replayed', text);
      this.#letGo({ ...phase.judged, keyClass: 'submit' }, RETURN, 'gate');
      return true;
    }
    if (this.#now - phase.since < SETTLE_BOUND + 2 * this.#roundTrip) return false;
    this.#refuseUnread(phase.judged);
    return true;
  }

  // ── asking the user ──────────────────────────────────────────────────────────────────────────────────────────

  #asking(phase: Extract<Phase, { kind: 'ask' }>): boolean {
    if (this.#now - phase.since >= ASK_BOUND) {
      this.#actions.push({ kind: 'answered', id: phase.judged.id, answer: undefined });
      this.#answer(phase.judged, {
        kind: 'block',
        notice: 'No answer came in time; the command was not run.',
      });
      return true;
    }
    const token = this.#queue[0];
    if (token === undefined) return false;
    this.#drop(1);
    switch (token.kind) {
      case 'text':
        if (phase.answer.length < 1024) {
          phase.answer += token.text;
          if (phase.echo) this.#toClient(Buffer.from(token.text));
        }
        return true;
      case 'control':
        if (token.code === 0x0d || token.code === 0x0a) {
          this.#toClient(Buffer.from('\r\n'));
          this.#actions.push({ kind: 'answered', id: phase.judged.id, answer: phase.answer });
          this.#phase = { kind: 'judge', judged: phase.judged, until: this.#now + VERDICT_BOUND };
        } else if (token.code === 0x03 || token.code === 0x04) {
          this.#toClient(Buffer.from('\r\n'));
          this.#actions.push({ kind: 'answered', id: phase.judged.id, answer: undefined });
          this.#outcome(phase.judged.id, 'cancelled', phase.judged.reading.text);
          this.#erase(phase.judged, 'prompt', '');
        } else if ((token.code === 0x7f || token.code === 0x08) && phase.answer !== '') {
          phase.answer = phase.answer.slice(0, -1);
          if (phase.echo) this.#toClient(Buffer.from('\b \b'));
        }
        return true;
      case 'meta':
      case 'key':
      case 'paste-start':
      case 'paste-text':
      case 'paste-end':
      case 'mouse':
      case 'focus':
      case 'report':
      case 'escape':
      case 'unknown':
      case 'invalid':
        return true;
    }
  }

  // ── the device's output ──────────────────────────────────────────────────────────────────────────────────────

  #draw(bytes: Buffer): void {
    let data = bytes;
    // In observe mode a line is read at the moment when the editor leaves it: everything typed has been echoed then.
    while (this.#observed.length > 0) {
      const feed = data.indexOf(0x0a);
      if (feed === -1) break;
      // The carriage returns before it would take the cursor out of the line.
      let end = feed;
      while (end > 0 && data[end - 1] === 0x0d) end -= 1;
      this.#write(data.subarray(0, end));
      this.#lineLeft('feed');
      this.#write(data.subarray(end, feed + 1));
      data = data.subarray(feed + 1);
    }
    this.#write(data);
  }

  #write(data: Buffer): void {
    if (data.length === 0) return;
    const phase = this.#phase;
    if (phase.kind === 'redraw') {
      phase.answered = true;
      if (phase.way === 'rows') phase.fresh.write(data);
      else if (phase.step === 'grow') {
        // Drawn for a window that the user does not have: only the gate sees it.
        phase.fresh.write(data);
        return;
      }
    }
    this.#screen.write(data, (event) => this.#event(event));
  }

  #event(event: OutputEvent): void {
    const phase = this.#phase;
    switch (event.kind) {
      case 'editor-on':
        if (this.#dialect === 'unknown') this.#dialect = 'readline';
        // Editors switch bracketed paste on for themselves; when one has gone, the known prompt tells.
        if (this.#screen.alternate && FULL_SCREEN.test(this.#program ?? '')) return;
        if (phase.kind === 'after' || phase.kind === 'erase') phase.editorBack = true;
        else if (phase.kind === 'open') this.#editorReturned();
        return;
      case 'editor-off':
        this.#kept = undefined;
        if (this.#resumed && phase.kind === 'open') {
          // It was only slow: the line that was let go ends now.
          this.#resumed = false;
          this.#newLine();
          this.#reader = 'program';
          this.#phase = { kind: 'after', since: this.#now, editorBack: false };
          return;
        }
        this.#lineLeft('off');
        if (
          !this.#mayLeave &&
          this.#settings.mode === 'enforce' &&
          (phase.kind === 'open' || phase.kind === 'settle')
        ) {
          this.#alarm(
            'SP_GATE_EDITOR_LEFT',
            'the line editor stopped reading although nothing approved was submitted',
          );
        }
        return;
      case 'alternate-on':
      case 'alternate-off':
      case 'mark':
      case 'other':
        return;
    }
  }

  /** A line editor came up while input flowed: what was running has ended. */
  #editorReturned(): void {
    this.#leftUnnoticed();
    this.#mayLeave = false;
    this.#reader = 'prompt';
    this.#leftBy = undefined;
    if (!this.#keys.touched) {
      this.#anchor = undefined;
      this.#lineUsedKeys = false;
    } else this.#editorCameBack = true;
  }

  /** In observe mode: a line feed, or an editor that stops reading, is when a submitted line leaves. */
  #lineLeft(by: 'feed' | 'off'): void {
    if (this.#leftBy !== undefined && this.#leftBy !== by) {
      this.#leftBy = undefined;
      return;
    }
    if (this.#observed.length === 0) return;
    const line = this.#read();
    for (;;) {
      const [observed] = this.#observed;
      if (observed === undefined) return;
      const { state } = observed.keys;
      const shown = state.kind === 'known' && state.texts.some((text) => visible(line, text));
      // So early it cannot be the answer to the submit key.
      if (!shown && this.#now - observed.at < 0.8 * this.#roundTrip) return;
      const editor = by === 'off' || this.#screen.modes.editorOn;
      this.#observed.shift();
      const unseen = this.#unseen(line, state, observed.echo, editor && observed.editor);
      this.#readObserved(observed, line, unseen);
      // What was not echoed went to a program without a trace: this may be the end of the next line.
      const next = unseen ? this.#observed[0]?.keys.state : undefined;
      const goesOn =
        next?.kind === 'known' ? next.texts.some((text) => text.trim() !== '' && visible(line, text)) : false;
      if (!goesOn) {
        if (editor && !unseen) this.#leftBy = by;
        return;
      }
    }
  }

  /** An editor that reads again has ended each line that was submitted to it, whether or not its end was recognised. */
  #leftUnnoticed(): void {
    for (;;) {
      const [observed] = this.#observed;
      if (observed === undefined || !observed.editor || observed.keys.state.kind !== 'known') return;
      const line = this.#read();
      this.#observed.shift();
      this.#readObserved(observed, line, this.#unseen(line, observed.keys.state, observed.echo, true));
    }
  }

  #observedBound(): number {
    return 400 + 2 * this.#roundTrip;
  }

  /** An editor reads again, and a line submitted before was neither shown nor ended: a program took it silently. */
  #forgottenByProgram(): void {
    while (this.#reader === 'prompt') {
      const [observed] = this.#observed;
      if (observed === undefined || this.#now - observed.at < this.#observedBound()) return;
      const line = this.#read();
      const { state } = observed.keys;
      if (state.kind !== 'known' || !this.#unseen(line, state, observed.echo, false)) return;
      this.#observed.shift();
      this.#readObserved(observed, line, true);
    }
  }

  #readObserved(observed: Observed, line: LineOnScreen, secret: boolean): void {
    const { state } = observed.keys;
    const fused = fuse({
      screen: line,
      redrawn: undefined,
      keys: state,
      plain: this.#plain(),
      doubts: secret ? ['no-echo'] : [],
    });
    const nothing = fused.candidates.every((text) => text.trim() === '');
    const typed =
      (secret || nothing) && state.kind === 'known'
        ? state.texts.find((text) => text.trim() !== '')
        : undefined;
    // What the keys know of is never passed over for what the screen has lost.
    const reading: Reading =
      typed === undefined
        ? fused
        : {
            ...fused,
            text: typed,
            candidates: nothing ? [typed] : fused.candidates,
            how: 'keys',
            confidence: Math.min(fused.confidence, 0.4),
          };
    if (this.#anchor?.verified === true && reading.confidence >= CERTAIN)
      this.#prompts.learn(this.#anchor.prompt);
    if (!secret || !this.#keys.touched) {
      this.#anchor = undefined;
      this.#lineUsedKeys = this.#observed.length > 0;
    }
    if (reading.candidates.every((text) => text.trim() === '')) return;
    this.#actions.push({
      kind: 'observed',
      request: {
        id: this.#nextId++,
        what: 'line',
        reading: this.#doubtful(reading, []),
        preceding: [],
        context: { ...this.#context(secret), reader: observed.reader },
        at: observed.at,
        heldFor: 0,
      },
    });
  }

  /** Editors give themselves away by how they draw; it only decides which keys expand history. */
  #noticeDialect(bytes: Buffer): void {
    if (bytes.length > 4096) return;
    if (bytes.includes('\x1b[27m\x1b[24m')) this.#dialect = 'zsh';
    else if (bytes.includes('\u23ce') && bytes.includes('\x1b[K')) this.#dialect = 'fish';
  }

  // ── outlets ──────────────────────────────────────────────────────────────────────────────────────────────────

  #toDevice(bytes: Buffer, origin: 'user' | 'gate'): void {
    const last = this.#actions[this.#actions.length - 1];
    if (last?.kind === 'toDevice' && last.origin === origin) {
      this.#actions[this.#actions.length - 1] = {
        kind: 'toDevice',
        bytes: Buffer.concat([last.bytes, bytes]),
        origin,
      };
      return;
    }
    this.#actions.push({ kind: 'toDevice', bytes, origin });
  }

  /** What the gate itself shows the user also stands on its model of the screen. */
  #toClient(bytes: Buffer): void {
    this.#actions.push({ kind: 'toClient', bytes, origin: 'gate' });
    this.#screen.write(bytes);
  }

  /** Moves the user's cursor below the whole line, so that nothing is written over it. */
  #below(): void {
    const cursor = this.#screen.cursor;
    let row = cursor.row;
    while (row - cursor.row < 50) {
      const next = this.#screen.row(row + 1);
      if (next === undefined || writtenEnd(next.cells) === 0) break;
      row += 1;
    }
    this.#toClient(Buffer.from('\r\n'.repeat(row - cursor.row + 1)));
  }

  #notify(notice: string): void {
    if (notice === '') return;
    this.#below();
    const lines = notice.split('\n').map((line) => plain(line));
    this.#toClient(Buffer.from(`${lines.join('\r\n')}\r\n`));
  }

  #outcome(id: number, outcome: Outcome, text: string): void {
    this.#actions.push({ kind: 'outcome', id, outcome, text });
  }

  #alarm(alarm: GateAlarm, detail: string): void {
    this.#actions.push({ kind: 'alarm', alarm, detail });
  }

  #end(code: string, tell: string): void {
    this.#queue = [];
    this.#keptBytes = 0;
    this.#phase = { kind: 'ended' };
    this.#actions.push({ kind: 'endChannel', code, tell });
  }
}

/** Programs that take the whole screen and read keys; known by the approved command, never by their output. */
const FULL_SCREEN =
  /^\s*(?:sudo\s+(?:-\S+\s+)*)?(?:\S*\/)?(?:vi|vim|nvim|view|vimdiff|nano|pico|emacs|mcedit|less|more|most|man|top|htop|btop|mc|lynx|w3m|mutt|tig|watch|journalctl|systemctl|git)(?:\s|$)/;

/** Notices come from rules: nothing in them may act on a terminal. */
function plain(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ');
}

/** Without the marks that bracket a paste. Where taking them out makes new ones, somebody has built it so: no ESC stays. */
function withoutMarks(content: Buffer): Buffer {
  const marks = /\x1b\[20[01]~/g;
  const text = content.toString('latin1').replace(marks, '');
  return Buffer.from(text.search(marks) === -1 ? text : text.replaceAll('\x1b', ''), 'latin1');
}
