// What is typed into a shell so that it reports its line: for each of bash, zsh and fish a short line that reads the rest
// without echo, and that rest (shells/). All of it lives in the shell's memory: no file on the device, no process that
// stays, nothing exported. Nothing here is trusted; what a report is worth is decided where it meets the screen.
import { readFileSync } from 'node:fs';

export type IntegratedShell = 'bash' | 'zsh' | 'fish';

/** The number of our control strings (OSC); terminals ignore those that they don't know. */
export const REPORT_NUMBER = '7770';
/** Hexadecimal digits of a challenge. */
export const CHALLENGE_DIGITS = 16;

/** Starts each of our keys: no shell, and hardly a person, uses Ctrl-^. */
const KEY = '\x1e';
/** Ends a script for bash and zsh. */
const END = ',';
/** Stands for a line end in the one line that a script for fish is sent as. */
const LINE_END = '\x1f';

const script = (shell: IntegratedShell): string =>
  readFileSync(new URL(`./shells/report.${shell}`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join('\n')
    .replaceAll('@DIGITS@', String(CHALLENGE_DIGITS));

const SCRIPTS: Readonly<Record<IntegratedShell, string>> = {
  bash: script('bash'),
  zsh: script('zsh'),
  fish: script('fish'),
};

/**
 * Keys that make the shell print the greeting, then read one line without echo and run it. In zsh that happens in the
 * line editor, as it expands a pattern, for zsh may write an accepted line to its history file at once. Elsewhere a
 * line is accepted, and taken out of the history again. `greeting` is of letters and digits.
 */
export function greetingKeys(shell: IntegratedShell, greeting: string): Buffer {
  const hello = String.raw`\033]${REPORT_NUMBER};${greeting};h\007`;
  switch (shell) {
    case 'bash':
      return Buffer.from(` IFS= read -rsd ${END} -p $'${hello}' __sp_s </dev/tty && eval "$__sp_s"\r`);
    case 'zsh':
      // ^X* expands the word: its qualifier is code, from which zsh has removed quotes and backslashes. Its
      // editor has the terminal turn line feeds into carriage returns.
      return Buffer.from(
        `/(e@'__sp_s=\${(#):-59};print -n \${(#):-27}]${REPORT_NUMBER}\${__sp_s}${greeting}\${__sp_s}h\${(#):-7} >$TTY;read -rd ${END} __sp_s <$TTY;eval \${__sp_s//\${(#):-13}/\${(#):-10}}'@)\x18*`,
      );
    case 'fish':
      return Buffer.from(
        ` eval (sh -c 'stty -echo;printf "${hello}">/dev/tty;IFS= read -r l;stty echo;printf %s "$l"' </dev/tty | string replace -a \\x1f \\n | string collect)\r`,
      );
  }
}

/** The line that is read without echo, and keys that follow it. `token` is of letters and digits. */
export function installationKeys(shell: IntegratedShell, token: string): Buffer {
  const text = SCRIPTS[shell].replaceAll('@TOKEN@', token);
  switch (shell) {
    case 'bash':
      return Buffer.from(`${text}\n${END}`);
    case 'zsh':
      return Buffer.from(`${text}\n${END}${KEY}Z`);
    case 'fish':
      return Buffer.from(`${text.replaceAll('\n', LINE_END)}\n`);
  }
}

/** Keys that make the shell report its line. `challenge` has CHALLENGE_DIGITS hexadecimal digits. */
export function askKeys(shell: IntegratedShell, challenge: string): Buffer {
  switch (shell) {
    case 'bash':
      // H expands history in place: what is reported is what would run.
      return Buffer.from(`${KEY}H${KEY}R${challenge}`);
    case 'zsh':
      return Buffer.from(`${KEY}R${challenge}`);
    case 'fish':
      // Functions that are bound to keys can't read keys there: each digit is one. X spells abbreviations out first.
      return Buffer.from(`${KEY}X${digitKeys(challenge)}${KEY}R`);
  }
}

/** Keys that say that the line reported for this challenge may run: the shell drops its line if that has changed. */
export function allowKeys(shell: IntegratedShell, challenge: string): Buffer {
  switch (shell) {
    case 'bash':
    case 'zsh':
      return Buffer.from(`${KEY}A${challenge}`);
    case 'fish':
      return Buffer.from(`${digitKeys(challenge)}${KEY}A`);
  }
}

/** Keys that make the shell drop its line. Undefined: ^C does. fish takes a ^C that comes too early for its function's. */
export const dropKeys = (shell: IntegratedShell): Buffer | undefined =>
  shell === 'fish' ? Buffer.from(`${KEY}D`) : undefined;

const digitKeys = (challenge: string): string => Array.from(challenge, (digit) => `${KEY}${digit}`).join('');
