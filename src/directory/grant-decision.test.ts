// Who may reach what: matching, merging, ambiguity, times, and what a user is told, without a store.
import { describe, expect, it } from 'vitest';
import { decideAt, makeSnapshot, type Snapshot, targetsAt } from './grant-decision.ts';
import type { GrantSpec } from './grants.ts';

const grant = (name: string, more: Partial<GrantSpec>): GrantSpec & { id: string } => ({
  id: `id-${name}`,
  name,
  users: [],
  groups: [],
  devices: [],
  tags: [],
  credentials: undefined,
  channels: ['shell'],
  subsystems: [],
  times: [],
  recording: 'strict',
  contact: undefined,
  ...more,
});

const device = (
  name: string,
  tags: readonly string[],
  credentials: readonly (readonly [string, string])[],
) => ({
  id: `id-${name}`,
  name,
  host: '192.0.2.1',
  port: 22,
  os: undefined,
  tags,
  credentials: credentials.map(([credential, username]) => ({
    id: `id-${credential}`,
    name: credential,
    username,
  })),
});

const DEVICES = [
  device(
    'web-1',
    ['web'],
    [
      ['web-1-root', 'root'],
      ['web-1-deploy', 'deploy'],
    ],
  ),
  device('web-2', ['web'], [['web-2-root', 'root']]),
  device(
    'db-1',
    ['db'],
    [
      ['db-1-a', 'admin'],
      ['db-1-b', 'admin'],
      ['admin', 'postgres'],
    ],
  ),
  device('bare', [], []),
];

const world = (...grants: (GrantSpec & { id: string })[]): Snapshot => makeSnapshot(DEVICES, grants);
const alice = { name: 'alice', groups: ['ops'] };
const NOON = Date.parse('2026-11-25T12:00:00Z'); // a Wednesday

const reach = (snapshot: Snapshot, at = NOON): string[] =>
  targetsAt(snapshot, alice, at).map(({ device: { name }, credential }) => `${credential.name}@${name}`);

const decide = (snapshot: Snapshot, account: string | undefined, name: string, at = NOON) =>
  decideAt(snapshot, alice, { account, device: name }, at, 'the desk');

describe('what is within reach', () => {
  it.each([
    ['a user and a name', { users: ['alice'], devices: ['web-2'] }, ['web-2-root@web-2']],
    [
      'a group and a tag',
      { groups: ['ops'], tags: ['web'], credentials: ['web-1-root', 'web-2-root'] },
      ['web-1-root@web-1', 'web-2-root@web-2'],
    ],
    ['a glob', { users: ['alice'], devices: ['web-?'], credentials: ['web-2-root'] }, ['web-2-root@web-2']],
    ['a glob with alternatives', { users: ['alice'], devices: ['{web-2,bare}'] }, ['web-2-root@web-2']],
    [
      'a name or a tag',
      { users: ['alice'], devices: ['web-2'], tags: ['db'], credentials: ['web-2-root', 'admin'] },
      ['admin@db-1', 'web-2-root@web-2'],
    ],
    ['somebody else', { users: ['bob'], groups: ['dba'], devices: ['*'] }, []],
    ['nobody', { devices: ['*'] }, []],
    ['no device', { users: ['alice'] }, []],
    ['no credential any more', { users: ['alice'], devices: ['*'], credentials: [] }, []],
    ['a time that can’t be read', { users: ['alice'], devices: ['*'], times: ['whenever'] }, []],
    ['a glob that means its own characters', { users: ['alice'], devices: ['!web-1'] }, []],
  ])('follows %s', (_, spec, expected) => {
    expect(reach(world(grant('g', spec)))).toEqual(expected);
  });

  it('is sorted by device, then account', () => {
    expect(reach(world(grant('g', { users: ['alice'], devices: ['*'] })))).toEqual([
      'db-1-a@db-1',
      'db-1-b@db-1',
      'admin@db-1',
      'web-1-deploy@web-1',
      'web-1-root@web-1',
      'web-2-root@web-2',
    ]);
  });
});

describe('grants that meet', () => {
  const both = (one: Partial<GrantSpec>, two: Partial<GrantSpec>): Snapshot =>
    world(
      grant('one', { users: ['alice'], devices: ['web-2'], ...one }),
      grant('two', { groups: ['ops'], tags: ['web'], ...two }),
    );
  const merged = (snapshot: Snapshot, at = NOON) => {
    const decision = decide(snapshot, 'root', 'web-2', at);
    if (decision.kind !== 'granted') throw new Error(decision.detail);
    return decision.target.grant;
  };

  it('unite their channels and subsystems, and one strict makes the recording strict', () => {
    const snapshot = both(
      { channels: ['sftp', 'shell'], subsystems: ['netconf'], recording: 'best-effort' },
      { channels: ['exec', 'shell'], subsystems: ['backup'] },
    );
    expect(merged(snapshot)).toEqual({
      id: 'id-one',
      name: 'one, two',
      channels: ['shell', 'exec', 'sftp'],
      subsystems: ['backup', 'netconf'],
      recording: 'strict',
      endsAt: undefined,
    });
  });

  it('leave out one that is closed now, with its channels', () => {
    const snapshot = both({ channels: ['sftp'], times: ['daily 20:00-22:00'] }, { channels: ['shell'] });
    expect(merged(snapshot)).toMatchObject({ name: 'two', channels: ['shell'], endsAt: undefined });
  });

  it('last until the first moment at which something is lost', () => {
    const hours = { times: ['daily 08:00-18:00'] };
    const six = Date.parse('2026-11-25T18:00:00Z');
    // The grant that ends adds nothing to the other: nothing ends.
    expect(
      merged(both({ channels: ['shell'], ...hours }, { channels: ['shell', 'exec'] })).endsAt,
    ).toBeUndefined();
    expect(merged(both({ channels: ['sftp'], ...hours }, { channels: ['shell'] })).endsAt).toBe(six);
    expect(merged(both(hours, { times: ['daily 09:00-20:00'] })).endsAt).toBe(
      Date.parse('2026-11-25T20:00:00Z'),
    );
    expect(merged(both(hours, hours)).endsAt).toBe(six);
  });
});

describe('choosing the account', () => {
  const all = world(grant('g', { users: ['alice'], devices: ['*'], contact: 'bob' }));

  it('takes a username, or a credential’s name', () => {
    expect(decide(all, 'deploy', 'web-1')).toMatchObject({
      target: { credential: { name: 'web-1-deploy' } },
    });
    expect(decide(all, 'web-1-deploy', 'web-1')).toMatchObject({
      target: { credential: { name: 'web-1-deploy' } },
    });
  });

  it('prefers a credential’s name to a username', () => {
    expect(decide(all, 'admin', 'db-1')).toMatchObject({ target: { credential: { username: 'postgres' } } });
  });

  it('takes the only account there is, and asks when there are several', () => {
    expect(decide(all, undefined, 'web-2')).toMatchObject({ kind: 'granted' });
    expect(decide(all, undefined, 'web-1')).toMatchObject({
      code: 'ambiguous-account',
      tell: 'Say which account of web-1 you mean: deploy, root.',
    });
  });

  it('names credentials when usernames don’t tell them apart', () => {
    const two = world(grant('g', { users: ['alice'], devices: ['db-1'], credentials: ['db-1-a', 'db-1-b'] }));
    expect(decide(two, 'admin', 'db-1')).toMatchObject({
      code: 'ambiguous-account',
      tell: 'Say which account of db-1 you mean: db-1-a, db-1-b.',
    });
  });

  it('takes the only account that is open now', () => {
    const snapshot = world(
      grant('day', {
        users: ['alice'],
        devices: ['web-1'],
        credentials: ['web-1-root'],
        times: ['daily 08:00-18:00'],
      }),
      grant('night', {
        users: ['alice'],
        devices: ['web-1'],
        credentials: ['web-1-deploy'],
        times: ['daily 18:00-08:00'],
      }),
    );
    expect(decide(snapshot, undefined, 'web-1')).toMatchObject({
      target: { credential: { username: 'root' } },
    });
  });
});

describe('what a user who is turned away is told', () => {
  const office = world(
    grant('office', {
      users: ['alice'],
      devices: ['web-1'],
      credentials: ['web-1-root'],
      times: ['mon-fri 08:00-18:00 Europe/Paris'],
      contact: 'the web team',
    }),
  );

  it('says when, and whom to ask, outside the times', () => {
    const sunday = Date.parse('2026-11-22T12:00:00Z');
    expect(decide(office, 'root', 'web-1', sunday)).toEqual({
      kind: 'denied',
      code: 'prohibited-time',
      detail: 'outside the times of office',
      tell:
        'You may reach root on web-1 at these times only: mon-fri 08:00-18:00 Europe/Paris. ' +
        'It opens again at 2026-11-23 08:00 Europe/Paris. Ask the web team.',
    });
  });

  it('is the same for a device that exists and one that does not', () => {
    const [real, none] = [decide(office, 'root', 'web-2'), decide(office, 'root', 'web-9')];
    if (real.kind !== 'denied' || none.kind !== 'denied') throw new Error('granted');
    expect([real.code, none.code]).toEqual(['not-granted', 'unknown']);
    expect(real.tell.replaceAll('web-2', 'X')).toBe(none.tell.replaceAll('web-9', 'X'));
  });

  it('is the same for an account that exists and one that does not', () => {
    const [real, none] = [decide(office, 'deploy', 'web-1'), decide(office, 'nobody', 'web-1')];
    if (real.kind !== 'denied' || none.kind !== 'denied') throw new Error('granted');
    expect(real.tell.replaceAll('deploy', 'X')).toBe(none.tell.replaceAll('nobody', 'X'));
    expect(real.tell).toContain('There you may be: root.');
  });

  it('never holds what could drive a terminal', () => {
    const evil = 'x\u001b]0;owned\u0007\u202e\n\u009b31m';
    for (const decision of [decide(office, evil, evil), decide(office, evil, 'web-1')]) {
      if (decision.kind !== 'denied') throw new Error('granted');
      expect(decision.tell + decision.detail).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });
});
