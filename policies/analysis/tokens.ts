// A plain reading of a line as words and separators, for grammars that the bash parser does not know (fish, csh,
// SQL shells) and as a second opinion where it reports an error. Quotes and brackets are understood, nothing is expanded.

export interface PlainCommand {
  readonly words: readonly string[];
  /** Per word: false when it holds an unquoted variable or substitution. */
  readonly known: readonly boolean[];
  /** True when the command reads from the one before it. */
  readonly piped: boolean;
  /** Texts of `(…)`, `$(…)` and backquotes inside it. */
  readonly substitutions: readonly string[];
  readonly redirections: readonly { readonly operator: string; readonly target: string }[];
}

/** Splits a line into commands at ; | & and newlines. At most 256 commands. `parens`: fish's `(cmd)` substitutes. */
export function plainCommands(line: string, parens: boolean): readonly PlainCommand[] {
  const out: PlainCommand[] = [];
  let words: string[] = [];
  let known: boolean[] = [];
  let substitutions: string[] = [];
  let redirections: { operator: string; target: string }[] = [];
  let pendingRedirection: string | undefined;
  let word = '';
  let started = false;
  let wordKnown = true;
  let piped = false;
  const endWord = (): void => {
    if (started) {
      if (pendingRedirection !== undefined) {
        redirections.push({ operator: pendingRedirection, target: word });
        pendingRedirection = undefined;
      } else {
        words.push(word);
        known.push(wordKnown);
      }
    }
    word = '';
    started = false;
    wordKnown = true;
  };
  const endCommand = (nextPiped: boolean): void => {
    endWord();
    if (words.length > 0 || substitutions.length > 0 || redirections.length > 0)
      out.push({ words, known, piped, substitutions, redirections });
    words = [];
    known = [];
    substitutions = [];
    redirections = [];
    pendingRedirection = undefined;
    piped = nextPiped;
  };
  for (let i = 0; i < line.length && out.length < 256; i++) {
    const c = line.charAt(i);
    switch (c) {
      case '\\':
        if (line[i + 1] !== '\n') word += line[i + 1] ?? '';
        started = true;
        i++;
        break;
      case "'": {
        const end = line.indexOf("'", i + 1);
        word += line.slice(i + 1, end < 0 ? line.length : end);
        started = true;
        i = end < 0 ? line.length : end;
        break;
      }
      case '"': {
        let j = i + 1;
        for (; j < line.length && line[j] !== '"'; j++) {
          if (line[j] === '\\' && j + 1 < line.length) j++;
          else if (line[j] === '$') {
            wordKnown = false;
            if (line[j + 1] === '(') {
              const end = matching(line, j + 1);
              substitutions.push(line.slice(j + 2, end));
              word += line.slice(j, end);
              j = end;
            }
          }
          word += line[j] ?? '';
        }
        started = true;
        i = j;
        break;
      }
      case '`': {
        const end = line.indexOf('`', i + 1);
        substitutions.push(line.slice(i + 1, end < 0 ? line.length : end));
        word += line.slice(i, end < 0 ? line.length : end + 1);
        wordKnown = false;
        started = true;
        i = end < 0 ? line.length : end;
        break;
      }
      case '(':
        if (parens || line[i - 1] === '$' || line[i - 1] === '<' || line[i - 1] === '>') {
          const end = matching(line, i);
          substitutions.push(line.slice(i + 1, end));
          word += line.slice(i, end + 1);
          wordKnown = false;
          started = true;
          i = end;
        } else endCommand(false);
        break;
      case ')':
      case '\n':
      case ';':
        endCommand(false);
        break;
      case '|':
        if (line[i + 1] === '|') i++;
        if (line[i + 1] === '&') i++;
        endCommand(line[i] !== '|' || line[i - 1] !== '|');
        break;
      case '&':
        if (line[i + 1] === '>' || line[i + 1] === '|') break;
        if (line[i + 1] === '&') i++;
        endCommand(false);
        break;
      case '>':
      case '<': {
        if (started && /^[0-9]+$/.test(word)) {
          word = '';
          started = false;
        }
        endWord();
        let operator = c;
        while (/[>&|?]/.test(line[i + 1] ?? '')) operator += line[++i];
        pendingRedirection = operator;
        break;
      }
      case '#':
        if (started) word += c;
        else while (i + 1 < line.length && line[i + 1] !== '\n') i++;
        break;
      case ' ':
      case '\t':
      case '\r':
        endWord();
        break;
      case '$':
        wordKnown = false;
        word += c;
        started = true;
        break;
      default:
        word += c;
        started = true;
    }
  }
  endCommand(false);
  return out;
}

/** Index of the bracket that closes the one at `open`; the end of the text when none does. */
function matching(text: string, open: number): number {
  let level = 0;
  for (let i = open; i < text.length; i++) {
    const c = text[i];
    if (c === '\\') i++;
    else if (c === "'") {
      const end = text.indexOf("'", i + 1);
      if (end < 0) return text.length;
      i = end;
    } else if (c === '(') level++;
    else if (c === ')' && --level === 0) return i;
  }
  return text.length;
}
