// Patterns of what must not stand in a recording, and their use on text that comes in pieces. A rule takes out each match,
// or everything from a match to where another pattern ends it. Expressions run in linear time (RE2). They see lines
// without colours and other control sequences. Text that a match could still grow into is kept back, in memory only,
// until its line is complete. It knows nothing of files; redact.ts uses the same rules on what is sealed already.
import { RE2JS } from 're2js';
import { RecordingError, reasonOf } from './errors.ts';

export interface RedactionRule {
  /** Stands in place of what was taken out. */
  readonly name: string;
  readonly pattern: string;
  /** What is taken out goes on, over many lines, to the end of this pattern's next match. */
  readonly until?: string | undefined;
}

interface CompiledRule {
  readonly name: string;
  readonly pattern: RE2JS;
  readonly until: RE2JS | undefined;
  readonly beginnings: Beginnings;
  /** Stands somewhere in every match. */
  readonly required: Beginnings;
}

/** A line longer than this is looked at before it ends. Characters. */
const longestLine = 16 * 1024;
/** Of such a line so much is kept back, for a match may go on. Characters. */
const longestMatch = 2048;
/** A match that is to be ended by `until` ends after so much all the same. Characters. */
const longestBlock = 256 * 1024;

// What a screen does not show as text.
const invisible =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]P_^X][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]*[0-~])|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const unfinishedSequence =
  /\u001b(?:\[[0-?]{0,256}[ -/]{0,16}|[\]P_^X][^\u0007\u001b]{0,4096}\u001b?|[ -/]{0,16})?$/;
/** A title, say: text that is not on the screen. */
const strings = /(\u001b[\]P_^X])([^\u0007\u001b]+)/g;

/** What every match of an expression begins with, one or the other of it; none where that can't be told. */
export interface Beginnings {
  readonly texts: readonly string[];
  /** In whatever case; the texts are in lower case then. */
  readonly anyCase: boolean;
}

const plainText = `[A-Za-z0-9_ =:;,"'@#%&<>/~-]`;
const plainGroup = new RegExp(String.raw`^\((?:\?:)?(${plainText}+(?:\|${plainText}+)*)\)(?![?*{])`);
const plainBeginning = new RegExp(`^${plainText}*`);

/** Reads only the plainest of expressions; errs to none. */
export function beginningsOf(pattern: string): Beginnings {
  const anyCase = pattern.startsWith('(?i)');
  const expression = anyCase ? pattern.slice(4) : pattern;
  const told = (texts: readonly string[]): Beginnings => ({
    texts: anyCase ? texts.map((text) => text.toLowerCase()) : texts,
    anyCase,
  });
  const group = plainGroup.exec(expression);
  const rest = expression.slice(group?.[0].length ?? 0);
  if (rest.includes('|') || /\(\?[^:]/.test(rest)) return told([]);
  if (group?.[1] !== undefined) return told(group[1].split('|'));
  const text = plainBeginning.exec(expression)?.[0] ?? '';
  // A quantifier takes the character before it along.
  const sure = /^[?*+{]/.test(expression.slice(text.length)) ? text.slice(0, -1) : text;
  return told(sure === '' ? [] : [sure]);
}

/** Shorter ones stand in most lines. Characters. */
const shortestRequired = 3;

// A class, an escape, a count, or one character.
const element = /\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]])*\]|\\.|\{[\d,]*\}|[\s\S]/g;
/** Escapes that stand for themselves, and those that stand for one thing that isn't told here. Others may go on. */
const escapedSelf = /^\\[.+*?()|[\]{}^$/-]$/;
const escapedOther = /^\\[dDsSwWbBAztnrfva]$/;
const plainOne = new RegExp(`^${plainText}$`);

/** The longest text that stands in every match of an expression, where that is plain to see; errs to none. */
export function requiredOf(pattern: string): Beginnings {
  const anyCase = pattern.startsWith('(?i)');
  const expression = anyCase ? pattern.slice(4) : pattern;
  const none = { texts: [], anyCase };
  // Other flags change what stands behind them.
  if (/\(\?[^:]/.test(expression)) return none;
  let longest = '';
  let run = '';
  let depth = 0;
  for (const [one] of expression.matchAll(element)) {
    if (one === '(') depth += 1;
    else if (one === ')') depth -= 1;
    else if (one === '|' && depth === 0) return none;
    else if (one.length > 1 && one.startsWith('\\') && !escapedSelf.test(one) && !escapedOther.test(one))
      return none;
    if (depth === 0 && (plainOne.test(one) || escapedSelf.test(one))) {
      run += one.at(-1) ?? '';
      continue;
    }
    // A quantifier takes the character before it along.
    if (/^[?*+{]/.test(one)) run = run.slice(0, -1);
    if (run.length > longest.length) longest = run;
    run = '';
  }
  if (run.length > longest.length) longest = run;
  if (longest.length < shortestRequired) return none;
  return { texts: [anyCase ? longest.toLowerCase() : longest], anyCase };
}

function compile(pattern: string, name: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new RecordingError('SP_RECORDING_PATTERN', `redaction ${name}: ${reasonOf(error)}`, error);
  }
}

export class RedactionRules {
  readonly #rules: readonly CompiledRule[];

  /** Throws SP_RECORDING_PATTERN for an expression that is none, or that matches nothing at all. */
  constructor(rules: readonly RedactionRule[]) {
    this.#rules = rules.map(({ name, pattern, until }) => {
      const compiled = compile(pattern, name);
      if (compiled.matcher('').find()) {
        throw new RecordingError('SP_RECORDING_PATTERN', `redaction ${name}: the pattern matches empty text`);
      }
      return {
        name: name.replace(/[^\w.-]/g, '').slice(0, 64),
        pattern: compiled,
        until: until === undefined ? undefined : compile(until, name),
        beginnings: beginningsOf(pattern),
        required: requiredOf(pattern),
      };
    });
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** A text that is whole. */
  redact(text: string): string {
    return this.stream().whole(text);
  }

  /** Every text within a value, names of fields left alone. */
  redactWithin(value: unknown): unknown {
    if (typeof value === 'string') return this.redact(value);
    if (Array.isArray(value)) return value.map((one: unknown) => this.redactWithin(one));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.redactWithin(one)]));
  }

  stream(): RedactingStream {
    return new RedactingStream(this.#rules);
  }
}

/** A line as it is seen, and where its characters stand in the line as it came. */
interface Seen {
  /** Of the line as it came. */
  readonly length: number;
  readonly text: string;
  readonly places: readonly number[] | undefined;
}

function seen(line: string): Seen {
  if (line.search(invisible) < 0) return { length: line.length, text: line, places: undefined };
  let text = '';
  const places: number[] = [];
  let from = 0;
  const add = (to: number): void => {
    for (let at = from; at < to; at += 1) places.push(at);
    text += line.slice(from, to);
  };
  for (const match of line.matchAll(invisible)) {
    add(match.index);
    from = match.index + match[0].length;
  }
  add(line.length);
  return { length: line.length, text, places };
}

const placeOf = ({ text, places }: Seen, at: number, end: number): number =>
  places === undefined ? at : at >= text.length ? end : (places[at] ?? end);

/** Behind the last character before `end`, not behind the sequences that follow it. */
const placeAfter = (line: Seen, end: number, otherwise: number): number =>
  end === 0 ? 0 : placeOf(line, end - 1, otherwise - 1) + 1;

/** What of the sequences in a part that is taken out still has to reach a screen. */
const sequencesOf = (part: string): string =>
  (part.match(invisible) ?? []).filter((one) => one.length > 1).join('');

type Inside = { readonly rule: CompiledRule; readonly until: RE2JS; characters: number } | undefined;

export class RedactingStream {
  readonly #rules: readonly CompiledRule[];
  #held = '';
  #inside: Inside;

  constructor(rules: readonly CompiledRule[]) {
    this.#rules = rules;
  }

  /** Lines that are whole: nothing is kept back. */
  whole(text: string): string {
    return this.feed(text) + this.flush();
  }

  /** Answers what may be stored now. */
  feed(text: string): string {
    this.#held += text;
    let out = '';
    const complete = this.#held.lastIndexOf('\n') + 1;
    if (complete > 0) {
      const lines = this.#held.slice(0, complete);
      this.#held = this.#held.slice(complete);
      if (this.#surelyFree(lines)) out = lines;
      else for (const [line] of lines.matchAll(/[^\n]*\n/g)) out += this.#line(line);
    }
    const free = this.#freeUntil();
    if (free > 0) {
      out += this.#line(this.#held.slice(0, free));
      this.#held = this.#held.slice(free);
    }
    return out;
  }

  /** Nothing follows that belongs to what came before: what was kept back, redacted. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held === '' ? '' : this.#line(held);
  }

  /** True when it is plain that nothing in these lines matches: most of the time, where rules begin with plain characters. */
  #surelyFree(lines: string): boolean {
    if (this.#inside !== undefined) return false;
    const absent = (text: string): boolean => this.#rules.every((rule) => !mayMatch(text, rule));
    // What stands in titles is looked at as it came, what is on the screen without what is not.
    return absent(lines) && absent(lines.replace(invisible, ''));
  }

  /** How much of the line under way no match can begin in, or, of one that is too long, does not lie across. */
  #freeUntil(): number {
    const held = this.#held;
    if (held === '') return 0;
    if (held.length > longestLine) return this.#cutBefore(held.length - longestMatch);
    if (this.#inside !== undefined) return 0;
    const line = seen(held.slice(0, unfinishedSequence.exec(held)?.index));
    let free = line.text.length;
    for (const { beginnings } of this.#rules) {
      if (beginnings.texts.length === 0) return 0;
      free = Math.min(free, possibleStart(line.text, beginnings));
    }
    return placeOf(line, free, line.length);
  }

  #cutBefore(wanted: number): number {
    const line = seen(this.#held);
    // No half of a character.
    let cut = /[\udc00-\udfff]/.test(this.#held.charAt(wanted)) ? wanted - 1 : wanted;
    const inside = this.#inside;
    for (const pattern of inside === undefined ? this.#rules.map((rule) => rule.pattern) : [inside.until]) {
      const matcher = pattern.matcher(line.text);
      while (matcher.find()) {
        const start = placeOf(line, matcher.start(), this.#held.length);
        const end = placeOf(line, matcher.end(), this.#held.length);
        if (start < cut && end > cut) cut = start > 0 ? start : end;
      }
    }
    return cut;
  }

  #line(line: string): string {
    let rest = line.replace(strings, (_, start: string, text: string) => `${start}${this.#bare(text)}`);
    let out = '';
    while (rest !== '') {
      if (this.#inside !== undefined) {
        const inside = this.#inside;
        const view = seen(rest);
        const matcher = inside.until.matcher(view.text);
        const ended = matcher.find();
        const end = ended ? placeAfter(view, matcher.end(), rest.length) : rest.length;
        inside.characters += end;
        out += sequencesOf(rest.slice(0, end));
        rest = rest.slice(end);
        if (ended || inside.characters > longestBlock) this.#inside = undefined;
        continue;
      }
      const view = seen(rest);
      const found = this.#first(view.text);
      if (found === undefined) return out + rest;
      const { rule, start, end } = found;
      const from = placeOf(view, start, rest.length);
      const to = placeAfter(view, end, rest.length);
      const taken = rest.slice(from, to);
      const newline = taken.endsWith('\n') && rule.until === undefined ? '\r\n' : '';
      out += `${rest.slice(0, from)}[redacted ${rule.name}]${sequencesOf(taken)}${newline}`;
      rest = rest.slice(to);
      if (rule.until !== undefined) this.#inside = { rule, until: rule.until, characters: 0 };
    }
    return out;
  }

  /** Text without sequences in it. */
  #bare(text: string): string {
    let rest = text;
    let out = '';
    for (let found = this.#first(rest); found !== undefined; found = this.#first(rest)) {
      out += `${rest.slice(0, found.start)}[redacted ${found.rule.name}]`;
      rest = found.rule.until === undefined ? rest.slice(found.end) : '';
    }
    return out + rest;
  }

  /** The match that begins first; of several, the longest. */
  #first(
    text: string,
  ): { readonly rule: CompiledRule; readonly start: number; readonly end: number } | undefined {
    let best: { readonly rule: CompiledRule; readonly start: number; readonly end: number } | undefined;
    for (const rule of this.#rules) {
      if (!mayMatch(text, rule)) continue;
      const matcher = rule.pattern.matcher(text);
      if (!matcher.find() || matcher.end() === matcher.start()) continue;
      const [start, end] = [matcher.start(), matcher.end()];
      if (best === undefined || start < best.start || (start === best.start && end > best.end)) {
        best = { rule, start, end };
      }
    }
    return best;
  }
}

/** The text as beginnings are compared with it; undefined where that moves its characters. */
function compared(text: string, { anyCase }: Beginnings): string | undefined {
  if (!anyCase) return text;
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : undefined;
}

function mayBegin(text: string, beginnings: Beginnings): boolean {
  const { texts } = beginnings;
  const other = compared(text, beginnings);
  return texts.length === 0 || other === undefined || texts.some((one) => other.includes(one));
}

const mayMatch = (text: string, { beginnings, required }: CompiledRule): boolean =>
  mayBegin(text, beginnings) && mayBegin(text, required);

/** The first place from which one of the beginnings stands in the text, or may yet when it goes on. */
function possibleStart(text: string, beginnings: Beginnings): number {
  const other = compared(text, beginnings);
  if (other === undefined) return 0;
  let first = text.length;
  for (const one of beginnings.texts) {
    const whole = other.indexOf(one);
    if (whole >= 0) first = Math.min(first, whole);
    for (let length = Math.min(one.length - 1, other.length); length > 0; length -= 1) {
      if (other.endsWith(one.slice(0, length))) first = Math.min(first, other.length - length);
    }
  }
  return first;
}
