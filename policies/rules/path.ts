// Globs for paths, as micromatch reads them (`*` within a name, `**` across folders, dot files included), but translated
// to a linear-time regular expression: a rule over uploads must not be able to hang the gateway. `path.test.ts` holds
// the two against each other. `~/x` in a pattern stands for x in any user's home.

import { RE2JS } from 're2js';
import { braceAlternatives } from './glob.ts';

export interface PathGlob {
  readonly source: string;
  /** Texts of which every match contains at least one, in lower case; undefined when none is certain. */
  readonly required: readonly string[] | undefined;
  test(path: string): boolean;
}

const homes = ['~', '/root', '/home/*', '/Users/*', '/var/lib/*', '/export/home/*', '/usr/home/*'];

/** Compiles a path glob. Throws a SyntaxError when it is malformed. */
export function pathGlob(source: string): PathGlob {
  const alternatives = braceAlternatives(source).flatMap((p) =>
    p.startsWith('~/') || p === '~' ? homes.map((h) => h + p.slice(1)) : [p],
  );
  const exact = new Set(alternatives.filter((p) => !/[*?[\]\\]/.test(p)));
  const patterns = alternatives.filter((p) => /[*?[\]\\]/.test(p));
  const compiled = patterns.map((p) => RE2JS.compile(`^(?:${translate(p)})$`, RE2JS.DOTALL));
  const required = alternatives.map(longestLiteral);
  return {
    source,
    required: required.every((r) => r.length >= 2) ? [...new Set(required)] : undefined,
    test: (path) => path.length <= 4_096 && (exact.has(path) || compiled.some((r) => r.matches(path))),
  };
}

function translate(source: string): string {
  // Any number of folders, twice, is still any number of folders.
  const pattern = source.replaceAll(/(^|\/)\*\*(?:\/\*\*)+(?=\/|$)/g, '$1**');
  let out = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern.charAt(i);
    if (c === '*') {
      if (pattern[i + 1] === '*') {
        const atStart = i === 0 || pattern[i - 1] === '/';
        while (pattern[i + 1] === '*') i++;
        const atEnd = i + 1 >= pattern.length || pattern[i + 1] === '/';
        if (atStart && atEnd) {
          if (pattern[i + 1] === '/') {
            out += '(?:.*/)?';
            i++;
          } else if (out.endsWith('/')) out = `${out.slice(0, -1)}(?:/.*)?`;
          else out += '.*';
        } else out += '[^/]*';
      } else {
        // A whole name needs at least one character.
        const whole =
          (i === 0 || pattern[i - 1] === '/') && (i + 1 >= pattern.length || pattern[i + 1] === '/');
        out += whole ? '[^/]+' : '[^/]*';
      }
    } else if (c === '?') out += '[^/]';
    else if (c === '[') {
      const end = pattern.indexOf(']', i + 2);
      if (end < 0) throw new SyntaxError('a [ without its ]');
      const body = pattern.slice(i + 1, end);
      out += `[${body.startsWith('!') ? `^${escapeClass(body.slice(1))}` : escapeClass(body)}]`;
      i = end;
    } else if (c === '\\' && i + 1 < pattern.length) out += escapeCharacter(pattern.charAt(++i));
    else out += escapeCharacter(c);
  }
  return out;
}

const escapeCharacter = (c: string): string =>
  /[a-zA-Z0-9_/~-]/.test(c) ? c : c.codePointAt(0) !== undefined && c.charCodeAt(0) > 127 ? c : `\\${c}`;
const escapeClass = (body: string): string => body.replace(/[\\\][]/g, '\\$&');

function longestLiteral(pattern: string): string {
  return pattern
    .split(/\*|\?|\[[^\]]*\]|\\./)
    .reduce((best, piece) => (piece.length > best.length ? piece : best), '')
    .replace(/^~/, '')
    .replace(/\/$/, '')
    .toLowerCase();
}
