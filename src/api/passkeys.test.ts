// Passkeys over HTTP with an authenticator made of Node's own keys: registered by whoever proves it again, good for signing
// in once for each challenge, on the host that they were made for, with the user verified.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authenticator, USER_PRESENT } from './sample-authenticator.ts';
import { type Answered, type Caller, SampleServer, samplePassword } from './sample-server.ts';

type Json = Readonly<Record<string, unknown>>;
const record = (value: unknown): Json => (typeof value === 'object' && value !== null ? { ...value } : {});
const codeOf = (answer: Answered): unknown => record(answer.body)['code'];
const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

describe('passkeys', () => {
  let time = Date.now();
  let server: SampleServer;
  let alice: Caller;
  const key = new Authenticator();
  const other = new Authenticator();
  let origin = '';

  const post = (path: string, body: unknown, as?: Caller) => server.ask('POST', path, { body, as });
  const optionsOf = (answer: Answered): Json => record(record(answer.body)['options']);

  const begin = async (): Promise<Json> => {
    const answer = await post('/api/passkeys/options', { password: samplePassword('alice') }, alice);
    expect(answer.status, answer.text).toBe(200);
    return optionsOf(answer);
  };
  const challenge = async (): Promise<Json> =>
    optionsOf(await server.ask('POST', '/api/sign-in/passkey/options'));
  const signIn = (response: Json) => post('/api/sign-in/passkey', { response });

  beforeAll(async () => {
    server = await SampleServer.start(() => time, undefined, 'localhost');
    origin = server.url;
    alice = await server.signIn('alice');
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('are registered only by whoever proves once more who they are', async () => {
    const wrong = await post('/api/passkeys/options', { password: 'wrong' }, alice);
    expect([wrong.status, codeOf(wrong)]).toEqual([403, 'SP_API_NOT_PROVEN']);
    expect((await post('/api/passkeys/options', {}, alice)).status).toBe(403);
  });

  it('are registered once for each challenge, with the user verified, for this host and from its page', async () => {
    const register = (response: Json, name = 'laptop') => post('/api/passkeys', { name, response }, alice);
    for (const bad of [
      (options: Json) => key.register(options, 'http://evil.example'),
      (options: Json) => key.register(options, origin, 'evil.example'),
      (options: Json) => key.register(options, origin, 'localhost', USER_PRESENT),
      (options: Json) => key.register({ ...options, challenge: b64(randomBytes(32)) }, origin),
    ]) {
      const refused = await register(bad(await begin()));
      expect([refused.status, codeOf(refused)]).toEqual([403, 'SP_API_NOT_PROVEN']);
    }
    const options = await begin();
    expect(options['authenticatorSelection']).toMatchObject({
      residentKey: 'required',
      userVerification: 'required',
    });
    const made = await register(key.register(options, origin));
    expect(made.body, made.text).toMatchObject({ name: 'laptop', host: 'localhost', seenAt: null });
    expect((await register(key.register(options, origin), 'again')).status).toBe(403);
    const late = await begin();
    time += 6 * 60_000;
    expect((await register(other.register(late, origin), 'late')).status).toBe(403);
    const erin = await server.signIn('erin');
    const stolen = await post(
      '/api/passkeys',
      { name: 'x', response: other.register(await begin(), origin) },
      erin,
    );
    expect(stolen.status).toBe(403);
  });

  it('are registered with all that browsers say of them, also a transport that nobody has heard of', async () => {
    const said = new Authenticator().register(await begin(), origin);
    const response = {
      ...said,
      authenticatorAttachment: 'cross-platform',
      clientExtensionResults: { credProps: { rk: true } },
      response: {
        ...record(said['response']),
        transports: ['internal', 'light-house'],
        authenticatorData: 'AA',
        publicKey: 'AA',
        publicKeyAlgorithm: -7,
      },
    };
    const made = await post('/api/passkeys', { name: 'phone', response }, alice);
    expect(made.body, made.text).toMatchObject({ name: 'phone', host: 'localhost' });
    const hostile = { ...response, response: { ...response.response, transports: ['\u001b[2J'] } };
    const refused = await post('/api/passkeys', { name: 'tablet', response: hostile }, alice);
    expect([refused.status, codeOf(refused)]).toEqual([400, 'SP_API_MALFORMED']);
  });

  it('sign in without a name, once for each challenge', async () => {
    const options = await challenge();
    expect(options['allowCredentials'] ?? []).toEqual([]);
    key.count = 1;
    const response = key.sign(options, origin);
    const both = await Promise.all([signIn(response), signIn(response)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 401]);
    const signedIn = both.find(({ status }) => status === 200);
    expect(signedIn?.body).toMatchObject({ name: 'alice', roles: ['engineer'] });
    const cookie = signedIn?.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect((await server.ask('GET', '/api/me', { as: { headers: { cookie } } })).status).toBe(200);
    time += 20 * 60_000;
  });

  it('are refused from elsewhere, without the user verified, with an old count, and to nobody’s key', async () => {
    key.count = 2;
    for (const bad of [
      (options: Json) => key.sign(options, 'https://evil.example'),
      (options: Json) => key.sign(options, origin, 'evil.example'),
      (options: Json) => key.sign(options, origin, 'localhost', USER_PRESENT),
      (options: Json) => other.sign(options, origin),
      (options: Json) => ({ ...other.sign(options, origin), id: b64(key.id), rawId: b64(key.id) }),
      (options: Json) => {
        key.count = 1;
        return key.sign(options, origin);
      },
    ]) {
      const refused = await signIn(bad(await challenge()));
      expect([refused.status, codeOf(refused)]).toEqual([401, 'SP_API_SIGN_IN_FAILED']);
      expect(refused.headers.get('set-cookie')).toBeNull();
      time += 20 * 60_000;
    }
  });

  it('count towards the lock, and are no way round one', async () => {
    key.count = 3;
    const statuses: number[] = [];
    for (let n = 0; n < 6; n += 1)
      statuses.push((await signIn(key.sign(await challenge(), 'https://evil.example'))).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    expect((await signIn(key.sign(await challenge(), origin))).status).toBe(429);
    time += 20 * 60_000;
    expect((await signIn(key.sign(await challenge(), origin))).status).toBe(200);
  });

  it('let in neither a disabled user nor one who removed the key', async () => {
    const carol = await server.signIn('carol');
    await post('/api/users/alice/disable', { reason: 'a test' }, carol);
    key.count = 4;
    expect((await signIn(key.sign(await challenge(), origin))).status).toBe(401);
    await server.ask('POST', '/api/users/alice/enable', { as: carol });
    alice = await server.signIn('alice');
    const path = `/api/passkeys/${b64(key.id)}`;
    const erin = await server.signIn('erin');
    expect((await server.ask('DELETE', path, { as: erin })).status).toBe(404);
    expect((await server.ask('DELETE', path, { as: alice })).status).toBe(200);
    key.count = 5;
    expect((await signIn(key.sign(await challenge(), origin))).status).toBe(401);
    const trail = await server.ask('GET', '/api/changes?kind=passkey', { as: carol });
    expect(trail.text).toContain('laptop');
  });

  it('are not offered at an address, which browsers make none for', async () => {
    const address = server.url.replace('localhost', '127.0.0.1');
    const answer = await fetch(`${address}/api/sign-in/passkey/options`, { method: 'POST' });
    expect([answer.status, record(await answer.json())['code']]).toEqual([409, 'SP_API_CONFLICT']);
  });
});
