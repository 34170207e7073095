// How lines of a device's terminals may be read besides by the screen: set for a device, or for one of its credentials.
import type { SchemaStep } from './step.ts';

/** Of devices and of credentials. 1: on, 0: off; null: as the device says, and off there. */
export interface TerminalReadingColumns {
  /** The shell is made to report its lines. */
  shell_integration: number | null;
  /** A second channel tells what runs on the terminal. */
  side_channel: number | null;
}

export const terminalReading: SchemaStep = async (db, { integer }) => {
  for (const table of ['devices', 'credentials']) {
    await db.schema.alterTable(table).addColumn('shell_integration', integer).execute();
    await db.schema.alterTable(table).addColumn('side_channel', integer).execute();
  }
};
