// `sallyport apply -f FILE…`: reads the files, shows what changes, and unless it is a dry run makes it so.
import type { Command } from 'commander';
import { showChange } from '../directory/apply.ts';
import type { Change } from '../directory/changes.ts';
import { createEventLog } from '../events/event-log.ts';
import { announceSettings, SETTINGS_CHANGED } from '../oversight/settings.ts';
import { actor, applyFiles, type ConfigOption, readInput, withVault } from './context.ts';
import { tellManualChanges } from './credential-view.ts';
import { tellGateways } from './notices.ts';
import { jsonLine } from './output.ts';

interface ApplyCommandOptions extends ConfigOption {
  readonly file: readonly string[];
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly json?: boolean;
}

const ACTIONS = ['created', 'changed', 'removed', 'unchanged'] as const;

const summary = (changes: readonly Change[], dryRun: boolean): string => {
  const counts = ACTIONS.map((action) => ({
    action,
    count: changes.filter((change) => change.action === action).length,
  })).filter(({ action, count }) => count > 0 || action === 'unchanged');
  const nothing = changes.every((change) => change.action === 'unchanged');
  const text = counts.map(({ action, count }) => `${count} ${action}`).join(', ');
  return `${nothing ? 'nothing changed' : dryRun ? 'would be' : 'done'}: ${text}\n`;
};

export const registerApply = (program: Command): void => {
  program
    .command('apply')
    .description('make users, devices, credentials, grants and settings what the files say')
    .requiredOption('-f, --file <file...>', 'YAML files, all applied together; - is standard input')
    .option('--dry-run', 'show the changes and make none')
    .option('--prune', 'remove what the files do not name, of the kinds that they list')
    .option('--json', 'one JSON object for each change')
    .option('--config <file>', 'configuration file (default: ./sallyport.yaml where there is one)')
    .action(async (options: ApplyCommandOptions) => {
      const files = options.file.map((name) => ({
        name: name === '-' ? 'stdin' : name,
        text: readInput(name),
      }));
      const dryRun = options.dryRun === true;
      const changes = await withVault(options, async (place) => {
        const made = await applyFiles(place, files, { dryRun, prune: options.prune === true });
        if (!dryRun && made.some(({ kind, action }) => kind === 'setting' && action !== 'unchanged')) {
          await announceSettings({ store: place.store, events: createEventLog(place.store) }, made, actor());
          await tellGateways(place, SETTINGS_CHANGED, '');
        }
        if (!dryRun && made.some(({ kind, action }) => kind === 'credential' && action === 'changed'))
          await tellManualChanges(place.store);
        return made;
      });
      if (options.json === true) {
        for (const change of changes) process.stdout.write(jsonLine({ ...change, dryRun }));
        return;
      }
      for (const change of changes) {
        if (change.action !== 'unchanged') process.stdout.write(`${showChange(change).join('\n')}\n`);
      }
      process.stdout.write(summary(changes, dryRun));
    });
};
