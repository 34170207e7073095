// Tells the command lines that scp clients send (`scp -t DIR`, `scp -r -p -f -- FILE…`) from everything else, so
// that a grant of `scp` allows those and no other command. The device's shell will read the line, so anything that
// a shell could take for more than words, globs and quoting makes it not scp. It does not judge the paths.

/** Options that scp clients send. */
const OPTION = /^-[vrpdqtf]+$/;
/** One word: plain or globbing characters, single quotes, double quotes without expansion, escaped characters. */
const WORD = /(?:[A-Za-z0-9_.,:@%+=/~*?[\]^-]|[\u0080-\uffff]|'[^'\n\r]*'|"[^"$`\\!\n\r]*"|\\[^\n\r])+/y;
const PROGRAMS = new Set(['scp', '/usr/bin/scp', '/bin/scp']);
const MAX_LENGTH = 32 * 1024;

export interface ScpCommand {
  /** `to-device`: the client uploads. */
  readonly direction: 'to-device' | 'from-device';
}

/** Undefined: this is not what an scp client sends. */
export function parseScpCommand(command: string): ScpCommand | undefined {
  if (command.length > MAX_LENGTH) return undefined;
  const words = splitWords(command);
  const [program, ...rest] = words ?? [];
  if (program === undefined || !PROGRAMS.has(program)) return undefined;
  let flags = '';
  let at = 0;
  for (; at < rest.length; at += 1) {
    const word = rest[at];
    if (word === undefined || !word.startsWith('-')) break;
    if (word === '--') {
      at += 1;
      break;
    }
    if (!OPTION.test(word)) return undefined;
    flags += word;
  }
  const paths = rest.slice(at);
  const optionLike = rest[at - 1] !== '--' && paths.some((path) => /^['"\\]*-/.test(path));
  const upload = flags.includes('t');
  const download = flags.includes('f');
  if (upload === download || paths.length === 0 || optionLike) return undefined;
  if (upload && paths.length !== 1) return undefined;
  return { direction: upload ? 'to-device' : 'from-device' };
}

/** Splits at spaces, quotes kept; undefined when a character stands there that a shell would act upon. */
function splitWords(command: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  while (at < command.length) {
    if (command[at] === ' ') {
      at += 1;
      continue;
    }
    WORD.lastIndex = at;
    const match = WORD.exec(command);
    if (match === null) return undefined;
    words.push(match[0]);
    at = WORD.lastIndex;
    if (at < command.length && command[at] !== ' ') return undefined;
  }
  return words;
}
