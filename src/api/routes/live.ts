// What is live, as server-sent events: the sessions that go on, and commands as they are judged. One look a second serves
// every listener, and nobody looks while nobody listens.
import type { CommandsTable } from '../../store/schema.ts';
import type { ApiParts } from '../parts.ts';
import { ApiProblem } from '../problem.ts';
import { plain, type Route, streamRoute } from '../route.ts';
import { shownCommand } from './commands.ts';
import { liveById } from './sessions.ts';
import { asInstant } from './shapes.ts';

const LOOK_EVERY = 1_000;
const KEEP_ALIVE = 15_000;
const MOST_LISTENERS = 200;
const MOST_COMMANDS = 200;
/** Events that a listener may be behind; beyond that it is dropped and comes again by itself. */
const MOST_WAITING = 500;

interface LiveNews {
  readonly event: 'sessions' | 'command';
  readonly data: string;
}

class Listener {
  #waiting: LiveNews[] = [];
  #wake: (() => void) | undefined;
  #state: 'open' | 'closed' = 'open';

  push(news: LiveNews): void {
    if (this.#state === 'closed') return;
    this.#waiting.push(news);
    if (this.#waiting.length > MOST_WAITING) this.close();
    this.#wake?.();
  }

  close(): void {
    this.#state = 'closed';
    this.#wake?.();
  }

  /** Resolves with what has come, at the latest when something keeps the connection alive; undefined: closed. */
  async next(): Promise<readonly LiveNews[] | undefined> {
    if (this.#waiting.length === 0 && this.#state === 'open') {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, KEEP_ALIVE);
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    if (this.#state === 'closed') return undefined;
    return this.#waiting.splice(0);
  }
}

/** Looks at what is live for as long as somebody listens. */
class LiveLook {
  readonly #parts: ApiParts;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | undefined;
  #sessions = '';
  #last: { readonly at: number; readonly id: string };

  constructor(parts: ApiParts) {
    this.#parts = parts;
    this.#last = { at: 0, id: '' };
  }

  add(): Listener {
    if (this.#listeners.size >= MOST_LISTENERS)
      throw new ApiProblem('SP_API_TOO_MANY', 'too many live views are open', [], 30);
    const listener = new Listener();
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#last = { at: this.#parts.now(), id: '' };
      this.#sessions = '';
      void this.#look();
    } else if (this.#sessions !== '') listener.push({ event: 'sessions', data: this.#sessions });
    return listener;
  }

  remove(listener: Listener): void {
    listener.close();
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      await this.#lookOnce();
    } catch (error) {
      this.#parts.log.warn('api.live-failed', { error });
    }
    if (this.#listeners.size === 0) return;
    this.#timer = setTimeout(() => void this.#look(), LOOK_EVERY);
    this.#timer.unref();
  }

  async #lookOnce(): Promise<void> {
    const live = [...(await liveById(this.#parts)).values()].map(({ userId: _, ...session }) => ({
      ...session,
      held: session.held ?? false,
      startedAt: asInstant(session.startedAt),
    }));
    const sessions = JSON.stringify(live);
    if (sessions !== this.#sessions) {
      this.#sessions = sessions;
      this.#tell({ event: 'sessions', data: sessions });
    }
    for (const row of await this.#newCommands())
      this.#tell({ event: 'command', data: JSON.stringify(shownCommand(row)) });
  }

  async #newCommands(): Promise<readonly CommandsTable[]> {
    const { at, id } = this.#last;
    const rows = await this.#parts.store.db
      .selectFrom('commands')
      .selectAll()
      .where((e) => e.or([e('at', '>', at), e.and([e('at', '=', at), e('id', '>', id)])]))
      .orderBy('at')
      .orderBy('id')
      .limit(MOST_COMMANDS)
      .execute();
    const last = rows.at(-1);
    if (last !== undefined) this.#last = { at: last.at, id: last.id };
    return rows;
  }

  #tell(news: LiveNews): void {
    for (const listener of this.#listeners) listener.push(news);
  }
}

/** JSON holds no line break, so one `data` line is enough (HTML standard, 9.2.6). */
const sent = ({ event, data }: LiveNews): string => `event: ${event}\ndata: ${data}\n\n`;

async function* listened(look: LiveLook, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  const listener = look.add();
  const stop = (): void => listener.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    yield 'retry: 3000\n\n';
    for (;;) {
      const news = await listener.next();
      if (news === undefined) return;
      yield news.length === 0 ? ': still here\n\n' : news.map(sent).join('');
    }
  } finally {
    signal.removeEventListener('abort', stop);
    look.remove(listener);
  }
}

export const liveRoutes = (parts: ApiParts): readonly Route[] => {
  const look = new LiveLook(parts);
  return [
    streamRoute({
      ...plain,
      method: 'GET',
      path: '/api/live',
      tag: 'sessions',
      summary: 'Server-sent events: `sessions` (those that go on) and `command` (as each is judged)',
      permission: 'sessions.read',
      contentType: 'text/event-stream',
      serve: async ({ asked }) => ({
        contentType: 'text/event-stream',
        pieces: listened(look, asked.signal),
      }),
    }),
  ];
};
