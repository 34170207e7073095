// Finding where a wrapper's own options end and the command it runs begins. One table row says which of a program's
// options take a value; everything else follows the usual conventions of getopt.

export interface OptionTable {
  /** Short options that take a value, attached or as the next word. */
  readonly short?: string;
  /** Long options (without dashes) that take a value as the next word when not attached by `=`. */
  readonly long?: readonly string[];
  /** Operands that come before the command: timeout's duration, chroot's directory. */
  readonly operands?: number;
  /** `NAME=value` words may come before the command. */
  readonly assignments?: boolean;
  /** Options start with one dash whatever their length. */
  readonly singleDash?: boolean;
}

export interface SkippedOptions {
  /** Index of the first word that is neither option nor value nor announced operand. */
  readonly next: number;
  /** Option letters and long names that were seen, with their value where one was taken. */
  readonly options: ReadonlyMap<string, string>;
  /** Indexes of `NAME=value` words. */
  readonly assignments: readonly number[];
}

const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;

/** Skips options from `start` on. Long names may be abbreviated to what the table lists. */
export function skipOptions(words: readonly string[], start: number, table: OptionTable): SkippedOptions {
  const options = new Map<string, string>();
  const assignments: number[] = [];
  let operands = table.operands ?? 0;
  let i = start;
  let optionsEnded = false;
  for (; i < words.length; i++) {
    const word = words[i] ?? '';
    if (!optionsEnded && word === '--') {
      optionsEnded = true;
      continue;
    }
    if (!optionsEnded && word.startsWith('--') && word.length > 2) {
      const equals = word.indexOf('=');
      const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const takes =
        table.long?.find((l) => l === name) ??
        (name.length > 2 ? table.long?.find((l) => l.startsWith(name)) : undefined);
      if (equals >= 0) options.set(takes ?? name, word.slice(equals + 1));
      else if (takes !== undefined) options.set(takes, words[++i] ?? '');
      else options.set(name, '');
      continue;
    }
    if (!optionsEnded && word.startsWith('-') && word.length > 1) {
      if (table.singleDash === true) {
        const name = word.slice(1);
        options.set(name, table.long?.includes(name) === true ? (words[++i] ?? '') : '');
        continue;
      }
      for (let c = 1; c < word.length; c++) {
        const letter = word[c] ?? '';
        if (table.short?.includes(letter) === true) {
          options.set(letter, c + 1 < word.length ? word.slice(c + 1) : (words[++i] ?? ''));
          break;
        }
        options.set(letter, '');
      }
      continue;
    }
    if (!optionsEnded && word === '-') continue;
    if (table.assignments === true && ASSIGNMENT.test(word)) {
      assignments.push(i);
      continue;
    }
    if (operands > 0) {
      operands--;
      continue;
    }
    break;
  }
  return { next: i, options, assignments };
}
