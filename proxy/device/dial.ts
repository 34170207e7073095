// Reaches a device: connects, checks the host key against the pins, signs in with the credential. Each step has a
// bound. The secret is fetched when the device has proved who it is, not before, and forgotten right after.
// What is said over the connection afterwards is the caller's business.
import { connect as connectTcp, type Socket } from 'node:net';
import type { Target } from '../login/ports.ts';
import { preferHostKeyTypes } from '../transport/algorithms.ts';
import { printable, type TransportError } from '../transport/messages.ts';
import { openTransport, type Transport, type TransportInfo } from '../transport/transport.ts';
import { readDeviceKey } from './device-key.ts';
import { DialError } from './errors.ts';
import { hostKeyFingerprint, judgeHostKey, pinnedTypes } from './host-key.ts';
import type { DeviceVault, HostKeyPins } from './ports.ts';
import type { RefusedCredentials } from './refused-credentials.ts';
import { DeviceSignIn, type UsableSecret } from './sign-in.ts';

export interface DialLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface DialTimeouts {
  /** Milliseconds for the name and the TCP connection. */
  readonly connect: number;
  /** Milliseconds for the key exchange. */
  readonly handshake: number;
  /** Milliseconds for signing in. */
  readonly signIn: number;
}

export const DEFAULT_DIAL_TIMEOUTS: DialTimeouts = {
  connect: 10_000,
  handshake: 15_000,
  signIn: 20_000,
};

export interface DialDeps {
  readonly vault: DeviceVault;
  readonly pins: HostKeyPins;
  readonly log: DialLog;
  readonly timeouts: DialTimeouts;
  /** Milliseconds of silence after which the device is asked for a sign of life, and how often in vain. */
  readonly keepalive: { readonly interval: number; readonly count: number };
  /** What the gateway calls itself towards devices, without `SSH-2.0-`; undefined: the transport's default. */
  readonly identification: string | undefined;
  /** Shared by all that dial in this process. */
  readonly refusals?: RefusedCredentials | undefined;
}

/** Takes over a connection that is signed in. */
export interface DeviceHandlers {
  message(payload: Buffer): void;
  /** Channel data whose bytes are used again after the call; see TransportHandlers. */
  borrowed(payload: Buffer): void;
  drain(): void;
  closed(error: TransportError | undefined): void;
}

/**
 * Resolves when the device is signed in to; `signedIn` is called before that, in the turn of the device's answer, so
 * that no message is lost. Throws DialError. An aborted `signal` ends the attempt.
 */
export async function dialDevice(
  target: Target,
  deps: DialDeps,
  signal: AbortSignal,
  signedIn: (transport: Transport) => DeviceHandlers,
): Promise<Transport> {
  const name = target.device.name;
  const credential = target.credential.id;
  const wait = Math.ceil((deps.refusals?.waitOf(credential) ?? 0) / 1_000);
  if (wait > 0) {
    throw new DialError(
      'SP_DIAL_CREDENTIAL_PAUSED',
      `${name} has refused the credential "${target.credential.name}"; it is offered again in ${wait} s`,
      `The device ${name} has just refused the credential "${target.credential.username}". It is tried again in ${wait} s at the earliest. Ask your administrator.`,
    );
  }
  let pinned: readonly string[];
  try {
    pinned = await deps.pins.pinnedKeys(target.device.id);
  } catch (error) {
    throw new DialError(
      'SP_DIAL_HANDSHAKE',
      `host keys of ${name} cannot be read`,
      'The gateway cannot check the device at the moment. Try again later.',
      error,
    );
  }
  const socket = await openSocket(target, deps.timeouts.connect, signal);
  try {
    const transport = await new Attempt(target, deps, signal, socket, pinned, signedIn).run();
    deps.refusals?.accepted(credential);
    return transport;
  } catch (error) {
    if (error instanceof DialError && error.code === 'SP_DIAL_CREDENTIAL_REFUSED') {
      deps.refusals?.refused(credential);
    }
    throw error;
  }
}

/** TCP with Happy Eyeballs (RFC 8305), as node does it. */
function openSocket(target: Target, timeout: number, signal: AbortSignal): Promise<Socket> {
  const { name, host, port } = target.device;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  if (signal.aborted) {
    reject(cancelled());
    return promise;
  }
  const socket = connectTcp({ host, port, noDelay: true, autoSelectFamily: true });
  const timer = setTimeout(() => {
    fail(
      new DialError(
        'SP_DIAL_TIMEOUT',
        `no connection to ${name} (${host}:${port}) within ${timeout} ms`,
        `The device ${name} does not answer.`,
      ),
    );
  }, timeout);
  const onAbort = (): void => fail(cancelled());
  const settled = (): void => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.removeListener('error', onError);
    socket.removeListener('connect', onConnect);
  };
  const fail = (error: DialError): void => {
    settled();
    socket.on('error', () => {});
    socket.destroy();
    reject(error);
  };
  const onError = (error: NodeJS.ErrnoException): void => {
    const unresolved = error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN';
    fail(
      unresolved
        ? new DialError(
            'SP_DIAL_UNRESOLVED',
            `${host} does not resolve (${error.code})`,
            `The address of ${name} is not known to the name service.`,
            error,
          )
        : new DialError(
            'SP_DIAL_REFUSED',
            `no connection to ${name} (${host}:${port}): ${error.code ?? 'error'}`,
            `The device ${name} cannot be reached.`,
            error,
          ),
    );
  };
  const onConnect = (): void => {
    settled();
    resolve(socket);
  };
  socket.once('error', onError);
  socket.once('connect', onConnect);
  signal.addEventListener('abort', onAbort, { once: true });
  return promise;
}

function cancelled(): DialError {
  return new DialError('SP_DIAL_CANCELLED', 'given up before the device was reached', 'Cancelled.');
}

type Phase =
  | { readonly kind: 'handshake' }
  | { readonly kind: 'checking' }
  | { readonly kind: 'signing-in'; readonly signIn: DeviceSignIn }
  | { readonly kind: 'signed-in'; readonly handlers: DeviceHandlers }
  | { readonly kind: 'failed' };

class Attempt {
  readonly #target: Target;
  readonly #deps: DialDeps;
  readonly #signal: AbortSignal;
  readonly #pinned: readonly string[];
  readonly #signedIn: (transport: Transport) => DeviceHandlers;
  readonly #transport: Transport;
  readonly #outcome = Promise.withResolvers<Transport>();
  #phase: Phase = { kind: 'handshake' };
  #timer: NodeJS.Timeout | undefined;
  /** Set by the host key check, which tells more than the transport's error does. */
  #refusal: DialError | undefined;
  #firstUse: string | undefined;

  constructor(
    target: Target,
    deps: DialDeps,
    signal: AbortSignal,
    socket: Socket,
    pinned: readonly string[],
    signedIn: (transport: Transport) => DeviceHandlers,
  ) {
    this.#target = target;
    this.#deps = deps;
    this.#signal = signal;
    this.#pinned = pinned;
    this.#signedIn = signedIn;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#transport = openTransport(
      socket,
      {
        ...(deps.identification === undefined ? {} : { identification: deps.identification }),
        algorithms: { hostKey: preferHostKeyTypes(pinnedTypes(pinned)) },
        handshakeTimeout: deps.timeouts.handshake,
        keepalive: deps.keepalive,
        verifyHostKey: (blob) => this.#verify(blob),
      },
      {
        ready: (info) => this.#check(info),
        message: (payload) => this.#message(payload),
        borrowed: (payload) => {
          if (this.#phase.kind === 'signed-in') this.#phase.handlers.borrowed(payload);
          // Nothing of the connection layer may come before; what does is dealt with in the call.
          else this.#message(payload);
        },
        drain: () => {
          if (this.#phase.kind === 'signed-in') this.#phase.handlers.drain();
        },
        closed: (error) => this.#closed(error),
      },
    );
  }

  run(): Promise<Transport> {
    if (this.#signal.aborted) this.#onAbort();
    return this.#outcome.promise;
  }

  readonly #onAbort = (): void => this.#fail(cancelled());

  #verify(blob: Buffer): boolean {
    const verdict = judgeHostKey(this.#pinned, blob);
    const { name } = this.#target.device;
    switch (verdict.kind) {
      case 'pinned':
        return true;
      case 'first-use':
        this.#firstUse = verdict.line;
        return true;
      case 'changed':
        this.#refusal = this.#changed(verdict.presented, verdict.expected);
        this.#deps.log.warn(
          { device: name, presented: verdict.presented, expected: verdict.expected },
          'device host key changed',
        );
        return false;
    }
  }

  #changed(presented: string, expected: readonly string[]): DialError {
    const { name } = this.#target.device;
    return new DialError(
      'SP_DIAL_HOST_KEY_CHANGED',
      `host key of ${name} changed: presented ${presented}, pinned ${expected.join(', ')}`,
      [
        `THE HOST KEY OF ${name} HAS CHANGED. Nothing was sent to it.`,
        'It may have been reinstalled, or somebody may be answering in its place.',
        `presented: ${presented}`,
        ...expected.map((one) => `expected:  ${one}`),
        'Tell your administrator.',
      ].join('\n'),
    );
  }

  /** The key exchange is done. Pins a first key, fetches the secret, starts signing in. */
  #check(info: TransportInfo): void {
    this.#phase = { kind: 'checking' };
    this.#bound(this.#deps.timeouts.signIn, 'signing in');
    this.#prepare(info).then(
      (secret) => {
        if (this.#phase.kind !== 'checking') return;
        const signIn = new DeviceSignIn({
          username: this.#target.credential.username,
          secret,
          sessionId: info.sessionId,
          signatureAlgorithms: () =>
            info.peerExtensions.get('server-sig-algs')?.toString('latin1').split(','),
          send: (payload) => {
            this.#transport.send(payload);
          },
          banner: (text) => this.#deps.log.info({ device: this.#target.device.name, text }, 'device banner'),
          signedIn: () => this.#succeed(),
          failed: (error) => this.#fail(error),
        });
        this.#phase = { kind: 'signing-in', signIn };
        signIn.start();
      },
      (error: unknown) =>
        this.#fail(
          error instanceof DialError
            ? error
            : new DialError(
                'SP_DIAL_CREDENTIAL_UNUSABLE',
                error instanceof Error ? error.message : 'the credential cannot be used',
                'The gateway cannot use the credential of this device. Ask your administrator.',
                error,
              ),
        ),
    );
  }

  async #prepare(info: TransportInfo): Promise<UsableSecret> {
    if (this.#firstUse !== undefined) {
      const standing = await this.#deps.pins.pinFirst(this.#target.device.id, this.#firstUse);
      const verdict = judgeHostKey(standing, info.hostKey);
      if (verdict.kind === 'changed') throw this.#changed(verdict.presented, verdict.expected);
      if (verdict.kind === 'first-use') throw new Error('the host key could not be pinned');
      this.#deps.log.info(
        {
          device: this.#target.device.name,
          fingerprint: hostKeyFingerprint(info.hostKey),
        },
        'device host key pinned at first use',
      );
    }
    const secret = await this.#deps.vault.secretOf(this.#target.credential.id);
    switch (secret.kind) {
      case 'password':
        return secret;
      case 'privateKey':
        return { kind: 'key', key: readDeviceKey(secret.privateKey, secret.password) };
    }
  }

  #message(payload: Buffer): void {
    switch (this.#phase.kind) {
      case 'signed-in':
        this.#phase.handlers.message(payload);
        return;
      case 'signing-in':
        try {
          this.#phase.signIn.receive(payload);
        } catch (error) {
          this.#fail(
            new DialError(
              'SP_DIAL_HANDSHAKE',
              error instanceof Error ? error.message : 'malformed message',
              'The device did not follow the SSH protocol while it was signed in to.',
              error,
            ),
          );
        }
        return;
      case 'handshake':
      case 'checking':
      case 'failed':
        return;
    }
  }

  #succeed(): void {
    this.#settled();
    this.#phase = { kind: 'signed-in', handlers: this.#signedIn(this.#transport) };
    this.#outcome.resolve(this.#transport);
  }

  #closed(error: TransportError | undefined): void {
    if (this.#phase.kind === 'signed-in') {
      this.#phase.handlers.closed(error);
      return;
    }
    if (this.#phase.kind === 'failed') return;
    this.#fail(this.#refusal ?? this.#asDialError(error));
  }

  #asDialError(error: TransportError | undefined): DialError {
    const { name, host, port } = this.#target.device;
    const detail = printable(error?.message ?? 'the device closed the connection');
    if (error?.code === 'SP_HANDSHAKE_TIMEOUT') {
      return new DialError('SP_DIAL_TIMEOUT', detail, `The device ${name} does not answer.`, error);
    }
    if (this.#phase.kind === 'handshake') {
      return new DialError(
        'SP_DIAL_HANDSHAKE',
        `${host}:${port}: ${detail}`,
        `The device ${name} cannot be spoken to (${error?.tell ?? 'it closed the connection'}).`,
        error,
      );
    }
    return new DialError(
      'SP_DIAL_LOST',
      `${host}:${port}: ${detail}`,
      `The device ${name} ended the connection while it was signed in to.`,
      error,
    );
  }

  #bound(milliseconds: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#fail(
        new DialError(
          'SP_DIAL_TIMEOUT',
          `${what} took longer than ${milliseconds} ms`,
          `The device ${this.#target.device.name} does not answer.`,
        ),
      );
    }, milliseconds);
  }

  #fail(error: DialError): void {
    if (this.#phase.kind === 'failed' || this.#phase.kind === 'signed-in') return;
    this.#phase = { kind: 'failed' };
    this.#settled();
    this.#transport.destroy();
    this.#outcome.reject(error);
  }

  #settled(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}
