// The gate's clock and its bounds: what was last heard from either side, how long silence must last before it means
// something, and how long each wait may take at most. All times are milliseconds on the caller's clock; nothing here
// starts a timer. The clock can stand still, while an administrator holds the session.

/** A line whose echo never settles is read as it stands after this long, plus two round trips. */
export const SETTLE_BOUND = 1_000;
/** How long the echo of the last key may be under way while nothing else happens, plus two round trips. */
export const ECHO_BOUND = 350;
/** The same at a prompt, where a stall is likelier than a line that is typed blind. */
export const PROMPT_ECHO_BOUND = 2_000;
/** The same where a part of the line is back: the rest is on its way. */
export const REST_BOUND = 4_000;
/** After a release, input waits for the prompt at most this long, plus two round trips. */
export const PROMPT_BOUND = 1_200;
/** A line that was taken back, or typed anew, must be seen so within this and two round trips: a busy device takes its time. */
export const ERASE_BOUND = 4_000;
export const RETYPE_BOUND = 4_000;
/** A line editor that is asked to prove what it has shows that within this and two round trips, and shows it gone again. */
export const PROOF_BOUND = 2_000;
/** A line editor that seems to have left must be seen to read on within this and two round trips. */
export const LEFT_BOUND = 2_000;
export const VERDICT_BOUND = 60_000;
export const ASK_BOUND = 120_000;
/** How long the rest of a paste may be under way. */
export const PASTE_BOUND = 10_000;
/** Silence that makes the next key the first one behind a prompt. */
export const ANCHOR_SILENCE = 120;
/** How long a lone ESC may be the beginning of a key. */
export const ESCAPE_WAIT = 50;
/** While something is waited for on screen, the gate looks again this often. */
export const LOOK_AGAIN = 8;

/** How long a line editor that has come up must be silent to be ready: some do so before they print their prompt. */
export function editorSilence(prompt: 'known' | 'alike' | 'no', column: number): number {
  if (prompt === 'known') return 8;
  return column === 0 ? 200 : 30;
}

const MOST_ROUND_TRIP = 5_000;

export class Timing {
  #now: number;
  /** Time that the gate stood still for: it is left out of every count here. */
  #stood = 0;
  #roundTrip: number;
  #lastDevice: number;
  #lastKey: number;

  constructor(now: number, roundTrip: number) {
    this.#now = now;
    this.#roundTrip = Math.max(0, roundTrip);
    this.#lastDevice = now;
    this.#lastKey = now;
  }

  get now(): number {
    return this.#now;
  }

  /** From the gateway to the device and back. */
  get roundTrip(): number {
    return this.#roundTrip;
  }

  /** When the device was last heard. */
  get lastDevice(): number {
    return this.#lastDevice;
  }

  /** When a key, or anything else that the line editor answers, last went to the device. */
  get lastKey(): number {
    return this.#lastKey;
  }

  /** How long the device has been silent. */
  get silent(): number {
    return this.#now - this.#lastDevice;
  }

  /** `now` on the caller's clock. */
  set(now: number): void {
    this.#now = now - this.#stood;
  }

  /** The clock stood still until `now` on the caller's clock. */
  stoodUntil(now: number): void {
    this.#stood = Math.max(this.#stood, now - this.#now);
  }

  /** A time of here on the caller's clock, and back. */
  outside(time: number): number {
    return time + this.#stood;
  }

  inside(time: number): number {
    return time - this.#stood;
  }

  measured(roundTrip: number): void {
    if (Number.isFinite(roundTrip)) this.#roundTrip = Math.min(MOST_ROUND_TRIP, Math.max(0, roundTrip));
  }

  heardDevice(): void {
    this.#lastDevice = this.#now;
  }

  sentKey(): void {
    this.#lastKey = this.#now;
  }

  since(time: number): number {
    return this.#now - time;
  }

  /** `bound` and two round trips have passed since then. */
  isLate(since: number, bound: number): boolean {
    return this.#now - since >= bound + 2 * this.#roundTrip;
  }

  /** The device was heard so late after `time` that it may have answered what was sent then. */
  mayAnswer(time: number): boolean {
    return this.#lastDevice >= time + 0.8 * this.#roundTrip;
  }

  /** Enough has passed since then, and enough silence, for all echo to be back. `slow`: keys that make editors think. */
  isQuiet(since: number, slow: boolean): boolean {
    const base = Math.max(30, 1.6 * this.#roundTrip + 12);
    const wait = slow ? Math.max(90, base + 50) : base;
    const silence = Math.max(slow ? 40 : 20, 0.4 * this.#roundTrip);
    return this.#now - since >= wait && this.silent >= silence;
  }
}
