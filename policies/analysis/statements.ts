// Lines that are not a shell's: a network device's command line, and SQL. Only what rules need: words and statements.

import type { Incomplete } from './types.ts';

/** A network device's line: words between blanks; output filters after `|` are commands of their own. */
export function abbreviationWords(
  line: string,
): readonly { readonly words: readonly string[]; readonly fedBy: readonly string[] }[] {
  const out: { words: readonly string[]; fedBy: readonly string[] }[] = [];
  for (const one of line.split(/[\r\n]+/).slice(0, 256)) {
    let fedBy: readonly string[] = [];
    for (const part of one.split('|')) {
      const words = part
        .trim()
        .split(/\s+/)
        .filter((w) => w !== '');
      if (words.length === 0 || words[0]?.startsWith('!') === true) continue;
      // `do` runs an exec command from configuration mode.
      const inner = words[0]?.toLowerCase() === 'do' && words.length > 1 ? words.slice(1) : words;
      out.push({ words: inner.map((w) => w.replace(/^"|"$/g, '')), fedBy });
      fedBy = [...fedBy, inner[0] ?? ''];
    }
  }
  return out;
}

/** SQL statements as words; comments removed, string literals and quoted names as one word each. */
export function sqlStatements(text: string): {
  readonly statements: readonly (readonly string[])[];
  readonly open: Incomplete;
} {
  const statements: string[][] = [];
  let words: string[] = [];
  let word = '';
  let open: Incomplete = 'none';
  const endWord = (): void => {
    if (word !== '') words.push(word);
    word = '';
  };
  const endStatement = (): void => {
    endWord();
    if (words.length > 0 && statements.length < 256) statements.push(words);
    words = [];
  };
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    const two = text.slice(i, i + 2);
    if (two === '--' || (c === '#' && word === '')) {
      const end = text.indexOf('\n', i);
      endWord();
      if (end < 0) break;
      i = end;
    } else if (two === '/*') {
      // MySQL runs what stands in /*! … */.
      if (text[i + 2] === '!') {
        i += 2;
        while (/[0-9]/.test(text[i + 1] ?? '')) i++;
        continue;
      }
      const end = text.indexOf('*/', i + 2);
      endWord();
      if (end < 0) {
        open = 'quote';
        break;
      }
      i = end + 1;
    } else if (two === '*/') {
      i++;
    } else if (c === "'" || c === '"' || c === '`') {
      let j = i + 1;
      for (; j < text.length; j++) {
        if (text[j] === '\\' && c === "'") j++;
        else if (text[j] === c) {
          if (text[j + 1] !== c) break;
          j++;
        }
      }
      if (j >= text.length) open = 'quote';
      const literal = text.slice(i + 1, j);
      if (c === "'") {
        endWord();
        words.push(`'${literal}'`);
      } else word += literal;
      i = j;
    } else if (c === ';') endStatement();
    else if (c === '\\' && word === '' && words.length === 0) {
      // A client command takes the rest of the line: psql's \copy, \!.
      const end = text.indexOf('\n', i);
      const rest = text.slice(i, end < 0 ? text.length : end);
      words = rest.split(/\s+/).filter((w) => w !== '');
      endStatement();
      if (end < 0) break;
      i = end;
    } else if (/\s/.test(c)) endWord();
    else if (c === '(' || c === ')' || c === ',') {
      endWord();
      words.push(c);
    } else word += c;
  }
  endStatement();
  return { statements, open };
}
