// `sallyport serve`: reads the configuration and runs the gateway until it is told to end. What the gateway is made of
// lives in src/gateway; this only turns options, signals and errors into what a shell understands.
import type { Command } from 'commander';
import { ConfigError, loadConfig } from '../config/load.ts';
import { runGateway } from '../gateway/gateway.ts';
import { createLog } from '../gateway/log.ts';

interface ServeOptions {
  readonly config?: string;
  readonly pretty?: boolean;
}

/** What a script can tell from the exit code; docs/operations.md lists them. */
const EXIT = { ended: 0, failed: 1, configuration: 2 } as const;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? `${String(error.code)}: ` : '';

/** Resolves to the exit code. */
export const serve = async (options: ServeOptions): Promise<number> => {
  const read = (): ReturnType<typeof loadConfig> => {
    const config = loadConfig({ file: options.config });
    return options.pretty === true ? { ...config, log: { ...config.log, pretty: true } } : config;
  };
  const drain = new AbortController();
  const urgent = new AbortController();
  try {
    const config = read();
    const log = createLog(config.log);
    const told = (signal: NodeJS.Signals): void => {
      log.info('gateway.signalled', { signal });
      if (drain.signal.aborted) urgent.abort();
      else drain.abort();
    };
    process.on('SIGTERM', told);
    process.on('SIGINT', told);
    // A reader of the log that goes away (a closed pipe) must not end the gateway.
    process.stdout.on('error', () => {});
    process.stderr.on('error', () => {});
    await runGateway({
      config,
      log,
      reread: read,
      until: drain.signal,
      urgently: urgent.signal,
      onReady: (supervisor) => process.on('SIGHUP', () => supervisor.reload()),
    });
    return EXIT.ended;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${error instanceof ConfigError ? '' : codeOf(error)}${text}\n`);
    return error instanceof ConfigError ? EXIT.configuration : EXIT.failed;
  }
};

export const registerServe = (program: Command): void => {
  program
    .command('serve')
    .description('run the gateway')
    .option('--config <file>', 'configuration file (default: ./sallyport.yaml where there is one)')
    .option('--pretty', 'log for people instead of JSON')
    .action(async (options: ServeOptions) => {
      // The gateway has ended everything it owns by now; a lingering socket must not keep the process.
      process.exit(await serve(options));
    });
};
