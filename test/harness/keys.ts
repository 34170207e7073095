// Key pairs for the tests, made by ssh-keygen, so that files are in the very form that users have.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface KeyPair {
  /** The private key's file; the public one is beside it. */
  readonly file: string;
  readonly privateKey: string;
  /** `type base64`, without a comment. */
  readonly publicKey: string;
}

export function makeKey(
  file: string,
  type: 'ed25519' | 'ecdsa' | 'rsa' = 'ed25519',
  passphrase = '',
): KeyPair {
  // RSA keys are for old clients, some of which can't read OpenSSH's own format.
  const format = type === 'rsa' ? ['-m', 'PEM'] : [];
  execFileSync('ssh-keygen', ['-q', ...format, '-t', type, '-N', passphrase, '-C', '', '-f', file]);
  return {
    file,
    privateKey: readFileSync(file, 'utf8'),
    publicKey: readFileSync(`${file}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' '),
  };
}
