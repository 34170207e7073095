// Asks questions on a terminal that is frozen: keys in, text out, nothing echoed. Pure: it neither checks answers nor
// knows what is behind the terminal. Keys that are no text (arrows, mouse reports, what a program left behind) are
// swallowed; ^C and ^U begin the answer again.
import { plainText } from '../channels/terminal-text.ts';
import type { Answers, Question } from './ports.ts';

/** Of one answer, in bytes. */
const LONGEST_ANSWER = 1024;

type Phase =
  /** Which question, and what was typed of its answer. */
  | { readonly kind: 'asking'; readonly index: number; readonly typed: number[] }
  /** All was answered; keys go nowhere. */
  | { readonly kind: 'checking' }
  /** There is nothing to ask for; keys go nowhere. */
  | { readonly kind: 'telling' };

/** Where in a sequence of control the keys are. */
type Escape = 'none' | 'escape' | 'csi' | 'ss3' | 'mouse' | 'string' | 'string-end';

export interface Typed {
  /** To be shown. */
  readonly text: string;
  /** Present when the last question was answered. */
  readonly answers: Answers | undefined;
  /** A security key is to be touched in place of all answers. */
  readonly touch: boolean;
}

/** Asked where a touch is all that there is to ask for. */
const TOUCH_ONLY = 'Press Enter, then touch your security key.';

const lines = (text: string): string =>
  plainText(text)
    .split('\n')
    .map((line) => `sallyport: ${line}\r\n`)
    .join('');

export class TerminalQuestions {
  readonly #questions: readonly Question[];
  /** Enter alone at the first question stands for a touch. */
  readonly #touch: boolean;
  readonly #answers = new Map<Question['name'], string>();
  #phase: Phase;
  #escape: Escape = 'none';
  #mouseLeft = 0;

  constructor(questions: readonly Question[], touch = false) {
    this.#questions = questions;
    this.#touch = touch;
    this.#phase = this.#first;
  }

  get #first(): Phase {
    return this.#questions.length === 0 && !this.#touch
      ? { kind: 'telling' }
      : { kind: 'asking', index: 0, typed: [] };
  }

  /** What is shown first: why, then the first question. */
  begin(why: string): string {
    return lines(why) + this.#question();
  }

  /** Asks all of it again, after `why`. */
  again(why: string): string {
    this.#forget();
    this.#phase = this.#first;
    return lines(why) + this.#question();
  }

  keys(data: Uint8Array): Typed {
    let text = '';
    for (const byte of data) {
      const phase = this.#phase;
      if (phase.kind !== 'asking') return { text, answers: undefined, touch: false };
      if (this.#escape !== 'none') {
        this.#escaped(byte);
        continue;
      }
      switch (byte) {
        case 0x0d:
        case 0x0a: {
          text += '\r\n';
          if (this.#touch && phase.index === 0 && phase.typed.length === 0) {
            this.#phase = { kind: 'checking' };
            return { text: text + lines('Touch your security key now.'), answers: undefined, touch: true };
          }
          const answers = this.#answered(phase);
          if (answers !== undefined) return { text, answers, touch: false };
          text += this.#question();
          break;
        }
        case 0x1b:
          this.#escape = 'escape';
          break;
        case 0x7f:
        case 0x08:
          eraseLast(phase.typed);
          break;
        case 0x03:
        case 0x15:
          phase.typed.fill(0);
          phase.typed.length = 0;
          if (byte === 0x03) text += `\r\n${this.#question()}`;
          break;
        default:
          if (byte >= 0x20 && phase.typed.length < LONGEST_ANSWER) phase.typed.push(byte);
      }
    }
    return { text, answers: undefined, touch: false };
  }

  #question(): string {
    const phase = this.#phase;
    if (phase.kind !== 'asking') return '';
    return `sallyport: ${plainText(this.#questions[phase.index]?.text ?? TOUCH_ONLY)} `;
  }

  #answered({ index, typed }: Extract<Phase, { kind: 'asking' }>): Answers | undefined {
    const question = this.#questions[index];
    if (question !== undefined) this.#answers.set(question.name, Buffer.from(typed).toString('utf8'));
    typed.fill(0);
    if (question === undefined || index + 1 < this.#questions.length) {
      this.#phase = { kind: 'asking', index: question === undefined ? index : index + 1, typed: [] };
      return undefined;
    }
    const answers = new Map(this.#answers);
    this.#forget();
    this.#phase = { kind: 'checking' };
    return answers;
  }

  #forget(): void {
    this.#answers.clear();
    this.#escape = 'none';
  }

  /** ECMA-48: control sequences end with a byte from @ to ~, strings with BEL or ST; old mouse reports are three bytes. */
  #escaped(byte: number): void {
    switch (this.#escape) {
      case 'escape':
        if (byte === 0x5b) this.#escape = 'csi';
        else if (byte === 0x4f) this.#escape = 'ss3';
        else if (byte === 0x5d || byte === 0x50 || byte === 0x5f || byte === 0x5e) this.#escape = 'string';
        else this.#escape = byte === 0x1b ? 'escape' : 'none';
        return;
      case 'csi':
        if (byte === 0x4d && this.#mouseLeft === 0) {
          this.#mouseLeft = 3;
          this.#escape = 'mouse';
        } else if (byte >= 0x40 && byte <= 0x7e) {
          this.#escape = 'none';
          this.#mouseLeft = 0;
        } else if (byte >= 0x30 && byte <= 0x3f) {
          // Parameters: the M of such a sequence is its end, not a mouse report of the old form.
          this.#mouseLeft = -1;
        } else if (byte < 0x20) {
          this.#escape = 'none';
          this.#mouseLeft = 0;
        }
        return;
      case 'mouse':
        this.#mouseLeft -= 1;
        if (this.#mouseLeft === 0) this.#escape = 'none';
        return;
      case 'ss3':
        this.#escape = 'none';
        return;
      case 'string':
        if (byte === 0x07 || byte === 0x0d || byte === 0x03) this.#escape = 'none';
        else if (byte === 0x1b) this.#escape = 'string-end';
        return;
      case 'string-end':
        this.#escape = 'none';
        return;
      case 'none':
        return;
    }
  }
}

/** The last character, which may be several bytes of UTF-8. */
function eraseLast(typed: number[]): void {
  for (let byte = typed.pop(); byte !== undefined && (byte & 0xc0) === 0x80; byte = typed.pop());
}
