// Reads the SSH user name as USER, USER@DEVICE or USER@ACCOUNT@DEVICE; `:` and `%` may stand for `@`.
//
// The separator is the first of `@ : %` that occurs, so USER holds none of them. USER ends at the first separator,
// DEVICE starts after the last, and ACCOUNT is all between, so an account may be `svc@corp` or `CORP\svc`.
// It says whether a name is well formed, never whether such a user, account or device exists.

export type LoginName =
  | {
      readonly kind: 'name';
      readonly user: string;
      readonly account: string | undefined;
      readonly device: string | undefined;
    }
  | { readonly kind: 'malformed'; readonly reason: string };

const SEPARATORS = ['@', ':', '%'];
const LONGEST_NAME = 384;
const LONGEST_PART = 128;

/** Never throws. A malformed name is to be answered exactly as an unknown user is. */
export function parseLoginName(name: string): LoginName {
  if (name.length > LONGEST_NAME) return malformed('the name is too long');
  const first = [...name].find((character) => SEPARATORS.includes(character));
  if (first === undefined) return checked(name, undefined, undefined);
  const start = name.indexOf(first);
  const end = name.lastIndexOf(first);
  const user = name.slice(0, start);
  const device = name.slice(end + 1);
  const account = start === end ? undefined : name.slice(start + 1, end);
  // `alice@root:web1` could mean two things; a guess could open the wrong account.
  if (SEPARATORS.some((separator) => device.includes(separator))) {
    return malformed('different separators are mixed');
  }
  return checked(user, account, device);
}

/** The name that a client gives inside a ProxyJump: an account alone, with no separator meaning. */
export function parseAccountName(name: string): string | undefined {
  return partProblem(name) === undefined ? name : undefined;
}

function checked(user: string, account: string | undefined, device: string | undefined): LoginName {
  for (const part of [user, account, device]) {
    if (part === undefined) continue;
    const problem = partProblem(part);
    if (problem !== undefined) return malformed(problem);
  }
  return { kind: 'name', user, account, device };
}

function partProblem(part: string): string | undefined {
  if (part.length === 0) return 'a part of the name is empty';
  if (part.length > LONGEST_PART) return 'a part of the name is too long';
  if (part.startsWith('-')) return 'a part of the name starts with a hyphen';
  // Control, format (bidirectional overrides, zero-width), unassigned and private characters, lone surrogates, white space.
  if (/[\p{C}\p{Z}\uFFFD]/u.test(part)) return 'the name holds a character that names may not hold';
  return undefined;
}

function malformed(reason: string): LoginName {
  return { kind: 'malformed', reason };
}
