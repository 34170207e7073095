// Asks a signed-in user once more who they are: the one-time code where there is one, else the password. Counted and
// locked exactly as signing in is, so that a held session is no place to guess from.
import type { Identification } from '../../proxy/audit/ports.ts';
import { askLock, failureKeys, type LockoutSettings, sourceNetwork } from '../../proxy/login/lockout.ts';
import type { PasswordChecker } from '../../proxy/login/password.ts';
import type { LoginDirectory, LoginFailures } from '../../proxy/login/ports.ts';
import { totpStepOf } from '../../proxy/login/totp.ts';
import type { Turns } from '../../proxy/login/turns.ts';

export interface IdentificationParts {
  readonly directory: LoginDirectory;
  readonly failures: LoginFailures;
  readonly passwords: PasswordChecker;
  readonly turns: Turns;
  readonly lockout: LockoutSettings;
  readonly now: () => number;
}

export const createIdentification = (parts: IdentificationParts): Identification => ({
  questionFor: async (userName) => {
    const user = await parts.directory.findUser(userName);
    if (user === undefined || user.disabledReason !== undefined) return undefined;
    if (user.totpSecret !== undefined) return 'Your one-time code:';
    return user.passwordHash === undefined ? undefined : 'Your password:';
  },
  check: async (userName, sourceAddress, answer) => {
    const network = sourceNetwork(sourceAddress);
    using turn = await parts.turns.take(network);
    if (turn === undefined) return 'locked';
    const user = await parts.directory.findUser(userName);
    if (user === undefined || user.disabledReason !== undefined) return 'wrong';
    const now = parts.now();
    const lock = await askLock(parts.failures, userName, user.id, network, now, parts.lockout);
    if (lock.kind === 'locked') return 'locked';
    if (user.totpSecret !== undefined) {
      const step = totpStepOf(answer, user.totpSecret, now);
      if (step !== undefined && (await parts.directory.acceptTotpStep(user.id, step))) return 'right';
    } else if (await parts.passwords.check(answer, user.passwordHash)) return 'right';
    const keys = failureKeys(userName, network);
    await parts.failures.record([keys.pair, keys.source, keys.user], now);
    return 'wrong';
  },
});
