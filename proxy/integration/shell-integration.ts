// The shell's own report of its line, on one terminal: gets it installed at the first prompt without the user seeing any
// of it, hands out the keys that ask, and recognises answers by a challenge that nobody could know. A pure state machine;
// bytes and the clock go in, actions come out. It decides nothing about commands: a report is a text to be compared.
import { timingSafeEqual } from 'node:crypto';
import { decoded, ReportStream } from './report-stream.ts';
import {
  allowKeys,
  askKeys,
  CHALLENGE_DIGITS,
  dropKeys,
  greetingKeys,
  type IntegratedShell,
  installationKeys,
  REPORT_NUMBER,
} from './shell-scripts.ts';

export interface ShellReport {
  readonly text: string;
  /** Aliases that words of the line stand for, as the shell has them now. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly keys: {
    /** To be sent right before the submit key: the shell drops its line if it is not the reported one any more. */
    readonly allow: Buffer;
    /** Makes the shell drop its line, where ^C will not do. */
    readonly drop: Buffer | undefined;
  };
}

export type IntegrationAction =
  /** Output of the device for the user and the screen. */
  | { readonly kind: 'output'; readonly bytes: Buffer }
  /** Keys of the user that had to wait. */
  | { readonly kind: 'input'; readonly bytes: Buffer }
  | { readonly kind: 'toDevice'; readonly bytes: Buffer }
  /** The shell's editor reads, and these keys make it report its line. Holds until the next `ready`. */
  | { readonly kind: 'ready'; readonly ask: Buffer }
  | { readonly kind: 'report'; readonly report: ShellReport }
  /** The line changed between verdict and submit key; the shell has dropped it. */
  | { readonly kind: 'changed' }
  /** Something that knows this channel's token, but not the challenge, has spoken like the shell. */
  | { readonly kind: 'forged' }
  | { readonly kind: 'installed'; readonly shell: IntegratedShell }
  | { readonly kind: 'unavailable'; readonly because: string };

export interface IntegrationStart {
  readonly now: number;
  /** Milliseconds to the device and back. */
  readonly roundTrip: number;
  /** Unguessable hexadecimal text of this many digits. */
  readonly secret: (digits: number) => string;
}

type Phase =
  /** No line editor has been seen at a prompt where nothing is typed. */
  | { readonly kind: 'waiting' }
  /** A line editor reads; its prompt is kept back until it is complete. */
  | { readonly kind: 'prompt' }
  | {
      readonly kind: 'greeting';
      readonly shell: IntegratedShell;
      readonly greeting: string;
      readonly since: number;
    }
  | { readonly kind: 'installing'; readonly shell: IntegratedShell; readonly since: number }
  /** What was typed is taken back: one ^C ends what reads the script, another one gives up the line. */
  | { readonly kind: 'recovering'; readonly since: number; readonly interrupts: 1 | 2 }
  | { readonly kind: 'installed'; readonly shell: IntegratedShell }
  | { readonly kind: 'unavailable' };

const EDITOR_ON = '\x1b[?2004h';
const EDITOR_OFF = '\x1b[?2004l';
const INTERRUPT = Buffer.from('\x03');
/** Silence after which a prompt is taken for complete. Milliseconds. */
const PROMPT_SILENCE = 40;
/** For each step of the installation, with two round trips. Milliseconds. */
const STEP_BOUND = 5_000;
const RECOVERY_SILENCE = 80;
const MOST_WITHHELD = 262_144;
const TOKEN_DIGITS = 24;
/** Output in front of the first prompt that may tell which shell it is. */
const MOST_TELLING = 4_096;
/** Control strings of the token's owner that may be wrong before nothing is listened to any more. */
const MOST_FORGED = 100;
const MOST_PAST = 8;

export class ShellIntegration {
  readonly #secret: IntegrationStart['secret'];
  readonly #token: string;
  readonly #stream: ReportStream;
  readonly #roundTrip: number;
  #phase: Phase = { kind: 'waiting' };
  #now: number;
  #lastOutput: number;
  /** The last output, to tell the shell by. */
  #telling = '';
  /** Everything from the line editor's first sign of life on: shown when nothing comes of it. */
  #withheld: Buffer[] = [];
  /** How much of it is the prompt, and not what our own keys have caused. */
  #promptParts = 0;
  /** The end of what our own keys have caused. */
  #dropped = '';
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Something of the user's is, or may be, on the line. */
  #typed = false;
  #untried: IntegratedShell[] = [];
  #challenge = '';
  /** Challenges that were replaced before they were answered: an answer that comes late is no forgery. */
  #past: string[] = [];
  #forged = 0;
  #actions: IntegrationAction[] = [];

  constructor({ now, roundTrip, secret }: IntegrationStart) {
    this.#now = now;
    this.#lastOutput = now;
    this.#roundTrip = Math.max(0, roundTrip);
    this.#secret = secret;
    this.#token = secret(TOKEN_DIGITS);
    this.#stream = new ReportStream(this.#token);
  }

  /** Bytes of the user that wait here. */
  get keptBytes(): number {
    return this.#heldBytes;
  }

  get state(): Phase['kind'] {
    return this.#phase.kind;
  }

  /** When `timer` is to be called, if at all. */
  wakeAt(): number | undefined {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'prompt':
        return this.#lastOutput + this.#promptSilence;
      case 'greeting':
      case 'installing':
        return phase.since + this.#stepBound;
      case 'recovering':
        return Math.min(this.#lastOutput + RECOVERY_SILENCE + this.#roundTrip, phase.since + this.#stepBound);
      case 'waiting':
      case 'installed':
      case 'unavailable':
        return undefined;
    }
  }

  fromDevice(bytes: Buffer, now: number): IntegrationAction[] {
    this.#now = now;
    this.#lastOutput = now;
    switch (this.#phase.kind) {
      case 'waiting':
        this.#watch(bytes);
        break;
      case 'prompt':
        this.#withhold(bytes);
        break;
      case 'greeting':
        this.#drop(bytes);
        this.#keep(bytes);
        if (this.#phase.kind === 'greeting') this.#greeted(this.#phase);
        break;
      case 'installing':
        this.#listen(bytes, this.#phase);
        break;
      case 'recovering':
        this.#keep(bytes);
        break;
      case 'installed':
        for (const piece of this.#stream.push(bytes)) {
          if (piece.kind === 'output') this.#actions.push(piece);
          else this.#said(piece.fields, this.#phase.shell);
        }
        break;
      case 'unavailable':
        this.#actions.push({ kind: 'output', bytes });
        break;
    }
    return this.#take();
  }

  fromClient(bytes: Buffer, now: number): IntegrationAction[] {
    this.#now = now;
    switch (this.#phase.kind) {
      case 'waiting':
        this.#typed = !/[\r\n]$/.test(bytes.toString('latin1'));
        this.#actions.push({ kind: 'input', bytes });
        break;
      case 'installed':
      case 'unavailable':
        this.#actions.push({ kind: 'input', bytes });
        break;
      case 'prompt':
      case 'greeting':
      case 'installing':
      case 'recovering':
        this.#held.push(bytes);
        this.#heldBytes += bytes.length;
        break;
    }
    return this.#take();
  }

  timer(now: number): IntegrationAction[] {
    this.#now = now;
    const at = this.wakeAt();
    if (at === undefined || now < at) return this.#take();
    switch (this.#phase.kind) {
      case 'prompt':
        this.#untried = this.#likely();
        this.#promptParts = this.#withheld.length;
        this.#greet();
        break;
      case 'greeting':
      case 'installing':
        this.#interrupt(1);
        break;
      case 'recovering':
        if (this.#phase.interrupts === 1) this.#interrupt(2);
        else if (this.#untried.length > 0) this.#greet();
        else this.#giveUp('no shell that can report its line has answered');
        break;
      case 'waiting':
      case 'installed':
      case 'unavailable':
        break;
    }
    return this.#take();
  }

  /** The shell does not answer any more, or the terminal ends: what is kept back comes out, and nothing is asked. */
  stop(now: number): IntegrationAction[] {
    this.#now = now;
    this.#phase = { kind: 'unavailable' };
    this.#show();
    this.#letGo();
    return this.#take();
  }

  /** Output of the device that waits here. */
  get withheldBytes(): number {
    return this.#withheld.reduce((sum, part) => sum + part.length, 0);
  }

  get #promptSilence(): number {
    return PROMPT_SILENCE + 0.5 * this.#roundTrip;
  }

  get #stepBound(): number {
    return STEP_BOUND + 2 * this.#roundTrip;
  }

  #take(): IntegrationAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  // ---- installing

  #watch(bytes: Buffer): void {
    const text = bytes.toString('latin1');
    const at = text.lastIndexOf(EDITOR_ON);
    this.#telling = `${this.#telling}${text}`.slice(-MOST_TELLING);
    // An editor that reads while something of the user's is on its way is left alone until the next prompt.
    if (at === -1 || text.indexOf(EDITOR_OFF, at) !== -1 || this.#typed) {
      this.#actions.push({ kind: 'output', bytes });
      return;
    }
    if (at > 0) this.#actions.push({ kind: 'output', bytes: bytes.subarray(0, at) });
    this.#phase = { kind: 'prompt' };
    this.#withheld = [bytes.subarray(at)];
  }

  #withhold(bytes: Buffer): void {
    this.#withheld.push(bytes);
    const text = bytes.toString('latin1');
    this.#telling = `${this.#telling}${text}`.slice(-MOST_TELLING);
    // It was no prompt: something goes on by itself.
    if (text.includes(EDITOR_OFF) || this.withheldBytes > MOST_WITHHELD) {
      this.#phase = { kind: 'waiting' };
      this.#show();
    }
  }

  /** The shells that draw their prompts like this, the likeliest first. */
  #likely(): IntegratedShell[] {
    if (this.#telling.includes('\x1b[27m\x1b[24m')) return ['zsh'];
    const marks = ['\x1b[30m\x1b(B\x1b[m', '\xe2\x8f\x8e', '\x1b[=5u'];
    return marks.some((mark) => this.#telling.includes(mark)) ? ['fish'] : ['bash', 'fish'];
  }

  #greet(): void {
    const shell = this.#untried.shift();
    if (shell === undefined) return;
    const greeting = this.#secret(TOKEN_DIGITS);
    this.#dropped = '';
    this.#phase = { kind: 'greeting', shell, greeting, since: this.#now };
    this.#actions.push({ kind: 'toDevice', bytes: greetingKeys(shell, greeting) });
  }

  /** What the device says is shown after all when nothing comes of this: nothing that stands on a line is ever hidden. */
  #keep(bytes: Buffer): void {
    this.#withheld.push(bytes);
    if (this.withheldBytes > MOST_WITHHELD) this.#giveUp('too much output in place of an answer');
  }

  #drop(bytes: Buffer): void {
    this.#dropped = `${this.#dropped}${bytes.toString('latin1')}`.slice(-MOST_TELLING);
  }

  #greeted(phase: Extract<Phase, { kind: 'greeting' }>): void {
    if (!this.#dropped.includes(`\x1b]${REPORT_NUMBER};${phase.greeting};h\x07`)) return;
    this.#phase = { kind: 'installing', shell: phase.shell, since: this.#now };
    this.#actions.push({ kind: 'toDevice', bytes: installationKeys(phase.shell, this.#token) });
  }

  #listen(bytes: Buffer, phase: Extract<Phase, { kind: 'installing' }>): void {
    const { shell } = phase;
    let installed = false;
    this.#withheld.push(bytes);
    for (const piece of this.#stream.push(bytes)) {
      if (installed && piece.kind === 'output') this.#actions.push(piece);
      else if (installed && piece.kind === 'said') this.#said(piece.fields, shell);
      else if (piece.kind === 'output') this.#drop(piece.bytes);
      else if (piece.fields[0] === 'p') {
        installed = true;
        this.#installed(shell);
      }
    }
    if (!installed && this.withheldBytes > MOST_WITHHELD)
      this.#giveUp('too much output in place of an answer');
  }

  #installed(shell: IntegratedShell): void {
    this.#phase = { kind: 'installed', shell };
    this.#actions.push({ kind: 'installed', shell });
    // zsh has kept its prompt; the others draw it again, behind their sign of life or in front of it.
    if (shell === 'zsh') {
      this.#withheld.length = this.#promptParts;
      this.#show();
    } else {
      this.#withheld = [];
      if (this.#dropped.lastIndexOf(EDITOR_ON) > this.#dropped.lastIndexOf(EDITOR_OFF))
        this.#actions.push({ kind: 'output', bytes: Buffer.from(EDITOR_ON) });
    }
    this.#ready(shell);
    this.#letGo();
  }

  #interrupt(interrupts: 1 | 2): void {
    this.#phase = { kind: 'recovering', since: this.#now, interrupts };
    this.#lastOutput = this.#now;
    this.#actions.push({ kind: 'toDevice', bytes: INTERRUPT });
  }

  #giveUp(because: string): void {
    this.#phase = { kind: 'unavailable' };
    this.#actions.push({ kind: 'unavailable', because });
    this.#show();
    this.#letGo();
  }

  #show(): void {
    for (const bytes of this.#withheld) this.#actions.push({ kind: 'output', bytes });
    this.#withheld = [];
  }

  #letGo(): void {
    for (const bytes of this.#held) this.#actions.push({ kind: 'input', bytes });
    this.#held = [];
    this.#heldBytes = 0;
  }

  // ---- what the shell says

  #ready(shell: IntegratedShell): void {
    this.#past = [this.#challenge, ...this.#past].slice(0, MOST_PAST);
    this.#challenge = this.#secret(CHALLENGE_DIGITS);
    this.#actions.push({ kind: 'ready', ask: askKeys(shell, this.#challenge) });
  }

  #said(fields: readonly string[], shell: IntegratedShell): void {
    const [what = '', challenge = ''] = fields;
    if (what === 'p' && fields.length === 1) {
      this.#ready(shell);
      return;
    }
    if (what === 'x' && fields.length === 2) {
      this.#actions.push({ kind: 'changed' });
      return;
    }
    const report = what === 'r' && same(challenge, this.#challenge) ? reportOf(fields, shell) : undefined;
    if (report === undefined && this.#past.includes(challenge)) return;
    if (report === undefined) {
      this.#forged += 1;
      if (this.#forged <= MOST_FORGED) this.#actions.push({ kind: 'forged' });
      return;
    }
    // Each challenge is good for one report.
    this.#ready(shell);
    this.#actions.push({ kind: 'report', report });
  }
}

/** Undefined: it has lost something on its way. */
function reportOf(fields: readonly string[], shell: IntegratedShell): ShellReport | undefined {
  const [, challenge = '', length = '', text = '', ...words] = fields;
  // Shells count characters, or bytes where their locale knows no better.
  if (length !== String(Array.from(text).length) && length !== String(Buffer.byteLength(text)))
    return undefined;
  const aliases = new Map<string, string>();
  for (const word of words) {
    const definition = decoded(word);
    const at = definition.indexOf('=');
    if (at > 0) aliases.set(definition.slice(0, at), definition.slice(at + 1));
  }
  return {
    text: decoded(text),
    aliases,
    keys: { allow: allowKeys(shell, challenge), drop: dropKeys(shell) },
  };
}

function same(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && left.length > 0 && timingSafeEqual(left, right);
}
