// What the command line of an scp server (`scp -t DIR`, `scp -f FILE…`) says about paths: the words as the device's shell
// will read them, and which of them hold a pattern that only that shell can expand. Lines that a shell could take for more
// than that are not scp (proxy/channels/scp-command.ts).
import { parseScpCommand } from '../channels/scp-command.ts';

export interface ScpPath {
  /** Without quotes; a `~` at the beginning stands for a home folder. */
  readonly text: string;
  /** A pattern in the last name, or in a folder above it. */
  readonly pattern: 'none' | 'name' | 'folder';
}

export interface ScpArguments {
  readonly direction: 'to-device' | 'from-device';
  readonly recursive: boolean;
  /** The target must be a folder. */
  readonly intoFolder: boolean;
  readonly paths: readonly ScpPath[];
}

/** Undefined: not what an scp client sends. */
export const readScpArguments = (command: string): ScpArguments | undefined => {
  const parsed = parseScpCommand(command);
  if (parsed === undefined) return undefined;
  const words = split(command);
  let at = 1;
  let flags = '';
  for (; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '--') {
      at += 1;
      break;
    }
    if (!word.startsWith('-')) break;
    flags += word;
  }
  return {
    direction: parsed.direction,
    recursive: flags.includes('r'),
    intoFolder: flags.includes('d'),
    paths: words.slice(at).map(pathOf),
  };
};

/** At blanks outside quotes; quotes are kept. */
const split = (command: string): string[] => command.match(/(?:'[^']*'|"[^"]*"|\\.|[^ '"\\])+/gs) ?? [];

const pathOf = (word: string): ScpPath => {
  let text = '';
  let patternAt = -1;
  for (const [piece] of word.matchAll(/'[^']*'|"[^"]*"|\\.|[^'"\\]/gs)) {
    if (piece.startsWith("'") || piece.startsWith('"')) text += piece.slice(1, -1);
    else if (piece.startsWith('\\')) text += piece.slice(1);
    else {
      if (/[*?[]/.test(piece) && patternAt < 0) patternAt = text.length;
      text += piece;
    }
  }
  const pattern = patternAt < 0 ? 'none' : text.indexOf('/', patternAt) < 0 ? 'name' : 'folder';
  return { text, pattern };
};
