// The pattern engines: word globs, path globs held against micromatch, texts that expressions can't do without.
import fc from 'fast-check';
import micromatch from 'micromatch';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { braceAlternatives, patternWords, wordGlob } from './glob.ts';
import { requiredTexts } from './literals.ts';
import { pathGlob } from './path.ts';
import { timeWindow } from './times.ts';

describe('word globs', () => {
  it('mean what a regular expression says', () => {
    const pattern = fc
      .array(fc.constantFrom('a', 'b', '/', '.', '*', '?', '[ab]', '[!a]'), { maxLength: 8 })
      .map((p) => p.join(''));
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', 'c'), maxLength: 10 }),
        (glob, text) => {
          const expression = glob.replace(/\*+|\?|\.|\[!a\]/g, (m) =>
            m.startsWith('*') ? '[^]*' : m === '?' ? '[^]' : m === '.' ? '\\.' : '[^a]',
          );
          expect(wordGlob(glob).test(text)).toBe(new RegExp(`^${expression}$`).test(text));
        },
      ),
      { numRuns: 3_000 },
    );
  });
  it('braces multiply, quotes make text', () => {
    expect(braceAlternatives('a{b,c{d,e}}f')).toEqual(['abf', 'acdf', 'acef']);
    expect(wordGlob('{}').test('{}')).toBe(true);
    expect(patternWords(`a 'b c*' "d"`)).toEqual(['a', 'b c\\*', 'd']);
    expect(() => wordGlob('{a')).toThrow(SyntaxError);
  });
  it('many stars cost little', () => {
    const started = performance.now();
    wordGlob('*a'.repeat(200)).test('a'.repeat(10_000).concat('b'));
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('path globs', () => {
  it('agree with micromatch', () => {
    const segment = fc.constantFrom(
      'etc',
      'a',
      '.ssh',
      'id_rsa',
      '*',
      '**',
      '*.key',
      'a*',
      '?',
      '[ab]',
      '{etc,a}',
    );
    const patterns = fc.array(segment, { minLength: 1, maxLength: 4 }).map((p) => `/${p.join('/')}`);
    const names = fc.constantFrom('etc', 'a', 'b', '.ssh', 'id_rsa', 'x.key', '.x', 'ab');
    const paths = fc.array(names, { minLength: 1, maxLength: 5 }).map((p) => `/${p.join('/')}`);
    fc.assert(
      fc.property(patterns, paths, (pattern, path) => {
        const ours = pathGlob(pattern).test(path);
        const theirs = (p: string): boolean =>
          micromatch.isMatch(path, p, { dot: true, nonegate: true, noextglob: true });
        // ** stands for no folder too, wherever it is; micromatch says so only in most places.
        const without = (p: string): readonly string[] => {
          const at = p.indexOf('/**');
          if (at < 0) return [p];
          return without(p.slice(at + 3)).flatMap((rest) => [
            `${p.slice(0, at)}/**${rest}`,
            p.slice(0, at) + rest,
          ]);
        };
        if (theirs(pattern)) expect(ours, `${pattern} ${path}`).toBe(true);
        if (ours) expect(without(pattern).some(theirs), `${pattern} ${path}`).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
  it('~ is every home', () => {
    const glob = pathGlob('~/.ssh/*');
    for (const path of ['~/.ssh/x', '/root/.ssh/x', '/home/bob/.ssh/x'])
      expect(glob.test(path), path).toBe(true);
    expect(glob.test('/srv/.ssh/x')).toBe(false);
  });
});

describe('required texts', () => {
  it.each([
    ['rm\\s+-rf', ['-rf']],
    ['(?i)Passwd|Shadow', ['passwd', 'shadow']],
    ['(?:abc)?defg', ['defg']],
    ['abc*def', ['def']],
    ['a|b', undefined],
    ['.*', undefined],
    ['[a-z]+', undefined],
    ['x{0,2}yz{3}', ['yz']],
  ])('%s', (expression, expected) => expect(requiredTexts(expression)?.toSorted()).toEqual(expected));
  it('stand in every match', () => {
    const piece = fc.constantFrom(
      'ab',
      'cd',
      'x?',
      'y*',
      '(?:ab|cd)',
      '(ab|cd|e)+',
      '[abc]',
      '.',
      '\\.',
      'z{2}',
      '(?:xy)?',
      'q+',
      '|',
      '^',
      '\\s',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }).map((p) => p.join('')),
        fc.string({
          unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'x', 'y', 'z', 'q', '.', ' '),
          maxLength: 14,
        }),
        (expression, text) => {
          const required = requiredTexts(expression);
          if (required !== undefined && RE2JS.compile(expression).test(text))
            expect(
              required.some((r) => text.includes(r)),
              expression,
            ).toBe(true);
        },
      ),
      { numRuns: 4_000 },
    );
  });
});

describe('time windows', () => {
  it('refuse what is no time', () => {
    for (const text of ['mon 25:00-26:00', 'xyz 08:00-09:00', '08:00-09:00 Nowhere/Atall', '8-9'])
      expect(() => timeWindow(text), text).toThrow(SyntaxError);
  });
  it('run over midnight from the day they begin', () => {
    const window = timeWindow('fri 22:00-06:00');
    expect(window.contains(new Date('2030-01-05T03:00:00Z'))).toBe(true);
    expect(window.contains(new Date('2030-01-04T03:00:00Z'))).toBe(false);
  });
});
