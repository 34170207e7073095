// How unusual sessions are, in real ones: refused before the device is dialled, risk that rises while a session runs, the
// attempts and sessions that are counted, and everything explained. What is usual is put in the store beforehand.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { learnSession } from '../../src/oversight/profiles.ts';
import { openStore } from '../../src/store/store.ts';
import { eventually, logged } from '../gateway/gateway-events.ts';
import { openSite, type Site } from '../harness/site.ts';
import { applyPerson, nextCode, PASSWORD, writePolicy } from './person.ts';

const DAY = 86_400_000;
let site: Site;

/** Twenty sessions at this hour, on the device and the account that alice uses, from an address of the office. */
const makeHistory = async (origin: string): Promise<void> => {
  const store = await openStore(`sqlite:${join(site.gateway.folder, 'data', 'sallyport.db')}`);
  try {
    const alice = await store.db
      .selectFrom('users')
      .select('id')
      .where('name', '=', 'alice')
      .executeTakeFirstOrThrow();
    const now = Date.now();
    for (let day = 1; day <= 20; day += 1) {
      await learnSession(
        store,
        { userId: alice.id, peers: 'everybody' },
        {
          startedAt: now - day * DAY,
          target: 'web1',
          origin,
          credential: 'web1-login',
          duration: 600,
          bytes: 0,
          privileged: false,
        },
        { now, historyDays: 90, timeZone: 'UTC' },
      );
    }
  } finally {
    await store.close();
  }
};

const set = async (key: string, value: string): Promise<void> => {
  const { code, stderr } = await site.gateway.sallyport(['setting', 'set', key, value]);
  if (code !== 0) throw new Error(stderr);
};

const lastSession = async (): Promise<Record<string, unknown>> => {
  const [row] = await site.gateway.rows('session', 'list', '--user', 'alice', '--limit', '1');
  if (row === undefined) throw new Error('there is no session');
  return row;
};

const rating = async (): Promise<unknown> =>
  (await site.gateway.rows('rating', 'list')).find((row) => row['user'] === 'alice')?.['rating'];

beforeAll(async () => {
  site = await openSite();
  writePolicy(site.gateway.folder);
  await logged(site.gateway, 'policy.loaded', 1);
  await applyPerson(site);
  await makeHistory('192.0.2.10');
});
afterAll(() => site[Symbol.asyncDispose]());

describe('a session', () => {
  it('tells how unusual it is and why, with what is usual', async () => {
    expect((await site.alice.ssh(['true'])).code).toBe(0);
    const row = await eventually('its end is noted', async () => {
      const found = await lastSession();
      return found['standing'] === 'learnt' ? found : undefined;
    });
    expect(row).toMatchObject({ risk: 3, suspicious: false, historySessions: 20 });
    expect(String(row['findings'])).toMatch(/origin: 127\.0\.0\.1 \(\+3\); usual: 192\.0\.2\.10 \(20\)/);
  });

  it('is refused before the device is dialled where the settings say so, and its user is told why', async () => {
    await makeHistory('192.0.2.10');
    await makeHistory('192.0.2.10');
    await set('actions.origin.blockSession', 'true');
    const refused = await eventually('the setting is in force', async () => {
      const result = await site.alice.ssh(['echo', 'ran']);
      return result.code === 255 ? result : undefined;
    });
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toContain(
      'This is unusual for you: the address you come from (127.0.0.1; usually 192.0.2.10)',
    );
    expect(await lastSession()).toMatchObject({ endReason: 'unusual-session', action: 'blockSession' });
    // Three of fifteen points cost 0.4, from the least score on that is suspicious.
    expect(await rating()).toBe(5);
    await set('minimumSuspiciousScore', '3');
    await eventually('a refused session costs its points', async () => {
      expect((await site.alice.ssh(['true'])).code).toBe(255);
      return Number(await rating()) < 5;
    });
    const [row] = await site.gateway.rows('rating', 'show', 'alice');
    expect(row).toMatchObject({ cause: 'suspicious-session' });
    expect(Number(row?.['before']) - Number(row?.['after'])).toBeCloseTo(0.4, 5);
    await set('minimumSuspiciousScore', '5');
    const looked = await site.gateway.rows('rating', 'what-if', '--set', 'actions.origin.blockSession=false');
    expect(looked.some((found) => String(found['before']).includes('blockSession'))).toBe(true);
    await set('actions.origin.blockSession', 'false');
    await eventually('the setting is in force', async () => (await site.alice.ssh(['true'])).code === 0);
  });

  it('rises while it runs, with audited commands and with what is moved', async () => {
    using terminal = site.alice.terminal();
    await terminal.until(/[$#] /);
    terminal.type('riser once\r');
    await eventually('the risk of the command shows', async () => {
      const [row] = await site.gateway.rows('session', 'list', '--live', '--user', 'alice');
      return row?.['risk'] === 7 && row['suspicious'] === true;
    });
    terminal.type('exit\r');
    await terminal.ended();
    expect((await site.alice.ssh(['head -c 3000000 /dev/zero'])).code).toBe(0);
    await eventually('what was moved shows', async () =>
      String((await lastSession())['findings']).includes('volume: 2.9 MiB (+3)'),
    );
    const before = await rating();
    const suspicious = (await site.gateway.rows('session', 'list', '--user', 'alice')).find(
      (row) => row['standing'] === 'suspicious',
    );
    expect((await site.gateway.sallyport(['rating', 'expected', String(suspicious?.['id'])])).code).toBe(0);
    expect(await rating()).toBeGreaterThan(Number(before));
    const rows = await site.gateway.rows('rating', 'recompute');
    expect(rows).toMatchObject([{ user: 'alice', agrees: true }]);
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
    await set('continuousIdentification.highRiskSessions', '2');
    using terminal = site.alice.terminal();
    await terminal.until(/[$#] /);
    terminal.type('riser twice\r');
    await prove(terminal);
    await terminal.until('\x1b[?1049l');
    terminal.type('exit\r');
    await terminal.ended();
    await set('continuousIdentification.highRiskSessions', '0');
  });

  it('after so much rating was lost, before anything of the session starts', async () => {
    // What was learnt meanwhile of this machine's address is little beside the rest.
    for (let times = 0; times < 8; times += 1) await makeHistory('192.0.2.10');
    await set('minimumSuspiciousScore', '3');
    await set('continuousIdentification.ratingDrop', '0.3');
    using terminal = site.alice.terminal();
    await prove(terminal);
    await terminal.until(/[$#] /);
    terminal.type('echo started-$((40+2))\r');
    await terminal.until('started-42');
    terminal.type('exit\r');
    await terminal.ended();
    const [asked] = await site.gateway.rows('reauthentication', 'list', '--user', 'alice');
    expect(asked).toMatchObject({ trigger: 'ratingDrop', outcome: 'passed', method: 'password+totp' });
    await set('continuousIdentification.ratingDrop', '0');
    await set('minimumSuspiciousScore', '15');
  });

  it('after attempts at times that the grant prohibits, which are refused', async () => {
    await set('continuousIdentification.sessionAttemptsAtProhibitedTimes', '1');
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
      const [row] = await site.gateway.rows('reauthentication', 'list', '--user', 'alice');
      return row?.['trigger'] === 'sessionAttemptsAtProhibitedTimes' && row['outcome'] === 'waiting';
    });
  });
});
