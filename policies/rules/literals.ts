// What a regular expression can't do without: texts of which at least one is in every match. An index over them lets
// thousands of expressions stand by unread. Conservative: when in doubt it answers undefined and the rule is always tried.

const MAX_TEXTS = 300;

/** In lower case, each at least 2 characters long; undefined when no such set is certain. */
export function requiredTexts(expression: string): readonly string[] | undefined {
  const source = expression.replace(/^\(\?[imsU]+\)/, '');
  const reader = new Reader(source);
  const found = reader.alternation(0);
  return found === undefined || reader.at < source.length ? undefined : found;
}

class Reader {
  at = 0;
  private readonly source: string;
  constructor(source: string) {
    this.source = source;
  }

  /** `a|b|c`: a text of each. */
  alternation(depth: number): readonly string[] | undefined {
    if (depth > 20) return undefined;
    let out: readonly string[] | undefined = [];
    for (;;) {
      const branch = this.sequence(depth);
      out = out === undefined || branch === undefined ? undefined : [...out, ...branch];
      if (this.source[this.at] !== '|') break;
      this.at++;
    }
    return out !== undefined && out.length <= MAX_TEXTS ? out : undefined;
  }

  /** The best set among the pieces of one branch. */
  private sequence(depth: number): readonly string[] | undefined {
    let best: readonly string[] | undefined;
    let run = '';
    const settle = (candidate: readonly string[] | undefined): void => {
      if (candidate === undefined || candidate.length === 0 || candidate.some((t) => t.length < 2)) return;
      if (best === undefined || shortest(candidate) > shortest(best)) best = candidate;
    };
    const endRun = (): void => {
      settle([run]);
      run = '';
    };
    while (this.at < this.source.length) {
      const c = this.source.charAt(this.at);
      if (c === '|' || c === ')') break;
      let piece: string | undefined;
      let group: readonly string[] | undefined;
      let isGroup = false;
      if (c === '(') {
        isGroup = true;
        this.at++;
        const flags = /^\?(?:[imsU-]*:|P?<[A-Za-z_]\w*>|[imsU-]+\))/.exec(
          this.source.slice(this.at, this.at + 64),
        );
        if (flags !== null) this.at += flags[0].length;
        if (flags?.[0].endsWith(')') !== true) {
          group = this.alternation(depth + 1);
          this.at++;
        }
      } else if (c === '[') {
        this.at++;
        if (this.source[this.at] === '^') this.at++;
        if (this.source[this.at] === ']') this.at++;
        while (this.at < this.source.length && this.source[this.at] !== ']') {
          if (this.source[this.at] === '\\') this.at++;
          if (this.source[this.at] === '[' && this.source[this.at + 1] === ':')
            this.at = Math.max(this.at, this.source.indexOf(':]', this.at));
          this.at++;
        }
        this.at++;
      } else if (c === '\\') {
        const n = this.source.charAt(this.at + 1);
        this.at += 2;
        if (/[^a-zA-Z0-9]/.test(n)) piece = n;
        else if (n === 'Q' || n === 'x' || n === 'p' || n === 'P' || /[0-9]/.test(n)) {
          // Rare: read to the end of a braces group if there is one, and claim nothing.
          if (this.source[this.at] === '{')
            this.at = this.source.indexOf('}', this.at) + 1 || this.source.length;
          else if (n === 'Q') this.at = this.source.length;
        }
      } else if (c === '.' || c === '^' || c === '$') this.at++;
      else {
        piece = c;
        this.at++;
      }
      const quantifier = /^(?:[*?]|\+|\{(\d*)(?:,\d*)?\})[?+]?/.exec(
        this.source.slice(this.at, this.at + 24),
      );
      const optional =
        quantifier !== null && (/^[*?]/.test(quantifier[0]) || quantifier[1] === '0' || quantifier[1] === '');
      if (quantifier !== null) this.at += quantifier[0].length;
      if (piece !== undefined && !optional) {
        run += piece.toLowerCase();
        if (quantifier !== null) endRun();
      } else {
        endRun();
        if (isGroup && !optional) settle(group);
      }
    }
    endRun();
    return best;
  }
}

function shortest(texts: readonly string[]): number {
  return Math.min(...texts.map((t) => t.length)) - (texts.length - 1) * 0.02;
}
