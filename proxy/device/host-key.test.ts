import { describe, expect, it } from 'vitest';
import { MessageWriter } from '../transport/messages.ts';
import { judgeHostKey, pinnedTypes } from './host-key.ts';

const blob = (type: string, fill: number): Buffer =>
  new MessageWriter().string(type).string(Buffer.alloc(32, fill)).build();
const line = (type: string, fill: number): string => `${type} ${blob(type, fill).toString('base64')}`;

describe('a host key', () => {
  it('that is pinned is trusted, with or without a comment in the pin', () => {
    const pins = [line('ssh-rsa', 1), `${line('ssh-ed25519', 2)} root@web1`];
    expect(judgeHostKey(pins, blob('ssh-ed25519', 2))).toEqual({ kind: 'pinned' });
  });

  it('is taken at first use only when nothing is pinned', () => {
    expect(judgeHostKey([], blob('ssh-ed25519', 2))).toEqual({
      kind: 'first-use',
      line: line('ssh-ed25519', 2),
    });
  });

  it.each([
    ['of another value', 'ssh-ed25519', 3],
    ['of another type', 'ssh-rsa', 2],
  ])('%s than the pinned one has changed', (_name, type, fill) => {
    const verdict = judgeHostKey([line('ssh-ed25519', 2)], blob(type, fill));
    expect(verdict).toMatchObject({ kind: 'changed', presented: expect.stringMatching(/^ssh-\w+ SHA256:/) });
  });

  it('of a pinned type is asked for first', () => {
    expect(pinnedTypes([line('ssh-rsa', 1), ` ${line('ssh-ed25519', 2)}`])).toEqual([
      'ssh-rsa',
      'ssh-ed25519',
    ]);
  });
});
