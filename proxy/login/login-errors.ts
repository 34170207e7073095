// The one vocabulary of what can end a sign-in. `message` is for the operator's log, `tell` for the person at the
// terminal: it never says whether a user exists or which proof was wrong.
import { DISCONNECT_REASON } from '../transport/messages.ts';

export type LoginFailureCode =
  | 'SP_LOGIN_TOO_MANY_TRIES'
  | 'SP_LOGIN_TOO_MANY_REQUESTS'
  | 'SP_LOGIN_FLOOD'
  | 'SP_LOGIN_MALFORMED'
  | 'SP_LOGIN_PROTOCOL'
  | 'SP_LOGIN_SERVICE'
  | 'SP_LOGIN_USER_CHANGED'
  | 'SP_LOGIN_NAME'
  | 'SP_LOGIN_UNAVAILABLE'
  | 'SP_LOGIN_INTERNAL'
  | 'SP_LOGIN_ENDED';

interface Wording {
  readonly tell: string;
  readonly reason: number;
}

const WORDING: Readonly<Record<LoginFailureCode, Wording>> = {
  SP_LOGIN_TOO_MANY_TRIES: {
    tell: 'Too many authentication failures',
    reason: DISCONNECT_REASON.NO_MORE_AUTH_METHODS_AVAILABLE,
  },
  SP_LOGIN_TOO_MANY_REQUESTS: {
    tell: 'Too many authentication requests',
    reason: DISCONNECT_REASON.NO_MORE_AUTH_METHODS_AVAILABLE,
  },
  SP_LOGIN_FLOOD: {
    tell: 'Too many messages without waiting for answers',
    reason: DISCONNECT_REASON.PROTOCOL_ERROR,
  },
  SP_LOGIN_MALFORMED: {
    tell: 'A malformed message was received',
    reason: DISCONNECT_REASON.PROTOCOL_ERROR,
  },
  SP_LOGIN_PROTOCOL: {
    tell: 'A message was received that has no place before signing in',
    reason: DISCONNECT_REASON.PROTOCOL_ERROR,
  },
  SP_LOGIN_SERVICE: {
    tell: 'That service is not available',
    reason: DISCONNECT_REASON.SERVICE_NOT_AVAILABLE,
  },
  SP_LOGIN_USER_CHANGED: {
    tell: 'The user name or service may not change while signing in',
    reason: DISCONNECT_REASON.PROTOCOL_ERROR,
  },
  SP_LOGIN_NAME: {
    tell: 'That is not an account name',
    reason: DISCONNECT_REASON.ILLEGAL_USER_NAME,
  },
  SP_LOGIN_UNAVAILABLE: {
    tell: 'Signing in is not possible at the moment; try again later',
    reason: DISCONNECT_REASON.BY_APPLICATION,
  },
  SP_LOGIN_INTERNAL: {
    tell: 'An internal error ended the sign-in',
    reason: DISCONNECT_REASON.BY_APPLICATION,
  },
  SP_LOGIN_ENDED: {
    tell: 'The sign-in was ended',
    reason: DISCONNECT_REASON.BY_APPLICATION,
  },
};

export class LoginError extends Error {
  override readonly name = 'LoginError';
  readonly code: LoginFailureCode;

  constructor(code: LoginFailureCode, detail: string, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  get tell(): string {
    return WORDING[this.code].tell;
  }

  /** The reason code of the DISCONNECT message (RFC 4253 §11.1). */
  get disconnectReason(): number {
    return WORDING[this.code].reason;
  }
}
