// What replaying and exporting a recording comes to: which text to show after which pause, and the same as plain
// asciicast. Pure; whoever calls it waits and writes. Text that goes to an auditor's terminal passes
// screen-safe.ts first, because a recorded device must not drive the auditor's terminal.
import { encodeEvent, encodeSize, type RecordedEvent, type RecordingHeader } from './format.ts';
import { ScreenSafe } from './screen-safe.ts';

export interface PlayOptions {
  /** 2 plays twice as fast; above 0. */
  readonly speed?: number | undefined;
  /** Pauses are cut to this many seconds (before `speed`). */
  readonly idleLimit?: number | undefined;
  /** Seconds into the session; what is before is shown at once. */
  readonly from?: number | undefined;
  /** A channel's number; absent: the plain channel, or every channel as long as there is no plain one. */
  readonly channel?: number | undefined;
}

export interface Frame {
  /** Milliseconds to wait before showing it. */
  readonly wait: number;
  /** Seconds into the session. */
  readonly at: number;
  /** Text that is safe to write to a terminal. */
  readonly text: string;
}

export type RecordedEvents = AsyncIterable<RecordedEvent> | Iterable<RecordedEvent>;

interface PlainEvent {
  readonly code: 'o' | 'i' | 'r' | 'm' | 'x';
  readonly data: string;
}

/** Picks one channel's events and gives them the form of a plain recording's. */
class Selection {
  readonly #wanted: number | undefined;
  #plain: number | undefined;

  constructor(wanted: number | undefined) {
    this.#wanted = wanted;
  }

  take(event: RecordedEvent): PlainEvent | undefined {
    switch (event.code) {
      case 'o':
      case 'i':
      case 'm':
      case 'x':
        return this.#takesPlain() ? { code: event.code, data: event.data } : undefined;
      case 'r':
        return this.#takesPlain() ? { code: 'r', data: encodeSize(event.columns, event.rows) } : undefined;
      case 'other':
        return undefined;
      case 'c':
        break;
    }
    const chosen = this.#wanted === undefined ? this.#plain : this.#wanted;
    switch (event.word) {
      case 'start':
        if (event.data.endsWith('"plain":true}')) this.#plain = event.channel;
        return undefined;
      case 'o':
      case 'e':
        if (chosen !== undefined && chosen !== event.channel) return undefined;
        // A command without a terminal ends its lines with LF alone; a screen needs the return too.
        return { code: 'o', data: event.data.replace(/\r?\n/g, '\r\n') };
      case 'i':
      case 'r':
        return chosen === event.channel ? { code: event.word, data: event.data } : undefined;
      case 'hidden':
      case 'cut':
      case 'exit':
      case 'end':
      case 'closed':
        return undefined;
    }
  }

  #takesPlain(): boolean {
    return this.#wanted === undefined || this.#wanted === this.#plain;
  }
}

/** The frames of a recording. */
export async function* frames(
  events: RecordedEvents,
  options: PlayOptions = {},
): AsyncGenerator<Frame, void, undefined> {
  const { speed = 1, idleLimit = Number.POSITIVE_INFINITY, from = 0, channel } = options;
  const selection = new Selection(channel);
  const safe = new ScreenSafe();
  let shownAt = from;
  for await (const event of events) {
    const plain = selection.take(event);
    if (plain?.code !== 'o') continue;
    const text = safe.filter(plain.data);
    if (text === '') continue;
    const pause = Math.min(idleLimit, Math.max(0, event.at - shownAt));
    yield { wait: (pause * 1000) / speed, at: event.at, text };
    shownAt = Math.max(shownAt, event.at);
  }
}

/**
 * A plain asciicast v3 of one channel: lines with their newlines, nothing of ours in them. The text is as recorded,
 * not made safe: players emulate a terminal, they don't pass text on to one.
 */
export async function* exportCast(
  header: RecordingHeader,
  events: RecordedEvents,
  channel?: number,
): AsyncGenerator<string, void, undefined> {
  const { columns, rows, type } = header.terminal;
  const term = type === undefined ? { cols: columns, rows } : { cols: columns, rows, type };
  yield `${JSON.stringify({ version: 3, term, timestamp: header.timestamp, title: header.title })}\n`;
  const selection = new Selection(channel);
  let last = 0;
  for await (const event of events) {
    const plain = selection.take(event);
    if (plain === undefined) continue;
    yield encodeEvent(Math.round((event.at - last) * 1e6), plain.code, plain.data);
    last = event.at;
  }
}
