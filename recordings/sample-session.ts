// A session as the gateway would hand it over, and keys made for the moment, for the tests of this folder.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { type Opener, openerFromSecret, type Signer, signerFrom, type Verifier, verifierOf } from './keys.ts';
import type { RecordedSession } from './session.ts';

export function sampleSession(id: string, changes: Partial<RecordedSession> = {}): RecordedSession {
  return {
    id,
    user: { id: 'u1', name: 'alice' },
    target: {
      device: { id: 'd1', name: 'web1', host: '192.0.2.10', port: 22 },
      credential: { id: 'c1', name: 'web1-root', username: 'root' },
      grant: { id: 'g1', name: 'web' },
    },
    sourceAddress: '198.51.100.7',
    sourcePort: 50_000,
    clientIdentification: 'SSH-2.0-OpenSSH_9.2',
    authentication: 'publickey',
    via: 'login-name',
    startedAt: Date.UTC(2026, 4, 3, 23, 59, 59, 500),
    ...changes,
  };
}

export interface SampleKeys {
  readonly keys: { readonly signer: () => Promise<Signer>; readonly recipients: () => readonly Opener[] };
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly opener: Opener;
}

export function sampleKeys(): SampleKeys {
  const signer = signerFrom(generateKeyPairSync('ed25519').privateKey);
  const opener = openerFromSecret(randomBytes(32));
  return {
    keys: { signer: async () => signer, recipients: () => [opener] },
    signer,
    verifier: verifierOf(signer.raw),
    opener,
  };
}
