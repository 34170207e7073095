// Reading a list of the API to its end: in order, each row once, and never beyond the bounds.
import { describe, expect, it } from 'vitest';
import { everythingOf } from '../../console/src/parts/everything.ts';

/** Numbers from 0, some a page; the cursor is the number that comes next. */
const counting = (many: number, perPage: number) => async (after: string | undefined) => {
  const from = after === undefined ? 0 : Number(after);
  const to = Math.min(many, from + perPage);
  return {
    items: Array.from({ length: to - from }, (_, index) => from + index),
    next: to < many ? String(to) : null,
  };
};

describe('everything in a list', () => {
  it('is read page by page, in order', async () => {
    const { rows, whole } = await everythingOf(counting(250, 100));
    expect(rows).toEqual(Array.from({ length: 250 }, (_, index) => index));
    expect(whole).toBe(true);
    expect(await everythingOf(counting(0, 100))).toEqual({ rows: [], whole: true });
  });

  it('is whole with as many rows as are allowed, and cut and said to be so with one more', async () => {
    expect(await everythingOf(counting(6, 3), 6)).toEqual({ rows: [0, 1, 2, 3, 4, 5], whole: true });
    expect(await everythingOf(counting(7, 3), 6)).toEqual({ rows: [0, 1, 2, 3, 4, 5], whole: false });
    expect(await everythingOf(counting(7, 4), 6)).toEqual({ rows: [0, 1, 2, 3, 4, 5], whole: false });
    expect((await everythingOf(counting(30_000, 100))).rows).toHaveLength(10_000);
  });

  it('ends where the API has pages without end but no rows', async () => {
    let asked = 0;
    const empty = async () => {
      asked += 1;
      return { items: [], next: 'more' };
    };
    expect(await everythingOf(empty)).toEqual({ rows: [], whole: false });
    expect(asked).toBeLessThan(1_000);
  });
});
