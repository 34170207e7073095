// Which algorithms are spoken, in order of preference. Everything that SHA-1, CBC or finite-field groups touch is
// absent: it is neither offered nor accepted, whatever keys are loaded. Compression is none only, because
// ssh2 inflates without a limit.

export interface Algorithms {
  readonly kex: readonly string[];
  readonly hostKey: readonly string[];
  readonly cipher: readonly string[];
  /** Used with aes*-ctr only; the other ciphers authenticate by themselves. */
  readonly mac: readonly string[];
}

/** All that the transport can do. A list given by the configuration must be a part of it. */
export const SUPPORTED_ALGORITHMS: Algorithms = {
  kex: [
    'mlkem768x25519-sha256',
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
  ],
  hostKey: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
  cipher: [
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes128-gcm@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
  ],
  mac: [
    'hmac-sha2-256-etm@openssh.com',
    'hmac-sha2-512-etm@openssh.com',
    // Clients in wide use know no other: libssh2 before 1.11 (curl, PHP), Twisted Conch.
    'hmac-sha2-256',
    'hmac-sha2-512',
  ],
};

/** Client role: devices may have ECDSA keys and NIST curves only, so everything supported is offered. */
export const CLIENT_ALGORITHMS: Algorithms = SUPPORTED_ALGORITHMS;

/**
 * Server role: without the NIST curves, which auditors' tools count as failures; every client that can do
 * without SHA-1 has Curve25519 and Ed25519 or RSA. The configuration may add them for clients in FIPS mode.
 */
export const SERVER_ALGORITHMS: Algorithms = {
  ...SUPPORTED_ALGORITHMS,
  kex: SUPPORTED_ALGORITHMS.kex.filter((name) => !name.includes('nistp')),
  hostKey: SUPPORTED_ALGORITHMS.hostKey.filter((name) => !name.includes('nistp')),
};

/** What users may sign with, told to clients in EXT_INFO (RFC 8308). The login layer accepts exactly these. */
export const SERVER_SIGNATURE_ALGORITHMS: readonly string[] = [
  'ssh-ed25519',
  'ssh-ed25519-cert-v01@openssh.com',
  'sk-ssh-ed25519@openssh.com',
  'sk-ssh-ed25519-cert-v01@openssh.com',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp256-cert-v01@openssh.com',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp384-cert-v01@openssh.com',
  'ecdsa-sha2-nistp521',
  'ecdsa-sha2-nistp521-cert-v01@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com',
  'rsa-sha2-512',
  'rsa-sha2-512-cert-v01@openssh.com',
  'rsa-sha2-256',
  'rsa-sha2-256-cert-v01@openssh.com',
];

/** The host key algorithms that a key of this type can sign with; none for types that are not spoken. */
export function hostKeyAlgorithmsOf(keyType: string): readonly string[] {
  return keyType === 'ssh-rsa'
    ? ['rsa-sha2-512', 'rsa-sha2-256']
    : SUPPORTED_ALGORITHMS.hostKey.filter((name) => name === keyType);
}

/** The client's host key algorithms with those of the given key types (the pinned ones) first. */
export function preferHostKeyTypes(
  keyTypes: readonly string[],
  algorithms: readonly string[] = CLIENT_ALGORITHMS.hostKey,
): readonly string[] {
  const first = new Set(keyTypes.flatMap(hostKeyAlgorithmsOf));
  return [...algorithms.filter((name) => first.has(name)), ...algorithms.filter((name) => !first.has(name))];
}

/** Throws a RangeError that names the first entry which is not supported, or an empty list. */
export function checkAlgorithms(algorithms: Algorithms): void {
  for (const kind of ['kex', 'hostKey', 'cipher', 'mac'] as const) {
    if (algorithms[kind].length === 0) throw new RangeError(`no ${kind} algorithm is left`);
    for (const name of algorithms[kind]) {
      if (!SUPPORTED_ALGORITHMS[kind].includes(name)) {
        throw new RangeError(`unsupported ${kind} algorithm: ${name}`);
      }
    }
  }
}
