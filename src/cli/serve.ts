// `sallyport serve`: reads the configuration and runs the gateway until it is told to end. What the gateway is made of
// lives in src/gateway; this only turns options and errors into what a shell understands.
import type { Command } from 'commander';
import { ConfigError, loadConfig } from '../config/load.ts';

export const registerServe = (program: Command): void => {
  program
    .command('serve')
    .description('run the gateway')
    .option('--config <file>', 'configuration file (default: sallyport.yaml where there is one)')
    .option('--pretty', 'log for people instead of JSON')
    .action((options: { config?: string; pretty?: boolean }) => {
      try {
        loadConfig({ file: options.config });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        process.stderr.write(`${error.message}\n`);
        process.exitCode = 2;
      }
    });
};
