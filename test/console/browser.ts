// A real browser on the console of a gateway under test. Notes whatever a page must never do: errors, requests to other
// places, and what its policy had to stop; and asks axe about each page in both colour schemes.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { eventually } from '../gateway/gateway-events.ts';
import { have } from '../harness/need.ts';

const executable = '/usr/bin/chromium';
export const haveChromium = have(executable);

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const atRestIn = (scheme: 'light' | 'dark'): string =>
  `document.documentElement.getAttribute('data-mantine-color-scheme') === '${scheme}' &&
  document.getAnimations().every((animation) =>
    animation.playState !== 'running' || animation.effect?.getTiming().iterations === Infinity)`;

/** Where screenshots go, for whoever wants to look at them; undefined: nowhere. */
const pictures = process.env['SALLYPORT_SCREENSHOTS'];

export const buildConsole = (): void => {
  const script = fileURLToPath(new URL('../../scripts/build-console.mjs', import.meta.url));
  execFileSync(process.execPath, [script, '--if-changed'], { stdio: 'ignore', timeout: 110_000 });
};

export class ConsoleBrowser implements AsyncDisposable {
  readonly page: Page;
  /** What pages did that they must not. */
  readonly faults: string[] = [];
  readonly #context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, page: Page, profile: string, url: string) {
    this.#context = context;
    this.page = page;
    this.#profile = profile;
    page.on('pageerror', (error) => this.faults.push(`error: ${error.message}`));
    page.on('console', (message) => {
      // A refused request is logged by the browser; tests ask for some on purpose.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.faults.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url()))
        this.faults.push(`request to ${request.url()}`);
    });
  }

  static async open(url: string): Promise<ConsoleBrowser> {
    const profile = mkdtempSync(join(tmpdir(), 'sallyport-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: executable,
      headless: true,
      baseURL: url,
      viewport: { width: 1366, height: 900 },
      timezoneId: 'Europe/Paris',
      locale: 'en-GB',
      acceptDownloads: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    context.setDefaultTimeout(60_000);
    const page = context.pages()[0] ?? (await context.newPage());
    return new ConsoleBrowser(context, page, profile, url);
  }

  /** What axe finds against WCAG 2.2 A and AA, in light and in dark; `alike`: made of the same parts as another page. */
  async audit(name: string, alike: 'alike' | 'other' = 'other'): Promise<readonly string[]> {
    const found: string[] = [];
    const schemes: readonly ('light' | 'dark')[] =
      alike === 'alike' && pictures === undefined ? ['light'] : ['light', 'dark'];
    for (const scheme of schemes) {
      await this.page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      if (pictures !== undefined) {
        mkdirSync(pictures, { recursive: true });
        await this.page.screenshot({ path: join(pictures, `${name}-${scheme}.png`), fullPage: true });
      }
      await this.#comeToRest(scheme);
      await this.page.evaluate(axeSource);
      // Of what axe looks at, only contrast depends on the scheme.
      const only =
        scheme === 'dark' ? ['color-contrast'] : ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
      const violations = await this.page.evaluate(async (runOnly) => {
        const axe: unknown = Reflect.get(globalThis, 'axe');
        const run: unknown = typeof axe === 'object' && axe !== null ? Reflect.get(axe, 'run') : undefined;
        if (typeof run !== 'function') return ['axe did not load'];
        const result: unknown = await run.call(axe, Reflect.get(globalThis, 'document'), {
          runOnly,
        });
        const list: unknown =
          typeof result === 'object' && result !== null ? Reflect.get(result, 'violations') : [];
        return (Array.isArray(list) ? list : []).map((violation: unknown) =>
          JSON.stringify(violation, (key, value: unknown) =>
            ['id', 'help', 'nodes', 'target', 'failureSummary', 'html', ''].includes(key) || /^\d+$/.test(key)
              ? value
              : undefined,
          ),
        );
      }, only);
      found.push(...violations.map((violation) => `${name} ${scheme}: ${violation.slice(0, 1_500)}`));
    }
    await this.page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    return found;
  }

  /** Until what changes colour has done so; a spinner that never ends is not waited for. */
  async #comeToRest(scheme: 'light' | 'dark'): Promise<void> {
    await eventually(
      'the page is at rest',
      async () => (await this.page.evaluate(atRestIn(scheme))) === true,
    );
  }

  /** From now on the page has an authenticator of its own, which has no passkeys yet and verifies its user at once. */
  async giveAuthenticator(): Promise<void> {
    const devtools = await this.#context.newCDPSession(this.page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
  }

  async signIn(name: string, password: string): Promise<void> {
    await this.page.goto('/');
    await this.page.getByLabel('Name').fill(name);
    await this.page.getByLabel(/^Password/).fill(password);
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await this.page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    rmSync(this.#profile, { recursive: true, force: true });
  }
}
