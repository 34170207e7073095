// A browser and its authenticator in one, out of Node's own keys, for tests of passkeys. It signs whatever it is asked to:
// for any page, any host, with or without the user verified, with any count.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** As whoever asks gives them; everything else in them is not looked at. */
interface Options {
  readonly challenge?: unknown;
}

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** RFC 8949, as far as an attestation needs it. */
const cborHead = (major: number, value: number): Buffer => {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  if (value < 256) return Buffer.from([(major << 5) | 24, value]);
  return Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
};
const cborNumber = (value: number): Buffer => (value < 0 ? cborHead(1, -1 - value) : cborHead(0, value));
const cborBytes = (value: Uint8Array): Buffer => Buffer.concat([cborHead(2, value.length), value]);
const cborText = (value: string): Buffer => Buffer.concat([cborHead(3, value.length), Buffer.from(value)]);
const cborMap = (...entries: readonly Buffer[]): Buffer =>
  Buffer.concat([cborHead(5, entries.length / 2), ...entries]);

export const USER_PRESENT = 1;
const USER_VERIFIED = 4;
const WITH_KEY = 64;

/** What a browser and an authenticator do together (WebAuthn Level 3, 7.1 and 7.2). */
export class Authenticator {
  readonly #private: KeyObject;
  readonly #cose: Buffer;
  readonly id = randomBytes(32);
  count = 0;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#private = privateKey;
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    // EC2, ES256, P-256 (RFC 9053).
    this.#cose = cborMap(
      ...[cborNumber(1), cborNumber(2), cborNumber(3), cborNumber(-7), cborNumber(-1), cborNumber(1)],
      ...[cborNumber(-2), cborBytes(Buffer.from(x, 'base64url'))],
      ...[cborNumber(-3), cborBytes(Buffer.from(y, 'base64url'))],
    );
  }

  #data(rpId: string, flags: number): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.count);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), counter]);
  }

  #client(type: string, options: Options, origin: string): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge: options.challenge, origin, crossOrigin: false }));
  }

  register(options: Options, origin: string, rpId = 'localhost', flags = USER_PRESENT | USER_VERIFIED) {
    const length = Buffer.from([0, this.id.length]);
    const authData = Buffer.concat([
      this.#data(rpId, flags | WITH_KEY),
      ...[Buffer.alloc(16), length, this.id, this.#cose],
    ]);
    const attestation = cborMap(
      ...[cborText('fmt'), cborText('none'), cborText('attStmt'), cborMap()],
      ...[cborText('authData'), cborBytes(authData)],
    );
    return {
      id: b64(this.id),
      rawId: b64(this.id),
      type: 'public-key' as const,
      clientExtensionResults: {},
      response: {
        clientDataJSON: b64(this.#client('webauthn.create', options, origin)),
        attestationObject: b64(attestation),
        transports: ['internal' as const],
      },
    };
  }

  sign(options: Options, origin: string, rpId = 'localhost', flags = USER_PRESENT | USER_VERIFIED) {
    const data = this.#data(rpId, flags);
    const client = this.#client('webauthn.get', options, origin);
    const told = Buffer.concat([data, createHash('sha256').update(client).digest()]);
    return {
      id: b64(this.id),
      rawId: b64(this.id),
      type: 'public-key' as const,
      clientExtensionResults: {},
      response: {
        clientDataJSON: b64(client),
        authenticatorData: b64(data),
        signature: b64(sign('sha256', told, this.#private)),
      },
    };
  }
}
