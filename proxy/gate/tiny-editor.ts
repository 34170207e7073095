// A line editor small enough to reason about, for the gate's tests: it echoes, moves, submits on CR, LF, ^O, notes what it
// ran, and knows three programs: `login` asks for a password, `vim` takes the screen, and so does `less`, which ends at
// `q` and takes its time. It stands for the device, a part that is not ours. Only tests use it.
export const REPORT_KEY = '\x1b[29~';

export interface EditorHabits {
  /** Announces itself by bracketed paste, as readline, zsh and fish do. */
  readonly announces: boolean;
  /** ^C brings a clean prompt. A user can break that. */
  readonly interruptible: boolean;
  readonly echo: boolean;
  /** Knows the keys that move within a line. */
  readonly moves: boolean;
  /** The program that asks for a password ends without a line feed. */
  readonly silentEnd: boolean;
  /** Told the line at the key `REPORT_KEY`. */
  readonly report: ((line: string) => void) | undefined;
}

export class TinyEditor {
  readonly ran: string[] = [];
  /** Everything that reached the editor. */
  received = Buffer.alloc(0);
  /** What it prints before its line. */
  ps1 = 'alice@dev$ ';
  #habits: EditorHabits;
  #buffer = '';
  /** How far the cursor is from the end of the line. */
  #back = 0;
  #pasting = false;
  #history: string[] = [];
  #asking = false;
  /** Lines of a command whose quote is open. */
  #unfinished = '';
  /** A program has taken the screen and every key. */
  #onScreen: 'vim' | 'less' | undefined;
  /** What was typed since the program on the screen began to end. */
  #ahead: string | undefined;

  constructor(habits: Partial<EditorHabits> = {}) {
    this.#habits = {
      announces: true,
      interruptible: true,
      echo: true,
      moves: true,
      silentEnd: false,
      report: undefined,
      ...habits,
    };
  }

  prompt(): string {
    return this.#habits.announces ? `\x1b[?2004h${this.ps1}` : this.ps1;
  }

  /** Takes input, answers output. */
  take(bytes: Buffer): string {
    this.received = Buffer.concat([this.received, bytes]);
    let out = '';
    const leave = this.#habits.announces ? '\x1b[?2004l' : '';
    for (const match of bytes.toString('utf8').matchAll(/\x1b\[[\d;?]*[A-Za-z~]|\x1bO[A-D]|\x1b.|[\s\S]/gu)) {
      const key = match[0];
      if (this.#ahead !== undefined) {
        this.#ahead += key;
        continue;
      }
      if (this.#onScreen !== undefined) {
        if (this.#onScreen === 'less' && key === 'q') this.#ahead = '';
        continue;
      }
      if (this.#asking) {
        // A program that wants a password: no echo, no editing.
        if (key !== '\r' && key !== '\n') continue;
        this.#asking = false;
        out += this.#habits.silentEnd ? this.prompt() : `\r\n${this.prompt()}`;
      } else if (key === REPORT_KEY) this.#habits.report?.(this.#buffer);
      else if (key === '\x1b[200~') this.#pasting = true;
      else if (key === '\x1b[201~') this.#pasting = false;
      else if (this.#pasting && /[\r\n]/.test(key)) {
        this.#buffer += '\n';
        out += '\r\n';
      } else if (key === '\r' || key === '\n' || key === '\x0f') {
        const line = this.#buffer;
        this.#buffer = '';
        this.#back = 0;
        const command = `${this.#unfinished}${line}`;
        if (command.split("'").length % 2 === 0) {
          this.#unfinished = `${command}\n`;
          out += `\r\n${leave}${this.#habits.announces ? '\x1b[?2004h' : ''}> `;
          continue;
        }
        this.#unfinished = '';
        if (line.startsWith('vim')) {
          this.#onScreen = 'vim';
          out += `\r\n${leave}`;
          continue;
        }
        if (line.startsWith('less')) {
          this.#onScreen = 'less';
          out += `\r\n${leave}\x1b[?1049h`;
          continue;
        }
        if (line !== '') {
          this.ran.push(line);
          this.#history.push(line);
        }
        if (line === 'login') {
          this.#asking = true;
          out += `\r\n${leave}Password: `;
          continue;
        }
        out += `\r\n${leave}${this.prompt()}`;
      } else if (key === '\x03') {
        if (!this.#habits.interruptible) continue;
        this.#buffer = '';
        this.#back = 0;
        this.#unfinished = '';
        out += `^C\r\n${leave}${this.prompt()}`;
      } else if (key === '\x1bOD' || key === '\x1bOC') {
        if (this.#habits.moves) this.#back += key === '\x1bOD' ? 1 : -1;
        else if (this.#habits.echo) out += key.replace('\x1b', '^[');
        this.#back = Math.min(Math.max(this.#back, 0), this.#buffer.length);
        out += this.#habits.moves ? this.#drawn() : '';
      } else if (key === '\x7f') {
        if (this.#buffer.length === this.#back) continue;
        const at = this.#buffer.length - this.#back;
        this.#buffer = this.#buffer.slice(0, at - 1) + this.#buffer.slice(at);
        out += this.#back === 0 ? '\b \b' : this.#drawn();
      } else if (key === '\x1b[A') {
        const last = this.#history[this.#history.length - 1] ?? '';
        out += `${'\b'.repeat(this.#buffer.length)}\x1b[K${last}`;
        this.#buffer = last;
      } else if (key >= ' ' && !key.startsWith('\x1b')) {
        const at = this.#buffer.length - this.#back;
        this.#buffer = this.#buffer.slice(0, at) + key + this.#buffer.slice(at);
        if (this.#habits.echo) out += this.#back === 0 ? key : this.#drawn();
      }
    }
    return out;
  }

  #drawn(): string {
    const back = this.#back === 0 ? '' : `\x1b[${this.#back}D`;
    return `\r\x1b[K${this.ps1}${this.#buffer}${back}`;
  }

  /** `less` has ended: the prompt, and what was typed ahead. */
  late(): string {
    const ahead = Buffer.from(this.#ahead ?? '');
    this.#ahead = undefined;
    this.#onScreen = undefined;
    return `\x1b[?1049l${this.prompt()}${this.take(ahead)}`;
  }

  /** What a window change makes it draw. */
  redraw(): string {
    return this.#habits.announces ? `\r\x1b[K${this.ps1}${this.#buffer}` : '';
  }
}
