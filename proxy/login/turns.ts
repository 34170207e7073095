// Lets a bounded number of costly checks run at once, with a bounded queue that one source can't fill alone.
// The lock-out is asked, the check made and its failure recorded within one turn, so that a thousand tries sent at
// once can't slip past a limit of five.

export interface Turns {
  /** A turn, to be disposed of when done; undefined at once when too many wait already. */
  take(source: string): Promise<Disposable | undefined>;
}

export interface TurnLimits {
  readonly atOnce: number;
  readonly waiting: number;
  readonly waitingFromOneSource: number;
}

const DEFAULT_LIMITS: TurnLimits = { atOnce: 2, waiting: 64, waitingFromOneSource: 8 };

export function createTurns(limits: TurnLimits = DEFAULT_LIMITS): Turns {
  const queue: { readonly source: string; readonly start: () => void }[] = [];
  let running = 0;

  function finish(): void {
    const next = queue.shift();
    // A waiting one takes the place over, so `running` stays as it is.
    if (next === undefined) running--;
    else next.start();
  }

  function turn(): Disposable {
    let done = false;
    return {
      [Symbol.dispose]() {
        if (done) return;
        done = true;
        finish();
      },
    };
  }

  return {
    async take(source) {
      if (running < limits.atOnce) {
        running++;
        return turn();
      }
      const fromSource = queue.filter((entry) => entry.source === source).length;
      if (queue.length >= limits.waiting || fromSource >= limits.waitingFromOneSource) return undefined;
      await new Promise<void>((start) => queue.push({ source, start }));
      return turn();
    },
  };
}
