// A running session as somebody watches it: first the screens as they are, then what is recorded, as it is recorded.
// A watcher who reads too slowly misses output and gets the screens anew; the session never waits for one. It reads
// nothing but what the recorder hands it, and knows neither processes nor sockets: lines go out by a function.
import { type ChannelWord, parseEvent, type RecordedEvent } from './format.ts';
import { eventsIn } from './read.ts';
import { ScreenImage } from './screen-image.ts';

/** `at`: seconds since the session's start. `text` is as the device sent it: not safe for a terminal as it is. */
export type LiveEvent =
  /** A channel that is open; first of all, and when one opens. `description`: kind, detail and terminal, as recorded. */
  | { readonly kind: 'start'; readonly at: number; readonly channel: number; readonly description: unknown }
  /** Paints the whole screen of a channel, whatever was shown of it before. */
  | {
      readonly kind: 'screen';
      readonly at: number;
      readonly channel: number;
      readonly columns: number;
      readonly rows: number;
      readonly text: string;
    }
  | {
      readonly kind: 'output';
      readonly at: number;
      readonly channel: number;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
    }
  | { readonly kind: 'input'; readonly at: number; readonly channel: number; readonly text: string }
  | {
      readonly kind: 'size';
      readonly at: number;
      readonly channel: number;
      readonly columns: number;
      readonly rows: number;
    }
  /** What the gateway notes beside what passes: `mark` is its kind, such as `command`. */
  | {
      readonly kind: 'mark';
      readonly at: number;
      readonly channel: number;
      readonly mark: string;
      readonly data: unknown;
    }
  /** Any other event of a channel, by its word in the recording: `hidden`, `cut`, `exit`, `end`. */
  | {
      readonly kind: 'note';
      readonly at: number;
      readonly channel: number;
      readonly word: ChannelWord;
      readonly data: unknown;
    }
  /** So many characters were left out because the watcher was slow; screens follow. */
  | { readonly kind: 'missed'; readonly at: number; readonly characters: number }
  /** The session is over; the last one. */
  | { readonly kind: 'closed'; readonly at: number };

/** A channel that is open. */
export interface LiveChannel {
  readonly channel: number;
  readonly plain: boolean;
  /** JSON, as the `start` event has it. */
  readonly description: string;
  readonly size: { readonly columns: number; readonly rows: number } | undefined;
}

/** Recorded lines, whose first event happened at `first` microseconds. */
export interface RecentLines {
  readonly lines: string;
  readonly first: number;
}

export interface LiveSource {
  channels(): readonly LiveChannel[];
  /** What was recorded last, up to the moment of this call, enough to tell the screens from. Rejects when it can't be read. */
  recent(): Promise<readonly RecentLines[]>;
  /** Microseconds since the session's start of the last event. */
  readonly lastAt: number;
}

/** Characters that may be on their way to a watcher. */
const window = 256 * 1024;
/** Characters that may wait while screens are being painted. */
const waiting = 1024 * 1024;
/** Screens are painted anew at most so often. Milliseconds. */
const paintEvery = 1000;

type State =
  | { readonly kind: 'painting'; lines: string[]; characters: number; overrun: boolean }
  | { readonly kind: 'passing' }
  | { readonly kind: 'behind'; missed: number }
  | { readonly kind: 'over' };

function parsed(json: string): unknown {
  try {
    return json === '' ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

export class LiveWatch {
  readonly #source: LiveSource;
  readonly #send: (lines: readonly string[]) => void;
  readonly #over: () => void;
  #state: State = { kind: 'passing' };
  #plain: number | undefined;
  #onItsWay = 0;
  #paintedAt = Number.NEGATIVE_INFINITY;
  #repaint: NodeJS.Timeout | undefined;
  #batch: string[] = [];
  #flushing: NodeJS.Immediate | undefined;

  /**
   * `send` gets lines of JSON, each a LiveEvent; the first ones tell the channels and paint their screens. `over` is
   * called when nothing more is to come.
   */
  constructor(source: LiveSource, send: (lines: readonly string[]) => void, over: () => void) {
    this.#source = source;
    this.#send = send;
    this.#over = over;
    this.#paint(0);
  }

  /** A line that was recorded; `at` in microseconds. */
  take(line: string, at: number): void {
    switch (this.#state.kind) {
      case 'over':
        return;
      case 'painting':
        this.#state.characters += line.length;
        if (this.#state.characters > waiting) {
          this.#state.overrun = true;
          this.#state.lines = [];
        } else this.#state.lines.push(`${at} ${line}`);
        return;
      case 'behind':
        this.#state.missed += line.length;
        return;
      case 'passing':
        this.#pass(line, at);
    }
  }

  /** The watcher has taken so many characters. */
  read(characters: number): void {
    this.#onItsWay = Math.max(0, this.#onItsWay - characters);
    if (this.#state.kind !== 'behind' || this.#onItsWay > window / 2 || this.#repaint !== undefined) return;
    const pause = Math.max(0, this.#paintedAt + paintEvery - performance.now());
    this.#repaint = setTimeout(() => {
      this.#repaint = undefined;
      if (this.#state.kind === 'behind') this.#paint(this.#state.missed);
    }, pause);
    this.#repaint.unref();
  }

  /** The session is over: the watcher is told. */
  end(): void {
    if (this.#state.kind === 'over') return;
    this.#emit({ kind: 'closed', at: this.#source.lastAt / 1e6 });
    this.#flush();
    this[Symbol.dispose]();
  }

  /** The watcher is gone. */
  [Symbol.dispose](): void {
    this.#state = { kind: 'over' };
    this.#over();
    clearTimeout(this.#repaint);
    clearImmediate(this.#flushing);
  }

  #paint(missed: number): void {
    const state: State = { kind: 'painting', lines: [], characters: 0, overrun: false };
    this.#state = state;
    this.#paintedAt = performance.now();
    const at = this.#source.lastAt / 1e6;
    const channels = this.#source.channels();
    this.#plain = channels.find(({ plain }) => plain)?.channel;
    if (missed > 0) this.#emit({ kind: 'missed', at, characters: missed });
    else {
      for (const { channel, description } of channels)
        this.#emit({ kind: 'start', at, channel, description: parsed(description) });
    }
    this.#source
      .recent()
      .then((recent) => screensOf(channels, recent, at))
      .catch(() => [])
      .then((screens) => {
        if (this.#state !== state) return;
        for (const screen of screens) this.#emit(screen);
        if (state.overrun) {
          this.#state = { kind: 'behind', missed: state.characters };
          this.read(0);
          return;
        }
        this.#state = { kind: 'passing' };
        for (const waited of state.lines) {
          const space = waited.indexOf(' ');
          this.take(waited.slice(space + 1), Number(waited.slice(0, space)));
        }
      });
  }

  #pass(line: string, at: number): void {
    if (this.#onItsWay + line.length > window && this.#onItsWay > 0) {
      this.#state = { kind: 'behind', missed: line.length };
      return;
    }
    const event = parseEvent(line, 0);
    const told = event === undefined ? undefined : this.#tell(event, at / 1e6);
    if (told !== undefined) this.#emit(told);
  }

  #tell(event: RecordedEvent, at: number): LiveEvent | undefined {
    const plain = this.#plain ?? 0;
    switch (event.code) {
      case 'o':
        return { kind: 'output', at, channel: plain, stream: 'stdout', text: event.data };
      case 'i':
        return { kind: 'input', at, channel: plain, text: event.data };
      case 'r':
        return { kind: 'size', at, channel: plain, columns: event.columns, rows: event.rows };
      case 'm':
      case 'x':
      case 'other':
        return undefined;
      case 'c':
        break;
    }
    const { channel, word, data } = event;
    switch (word) {
      case 'start':
        if (data.endsWith('"plain":true}')) this.#plain = channel;
        return { kind: 'start', at, channel, description: parsed(data) };
      case 'o':
      case 'e':
        return { kind: 'output', at, channel, stream: word === 'o' ? 'stdout' : 'stderr', text: data };
      case 'i':
        return { kind: 'input', at, channel, text: data };
      case 'r': {
        const [columns = 80, rows = 24] = data.split('x').map(Number);
        return { kind: 'size', at, channel, columns, rows };
      }
      case 'mark': {
        const about = parsed(data);
        const named = typeof about === 'object' && about !== null && 'kind' in about ? about.kind : '';
        return { kind: 'mark', at, channel, mark: String(named), data: about };
      }
      case 'hidden':
      case 'cut':
      case 'exit':
      case 'end':
        return { kind: 'note', at, channel, word, data: parsed(data) };
      case 'closed':
        // `end` tells of it.
        return undefined;
    }
  }

  #emit(event: LiveEvent): void {
    const line = JSON.stringify(event);
    this.#onItsWay += line.length;
    this.#batch.push(line);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#batch.length === 0) return;
    const lines = this.#batch;
    this.#batch = [];
    this.#send(lines);
  }
}

/** The screens of the channels that have one, after what was recorded last. */
async function screensOf(
  channels: readonly LiveChannel[],
  recent: readonly RecentLines[],
  at: number,
): Promise<readonly LiveEvent[]> {
  const images = new Map<number, ScreenImage>();
  let plain: number | undefined;
  for (const { channel, plain: isPlain, size } of channels) {
    if (size !== undefined) images.set(channel, new ScreenImage(size.columns, size.rows));
    if (isPlain) plain = channel;
  }
  const resize = (channel: number | undefined, columns: number, rows: number): void => {
    if (channel !== undefined) images.get(channel)?.resize(columns, rows);
  };
  try {
    for (const { lines, first } of recent) {
      for (const event of eventsIn(lines, first)) {
        if (event.code === 'o' && plain !== undefined) await images.get(plain)?.feed(event.data);
        else if (event.code === 'r') resize(plain, event.columns, event.rows);
        else if (event.code === 'c' && (event.word === 'o' || event.word === 'e'))
          await images.get(event.channel)?.feed(event.data);
        else if (event.code === 'c' && event.word === 'r') {
          const [columns = 80, rows = 24] = event.data.split('x').map(Number);
          resize(event.channel, columns, rows);
        }
      }
    }
    // The last size is the one that holds, also where the change was recorded long ago.
    for (const { channel, size } of channels)
      if (size !== undefined) resize(channel, size.columns, size.rows);
    return [...images].map(([channel, image]) => ({
      kind: 'screen',
      at,
      channel,
      columns: image.columns,
      rows: image.rows,
      text: image.paint(),
    }));
  } finally {
    for (const image of images.values()) image[Symbol.dispose]();
  }
}

/** A line of a watch; undefined for what is none. */
export function readLiveEvent(line: string): LiveEvent | undefined {
  const raw = parsed(line);
  return isLiveEvent(raw) ? raw : undefined;
}

const kinds = ['start', 'screen', 'output', 'input', 'size', 'mark', 'note', 'missed', 'closed'];

/** Lines come from our own worker: their kind is looked at, and the rest believed. */
function isLiveEvent(raw: unknown): raw is LiveEvent {
  return (
    typeof raw === 'object' &&
    raw !== null &&
    'kind' in raw &&
    'at' in raw &&
    kinds.includes(String(raw.kind))
  );
}
