// What the user's keys alone say the line is: a small model of each kind of line editor, fed with the same key
// tokens. It knows plain typing and the common edits; at the first key whose effect depends on something it cannot
// see (history, completion, a search) it says so instead of guessing. What it says counts only together with the
// screen.
import type { KeyToken } from './keys.ts';

/**
 * Line editors whose defaults differ in what a key does. `tty` is the kernel's own line discipline; `help-key` is the
 * command line of a network device, where `?` shows help and inserts nothing.
 */
export type Dialect = 'readline' | 'zsh' | 'fish' | 'other-editor' | 'tty' | 'help-key';

interface Line {
  readonly dialect: Dialect;
  before: string[];
  after: string[];
  kill: string[];
}

export type KeysState =
  /** One text for each kind of editor that could be reading; they differ only after keys that editors disagree on. */
  | { readonly kind: 'known'; readonly texts: readonly string[]; readonly cursors: readonly number[] }
  /** `tail`: what was typed since the effect of a key was last unknown, if it must stand before the cursor. */
  | { readonly kind: 'unknown'; readonly because: UnknownBecause; readonly tail: string };

export type UnknownBecause =
  | 'history'
  | 'completion'
  | 'search'
  | 'undo'
  | 'vi'
  | 'key'
  | 'too-long'
  | 'output'
  | 'redrawn';

const DIALECTS: readonly Dialect[] = ['readline', 'zsh', 'fish', 'other-editor', 'tty', 'help-key'];

/** Of what was put in, so much is remembered whatever became of it. Characters. */
const MOST_INSERTED = 4_096;

/** Lines that are followed beside each other: for each kind of editor some. */
const MOST_LINES = 8 * DIALECTS.length;

/** Lines longer than this are read from the screen or refused. */
const MAXIMUM_LINE = 131_072;

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

function characters(text: string): string[] {
  // Plain text is by far the most common; segmenting is only needed beyond it.
  if (/^[\x20-\x7e]*$/.test(text)) return text.split('');
  return Array.from(segmenter.segment(text), (part) => part.segment);
}

const isWordCharacter = (character: string | undefined): boolean =>
  character !== undefined && /[\p{L}\p{N}]/u.test(character);

/**
 * What has been done to the line so far. While it is only typed, every state is new, so a screen that shows the last
 * one shows all of it. After other edits an earlier state may look like the last one while echo is still under way.
 */
export type EditKind = 'typing' | 'erasing' | 'editing';

export class KeysModel {
  #lines: Line[] = [];
  #unknown: UnknownBecause | undefined;
  /** Everything that made the line unknown. */
  readonly #causes = new Set<UnknownBecause>();
  #tail: string[] | undefined = [];
  #quoteNext = false;
  #length = 0;
  #inserted = '';
  #touched = false;
  #edits: EditKind = 'typing';

  constructor() {
    this.reset();
  }

  reset(): void {
    this.#lines = DIALECTS.map((dialect) => ({ dialect, before: [], after: [], kill: [] }));
    this.#unknown = undefined;
    this.#causes.clear();
    this.#tail = [];
    this.#quoteNext = false;
    this.#length = 0;
    this.#inserted = '';
    this.#touched = false;
    this.#edits = 'typing';
  }

  get edits(): EditKind {
    return this.#edits;
  }

  /** A key other than mouse, focus and reports came since the last reset. */
  get touched(): boolean {
    return this.#touched;
  }

  /** The next key goes into the line as it is, whatever it is. */
  get quoting(): boolean {
    return this.#quoteNext;
  }

  /** Characters that were put in, those that were taken out again included. */
  get length(): number {
    return this.#length;
  }

  /**
   * All that was put in, as far as it is remembered: what a reader has that knows none of the keys which take something
   * away.
   */
  get inserted(): string {
    return this.#inserted;
  }

  /** A search of the history was started, and nothing since says more of the line. */
  get searching(): boolean {
    return this.#unknown === 'search';
  }

  /** A completion was asked for, which may have left a list below the line. */
  get completed(): boolean {
    return this.#causes.has('completion');
  }

  /** Completions are all that is not known of the line: it has no rows but those that were typed. */
  get onlyCompleted(): boolean {
    return this.completed && this.#causes.size === 1;
  }

  /** Nothing is on the line for certain. */
  get empty(): boolean {
    return (
      this.#unknown === undefined &&
      this.#lines.every((line) => line.before.length === 0 && line.after.length === 0)
    );
  }

  get state(): KeysState {
    if (this.#unknown !== undefined) {
      return { kind: 'unknown', because: this.#unknown, tail: this.#tail?.join('') ?? '' };
    }
    const texts: string[] = [];
    const cursors: number[] = [];
    for (const line of this.#lines) {
      const text = line.before.join('') + line.after.join('');
      const cursor = line.before.join('').length;
      const same = texts.findIndex((other, index) => other === text && cursors[index] === cursor);
      if (same === -1) {
        texts.push(text);
        cursors.push(cursor);
      }
    }
    return { kind: 'known', texts, cursors };
  }

  /** What was typed so far may have gone to a program that has ended: it is on the line, or nothing is. */
  mayBeEmpty(): void {
    if (this.#unknown !== undefined || this.empty) return;
    const blank = this.#lines.filter(({ before, after }) => before.length === 0 && after.length === 0);
    const without = new Set(this.#lines.map(({ dialect }) => dialect));
    for (const { dialect } of blank) without.delete(dialect);
    for (const dialect of without) this.#lines.push({ dialect, before: [], after: [], kill: [] });
    // Given up so often that nobody can say what is left.
    if (this.#lines.length > MOST_LINES) this.#lose('key');
  }

  /** The caller saw the line change without a key (a redraw by the program, an expansion it asked for). */
  forget(because: UnknownBecause): void {
    this.#unknown ??= because;
    this.#causes.add(because);
    this.#tail = [];
  }

  /** Takes text as inserted literally (a bracketed paste). */
  insert(text: string): void {
    this.#touched = true;
    this.#insert(characters(text));
  }

  apply(token: KeyToken): void {
    switch (token.kind) {
      case 'mouse':
      case 'focus':
      case 'report':
      case 'paste-start':
      case 'paste-end':
        return;
      case 'text':
        this.#touched = true;
        this.#quoteNext = false;
        this.#insert(characters(token.text));
        return;
      case 'paste-text':
        this.insert(token.bytes.toString('utf8').replace(/\r\n?/g, '\n'));
        return;
      case 'control':
        this.#touched = true;
        this.#control(token.code);
        return;
      case 'meta':
        this.#touched = true;
        this.#meta(token.code);
        return;
      case 'key':
        if (token.release) return;
        this.#touched = true;
        this.#key(token);
        return;
      case 'escape':
        this.#touched = true;
        this.#lose('vi');
        return;
      case 'unknown':
      case 'invalid':
        this.#touched = true;
        this.#lose('key');
        return;
    }
  }

  #lose(because: UnknownBecause): void {
    this.#unknown = because;
    this.#causes.add(because);
    this.#tail = [];
    this.#quoteNext = false;
  }

  #insert(inserted: readonly string[]): void {
    this.#length += inserted.length;
    if (this.#inserted.length < MOST_INSERTED) this.#inserted += inserted.join('');
    if (this.#length > MAXIMUM_LINE) {
      this.#lose('too-long');
      for (const line of this.#lines) {
        line.before = [];
        line.after = [];
      }
      return;
    }
    this.#tail?.push(...inserted);
    for (const line of this.#lines) {
      for (const character of inserted) {
        if (character === '?' && line.dialect === 'help-key') continue;
        const last = line.before[line.before.length - 1];
        if (last !== undefined && /^(?:\p{M}|\u200d|\ufe0f)/u.test(character)) {
          line.before[line.before.length - 1] = last + character;
        } else line.before.push(character);
      }
    }
  }

  /** Applies an edit to every editor's line; `false` means that this editor does something we do not model. */
  #edit(edit: (line: Line) => boolean, because: UnknownBecause = 'key'): void {
    if (edit !== backspace) this.#edits = 'editing';
    else if (this.#edits === 'typing') this.#edits = 'erasing';
    if (this.#unknown !== undefined) {
      this.#tail = undefined;
      return;
    }
    this.#tail = undefined;
    this.#lines = this.#lines.filter(edit);
    if (this.#lines.length === 0) this.#lose(because);
  }

  #control(code: number): void {
    if (this.#quoteNext) {
      this.#quoteNext = false;
      if (code !== 0x0a && code !== 0x0d && code !== 0) {
        this.#insert([String.fromCharCode(code)]);
        return;
      }
      this.#lose('key');
      return;
    }
    switch (code) {
      case 0x01:
        this.#edit(home);
        return;
      case 0x02:
        this.#edit(left);
        return;
      case 0x04:
        this.#edit((line) => line.dialect !== 'tty' && deleteForward(line));
        return;
      case 0x05:
        // At the end of the line these, too, take a suggestion where there is one.
        this.#edit((line) => line.after.length > 0 && end(line));
        return;
      case 0x06:
        this.#edit((line) => line.after.length > 0 && right(line));
        return;
      case 0x08:
      case 0x7f:
        if (this.#unknown !== undefined) {
          if (this.#tail !== undefined && this.#tail.length > 0) this.#tail.pop();
          return;
        }
        this.#edit(backspace);
        return;
      case 0x0b:
        this.#edit((line) => {
          if (line.dialect === 'tty') return false;
          line.kill = line.after;
          line.after = [];
          return true;
        });
        return;
      case 0x0c:
        this.#edit((line) => line.dialect !== 'tty');
        return;
      case 0x14:
        this.#edit(transpose);
        return;
      case 0x15:
        this.#edit((line) => {
          if (line.dialect === 'readline' || line.dialect === 'fish') {
            line.kill = line.before;
            line.before = [];
            return true;
          }
          line.kill = [...line.before, ...line.after];
          line.before = [];
          line.after = [];
          return true;
        });
        return;
      case 0x16:
        this.#quoteNext = true;
        return;
      case 0x17:
        this.#edit(killWordBefore);
        return;
      case 0x19:
        this.#edit((line) => {
          if (line.dialect === 'tty') return false;
          line.before.push(...line.kill);
          return true;
        });
        return;
      case 0x09:
        this.#lose('completion');
        return;
      case 0x0e:
      case 0x10:
        this.#lose('history');
        return;
      case 0x12:
      case 0x13:
        this.#lose('search');
        return;
      case 0x1f:
        this.#lose('undo');
        return;
      default:
        this.#lose('key');
    }
  }

  #meta(code: number): void {
    if (this.#unknown !== undefined) {
      this.#tail = undefined;
      return;
    }
    switch (String.fromCodePoint(code)) {
      case 'b':
        this.#edit((line) => line.dialect !== 'tty' && wordLeft(line));
        return;
      case 'f':
        this.#edit((line) => line.dialect === 'readline' && line.after.length > 0 && wordRight(line));
        return;
      default:
        this.#lose('key');
    }
  }

  #key(token: Extract<KeyToken, { kind: 'key' }>): void {
    const plain = token.key.modifiers === 0;
    switch (token.key.name) {
      case 'left':
        this.#edit((line) => plain && line.dialect !== 'tty' && left(line));
        return;
      case 'right':
        // At the end of the line fish, and zsh with suggestions, take the suggestion.
        this.#edit((line) => plain && line.dialect !== 'tty' && line.after.length > 0 && right(line));
        return;
      case 'home':
        this.#edit((line) => plain && line.dialect !== 'tty' && home(line));
        return;
      case 'end':
        this.#edit((line) => plain && line.dialect !== 'tty' && line.after.length > 0 && end(line));
        return;
      case 'delete':
        this.#edit((line) => plain && line.dialect !== 'tty' && deleteForward(line));
        return;
      case 'backspace':
        this.#edit((line) => plain && line.dialect !== 'tty' && backspace(line));
        return;
      case 'up':
      case 'down':
      case 'page-up':
      case 'page-down':
        this.#lose('history');
        return;
      case 'tab':
        this.#lose('completion');
        return;
      case 'insert':
      case 'enter':
      case 'escape':
      case 'function':
      case 'character':
      case 'other':
        this.#lose('key');
        return;
    }
  }
}

function home(line: Line): boolean {
  if (line.dialect === 'tty') return false;
  line.after = [...line.before, ...line.after];
  line.before = [];
  return true;
}

function end(line: Line): boolean {
  if (line.dialect === 'tty') return false;
  line.before.push(...line.after);
  line.after = [];
  return true;
}

function left(line: Line): boolean {
  if (line.dialect === 'tty') return false;
  const character = line.before.pop();
  if (character !== undefined) line.after.unshift(character);
  return true;
}

function right(line: Line): boolean {
  if (line.dialect === 'tty') return false;
  const character = line.after.shift();
  if (character !== undefined) line.before.push(character);
  return true;
}

function backspace(line: Line): boolean {
  line.before.pop();
  return true;
}

function deleteForward(line: Line): boolean {
  line.after.shift();
  return true;
}

function transpose(line: Line): boolean {
  if (line.dialect !== 'readline' && line.dialect !== 'zsh') return false;
  if (line.before.length === 0 || line.before.length + line.after.length < 2) return true;
  const next = line.after.shift();
  if (next !== undefined) line.before.push(next);
  const last = line.before.pop();
  const previous = line.before.pop();
  if (last !== undefined && previous !== undefined) line.before.push(last, previous);
  return true;
}

function killWordBefore(line: Line): boolean {
  if (line.dialect === 'fish' || line.dialect === 'other-editor') {
    // fish stops at path components, others at their own idea of a word: only agreeable when nothing is ambiguous.
    const word = /(\S+)(\s*)$/.exec(line.before.join(''));
    if (word !== null && !/^[\p{L}\p{N}]+$/u.test(word[1] ?? '')) return false;
  }
  const kill: string[] = [];
  while (line.before.length > 0 && /^\s$/.test(line.before[line.before.length - 1] ?? '')) {
    kill.unshift(line.before.pop() ?? '');
  }
  while (line.before.length > 0 && !/^\s$/.test(line.before[line.before.length - 1] ?? '')) {
    kill.unshift(line.before.pop() ?? '');
  }
  line.kill = kill;
  return true;
}

function wordLeft(line: Line): boolean {
  if (line.dialect !== 'readline' && /[^\p{L}\p{N} ]/u.test(line.before.join(''))) return false;
  while (line.before.length > 0 && !isWordCharacter(line.before[line.before.length - 1])) left(line);
  while (line.before.length > 0 && isWordCharacter(line.before[line.before.length - 1])) left(line);
  return true;
}

function wordRight(line: Line): boolean {
  while (line.after.length > 0 && !isWordCharacter(line.after[0])) right(line);
  while (line.after.length > 0 && isWordCharacter(line.after[0])) right(line);
  return true;
}
