// Requests for exceptions over HTTP: who reads and decides them, that one decision stands, and that it says so.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../store/id.ts';
import type { ExceptionRequestsTable } from '../../store/steps/exception-requests.ts';
import { type Answered, type Caller, SampleServer } from '../sample-server.ts';

describe('requests for exceptions', () => {
  let server: SampleServer;
  let carol: Caller;
  let erin: Caller;
  let alice: Caller;

  beforeAll(async () => {
    server = await SampleServer.start();
    [carol, erin, alice] = await Promise.all([
      server.signIn('carol'),
      server.signIn('erin'),
      server.signIn('alice'),
    ]);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  let asked = Date.UTC(2026, 0, 1);
  const request = async (user = 'alice'): Promise<string> => {
    const row = await server.parts.store.db
      .selectFrom('users')
      .select('id')
      .where('name', '=', user)
      .executeTakeFirstOrThrow();
    asked += 1_000;
    const stored: ExceptionRequestsTable = {
      id: newId(),
      command_id: newId(),
      session_id: 'session-1',
      user_id: row.id,
      user_name: user,
      device_name: 'web1',
      account: 'root',
      command: 'reboot',
      rule: 'power/reboot',
      owner: 'team power',
      reason: 'the kernel is new',
      asked_at: asked,
      state: 'open',
      decided_by: null,
      decided_at: null,
      comment: '',
      read_at: null,
    };
    await server.parts.store.append('exception_requests', [stored]);
    return stored.id;
  };

  const decide = (
    id: string,
    what: 'grant' | 'decline',
    as: Caller,
    headers: Readonly<Record<string, string>> = {},
    body: unknown = { comment: 'on Sunday' },
  ): Promise<Answered> =>
    server.ask('POST', `/api/exceptions/${id}/${what}`, {
      as: { headers: { ...as.headers, ...headers } },
      body,
    });

  const bodyOf = ({ body }: Answered): Readonly<Record<string, unknown>> =>
    typeof body === 'object' && body !== null ? { ...body } : {};

  const idsOf = (answer: Answered): readonly unknown[] => {
    const { items } = bodyOf(answer);
    return Array.isArray(items) ? items.map((item: { id: unknown }) => item.id) : [];
  };

  it('are listed newest first, a page at a time, by state and user', async () => {
    const ids = [await request(), await request(), await request()].reverse();
    const list = (query: string) => server.ask('GET', `/api/exceptions?${query}`, { as: erin });
    const first = await list('limit=2&user=alice');
    expect(idsOf(first)).toEqual(ids.slice(0, 2));
    const second = await list(`limit=2&user=alice&after=${String(bodyOf(first)['next'])}`);
    expect(idsOf(second)).toEqual(ids.slice(2));
    expect(bodyOf(second)['next']).toBeNull();
    expect((await decide(ids[0] ?? '', 'decline', carol)).status).toBe(200);
    expect(idsOf(await list('state=declined'))).toEqual(ids.slice(0, 1));
    expect(idsOf(await list('user=nobody'))).toEqual([]);
  });

  it('are decided once by an administrator, and say by whom and why', async () => {
    const id = await request();
    const before = await server.ask('GET', `/api/exceptions/${id}`, { as: carol });
    const etag = before.headers.get('etag') ?? '';
    expect(bodyOf(before)).toMatchObject({ id, user: 'alice', rule: 'power/reboot', state: 'open' });
    expect((await decide(id, 'grant', carol, { 'if-match': '"another"' })).status).toBe(412);
    const decided = await decide(id, 'grant', carol, { 'if-match': etag });
    expect(decided.status).toBe(200);
    expect(bodyOf(decided)).toMatchObject({ state: 'granted', decidedBy: 'carol', comment: 'on Sunday' });
    expect(decided.headers.get('etag')).not.toBe(etag);
    expect((await decide(id, 'decline', carol)).status).toBe(409);
    expect((await decide(id, 'grant', carol, { 'if-match': etag })).status).toBe(412);
  });

  it('are decided by one of two who decide at the same time, and once for one who asks twice', async () => {
    const id = await request();
    const both = await Promise.all([decide(id, 'grant', carol), decide(id, 'decline', carol)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const other = await request();
    const key = { 'idempotency-key': 'once' };
    const first = await decide(other, 'grant', carol, key);
    const again = await decide(other, 'grant', carol, key);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.text).toBe(first.text);
  });

  it('are decided by nobody who asked, audits or works', async () => {
    const own = await request('carol');
    expect((await decide(own, 'grant', carol)).status).toBe(403);
    const id = await request();
    for (const as of [alice, erin]) expect((await decide(id, 'grant', as)).status).toBe(403);
    expect((await server.ask('GET', '/api/exceptions', { as: alice })).status).toBe(403);
    expect(bodyOf(await server.ask('GET', `/api/exceptions/${id}`, { as: erin }))['state']).toBe('open');
  });

  it('refuse comments that are not fit to be shown', async () => {
    const id = await request();
    for (const [comment, status] of [
      ['', 400],
      [undefined, 400],
      ['x'.repeat(2_000), 400],
      ['  ', 422],
      ['x'.repeat(501), 422],
      ['a\u001b[2J', 422],
    ] as const)
      expect((await decide(id, 'grant', carol, {}, { comment })).status, String(comment)).toBe(status);
    expect((await decide(newId(), 'grant', carol)).status).toBe(404);
  });
});
