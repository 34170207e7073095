// What the supervisor and the API's process tell each other. Pure.
import { z } from 'zod';
import type { Config } from '../config/load.ts';

const toAdmin = z.discriminatedUnion('kind', [
  /** The whole Config, as JSON; first of all. */
  z.object({ kind: z.literal('configure'), config: z.string(), version: z.string() }),
  /** The configuration was read again. */
  z.object({ kind: z.literal('reconfigure'), config: z.string() }),
  /** A store's message for every process of this gateway. */
  z.object({ kind: z.literal('notice'), topic: z.string(), payload: z.string() }),
  z.object({ kind: z.literal('stop') }),
]);

export type ToAdmin = z.output<typeof toAdmin>;

export const readToAdmin = (message: unknown): ToAdmin => toAdmin.parse(message);

const fromAdmin = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('up'), urls: z.array(z.string()) }),
  /** It can't start; it ends after this. */
  z.object({ kind: z.literal('failed'), problem: z.string() }),
  z.object({ kind: z.literal('notice'), topic: z.string(), payload: z.string() }),
]);

export type FromAdmin = z.output<typeof fromAdmin>;

export const readFromAdmin = (message: unknown): FromAdmin => fromAdmin.parse(message);

/** A Config as the supervisor sent it. */
export const loadedConfig = (json: string): Config => JSON.parse(json);
