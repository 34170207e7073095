// A live session as an administrator or an auditor watches it: its screens at once, then what is shown and decided, one
// JSON object a line. Noted in the trail and in the session's own recording before the first line. Keystrokes are not
// among it, and what the device wrote passes the screen filter.
import { z } from 'zod';
import { ScreenSafe } from '../../../recordings/screen-safe.ts';
import { findSession } from '../../directory/sessions.ts';
import { ControlError } from '../../gateway/control-client.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem, unknown } from '../problem.ts';
import { actorOf, plain, type Route, streamRoute } from '../route.ts';
import { sessionId } from './shapes.ts';

const event = z.looseObject({
  kind: z.string(),
  channel: z.number().optional(),
  text: z.string().optional(),
});

async function* watched(
  parts: ApiParts,
  session: string,
  by: string,
  until: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const filters = new Map<number, ScreenSafe>();
  try {
    for await (const line of parts.gateway.watch(session, by, until)) {
      const seen = event.parse(JSON.parse(line));
      if (seen.kind === 'input') continue;
      if (seen.text === undefined) {
        yield `${JSON.stringify(seen)}\n`;
        continue;
      }
      const channel = seen.channel ?? 0;
      // A painted screen begins anew, whatever sequence was under way.
      const filter = (seen.kind === 'screen' ? undefined : filters.get(channel)) ?? new ScreenSafe();
      filters.set(channel, filter);
      yield `${JSON.stringify({ ...seen, text: filter.filter(seen.text) })}\n`;
    }
  } catch (error) {
    if (error instanceof ControlError && error.code === 'SP_CONTROL_REFUSED')
      throw new ApiProblem('SP_API_CONFLICT', 'the session is not live in this gateway');
    throw error;
  }
}

export const watchRoutes = (parts: ApiParts): readonly Route[] => [
  streamRoute({
    ...plain,
    method: 'GET',
    path: '/api/sessions/{id}/watch',
    tag: 'sessions',
    summary: 'Watch a session that goes on, one JSON object a line',
    permission: 'sessions.watch',
    contentType: 'application/x-ndjson',
    params: z.object({ id: sessionId }),
    serve: async ({ params, asked }, principal) => {
      const row = await findSession(parts.store, params.id);
      if (row === undefined || row.id !== params.id) throw unknown('session of this id');
      if (row.ended_at !== null) throw new ApiProblem('SP_API_CONFLICT', 'the session has ended already');
      // The gateway notes it before the first line.
      const by = actorOf(principal);
      return { contentType: 'application/x-ndjson', pieces: watched(parts, row.id, by, asked.signal) };
    },
  }),
];
