// Ids sort by time whatever the clock does, and are valid UUIDs of version 7.
import { expect, it } from 'vitest';
import { idSource, newId, timeOfId } from './id.ts';

it('makes valid UUIDs of version 7 that hold their time', () => {
  const id = idSource(() => Date.UTC(2030, 0, 1))();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(timeOfId(id)).toBe(Date.UTC(2030, 0, 1));
  expect(timeOfId('not-an-id')).toBeUndefined();
});

it('goes up and never repeats, in one millisecond and when the clock steps back', () => {
  const clock = [5_000, 5_000, 4_000, 5_001, 1];
  let turn = 0;
  const next = idSource(() => clock[turn++ % clock.length] ?? 0);
  const ids = Array.from({ length: 20_000 }, next);
  expect(ids).toEqual([...new Set(ids)].sort());
});

it('is not predictable from the one before', () => {
  const tails = Array.from({ length: 1_000 }, () => newId().slice(19));
  expect(new Set(tails).size).toBe(1_000);
});
