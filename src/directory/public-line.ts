// Reads `type base64` as it stands in authorized_keys and known_hosts, far enough to know that it is a public key. What
// options before a user's key mean is the login's to say; whoever calls apply passes the login's own reader in.

const TYPES = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
]);

/** The host key as `type base64`, without a comment; or what is wrong with it. */
export const readHostKey = (text: string): { readonly key: string } | { readonly problem: string } => {
  const [type, body, ...rest] = text.trim().split(/[ \t]+/);
  if (type === undefined || body === undefined) return { problem: 'must be a public key: TYPE BASE64' };
  if (!TYPES.has(type)) {
    const swapped = rest[0] !== undefined && TYPES.has(body);
    return {
      problem: swapped
        ? 'must be TYPE BASE64, without the host name that stands before it in known_hosts'
        : `must begin with one of ${[...TYPES].join(', ')}`,
    };
  }
  const blob = Buffer.from(body, 'base64');
  if (blob.toString('base64').replace(/=+$/, '') !== body.replace(/=+$/, ''))
    return { problem: 'is not base64' };
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  if (blob.length < 4 + length + 4 || blob.toString('latin1', 4, 4 + length) !== type) {
    return { problem: `does not hold a key of type ${type}` };
  }
  return { key: `${type} ${blob.toString('base64')}` };
};
