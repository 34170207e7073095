// How unusual sessions are, in real ones: refused before the device is dialled, risk that rises while a session runs, the
// attempts and sessions that are counted, and everything explained. What is usual is put in the store beforehand.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SettingValue } from '../../src/directory/settings.ts';
import { listReauthentications } from '../../src/oversight/demands.ts';
import { listRisks, risksOf, type SessionRiskView, viewOf } from '../../src/oversight/risk-records.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { eventually, logged } from '../gateway/gateway-events.ts';
import { openSite, type Site } from '../harness/site.ts';
import { changeLiveSettings, makePast } from './past.ts';
import { applyPerson, nextCode, PASSWORD, writePolicy } from './person.ts';

let site: Site;
let store: Store;

const makeHistory = (days: number): Promise<void> => makePast(store, { user: 'alice', days });

const set = (settings: Readonly<Record<string, SettingValue>>): Promise<void> =>
  changeLiveSettings({ store, gateway: site.gateway }, settings);

/** The newest session's risk, as the store has it at this moment. */
const newest = async (): Promise<SessionRiskView | undefined> => {
  const { rows } = await listRisks(store, { user: 'alice', limit: 1, after: undefined });
  return rows[0] === undefined ? undefined : viewOf(rows[0]);
};

const lastSession = async (): Promise<Record<string, unknown>> => {
  const [row] = await site.gateway.rows('session', 'list', '--user', 'alice', '--limit', '1');
  if (row === undefined) throw new Error('there is no session');
  return row;
};

const rating = async (): Promise<number> => {
  const row = await store.db
    .selectFrom('ratings')
    .select('rating')
    .where('user_name', '=', 'alice')
    .executeTakeFirst();
  return (row?.rating ?? 500) / 100;
};

beforeAll(async () => {
  site = await openSite();
  writePolicy(site.gateway.folder);
  await logged(site.gateway, 'policy.loaded', 1);
  await applyPerson(site);
  store = await openStore(`sqlite:${join(site.gateway.folder, 'data', 'sallyport.db')}`);
  await makeHistory(20);
});
afterAll(async () => {
  await store?.close();
  await site?.[Symbol.asyncDispose]();
});

describe('a session', () => {
  it('tells how unusual it is and why, with what is usual', async () => {
    expect((await site.alice.ssh(['true'])).code).toBe(0);
    await eventually('its end is noted', async () => (await newest())?.standing === 'learnt');
    const row = await lastSession();
    expect(row).toMatchObject({ risk: 3, suspicious: false, historySessions: 20 });
    expect(String(row['findings'])).toMatch(/origin: 127\.0\.0\.1 \(\+3\); usual: 192\.0\.2\.10 \(20\)/);
  });

  it('is refused before the device is dialled where the settings say so, and its user is told why', async () => {
    await makeHistory(40);
    await set({ 'actions.origin.blockSession': true });
    const refused = await eventually('the setting is in force', async () => {
      const result = await site.alice.ssh(['echo', 'ran']);
      return result.code === 255 ? result : undefined;
    });
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toContain(
      'This is unusual for you: the address you come from (127.0.0.1; usually 192.0.2.10)',
    );
    // The register is told once the user has been.
    await expect
      .poll(lastSession, { timeout: 20_000 })
      .toMatchObject({ endReason: 'unusual-session', action: 'blockSession' });
    // Three of fifteen points cost 0.4, from the least score on that is suspicious.
    expect(await rating()).toBe(5);
    await set({ minimumSuspiciousScore: 3 });
    await eventually('a refused session costs its points', async () => {
      expect((await site.alice.ssh(['true'])).code).toBe(255);
      return (await rating()) < 5;
    });
    const [row] = await site.gateway.rows('rating', 'show', 'alice');
    expect(row).toMatchObject({ cause: 'suspicious-session' });
    expect(Number(row?.['before']) - Number(row?.['after'])).toBeCloseTo(0.4, 5);
    await set({ minimumSuspiciousScore: 5 });
    const looked = await site.gateway.rows('rating', 'what-if', '--set', 'actions.origin.blockSession=false');
    expect(looked.some((found) => String(found['before']).includes('blockSession'))).toBe(true);
    await set({ 'actions.origin.blockSession': false });
    await eventually('the setting is in force', async () => (await site.alice.ssh(['true'])).code === 0);
  });

  it('rises while it runs, with audited commands and with what is moved', async () => {
    using terminal = site.alice.terminal();
    await terminal.until(/[$#] /);
    terminal.type('riser once\r');
    await eventually('the risk of the command shows', async () => {
      const risk = await newest();
      return risk?.score === 7 && risk.suspiciousAt !== undefined;
    });
    const [live] = await site.gateway.rows('session', 'list', '--live', '--user', 'alice');
    expect(live).toMatchObject({ risk: 7, suspicious: true, commandPoints: 4 });
    terminal.type('exit\r');
    await terminal.ended();
    expect((await site.alice.ssh(['head -c 3000000 /dev/zero'])).code).toBe(0);
    await eventually('what was moved shows', async () =>
      (await newest())?.findings.some(({ dimension, points }) => dimension === 'volume' && points === 3),
    );
    const before = await rating();
    const suspicious = String(live?.['id']);
    await eventually(
      'its end is noted',
      async () => (await risksOf(store, [suspicious])).get(suspicious)?.standing === 'suspicious',
    );
    expect((await site.gateway.sallyport(['rating', 'expected', suspicious])).code).toBe(0);
    expect(await rating()).toBeGreaterThan(before);
    const rows = await site.gateway.rows('rating', 'recompute');
    expect(rows).toMatchObject([{ user: 'alice', agrees: true }]);
    const [report] = await site.gateway.rows('report', 'user', 'alice');
    expect(report).toMatchObject({
      lastAddress: '127.0.0.1',
      origins: [{ of: '127.0.0.1' }],
      devices: [{ of: 'web1' }],
      suspicious: expect.arrayContaining([expect.objectContaining({ kind: 'session', id: suspicious })]),
    });
    expect(Number(report?.['signIns'])).toBeGreaterThan(0);
    const { stdout } = await site.gateway.sallyport(['report', 'user', 'alice']);
    expect(stdout).toMatch(/busiest hour +\d\d:00 to \d\d:00 \(\d+ sessions\)/);
    expect(stdout).toMatch(/origin: 127\.0\.0\.1 \(\+3\); usual: 192\.0\.2\.10/);
  });
});

describe('who they are must be proven', () => {
  const prove = async (terminal: ReturnType<Site['alice']['terminal']>): Promise<void> => {
    await terminal.until('Your password: ');
    terminal.type(`${PASSWORD}\r`);
    await terminal.until('Your one-time code: ');
    terminal.type(`${await nextCode()}\r`);
    await terminal.until('Thank you.');
  };

  it('after as many sessions in which audited commands ran as the settings allow', async () => {
    await set({ 'continuousIdentification.highRiskSessions': 2 });
    using terminal = site.alice.terminal();
    await terminal.until(/[$#] /);
    terminal.type('riser twice\r');
    await prove(terminal);
    await terminal.until('\x1b[?1049l');
    terminal.type('exit\r');
    await terminal.ended();
    await set({ 'continuousIdentification.highRiskSessions': 0 });
  });

  it('after so much rating was lost, before anything of the session starts', async () => {
    // What was learnt meanwhile of this machine's address is little beside the rest.
    await makeHistory(160);
    await set({ minimumSuspiciousScore: 3 });
    await set({ 'continuousIdentification.ratingDrop': 0.3 });
    using terminal = site.alice.terminal();
    await prove(terminal);
    await terminal.until(/[$#] /);
    terminal.type('echo started-$((40+2))\r');
    await terminal.until('started-42');
    terminal.type('exit\r');
    await terminal.ended();
    const [asked] = await site.gateway.rows('reauthentication', 'list', '--user', 'alice');
    expect(asked).toMatchObject({ trigger: 'ratingDrop', outcome: 'passed', method: 'password+totp' });
    await set({ 'continuousIdentification.ratingDrop': 0 });
    await set({ minimumSuspiciousScore: 15 });
  });

  it('after attempts at times that the grant prohibits, which are refused', async () => {
    await set({ 'continuousIdentification.sessionAttemptsAtProhibitedTimes': 1 });
    const day = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7];
    await site.gateway.apply({
      grants: [
        {
          name: 'web',
          users: ['alice'],
          devices: ['web1'],
          channels: ['shell', 'exec'],
          times: `${day} 08:00-09:00 UTC`,
        },
      ],
    });
    const refused = await eventually('the grant is in force', async () => {
      const result = await site.alice.ssh(['true']);
      return result.code === 255 ? result : undefined;
    });
    expect(refused.stderr).toContain('at these times only');
    await eventually('it was asked', async () => {
      const { rows } = await listReauthentications(store, { user: 'alice', limit: 1, after: undefined });
      return rows[0]?.trigger_name === 'sessionAttemptsAtProhibitedTimes' && rows[0].outcome === 'waiting';
    });
  });
});
