// What the gate can be doing, as one union: every phase carries what it needs and nothing else. Types only; which
// phase follows which is decided in the file of that phase.
import type { KeyToken } from '../terminal/keys.ts';
import type { LazyScreen } from '../terminal/lazy-screen.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import type { Reading } from '../terminal/reading.ts';
import type { VerdictRequest } from './gate-types.ts';
import type { KeyClass } from './key-classes.ts';

/** A submit key that waits. */
export interface Held {
  readonly token: KeyToken;
  readonly keyClass: KeyClass;
  readonly since: number;
}

/** A submit key whose line was read. */
export interface Judged extends Held {
  readonly id: number;
  readonly reading: Reading;
  readonly secret: boolean;
  /** What is asked of the judge. */
  readonly request: VerdictRequest;
  /** What stands on the line may have been changed by what was to be a proof: it can't be let go. */
  readonly spoiled?: boolean;
}

export type Phase =
  /** Input flows. */
  | { readonly kind: 'open' }
  /** A submit key waits for the echo of what was typed before it. */
  | SettlePhase
  /** The line editor seems to have stopped reading, and nothing had been submitted. */
  | LeftPhase
  /** The shell was asked to report its line. */
  | ReportPhase
  /** The line editor was asked to redraw its line. */
  | RedrawPhase
  /** The line editor was asked to expand history, to end a search, or to drop a completion's suffix. */
  | ExpandPhase
  | { readonly kind: 'judge'; readonly judged: Judged; readonly until: number }
  /** A paste with line ends waits for its verdict. */
  | PastePhase
  | AskPhase
  /** The line editor is to prove that it has the line. */
  | ProvePhase
  /** The line was taken back; a clean prompt must be seen. */
  | ErasePhase
  /** The approved text was typed by the gate and must be seen. */
  | RetypePhase
  /** Something was let through: what follows waits for the prompt. */
  | AfterPhase
  | { readonly kind: 'ended' };

export interface SettlePhase {
  readonly kind: 'settle';
  readonly held: Held;
  readonly from: number;
}

export interface LeftPhase {
  readonly kind: 'left';
  readonly held: Held | undefined;
  readonly since: number;
  /** A multiplexer is known to have the screen. */
  readonly known: boolean;
  /** The cursor, if it was in the line and nothing has been drawn since. */
  stood: { readonly row: number; readonly column: number } | undefined;
  /** The line as it stood. */
  readonly text: string;
  /** Output since then. */
  between: string;
  editorBack: boolean;
}

export interface ReportPhase {
  readonly kind: 'report';
  readonly held: Held;
  readonly since: number;
}

export interface RedrawPhase {
  readonly kind: 'redraw';
  readonly held: Held;
  readonly step: 'grow' | 'shrink';
  /** `columns`: editors that scroll sideways show everything in a window wide enough. */
  readonly way: 'rows' | 'columns';
  readonly since: number;
  readonly fresh: LazyScreen;
  readonly passive: LineOnScreen;
  /** Output came in the first step. */
  readonly grown: boolean;
  answered: boolean;
  /** More than a line was drawn: the cursor was put to a place of the screen, or all of it cleared. */
  repainted: boolean;
}

export interface ExpandPhase {
  readonly kind: 'expand';
  readonly held: Held;
  readonly since: number;
  readonly what: 'history' | 'search' | 'suffix';
}

export interface PastePhase {
  readonly kind: 'judge-paste';
  readonly id: number;
  /** What is asked of the judge. */
  readonly request: VerdictRequest;
  readonly tokens: readonly KeyToken[];
  readonly since: number;
  /** What was to be a proof may have left something on the line: nothing can be pasted there. */
  readonly spoiled?: boolean;
}

export interface AskPhase {
  readonly kind: 'ask';
  readonly judged: Judged;
  readonly since: number;
  readonly echo: boolean;
  answer: string;
}

export interface ProvePhase {
  readonly kind: 'prove';
  /** The line whose submit key is held, or the paste that waits. */
  readonly what: Judged | PastePhase;
  readonly step: 'put-in' | 'taken-out';
  readonly since: number;
  /** The line as it stood, and where the cursor was in it. */
  readonly stood: LineOnScreen;
  /** What is to stand before it, and nobody but a reader of all keys so far can know. */
  readonly nonce: string;
}

export interface ErasePhase {
  readonly kind: 'erase';
  readonly since: number;
  readonly then: 'prompt' | 'replay' | 'end';
  readonly judged: Judged | undefined;
  readonly notice: string;
  editorBack: boolean;
}

export interface RetypePhase {
  readonly kind: 'retype';
  readonly judged: Judged;
  readonly since: number;
}

export interface AfterPhase {
  readonly kind: 'after';
  readonly since: number;
  editorBack: boolean;
}
