// How lists and single things are printed: a table for people, one JSON object a line for programs. Everything that
// goes to a terminal as a table is made safe first; JSON escapes control characters by itself.
import { shown } from '../directory/shown-text.ts';

export type Cell = string | number | boolean | undefined | readonly string[];

/** The values of one thing, in the order in which they are printed. Names are JSON keys and, in capitals, headings. */
export type Row = Readonly<Record<string, Cell>>;

export interface Sink {
  write(text: string): void;
}

const asText = (cell: Cell): string => {
  if (cell === undefined) return '–';
  if (typeof cell === 'object') return cell.length === 0 ? '–' : shown(cell.join(', '), 200);
  return shown(String(cell), 200);
};

/** `startedAt` → `STARTED AT` */
const heading = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter}`).toUpperCase();

/** C1 controls, and what changes direction or hides, are legal in JSON as they are: escaped all the same. */
export const jsonLine = (value: unknown): string =>
  `${JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  )}\n`;

export const table = (rows: readonly Row[], columns: readonly string[]): string => {
  const lines = [columns.map(heading), ...rows.map((row) => columns.map((column) => asText(row[column])))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
};

/** `columns`: those of the table; JSON holds every value. */
export const printList = (
  sink: Sink,
  rows: readonly Row[],
  columns: readonly string[],
  json: boolean,
): void => {
  if (json) for (const row of rows) sink.write(jsonLine(row));
  else sink.write(table(rows, columns));
};

export const printOne = (sink: Sink, row: Row, json: boolean): void => {
  if (json) {
    sink.write(jsonLine(row));
    return;
  }
  const names = Object.keys(row);
  const width = Math.max(...names.map((name) => heading(name).length));
  for (const name of names) {
    const cell = row[name];
    const values =
      typeof cell === 'object' && cell.length > 0 ? cell.map((item) => shown(item, 1_000)) : [asText(cell)];
    values.forEach((value, index) => {
      const label = index === 0 ? heading(name).toLowerCase() : '';
      sink.write(`${label.padEnd(width)}  ${value}\n`);
    });
  }
};

/** ISO 8601 in UTC, without fractions of a second. */
export const instant = (at: number | null | undefined): string | undefined =>
  at === null || at === undefined ? undefined : new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
