// `session watch`: shows a live session in this terminal as its user sees it, from its present screen on. It only looks:
// nothing typed here goes to the session. What the device sends is made safe for this terminal first.
import { once } from 'node:events';
import { type LiveEvent, readLiveEvent } from '../../recordings/live.ts';
import { ScreenSafe } from '../../recordings/screen-safe.ts';
import { shown } from '../directory/shown-text.ts';
import { type GatewayPlace, watchSession } from '../gateway/control-client.ts';
import { actor } from './context.ts';

export interface WatchOptions {
  readonly channel?: number;
  readonly json?: boolean;
}

const write = async (text: string): Promise<void> => {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
};

/** Which channel is shown: the one asked for, else the first with a terminal, else the first that says something. */
class Shown {
  readonly #asked: number | undefined;
  #chosen: number | undefined;
  #terminal = false;
  #safe = new ScreenSafe();

  constructor(asked: number | undefined) {
    this.#asked = asked;
  }

  /** Text for this terminal. */
  take(event: LiveEvent): string {
    switch (event.kind) {
      case 'screen': {
        if (!this.#shows(event.channel, true)) return '';
        // Whatever half a sequence came before does not matter any more.
        this.#safe = new ScreenSafe();
        return this.#safe.filter(event.text);
      }
      case 'output': {
        if (!this.#shows(event.channel, false)) return '';
        return this.#safe.filter(this.#terminal ? event.text : event.text.replace(/\r?\n/g, '\r\n'));
      }
      case 'start':
        if (isTerminal(event.description)) this.#shows(event.channel, true);
        return '';
      case 'size':
      case 'input':
      case 'mark':
      case 'note':
      case 'missed':
      case 'closed':
        return '';
    }
  }

  #shows(channel: number, terminal: boolean): boolean {
    if (this.#asked === undefined && (this.#chosen === undefined || (terminal && !this.#terminal))) {
      this.#chosen = channel;
    }
    const shows = channel === (this.#asked ?? this.#chosen);
    if (shows && terminal) this.#terminal = true;
    return shows;
  }
}

const isTerminal = (description: unknown): boolean =>
  typeof description === 'object' &&
  description !== null &&
  'terminal' in description &&
  description.terminal !== undefined;

const tooSmall = (event: LiveEvent): boolean =>
  (event.kind === 'screen' || event.kind === 'size') &&
  process.stdout.isTTY === true &&
  (process.stdout.columns < event.columns || process.stdout.rows < event.rows);

/** Resolves when the session is over, or at Ctrl-C. Throws ControlError. */
export const watchInTerminal = async (
  place: GatewayPlace,
  session: string,
  options: WatchOptions,
): Promise<void> => {
  const until = new AbortController();
  const stop = (): void => until.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const screen = new Shown(options.channel);
  let over = false;
  try {
    for await (const line of watchSession(place, session, actor(), until.signal)) {
      if (options.json === true) {
        await write(`${line}\n`);
        continue;
      }
      const event = readLiveEvent(line);
      if (event === undefined) continue;
      if (tooSmall(event))
        process.stderr.write('\r\nThe session has more columns or rows than this terminal.\r\n');
      over = event.kind === 'closed';
      await write(screen.take(event));
    }
  } finally {
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
    if (options.json !== true && process.stdout.isTTY === true) {
      process.stdout.write('\u001b[0m\u001b[?25h\u001b[?1049l\u001b[r\u001b[999;1H\n');
    }
  }
  if (options.json === true) return;
  const how = until.signal.aborted
    ? 'no longer watched'
    : over
      ? 'over'
      : 'out of sight: its worker or gateway ended';
  process.stderr.write(`session ${shown(session, 64)}: ${how}\n`);
};
