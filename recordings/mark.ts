// Marks: what the gateway noted in a recording beside what passed, such as a command and what was decided on it. Reads
// them back and gives each a line that a player can show. Pure.
import type { RecordedEvent } from './format.ts';

export interface RecordedMark {
  /** Seconds. */
  readonly at: number;
  readonly channel: number;
  readonly kind: string;
  /** Everything noted, `kind` included. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Undefined for other events. */
export function markOf(event: RecordedEvent): RecordedMark | undefined {
  if (event.code !== 'c' || event.word !== 'mark') return undefined;
  let raw: unknown;
  try {
    raw = JSON.parse(event.data);
  } catch {
    return undefined;
  }
  if (typeof raw !== 'object' || raw === null) return undefined;
  const data: Readonly<Record<string, unknown>> = { ...raw };
  const { kind } = data;
  if (typeof kind !== 'string') return undefined;
  return { at: event.at, channel: event.channel, kind, data };
}

const longestLabel = 200;

/** One line without control characters. */
export function markLabel({ kind, data }: RecordedMark): string {
  const told = ['command', 'name', 'address', 'path', 'text', 'outcome']
    .map((key) => data[key])
    .filter((value) => typeof value === 'string' && value !== '');
  const label = [kind, ...told].join(' ').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return label.length > longestLabel ? `${label.slice(0, longestLabel)}…` : label;
}
