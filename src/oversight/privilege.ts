// Which commands are in an entry of the log, and whether it uses another account's rights. Reads what the analysis found;
// of a command that was typed without echo nothing is known.
import type { AuditedCommand } from '../../proxy/audit/ports.ts';

const RAISES = /^(?:sudo|sudoedit|su|doas|pkexec|runuser|dzdo|pbrun|ksu|gosu|setpriv)$/;
/** Of one line. */
const MOST_WORDS = 50;

const commandsOf = (
  analysed: unknown,
): readonly { readonly name: string; readonly via: readonly string[] }[] => {
  if (typeof analysed !== 'object' || analysed === null || !('commands' in analysed)) return [];
  if (!Array.isArray(analysed.commands)) return [];
  return analysed.commands.slice(0, MOST_WORDS).flatMap((command: unknown) => {
    if (typeof command !== 'object' || command === null || !('name' in command)) return [];
    const via = 'via' in command && Array.isArray(command.via) ? command.via : [];
    return [{ name: String(command.name), via: via.map((word: unknown) => String(word)) }];
  });
};

/** Names of the commands in it, in order. */
export const wordsOf = (entry: Pick<AuditedCommand, 'analysed' | 'word'>): readonly string[] => {
  const words = commandsOf(entry.analysed).map(({ name }) => name);
  return words.length > 0 ? words : entry.word === '' ? [] : [entry.word];
};

/** What gives it another account's rights, such as `sudo`; undefined: nothing. */
export const privilegeOf = (entry: Pick<AuditedCommand, 'analysed' | 'word'>): string | undefined => {
  for (const { name, via } of commandsOf(entry.analysed)) {
    const raising = [name, ...via].find((word) => RAISES.test(word));
    if (raising !== undefined) return raising;
  }
  return RAISES.test(entry.word) ? entry.word : undefined;
};
