// The `sallyport` command as a shell sees it: output, exit codes, secrets from standard input only, on a data folder of
// its own and with no gateway running.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createMasterKeyFile } from '../../src/directory/master-key.ts';
import { createSessionRegister } from '../../src/directory/sessions.ts';
import { recordingsFrom } from '../../src/gateway/recordings.ts';
import { openStore } from '../../src/store/store.ts';

const COMMAND = fileURLToPath(new URL('../../bin/sallyport', import.meta.url));

let folder = '';
let data = '';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const sallyport = (args: readonly string[], input = ''): Promise<Ran> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, SALLYPORT_DATA: data };
    const child = execFile(COMMAND, [...args], { cwd: folder, env, timeout: 60_000 }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, out, err });
    });
    child.stdin?.end(input);
  });

const lines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const target = {
  device: { id: 'd', name: 'web-1', host: '192.0.2.1', port: 22, tags: [], os: undefined },
  credential: { id: 'c', name: 'web-root', username: 'root' },
  grant: {
    id: 'g',
    name: 'ops',
    channels: ['shell'],
    subsystems: [],
    recording: 'strict',
    endsAt: undefined,
  },
} as const;

let live = '';
let ended = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
  data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  const store = await openStore(join(data, 'sallyport.db'));
  const register = createSessionRegister(store, 'gone/1');
  const start = (id: string, name: string, startedAt: number) => ({
    id,
    user: { id: 'u', name },
    target,
    sourceAddress: '192.0.2.9',
    sourcePort: 50_000,
    clientIdentification: 'SSH-2.0-evil\u001b]0;x\u0007',
    authentication: 'publickey',
    via: 'login-name' as const,
    startedAt,
  });
  ended = register.newId();
  live = register.newId();
  await register.open(start(ended, 'alice', Date.now() - 86_400_000));
  await register.close(ended, {
    endedAt: Date.now(),
    reason: 'client-closed',
    bytesFromClient: 1,
    bytesFromDevice: 2,
  });
  await register.open(start(live, 'bob', Date.now()));
  await createMasterKeyFile(join(data, 'master.key'));
  const recordings = recordingsFrom(loadConfig({ env: { SALLYPORT_DATA: data }, cwd: folder }));
  const recorder = await recordings.start(start(ended, 'alice', Date.now() - 1_000));
  recorder.channelStarted(0, {
    kind: 'shell',
    detail: '',
    terminal: { type: 'xterm', columns: 80, rows: 24 },
  });
  recorder.output(0, Buffer.from('hello from the device\u001b]0;owned\u0007\r\n'), 'stdout');
  recorder.exit(0, { kind: 'status', status: 0 });
  recorder.channelEnded(0);
  await recorder.close();
  recordings[Symbol.dispose]();
  await store.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('apply', () => {
  const site = (): string =>
    file(
      'site.yaml',
      'users: [{name: alice, password: hunter2}]\ndevices: [{name: web-1, host: 192.0.2.1}]\n' +
        'credentials: [{name: web-root, device: web-1, username: root, password: hunter3}]\n' +
        'grants: [{name: ops, users: [alice], devices: [web-1]}]\n',
    );

  it('shows, makes, and then finds nothing to do', async () => {
    const dry = await sallyport(['apply', '-f', site(), '--dry-run']);
    expect([dry.code, dry.out]).toEqual([0, expect.stringContaining('would be: 4 created')]);
    expect((await sallyport(['user', 'list', '--json'])).out).toBe('');
    const made = await sallyport(['apply', '-f', site()]);
    expect([made.code, made.out]).toEqual([0, expect.stringContaining('done: 4 created')]);
    expect(dry.out + made.out).not.toMatch(/hunter/);
    expect(await sallyport(['apply', '-f', site()])).toEqual({
      code: 0,
      out: 'nothing changed: 4 unchanged\n',
      err: '',
    });
    expect(statSync(join(data, 'master.key')).mode & 0o777).toBe(0o600);
  });

  it('ends with 2 and every problem, each with its place', async () => {
    const wrong = file(
      'wrong.yaml',
      'users:\n  - name: x\n    colour: red\ngrants: [{name: g, users: [zoe], tags: [t]}]\n',
    );
    expect(await sallyport(['apply', '-f', wrong])).toEqual({
      code: 2,
      out: '',
      err: `${wrong}:3:5: unknown key colour\n${wrong}:4:28: there is no user zoe\n`,
    });
  });

  it('reads standard input', async () => {
    const ran = await sallyport(['apply', '-f', '-', '--json'], 'users: [{name: stdin-user}]');
    expect(ran.code).toBe(0);
    expect(lines(ran.out)).toMatchObject([
      { kind: 'user', name: 'stdin-user', action: 'created', dryRun: false },
    ]);
  });

  it('ends with 2 when a file can’t be read', async () => {
    expect((await sallyport(['apply', '-f', join(folder, 'nothing.yaml')])).code).toBe(2);
  });
});

describe('users, devices, credentials and grants', () => {
  it('are added, shown, changed and removed, and never show a secret', async () => {
    const steps: readonly (readonly [readonly string[], number, string?])[] = [
      [['device', 'add', 'db-1', '--host', '192.0.2.5', '--tag', 'db', '--tag', 'prod'], 0],
      [['device', 'add', 'db-1', '--host', '192.0.2.5'], 1],
      [['device', 'add', 'db-2', '--host', 'a b'], 2],
      [
        ['credential', 'add', 'db-admin', '--device', 'db-1', '--username', 'admin', '--password-stdin'],
        0,
        'hunter4\n',
      ],
      [
        ['credential', 'add', 'nope', '--device', 'nowhere', '--username', 'admin', '--password-stdin'],
        2,
        'hunter4\n',
      ],
      [['credential', 'add', 'nope', '--device', 'db-1', '--username', 'admin', '--password-stdin'], 2, ''],
      [['user', 'add', 'carol', '--role', 'auditor', '--group', 'audit', '--password-stdin'], 0, 'hunter5\n'],
      [['user', 'add', 'dave', '--role', 'wizard'], 2],
      [['user', 'disable', 'carol', '--reason', 'on leave'], 0],
      [['user', 'show', 'carol'], 0],
      [['user', 'enable', 'carol'], 0],
      [['user', 'show', 'nobody'], 3],
      [['user', 'disable', 'nobody'], 3],
      [['device', 'forget-host-key', 'db-1'], 0],
      [['credential', 'show', 'db-admin', '--json'], 0],
      [['credential', 'list', '--json'], 0],
      [['device', 'list'], 0],
      [['grant', 'list'], 0],
      [['grant', 'remove', 'nothing'], 3],
      [['vault', 'rotate'], 0],
      [['credential', 'remove', 'db-admin'], 0],
      [['device', 'remove', 'db-1'], 0],
      [['user', 'remove', 'carol'], 0],
      [['user', 'remove', 'carol'], 3],
    ];
    let text = '';
    for (const [args, code, input] of steps) {
      const ran = await sallyport(args, input ?? '');
      expect([args.join(' '), ran.code, ran.err]).toEqual([
        args.join(' '),
        code,
        code === 0 ? '' : expect.any(String),
      ]);
      text += ran.out + ran.err;
    }
    expect(text).toContain('on leave');
    expect(text).not.toMatch(/hunter/);
  });
});

describe('sessions', () => {
  it('are listed newest first, by filters, for people and for programs', async () => {
    const ids = async (...args: string[]): Promise<unknown[]> =>
      lines((await sallyport(['session', 'list', '--json', ...args])).out).map((row) => row['id']);
    expect(await ids()).toEqual([live, ended]);
    expect(await ids('--since', '2h')).toEqual([live]);
    expect(await ids('--user', 'alice')).toEqual([ended]);
    expect(await ids('--live')).toEqual([live]);
    expect(await ids('--limit', '1')).toEqual([live]);
    expect(await ids('--device', 'nothing')).toEqual([]);
    const shown = await sallyport(['session', 'show', live]);
    expect(shown.out).toContain('SSH-2.0-evil\\x1b]0;x\\x07');
    expect(shown.out).not.toMatch(/\u001b/);
  });

  it('can’t be ordered about when no gateway runs, have ended, or never were', async () => {
    expect((await sallyport(['session', 'end', live])).code).toBe(4);
    expect((await sallyport(['session', 'hold', live])).code).toBe(4);
    expect((await sallyport(['session', 'release', ended])).code).toBe(1);
    expect((await sallyport(['session', 'end', '01890000-0000-7000-8000-000000000000'])).code).toBe(3);
    expect((await sallyport(['session', 'show', '../../etc'])).code).toBe(3);
  });
});

describe('recordings', () => {
  it('are listed, played safely and exported as they are', async () => {
    const list = await sallyport(['recording', 'list', '--json']);
    expect(lines(list.out)).toMatchObject([{ id: ended, user: 'alice', state: 'complete' }]);
    const played = await sallyport(['recording', 'play', ended, '--speed', '100']);
    expect(played.out).toContain('hello from the device');
    expect(played.out).not.toContain('\u001b]0;');
    const proved = await sallyport(['recording', 'verify', ended]);
    expect(proved).toMatchObject({ code: 0 });
    expect(proved.out).toContain('proved: alice@');
    const out = join(folder, 'out.cast');
    expect((await sallyport(['recording', 'export', ended, '-o', out])).code).toBe(0);
    expect(readFileSync(out, 'utf8')).toContain('hello from the device');
    expect((await sallyport(['recording', 'export', ended, '-o', out])).code).toBe(1);
    expect((await sallyport(['recording', 'play', live])).code).toBe(3);
  });
});

describe('usage', () => {
  it.each([
    [['nonsense']],
    [['user', 'list', '--nonsense']],
    [['apply']],
    [['session', 'list', '--since', 'x']],
  ])('ends with 2 for %j', async (args) => {
    const ran = await sallyport(args);
    expect([ran.code, ran.out]).toEqual([2, '']);
  });

  it('ends with 0 for help and the version', async () => {
    expect((await sallyport(['--help'])).code).toBe(0);
    expect((await sallyport(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('checks and shows the configuration', async () => {
    expect((await sallyport(['config', 'check'])).code).toBe(0);
    const wrong = file('wrong-config.yaml', 'dat: x\n');
    const ran = await sallyport(['config', 'check', '--config', wrong]);
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('wrong-config.yaml:1:1:')]);
    const shown = await sallyport(['config', 'show', '--json']);
    expect(lines(shown.out)).toMatchObject([{ data }]);
  });

  it('says what is wrong when the master key file is open to others', async () => {
    const other = join(folder, 'other');
    mkdirSync(other, { mode: 0o700 });
    writeFileSync(join(other, 'master.key'), 'x', { mode: 0o644 });
    const config = file('other.yaml', `masterKey: {file: ${join(other, 'master.key')}}\n`);
    const ran = await sallyport(['user', 'add', 'x', '--config', config]);
    expect([ran.code, ran.err]).toEqual([1, expect.stringContaining('SP_VAULT_KEY')]);
  });
});
