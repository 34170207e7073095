// Signs in to a device with a credential: the client's side of RFC 4252 and 4256 as a state machine over messages.
// It asks with `none` first, to learn what the device accepts, and then offers the one secret it has, once: devices
// that punish failures punish the gateway's address, and so every user behind it.
import {
  encodeInfoResponse,
  encodeServiceRequest,
  encodeUserauthKeyboardInteractive,
  encodeUserauthNone,
  encodeUserauthPassword,
  encodeUserauthPublickeySigned,
  encodeUserauthPublickeySignedPart,
  MESSAGE,
  parseInfoRequest,
  parseServiceAccept,
  parseUserauthBanner,
  parseUserauthFailure,
  parseUserauthSuccess,
  printable,
  publickeySignatureInput,
} from '../transport/messages.ts';
import type { DeviceKey } from './device-key.ts';
import { DialError } from './errors.ts';

export type UsableSecret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'key'; readonly key: DeviceKey };

export interface SignInOptions {
  readonly username: string;
  readonly secret: UsableSecret;
  readonly sessionId: Buffer;
  /** The device's `server-sig-algs` (RFC 8308), if it has told; asked when a key is about to be offered. */
  readonly signatureAlgorithms: () => readonly string[] | undefined;
  readonly send: (payload: Buffer) => void;
  /** For the log, printable. Users never see a device's banner. */
  readonly banner: (text: string) => void;
  readonly signedIn: () => void;
  readonly failed: (error: DialError) => void;
}

type State =
  | 'service'
  | 'none'
  | 'publickey'
  | 'password'
  | 'keyboard-interactive'
  /** The secret was given in answer to a prompt. */
  | 'answered'
  | 'done';

const USERAUTH = 'ssh-userauth';
const CONNECTION = 'ssh-connection';
const MAX_BANNERS = 8;
/** Rounds without a prompt (a device's notices) that keyboard-interactive may take. */
const MAX_ROUNDS = 8;

export class DeviceSignIn {
  readonly #options: SignInOptions;
  #state: State = 'service';
  #banners = 0;
  #rounds = 0;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.send(encodeServiceRequest(USERAUTH));
  }

  /** Takes a message of type 5, 6 or 50 to 79. Throws TransportError when it is malformed. */
  receive(payload: Buffer): void {
    const type = payload[0];
    if (this.#state === 'done') return;
    if (type === MESSAGE.USERAUTH_BANNER) {
      this.#banners += 1;
      if (this.#banners <= MAX_BANNERS)
        this.#options.banner(printable(parseUserauthBanner(payload).text, 1000));
      return;
    }
    switch (this.#state) {
      case 'service':
        if (type !== MESSAGE.SERVICE_ACCEPT || parseServiceAccept(payload).service !== USERAUTH) {
          this.#unexpected(type);
          return;
        }
        this.#state = 'none';
        this.#options.send(encodeUserauthNone(this.#options.username, CONNECTION));
        return;
      case 'none':
        if (type === MESSAGE.USERAUTH_SUCCESS) this.#succeed(payload);
        else if (type === MESSAGE.USERAUTH_FAILURE) this.#offer(parseUserauthFailure(payload).methods);
        else this.#unexpected(type);
        return;
      case 'publickey':
        this.#outcome(payload, 'the key was not accepted');
        return;
      case 'password':
        if (type === MESSAGE.USERAUTH_PASSWD_CHANGEREQ) {
          this.#fail('the device demands a new password', 'its password has expired on the device');
          return;
        }
        this.#outcome(payload, 'the password was not accepted');
        return;
      case 'keyboard-interactive':
      case 'answered':
        if (type === MESSAGE.USERAUTH_INFO_REQUEST) this.#answer(payload);
        else this.#outcome(payload, 'the password was not accepted');
        return;
    }
  }

  #offer(methods: readonly string[]): void {
    const { secret } = this.#options;
    switch (secret.kind) {
      case 'key':
        if (methods.includes('publickey')) this.#offerKey(secret.key);
        else this.#noMethod(methods, 'a key');
        return;
      case 'password':
        if (methods.includes('password')) {
          this.#state = 'password';
          this.#options.send(encodeUserauthPassword(this.#options.username, CONNECTION, secret.password));
        } else if (methods.includes('keyboard-interactive')) {
          this.#state = 'keyboard-interactive';
          this.#options.send(encodeUserauthKeyboardInteractive(this.#options.username, CONNECTION));
        } else this.#noMethod(methods, 'a password');
        return;
    }
  }

  #offerKey(key: DeviceKey): void {
    const accepted = this.#options.signatureAlgorithms();
    // A device that does not tell what it accepts gets the safest algorithm of the key.
    const algorithm =
      accepted === undefined ? key.algorithms[0] : key.algorithms.find((a) => accepted.includes(a));
    if (algorithm === undefined) {
      this.#fail(
        `the device accepts none of ${key.algorithms.join(', ')}`,
        'the device does not accept keys of its type',
      );
      return;
    }
    this.#state = 'publickey';
    const part = encodeUserauthPublickeySignedPart(this.#options.username, CONNECTION, algorithm, key.blob);
    const signature = key.sign(algorithm, publickeySignatureInput(this.#options.sessionId, part));
    this.#options.send(encodeUserauthPublickeySigned(part, signature));
  }

  /** Answers one prompt that hides what is typed, once. Whatever else is asked for is not ours to give. */
  #answer(payload: Buffer): void {
    const { secret } = this.#options;
    const request = parseInfoRequest(payload);
    this.#rounds += 1;
    if (this.#rounds > MAX_ROUNDS) {
      this.#fail('keyboard-interactive goes on for ever', 'the device asks for more than a password');
      return;
    }
    if (request.prompts.length === 0) {
      this.#options.send(encodeInfoResponse([]));
      return;
    }
    const [prompt] = request.prompts;
    if (
      this.#state === 'answered' ||
      secret.kind !== 'password' ||
      request.prompts.length !== 1 ||
      prompt === undefined ||
      prompt.echo
    ) {
      this.#fail(
        'keyboard-interactive asks for more than a password',
        'the device asks for more than a password',
      );
      return;
    }
    this.#state = 'answered';
    this.#options.send(encodeInfoResponse([secret.password]));
  }

  #outcome(payload: Buffer, refused: string): void {
    switch (payload[0]) {
      case MESSAGE.USERAUTH_SUCCESS:
        this.#succeed(payload);
        return;
      case MESSAGE.USERAUTH_FAILURE: {
        const failure = parseUserauthFailure(payload);
        if (failure.partialSuccess) {
          this.#fail(
            `accepted, but the device also wants ${printable(failure.methods.join(', '))}`,
            'the device asks for more than this credential',
          );
        } else this.#fail(refused, refused);
        return;
      }
      default:
        this.#unexpected(payload[0]);
    }
  }

  #succeed(payload: Buffer): void {
    parseUserauthSuccess(payload);
    this.#state = 'done';
    this.#options.signedIn();
  }

  #noMethod(methods: readonly string[], what: string): void {
    this.#fail(
      `the device accepts ${printable(methods.join(', ')) || 'nothing'}, the credential is ${what}`,
      `the device does not accept ${what}`,
    );
  }

  #fail(detail: string, tell: string): void {
    this.#state = 'done';
    this.#options.failed(
      new DialError(
        'SP_DIAL_CREDENTIAL_REFUSED',
        detail,
        `The device did not accept the credential "${this.#options.username}": ${tell}. Ask your administrator.`,
      ),
    );
  }

  #unexpected(type: number | undefined): void {
    this.#state = 'done';
    this.#options.failed(
      new DialError(
        'SP_DIAL_HANDSHAKE',
        `message ${type} while signing in`,
        'The device did not follow the SSH protocol while it was signed in to.',
      ),
    );
  }
}
