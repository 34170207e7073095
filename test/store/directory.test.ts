// The directory on both databases: what signing in, granting, dialling and registering ask of it, with the races that
// several gateways make, and `apply` from end to end.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hashPassword } from '../../proxy/login/password.ts';
import type { Target } from '../../proxy/login/ports.ts';
import { type ApplyOptions, apply } from '../../src/directory/apply.ts';
import type { Change } from '../../src/directory/changes.ts';
import { createDeviceVault, listCredentials, resealAll } from '../../src/directory/credentials.ts';
import { createHostKeyPins, findDevice, forgetHostKeys } from '../../src/directory/devices.ts';
import { createGrants } from '../../src/directory/grant-directory.ts';
import { listGrants } from '../../src/directory/grants.ts';
import { createLoginDirectory } from '../../src/directory/login-directory.ts';
import { createLoginFailures } from '../../src/directory/login-failures.ts';
import { readMasterKeys } from '../../src/directory/master-key.ts';
import {
  createSessionRegister,
  endAbandonedSessions,
  findSession,
  gatewaysWithOpenSessions,
  listRefusals,
  listSessions,
} from '../../src/directory/sessions.ts';
import { readSettings } from '../../src/directory/settings.ts';
import { removeUser, setUserDisabled } from '../../src/directory/users.ts';
import { type Vault, vaultWith } from '../../src/directory/vault.ts';
import type { Store } from '../../src/store/store.ts';
import { onBothStores } from './both-stores.ts';

const keyText = (): string => randomBytes(32).toString('base64');
const firstKey = keyText();
const vault = vaultWith(readMasterKeys(firstKey, 'the test'));

let folder = '';
let privateKey = '';
let publicKey = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-directory-'));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
  privateKey = readFileSync(join(folder, 'key'), 'utf8');
  publicKey = readFileSync(join(folder, 'key.pub'), 'utf8').trim();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PASSWORD = 'correct horse battery';
const DEVICE_PASSWORD = 'device-s3cret';
const TOTP = 'JBSWY3DPEHPK3PXPJBSWY3DP';

const files = (): { name: string; text: string }[] => [
  {
    name: 'people.yaml',
    text: `
users:
  - name: alice
    password: ${PASSWORD}
    totp: ${TOTP}
    keys: ["${publicKey}"]
    groups: [ops, dba]
    department: platform
  - {name: bob, passwordHash: "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", roles: [auditor]}
  - {name: carol, authentication: [[publickey]]}
`,
  },
  {
    name: 'things.yaml',
    text: `
devices:
  - {name: web-1, host: 192.0.2.1, tags: [web], hostKey: "${publicKey}"}
  - {name: web-2, host: 192.0.2.2, port: 2022, tags: [web]}
  - {name: db-1, host: db.example.net, os: linux, shellIntegration: true, sideChannel: true}
credentials:
  - {name: web-root, device: web-1, username: root, password: ${DEVICE_PASSWORD}}
  - {name: web-deploy, device: web-1, username: deploy, privateKey: ${JSON.stringify(privateKey)}}
  - {name: db-admin, device: db-1, username: postgres, sideChannel: false, privateKey: ${JSON.stringify(privateKey)}, password: ${DEVICE_PASSWORD}}
grants:
  - {name: ops-web, groups: [ops], tags: [web], channels: [shell, exec], contact: the web team}
  - {name: alice-db, users: [alice], credentials: [db-admin], channels: [shell], times: "daily 00:00-24:00"}
settings:
  initialRating: 7
  session: {weights: {time: 1}, submitHighRiskToAudit: true}
  contact: the operations desk
`,
  },
];

const optionsFor = (store: Store, more: Partial<ApplyOptions> = {}): ApplyOptions => ({
  store,
  vault,
  hashPassword,
  actor: 'test',
  dryRun: false,
  prune: false,
  refuseKeyLine: () => undefined,
  ...more,
});

const actions = (changes: readonly Change[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { action } of changes) counts[action] = (counts[action] ?? 0) + 1;
  return counts;
};

const userId = async (store: Store, name: string): Promise<string> =>
  (await store.db.selectFrom('users').select('id').where('name', '=', name).executeTakeFirstOrThrow()).id;

const everything = async (store: Store): Promise<string> => {
  const tables = [
    'users',
    'user_keys',
    'devices',
    'credentials',
    'grants',
    'grant_members',
    'settings',
    'changes',
  ] as const;
  const parts: string[] = [];
  for (const table of tables)
    parts.push(JSON.stringify(await store.db.selectFrom(table).selectAll().execute()));
  return parts.join('\n');
};

const context = (using: Vault = vault) => ({ actor: 'test', now: Date.now(), vault: using });

onBothStores('the directory', (bench) => {
  const applied = async (): Promise<Store> => {
    const store = await bench.fresh();
    await apply(files(), optionsFor(store));
    return store;
  };

  it('applies once and finds nothing to do the second time', async () => {
    const store = await bench.fresh();
    expect(actions(await apply(files(), optionsFor(store)))).toEqual({ created: 11, changed: 4 });
    const before = await everything(store);
    expect(actions(await apply(files(), optionsFor(store)))).toEqual({ unchanged: 15 });
    expect(await everything(store)).toBe(before);
  });

  it('shows in a dry run what it would do, and does none of it', async () => {
    const store = await bench.fresh();
    const before = await everything(store);
    expect(actions(await apply(files(), optionsFor(store, { dryRun: true })))).toEqual({
      created: 11,
      changed: 4,
    });
    expect(await everything(store)).toBe(before);
  });

  it('keeps no secret readable, neither in its rows nor in the change log nor in what it shows', async () => {
    const store = await bench.fresh();
    const changes = await apply(files(), optionsFor(store));
    const text = (await everything(store)) + JSON.stringify(changes);
    const keyBody = privateKey.split('\n')[1] ?? 'no key';
    for (const secret of [PASSWORD, DEVICE_PASSWORD, TOTP, keyBody]) expect(text).not.toContain(secret);
  });

  it('logs who changed what, from what to what', async () => {
    const store = await applied();
    const text = 'devices:\n  - {name: web-2, host: 192.0.2.99, port: 2022, tags: [web]}\n';
    await apply([{ name: 'later.yaml', text }], optionsFor(store, { actor: 'cli:alice' }));
    const row = await store.db
      .selectFrom('changes')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    expect(row).toMatchObject({
      actor: 'cli:alice',
      kind: 'device',
      name: 'web-2',
      action: 'changed',
      before_json: '{"host":"192.0.2.2"}',
      after_json: '{"host":"192.0.2.99"}',
    });
  });

  it('tells that a secret changed, and not to what', async () => {
    const store = await applied();
    const text = 'credentials:\n  - {name: web-root, device: web-1, username: root, password: another}\n';
    const [change] = await apply([{ name: 'later.yaml', text }], optionsFor(store));
    expect(change).toEqual({
      kind: 'credential',
      name: 'web-root',
      action: 'changed',
      fields: [{ field: 'password', before: '‹set›', after: '‹changed›' }],
    });
  });

  it('changes nothing at all when one reference of many is wrong', async () => {
    const store = await bench.fresh();
    const before = await everything(store);
    const text =
      'users: [{name: dave}]\ngrants:\n  - {name: g, users: [dave, nobody], devices: [nowhere, "web-*"]}\n';
    await expect(apply([{ name: 'x.yaml', text }], optionsFor(store))).rejects.toMatchObject({
      code: 'SP_APPLY',
      message: 'x.yaml:3:29: there is no user nobody\nx.yaml:3:48: there is no device nowhere',
    });
    expect(await everything(store)).toBe(before);
  });

  it('prunes what the files no longer name, of the kinds that they list', async () => {
    const store = await applied();
    const text = 'users:\n  - {name: carol, authentication: [[publickey]]}\n';
    const changes = await apply([{ name: 'few.yaml', text }], optionsFor(store, { prune: true }));
    expect(changes.filter((change) => change.action === 'removed').map((change) => change.name)).toEqual([
      'alice',
      'bob',
    ]);
    expect((await listGrants(store)).find((grant) => grant.name === 'alice-db')?.users).toEqual([]);
    expect(await listCredentials(store)).toHaveLength(3);
  });

  it('gives the login what it needs, and nothing for a name that nobody has', async () => {
    const store = await applied();
    const directory = createLoginDirectory(store, vault);
    expect(await directory.findUser('alice')).toMatchObject({
      name: 'alice',
      keys: [publicKey],
      roles: ['engineer'],
      groups: ['dba', 'ops'],
      combinations: [
        ['publickey', 'totp'],
        ['password', 'totp'],
      ],
      disabledReason: undefined,
      totpSecret: Buffer.from('48656c6c6f21deadbeef48656c6c6f', 'hex'),
    });
    expect(await directory.findUser('bob')).toMatchObject({ combinations: [['publickey'], ['password']] });
    expect(await directory.findUser('carol')).toMatchObject({
      combinations: [['publickey']],
      passwordHash: undefined,
    });
    for (const name of ['Alice', 'alice ', '', 'alice\0', "' or 1=1 --", 'x'.repeat(10_000), '\ud800']) {
      expect(await directory.findUser(name)).toBeUndefined();
    }
  });

  it('takes each TOTP step once, whoever asks at the same time', async () => {
    const url = await bench.newUrl();
    const stores = [await bench.open(url), await bench.open(url)];
    const [store] = stores;
    if (store === undefined) throw new Error('no store');
    await apply(files(), optionsFor(store));
    const id = await userId(store, 'alice');
    const directories = stores.map((each) => createLoginDirectory(each, vault));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => directories[index % 2]?.acceptTotpStep(id, 1_000)),
    );
    expect(answers.filter((answer) => answer === true)).toHaveLength(1);
    expect(await directories[0]?.acceptTotpStep(id, 999)).toBe(false);
    expect(await directories[0]?.acceptTotpStep(id, 1_001)).toBe(true);
  });

  it('pins one host key at first use, whoever comes at the same time', async () => {
    const url = await bench.newUrl();
    const stores = [await bench.open(url), await bench.open(url)];
    const [store] = stores;
    if (store === undefined) throw new Error('no store');
    await apply(files(), optionsFor(store));
    const device = await findDevice(store.db, 'web-2');
    const pins = stores.map((each) => createHostKeyPins(each));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        pins[index % 2]?.pinFirst(device?.id ?? '', `ssh-ed25519 key${index}`),
      ),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toHaveLength(1);
    // A configured key is never joined by another.
    const configured = await findDevice(store.db, 'web-1');
    const stands = await pins[0]?.pinFirst(configured?.id ?? '', 'ssh-ed25519 other');
    expect(stands).toEqual([publicKey.split(' ').slice(0, 2).join(' ')]);
    // Applying a file without a key keeps what was pinned; forgetting it makes room for a new one.
    await apply(files(), optionsFor(store));
    expect(await pins[0]?.pinnedKeys(device?.id ?? '')).toEqual(answers[0]);
    await store.transaction((trx) => forgetHostKeys(trx, context(), 'web-2'));
    expect(await pins[0]?.pinFirst(device?.id ?? '', 'ssh-ed25519 new')).toEqual(['ssh-ed25519 new']);
  });

  it('opens a credential’s secret for its own row only', async () => {
    const store = await applied();
    const devices = createDeviceVault(store, vault);
    const byName = new Map((await listCredentials(store)).map((entry) => [entry.name, entry.id]));
    expect(await devices.secretOf(byName.get('web-root') ?? '')).toEqual({
      kind: 'password',
      password: DEVICE_PASSWORD,
    });
    expect(await devices.secretOf(byName.get('db-admin') ?? '')).toEqual({
      kind: 'privateKey',
      privateKey,
      password: DEVICE_PASSWORD,
    });
    // Somebody with access to the database moves a secret to an account of their own.
    const stolen = await store.db
      .selectFrom('credentials')
      .select('private_key_sealed')
      .where('name', '=', 'db-admin')
      .executeTakeFirstOrThrow();
    await store.db.updateTable('credentials').set(stolen).where('name', '=', 'web-deploy').execute();
    await expect(devices.secretOf(byName.get('web-deploy') ?? '')).rejects.toMatchObject({
      code: 'SP_VAULT_OPEN',
    });
    await expect(devices.secretOf('nothing')).rejects.toMatchObject({ code: 'SP_NOT_FOUND' });
  });

  it('seals everything again with a new master key', async () => {
    const store = await applied();
    const newKey = keyText();
    const rotated = vaultWith(readMasterKeys(`${newKey}\n${firstKey}`, 'the test'));
    expect(await resealAll(store, rotated)).toBe(5);
    expect(await resealAll(store, rotated)).toBe(0);
    const alone = vaultWith(readMasterKeys(newKey, 'the test'));
    expect((await createLoginDirectory(store, alone).findUser('alice'))?.totpSecret).toBeDefined();
    const [credential] = await listCredentials(store);
    expect(await createDeviceVault(store, alone).secretOf(credential?.id ?? '')).toMatchObject({
      kind: 'privateKey',
    });
    await expect(createDeviceVault(store, vault).secretOf(credential?.id ?? '')).rejects.toMatchObject({
      code: 'SP_VAULT_OPEN',
    });
  });

  it('tells how lines may be read: as the credential says, else as the device does, else by the screen alone', async () => {
    const store = await applied();
    const grants = createGrants(store);
    const id = await userId(store, 'alice');
    expect(await grants.decide(id, 'postgres', 'db-1', new Date())).toMatchObject({
      target: { reading: { shellIntegration: true, sideChannel: false } },
    });
    expect(await grants.decide(id, 'root', 'web-1', new Date())).toMatchObject({
      target: { reading: { shellIntegration: false, sideChannel: false } },
    });
  });

  it('grants at once what is applied, and no more what is taken away', async () => {
    const store = await applied();
    const grants = createGrants(store);
    const id = await userId(store, 'alice');
    const now = new Date();
    const targets = await grants.targetsOf(id, now);
    expect(targets.map(({ device, credential }) => `${credential.username}@${device.name}`)).toEqual([
      'postgres@db-1',
      'deploy@web-1',
      'root@web-1',
    ]);
    expect(await grants.decide(id, 'root', 'web-1', now)).toMatchObject({
      kind: 'granted',
      target: {
        grant: { name: 'ops-web', channels: ['shell', 'exec'], recording: 'strict', endsAt: undefined },
      },
    });
    const text = 'grants:\n  - {name: ops-web, groups: [ops], tags: [web], channels: [sftp]}\n';
    await apply([{ name: 'less.yaml', text }], optionsFor(store));
    expect(await grants.decide(id, 'root', 'web-1', now)).toMatchObject({
      target: { grant: { channels: ['sftp'] } },
    });
    await store.transaction((trx) => setUserDisabled(trx, context(), 'alice', 'left'));
    expect(await grants.targetsOf(id, now)).toEqual([]);
    expect(await grants.decide(id, 'root', 'web-1', now)).toMatchObject({
      kind: 'denied',
      code: 'not-granted',
    });
  });

  it('answers the same for a device that is not granted and for one that does not exist', async () => {
    const store = await applied();
    const grants = createGrants(store);
    const id = await userId(store, 'carol');
    const real = await grants.decide(id, 'root', 'web-1', new Date());
    const none = await grants.decide(id, 'root', 'web-9', new Date());
    if (real.kind !== 'denied' || none.kind !== 'denied') throw new Error('granted');
    expect(real.tell.replace('web-1', 'DEVICE')).toBe(none.tell.replace('web-9', 'DEVICE'));
    expect(real.tell).toContain('the operations desk');
    expect([real.code, none.code]).toEqual(['not-granted', 'unknown']);
  });

  it('lets nobody inherit the grants of a user who was removed', async () => {
    const store = await applied();
    await store.transaction((trx) => removeUser(trx, context(), 'alice'));
    await apply([{ name: 'again.yaml', text: 'users: [{name: alice}]' }], optionsFor(store));
    expect(await createGrants(store).targetsOf(await userId(store, 'alice'), new Date())).toEqual([]);
  });

  it('counts failures by key, forgets them when told, and knows where a user came from', async () => {
    const store = await applied();
    const failures = createLoginFailures(store);
    const now = Date.now();
    await failures.record(['user:alice', 'source:192.0.2.9'], now - 2);
    await failures.record(['user:alice'], now - 1);
    expect(await failures.recent('user:alice', now - 1_000)).toEqual([now - 2, now - 1]);
    expect(await failures.recent('user:alice', now - 1)).toEqual([now - 1]);
    expect(await failures.recent('source:192.0.2.9', 0)).toEqual([now - 2]);
    await failures.clear(['user:alice']);
    expect(await failures.recent('user:alice', 0)).toEqual([]);
    expect(await failures.recent('source:192.0.2.9', 0)).toHaveLength(1);
    await failures.record(['user:\0\ud800'], now);
    const id = await userId(store, 'alice');
    expect(await failures.knownSource(id, '192.0.2.9')).toBe(false);
    await failures.rememberSource(id, '192.0.2.9', 5);
    await failures.rememberSource(id, '192.0.2.9', 6);
    expect(await failures.knownSource(id, '192.0.2.9')).toBe(true);
    for (let host = 0; host < 150; host += 1)
      await failures.rememberSource(id, `198.51.100.${host}`, 100 + host);
    expect(await failures.knownSource(id, '192.0.2.9')).toBe(false);
    expect(await failures.knownSource(id, '198.51.100.149')).toBe(true);
  });

  it('registers sessions and refusals, lists them in pages, and closes what a crash left open', async () => {
    const store = await applied();
    const register = createSessionRegister(store, 'gateway-1/100');
    const other = createSessionRegister(store, 'gateway-2/100');
    const [target] = await createGrants(store).targetsOf(await userId(store, 'alice'), new Date());
    if (target === undefined) throw new Error('no target');
    const start = (id: string, startedAt: number, to: Target = target) => ({
      id,
      user: { id: 'u1', name: 'alice' },
      target: to,
      sourceAddress: '192.0.2.9',
      sourcePort: 50_000,
      clientIdentification: 'SSH-2.0-x\0\u001b[31m',
      authentication: 'publickey',
      via: 'menu' as const,
      startedAt,
    });
    const ids = Array.from({ length: 5 }, () => register.newId());
    for (const [index, id] of ids.entries())
      await (index < 4 ? register : other).open(start(id, 1_000 + index));
    const end = { endedAt: 2_000, reason: 'client-closed', bytesFromClient: 2 ** 40, bytesFromDevice: 7 };
    await register.close(ids[0] ?? '', end);
    await register.close(ids[0] ?? '', { ...end, reason: 'a second time' });
    expect(await findSession(store, ids[0] ?? '')).toMatchObject({
      end_reason: 'client-closed',
      bytes_from_client: 2 ** 40,
    });

    const all = {
      since: undefined,
      user: undefined,
      device: undefined,
      session: undefined,
      live: false,
      limit: 2,
      after: undefined,
    };
    const first = await listSessions(store, all);
    const second = await listSessions(store, { ...all, after: first.next });
    expect([...first.rows, ...second.rows].map((row) => row.id)).toEqual(ids.slice(1).reverse());
    expect((await listSessions(store, { ...all, live: true, limit: 100 })).rows).toHaveLength(4);
    expect((await listSessions(store, { ...all, since: 1_003, limit: 100 })).rows).toHaveLength(2);
    expect((await listSessions(store, { ...all, user: 'bob' })).rows).toEqual([]);
    expect(
      (await listSessions(store, { ...all, session: ids[2]?.slice(0, 30), limit: 100 })).rows[0]?.id,
    ).toBeDefined();

    expect(await gatewaysWithOpenSessions(store)).toEqual(['gateway-1/100', 'gateway-2/100']);
    expect(
      await endAbandonedSessions(store, { gateways: ['gateway-1/100'], at: 3_000, reason: 'crashed' }),
    ).toBe(3);
    expect(await gatewaysWithOpenSessions(store)).toEqual(['gateway-2/100']);

    await register.refused({
      at: 5,
      user: 'root\u001b]0;x\u0007\0',
      sourceAddress: '192.0.2.9',
      wanted: 'x'.repeat(5_000),
      code: 'not-granted',
      detail: '\ud800',
    });
    const refusals = await listRefusals(store, {
      since: undefined,
      user: undefined,
      limit: 10,
      after: undefined,
    });
    expect(refusals.rows[0]).toMatchObject({ code: 'not-granted', wanted: 'x'.repeat(256) });
  });

  it('fails to open a session that is registered already', async () => {
    const store = await applied();
    const register = createSessionRegister(store, 'g');
    const [target] = await createGrants(store).targetsOf(await userId(store, 'alice'), new Date());
    if (target === undefined) throw new Error('no target');
    const session = {
      id: register.newId(),
      user: { id: 'u1', name: 'alice' },
      target,
      sourceAddress: '',
      sourcePort: 0,
      clientIdentification: '',
      authentication: '',
      via: 'jump' as const,
      startedAt: 1,
    };
    await register.open(session);
    await expect(register.open(session)).rejects.toMatchObject({ code: 'SP_STORE_CONFLICT' });
  });

  it('reads settings with their defaults, and puts one back when told', async () => {
    const store = await applied();
    expect(await readSettings(store.db)).toMatchObject({
      initialRating: 7,
      'session.weights.time': 1,
      'session.weights.target': 3,
      'session.submitHighRiskToAudit': true,
      'view.historyDays': 90,
    });
    await apply([{ name: 'x.yaml', text: 'settings: {initialRating: null}' }], optionsFor(store));
    expect((await readSettings(store.db)).initialRating).toBe(5);
  });

  it('lets two administrators apply at once', async () => {
    const url = await bench.newUrl();
    const stores = [await bench.open(url), await bench.open(url)];
    const text = (name: string): { name: string; text: string }[] => [
      { name, text: `users: [{name: ${name}}]\ndevices: [{name: ${name}, host: 192.0.2.1}]` },
    ];
    await Promise.all(
      stores.flatMap((store, index) =>
        Array.from({ length: 4 }, (_, turn) => apply(text(`name-${index}-${turn}`), optionsFor(store))),
      ),
    );
    const rows = await stores[0]?.db.selectFrom('changes').select('name').execute();
    expect(rows).toHaveLength(16);
  });
});
