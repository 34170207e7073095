// A recording as the player has it: every piece of screen text with its second, in order, so that any moment can be shown by
// writing what came before it. Bounded: what is beyond is told as cut.
import { lines } from '../api/client.ts';

export interface Piece {
  readonly at: number;
  readonly text: string;
}

export interface Size {
  readonly at: number;
  readonly columns: number;
  readonly rows: number;
}

export interface Jump {
  readonly at: number;
  readonly kind: string;
  readonly label: string;
}

export interface Recording {
  readonly pieces: readonly Piece[];
  readonly sizes: readonly Size[];
  readonly jumps: readonly Jump[];
  /** Seconds. */
  readonly end: number;
  readonly cut: boolean;
}

const MOST_CHARACTERS = 64 * 1024 * 1024;

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

export const readRecording = async (session: string, signal: AbortSignal): Promise<Recording> => {
  const pieces: Piece[] = [];
  const sizes: Size[] = [];
  const jumps: Jump[] = [];
  let end = 0;
  let characters = 0;
  let cut = false;
  for await (const line of lines(`/api/recordings/${encodeURIComponent(session)}/events`, signal)) {
    const { at = 0, text, mark, label, size, columns, rows, end: last } = record(line);
    const second = typeof at === 'number' ? at : 0;
    if (typeof columns === 'number' && typeof rows === 'number') sizes.push({ at: 0, columns, rows });
    else if (typeof last === 'number') end = last;
    else if (typeof mark === 'string')
      jumps.push({ at: second, kind: mark, label: typeof label === 'string' ? label : mark });
    else if (Array.isArray(size)) {
      const [wide, high]: unknown[] = size;
      if (typeof wide === 'number' && typeof high === 'number')
        sizes.push({ at: second, columns: wide, rows: high });
    } else if (typeof text === 'string') {
      characters += text.length;
      if (characters > MOST_CHARACTERS) {
        cut = true;
        break;
      }
      pieces.push({ at: second, text });
      end = Math.max(end, second);
    }
  }
  return { pieces, sizes, jumps, end: Math.max(end, jumps.at(-1)?.at ?? 0), cut };
};

/** The number of pieces up to that second. */
export const piecesUntil = (recording: Recording, second: number): number => {
  let low = 0;
  let high = recording.pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((recording.pieces[middle]?.at ?? 0) <= second) low = middle + 1;
    else high = middle;
  }
  return low;
};

export const sizeAt = (recording: Recording, second: number): Size =>
  recording.sizes.findLast((size) => size.at <= second) ??
  recording.sizes[0] ?? { at: 0, columns: 80, rows: 24 };

const SEQUENCES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])/g;

export interface Found {
  readonly id: number;
  readonly at: number;
  readonly text: string;
}

const MOST_FOUND = 200;

/** Lines of what was shown that hold the words, whatever their case. */
export const findText = (recording: Recording, wanted: string): readonly Found[] => {
  const needle = wanted.trim().toLowerCase();
  if (needle === '') return [];
  const found: Found[] = [];
  let line = '';
  for (const { at, text } of recording.pieces) {
    const parts = (line + text.replace(SEQUENCES, '')).split(/[\r\n]+/);
    line = parts.pop() ?? '';
    for (const part of parts)
      if (part.toLowerCase().includes(needle)) found.push({ id: found.length, at, text: part.slice(0, 300) });
    if (line.length > 4_000) line = line.slice(-2_000);
    if (found.length >= MOST_FOUND) break;
  }
  const end = recording.pieces.at(-1)?.at ?? 0;
  if (line.toLowerCase().includes(needle))
    found.push({ id: found.length, at: end, text: line.slice(0, 300) });
  return found;
};
