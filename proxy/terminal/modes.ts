// Watches a device's output for the sequences that change what the terminal is: bracketed paste (which brackets the
// life of a line editor), the alternate screen, shell marks, keyboard protocols. Says where in the bytes
// each stands, and which stretches hold nothing but plain text. It draws nothing.

export type OutputEvent =
  /** `CSI ? 2004 h` and `l`: a line editor starts to read, and has stopped reading. */
  | { readonly kind: 'editor-on'; readonly at: number }
  | { readonly kind: 'editor-off'; readonly at: number }
  | { readonly kind: 'alternate-on'; readonly at: number }
  | { readonly kind: 'alternate-off'; readonly at: number }
  /** OSC 133 or OSC 633: `A` prompt start, `B` prompt end, `C` output start, `D` command end. */
  | { readonly kind: 'mark'; readonly at: number; readonly mark: string }
  /** Anything else that a plain stretch of text would not hold; `inside` a sequence that goes on behind it. */
  | { readonly kind: 'other'; readonly at: number; readonly inside: boolean };

type ScanState =
  | 'ground'
  | 'escape'
  | 'escape-intermediate'
  | 'csi'
  | 'string'
  | 'string-escape'
  | 'c1'
  | 'string-c1';

/** Longer parameters than this belong to no mode that we follow. */
const MAXIMUM_PARAMETERS = 96;

/** What introduces a sequence behind ESC. */
const CSI = 0x5b;
const OSC = 0x5d;

const ESC = 0x1b;
/** The first byte of C1 controls in UTF-8. */
const C1 = 0xc2;

/**
 * What acts on the screen without ESC: BS, VT, FF, SO, SI, and C1 controls. Other controls do nothing to a terminal that
 * is in the middle of no sequence.
 */
const ACTING = [0x08, 0x0b, 0x0c, 0x0e, 0x0f, C1] as const;
/** By byte: 1 for what acts on the screen, ESC included. */
const ACTS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === ESC || ACTING.some((a) => a === byte) ? 1 : 0,
);

/** The bytes of the data, four at a time, that lie in memory as such numbers must; undefined: there are too few. */
function wordsOf(data: Buffer): Int32Array | undefined {
  const skipped = -data.byteOffset & 3;
  const count = (data.length - skipped) >> 2;
  return count < 1 ? undefined : new Int32Array(data.buffer, data.byteOffset + skipped, count);
}

/** So far behind a colour the next ESC is looked for here, four bytes at a time: coloured text is full of them. */
const NEAR = 64;

/** Where the next ESC stands; -1: nowhere. */
function nextEscape(data: Buffer, words: Int32Array | undefined, from: number): number {
  if (words === undefined) return data.indexOf(ESC, from);
  const skipped = words.byteOffset - data.byteOffset;
  let at = from;
  for (; at < data.length && ((at - skipped) & 3) !== 0; at++) if (data[at] === ESC) return at;
  // The word of which the end of the data is a part begins before it.
  if (at >= data.length) return -1;
  let word = (at - skipped) >> 2;
  const end = Math.min(words.length, word + NEAR / 4);
  for (; word < end; word++) {
    // A byte that is ESC becomes zero, and only there, or above it, is something borrowed.
    const differs = (words[word] ?? 0) ^ 0x1b1b1b1b;
    if (((differs - 0x01010101) & ~differs & 0x80808080) === 0) continue;
    at = skipped + word * 4;
    while (data[at] !== ESC) at++;
    return at;
  }
  return data.indexOf(ESC, skipped + word * 4);
}

/** The offset behind a whole colour sequence (SGR) that starts at `at`, the most common one in bulk output; else -1. */
function colourEnd(data: Buffer, at: number): number {
  if (data[at + 1] !== 0x5b) return -1;
  let end = at + 2;
  for (; end < data.length; end++) {
    const byte = data[end] ?? 0;
    if (byte < 0x30 || byte > 0x3b) break;
  }
  return data[end] === 0x6d ? end + 1 : -1;
}

export class OutputScanner {
  #state: ScanState = 'ground';
  #introducer = 0;
  #parameters = '';
  #editorOn = false;
  #alternate = false;
  #keyboardPushes = 0;
  #everEditor = false;
  /** The output that is being scanned holds something that acts without ESC. */
  #acting = false;

  /** Bracketed paste is on: a line editor (or an editor) reads. */
  get editorOn(): boolean {
    return this.#editorOn;
  }

  /** Bracketed paste was on at some time in this channel. */
  get everEditor(): boolean {
    return this.#everEditor;
  }

  get alternate(): boolean {
    return this.#alternate;
  }

  /** How many times a program asked for the kitty keyboard protocol without giving it back. */
  get keyboardPushes(): number {
    return this.#keyboardPushes;
  }

  /** In the middle of a sequence. */
  get unfinished(): boolean {
    return this.#state !== 'ground';
  }

  /** In the middle of a string, or of what may be its end. What stands in a string is not shown. */
  get inString(): boolean {
    return this.#state === 'string' || this.#state === 'string-escape' || this.#state === 'string-c1';
  }

  /** `at` of each event is the offset just behind its sequence. Colours (SGR) make no event. */
  scan(data: Buffer): OutputEvent[] {
    const events: OutputEvent[] = [];
    let at = 0;
    this.#acting = ACTING.some((byte) => data.includes(byte));
    const words = wordsOf(data);
    while (at < data.length) {
      if (this.#state === 'ground') {
        at = this.#ground(data, words, at, events);
        continue;
      }
      const byte = data[at] ?? 0;
      at += 1;
      this.#step(byte, at, events);
    }
    return events;
  }

  /** Skips plain text quickly; returns the offset behind what it consumed. */
  #ground(data: Buffer, words: Int32Array | undefined, from: number, events: OutputEvent[]): number {
    const acting = this.#acting;
    let at = acting ? from : data.indexOf(ESC, from);
    while (at !== -1) {
      if (acting) while (at < data.length && ACTS[data[at] ?? 0] === 0) at++;
      if (at >= data.length) break;
      const byte = data[at];
      if (byte === ESC) {
        const end = colourEnd(data, at);
        if (end === -1) {
          this.#state = 'escape';
          return at + 1;
        }
        at = acting ? end : nextEscape(data, words, end);
      } else if (byte === C1) {
        const next = data[at + 1] ?? 0;
        // A character like any other.
        if (next >= 0xa0 && next < 0xc0) at += 2;
        else {
          this.#state = 'c1';
          return at + 1;
        }
      } else {
        at += 1;
        this.#other(at, events);
      }
    }
    return data.length;
  }

  #step(byte: number, at: number, events: OutputEvent[]): void {
    if (byte === 0x18 || byte === 0x1a) {
      this.#state = 'ground';
      this.#other(at, events);
      return;
    }
    switch (this.#state) {
      case 'ground':
        return;
      case 'c1':
        this.#state = 'ground';
        if (byte >= 0x80 && byte < 0xa0) this.#c1(byte, at, events);
        else if (byte < 0x80 || byte >= 0xc0) this.#afresh(byte, at, events);
        return;
      case 'string-c1':
        this.#state = 'string';
        if (byte >= 0x80 && byte < 0xa0) {
          this.#state = 'ground';
          if (byte === 0x9c) this.#string(at, events);
          else {
            this.#c1(byte, at, events);
            this.#other(at, events);
          }
        } else if (byte < 0x80 || byte >= 0xc0) this.#step(byte, at, events);
        return;
      case 'escape':
        if (byte === 0x5b) this.#enter('csi', byte);
        else if (byte === 0x5d || byte === 0x50 || byte === 0x58 || byte === 0x5e || byte === 0x5f) {
          this.#enter('string', byte);
        } else if (byte === 0x1b || byte === 0x7f) {
          this.#state = 'escape';
        } else if (byte >= 0x20 && byte <= 0x2f) {
          this.#state = 'escape-intermediate';
        } else if (byte >= 0x30) {
          this.#state = byte === 0xc2 ? 'c1' : 'ground';
          if (byte === 0x63) this.#reset();
          this.#other(at, events);
        } else this.#other(at, events);
        return;
      case 'escape-intermediate':
        if (byte === 0x1b) this.#state = 'escape';
        else if (byte >= 0x30 && byte !== 0x7f) {
          this.#state = byte === 0xc2 ? 'c1' : 'ground';
          this.#other(at, events);
        } else if (byte < 0x20) this.#other(at, events);
        return;
      case 'csi':
        if (byte === 0x1b || byte === 0xc2) {
          this.#state = byte === 0x1b ? 'escape' : 'c1';
          this.#other(at, events);
        } else if (byte >= 0x40 && byte < 0x7f) {
          this.#state = 'ground';
          this.#csi(String.fromCharCode(byte), at, events);
        } else if (byte >= 0x20 && byte < 0x40) {
          if (this.#parameters.length < MAXIMUM_PARAMETERS) this.#parameters += String.fromCharCode(byte);
        } else this.#other(at, events);
        return;
      case 'string':
        if (byte === 0x1b) this.#state = 'string-escape';
        else if (byte === 0xc2) this.#state = 'string-c1';
        else if (byte === 0x07 && this.#introducer === OSC) {
          this.#state = 'ground';
          this.#string(at, events);
        } else if (this.#parameters.length < MAXIMUM_PARAMETERS) {
          this.#parameters += String.fromCharCode(byte);
        }
        return;
      case 'string-escape':
        if (byte === 0x5c) {
          this.#state = 'ground';
          this.#string(at, events);
        } else {
          this.#state = 'escape';
          this.#step(byte, at, events);
          this.#other(at, events);
        }
        return;
    }
  }

  /** A C1 control that was encoded in UTF-8. */
  #c1(byte: number, at: number, events: OutputEvent[]): void {
    if (byte === 0x9b) this.#enter('csi', byte);
    else if (byte === 0x9d || byte === 0x90 || byte === 0x98 || byte === 0x9e || byte === 0x9f) {
      this.#enter('string', byte === 0x9d ? OSC : 0x50);
    } else this.#other(at, events);
  }

  /** A byte that does not continue the character before it. */
  #afresh(byte: number, at: number, events: OutputEvent[]): void {
    if (byte === 0x1b) this.#state = 'escape';
    else if (byte === 0xc2) this.#state = 'c1';
    else if (byte < 0x20) this.#other(at, events);
  }

  #other(at: number, events: OutputEvent[]): void {
    events.push({ kind: 'other', at, inside: this.#state !== 'ground' });
  }

  #enter(state: 'csi' | 'string', introducer: number): void {
    this.#state = state;
    this.#introducer = introducer;
    this.#parameters = '';
  }

  #reset(): void {
    this.#editorOn = false;
    this.#alternate = false;
    this.#keyboardPushes = 0;
  }

  #csi(final: string, at: number, events: OutputEvent[]): void {
    const parameters = this.#parameters;
    if (final === 'm' && this.#introducer === CSI && !/[<=>?]/.test(parameters)) return;
    if ((final === 'h' || final === 'l') && parameters.startsWith('?')) {
      const on = final === 'h';
      for (const mode of parameters.slice(1).split(';')) {
        if (mode === '2004') {
          this.#editorOn = on;
          if (on) this.#everEditor = true;
          events.push({ kind: on ? 'editor-on' : 'editor-off', at });
        } else if (mode === '1049' || mode === '1047' || mode === '47') {
          this.#alternate = on;
          events.push({ kind: on ? 'alternate-on' : 'alternate-off', at });
        } else this.#other(at, events);
      }
      return;
    }
    if (final === 'u' && parameters.startsWith('>'))
      this.#keyboardPushes = Math.min(99, this.#keyboardPushes + 1);
    if (final === 'u' && parameters.startsWith('<'))
      this.#keyboardPushes = Math.max(0, this.#keyboardPushes - 1);
    this.#other(at, events);
  }

  #string(at: number, events: OutputEvent[]): void {
    if (this.#introducer !== OSC) {
      this.#other(at, events);
      return;
    }
    const mark = /^(?:133|633);([A-Z])/.exec(this.#parameters)?.[1];
    if (mark !== undefined) events.push({ kind: 'mark', at, mark });
    else this.#other(at, events);
  }
}
