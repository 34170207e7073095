// The oversight on a real SQLite file, with a clock that the test moves: what it does to sessions while they run. What a
// session is told goes to a list in place of a live one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IdentificationRequest } from '../../proxy/identification/ports.ts';
import type { SessionStart } from '../../proxy/server/ports.ts';
import type { SettingValue } from '../directory/settings.ts';
import { createEventLog, type EventLog, readEvents } from '../events/event-log.ts';
import { newId } from '../store/id.ts';
import { openStore, type Store } from '../store/store.ts';
import { CommandHabits } from './command-habits.ts';
import { LiveSettings } from './live-settings.ts';
import { Oversight } from './oversight.ts';
import { learnSession, readHabits } from './profiles.ts';
import { listRisks } from './risk-records.ts';
import { changeSettings } from './settings.ts';

const DAY = 86_400_000;
const BEGIN = Date.UTC(2026, 4, 4, 9);
const alice = { id: 'user-1', name: 'alice' };

let folder: string;
let store: Store;
let events: EventLog;
let settings: LiveSettings;
let oversight: Oversight;
let now: number;
let disabled: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-oversight-'));
  store = await openStore(`sqlite:${join(folder, 'db')}`);
  events = createEventLog(store, () => now);
  settings = await LiveSettings.open(store);
  now = BEGIN;
  disabled = [];
  oversight = new Oversight({
    store,
    events,
    settings,
    habits: new CommandHabits(store, () => now),
    identifier: { questions: async () => [{ name: 'password', text: '' }], check: async () => 'right' },
    userLock: { disable: async (name) => void disabled.push(name) },
    log: {
      info: () => {},
      warn: () => {},
      error: (event, fields) => expect.fail(`${event} ${JSON.stringify(fields)}`),
    },
    mark: () => {},
    now: () => now,
  });
  for (let day = 1; day <= 20; day += 1) {
    const startedAt = BEGIN - day * DAY;
    const past = { startedAt, target: 'web1', origin: '192.0.2.1', credential: 'web1-deploy', duration: 120 };
    await learnSession(
      store,
      { userId: alice.id, peers: 'everybody' },
      { ...past, bytes: 0, privileged: false },
      { now: BEGIN, historyDays: 90, timeZone: 'UTC' },
    );
  }
});
afterEach(async () => {
  await oversight[Symbol.asyncDispose]();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const put = async (values: Readonly<Record<string, SettingValue>>): Promise<void> => {
  await changeSettings({ store, events }, new Map(Object.entries(values)), { actor: 'test', now });
  await settings.read();
};

interface Told {
  readonly ended: string[];
  /** What each end was told with. */
  readonly said: string[];
  readonly asked: IdentificationRequest[];
  readonly happened: string[];
  /** Resolves when one of them has come. */
  next(): Promise<void>;
}

const open = async (device = 'web1'): Promise<{ id: string; verdict: string; tell: string; told: Told }> => {
  const id = newId();
  const ended: string[] = [];
  const said: string[] = [];
  const asked: IdentificationRequest[] = [];
  const happened: string[] = [];
  let wake: () => void = () => {};
  const start: SessionStart = {
    id,
    user: alice,
    target: {
      device: { id: device, name: device, host: 'h', port: 22, tags: [], os: undefined },
      credential: { id: 'c', name: `${device}-deploy`, username: 'deploy' },
      grant: { id: 'g', name: 'g', channels: [], subsystems: [], recording: 'strict', endsAt: undefined },
    },
    sourceAddress: '192.0.2.1',
    sourcePort: 1,
    clientIdentification: '',
    authentication: 'publickey',
    via: 'login-name',
    startedAt: now,
  };
  const note = (what: string): void => {
    happened.push(what);
    wake();
  };
  const verdict = await oversight.begin(start, {
    identify: (request) => {
      asked.push(request);
      note('asked');
    },
    identified: () => note('identified'),
    end: (reason, tell) => {
      ended.push(reason);
      said.push(tell);
      note('ended');
    },
    tell: () => {},
  });
  oversight.used(id);
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  return {
    id,
    verdict: verdict.kind,
    tell: verdict.kind === 'refuse' ? verdict.tell : '',
    told: { ended, said, asked, happened, next },
  };
};

const end = (id: string): Promise<void> =>
  oversight.ended(id, { endedAt: now, reason: 'client-closed', bytesFromClient: 0, bytesFromDevice: 0 });

const standing = async (id: string): Promise<string | undefined> =>
  (await listRisks(store, { limit: 10, after: undefined })).rows.find((row) => row.session_id === id)
    ?.standing;

describe('the oversight', () => {
  it('ends a session that lasts too long while it lasts, and disables its user where the settings say so', async () => {
    await put({ 'actions.duration.blockSessionAndUser': true });
    const { id, told } = await open();
    const ended = told.next();
    now += 3_600_000;
    await ended;
    expect(told.ended).toEqual(['unusual-session']);
    await end(id);
    expect(disabled).toEqual(['alice']);
  });

  it('tells why in the other sessions of a user whom an unusual start disables', async () => {
    await put({ 'actions.target.blockSessionAndUser': true });
    const quiet = await open();
    expect((await open('db9')).verdict).toBe('refuse');
    expect(disabled).toEqual(['alice']);
    expect(quiet.told.ended).toEqual(['user-disabled']);
    expect(quiet.told.said[0]).toMatch(/another session of yours\..*the device \(db9; usually web1\)/);
  });

  it('puts another setting in force for a session that runs', async () => {
    const { told } = await open('db9');
    expect(told.ended).toEqual([]);
    const ended = told.next();
    await put({ 'actions.target.blockSession': true });
    await ended;
    expect(told.ended).toEqual(['unusual-session']);
    const refused = await open('db9');
    expect(refused.verdict).toBe('refuse');
    expect(refused.tell).toContain('the device (db9; usually web1)');
  });

  it('learns from clean sessions only, and from others once their user has proven who they are', async () => {
    await put({ 'continuousIdentification.ratingDrop': 0.5 });
    const window = { now, historyDays: 90, timeZone: 'UTC' };
    const clean = await open();
    await end(clean.id);
    expect(await standing(clean.id)).toBe('learnt');
    const { id, told } = await open('db9');
    if (told.asked.length === 0) await told.next();
    expect(told.asked[0]?.because).toContain('your rating has fallen');
    const other = await open('db9');
    expect(other.verdict).toBe('refuse');
    const identified = told.next();
    told.asked[0]?.decided('passed', 'password');
    await identified;
    expect(told.happened).toEqual(['asked', 'identified']);
    await end(id);
    expect(await standing(id)).toBe('identified');
    expect((await readHabits(store, alice.id, window)).counts('target').get('db9')).toBe(1);
    await put({ 'continuousIdentification.ratingDrop': 0 });
    const again = await open('db10');
    await end(again.id);
    expect(await standing(again.id)).toBe('suspicious');
    expect((await readHabits(store, alice.id, window)).counts('target').has('db10')).toBe(false);
    const { events: written } = await readEvents(store, { limit: 100, after: undefined, session: id });
    expect(written.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining([
        'session-started',
        'risk-changed',
        'identification-required',
        'identification-passed',
        'session-ended',
      ]),
    );
  });

  it('ends every session of a user who could not prove it, and asks before the next one', async () => {
    await put({ 'continuousIdentification.ratingDrop': 0.5 });
    const quiet = await open();
    const { told } = await open('db9');
    if (told.asked.length === 0) await told.next();
    if (quiet.told.asked.length === 0) await quiet.told.next();
    const both = Promise.all([told.next(), quiet.told.next()]);
    told.asked[0]?.decided('failed', '');
    await both;
    expect(told.ended).toEqual(['identification-failed']);
    expect(quiet.told.ended).toEqual(['identification-failed']);
    expect((await open()).verdict).toBe('refuse');
    await oversight.signedIn(alice, 'publickey+password', '192.0.2.1');
    expect((await open()).verdict).toBe('go');
  });
});
