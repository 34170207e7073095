// `vault rotate`: a fresh master key, and everything sealed again with it. The older key stays in the file, so that
// gateways which still hold it, and backups, can be opened; it is removed by hand when nobody needs it any more.
import type { Command } from 'commander';
import { resealAll } from '../directory/credentials.ts';
import { addMasterKey } from '../directory/master-key.ts';
import { openVault } from '../directory/vault.ts';
import { type ConfigOption, withStore } from './context.ts';
import { CliError, EXIT } from './exit.ts';

export const registerVault = (program: Command): void => {
  program
    .command('vault')
    .description('the sealed secrets: rotate')
    .command('rotate')
    .description('make a new master key and seal every secret again with it')
    .option('--config <file>', 'configuration file (default: ./sallyport.yaml where there is one)')
    .action((options: ConfigOption) =>
      withStore(options, async ({ config, store }) => {
        if (config.masterKey.secret !== undefined) {
          throw new CliError(
            EXIT.usage,
            'the master key comes from the environment: put the new key before the old one',
          );
        }
        // Opens, and so checks or makes, the file before anything changes.
        await openVault(config.masterKey);
        addMasterKey(config.masterKey.file);
        const count = await resealAll(store, await openVault(config.masterKey));
        process.stdout.write(`new master key in ${config.masterKey.file}; ${count} secrets sealed again\n`);
      }),
    );
};
