// Calls the API of a gateway under test as a browser does: signed in by its cookie.

import { logged } from '../gateway/gateway-events.ts';
import type { Gateway } from '../harness/gateway.ts';

export type Row = Readonly<Record<string, unknown>>;

export const rowOf = (value: unknown): Row =>
  typeof value === 'object' && value !== null ? { ...value } : {};

export const itemsOf = (value: unknown): readonly Row[] => {
  const { items } = rowOf(value);
  return Array.isArray(items) ? items.map(rowOf) : [];
};

export const apiUrl = async (gateway: Gateway): Promise<string> => {
  const { urls } = await logged(gateway, 'admin.ready');
  return Array.isArray(urls) ? String(urls[0]) : '';
};

export class ApiCaller {
  readonly url: string;
  readonly cookie: string;

  private constructor(url: string, cookie: string) {
    this.url = url;
    this.cookie = cookie;
  }

  static async signIn(url: string, name: string, password: string): Promise<ApiCaller> {
    const response = await fetch(`${url}/api/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, password }),
    });
    if (!response.ok) throw new Error(`the sign-in of ${name} ended with ${await response.text()}`);
    return new ApiCaller(url, response.headers.get('set-cookie')?.split(';')[0] ?? '');
  }

  fetch(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method,
      signal: signal ?? AbortSignal.timeout(60_000),
      headers: {
        cookie: this.cookie,
        'x-sallyport': 'test',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Row }> {
    const response = await this.fetch(method, path, body);
    return { status: response.status, body: rowOf(await response.json()) };
  }

  async items(path: string): Promise<readonly Row[]> {
    return itemsOf((await this.ask('GET', path)).body);
  }
}
