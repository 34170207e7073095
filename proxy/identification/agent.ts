// Talks to the agent that the client has offered to forward (draft-ietf-sshm-ssh-agent): which keys it holds, and a
// signature by one of them. The gateway asks for itself; the device has no part in it, and need not be allowed an agent.
// Nothing that an agent says counts before its signature is checked, which is done elsewhere.
import type { ChannelEnd } from '../channels/channel-end.ts';
import type { ChannelTable } from '../channels/channel-table.ts';
import { MessageReader, MessageWriter, TransportError } from '../transport/messages.ts';
import type { KeyAgent } from './ports.ts';

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;

/** OpenSSH's own limit on one message of an agent. */
const LONGEST_MESSAGE = 256 * 1024;
const MOST_IDENTITIES = 256;
/** Milliseconds. */
const LIST_WITHIN = 10_000;
/** As long as authenticators wait for a finger, and a bit: CTAP 2 lets them give up after 30 s. */
const TOUCH_WITHIN = 60_000;
const EMPTY = Buffer.alloc(0);

type Phase =
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly end: ChannelEnd }
  | { readonly kind: 'closed' };

interface Request {
  readonly message: Buffer;
  /** Undefined: no answer came. */
  readonly answered: (answer: Buffer | undefined) => void;
}

export class ClientAgent implements KeyAgent {
  #phase: Phase = { kind: 'opening' };
  /** One at a time: an agent answers in order. */
  #request: Request | undefined;
  #arrived = EMPTY;

  constructor(table: Pick<ChannelTable, 'open'>) {
    table.open('auth-agent@openssh.com', EMPTY, {
      confirmed: (end) => {
        end.attach({
          data: (data, stream) => {
            if (stream === 'stdout') this.#take(data);
            end.replenish(0);
          },
          request: (_name, _body, reply) => reply.settle(false),
          eof: () => this.#close(),
          closed: () => this.#close(),
          flushed: () => {},
        });
        if (this.#phase.kind === 'closed') {
          end.abort();
          return;
        }
        this.#phase = { kind: 'open', end };
        if (this.#request !== undefined) end.sendData(framed(this.#request.message), 'stdout');
      },
      refused: () => this.#close(),
    });
  }

  async identities(): Promise<readonly Buffer[]> {
    const answer = await this.#ask(Buffer.from([REQUEST_IDENTITIES]), LIST_WITHIN);
    return answer === undefined ? [] : readIdentities(answer);
  }

  async sign(key: Buffer, data: Buffer): Promise<Buffer | undefined> {
    const message = new MessageWriter().byte(SIGN_REQUEST).string(key).string(data).uint32(0).build();
    const answer = await this.#ask(message, TOUCH_WITHIN);
    return answer === undefined ? undefined : readSignature(answer);
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  async #ask(message: Buffer, within: number): Promise<Buffer | undefined> {
    if (this.#phase.kind === 'closed' || this.#request !== undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    this.#request = { message, answered: resolve };
    if (this.#phase.kind === 'open') this.#phase.end.sendData(framed(message), 'stdout');
    // An agent that did not answer in time is not asked again: its next answer would be to the old question.
    const timer = setTimeout(() => this.#close(), within);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #take(data: Buffer): void {
    if (this.#phase.kind !== 'open') return;
    this.#arrived = Buffer.concat([this.#arrived, data]);
    if (this.#arrived.length < 4) return;
    const length = this.#arrived.readUInt32BE(0);
    // More than was asked for is no agent's answer.
    if (length > LONGEST_MESSAGE || this.#arrived.length > 4 + length || this.#request === undefined) {
      this.#close();
      return;
    }
    if (this.#arrived.length < 4 + length) return;
    const answer = this.#arrived.subarray(4);
    const { answered } = this.#request;
    this.#arrived = EMPTY;
    this.#request = undefined;
    answered(answer);
  }

  #close(): void {
    const was = this.#phase;
    this.#phase = { kind: 'closed' };
    if (was.kind === 'open') was.end.abort();
    this.#arrived = EMPTY;
    const request = this.#request;
    this.#request = undefined;
    request?.answered(undefined);
  }
}

function framed(message: Buffer): Buffer {
  return new MessageWriter().string(message).build();
}

function readIdentities(answer: Buffer): readonly Buffer[] {
  return (
    reading(answer, IDENTITIES_ANSWER, (reader) => {
      const count = Math.min(reader.uint32(), MOST_IDENTITIES);
      return Array.from({ length: count }, () => {
        const key = Buffer.from(reader.string());
        reader.string();
        return key;
      });
    }) ?? []
  );
}

function readSignature(answer: Buffer): Buffer | undefined {
  return reading(answer, SIGN_RESPONSE, (reader) => Buffer.from(reader.string()));
}

/** Undefined: a refusal, or no answer of this kind. */
function reading<T>(answer: Buffer, kind: number, read: (reader: MessageReader) => T): T | undefined {
  try {
    const reader = new MessageReader(answer);
    return reader.byte() === kind ? read(reader) : undefined;
  } catch (error) {
    if (error instanceof TransportError) return undefined;
    throw error;
  }
}
