// The words of the audit gates that reach a person, in one place: plain text, each line marked as the gateway's.
import { plainText } from '../channels/terminal-text.ts';

/** For notices on a terminal; the gate adds the line ends. */
export const marked = (text: string): string =>
  plainText(text)
    .split('\n')
    .map((line) => `sallyport: ${line}`)
    .join('\n');

/** A key as people write it: `^X^E`, `ESC a`. */
export const keyName = (bytes: Buffer): string =>
  Array.from(bytes.subarray(0, 24), (byte) => {
    if (byte === 0x1b) return 'ESC ';
    if (byte < 0x20) return `^${String.fromCharCode(byte + 64)}`;
    return byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`;
  })
    .join('')
    .trim();

export const APPROVAL_HELP = (id: string): string => `sallyport session approve ${id}`;
