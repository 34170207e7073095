// Tells whether a shell would read on after these lines because a quote, a here-document or a list is still open.
// It only groups lines for the judge and never lets anything through; a wrong guess costs a wider or narrower view.

/** True when the text is an unfinished command for a POSIX-like shell. */
export function isUnfinished(text: string): boolean {
  let quote: "'" | '"' | '`' | undefined;
  let depth = 0;
  const documents: string[] = [];
  const lines = text.split('\n');
  let lastSignificant = '';
  for (let number = 0; number < lines.length; number++) {
    const line = lines[number] ?? '';
    if (quote === undefined && documents.length > 0) {
      if (line.replace(/^\t+/, '') === documents[0]) documents.shift();
      continue;
    }
    let escaped = false;
    for (let at = 0; at < line.length; at++) {
      const character = line[at] ?? '';
      if (escaped) {
        escaped = false;
        continue;
      }
      if (quote === "'") {
        if (character === "'") quote = undefined;
        continue;
      }
      if (character === '\\') {
        escaped = true;
        continue;
      }
      if (quote === '"' || quote === '`') {
        if (character === quote) quote = undefined;
        continue;
      }
      if (character === "'" || character === '"' || character === '`') {
        quote = character;
        continue;
      }
      if (character === '#' && (at === 0 || /\s/.test(line[at - 1] ?? ''))) break;
      if (character === '(' || character === '{') depth += 1;
      if (character === ')' || character === '}') depth -= 1;
      if (character === '<' && line[at + 1] === '<' && line[at + 2] !== '<') {
        const word = /^<<-?\s*(?:'([^']*)'|"([^"]*)"|\\?([^\s;|&<>()]+))/.exec(line.slice(at));
        const mark = word?.[1] ?? word?.[2] ?? word?.[3];
        if (mark !== undefined) documents.push(mark);
        at += 1;
      }
      if (!/\s/.test(character)) lastSignificant = line.slice(0, at + 1);
    }
    if (escaped && number === lines.length - 1) return true;
  }
  if (quote !== undefined || documents.length > 0 || depth > 0) return true;
  if (/(?:[|]|&&)$/.test(lastSignificant)) return true;
  const words =
    text.match(/(?<![\w$/.-])(?:if|fi|case|esac|do|done|while|until|for|select|then)(?![\w/.=-])/g) ?? [];
  const count = (word: string): number => words.filter((other) => other === word).length;
  if (count('if') > count('fi') && /(^|[;\n]\s*)if\s/.test(text)) return true;
  if (count('case') > count('esac') && /(^|[;\n]\s*)case\s/.test(text)) return true;
  const loops = count('while') + count('until') + count('for') + count('select');
  return loops > count('done') && /(^|[;\n]\s*)(while|until|for|select)\s/.test(text);
}
