// The entry of a worker's process: joins the channel to the supervisor with a Worker. Signals from a terminal or a
// service manager are the supervisor's to obey, so they are ignored here; without a supervisor the worker ends.
import { Socket } from 'node:net';
import { bytesReceived, nativeCryptoLoaded } from '../../proxy/transport/transport.ts';
import type { Config } from '../config/load.ts';
import { adaptCollection } from './collection.ts';
import { compose } from './composition.ts';
import { createLog, type Log } from './log.ts';
import { readToWorker, type ToSupervisor } from './messages.ts';
import { Worker } from './worker.ts';

const index = Number(process.argv[2] ?? '0');
/** For recordings to be closed when the process has to end. */
const LAST_WORDS = 3000;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const send = (message: ToSupervisor): void => {
  if (process.connected) process.send?.(message);
};

const ended = (log: Log, code: number): void => {
  log.flush();
  process.exit(code);
};

const start = async (config: Config, log: Log): Promise<Worker> => {
  const composition = await compose(config, {
    log,
    workerPid: process.pid,
    sendNotice: (topic, payload) => send({ kind: 'notice', topic, payload }),
  });
  return new Worker(composition, log, send);
};

const main = (): void => {
  let worker: Worker | undefined;
  let log: Log = createLog({ level: 'info', pretty: false });
  let ending = false;

  const end = (code: number, reason: string, tell: string): void => {
    if (ending) return;
    ending = true;
    const stopped = worker === undefined ? Promise.resolve() : worker.stop(reason, tell, LAST_WORDS);
    stopped
      .catch((error: unknown) => log.error('worker.stop-failed', { error }))
      .finally(() => ended(log, code));
  };

  const failed = (event: string) => (error: unknown) => {
    log.error(event, { error });
    // Whatever state this left behind is not to be trusted: the sessions end, and another worker takes over.
    end(70, 'worker-failed', 'The gateway had an internal error; this session ends. Please connect again.');
  };
  process.on('uncaughtException', failed('worker.uncaught-exception'));
  process.on('unhandledRejection', failed('worker.unhandled-rejection'));
  process.on('disconnect', () => {
    end(0, 'gateway-lost', 'The gateway went away; this session ends. Please connect again.');
  });

  process.once('message', (first) => {
    const message = readToWorker(first);
    if (message.kind !== 'configure') throw new Error('the first message must be the configuration');
    const config: Config = JSON.parse(message.config);
    log = createLog({ level: config.log.level, pretty: config.log.pretty }).with({ worker: index });
    start(config, log).then(
      (started) => {
        worker = started;
        adaptCollection(bytesReceived, (on) => send({ kind: 'transferring', on }));
        send({ kind: 'up', nativeCrypto: nativeCryptoLoaded() });
      },
      (error: unknown) => {
        log.error('worker.start-failed', { error });
        send({ kind: 'failed', problem: error instanceof Error ? error.message : String(error) });
        setTimeout(() => ended(log, 1), 50);
      },
    );
    process.on('message', (later, handle) => {
      const told = readToWorker(later);
      if (told.kind === 'stop') end(0, 'gateway-stopped', 'This gateway is going down for maintenance.');
      else worker?.onMessage(told, handle instanceof Socket ? handle : undefined);
    });
  });
};

main();
