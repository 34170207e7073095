// A session as the gateway would hand it over, for the tests of this folder.
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
