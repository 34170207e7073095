// Cuts what a client's terminal sends into key tokens: text, control keys, escape sequences, pastes. Every byte ends
// up in exactly one token, so that what was held can later be let through unchanged.
// It does not decide what a key means to the program that gets it, and it never waits: the caller ends a lone ESC
// with `flush` when its own clock says so.

/** What a key sequence stands for, where a terminal protocol says so. `modifiers`: 1 shift, 2 alt, 4 ctrl. */
export interface NamedKey {
  readonly name: KeyName;
  readonly modifiers: number;
}

export type KeyName =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'home'
  | 'end'
  | 'insert'
  | 'delete'
  | 'page-up'
  | 'page-down'
  | 'enter'
  | 'tab'
  | 'backspace'
  | 'escape'
  | 'function'
  | 'character'
  | 'other';

export type KeyToken =
  /** Printable text, whole characters of valid UTF-8. */
  | { readonly kind: 'text'; readonly bytes: Buffer; readonly text: string }
  /** One C0 control or DEL. */
  | { readonly kind: 'control'; readonly bytes: Buffer; readonly code: number }
  /** ESC and one character (Meta). `code` is that character's code point. */
  | { readonly kind: 'meta'; readonly bytes: Buffer; readonly code: number }
  /** A CSI or SS3 key. `codePoint` is set for keys that a keyboard protocol reports by character. */
  | {
      readonly kind: 'key';
      readonly bytes: Buffer;
      readonly key: NamedKey;
      readonly codePoint: number | undefined;
      readonly release: boolean;
    }
  | { readonly kind: 'paste-start'; readonly bytes: Buffer }
  /** A piece of what is pasted; a long paste comes as several. */
  | { readonly kind: 'paste-text'; readonly bytes: Buffer }
  | { readonly kind: 'paste-end'; readonly bytes: Buffer }
  | { readonly kind: 'mouse'; readonly bytes: Buffer }
  | { readonly kind: 'focus'; readonly bytes: Buffer }
  /** The terminal's answer to a question of the device (position, attributes, colours, modes). */
  | { readonly kind: 'report'; readonly bytes: Buffer }
  /** ESC on its own: the key itself, because nothing followed it in time. */
  | { readonly kind: 'escape'; readonly bytes: Buffer }
  /** A sequence we know nothing about, or one longer than any real key. */
  | { readonly kind: 'unknown'; readonly bytes: Buffer }
  /** Bytes that are not UTF-8, C1 controls among them. */
  | { readonly kind: 'invalid'; readonly bytes: Buffer };

/** No key or report is longer than this; what is becomes `unknown` so that a sender can't make us keep more. */
const MAXIMUM_SEQUENCE = 256;
/** A paste is handed on in pieces of at most this many bytes. */
const MAXIMUM_PASTE_PIECE = 16_384;
const PASTE_END = Buffer.from('\x1b[201~');

const NO_BYTES = Buffer.alloc(0);

/** Bytes of the UTF-8 character at `at`: its length, 0 when more bytes are needed, -1 when invalid. */
function utf8Length(data: Buffer, at: number): number {
  const first = data[at] ?? 0;
  let length: number;
  let low = 0x80;
  let high = 0xbf;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) length = 2;
  else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first === 0xe0) low = 0xa0;
    if (first === 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first === 0xf0) low = 0x90;
    if (first === 0xf4) high = 0x8f;
  } else return -1;
  for (let i = 1; i < length; i++) {
    const next = data[at + i];
    if (next === undefined) return 0;
    if (next < low || next > high) return -1;
    low = 0x80;
    high = 0xbf;
  }
  // U+0080…U+009F are C1 controls in two bytes.
  if (first === 0xc2 && (data[at + 1] ?? 0) < 0xa0) return -1;
  return length;
}

const CSI_LETTERS: Readonly<Record<string, KeyName>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  E: 'other',
  P: 'function',
  Q: 'function',
  S: 'function',
};

const CSI_TILDE: Readonly<Record<number, KeyName>> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'page-up',
  6: 'page-down',
  7: 'home',
  8: 'end',
};

const SS3_LETTERS: Readonly<Record<string, KeyName>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  M: 'enter',
  I: 'tab',
  P: 'function',
  Q: 'function',
  R: 'function',
  S: 'function',
};

/** Names a key that a keyboard protocol reports by its code point (kitty's private-use codes included). */
function nameOfCodePoint(codePoint: number): KeyName {
  switch (codePoint) {
    case 13:
    case 10:
    case 57414:
      return 'enter';
    case 9:
      return 'tab';
    case 8:
    case 127:
      return 'backspace';
    case 27:
      return 'escape';
    case 57417:
      return 'left';
    case 57418:
      return 'right';
    case 57419:
      return 'up';
    case 57420:
      return 'down';
    case 57421:
      return 'page-up';
    case 57422:
      return 'page-down';
    case 57423:
      return 'home';
    case 57424:
      return 'end';
    case 57425:
      return 'insert';
    case 57426:
      return 'delete';
    default:
      return codePoint >= 57344 && codePoint <= 63743 ? 'function' : 'character';
  }
}

/** Kitty and xterm report modifiers as 1 + bits; we keep shift, alt, ctrl and treat super, hyper, meta as alt. */
function modifiersOf(parameter: number | undefined): number {
  if (parameter === undefined || parameter < 1) return 0;
  const bits = parameter - 1;
  return (bits & 7) | ((bits & 0b111000) !== 0 ? 2 : 0);
}

function key(bytes: Buffer, name: KeyName, modifiers: number, codePoint?: number, release = false): KeyToken {
  return { kind: 'key', bytes, key: { name, modifiers }, codePoint, release };
}

function csiToken(bytes: Buffer): KeyToken {
  const body = bytes.toString('latin1', 2, bytes.length - 1);
  const final = String.fromCharCode(bytes[bytes.length - 1] ?? 0);
  if (/^[<=>?]/.test(body)) {
    if (body.startsWith('<') && (final === 'M' || final === 'm')) return { kind: 'mouse', bytes };
    return { kind: 'report', bytes };
  }
  if (/[ -/]/.test(body)) return { kind: final === 'y' ? 'report' : 'unknown', bytes };
  const fields = body.split(';').map((field) => field.split(':').map((part) => Number.parseInt(part, 10)));
  const number = (field: number, part = 0): number | undefined => {
    const value = fields[field]?.[part];
    return value === undefined || Number.isNaN(value) ? undefined : value;
  };
  const release = number(1, 1) === 3;
  switch (final) {
    case '~': {
      const first = number(0);
      if (first === 27 && fields.length >= 3) {
        const codePoint = number(2) ?? 0;
        return key(bytes, nameOfCodePoint(codePoint), modifiersOf(number(1)), codePoint);
      }
      if (first === 200 && fields.length === 1) return { kind: 'paste-start', bytes };
      if (first === 201 && fields.length === 1) return { kind: 'paste-end', bytes };
      return key(bytes, CSI_TILDE[first ?? 0] ?? 'function', modifiersOf(number(1)), undefined, release);
    }
    case 'u': {
      const codePoint = number(0) ?? 1;
      return key(bytes, nameOfCodePoint(codePoint), modifiersOf(number(1)), codePoint, release);
    }
    case 'R':
      // A cursor position report; with `1;m` it may be a modified F3, which no line editor submits on.
      return { kind: 'report', bytes };
    case 'c':
    case 'n':
    case 't':
    case 'x':
      return { kind: 'report', bytes };
    case 'I':
    case 'O':
      return body === '' ? { kind: 'focus', bytes } : { kind: 'unknown', bytes };
    case 'Z':
      return key(bytes, 'tab', modifiersOf(number(1)) | 1);
    default: {
      const name = CSI_LETTERS[final];
      if (name === undefined) return { kind: 'unknown', bytes };
      return key(bytes, name, modifiersOf(number(1)), undefined, release);
    }
  }
}

/** An incremental tokeniser. Keeps at most one unfinished sequence (bounded) between calls. */
export class KeyTokenizer {
  #rest: Buffer = NO_BYTES;
  #pasting = false;

  /** Bytes that wait for the rest of their sequence. */
  get pendingBytes(): number {
    return this.#rest.length;
  }

  /** True when a lone ESC (or the start of a sequence) waits: the caller should call `flush` after its time-out. */
  get waiting(): boolean {
    return this.#rest.length > 0;
  }

  /** True between the start and the end of a bracketed paste. */
  get pasting(): boolean {
    return this.#pasting;
  }

  push(chunk: Buffer): KeyToken[] {
    const data = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    this.#rest = NO_BYTES;
    return this.#scan(data, false);
  }

  /** Ends what was waiting: a lone ESC becomes the key `escape`, a broken sequence becomes `unknown`. */
  flush(): KeyToken[] {
    if (this.#rest.length === 0) return [];
    const data = this.#rest;
    this.#rest = NO_BYTES;
    return this.#scan(data, true);
  }

  #scan(data: Buffer, final: boolean): KeyToken[] {
    const tokens: KeyToken[] = [];
    let at = 0;
    while (at < data.length) {
      const next = this.#pasting ? this.#paste(data, at, final, tokens) : this.#one(data, at, final, tokens);
      if (next === at) {
        this.#rest = Buffer.from(data.subarray(at));
        break;
      }
      at = next;
    }
    return tokens;
  }

  #paste(data: Buffer, at: number, final: boolean, tokens: KeyToken[]): number {
    const end = data.indexOf(PASTE_END, at);
    if (end === at) {
      tokens.push({ kind: 'paste-end', bytes: data.subarray(at, at + PASTE_END.length) });
      this.#pasting = false;
      return at + PASTE_END.length;
    }
    let until = end === -1 ? data.length : end;
    if (end === -1 && !final) {
      // Keep back what may be the beginning of the end mark.
      for (let tail = Math.min(PASTE_END.length - 1, data.length - at); tail > 0; tail--) {
        if (data.subarray(data.length - tail).equals(PASTE_END.subarray(0, tail))) {
          until = data.length - tail;
          break;
        }
      }
    }
    until = Math.min(until, at + MAXIMUM_PASTE_PIECE);
    if (until > at) tokens.push({ kind: 'paste-text', bytes: data.subarray(at, until) });
    return until;
  }

  #one(data: Buffer, at: number, final: boolean, tokens: KeyToken[]): number {
    const first = data[at] ?? 0;
    if (first === 0x1b) return this.#escape(data, at, final, tokens);
    if (first < 0x20 || first === 0x7f) {
      tokens.push({ kind: 'control', bytes: data.subarray(at, at + 1), code: first });
      return at + 1;
    }
    const end = this.#text(data, at, final);
    if (end > at) {
      const bytes = data.subarray(at, end);
      tokens.push({ kind: 'text', bytes, text: bytes.toString('utf8') });
      return end;
    }
    if (end === at) return at;
    tokens.push({ kind: 'invalid', bytes: data.subarray(at, at + 1) });
    return at + 1;
  }

  /** The end of the text that starts at `at`; `at` when its first character is unfinished, -1 when it is invalid. */
  #text(data: Buffer, at: number, final: boolean): number {
    let end = at;
    while (end < data.length) {
      const byte = data[end] ?? 0;
      if (byte < 0x20 || byte === 0x7f) break;
      const length = utf8Length(data, end);
      if (length > 0) end += length;
      else if (end > at) break;
      else if (length < 0 || final) return -1;
      else return at;
    }
    return end;
  }

  #escape(data: Buffer, at: number, final: boolean, tokens: KeyToken[]): number {
    const second = data[at + 1];
    if (second === undefined) {
      if (!final) return at;
      tokens.push({ kind: 'escape', bytes: data.subarray(at, at + 1) });
      return at + 1;
    }
    switch (second) {
      case 0x5b:
        return this.#csi(data, at, final, tokens);
      case 0x4f:
        return this.#ss3(data, at, final, tokens);
      case 0x5d:
      case 0x50:
      case 0x5f:
      case 0x5e:
        return this.#string(data, at, final, tokens);
      case 0x1b: {
        // ESC ESC: the first one is a key of its own (or Meta-ESC); the second may start a sequence.
        tokens.push({ kind: 'escape', bytes: data.subarray(at, at + 1) });
        return at + 1;
      }
      default: {
        const length = utf8Length(data, at + 1);
        if (length === 0 && !final) return at;
        if (length <= 0) {
          tokens.push({ kind: 'escape', bytes: data.subarray(at, at + 1) });
          return at + 1;
        }
        const bytes = data.subarray(at, at + 1 + length);
        tokens.push({ kind: 'meta', bytes, code: bytes.toString('utf8', 1).codePointAt(0) ?? 0 });
        return at + 1 + length;
      }
    }
  }

  #unfinished(data: Buffer, at: number, final: boolean, tokens: KeyToken[]): number {
    if (data.length - at > MAXIMUM_SEQUENCE) {
      tokens.push({ kind: 'unknown', bytes: data.subarray(at, at + MAXIMUM_SEQUENCE) });
      return at + MAXIMUM_SEQUENCE;
    }
    if (!final) return at;
    if (data.length - at === 2) {
      const code = data[at + 1] ?? 0;
      tokens.push({ kind: 'meta', bytes: data.subarray(at), code });
    } else tokens.push({ kind: 'unknown', bytes: data.subarray(at) });
    return data.length;
  }

  #csi(data: Buffer, at: number, final: boolean, tokens: KeyToken[]): number {
    // X10 mouse: CSI M and three bytes.
    if (data[at + 2] === 0x4d) {
      // Coordinates start at 32: a control in their place is a key of its own, also where the report is cut short.
      if (data.subarray(at + 3, at + 6).some((byte) => byte < 0x20 || byte === 0x7f)) {
        tokens.push({ kind: 'unknown', bytes: data.subarray(at, at + 3) });
        return at + 3;
      }
      if (data.length < at + 6) {
        return final ? this.#unfinished(data, at, true, tokens) : at;
      }
      tokens.push({ kind: 'mouse', bytes: data.subarray(at, at + 6) });
      return at + 6;
    }
    // The Linux console's F1 to F5: CSI [ letter.
    if (data[at + 2] === 0x5b) {
      if (data.length < at + 4) return final ? this.#unfinished(data, at, true, tokens) : at;
      const letter = data[at + 3] ?? 0;
      if (letter < 0x41 || letter > 0x5a) {
        tokens.push({ kind: 'unknown', bytes: data.subarray(at, at + 3) });
        return at + 3;
      }
      tokens.push(key(data.subarray(at, at + 4), 'function', 0));
      return at + 4;
    }
    for (let i = at + 2; i < data.length && i - at < MAXIMUM_SEQUENCE; i++) {
      const byte = data[i] ?? 0;
      if (byte >= 0x20 && byte < 0x40) continue;
      if (byte >= 0x40 && byte < 0x7f) {
        const token = csiToken(data.subarray(at, i + 1));
        tokens.push(token);
        if (token.kind === 'paste-start') this.#pasting = true;
        return i + 1;
      }
      // A control or a foreign byte inside a sequence: what came before is no key that we know.
      tokens.push({ kind: 'unknown', bytes: data.subarray(at, i) });
      return i;
    }
    return this.#unfinished(data, at, final, tokens);
  }

  #ss3(data: Buffer, at: number, final: boolean, tokens: KeyToken[]): number {
    for (let i = at + 2; i < data.length && i - at < 8; i++) {
      const byte = data[i] ?? 0;
      if (byte >= 0x30 && byte <= 0x3b) continue;
      const letter = String.fromCharCode(byte);
      const name = SS3_LETTERS[letter];
      if (byte >= 0x40 && byte < 0x7f) {
        const bytes = data.subarray(at, i + 1);
        tokens.push(
          name === undefined && !/[j-y]/.test(letter)
            ? { kind: 'unknown', bytes }
            : key(bytes, name ?? 'other', 0),
        );
        return i + 1;
      }
      tokens.push({ kind: 'unknown', bytes: data.subarray(at, i) });
      return i;
    }
    if (data.length - at >= 8) {
      tokens.push({ kind: 'unknown', bytes: data.subarray(at, at + 8) });
      return at + 8;
    }
    return this.#unfinished(data, at, final, tokens);
  }

  /** OSC, DCS, APC, PM: a terminal's answer, ended by BEL or ST. */
  #string(data: Buffer, at: number, final: boolean, tokens: KeyToken[]): number {
    for (let i = at + 2; i < data.length && i - at < MAXIMUM_SEQUENCE; i++) {
      const byte = data[i] ?? 0;
      if (byte === 0x07) {
        tokens.push({ kind: 'report', bytes: data.subarray(at, i + 1) });
        return i + 1;
      }
      if (byte === 0x1b) {
        const next = data[i + 1];
        if (next === undefined) break;
        if (next === 0x5c) {
          tokens.push({ kind: 'report', bytes: data.subarray(at, i + 2) });
          return i + 2;
        }
        tokens.push({ kind: 'unknown', bytes: data.subarray(at, i) });
        return i;
      }
      if (byte < 0x20) {
        // Not an answer after all (Meta-] and typed text): the first two bytes were a key.
        tokens.push({ kind: 'meta', bytes: data.subarray(at, at + 2), code: data[at + 1] ?? 0 });
        return at + 2;
      }
    }
    if (final) {
      tokens.push({ kind: 'meta', bytes: data.subarray(at, at + 2), code: data[at + 1] ?? 0 });
      return at + 2;
    }
    return this.#unfinished(data, at, final, tokens);
  }
}

/** What happens to a command line when this key reaches a line editor, as far as editors' defaults go. */
export function isEnter(token: KeyToken): boolean {
  switch (token.kind) {
    case 'control':
      return token.code === 0x0d || token.code === 0x0a;
    case 'key': {
      if (token.release) return false;
      if (token.key.name === 'enter') return true;
      if ((token.key.modifiers & 4) === 0 || token.codePoint === undefined) return false;
      const letter = String.fromCodePoint(Math.min(token.codePoint, 0x10ffff)).toLowerCase();
      return letter === 'm' || letter === 'j';
    }
    case 'meta':
      return token.code === 0x0d || token.code === 0x0a;
    case 'text':
    case 'paste-start':
    case 'paste-text':
    case 'paste-end':
    case 'mouse':
    case 'focus':
    case 'report':
    case 'escape':
    case 'unknown':
    case 'invalid':
      return false;
  }
}
