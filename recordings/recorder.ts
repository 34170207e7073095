// Turns what happens in a session into the events of its recording: decides what is stored whole (terminals), what up
// to a bound (output of commands) and what is only counted and hashed (transfers, forwards). It does not touch files;
// the lines go to a sink. Keys are stored only when the device echoed them (echo.ts).
import { createHash, type Hash } from 'node:crypto';
import { TextDecoder } from 'node:util';
import { EchoMatcher, type EchoVerdict } from './echo.ts';
import { type ChannelWord, encodeChannelData, encodeEvent, encodeSize } from './format.ts';
import type { LiveChannel } from './live.ts';
import type { RedactingStream, RedactionRules } from './redaction-rules.ts';
import type { RecordedChannel, RecordedOutcome } from './session.ts';

export interface RecorderSink {
  /** `at`: microseconds since the session's start. `mark`: the kind of a marker, for jumping to it. */
  append(line: string, at: number, mark?: string): void;
}

export interface RecorderOptions {
  /** Bytes of output, per stream, stored of a command that has no terminal; the rest is counted and hashed. */
  readonly commandOutputBytes: number;
  /** `echoed`: keys that the device showed again are stored as input; `none`: no keys are. */
  readonly input: 'echoed' | 'none';
  /** What is taken out of text before it is stored. */
  readonly redaction?: RedactionRules | undefined;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
}

export const defaultRecorderOptions: RecorderOptions = {
  commandOutputBytes: 1024 * 1024,
  input: 'echoed',
  now: () => performance.now(),
};

/** Of a stream that is only counted so much is hashed: the hash costs more than everything else that is done with it. */
const hashedBytes = 64 * 1024 * 1024;
/** Input shorter than this gets no hash: a hash of something short, a password say, can be guessed. Bytes. */
const hashedInputBytes = 4096;
/** Channels that one recording follows at a time; SSH servers allow far fewer. */
const maximumChannels = 4096;

/** How a stream of output is kept. */
type Keeping =
  | { readonly kind: 'whole' }
  | { readonly kind: 'bounded'; left: number }
  | { readonly kind: 'counted' };

/** What of a stream is told at its end. */
interface Count {
  bytes: number;
  hashed: number;
  readonly hash: Hash | undefined;
}

interface OutputStream extends Count {
  readonly decoder: TextDecoder;
  readonly redacting: RedactingStream | undefined;
  keeping: Keeping;
}

interface Channel {
  readonly number: number;
  /** The plain channel's events are those that asciicast players show. */
  readonly plain: boolean;
  /** What its `start` event says. */
  readonly description: string;
  size: { readonly columns: number; readonly rows: number } | undefined;
  readonly echo: EchoMatcher | undefined;
  /** Of echoed input, a line at a time; what is taken out may go on over lines. */
  readonly redactingInput: RedactingStream | undefined;
  readonly keys: TextDecoder;
  readonly input: Count;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

function digest(count: Count, data: Buffer): void {
  if (count.hash === undefined || count.hashed >= hashedBytes) return;
  const part = data.subarray(0, hashedBytes - count.hashed);
  count.hashed += part.length;
  count.hash.update(part);
}

function counted({ bytes, hashed, hash }: Count): object {
  if (hash === undefined) return { bytes };
  const sha256 = hash.digest('hex');
  return hashed === bytes ? { bytes, sha256 } : { bytes, beginning: { bytes: hashed, sha256 } };
}

/** Characters of a marker's JSON. */
const maximumMarker = 64 * 1024;

type Phase = 'recording' | 'ended';

export class Recorder {
  readonly #sink: RecorderSink;
  readonly #options: RecorderOptions;
  readonly #channels = new Map<number, Channel>();
  readonly #startedAt: number;
  #plainChannel: number | undefined;
  #lastAt = 0;
  #phase: Phase = 'recording';

  /** `lag`: milliseconds for which the session has run already. */
  constructor(sink: RecorderSink, options: RecorderOptions, lag = 0) {
    this.#sink = sink;
    this.#options = options;
    this.#startedAt = options.now() - lag;
  }

  channelStarted(number: number, description: RecordedChannel): void {
    if (this.#phase === 'ended') return;
    this.channelEnded(number);
    if (this.#channels.size >= maximumChannels) return;
    const { kind, detail, terminal } = description;
    const plain = this.#plainChannel === undefined && terminal !== undefined;
    if (plain) {
      this.#plainChannel = number;
      this.#emit('r', encodeSize(terminal.columns, terminal.rows));
    }
    const shown = terminal === undefined ? undefined : { ...terminal, type: terminal.type.slice(0, 64) };
    const about = this.#redacted(detail).slice(0, 64 * 1024);
    const told = JSON.stringify({ kind, detail: about, terminal: shown, plain });
    this.#tell(number, 'start', told);
    const keeping = (): Keeping => {
      if (terminal !== undefined || kind === 'shell') return { kind: 'whole' };
      if (kind === 'exec') return { kind: 'bounded', left: this.#options.commandOutputBytes };
      return { kind: 'counted' };
    };
    const stream = (): OutputStream => ({
      bytes: 0,
      hashed: 0,
      hash: createHash('sha256'),
      decoder: new TextDecoder('utf-8', { ignoreBOM: true }),
      redacting: this.#options.redaction?.stream(),
      keeping: keeping(),
    });
    this.#channels.set(number, {
      number,
      plain,
      description: told,
      size: terminal === undefined ? undefined : { columns: terminal.columns, rows: terminal.rows },
      echo: terminal !== undefined && this.#options.input === 'echoed' ? new EchoMatcher() : undefined,
      redactingInput: this.#options.redaction?.stream(),
      keys: new TextDecoder('utf-8', { ignoreBOM: true }),
      // What is typed at a terminal gets no hash; see hashedInputBytes.
      input: { bytes: 0, hashed: 0, hash: terminal === undefined ? createHash('sha256') : undefined },
      stdout: stream(),
      stderr: stream(),
    });
  }

  input(number: number, data: Buffer): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    channel.input.bytes += data.length;
    digest(channel.input, data);
    if (channel.echo === undefined) return;
    this.#judge(channel, channel.echo.typed(channel.keys.decode(data, { stream: true })));
  }

  output(number: number, data: Buffer, name: 'stdout' | 'stderr'): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    const stream = channel[name];
    stream.bytes += data.length;
    switch (stream.keeping.kind) {
      case 'counted':
        digest(stream, data);
        return;
      case 'bounded': {
        digest(stream, data);
        if (data.includes(0)) {
          this.#cut(channel, name, 'binary');
          return;
        }
        const { left } = stream.keeping;
        const kept = data.length > left ? data.subarray(0, left) : data;
        stream.keeping.left -= kept.length;
        this.#show(channel, name, stream.decoder.decode(kept, { stream: true }));
        if (kept.length < data.length) this.#cut(channel, name, 'bound');
        return;
      }
      case 'whole': {
        const text = stream.decoder.decode(data, { stream: true });
        if (channel.echo !== undefined) this.#judge(channel, channel.echo.shown(text));
        this.#show(channel, name, text);
        return;
      }
    }
  }

  resize(number: number, columns: number, rows: number): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    channel.size = { columns, rows };
    if (channel.plain) this.#emit('r', encodeSize(columns, rows));
    else this.#tell(number, 'r', encodeSize(columns, rows));
  }

  exit(number: number, outcome: RecordedOutcome): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    this.#flush(channel);
    switch (outcome.kind) {
      case 'status':
        this.#tell(number, 'exit', JSON.stringify({ status: outcome.status }));
        break;
      case 'signal':
        this.#tell(
          number,
          'exit',
          JSON.stringify({
            signal: outcome.signal.slice(0, 64),
            coreDumped: outcome.coreDumped,
            message: outcome.message.slice(0, 1024),
          }),
        );
        break;
      case 'none':
        this.#tell(number, 'exit', '{}');
        break;
    }
    // Players take `x` for the end, with a number as shells report it; a signal's number isn't known here.
    if (channel.plain && outcome.kind !== 'none') {
      this.#emit('x', outcome.kind === 'status' ? String(outcome.status) : '255');
    }
  }

  channelEnded(number: number): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    this.#flush(channel);
    if (channel.echo !== undefined) this.#judge(channel, channel.echo.finish());
    this.#channels.delete(number);
    const output = (stream: OutputStream) =>
      stream.keeping.kind === 'whole' ? { bytes: stream.bytes } : counted(stream);
    const { input } = channel;
    this.#tell(
      number,
      'end',
      JSON.stringify({
        input: input.bytes >= hashedInputBytes ? counted(input) : { bytes: input.bytes },
        stdout: output(channel.stdout),
        stderr: output(channel.stderr),
      }),
    );
  }

  /** Something worth finding again: a command and what was decided, a file, a forward. Bounded; `kind` is a word. */
  marker(number: number, kind: string, data: Readonly<Record<string, unknown>>): void {
    if (this.#phase === 'ended') return;
    const word = kind.replace(/[^a-z-]/g, '').slice(0, 32);
    const noted = this.#options.redaction?.redactWithin(data) ?? data;
    let json = JSON.stringify(Object.assign({ kind: word }, noted));
    if (json.length > maximumMarker) json = JSON.stringify({ kind: word, cut: json.slice(0, maximumMarker) });
    this.#emit('c', encodeChannelData(number, 'mark', json), word);
  }

  /** The channels that are open now, for whoever begins to watch. */
  channels(): readonly LiveChannel[] {
    return [...this.#channels.values()].map(({ number, plain, description, size }) => ({
      channel: number,
      plain,
      description,
      size,
    }));
  }

  /** Ends every channel and puts the closing event; nothing is recorded afterwards. */
  end(): void {
    if (this.#phase === 'ended') return;
    for (const number of [...this.#channels.keys()]) this.channelEnded(number);
    const duration = (this.#options.now() - this.#startedAt) / 1000;
    this.#tell(0, 'closed', JSON.stringify({ duration: Number(duration.toFixed(6)) }));
    this.#phase = 'ended';
  }

  #judge(channel: Channel, verdicts: readonly EchoVerdict[]): void {
    for (const verdict of verdicts) {
      switch (verdict.kind) {
        case 'echoed': {
          const text = channel.redactingInput?.whole(verdict.text) ?? verdict.text;
          if (text === '') break;
          if (channel.plain) this.#emit('i', text);
          else this.#tell(channel.number, 'i', text);
          break;
        }
        case 'hidden':
          this.#tell(channel.number, 'hidden', JSON.stringify({ keys: verdict.keys }));
          break;
      }
    }
  }

  #redacted(text: string): string {
    return this.#options.redaction?.redact(text) ?? text;
  }

  #show(channel: Channel, name: 'stdout' | 'stderr', shown: string): void {
    const text = channel[name].redacting?.feed(shown) ?? shown;
    this.#store(channel, name, text);
  }

  #store(channel: Channel, name: 'stdout' | 'stderr', text: string): void {
    if (text === '') return;
    if (channel.plain && name === 'stdout') this.#emit('o', text);
    else this.#tell(channel.number, name === 'stdout' ? 'o' : 'e', text);
  }

  #cut(channel: Channel, name: 'stdout' | 'stderr', reason: 'bound' | 'binary'): void {
    this.#show(channel, name, channel[name].decoder.decode());
    this.#store(channel, name, channel[name].redacting?.flush() ?? '');
    channel[name].keeping = { kind: 'counted' };
    this.#tell(channel.number, 'cut', JSON.stringify({ stream: name, reason }));
  }

  /** What is left of a character that never became whole is shown as a replacement, and what was kept back is stored. */
  #flush(channel: Channel): void {
    for (const name of ['stdout', 'stderr'] as const) {
      if (channel[name].keeping.kind === 'counted') continue;
      this.#show(channel, name, channel[name].decoder.decode());
      this.#store(channel, name, channel[name].redacting?.flush() ?? '');
    }
  }

  #tell(number: number, word: ChannelWord, payload: string): void {
    this.#emit('c', encodeChannelData(number, word, payload));
  }

  #emit(code: string, data: string, mark?: string): void {
    if (this.#phase === 'ended') return;
    const at = Math.max(this.#lastAt, Math.round((this.#options.now() - this.#startedAt) * 1000));
    this.#sink.append(encodeEvent(at - this.#lastAt, code, data), at, mark);
    this.#lastAt = at;
  }
}
