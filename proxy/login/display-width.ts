// How many terminal cells a text takes, and cutting it to a number of cells. Close to what terminals do (Unicode's wide
// ranges and emoji presentation are two cells, marks and format characters none); joined emoji are counted piece by
// piece, which at worst leaves a line shorter than it could be.

const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const EMOJI = /^\p{Emoji_Presentation}$/u;

/** First and last of each range that East Asian Width calls W or F, emoji apart. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18aff],
  [0x1b000, 0x1b2ff],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
];

export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** `text` cut to at most `cells`, with `…` at its end when something is missing. */
export function shorten(text: string, cells: number): string {
  if (cells <= 0) return '';
  if (displayWidth(text) <= cells) return text;
  let used = 0;
  let kept = '';
  for (const character of text) {
    const width = characterWidth(character);
    if (used + width > cells - 1) break;
    used += width;
    kept += character;
  }
  return `${kept}…`;
}

/** The last `cells` of `text`: what stays in sight of a line that is typed past its end. */
export function tail(text: string, cells: number): string {
  let used = 0;
  let kept = '';
  for (const character of [...text].reverse()) {
    used += characterWidth(character);
    if (used > cells) break;
    kept = character + kept;
  }
  return kept;
}

/** Breaks a text at blanks into lines of at most `cells`; a longer word is cut. */
export function wrap(text: string, cells: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (displayWidth(longer) <= cells) {
      line = longer;
    } else {
      if (line !== '') lines.push(line);
      line = shorten(word, cells);
    }
  }
  return line === '' ? lines : [...lines, line];
}

function characterWidth(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (ZERO.test(character)) return 0;
  if (EMOJI.test(character)) return 2;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
