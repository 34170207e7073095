// What replaying and exporting a recording comes to: which text to show after which pause, and the same as plain
// asciicast. Pure; whoever calls it waits and writes. Text that goes to an auditor's terminal passes
// screen-safe.ts first, because a recorded device must not drive the auditor's terminal.
import {
  encodeEvent,
  encodeSize,
  type RecordedEvent,
  type RecordingHeader,
  type TerminalShape,
} from './format.ts';
import { markLabel, markOf } from './mark.ts';
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
  /** Text that is safe to write to a terminal; empty for a mark. */
  readonly text: string;
  readonly mark?: { readonly kind: string; readonly label: string };
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
      case 'mark':
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
    const mark = markOf(event);
    if (mark !== undefined) {
      yield { wait: 0, at: event.at, text: '', mark: { kind: mark.kind, label: markLabel(mark) } };
      continue;
    }
    const plain = selection.take(event);
    if (plain?.code !== 'o') continue;
    const text = safe.filter(plain.data);
    if (text === '') continue;
    const pause = Math.min(idleLimit, Math.max(0, event.at - shownAt));
    yield { wait: (pause * 1000) / speed, at: event.at, text };
    shownAt = Math.max(shownAt, event.at);
  }
}

export interface CastOptions {
  /** The version of asciicast. */
  readonly version: 2 | 3;
  readonly shape: TerminalShape;
  readonly channel?: number | undefined;
}

/**
 * A plain asciicast of one channel: lines with their newlines, nothing of ours in them. The text is as recorded, not
 * made safe: players emulate a terminal, they don't pass text on to one. Marks become the markers that players show.
 */
export async function* exportCast(
  header: RecordingHeader,
  events: RecordedEvents,
  { version, shape, channel }: CastOptions,
): AsyncGenerator<string, void, undefined> {
  const { columns, rows, type } = shape;
  const { title } = header;
  const timestamp = Math.floor(header.session.startedAt / 1000);
  if (version === 3) {
    const term = type === undefined ? { cols: columns, rows } : { cols: columns, rows, type };
    yield `${JSON.stringify({ version, term, timestamp, title })}\n`;
  } else {
    const env = type === undefined ? {} : { TERM: type };
    yield `${JSON.stringify({ version, width: columns, height: rows, timestamp, title, env })}\n`;
  }
  const selection = new Selection(channel);
  let last = 0;
  for await (const event of events) {
    const mark = markOf(event);
    const plain = mark === undefined ? selection.take(event) : { code: 'm' as const, data: markLabel(mark) };
    // The exit status has no place in version 2.
    if (plain === undefined || (version === 2 && plain.code === 'x')) continue;
    if (version === 3) yield encodeEvent(Math.round((event.at - last) * 1e6), plain.code, plain.data);
    else yield `[${event.at.toFixed(6)}, "${plain.code}", ${JSON.stringify(plain.data)}]\n`;
    last = event.at;
  }
}

const sequences =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]P_^X][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]*[0-~])|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** What was shown, without colours and movements; a line that was drawn over comes out as all that was drawn. */
export async function* exportText(
  events: RecordedEvents,
  channel?: number,
): AsyncGenerator<string, void, undefined> {
  const selection = new Selection(channel);
  for await (const event of events) {
    const plain = selection.take(event);
    if (plain?.code === 'o') yield plain.data.replace(sequences, '');
  }
}

/** The marks of one kind, or all, one JSON object a line. */
export async function* exportMarks(
  events: RecordedEvents,
  kind?: string,
): AsyncGenerator<string, void, undefined> {
  for await (const event of events) {
    const mark = markOf(event);
    if (mark === undefined || (kind !== undefined && mark.kind !== kind)) continue;
    yield `${JSON.stringify({ second: mark.at, channel: mark.channel, ...mark.data })}\n`;
  }
}
