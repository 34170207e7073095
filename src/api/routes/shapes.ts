// Shapes that several routes share: pages, moments, names, the versions of things.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LONGEST_NAME, NAME_PATTERN } from '../../directory/names.ts';
import { decodeCursor, encodeCursor, type Position } from '../../store/page.ts';
import { ApiProblem } from '../problem.ts';
import type { Asked } from '../route.ts';

const LARGEST_PAGE = 500;

/** ISO 8601, in; milliseconds since the epoch, out. */
export const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .refine(Number.isFinite, 'a moment');

/** A moment, out. */
export const instant = z.iso.datetime();

export const asInstant = (at: number): string => new Date(at).toISOString();
export const asInstantOrNull = (at: number | null | undefined): string | null =>
  at === null || at === undefined ? null : asInstant(at);

/** A number in a query, where everything is text. */
export const limit = z
  .string()
  .regex(/^(?:[1-9]\d?|[1-4]\d\d|500)$/, `from 1 to ${LARGEST_PAGE}`)
  .transform(Number)
  .default(100)
  .meta({ description: `How many at most; 1 to ${LARGEST_PAGE}` });

export const seconds = z
  .string()
  .regex(/^\d{1,7}(\.\d{1,6})?$/, 'seconds, such as 12.5')
  .transform(Number);

export const flag = z.enum(['true', 'false']).transform((word) => word === 'true');

export const word = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\u0000-\u001f\u007f]+$/, 'no control characters')
  .refine((text) => text.isWellFormed(), 'whole characters');

/** What a user or a token may be called. */
export const newName = z
  .string()
  .max(LONGEST_NAME)
  .regex(NAME_PATTERN, 'letters, digits, ".", "_", "+", "-", and a letter, digit or "_" first');

export const cursor = z.string().min(1).max(200);

export const paging = { limit, after: cursor.optional() } as const;

/** The orders in which a list may be asked for; the first is meant where none is said. */
export const sorted = <const Words extends readonly [string, ...string[]]>(words: Words) => ({
  sort: z.enum(words).default(words[0]),
  order: z.enum(['desc', 'asc']).default('desc'),
});

/** A page of things; `next` asks for the one behind it. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable() });

export const named = z.object({ name: word });

/** Of what nobody names: a threat, a token, a version. */
export const idOf = z.object({ id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'an id') });

export const sessionId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'a session’s id');

/** Names a state of something that is shown whole. */
export const etagOf = (shown: unknown): string =>
  createHash('sha256').update(JSON.stringify(shown)).digest('base64url').slice(0, 22);

/**
 * A change names the state that it changes: `*` for anything that exists. `current` undefined: it doesn't exist yet.
 * Throws SP_API_CHANGED or SP_API_IF_MATCH.
 */
export const checkVersion = (asked: Asked, current: string | undefined): void => {
  const { ifMatch } = asked;
  if (current === undefined) {
    if (ifMatch !== undefined) throw new ApiProblem('SP_API_CHANGED', 'it does not exist any more');
    return;
  }
  if (ifMatch === undefined)
    throw new ApiProblem('SP_API_IF_MATCH', 'it exists already: read it, and send its ETag as If-Match');
  if (ifMatch !== '*' && ifMatch !== current)
    throw new ApiProblem('SP_API_CHANGED', 'read it again, and look at what has changed');
};

/** Pages of a list that is small enough to be read whole, in the order of its names. */
export const pageByName = <T extends { readonly name: string }>(
  all: readonly T[],
  { limit: size, after }: { readonly limit: number; readonly after?: string | undefined },
): { readonly items: readonly T[]; readonly next: string | null } => {
  const from = after === undefined ? undefined : Buffer.from(after, 'base64url').toString('utf8');
  const rest = from === undefined ? all : all.filter((one) => one.name > from);
  const items = rest.slice(0, size);
  const last = items.at(-1);
  return {
    items,
    next:
      rest.length > size && last !== undefined ? Buffer.from(last.name, 'utf8').toString('base64url') : null,
  };
};

/** Pages of a list that is small enough to be read whole, in the order of a number and then of the ids. */
export const pageSorted = <T>(
  all: readonly T[],
  {
    limit: size,
    after,
    order,
    numberOf,
    idOf: named,
  }: {
    readonly limit: number;
    readonly after?: string | undefined;
    readonly order: 'asc' | 'desc';
    /** A whole number. */
    readonly numberOf: (one: T) => number;
    readonly idOf: (one: T) => string;
  },
): { readonly items: readonly T[]; readonly next: string | null } => {
  const sign = order === 'asc' ? 1 : -1;
  const compare = (a: Position, b: Position): number =>
    sign * (a.time - b.time) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  const positionOf = (one: T): Position => ({ time: numberOf(one), id: named(one) });
  const from = after === undefined ? undefined : decodeCursor(after);
  const rest = all
    .map((one) => ({ one, position: positionOf(one) }))
    .filter(({ position }) => from === undefined || compare(position, from) > 0)
    .sort((a, b) => compare(a.position, b.position));
  const items = rest.slice(0, size);
  const last = items.at(-1);
  return {
    items: items.map(({ one }) => one),
    next: rest.length > size && last !== undefined ? encodeCursor(last.position) : null,
  };
};
