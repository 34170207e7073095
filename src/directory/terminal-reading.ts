// How lines may be read besides by the screen, as devices and credentials carry it: a credential's own word counts before
// its device's, and without either everything is off.
import type { TerminalReadingColumns } from '../store/steps/terminal-reading.ts';

export interface TerminalReading {
  /** The shell is made to report its lines. Undefined: nothing is said here. */
  readonly shellIntegration?: boolean | undefined;
  /** A second channel tells what runs on the terminal. */
  readonly sideChannel?: boolean | undefined;
}

const flagOf = (column: number | null): boolean | undefined => (column === null ? undefined : column !== 0);
const columnOf = (flag: boolean | undefined): number | null => (flag === undefined ? null : flag ? 1 : 0);

export const terminalReadingOf = (row: TerminalReadingColumns): TerminalReading => ({
  shellIntegration: flagOf(row.shell_integration),
  sideChannel: flagOf(row.side_channel),
});

export const terminalReadingColumns = (reading: TerminalReading): TerminalReadingColumns => ({
  shell_integration: columnOf(reading.shellIntegration),
  side_channel: columnOf(reading.sideChannel),
});

/** As lists and differences show it: only what is said. */
export const shownReading = ({
  shellIntegration,
  sideChannel,
}: TerminalReading): Record<string, boolean> => ({
  ...(shellIntegration === undefined ? {} : { shellIntegration }),
  ...(sideChannel === undefined ? {} : { sideChannel }),
});

export const readingOfAccount = (
  device: TerminalReading,
  credential: TerminalReading,
): { readonly shellIntegration: boolean; readonly sideChannel: boolean } => ({
  shellIntegration: credential.shellIntegration ?? device.shellIntegration ?? false,
  sideChannel: credential.sideChannel ?? device.sideChannel ?? false,
});
