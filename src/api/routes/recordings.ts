// Recordings: listed, their events streamed from any moment, searched, proved and exported. Every viewing is in the trail
// before its first byte goes out. What a recorded device wrote passes the screen filter before a player gets it.
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { readSigner, verifierOf } from '../../../recordings/keys.ts';
import { type ListedRecording, listRecordings } from '../../../recordings/list.ts';
import { markLabel, markOf } from '../../../recordings/mark.ts';
import { readHeader } from '../../../recordings/open.ts';
import { findRecording, idsWithTails } from '../../../recordings/places.ts';
import { exportCast, exportMarks, exportText, frames } from '../../../recordings/play.ts';
import { readEvents, readShape } from '../../../recordings/read.ts';
import { verifyFile } from '../../../recordings/verify.ts';
import { findSession } from '../../directory/sessions.ts';
import {
  gatewayOpeners,
  openSearchIndex,
  recordingsFolder,
  signingKeyFile,
} from '../../gateway/recordings.ts';
import { recordAct } from '../acts.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { actorOf, type Principal, plain, type Route, route, streamRoute } from '../route.ts';
import { asInstant, instant, limit, moment, seconds, sessionId, word } from './shapes.ts';

const recording = z
  .object({
    id: z.string(),
    user: z.string(),
    device: z.string(),
    account: z.string(),
    startedAt: instant,
    /** Seconds; null while it grows. */
    duration: z.number().nullable(),
    state: z.enum(['running', 'open', 'complete', 'interrupted', 'unreadable']),
    bytes: z.number(),
  })
  .meta({ id: 'Recording' });

const shape = z.object({ columns: z.number(), rows: z.number() });

const withId = z.object({ id: sessionId });

const rootOf = (parts: ApiParts): string => recordingsFolder(parts.config.recordings.url);

const shownRecording = (
  one: ListedRecording,
  withTails: ReadonlySet<string>,
): z.input<typeof recording> | undefined =>
  one.kind === 'unreadable'
    ? undefined
    : {
        id: one.id,
        user: one.header.session.user,
        device: one.header.session.device,
        account: one.header.session.account,
        startedAt: asInstant(one.header.session.startedAt),
        duration: one.seal?.duration ?? null,
        state: one.seal?.outcome ?? (withTails.has(one.id) ? 'running' : 'open'),
        bytes: one.bytes,
      };

const told = async (
  parts: ApiParts,
  principal: Principal,
  action: 'viewed' | 'exported' | 'verified' | 'searched',
  name: string,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> => {
  await recordAct(parts.store, parts.now(), {
    actor: actorOf(principal),
    action,
    kind: 'recording',
    name,
    detail,
  });
};

/** Whose recording it is, for the trail. */
const about = async (parts: ApiParts, id: string): Promise<Readonly<Record<string, unknown>>> => {
  const row = await findSession(parts.store, id);
  return row === undefined ? {} : { user: row.user_name, device: row.device_name };
};

/** One JSON object a line: `{at, text}` for the screen, `{at, mark, label}` for a moment worth a jump, and last `{end}`. */
async function* playable(
  path: string,
  parts: ApiParts,
  options: { readonly from: number; readonly channel: number | undefined },
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const openers = gatewayOpeners(parts.config);
  const { columns, rows } = await readShape(path, openers, options.channel);
  yield `${JSON.stringify({ columns, rows })}\n`;
  let last = 0;
  let batch = '';
  for await (const event of sized(path, parts, options)) {
    signal.throwIfAborted();
    batch += `${JSON.stringify(event)}\n`;
    last = event.at;
    if (batch.length > 65_536) {
      yield batch;
      batch = '';
    }
  }
  yield `${batch}${JSON.stringify({ end: last })}\n`;
}

interface Playable {
  readonly at: number;
  readonly text?: string;
  readonly size?: readonly [number, number];
  readonly mark?: string;
  readonly label?: string;
}

/** Screen text and marks from `frames`, with the changes of size among them. */
async function* sized(
  path: string,
  parts: ApiParts,
  options: { readonly from: number; readonly channel: number | undefined },
): AsyncGenerator<Playable, void, undefined> {
  const openers = gatewayOpeners(parts.config);
  const sizes: Playable[] = [];
  async function* noticing(): ReturnType<typeof readEvents> {
    for await (const event of readEvents(path, openers, { from: options.from })) {
      if (event.code === 'r') sizes.push({ at: event.at, size: [event.columns, event.rows] });
      yield event;
    }
  }
  for await (const frame of frames(noticing(), { channel: options.channel })) {
    yield* sizes.splice(0);
    if (frame.mark !== undefined) yield { at: frame.at, mark: frame.mark.kind, label: frame.mark.label };
    else yield { at: frame.at, text: frame.text };
  }
  yield* sizes;
}

const exportFormats = ['cast', 'cast2', 'text', 'commands', 'marks', 'sealed'] as const;

async function* exported(
  path: string,
  parts: ApiParts,
  format: (typeof exportFormats)[number],
  channel: number | undefined,
): AsyncGenerator<string | Buffer, void, undefined> {
  if (format === 'sealed') {
    for await (const piece of createReadStream(path)) yield Buffer.from(piece);
    return;
  }
  const openers = gatewayOpeners(parts.config);
  const events = readEvents(path, openers);
  switch (format) {
    case 'cast':
    case 'cast2': {
      const [header, terminal] = [await readHeader(path), await readShape(path, openers, channel)];
      yield* exportCast(header, events, { version: format === 'cast' ? 3 : 2, shape: terminal, channel });
      return;
    }
    case 'text':
      yield* exportText(events, channel);
      return;
    case 'commands':
      yield* exportMarks(events, 'command');
      return;
    case 'marks':
      yield* exportMarks(events);
      return;
    default:
      format satisfies never;
  }
}

const fileNames: Readonly<Record<(typeof exportFormats)[number], string>> = {
  cast: 'cast',
  cast2: 'v2.cast',
  text: 'txt',
  commands: 'commands.jsonl',
  marks: 'marks.jsonl',
  sealed: 'sprec',
};

const channel = z
  .string()
  .regex(/^\d{1,6}$/, 'a channel’s number')
  .transform(Number)
  .optional();

const finding = z.object({ kind: z.string(), offset: z.number(), end: z.number(), text: z.string() });

const mark = z.object({
  at: z.number(),
  kind: z.string(),
  label: z.string(),
  channel: z.number(),
  outcome: z.string().nullable(),
});

const MOST_MARKS = 20_000;

export const recordingRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    ...plain,
    method: 'GET',
    path: '/api/recordings',
    tag: 'recordings',
    summary: 'Recordings, newest first; not proved',
    permission: 'recordings.read',
    query: z.object({
      limit,
      after: sessionId.optional().meta({ description: 'The id of the last recording seen' }),
      since: moment.optional(),
      user: word.optional(),
      device: word.optional(),
    }),
    result: z.object({ items: z.array(recording), next: z.string().nullable() }),
    serve: async ({ query }) => {
      const root = rootOf(parts);
      const { since, user, device, after } = query;
      const withTails = new Set(await idsWithTails(root));
      const items: z.input<typeof recording>[] = [];
      let passed = after === undefined;
      for await (const one of listRecordings(root, { since, user, device })) {
        if (!passed) {
          passed = one.id === after;
          continue;
        }
        const entry = shownRecording(one, withTails);
        if (entry !== undefined) items.push(entry);
        if (items.length > query.limit) break;
      }
      const shown = items.slice(0, query.limit);
      return { body: { items: shown, next: items.length > query.limit ? (shown.at(-1)?.id ?? null) : null } };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/recordings/{id}',
    tag: 'recordings',
    summary: 'One recording: its size on the screen and its marks, to jump to',
    permission: 'recordings.read',
    params: withId,
    result: z.object({ recording, terminal: shape, marks: z.array(mark) }),
    serve: async ({ params }, principal) => {
      const root = rootOf(parts);
      const path = await findRecording(root, params.id);
      await told(parts, principal, 'viewed', params.id, {
        part: 'marks',
        ...(await about(parts, params.id)),
      });
      const withTails = new Set(await idsWithTails(root));
      const openers = gatewayOpeners(parts.config);
      const { columns, rows } = await readShape(path, openers);
      const marks: z.input<typeof mark>[] = [];
      for await (const event of readEvents(path, openers)) {
        const found = markOf(event);
        if (found === undefined) continue;
        const outcome = found.data['outcome'];
        marks.push({
          at: found.at,
          kind: found.kind,
          label: markLabel(found),
          channel: found.channel,
          outcome: typeof outcome === 'string' ? outcome : null,
        });
        if (marks.length >= MOST_MARKS) break;
      }
      for await (const one of listRecordings(root, { session: params.id })) {
        const entry = shownRecording(one, withTails);
        if (entry !== undefined) return { body: { recording: entry, terminal: { columns, rows }, marks } };
      }
      throw unknown('recording of this session');
    },
  }),
  streamRoute({
    ...plain,
    method: 'GET',
    path: '/api/recordings/{id}/events',
    tag: 'recordings',
    summary: 'What the screen showed, one JSON object a line, from a second of the session on',
    permission: 'recordings.read',
    contentType: 'application/x-ndjson',
    params: withId,
    query: z.object({ from: seconds.optional(), channel }),
    serve: async ({ params, query, asked }, principal) => {
      const path = await findRecording(rootOf(parts), params.id);
      const from = query.from ?? 0;
      await told(parts, principal, 'viewed', params.id, { from, ...(await about(parts, params.id)) });
      return {
        contentType: 'application/x-ndjson',
        pieces: playable(path, parts, { from, channel: query.channel }, asked.signal),
      };
    },
  }),
  route({
    ...plain,
    method: 'POST',
    path: '/api/recordings/{id}/verify',
    tag: 'recordings',
    summary: 'Prove that a recording is whole and unchanged',
    permission: 'recordings.read',
    params: withId,
    result: z.object({
      proved: z.boolean(),
      findings: z.array(finding),
      chunks: z.number(),
      bytes: z.number(),
      redactions: z.number(),
      outcome: z.string().nullable(),
      signedBy: z.string().nullable(),
    }),
    serve: async ({ params }, principal) => {
      const path = await findRecording(rootOf(parts), params.id);
      const signer = await readSigner(signingKeyFile(parts.config));
      if (signer === undefined) throw new ApiProblem('SP_API_CONFLICT', 'this gateway has no signing key');
      const result = await verifyFile(path, [verifierOf(signer.raw)], params.id);
      const proved = result.findings.length === 0;
      await told(parts, principal, 'verified', params.id, { proved });
      return {
        body: {
          proved,
          findings: result.findings.slice(0, 100).map(({ kind, offset, end, text }) => ({
            kind,
            offset,
            end,
            text,
          })),
          chunks: result.chunks,
          bytes: result.bytes,
          redactions: result.redactions.length,
          outcome: result.seal?.outcome ?? null,
          signedBy: result.preamble?.signer.id ?? null,
        },
      };
    },
  }),
  streamRoute({
    ...plain,
    method: 'GET',
    path: '/api/recordings/{id}/export',
    tag: 'recordings',
    summary: 'The recording for other players and programs, or the sealed file itself',
    permission: 'recordings.read',
    contentType: 'application/octet-stream',
    params: withId,
    query: z.object({ format: z.enum(exportFormats).default('cast'), channel }),
    serve: async ({ params, query }, principal) => {
      const path = await findRecording(rootOf(parts), params.id);
      await told(parts, principal, 'exported', params.id, {
        format: query.format,
        ...(await about(parts, params.id)),
      });
      return {
        contentType: 'application/octet-stream',
        fileName: `${params.id}.${fileNames[query.format]}`,
        pieces: exported(path, parts, query.format, query.channel),
      };
    },
  }),
  route({
    ...plain,
    method: 'GET',
    path: '/api/recording-search',
    tag: 'recordings',
    summary: 'Commands and screen text over all sealed recordings, with the second to jump to; newest first',
    permission: 'recordings.read',
    perMinute: 60,
    query: z.object({
      q: word,
      kind: z.enum(['command', 'screen']).optional(),
      user: word.optional(),
      device: word.optional(),
      credential: word.optional(),
      since: moment.optional(),
      limit,
    }),
    result: z.object({
      items: z.array(
        z.object({
          session: z.string(),
          user: z.string(),
          device: z.string(),
          startedAt: instant,
          second: z.number(),
          kind: z.string(),
          text: z.string(),
        }),
      ),
    }),
    serve: async ({ query }, principal) => {
      const { q, kind, user, device, credential, since } = query;
      await told(parts, principal, 'searched', 'all', { q });
      using index = openSearchIndex(parts.config);
      await index.update(rootOf(parts), gatewayOpeners(parts.config), { limit: 200 });
      const hits = index.search({ text: q, kind, user, device, credential, since, limit: query.limit });
      return {
        body: {
          items: hits.map((hit) => ({
            session: hit.session,
            user: hit.user,
            device: hit.device,
            startedAt: asInstant(hit.startedAt),
            second: hit.second,
            kind: hit.kind,
            text: hit.text,
          })),
        },
      };
    },
  }),
];
