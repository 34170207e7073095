// Whether a way of making a line editor redraw works in this channel; given up after two misses until it is seen to work.

const MOST_MISSES = 2;

export class Tried {
  #worked = false;
  #misses = 0;

  get worked(): boolean {
    return this.#worked;
  }

  get worthTrying(): boolean {
    return this.#worked || this.#misses < MOST_MISSES;
  }

  note(worked: boolean): void {
    if (worked) this.#worked = true;
    else this.#misses += 1;
  }
}
