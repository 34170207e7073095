// Everything that can go wrong in the transport, in one vocabulary. `message` is for the operator's log and may
// name the peer's mistake; `tell` is what the person at the terminal may read. Text that a peer chose is made
// printable before it gets in here, so that it can be logged as it is.

export type TransportErrorCode =
  /** A message is short, long, or holds a value that no honest peer sends. */
  | 'SP_MALFORMED_MESSAGE'
  /** The identification line is missing, too long, or not SSH 2.0. */
  | 'SP_BAD_IDENTIFICATION'
  /** Both sides share no algorithm, or the key exchange failed. */
  | 'SP_KEY_EXCHANGE_FAILED'
  /** The server's host key was refused by `verifyHostKey`, or changed in a later key exchange. */
  | 'SP_HOST_KEY_REFUSED'
  /** The first key exchange, or a later one, took longer than allowed. */
  | 'SP_HANDSHAKE_TIMEOUT'
  /** A message came at a time at which the RFCs forbid it, a packet did not authenticate, or its length is absurd. */
  | 'SP_PROTOCOL_VIOLATION'
  /** No answer to the keep-alive questions. */
  | 'SP_KEEPALIVE_TIMEOUT'
  /** The peer said why it leaves, and the reason is not an ordinary end. */
  | 'SP_PEER_DISCONNECTED'
  /** The peer closed the stream without a word. */
  | 'SP_PEER_CLOSED'
  /** The stream failed. */
  | 'SP_CONNECTION_LOST'
  /** More waits to be written than a peer that reads could ever leave. */
  | 'SP_SEND_OVERFLOW'
  /** A defect of ours: an exception nobody expected. It ends this connection only. */
  | 'SP_TRANSPORT_INTERNAL'
  /** The host key folder or a host key is unusable. */
  | 'SP_HOST_KEYS';

const TELL: Record<TransportErrorCode, string> = {
  SP_MALFORMED_MESSAGE: 'the other side sent a malformed SSH message',
  SP_BAD_IDENTIFICATION: 'the other side does not speak SSH 2.0',
  SP_KEY_EXCHANGE_FAILED: 'the key exchange failed',
  SP_HOST_KEY_REFUSED: 'the host key is not the one that is trusted',
  SP_HANDSHAKE_TIMEOUT: 'the key exchange took too long',
  SP_PROTOCOL_VIOLATION: 'the other side broke the SSH protocol',
  SP_KEEPALIVE_TIMEOUT: 'the other side stopped answering',
  SP_PEER_DISCONNECTED: 'the other side disconnected',
  SP_PEER_CLOSED: 'the other side closed the connection',
  SP_CONNECTION_LOST: 'the connection was lost',
  SP_SEND_OVERFLOW: 'the other side stopped reading',
  SP_TRANSPORT_INTERNAL: 'an internal error ended the connection',
  SP_HOST_KEYS: 'the gateway has no usable host keys',
};

/** What a peer's DISCONNECT message said; `description` is printable. */
export interface PeerDisconnect {
  readonly reasonCode: number;
  readonly description: string;
}

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  /** Present with SP_PEER_DISCONNECTED. */
  readonly peer: PeerDisconnect | undefined;

  constructor(
    code: TransportErrorCode,
    message: string,
    more: { readonly cause?: unknown; readonly peer?: PeerDisconnect } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.peer = more.peer;
  }

  get tell(): string {
    return TELL[this.code];
  }
}

/** `text` with everything that is not a printable character replaced, and cut to `limit` characters. */
export function printable(text: string, limit = 200): string {
  const clean = text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '\uFFFD');
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}
