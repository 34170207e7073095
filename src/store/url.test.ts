// Store URLs, and that a wrong one never shows the password in it.
import { expect, it } from 'vitest';
import { StoreError } from './errors.ts';
import { readStoreUrl } from './url.ts';

it.each([
  ['sqlite:/var/lib/x.db', { kind: 'sqlite', path: '/var/lib/x.db' }],
  ['sqlite:///var/lib/x.db', { kind: 'sqlite', path: '/var/lib/x.db' }],
  ['/var/lib/x.db', { kind: 'sqlite', path: '/var/lib/x.db' }],
  ['postgres://a:b@db/x', { kind: 'postgres', url: 'postgres://a:b@db/x' }],
  ['postgresql://db/x', { kind: 'postgres', url: 'postgresql://db/x' }],
])('reads %s', (url, location) => {
  expect(readStoreUrl(url)).toEqual(location);
});

it.each(['', 'sqlite:', 'mysql://root:hunter2@db/x'])('refuses %s without repeating secrets', (url) => {
  const refused = (): unknown => readStoreUrl(url);
  expect(refused).toThrow(StoreError);
  expect(refused).not.toThrow(/hunter2/);
});
