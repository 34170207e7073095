// The framing of SFTP (draft-ietf-secsh-filexfer-02, version 3; versions 4 to 6 share it): cuts a byte stream into
// packets. Small ones are handed out whole; file data is handed out as it comes, behind the fields that tell what it is
// part of. Pure and bounded: a packet longer than OpenSSH allows is malformed. It knows no meaning beyond the types.

export const FXP = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  LINK: 21,
  BLOCK: 22,
  UNBLOCK: 23,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
  EXTENDED_REPLY: 201,
} as const;

export const FX = {
  OK: 0,
  EOF: 1,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  OP_UNSUPPORTED: 8,
} as const;

/** OpenSSH's limit for a packet, and room for its fields. Bytes. */
export const LONGEST_PACKET = 256 * 1024 + 1024;
/** Of packets that are handed out whole: two paths and their attributes. Bytes. */
export const LONGEST_WHOLE = 64 * 1024;
/** The protocol's limit for a handle. Bytes. */
export const LONGEST_HANDLE = 256;
const HEAD = 9;
const COPY_BELOW = 2 * 1024;
const GATHERED = 8 * 1024;

export interface Whole {
  readonly kind: 'packet';
  readonly type: number;
  /** Of INIT and VERSION, the version. */
  readonly id: number;
  /** Behind type and id. */
  readonly body: Buffer;
  /** With everything. */
  readonly bytes: Buffer;
}

export interface Begin {
  readonly kind: 'begin';
  readonly type: number;
  readonly id: number;
  /** Length, type, id, and for WRITE and DATA what comes before the file's bytes. */
  readonly bytes: Buffer;
  /** File bytes that follow, of WRITE and DATA; else 0. */
  readonly dataLength: number;
  /** Of WRITE. */
  readonly handle: string;
  readonly offset: bigint;
  /** Nothing follows. */
  readonly last: boolean;
}

export interface Piece {
  readonly kind: 'piece';
  readonly bytes: Buffer;
  readonly last: boolean;
}

export type SftpPart = Whole | Begin | Piece | { readonly kind: 'malformed'; readonly why: string };

/** `true`: hand it out whole. */
export type WantsWhole = (type: number, id: number) => boolean;

type Reading =
  | { readonly kind: 'head' }
  | { readonly kind: 'body'; left: number }
  | { readonly kind: 'malformed'; readonly why: string };

export class SftpReader {
  readonly #wantsWhole: WantsWhole;
  #chunks: Buffer[] = [];
  #kept = 0;
  /** A buffer of ours at the end, that has room. What was handed out of it is never written to again. */
  #tail: { readonly buffer: Buffer; end: number } | undefined;
  /** What was pushed last, until it is known to be ours. */
  #lent: Buffer | undefined;
  #state: Reading = { kind: 'head' };

  constructor(wantsWhole: WantsWhole) {
    this.#wantsWhole = wantsWhole;
  }

  /** Bytes that were pushed and not handed out. */
  get kept(): number {
    return this.#kept;
  }

  /** Between two packets. */
  get atBoundary(): boolean {
    return this.#state.kind === 'head';
  }

  /**
   * The bytes may be used again by their owner: parts of file data are valid until ownRest() is called, which must be in
   * the same turn.
   */
  push(data: Buffer): void {
    if (data.length === 0) return;
    this.#lent = data;
    if (this.#kept > 0 && data.length < COPY_BELOW) this.#gather(data);
    else {
      this.#chunks.push(data);
      this.#tail = undefined;
    }
    this.#kept += data.length;
  }

  /** What was pushed and not handed out is kept in memory of our own. */
  ownRest(): void {
    if (this.#kept > 0) this.#chunks = this.#chunks.map((chunk) => this.#own(chunk));
    this.#lent = undefined;
  }

  #own(data: Buffer): Buffer {
    return data.buffer === this.#lent?.buffer ? Buffer.from(data) : data;
  }

  clear(): void {
    this.#chunks = [];
    this.#tail = undefined;
    this.#kept = 0;
  }

  /** Small pieces share a buffer, so that single bytes that wait don't cost a hundred times their size. */
  #gather(data: Buffer): void {
    const tail = this.#tail;
    if (tail === undefined || tail.end + data.length > tail.buffer.length) {
      const buffer = Buffer.allocUnsafeSlow(GATHERED);
      data.copy(buffer, 0);
      this.#tail = { buffer, end: data.length };
      this.#chunks.push(buffer.subarray(0, data.length));
      return;
    }
    data.copy(tail.buffer, tail.end);
    const last = this.#chunks.at(-1);
    const start = tail.end - (last?.length ?? 0);
    tail.end += data.length;
    if (this.#chunks.length > 0)
      this.#chunks[this.#chunks.length - 1] = tail.buffer.subarray(start, tail.end);
  }

  /** The next part, when enough of it is there. After `malformed` nothing else comes. */
  next(): SftpPart | undefined {
    const state = this.#state;
    switch (state.kind) {
      case 'malformed':
        return state;
      case 'body': {
        const [first] = this.#chunks;
        if (first === undefined) return undefined;
        const bytes = this.#take(Math.min(first.length, state.left));
        state.left -= bytes.length;
        const last = state.left === 0;
        if (last) this.#state = { kind: 'head' };
        return { kind: 'piece', bytes, last };
      }
      case 'head':
        return this.#packet();
    }
  }

  #packet(): SftpPart | undefined {
    if (this.#kept < HEAD) return undefined;
    const head = this.#peek(HEAD);
    const length = head.readUInt32BE(0);
    if (length < 5) return this.#broken(`a packet of ${length} bytes`);
    if (length > LONGEST_PACKET) return this.#broken(`a packet of ${length} bytes`);
    const type = head.readUInt8(4);
    const id = head.readUInt32BE(5);
    const total = 4 + length;
    if (this.#wantsWhole(type, id)) {
      if (length > LONGEST_WHOLE) return this.#broken(`a packet of type ${type} with ${length} bytes`);
      if (this.#kept < total) return undefined;
      const bytes = this.#own(this.#take(total));
      return { kind: 'packet', type, id, bytes, body: bytes.subarray(HEAD) };
    }
    switch (type) {
      case FXP.WRITE:
        return this.#write(id, total);
      case FXP.DATA:
        return this.#data(id, total);
      default:
        return this.#begin({ type, id, dataLength: 0, handle: '', offset: 0n }, HEAD, total);
    }
  }

  #write(id: number, total: number): SftpPart | undefined {
    if (total < HEAD + 16) return this.#broken('a short write');
    if (this.#kept < HEAD + 4) return undefined;
    const handleLength = this.#peek(HEAD + 4).readUInt32BE(HEAD);
    if (handleLength > LONGEST_HANDLE) return this.#broken('a handle that is too long');
    const prefix = HEAD + 4 + handleLength + 12;
    if (total < prefix) return this.#broken('a short write');
    if (this.#kept < prefix) return undefined;
    const fields = this.#peek(prefix);
    const dataLength = fields.readUInt32BE(prefix - 4);
    if (dataLength !== total - prefix) return this.#broken('a write whose length is wrong');
    const handle = fields.toString('latin1', HEAD + 4, HEAD + 4 + handleLength);
    const offset = fields.readBigUInt64BE(prefix - 12);
    return this.#begin({ type: FXP.WRITE, id, dataLength, handle, offset }, prefix, total);
  }

  #data(id: number, total: number): SftpPart | undefined {
    const prefix = HEAD + 4;
    if (total < prefix) return this.#broken('short data');
    if (this.#kept < prefix) return undefined;
    const dataLength = this.#peek(prefix).readUInt32BE(HEAD);
    // Version 6 may add a byte that tells the end of the file.
    if (dataLength > total - prefix) return this.#broken('data whose length is wrong');
    return this.#begin({ type: FXP.DATA, id, dataLength, handle: '', offset: 0n }, prefix, total);
  }

  #begin(
    fields: Pick<Begin, 'type' | 'id' | 'dataLength' | 'handle' | 'offset'>,
    prefix: number,
    total: number,
  ): Begin {
    const bytes = this.#take(prefix);
    const last = total === prefix;
    if (!last) this.#state = { kind: 'body', left: total - prefix };
    return { kind: 'begin', ...fields, bytes, last };
  }

  #broken(why: string): SftpPart {
    this.#state = { kind: 'malformed', why };
    this.clear();
    return this.#state;
  }

  #peek(length: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= length) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    this.#tail = undefined;
    return joined;
  }

  #take(length: number): Buffer {
    const whole = this.#peek(length);
    const rest = whole.subarray(length);
    if (rest.length === 0) {
      this.#chunks.shift();
      if (this.#chunks.length === 0) this.#tail = undefined;
    } else this.#chunks[0] = rest;
    this.#kept -= length;
    return whole.subarray(0, length);
  }
}

/** Reads the fields of a body in order; `failed` once one of them was not there. */
export class Fields {
  readonly #body: Buffer;
  #at = 0;
  failed = false;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get rest(): Buffer {
    return this.#body.subarray(this.#at);
  }

  uint32(): number {
    if (this.#at + 4 > this.#body.length) return this.#fail(0);
    this.#at += 4;
    return this.#body.readUInt32BE(this.#at - 4);
  }

  uint64(): bigint {
    if (this.#at + 8 > this.#body.length) return this.#fail(0n);
    this.#at += 8;
    return this.#body.readBigUInt64BE(this.#at - 8);
  }

  string(): Buffer {
    const length = this.uint32();
    if (this.failed || this.#at + length > this.#body.length) return this.#fail(Buffer.alloc(0));
    this.#at += length;
    return this.#body.subarray(this.#at - length, this.#at);
  }

  #fail<T>(value: T): T {
    this.failed = true;
    this.#at = this.#body.length;
    return value;
  }
}

const string = (value: Buffer): Buffer => {
  const out = Buffer.allocUnsafe(4 + value.length);
  out.writeUInt32BE(value.length, 0);
  value.copy(out, 4);
  return out;
};

const packet = (type: number, id: number, ...parts: readonly Buffer[]): Buffer => {
  const length = 5 + parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.allocUnsafe(HEAD);
  head.writeUInt32BE(length, 0);
  head.writeUInt8(type, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, ...parts]);
};

/** Versions below 3 carry no text. */
export const encodeStatus = (id: number, code: number, message: string, version: number): Buffer => {
  const number = Buffer.allocUnsafe(4);
  number.writeUInt32BE(code, 0);
  const texts = version < 3 ? [] : [string(Buffer.from(message, 'utf8')), string(Buffer.from('en'))];
  return packet(FXP.STATUS, id, number, ...texts);
};

export const encodeRealpath = (id: number, path: Buffer): Buffer => packet(FXP.REALPATH, id, string(path));
