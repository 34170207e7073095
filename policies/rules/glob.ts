// Globs for command words: `*` is any text (slashes and dots too), `?` one character, `[a-z]` a set, `{a,b}` alternatives,
// a backslash takes the next character as it is. Time is bounded by pattern length × text length, whatever the pattern.
// Paths have their own meaning of `*`; see `path.ts`.

type Token =
  | string
  | { readonly any: 'one' | 'many' }
  | { readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] };

export interface WordGlob {
  readonly source: string;
  /** The exact text, when the pattern has nothing special in it. */
  readonly literal: string | undefined;
  /** A text that every match must contain, in lower case; empty when there is none. */
  readonly required: string;
  test(text: string): boolean;
}

/** Alternatives of `{a,b{c,d}}`; at most 256. Throws a SyntaxError on an open brace or too many. */
export function braceAlternatives(pattern: string): readonly string[] {
  let depth = 0;
  let open = -1;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === '\\') i++;
    else if (c === '{') {
      if (depth++ === 0) open = i;
    } else if (c === '}' && depth > 0 && --depth === 0) {
      const before = pattern.slice(0, open);
      const inner = splitTop(pattern.slice(open + 1, i));
      if (inner.length === 1) {
        // {} and {x} are text, as in a shell.
        const rest = braceAlternatives(pattern.slice(i + 1));
        return rest.map((r) => `${before}\\{${inner[0] ?? ''}\\}${r}`);
      }
      const rest = braceAlternatives(pattern.slice(i + 1));
      const out: string[] = [];
      for (const piece of inner.flatMap((p) => braceAlternatives(p)))
        for (const r of rest) out.push(before + piece + r);
      if (out.length > 256) throw new SyntaxError('more than 256 alternatives');
      return out;
    }
  }
  if (depth > 0) throw new SyntaxError('a { without its }');
  return [pattern];
}

function splitTop(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\\') i++;
    else if (c === '{') depth++;
    else if (c === '}') depth--;
    else if (c === ',' && depth === 0) {
      out.push(text.slice(start, i));
      start = i + 1;
    }
  }
  out.push(text.slice(start));
  return out;
}

function tokens(pattern: string): Token[] {
  const out: Token[] = [];
  const literal = (c: string): void => {
    const last = out[out.length - 1];
    if (typeof last === 'string') out[out.length - 1] = last + c;
    else out.push(c);
  };
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern.charAt(i);
    if (c === '\\' && i + 1 < pattern.length) literal(pattern.charAt(++i));
    else if (c === '*') {
      const last = out[out.length - 1];
      if (typeof last !== 'object' || !('any' in last) || last.any !== 'many') out.push({ any: 'many' });
    } else if (c === '?') out.push({ any: 'one' });
    else if (c === '[') {
      const end = pattern.indexOf(']', i + 2);
      if (end < 0) {
        literal(c);
        continue;
      }
      let body = pattern.slice(i + 1, end);
      const negated = body.startsWith('!') || body.startsWith('^');
      if (negated) body = body.slice(1);
      const ranges: [number, number][] = [];
      for (let k = 0; k < body.length; k++) {
        const from = body.charCodeAt(k);
        if (body[k + 1] === '-' && k + 2 < body.length) {
          ranges.push([from, body.charCodeAt(k + 2)]);
          k += 2;
        } else ranges.push([from, from]);
      }
      out.push({ negated, ranges });
      i = end;
    } else literal(c);
  }
  return out;
}

function tokenFits(token: Token, text: string, at: number): number {
  if (typeof token === 'string') return text.startsWith(token, at) ? token.length : -1;
  if ('any' in token) return at < text.length ? 1 : -1;
  if (at >= text.length) return -1;
  const code = text.charCodeAt(at);
  return token.ranges.some(([a, b]) => code >= a && code <= b) !== token.negated ? 1 : -1;
}

function run(list: readonly Token[], text: string): boolean {
  let t = 0;
  let i = 0;
  let starToken = -1;
  let starAt = 0;
  for (;;) {
    const token = list[t];
    if (token === undefined) {
      if (i === text.length) return true;
    } else if (typeof token === 'object' && 'any' in token && token.any === 'many') {
      if (t === list.length - 1) return true;
      starToken = t++;
      starAt = i;
      continue;
    } else {
      const used = tokenFits(token, text, i);
      if (used >= 0) {
        i += used;
        t++;
        continue;
      }
    }
    if (starToken < 0 || starAt >= text.length) return false;
    // Give the last star one character more; a literal after it says where it can next begin.
    const next = list[starToken + 1];
    starAt++;
    if (typeof next === 'string') {
      const found = text.indexOf(next, starAt);
      if (found < 0) return false;
      starAt = found;
    }
    i = starAt;
    t = starToken + 1;
  }
}

function compileOne(pattern: string): {
  readonly literal: string | undefined;
  readonly required: string;
  readonly test: (text: string) => boolean;
} {
  const list = tokens(pattern);
  const only = list[0];
  if (list.length === 0) return { literal: '', required: '', test: (t) => t === '' };
  if (list.length === 1 && typeof only === 'string')
    return { literal: only, required: only.toLowerCase(), test: (t) => t === only };
  const required = list.reduce<string>(
    (best, t) => (typeof t === 'string' && t.length > best.length ? t : best),
    '',
  );
  return { literal: undefined, required: required.toLowerCase(), test: (t) => run(list, t) };
}

/** Compiles one word's glob. Throws a SyntaxError when braces are wrong. */
export function wordGlob(source: string): WordGlob {
  const all = braceAlternatives(source).map(compileOne);
  const first = all[0];
  if (first !== undefined && all.length === 1)
    return { source, literal: first.literal, required: first.required, test: first.test };
  const literals = all.every((a) => a.literal !== undefined)
    ? new Set(all.map((a) => a.literal ?? ''))
    : undefined;
  return {
    source,
    literal: undefined,
    required: '',
    test: literals === undefined ? (text) => all.some((a) => a.test(text)) : (text) => literals.has(text),
  };
}

/** The single texts that a word's glob stands for, when it is made of literals and braces only. */
export function literalTexts(source: string): readonly string[] | undefined {
  const all = braceAlternatives(source).map((p) => compileOne(p).literal);
  const out = all.filter((l) => l !== undefined);
  return out.length === all.length ? out : undefined;
}

/** By what a word's glob can be found: its texts, or a text that it must contain; undefined when some form has neither. */
export function globKeys(
  source: string,
): readonly ({ readonly literal: string } | { readonly contains: string })[] | undefined {
  const out: ({ readonly literal: string } | { readonly contains: string })[] = [];
  for (const one of braceAlternatives(source).map(compileOne)) {
    if (one.literal !== undefined) out.push({ literal: one.literal });
    else if (one.required.length >= 2) out.push({ contains: one.required });
    else return undefined;
  }
  return out;
}

/** Splits a pattern at blanks; quotes keep blanks together, and a quoted word is text, not glob. */
export function patternWords(pattern: string): readonly string[] {
  const out: string[] = [];
  let word = '';
  let started = false;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern.charAt(i);
    if (c === "'" || c === '"') {
      const end = pattern.indexOf(c, i + 1);
      if (end < 0) throw new SyntaxError(`a ${c} without its pair`);
      word += pattern.slice(i + 1, end).replace(/[\\*?[\]{}]/g, '\\$&');
      started = true;
      i = end;
    } else if (/\s/.test(c)) {
      if (started) out.push(word);
      word = '';
      started = false;
    } else {
      if (c === '\\' && i + 1 < pattern.length) word += c + pattern.charAt(++i);
      else word += c;
      started = true;
    }
  }
  if (started) out.push(word);
  return out;
}
