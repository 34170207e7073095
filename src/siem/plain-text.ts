// Text from users and devices, cut to a bound and made fit to stand in an event: no control, invisible or
// direction-changing characters, no half surrogates. Each format does its own escaping on top. Pure.

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** The longest command line that an event carries; the whole of it is in the log of commands. */
export const LONGEST_LINE = 8_192;

export const plain = (text: string, limit = 1_024): string => {
  const cut = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  return cut.toWellFormed().replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
};
