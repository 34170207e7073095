// The auditors' queue on both databases: who gets what, who may say what, that nobody audits their own sessions, that two
// auditors can't both be the one who audited, and that every step is kept and told.
import { expect, it } from 'vitest';
import {
  addDefaultAuditor,
  defaultAuditors,
  listDefaultAuditors,
  removeDefaultAuditor,
  setDefaultAuditors,
} from '../../src/audit-queue/auditors.ts';
import {
  type AuditQueueParts,
  admitSubmitted,
  assignEntry,
  auditDetail,
  commentEntry,
  listAuditEntries,
  markAudited,
  reopenEntry,
  submitForAudit,
} from '../../src/audit-queue/queue.ts';
import { apply } from '../../src/directory/apply.ts';
import { readMasterKeys } from '../../src/directory/master-key.ts';
import { vaultWith } from '../../src/directory/vault.ts';
import { createEventLog, readEvents } from '../../src/events/event-log.ts';
import { newId } from '../../src/store/id.ts';
import type { Store } from '../../src/store/store.ts';
import { onBothStores } from '../store/both-stores.ts';

const vault = vaultWith(readMasterKeys(Buffer.alloc(32, 7).toString('base64'), 'the test'));

const people = `
users:
  - {name: alice, roles: [engineer]}
  - {name: bob, roles: [auditor]}
  - {name: carol, roles: [auditor, engineer]}
  - {name: admin, roles: [administrator]}
`;

const withPeople = async (store: Store): Promise<AuditQueueParts & { readonly ids: Map<string, string> }> => {
  await apply([{ name: 'people.yaml', text: people }], {
    store,
    vault,
    actor: 'test',
    dryRun: false,
    prune: false,
    hashPassword: async () => '',
    refuseKeyLine: () => undefined,
  });
  const rows = await store.db.selectFrom('users').select(['id', 'name']).execute();
  let now = 1_000;
  return {
    store,
    events: createEventLog(store),
    now: () => {
      now += 1;
      return now;
    },
    ids: new Map(rows.map(({ id, name }) => [name, id])),
  };
};

const all = { state: undefined, user: undefined, since: undefined, limit: 100, after: undefined };

onBothStores('the audit queue', (bench) => {
  const submit = async (parts: Awaited<ReturnType<typeof withPeople>>, name: string): Promise<string> => {
    const subject = newId();
    await submitForAudit(parts, {
      kind: 'session',
      subject,
      user: { id: parts.ids.get(name) ?? '', name },
      reason: 'risk 7',
      score: 7,
    });
    return subject;
  };
  const seenBy = async (store: Store, auditor: string | undefined): Promise<readonly string[]> =>
    (await listAuditEntries(store, { ...all, auditor })).rows.map(({ subject }) => subject);

  it('gives what is submitted to the default auditors, or to everybody with the role while none is named', async () => {
    const parts = await withPeople(await bench.fresh());
    const { store } = parts;
    expect((await defaultAuditors(store.db)).map(({ name }) => name)).toEqual(['bob', 'carol']);
    const first = await submit(parts, 'alice');
    await expect(addDefaultAuditor(store, 'admin', { by: 'test', now: 1 })).rejects.toMatchObject({
      code: 'SP_AUDIT_NO_AUDITOR',
    });
    expect(await addDefaultAuditor(store, 'bob', { by: 'test', now: 1 })).toBe(true);
    expect(await addDefaultAuditor(store, 'bob', { by: 'test', now: 2 })).toBe(false);
    const second = await submit(parts, 'alice');
    expect(await seenBy(store, 'bob')).toEqual([second, first]);
    expect(await seenBy(store, 'carol')).toEqual([first]);
    expect(await seenBy(store, undefined)).toEqual([second, first]);
    expect(await removeDefaultAuditor(store, 'bob')).toBe(true);
    expect(await listDefaultAuditors(store)).toEqual([]);
  });

  it('names all default auditors at once, for one of many who do it at the same time, or none of them', async () => {
    const { store } = await withPeople(await bench.fresh());
    const names = async () => (await listDefaultAuditors(store)).map(({ name }) => name);
    const put = (wanted: readonly string[], known: readonly string[]) =>
      setDefaultAuditors(store, wanted, {
        by: 'test',
        now: 1,
        before: (named) => {
          if (named.join() !== known.join()) throw new Error('somebody else was first');
        },
      });
    await expect(put(['bob', 'admin'], [])).rejects.toMatchObject({ code: 'SP_AUDIT_NO_AUDITOR' });
    expect(await names()).toEqual([]);
    for (const [before, after] of [
      [[], ['bob']],
      [['bob'], ['bob', 'carol']],
      [['bob', 'carol'], []],
    ] as const) {
      const tries = await Promise.allSettled([1, 2, 3, 4].map(() => put(after, before)));
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const one of tries)
        if (one.status === 'rejected') expect(String(one.reason)).toContain('somebody else was first');
      expect(await names()).toEqual(after);
    }
  });

  it('lists what weighs most first, a page at a time across equal scores', async () => {
    const parts = await withPeople(await bench.fresh());
    const scores = [7, 9, 7, 7, 9];
    for (const score of scores)
      await submitForAudit(parts, {
        kind: 'session',
        subject: newId(),
        user: { id: 'user-alice', name: 'alice' },
        reason: '',
        score,
      });
    const entries = (await listAuditEntries(parts.store, { ...all, auditor: 'bob' })).rows;
    const heaviest = entries.toSorted((a, b) => b.score - a.score || (a.id > b.id ? -1 : 1));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const filter = { ...all, auditor: 'bob', sort: 'score' as const, limit: 2, after };
      const page = await listAuditEntries(parts.store, filter);
      seen.push(...page.rows.map(({ id }) => id));
      after = page.next;
    } while (after !== undefined && seen.length < 10);
    expect(seen).toEqual(heaviest.map(({ id }) => id));
    expect(heaviest.map(({ score }) => score)).toEqual([9, 9, 7, 7, 7]);
  });

  it('falls back on everybody with the role when no default auditor is there any more', async () => {
    const parts = await withPeople(await bench.fresh());
    const { store } = parts;
    await addDefaultAuditor(store, 'bob', { by: 'test', now: 1 });
    await store.db.updateTable('users').set({ disabled_reason: 'gone' }).where('name', '=', 'bob').execute();
    const subject = await submit(parts, 'alice');
    expect(await seenBy(store, 'carol')).toEqual([subject]);
  });

  it('never shows auditors their own sessions, nor lets them say a word about them', async () => {
    const parts = await withPeople(await bench.fresh());
    const { store } = parts;
    const own = await submit(parts, 'carol');
    expect(await seenBy(store, 'carol')).toEqual([]);
    expect(await seenBy(store, 'bob')).toEqual([own]);
    const words = { id: own, auditor: 'carol', comment: 'all fine' };
    for (const attempt of [
      () => commentEntry(parts, words),
      () => markAudited(parts, words),
      () => auditDetail(store, own, 'carol'),
      () => assignEntry(parts, { id: own, auditor: 'carol', by: 'admin' }),
    ])
      await expect(attempt()).rejects.toMatchObject({ code: 'SP_AUDIT_OWN' });
    // Nor through an assignment that got into the table some other way.
    const [entry] = (await listAuditEntries(store, { ...all, auditor: undefined })).rows;
    await store.append('audit_assignments', [{ entry_id: entry?.id ?? '', auditor: 'carol' }]);
    expect(await seenBy(store, 'carol')).toEqual([]);
    await expect(markAudited(parts, words)).rejects.toMatchObject({ code: 'SP_AUDIT_OWN' });
  });

  it('keeps what its only auditor did for administrators to give to somebody else', async () => {
    const parts = await withPeople(await bench.fresh());
    const { store } = parts;
    await addDefaultAuditor(store, 'carol', { by: 'test', now: 1 });
    const own = await submit(parts, 'carol');
    expect(await seenBy(store, 'bob')).toEqual([]);
    await expect(auditDetail(store, own, 'bob')).rejects.toMatchObject({ code: 'SP_AUDIT_UNKNOWN' });
    await assignEntry(parts, { id: own, auditor: 'bob', by: 'admin' });
    expect(await seenBy(store, 'bob')).toEqual([own]);
    expect((await auditDetail(store, own, 'bob')).auditors).toEqual(['bob']);
  });

  it('takes comments of at most 500 characters and keeps every step', async () => {
    const parts = await withPeople(await bench.fresh());
    const { store } = parts;
    const subject = await submit(parts, 'alice');
    const comment = (text: string) => commentEntry(parts, { id: subject, auditor: 'bob', comment: text });
    await comment('😀'.repeat(500));
    for (const text of ['x'.repeat(501), '', '   '])
      await expect(comment(text)).rejects.toMatchObject({ code: 'SP_AUDIT_COMMENT' });
    await comment("'; drop table audit_steps; --\u0000");
    await markAudited(parts, { id: subject, auditor: 'carol', comment: undefined });
    await reopenEntry(parts, { id: subject, auditor: 'bob', comment: 'one more look' });
    const { entry, history } = await auditDetail(store, subject.slice(0, 13), 'bob');
    expect(entry).toMatchObject({ state: 'open', auditedBy: undefined });
    expect(history.map(({ step, auditor }) => [step, auditor])).toEqual([
      ['submitted', ''],
      ['commented', 'bob'],
      ['commented', 'bob'],
      ['audited', 'carol'],
      ['reopened', 'bob'],
    ]);
    const { events } = await readEvents(store, { limit: 100, after: undefined, kinds: ['audit-changed'] });
    expect(events.map((event) => (event.kind === 'audit-changed' ? event.step : ''))).toEqual([
      'submitted',
      'commented',
      'commented',
      'audited',
      'reopened',
    ]);
  });

  it('lets one of two auditors who mark at once be the one who audited', async () => {
    const parts = await withPeople(await bench.fresh());
    const subject = await submit(parts, 'alice');
    const outcomes = await Promise.allSettled(
      ['bob', 'carol'].map((auditor) => markAudited(parts, { id: subject, auditor, comment: undefined })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'SP_AUDIT_STATE' },
    });
    const { history } = await auditDetail(parts.store, subject, undefined);
    expect(history.filter(({ step }) => step === 'audited')).toHaveLength(1);
  });

  it('takes over the sessions whose risk says so, each once, whoever asks at the same time', async () => {
    const parts = await withPeople(await bench.fresh());
    const session = newId();
    await parts.store.append('session_risks', [
      {
        session_id: session,
        user_id: parts.ids.get('alice') ?? '',
        user_name: 'alice',
        device_name: 'web1',
        credential_name: 'web1-login',
        source_address: '192.0.2.1',
        started_at: 5,
        ended_at: null,
        score: 9,
        command_points: 0,
        audited_commands: 0,
        blocked_commands: 0,
        suspicious_at: 6,
        standing: 'open',
        submitted: 1,
        action: '',
        history_sessions: 20,
        measured_json: '[]',
        findings_json: '[]',
        activity_json: '{}',
        updated_at: 6,
      },
    ]);
    await Promise.all([admitSubmitted(parts), admitSubmitted(parts), admitSubmitted(parts)]);
    expect(await admitSubmitted(parts)).toBe(0);
    expect(await seenBy(parts.store, 'bob')).toEqual([session]);
  });

  it('gives nothing to an auditor who is disabled or is one no more', async () => {
    const parts = await withPeople(await bench.fresh());
    const subject = await submit(parts, 'alice');
    await parts.store.db
      .updateTable('users')
      .set({ disabled_reason: 'left' })
      .where('name', '=', 'bob')
      .execute();
    await expect(seenBy(parts.store, 'bob')).rejects.toMatchObject({ code: 'SP_AUDIT_NO_AUDITOR' });
    await expect(
      markAudited(parts, { id: subject, auditor: 'bob', comment: undefined }),
    ).rejects.toMatchObject({ code: 'SP_AUDIT_NO_AUDITOR' });
  });
});
