// The messages of `ssh-connection` (RFC 4254 and OpenSSH's PROTOCOL): strict parsers and encoders. Requests and
// opens keep their type-specific part as bytes, so that what is unknown can be relayed or refused as it came;
// the known ones have parsers of their own. Windows, ids and order are the business of the channel layer.
import { MESSAGE, MINIMUM_PACKET_SIZE } from './message-numbers.ts';
import { MessageReader, MessageWriter, malformed } from './wire.ts';

const ADDRESS_LIMIT = 1_024;
const PATH_LIMIT = 4_096;
const HOST_KEY_LIMIT = 64;

// Global requests

export interface GlobalRequest {
  readonly type: string;
  readonly wantReply: boolean;
  readonly data: Buffer;
}

export function parseGlobalRequest(payload: Buffer): GlobalRequest {
  const reader = open(payload, MESSAGE.GLOBAL_REQUEST);
  return { type: reader.name(), wantReply: reader.boolean(), data: reader.rest() };
}

export function encodeGlobalRequest(type: string, wantReply: boolean, data: Buffer = EMPTY): Buffer {
  return new MessageWriter().byte(MESSAGE.GLOBAL_REQUEST).string(type).boolean(wantReply).raw(data).build();
}

/** The type-specific part of a reply; a uint32 port after a `tcpip-forward` for port 0. */
export function parseRequestSuccess(payload: Buffer): Buffer {
  return open(payload, MESSAGE.REQUEST_SUCCESS).rest();
}

export function encodeRequestSuccess(data: Buffer = EMPTY): Buffer {
  return new MessageWriter().byte(MESSAGE.REQUEST_SUCCESS).raw(data).build();
}

export function parseRequestFailure(payload: Buffer): void {
  open(payload, MESSAGE.REQUEST_FAILURE).end();
}

export function encodeRequestFailure(): Buffer {
  return Buffer.from([MESSAGE.REQUEST_FAILURE]);
}

/** `tcpip-forward` and `cancel-tcpip-forward`. */
export interface TcpipForward {
  readonly address: string;
  readonly port: number;
}

export function parseTcpipForward(data: Buffer): TcpipForward {
  return whole(data, (reader) => ({ address: reader.text(ADDRESS_LIMIT), port: reader.port() }));
}

export function encodeTcpipForward(forward: TcpipForward): Buffer {
  return new MessageWriter().string(forward.address).uint32(forward.port).build();
}

/** The answer to a `tcpip-forward` for port 0. */
export function parseForwardedPort(data: Buffer): number {
  return whole(data, (reader) => reader.port());
}

export function encodeForwardedPort(port: number): Buffer {
  return new MessageWriter().uint32(port).build();
}

/** `streamlocal-forward@openssh.com` and `cancel-streamlocal-forward@openssh.com`. */
export function parseStreamlocalForward(data: Buffer): { readonly path: string } {
  return whole(data, (reader) => ({ path: reader.text(PATH_LIMIT) }));
}

export function encodeStreamlocalForward(path: string): Buffer {
  return new MessageWriter().string(path).build();
}

/** `keepalive@openssh.com` and `no-more-sessions@openssh.com` hold nothing. */
export function parseNothing(data: Buffer): void {
  whole(data, () => undefined);
}

/** `hostkeys-00@openssh.com` and `hostkeys-prove-00@openssh.com`: host key blobs up to the end. */
export function parseHostKeys(data: Buffer): readonly Buffer[] {
  return whole(data, (reader) => {
    const blobs: Buffer[] = [];
    while (reader.remaining > 0) {
      if (blobs.length === HOST_KEY_LIMIT) throw malformed('too many host keys');
      blobs.push(reader.string());
    }
    return blobs;
  });
}

export function encodeHostKeys(blobs: readonly Buffer[]): Buffer {
  const writer = new MessageWriter();
  for (const blob of blobs) writer.string(blob);
  return writer.build();
}

// Opening channels

export interface ChannelOpen {
  readonly type: string;
  /** The sender's number for the channel. */
  readonly sender: number;
  readonly initialWindow: number;
  /** At least MINIMUM_PACKET_SIZE. */
  readonly maximumPacket: number;
  readonly data: Buffer;
}

export function parseChannelOpen(payload: Buffer): ChannelOpen {
  const reader = open(payload, MESSAGE.CHANNEL_OPEN);
  return {
    type: reader.name(),
    sender: reader.uint32(),
    initialWindow: reader.uint32(),
    maximumPacket: packetSize(reader),
    data: reader.rest(),
  };
}

export function encodeChannelOpen(channel: Omit<ChannelOpen, 'data'> & { readonly data?: Buffer }): Buffer {
  return new MessageWriter()
    .byte(MESSAGE.CHANNEL_OPEN)
    .string(channel.type)
    .uint32(channel.sender)
    .uint32(channel.initialWindow)
    .uint32(channel.maximumPacket)
    .raw(channel.data ?? EMPTY)
    .build();
}

export interface DirectTcpip {
  readonly host: string;
  readonly port: number;
  readonly originatorAddress: string;
  readonly originatorPort: number;
}

export function parseDirectTcpip(data: Buffer): DirectTcpip {
  return whole(data, (reader) => ({
    host: reader.text(ADDRESS_LIMIT),
    port: reader.port(),
    originatorAddress: reader.text(ADDRESS_LIMIT),
    originatorPort: reader.port(),
  }));
}

export function encodeDirectTcpip(target: DirectTcpip): Buffer {
  return new MessageWriter()
    .string(target.host)
    .uint32(target.port)
    .string(target.originatorAddress)
    .uint32(target.originatorPort)
    .build();
}

export interface ForwardedTcpip {
  /** The address and port that were asked for in `tcpip-forward`. */
  readonly address: string;
  readonly port: number;
  readonly originatorAddress: string;
  readonly originatorPort: number;
}

export function parseForwardedTcpip(data: Buffer): ForwardedTcpip {
  return whole(data, (reader) => ({
    address: reader.text(ADDRESS_LIMIT),
    port: reader.port(),
    originatorAddress: reader.text(ADDRESS_LIMIT),
    originatorPort: reader.port(),
  }));
}

export function encodeForwardedTcpip(origin: ForwardedTcpip): Buffer {
  return encodeDirectTcpip({ ...origin, host: origin.address });
}

/** `direct-streamlocal@openssh.com`: a path, then two fields that OpenSSH reserves. */
export function parseDirectStreamlocal(data: Buffer): { readonly path: string } {
  return whole(data, (reader) => {
    const path = reader.text(PATH_LIMIT);
    reader.string();
    reader.uint32();
    return { path };
  });
}

export function encodeDirectStreamlocal(path: string): Buffer {
  return new MessageWriter().string(path).string('').uint32(0).build();
}

/** `forwarded-streamlocal@openssh.com`: the path asked for, then a reserved field. */
export function parseForwardedStreamlocal(data: Buffer): { readonly path: string } {
  return whole(data, (reader) => {
    const path = reader.text(PATH_LIMIT);
    reader.string();
    return { path };
  });
}

export function encodeForwardedStreamlocal(path: string): Buffer {
  return new MessageWriter().string(path).string('').build();
}

/** The `x11` channel. (`session` and `auth-agent@openssh.com` hold nothing: parseNothing.) */
export interface X11Origin {
  readonly originatorAddress: string;
  readonly originatorPort: number;
}

export function parseX11Open(data: Buffer): X11Origin {
  return whole(data, (reader) => ({
    originatorAddress: reader.text(ADDRESS_LIMIT),
    originatorPort: reader.port(),
  }));
}

export function encodeX11Open(origin: X11Origin): Buffer {
  return new MessageWriter().string(origin.originatorAddress).uint32(origin.originatorPort).build();
}

export interface ChannelOpenConfirmation {
  readonly recipient: number;
  readonly sender: number;
  readonly initialWindow: number;
  /** At least MINIMUM_PACKET_SIZE. */
  readonly maximumPacket: number;
  readonly data: Buffer;
}

export function parseChannelOpenConfirmation(payload: Buffer): ChannelOpenConfirmation {
  const reader = open(payload, MESSAGE.CHANNEL_OPEN_CONFIRMATION);
  return {
    recipient: reader.uint32(),
    sender: reader.uint32(),
    initialWindow: reader.uint32(),
    maximumPacket: packetSize(reader),
    data: reader.rest(),
  };
}

export function encodeChannelOpenConfirmation(
  confirmation: Omit<ChannelOpenConfirmation, 'data'> & { readonly data?: Buffer },
): Buffer {
  return new MessageWriter()
    .byte(MESSAGE.CHANNEL_OPEN_CONFIRMATION)
    .uint32(confirmation.recipient)
    .uint32(confirmation.sender)
    .uint32(confirmation.initialWindow)
    .uint32(confirmation.maximumPacket)
    .raw(confirmation.data ?? EMPTY)
    .build();
}

export interface ChannelOpenFailure {
  readonly recipient: number;
  readonly reason: number;
  /** As the peer sent it: escape it before it reaches a log or a terminal. */
  readonly description: string;
}

export function parseChannelOpenFailure(payload: Buffer): ChannelOpenFailure {
  const reader = open(payload, MESSAGE.CHANNEL_OPEN_FAILURE);
  const failure = { recipient: reader.uint32(), reason: reader.uint32(), description: reader.looseText() };
  reader.string(); // the language tag
  reader.end();
  return failure;
}

export function encodeChannelOpenFailure(failure: ChannelOpenFailure): Buffer {
  return new MessageWriter()
    .byte(MESSAGE.CHANNEL_OPEN_FAILURE)
    .uint32(failure.recipient)
    .uint32(failure.reason)
    .string(failure.description)
    .string('')
    .build();
}

// Data

export interface ChannelWindowAdjust {
  readonly recipient: number;
  readonly bytes: number;
}

export function parseChannelWindowAdjust(payload: Buffer): ChannelWindowAdjust {
  const reader = open(payload, MESSAGE.CHANNEL_WINDOW_ADJUST);
  const adjust = { recipient: reader.uint32(), bytes: reader.uint32() };
  reader.end();
  return adjust;
}

export function encodeChannelWindowAdjust(recipient: number, bytes: number): Buffer {
  return new MessageWriter().byte(MESSAGE.CHANNEL_WINDOW_ADJUST).uint32(recipient).uint32(bytes).build();
}

export interface ChannelData {
  readonly recipient: number;
  /** A view of the message, not a copy. */
  readonly data: Buffer;
}

export function parseChannelData(payload: Buffer): ChannelData {
  // Written out: this runs once for each packet of a bulk transfer.
  if (payload[0] !== MESSAGE.CHANNEL_DATA || payload.length < 9) throw malformed('CHANNEL_DATA is cut short');
  if (payload.readUInt32BE(5) !== payload.length - 9) throw malformed('CHANNEL_DATA with a wrong length');
  return { recipient: payload.readUInt32BE(1), data: payload.subarray(9) };
}

/** For tests and small data; `Transport.sendChannelData` writes straight into the packet instead. */
export function encodeChannelData(recipient: number, data: Buffer): Buffer {
  return new MessageWriter().byte(MESSAGE.CHANNEL_DATA).uint32(recipient).string(data).build();
}

export interface ChannelExtendedData {
  readonly recipient: number;
  readonly code: number;
  readonly data: Buffer;
}

export function parseChannelExtendedData(payload: Buffer): ChannelExtendedData {
  const reader = open(payload, MESSAGE.CHANNEL_EXTENDED_DATA);
  const extended = { recipient: reader.uint32(), code: reader.uint32(), data: reader.string() };
  reader.end();
  return extended;
}

export function encodeChannelExtendedData(recipient: number, code: number, data: Buffer): Buffer {
  return new MessageWriter()
    .byte(MESSAGE.CHANNEL_EXTENDED_DATA)
    .uint32(recipient)
    .uint32(code)
    .string(data)
    .build();
}

type BareType =
  | typeof MESSAGE.CHANNEL_EOF
  | typeof MESSAGE.CHANNEL_CLOSE
  | typeof MESSAGE.CHANNEL_SUCCESS
  | typeof MESSAGE.CHANNEL_FAILURE;

/** EOF, CLOSE, SUCCESS and FAILURE hold the recipient's channel and nothing else. */
export function parseChannelBare(payload: Buffer): { readonly type: BareType; readonly recipient: number } {
  const reader = new MessageReader(payload);
  const type = reader.byte();
  switch (type) {
    case MESSAGE.CHANNEL_EOF:
    case MESSAGE.CHANNEL_CLOSE:
    case MESSAGE.CHANNEL_SUCCESS:
    case MESSAGE.CHANNEL_FAILURE: {
      const recipient = reader.uint32();
      reader.end();
      return { type, recipient };
    }
    default:
      throw malformed(`message ${type} is not EOF, CLOSE, SUCCESS or FAILURE`);
  }
}

export function encodeChannelEof(recipient: number): Buffer {
  return bare(MESSAGE.CHANNEL_EOF, recipient);
}

export function encodeChannelClose(recipient: number): Buffer {
  return bare(MESSAGE.CHANNEL_CLOSE, recipient);
}

export function encodeChannelSuccess(recipient: number): Buffer {
  return bare(MESSAGE.CHANNEL_SUCCESS, recipient);
}

export function encodeChannelFailure(recipient: number): Buffer {
  return bare(MESSAGE.CHANNEL_FAILURE, recipient);
}

function bare(type: BareType, recipient: number): Buffer {
  return new MessageWriter().byte(type).uint32(recipient).build();
}

// Channel requests

export interface ChannelRequest {
  readonly recipient: number;
  readonly type: string;
  readonly wantReply: boolean;
  readonly data: Buffer;
}

export function parseChannelRequest(payload: Buffer): ChannelRequest {
  const reader = open(payload, MESSAGE.CHANNEL_REQUEST);
  return {
    recipient: reader.uint32(),
    type: reader.name(),
    wantReply: reader.boolean(),
    data: reader.rest(),
  };
}

export function encodeChannelRequest(
  request: Omit<ChannelRequest, 'data'> & { readonly data?: Buffer },
): Buffer {
  return new MessageWriter()
    .byte(MESSAGE.CHANNEL_REQUEST)
    .uint32(request.recipient)
    .string(request.type)
    .boolean(request.wantReply)
    .raw(request.data ?? EMPTY)
    .build();
}

export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
  readonly widthPixels: number;
  readonly heightPixels: number;
}

export interface PtyRequest extends WindowSize {
  readonly terminal: string;
  /** The encoded modes as sent, for relaying. */
  readonly modes: Buffer;
  /** Mode opcode (RFC 4254, section 8) to argument. */
  readonly decodedModes: ReadonlyMap<number, number>;
}

export function parsePtyRequest(data: Buffer): PtyRequest {
  return whole(data, (reader) => {
    const terminal = reader.text(256);
    const size = windowSize(reader);
    const modes = reader.string();
    return { terminal, ...size, modes, decodedModes: decodeTerminalModes(modes) };
  });
}

export function encodePtyRequest(pty: Omit<PtyRequest, 'decodedModes'>): Buffer {
  return new MessageWriter().string(pty.terminal).raw(encodeWindowChange(pty)).string(pty.modes).build();
}

/** RFC 4254, section 8: opcodes 1 to 159 take a uint32; 0 ends; from 160 on parsing stops. */
export function decodeTerminalModes(modes: Buffer): ReadonlyMap<number, number> {
  const decoded = new Map<number, number>();
  const reader = new MessageReader(modes);
  while (reader.remaining > 0) {
    const opcode = reader.byte();
    if (opcode === 0 || opcode >= 160) break;
    decoded.set(opcode, reader.uint32());
  }
  return decoded;
}

export function encodeTerminalModes(modes: ReadonlyMap<number, number>): Buffer {
  const writer = new MessageWriter();
  for (const [opcode, argument] of modes) writer.byte(opcode).uint32(argument);
  return writer.byte(0).build();
}

export function parseWindowChange(data: Buffer): WindowSize {
  return whole(data, windowSize);
}

export function encodeWindowChange(size: WindowSize): Buffer {
  return new MessageWriter()
    .uint32(size.columns)
    .uint32(size.rows)
    .uint32(size.widthPixels)
    .uint32(size.heightPixels)
    .build();
}

/** The value is bytes: a client may send any. */
export interface EnvRequest {
  readonly name: string;
  readonly value: Buffer;
}

export function parseEnv(data: Buffer): EnvRequest {
  return whole(data, (reader) => ({ name: reader.text(256), value: reader.string() }));
}

export function encodeEnv(env: EnvRequest): Buffer {
  return new MessageWriter().string(env.name).string(env.value).build();
}

/** The command is bytes: a shell takes any. */
export function parseExec(data: Buffer): { readonly command: Buffer } {
  return whole(data, (reader) => ({ command: reader.string() }));
}

export function encodeExec(command: Buffer): Buffer {
  return new MessageWriter().string(command).build();
}

export function parseSubsystem(data: Buffer): { readonly name: string } {
  return whole(data, (reader) => ({ name: reader.name() }));
}

export function encodeSubsystem(name: string): Buffer {
  return new MessageWriter().string(name).build();
}

/** The signal's name without `SIG`. */
export function parseSignal(data: Buffer): { readonly signal: string } {
  return whole(data, (reader) => ({ signal: reader.name() }));
}

export function encodeSignal(signal: string): Buffer {
  return new MessageWriter().string(signal).build();
}

export function parseExitStatus(data: Buffer): { readonly status: number } {
  return whole(data, (reader) => ({ status: reader.uint32() }));
}

export function encodeExitStatus(status: number): Buffer {
  return new MessageWriter().uint32(status).build();
}

export interface ExitSignal {
  readonly signal: string;
  readonly coreDumped: boolean;
  /** As the peer sent it: escape it before it reaches a log or a terminal. */
  readonly message: string;
  readonly language: string;
}

export function parseExitSignal(data: Buffer): ExitSignal {
  return whole(data, (reader) => ({
    signal: reader.name(),
    coreDumped: reader.boolean(),
    message: reader.looseText(),
    language: reader.looseText(),
  }));
}

export function encodeExitSignal(exit: ExitSignal): Buffer {
  return new MessageWriter()
    .string(exit.signal)
    .boolean(exit.coreDumped)
    .string(exit.message)
    .string(exit.language)
    .build();
}

/** RFC 4335. */
export function parseBreak(data: Buffer): { readonly milliseconds: number } {
  return whole(data, (reader) => ({ milliseconds: reader.uint32() }));
}

export function encodeBreak(milliseconds: number): Buffer {
  return new MessageWriter().uint32(milliseconds).build();
}

export function parseXonXoff(data: Buffer): { readonly clientCanDo: boolean } {
  return whole(data, (reader) => ({ clientCanDo: reader.boolean() }));
}

export function encodeXonXoff(clientCanDo: boolean): Buffer {
  return new MessageWriter().boolean(clientCanDo).build();
}

export interface X11Request {
  readonly singleConnection: boolean;
  readonly protocol: string;
  readonly cookie: string;
  readonly screen: number;
}

export function parseX11Request(data: Buffer): X11Request {
  return whole(data, (reader) => ({
    singleConnection: reader.boolean(),
    protocol: reader.text(256),
    cookie: reader.text(1_024),
    screen: reader.uint32(),
  }));
}

export function encodeX11Request(request: X11Request): Buffer {
  return new MessageWriter()
    .boolean(request.singleConnection)
    .string(request.protocol)
    .string(request.cookie)
    .uint32(request.screen)
    .build();
}

/** `auth-agent-req@openssh.com`, `shell` and `eow@openssh.com` hold nothing: parseNothing. */

const EMPTY = Buffer.alloc(0);

function windowSize(reader: MessageReader): WindowSize {
  return {
    columns: reader.uint32(),
    rows: reader.uint32(),
    widthPixels: reader.uint32(),
    heightPixels: reader.uint32(),
  };
}

function packetSize(reader: MessageReader): number {
  const size = reader.uint32();
  if (size < MINIMUM_PACKET_SIZE) throw malformed(`a maximum packet size of ${size}`);
  return size;
}

function whole<T>(data: Buffer, parse: (reader: MessageReader) => T): T {
  const reader = new MessageReader(data);
  const parsed = parse(reader);
  reader.end();
  return parsed;
}

function open(payload: Buffer, type: number): MessageReader {
  if (payload[0] !== type) throw malformed(`message ${payload[0]} where ${type} is expected`);
  return new MessageReader(payload, 1);
}
