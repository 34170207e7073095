// What can go wrong between peers above the transport. A violation ends only the connection of the peer that
// committed it; the text is for the log, never for a terminal.

export type ChannelErrorCode =
  | 'SP_CHANNEL_WINDOW_OVERRUN'
  | 'SP_CHANNEL_PACKET_TOO_LARGE'
  | 'SP_CHANNEL_UNKNOWN'
  | 'SP_CHANNEL_OUT_OF_ORDER'
  | 'SP_CHANNEL_MALFORMED'
  | 'SP_CHANNEL_FLOOD';

/** A peer broke the connection protocol (RFC 4254). */
export class PeerViolation extends Error {
  readonly code: ChannelErrorCode;

  constructor(code: ChannelErrorCode, message: string) {
    super(message);
    this.name = 'PeerViolation';
    this.code = code;
  }
}
