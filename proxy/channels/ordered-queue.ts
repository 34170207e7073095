// Bytes and marks (end of file, requests, close) in one order. Small pieces are copied into shared chunks, so that
// a peer which sends a window's worth of single bytes costs about a window of memory, not a hundred times that.
// It does not bound itself: windows bound the bytes, and the owner bounds the marks by `marks`.

export type Stream = 'stdout' | 'stderr';

export type Queued<Mark> =
  | { readonly kind: 'data'; readonly stream: Stream; readonly data: Buffer }
  | { readonly kind: 'mark'; readonly mark: Mark };

const CHUNK = 8 * 1024;
const COPY_BELOW = 2 * 1024;
/** Blocks for copies of large pieces, and how many wait for their next use in this process: 4 MiB. */
const BLOCK = 64 * 1024;
const SPARE_BLOCKS = 64;

const spareBlocks: Buffer[] = [];

/** A chunk of ours; `runs` tells how its bytes alternate between the streams, each as length * 2 + (1 for stderr). */
interface Chunk {
  readonly kind: 'chunk';
  /** Its buffer is used again when its last bytes have been dealt with. */
  readonly recycled: boolean;
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
  /** All of it was handed out; it is free when the next thing is put in or taken out. */
  #spent: Buffer | undefined;

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
    this.#reclaim();
    if (data.length === 0) return;
    this.#bytes += data.length;
    if (data.length >= COPY_BELOW) {
      this.#entries.push({ kind: 'whole', stream, data, start: 0 });
      return;
    }
    if (this.#append(stream, data)) return;
    this.#begin(Buffer.allocUnsafeSlow(CHUNK), false, stream, data);
  }

  /**
   * As pushData, for bytes that are not the caller's: they are copied. What take() hands out of them is valid until the
   * next call of any method that puts in or takes out.
   */
  pushCopy(stream: Stream, data: Buffer): void {
    this.#reclaim();
    if (data.length < COPY_BELOW) {
      this.pushData(stream, data);
      return;
    }
    this.#bytes += data.length;
    if (this.#append(stream, data)) return;
    const fits = data.length <= BLOCK;
    const buffer = fits
      ? (spareBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK))
      : Buffer.allocUnsafeSlow(data.length);
    this.#begin(buffer, fits, stream, data);
  }

  /** False: the last thing queued is no chunk with that much room. */
  #append(stream: Stream, data: Buffer): boolean {
    const last = this.empty ? undefined : this.#entries.at(-1);
    if (last?.kind !== 'chunk' || last.end + data.length > last.buffer.length) return false;
    data.copy(last.buffer, last.end);
    last.end += data.length;
    const tail = last.runs.at(-1);
    if (tail !== undefined && (tail & 1) === (stream === 'stderr' ? 1 : 0)) {
      last.runs[last.runs.length - 1] = tail + data.length * 2;
    } else {
      last.runs.push(encodeRun(stream, data.length));
    }
    return true;
  }

  #begin(buffer: Buffer, recycled: boolean, stream: Stream, data: Buffer): void {
    data.copy(buffer, 0);
    const runs = [encodeRun(stream, data.length)];
    this.#entries.push({ kind: 'chunk', recycled, buffer, start: 0, end: data.length, runs, run: 0 });
  }

  #reclaim(): void {
    if (this.#spent !== undefined && spareBlocks.length < SPARE_BLOCKS) spareBlocks.push(this.#spent);
    this.#spent = undefined;
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

  /** Takes the next thing out; of bytes at most `limit` (≥ 1). They are not written to again, but see pushCopy(). */
  take(limit: number): Queued<Mark> | undefined {
    this.#reclaim();
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
    if (chunk.start === chunk.end) {
      if (chunk.recycled) this.#spent = chunk.buffer;
      this.#advance();
    }
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
