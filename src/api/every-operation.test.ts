// Every operation of the API as the running server describes it, one by one: who may use it, and what it says to requests
// that are malformed. The table is written out by hand, and the server is asked what there is, so that no operation can be
// left out or opened to somebody by mistake.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answered, type Caller, SampleServer } from './sample-server.ts';

/** E engineer, A administrator, U auditor; `all`: whoever asks, signed in or not. */
const TABLE: Readonly<Record<string, string>> = {
  'DELETE /api/credentials/{name}': 'A',
  'DELETE /api/devices/{name}': 'A',
  'DELETE /api/grants/{name}': 'A',
  'DELETE /api/outputs/{name}': 'A',
  'DELETE /api/passkeys/{id}': 'EAU',
  'DELETE /api/policies/{file}': 'A',
  'DELETE /api/tokens/{id}': 'EAU',
  'DELETE /api/users/{name}': 'A',
  'DELETE /api/users/{name}/reauthentication': 'A',
  'GET /api/approvals': 'AU',
  'GET /api/audit-queue': 'AU',
  'GET /api/audit-queue/{id}': 'AU',
  'GET /api/changes': 'AU',
  'GET /api/command-counts/{by}': 'AU',
  'GET /api/commands': 'AU',
  'GET /api/commands/{id}': 'AU',
  'GET /api/credential-views': 'AU',
  'GET /api/credentials': 'AU',
  'GET /api/credentials/{name}': 'AU',
  'GET /api/default-auditors': 'AU',
  'GET /api/devices': 'AU',
  'GET /api/devices/{name}': 'AU',
  'GET /api/exceptions': 'AU',
  'GET /api/exceptions/{id}': 'AU',
  'GET /api/findings': 'AU',
  'GET /api/findings/{id}/graph': 'AU',
  'GET /api/gateway': 'AU',
  'GET /api/grants': 'AU',
  'GET /api/grants/{name}': 'AU',
  'GET /api/health': 'all',
  'GET /api/live': 'AU',
  'GET /api/me': 'EAU',
  'GET /api/me/reauthentication': 'EAU',
  'GET /api/me/sessions': 'EAU',
  'GET /api/metrics': 'AU',
  'GET /api/outputs': 'AU',
  'GET /api/outputs/{name}': 'AU',
  'GET /api/outputs/{name}/refused': 'AU',
  'GET /api/passkeys': 'EAU',
  'GET /api/policies': 'AU',
  'GET /api/policies/{file}': 'AU',
  'GET /api/policies/{file}/versions': 'AU',
  'GET /api/policies/{file}/versions/{id}': 'AU',
  'GET /api/posture': 'AU',
  'GET /api/posture-series': 'AU',
  'GET /api/ratings': 'AU',
  'GET /api/ratings/{name}/ledger': 'AU',
  'GET /api/ready': 'all',
  'GET /api/reauthentications': 'AU',
  'GET /api/recording-search': 'U',
  'GET /api/recordings': 'U',
  'GET /api/recordings/{id}': 'U',
  'GET /api/recordings/{id}/events': 'U',
  'GET /api/recordings/{id}/export': 'U',
  'GET /api/refusals': 'AU',
  'GET /api/reports/behaviour': 'AU',
  'GET /api/risks': 'AU',
  'GET /api/rotations': 'AU',
  'GET /api/sessions': 'AU',
  'GET /api/sessions/{id}': 'AU',
  'GET /api/sessions/{id}/risk': 'AU',
  'GET /api/sessions/{id}/risk-curve': 'AU',
  'GET /api/sessions/{id}/transfers': 'AU',
  'GET /api/sessions/{id}/watch': 'AU',
  'GET /api/settings': 'AU',
  'GET /api/settings/{key}': 'AU',
  'GET /api/threats': 'AU',
  'GET /api/threats/{id}': 'AU',
  'GET /api/threats/{id}/graph': 'AU',
  'GET /api/tokens': 'EAU',
  'GET /api/users': 'AU',
  'GET /api/users/{name}': 'AU',
  'GET /api/users/{name}/posture': 'AU',
  'POST /api/approvals/{id}/approve': 'A',
  'POST /api/approvals/{id}/deny': 'A',
  'POST /api/audit-queue/{id}/audited': 'AU',
  'POST /api/audit-queue/{id}/auditors': 'A',
  'POST /api/audit-queue/{id}/comments': 'AU',
  'POST /api/audit-queue/{id}/reopened': 'AU',
  'POST /api/credentials/{name}/rotation': 'A',
  'POST /api/credentials/{name}/view': 'EAU',
  'POST /api/devices/{name}/forget-host-keys': 'A',
  'POST /api/exceptions/{id}/decline': 'A',
  'POST /api/exceptions/{id}/grant': 'A',
  'POST /api/findings/{id}/expected': 'AU',
  'POST /api/me/reauthentication': 'EAU',
  'POST /api/outputs/{name}/retry': 'A',
  'POST /api/outputs/{name}/test': 'A',
  'POST /api/passkeys': 'EAU',
  'POST /api/passkeys/options': 'EAU',
  'POST /api/policies/analyse': 'AU',
  'POST /api/policies/backtest': 'AU',
  'POST /api/policies/test': 'AU',
  'POST /api/policies/validate': 'AU',
  'POST /api/policies/{file}/versions/{id}/restore': 'A',
  'POST /api/ratings/{name}/recompute': 'AU',
  'POST /api/recordings/{id}/verify': 'U',
  'POST /api/sessions/{id}/end': 'A',
  'POST /api/sessions/{id}/expected': 'A',
  'POST /api/sessions/{id}/hold': 'A',
  'POST /api/sessions/{id}/release': 'A',
  'POST /api/settings/what-if': 'AU',
  'POST /api/setup': 'all',
  'POST /api/sign-in': 'all',
  'POST /api/sign-in/passkey': 'all',
  'POST /api/sign-in/passkey/options': 'all',
  'POST /api/sign-out': 'all',
  'POST /api/threats/{id}/steps': 'AU',
  'POST /api/tokens': 'EAU',
  'POST /api/users/{name}/disable': 'A',
  'POST /api/users/{name}/enable': 'A',
  'POST /api/users/{name}/end-sign-ins': 'A',
  'POST /api/users/{name}/reauthentication': 'A',
  'PUT /api/credentials/{name}': 'A',
  'PUT /api/default-auditors': 'A',
  'PUT /api/devices/{name}': 'A',
  'PUT /api/grants/{name}': 'A',
  'PUT /api/policies/{file}': 'A',
  'PUT /api/settings': 'A',
  'PUT /api/users/{name}': 'A',
};

type Json = Readonly<Record<string, unknown>>;

const record = (value: unknown): Json => (typeof value === 'object' && value !== null ? { ...value } : {});
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(record) : []);

interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Json[];
  readonly takesBody: boolean;
}

/** In place of what a path varies by: well formed, and of nothing that exists. */
const VALUES: Readonly<Record<string, string>> = {
  id: '00000000-0000-7000-8000-000000000000',
  file: 'none.yaml',
  by: 'user',
  key: 'contact',
  name: 'nobody',
};

const filled = (path: string, values: Readonly<Record<string, string>> = VALUES): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));

const operationsOf = (document: unknown): readonly Operation[] =>
  Object.entries(record(record(document)['paths'])).flatMap(([path, item]) =>
    Object.entries(record(item)).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters: list(record(operation)['parameters']),
      takesBody: record(operation)['requestBody'] !== undefined,
    })),
  );

describe('every operation that the served description names', () => {
  let server: SampleServer;
  let operations: readonly Operation[];
  let callers: readonly (readonly [letter: string, as: Caller])[];

  // A server for each test: the limit of requests a minute is not what is tried here.
  beforeEach(async () => {
    server = await SampleServer.start();
    const { body } = await server.ask('GET', '/api/openapi.json');
    operations = operationsOf(body);
    callers = [
      ['E', await server.signIn('alice')],
      ['A', await server.signIn('carol')],
      ['U', await server.signIn('erin')],
    ];
  });
  afterEach(() => server[Symbol.asyncDispose]());

  const callerOf = (operation: Operation): Caller | undefined =>
    callers.find(([letter]) => TABLE[operation.name]?.includes(letter))?.[1];

  const codeOf = (answer: Answered): unknown => record(answer.body)['code'];

  it('is in the table, and nothing else is', () => {
    expect(operations.map(({ name }) => name).sort()).toEqual(Object.keys(TABLE).sort());
  });

  it('is served to the roles of the table, and to nobody without sign-in', async () => {
    const wrong: string[] = [];
    for (const operation of operations) {
      const who = TABLE[operation.name] ?? '';
      if (who === 'all') continue;
      const body = operation.takesBody ? { body: { wrong: true } } : {};
      const ask = (as?: Caller) => server.ask(operation.method, filled(operation.path), { ...body, as });
      const nobody = await ask();
      if (nobody.status !== 401 || codeOf(nobody) !== 'SP_API_SIGN_IN')
        wrong.push(`${operation.name} without sign-in: ${nobody.status}`);
      for (const [letter, as] of callers) {
        const answer = await ask(as);
        const forbidden = answer.status === 403 && codeOf(answer) === 'SP_API_FORBIDDEN';
        if (who.includes(letter) ? forbidden || answer.status === 401 || answer.status === 500 : !forbidden)
          wrong.push(`${operation.name} by ${letter}: ${answer.status} ${String(codeOf(answer))}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('answers what is malformed with the place of it, and serves nothing', async () => {
    const wrong: string[] = [];
    const refused = (what: string, answer: Answered): void => {
      const problem = answer.headers.get('content-type')?.startsWith('application/problem+json') === true;
      const faults = list(record(answer.body)['faults']);
      if (answer.status !== 400 || !problem || (codeOf(answer) !== 'SP_API_CURSOR' && faults.length === 0))
        wrong.push(`${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
    };
    let tried = 0;
    for (const operation of operations) {
      const as = callerOf(operation);
      const valid = operation.takesBody ? { body: {} } : {};
      for (const parameter of operation.parameters) {
        const name = String(parameter['name']);
        tried += 1;
        // A bell and a lone continuation byte: no number, moment, word, name or cursor.
        const bad = `\u0007${'\u0080'.repeat(300)}`;
        switch (parameter['in']) {
          case 'path':
            refused(
              `${operation.name}, ${name}`,
              await server.ask(operation.method, filled(operation.path, { ...VALUES, [name]: '\u0007' }), {
                ...valid,
                as,
              }),
            );
            break;
          case 'query':
            refused(
              `${operation.name}, ${name}`,
              await server.ask(
                operation.method,
                `${filled(operation.path)}?${name}=${encodeURIComponent(bad)}`,
                { ...valid, as },
              ),
            );
            break;
          case 'header': {
            // Any `If-Match` is a version, if not the right one.
            if (name !== 'Idempotency-Key') break;
            const answer = await server.ask(operation.method, filled(operation.path), {
              ...valid,
              as,
              headers: { [name]: 'k'.repeat(129) },
            });
            if (answer.status !== 400 || codeOf(answer) !== 'SP_API_MALFORMED')
              wrong.push(`${operation.name}, ${name}: ${answer.status}`);
            break;
          }
          default:
            wrong.push(`${operation.name}: a parameter in ${String(parameter['in'])}`);
        }
      }
      if (!operation.takesBody) continue;
      for (const body of ['[1]', '"text"', 'null', '{"no such field": 1}']) {
        tried += 1;
        refused(
          `${operation.name}, body ${body}`,
          await server.ask(operation.method, filled(operation.path), { body, as }),
        );
      }
      const broken = await server.ask(operation.method, filled(operation.path), { body: '{', as });
      if (broken.status !== 400 || codeOf(broken) !== 'SP_API_MALFORMED')
        wrong.push(`${operation.name}, half a body: ${broken.status}`);
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(200);
  });
});
