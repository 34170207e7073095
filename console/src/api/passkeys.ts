// Making passkeys and signing in with them: what the API asks goes to the browser, and what the browser's authenticator
// answers goes back. Says in words why a passkey can't be used here. It judges no answer: that is the API's.
import type { Who } from '../who.ts';
import { api, type Shapes, taken } from './client.ts';

/** Why this page can't use passkeys at all. */
export type Obstacle =
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'not-secure' }
  /** `instead`: where the same page has a name, if it is on this machine. */
  | { readonly kind: 'address'; readonly instead: string | undefined };

/** The person, the browser or the authenticator said no; `title` and the message are for the person. */
export class PasskeyFault extends Error {
  readonly title: string;
  readonly obstacle: Obstacle | undefined;

  constructor(title: string, message: string, obstacle?: Obstacle) {
    super(message);
    this.name = 'PasskeyFault';
    this.title = title;
    this.obstacle = obstacle;
  }
}

const isAddress = (hostname: string): boolean => hostname.startsWith('[') || /^[\d.]+$/.test(hostname);

/** A passkey belongs to a host's name, and browsers use them on secure pages only (WebAuthn Level 3, 5.1.3 and 13.4.9). */
export const passkeyObstacle = (): Obstacle | undefined => {
  const { hostname, port, protocol, pathname } = location;
  if (isAddress(hostname)) {
    const here = hostname === '127.0.0.1' || hostname === '[::1]';
    const host = port === '' ? 'localhost' : `localhost:${port}`;
    return { kind: 'address', instead: here ? `${protocol}//${host}${pathname}` : undefined };
  }
  if (!isSecureContext) return { kind: 'not-secure' };
  const able =
    'PublicKeyCredential' in globalThis &&
    'parseCreationOptionsFromJSON' in PublicKeyCredential &&
    'parseRequestOptionsFromJSON' in PublicKeyCredential;
  return able ? undefined : { kind: 'unsupported' };
};

export const faultOf = (obstacle: Obstacle): PasskeyFault => {
  switch (obstacle.kind) {
    case 'address':
      return new PasskeyFault(
        'Passkeys need a name',
        'Browsers make and use passkeys for names only, and this page was opened by an address.',
        obstacle,
      );
    case 'not-secure':
      return new PasskeyFault(
        'Passkeys need a secure page',
        'Browsers make and use passkeys on secure pages only: open the console by https.',
        obstacle,
      );
    case 'unsupported':
      return new PasskeyFault(
        'This browser can’t use passkeys',
        'Use a newer browser, or your password.',
        obstacle,
      );
  }
};

/** What browsers throw (WebAuthn Level 3, 5.1.3 and 5.1.4), in words. */
const faultIn = (error: unknown): PasskeyFault => {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
    case 'AbortError':
      return new PasskeyFault(
        'No passkey was used',
        'It was cancelled, took too long, or there is no passkey for this page here. Try again when you like.',
      );
    case 'InvalidStateError':
      return new PasskeyFault(
        'This authenticator has one already',
        'A passkey of yours for this page is on it.',
      );
    case 'SecurityError':
      return new PasskeyFault(
        'This page may not use passkeys',
        `The browser does not take ${location.host} for the host that the passkey is to be good for.`,
      );
    case 'ConstraintError':
    case 'NotSupportedError':
      return new PasskeyFault(
        'This authenticator can’t do it',
        'A passkey is kept on an authenticator that verifies you by a PIN, a finger or a face.',
      );
    default:
      return new PasskeyFault('The browser could not do it', 'Its answer is no passkey of ours. Try again.');
  }
};

/** Throws PasskeyFault. */
const answered = async (ask: () => Promise<Credential | null>) => {
  try {
    const credential = await ask();
    if (credential instanceof PublicKeyCredential) return credential.toJSON();
  } catch (error) {
    throw faultIn(error);
  }
  throw faultIn(undefined);
};

const demandUsable = (): void => {
  const obstacle = passkeyObstacle();
  if (obstacle !== undefined) throw faultOf(obstacle);
};

const isCreation = (options: object): options is PublicKeyCredentialCreationOptionsJSON =>
  'challenge' in options && 'rp' in options && 'user' in options && 'pubKeyCredParams' in options;

const isRequest = (options: object): options is PublicKeyCredentialRequestOptionsJSON =>
  'challenge' in options;

/** Throws PasskeyFault or Refused. The browser asks its user within the time that the API gives. */
export const makePasskey = async (
  name: string,
  proof: { readonly password?: string; readonly code?: string },
): Promise<Shapes['Passkey']> => {
  demandUsable();
  const { options } = await taken(api.POST('/api/passkeys/options', { body: proof }));
  if (!isCreation(options)) throw faultIn(undefined);
  const { id, rawId, response } = await answered(() =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  );
  if (!('attestationObject' in response)) throw faultIn(undefined);
  const { clientDataJSON, attestationObject, transports } = response;
  const made = { clientDataJSON, attestationObject, transports };
  return taken(
    api.POST('/api/passkeys', {
      body: { name, response: { id, rawId, type: 'public-key', response: made } },
    }),
  );
};

/** Throws PasskeyFault or Refused. */
export const signInByPasskey = async (): Promise<Who> => {
  demandUsable();
  const { options } = await taken(api.POST('/api/sign-in/passkey/options'));
  if (!isRequest(options)) throw faultIn(undefined);
  const { id, rawId, response } = await answered(() =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
  );
  if (!('signature' in response)) throw faultIn(undefined);
  const { clientDataJSON, authenticatorData, signature, userHandle } = response;
  const signed = { clientDataJSON, authenticatorData, signature };
  return taken(
    api.POST('/api/sign-in/passkey', {
      body: {
        response: {
          id,
          rawId,
          type: 'public-key',
          response: userHandle ? { ...signed, userHandle } : signed,
        },
      },
    }),
  );
};
