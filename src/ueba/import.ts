// Sign-ins of other systems as JSON lines, so that baselines cover more than SSH. A line that can't be read is told with
// its number and stops nothing; the same line twice is one sign-in.
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import { storable } from '../directory/shown-text.ts';
import type { ExternalSignInsTable } from '../store/steps/findings.ts';
import type { Store } from '../store/store.ts';

const LONGEST_LINE = 16_384;
const AT_ONCE = 200;

const line = z.object({
  at: z.union([z.iso.datetime({ offset: true }), z.number().int().positive()]),
  user: z.string().min(1).max(128),
  source: z.string().refine((text) => isIP(text) !== 0, 'must be an IP address'),
  system: z.string().min(1).max(64),
  outcome: z.enum(['success', 'failure']).default('success'),
  id: z.string().min(1).max(200).optional(),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be a country code such as FR')
    .optional(),
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
});

export interface ImportResult {
  readonly imported: number;
  readonly known: number;
  /** The first hundred. */
  readonly problems: readonly { readonly line: number; readonly problem: string }[];
  readonly refused: number;
}

const thousandths = (degrees: number | undefined): number | null =>
  degrees === undefined ? null : Math.round(degrees * 1_000);

/** Undefined: not a sign-in; then why. */
export const readSignIn = (
  text: string,
): { readonly row: ExternalSignInsTable } | { readonly problem: string } => {
  if (text.length > LONGEST_LINE) return { problem: 'is too long' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'is not JSON' };
  }
  const read = line.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    return { problem: `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is wrong'}`.trim() };
  }
  const { at, user, source, system, outcome, id, country, latitude, longitude } = read.data;
  const instant = typeof at === 'number' ? at : Date.parse(at);
  const name = `${system}\n${id ?? `${instant}\n${user}\n${source}\n${outcome}`}`;
  return {
    row: {
      id: createHash('sha256').update(name).digest('hex').slice(0, 32),
      at: instant,
      user_name: storable(user, 128),
      source_address: source,
      country: country ?? null,
      latitude: thousandths(latitude),
      longitude: thousandths(longitude),
      system: storable(system, 64),
      outcome,
    },
  };
};

export const importSignIns = async (store: Store, text: string): Promise<ImportResult> => {
  const rows: ExternalSignInsTable[] = [];
  const problems: { line: number; problem: string }[] = [];
  let refused = 0;
  text.split('\n').forEach((content, index) => {
    if (content.trim() === '') return;
    const read = readSignIn(content);
    if ('row' in read) rows.push(read.row);
    else {
      refused += 1;
      if (problems.length < 100) problems.push({ line: index + 1, problem: read.problem });
    }
  });
  let imported = 0;
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const result = await store.db
      .insertInto('external_sign_ins')
      .values(rows.slice(from, from + AT_ONCE))
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    imported += Number(result.numInsertedOrUpdatedRows ?? 0);
  }
  return { imported, known: rows.length - imported, problems, refused };
};
