// What the user has done to the line that is being typed now: the keys' own account of it, where it starts, what came
// back from the device, and which keys were used that make its reading harder. Reset when the line is gone.
import { KeysModel } from '../terminal/keys-model.ts';
import type { Anchor } from '../terminal/prompt.ts';
import type { EchoWitness } from './echo-witness.ts';
import { KeptText, type Parting } from './kept-text.ts';

export interface Reported {
  readonly text: string;
  /** Makes the shell drop its line if it is another one by now; sent right before the submit key. */
  readonly allow: Buffer | undefined;
  /** Makes the shell drop its line, where ^C could come while it still works on its report. */
  readonly drop: Buffer | undefined;
}

export interface GivenUp {
  /** ^C. Otherwise ^Z or ^\, at which line editors keep their line. */
  readonly interrupted: boolean;
  /** Line feeds that the device had sent by then. */
  readonly feeds: number;
}

export class TypedLine {
  keys = new KeysModel();
  /** Where it starts on screen, as far as known. */
  anchor: Anchor | undefined;
  /** All that stood left of the cursor when its start was noted. */
  left = '';
  /** What the device printed since its first key. */
  echo: EchoWitness;
  /** A key was used that takes line editors longer: completion, history, search, paste. */
  slow = false;
  /** ESC was pressed: in vi modes the next keys mean something else. */
  viKeys = false;
  /** It may go over several lines: a paste brought line ends, or the editor went on after a submit key. */
  manyRows = false;
  /** Keys were sent for it. */
  used = false;
  /** Its submit key was let go, and its editor took that for a new row. */
  resumed = false;
  /** A line editor came up after keys had gone to a program. */
  editorCameBack = false;
  /**
   * How things were at its first key: line feeds that the device had sent, whether an editor had announced itself, and
   * whether neither an editor nor a prompt was known to read.
   */
  begun = { feeds: 0, editor: false, byProgram: false };
  /** Since its last key its editor has drawn all of it anew. */
  drawnAnew = false;
  /** Its editor has drawn all of its rows itself, and nobody else the screen around it. */
  rowsDrawn = false;
  /** Its user gave it up; whether its editor did is not known before a prompt is back. */
  givenUp: GivenUp | undefined;
  /** What was typed before it and may still stand before it. */
  readonly kept = new KeptText();
  /** History was expanded, or a search ended, for it. */
  expanded = false;
  /** A completion's suffix was taken back for it. */
  suffixSettled = false;
  /** What the shell itself said that it is, when it was asked for it. */
  report: Reported | undefined;

  constructor(echo: EchoWitness) {
    this.echo = echo;
  }

  /** Something was put in, and nothing of it came back. */
  get insertedUnseen(): boolean {
    return this.keys.inserted.trim() !== '' && !this.echo.holdsScattered(this.keys.inserted);
  }

  /** Something was put in that may have been taken out again. */
  get erased(): boolean {
    return this.keys.inserted.trim() !== '' && this.keys.edits !== 'typing';
  }

  /** It seems gone, which nothing proves: its text is kept, and another one begins. */
  leave(parting: Parting): void {
    const { state, inserted } = this.keys;
    const typed = state.kind === 'known' ? state.texts : [state.tail];
    this.kept.add([...typed, inserted], state.kind === 'unknown', this.insertedUnseen, parting);
    this.reset();
  }

  /** Nothing of it is left for certain, or all of it is kept elsewhere. */
  reset(): void {
    this.keys.reset();
    this.anchor = undefined;
    this.left = '';
    this.slow = false;
    this.viKeys = false;
    this.manyRows = false;
    this.used = false;
    this.resumed = false;
    this.editorCameBack = false;
    this.drawnAnew = false;
    this.rowsDrawn = false;
    this.givenUp = undefined;
    this.expanded = false;
    this.suffixSettled = false;
    this.report = undefined;
  }
}
