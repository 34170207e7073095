// Reading long lists a page at a time: ordered by time and id, continued after the last row seen, so that rows which
// come in between neither shift nor repeat. A cursor is opaque to those who pass it on, and is no permission.
import type { RawBuilder, SelectQueryBuilder, SqlBool } from 'kysely';
import { sql } from 'kysely';
import { StoreError } from './errors.ts';

export interface Position {
  readonly time: number;
  readonly id: string;
}

export interface PageRequest<Row> {
  /**
   * Columns that order the list; qualified when the query joins. In the place of the time may stand anything else that is a
   * whole number and never null.
   */
  readonly time: string | RawBuilder<number>;
  readonly id: string;
  readonly order: 'newest-first' | 'oldest-first';
  /** 1 to 1,000. */
  readonly limit: number;
  /** From a page before; undefined: the first page. */
  readonly after: string | undefined;
  readonly positionOf: (row: Row) => Position;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Undefined: there is no more. */
  readonly next: string | undefined;
}

const LARGEST_PAGE = 1_000;

export const encodeCursor = ({ time, id }: Position): string =>
  Buffer.from(JSON.stringify([time, id])).toString('base64url');

/** Throws SP_STORE_CURSOR. */
export const decodeCursor = (cursor: string): Position => {
  try {
    if (cursor.length > 200) throw new Error('too long');
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(value) && value.length === 2) {
      const [time, id]: unknown[] = value;
      if (Number.isSafeInteger(time) && typeof time === 'number' && typeof id === 'string')
        return { time, id };
    }
  } catch {
    // Told below: the reason doesn't matter to anyone.
  }
  throw new StoreError('SP_STORE_CURSOR', 'not a page cursor of this store');
};

export const readPage = async <DB, TB extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, TB, Row>,
  { time, id, order, limit, after, positionOf }: PageRequest<Row>,
): Promise<Page<Row>> => {
  const size = Math.max(1, Math.min(LARGEST_PAGE, Math.floor(limit)));
  const first = typeof time === 'string' ? sql.ref(time) : time;
  const columns = sql`(${first}, ${sql.ref(id)})`;
  const direction = order === 'newest-first' ? sql`desc` : sql`asc`;
  let paged = query;
  if (after !== undefined) {
    const position = decodeCursor(after);
    const compare = order === 'newest-first' ? sql`<` : sql`>`;
    paged = paged.where(sql<SqlBool>`${columns} ${compare} (${position.time}, ${position.id})`);
    // SQLite enters an index on an expression by the expression alone, not by a row that begins with it.
    if (typeof time !== 'string') paged = paged.where(sql<SqlBool>`${first} ${compare}= ${position.time}`);
  }
  const rows = await paged
    .orderBy(sql`${first} ${direction}`)
    .orderBy(sql`${sql.ref(id)} ${direction}`)
    .limit(size + 1)
    .execute();
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return {
    rows: shown,
    next: rows.length > size && last !== undefined ? encodeCursor(positionOf(last)) : undefined,
  };
};
