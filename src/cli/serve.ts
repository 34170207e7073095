// `sallyport serve` runs the gateway until it is told to end; `health`, `reload` and `drain` speak to one that runs. What
// the gateway is made of lives in src/gateway; this only turns options, signals and errors into what a shell understands.
import type { Command } from 'commander';
import { type Config, loadConfig } from '../config/load.ts';
import { drainGateway, gatewayHealth, type Health, reloadGateway } from '../gateway/control-client.ts';
import { EXIT, verdictOf } from './exit.ts';

interface ConfigOption {
  readonly config?: string;
}

interface ServeOptions extends ConfigOption {
  readonly pretty?: boolean;
}

/** Resolves to the exit code. */
const serve = async (options: ServeOptions): Promise<number> => {
  const read = (): Config => {
    const config = loadConfig({ file: options.config });
    return options.pretty === true ? { ...config, log: { ...config.log, pretty: true } } : config;
  };
  const drain = new AbortController();
  const urgent = new AbortController();
  try {
    // Loaded here: the other commands start in a fraction of the time that the whole gateway takes to load.
    const [{ runGateway }, { createLog }] = await Promise.all([
      import('../gateway/gateway.ts'),
      import('../gateway/log.ts'),
    ]);
    const config = read();
    const log = createLog(config.log);
    const told = (signal: NodeJS.Signals): void => {
      log.info('gateway.signalled', { signal });
      if (drain.signal.aborted) urgent.abort();
      else drain.abort();
    };
    process.on('SIGTERM', told);
    process.on('SIGINT', told);
    await runGateway({
      config,
      log,
      reread: read,
      until: drain.signal,
      urgently: urgent.signal,
      onReady: (supervisor) => process.on('SIGHUP', () => supervisor.reload()),
    });
    return EXIT.ok;
  } catch (error) {
    const { text, exitCode } = verdictOf(error);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
};

const showHealth = (health: Health): string => {
  const { state, version, pid, addresses, connections, unauthenticated, sessions, workers } = health;
  return [
    `${state}: Sallyport ${version}, process ${pid}, since ${new Date(health.startedAt).toISOString()}`,
    `listening on ${addresses.join(', ') || 'nothing'}`,
    `${sessions} sessions on ${connections} connections, ${unauthenticated} of them not signed in`,
    ...workers.map(
      (worker, index) =>
        `worker ${index}: ${worker.state}, process ${worker.pid}, ${worker.connections} connections, restarted ${worker.restarts} times`,
    ),
    ...(health.nativeCrypto ? [] : ["ssh2's native crypto did not load: bulk transfers are slow"]),
    '',
  ].join('\n');
};

const CONFIG_OPTION = [
  '--config <file>',
  'configuration file (default: ./sallyport.yaml where there is one)',
] as const;

export const registerServe = (program: Command): void => {
  program
    .command('serve')
    .description('run the gateway')
    .option(...CONFIG_OPTION)
    .option('--pretty', 'log for people instead of JSON')
    .action(async (options: ServeOptions) => {
      // The gateway has ended everything it owns by now; a lingering socket must not keep the process.
      process.exit(await serve(options));
    });
  program
    .command('health')
    .description('tell how the running gateway is; fails unless it is ready')
    .option(...CONFIG_OPTION)
    .option('--json', 'one JSON object')
    .action(async (options: ConfigOption & { readonly json?: boolean }) => {
      const health = await gatewayHealth(loadConfig({ file: options.config }));
      process.stdout.write(options.json === true ? `${JSON.stringify(health)}\n` : showHealth(health));
      if (health.state !== 'ready') process.exitCode = EXIT.failed;
    });
  program
    .command('reload')
    .description('let the running gateway read its configuration again')
    .option(...CONFIG_OPTION)
    .action(async (options: ConfigOption) => {
      const needRestart = await reloadGateway(loadConfig({ file: options.config }));
      process.stdout.write('reloaded\n');
      for (const key of needRestart) process.stdout.write(`${key} takes effect at the next start\n`);
    });
  program
    .command('drain')
    .description('let the running gateway take nobody new and end when its sessions have ended')
    .option(...CONFIG_OPTION)
    .action(async (options: ConfigOption) => {
      await drainGateway(loadConfig({ file: options.config }));
      process.stdout.write('draining\n');
    });
};
