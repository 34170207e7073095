// The entry of the API's process, which the gateway starts beside its workers so that no SSH connection shares memory with
// it. It hears of the store's messages through the gateway, and ends with it.
import { type FromAdmin, loadedConfig, readToAdmin } from '../gateway/admin-messages.ts';
import { createLog, type Log } from '../gateway/log.ts';
import { createNotices } from '../gateway/notices.ts';
import { type OpenedApi, openApi } from './open.ts';

/** For answers under way when the process has to end. */
const LAST_WORDS = 3_000;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const send = (message: FromAdmin): void => {
  if (process.connected) process.send?.(message);
};

const main = (): void => {
  let log: Log = createLog({ level: 'info', pretty: false });
  let opened: Promise<OpenedApi> | undefined;
  let phase: 'running' | 'ending' = 'running';
  const notices = createNotices((topic, payload) => send({ kind: 'notice', topic, payload }));

  const end = (code: number): void => {
    if (phase === 'ending') return;
    phase = 'ending';
    const exit = (): void => {
      log.flush();
      process.exit(code);
    };
    setTimeout(exit, LAST_WORDS).unref();
    Promise.resolve(opened)
      .then((api) => api?.[Symbol.asyncDispose]())
      .catch((error: unknown) => log.error('admin.stop-failed', { error }))
      .finally(exit);
  };

  const failed = (event: string) => (error: unknown) => {
    log.error(event, { error });
    end(70);
  };
  process.on('uncaughtException', failed('admin.uncaught-exception'));
  process.on('unhandledRejection', failed('admin.unhandled-rejection'));
  process.on('disconnect', () => end(0));

  process.on('message', (received) => {
    const message = readToAdmin(received);
    switch (message.kind) {
      case 'configure': {
        const config = loadedConfig(message.config);
        log = createLog({ level: config.log.level, pretty: config.log.pretty }).with({ part: 'admin' });
        opened = openApi(config, { log, notices, version: message.version });
        opened.then(
          (api) => send({ kind: 'up', urls: [...api.urls] }),
          (error: unknown) => {
            const problem = error instanceof Error ? error.message : String(error);
            log.error('admin.start-failed', { error });
            send({ kind: 'failed', problem });
            opened = undefined;
            end(1);
          },
        );
        return;
      }
      case 'reconfigure': {
        const config = loadedConfig(message.config);
        opened?.then(
          (api) => api.reconfigure(config),
          () => {},
        );
        return;
      }
      case 'notice':
        notices.hear(message.topic, message.payload);
        return;
      case 'stop':
        end(0);
        return;
      default:
        message satisfies never;
    }
  });
};

main();
