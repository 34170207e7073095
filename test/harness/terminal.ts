// A person at a terminal: a real pty, keys typed after what they answer has come, no sleeping.
import * as pty from 'node-pty';

export interface TypedTerminal {
  /** Everything shown so far, escape sequences included. */
  readonly shown: string;
  readonly pid: number;
  type(text: string): void;
  resize(columns: number, rows: number): void;
  /** Waits until new output (since the last wait) matches; rejects with what was seen. */
  until(wanted: string | RegExp, milliseconds?: number): Promise<string>;
  /** Waits for the end. */
  ended(milliseconds?: number): Promise<{ readonly code: number; readonly signal: number | undefined }>;
  [Symbol.dispose](): void;
}

export function typeAt(
  file: string,
  args: readonly string[],
  size: { readonly columns: number; readonly rows: number } = { columns: 80, rows: 24 },
  env: Readonly<Record<string, string>> = {},
): TypedTerminal {
  const terminal = pty.spawn(file, [...args], {
    name: 'xterm-256color',
    cols: size.columns,
    rows: size.rows,
    env: { ...process.env, TERM: 'xterm-256color', ...env },
  });
  let shown = '';
  let searched = 0;
  let end: { code: number; signal: number | undefined } | undefined;
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  terminal.onData((data) => {
    shown += data;
    tell();
  });
  terminal.onExit(({ exitCode, signal }) => {
    end = { code: exitCode, signal };
    tell();
  });

  function waitFor<T>(look: () => T | undefined, what: string, milliseconds: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer);
        listeners.delete(check);
        act();
      };
      const check = () => {
        const found = look();
        if (found !== undefined) finish(() => resolve(found));
        else if (end !== undefined)
          finish(() => reject(new Error(`ended before ${what}: ${JSON.stringify(shown)}`)));
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no ${what} in ${milliseconds} ms: ${JSON.stringify(shown)}`))),
        milliseconds,
      );
      listeners.add(check);
      check();
    });
  }

  return {
    get shown() {
      return shown;
    },
    pid: terminal.pid,
    type: (text) => terminal.write(text),
    resize: (columns, rows) => terminal.resize(columns, rows),
    until: (wanted, milliseconds = 15_000) =>
      waitFor(
        () => {
          const fresh = shown.slice(searched);
          const found = typeof wanted === 'string' ? fresh.indexOf(wanted) : fresh.search(wanted);
          if (found < 0) return undefined;
          const length = typeof wanted === 'string' ? wanted.length : (wanted.exec(fresh)?.[0].length ?? 0);
          searched += found + length;
          return fresh.slice(0, found + length);
        },
        String(wanted),
        milliseconds,
      ),
    ended: (milliseconds = 15_000) => waitFor(() => end, 'end', milliseconds),
    [Symbol.dispose]() {
      if (end === undefined) terminal.kill('SIGKILL');
    },
  };
}
