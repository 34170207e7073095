// Requests for exceptions on both databases: who may ask about what, that a request is decided once and by somebody else,
// that its user is told once, and that every step is in the trail and an event.
import { expect, it } from 'vitest';
import { createEventLog, readEvents } from '../../src/events/event-log.ts';
import {
  askException,
  decideException,
  type ExceptionParts,
  lastStopped,
  listExceptions,
  markDecisionsRead,
  requestsOf,
  stateOfRequest,
  unreadDecisions,
} from '../../src/exceptions/requests.ts';
import { newId } from '../../src/store/id.ts';
import type { CommandsTable } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { onBothStores } from '../store/both-stores.ts';

const alice = { id: 'user-alice', name: 'alice' };
const bob = { id: 'user-bob', name: 'bob' };
const carol = { id: 'user-carol', name: 'carol' };

const partsOf = (store: Store): ExceptionParts => {
  let now = 1_000;
  return {
    store,
    events: createEventLog(store),
    now: () => {
      now += 1;
      return now;
    },
  };
};

const blocked = async (store: Store, over: Partial<CommandsTable> = {}): Promise<CommandsTable> => {
  const row: CommandsTable = {
    id: newId(),
    session_id: 'session-1',
    channel: 0,
    at: 500,
    recording_offset: 0,
    user_id: alice.id,
    user_name: alice.name,
    device_id: 'device-1',
    device_name: 'web1',
    credential_id: 'credential-1',
    credential_name: 'root@web1',
    account: 'root',
    source_address: '127.0.0.1',
    channel_kind: 'shell',
    context: 'shell',
    typed: 'reboot',
    command: 'reboot',
    candidates_json: '[]',
    analysed_json: '{}',
    word: 'reboot',
    how_read: 'screen',
    confidence: 1000,
    hidden: 0,
    decision: 'block',
    outcome: 'blocked',
    outcome_detail: '',
    rules_json: JSON.stringify([
      { rule: 'power/noted', action: 'log', effective: true, why: 'noted' },
      { rule: 'power/reboot', action: 'block', effective: true, why: 'reboot' },
    ]),
    criticality: 'high',
    points: 5,
    policy_version: 'v1',
    ...over,
  };
  await store.append('commands', [row]);
  return row;
};

const ask = (parts: ExceptionParts, command: string, user = alice, reason = 'the kernel is new') =>
  askException(parts, { user, command, reason, ownerOf: (rule) => `owner of ${rule}` });

const decide = (parts: ExceptionParts, id: string, grant: boolean, decider = carol, comment = 'on Sunday') =>
  decideException(parts, { id, grant, comment, decider, actor: `console:${decider.name}` });

const all = { state: undefined, user: undefined, since: undefined, limit: 100, after: undefined };

onBothStores('requests for exceptions', (bench) => {
  it('are about a command of one’s own that was stopped, once each', async () => {
    const parts = partsOf(await bench.fresh());
    const { store } = parts;
    const command = await blocked(store);
    const asked = await ask(parts, command.id);
    expect(asked).toMatchObject({
      kind: 'asked',
      request: {
        rule: 'power/reboot',
        owner: 'owner of power/reboot',
        command: 'reboot',
        device_name: 'web1',
        reason: 'the kernel is new',
        state: 'open',
      },
    });
    expect(await stateOfRequest(store, command.id)).toBe('open');
    expect(await ask(parts, command.id)).toEqual({ kind: 'again' });
    const ran = await blocked(store, { outcome: 'ran' });
    for (const [id, user] of [
      [command.id, bob],
      [ran.id, alice],
      ['nothing', alice],
    ] as const)
      await expect(ask(parts, id, user)).rejects.toMatchObject({ code: 'SP_EXCEPTION_UNKNOWN' });
  });

  it('have a reason without control characters, of a bounded length', async () => {
    const parts = partsOf(await bench.fresh());
    const command = await blocked(parts.store);
    for (const reason of ['', '  ', 'x'.repeat(501), 'a\x1b[2Jb', 'a\nb', 'a\0b', '\ud800'])
      await expect(ask(parts, command.id, alice, reason)).rejects.toMatchObject({
        code: 'SP_EXCEPTION_TEXT',
      });
    expect(await ask(parts, command.id, alice, '😀'.repeat(500))).toMatchObject({ kind: 'asked' });
  });

  it('wait in no greater number than somebody can look at', async () => {
    const parts = partsOf(await bench.fresh());
    for (let i = 0; i < 20; i += 1)
      expect(await ask(parts, (await blocked(parts.store)).id)).toMatchObject({ kind: 'asked' });
    const one = await blocked(parts.store);
    expect(await ask(parts, one.id)).toEqual({ kind: 'too-many' });
    const [first] = await requestsOf(parts.store, alice.id, 1);
    await decide(parts, first?.id ?? '', false);
    expect(await ask(parts, one.id)).toMatchObject({ kind: 'asked' });
  });

  it('are decided once, by somebody else, with a comment', async () => {
    const parts = partsOf(await bench.fresh());
    const asked = await ask(parts, (await blocked(parts.store)).id);
    const id = asked.kind === 'asked' ? asked.request.id : '';
    await expect(decide(parts, id, true, alice)).rejects.toMatchObject({ code: 'SP_EXCEPTION_OWN' });
    // Another account of the same name in other letters is no second person.
    await expect(decide(parts, id, true, { id: 'other', name: 'Alice ' })).rejects.toMatchObject({
      code: 'SP_EXCEPTION_OWN',
    });
    await expect(decide(parts, id, true, carol, ' ')).rejects.toMatchObject({ code: 'SP_EXCEPTION_TEXT' });
    await expect(decide(parts, newId(), true)).rejects.toMatchObject({ code: 'SP_EXCEPTION_UNKNOWN' });
    const outcomes = await Promise.allSettled([decide(parts, id, true), decide(parts, id, false, bob)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(decide(parts, id, true)).rejects.toMatchObject({ code: 'SP_EXCEPTION_STATE' });
  });

  it('are told to their user once, when they are decided', async () => {
    const parts = partsOf(await bench.fresh());
    const { store } = parts;
    const asked = await ask(parts, (await blocked(store)).id);
    const id = asked.kind === 'asked' ? asked.request.id : '';
    await markDecisionsRead(store, { user: alice.id, ids: [id], at: 1 });
    expect(await unreadDecisions(store, alice.id)).toEqual([]);
    await decide(parts, id, true);
    expect(await unreadDecisions(store, alice.id)).toMatchObject([
      { id, state: 'granted', decided_by: 'carol', comment: 'on Sunday' },
    ]);
    await markDecisionsRead(store, { user: bob.id, ids: [id], at: 2 });
    expect(await unreadDecisions(store, alice.id)).toHaveLength(1);
    await markDecisionsRead(store, { user: alice.id, ids: [id], at: 2 });
    expect(await unreadDecisions(store, alice.id)).toEqual([]);
  });

  it('leave each step in the trail and among the events', async () => {
    const parts = partsOf(await bench.fresh());
    const { store } = parts;
    const asked = await ask(parts, (await blocked(store)).id);
    const id = asked.kind === 'asked' ? asked.request.id : '';
    await decide(parts, id, false);
    const trail = await store.db
      .selectFrom('changes')
      .select(['actor', 'action', 'kind', 'name'])
      .orderBy('at')
      .execute();
    expect(trail).toEqual([
      { actor: 'user:alice', action: 'requested', kind: 'exception', name: id },
      { actor: 'console:carol', action: 'declined', kind: 'exception', name: id },
    ]);
    const { events } = await readEvents(store, {
      limit: 100,
      after: undefined,
      kinds: ['exception-changed'],
    });
    expect(
      events.map((event) =>
        event.kind === 'exception-changed' ? [event.step, event.by, event.text, event.rule] : [],
      ),
    ).toEqual([
      ['requested', 'alice', 'the kernel is new', 'power/reboot'],
      ['declined', 'carol', 'on Sunday', 'power/reboot'],
    ]);
  });

  it('are listed a page at a time, by state and user', async () => {
    const parts = partsOf(await bench.fresh());
    const { store } = parts;
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const asked = await ask(parts, (await blocked(store)).id);
      if (asked.kind === 'asked') ids.unshift(asked.request.id);
    }
    const first = await listExceptions(store, { ...all, limit: 3 });
    const second = await listExceptions(store, { ...all, limit: 3, after: first.next });
    expect([...first.rows, ...second.rows].map(({ id }) => id)).toEqual(ids);
    expect(second.next).toBeUndefined();
    await decide(parts, ids[0] ?? '', true);
    expect((await listExceptions(store, { ...all, state: 'granted' })).rows).toHaveLength(1);
    expect((await listExceptions(store, { ...all, user: 'bob' })).rows).toEqual([]);
  });

  it('offer the last command of this session that was stopped, else of another of the same user, and not older than asked for', async () => {
    const store = await bench.fresh();
    const of = (session: string, since = 0) => lastStopped(store, { user: alice, session, since });
    expect(await of('session-1')).toBeUndefined();
    const older = await blocked(store, { at: 400 });
    const newer = await blocked(store, { at: 600, session_id: 'session-2', outcome: 'refused' });
    await blocked(store, { at: 700, outcome: 'ran' });
    await blocked(store, { at: 750, outcome: 'refused', command: 'key ^]', word: '', rules_json: '[]' });
    await blocked(store, { at: 800, user_id: bob.id, user_name: bob.name });
    expect((await of('session-1'))?.id).toBe(older.id);
    expect((await of('session-3'))?.id).toBe(newer.id);
    expect((await of('session-1', 500))?.id).toBe(newer.id);
    expect(await of('session-1', 900)).toBeUndefined();
  });
});
