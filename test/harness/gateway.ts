// The gateway as its users run it: a folder with sallyport.yaml, `sallyport apply`, `sallyport serve`, and the ready line.
// Tests reach it through its command line and its ports only.
import type { ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { openerFromSecret } from '../../recordings/keys.ts';
import { recordingFiles } from '../../recordings/places.ts';
import { readEvents } from '../../recordings/read.ts';
import { type RunOptions, type RunResult, run } from './run.ts';
import { endProcess, freePort, lineOf, type Scratch } from './scratch.ts';

/** Another command, an installed one say, may be tested in this one's stead. */
export const command =
  process.env['SALLYPORT_TEST_COMMAND'] ?? new URL('../../bin/sallyport', import.meta.url).pathname;

export interface GatewayOptions {
  /** What `sallyport apply` reads. */
  readonly directory: Readonly<Record<string, readonly unknown[]>>;
  /** More keys for sallyport.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly ssh?: Readonly<Record<string, unknown>>;
  readonly admin?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

export class Gateway {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess;

  private constructor(
    port: number,
    folder: string,
    env: Readonly<Record<string, string>>,
    child: ChildProcess,
  ) {
    this.port = port;
    this.folder = folder;
    this.#env = env;
    this.#child = child;
  }

  /** Resolves when the gateway has said that it is ready. */
  static async start(scratch: Scratch, options: GatewayOptions): Promise<Gateway> {
    const port = await freePort();
    const folder = scratch.path(`gateway-${port}`);
    mkdirSync(folder, { mode: 0o700 });
    const config = {
      data: join(folder, 'data'),
      policies: join(folder, 'policies'),
      drainSeconds: 1,
      ...options.config,
      ssh: { listen: [`127.0.0.1:${port}`], ...options.ssh },
      // Tests of the API ask for it; the others need no further process.
      admin: { listen: 'off', ...options.admin },
    };
    mkdirSync(join(folder, 'policies'));
    writeFileSync(join(folder, 'sallyport.yaml'), stringify(config));
    const env = { ...options.env };
    await applied(folder, env, options.directory);
    const child = scratch.start(command, ['serve', '--config', join(folder, 'sallyport.yaml')], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(join(folder, 'log'));
    child.stdout?.on('data', (data: Buffer) => log.write(data));
    child.stderr?.on('data', (data: Buffer) => log.write(data));
    await lineOf(child, /\bready\b/, 90_000);
    return new Gateway(port, folder, env, child);
  }

  /** The supervisor's process id. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the gateway does not run');
    return this.#child.pid;
  }

  /** Everything it has logged so far. */
  get log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8');
  }

  /** Changes the directory while it runs. */
  apply(directory: GatewayOptions['directory']): Promise<void> {
    return applied(this.folder, this.#env, directory);
  }

  /** `sallyport …` in the gateway's folder. */
  sallyport(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(command, args, { cwd: this.folder, ...options, env: { ...this.#env, ...options.env } });
  }

  /** The rows of a `--json` list. */
  async rows(...args: readonly string[]): Promise<Record<string, unknown>[]> {
    const { code, stdout, stderr } = await this.sallyport([...args, '--json']);
    if (code !== 0) throw new Error(`sallyport ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Every recording, opened with the master key: its events as JSON, and what its terminal showed; newest day first. */
  async recordings(): Promise<{ readonly path: string; readonly text: string; readonly shown: string }[]> {
    const data = join(this.folder, 'data');
    const [master = ''] = readFileSync(join(data, 'master.key'), 'utf8').split('\n');
    const openers = [openerFromSecret(Buffer.from(master, 'base64'))];
    const found: { path: string; text: string; shown: string }[] = [];
    for await (const { path } of recordingFiles(join(data, 'recordings'))) {
      let text = '';
      let shown = '';
      for await (const event of readEvents(path, openers)) {
        text += `${JSON.stringify(event)}\n`;
        if (event.code === 'o') shown += event.data;
      }
      found.push({ path, text, shown });
    }
    return found;
  }

  /** The process ids of the supervisor and everything it started. */
  processes(): number[] {
    const children = new Map<number, number[]>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        const fields = readFileSync(`/proc/${entry}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        const parent = Number(fields[1]);
        children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
      } catch {
        // It ended meanwhile.
      }
    }
    const found: number[] = [];
    const queue = [this.pid];
    for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
      found.push(pid);
      queue.push(...(children.get(pid) ?? []));
    }
    return found;
  }

  /** Resident memory of all its processes, in bytes. */
  memory(): number {
    let kilobytes = 0;
    for (const pid of this.processes()) {
      try {
        // It comes and goes by itself, and has nothing to do with sessions.
        if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('keeper-process')) continue;
        const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
        kilobytes += Number(found?.[1] ?? 0);
      } catch {
        // It ended meanwhile.
      }
    }
    return kilobytes * 1024;
  }

  stop(): Promise<void> {
    return endProcess(this.#child);
  }
}

let applications = 0;

async function applied(
  folder: string,
  env: Readonly<Record<string, string>>,
  directory: GatewayOptions['directory'],
): Promise<void> {
  applications += 1;
  const file = join(folder, `apply-${applications}.yaml`);
  writeFileSync(file, stringify(directory), { mode: 0o600 });
  const result = await run(command, ['apply', '-f', file], { cwd: folder, env });
  if (result.code !== 0)
    throw new Error(`apply ended with ${result.code}:\n${result.stdout}${result.stderr}`);
}
