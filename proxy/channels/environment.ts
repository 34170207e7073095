// Which environment variables of a client may reach a device. A list of what is allowed, since what is dangerous
// (LD_PRELOAD, BASH_ENV, PATH, IFS, …) has no end. Order and values are the client's.

export interface EnvironmentRules {
  /** Exact names, or prefixes that end with `*`. */
  readonly allowed: readonly string[];
}

export const DEFAULT_ENVIRONMENT: EnvironmentRules = {
  allowed: [
    'LANG',
    'LANGUAGE',
    'LC_*',
    'TERM',
    'COLORTERM',
    'NO_COLOR',
    'TZ',
    'TERM_PROGRAM',
    'GIT_PROTOCOL',
  ],
};

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** Even a list that somebody made too wide lets none of these through. */
const NEVER =
  /^(?:LD_.*|DYLD_.*|BASH.*|ENV|ZDOTDIR|IFS|CDPATH|PATH|HOME|SHELL|SHELLOPTS|PS\d|PROMPT.*|RPROMPT|INPUTRC|HIST.*|histchars|FPATH|FCEDIT|EDITOR|VISUAL|.*PAGER|LESS.*|GIT_(?!PROTOCOL$).*|RSYNC_.*|SSH_.*|SUDO_.*|PYTHON.*|PERL.*|RUBY.*|NODE_.*|JAVA_.*|_JAVA_.*|LUA_.*|PHP.*|R_.*|GCONV_PATH|LOCPATH|NLSPATH|TERMINFO.*|TERMCAP|HOSTALIASES|RESOLV_.*|MALLOC_.*|GLIBC_.*|TMPDIR)$/;
const MAX_VALUE = 4096;

export function environmentAllowed(rules: EnvironmentRules, name: string, value: Buffer): boolean {
  if (!NAME.test(name) || NEVER.test(name)) return false;
  if (value.length > MAX_VALUE || value.includes(0)) return false;
  return rules.allowed.some((rule) =>
    rule.endsWith('*') ? name.startsWith(rule.slice(0, -1)) : name === rule,
  );
}
