// The console in a real browser, beside a gateway with real sessions: each page as it is used, what it looks like to axe in
// both colour schemes, and that nothing a user or a device chose gets out of its place as text.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import xterm from '@xterm/headless';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiCaller, apiUrl, rowOf } from '../api/caller.ts';
import { eventually, logLines } from '../gateway/gateway-events.ts';
import { haveSshd } from '../harness/need.ts';
import { freePort } from '../harness/scratch.ts';
import { openSite, type Site } from '../harness/site.ts';
import { Collector } from '../siem/collectors.ts';
import { buildConsole, ConsoleBrowser, haveChromium } from './browser.ts';

const password = 'dana-has-a-password';
const HOSTILE = `echo '<img src=x onerror=document.title=1>' '\u202egnp.exe'`;

describe.skipIf(!haveSshd || !haveChromium)('the console', () => {
  let site: Site;
  let browser: ConsoleBrowser;
  let dana: ApiCaller;
  let collector: Collector;
  beforeAll(async () => {
    buildConsole();
    collector = await Collector.open(0);
    const closed = await freePort();
    site = await openSite({
      gateway: {
        admin: { listen: '127.0.0.1:0' },
        ssh: { workers: 1 },
        config: {
          siem: {
            outputs: [
              {
                name: 'taker',
                kind: 'syslog',
                transport: 'tcp',
                address: `127.0.0.1:${collector.port}`,
                events: ['user-disabled'],
              },
              {
                name: 'nobody',
                kind: 'webhook',
                url: `http://127.0.0.1:${closed}/`,
                events: ['user-disabled'],
              },
            ],
          },
        },
      },
      directory: () => ({
        users: [{ name: 'dana', password, roles: ['administrator', 'auditor'] }],
      }),
    });
    const url = await apiUrl(site.gateway);
    dana = await ApiCaller.signIn(url, 'dana', password);
    browser = await ConsoleBrowser.open(url);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await collector?.[Symbol.asyncDispose]();
  });

  const heading = (name: string | RegExp) => browser.page.getByRole('heading', { level: 1, name });
  const found: string[] = [];

  it('asks who one is, says no to a wrong password, and lets one in', async () => {
    const { page } = browser;
    await page.goto('/sessions');
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    const named = page.getByRole('alert', { name: 'Passkeys need a name' }).getByRole('link');
    expect(await named.getAttribute('href')).toBe(`${dana.url.replace('127.0.0.1', 'localhost')}/sessions`);
    await page.getByRole('textbox', { name: 'Name' }).fill('dana');
    await page.getByLabel(/^Password/).fill('wrong');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('alert').getByText('SP_API_SIGN_IN_FAILED').waitFor();
    found.push(...(await browser.audit('sign-in')));
    await browser.signIn('dana', password);
    await page.locator('.recharts-surface').or(page.getByText('No commands today')).first().waitFor();
    const bytes = await page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map((entry): unknown => Reflect.get(entry, 'encodedBodySize'))
        .reduce((sum: number, size) => sum + (typeof size === 'number' ? size : 0), 0),
    );
    expect(bytes).toBeLessThan(500 * 1024);
    found.push(...(await browser.audit('overview-empty')));
  });

  it('shows a session as it goes on, holds it, releases it and ends it', async () => {
    const { page } = browser;
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    await page.getByRole('table', { name: 'Live sessions' }).getByRole('link', { name: 'alice' }).click();
    await heading(/^alice as .* on web1$/).waitFor();
    const rows = page.locator('.xterm-rows');
    await rows.getByText('device$').first().waitFor();
    terminal.type('echo seen-$((40+2))\r');
    await rows.getByText('seen-42').first().waitFor();
    found.push(...(await browser.audit('session-live')));
    await page.getByRole('button', { name: 'Hold' }).click();
    await page.getByRole('button', { name: 'Release' }).click();
    await page.getByRole('button', { name: 'Hold' }).waitFor();
    await page.getByRole('button', { name: 'End session' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('That was all.');
    found.push(...(await browser.audit('session-end')));
    await dialog.getByRole('button', { name: 'End session' }).click();
    await terminal.until('That was all.');
    await terminal.ended();
  });

  it('replays the recording as a terminal would have shown it, and says that it is proved', async () => {
    const { page } = browser;
    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    terminal.type('for i in 1 2 3; do printf "\\033[3%smline-%s\\033[0m\\n" $i $i; done\r');
    await terminal.until('line-3');
    await terminal.until('device$ ');
    terminal.type(`${HOSTILE}\r`);
    await terminal.until('onerror');
    await terminal.until('device$ ');
    terminal.type('printf "\\033[2J\\033[5;10Hplaced-$((6*7))"\r');
    await terminal.until('placed-42');
    terminal.type('exit\r');
    await terminal.ended();
    const session = await eventually('the session has ended', async () => {
      const [newest] = await dana.items('/api/sessions');
      return newest?.['live'] === false && newest;
    });
    const path = `/sessions/${String(session['id'])}`;
    await page.goto(path);
    await page.getByText('proved: whole and unchanged').waitFor();
    const events = await (await dana.fetch('GET', `/api/recordings/${String(session['id'])}/events`)).text();
    const lines = events
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Record<string, unknown> => JSON.parse(line));
    const [shape] = lines;
    const moments = lines.filter(({ text }) => typeof text === 'string').map(({ at }) => Number(at));
    for (const part of [0.3, 0.6, 1]) {
      const second = moments[Math.ceil(moments.length * part) - 1] ?? 0;
      await page.goto(`${path}?at=${second}`);
      await page.locator('.xterm-rows').waitFor();
      const reference = new xterm.Terminal({
        cols: Number(shape?.['columns']),
        rows: Number(shape?.['rows']),
        allowProposedApi: true,
      });
      for (const { at, text } of lines)
        if (typeof text === 'string' && Number(at) <= second)
          await new Promise<void>((resolve) => reference.write(text, resolve));
      const buffer = reference.buffer.active;
      const wanted = Array.from({ length: reference.rows }, (_, row) =>
        (buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? '').trimEnd(),
      ).join('\n');
      let shown = '';
      await eventually(`the screen at ${second} s`, async () => {
        const rows = await page
          .locator('.xterm-rows > div')
          .evaluateAll((all) =>
            all.map((row) => (row.textContent ?? '').replaceAll('\u00a0', ' ').trimEnd()),
          );
        shown = rows.join('\n');
        return shown === wanted;
      }).catch(() => undefined);
      expect(shown).toBe(wanted);
      // No blank screen is like another. Where pieces of the output end is the device's affair, so the prompt that the
      // last command has cleared may be there again or not.
      expect(shown).toMatch(part < 1 ? /device\$|placed-42/ : /placed-42/);
    }
    await page.getByLabel('Search the screen').fill('line-2');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText(/\d found/).waitFor();
    found.push(...(await browser.audit('session-recorded')));
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('list', { name: 'Commands and events' }).getByText('placed').click();
    await page.getByRole('button', { name: 'Play' }).click();
    await page.getByRole('tab', { name: 'Commands' }).click();
    await page.getByText('<img src=x onerror').first().waitFor();
    await page.getByText('\\u{202e}gnp.exe').first().waitFor();
    found.push(...(await browser.audit('session-commands')));
    expect(await page.title()).toBe('Session · Sallyport');
    expect(await page.locator('img[src="x"]').count()).toBe(0);
  });

  it('shows audited commands in their views, filtered by the address, and exports them', async () => {
    const { page } = browser;
    await page.goto('/commands?user=alice');
    await page.getByText('<img src=x onerror').first().waitFor();
    found.push(...(await browser.audit('commands')));
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    const csv = readFileSync(await (await saved).path(), 'utf8');
    expect(csv.split('\r\n')[0]).toBe('At,User,Device,Command,Outcome,Rule,Criticality,Points,Read');
    expect(csv).toContain('alice');
    for (const view of ['By command', 'By device', 'By credential', 'By user', 'Sessions with occurrences']) {
      await page.getByText(view, { exact: true }).click();
      await page.getByRole('columnheader', { name: 'Met a rule' }).waitFor();
    }
    await page.getByText('By command', { exact: true }).click();
    await page.getByRole('link', { name: 'printf', exact: true }).click();
    await page.waitForURL(/word=printf/);
  });

  it('tries a rule as it is written, back-tests it, publishes it and rolls it back', async () => {
    const { page } = browser;
    await page.goto('/policies');
    await page.getByText('1 rule, 2 tests passed').waitFor();
    await page.getByLabel('A line, as somebody would type it').fill('sudo sh -c "reboot now"');
    await page.getByRole('alert').filter({ hasText: 'my-rules/no shutdown' }).waitFor();
    found.push(...(await browser.audit('policies')));
    await page.getByLabel('Why').fill('no device is stopped by accident');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.waitForURL(/file=my-rules.yaml/);
    const editor = page.getByRole('textbox', { name: 'Rules' });
    await editor.click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('  - name: broken\n');
    await page.getByText(/\d mistakes/).waitFor();
    expect(await page.getByRole('button', { name: 'Publish' }).isDisabled()).toBe(true);
    await page.getByRole('tab', { name: 'Back-test' }).click();
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByText('no device is stopped by accident').waitFor();
    await page.getByRole('button', { name: 'Difference' }).click();
    await page.getByText('The same as what is in force.').waitFor();
    found.push(...(await browser.audit('policies-history')));
  });

  it('plays beside what was moved, what was stopped, and how the risk went', async () => {
    const { page } = browser;
    writeFileSync(
      join(site.gateway.folder, 'policies', 'words.yaml'),
      'name: words\nrules:\n  - name: no word\n    match: ["echo forbidden **"]\n    action: block\n    criticality: high\n',
    );
    await eventually('the workers have both rules', () =>
      logLines(site.gateway).find(({ event, rules }) => event === 'policy.loaded' && rules === 2),
    );
    const sent = site.scratch.path('sent.bin');
    writeFileSync(sent, Buffer.alloc(300_000, 7));
    const moved = await site.alice.sftp([`put ${sent} received.bin`]);
    expect(moved.code, moved.stderr).toBe(0);
    const [newest] = await dana.items('/api/sessions?limit=1');
    const files = await eventually('the file is in the log with its hash', async () => {
      const { body } = await dana.ask('GET', `/api/sessions/${String(newest?.['id'])}/transfers`);
      const [file] = Array.isArray(body['files']) ? body['files'].map(rowOf) : [];
      return file !== undefined && { session: String(newest?.['id']), hash: String(file['sha256']) };
    });
    await page.goto(`/sessions/${files.session}?tab=transfers`);
    await page
      .getByRole('table', { name: `files-${files.session}` })
      .getByText(files.hash)
      .waitFor();
    await page.getByText('293.0 KiB').waitFor();
    found.push(...(await browser.audit('session-transfers')));
    await page.getByRole('tab', { name: 'Recording' }).click();
    await page.getByText('Nothing was shown on a terminal').waitFor();
    await page.getByRole('list', { name: 'Commands and events' }).getByText(files.hash).waitFor();

    using terminal = site.alice.terminal();
    await terminal.until('device$ ');
    terminal.type('echo allowed\r');
    await terminal.until('device$ ');
    terminal.type('echo forbidden words\r');
    await terminal.until('Not run');
    await terminal.until('device$ ');
    terminal.type('\x1d');
    await terminal.until('q  back');
    terminal.type('e');
    await terminal.until('Why do you need it?');
    terminal.type('words of \u202ealice\r');
    await terminal.until('waits for an administrator');
    terminal.type('q');
    await terminal.until('\x1b[?1049l');
    terminal.type('exit\r');
    await terminal.ended();
    const session = await eventually('the session has ended', async () => {
      const [one] = await dana.items('/api/sessions?limit=1');
      return one?.['live'] === false && one['id'] !== files.session && String(one['id']);
    });
    await page.goto(`/sessions/${session}`);
    await page.getByRole('img', { name: /^3 commands and 0 transfers.*the risk reaches 5 points/ }).waitFor();
    const list = page.getByRole('list', { name: 'Commands and events' });
    await list.getByText('suspicious').waitFor();
    await page.getByText('Commands', { exact: true }).last().click();
    expect(await list.getByRole('listitem').allInnerTexts()).toEqual([
      expect.stringContaining('echo allowed'),
      expect.stringMatching(/echo forbidden words[\s\S]*blocked/i),
      expect.stringContaining('exit'),
    ]);
    found.push(...(await browser.audit('session-risky')));
    // By the keyboard: to the second command, from there on to the end, and still.
    await page.keyboard.press('n');
    await page.keyboard.press('n');
    await list.locator('[aria-current="true"]').getByText('echo forbidden words').waitFor();
    await page.getByRole('button', { name: 'Play' }).focus();
    await page.keyboard.press('Space');
    await list.locator('[aria-current="true"]').getByText('exit').waitFor();
    await page.getByRole('tab', { name: 'Risk' }).click();
    await page
      .getByRole('table', { name: 'Steps of the risk' })
      .getByText('commands that met rules')
      .waitFor();
    found.push(...(await browser.audit('session-risk')));
  });

  it('shows how everybody stands and one user, sorted by the server', async () => {
    const { page } = browser;
    await page.goto('/posture');
    await heading('User posture').waitFor();
    await page.getByRole('img', { name: 'Sessions over time, as usual and suspicious' }).waitFor();
    const users = page.getByRole('table', { name: 'posture', exact: true });
    await users.getByRole('link', { name: 'alice' }).waitFor();
    found.push(...(await browser.audit('posture')));
    const sorted = page.waitForRequest((request) => request.url().includes('sort=commands&order=asc'));
    await users.getByRole('button', { name: 'Commands' }).click();
    await sorted;
    await users.getByRole('link', { name: 'alice' }).click();
    await heading('Posture of alice').waitFor();
    await page.getByRole('table', { name: 'Devices' }).getByText('web1').waitFor();
    await page.getByRole('img', { name: 'The rating over time, of 10' }).waitFor();
    found.push(...(await browser.audit('posture-of-alice')));
    await page.goto('/posture/nobody');
    await page.getByRole('alert').first().waitFor();
  });

  it('draws who reached what from where around a threat, by keys too, and keeps what was made of it', async () => {
    const { page } = browser;
    const at = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
    const paris = { source: '192.0.2.1', country: 'FR', latitude: 48.9, longitude: 2.4 };
    const tokyo = { source: '203.0.113.7', country: 'JP', latitude: 35.7, longitude: 139.7 };
    const signIns = [
      ...Array.from({ length: 40 }, (_, day) => ({ at: at(24 * (day + 2)), ...paris })),
      { at: at(2), ...paris },
      { at: at(1), ...tokyo },
    ];
    const file = site.scratch.path('sign-ins.jsonl');
    writeFileSync(
      file,
      signIns.map((one) => JSON.stringify({ user: 'alice', system: 'mail', ...one })).join('\n'),
    );
    for (const words of [
      ['finding', 'import', file],
      ['finding', 'scan'],
    ]) {
      const told = await site.gateway.sallyport(words);
      expect(told.code, told.stderr).toBe(0);
    }
    await page.goto('/findings');
    await page.getByRole('table', { name: 'threats' }).getByRole('link').first().click();
    await heading('Compromised account: alice').waitFor();
    await page
      .getByRole('list', { name: 'What happened around it' })
      .getByText('impossible travel')
      .waitFor();
    found.push(...(await browser.audit('threat')));
    await page.getByRole('tab', { name: 'Who reached what from where' }).click();
    const graph = page.getByRole('group', { name: 'Connections' });
    const device = graph.getByRole('button', { name: 'web1', exact: false }).last();
    await device.waitFor();
    const edges = page.getByRole('table', { name: 'connections' }).getByRole('row');
    const all = await edges.count();
    found.push(...(await browser.audit('threat-graph')));
    await device.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('device web1').waitFor();
    expect(await edges.count()).toBeLessThan(all);
    await page.getByLabel('Case').fill('SEC-1');
    await page.getByLabel('Note').fill('asked \u202ealice');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('tab', { name: 'What was made of it' }).click();
    await page.getByRole('list', { name: 'What was made of it' }).getByText('case SEC-1').waitFor();
    await page.getByText('asked \\u{202e}alice').waitFor();
    await page.goto('/findings?tab=findings');
    await page.getByRole('table', { name: 'findings' }).getByText('9705 km apart').waitFor();
    await page.getByRole('button', { name: /^\d/ }).first().click();
    await page.getByRole('dialog').getByRole('group', { name: 'Connections' }).waitFor();
    await page.goto('/findings?tab=report');
    await page.getByText('Compromised account: alice').waitFor();
  });

  it('decides what engineers ask for from their terminals', async () => {
    const { page } = browser;
    await page.goto('/exceptions');
    await page.getByRole('cell', { name: 'echo forbidden words' }).waitFor();
    found.push(...(await browser.audit('exceptions', 'alike')));
    await page.getByRole('table', { name: 'exceptions' }).getByRole('button', { name: /^\d/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Stopped by words/no word').waitFor();
    await dialog.getByLabel(/^Why/).fill('Not before noon.');
    found.push(...(await browser.audit('exception')));
    await dialog.getByRole('button', { name: 'Decline' }).click();
    await dialog.getByText('declined', { exact: true }).waitFor();
    expect(await dialog.getByRole('button', { name: 'Grant' }).count()).toBe(0);
    const [request] = await dana.items('/api/exceptions');
    expect(request).toMatchObject({ state: 'declined', comment: 'Not before noon.' });
  });

  it('says how outputs stand, sends a test event, and names default auditors', async () => {
    const { page } = browser;
    await page.goto('/outputs');
    await heading('SIEM outputs').waitFor();
    await page.getByRole('heading', { name: 'taker' }).waitFor();
    await page.getByRole('button', { name: 'Send a test event to taker' }).click();
    await page.getByText(/^The receiver took it, within \d+ ms\.$/).waitFor();
    expect(collector.messages.join()).toContain('setting siem.outputs.taker changed');
    await page.getByRole('button', { name: 'Send a test event to nobody' }).click();
    await page.getByText(/^It was not taken: /).waitFor();
    found.push(...(await browser.audit('outputs')));
    await page.goto('/audit-queue');
    await page.getByRole('button', { name: 'Default auditors' }).click();
    const dialog = page.getByRole('dialog');
    await dialog
      .getByText('everybody with the role auditor gets what is submitted. Now that is dana.')
      .waitFor();
    await dialog.getByLabel('Default auditors').fill('dana');
    await page.keyboard.press('Enter');
    found.push(...(await browser.audit('default-auditors')));
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByText('Those named here get what is submitted. Now that is dana.').waitFor();
  });

  it('makes and changes a device by the keyboard alone', async () => {
    const { page } = browser;
    await page.goto('/devices');
    await page.getByRole('table', { name: 'devices' }).waitFor();
    found.push(...(await browser.audit('devices')));
    await page.getByRole('button', { name: 'New device' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.getByRole('dialog').getByLabel(/^Name/).focus();
    await page.keyboard.type('keyboard1');
    await page.keyboard.press('Tab');
    await page.keyboard.type('192.0.2.55');
    found.push(...(await browser.audit('device-new')));
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Edit keyboard1' }).click();
    await page.getByLabel('System').fill('linux');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('cell', { name: 'linux' }).waitFor();
  });

  it('shows users, credentials, grants, settings, recordings, the trail and the account', async () => {
    const { page } = browser;
    for (const [path, title] of [
      ['/users', 'Users'],
      ['/credentials', 'Credentials'],
      ['/grants', 'Grants'],
      ['/settings', 'Settings'],
      ['/ratings', 'Users rating'],
      ['/behaviour', 'Behaviour analysis'],
      ['/recordings', 'Recordings'],
      ['/sessions', 'Sessions'],
      ['/changes', 'Trail'],
    ] as const) {
      await page.goto(path);
      await heading(title).waitFor();
      await page.getByRole('table').first().waitFor();
      found.push(...(await browser.audit(title.toLowerCase(), title === 'Settings' ? 'other' : 'alike')));
    }
  });

  it('shows what users were asked, what was looked at, and what is to be audited', async () => {
    const { page } = browser;
    for (const [path, title, nothing] of [
      ['/reauthentications', 'Re-authentications', 'Nobody was asked'],
      ['/credential-views', 'Credential views', 'Nobody has looked at a credential'],
      ['/audit-queue', 'Audit queue', 'Nothing to audit'],
    ] as const) {
      await page.goto(path);
      await heading(title).waitFor();
      await page.getByText(nothing).waitFor();
      found.push(...(await browser.audit(title.toLowerCase(), 'alike')));
    }
    await page.goto('/ratings/alice');
    await heading('Rating of alice').waitFor();
    await page.getByLabel('Reason').fill('to be sure');
    await page.getByRole('button', { name: 'Ask for proof of identity' }).click();
    await page.getByText('Asked.').waitFor();
    await page.goto('/reauthentications');
    await page.getByRole('button', { name: 'Waive for alice' }).click();
    await page.getByText('waived').first().waitFor();
    await page.goto('/account');
    await page.getByText('No tokens').waitFor();
    found.push(...(await browser.audit('account')));
    await page.goto('/');
    await page.getByText('Just now').or(page.getByText('Users by commands today')).first().waitFor();
    await page.locator('.recharts-surface').first().waitFor();
    found.push(...(await browser.audit('overview')));
  });

  it('tells what became of a rotation, and takes the proof of whoever is asked for one', async () => {
    const { page } = browser;
    await page.goto('/credentials');
    await page.getByRole('button', { name: 'Edit web1-login' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('It has not been rotated yet.').waitFor();
    await dialog.getByRole('button', { name: 'Rotate now' }).click();
    await dialog.getByText('Failed: the old secret stays.').waitFor();
    await dialog.getByRole('table', { name: 'Rotations' }).getByText('failed').waitFor();
    found.push(...(await browser.audit('rotation')));
    const asked = await dana.ask('POST', '/api/users/dana/reauthentication', { reason: 'to be sure' });
    expect(asked.status).toBe(200);
    await page.goto('/account');
    await page.getByLabel(/^Your password/).fill('wrong');
    found.push(...(await browser.audit('account-asked')));
    await page.getByRole('button', { name: 'It is me' }).click();
    await page.getByRole('alert', { name: /^This does not prove/ }).waitFor();
    await page.getByLabel(/^Your password/).fill(password);
    await page.getByRole('button', { name: 'It is me' }).click();
    await page.getByText('Thank you: that was proved').waitFor();
  });

  it('makes a passkey, signs in with it alone, and removes it; at an address it says why it can’t', async () => {
    const named = dana.url.replace('127.0.0.1', 'localhost');
    await browser.page.goto('/account');
    const note = browser.page.getByRole('note', { name: 'Passkeys need a name' });
    expect(await note.getByRole('link').getAttribute('href')).toBe(`${named}/account`);
    expect(await browser.page.getByRole('button', { name: 'Add a passkey' }).count()).toBe(0);
    found.push(...(await browser.audit('account-at-an-address', 'alike')));
    await using local = await ConsoleBrowser.open(named);
    await local.giveAuthenticator();
    const { page } = local;
    const account = page.getByRole('heading', { level: 1, name: 'Your account' });
    const byPasskey = page.getByRole('button', { name: 'Sign in with a passkey' });
    const signOut = async (): Promise<void> => {
      await page.getByRole('button', { name: 'dana', exact: true }).click();
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
    };
    await page.goto('/account');
    await byPasskey.click();
    await page.getByRole('alert', { name: 'No passkey was used' }).waitFor();
    found.push(...(await local.audit('sign-in-no-passkey')));
    await local.signIn('dana', password);

    await page.goto('/account');
    const add = async (proof: string): Promise<void> => {
      await page.getByLabel('Name of the passkey').fill('laptop');
      await page.getByLabel('Password', { exact: true }).fill(proof);
      await page.getByRole('button', { name: 'Add a passkey' }).click();
    };
    await add('wrong');
    await page.getByRole('alert').getByText('SP_API_NOT_PROVEN').waitFor();
    await add(password);
    const row = page.getByRole('table', { name: 'Passkeys' }).getByRole('row', { name: 'laptop localhost' });
    await row.waitFor();
    expect(await row.getByRole('time').count()).toBe(1);
    await add(password);
    await page.getByRole('alert', { name: 'This authenticator has one already' }).waitFor();
    found.push(...(await local.audit('account-passkeys')));

    await signOut();
    await byPasskey.click();
    await account.waitFor();
    await eventually('its use is told', async () => (await row.getByRole('time').count()) === 2);

    await page.getByRole('button', { name: 'Remove laptop' }).click();
    await page.getByText('No passkeys').waitFor();
    await signOut();
    await byPasskey.click();
    await page.getByRole('alert').getByText('SP_API_SIGN_IN_FAILED').waitFor();
    expect(await byPasskey.isVisible()).toBe(true);
    expect(local.faults).toEqual([]);
  });

  it('exports all that a list has, not only what is shown of it', async () => {
    const { page } = browser;
    const names = Array.from({ length: 103 }, (_, index) => `row-${String(index).padStart(3, '0')}`);
    for (const name of names) {
      const made = await dana.ask('PUT', `/api/devices/${name}`, { host: '192.0.2.56' });
      expect(made.status, name).toBe(200);
    }
    await page.goto('/devices?q=row-');
    await page.getByRole('button', { name: 'More' }).waitFor();
    expect(await page.getByRole('cell', { name: 'row-102' }).count()).toBe(0);
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    const [, ...lines] = readFileSync(await (await saved).path(), 'utf8')
      .trimEnd()
      .split('\r\n');
    expect(lines.map((line) => line.split(',')[0])).toEqual(names);
  });

  it('has no barrier that axe knows of, and no page did what it must not', () => {
    expect(found).toEqual([]);
    expect(browser.faults).toEqual([]);
  });
});
