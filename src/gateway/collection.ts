// Chooses how eagerly a worker's garbage is collected. V8 by default collects everything after every few megabytes of
// buffers outside of its own heap: right for a worker that signs people in, for it keeps memory small, but a transfer
// then spends half of its time on it and holds up whoever types on the same worker. So while much is passing, such
// buffers count like what is in the heap; afterwards the default holds again, and what has piled up goes.
import { setFlagsFromString } from 'node:v8';

const FLAG = 'external-memory-accounted-in-global-limit';
const LOOK_EVERY = 500;
/** Bytes in one interval that make a transfer. */
const MUCH = 4 * 1024 * 1024;
/** Intervals with little that end it. */
const QUIET_LOOKS = 4;

/** Tells when to collect lazily and when eagerly, from the bytes that have passed so far. */
export class CollectionMode {
  #passed: number;
  #quiet = QUIET_LOOKS;
  #lazy = false;

  constructor(passed: number) {
    this.#passed = passed;
  }

  /** Undefined: as before. */
  look(passed: number): 'lazy' | 'eager' | undefined {
    const much = passed - this.#passed >= MUCH;
    this.#passed = passed;
    this.#quiet = much ? 0 : Math.min(QUIET_LOOKS, this.#quiet + 1);
    const lazy = this.#quiet < QUIET_LOOKS;
    if (lazy === this.#lazy) return undefined;
    this.#lazy = lazy;
    return lazy ? 'lazy' : 'eager';
  }
}

/**
 * For as long as the process runs; `passed` tells the bytes that its connections have brought so far, and `told` hears
 * whether a transfer is going on.
 */
export function adaptCollection(passed: () => number, told: (transferring: boolean) => void): void {
  const mode = new CollectionMode(passed());
  setInterval(() => {
    const change = mode.look(passed());
    if (change === undefined) return;
    setFlagsFromString(change === 'lazy' ? `--${FLAG}` : `--no-${FLAG}`);
    told(change === 'lazy');
  }, LOOK_EVERY).unref();
}
