import fc from 'fast-check';
import { HOTP, Secret } from 'otpauth';
import { afterAll, describe, expect, it } from 'vitest';
import {
  makeKey,
  type SecurityKeyUse,
  sshStrings,
  Workshop,
  type WorkshopKey,
  webauthnSignature,
} from '../../test/login/key-workshop.ts';
import { MemoryDirectory, MemoryFailures, testUser } from '../../test/login/memory-directory.ts';
import {
  encodeInfoResponse,
  encodeServiceRequest,
  encodeUserauthKeyboardInteractive,
  encodeUserauthNone,
  encodeUserauthPassword,
  encodeUserauthPublickeyQuery,
  encodeUserauthPublickeySigned,
  encodeUserauthPublickeySignedPart,
  MESSAGE,
  MessageWriter,
  parseInfoRequest,
  parsePublickeyOk,
  parseUserauthBanner,
  parseUserauthFailure,
  publickeySignatureInput,
} from '../transport/messages.ts';
import { startJumpLogin } from './jump-login.ts';
import { readAuthorities } from './key-offer.ts';
import { DEFAULT_LOCKOUT } from './lockout.ts';
import {
  DEFAULT_LOGIN_SETTINGS,
  type LoginDependencies,
  type LoginSettings,
  type LoginTry,
  startLogin,
} from './login.ts';
import type { Login, LoginOutcome, LoginTransport } from './login-service.ts';
import { createPasswordChecker, hashPassword } from './password.ts';
import type { AuthenticationMethod, LoginUser } from './ports.ts';
import { NOTHING_REVOKED, readRevocations } from './revocations.ts';
import { createTurns } from './turns.ts';

const workshop = new Workshop();
afterAll(() => workshop[Symbol.dispose]());

const SESSION_ID = Buffer.alloc(32, 5);
const SERVICE = 'ssh-connection';
const NOW = Date.UTC(2030, 5, 1);
const KEY = makeKey('ssh-ed25519');
const SECOND = makeKey('ssh-ed25519');
const STRANGER = makeKey('ssh-ed25519');
const SECRET = Buffer.from('12345678901234567890');
const ALL_METHODS = ['publickey', 'password', 'keyboard-interactive'];

const HASH = await hashPassword('sesame');
const passwords = await createPasswordChecker();

function code(atMs = NOW): string {
  const secret = new Secret({ buffer: new Uint8Array(SECRET).buffer });
  return HOTP.generate({ secret, counter: Math.floor(atMs / 30_000) });
}

/** The client's end of a sign-in: sends a message, and waits for what comes back. */
class Client implements LoginTransport {
  readonly sessionId = SESSION_ID;
  readonly sent: Buffer[] = [];
  readonly disconnects: string[] = [];
  #wake: (() => void) | undefined;
  login: Login | undefined;
  user = 'alice';

  send(payload: Buffer): boolean {
    this.sent.push(payload);
    this.#wake?.();
    return true;
  }

  disconnect(_reason: number, text: string): void {
    this.disconnects.push(text);
    this.#wake?.();
  }

  get outcome(): Promise<LoginOutcome> {
    if (this.login === undefined) throw new Error('not started');
    return this.login.outcome;
  }

  /** The next answer, a banner left out; undefined when the gateway disconnects. */
  async ask(payload: Buffer): Promise<Buffer | undefined> {
    this.sent.length = 0;
    this.login?.message(payload);
    for (;;) {
      const answer = this.sent.find((message) => message[0] !== MESSAGE.USERAUTH_BANNER);
      if (answer !== undefined || this.disconnects.length > 0) return answer;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The answer in short: `success`, `failure LIST`, `partial LIST`, `pk-ok`, `prompt TEXT`, `gone TEXT`. */
  async try(payload: Buffer): Promise<string> {
    const answer = await this.ask(payload);
    if (answer === undefined) return `gone ${this.disconnects.at(-1)}`;
    switch (answer[0]) {
      case MESSAGE.USERAUTH_SUCCESS:
        return 'success';
      case MESSAGE.USERAUTH_FAILURE: {
        const { methods, partialSuccess } = parseUserauthFailure(answer);
        return `${partialSuccess ? 'partial' : 'failure'} ${methods.join(',')}`;
      }
      case MESSAGE.SERVICE_ACCEPT:
        return 'accept';
      default:
        return this.#sixty(answer);
    }
  }

  /** 60 has two meanings; what parses as a key offer is one. */
  #sixty(answer: Buffer): string {
    try {
      return `pk-ok ${parsePublickeyOk(answer).algorithm}`;
    } catch {
      return `prompt ${parseInfoRequest(answer)
        .prompts.map(({ text }) => text.trim())
        .join('|')}`;
    }
  }

  none = () => this.try(encodeUserauthNone(this.user, SERVICE));
  password = (password: string) => this.try(encodeUserauthPassword(this.user, SERVICE, password));
  prompts = () => this.try(encodeUserauthKeyboardInteractive(this.user, SERVICE));
  answer = (...answers: string[]) => this.try(encodeInfoResponse(answers));
  offer = (key: WorkshopKey, algorithm = key.type) =>
    this.try(encodeUserauthPublickeyQuery(this.user, SERVICE, algorithm, key.blob));

  sign(
    key: WorkshopKey,
    change: {
      readonly algorithm?: string;
      readonly signatureAlgorithm?: string;
      readonly blob?: Buffer;
      readonly sessionId?: Buffer;
      readonly use?: SecurityKeyUse;
      readonly over?: string;
    } = {},
  ): Promise<string> {
    const algorithm = change.algorithm ?? key.type;
    const blob = change.blob ?? key.blob;
    const part = encodeUserauthPublickeySignedPart(this.user, SERVICE, algorithm, blob);
    const covered =
      change.over === undefined
        ? part
        : encodeUserauthPublickeySignedPart(change.over, SERVICE, algorithm, blob);
    const data = publickeySignatureInput(change.sessionId ?? SESSION_ID, covered);
    const signature = key.sign(change.signatureAlgorithm ?? algorithm, data, change.use);
    return this.try(encodeUserauthPublickeySigned(part, signature));
  }
}

interface Stage {
  readonly users?: readonly LoginUser[];
  readonly settings?: Partial<LoginSettings>;
  readonly deps?: Partial<LoginDependencies>;
  readonly directory?: MemoryDirectory;
  readonly failures?: MemoryFailures;
  readonly address?: string;
  readonly now?: () => number;
}

async function start(user: string, stage: Stage = {}): Promise<Client & { tries: LoginTry[] }> {
  const tries: LoginTry[] = [];
  const client = Object.assign(new Client(), { user, tries });
  const deps: LoginDependencies = {
    directory: stage.directory ?? new MemoryDirectory(...(stage.users ?? [])),
    failures: stage.failures ?? new MemoryFailures(),
    passwords,
    turns: createTurns(),
    authorities: () => [],
    revocations: () => NOTHING_REVOKED,
    settings: {
      ...DEFAULT_LOGIN_SETTINGS,
      failureFloorMs: 0,
      offerFloorMs: 0,
      lockout: DEFAULT_LOCKOUT,
      ...stage.settings,
    },
    now: stage.now ?? (() => NOW),
    report: (event) => tries.push(event),
    ...stage.deps,
  };
  client.login = startLogin(deps, { address: stage.address ?? '192.0.2.7' }, client);
  expect(await client.try(encodeServiceRequest('ssh-userauth'))).toBe('accept');
  return client;
}

const KEYED = testUser('alice', { keys: [KEY.line] });
const full = (...combinations: AuthenticationMethod[][]) =>
  testUser('alice', {
    keys: [KEY.line, `restrict ${SECOND.line}`],
    passwordHash: HASH,
    totpSecret: SECRET,
    combinations,
  });

describe('a key', () => {
  it('signs its user in, and the login name says where to', async () => {
    const client = await start('alice@root@web1', { users: [KEYED] });
    expect(await client.none()).toBe(`failure ${ALL_METHODS}`);
    expect(await client.offer(KEY)).toBe('pk-ok ssh-ed25519');
    expect(await client.sign(KEY)).toBe('success');
    expect(await client.outcome).toMatchObject({
      kind: 'signed-in',
      user: { name: 'alice' },
      authentication: 'publickey',
      wanted: { account: 'root', device: 'web1' },
      restrictions: { pty: true, forcedCommand: undefined },
    });
  });

  it.each([
    ['ssh-ed25519', 'ssh-ed25519'],
    ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
    ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
    ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
    ['ssh-rsa', 'rsa-sha2-256'],
    ['ssh-rsa', 'rsa-sha2-512'],
    ['sk-ssh-ed25519@openssh.com', 'sk-ssh-ed25519@openssh.com'],
    ['sk-ecdsa-sha2-nistp256@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'],
  ])('of type %s signs in with %s', async (type, algorithm) => {
    const key = makeKey(type);
    const client = await start('alice', { users: [testUser('alice', { keys: [key.line] })] });
    expect(await client.sign(key, { algorithm })).toBe('success');
  });

  it('that is only offered never signs in, however often (CVE-2024-45337)', async () => {
    const client = await start('alice', { users: [KEYED] });
    for (let i = 0; i < 5; i++) expect(await client.offer(KEY)).toBe('pk-ok ssh-ed25519');
    expect(await client.none()).toBe(`failure ${ALL_METHODS}`);
    expect(await client.sign(STRANGER)).toBe(`failure ${ALL_METHODS}`);
    expect(await client.offer(STRANGER)).toBe(`failure ${ALL_METHODS}`);
  });

  it('that was offered does not lend its rights to the one that signs', async () => {
    const client = await start('alice', { users: [full(['publickey'])] });
    expect(await client.offer(SECOND)).toBe('pk-ok ssh-ed25519');
    expect(await client.offer(KEY)).toBe('pk-ok ssh-ed25519');
    expect(await client.sign(SECOND)).toBe('success');
    expect(await client.outcome).toMatchObject({ restrictions: { pty: false, portForwarding: false } });
  });

  it.each([
    ['made for another connection', { sessionId: Buffer.alloc(32, 6) }],
    ['made for another user name', { over: 'bob' }],
  ])('does not sign in by a signature %s', async (_, change) => {
    const client = await start('alice', { users: [KEYED] });
    expect(await client.sign(KEY, change)).toBe(`failure ${ALL_METHODS}`);
  });

  it.each([
    ['SHA-1', 'ssh-rsa', 'ssh-rsa'],
    ['SHA-1 under a better name', 'rsa-sha2-256', 'ssh-rsa'],
    ['another hash than agreed on', 'rsa-sha2-512', 'rsa-sha2-256'],
    ['the name of another type', 'ssh-ed25519', 'rsa-sha2-256'],
    ['a certificate name', 'rsa-sha2-256-cert-v01@openssh.com', 'rsa-sha2-256'],
  ])('by RSA does not sign in with %s', async (_, algorithm, signatureAlgorithm) => {
    const key = makeKey('ssh-rsa');
    const client = await start('alice', { users: [testUser('alice', { keys: [key.line] })] });
    expect(await client.sign(key, { algorithm, signatureAlgorithm })).toBe(`failure ${ALL_METHODS}`);
  });

  it('of 1,024 bits does not sign in, though it is listed', async () => {
    const key = makeKey('ssh-rsa', 1024);
    const client = await start('alice', { users: [testUser('alice', { keys: [key.line] })] });
    expect(await client.sign(key, { algorithm: 'rsa-sha2-256' })).toBe(`failure ${ALL_METHODS}`);
  });

  it.each([
    ['from another address', `from="198.51.100.0/24" ${KEY.line}`],
    ['after its time', `expiry-time="20300101Z" ${KEY.line}`],
    ['with an option that is not known', `new-option ${KEY.line}`],
    ['that is an authority', `cert-authority ${KEY.line}`],
  ])('%s does not sign in', async (_, line) => {
    const client = await start('alice', { users: [testUser('alice', { keys: [line] })] });
    expect(await client.offer(KEY)).toBe(`failure ${ALL_METHODS}`);
    expect(await client.sign(KEY)).toBe(`failure ${ALL_METHODS}`);
  });

  it('that is revoked does not sign in', async () => {
    const revoked = readRevocations(Buffer.from(KEY.line));
    const client = await start('alice', { users: [KEYED], deps: { revocations: () => revoked } });
    expect(await client.sign(KEY)).toBe(`failure ${ALL_METHODS}`);
  });

  it.each([
    ['touch is wanted', '', 0, false],
    ['touched', '', 1, true],
    ['touch is waived', 'no-touch-required ', 0, true],
    ['verification is wanted', 'verify-required ', 1, false],
    ['verified', 'verify-required ', 5, true],
    ['verified, not touched', 'verify-required ', 4, false],
  ])('on a security key: %s', async (_, options, flags, signsIn) => {
    for (const type of ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com']) {
      const key = makeKey(type);
      const client = await start('alice', {
        users: [testUser('alice', { keys: [`${options}${key.line}`] })],
      });
      expect(await client.sign(key, { use: { flags, counter: 1 } })).toBe(
        signsIn ? 'success' : `failure ${ALL_METHODS}`,
      );
    }
  });

  it('on a security key may sign through a browser, when the request says so', async () => {
    const key = makeKey('sk-ecdsa-sha2-nistp256@openssh.com');
    const through = async (algorithm: string) => {
      const client = await start('alice', { users: [testUser('alice', { keys: [key.line] })] });
      const part = encodeUserauthPublickeySignedPart('alice', SERVICE, algorithm, key.blob);
      const signature = webauthnSignature(key, publickeySignatureInput(SESSION_ID, part));
      return client.try(encodeUserauthPublickeySigned(part, signature));
    };
    expect(await through('webauthn-sk-ecdsa-sha2-nistp256@openssh.com')).toBe('success');
    expect(await through(key.type)).toBe(`failure ${ALL_METHODS}`);
  });

  it('that can verify nobody does not meet verify-required', async () => {
    const client = await start('alice', {
      users: [testUser('alice', { keys: [`verify-required ${KEY.line}`] })],
    });
    expect(await client.sign(KEY)).toBe(`failure ${ALL_METHODS}`);
  });
});

describe('a certificate', () => {
  const authority = workshop.generate('ed25519');
  const authorityLine = () => workshop.publicLine(authority);
  const trusted = () => ({ authorities: () => readAuthorities(authorityLine()) });
  const certify = (key: WorkshopKey, ...args: string[]) =>
    workshop.certify(
      authority,
      key.line,
      '-I',
      'x',
      ...(args.includes('-n') ? [] : ['-n', 'alice']),
      ...args,
    );
  const CERT = 'ssh-ed25519-cert-v01@openssh.com';
  const withCert = (blob: Buffer) => ({ algorithm: CERT, blob, signatureAlgorithm: 'ssh-ed25519' });

  it('from a trusted authority signs its principal in', async () => {
    const client = await start('alice', { users: [testUser('alice')], deps: trusted() });
    const blob = certify(STRANGER, '-O', 'no-port-forwarding', '-O', 'force-command=uptime');
    expect(await client.sign(STRANGER, withCert(blob))).toBe('success');
    expect(await client.outcome).toMatchObject({
      authentication: 'certificate',
      restrictions: { portForwarding: false, pty: true, forcedCommand: 'uptime' },
    });
  });

  it.each([
    ['ssh-rsa', 'rsa-sha2-512-cert-v01@openssh.com', 'rsa-sha2-512'],
    ['ssh-rsa', 'rsa-sha2-256-cert-v01@openssh.com', 'rsa-sha2-256'],
    ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384-cert-v01@openssh.com', 'ecdsa-sha2-nistp384'],
    ['sk-ssh-ed25519@openssh.com', 'sk-ssh-ed25519-cert-v01@openssh.com', 'sk-ssh-ed25519@openssh.com'],
    [
      'sk-ecdsa-sha2-nistp256@openssh.com',
      'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com',
      'sk-ecdsa-sha2-nistp256@openssh.com',
    ],
  ])('on a key of type %s signs in with %s', async (type, algorithm, signatureAlgorithm) => {
    const key = makeKey(type);
    const client = await start('alice', { users: [testUser('alice')], deps: trusted() });
    expect(await client.sign(key, { algorithm, signatureAlgorithm, blob: certify(key) })).toBe('success');
  });

  it('by RSA with SHA-1 does not sign in', async () => {
    const key = makeKey('ssh-rsa');
    const client = await start('alice', { users: [testUser('alice')], deps: trusted() });
    const change = {
      algorithm: 'ssh-rsa-cert-v01@openssh.com',
      signatureAlgorithm: 'ssh-rsa',
      blob: certify(key),
    };
    expect(await client.sign(key, change)).toBe(`failure ${ALL_METHODS}`);
  });

  it.each([
    ['signed with the key of someone else', () => certify(SECOND)],
    ['for another principal', () => certify(STRANGER, '-n', 'bob')],
    ['from another network', () => certify(STRANGER, '-O', 'source-address=198.51.100.0/24')],
    ['with an unknown critical option', () => certify(STRANGER, '-O', 'critical:x@example.com')],
  ])('%s does not sign in, offered first or not', async (_, blob) => {
    const client = await start('alice', { users: [testUser('alice')], deps: trusted() });
    const change = withCert(blob());
    expect(await client.sign(STRANGER, change)).toBe(`failure ${ALL_METHODS}`);
    await client.try(encodeUserauthPublickeyQuery('alice', SERVICE, CERT, change.blob));
    expect(await client.sign(STRANGER, change)).toBe(`failure ${ALL_METHODS}`);
  });

  it('from an authority that nobody trusts, or for an unknown user, does not sign in', async () => {
    const untrusted = await start('alice', { users: [testUser('alice')] });
    expect(await untrusted.sign(STRANGER, withCert(certify(STRANGER)))).toBe(`failure ${ALL_METHODS}`);
    const unknown = await start('alice', { deps: trusted() });
    expect(await unknown.sign(STRANGER, withCert(certify(STRANGER)))).toBe(`failure ${ALL_METHODS}`);
  });

  it('from an authority whose plain key is listed as a sign-in key does not sign in', async () => {
    const client = await start('alice', { users: [testUser('alice', { keys: [authorityLine()] })] });
    expect(await client.sign(STRANGER, withCert(certify(STRANGER)))).toBe(`failure ${ALL_METHODS}`);
  });

  it("from a user's own authority follows the options of its line too", async () => {
    const line = `cert-authority,principals="deploy",no-pty,from="192.0.2.0/24" ${authorityLine()}`;
    const users = [testUser('alice', { keys: [line] })];
    const good = await start('alice', { users });
    expect(await good.sign(STRANGER, withCert(certify(STRANGER, '-n', 'deploy')))).toBe('success');
    expect(await good.outcome).toMatchObject({ restrictions: { pty: false, portForwarding: true } });
    const principal = await start('alice', { users });
    expect(await principal.sign(STRANGER, withCert(certify(STRANGER)))).toBe(`failure ${ALL_METHODS}`);
    const elsewhere = await start('alice', { users, address: '198.51.100.1' });
    expect(await elsewhere.sign(STRANGER, withCert(certify(STRANGER, '-n', 'deploy')))).toBe(
      `failure ${ALL_METHODS}`,
    );
  });

  it('and its authority that force different commands do not sign in', async () => {
    const line = `cert-authority,command="uptime" ${authorityLine()}`;
    const users = [testUser('alice', { keys: [line] })];
    const client = await start('alice', { users });
    const blob = certify(STRANGER, '-O', 'force-command=id');
    expect(await client.sign(STRANGER, withCert(blob))).toBe(`failure ${ALL_METHODS}`);
    expect(await client.sign(STRANGER, withCert(certify(STRANGER, '-O', 'force-command=uptime')))).toBe(
      'success',
    );
  });

  it('on a security key that waives touch is waived by the global authority alone, or by the line as well', async () => {
    const key = makeKey('sk-ssh-ed25519@openssh.com');
    const change = {
      algorithm: 'sk-ssh-ed25519-cert-v01@openssh.com',
      signatureAlgorithm: key.type,
      blob: certify(key, '-O', 'no-touch-required'),
      use: { flags: 0, counter: 1 },
    };
    const global = await start('alice', { users: [testUser('alice')], deps: trusted() });
    expect(await global.sign(key, change)).toBe('success');
    const line = (options: string) => [
      testUser('alice', { keys: [`cert-authority${options} ${authorityLine()}`] }),
    ];
    expect(await (await start('alice', { users: line('') })).sign(key, change)).toBe(
      `failure ${ALL_METHODS}`,
    );
    expect(await (await start('alice', { users: line(',no-touch-required') })).sign(key, change)).toBe(
      'success',
    );
  });
});

describe('a password', () => {
  const users = [full(['password'])];

  it('signs in by message or by prompt', async () => {
    const byMessage = await start('alice', { users });
    expect(await byMessage.password('sesame')).toBe('success');
    const byPrompt = await start('alice', { users });
    expect(await byPrompt.prompts()).toBe('prompt Password:');
    expect(await byPrompt.answer('sesame')).toBe('success');
    expect(await byPrompt.outcome).toMatchObject({ authentication: 'password' });
  });

  it('that is wrong may be tried again, six times in all', async () => {
    const settings = { lockout: { ...DEFAULT_LOCKOUT, pairFailures: 100 } };
    const client = await start('alice', { users, settings });
    for (let i = 0; i < 5; i++) expect(await client.password('wrong')).toBe(`failure ${ALL_METHODS}`);
    expect(await client.password('wrong')).toBe('gone Too many authentication failures');
    expect(await client.outcome).toMatchObject({ kind: 'failed', code: 'SP_LOGIN_TOO_MANY_TRIES' });
  });

  it('is not changed over SSH', async () => {
    const client = await start('alice', { users });
    expect(await client.try(encodeUserauthPassword('alice', SERVICE, 'sesame', 'new'))).toBe(
      `failure ${ALL_METHODS}`,
    );
  });

  it('does not count where no combination has it', async () => {
    const client = await start('alice', { users: [full(['publickey'])] });
    expect(await client.password('sesame')).toBe(`failure ${ALL_METHODS}`);
    expect(await client.prompts()).toBe('prompt Password:');
    expect(await client.answer('sesame')).toBe(`failure ${ALL_METHODS}`);
  });

  it('answered with too few or too many lines is wrong', async () => {
    const client = await start('alice', { users });
    await client.prompts();
    expect(await client.answer('sesame', 'more')).toBe(`failure ${ALL_METHODS}`);
    await client.prompts();
    expect(await client.answer()).toBe(`failure ${ALL_METHODS}`);
  });
});

describe('combinations', () => {
  it('of key and code need both, and the key alone is a partial success', async () => {
    const client = await start('alice', { users: [full(['publickey', 'totp'])] });
    expect(await client.sign(KEY)).toBe('partial keyboard-interactive');
    expect(await client.prompts()).toBe('prompt One-time code:');
    expect(await client.answer('000000')).toBe('failure keyboard-interactive');
    expect(await client.prompts()).toBe('prompt One-time code:');
    expect(await client.answer(code())).toBe('success');
    expect(await client.outcome).toMatchObject({ authentication: 'publickey+totp' });
  });

  it('keep what the key may do when another proof follows', async () => {
    const client = await start('alice', { users: [full(['publickey', 'password'])] });
    expect(await client.sign(SECOND)).toBe('partial password,keyboard-interactive');
    expect(await client.offer(KEY)).toBe('pk-ok ssh-ed25519');
    expect(await client.password('sesame')).toBe('success');
    expect(await client.outcome).toMatchObject({ restrictions: { pty: false, agentForwarding: false } });
  });

  it('take the key that signed last', async () => {
    const client = await start('alice', { users: [full(['publickey', 'password'])] });
    await client.sign(KEY);
    expect(await client.sign(SECOND)).toBe('partial password,keyboard-interactive');
    expect(await client.sign(STRANGER)).toBe('failure password,keyboard-interactive');
    expect(await client.password('sesame')).toBe('success');
    expect(await client.outcome).toMatchObject({ restrictions: { pty: false } });
  });

  it('do not take an offered key for a proven one', async () => {
    const client = await start('alice', { users: [full(['publickey', 'password'])] });
    expect(await client.offer(KEY)).toBe('pk-ok ssh-ed25519');
    expect(await client.password('sesame')).toBe('partial publickey');
    expect(await client.offer(KEY)).toBe('pk-ok ssh-ed25519');
    expect(await client.none()).toBe('failure publickey');
    expect(await client.password('sesame')).toBe('partial publickey');
  });

  it('of password and code ask for both in one exchange', async () => {
    const client = await start('alice', { users: [full(['password', 'totp'])] });
    expect(await client.prompts()).toBe('prompt Password:');
    expect(await client.answer('sesame')).toBe('prompt One-time code:');
    expect(await client.answer(code().replace(/(...)/, '$1 '))).toBe('success');
    expect(await client.outcome).toMatchObject({ authentication: 'password+totp' });
  });

  it('are each enough, and a proof of another one does not hinder', async () => {
    const client = await start('alice', { users: [full(['publickey', 'totp'], ['password'])] });
    expect(await client.sign(KEY)).toBe('partial keyboard-interactive');
    expect(await client.password('sesame')).toBe('success');
  });

  it('never start with a code', async () => {
    const client = await start('alice', { users: [full(['publickey', 'totp'])] });
    expect(await client.prompts()).toBe('prompt Password:');
    expect(await client.answer(code())).toBe(`failure ${ALL_METHODS}`);
  });

  it('take each code once', async () => {
    const directory = new MemoryDirectory(full(['publickey', 'totp']));
    const first = await start('alice', { directory });
    await first.sign(KEY);
    await first.prompts();
    expect(await first.answer(code())).toBe('success');
    const replay = await start('alice', { directory });
    await replay.sign(KEY);
    await replay.prompts();
    expect(await replay.answer(code())).toBe('failure keyboard-interactive');
  });

  it('that are empty, or hold an empty one, let nobody in', async () => {
    for (const combinations of [[], [[]]]) {
      const client = await start('alice', { users: [full(...combinations)] });
      expect(await client.sign(KEY)).toBe(`failure ${ALL_METHODS}`);
      expect(await client.password('sesame')).toBe(`failure ${ALL_METHODS}`);
    }
  });
});

describe('who is who', () => {
  const disabled = { ...full(['password'], ['publickey']), disabledReason: 'left' };
  const claims: readonly [string, string, readonly LoginUser[]][] = [
    ['a user with another password', 'alice', [full(['password'])]],
    ['a user without a password', 'alice', [KEYED]],
    ['a disabled user', 'alice', [disabled]],
    ['a user who does not exist', 'nobody', []],
    ['a malformed name', '-oProxyCommand=x', []],
  ];

  it.each(claims)('is not told by answers or by work: %s', async (_, name, users) => {
    const client = await start(name, { users });
    const before = passwords.verifications;
    const answers = [
      await client.none(),
      await client.offer(STRANGER),
      await client.sign(STRANGER),
      await client.password(name === 'alice' && users[0]?.disabledReason !== undefined ? 'sesame' : 'guess'),
      await client.prompts(),
      await client.answer('guess'),
    ];
    const failure = `failure ${ALL_METHODS}`;
    expect(answers).toEqual([failure, failure, failure, failure, 'prompt Password:', failure]);
    expect(passwords.verifications - before).toBe(2);
  });

  it('is not told by the keys of a disabled user either, offered or signed', async () => {
    const users = [{ ...full(['publickey', 'totp']), disabledReason: 'left' }];
    const client = await start('alice', { users });
    expect(await client.offer(KEY)).toBe(`failure ${ALL_METHODS}`);
    expect(await client.sign(KEY)).toBe(`failure ${ALL_METHODS}`);
  });

  it('is looked up at the end again: one disabled meanwhile does not get in', async () => {
    const directory = new MemoryDirectory(full(['publickey', 'totp']));
    const client = await start('alice', { directory });
    await client.sign(KEY);
    await client.prompts();
    directory.users.set('alice', { ...full(['publickey', 'totp']), disabledReason: 'left' });
    expect(await client.answer(code())).toBe(`failure ${ALL_METHODS}`);
  });
});

describe('a lock', () => {
  it('comes after five wrong passwords, stops the right one, tells so, and passes', async () => {
    let now = NOW;
    const stage: Stage = { users: [full(['password'])], failures: new MemoryFailures(), now: () => now };
    const first = await start('alice', stage);
    for (let i = 0; i < 5; i++) await first.password('wrong');
    const locked = await start('alice', stage);
    const before = passwords.verifications;
    expect(await locked.password('sesame')).toBe(`failure ${ALL_METHODS}`);
    expect(passwords.verifications).toBe(before);
    const banner = locked.sent.find((message) => message[0] === MESSAGE.USERAUTH_BANNER);
    expect(banner === undefined ? '' : parseUserauthBanner(banner).text).toContain(
      'Too many failed sign-ins',
    );
    now += DEFAULT_LOCKOUT.firstLockMs + 1;
    expect(await locked.password('sesame')).toBe('success');
    expect([...(stage.failures?.failures.keys() ?? [])].filter((key) => key.startsWith('pair:'))).toEqual([]);
  });

  it('by someone elsewhere does not hit the owner, and never a key', async () => {
    const failures = new MemoryFailures();
    const users = [full(['password'], ['publickey'])];
    const attack = await start('alice', { users, failures, address: '198.51.100.1' });
    for (let i = 0; i < 5; i++) await attack.password('wrong');
    expect(await attack.sign(KEY)).toBe('success');
    const owner = await start('alice', { users, failures });
    expect(await owner.password('sesame')).toBe('success');
  });

  it('stops codes as well', async () => {
    const failures = new MemoryFailures();
    const users = [full(['publickey', 'totp'])];
    const client = await start('alice', { users, failures });
    await client.sign(KEY);
    for (let i = 0; i < 5; i++) {
      await client.prompts();
      await client.answer('000000');
    }
    const next = await start('alice', { users, failures });
    await next.sign(KEY);
    await next.prompts();
    expect(await next.answer(code())).toBe('failure keyboard-interactive');
  });

  it('holds against many tries at once', async () => {
    const failures = new MemoryFailures();
    const deps = {
      turns: createTurns({ atOnce: 2, waiting: 64, waitingFromOneSource: 64, keptForProven: 0 }),
    };
    const before = passwords.verifications;
    const clients = await Promise.all(
      Array.from({ length: 30 }, () => start('alice', { users: [full(['password'])], failures, deps })),
    );
    await Promise.all(clients.map((client) => client.password('wrong')));
    // Five, and as many as ran beside the fifth.
    expect(passwords.verifications - before).toBeLessThanOrEqual(6);
  });

  it('is not needed where too many wait: such a try is refused unchecked', async () => {
    const turns = createTurns({ atOnce: 1, waiting: 0, waitingFromOneSource: 0, keptForProven: 0 });
    using _busy = await turns.take('another');
    const client = await start('alice', { users: [full(['password'])], deps: { turns } });
    expect(await client.password('sesame')).toBe(`failure ${ALL_METHODS}`);
    expect(client.tries.at(-1)?.detail).toBe('busy');
  });
});

describe('the protocol', () => {
  it('takes a service request again after a failure, as Paramiko sends it (D5)', async () => {
    const client = await start('alice', { users: [KEYED] });
    expect(await client.sign(STRANGER)).toBe(`failure ${ALL_METHODS}`);
    expect(await client.try(encodeServiceRequest('ssh-userauth'))).toBe('accept');
    expect(await client.sign(KEY)).toBe('success');
  });

  it('shows the banner once, without control characters', async () => {
    const client = await start('alice', {
      users: [KEYED],
      settings: { banner: 'Private\u001b[2J system\n' },
    });
    await client.none();
    const banners = client.sent.filter((message) => message[0] === MESSAGE.USERAUTH_BANNER);
    expect(banners.map((message) => parseUserauthBanner(message).text)).toEqual(['Private?[2J system\n']);
    await client.none();
    expect(client.sent.length).toBe(1);
  });

  it.each<[string, string, (client: Client) => Buffer]>([
    ['another user name', 'SP_LOGIN_USER_CHANGED', () => encodeUserauthNone('bob', SERVICE)],
    ['another service', 'SP_LOGIN_SERVICE', () => encodeUserauthNone('alice', 'ssh-other')],
    ['another service than userauth', 'SP_LOGIN_SERVICE', () => encodeServiceRequest('ssh-connection')],
    ['an answer to no question', 'SP_LOGIN_PROTOCOL', () => encodeInfoResponse(['sesame'])],
    ['a channel', 'SP_LOGIN_PROTOCOL', () => Buffer.concat([Buffer.from([90]), sshStrings('session')])],
    ['SUCCESS from the client', 'SP_LOGIN_PROTOCOL', () => Buffer.from([52])],
    ['a request cut short', 'SP_LOGIN_MALFORMED', () => encodeUserauthNone('alice', SERVICE).subarray(0, 12)],
    ['a message far too long', 'SP_LOGIN_MALFORMED', () => Buffer.alloc(70_000, 50)],
    ['nothing', 'SP_LOGIN_PROTOCOL', () => Buffer.alloc(0)],
    [
      'a name that is no text',
      'SP_LOGIN_MALFORMED',
      () =>
        new MessageWriter()
          .byte(50)
          .string(Buffer.from([0xff, 0xfe]))
          .string(SERVICE)
          .string('none')
          .build(),
    ],
  ])('ends at %s', async (_, failure, payload) => {
    const client = await start('alice', { users: [KEYED] });
    await client.none();
    expect(await client.try(payload(client))).toMatch(/^gone /);
    expect(await client.outcome).toMatchObject({ kind: 'failed', code: failure });
  });

  it('wants the service to be asked for first', async () => {
    const client = new Client();
    client.login = startLogin(
      {
        directory: new MemoryDirectory(KEYED),
        failures: new MemoryFailures(),
        passwords,
        turns: createTurns(),
        authorities: () => [],
        revocations: () => NOTHING_REVOKED,
        settings: { ...DEFAULT_LOGIN_SETTINGS, lockout: DEFAULT_LOCKOUT },
        now: () => NOW,
        report: undefined,
      },
      { address: '192.0.2.7' },
      client,
    );
    expect(await client.sign(KEY)).toMatch(/^gone /);
  });

  it('lets a client offer many keys, but not without end', async () => {
    const client = await start('alice', { users: [KEYED], settings: { requests: 20 } });
    for (let i = 0; i < 20; i++) expect(await client.offer(STRANGER)).toBe(`failure ${ALL_METHODS}`);
    expect(await client.offer(KEY)).toBe('gone Too many authentication requests');
  });

  it('takes one request at a time and ends at a flood', async () => {
    const client = await start('alice', { users: [full(['password'])] });
    const request = encodeUserauthPassword('alice', SERVICE, 'wrong');
    for (let i = 0; i < 30; i++) client.login?.message(request);
    expect(await client.outcome).toMatchObject({ code: 'SP_LOGIN_FLOOD' });
  });

  it('drops prompts when another request comes', async () => {
    const client = await start('alice', { users: [full(['password'])] });
    expect(await client.prompts()).toBe('prompt Password:');
    expect(await client.none()).toBe(`failure ${ALL_METHODS}`);
    expect(await client.answer('sesame')).toMatch(/^gone /);
  });

  it('ends as failed when the directory fails or is too slow, and says nothing of why', async () => {
    const broken = new MemoryDirectory();
    broken.findUser = () => Promise.reject(new Error('disk on fire'));
    const slow = new MemoryDirectory();
    slow.findUser = () => new Promise(() => {});
    for (const directory of [broken, slow]) {
      const client = await start('alice', { directory, settings: { directoryTimeoutMs: 20 } });
      expect(await client.sign(KEY)).toBe('gone Signing in is not possible at the moment; try again later');
      expect(await client.outcome).toMatchObject({ code: 'SP_LOGIN_UNAVAILABLE' });
    }
  });

  it('sends nothing more once it is disposed of, even when a proof was under way', async () => {
    const client = await start('alice', { users: [full(['password'])] });
    client.sent.length = 0;
    client.login?.message(encodeUserauthPassword('alice', SERVICE, 'sesame'));
    client.login?.dispose();
    expect(await client.outcome).toMatchObject({ kind: 'failed', code: 'SP_LOGIN_ENDED' });
    client.login?.message(encodeUserauthNone('alice', SERVICE));
    await passwords.check('x', undefined);
    expect(client.sent).toEqual([]);
  });

  it('answers failures no sooner than the floor', async () => {
    const settings = { failureFloorMs: 300 };
    const client = await start('nobody', { settings });
    const started = performance.now();
    await client.sign(STRANGER);
    expect(performance.now() - started).toBeGreaterThanOrEqual(295);
  });

  it('never throws and never signs in, whatever the bytes', async () => {
    const requests = [
      encodeUserauthNone('alice', SERVICE),
      encodeUserauthPassword('alice', SERVICE, 'x'),
      encodeUserauthPublickeyQuery('alice', SERVICE, 'ssh-ed25519', KEY.blob),
      encodeUserauthPublickeySigned(
        encodeUserauthPublickeySignedPart('alice', SERVICE, 'ssh-ed25519', KEY.blob),
        sshStrings('ssh-ed25519', Buffer.alloc(64)),
      ),
      encodeUserauthKeyboardInteractive('alice', SERVICE),
      encodeInfoResponse(['x']),
      encodeServiceRequest('ssh-userauth'),
    ];
    const mutated = fc
      .tuple(fc.constantFrom(...requests), fc.nat(300), fc.nat(255), fc.nat(300))
      .map(([request, at, value, cut]) => {
        const changed = Buffer.from(request);
        if (at < changed.length) changed[at] = value;
        return changed.subarray(0, cut);
      });
    const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(mutated, noise), { maxLength: 10 }), async (messages) => {
        const client = await start('alice', { users: [KEYED] });
        for (const message of messages) client.login?.message(message);
        client.login?.dispose();
        expect((await client.outcome).kind).toBe('failed');
      }),
      { numRuns: 150 },
    );
  });
});

describe('the sign-in inside a ProxyJump', () => {
  const outer = {
    user: KEYED,
    authentication: 'publickey+totp',
    restrictions: {
      pty: false,
      portForwarding: true,
      agentForwarding: false,
      x11Forwarding: false,
      forcedCommand: 'uptime',
      permitOpen: undefined,
      permitListen: undefined,
    },
  };
  const jump = async (user: string) => {
    const client = new Client();
    client.user = user;
    client.login = startJumpLogin({ outer, device: 'web1' }, client);
    expect(await client.try(encodeServiceRequest('ssh-userauth'))).toBe('accept');
    return client;
  };

  it('takes the name for the account, and keeps what the outer sign-in may do', async () => {
    const client = await jump('svc@corp');
    expect(await client.none()).toBe('success');
    expect(await client.outcome).toEqual({
      kind: 'signed-in',
      ...outer,
      wanted: { account: 'svc@corp', device: 'web1' },
    });
  });

  it('also ends well for a client that starts with a key', async () => {
    expect(await (await jump('root')).sign(STRANGER)).toBe('success');
  });

  it.each(['', '-root', 'ro\not', 'a b'])('refuses the account name %j', async (name) => {
    const client = await jump(name);
    expect(await client.none()).toBe('gone That is not an account name');
    expect(await client.outcome).toMatchObject({ kind: 'failed', code: 'SP_LOGIN_NAME' });
  });
});
