// The menu: what keys wish for, what is shown of what others wrote, and how a reason is typed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EscapeMenu, LONGEST_REASON, type Wish } from './menu.ts';
import type { OwnRequest, StoppedCommand } from './ports.ts';

const HOSTILE = '\x1b]0;owned\x07\x1b[2Jtext\u202e\r\nmore';

const stopped = (over: Partial<StoppedCommand> = {}): StoppedCommand => ({
  id: 'command-1',
  at: Date.UTC(2026, 0, 2, 3, 4),
  device: 'web1',
  command: 'systemctl stop nginx',
  outcome: 'blocked',
  detail: '',
  rule: {
    name: 'services/stop',
    why: 'systemctl stops a service',
    message: 'Services are stopped by their team.',
    owner: 'team web',
    contact: 'web@example.org',
    inForce: true,
  },
  asked: undefined,
  ...over,
});

const request = (over: Partial<OwnRequest> = {}): OwnRequest => ({
  id: 'request-1',
  askedAt: Date.UTC(2026, 0, 2, 3, 5),
  device: 'web1',
  command: 'systemctl stop nginx',
  state: 'open',
  decidedBy: '',
  comment: '',
  ...over,
});

const opened = (): EscapeMenu => {
  const menu = new EscapeMenu(29);
  menu.open();
  return menu;
};

const wishOf = (menu: EscapeMenu, keys: string): Wish | undefined => menu.keys(Buffer.from(keys)).wish;

const writing = (): EscapeMenu => {
  const menu = opened();
  wishOf(menu, 'e');
  menu.show({ kind: 'exception', command: stopped(), requests: [] });
  return menu;
};

describe('the menu', () => {
  it('wishes for what its keys say', () => {
    for (const [keys, kind] of [
      ['r', 'rating'],
      ['w', 'why'],
      ['e', 'exception'],
      ['q', 'leave'],
      ['\x03', 'leave'],
      ['\x1d', 'literal'],
      ['\x1b[114u', 'rating'],
    ] as const)
      expect(wishOf(opened(), keys)?.kind, keys).toBe(kind);
    for (const keys of ['x', '\r', '\x1b[A', '\x1b[200~r\x1b[201~'])
      expect(wishOf(opened(), keys), JSON.stringify(keys)).toBeUndefined();
  });

  it('passes its own key on only when that is the first one', () => {
    const menu = opened();
    expect(wishOf(menu, 'x')).toBeUndefined();
    expect(wishOf(menu, '\x1d')?.kind).toBe('leave');
  });

  it('takes no other key while an answer is waited for, but can be left', () => {
    const menu = opened();
    expect(wishOf(menu, 'r')?.kind).toBe('rating');
    expect(wishOf(menu, 'w')).toBeUndefined();
    expect(wishOf(menu, 'q')?.kind).toBe('leave');
  });

  it('says how the rating went', () => {
    const menu = opened();
    wishOf(menu, 'r');
    const text = menu.show({
      kind: 'rating',
      rating: { value: 7.5, changes: [{ at: 0, cause: 'blocked-command', before: 8, after: 7.5 }] },
    });
    expect(text).toContain('Your rating: 7.50 of 10');
    expect(text).toContain('1970-01-01 00:00 UTC  8.00 -> 7.50  blocked command');
  });

  it('says why a command did not run, whose rule it was and whom to ask', () => {
    const menu = opened();
    wishOf(menu, 'w');
    const text = menu.show({ kind: 'why', command: stopped() });
    for (const part of [
      'systemctl stop nginx',
      'services/stop',
      'Services are stopped by their team.',
      'team web',
      'web@example.org',
    ])
      expect(text).toContain(part);
  });

  it('shows nothing of what others wrote that could steer a terminal', () => {
    const menu = opened();
    const shown: string[] = [];
    const ask = (key: string, answer: Parameters<EscapeMenu['show']>[0]): void => {
      wishOf(menu, key);
      shown.push(menu.show(answer));
    };
    const rule = { name: HOSTILE, why: HOSTILE, message: HOSTILE, owner: HOSTILE, contact: HOSTILE };
    const command = stopped({
      device: HOSTILE,
      command: HOSTILE,
      detail: HOSTILE,
      rule: { ...rule, inForce: true },
    });
    ask('r', {
      kind: 'rating',
      rating: { value: 1, changes: [{ at: 0, cause: HOSTILE, before: 1, after: 2 }] },
    });
    ask('w', { kind: 'why', command });
    const hostile = { device: HOSTILE, command: HOSTILE, decidedBy: HOSTILE, comment: HOSTILE };
    ask('e', { kind: 'exception', command, requests: [request({ ...hostile, state: 'declined' })] });
    for (const text of shown) {
      const left = text.replaceAll('\x1b[2J\x1b[H', '').replaceAll('\r\n', '');
      expect(left).toContain('text');
      expect(left).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    }
  });
});

describe('a request for an exception', () => {
  it('has a reason that is typed, corrected and sent', () => {
    const menu = writing();
    expect(menu.keys(Buffer.from('maintenancx')).text).toBe('maintenancx');
    expect(menu.keys(Buffer.from('\x7f')).text).toContain('> maintenanc');
    expect(wishOf(menu, 'e of é\r')).toEqual({
      kind: 'ask',
      command: 'command-1',
      reason: 'maintenance of é',
    });
    expect(menu.show({ kind: 'asked', outcome: { kind: 'asked', id: 'request-1' } })).toContain('waits');
  });

  it('begins anew, and is given up', () => {
    const menu = writing();
    menu.keys(Buffer.from('one'));
    menu.keys(Buffer.from('\x15'));
    expect(wishOf(menu, 'two\r')).toMatchObject({ reason: 'two' });
    for (const keys of ['\r', '  \r', 'text\x03', 'text\x1d']) {
      const other = writing();
      const step = other.keys(Buffer.from(keys));
      expect(step.wish, JSON.stringify(keys)).toBeUndefined();
      expect(step.text).toContain('Nothing was asked for.');
    }
  });

  it('takes no more characters than it may have, and no control characters', () => {
    const menu = writing();
    menu.keys(Buffer.from('é'.repeat(LONGEST_REASON + 20)));
    const wish = wishOf(menu, '\r');
    expect(wish?.kind === 'ask' ? [...wish.reason].length : 0).toBe(LONGEST_REASON);
    const pasted = writing();
    pasted.keys(Buffer.from('\x1b[200~two\r\nlines\x1b]0;x\x07\u202e\x1b[201~'));
    expect(wishOf(pasted, '\r')).toMatchObject({ reason: 'two lines]0;x' });
  });

  it('is not asked for twice, and for nothing', () => {
    for (const command of [undefined, stopped({ asked: 'open' })]) {
      const menu = opened();
      wishOf(menu, 'e');
      expect(menu.show({ kind: 'exception', command, requests: [request()] })).toContain(
        'waits for a decision',
      );
      expect(wishOf(menu, 'r')?.kind).toBe('rating');
    }
  });

  it('shows what it is decided, by whom and why', () => {
    const menu = opened();
    wishOf(menu, 'e');
    const decided = request({ state: 'declined', decidedBy: 'carol', comment: 'not in business hours' });
    expect(menu.show({ kind: 'exception', command: undefined, requests: [decided] })).toContain(
      'declined by carol: not in business hours',
    );
  });

  it('never holds a control character, whatever is typed in whatever pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 20 }), (pieces) => {
        const menu = writing();
        for (const piece of pieces) {
          const { wish } = menu.keys(Buffer.from(piece));
          if (wish?.kind !== 'ask') continue;
          expect(wish.reason).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
          expect(wish.reason).not.toBe('');
        }
      }),
    );
  });
});
