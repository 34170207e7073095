// Reads what a terminal sends into the keys that the menu knows: arrows in normal and application mode, Home, End and
// paging in the forms of xterm, rxvt, the Linux console and PuTTY, and UTF-8 text. Sequences may come in pieces.
// It needs no clock: a lone Esc waits for what follows it, and a second one means "leave". What isn't known is dropped.
import { StringDecoder } from 'node:string_decoder';

export type MenuKey =
  | { readonly kind: 'up' | 'down' | 'page-up' | 'page-down' | 'home' | 'end' }
  | { readonly kind: 'enter' | 'leave' | 'backspace' | 'erase-word' | 'erase-all' | 'redraw' }
  | { readonly kind: 'text'; readonly text: string };

type State =
  | { readonly kind: 'ground' }
  | { readonly kind: 'escape' }
  | { readonly kind: 'control-sequence'; readonly parameters: string }
  | { readonly kind: 'single-shift' }
  /** A sequence longer than any key's: dropped up to its end. */
  | { readonly kind: 'overlong' };

const ESC = '\u001b';
const LONGEST_SEQUENCE = 16;
const FINALS: Readonly<Record<string, MenuKey['kind']>> = {
  A: 'up',
  B: 'down',
  H: 'home',
  F: 'end',
};
const TILDES: Readonly<Record<string, MenuKey['kind']>> = {
  '1': 'home',
  '4': 'end',
  '5': 'page-up',
  '6': 'page-down',
  '7': 'home',
  '8': 'end',
};
const CONTROLS: Readonly<Record<string, MenuKey['kind']>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\u0003': 'leave',
  '\u0004': 'leave',
  '\u0008': 'backspace',
  '\u007f': 'backspace',
  '\u000c': 'redraw',
  '\u000e': 'down',
  '\u0010': 'up',
  '\u0015': 'erase-all',
  '\u0017': 'erase-word',
};

export class MenuKeys {
  readonly #decoder = new StringDecoder('utf8');
  #state: State = { kind: 'ground' };

  read(data: Buffer): readonly MenuKey[] {
    const keys: MenuKey[] = [];
    const characters = [...this.#decoder.write(data)];
    for (const [index, character] of characters.entries()) {
      const key = this.#step(character, characters[index + 1]);
      if (key !== undefined) keys.push(key);
    }
    return keys;
  }

  #step(character: string, next: string | undefined): MenuKey | undefined {
    const state = this.#state;
    switch (state.kind) {
      case 'ground':
        if (character !== ESC) return plain(character);
        this.#state = { kind: 'escape' };
        return undefined;
      case 'escape':
        return this.#afterEscape(character, next);
      case 'single-shift':
        this.#state = { kind: 'ground' };
        return keyOf(FINALS[character]);
      case 'overlong':
        if (isFinal(character)) this.#state = { kind: 'ground' };
        return undefined;
      case 'control-sequence':
        return this.#inSequence(character, state.parameters);
    }
  }

  #afterEscape(character: string, next: string | undefined): MenuKey | undefined {
    switch (character) {
      case '[':
        this.#state = { kind: 'control-sequence', parameters: '' };
        return undefined;
      case 'O':
        this.#state = { kind: 'single-shift' };
        return undefined;
      case ESC:
        // Esc and then an arrow key look like two Esc at first; what comes with the second one tells them apart.
        if (next === '[' || next === 'O') return undefined;
        this.#state = { kind: 'ground' };
        return { kind: 'leave' };
      default:
        // Esc was pressed and left behind, or Alt was held: the key itself counts only if it is one of control.
        this.#state = { kind: 'ground' };
        return CONTROLS[character] === undefined ? undefined : plain(character);
    }
  }

  #inSequence(character: string, parameters: string): MenuKey | undefined {
    if (character === ESC) {
      this.#state = { kind: 'escape' };
      return undefined;
    }
    if (!isFinal(character)) {
      this.#state =
        parameters.length >= LONGEST_SEQUENCE
          ? { kind: 'overlong' }
          : { kind: 'control-sequence', parameters: parameters + character };
      return undefined;
    }
    this.#state = { kind: 'ground' };
    if (character === '~') return keyOf(TILDES[parameters.split(';')[0] ?? '']);
    return keyOf(FINALS[character]);
  }
}

function isFinal(character: string): boolean {
  return character >= '@' && character <= '~';
}

function keyOf(kind: MenuKey['kind'] | undefined): MenuKey | undefined {
  return kind === undefined || kind === 'text' ? undefined : { kind };
}

function plain(character: string): MenuKey | undefined {
  const control = keyOf(CONTROLS[character]);
  if (control !== undefined) return control;
  // Control, format and unassigned characters are no text to filter by.
  return /^[\p{C}\uFFFD]$/u.test(character) ? undefined : { kind: 'text', text: character };
}
