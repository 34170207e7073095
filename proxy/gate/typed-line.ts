// What the user has done to the line that is being typed now: the keys' own account of it, where it starts, what came
// back from the device, and which keys were used that make its reading harder. Reset when the line is gone.
import { KeysModel } from '../terminal/keys-model.ts';
import type { Anchor } from '../terminal/prompt.ts';
import type { EchoWitness } from './echo-witness.ts';

export interface Reported {
  readonly text: string;
  /** Makes the shell drop its line if it is another one by now; sent right before the submit key. */
  readonly allow: Buffer | undefined;
  /** Makes the shell drop its line, where ^C could come while it still works on its report. */
  readonly drop: Buffer | undefined;
}

export class TypedLine {
  keys = new KeysModel();
  /** Where it starts on screen, as far as known. */
  anchor: Anchor | undefined;
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
  /** Its user gave it up; whether its editor did is not known before a prompt is back. */
  givenUp = false;
  /** History was expanded, or a search ended, for it. */
  expanded = false;
  /** A completion's suffix was taken back for it. */
  suffixSettled = false;
  /** What the shell itself said that it is, when it was asked for it. */
  report: Reported | undefined;

  constructor(echo: EchoWitness) {
    this.echo = echo;
  }

  reset(): void {
    this.keys.reset();
    this.anchor = undefined;
    this.slow = false;
    this.viKeys = false;
    this.manyRows = false;
    this.used = false;
    this.resumed = false;
    this.editorCameBack = false;
    this.givenUp = false;
    this.expanded = false;
    this.suffixSettled = false;
    this.report = undefined;
  }
}
