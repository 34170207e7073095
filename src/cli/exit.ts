// What a shell learns when a command has ended, and the errors that lead there. docs/command-line.md lists the codes.
import { AuditQueueError } from '../audit-queue/errors.ts';
import { ConfigError } from '../config/load.ts';
import { ApplyError } from '../directory/apply.ts';
import { DirectoryError } from '../directory/errors.ts';
import { ExceptionError } from '../exceptions/errors.ts';
import { ControlError } from '../gateway/control-client.ts';

export const EXIT = {
  ok: 0,
  failed: 1,
  /** Wrong options, or files that can't be applied. */
  usage: 2,
  notFound: 3,
  /** The command needs a running gateway on this data folder. */
  notRunning: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A command that can't go on, for reasons it has found itself. */
export class CliError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** Empty where the message says it already. */
const codeOf = (error: Error): string =>
  'code' in error &&
  typeof error.code === 'string' &&
  error.code.startsWith('SP_') &&
  !error.message.startsWith(`${error.code}: `)
    ? `${error.code}: `
    : '';

/** What goes to stderr and which code the process ends with. */
export const verdictOf = (error: unknown): { readonly text: string; readonly exitCode: ExitCode } => {
  if (error instanceof CliError) return { text: error.message, exitCode: error.exitCode };
  // One problem a line, each with its place: editors and scripts read them as they are.
  if (error instanceof ApplyError || error instanceof ConfigError) {
    return { text: error.message, exitCode: EXIT.usage };
  }
  if (error instanceof ControlError) {
    const exitCode = error.code === 'SP_NOT_RUNNING' ? EXIT.notRunning : EXIT.failed;
    return { text: `${error.code}: ${error.message}`, exitCode };
  }
  if (error instanceof DirectoryError) {
    const exitCode =
      error.code === 'SP_NOT_FOUND' ? EXIT.notFound : error.code === 'SP_INVALID' ? EXIT.usage : EXIT.failed;
    return { text: `${error.code}: ${error.message}`, exitCode };
  }
  if (error instanceof AuditQueueError) {
    const exitCode =
      error.code === 'SP_AUDIT_UNKNOWN'
        ? EXIT.notFound
        : error.code === 'SP_AUDIT_COMMENT'
          ? EXIT.usage
          : EXIT.failed;
    return { text: `${error.code}: ${error.message}`, exitCode };
  }
  if (error instanceof ExceptionError) {
    const exitCode =
      error.code === 'SP_EXCEPTION_UNKNOWN'
        ? EXIT.notFound
        : error.code === 'SP_EXCEPTION_TEXT'
          ? EXIT.usage
          : EXIT.failed;
    return { text: `${error.code}: ${error.message}`, exitCode };
  }
  if (error instanceof Error) return { text: `${codeOf(error)}${error.message}`, exitCode: EXIT.failed };
  return { text: String(error), exitCode: EXIT.failed };
};
