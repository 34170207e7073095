// Takes what the integrated shell says out of the device's output: control strings with our number and this channel's
// token. Everything else passes unchanged and in order. Nothing is judged here; whoever knows the token can say it.
import { REPORT_NUMBER } from './shell-scripts.ts';

export type StreamPiece =
  | { readonly kind: 'output'; readonly bytes: Buffer }
  /** The fields behind the token, still encoded. */
  | { readonly kind: 'said'; readonly fields: readonly string[] };

/** A line of 64 KB, percent-encoded, with aliases. */
const LONGEST_SAID = 262_144;
const BELL = 0x07;

export class ReportStream {
  readonly #prefix: Buffer;
  /** What may be the beginning of a control string of ours. */
  #kept: Buffer = Buffer.alloc(0);

  constructor(token: string) {
    this.#prefix = Buffer.from(`\x1b]${REPORT_NUMBER};${token};`);
  }

  push(bytes: Buffer): StreamPiece[] {
    const pieces: StreamPiece[] = [];
    let rest = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    this.#kept = Buffer.alloc(0);
    while (rest.length > 0) {
      const at = rest.indexOf(this.#prefix);
      if (at === -1) {
        const tail = this.#unfinished(rest);
        if (tail < rest.length) this.#kept = rest.subarray(tail);
        if (tail > 0) pieces.push({ kind: 'output', bytes: rest.subarray(0, tail) });
        return pieces;
      }
      const end = rest.indexOf(BELL, at);
      if (at > 0) pieces.push({ kind: 'output', bytes: rest.subarray(0, at) });
      if (end === -1) {
        if (rest.length - at > LONGEST_SAID) {
          // No report is so long: it passes as what it is.
          pieces.push({ kind: 'output', bytes: rest.subarray(at) });
        } else this.#kept = Buffer.from(rest.subarray(at));
        return pieces;
      }
      pieces.push({
        kind: 'said',
        fields: rest.toString('utf8', at + this.#prefix.length, end).split(';'),
      });
      rest = rest.subarray(end + 1);
    }
    return pieces;
  }

  /** Where in these bytes our prefix may begin without ending; their length: nowhere. */
  #unfinished(bytes: Buffer): number {
    const last = bytes.lastIndexOf(0x1b);
    if (last === -1 || bytes.length - last >= this.#prefix.length) return bytes.length;
    return this.#prefix.subarray(0, bytes.length - last).equals(bytes.subarray(last)) ? last : bytes.length;
  }
}

/** Undoes the percent-encoding of the shells. Bytes that are no UTF-8 become U+FFFD. */
export function decoded(field: string): string {
  if (!field.includes('%')) return field;
  const parts: Buffer[] = [];
  let at = 0;
  for (const match of field.matchAll(/(?:%[0-9a-fA-F]{2})+/g)) {
    parts.push(Buffer.from(field.slice(at, match.index)), Buffer.from(match[0].replaceAll('%', ''), 'hex'));
    at = match.index + match[0].length;
  }
  parts.push(Buffer.from(field.slice(at)));
  return Buffer.concat(parts).toString('utf8');
}
