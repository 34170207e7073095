// What a gateway does besides serving sessions, in the process that serves none: carrying events to other systems. It
// owns what it starts and ends it; a duty that fails is logged and goes on, and never ends the gateway.
import type { Config } from '../config/load.ts';
import { createEventLog, EVENTS } from '../events/event-log.ts';
import { DELIVERY_TIMES, startOutputs } from '../siem/delivery.ts';
import type { Store } from '../store/store.ts';
import type { Log } from './log.ts';

export interface Duties extends AsyncDisposable {
  /** The configuration was read again. */
  reconfigure(config: Config): void;
}

export interface DutyParts {
  readonly config: Config;
  readonly store: Store;
  readonly log: Log;
  readonly version: string;
}

export const startDuties = ({ config, store, log, version }: DutyParts): Duties => {
  const events = createEventLog(store);
  const outputs = startOutputs(config.siem.outputs, {
    store,
    producer: { gateway: config.name, version },
    log,
    append: (written) => events.append(written),
    now: Date.now,
    times: DELIVERY_TIMES,
  });
  const stopListening = store.listen(EVENTS, () => outputs.wake());
  return {
    reconfigure: (next) => outputs.reconfigure(next.siem.outputs),
    [Symbol.asyncDispose]: async () => {
      stopListening();
      await outputs[Symbol.asyncDispose]();
    },
  };
};
