// The `sallyport` command: puts the commands together and turns errors into one line and an exit code.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { registerApply } from './apply.ts';
import { registerAudit } from './audit.ts';
import { registerCommand } from './command.ts';
import { registerConfig } from './config.ts';
import { registerDemo } from './demo.ts';
import { registerDirectory } from './directory-commands.ts';
import { registerException } from './exception.ts';
import { EXIT, verdictOf } from './exit.ts';
import { registerFinding } from './finding.ts';
import { registerPolicy } from './policy.ts';
import { registerRating } from './rating.ts';
import { registerReauthentication } from './reauthentication.ts';
import { registerRecording } from './recording.ts';
import { registerServe } from './serve.ts';
import { registerSession } from './session.ts';
import { registerSetting } from './setting.ts';
import { registerSiem } from './siem.ts';
import { registerUserReport } from './user-report.ts';
import { registerVault } from './vault.ts';

const version = (): string => {
  // Two folders up from the source, three from a build.
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const text: unknown = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'));
      if (typeof text === 'object' && text !== null && 'version' in text) return String(text.version);
    } catch {
      // The other place.
    }
  }
  return 'unknown';
};

const strict = (command: Command): void => {
  command.exitOverride().showHelpAfterError('(--help tells more)');
  for (const child of command.commands) strict(child);
};

const build = (): Command => {
  const program = new Command('sallyport')
    .description('an SSH gateway that reads each command before it runs')
    .version(version());
  registerServe(program);
  registerDemo(program);
  registerApply(program);
  registerDirectory(program);
  registerSession(program);
  registerAudit(program);
  registerCommand(program);
  registerPolicy(program);
  registerRecording(program);
  registerRating(program);
  registerReauthentication(program);
  registerSetting(program);
  registerException(program);
  registerFinding(program);
  registerUserReport(program);
  registerSiem(program);
  registerVault(program);
  registerConfig(program);
  strict(program);
  return program;
};

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

try {
  await build().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    const { text, exitCode } = verdictOf(error);
    process.stderr.write(`${text}\n`);
    process.exitCode = exitCode;
  }
}
