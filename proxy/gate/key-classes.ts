// Sorts keys by what they may do to a command line: submit it, edit it, fetch another one, or something that no one
// should be able to do unread. Anything that is not on the safe list counts as dangerous while a blocking rule applies.
import { isEnter, type KeyToken } from '../terminal/keys.ts';

export type KeyClass =
  /** Runs the line in some line editor, or hands it to a reader. */
  | 'submit'
  /** Runs the line and brings another one (`^O`, accept-and-hold). */
  | 'submit-and-next'
  | 'text'
  | 'edit'
  | 'history'
  | 'completion'
  | 'search'
  | 'interrupt'
  | 'end-of-file'
  | 'paste'
  /** Mouse, focus, and what the terminal itself answers. */
  | 'silent'
  /** A lone ESC: vi modes need it; it changes what the next keys mean. */
  | 'escape'
  | 'dangerous';

const SAFE_META = new Set('bBfFdDuUlLcCtTyY<>.-_\x7f\x08npNP'.split(''));

/** Terminal reports longer than this, or of another form, could be text in disguise. */
const REPORT =
  /^\x1b(?:\[[\d;?>=:$ ]*[A-Za-z]|\](?:1[0-9]|4;\d{1,3});rgba?:[\da-fA-F/]{1,24}(?:\x07|\x1b\\)|P[01]\+r[\da-fA-F=;]{0,128}\x1b\\|P>\|[\w .()-]{1,64}\x1b\\|P[01]\$r[\d;: "a-zA-Z]{0,32}\x1b\\)$/;

export function classify(token: KeyToken): KeyClass {
  if (isEnter(token)) return 'submit';
  switch (token.kind) {
    case 'text':
      return 'text';
    case 'paste-start':
    case 'paste-text':
    case 'paste-end':
      return 'paste';
    case 'mouse':
    case 'focus':
      return 'silent';
    case 'report':
      return REPORT.test(token.bytes.toString('latin1')) ? 'silent' : 'dangerous';
    case 'escape':
      return 'escape';
    case 'unknown':
    case 'invalid':
      return 'dangerous';
    case 'control':
      return control(token.code);
    case 'meta': {
      const character = String.fromCodePoint(token.code);
      if (character === 'a' || character === 'A') return 'submit-and-next';
      if (character === 'p' || character === 'n' || character === 'P' || character === 'N') return 'history';
      if (character === '<' || character === '>' || character === '.' || character === '_') return 'history';
      return SAFE_META.has(character) ? 'edit' : 'dangerous';
    }
    case 'key':
      return named(token);
  }
}

function control(code: number): KeyClass {
  switch (code) {
    case 0x01:
    case 0x02:
    case 0x05:
    case 0x06:
    case 0x08:
    case 0x0b:
    case 0x0c:
    // ^Q: without it nobody gets a terminal back that ^S has stopped.
    case 0x11:
    case 0x14:
    case 0x15:
    case 0x16:
    case 0x17:
    case 0x19:
    case 0x1f:
    case 0x7f:
    case 0x07:
      return 'edit';
    case 0x09:
      return 'completion';
    case 0x0e:
    case 0x10:
      return 'history';
    case 0x12:
    case 0x13:
      return 'search';
    case 0x03:
    case 0x1a:
    case 0x1c:
      return 'interrupt';
    case 0x04:
      return 'end-of-file';
    case 0x0f:
      return 'submit-and-next';
    default:
      return 'dangerous';
  }
}

function named(token: Extract<KeyToken, { kind: 'key' }>): KeyClass {
  if (token.release) return 'silent';
  switch (token.key.name) {
    case 'left':
    case 'right':
    case 'home':
    case 'end':
    case 'delete':
    case 'insert':
    case 'backspace':
      return 'edit';
    case 'up':
    case 'down':
    case 'page-up':
    case 'page-down':
      return 'history';
    case 'tab':
      return 'completion';
    case 'enter':
      return 'submit';
    case 'escape':
      return 'escape';
    case 'character': {
      // A keyboard protocol reports the key by character: judge it as the control or Meta key it stands for.
      if (token.codePoint === undefined || token.codePoint > 0x7e) return 'dangerous';
      if ((token.key.modifiers & 4) !== 0) return control(token.codePoint & 0x1f);
      if ((token.key.modifiers & 2) !== 0) {
        return classify({ kind: 'meta', bytes: token.bytes, code: token.codePoint });
      }
      return 'text';
    }
    case 'function':
    case 'other':
      return 'dangerous';
  }
}
