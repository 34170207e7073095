// Reads the PROXY protocol's header, versions 1 and 2 (haproxy's proxy-protocol.txt, sections 2.1 and 2.2), that a
// balancer puts before the client's first byte. Pure: bytes so far in, what they say out. It does not decide who may
// send one; proxy/server/listener.ts does, and asks only for peers that are listed.
import { isIPv4, isIPv6 } from 'node:net';

export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

export type ProxyHeader =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid'; readonly why: string }
  /** `source` is undefined where the balancer speaks for itself (LOCAL, UNKNOWN), such as in a health check. */
  | { readonly kind: 'header'; readonly length: number; readonly source: ProxySource | undefined };

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const FIXED_PART = 16;
/** Section 2.1: the longest possible line, CR LF included. */
const LONGEST_LINE = 107;
/** The standard allows 65,535 for type-length-value blocks; ours are skipped, and nobody sends more than this. */
export const LONGEST_HEADER = 4096;

const startsLike = (bytes: Buffer, expected: Buffer): boolean =>
  bytes.subarray(0, expected.length).equals(expected.subarray(0, bytes.length));

const invalid = (why: string): ProxyHeader => ({ kind: 'invalid', why });

const port = (text: string): number | undefined =>
  /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;

const readLine = (bytes: Buffer): ProxyHeader => {
  const end = bytes.subarray(0, LONGEST_LINE).indexOf('\r\n');
  if (end < 0) return bytes.length >= LONGEST_LINE ? invalid('the line is too long') : { kind: 'incomplete' };
  const words = bytes.toString('latin1', 0, end).split(' ');
  const length = end + 2;
  const [, family, from, to, fromPort, toPort] = words;
  if (family === 'UNKNOWN') return { kind: 'header', length, source: undefined };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  if (isAddress === undefined) return invalid('unknown address family');
  if (words.length !== 6 || from === undefined || to === undefined || !isAddress(from) || !isAddress(to))
    return invalid('not two addresses of that family');
  const sourcePort = port(fromPort ?? '');
  if (sourcePort === undefined || port(toPort ?? '') === undefined) return invalid('not two ports');
  return { kind: 'header', length, source: { address: from, port: sourcePort } };
};

const ipv6 = (bytes: Buffer): string =>
  Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':');

const readBinary = (bytes: Buffer): ProxyHeader => {
  if (bytes.length < FIXED_PART) return { kind: 'incomplete' };
  const versionAndCommand = bytes.readUInt8(12);
  if (versionAndCommand >> 4 !== 2) return invalid('unknown version');
  const length = FIXED_PART + bytes.readUInt16BE(14);
  if (length > LONGEST_HEADER) return invalid('the header is too long');
  const command = versionAndCommand & 0x0f;
  if (command > 1) return invalid('unknown command');
  const familyAndTransport = bytes.readUInt8(13);
  const addresses = length - FIXED_PART;
  if (command === 1 && familyAndTransport === 0x11 && addresses < 12)
    return invalid('no room for the addresses');
  if (command === 1 && familyAndTransport === 0x21 && addresses < 36)
    return invalid('no room for the addresses');
  if (bytes.length < length) return { kind: 'incomplete' };
  if (command === 0) return { kind: 'header', length, source: undefined };
  switch (familyAndTransport) {
    case 0x00:
      return { kind: 'header', length, source: undefined };
    case 0x11:
      return {
        kind: 'header',
        length,
        source: { address: bytes.subarray(16, 20).join('.'), port: bytes.readUInt16BE(24) },
      };
    case 0x21:
      return {
        kind: 'header',
        length,
        source: { address: ipv6(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48) },
      };
    default:
      return invalid('not TCP over IPv4 or IPv6');
  }
};

/** Reads the header from all bytes received so far. Never looks past LONGEST_HEADER bytes. */
export const readProxyHeader = (bytes: Buffer): ProxyHeader => {
  if (bytes.length === 0) return { kind: 'incomplete' };
  if (startsLike(bytes, SIGNATURE)) return readBinary(bytes);
  if (startsLike(bytes, Buffer.from('PROXY '))) return readLine(bytes);
  return invalid('a listed peer must begin with a PROXY header');
};
