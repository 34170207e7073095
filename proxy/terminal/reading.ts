// Puts together what the screen shows and what the keys say into one reading of the line, with every text that it
// may be, how it was read, and what casts doubt on it. Two witnesses that agree make a reading certain; one alone
// never does, unless a fresh redraw by the line editor itself confirms it.
import type { KeysState } from './keys-model.ts';
import type { LineDoubt, LineOnScreen } from './line-reader.ts';

/** How a command was read. `exact`: keys and screen agree. `integrated`: the shell itself reported it. */
export type ReadHow = 'exact' | 'integrated' | 'screen' | 'keys';

export type Doubt =
  | LineDoubt
  /** The screen never showed what the keys say. */
  | 'mismatch'
  /** Nothing of what was typed was echoed. */
  | 'no-echo'
  /** Output came while the line was typed. */
  | 'output'
  /** The wait for the echo ended at its bound. */
  | 'unsettled'
  /** History expansion is left in the line. */
  | 'history-expansion'
  /** The fresh redraw showed something else. */
  | 'redrawn-differently'
  /** The line editor did not redraw when asked to. */
  | 'not-redrawn'
  /** No prompt and no line editor are known here: a program reads. */
  | 'in-program'
  /** A key whose effect is not known for this editor was used. */
  | 'unknown-key';

export interface Reading {
  readonly text: string;
  /** Every text the line may be, the reading first, each once. All of them are judged. */
  readonly candidates: readonly string[];
  readonly how: ReadHow;
  /** 0 to 1; from `CERTAIN` on the reading is certain. */
  readonly confidence: number;
  readonly doubts: readonly Doubt[];
}

export const CERTAIN = 0.9;

export interface Evidence {
  readonly screen: LineOnScreen;
  /** The same line as the editor drew it anew when asked, if it did. */
  readonly redrawn: LineOnScreen | undefined;
  readonly keys: KeysState;
  /** No line editor was ever seen here: the terminal's own line editing, or nearly as simple a one, reads. */
  readonly plain: boolean;
  /** What stands below the line can only be a list of completions. */
  readonly listBelow?: boolean;
  /** What else is known of this moment. */
  readonly doubts: readonly Doubt[];
}

/** What a line editor shows for text that is not shown as it is: control characters, tabs, zero-width marks. */
function displayed(text: string): string {
  let shown = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\n') shown += '\n';
    else if (code < 0x20) shown += `^${String.fromCharCode(code + 64)}`;
    else if (code === 0x7f) shown += '^?';
    else shown += character;
  }
  return shown;
}

/** Leaves only what every terminal and editor agree to show. */
function essence(text: string): string {
  return text
    .normalize('NFC')
    .replace(/(?:[\u200b-\u200f\u2060]|[\ufe00-\ufe0f]|\ufeff|\p{M})/gu, '')
    .replace(/[ \t]+$/gm, '')
    .replace(/\t/g, ' ');
}

/** Several rows of one buffer may be indented or prefixed by the editor; the words are what counts. */
function rowsEssence(text: string): string {
  return essence(text)
    .split('\n')
    .map((row) => row.trim())
    .filter((row) => row !== '')
    .join('\n');
}

/** How editors spell characters that they think the terminal cannot show. */
const ESCAPED: readonly ((text: string) => string)[] = [
  (text) => text.replace(/[\u{10000}-\u{10ffff}]/gu, (character) => bytesOf(character)),
  (text) => text.replace(/[^\x00-\x7f]/gu, (character) => bytesOf(character)),
  (text) =>
    text.replace(
      /\p{M}/gu,
      (character) => `<${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`,
    ),
  // zsh, of all that takes no column.
  (text) =>
    text.replace(
      /[\p{M}\p{Cf}]/gu,
      (character) => `<${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}>`,
    ),
  (text) =>
    text.replace(
      /[\u{10000}-\u{10ffff}]/gu,
      (character) => `\\U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}`,
    ),
];

function bytesOf(character: string): string {
  return Array.from(
    new TextEncoder().encode(character),
    (byte) => `\\x${byte.toString(16).toUpperCase()}`,
  ).join('');
}

/** Whether the screen shows exactly this text. */
export function shows(screen: string, typed: string): boolean {
  const seen = essence(screen);
  const meant = essence(displayed(typed));
  if (seen === meant) return true;
  if (typed.includes('\t')) {
    const squeeze = (text: string): string => text.replace(/ +/g, ' ');
    if (squeeze(seen) === squeeze(essence(displayed(typed).replace(/\^I/g, ' ')))) return true;
  }
  if (/[^\x00-\x7f]/.test(typed) && ESCAPED.some((spell) => seen === essence(displayed(spell(typed)))))
    return true;
  if (typed.includes('\n') && rowsEssence(screen) === rowsEssence(displayed(typed))) return true;
  return false;
}

/** Whether what is visible can be a window on this text: an editor that scrolls shows only a part. */
export function showsPart(screen: string, typed: string): boolean {
  const seen = essence(screen)
    .replace(/[<>*+]\s*$/, '')
    .replace(/^[<>*+]/, '')
    .trim();
  return seen.length >= 8 && essence(displayed(typed)).includes(seen);
}

/** What zsh shows for each byte beyond ASCII where its locale has no such characters. */
const zshBytes = (text: string): string =>
  text.replace(/[^\x00-\x7f]/gu, (character) => '<ffffffff>'.repeat(Buffer.byteLength(character)));

/** The same text up to characters that the screen cannot show (placeholders and question marks). */
function showsWithHoles(screen: string, typed: string): boolean {
  if (/[^\x00-\x7f]/.test(typed) && essence(screen) === essence(displayed(zshBytes(typed)))) return true;
  const seen = Array.from(essence(screen));
  const meant = Array.from(essence(displayed(typed)));
  if (seen.length !== meant.length) return false;
  return meant.every((character, index) => {
    if (seen[index] === character) return true;
    return (character.codePointAt(0) ?? 0) > 0x7e && /[?\ufffd _]/.test(seen[index] ?? '');
  });
}

const unique = (texts: readonly (string | undefined)[]): string[] => [
  ...new Set(texts.filter((text): text is string => text !== undefined)),
];

/** The keys' text that the screen shows, if any. */
export function agreed(screen: LineOnScreen, keys: KeysState): string | undefined {
  if (keys.kind !== 'known') return undefined;
  return (
    keys.texts.find((text) => shows(screen.text, text)) ??
    keys.texts.find((text) => screen.variants.some((variant) => shows(variant, text))) ??
    keys.texts.find((text) => screen.withSuggestion !== undefined && shows(screen.withSuggestion, text))
  );
}

/** Whether the screen shows this text, whole or as far as there is room for it, at the end of what stands there. */
export function visible(screen: LineOnScreen, typed: string): boolean {
  if (typed.trim() === '') return true;
  const shown = [screen.text, ...screen.variants, screen.withSuggestion ?? ''];
  if (shown.some((text) => shows(text, typed) || showsWithHoles(text, typed))) return true;
  if (screen.doubts.includes('scrolled') && showsPart(screen.text, typed)) return true;
  return (
    typed.trim().length > 1 &&
    essence(screen.text)
      .trimEnd()
      .endsWith(essence(displayed(typed)))
  );
}

/** Some editors fill the row with blanks: those at the end say nothing, but for one that a backslash quotes. */
function trimmed(text: string): string {
  const short = text.trimEnd();
  return short.endsWith('\\') && short.length < text.length ? `${short} ` : short;
}

/** Doubts about the screen that a redraw by the editor itself does not remove. */
const LASTING: ReadonlySet<Doubt> = new Set<Doubt>([
  'scrolled',
  'caret',
  'history-expansion',
  'rows',
  'full-row',
  'margin',
  'faint',
]);

export function fuse(evidence: Evidence): Reading {
  const { screen, redrawn, keys } = evidence;
  const doubts = new Set<Doubt>([...evidence.doubts]);
  const keyTexts = keys.kind === 'known' ? keys.texts : [];
  const nothingTyped = keyTexts.every((typed) => typed.trim() === '');
  // An empty screen says that nothing was typed only where that is all it can be.
  const meant = nothingTyped ? keyTexts : keyTexts.filter((typed) => typed.trim() !== '');
  const candidates = unique([
    redrawn?.text,
    redrawn?.withBelow,
    screen.text,
    screen.withSuggestion,
    redrawn?.withSuggestion,
    ...keyTexts,
  ]);
  const reading = (whole: string, how: ReadHow, confidence: number): Reading => ({
    text: how === 'screen' ? trimmed(whole) : whole,
    candidates: unique([how === 'screen' ? trimmed(whole) : whole, ...candidates]),
    how,
    confidence: evidence.doubts.includes('history-expansion') ? Math.min(confidence, 0.5) : confidence,
    doubts: [...doubts],
  });

  if (redrawn !== undefined) {
    const text = agreed(redrawn, keys);
    if (text !== undefined && (text.trim() !== '' || nothingTyped)) return reading(text, 'exact', 0.99);
    const part = meant.find((typed) => showsWithHoles(redrawn.text, typed));
    if (part !== undefined) return reading(part, 'exact', 0.95);
    for (const doubt of redrawn.doubts) doubts.add(doubt);
    // The cursor need not stand in the last row of a buffer that has several. Or it is a list of completions.
    const whole = evidence.listBelow === true ? undefined : redrawn.withBelow;
    if (whole !== undefined) doubts.add('rows');
    const same = essence(redrawn.text) === essence(screen.text);
    if (!same) doubts.add('redrawn-differently');
    if (keys.kind === 'known') doubts.add('mismatch');
    // All three disagree, or what is drawn is only the beginning of what was typed: the device lags behind.
    const behind = keyTexts.some((typed) => essence(displayed(typed)).startsWith(essence(redrawn.text)));
    // Nothing is drawn yet: what the keys say is the better name for it.
    const only = meant[0] ?? '';
    if (redrawn.text.trim() === '' && only.trim() !== '') return reading(only, 'keys', 0.4);
    const lasting = redrawn.doubts.some((doubt) => LASTING.has(doubt));
    // A device that lags may draw the line of some keys ago: where the keys say something else, that is not certain.
    const drawn = keys.kind === 'known' ? 0.85 : 0.95;
    if (whole !== undefined) return reading(whole, 'screen', 0.6);
    return reading(redrawn.text, 'screen', lasting || behind ? 0.6 : same ? drawn : 0.7);
  }

  const text = agreed(screen, keys);
  for (const doubt of screen.doubts) doubts.add(doubt);
  if (text !== undefined && text.trim() !== '') return reading(text, 'exact', 0.98);
  if (text !== undefined && nothingTyped)
    return reading(text, 'exact', doubts.has('prompt-lost') ? 0.6 : 0.95);
  if (keys.kind === 'known') {
    const first = meant[0] ?? '';
    const holes = meant.find((typed) => showsWithHoles(screen.text, typed));
    if (holes !== undefined) return reading(holes, 'exact', 0.95);
    const part = meant.find((typed) => showsPart(screen.text, typed));
    if (part !== undefined && (doubts.has('scrolled') || part.length > 40)) return reading(part, 'keys', 0.8);
    doubts.add('mismatch');
    // What stands before it on screen may be left over from something that no one erased.
    const ending = meant.find(
      (typed) =>
        typed.trim().length > 1 &&
        essence(screen.text)
          .trimEnd()
          .endsWith(essence(displayed(typed))),
    );
    if (ending !== undefined) return reading(ending, 'keys', 0.8);
    if (evidence.plain && screen.text.trim() !== '' && first !== '') return reading(first, 'keys', 0.8);
    if (screen.text.trim() === '' && first !== '') {
      doubts.add('no-echo');
      return reading(first, 'keys', 0.4);
    }
    return reading(screen.text, 'screen', 0.5);
  }
  const clean = screen.doubts.every((doubt) => doubt === 'search' || doubt === 'gap');
  const tail = essence(keys.tail);
  if (tail !== '' && !essence(screen.text).includes(tail)) {
    doubts.add('mismatch');
    return reading(screen.text, 'screen', 0.4);
  }
  return reading(screen.text, 'screen', clean ? 0.85 : 0.5);
}
