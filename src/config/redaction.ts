// The schema of `recordings.redact` in sallyport.yaml: what is taken out of recordings before they are written. Whether a
// pattern is an expression is known where it is used (recordings/redaction-rules.ts).
import { z } from 'zod';

/** From the environment the list comes as JSON. */
const fromJson = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

const pattern = z.string({ error: 'must be an expression' }).min(1).max(2000);

export const redactionSchema = z.preprocess(
  fromJson,
  z
    .array(
      z.strictObject({
        name: z
          .string({ error: 'must be a word' })
          .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'must be a word of letters, digits, dots and dashes'),
        pattern,
        until: pattern.optional(),
      }),
      { error: 'must be a list of rules, each with name and pattern' },
    )
    .max(64, 'must hold at most 64 rules'),
);
