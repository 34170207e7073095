// From a word of the grammar to the words of argv: quotes removed, escapes decoded, variables, braces and substitutions
// replaced as far as they are known. What is not known keeps its source text and is marked so. Runs nothing.

import {
  type ArithmeticExpression,
  type ParameterExpansionPart,
  type ParsedScript,
  parse,
  type Word,
  type WordPart,
} from 'unbash';
import type { ArgumentWord } from './wrappers.ts';

/** A word of argv. */
export interface Field extends ArgumentWord {
  /** Holds an unquoted * ? or [. */
  readonly glob: boolean;
  /** Why it is not known; undefined when it is. */
  readonly why: 'variable' | 'substitution' | undefined;
}

/** What expansion may ask of its surroundings. */
export interface ExpansionSource {
  /** The value, `''` with `certain: false` where it is not known. */
  variable(name: string): { readonly text: string | undefined; readonly certain: boolean };
  positional(): readonly string[] | undefined;
  /** Analyses a command substitution; its output when that is known. */
  substitution(script: ParsedScript | undefined, text: string): string | undefined;
  /** Analyses a process substitution; the name of the file that stands for it. */
  processSubstitution(script: ParsedScript | undefined, text: string): string;
  assign(name: string, value: string | undefined): void;
  /** Analyses what an arithmetic expression substitutes. */
  arithmetic(expression: ArithmeticExpression): void;
  /** Counts work; false when the bound is met. */
  step(): boolean;
}

const MAX_ALTERNATIVES = 64;
/** Of one word; more of it is not known. Characters. */
const MAX_TEXT = 64 * 1024;

class FieldBuilder {
  readonly done: Field[] = [];
  text = '';
  private started = false;
  private known = true;
  private several = false;
  private glob = false;
  private why: Field['why'];

  add(text: string): void {
    if (this.text.length < MAX_TEXT) this.text += text;
    else if (text !== '') this.known = false;
    this.started = true;
  }
  unknown(text: string, several: boolean, why: 'variable' | 'substitution'): void {
    this.add(text);
    this.known = false;
    this.several ||= several;
    this.why = why;
  }
  globbed(text: string): void {
    this.add(text);
    this.glob = true;
  }
  /** Word splitting of an unquoted value, at these characters. */
  split(value: string, separators: string): void {
    const pieces = value.split(new RegExp(`[${separators.replaceAll(/[\\\]^-]/g, '\\$&')}]+`));
    pieces.forEach((piece, i) => {
      if (i > 0) this.end();
      if (piece === '') return;
      this.add(piece);
      if (/[*?[]/.test(piece)) this.glob = true;
    });
  }
  end(): void {
    if (this.started)
      this.done.push({
        text: this.text,
        known: this.known,
        several: this.several,
        glob: this.glob,
        why: this.why,
      });
    this.text = '';
    this.started = false;
    this.known = true;
    this.several = false;
    this.glob = false;
    this.why = undefined;
  }
}

/** Expands a word to the words of argv that it becomes: usually one, sometimes none or several. */
export function expandWord(word: Word, source: ExpansionSource): readonly Field[] {
  if (word.parts === undefined)
    return [{ text: tilde(word.value), known: true, several: false, glob: false, why: undefined }];
  const alternatives = expandBraces(word);
  if (alternatives.length === 1) return expandParts(alternatives[0]?.parts ?? word.parts, source);
  return alternatives.flatMap((w) =>
    w.parts === undefined
      ? [{ text: w.value, known: true, several: false, glob: false, why: undefined }]
      : expandParts(w.parts, source),
  );
}

/** A word as one text, without splitting: the value of an assignment, a here-string, a redirection's target. */
export function expandValue(
  word: Word,
  source: ExpansionSource,
): { readonly text: string; readonly known: boolean; readonly glob: boolean } {
  if (word.parts === undefined) return { text: tilde(word.value), known: true, glob: false };
  const builder = new FieldBuilder();
  for (const part of word.parts) expandPart(part, source, builder, true);
  builder.end();
  const field = builder.done[0];
  return { text: field?.text ?? '', known: field?.known ?? true, glob: field?.glob ?? false };
}

/** The body of a here-document. */
export function expandBody(
  parts: readonly WordPart[],
  source: ExpansionSource,
): { readonly text: string; readonly known: boolean } {
  const builder = new FieldBuilder();
  for (const part of parts) expandPart(part, source, builder, true);
  builder.end();
  return { text: builder.done[0]?.text ?? '', known: builder.done[0]?.known ?? true };
}

function tilde(text: string): string {
  return text.startsWith('~root/') || text === '~root' ? `/root${text.slice(5)}` : text;
}

function expandParts(parts: readonly WordPart[], source: ExpansionSource): readonly Field[] {
  const builder = new FieldBuilder();
  for (const part of parts) expandPart(part, source, builder, false);
  builder.end();
  return builder.done;
}

function expandPart(part: WordPart, source: ExpansionSource, out: FieldBuilder, quoted: boolean): void {
  if (!source.step()) {
    out.unknown(part.text, false, 'variable');
    return;
  }
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      out.add(part.value);
      return;
    case 'DoubleQuoted':
    case 'LocaleString':
      out.add('');
      for (const child of part.parts) expandPart(child, source, out, true);
      return;
    case 'Glob':
      if (quoted) out.add(part.text);
      else out.globbed(part.text);
      return;
    case 'ExtendedGlob':
      if (quoted) out.add(part.text);
      else out.globbed(part.text);
      return;
    case 'BraceExpansion':
      out.add(part.text);
      return;
    case 'SimpleExpansion':
      if (quoted && part.text === '$@' && several(source.positional(), out)) return;
      put(simple(part.text.slice(1), source), part.text, out, quoted, source);
      return;
    case 'ParameterExpansion':
      if (
        part.parameter === 'IFS' &&
        part.operation === undefined &&
        part.prefix === undefined &&
        source.variable('IFS').text === undefined
      ) {
        if (quoted) out.add(' \t\n');
        else out.end();
        return;
      }
      if (
        quoted &&
        part.index?.value === '@' &&
        part.operation === undefined &&
        part.prefix === undefined &&
        several(elements(part.parameter, source), out)
      )
        return;
      if (part.index !== undefined) expandValue(part.index, source);
      put(parameter(part, source), part.text, out, quoted, source);
      return;
    case 'CommandExpansion': {
      const text = source.substitution(part.script, part.text);
      if (text === undefined) out.unknown(part.text, !quoted, 'substitution');
      else if (quoted) out.add(text.replace(/\n+$/, ''));
      else out.split(text.replace(/\n+$/, ''), separatorsOf(source));
      return;
    }
    case 'ArithmeticExpansion': {
      if (part.expression !== undefined && /[$`]/.test(part.text.slice(1)))
        source.arithmetic(part.expression);
      const value = arithmetic(part.text.slice(3, -2), source);
      if (value === undefined) out.unknown(part.text, false, 'variable');
      else out.add(value);
      return;
    }
    case 'ProcessSubstitution':
      out.add(source.processSubstitution(part.script, part.text));
      return;
  }
}

/** `"$@"` and `"${a[@]}"`: each value is a word of its own. False when they are not known. */
function several(values: readonly string[] | undefined, out: FieldBuilder): boolean {
  if (values === undefined) return false;
  values.slice(0, MAX_ALTERNATIVES).forEach((value, i) => {
    if (i > 0) out.end();
    out.add(value);
  });
  return true;
}

function elements(name: string, source: ExpansionSource): readonly string[] | undefined {
  const found: string[] = [];
  for (let i = 0; i < MAX_ALTERNATIVES; i++) {
    const { text, certain } = source.variable(`${name}[${i}]`);
    if (text === undefined || text === '') break;
    if (!certain) return undefined;
    found.push(text);
  }
  return found.length === 0 ? undefined : found;
}

interface Expanded {
  readonly text: string | undefined;
  readonly certain: boolean;
}

/** What a shell that was told nothing else splits unquoted values at, and what it was told besides. */
function separatorsOf(source: ExpansionSource): string {
  return ` \t\n${source.variable('IFS').text ?? ''}`;
}

function put(
  value: Expanded,
  sourceText: string,
  out: FieldBuilder,
  quoted: boolean,
  source: ExpansionSource,
): void {
  if (value.text === undefined) out.unknown(sourceText, !quoted, 'variable');
  else if (!value.certain) {
    // A likely value: read on with it, but remember that it is a guess.
    out.unknown(value.text, !quoted, 'variable');
  } else if (quoted) out.add(value.text);
  else out.split(value.text, separatorsOf(source));
}

function simple(name: string, source: ExpansionSource): Expanded {
  if (name === 'IFS') {
    const set = source.variable('IFS');
    return set.text === undefined ? { text: ' ', certain: true } : set;
  }
  if (/^[0-9]+$/.test(name) && name !== '0') {
    const values = source.positional();
    return {
      text: values?.[Number(name) - 1] ?? (values === undefined ? undefined : ''),
      certain: values !== undefined,
    };
  }
  if (name === '@' || name === '*') {
    const values = source.positional();
    return { text: values?.join(' '), certain: values !== undefined };
  }
  return source.variable(name);
}

function parameter(part: ParameterExpansionPart, source: ExpansionSource): Expanded {
  const unknown: Expanded = { text: undefined, certain: false };
  if (part.index !== undefined) {
    const element = source.variable(`${part.parameter}[${part.index.value}]`);
    return part.operation === undefined && part.prefix === undefined ? element : unknown;
  }
  let value = simple(part.parameter, source);
  if (part.prefix === '!') {
    if (value.text === undefined || part.operation !== undefined) return unknown;
    value = { ...source.variable(value.text), certain: value.certain };
  }
  if (part.prefix === '#')
    return value.text === undefined ? unknown : { text: String(value.text.length), certain: value.certain };
  const operation = part.operation;
  if (operation === undefined) return value;
  const operand = (w: Word | undefined): Expanded => {
    if (w === undefined) return { text: '', certain: true };
    const v = expandValue(w, source);
    return { text: v.text, certain: v.known };
  };
  switch (operation.type) {
    case 'Default': {
      const other = operand(operation.operand);
      const sign = operation.operator.replace(':', '');
      const empty = value.text === '' && operation.operator.startsWith(':');
      if (sign === '+')
        return value.text === undefined
          ? { text: other.text, certain: false }
          : empty
            ? { text: '', certain: true }
            : other;
      if (value.text !== undefined && !empty) return value;
      if (sign === '=') source.assign(part.parameter, other.text);
      if (sign === '?') return unknown;
      // Unset as far as this session shows; the environment may still hold a value.
      return { text: other.text, certain: other.certain && value.text !== undefined };
    }
    case 'Slice': {
      const from = operand(operation.offset);
      const length = operation.length === undefined ? undefined : operand(operation.length);
      if (value.text === undefined || from.text === undefined) return unknown;
      const start = Number(arithmetic(from.text, source) ?? Number.NaN);
      if (!Number.isInteger(start)) return unknown;
      const begin = start < 0 ? Math.max(0, value.text.length + start) : start;
      if (length === undefined)
        return { text: value.text.slice(begin), certain: value.certain && from.certain };
      const count = Number(arithmetic(length.text ?? '', source) ?? Number.NaN);
      if (!Number.isInteger(count)) return unknown;
      return {
        text: count < 0 ? value.text.slice(begin, count) : value.text.slice(begin, begin + count),
        certain: value.certain && from.certain,
      };
    }
    case 'CaseModification': {
      if (value.text === undefined || operation.operand !== undefined) return unknown;
      const t = value.text;
      const text =
        operation.operator === '^^'
          ? t.toUpperCase()
          : operation.operator === ',,'
            ? t.toLowerCase()
            : operation.operator === '^'
              ? t.charAt(0).toUpperCase() + t.slice(1)
              : t.charAt(0).toLowerCase() + t.slice(1);
      return { text, certain: value.certain };
    }
    case 'Replace': {
      const from = expandValue(operation.pattern, source);
      const to = operand(operation.replacement);
      if (value.text === undefined || to.text === undefined || from.glob || !from.known || from.text === '')
        return unknown;
      const t = value.text;
      const by = to.text;
      const text =
        operation.operator === '//'
          ? t.split(from.text).join(by)
          : operation.operator === '/#'
            ? t.startsWith(from.text)
              ? by + t.slice(from.text.length)
              : t
            : operation.operator === '/%'
              ? t.endsWith(from.text)
                ? t.slice(0, t.length - from.text.length) + by
                : t
              : t.replace(from.text, () => by);
      return { text, certain: value.certain && to.certain };
    }
    case 'Remove': {
      const pattern = expandValue(operation.operand, source);
      if (value.text === undefined || !pattern.known) return unknown;
      return {
        text: removeAffix(value.text, pattern.text, pattern.glob, operation.operator),
        certain: value.certain,
      };
    }
    case 'Transform':
    case 'Names':
    case 'Unknown':
      return unknown;
  }
}

/** `${a#pattern}` and its kin for patterns of literals and `*` only; anything else leaves the text as it is. */
function removeAffix(text: string, pattern: string, glob: boolean, operator: string): string {
  if (!glob) {
    if (operator.startsWith('#')) return text.startsWith(pattern) ? text.slice(pattern.length) : text;
    return text.endsWith(pattern) ? text.slice(0, text.length - pattern.length) : text;
  }
  const literal = pattern.replace(/^\*|\*$/g, '');
  if (/[*?[]/.test(literal)) return text;
  if (operator.startsWith('#')) {
    if (!pattern.startsWith('*'))
      return text.startsWith(literal) ? (operator === '##' ? '' : text.slice(literal.length)) : text;
    const at = operator === '##' ? text.lastIndexOf(literal) : text.indexOf(literal);
    return at < 0 ? text : text.slice(at + literal.length);
  }
  if (!pattern.endsWith('*'))
    return text.endsWith(literal) ? text.slice(0, text.length - literal.length) : text;
  const at = operator === '%%' ? text.indexOf(literal) : text.lastIndexOf(literal);
  return at < 0 ? text : text.slice(0, at);
}

/** Sums and products of integers and known variables; anything more is not known. */
function arithmetic(text: string, source: ExpansionSource): string | undefined {
  const tokens = text.match(/\d+|[A-Za-z_]\w*|[-+*/%()]|\S/g);
  if (tokens === null || tokens.length > 64) return undefined;
  let i = 0;
  const atom = (): number => {
    const t = tokens[i++];
    if (t === undefined) return Number.NaN;
    if (t === '-') return -atom();
    if (t === '+') return atom();
    if (t === '(') {
      const v = sum();
      return tokens[i++] === ')' ? v : Number.NaN;
    }
    if (/^\d+$/.test(t)) return Number(t);
    if (/^[A-Za-z_]/.test(t)) {
      const v = source.variable(t);
      return v.text === undefined || !v.certain ? Number.NaN : Number(v.text);
    }
    return Number.NaN;
  };
  const product = (): number => {
    let v = atom();
    while (tokens[i] === '*' || tokens[i] === '/' || tokens[i] === '%') {
      const op = tokens[i++];
      const w = atom();
      v = op === '*' ? v * w : op === '/' ? Math.trunc(v / w) : v % w;
    }
    return v;
  };
  const sum = (): number => {
    let v = product();
    while (tokens[i] === '+' || tokens[i] === '-') v = tokens[i++] === '+' ? v + product() : v - product();
    return v;
  };
  const value = sum();
  return i === tokens.length && Number.isFinite(value) ? String(value) : undefined;
}

/** The alternatives of a word with braces; the word itself when it has none or they are too many. */
function expandBraces(word: Word): readonly Word[] {
  if (word.parts?.some((p) => p.type === 'BraceExpansion') !== true) return [word];
  let texts = [''];
  for (const part of word.parts) {
    const choices = part.type === 'BraceExpansion' ? braceChoices(part.text, 0) : [part.text];
    if (texts.length * choices.length > MAX_ALTERNATIVES || choices.length === 0) return [word];
    texts = texts.flatMap((t) => choices.map((c) => t + c));
  }
  const out: Word[] = [];
  for (const text of texts) {
    if (text === '') continue;
    const command = parse(`x ${text}`).commands[0]?.command;
    const parsed = command?.type === 'Command' ? command.args[0] : undefined;
    if (parsed?.type === 'Word') out.push(parsed);
  }
  return out.length === 0 ? [word] : out;
}

/** `{a,b{c,d}}` → a, bc, bd; `{1..3}` → 1, 2, 3. Quotes inside are kept for the second reading. */
export function braceChoices(text: string, depth: number): readonly string[] {
  const inner = text.slice(1, -1);
  const range =
    /^(-?\d{1,6})\.\.(-?\d{1,6})(?:\.\.-?\d+)?$/.exec(inner) ?? /^([a-zA-Z])\.\.([a-zA-Z])$/.exec(inner);
  if (range?.[1] !== undefined && range[2] !== undefined) {
    const numeric = /\d/.test(range[1]);
    const from = numeric ? Number(range[1]) : range[1].charCodeAt(0);
    const to = numeric ? Number(range[2]) : range[2].charCodeAt(0);
    if (Math.abs(to - from) >= MAX_ALTERNATIVES) return [text];
    const out: string[] = [];
    for (let v = from; from <= to ? v <= to : v >= to; v += from <= to ? 1 : -1)
      out.push(numeric ? String(v) : String.fromCharCode(v));
    return out;
  }
  const pieces: string[] = [];
  let level = 0;
  let start = 0;
  for (let i = 0; i < inner.length; i++) {
    const c = inner[i];
    if (c === '\\') i++;
    else if (c === "'" || c === '"') {
      const end = inner.indexOf(c, i + 1);
      if (end < 0) break;
      i = end;
    } else if (c === '{') level++;
    else if (c === '}') level--;
    else if (c === ',' && level === 0) {
      pieces.push(inner.slice(start, i));
      start = i + 1;
    }
  }
  pieces.push(inner.slice(start));
  if (pieces.length < 2) return [text];
  if (depth > 4) return pieces;
  return pieces.flatMap((piece) => nestedChoices(piece, depth + 1)).slice(0, MAX_ALTERNATIVES + 1);
}

function nestedChoices(piece: string, depth: number): readonly string[] {
  const open = piece.indexOf('{');
  if (open < 0) return [piece];
  let level = 0;
  for (let i = open; i < piece.length; i++) {
    if (piece[i] === '{') level++;
    else if (piece[i] === '}' && --level === 0) {
      const before = piece.slice(0, open);
      const choices = braceChoices(piece.slice(open, i + 1), depth);
      const after = nestedChoices(piece.slice(i + 1), depth);
      return choices.flatMap((c) => after.map((a) => before + c + a)).slice(0, MAX_ALTERNATIVES + 1);
    }
  }
  return [piece];
}
