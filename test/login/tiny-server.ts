// The smallest SSH server that can show how a client signs in: the real transport and the real sign-in, and behind them
// a session channel that answers any command with the outcome as JSON. No device, no grants, no recording.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { DEFAULT_LOCKOUT } from '../../proxy/login/lockout.ts';
import {
  DEFAULT_LOGIN_SETTINGS,
  type LoginDependencies,
  type LoginTry,
  startLogin,
} from '../../proxy/login/login.ts';
import type { Login, LoginOutcome } from '../../proxy/login/login-service.ts';
import { createPasswordChecker } from '../../proxy/login/password.ts';
import type { LoginUser } from '../../proxy/login/ports.ts';
import { NOTHING_REVOKED } from '../../proxy/login/revocations.ts';
import { createTurns } from '../../proxy/login/turns.ts';
import { loadHostKeys } from '../../proxy/transport/host-keys.ts';
import {
  encodeChannelClose,
  encodeChannelData,
  encodeChannelEof,
  encodeChannelOpenConfirmation,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeExitStatus,
  MESSAGE,
  parseChannelOpen,
  parseChannelRequest,
} from '../../proxy/transport/messages.ts';
import { acceptTransport, type Transport } from '../../proxy/transport/transport.ts';
import { MemoryDirectory, MemoryFailures } from './memory-directory.ts';

export interface TinyServer extends AsyncDisposable {
  readonly port: number;
  readonly directory: MemoryDirectory;
  readonly failures: MemoryFailures;
  /** In the order in which they came. */
  readonly outcomes: LoginOutcome[];
  readonly tries: LoginTry[];
  readonly deps: LoginDependencies;
}

export async function startTinyServer(
  hostKeyFolder: string,
  users: readonly LoginUser[],
  change: Partial<LoginDependencies> = {},
): Promise<TinyServer> {
  const hostKeys = await loadHostKeys(hostKeyFolder);
  const directory = new MemoryDirectory(...users);
  const failures = new MemoryFailures();
  const outcomes: LoginOutcome[] = [];
  const tries: LoginTry[] = [];
  const deps: LoginDependencies = {
    directory,
    failures,
    passwords: await createPasswordChecker(),
    turns: createTurns(),
    authorities: () => [],
    revocations: () => NOTHING_REVOKED,
    settings: { ...DEFAULT_LOGIN_SETTINGS, lockout: DEFAULT_LOCKOUT },
    now: Date.now,
    report: (event) => tries.push(event),
    ...change,
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket);
  });

  function serve(socket: Socket): void {
    let login: Login | undefined;
    let outcome: LoginOutcome | undefined;
    const transport: Transport = acceptTransport(
      socket,
      { hostKeys },
      {
        ready(info) {
          login = startLogin(
            deps,
            { address: socket.remoteAddress ?? '' },
            {
              sessionId: info.sessionId,
              send: (payload) => transport.send(payload),
              disconnect: (reason, text) => transport.disconnect(reason, text),
            },
          );
          void login.outcome.then((result) => {
            outcome = result;
            outcomes.push(result);
          });
        },
        message(payload) {
          if (outcome?.kind === 'signed-in') answer(transport, payload, outcome);
          else login?.message(payload);
        },
        drain() {},
        closed() {
          login?.dispose();
        },
      },
    );
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    directory,
    failures,
    outcomes,
    tries,
    deps,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server, 'close');
    },
  };
}

function answer(transport: Transport, payload: Buffer, outcome: LoginOutcome): void {
  switch (payload[0]) {
    case MESSAGE.CHANNEL_OPEN: {
      const { sender } = parseChannelOpen(payload);
      // The client's number for the channel serves as ours too.
      transport.send(
        encodeChannelOpenConfirmation({
          recipient: sender,
          sender,
          initialWindow: 65_536,
          maximumPacket: 32_768,
        }),
      );
      return;
    }
    case MESSAGE.CHANNEL_REQUEST: {
      const { recipient, type, wantReply } = parseChannelRequest(payload);
      if (wantReply) transport.send(encodeChannelSuccess(recipient));
      if (type !== 'exec' && type !== 'shell') return;
      transport.send(encodeChannelData(recipient, Buffer.from(`${describe(outcome)}\n`)));
      transport.send(
        encodeChannelRequest({ recipient, type: 'exit-status', wantReply: false, data: encodeExitStatus(0) }),
      );
      transport.send(encodeChannelEof(recipient));
      transport.send(encodeChannelClose(recipient));
      return;
    }
    default:
      return;
  }
}

function describe(outcome: LoginOutcome): string {
  if (outcome.kind === 'failed') return outcome.code;
  const { user, authentication, wanted, restrictions } = outcome;
  return JSON.stringify({ user: user.name, authentication, wanted, restrictions });
}
