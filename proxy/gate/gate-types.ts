// What goes into the gate and what comes out of it. The gate is driven by bytes, facts and a clock, and answers with
// actions that its caller carries out in order; it holds no sockets and starts no timers itself.
import type { Dialect } from '../terminal/keys-model.ts';
import type { Reading } from '../terminal/reading.ts';

export interface GateSettings {
  /** `observe`: nothing is ever held, commands are read when the device accepts them. `enforce`: each submit key is held. */
  readonly mode: 'observe' | 'enforce';
  /** May the gate ask the line editor to redraw, to expand history in place, to end a search? */
  readonly probes: boolean;
  /** When the gate types the approved text itself instead of letting the user's own line run. */
  readonly replay: 'never' | 'uncertain' | 'always';
  /** What becomes of a line that is not certain and cannot be replayed. */
  readonly uncertain: 'allow' | 'refuse';
  /** Keys outside the safe list are dropped: they could run something without a submit key. */
  readonly gateKeys: boolean;
  /** How a line is taken back: `^C`, or `^U` for devices that treat `^C` as something else. */
  readonly erase: 'interrupt' | 'kill-line';
}

export const OBSERVE: GateSettings = {
  mode: 'observe',
  probes: false,
  replay: 'never',
  uncertain: 'allow',
  gateKeys: false,
  erase: 'interrupt',
};

export const ENFORCE: GateSettings = {
  mode: 'enforce',
  probes: true,
  replay: 'uncertain',
  uncertain: 'refuse',
  gateKeys: true,
  erase: 'interrupt',
};

/** What a gate begins with. */
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

/** Where a submitted line goes, as far as the gate can tell. */
export interface SubmitContext {
  /** `prompt`: a line editor or a known prompt reads it. `program`: something that was started reads it. */
  readonly reader: 'prompt' | 'program';
  readonly dialect: Dialect | 'unknown';
  readonly alternateScreen: boolean;
  /** What is running in the foreground: the last command that was let through here, or what a side channel says. */
  readonly program: string | undefined;
  /** Nested shells, remote logins and REPLs that were entered and not left, outermost first. */
  readonly within: readonly string[];
  /** The device did not show what was typed: the text must not be stored. */
  readonly secret: boolean;
  /** Besides, the device asked for a secret, or showed a mask in its place: so it is one in an editor's own command line, too. */
  readonly masked: boolean;
  /** Some of the `preceding` lines, or what candidates begin with, was typed without echo: judged, and must not be stored. */
  readonly secretBefore: boolean;
}

export interface Unproven {
  /** What stands left of the line: a prompt, most likely. */
  readonly left: string;
  /** The verdict `prove` may be given. */
  readonly provable: boolean;
}

export interface VerdictRequest {
  readonly id: number;
  /** `line`: one submitted line. `paste`: text with line ends that is about to be pasted. */
  readonly what: 'line' | 'paste';
  readonly reading: Reading;
  /** Lines of the same unfinished command that were submitted before this one, oldest first. */
  readonly preceding: readonly string[];
  readonly context: SubmitContext;
  /**
   * It was typed while something else than a prompt or a line editor was reading: that may have taken the first keys, and
   * a shell what is left. So every end of it must be allowed.
   */
  readonly anyEnd: boolean;
  /**
   * It was typed at what looks like a prompt. Programs can imitate one, and something may have stood on the line before
   * its first key. So every end of it, and of what stands left of it and it together, must be allowed, unless the line
   * editor is proven to have this line and nothing else.
   */
  readonly unproven: Unproven | undefined;
  readonly at: number;
  /** Milliseconds that the submit key had been held when this was asked. */
  readonly heldFor: number;
}

export type VerdictAnswer =
  | { readonly kind: 'release' }
  /**
   * The line editor is to prove that it has this line; then the verdict is asked for again. `digits`: a few that nobody
   * can guess, no two alike. `beyond`: and that nothing stands before it, which makes terminals ring.
   */
  | { readonly kind: 'prove'; readonly digits: string; readonly beyond: boolean }
  /** The line does not run; `notice` is shown to the user, one or more lines of plain text. */
  | { readonly kind: 'block'; readonly notice: string }
  /** The line does not run and the channel ends. */
  | { readonly kind: 'interrupt'; readonly notice: string }
  /** The line stays held, until `until` on the caller's clock at most; the notice says why. Another verdict must follow. */
  | { readonly kind: 'wait'; readonly notice: string; readonly until: number }
  /** The user is asked; the answer comes back as an `answered` action, and another verdict must follow. */
  | { readonly kind: 'ask'; readonly question: string; readonly echo: boolean };

export type GateAlarm =
  /** The line editor stopped reading although nothing that was approved had been submitted. */
  | 'SP_GATE_EDITOR_LEFT'
  /** After a line was taken back no clean prompt was seen. */
  | 'SP_GATE_ERASE_UNVERIFIED'
  | 'SP_GATE_VERDICT_LATE'
  | 'SP_GATE_INPUT_LIMIT';

export type GateAction =
  | { readonly kind: 'toDevice'; readonly bytes: Buffer; readonly origin: 'user' | 'gate' }
  | { readonly kind: 'toClient'; readonly bytes: Buffer; readonly origin: 'device' | 'gate' }
  | { readonly kind: 'resizeDevice'; readonly columns: number; readonly rows: number }
  /** Must be answered with `verdict`. */
  | { readonly kind: 'requestVerdict'; readonly request: VerdictRequest }
  /** A command was read but is not held: observe mode, and every line that has nothing to judge. */
  | { readonly kind: 'observed'; readonly request: VerdictRequest }
  /** What became of a request: for the log. */
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: Outcome; readonly text: string }
  /** The user's answer to an `ask`; undefined when given up with Ctrl-C or Ctrl-D. */
  | { readonly kind: 'answered'; readonly id: number; readonly answer: string | undefined }
  /** A key was not let through. */
  | { readonly kind: 'refusedKey'; readonly bytes: Buffer; readonly because: string }
  | { readonly kind: 'alarm'; readonly alarm: GateAlarm; readonly detail: string }
  /** Call `timer` at this time (milliseconds on the caller's clock); replaces what was asked before. */
  | { readonly kind: 'timer'; readonly at: number }
  | { readonly kind: 'endChannel'; readonly code: string; readonly tell: string };

export type Outcome = 'released' | 'replayed' | 'blocked' | 'unverifiable' | 'cancelled';

/** Facts from a second channel on the same device, where there is one. Known, not guessed. */
export interface SideFact {
  /** The tty's own echo is on. */
  readonly echo: boolean | undefined;
  /** The program in the foreground of the tty. */
  readonly foreground: string | undefined;
  /** The shell itself is reading. */
  readonly shellReads: boolean | undefined;
}
