// Whether a multiplexer (tmux, screen and their kin) has the terminal, and what its user may just have asked it for. It
// shows several terminals through one, so the modes that it sets are those of whatever it shows. It is known by the
// approved command that started it, or by what a side channel says, never by its output.
import type { KeyToken } from '../terminal/keys.ts';

const NAMES = 'tmux|screen|byobu|byobu-tmux|byobu-screen|zellij|dtach|abduco|dvtm';
const STARTED = new RegExp(`(?:^|[\\s;&|(/])(?:${NAMES})(?=$|[\\s;&|)])`);
const FOREGROUND = new RegExp(`^(?:${NAMES})(?:$|[^\\w-])`, 'i');

/** ^A and ^B, which screen and tmux take for the start of a key of their own. */
const PREFIXES: ReadonlySet<number> = new Set([0x01, 0x02]);
/** A person answers a question of the multiplexer within this, e.g. whether a window is to be closed. */
const ASKED_BOUND = 10_000;
/** A window change is answered within this. */
const RESIZE_BOUND = 4_000;

export class Multiplexer {
  #state: 'none' | 'started' | 'shown' = 'none';
  #prefixed = false;
  #asked = Number.NEGATIVE_INFINITY;
  #resized = Number.NEGATIVE_INFINITY;

  constructor(program: string | undefined) {
    if (program !== undefined) this.runs(program);
  }

  /** A command was let start. What runs inside a multiplexer does not end it. */
  runs(program: string): void {
    if (this.#state !== 'shown') this.#state = STARTED.test(program) ? 'started' : 'none';
  }

  screenTaken(): void {
    if (this.#state === 'started') this.#state = 'shown';
  }

  screenGivenBack(): void {
    this.#state = 'none';
  }

  /** It has the screen. */
  hasScreen(foreground: string | undefined): boolean {
    return this.#state === 'shown' || FOREGROUND.test(foreground ?? '');
  }

  /** A key was sent that submits nothing. */
  key(token: KeyToken, now: number): void {
    if (this.#prefixed || token.kind === 'mouse') this.#asked = now;
    this.#prefixed = !this.#prefixed && token.kind === 'control' && PREFIXES.has(token.code);
  }

  /** The user's window was changed. */
  resized(now: number): void {
    this.#resized = now;
  }

  /** It was asked, so lately, for another of its terminals, or to go. */
  mayShowAnother(now: number, roundTrip: number): boolean {
    return now - this.#asked < ASKED_BOUND + 2 * roundTrip;
  }

  /** It may be drawing what it shows for a window of another size. */
  mayDrawAnew(now: number, roundTrip: number): boolean {
    return now - this.#resized < RESIZE_BOUND + 2 * roundTrip;
  }
}
