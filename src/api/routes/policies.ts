// The rules: files read, tried, published with their history, and rolled back. What is published has been compiled with the
// rest of the set and its own tests have passed; the gateway's workers take it up by themselves. Packs that ship are
// read only.
import { z } from 'zod';
import { analyse } from '../../../policies/analysis/analyse.ts';
import { backtest, type RecordedCommand, testLine } from '../../../policies/check.ts';
import type { Decision } from '../../../policies/match.ts';
import type { CommandsTable } from '../../store/schema.ts';
import type { ApiParts } from '../parts.ts';
import { PolicyFiles, RULE_FILE_NAME } from '../policy-files.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { actorOf, plain, type Route, route } from '../route.ts';
import { asInstant, checkVersion, idOf, instant, moment, pageOf, paging, word } from './shapes.ts';

const LARGEST_TEXT = 1024 * 1024;
const text = z.string().max(LARGEST_TEXT);
const fileName = z.string().regex(RULE_FILE_NAME, 'a file’s name such as rules.yaml');

const fault = z.object({
  file: z.string(),
  line: z.number(),
  column: z.number(),
  message: z.string(),
});

const policyFile = z
  .object({
    file: z.string(),
    /** `pack`: ships with the gateway and can't be changed. */
    origin: z.enum(['folder', 'pack']),
    text: z.string(),
    etag: z.string(),
  })
  .meta({ id: 'PolicyFile' });

const version = z
  .object({
    id: z.string(),
    at: instant,
    actor: z.string(),
    file: z.string(),
    note: z.string(),
    setVersion: z.string(),
  })
  .meta({ id: 'PolicyVersion' });

const draft = z
  .strictObject({ file: fileName, text })
  .describe('Tried in place of the file of this name, or beside the files that there are');

const channels = ['shell', 'exec', 'sftp', 'scp', 'forward', 'agent', 'x11'] as const;
const grammars = ['posix-shell', 'fish', 'csh', 'network-cli', 'sql', 'python'] as const;

const ruleMatch = z
  .object({
    rule: z.string(),
    description: z.string().nullable(),
    action: z.string(),
    criticality: z.string(),
    points: z.number(),
    shadow: z.boolean(),
    effective: z.boolean(),
    occurrence: z.number(),
    occurrences: z.number(),
    /** Index into the commands; null: the line as a whole. */
    command: z.number().nullable(),
    why: z.string(),
    message: z.string().nullable(),
    contact: z.string().nullable(),
  })
  .meta({ id: 'RuleMatch' });

const tried = z
  .object({
    commands: z.array(
      z.object({
        text: z.string(),
        argv: z.array(z.string()),
        via: z.array(z.string()),
        deferred: z.boolean(),
        start: z.number(),
        end: z.number(),
      }),
    ),
    opaque: z.array(z.object({ text: z.string(), why: z.string(), where: z.string() })),
    incomplete: z.string(),
    action: z.string(),
    allowlistMiss: z.boolean(),
    points: z.number(),
    policyVersion: z.string(),
    matches: z.array(ruleMatch),
  })
  .meta({ id: 'TriedLine' });

const shownMatches = (decision: Decision): z.input<typeof ruleMatch>[] =>
  decision.matches.map((match) => ({
    rule: match.rule,
    description: match.description ?? null,
    action: match.action,
    criticality: match.criticality,
    points: match.points,
    shadow: match.shadow,
    effective: match.effective,
    occurrence: match.occurrence,
    occurrences: match.occurrences,
    command: match.command ?? null,
    why: match.why,
    message: match.message ?? null,
    contact: match.contact ?? null,
  }));

const MOST_BACKTESTED = 20_000;
const BATCH = 500;
const MOST_HITS = 500;

const recordedOf = (row: CommandsTable): RecordedCommand => ({
  line: row.command,
  session: row.session_id,
  context: {
    user: row.user_name,
    groups: [],
    device: row.device_name,
    tags: [],
    credential: row.credential_name,
    channel: channels.find((channel) => channel === row.channel_kind) ?? 'shell',
    context: row.context,
    at: new Date(row.at),
  },
});

/** Commands as they were submitted, oldest first, in batches between which others are served. */
async function* recorded(
  parts: ApiParts,
  filter: { readonly since: number; readonly until: number; readonly user: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<RecordedCommand, void, undefined> {
  let last = { at: filter.since, id: '' };
  for (let taken = 0; taken < MOST_BACKTESTED; ) {
    signal.throwIfAborted();
    const position = last;
    let query = parts.store.db
      .selectFrom('commands')
      .selectAll()
      .where((e) =>
        e.or([e('at', '>', position.at), e.and([e('at', '=', position.at), e('id', '>', position.id)])]),
      )
      .where('at', '<', filter.until)
      .where('hidden', '=', 0);
    if (filter.user !== undefined) query = query.where('user_name', '=', filter.user);
    const rows = await query
      .orderBy('at')
      .orderBy('id')
      .limit(Math.min(BATCH, MOST_BACKTESTED - taken))
      .execute();
    for (const [index, row] of rows.entries()) {
      if (index % 25 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      yield recordedOf(row);
    }
    taken += rows.length;
    const end = rows.at(-1);
    if (end === undefined) return;
    last = { at: end.at, id: end.id };
  }
}

const tryRoutes = (parts: ApiParts, files: PolicyFiles): readonly Route[] => [
  route({
    ...plain,
    method: 'POST',
    path: '/api/policies/validate',
    tag: 'policies',
    summary: 'Whether the rules would do with this file: every mistake with its place',
    permission: 'policies.read',
    body: draft,
    result: z.object({
      problems: z.array(fault),
      rules: z.number(),
      tests: z.number(),
      version: z.string(),
    }),
    serve: async ({ body }) => {
      const compiled = await files.compile(body);
      return {
        body: {
          problems: compiled.problems
            .slice(0, 200)
            .map(({ file, line, column, message }) => ({ file, line, column, message })),
          rules: compiled.rules,
          tests: compiled.tests,
          version: compiled.set.version,
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/policies/test',
    tag: 'policies',
    summary: 'What a line comes to, which rules it meets and why',
    permission: 'policies.read',
    body: z.strictObject({
      line: z.string().max(16_384),
      user: word.default('someone'),
      groups: z.array(word).max(100).default([]),
      device: word.default('device'),
      tags: z.array(word).max(100).default([]),
      credential: word.default('credential'),
      channel: z.enum(channels).default('shell'),
      context: word.optional(),
      grammar: z.enum(grammars).default('posix-shell'),
      at: moment.optional(),
      draft: draft.optional(),
    }),
    result: tried,
    serve: async ({ body }) => {
      const compiled = await files.compile(body.draft);
      const { line, grammar, draft: _, at, ...context } = body;
      const report = testLine(compiled.set, line, { ...context, at: new Date(at ?? parts.now()) }, grammar);
      const { analysis, decision } = report;
      return {
        body: {
          commands: analysis.commands.map((command) => ({
            text: command.text,
            argv: [...command.argv],
            via: [...command.via],
            deferred: command.deferred,
            start: command.span.start,
            end: command.span.end,
          })),
          opaque: analysis.opaque.map(({ text: source, why, where }) => ({ text: source, why, where })),
          incomplete: analysis.incomplete,
          action: decision.action,
          allowlistMiss: decision.allowlistMiss,
          points: decision.points,
          policyVersion: decision.policyVersion,
          matches: shownMatches(decision),
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/policies/backtest',
    tag: 'policies',
    summary: `Whom the rules would have met in what was submitted; at most ${MOST_BACKTESTED} commands`,
    permission: 'policies.read',
    perMinute: 10,
    body: z.strictObject({
      since: moment.optional(),
      until: moment.optional(),
      user: word.optional(),
      draft: draft.optional(),
    }),
    result: z.object({
      commands: z.number(),
      hits: z.number(),
      byAction: z.record(z.string(), z.number()),
      byRule: z.array(z.object({ rule: z.string(), hits: z.number(), users: z.array(z.string()) })),
      examples: z.array(
        z.object({
          session: z.string().nullable(),
          user: z.string(),
          device: z.string(),
          at: instant,
          line: z.string(),
          rule: z.string(),
          action: z.string(),
        }),
      ),
    }),
    serve: async ({ body, asked }) => {
      const compiled = await files.compile(body.draft);
      if (compiled.problems.length > 0)
        throw new ApiProblem(
          'SP_API_INVALID',
          'the rules can’t be used',
          compiled.problems
            .slice(0, 50)
            .map(({ file, line, column, message }) => ({ where: `${file}:${line}:${column}`, message })),
        );
      const examples: {
        session: string | null;
        user: string;
        device: string;
        at: string;
        line: string;
        rule: string;
        action: string;
      }[] = [];
      const now = parts.now();
      const commands = recorded(
        parts,
        { since: body.since ?? now - 30 * 86_400_000, until: body.until ?? now + 1, user: body.user },
        asked.signal,
      );
      const result = await backtest(compiled.set, commands, (hit) => {
        if (examples.length >= MOST_HITS) return;
        const { session, user, device, at, line, rule, action } = hit;
        examples.push({ session: session ?? null, user, device, at: at.toISOString(), line, rule, action });
      });
      const byRule = [...result.byRule]
        .map(([rule, { hits, users }]) => ({ rule, hits, users: [...users].sort().slice(0, 100) }))
        .sort((a, b) => b.hits - a.hits);
      return {
        body: {
          commands: result.commands,
          hits: result.hits,
          byAction: Object.fromEntries(result.byAction),
          byRule,
          examples,
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/policies/analyse',
    tag: 'policies',
    summary: 'What a line comes to, without rules',
    permission: 'policies.read',
    body: z.strictObject({ line: z.string().max(16_384), grammar: z.enum(grammars).default('posix-shell') }),
    result: z.object({
      commands: z.array(z.object({ text: z.string(), via: z.array(z.string()) })),
      opaque: z.array(z.object({ text: z.string(), why: z.string() })),
    }),
    serve: async ({ body }) => {
      const analysis = analyse(body.line, { grammar: body.grammar });
      return {
        body: {
          commands: analysis.commands.map(({ text: source, via }) => ({ text: source, via: [...via] })),
          opaque: analysis.opaque.map(({ text: source, why }) => ({ text: source, why })),
        },
      };
    },
  }),
];

const fileRoutes = (files: PolicyFiles): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/policies',
    tag: 'policies',
    summary: 'The rule files in force, those of the folder and the packs',
    permission: 'policies.read',
    result: z.object({
      version: z.string(),
      rules: z.number(),
      problems: z.array(fault),
      items: z.array(policyFile),
    }),
    serve: async () => {
      const [items, compiled] = await Promise.all([files.list(), files.compile()]);
      return {
        body: {
          version: compiled.set.version,
          rules: compiled.rules,
          problems: compiled.problems.slice(0, 200),
          items: [...items],
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/policies/{file}',
    tag: 'policies',
    summary: 'One rule file',
    permission: 'policies.read',
    params: z.object({ file: fileName }),
    result: policyFile,
    serve: async ({ params }) => {
      const body = await files.find(params.file);
      if (body === undefined) throw unknown('rule file of this name');
      return { body, etag: body.etag };
    },
  }),
  route({
    ...plain,
    method: 'PUT',
    path: '/api/policies/{file}',
    tag: 'policies',
    summary:
      'Publish a rule file: it is checked with the others, kept in the history, and takes effect at once',
    permission: 'policies.write',
    versioned: true,
    params: z.object({ file: fileName }),
    body: z.strictObject({ text, note: z.string().max(1_000).default('') }),
    result: policyFile,
    serve: async ({ params, body, asked }, principal) => {
      const published = await files.publish(
        { file: params.file, text: body.text, note: body.note, actor: actorOf(principal) },
        (current) => checkVersion(asked, current),
      );
      return { body: published, etag: published.etag };
    },
  }),
  route({
    ...plain,
    method: 'DELETE',
    path: '/api/policies/{file}',
    tag: 'policies',
    summary: 'Withdraw a rule file; its history stays',
    permission: 'policies.write',
    versioned: true,
    params: z.object({ file: fileName }),
    result: z.object({ status: z.string() }),
    serve: async ({ params, asked }, principal) => {
      await files.withdraw(params.file, actorOf(principal), (current) => {
        if (current === undefined) throw unknown('rule file of this name in the folder');
        checkVersion(asked, current);
      });
      return { body: { status: 'withdrawn' } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/policies/{file}/versions',
    tag: 'policies',
    summary: 'What was published under this name, newest first',
    permission: 'policies.read',
    params: z.object({ file: fileName }),
    query: z.object(paging),
    result: pageOf(version),
    serve: async ({ params, query }) => {
      const page = await files.versions(params.file, query);
      return {
        body: {
          items: page.rows.map((row) => ({
            id: row.id,
            at: asInstant(row.at),
            actor: row.actor,
            file: row.file,
            note: row.note,
            setVersion: row.set_version,
          })),
          next: page.next ?? null,
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/policies/{file}/versions/{id}',
    tag: 'policies',
    summary: 'A published text, and how it differs from what is in force',
    permission: 'policies.read',
    params: z.object({ file: fileName, ...idOf.shape }),
    result: z.object({ version, text: z.string(), diff: z.string() }),
    serve: async ({ params }) => {
      const row = await files.version(params.file, params.id);
      if (row === undefined) throw unknown('such version of this file');
      return {
        body: {
          version: {
            id: row.id,
            at: asInstant(row.at),
            actor: row.actor,
            file: row.file,
            note: row.note,
            setVersion: row.set_version,
          },
          text: row.text,
          diff: await files.differenceToNow(row),
        },
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/policies/{file}/versions/{id}/restore',
    tag: 'policies',
    summary: 'Publish an earlier text again',
    permission: 'policies.write',
    params: z.object({ file: fileName, ...idOf.shape }),
    result: policyFile,
    serve: async ({ params }, principal) => {
      const row = await files.version(params.file, params.id);
      if (row === undefined) throw unknown('such version of this file');
      const published = await files.publish(
        {
          file: params.file,
          text: row.text,
          note: `as published ${asInstant(row.at)}`,
          actor: actorOf(principal),
        },
        () => {},
      );
      return { body: published, etag: published.etag };
    },
  }),
];

export const policyRoutes = (parts: ApiParts): readonly Route[] => {
  const files = new PolicyFiles(parts);
  // Literal paths come before those with a file's name in them.
  return [...tryRoutes(parts, files), ...fileRoutes(files)];
};
