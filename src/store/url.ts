// Reads the store's URL: `sqlite:PATH`, a bare path, or `postgres://…`. Opens nothing.
import { resolve } from 'node:path';
import { StoreError } from './errors.ts';

export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string };

/** Throws SP_STORE_URL. The message never repeats the URL, which may hold a password. */
export const readStoreUrl = (url: string): StoreLocation => {
  if (/^postgres(ql)?:\/\//.test(url)) return { kind: 'postgres', url };
  if (url.startsWith('sqlite:')) {
    const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
    if (path === '') throw new StoreError('SP_STORE_URL', 'the store URL "sqlite:" needs a path');
    return { kind: 'sqlite', path: resolve(path) };
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1];
  if (scheme !== undefined) {
    throw new StoreError(
      'SP_STORE_URL',
      `the store URL's scheme "${scheme}" is not known: use sqlite:PATH or postgres://…`,
    );
  }
  if (url === '')
    throw new StoreError('SP_STORE_URL', 'the store URL is empty: use sqlite:PATH or postgres://…');
  return { kind: 'sqlite', path: resolve(url) };
};
