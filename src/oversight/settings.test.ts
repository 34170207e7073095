// Changing settings on a real SQLite file: who may put what, what is written of it, and that whoever lives on them knows.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isSettingKey, SETTINGS, settingProblem } from '../directory/settings.ts';
import { createEventLog, type EventLog, readEvents } from '../events/event-log.ts';
import { openStore, type Store } from '../store/store.ts';
import { LiveSettings } from './live-settings.ts';
import { changeSettings, listSettings, settingHistory } from './settings.ts';

let folder: string;
let store: Store;
let events: EventLog;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-settings-'));
  store = await openStore(`sqlite:${join(folder, 'db')}`);
  events = createEventLog(store);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const by = { actor: 'cli:alice', now: 5_000 };

describe('settings', () => {
  it('have defaults within their own ranges, and refuse what is beyond', () => {
    for (const [key, rule] of Object.entries(SETTINGS)) {
      if (!isSettingKey(key)) throw new Error(key);
      expect(settingProblem(key, rule.standard), key).toBeUndefined();
      if (rule.type === 'integer' || rule.type === 'number') {
        expect(settingProblem(key, rule.minimum), key).toBeUndefined();
        expect(settingProblem(key, rule.maximum), key).toBeUndefined();
        expect(settingProblem(key, rule.minimum - 1), key).toContain('from');
        expect(settingProblem(key, rule.maximum + 1), key).toContain('from');
        expect(settingProblem(key, Number.NaN), key).toContain('from');
      }
    }
    expect(settingProblem('minimumSuspiciousScore', 1.5)).toContain('a whole number');
    expect(settingProblem('session.timeZone', 'Mars/Olympus')).toContain('time zone');
    expect(settingProblem('actions.time.blockSession', 'yes')).toContain('true or false');
  });

  it('are changed all or none, with who, before and after', async () => {
    await changeSettings({ store, events }, new Map([['session.historyDays', 30]]), by);
    const wrong = new Map<string, number>([
      ['session.variationRate', 25],
      ['session.weights.time', 4],
    ]);
    await expect(changeSettings({ store, events }, wrong, by)).rejects.toMatchObject({ code: 'SP_INVALID' });
    const values = new Map((await listSettings(store)).map(({ key, value }) => [key, value]));
    expect(values.get('session.historyDays')).toBe(30);
    expect(values.get('session.variationRate')).toBe(10);
    const { rows } = await settingHistory(store, {
      key: undefined,
      since: undefined,
      limit: 10,
      after: undefined,
    });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ actor: 'cli:alice', name: 'session.historyDays', at: 5_000 });
    expect(JSON.parse(rows[0]?.before_json ?? '')).toEqual({ value: 90 });
    expect(JSON.parse(rows[0]?.after_json ?? '')).toEqual({ value: 30 });
    const { events: written } = await readEvents(store, { limit: 10, after: undefined });
    expect(written).toMatchObject([
      { kind: 'setting-changed', key: 'session.historyDays', before: 90, after: 30 },
    ]);
  });

  it('are in force at once where they are lived on', async () => {
    using live = await LiveSettings.open(store);
    expect(live.current.minimumSuspiciousScore).toBe(5);
    const changed = new Promise<void>((resolve) => {
      live.onChange(() => resolve());
    });
    await changeSettings({ store, events }, new Map([['minimumSuspiciousScore', 3]]), by);
    await changed;
    expect(live.current.minimumSuspiciousScore).toBe(3);
  });

  it('put nothing in an audit queue that nobody could look at', async () => {
    const wanted = new Map([['session.submitHighRiskToAudit', true]]);
    await expect(changeSettings({ store, events }, wanted, by)).rejects.toThrow('auditor');
  });
});
