// Who may be the second person: never the one who asks, by whatever name, account or session they come.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditedCommand } from '../../proxy/audit/ports.ts';
import { openStore, type Store } from '../store/store.ts';
import { createApprovals, decideApproval } from './approvals.ts';
import { createCommandLog } from './command-log.ts';

let folder: string;
let store: Store;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-approvals-'));
  store = await openStore(`sqlite:${join(folder, 'db')}`);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const command = (sessionId: string): AuditedCommand => ({
  id: createCommandLog(store).newId(),
  source: {
    sessionId,
    channel: 0,
    startedAt: 0,
    user: { id: 'u1', name: 'alice' },
    device: { id: 'd1', name: 'web1' },
    credential: { id: 'c1', name: 'web1-root', username: 'root' },
    sourceAddress: '192.0.2.1',
  },
  at: 1,
  channelKind: 'shell',
  context: 'shell',
  typed: 'reboot',
  command: 'reboot',
  candidates: [],
  analysed: {},
  word: 'reboot',
  how: 'exact',
  confidence: 1,
  hidden: false,
  decision: 'approve',
  outcome: 'asked',
  detail: '',
  rules: [],
  points: 0,
  policyVersion: 'x',
});

/** A command of alice's that waits; answers how a decision of this person ends. */
const decided = async (who: Partial<Parameters<typeof decideApproval>[2]>): Promise<string> => {
  const asked = command('session-1');
  await createCommandLog(store).append(asked);
  const approval = await createApprovals(store).ask(asked, 'rule');
  const decision = await decideApproval(store, approval.id, {
    approve: true,
    by: 'somebody',
    userName: 'somebody',
    at: Date.now(),
    ...who,
  });
  if (decision.kind === 'decided') expect(await approval.answer).toMatchObject({ kind: 'approved' });
  approval.cancel();
  return decision.kind;
};

describe('a second person', () => {
  it.each([
    ['the one who asks', { userName: 'alice' }],
    ['the one who asks, written otherwise', { userName: 'ALICE ' }],
    ['the one who asks, behind sudo', { userName: 'root', alsoKnownAs: ['alice'] }],
    ['the one who asks, after being renamed', { userName: 'alice-admin', userId: 'u1' }],
  ])('is never %s', async (_, who) => {
    expect(await decided(who)).toBe('own');
  });

  it('is anybody else', async () => {
    expect(await decided({ userName: 'carol', userId: 'u2' })).toBe('decided');
    expect(await decided({ userName: 'root', alsoKnownAs: ['carol'] })).toBe('decided');
  });

  it('decides once, also where one names the session', async () => {
    const asked = command('session-9');
    await createCommandLog(store).append(asked);
    const approval = await createApprovals(store).ask(asked, 'rule');
    const by = { by: 'carol', userName: 'carol', at: Date.now() };
    expect((await decideApproval(store, 'session-9', { approve: false, ...by })).kind).toBe('decided');
    expect((await decideApproval(store, approval.id, { approve: true, ...by })).kind).toBe('unknown');
    expect(await approval.answer).toMatchObject({ kind: 'denied', by: 'carol' });
  });
});
