// A list of the API read page by page to its end, or to a bound. It keeps nothing and shows nothing.

export interface OnePage<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Everything<T> {
  readonly rows: readonly T[];
  /** False: there is more than the bound. */
  readonly whole: boolean;
}

export const MOST_ROWS = 10_000;
/** Pages may be short, or empty, where the API looks through much for little. */
const MOST_PAGES = 300;

/** In the API's order. Throws what `read` throws. */
export const everythingOf = async <T>(
  read: (after: string | undefined) => Promise<OnePage<T>>,
  most = MOST_ROWS,
): Promise<Everything<T>> => {
  const rows: T[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const { items, next } = await read(after);
    rows.push(...items);
    if (next === null && rows.length <= most) return { rows, whole: true };
    if (next === null || rows.length >= most) break;
    after = next;
  }
  return { rows: rows.slice(0, most), whole: false };
};
