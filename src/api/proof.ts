// Asking somebody who is signed in once more who they are: the password and the one-time code, whichever they have, counted
// and locked as signing in is. A program has nothing to prove it by.
import type { Identifier } from '../oversight/identifier.ts';
import type { ApiParts } from './parts.ts';
import { ApiProblem } from './problem.ts';
import type { Asked, Principal } from './route.ts';

type Answers = Parameters<Identifier['check']>[2];

export interface Given {
  readonly password?: string | undefined;
  readonly code?: string | undefined;
}

export const answersOf = ({ password, code }: Given): Answers =>
  new Map([
    ...(password === undefined ? [] : [['password', password] as const]),
    ...(code === undefined ? [] : [['totp', code] as const]),
  ]);

/** Throws ApiProblem: SP_API_FORBIDDEN for a token. */
export const onlyPeople = (principal: Principal): void => {
  if (principal.kind === 'token')
    throw new ApiProblem('SP_API_FORBIDDEN', 'this is for people, not for programs: sign in');
};

/** Throws ApiProblem: SP_API_LOCKED, SP_API_NOT_PROVEN. */
export const requireProof = async (
  parts: ApiParts,
  principal: Principal,
  asked: Asked,
  given: Given,
): Promise<void> => {
  const outcome = await parts.identifier.check(principal.name, asked.sourceAddress, answersOf(given));
  switch (outcome) {
    case 'right':
      return;
    case 'locked':
      throw new ApiProblem('SP_API_LOCKED', 'too many wrong answers: try again later', [], 60);
    case 'wrong':
      throw new ApiProblem('SP_API_NOT_PROVEN', 'an answer is wrong');
  }
};
