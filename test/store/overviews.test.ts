// What lists and dashboards read, on both databases: orders other than by time, a page at a time across rows that are
// equal, sums and buckets, the graph around a threat, the course of a session, how outputs stand.
import { describe, expect, it } from 'vitest';
import { sampleCommand, sampleRisk, sampleSession } from '../../src/api/sample-rows.ts';
import { createCommandLog, listCommands } from '../../src/audit/command-log.ts';
import { listSessions, SESSION_SORTS, type SessionFilter } from '../../src/directory/sessions.ts';
import { createEventLog } from '../../src/events/event-log.ts';
import { connectionsOf } from '../../src/oversight/connections.ts';
import { postureOfUsers, postureOverTime, usesOf } from '../../src/oversight/posture.ts';
import { riskCurveOf } from '../../src/oversight/risk-records.ts';
import { transfersOf } from '../../src/oversight/transfers.ts';
import { listOutputs } from '../../src/siem/queue.ts';
import { newId } from '../../src/store/id.ts';
import type { Page } from '../../src/store/page.ts';
import type { RatingLedgerTable, SessionsTable } from '../../src/store/schema.ts';
import type { FindingsTable, ThreatsTable } from '../../src/store/steps/findings.ts';
import type { Store } from '../../src/store/store.ts';
import { findFinding, findThreat, listFindings, listThreats } from '../../src/ueba/investigations.ts';
import { onBothStores } from './both-stores.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Monday, at noon. */
const START = Date.UTC(2030, 4, 6, 12);
const alice = { id: 'u-alice', name: 'alice' };

/** Every page of a list, as the ids in it. */
const idsOf = async <Row extends { readonly id: string }>(
  read: (after: string | undefined) => Promise<Page<Row>>,
): Promise<string[]> => {
  const ids: string[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < 50; pages += 1) {
    const page = await read(after);
    ids.push(...page.rows.map(({ id }) => id));
    if (page.next === undefined) return ids;
    after = page.next;
  }
  throw new Error('the list has no end');
};

/** The smallest first, and among equals by their ids. */
const inOrder = <Row extends { readonly id: string }>(
  rows: readonly Row[],
  of: (row: Row) => number,
): string[] => rows.toSorted((a, b) => of(a) - of(b) || (a.id < b.id ? -1 : 1)).map(({ id }) => id);

const bothWays = async <Row extends { readonly id: string }>(
  expected: readonly string[],
  read: (order: 'asc' | 'desc', after: string | undefined) => Promise<Page<Row>>,
): Promise<void> => {
  expect(await idsOf((after) => read('asc', after))).toEqual(expected);
  expect(await idsOf((after) => read('desc', after))).toEqual(expected.toReversed());
};

const ledgerRow = (position: number, at: number, before: number, after: number): RatingLedgerTable => ({
  id: newId(),
  user_id: alice.id,
  user_name: alice.name,
  position,
  at,
  cause: 'suspicious-session',
  event_json: '{}',
  session_id: null,
  second: null,
  before,
  after,
  actor: '',
});

const findingRow = (
  id: string,
  score: number,
  at: number,
  over: Partial<FindingsTable> = {},
): FindingsTable => ({
  id,
  signal: 'off-hours',
  user_id: alice.id,
  user_name: alice.name,
  first_at: at,
  last_at: at,
  severity: 'high',
  score,
  title: '',
  text: '',
  details_json: '{}',
  evidence_json: '[]',
  state: 'open',
  created_at: at,
  updated_at: at,
  ...over,
});

const threatRow = (id: string, score: number, first: number, last: number): ThreatsTable => ({
  id,
  model: 'compromised account',
  user_id: alice.id,
  user_name: alice.name,
  first_at: first,
  last_at: last,
  severity: 'high',
  score,
  title: '',
  text: '',
  findings_json: '[]',
  status: 'new',
  case_id: null,
  assignee: null,
  created_at: first,
  updated_at: first,
});

onBothStores('what lists and dashboards read', (bench) => {
  describe('goes a page at a time across equal rows', () => {
    const withSessions = async (): Promise<{
      store: Store;
      sessions: SessionsTable[];
      scores: Map<string, number>;
    }> => {
      const store = await bench.fresh();
      // Three starts, three lengths (one of them before its start, as when a clock stepped back), one that goes on.
      const sessions = Array.from({ length: 13 }, (_, n) => {
        const started_at = START + (n % 3) * DAY;
        const length = [60_000, -5_000, 0][n % 4] ?? 60_000;
        return sampleSession({
          started_at,
          ended_at: n === 12 ? null : started_at + length,
          user_name: n < 10 ? 'alice' : 'bob',
        });
      });
      await store.append('sessions', sessions);
      // The first was never measured.
      const scores = new Map(sessions.slice(1).map(({ id }, n) => [id, [0, 9, 5][n % 3] ?? 0]));
      const risks = sessions.slice(1).map((one) => sampleRisk(one, scores.get(one.id) ?? 0, false));
      await store.append('session_risks', risks);
      return { store, sessions, scores };
    };
    const all = { since: undefined, user: undefined, device: undefined, session: undefined, live: false };

    it.for(SESSION_SORTS)('in sessions by %s', async (sort) => {
      const { store, sessions, scores } = await withSessions();
      const listed: Record<typeof sort, readonly SessionsTable[]> = {
        started: sessions,
        risk: sessions.filter(({ id }) => scores.has(id)),
        duration: sessions.filter(({ ended_at }) => ended_at !== null),
      };
      const weightOf = (row: SessionsTable): number => {
        switch (sort) {
          case 'started':
            return row.started_at;
          case 'risk':
            return scores.get(row.id) ?? Number.NaN;
          case 'duration':
            return (row.ended_at ?? Number.NaN) - row.started_at;
        }
      };
      const filters: readonly Partial<Pick<SessionFilter, 'user' | 'since' | 'until' | 'live'>>[] = [
        {},
        { user: 'alice' },
        { since: START + DAY, until: START + 2 * DAY },
        { live: true },
      ];
      for (const filter of filters) {
        const { user, since = 0, until = Number.POSITIVE_INFINITY, live = false } = filter;
        const rows = listed[sort].filter(
          (row) =>
            (user === undefined || row.user_name === user) &&
            row.started_at >= since &&
            row.started_at < until &&
            (!live || row.ended_at === null),
        );
        await bothWays(inOrder(rows, weightOf), (order, after) =>
          listSessions(store, { ...all, ...filter, sort, order, limit: 2, after }),
        );
      }
    });

    it('in sessions by risk and by duration, also where the time leaves thousands', async () => {
      const store = await bench.fresh();
      const sessions = Array.from({ length: 10_500 }, (_, n) =>
        sampleSession({ started_at: START + n, ended_at: START + n + (n % 7) * 1_000 }),
      );
      const scoreOf = ({ started_at }: SessionsTable): number => (started_at - START) % 3;
      for (let from = 0; from < sessions.length; from += 500) {
        const some = sessions.slice(from, from + 500);
        await store.append('sessions', some);
        await store.append(
          'session_risks',
          some.map((session) => sampleRisk(session, scoreOf(session), false)),
        );
      }
      const lengthOf = ({ started_at, ended_at }: SessionsTable): number => (ended_at ?? 0) - started_at;
      for (const since of [START + 400, START + 10_000])
        for (const [sort, weightOf] of [
          ['risk', scoreOf],
          ['duration', lengthOf],
        ] as const) {
          const rows = sessions.filter(({ started_at }) => started_at >= since);
          const filter = { ...all, since, sort, order: 'desc' as const, limit: 1_000 };
          expect(await idsOf((after) => listSessions(store, { ...filter, after }))).toEqual(
            inOrder(rows, weightOf).toReversed(),
          );
        }
    });

    it('in commands by points, without those that have none', async () => {
      const store = await bench.fresh();
      const session = sampleSession({ started_at: START });
      const rows = [0, 3, 7, 3, 0, 3, 7].map((points) => sampleCommand(session, { points }));
      await store.append('commands', rows);
      const weighing = rows.filter(({ points }) => points > 0);
      await bothWays(
        inOrder(weighing, ({ points }) => points),
        (order, after) =>
          listCommands(store, {
            since: undefined,
            user: undefined,
            device: undefined,
            credential: undefined,
            session: undefined,
            word: undefined,
            outcome: undefined,
            sort: 'points',
            order: order === 'asc' ? 'oldest-first' : 'newest-first',
            limit: 2,
            after,
          }),
      );
    });

    it.for(['time', 'score'] as const)('in findings and threats by %s', async (sort) => {
      const store = await bench.fresh();
      const scores = [500, 9_000, 500, 500, 9_000];
      const id = (n: number): string => `feedc0de0000000${(n * 7) % 5}`;
      const findings = scores.map((score, n) => findingRow(id(n), score, START + (n % 2)));
      const threats = scores.map((score, n) => threatRow(id(n), score, START, START + (n % 2)));
      await store.append('findings', findings);
      await store.append('threats', threats);
      const weightOf = (row: FindingsTable | ThreatsTable) => (sort === 'time' ? row.last_at : row.score);
      const filter = { since: undefined, user: 'alice', sort, limit: 2 };
      await bothWays(inOrder(findings, weightOf), (order, after) =>
        listFindings(store, { ...filter, signal: 'off-hours', order, after }),
      );
      await bothWays(inOrder(threats, weightOf), (order, after) =>
        listThreats(store, { ...filter, status: 'new', order, after }),
      );
    });
  });

  describe('adds up', () => {
    const LARGE = 3_000_000_000;
    const span = { since: START - DAY, until: START + 2 * DAY };

    const withActivity = async (): Promise<Store> => {
      const store = await bench.fresh();
      const user = { user_id: alice.id, user_name: alice.name };
      const sessions = [
        sampleSession({ ...user, started_at: START, bytes_from_client: LARGE, bytes_from_device: null }),
        sampleSession({ ...user, started_at: START + HOUR, bytes_from_client: LARGE, ended_at: null }),
        sampleSession({
          ...user,
          started_at: START + DAY,
          device_name: 'db1',
          source_address: '203.0.113.9',
        }),
        sampleSession({ started_at: START, user_name: 'bob', device_name: 'db1' }),
        // The end is not part of the time.
        sampleSession({ ...user, started_at: span.until }),
      ];
      await store.append('sessions', sessions);
      const [first, second] = sessions;
      if (first === undefined || second === undefined) throw new Error('no sessions');
      await store.append('session_risks', [sampleRisk(first, 9, true), sampleRisk(second, 2, false)]);
      await store.append('commands', [
        sampleCommand(first, {}),
        sampleCommand(first, { outcome: 'blocked', rules_json: '[{"rule":"a"}]' }),
        sampleCommand(first, { outcome: 'refused' }),
      ]);
      await store.append('users', [
        {
          id: alice.id,
          name: alice.name,
          password_hash: null,
          totp_sealed: null,
          roles_json: '[]',
          department: null,
          priority: 'medium',
          authentication_json: null,
          disabled_reason: null,
          created_at: 0,
          updated_at: 0,
        },
      ]);
      await store.append(
        'refusals',
        ['alice', 'nobody'].map((user_name) => ({
          id: newId(),
          at: START,
          user_name,
          source_address: '203.0.113.66',
          wanted: '',
          code: 'not-granted',
          detail: '',
        })),
      );
      await store.append('rating_ledger', [
        ledgerRow(1, START - 2 * DAY, 500, 450),
        ledgerRow(2, START, 450, 400),
        ledgerRow(3, START + DAY, 400, 425),
      ]);
      await store.append('findings', [findingRow('feedc0de00000001', 500, START)]);
      await store.append('threats', [threatRow('feedc0de00000001', 500, START, START)]);
      return store;
    };

    it('what each user did, and one who did nothing only when asked', async () => {
      const store = await withActivity();
      const [one, other, ...rest] = await postureOfUsers(store, span, 5);
      expect(rest).toEqual([]);
      expect(one).toEqual({
        user: 'alice',
        sessions: 3,
        liveSessions: 1,
        suspiciousSessions: 1,
        highestRisk: 9,
        lastSession: START + DAY,
        commands: 3,
        auditedCommands: 1,
        blockedCommands: 2,
        findings: 1,
        threats: 1,
        credentialViews: 0,
        refusals: 1,
        bytesFromClient: 2 * LARGE + 100,
        bytesFromDevice: 2_000,
        rating: 5,
        ratingChange: -0.25,
      });
      expect(other).toMatchObject({ user: 'bob', sessions: 1, highestRisk: undefined, rating: 5 });
      expect(await postureOfUsers(store, span, 5, 'alice')).toEqual([one]);
      expect(await postureOfUsers(store, span, 5, 'carol')).toMatchObject([
        { user: 'carol', sessions: 0, lastSession: undefined, ratingChange: 0 },
      ]);
    });

    it('the same in buckets, east and west of here, with the rating at the end of each', async () => {
      const store = await withActivity();
      const series = async (width: number, offset: number, user?: string) =>
        (await postureOverTime(store, span, { width, offset, user })).map((point) => [
          (point.at - START) / HOUR,
          point.sessions,
          point.rating,
        ]);
      expect(await series(DAY, 0, 'alice')).toEqual([
        [-36, 0, 4.5],
        [-12, 2, 4],
        [12, 1, 4.25],
        [36, 0, 4.25],
      ]);
      expect(await series(DAY, -5.5 * HOUR, undefined)).toEqual([
        [-30.5, 0, undefined],
        [-6.5, 3, undefined],
        [17.5, 1, undefined],
        [41.5, 0, undefined],
      ]);
      // Weeks of the epoch begin on Thursdays.
      expect(await series(7 * DAY, 0)).toEqual([[-108, 4, undefined]]);
      const hours = await series(HOUR, 14 * HOUR, 'alice');
      expect(hours).toHaveLength(72);
      expect(hours.filter(([, sessions]) => sessions === 1).map(([at]) => at)).toEqual([0, 1, 24]);
    });

    it('what a user used most, by name where it is equal', async () => {
      const store = await withActivity();
      const used = async (what: Parameters<typeof usesOf>[3]) =>
        (await usesOf(store, 'alice', span, what)).map((use) => [
          use.of,
          use.sessions,
          use.suspiciousSessions,
        ]);
      expect(await used('device_name')).toEqual([
        ['web1', 2, 1],
        ['db1', 1, 0],
      ]);
      expect(await used('credential_name')).toEqual([['web1-root', 3, 1]]);
      const one = { since: START + HOUR, until: span.until };
      expect((await usesOf(store, 'alice', one, 'source_address')).map(({ of }) => of)).toEqual([
        '198.51.100.1',
        '203.0.113.9',
      ]);
    });
  });

  it('draws who reached what around a threat and a finding', async () => {
    const store = await bench.fresh();
    const user = { user_id: alice.id, user_name: alice.name };
    const before = sampleSession({ ...user, started_at: START - 30 * DAY });
    const within = sampleSession({ ...user, started_at: START, source_address: '203.0.113.9' });
    await store.append('sessions', [before, within, sampleSession({ started_at: START, user_name: 'bob' })]);
    await store.append('session_risks', [sampleRisk(within, 9, true)]);
    await store.append('credential_views', [
      {
        id: newId(),
        at: START + 1,
        user_id: alice.id,
        user_name: alice.name,
        credential_id: 'c',
        credential_name: 'db1-root',
        device_id: 'd',
        device_name: 'db1',
        account: 'root',
        source_address: '203.0.113.9',
        reason: 'a test',
        outcome: 'shown',
        code: '',
        score: 0,
        suspicious: 1,
        findings_json: '[]',
      },
    ]);
    await store.append('threats', [threatRow('feedc0de00000001', 500, START, START)]);
    await store.append('findings', [findingRow('feedc0de00000002', 500, START + 30 * DAY)]);
    const around = async (find: typeof findThreat | typeof findFinding, id: string) => {
      const row = await find(store, id);
      const who = { id: row.user_id, name: row.user_name };
      const graph = await connectionsOf(store, {
        user: who,
        since: row.first_at - DAY,
        until: row.last_at + DAY,
        before: 90 * DAY,
      });
      return { ...graph, nodes: graph.nodes.map(({ id: node, sessions, fresh }) => [node, sessions, fresh]) };
    };
    const threat = await around(findThreat, 'feedc0de00000001');
    expect(threat.cut).toBe(false);
    expect(threat.nodes).toEqual([
      ['user:alice', 1, false],
      ['origin:203.0.113.9', 1, true],
      ['credential:web1-root', 1, false],
      ['device:web1', 1, false],
      ['credential:db1-root', 0, true],
    ]);
    expect(threat.edges.map(({ kind, to, count, suspicious }) => [kind, to, count, suspicious])).toEqual([
      ['session', 'user:alice', 1, 1],
      ['session', 'credential:web1-root', 1, 1],
      ['session', 'device:web1', 1, 1],
      ['view', 'credential:db1-root', 1, 1],
    ]);
    // A month later there was nothing.
    expect((await around(findFinding, 'feedc0de00000002')).nodes).toEqual([['user:alice', 0, false]]);
  });

  it('tells how the risk of a session went, and what it moved, in the order in which it happened', async () => {
    const store = await bench.fresh();
    const session = sampleSession({ started_at: START });
    const rise = (second: number, before: number, after: number) => ({
      kind: 'risk-changed' as const,
      at: START + second,
      session: session.id,
      user: alice,
      second,
      before,
      after,
      suspicious: after > 7,
      submitted: false,
      findings: [],
    });
    const events = createEventLog(store);
    await events.append([rise(9, 3, 9)]);
    await events.append([rise(2, 0, 3), { ...rise(5, 0, 1), session: 'another' }]);
    expect(await riskCurveOf(store, session.id)).toMatchObject([
      { second: 2, score: 3, suspicious: false },
      { second: 9, score: 9, suspicious: true },
    ]);
    const moved = (at: number, bytes: number) =>
      sampleCommand(session, {
        at: START + at,
        channel_kind: 'sftp',
        command: 'put /srv/a',
        outcome_detail: `wrote ${bytes} bytes partial: not to the end`,
      });
    await store.append('commands', [moved(9, 9), moved(2, 2), sampleCommand(session, {})]);
    const copied = sampleCommand(session, { at: START + 20, channel_kind: 'scp', command: 'scp -t /srv/b' });
    await store.append('commands', [copied]);
    const log = createCommandLog(store);
    await log.settle(copied.id, 'ran', 'approved by carol');
    await log.settle(copied.id, 'ran', 'wrote 3 bytes partial: not to the end');
    const { files, forwards, operations, cut } = await transfersOf(store, session.id);
    expect(files.map(({ path, bytes }) => [path, bytes])).toEqual([
      ['/srv/a', 2],
      ['/srv/a', 9],
      ['-t /srv/b', 3],
    ]);
    expect([forwards, operations, cut]).toEqual([[], [], false]);
  });

  it('tells how each output stands', async () => {
    const store = await bench.fresh();
    const standing = { watermark: '', holder: '', held_until: 0, last_error: '', last_error_at: null };
    await store.append(
      'siem_outputs',
      ['quiet', 'busy'].map((output) => ({
        ...standing,
        output,
        delivered: 3,
        lost: 0,
        last_delivered_at: 7,
      })),
    );
    const states = ['waiting', 'waiting', 'refused', 'sent'] as const;
    await store.append(
      'siem_queue',
      states.map((state, n) => ({
        output: 'busy',
        id: newId(),
        at: START - n,
        kind: 'rating-changed',
        event_json: '{}',
        state,
        reason: '',
      })),
    );
    expect(await listOutputs(store)).toMatchObject([
      { output: 'busy', waiting: 2, refused: 1, delivered: 3, oldestWaiting: START - 1, lastDelivered: 7 },
      { output: 'quiet', waiting: 0, refused: 0, oldestWaiting: undefined, lastErrorAt: undefined },
    ]);
  });
});
