// Decides which typed text may be stored: only what the device showed again right after it was typed. A password is
// not echoed, so nothing of its line is kept. Works a line at a time, all or nothing, and errs to "not stored":
// what redraws in an unusual way is simply not kept as input (the output shows it anyway). It is a filter for
// privacy, not a reader of commands. Pure: text in, verdicts out.

export type EchoVerdict =
  /** The line, with its control keys and the submit key, was shown by the device and may be stored. */
  | { readonly kind: 'echoed'; readonly text: string }
  /** So many keys were typed, the submit key not counted, that the device did not show. Their text is not told. */
  | { readonly kind: 'hidden'; readonly keys: number };

/** Lines longer than this are not judged but hidden. Characters. */
const maximumLine = 4096;
/** Lines typed ahead that may wait for their echo; when there are more, all are hidden. */
const maximumWaiting = 64;
/** Output longer than this in one piece isn't taken for the echo of what is typed key by key. Characters. */
const longestEcho = 512;

// Cursor movement, colours and titles that line editors put around an echo, backspaces and bells. CR and LF stay:
// a new line *before* the text means that the text was not echoed.
const decoration =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[()][0-9A-B]|\u001b[=>78DM]|[\u0007\b]/g;
// One control key, or a run of printable text.
const keystroke = /\u001b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|.)?|[\u0000-\u001f\u007f]|[^\u0000-\u001f\u007f]+/gu;

// Keys as codes, which programs may ask terminals for: CSI u (kitty), modifyOtherKeys, win32-input-mode. No echo tells
// whether what they spell was shown.
const spelled = /^\u001b\[(?:[\d:;]*[u_]|27;\d+;\d+~)$/;

interface Line {
  /** Everything typed, control keys included. */
  text: string;
  /** Characters and control keys typed before the submit key. */
  keys: number;
  /** Printable text that the device has not shown yet. */
  owed: string;
  shown: 'so far' | 'no';
  submitted: boolean;
}

function emptyLine(): Line {
  return { text: '', keys: 0, owed: '', shown: 'so far', submitted: false };
}

export class EchoMatcher {
  #waiting: Line[] = [];
  #line = emptyLine();

  /** Takes decoded keys; answers the lines that are settled by them. */
  typed(text: string): EchoVerdict[] {
    for (const [key] of text.matchAll(keystroke)) {
      const line = this.#line;
      line.text += key;
      if (key === '\r' || key === '\n' || key === '\u0003' || key === '\u0004' || key === '\u001a') {
        line.submitted = true;
        this.#waiting.push(line);
        this.#line = emptyLine();
      } else if (!/^[\u0000-\u001f\u007f]/.test(key)) {
        line.owed += key;
        line.keys += [...key].length;
      } else {
        line.keys += 1;
        if (spelled.test(key)) line.shown = 'no';
      }
      if (line.text.length > maximumLine) {
        line.shown = 'no';
        line.text = '';
        line.owed = '';
      }
    }
    if (this.#waiting.length > maximumWaiting) {
      for (const line of this.#waiting) line.shown = 'no';
    }
    return this.#settle();
  }

  /** Takes decoded output; answers the lines that are settled by it. */
  shown(text: string): EchoVerdict[] {
    if (this.#waiting.length === 0 && this.#line.owed === '') return [];
    let visible = text.slice(0, 8 * longestEcho).replace(decoration, '');
    for (const line of [...this.#waiting, this.#line]) {
      if (line.shown === 'no' || line.owed === '') continue;
      if (visible === '') break;
      const start = commonPrefix(visible, line.owed);
      if (start > 0) {
        visible = visible.slice(start);
        line.owed = line.owed.slice(start);
        // A submitted line is shown whole or not at all; what follows its echo is the next line's matter.
        if (line.owed === '' && line.submitted) {
          visible = visible.replace(/^[\r\n]+/, '');
          continue;
        }
        if (line.owed === '') break;
        if (visible !== '') line.shown = 'no';
        continue;
      }
      const tail = line.submitted || visible.length > longestEcho ? 0 : matchAtEnd(visible, line.owed);
      if (tail > 0) {
        line.owed = line.owed.slice(tail);
        break;
      }
      line.shown = 'no';
    }
    return this.#settle();
  }

  /** The end of the channel: what is still open is not stored. */
  finish(): EchoVerdict[] {
    const rest = [...this.#waiting, this.#line].filter((line) => line.owed !== '' || line.shown === 'no');
    this.#waiting = [];
    this.#line = emptyLine();
    return rest.map(({ keys }) => ({ kind: 'hidden', keys }));
  }

  #settle(): EchoVerdict[] {
    const verdicts: EchoVerdict[] = [];
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined) return verdicts;
      if (first.shown === 'so far' && first.owed !== '') return verdicts;
      this.#waiting.shift();
      verdicts.push(
        first.shown === 'no' ? { kind: 'hidden', keys: first.keys } : { kind: 'echoed', text: first.text },
      );
    }
  }
}

function commonPrefix(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n += 1;
  return n;
}

/** How many characters of `owed`, from its start, stand at the end of `visible`. */
function matchAtEnd(visible: string, owed: string): number {
  if (visible.includes('\n')) return 0;
  for (let n = Math.min(visible.length, owed.length); n > 0; n -= 1) {
    if (visible.endsWith(owed.slice(0, n))) return n;
  }
  return 0;
}
