// `sallyport demo`: a gateway, devices and users to try, on loopback, with nothing but Node. Not for production: the
// devices run shells as the person who started it. Says on one screen what to type, and ends cleanly with Ctrl-C.
import { createWriteStream } from 'node:fs';
import { access, constants, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { Secret, TOTP } from 'otpauth';
import { type Config, loadConfig } from '../config/load.ts';
import { controlSocketPath } from '../gateway/control-server.ts';
import type { DemoSite } from '../gateway/demo-site.ts';

interface DemoOptions {
  readonly port: number;
  readonly consolePort: number;
  readonly data?: string;
}

/** Milliseconds; the demo shows what it has even when the console is not there yet. */
const CONSOLE_WITHIN = 15_000;

const portOf = (text: string): number => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('a port is a number up to 65535');
  return port;
};

/** Beside the program, so that host keys and recordings outlive a demo; where that can't be, a temporary folder. */
const dataFolder = async (wanted: string | undefined): Promise<string> => {
  if (wanted !== undefined) return resolve(wanted);
  // Two folders up from the source, three from what is compiled.
  const root = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? '../..' : '../../..', import.meta.url),
  );
  const folder = join(root, 'data', 'demo');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK);
    // A Unix socket's path is short (sockaddr_un).
    if (Buffer.byteLength(controlSocketPath(folder)) < 100) return folder;
  } catch {
    // Installed where this user can't write.
  }
  return mkdtemp(join(tmpdir(), 'sallyport-demo-'));
};

const configOf = (data: string, { port, consolePort }: DemoOptions): Config => {
  const config = loadConfig({
    cwd: data,
    env: {
      SALLYPORT_DATA: data,
      SALLYPORT_SSH_LISTEN: `127.0.0.1:${port}`,
      SALLYPORT_SSH_WORKERS: '0',
      SALLYPORT_ADMIN_LISTEN: `127.0.0.1:${consolePort}`,
      SALLYPORT_POLICY_PACKS: 'destructive,line-editor',
    },
  });
  // Whoever presses Ctrl-C means it.
  return { ...config, name: 'demo', drainSeconds: 0 };
};

const codeFor = (secret: Buffer): string =>
  new TOTP({ secret: new Secret({ buffer: Uint8Array.from(secret).buffer }) }).generate();

const screen = (site: DemoSite, config: Config, address: string, consoleUrl: string | undefined): string => {
  const port = address.slice(address.lastIndexOf(':') + 1);
  const { alice, bob, carol, dave } = site.users;
  const inside = relative(process.cwd(), config.data);
  const data = inside.startsWith('..') ? config.data : inside;
  const lines: readonly (readonly [string, string])[] = [
    [`ssh -p ${port} alice@deploy@web1@127.0.0.1`, 'a shell on web1, as deploy'],
    [`ssh -p ${port} alice@127.0.0.1`, 'a menu of what alice may reach'],
    [`ssh -p ${port} alice@root@web1@127.0.0.1 ls -l`, 'one command'],
    [`ssh -J alice@127.0.0.1:${port} postgres@db1`, 'as ProxyJump, for any tool'],
    [`sftp -P ${port} bob@deploy@web1@127.0.0.1`, 'files'],
    ['', ''],
    [`export SALLYPORT_DATA=${data}`, ''],
    ['bin/sallyport session list', 'who was where'],
    ['bin/sallyport command list', 'what they ran, or tried to'],
    ['bin/sallyport recording list', 'also: play, export, verify'],
  ];
  const width = Math.max(...lines.map(([command, note]) => (note === '' ? 0 : command.length))) + 3;
  const user = (name: string, password: string, note: string): string =>
    `  ${name.padEnd(7)} ${password}   ${note}`;
  return [
    `The demo is ready on ${address}. In another terminal in this folder, type:`,
    '',
    ...lines.map(([command, note]) => `  ${command.padEnd(width)}${note}`.trimEnd()),
    '',
    user(alice.name, alice.password, 'may use every account'),
    user(bob.name, bob.password, 'may be deploy on web1; needs a one-time code as well'),
    user(carol.name, carol.password, 'is an auditor: replays recordings in the console'),
    user(dave.name, dave.password, 'is an administrator: rules and users in the console'),
    '',
    `  console: ${consoleUrl ?? 'not there; gateway.log says why (another port: --console-port)'}`,
    ...(site.terminals === 'node-pty'
      ? []
      : [`  node-pty did not load: terminals are made with ${site.terminals}, and do not resize.`, '']),
    '  On web1: rm -r notes (blocked), chmod 777 notes (asked), nc -l 4444 (ends it)',
    '',
    '  Rules: $SALLYPORT_DATA/policies; log: $SALLYPORT_DATA/gateway.log',
    '  Enter shows a one-time code for bob; Ctrl-C ends the demo.',
    '',
  ].join('\n');
};

/** Shows a fresh code for each Enter, where there is somebody to press it. */
const answerEnter = (secret: Buffer | undefined): Disposable => {
  if (process.stdin.isTTY !== true || secret === undefined) return { [Symbol.dispose]: () => {} };
  const lines = createInterface({ input: process.stdin });
  lines.on('line', () => process.stdout.write(`  bob's one-time code: ${codeFor(secret)}\n`));
  return { [Symbol.dispose]: () => lines.close() };
};

/** Resolves to the exit code. */
const demo = async (options: DemoOptions): Promise<number> => {
  const until = new AbortController();
  const urgently = new AbortController();
  const told = (): void => (until.signal.aborted ? urgently.abort() : until.abort());
  process.on('SIGINT', told);
  process.on('SIGTERM', told);
  process.on('SIGHUP', told);
  try {
    const config = configOf(await dataFolder(options.data), options);
    await mkdir(config.data, { recursive: true, mode: 0o700 });
    const file = createWriteStream(join(config.data, 'gateway.log'), { flags: 'a', mode: 0o600 });
    file.on('error', () => {});
    // Loaded here, so that the other commands need not load the whole gateway.
    const [{ runGateway }, { createLog }, { openDemoSite }] = await Promise.all([
      import('../gateway/gateway.ts'),
      import('../gateway/log.ts'),
      import('../gateway/demo-site.ts'),
    ]);
    const log = createLog({ level: 'info', pretty: false, sink: file });
    await using site = await openDemoSite(config);
    using _enter = answerEnter(site.users.bob.totp);
    await runGateway({
      config,
      log,
      reread: () => config,
      until: until.signal,
      urgently: urgently.signal,
      onReady: ({ addresses }, admin) => {
        void admin
          .settled(CONSOLE_WITHIN)
          .then(() => process.stdout.write(`\n${screen(site, config, addresses[0] ?? '', admin.urls[0])}`));
      },
    });
    process.stdout.write('\nThe demo has ended.\n');
    return 0;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${text}\n`);
    if (/EADDRINUSE/.test(text)) process.stderr.write('Another port: npm run demo -- --port 2223\n');
    return 1;
  }
};

export const registerDemo = (program: Command): void => {
  program
    .command('demo')
    .description('try the gateway on this machine: devices, users and secrets included')
    .option('--port <port>', 'where the gateway listens on 127.0.0.1', portOf, 2222)
    .option('--console-port <port>', 'where the console listens on 127.0.0.1', portOf, 8022)
    .option('--data <folder>', 'where the demo keeps its data (default: data/demo beside the program)')
    .action(async (options: DemoOptions) => {
      process.exit(await demo(options));
    });
};
