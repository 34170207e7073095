// New secrets, and what changes an account to them: commands for a device's shell, and what goes to their standard input.
// Pure but for randomness. Commands hold no secret and no name: both go in by standard input.
import { generateKeyPairSync, randomInt } from 'node:crypto';
import { readDeviceKey } from '../../proxy/device/device-key.ts';

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const DIGITS = '23456789';
/** Nothing that chpasswd, a shell or an expect script could take for something else. */
const SIGNS = '-_.+=@%';
const LENGTH = 32;

/** 32 characters with letters of both cases, digits and signs: about 180 bits. */
export const newPassword = (): string => {
  const all = LETTERS + DIGITS + SIGNS;
  const pick = (from: string): string => from.charAt(randomInt(from.length));
  for (;;) {
    const password = Array.from({ length: LENGTH }, () => pick(all)).join('');
    const rich = [/[A-Z]/, /[a-z]/, /[0-9]/, /[-_.+=@%]/].every((kind) => kind.test(password));
    // A leading sign could be taken for an option somewhere.
    if (rich && /^[A-Za-z]/.test(password)) return password;
  }
};

export interface NewKey {
  /** PKCS#8, PEM. */
  readonly privateKey: string;
  /** `type base64 comment`. */
  readonly line: string;
}

export const newKey = (comment: string): NewKey => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKey: pem, line: `${publicPartOf(pem)} ${comment.replace(/[^A-Za-z0-9._-]/g, '-')}` };
};

/** `type base64`. Throws when the key can't be read. */
export const publicPartOf = (privateKey: string, passphrase?: string): string => {
  const key = readDeviceKey(privateKey, passphrase);
  return `${key.type} ${key.blob.toString('base64')}`;
};

export interface DeviceChange {
  readonly command: string;
  readonly input: string;
}

export const PASSWORD_METHODS = ['chpasswd', 'sudo-chpasswd', 'passwd'] as const;
export type PasswordMethod = (typeof PASSWORD_METHODS)[number];

/** Single quotes mean the same to every login shell; within them stands plain sh. */
const inSh = (script: string): string => `exec sh -c '${script}'`;

/** An account's name must not change what a line means. */
export const fitsPasswordFile = (name: string): boolean => name !== '' && !/[:\n\r\0]/.test(name);

export const passwordChange = (
  method: PasswordMethod,
  account: string,
  {
    current,
    next,
    sudo,
  }: {
    readonly current: string;
    readonly next: string;
    /** What sudo asks the acting account for; absent: it asks for nothing. */
    readonly sudo?: string | undefined;
  },
): DeviceChange => {
  switch (method) {
    case 'chpasswd':
      return {
        command: inSh('PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C exec chpasswd'),
        input: `${account}:${next}\n`,
      };
    case 'sudo-chpasswd':
      // sudo reads the password up to its line's end and no further. One that sudo would not ask for is never sent: chpasswd
      // would read it.
      return sudo === undefined
        ? { command: inSh('LC_ALL=C exec sudo -n chpasswd'), input: `${account}:${next}\n` }
        : {
            command: inSh('LC_ALL=C exec sudo -k -S -p "" chpasswd'),
            input: `${sudo}\n${account}:${next}\n`,
          };
    case 'passwd':
      return { command: inSh('LC_ALL=C exec passwd'), input: `${current}\n${next}\n${next}\n` };
  }
};

/** Without input it changes nothing; ends with 0 where the account may run it by sudo without a password. */
export const SUDO_PROBE = inSh('LC_ALL=C exec sudo -n chpasswd');

/** Adds a line to the account's own authorized_keys. */
export const keyAddition = (line: string): DeviceChange => ({
  command: inSh(
    'umask 077; mkdir -p "$HOME/.ssh" && f="$HOME/.ssh/authorized_keys" && ' +
      // A file without a line end at its end must not glue two keys together.
      'if [ -s "$f" ] && [ -n "$(tail -c 1 "$f")" ]; then echo >> "$f"; fi && cat >> "$f"',
  ),
  input: `${line}\n`,
});

/** Takes every line with the first key out, but only where the second key stays. */
export const keyRemoval = (old: string, staying: string): DeviceChange => ({
  command: inSh(
    'umask 077; f="$HOME/.ssh/authorized_keys"; t="$f.new.$$"; IFS= read -r old; IFS= read -r keep; ' +
      'grep -vF -e "$old" "$f" > "$t"; ' +
      'if grep -qF -e "$keep" "$t"; then cat "$t" > "$f"; r=$?; else r=9; fi; rm -f "$t"; exit $r',
  ),
  input: `${old}\n${staying}\n`,
});
