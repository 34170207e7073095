// What the API makes of the logs: lists in the order that is asked for, the posture of users, graphs, the course of a
// session; and what it lets people do about it: default auditors, proving who one is, outputs, rotations.
import { createServer, type Server } from 'node:http';
import { HOTP, Secret } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { behaviourSettings } from '../behaviour/settings.ts';
import { readSettings } from '../directory/settings.ts';
import { requireDemand, userByName } from '../oversight/demands.ts';
import { newId } from '../store/id.ts';
import type { SessionsTable } from '../store/schema.ts';
import { sampleCommand, sampleRisk, sampleSession } from './sample-rows.ts';
import { type Answered, type Caller, SampleServer, samplePassword, sampleTotp } from './sample-server.ts';

const DAY = 86_400_000;
type Json = Readonly<Record<string, unknown>>;

const record = (value: unknown): Json => (typeof value === 'object' && value !== null ? { ...value } : {});
const rowsIn = (body: unknown, key: string): readonly Json[] => {
  const found = record(body)[key];
  return Array.isArray(found) ? found.map(record) : [];
};
const listOf = (answer: Answered, key = 'items'): readonly Json[] => rowsIn(answer.body, key);
const codeOf = (answer: Answered): unknown => record(answer.body)['code'];

describe('the API on what happened', () => {
  /** Noon of a day, so that nothing falls into another day by chance. */
  const start = Date.UTC(2030, 4, 6, 12);
  let time = start + 20 * DAY;
  let server: SampleServer;
  let carol: Caller;
  let erin: Caller;
  let alice: Caller;
  const sessions: SessionsTable[] = [];

  const get = (path: string, as = erin) => server.ask('GET', path, { as });

  /** Every page of a list. */
  const every = async (path: string): Promise<readonly Json[]> => {
    const found: Json[] = [];
    let after = '';
    for (let pages = 0; pages < 50; pages += 1) {
      const answer = await get(`${path}&limit=3${after}`);
      expect(answer.status, answer.text).toBe(200);
      found.push(...listOf(answer));
      const next = record(answer.body)['next'];
      if (typeof next !== 'string') return found;
      after = `&after=${next}`;
    }
    throw new Error(`${path} has no end`);
  };

  beforeAll(async () => {
    server = await SampleServer.start(() => time);
    const { store } = server.parts;
    const alices = await userByName(store, 'alice');
    for (let n = 0; n < 10; n += 1)
      sessions.push(
        sampleSession({
          user_id: alices.id,
          started_at: start + n * DAY,
          ended_at: n === 9 ? null : start + n * DAY + ((n * 7) % 10) * 60_000,
          device_name: n < 8 ? 'web1' : 'db1',
          source_address: n < 8 ? '198.51.100.1' : '203.0.113.9',
        }),
      );
    await store.append('sessions', sessions);
    // The last was never measured.
    await store.append(
      'session_risks',
      sessions.slice(0, 9).map((session, n) => sampleRisk(session, (n * 3) % 10, (n * 3) % 10 > 7)),
    );
    const [first] = sessions;
    if (first === undefined) throw new Error('no session');
    await store.append('commands', [
      sampleCommand(first, {}),
      sampleCommand(first, { outcome: 'blocked', rules_json: '[{"rule":"a"}]', points: 3 }),
      sampleCommand(first, { points: 7, rules_json: '[{"rule":"b"}]' }),
      sampleCommand(first, {
        channel_kind: 'sftp',
        word: 'put',
        command: 'put "/srv/a b"',
        analysed_json: '{"paths":["/srv/a b"]}',
        outcome_detail: `approved by carol; wrote 12 bytes sha256:${'ab'.repeat(32)}, read 5 bytes partial: not to the end`,
      }),
      sampleCommand(first, { channel_kind: 'sftp', word: 'remove', command: 'remove /srv/c' }),
      sampleCommand(first, {
        channel_kind: 'forward',
        word: 'forward',
        command: 'forward 10.0.0.5:5432',
        outcome_detail: '813 bytes to the device, 10922 bytes from the device, 4.2 s',
      }),
    ]);
    await server.parts.events.append([
      {
        kind: 'risk-changed',
        at: first.started_at + 2_000,
        session: first.id,
        user: alices,
        second: 2,
        before: 0,
        after: 9,
        suspicious: true,
        submitted: false,
        findings: [{ dimension: 'origin', points: 9, usual: [], seen: 'x', measured: 1, limit: 0 }],
      },
    ]);
    await store.append('refusals', [
      {
        id: newId(),
        at: start,
        user_name: 'alice',
        source_address: '203.0.113.66',
        wanted: 'db1',
        code: 'c',
        detail: '',
      },
      {
        id: newId(),
        at: start,
        user_name: 'nobody\u001b[31m',
        source_address: '203.0.113.66',
        wanted: '',
        code: 'c',
        detail: '',
      },
    ]);
    await store.append('threats', [
      {
        id: 'abcdef0123456789',
        model: 'compromised account',
        user_id: alices.id,
        user_name: 'alice',
        first_at: start + 8 * DAY,
        last_at: start + 9 * DAY,
        severity: 'high',
        score: 7_000,
        title: 't',
        text: 't',
        findings_json: '[]',
        status: 'new',
        case_id: null,
        assignee: null,
        created_at: start,
        updated_at: start,
      },
    ]);
    [carol, erin, alice] = [
      await server.signIn('carol'),
      await server.signIn('erin'),
      await server.signIn('alice'),
    ];
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describe('lists sessions', () => {
    const column = async (sort: string, order: string, of: (row: Json) => number): Promise<number[]> =>
      (await every(`/api/sessions?sort=${sort}&order=${order}`)).map(of);
    const risk = (row: Json): number => Number(row['risk']);
    const length = (row: Json): number =>
      Date.parse(String(row['endedAt'])) - Date.parse(String(row['startedAt']));

    it('by risk, those that were measured', async () => {
      const found = await column('risk', 'desc', risk);
      expect(found).toEqual([9, 8, 6, 5, 4, 3, 2, 1, 0]);
      expect(await column('risk', 'asc', risk)).toEqual(found.toReversed());
    });

    it('by how long they took, those that have ended', async () => {
      const found = await column('duration', 'desc', length);
      expect(found).toEqual(found.toSorted((a, b) => b - a));
      expect(found).toHaveLength(9);
    });

    it('by their start, either way, all of them', async () => {
      const starts = await column('started', 'asc', (row) => Date.parse(String(row['startedAt'])));
      expect(starts).toEqual(sessions.map((session) => session.started_at));
    });

    it('tells whoever owns them nothing of their risk', async () => {
      const mine = listOf(await get('/api/me/sessions', alice));
      expect(mine).toHaveLength(10);
      expect(mine.every((row) => row['risk'] === null)).toBe(true);
    });
  });

  it('lists commands by their points, and ratings page by page', async () => {
    const commands = await every('/api/commands?sort=points');
    expect(commands.map((row) => row['points'])).toEqual([7, 3]);
    const ratings = await every('/api/ratings?sort=rating');
    expect(ratings.map((row) => row['user']).toSorted()).toEqual(['alice', 'bob', 'carol', 'erin']);
  });

  it('adds up what a user did, and nobody that does not exist', async () => {
    const [one, ...others] = listOf(await get('/api/posture'));
    expect(others).toEqual([]);
    expect(one).toMatchObject({
      user: 'alice',
      sessions: 10,
      liveSessions: 1,
      suspiciousSessions: 2,
      highestRisk: 9,
      commands: 6,
      auditedCommands: 2,
      blockedCommands: 1,
      refusals: 1,
      threats: 1,
      bytesFromDevice: 10_000,
    });
    const posture = record((await get('/api/users/alice/posture')).body);
    expect(record(posture['posture'])).toEqual(one);
    expect(posture['devices']).toMatchObject([
      { of: 'web1', sessions: 8 },
      { of: 'db1', sessions: 2 },
    ]);
    const quiet = record((await get('/api/users/bob/posture')).body);
    expect(quiet['posture']).toMatchObject({ user: 'bob', sessions: 0, highestRisk: null });
    expect((await get('/api/users/mallory/posture')).status).toBe(404);
  });

  it('puts it into buckets that begin at the viewer’s midnight, empty ones too', async () => {
    const span = `since=${new Date(start - 2 * DAY).toISOString()}&until=${new Date(start + 3 * DAY).toISOString()}`;
    const days = listOf(await get(`/api/posture-series?${span}&user=alice`));
    expect(days.map((day) => day['sessions'])).toEqual([0, 0, 1, 1, 1, 0]);
    expect(days[2]).toMatchObject({ at: '2030-05-06T00:00:00.000Z', commands: 6, refusals: 1 });
    const east = listOf(await get(`/api/posture-series?${span}&user=alice&offset=120`));
    expect(east[2]).toMatchObject({ at: '2030-05-05T22:00:00.000Z', sessions: 1 });
    const all = listOf(await get(`/api/posture-series?${span}`));
    expect(all.map((day) => day['sessions'])).toEqual([0, 0, 1, 1, 1, 0]);
    const narrow = await get(
      '/api/posture-series?bucket=hour&since=2029-05-06T00:00:00Z&until=2030-05-06T00:00:00Z',
    );
    expect([narrow.status, codeOf(narrow)]).toEqual([422, 'SP_API_INVALID']);
    expect((await get('/api/posture?since=2030-05-06T00:00:00Z&until=2030-05-06T00:00:00Z')).status).toBe(
      422,
    );
  });

  it('draws who reached what from where, and what of it was new', async () => {
    const graph = record((await get('/api/threats/abcdef0123456789/graph')).body);
    const nodes = rowsIn(graph, 'nodes');
    expect(nodes.map((node) => [node['id'], node['sessions'], node['fresh']])).toEqual([
      ['user:alice', 3, false],
      ['origin:203.0.113.9', 2, true],
      ['credential:web1-root', 3, false],
      ['device:db1', 2, true],
      ['origin:198.51.100.1', 1, false],
      ['device:web1', 1, false],
    ]);
    expect(graph['edges']).toContainEqual(
      expect.objectContaining({ from: 'credential:web1-root', to: 'device:db1', kind: 'session', count: 2 }),
    );
    expect((await get('/api/findings/abcdef0123456789/graph')).status).toBe(404);
  });

  it('lets auditors work on threats and findings, each step kept, and nobody on their own', async () => {
    const { store } = server.parts;
    const finding = {
      id: 'feedc0de00000001',
      signal: 'off-hours',
      user_id: 'u',
      user_name: 'alice',
      first_at: start,
      last_at: start,
      severity: 'high',
      score: 4_000,
      title: 't',
      text: 't',
      details_json: '{}',
      evidence_json: '[]',
      state: 'open' as const,
      created_at: start,
      updated_at: start,
    };
    await store.append('findings', [
      finding,
      { ...finding, id: 'feedc0de00000002', score: 9_000, last_at: start - 1 },
    ]);
    const found = await every('/api/findings?sort=score');
    expect(found.map((one) => one['score'])).toEqual([90, 40]);
    const step = (body: unknown, as = erin) =>
      server.ask('POST', '/api/threats/abcdef0123456789/steps', { as, body });
    expect((await step({})).status).toBe(422);
    expect((await step({ caseId: 'a b' })).status).toBe(422);
    const both = await Promise.all([
      step({ status: 'under-review', note: 'looking' }),
      step({ caseId: 'HR-7' }, carol),
    ]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    const shown = record((await get('/api/threats/abcdef0123456789')).body);
    expect(shown['threat']).toMatchObject({ status: 'under-review', caseId: 'HR-7' });
    expect(rowsIn(shown, 'history')).toHaveLength(2);
    await store.db.updateTable('threats').set({ user_name: 'erin' }).execute();
    expect((await step({ status: 'closed' })).status).toBe(403);
    await store.db.updateTable('threats').set({ user_name: 'alice' }).execute();
    const expected = (id: string) => server.ask('POST', `/api/findings/${id}/expected`, { as: erin });
    expect((await expected('feedc0de00000001')).status).toBe(200);
    expect((await expected('feedc0de0000000')).status).toBe(404);
    expect((await every('/api/findings?sort=time')).map((one) => one['state'])).toEqual(['expected', 'open']);
    const report = await get('/api/reports/behaviour');
    expect([report.status, report.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
  });

  it('tells the course of a session: its risk and what it moved', async () => {
    const id = sessions[0]?.id ?? '';
    const curve = await get(`/api/sessions/${id}/risk-curve`);
    expect(listOf(curve)).toMatchObject([{ second: 2, before: 0, score: 9, suspicious: true }]);
    const moved = await get(`/api/sessions/${id}/transfers`);
    expect(listOf(moved, 'files')).toMatchObject([
      { direction: 'up', path: '/srv/a b', bytes: 12, sha256: 'ab'.repeat(32), partial: '' },
      { direction: 'down', path: '/srv/a b', bytes: 5, sha256: null, partial: 'not to the end' },
    ]);
    expect(listOf(moved, 'forwards')).toMatchObject([
      { address: '10.0.0.5:5432', bytesToDevice: 813, bytesFromDevice: 10_922, seconds: 4.2 },
    ]);
    expect(listOf(moved, 'operations')).toMatchObject([{ text: 'remove /srv/c', outcome: 'ran' }]);
    expect((await get('/api/sessions/00000000/risk-curve')).status).toBe(404);
  });

  it('names default auditors, one change at a time, and only people who audit', async () => {
    const path = '/api/default-auditors';
    const before = await get(path);
    expect(before.body).toMatchObject({ items: [], effective: ['erin'] });
    const put = (names: readonly string[], etag: string | null) =>
      server.ask('PUT', path, {
        as: carol,
        body: { names },
        headers: etag === null ? {} : { 'if-match': etag },
      });
    const etag = before.headers.get('etag');
    expect((await put(['erin'], null)).status).toBe(428);
    expect((await put(['alice'], etag)).status).toBe(409);
    const both = await Promise.all([put(['erin'], etag), put(['erin'], etag)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 412]);
    expect((await get(path)).body).toMatchObject({
      items: [{ name: 'erin', active: true, addedBy: 'console:carol' }],
    });
    const trail = listOf(await get('/api/changes?kind=default%20auditors'));
    expect(trail.some((row) => JSON.stringify(row['after']).includes('erin'))).toBe(true);
  });

  describe('lets somebody prove once more who they are', () => {
    const ask = async (name: string): Promise<void> => {
      const { store, events, now } = server.parts;
      const settings = behaviourSettings(await readSettings(store.db));
      await requireDemand({ store, events, settings, now }, await userByName(store, name), {
        actor: 'test',
        reason: '',
      });
    };
    const path = '/api/me/reauthentication';
    const answer = (as: Caller, body: unknown) => server.ask('POST', path, { as, body });

    it('by all that they have, each code once, and only when it is asked', async () => {
      const code = (): string =>
        HOTP.generate({
          secret: new Secret({ buffer: new Uint8Array(sampleTotp).buffer }),
          counter: Math.floor(time / 30_000),
          digits: 6,
        });
      const bob = await server.signIn('bob', samplePassword('bob'), code());
      time += 60_000;
      const password = samplePassword('bob');
      expect((await answer(bob, { password, code: code() })).status).toBe(409);
      await ask('bob');
      expect((await get(path, bob)).body).toMatchObject({
        waiting: [{ user: 'bob', outcome: 'waiting' }],
        questions: ['password', 'totp'],
      });
      expect((await answer(bob, { password })).status).toBe(422);
      const wrong = await answer(bob, { password: 'wrong', code: code() });
      expect([wrong.status, codeOf(wrong)]).toEqual([403, 'SP_API_NOT_PROVEN']);
      const both = await Promise.all([1, 2].map(() => answer(bob, { password, code: code() })));
      expect(both.map(({ status }) => status).toSorted()).toEqual([200, expect.toBeOneOf([403, 409])]);
      expect((await get(path, bob)).body).toEqual({ waiting: [], questions: [] });
      expect(listOf(await get('/api/reauthentications?user=bob'))).toMatchObject([
        { outcome: 'passed', decidedIn: 'console:bob', method: 'password+totp' },
      ]);
    });

    it('by no token, and not by trying again and again', async () => {
      await ask('alice');
      const statuses: number[] = [];
      for (let n = 0; n < 8; n += 1) statuses.push((await answer(alice, { password: `wrong ${n}` })).status);
      expect(statuses.slice(0, 3)).toEqual([403, 403, 403]);
      expect(statuses.at(-1)).toBe(429);
      expect((await answer(alice, { password: samplePassword('alice') })).status).toBe(429);
      const made = await server.ask('POST', '/api/tokens', {
        as: alice,
        body: { name: 't', permissions: ['self'], expiresAt: new Date(time + DAY).toISOString() },
      });
      const token = { headers: { authorization: `Bearer ${String(record(made.body)['secret'])}` } };
      expect((await answer(token, { password: samplePassword('alice') })).status).toBe(403);
      expect(listOf(await get('/api/reauthentications?user=alice&outcome=waiting'))).toHaveLength(1);
    });
  });

  describe('tries outputs', () => {
    let receiver: Server;
    let received = '';
    beforeAll(async () => {
      receiver = createServer((request, response) => {
        request.on('data', (data: Buffer) => {
          received += data.toString('utf8');
        });
        request.on('end', () => response.end());
      });
      await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
      const address = receiver.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.withOutputs([
        { kind: 'webhook', name: 'hook', url: `http://127.0.0.1:${port}/in?key=hidden-1` },
        { kind: 'webhook', name: 'gone', url: 'http://127.0.0.1:1/', secretFile: 'no-such-file' },
      ]);
      await server.parts.store.append('siem_outputs', [
        {
          output: 'old',
          watermark: '',
          holder: '',
          held_until: 0,
          delivered: 3,
          lost: 1,
          last_error: '',
          last_error_at: null,
          last_delivered_at: start,
        },
      ]);
    });
    afterAll(() => {
      receiver.close();
    });

    it('that are configured, with a word on what went wrong and no secret', async () => {
      const listed = await get('/api/outputs');
      expect(listOf(listed)).toMatchObject([
        { name: 'gone', configured: true },
        { name: 'hook', configured: true, kind: 'webhook', format: 'ocsf', waiting: 0 },
        { name: 'old', configured: false, kind: null, delivered: 3, lost: 1 },
      ]);
      expect(listed.text).not.toContain('hidden-1');
      const test = (name: string, as = carol) => server.ask('POST', `/api/outputs/${name}/test`, { as });
      expect((await test('hook')).body).toMatchObject({ taken: true, code: null });
      expect(received).toContain('this is a test of the output');
      expect((await test('gone')).body).toMatchObject({ taken: false, code: 'SP_OUTPUT_FILE' });
      expect((await test('old')).status).toBe(404);
      expect((await test('hook', erin)).status).toBe(403);
      expect(listOf(await get('/api/changes?kind=output')).map((row) => row['action'])).toEqual([
        'tested',
        'tested',
      ]);
    });

    it('and forgets those that are configured no more', async () => {
      const forget = (name: string) => server.ask('DELETE', `/api/outputs/${name}`, { as: carol });
      expect((await forget('hook')).status).toBe(409);
      const both = await Promise.all([forget('old'), forget('old')]);
      expect(both.map(({ status }) => status)).toContain(200);
      expect((await forget('old')).status).toBe(404);
    });
  });

  it('rotates no credential that is not there or can’t be reached, and says so', async () => {
    const rotate = (name: string, body: unknown = {}) =>
      server.ask('POST', `/api/credentials/${name}/rotation`, { as: carol, body });
    expect((await rotate('nothing')).status).toBe(404);
    await server.ask('PUT', '/api/devices/away', { as: carol, body: { host: '127.0.0.1', port: 1 } });
    await server.ask('PUT', '/api/credentials/away-root', {
      as: carol,
      body: { device: 'away', username: 'root', password: 'device-secret-9' },
    });
    const refused = await rotate('away-root');
    expect([refused.status, codeOf(refused)]).toEqual([409, 'SP_API_CONFLICT']);
    expect(refused.text).not.toContain('device-secret-9');
    expect((await rotate('away-root', { method: 'magic' })).status).toBe(400);
    expect((await get('/api/rotations?credential=away-root')).body).toEqual({ items: [], next: null });
  });
});
