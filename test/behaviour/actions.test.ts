// What follows from an unusual session and from a proof that does not come, in real SSH sessions: each dimension's
// refusal at the start, the end of a session that lasts too long, a user who is disabled, the time-out of a proof, what
// a view of a credential at a prohibited time asks for, and sessions without a terminal that end instead of waiting.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActionDimension } from '../../src/behaviour/session-measure.ts';
import type { SettingValue } from '../../src/directory/settings.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { eventually } from '../gateway/gateway-events.ts';
import { openSite, type Site } from '../harness/site.ts';
import type { SshUser } from '../harness/ssh.ts';
import type { TypedTerminal } from '../harness/terminal.ts';
import { changeLiveSettings, makePast, makeTypingHabit } from './past.ts';
import { PASSWORD } from './person.ts';

const PEOPLE = ['carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy'] as const;
type Person = (typeof PEOPLE)[number];
const HALF_DAY = 43_200_000;
/** What became of something is written a moment after its user has been told. */
const STORED = { timeout: 20_000 };
/** A proof that does not come is waited for half a minute, and a session is too long from a minute on. */
const SLOW = 120_000;

let site: Site;
let store: Store;
/** dave's session, which will have lasted too long, and erin's, in which nobody answers. */
let long: TypedTerminal;
let silent: TypedTerminal;

const as = (person: Person): SshUser => site.alice.as(`${person}@${site.device.account.name}@web1`);

const set = (settings: Readonly<Record<string, SettingValue>>): Promise<void> =>
  changeLiveSettings({ store, gateway: site.gateway }, settings);

const shellOf = async (person: Person): Promise<TypedTerminal> => {
  const terminal = as(person).terminal();
  await terminal.until(/[$#] /);
  return terminal;
};

const lastSession = async (person: Person): Promise<Record<string, unknown> | undefined> => {
  const [row] = await site.gateway.rows('session', 'list', '--user', person, '--limit', '1');
  return row;
};

const asked = (person: Person): Promise<Record<string, unknown>[]> =>
  site.gateway.rows('reauthentication', 'list', '--user', person);

const isDisabled = async (person: Person): Promise<boolean> => {
  const row = await store.db
    .selectFrom('users')
    .select('disabled_reason')
    .where('name', '=', person)
    .executeTakeFirst();
  return typeof row?.disabled_reason === 'string';
};

beforeAll(async () => {
  const otherDay = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 3) % 7];
  site = await openSite({
    // What one session shows to be in force is so for the next one.
    gateway: { ssh: { workers: 1 } },
    directory: (_device, key) => ({
      users: PEOPLE.map((name) => ({
        name,
        keys: [key.publicKey],
        password: PASSWORD,
        authentication: [['publickey']],
        roles: ['engineer'],
        // Nobody's habits make those of somebody else less unusual.
        department: name,
      })),
      grants: [
        {
          name: 'all',
          users: PEOPLE.filter((name) => name !== 'grace'),
          devices: ['web1'],
          channels: ['shell', 'exec'],
        },
        {
          name: 'impatient',
          users: ['grace'],
          devices: ['web1'],
          channels: ['shell', 'exec'],
          nonInteractive: 'end',
        },
        {
          name: 'views',
          users: ['frank'],
          devices: ['web1'],
          channels: [],
          viewCredentials: true,
          times: `${otherDay} 08:00-09:00 UTC`,
        },
      ],
    }),
  });
  store = await openStore(`sqlite:${join(site.gateway.folder, 'data', 'sallyport.db')}`);
  const here = { origin: '127.0.0.1' };
  await makePast(store, {
    user: 'dave',
    days: 20,
    session: { ...here, duration: 1 },
    peers: 'department:dave',
  });
  await makePast(store, { user: 'carol', days: 20, peers: 'department:carol' });
  for (const user of ['heidi', 'ivan'])
    await makePast(store, {
      user,
      days: 20,
      session: { startedAt: Date.now() - HALF_DAY, target: 'db9', credential: 'db9-login' },
      peers: `department:${user}`,
    });
  await set({ 'actions.duration.blockSession': true, 'continuousIdentification.patienceSeconds': 30 });
  long = await shellOf('dave');
  silent = await shellOf('erin');
  await eventually('the new time is in force', async () => {
    await site.gateway.sallyport(['reauthentication', 'require', 'erin', '--reason', 'a test']);
    const told = await silent.until(/It ends in \d+ min/);
    await silent.until('Your password: ');
    if (told.endsWith(' 1 min')) return true;
    await site.gateway.sallyport(['reauthentication', 'waive', 'erin']);
    await silent.until('\x1b[?1049l');
    return false;
  });
  await set({ 'continuousIdentification.patienceSeconds': 300 });
});
afterAll(async () => {
  long?.[Symbol.dispose]();
  silent?.[Symbol.dispose]();
  await store?.close();
  await site?.[Symbol.asyncDispose]();
});

describe('an unusual start', () => {
  const start = ['target', 'origin', 'credential', 'time'] as const satisfies readonly ActionDimension[];
  it.each(start)('is refused for its %s when the settings say so, and not otherwise', async (dimension) => {
    const setting = `actions.${dimension}.blockSession`;
    await eventually('nothing refuses it', async () => (await as('heidi').ssh(['true'])).code === 0);
    await set({ [setting]: true });
    const refused = await eventually('the setting is in force', async () => {
      const result = await as('heidi').ssh(['echo', 'ran']);
      return result.code === 255 ? result : undefined;
    });
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toMatch(/This is unusual for you: .*usually db9.*your administrator/s);
    await expect
      .poll(() => lastSession('heidi'), STORED)
      .toMatchObject({ endReason: 'unusual-session', action: 'blockSession' });
    await set({ [setting]: false });
  });

  it('disables its user where the settings say so, ends what they have open, and says why', async () => {
    using open = await shellOf('carol');
    await set({ 'actions.origin.blockSessionAndUser': true });
    // The session that is open is as unusual, and a setting is in force at once.
    const told = await open.until('your administrator');
    expect(told).toContain('This session ends. This is unusual for you: the address you come from');
    expect((await open.ended()).code).toBe(255);
    await expect.poll(() => isDisabled('carol'), STORED).toBe(true);
    const refused = await as('ivan').ssh(['echo', 'ran']);
    expect(refused).toMatchObject({ code: 255, stdout: '' });
    expect(refused.stderr).toContain('This session was not opened. This is unusual for you: ');
    await expect.poll(() => isDisabled('ivan'), STORED).toBe(true);
    await expect
      .poll(() => lastSession('ivan'), STORED)
      .toMatchObject({ endReason: 'unusual-session', action: 'blockSessionAndUser' });
    await set({ 'actions.origin.blockSessionAndUser': false });
    const back = await as('ivan').ssh(['true']);
    expect(back.stderr).toContain('Permission denied');
  });
});

describe('who they are must be proven', () => {
  it('after attempts to see a credential at times that the grant prohibits, in the session that runs', async () => {
    using terminal = await shellOf('frank');
    await set({ 'continuousIdentification.viewAttemptsAtProhibitedTimes': 1 });
    const view = ['credential', 'view', 'web1-login', '--as', 'frank', '--reason', 'a look', '--json'];
    const refused = await site.gateway.sallyport(view);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('prohibited-time');
    await terminal.until('you tried once to see a credential outside your hours');
    await terminal.until('Your password: ');
    terminal.type(`${PASSWORD}\r`);
    await terminal.until('\x1b[?1049l');
    terminal.type('echo after-$((40+2))\r');
    await terminal.until('after-42');
    terminal.type('exit\r');
    await terminal.ended();
    await expect
      .poll(() => asked('frank'), STORED)
      .toMatchObject([{ trigger: 'viewAttemptsAtProhibitedTimes', outcome: 'passed', method: 'password' }]);
  });

  it('when what is typed is unlike their habit, and the session goes to the auditors', async () => {
    await makeTypingHabit(store, 'judy', {
      own: ['vi', 'make', 'git', 'ls', 'cd'],
      theirs: ['id', 'uname', 'whoami', 'hostname', 'tty', 'date'],
    });
    await set({ 'actions.commands.reauthenticate': true, 'actions.commands.submitToAudit': true });
    using terminal = await shellOf('judy');
    terminal.type('id; uname; whoami; hostname; tty; date\r');
    await terminal.until('what is typed is unlike what you usually type');
    await terminal.until('Your password: ');
    terminal.type(`${PASSWORD}\r`);
    await terminal.until('\x1b[?1049l');
    terminal.type('exit\r');
    await terminal.ended();
    await expect
      .poll(() => asked('judy'), STORED)
      .toMatchObject([{ trigger: 'unusualCommands', outcome: 'passed' }]);
    await expect
      .poll(() => site.gateway.rows('audit', 'list', '--user', 'judy'), STORED)
      .toMatchObject([{ user: 'judy', state: 'open' }]);
    await set({ 'actions.commands.reauthenticate': false, 'actions.commands.submitToAudit': false });
  });

  it('at once where a grant lets no session without a terminal wait', async () => {
    const running = as('grace').ssh(['echo begun; sleep 600']);
    await eventually('the command runs', async () => {
      const rows = await site.gateway.rows('command', 'list', '--user', 'grace');
      return rows.some((row) => String(row['command']).includes('begun'));
    });
    await site.gateway.sallyport(['reauthentication', 'require', 'grace']);
    const ended = await running;
    expect(ended.code).toBe(255);
    expect(ended.stderr).toContain('You have to prove who you are: sign in again.');
    await expect
      .poll(() => lastSession('grace'), STORED)
      .toMatchObject({ endReason: 'identification-required' });
  });

  it(
    'in time, or the session ends and it is asked for again at the next sign-in',
    async () => {
      await silent.until('Nobody has proven in time who is there, so this session ends.', SLOW);
      expect((await silent.ended()).code).toBe(255);
      await expect
        .poll(async () => (await asked('erin')).map(({ outcome }) => outcome), STORED)
        .toEqual(expect.arrayContaining(['waiting', 'timed-out']));
      await expect
        .poll(() => lastSession('erin'), STORED)
        .toMatchObject({ endReason: 'identification-failed' });
      const [lost] = await site.gateway.rows('rating', 'show', 'erin');
      expect(lost).toMatchObject({ cause: 're-authentication-failed', before: 5, after: 3 });
      expect((await as('erin').ssh(['true'])).code).toBe(255);
    },
    SLOW,
  );
});

it(
  'a session that lasts longer than its user’s usually do ends while it runs, and its user is told why',
  async () => {
    const told = await long.until('your administrator', SLOW);
    expect(told).toMatch(
      /This session ends\. This is unusual for you: how long it takes \(\d+ s; usually 1 s\)/,
    );
    expect((await long.ended()).code).toBe(255);
    await expect
      .poll(() => lastSession('dave'), STORED)
      .toMatchObject({ endReason: 'unusual-session', action: 'blockSession' });
    expect(await isDisabled('dave')).toBe(false);
  },
  SLOW,
);
