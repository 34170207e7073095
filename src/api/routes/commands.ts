// Audited commands: the log by time, and how often by command, device, credential, user and session.
import { z } from 'zod';
import { countCommands, countedBy, listCommands } from '../../audit/command-log.ts';
import type { CommandsTable } from '../../store/schema.ts';
import type { ApiParts } from '../parts.ts';
import { unknown } from '../problem.ts';
import { plain, type Route, route } from '../route.ts';
import { asInstant, instant, limit, moment, pageOf, paging, word } from './shapes.ts';

const metRule = z.object({
  rule: z.string(),
  action: z.string(),
  criticality: z.string(),
  points: z.number(),
  effective: z.boolean(),
  shadow: z.boolean(),
  why: z.string(),
});

export const command = z
  .object({
    id: z.string(),
    session: z.string(),
    channel: z.number(),
    at: instant,
    /** Seconds into the session. */
    second: z.number(),
    user: z.string(),
    device: z.string(),
    credential: z.string(),
    account: z.string(),
    source: z.string(),
    kind: z.string(),
    context: z.string(),
    typed: z.string(),
    command: z.string(),
    /** Typed without echo: its text is nowhere. */
    hidden: z.boolean(),
    /** What it comes to. */
    analysed: z.array(z.string()),
    opaque: z.boolean(),
    word: z.string(),
    how: z.string(),
    confidence: z.number(),
    decision: z.string(),
    outcome: z.string(),
    detail: z.string(),
    rules: z.array(metRule),
    criticality: z.string().nullable(),
    points: z.number(),
    policy: z.string(),
  })
  .meta({ id: 'AuditedCommand' });

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
};

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A command of an analysis as it was logged. */
const analysedText = (value: unknown): string => {
  if (typeof value === 'string') return value;
  const { text: whole, argv } = record(value);
  return text(whole) || list(argv).map(text).join(' ');
};

const ruleOf = (value: unknown): z.input<typeof metRule> => {
  const rule = record(value);
  return {
    rule: text(rule['rule']),
    action: text(rule['action']),
    criticality: text(rule['criticality']),
    points: typeof rule['points'] === 'number' ? rule['points'] : 0,
    effective: rule['effective'] === true,
    shadow: rule['shadow'] === true,
    why: text(rule['why']),
  };
};

export const shownCommand = (row: CommandsTable): z.input<typeof command> => {
  const analysed = record(parsed(row.analysed_json));
  return {
    id: row.id,
    session: row.session_id,
    channel: row.channel,
    at: asInstant(row.at),
    second: row.recording_offset / 1000,
    user: row.user_name,
    device: row.device_name,
    credential: row.credential_name,
    account: row.account,
    source: row.source_address,
    kind: row.channel_kind,
    context: row.context,
    typed: row.typed,
    command: row.command,
    hidden: row.hidden === 1,
    analysed: list(analysed['commands']).map(analysedText).slice(0, 200),
    opaque: list(analysed['opaque']).length > 0,
    word: row.word,
    how: row.how_read,
    confidence: row.confidence / 1000,
    decision: row.decision,
    outcome: row.outcome,
    detail: row.outcome_detail,
    rules: list(parsed(row.rules_json)).map(ruleOf),
    criticality: row.criticality,
    points: row.points,
    policy: row.policy_version,
  };
};

const filters = {
  since: moment.optional(),
  until: moment.optional(),
  user: word.optional(),
  device: word.optional(),
  credential: word.optional(),
  session: word.optional(),
  word: word.optional().meta({ description: 'The name of the first command' }),
  outcome: word.optional(),
} as const;

const count = z
  .object({
    of: z.string(),
    commands: z.number(),
    audited: z.number(),
    stopped: z.number(),
    refused: z.number(),
    points: z.number(),
    sessions: z.number(),
    users: z.number(),
    first: instant,
    last: instant,
  })
  .meta({ id: 'CommandCount' });

export const commandRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/commands',
    tag: 'commands',
    summary: 'What was submitted and judged, newest first',
    permission: 'commands.read',
    query: z.object({
      ...paging,
      ...filters,
      sort: z
        .enum(['at', 'points'])
        .default('at')
        .meta({ description: 'By points: those that have any, the most first' }),
      order: z.enum(['newest-first', 'oldest-first']).default('newest-first'),
      audited: z.enum(['true', 'false']).optional().meta({ description: 'Only those that met a rule' }),
    }),
    result: pageOf(command),
    serve: async ({ query }) => {
      const { since, until, user, device, credential, session, outcome, limit: size, after, order } = query;
      const page = await listCommands(parts.store, {
        since,
        until,
        user,
        device,
        credential,
        session,
        outcome,
        word: query.word,
        audited: query.audited === 'true',
        limit: size,
        after,
        order,
        sort: query.sort,
      });
      return { body: { items: page.rows.map(shownCommand), next: page.next ?? null } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/commands/{id}',
    tag: 'commands',
    summary: 'One audited command',
    permission: 'commands.read',
    params: z.object({ id: z.string().regex(/^[0-9a-f-]{36}$/, 'a command’s id') }),
    result: command,
    serve: async ({ params }) => {
      const row = await parts.store.db
        .selectFrom('commands')
        .selectAll()
        .where('id', '=', params.id)
        .executeTakeFirst();
      if (row === undefined) throw unknown('command of this id');
      return { body: shownCommand(row) };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/command-counts/{by}',
    tag: 'commands',
    summary: 'How often, by command, device, credential, user or session; most frequent first',
    permission: 'commands.read',
    params: z.object({ by: z.enum(countedBy) }),
    query: z.object({ ...filters, limit }),
    result: z.object({ items: z.array(count) }),
    serve: async ({ params, query }) => {
      const { since, until, user, device, credential, session, outcome, limit: size } = query;
      const counts = await countCommands(parts.store, params.by, {
        since,
        until,
        user,
        device,
        credential,
        session,
        outcome,
        word: query.word,
        limit: size,
      });
      return {
        body: {
          items: counts.map((one) => ({
            ...one,
            first: asInstant(one.first),
            last: asInstant(one.last),
          })),
        },
      };
    },
  }),
];
