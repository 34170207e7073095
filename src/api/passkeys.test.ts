// Passkeys over HTTP with an authenticator made of Node's own keys: registered by whoever proves it again, good for signing
// in once for each challenge, on the host that they were made for, with the user verified.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answered, type Caller, SampleServer, samplePassword } from './sample-server.ts';

type Json = Readonly<Record<string, unknown>>;
const record = (value: unknown): Json => (typeof value === 'object' && value !== null ? { ...value } : {});
const codeOf = (answer: Answered): unknown => record(answer.body)['code'];
const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** RFC 8949, as far as an attestation needs it. */
const cborHead = (major: number, value: number): Buffer => {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  if (value < 256) return Buffer.from([(major << 5) | 24, value]);
  return Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
};
const cborNumber = (value: number): Buffer => (value < 0 ? cborHead(1, -1 - value) : cborHead(0, value));
const cborBytes = (value: Uint8Array): Buffer => Buffer.concat([cborHead(2, value.length), value]);
const cborText = (value: string): Buffer => Buffer.concat([cborHead(3, value.length), Buffer.from(value)]);
const cborMap = (...entries: readonly Buffer[]): Buffer =>
  Buffer.concat([cborHead(5, entries.length / 2), ...entries]);

const USER_PRESENT = 1;
const USER_VERIFIED = 4;
const WITH_KEY = 64;

/** What a browser and an authenticator do together (WebAuthn Level 3, 7.1 and 7.2). */
class Authenticator {
  readonly #private: KeyObject;
  readonly #cose: Buffer;
  readonly id = randomBytes(32);
  count = 0;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#private = privateKey;
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    // EC2, ES256, P-256 (RFC 9053).
    this.#cose = cborMap(
      ...[cborNumber(1), cborNumber(2), cborNumber(3), cborNumber(-7), cborNumber(-1), cborNumber(1)],
      ...[cborNumber(-2), cborBytes(Buffer.from(x, 'base64url'))],
      ...[cborNumber(-3), cborBytes(Buffer.from(y, 'base64url'))],
    );
  }

  #data(rpId: string, flags: number): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.count);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), counter]);
  }

  #client(type: string, options: Json, origin: string): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge: options['challenge'], origin, crossOrigin: false }));
  }

  register(options: Json, origin: string, rpId = 'localhost', flags = USER_PRESENT | USER_VERIFIED): Json {
    const length = Buffer.from([0, this.id.length]);
    const authData = Buffer.concat([
      this.#data(rpId, flags | WITH_KEY),
      ...[Buffer.alloc(16), length, this.id, this.#cose],
    ]);
    const attestation = cborMap(
      ...[cborText('fmt'), cborText('none'), cborText('attStmt'), cborMap()],
      ...[cborText('authData'), cborBytes(authData)],
    );
    return {
      id: b64(this.id),
      rawId: b64(this.id),
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: b64(this.#client('webauthn.create', options, origin)),
        attestationObject: b64(attestation),
        transports: ['internal'],
      },
    };
  }

  sign(options: Json, origin: string, rpId = 'localhost', flags = USER_PRESENT | USER_VERIFIED): Json {
    const data = this.#data(rpId, flags);
    const client = this.#client('webauthn.get', options, origin);
    const told = Buffer.concat([data, createHash('sha256').update(client).digest()]);
    return {
      id: b64(this.id),
      rawId: b64(this.id),
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: b64(client),
        authenticatorData: b64(data),
        signature: b64(sign('sha256', told, this.#private)),
      },
    };
  }
}

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
