// Policies from real files: a change is heard, a broken file changes nothing but the log, and a set that can't be used
// keeps the gateway from starting unless a last good one is kept.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LivePolicies, loadPolicySource, PolicyError, type PolicySource } from './policies.ts';

let root: string;
let source: PolicySource;
let live: LivePolicies | undefined;
const events: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
const waiting = new Set<() => void>();
const note = (event: string, fields: Readonly<Record<string, unknown>>): void => {
  events.push({ event, fields });
  for (const look of [...waiting]) look();
};
const heard = (event: string, count = 1): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (events.filter((entry) => entry.event === event).length < count) return;
      waiting.delete(look);
      resolve();
    };
    waiting.add(look);
    look();
  });

const rule = (name: string): string =>
  `name: ${name}\nrules:\n  - {name: one, match: "touch *", action: block}\n`;

beforeEach(() => {
  events.length = 0;
  waiting.clear();
  root = mkdtempSync(join(tmpdir(), 'sallyport-policies-'));
  mkdirSync(join(root, 'policies'));
  source = { folder: join(root, 'policies'), packs: [], lastGood: join(root, 'last-good.json') };
});
afterEach(() => {
  live?.[Symbol.dispose]();
  live = undefined;
  rmSync(root, { recursive: true, force: true });
});

const open = async (): Promise<LivePolicies> => {
  live = await LivePolicies.open(source, { info: note, warn: note, error: note });
  return live;
};

describe('policies from files', () => {
  it('are loaded again when a file changes, and whoever asked is told', async () => {
    writeFileSync(join(source.folder, 'a.yaml'), rule('a'));
    const policies = await open();
    const before = policies.current.version;
    const told = new Promise<void>((resolve) => policies.onChange(resolve));
    writeFileSync(join(source.folder, 'b.yaml'), rule('b'));
    await told;
    expect(policies.current.version).not.toBe(before);
    expect(policies.current.size).toBe(2);
  });

  it('stay as they were when a file is broken, and the place is logged', async () => {
    writeFileSync(join(source.folder, 'a.yaml'), rule('a'));
    const policies = await open();
    const before = policies.current.version;
    writeFileSync(
      join(source.folder, 'a.yaml'),
      'name: a\nrules:\n  - {name: one, match: "x", action: explode}\n',
    );
    await heard('policy.rejected');
    expect(policies.current.version).toBe(before);
    expect(JSON.stringify(events.at(-1)?.fields['problems'])).toMatch(/a\.yaml:3:/);
  });

  it('stay when the whole folder vanishes', async () => {
    writeFileSync(join(source.folder, 'a.yaml'), rule('a'));
    const policies = await open();
    rmSync(source.folder, { recursive: true });
    await policies.reload();
    expect(policies.current.size).toBe(1);
    expect(events.at(-1)?.event).toBe('policy.rejected');
  });

  it('that are broken from the start are refused', async () => {
    writeFileSync(join(source.folder, 'a.yaml'), 'name: [');
    await expect(open()).rejects.toThrow(PolicyError);
    await expect(loadPolicySource(source)).rejects.toThrow(/a\.yaml:1/);
  });

  it('of the last good load serve a worker that starts while the files are broken', async () => {
    writeFileSync(join(source.folder, 'a.yaml'), rule('a'));
    const first = await open();
    const good = first.current.version;
    first[Symbol.dispose]();
    writeFileSync(join(source.folder, 'a.yaml'), 'name: [');
    expect((await open()).current.version).toBe(good);
    expect(events.some((entry) => entry.event === 'policy.rejected')).toBe(true);
  });

  it('hold packs that ship only when they are named', async () => {
    expect((await loadPolicySource(source)).rules).toBe(0);
    expect((await loadPolicySource({ ...source, packs: ['destructive'] })).rules).toBeGreaterThan(3);
    await expect(loadPolicySource({ ...source, packs: ['nothing-such'] })).rejects.toThrow(
      /there is no pack/,
    );
  });
});
