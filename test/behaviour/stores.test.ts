// What behaviour keeps, on both stores: histories that slide, ratings that recompute, demands that are asked once and
// decided once, whatever happens at the same time.
import { expect, it } from 'vitest';
import type { BehaviourSettings } from '../../src/behaviour/settings.ts';
import { behaviourSettings } from '../../src/behaviour/settings.ts';
import { readSettings } from '../../src/directory/settings.ts';
import { createEventLog, readEvents } from '../../src/events/event-log.ts';
import { type DemandParts, decideDemand, requireDemand, takeFacts } from '../../src/oversight/demands.ts';
import { learnSession, PeerGroups, readHabits } from '../../src/oversight/profiles.ts';
import { askWhatIf, listRatings, markExpected, readLedger } from '../../src/oversight/rating-views.ts';
import {
  decideReauthentication,
  recompute,
  recordFacts,
  waitingReauthentications,
} from '../../src/oversight/ratings.ts';
import { reportUser } from '../../src/oversight/user-report.ts';
import type { Store } from '../../src/store/store.ts';
import { onBothStores } from '../store/both-stores.ts';

const DAY = 86_400_000;
/** The 28th of February of a leap year, before midnight. */
const START = Date.UTC(2028, 1, 28, 23, 50);
const alice = { id: 'user-1', name: 'alice' };

const settingsOf = async (
  store: Store,
  identification: Partial<BehaviourSettings['identification']> = {},
): Promise<BehaviourSettings> => {
  const settings = behaviourSettings(await readSettings(store.db));
  return { ...settings, identification: { ...settings.identification, ...identification } };
};

const session = (at: number, target = 'web1') => ({
  startedAt: at,
  target,
  origin: '192.0.2.1',
  credential: 'root',
  duration: 60,
  bytes: 5_000_000,
  privileged: false,
});

const window = (now: number, historyDays = 90) => ({ now, historyDays, timeZone: 'Europe/Paris' });

const suspicious = (id: string, score: number, at = START, counted?: number) => ({
  kind: 'suspicious-session' as const,
  id,
  at,
  score,
  ...(counted === undefined ? {} : { counted }),
  evidence: { session: id, second: 3 },
});

onBothStores('what behaviour keeps', (bench) => {
  it('slides over the days, also a leap day, and comes back when the history is made longer', async () => {
    const store = await bench.fresh();
    for (let day = 0; day < 10; day += 1) {
      const at = START + day * DAY;
      await learnSession(
        store,
        { userId: alice.id, peers: 'everybody' },
        session(at, `web${day}`),
        window(at, 5),
      );
    }
    const now = START + 10 * DAY;
    const short = await readHabits(store, alice.id, window(now, 5));
    expect(short.sessions).toBe(5);
    expect([...short.counts('target').keys()]).toEqual(['web5', 'web6', 'web7', 'web8', 'web9']);
    expect((await readHabits(store, alice.id, window(now, 3))).sessions).toBe(3);
    expect((await readHabits(store, alice.id, window(now, 90))).sessions).toBe(10);
    // 23:50 UTC is 00:50 in Paris.
    expect(short.histogram[10]).toBe(5);
    expect((await new PeerGroups(store).of('everybody', window(now, 5))).origin.get('192.0.2.1')).toBe(10);
  });

  it('loses no session of many that end at the same time', async () => {
    const store = await bench.fresh();
    const work = Array.from({ length: 12 }, (_, index) =>
      learnSession(store, { userId: alice.id, peers: 'everybody' }, session(START + index), window(START)),
    );
    await Promise.all(work);
    expect((await readHabits(store, alice.id, window(START))).sessions).toBe(12);
    expect((await new PeerGroups(store).of('everybody', window(START))).target.get('web1')).toBe(12);
  });

  it('follows a session whose risk rises, and a rating that recomputes to the same', async () => {
    const store = await bench.fresh();
    const settings = await settingsOf(store);
    await recordFacts(store, settings, alice, { at: START, active: true });
    const first = await recordFacts(store, settings, alice, { at: START, events: [suspicious('s1', 6)] });
    expect(first.rating).toBe(4.2);
    const risen = await recordFacts(store, settings, alice, {
      at: START,
      events: [suspicious('s1', 15, START, 6)],
    });
    expect(risen.rating).toBe(3);
    const expected = { kind: 'expected' as const, id: 'e1', at: START, event: 's1' };
    expect((await recordFacts(store, settings, alice, { at: START, events: [expected] })).rating).toBe(5);
    expect(await recompute(store, alice.id)).toMatchObject({ agrees: true, rows: 3, rating: 5, stored: 5 });
    await store.db.updateTable('rating_ledger').set({ after: 999 }).where('position', '=', 2).execute();
    expect(await recompute(store, alice.id)).toMatchObject({ agrees: false, firstDifference: 2 });
  });

  it('gives a clean day its due once, when somebody works again or looks, and never for a clock that stepped back', async () => {
    const store = await bench.fresh();
    const settings = await settingsOf(store);
    const rating = async (at: number, active = false): Promise<number> =>
      (await recordFacts(store, settings, alice, { at, active })).rating;
    await recordFacts(store, settings, alice, { at: START, events: [suspicious('s1', 15)] });
    expect(await rating(START, true)).toBe(3);
    expect(await rating(START - 3 * DAY, true)).toBe(3);
    expect(await rating(START + 1_000, true)).toBe(3);
    // The day was suspicious.
    expect(await rating(START + DAY, true)).toBe(3);
    const better = await rating(START + 2 * DAY);
    expect(better).toBeGreaterThan(3);
    expect(await rating(START + 2 * DAY)).toBe(better);
    expect(await rating(START + 9 * DAY)).toBe(better);
    expect((await recompute(store, alice.id))?.agrees).toBe(true);
  });

  it.each([
    ['ratingDrop', { ratingDrop: 2 }, { events: [suspicious('s1', 15)] }],
    ['highRiskSessions', { highRiskSessions: 2 }, { highRiskSessions: 2 }],
    ['blockedCommands', { blockedCommands: 3 }, { blockedCommands: 3 }],
    ['sessionAttemptsAtProhibitedTimes', { sessionAttemptsAtProhibitedTimes: 1 }, { sessionAttempts: 1 }],
    ['viewAttemptsAtProhibitedTimes', { viewAttemptsAtProhibitedTimes: 1 }, { viewAttempts: 1 }],
  ] as const)('asks once for %s, and counts anew when it was proven', async (trigger, limits, facts) => {
    const store = await bench.fresh();
    const settings = await settingsOf(store, limits);
    const off = await settingsOf(store);
    expect(
      (await recordFacts(store, off, { id: 'user-2', name: 'bob' }, { at: START, ...facts })).asked,
    ).toBeUndefined();
    const asked = await recordFacts(store, settings, alice, { at: START, ...facts, session: 's1' });
    expect(asked.asked).toMatchObject({ trigger_name: trigger, outcome: 'waiting', session_id: 's1' });
    expect((await recordFacts(store, settings, alice, { at: START })).asked).toBeUndefined();
    const decision = { at: START + 1, in: 's1', method: 'password', session: 's1', second: 1 } as const;
    const passed = await decideReauthentication(store, settings, alice, { ...decision, outcome: 'passed' });
    expect(passed.decided).toHaveLength(1);
    expect((await recordFacts(store, settings, alice, { at: START + 2 })).asked).toBeUndefined();
    expect((await recompute(store, alice.id))?.agrees).toBe(true);
  });

  it('lists everybody, the most suspicious first, and takes back what was expected', async () => {
    const store = await bench.fresh();
    const settings = await settingsOf(store);
    const parts: DemandParts = { store, events: createEventLog(store), settings, now: () => START + DAY };
    await store.append(
      'users',
      ['user-1', 'user-2'].map((id) => ({
        id,
        name: id === 'user-1' ? 'alice' : 'bob',
        password_hash: null,
        totp_sealed: null,
        roles_json: '[]',
        department: 'web',
        priority: 'medium',
        authentication_json: null,
        disabled_reason: null,
        created_at: START,
        updated_at: START,
      })),
    );
    await store.append('session_risks', [
      {
        session_id: '01a00000-0000-7000-8000-000000000001',
        user_id: alice.id,
        user_name: alice.name,
        device_name: 'db9',
        credential_name: 'root',
        source_address: '192.0.2.1',
        started_at: START,
        ended_at: START + 60_000,
        score: 9,
        command_points: 0,
        audited_commands: 0,
        blocked_commands: 0,
        suspicious_at: START,
        standing: 'suspicious',
        submitted: 0,
        action: '',
        history_sessions: 20,
        measured_json: JSON.stringify([
          { dimension: 'target', measured: 9, limit: 1, usual: [], seen: 'db9' },
        ]),
        findings_json: '[]',
        activity_json: '{"moved":{"sftp":{"files":1,"bytesUp":7,"bytesDown":0}}}',
        updated_at: START,
      },
    ]);
    const id = '01a00000-0000-7000-8000-000000000001';
    await takeFacts(parts, alice, { at: START, events: [suspicious(id, 9)] });
    const list = await listRatings(parts, 10);
    expect(list.map(({ name, rating }) => [name, rating])).toEqual([
      ['alice', 3.8],
      ['bob', 5],
    ]);
    const span = { since: START - DAY, until: START + 2 * DAY };
    const reported = { initialRating: 5, timeZone: 'Europe/Paris' };
    expect(await reportUser(store, 'alice', span, reported)).toMatchObject({
      user: 'alice',
      disabledReason: undefined,
      rating: 3.8,
      sessions: 0,
      busiestHour: undefined,
      ratingChanges: [{ cause: 'suspicious-session', before: 5, after: 3.8 }],
      suspicious: [{ kind: 'session', what: 'db9', score: 9 }],
    });
    await expect(reportUser(store, 'carol', span, reported)).rejects.toMatchObject({ code: 'SP_NOT_FOUND' });
    expect(await markExpected(parts, id, 'cli:carol')).toEqual({ before: 3.8, after: 5, user: 'alice' });
    await expect(markExpected(parts, id, 'cli:carol')).rejects.toMatchObject({ code: 'SP_INVALID' });
    expect((await readHabits(store, alice.id, window(START + DAY))).counts('target').get('db9')).toBe(1);
    expect((await new PeerGroups(store).of('department:web', window(START))).target.get('db9')).toBe(1);
    const [row] = await readLedger(parts, alice, { limit: 1 });
    expect(row).toMatchObject({ cause: 'expected', actor: 'cli:carol', before: 380, after: 500 });
    const tried = await askWhatIf(store, 0, new Map([['actions.target.blockSession', true]]));
    expect(tried).toMatchObject({ looked: 1, different: [{ after: { action: 'blockSession' } }] });
  });

  it('is decided once of many who answer at the same time, and asked again when it failed', async () => {
    const store = await bench.fresh();
    const parts: DemandParts = {
      store,
      events: createEventLog(store),
      settings: await settingsOf(store),
      now: () => START,
    };
    await requireDemand(parts, alice, { actor: 'cli:carol', reason: 'a look' });
    const decision = {
      in: 's1',
      method: undefined,
      session: 's1',
      second: undefined,
      sourceAddress: undefined,
    };
    const answers = await Promise.all([
      decideDemand(parts, alice, { ...decision, outcome: 'passed' }),
      decideDemand(parts, alice, { ...decision, outcome: 'passed' }),
      decideDemand(parts, alice, { ...decision, outcome: 'passed' }),
    ]);
    expect(answers.filter((answer) => answer)).toHaveLength(1);
    await requireDemand(parts, alice, { actor: 'cli:carol', reason: '' });
    const [asked] = await waitingReauthentications(store, alice.id);
    const late = { ...decision, demand: asked?.id, outcome: 'failed' } as const;
    expect(await decideDemand(parts, alice, late)).toBe(true);
    // Another session of theirs ran out of time for the same demand: what follows it is not failed as well.
    expect(await decideDemand(parts, alice, late)).toBe(false);
    const rows = await store.db
      .selectFrom('reauthentications')
      .select('outcome')
      .orderBy('asked_at')
      .orderBy('id')
      .execute();
    expect(rows.map(({ outcome }) => outcome)).toEqual(['passed', 'failed', 'waiting']);
    const { events } = await readEvents(store, { limit: 100, after: undefined });
    expect(events.map(({ kind }) => kind)).toEqual([
      'identification-required',
      'rating-changed',
      'identification-passed',
      'identification-required',
      'rating-changed',
      'identification-failed',
    ]);
    await takeFacts(parts, alice, { at: START });
    expect((await recompute(store, alice.id))?.agrees).toBe(true);
  });
});
