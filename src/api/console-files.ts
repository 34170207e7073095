// Serves the built console: its page with a fresh nonce for styles, and its hashed files, which never change. Nothing in
// it comes from elsewhere, and the page says so (Content-Security-Policy).
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import staticPlugin from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** Stands in the built page wherever its nonce is to be. */
const PLACE = '__NONCE__';

export interface ConsoleFiles {
  readonly folder: string;
  index(reply: FastifyReply): FastifyReply;
}

const policy = (nonce: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');

/** Undefined: the console is not built. */
export const openConsole = async (folder: string): Promise<ConsoleFiles | undefined> => {
  const page = await readFile(join(folder, 'index.html'), 'utf8').catch(() => undefined);
  if (page === undefined) return undefined;
  return {
    folder,
    index: (reply) => {
      const nonce = randomBytes(16).toString('base64url');
      return reply
        .header('content-security-policy', policy(nonce))
        .header('cache-control', 'no-store')
        .type('text/html; charset=utf-8')
        .send(page.replaceAll(PLACE, nonce));
    },
  };
};

export const serveConsole = async (server: FastifyInstance, files: ConsoleFiles): Promise<void> => {
  await server.register(staticPlugin, {
    root: join(files.folder, 'assets'),
    prefix: '/assets/',
    index: false,
    dotfiles: 'deny',
    preCompressed: true,
    immutable: true,
    maxAge: '365d',
    wildcard: true,
  });
  server.get('/', (_, reply) => files.index(reply));
};
