// Calls the API by the types that are generated from its description, and turns its problem details into one kind of
// error. The browser sends the cookie; nothing is kept here.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.ts';

export type Shapes = components['schemas'];
export type Problem = Shapes['Problem'];

const OWN_HEADERS = { 'X-Sallyport': 'console' } as const;

export const api = createClient<paths>({ baseUrl: location.origin, headers: OWN_HEADERS });

/** The API said no, or could not. */
export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'Refused';
    this.problem = problem;
  }
}

const unreachable: Problem = {
  type: 'about:blank',
  title: 'The gateway does not answer',
  status: 0,
  code: 'SP_API_UNAVAILABLE',
  detail: 'the gateway does not answer',
};

/** The data, or Refused. */
export const taken = async <T>(
  call: Promise<{ readonly data?: T; readonly error?: Problem; readonly response: Response }>,
): Promise<T> => {
  let answer: Awaited<typeof call>;
  try {
    answer = await call;
  } catch {
    throw new Refused(unreachable);
  }
  if (answer.data !== undefined) return answer.data;
  throw new Refused(answer.error ?? unreachable);
};

/** Data with the ETag that names its state. */
export const takenWithTag = async <T>(
  call: Promise<{ readonly data?: T; readonly error?: Problem; readonly response: Response }>,
): Promise<{ readonly data: T; readonly tag: string }> => {
  const data = await taken(call);
  return { data, tag: (await call).response.headers.get('etag') ?? '*' };
};

/** Lines of JSON, as they come. Ends when the stream does or the signal is aborted. */
export async function* lines(path: string, signal: AbortSignal): AsyncGenerator<unknown, void, undefined> {
  const response = await fetch(path, { signal, headers: OWN_HEADERS });
  if (!response.ok || response.body === null) {
    const problem: unknown = await response.json().catch(() => undefined);
    throw new Refused(isProblem(problem) ? problem : unreachable);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const parts = (pending + piece.value).split('\n');
    pending = parts.pop() ?? '';
    for (const part of parts) if (part !== '') yield JSON.parse(part);
  }
}

const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;

export const problemOf = (error: unknown): Problem =>
  error instanceof Refused ? error.problem : unreachable;
