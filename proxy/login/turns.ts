// Lets a bounded number of costly checks run at once, with a bounded queue in which sources take turns. A flood, also one
// from many sources, can't keep others out: who waits least pushes out the last of whoever waits most, and a part of the
// queue is kept for sources from which somebody has signed in. The lock-out is asked, the check made and its failure
// recorded within one turn, so that a thousand tries sent at once can't slip past a limit of five.

export interface Turns {
  /** A turn, to be disposed of when done; undefined when too many wait already, or when it was pushed out. */
  take(source: string): Promise<Disposable | undefined>;
  /** Somebody has signed in from there: it may have one of the places that are kept. */
  proven(source: string): void;
}

export interface TurnLimits {
  readonly atOnce: number;
  readonly waiting: number;
  readonly waitingFromOneSource: number;
  /** Of `waiting`: places that only proven sources get. */
  readonly keptForProven: number;
}

const DEFAULT_LIMITS: TurnLimits = { atOnce: 2, waiting: 64, waitingFromOneSource: 8, keptForProven: 24 };
/** Sources that are remembered as proven; those that were so longest ago are forgotten first. */
const PROVEN = 4096;

type Start = (admitted: boolean) => void;

export function createTurns(limits: TurnLimits = DEFAULT_LIMITS): Turns {
  /** By source, in the order in which the sources are served; none is empty. */
  const queue = new Map<string, Start[]>();
  const proven = new Set<string>();
  let running = 0;
  let waiting = 0;
  let waitingUnproven = 0;

  function left(source: string, rest: readonly Start[]): void {
    waiting--;
    if (!proven.has(source)) waitingUnproven--;
    if (rest.length === 0) queue.delete(source);
  }

  function finish(): void {
    const [next] = queue;
    if (next === undefined) {
      running--;
      return;
    }
    const [source, starts] = next;
    const start = starts.shift();
    left(source, starts);
    if (queue.delete(source)) queue.set(source, starts);
    // The waiting one takes the place over, so `running` stays as it is.
    start?.(true);
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

  /** Makes room for a source that has `own` waiting; among unproven sources only, if so told. */
  function pushOut(own: number, unprovenOnly: boolean): boolean {
    let most: readonly [string, Start[]] | undefined;
    for (const entry of queue) {
      if (unprovenOnly && proven.has(entry[0])) continue;
      if (entry[1].length > (most?.[1].length ?? own + 1)) most = entry;
    }
    if (most === undefined) return false;
    const [source, starts] = most;
    const last = starts.pop();
    left(source, starts);
    last?.(false);
    return true;
  }

  function hasRoom(source: string, own: number): boolean {
    if (own >= limits.waitingFromOneSource) return false;
    if (!proven.has(source) && waitingUnproven >= limits.waiting - limits.keptForProven)
      return pushOut(own, true);
    return waiting < limits.waiting || pushOut(own, false);
  }

  return {
    async take(source) {
      if (running < limits.atOnce) {
        running++;
        return turn();
      }
      if (!hasRoom(source, queue.get(source)?.length ?? 0)) return undefined;
      waiting++;
      if (!proven.has(source)) waitingUnproven++;
      const admitted = await new Promise<boolean>((start) => {
        const starts = queue.get(source);
        if (starts === undefined) queue.set(source, [start]);
        else starts.push(start);
      });
      return admitted ? turn() : undefined;
    },

    proven(source) {
      if (!proven.has(source)) waitingUnproven -= queue.get(source)?.length ?? 0;
      proven.delete(source);
      proven.add(source);
      if (proven.size <= PROVEN) return;
      const [oldest] = proven;
      if (oldest === undefined) return;
      proven.delete(oldest);
      waitingUnproven += queue.get(oldest)?.length ?? 0;
    },
  };
}
