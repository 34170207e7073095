// The console in a real browser, beside a gateway with real sessions: each page as it is used, what it looks like to axe in
// both colour schemes, and that nothing a user or a device chose gets out of its place as text.
import { readFileSync } from 'node:fs';
import xterm from '@xterm/headless';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiCaller, apiUrl } from '../api/caller.ts';
import { eventually } from '../gateway/gateway-events.ts';
import { haveSshd } from '../harness/need.ts';
import { openSite, type Site } from '../harness/site.ts';
import { buildConsole, ConsoleBrowser, haveChromium } from './browser.ts';

const password = 'dana-has-a-password';
const HOSTILE = `echo '<img src=x onerror=document.title=1>' '\u202egnp.exe'`;

describe.skipIf(!haveSshd || !haveChromium)('the console', () => {
  let site: Site;
  let browser: ConsoleBrowser;
  let dana: ApiCaller;
  beforeAll(async () => {
    buildConsole();
    site = await openSite({
      gateway: { admin: { listen: '127.0.0.1:0' }, ssh: { workers: 1 } },
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
  });

  const heading = (name: string | RegExp) => browser.page.getByRole('heading', { level: 1, name });
  const found: string[] = [];

  it('asks who one is, says no to a wrong password, and lets one in', async () => {
    const { page } = browser;
    await page.goto('/sessions');
    await page.getByLabel('Name').fill('dana');
    await page.getByLabel(/^Password/).fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
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
    terminal.type(`${HOSTILE}\r`);
    await terminal.until('onerror');
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
    expect(csv.split('\r\n')[0]).toBe('At,User,Device,Command,Outcome,Rule,Criticality,Read');
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
      ['/findings', 'Findings', 'Nothing was found'],
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

  it('has no barrier that axe knows of, and no page did what it must not', () => {
    expect(found).toEqual([]);
    expect(browser.faults).toEqual([]);
  });
});
