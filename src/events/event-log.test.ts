// The event log on a real SQLite file: what was appended is read in order, by page, by whom and by session.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { GatewayEvent, NewEvent } from '../behaviour/events.ts';
import { openStore, type Store } from '../store/store.ts';
import { createEventLog, type EventLog, forgetEvents, readEvents } from './event-log.ts';

let folder: string;
let store: Store;
let log: EventLog;
let now = 1_000;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-events-'));
  store = await openStore(`sqlite:${join(folder, 'db')}`);
  log = createEventLog(store, () => now);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const changed = (name: string): NewEvent => ({
  kind: 'rating-changed',
  user: { id: `id-of-${name}`, name },
  cause: 'suspicious-session',
  evidence: { session: 'session-1', second: 3 },
  before: 5,
  after: 4.2,
});

it('gives back what was appended, in order and page by page', async () => {
  for (const name of ['alice', 'bob', 'carol']) {
    now += 1;
    await log.append([changed(name), { kind: 'setting-changed', by: name, key: 'k', before: 1, after: 2 }]);
  }
  const seen: GatewayEvent[] = [];
  let after: string | undefined;
  for (let more = true; more; ) {
    const page = await readEvents(store, { limit: 4, after });
    seen.push(...page.events);
    after = page.next;
    more = page.more;
  }
  expect(seen.map(({ at, kind }) => [at, kind])).toEqual([
    [1_001, 'rating-changed'],
    [1_001, 'setting-changed'],
    [1_002, 'rating-changed'],
    [1_002, 'setting-changed'],
    [1_003, 'rating-changed'],
    [1_003, 'setting-changed'],
  ]);
  await log.append([changed('alice')]);
  expect((await readEvents(store, { limit: 4, after })).events).toHaveLength(1);
  expect(
    (await readEvents(store, { limit: 9, after: undefined, userId: 'id-of-alice' })).events,
  ).toHaveLength(2);
  expect(await forgetEvents(store, 1_003)).toBe(4);
});

it('tells listeners of this process what is durable, and others that something is there', async () => {
  const told: string[] = [];
  log.onEvent((event) => told.push(event.kind));
  const heard = new Promise<void>((resolve) => {
    store.listen('events', () => resolve());
  });
  await log.append([changed('alice')]);
  expect(told).toEqual(['rating-changed']);
  await heard;
});
