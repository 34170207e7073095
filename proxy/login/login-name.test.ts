import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAccountName, parseLoginName } from './login-name.ts';

const name = (user: string, account?: string, device?: string) => ({ kind: 'name', user, account, device });

describe('a login name', () => {
  it.each([
    ['alice', name('alice')],
    ['alice@web1', name('alice', undefined, 'web1')],
    ['alice@root@web1', name('alice', 'root', 'web1')],
    ['alice:root:web1', name('alice', 'root', 'web1')],
    ['alice%root%web1', name('alice', 'root', 'web1')],
    ['alice@svc@corp@web1', name('alice', 'svc@corp', 'web1')],
    ['alice:svc@corp:web1', name('alice', 'svc@corp', 'web1')],
    ['alice@CORP\\svc@web1', name('alice', 'CORP\\svc', 'web1')],
    ['alice@svc:x@web1', name('alice', 'svc:x', 'web1')],
    ['zoë@root@büro-1.example', name('zoë', 'root', 'büro-1.example')],
  ])('%s is read by the one rule', (text, expected) => {
    expect(parseLoginName(text)).toEqual(expected);
  });

  it.each([
    '',
    '@',
    '@root@web1',
    'alice@',
    'alice@@web1',
    '-oProxyCommand=x',
    'alice@-root@web1',
    'alice@root@-web1',
    'alice@root:web1',
    'alice:root%web1',
    'alice\n@root@web1',
    'alice\u0000',
    'alice\u001b[2J',
    'ali ce',
    'alice\u202egnp',
    'alice\u200b',
    'a\ufffd',
    'a'.repeat(129),
    `alice@${'r'.repeat(129)}@web1`,
    'a'.repeat(10_000),
    '\ud800',
  ])('%j is refused', (text) => {
    expect(parseLoginName(text).kind).toBe('malformed');
  });

  it('never throws, and what it accepts joins back to what was given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const parsed = parseLoginName(text);
        if (parsed.kind === 'malformed') return;
        const parts = [parsed.user, parsed.account, parsed.device].filter((part) => part !== undefined);
        const separator = text[parsed.user.length] ?? '';
        expect(parts.join(separator)).toBe(text);
      }),
    );
  });
});

describe('an account name inside a ProxyJump', () => {
  it('may be a domain account', () => {
    expect(parseAccountName('svc@corp')).toBe('svc@corp');
    expect(parseAccountName('CORP\\svc')).toBe('CORP\\svc');
  });

  it.each(['', '-l', 'a\nb', 'a b', 'x'.repeat(129)])('%j is refused', (text) => {
    expect(parseAccountName(text)).toBeUndefined();
  });
});
