// The API over HTTP, on a real store: who may do what for every route, what is malformed, who signs in, and what two callers
// at once can do to each other.
import { readFileSync } from 'node:fs';
import { HOTP, Secret } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '../../proxy/login/password.ts';
import { apply } from '../directory/apply.ts';
import { ROLES } from '../directory/users.ts';
import { consoleTypes, openApiText } from './generated.ts';
import { PERMISSIONS, ROLE_PERMISSIONS } from './permissions.ts';
import type { Route } from './route.ts';
import { routesOf } from './routes.ts';
import { type Caller, SampleServer, samplePassword, sampleTotp } from './sample-server.ts';

const code = (at: number): string =>
  HOTP.generate({
    secret: new Secret({ buffer: new Uint8Array(sampleTotp).buffer }),
    counter: Math.floor(at / 30_000),
    digits: 6,
  });

const filled = (route: Route): string =>
  route.path
    .replace('{id}', '00000000-0000-7000-8000-000000000000')
    .replace('{file}', 'none.yaml')
    .replace('{by}', 'user')
    .replace('{key}', 'contact')
    .replace(/\{\w+\}/g, 'nobody');

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const items = (value: unknown): readonly Readonly<Record<string, unknown>>[] => {
  const list = record(value)['items'];
  return Array.isArray(list) ? list.map(record) : [];
};

describe('the API', () => {
  let server: SampleServer;
  let routes: readonly Route[];
  let carol: Caller;
  let erin: Caller;
  let time = Date.now();

  beforeAll(async () => {
    server = await SampleServer.start(() => time);
    routes = routesOf(server.parts);
    [carol, erin] = [await server.signIn('carol'), await server.signIn('erin')];
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describe('of each route', () => {
    it('refuses a body that is not JSON, not an object, too large, or of another type', async () => {
      const taking = routes.filter((route) => route.takesBody);
      expect(taking.length).toBeGreaterThan(10);
      for (const route of taking) {
        const ask = (body: string, type = 'application/json') =>
          server.ask(route.method, filled(route), { as: carol, body, headers: { 'content-type': type } });
        expect((await ask('{')).status, route.path).toBe(400);
        expect((await ask('[1]')).status, route.path).toBe(400);
        expect((await ask('{"__proto__": {"x": 1}}')).status, route.path).toBe(400);
        const other = await ask('a=b', 'application/x-www-form-urlencoded');
        expect([other.status, record(other.body)['code']], route.path).toEqual([415, 'SP_API_MEDIA_TYPE']);
      }
      const large = await server.ask('POST', '/api/policies/validate', {
        as: carol,
        body: `"${'x'.repeat(3 * 1024 * 1024)}"`,
      });
      expect([large.status, record(large.body)['code']]).toEqual([413, 'SP_API_TOO_LARGE']);
    });

    it('refuses parameters that are not what they should be, with the place of each fault', async () => {
      const wrong = await server.ask('GET', '/api/sessions?limit=0&since=yesterday', { as: carol });
      expect(wrong.status).toBe(400);
      expect(wrong.headers.get('content-type')).toContain('application/problem+json');
      expect(record(wrong.body)).toMatchObject({
        type: 'urn:sallyport:problem:SP_API_MALFORMED',
        code: 'SP_API_MALFORMED',
        status: 400,
        faults: [{ where: 'query.limit' }, { where: 'query.since' }],
      });
      const cursor = await server.ask('GET', '/api/sessions?after=xyz', { as: carol });
      expect(record(cursor.body)['code']).toBe('SP_API_CURSOR');
      expect((await server.ask('GET', '/api/nothing', { as: carol })).status).toBe(404);
      const method = await server.ask('DELETE', '/api/settings', { as: carol });
      expect([method.status, method.headers.get('allow')]).toEqual([405, 'GET, PUT']);
      const named = await server.ask('PUT', '/api/policies/validate', { as: carol, body: { text: '' } });
      expect([named.status, named.headers.get('allow')]).toEqual([405, 'POST']);
      const long = await server.ask('GET', `/api/users/${'n'.repeat(3_000)}`, { as: carol });
      expect([long.status, record(long.body)['code']]).toEqual([400, 'SP_API_MALFORMED']);
    });

    it('is in the committed description and in the console’s types as it is', () => {
      const committed = (path: string): string =>
        readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
      expect(committed('docs/openapi.json') === openApiText(routes), 'run npm run generate').toBe(true);
      expect(committed('console/src/api/schema.ts') === consoleTypes(routes), 'run npm run generate').toBe(
        true,
      );
      const table = committed('docs/api.md')
        .split('\n')
        .map((line) => line.split('|').map((cell) => cell.trim()))
        .filter(([, first = '', , , , last]) => last !== undefined && /^`[a-z.]+`$/.test(first))
        .map(([, permission = '', ...cells]) => [
          permission.replaceAll('`', ''),
          ...cells.slice(0, ROLES.length).map((cell) => cell === '✓'),
        ]);
      const may = PERMISSIONS.map((permission) => [
        permission,
        ...ROLES.map((role) => ROLE_PERMISSIONS[role].includes(permission)),
      ]);
      expect(table).toEqual(may);
    });
  });

  describe('signing in', () => {
    it('tells neither whether a user exists nor what was wrong', async () => {
      const wrong = await server.ask('POST', '/api/sign-in', { body: { name: 'alice', password: 'x' } });
      const nobody = await server.ask('POST', '/api/sign-in', { body: { name: 'nobody', password: 'x' } });
      expect(wrong.status).toBe(401);
      expect(nobody.text).toBe(wrong.text);
    });

    it('gives a cookie that scripts and other sites can’t use', async () => {
      const answer = await server.ask('POST', '/api/sign-in', {
        body: { name: 'alice', password: samplePassword('alice') },
      });
      expect(answer.headers.get('set-cookie')).toMatch(
        /^sallyport=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
      );
      expect(answer.text).not.toContain('hash');
    });

    it('asks for the one-time code of whoever has one, and takes each once', async () => {
      const body = { name: 'bob', password: samplePassword('bob') };
      const without = await server.ask('POST', '/api/sign-in', { body });
      expect(record(without.body)['code']).toBe('SP_API_CODE_NEEDED');
      const wrong = await server.ask('POST', '/api/sign-in', { body: { ...body, code: '000000' } });
      expect(record(wrong.body)['code']).toBe('SP_API_SIGN_IN_FAILED');
      const right = { ...body, code: code(time) };
      expect((await server.ask('POST', '/api/sign-in', { body: right })).status).toBe(200);
      expect((await server.ask('POST', '/api/sign-in', { body: right })).status).toBe(401);
    });

    it('is locked after failures as signing in by ssh is', async () => {
      const body = { name: 'locked', password: 'wrong' };
      const statuses: number[] = [];
      for (let n = 0; n < 6; n += 1)
        statuses.push((await server.ask('POST', '/api/sign-in', { body })).status);
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
      const locked = await server.ask('POST', '/api/sign-in', { body });
      expect(record(locked.body)['code']).toBe('SP_API_LOCKED');
      expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
    });

    it('ends with signing out, with idleness, and when the user is disabled', async () => {
      const me = (as: Caller) => server.ask('GET', '/api/me', { as }).then(({ status }) => status);
      const first = await server.signIn('alice');
      expect(await me(first)).toBe(200);
      await server.ask('POST', '/api/sign-out', { as: first });
      expect(await me(first)).toBe(401);
      const second = await server.signIn('alice');
      await server.ask('POST', '/api/users/alice/disable', { as: carol, body: { reason: 'a test' } });
      expect(await me(second)).toBe(401);
      const refused = await server.ask('POST', '/api/sign-in', {
        body: { name: 'alice', password: samplePassword('alice') },
      });
      expect(record(refused.body)['code']).toBe('SP_API_SIGN_IN_FAILED');
      await server.ask('POST', '/api/users/alice/enable', { as: carol });
      expect(await me(second)).toBe(200);
      time += 31 * 60_000;
      expect(await me(second)).toBe(401);
      [carol, erin] = [await server.signIn('carol'), await server.signIn('erin')];
    });

    it('ends when the password is changed', async () => {
      const before = await server.signIn('alice');
      const body = { roles: ['engineer'], password: samplePassword('alice') };
      const headers = { 'if-match': '*' };
      expect((await server.ask('PUT', '/api/users/alice', { as: carol, headers, body })).status).toBe(200);
      expect((await server.ask('GET', '/api/me', { as: before })).status).toBe(401);
    });

    it('ends when files that are applied change the password or the code, and not otherwise', async () => {
      const put = (fields: object) =>
        apply([{ name: 'users.yaml', text: JSON.stringify({ users: [{ name: 'erin', ...fields }] }) }], {
          store: server.parts.store,
          vault: server.parts.vault,
          actor: 'test',
          dryRun: false,
          prune: false,
          hashPassword,
          refuseKeyLine: () => undefined,
        });
      const status = (as: Caller) => server.ask('GET', '/api/me', { as }).then((answer) => answer.status);
      const same = { password: samplePassword('erin'), roles: ['auditor'] };
      const before = await server.signIn('erin');
      await put({ ...same, department: 'Audit' });
      expect(await status(before)).toBe(200);
      const made = await server.ask('POST', '/api/tokens', {
        as: before,
        body: {
          name: 'stays',
          permissions: ['self'],
          expiresAt: new Date(time + 3_600_000).toISOString(),
        },
      });
      const token = { headers: { authorization: `Bearer ${String(record(made.body)['secret'])}` } };
      await put({ ...same, password: 'another password of erin' });
      expect([await status(before), await status(token)]).toEqual([401, 200]);
      const after = await server.signIn('erin', 'another password of erin');
      await put({ ...same, password: 'another password of erin', totp: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' });
      expect(await status(after)).toBe(401);
      await put(same);
      erin = await server.signIn('erin');
      const ended = await server.ask('POST', '/api/users/erin/end-sign-ins', {
        as: carol,
        body: { tokens: true },
      });
      expect(ended.body).toEqual({ signIns: 1, tokens: 1, passkeys: 0 });
      expect([await status(erin), await status(token)]).toEqual([401, 401]);
      erin = await server.signIn('erin');
    });

    it('serves no write that another site makes a browser send', async () => {
      const write = (headers: Record<string, string>) =>
        server.ask('PUT', '/api/users/mallory', { as: { headers }, body: {} });
      const cookie = carol.headers['cookie'] ?? '';
      for (const headers of [
        { cookie },
        { cookie, 'x-sallyport': '1', origin: 'https://evil.example' },
        { cookie, 'x-sallyport': '1', origin: 'null' },
        { cookie, 'x-sallyport': '1', 'sec-fetch-site': 'cross-site' },
        { cookie, 'x-sallyport': '1', 'sec-fetch-site': 'same-site' },
      ])
        expect(record((await write(headers)).body)['code']).toBe('SP_API_CROSS_SITE');
      expect((await server.ask('GET', '/api/users/mallory', { as: carol })).status).toBe(404);
    });

    it('writes no secret to the log or the trail', async () => {
      const trail = await server.ask('GET', '/api/changes?limit=500', { as: carol });
      const cookie = (carol.headers['cookie'] ?? '').split('=')[1] ?? '?';
      for (const secret of [samplePassword('alice'), samplePassword('bob'), cookie]) {
        expect(trail.text).not.toContain(secret);
        expect(server.logged.join('')).not.toContain(secret);
      }
      expect(
        items(trail.body).some((row) => row['action'] === 'signed in' && row['actor'] === 'console:bob'),
      ).toBe(true);
    });
  });

  describe('tokens', () => {
    const make = async (
      body: Readonly<Record<string, unknown>>,
    ): Promise<Caller & { readonly id: string }> => {
      const answer = await server.ask('POST', '/api/tokens', {
        as: carol,
        body: { expiresAt: new Date(time + 3_600_000).toISOString(), ...body },
      });
      expect(answer.status, answer.text).toBe(200);
      const made = record(answer.body);
      const id = record(made['token'])['id'];
      return { headers: { authorization: `Bearer ${String(made['secret'])}` }, id: String(id) };
    };
    const status = (as: Caller, path: string) => server.ask('GET', path, { as }).then((a) => a.status);

    it('may do what they list and no more, until they expire or are revoked', async () => {
      const token = await make({ name: 'reader', permissions: ['directory.read'] });
      expect(await status(token, '/api/users')).toBe(200);
      expect(await status(token, '/api/sessions')).toBe(403);
      const listed = await server.ask('GET', '/api/tokens', { as: carol });
      expect(listed.text).not.toContain(token.headers['authorization']?.slice(7));
      await server.ask('DELETE', `/api/tokens/${token.id}`, { as: carol });
      expect(await status(token, '/api/users')).toBe(401);
      const brief = await make({
        name: 'brief',
        permissions: ['directory.read'],
        expiresAt: new Date(time + 1_000).toISOString(),
      });
      expect(await status(brief, '/api/users')).toBe(200);
      time += 2_000;
      expect(await status(brief, '/api/users')).toBe(401);
    });

    it('are kept as hashes', async () => {
      const token = await make({ name: 'hashed', permissions: ['directory.read'] });
      const rows = await server.parts.store.db.selectFrom('api_tokens').selectAll().execute();
      const secret = (token.headers['authorization'] ?? '').slice(7);
      expect(rows.some((row) => row.name === 'hashed')).toBe(true);
      expect(JSON.stringify(rows)).not.toContain(secret);
    });

    it('work from the addresses that they name only', async () => {
      const elsewhere = await make({
        name: 'far',
        permissions: ['directory.read'],
        addresses: ['192.0.2.0/24'],
      });
      expect(await status(elsewhere, '/api/users')).toBe(401);
      const here = await make({ name: 'near', permissions: ['directory.read'], addresses: ['127.0.0.0/8'] });
      expect(await status(here, '/api/users')).toBe(200);
    });

    it('can’t be given what their owner may not do, and lose what the owner loses', async () => {
      const much = await server.ask('POST', '/api/tokens', {
        as: carol,
        body: {
          name: 'much',
          permissions: ['recordings.read'],
          expiresAt: new Date(time + 3_600_000).toISOString(),
        },
      });
      expect(much.status).toBe(403);
      const token = await make({ name: 'loses', permissions: ['directory.read', 'self'] });
      const { store } = server.parts;
      const roles = (json: string) =>
        store.db.updateTable('users').set({ roles_json: json }).where('name', '=', 'carol').execute();
      await roles('["engineer"]');
      expect([await status(token, '/api/users'), await status(token, '/api/tokens')]).toEqual([403, 200]);
      await roles('["administrator"]');
      expect(await status(token, '/api/users')).toBe(200);
    });
  });

  describe('the directory', () => {
    const device = (tags: readonly string[], headers: Readonly<Record<string, string>> = {}) =>
      server.ask('PUT', '/api/devices/web1', { as: carol, headers, body: { host: '192.0.2.7', tags } });

    it('lets one of two changes of the same state win, and tells the other', async () => {
      const first = await device(['web']);
      expect(first.status, first.text).toBe(200);
      const etag = first.headers.get('etag') ?? '';
      expect((await device(['x'])).status).toBe(428);
      const both = await Promise.all([
        device(['one'], { 'if-match': etag }),
        device(['two'], { 'if-match': etag }),
      ]);
      expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
      const now = await server.ask('GET', '/api/devices/web1', { as: carol });
      const unchanged = await server.ask('GET', '/api/devices/web1', {
        as: carol,
        headers: { 'if-none-match': now.headers.get('etag') ?? '' },
      });
      expect(unchanged.status).toBe(304);
    });

    it('does a write with an idempotency key once, however often it is sent', async () => {
      const put = (body: unknown) =>
        server.ask('PUT', '/api/devices/db1', { as: carol, body, headers: { 'idempotency-key': 'k-1' } });
      const both = await Promise.all([put({ host: '192.0.2.8' }), put({ host: '192.0.2.8' })]);
      expect(both.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1);
      expect(both.every(({ status }) => status === 200 || status === 409)).toBe(true);
      const again = await put({ host: '192.0.2.8' });
      expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
      expect(record((await put({ host: '192.0.2.9' })).body)['code']).toBe('SP_API_KEY_REUSED');
      const trail = await server.ask('GET', '/api/changes?kind=device&name=db1', { as: carol });
      expect(items(trail.body)).toHaveLength(1);
    });

    it('never gives a secret out, and keeps it through changes that don’t name it', async () => {
      const secret = 'device-secret-73';
      const put = (body: unknown, headers = {}) =>
        server.ask('PUT', '/api/credentials/web1-root', { as: carol, body, headers });
      expect((await put({ device: 'web1', username: 'root', password: secret })).status).toBe(200);
      const changed = await put({ device: 'web1', username: 'admin' }, { 'if-match': '*' });
      expect(record(changed.body)).toMatchObject({ username: 'admin', kind: 'password' });
      for (const path of ['/api/credentials', '/api/credentials/web1-root', '/api/changes'])
        expect((await server.ask('GET', path, { as: carol })).text).not.toContain(secret);
      const user = await server.ask('PUT', '/api/users/bob', {
        as: carol,
        headers: { 'if-match': '*' },
        body: { roles: ['administrator'], department: 'Operations' },
      });
      expect(record(user.body)).toMatchObject({ password: true, totp: true, department: 'Operations' });
      time += 60_000;
      await server.signIn('bob', samplePassword('bob'), code(time));
    });

    it('refuses what `apply` would refuse, with its reasons', async () => {
      const grant = await server.ask('PUT', '/api/grants/g', {
        as: carol,
        body: { users: ['nobody'], devices: ['web1'] },
      });
      expect([grant.status, record(grant.body)['code']]).toEqual([422, 'SP_API_INVALID']);
      expect(grant.text).toContain('there is no user nobody');
      const key = await server.ask('PUT', '/api/users/dora', { as: carol, body: { keys: ['not a key'] } });
      expect(key.status).toBe(422);
    });

    it('pages through names without loss', async () => {
      for (let n = 0; n < 5; n += 1)
        await server.ask('PUT', `/api/devices/page${n}`, { as: carol, body: { host: '192.0.2.1' } });
      const seen: unknown[] = [];
      let after = '';
      do {
        const page = await server.ask('GET', `/api/devices?q=page&limit=2${after}`, { as: erin });
        seen.push(...items(page.body).map((one) => one['name']));
        const next = record(page.body)['next'];
        after = typeof next === 'string' ? `&after=${next}` : '';
      } while (after !== '');
      expect(seen).toEqual(['page0', 'page1', 'page2', 'page3', 'page4']);
    });

    it('lets nobody disable or remove themselves', async () => {
      const removed = await server.ask('DELETE', '/api/users/carol', {
        as: carol,
        headers: { 'if-match': '*' },
      });
      expect(removed.status).toBe(409);
    });
  });

  describe('policies', () => {
    const rules = (name: string): string =>
      `name: own\nrules:\n  - name: ${name}\n    match: ["shutdown **"]\n    action: block\n    test: {match: ["shutdown now"]}\n`;
    const publish = (text: string, headers = {}) =>
      server.ask('PUT', '/api/policies/own.yaml', { as: carol, headers, body: { text, note: 'why' } });

    it('are published only when all of them would do', async () => {
      const bad = await publish(rules('a').replace('shutdown now', 'ls'));
      expect([bad.status, record(bad.body)['code']]).toEqual([422, 'SP_API_INVALID']);
      expect(bad.text).toMatch(/own\.yaml:6:\d+/);
      expect(items((await server.ask('GET', '/api/policies', { as: erin })).body)).toEqual([]);
    });

    it('keep their history, show how a version differs, and are rolled back', async () => {
      const first = await publish(rules('one'));
      expect(first.status, first.text).toBe(200);
      const etag = first.headers.get('etag') ?? '';
      expect((await publish(rules('two'), { 'if-match': '"other"' })).status).toBe(412);
      expect((await publish(rules('two'), { 'if-match': etag })).status).toBe(200);
      const versions = items((await server.ask('GET', '/api/policies/own.yaml/versions', { as: erin })).body);
      expect(versions.map((version) => version['actor'])).toEqual(['console:carol', 'console:carol']);
      const old = `/api/policies/own.yaml/versions/${String(versions[1]?.['id'])}`;
      const shown = record((await server.ask('GET', old, { as: erin })).body);
      expect(shown['diff']).toContain('-  - name: two\n+  - name: one\n');
      expect((await server.ask('POST', `${old}/restore`, { as: erin })).status).toBe(403);
      expect((await server.ask('POST', `${old}/restore`, { as: carol })).status).toBe(200);
      expect(readFileSync(`${server.config.policies}/own.yaml`, 'utf8')).toBe(rules('one'));
    });

    it('tell of a line what it comes to and which rule it meets, with a draft too', async () => {
      const tried = async (body: unknown) =>
        record((await server.ask('POST', '/api/policies/test', { as: erin, body })).body);
      expect(await tried({ line: 'sudo sh -c "shutdown now"' })).toMatchObject({
        action: 'block',
        matches: [{ rule: 'own/one', action: 'block' }],
      });
      const draft = { file: 'own.yaml', text: rules('one').replace('action: block', 'action: log') };
      expect(await tried({ line: 'shutdown -h', draft })).toMatchObject({ action: 'log' });
      expect(readFileSync(`${server.config.policies}/own.yaml`, 'utf8')).toBe(rules('one'));
    });

    it('leave files outside the folder alone', async () => {
      for (const file of ['..%2Fx.yaml', '.hidden.yaml', 'x.txt'])
        expect(
          (await server.ask('PUT', `/api/policies/${file}`, { as: carol, body: { text: rules('x') } }))
            .status,
        ).toBe(400);
    });
  });

  it('keeps how lines may be read where a change says nothing of it', async () => {
    const put = async (path: string, body: unknown, headers = {}): Promise<unknown> =>
      (await server.ask('PUT', path, { as: carol, body, headers })).body;
    const device = (said: object): Promise<unknown> =>
      put('/api/devices/read1', { host: '192.0.2.9', ...said }, { 'if-match': '*' });
    await put('/api/devices/read1', { host: '192.0.2.9', shellIntegration: true });
    expect(await device({ sideChannel: false })).toMatchObject({
      shellIntegration: true,
      sideChannel: false,
    });
    expect(await device({ shellIntegration: null })).toMatchObject({
      shellIntegration: null,
      sideChannel: false,
    });
    const account = { device: 'read1', username: 'ops' };
    await put('/api/credentials/ops-read1', { ...account, password: 'one', sideChannel: true });
    const changed = await put(
      '/api/credentials/ops-read1',
      { ...account, password: 'two' },
      { 'if-match': '*' },
    );
    expect(changed).toMatchObject({ sideChannel: true, shellIntegration: null });
  });

  it('changes settings within their ranges, all or none', async () => {
    const before = await server.ask('GET', '/api/settings', { as: carol });
    const etag = before.headers.get('etag') ?? '';
    const put = (values: Readonly<Record<string, unknown>>) =>
      server.ask('PUT', '/api/settings', { as: carol, headers: { 'if-match': etag }, body: { values } });
    const wrong = await put({ minimumSuspiciousScore: 99, initialRating: 6 });
    expect(wrong.status).toBe(422);
    expect((await server.ask('GET', '/api/settings/initialRating', { as: carol })).text).toContain(
      '"value":5',
    );
    expect((await put({ initialRating: 6 })).status).toBe(200);
    expect((await put({ initialRating: 7 })).status).toBe(412);
  });

  it('makes the first administrator once by the link’s secret', async () => {
    const secret = await server.parts.access.makeSetup(60_000);
    const body = { secret, name: 'dora', password: 'a long enough one' };
    const made = await server.ask('POST', '/api/setup', { body });
    expect(record(made.body)['totp']).toMatch(/^otpauth:\/\/totp\/Sallyport:dora\?/);
    expect((await server.ask('POST', '/api/setup', { body: { ...body, name: 'eve' } })).status).toBe(403);
  });

  it('slows down who asks too often', async () => {
    let answer = await server.ask('POST', '/api/sign-in', { body: {} });
    for (let n = 0; n < 100 && answer.status === 400; n += 1)
      answer = await server.ask('POST', '/api/sign-in', { body: {} });
    expect([answer.status, record(answer.body)['code']]).toEqual([429, 'SP_API_TOO_MANY']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('says that it is up, and that no gateway is ready beside it', async () => {
    expect((await server.ask('GET', '/api/health')).status).toBe(200);
    const ready = await server.ask('GET', '/api/ready');
    expect([ready.status, record(ready.body)['code']]).toEqual([503, 'SP_API_UNAVAILABLE']);
  });
});
