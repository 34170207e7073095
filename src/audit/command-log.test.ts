// The log of audited commands on a real SQLite file: what is appended is there with everything, text that was typed
// without echo is nowhere, and lists and counts find what they are asked for.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditedCommand, CommandLog } from '../../proxy/audit/ports.ts';
import { openStore, type Store } from '../store/store.ts';
import { countCommands, createCommandLog, listCommands } from './command-log.ts';

let folder: string;
let store: Store;
let log: CommandLog;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-commands-'));
  store = await openStore(`sqlite:${join(folder, 'db')}`);
  log = createCommandLog(store);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const NOTHING = {
  since: undefined,
  user: undefined,
  device: undefined,
  credential: undefined,
  session: undefined,
  word: undefined,
  outcome: undefined,
};

const entry = (over: Partial<AuditedCommand> & { readonly who?: string } = {}): AuditedCommand => ({
  id: log.newId(),
  source: {
    sessionId: 'session-1',
    channel: 0,
    startedAt: 1_000,
    user: { id: over.who ?? 'u1', name: over.who ?? 'alice' },
    device: { id: 'd1', name: 'web1' },
    credential: { id: 'c1', name: 'web1-root', username: 'root' },
    sourceAddress: '192.0.2.1',
  },
  at: 3_500,
  channelKind: 'shell',
  context: 'shell',
  typed: 'rm -rf /srv/x',
  command: 'rm -rf /srv/x',
  candidates: [],
  analysed: { commands: [{ text: 'rm -rf /srv/x' }], opaque: [] },
  word: 'rm',
  how: 'exact',
  confidence: 0.98,
  hidden: false,
  decision: 'block',
  outcome: 'blocked',
  detail: '',
  rules: [
    {
      rule: 'set/rm',
      action: 'block',
      criticality: 'high',
      points: 5,
      effective: true,
      shadow: false,
      occurrence: 1,
      why: '"rm -rf /srv/x"',
    },
  ],
  points: 5,
  policyVersion: 'abc',
  ...over,
});

describe('the log of commands', () => {
  it('keeps a command with its place in the recording, its rules and its outcome', async () => {
    const command = entry();
    await log.append(command);
    const { rows } = await listCommands(store, { ...NOTHING, limit: 10, after: undefined });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      command: 'rm -rf /srv/x',
      recording_offset: 2_500,
      word: 'rm',
      decision: 'block',
      outcome: 'blocked',
      criticality: 'high',
      confidence: 980,
      policy_version: 'abc',
    });
    await log.settle(command.id, 'cancelled', 'given up');
    const after = await listCommands(store, { ...NOTHING, limit: 10, after: undefined });
    expect(after.rows[0]).toMatchObject({ outcome: 'cancelled', outcome_detail: 'given up' });
    await log.settle(command.id, 'cancelled', '');
    await log.settle(command.id, 'ran', 'approved by carol');
    const both = await listCommands(store, { ...NOTHING, limit: 10, after: undefined });
    expect(both.rows[0]).toMatchObject({ outcome: 'ran', outcome_detail: 'given up; approved by carol' });
  });

  it('stores nothing of what was typed without echo', async () => {
    const secret = 'hunter2-and-more';
    await log.append(
      entry({ hidden: true, typed: secret, command: secret, candidates: [secret], word: secret, rules: [] }),
    );
    await store.close();
    for (const name of readdirSync(folder)) {
      expect(readFileSync(join(folder, name)).includes(secret)).toBe(false);
    }
    store = await openStore(`sqlite:${join(folder, 'db')}`);
  });

  it('counts by command, user and session, and how many were stopped', async () => {
    await log.append(entry());
    await log.append(
      entry({ word: 'ls', command: 'ls', outcome: 'ran', decision: 'none', rules: [], points: 0 }),
    );
    await log.append(entry({ word: 'ls', command: 'ls', outcome: 'ran', rules: [], points: 0, who: 'bob' }));
    const words = await countCommands(store, 'command', { ...NOTHING, limit: 10 });
    expect(words.map(({ of, commands, stopped, users }) => ({ of, commands, stopped, users }))).toEqual([
      { of: 'ls', commands: 2, stopped: 0, users: 2 },
      { of: 'rm', commands: 1, stopped: 1, users: 1 },
    ]);
    const users = await countCommands(store, 'user', { ...NOTHING, since: 1, limit: 10 });
    expect(users.map(({ of, commands }) => [of, commands])).toEqual([
      ['alice', 2],
      ['bob', 1],
    ]);
  });

  it('counts how often a user has met a rule, over sessions', async () => {
    await log.append(entry());
    await log.append(entry({ at: 9_000 }));
    await log.append(entry({ who: 'bob' }));
    expect(await log.occurrences('u1', 0)).toEqual(new Map([['set/rm', 2]]));
    expect(await log.occurrences('u1', 5_000)).toEqual(new Map([['set/rm', 1]]));
    expect(await log.occurrences('nobody', 0)).toEqual(new Map());
  });

  it('keeps a command of a mebibyte whole', async () => {
    const long = `echo ${'x'.repeat(1_048_576)}`;
    await log.append(entry({ command: long, typed: long }));
    const { rows } = await listCommands(store, { ...NOTHING, limit: 10, after: undefined });
    expect(rows[0]?.command.length).toBe(long.length);
  });
});
