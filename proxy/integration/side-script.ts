// The command that a second channel on the same device connection runs (shells/terminal.sh): a loop of plain POSIX sh
// over /proc, so for Linux; where something is missing it ends. It writes nothing, and ends with its input or with the
// terminal's shell.
import { readFileSync } from 'node:fs';

/** Terminals that were started within so many clock ticks (1/100 s) of each other can't be told apart. */
const TICKS_APART = 100;

const SCRIPT = readFileSync(new URL('./shells/terminal.sh', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .join('; ')
  .replaceAll('@APART@', String(TICKS_APART));

/** `tag` is of letters and digits, and begins each answer: what start-up files print does not look like one. */
export const sideCommand = (tag: string): Buffer =>
  Buffer.from(`exec sh -c '${SCRIPT.replaceAll('@TAG@', tag)}'`);
