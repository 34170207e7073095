// The control socket of a running gateway: JSON, one request a line, one answer a line, on a Unix socket that only its
// owner may open. It bounds lines, clients and their idleness, and carries requests to whoever serves them; who may do
// what beyond the file's mode is not decided here.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { lockData, lockPath } from './data-lock.ts';
import { type ControlAnswer, type ControlRequest, readControlRequest } from './messages.ts';
import type { Watching } from './watch.ts';

const LONGEST_REQUEST = 16 * 1024;
const MOST_CLIENTS = 32;
const IDLE = 30_000;
/** Unix socket paths are this short on Linux, the end included (sockaddr_un). */
const LONGEST_PATH = 107;

export const controlSocketPath = (data: string): string => join(data, 'control.sock');

export class ControlError extends Error {
  readonly code:
    | 'SP_CONTROL_BUSY'
    | 'SP_CONTROL_PATH'
    | 'SP_NOT_RUNNING'
    | 'SP_CONTROL_ANSWER'
    | 'SP_CONTROL_REFUSED';

  constructor(code: ControlError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ControlError';
    this.code = code;
  }
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(path);
    const settle = (answer: boolean): void => {
      probe.destroy();
      resolve(answer);
    };
    probe.once('connect', () => settle(true));
    probe.once('error', () => settle(false));
    probe.setTimeout(2000, () => settle(true));
  });

/** An answer, or a watch whose lines follow one. */
export type Serve = (request: ControlRequest) => Promise<ControlAnswer | Watching>;

export interface ControlServer extends AsyncDisposable {
  readonly path: string;
}

/**
 * Opens the control socket in `data`. Throws SP_CONTROL_BUSY when another gateway serves the same folder; a socket that
 * nobody serves is what a crash left, and is replaced.
 */
export const openControlServer = async (data: string, serve: Serve): Promise<ControlServer> => {
  const path = controlSocketPath(data);
  if (Buffer.byteLength(path) > LONGEST_PATH)
    throw new ControlError(
      'SP_CONTROL_PATH',
      `the path of the control socket is longer than ${LONGEST_PATH} bytes: ${path}`,
    );
  const lock = lockData(data);
  if (lock === undefined)
    throw new ControlError('SP_CONTROL_BUSY', `another gateway runs on ${data} (it holds ${lockPath(data)})`);
  try {
    return await openLocked(data, path, serve, lock);
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
};

/** The lock says that nobody starts at the same time; a gateway on another machine is heard at its socket only. */
const openLocked = async (
  data: string,
  path: string,
  serve: Serve,
  lock: Disposable,
): Promise<ControlServer> => {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    if (await answers(path))
      throw new ControlError('SP_CONTROL_BUSY', `another gateway runs on ${data} (it answers at ${path})`);
    unlinkSync(path);
  }
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    if (sockets.size >= MOST_CLIENTS) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    attend(socket, serve);
  });
  // The folder is 0700; the mode is narrowed before anybody could connect all the same.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(mask);
  }
  chmodSync(path, 0o600);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroySoon();
      // Node removes the socket's file as it closes.
      await new Promise<void>((resolve) => server.close(() => resolve()));
      lock[Symbol.dispose]();
    },
  };
};

const attend = (socket: Socket, serve: Serve): void => {
  let pending = '';
  let busy = false;
  const answer = (text: ControlAnswer): void => {
    if (socket.writable) socket.write(`${JSON.stringify(text)}\n`);
  };
  const step = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    for (let end = pending.indexOf('\n'); end >= 0; end = pending.indexOf('\n')) {
      const line = pending.slice(0, end);
      pending = pending.slice(end + 1);
      const given = await answerTo(line, serve);
      if ('kind' in given) answer(given);
      else await show(socket, given);
    }
    busy = false;
  };
  socket.setEncoding('utf8');
  socket.setTimeout(IDLE, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (data) => {
    pending += String(data);
    if (pending.length > LONGEST_REQUEST) {
      answer({ kind: 'refused', code: 'too-long', text: 'a request is at most 16 KiB' });
      socket.destroySoon();
      return;
    }
    void step();
  });
};

/** Writes what is watched until it is over or the client goes; nothing else is answered on this connection. */
const show = async (socket: Socket, watching: Watching): Promise<void> => {
  socket.setTimeout(0);
  const gone = (): void => watching[Symbol.dispose]();
  socket.once('close', gone);
  if (!socket.destroyed) {
    socket.write(`${JSON.stringify({ kind: 'watching' })}\n`);
    for await (const line of watching) {
      if (socket.destroyed) break;
      if (socket.write(`${line}\n`)) continue;
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve);
        socket.once('close', () => resolve());
      });
    }
  }
  gone();
  socket.destroySoon();
};

const answerTo = async (line: string, serve: Serve): Promise<ControlAnswer | Watching> => {
  try {
    const request = readControlRequest(JSON.parse(line));
    if (request !== undefined) return await serve(request);
  } catch (error) {
    if (!(error instanceof SyntaxError))
      return {
        kind: 'refused',
        code: 'failed',
        text: error instanceof Error ? error.message : 'unknown failure',
      };
  }
  return { kind: 'refused', code: 'not-understood', text: 'this is not a request of this version' };
};
