// Looking at credentials, changing and rotating them, on a real sshd with a throw-away account, through the command line
// and the functions under it. Rotations are broken off at their worst moments: the account always opens afterwards, and
// the gateway always knows with what.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_DIAL_TIMEOUTS } from '../../proxy/device/dial.ts';
import { behaviourSettings } from '../../src/behaviour/settings.ts';
import { changeCredential, noticeManualChanges } from '../../src/credentials/changes.ts';
import { proveSecret } from '../../src/credentials/device-command.ts';
import {
  listRotations,
  type RotationParts,
  resolveRotations,
  rotateCredential,
} from '../../src/credentials/rotation.ts';
import { listViews, viewCredential } from '../../src/credentials/views.ts';
import { apply } from '../../src/directory/apply.ts';
import { createDeviceVault, resealAll } from '../../src/directory/credentials.ts';
import { createHostKeyPins } from '../../src/directory/devices.ts';
import { readMasterKeys } from '../../src/directory/master-key.ts';
import { readSettings } from '../../src/directory/settings.ts';
import { vaultWith } from '../../src/directory/vault.ts';
import { createEventLog, readEvents } from '../../src/events/event-log.ts';
import { markExpected } from '../../src/oversight/rating-views.ts';
import { recompute } from '../../src/oversight/ratings.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { type Device, startDevice } from '../harness/device.ts';
import { have, haveSshd, isRoot } from '../harness/need.ts';
import { Scratch } from '../harness/scratch.ts';

const masterKey = Buffer.alloc(32, 5).toString('base64');
const vault = vaultWith(readMasterKeys(masterKey, 'the test'));

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch[Symbol.asyncDispose]());

let stores = 0;
const siteWith = async (
  directory: object,
): Promise<RotationParts & { readonly events: ReturnType<typeof createEventLog> }> => {
  stores += 1;
  const store = await openStore(`sqlite:${scratch.path(`store-${stores}.db`)}`);
  scratch.atEnd(() => store.close());
  await apply([{ name: 'site.yaml', text: JSON.stringify(directory) }], {
    store,
    vault,
    actor: 'test',
    dryRun: false,
    prune: false,
    hashPassword: async () =>
      '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    refuseKeyLine: () => undefined,
  });
  return {
    store,
    vault,
    events: createEventLog(store),
    now: Date.now,
    access: {
      pins: createHostKeyPins(store),
      log: { info: () => undefined, warn: () => undefined },
      timeouts: DEFAULT_DIAL_TIMEOUTS,
      keepalive: { interval: 10_000, count: 3 },
      identification: undefined,
    },
  };
};

const secretOf = async (store: Store, name: string) => {
  const row = await store.db
    .selectFrom('credentials')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return createDeviceVault(store, vault).secretOf(row.id);
};

/** Everything that the store's file holds, in clear. */
const stored = (): string =>
  readFileSync(scratch.path(`store-${stores}.db`), 'latin1') +
  (() => {
    try {
      return readFileSync(scratch.path(`store-${stores}.db-wal`), 'latin1');
    } catch {
      return '';
    }
  })();

describe('views', () => {
  const monday = Date.UTC(2030, 0, 7, 10);
  const directory = {
    users: [
      { name: 'alice', roles: ['engineer'] },
      { name: 'bob', roles: ['engineer'] },
      { name: 'carol', roles: ['auditor'] },
    ],
    devices: [{ name: 'web1', host: '192.0.2.1' }],
    credentials: [
      { name: 'web1-root', device: 'web1', username: 'root', password: 'sesame-open' },
      { name: 'web1-app', device: 'web1', username: 'app', password: 'app-secret' },
    ],
    grants: [
      { name: 'work', users: ['alice', 'bob'], devices: ['web1'] },
      {
        name: 'look',
        users: ['alice'],
        devices: ['web1'],
        viewCredentials: true,
        times: 'mon-fri 08:00-18:00 UTC',
      },
    ],
    settings: {
      minimumSuspiciousScore: 3,
      session: { submitHighRiskToAudit: true },
      view: { weights: { origin: 3 } },
      continuousIdentification: { viewAttemptsAtProhibitedTimes: 2 },
    },
  };
  const ask = {
    credential: 'web1-root',
    user: 'alice',
    reason: 'ticket 42',
    sourceAddress: '192.0.2.10',
    authority: 'grant',
  } as const;

  it('show a secret where a grant says so, and write down who and why before', async () => {
    const parts = await siteWith(directory);
    const at = { ...parts, now: () => monday };
    const outcome = await viewCredential(at, ask);
    expect(outcome).toMatchObject({ kind: 'shown', secret: { kind: 'password', password: 'sesame-open' } });
    // A grant to work is no grant to look.
    expect(await viewCredential(at, { ...ask, user: 'bob' })).toMatchObject({
      kind: 'refused',
      code: 'not-granted',
    });
    await expect(viewCredential(at, { ...ask, reason: ' x ' })).rejects.toMatchObject({
      code: 'SP_VIEW_REASON',
    });
    const { rows } = await listViews(parts.store, {
      since: undefined,
      user: undefined,
      credential: 'web1-root',
      limit: 10,
      after: undefined,
    });
    expect(rows.map(({ user, outcome: became, reason }) => [user, became, reason])).toEqual([
      ['bob', 'refused', 'ticket 42'],
      ['alice', 'shown', 'ticket 42'],
    ]);
    const { events } = await readEvents(parts.store, { limit: 20, after: undefined });
    expect(events.map(({ kind }) => kind)).toEqual(['credential-viewed', 'credential-view-refused']);
    expect(JSON.stringify(events)).not.toContain('sesame-open');
    expect(stored()).not.toContain('sesame-open');
  });

  it('shows nothing that it can’t write down', async () => {
    const parts = await siteWith(directory);
    const broken: Store = { ...parts.store, append: () => Promise.reject(new Error('the disk is full')) };
    await expect(viewCredential({ ...parts, store: broken, now: () => monday }, ask)).rejects.toThrow(
      'the disk is full',
    );
  });

  it('are refused at prohibited times, counted, and refused until the user has proven who they are', async () => {
    const parts = await siteWith(directory);
    const sunday = { ...parts, now: () => Date.UTC(2030, 0, 6, 10) };
    for (let attempt = 0; attempt < 2; attempt += 1)
      expect(await viewCredential(sunday, ask)).toMatchObject({ kind: 'refused', code: 'prohibited-time' });
    const { events } = await readEvents(parts.store, { limit: 20, after: undefined });
    expect(events.find(({ kind }) => kind === 'identification-required')).toMatchObject({
      trigger: 'viewAttemptsAtProhibitedTimes',
    });
    expect(await viewCredential({ ...parts, now: () => monday }, ask)).toMatchObject({
      kind: 'refused',
      code: 'identification-required',
    });
  });

  it('are scored, cost rating when they are suspicious, and go to the auditors', async () => {
    const parts = await siteWith(directory);
    const day = 86_400_000;
    for (let index = 0; index < 40; index += 1) {
      const outcome = await viewCredential(
        { ...parts, now: () => monday + Math.floor(index / 5) * 7 * day + (index % 5) * day },
        ask,
      );
      expect(outcome).toMatchObject({ kind: 'shown', view: { suspicious: false } });
    }
    const later = { ...parts, now: () => monday + 56 * day };
    const unusual = await viewCredential(later, {
      ...ask,
      credential: 'web1-app',
      sourceAddress: '203.0.113.66',
    });
    expect(unusual).toMatchObject({ kind: 'shown', view: { suspicious: true } });
    const { events } = await readEvents(parts.store, { limit: 100, after: undefined });
    const kinds = events.map(({ kind }) => kind);
    expect(kinds).toContain('rating-changed');
    expect(kinds).toContain('audit-changed');
    const entry = await parts.store.db.selectFrom('audit_entries').selectAll().executeTakeFirstOrThrow();
    expect(entry).toMatchObject({ kind: 'view', user_name: 'alice' });
    // Somebody looked into it: the rating gets back what it lost, once, and the view counts among what is usual.
    if (unusual.kind !== 'shown') throw new Error('it was not shown');
    const demands = {
      store: parts.store,
      events: parts.events,
      settings: behaviourSettings(await readSettings(parts.store.db)),
      now: later.now,
    };
    const lost = events.flatMap((event) =>
      event.kind === 'rating-changed' ? [event.before - event.after] : [],
    );
    const marked = await markExpected(demands, unusual.view.id, 'cli:carol');
    expect(marked.user).toBe('alice');
    expect(marked.after - marked.before).toBeCloseTo(lost.at(-1) ?? 0, 5);
    await expect(markExpected(demands, unusual.view.id, 'cli:carol')).rejects.toMatchObject({
      code: 'SP_INVALID',
    });
    const row = await parts.store.db
      .selectFrom('credential_views')
      .select(['suspicious', 'code'])
      .where('id', '=', unusual.view.id)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ suspicious: 0, code: 'expected' });
    const alice = await parts.store.db
      .selectFrom('users')
      .select('id')
      .where('name', '=', 'alice')
      .executeTakeFirstOrThrow();
    expect(await recompute(parts.store, alice.id)).toMatchObject({ agrees: true });
  });
});

describe('a change by hand of what the gateway has just rotated', () => {
  const now = Date.UTC(2030, 0, 7, 10);
  const rotated = async (settings: object) => {
    const parts = await siteWith({
      users: [{ name: 'alice' }, { name: 'carol', roles: ['auditor'] }],
      devices: [{ name: 'web1', host: '192.0.2.1' }],
      credentials: [{ name: 'web1-root', device: 'web1', username: 'root', password: 'sesame-open' }],
      settings: { session: { submitHighRiskToAudit: true }, ...settings },
    });
    const { id } = await parts.store.db.selectFrom('credentials').select('id').executeTakeFirstOrThrow();
    await parts.store.append('credential_rotations', [
      {
        id: 'rotation-1',
        credential_id: id,
        credential_name: 'web1-root',
        device_name: 'web1',
        actor: 'rotation',
        method: 'chpasswd',
        state: 'done',
        detail: '',
        started_at: now - 86_400_000,
        finished_at: now - 86_400_000,
        next_password_sealed: null,
        next_private_key_sealed: null,
        previous_password_sealed: null,
        previous_private_key_sealed: null,
      },
    ]);
    const secret = { kind: 'password', password: 'by-hand' } as const;
    const at = { ...parts, now: () => now };
    await changeCredential(at, { credential: 'web1-root', secret, actor: 'cli:root (alice)' });
    // Noticed once more by somebody else: nothing is told or counted twice.
    await noticeManualChanges(at);
    const { events } = await readEvents(parts.store, { limit: 50, after: undefined });
    const entries = await parts.store.db.selectFrom('audit_entries').selectAll().execute();
    return { events, entries };
  };

  it('has the points that the settings say, costs rating and goes to the auditors when they suffice', async () => {
    const { events, entries } = await rotated({ minimumSuspiciousScore: 3 });
    expect(events.filter(({ kind }) => kind === 'credential-changed')).toMatchObject([
      {
        unusual: true,
        detail: expect.stringMatching(/risk 3: passwordChange: changed by hand 1 days .*\(\+3\)/),
      },
    ]);
    expect(events.filter(({ kind }) => kind === 'rating-changed')).toMatchObject([
      { cause: 'suspicious-view', before: 5, after: 4.6 },
    ]);
    expect(entries).toMatchObject([{ kind: 'view', user_name: 'alice', score: 3 }]);
  });

  it('is told and costs nothing below the least suspicious score', async () => {
    const { events, entries } = await rotated({
      minimumSuspiciousScore: 3,
      view: { weights: { passwordChange: 2 } },
    });
    expect(events.map(({ kind }) => kind)).toEqual(['credential-changed']);
    expect(events[0]).toMatchObject({ unusual: true });
    expect(entries).toEqual([]);
  });
});

describe.skipIf(!isRoot || !haveSshd || !have('chpasswd', 'passwd'))('rotation on a real device', () => {
  let device: Device;
  beforeAll(async () => {
    device = await startDevice(scratch, {
      config: ['AuthorizedKeysFile .ssh/authorized_keys'],
    });
  });

  const directoryFor = (port: number, more: readonly object[] = []) => ({
    devices: [{ name: 'box', host: '127.0.0.1', port, hostKey: device.hostKey }],
    credentials: [
      { name: 'account', device: 'box', username: device.account.name, password: device.account.password },
      ...more,
    ],
  });

  const setPassword = (): void => {
    execFileSync('chpasswd', { input: `${device.account.name}:${device.account.password}\n` });
  };

  const opensWith = async (parts: RotationParts, name: string): Promise<boolean> => {
    const secret = await secretOf(parts.store, name);
    try {
      await proveSecret(
        {
          device: { id: 'x', name: 'box', host: '127.0.0.1', port: device.port, tags: [], os: undefined },
          credential: { id: 'x', name, username: device.account.name },
          grant: { id: '', name: '', channels: [], subsystems: [], recording: 'strict', endsAt: undefined },
        },
        secret,
        {
          ...parts.access,
          pins: { pinnedKeys: async () => [device.hostKey], pinFirst: async () => [device.hostKey] },
        },
      );
      return true;
    } catch {
      return false;
    }
  };

  it('changes an account’s own password, and the old one opens it no more', async () => {
    setPassword();
    const parts = await siteWith(directoryFor(device.port));
    const outcome = await rotateCredential(parts, { credential: 'account', actor: 'test', method: 'passwd' });
    expect(outcome).toMatchObject({ kind: 'done' });
    const secret = await secretOf(parts.store, 'account');
    expect(secret.password).toMatch(/^[A-Za-z][A-Za-z0-9._+=@%-]{31}$/);
    expect(secret.password).not.toBe(device.account.password);
    expect(await opensWith(parts, 'account')).toBe(true);
    const [row] = await listRotations(parts.store, { limit: 1 });
    expect(row).toMatchObject({ state: 'done', method: 'passwd' });
    expect(stored()).not.toContain(String(secret.password));
    // A change by hand soon after it is unusual, and told once.
    await changeCredential(parts, {
      credential: 'account',
      secret: { kind: 'password', password: 'by-hand' },
      actor: 'cli:alice',
    });
    const { events } = await readEvents(parts.store, {
      limit: 20,
      after: undefined,
      kinds: ['credential-changed'],
    });
    expect(
      events.map((event) => (event.kind === 'credential-changed' ? [event.how, event.unusual] : [])),
    ).toEqual([
      ['rotated', false],
      ['manual', true],
    ]);
  });

  it('leaves everything as it was when the device says no', async () => {
    setPassword();
    const parts = await siteWith(directoryFor(device.port));
    // The account may not run chpasswd.
    const outcome = await rotateCredential(parts, {
      credential: 'account',
      actor: 'test',
      method: 'chpasswd',
    });
    expect(outcome).toMatchObject({ kind: 'failed' });
    expect((await secretOf(parts.store, 'account')).password).toBe(device.account.password);
    expect(await opensWith(parts, 'account')).toBe(true);
    const row = await parts.store.db.selectFrom('credential_rotations').selectAll().executeTakeFirstOrThrow();
    expect(row.next_password_sealed).toBeNull();
  });

  /** Between gateway and device: passes so many connections on, then breaks each off once the device has answered enough. */
  const breaker = async (
    judge: (connection: number, fromClient: number) => 'pass' | 'break' | 'refuse',
  ): Promise<{ readonly port: number; heal(): void }> => {
    let healthy = false;
    let count = 0;
    const server: Server = createServer((client: Socket) => {
      count += 1;
      const number = count;
      let sent = 0;
      client.on('error', () => undefined);
      if (!healthy && judge(number, 0) === 'refuse') {
        client.destroy();
        return;
      }
      const upstream = connect(device.port, '127.0.0.1');
      upstream.on('error', () => undefined);
      client.on('data', (data: Buffer) => {
        sent += data.length;
        upstream.write(data);
        // What was sent so far arrives; no answer comes back.
        if (!healthy && judge(number, sent) === 'break') {
          upstream.end();
          client.destroy();
        }
      });
      upstream.on('data', (data: Buffer) => client.write(data));
      client.on('close', () => upstream.end());
      upstream.on('close', () => client.destroy());
    });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    scratch.atEnd(() => void server.close());
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return {
      port: address.port,
      heal: () => {
        healthy = true;
      },
    };
  };

  it('keeps both secrets when the device is lost after it was told, and settles when it is back', async () => {
    setPassword();
    // The first connection proves the old secret; the second changes the account; then nobody answers any more.
    const line = await breaker((connection) => (connection <= 2 ? 'pass' : 'refuse'));
    const parts = await siteWith(directoryFor(line.port));
    const outcome = await rotateCredential(parts, { credential: 'account', actor: 'test', method: 'passwd' });
    expect(outcome).toMatchObject({ kind: 'unverified' });
    const row = await parts.store.db.selectFrom('credential_rotations').selectAll().executeTakeFirstOrThrow();
    expect(row.next_password_sealed).not.toBeNull();
    expect(row.previous_password_sealed).not.toBeNull();
    // A second one does not begin while nobody knows.
    await expect(
      rotateCredential(parts, { credential: 'account', actor: 'test', method: 'passwd' }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^SP_ROTATION/) });
    // Not even a new master key loses one of them.
    const rotatedKeys = vaultWith(
      readMasterKeys(`${Buffer.alloc(32, 6).toString('base64')}\n${masterKey}`, 'the test'),
    );
    expect(await resealAll(parts.store, rotatedKeys)).toBeGreaterThanOrEqual(3);
    line.heal();
    expect(await resolveRotations({ ...parts, vault: rotatedKeys })).toMatchObject([{ kind: 'done' }]);
    expect(await listRotations(parts.store, { limit: 5 })).toMatchObject([{ state: 'done' }]);
    const id = await parts.store.db.selectFrom('credentials').select('id').executeTakeFirstOrThrow();
    const now = await createDeviceVault(parts.store, rotatedKeys).secretOf(id.id);
    expect(now.password).not.toBe(device.account.password);
  });

  it('never loses the account, wherever in the change the line breaks', async () => {
    for (const bytes of [1_200, 1_800, 2_200, 2_600, 3_200]) {
      setPassword();
      const line = await breaker((connection, sent) =>
        connection === 2 && sent >= bytes ? 'break' : 'pass',
      );
      const parts = await siteWith(directoryFor(line.port));
      const first = await rotateCredential(parts, { credential: 'account', actor: 'test', method: 'passwd' });
      line.heal();
      if (first.kind === 'unverified') {
        // Long after, the command has surely ended: the device is asked once more.
        const later = { ...parts, now: () => Date.now() + 3_600_000 };
        const [settled] = await resolveRotations(later);
        expect(['done', 'failed'], `${bytes} bytes`).toContain(settled?.kind);
      }
      expect(await opensWith(parts, 'account'), `${bytes} bytes: ${first.kind}`).toBe(true);
      const row = await parts.store.db
        .selectFrom('credential_rotations')
        .selectAll()
        .executeTakeFirstOrThrow();
      expect([row.next_password_sealed, row.previous_password_sealed]).toEqual([null, null]);
    }
  });

  it('changes the password through another account that may', async () => {
    setPassword();
    const root = await startDevice(scratch, { like: device });
    const parts = await siteWith({
      devices: [{ name: 'box', host: '127.0.0.1', port: root.port, hostKey: root.hostKey }],
      credentials: [
        { name: 'account', device: 'box', username: device.account.name, password: device.account.password },
        { name: 'box-root', device: 'box', username: 'root', privateKey: root.key.privateKey },
      ],
    });
    const outcome = await rotateCredential(parts, { credential: 'account', actor: 'test', by: 'box-root' });
    expect(outcome).toMatchObject({ kind: 'done', detail: 'chpasswd' });
    expect(await opensWith(parts, 'account')).toBe(true);
  });

  it('changes the password through another account whose sudo asks for its own password', async () => {
    setPassword();
    const helper = device.account;
    const other = await startDevice(scratch);
    const rule = `/etc/sudoers.d/${helper.name}`;
    const may = (line: string): void => writeFileSync(rule, `${helper.name} ${line}\n`, { mode: 0o440 });
    const parts = await siteWith({
      devices: [{ name: 'box', host: '127.0.0.1', port: device.port, hostKey: device.hostKey }],
      credentials: [
        { name: 'other', device: 'box', username: other.account.name, password: other.account.password },
        { name: 'helper', device: 'box', username: helper.name, password: helper.password },
      ],
    });
    const rotate = () => rotateCredential(parts, { credential: 'other', actor: 'test', by: 'helper' });
    try {
      may('ALL=(root) /bin/true');
      expect(await rotate()).toMatchObject({ kind: 'failed' });
      expect((await secretOf(parts.store, 'other')).password).toBe(other.account.password);
      may('ALL=(root) /usr/sbin/chpasswd');
      expect(await rotate()).toMatchObject({ kind: 'done', detail: 'sudo-chpasswd' });
      const after = await secretOf(parts.store, 'other');
      expect(after.password).not.toBe(other.account.password);
      // The account that did it is as it was, and neither secret is told.
      expect((await secretOf(parts.store, 'helper')).password).toBe(helper.password);
      const rows = JSON.stringify(await listRotations(parts.store, { limit: 10 }));
      expect(rows).not.toContain(helper.password);
      expect(rows).not.toContain(after.password);
      may('ALL=(root) NOPASSWD: /usr/sbin/chpasswd');
      expect(await rotate()).toMatchObject({ kind: 'done', detail: 'sudo-chpasswd' });
    } finally {
      rmSync(rule, { force: true });
    }
  });

  it('replaces a key by a new one, takes the old line out, and leaves the others alone', async () => {
    const folder = join(device.account.home, '.ssh');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, 'authorized_keys');
    const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHV0HVV0HVV0HVV0HVV0HVV0HVV0HVV0HVV0HVV0HVV0 other';
    // Without a line end at its end.
    writeFileSync(file, `${other}\n${device.key.publicKey}`);
    execFileSync('chown', ['-R', `${device.account.name}:`, folder]);
    const parts = await siteWith({
      devices: [{ name: 'box', host: '127.0.0.1', port: device.port, hostKey: device.hostKey }],
      credentials: [
        { name: 'account', device: 'box', username: device.account.name, privateKey: device.key.privateKey },
      ],
    });
    const outcome = await rotateCredential(parts, { credential: 'account', actor: 'test' });
    expect(outcome).toEqual({ kind: 'done', id: expect.any(String), detail: 'key' });
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe(other);
    expect(lines[1]).toMatch(/ sallyport-account$/);
    expect(await opensWith(parts, 'account')).toBe(true);
    expect(await secretOf(parts.store, 'account')).not.toMatchObject({ privateKey: device.key.privateKey });
  });
});
