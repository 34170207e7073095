// Talks to the running gateway on this machine through its control socket, for the command line. Each call is one
// connection, one request, one answer, within a bound; it knows no database and prints nothing.
import { connect } from 'node:net';
import { ControlError, controlSocketPath } from './control-server.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  type Health,
  type LiveSession,
  type Order,
  readControlAnswer,
} from './messages.ts';

export { ControlError } from './control-server.ts';
export type { Health, LiveSession, Order } from './messages.ts';

const LONGEST_ANSWER = 64 * 1024 * 1024;
const PATIENCE = 10_000;

/** Where the gateway keeps its data; a Config is one. */
export interface GatewayPlace {
  readonly data: string;
}

const ask = (place: GatewayPlace, request: ControlRequest): Promise<ControlAnswer> => {
  const path = controlSocketPath(place.data);
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const parts: string[] = [];
    let length = 0;
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setEncoding('utf8');
    const timer = setTimeout(
      () =>
        fail(new ControlError('SP_CONTROL_ANSWER', `the gateway did not answer within ${PATIENCE / 1000} s`)),
      PATIENCE,
    );
    socket.once('close', () => {
      clearTimeout(timer);
      fail(
        new ControlError('SP_CONTROL_ANSWER', 'the gateway closed the control connection without an answer'),
      );
    });
    socket.once('error', (cause) => {
      const code = 'code' in cause ? cause.code : undefined;
      fail(
        code === 'ENOENT' || code === 'ECONNREFUSED'
          ? new ControlError(
              'SP_NOT_RUNNING',
              `no gateway runs on ${place.data} (nothing answers at ${path})`,
              { cause },
            )
          : new ControlError(
              'SP_CONTROL_ANSWER',
              `the control socket ${path} can't be used: ${cause.message}`,
              { cause },
            ),
      );
    });
    socket.on('data', (data) => {
      const text = String(data);
      length += text.length;
      if (length > LONGEST_ANSWER) {
        fail(new ControlError('SP_CONTROL_ANSWER', 'the answer is too long'));
        return;
      }
      parts.push(text);
      if (!text.includes('\n')) return;
      try {
        const answer = readControlAnswer(JSON.parse(parts.join('')));
        clearTimeout(timer);
        resolve(answer);
        socket.destroy();
      } catch (cause) {
        fail(
          new ControlError('SP_CONTROL_ANSWER', 'the gateway answered in a form that is not understood', {
            cause,
          }),
        );
      }
    });
    socket.write(`${JSON.stringify(request)}\n`);
  });
};

const unexpected = (answer: ControlAnswer): ControlError =>
  answer.kind === 'refused'
    ? new ControlError('SP_CONTROL_REFUSED', answer.text)
    : new ControlError('SP_CONTROL_ANSWER', `the gateway answered ${answer.kind}, which was not asked`);

/** All of these throw ControlError; SP_NOT_RUNNING when no gateway runs on this data folder. */
export const gatewayHealth = async (place: GatewayPlace): Promise<Health> => {
  const answer = await ask(place, { do: 'health' });
  if (answer.kind !== 'health') throw unexpected(answer);
  return answer.health;
};

/** The sessions that are going on in this gateway, oldest first. */
export const liveSessions = async (place: GatewayPlace): Promise<readonly LiveSession[]> => {
  const answer = await ask(place, { do: 'sessions' });
  if (answer.kind !== 'sessions') throw unexpected(answer);
  return answer.sessions;
};

/** True when the session is live in this gateway and was told. */
export const sendOrder = async (place: GatewayPlace, session: string, order: Order): Promise<boolean> => {
  const answer = await ask(place, { do: 'order', session, order });
  if (answer.kind !== 'delivered') throw unexpected(answer);
  return answer.sessions > 0;
};

/** Ends all sessions of a user, by name; answers how many there were. */
export const endSessionsOf = async (
  place: GatewayPlace,
  user: string,
  reason: string,
  tell: string,
): Promise<number> => {
  const answer = await ask(place, { do: 'end-user', user, reason, tell });
  if (answer.kind !== 'delivered') throw unexpected(answer);
  return answer.sessions;
};

/** Passes a store's message to the gateway's processes, for stores that carry none themselves (SQLite). */
export const noticeGateway = async (place: GatewayPlace, topic: string, payload: string): Promise<void> => {
  const answer = await ask(place, { do: 'notice', topic, payload });
  if (answer.kind !== 'delivered') throw unexpected(answer);
};

/** Reads the configuration again; answers the changed keys that take effect only at the next start. */
export const reloadGateway = async (place: GatewayPlace): Promise<readonly string[]> => {
  const answer = await ask(place, { do: 'reload' });
  if (answer.kind !== 'reloaded') throw unexpected(answer);
  return answer.needRestart;
};

/**
 * Watches a live session: lines of JSON, each a LiveEvent (recordings/live.ts), until it is over or `until` is aborted.
 * `by` is noted. Throws ControlError: SP_CONTROL_REFUSED when the session is not live here.
 */
export async function* watchSession(
  place: GatewayPlace,
  session: string,
  by: string,
  until: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const path = controlSocketPath(place.data);
  const socket = connect({ path, signal: until });
  socket.write(`${JSON.stringify({ do: 'watch', session, by } satisfies ControlRequest)}\n`);
  let state: 'asked' | 'watching' = 'asked';
  try {
    let pending = '';
    for await (const piece of socket.setEncoding('utf8')) {
      const lines = `${pending}${piece}`.split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        if (state === 'watching') yield line;
        else {
          const answer = readControlAnswer(JSON.parse(line));
          if (answer.kind !== 'watching') throw unexpected(answer);
          state = 'watching';
        }
      }
    }
  } catch (error) {
    if (until.aborted) return;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
    throw new ControlError(
      'SP_NOT_RUNNING',
      `no gateway runs on ${place.data} (nothing answers at ${path})`,
      {
        cause: error,
      },
    );
  } finally {
    socket.destroy();
  }
}

/** Like SIGTERM: no new connections, and the gateway ends when its sessions have. */
export const drainGateway = async (place: GatewayPlace): Promise<void> => {
  const answer = await ask(place, { do: 'drain' });
  if (answer.kind !== 'draining') throw unexpected(answer);
};
