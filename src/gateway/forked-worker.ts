// Starts one worker as a process of its own and carries messages to and from it. The process's standard output is the
// gateway's, so its log lines are whole lines of the same log.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/load.ts';
import type { Log } from './log.ts';
import { readToSupervisor } from './messages.ts';
import type { StartWorker, WorkerHandle } from './worker-pool.ts';

/** The same file, compiled or not. */
const entry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './worker-process.ts' : './worker-process.js', import.meta.url),
);

/**
 * Megabytes of V8's young generation. Its default of 16 (twice, and what survives it) makes each of a thousand idle
 * sessions twice as large, because of what their signing in has left among what is live.
 */
const flags = ['--max-semi-space-size=4'];

export const forkWorkers =
  (config: () => Config, log: Log): StartWorker =>
  (index, events) => {
    const child = fork(entry, [String(index)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // What this process was started with comes last and wins.
      execArgv: [...flags, ...process.execArgv],
    });
    let phase: 'running' | 'gone' = 'running';
    const gone = (how: string): void => {
      if (phase === 'gone') return;
      phase = 'gone';
      events.onExit(how);
    };
    child.on('message', (message) => {
      if (phase === 'gone') return;
      try {
        events.onMessage(readToSupervisor(message));
      } catch (error) {
        log.error('worker.message-not-understood', { worker: index, pid: child.pid, error });
        child.kill('SIGKILL');
      }
    });
    // Not `exit`: messages that were sent before the end are still to be read.
    child.once('close', (code, signal) => gone(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once('error', (error) => gone(error.message));
    const handle = handleOf(child);
    handle.send({ kind: 'configure', config: JSON.stringify(config()) });
    return handle;
  };

const handleOf = (child: ChildProcess): WorkerHandle => ({
  pid: child.pid ?? 0,
  send: (message, socket, sent) => {
    const done = (error: Error | null): void => sent?.(error);
    if (!child.connected) {
      done(new Error('the worker is gone'));
      return;
    }
    try {
      if (socket === undefined) child.send(message, done);
      else child.send(message, socket, { keepOpen: false }, done);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  },
  kill: () => {
    child.kill('SIGKILL');
  },
});
