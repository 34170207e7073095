// A peer for tests: the other side of a channel table, which says what it is told to say and keeps what it hears.
// It checks, as an honest peer would, that nobody sends it more than it allowed.
import {
  encodeChannelClose,
  encodeChannelData,
  encodeChannelEof,
  encodeChannelExtendedData,
  encodeChannelOpen,
  encodeChannelOpenConfirmation,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeChannelWindowAdjust,
  MESSAGE,
  parseChannelBare,
  parseChannelData,
  parseChannelExtendedData,
  parseChannelOpen,
  parseChannelOpenConfirmation,
  parseChannelRequest,
  parseChannelWindowAdjust,
} from '../transport/messages.ts';
import type { ChannelTable, PacketPort } from './channel-table.ts';

export interface Heard {
  readonly type: number;
  readonly stream?: 'stdout' | 'stderr';
  readonly data?: Buffer;
  readonly name?: string;
  readonly wantReply?: boolean;
  readonly bytes?: number;
}

/** One channel at a time, with number 7 on the peer's side. */
export class ScriptedPeer implements PacketPort {
  readonly heard: Heard[] = [];
  readonly #packet: number;
  /** What the table may still send; below zero is its mistake. */
  window: number;
  /** What this peer may still send. */
  allowed = 0;
  maximumPacket = 0;
  /** False: the transport is above its high-water mark. */
  takes = true;
  pendingBytes = 0;
  paused = false;
  #table: ChannelTable | undefined;
  #remote = 0;

  constructor(window = 1_000_000, packet = 32_768) {
    this.window = window;
    this.#packet = packet;
  }

  connect(table: ChannelTable): void {
    this.#table = table;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  send(payload: Buffer): boolean {
    const type = payload[0] ?? 0;
    switch (type) {
      case MESSAGE.CHANNEL_DATA: {
        const { data } = parseChannelData(payload);
        this.#takeData(data, 'stdout');
        break;
      }
      case MESSAGE.CHANNEL_EXTENDED_DATA: {
        const { data } = parseChannelExtendedData(payload);
        this.#takeData(data, 'stderr');
        break;
      }
      case MESSAGE.CHANNEL_WINDOW_ADJUST: {
        const { bytes } = parseChannelWindowAdjust(payload);
        this.allowed += bytes;
        this.heard.push({ type, bytes });
        break;
      }
      case MESSAGE.CHANNEL_OPEN: {
        const open = parseChannelOpen(payload);
        this.#remote = open.sender;
        this.allowed = open.initialWindow;
        this.maximumPacket = open.maximumPacket;
        this.heard.push({ type, name: open.type });
        break;
      }
      case MESSAGE.CHANNEL_OPEN_CONFIRMATION: {
        const confirmation = parseChannelOpenConfirmation(payload);
        this.#remote = confirmation.sender;
        this.allowed = confirmation.initialWindow;
        this.maximumPacket = confirmation.maximumPacket;
        this.heard.push({ type });
        break;
      }
      case MESSAGE.CHANNEL_REQUEST: {
        const request = parseChannelRequest(payload);
        this.heard.push({ type, name: request.type, wantReply: request.wantReply, data: request.data });
        break;
      }
      case MESSAGE.CHANNEL_EOF:
      case MESSAGE.CHANNEL_CLOSE:
      case MESSAGE.CHANNEL_SUCCESS:
      case MESSAGE.CHANNEL_FAILURE:
        if (parseChannelBare(payload).recipient !== 7) throw new Error('another channel');
        this.heard.push({ type });
        break;
      default:
        this.heard.push({ type });
    }
    return this.takes;
  }

  sendChannelData(recipient: number, data: Buffer): boolean {
    return this.send(encodeChannelData(recipient, data));
  }

  sendChannelExtendedData(recipient: number, code: number, data: Buffer): boolean {
    return this.send(encodeChannelExtendedData(recipient, code, data));
  }

  // ---- what it says

  opens(type = 'session'): void {
    this.#say(
      encodeChannelOpen({ type, sender: 7, initialWindow: this.window, maximumPacket: this.#packet }),
    );
  }

  confirms(): void {
    this.#say(
      encodeChannelOpenConfirmation({
        recipient: this.#remote,
        sender: 7,
        initialWindow: this.window,
        maximumPacket: this.#packet,
      }),
    );
  }

  /** As much as its window allows; answers how much that was. */
  says(data: Buffer, stream: 'stdout' | 'stderr' = 'stdout'): number {
    let sent = 0;
    while (sent < data.length && this.allowed > 0) {
      const piece = data.subarray(sent, sent + Math.min(this.allowed, this.maximumPacket));
      this.allowed -= piece.length;
      sent += piece.length;
      this.saysAnyway(piece, stream);
    }
    return sent;
  }

  /** As a socket does: the bytes are others after the call. */
  saysAnyway(data: Buffer, stream: 'stdout' | 'stderr' = 'stdout'): void {
    const payload =
      stream === 'stdout'
        ? encodeChannelData(this.#remote, data)
        : encodeChannelExtendedData(this.#remote, 1, data);
    this.#say(payload, true);
    payload.fill(0xee);
  }

  allows(bytes: number): void {
    this.window += bytes;
    this.#say(encodeChannelWindowAdjust(this.#remote, bytes));
  }

  requests(type: string, data: Buffer = Buffer.alloc(0), wantReply = false): void {
    this.#say(encodeChannelRequest({ recipient: this.#remote, type, wantReply, data }));
  }

  succeeds(): void {
    this.#say(encodeChannelSuccess(this.#remote));
  }

  ends(): void {
    this.#say(encodeChannelEof(this.#remote));
  }

  closes(): void {
    this.#say(encodeChannelClose(this.#remote));
  }

  drains(): void {
    this.takes = true;
    this.#table?.drained();
  }

  // ---- what it heard

  text(stream: 'stdout' | 'stderr' = 'stdout'): string {
    return Buffer.concat(
      this.heard.filter((one) => one.stream === stream).map((one) => one.data ?? Buffer.alloc(0)),
    ).toString('latin1');
  }

  /** The order of everything but window adjustments; runs of data count once. */
  get order(): readonly string[] {
    const words: string[] = [];
    for (const one of this.heard) {
      const word = one.stream ?? one.name ?? NAMES[one.type] ?? String(one.type);
      if (one.type === MESSAGE.CHANNEL_WINDOW_ADJUST || (one.stream && words.at(-1) === word)) continue;
      words.push(word);
    }
    return words;
  }

  #takeData(data: Buffer, stream: 'stdout' | 'stderr'): void {
    this.window -= data.length;
    if (this.window < 0) throw new Error('the window was overrun');
    if (data.length > this.#packet) throw new Error('a packet is too large');
    this.heard.push({ type: MESSAGE.CHANNEL_DATA, stream, data: Buffer.from(data) });
  }

  #say(payload: Buffer, borrowed = false): void {
    if (this.#table === undefined) throw new Error('not connected');
    this.#table.receive(payload, borrowed);
  }
}

const NAMES: Readonly<Record<number, string>> = {
  [MESSAGE.CHANNEL_OPEN_CONFIRMATION]: 'confirmed',
  [MESSAGE.CHANNEL_OPEN_FAILURE]: 'refused',
  [MESSAGE.CHANNEL_EOF]: 'eof',
  [MESSAGE.CHANNEL_CLOSE]: 'close',
  [MESSAGE.CHANNEL_SUCCESS]: 'success',
  [MESSAGE.CHANNEL_FAILURE]: 'failure',
};
