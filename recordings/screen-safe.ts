// Lets through only what draws on a screen, so that a recorded device can't drive the terminal of whoever watches the
// replay: no titles, clipboard, hyperlinks, file transfers, printing, window control, mouse modes, and no queries, whose answers
// would be typed into the watcher's shell. An allow-list: what it doesn't know, it drops. Pure, streaming.

type State =
  | { readonly kind: 'text' }
  | { readonly kind: 'escape'; readonly seen: string }
  | { readonly kind: 'control'; readonly seen: string }
  /** Inside OSC, DCS, APC, PM or SOS: dropped up to its end. */
  | { readonly kind: 'string'; readonly escape: boolean };

/** A control sequence longer than this is dropped. Characters. */
const longestSequence = 64;

// Final characters of CSI sequences without a prefix that draw, move, erase, scroll or set colours and margins.
const drawing = /^\u001b\[[\d;:]*[@A-HJ-MPSTXZ`abdefgmrsu]$/;
// Modes that change only how text is laid out: insert, newline, cursor keys, columns, reverse, origin, wrap, blink,
// cursor, alternate screens, synchronised output.
const modes =
  /^\u001b\[(?:(?:4|20)|\?(?:1|3|5|6|7|12|25|47|1047|1048|1049|2026)(?:;(?:1|3|5|6|7|12|25|47|1047|1048|1049|2026))*)[hl]$/;
const cursorStyle = /^\u001b\[\d? q$/;
const softReset = '\u001b[!p';

export class ScreenSafe {
  #state: State = { kind: 'text' };

  filter(text: string): string {
    let out = '';
    for (const character of text) out += this.#take(character);
    return out;
  }

  #take(character: string): string {
    const code = character.codePointAt(0) ?? 0;
    const state = this.#state;
    switch (state.kind) {
      case 'text':
        return this.#text(character, code);
      case 'escape':
        return this.#escape(state.seen + character, character);
      case 'control':
        return this.#control(state.seen + character, character, code);
      case 'string':
        if (code === 0x07 || code === 0x9c || code === 0x18 || code === 0x1a) this.#state = { kind: 'text' };
        else if (state.escape && character === '\\') this.#state = { kind: 'text' };
        else this.#state = { kind: 'string', escape: code === 0x1b };
        return '';
    }
  }

  #text(character: string, code: number): string {
    if (code === 0x1b) {
      this.#state = { kind: 'escape', seen: '\u001b' };
      return '';
    }
    // 8-bit forms of CSI and of the strings; other C1 controls are dropped.
    if (code >= 0x80 && code <= 0x9f) {
      if (code === 0x9b) this.#state = { kind: 'control', seen: '\u001b[' };
      if ([0x90, 0x98, 0x9d, 0x9e, 0x9f].includes(code)) this.#state = { kind: 'string', escape: false };
      return '';
    }
    if (code >= 0x20 && code !== 0x7f) return character;
    // BS, HT, LF, VT, FF, CR, SO and SI draw; BEL, ENQ and the rest don't.
    return code >= 0x08 && code <= 0x0f ? character : '';
  }

  #escape(seen: string, character: string): string {
    if (character === '\u001b') return '';
    this.#state = { kind: 'text' };
    if (character === '[') {
      this.#state = { kind: 'control', seen };
      return '';
    }
    if ('PX]^_'.includes(character)) {
      this.#state = { kind: 'string', escape: false };
      return '';
    }
    // Intermediates: a character set or line size follows.
    if ('()*+#'.includes(character) && seen.length === 2) {
      this.#state = { kind: 'escape', seen };
      return '';
    }
    return /^\u001b(?:[78DEHM=>c]|[()*+][0-9A-Z]|#[3-68])$/.test(seen) ? seen : '';
  }

  #control(seen: string, character: string, code: number): string {
    if (character === '\u001b') {
      this.#state = { kind: 'escape', seen: character };
      return '';
    }
    if (code < 0x20 || code > 0x7e || seen.length > longestSequence) {
      this.#state = { kind: 'text' };
      return code >= 0x08 && code <= 0x0f ? character : '';
    }
    if (code < 0x40) {
      this.#state = { kind: 'control', seen };
      return '';
    }
    this.#state = { kind: 'text' };
    return drawing.test(seen) || modes.test(seen) || cursorStyle.test(seen) || seen === softReset ? seen : '';
  }
}
