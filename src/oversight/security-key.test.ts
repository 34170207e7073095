// A touch as the proof that a user is there: which keys may give it, that it counts for one question alone, and that what
// is wrong is counted as at signing in.
import { beforeEach, describe, expect, it } from 'vitest';
import type { KeyAgent } from '../../proxy/identification/ports.ts';
import { DEFAULT_LOCKOUT, failureKeys, sourceNetwork } from '../../proxy/login/lockout.ts';
import { NOTHING_REVOKED } from '../../proxy/login/revocations.ts';
import { createTurns } from '../../proxy/login/turns.ts';
import { makeKey, type WorkshopKey } from '../../test/login/key-workshop.ts';
import { MemoryDirectory, MemoryFailures, testUser } from '../../test/login/memory-directory.ts';
import { createSecurityKeyProof, type SecurityKeyParts } from './security-key.ts';

const NOW = Date.UTC(2030, 0, 1);
const ASKED = { user: 'alice', sourceAddress: '192.0.2.7', demand: 'd1', session: 's1' };
const TOUCHED = { flags: 1, counter: 9 };

const ed25519 = makeKey('sk-ssh-ed25519@openssh.com');
const ecdsa = makeKey('sk-ecdsa-sha2-nistp256@openssh.com');
const plain = makeKey('ssh-ed25519');
const foreign = makeKey('sk-ssh-ed25519@openssh.com');

type Signer = (data: Buffer) => Buffer | undefined;

/** Holds keys in software; each signs as it is told here. */
const agentWith = (keys: readonly (readonly [WorkshopKey, Signer])[]): KeyAgent & { signed: Buffer[] } => {
  const signed: Buffer[] = [];
  return {
    signed,
    identities: async () => keys.map(([key]) => key.blob),
    sign: async (blob, data) => {
      signed.push(data);
      return keys.find(([key]) => key.blob.equals(blob))?.[1](data);
    },
    [Symbol.dispose]: () => {},
  };
};

const touched = (key: WorkshopKey): readonly [WorkshopKey, Signer] => [
  key,
  (data) => key.sign(key.type, data, TOUCHED),
];

let directory: MemoryDirectory;
let failures: MemoryFailures;
let parts: SecurityKeyParts;

beforeEach(() => {
  directory = new MemoryDirectory(
    testUser('alice', { keys: [plain.line, ed25519.line, `no-touch-required ${ecdsa.line}`] }),
    testUser('bob', { keys: [plain.line] }),
  );
  failures = new MemoryFailures();
  parts = {
    directory,
    failures,
    turns: createTurns(),
    lockout: DEFAULT_LOCKOUT,
    now: () => NOW,
    authorities: () => [],
    revocations: () => NOTHING_REVOKED,
  };
});

const prove = (agent: KeyAgent, asked = ASKED): Promise<string> =>
  createSecurityKeyProof(parts).prove(asked, agent);

describe('a touch of a security key', () => {
  it('is possible for whoever has such a key and may sign in', async () => {
    const proof = createSecurityKeyProof(parts);
    expect(await proof.possible('alice')).toBe(true);
    expect(await proof.possible('bob')).toBe(false);
    expect(await proof.possible('carol')).toBe(false);
    directory.users.set('alice', testUser('alice', { keys: [ed25519.line], disabledReason: 'gone' }));
    expect(await proof.possible('alice')).toBe(false);
  });

  it.each([
    ['Ed25519', ed25519],
    ['ECDSA', ecdsa],
  ])('is right with a key of the user’s: %s', async (_name, key) => {
    expect(await prove(agentWith([touched(plain), touched(foreign), touched(key)]))).toBe('right');
    expect(failures.failures.size).toBe(0);
  });

  it('is asked of nobody else’s keys, and of none that is no security key', async () => {
    const agent = agentWith([touched(foreign), touched(plain)]);
    expect(await prove(agent)).toBe('none');
    expect(agent.signed).toEqual([]);
  });

  it('is wrong without the finger, also where signing in does without it, and counted', async () => {
    for (const key of [ed25519, ecdsa]) {
      const untouched: Signer = (data) => key.sign(key.type, data, { flags: 0, counter: 9 });
      expect(await prove(agentWith([[key, untouched]]))).toBe('wrong');
    }
    const keys = failureKeys('alice', sourceNetwork(ASKED.sourceAddress));
    expect(failures.failures.get(keys.pair)).toEqual([NOW, NOW]);
  });

  it('is wrong when it was made for another question, or for signing in', async () => {
    const first = agentWith([[ed25519, () => undefined]]);
    expect(await prove(first)).toBe('none');
    const [before = Buffer.alloc(0)] = first.signed;
    const replayed: Signer = () => ed25519.sign(ed25519.type, before, TOUCHED);
    expect(await prove(agentWith([[ed25519, replayed]]))).toBe('wrong');
    // What is signed begins as nothing does that signs somebody in (RFC 4252 section 7: a string's length).
    expect(before.subarray(0, 6).toString('latin1')).toBe('SSHSIG');
  });

  it('goes on to the next key when one is not plugged in', async () => {
    expect(await prove(agentWith([[ed25519, () => undefined], touched(ecdsa)]))).toBe('right');
  });

  it('counts for nothing once the key is gone, revoked, out of its addresses, or its user disabled', async () => {
    const agent = agentWith([
      [
        ed25519,
        (data) => {
          directory.users.set('alice', testUser('alice', { keys: [plain.line] }));
          return ed25519.sign(ed25519.type, data, TOUCHED);
        },
      ],
    ]);
    expect(await prove(agent)).toBe('wrong');
    directory.users.set('alice', testUser('alice', { keys: [`from="198.51.100.0/24" ${ed25519.line}`] }));
    expect(await prove(agentWith([touched(ed25519)]))).toBe('none');
    directory.users.set('alice', testUser('alice', { keys: [ed25519.line] }));
    parts = { ...parts, revocations: () => ({ ...NOTHING_REVOKED, keyRevoked: () => true }) };
    expect(await prove(agentWith([touched(ed25519)]))).toBe('none');
    directory.users.set('alice', testUser('alice', { keys: [ed25519.line], disabledReason: 'gone' }));
    expect(await prove(agentWith([touched(ed25519)]))).toBe('wrong');
  });

  it('is not looked at while failures are locked', async () => {
    const keys = failureKeys('alice', sourceNetwork(ASKED.sourceAddress));
    for (let failure = 0; failure < DEFAULT_LOCKOUT.pairFailures; failure += 1)
      await failures.record([keys.pair], NOW - 1);
    expect(await prove(agentWith([touched(ed25519)]))).toBe('locked');
  });

  it('takes whatever an agent calls a key or a signature without falling over it', async () => {
    const garbled: KeyAgent = {
      identities: async () => [Buffer.alloc(0), Buffer.from('\0\0\xff\xffsk-', 'latin1'), ed25519.blob],
      sign: async () => Buffer.from('no signature'),
      [Symbol.dispose]: () => {},
    };
    expect(await prove(garbled)).toBe('wrong');
  });
});
