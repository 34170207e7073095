// What users, devices, credentials, grants, groups and tags may be called. A name never holds what separates a login
// name's parts (`@`, `:`, `%`), never looks like an option, and is plain ASCII, so that two names never look the same.

export const NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/;
export const LONGEST_NAME = 128;

/** Undefined: fine. Otherwise what is wrong, to follow the name. */
export const nameProblem = (name: string): string | undefined => {
  if (name === '') return 'must not be empty';
  if (name.length > LONGEST_NAME) return `must have at most ${LONGEST_NAME} characters`;
  if (!NAME_PATTERN.test(name)) {
    return 'may hold letters, digits, ".", "_", "+" and "-" only, and must not start with "-", "." or "+"';
  }
  return undefined;
};

/** An account's name on a device is the device's own affair; only what could mislead a terminal or a log is refused. */
export const usernameProblem = (name: string): string | undefined => {
  if (name === '') return 'must not be empty';
  if (name.length > LONGEST_NAME) return `must have at most ${LONGEST_NAME} characters`;
  if (name.startsWith('-')) return 'must not start with "-"';
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(name)) return 'must not hold control characters';
  return undefined;
};

export const isGlob = (pattern: string): boolean => /[*?[\]{}()!]/.test(pattern);

/** A device name, or a glob over device names. */
export const devicePatternProblem = (pattern: string): string | undefined => {
  if (!isGlob(pattern)) return nameProblem(pattern);
  if (pattern.length > LONGEST_NAME) return `must have at most ${LONGEST_NAME} characters`;
  if (!/^[A-Za-z0-9._+\-*?[\]{},!]+$/.test(pattern)) return 'is not a glob over device names';
  return undefined;
};
