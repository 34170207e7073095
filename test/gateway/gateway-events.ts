// Waits for lines of the gateway's log instead of sleeping: each test says which event it needs.
import { setTimeout as delay } from 'node:timers/promises';
import type { Gateway } from '../harness/gateway.ts';

export type LogLine = Readonly<Record<string, unknown>>;

export const logLines = (gateway: Gateway): LogLine[] =>
  gateway.log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine);

/** Looks again until `find` answers something; rejects after `milliseconds`. */
export const eventually = async <T>(
  what: string,
  find: () => T | undefined | false | Promise<T | undefined | false>,
  milliseconds = 20_000,
): Promise<T> => {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await delay(25);
  }
};

/** The first line of this event, from the `skip`th on. */
export const logged = (gateway: Gateway, event: string, skip = 0): Promise<LogLine> =>
  eventually(`the event ${event}`, () => logLines(gateway).filter((line) => line['event'] === event)[skip]);
