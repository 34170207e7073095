// Collects what the gate wants done until its caller fetches it. Text of the gate's own also goes onto its model of the
// screen, so that the model stays what the user sees, and no control character of a rule's notice ever acts on a terminal.
import type { LazyScreen } from '../terminal/lazy-screen.ts';
import { writtenEnd } from '../terminal/prompt.ts';
import type { GateAction, GateAlarm, Outcome } from './gate-types.ts';

const BELL = Buffer.from('\x07');
/** A line is not followed further down than this many rows. */
const MOST_ROWS_BELOW = 50;

export class Actions {
  readonly #screen: LazyScreen;
  #list: GateAction[] = [];

  constructor(screen: LazyScreen) {
    this.#screen = screen;
  }

  take(): GateAction[] {
    const list = this.#list;
    this.#list = [];
    return list;
  }

  add(action: GateAction): void {
    this.#list.push(action);
  }

  toDevice(bytes: Buffer, origin: 'user' | 'gate'): void {
    const last = this.#list[this.#list.length - 1];
    if (last?.kind === 'toDevice' && last.origin === origin) {
      this.#list[this.#list.length - 1] = {
        kind: 'toDevice',
        bytes: Buffer.concat([last.bytes, bytes]),
        origin,
      };
      return;
    }
    this.#list.push({ kind: 'toDevice', bytes, origin });
  }

  toClient(bytes: Buffer): void {
    this.#list.push({ kind: 'toClient', bytes, origin: 'gate' });
    this.#screen.write(bytes);
  }

  /** Moves the user's cursor below the whole line, so that nothing is written over it. */
  below(): void {
    const cursor = this.#screen.cursor;
    let row = cursor.row;
    while (row - cursor.row < MOST_ROWS_BELOW) {
      const next = this.#screen.row(row + 1);
      if (next === undefined || writtenEnd(next.cells) === 0) break;
      row += 1;
    }
    this.toClient(Buffer.from('\r\n'.repeat(row - cursor.row + 1)));
  }

  notify(notice: string): void {
    if (notice === '') return;
    this.below();
    const lines = notice.split('\n').map((line) => harmless(line));
    this.toClient(Buffer.from(`${lines.join('\r\n')}\r\n`));
  }

  question(text: string): void {
    this.below();
    this.toClient(Buffer.from(`${harmless(text)} `));
  }

  refusedKey(bytes: Buffer, because: string): void {
    this.#list.push({ kind: 'refusedKey', bytes, because });
    this.toClient(BELL);
  }

  outcome(id: number, outcome: Outcome, text: string): void {
    this.#list.push({ kind: 'outcome', id, outcome, text });
  }

  alarm(alarm: GateAlarm, detail: string): void {
    this.#list.push({ kind: 'alarm', alarm, detail });
  }
}

/** Notices come from rules: nothing in them may act on a terminal. */
function harmless(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ');
}
