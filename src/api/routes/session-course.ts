// How a session went, beside its commands: the curve of its risk, and what it moved: files with sizes and hashes, forwarded
// connections.
import { z } from 'zod';
import { explain } from '../../behaviour/explain.ts';
import { behaviourSettings } from '../../behaviour/settings.ts';
import { readSettings } from '../../directory/settings.ts';
import { riskCurveOf } from '../../oversight/risk-records.ts';
import { transfersOf } from '../../oversight/transfers.ts';
import type { ApiParts } from '../parts.ts';
import { plain, type Route, route } from '../route.ts';
import { sessionOf } from './sessions.ts';
import { asInstant, instant, sessionId } from './shapes.ts';

const point = z
  .object({
    at: instant,
    /** Into the session. */
    second: z.number(),
    before: z.number(),
    score: z.number(),
    suspicious: z.boolean(),
    /** In words: one line for each point. */
    findings: z.array(z.string()),
  })
  .meta({ id: 'RiskPoint' });

const place = {
  /** The row in the log of audited commands. */
  command: z.string(),
  at: instant,
  /** Into the session. */
  second: z.number(),
} as const;

const transfers = z
  .object({
    files: z.array(
      z.object({
        ...place,
        channelKind: z.string(),
        /** `up`: to the device. */
        direction: z.enum(['up', 'down']),
        path: z.string(),
        bytes: z.number(),
        /** Hexadecimal; null: the content did not go by whole and in order. */
        sha256: z.string().nullable(),
        /** Why there is no hash. */
        partial: z.string(),
      }),
    ),
    forwards: z.array(
      z.object({
        ...place,
        word: z.string(),
        address: z.string(),
        bytesToDevice: z.number(),
        bytesFromDevice: z.number(),
        /** How long it was open; null: it is, or nothing was noted. */
        seconds: z.number().nullable(),
        outcome: z.string(),
      }),
    ),
    /** On files, without content that moved: removed, renamed, stopped. */
    operations: z.array(
      z.object({
        ...place,
        channelKind: z.string(),
        text: z.string(),
        outcome: z.string(),
        detail: z.string(),
      }),
    ),
    /** There was more: the oldest are shown. */
    cut: z.boolean(),
  })
  .meta({ id: 'Transfers' });

const withId = z.object({ id: sessionId });

const timed = <T extends { readonly at: number }>(one: T) => ({ ...one, at: asInstant(one.at) });

export const sessionCourseRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/sessions/{id}/risk-curve',
    tag: 'sessions',
    summary: 'How a session’s risk went, oldest first',
    permission: 'ratings.read',
    params: withId,
    result: z.object({
      /** From which score on a session is suspicious, now. */
      suspiciousFrom: z.number(),
      items: z.array(point),
    }),
    serve: async ({ params }) => {
      const row = await sessionOf(parts, params.id);
      const [points, settings] = await Promise.all([
        riskCurveOf(parts.store, row.id),
        readSettings(parts.store.db),
      ]);
      return {
        body: {
          suspiciousFrom: behaviourSettings(settings).minimumSuspiciousScore,
          items: points.map((one) => ({ ...timed(one), findings: one.findings.map(explain) })),
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/sessions/{id}/transfers',
    tag: 'sessions',
    summary: 'What a session moved: files with sizes and hashes, forwarded connections',
    permission: 'commands.read',
    params: withId,
    result: transfers,
    serve: async ({ params }) => {
      const row = await sessionOf(parts, params.id);
      const found = await transfersOf(parts.store, row.id);
      return {
        body: {
          files: found.files.map((one) => ({ ...timed(one), sha256: one.sha256 ?? null })),
          forwards: found.forwards.map((one) => ({ ...timed(one), seconds: one.seconds ?? null })),
          operations: found.operations.map(timed),
          cut: found.cut,
        },
      };
    },
  }),
];
