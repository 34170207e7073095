// Keeps an attack from flooding the log: the first event of a kind is written at once, the others of the same interval
// are counted and told in one line at its end. Bounded in kinds.

const MOST_KINDS = 1000;

export interface Tally extends Disposable {
  /** `kind` tells apart what is counted together; `fields` are those of the event that is written. */
  count(event: string, kind: string, fields: Readonly<Record<string, unknown>>): void;
}

export const createTally = (
  interval: number,
  write: (event: string, fields: Readonly<Record<string, unknown>>) => void,
): Tally => {
  const more = new Map<string, { event: string; kind: string; count: number }>();
  const timer = setInterval(() => {
    for (const [key, entry] of more) {
      more.delete(key);
      if (entry.count > 0) write(`${entry.event}-often`, { kind: entry.kind, count: entry.count });
    }
  }, interval);
  timer.unref();
  return {
    count: (event, kind, fields) => {
      const key = `${event} ${kind}`;
      const entry = more.get(key);
      if (entry !== undefined) {
        entry.count += 1;
        return;
      }
      if (more.size >= MOST_KINDS) return;
      more.set(key, { event, kind, count: 0 });
      write(event, fields);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
};
