// Text from elsewhere, made fit for a terminal or a log: control characters, escapes, invisible and direction-changing
// characters become visible codes. Pure. It does not quote for shells.

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** At most `limit` characters; a longer text ends in `…`. */
export const shown = (text: string, limit = 200): string => {
  const cut = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  return cut.toWellFormed().replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
};

/** Text that both databases take: no NUL, no half of a surrogate pair, at most `limit` characters. */
export const storable = (text: string, limit: number): string =>
  text.slice(0, limit).toWellFormed().replaceAll('\0', '\ufffd');
