// Watching live sessions from outside their worker: the supervisor asks the worker, and passes lines on to whoever
// reads them. A watcher's queue is bounded by what its worker may have on its way (recordings/live.ts); each line
// is one LiveEvent as JSON. Who may watch is decided, and noted, before it comes to this.
import type { ToWorker } from './messages.ts';

/** The lines of one watch, to its end. Leaving the loop, or disposing of it, ends the watch. For one reader. */
export interface Watching extends AsyncIterable<string>, Disposable {}

const MOST_WATCHES = 64;
/** So many characters are read before the worker is told. */
const TELL_AFTER = 32 * 1024;

interface Watch {
  readonly worker: number;
  readonly lines: string[];
  read: number;
  phase: 'open' | 'over';
  wake: (() => void) | undefined;
}

export class Watches {
  readonly #tell: (worker: number, message: ToWorker) => boolean;
  readonly #watches = new Map<number, Watch>();
  #last = 0;

  constructor(tell: (worker: number, message: ToWorker) => boolean) {
    this.#tell = tell;
  }

  /** Undefined when there are too many watchers, or the worker is gone. */
  open(worker: number, session: string, by: string): Watching | undefined {
    if (this.#watches.size >= MOST_WATCHES) return undefined;
    this.#last += 1;
    const number = this.#last;
    const watch: Watch = { worker, lines: [], read: 0, phase: 'open', wake: undefined };
    if (!this.#tell(worker, { kind: 'watch', watch: number, session, by })) return undefined;
    this.#watches.set(number, watch);
    const end = (): void => {
      if (this.#watches.delete(number)) this.#tell(worker, { kind: 'watch-end', watch: number });
      over(watch);
    };
    const read = (line: string): void => {
      watch.read += line.length;
      if (watch.read < TELL_AFTER && watch.lines.length > 0) return;
      this.#tell(worker, { kind: 'watch-read', watch: number, characters: watch.read });
      watch.read = 0;
    };
    const lines = async function* (): AsyncGenerator<string, void, undefined> {
      try {
        for (;;) {
          const line = watch.lines.shift();
          if (line !== undefined) {
            read(line);
            yield line;
          } else if (watch.phase === 'over') return;
          else
            await new Promise<void>((resolve) => {
              watch.wake = resolve;
            });
        }
      } finally {
        end();
      }
    };
    return { [Symbol.asyncIterator]: lines, [Symbol.dispose]: end };
  }

  /** What a worker says of a watch. */
  hear(number: number, lines: readonly string[], ended: boolean): void {
    const watch = this.#watches.get(number);
    if (watch === undefined) return;
    watch.lines.push(...lines);
    if (ended) {
      this.#watches.delete(number);
      over(watch);
    } else wake(watch);
  }

  /** A worker is gone, and its sessions with it. */
  lost(worker: number): void {
    for (const [number, watch] of this.#watches) {
      if (watch.worker !== worker) continue;
      this.#watches.delete(number);
      over(watch);
    }
  }
}

const wake = (watch: Watch): void => {
  watch.wake?.();
  watch.wake = undefined;
};

const over = (watch: Watch): void => {
  watch.phase = 'over';
  wake(watch);
};
