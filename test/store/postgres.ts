// A PostgreSQL server of the test's own: Debian's binaries, a fresh cluster in a temporary folder, a free port on
// loopback, ended by its process id. The server refuses to run as root, so then it runs as the user `postgres`.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = '/usr/lib/postgresql';
const START_WITHIN = 60_000;

/** Where Debian keeps the server's programs; undefined when the package `postgresql` is not installed. */
export const postgresPrograms = (): string | undefined => {
  if (!existsSync(ROOT)) return undefined;
  const versions = readdirSync(ROOT).filter((name) => existsSync(join(ROOT, name, 'bin', 'initdb')));
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(ROOT, newest, 'bin');
};

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
};

const asServerUser = (program: string, args: readonly string[]): [string, string[]] =>
  process.getuid?.() === 0
    ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', program, ...args]]
    : [program, [...args]];

export class PostgresServer {
  readonly #programs: string;
  readonly #folder: string;
  readonly #port: number;
  #process: ChildProcess | undefined;
  #databases = 0;

  constructor(programs: string, folder: string, port: number) {
    this.#programs = programs;
    this.#folder = folder;
    this.#port = port;
  }

  /** Makes a cluster and starts it. Throws when PostgreSQL is not installed. */
  static async start(): Promise<PostgresServer> {
    const programs = postgresPrograms();
    if (programs === undefined) throw new Error('install the Debian package "postgresql"');
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-postgres-'));
    if (process.getuid?.() === 0) execFileSync('chown', ['postgres:postgres', folder]);
    await chmod(folder, 0o700);
    const server = new PostgresServer(programs, folder, await freePort());
    const data = join(folder, 'data');
    const options = [
      '-D',
      data,
      '-U',
      'sallyport',
      '--auth=trust',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ];
    await run(...asServerUser(join(programs, 'initdb'), options));
    await server.resume();
    return server;
  }

  /** The URL of a new, empty database. */
  async database(): Promise<string> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    const args = ['-h', '127.0.0.1', '-p', String(this.#port), '-U', 'sallyport', name];
    await run(join(this.#programs, 'createdb'), args);
    return `postgres://sallyport@127.0.0.1:${this.#port}/${name}`;
  }

  /** Ends the server: `fast` closes connections in order, `crash` is kill -9 for all of it. */
  async pause(how: 'fast' | 'crash'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const ended = once(child, 'exit');
    child.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  }

  async resume(): Promise<void> {
    if (this.#process !== undefined) return;
    const child = spawn(
      ...asServerUser(join(this.#programs, 'postgres'), [
        ...['-D', join(this.#folder, 'data')],
        ...['-p', String(this.#port)],
        ...['-c', 'listen_addresses=127.0.0.1'],
        ...['-c', `unix_socket_directories=${this.#folder}`],
        ...['-c', 'max_connections=60'],
        ...['-c', 'shared_buffers=16MB'],
      ]),
      { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' },
    );
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let log = '';
      const timer = setTimeout(() => {
        child.kill('SIGQUIT');
        reject(new Error(`PostgreSQL did not start:\n${log}`));
      }, START_WITHIN);
      child.stderr?.on('data', (chunk: Buffer) => {
        if (log.length < 100_000) log += chunk.toString('utf8');
        if (log.includes('ready to accept connections')) {
          clearTimeout(timer);
          resolve();
        }
      });
      child.once('exit', () => {
        clearTimeout(timer);
        reject(new Error(`PostgreSQL ended:\n${log}`));
      });
    });
  }

  async stop(): Promise<void> {
    await this.pause('fast');
    await rm(this.#folder, { recursive: true, force: true });
  }
}
