// An API on a loopback port with a store and a vault of its own in a temporary folder, for tests: carol administers, erin
// audits, alice is an engineer, bob has a one-time code. No gateway runs beside it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashPassword } from '../../proxy/login/password.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { putUser, type Role } from '../directory/users.ts';
import { createLog } from '../gateway/log.ts';
import { createNotices } from '../gateway/notices.ts';
import { type OpenedParts, openParts } from './open.ts';
import type { ApiParts } from './parts.ts';
import { createServer, type ServerOptions } from './server.ts';

export const sampleTotp = Buffer.from('12345678901234567890');

export const samplePassword = (name: string): string => `${name}-has-a-password`;

const users: readonly { readonly name: string; readonly role: Role; readonly totp: boolean }[] = [
  { name: 'carol', role: 'administrator', totp: false },
  { name: 'erin', role: 'auditor', totp: false },
  { name: 'alice', role: 'engineer', totp: false },
  { name: 'bob', role: 'administrator', totp: true },
];

/** Who asks: a browser's cookie or a program's token. */
export interface Caller {
  readonly headers: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: unknown;
}

export class SampleServer implements AsyncDisposable {
  readonly parts: ApiParts;
  readonly url: string;
  readonly config: Config;
  readonly logged: string[];
  readonly #owned: AsyncDisposableStack;
  readonly #opened: OpenedParts;

  private constructor(
    opened: OpenedParts,
    url: string,
    config: Config,
    logged: string[],
    owned: AsyncDisposableStack,
  ) {
    this.#opened = opened;
    this.parts = opened.parts;
    this.url = url;
    this.config = config;
    this.logged = logged;
    this.#owned = owned;
  }

  static async start(
    now: () => number = Date.now,
    limits?: ServerOptions['limits'],
    name = '127.0.0.1',
  ): Promise<SampleServer> {
    await using owned = new AsyncDisposableStack();
    const data = mkdtempSync(join(tmpdir(), 'sallyport-api-'));
    owned.defer(() => rmSync(data, { recursive: true, force: true }));
    const config = loadConfig({ cwd: data, env: { SALLYPORT_DATA: data } });
    mkdirSync(config.policies);
    const logged: string[] = [];
    const log = createLog({ level: 'debug', pretty: false, sink: { write: (line) => logged.push(line) } });
    const opened = owned.use(
      await openParts(config, { log, notices: createNotices(() => {}), version: 'test', now }),
    );
    const { parts } = opened;
    for (const { name, role, totp } of users) {
      const passwordHash = await hashPassword(samplePassword(name));
      await parts.store.transaction((trx) =>
        putUser(
          trx,
          { actor: 'test', now: now(), vault: parts.vault },
          {
            name,
            passwordHash,
            keys: [],
            totpSecret: totp ? sampleTotp : undefined,
            roles: [role],
            groups: [],
            department: undefined,
            priority: 'medium',
            authentication: undefined,
          },
        ),
      );
    }
    const server = await createServer(parts, {
      tls: undefined,
      console: undefined,
      ...(limits === undefined ? {} : { limits }),
    });
    owned.defer(async () => {
      await server.close();
    });
    const url = await server.listen({ host: '127.0.0.1', port: 0 });
    return new SampleServer(opened, url.replace('127.0.0.1', name), config, logged, owned.move());
  }

  /** As when the gateway reads a configuration with these outputs. */
  withOutputs(outputs: readonly object[]): void {
    const { data } = this.config;
    this.#opened.reconfigure(
      loadConfig({
        cwd: data,
        env: { SALLYPORT_DATA: data, SALLYPORT_SIEM_OUTPUTS: JSON.stringify(outputs) },
      }),
    );
  }

  async ask(
    method: string,
    path: string,
    options: {
      readonly as?: Caller | undefined;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Answered> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      signal: AbortSignal.timeout(30_000),
      headers: {
        ...options.as?.headers,
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined
        ? {}
        : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
    });
    if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
      await response.body?.cancel();
      return { status: response.status, headers: response.headers, text: '', body: undefined };
    }
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json') === true;
    let body: unknown;
    if (json && text !== '') body = JSON.parse(text.split('\n')[0] ?? '');
    return { status: response.status, headers: response.headers, text, body };
  }

  /** Signs in as a browser does. */
  async signIn(name: string, password = samplePassword(name), code?: string): Promise<Caller> {
    const body = code === undefined ? { name, password } : { name, password, code };
    const answer = await this.ask('POST', '/api/sign-in', { body });
    if (answer.status !== 200) throw new Error(`the sign-in of ${name} ended with ${answer.text}`);
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    return { headers: { cookie, 'x-sallyport': 'test' } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
