// What a shell may be left with of lines that a program takes the first keys of: any end of such a line, and what the
// shell reads on after it; and what it has if the line began before its first key. Tries them all, within bounds, until
// one of them may not run; never says what was typed without echo. Which lines these are is the gate machine's business, what may not run the policy's.
import { setImmediate as turn } from 'node:timers/promises';
import type { Analysis } from '../../policies/analysis/types.ts';

/** Ends of one line that are tried, and their length together, in characters. */
const MOST_ENDS = 4_096;
const MOST_CHARACTERS = 10_000_000;
/** How much of it is done before anybody else gets a turn: some six milliseconds. */
const CHARACTERS_AT_ONCE = 4_096;
/** What a shell may be reading on is kept up to this length, in characters. */
const LONGEST_OPEN = 16_384;
const MOST_OPEN = 256;
const MOST_OPEN_CHARACTERS = 262_144;

export interface LineToTry {
  /** All that the line may be. */
  readonly texts: readonly string[];
  /** Any end of it may be what a shell reads. */
  readonly anyEnd: boolean;
  /** It looks as if it was typed at a prompt. */
  readonly atPrompt: boolean;
  /** What stands left of it, and may be a part of it, from anywhere on. */
  readonly left: string;
  /** It, or what is judged with it, was typed without echo. */
  readonly hidden: boolean;
  /** Every reading of a text. */
  readonly read: (text: string) => readonly Analysis[];
  /** The rule that keeps one of these from running, if any does. */
  readonly heldBy: (analyses: readonly Analysis[]) => string | undefined;
  /** A command in one of these is more than a word to whoever judges it. */
  readonly knows: (analyses: readonly Analysis[]) => boolean;
  /** Nobody wants to know any more. */
  readonly over: () => boolean;
}

/** What a shell reads on, if it has taken some end of the lines so far. */
export interface OpenEnds {
  readonly texts: readonly string[];
  readonly hidden: boolean;
}

export type Refused =
  /**
   * `text`: the end that may not run, where it may be told. `rule`: what says so. `from`: where it begins, `before` is in
   * a line that was let go.
   */
  | {
      readonly kind: 'held';
      readonly text: string | undefined;
      readonly rule: string;
      readonly from: 'before' | 'left' | 'line';
      readonly atPrompt: boolean;
    }
  | { readonly kind: 'too-many'; readonly atPrompt: boolean };

export type Tried =
  /** Whatever end of it a shell reads may run. `open`: what it would read on, once the line is let go. */
  { readonly kind: 'allowed'; readonly open: OpenEnds } | Refused;

export const NO_ENDS: OpenEnds = { texts: [], hidden: false };

export const tryEnds = async (line: LineToTry, before: OpenEnds): Promise<Tried> => {
  if (!line.anyEnd && before.texts.length === 0) return { kind: 'allowed', open: NO_ENDS };
  const open = new Set<string>();
  /** How what is left open looks, of commands that are only words: they are all alike to rules, and one stands for all. */
  const alike = new Set<string>();
  const tried = new Set<string>();
  const hidden = line.hidden || before.hidden;
  // The line as a whole is judged elsewhere, where a rule may also ask.
  const whole = new Set(line.texts.map((text) => text.trimStart()));
  let characters = 0;
  let sinceTurn = 0;
  const { atPrompt } = line;
  for (const [from, text] of textsToTry(line, before)) {
    if (tried.has(text)) continue;
    tried.add(text);
    characters += text.length;
    sinceTurn += text.length + 64;
    if (tried.size > MOST_ENDS || characters > MOST_CHARACTERS || text.length > LONGEST_OPEN)
      return { kind: 'too-many', atPrompt };
    const analyses = line.read(text);
    const rule = whole.has(text) ? undefined : line.heldBy(analyses);
    if (rule !== undefined) return { kind: 'held', text: hidden ? undefined : text, rule, from, atPrompt };
    if (analyses.some(({ truncated }) => truncated)) return { kind: 'too-many', atPrompt };
    // What stands left of the line would have to be filled in anew for each line.
    if (from === 'left') continue;
    const how = analyses.map(({ incomplete }) => incomplete).find((incomplete) => incomplete !== 'none');
    if (how !== undefined) {
      const look = `${how} ${text.replaceAll(/[^'"`]+/g, '')}`;
      if (WORD_GOES_ON.test(text) || line.knows(analyses)) open.add(text);
      else if (!alike.has(look)) {
        alike.add(look);
        open.add(text);
      }
    }
    if (sinceTurn < CHARACTERS_AT_ONCE) continue;
    sinceTurn = 0;
    await turn();
    if (line.over()) break;
  }
  if ((!line.anyEnd || atPrompt) && !line.texts.some((text) => unfinished(line, text)))
    return { kind: 'allowed', open: NO_ENDS };
  const length = [...open].reduce((sum, text) => sum + text.length, 0);
  if (open.size > MOST_OPEN || length > MOST_OPEN_CHARACTERS) return { kind: 'too-many', atPrompt };
  return { kind: 'allowed', open: { texts: [...open], hidden } };
};

/** The name of a command itself may go on in the next line. */
const WORD_GOES_ON = /(?:^|[;&|(){}`])\s*[^\s;&|(){}`]*\\$/;

const unfinished = ({ read }: LineToTry, text: string): boolean =>
  read(text).some(({ incomplete }) => incomplete !== 'none');

/** The line behind everything that a shell may be reading on, and its ends, the longest first. */
function* textsToTry(
  { texts, anyEnd, left }: LineToTry,
  before: OpenEnds,
): Generator<readonly ['before' | 'left' | 'line', string]> {
  for (const text of texts) for (const begun of before.texts) yield ['before', `${begun}\n${text}`];
  if (!anyEnd) return;
  // The whole line is among them: it may be what the shell reads on.
  for (const text of texts) for (const end of endsOf(text, text.length)) yield ['line', end];
  for (const text of texts) for (const end of endsOf(left + text, left.length)) yield ['left', end];
}

/** The ends of `text` that begin before `until`, but for blanks before a command, which change nothing. */
function* endsOf(text: string, until: number): Generator<string> {
  for (let at = 0; at < until; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && !(code >= 0xdc00 && code <= 0xdfff))
      yield text.slice(at);
  }
}
