// Tells what was typed without echo: text that never came back from the device, neither on the line nor anywhere else.
// Every doubt here ends with text that is not stored.
import type { KeysState } from '../terminal/keys-model.ts';
import type { LineOnScreen } from '../terminal/line-reader.ts';
import { visible } from '../terminal/reading.ts';
import type { EchoWitness } from './echo-witness.ts';

/** Who echoes: a line editor, the same or nearly as simple a one for a line that was edited, or anything else. */
export type Echoes = 'editor' | 'edited' | 'other';

/** What stands before the line asks for something that nobody should see. Only ever keeps more from the log. */
const ASKS_FOR_SECRET =
  /(?:pass(?:word|phrase|code)?|secret|token|\bkey|\bpin|\bcode)\b[^:?>]{0,60}[:?>]\s*$|\bsame key again/iu;

/** The device asks for a secret here, or shows a mask in place of what was typed. */
export function isMasked(line: LineOnScreen, keys: KeysState): boolean {
  if (ASKS_FOR_SECRET.test(line.anchor.prompt)) return true;
  const mask = /(\S)\1*\s*$/u.exec(line.text)?.[0].trim();
  if (mask === undefined || keys.kind !== 'known') return false;
  return keys.texts.some((text) => text.length > 1 && Array.from(text).length === Array.from(mask).length);
}

/** Nothing, or one character for each that was typed. */
function isMask(text: string): boolean {
  return /^\s*(\S?)\1*\s*$/u.test(text);
}

/** The line shows every run of ASCII of such a text in order: editors spell its other characters as they like. */
function showsAllButForeign(line: LineOnScreen, text: string): boolean {
  if (!/[^\x00-\x7f]/.test(text)) return false;
  const runs = text.split(/[^\x21-\x7e]+/).filter((run) => run !== '');
  if (runs.length === 0 || isMask(line.text)) return false;
  let at = 0;
  for (const run of runs) {
    const found = line.text.indexOf(run, at);
    if (found === -1) return false;
    at = found + run.length;
  }
  return true;
}

/**
 * The line shows the end of what was typed, and neither a mask nor an answer to a question for a secret: what was typed
 * before that went to a program that has ended, and it alone was never shown.
 */
export function showsEnd(line: LineOnScreen, keys: KeysState): boolean {
  const shown = line.text.trim();
  if (keys.kind !== 'known' || isMask(shown) || ASKS_FOR_SECRET.test(line.anchor.prompt)) return false;
  return keys.texts.some((text) => text.trimEnd().endsWith(shown));
}

/**
 * Whether what was typed was never shown. Editors draw in ways of their own, so for them a trace of it is enough;
 * anything else echoes in one piece or not at all.
 */
export function neverShown(line: LineOnScreen, keys: KeysState, echo: EchoWitness, by: Echoes): boolean {
  if (keys.kind !== 'known') return false;
  const typed = keys.texts.filter((text) => text.trim() !== '');
  if (typed.length === 0 || typed.some((text) => visible(line, text))) return false;
  // The device stalls: its beginning is there.
  const begun = line.text.trim();
  if (begun.length > 1 && typed.some((text) => text.trimStart().startsWith(begun))) return false;
  if (by === 'editor')
    return !typed.some((text) => echo.holdsScattered(text) || showsAllButForeign(line, text));
  if (typed.some((text) => echo.holds(text))) return false;
  // Keys that edit may have made another line of it than we think: it is shown then, though not in one piece.
  return by === 'other' || isMask(line.text) || !typed.some((text) => echo.holdsScattered(text));
}
