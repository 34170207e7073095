import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LONGEST_HEADER, readProxyHeader } from './proxy-header.ts';

const line = (text: string): Buffer => Buffer.from(`${text}\r\n`);

const binary = (command: number, family: number, payload: Buffer): Buffer => {
  const head = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
  head[12] = 0x20 | command;
  head[13] = family;
  head.writeUInt16BE(payload.length, 14);
  return Buffer.concat([head, payload]);
};

const overIPv4 = Buffer.from('cb007109c0000201d43108ae', 'hex');
const overIPv6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('d43108ae', 'hex'),
]);

describe('version 1', () => {
  test('gives the source of a TCP4 line and where the client begins', () => {
    const bytes = Buffer.concat([
      line('PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222'),
      Buffer.from('SSH-2.0-x'),
    ]);
    const header = readProxyHeader(bytes);
    expect(header).toEqual({ kind: 'header', length: 45, source: { address: '203.0.113.9', port: 54321 } });
    expect(bytes.toString('latin1', 45)).toBe('SSH-2.0-x');
  });

  test('gives the source of a TCP6 line', () => {
    expect(readProxyHeader(line('PROXY TCP6 2001:db8::7 2001:db8::1 54321 2222'))).toMatchObject({
      source: { address: '2001:db8::7', port: 54321 },
    });
  });

  test('has no source for UNKNOWN, whatever follows it', () => {
    expect(readProxyHeader(line('PROXY UNKNOWN ffff::1 ffff::2 1 2'))).toMatchObject({
      kind: 'header',
      source: undefined,
    });
  });

  test.each([
    'PROXY TCP4 203.0.113.9 192.0.2.1 54321',
    'PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222 x',
    'PROXY TCP4 203.0.113.999 192.0.2.1 54321 2222',
    'PROXY TCP4 2001:db8::7 192.0.2.1 54321 2222',
    'PROXY TCP4 203.0.113.9 192.0.2.1 65536 2222',
    'PROXY TCP4 203.0.113.9 192.0.2.1 -1 2222',
    'PROXY UDP4 203.0.113.9 192.0.2.1 1 2',
  ])('refuses %s', (text) => {
    expect(readProxyHeader(line(text)).kind).toBe('invalid');
  });

  test('refuses a line without an end once it is longer than any valid one', () => {
    expect(readProxyHeader(Buffer.from(`PROXY TCP4 ${'1'.repeat(95)}`)).kind).toBe('incomplete');
    expect(readProxyHeader(Buffer.from(`PROXY TCP4 ${'1'.repeat(96)}`)).kind).toBe('invalid');
  });
});

describe('version 2', () => {
  test('gives the source over IPv4, and skips the blocks after the addresses', () => {
    const header = readProxyHeader(
      binary(1, 0x11, Buffer.concat([overIPv4, Buffer.from('040003abcdef', 'hex')])),
    );
    expect(header).toEqual({ kind: 'header', length: 34, source: { address: '203.0.113.9', port: 54321 } });
  });

  test('gives the source over IPv6', () => {
    expect(readProxyHeader(binary(1, 0x21, overIPv6))).toMatchObject({
      source: { address: '2001:db8:0:0:0:0:0:7', port: 54321 },
    });
  });

  test('has no source for LOCAL', () => {
    expect(readProxyHeader(binary(0, 0x11, overIPv4))).toMatchObject({ kind: 'header', source: undefined });
  });

  test('refuses addresses that do not fit, datagrams, other versions, and what is too long', () => {
    expect(readProxyHeader(binary(1, 0x11, overIPv4.subarray(1))).kind).toBe('invalid');
    expect(readProxyHeader(binary(1, 0x12, overIPv4)).kind).toBe('invalid');
    expect(readProxyHeader(binary(2, 0x11, overIPv4)).kind).toBe('invalid');
    const other = binary(1, 0x11, overIPv4);
    other[12] = 0x31;
    expect(readProxyHeader(other).kind).toBe('invalid');
    expect(readProxyHeader(binary(1, 0x11, Buffer.alloc(LONGEST_HEADER))).kind).toBe('invalid');
  });
});

test('refuses a client that speaks without a header', () => {
  expect(readProxyHeader(Buffer.from('SSH-2.0-OpenSSH_10.0\r\n')).kind).toBe('invalid');
});

test('is incomplete at every cut of a valid header, so that segments may come in any size', () => {
  for (const bytes of [line('PROXY TCP4 203.0.113.9 192.0.2.1 54321 2222'), binary(1, 0x21, overIPv6)]) {
    for (let length = 0; length < bytes.length; length++)
      expect(readProxyHeader(bytes.subarray(0, length)).kind).toBe('incomplete');
    expect(readProxyHeader(bytes).kind).toBe('header');
  }
});

test('never throws, and never asks for more than the longest header', () => {
  const start = fc.constantFrom(
    Buffer.from('PROXY TCP4 '),
    Buffer.from('0d0a0d0a000d0a515549540a', 'hex'),
    Buffer.alloc(0),
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 6000 }), (head, rest) => {
      const bytes = Buffer.concat([head, rest]);
      const header = readProxyHeader(bytes);
      if (bytes.length >= LONGEST_HEADER) expect(header.kind).not.toBe('incomplete');
      if (header.kind === 'header') expect(header.length).toBeLessThanOrEqual(bytes.length);
    }),
  );
});
