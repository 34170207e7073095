// The lines of one command that the shell goes on reading: kept until it is complete or given up, so that the judge
// sees them together. Whether a command is complete is a guess; the prompt that comes back corrects it.
import { isUnfinished } from './continuation.ts';

/** Lines of one unfinished command that are kept for the judge. */
const MOST_LINES = 200;
/** Its length, in characters. */
const MOST_TEXT = 262_144;

export class UnfinishedCommand {
  #lines: string[] = [];
  /** One of them was typed without echo. */
  #secret = false;
  #firstPrompt: string | undefined;
  /** How often the prompt of the first line came back since. */
  #samePrompts = 0;

  get lines(): readonly string[] {
    return this.#lines;
  }

  get secret(): boolean {
    return this.#secret;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** A further line of it is being typed: the prompt is not the one that it began under. */
  get goesOn(): boolean {
    return this.#lines.length > 0 && this.#samePrompts === 0;
  }

  /**
   * Adds a line that was let through. Answers the whole command when it is complete; it is forgotten then.
   * `oneLine`: this editor submits nothing that is not complete.
   */
  add(line: {
    readonly text: string;
    readonly secret: boolean;
    readonly prompt: string | undefined;
    readonly oneLine: boolean;
  }): { readonly text: string; readonly secret: boolean } | undefined {
    if (line.text.trim() === '' && this.#lines.length === 0) return undefined;
    this.#lines.push(line.text);
    if (line.secret) this.#secret = true;
    if (this.#lines.length === 1) {
      this.#firstPrompt = line.prompt;
      this.#samePrompts = 0;
    }
    const text = this.#lines.join('\n');
    const bounded = this.#lines.length <= MOST_LINES && text.length <= MOST_TEXT;
    if (!line.oneLine && bounded && isUnfinished(text)) return undefined;
    const complete = { text, secret: this.#secret };
    this.forget();
    return complete;
  }

  /** Its last line is still being typed after all. */
  takeBack(text: string): void {
    if (this.#lines[this.#lines.length - 1] === text) this.#lines.pop();
  }

  /** When the first prompt keeps coming back, the command was finished whatever its text looks like. */
  promptSeen(prompt: string): void {
    if (this.#lines.length === 0 || prompt !== this.#firstPrompt) return;
    this.#samePrompts += 1;
    if (this.#samePrompts >= 2) this.forget();
  }

  forget(): void {
    this.#lines = [];
    this.#secret = false;
  }
}
