// The schema of `recordings.retention` in sallyport.yaml: how long recordings are kept, by age and by size, for a grant or
// for all grants that no rule names.
import { z } from 'zod';
import { readBytes, readSeconds } from './units.ts';

/** From the environment the list comes as JSON. */
const fromJson = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

/** A quantity as it is written: a loader that reads its own output reads numbers. */
const quantity = (read: typeof readSeconds, least: number, what: string) =>
  z.union([z.string(), z.number()], { error: what }).transform((text, context) => {
    const reading = read(text);
    if ('value' in reading && reading.value >= least) return reading.value;
    context.addIssue({ code: 'custom', message: 'value' in reading ? what : reading.problem });
    return z.NEVER;
  });

export const retentionSchema = z.preprocess(
  fromJson,
  z
    .array(
      z
        .strictObject({
          grant: z.string({ error: 'must be a name' }).min(1).max(256).optional(),
          /** Seconds. */
          olderThan: quantity(readSeconds, 3600, 'must be at least 1h').optional(),
          /** Bytes. */
          over: quantity(readBytes, 1024 * 1024, 'must be at least 1MiB').optional(),
        })
        .refine((rule) => rule.olderThan !== undefined || rule.over !== undefined, {
          message: 'needs olderThan, over, or both',
        }),
      { error: 'must be a list of rules, each with olderThan, over, or both' },
    )
    .max(256, 'must hold at most 256 rules')
    .refine(
      (rules) => new Set(rules.map(({ grant }) => grant ?? '')).size === rules.length,
      'must hold one rule for each grant, and one without a grant',
    ),
);
