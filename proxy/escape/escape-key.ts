// Tells when the key that opens the menu is meant for the gateway: at the start of a line, alone, and typed by a person.
// Pure: it sees what the client's terminal sends and keeps no text. What a terminal answers by itself, and reports of
// mouse and focus, are not typing; a paste is, with all that is in it.
import { isEnter, type KeyToken, KeyTokenizer } from '../terminal/keys.ts';

const INTERRUPT = 3;
/** KeyToken's modifier bit for Ctrl. */
const CTRL = 4;

/** `^]` of 29. */
export const nameOfKey = (key: number): string => `^${String.fromCharCode(key + 64)}`;

/** Keyboard protocols report Ctrl and a character instead of a control character. */
export const isKey = (token: KeyToken, key: number): boolean => {
  if (token.kind === 'control') return token.code === key;
  if (token.kind !== 'key' || token.release || token.key.modifiers !== CTRL) return false;
  return token.codePoint === key + 64 || token.codePoint === key + 96;
};

/** Whether these bytes are the key and nothing else: what comes with other keys is pasted, or typed by a program. */
export const isAlone = (data: Buffer, key: number): boolean => {
  const tokens = new KeyTokenizer();
  const [first, ...rest] = tokens.push(data);
  return first !== undefined && rest.length === 0 && !tokens.waiting && isKey(first, key);
};

export class LineStart {
  readonly #keys = new KeyTokenizer();
  #state: 'start' | 'within' = 'start';

  /** Nothing was typed since the last line was submitted or given up, and no sequence is unfinished. */
  get fresh(): boolean {
    return this.#state === 'start' && !this.#keys.waiting;
  }

  /** What the client sends to the device. */
  sent(data: Buffer): void {
    for (const token of this.#keys.push(data)) this.#token(token);
  }

  #token(token: KeyToken): void {
    switch (token.kind) {
      case 'control':
      case 'meta':
        this.#state =
          isEnter(token) || (token.kind === 'control' && token.code === INTERRUPT) ? 'start' : 'within';
        return;
      case 'key':
        if (!token.release) this.#state = isEnter(token) ? 'start' : 'within';
        return;
      case 'mouse':
      case 'focus':
      case 'report':
        return;
      case 'text':
      case 'paste-start':
      case 'paste-text':
      case 'paste-end':
      case 'escape':
      case 'unknown':
      case 'invalid':
        this.#state = 'within';
        return;
    }
  }
}
