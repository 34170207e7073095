// Bytes and marks (end of file, requests, close) in one order. Small pieces are copied into shared chunks, so that
// a peer which sends a window's worth of single bytes costs about a window of memory, not a hundred times that.
// It does not bound itself: windows bound the bytes, and the owner bounds the marks by `marks`.

export type Stream = 'stdout' | 'stderr';

export type Queued<Mark> =
  | { readonly kind: 'data'; readonly stream: Stream; readonly data: Buffer }
  | { readonly kind: 'mark'; readonly mark: Mark };

const CHUNK = 8 * 1024;
const COPY_BELOW = 2 * 1024;

/** A chunk of ours; `runs` tells how its bytes alternate between the streams, each as length * 2 + (1 for stderr). */
interface Chunk {
  readonly kind: 'chunk';
  readonly buffer: Buffer;
  start: number;
  end: number;
  readonly runs: number[];
  run: number;
}

/** A large piece, kept as it came. */
interface Whole {
  readonly kind: 'whole';
  readonly stream: Stream;
  readonly data: Buffer;
  start: number;
}

type Entry<Mark> = Chunk | Whole | { readonly kind: 'mark'; readonly mark: Mark };

function encodeRun(stream: Stream, length: number): number {
  return length * 2 + (stream === 'stderr' ? 1 : 0);
}

export class OrderedQueue<Mark> {
  #entries: Entry<Mark>[] = [];
  #head = 0;
  #bytes = 0;
  #marks = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get marks(): number {
    return this.#marks;
  }

  get empty(): boolean {
    return this.#head === this.#entries.length;
  }

  pushData(stream: Stream, data: Buffer): void {
    if (data.length === 0) return;
    this.#bytes += data.length;
    if (data.length >= COPY_BELOW) {
      this.#entries.push({ kind: 'whole', stream, data, start: 0 });
      return;
    }
    const last = this.empty ? undefined : this.#entries.at(-1);
    if (last?.kind === 'chunk' && last.end + data.length <= CHUNK) {
      data.copy(last.buffer, last.end);
      last.end += data.length;
      const tail = last.runs.at(-1);
      if (tail !== undefined && (tail & 1) === (stream === 'stderr' ? 1 : 0)) {
        last.runs[last.runs.length - 1] = tail + data.length * 2;
      } else {
        last.runs.push(encodeRun(stream, data.length));
      }
      return;
    }
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    data.copy(buffer, 0);
    const runs = [encodeRun(stream, data.length)];
    this.#entries.push({ kind: 'chunk', buffer, start: 0, end: data.length, runs, run: 0 });
  }

  pushMark(mark: Mark): void {
    this.#marks += 1;
    this.#entries.push({ kind: 'mark', mark });
  }

  /** The mark at the tail, if the last thing queued is one. */
  get lastMark(): Mark | undefined {
    if (this.empty) return undefined;
    const last = this.#entries.at(-1);
    return last?.kind === 'mark' ? last.mark : undefined;
  }

  /** Takes the mark at the tail away; the owner puts a newer one of the same meaning in its place. */
  dropLastMark(): void {
    if (this.lastMark === undefined) return;
    this.#entries.pop();
    this.#marks -= 1;
  }

  /** Whether the next thing out is bytes or a mark. */
  get next(): 'data' | 'mark' | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    return entry.kind === 'mark' ? 'mark' : 'data';
  }

  /** Takes the next thing out; of bytes at most `limit` (≥ 1). Handed-out bytes are never written to again. */
  take(limit: number): Queued<Mark> | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    switch (entry.kind) {
      case 'mark':
        this.#marks -= 1;
        this.#advance();
        return entry;
      case 'whole': {
        const data = entry.data.subarray(entry.start, entry.start + limit);
        entry.start += data.length;
        this.#bytes -= data.length;
        if (entry.start === entry.data.length) this.#advance();
        return { kind: 'data', stream: entry.stream, data };
      }
      case 'chunk':
        return this.#takeFromChunk(entry, limit);
    }
  }

  /** Drops the bytes and keeps the marks, in their order. */
  dropData(): void {
    this.#entries = this.#entries.slice(this.#head).filter((entry) => entry.kind === 'mark');
    this.#head = 0;
    this.#bytes = 0;
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#marks = 0;
  }

  #takeFromChunk(chunk: Chunk, limit: number): Queued<Mark> {
    const run = chunk.runs[chunk.run] ?? 0;
    const runLength = run >>> 1;
    const length = Math.min(limit, runLength);
    const data = chunk.buffer.subarray(chunk.start, chunk.start + length);
    chunk.start += length;
    this.#bytes -= length;
    if (length === runLength) chunk.run += 1;
    else chunk.runs[chunk.run] = run - length * 2;
    if (chunk.start === chunk.end) this.#advance();
    return { kind: 'data', stream: (run & 1) === 1 ? 'stderr' : 'stdout', data };
  }

  #advance(): void {
    this.#head += 1;
    if (this.#head === this.#entries.length) {
      this.#entries = [];
      this.#head = 0;
    } else if (this.#head >= 64 && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}
