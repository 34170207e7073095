// Every message above packets and key exchange, in one import: the numbers, the parsers and encoders of user
// authentication and of the connection protocol, and the few general ones (RFC 4253, 8308) that are here.
import { printable } from './errors.ts';
import { MESSAGE } from './message-numbers.ts';
import { MessageReader, MessageWriter, malformed } from './wire.ts';

export * from './connection-messages.ts';
export * from './errors.ts';
export * from './message-numbers.ts';
export * from './userauth-messages.ts';
export { MessageReader, MessageWriter } from './wire.ts';

const EXTENSION_LIMIT = 64;

export function parseServiceRequest(payload: Buffer): { readonly service: string } {
  return service(payload, MESSAGE.SERVICE_REQUEST);
}

export function encodeServiceRequest(name: string): Buffer {
  return new MessageWriter().byte(MESSAGE.SERVICE_REQUEST).string(name).build();
}

export function parseServiceAccept(payload: Buffer): { readonly service: string } {
  return service(payload, MESSAGE.SERVICE_ACCEPT);
}

export function encodeServiceAccept(name: string): Buffer {
  return new MessageWriter().byte(MESSAGE.SERVICE_ACCEPT).string(name).build();
}

function service(payload: Buffer, type: number): { readonly service: string } {
  const reader = expect(payload, type);
  const name = reader.name();
  reader.end();
  return { service: name };
}

/** RFC 8308: extension names and their values, as sent. */
export function parseExtInfo(payload: Buffer): readonly { readonly name: string; readonly value: Buffer }[] {
  const reader = expect(payload, MESSAGE.EXT_INFO);
  const count = reader.uint32();
  if (count > EXTENSION_LIMIT) throw malformed(`${count} extensions`);
  const extensions = Array.from({ length: count }, () => ({ name: reader.name(), value: reader.string() }));
  reader.end();
  return extensions;
}

export function encodeExtInfo(
  extensions: readonly { readonly name: string; readonly value: Buffer }[],
): Buffer {
  const writer = new MessageWriter().byte(MESSAGE.EXT_INFO).uint32(extensions.length);
  for (const extension of extensions) writer.string(extension.name).string(extension.value);
  return writer.build();
}

/** Lenient: peers in a hurry leave fields out, and the connection ends anyway. `description` is printable. */
export function parseDisconnect(payload: Buffer): {
  readonly reasonCode: number;
  readonly description: string;
} {
  if (payload.length < 9)
    return { reasonCode: payload.length < 5 ? 0 : payload.readUInt32BE(1), description: '' };
  const text = payload.subarray(9, 9 + Math.min(payload.readUInt32BE(5), 1_024)).toString('utf8');
  return { reasonCode: payload.readUInt32BE(1), description: printable(text) };
}

export function encodeDisconnect(reasonCode: number, description: string): Buffer {
  return new MessageWriter()
    .byte(MESSAGE.DISCONNECT)
    .uint32(reasonCode)
    .string(description)
    .string('')
    .build();
}

function expect(payload: Buffer, type: number): MessageReader {
  if (payload[0] !== type) throw malformed(`message ${payload[0]} where ${type} is expected`);
  return new MessageReader(payload, 1);
}
