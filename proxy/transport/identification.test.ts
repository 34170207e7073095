import { describe, expect, it } from 'vitest';
import { TransportError } from './errors.ts';
import { IdentificationReader } from './identification.ts';

function feed(peer: 'server' | 'client', ...chunks: readonly (string | Buffer)[]): string | undefined {
  const reader = new IdentificationReader(peer);
  try {
    for (const chunk of chunks) {
      const found = reader.take(Buffer.from(chunk));
      if (found !== undefined) return `${found.line.toString('latin1')}|${found.rest.toString('latin1')}`;
    }
  } catch (error) {
    if (error instanceof TransportError) return error.code;
    throw error;
  }
  return undefined;
}

describe('the identification line', () => {
  // D4: ssh2 loses what came between the first segment and the last.
  it('is found however it is cut', () => {
    const line = 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n';
    expect(feed('client', ...line)).toBe('SSH-2.0-OpenSSH_9.2p1 Debian-2|');
    for (let first = 1; first < line.length - 1; first += 1) {
      for (let second = first + 1; second < line.length; second += 1) {
        expect(
          feed('client', line.slice(0, first), line.slice(first, second), `${line.slice(second)}rest`),
        ).toBe('SSH-2.0-OpenSSH_9.2p1 Debian-2|rest');
      }
    }
  });

  it('may end in LF alone, and may offer 1.99', () => {
    expect(feed('client', 'SSH-1.99-old\n')).toBe('SSH-1.99-old|');
  });

  it('keeps bytes above 127 as they are: the exchange hash covers them', () => {
    expect(feed('client', Buffer.from('SSH-2.0-x caf\xe9\r\n', 'latin1'))).toBe('SSH-2.0-x caf\xe9|');
  });

  it.each([
    ['another version', 'SSH-1.5-x\r\n'],
    ['no software version', 'SSH-2.0-\r\n'],
    ['a space in place of the version', 'SSH-2.0- x\r\n'],
    ['a NUL', 'SSH-2.0-x\0y\r\n'],
    ['a CR in the middle', 'SSH-2.0-x y\rz\r\n'],
    ['HTTP', 'GET / HTTP/1.1\r\n'],
    ['an empty line', '\r\n'],
    ['a greeting', 'hello\r\nSSH-2.0-x\r\n'],
    ['another protocol, before its line ends', 'G'],
  ])('from a client is refused: %s', (_, line) => {
    expect(feed('client', line)).toBe('SP_BAD_IDENTIFICATION');
  });

  it('is refused once it is longer than 255 bytes, without waiting for its end', () => {
    expect(feed('client', `SSH-2.0-${'x'.repeat(245)}\r\n`)).toMatch(/^SSH-2\.0-x+\|$/);
    expect(feed('client', `SSH-2.0-${'x'.repeat(300)}`)).toBe('SP_BAD_IDENTIFICATION');
    expect(feed('server', `SSH-2.0-${'x'.repeat(300)}`)).toBe('SP_BAD_IDENTIFICATION');
  });
});

describe("a server's greeting", () => {
  it('is skipped, lines that only look like a beginning included', () => {
    expect(feed('server', 'Welcome\r\nSS', 'H\r\n\r\nSSH-2.0-dropbear\r\n\0\0')).toBe(
      'SSH-2.0-dropbear|\0\0',
    );
  });

  it.each([
    ['one endless line', () => ['x'.repeat(9_000)]],
    ['too many lines', () => ['x\n'.repeat(1_025)]],
    ['too many bytes', () => Array.from({ length: 20 }, () => `${'x'.repeat(8_000)}\n`)],
  ])('is bounded: %s', (_, chunks) => {
    expect(feed('server', ...chunks())).toBe('SP_BAD_IDENTIFICATION');
  });
});
