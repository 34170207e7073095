// Lets schemathesis (https://schemathesis.io) loose on the API: every operation that the description names, by valid and
// invalid requests and by requests that follow one another, as each of the three roles. It needs the program `st`, which no
// other part of the project does. `node test/api/fuzz.ts [SECONDS] [ROLE…]`; ends with 1 when anything is found.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sampleCommand, sampleRisk, sampleSession } from '../../src/api/sample-rows.ts';
import { type Caller, SampleServer } from '../../src/api/sample-server.ts';

const ROLES: Readonly<Record<string, string>> = {
  administrator: 'carol',
  auditor: 'erin',
  engineer: 'alice',
};

/** They never end, or revoke the token that the others are tried with. */
const LEFT_OUT = ['/api/live', '/api/tokens/{id}', '/api/users/{name}/end-sign-ins'];

const seconds = Number(process.argv[2] ?? '60');
const wanted = process.argv.slice(3);
const program = process.env['SALLYPORT_SCHEMATHESIS'] ?? 'st';

const fill = async (server: SampleServer): Promise<void> => {
  const { store } = server.parts;
  const start = Date.now() - 3_600_000;
  const sessions = Array.from({ length: 20 }, (_, n) => sampleSession({ started_at: start + n * 60_000 }));
  await store.append('sessions', sessions);
  await store.append(
    'session_risks',
    sessions.map((session, n) => sampleRisk(session, n, n > 9)),
  );
  await store.append(
    'commands',
    sessions.map((session, n) => sampleCommand(session, { points: n })),
  );
};

/** A token with all that its owner may do: schemathesis makes cookies of its own. */
const tokenOf = async (server: SampleServer, owner: Caller): Promise<Caller> => {
  const me: unknown = (await server.ask('GET', '/api/me', { as: owner })).body;
  const permissions = typeof me === 'object' && me !== null && 'permissions' in me ? me.permissions : [];
  const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
  const body = { name: 'fuzz', permissions, expiresAt };
  const made: unknown = (await server.ask('POST', '/api/tokens', { as: owner, body })).body;
  const secret = typeof made === 'object' && made !== null && 'secret' in made ? made.secret : '';
  return { headers: { authorization: `Bearer ${String(secret)}` } };
};

/** Each gets the time that is given. */
const PHASES = ['coverage,fuzzing', 'stateful'];

const run = async (server: SampleServer, as: Caller, phases: string): Promise<number> => {
  const headers = Object.entries(as.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const child = spawn(
    program,
    [
      '--config-file',
      fileURLToPath(new URL('schemathesis.toml', import.meta.url)),
      'run',
      `${server.url}/api/openapi.json`,
      ...headers,
      ...['--phases', phases],
      ...['--max-time', String(seconds)],
      ...['--request-timeout', '30'],
      ...LEFT_OUT.flatMap((path) => ['--exclude-path', path]),
      // That nobody is served without signing in is tried by every-operation.test.ts: here the token goes with each request.
      ...['--exclude-checks', 'ignored_auth'],
      '--continue-on-failure',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 1;
};

let worst = 0;
for (const [role, name] of Object.entries(ROLES)) {
  if (wanted.length > 0 && !wanted.includes(role)) continue;
  await using server = await SampleServer.start(Date.now, 'none');
  await fill(server);
  const as = await tokenOf(server, await server.signIn(name));
  for (const phases of PHASES) {
    process.stdout.write(`\n== as ${role}: ${phases}, ${seconds} s\n`);
    worst = Math.max(worst, await run(server, as, phases));
  }
  const failed = server.logged.filter((line) => line.includes('"event":"api.failed"'));
  for (const line of failed.slice(0, 20)) process.stdout.write(`${line}\n`);
  if (failed.length > 0) worst = 1;
  const { status } = await server.ask('GET', '/api/me', { as });
  if (status !== 200) {
    process.stdout.write(`the sign-in was lost on the way (${status}): what came after it tried nothing\n`);
    worst = 1;
  }
}
process.exitCode = worst;
