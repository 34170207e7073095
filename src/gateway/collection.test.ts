import { expect, test } from 'vitest';
import { CollectionMode } from './collection.ts';

const megabyte = 1024 * 1024;

test('a transfer is collected lazily while it lasts and for a moment longer', () => {
  const mode = new CollectionMode(0);
  expect(mode.look(megabyte)).toBeUndefined();
  expect(mode.look(50 * megabyte)).toBe('lazy');
  expect(mode.look(100 * megabyte)).toBeUndefined();
  for (let look = 0; look < 3; look += 1) expect(mode.look(100 * megabyte)).toBeUndefined();
  expect(mode.look(100 * megabyte)).toBe('eager');
  expect(mode.look(100 * megabyte)).toBeUndefined();
});

test('a transfer with pauses stays one', () => {
  const mode = new CollectionMode(0);
  expect(mode.look(10 * megabyte)).toBe('lazy');
  for (let passed = 10; passed < 100; passed += 10) {
    expect(mode.look(passed * megabyte)).toBeUndefined();
    expect(mode.look((passed + 10) * megabyte)).toBeUndefined();
  }
});

test('many small things are no transfer', () => {
  const mode = new CollectionMode(0);
  for (let look = 1; look < 20; look += 1) expect(mode.look(look * 3 * megabyte)).toBeUndefined();
});
