// A worker that lives in the supervisor's process: for a machine with one core to spare, and for tests. What takes it
// down takes the gateway down, so there is nothing to restart.

import { allowReading } from '../../proxy/server/listener.ts';
import { nativeCryptoLoaded } from '../../proxy/transport/transport.ts';
import type { Config } from '../config/load.ts';
import { compose } from './composition.ts';
import type { Log } from './log.ts';
import type { ToWorker } from './messages.ts';
import { Worker } from './worker.ts';
import type { StartWorker } from './worker-pool.ts';

const LAST_WORDS = 3000;

export const inProcessWorkers =
  (config: () => Config, log: Log): StartWorker =>
  (_index, events) => {
    let phase: 'running' | 'gone' = 'running';
    const gone = (how: string): void => {
      if (phase === 'gone') return;
      phase = 'gone';
      queueMicrotask(() => events.onExit(how));
    };
    const started = compose(config(), {
      log,
      workerPid: process.pid,
      sendNotice: (topic, payload) => events.onMessage({ kind: 'notice', topic, payload }),
    }).then((composition) => new Worker(composition, log, (message) => events.onMessage(message)));
    started.then(
      () => events.onMessage({ kind: 'up', nativeCrypto: nativeCryptoLoaded() }),
      (error: unknown) => gone(error instanceof Error ? error.message : String(error)),
    );
    const deliver = (worker: Worker, message: ToWorker, socket: Parameters<Worker['onMessage']>[1]): void => {
      if (message.kind !== 'stop') worker.onMessage(message, socket);
      else
        void worker
          .stop('gateway-stopped', 'This gateway is going down for maintenance.', LAST_WORDS)
          .finally(() => gone('stopped'));
    };
    return {
      pid: process.pid,
      send: (message, socket, sent) => {
        started.then(
          (worker) => {
            deliver(worker, message, socket === undefined ? undefined : allowReading(socket));
            sent?.(null);
          },
          (error: unknown) => sent?.(error instanceof Error ? error : new Error(String(error))),
        );
      },
      kill: () => gone('killed'),
    };
  };
