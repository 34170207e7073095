// The device of the demo: an SSH server on loopback whose shells run as the person who started it, in a folder of their
// own. It exists so that the gateway can be tried without another machine. Never reachable but with the credential that
// the demo made for the gateway, and not part of the gateway.
import { type ChildProcess, spawn } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import type { IPty } from 'node-pty';
import ssh2, { type Connection, type PseudoTtyInfo, type ServerChannel, type Session } from 'ssh2';
import { serveFiles } from './demo-files.ts';

export interface DemoAccount {
  readonly username: string;
  readonly password: string;
  /** Where its shells start. */
  readonly home: string;
}

export interface DemoDeviceOptions {
  readonly name: string;
  readonly accounts: readonly DemoAccount[];
}

/** How the device makes terminals; `pipes` is the last resort and has no line editing. */
export type TerminalMaker = 'node-pty' | 'script' | 'pipes';

export interface DemoDevice extends AsyncDisposable {
  readonly port: number;
  /** `type base64`. */
  readonly hostKey: string;
  readonly terminals: TerminalMaker;
}

type Spawn = typeof import('node-pty').spawn;

/** node-pty's native part is missing on some machines; the demo then does with less. */
const loadPty = async (): Promise<Spawn | undefined> => {
  try {
    return (await import('node-pty')).spawn;
  } catch {
    return undefined;
  }
};

const shellPath = (): string =>
  ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash'].find(existsSync) ?? '/bin/sh';
const scriptPath = (): string | undefined => ['/usr/bin/script', '/bin/script'].find(existsSync);

const sameText = (one: string, other: string): boolean => {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
};

const signalName = (number: number): string | undefined =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0];

interface Job {
  resize(columns: number, rows: number): void;
  signal(name: string): void;
  end(): void;
}

const PASSED_SIGNALS = new Set(['INT', 'TERM', 'HUP', 'QUIT', 'KILL', 'USR1', 'USR2', 'ALRM']);

export const startDemoDevice = async (options: DemoDeviceOptions): Promise<DemoDevice> => {
  const keys = ssh2.utils.generateKeyPairSync('ed25519');
  const pty = await loadPty();
  const terminals: TerminalMaker =
    pty !== undefined ? 'node-pty' : scriptPath() !== undefined ? 'script' : 'pipes';
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [keys.private], ident: 'SallyportDemoDevice' }, (client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    client.on('error', () => client.end());
    let account: DemoAccount | undefined;
    client.on('authentication', (context) => {
      const found = options.accounts.find((entry) => entry.username === context.username);
      if (
        context.method === 'password' &&
        found !== undefined &&
        sameText(context.password, found.password)
      ) {
        account = found;
        context.accept();
      } else context.reject(['password']);
    });
    client.on('session', (accept) => {
      if (account !== undefined) serveSession(accept(), account, options.name, pty);
    });
    client.on('tcpip', (accept, reject, info) => {
      const socket = connect(info.destPort, info.destIP);
      socket.once('error', () => reject());
      socket.once('connect', () => {
        const channel = accept();
        socket.removeAllListeners('error');
        socket.on('error', () => channel.close());
        channel.on('error', () => socket.destroy());
        channel.on('close', () => socket.destroy());
        socket.pipe(channel).pipe(socket);
      });
    });
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: address === null || typeof address === 'string' ? 0 : address.port,
    hostKey: keys.public.split(' ').slice(0, 2).join(' '),
    terminals,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
};

const serveSession = (
  session: Session,
  account: DemoAccount,
  device: string,
  pty: Spawn | undefined,
): void => {
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: account.home,
    USER: account.username,
    LOGNAME: account.username,
    SHELL: shellPath(),
    LANG: process.env['LANG'] ?? 'C.UTF-8',
    HOSTNAME: device,
  };
  let terminal: PseudoTtyInfo | undefined;
  let job: Job | undefined;

  session.on('pty', (accept, _reject, info) => {
    terminal = info;
    accept?.();
  });
  session.on('env', (accept, _reject, info) => {
    if (/^(LANG|LC_[A-Z]+|COLORTERM|TZ)$/.test(info.key)) env[info.key] = info.val;
    accept?.();
  });
  session.on('window-change', (accept, _reject, info) => {
    job?.resize(info.cols, info.rows);
    accept?.();
  });
  session.on('signal', (accept, _reject, info) => {
    if (PASSED_SIGNALS.has(info.name)) job?.signal(`SIG${info.name}`);
    accept?.();
  });
  session.on('sftp', (accept) => serveFiles(accept(), account.home));
  session.on('shell', (accept) => {
    job = start(accept(), []);
  });
  session.on('exec', (accept, _reject, info) => {
    job = start(accept(), ['-c', info.command]);
  });
  session.on('close', () => job?.end());

  const start = (channel: ServerChannel, args: readonly string[]): Job => {
    // A demo shell shows the device's name, so that one sees where one is.
    const shellArgs = args.length === 0 && shellPath().endsWith('bash') ? ['--login'] : [...args];
    channel.on('error', () => channel.close());
    if (terminal === undefined) return runPlain(channel, shellPath(), shellArgs, env, account.home);
    env['TERM'] = terminal.term === '' ? 'xterm-256color' : terminal.term;
    if (pty !== undefined) return runTerminal(channel, pty, shellArgs, env, account.home, terminal);
    const script = scriptPath();
    if (script !== undefined) {
      const words = [shellPath(), ...shellArgs].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
      const size = `stty rows ${terminal.rows} cols ${terminal.cols}; exec ${words}`;
      return runPlain(channel, script, ['-qefc', size, '/dev/null'], env, account.home);
    }
    channel.write('(no pseudo-terminal on this machine: lines are not edited)\r\n');
    return runPlain(
      channel,
      shellPath(),
      [...shellArgs, ...(args.length === 0 ? ['-i'] : [])],
      env,
      account.home,
    );
  };
};

const runTerminal = (
  channel: ServerChannel,
  spawnPty: Spawn,
  args: readonly string[],
  env: Record<string, string>,
  home: string,
  terminal: PseudoTtyInfo,
): Job => {
  const child: IPty = spawnPty(shellPath(), [...args], {
    name: env['TERM'] ?? 'xterm-256color',
    cols: terminal.cols || 80,
    rows: terminal.rows || 24,
    cwd: home,
    env,
    encoding: null,
  });
  child.onData((data: string | Buffer) => {
    if (!channel.write(data)) {
      child.pause();
      channel.once('drain', () => child.resume());
    }
  });
  child.onExit(({ exitCode, signal }) => {
    const name = signal ? signalName(signal) : undefined;
    if (name === undefined) channel.exit(exitCode);
    else channel.exit(name.replace(/^SIG/, ''));
    channel.end();
  });
  channel.on('data', (data: Buffer) => child.write(data));
  return {
    resize: (columns, rows) => {
      if (columns > 0 && rows > 0) child.resize(columns, rows);
    },
    signal: (name) => child.kill(name),
    end: () => child.kill('SIGHUP'),
  };
};

const runPlain = (
  channel: ServerChannel,
  file: string,
  args: readonly string[],
  env: Record<string, string>,
  home: string,
): Job => {
  // A group of its own, so that what the command started ends with it.
  const child: ChildProcess = spawn(file, [...args], { cwd: home, env, stdio: 'pipe', detached: true });
  const { stdin, stdout, stderr } = child;
  stdin?.on('error', () => {});
  if (stdin !== null) channel.pipe(stdin);
  stdout?.pipe(channel, { end: false });
  stderr?.pipe(channel.stderr, { end: false });
  child.once('error', () => {
    channel.exit(127);
    channel.end();
  });
  child.once('close', (code, signal) => {
    if (signal === null) channel.exit(code ?? 0);
    else channel.exit(signal.replace(/^SIG/, ''));
    channel.end();
  });
  const kill = (name: string): void => {
    try {
      if (child.pid !== undefined && child.exitCode === null)
        process.kill(-child.pid, constants.signals[isSignal(name) ? name : 'SIGHUP']);
    } catch {
      // It ended meanwhile.
    }
  };
  return { resize: () => {}, signal: kill, end: () => kill('SIGHUP') };
};

const isSignal = (name: string): name is NodeJS.Signals => name in constants.signals;
