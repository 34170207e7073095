// Asks a signed-in user for all that their account can prove: the password where there is one, and a one-time code where
// there is one. Checked together, counted and locked exactly as signing in is, so that a held session is no place to
// guess from.
import type { Answers, Question } from '../../proxy/identification/ports.ts';
import { askLock, failureKeys, type LockoutSettings, sourceNetwork } from '../../proxy/login/lockout.ts';
import type { PasswordChecker } from '../../proxy/login/password.ts';
import type {
  AuthenticationMethod,
  LoginDirectory,
  LoginFailures,
  LoginUser,
} from '../../proxy/login/ports.ts';
import { totpStepOf } from '../../proxy/login/totp.ts';
import type { Turns } from '../../proxy/login/turns.ts';

export interface Identifier {
  /** What a user can be asked for, in order; empty: nothing, or nobody. */
  questions(userName: string): Promise<readonly Question[]>;
  check(userName: string, sourceAddress: string, answers: Answers): Promise<'right' | 'wrong' | 'locked'>;
}

export interface IdentifierParts {
  readonly directory: LoginDirectory;
  readonly failures: LoginFailures;
  readonly passwords: PasswordChecker;
  readonly turns: Turns;
  readonly lockout: LockoutSettings;
  readonly now: () => number;
}

const questionsFor = (user: LoginUser | undefined): readonly Question[] => {
  if (user === undefined || user.disabledReason !== undefined) return [];
  return [
    ...(user.passwordHash === undefined ? [] : [{ name: 'password', text: 'Your password:' } as const]),
    ...(user.totpSecret === undefined ? [] : [{ name: 'totp', text: 'Your one-time code:' } as const]),
  ];
};

export const createIdentifier = (parts: IdentifierParts): Identifier => ({
  questions: async (userName) => questionsFor(await parts.directory.findUser(userName)),
  check: async (userName, sourceAddress, answers) => {
    const network = sourceNetwork(sourceAddress);
    using turn = await parts.turns.take(network);
    if (turn === undefined) return 'locked';
    const user = await parts.directory.findUser(userName);
    const asked = questionsFor(user);
    if (user === undefined || asked.length === 0) return 'wrong';
    const now = parts.now();
    const lock = await askLock(parts.failures, userName, user.id, network, now, parts.lockout);
    if (lock.kind === 'locked') return 'locked';
    let right = true;
    for (const { name } of asked) {
      const answer = answers.get(name) ?? '';
      if (name === 'password') right = (await parts.passwords.check(answer, user.passwordHash)) && right;
      // A code is spent only when the password was right.
      else right = right && (await codeIsFresh(parts, user, answer, now));
    }
    if (right) return 'right';
    const keys = failureKeys(userName, network);
    await parts.failures.record([keys.pair, keys.source, keys.user], now);
    return 'wrong';
  },
});

const codeIsFresh = async (
  { directory }: IdentifierParts,
  user: LoginUser,
  answer: string,
  now: number,
): Promise<boolean> => {
  if (user.totpSecret === undefined) return false;
  const step = totpStepOf(answer, user.totpSecret, now);
  return step !== undefined && directory.acceptTotpStep(user.id, step);
};

/**
 * The directory for signing in, where whoever has to prove who they are is asked for all that they can prove, whatever
 * combination would do otherwise.
 */
export const demandingDirectory = (
  directory: LoginDirectory,
  isAsked: (userId: string) => Promise<boolean>,
): LoginDirectory => ({
  ...directory,
  findUser: async (name) => {
    const user = await directory.findUser(name);
    if (user === undefined || !(await isAsked(user.id))) return user;
    const proofs: readonly AuthenticationMethod[] = questionsFor(user).map((question) => question.name);
    return {
      ...user,
      combinations: user.combinations.map((combination) => [...new Set([...combination, ...proofs])]),
    };
  },
});
