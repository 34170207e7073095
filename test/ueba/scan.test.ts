// Scanning a store for findings, on both databases: what sessions and imported sign-ins say comes out as findings, threats,
// a timeline and a report; scanning again changes nothing and tells nobody twice; investigations and watch lists are kept.
import { expect, it } from 'vitest';
import { apply } from '../../src/directory/apply.ts';
import { readMasterKeys } from '../../src/directory/master-key.ts';
import { vaultWith } from '../../src/directory/vault.ts';
import { createEventLog, readEvents } from '../../src/events/event-log.ts';
import { newId } from '../../src/store/id.ts';
import type { Store } from '../../src/store/store.ts';
import { importSignIns } from '../../src/ueba/import.ts';
import {
  expectFinding,
  findThreat,
  investigate,
  listFindings,
  listThreats,
  threatHistory,
  timelineOf,
  unwatch,
  watch,
} from '../../src/ueba/investigations.ts';
import { withoutDatabase } from '../../src/ueba/locate.ts';
import { buildReport, reportHtml, reportText } from '../../src/ueba/report.ts';
import { scan } from '../../src/ueba/run.ts';
import { onBothStores } from '../store/both-stores.ts';

const vault = vaultWith(readMasterKeys(Buffer.alloc(32, 9).toString('base64'), 'the test'));
const DAY = 86_400_000;
const HOUR = 3_600_000;
const NOW = Date.UTC(2030, 5, 28, 12);
const all = { since: undefined, user: undefined, limit: 100, after: undefined };

/** Alice's weeks of habit, and a night on which somebody in Tokyo is alice. */
const prepared = async (store: Store) => {
  await apply(
    [
      {
        name: 'site.yaml',
        text: JSON.stringify({
          users: [
            { name: 'alice', roles: ['engineer'], department: 'ops', priority: 'critical' },
            { name: 'bob', roles: ['engineer'], department: '<b>ops</b>' },
          ],
        }),
      },
    ],
    {
      store,
      vault,
      actor: 'test',
      dryRun: false,
      prune: false,
      hashPassword: async () => '',
      refuseKeyLine: () => undefined,
    },
  );
  const alice = await store.db
    .selectFrom('users')
    .select(['id', 'name'])
    .where('name', '=', 'alice')
    .executeTakeFirstOrThrow();
  const lines: string[] = [];
  const signIn = (at: number, more: object): void =>
    void lines.push(
      JSON.stringify({ at: new Date(at).toISOString(), user: 'alice', system: 'mail', ...more }),
    );
  const paris = { source: '192.0.2.1', country: 'FR', latitude: 48.9, longitude: 2.4 };
  const tokyo = { source: '203.0.113.7', country: 'JP', latitude: 35.7, longitude: 139.7 };
  for (let day = 60; day > 1; day -= 1) {
    const midnight = Math.floor((NOW - day * DAY) / DAY) * DAY;
    if ([0, 6].includes(new Date(midnight).getUTCDay())) continue;
    signIn(midnight + 8 * HOUR, paris);
    signIn(midnight + 13 * HOUR, paris);
  }
  const yesterday = Math.floor((NOW - DAY) / DAY) * DAY;
  signIn(yesterday + 9 * HOUR, paris);
  signIn(yesterday + 10 * HOUR, tokyo);
  const events = createEventLog(store);
  await events.append([
    {
      kind: 'session-started',
      at: yesterday + 10.5 * HOUR,
      session: newId(),
      user: alice,
      target: {
        device: { id: 'device-1', name: 'web1' },
        credential: { id: 'credential-1', name: 'web1-root', username: 'root' },
      },
      grant: { id: 'grant-1', name: 'ops' },
      sourceAddress: '203.0.113.7',
      authentication: 'password',
      clientIdentification: 'OpenSSH',
      via: 'name',
      score: 0,
      findings: [],
    },
  ]);
  return { parts: { store, events, now: () => NOW, timeZone: 'UTC', locate: withoutDatabase }, lines, tokyo };
};

onBothStores('a scan', (bench) => {
  it('finds what happened, once, and takes it through an investigation into the report', async () => {
    const { parts, lines } = await prepared(await bench.fresh());
    const { store } = parts;
    const wrong = ['{"at": "yesterday"}', 'not json', '{"at":1,"user":"x","source":"nowhere","system":"s"}'];
    const first = await importSignIns(store, [...lines, ...wrong, ''].join('\n'));
    expect(first).toMatchObject({ imported: lines.length, known: 0, refused: 3 });
    expect(first.problems.map(({ line }) => line)).toEqual([1, 2, 3].map((index) => lines.length + index));
    expect(await importSignIns(store, lines.join('\n'))).toMatchObject({ imported: 0, known: lines.length });

    const result = await scan(parts);
    expect(result).toMatchObject({ users: 2, baselined: 1, threats: 1 });
    const findings = (await listFindings(store, { ...all, signal: undefined })).rows;
    expect(findings.map(({ signal }) => signal)).toEqual(
      expect.arrayContaining(['impossible-travel', 'login-baseline']),
    );
    const [threat] = (await listThreats(store, { ...all, status: undefined })).rows;
    if (threat === undefined) throw new Error('no threat');
    expect(threat).toMatchObject({ model: 'compromised account', user_name: 'alice', status: 'new' });
    const told = async () =>
      (await readEvents(store, { limit: 100, after: undefined, kinds: ['finding-changed'] })).events.length;
    const before = await told();
    expect(before).toBe(findings.length + 1);

    // Again: the same rows, and nobody hears of them twice.
    await scan(parts);
    expect((await listFindings(store, { ...all, signal: undefined })).rows).toEqual(findings);
    expect(await told()).toBe(before);

    const timeline = await timelineOf(store, threat);
    expect(timeline.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['session-started', 'finding: impossible-travel']),
    );
    expect(timeline.map(({ at }) => at)).toEqual(timeline.map(({ at }) => at).sort((a, b) => a - b));
    expect(timeline.some(({ finding }) => finding)).toBe(true);

    await investigate(parts, {
      id: threat.id.slice(0, 8),
      actor: 'cli:bob',
      status: 'escalated',
      caseId: 'INC-42',
      note: 'called the owner',
    });
    await expect(
      investigate(parts, { id: threat.id, actor: 'cli:bob', caseId: 'a b' }),
    ).rejects.toMatchObject({
      code: 'SP_INVALID',
    });
    expect(await threatHistory(store, threat.id)).toMatchObject([{ status: 'escalated', case_id: 'INC-42' }]);
    await watch(store, { list: 'leavers', user: 'alice', actor: 'cli:bob', note: '<script>', now: NOW });
    // Scanning does not undo what people decided.
    await scan(parts);
    expect(await findThreat(store, threat.id)).toMatchObject({ status: 'escalated', case_id: 'INC-42' });

    const report = await buildReport(store, { until: NOW, days: 7 });
    expect(report).toMatchObject({
      users: 2,
      usersBaselined: 1,
      anomalies: findings.length,
      topUsers: [{ name: 'alice', department: 'ops', watchLists: ['leavers'], anomalies: findings.length }],
      investigations: [{ status: 'escalated', threats: 1, cases: ['INC-42'] }],
    });
    const text = reportText(report);
    expect(text).toContain('never proof');
    expect(text).toContain('INC-42');
    const html = reportHtml(report);
    expect(html).toContain('never proof');
    expect(html).toContain("default-src 'none'");
    expect(html).not.toContain('<script>');
    expect(await unwatch(store, 'leavers', 'alice')).toBe(true);
  });

  it('makes no threat of what was called expected', async () => {
    const { parts, lines } = await prepared(await bench.fresh());
    const { store } = parts;
    await importSignIns(store, lines.join('\n'));
    await scan(parts);
    const [threat] = (await listThreats(store, { ...all, status: undefined })).rows;
    for (const { id } of (await listFindings(store, { ...all, signal: undefined })).rows)
      await expectFinding(parts, { id, actor: 'cli:bob' });
    expect(await scan(parts)).toMatchObject({ threats: 0 });
    expect((await buildReport(store, { until: NOW, days: 7 })).anomalies).toBe(0);
    expect(threat?.model).toBe('compromised account');
  });
});
