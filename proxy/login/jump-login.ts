// The sign-in on the connection inside a ProxyJump. The user is known from the outer connection, which carries this one,
// so nothing is proven here again: any request with a well-formed account name succeeds. Clients start with `none`;
// those that start with a key or a password succeed too, and what they sent is not looked at.
import { encodeUserauthSuccess } from '../transport/messages.ts';
import { LoginError } from './login-errors.ts';
import { parseAccountName } from './login-name.ts';
import { type Login, type LoginTransport, type SignedIn, startService } from './login-service.ts';

/** The outer sign-in, and the device that its direct-tcpip request named. Restrictions carry over. */
export interface JumpContext {
  readonly outer: Pick<SignedIn, 'user' | 'authentication' | 'restrictions'>;
  readonly device: string;
}

export function startJumpLogin(context: JumpContext, transport: LoginTransport): Login {
  return startService(transport, (send) => ({
    async request(request) {
      const account = parseAccountName(request.user);
      if (account === undefined) throw new LoginError('SP_LOGIN_NAME', 'the account name is not well formed');
      send(encodeUserauthSuccess());
      const { user, authentication, restrictions } = context.outer;
      return {
        kind: 'signed-in',
        user,
        authentication,
        wanted: { account, device: context.device },
        restrictions,
      };
    },
    async response() {
      throw new LoginError('SP_LOGIN_PROTOCOL', 'an answer to no question');
    },
    restarted() {},
  }));
}
