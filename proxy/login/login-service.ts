// What the two ways of signing in (login.ts and jump-login.ts) share: taking the messages of `ssh-userauth` one at a
// time from a bounded queue, answering service requests, and ending once, with one outcome, whatever the peer sends.
// It judges no proof.
import {
  encodeServiceAccept,
  MESSAGE,
  parseServiceRequest,
  parseUserauthRequest,
  printable,
  TransportError,
  type UserauthRequest,
} from '../transport/messages.ts';
import { LoginError } from './login-errors.ts';
import type { LoginUser } from './ports.ts';
import type { Restrictions } from './restrictions.ts';

/** What signing in needs of the transport below it. */
export interface LoginTransport {
  readonly sessionId: Buffer;
  send(payload: Buffer): unknown;
  disconnect(reason: number, text: string): unknown;
}

export interface SignedIn {
  readonly kind: 'signed-in';
  readonly user: LoginUser;
  /** The proofs in the order given, such as `publickey`, `certificate`, `password+totp`. */
  readonly authentication: string;
  readonly wanted: { readonly account: string | undefined; readonly device: string | undefined };
  readonly restrictions: Restrictions;
}

export interface LoginFailed {
  readonly kind: 'failed';
  readonly code: LoginError['code'];
  /** For the log. */
  readonly detail: string;
  /** The name as the client gave it, made printable; empty when it gave none. */
  readonly name: string;
}

export type LoginOutcome = SignedIn | LoginFailed;

/** One sign-in. It answers messages until `outcome` resolves; messages after that are dropped. */
export interface Login {
  /** Takes a message's payload, from its type byte on. Never throws. */
  message(payload: Buffer): void;
  /** Never rejects. When it is `signed-in`, USERAUTH_SUCCESS has been sent; when `failed`, DISCONNECT has. */
  readonly outcome: Promise<LoginOutcome>;
  /** Ends the sign-in as failed if it goes on (the grace time has passed, the peer has gone). Idempotent. */
  dispose(): void;
}

/** What the two ways do with the messages that are theirs. May throw a LoginError or a TransportError to end it. */
export interface UserauthHandler {
  /** Answers the outcome when the sign-in is done. */
  request(request: UserauthRequest): Promise<SignedIn | undefined>;
  /** An INFO_RESPONSE. */
  response(payload: Buffer): Promise<SignedIn | undefined>;
  /** The client asks for the service anew, as Paramiko does after each failure: what was asked before is dropped. */
  restarted(): void;
}

const SERVICE = 'ssh-userauth';
/** The service that a client wants once it is signed in; there is no other. */
const NEXT_SERVICE = 'ssh-connection';
/** Messages waiting while one is under way. An honest client waits for each answer. */
const MOST_WAITING = 16;
/** Paramiko asks again before each try, and tries are counted by themselves. */
const MOST_SERVICE_REQUESTS = 100;
/** Longer than any honest request: a certificate of 32 KiB and a signature. */
const LONGEST_MESSAGE = 65_536;

type Phase = 'wants-service' | 'open' | 'ended';

/** `start` is given the way to send answers; what is sent through it after the end is dropped. */
export function startService(
  transport: LoginTransport,
  start: (send: (payload: Buffer) => void) => UserauthHandler,
): Login {
  const waiting: Buffer[] = [];
  let phase: Phase = 'wants-service';
  let working = false;
  let serviceRequests = 0;
  let asked: { readonly user: string; readonly service: string } | undefined;
  let settle: (outcome: LoginOutcome) => void = () => {};
  const outcome = new Promise<LoginOutcome>((resolve) => {
    settle = resolve;
  });

  function fail(error: LoginError, tellPeer = true): void {
    if (phase === 'ended') return;
    phase = 'ended';
    waiting.length = 0;
    if (tellPeer) {
      try {
        transport.disconnect(error.disconnectReason, error.tell);
      } catch {
        // The transport is gone already, which is what was wanted.
      }
    }
    settle({ kind: 'failed', code: error.code, detail: error.message, name: printable(asked?.user ?? '') });
  }

  function send(payload: Buffer): void {
    if (phase !== 'ended') transport.send(payload);
  }

  const handler = start(send);

  async function work(): Promise<void> {
    working = true;
    try {
      for (let next = waiting.shift(); next !== undefined && phase !== 'ended'; next = waiting.shift()) {
        const signedIn = await handle(next);
        if (signedIn !== undefined && !isEnded()) {
          phase = 'ended';
          waiting.length = 0;
          settle(signedIn);
        }
      }
    } catch (error) {
      fail(asLoginError(error));
    } finally {
      working = false;
    }
  }

  /** Read anew after an await: `dispose` may have run meanwhile. */
  function isEnded(): boolean {
    return phase === 'ended';
  }

  async function handle(payload: Buffer): Promise<SignedIn | undefined> {
    switch (payload[0]) {
      case MESSAGE.IGNORE:
      case MESSAGE.UNIMPLEMENTED:
      case MESSAGE.DEBUG:
      case MESSAGE.EXT_INFO:
        return undefined;
      case MESSAGE.DISCONNECT:
        throw new LoginError('SP_LOGIN_ENDED', 'the client disconnected');
      case MESSAGE.SERVICE_REQUEST: {
        const { service } = parseServiceRequest(payload);
        if (service !== SERVICE) throw new LoginError('SP_LOGIN_SERVICE', `asked for ${printable(service)}`);
        serviceRequests++;
        if (serviceRequests > MOST_SERVICE_REQUESTS) {
          throw new LoginError('SP_LOGIN_TOO_MANY_REQUESTS', 'too many service requests');
        }
        phase = 'open';
        handler.restarted();
        send(encodeServiceAccept(SERVICE));
        return undefined;
      }
      case MESSAGE.USERAUTH_REQUEST:
        demandOpen();
        return handler.request(checkedRequest(payload));
      case MESSAGE.USERAUTH_INFO_RESPONSE:
        demandOpen();
        return handler.response(payload);
      default:
        throw new LoginError('SP_LOGIN_PROTOCOL', `message ${payload[0]} before signing in`);
    }
  }

  function demandOpen(): void {
    if (phase !== 'open')
      throw new LoginError('SP_LOGIN_PROTOCOL', 'a request before the service was asked for');
  }

  function checkedRequest(payload: Buffer): UserauthRequest {
    const request = parseUserauthRequest(payload);
    if (request.service !== NEXT_SERVICE) {
      throw new LoginError('SP_LOGIN_SERVICE', `asked for ${printable(request.service)} after signing in`);
    }
    if (asked !== undefined && asked.user !== request.user) {
      throw new LoginError('SP_LOGIN_USER_CHANGED', `another user name: ${printable(request.user)}`);
    }
    asked = { user: request.user, service: request.service };
    return request;
  }

  return {
    outcome,
    message(payload) {
      if (phase === 'ended') return;
      if (payload.length > LONGEST_MESSAGE) {
        fail(new LoginError('SP_LOGIN_MALFORMED', `a message of ${payload.length} bytes`));
      } else if (waiting.length >= MOST_WAITING) {
        fail(new LoginError('SP_LOGIN_FLOOD', `more than ${MOST_WAITING} messages at once`));
      } else {
        // A copy: the packet layer may use its buffer again while this message waits.
        waiting.push(Buffer.from(payload));
        if (!working) void work();
      }
    },
    dispose() {
      fail(new LoginError('SP_LOGIN_ENDED', 'ended before signing in'), false);
    },
  };
}

function asLoginError(error: unknown): LoginError {
  if (error instanceof LoginError) return error;
  if (error instanceof TransportError && error.code === 'SP_MALFORMED_MESSAGE') {
    return new LoginError('SP_LOGIN_MALFORMED', error.message, error);
  }
  const detail = error instanceof Error ? printable(error.message) : 'something that is no error was thrown';
  return new LoginError('SP_LOGIN_INTERNAL', detail, error);
}
