// The protocol of rcp, as scp speaks it: records (`C`, `D`, `E`, `T`), file data, and one answer to each of them. It holds
// the two sides to that order: a record reaches the sink only when it has been allowed, what follows only when the sink
// has answered, and an answer the source only when it waits for one. So neither can make the other read bytes as something
// that was not judged. Pure: bytes in, actions out.

export type ScpRecord =
  | { readonly kind: 'file'; readonly name: string; readonly size: bigint }
  | { readonly kind: 'folder'; readonly name: string };

export type ScpAction =
  | { readonly kind: 'to-sink'; readonly bytes: Buffer; readonly content: boolean }
  | { readonly kind: 'to-source'; readonly bytes: Buffer }
  /** `verdict` must follow before anything else moves. */
  | { readonly kind: 'ask'; readonly record: ScpRecord }
  /** The folder that was entered last is left. */
  | { readonly kind: 'left' }
  /** The record that was allowed last came to nothing: the sink refused it. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The sink has entered the folder that was allowed last. */
  | { readonly kind: 'entered' }
  /** All bytes of the file have gone by, and both sides are content or not. */
  | { readonly kind: 'finished'; readonly faults: string | undefined }
  | { readonly kind: 'malformed'; readonly why: string };

const LONGEST_LINE = 8 * 1024;
/** Deeper trees are refused by every system. */
const DEEPEST = 1_024;
/** What one side may say before it is its turn. */
const MOST_EARLY = 2 * 1024 * 1024;

type After = 'start' | 'file' | 'folder' | 'leave' | 'times' | 'content';

type State =
  /** The sink's answer is due. */
  | {
      readonly kind: 'answer';
      readonly after: After;
      readonly faults: string | undefined;
      readonly size: bigint;
    }
  /** The source's next record is due. */
  | { readonly kind: 'record' }
  | { readonly kind: 'asking'; readonly record: ScpRecord; readonly line: Buffer }
  | { readonly kind: 'content'; left: bigint }
  /** The source says how reading the file went. */
  | { readonly kind: 'status' }
  /** One side has given up (`\x02`): nothing more is looked at. */
  | { readonly kind: 'over' }
  | { readonly kind: 'malformed' };

export class ScpProtocol {
  #state: State = { kind: 'answer', after: 'start', faults: undefined, size: 0n };
  readonly #source = new Early();
  readonly #sink = new Early();
  #depth = 0;

  /** Bytes of each side that wait. */
  get keptFromSource(): number {
    return this.#source.length;
  }

  get keptFromSink(): number {
    return this.#sink.length;
  }

  fromSource(data: Buffer): ScpAction[] {
    this.#source.append(data);
    const actions = this.#run();
    this.#source.ownRest();
    return actions;
  }

  fromSink(data: Buffer): ScpAction[] {
    this.#sink.append(data);
    const actions = this.#run();
    this.#sink.ownRest();
    return actions;
  }

  /** `deny`: the sink never sees the record; the source hears why, and goes on with what comes next. */
  verdict(
    verdict: { readonly kind: 'allow' } | { readonly kind: 'deny'; readonly message: string },
  ): ScpAction[] {
    const state = this.#state;
    if (state.kind !== 'asking') return [];
    if (verdict.kind === 'deny') {
      this.#state = { kind: 'record' };
      const text = verdict.message.replace(/[\0-\x1f\x7f]/g, ' ').slice(0, 1_000);
      return [{ kind: 'to-source', bytes: Buffer.from(`\x01scp: ${text}\n`) }, ...this.#run()];
    }
    const size = state.record.kind === 'file' ? state.record.size : 0n;
    this.#state = { kind: 'answer', after: state.record.kind, faults: undefined, size };
    return [{ kind: 'to-sink', bytes: state.line, content: false }, ...this.#run()];
  }

  #run(): ScpAction[] {
    const actions: ScpAction[] = [];
    while (this.#step(actions));
    if (this.#source.length > MOST_EARLY || this.#sink.length > MOST_EARLY) {
      actions.push(this.#broken('one side does not wait for the other'));
    }
    return actions;
  }

  /** False: nothing more can be done with what is there. */
  #step(actions: ScpAction[]): boolean {
    const state = this.#state;
    switch (state.kind) {
      case 'answer':
        return this.#answer(state, actions);
      case 'record':
        return this.#record(actions);
      case 'content':
        return this.#content(state, actions);
      case 'status':
        return this.#status(actions);
      case 'over':
        return this.#rest(actions);
      case 'asking':
      case 'malformed':
        return false;
    }
  }

  #answer(state: Extract<State, { kind: 'answer' }>, actions: ScpAction[]): boolean {
    if (this.#sink.length === 0) return false;
    const answer = this.#takeAnswer('sink', actions);
    if (answer === undefined) return false;
    actions.push({ kind: 'to-source', bytes: answer.bytes });
    if (answer.fatal) {
      this.#outcome(state, answer.text ?? 'given up', actions);
      this.#state = { kind: 'over' };
      return true;
    }
    this.#outcome(state, answer.text, actions);
    if (state.after === 'file' && answer.text === undefined) {
      this.#state = state.size > 0n ? { kind: 'content', left: state.size } : { kind: 'status' };
    } else this.#state = { kind: 'record' };
    return true;
  }

  #outcome(state: Extract<State, { kind: 'answer' }>, text: string | undefined, actions: ScpAction[]): void {
    switch (state.after) {
      case 'file':
        if (text !== undefined) actions.push({ kind: 'refused', why: text });
        return;
      case 'folder':
        if (text === undefined) {
          this.#depth += 1;
          actions.push({ kind: 'entered' });
        } else actions.push({ kind: 'refused', why: text });
        return;
      case 'leave':
        this.#depth -= 1;
        actions.push({ kind: 'left' });
        return;
      case 'content':
        actions.push({ kind: 'finished', faults: state.faults ?? text });
        return;
      case 'start':
      case 'times':
        return;
    }
  }

  #record(actions: ScpAction[]): boolean {
    const [first] = this.#source.bytes;
    if (first === undefined) return false;
    const end = this.#source.bytes.subarray(0, LONGEST_LINE).indexOf(0x0a);
    if (end < 0) {
      if (this.#source.length >= LONGEST_LINE) actions.push(this.#broken('a record that is too long'));
      return false;
    }
    const line = this.#source.take(end + 1);
    const text = line.toString('utf8', 0, end);
    switch (first) {
      case 0x01:
        // A message; nobody answers it.
        actions.push({ kind: 'to-sink', bytes: line, content: false });
        return true;
      case 0x02:
        actions.push({ kind: 'to-sink', bytes: line, content: false });
        this.#state = { kind: 'over' };
        return true;
      case 0x54: // T
        if (!/^T\d{1,20} \d{1,9} \d{1,20} \d{1,9}$/.test(text)) break;
        return this.#passRecord(line, 'times', actions);
      case 0x45: // E
        if (text !== 'E' || this.#depth === 0) break;
        return this.#passRecord(line, 'leave', actions);
      case 0x43: // C
      case 0x44: {
        const match = /^[CD][0-7]{3,5} (\d{1,18}) ([^/\0]+)$/s.exec(text);
        const [, size, name] = match ?? [];
        if (size === undefined || name === undefined || name === '..') break;
        if (first === 0x43 && name === '.') break;
        if (first === 0x44 && this.#depth >= DEEPEST) break;
        const record: ScpRecord =
          first === 0x43 ? { kind: 'file', name, size: BigInt(size) } : { kind: 'folder', name };
        this.#state = { kind: 'asking', record, line: Buffer.from(line) };
        actions.push({ kind: 'ask', record });
        return false;
      }
      default:
        break;
    }
    actions.push(this.#broken('a record that is none'));
    return false;
  }

  #passRecord(line: Buffer, after: After, actions: ScpAction[]): boolean {
    actions.push({ kind: 'to-sink', bytes: line, content: false });
    this.#state = { kind: 'answer', after, faults: undefined, size: 0n };
    return true;
  }

  #content(state: Extract<State, { kind: 'content' }>, actions: ScpAction[]): boolean {
    if (this.#source.length === 0) return false;
    const length = state.left < BigInt(this.#source.length) ? Number(state.left) : this.#source.length;
    const bytes = this.#source.take(length);
    state.left -= BigInt(length);
    actions.push({ kind: 'to-sink', bytes, content: true });
    if (state.left === 0n) this.#state = { kind: 'status' };
    return true;
  }

  #status(actions: ScpAction[]): boolean {
    if (this.#source.length === 0) return false;
    const status = this.#takeAnswer('source', actions);
    if (status === undefined) return false;
    actions.push({ kind: 'to-sink', bytes: status.bytes, content: false });
    this.#state = status.fatal
      ? { kind: 'over' }
      : { kind: 'answer', after: 'content', faults: status.text, size: 0n };
    return true;
  }

  /** `\0`, or `\x01` or `\x02` with a line of text. Undefined: not all of it is there. */
  #takeAnswer(
    side: 'source' | 'sink',
    actions: ScpAction[],
  ): { readonly bytes: Buffer; readonly text: string | undefined; readonly fatal: boolean } | undefined {
    const from = side === 'source' ? this.#source : this.#sink;
    const [first] = from.bytes;
    if (first === 0) return { bytes: from.take(1), text: undefined, fatal: false };
    const end = from.bytes.subarray(0, LONGEST_LINE).indexOf(0x0a);
    if (first !== 1 && first !== 2) {
      actions.push(this.#broken(`an answer that is none${plain(from.bytes)}`));
      return undefined;
    }
    if (end < 0) {
      if (from.length >= LONGEST_LINE) actions.push(this.#broken('an answer that is too long'));
      return undefined;
    }
    const bytes = from.take(end + 1);
    return { bytes, text: bytes.toString('utf8', 1, end), fatal: first === 2 };
  }

  /** Whoever gave up ends its program; only text comes after that, and it goes where it would have gone. */
  #rest(actions: ScpAction[]): boolean {
    if (this.#sink.length > 0) actions.push({ kind: 'to-source', bytes: this.#sink.take(this.#sink.length) });
    // Nothing more may reach a sink: it would be read as records.
    this.#source.clear();
    return false;
  }

  #broken(why: string): ScpAction {
    this.#state = { kind: 'malformed' };
    this.#source.clear();
    this.#sink.clear();
    return { kind: 'malformed', why };
  }
}

const NOTHING = Buffer.alloc(0);

/** Bytes that came before they were due. Bytes handed out are never written to again. */
class Early {
  #buffer: Buffer = NOTHING;
  #start = 0;
  #end = 0;
  #own = false;

  get length(): number {
    return this.#end - this.#start;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  append(data: Buffer): void {
    if (this.length === 0) {
      this.#buffer = data;
      this.#start = 0;
      this.#end = data.length;
      this.#own = false;
      return;
    }
    if (!this.#own || this.#end + data.length > this.#buffer.length) {
      const waiting = this.bytes;
      const buffer = Buffer.allocUnsafeSlow(2 * (waiting.length + data.length));
      waiting.copy(buffer);
      this.#buffer = buffer;
      this.#start = 0;
      this.#end = waiting.length;
      this.#own = true;
    }
    data.copy(this.#buffer, this.#end);
    this.#end += data.length;
  }

  /** What waits is kept in memory of our own: what was appended may be used again. */
  ownRest(): void {
    if (this.#own) return;
    this.#buffer = this.length === 0 ? NOTHING : Buffer.from(this.bytes);
    this.#end -= this.#start;
    this.#start = 0;
  }

  take(length: number): Buffer {
    const bytes = this.#buffer.subarray(this.#start, this.#start + length);
    this.#start += length;
    return bytes;
  }

  clear(): void {
    this.#buffer = NOTHING;
    this.#start = 0;
    this.#end = 0;
    this.#own = false;
  }
}

const plain = (bytes: Buffer): string => {
  const text = bytes
    .toString('latin1', 0, 80)
    .replace(/[^\x20-\x7e]/g, ' ')
    .trim();
  return text === '' ? '' : `: ${text}`;
};
